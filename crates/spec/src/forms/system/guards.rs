//! The forms of the guards: detectors on what comes in and what goes out, each with an action.

use super::super::Absent::{Default, Means, Required};
use super::super::{Field, Form, Others, TableForm, field};
use super::table;

pub(super) static GUARDS: TableForm = table(
    "Detectors, each with an action: as a word, or as a table that says more.",
    &[
        field(
            "input",
            Form::Table(&INPUT),
            Means("none"),
            "On what comes in: a block is `adversarial`.",
        ),
        field(
            "output",
            Form::Table(&OUTPUT),
            Means("none"),
            "On what goes out: a block is `wrong`.",
        ),
    ],
);

const SECRETS_FIELD: Field = field(
    "secrets",
    Form::WordOr(ACTIONS, &PLAIN),
    Means("off"),
    "Finds tokens, keys and passwords.",
);

const PII_FIELD: Field = field(
    "pii",
    Form::WordOr(ACTIONS, &PLAIN),
    Means("off"),
    "Finds personal data that has a form: mail addresses, cards, accounts, identity numbers.",
);

static INPUT: TableForm = TableForm {
    about: "The detectors on what comes in, by name. Every text of every message is judged: content, its parts, arguments and results of tools; of a typed function, its variables.",
    others: Others::NoDetector,
    fields: &[
        field(
            "injection",
            Form::WordOr(STRICTEST, &INJECTION),
            Means("off"),
            "Finds what tries to command the model: disguised and hidden writing, the structure of chats, rule packs, a classifier. Messages of the roles `system` and `assistant` are judged by structure and rules, results of tools as documents.",
        ),
        PII_FIELD,
        SECRETS_FIELD,
        PHRASE_FIELD,
    ],
};

static OUTPUT: TableForm = TableForm {
    about: "The detectors on what goes out, by name. Every choice is judged, with its reasoning and the arguments of its tool calls.",
    others: Others::NoDetector,
    fields: &[
        SECRETS_FIELD,
        PII_FIELD,
        field(
            "links",
            Form::WordOr(ACTIONS, &LINKS),
            Means("off"),
            "Finds links and images, in every form of Markdown and HTML, that lead to a host which is not allowed. As a word, none is.",
        ),
        field(
            "leakage",
            Form::WordOr(ACTIONS, &LEAKAGE),
            Means("off"),
            "Finds rows of ten words that the answer shares with the system prompt, and markers.",
        ),
        PHRASE_FIELD,
    ],
};

const PHRASE_FIELD: Field = field(
    "phrases",
    Form::Table(&PHRASES),
    Means("off"),
    "Finds phrases, without regard to the case of ASCII letters.",
);

const ACTIONS: &[(&str, &str)] = &[
    ("allow", "record the finding"),
    ("flag", "record the finding as a failed control"),
    (
        "redact",
        "replace the place by a numbered placeholder; of an input, it is put back in the answer",
    ),
    ("review", "a person decides"),
    ("block", "stop"),
];

const STRICTEST: &[(&str, &str)] = &[
    ("allow", "record the findings"),
    ("flag", "record the findings as a failed control"),
    ("review", "nothing stricter than asking a person"),
    (
        "block",
        "block from the upper threshold on, ask a person from the lower one on; without `[review]` that is flagged",
    ),
];

const ON_ERROR: Field = field(
    "on_error",
    Form::Choice(&[("closed", "it does not go on"), ("open", "it goes on")]),
    Default("\"closed\""),
    "What becomes of a text that the detector could not judge. Either way it is recorded as skipped, and counted.",
);

const SHADOW: Field = field(
    "shadow",
    Form::Flag,
    Default("false"),
    "Whether it only records what it would do.",
);

const RULES: Field = field(
    "rules",
    Form::Map("rule or family", &Form::Choice(ACTIONS)),
    Means("`action` for all"),
    "What happens on a finding of a rule, as `\"pii/iban\" = \"block\"`, or of a family, as `\"pii/*\"`.",
);

static PLAIN: TableForm = table(
    "A detector with an action.",
    &[
        field(
            "action",
            Form::Choice(ACTIONS),
            Required("say what happens on a finding, as in action = \"block\""),
            "What happens on a finding.",
        ),
        RULES,
        SHADOW,
        ON_ERROR,
    ],
);

static INJECTION: TableForm = table(
    "The `injection` detector.",
    &[
        field(
            "action",
            Form::Choice(STRICTEST),
            Required("say what is the strictest that happens, as in action = \"block\""),
            "The strictest that happens.",
        ),
        field(
            "review_score",
            Form::Number { min: 0.0, max: 1.0 },
            Means("as the weights say: one in a hundred harmless texts lies above"),
            "From which score on a person should decide.",
        ),
        field(
            "block_score",
            Form::Number { min: 0.0, max: 1.0 },
            Means("as the weights say: one in a thousand"),
            "From which score on it blocks.",
        ),
        field(
            "packs",
            Form::List(&Form::File),
            Means("those that ship"),
            "Rule packs of your own, beside those that ship.",
        ),
        RULES,
        SHADOW,
        ON_ERROR,
    ],
);

static LINKS: TableForm = table(
    "The `links` detector.",
    &[
        field(
            "action",
            Form::Choice(ACTIONS),
            Required("say what happens on a finding, as in action = \"block\""),
            "What happens on a finding.",
        ),
        field(
            "hosts",
            Form::List(&Form::Text),
            Means("none"),
            "The hosts that may be linked to: `docs.example.org`, or `*.example.org` for all below it.",
        ),
        RULES,
        SHADOW,
        ON_ERROR,
    ],
);

static LEAKAGE: TableForm = table(
    "The `leakage` detector. The prompt is the template of `[prompt]`, or the messages of the roles `system` and `developer`.",
    &[
        field(
            "action",
            Form::Choice(ACTIONS),
            Required("say what happens on a finding, as in action = \"block\""),
            "What happens on a finding.",
        ),
        field(
            "canaries",
            Form::List(&Form::Text),
            Means("none"),
            "Markers that stand in the prompt and nowhere else, of at least eight letters and digits.",
        ),
        RULES,
        SHADOW,
        ON_ERROR,
    ],
);

static PHRASES: TableForm = table(
    "The `phrases` detector: up to 10,000 phrases of up to 1,024 bytes.",
    &[
        field(
            "action",
            Form::Choice(ACTIONS),
            Required("say what happens on a finding: \"flag\" or \"block\""),
            "What happens on a finding.",
        ),
        field(
            "list",
            Form::List(&Form::Text),
            Means("see `file`"),
            "The phrases.",
        ),
        field(
            "file",
            Form::File,
            Means("see `list`"),
            "A text file with a phrase per line; lines that begin with `#` are comments.",
        ),
        SHADOW,
    ],
);
