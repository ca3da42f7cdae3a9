//! Prompts and request bodies: MiniJinja templates, held against the contract of the input.

use plimsoll_core::manifest::{ModelSpec, PromptSpec};

use super::Resolver;
use super::contracts::Contracts;
use super::models::Models;
use crate::forms::view::{Found, View};
use crate::source::{Span, did_you_mean, listed};

/// What MiniJinja brings along.
const FUNCTIONS: [&str; 4] = ["range", "dict", "namespace", "debug"];

/// Why a template cannot be used: where in it, if that is known, and what is wrong.
struct Fault {
    at: Option<Span>,
    message: String,
}

impl Resolver<'_> {
    pub(super) fn prompt(
        &mut self,
        view: View<'_>,
        contracts: &Contracts,
        models: &Models,
    ) -> Option<PromptSpec> {
        if !view.exists() {
            return None;
        }
        let is_known = models.specs.len() == models.declared.len();
        if is_known
            && !models
                .specs
                .values()
                .any(|spec| matches!(spec, ModelSpec::Openai(_)))
        {
            self.error(
                &view.at(),
                "there is a prompt and no language model that could read it",
                "give a model a `provider`, or take `[prompt]` out",
            );
        }
        let (template, source) = self.text_blob(view, "template")?;
        let nothing = Vec::new();
        let known = contracts.properties.as_ref().unwrap_or(&nothing);
        let schema_is_broken =
            self.file.table("input").key("schema").is_some() && contracts.input.schema.is_none();
        if !schema_is_broken {
            for fault in variable_faults(&source.text, known) {
                self.report
                    .error(&source, &fault.at.unwrap_or(0..0), fault.message);
            }
        }
        let role = view
            .text("role")
            .map_or("user", |found| found.value)
            .to_owned();
        Some(PromptSpec { template, role })
    }

    /// Checks the request template of an HTTP model.
    pub(super) fn check_request(
        &mut self,
        view: View<'_>,
        found: &Found<&str>,
        contracts: &Contracts,
    ) {
        for fault in request_faults(
            found.value,
            contracts.columns.as_deref().filter(|_| !contracts.open),
        ) {
            self.report.error(view.source, &found.at, fault.message);
        }
    }
}

fn compile_fault(text: &str, error: &minijinja::Error) -> Fault {
    let detail = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    let at = error
        .range()
        .filter(|range| range.end <= text.len())
        .or_else(|| {
            let line = error.line()?;
            Some(super::contracts::place_of(text, line, 1))
        });
    Fault {
        at,
        message: format!("this is not a template: {detail}"),
    }
}

/// What is wrong with a prompt whose variables are `known`.
fn variable_faults(text: &str, known: &[String]) -> Vec<Fault> {
    let environment = minijinja::Environment::new();
    let template = match environment.template_from_str(text) {
        Ok(template) => template,
        Err(error) => return vec![compile_fault(text, &error)],
    };
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let mut unknown: Vec<String> = template.undeclared_variables(false).into_iter().collect();
    unknown.retain(|name| !known.contains(&name.as_str()) && !FUNCTIONS.contains(&name.as_str()));
    unknown.sort();
    let fault = |name: String| {
        let help = if known.is_empty() {
            "give `[input]` a `schema` with the variables as its properties".to_owned()
        } else {
            did_you_mean(&name, &known, |known| format!("it has {}", listed(known)))
        };
        Fault {
            at: first_use(text, &name),
            message: format!("the input schema has no `{name}`: {help}"),
        }
    };
    unknown.into_iter().map(fault).collect()
}

/// What is wrong with a request's body over `inputs`, whose members are `known`.
fn request_faults(text: &str, known: Option<&[String]>) -> Vec<Fault> {
    let environment = minijinja::Environment::new();
    let template = match environment.template_from_str(text) {
        Ok(template) => template,
        Err(error) => return vec![compile_fault(text, &error)],
    };
    let mut faults = Vec::new();
    let mut uses: Vec<String> = template.undeclared_variables(true).into_iter().collect();
    uses.sort();
    for name in &uses {
        let (variable, member) = name
            .split_once('.')
            .map_or((name.as_str(), None), |(v, m)| (v, Some(m)));
        let message = match (variable, member, known) {
            ("inputs", Some(member), Some(known)) if !known.iter().any(|name| name == member) => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let help =
                    did_you_mean(member, &known, |known| format!("it has {}", listed(known)));
                format!("the input schema has no `{member}`: {help}")
            }
            ("inputs", ..) => continue,
            (other, ..) if FUNCTIONS.contains(&other) => continue,
            (other, ..) => {
                format!("there is no variable `{other}` here: a request is made from `inputs`")
            }
        };
        faults.push(Fault { at: None, message });
    }
    faults
}

/// The first place within a tag of the template where the name stands as a word.
fn first_use(text: &str, name: &str) -> Option<Span> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name)
        .map(|(at, _)| at..at + name.len())
        .find(|span| {
            let before = &text[..span.start];
            let opened = before.rfind("{{").max(before.rfind("{%"));
            let closed = before.rfind("}}").max(before.rfind("%}"));
            opened > closed && !before.ends_with(is_word) && !text[span.end..].starts_with(is_word)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_the_schema_lacks_is_found_where_it_is_used() {
        let text = "The qestion of a customer.\n{{ qestion }} {% for p in pages %}{{ p.title }}{% endfor %}";
        let known = ["question".to_owned(), "pages".to_owned()];
        let faults = variable_faults(text, &known);
        assert_eq!(faults.len(), 1);
        assert_eq!(
            faults[0].message,
            "the input schema has no `qestion`: did you mean `question`?"
        );
        assert_eq!(faults[0].at, Some(30..37));
    }

    #[test]
    fn a_request_is_made_from_inputs_alone() {
        let known = ["age".to_owned()];
        let faults = request_faults("{\"a\": {{ inputs.agee }}, \"b\": {{ row }}}", Some(&known));
        let messages: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "the input schema has no `agee`: did you mean `age`?",
                "there is no variable `row` here: a request is made from `inputs`",
            ]
        );
        assert!(request_faults("{{ inputs | tojson }}", Some(&known)).is_empty());
        assert_eq!(request_faults("{{ inputs", None).len(), 1);
    }
}
