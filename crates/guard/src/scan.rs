//! A text through all that judges it, in order: views, structure, rule packs, other detectors, the
//! linear classifier, and classifiers of the operator's own; then what the policy does about it.
//!
//! The order is that of cost. A further classifier ([`Guard::and_then`]) is asked last, and where it is
//! dear only about texts between the two thresholds. What did not judge stands in
//! [`Verdict::not_evaluated`]; it is never taken for "nothing was found".

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use serde::Serialize;

use crate::classifier::{Classifier, HeadName, WeightsError, probability};
use crate::finding::{Action, Detector, Direction, Finding, NotEvaluated, RuleId};
use crate::pack::Packs;
use crate::policy::{OnError, Policy, Thresholds};
use crate::views::{HiddenKind, ViewLimits, Views};

/// The most findings in a verdict.
pub const FINDINGS_MAX: usize = 64;
/// What rules may add to the score together, in logits.
const WEIGHT_MAX: f64 = 4.0;
/// The logit of a text of which nothing is known.
const UNKNOWN: f64 = -6.0;

/// When a further classifier is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// About every text.
    Always,
    /// About texts whose score lies between the thresholds.
    InDoubt,
}

/// All that judges texts, under a policy. Clones share it.
#[derive(Clone)]
pub struct Guard {
    policy: Arc<Policy>,
    packs: Packs,
    classifier: Classifier,
    /// Each with what is done about its findings unless the policy says otherwise.
    detectors: Vec<(Action, Arc<dyn Detector>)>,
    further: Vec<(When, Arc<dyn Detector>)>,
    limits: ViewLimits,
}

/// Why there is no guard.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// Rule packs cannot be used; every problem is told.
    #[error("the rule packs cannot be used:\n{}", .0.join("\n"))]
    Packs(Vec<String>),
    /// The weights cannot be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// What is done about a text.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Verdict {
    /// What is done.
    pub action: Action,
    /// What would be done were nothing in shadow mode.
    pub would: Action,
    /// How likely the text is an attack, from 0 to 1.
    pub score: f64,
    /// The rules that held.
    pub findings: Vec<Finding>,
    /// What the rules themselves would have done about each finding, whatever the policy says.
    #[serde(skip)]
    pub defaults: Vec<Action>,
    /// What could not judge it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_evaluated: Vec<NotEvaluated>,
    /// Whether it is blocked because something deterministic could not judge it.
    #[serde(skip)]
    pub fails_closed: bool,
}

/// The rule that a score above a threshold is a finding of.
static CLASSIFIER: LazyLock<RuleId> = LazyLock::new(|| known("classifier/injection"));
static TAGS: LazyLock<RuleId> = LazyLock::new(|| known("structure/tag-payload"));
static SELECTORS: LazyLock<RuleId> = LazyLock::new(|| known("structure/selector-payload"));
static OVERRIDE: LazyLock<RuleId> = LazyLock::new(|| known("structure/bidi-override"));
static ZERO_WIDTH: LazyLock<RuleId> = LazyLock::new(|| known("structure/zero-width"));
static CONTROL: LazyLock<RuleId> = LazyLock::new(|| known("structure/control-characters"));
static INJECTION: LazyLock<Arc<[String]>> =
    LazyLock::new(|| ["LLM01:2026", "ASI01"].map(str::to_owned).into());

fn known(name: &str) -> RuleId {
    RuleId::new(name).expect("the names in this file are rule names")
}

/// What hidden characters are called, what is done about them and what they add to the score.
fn ruled(kind: HiddenKind) -> (RuleId, Action, f64) {
    match kind {
        HiddenKind::Tags => (TAGS.clone(), Action::Block, 4.0),
        HiddenKind::Selectors => (SELECTORS.clone(), Action::Block, 4.0),
        HiddenKind::Override => (OVERRIDE.clone(), Action::Review, 2.5),
        HiddenKind::ZeroWidth => (ZERO_WIDTH.clone(), Action::Flag, 1.5),
        HiddenKind::Control => (CONTROL.clone(), Action::Flag, 1.5),
    }
}

/// A verdict in the making.
struct Weighing<'a> {
    policy: &'a Policy,
    direction: Direction,
    action: Action,
    would: Action,
    added: f64,
    counted: Vec<RuleId>,
    findings: Vec<Finding>,
    defaults: Vec<Action>,
    not_evaluated: Vec<NotEvaluated>,
    fails_closed: bool,
}

impl Guard {
    /// The guard of the release, with the operator's policy and rule packs.
    ///
    /// # Errors
    /// If a pack cannot be used.
    pub fn new(policy: Policy, packs: &[String]) -> Result<Self, GuardError> {
        let packs = Packs::with(packs).map_err(GuardError::Packs)?;
        Ok(Self::of(policy, packs, Classifier::shipped()?))
    }

    /// A guard of these parts.
    pub fn of(policy: Policy, packs: Packs, classifier: Classifier) -> Self {
        Self {
            policy: Arc::new(policy),
            packs,
            classifier,
            detectors: Vec::new(),
            further: Vec::new(),
            limits: ViewLimits::default(),
        }
    }

    /// With a deterministic detector beside the rules: personal data, secrets, links.
    #[must_use]
    pub fn beside(self, detector: Arc<dyn Detector>) -> Self {
        self.beside_to(Action::Flag, detector)
    }

    /// The same, whose findings are more than flagged unless the policy says otherwise.
    #[must_use]
    pub fn beside_to(mut self, default: Action, detector: Arc<dyn Detector>) -> Self {
        self.detectors.push((default, detector));
        self
    }

    /// Its policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// With a classifier behind the linear one. The greatest score among its findings counts.
    #[must_use]
    pub fn and_then(mut self, when: When, classifier: Arc<dyn Detector>) -> Self {
        self.further.push((when, classifier));
        self
    }

    /// The thresholds for a direction: the policy's, else those that came with the weights.
    pub fn thresholds(&self, direction: Direction) -> Thresholds {
        let given = self.policy.thresholds.get(&direction.into());
        given.copied().unwrap_or_else(|| {
            let meta = self.classifier.weights().head(head(direction)).meta();
            Thresholds {
                review: probability(meta.review),
                block: probability(meta.block),
            }
        })
    }

    /// Judges a text.
    pub fn scan(&self, text: &str, direction: Direction) -> Verdict {
        let mut weighing = Weighing::new(&self.policy, direction);
        let views = Views::of(text, &self.limits);
        if !views.is_complete() {
            weighing.not_judged(
                "views",
                "more is encoded within one another than is looked at",
            );
        }
        for hidden in views.hidden() {
            let (rule, action, weight) = ruled(hidden.kind);
            let span = hidden.span.clone();
            weighing.find(rule, span, weight, action, INJECTION.clone());
        }
        for view in views.iter() {
            for found in self.packs.find(view.text(), direction) {
                let rule = self.packs.rule(found.rule);
                let span = view.original(found.span);
                weighing.find(
                    rule.id.clone(),
                    span,
                    rule.weight,
                    rule.action,
                    rule.owasp.clone(),
                );
            }
        }
        for (default, detector) in &self.detectors {
            match detector.detect(text, direction) {
                Ok(found) => found
                    .into_iter()
                    .for_each(|one| weighing.keep(one, *default)),
                Err(reason) => weighing.failed(reason),
            }
        }
        let score = self.score(&views, &mut weighing);
        self.further(text, score, &mut weighing);
        weighing.finish(score)
    }

    /// The score of the worst view together with what the rules add, held against the thresholds.
    fn score(&self, views: &Views, weighing: &mut Weighing<'_>) -> f64 {
        let direction = weighing.direction;
        // What a model says is not judged for what it asks of models.
        let scored = views
            .iter()
            .filter(|_| direction != Direction::Output)
            .filter_map(|view| {
                let (logit, window) = self.classifier.logit(head(direction), view)?;
                Some((logit, view.original(window)))
            });
        let worst = scored.max_by(|a, b| a.0.total_cmp(&b.0));
        if worst.is_none() && direction != Direction::Output {
            weighing.not_scored();
        }
        let (logit, span) = worst.unwrap_or((UNKNOWN, 0..0));
        let score = probability(logit + weighing.added.min(WEIGHT_MAX));
        let thresholds = self.thresholds(direction);
        let action = match score {
            score if score >= thresholds.block => Action::Block,
            score if score >= thresholds.review => Action::Review,
            _ => return score,
        };
        let finding = Finding {
            rule: CLASSIFIER.clone(),
            span,
            score,
            owasp: INJECTION.clone(),
        };
        weighing.keep(finding, action);
        score
    }

    fn further(&self, text: &str, score: f64, weighing: &mut Weighing<'_>) {
        let thresholds = self.thresholds(weighing.direction);
        let in_doubt = (thresholds.review..thresholds.block).contains(&score);
        for (when, classifier) in &self.further {
            if *when == When::InDoubt && !in_doubt {
                continue;
            }
            match classifier.detect(text, weighing.direction) {
                Ok(found) => found
                    .into_iter()
                    .for_each(|one| weighing.keep(one, Action::Review)),
                Err(reason) => weighing.not_evaluated.push(reason),
            }
        }
    }
}

/// Which head judges what goes this way.
const fn head(direction: Direction) -> HeadName {
    match direction {
        Direction::Input | Direction::Output => HeadName::Prompt,
        Direction::Tool => HeadName::Document,
    }
}

impl<'a> Weighing<'a> {
    const fn new(policy: &'a Policy, direction: Direction) -> Self {
        Self {
            policy,
            direction,
            action: Action::Allow,
            would: Action::Allow,
            added: 0.0,
            counted: Vec::new(),
            findings: Vec::new(),
            defaults: Vec::new(),
            not_evaluated: Vec::new(),
            fails_closed: false,
        }
    }

    /// Keeps a finding of a rule; its weight counts once however often it holds.
    fn find(
        &mut self,
        rule: RuleId,
        span: Range<usize>,
        weight: f64,
        action: Action,
        owasp: Arc<[String]>,
    ) {
        if !self.counted.contains(&rule) {
            self.counted.push(rule.clone());
            self.added += weight;
        }
        let finding = Finding {
            rule,
            span,
            score: probability(weight),
            owasp,
        };
        self.keep(finding, action);
    }

    fn keep(&mut self, finding: Finding, default: Action) {
        let ruling = self.policy.ruling(&finding, self.direction, default);
        self.would = self.would.max(ruling.action);
        if !ruling.shadow {
            self.action = self.action.max(ruling.action);
        }
        // The same place is told once, though several views show it.
        if self.findings.len() < FINDINGS_MAX && !self.findings.contains(&finding) {
            self.findings.push(finding);
            self.defaults.push(default);
        }
    }

    /// Something deterministic did not judge: the policy says whether the text goes on.
    fn failed(&mut self, reason: NotEvaluated) {
        self.not_evaluated.push(reason);
        if self.policy.on_error == OnError::Closed {
            self.would = Action::Block;
            self.fails_closed = true;
            if !self.policy.shadow {
                self.action = Action::Block;
            }
        }
    }

    fn not_judged(&mut self, detector: &str, reason: &str) {
        self.failed(NotEvaluated {
            detector: detector.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// The classifier has no opinion of the text's script. That is no error: it is said.
    fn not_scored(&mut self) {
        self.not_evaluated.push(NotEvaluated {
            detector: "classifier".to_owned(),
            reason: "it was not trained on this script".to_owned(),
        });
    }

    fn finish(self, score: f64) -> Verdict {
        Verdict {
            action: self.action,
            would: self.would,
            score,
            findings: self.findings,
            defaults: self.defaults,
            not_evaluated: self.not_evaluated,
            fails_closed: self.fails_closed,
        }
    }
}

#[cfg(test)]
mod tests;
