//! The forms as JSON Schemas, for completion and checks in editors.
//!
//! Draft 7, which the TOML language servers of today read. A schema accepts what the form accepts,
//! but cannot know other files: `plimsoll check` has the last word.

use serde_json::{Map, Value, json};

use super::{Absent, FILES, Form, Others, TableForm};
use crate::source::listed;

/// The JSON Schema of each file of a workspace: the file's name and the schema.
pub fn schemas() -> Vec<(&'static str, Value)> {
    let file = |(name, form): (&'static str, &TableForm)| {
        let mut schema = table(form);
        schema.insert(
            "$schema".to_owned(),
            json!("http://json-schema.org/draft-07/schema#"),
        );
        schema.insert("title".to_owned(), json!(name));
        (name, Value::Object(schema))
    };
    FILES.into_iter().map(file).collect()
}

fn table(form: &TableForm) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in form.fields {
        if matches!(field.form, Form::NotYet(_)) {
            continue;
        }
        let mut schema = value(&field.form);
        let about = match field.absent {
            Absent::Required(_) => {
                required.push(field.key);
                field.about.to_owned()
            }
            Absent::Default(default) => format!("{} Default: {default}.", field.about),
            Absent::Means(means) => format!("{} Absent: {means}.", field.about),
        };
        schema.insert("description".to_owned(), json!(about));
        properties.insert(field.key.to_owned(), Value::Object(schema));
    }
    let mut schema = Map::new();
    schema.insert("description".to_owned(), json!(form.about));
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    if form.others != Others::Parameters {
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
    schema
}

fn value(form: &Form) -> Map<String, Value> {
    let schema = match form {
        Form::Text | Form::File | Form::Path | Form::Cel => {
            json!({"type": "string", "minLength": 1})
        }
        Form::Flag => json!({"type": "boolean"}),
        Form::Whole { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Form::Number { min, max } => json!({"type": "number", "minimum": min, "maximum": max}),
        Form::Duration => pattern(r"^\s*[0-9]+(\.[0-9]+)?\s*(us|ms|s|m|h|d)\s*$", "50ms"),
        Form::Size => pattern(r"^\s*[0-9]+(\.[0-9]+)?\s*([KMGT]i?)?B\s*$", "64 MiB"),
        Form::Money => pattern(r"^\s*[0-9]+(\.[0-9]{1,12})?\s*[A-Z]{3}\s*$", "0.05 USD"),
        Form::Price => pattern(r"^\s*[0-9]+(\.[0-9]{1,12})?\s*([A-Z]{3})?\s*$", "0.25"),
        Form::Bound => pattern(r"^\s*(>=|<=|≥|≤)\s*\S+\s*$", ">= 0.92"),
        Form::Ceiling => pattern(
            r"^\s*((<=|≤)\s*)?[0-9]+(\.[0-9]{1,12})?\s*[A-Z]{3}\s*$",
            "<= 0.001 USD",
        ),
        // Language servers hand a TOML date on as text.
        Form::Moment => json!({"type": "string"}),
        Form::Address => pattern(r"^.+:[0-9]{1,5}$", "127.0.0.1:8080"),
        Form::Url { relative: false } => pattern("^https?://", "https://api.openai.com/v1"),
        Form::Url { relative: true } => {
            pattern("^(https?://|/)", "https://predictor.example.com/predict")
        }
        Form::Name => pattern(r"^[a-z0-9][a-z0-9._-]{0,63}$", "web"),
        Form::Choice(words) => {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            json!({"type": "string", "enum": names})
        }
        Form::WordOr(words, form) => {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            json!({"anyOf": [{"type": "string", "enum": names}, table(form)]})
        }
        Form::Secret => json!({"oneOf": [secret("env"), secret("file")]}),
        Form::Any => json!({}),
        Form::List(form) => json!({"type": "array", "items": value(form)}),
        Form::Map(_, form) => json!({"type": "object", "additionalProperties": value(form)}),
        Form::Table(form) => return table(form),
        Form::Tagged(forms) => {
            let tags: Vec<&str> = forms.iter().map(|(tag, _)| *tag).collect();
            let each: Vec<Value> = forms
                .iter()
                .map(|(_, form)| Value::Object(table(form)))
                .collect();
            json!({"description": format!("One of {}.", listed(&tags)), "anyOf": each})
        }
        Form::NotYet(_) => json!(false),
    };
    match schema {
        Value::Object(schema) => schema,
        other => Map::from_iter([("not".to_owned(), json!({})), ("default".to_owned(), other)]),
    }
}

fn pattern(pattern: &str, example: &str) -> Value {
    json!({"type": "string", "pattern": pattern, "examples": [example]})
}

fn secret(key: &str) -> Value {
    json!({
        "type": "object",
        "properties": {key: {"type": "string", "minLength": 1}},
        "required": [key],
        "additionalProperties": false,
    })
}
