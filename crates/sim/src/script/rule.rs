//! One rule: which requests it is for, and what happens to them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::Fault;

/// What happens (`do`, after `delay`) to the requests that it is for (`match`, by chance if `probability` is given).
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// What people call this rule; not used otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which requests it is for; all, if nothing is said.
    #[serde(rename = "match")]
    pub when: Match,
    /// The share of the matching requests that it acts on, 0 to 1; all, if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// How long to wait before anything else, after the request was read.
    #[serde(
        with = "super::duration::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub delay: Option<Duration>,
    /// The fault; with a `delay` alone the answer is right, but late.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// Conditions on a request. All that are given must hold.
///
/// `nth`, `first`, `after` and `every` count the requests that meet the other conditions, from 1.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// The request's path, such as `/v1/chat/completions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The model that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// A text that the raw body contains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Headers that must be there with exactly these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, String>,
    /// Whether a stream is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// Only this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// Only this many, from the first on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// Only those after this many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Only each such one: 3 is the third, the sixth, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
}

impl Rule {
    /// A rule by which every request meets `fault`.
    pub fn always(fault: Fault) -> Self {
        Self {
            fault: Some(fault),
            ..Self::default()
        }
    }

    /// A rule by which every request is answered rightly, but only after `delay`.
    pub fn late(delay: Duration) -> Self {
        Self {
            delay: Some(delay),
            ..Self::default()
        }
    }

    /// This rule, only for the first `count` requests that it would be for.
    #[must_use]
    pub fn first(mut self, count: u64) -> Self {
        self.when.first = Some(count);
        self
    }

    /// This rule, only for the `number`-th request that it would be for, from 1.
    #[must_use]
    pub fn nth(mut self, number: u64) -> Self {
        self.when.nth = Some(number);
        self
    }

    /// This rule, only for requests for this model.
    #[must_use]
    pub fn model(mut self, model: &str) -> Self {
        self.when.model = Some(model.to_owned());
        self
    }

    /// This rule, only for requests whose raw body contains `text`.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.when.text = Some(text.to_owned());
        self
    }

    /// This rule, only for this path.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.when.path = Some(path.to_owned());
        self
    }

    /// Whether this rule can be; if not, what to write instead.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.fault.is_none() && self.delay.is_none() {
            return Err("it does nothing: give it `do` or `delay`".to_owned());
        }
        if let Some(share) = self.probability
            && !(0.0..=1.0).contains(&share)
        {
            return Err(format!(
                "probability {share} is not one: write a number from 0 to 1"
            ));
        }
        if self.when.nth == Some(0) || self.when.every == Some(0) {
            return Err("requests are counted from 1: `nth` and `every` cannot be 0".to_owned());
        }
        self.fault.as_ref().map_or(Ok(()), Fault::check)
    }
}
