//! The two systems that the documentation shows.

use std::time::Duration;

use plimsoll_core::manifest::{AbstainSpec, ExpiryStep, GuardAction, ModelSpec, StreamMode};
use plimsoll_core::stakes::{DeployPolicy, Durability, PayloadPolicy};
use plimsoll_core::{FailureKind, SystemName, Timestamp};

use crate::folder::{loan, support};

#[test]
fn the_loan_example_loads_without_a_warning() {
    let workspace = loan().workspace();
    assert!(workspace.warnings.is_empty(), "{:?}", workspace.warnings);
    let system = &workspace.systems[&SystemName::new("loan-default").unwrap()];
    let manifest = &system.manifest;
    assert!(manifest.is_predictor());
    assert_eq!(
        (manifest.record, manifest.payloads),
        (Durability::Durable, PayloadPolicy::Full)
    );
    assert_eq!(system.deploy, DeployPolicy::OnApproval);
    assert_eq!(manifest.deadline.total_ms, 50);
    assert_eq!(
        manifest.deadline.connect_ms, 50,
        "no part is longer than the whole"
    );
    let review = manifest.review.as_ref().unwrap();
    assert_eq!(
        (review.due_ms, review.on_expiry),
        (4 * 3_600_000, ExpiryStep::Abstain)
    );
    let steps: Vec<_> = manifest
        .ladders
        .steps(FailureKind::Unavailable)
        .iter()
        .map(|step| step.as_str())
        .collect();
    assert_eq!(steps, ["rules", "review"]);
    assert!(
        FailureKind::ALL
            .into_iter()
            .all(|kind| manifest.ladders.is_designed(kind))
    );
    assert_eq!(system.bar.drill_age, Duration::from_secs(30 * 86_400));
    assert_eq!(system.bar.cost_per_unit.unwrap().to_string(), "0.001");
    assert!((system.bar.quality["auc"].value - 0.92).abs() < 1e-9);
    for blob in manifest.blobs() {
        assert!(workspace.blob(blob).is_some(), "{blob}");
    }
}

#[test]
fn the_support_example_loads_without_a_warning() {
    let workspace = support().workspace();
    assert!(workspace.warnings.is_empty(), "{:?}", workspace.warnings);
    let system = &workspace.systems[&SystemName::new("support-answer").unwrap()];
    let manifest = &system.manifest;
    let ModelSpec::Openai(primary) = &manifest.models["primary"] else {
        panic!("no language model")
    };
    assert_eq!(primary.base_url, "https://api.openai.com/v1");
    assert_eq!(primary.max_output_tokens, Some(800));
    assert_eq!(primary.parameters["temperature"], 0);
    assert_eq!(primary.parameters.len(), 1);
    assert_eq!(manifest.output.stream, StreamMode::Buffer);
    assert_eq!(manifest.guards.output[0].action, GuardAction::Block);
    assert_eq!(manifest.budget.per_day.unwrap().to_string(), "200");
    assert!(matches!(manifest.abstain, Some(AbstainSpec::Message(_))));
    assert_eq!(manifest.artifacts.len(), 1);
    assert!(!manifest.ladders.is_designed(FailureKind::Malformed));
    let folder = &workspace.folders[&system.name];
    assert_eq!(
        folder.eval_sets.keys().collect::<Vec<_>>(),
        ["evals/golden.jsonl"]
    );
    let at = Timestamp::parse("2026-03-14").unwrap();
    let bound = plimsoll_spec::prices::Bound {
        input_tokens: 1_000_000,
        output_tokens: 1_000_000,
        micros: 0,
    };
    let ceiling = workspace
        .prices
        .ceiling("anthropic", "claude-haiku-4-5", at, bound);
    assert_eq!(ceiling.unwrap().to_string(), "6");
}

#[test]
fn the_release_is_named_by_behaviour_alone() {
    let release = |folder: &crate::folder::Folder| {
        let workspace = folder.workspace();
        workspace
            .systems
            .values()
            .next()
            .unwrap()
            .manifest
            .release_id()
    };
    let before = release(&loan());
    assert_eq!(before, release(&loan()));
    let runbook = loan().with(
        "systems/loan-default/runbook.md",
        "# Other\n## Step\nWords.\n",
    );
    assert_eq!(before, release(&runbook), "a runbook is no behaviour");
    let model = loan().with("systems/loan-default/model.onnx", "another model");
    assert_ne!(before, release(&model));
}
