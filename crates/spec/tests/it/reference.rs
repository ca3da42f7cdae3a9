//! What is generated from the forms agrees with what is accepted.

use std::path::Path;

use plimsoll_spec::StarterKind;
use serde_json::Value;

use crate::folder::{LOAN_RULES, LOAN_SYSTEM, SUPPORT_PLIMSOLL, SUPPORT_SYSTEM};

const BUILT_IN_REGIMES: &str = include_str!("../../regimes.toml");

const OPERATED: &str = r#"
[server]
on_control_loss = "halt"
[storage.retention]
payloads = "90d"
regimes = ["eu-gdpr"]
[storage.postgres]
url = { env = "DATABASE" }
[audit]
enabled = true
checkpoint = "5s"
[operators.ann]
token = { file = "/run/secrets/ann" }
roles = ["operator", "approver"]
[oidc]
issuer = "https://login.example.com/realms/ops"
client_id = "plimsoll"
client_secret = { env = "OIDC" }
[oidc.groups."platform team"]
roles = ["operator"]
tenants = ["acme"]
"#;

fn schema(file: &str) -> Value {
    let schemas = plimsoll_spec::schemas();
    schemas
        .into_iter()
        .find(|(name, _)| *name == file)
        .expect("a file with a form")
        .1
}

fn misfits(file: &str, text: &str) -> Vec<String> {
    let value: toml::Value = toml::from_str(text).unwrap();
    let value = serde_json::to_value(value).unwrap();
    let validator = jsonschema::validator_for(&schema(file)).unwrap();
    validator
        .iter_errors(&value)
        .map(|error| error.to_string())
        .collect()
}

#[test]
fn the_schemas_accept_the_examples_and_the_starters() {
    let mut files = vec![
        ("system.toml".to_owned(), LOAN_SYSTEM.to_owned()),
        ("system.toml".to_owned(), SUPPORT_SYSTEM.to_owned()),
        ("plimsoll.toml".to_owned(), SUPPORT_PLIMSOLL.to_owned()),
        ("rules.toml".to_owned(), LOAN_RULES.to_owned()),
        ("regimes.toml".to_owned(), BUILT_IN_REGIMES.to_owned()),
        ("plimsoll.toml".to_owned(), OPERATED.to_owned()),
    ];
    for kind in [StarterKind::Predictor, StarterKind::Llm] {
        let folder = tempfile::tempdir().unwrap();
        for path in plimsoll_spec::init(folder.path(), kind).unwrap() {
            if path.extension() == Some("toml".as_ref()) {
                files.push((name(&path), std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    for (file, text) in files {
        // A TOML date has no form in JSON: editors hand it on as text.
        let text: Vec<String> = text
            .lines()
            .map(|line| match line.strip_prefix("from = ") {
                Some(day) if !day.starts_with('"') => format!("from = \"{day}\""),
                _ => line.to_owned(),
            })
            .collect();
        let text = text.join("\n");
        assert_eq!(
            misfits(&file, &text),
            Vec::<String>::new(),
            "{file}\n{text}"
        );
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn the_schemas_refuse_what_the_check_refuses() {
    for text in [
        "[server]\ndata_adress = \"127.0.0.1:1\"",
        "[server]\ndrain = \"20\"",
        "[server]\nbody_max = 100",
        "[log]\nlevel = \"loud\"",
        "[keys.web]\nsecret = \"x\"\nsystems = []",
        "[providers.a]\nkey = { env = \"A\" }",
        "[operators.ann]\ntoken = { env = \"A\" }\nroles = [\"boss\"]",
        "[operators.ann]\nroles = [\"auditor\"]",
        "[audit]\nenabled = \"yes\"",
        "[oidc]\nissuer = \"https://a.example\"\nclient_id = \"a\"",
        "[oidc]\nissuer = \"a\"\nclient_id = \"a\"\n[oidc.groups.a]\nroles = [\"viewer\"]",
        "[storage.postgres]\nurl = \"postgres://a:b@c/d\"",
    ] {
        assert!(!misfits("plimsoll.toml", text).is_empty(), "{text}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "most of it is the snapshot")]
fn the_reference_has_every_key() {
    let page = plimsoll_spec::reference();
    for (file, schema) in plimsoll_spec::schemas() {
        assert!(page.contains(&format!("## `{file}`")), "{file}");
        let mut keys = Vec::new();
        collect(&schema, &mut keys);
        for key in keys {
            assert!(
                page.contains(&format!("`{key}`")) || page.contains(&format!(".{key}`")),
                "{key} of {file}"
            );
        }
    }
    let headings: Vec<&str> = page.lines().filter(|line| line.starts_with('#')).collect();
    insta::assert_snapshot!(headings.join("\n"), @r#"
    # Configuration
    ## `plimsoll.toml`
    ### `[server]`
    ### `[storage]`
    ### `[storage.retention]`
    ### `[storage.postgres]`
    ### `[storage.redis]`
    ### `[storage.queue]`
    ### `[audit]`
    ### `[onnx]`
    ### `[log]`
    ### `[providers.NAME]`
    ### `[keys.NAME]`
    ### `[limits.NAME]`
    ### `[limits.NAME.requests]`
    ### `[limits.NAME.tokens_in]`
    ### `[limits.NAME.tokens_out]`
    ### `[limits.NAME.money]`
    ### `[alerts.NAME]` with `webhook`
    ### `[alerts.NAME]` with `slack`
    ### `[alerts.NAME]` with `pagerduty`
    ### `[alerts.NAME]` with `alertmanager`
    ### `[operators.NAME]`
    ### `[oidc]`
    ### `[oidc.groups.GROUP]`
    ### `[policies.NAME]`
    ## `prices.toml`
    ### `[[price]]`
    ## `system.toml`
    ### `[owner]`
    ### `[models.NAME]` with `onnx`
    ### `[models.NAME]` with `rules`
    ### `[models.NAME]` with `http`
    ### `[models.NAME]` with `provider`
    ### `[prompt]`
    ### `[input]`
    ### `[input.tokens]`
    ### `[input.columns.COLUMN]`
    ### `[output]`
    ### `[guards]`
    ### `[guards.input]`
    ### `[guards.input.injection]`
    ### `[guards.input.pii]`
    ### `[guards.input.secrets]`
    ### `[guards.input.phrases]`
    ### `[guards.output]`
    ### `[guards.output.secrets]`
    ### `[guards.output.pii]`
    ### `[guards.output.links]`
    ### `[guards.output.leakage]`
    ### `[guards.output.phrases]`
    ### `[tools.NAME]`
    ### `[on]`
    ### `[deadline]`
    ### `[retry]`
    ### `[budget]`
    ### `[abstain]`
    ### `[review]`
    ### `[release]`
    ### `[release.approvals]`
    ### `[bar]`
    ### `[monitors]`
    ### `[monitors.errors]`
    ### `[monitors.refusals]`
    ### `[monitors.fallbacks]`
    ### `[monitors.doubt]`
    ### `[monitors.overrides]`
    ### `[monitors.guard_hits]`
    ### `[monitors.schema_failures]`
    ### `[monitors.latency]`
    ### `[monitors.cost]`
    ### `[monitors.availability]`
    ### `[monitors.features]`
    ### `[monitors.predictions]`
    ### `[monitors.estimated_error]`
    ### `[monitors.realised_error]`
    ### `[monitors.truth]`
    ### `[monitors.evals]`
    ### `[monitors.scores]`
    ### `[quality]`
    ### `[quality.scorers.NAME]` with `exact`
    ### `[quality.scorers.NAME]` with `matches`
    ### `[quality.scorers.NAME]` with `contains`
    ### `[quality.scorers.NAME]` with `regex`
    ### `[quality.scorers.NAME]` with `number`
    ### `[quality.scorers.NAME]` with `json_schema`
    ### `[quality.scorers.NAME]` with `json_diff`
    ### `[quality.scorers.NAME]` with `overlap`
    ### `[quality.scorers.NAME]` with `edit_distance`
    ### `[quality.scorers.NAME]` with `tool_calls`
    ### `[quality.scorers.NAME]` with `latency`
    ### `[quality.scorers.NAME]` with `cost`
    ### `[quality.scorers.NAME]` with `refusal`
    ### `[quality.scorers.NAME]` with `classification`
    ### `[quality.scorers.NAME]` with `regression`
    ### `[quality.scorers.NAME]` with `judge`
    ### `[quality.scorers.NAME]` with `command`
    ## `rules.toml`
    ### `[[rule]]`
    ### `[default]`
    ## `regimes.toml`
    ### `[regimes.NAME]`
    ### `[regimes.NAME.floors]`
    ### `[regimes.NAME.floors.records]`
    ### `[regimes.NAME.floors.payloads]`
    ### `[regimes.NAME.floors.dossier]`
    ### `[regimes.NAME.clocks.OCCASION]`
    "#);
}

fn collect(schema: &Value, keys: &mut Vec<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        keys.extend(
            properties
                .keys()
                .filter(|key| !matches!(key.as_str(), "env" | "file"))
                .cloned(),
        );
    }
    match schema {
        Value::Object(members) => members.values().for_each(|member| collect(member, keys)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, keys)),
        _ => {}
    }
}
