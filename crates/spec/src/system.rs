//! A system's folder resolved into a [`System`]: one behaviour manifest and what stands around it.
//!
//! Every part reads what it can and reports what it cannot, so that all problems of a system are
//! found at once. A system with an error is not given.

mod conduct;
mod contracts;
mod guards;
mod http;
mod ladders;
mod models;
mod monitors;
mod rules;
mod scorers;
mod standing;
mod templates;
mod tools;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_core::access::DataClass;
use plimsoll_core::manifest::{MANIFEST_FORMAT, Manifest, Mode};
use plimsoll_core::stakes::{DeployPolicy, Durability, PayloadPolicy};
use plimsoll_core::{Digest, Stakes, System, SystemName};

use crate::files::{Files, Located, MODEL_BYTES_MAX};
use crate::forms::view::View;
use crate::prices::PriceTable;
use crate::settings::{Settings, whole};
use crate::source::{Report, Source, Span};
use crate::workspace::SystemFolder;

pub(crate) use contracts::json_fault;
pub use monitors::{MATURED_AFTER, REFERENCE_ARTIFACT};

/// What a system's file is read with.
pub(crate) struct Resolver<'a> {
    pub(crate) files: &'a Files,
    pub(crate) settings: &'a Settings,
    pub(crate) prices: &'a PriceTable,
    pub(crate) name: &'a SystemName,
    /// The system's folder, absolute.
    pub(crate) folder: &'a Path,
    /// The system's file.
    pub(crate) file: View<'a>,
    pub(crate) report: &'a mut Report,
    pub(crate) blobs: &'a mut BTreeMap<Digest, Arc<[u8]>>,
}

/// A system that was resolved.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) system: System,
    pub(crate) folder: SystemFolder,
}

impl Resolver<'_> {
    /// The system, unless something stands in the way.
    pub(crate) fn resolve(mut self) -> Option<Resolved> {
        let errors = self.report.errors();
        let file = self.file;
        let stakes = file
            .word("stakes", stakes)
            .map_or(Stakes::Limited, |found| found.value);
        let defaults = stakes.defaults();
        let contracts = self.contracts(file.table("input"), file.table("output"));
        let models = self.models(&contracts);
        let prompt = self.prompt(file.table("prompt"), &contracts, &models);
        let (abstain, review) = (self.abstain(&contracts, &models), self.review());
        let ladders = self.ladders(&contracts, &models, abstain.is_some());
        let guards = self.guards(file.table("guards"), &models);
        let tools = self.boundary(&contracts, &models);
        let deadline = self.deadline(&models);
        self.check_models(&models, &contracts);
        self.check_budget(&models);
        let manifest = Manifest {
            format: MANIFEST_FORMAT,
            system: self.name.clone(),
            mode: mode(file),
            models: models.specs,
            prompt,
            artifacts: self.artifacts(),
            input: contracts.input,
            output: contracts.output,
            guards,
            tools,
            ladders,
            deadline,
            retry: self.retry(),
            budget: self.budget(),
            abstain,
            review,
            record: file
                .word("record", durability)
                .map_or(defaults.record, |found| found.value),
            payloads: file
                .word("payloads", payloads)
                .map_or(defaults.payloads, |found| found.value),
            in_flight_max: whole(file, "in_flight_max", self.settings.server.in_flight_max),
        };
        let deploy = file.table("release").word("deploy", deploy);
        let approvals = self.approvals(stakes);
        self.check_audit(stakes);
        let (quality, eval_sets) = self.quality();
        let scorers = self.scorers();
        let (owner, runbook) = (self.owner(), self.runbook());
        let system = System {
            name: self.name.clone(),
            purpose: text_or(file, "purpose", ""),
            stakes,
            unit: text_or(file, "unit", "decision"),
            owner,
            bar: self.bar(stakes, quality.as_ref()),
            quality,
            deploy: deploy.map_or(defaults.deploy, |found| found.value),
            manifest,
            runbook,
        };
        let cases = self.cases(&system);
        let folder = SystemFolder {
            monitors: self.monitors(system.quality.as_ref(), &scorers),
            path: self.folder.to_owned(),
            data_class: data_class(file),
            cases,
            eval_sets,
            scorers,
            approvals,
        };
        (self.report.errors() == errors).then_some(Resolved { system, folder })
    }

    /// Reports an error in the system's file.
    fn error(&mut self, at: &Span, message: impl Into<String>, hint: impl Into<String>) {
        let hint = hint.into();
        let problem = self.report.error(self.file.source, at, message);
        if !hint.is_empty() {
            problem.help(hint);
        }
    }

    /// Reports a warning in the system's file.
    fn warn(&mut self, at: &Span, message: impl Into<String>, hint: impl Into<String>) {
        self.report
            .warning(self.file.source, at, message)
            .help(hint);
    }

    /// The file that `view` names under `key`.
    fn locate(&mut self, view: View<'_>, key: &str) -> Option<Located> {
        let found = view.text(key)?;
        self.files
            .locate(self.folder, view.source, &found, self.report)
    }

    /// The bytes of a file, kept as a blob.
    fn blob(&mut self, located: &Located) -> Option<(Digest, Arc<[u8]>)> {
        match self.files.read(&located.path, MODEL_BYTES_MAX) {
            Ok(bytes) => Some(self.keep(bytes)),
            Err(message) => {
                self.report.file_error(&located.name, message);
                None
            }
        }
    }

    /// A text file that `view` names under `key`, kept as a blob.
    fn text_blob(&mut self, view: View<'_>, key: &str) -> Option<(Digest, Source)> {
        let located = self.locate(view, key)?;
        let source = self.files.text(&located.path, self.report)?;
        let (digest, _) = self.keep(source.text.clone().into_bytes());
        Some((digest, source))
    }

    fn keep(&mut self, bytes: Vec<u8>) -> (Digest, Arc<[u8]>) {
        let digest = Digest::of(&bytes);
        let bytes = self.blobs.entry(digest).or_insert_with(|| bytes.into());
        (digest, Arc::clone(bytes))
    }

    fn artifacts(&mut self) -> BTreeMap<String, Digest> {
        let view = self.file.table("artifacts");
        let mut artifacts = BTreeMap::new();
        for (name, _, _) in view.entries() {
            let blob = self
                .locate(view, name)
                .and_then(|located| self.blob(&located));
            artifacts.extend(blob.map(|(digest, _)| (name.to_owned(), digest)));
        }
        self.reference(&mut artifacts);
        artifacts
    }

    /// `cases.jsonl`, if it is there and right.
    fn cases(&mut self, system: &System) -> Option<PathBuf> {
        let path = self.folder.join("cases.jsonl");
        if !path.is_file() {
            return None;
        }
        let source = self.files.text(&path, self.report)?;
        crate::cases::parse(&source, Some(&system.manifest), self.report);
        Some(path)
    }
}

fn text_or(view: View<'_>, key: &str, default: &str) -> String {
    view.text(key)
        .map_or(default, |found| found.value)
        .to_owned()
}

fn mode(file: View<'_>) -> Mode {
    match file.text("mode").map(|found| found.value) {
        Some("observe") => Mode::Observe,
        _ => Mode::Enforce,
    }
}

fn stakes(text: &str) -> Option<Stakes> {
    [Stakes::Low, Stakes::Limited, Stakes::High]
        .into_iter()
        .find(|stakes| stakes.as_str() == text)
}

fn data_class(file: View<'_>) -> DataClass {
    let written = file.word("data_class", DataClass::parse);
    written.map_or(DataClass::Unclassified, |found| found.value)
}

fn durability(text: &str) -> Option<Durability> {
    match text {
        "buffered" => Some(Durability::Buffered),
        "durable" => Some(Durability::Durable),
        _ => None,
    }
}

fn payloads(text: &str) -> Option<PayloadPolicy> {
    match text {
        "none" => Some(PayloadPolicy::None),
        "redacted" => Some(PayloadPolicy::Redacted),
        "full" => Some(PayloadPolicy::Full),
        _ => None,
    }
}

fn deploy(text: &str) -> Option<DeployPolicy> {
    match text {
        "on_reload" => Some(DeployPolicy::OnReload),
        "on_approval" => Some(DeployPolicy::OnApproval),
        _ => None,
    }
}
