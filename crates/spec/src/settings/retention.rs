//! For how long records are kept, held against the floors of the regimes that they are kept under.

use std::time::Duration;

use super::Reader;
use crate::forms::view::{Found, View};
use crate::quantity::duration_text;
use crate::regimes::{Floor, Origin, RecordClass, Regime};
use crate::source::{did_you_mean, listed};
use crate::workspace::{Retention, RetentionFloors};

/// A bound on a class: the key that sets it, and its value with its place.
type Bound = Option<(&'static str, Found<Duration>)>;

impl Reader<'_> {
    pub(super) fn retention(&mut self, view: View<'_>) -> Retention {
        let age = view.duration("age");
        let payloads = view.duration("payloads");
        if let Some((payloads, age)) = payloads
            .as_ref()
            .zip(age.as_ref())
            .filter(|(payloads, age)| payloads.value > age.value)
        {
            let message = format!(
                "payloads cannot be kept for {}: they go with their records after {}",
                duration_text(payloads.value),
                duration_text(age.value)
            );
            self.report
                .error(view.source, &payloads.at, message)
                .help("shorten `payloads`, or make `age` longer");
        }
        let regimes = self.named_regimes(view);
        let records: Bound = age.clone().map(|found| ("age", found));
        let of_payloads: Bound = payloads
            .clone()
            .map(|found| ("payloads", found))
            .or_else(|| records.clone());
        for name in &regimes {
            self.hold_against(view, name, RecordClass::Records, records.as_ref());
            self.hold_against(view, name, RecordClass::Payloads, of_payloads.as_ref());
        }
        let now = self.environment.now();
        let floor = |class| {
            let highest = self.regimes.floor(&regimes, class, now);
            highest.map(|(_, floor)| floor.age)
        };
        let floors = RetentionFloors {
            records: floor(RecordClass::Records),
            payloads: floor(RecordClass::Payloads),
        };
        Retention {
            age: age.map(|found| found.value),
            bytes: view.size("bytes").map(|found| found.value),
            payloads: payloads.map(|found| found.value),
            regimes,
            floors,
        }
    }

    /// The regimes that are named and known, each once.
    fn named_regimes(&mut self, view: View<'_>) -> Vec<String> {
        let mut named: Vec<String> = Vec::new();
        for found in view.texts("regimes").unwrap_or_default() {
            let name = found.value;
            if !self.regimes.regimes.contains_key(name) {
                let names: Vec<&str> = self.regimes.regimes.keys().map(String::as_str).collect();
                let hint = did_you_mean(name, &names, |names| {
                    format!(
                        "the regimes are {}; a `regimes.toml` beside this file can add others",
                        listed(names)
                    )
                });
                self.report
                    .error(
                        view.source,
                        &found.at,
                        format!("there is no regime `{name}`"),
                    )
                    .help(hint);
            } else if named.iter().any(|before| before == name) {
                self.report
                    .error(view.source, &found.at, format!("`{name}` stands twice"));
            } else {
                named.push(name.to_owned());
            }
        }
        named
    }

    /// Refuses a bound below a floor that is in force, and warns of one below a floor that is not yet.
    fn hold_against(
        &mut self,
        view: View<'_>,
        name: &str,
        class: RecordClass,
        bound: Option<&(&'static str, Found<Duration>)>,
    ) {
        let Some(regime) = self.regimes.regimes.get(name) else {
            return;
        };
        let Some((floor, (key, found))) = regime.floors.get(&class).zip(bound) else {
            return;
        };
        if found.value >= floor.age {
            return;
        }
        let (kept, asked) = (duration_text(found.value), duration_text(floor.age));
        let (what, article) = (class.as_str(), &floor.article);
        let message = |asks: &str| {
            format!(
                "`{key}` lets {what} go after {kept}, and `{name}` ({article}) {asks} at least {asked}"
            )
        };
        let hint = format!(
            "set it to \"{asked}\" or more: {}",
            self.found_in(regime, floor)
        );
        let problem = if floor.holds(self.environment.now()) {
            self.report
                .error(view.source, &found.at, message("asks for"))
        } else if let Some(from) = floor.from {
            let day: String = from.to_string().chars().take(10).collect();
            let message = format!("{} from {day} on", message("will ask for"));
            self.report.warning(view.source, &found.at, message)
        } else {
            let message = format!("{}, and has no date yet", message("would ask for"));
            self.report.warning(view.source, &found.at, message)
        };
        problem.help(hint);
    }

    /// What the floor says, and in which table.
    fn found_in(&self, regime: &Regime, floor: &Floor) -> String {
        let table = match regime.origin {
            Origin::BuiltIn => format!("the built-in table, version {}", self.regimes.version),
            Origin::Workspace | Origin::Replaced => {
                let version = self.regimes.workspace_version.as_deref();
                format!("regimes.toml, version {}", version.unwrap_or_default())
            }
        };
        match &floor.says {
            Some(says) => format!("{says} ({table})"),
            None => table,
        }
    }
}
