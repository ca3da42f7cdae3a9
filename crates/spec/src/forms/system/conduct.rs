//! The forms of what a system does when things go wrong, and of what it is held to.

use super::super::Absent::{Default, Means, Required};
use super::super::roles::ROLES;
use super::super::{Form, TableForm, field};
use super::table;

const STEPS: Form = Form::List(&Form::Text);

pub(super) static ON: TableForm = table(
    "The designed answer to each kind of failure: a ladder of steps, tried in order. A step is the name of a model, `repair` (the model mends its answer), `last_good` (an earlier answer to the same input), or one that ends the ladder: `refuse`, `shed`, `abstain`, `review`.",
    &[
        field(
            "malformed",
            STEPS,
            Means("refuse"),
            "The input does not have the agreed form.",
        ),
        field(
            "adversarial",
            STEPS,
            Means("refuse"),
            "The input means harm.",
        ),
        field(
            "unavailable",
            STEPS,
            Means("abstain, or else refuse"),
            "The model, or a part of ours, is away.",
        ),
        field(
            "slow",
            STEPS,
            Means("abstain, or else refuse"),
            "The answer did not come in time.",
        ),
        field(
            "wrong",
            STEPS,
            Means("abstain, or else refuse"),
            "The answer is not what was agreed.",
        ),
        field(
            "unsure",
            STEPS,
            Means("abstain, or else refuse"),
            "The answer, or the input, is too doubtful to act on.",
        ),
        field(
            "over_budget",
            STEPS,
            Means("refuse"),
            "The money or quota is spent.",
        ),
        field("overload", STEPS, Means("shed"), "There is too much to do."),
    ],
);

pub(super) static DEADLINE: TableForm = table(
    "The time limits. All steps of a decision share one deadline; a person's time is not counted.",
    &[
        field(
            "total",
            Form::Duration,
            Means("`1s` for predictors, `60s` for language models"),
            "For the whole decision, ladders included.",
        ),
        field(
            "connect",
            Form::Duration,
            Means("`2s`, or `total` if that is less"),
            "To connect to a model's server.",
        ),
        field(
            "first_token",
            Form::Duration,
            Means("`total`"),
            "To the first token of a model's answer; of a predictor, to its answer.",
        ),
        field(
            "stall",
            Form::Duration,
            Means("`15s`, or `total` if that is less"),
            "Between two tokens.",
        ),
    ],
);

pub(super) static RETRY: TableForm = table(
    "How often a model is asked again after a passing failure.",
    &[
        field(
            "attempts_max",
            Form::Whole { min: 1, max: 10 },
            Default("2"),
            "The most calls to one model in one decision, the first included.",
        ),
        field(
            "base",
            Form::Duration,
            Default("\"50ms\""),
            "The first pause before a retry; it doubles, with full jitter.",
        ),
        field(
            "cap",
            Form::Duration,
            Default("\"1s\""),
            "The longest pause.",
        ),
        field(
            "budget_percent",
            Form::Whole { min: 0, max: 100 },
            Default("10"),
            "Retries as a share of requests over ten seconds, in percent; one per second is always free.",
        ),
    ],
);

pub(super) static BUDGET: TableForm = table(
    "The money limits. Every model under a budget needs a price.",
    &[
        field(
            "per_unit",
            Form::Money,
            Means("no limit"),
            "For one unit of work.",
        ),
        field(
            "per_day",
            Form::Money,
            Means("no limit"),
            "For one day in UTC.",
        ),
    ],
);

pub(super) static ABSTAIN: TableForm = table(
    "What is given when the system abstains: either of the two.",
    &[
        field(
            "value",
            Form::Any,
            Means("see `message`"),
            "A value in the shape of the output.",
        ),
        field(
            "message",
            Form::Text,
            Means("see `value`"),
            "A message, for language models.",
        ),
    ],
);

pub(super) static REVIEW: TableForm = table(
    "How a person is asked.",
    &[
        field(
            "queue",
            Form::Name,
            Required("name the queue in which the reviews wait"),
            "Where the review waits.",
        ),
        field(
            "due",
            Form::Duration,
            Required("say how long a review may wait, as in due = \"4h\""),
            "How long it may wait.",
        ),
        field(
            "on_expiry",
            Form::Choice(&[
                ("abstain", "the abstain value is given"),
                ("refuse", "the decision is refused"),
            ]),
            Required("say what happens when nobody answers in time: \"abstain\" or \"refuse\""),
            "What happens when nobody answers in time: never an approval.",
        ),
    ],
);

pub(super) static RELEASE: TableForm = table(
    "How a new release comes into use.",
    &[
        field(
            "deploy",
            Form::Choice(&[
                ("on_reload", "on reload and start, at once"),
                ("on_approval", "when somebody says so"),
            ]),
            Means("by the stakes: high is `on_approval`"),
            "Whether a new release deploys itself. A system's first release always does.",
        ),
        field(
            "approvals",
            Form::Table(&APPROVALS),
            Means("by the stakes: high asks for one, by an approver"),
            "Who must approve a release before somebody deploys it.",
        ),
    ],
);

static APPROVALS: TableForm = table(
    "Who must approve a release: so many people in one role, none of them its author nor the one who deploys it.",
    &[
        field(
            "count",
            Form::Whole { min: 0, max: 10 },
            Means("by the stakes: 0, 0, 1"),
            "How many must approve. High stakes ask for at least one.",
        ),
        field(
            "role",
            Form::Choice(ROLES),
            Default("\"approver\""),
            "In which role they must.",
        ),
    ],
);

pub(super) static BAR: TableForm = table(
    "What the bar asks for, where it differs from the default of the stakes.",
    &[
        field(
            "availability",
            Form::Bound,
            Means("by the stakes: `>= 0.99`, `>= 0.995`, `>= 0.999`"),
            "The share of requests that must be answered.",
        ),
        field(
            "drill_age",
            Form::Duration,
            Means("by the stakes: `180d`, `90d`, `30d`"),
            "After how long a drill no longer counts.",
        ),
        field(
            "runbook_age",
            Form::Duration,
            Means("by the stakes: `365d`, `180d`, `90d`"),
            "After how long a trial of the runbook no longer counts.",
        ),
        field(
            "quality",
            Form::Map("metric", &Form::Bound),
            Means("the targets of `[quality]`"),
            "The quality targets, by metric.",
        ),
        field(
            "cost_per_unit",
            Form::Ceiling,
            Means("no ceiling"),
            "The most that one unit of work may cost.",
        ),
        field(
            "price_age",
            Form::Duration,
            Means("prices count however old they are"),
            "After how long a price that nobody looked at no longer counts.",
        ),
    ],
);

pub(super) static QUALITY: TableForm = table(
    "How quality is watched.",
    &[
        field("dataset", Form::File, Means("none"), "The eval set."),
        field(
            "every",
            Form::Duration,
            Means("when somebody asks"),
            "How often a serving node asks it of what is deployed, by itself; a new release is asked at once.",
        ),
        field(
            "concurrency",
            Form::Whole { min: 1, max: 64 },
            Default("2"),
            "Cases that such a run asks at a time; it waits while the node is busy.",
        ),
        field(
            "budget_per_day",
            Form::Money,
            Means("no limit"),
            "The most that runs on schedule may cost in a day in UTC, and scoring the sample as much again. What is left waits for the next day.",
        ),
        field(
            "sample",
            Form::Number { min: 0.0, max: 1.0 },
            Means("none"),
            "The share of production decisions whose answers are scored, by the scorers that need no expectation; a hash of their ids chooses.",
        ),
        field(
            "target",
            Form::Map("metric", &Form::Bound),
            Means("none"),
            "The targets, by metric.",
        ),
        field(
            "scorers",
            Form::Map("name", &Form::Tagged(super::scorers::FORMS)),
            Means("the answer has all members that are expected: the metric `matches`"),
            "How answers are scored. A scorer gives the metric of its name, unless it says otherwise.",
        ),
    ],
);
