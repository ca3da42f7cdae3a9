//! The form of `rules.toml`: a table of rules that answers like a model.

use super::Absent::{Default, Means, Required};
use super::{Form, Others, TableForm, field};

pub(crate) static FORM: TableForm = TableForm {
    about: "A table of rules: the first one that holds gives the answer.",
    others: Others::Refused,
    fields: &[
        field(
            "rule",
            Form::List(&Form::Table(&RULE)),
            Means("no rule"),
            "One rule; write each as a `[[rule]]`, in the order in which they are tried.",
        ),
        field(
            "default",
            Form::Table(&DEFAULT),
            Means("then there is no answer, which is `unsure`"),
            "What is answered when no rule holds.",
        ),
    ],
};

const CONFIDENCE: Form = Form::Number { min: 0.0, max: 1.0 };

static RULE: TableForm = TableForm {
    about: "One rule.",
    others: Others::Refused,
    fields: &[
        field(
            "name",
            Form::Text,
            Required("name it: the name stands in the record of each decision that it makes"),
            "The rule's name, as records show it.",
        ),
        field(
            "when",
            Form::Cel,
            Required("say when it holds, in CEL over `inputs`"),
            "When it holds: CEL over `inputs`. Numbers are floating-point, so write `2.0 * inputs.x`.",
        ),
        field(
            "answer",
            Form::Any,
            Required("give its answer, as in answer = { decision = \"refer\" }"),
            "The answer.",
        ),
        field(
            "confidence",
            CONFIDENCE,
            Default("1.0"),
            "How sure the rule is of it, from 0 to 1.",
        ),
    ],
};

static DEFAULT: TableForm = TableForm {
    about: "What is answered when no rule holds.",
    others: Others::Refused,
    fields: &[
        field(
            "answer",
            Form::Any,
            Required("give the answer, as in answer = { decision = \"refer\" }"),
            "The answer.",
        ),
        field(
            "confidence",
            CONFIDENCE,
            Default("1.0"),
            "How sure the table is of it, from 0 to 1.",
        ),
    ],
};
