//! The policies in force, as documents without a secret.

use plimsoll_core::Digest;
use plimsoll_spec::{Policy, Workspace};

use crate::folder::{Folder, loan};

const TOKEN: &str = "hunter2-hunter2-hunter2";
const KEY: &str = "swordfish-swordfish-swordfish";

fn folder() -> Folder {
    loan()
        .with("plimsoll.toml", "[storage]\npath = \"/data\"\n[storage.retention]\nage = \"400d\"\nregimes = [\"eu-ai-act-deployer\"]\n[storage.postgres]\nurl = { env = \"URL\" }\n[audit]\ncopy = \"/mnt/second\"\n[keys.web]\nsecret = { env = \"KEY\" }\nsystems = [\"loan-default\"]\n[operators.ann]\ntoken = { env = \"TOKEN\" }\nroles = [\"auditor\", \"operator\"]\n")
        .env("URL", "postgres://plimsoll:correct-horse@db/plimsoll")
        .env("KEY", KEY)
        .env("TOKEN", TOKEN)
}

fn policy(workspace: &Workspace, before: Option<&Workspace>, name: &str) -> Policy {
    let policies = workspace.policies(before);
    policies
        .into_iter()
        .find(|policy| policy.name == name)
        .unwrap()
}

#[test]
fn the_documents_say_what_holds() {
    let policies = folder().workspace().policies(None);
    let told: Vec<String> = policies
        .iter()
        .filter(|policy| policy.name != "regimes")
        .map(|policy| format!("{} {}", policy.name, policy.document))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    keys {"keys":{"web":{"criticality":"normal","systems":["loan-default"],"tenant":"default"}}}
    operators {"operators":{"ann":{"roles":["operator","auditor"]}}}
    retention {"age":"400d","bytes":null,"floors":{"payloads":null,"records":null},"payloads":null,"regimes":["eu-ai-act-deployer"],"regimes_version":"2026-11-20"}
    audit {"checkpoint":"10s","copy":"/mnt/second","enabled":true,"origin":"plimsoll.invalid/node-1"}
    access {"data_classes":{"loan-default":"unclassified"},"policies":{}}
    "#);
    for policy in &policies {
        let bytes = policy.document.to_string();
        assert_eq!(
            policy.digest,
            Digest::of(bytes.as_bytes()),
            "{}",
            policy.name
        );
    }
    let regimes = policies.iter().find(|policy| policy.name == "regimes");
    let regimes = &regimes.unwrap().document;
    let floor = &regimes["regimes"]["eu-ai-act-deployer"]["floors"]["records"];
    assert_eq!(floor["age"], "184d");
    assert_eq!(floor["from"], "2027-12-02T00:00:00.000000Z");
}

#[test]
fn nothing_in_a_document_is_made_from_a_secret() {
    let workspace = folder().workspace();
    let other = folder()
        .env("KEY", "another-key-of-some-length")
        .env("TOKEN", "another-token-of-some-length")
        .env("URL", "postgres://plimsoll:other@db/plimsoll")
        .workspace();
    assert_eq!(workspace.policies(None), other.policies(None));
    let told = format!("{:?} {:?}", workspace.policies(None), workspace);
    for secret in ["hunter2", "swordfish", "correct-horse"] {
        assert!(!told.contains(secret), "{secret}");
    }
}

#[test]
fn a_secret_that_was_changed_at_a_reload_is_told_by_name() {
    let before = folder().workspace();
    let after = folder()
        .env("KEY", "another-key-of-some-length")
        .workspace();
    let keys = policy(&after, Some(&before), "keys");
    assert_eq!(keys.document["rotated"], serde_json::json!(["web"]));
    let operators = policy(&after, Some(&before), "operators");
    assert_eq!(operators.document.get("rotated"), None);
    // What was told of once is no news at the next start.
    let kept = policy(&before, None, "keys").document;
    assert!(keys.is_news(Some(&kept)));
    assert!(!policy(&after, None, "keys").is_news(Some(&keys.document)));
    assert!(!operators.is_news(Some(&operators.document)));
    assert!(operators.is_news(None));
}
