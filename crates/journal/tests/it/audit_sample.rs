//! A data folder with a bit of everything in it, and what tests of the audit log ask of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::governance::{Chosen, Erasure, Retirement};
use plimsoll_core::manifest::Manifest;
use plimsoll_core::record::{Deployment, Opened as OpenedRecord, ReleaseRecord};
use plimsoll_core::{
    Clock as _, DecisionId, DeploymentId, EventId, ManualClock, Money, Record, Timestamp,
};
use plimsoll_journal::audit::{self, VerificationReport, VerifyOptions};
use plimsoll_journal::{AuditConfig, Blobs, Journal, JournalConfig, Retention, RetentionLimits};

use crate::sample::{decision, large, served};
use crate::support::{config, keep, keep_payload, node};

pub(crate) const ORIGIN: &str = "plimsoll.invalid/node-1";

/// 14 March 2026, 09:02.
pub(crate) fn march() -> Arc<ManualClock> {
    let start = Timestamp::from_micros(1_773_478_920_000_000);
    Arc::new(ManualClock::at(start))
}

/// As [`config`], with an audit log.
pub(crate) fn audited(root: &Path) -> JournalConfig {
    JournalConfig {
        audit: Some(AuditConfig::new(ORIGIN)),
        ..config(root)
    }
}

pub(crate) fn open_audited(root: &Path) -> Journal {
    let opened = Journal::open(audited(root), node(), crate::support::clock());
    opened.unwrap().journal
}

pub(crate) fn verify(root: &Path) -> VerificationReport {
    audit::verify(root, &VerifyOptions::default(), &mut |_, _| {}).unwrap()
}

/// Verifies, and has nothing wrong.
pub(crate) fn verified(root: &Path) -> VerificationReport {
    let report = verify(root);
    assert!(report.passed(), "{:#?}", report.faults);
    report
}

fn manifest(schema: &str) -> Manifest {
    let json = serde_json::json!({
        "format": 1, "system": "loan-default", "mode": "enforce", "models": {}, "prompt": null,
        "artifacts": {},
        "input": {
            "schema": schema, "missing": "refuse", "unknown_category": "refuse",
            "unknown_field": "refuse", "out_of_range": "refuse", "columns": {}, "rules": {},
            "rows_max": 1,
        },
        "output": { "schema": null, "unsure": null, "stream": "refuse" },
        "guards": { "input": [], "output": [] },
        "ladders": {},
        "deadline": { "total_ms": 50, "connect_ms": 10, "first_token_ms": 40, "stall_ms": 40 },
        "retry": { "attempts_max": 1, "base_ms": 1, "cap_ms": 1, "budget_percent": 10 },
        "budget": { "per_unit": null, "per_day": null },
        "abstain": null, "review": null, "record": "buffered", "payloads": "none",
        "in_flight_max": 8,
    });
    serde_json::from_value(json).unwrap()
}

/// Makes and deploys a release, with its blobs.
pub(crate) fn keep_release(journal: &Journal, blobs: &Blobs, at: Timestamp) {
    let schema = blobs.put(b"{\"type\":\"object\"}").unwrap();
    let manifest = manifest(&schema.to_string());
    blobs.put(&manifest.canonical_bytes()).unwrap();
    let id = manifest.release_id();
    let release = ReleaseRecord {
        id,
        manifest,
        created_at: at,
        author: "ana".to_owned(),
        note: None,
        parent: None,
    };
    keep(journal, &Record::Release(Box::new(release)));
    let deployment = serde_json::json!({
        "id": DeploymentId::new(at), "system": "loan-default", "environment": "production",
        "release": id, "cause": "first", "actor": "ana", "reason": null, "approvals": [],
        "at": at, "node": "node-1", "binary_version": "0.2.0", "prices": null, "eval_sets": {},
    });
    let deployment: Deployment = serde_json::from_value(deployment).unwrap();
    keep(journal, &Record::Deployment(Box::new(deployment)));
}

pub(crate) fn erasure(decisions: &[DecisionId], at: Timestamp) -> Record {
    Record::Erasure(Box::new(Erasure {
        id: EventId::new(at),
        request: EventId::new(at),
        decisions: decisions.to_vec(),
        chosen: Chosen::Decision,
        basis: "GDPR Art. 17(1)(b)".to_owned(),
        reason: None,
        actor: "ana".to_owned(),
        at,
    }))
}

/// Writes down that something is let go, and lets it go, as the node does.
pub(crate) fn retire(journal: &Journal, at: Timestamp) {
    let limits = RetentionLimits {
        keep_from: u64::MAX,
        held: &[],
    };
    let plan = journal.plan_retirement(limits).unwrap().unwrap();
    let retirement = Retirement {
        id: EventId::new(at),
        node: node(),
        minimum: plan.minimum,
        payload_minimum: plan.payload_minimum,
        policy: None,
        at,
    };
    keep(journal, &Record::Retirement(Box::new(retirement)));
    journal.retire(&plan).unwrap();
}

/// A folder in which everything is that a log is about, made within a few hours and closed: several
/// segments with payloads and one without, releases, an erased payload, payloads that were let go, older
/// checkpoints. Nothing is left of it that only time would tell.
pub(crate) fn rich(root: &Path) {
    let clock = march();
    let config = JournalConfig {
        retention: Retention {
            payloads: Duration::from_secs(2 * 60 * 60),
            ..Retention::default()
        },
        ..audited(root)
    };
    let opened = Journal::open(config, node(), Arc::clone(&clock) as _).unwrap();
    let journal = opened.journal;
    let blobs = Blobs::open(root).unwrap();
    keep_release(&journal, &blobs, clock.now());
    let mut kept = Vec::new();
    for _ in 0..5 {
        for _ in 0..6 {
            keep(&journal, &large(clock.now()));
            kept.push(keep_payload(&journal, clock.now(), &[b'x'; 300]).0);
        }
        sign(&journal);
        clock.advance(Duration::from_secs(61 * 60));
    }
    retire(&journal, clock.now());
    let erased = [kept[kept.len() - 1], kept[kept.len() - 2]];
    keep(&journal, &erasure(&erased, clock.now()));
    assert_eq!(journal.payloads().erase(&erased).unwrap().payloads, 2);
    let open = OpenedRecord {
        decision: decision(clock.now(), "open"),
        reserved: Money::ZERO,
    };
    keep(&journal, &Record::Opened(Box::new(open)));
    keep_payload(&journal, clock.now(), &[b'y'; 40]);
    keep(&journal, &served(decision(clock.now(), "last")));
    journal.close().unwrap();
}

/// Has a checkpoint signed over all that is on disk.
pub(crate) fn sign(journal: &Journal) -> audit::Checkpoint {
    let log = journal.audit().unwrap();
    log.checkpoint(journal.committed()).unwrap()
}
