//! The guards: detectors with their actions.

use plimsoll_core::manifest::{GuardAction, GuardSpec, Guards};
use plimsoll_guard::phrases::{PHRASE_BYTES_MAX, PHRASES_MAX};

use super::Resolver;
use crate::forms::view::View;

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
        phrases.sort();
        phrases.dedup();
        self.phrases_within_bounds(view, &phrases);
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

    fn phrases_within_bounds(&mut self, view: View<'_>, phrases: &[String]) {
        if phrases.len() > PHRASES_MAX {
            let message = format!(
                "there are {} phrases: the limit is {PHRASES_MAX}",
                phrases.len()
            );
            self.error(&view.at(), message, "keep those that matter most");
        }
        let too_long = |phrase: &&String| phrase.len() > PHRASE_BYTES_MAX;
        for phrase in phrases.iter().filter(too_long) {
            let begin: String = phrase.chars().take(30).collect();
            let message = format!(
                "the phrase `{begin}…` has {} bytes: the limit is {PHRASE_BYTES_MAX}",
                phrase.len()
            );
            self.error(&view.at(), message, "shorten it: its beginning is enough");
        }
    }
}
