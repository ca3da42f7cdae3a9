//! `plimsoll test`: runs a system's `cases.jsonl`. Each input must take its path to its outcome, with
//! models replaced by given answers where a case says so. What is recorded is thrown away.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use plimsoll_core::decision::AttemptReason;
use plimsoll_core::{Decision, Outcome as Ended, Step, SystemName, TenantName};
use plimsoll_gateway::{Aim, Asked, Given, Question};
use plimsoll_spec::cases::{self, Case, Expectation, GivenAnswer};
use serde::Serialize;
use serde_json::Value;

use crate::assembly::{Assembly, assemble_aside};
use crate::cli::{Global, TestArgs};
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::Output;
use crate::workspace;

#[derive(Serialize)]
struct Tested {
    case: String,
    line: usize,
    passed: bool,
    differences: Vec<String>,
}

/// Runs the cases and tells which differ.
pub(crate) async fn run(global: &Global, args: &TestArgs, out: Output) -> Outcome<Exit> {
    let workspace = workspace::load_without_secrets(global)?;
    let name = workspace::system(&workspace, Some(&args.system))?
        .name
        .clone();
    let cases = read_cases(&workspace, &name, args)?;
    let assembly = assemble_aside(workspace, None).await?;
    let tested = run_cases(&assembly, &name, cases).await;
    assembly.close().await?;
    let tested = tested?;
    let passed = tested.iter().all(|case| case.passed);
    out.show(&tested, || text(&tested, &name, out))?;
    Ok(Exit::when(passed))
}

fn read_cases(
    workspace: &plimsoll_spec::Workspace,
    name: &SystemName,
    args: &TestArgs,
) -> Outcome<Vec<Case>> {
    let path = workspace
        .folders
        .get(name)
        .and_then(|folder| folder.cases.as_ref());
    let none = || {
        let message = format!("system `{name}` has no cases: write systems/{name}/cases.jsonl");
        Failure::says(Exit::Usage, message)
    };
    let cases = cases::read(path.ok_or_else(none)?)?;
    let wanted = |case: &Case| {
        args.only
            .as_ref()
            .is_none_or(|only| case.name.contains(only.as_str()))
    };
    Ok(cases.into_iter().filter(wanted).collect())
}

async fn run_cases(
    assembly: &Assembly,
    name: &SystemName,
    cases: Vec<Case>,
) -> Outcome<Vec<Tested>> {
    let mut tested = Vec::with_capacity(cases.len());
    for case in cases {
        let given = case
            .models
            .into_iter()
            .map(|(model, answer)| (model, given(answer)));
        let question = Question {
            system: name.clone(),
            tenant: TenantName::default_tenant(),
            input: case.input,
            given: given.collect::<BTreeMap<_, _>>(),
            unit: None,
            aim: Aim::default(),
        };
        let asked = assembly.node.ask(question).await.or_exit(Exit::Workspace)?;
        let differences = differences(&case.expect, &asked);
        let passed = differences.is_empty();
        tested.push(Tested {
            case: case.name,
            line: case.line,
            passed,
            differences,
        });
    }
    Ok(tested)
}

fn given(answer: GivenAnswer) -> Given {
    match answer {
        GivenAnswer::Answer { value, confidence } => Given::Answer { value, confidence },
        GivenAnswer::Fail(code) => Given::Fail(code),
    }
}

/// What was expected and did not happen.
fn differences(expect: &Expectation, asked: &Asked) -> Vec<String> {
    let decision = &asked.decision;
    let mut differences = Vec::new();
    let mut differ = |what: &str, expected: String, found: String| {
        if expected != found {
            differences.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    let ended = |outcome: Option<Ended>| outcome.map_or("open", Ended::as_str).to_owned();
    if expect.open || expect.outcome.is_some() {
        differ("outcome", ended(expect.outcome), ended(decision.outcome));
    }
    if let Some(path) = &expect.path {
        differ("path", steps(path), steps(&path_of(decision)));
    }
    if let Some(kind) = expect.kind {
        let found = decision.kind.map_or("none", |kind| kind.as_str());
        differ("kind", kind.to_string(), found.to_owned());
    }
    if let Some(code) = expect.code {
        let found = asked
            .refusal
            .as_ref()
            .map(|refusal| refusal.code)
            .or(decision.code);
        differ(
            "code",
            code.to_string(),
            found.map_or("none", |code| code.as_str()).to_owned(),
        );
    }
    if let Some(answer) = &expect.answer {
        let found = asked.answer.clone().unwrap_or(Value::Null);
        if !is_subset(answer, &found) {
            differences.push(format!("answer: expected {answer}, found {found}"));
        }
    }
    differences
}

/// The models that were asked and the other steps that were taken, in order.
fn path_of(decision: &Decision) -> Vec<Step> {
    let first = decision
        .attempts
        .first()
        .filter(|attempt| attempt.reason == AttemptReason::First);
    let first = first.map(|attempt| Step::Model(attempt.model.clone()));
    first
        .into_iter()
        .chain(decision.path.iter().map(|step| step.step.clone()))
        .collect()
}

fn steps(steps: &[Step]) -> String {
    if steps.is_empty() {
        return "nothing".to_owned();
    }
    steps
        .iter()
        .map(Step::as_str)
        .collect::<Vec<_>>()
        .join(" → ")
}

/// Whether every member of `part` is in `whole`; numbers by value, so that 1 is 1.0.
fn is_subset(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|found| is_subset(value, found))),
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len()
                && part
                    .iter()
                    .zip(whole)
                    .all(|(value, found)| is_subset(value, found))
        }
        (Value::Number(part), Value::Number(whole)) => {
            part == whole
                || part
                    .as_f64()
                    .is_some_and(|value| Some(value) == whole.as_f64())
        }
        (part, whole) => part == whole,
    }
}

fn text(tested: &[Tested], name: &SystemName, out: Output) -> String {
    let mut text = String::new();
    for case in tested {
        let Tested {
            case,
            line,
            passed,
            differences,
        } = case;
        let _infallible = writeln!(text, "{} {case}", out.paint.mark(*passed));
        for difference in differences {
            let _infallible = writeln!(text, "    cases.jsonl:{line}  {difference}");
        }
    }
    let passed = tested.iter().filter(|case| case.passed).count();
    let _infallible = writeln!(
        text,
        "\n{passed} of {} cases of {name} passed",
        tested.len()
    );
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_may_have_more_than_is_expected_but_nothing_else() {
        let whole = json!({"decision": "grant", "p": 1.0, "why": {"rule": "a", "x": [1, 2]}});
        for part in [
            json!({}),
            json!({"p": 1}),
            json!({"why": {"x": [1, 2]}}),
            whole.clone(),
        ] {
            assert!(is_subset(&part, &whole), "{part}");
        }
        for part in [
            json!({"p": 2}),
            json!({"q": null}),
            json!({"why": {"x": [1]}}),
            json!([]),
        ] {
            assert!(!is_subset(&part, &whole), "{part}");
        }
    }
}
