//! Evals of a running server, from a set of cases to the bar's quality line.

use serde_json::{Value, json};

use crate::running::{Server, Workspace};

const SYSTEM: &str = "systems/refund-check/system.toml";

/// A case that the starter's model answers with `pay`, or that it is told to answer.
fn case(number: usize, decision: &str) -> Value {
    let input = json!({"order_amount": 80 + number, "refund_amount": 30, "days_since_order": 10, "reason": "damaged"});
    json!({"id": format!("c{number}"), "input": input, "expect": {"decision": decision}, "tags": ["small"]})
}

fn lines(cases: &[Value]) -> String {
    cases.iter().map(|case| format!("{case}\n")).collect()
}

/// A workspace with an eval set of so many cases that are answered as expected.
fn workspace(cases: usize) -> Workspace {
    let workspace = Workspace::predictor();
    std::fs::create_dir_all(workspace.path("systems/refund-check/evals")).unwrap();
    let all: Vec<Value> = (0..cases).map(|number| case(number, "pay")).collect();
    workspace.write("systems/refund-check/evals/golden.jsonl", &lines(&all));
    let mut text = std::fs::read_to_string(workspace.path(SYSTEM)).unwrap();
    text.push_str(
        "\n[quality]\ndataset = \"evals/golden.jsonl\"\ntarget = { right = \">= 0.9\" }\n",
    );
    text.push_str("[quality.scorers.right]\nexact = \"decision\"\n");
    workspace.write(SYSTEM, &text);
    workspace
}

fn eval<'w>(server: &'w Server, words: &[&'w str]) -> Vec<&'w str> {
    let words = [&["eval", "run", "refund-check"], words].concat();
    [&words[..], &["--url", &server.control]].concat()
}

fn figure<'r>(report: &'r Value, metric: &str) -> &'r Value {
    let figures = report["figures"].as_array().unwrap();
    figures
        .iter()
        .find(|figure| figure["metric"] == metric)
        .unwrap()
}

fn quality(workspace: &Workspace) -> Value {
    let report = workspace.json(1, &["bar", "refund-check"]);
    let all = report["characteristics"].as_array().unwrap().clone();
    all.into_iter()
        .find(|one| one["name"] == "quality")
        .unwrap()
}

#[test]
fn a_run_is_scored_recorded_and_moves_the_bar() {
    let workspace = workspace(60);
    let server = workspace.serve();
    assert!(quality(&workspace).to_string().contains("never run"));
    let (xml, html) = (workspace.path("out.xml"), workspace.path("out.html"));
    let files = [
        "--junit",
        xml.to_str().unwrap(),
        "--html",
        html.to_str().unwrap(),
    ];
    let report = workspace.json(0, &eval(&server, &files));
    assert_eq!(report["verdict"], "pass", "{report}");
    assert_eq!(figure(&report, "right")["value"], 1.0);
    assert_eq!(report["slices"][0]["of"], "small");
    assert!(
        std::fs::read_to_string(xml)
            .unwrap()
            .contains("tests=\"60\" failures=\"0\"")
    );
    assert!(std::fs::read_to_string(html).unwrap().contains("PASS"));
    let quality = quality(&workspace);
    let of_evals = &quality["checks"].as_array().unwrap()[..2];
    assert!(
        of_evals.iter().all(|check| check["met"] == true),
        "{quality}"
    );
    let listed = workspace.json(0, &["eval", "list"]);
    assert_eq!(
        (&listed[0]["id"], &listed[0]["actor"]),
        (&report["id"], &json!("ada"))
    );
    let shown = workspace.json(0, &["eval", "show", "latest"]);
    assert_eq!(shown["figures"], report["figures"]);
    // What evals ask counts in no figure and waits for nobody.
    assert_eq!(workspace.json(0, &["decisions"]), json!([]));
    assert_eq!(
        workspace
            .json(0, &["decisions", "--drills"])
            .as_array()
            .unwrap()
            .len(),
        50
    );
    server.stop();
}

#[test]
fn a_regression_exits_with_one_and_a_doubt_with_seven() {
    let workspace = workspace(60);
    let server = workspace.serve();
    let first = workspace.json(0, &eval(&server, &[]));
    let wrong: Vec<Value> = (0..60)
        .map(|number| case(number, if number % 2 == 0 { "refuse" } else { "pay" }))
        .collect();
    let other = workspace.write("other.jsonl", &lines(&wrong));
    let report = workspace.json(1, &eval(&server, &["--set", other.to_str().unwrap()]));
    assert_eq!(report["verdict"], "regressed");
    assert_eq!(report["failures"].as_array().unwrap().len(), 30);
    let few = workspace.json(7, &eval(&server, &["--limit", "5"]));
    assert_eq!(few["verdict"], "inconclusive");
    assert!(
        figure(&few, "right")["verdict"]["needs"].as_u64().unwrap() > 0,
        "{few}"
    );
    let (base, latest) = (first["id"].as_str().unwrap(), few["id"].as_str().unwrap());
    let compared = workspace.json(7, &["eval", "compare", base, latest]);
    assert_eq!(
        (&compared["common"], &compared["only_baseline"]),
        (&json!(5), &json!(55))
    );
    server.stop();
}

#[test]
fn an_interrupted_run_goes_on_and_a_repetition_is_never_another_one_told_again() {
    let workspace = workspace(30);
    let server = workspace.serve();
    let whole = workspace.json(0, &eval(&server, &["--repeat", "2"]));
    let id = whole["id"].as_str().unwrap();
    let path = workspace.path(&format!("data/evals/{id}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 62);
    // As a crash leaves it: some lines, and a part of one.
    let mut cut: String = text
        .lines()
        .take(21)
        .map(|line| format!("{line}\n"))
        .collect();
    cut.push_str("{\"case\":{\"cas");
    std::fs::write(&path, cut).unwrap();
    let again = workspace.json(0, &eval(&server, &["--repeat", "2"]));
    assert_eq!(
        (&again["id"], &again["answers"]),
        (&whole["id"], &json!(60))
    );
    let reused = workspace.json(0, &eval(&server, &["--repeat", "3", "--reuse"]));
    assert_eq!(
        (&reused["answers"], &reused["reused"]),
        (&json!(90), &json!(60))
    );
    let ids = |text: &str| -> std::collections::BTreeSet<String> {
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let decisions =
            lines.filter_map(|line| Some(line["case"]["answer"]["decision"].as_str()?.to_owned()));
        decisions.collect()
    };
    let id = reused["id"].as_str().unwrap();
    let text = std::fs::read_to_string(workspace.path(&format!("data/evals/{id}.jsonl")));
    assert_eq!(
        ids(&text.unwrap()).len(),
        90,
        "each answer is a decision of its own"
    );
    server.stop();
}

#[test]
fn a_set_that_cannot_be_used_is_refused_with_its_lines() {
    let workspace = workspace(3);
    let set = "systems/refund-check/evals/golden.jsonl";
    let bad = [
        case(1, "pay"),
        case(1, "pay"),
        json!({"id": "x"}),
        json!({"id": "y", "input": {}}),
    ];
    workspace.write(set, &lines(&bad));
    let told = workspace.expect(3, &["eval", "check", "refund-check"]);
    for place in [
        "golden.jsonl:2: the id `c1`",
        "golden.jsonl:3: case `x` has no `input`",
    ] {
        assert!(told.contains(place), "{told}");
    }
    workspace.write(set, &lines(&bad[3..]));
    let told = workspace.expect(3, &["eval", "check", "refund-check"]);
    assert!(
        told.contains("golden.jsonl:1: case `y` has no `expect.decision`"),
        "{told}"
    );
    workspace.write(set, "");
    assert!(
        workspace
            .expect(3, &["eval", "check", "refund-check"])
            .contains("no cases")
    );
}

#[test]
fn a_program_scores_and_its_nonsense_is_named() {
    let workspace = workspace(20);
    workspace.edit(
        SYSTEM,
        "exact = \"decision\"\n",
        "command = [\"sh\", \"score.sh\"]\npass = 0.5\n",
    );
    let script = "systems/refund-check/score.sh";
    workspace.write(
        script,
        "cat > /dev/null; echo '{\"score\": 0.75, \"note\": \"nearly\"}'\n",
    );
    let server = workspace.serve();
    let report = workspace.json(7, &eval(&server, &[]));
    assert_eq!(figure(&report, "right")["value"], 1.0, "{report}");
    workspace.write(script, "echo nonsense\n");
    let report = workspace.json(7, &eval(&server, &[]));
    assert_eq!(figure(&report, "right")["unscored"], 20);
    assert!(
        report["problems"][0].as_str().unwrap().contains("nonsense"),
        "{report}"
    );
    server.stop();
}
