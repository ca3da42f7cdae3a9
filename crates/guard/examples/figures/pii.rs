//! Personal data: cases per recogniser, spans of sentences, texts without any.

use std::collections::BTreeMap;

use plimsoll_guard::finding::{Detector, Direction};
use plimsoll_guard::pii::Pii;

use crate::rows::{Folder, Share, text};

/// Recognisers that need a model of language, or are no recognisers.
const OUT_OF_REACH: [&str; 4] = ["pattern", "spacy", "stanza", "transformers"];

pub(crate) fn print(folder: &Folder) {
    let pii = Pii::new();
    let (mut all, mut reach) = (Share::default(), Share::default());
    for row in folder.rows("pii_checksum_cases.jsonl") {
        let said = text(&row, "text");
        let recogniser = text(&row, "recognizer");
        let rule = match recogniser {
            "us_bank" => "pii/us-bank-number".to_owned(),
            other => format!("pii/{}", other.replace('_', "-")),
        };
        let found = pii.find(said);
        let count = found.iter().filter(|one| one.rule.as_str() == rule).count();
        let count = if recogniser == "url" {
            said.matches("://").count()
        } else {
            count
        };
        let held = row["expected_count"] == count;
        all.count(held);
        if !OUT_OF_REACH.contains(&recogniser) && !reach.count(held) {
            folder.miss(
                &format!(
                    "{recogniser} expected {} found {count}",
                    row["expected_count"]
                ),
                said,
            );
        }
    }
    reach.print("pii · cases by form (links are a rule of their own)");
    all.print("pii · with names and dates in words, which need a model");
    sentences(folder, &pii);
}

fn sentences(folder: &Folder, pii: &Pii) {
    let mut kinds: BTreeMap<String, Share> = BTreeMap::new();
    for row in folder.rows("pii_sentences.jsonl") {
        let said = text(&row, "text");
        let found = pii.detect(said, Direction::Input).unwrap();
        for span in row["spans"].as_array().unwrap() {
            let at = |key: &str| {
                let count = span[key].as_u64().unwrap() as usize;
                said.char_indices()
                    .nth(count)
                    .map_or(said.len(), |(at, _)| at)
            };
            let (start, end) = (at("start"), at("end"));
            let held = found
                .iter()
                .any(|one| one.span.start < end && start < one.span.end);
            kinds
                .entry(text(span, "type").to_owned())
                .or_default()
                .count(held);
        }
    }
    for (name, share) in kinds {
        share.print(&format!("pii · spans of sentences · {name}"));
    }
    let mut benign = Share::default();
    for row in folder.rows("prompts.jsonl") {
        if text(&row, "label") == "benign" {
            benign.count(
                !pii.detect(text(&row, "text"), Direction::Input)
                    .unwrap()
                    .is_empty(),
            );
        }
    }
    benign.print("pii · benign prompts with a finding");
}
