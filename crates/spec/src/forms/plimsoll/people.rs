//! What `plimsoll.toml` says of those who ask: providers are asked by us, callers and operators ask us.

use super::super::Absent::{Default, Means, Required};
use super::super::roles::ROLES;
use super::super::{Form, TableForm, field};
use super::table;

pub(super) static PROVIDER: TableForm = table(
    "Who runs models for us.",
    &[
        field(
            "protocol",
            Form::Choice(&[
                ("openai", "as OpenAI's chat completions"),
                ("http", "JSON over HTTP, as a system's `http` models say"),
            ]),
            Default("\"openai\""),
            "How the provider is spoken to.",
        ),
        field(
            "base_url",
            Form::Url { relative: false },
            Required("give the API's base, as in base_url = \"https://api.openai.com/v1\""),
            "The API's base.",
        ),
        field(
            "key",
            Form::Secret,
            Means("none is sent"),
            "Where the key is that is sent as a bearer token.",
        ),
    ],
);

pub(super) static KEY: TableForm = table(
    "What a caller shows to be let in.",
    &[
        field(
            "secret",
            Form::Secret,
            Required("say where it is, as in secret = { env = \"PLIMSOLL_KEY_WEB\" }"),
            "Where the secret is that callers send as a bearer token.",
        ),
        field(
            "systems",
            Form::List(&Form::Text),
            Required("name the systems that it may use, or [\"*\"] for all of them"),
            "The systems that it may use; `[\"*\"]` for all.",
        ),
        field(
            "tenant",
            Form::Name,
            Default("\"default\""),
            "Whose it is: tenants never see each other's decisions.",
        ),
        field(
            "criticality",
            Form::Choice(&[
                ("sheddable", "may be shed at any time"),
                ("normal", "served unless there is too much of it"),
                ("critical", "shed last"),
            ]),
            Default("\"normal\""),
            "The highest criticality that its requests may claim.",
        ),
    ],
);

pub(super) static OPERATOR: TableForm = table(
    "Somebody who works on the control plane under their own name: whatever `plimsoll-actor` says, records name them.",
    &[
        field(
            "token",
            Form::Secret,
            Required("say where it is, as in token = { env = \"PLIMSOLL_OPERATOR_ANN\" }"),
            "Where the token is that they send as a bearer token: at least 16 characters.",
        ),
        field(
            "roles",
            Form::List(&Form::Choice(ROLES)),
            Required("say what they may do, as in roles = [\"operator\"]"),
            "What they may do beside reading what holds no payload.",
        ),
        field(
            "tenant",
            Form::Name,
            Means("the whole installation"),
            "The one tenant that they work for: they see and change nothing of others, and nothing that all share.",
        ),
    ],
);
