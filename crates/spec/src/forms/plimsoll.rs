//! The form of `plimsoll.toml`: the server, its storage, the providers and the keys.

use super::Absent::{Default, Means, Required};
use super::{Field, Form, Others, TableForm, field};

const fn table(about: &'static str, fields: &'static [Field]) -> TableForm {
    TableForm {
        about,
        fields,
        others: Others::Refused,
    }
}

pub(crate) static FORM: TableForm = table(
    "The workspace: its server, its storage, the providers of models and the keys of callers.",
    &[
        field(
            "server",
            Form::Table(&SERVER),
            Means("the defaults below"),
            "The listeners and their limits.",
        ),
        field(
            "storage",
            Form::Table(&STORAGE),
            Means("the defaults below"),
            "Where and how records are kept.",
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
            Form::Map("name", &Form::Table(&PROVIDER)),
            Means("no provider"),
            "Who runs models for us, by the name that systems use.",
        ),
        field(
            "keys",
            Form::Map("name", &Form::Table(&KEY)),
            Means("anyone on this machine may ask"),
            "What callers show to be let in, by the name that records use.",
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
            "Where operators connect. It must be a loopback address: this version has no sign-in for people.",
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
            "default_system",
            Form::Name,
            Means("such calls are refused"),
            "The system that answers to model names that name no system, as `gpt-5-mini`.",
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

static STORAGE: TableForm = table(
    "Where and how records are kept.",
    &[
        field(
            "path",
            Form::Path,
            Default("\"data\""),
            "The data folder, absolute or relative to the workspace's folder.",
        ),
        field(
            "segment",
            Form::Size,
            Default("\"64 MiB\""),
            "The size at which a journal segment is closed and the next begun.",
        ),
        field(
            "retention",
            Form::Table(&RETENTION),
            Means("for ever"),
            "For how long closed segments are kept; whichever bound comes first holds.",
        ),
        field(
            "queue",
            Form::Table(&QUEUE),
            Means("the defaults below"),
            "The queue in front of the journal.",
        ),
        field(
            "linger",
            Form::Duration,
            Default("\"200us\""),
            "For how long a commit waits for more durable records to join it.",
        ),
        field(
            "buffered_window",
            Form::Duration,
            Default("\"250ms\""),
            "The window of loss of buffered records: what a crash may take.",
        ),
    ],
);

static RETENTION: TableForm = table(
    "For how long closed segments are kept.",
    &[
        field(
            "age",
            Form::Duration,
            Means("no bound"),
            "The oldest a segment may become.",
        ),
        field(
            "bytes",
            Form::Size,
            Means("no bound"),
            "The most that segments and payloads may take.",
        ),
    ],
);

static QUEUE: TableForm = table(
    "The queue in front of the journal.",
    &[
        field(
            "bytes",
            Form::Size,
            Default("\"64 MiB\""),
            "How much may wait to be written.",
        ),
        field(
            "when_full",
            Form::Choice(&[
                ("shed", "the request is overload"),
                ("wait", "the request waits, within its deadline"),
            ]),
            Default("\"shed\""),
            "What happens to a request whose record finds the queue full.",
        ),
    ],
);

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

static PROVIDER: TableForm = table(
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

static KEY: TableForm = table(
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
