//! Tenants and keys of a running server: given, rotated, revoked, and never to be found on the disk.

use std::path::Path;

use plimsoll_core::Record;
use plimsoll_journal::Reader;
use serde_json::Value;

use crate::running::{Server, Workspace};

const MODELS: &str = "/v1/models";

fn operate(workspace: &Workspace, server: &Server, code: i32, words: &[&str]) -> Value {
    let words = [words, &["--url", &server.control]].concat();
    workspace.json(code, &words)
}

/// The words of a command that is refused.
fn refused(workspace: &Workspace, server: &Server, words: &[&str]) -> String {
    workspace.expect(1, &[words, &["--url", &server.control]].concat())
}

fn status(server: &Server, key: Option<&str>) -> u16 {
    let header = key.map(|key| format!("authorization: Bearer {key}\r\n"));
    let answer = server.ask_with(MODELS, &header.unwrap_or_default());
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn secret(given: &Value) -> String {
    given["secret"].as_str().unwrap().to_owned()
}

/// Whether any file under `folder` holds `text`.
fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, text);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    })
}

#[test]
fn a_key_is_shown_once_lets_in_is_rotated_and_revoked() {
    let workspace = Workspace::predictor();
    let server = workspace.serve();
    let does = |words: &[&str]| operate(&workspace, &server, 0, words);
    assert_eq!(status(&server, None), 200);

    let unknown = ["key", "create", "web", "--tenant", "acme", "--all-systems"];
    let said = refused(&workspace, &server, &unknown);
    assert!(said.contains("tenant_not_found"), "{said}");
    does(&["tenant", "create", "acme", "--note", "the first customer"]);
    let given = does(&[
        "key",
        "create",
        "web",
        "--tenant",
        "acme",
        "--system",
        "refund-check",
    ]);
    let first = secret(&given);
    assert!(first.starts_with("plim_live_"), "{first}");
    assert_eq!(status(&server, Some(&first)), 200);
    // From the first key on, nobody is let in without one.
    assert_eq!(status(&server, None), 401);
    assert_eq!(status(&server, Some("plim_live_other")), 401);

    let second = secret(&does(&["key", "rotate", "web", "--tenant", "acme"]));
    assert_eq!(status(&server, Some(&first)), 200);
    assert_eq!(status(&server, Some(&second)), 200);
    let listed = does(&["key", "list", "--tenant", "acme"]);
    assert_eq!(listed[0]["state"], "rotating");
    assert_eq!(listed[0]["secrets"].as_array().unwrap().len(), 2);
    let third = secret(&does(&[
        "key",
        "rotate",
        "web",
        "--tenant",
        "acme",
        "--overlap",
        "0s",
    ]));
    let good = [&first, &second, &third].map(|secret| status(&server, Some(secret)));
    assert_eq!(good, [401, 401, 200]);

    let revoke = [
        "key",
        "revoke",
        "web",
        "--tenant",
        "acme",
        "--reason",
        "it leaked",
    ];
    assert_eq!(does(&revoke)["state"], "revoked");
    assert_eq!(status(&server, Some(&third)), 401);
    let again = refused(&workspace, &server, &revoke);
    assert!(again.contains("key_refused"), "{again}");
    is_taken(&workspace, &server, "web");
    assert_eq!(status(&server, None), 401);

    assert_eq!(server.stop().code(), Some(0));
    let data = workspace.path("data");
    for secret in [&first, &second, &third] {
        assert!(!holds(&data, secret), "a secret is on the disk");
    }
    assert_eq!(
        changes(&data),
        [
            "tenant acme ada",
            "created ada",
            "rotated ada",
            "rotated ada",
            "revoked ada"
        ]
    );
}

/// Nobody gets the name of a key again.
fn is_taken(workspace: &Workspace, server: &Server, name: &str) {
    let same = ["key", "create", name, "--tenant", "acme", "--all-systems"];
    let said = refused(workspace, server, &same);
    assert!(said.contains("choose another name"), "{said}");
}

/// What the journal tells of tenants and keys, and by whom.
fn changes(data: &Path) -> Vec<String> {
    let told = |record: Record| match record {
        Record::Tenant(event) => Some(format!("tenant {} {}", event.tenant, event.actor)),
        Record::Key(event) => {
            let change = serde_json::to_value(event.change).unwrap();
            Some(format!("{} {}", change.as_str().unwrap(), event.actor))
        }
        _ => None,
    };
    let reader = Reader::open(data, 0).unwrap();
    reader
        .filter_map(|record| told(record.unwrap().1))
        .collect()
}

#[test]
fn keys_hold_over_a_restart_also_when_the_view_of_them_is_lost() {
    let workspace = Workspace::predictor();
    let server = workspace.serve();
    let does = |words: &[&str]| operate(&workspace, &server, 0, words);
    let good = secret(&does(&["key", "create", "web", "--all-systems"]));
    let lost = secret(&does(&["key", "create", "lost", "--all-systems"]));
    does(&["key", "revoke", "lost", "--reason", "it leaked"]);
    server.kill();
    let data = workspace.path("data");
    // What the journal says is enough, and so is what the file says.
    std::fs::remove_file(data.join("keyring.json")).unwrap();
    for database in ["plimsoll.db", "plimsoll.db-wal", "plimsoll.db-shm"] {
        std::fs::remove_file(data.join(database)).ok();
    }
    let server = workspace.serve();
    let let_in = [Some(&*good), Some(&*lost), None].map(|key| status(&server, key));
    assert_eq!(let_in, [200, 401, 401]);
    assert!(data.join("keyring.json").exists());
}

#[test]
fn a_key_with_roles_acts_on_the_control_plane_for_its_tenant_alone() {
    let workspace = Workspace::predictor();
    let server = workspace.serve();
    let does = |words: &[&str]| operate(&workspace, &server, 0, words);
    does(&["tenant", "create", "acme"]);
    let create = ["key", "create", "ci", "--tenant", "acme"];
    let given = does(&[&create[..], &["--role", "tenant_admin"]].concat());
    let file = workspace.write("ci.token", &secret(&given));
    let as_key = |code: i32, words: &[&str]| {
        let token = [
            "--token-file",
            file.to_str().unwrap(),
            "--url",
            &server.control,
        ];
        workspace.expect(code, &[words, &token].concat())
    };
    let web = ["key", "create", "web", "--all-systems", "--tenant"];
    let made = as_key(0, &[&web[..], &["acme"]].concat());
    assert!(made.starts_with("plim_live_"), "{made}");
    for words in [
        &[&web[..], &["default"]].concat()[..],
        &["tenant", "create", "globex"],
        &["system", "halt", "refund-check", "--reason", "mine"],
    ] {
        let said = as_key(1, words);
        assert!(said.contains("tenant_forbidden"), "{words:?}: {said}");
    }
    does(&[
        "key", "revoke", "ci", "--tenant", "acme", "--reason", "gone",
    ]);
    let said = as_key(4, &["key", "list"]);
    assert!(said.contains("unauthenticated"), "{said}");
}

/// A database that several nodes might share, were anybody there.
const AWAY: &str = "[storage.postgres]\nurl = { file = \"url.txt\" }\n";

/// A workspace with a pepper of its own, and its settings.
fn peppered() -> (Workspace, String) {
    let workspace = Workspace::predictor();
    workspace.write("pepper.txt", &"p".repeat(32));
    workspace.write("url.txt", "postgres://nobody:nothing@127.0.0.1:1/none");
    let pepper = "[storage]\npepper = { file = \"pepper.txt\" }\n";
    workspace.edit("plimsoll.toml", "[storage]\n", pepper);
    let settings = std::fs::read_to_string(workspace.path("plimsoll.toml")).unwrap();
    (workspace, settings)
}

#[test]
fn a_database_that_is_away_at_a_start_locks_nobody_out() {
    let (workspace, settings) = peppered();
    let server = workspace.serve();
    let does = |words: &[&str]| operate(&workspace, &server, 0, words);
    let good = secret(&does(&["key", "create", "web", "--all-systems"]));
    let lost = secret(&does(&["key", "create", "lost", "--all-systems"]));
    does(&["key", "revoke", "lost", "--reason", "it leaked"]);
    assert_eq!(server.stop().code(), Some(0));

    workspace.write("plimsoll.toml", &format!("{settings}\n{AWAY}"));
    std::fs::remove_file(workspace.path("data/keyring.json")).unwrap();
    for start in 0..2 {
        let server = workspace.serve();
        let let_in = [&good, &lost].map(|key| status(&server, Some(key)));
        assert_eq!(let_in, [200, 401], "start {start}");
        // Giving and revoking need the journal and nothing else.
        let does = |words: &[&str]| operate(&workspace, &server, 0, words);
        let name = format!("during-{start}");
        let given = secret(&does(&["key", "create", &name, "--all-systems"]));
        assert_eq!(status(&server, Some(&given)), 200);
        does(&["key", "revoke", &name, "--reason", "a trial"]);
        assert_eq!(status(&server, Some(&given)), 401);
        server.kill();
    }
}

#[test]
fn a_node_that_does_not_know_what_stands_does_not_start_without_the_database() {
    let (workspace, settings) = peppered();
    workspace.write("plimsoll.toml", &format!("{settings}\n{AWAY}"));
    let said = workspace.expect(5, &["serve"]);
    assert!(said.contains("does not say what stands"), "{said}");
}
