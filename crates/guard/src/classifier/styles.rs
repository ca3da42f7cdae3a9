//! Training text of our own writing: templates from which texts are made, the same ones each time.
//!
//! A file begins with `attack` or `benign`; its templates begin with `> `. `{name}` stands for one of the
//! alternatives that `shared.txt` lists under `@name:`. Public data knows the attacks that were
//! collected; these files write down styles that no collection under a permissive licence has, and
//! harmless texts that use the same words.

use std::collections::BTreeMap;

/// A file of templates by its name.
#[derive(Clone, Copy, Debug)]
pub struct StyleFile {
    /// Its name.
    pub name: &'static str,
    text: &'static str,
}

macro_rules! style_files {
    ($($name:literal),+) => {
        &[$(StyleFile { name: $name, text: include_str!(concat!("../../training/styles/", $name, ".txt")) }),+]
    };
}

/// How deep names may stand within alternatives.
const DEPTH_MAX: u32 = 4;

const SHARED: &str = include_str!("../../training/styles/shared.txt");

/// The files for the prompt head.
pub const PROMPTS: &[StyleFile] = style_files!(
    "override",
    "secret",
    "leak",
    "persona",
    "fiction",
    "suppress",
    "probing",
    "technical",
    "tongues",
    "harmless",
    "scripts",
    "world",
    "abroad",
    "fluent",
    "games",
    "noise",
    "cipher",
    "agent",
    "discuss",
    "smalltalk"
);

/// The files for the document head.
pub const DOCUMENTS: &[StyleFile] = style_files!("planted", "papers", "hidden", "ordinary");

/// A text that was made, with its truth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// The text.
    pub text: String,
    /// Whether it is an attack.
    pub attack: bool,
    /// The template that it was made from, counted over all files.
    pub template: u64,
}

/// Makes `each` texts of every template that has alternatives, and a third as many of the others.
pub fn write(files: &[StyleFile], each: usize, seed: u64) -> Vec<Written> {
    let shared = shared();
    let mut random = seed;
    let mut written = Vec::new();
    let mut template_number = 0;
    for file in files {
        let attack = file.text.starts_with("attack");
        for template in file.text.lines().filter_map(|line| line.strip_prefix("> ")) {
            template_number += 1;
            let count = if template.contains('{') {
                each
            } else {
                each / 3
            };
            for _ in 0..count {
                let text = filled(template, &shared, &mut random, 0);
                let text = dressed(text.replace("\\n", "\n"), &mut random);
                written.push(Written {
                    text,
                    attack,
                    template: template_number,
                });
            }
        }
    }
    written
}

fn shared() -> BTreeMap<&'static str, Vec<&'static str>> {
    let lines = SHARED.lines().filter_map(|line| line.strip_prefix('@'));
    let named = lines.filter_map(|line| line.split_once(": "));
    named
        .map(|(name, list)| (name, list.split(" | ").collect()))
        .collect()
}

fn filled(
    template: &str,
    shared: &BTreeMap<&str, Vec<&str>>,
    random: &mut u64,
    depth: u32,
) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let named = after
            .split_once('}')
            .and_then(|(name, after)| Some((shared.get(name)?, after)));
        if let (Some((alternatives, after)), true) = (named, depth < DEPTH_MAX) {
            let choice = alternatives[below(random, alternatives.len())].trim();
            text.push_str(&filled(choice, shared, random, depth + 1));
            rest = after;
        } else {
            text.push('{');
            rest = after;
        }
    }
    text.push_str(rest);
    text
}

/// Writes it as people write: mostly with a capital, sometimes in capitals or without a full stop.
fn dressed(text: String, random: &mut u64) -> String {
    let text = text.trim().to_owned();
    match below(random, 12) {
        0 if text.is_ascii() && text.len() < 160 => text.to_ascii_uppercase(),
        1 | 2 => text.to_ascii_lowercase(),
        3 => text.trim_end_matches(['.', '?', '!']).to_owned(),
        _ => {
            let mut chars = text.chars();
            chars
                .next()
                .map(|first| first.to_uppercase().chain(chars).collect())
                .unwrap_or_default()
        }
    }
}

fn below(random: &mut u64, count: usize) -> usize {
    *random = random
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*random >> 33) as usize % count.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_writes_the_same_texts_and_fills_every_name() {
        for files in [PROMPTS, DOCUMENTS] {
            let written = write(files, 6, 1);
            assert_eq!(written, write(files, 6, 1));
            assert!(written.iter().any(|one| one.attack) && written.iter().any(|one| !one.attack));
            let shared = shared();
            for one in &written {
                let open = shared
                    .keys()
                    .find(|name| one.text.contains(&format!("{{{name}}}")));
                assert_eq!(open, None, "{}", one.text);
            }
        }
    }
}
