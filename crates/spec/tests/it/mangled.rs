//! No file, however mangled, makes the reader panic, and what is refused is always explained.

use proptest::prelude::*;

use crate::folder::{LOAN_SYSTEM, SUPPORT_PLIMSOLL, loan, support};

/// Secrets where they must not stand: each is shown to nobody all the same.
const OPERATED: &str = r#"
[storage.retention]
age = "90d"
regimes = ["eu-gdpr"]

[storage.postgres]
url = "postgres://plimsoll:swordfish/hunter2@db.example.com/plimsoll"
migrate = { env = "postgres://owner:swordfish@db.example.com/plimsoll" }

[operators.ann]
token = "swordfish-swordfish"
roles = ["operator", "approver"]

[operators.bob]
token = { file = "bob.token", value = "swordfish" }
roles = ["auditor"]
tokn = "hunter2"

[operators]
cid = "hunter2"
"#;

const REGIMES: &str = r#"
version = "2027-01"

[regimes.house]
title = "House rules"
source = "the handbook"
from = 2026-01-01
floors.records = { age = "30d", article = "3" }

[regimes.house.clocks]
leak = { within = "4h", article = "4" }
"#;

fn mangled(text: &str, at: usize, cut: usize, put: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let at = at % chars.len();
    let end = (at + cut).min(chars.len());
    chars.splice(at..end, put.chars());
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn a_mangled_system_is_read_or_explained(at in 0..2_000_usize, cut in 0..12_usize, put in "[\\[\\]{}=\"'#a1., \n\tü]{0,6}") {
        let folder = loan().with("systems/loan-default/system.toml", &mangled(LOAN_SYSTEM, at, cut, &put));
        if let Err(problems) = folder.load() {
            prop_assert!(problems.has_errors());
            prop_assert!(problems.0.iter().all(|problem| !problem.message.is_empty() && !problem.file.is_empty()));
        }
    }

    #[test]
    fn a_mangled_configuration_never_shows_a_token_or_a_database_url(at in 0..600_usize, cut in 0..4_usize, put in "[\\[\\]{}=\"'#a1., \n]{0,6}") {
        let folder = support().with("plimsoll.toml", &mangled(OPERATED, at, cut, &put));
        let told = folder.told();
        prop_assert!(!told.contains("hunter2") && !told.contains("swordfish"), "{}", told);
    }

    #[test]
    fn a_mangled_table_of_regimes_is_read_or_explained(at in 0..400_usize, cut in 0..12_usize, put in "[\\[\\]{}=\"'#a1., \n\tü]{0,6}") {
        let folder = loan().with("regimes.toml", &mangled(REGIMES, at, cut, &put));
        if let Err(problems) = folder.load() {
            prop_assert!(problems.has_errors());
            prop_assert!(problems.0.iter().all(|problem| !problem.message.is_empty() && !problem.file.is_empty()));
        }
    }

    #[test]
    fn a_mangled_configuration_never_shows_a_secret(at in 0..400_usize, cut in 0..4_usize, put in "[\\[\\]{}=\"'#a1., \n]{0,6}") {
        let text = SUPPORT_PLIMSOLL.replace("{ env = \"OPENAI_API_KEY\" }", "\"sk-hunter2\"");
        let folder = support().with("plimsoll.toml", &mangled(&text, at, cut, &put));
        let told = folder.told();
        prop_assert!(!told.contains("hunter2"), "{}", told);
    }
}

#[test]
fn the_end_of_a_secret_that_became_a_comment_is_not_shown() {
    let text = SUPPORT_PLIMSOLL.replace("{ env = \"OPENAI_API_KEY\" }", "\"\"#sk-hunter2\"");
    let told = support().with("plimsoll.toml", &text).told();
    assert!(told.contains("must say where the secret is"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn deep_nesting_is_refused() {
    let text = format!("purpose = {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let told = loan()
        .with("systems/loan-default/system.toml", &text)
        .told();
    assert!(
        told.contains("this is not TOML"),
        "{}",
        told.chars().take(300).collect::<String>()
    );
}
