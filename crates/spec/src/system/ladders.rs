//! The ladders: the designed answer to each failure kind.

use std::collections::BTreeMap;

use plimsoll_core::manifest::{CategoryPolicy, MissingPolicy, ModelSpec};
use plimsoll_core::{FailureKind, Ladders, ModelName, Step};

use super::Resolver;
use super::contracts::Contracts;
use super::models::Models;
use crate::forms::view::Found;
use crate::source::{did_you_mean, listed};

/// The steps that are no models, in this version.
const STEPS: [&str; 6] = ["refuse", "shed", "abstain", "repair", "last_good", "review"];

/// The kinds after which there may be an answer that could be mended.
const MENDABLE: [FailureKind; 2] = [FailureKind::Wrong, FailureKind::Unsure];

impl Resolver<'_> {
    pub(super) fn ladders(
        &mut self,
        contracts: &Contracts,
        models: &Models,
        can_abstain: bool,
    ) -> Ladders {
        let view = self.file.table("on");
        let mut designed = BTreeMap::new();
        for kind in FailureKind::ALL {
            let Some(written) = view.texts(kind.as_str()) else {
                continue;
            };
            if let Some(at) = view.key(kind.as_str()).filter(|_| written.is_empty()) {
                self.error(
                    &at,
                    format!("the ladder of `{kind}` has no step"),
                    "name one, as in [\"refuse\"], or take the line out for the safe default",
                );
            }
            let mut steps: Vec<Step> = Vec::new();
            for found in &written {
                if let Some(step) = self.step(kind, found, models) {
                    self.check_order(&steps, &step, found);
                    steps.push(step);
                }
            }
            designed.insert(kind, steps);
        }
        self.check_unsure(contracts, models);
        self.check_reached(models, &designed);
        Ladders::new(designed, can_abstain)
    }

    fn check_order(&mut self, before: &[Step], step: &Step, found: &Found<&str>) {
        if let Some(last) = before.iter().find(|before| before.is_terminal()) {
            let message = format!("`{step}` stands after `{last}`, where the ladder ends");
            self.error(
                &found.at,
                message,
                format!("take it out, or put it before `{last}`"),
            );
        } else if before.contains(step) {
            self.error(
                &found.at,
                format!("`{step}` stands twice"),
                "no step is taken twice in one ladder",
            );
        }
    }

    fn step(&mut self, kind: FailureKind, found: &Found<&str>, models: &Models) -> Option<Step> {
        let at = &found.at;
        if found.value == "ask_again" {
            self.error(
                at,
                "the step `ask_again` is not in this version",
                "use `repair`, which asks the same model to mend its answer",
            );
            return None;
        }
        let step = Step::parse(found.value).ok();
        let is_known = match &step {
            Some(Step::Model(name)) => models.declared.contains_key(name.as_str()),
            Some(_) => true,
            None => false,
        };
        let Some(step) = step.filter(|_| is_known) else {
            let words: Vec<&str> = models
                .declared
                .keys()
                .map(String::as_str)
                .chain(STEPS)
                .collect();
            let hint = did_you_mean(found.value, &words, |words| {
                format!("a step is one of {}", listed(words))
            });
            self.error(
                at,
                format!("there is no step and no model called `{}`", found.value),
                hint,
            );
            return None;
        };
        if kind.is_about_input() && (step.asks_a_model() || step == Step::LastGood) {
            let message = format!(
                "`{step}` may not answer `{kind}`: the input was not found fit to be asked"
            );
            self.error(at, message, "use `refuse`, `abstain` or `review`");
        }
        self.check_footing(kind, &step, found, models);
        Some(step)
    }

    /// Checks that what the step stands on is there.
    fn check_footing(
        &mut self,
        kind: FailureKind,
        step: &Step,
        found: &Found<&str>,
        models: &Models,
    ) {
        let at = &found.at;
        match step {
            Step::Review if self.file.key("review").is_none() => {
                self.error(
                    at,
                    "the step `review` needs `[review]`",
                    "add [review] with `queue`, `due` and `on_expiry`",
                );
            }
            Step::Abstain if self.file.key("abstain").is_none() => {
                self.error(
                    at,
                    "the step `abstain` needs `[abstain]`",
                    "add [abstain] with a `value` or, for language models, a `message`",
                );
            }
            Step::Repair if !models.may_talk() => {
                self.error(
                    at,
                    "no model here can repair its answer: only language models can",
                    "name another step",
                );
            }
            Step::Repair if !MENDABLE.contains(&kind) && !kind.is_about_input() => {
                self.warn(
                    at,
                    format!("after `{kind}` there is mostly no answer to repair"),
                    "`repair` is for `wrong`",
                );
            }
            Step::Model(name) if *name == ModelName::primary() && !kind.is_about_input() => {
                self.warn(
                    at,
                    "`primary` is asked first, so this step is mostly passed over",
                    "name another model",
                );
            }
            _ => {}
        }
    }

    /// A ladder for `unsure` is of use only if something can be unsure.
    fn check_unsure(&mut self, contracts: &Contracts, models: &Models) {
        let Some(at) = self.file.table("on").key("unsure") else {
            return;
        };
        let input = &contracts.input;
        let doubts = |policy: CategoryPolicy| policy == CategoryPolicy::Unsure;
        let columns = input.columns.values().any(|column| {
            column.missing == Some(MissingPolicy::Unsure)
                || column.unknown_category.is_some_and(doubts)
                || column.out_of_range.is_some_and(doubts)
        });
        let policies = input.missing == MissingPolicy::Unsure
            || doubts(input.unknown_category)
            || doubts(input.out_of_range);
        // A table of rules without a default is unsure when no rule holds.
        let rules = models.specs.len() < models.declared.len()
            || models
                .specs
                .values()
                .any(|spec| matches!(spec, ModelSpec::Rules(_)));
        if self.file.table("output").key("unsure").is_none() && !columns && !policies && !rules {
            let hint = "say in `output.unsure` when an answer is too doubtful, as in unsure = \"confidence < 0.75\"";
            self.error(
                &at,
                "`on.unsure` can never happen: nothing says when an answer is unsure",
                hint,
            );
        }
    }

    /// Warns of what is there and never used.
    fn check_reached(&mut self, models: &Models, designed: &BTreeMap<FailureKind, Vec<Step>>) {
        let steps: Vec<&Step> = designed.values().flatten().collect();
        let has_first = models.declared.contains_key("primary");
        for (name, at) in &models.declared {
            if has_first && name != "primary" && !steps.iter().any(|step| step.as_str() == name) {
                self.warn(
                    at,
                    format!("model `{name}` is never asked"),
                    format!("name it in a ladder, as in unavailable = [\"{name}\"]"),
                );
            }
        }
        if let Some(at) = self
            .file
            .key("review")
            .filter(|_| !steps.contains(&&Step::Review))
        {
            self.warn(
                &at,
                "no ladder leads to a review",
                "name `review` in `[on]`, as in unsure = [\"review\"]",
            );
        }
    }
}
