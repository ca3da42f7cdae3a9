//! What `plimsoll.toml` says of how much may be used by whom.

use super::super::Absent::{Default, Means, Required};
use super::super::{Field, Form, TableForm, field};
use super::table;

pub(super) static LIMIT: TableForm = table(
    "One limit: whose allowance it is, which requests count on it, and how much it allows. A request counts on every limit that takes it, and is let in by all of them or by none.",
    &[
        field(
            "per",
            Form::Choice(&[
                ("workspace", "all requests together have one"),
                ("tenant", "each tenant has one"),
                (
                    "team",
                    "each team of a tenant has one; keys without a team have none",
                ),
                ("key", "each key has one"),
                (
                    "user",
                    "each end user of a tenant has one, whatever key is used",
                ),
                ("session", "each session of a tenant has one"),
                ("system", "each system has one, over all tenants"),
            ]),
            Required("say whose allowance it is, as in per = \"tenant\""),
            "Whose allowance it is. An end user is who `plimsoll-subject` names, a session what `plimsoll-session` names.",
        ),
        field(
            "tenants",
            NAMES,
            EVERYBODY,
            "Only requests of these tenants count.",
        ),
        field(
            "teams",
            NAMES,
            EVERYBODY,
            "Only requests with keys of these teams count.",
        ),
        field(
            "keys",
            NAMES,
            EVERYBODY,
            "Only requests with these keys count.",
        ),
        field(
            "systems",
            NAMES,
            Means("all"),
            "Only requests to these systems count.",
        ),
        field(
            "requests",
            Form::Table(&COUNTS),
            NO_BOUND,
            "Decisions: each row of a batch is one, refused ones too.",
        ),
        field(
            "tokens_in",
            Form::Table(&COUNTS),
            NO_BOUND,
            "Tokens that models read, in every attempt: retries, repairs and fallbacks too.",
        ),
        field(
            "tokens_out",
            Form::Table(&COUNTS),
            NO_BOUND,
            "Tokens that models write, in every attempt. Models under it need `max_output_tokens`.",
        ),
        field(
            "money",
            Form::Table(&AMOUNTS),
            NO_BOUND,
            "What attempts cost, each of them. Models under it need a price and `max_output_tokens`.",
        ),
        field(
            "concurrency",
            Form::Whole {
                min: 1,
                max: 1_000_000,
            },
            NO_BOUND,
            "Requests at a time.",
        ),
        field(
            "time",
            Form::Duration,
            NO_BOUND,
            "With per = \"session\": how long after its first request a session may go on; a stream ends then too.",
        ),
        field(
            "life",
            Form::Duration,
            Default("\"24h\""),
            "With per = \"session\": how long after its first request a session's usage counts. Then its name begins a new session.",
        ),
        field(
            "unnamed",
            Form::Choice(&[
                ("share", "those of one key share one allowance"),
                ("pass", "they do not count on the limit"),
                ("refuse", "they are refused"),
            ]),
            Means("`share` for end users, `pass` for sessions"),
            "With per = \"user\" or \"session\": what becomes of requests that name none.",
        ),
        field(
            "members_max",
            Form::Whole {
                min: 1,
                max: 1_000_000,
            },
            Default("50000"),
            "How many tenants, users, sessions, … are remembered one by one. Beyond that, those not met for longest are folded into 1,024 places that keep the most that anybody in them used: nobody gets a budget back, some may find less. Foldings are counted in `plimsoll_limits_folded_total`.",
        ),
    ],
);

const NAMES: Form = Form::List(&Form::Name);
const EVERYBODY: super::super::Absent = Means("everybody's");
const NO_BOUND: super::super::Absent = Means("no bound");

static COUNTS: TableForm = table(
    "How many in which time, by the calendar of `server.time_zone`.",
    &windows(COUNT),
);

static AMOUNTS: TableForm = table(
    "How much in which time, by the calendar of `server.time_zone`.",
    &windows(Form::Money),
);

const COUNT: Form = Form::Whole {
    min: 1,
    max: 1_000_000_000_000,
};

const fn windows(form: Form) -> [Field; 5] {
    [
        field("minute", form, NO_BOUND, "In a minute of the clock."),
        field("hour", form, NO_BOUND, "In an hour of the clock."),
        field("day", form, NO_BOUND, "In a day of the calendar."),
        field("month", form, NO_BOUND, "In a month of the calendar."),
        field(
            "session",
            form,
            NO_BOUND,
            "In the life of a session, with per = \"session\".",
        ),
    ]
}
