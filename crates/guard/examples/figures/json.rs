//! JSON: the parser suite, repair to the exact value, the official JSON Schema suite.

use std::collections::BTreeMap;

use plimsoll_guard::frame::FrameLimits;
use plimsoll_guard::repair::{check, repair};
use serde_json::Value;

use crate::rows::{Folder, Share, text};

pub(crate) fn print(folder: &Folder) {
    let limits = FrameLimits::default();
    let mut strict = Share::default();
    for row in folder.rows("jsontestsuite.jsonl") {
        let bytes = base64(text(&row, "b64"));
        let passed = check(&bytes, &limits);
        let held = match text(&row, "expect") {
            "accept" => passed.is_ok() || text(&row, "name").contains("duplicated"),
            "reject" => passed.is_err(),
            _ => continue,
        };
        if !strict.count(held) {
            folder.miss(text(&row, "name"), &format!("{passed:?}"));
        }
    }
    strict.print("json · parser cases (a duplicate key is refused)");
    let mut all = Share::default();
    let mut kinds: BTreeMap<String, Share> = BTreeMap::new();
    for row in folder.rows("json_repair.jsonl") {
        let repaired = repair(text(&row, "broken").as_bytes(), &limits);
        let held = repaired
            .as_ref()
            .is_ok_and(|repaired| repaired.value == row["truth"]);
        all.count(held);
        if !kinds
            .entry(text(&row, "mutation").to_owned())
            .or_default()
            .count(held)
        {
            folder.miss(&format!("{repaired:?}"), text(&row, "broken"));
        }
    }
    all.print("json · repaired to the exact value");
    for (name, share) in kinds {
        share.print(&format!("json · repaired · {name}"));
    }
    schemas(folder);
}

fn schemas(folder: &Folder) {
    let Some(remotes) = folder.text("jsonschema_remotes.json") else {
        return;
    };
    let remotes: Vec<Value> = serde_json::from_str(&remotes).unwrap();
    let registry = |draft: jsonschema::Draft, folder: &str| {
        let is_ours = |path: &str| {
            let of = path.split('/').next().unwrap_or_default();
            of == folder || !(of.starts_with("draft") || of == "v1")
        };
        let ours = remotes
            .iter()
            .filter(|remote| is_ours(text(remote, "path")));
        let pairs = ours.map(|remote| {
            let uri = format!("http://localhost:1234/{}", text(remote, "path"));
            (uri, remote["json"].clone())
        });
        let registry = jsonschema::Registry::new().draft(draft);
        registry.extend(pairs).unwrap().prepare().unwrap()
    };
    let seven = registry(jsonschema::Draft::Draft7, "draft7");
    let latest = registry(jsonschema::Draft::Draft202012, "draft2020-12");
    let mut drafts: BTreeMap<String, Share> = BTreeMap::new();
    for row in folder.rows("jsonschema.jsonl") {
        let (draft, registry) = match text(&row, "draft") {
            "draft7" => (jsonschema::Draft::Draft7, &seven),
            _ => (jsonschema::Draft::Draft202012, &latest),
        };
        let options = jsonschema::options().with_draft(draft);
        let held = match options.with_registry(registry).build(&row["schema"]) {
            Ok(validator) => Value::Bool(validator.is_valid(&row["data"])) == row["valid"],
            Err(error) => {
                folder.miss("schema", &error.to_string());
                false
            }
        };
        let is_optional = text(&row, "file").starts_with("optional/");
        let part = if is_optional { "optional" } else { "required" };
        let name = format!("{} · {part}", text(&row, "draft"));
        if !drafts.entry(name).or_default().count(held) {
            folder.miss(text(&row, "file"), text(&row, "test"));
        }
    }
    for (name, share) in drafts {
        share.print(&format!("json schema · {name}"));
    }
}

fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    let digits: Vec<u8> = text.bytes().filter(|&byte| byte != b'=').collect();
    for group in digits.chunks(4) {
        let sum = group.iter().enumerate().fold(0, |sum, (place, &byte)| {
            sum | value(byte) << (18 - 6 * place)
        });
        let whole = [(sum >> 16) as u8, (sum >> 8) as u8, sum as u8];
        bytes.extend_from_slice(&whole[..group.len() * 6 / 8]);
    }
    bytes
}
