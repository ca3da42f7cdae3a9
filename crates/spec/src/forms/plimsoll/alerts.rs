//! `[alerts]` of `plimsoll.toml`: who is told of alarms.

use super::super::Absent::{Default, Means, Required};
use super::super::{Field, Form, TableForm, field};
use super::table;

const SEVERITIES: &[(&str, &str)] = &[
    ("page", "only what somebody should look at now"),
    ("warning", "and what somebody should look at today"),
    ("ticket", "all"),
];

const SYSTEMS: Field = field(
    "systems",
    Form::List(&Form::Text),
    Means("all systems"),
    "Of which systems it is told.",
);
const LEAST: Field = field(
    "least",
    Form::Choice(SEVERITIES),
    Default("\"ticket\""),
    "The least severity that it is told of.",
);
const AFTER: Field = field(
    "after",
    Form::Duration,
    Means("at once"),
    "It is told only of alarms that still stand after so long: how an alarm is escalated.",
);
const PRIVATE: Field = field(
    "private",
    Form::Flag,
    Default("false"),
    "Whether its address may be one of this machine or of a private network. Without it such an address is never called, whatever its name resolves to.",
);

pub(in crate::forms) static RECEIVERS: &[(&str, &TableForm)] = &[
    ("webhook", &WEBHOOK),
    ("slack", &SLACK),
    ("pagerduty", &PAGERDUTY),
    ("alertmanager", &ALERTMANAGER),
];

static WEBHOOK: TableForm = table(
    "A receiver of ours: JSON, signed as Standard Webhooks asks for.",
    &[
        field(
            "webhook",
            Form::Url { relative: false },
            Required("give the address, as in webhook = \"https://example.com/alerts\""),
            "The address.",
        ),
        field(
            "secret",
            Form::Secret,
            Required("say where it is, as in secret = { env = \"PLIMSOLL_ALERTS\" }"),
            "Where the secret is that signs: `whsec_` and base64, or any text of at least 16 characters.",
        ),
        SYSTEMS,
        LEAST,
        AFTER,
        PRIVATE,
    ],
);

static SLACK: TableForm = table(
    "An incoming webhook of Slack.",
    &[
        field(
            "slack",
            Form::Secret,
            Required("say where its address is, as in slack = { env = \"PLIMSOLL_SLACK\" }"),
            "Where the address is: who knows it may post.",
        ),
        SYSTEMS,
        LEAST,
        AFTER,
        PRIVATE,
    ],
);

static PAGERDUTY: TableForm = table(
    "PagerDuty, by its Events API v2.",
    &[
        field(
            "pagerduty",
            Form::Secret,
            Required("say where its key is, as in pagerduty = { env = \"PLIMSOLL_PAGERDUTY\" }"),
            "Where the integration's routing key is.",
        ),
        field(
            "url",
            Form::Url { relative: false },
            Default("\"https://events.pagerduty.com/v2/enqueue\""),
            "The address, for regions that have another.",
        ),
        SYSTEMS,
        LEAST,
        AFTER,
        PRIVATE,
    ],
);

static ALERTMANAGER: TableForm = table(
    "Prometheus' Alertmanager, by its API v2.",
    &[
        field(
            "alertmanager",
            Form::Url { relative: false },
            Required("give its base, as in alertmanager = \"http://127.0.0.1:9093\""),
            "Its base: `/api/v2/alerts` is added.",
        ),
        SYSTEMS,
        LEAST,
        AFTER,
        PRIVATE,
    ],
);
