//! The form of `[tools]`: the boundary of an agent.

use super::super::Absent::{Means, Required};
use super::super::{Form, TableForm, field};
use super::table;

pub(super) static TOOL: TableForm = table(
    "A tool that answers may call. With `[tools]`, calls of all others are refused.",
    &[
        field(
            "effect",
            Form::Choice(&[
                ("none", "it reads what the caller may read anyway"),
                (
                    "external",
                    "it sends, writes, pays, or reaches a place that others choose",
                ),
            ]),
            Required("say what it does to the world: effect = \"none\" or \"external\""),
            "What it does to the world. After results of tools, or roles that nobody knows, a call with external effect is withheld: that is `adversarial`.",
        ),
        field(
            "schema",
            Form::File,
            Means("any object"),
            "JSON Schema of its arguments. Arguments that it does not name are refused.",
        ),
        field(
            "policy",
            Form::Cel,
            Means("none"),
            "CEL over `args` that must hold.",
        ),
        field(
            "hosts",
            Form::List(&Form::Text),
            Means("any that is public"),
            "The hosts that addresses among its arguments may lead to, by HTTPS.",
        ),
    ],
);
