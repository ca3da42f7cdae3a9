//! Policies on attributes, as files say them.

use plimsoll_core::access::{ControlAction, DataClass, PolicyEffect};

use crate::folder::{LOAN_SYSTEM, loan};

const POLICIES: &str = r#"
[server]
time_zone = "Europe/Berlin"
[policies.quiet-nights]
about = "Nothing is deployed at night"
on = ["deploy", "approve"]
effect = "deny"
when = 'time.hour < 6 && environment == "production"'
[policies.cases-only]
about = "Personal data is read for a case"
on = ["read"]
effect = "allow"
when = 'purpose.startsWith("case ") || resource.data_class != "personal"'
"#;

#[test]
fn policies_are_read_with_what_they_are_about() {
    let system = format!("data_class = \"personal\"\n{LOAN_SYSTEM}");
    let folder = loan()
        .with("plimsoll.toml", POLICIES)
        .with("systems/loan-default/system.toml", &system);
    let workspace = folder.workspace();
    let own: Vec<_> = workspace.access.own().collect();
    let [nights, cases] = own.as_slice() else {
        panic!("two policies")
    };
    assert_eq!(nights.name(), "quiet-nights");
    assert_eq!(nights.effect(), PolicyEffect::Deny);
    let on: Vec<_> = nights.on().iter().collect();
    assert_eq!(on, [&ControlAction::Deploy, &ControlAction::Approve]);
    assert_eq!(cases.effect(), PolicyEffect::Allow);
    let on: Vec<_> = cases.on().iter().collect();
    assert_eq!(on, [&ControlAction::GetPayload, &ControlAction::GetReview]);
    let class = workspace.folders.values().next().unwrap().data_class;
    assert_eq!(class, DataClass::Personal);
    let document = workspace.policies(None).pop().unwrap().document;
    assert_eq!(document["policies"]["cases-only"]["effect"], "allow");
    assert_eq!(document["data_classes"]["loan-default"], "personal");
}

#[test]
fn a_policy_on_changes_does_not_stand_in_the_way_of_stepping_in() {
    let folder = loan().with(
        "plimsoll.toml",
        "[policies.frozen]\nabout = \"Nothing changes\"\non = [\"change\"]\neffect = \"deny\"\nwhen = \"true\"\n",
    );
    let workspace = folder.workspace();
    let on = workspace.access.own().next().unwrap().on().clone();
    assert!(on.contains(&ControlAction::Deploy) && on.contains(&ControlAction::Resume));
    for action in [
        ControlAction::Halt,
        ControlAction::FallBack,
        ControlAction::RevokeKey,
    ] {
        assert!(!on.contains(&action), "{action}");
    }
}

#[test]
fn every_fault_of_a_policy_is_told_at_once() {
    let folder = loan().with(
        "plimsoll.toml",
        r#"[policies.a]
about = "x"
on = ["deplo", "read"]
effect = "refuse"
when = "true"
[policies.b]
about = "x"
on = []
effect = "deny"
when = "resource.data_clas == 'x'"
[policies.c]
on = ["read"]
effect = "deny"
when = "purpos == ''"
[policies.d]
about = "x"
on = ["read"]
effect = "deny"
when = "purpose =="
[policies.E]
about = "x"
on = ["read"]
effect = "deny"
when = "true"
"#,
    );
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "plimsoll.toml:3 error: `deplo` is nothing that can be done",
        "plimsoll.toml:4 error: `policies.a.effect` must be one of `deny` and `allow`, not `refuse`",
        "plimsoll.toml:8 error: policy `b` is about nothing",
        "plimsoll.toml:10 error: there is no attribute `resource.data_clas`: did you mean `resource.data_class`?",
        "plimsoll.toml:11 error: `[policies.c]` has no `about`",
        "plimsoll.toml:14 error: there is no variable `purpos` here: did you mean `purpose`?",
        "plimsoll.toml:19 error: the expression is not CEL at line 1, column 11: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
        "plimsoll.toml:20 error: `E` is not a name: use lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or digit, at most 64",
    ]
    "#);
}
