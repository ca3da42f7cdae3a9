//! What is said of guards and tools that are not right.

use crate::folder::{Folder, LOAN_SYSTEM, SUPPORT_SYSTEM, loan, support};

fn loan_with(from: &str, to: &str) -> Folder {
    assert!(LOAN_SYSTEM.contains(from), "{from}");
    let system = LOAN_SYSTEM.replace(from, to);
    loan().with("systems/loan-default/system.toml", &system)
}

fn support_with(from: &str, to: &str) -> Folder {
    assert!(SUPPORT_SYSTEM.contains(from), "{from}");
    let system = SUPPORT_SYSTEM.replace(from, to);
    support().with("systems/support-answer/system.toml", &system)
}

#[test]
fn guards_say_what_they_cannot_do() {
    let folder = support_with(
        "[guards.output]\nphrases = { action = \"block\", list = [\"as an AI language model\"] }",
        "[guards.input]\ninjection = { action = \"block\", block_score = 0.1, packs = [\"prompt.md\"] }\npii = { action = \"flag\", rules = { PII = \"block\" } }\nsecrts = \"block\"\n[guards.output]\nsecrets = \"hide\"\nlinks = { action = \"block\", hosts = [\"https://x\"] }\nleakage = { action = \"block\", canaries = [\"abc\"] }",
    );
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "prompt.md:0 error: a rule pack cannot be read: TOML parse error at line 1, column 8\n  |\n1 | Answer {{ question }}.\n  |        ^\nkey with no value, expected `=`\n",
        "system.toml:23 error: `review_score` (0.455) lies above `block_score` (0.100)",
        "system.toml:24 error: `PII` can be the name of no rule",
        "system.toml:25 error: `[guards.input]` has no detector `secrts`; it has: injection, pii, secrets, phrases",
        "system.toml:27 error: `guards.output.secrets` must be one of `allow`, `flag`, `redact`, `review` and `block`, not `hide`",
        "system.toml:28 error: `https://x` is not a host",
        "system.toml:29 error: canary 0 has fewer than 8 letters and digits: take a longer one, that stands in no other text",
    ]
    "#);
    let folder = loan_with(
        "[deadline]",
        "[guards.input]\npii = \"redact\"\nsecrets = { on_error = \"open\" }\n[deadline]",
    );
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "system.toml:37 error: `pii` redacts, and a predictor would take a placeholder for a value",
        "system.toml:38 error: `[guards.input.secrets]` has no `action`",
    ]
    "#);
}

#[test]
fn documents_are_columns_that_there_are_and_marked_for_a_model_that_reads() {
    let folder = loan_with(
        "[input]",
        "[input]\nretrieved = [\"incme\"]\nspotlight = \"delimit\"",
    );
    let messages = folder.messages();
    let told = |part: &str| messages.iter().any(|message| message.contains(part));
    assert!(told("the schema has no column `incme`"), "{messages:?}");
    assert!(
        told("`spotlight` marks texts for a language model"),
        "{messages:?}"
    );
}

#[test]
fn a_guard_that_leaves_it_to_a_person_needs_one() {
    let text = SUPPORT_SYSTEM.replace(", \"review\"]", "]").replace(
        "[review]\nqueue = \"support\"\ndue   = \"30m\"\non_expiry = \"abstain\"",
        "[guards.input]\nsecrets = \"review\"",
    );
    let folder = support().with("systems/support-answer/system.toml", &text);
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "system.toml:49 error: `secrets` asks a person, and there is no `[review]`",
    ]
    "#);
}

#[test]
fn a_tool_that_could_not_be_judged_is_told() {
    let folder = support_with(
        "[guards.output]",
        "[tools.send]\neffect = \"external\"\nschema = \"prompt.md\"\npolicy = \"args.to ==\"\n[tools.look]\neffct = \"none\"\n[guards.output]",
    );
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "prompt.md:1 error: this is not JSON: expected value",
        "system.toml:25 error: the policy cannot be used: the expression is not CEL at line 1, column 11: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}",
        "system.toml:26 error: `[tools.look]` has no `effect`",
        "system.toml:27 error: `[tools.look]` has no key `effct`",
    ]
    "#);
    let folder = loan_with("[deadline]", "[tools]\n[deadline]");
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "system.toml:36 error: there are `[tools]` and no language model that could call one",
    ]
    "#);
}
