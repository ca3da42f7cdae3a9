//! What differs between two releases, as people read it: changed thresholds value by value, changed
//! texts (prompts, schemas, rules) line by line, changed model files by size.

use plimsoll_core::{Digest, Manifest, ReleaseId};
use serde::Serialize;
use serde_json::Value;
use similar::TextDiff;

use crate::figures::bytes;
use crate::paint::Paint;
use crate::table::printable;

/// Lines shown around a changed one.
const CONTEXT: usize = 2;
/// Larger files are compared by size alone.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// A file with a zero byte so near its beginning is no text.
const SNIFFED: usize = 8 << 10;

/// All that differs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ReleaseDiff {
    /// The earlier release.
    pub from: ReleaseId,
    /// The later one.
    pub to: ReleaseId,
    /// What differs, in the order of the manifest.
    pub changes: Vec<Change>,
}

/// One thing that differs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Change {
    /// Where in the manifest: `deadline.total_ms`, `models.primary.file`.
    pub path: String,
    /// How.
    #[serde(flatten)]
    pub what: What,
}

/// How something differs.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum What {
    /// It was not there.
    Added {
        /// What it is now.
        to: Value,
    },
    /// It is no longer there.
    Removed {
        /// What it was.
        from: Value,
    },
    /// It has another value.
    Value {
        /// What it was.
        from: Value,
        /// What it is.
        to: Value,
    },
    /// It is a text with other lines.
    Lines {
        /// The changed lines with some around them, as a unified diff.
        unified: String,
    },
    /// It is a file that is no text, or whose bytes are no longer kept.
    File {
        /// What it was.
        from: Digest,
        /// Its size in bytes, if it is kept.
        from_bytes: Option<u64>,
        /// What it is.
        to: Digest,
        /// Its size in bytes, if it is kept.
        to_bytes: Option<u64>,
    },
}

/// Compares two manifests; `blob` gives the parts that they name, where those are kept.
pub fn diff(
    from: &Manifest,
    to: &Manifest,
    blob: &dyn Fn(Digest) -> Option<Vec<u8>>,
) -> ReleaseDiff {
    let mut walk = Walk {
        parts: from.blobs().into_iter().chain(to.blobs()).collect(),
        blob,
        changes: Vec::new(),
    };
    let value = |manifest| serde_json::to_value(manifest).unwrap_or_default();
    walk.compare(String::new(), &value(from), &value(to));
    ReleaseDiff {
        from: from.release_id(),
        to: to.release_id(),
        changes: walk.changes,
    }
}

struct Walk<'a> {
    parts: Vec<Digest>,
    blob: &'a dyn Fn(Digest) -> Option<Vec<u8>>,
    changes: Vec<Change>,
}

impl Walk<'_> {
    fn compare(&mut self, path: String, from: &Value, to: &Value) {
        if from == to {
            return;
        }
        let what = match (from, to) {
            (Value::Object(before), Value::Object(after)) => {
                return self.compare_objects(&path, before, after);
            }
            (Value::Null, to) => What::Added { to: to.clone() },
            (from, Value::Null) => What::Removed { from: from.clone() },
            (from, to) => self.differing(from, to),
        };
        self.changes.push(Change { path, what });
    }

    fn compare_objects(
        &mut self,
        path: &str,
        before: &serde_json::Map<String, Value>,
        after: &serde_json::Map<String, Value>,
    ) {
        let added = after.keys().filter(|key| !before.contains_key(*key));
        for key in before.keys().chain(added) {
            let inner = match path {
                "" => key.clone(),
                path => format!("{path}.{key}"),
            };
            let member = |of: &serde_json::Map<String, Value>| of.get(key).cloned();
            self.compare(
                inner,
                &member(before).unwrap_or_default(),
                &member(after).unwrap_or_default(),
            );
        }
    }

    fn differing(&self, from: &Value, to: &Value) -> What {
        if let (Some(from), Some(to)) = (self.part(from), self.part(to)) {
            return self.files(from, to);
        }
        match (from.as_str(), to.as_str()) {
            (Some(before), Some(after)) if before.contains('\n') || after.contains('\n') => {
                What::Lines {
                    unified: unified(before, after),
                }
            }
            _ => What::Value {
                from: from.clone(),
                to: to.clone(),
            },
        }
    }

    /// The part of a release that `value` names.
    fn part(&self, value: &Value) -> Option<Digest> {
        let digest = value.as_str()?.parse().ok()?;
        self.parts.contains(&digest).then_some(digest)
    }

    fn files(&self, from: Digest, to: Digest) -> What {
        let (before, after) = ((self.blob)(from), (self.blob)(to));
        if let (Some(before), Some(after)) = (before.as_deref(), after.as_deref())
            && let (Some(before), Some(after)) = (text(before), text(after))
        {
            return What::Lines {
                unified: unified(before, after),
            };
        }
        let size = |bytes: Option<Vec<u8>>| bytes.map(|bytes| bytes.len() as u64);
        What::File {
            from,
            from_bytes: size(before),
            to,
            to_bytes: size(after),
        }
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    let is_short = bytes.len() <= TEXT_BYTES_MAX;
    let has_zero = bytes.iter().take(SNIFFED).any(|byte| *byte == 0);
    (is_short && !has_zero)
        .then(|| std::str::from_utf8(bytes).ok())
        .flatten()
}

fn unified(from: &str, to: &str) -> String {
    TextDiff::from_lines(from, to)
        .unified_diff()
        .context_radius(CONTEXT)
        .missing_newline_hint(false)
        .to_string()
}

/// The differences, for people.
pub fn render(diff: &ReleaseDiff, paint: Paint) -> String {
    let (from, to) = (diff.from.short(), diff.to.short());
    if diff.changes.is_empty() {
        return format!("{from} and {to} behave alike\n");
    }
    let mut text = format!("{} → {}\n", paint.strong(from), paint.strong(to));
    for Change { path, what } in &diff.changes {
        let path = paint.strong(printable(path));
        let line = match what {
            What::Added { to } => format!("{path}  {}", paint.good(format!("+ {}", shown(to)))),
            What::Removed { from } => {
                format!("{path}  {}", paint.bad(format!("- {}", shown(from))))
            }
            What::Value { from, to } => format!("{path}  {} → {}", shown(from), shown(to)),
            What::File {
                from,
                from_bytes,
                to,
                to_bytes,
            } => format!(
                "{path}  {} → {}",
                file(*from, *from_bytes),
                file(*to, *to_bytes)
            ),
            What::Lines { unified } => format!("{path}\n{}", lines(unified, paint)),
        };
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

fn file(digest: Digest, size: Option<u64>) -> String {
    let size = size.map_or("no longer kept".to_owned(), bytes);
    format!("{} ({size})", digest.short())
}

fn lines(unified: &str, paint: Paint) -> String {
    let painted = |line: &str| {
        let shown = printable(line);
        match line.as_bytes().first() {
            Some(b'+') => paint.good(shown),
            Some(b'-') => paint.bad(shown),
            _ => paint.faint(shown),
        }
    };
    unified
        .lines()
        .map(|line| format!("    {}\n", painted(line)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bar::tests::manifest;

    fn kept(digest: Digest) -> Option<Vec<u8>> {
        let texts: [&[u8]; 4] = [
            b"Answer kindly.\nCite pages.\n",
            b"Answer briefly.\nCite pages.\n",
            b"\0one",
            b"\0three",
        ];
        let found = texts.into_iter().find(|text| Digest::of(text) == digest);
        found.map(<[u8]>::to_vec)
    }

    fn with_artifacts(prompt: &[u8], index: &[u8]) -> Manifest {
        let mut manifest = manifest();
        let named = [("prompt", prompt), ("index", index)];
        manifest.artifacts = named
            .into_iter()
            .map(|(name, bytes)| (name.to_owned(), Digest::of(bytes)))
            .collect();
        manifest
    }

    #[test]
    fn a_prompt_differs_line_by_line_a_threshold_by_value_and_a_model_by_size() {
        let before = with_artifacts(b"Answer kindly.\nCite pages.\n", b"\0one");
        let mut after = with_artifacts(b"Answer briefly.\nCite pages.\n", b"\0three");
        after.deadline.total_ms += 30;
        after.output.unsure = Some("confidence < 0.8".into());
        let found = diff(&before, &after, &kept);
        insta::assert_snapshot!(render(&found, Paint::Plain));
    }

    #[test]
    fn a_release_does_not_differ_from_itself() {
        let found = diff(&manifest(), &manifest(), &kept);
        assert_eq!(found.changes, []);
        assert!(render(&found, Paint::Plain).contains("behave alike"));
    }

    #[test]
    fn a_part_that_is_no_longer_kept_is_named_by_its_digest() {
        let before = with_artifacts(b"gone", b"\0one");
        let after = with_artifacts(b"Answer briefly.\nCite pages.\n", b"\0one");
        let text = render(&diff(&before, &after, &kept), Paint::Plain);
        assert!(text.contains("no longer kept"), "{text}");
    }
}
