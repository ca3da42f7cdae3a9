//! The ladder: the designed steps for each failure kind, and the pure walk over them.
//!
//! A failure enters its own kind's ladder once, and models that were already asked are skipped; if
//! that ladder was entered before, the one in progress goes on. When all are exhausted the decision
//! is refused. The first kind labels the decision.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::failure::FailureKind;
use crate::names::{ModelName, NameError};

/// One step of a ladder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Step {
    /// Tell the caller no, with the reason.
    Refuse,
    /// Tell the caller to come back later.
    Shed,
    /// Give the abstain value.
    Abstain,
    /// Ask the model that answered to mend its answer.
    Repair,
    /// Give an earlier cleared answer to the same input.
    LastGood,
    /// Wait for a person.
    Review,
    /// Ask this model.
    Model(ModelName),
}

impl Step {
    /// The step's name in files and records; a model's step is the model's name.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Refuse => "refuse",
            Self::Shed => "shed",
            Self::Abstain => "abstain",
            Self::Repair => "repair",
            Self::LastGood => "last_good",
            Self::Review => "review",
            Self::Model(name) => name.as_str(),
        }
    }

    /// The words that no model may be called by.
    pub const RESERVED: [&'static str; 7] = [
        "refuse",
        "shed",
        "abstain",
        "repair",
        "last_good",
        "review",
        "ask_again",
    ];

    /// Reads a step's name.
    ///
    /// # Errors
    /// If it is neither a reserved word nor a name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Ok(match text {
            "refuse" => Self::Refuse,
            "shed" => Self::Shed,
            "abstain" => Self::Abstain,
            "repair" => Self::Repair,
            "last_good" => Self::LastGood,
            "review" => Self::Review,
            name => Self::Model(ModelName::new(name)?),
        })
    }

    /// Whether the ladder ends here: nothing may stand after such a step.
    pub const fn is_terminal(&self) -> bool {
        matches!(
            self,
            Self::Refuse | Self::Shed | Self::Abstain | Self::Review
        )
    }

    /// Whether the step asks a model, and so may not follow a failure about the input.
    pub const fn asks_a_model(&self) -> bool {
        matches!(self, Self::Model(_) | Self::Repair)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A system's ladders, one for each kind. Kinds without a line of their own get a safe default.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ladders(BTreeMap<FailureKind, Ladder>);

/// The steps for one kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ladder {
    /// The steps, tried in order.
    pub steps: Vec<Step>,
    /// Whether somebody wrote them, or they are the safe default; the bar counts defaults as missing.
    pub designed: bool,
}

impl Ladders {
    /// The ladders of a system that designed `designed` and, for the other kinds, the safe defaults:
    /// abstain where there is an abstain value and the failure is not the caller's, else refuse or shed.
    pub fn new(designed: BTreeMap<FailureKind, Vec<Step>>, can_abstain: bool) -> Self {
        let safe = |kind| match kind {
            FailureKind::Malformed | FailureKind::Adversarial | FailureKind::OverBudget => {
                Step::Refuse
            }
            FailureKind::Overload => Step::Shed,
            FailureKind::Unavailable
            | FailureKind::Slow
            | FailureKind::Wrong
            | FailureKind::Unsure => {
                if can_abstain {
                    Step::Abstain
                } else {
                    Step::Refuse
                }
            }
        };
        let ladder = |kind| match designed.get(&kind) {
            Some(steps) => Ladder {
                steps: steps.clone(),
                designed: true,
            },
            None => Ladder {
                steps: vec![safe(kind)],
                designed: false,
            },
        };
        Self(
            FailureKind::ALL
                .into_iter()
                .map(|kind| (kind, ladder(kind)))
                .collect(),
        )
    }

    /// The steps for `kind`.
    pub fn steps(&self, kind: FailureKind) -> &[Step] {
        self.0.get(&kind).map_or(&[], |ladder| &ladder.steps)
    }

    /// Whether somebody designed the answer to `kind`.
    pub fn is_designed(&self, kind: FailureKind) -> bool {
        self.0.get(&kind).is_some_and(|ladder| ladder.designed)
    }

    /// Each kind with its ladder.
    pub fn iter(&self) -> impl Iterator<Item = (FailureKind, &Ladder)> {
        self.0.iter().map(|(kind, ladder)| (*kind, ladder))
    }
}

/// A walk down the ladders after the first failure of a decision. Pure: it only says what is next.
#[derive(Clone, Debug)]
pub struct Descent<'a> {
    ladders: &'a Ladders,
    /// Ladders in progress, the newest last.
    stack: Vec<std::slice::Iter<'a, Step>>,
    entered: Vec<FailureKind>,
    asked: Vec<ModelName>,
}

/// What the walk knows when it chooses a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Footing {
    /// The input was screened, so models may be asked.
    pub screened: bool,
    /// A model gave an answer that could be mended.
    pub repairable: bool,
}

impl<'a> Descent<'a> {
    /// A walk that has not begun; `asked` are the models that were already asked.
    pub fn new(ladders: &'a Ladders, asked: Vec<ModelName>) -> Self {
        Self {
            ladders,
            stack: Vec::new(),
            entered: Vec::new(),
            asked,
        }
    }

    /// The kind that labels the decision.
    pub fn first_kind(&self) -> Option<FailureKind> {
        self.entered.first().copied()
    }

    /// Notes that `model` was asked, so that no later step asks it again.
    pub fn note_asked(&mut self, model: &ModelName) {
        if !self.asked.contains(model) {
            self.asked.push(model.clone());
        }
    }

    /// After a failure of `kind`: the step to take now. The walk ends after at most as many steps as
    /// all ladders have together.
    pub fn after(&mut self, kind: FailureKind, footing: Footing) -> Step {
        if !self.entered.contains(&kind) {
            self.entered.push(kind);
            self.stack.push(self.ladders.steps(kind).iter());
        }
        while let Some(steps) = self.stack.last_mut() {
            match steps.next() {
                Some(step) if self.can_take(step, footing) => return step.clone(),
                Some(_) => {}
                None => {
                    self.stack.pop();
                }
            }
        }
        Step::Refuse
    }

    fn can_take(&self, step: &Step, footing: Footing) -> bool {
        match step {
            Step::Model(name) => footing.screened && !self.asked.contains(name),
            Step::Repair => footing.screened && footing.repairable,
            Step::LastGood => footing.screened,
            Step::Refuse | Step::Shed | Step::Abstain | Step::Review => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SURE: Footing = Footing {
        screened: true,
        repairable: false,
    };

    fn ladders(lines: &[(FailureKind, &[&str])]) -> Ladders {
        let steps = |words: &[&str]| words.iter().map(|w| Step::parse(w).unwrap()).collect();
        Ladders::new(
            lines
                .iter()
                .map(|(kind, words)| (*kind, steps(words)))
                .collect(),
            true,
        )
    }

    #[test]
    fn a_failure_inside_a_step_enters_its_own_ladder_once_and_then_the_old_one_goes_on() {
        use FailureKind::{Slow, Unavailable};
        let ladders = ladders(&[(Unavailable, &["a", "review"]), (Slow, &["a", "b"])]);
        let mut descent = Descent::new(&ladders, vec![ModelName::primary()]);
        assert_eq!(descent.after(Unavailable, SURE).as_str(), "a");
        descent.note_asked(&ModelName::new("a").unwrap());
        assert_eq!(
            descent.after(Slow, SURE).as_str(),
            "b",
            "`a` was asked already"
        );
        descent.note_asked(&ModelName::new("b").unwrap());
        assert_eq!(descent.after(Slow, SURE).as_str(), "review");
        assert_eq!(descent.first_kind(), Some(Unavailable));
    }

    #[test]
    fn exhausted_means_refuse() {
        let ladders = ladders(&[(FailureKind::Wrong, &["repair"])]);
        let mut descent = Descent::new(&ladders, Vec::new());
        let mendable = Footing {
            screened: true,
            repairable: true,
        };
        assert_eq!(descent.after(FailureKind::Wrong, mendable), Step::Repair);
        assert_eq!(descent.after(FailureKind::Wrong, mendable), Step::Refuse);
    }

    #[test]
    fn what_was_not_screened_never_reaches_a_model() {
        let ladders = ladders(&[(
            FailureKind::Malformed,
            &["a", "repair", "last_good", "abstain"],
        )]);
        let mut descent = Descent::new(&ladders, Vec::new());
        let unscreened = Footing {
            screened: false,
            repairable: true,
        };
        assert_eq!(
            descent.after(FailureKind::Malformed, unscreened),
            Step::Abstain
        );
    }

    #[test]
    fn a_kind_without_a_line_gets_a_safe_default_that_is_marked_as_such() {
        let ladders = ladders(&[(FailureKind::Slow, &["a"])]);
        assert!(ladders.is_designed(FailureKind::Slow));
        assert!(!ladders.is_designed(FailureKind::Overload));
        assert_eq!(ladders.steps(FailureKind::Overload), [Step::Shed]);
        assert_eq!(ladders.steps(FailureKind::Unsure), [Step::Abstain]);
        assert_eq!(
            Ladders::new(BTreeMap::new(), false).steps(FailureKind::Unsure),
            [Step::Refuse]
        );
    }

    proptest! {
        #[test]
        fn every_walk_ends_and_asks_no_model_twice(
            lines in proptest::collection::btree_map(0..8_usize, proptest::collection::vec(0..9_usize, 0..6), 0..8),
            failures in proptest::collection::vec(0..8_usize, 60),
        ) {
            let words = ["a", "b", "c", "d", "repair", "last_good", "refuse", "abstain", "review"];
            let designed = lines.into_iter().map(|(kind, steps)| {
                (FailureKind::ALL[kind], steps.into_iter().map(|s| Step::parse(words[s]).unwrap()).collect())
            });
            let ladders = Ladders::new(designed.collect(), true);
            let mut descent = Descent::new(&ladders, vec![]);
            let mut asked = Vec::new();
            let mut ended = false;
            for failure in failures {
                let step = descent.after(FailureKind::ALL[failure], SURE);
                if let Step::Model(name) = &step {
                    prop_assert!(!asked.contains(name));
                    descent.note_asked(name);
                    asked.push(name.clone());
                }
                ended |= step.is_terminal();
            }
            prop_assert!(ended, "60 failures are more than all ladders have steps");
        }
    }
}
