//! Drills: a failure caused on purpose, held against the designed answer. Pure: the data plane
//! forces the failure, and this says whether what came of it is what was designed.

use crate::decision::{AttemptRecord, PathStep};
use crate::failure::FailureKind;
use crate::ladder::{Ladders, Step};
use crate::names::ModelName;
use crate::outcome::Outcome;

/// What a drill showed.
#[derive(Clone, PartialEq, Debug)]
pub struct Judgement {
    /// The designed steps.
    pub expected: Vec<Step>,
    /// The steps that were taken.
    pub taken: Vec<Step>,
    /// Whether the designed answer happened.
    pub passed: bool,
    /// What was different, or what to know of it.
    pub note: Option<String>,
}

/// Holds what a decision did after a forced failure of `kind` against its ladder: it passes if the
/// steps taken are the beginning of the designed ones and one of them ended the decision, rather
/// than that all were exhausted. Steps that cannot be taken then (mending what was never answered, a
/// model that was asked already) may be missing.
pub fn judge(
    kind: FailureKind,
    ladders: &Ladders,
    path: &[PathStep],
    attempts: &[AttemptRecord],
    outcome: Option<Outcome>,
) -> Judgement {
    let expected = ladders.steps(kind);
    let taken: Vec<Step> = path.iter().map(|step| step.step.clone()).collect();
    let problem = difference(kind, expected, path, attempts, outcome);
    let safe_default =
        (!ladders.is_designed(kind)).then(|| "the ladder is the safe default".to_owned());
    Judgement {
        expected: expected.to_vec(),
        taken,
        passed: problem.is_none(),
        note: problem.or(safe_default),
    }
}

fn difference(
    kind: FailureKind,
    expected: &[Step],
    path: &[PathStep],
    attempts: &[AttemptRecord],
    outcome: Option<Outcome>,
) -> Option<String> {
    let Some((first, last)) = path.first().zip(path.last()) else {
        return Some(
            "no step was taken: the failure did not happen, or nothing is enforced".into(),
        );
    };
    if first.kind != kind {
        return Some(format!(
            "the first failure was `{}` ({})",
            first.kind, first.code
        ));
    }
    let asked_first = attempts.first().map(|attempt| &attempt.model);
    let mut designed = expected.iter();
    for step in path {
        // A failure inside a step goes down its own kind's ladder: not the one that is drilled.
        if step.kind != kind && !expected.contains(&step.step) {
            return Some(format!(
                "step `{}` followed a second failure, `{}` ({})",
                step.step, step.kind, step.code
            ));
        }
        let skipped =
            |designed: &Step| designed != &step.step && may_be_missing(designed, asked_first);
        if designed.find(|designed| !skipped(designed)) != Some(&step.step) {
            return Some(format!("step `{}` is not the designed next one", step.step));
        }
    }
    let ended_by_step = match (&last.step, outcome) {
        (Step::Review, None) => true,
        (Step::Refuse, Some(outcome)) => outcome == Outcome::Refused,
        (Step::Shed, Some(outcome)) => outcome == Outcome::Shed,
        (_, Some(outcome)) => outcome.is_answered(),
        (_, None) => false,
    };
    (!ended_by_step).then(|| {
        let ending = outcome.map_or("open", Outcome::as_str);
        format!(
            "step `{}` did not end it: the decision is {ending}",
            last.step
        )
    })
}

fn may_be_missing(step: &Step, asked_first: Option<&ModelName>) -> bool {
    match step {
        Step::Repair | Step::LastGood => true,
        Step::Model(name) => asked_first == Some(name) || *name == ModelName::primary(),
        Step::Refuse | Step::Shed | Step::Abstain | Step::Review => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::code::Code;

    use super::*;

    fn ladders(kind: FailureKind, steps: &[&str]) -> Ladders {
        let steps = steps.iter().map(|s| Step::parse(s).unwrap()).collect();
        Ladders::new(BTreeMap::from([(kind, steps)]), false)
    }

    fn path(steps: &[(FailureKind, Code, &str)]) -> Vec<PathStep> {
        let step = |(kind, code, step): &(FailureKind, Code, &str)| PathStep {
            kind: *kind,
            code: *code,
            step: Step::parse(step).unwrap(),
            detail: None,
        };
        steps.iter().map(step).collect()
    }

    const AWAY: FailureKind = FailureKind::Unavailable;

    #[test]
    fn the_first_designed_step_that_answers_passes() {
        let designed = ladders(AWAY, &["rules", "review"]);
        let taken = path(&[(AWAY, Code::ModelError, "rules")]);
        let judged = judge(AWAY, &designed, &taken, &[], Some(Outcome::FellBack));
        assert!(judged.passed, "{judged:?}");
        assert_eq!(judged.note, None);
    }

    #[test]
    fn going_on_to_the_next_designed_step_passes() {
        let designed = ladders(AWAY, &["rules", "review"]);
        let unsure = FailureKind::Unsure;
        for second in [AWAY, unsure] {
            let taken = path(&[
                (AWAY, Code::ModelError, "rules"),
                (second, Code::NoRuleMatched, "review"),
            ]);
            assert!(judge(AWAY, &designed, &taken, &[], None).passed);
        }
    }

    #[test]
    fn exhaustion_is_no_designed_answer() {
        let designed = ladders(AWAY, &["rules"]);
        let taken = path(&[
            (AWAY, Code::ModelError, "rules"),
            (AWAY, Code::ModelError, "refuse"),
        ]);
        let judged = judge(AWAY, &designed, &taken, &[], Some(Outcome::Refused));
        assert!(!judged.passed);
        assert_eq!(
            judged.note.unwrap(),
            "step `refuse` is not the designed next one"
        );
    }

    #[test]
    fn a_step_out_of_order_fails() {
        let designed = ladders(AWAY, &["rules", "review"]);
        let taken = path(&[(AWAY, Code::ModelError, "review")]);
        assert!(!judge(AWAY, &designed, &taken, &[], None).passed);
    }

    #[test]
    fn a_step_that_could_not_be_taken_may_be_missing() {
        let wrong = FailureKind::Wrong;
        let designed = ladders(wrong, &["repair", "backup", "abstain"]);
        let taken = path(&[(wrong, Code::OutputSchema, "backup")]);
        assert!(judge(wrong, &designed, &taken, &[], Some(Outcome::FellBack)).passed);
        let skipped_backup = path(&[(wrong, Code::OutputSchema, "abstain")]);
        assert!(
            !judge(
                wrong,
                &designed,
                &skipped_backup,
                &[],
                Some(Outcome::Abstained)
            )
            .passed
        );
    }

    #[test]
    fn nothing_taken_or_another_kind_fails() {
        let designed = ladders(AWAY, &["rules"]);
        assert!(!judge(AWAY, &designed, &[], &[], Some(Outcome::Served)).passed);
        let other = path(&[(FailureKind::Malformed, Code::ContractType, "refuse")]);
        assert!(!judge(AWAY, &designed, &other, &[], Some(Outcome::Refused)).passed);
    }

    #[test]
    fn a_safe_default_passes_and_says_that_it_is_one() {
        let designed = ladders(FailureKind::Unsure, &["refuse"]);
        let taken = path(&[(FailureKind::Overload, Code::TooManyInFlight, "shed")]);
        let judged = judge(
            FailureKind::Overload,
            &designed,
            &taken,
            &[],
            Some(Outcome::Shed),
        );
        assert!(judged.passed);
        assert_eq!(
            judged.note.as_deref(),
            Some("the ladder is the safe default")
        );
    }
}
