//! `[monitors]` of `system.toml`: what is watched while the system serves.

use super::super::Absent::{Default, Means, Required};
use super::super::{Field, Form, TableForm, field};
use super::table;

const SEVERITIES: &[(&str, &str)] = &[
    ("page", "somebody should look at it now"),
    ("warning", "somebody should look at it today"),
    ("ticket", "somebody should look at it some day"),
];

const ACTIONS: &[(&str, &str)] = &[
    (
        "fall_back",
        "the primary model is asked no more: the ladder of `unavailable` answers",
    ),
    ("halt", "no model is asked any more"),
    (
        "roll_back",
        "the stable slot goes back to the release before",
    ),
    (
        "hold",
        "no release is deployed or promoted while the alarm stands",
    ),
    (
        "raise_sampling",
        "ten times the `sample` of `[quality]` is scored while it stands",
    ),
    (
        "retrain",
        "the webhook that `retrain` names is told what there is to learn from",
    ),
    (
        "review",
        "a review is opened in the queue of `[review]`, with what the alarm rests on",
    ),
];

pub(in crate::forms) static MONITORS: TableForm = table(
    "What is watched while the system serves. Each table below switches a monitor on.",
    &[
        field(
            "between_false_alarms",
            Form::Whole {
                min: 1_000,
                max: 1_000_000_000,
            },
            Default("100000"),
            "How many decisions lie between two false alarms of one monitor, on average, at least.",
        ),
        field(
            "reference",
            Form::File,
            Means("inputs and answers are not watched"),
            "What inputs and answers are held against, as `plimsoll monitor reference` writes it; part of the release.",
        ),
        field(
            "window",
            Form::Whole {
                min: 200,
                max: 1_000_000,
            },
            Default("1000"),
            "After how many rows inputs and answers are held against the reference.",
        ),
        field(
            "silent_after",
            Form::Duration,
            Means("never"),
            "After how long without a decision that is an alarm.",
        ),
        field(
            "retrain",
            Form::Text,
            Means("nobody"),
            "The webhook of `[alerts]` that the action `retrain` tells.",
        ),
        field(
            "errors",
            Form::Table(&RATE),
            Means("not watched"),
            "Models that fail: unavailable, slow, wrong.",
        ),
        field(
            "refusals",
            Form::Table(&RATE),
            Means("not watched"),
            "Decisions that were refused.",
        ),
        field(
            "fallbacks",
            Form::Table(&RATE),
            Means("not watched"),
            "Decisions that a later step of a ladder answered, or that abstained.",
        ),
        field(
            "doubt",
            Form::Table(&RATE),
            Means("not watched"),
            "How unsure the model is: one less its confidence.",
        ),
        field(
            "overrides",
            Form::Table(&RATE),
            Means("not watched"),
            "Answers that a person gave in place of the one that a model proposed.",
        ),
        field(
            "guard_hits",
            Form::Table(&RATE),
            Means("not watched"),
            "Guards that found something.",
        ),
        field(
            "schema_failures",
            Form::Table(&RATE),
            Means("not watched"),
            "Answers that did not have the form that they must have.",
        ),
        field(
            "latency",
            Form::Table(&LEVEL),
            Means("not watched"),
            "How long decisions take, against what was usual.",
        ),
        field(
            "cost",
            Form::Table(&LEVEL),
            Means("not watched"),
            "What decisions cost, against what was usual.",
        ),
        field(
            "availability",
            Form::Table(&LEVEL),
            Means("not watched"),
            "How fast the error budget of `[bar] availability` burns, in the windows of the SRE workbook.",
        ),
        field(
            "features",
            Form::Table(&LEVEL),
            Means("not watched"),
            "The inputs, column by column, against `reference`.",
        ),
        field(
            "predictions",
            Form::Table(&LEVEL),
            Means("not watched"),
            "The answers against the columns of `reference` that begin with `answer.`.",
        ),
        field(
            "estimated_error",
            Form::Table(&ESTIMATED),
            Means("not watched"),
            "How often the model is wrong, estimated from its own confidence while there are no labels.",
        ),
        field(
            "realised_error",
            Form::Table(&REALISED),
            Means("not watched"),
            "How often labels say that the answer was wrong, as they come.",
        ),
        field(
            "truth",
            Form::Table(&TRUTH),
            Means("not watched"),
            "What turned out to be true against what the model's confidence promised.",
        ),
        field(
            "evals",
            Form::Table(&LEVEL),
            Means("watched if `[quality]` says `every`"),
            "That the eval set is asked on schedule of what is deployed, and does not regress.",
        ),
        field(
            "scores",
            Form::Table(&LEVEL),
            Means("watched if `[quality]` says `sample`"),
            "What scorers say of the sample, each against its target, or against what was usual.",
        ),
    ],
);

const ON_ALARM: Field = field(
    "on_alarm",
    Form::List(&Form::Choice(ACTIONS)),
    Means("nothing"),
    "What is done when it is raised; each is an event that names the alarm.",
);

static RATE: TableForm = table(
    "A rate against its bar.",
    &[
        field(
            "bar",
            Form::Number { min: 0.0, max: 1.0 },
            Means("learnt from the first 1000 decisions, and a tenth more"),
            "The mean that is still well, between 0 and 1.",
        ),
        field(
            "severity",
            Form::Choice(SEVERITIES),
            Means("`page` for errors and schema failures, else `warning`"),
            "How much an alarm matters.",
        ),
        ON_ALARM,
    ],
);

static LEVEL: TableForm = table(
    "Something that is watched without a bar of its own.",
    &[
        field(
            "severity",
            Form::Choice(SEVERITIES),
            Means("`page` for availability, `ticket` for features, else `warning`"),
            "How much an alarm matters.",
        ),
        ON_ALARM,
    ],
);

const ERROR_BAR: Field = field(
    "bar",
    Form::Number { min: 0.0, max: 1.0 },
    Means(
        "a tenth more than the error on the rows that `reference` was calibrated on (`--held-out`), or the upper end of \
         its interval if that is more; without them learnt from the first 1000",
    ),
    "The mean error that is still well, between 0 and 1.",
);

static ESTIMATED: TableForm = table(
    "One less the model's confidence, calibrated by `reference` if that says what it is worth.",
    &[
        ERROR_BAR,
        field(
            "severity",
            Form::Choice(SEVERITIES),
            Default("\"warning\""),
            "How much an alarm matters.",
        ),
        ON_ALARM,
    ],
);

static REALISED: TableForm = table(
    "Labels as they come, against the error that is usual.",
    &[
        field(
            "label",
            Form::Name,
            Required(
                "name the label that is true when the answer was right, as in label = \"right\"",
            ),
            "The label: its value is true if the answer was right.",
        ),
        ERROR_BAR,
        field(
            "severity",
            Form::Choice(SEVERITIES),
            Default("\"page\""),
            "How much an alarm matters.",
        ),
        ON_ALARM,
    ],
);

static TRUTH: TableForm = table(
    "Labels against the model's confidence, day by day.",
    &[
        field(
            "label",
            Form::Name,
            Required(
                "name the label that is true when the answer was right, as in label = \"right\"",
            ),
            "The label: its value is true if the answer was right.",
        ),
        field(
            "matured_after",
            Form::Duration,
            Default("\"30d\""),
            "After how long most labels of a day have come; a day is judged then, once.",
        ),
        field(
            "severity",
            Form::Choice(SEVERITIES),
            Default("\"page\""),
            "How much an alarm matters.",
        ),
        ON_ALARM,
    ],
);
