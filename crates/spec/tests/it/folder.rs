//! A workspace in a temporary folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use plimsoll_core::Timestamp;
use plimsoll_spec::{Environment, Problems, Workspace};

/// A workspace to be changed and loaded.
pub(crate) struct Folder {
    directory: tempfile::TempDir,
    environment: Variables,
}

struct Variables {
    values: BTreeMap<String, String>,
    now: Timestamp,
}

impl Environment for Variables {
    fn var(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    fn now(&self) -> Timestamp {
        self.now
    }
}

impl Folder {
    /// A workspace with an empty `plimsoll.toml`.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let folder = Self {
            directory,
            environment: Variables {
                values: BTreeMap::new(),
                now: Timestamp::parse("2026-11-20").unwrap(),
            },
        };
        folder.with("plimsoll.toml", "")
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file, in the place of what was there.
    pub(crate) fn with(self, name: &str, text: &str) -> Self {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        let values = &mut self.environment.values;
        values.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Lets it be another day.
    pub(crate) fn on(mut self, day: &str) -> Self {
        self.environment.now = Timestamp::parse(day).unwrap();
        self
    }

    pub(crate) fn load(&self) -> Result<Workspace, Problems> {
        plimsoll_spec::load(self.path(), &self.environment)
    }

    /// The workspace, which must be right.
    pub(crate) fn workspace(&self) -> Workspace {
        self.load().unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Everything that is said of the workspace.
    pub(crate) fn told(&self) -> String {
        plimsoll_spec::inspect(self.path(), &self.environment)
            .problems
            .to_string()
    }

    /// The messages alone, errors and warnings, with their places.
    pub(crate) fn messages(&self) -> Vec<String> {
        let problems = plimsoll_spec::inspect(self.path(), &self.environment)
            .problems
            .0;
        problems
            .iter()
            .map(|p| {
                format!(
                    "{}:{} {}: {}",
                    p.file.rsplit('/').next().unwrap(),
                    p.line,
                    p.severity.as_str(),
                    p.message
                )
            })
            .collect()
    }
}

pub(crate) const LOAN_INPUT: &str = r#"{
  "type": "object",
  "properties": {
    "loan_amount": { "type": "number", "minimum": 0, "maximum": 200000 },
    "income": { "type": "number", "minimum": 0 },
    "home": { "type": "string", "enum": ["rent", "own"] },
    "size_of_downpayment": { "type": ["string", "null"] }
  },
  "required": ["loan_amount", "income", "home"]
}
"#;

pub(crate) const LOAN_OUTPUT: &str = r#"{
  "type": "object",
  "properties": { "decision": { "enum": ["approve", "decline", "refer"] }, "p_repaid": { "type": "number" } },
  "required": ["decision"],
  "additionalProperties": false
}
"#;

pub(crate) const LOAN_RULES: &str = "[[rule]]\nname = \"small\"\nwhen = \"inputs.loan_amount < 2000\"\nanswer = { decision = \"approve\" }\n\n[default]\nanswer = { decision = \"refer\" }\n";

pub(crate) const LOAN_SYSTEM: &str = include_str!("loan-default.toml");
pub(crate) const SUPPORT_SYSTEM: &str = include_str!("support-answer.toml");

/// The loan example of the documentation.
pub(crate) fn loan() -> Folder {
    let at = |name: &str| format!("systems/loan-default/{name}");
    Folder::new()
        .with(&at("system.toml"), LOAN_SYSTEM)
        .with(&at("input.schema.json"), LOAN_INPUT)
        .with(&at("output.schema.json"), LOAN_OUTPUT)
        .with(&at("rules.toml"), LOAN_RULES)
        .with(&at("model.onnx"), "a model")
        .with(&at("runbook.md"), "# Loans\n## Look\nAt the bar.\n")
}

/// The support example of the documentation.
pub(crate) fn support() -> Folder {
    let at = |name: &str| format!("systems/support-answer/{name}");
    Folder::new()
        .with("plimsoll.toml", SUPPORT_PLIMSOLL)
        .with("prices.toml", SUPPORT_PRICES)
        .with(&at("system.toml"), SUPPORT_SYSTEM)
        .with(&at("prompt.md"), "Answer {{ question }}.\n")
        .with(&at("question.schema.json"), r#"{"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}"#)
        .with(&at("answer.schema.json"), r#"{"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}"#)
        .with(&at("retrieval.toml"), "pages = 4\n")
        .with(&at("evals/golden.jsonl"), "{}\n")
        .with(&at("runbook.md"), "# Support\n## Look\nAt the bar.\n")
        .env("OPENAI_API_KEY", "sk-test-0123456789")
        .env("ANTHROPIC_API_KEY", "sk-ant-0123456789")
}

pub(crate) const SUPPORT_PLIMSOLL: &str = r#"
[providers.openai]
protocol = "openai"
base_url = "https://api.openai.com/v1/"
key = { env = "OPENAI_API_KEY" }
[providers.anthropic]
base_url = "https://api.anthropic.com/v1"
key = { env = "ANTHROPIC_API_KEY" }
"#;

const SUPPORT_PRICES: &str = r#"
[[price]]
provider = "openai"
model = "gpt-5-mini"
from = 2026-01-01
input_per_million = "0.25"
cached_input_per_million = "0.025"
output_per_million = "2"
source = "https://openai.com/api/pricing"

[[price]]
provider = "anthropic"
model = "*"
from = 2026-01-01T00:00:00Z
input_per_million = "1 USD"
output_per_million = "5 USD"
"#;
