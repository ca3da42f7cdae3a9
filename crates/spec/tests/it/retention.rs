//! Retention held against the floors of regimes, whose dates and times are data.

use std::time::Duration;

use plimsoll_core::Timestamp;
use plimsoll_spec::regimes::Origin;
use plimsoll_spec::{RecordClass, Regimes};

use crate::folder::{Folder, loan};

const DAY: Duration = Duration::from_secs(86_400);

fn kept(retention: &str) -> Folder {
    let text = format!("[storage.retention]\n{retention}\n");
    loan().with("plimsoll.toml", &text)
}

const HOUSE: &str = r#"
version = "2027-01"
[regimes.house]
title = "House rules"
source = "the handbook"
floors.payloads = { age = "30d", article = "§ 3", from = 2026-06-01 }
floors.records = { age = "60d", article = "§ 4", says = "sixty days" }
"#;

#[test]
fn a_retention_below_a_floor_in_force_is_refused() {
    let folder = kept("age = \"90d\"\nregimes = [\"us-hipaa\"]");
    insta::assert_snapshot!(folder.told(), @r#"
    error: `age` lets records go after 90d, and `us-hipaa` (45 CFR 164.316(b)(2)(i)) asks for at least 2192d
      --> plimsoll.toml:2:7
      |
    2 | age = "90d"
      |       ^^^^^
      = help: set it to "2192d" or more: documentation of actions, activities and assessments: six years (the built-in table, version 2026-11-20)

    1 error
    "#);
    assert!(folder.load().is_err());
}

#[test]
fn a_floor_that_is_not_in_force_yet_is_a_warning_until_its_day() {
    let folder = kept("age = \"90d\"\nregimes = [\"eu-ai-act-deployer\"]");
    insta::assert_snapshot!(folder.told(), @r#"
    warning: `age` lets records go after 90d, and `eu-ai-act-deployer` (Art. 26(6)) will ask for at least 184d from 2027-12-02 on
      --> plimsoll.toml:2:7
      |
    2 | age = "90d"
      |       ^^^^^
      = help: set it to "184d" or more: logs that are made automatically: at least six months (the built-in table, version 2026-11-20)

    1 warning
    "#);
    assert!(folder.load().is_ok());
    assert!(folder.on("2027-12-01T23:59:59Z").load().is_ok());
    let folder = kept("age = \"90d\"\nregimes = [\"eu-ai-act-deployer\"]").on("2027-12-02");
    let problems = folder.load().unwrap_err();
    assert_eq!(problems.errors().count(), 1);
}

#[test]
fn what_is_kept_long_enough_or_for_ever_is_right() {
    let named = "regimes = [\"us-hipaa\", \"eu-ai-act-provider\"]";
    for retention in [
        format!("age = \"2192d\"\n{named}"),
        format!("bytes = \"50 GiB\"\n{named}"),
        format!("age = \"2192d\"\npayloads = \"1d\"\n{named}"),
        "age = \"1d\"".to_owned(),
    ] {
        let workspace = kept(&retention).on("2028-01-01").workspace();
        assert!(workspace.warnings.is_empty(), "{:?}", workspace.warnings);
    }
    let folder = kept(&format!("bytes = \"50 GiB\"\n{named}"));
    let retention = folder.workspace().storage.retention;
    assert_eq!(retention.floors.records, Some(2192 * DAY));
    assert_eq!(retention.floors.payloads, None);
    assert_eq!(retention.regimes, ["us-hipaa", "eu-ai-act-provider"]);
}

#[test]
fn payloads_have_a_bound_of_their_own_and_do_not_outlive_their_records() {
    let retention = kept("age = \"90d\"\npayloads = \"30d\"")
        .workspace()
        .storage
        .retention;
    assert_eq!(
        (retention.age, retention.payloads),
        (Some(90 * DAY), Some(30 * DAY))
    );
    insta::assert_snapshot!(kept("age = \"90d\"\npayloads = \"400d\"").told(), @r#"
    error: payloads cannot be kept for 400d: they go with their records after 90d
      --> plimsoll.toml:3:12
      |
    3 | payloads = "400d"
      |            ^^^^^^
      = help: shorten `payloads`, or make `age` longer

    1 error
    "#);
}

#[test]
fn a_workspace_adds_regimes_of_its_own() {
    let folder = |retention: &str| kept(retention).with("regimes.toml", HOUSE);
    let regimes = folder("").workspace().regimes;
    assert_eq!(regimes.regimes["house"].origin, Origin::Workspace);
    assert_eq!(regimes.regimes["us-hipaa"].origin, Origin::BuiltIn);
    assert!(
        regimes
            .versions()
            .ends_with(" with the workspace's 2027-01")
    );
    let below = folder("age = \"10d\"\nregimes = [\"house\"]");
    insta::assert_snapshot!(below.told(), @r#"
    error: `age` lets payloads go after 10d, and `house` (§ 3) asks for at least 30d
      --> plimsoll.toml:2:7
      |
    2 | age = "10d"
      |       ^^^^^
      = help: set it to "30d" or more: regimes.toml, version 2027-01

    warning: `age` lets records go after 10d, and `house` (§ 4) would ask for at least 60d, and has no date yet
      --> plimsoll.toml:2:7
      |
    2 | age = "10d"
      |       ^^^^^
      = help: set it to "60d" or more: sixty days (regimes.toml, version 2027-01)

    1 error, 1 warning
    "#);
    let of_payloads = folder("age = \"60d\"\npayloads = \"29d\"\nregimes = [\"house\"]");
    insta::assert_debug_snapshot!(of_payloads.messages(), @r#"
    [
        "plimsoll.toml:3 error: `payloads` lets payloads go after 29d, and `house` (§ 3) asks for at least 30d",
    ]
    "#);
    let floors = folder("regimes = [\"house\"]")
        .workspace()
        .storage
        .retention
        .floors;
    assert_eq!((floors.records, floors.payloads), (None, Some(30 * DAY)));
}

#[test]
fn a_regime_that_is_replaced_is_seen_and_never_weaker_in_silence() {
    let replaced = |floors: &str| {
        let table = format!(
            "version = \"x\"\n[regimes.us-hipaa]\ntitle = \"t\"\nsource = \"s\"\nfrom = 2005-04-20\n{floors}\n"
        );
        loan().with("regimes.toml", &table)
    };
    let same = "floors.records = { age = \"3000d\", article = \"a\" }\nfloors.dossier = { age = \"2192d\", article = \"a\" }";
    let workspace = replaced(same).workspace();
    assert!(workspace.warnings.is_empty(), "{:?}", workspace.warnings);
    assert_eq!(
        workspace.regimes.regimes["us-hipaa"].origin,
        Origin::Replaced
    );
    assert_ne!(
        workspace.regimes.digest(),
        loan().workspace().regimes.digest()
    );
    insta::assert_snapshot!(replaced("floors.records = { age = \"30d\", article = \"a\" }").told(), @r#"
    warning: `us-hipaa` had a floor of 2192d for records, and has one of 30d here
      --> regimes.toml:2:10
      |
    2 | [regimes.us-hipaa]
      |          ^^^^^^^^
      = help: the built-in table names 45 CFR 164.316(b)(2)(i) for it: keep its floor, unless the law has changed

    warning: `us-hipaa` had a floor of 2192d for dossier, and has none here
      --> regimes.toml:2:10
      |
    2 | [regimes.us-hipaa]
      |          ^^^^^^^^
      = help: the built-in table names 45 CFR 164.316(b)(2)(i) for it: keep its floor, unless the law has changed

    2 warnings
    "#);
    let later = same.replace("3000d\"", "3000d\", from = 2030-01-01");
    insta::assert_debug_snapshot!(replaced(&later).messages(), @r#"
    [
        "regimes.toml:2 warning: the floor of `us-hipaa` for records comes into force later than it did",
    ]
    "#);
}

#[test]
fn a_table_of_regimes_is_held_to_its_form() {
    let folder = kept("regimes = [\"hipaa\", \"eu-gdpr\", \"eu-gdpr\"]").with(
        "regimes.toml",
        "[regimes.House]\ntitle = \"t\"\nsorce = \"s\"\nfrom = \"soon\"\nfloors.recods = { age = \"30d\" }\nfloors.payloads = { age = 30 }\n",
    );
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "plimsoll.toml:2 error: there is no regime `hipaa`",
        "plimsoll.toml:2 error: `eu-gdpr` stands twice",
        "regimes.toml:0 error: the file has no `version`",
        "regimes.toml:1 error: `[regimes.House]` has no `source`",
        "regimes.toml:1 error: `House` is not a name: use lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or digit, at most 64",
        "regimes.toml:3 error: `[regimes.House]` has no key `sorce`",
        "regimes.toml:4 error: `regimes.House.from` is not a day",
        "regimes.toml:5 error: `[regimes.House.floors]` has no key `recods`",
        "regimes.toml:6 error: `[regimes.House.floors.payloads]` has no `article`",
        "regimes.toml:6 error: `regimes.House.floors.payloads.age` must be a duration, not a number",
    ]
    "#);
    assert!(folder.load().is_err());
}

#[test]
fn the_highest_floor_in_force_is_the_one_that_counts() {
    let regimes: Regimes = loan().workspace().regimes;
    let names = ["eu-ai-act-deployer".to_owned(), "us-hipaa".to_owned()];
    let floor = |names: &[String], day: &str| {
        let now = Timestamp::parse(day).unwrap();
        let found = regimes.floor(names, RecordClass::Records, now);
        found.map(|(name, floor)| (name.to_owned(), floor.age))
    };
    let hipaa = Some(("us-hipaa".to_owned(), 2192 * DAY));
    assert_eq!(floor(&names, "2028-01-01"), hipaa);
    assert_eq!(floor(&names[..1], "2026-01-01"), None);
    let deployer = Some(("eu-ai-act-deployer".to_owned(), 184 * DAY));
    assert_eq!(floor(&names[..1], "2028-01-01"), deployer);
}
