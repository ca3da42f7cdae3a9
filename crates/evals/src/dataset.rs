//! Decisions that were judged, as cases: what people and the world said of an answer becomes what is expected.
//!
//! A person's answer in review is an expectation, and so is a label, under its name. A label that only says
//! whether the answer was right makes the answer itself the expectation where it was, and none where it was
//! not. Where both speak, labels stand over reviews: they came later and from the world.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use plimsoll_core::dataset::{DatasetCounts, Judged};
use plimsoll_core::label::{Label, LabelValue};
use plimsoll_core::manifest::canonical_json;
use plimsoll_core::{Decision, DecisionId, Digest, LabelName, ReleaseId, Timestamp};
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::case::Case;
use crate::member::{member, same};
use crate::scorer::{Check, Scored, Scorer};

/// A decision with all that is known of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Example {
    /// Which.
    pub decision: DecisionId,
    /// The release that answered.
    pub release: ReleaseId,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The session or the unit of work that it belongs to: cases of one are not independent of each other.
    pub group: Option<String>,
    /// What was asked.
    pub input: Value,
    /// What was answered.
    pub answer: Answer,
    /// The labels that stand, in the order of their names.
    pub labels: Vec<Label>,
    /// What a person answered.
    pub review: Option<Reviewed>,
}

/// What a person answered.
#[derive(Clone, PartialEq, Debug)]
pub struct Reviewed {
    /// The answer.
    pub answer: Value,
    /// What a model had proposed.
    pub proposal: Option<Value>,
    /// Who.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

impl Example {
    /// What is known of a closed decision.
    pub fn of(decision: &Decision, input: Value, output: Value) -> Self {
        Self {
            decision: decision.id,
            release: decision.release,
            opened_at: decision.opened_at,
            group: decision.session.clone().or_else(|| decision.unit.clone()),
            answer: Answer::of(decision, output, 0),
            input,
            labels: Vec::new(),
            review: None,
        }
    }
}

/// Why a decision is no case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoCase {
    /// What is right is not known.
    WithoutTruth,
    /// The truth was what was answered, and only the others are wanted.
    Agreeing,
}

/// How decisions become cases.
#[derive(Default)]
pub struct Teaching {
    /// The label that is true where the answer was right; others are the truth themselves.
    pub right: Option<LabelName>,
    /// As which member of the expectation a label stands; by default its name.
    pub members: BTreeMap<LabelName, String>,
    /// The system's scorers: they know how an answer is held against an expectation.
    pub scorers: Vec<Scorer>,
    /// Only where the truth was another than the answer.
    pub only_disagreeing: bool,
}

impl Teaching {
    /// The decision as a line of an eval set.
    ///
    /// # Errors
    /// With why it is none.
    pub fn case(&self, example: &Example) -> Result<Value, NoCase> {
        let expect = self.expectation(example).ok_or(NoCase::WithoutTruth)?;
        let mut tags = BTreeSet::new();
        if !example.labels.is_empty() {
            tags.insert(Judged::Labelled.as_str());
        }
        if example.review.is_some() {
            tags.insert(Judged::Reviewed.as_str());
        }
        if self.disagrees(example, &expect) {
            tags.insert(Judged::Disagreeing.as_str());
        } else if self.only_disagreeing {
            return Err(NoCase::Agreeing);
        }
        let mut line = json!({
            "id": example.decision, "input": example.input, "expect": expect, "tags": tags,
            "source": source(example),
        });
        if let Some(group) = &example.group {
            line["group"] = json!(group);
        }
        Ok(line)
    }

    fn expectation(&self, example: &Example) -> Option<Value> {
        let mut expect = example
            .review
            .as_ref()
            .map(|review| members(&review.answer));
        for label in &example.labels {
            if self.right.as_ref() == Some(&label.name) {
                if label.value == LabelValue::Flag(true) && expect.is_none() {
                    expect = Some(members(example.answer.given()?));
                }
                continue;
            }
            let name = self.members.get(&label.name);
            let name = name.map_or(label.name.as_str(), String::as_str).to_owned();
            expect
                .get_or_insert_default()
                .insert(name, json!(label.value));
        }
        expect
            .filter(|expect| !expect.is_empty())
            .map(Value::Object)
    }

    /// Whether the truth is known to be another than what was answered, or proposed to a person.
    fn disagrees(&self, example: &Example, expect: &Value) -> bool {
        let was_wrong = |label: &Label| {
            self.right.as_ref() == Some(&label.name) && label.value == LabelValue::Flag(false)
        };
        let proposal = example.review.as_ref().and_then(|review| {
            let proposal = review.proposal.as_ref()?;
            Some(!same(proposal, &review.answer))
        });
        proposal == Some(true)
            || example.labels.iter().any(was_wrong)
            || self.is_scored_wrong(example, expect)
            || differs(example, expect)
    }

    fn is_scored_wrong(&self, example: &Example, expect: &Value) -> bool {
        let case = Case::asked(
            example.decision.to_string(),
            example.input.clone(),
            expect.clone(),
        );
        let comparing = self.scorers.iter().filter(|scorer| {
            let spec = &scorer.spec;
            let compares = spec.needs_expectation() && !matches!(spec.check, Check::Judge(_));
            compares && spec.fault(&case).is_none()
        });
        let mut scored = comparing.filter_map(|scorer| {
            let scored = scorer.score(&case, &example.answer)?;
            Some((scorer.spec.pass.unwrap_or(1.0), scored))
        });
        example.answer.given().is_some()
            && scored.any(|(pass, scored)| match scored {
                Scored::Score { score, .. } => score < pass,
                Scored::Class {
                    truth, predicted, ..
                } => truth != predicted,
                Scored::Label { truth, predicted } => truth != predicted,
                // A number is never quite the one that was predicted.
                Scored::Number { .. } | Scored::Unanswered | Scored::Unscored { .. } => false,
            })
    }
}

/// Whether the answer has a member that is expected, and it is another.
fn differs(example: &Example, expect: &Value) -> bool {
    let answered = example.review.as_ref().map(|review| &review.answer);
    let Some(answered) = example.answer.given().or(answered) else {
        return false;
    };
    let (given, expected) = (members(answered), expect.as_object());
    let mut expected = expected.into_iter().flatten();
    expected.any(|(name, wanted)| given.get(name).is_some_and(|said| !same(said, wanted)))
}

/// An answer as the members of an expectation: an object's own, also where it is the text of a chat; any other
/// answer is the member `answer`.
fn members(answer: &Value) -> Map<String, Value> {
    let answer = match answer.pointer("/choices/0/message") {
        Some(_) => member(answer, ".").cloned().unwrap_or_default(),
        None => answer.clone(),
    };
    let read = match &answer {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        _ => Value::Null,
    };
    match (answer, read) {
        (Value::Object(members), _) | (_, Value::Object(members)) => members,
        (other, _) => Map::from_iter([("answer".to_owned(), other)]),
    }
}

/// Where a case comes from: which decision, who said what is true, how and when.
fn source(example: &Example) -> Value {
    let label = |label: &Label| {
        json!({
            "name": label.name, "through": label.through, "actor": label.actor,
            "at": label.at.to_string(), "observed_at": label.observed_at.map(|at| at.to_string()),
        })
    };
    let labels: Vec<Value> = example.labels.iter().map(label).collect();
    let review = example
        .review
        .as_ref()
        .map(|review| json!({"actor": review.actor, "at": review.at.to_string()}));
    json!({
        "decision": example.decision, "release": example.release,
        "opened_at": example.opened_at.to_string(), "labels": labels, "review": review,
    })
}

/// Cases on their way to becoming a dataset; those that ask the same are one, unless they are to stay apart.
#[derive(Default)]
pub struct Collected {
    keeps_duplicates: bool,
    cases: Vec<(Timestamp, Value)>,
    asked: HashMap<Digest, usize>,
    /// What became of what was added.
    pub counts: DatasetCounts,
}

impl Collected {
    /// Nothing yet.
    pub fn new(keeps_duplicates: bool) -> Self {
        Self {
            keeps_duplicates,
            ..Self::default()
        }
    }

    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Takes in a decision. Of two that ask the same the later stands, as what is true of it was said of the
    /// world as it is by now.
    pub fn add(&mut self, teaching: &Teaching, example: &Example) {
        let case = match teaching.case(example) {
            Ok(case) => case,
            Err(NoCase::WithoutTruth) => return self.counts.without_truth += 1,
            Err(NoCase::Agreeing) => return self.counts.agreeing += 1,
        };
        let asked = Digest::of(&canonical_json(&example.input));
        let place = self.asked.get(&asked).filter(|_| !self.keeps_duplicates);
        let Some((at, standing)) = place.and_then(|place| self.cases.get_mut(*place)) else {
            self.asked.insert(asked, self.cases.len());
            self.cases.push((example.opened_at, case));
            return;
        };
        if same(&standing["expect"], &case["expect"]) {
            self.counts.duplicates += 1;
        } else {
            self.counts.contradicted += 1;
        }
        if (*at, standing["id"].as_str()) < (example.opened_at, case["id"].as_str()) {
            (*at, *standing) = (example.opened_at, case);
        }
    }

    /// The lines of the set, the earliest decision first, and what became of all.
    pub fn finish(mut self) -> (Vec<Value>, DatasetCounts) {
        self.cases
            .sort_by_key(|(at, case)| (*at, case["id"].as_str().unwrap_or_default().to_owned()));
        self.counts.cases = self.cases.len() as u64;
        let lines = self.cases.into_iter().map(|(_, case)| case).collect();
        (lines, self.counts)
    }
}

#[cfg(test)]
mod tests;
