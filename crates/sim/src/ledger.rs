//! What the simulator was asked and what it gave: so that a test, or a bill, can be held against it.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use http::HeaderMap;
use parking_lot::Mutex;
use serde::Serialize;

/// The most models that are counted apart; what comes later is counted under [`OTHER`].
const MODELS_MAX: usize = 1024;
const OTHER: &str = "(other)";

/// Counts since the start, or since the ledger was last cleared.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Ledger {
    /// Requests that were read, answered or not; those to `/sim/` not counted.
    pub requests: u64,
    /// Counts by the model that was asked for (`/predict` counts under that path).
    pub models: BTreeMap<String, ModelLedger>,
}

/// Counts of one model.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ModelLedger {
    /// Requests for it.
    pub requests: u64,
    /// Requests that met no rule that spoils the answer.
    pub answered: u64,
    /// Input tokens of the requests that were answered, faultily or not, with 200.
    pub prompt_tokens: u64,
    /// Output tokens of those.
    pub completion_tokens: u64,
    /// How often each fault struck.
    pub faults: BTreeMap<&'static str, u64>,
}

/// A request as it came in: for tests that look at what a gateway really sends.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The path.
    pub path: String,
    /// The headers; `authorization` is there, but marked sensitive.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Bytes,
}

/// The ledger and the requests last seen, shared by all connections.
#[derive(Debug)]
pub(crate) struct Books {
    ledger: Mutex<Ledger>,
    seen: Mutex<VecDeque<Seen>>,
    remember: usize,
}

/// One request's entry.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entry<'a> {
    pub(crate) model: &'a str,
    pub(crate) fault: Option<&'static str>,
    pub(crate) prompt_tokens: u64,
    pub(crate) completion_tokens: u64,
}

impl Books {
    pub(crate) fn new(remember: usize) -> Self {
        Self {
            ledger: Mutex::default(),
            seen: Mutex::default(),
            remember,
        }
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.ledger.lock().clone()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        *self.ledger.lock() = Ledger::default();
        self.seen.lock().clear();
    }

    /// Keeps the request, if requests are remembered at all.
    pub(crate) fn see(&self, path: &str, headers: &HeaderMap, body: &Bytes) {
        if self.remember == 0 {
            return;
        }
        let mut headers = headers.clone();
        if let Some(value) = headers.get_mut(http::header::AUTHORIZATION) {
            value.set_sensitive(true);
        }
        let mut seen = self.seen.lock();
        if seen.len() == self.remember {
            seen.pop_front();
        }
        seen.push_back(Seen {
            path: path.to_owned(),
            headers,
            body: body.clone(),
        });
    }

    pub(crate) fn enter(&self, entry: Entry<'_>) {
        let mut ledger = self.ledger.lock();
        ledger.requests += 1;
        let known = ledger.models.contains_key(entry.model);
        let name = if known || ledger.models.len() < MODELS_MAX {
            entry.model
        } else {
            OTHER
        };
        if !ledger.models.contains_key(name) {
            ledger
                .models
                .insert(name.to_owned(), ModelLedger::default());
        }
        let Some(model) = ledger.models.get_mut(name) else {
            return;
        };
        model.requests += 1;
        model.prompt_tokens += entry.prompt_tokens;
        model.completion_tokens += entry.completion_tokens;
        match entry.fault {
            None => model.answered += 1,
            Some(fault) => *model.faults.entry(fault).or_default() += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_models_is_bounded() {
        let books = Books::new(0);
        for number in 0..MODELS_MAX + 10 {
            let model = format!("m{number}");
            books.enter(Entry {
                model: &model,
                ..Entry::default()
            });
        }
        let ledger = books.ledger();
        assert_eq!(ledger.models.len(), MODELS_MAX + 1);
        assert_eq!(ledger.models[OTHER].requests, 10);
    }

    #[test]
    fn only_the_last_requests_are_remembered() {
        let books = Books::new(2);
        for path in ["/a", "/b", "/c"] {
            books.see(path, &HeaderMap::new(), &Bytes::new());
        }
        let paths: Vec<String> = books.seen().into_iter().map(|seen| seen.path).collect();
        assert_eq!(paths, ["/b", "/c"]);
    }
}
