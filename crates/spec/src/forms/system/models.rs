//! The forms of the kinds of models: the key that says where the model is says what kind it is.

use super::super::Absent::{Means, Required};
use super::super::{Form, Others, TableForm, field};
use super::table;

/// The kinds, by the key that tells them.
pub(super) const FORMS: &[(&str, &TableForm)] = &[
    ("onnx", &ONNX),
    ("rules", &RULES),
    ("http", &HTTP),
    ("provider", &OPENAI),
];

const ANSWER: Form = Form::Map("member", &Form::Cel);

static ONNX: TableForm = table(
    "A model in an ONNX file, run in process, as scikit-learn, LightGBM and XGBoost export them.",
    &[
        field(
            "onnx",
            Form::File,
            Required("name the file"),
            "The `.onnx` file.",
        ),
        field(
            "columns",
            Form::List(&Form::Text),
            Means("one input per column, by name"),
            "For a model with a single tensor as input: the columns of the tensor, in order.",
        ),
        field(
            "answer",
            ANSWER,
            Means("`label`, `probabilities` and `confidence` as they are"),
            "How the answer is made: each member is CEL over `label`, `probabilities`, `confidence` and `inputs`.",
        ),
    ],
);

static RULES: TableForm = table(
    "A table of rules: the first one that holds gives the answer.",
    &[field(
        "rules",
        Form::File,
        Required("name the file"),
        "The `rules.toml`.",
    )],
);

static HTTP: TableForm = table(
    "A predictor behind any HTTP API that speaks JSON.",
    &[
        field(
            "http",
            Form::Url { relative: true },
            Required("give the URL to POST to"),
            "Where to POST; with a `provider`, a path below its `base_url`.",
        ),
        field(
            "provider",
            Form::Name,
            Means("no key is sent"),
            "The provider of `plimsoll.toml` whose key is sent as a bearer token.",
        ),
        field(
            "request",
            Form::Text,
            Means("the row as JSON"),
            "The request's body: a MiniJinja template over `inputs`, as in `{\"data\": [{{ inputs | tojson }}]}`.",
        ),
        field(
            "label",
            Form::Text,
            Means("no label"),
            "JSON Pointer (RFC 6901) to the label in the response, as in `/prediction`.",
        ),
        field(
            "probabilities",
            Form::Text,
            Means("no confidence"),
            "JSON Pointer to the probability of the label, or to a map or list of probabilities.",
        ),
        field(
            "answer",
            ANSWER,
            Means("`label`, `probabilities` and `confidence`, or else the response as it is"),
            "How the answer is made: each member is CEL over `label`, `probabilities`, `confidence`, `response` and `inputs`.",
        ),
    ],
);

static OPENAI: TableForm = TableForm {
    about: "A language model behind an OpenAI-compatible API. Any other key is a parameter of the API, as `temperature`; what is fixed here overrides the caller's.",
    others: Others::Parameters,
    fields: &[
        field(
            "provider",
            Form::Name,
            Required("name the provider"),
            "The provider of `plimsoll.toml`.",
        ),
        field(
            "model",
            Form::Text,
            Required("give the provider's name for the model, as in model = \"gpt-5-mini\""),
            "The provider's name for the model.",
        ),
        field(
            "max_output_tokens",
            Form::Whole {
                min: 1,
                max: 10_000_000,
            },
            Means("the caller's limit"),
            "The most tokens an answer may have; a caller's larger or missing limit is set to it. Required under `[budget]`.",
        ),
    ],
};
