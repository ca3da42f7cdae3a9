//! The guards: detectors with their actions, and what they are made of as parts of the release.

use plimsoll_core::manifest::{GuardAction, GuardSpec, Guards, ModelSpec, OnError};
use plimsoll_guard::classifier::{Classifier, HeadName, probability};
use plimsoll_guard::leak::Leakage;
use plimsoll_guard::pack::Packs;
use plimsoll_guard::phrases::{PHRASE_BYTES_MAX, PHRASES_MAX};
use plimsoll_guard::pii::Pii;
use plimsoll_guard::policy::Policy;
use plimsoll_guard::secrets::Secrets;

use super::Resolver;
use super::models::Models;
use crate::forms::view::View;
use crate::source::Span;

/// The detectors of each side, in the order in which they run: what may stop a text comes first.
const INPUT: [&str; 4] = ["injection", "secrets", "pii", "phrases"];
const OUTPUT: [&str; 5] = ["secrets", "pii", "links", "leakage", "phrases"];

impl Resolver<'_> {
    pub(super) fn guards(&mut self, view: View<'_>, models: &Models) -> Guards {
        let (input, output) = (view.table("input"), view.table("output"));
        let guards = Guards {
            input: self.side(input, &INPUT),
            output: self.side(output, &OUTPUT),
        };
        self.check_redaction(input, &guards.input, models);
        guards
    }

    fn side(&mut self, view: View<'_>, names: &[&str]) -> Vec<GuardSpec> {
        let mut specs = Vec::new();
        for name in names {
            let Some(at) = view.key(name) else { continue };
            let spec = match *name {
                "phrases" => self.phrases(view.table(name)),
                _ => self.detector(view, name),
            };
            if let Some(spec) = spec {
                self.check_review(&at, &spec);
                specs.push(spec);
            }
        }
        specs
    }

    /// A detector as a word, or as a table.
    fn detector(&mut self, side: View<'_>, name: &str) -> Option<GuardSpec> {
        let view = side.table(name);
        let action = side.word(name, GuardAction::parse);
        let action = action.or_else(|| view.word("action", GuardAction::parse))?;
        let mut spec = GuardSpec {
            detector: name.to_owned(),
            action: action.value,
            review_score: view.number("review_score").map(|found| found.value),
            block_score: view.number("block_score").map(|found| found.value),
            ..self.orders(view)
        };
        match name {
            "injection" => {
                self.thresholds(view, &mut spec);
                spec.packs = self.packs(view);
                let (weights, _) = self.keep(Classifier::shipped_weights().to_vec());
                spec.weights = Some(weights);
            }
            "secrets" => {
                let (rules, _) = self.keep(Secrets::shipped_rules().as_bytes().to_vec());
                spec.packs = vec![rules];
            }
            "pii" => spec.edition = Some(Pii::edition()),
            "links" => spec.hosts = self.hosts(view),
            "leakage" => spec.canaries = self.canaries(view),
            _ => {}
        }
        Some(spec)
    }

    /// What all detectors may be told.
    fn orders(&mut self, view: View<'_>) -> GuardSpec {
        let rules = view.table("rules");
        let mut ruled = std::collections::BTreeMap::new();
        for (name, at, _) in rules.entries() {
            if Policy::parse(&format!("[rules.\"{name}\"]\naction = \"flag\"")).is_err() {
                self.error(
                    &at,
                    format!("`{name}` can be the name of no rule"),
                    "write a rule as \"pii/iban\", or a family as \"pii/*\"",
                );
            }
            let action = rules.word(name, GuardAction::parse);
            ruled.extend(action.map(|action| (name.to_owned(), action.value)));
        }
        let is_open = view
            .text("on_error")
            .is_some_and(|found| found.value == "open");
        GuardSpec {
            shadow: view.flag("shadow").is_some_and(|found| found.value),
            on_error: if is_open {
                OnError::Open
            } else {
                OnError::Closed
            },
            rules: ruled,
            ..GuardSpec::default()
        }
    }

    /// The packs that ship, and those of the operator's own: together they must be usable.
    fn packs(&mut self, view: View<'_>) -> Vec<plimsoll_core::Digest> {
        let mut texts: Vec<String> = Packs::shipped().map(str::to_owned).collect();
        for named in view.texts("packs").unwrap_or_default() {
            let located = self
                .files
                .locate(self.folder, view.source, &named, self.report);
            let Some(located) = located else { continue };
            let Some(source) = self.files.text(&located.path, self.report) else {
                continue;
            };
            if let Err(problems) = Packs::with(std::slice::from_ref(&source.text)) {
                for problem in problems {
                    self.report.error(&source, &(0..0), problem);
                }
                continue;
            }
            texts.push(source.text);
        }
        if let Err(problems) = Packs::parse(&texts.iter().map(String::as_str).collect::<Vec<_>>())
            && let Some(at) = view.key("packs")
        {
            self.error(&at, problems.join("; "), "");
        }
        texts
            .into_iter()
            .map(|text| self.keep(text.into_bytes()).0)
            .collect()
    }

    /// Both scores, if one is given: the other is that of the weights.
    fn thresholds(&mut self, view: View<'_>, spec: &mut GuardSpec) {
        if spec.review_score.is_none() && spec.block_score.is_none() {
            return;
        }
        let shipped = Classifier::shipped().map_or((0.0, 1.0), |classifier| {
            let meta = classifier.weights().head(HeadName::Prompt).meta();
            (probability(meta.review), probability(meta.block))
        });
        let review = *spec.review_score.get_or_insert(shipped.0);
        let block = *spec.block_score.get_or_insert(shipped.1);
        if review > block {
            self.error(
                &view.at(),
                format!("`review_score` ({review:.3}) lies above `block_score` ({block:.3})"),
                "give both, with the score from which a person decides below the one that blocks",
            );
        }
    }

    pub(super) fn hosts(&mut self, view: View<'_>) -> Vec<String> {
        let mut hosts = Vec::new();
        for found in view.texts("hosts").unwrap_or_default() {
            let host = found.value.trim().to_ascii_lowercase();
            let bare = host.strip_prefix("*.").unwrap_or(&host);
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
            if bare.is_empty() || !bare.chars().all(fits) {
                self.error(
                    &found.at,
                    format!("`{}` is not a host", found.value),
                    "write \"docs.example.org\", or \"*.example.org\" for all below it",
                );
            }
            hosts.push(host);
        }
        hosts.sort();
        hosts.dedup();
        hosts
    }

    fn canaries(&mut self, view: View<'_>) -> Vec<String> {
        let listed = view.texts("canaries").unwrap_or_default();
        let canaries: Vec<String> = listed.iter().map(|found| found.value.to_owned()).collect();
        if let Err(error) = Leakage::new(&canaries) {
            let at = listed
                .get(error.0)
                .map_or(view.at(), |found| found.at.clone());
            self.error(&at, error.to_string(), "");
        }
        canaries
    }

    fn phrases(&mut self, view: View<'_>) -> Option<GuardSpec> {
        let listed = view.texts("list").unwrap_or_default();
        let mut phrases: Vec<String> = listed
            .iter()
            .map(|found| found.value.trim().to_owned())
            .collect();
        if let Some(located) = self.locate(view, "file") {
            let source = self.files.text(&located.path, self.report);
            let lines = source.iter().flat_map(|source| source.text.lines());
            let lines = lines
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            phrases.extend(lines.map(str::to_owned));
        }
        if phrases.is_empty() && (view.key("file").is_none() || self.locate(view, "file").is_some())
        {
            self.error(
                &view.at(),
                "the detector `phrases` has no phrases",
                "list them in `list`, or one per line in a `file`",
            );
        }
        phrases.sort();
        phrases.dedup();
        self.phrases_within_bounds(view, &phrases);
        Some(GuardSpec {
            detector: "phrases".to_owned(),
            action: view.word("action", GuardAction::parse)?.value,
            phrases,
            ..self.orders(view)
        })
    }

    fn phrases_within_bounds(&mut self, view: View<'_>, phrases: &[String]) {
        if phrases.len() > PHRASES_MAX {
            let message = format!(
                "there are {} phrases: the limit is {PHRASES_MAX}",
                phrases.len()
            );
            self.error(&view.at(), message, "keep those that matter most");
        }
        let too_long = |phrase: &&String| phrase.len() > PHRASE_BYTES_MAX;
        for phrase in phrases.iter().filter(too_long) {
            let begin: String = phrase.chars().take(30).collect();
            let message = format!(
                "the phrase `{begin}…` has {} bytes: the limit is {PHRASE_BYTES_MAX}",
                phrase.len()
            );
            self.error(&view.at(), message, "shorten it: its beginning is enough");
        }
    }

    /// An action that asks a person needs somewhere to ask.
    fn check_review(&mut self, at: &Span, spec: &GuardSpec) {
        let asks = spec.rules.values().chain([&spec.action]);
        let asks = asks
            .into_iter()
            .any(|action| *action == GuardAction::Review);
        if asks && !self.file.table("review").exists() {
            self.error(
                at,
                format!(
                    "`{}` asks a person, and there is no `[review]`",
                    spec.detector
                ),
                "add `[review]` with `queue`, `due` and `on_expiry`, or take another action",
            );
        }
    }

    /// Placeholders are read by language models; a predictor would take them for values.
    fn check_redaction(&mut self, view: View<'_>, specs: &[GuardSpec], models: &Models) {
        let is_predictor = models
            .specs
            .values()
            .any(|model| !matches!(model, ModelSpec::Openai(_) | ModelSpec::Rules(_)));
        for spec in specs {
            if is_predictor
                && spec.may(GuardAction::Redact)
                && spec.detector != "injection"
                && let Some(at) = view.key(&spec.detector)
            {
                self.error(
                    &at,
                    format!(
                        "`{}` redacts, and a predictor would take a placeholder for a value",
                        spec.detector
                    ),
                    "flag or block instead: redaction is for language models",
                );
            }
        }
    }
}
