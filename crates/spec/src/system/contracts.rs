//! What goes in and what comes out: schemas, policies, and the expressions over them.

use std::collections::BTreeMap;

use plimsoll_core::Digest;
use plimsoll_core::manifest::{
    CategoryPolicy, CoercePolicy, ColumnSpec, InputSpec, MissingPolicy, OutputSpec,
    SpotlightMethod, StreamMode, TokenLimit, Tokenizer, UnknownFieldPolicy,
};
use plimsoll_guard::contract::{Contract, ContractProblem, JsonContract};
use plimsoll_guard::expr::{Expr, ExprError};
use plimsoll_guard::frame::{self, FrameLimits};
use serde_json::Value;

use super::Resolver;
use crate::forms::view::{Found, View};
use crate::json_place;
use crate::settings::{value_or, whole};
use crate::source::{Report, Source, Span, did_you_mean, listed};

/// A JSON Schema as it was read.
struct Schema {
    digest: Digest,
    source: Source,
    value: Value,
}

/// Both contracts of a system, and what other parts must know of them.
pub(super) struct Contracts {
    pub(super) input: InputSpec,
    pub(super) output: OutputSpec,
    /// The properties of the input schema; none if there is no schema or it names none.
    pub(super) properties: Option<Vec<String>>,
    /// The columns, if the input is a flat row.
    pub(super) columns: Option<Vec<String>>,
    /// Whether `inputs` can have members that the schema does not name.
    pub(super) open: bool,
    /// The contract of the output, if it has a schema.
    pub(super) answers: Option<JsonContract>,
    /// The members that an answer can have, if the schema names them all.
    pub(super) answer_members: Option<Vec<String>>,
}

impl Contracts {
    /// The members of the variables that expressions may use, where all are known.
    fn members(&self, variable: &str) -> Option<&[String]> {
        match variable {
            "inputs" if !self.open => self.columns.as_deref(),
            "answer" => self.answer_members.as_deref(),
            _ => None,
        }
    }

    /// Why `text` cannot be evaluated over `variables`: where in it, and what is wrong.
    pub(super) fn fault(&self, text: &str, variables: &[&str]) -> Option<(Option<usize>, String)> {
        let expr = match Expr::compile(text, variables) {
            Ok(expr) => expr,
            Err(error) => {
                let at = match &error {
                    ExprError::Syntax {
                        line: 1, column, ..
                    } => Some(column.saturating_sub(1)),
                    _ => None,
                };
                return Some((at, error.to_string()));
            }
        };
        for variable in variables {
            let Some(known) = self.members(variable) else {
                continue;
            };
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let unknown = expr
                .members_of(variable)
                .into_iter()
                .find(|member| !known.contains(&member.as_str()));
            if let Some(member) = unknown {
                let help =
                    did_you_mean(&member, &known, |known| format!("it has {}", listed(known)));
                return Some((
                    None,
                    format!("the schema has no `{variable}.{member}`: {help}"),
                ));
            }
        }
        None
    }

    /// Reports why an expression of `source` cannot be evaluated.
    pub(super) fn check_expression(
        &self,
        source: &Source,
        found: &Found<&str>,
        variables: &[&str],
        report: &mut Report,
    ) {
        if let Some((offset, message)) = self.fault(found.value, variables) {
            let at = within(source, found, offset).unwrap_or_else(|| found.at.clone());
            report.error(source, &at, message);
        }
    }
}

/// The character of a text at `offset`, if the text stands in the file as it is.
fn within(source: &Source, found: &Found<&str>, offset: Option<usize>) -> Option<Span> {
    let start = found.value.char_indices().nth(offset?)?.0 + found.at.start + 1;
    let written = source
        .text
        .get(found.at.start + 1..found.at.end.checked_sub(1)?)?;
    (written == found.value).then_some(start..start + 1)
}

impl Resolver<'_> {
    pub(super) fn contracts(&mut self, input: View<'_>, output: View<'_>) -> Contracts {
        let input_schema = self.schema(input);
        let output_schema = self.schema(output);
        let spec = self.input(input, input_schema.as_ref());
        let value = input_schema.as_ref().map(|schema| &schema.value);
        let (mut columns, mut is_sound) = (
            None,
            input_schema.is_some() || input.key("schema").is_none(),
        );
        match Contract::compile(value, &spec) {
            Ok(contract) if contract.is_row() => {
                columns = Some(
                    contract
                        .columns()
                        .iter()
                        .map(|column| column.name.clone())
                        .collect(),
                );
            }
            Ok(_) => {}
            Err(problems) => {
                // Without its schema a contract has problems that are none of its own.
                for problem in problems.iter().filter(|_| is_sound) {
                    self.contract_problem(problem, input, input_schema.as_ref());
                }
                is_sound = false;
            }
        }
        let answers =
            output_schema
                .as_ref()
                .and_then(|schema| match JsonContract::compile(&schema.value) {
                    Ok(contract) => Some(contract),
                    Err(problems) => {
                        for problem in &problems {
                            self.contract_problem(problem, output, Some(schema));
                        }
                        None
                    }
                });
        let properties = value.and_then(property_names);
        let contracts = Contracts {
            input: spec,
            output: output_spec(output, output_schema.as_ref()),
            columns: columns.or_else(|| properties.clone().filter(|_| !is_sound)),
            properties,
            open: value.is_none_or(is_open),
            answers,
            answer_members: output_schema
                .as_ref()
                .filter(|schema| !is_open_to_others(&schema.value))
                .and_then(|schema| property_names(&schema.value)),
        };
        self.check_output(output, &contracts);
        contracts
    }

    fn check_output(&mut self, output: View<'_>, contracts: &Contracts) {
        if let Some(unsure) = output.text("unsure") {
            contracts.check_expression(
                output.source,
                &unsure,
                &["answer", "confidence", "inputs"],
                self.report,
            );
        }
        let whole = [("schema", "output.schema"), ("unsure", "output.unsure")];
        let needing: Vec<&str> = whole
            .iter()
            .filter(|(key, _)| output.key(key).is_some())
            .map(|(_, name)| *name)
            .collect();
        if let Some(stream) = output
            .text("stream")
            .filter(|found| found.value == "window" && !needing.is_empty())
        {
            let message = format!(
                "streams are buffered all the same: {} must see the whole answer",
                listed(&needing)
            );
            self.warn(
                &stream.at,
                message,
                "write stream = \"buffer\", which says what happens",
            );
        }
    }

    fn schema(&mut self, view: View<'_>) -> Option<Schema> {
        let (digest, source) = self.text_blob(view, "schema")?;
        match serde_json::from_str(&source.text) {
            Ok(value) => {
                self.check_strict(&source);
                Some(Schema {
                    digest,
                    source,
                    value,
                })
            }
            Err(error) => {
                let at = place_of(&source.text, error.line(), error.column());
                self.report.error(
                    &source,
                    &at,
                    format!("this is not JSON: {}", json_fault(&error)),
                );
                None
            }
        }
    }

    /// The JSON Schema that `view` names under `schema`, kept as a blob.
    pub(super) fn json_schema(&mut self, view: View<'_>) -> Option<(Digest, Value)> {
        let schema = self.schema(view)?;
        Some((schema.digest, schema.value))
    }

    /// What a lenient parser lets pass, such as a key that stands twice.
    fn check_strict(&mut self, source: &Source) {
        let limits = FrameLimits {
            bytes_max: source.text.len(),
            ..FrameLimits::default()
        };
        if let Err(error) = frame::scan(source.text.as_bytes(), &limits) {
            let at = error.offset.min(source.text.len().saturating_sub(1));
            self.report.error(
                source,
                &(at..at + 1),
                format!("this is not JSON as it should be: {}", error.detail),
            );
        }
    }

    fn contract_problem(
        &mut self,
        problem: &ContractProblem,
        view: View<'_>,
        schema: Option<&Schema>,
    ) {
        let message = problem.message.clone();
        if let Some(schema) =
            schema.filter(|_| problem.path.is_empty() || problem.path.starts_with('/'))
        {
            let at = json_place::place(&schema.source.text, &problem.path).unwrap_or(0..0);
            let reported = self.report.error(&schema.source, &at, message);
            if problem.path.ends_with("/type") {
                reported.help("`type` is one of \"number\", \"integer\", \"string\", \"boolean\", \"object\", \"array\" and \"null\", or a list of them");
            }
            return;
        }
        let mut keys = problem.path.split('.');
        let (table, key) = (
            keys.next().unwrap_or_default(),
            keys.next().unwrap_or_default(),
        );
        let at = view.table(table).key(key).unwrap_or_else(|| view.at());
        self.report.error(view.source, &at, message);
    }

    fn input(&mut self, view: View<'_>, schema: Option<&Schema>) -> InputSpec {
        let mut columns = BTreeMap::new();
        for (name, column) in view.table("columns").tables() {
            let spec = ColumnSpec {
                missing: column.word("missing", missing).map(|found| found.value),
                impute: column.json("impute").map(|found| found.value),
                unknown_category: column
                    .word("unknown_category", doubtful)
                    .map(|found| found.value),
                out_of_range: column
                    .word("out_of_range", doubtful)
                    .map(|found| found.value),
                coerce: column.word("coerce", coerce).map(|found| found.value),
            };
            columns.insert(name.to_owned(), spec);
        }
        let rules = view.table("rules");
        let rules = rules
            .entries()
            .into_iter()
            .filter_map(|(name, _, _)| Some((name.to_owned(), rules.text(name)?.value.to_owned())));
        let drop = view
            .text("unknown_field")
            .is_some_and(|found| found.value == "drop");
        InputSpec {
            schema: schema.map(|schema| schema.digest),
            missing: value_or(view.word("missing", missing), MissingPolicy::Refuse),
            unknown_category: value_or(
                view.word("unknown_category", doubtful),
                CategoryPolicy::Refuse,
            ),
            unknown_field: if drop {
                UnknownFieldPolicy::Drop
            } else {
                UnknownFieldPolicy::Refuse
            },
            out_of_range: value_or(view.word("out_of_range", doubtful), CategoryPolicy::Refuse),
            coerce: value_or(view.word("coerce", coerce), CoercePolicy::Never),
            columns,
            rules: rules.collect(),
            rows_max: whole(view, "rows_max", self.settings.server.rows_max),
            retrieved: view
                .texts("retrieved")
                .unwrap_or_default()
                .into_iter()
                .map(|found| found.value.to_owned())
                .collect(),
            spotlight: view
                .word("spotlight", SpotlightMethod::parse)
                .map(|found| found.value),
            tokens: token_limit(view.table("tokens")),
        }
    }
}

fn token_limit(view: View<'_>) -> Option<TokenLimit> {
    let max = view.whole("max")?.value;
    Some(TokenLimit {
        max: u32::try_from(max).ok()?,
        tokenizer: value_or(
            view.word("tokenizer", Tokenizer::parse),
            Tokenizer::O200kBase,
        ),
    })
}

fn output_spec(view: View<'_>, schema: Option<&Schema>) -> OutputSpec {
    let stream = match view.text("stream").map(|found| found.value) {
        Some("window") => StreamMode::Window,
        Some("refuse") => StreamMode::Refuse,
        _ => StreamMode::Buffer,
    };
    OutputSpec {
        schema: schema.map(|schema| schema.digest),
        unsure: view.text("unsure").map(|found| found.value.to_owned()),
        stream,
    }
}

fn missing(text: &str) -> Option<MissingPolicy> {
    match text {
        "refuse" => Some(MissingPolicy::Refuse),
        "impute" => Some(MissingPolicy::Impute),
        "unsure" => Some(MissingPolicy::Unsure),
        "allow" => Some(MissingPolicy::Allow),
        _ => None,
    }
}

fn coerce(text: &str) -> Option<CoercePolicy> {
    match text {
        "never" => Some(CoercePolicy::Never),
        "lossless" => Some(CoercePolicy::Lossless),
        _ => None,
    }
}

fn doubtful(text: &str) -> Option<CategoryPolicy> {
    match text {
        "refuse" => Some(CategoryPolicy::Refuse),
        "unsure" => Some(CategoryPolicy::Unsure),
        "allow" => Some(CategoryPolicy::Allow),
        _ => None,
    }
}

fn property_names(schema: &Value) -> Option<Vec<String>> {
    let properties = schema.get("properties")?.as_object()?;
    Some(properties.keys().cloned().collect())
}

/// Whether rows can have members that the schema does not name.
fn is_open(schema: &Value) -> bool {
    let others = schema.get("additionalProperties");
    others.is_some_and(|others| *others != Value::Bool(false))
        || schema.get("patternProperties").is_some()
}

/// Whether answers can: there JSON Schema's own default holds.
fn is_open_to_others(schema: &Value) -> bool {
    schema.get("additionalProperties") != Some(&Value::Bool(false))
        || schema.get("patternProperties").is_some()
}

/// The byte at a line and column (both from 1, columns in bytes) of a text.
pub(crate) fn place_of(text: &str, line: usize, column: usize) -> Span {
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let at = (start + column.saturating_sub(1)).min(text.len().saturating_sub(1));
    at..at + 1
}

/// What `serde_json` says, without the place, which is shown anyway.
pub(crate) fn json_fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ")
        .map_or(text.clone(), |(message, _)| message.to_owned())
}
