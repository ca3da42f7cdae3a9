//! A running server, as its operators use it.

use std::io::Write as _;
use std::process::Stdio;

use plimsoll_core::Record;
use plimsoll_journal::Reader;
use serde_json::Value;

use crate::running::{Server, Workspace, eventually};

const ROWS: &str = "order_amount,refund_amount,days_since_order,reason\n80,30,40,damaged\n\
    800,300,40,other\nmany,30,40,late\n";

fn send(workspace: &Workspace, server: &Server) -> Value {
    let rows = workspace.write("rows.csv", ROWS);
    workspace.json(0, &["send", rows.to_str().unwrap(), "--url", &server.data])
}

/// A command that talks to the control plane of `server`.
fn operator(server: &Server, words: &[&str]) -> Vec<String> {
    let words = words.iter().map(|word| (*word).to_owned());
    words
        .chain(["--url".to_owned(), server.control.clone()])
        .collect()
}

fn json(workspace: &Workspace, server: &Server, code: i32, words: &[&str]) -> Value {
    let words = operator(server, words);
    workspace.json(code, &words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn projected(workspace: &Workspace, count: usize) -> Vec<Value> {
    eventually("the projection", || {
        let decisions = workspace.json(0, &["decisions", "--since", "1h"]);
        let decisions = decisions.as_array().unwrap().clone();
        (decisions.len() >= count).then_some(decisions)
    })
}

#[test]
fn from_request_to_evidence() {
    let workspace = Workspace::predictor();
    let server = workspace.serve();
    let sent = send(&workspace, &server);
    assert_eq!(sent["rows"], 3);
    assert_eq!(sent["outcomes"]["served"], 1);
    assert_eq!(sent["outcomes"]["pending"], 1);
    assert_eq!(sent["outcomes"]["refused"], 1);
    assert!(sent["call_p99_micros"].as_u64().unwrap() > 0);

    projected(&workspace, 3);
    let reviews = json(&workspace, &server, 0, &["review", "list"]);
    let id = reviews[0]["id"].as_str().unwrap();
    let decision = reviews[0]["decision"]["id"].as_str().unwrap();
    let told = workspace.expect(0, &["explain", decision]);
    assert!(
        told.contains("open: in review") && told.contains("unsure → review"),
        "{told}"
    );
    json_fails(
        &workspace,
        &server,
        1,
        &["review", "answer", id, r#"{"decision":"maybe"}"#],
    );
    let closed = json(
        &workspace,
        &server,
        0,
        &["review", "answer", id, r#"{"decision":"pay"}"#],
    );
    assert_eq!(closed["outcome"], "reviewed");
    json_fails(
        &workspace,
        &server,
        1,
        &["review", "answer", id, r#"{"decision":"pay"}"#],
    );

    let words = operator(&server, &["drill", "run", "refund-check"]);
    let table = workspace.expect(0, &words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(
        table.contains("review closed") && !table.contains("open"),
        "{table}"
    );
    let drills = json(&workspace, &server, 0, &["drill", "run", "refund-check"]);
    assert_eq!(drills.as_array().unwrap().len(), 8);
    assert!(
        drills
            .as_array()
            .unwrap()
            .iter()
            .all(|drill| drill["actor"] == "ada")
    );
    walk(&workspace, &server);
    eventually("the bar", || {
        let report = workspace.json(1, &["bar", "refund-check"]);
        let met = |name: &str| {
            let found = report["characteristics"]
                .as_array()
                .unwrap()
                .iter()
                .find(|c| c["name"] == name);
            found.unwrap()["met"] == true
        };
        (met("failure") && met("versions")).then_some(())
    });
    assert_eq!(server.stop().code(), Some(0));
    assert_eq!(
        projected(&workspace, 3).len(),
        3,
        "drills count in no list unless asked for"
    );
}

fn json_fails(workspace: &Workspace, server: &Server, code: i32, words: &[&str]) {
    let words = operator(server, words);
    workspace.expect(code, &words.iter().map(String::as_str).collect::<Vec<_>>());
}

fn walk(workspace: &Workspace, server: &Server) {
    let words = operator(server, &["runbook", "run", "refund-check", "--json"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut child = workspace
        .command(&words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"y\ny it was quick\ny\ny\n")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["passed"], true);
    assert_eq!(run["steps"][1]["note"], "it was quick");
}

#[test]
fn a_changed_workspace_is_served_and_a_bad_one_is_not() {
    let workspace = Workspace::predictor();
    let server = workspace.serve();
    let releases = || {
        workspace
            .json(0, &["release", "list"])
            .as_array()
            .unwrap()
            .clone()
    };
    let first = eventually("the first release", || releases().first().cloned());
    workspace.edit("systems/refund-check/system.toml", "0.75", "0.55");
    eventually("the second release", || {
        let releases = releases();
        (releases.len() == 2 && releases[0]["deployed"] == true).then_some(())
    });
    workspace.edit("systems/refund-check/system.toml", "stakes =", "steaks =");
    server.signal("-HUP");
    eventually("the rejection", || {
        server.ask("/readyz").contains("steaks").then_some(())
    });
    assert!(
        server.ask("/readyz").starts_with("HTTP/1.1 200"),
        "the old workspace serves"
    );
    assert!(server.ask("/metrics").contains("plimsoll_"));
    assert!(server.ask("/api/v1/systems").starts_with("HTTP/1.1 401"));
    assert_eq!(releases().len(), 2);
    let sent = send_despite_problems(&workspace, &server);
    assert_eq!(sent, 3);
    workspace.edit("systems/refund-check/system.toml", "steaks =", "stakes =");
    let id = first["id"].as_str().unwrap();
    let words = [
        "release",
        "deploy",
        "refund-check",
        &id[..12],
        "--reason",
        "it was better",
    ];
    let deployment = json(&workspace, &server, 0, &words);
    assert_eq!(deployment["release"], id);
    assert_eq!(deployment["actor"], "ada");
    assert_eq!(server.stop().code(), Some(0));
}

/// The old workspace goes on serving; the file is read as it was.
fn send_despite_problems(workspace: &Workspace, server: &Server) -> u64 {
    let other = Workspace::predictor();
    let rows = workspace.write("rows.csv", ROWS);
    let sent = other.json(0, &["send", rows.to_str().unwrap(), "--url", &server.data]);
    sent["rows"].as_u64().unwrap()
}

#[test]
fn what_is_refused_without_a_decision_is_recorded_counted_at_the_stop() {
    let workspace = Workspace::predictor();
    let server = workspace.serve();
    for _ in 0..3 {
        let answer = server.ask_as_caller("/v1/embeddings");
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    assert_eq!(server.stop().code(), Some(0));
    let records = Reader::open(&workspace.path("data"), 0).unwrap();
    let refused = records.filter_map(|record| match record.unwrap().1 {
        Record::Uncounted(aggregate) => Some(aggregate.count),
        _ => None,
    });
    assert_eq!(refused.sum::<u64>(), 3);
}

#[test]
fn one_data_folder_has_one_writer_and_one_port_one_listener() {
    let workspace = Workspace::predictor();
    let server = workspace.serve();
    let rows = workspace.write("rows.csv", ROWS);
    let out = workspace.path("out.jsonl");
    workspace.expect(5, &["serve"]);
    workspace.expect(5, &["batch", rows.to_str().unwrap(), out.to_str().unwrap()]);
    workspace.expect(5, &["store", "rebuild"]);
    let other = Workspace::predictor();
    let taken = server.data.trim_start_matches("http://");
    other.edit(
        "plimsoll.toml",
        "data_address = \"127.0.0.1:0\"",
        &format!("data_address = \"{taken}\""),
    );
    other.expect(6, &["serve"]);
    let taken = server.control.trim_start_matches("http://");
    other.edit(
        "plimsoll.toml",
        "control_address = \"127.0.0.1:0\"",
        &format!("control_address = \"{taken}\""),
    );
    other.expect(6, &["serve"]);
}

#[test]
fn after_a_kill_what_was_answered_is_there() {
    let workspace = Workspace::predictor();
    workspace.edit(
        "systems/refund-check/system.toml",
        "unit = ",
        "record = \"durable\"\nunit = ",
    );
    let server = workspace.serve();
    send(&workspace, &server);
    let at_once = workspace.json(0, &["decisions"]);
    assert_eq!(at_once.as_array().unwrap().len(), 3, "no reader sees a lag");
    server.kill();
    let server = workspace.serve();
    assert_eq!(projected(&workspace, 3).len(), 3);
    let reviews = json(&workspace, &server, 0, &["review", "list"]);
    assert_eq!(
        reviews.as_array().unwrap().len(),
        1,
        "the review outlives the node"
    );
    assert_eq!(server.stop().code(), Some(0));
}
