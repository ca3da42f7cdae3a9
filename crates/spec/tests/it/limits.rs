//! `[limits.…]` of `plimsoll.toml`.

use std::time::Duration;

use plimsoll_core::limits::{Level, Resource, Unnamed, Window};

use crate::folder::{Folder, loan};

const KEYS: &str = r#"
[server]
time_zone = "Europe/Berlin"
[keys.web]
secret = { env = "WEB" }
systems = ["*"]
tenant = "acme"
team = "search"
"#;

fn with_limits(limits: &str) -> Folder {
    loan()
        .with("plimsoll.toml", &format!("{KEYS}{limits}"))
        .env("WEB", "0123456789abcdef0123456789abcdef")
}

#[test]
fn every_key_of_a_limit_does_something() {
    let folder = with_limits(
        r#"
[limits.acme]
per = "tenant"
tenants = ["acme"]
teams = ["search"]
keys = ["web"]
systems = ["loan-default"]
requests = { minute = 600, day = 50000 }
tokens_in = { hour = 1000000 }
tokens_out = { month = 9000000 }
money = { day = "50 USD" }
concurrency = 20
members_max = 7
[limits.agents]
per = "session"
requests = { session = 40 }
time = "30m"
life = "12h"
unnamed = "refuse"
"#,
    );
    let limits = folder.workspace().limits;
    assert_eq!(limits.time_zone.iana_name(), Some("Europe/Berlin"));
    let [acme, agents] = limits.limits.try_into().unwrap();
    assert_eq!(
        (acme.per, acme.concurrency, acme.members_max),
        (Level::Tenant, Some(20), 7)
    );
    assert_eq!(acme.scope.systems.len(), 1);
    assert_eq!(acme.unnamed, Unnamed::Share);
    let ceilings: Vec<_> = acme
        .ceilings
        .iter()
        .map(|c| (c.resource, c.window, c.most))
        .collect();
    assert_eq!(
        ceilings,
        [
            (Resource::Requests, Window::Minute, 600),
            (Resource::Requests, Window::Day, 50_000),
            (Resource::TokensIn, Window::Hour, 1_000_000),
            (Resource::TokensOut, Window::Month, 9_000_000),
            (Resource::Money, Window::Day, 50_000_000_000_000),
        ]
    );
    assert_eq!(agents.time, Some(Duration::from_secs(1800)));
    assert_eq!(
        (agents.life, agents.unnamed),
        (Duration::from_hours(12), Unnamed::Refuse)
    );
}

#[test]
fn what_a_limit_could_not_keep_is_said() {
    for (limits, problem) in [
        ("[limits.a]\nper = \"tenant\"\n", "limit `a` bounds nothing"),
        ("[limits.a]\nper = \"tenat\"\nconcurrency = 1\n", "tenat"),
        (
            "[limits.a]\nper = \"key\"\nrequests = { minut = 5 }\n",
            "minut",
        ),
        (
            "[limits.a]\nper = \"key\"\nrequests = { session = 5 }\n",
            "a key has no `session` to count in",
        ),
        (
            "[limits.a]\nper = \"key\"\nrequests = { day = 5 }\ntime = \"5m\"\n",
            "`time` does nothing with per = \"key\"",
        ),
        (
            "[limits.a]\nper = \"key\"\nmoney = { day = \"5 EUR\" }\n",
            "EUR",
        ),
        (
            "[limits.a]\nper = \"session\"\ntime = \"48h\"\n",
            "is over before `time` is",
        ),
        (
            "[limits.a]\nper = \"key\"\nsystems = [\"loan\"]\nconcurrency = 1\n",
            "there is no system `loan`",
        ),
        (
            "[limits.a]\nper = \"key\"\nrequests = { month = 5 }\n[storage]\nretention = { age = \"20d\" }\n",
            "a limit counts for longer",
        ),
    ] {
        let problems = with_limits(limits).load().unwrap_err().to_string();
        assert!(problems.contains(problem), "{limits}{problems}");
    }
    let zone = loan().with("plimsoll.toml", "[server]\ntime_zone = \"Europe/Berlim\"\n");
    let problems = zone.load().unwrap_err().to_string();
    assert!(
        problems.contains("did you mean `Europe/Berlin`?"),
        "{problems}"
    );
}

#[test]
fn a_limit_on_a_tenant_that_no_key_has_is_warned_of() {
    let folder =
        with_limits("[limits.a]\nper = \"tenant\"\ntenants = [\"acne\"]\nconcurrency = 1\n");
    let warnings = folder.workspace().warnings;
    let text: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let text = text.join("\n");
    assert!(
        text.contains("no key of `[keys]` is of tenant `acne`"),
        "{text}"
    );
    assert!(text.contains("did you mean `acme`?"), "{text}");
}

#[test]
fn an_unpriced_or_endless_model_under_a_limit_is_an_error() {
    let chat = "purpose = \"Answer\"\nstakes = \"low\"\nunit = \"ticket\"\n\
        [owner]\nteam = \"a\"\ncontact = \"a@example.com\"\n\
        [models.primary]\nprovider = \"sim\"\nmodel = \"m\"\n[abstain]\nmessage = \"no\"\n";
    let provider = "[providers.sim]\nbase_url = \"http://127.0.0.1:9/v1\"\n";
    let folder = |limit: &str, system: &str| {
        Folder::new()
            .with("plimsoll.toml", &format!("{provider}{limit}"))
            .with("systems/answers/system.toml", system)
    };
    let money = "[limits.all]\nper = \"workspace\"\nmoney = { day = \"5 USD\" }\n";
    let problems = folder(money, chat).load().unwrap_err().to_string();
    assert!(
        problems.contains("model `primary` has no price, so a limit on money"),
        "{problems}"
    );
    assert!(
        problems.contains("costs has no bound, so a limit on money"),
        "{problems}"
    );
    let tokens = "[limits.all]\nper = \"workspace\"\ntokens_out = { day = 500 }\n";
    let problems = folder(tokens, chat).load().unwrap_err().to_string();
    assert!(
        problems.contains("has no bound, so a limit on `tokens_out`"),
        "{problems}"
    );
    let elsewhere =
        "[limits.all]\nper = \"workspace\"\nsystems = [\"other\"]\nmoney = { day = \"5 USD\" }\n";
    let both = folder(elsewhere, chat)
        .with(
            "systems/other/system.toml",
            &chat.replace(
                "[models.primary]\nprovider = \"sim\"\nmodel = \"m\"\n",
                "[models.primary]\nprovider = \"sim\"\nmodel = \"m\"\nmax_output_tokens = 5\n",
            ),
        )
        .with("prices.toml", "");
    let problems = both.load().unwrap_err().to_string();
    assert_eq!(
        problems.matches("could not be kept").count(),
        1,
        "{problems}"
    );
    let bounded = chat.replace("model = \"m\"", "model = \"m\"\nmax_output_tokens = 9");
    let prices = "[[price]]\nprovider = \"sim\"\nmodel = \"m\"\nfrom = 2026-01-01\ninput_per_million = \"1\"\noutput_per_million = \"2\"\n";
    folder(money, &bounded)
        .with("prices.toml", prices)
        .workspace();
}

#[test]
fn nodes_share_limits_through_redis_by_reference() {
    let shared = "[limits.acme]\nper = \"tenant\"\nmoney = { month = \"50 USD\" }\n[storage]\npepper = { env = \"PEPPER\" }\n[storage.redis]\nurl = { env = \"URL\" }\n";
    let with = |text: &str, url: &str| {
        with_limits(text)
            .env("URL", url)
            .env("PEPPER", "0123456789abcdef0123456789abcdef")
    };
    let url = "rediss://plimsoll:correct-horse@redis:6379/0";
    let redis = with(shared, url).workspace().storage.redis.unwrap();
    assert_eq!(redis.url.expose(), url);
    assert_eq!((redis.lease.as_secs(), redis.wait.as_millis()), (30, 100));
    let set = format!("{shared}lease = \"1m\"\nwait = \"0ms\"\n");
    let redis = with(&set, url).workspace().storage.redis.unwrap();
    assert_eq!((redis.lease.as_secs(), redis.wait.as_millis()), (60, 0));
    let wrong =
        format!("{shared}lease = \"1s\"\nwait = \"6s\"\n").replace("50 USD", "9000000000 USD");
    let problems = with(&wrong, "https://redis.example.com:swordfish@x").told();
    for told in [
        "must be from 2s to 10m",
        "must be at most 5s",
        "is not the URL of a Redis or Valkey server",
        "nodes share money from 0.000001",
    ] {
        assert!(problems.contains(told), "{told}: {problems}");
    }
    assert!(!problems.contains("swordfish"));
    let plain = shared.replace("{ env = \"URL\" }", "\"redis://:swordfish@redis\"");
    let problems = with(&plain, url).told();
    assert!(
        problems.contains("storage.redis.url") && !problems.contains("swordfish"),
        "{problems}"
    );
}
