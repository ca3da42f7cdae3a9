//! A node measures quality by itself: evals on schedule, scorers on a sample; and what alarms bring about.

use std::time::Duration;

use serde_json::{Value, json};

use crate::running::{Server, Workspace, eventually};
use crate::watching::{operator, receiver};

const SYSTEM: &str = "systems/refund-check/system.toml";
const RULES: &str = "systems/refund-check/rules.toml";

fn case(number: usize) -> Value {
    json!({"id": format!("c{number}"), "input": input(number), "expect": {"decision": "pay"}})
}

fn input(number: usize) -> Value {
    json!({"order_amount": 80 + number, "refund_amount": 30, "days_since_order": 10, "reason": "damaged"})
}

/// A workspace whose system also says this, and whose node has these receivers.
fn workspace(system: &str, receivers: &str) -> Workspace {
    let workspace = Workspace::predictor();
    let cases: String = (0..40)
        .map(|number| format!("{}\n", case(number)))
        .collect();
    workspace.write("systems/refund-check/golden.jsonl", &cases);
    workspace.write("signing", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let text = std::fs::read_to_string(workspace.path(SYSTEM)).unwrap();
    workspace.write(SYSTEM, &(text + system));
    let text = std::fs::read_to_string(workspace.path("plimsoll.toml")).unwrap();
    workspace.write("plimsoll.toml", &(text + receivers));
    workspace
}

fn on_schedule(on_alarm: &str) -> String {
    format!(
        "\n[quality]\ndataset = \"golden.jsonl\"\nevery = \"1h\"\ntarget = {{ right = \">= 0.8\" }}\n\
         [quality.scorers.right]\nexact = \"decision\"\n\
         [monitors]\nretrain = \"trainer\"\n[monitors.evals]\non_alarm = {on_alarm}\n"
    )
}

fn trainer(port: u16) -> String {
    format!(
        "\n[alerts.trainer]\nwebhook = \"http://127.0.0.1:{port}/retrain\"\nsecret = {{ file = \"signing\" }}\n\
         private = true\nsystems = []\n"
    )
}

fn stable(workspace: &Workspace, server: &Server) -> Value {
    let systems = operator(workspace, server, 0, &["system", "list"]);
    systems[0]["release"].clone()
}

/// The first run of the schedule that asked this release.
fn scheduled(workspace: &Workspace, release: &Value) -> Value {
    eventually("the run on schedule", || {
        let listed = workspace.json(0, &["eval", "list"]);
        let mut runs = listed.as_array()?.iter();
        runs.find(|run| run["release"] == *release && run["actor"] == "schedule")
            .cloned()
    })
}

fn evals_alarm(workspace: &Workspace, server: &Server) -> Value {
    eventually("the alarm of the evals", || {
        let listed = operator(workspace, server, 0, &["alert", "list"]);
        let mut alarms = listed["alarms"].as_array()?.iter();
        alarms.find(|alarm| alarm["monitor"] == "evals").cloned()
    })
}

/// The rules answer everything with `refer`: another release, and a worse one.
fn make_it_worse(workspace: &Workspace) {
    let rules = std::fs::read_to_string(workspace.path(RULES)).unwrap();
    workspace.write(
        RULES,
        &rules.replace("decision = \"pay\"", "decision = \"refer\""),
    );
}

#[test]
fn each_release_is_asked_by_itself_and_one_that_regressed_goes_back_and_tells_who_trains() {
    let (port, told) = receiver(0);
    let workspace = workspace(&on_schedule("[\"roll_back\", \"retrain\"]"), &trainer(port));
    let server = workspace.serve();
    let first = stable(&workspace, &server);
    let run = scheduled(&workspace, &first);
    assert_eq!(
        (&run["verdict"], &run["cases"]),
        (&json!("pass"), &json!(40))
    );
    let bar = workspace.expect(1, &["bar", "refund-check"]);
    assert!(bar.contains("next in "), "{bar}");

    make_it_worse(&workspace);
    let alarm = evals_alarm(&workspace, &server);
    let summary = alarm["summary"].as_str().unwrap();
    assert!(summary.contains("REGRESSED: right 0.000"), "{summary}");
    assert_ne!(alarm["release"], first);
    eventually("the way back", || {
        (stable(&workspace, &server) == first).then_some(())
    });
    let request = told.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(
        (request.path.as_str(), &request.body["type"]),
        ("/retrain", &json!("retrain.requested"))
    );
    assert!(
        request.headers.contains("webhook-signature: v1,"),
        "{}",
        request.headers
    );
    let data = &request.body["data"];
    assert_eq!(
        (&data["release"], &data["monitor"]),
        (&alarm["release"], &json!("evals"))
    );
    assert_eq!(data["dataset"], Value::Null, "none was taken out");
    // What stands now has passed, so the alarm is over.
    eventually("the end", || {
        let listed = operator(&workspace, &server, 0, &["alert", "list"]);
        let mut alarms = listed["alarms"].as_array()?.iter();
        alarms.find(|alarm| alarm["change"] == "cleared").map(drop)
    });
    server.stop();
    workspace.expect(0, &["audit", "verify"]);
}

#[test]
fn an_alarm_that_holds_deployments_back_does_so_over_a_restart_and_until_it_is_over() {
    let (port, _told) = receiver(0);
    let workspace = workspace(&on_schedule("[\"hold\"]"), &trainer(port));
    let server = workspace.serve();
    let first = stable(&workspace, &server);
    scheduled(&workspace, &first);
    make_it_worse(&workspace);
    evals_alarm(&workspace, &server);
    let worse = stable(&workspace, &server);
    assert_ne!(worse, first);
    let deploy = ["release", "deploy", "refund-check", first.as_str().unwrap()];
    let told = workspace.expect(1, &[&deploy[..], &["--url", &server.control]].concat());
    assert!(told.contains("held back: alarm"), "{told}");
    server.stop();
    // Files deploy nothing either, also when the node starts with them.
    let rules = std::fs::read_to_string(workspace.path(RULES)).unwrap();
    workspace.write(RULES, &rules.replace("0.95", "0.94"));
    let server = workspace.serve();
    assert_eq!(stable(&workspace, &server), worse);
    // The way back is open, and what it leads to has passed.
    let back = [
        "release",
        "rollback",
        "refund-check",
        "--reason",
        "it is worse",
    ];
    operator(&workspace, &server, 0, &back);
    assert_eq!(stable(&workspace, &server), first);
    eventually("the end of the hold", || {
        let worse = worse.as_str().unwrap();
        let deploy = [
            "release",
            "deploy",
            "refund-check",
            worse,
            "--url",
            &server.control,
        ];
        (workspace.run(&deploy).status.code() == Some(0)).then_some(())
    });
    server.stop();
}

#[test]
fn a_sample_of_production_is_scored_and_what_cannot_be_scored_is_an_alarm_too() {
    let system = "\n[quality]\nsample = 1.0\ntarget = { helpful = \">= 0.9\" }\n\
        [quality.scorers.helpful]\ncommand = [\"sh\", \"score.sh\"]\npass = 0.5\n\
        [monitors]\nbetween_false_alarms = 1000\n[monitors.scores]\non_alarm = [\"raise_sampling\"]\n";
    let workspace = workspace(system, "");
    let script = "systems/refund-check/score.sh";
    workspace.write(
        script,
        "cat > /dev/null; echo '{\"score\": 0.1, \"note\": \"of no help\"}'\n",
    );
    let server = workspace.serve();
    let ask = |count: usize| {
        let inputs: Vec<Value> = (0..count).map(input).collect();
        server.post(
            "/v1/systems/refund-check/decisions",
            &json!({"inputs": inputs}),
        );
    };
    // The first decisions come before the node samples.
    eventually("the alarm", || {
        ask(3);
        let listed = operator(&workspace, &server, 0, &["alert", "list"]);
        let mut alarms = listed["alarms"].as_array()?.iter();
        alarms
            .find(|alarm| alarm["monitor"] == "scores")
            .inspect(|alarm| {
                assert_eq!(alarm["evidence"]["contributors"][0]["what"], "helpful");
                assert_eq!(alarm["actions"], json!(["raise_sampling"]));
            })
            .map(drop)
    });
    workspace.write(script, "echo nonsense\n");
    eventually("the alarm of what is not measured", || {
        ask(3);
        let listed = operator(&workspace, &server, 0, &["alert", "list"]);
        let mut alarms = listed["alarms"].as_array()?.iter();
        alarms
            .find(|alarm| alarm["monitor"] == "measuring")
            .filter(|alarm| alarm["summary"].to_string().contains("could not be scored"))
            .map(drop)
    });
    server.stop();
}

#[test]
fn an_alarm_halts_and_is_escalated_also_when_the_node_was_started_again_meanwhile() {
    let (port, told) = receiver(0);
    let receivers = format!(
        "\n[alerts.manager]\nwebhook = \"http://127.0.0.1:{port}/late\"\nsecret = {{ file = \"signing\" }}\n\
         private = true\nafter = \"8s\"\n"
    );
    let system = "\n[monitors]\nbetween_false_alarms = 1000\n[monitors.refusals]\nbar = 0.05\non_alarm = [\"halt\"]\n";
    let workspace = workspace(system, &receivers);
    let server = workspace.serve();
    let silence = ["alert", "silence", "--for", "1h", "--reason", "a test"];
    let silence = operator(&workspace, &server, 0, &silence);
    let unsilence = ["alert", "unsilence", silence["id"].as_str().unwrap()];
    operator(&workspace, &server, 0, &unsilence);
    let listed = operator(&workspace, &server, 0, &["alert", "list"]);
    assert_eq!(listed["silences"], json!([]));
    let inputs = vec![json!({"order_amount": "no number"}); 200];
    server.post(
        "/v1/systems/refund-check/decisions",
        &json!({"inputs": inputs}),
    );
    eventually("the halt", || {
        let standing = operator(&workspace, &server, 0, &["system", "list"]).to_string();
        standing.contains("monitor:refusals").then_some(())
    });
    assert!(
        told.try_recv().is_err(),
        "only what stands for long is escalated"
    );
    server.kill();
    let server = workspace.serve();
    let late = told.recv_timeout(Duration::from_secs(40)).unwrap();
    assert_eq!(
        (late.path.as_str(), &late.body["type"]),
        ("/late", &json!("alarm.raised"))
    );
    assert_eq!(late.body["data"]["alarm"]["monitor"], "refusals");
    server.stop();
}

#[test]
fn an_alarm_asks_a_person_who_answers_it_like_any_review() {
    let system = "\n[monitors]\nbetween_false_alarms = 1000\n[monitors.refusals]\nbar = 0.05\non_alarm = [\"review\"]\n";
    let workspace = workspace(system, "");
    let server = workspace.serve();
    let inputs = vec![json!({"order_amount": "no number"}); 200];
    server.post(
        "/v1/systems/refund-check/decisions",
        &json!({"inputs": inputs}),
    );
    let review = eventually("the review", || {
        let listed = operator(
            &workspace,
            &server,
            0,
            &["review", "list", "--queue", "refunds"],
        );
        listed.as_array()?.first().cloned()
    });
    assert_eq!(review["decision"]["path"][0]["code"], "monitor_alarm");
    let id = review["id"].as_str().unwrap();
    let shown = operator(&workspace, &server, 0, &["review", "show", id]);
    let input = &shown["input"];
    assert_eq!(input["monitor"], "refusals");
    assert!(
        input["evidence"]["n"].as_u64().unwrap() > 0 && input["evidence"]["interval"].is_array()
    );
    let examples = input["evidence"]["examples"].as_array().unwrap();
    assert!(!examples.is_empty() && input["owner"].is_object());
    assert!(
        !input.to_string().contains("no number"),
        "no payload: {input}"
    );
    let log = eventually("the record of what was done", || {
        let explained = workspace.expect(0, &["explain", shown["decision"]["id"].as_str()?]);
        explained.contains("monitor_alarm").then_some(explained)
    });
    assert!(log.contains("refund-check"), "{log}");
    // What is said of an alarm is no answer of the system: any JSON will do, and it closes the review.
    let answer = [
        "review",
        "answer",
        id,
        "\"a broken form\"",
        "--note",
        "told the branch",
    ];
    let closed = operator(&workspace, &server, 0, &answer);
    assert_eq!(
        (&closed["outcome"], &closed["alarm"]),
        (&json!("reviewed"), &input["alarm"])
    );
    // Nobody outside asked it: no figure of production counts it.
    let decisions = eventually("the projection", || {
        let decisions = workspace.json(0, &["decisions", "--since", "1h"]);
        let decisions = decisions.as_array()?.clone();
        (decisions.len() >= 20).then_some(decisions)
    });
    assert!(decisions.iter().all(|one| one["id"] != closed["id"]));
    server.stop();
    workspace.expect(0, &["audit", "verify"]);
}
