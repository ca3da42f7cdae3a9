//! What each file may hold, as data: every key with its form, its default and its meaning.
//!
//! One description serves four ends: checking a file (`check`), the did-you-mean of its errors, the
//! JSON Schemas for editors (`schema`) and the reference page (`reference`).

pub(crate) mod check;
pub(crate) mod plimsoll;
pub(crate) mod prices;
pub(crate) mod reference;
pub(crate) mod regimes;
pub(crate) mod roles;
pub(crate) mod rules;
pub(crate) mod schema;
pub(crate) mod system;
pub(crate) mod view;

/// A table: its keys and what it is for.
#[derive(Debug)]
pub(crate) struct TableForm {
    /// What it is for: a full sentence.
    pub(crate) about: &'static str,
    /// Its keys, in the order of the reference.
    pub(crate) fields: &'static [Field],
    /// What becomes of other keys.
    pub(crate) others: Others,
}

/// What becomes of keys that a table's form does not name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Others {
    /// They are problems.
    Refused,
    /// They are problems that say that there is no such detector.
    NoDetector,
    /// They are parameters that are handed on, whatever they are.
    Parameters,
}

/// One key.
#[derive(Debug)]
pub(crate) struct Field {
    /// The key.
    pub(crate) key: &'static str,
    /// What its value must look like.
    pub(crate) form: Form,
    /// Whether it may be absent, and what holds then.
    pub(crate) absent: Absent,
    /// What it means: a full sentence.
    pub(crate) about: &'static str,
}

/// What holds when a key is absent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Absent {
    /// It may not be: what to write, as a hint.
    Required(&'static str),
    /// This value, as it would stand in the file.
    Default(&'static str),
    /// Something that cannot be written as a value.
    Means(&'static str),
}

/// What a value must look like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// Any text that is not empty.
    Text,
    /// True or false.
    Flag,
    /// A whole number in a range.
    Whole { min: u64, max: u64 },
    /// A number in a range.
    Number { min: f64, max: f64 },
    /// `"50ms"`.
    Duration,
    /// `"64 MiB"`.
    Size,
    /// `"0.05 USD"`.
    Money,
    /// `"0.25"` or `"0.25 USD"`.
    Price,
    /// `">= 0.92"`.
    Bound,
    /// `"<= 0.001 USD"`.
    Ceiling,
    /// A day or a moment.
    Moment,
    /// `"127.0.0.1:8080"`.
    Address,
    /// `"https://…"`; with `relative`, also a path that begins with `/`.
    Url { relative: bool },
    /// A name of ours: lower-case letters, digits, `-`, `_`, `.`.
    Name,
    /// A file of the workspace, relative to the folder of the file that names it.
    File,
    /// A path of the machine, absolute or relative to the workspace's folder.
    Path,
    /// An expression in CEL.
    Cel,
    /// One of these words, each with its meaning.
    Choice(&'static [(&'static str, &'static str)]),
    /// One of these words, or a table that says more than the word.
    WordOr(&'static [(&'static str, &'static str)], &'static TableForm),
    /// `{ env = "…" }` or `{ file = "…" }`.
    Secret,
    /// Any value.
    Any,
    /// A list.
    List(&'static Form),
    /// A table with keys that the operator chooses; what the key is, and its values' form.
    Map(&'static str, &'static Form),
    /// A table of ours.
    Table(&'static TableForm),
    /// A table whose form is that of the first of these keys that it has.
    Tagged(&'static [(&'static str, &'static TableForm)]),
    /// Nothing yet: why, and what to do instead.
    NotYet(&'static str),
}

const fn field(key: &'static str, form: Form, absent: Absent, about: &'static str) -> Field {
    Field {
        key,
        form,
        absent,
        about,
    }
}

/// Every file that has a form: its name, what it is, and its form.
pub(crate) const FILES: [(&str, &TableForm); 5] = [
    ("plimsoll.toml", &plimsoll::FORM),
    ("prices.toml", &prices::FORM),
    ("system.toml", &system::FORM),
    ("rules.toml", &rules::FORM),
    ("regimes.toml", &regimes::FORM),
];
