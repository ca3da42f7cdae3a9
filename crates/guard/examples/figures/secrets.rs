//! Secrets: what is found of labelled ones, and what of texts without any.

use std::collections::BTreeMap;

use plimsoll_guard::secrets::Secrets;

use crate::rows::{Folder, Share, text};

pub(crate) fn print(folder: &Folder) {
    let secrets = Secrets::shipped();
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    let mut recall = Share::default();
    for row in folder.rows("secrets.jsonl") {
        let said = text(&row, "text");
        let found = secrets.find(said).unwrap();
        let is_secret = text(&row, "label") == "secret";
        let name = format!(
            "secrets · {} · {}",
            text(&row, "source"),
            text(&row, "label")
        );
        let held = shares.entry(name).or_default().count(!found.is_empty());
        if is_secret {
            recall.count(held);
        }
        if held != is_secret {
            let rules: Vec<_> = found.iter().map(|one| one.rule.to_string()).collect();
            folder.miss(
                &format!("{} {} {rules:?}", text(&row, "rule"), text(&row, "label")),
                said,
            );
        }
    }
    recall.print("secrets · recall");
    for (name, share) in shares {
        share.print(&name);
    }
    let mut benign = Share::default();
    for row in folder.rows("prompts.jsonl") {
        if text(&row, "label") == "benign" {
            let found = secrets.find(text(&row, "text")).unwrap();
            if benign.count(!found.is_empty()) {
                folder.miss(
                    &format!("benign {}", found[0].rule),
                    &text(&row, "text")[found[0].span.clone()],
                );
            }
        }
    }
    benign.print("secrets · benign prompts with a finding");
}
