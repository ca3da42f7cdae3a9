//! What `plimsoll.toml` says of policies on attributes.

use super::super::Absent::Required;
use super::super::{Form, TableForm, field};
use super::table;

pub(super) static POLICY: TableForm = table(
    "A policy: under which circumstances somebody who has the role may do something on the control plane. Whatever denies, denies; where any policy on an action allows, one of them must hold.",
    &[
        field(
            "about",
            Form::Text,
            Required("say in one sentence what it is for: who is refused is told"),
            "What it is for, in one sentence, as whoever is refused is told.",
        ),
        field(
            "on",
            Form::List(&Form::Text),
            Required("name what it is about, as in on = [\"read\"]"),
            "What it is about: `read` (inputs and outputs), `change`, `step_in` (halting, falling back, revoking a key: never part of `change`), or single actions, as `deploy`; `plimsoll policy list` names them.",
        ),
        field(
            "effect",
            Form::Choice(&[
                ("deny", "whoever it holds for is refused"),
                (
                    "allow",
                    "whoever neither it nor another one holds for is refused",
                ),
            ]),
            Required("say what happens where it holds: deny or allow"),
            "What happens where it holds.",
        ),
        field(
            "when",
            Form::Cel,
            Required("say when it holds, as in when = 'purpose == \"curiosity\"'"),
            "When it holds: CEL over `actor` (`name`, `kind`, `roles`, `tenant`), `action` (`name`, `kind`), `resource` (`tenant`, `system`, `stakes`, `data_class`, `author`, `age_days`), `purpose`, `environment` and `time` (`hour`, `minute`, `weekday`, `date`, in `server.time_zone`). What is not known is an empty text.",
        ),
    ],
);
