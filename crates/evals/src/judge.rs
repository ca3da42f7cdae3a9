//! Judges: another system of the workspace is asked what an answer is worth.
//!
//! A judge is asked with texts under fixed names ([`Judge::questions`]), so that its prompt and its input
//! schema can be written once, and answers with `score` (0 to 1) or `pass`, and a `reason`; in pairs with
//! `winner`. Anything else is nonsense: the case is unscored, and says so. A pair is asked in both orders,
//! since judges prefer what they read first.

use plimsoll_core::SystemName;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::case::Case;
use crate::member::{member, number, readable};
use crate::scorer::Scored;

/// A judge and what it is asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Judge {
    /// The system that judges.
    pub system: SystemName,
    /// What it is asked for.
    pub task: Task,
    /// The member of the input, or else of the expectation, that holds the sources.
    pub sources: Option<String>,
}

/// What a judge is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Whether the answer does what the rubric says.
    Rubric {
        /// The rubric.
        rubric: String,
    },
    /// Whether the answer says the same as the expected one.
    Factuality,
    /// Whether the sources bear out all that the answer says.
    Groundedness,
    /// Whether the answer is better than another: the expected one.
    Pairwise,
}

const FACTUALITY: &str = "The answer agrees with the reference on every fact. It may say more, or say it \
    in other words; it may not contradict the reference or lack what it says.";
const GROUNDEDNESS: &str = "Every claim of the answer is borne out by the sources. A claim that may be true \
    but is not in the sources is not grounded.";
const PAIRWISE: &str = "Which of the two answers serves the asker better? Judge what is said, not its \
    length nor its place.";

impl Judge {
    /// Whether it needs an expectation.
    pub const fn needs_expectation(&self) -> bool {
        matches!(self.task, Task::Factuality | Task::Pairwise)
    }

    fn task(&self) -> (&'static str, &str) {
        match &self.task {
            Task::Rubric { rubric } => ("rubric", rubric),
            Task::Factuality => ("factuality", FACTUALITY),
            Task::Groundedness => ("groundedness", GROUNDEDNESS),
            Task::Pairwise => ("pairwise", PAIRWISE),
        }
    }

    /// What to ask the judge about `answer`, one after the other.
    ///
    /// # Errors
    /// With what is missing.
    pub fn questions(
        &self,
        case: &Case,
        answer: &Value,
        reference: Option<&Value>,
    ) -> Result<Vec<Value>, String> {
        let (task, criterion) = self.task();
        let sources = self.sources.as_ref().map(|path| {
            member(&case.input, path)
                .or_else(|| member(&case.expect, path))
                .map(readable)
                .ok_or_else(|| format!("case `{}` has no sources `{path}`", case.id))
        });
        let sources = sources.transpose()?.unwrap_or_default();
        let reference = reference.map(readable).unwrap_or_default();
        let ask = |answer: &str, other: &str, reference: &str| {
            json!({
                "task": task, "criterion": criterion, "question": readable(&case.input),
                "answer": answer, "other": other, "reference": reference, "sources": sources,
            })
        };
        let answer = readable(answer);
        Ok(match self.task {
            Task::Pairwise if reference.is_empty() => {
                return Err("there is no other answer to hold it against".to_owned());
            }
            Task::Pairwise => vec![ask(&answer, &reference, ""), ask(&reference, &answer, "")],
            Task::Factuality if reference.is_empty() => {
                return Err("there is no reference to hold it against".to_owned());
            }
            _ => vec![ask(&answer, "", &reference)],
        })
    }

    /// The score that follows from what the judge said to the questions, in their order.
    pub fn read(&self, said: &[Value]) -> Scored {
        if self.task != Task::Pairwise {
            return match said {
                [one] => read_score(one),
                _ => Scored::unscored("the judge gave no answer"),
            };
        }
        let [first, second] = said else {
            return Scored::unscored("the judge gave no two answers");
        };
        match (winner(first), winner(second)) {
            (Ok(Winner::First), Ok(Winner::Second)) => Scored::plain(1.0),
            (Ok(Winner::Second), Ok(Winner::First)) => Scored::noted(0.0, reason(first)),
            (Ok(Winner::Tie), Ok(Winner::Tie)) => Scored::noted(0.5, "a tie"),
            (Ok(_), Ok(_)) => {
                Scored::noted(0.5, "the judge changed its mind when the order was swapped")
            }
            (Err(nonsense), _) | (_, Err(nonsense)) => Scored::unscored(nonsense),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Winner {
    First,
    Second,
    Tie,
}

/// What a judge said as an object: as it is, or as JSON in the text of a chat completion.
fn object(said: &Value) -> Option<Value> {
    match member(said, ".")? {
        Value::Object(_) => Some(said.clone()),
        Value::String(text) => serde_json::from_str(text.trim())
            .ok()
            .filter(Value::is_object),
        _ => None,
    }
}

fn nonsense(said: &Value, wanted: &str) -> String {
    format!(
        "the judge answered nonsense ({wanted} was asked for): {}",
        readable(said)
    )
}

fn reason(said: &Value) -> String {
    let said = object(said).unwrap_or_default();
    said["reason"]
        .as_str()
        .unwrap_or("the judge gave no reason")
        .to_owned()
}

fn read_score(said: &Value) -> Scored {
    let wanted = "`score` from 0 to 1, or `pass`";
    let Some(answer) = object(said) else {
        return Scored::unscored(nonsense(said, wanted));
    };
    let score = match (&answer["score"], &answer["pass"]) {
        (Value::Null, Value::Bool(pass)) => Some(f64::from(u8::from(*pass))),
        (score, _) => number(score).filter(|score| (0.0..=1.0).contains(score)),
    };
    match score {
        Some(1.0) => Scored::plain(1.0),
        Some(score) => Scored::noted(score, reason(said)),
        None => Scored::unscored(nonsense(said, wanted)),
    }
}

fn winner(said: &Value) -> Result<Winner, String> {
    let answer = object(said).unwrap_or_default();
    match answer["winner"].as_str() {
        Some("first") => Ok(Winner::First),
        Some("second") => Ok(Winner::Second),
        Some("tie") => Ok(Winner::Tie),
        _ => Err(nonsense(said, "`winner`: first, second or tie")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Gathering;

    fn judge(task: Task) -> Judge {
        Judge {
            system: SystemName::new("judge").unwrap(),
            task,
            sources: Some("pages".to_owned()),
        }
    }

    fn case() -> Case {
        let mut gathering = Gathering::default();
        let row = json!({"id": "a", "input": {"q": "?", "pages": "p"}, "expect": {"x": "y"}});
        gathering.add("set:1".to_owned(), row);
        gathering.finish("set").unwrap().cases.remove(0)
    }

    #[test]
    fn nonsense_is_no_score() {
        let judge = judge(Task::Groundedness);
        for bad in [
            json!("fine, I think"),
            json!({"score": 7}),
            json!({"score": "NaN"}),
            json!({"score": null}),
            json!({"pass": "yes"}),
            json!([1]),
            json!(null),
        ] {
            assert!(matches!(judge.read(&[bad]), Scored::Unscored { .. }));
        }
        assert!(matches!(judge.read(&[]), Scored::Unscored { .. }));
        assert_eq!(judge.read(&[json!({"pass": true})]), Scored::plain(1.0));
        let chat = json!({"choices": [{"message": {"content": "{\"score\": 0.5, \"reason\": \"half\"}"}}]});
        assert_eq!(judge.read(&[chat]), Scored::noted(0.5, "half"));
    }

    #[test]
    fn a_pair_is_asked_in_both_orders_and_a_changed_mind_is_a_tie() {
        let judge = judge(Task::Pairwise);
        let asked = judge
            .questions(&case(), &json!("mine"), Some(&json!("theirs")))
            .unwrap();
        assert_eq!(
            (&asked[0]["answer"], &asked[0]["other"]),
            (&json!("mine"), &json!("theirs"))
        );
        assert_eq!(
            (&asked[1]["answer"], &asked[1]["other"]),
            (&json!("theirs"), &json!("mine"))
        );
        let said =
            |one: &str, two: &str| judge.read(&[json!({"winner": one}), json!({"winner": two})]);
        assert_eq!(said("first", "second"), Scored::plain(1.0));
        assert!(matches!(
            said("second", "first"),
            Scored::Score { score: 0.0, .. }
        ));
        assert!(matches!(
            said("first", "first"),
            Scored::Score { score: 0.5, .. }
        ));
        assert!(matches!(
            said("first", "whichever"),
            Scored::Unscored { .. }
        ));
    }

    #[test]
    fn what_the_judge_needs_must_be_there() {
        assert!(
            judge(Task::Factuality)
                .questions(&case(), &json!("a"), None)
                .is_err()
        );
        let mut lacking = judge(Task::Groundedness);
        lacking.sources = Some("elsewhere".to_owned());
        assert!(lacking.questions(&case(), &json!("a"), None).is_err());
        let asked = judge(Task::Groundedness)
            .questions(&case(), &json!("a"), None)
            .unwrap();
        assert_eq!(asked[0]["sources"], json!("p"));
    }
}
