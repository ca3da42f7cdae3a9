//! The form of `regimes.toml`: what laws and standards ask to be kept, and by when they ask to be told.

use super::Absent::{Means, Required};
use super::{Field, Form, Others, TableForm, field};

const fn table(about: &'static str, fields: &'static [Field]) -> TableForm {
    TableForm {
        about,
        fields,
        others: Others::Refused,
    }
}

pub(crate) static FORM: TableForm = table(
    "What laws and standards ask for, as data: no date and no floor stands in code. The binary has a table of its own; a workspace's `regimes.toml` adds regimes to it, or replaces one as a whole. Nothing here is legal advice.",
    &[
        field(
            "version",
            Form::Text,
            Required("give it a version that documents can name, as in version = \"2027-01-15\""),
            "The table's version: what is made under it names it.",
        ),
        field(
            "regimes",
            Form::Map("name", &Form::Table(&REGIME)),
            Means("none"),
            "The regimes, by the name that `storage.retention.regimes` uses.",
        ),
    ],
);

static REGIME: TableForm = table(
    "One regime, for one role in it.",
    &[
        field(
            "title",
            Form::Text,
            Required("say what it is called"),
            "What it is called, and whom it binds.",
        ),
        field(
            "source",
            Form::Text,
            Required("say where it can be read"),
            "Where it can be read.",
        ),
        field(
            "from",
            Form::Moment,
            Means("it has no date yet: its floors only warn"),
            "From when it is in force, in UTC.",
        ),
        field(
            "floors",
            Form::Table(&FLOORS),
            Means("none"),
            "For how long it asks that things be kept, by class.",
        ),
        field(
            "clocks",
            Form::Map("occasion", &Form::Table(&CLOCK)),
            Means("none"),
            "By when it asks that somebody be told.",
        ),
        field(
            "notes",
            Form::Text,
            Means("none"),
            "What else to know of it, and how sure the table is.",
        ),
    ],
);

static FLOORS: TableForm = table(
    "For how long things are kept at the least, by class.",
    &[
        field(
            "records",
            Form::Table(&FLOOR),
            Means("no floor"),
            "Of what is decided and done: the journal.",
        ),
        field(
            "payloads",
            Form::Table(&FLOOR),
            Means("no floor"),
            "Of inputs and outputs.",
        ),
        field(
            "dossier",
            Form::Table(&FLOOR),
            Means("no floor"),
            "Of documentation.",
        ),
    ],
);

static FLOOR: TableForm = table(
    "A least time for which a class of things is kept.",
    &[
        field(
            "age",
            Form::Duration,
            Required("say for how long, as in age = \"184d\""),
            "For how long; of months and years the longest that they can be.",
        ),
        field(
            "article",
            Form::Text,
            Required("say which article asks for it"),
            "Which article asks for it.",
        ),
        field(
            "says",
            Form::Text,
            Means("see the article"),
            "What the article says, in short.",
        ),
        field(
            "from",
            Form::Moment,
            Means("as the regime"),
            "From when it is in force, if that differs.",
        ),
    ],
);

static CLOCK: TableForm = table(
    "A time within which somebody must be told of something.",
    &[
        field(
            "within",
            Form::Duration,
            Means("at once"),
            "How long after it was known.",
        ),
        field(
            "article",
            Form::Text,
            Required("say which article asks for it"),
            "Which article asks for it.",
        ),
        field(
            "says",
            Form::Text,
            Means("see the article"),
            "What must be told to whom, in short.",
        ),
    ],
);
