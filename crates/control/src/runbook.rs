//! Walking a person through a runbook: one step after the other, and what they said of each.

use plimsoll_core::record::{RunbookRun, RunbookStep};
use plimsoll_core::{Digest, EnvironmentName, EventId, SystemName, Timestamp};
use plimsoll_spec::runbook::Runbook;

/// A walk through a runbook that is under way.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    titles: &'a [String],
    done: Vec<RunbookStep>,
}

impl<'a> Walk<'a> {
    /// Begins at the first of these steps.
    pub const fn begin(titles: &'a [String]) -> Self {
        Self {
            titles,
            done: Vec::new(),
        }
    }

    /// The step to try now, by its number from 0 and its title; none when all were tried.
    pub fn current(&self) -> Option<(usize, &'a str)> {
        let number = self.done.len();
        self.titles
            .get(number)
            .map(|title| (number, title.as_str()))
    }

    /// Notes what the person said of the current step, and goes on to the next.
    pub fn note(&mut self, worked: bool, note: Option<String>) {
        if let Some((_, title)) = self.current() {
            let note = note
                .map(|note| note.trim().to_owned())
                .filter(|note| !note.is_empty());
            self.done.push(RunbookStep {
                title: title.to_owned(),
                worked,
                note,
            });
        }
    }

    /// What was said of the steps that were tried.
    pub fn into_steps(self) -> Vec<RunbookStep> {
        self.done
    }
}

/// Who walked, where, and when they began and ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Walker {
    /// Which system.
    pub system: SystemName,
    /// Where.
    pub environment: EnvironmentName,
    /// Who.
    pub actor: String,
    /// When they began.
    pub started_at: Timestamp,
    /// When they ended.
    pub ended_at: Timestamp,
}

/// A run as it is journalled. It passed if every step of the runbook with this text was tried, in
/// order, and worked; a runbook without steps cannot be passed.
pub fn judge(walker: Walker, text: &str, steps: Vec<RunbookStep>) -> RunbookRun {
    let runbook = Runbook::parse(text);
    let wanted = runbook.steps.iter().map(|step| &step.title);
    let complete = wanted.eq(steps.iter().map(|step| &step.title));
    let passed = complete && !steps.is_empty() && steps.iter().all(|step| step.worked);
    RunbookRun {
        id: EventId::new(walker.ended_at),
        system: walker.system,
        environment: walker.environment,
        actor: walker.actor,
        started_at: walker.started_at,
        ended_at: walker.ended_at,
        runbook: Digest::of(text.as_bytes()),
        steps,
        passed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# When loans stop\n\n## See\nLook.\n## Act\nSwitch to rules.\n";

    fn walker() -> Walker {
        Walker {
            system: SystemName::new("loan-default").unwrap(),
            environment: EnvironmentName::new("production").unwrap(),
            actor: "ada".into(),
            started_at: Timestamp::from_micros(1),
            ended_at: Timestamp::from_micros(9),
        }
    }

    #[test]
    fn a_walk_passes_only_when_every_step_worked() {
        let titles = ["See".to_owned(), "Act".to_owned()];
        let mut walk = Walk::begin(&titles);
        assert_eq!(walk.current(), Some((0, "See")));
        walk.note(true, None);
        assert!(
            !judge(walker(), TEXT, walk.clone().into_steps()).passed,
            "cut short"
        );
        let mut failed = walk.clone();
        failed.note(false, Some("no access".into()));
        assert!(!judge(walker(), TEXT, failed.into_steps()).passed);
        walk.note(true, Some("  ".into()));
        assert_eq!(walk.current(), None);
        let run = judge(walker(), TEXT, walk.into_steps());
        assert!(run.passed);
        assert_eq!(run.steps[1].note, None);
        assert_eq!(run.runbook, Digest::of(TEXT.as_bytes()));
    }

    #[test]
    fn steps_of_another_text_pass_nothing() {
        let said = vec![RunbookStep {
            title: "Panic".into(),
            worked: true,
            note: None,
        }];
        assert!(!judge(walker(), TEXT, said).passed);
        assert!(!judge(walker(), "just text", Vec::new()).passed);
    }
}
