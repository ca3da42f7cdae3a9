//! Secrets are pointed at, read, and never shown.

use plimsoll_core::SystemName;
use plimsoll_spec::{Criticality, KeyScope};

use crate::folder::{Folder, loan, support};

const SECRET: &str = "hunter2-hunter2-hunter2";

#[test]
fn a_missing_variable_is_named() {
    let folder = loan().with(
        "plimsoll.toml",
        "[keys.web]\nsecret = { env = \"PLIMSOLL_KEY_WEB\" }\nsystems = [\"loan-default\"]\n",
    );
    insta::assert_snapshot!(folder.told(), @r#"
    error: the environment variable `PLIMSOLL_KEY_WEB` is not set
      --> plimsoll.toml:2:18
      |
    2 | secret = { env = "PLIMSOLL_KEY_WEB" }
      |                  ^^^^^^^^^^^^^^^^^^
      = help: `keys.web.secret` is read from it: set it before you start, as in `export PLIMSOLL_KEY_WEB=…`

    1 error
    "#);
}

#[test]
fn keys_are_read_from_where_they_are() {
    let folder = loan()
        .with("web.secret", &format!("{SECRET}\n"))
        .with("plimsoll.toml", "[server]\ndata_address = \"0.0.0.0:8080\"\n[keys.web]\nsecret = { file = \"web.secret\" }\nsystems = [\"loan-default\"]\ncriticality = \"critical\"\n[keys.all]\nsecret = { env = \"ALL\" }\nsystems = [\"*\"]\ntenant = \"acme\"\n")
        .env("ALL", "another-secret-of-some-length");
    let workspace = folder.workspace();
    let [web, all] = workspace.keys.as_slice() else {
        panic!("two keys")
    };
    assert_eq!(web.secret.expose(), SECRET);
    assert_eq!(web.criticality, Criticality::Critical);
    assert!(web.scope.allows(&SystemName::new("loan-default").unwrap()));
    assert!(!web.scope.allows(&SystemName::new("other").unwrap()));
    assert_eq!((all.tenant.as_str(), &all.scope), ("acme", &KeyScope::All));
    assert!(!format!("{workspace:?}").contains(SECRET));
}

#[test]
fn a_secret_that_was_written_down_is_never_repeated() {
    let files = [
        format!("[keys.web]\nsecret = \"{SECRET}\"\nsystms = [\"*\"]\n"),
        format!("keys.web = {{ secret = \"{SECRET}\", systms = [\"*\"] }}\n"),
        format!("[keys.web]\nsecert = \"{SECRET}\"\nsystems = [\"*\"]\n"),
        format!("[keys]\nweb = \"{SECRET}\"\n"),
        format!("[providers.openai]\nbase_url = \"https://me:{SECRET}@api.example.com\"\n"),
        format!("[providers.openai]\nbase_url = \"https://api.example.com\"\nkey = \"{SECRET}\"\n"),
        format!(
            "[providers.openai]\nbase_url = \"https://api.example.com\"\napi_key = \"{SECRET}\"\n"
        ),
        format!(
            "[providers.openai]\nbase_url = \"https://api.example.com\"\nheaders = {{ a = [\"{SECRET}\"] }}\n"
        ),
        format!(
            "[providers.openai]\nbase_url = \"https://api.example.com\"\nkey = {{ env = \"{SECRET}\" }}\n"
        ),
        format!("[keys.web]\nsecret = \"{SECRET}\nsystems = [\"*\"]\n"),
        format!("[keys.web]\nsecret = {SECRET}\n"),
        format!("api_key = \"{SECRET}\"\n"),
        format!("[server]\nnode = \"sk-{SECRET}\"\n"),
    ];
    for file in files {
        let folder = loan().with("plimsoll.toml", &file);
        let told = folder.told();
        assert!(told.contains("error"), "{file}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn no_value_of_the_environment_is_in_any_problem() {
    let folder = support()
        .with("plimsoll.toml", "[providers.openai]\nbase_url = \"https://api.example.com\"\nkey = { env = \"A\" }\n[keys.a]\nsecret = { env = \"B\" }\nsystems = [\"*\"]\n[keys.b]\nsecret = { env = \"B\" }\nsystems = [\"nothing\"]\n")
        .env("A", "two words hunter2")
        .env("B", "hunter2");
    let told = folder.told();
    assert!(!told.contains("hunter2"), "{told}");
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "plimsoll.toml:3 error: the secret of `providers.openai.key` is empty, or has characters that no HTTP header can hold",
        "plimsoll.toml:4 warning: the secret of key `a` has fewer than 16 bytes and could be guessed",
        "plimsoll.toml:7 error: keys `a` and `b` have the same secret: nobody could tell who asks",
        "plimsoll.toml:7 warning: the secret of key `b` has fewer than 16 bytes and could be guessed",
        "plimsoll.toml:9 error: there is no system `nothing`",
        "prices.toml:12 warning: there is no provider `anthropic`",
        "system.toml:19 error: there is no provider `anthropic`",
    ]
    "#);
}

#[test]
fn a_loopback_listener_may_be_open() {
    let workspace = loan().workspace();
    assert!(workspace.keys.is_empty());
    let empty = Folder::new().with("plimsoll.toml", "[keys]\n");
    assert!(empty.told().contains("`[keys]` names no key"));
}
