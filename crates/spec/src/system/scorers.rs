//! The scorers of a system's eval sets.

use std::time::Duration;

use plimsoll_core::SystemName;
use plimsoll_evals::judge::{Judge, Task};
use plimsoll_evals::scorer::{Check, Scorer, ScorerSpec};

use super::Resolver;
use crate::forms::view::View;
use crate::source::listed;

/// For which a program may score, unless it is said.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// From which score on a judge's answer passes, unless it is said.
const JUDGE_PASS: f64 = 0.5;

/// The metrics that every run has.
const OF_EVERY_RUN: [&str; 2] = ["answered", "schema_valid"];

impl Resolver<'_> {
    /// The scorers of `[quality.scorers]`, by name. Without any, an answer is held against all members that
    /// are expected.
    pub(super) fn scorers(&mut self) -> Vec<ScorerSpec> {
        let view = self.file.table("quality");
        let mut scorers: Vec<ScorerSpec> = Vec::new();
        for (name, table) in view.table("scorers").tables() {
            let Some(spec) = self.scorer(name, table) else {
                continue;
            };
            let twin = scorers.iter().find_map(|other| {
                let metrics = other.metrics();
                let both = spec
                    .metrics()
                    .into_iter()
                    .find(|metric| metrics.contains(metric))?;
                Some((both, other.name.clone()))
            });
            if let Some((metric, other)) = twin {
                let message =
                    format!("scorers `{other}` and `{name}` both give the metric `{metric}`");
                self.error(&table.at(), message, "keep one of them");
            }
            if let Err(fault) = Scorer::new(spec.clone()) {
                self.error(&table.at(), format!("scorer `{name}`: {fault}"), "");
            }
            scorers.push(spec);
        }
        if scorers.is_empty() {
            scorers.push(ScorerSpec {
                name: "matches".to_owned(),
                at: ".".to_owned(),
                expect: ".".to_owned(),
                pass: None,
                tag: None,
                check: Check::Matches,
            });
        }
        self.check_targets(&scorers);
        scorers
    }

    /// Warns of targets that no scorer can reach: they would never pass.
    fn check_targets(&mut self, scorers: &[ScorerSpec]) {
        if self.file.table("quality").text("dataset").is_none() {
            return;
        }
        let mut metrics: Vec<String> = scorers.iter().flat_map(ScorerSpec::metrics).collect();
        metrics.extend(OF_EVERY_RUN.map(str::to_owned));
        let names: Vec<&str> = metrics.iter().map(String::as_str).collect();
        for table in [
            self.file.table("quality").table("target"),
            self.file.table("bar").table("quality"),
        ] {
            for (metric, at, _) in table.entries() {
                if !names.contains(&metric) {
                    let message = format!("no scorer gives the metric `{metric}`");
                    let hint = format!(
                        "there are {}: write a scorer under `[quality.scorers]`",
                        listed(&names)
                    );
                    self.warn(&at, message, hint);
                }
            }
        }
    }

    fn scorer(&mut self, name: &str, table: View<'_>) -> Option<ScorerSpec> {
        let number = |key: &str| table.number(key).map(|found| found.value);
        let (key, check) = self.check(table)?;
        let at = table.text(if key == "judge" { "at" } else { key });
        let is_path = !["latency", "cost", "command"].contains(&key);
        let at = at.filter(|_| is_path).map_or(".", |found| found.value);
        let expect = match key {
            "refusal" => "refuse",
            _ => at,
        };
        let expect = table.text("expect").map_or(expect, |found| found.value);
        let pass = number("pass").or((key == "judge").then_some(JUDGE_PASS));
        Some(ScorerSpec {
            name: name.to_owned(),
            at: at.to_owned(),
            expect: expect.to_owned(),
            pass,
            tag: table.text("tag").map(|found| found.value.to_owned()),
            check,
        })
    }

    /// What it does, and the key that says so.
    fn check(&mut self, table: View<'_>) -> Option<(&'static str, Check)> {
        let flag = |key: &str| table.flag(key).is_some_and(|found| found.value);
        let number = |key: &str| table.number(key).map(|found| found.value);
        let text = |key: &str| table.text(key).map(|found| found.value.to_owned());
        let json = |key: &str| table.json(key).map(|found| found.value);
        let ignore_case = flag("ignore_case");
        let ordered = flag("ordered");
        let has = |key: &str| table.key(key).is_some();
        Some(match () {
            () if has("exact") => ("exact", Check::Exact { ignore_case }),
            () if has("matches") => ("matches", Check::Matches),
            () if has("contains") => {
                let any = flag("any");
                ("contains", Check::Contains { any, ignore_case })
            }
            () if has("regex") => {
                let pattern = text("pattern");
                ("regex", Check::Regex { pattern })
            }
            () if has("number") => {
                let tolerance = number("within").unwrap_or(0.0);
                let relative = flag("relative");
                (
                    "number",
                    Check::Numeric {
                        tolerance,
                        relative,
                    },
                )
            }
            () if has("json_schema") => ("json_schema", self.schema_check(table)?),
            () if has("json_diff") => ("json_diff", Check::JsonDiff),
            () if has("overlap") => ("overlap", Check::Overlap { ordered }),
            () if has("edit_distance") => ("edit_distance", Check::EditDistance),
            () if has("tool_calls") => ("tool_calls", Check::ToolCalls { ordered }),
            () if has("latency") => {
                let most = table.duration("latency")?.value;
                ("latency", Check::Latency { most })
            }
            () if has("cost") => {
                let most = table.money("cost")?.value;
                ("cost", Check::Cost { most })
            }
            () if has("refusal") => ("refusal", Check::Refusal),
            () if has("classification") => {
                let check = Check::Classification {
                    positive: json("positive"),
                    probability: text("probability"),
                    predicted: json("predicted"),
                    threshold: number("threshold").unwrap_or(0.5),
                };
                ("classification", check)
            }
            () if has("regression") => ("regression", Check::Regression),
            () if has("judge") => ("judge", Check::Judge(self.judge(table)?)),
            () => {
                let command = table.texts("command")?;
                let command = command
                    .into_iter()
                    .map(|part| part.value.to_owned())
                    .collect();
                let timeout = table
                    .duration("timeout")
                    .map_or(COMMAND_TIMEOUT, |found| found.value);
                ("command", Check::Command { command, timeout })
            }
        })
    }

    fn schema_check(&mut self, table: View<'_>) -> Option<Check> {
        let located = self.locate(table, "schema")?;
        let source = self.files.text(&located.path, self.report)?;
        match serde_json::from_str(&source.text) {
            Ok(schema) => Some(Check::JsonSchema { schema }),
            Err(error) => {
                let message = format!("this is no JSON: {}", super::json_fault(&error));
                self.report.file_error(&located.name, message);
                None
            }
        }
    }

    fn judge(&mut self, table: View<'_>) -> Option<Judge> {
        let found = table.text("judge")?;
        let system = SystemName::new(found.value).ok()?;
        let file = self
            .files
            .root
            .join("systems")
            .join(found.value)
            .join("system.toml");
        if !file.is_file() {
            let message = format!("there is no system `{system}` to judge");
            self.error(
                &found.at,
                message,
                "write it: a judge is a system of the workspace",
            );
        }
        let text = |key: &str| table.text(key).map(|found| found.value.to_owned());
        let task = match table.text("task")?.value {
            "rubric" => {
                let Some(rubric) = text("rubric") else {
                    self.error(
                        &table.at(),
                        "the judge has no `rubric`",
                        "say what the answer has to do",
                    );
                    return None;
                };
                Task::Rubric { rubric }
            }
            "factuality" => Task::Factuality,
            "groundedness" => Task::Groundedness,
            _ => Task::Pairwise,
        };
        let sources = text("sources");
        if task == Task::Groundedness && sources.is_none() {
            let hint = "name the member of the case's input, or of its `expect`, that holds them";
            self.error(&table.at(), "the judge has no `sources`", hint);
        }
        Some(Judge {
            system,
            task,
            sources,
        })
    }
}
