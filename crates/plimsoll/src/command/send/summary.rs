//! What came back, summed up: rows by outcome, kind and code; times of the calls.

use std::collections::BTreeMap;

use plimsoll_control::figures::{count, micros, percent};
use plimsoll_control::table::{Align, Table};
use plimsoll_core::{Code, SystemName};
use serde_json::{Value, json};

use crate::command::send::Sent;
use crate::output::Output;

/// How many different reasons of calls without an outcome are named.
const REASONS_MAX: usize = 5;

/// What came back so far.
#[derive(Default)]
pub(crate) struct Summary {
    rows: u64,
    calls: Vec<u64>,
    outcomes: BTreeMap<String, u64>,
    kinds: BTreeMap<String, u64>,
    codes: BTreeMap<String, u64>,
    pub(crate) failed: BTreeMap<String, u64>,
    pub(crate) seconds: f64,
}

impl Summary {
    /// Adds a call.
    pub(crate) fn add(&mut self, sent: Sent) {
        self.rows += sent.rows;
        self.calls.push(sent.micros);
        for ended in sent.ended {
            *self.outcomes.entry(ended.outcome).or_default() += 1;
            if let Some(kind) = ended.kind.or_else(|| kind_of(ended.code.as_deref())) {
                *self.kinds.entry(kind).or_default() += 1;
            }
            if let Some(code) = ended.code {
                *self.codes.entry(code).or_default() += 1;
            }
        }
        if let Some(reason) = sent.failed {
            *self.failed.entry(reason).or_default() += sent.rows;
        }
    }

    /// The time below which `share` of the calls stayed (nearest rank).
    fn quantile(&self, share: f64) -> Option<u64> {
        let mut sorted = self.calls.clone();
        sorted.sort_unstable();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank between 1 and the number of calls"
        )]
        let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
        sorted.get(rank - 1).copied()
    }

    fn rows_per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rows = self.rows as f64;
        if self.seconds > 0.0 {
            rows / self.seconds
        } else {
            0.0
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "rows": self.rows, "calls": self.calls.len(), "seconds": self.seconds,
            "outcomes": self.outcomes, "kinds": self.kinds, "codes": self.codes,
            "failed": self.failed, "rows_per_second": self.rows_per_second(),
            "call_p50_micros": self.quantile(0.5), "call_p99_micros": self.quantile(0.99),
        })
    }

    /// For people.
    pub(crate) fn text(&self, system: &SystemName, out: Output) -> String {
        let mut text = String::new();
        let mut table = Table::new(&[
            ("outcome", Align::Left),
            ("rows", Align::Right),
            ("share", Align::Right),
        ]);
        for (outcome, rows) in descending(&self.outcomes) {
            table.row(vec![outcome.clone(), count(rows), percent(rows, self.rows)]);
        }
        text.push_str(&table.render(out.paint));
        let listed = |map: &BTreeMap<String, u64>| {
            let parts = descending(map).map(|(name, rows)| format!("{name} {}", count(rows)));
            parts.collect::<Vec<_>>().join(" · ")
        };
        if !self.kinds.is_empty() {
            text.push_str(&format!("\nfailures   {}\n", listed(&self.kinds)));
        }
        if !self.codes.is_empty() {
            text.push_str(&format!("codes      {}\n", listed(&self.codes)));
        }
        for (reason, rows) in descending(&self.failed).take(REASONS_MAX) {
            let mark = out.paint.mark(false);
            text.push_str(&format!(
                "{mark} {} rows without an outcome: {reason}\n",
                count(rows)
            ));
        }
        let time = |share| self.quantile(share).map_or_else(|| "–".to_owned(), micros);
        text.push_str(&format!(
            "\n{} rows to {system} in {:.1} s · {:.0} rows/s · {} calls · p50 {} · p99 {} a call\n",
            count(self.rows),
            self.seconds,
            self.rows_per_second(),
            count(self.calls.len() as u64),
            time(0.5),
            time(0.99),
        ));
        text
    }
}

fn kind_of(code: Option<&str>) -> Option<String> {
    code.and_then(Code::parse)
        .and_then(Code::kind)
        .map(|kind| kind.to_string())
}

fn descending(map: &BTreeMap<String, u64>) -> impl Iterator<Item = (&String, u64)> {
    let mut pairs: Vec<_> = map.iter().map(|(name, rows)| (name, *rows)).collect();
    pairs.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    pairs.into_iter()
}

#[cfg(test)]
mod tests {
    use plimsoll_control::paint::Paint;

    use super::*;
    use crate::command::send::Ended;

    #[test]
    fn rows_are_summed_by_outcome_and_times_by_call() {
        let mut summary = Summary {
            seconds: 2.0,
            ..Summary::default()
        };
        let ended = |outcome: &str, code: Option<&str>| Ended {
            outcome: outcome.into(),
            kind: None,
            code: code.map(str::to_owned),
        };
        for micros in 1..=100 {
            let rows = vec![
                ended("served", None),
                ended("refused", Some("contract_type")),
            ];
            summary.add(Sent {
                rows: 2,
                micros,
                ended: rows,
                failed: None,
            });
        }
        summary.add(Sent {
            rows: 1,
            micros: 500,
            ended: Vec::new(),
            failed: Some("it broke".into()),
        });
        assert_eq!(summary.quantile(0.5), Some(51));
        assert_eq!(summary.quantile(0.99), Some(100));
        assert_eq!(summary.kinds["malformed"], 100);
        let out = Output {
            json: false,
            paint: Paint::Plain,
            columns: 100,
        };
        let text = summary.text(&SystemName::new("loan").unwrap(), out);
        assert!(text.contains("refused   100  49.75 %"), "{text}");
        assert!(
            text.contains("1 rows without an outcome: it broke"),
            "{text}"
        );
        assert!(
            text.contains("201 rows to loan in 2.0 s · 100 rows/s"),
            "{text}"
        );
    }
}
