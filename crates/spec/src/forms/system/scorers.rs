//! The forms of scorers: the key that says what is looked at says what kind of scorer it is.

use super::super::Absent::{Default, Means, Required};
use super::super::{Field, Form, TableForm, field};
use super::table;

/// The kinds, by the key that tells them.
pub(super) const FORMS: &[(&str, &TableForm)] = &[
    ("exact", &EXACT),
    ("matches", &MATCHES),
    ("contains", &CONTAINS),
    ("regex", &REGEX),
    ("number", &NUMBER),
    ("json_schema", &JSON_SCHEMA),
    ("json_diff", &JSON_DIFF),
    ("overlap", &OVERLAP),
    ("edit_distance", &EDIT_DISTANCE),
    ("tool_calls", &TOOL_CALLS),
    ("latency", &LATENCY),
    ("cost", &COST),
    ("refusal", &REFUSAL),
    ("classification", &CLASSIFICATION),
    ("regression", &REGRESSION),
    ("judge", &JUDGE),
    ("command", &COMMAND),
];

const SHARE: Form = Form::Number { min: 0.0, max: 1.0 };

/// The key that tells the kind: which member of the answer is looked at.
const fn looks_at(key: &'static str) -> Field {
    field(
        key,
        Form::Text,
        Required("name a member of the answer, or `.` for the whole"),
        "The member of the answer that is looked at, as in `answer.sources`; `.` is the whole.",
    )
}

const EXPECT: Field = field(
    "expect",
    Form::Text,
    Means("the member of the same name"),
    "The member of the case's `expect` that it is held against.",
);

const PASS: Field = field(
    "pass",
    SHARE,
    Means("the mean score is the metric"),
    "From which score on an answer passes: then the metric is the share that passes.",
);

const TAG: Field = field(
    "tag",
    Form::Text,
    Means("all cases"),
    "Only cases with this tag are scored.",
);

const IGNORE_CASE: Field = field(
    "ignore_case",
    Form::Flag,
    Default("false"),
    "Whether upper and lower case are the same.",
);

const ORDERED: Field = field(
    "ordered",
    Form::Flag,
    Default("false"),
    "Whether order counts.",
);

static EXACT: TableForm = table(
    "The two are the same; numbers by value.",
    &[looks_at("exact"), EXPECT, IGNORE_CASE, TAG],
);

static MATCHES: TableForm = table(
    "The answer has all members that are expected, and may have more.",
    &[looks_at("matches"), EXPECT, TAG],
);

static CONTAINS: TableForm = table(
    "The text contains what is expected: a text, or every text of a list.",
    &[
        looks_at("contains"),
        EXPECT,
        TAG,
        IGNORE_CASE,
        field(
            "any",
            Form::Flag,
            Default("false"),
            "One text of the list is enough.",
        ),
    ],
);

static REGEX: TableForm = table(
    "The text matches a regular expression.",
    &[
        looks_at("regex"),
        EXPECT,
        TAG,
        field(
            "pattern",
            Form::Text,
            Means("it stands in the case's `expect`"),
            "The expression.",
        ),
    ],
);

static NUMBER: TableForm = table(
    "The number is near the expected one.",
    &[
        looks_at("number"),
        EXPECT,
        TAG,
        field(
            "within",
            Form::Number {
                min: 0.0,
                max: 1e300,
            },
            Default("0"),
            "How far it may be off.",
        ),
        field(
            "relative",
            Form::Flag,
            Default("false"),
            "Whether `within` is a share of the expected number.",
        ),
    ],
);

static JSON_SCHEMA: TableForm = table(
    "The answer fits a JSON Schema.",
    &[
        looks_at("json_schema"),
        TAG,
        field(
            "schema",
            Form::File,
            Required("name the file"),
            "The schema.",
        ),
    ],
);

static JSON_DIFF: TableForm = table(
    "The share of leaves, of either, that are the same in both.",
    &[looks_at("json_diff"), EXPECT, PASS, TAG],
);

static OVERLAP: TableForm = table(
    "How much two lists have in common: the harmonic mean of precision and recall.",
    &[looks_at("overlap"), EXPECT, ORDERED, PASS, TAG],
);

static EDIT_DISTANCE: TableForm = table(
    "One minus the edits between two texts, as a share of the longer.",
    &[looks_at("edit_distance"), EXPECT, PASS, TAG],
);

static TOOL_CALLS: TableForm = table(
    "The tools that are called, with at least the expected arguments.",
    &[looks_at("tool_calls"), EXPECT, ORDERED, PASS, TAG],
);

static LATENCY: TableForm = table(
    "The answer came in time.",
    &[
        field(
            "latency",
            Form::Duration,
            Required("say how long, as in \"2s\""),
            "At most.",
        ),
        TAG,
    ],
);

static COST: TableForm = table(
    "The answer cost no more than this.",
    &[
        field(
            "cost",
            Form::Money,
            Required("say how much, as in \"0.01 USD\""),
            "At most.",
        ),
        TAG,
    ],
);

static REFUSAL: TableForm = table(
    "What should be refused was refused, and nothing else: by the system, or in the answer's words.",
    &[
        looks_at("refusal"),
        TAG,
        field(
            "expect",
            Form::Text,
            Default("\"refuse\""),
            "The member of the case's `expect` that says so: true or false.",
        ),
    ],
);

static CLASSIFICATION: TableForm = table(
    "A class was predicted. Gives accuracy, precision, recall, f1; with a probability auc, log_loss, brier, ece.",
    &[
        looks_at("classification"),
        EXPECT,
        TAG,
        field(
            "positive",
            Form::Any,
            Means("several classes, each counting the same"),
            "The class in the expectation that is called positive, as in `1` or `\"fraud\"`.",
        ),
        field(
            "predicted",
            Form::Any,
            Means("by `threshold` with a probability, else `positive`"),
            "What the answer says when it predicts the positive class, as in `\"approve\"`.",
        ),
        field(
            "probability",
            Form::Text,
            Means("none is given"),
            "The member of the answer with the probability of the positive class.",
        ),
        field(
            "threshold",
            SHARE,
            Default("0.5"),
            "From which probability on it counts as predicted.",
        ),
    ],
);

static REGRESSION: TableForm = table(
    "A number was predicted. Gives mae, rmse and r2.",
    &[looks_at("regression"), EXPECT, TAG],
);

static JUDGE: TableForm = table(
    "Another system of the workspace says. Advisory until it was held against people's labels.",
    &[
        field(
            "judge",
            Form::Name,
            Required("name the system that judges"),
            "The system.",
        ),
        field(
            "task",
            Form::Choice(TASKS),
            Required("say what it judges"),
            "What it is asked for.",
        ),
        field(
            "rubric",
            Form::Text,
            Means("none; `task = \"rubric\"` needs one"),
            "What the answer has to do.",
        ),
        field(
            "at",
            Form::Text,
            Default("\".\""),
            "The member of the answer that it is shown.",
        ),
        EXPECT,
        TAG,
        field(
            "sources",
            Form::Text,
            Means("none; `task = \"groundedness\"` needs them"),
            "The member of the case's input, or else of its `expect`, with the sources.",
        ),
        field(
            "pass",
            SHARE,
            Default("0.5"),
            "From which score on an answer passes.",
        ),
    ],
);

const TASKS: &[(&str, &str)] = &[
    ("rubric", "whether the answer does what the rubric says"),
    (
        "factuality",
        "whether it says the same as the expected answer",
    ),
    (
        "groundedness",
        "whether the sources bear out all that it says",
    ),
    (
        "pairwise",
        "whether it is better than the expected answer; asked in both orders",
    ),
];

static COMMAND: TableForm = table(
    "A program scores: it reads `{case, input, expect, answer, decision}` as JSON and writes `{\"score\": 0.5, \"note\": \"…\"}`.",
    &[
        field(
            "command",
            Form::List(&Form::Text),
            Required("name the program and its arguments, as in [\"python3\", \"score.py\"]"),
            "The program and its arguments, run in the system's folder.",
        ),
        field(
            "timeout",
            Form::Duration,
            Default("\"10s\""),
            "For which it may run.",
        ),
        PASS,
        TAG,
    ],
);
