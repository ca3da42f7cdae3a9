//! A model begins to fail: the monitor sees it, people are told at real receivers, the system falls back, the
//! bar and the audit log know. And labels come from a file.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::running::{Server, Workspace, eventually};

/// What a receiver of the test was sent: path, headers in small letters, body.
pub(crate) struct Sent {
    pub(crate) path: String,
    pub(crate) headers: String,
    pub(crate) body: Value,
}

/// An HTTP server that takes what it is sent; the first `refusals` times it says that it cannot.
pub(crate) fn receiver(refusals: usize) -> (u16, Receiver<Sent>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let sent = read(stream.unwrap(), number >= refusals);
            if number >= refusals && sender.send(sent).is_err() {
                return;
            }
        }
    });
    (port, receiver)
}

fn read(mut stream: TcpStream, takes: bool) -> Sent {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let (mut headers, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        let line = line.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        headers.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer = if takes { "200 OK" } else { "503 Busy" };
    let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).unwrap();
    Sent {
        path: first.split(' ').nth(1).unwrap().to_owned(),
        headers,
        body: serde_json::from_slice(&body).unwrap(),
    }
}

const SYSTEM: &str = r#"
purpose = "Decide about loans in tests"
stakes = "low"
unit = "application"
owner = { team = "tests", contact = "tests@example.com", on_call = "slack:#tests" }

[models.primary]
http = "http://127.0.0.1:9/nobody-listens"

[models.rules]
rules = "rules.toml"

[input]
schema = "input.schema.json"

[retry]
attempts_max = 1

[on]
unavailable = ["rules"]

[monitors]
between_false_alarms = 1000
reference = "reference.json"
window = 200

[monitors.errors]
bar = 0.05
on_alarm = ["fall_back"]

[monitors.features]

[monitors.predictions]
"#;

const RULES: &str = "[default]\nanswer = { decision = \"approve\" }\n";
const SCHEMA: &str = r#"{"type": "object", "properties": {"amount": {"type": "number"}}}"#;

fn workspace(ports: [u16; 4]) -> Workspace {
    let [webhook, slack, pagerduty, alertmanager] = ports;
    let workspace = Workspace::empty();
    workspace.write(
        "slack.url",
        &format!("http://127.0.0.1:{slack}/services/T0/B0/x"),
    );
    workspace.write("signing", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    workspace.write("routing", "a-routing-key-of-the-tests");
    let server = format!(
        r#"
[server]
data_address = "127.0.0.1:0"
control_address = "127.0.0.1:0"
workers = 1

[alerts.ours]
webhook = "http://127.0.0.1:{webhook}/alerts"
secret = {{ file = "signing" }}
private = true

[alerts.chat]
slack = {{ file = "slack.url" }}
private = true

[alerts.wake]
pagerduty = {{ file = "routing" }}
url = "http://127.0.0.1:{pagerduty}/v2/enqueue"
least = "page"
private = true

[alerts.prometheus]
alertmanager = "http://127.0.0.1:{alertmanager}"
private = true
"#
    );
    workspace.write("plimsoll.toml", &server);
    workspace.write("systems/loan/system.toml", SYSTEM);
    workspace.write("systems/loan/rules.toml", RULES);
    workspace.write("systems/loan/input.schema.json", SCHEMA);
    let rows: String = (0..2_000)
        .map(|i| {
            let said = if i % 2 == 0 { "approve" } else { "refer" };
            format!("{},{said}\n", i % 100)
        })
        .collect();
    workspace.write("rows.csv", &format!("amount,answer.decision\n{rows}"));
    let out = workspace.path("systems/loan/reference.json");
    let rows = workspace.path("rows.csv");
    let made = workspace.json(
        0,
        &[
            "monitor",
            "reference",
            rows.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ],
    );
    assert_eq!(made["columns"], 2);
    assert!(made["bytes"].as_u64().unwrap() < 4_096);
    workspace
}

/// A command that talks to the control plane of `server`.
pub(crate) fn operator(workspace: &Workspace, server: &Server, code: i32, words: &[&str]) -> Value {
    workspace.json(code, &[words, &["--url", &server.control]].concat())
}

/// What arrives at each receiver.
struct Receivers {
    ours: Receiver<Sent>,
    wake: Receiver<Sent>,
    prometheus: Receiver<Sent>,
}

fn each_receiver_was_told(receivers: &Receivers) {
    let Receivers {
        ours,
        wake,
        prometheus,
    } = receivers;
    let event = ours.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(event.path, "/alerts");
    for header in [
        "webhook-id: msg_",
        "webhook-timestamp: ",
        "webhook-signature: v1,",
    ] {
        assert!(event.headers.contains(header), "{}", event.headers);
    }
    let mut events = vec![event];
    while !events
        .iter()
        .any(|one| one.body["data"]["alarm"]["monitor"] == "errors")
    {
        events.push(ours.recv_timeout(Duration::from_secs(60)).unwrap());
    }
    let errors = events
        .iter()
        .find(|one| one.body["data"]["alarm"]["monitor"] == "errors")
        .unwrap();
    let alarm = &errors.body["data"]["alarm"];
    assert_eq!(errors.body["type"], "alarm.raised");
    assert_eq!(alarm["severity"], "page");
    assert_eq!(alarm["owner"]["on_call"], "slack:#tests");
    assert_eq!(
        alarm["evidence"]["contributors"][0]["what"],
        "model_unreachable"
    );
    let text = errors.body.to_string();
    assert!(!text.contains("amount\":"), "no payload: {text}");
    let paged = wake.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(paged.path, "/v2/enqueue");
    assert_eq!(paged.body["dedup_key"], "plimsoll/production/loan/errors");
    let alert = prometheus.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(alert.path, "/api/v2/alerts");
    assert_eq!(alert.body[0]["labels"]["system"], "loan");
}

fn something_was_done(workspace: &Workspace, server: &Server) {
    // The drift of inputs and answers is an alarm too: all amounts lie outside of what was ever seen.
    let features = eventually("drift", || {
        let listed = operator(workspace, server, 0, &["alert", "list"]);
        let alarms = listed["alarms"].as_array().unwrap().clone();
        alarms
            .into_iter()
            .find(|alarm| alarm["monitor"] == "features")
    });
    let summary = features["summary"].as_str().unwrap();
    assert!(summary.contains("amount (range"), "{summary}");

    let standing = eventually("the fallback", || {
        let words = ["system", "list"];
        let standing = operator(workspace, server, 0, &words).to_string();
        standing.contains("fallback").then_some(standing)
    });
    assert!(standing.contains("monitor:errors"), "{standing}");
    let monitors = operator(workspace, server, 1, &["monitor", "list"]);
    assert_eq!(monitors.as_array().unwrap().len(), 4);
    operator(workspace, server, 1, &["monitor", "show", "loan", "errors"]);
    let bar = workspace.expect(1, &["bar", "loan"]);
    assert!(bar.contains("errors: alarm (page)"), "{bar}");
    eventually("the metric", || {
        let page = server.ask("/metrics");
        let line = r#"plimsoll_monitor_alarm{system="loan",monitor="errors"} 1"#;
        page.contains(line).then_some(())
    });

    let silence = [
        "alert", "silence", "--system", "loan", "--for", "1h", "--reason", "known",
    ];
    let silence = operator(workspace, server, 0, &silence);
    let listed = operator(workspace, server, 0, &["alert", "list"]);
    assert_eq!(listed["silences"][0]["id"], silence["id"]);
}

fn labels_are_brought(workspace: &Workspace, server: &Server, first: &str) {
    let rows = format!(
        "decision,value\n{first},repaid\n{first},default\n01J9ZC6T7R8Y3V5W1X2Q4K0M9N,1\nnope,1\n{first},NaN\n"
    );
    let rows = workspace.write("labels.csv", &rows);
    let import = [
        "label",
        "import",
        rows.to_str().unwrap(),
        "--name",
        "repaid",
    ];
    let told = operator(workspace, server, 1, &import);
    assert_eq!(
        (&told["states"], &told["refused"]),
        (
            &json!({"joined": 1, "corrected": 1, "waiting": 1}),
            &json!(2)
        )
    );
    let explained = eventually("the labels", || {
        let explained = workspace.expect(0, &["explain", first]);
        explained.contains("repaid = default").then_some(explained)
    });
    assert!(explained.contains("corrected since"), "{explained}");
}

#[test]
fn a_model_that_fails_is_seen_told_and_met_and_labels_come_from_files() {
    let (webhook, ours) = receiver(1);
    let (slack, chat) = receiver(0);
    let (pagerduty, wake) = receiver(0);
    let (alertmanager, prometheus) = receiver(0);
    let workspace = workspace([webhook, slack, pagerduty, alertmanager]);
    let server = workspace.serve();
    operator(&workspace, &server, 0, &["alert", "test", "chat"]);
    let test = chat.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(
        test.body["text"]
            .as_str()
            .unwrap()
            .contains("a test of this receiver")
    );

    let body = json!({"inputs": (0..250).map(|i| json!({"amount": 500 + i})).collect::<Vec<_>>()});
    let decided = server.post("/v1/systems/loan/decisions", &body);
    let first = decided["decisions"][0]["decision"]
        .as_str()
        .unwrap()
        .to_owned();
    let receivers = Receivers {
        ours,
        wake,
        prometheus,
    };
    each_receiver_was_told(&receivers);
    something_was_done(&workspace, &server);
    labels_are_brought(&workspace, &server, &first);
    server.stop();
    // What the monitors know survives, and the log holds all of it.
    let kept = std::fs::read_to_string(workspace.path("data/monitors.json")).unwrap();
    assert!(kept.contains("\"state\":\"alarm\""), "{kept}");
    workspace.expect(0, &["audit", "verify"]);
}
