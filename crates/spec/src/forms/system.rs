//! The form of `system.toml`: one AI system.

mod behaviour;
mod conduct;
mod guards;
mod models;
mod monitors;
mod scorers;
mod tools;

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
    "One AI system: one purpose, one owner, one contract. Its name is that of its folder.",
    &[
        field(
            "purpose",
            Form::Text,
            Required("say in one sentence what the system is for"),
            "What the system is for, in one sentence.",
        ),
        field(
            "stakes",
            Form::Choice(STAKES),
            Required("say how much depends on its answers: low, limited or high"),
            "How much depends on its answers: picks the defaults.",
        ),
        field(
            "unit",
            Form::Text,
            Default("\"decision\""),
            "What the business counts: a ticket, an application, a page.",
        ),
        field(
            "data_class",
            Form::Choice(DATA_CLASSES),
            Means("unclassified"),
            "How sensitive is what it is asked and answers: for `[policies]`, which decide who reads it.",
        ),
        field(
            "owner",
            Form::Table(&OWNER),
            Means("nobody: the bar says so"),
            "Who owns it.",
        ),
        field(
            "mode",
            Form::Choice(MODES),
            Default("\"enforce\""),
            "Whether controls act, or only tell what they would have done.",
        ),
        field(
            "models",
            Form::Map("name", &Form::Tagged(models::FORMS)),
            Required("give it at least [models.primary]"),
            "The models, by name; `primary` is asked first, the others by the ladders of `[on]`.",
        ),
        field(
            "prompt",
            Form::Table(&behaviour::PROMPT),
            Means("callers send messages"),
            "The prompt that makes a language model a typed function.",
        ),
        field(
            "artifacts",
            Form::Map("name", &Form::File),
            Means("none"),
            "Whatever other files shape behaviour: part of the release.",
        ),
        field(
            "input",
            Form::Table(&behaviour::INPUT),
            Means("anything that is JSON"),
            "What inputs must look like.",
        ),
        field(
            "output",
            Form::Table(&behaviour::OUTPUT),
            Means("anything"),
            "What outputs must look like.",
        ),
        field(
            "guards",
            Form::Table(&guards::GUARDS),
            Means("none"),
            "Detectors on what comes in and what goes out, each with an action.",
        ),
        field(
            "tools",
            Form::Map("name", &Form::Table(&tools::TOOL)),
            Means("whatever the caller offers"),
            "The tools that answers may call, by name.",
        ),
        field(
            "on",
            Form::Table(&conduct::ON),
            Means("safe defaults, which the bar counts as missing"),
            "The designed answer to each kind of failure: a ladder of steps, tried in order. A step is the name of a model, `repair`, `last_good`, or one that ends the ladder: `refuse`, `shed`, `abstain`, `review`.",
        ),
        field(
            "deadline",
            Form::Table(&conduct::DEADLINE),
            Means("the defaults below"),
            "The time limits.",
        ),
        field(
            "retry",
            Form::Table(&conduct::RETRY),
            Means("the defaults below"),
            "How often a model is asked again after a passing failure.",
        ),
        field(
            "budget",
            Form::Table(&conduct::BUDGET),
            Means("no limit"),
            "The money limits.",
        ),
        field(
            "abstain",
            Form::Table(&conduct::ABSTAIN),
            Means("the system never abstains"),
            "What is given when the system abstains.",
        ),
        field(
            "review",
            Form::Table(&conduct::REVIEW),
            Means("nobody is asked"),
            "How a person is asked.",
        ),
        field(
            "record",
            Form::Choice(&[
                (
                    "buffered",
                    "the answer may leave before its record is on disk",
                ),
                ("durable", "the answer leaves after its record is on disk"),
            ]),
            Means("by the stakes: high is `durable`"),
            "When an answer may leave in relation to its record.",
        ),
        field(
            "payloads",
            Form::Choice(&[
                ("none", "nothing"),
                (
                    "redacted",
                    "the shape, numbers and truths; texts by their length",
                ),
                ("full", "everything, encrypted"),
            ]),
            Means("by the stakes: `none`, `redacted`, `full`"),
            "How much of inputs and outputs is kept.",
        ),
        field(
            "in_flight_max",
            Form::Whole {
                min: 1,
                max: 1_000_000,
            },
            Means("as `server.in_flight_max`"),
            "How many requests of this system are answered at a time before more are overload.",
        ),
        field(
            "release",
            Form::Table(&conduct::RELEASE),
            Means("by the stakes"),
            "How a new release comes into use.",
        ),
        field(
            "bar",
            Form::Table(&conduct::BAR),
            Means("by the stakes"),
            "What the bar asks for, where it differs from the default of the stakes.",
        ),
        field(
            "monitors",
            Form::Table(&monitors::MONITORS),
            Means("nothing is watched"),
            "What is watched while the system serves.",
        ),
        field(
            "quality",
            Form::Table(&conduct::QUALITY),
            Means("not watched"),
            "How quality is watched.",
        ),
    ],
);

const STAKES: &[(&str, &str)] = &[
    ("low", "a wrong answer is a nuisance"),
    ("limited", "a wrong answer costs time or money"),
    ("high", "a wrong answer changes somebody's life"),
];

const DATA_CLASSES: &[(&str, &str)] = &[
    ("public", "anybody may know it"),
    ("internal", "it is for the organisation"),
    ("confidential", "it would do harm if it became known"),
    ("personal", "it is about people (GDPR Art. 4)"),
    (
        "special",
        "it is of a special category, as health or belief (GDPR Art. 9)",
    ),
];

const MODES: &[(&str, &str)] = &[
    ("enforce", "controls act"),
    (
        "observe",
        "nothing is enforced; what would have been done is recorded",
    ),
];

static OWNER: TableForm = table(
    "Who owns the system.",
    &[
        field("team", Form::Text, Means("unsaid"), "The team."),
        field("contact", Form::Text, Means("unsaid"), "How to reach it."),
        field(
            "on_call",
            Form::Text,
            Means("unsaid"),
            "Whom to wake, as `pagerduty:credit-risk`.",
        ),
        field(
            "runbook",
            Form::File,
            Means("none"),
            "The runbook in Markdown: each `## ` heading is a step.",
        ),
    ],
);
