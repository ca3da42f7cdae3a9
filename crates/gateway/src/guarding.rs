//! The guards of a system while it serves: detectors that were compiled when the release was deployed,
//! and what they say of a request or an answer.
//!
//! `length` counts what is asked, `input` judges it part by part, and `output` what is answered; `weave` does the same for
//! a stream as it passes; `tools` is the boundary of an agent, and `spotlight` marks what strangers may have
//! written. What is said goes into the record as rules, places and scores. A detector that
//! could not judge is recorded as skipped, which is an alarm, and stops the text unless the guard says
//! `on_error = "open"`.

mod input;
mod length;
mod output;
mod prompt;
mod spotlight;
mod texts;
mod tools;
mod weave;

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll_core::decision::GuardFinding;
use plimsoll_core::manifest::{GuardAction, GuardSpec, OnError};
use plimsoll_core::{Code, Digest};
use plimsoll_guard::finding::Action;
use plimsoll_guard::judge::{Judge, Judgement, Orders, Parts};
use plimsoll_guard::leak::Confidential;
use plimsoll_guard::policy::{self, Thresholds};
use plimsoll_guard::tools::Taint;
use plimsoll_guard::vault::Vault;

pub(crate) use self::input::screen_texts;
pub(crate) use self::length::hold_length;
pub(crate) use self::output::{clear_texts, restore};
pub(crate) use self::prompt::Prompt;
pub(crate) use self::spotlight::mark_untrusted;
pub(crate) use self::tools::{CONTROL as TOOLS_CONTROL, compile as compile_tools};
pub(crate) use self::weave::{Stop, Weave};
use crate::exchange::Open;
use crate::failure::Failure;

/// The most findings of one control that stand in a record.
const FINDINGS_MAX: usize = 16;

/// A detector with an action, ready to run.
pub(crate) struct Guard {
    pub(crate) spec: GuardSpec,
    pub(crate) judge: Judge,
    /// The name that records carry: `guard:pii`.
    pub(crate) control: String,
}

impl Guard {
    /// Compiles a guard of a release. `blob` finds its parts.
    pub(crate) fn new(
        spec: &GuardSpec,
        blob: &dyn Fn(Digest) -> Option<Arc<[u8]>>,
        has_reviewers: bool,
    ) -> Result<Self, String> {
        let told = |reason| format!("guard `{}` cannot be built: {reason}", spec.detector);
        let texts = spec.packs.iter().map(|digest| {
            let bytes = blob(*digest).ok_or_else(|| missing(*digest))?;
            String::from_utf8(bytes.to_vec()).map_err(|_| "its rules are not UTF-8".to_owned())
        });
        let texts = texts
            .collect::<Result<Vec<String>, String>>()
            .map_err(told)?;
        let weights = match spec.weights {
            Some(digest) => blob(digest).ok_or_else(|| told(missing(digest)))?,
            None => Arc::from([].as_slice()),
        };
        let parts = match (spec.detector.as_str(), texts.as_slice()) {
            ("injection", packs) => Parts::Injection {
                packs,
                weights: &weights,
            },
            ("pii", _) => Parts::Pii,
            ("secrets", [rules]) => Parts::Secrets(rules),
            ("links", _) => Parts::Links(&spec.hosts),
            ("leakage", _) => Parts::Leakage(&spec.canaries),
            ("phrases", _) => Parts::Phrases(&spec.phrases),
            _ => return Err(told("this version knows no such detector".to_owned())),
        };
        Ok(Self {
            judge: Judge::new(&parts, orders(spec, has_reviewers)).map_err(told)?,
            control: format!("guard:{}", spec.detector),
            spec: spec.clone(),
        })
    }

    /// Whether something that it finds may come to this, and not only be said.
    pub(crate) fn may(&self, action: GuardAction) -> bool {
        !self.spec.shadow && self.spec.may(action)
    }
}

fn missing(digest: Digest) -> String {
    format!("blob {digest} is missing from data/blobs")
}

fn orders(spec: &GuardSpec, has_reviewers: bool) -> Orders {
    let rules = spec.rules.iter();
    let thresholds = spec.review_score.zip(spec.block_score);
    let thresholds = thresholds.map(|(review, block)| Thresholds { review, block });
    Orders {
        action: to_do(spec.action),
        rules: rules
            .map(|(rule, action)| (rule.clone(), to_do(*action)))
            .collect(),
        shadow: spec.shadow,
        on_error: match spec.on_error {
            OnError::Open => policy::OnError::Open,
            OnError::Closed => policy::OnError::Closed,
        },
        thresholds,
        has_reviewers,
    }
}

const fn to_do(action: GuardAction) -> Action {
    match action {
        GuardAction::Allow => Action::Allow,
        GuardAction::Flag => Action::Flag,
        GuardAction::Redact => Action::Redact,
        GuardAction::Review => Action::Review,
        GuardAction::Block => Action::Block,
    }
}

const fn as_recorded(action: Action) -> GuardAction {
    match action {
        Action::Allow => GuardAction::Allow,
        Action::Flag => GuardAction::Flag,
        Action::Redact => GuardAction::Redact,
        // What mends is the ladder's to do: no guard is told to.
        Action::Repair | Action::AskAgain | Action::Review => GuardAction::Review,
        Action::Block => GuardAction::Block,
    }
}

/// What guards know of a decision, from one stage to the next.
#[derive(Debug, Default)]
pub(crate) struct Guarded {
    /// What was redacted of its input, to be put back in its answer.
    pub(crate) vault: Option<Vault>,
    /// What may not be told of its prompt.
    pub(crate) prompt: Option<Arc<Confidential>>,
    /// What strangers may have written of its conversation.
    pub(crate) taint: Taint,
}

/// Which way a guard looks, for the codes of what it stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// At what is asked.
    Input,
    /// At what is answered.
    Output,
}

impl Side {
    const fn blocked(self) -> Code {
        match self {
            Self::Input => Code::GuardBlocked,
            Self::Output => Code::OutputBlocked,
        }
    }

    const fn review(self) -> Code {
        match self {
            Self::Input => Code::GuardReview,
            Self::Output => Code::OutputReview,
        }
    }
}

/// What one guard said of all parts of a request or an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    findings: Vec<GuardFinding>,
    counts: BTreeMap<String, u32>,
    /// The strictest that is done, and that is said or done.
    done: Option<GuardAction>,
    said: Option<GuardAction>,
    not_evaluated: Vec<String>,
    fails_closed: bool,
}

impl Tally {
    /// Takes in what was said of the text of `part`.
    pub(crate) fn take(&mut self, part: &str, judgement: &Judgement) {
        self.fails_closed |= judgement.fails_closed;
        for reason in &judgement.not_evaluated {
            let reason = format!("{}: {}", reason.detector, reason.reason);
            if !self.not_evaluated.contains(&reason) && self.not_evaluated.len() < FINDINGS_MAX {
                self.not_evaluated.push(reason);
            }
        }
        for one in &judgement.found {
            let action = as_recorded(one.action);
            self.said = self.said.max(Some(action));
            if !one.shadow {
                self.done = self.done.max(Some(action));
            }
            let rule = one.finding.rule.as_str();
            *self.counts.entry(rule.to_owned()).or_default() += 1;
            if self.findings.len() < FINDINGS_MAX {
                self.findings.push(GuardFinding {
                    rule: rule.to_owned(),
                    part: part.to_owned(),
                    start: one.finding.span.start as u64,
                    end: one.finding.span.end as u64,
                    score: (one.finding.score * 1000.0).round() / 1000.0,
                    action,
                    shadow: one.shadow,
                });
            }
        }
    }

    /// Whether the text may not go on, and why; rules and counts, never what was matched.
    pub(crate) fn failure(&self, side: Side) -> Option<Failure> {
        let code = match self.done {
            _ if self.fails_closed => Code::ControlFailed,
            Some(GuardAction::Block) => side.blocked(),
            Some(GuardAction::Review) => side.review(),
            Some(GuardAction::Allow | GuardAction::Flag | GuardAction::Redact) | None => {
                return None;
            }
        };
        let mut failure = Failure::plain(code);
        failure.finding = self.summary();
        Some(failure)
    }

    /// The rules that held and how often.
    fn summary(&self) -> Option<String> {
        let shown = self.counts.iter().take(8).map(|(rule, count)| match count {
            1 => rule.clone(),
            count => format!("{rule} ×{count}"),
        });
        let mut shown: Vec<String> = shown.collect();
        if self.counts.len() > shown.len() {
            shown.push(format!(
                "and {} more rules",
                self.counts.len() - shown.len()
            ));
        }
        if shown.is_empty() {
            return None;
        }
        let mut text = shown.join(", ");
        if self.said > self.done
            && let Some(said) = self.said
        {
            text.push_str(&format!(" (shadow: would {})", said.as_str()));
        }
        Some(text)
    }

    /// Notes in the record what the guard said.
    pub(crate) fn note(self, ex: &mut Open, control: &str, side: Side) {
        for reason in &self.not_evaluated {
            let (detector, why) = reason.split_once(": ").unwrap_or(("", reason));
            // That a part of it did not judge has a name of its own: other parts did.
            let name = match control.strip_prefix("guard:") {
                Some(own) if own == detector => control.to_owned(),
                _ => format!("{control}:{detector}"),
            };
            ex.note_skipped(&name, why);
        }
        let stands_against = matches!(
            self.said,
            Some(GuardAction::Flag | GuardAction::Review | GuardAction::Block)
        );
        let code = match self.said {
            Some(GuardAction::Review) => side.review(),
            _ => side.blocked(),
        };
        let summary = self.summary();
        let is_noted = self.not_evaluated.iter().any(|reason| {
            Some(reason.split(": ").next().unwrap_or_default()) == control.strip_prefix("guard:")
        });
        if !is_noted || !self.findings.is_empty() {
            ex.note_findings(
                control.to_owned(),
                stands_against.then_some(code),
                summary,
                self.findings,
            );
        }
    }
}
