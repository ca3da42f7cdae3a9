//! The forms of prompt, contracts and guards.

use super::super::Absent::{Default, Means, Required};
use super::super::{Form, TableForm, field};
use super::table;

pub(super) static PROMPT: TableForm = table(
    "The prompt that makes a language model a typed function: callers send its variables.",
    &[
        field(
            "template",
            Form::File,
            Required("name the file, as in template = \"prompt.md\""),
            "A MiniJinja template; its variables are properties of the input schema.",
        ),
        field(
            "role",
            Form::Choice(&[("user", "a user's message"), ("system", "a system message")]),
            Default("\"user\""),
            "The role of the message that it becomes.",
        ),
    ],
);

const MISSING: Form = Form::Choice(&[
    ("refuse", "malformed"),
    ("impute", "fill in the column's `impute`"),
    ("unsure", "the answer is unsure"),
    ("allow", "hand the model a missing value"),
]);

const COERCE: Form = Form::Choice(&[
    ("never", "malformed"),
    ("lossless", "read it if it can mean one value only"),
]);

const DOUBTFUL: Form = Form::Choice(&[
    ("refuse", "malformed"),
    ("unsure", "the answer is unsure"),
    ("allow", "hand it to the model as it is"),
]);

pub(super) static INPUT: TableForm = table(
    "What inputs must look like.",
    &[
        field(
            "schema",
            Form::File,
            Means("anything that is JSON"),
            "JSON Schema 2020-12 of a row, of the prompt's variables, or of a chat request's body.",
        ),
        field(
            "missing",
            MISSING,
            Default("\"refuse\""),
            "What to do when a value is missing that the schema asks for.",
        ),
        field(
            "unknown_category",
            DOUBTFUL,
            Default("\"refuse\""),
            "What to do with a category that the schema's `enum` does not have.",
        ),
        field(
            "unknown_field",
            Form::Choice(&[("refuse", "malformed"), ("drop", "leave it out")]),
            Default("\"refuse\""),
            "What to do with a field that the schema does not have.",
        ),
        field(
            "out_of_range",
            DOUBTFUL,
            Default("\"refuse\""),
            "What to do with a number outside its range.",
        ),
        field(
            "coerce",
            COERCE,
            Default("\"never\""),
            "What to do with a value of another type that a column could read without loss: `\"12\"`, `\"true\"`, 0 or 1 for a truth.",
        ),
        field(
            "retrieved",
            Form::List(&Form::Text),
            Means("none"),
            "What was searched for and not written by the caller: columns of a row or variables of the prompt; in a chat, the `name` of messages that hold such documents. It is judged as documents are, and no call with external effect follows it.",
        ),
        field(
            "spotlight",
            Form::Choice(&[
                (
                    "delimit",
                    "a line with a random word before and after each text",
                ),
                (
                    "datamark",
                    "a random character in place of each blank, for languages that have blanks",
                ),
                ("encode", "in base64, for models that read it well"),
            ]),
            Means("not marked"),
            "How texts that strangers may have written (results of tools, what is `retrieved`, roles that nobody knows) are marked when they go to a language model, and the model is told so.",
        ),
        field(
            "tokens",
            Form::Table(&TOKENS),
            Means("as many as come"),
            "The most tokens that a language model is given to read.",
        ),
        field(
            "columns",
            Form::Map("column", &Form::Table(&COLUMN)),
            Means("the policies above"),
            "Policies for single columns.",
        ),
        field(
            "rules",
            Form::Map("name", &Form::Cel),
            Means("none"),
            "Rules across fields: CEL over `inputs` that must hold, each with a name.",
        ),
        field(
            "rows_max",
            Form::Whole {
                min: 1,
                max: 1_000_000,
            },
            Means("as `server.rows_max`"),
            "The most rows in one call.",
        ),
    ],
);

static TOKENS: TableForm = table(
    "The most tokens of an input. Counted are the texts of messages that guards look at, tools as they are written, and three for each message.",
    &[
        field(
            "max",
            Form::Whole {
                min: 1,
                max: 10_000_000,
            },
            Required("say how many, as in max = 8000"),
            "The most tokens. What has more is refused as malformed.",
        ),
        field(
            "tokenizer",
            Form::Choice(&[
                ("o200k_base", "GPT-4o and what came after it"),
                ("cl100k_base", "GPT-3.5, GPT-4, embeddings"),
            ]),
            Default("\"o200k_base\""),
            "Whose tokens are counted. Others' models count a little differently: leave them some room.",
        ),
    ],
);

static COLUMN: TableForm = table(
    "Policies for one column, over those of `[input]`.",
    &[
        field(
            "missing",
            MISSING,
            Means("as `input.missing`"),
            "What to do when its value is missing.",
        ),
        field(
            "impute",
            Form::Any,
            Means("none"),
            "The value that stands in for a missing one.",
        ),
        field(
            "unknown_category",
            DOUBTFUL,
            Means("as `input.unknown_category`"),
            "What to do with an unknown category.",
        ),
        field(
            "out_of_range",
            DOUBTFUL,
            Means("as `input.out_of_range`"),
            "What to do with a number outside its range.",
        ),
        field(
            "coerce",
            COERCE,
            Means("as `input.coerce`"),
            "What to do with a value of another type.",
        ),
    ],
);

pub(super) static OUTPUT: TableForm = table(
    "What outputs must look like.",
    &[
        field(
            "schema",
            Form::File,
            Means("anything"),
            "JSON Schema 2020-12 of the answer.",
        ),
        field(
            "unsure",
            Form::Cel,
            Means("never"),
            "CEL over `answer`, `confidence` and `inputs`: when it holds, the answer is unsure.",
        ),
        field(
            "stream",
            Form::Choice(&[
                (
                    "buffer",
                    "the whole answer is cleared before its first byte",
                ),
                ("window", "only what a rule could still extend is held back"),
                ("refuse", "no streams"),
            ]),
            Default("\"buffer\""),
            "How streams are treated. Without output controls nothing is held back.",
        ),
    ],
);
