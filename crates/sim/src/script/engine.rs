//! A script at work: it counts the requests that each rule is for, and says which rule acts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderMap;

use super::{Fault, Match, Rule, Script};

/// What a script looks at.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) path: &'a str,
    pub(crate) model: &'a str,
    pub(crate) stream: bool,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// What happens to one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Action {
    pub(crate) delay: Option<Duration>,
    pub(crate) fault: Option<Fault>,
}

/// A script and its counters.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    pub(crate) script: Script,
    counts: Vec<AtomicU64>,
}

impl Engine {
    pub(crate) fn new(script: Script) -> Self {
        let counts = script.rules.iter().map(|_| AtomicU64::new(0)).collect();
        Self { script, counts }
    }

    /// What happens to this request; `None` if no rule acts. Rules after the one that acts do not count it.
    pub(crate) fn act(&self, asked: &Asked<'_>) -> Option<Action> {
        let rules = self.script.rules.iter().zip(&self.counts).enumerate();
        for (index, (rule, count)) in rules {
            if !rule.when.is_met(asked) {
                continue;
            }
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            if rule.when.counts(number) && self.is_drawn(rule, index, number) {
                return Some(Action {
                    delay: rule.delay,
                    fault: rule.fault.clone(),
                });
            }
        }
        None
    }

    fn is_drawn(&self, rule: &Rule, index: usize, number: u64) -> bool {
        let Some(share) = rule.probability else {
            return true;
        };
        let mixed = mix(self.script.seed ^ mix(index as u64 + 1) ^ number);
        // 53 bits are what a double holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
        let drawn = (mixed >> 11) as f64 / (1_u64 << 53) as f64;
        drawn < share
    }
}

impl Match {
    fn is_met(&self, asked: &Asked<'_>) -> bool {
        self.path.as_deref().is_none_or(|path| path == asked.path)
            && self.model.as_deref().is_none_or(|name| name == asked.model)
            && self.stream.is_none_or(|stream| stream == asked.stream)
            && self
                .text
                .as_deref()
                .is_none_or(|text| contains(asked.body, text.as_bytes()))
            && self.header.iter().all(|(name, value)| {
                asked
                    .headers
                    .get(name)
                    .is_some_and(|found| found.as_bytes() == value.as_bytes())
            })
    }

    fn counts(&self, number: u64) -> bool {
        self.nth.is_none_or(|nth| number == nth)
            && self.first.is_none_or(|first| number <= first)
            && self.after.is_none_or(|after| number > after)
            && self.every.is_none_or(|every| number.is_multiple_of(every))
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty()
        || haystack
            .windows(needle.len())
            .any(|window| window == needle)
}

/// `splitmix64`: a well-mixed number for each number.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<'a>(model: &'a str, headers: &'a HeaderMap) -> Asked<'a> {
        Asked {
            path: "/v1/chat/completions",
            model,
            stream: false,
            headers,
            body: b"{\"text\":\"a refund\"}",
        }
    }

    fn acts(engine: &Engine, model: &str) -> bool {
        engine.act(&asked(model, &HeaderMap::new())).is_some()
    }

    #[test]
    fn each_rule_counts_only_the_requests_it_is_for() {
        let engine = Engine::new(Script::new().rule(Rule::always(Fault::Reset).model("a").nth(2)));
        let seen: Vec<bool> = ["a", "b", "b", "a", "a"].map(|m| acts(&engine, m)).to_vec();
        assert_eq!(seen, [false, false, false, true, false]);
    }

    #[test]
    fn the_first_rule_that_matches_acts() {
        let script = Script::new()
            .rule(Rule::always(Fault::Quota).first(1))
            .rule(Rule::always(Fault::Reset));
        let engine = Engine::new(script);
        let headers = HeaderMap::new();
        let faults = [(); 2].map(|()| engine.act(&asked("a", &headers)).unwrap().fault.unwrap());
        assert_eq!(faults, [Fault::Quota, Fault::Reset]);
    }

    #[test]
    fn texts_headers_and_every_are_honoured() {
        let mut rule = Rule::always(Fault::Reset).text("refund");
        rule.when.every = Some(2);
        rule.when.header.insert("x-case".into(), "7".into());
        let engine = Engine::new(Script::new().rule(rule));
        let mut headers = HeaderMap::new();
        assert!(!(0..4).any(|_| engine.act(&asked("a", &headers)).is_some()));
        headers.insert("x-case", http::HeaderValue::from_static("7"));
        let seen: Vec<bool> = (0..4)
            .map(|_| engine.act(&asked("a", &headers)).is_some())
            .collect();
        assert_eq!(seen, [false, true, false, true]);
    }

    #[test]
    fn the_same_seed_draws_the_same_faults() {
        let script = |seed| {
            let mut rule = Rule::always(Fault::Reset);
            rule.probability = Some(0.3);
            Script {
                seed,
                ..Script::new()
            }
            .rule(rule)
        };
        let draw = |seed| {
            let engine = Engine::new(script(seed));
            (0..1000).map(|_| acts(&engine, "a")).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let share = draw(1).iter().filter(|hit| **hit).count();
        assert!((250..350).contains(&share), "{share}");
    }
}
