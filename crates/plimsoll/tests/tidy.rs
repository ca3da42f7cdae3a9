//! What holds for the repository as a whole: which crate may use which, how files begin and how long
//! they are, that documents tell the truth where a program can see it.
//!
//! A failure names every place at once, as a list of what to mend.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_core::Code;
use plimsoll_spec::Environment;

/// The most lines of a file without its tests.
const LINES_MAX: usize = 800;
/// The most lines of the README.
const README_LINES_MAX: usize = 150;
/// Folders that hold what was fetched, built or recorded.
const FOREIGN: [&str; 8] = [
    ".git",
    ".runtime",
    ".venv",
    "__pycache__",
    "data",
    "mutants.out",
    "node_modules",
    "target",
];

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap().to_owned()
}

/// The repository's own files, relative to its root, in order.
fn files() -> Vec<PathBuf> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name());
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && !is_foreign(&path, &root) {
                folders.push(path);
            } else if kind.is_file() && !name.to_string_lossy().ends_with(".pyc") {
                found.push(path.strip_prefix(&root).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn is_foreign(folder: &Path, root: &Path) -> bool {
    let name = folder.file_name().unwrap().to_string_lossy();
    let is_known = FOREIGN.contains(&&*name);
    // The data that the example's model was trained on is ours.
    is_known
        && folder.strip_prefix(root).unwrap() != Path::new("examples/loan-default/training/data")
}

fn with_extension(extension: &str) -> Vec<PathBuf> {
    let fits = |path: &PathBuf| path.extension().is_some_and(|found| found == extension);
    files().into_iter().filter(fits).collect()
}

/// A file's text; none if it is no text.
fn text(path: &Path) -> Option<String> {
    String::from_utf8(fs::read(root().join(path)).unwrap()).ok()
}

/// Fails with all that was found.
fn nothing_to_mend(found: &[String]) {
    assert!(found.is_empty(), "to mend:\n  {}\n", found.join("\n  "));
}

// Code.

#[test]
fn a_crate_uses_only_what_the_architecture_lets_it_use() {
    let mut found = Vec::new();
    let mut above: Vec<String> = Vec::new();
    let mut allowed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, uses) in dependency_table() {
        let set: BTreeSet<String> = if uses.contains("others above") || uses == "all" {
            above.iter().cloned().collect()
        } else {
            let names = uses.split([',', ' ']).filter(|word| *word != "—");
            names
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        found.extend(
            set.iter().filter(|used| !above.contains(used)).map(|used| {
                format!("ARCHITECTURE.md: `{name}` uses `{used}`, which is not above it")
            }),
        );
        allowed.insert(name.clone(), set);
        above.push(name);
    }
    for path in with_extension("toml").iter().filter(|path| is_crate(path)) {
        let name = path.iter().nth(1).unwrap().to_string_lossy().into_owned();
        let Some(may_use) = allowed.get(&name) else {
            found.push(format!(
                "ARCHITECTURE.md: `{name}` is not in the table of crates"
            ));
            continue;
        };
        let used = own_dependencies(&text(path).unwrap());
        let more = used.difference(may_use);
        found.extend(more.map(|used| format!("{}: may not use `{used}`", path.display())));
    }
    nothing_to_mend(&found);
}

/// Whether it is the `Cargo.toml` of a folder of `crates/`.
fn is_crate(path: &Path) -> bool {
    let parts: Vec<_> = path.iter().collect();
    parts.len() == 3 && parts[0] == "crates" && parts[2] == "Cargo.toml"
}

/// Each crate of the code map with what stands under `uses`, in the order of the table.
fn dependency_table() -> Vec<(String, String)> {
    let page = text(Path::new("ARCHITECTURE.md")).unwrap();
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells.first()?.strip_prefix('[')?.split_once("](crates/")?.0;
        Some((name.to_owned(), (*cells.get(2)?).to_owned()))
    });
    let rows: Vec<_> = rows.collect();
    assert!(rows.len() > 5, "ARCHITECTURE.md has no table of crates");
    rows
}

/// The crates of ours under `[dependencies]`; those of tests are free.
fn own_dependencies(manifest: &str) -> BTreeSet<String> {
    let lines = manifest
        .lines()
        .skip_while(|line| line.trim() != "[dependencies]");
    let lines = lines.skip(1).take_while(|line| !line.starts_with('['));
    let name = |line: &str| {
        let name = line
            .strip_prefix("plimsoll-")?
            .split(['.', ' ', '='])
            .next()?;
        Some(name.to_owned())
    };
    lines.filter_map(name).collect()
}

#[test]
fn every_file_of_code_says_what_it_is_and_is_short() {
    let mut found = Vec::new();
    for path in with_extension("rs") {
        let code = text(&path).unwrap();
        if !code.starts_with("//!") {
            found.push(format!("{}: begin it with `//!`", path.display()));
        }
        let lines = code
            .lines()
            .take_while(|line| *line != "#[cfg(test)]")
            .count();
        if lines > LINES_MAX {
            found.push(format!(
                "{}: {lines} lines, {LINES_MAX} at the most",
                path.display()
            ));
        }
    }
    nothing_to_mend(&found);
}

#[test]
fn nothing_is_left_to_be_written_later() {
    let mut found = Vec::new();
    for path in with_extension("rs") {
        for (number, line) in text(&path).unwrap().lines().enumerate() {
            for left in [concat!("todo", "!("), concat!("unimplemented", "!(")] {
                if line.contains(left) {
                    found.push(format!("{}:{}: {left}…)", path.display(), number + 1));
                }
            }
        }
    }
    nothing_to_mend(&found);
}

#[test]
fn the_repository_stands_alone() {
    let elsewhere = [concat!("../", "shared"), concat!("/", "work/")];
    let mut found = Vec::new();
    for path in files() {
        // It makes sure of the same of the examples.
        if path == Path::new("e2e/test_examples.py") {
            continue;
        }
        for (number, line) in text(&path).unwrap_or_default().lines().enumerate() {
            if elsewhere.iter().any(|folder| line.contains(folder)) {
                found.push(format!(
                    "{}:{}: refers elsewhere",
                    path.display(),
                    number + 1
                ));
            }
        }
    }
    nothing_to_mend(&found);
}

// Documents.

#[test]
fn every_link_leads_somewhere() {
    let mut found = Vec::new();
    for path in with_extension("md") {
        let page = text(&path).unwrap();
        for link in links(&page) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() {
                root().join(&path)
            } else {
                root().join(&path).parent().unwrap().join(file)
            };
            let is_page = target
                .extension()
                .is_some_and(|extension| extension == "md");
            if !target.exists() {
                found.push(format!("{}: there is no `{link}`", path.display()));
            } else if !anchor.is_empty() && is_page {
                let headings = anchors(&fs::read_to_string(target).unwrap());
                if !headings.contains(anchor) {
                    found.push(format!("{}: there is no heading `{link}`", path.display()));
                }
            }
        }
    }
    nothing_to_mend(&found);
}

/// The lines of a page outside fenced blocks.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut is_fenced = false;
    page.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        !is_fenced && !is_fence
    })
}

fn links(page: &str) -> Vec<String> {
    let text: String = prose(page).collect::<Vec<_>>().join("\n");
    let parts = text.split("](").skip(1);
    parts
        .filter_map(|part| Some(part.split_once(')')?.0.to_owned()))
        .collect()
}

/// The headings of a page as the fragments that lead to them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose(page).filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
        title
            .chars()
            .filter(kept)
            .collect::<String>()
            .replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn the_readme_is_short_and_the_changelog_has_room_for_what_comes() {
    let lines = text(Path::new("README.md")).unwrap().lines().count();
    assert!(lines <= README_LINES_MAX, "README.md has {lines} lines");
    let changelog = text(Path::new("CHANGELOG.md")).unwrap();
    assert!(changelog.lines().any(|line| line == "## Unreleased"));
}

#[test]
fn the_generated_reference_is_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let written = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["reference", "--out"])
        .arg(folder.path())
        .status();
    assert!(written.unwrap().success());
    let mut found = Vec::new();
    for page in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        let name = page.file_name().into_string().unwrap();
        let wanted = fs::read_to_string(page.path()).unwrap();
        let kept = fs::read_to_string(root().join("docs/reference").join(&name));
        if kept.ok() != Some(wanted) {
            found.push(format!(
                "docs/reference/{name}: run `cargo run -p plimsoll -- reference --out docs/reference`"
            ));
        }
    }
    nothing_to_mend(&found);
}

#[test]
fn every_error_code_and_every_metric_is_in_the_reference() {
    let errors = text(Path::new("docs/reference/errors.md")).unwrap();
    let metrics = text(Path::new("docs/reference/metrics.md")).unwrap();
    let alarms = text(Path::new("docs/guides/operate.md")).unwrap();
    let mut found = Vec::new();
    for code in Code::ALL {
        if !errors.contains(&format!("| `{code}` |")) {
            found.push(format!("docs/reference/errors.md: `{code}` is missing"));
        }
    }
    for (metric, _, _) in plimsoll_gateway::METRICS {
        if !metrics.contains(&format!("| `{metric}` |")) {
            found.push(format!("docs/reference/metrics.md: `{metric}` is missing"));
        }
        let exposed = metric.trim_end_matches("_total");
        if !alarms.contains(exposed) {
            found.push(format!(
                "docs/guides/operate.md: what does `{metric}` tell of?"
            ));
        }
    }
    nothing_to_mend(&found);
}

// Configuration.

/// An environment in which every variable is set to something of its own.
struct AllSet;

impl Environment for AllSet {
    fn var(&self, name: &str) -> Option<String> {
        (name != "ORT_DYLIB_PATH").then(|| format!("the-secret-in-{name}"))
    }
}

/// What stands in the way of serving the workspace in `root`.
fn problems(root: &Path) -> Option<String> {
    plimsoll_spec::load(root, &AllSet)
        .err()
        .map(|problems| problems.to_string())
}

#[test]
fn every_example_workspace_passes_the_check() {
    let workspaces = files();
    let workspaces = workspaces.iter().filter(|path| {
        path.file_name().is_some_and(|name| name == "plimsoll.toml") && path.starts_with("examples")
    });
    let mut found = Vec::new();
    let mut checked = 0;
    for path in workspaces {
        checked += 1;
        let folder = root().join(path.parent().unwrap());
        found.extend(problems(&folder).map(|text| format!("{}:\n{text}", path.display())));
    }
    assert!(checked >= 2, "the examples were not found");
    nothing_to_mend(&found);
}

/// The blocks of a page that name the file that they are: in the fence (`json systems/x/y.json`) or
/// in a first line that is a comment (`# plimsoll.toml`, `# systems/x/system.toml`).
fn named_blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let commented = body.first().and_then(|line| line.strip_prefix("# "));
        let is_file = |name: &&str| *name == "plimsoll.toml" || name.ends_with("/system.toml");
        let named = info.split_once(' ').map(|(_, name)| name);
        let named = named.or(commented.filter(|_| info == "toml").filter(is_file));
        if let Some(name) = named {
            blocks.push((name.to_owned(), body.join("\n") + "\n"));
        }
    }
    blocks
}

#[test]
fn every_workspace_in_the_documents_passes_the_check() {
    let mut found = Vec::new();
    let mut checked = 0;
    for path in with_extension("md") {
        let blocks = named_blocks(&text(&path).unwrap());
        if blocks.is_empty() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        write_workspace(folder.path(), &blocks);
        checked += 1;
        found.extend(problems(folder.path()).map(|text| format!("{}:\n{text}", path.display())));
    }
    assert!(checked >= 3, "the documents' workspaces were not found");
    nothing_to_mend(&found);
}

/// Writes what a page shows, and stand-ins for what no page can show: a model's file, a secret's.
fn write_workspace(folder: &Path, blocks: &[(String, String)]) {
    fs::write(folder.join("plimsoll.toml"), "").unwrap();
    for (name, body) in blocks {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        if body.contains("onnx = \"model.onnx\"") {
            fs::write(file.with_file_name("model.onnx"), "a model").unwrap();
        }
        let secret = folder.join("secret");
        fs::write(&secret, "the-secret-in-a-file").unwrap();
        let body = mounted_secrets(body, &secret);
        fs::write(file, body).unwrap();
    }
}

/// The same with every path under `/run/secrets` leading to `secret`.
fn mounted_secrets(body: &str, secret: &Path) -> String {
    let mut parts = body.split("\"/run/secrets/");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        text.push_str(&format!("\"{}\"", secret.display()));
        text.push_str(part.split_once('"').unwrap().1);
    }
    text
}
