//! Walking a person through a runbook: one step after the other, and what they said of each.

use plimsoll_core::record::{RunbookRun, RunbookStep};
use plimsoll_core::{Digest, EnvironmentName, EventId, SystemName, Timestamp};
use serde::Serialize;

/// A runbook, read: each second-level heading of the Markdown is a step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Runbook {
    /// The first-level heading, if there is one.
    pub title: Option<String>,
    /// The steps, in order.
    pub steps: Vec<RunbookPart>,
    /// The text's digest: which runbook was tried.
    pub digest: Digest,
}

/// One step of a runbook.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RunbookPart {
    /// Its heading.
    pub title: String,
    /// What to do, as Markdown.
    pub body: String,
}

impl Runbook {
    /// Reads `text`. Headings inside of fenced code are code.
    pub fn parse(text: &str) -> Self {
        let mut title = None;
        let mut steps: Vec<RunbookPart> = Vec::new();
        let mut fence: Option<&str> = None;
        for line in text.lines() {
            let start = line.trim_start();
            let marker = ["```", "~~~"].into_iter().find(|m| start.starts_with(m));
            match (fence, marker) {
                (None, Some(opening)) => fence = Some(opening),
                (Some(opening), Some(closing)) if opening == closing => fence = None,
                _ => {}
            }
            let heading = fence.is_none() && marker.is_none();
            if let Some(name) = line.strip_prefix("## ").filter(|_| heading) {
                let title = name.trim().to_owned();
                steps.push(RunbookPart {
                    title,
                    body: String::new(),
                });
            } else if let Some(name) = line.strip_prefix("# ").filter(|_| heading) {
                title.get_or_insert_with(|| name.trim().to_owned());
            } else if let Some(step) = steps.last_mut() {
                step.body.push_str(line);
                step.body.push('\n');
            }
        }
        for step in &mut steps {
            step.body = step.body.trim().to_owned();
        }
        Self {
            title,
            steps,
            digest: Digest::of(text.as_bytes()),
        }
    }
}

/// A walk through a runbook that is under way.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    runbook: &'a Runbook,
    done: Vec<RunbookStep>,
    started_at: Timestamp,
}

/// Who walked, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Walker {
    /// Which system.
    pub system: SystemName,
    /// Where.
    pub environment: EnvironmentName,
    /// Who.
    pub actor: String,
}

impl<'a> Walk<'a> {
    /// Begins at the first step.
    pub const fn begin(runbook: &'a Runbook, now: Timestamp) -> Self {
        Self {
            runbook,
            done: Vec::new(),
            started_at: now,
        }
    }

    /// The step to try now; none when all were tried.
    pub fn current(&self) -> Option<&'a RunbookPart> {
        self.runbook.steps.get(self.done.len())
    }

    /// How many steps were tried, of how many.
    pub fn progress(&self) -> (usize, usize) {
        (self.done.len(), self.runbook.steps.len())
    }

    /// Notes what the person said of the current step, and goes on to the next.
    pub fn note(&mut self, worked: bool, note: Option<String>) {
        if let Some(step) = self.current() {
            let note = note.filter(|note| !note.trim().is_empty());
            self.done.push(RunbookStep {
                title: step.title.clone(),
                worked,
                note,
            });
        }
    }

    /// Ends the walk. It passed if every step was tried and worked; a runbook without steps cannot.
    pub fn end(self, walker: Walker, now: Timestamp) -> RunbookRun {
        judge(walker, self.runbook, self.done, (self.started_at, now))
    }
}

/// A run as it is journalled, from what was said of the steps: `span` is when it began and ended.
/// It passed if every step of the runbook was tried, in order, and worked.
pub fn judge(
    walker: Walker,
    runbook: &Runbook,
    steps: Vec<RunbookStep>,
    span: (Timestamp, Timestamp),
) -> RunbookRun {
    let wanted = runbook.steps.iter().map(|step| &step.title);
    let complete = wanted.eq(steps.iter().map(|step| &step.title));
    let passed = complete && !steps.is_empty() && steps.iter().all(|step| step.worked);
    RunbookRun {
        id: EventId::new(span.1),
        system: walker.system,
        environment: walker.environment,
        actor: walker.actor,
        started_at: span.0,
        ended_at: span.1,
        runbook: runbook.digest,
        steps,
        passed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# When loans stop\nIntro.\n\n## See\nLook at `plimsoll bar`.\n\n```\n## not a step\n```\n## Act\nSwitch to rules.\n";

    fn walker() -> Walker {
        Walker {
            system: SystemName::new("loan-default").unwrap(),
            environment: EnvironmentName::new("production").unwrap(),
            actor: "ada".into(),
        }
    }

    #[test]
    fn each_second_level_heading_is_a_step() {
        let runbook = Runbook::parse(TEXT);
        assert_eq!(runbook.title.as_deref(), Some("When loans stop"));
        let titles: Vec<_> = runbook.steps.iter().map(|s| s.title.as_str()).collect();
        assert_eq!(titles, ["See", "Act"]);
        assert!(runbook.steps[0].body.contains("## not a step"));
        assert_eq!(runbook.steps[1].body, "Switch to rules.");
    }

    #[test]
    fn a_walk_passes_only_when_every_step_worked() {
        let runbook = Runbook::parse(TEXT);
        let start = Timestamp::from_micros(1);
        let mut walk = Walk::begin(&runbook, start);
        walk.note(true, None);
        assert_eq!(walk.progress(), (1, 2));
        let cut_short = walk.clone().end(walker(), start);
        assert!(!cut_short.passed);
        let mut failed = walk.clone();
        failed.note(false, Some("no access".into()));
        assert!(!failed.end(walker(), start).passed);
        walk.note(true, Some("  ".into()));
        assert!(walk.current().is_none());
        let run = walk.end(walker(), Timestamp::from_micros(9));
        assert!(run.passed);
        assert_eq!(run.steps[1].note, None);
        assert_eq!(
            (run.started_at.as_micros(), run.ended_at.as_micros()),
            (1, 9)
        );
    }

    #[test]
    fn a_runbook_without_steps_cannot_be_passed() {
        let runbook = Runbook::parse("just text");
        let now = Timestamp::from_micros(1);
        assert!(!Walk::begin(&runbook, now).end(walker(), now).passed);
    }
}
