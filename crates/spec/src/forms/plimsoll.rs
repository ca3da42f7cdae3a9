//! The form of `plimsoll.toml`: the server, its records, the providers, the keys and the operators.

mod alerts;
mod identity;
mod limits;
mod people;
mod policies;
mod records;

use super::Absent::{Default, Means};
use super::{Field, Form, Others, TableForm, field};

const fn table(about: &'static str, fields: &'static [Field]) -> TableForm {
    TableForm {
        about,
        fields,
        others: Others::Refused,
    }
}

pub(crate) static FORM: TableForm = table(
    "The workspace: its server, its records, the providers of models, the keys of callers and the operators.",
    &[
        field(
            "server",
            Form::Table(&SERVER),
            Means("the defaults below"),
            "The listeners and their limits.",
        ),
        field(
            "storage",
            Form::Table(&records::STORAGE),
            Means("the defaults below"),
            "Where and how records are kept.",
        ),
        field(
            "audit",
            Form::Table(&records::AUDIT),
            Means("the defaults below"),
            "How records are made provable.",
        ),
        field(
            "onnx",
            Form::Table(&ONNX),
            Means("the defaults below"),
            "Where ONNX Runtime is.",
        ),
        field(
            "log",
            Form::Table(&LOG),
            Means("the defaults below"),
            "How the process tells of itself.",
        ),
        field(
            "providers",
            Form::Map("name", &Form::Table(&people::PROVIDER)),
            Means("no provider"),
            "Who runs models for us, by the name that systems use.",
        ),
        field(
            "keys",
            Form::Map("name", &Form::Table(&people::KEY)),
            Means("anyone on this machine may ask"),
            "What callers show to be let in, by the name that records use.",
        ),
        field(
            "limits",
            Form::Map("name", &Form::Table(&limits::LIMIT)),
            Means("no limit beside those of each system"),
            "How much may be used by whom, by the name that refusals use.",
        ),
        field(
            "alerts",
            Form::Map("name", &Form::Tagged(alerts::RECEIVERS)),
            Means("nobody is told"),
            "Who is told of alarms, by the name that records use.",
        ),
        field(
            "operators",
            Form::Map("name", &Form::Table(&people::OPERATOR)),
            Means(
                "nobody but the owner, who has `operator.token` of the data folder and every role",
            ),
            "Who works on the control plane, by the name that records use.",
        ),
        field(
            "oidc",
            Form::Table(&identity::OIDC),
            Means(
                "people sign in with a local password, as `plimsoll user` makes it, and in no other way",
            ),
            "The identity provider through which people sign in to the control plane.",
        ),
        field(
            "policies",
            Form::Map("name", &Form::Table(&policies::POLICY)),
            Means("those that always hold, which `plimsoll policy list` shows"),
            "Under which circumstances operators may do what their roles let them, by the name that refusals and records use.",
        ),
    ],
);

static SERVER: TableForm = table(
    "The listeners and their limits.",
    &[
        field(
            "data_address",
            Form::Address,
            Default("\"127.0.0.1:8080\""),
            "Where callers connect. An address that other machines can reach needs `[keys]`.",
        ),
        field(
            "control_address",
            Form::Address,
            Default("\"127.0.0.1:8081\""),
            "Where operators connect. It must be a loopback address: tokens go over plain HTTP.",
        ),
        field(
            "environment",
            Form::Name,
            Default("\"production\""),
            "The environment that this node serves: each has its own deployments, data and bar.",
        ),
        field(
            "node",
            Form::Name,
            Default("\"node-1\""),
            "The node's own name: it is the one writer of its journal.",
        ),
        field(
            "currency",
            Form::Choice(CURRENCIES),
            Default("\"USD\""),
            "The one currency of the workspace, in which all money is written.",
        ),
        field(
            "time_zone",
            Form::Text,
            Default("\"UTC\""),
            "The time zone in which the days and months of `[limits]` begin, as the IANA database names it.",
        ),
        field(
            "default_system",
            Form::Name,
            Means("such calls are refused"),
            "The system that answers to model names that name no system, as `gpt-5-mini`.",
        ),
        field(
            "require_keys",
            Form::Flag,
            Default("false"),
            "Whether callers need a key in any case. Without it, anyone on this machine may ask as long as no key was ever given.",
        ),
        field(
            "in_flight_max",
            Form::Whole {
                min: 1,
                max: 1_000_000,
            },
            Default("1024"),
            "How many requests are answered at a time before more are overload.",
        ),
        field(
            "body_max",
            Form::Size,
            Default("\"1 MiB\""),
            "The largest request body.",
        ),
        field(
            "header_timeout",
            Form::Duration,
            Default("\"10s\""),
            "For the head of a request to arrive.",
        ),
        field(
            "body_timeout",
            Form::Duration,
            Default("\"10s\""),
            "For the body of a request to arrive.",
        ),
        field(
            "idle_timeout",
            Form::Duration,
            Default("\"75s\""),
            "For how long an idle connection is kept open.",
        ),
        field(
            "drain",
            Form::Duration,
            Default("\"20s\""),
            "For how long requests under way may go on after a stop was asked for.",
        ),
        field(
            "workers",
            Form::Whole { min: 1, max: 1024 },
            Means("one per core"),
            "Worker threads of the data plane.",
        ),
        field(
            "rows_max",
            Form::Whole {
                min: 1,
                max: 1_000_000,
            },
            Default("10000"),
            "The most rows in one call, unless the system says otherwise.",
        ),
        field(
            "on_control_loss",
            Form::Choice(&[
                ("serve", "it goes on with what stood last"),
                ("halt", "it halts every system until it hears again"),
            ]),
            Default("\"serve\""),
            "What a node does that has heard nothing from the database that the nodes share for `control_loss`: it cannot know whether somebody halted a system.",
        ),
        field(
            "control_loss",
            Form::Duration,
            Default("\"10s\""),
            "For how long a node may hear nothing before `on_control_loss` holds; at least `3s`, as an intervention may take two seconds to arrive.",
        ),
        field(
            "tls",
            Form::NotYet(
                "let a proxy in front end TLS, and keep `data_address` on the loopback address",
            ),
            Means("no TLS"),
            "Certificates for the data listener. Not in this version.",
        ),
    ],
);

/// The active codes of ISO 4217 that are in wide use.
const CURRENCIES: &[(&str, &str)] = &[
    ("USD", "US dollar"),
    ("EUR", "euro"),
    ("GBP", "pound sterling"),
    ("CHF", "Swiss franc"),
    ("JPY", "yen"),
    ("CNY", "yuan"),
    ("INR", "Indian rupee"),
    ("AUD", "Australian dollar"),
    ("CAD", "Canadian dollar"),
    ("NZD", "New Zealand dollar"),
    ("SEK", "Swedish krona"),
    ("NOK", "Norwegian krone"),
    ("DKK", "Danish krone"),
    ("PLN", "złoty"),
    ("CZK", "Czech koruna"),
    ("HUF", "forint"),
    ("RON", "Romanian leu"),
    ("BRL", "Brazilian real"),
    ("MXN", "Mexican peso"),
    ("ZAR", "rand"),
    ("SGD", "Singapore dollar"),
    ("HKD", "Hong Kong dollar"),
    ("KRW", "won"),
    ("TWD", "new Taiwan dollar"),
    ("IDR", "rupiah"),
    ("THB", "baht"),
    ("TRY", "Turkish lira"),
    ("ILS", "new shekel"),
    ("AED", "UAE dirham"),
    ("SAR", "Saudi riyal"),
];

static ONNX: TableForm = table(
    "Where ONNX Runtime is looked for. Without `library`: where `ORT_DYLIB_PATH` says, then in `.runtime/`.",
    &[field(
        "library",
        Form::Path,
        Means("see above"),
        "The shared library (`libonnxruntime.so.1.26.0`), absolute or relative to the workspace's folder.",
    )],
);

static LOG: TableForm = table(
    "How the process tells of itself. Logs never hold a prompt, a secret or a payload.",
    &[
        field(
            "format",
            Form::Choice(&[
                ("text", "for people"),
                ("json", "for programs, one object per line"),
            ]),
            Default("\"text\""),
            "The form of a line.",
        ),
        field(
            "level",
            Form::Choice(&[
                ("error", "somebody must act"),
                ("warn", "and somebody should look"),
                ("info", "and what happened"),
                ("debug", "and what led to it"),
                ("trace", "everything"),
            ]),
            Default("\"info\""),
            "The least important lines that are written.",
        ),
    ],
);
