//! `plimsoll.toml` and `prices.toml`: every key does something.

use std::time::Duration;

use plimsoll_core::Timestamp;
use plimsoll_core::decision::{Cost, CostBasis, Usage};
use plimsoll_spec::prices::{Bound, Used};
use plimsoll_spec::{LogFormat, LogLevel, ProviderProtocol, WhenFull};

use crate::folder::{Folder, loan};

const EVERYTHING: &str = r#"
[server]
data_address = "127.0.0.1:9000"
control_address = "[::1]:9001"
environment = "staging"
node = "node-7"
currency = "EUR"
default_system = "loan-default"
in_flight_max = 7
body_max = "2 MiB"
header_timeout = "1s"
body_timeout = "2s"
idle_timeout = "3s"
drain = "4s"
workers = 3
rows_max = 5
[storage]
path = "/var/lib/plimsoll"
segment = "8 MiB"
retention = { age = "400d", bytes = "50 GiB", payloads = "90d", regimes = ["eu-gdpr"] }
queue = { bytes = "2 MiB", when_full = "wait" }
linger = "100us"
buffered_window = "50ms"
[storage.postgres]
url = { env = "DATABASE" }
migrate = { env = "DATABASE_OWNER" }
[audit]
enabled = false
origin = "example.com/plimsoll/node-7"
checkpoint = "5s"
copy = "checkpoints"
[onnx]
library = ".runtime/libonnxruntime.so"
[log]
format = "json"
level = "debug"
[providers.scorer]
protocol = "http"
base_url = "https://score.example.com/"
"#;

fn everything() -> Folder {
    loan()
        .with("plimsoll.toml", EVERYTHING)
        .with(
            "systems/loan-default/system.toml",
            &crate::folder::LOAN_SYSTEM.replace("USD", "EUR"),
        )
        .env("ORT_DYLIB_PATH", "/opt/ort.so")
        .env("DATABASE", "postgres://plimsoll:hunter2@db/plimsoll")
        .env("DATABASE_OWNER", "postgres://owner:hunter3@db/plimsoll")
}

#[test]
fn every_key_of_the_server_is_read() {
    let workspace = everything().workspace();
    let server = &workspace.server;
    let ports = (server.data_address.port(), server.control_address.port());
    assert_eq!(ports, (9000, 9001));
    let names = (
        server.environment.as_str(),
        server.node.as_str(),
        server.currency.as_str(),
    );
    assert_eq!(names, ("staging", "node-7", "EUR"));
    assert_eq!(
        server.default_system.as_ref().unwrap().as_str(),
        "loan-default"
    );
    let limits = (server.in_flight_max, server.body_bytes_max, server.rows_max);
    assert_eq!(limits, (7, 2 << 20, 5));
    let times = [
        server.header_timeout,
        server.body_timeout,
        server.idle_timeout,
        server.drain,
    ];
    assert_eq!(times.map(|time| time.as_secs()), [1, 2, 3, 4]);
    assert_eq!(server.workers.unwrap().get(), 3);
    let manifest = &workspace.systems.values().next().unwrap().manifest;
    let of_system = (manifest.in_flight_max, manifest.input.rows_max);
    assert_eq!(
        of_system,
        (7, 5),
        "what a system does not say, the server says"
    );
}

#[test]
fn every_other_key_is_read() {
    let workspace = everything().workspace();
    let storage = &workspace.storage;
    assert_eq!(storage.path.to_str(), Some("/var/lib/plimsoll"));
    assert_eq!(
        (storage.segment_bytes, storage.queue.bytes),
        (8 << 20, 2 << 20)
    );
    assert_eq!(storage.queue.when_full, WhenFull::Wait);
    assert_eq!(
        storage.retention.age,
        Some(Duration::from_secs(400 * 86_400))
    );
    assert_eq!(storage.retention.bytes, Some(50 << 30));
    assert_eq!(storage.linger, Duration::from_micros(100));
    assert_eq!(storage.buffered_window, Duration::from_millis(50));
    assert_eq!(
        workspace.onnx.library,
        Some(workspace.root.join(".runtime/libonnxruntime.so"))
    );
    assert_eq!(
        workspace.onnx.library_of_environment,
        Some("/opt/ort.so".into())
    );
    assert_eq!(
        (workspace.log.format, workspace.log.level),
        (LogFormat::Json, LogLevel::Debug)
    );
    let provider = workspace.providers.values().next().unwrap();
    assert_eq!(provider.protocol, ProviderProtocol::Http);
    assert_eq!(provider.base_url, "https://score.example.com");
}

#[test]
fn every_key_about_records_is_read() {
    let workspace = everything().workspace();
    let retention = &workspace.storage.retention;
    assert_eq!(retention.payloads, Some(Duration::from_secs(90 * 86_400)));
    assert_eq!(retention.regimes, ["eu-gdpr"]);
    let postgres = workspace.storage.postgres.as_ref().unwrap();
    assert!(postgres.url.expose().contains("plimsoll:hunter2"));
    assert!(
        postgres
            .migrate
            .as_ref()
            .unwrap()
            .expose()
            .contains("owner:hunter3")
    );
    assert!(!format!("{workspace:?}").contains("hunter"));
    let audit = &workspace.audit;
    assert_eq!(
        (audit.enabled, audit.origin.as_str(), audit.checkpoint),
        (false, "example.com/plimsoll/node-7", Duration::from_secs(5))
    );
    assert_eq!(audit.copy, Some(workspace.root.join("checkpoints")));
    let again = everything().workspace().storage;
    assert_eq!(workspace.storage, again, "nothing changed");
}

#[test]
fn an_audit_log_is_kept_unless_somebody_says_otherwise() {
    let workspace = loan().workspace();
    let audit = &workspace.audit;
    assert!(audit.enabled && audit.copy.is_none());
    assert_eq!(audit.origin, "plimsoll.invalid/node-1");
    assert_eq!(audit.checkpoint, Duration::from_secs(10));
    assert_eq!(workspace.storage.postgres, None);
}

#[test]
fn the_audit_log_and_the_database_are_held_to_their_rules() {
    let folder = loan()
        .with("plimsoll.toml", "[audit]\nenabled = \"yes\"\norigin = \"https://example.com/a+b\"\ncheckpoint = \"1m\"\ncopy = \"data/copy\"\n[storage.postgres]\nurl = { env = \"DATABASE\" }\nmigrate = { env = \"DATABASE\" }\n")
        .env("DATABASE", "mysql://plimsoll:hunter2@db/plimsoll");
    assert!(!folder.told().contains("hunter2"), "{}", folder.told());
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "plimsoll.toml:2 error: `audit.enabled` must be true or false, not a text",
        "plimsoll.toml:3 error: `audit.origin` is not the name of a log",
        "plimsoll.toml:4 error: `audit.checkpoint` must be from 100ms to 10s",
        "plimsoll.toml:5 warning: the copy lies in the data folder: whoever changes one can change the other",
        "plimsoll.toml:6 warning: nodes may share this database, and this one has a pepper of its own: keys that others give are unknown here",
        "plimsoll.toml:7 error: `storage.postgres.url` is not the URL of a PostgreSQL database",
        "plimsoll.toml:8 error: `storage.postgres.migrate` is not the URL of a PostgreSQL database",
        "plimsoll.toml:8 error: `url` and `migrate` are the same: the node would own the tables that it must not",
    ]
    "#);
    let folder = loan().with(
        "plimsoll.toml",
        "[storage.postgres]\nmigrate = \"postgres://a:hunter2@b\"\n",
    );
    assert!(!folder.told().contains("hunter2"), "{}", folder.told());
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "plimsoll.toml:1 error: `[storage.postgres]` has no `url`",
        "plimsoll.toml:2 error: `storage.postgres.migrate` must say where the secret is, not hold it",
    ]
    "#);
}

const PRICES: &str = r#"
[[price]]
provider = "local"
model = "loan-default/primary"
from = 2026-01-01
per_second = "0.01"
[[price]]
provider = "local"
model = "gpt"
from = 2026-02-01
input_per_million = "2"
cached_input_per_million = "0.5"
output_per_million = "10"
per_request = "0.001"
[[price]]
provider = "local"
model = "gpt"
from = 2026-01-01
input_per_million = "4"
"#;

fn priced() -> Folder {
    loan().with("prices.toml", PRICES)
}

#[test]
fn a_cost_is_that_of_the_price_that_held() {
    let prices = priced().workspace().prices;
    let usage = Usage {
        input_tokens: 1_000,
        cached_tokens: 400,
        output_tokens: 100,
        ..Usage::default()
    };
    let used = |usage, micros| Used { usage, micros };
    let at = |day: &str| {
        prices.cost(
            "local",
            "gpt",
            Timestamp::parse(day).unwrap(),
            used(Some(&usage), 10),
        )
    };
    assert_eq!(at("2026-02-01").amount.to_string(), "0.0034");
    assert_eq!(at("2026-02-01").basis, CostBasis::Measured);
    assert_eq!(
        at("2026-01-31T23:59:59Z").amount.to_string(),
        "0.004",
        "cached input costs as other input unless it says"
    );
    assert_eq!(at("2025-12-31"), Cost::FREE);
    let now = Timestamp::parse("2026-03-01").unwrap();
    let bound = Bound {
        input_tokens: 1_000_000,
        output_tokens: 1_000_000,
        micros: 0,
    };
    assert_eq!(
        prices.cost("local", "gpt", now, used(None, 10)),
        Cost::UNKNOWN,
        "nobody counted the tokens"
    );
    assert_eq!(
        prices
            .cost("local", "loan-default/primary", now, used(None, 1_000))
            .amount
            .to_string(),
        "0.00001"
    );
    assert_eq!(
        prices.cost("openai", "gpt", now, used(Some(&usage), 10)),
        Cost::UNKNOWN
    );
    assert_eq!(
        prices
            .ceiling("local", "gpt", now, bound)
            .unwrap()
            .to_string(),
        "12.001"
    );
    assert_eq!(prices.ceiling("openai", "gpt", now, bound), None);
    assert_ne!(prices.digest(), loan().workspace().prices.digest());
}

#[test]
fn every_kind_of_price_is_read_and_long_calls_have_their_own() {
    let kinds = r#"
[[price]]
provider = "local"
model = "omni"
from = 2026-01-01
checked = 2026-02-03
source = "https://example.com/prices"
input_per_million = "1"
image_input_per_million = "2"
audio_input_per_million = "3"
output_per_million = "4"
reasoning_per_million = "5"
image_output_per_million = "6"
audio_output_per_million = "7"
[[price]]
provider = "local"
model = "omni"
from = 2026-01-01
over_input_tokens = 1000
input_per_million = "10"
[[price]]
provider = "people"
model = "credit"
from = 2026-01-01
per_request = "2.50"
per_second = "0.01"
[[price]]
provider = "people"
model = "claims"
from = 2026-01-01
per_request = "4"
"#;
    let prices = loan().with("prices.toml", kinds).workspace().prices;
    let now = Timestamp::parse("2026-03-01").unwrap();
    let cost = |input_tokens, rest: Usage| {
        let usage = Usage {
            input_tokens,
            ..rest
        };
        let used = Used {
            usage: Some(&usage),
            micros: 0,
        };
        let cost = prices.cost("local", "omni", now, used);
        assert_eq!(cost.basis, CostBasis::Measured);
        cost.amount.to_string()
    };
    assert_eq!(cost(1_000, Usage::default()), "0.001");
    assert_eq!(cost(1_001, Usage::default()), "0.01001", "a long call");
    let written = Usage {
        image_input_tokens: 10,
        audio_input_tokens: 20,
        output_tokens: 100,
        reasoning_tokens: 10,
        image_output_tokens: 20,
        audio_output_tokens: 30,
        ..Usage::default()
    };
    assert_eq!(cost(100, written), "0.00069");
    let price = prices.price("local", "omni", now, 1).unwrap();
    assert_eq!(price.checked, Timestamp::parse("2026-02-03").ok());
    let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
    let told = prices.review("credit", now, minutes(5)).unwrap();
    assert_eq!(told.amount.to_string(), "5.5");
    assert_eq!(told.basis, CostBasis::Estimated);
    assert_eq!(prices.review("credit", now, None), Some(Cost::UNKNOWN));
    let flat = prices.review("claims", now, None).unwrap();
    assert_eq!(flat.amount.to_string(), "4");
    assert_eq!(prices.review("other", now, None), None);
}

#[test]
fn a_price_for_long_calls_alone_and_people_by_the_token_are_no_prices() {
    let folder = loan().with("prices.toml", "[[price]]\nprovider = \"local\"\nmodel = \"a\"\nfrom = 2026-01-01\nover_input_tokens = 5\nper_request = \"1\"\n[[price]]\nprovider = \"people\"\nmodel = \"credit\"\nfrom = 2026-01-01\ninput_per_million = \"1\"\n");
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "prices.toml:5 error: shorter calls have no price from this day on",
        "prices.toml:11 error: people are not paid by the token",
    ]
    "#);
}

const OPENAI: &str = "[server]\nCURRENCY\n[providers.main]\nbase_url = \"https://api.openai.com/v1\"\n[providers.other]\nbase_url = \"https://gateway.example.com/v1\"\n";

#[test]
fn the_binarys_prices_hold_where_the_workspace_has_none_of_its_own() {
    let own = "[[price]]\nprovider = \"main\"\nmodel = \"gpt-5.4-mini\"\nfrom = 2026-08-01\ninput_per_million = \"0.5\"\n";
    let workspace = |currency: &str, prices: &str| {
        let server = OPENAI.replace("CURRENCY", currency);
        let folder = loan().with("plimsoll.toml", &server);
        let system = crate::folder::LOAN_SYSTEM.replace("USD", "EUR");
        let folder = if currency.is_empty() {
            folder
        } else {
            folder.with("systems/loan-default/system.toml", &system)
        };
        folder.with("prices.toml", prices).workspace().prices
    };
    let prices = workspace("", own);
    let input = |provider, model, day: &str| {
        let at = Timestamp::parse(day).unwrap();
        let price = prices.price(provider, model, at, 1);
        price.map(|price| price.input_per_million.unwrap().to_string())
    };
    let mini = |day| input("main", "gpt-5.4-mini", day);
    assert_eq!(mini("2026-07-01").as_deref(), Some("0.75"));
    assert_eq!(
        mini("2026-08-01").as_deref(),
        Some("0.5"),
        "the workspace's"
    );
    assert_eq!(mini("2020-01-01"), None, "nobody knows what held then");
    assert_eq!(input("other", "gpt-5.4-mini", "2026-08-01"), None);
    assert_eq!(input("main", "nobody-knows", "2026-08-01"), None);
    let long = prices.price(
        "main",
        "gpt-5.4",
        Timestamp::parse("2026-08-01").unwrap(),
        272_001,
    );
    assert_eq!(long.unwrap().input_per_million.unwrap().to_string(), "5");
    let euros = workspace("currency = \"EUR\"", "");
    assert!(euros.is_empty(), "dollars are not euros");
    assert!(!workspace("", "").is_empty());
}

#[test]
fn prices_are_held_to_their_rules() {
    let folder = loan().with("prices.toml", "[[price]]\nprovider = \"opnai\"\nmodel = \"gpt\"\nfrom = 2026-01-01\nper_request = 2\n[[price]]\nprovider = \"local\"\nmodel = \"a\"\nfrom = \"soon\"\nper_request = \"1 EUR\"\n[[price]]\nprovider = \"local\"\nmodel = \"b\"\nfrom = 2026-01-01\n[[price]]\nprovider = \"local\"\nmodel = \"b\"\nfrom = 2026-01-01\nper_request = \"-1\"\n");
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "prices.toml:2 warning: there is no provider `opnai`",
        "prices.toml:5 error: `price.per_request` must be a price in quotes, not a number",
        "prices.toml:9 error: `price.from` is not a day",
        "prices.toml:10 error: `price.per_request` is not a price: `1 EUR`",
        "prices.toml:11 error: the price has no amount",
        "prices.toml:18 error: the price of `b` from this day on stands above already",
        "prices.toml:19 error: `price.per_request` is not a price: `-1`",
    ]
    "#);
}

#[test]
fn storage_has_sane_bounds() {
    let folder = loan().with("plimsoll.toml", "[server]\ncontrol_address = \"127.0.0.1:8080\"\nbody_timeout = \"0s\"\n[storage]\nsegment = \"1 KiB\"\nqueue = { bytes = \"1 KiB\" }\nlinger = \"2s\"\nbuffered_window = \"1h\"\n[providers.local]\nbase_url = \"https://a.example.com/v1/chat/completions\"\n");
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "plimsoll.toml:2 error: the two listeners have the same address",
        "plimsoll.toml:3 error: `body_timeout` is zero: nothing could arrive in time",
        "plimsoll.toml:5 error: `storage.segment` must be from 1 MiB to 4 GiB",
        "plimsoll.toml:6 error: `storage.queue.bytes` must be at least 1 MiB: a record may be that large",
        "plimsoll.toml:7 error: `storage.linger` must be at most 100ms: each durable answer waits for it",
        "plimsoll.toml:8 error: `storage.buffered_window` must be more than zero and at most 10s",
        "plimsoll.toml:9 error: no provider may be called `local`: prices of models without a provider go by it",
        "plimsoll.toml:10 error: `base_url` is the API's base, not one of its routes",
    ]
    "#);
}
