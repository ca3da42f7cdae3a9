//! Operators, their roles and tokens, and who must approve a release.

use std::time::Duration;

use plimsoll_spec::{ApprovalRule, OnControlLoss, Role};

use crate::folder::{Folder, LOAN_SYSTEM, loan};

const TOKEN: &str = "hunter2-hunter2-hunter2";

fn with_approvals(release: &str) -> Folder {
    let system = format!("{LOAN_SYSTEM}\n[release]\n{release}\n");
    loan().with("systems/loan-default/system.toml", &system)
}

fn rule(folder: &Folder) -> ApprovalRule {
    let workspace = folder.workspace();
    workspace.folders.into_values().next().unwrap().approvals
}

#[test]
fn operators_are_read_with_their_roles() {
    let folder = loan()
        .with("ann.token", &format!("{TOKEN}\n"))
        .with("plimsoll.toml", "[operators.ann]\ntoken = { file = \"ann.token\" }\nroles = [\"operator\", \"reviewer\"]\n[operators.ci]\ntoken = { env = \"CI\" }\nroles = [\"approver\"]\n")
        .env("CI", "another-token-of-some-length");
    let workspace = folder.workspace();
    let [ann, ci] = workspace.operators.as_slice() else {
        panic!("two operators")
    };
    assert_eq!((ann.name.as_str(), ann.token.expose()), ("ann", TOKEN));
    assert!(ann.roles.contains(&Role::Operator) && ann.roles.contains(&Role::Reviewer));
    assert_eq!(ci.roles.iter().collect::<Vec<_>>(), [&Role::Approver]);
    assert!(!format!("{workspace:?}").contains("hunter2"));
    assert!(loan().workspace().operators.is_empty());
}

#[test]
fn an_operator_is_held_to_the_rules() {
    let folder = loan()
        .with("plimsoll.toml", "[keys.web]\nsecret = { env = \"LONG\" }\nsystems = [\"*\"]\n[operators.ann]\ntoken = { env = \"LONG\" }\nroles = [\"operater\", \"auditor\", \"auditor\"]\n[operators.bob]\ntoken = { env = \"SHORT\" }\nroles = []\n[operators.owner]\ntoken = { env = \"MISSING\" }\nroles = [\"auditor\"]\n[operators.cid]\nrole = \"auditor\"\n[operators.Dan]\ntoken = \"x\"\nroles = \"auditor\"\n")
        .env("LONG", TOKEN)
        .env("SHORT", "hunter2");
    let told = folder.told();
    assert!(!told.contains("hunter2"), "{told}");
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "plimsoll.toml:4 error: operator `ann` and key `web` have the same secret: nobody could tell who acts",
        "plimsoll.toml:6 error: `operators.ann.roles` must be one of `viewer`, `operator`, `approver`, `reviewer`, `auditor`, `tenant_admin` and `platform_admin`, not `operater`",
        "plimsoll.toml:6 error: the role `auditor` stands twice",
        "plimsoll.toml:7 error: the token of operator `bob` has fewer than 16 characters and could be guessed",
        "plimsoll.toml:9 error: operator `bob` has no role",
        "plimsoll.toml:10 error: no operator may be called `owner`: records say so of nobody in particular",
        "plimsoll.toml:11 error: the environment variable `MISSING` is not set",
        "plimsoll.toml:13 error: `[operators.cid]` has no `token`",
        "plimsoll.toml:13 error: `[operators.cid]` has no `roles`",
        "plimsoll.toml:14 error: `[operators.cid]` has no key `role`",
        "plimsoll.toml:15 error: `Dan` is not a name: use lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or digit, at most 64",
        "plimsoll.toml:16 error: `operators.Dan.token` must say where the secret is, not hold it",
        "system.toml:3 warning: a release needs 1 to approve it in the role `approver`, and `[operators]` has 0",
    ]
    "#);
    assert!(told.contains("did you mean `operator`?"), "{told}");
    assert!(told.contains("did you mean `roles`?"), "{told}");
    let empty = loan().with("plimsoll.toml", "[operators]\n");
    assert!(empty.told().contains("`[operators]` names nobody"));
}

#[test]
fn an_approval_is_by_the_stakes_unless_the_system_says() {
    let by_stakes = ApprovalRule {
        count: 1,
        role: Role::Approver,
    };
    assert_eq!(rule(&loan()), by_stakes, "high stakes ask for one");
    let two = with_approvals("approvals = { count = 2, role = \"reviewer\" }");
    let asked = ApprovalRule {
        count: 2,
        role: Role::Reviewer,
    };
    assert_eq!(rule(&two), asked);
    let low = crate::folder::support();
    assert_eq!(rule(&low).count, 0, "limited stakes ask for none");
}

#[test]
fn high_stakes_cannot_do_without_an_approval() {
    insta::assert_snapshot!(with_approvals("approvals = { count = 0 }").told(), @r#"
    error: high stakes ask for at least one approval
       --> systems/loan-default/system.toml:54:23
       |
    54 | approvals = { count = 0 }
       |                       ^
       = help: take `count` out, or set it to 1 or more: in an emergency a deployment can break glass, and is reviewed after

    1 error
    "#);
    let misspelt = with_approvals("approvals = { cuont = 2, role = \"aprover\" }").told();
    assert!(misspelt.contains("did you mean `count`?"), "{misspelt}");
    assert!(misspelt.contains("did you mean `approver`?"), "{misspelt}");
}

#[test]
fn too_few_who_could_approve_are_told_of() {
    let folder = with_approvals("approvals = { count = 2 }")
        .with("plimsoll.toml", "[operators.ann]\ntoken = { env = \"ANN\" }\nroles = [\"approver\"]\n[operators.bob]\ntoken = { env = \"BOB\" }\nroles = [\"operator\"]\n")
        .env("ANN", TOKEN)
        .env("BOB", "another-token-of-some-length");
    insta::assert_snapshot!(folder.told(), @r#"
    warning: a release needs 2 to approve it in the role `approver`, and `[operators]` has 1
       --> systems/loan-default/system.toml:54:15
       |
    54 | approvals = { count = 2 }
       |               ^^^^^
       = help: give more people the role: neither a release's author nor who deploys it may approve it

    1 warning
    "#);
    assert!(folder.load().is_ok(), "the owner can still approve");
}

#[test]
fn what_a_node_does_without_control_is_said() {
    let server = |text: &str| {
        loan()
            .with("plimsoll.toml", text)
            .env("URL", "postgres://a:b@c/d")
            .env("PEPPER", &"p".repeat(32))
    };
    let halting = server(
        "[server]\non_control_loss = \"halt\"\ncontrol_loss = \"30s\"\n[storage]\npepper = { env = \"PEPPER\" }\n[storage.postgres]\nurl = { env = \"URL\" }\n",
    );
    let workspace = halting.workspace();
    assert!(workspace.warnings.is_empty(), "{:?}", workspace.warnings);
    let loss = (
        workspace.server.on_control_loss,
        workspace.server.control_loss,
    );
    assert_eq!(loss, (OnControlLoss::Halt, Duration::from_secs(30)));
    let usual = loan().workspace().server;
    let loss = (usual.on_control_loss, usual.control_loss);
    assert_eq!(loss, (OnControlLoss::Serve, Duration::from_secs(10)));
    let folder = server("[server]\non_control_loss = \"halt\"\ncontrol_loss = \"2s\"\n");
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "plimsoll.toml:2 warning: the node shares no database with others, so it has nobody to lose: this never holds",
        "plimsoll.toml:3 error: `server.control_loss` must be at least 3s: an intervention may take two seconds to arrive",
    ]
    "#);
}

#[test]
fn high_stakes_without_an_audit_log_are_warned_of() {
    let folder = loan().with("plimsoll.toml", "[audit]\nenabled = false\n");
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "system.toml:3 warning: the audit log is off: nothing that this system decides could be proved",
    ]
    "#);
}

#[test]
fn an_operator_of_one_tenant_rules_over_that_one_and_no_other() {
    let folder = loan()
        .with(
            "plimsoll.toml",
            "[operators.tina]\ntoken = { env = \"TINA\" }\nroles = [\"tenant_admin\"]\n\
             [operators.pia]\ntoken = { env = \"PIA\" }\nroles = [\"platform_admin\"]\ntenant = \"acme\"\n",
        )
        .env("TINA", "0123456789abcdef")
        .env("PIA", "fedcba9876543210");
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "plimsoll.toml:1 error: operator `tina` is a tenant's admin, and of no tenant",
        "plimsoll.toml:7 error: operator `pia` works for one tenant, and is to rule over all",
        "system.toml:3 warning: a release needs 1 to approve it in the role `approver`, and `[operators]` has 0",
    ]
    "#);
}

#[test]
fn a_listener_that_requires_keys_may_be_reached_without_a_key_in_the_file() {
    let open = "[server]\ndata_address = \"0.0.0.0:8080\"\n";
    assert_eq!(loan().with("plimsoll.toml", open).messages().len(), 1);
    let required = format!("{open}require_keys = true\n");
    let workspace = loan().with("plimsoll.toml", &required).workspace();
    assert!(workspace.server.require_keys && workspace.keys.is_empty());
}

#[test]
fn a_pepper_that_could_be_guessed_is_refused() {
    let settings = "[storage]\npepper = { env = \"PEPPER\" }\n";
    let folder = |pepper: &str| loan().with("plimsoll.toml", settings).env("PEPPER", pepper);
    insta::assert_debug_snapshot!(folder("salt").messages(), @r#"
    [
        "plimsoll.toml:2 error: the pepper has fewer than 16 characters and could be guessed",
    ]
    "#);
    let workspace = folder("0123456789abcdef").workspace();
    assert!(workspace.pepper.is_some());
}
