//! What leaves: links, addresses, calls of tools.

use std::collections::BTreeMap;

use plimsoll_guard::links::Links;
use plimsoll_guard::tools::{Effect, Taint, Tool, Tools};
use plimsoll_guard::url_policy::UrlPolicy;
use serde_json::Value;

use crate::rows::{Folder, Share, text};

fn texts(row: &Value, key: &str) -> Vec<String> {
    let items = row[key].as_array().unwrap().iter();
    items
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

pub(crate) fn print(folder: &Folder) {
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    for row in folder.rows("exfil_output.jsonl") {
        let found = Links::new(texts(&row, "allowed_hosts"))
            .find(text(&row, "text"))
            .unwrap();
        let is_benign = text(&row, "label") == "benign";
        let name = format!("links · {} with a finding", text(&row, "label"));
        if shares.entry(name).or_default().count(!found.is_empty()) == is_benign {
            folder.miss(
                &format!("{} {found:?}", text(&row, "variant")),
                text(&row, "text"),
            );
        }
    }
    for (name, share) in shares {
        share.print(&name);
    }
    let mut share = Share::default();
    for row in folder.rows("url_policy.jsonl") {
        let policy = UrlPolicy {
            schemes: texts(&row, "allow_schemes"),
            hosts: Some(texts(&row, "allow_hosts")),
            ports: Vec::new(),
        };
        let judged = policy.judge(text(&row, "url"));
        if !share.count(judged.is_ok() == (text(&row, "label") == "allow")) {
            folder.miss(&format!("{judged:?}"), text(&row, "url"));
        }
    }
    share.print("url policy");
    let mut share = Share::default();
    for row in folder.rows("toolcalls.jsonl") {
        let tools = texts(&row, "tools_allowed")
            .iter()
            .fold(Tools::new(), |tools, name| {
                tools.with(name, Tool::new(&row["schema"], Effect::None).unwrap())
            });
        let call = &row["call"];
        let judged = tools.judge(text(call, "name"), &call["arguments"], Taint::default());
        if !share.count(judged.is_ok() == (text(&row, "label") == "valid")) {
            folder.miss(&format!("{judged:?}"), &call.to_string());
        }
    }
    share.print("tool calls");
}
