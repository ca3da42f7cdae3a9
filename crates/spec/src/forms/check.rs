//! Holding a file against its form: everything about it that is wrong without knowing other files.

use std::net::SocketAddr;

use plimsoll_core::{SystemName, Timestamp};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Absent, Form, Others, TableForm};
use crate::quantity;
use crate::source::{Report, Source, Span, did_you_mean, listed};

/// A value with its place.
pub(crate) type Value<'a> = Spanned<DeValue<'a>>;

/// What checking needs to know.
pub(crate) struct Checker<'a> {
    pub(crate) source: &'a Source,
    pub(crate) currency: &'a str,
    pub(crate) root: &'static TableForm,
    pub(crate) report: &'a mut Report,
}

impl Checker<'_> {
    /// Checks a table; `at` is the key that it stands under, `path` how people call it (`input`).
    pub(crate) fn table(
        &mut self,
        form: &'static TableForm,
        table: &DeTable<'_>,
        at: &Span,
        path: &str,
    ) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match form.fields.iter().find(|field| field.key == name) {
                Some(field) => self.value(&field.form, value, &key.span(), &joined(path, name)),
                None => self.unknown_key(form, name, &key.span(), path),
            }
        }
        for field in form.fields {
            if let Absent::Required(hint) = field.absent
                && !table.contains_key(field.key)
            {
                let message = format!("{} has no `{}`", place(path), field.key);
                self.report.error(self.source, at, message).help(hint);
            }
        }
    }

    fn unknown_key(&mut self, form: &'static TableForm, name: &str, at: &Span, path: &str) {
        let keys: Vec<&str> = form.fields.iter().map(|field| field.key).collect();
        match form.others {
            Others::Parameters => {}
            Others::NoDetector => {
                let message = format!(
                    "{} has no detector `{name}`; it has: {}",
                    place(path),
                    keys.join(", ")
                );
                let hint =
                    "take the line out: a control that would not run is refused, not ignored";
                self.report.error(self.source, at, message).help(hint);
            }
            Others::Refused => {
                let message = format!("{} has no key `{name}`", place(path));
                let of_root =
                    !path.is_empty() && self.root.fields.iter().any(|field| field.key == name);
                let hint = if of_root {
                    format!(
                        "`{name}` is a key of the top level: write it above the first `[table]` of the file"
                    )
                } else {
                    did_you_mean(name, &keys, |keys| format!("its keys are {}", listed(keys)))
                };
                self.report.error(self.source, at, message).help(hint);
            }
        }
    }

    /// Checks a value; `key` is where its key stands, `path` how people call it (`input.missing`).
    fn value(&mut self, form: &Form, value: &Value<'_>, key: &Span, path: &str) {
        let at = value.span();
        match (form, value.get_ref()) {
            (Form::NotYet(why), _) => {
                let message = format!("`{path}` is not in this version");
                self.report.error(self.source, key, message).help(*why);
            }
            (Form::Table(form) | Form::WordOr(_, form), DeValue::Table(table)) => {
                self.table(form, table, key, path);
            }
            (Form::Tagged(forms), DeValue::Table(table)) => self.tagged(forms, table, key, path),
            (Form::Map(_, form), DeValue::Table(table)) => {
                for (key, value) in table {
                    self.value(form, value, &key.span(), &joined(path, key.get_ref()));
                }
            }
            (Form::List(form), DeValue::Array(items)) => {
                for item in items.iter() {
                    match (form, item.get_ref()) {
                        (Form::Table(form), DeValue::Table(table)) => {
                            self.table(form, table, &item.span(), &format!("[{path}]"));
                        }
                        _ => self.value(form, item, &item.span(), path),
                    }
                }
            }
            (Form::List(Form::Table(_)), DeValue::Table(_)) => {
                let message = format!("`{path}` must be a list of tables");
                let hint = format!("write each as `[[{path}]]`");
                self.report.error(self.source, key, message).help(hint);
            }
            (Form::Secret, value) => self.secret(value, &at, path),
            (Form::Any, _) => {
                if let Err(unfit) = super::view::json(value) {
                    self.report.error(
                        self.source,
                        &unfit,
                        format!("`{path}` holds a number that JSON cannot hold"),
                    );
                }
            }
            (form, value) => {
                if let Err((message, hint)) = scalar(form, value, self.currency) {
                    let message = format!("`{path}` {message}");
                    self.report.error(self.source, &at, message).hint = hint;
                }
            }
        }
    }

    fn tagged(
        &mut self,
        forms: &'static [(&'static str, &'static TableForm)],
        table: &DeTable<'_>,
        key: &Span,
        path: &str,
    ) {
        let Some((_, form)) = forms.iter().find(|(tag, _)| table.contains_key(*tag)) else {
            let tags: Vec<&str> = forms.iter().map(|(tag, _)| *tag).collect();
            let misspelt = table.iter().find_map(|(key, _)| {
                let word = crate::source::nearest(key.get_ref(), tags.iter().copied())?;
                Some(format!(
                    "did you mean `{word}` instead of `{}`?",
                    key.get_ref()
                ))
            });
            let hint = misspelt.unwrap_or_else(|| format!("give it one of {}", listed(&tags)));
            self.report
                .error(
                    self.source,
                    key,
                    format!("`{path}` does not say what it is"),
                )
                .help(hint);
            return;
        };
        self.table(form, table, key, path);
    }

    fn secret(&mut self, value: &DeValue<'_>, at: &Span, path: &str) {
        let table = value.as_table();
        let fits = table.is_some_and(|table| {
            let known = |key: &str| matches!(key, "env" | "file");
            table.len() == 1
                && table
                    .iter()
                    .all(|(key, value)| known(key.get_ref()) && value.get_ref().is_str())
        });
        if !fits {
            let message = format!("`{path}` must say where the secret is, not hold it");
            let hint = "write { env = \"NAME\" } for an environment variable, or { file = \"/run/secrets/name\" }";
            self.report.error(self.source, at, message).help(hint);
        }
    }
}

/// `[input]`, or what the top level is called.
fn place(path: &str) -> String {
    if path.is_empty() {
        "the file".to_owned()
    } else {
        format!("`[{path}]`")
    }
}

fn joined(path: &str, key: &str) -> String {
    let path = path.trim_matches(['[', ']']);
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

type Unfit = (String, Option<String>);

/// Checks what is neither table nor list. The message goes on after the key's name.
fn scalar(form: &Form, value: &DeValue<'_>, currency: &str) -> Result<(), Unfit> {
    let wanted = || format!("must be {}, not {}", form.expects(), kind(value));
    match (form, value) {
        (Form::Flag, DeValue::Boolean(_)) => return Ok(()),
        (Form::Moment, DeValue::Datetime(moment)) => return self::moment(&moment.to_string()),
        (Form::Whole { min, max }, DeValue::Integer(number)) => {
            return match whole(number.as_str(), number.radix()) {
                Some(number) if (*min..=*max).contains(&number) => Ok(()),
                _ => Err((format!("must be from {min} to {max}"), None)),
            };
        }
        (Form::Number { min, max }, DeValue::Integer(_) | DeValue::Float(_)) => {
            return match number(value) {
                Some(number) if number >= *min && number <= *max => Ok(()),
                _ => Err((format!("must be from {min} to {max}"), None)),
            };
        }
        _ => {}
    }
    let is_text = !matches!(form, Form::Flag | Form::Whole { .. } | Form::Number { .. });
    let Some(text) = value.as_str().filter(|_| is_text) else {
        let hint = match form {
            Form::Duration | Form::Size | Form::Money => {
                Some("write it as text with its unit".to_owned())
            }
            _ => None,
        };
        return Err((wanted(), hint));
    };
    if text.trim().is_empty() {
        return Err(("is empty".to_owned(), None));
    }
    self::text(form, text, currency)
}

fn text(form: &Form, text: &str, currency: &str) -> Result<(), Unfit> {
    let quantity = |result: Result<(), quantity::QuantityError>, what: &str| {
        result.map_err(|error| (format!("is not {what}: `{text}`"), Some(error.to_string())))
    };
    match form {
        Form::Duration => quantity(quantity::duration(text).map(drop), "a duration"),
        Form::Size => quantity(quantity::size(text).map(drop), "a size"),
        Form::Money => quantity(
            quantity::money(text, currency).map(drop),
            "an amount of money",
        ),
        Form::Price => quantity(quantity::amount(text, currency).map(drop), "a price"),
        Form::Bound => quantity(quantity::bound(text).map(drop), "a bound"),
        Form::Ceiling => quantity(
            quantity::money_at_most(text, currency).map(drop),
            "a ceiling",
        ),
        Form::Moment => moment(text),
        Form::Address => match text.parse::<SocketAddr>() {
            Ok(_) => Ok(()),
            Err(_) => Err((
                format!("is not an address: `{text}`"),
                Some(
                    "write an IP address and a port, as in \"127.0.0.1:8080\" or \"[::1]:8080\""
                        .into(),
                ),
            )),
        },
        Form::Url { relative } => url(text, *relative),
        Form::Name => SystemName::new(text).map(drop).map_err(|error| {
            (
                format!(
                    "is not a name: `{}`",
                    text.chars().take(80).collect::<String>()
                ),
                Some(error.to_string()),
            )
        }),
        Form::Choice(words) | Form::WordOr(words, _) => {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            if words.contains(&text) {
                return Ok(());
            }
            let hint = did_you_mean(text, &words, |words| {
                format!("write one of {}", listed(words))
            });
            Err((
                format!("must be one of {}, not `{text}`", listed(&words)),
                Some(hint),
            ))
        }
        _ => Ok(()),
    }
}

fn moment(text: &str) -> Result<(), Unfit> {
    Timestamp::parse(text)
        .map(drop)
        .map_err(|error| ("is not a day".to_owned(), Some(error.to_string())))
}

fn url(text: &str, relative: bool) -> Result<(), Unfit> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    match host {
        Some(host) if host.contains('@') => {
            let hint = "give the provider a `key` instead: what stands in a URL is shown in logs";
            Err((
                "holds a user or a password".to_owned(),
                Some(hint.to_owned()),
            ))
        }
        Some(host) if !host.is_empty() && !text.contains(char::is_whitespace) => Ok(()),
        None if relative && text.starts_with('/') => Ok(()),
        _ => Err((
            "is not a URL".to_owned(),
            Some("begin it with https:// or http:// and a host".to_owned()),
        )),
    }
}

/// A whole number that is not below zero.
pub(crate) fn whole(digits: &str, radix: u32) -> Option<u64> {
    u64::from_str_radix(digits, radix).ok()
}

/// A finite number.
pub(crate) fn number(value: &DeValue<'_>) -> Option<f64> {
    let number: f64 = match value {
        DeValue::Float(number) => number.as_str().parse().ok()?,
        #[expect(
            clippy::cast_precision_loss,
            reason = "a number that people write in a file is small"
        )]
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok()? as f64
        }
        _ => return None,
    };
    number.is_finite().then_some(number)
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

impl Form {
    /// What a value must be, in words: `must be …`.
    pub(crate) fn expects(&self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Whole { .. } => "a whole number".to_owned(),
            Self::Number { .. } => "a number".to_owned(),
            Self::Duration => "a duration".to_owned(),
            Self::Size => "a size".to_owned(),
            Self::Money => "an amount of money".to_owned(),
            Self::Price => "a price in quotes".to_owned(),
            Self::Bound => "a bound as in \">= 0.9\"".to_owned(),
            Self::Ceiling => "a ceiling as in \"<= 0.001 USD\"".to_owned(),
            Self::Moment => "a day as in 2026-01-31".to_owned(),
            Self::Address => "an address".to_owned(),
            Self::Url { .. } => "a URL".to_owned(),
            Self::Name => "a name".to_owned(),
            Self::File => "the path of a file".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Cel => "an expression in CEL".to_owned(),
            Self::Choice(words) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                format!("one of {}", listed(&words))
            }
            Self::WordOr(words, _) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                format!("one of {}, or a table", listed(&words))
            }
            Self::Secret => "{ env = \"…\" } or { file = \"…\" }".to_owned(),
            Self::Any => "a value".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(..) | Self::Table(_) | Self::Tagged(_) => "a table".to_owned(),
            Self::NotYet(_) => "absent".to_owned(),
        }
    }
}
