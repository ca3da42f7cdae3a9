//! Judged decisions become a set: with their provenance, without what was erased, and evals read it.

use serde_json::{Value, json};

use crate::running::{Server, Workspace, eventually};

const SYSTEM: &str = "systems/refund-check/system.toml";

/// A workspace that keeps what is asked, with an exact scorer.
fn workspace() -> Workspace {
    let workspace = Workspace::predictor();
    workspace.edit(
        SYSTEM,
        "unit = \"refund\"",
        "payloads = \"full\"\nunit = \"refund\"",
    );
    let text = std::fs::read_to_string(workspace.path(SYSTEM)).unwrap();
    let scorers = "\n[quality]\ntarget = { right = \">= 0.5\" }\ndataset = \"golden.jsonl\"\n[quality.scorers.right]\nexact = \"decision\"\n";
    workspace.write(SYSTEM, &(text + scorers));
    let case = json!({"id": "a", "input": input(1), "expect": {"decision": "pay"}});
    workspace.write("systems/refund-check/golden.jsonl", &format!("{case}\n"));
    workspace
}

fn input(number: usize) -> Value {
    json!({"order_amount": 80 + number, "refund_amount": 30, "days_since_order": 10, "reason": "damaged"})
}

fn operator(workspace: &Workspace, server: &Server, code: i32, args: &[&str]) -> Value {
    workspace.json(code, &[args, &["--url", &server.control]].concat())
}

/// Eight decisions that are answered with `pay`, the last asking what the first asked.
fn decided(server: &Server) -> Vec<String> {
    let inputs: Vec<Value> = [0, 1, 2, 3, 4, 5, 6, 0].map(input).to_vec();
    let body = json!({"inputs": inputs});
    let told = server.post("/v1/systems/refund-check/decisions", &body);
    let decisions = told["decisions"].as_array().unwrap();
    let id = |one: &Value| one["decision"].as_str().unwrap().to_owned();
    decisions.iter().map(id).collect()
}

/// Six of them are labelled, two of those as `refuse`.
fn labelled(workspace: &Workspace, server: &Server, decisions: &[String]) {
    let truths = ["pay", "refuse", "pay", "refuse", "pay"];
    let mut rows = "decision,value\n".to_owned();
    for (decision, truth) in decisions.iter().zip(truths) {
        rows.push_str(&format!("{decision},{truth}\n"));
    }
    rows.push_str(&format!("{},pay\n", decisions[7]));
    let rows = workspace.write("labels.csv", &rows);
    let words = [
        "label",
        "import",
        rows.to_str().unwrap(),
        "--name",
        "decision",
    ];
    operator(workspace, server, 0, &words);
    eventually("the labels", || {
        let listed = workspace.json(0, &["label", "list", "--system", "refund-check"]);
        (listed.as_array()?.len() == 6).then_some(())
    });
}

fn export<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = [
        "dataset",
        "export",
        "refund-check",
        "--purpose",
        "retraining",
        "--out",
        out,
    ];
    [&words[..], more].concat()
}

fn cases(path: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn labelled_decisions_become_a_set_that_evals_read_and_what_was_erased_is_in_none() {
    let workspace = workspace();
    let server = workspace.serve();
    let decisions = decided(&server);
    labelled(&workspace, &server, &decisions);
    let erase = [
        "audit",
        "erase",
        "--decision",
        &decisions[2],
        "--basis",
        "GDPR Art. 17",
    ];
    operator(&workspace, &server, 0, &erase);

    let out = workspace.path("learnt.jsonl");
    let out_text = out.to_str().unwrap();
    let told = operator(&workspace, &server, 0, &export(out_text, &[]));
    assert_eq!(
        told["counts"],
        json!({"decisions": 6, "cases": 4, "erased": 1, "let_go": 0, "not_kept": 0, "without_truth": 0,
            "agreeing": 0, "duplicates": 1, "contradicted": 0}),
    );
    let lines = cases(&out);
    // Of two that ask the same the later stands.
    let ids: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["id"].as_str())
        .collect();
    assert_eq!(
        ids,
        [1, 3, 4, 7].map(|index: usize| decisions[index].as_str())
    );
    assert_eq!(lines[0]["expect"], json!({"decision": "refuse"}));
    assert_eq!(lines[0]["tags"], json!(["disagreeing", "labelled"]));
    assert_eq!(lines[0]["source"]["labels"][0]["through"], "operator");
    assert_eq!(lines[2]["input"], input(4));
    let beside = std::fs::read(workspace.path("learnt.jsonl.provenance.json")).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&beside).unwrap(),
        told["export"]
    );

    // Reading is recorded with its purpose, and so is the export.
    let read = workspace.json(0, &["audit", "access", "--decision", &decisions[1]]);
    assert_eq!(
        (&read[0]["purpose"], &read[0]["through"]),
        (&json!("retraining"), &json!("export"))
    );
    let listed = workspace.json(0, &["dataset", "list", "refund-check"]);
    assert_eq!(listed[0], told["export"]);
    assert_eq!(listed[0]["actor"], "ada");

    // Evals read it as it is: the answers are `pay`, half of the truths are.
    let run = ["eval", "run", "refund-check", "--set", out_text];
    let report = operator(&workspace, &server, 7, &run);
    assert_eq!(report["digest"], told["export"]["digest"], "{report}");
    let told_again = workspace.expect(2, &export(out_text, &["--url", &server.control]));
    assert!(
        told_again.contains("nothing is overwritten"),
        "{told_again}"
    );
    other_ways(&workspace, &server, &told["export"]["digest"], &decisions);
    server.stop();

    // Without a server the command records by itself.
    let csv = workspace.path("later.csv");
    let told = workspace.json(
        0,
        &export(csv.to_str().unwrap(), &["--only", "disagreeing"]),
    );
    assert_eq!(
        (&told["counts"]["cases"], &told["counts"]["agreeing"]),
        (&json!(2), &json!(3))
    );
    workspace.expect(0, &["audit", "verify"]);
}

/// Other forms, samples and filters.
fn other_ways(workspace: &Workspace, server: &Server, version: &Value, decisions: &[String]) {
    let folder = workspace.path("sets");
    std::fs::create_dir(&folder).unwrap();
    let into = folder.to_str().unwrap();
    for form in ["csv", "parquet"] {
        let told = operator(workspace, server, 0, &export(into, &["--format", form]));
        assert_eq!(&told["export"]["digest"], version, "{form}");
        let file = told["file"].as_str().unwrap();
        let name = format!("refund-check-{}.{form}", &version.as_str().unwrap()[..12]);
        assert!(file.ends_with(&name), "{file}");
        let check = workspace.json(0, &["eval", "check", "refund-check", "--set", file]);
        assert_eq!((&check["cases"], &check["digest"]), (&json!(4), version));
    }
    let told = |more: &[&str]| {
        let words = export(into, more);
        operator(workspace, server, 0, &words)["export"]["digest"].clone()
    };
    assert_eq!(told(&["--limit", "2"]), told(&["--limit", "2"]));
    assert_ne!(told(&["--limit", "2", "--seed", "5"]), *version);
    for nothing in [
        ["--only", "reviewed"],
        ["--until", "1d"],
        ["--label", "another"],
    ] {
        let told = operator(workspace, server, 1, &export(into, &nothing));
        assert_eq!(
            (&told["file"], &told["counts"]["decisions"]),
            (&Value::Null, &json!(0))
        );
    }
    // Nobody has read what was in no export.
    let unread = workspace.json(0, &["audit", "access", "--decision", &decisions[5]]);
    assert_eq!(unread, json!([]));
}
