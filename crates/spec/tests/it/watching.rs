//! What is watched, and who is told.

use std::time::Duration;

use plimsoll_core::monitor::{Action, MonitorsSpec, Severity, Watched};
use plimsoll_spec::{REFERENCE_ARTIFACT, ReceiverKind};

use crate::folder::{Folder, LOAN_SYSTEM, loan};

fn watching(monitors: &str) -> Folder {
    let system = format!("{LOAN_SYSTEM}\n{monitors}\n");
    loan().with("systems/loan-default/system.toml", &system)
}

fn spec(folder: &Folder) -> Option<MonitorsSpec> {
    let workspace = folder.workspace();
    workspace.folders.into_values().next().unwrap().monitors
}

fn told(alerts: &str) -> Folder {
    loan()
        .with("plimsoll.toml", alerts)
        .env("SIGNING", "a-secret-of-some-length")
        .env("SLACK", "https://hooks.slack.com/services/T0/B0/x")
}

#[test]
fn monitors_are_read_with_what_holds_by_default() {
    assert_eq!(spec(&loan()), None);
    let folder = watching(
        "[monitors]\nsilent_after = \"2h\"\n[monitors.errors]\nbar = 0.02\non_alarm = [\"fall_back\"]\n[monitors.latency]\nseverity = \"ticket\"",
    );
    let spec = spec(&folder).unwrap();
    assert_eq!((spec.between_false_alarms, spec.window), (100_000, 1_000));
    assert_eq!(spec.silent_after, Some(Duration::from_hours(2)));
    let errors = &spec.monitors[&Watched::Errors];
    assert_eq!(errors.severity, Severity::Page);
    assert_eq!(errors.on_alarm, [Action::FallBack]);
    assert_eq!(spec.monitors[&Watched::Latency].severity, Severity::Ticket);
    assert_eq!(spec.monitors.len(), 2);
}

#[test]
fn a_reference_is_part_of_the_release_and_what_it_is_for_needs_it() {
    let with = watching("[monitors]\nreference = \"reference.json\"\n[monitors.features]")
        .with("systems/loan-default/reference.json", "{\"columns\": []}");
    let workspace = with.workspace();
    let system = workspace.systems.values().next().unwrap();
    let digest = system.manifest.artifacts[REFERENCE_ARTIFACT];
    assert_eq!(
        workspace.blob(digest).unwrap().as_ref(),
        b"{\"columns\": []}"
    );
    let without = watching("[monitors.predictions]").told();
    assert!(without.contains("needs a `reference`"), "{without}");
    let gone = watching("[monitors]\nreference = \"gone.json\"\n[monitors.features]").told();
    assert!(gone.contains("gone.json"), "{gone}");
}

#[test]
fn a_schedule_and_a_sample_are_watched_without_being_named() {
    let quality = "[quality]\ndataset = \"golden.jsonl\"\nevery = \"6h\"\nsample = 0.1\nbudget_per_day = \"2 USD\"\n\
         [quality.scorers.quick]\nlatency = \"1s\"\n";
    let folder = watching(quality).with("systems/loan-default/golden.jsonl", "{}");
    let workspace = folder.workspace();
    let system = workspace.systems.values().next().unwrap();
    let spec = system.quality.as_ref().unwrap();
    assert_eq!((spec.concurrency, spec.sample), (2, Some(0.1)));
    assert_eq!(spec.budget_per_day.unwrap().to_string(), "2");
    let monitors = workspace.folders.values().next().unwrap().monitors.as_ref();
    let watched: Vec<Watched> = monitors.unwrap().monitors.keys().copied().collect();
    assert_eq!(watched, [Watched::Evals, Watched::Scores]);
    let named = watching(&format!("{quality}[monitors.evals]\nseverity = \"ticket\"\non_alarm = [\"hold\", \"raise_sampling\"]"))
        .with("systems/loan-default/golden.jsonl", "{}");
    let evals = &self::spec(&named).unwrap().monitors[&Watched::Evals];
    assert_eq!(evals.severity, Severity::Ticket);
    assert_eq!(evals.on_alarm, [Action::Hold, Action::RaiseSampling]);
}

#[test]
fn what_cannot_be_watched_is_named() {
    for (monitors, says) in [
        ("[monitors]", "watches nothing"),
        ("[monitors.truth]", "label"),
        ("[monitors.error]", "errors"),
        ("[monitors.errors]\nbar = 0.0", "between 0 and 1"),
        ("[monitors.errors]\nbar = 1.5", "bar"),
        ("[monitors.errors]\non_alarm = [\"panic\"]", "fall_back"),
        ("[monitors.latency]\nbar = 0.1", "bar"),
        ("[monitors.evals]", "needs a `dataset` and `every`"),
        ("[monitors.scores]", "needs a `sample`"),
        (
            "[monitors.errors]\non_alarm = [\"raise_sampling\"]",
            "no answers are sampled",
        ),
        ("[monitors.realised_error]", "label"),
        ("[monitors.estimated_error]\nbar = 1.0", "between 0 and 1"),
        (
            "[monitors.errors]\non_alarm = [\"retrain\"]",
            "tells nobody",
        ),
        (
            "[monitors]\nretrain = \"trainer\"\n[monitors.errors]\non_alarm = [\"retrain\"]",
            "`trainer` is no webhook",
        ),
        (
            "[quality]\nsample = 0.1\n[quality.scorers.right]\nexact = \"decision\"",
            "`sample` scores nothing",
        ),
        (
            "[monitors]\nbetween_false_alarms = 5\n[monitors.errors]",
            "1000",
        ),
    ] {
        let problems = watching(monitors).told();
        assert!(problems.contains(says), "{monitors}: {problems}");
    }
}

#[test]
fn an_alarm_asks_a_person_only_where_there_is_a_queue() {
    let reviewed = watching("[monitors.errors]\non_alarm = [\"review\"]");
    let spec = spec(&reviewed).unwrap();
    assert_eq!(spec.monitors[&Watched::Errors].on_alarm, [Action::Review]);
    let system =
        "[models.primary]\nrules = \"rules.toml\"\n[monitors.errors]\non_alarm = [\"review\"]\n";
    let alone = Folder::new()
        .with("systems/alone/system.toml", system)
        .told();
    assert!(alone.contains("`review` asks nobody"), "{alone}");
}

#[test]
fn receivers_are_read_by_what_they_are() {
    let folder = told(
        r#"
[alerts.ours]
webhook = "https://example.com/alerts"
secret = { env = "SIGNING" }
systems = ["loan-default"]
after = "30m"

[alerts.chat]
slack = { env = "SLACK" }
least = "warning"

[alerts.wake]
pagerduty = { env = "SIGNING" }

[alerts.near]
alertmanager = "http://127.0.0.1:9093/"
private = true
"#,
    );
    let workspace = folder.workspace();
    let [ours, chat, wake, near] = workspace.receivers.as_slice() else {
        panic!("four receivers")
    };
    assert_eq!(ours.after, Duration::from_mins(30));
    let loan = workspace.systems.keys().next().unwrap();
    assert!(ours.wants(loan, Severity::Ticket));
    assert!(!chat.wants(loan, Severity::Ticket) && chat.wants(loan, Severity::Page));
    assert!(matches!(wake.kind, ReceiverKind::Pagerduty { .. }));
    assert_eq!(wake.kind.url(), "https://events.pagerduty.com/v2/enqueue");
    assert_eq!(near.kind.url(), "http://127.0.0.1:9093/api/v2/alerts");
    let shown = format!("{:?}", workspace.receivers);
    assert!(
        !shown.contains("hooks.slack.com") && !shown.contains("some-length"),
        "{shown}"
    );
}

#[test]
fn a_receiver_that_cannot_be_meant_is_named() {
    for (alerts, says) in [
        (
            "[alerts.x]\nwebhook = \"http://10.0.0.1/x\"\nsecret = { env = \"SIGNING\" }",
            "private network",
        ),
        (
            "[alerts.x]\nalertmanager = \"http://localhost:9093\"",
            "private = true",
        ),
        ("[alerts.x]\nwebhook = \"https://example.com\"", "secret"),
        (
            "[alerts.x]\nslack = { env = \"SLACK\" }\nsystems = [\"loan\"]",
            "loan",
        ),
        ("[alerts.x]\nleast = \"page\"", "webhook"),
        (
            "[alerts.x]\npagerduty = { env = \"SIGNING\" }\nurl = \"http://example.com\"",
            "plain HTTP",
        ),
    ] {
        let problems = told(alerts).told();
        assert!(problems.contains(says), "{alerts}: {problems}");
    }
}
