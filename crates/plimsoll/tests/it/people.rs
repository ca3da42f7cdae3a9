//! People who sign in to a running server: over HTTP, over a restart, and never a password on the disk.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::running::{Server, Workspace};

/// What the control plane answers: status, the cookie that it sets, and the body.
fn ask(
    server: &Server,
    method: &str,
    path: &str,
    headers: &str,
    body: &Value,
) -> (u16, String, Value) {
    let address = server.control.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let cookie = head
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .map(|cookie| cookie.split(';').next().unwrap().to_owned());
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    (status, cookie.unwrap_or_default(), body)
}

fn sign_in(server: &Server, user: &str, password: &str) -> (u16, String, Value) {
    let body = json!({"user": user, "password": password});
    let headers = "content-type: application/json\r\n";
    ask(server, "POST", "/api/v1/session", headers, &body)
}

fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, text));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let holds = bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes());
        if holds {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn somebody_signs_in_acts_and_is_known_after_a_restart() {
    let workspace = Workspace::predictor();
    let server = workspace.serve();
    let does = |server: &Server, words: &[&str]| {
        workspace.json(0, &[words, &["--url", &server.control]].concat())
    };
    let made = does(&server, &["user", "create", "ursula", "--role", "operator"]);
    let password = made["password"].as_str().unwrap().to_owned();
    assert_eq!(password.len(), 24);

    let (status, cookie, session) = sign_in(&server, "ursula", &password);
    assert_eq!(status, 200, "{session}");
    let csrf = session["csrf"].as_str().unwrap();
    let headers = format!("cookie: {cookie}\r\nplimsoll-csrf: {csrf}\r\n");
    let halt = "/api/v1/systems/refund-check/halt";
    let reason = json!({"reason": "it burns"});
    let (status, _, halted) = ask(&server, "POST", halt, &headers, &reason);
    assert_eq!(
        (status, &halted["actor"]),
        (200, &json!("ursula")),
        "{halted}"
    );
    let without = format!("cookie: {cookie}\r\n");
    let (status, _, refused) = ask(&server, "POST", halt, &without, &reason);
    assert_eq!(
        (status, &refused["error"]["code"]),
        (403, &json!("csrf_failed"))
    );
    assert_eq!(sign_in(&server, "ursula", "another horse battery").0, 401);
    assert!(server.stop().success());

    let data = workspace.path("data");
    assert_eq!(files_with(&data, &password), Vec::<String>::new());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let kept = std::fs::metadata(data.join("people.json")).unwrap();
        assert_eq!(kept.permissions().mode() & 0o777, 0o600);
    }

    let server = workspace.serve();
    let (status, _, _) = ask(&server, "GET", "/api/v1/session", &without, &Value::Null);
    assert_eq!(status, 401, "a restart ends every session");
    assert_eq!(sign_in(&server, "ursula", &password).0, 200);
    let file = workspace.write("password", "a much better password\n");
    let words = ["user", "password", "ursula", "--password-file"];
    does(&server, &[&words[..], &[file.to_str().unwrap()]].concat());
    assert_eq!(sign_in(&server, "ursula", &password).0, 401);
    assert_eq!(sign_in(&server, "ursula", "a much better password").0, 200);
    does(&server, &["user", "disable", "ursula"]);
    assert_eq!(sign_in(&server, "ursula", "a much better password").0, 401);
    let listed = does(&server, &["user", "list"]);
    assert_eq!(listed[0]["state"], "disabled");
    assert!(server.stop().success());
    workspace.expect(0, &["audit", "verify"]);
}
