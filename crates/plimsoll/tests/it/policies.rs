//! Policies on attributes, from the file to the report of who read what.

use plimsoll_core::Record;
use plimsoll_journal::Reader;
use serde_json::{Value, json};

use crate::running::{Server, Workspace, eventually};

const POLICIES: &str = r#"
[operators.udo]
token = { file = "udo.token" }
roles = ["auditor"]
[policies.cases-only]
about = "Personal data is read for a case"
on = ["read"]
effect = "deny"
when = 'resource.data_class == "personal" && !purpose.startsWith("case ")'
[policies.frozen]
about = "Nothing is deployed here"
on = ["change"]
effect = "deny"
when = 'environment == "production"'
"#;

/// A workspace whose system answers with personal data, under those policies.
fn workspace() -> Workspace {
    let workspace = Workspace::predictor();
    let text = std::fs::read_to_string(workspace.path("plimsoll.toml")).unwrap();
    workspace.write("plimsoll.toml", &format!("{text}{POLICIES}"));
    workspace.write("udo.token", "token-of-udo-that-is-long-enough\n");
    let system = "systems/refund-check/system.toml";
    let text = std::fs::read_to_string(workspace.path(system)).unwrap();
    workspace.write(
        system,
        &format!("data_class = \"personal\"\npayloads = \"full\"\n{text}"),
    );
    workspace
}

fn decided(server: &Server) -> String {
    let row = json!({
        "order_amount": 80, "refund_amount": 30, "days_since_order": 40, "reason": "damaged",
    });
    let answer = server.post(
        "/v1/systems/refund-check/decisions",
        &json!({"inputs": [row]}),
    );
    let id = answer["decisions"][0]["decision"].as_str();
    id.unwrap_or_else(|| panic!("no decision: {answer}"))
        .to_owned()
}

#[test]
fn a_reading_is_decided_recorded_and_reported() {
    let workspace = workspace();
    let server = workspace.serve();
    let id = decided(&server);
    let explain = |purpose: &str, code: i32| {
        let words = ["explain", &id, "--payload", "--purpose", purpose];
        workspace.expect(code, &[&words[..], &["--url", &server.control]].concat())
    };
    eventually("the decision is in the database", || {
        workspace
            .run(&["explain", &id])
            .status
            .success()
            .then_some(())
    });
    let told = explain("curiosity", 1);
    assert!(
        told.contains("cases-only") && told.contains("curiosity"),
        "{told}"
    );
    assert!(!told.contains("refund_amount"), "{told}");
    assert!(explain("case 7", 0).contains("refund_amount"));

    // Changes are frozen; stopping something is not.
    let reload = ["release", "create", "refund-check", "--note", "x"];
    let told = workspace.expect(1, &[&reload[..], &["--url", &server.control]].concat());
    assert!(told.contains("`frozen`"), "{told}");
    let halt = ["system", "halt", "refund-check", "--reason", "it burns"];
    workspace.expect(0, &[&halt[..], &["--url", &server.control]].concat());

    let report = |words: &[&str]| {
        let report = workspace.json(0, &[&["audit", "access"], words].concat());
        report.as_array().unwrap().clone()
    };
    let (all, denied) = eventually("the report is whole", || {
        let all = report(&[]);
        (all.len() == 3).then(|| (all, report(&["--verdict", "denied"])))
    });
    let line = |entry: &Value| {
        let part = |name: &str| entry[name].as_str().unwrap_or("–").to_owned();
        ["actor", "action", "verdict", "purpose", "policy"]
            .map(part)
            .join(" ")
    };
    let lines: Vec<String> = all.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "ada make_release denied – frozen",
            "ada get_payload allowed case 7 –",
            "ada get_payload denied curiosity cases-only",
        ]
    );
    assert_eq!(denied.len(), 2);
    let table = workspace.expect(0, &["audit", "access"]);
    assert!(
        table.contains("denied by cases-only") && table.contains("case 7"),
        "{table}"
    );

    assert!(server.stop().success());
    the_same_is_decided_where_no_server_runs(&workspace, &id);
}

/// The command itself asks the policies, and records before it shows anything.
fn the_same_is_decided_where_no_server_runs(workspace: &Workspace, id: &str) {
    let told = workspace.expect(1, &["explain", id, "--payload", "--purpose", "curiosity"]);
    assert!(told.contains("cases-only"), "{told}");
    let shown = workspace.expect(0, &["explain", id, "--payload", "--purpose", "case 8"]);
    assert!(shown.contains("refund_amount"), "{shown}");
    let missing = workspace.run(&["explain", id, "--payload"]);
    assert_eq!(missing.status.code(), Some(2), "a purpose is asked for");
    let data = workspace.path("data");
    let refused = Reader::open(&data, 0).unwrap().filter_map(|record| {
        let Record::Refusal(refusal) = record.unwrap().1 else {
            return None;
        };
        Some(refusal)
    });
    let refused: Vec<_> = refused.collect();
    assert_eq!(refused.len(), 3);
    assert!(
        refused
            .iter()
            .all(|refusal| !refusal.judgement.findings.is_empty())
    );
    workspace.expect(0, &["audit", "verify"]);
}

#[test]
fn a_policy_can_be_tried_before_it_is_served() {
    let workspace = workspace();
    let explain =
        |code: i32, words: &[&str]| workspace.json(code, &[&["policy", "explain"], words].concat());
    let read = ["get_payload", "--as", "udo", "--system", "refund-check"];
    let denied = explain(1, &[&read[..], &["--purpose", "curiosity"]].concat());
    assert_eq!(denied["policy"], "cases-only");
    let attributes = &denied["findings"].as_array().unwrap().last().unwrap()["attributes"];
    assert_eq!(attributes["resource.data_class"], "personal");
    assert_eq!(attributes["purpose"], "curiosity");
    let allowed = explain(0, &[&read[..], &["--purpose", "case 7"]].concat());
    assert_eq!(allowed["because"], "no policy is against it");
    assert_eq!(explain(1, &read)["policy"], "plimsoll/purpose");
    // The role comes first.
    let deploy = ["deploy", "--as", "udo", "--environment", "staging"];
    let because = explain(1, &deploy)["because"].as_str().unwrap().to_owned();
    assert!(
        because.contains("takes one of the roles operator"),
        "{because}"
    );
    explain(0, &[&deploy[..], &["--role", "operator"]].concat());
    let own = [
        "approve", "--as", "ann", "--role", "approver", "--author", "ann",
    ];
    let own = [&own[..], &["--environment", "staging"]].concat();
    assert_eq!(explain(1, &own)["policy"], "plimsoll/not-the-author");
    let listed = workspace.expect(0, &["policy", "list"]);
    for name in ["plimsoll/purpose", "cases-only", "frozen", "step_in"] {
        assert!(listed.contains(name), "{listed}");
    }
}
