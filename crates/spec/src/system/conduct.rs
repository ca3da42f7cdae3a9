//! Limits of time and money, and what is given when no model's answer is.

use std::time::Duration;

use plimsoll_core::manifest::{
    AbstainSpec, BudgetSpec, DeadlineSpec, ExpiryStep, RetrySpec, ReviewSpec,
};
use plimsoll_core::{Code, Money, QueueName};

use super::Resolver;
use super::contracts::Contracts;
use super::models::Models;
use crate::forms::view::View;
use crate::settings::whole;

impl Resolver<'_> {
    pub(super) fn deadline(&mut self, models: &Models) -> DeadlineSpec {
        let view = self.file.table("deadline");
        let usual = if models.primary_talks() {
            60_000
        } else {
            1_000
        };
        let total = self.millis(view, "total").unwrap_or(usual);
        for key in ["connect", "first_token", "stall"] {
            if let Some(found) = view
                .duration(key)
                .filter(|found| found.value > Duration::from_millis(total))
            {
                let message =
                    format!("`{key}` is longer than the whole decision may take ({total}ms)");
                self.error(&found.at, message, "shorten it, or make `total` longer");
            }
        }
        DeadlineSpec {
            total_ms: total,
            connect_ms: self
                .millis(view, "connect")
                .unwrap_or_else(|| total.min(2_000)),
            first_token_ms: self.millis(view, "first_token").unwrap_or(total),
            stall_ms: self
                .millis(view, "stall")
                .unwrap_or_else(|| total.min(15_000)),
        }
    }

    /// A duration of at least a millisecond, in milliseconds.
    fn millis(&mut self, view: View<'_>, key: &str) -> Option<u64> {
        let found = view.duration(key)?;
        let millis = u64::try_from(found.value.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            self.error(
                &found.at,
                format!("`{key}` is shorter than a millisecond"),
                "write at least \"1ms\"",
            );
        }
        Some(millis)
    }

    pub(super) fn retry(&mut self) -> RetrySpec {
        let view = self.file.table("retry");
        let base = self.millis(view, "base").unwrap_or(50);
        let cap = self.millis(view, "cap").unwrap_or_else(|| base.max(1_000));
        if let Some(at) = view.key("cap").filter(|_| cap < base) {
            self.error(
                &at,
                "`cap`, the longest pause, is shorter than `base`, the first",
                "make it longer",
            );
        }
        RetrySpec {
            attempts_max: whole(view, "attempts_max", 2),
            base_ms: base,
            cap_ms: cap,
            budget_percent: whole(view, "budget_percent", 10),
        }
    }

    pub(super) fn budget(&mut self) -> BudgetSpec {
        let view = self.file.table("budget");
        let mut limit = |key: &str| {
            let found = view.money(key)?;
            if found.value == Money::ZERO {
                self.error(
                    &found.at,
                    format!("`{key}` is zero, so that no model could be asked"),
                    "take the line out for no limit",
                );
            }
            Some(found.value)
        };
        BudgetSpec {
            per_unit: limit("per_unit"),
            per_day: limit("per_day"),
        }
    }

    pub(super) fn abstain(
        &mut self,
        contracts: &Contracts,
        models: &Models,
    ) -> Option<AbstainSpec> {
        let view = self.file.table("abstain");
        if !view.exists() {
            return None;
        }
        let (value, message) = (view.key("value"), view.key("message"));
        match (&value, &message) {
            (None, None) => self.error(
                &view.at(),
                "`[abstain]` says not what is given",
                "give it a `value` in the shape of the output or, for language models, a `message`",
            ),
            (Some(_), Some(at)) => self.error(
                at,
                "`[abstain]` has both a `value` and a `message`",
                "keep one of them",
            ),
            (None, Some(at)) if !models.may_talk() => self.error(
                at,
                "a `message` is for language models",
                "give a `value` in the shape of the output, as in value = { decision = \"refer\" }",
            ),
            _ => {}
        }
        if let Some(found) = view.json("value") {
            let violations = contracts
                .answers
                .as_ref()
                .and_then(|contract| contract.check(&found.value, Code::OutputSchema).err());
            for violation in violations.unwrap_or_default() {
                let field = if violation.field.is_empty() {
                    String::new()
                } else {
                    format!("`{}`: ", violation.field)
                };
                self.error(
                    &found.at,
                    format!(
                        "`abstain.value` does not match the output schema: {field}{}",
                        violation.message
                    ),
                    "callers rely on its shape as on any answer's",
                );
            }
            return Some(AbstainSpec::Value(found.value));
        }
        view.text("message")
            .map(|found| AbstainSpec::Message(found.value.to_owned()))
    }

    pub(super) fn review(&mut self) -> Option<ReviewSpec> {
        let view = self.file.table("review");
        let on_expiry = view.text("on_expiry").map(|found| found.value == "abstain");
        if on_expiry == Some(true) && self.file.key("abstain").is_none() {
            let at = view.key("on_expiry").unwrap_or(0..0);
            self.error(
                &at,
                "`on_expiry = \"abstain\"` needs `[abstain]`",
                "add [abstain] with what is given, or write on_expiry = \"refuse\"",
            );
        }
        let due_ms = self.millis(view, "due");
        Some(ReviewSpec {
            queue: view.word("queue", |text| QueueName::new(text).ok())?.value,
            due_ms: due_ms?,
            on_expiry: if on_expiry? {
                ExpiryStep::Abstain
            } else {
                ExpiryStep::Refuse
            },
        })
    }
}
