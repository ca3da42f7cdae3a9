//! The guards: detectors with their actions.

use plimsoll_core::manifest::{GuardAction, GuardSpec, Guards};

use super::Resolver;
use crate::forms::view::View;

/// The most phrases of one detector.
const PHRASES_MAX: usize = 100_000;

impl Resolver<'_> {
    pub(super) fn guards(&mut self, view: View<'_>) -> Guards {
        let mut side = |key: &str| {
            let detectors = view.table(key);
            self.phrases(detectors.table("phrases"))
                .into_iter()
                .collect()
        };
        Guards {
            input: side("input"),
            output: side("output"),
        }
    }

    fn phrases(&mut self, view: View<'_>) -> Option<GuardSpec> {
        if !view.exists() {
            return None;
        }
        let listed = view.texts("list").unwrap_or_default();
        let mut phrases: Vec<String> = listed
            .iter()
            .map(|found| found.value.trim().to_owned())
            .collect();
        if let Some(located) = self.locate(view, "file") {
            let source = self.files.text(&located.path, self.report);
            let lines = source.iter().flat_map(|source| source.text.lines());
            let lines = lines
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            phrases.extend(lines.map(str::to_owned));
        }
        if phrases.is_empty() && (view.key("file").is_none() || self.locate(view, "file").is_some())
        {
            self.error(
                &view.at(),
                "the detector `phrases` has no phrases",
                "list them in `list`, or one per line in a `file`",
            );
        }
        if phrases.len() > PHRASES_MAX {
            self.error(
                &view.at(),
                format!(
                    "there are {} phrases: the limit is {PHRASES_MAX}",
                    phrases.len()
                ),
                "",
            );
        }
        phrases.sort();
        phrases.dedup();
        let block = view.text("action")?.value == "block";
        let action = if block {
            GuardAction::Block
        } else {
            GuardAction::Flag
        };
        Some(GuardSpec {
            detector: "phrases".to_owned(),
            action,
            phrases,
        })
    }
}
