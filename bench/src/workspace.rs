//! Workspaces for measuring: everything on (identity, limits, budget, contract, guards, record).

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::body;
use crate::client::Question;

/// The environment variables that workspaces take their secrets from, with what they hold here.
const SECRETS: [(&str, &str); 2] = [
    (
        "PLIMSOLL_BENCH_KEY",
        "bench-key-0123456789abcdef0123456789abcdef",
    ),
    ("PLIMSOLL_BENCH_PROVIDER_KEY", "simulated-provider-key"),
];

/// The system of each workspace.
const SYSTEM: &str = "bench";

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A rule table, recorded durably: no provider is asked.
    Rules,
    /// An LLM at the simulator.
    Llm {
        /// Whether it is recorded durably, rather than buffered.
        durable: bool,
        /// Whether output controls are on.
        output_controls: bool,
    },
}

/// A workspace on disk.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) folder: PathBuf,
    /// Where callers are served.
    pub(crate) address: SocketAddr,
    kind: Kind,
}

/// Where a workspace's server listens and whom it asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) data: SocketAddr,
    pub(crate) control: SocketAddr,
    pub(crate) upstream: SocketAddr,
}

impl Workspace {
    /// Writes a workspace into `folder`, which is made.
    pub(crate) fn write(folder: &Path, kind: Kind, addresses: Addresses) -> anyhow::Result<Self> {
        let system = folder.join("systems").join(SYSTEM);
        fs::create_dir_all(&system).with_context(|| format!("making {}", system.display()))?;
        let mut files = vec![
            (folder.join("plimsoll.toml"), server(addresses)),
            (folder.join("prices.toml"), PRICES.to_owned()),
            (system.join("runbook.md"), RUNBOOK.to_owned()),
        ];
        match kind {
            Kind::Rules => files.extend([
                (system.join("system.toml"), RULES_SYSTEM.to_owned()),
                (system.join("input.schema.json"), ROW_SCHEMA.to_owned()),
                (system.join("output.schema.json"), ANSWER_SCHEMA.to_owned()),
                (system.join("rules.toml"), RULES.to_owned()),
            ]),
            Kind::Llm {
                durable,
                output_controls,
            } => files.extend([
                (
                    system.join("system.toml"),
                    llm_system(durable, output_controls),
                ),
                (system.join("input.schema.json"), CHAT_SCHEMA.to_owned()),
            ]),
        }
        for (path, text) in files {
            fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        }
        // Servers are given absolute paths: they may have another working folder.
        let folder = fs::canonicalize(folder)?;
        Ok(Self {
            folder,
            address: addresses.data,
            kind,
        })
    }

    /// Gives the workspace a tree of four levels of limits beside its key and its budget; or takes key and
    /// budget out.
    pub(crate) fn account(&self, is_on: bool) -> anyhow::Result<()> {
        let server = self.folder.join("plimsoll.toml");
        let system = self.folder.join("systems").join(SYSTEM).join("system.toml");
        let (mut settings, mut about) =
            (fs::read_to_string(&server)?, fs::read_to_string(&system)?);
        if is_on {
            settings.push_str(LIMITS);
        } else {
            settings.truncate(settings.find("[keys.").unwrap_or(settings.len()));
            about = about.replace(BUDGET, "");
        }
        fs::write(server, settings)?;
        fs::write(system, about)?;
        Ok(())
    }

    /// `plimsoll ARGUMENTS --workspace FOLDER`, with the secrets in its environment.
    pub(crate) fn command(&self, plimsoll: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(plimsoll);
        command
            .args(arguments)
            .arg("--workspace")
            .arg(&self.folder)
            .envs(SECRETS);
        command
    }

    /// What is asked of it.
    pub(crate) fn question(&self, stream: bool) -> Question {
        let (path, body) = match self.kind {
            Kind::Rules => (format!("/v1/systems/{SYSTEM}/decisions"), body::row()),
            Kind::Llm { .. } => (body::CHAT.to_owned(), body::chat(SYSTEM, stream)),
        };
        Question {
            address: self.address,
            path,
            headers: vec![(
                "authorization".to_owned(),
                format!("Bearer {}", SECRETS[0].1),
            )],
            body,
            keys: None,
        }
    }
}

fn server(addresses: Addresses) -> String {
    let Addresses {
        data,
        control,
        upstream,
    } = addresses;
    format!(
        r#"[server]
data_address = "{data}"
control_address = "{control}"
currency = "USD"

[storage]
path = "data"

[log]
level = "warn"

[providers.sim]
protocol = "openai"
base_url = "http://{upstream}/v1"
key = {{ env = "{}" }}

[keys.bench]
secret = {{ env = "{}" }}
systems = ["*"]
"#,
        SECRETS[1].0, SECRETS[0].0
    )
}

fn llm_system(durable: bool, output_controls: bool) -> String {
    let record = if durable { "durable" } else { "buffered" };
    let guards = if output_controls { OUTPUT_GUARDS } else { "" };
    format!(
        r#"purpose = "Answer a question about an order, for measuring"
stakes = "limited"
unit = "question"
record = "{record}"
owner = {{ team = "bench", contact = "bench@example.com", on_call = "none", runbook = "runbook.md" }}

[models.primary]
provider = "sim"
model = "sim-small"
max_output_tokens = 400

[input]
schema = "input.schema.json"
{guards}
[deadline]
total = "20s"
first_token = "4s"
stall = "5s"

{BUDGET}
[on]
malformed = ["refuse"]
adversarial = ["refuse"]
unavailable = ["abstain"]
slow = ["abstain"]
wrong = ["abstain"]
over_budget = ["refuse"]
overload = ["shed"]

[abstain]
message = "I cannot answer this one."
"#
    )
}

const BUDGET: &str = r#"[budget]
per_unit = "0.05 USD"
per_day = "1000000 USD"
"#;

/// A tree of four levels, none of which is ever reached.
const LIMITS: &str = r#"
[limits.all]
per = "workspace"
requests = { minute = 1000000000 }
money = { month = "1000000 USD" }

[limits.tenants]
per = "tenant"
requests = { minute = 1000000000 }
tokens_out = { minute = 1000000000000 }
money = { month = "1000000 USD" }

[limits.keys]
per = "key"
requests = { minute = 1000000000 }
tokens_in = { day = 1000000000000 }
concurrency = 1000000

[limits.users]
per = "user"
requests = { hour = 1000000000 }
money = { day = "1000000 USD" }
"#;

const OUTPUT_GUARDS: &str = r#"
[guards.output]
phrases = { action = "block", list = ["as an ai language model", "my system prompt", "sk-live-", "internal use only"] }
"#;

const PRICES: &str = r#"[[price]]
provider = "sim"
model = "sim-small"
from = 2025-01-01
input_per_million = "0.25"
output_per_million = "2"
source = "made up for measuring"
"#;

const RUNBOOK: &str = "# Runbook\n\n## Stop the measurement\n\nPress Ctrl-C.\n";

const CHAT_SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["messages"],
  "properties": {
    "messages": {
      "type": "array", "minItems": 1, "maxItems": 64,
      "items": {
        "type": "object", "required": ["role", "content"],
        "properties": {
          "role": {"enum": ["system", "user", "assistant"]},
          "content": {"type": "string", "maxLength": 20000}
        }
      }
    }
  }
}
"#;

const RULES_SYSTEM: &str = r#"purpose = "Decide about a loan by rules, for measuring"
stakes = "high"
unit = "application"
owner = { team = "bench", contact = "bench@example.com", on_call = "none", runbook = "runbook.md" }

[models.primary]
rules = "rules.toml"

[input]
schema = "input.schema.json"
missing = "refuse"

[output]
schema = "output.schema.json"

[deadline]
total = "1s"

[on]
malformed = ["refuse"]
adversarial = ["refuse"]
unavailable = ["abstain"]
slow = ["abstain"]
wrong = ["abstain"]
over_budget = ["refuse"]
overload = ["shed"]

[abstain]
value = { decision = "refer" }
"#;

const ROW_SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["age", "income", "amount", "employment", "region", "months_with_us", "missed_payments", "score"],
  "properties": {
    "age": {"type": "integer", "minimum": 18, "maximum": 120},
    "income": {"type": "number", "minimum": 0, "maximum": 10000000},
    "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 100000},
    "employment": {"type": "string", "enum": ["permanent", "temporary", "self_employed", "none"]},
    "region": {"type": "string", "enum": ["north", "east", "south", "west"]},
    "months_with_us": {"type": "integer", "minimum": 0},
    "missed_payments": {"type": "integer", "minimum": 0},
    "score": {"type": "number", "minimum": 0, "maximum": 1}
  },
  "additionalProperties": false
}
"#;

const ANSWER_SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["decision"],
  "properties": {"decision": {"type": "string", "enum": ["approve", "decline", "refer"]}}
}
"#;

const RULES: &str = r#"[[rule]]
name = "too many missed payments"
when = "inputs.missed_payments > 3.0"
answer = { decision = "decline" }
confidence = 1.0

[[rule]]
name = "small loan, good score"
when = "inputs.amount <= 5000.0 && inputs.score > 0.6"
answer = { decision = "approve" }
confidence = 0.95

[default]
answer = { decision = "refer" }
"#;

#[cfg(test)]
mod tests {
    use super::*;

    struct Secrets;

    impl plimsoll_spec::Environment for Secrets {
        fn var(&self, name: &str) -> Option<String> {
            let found = SECRETS.iter().find(|(secret, _)| *secret == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn every_workspace_passes_check_without_a_warning() {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let addresses = Addresses {
            data: address,
            control: address,
            upstream: address,
        };
        let llm = |durable, output_controls| Kind::Llm {
            durable,
            output_controls,
        };
        for kind in [
            Kind::Rules,
            llm(false, true),
            llm(true, true),
            llm(true, false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let workspace = Workspace::write(folder.path(), kind, addresses).unwrap();
            let loaded = plimsoll_spec::load(&workspace.folder, &Secrets);
            let loaded = loaded.unwrap_or_else(|problems| panic!("{kind:?}\n{problems}"));
            assert!(
                loaded.warnings.is_empty(),
                "{kind:?}: {:?}",
                loaded.warnings
            );
        }
    }
}
