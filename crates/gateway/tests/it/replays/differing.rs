//! Replays that need not come to the same: under another release, live, and of what is gone.

use super::*;

#[tokio::test]
async fn under_another_release_it_is_told_what_would_have_been_different() {
    let sim = simulator().await;
    let system = r#"
[models.primary]
rules = "rules.toml"
[input]
schema = "input.schema.json"
[output]
unsure = 'answer.decision == "refer"'
[on]
unsure = ["abstain"]
[abstain]
value = { decision = "none" }
"#;
    let files = [
        ("systems/help/rules.toml", RULES),
        ("systems/help/input.schema.json", ROW_SCHEMA),
    ];
    let node = start(&sim, system, &files).await;
    let first = node.node.systems()[0].deployment.release;
    node.post(
        &decisions_of("help"),
        &json!({"input": {"amount": 20, "city": "Bonn"}}),
    )
    .await;
    let stricter = format!("{HEAD}{}", system.replace("== \"refer\"", "!= \"decline\""));
    write(node.dir.path(), &[("systems/help/system.toml", &stricter)]);
    assert_eq!(node.reload().await.deployed.len(), 1);
    let second = node.node.systems()[0].deployment.release;

    // The first release runs in no slot any more, and is built again from its blobs.
    all_come_to_the_same(&node, &sim).await;
    let decision = node.closed().await.remove(0);
    let under = async |release| {
        let replay = Replay {
            under: Some(release),
            ..recorded(&node, &decision)
        };
        node.node.replay(replay).await.unwrap()
    };
    assert!(under(first).await.differences.is_empty());
    let replayed = under(second).await;
    assert_eq!(replayed.decision.release, second);
    assert_eq!(replayed.decision.outcome, Some(Outcome::Abstained));
    let what: Vec<&str> = replayed
        .differences
        .iter()
        .map(|d| d.what.as_str())
        .collect();
    assert_eq!(what, ["outcome", "kind", "path", "controls", "answer"]);
    let answer = replayed.differences.last().unwrap();
    assert_eq!(answer.recorded, json!({"decision": "approve"}));
    assert_eq!(answer.replayed, json!({"decision": "none"}));

    node.node
        .deploy(order(&help(), Slot::Stable, first))
        .await
        .unwrap();
    assert_eq!(under(second).await.differences.len(), 5);
}

#[tokio::test]
async fn live_the_models_are_asked_again_and_only_what_they_say_is_compared() {
    let sim = simulator().await;
    let node = start(&sim, MODELS, &[]).await;
    script(&sim, vec![Rule::always(says("In the third drawer."))]);
    chat(&node, false).await;
    chat(&node, true).await;
    let records = node.records().await.len();
    let live = async |decision: &Decision| {
        let replay = Replay {
            live: true,
            ..recorded(&node, decision)
        };
        node.node.replay(replay).await
    };
    let closed = node.closed().await;
    let seen = sim.seen().len();
    for decision in &closed {
        let replayed = live(decision).await.unwrap();
        assert!(
            replayed.differences.is_empty(),
            "{:#?}",
            replayed.differences
        );
    }
    assert_eq!(sim.seen().len(), seen + 2);
    script(&sim, vec![Rule::always(says("In the second drawer."))]);
    for decision in &closed {
        let replayed = live(decision).await.unwrap();
        let what: Vec<&str> = replayed
            .differences
            .iter()
            .map(|d| d.what.as_str())
            .collect();
        assert_eq!(what, ["answer"]);
        assert_eq!(replayed.differences[0].recorded, "In the third drawer.");
        assert_eq!(replayed.differences[0].replayed, "In the second drawer.");
    }
    assert_eq!(
        node.records().await.len(),
        records + 2,
        "nothing was written but markers"
    );
    node.node
        .intervene(&help(), Halt::Halted, "ada", None)
        .await
        .unwrap();
    let halted = live(&closed[0]).await;
    assert!(matches!(halted, Err(ReplayError::Halted(_))), "{halted:?}");
}

#[tokio::test]
async fn what_cannot_be_made_again_is_said() {
    let sim = simulator().await;
    let wrong =
        "\n[output]\nschema = \"answer.schema.json\"\n[on]\nwrong = [\"backup\", \"refuse\"]\n";
    let files = [("systems/help/answer.schema.json", ANSWER)];
    let node = start(&sim, &format!("{MODELS}{wrong}"), &files).await;
    script(&sim, vec![Rule::always(says("no JSON"))]);
    chat(&node, false).await;
    let decision = node.closed().await.remove(0);
    let whole = recorded(&node, &decision);

    let mut gone = whole.clone();
    gone.payload = None;
    let error = node.node.replay(gone).await.unwrap_err();
    assert!(matches!(error, ReplayError::Gone), "{error}");
    let mut older = whole.clone();
    older.payload.as_mut().unwrap().attempts.clear();
    let error = node.node.replay(older).await.unwrap_err();
    assert!(matches!(error, ReplayError::AnswerNotKept(_)), "{error}");
    let mut cut = whole.clone();
    cut.decision.outcome = Some(Outcome::Cancelled);
    let error = node.node.replay(cut).await.unwrap_err();
    assert!(
        matches!(error, ReplayError::Cut(Outcome::Cancelled)),
        "{error}"
    );
    let mut lost = whole.clone();
    lost.decision.release = plimsoll_core::ReleaseId(plimsoll_core::Digest::of(b"lost"));
    let error = node.node.replay(lost).await.unwrap_err();
    assert!(matches!(error, ReplayError::Missing { .. }), "{error}");
    let mut forged = whole;
    forged.decision.path[0].code = plimsoll_core::Code::OutputSchema;
    let found = node.node.replay(forged).await.unwrap().differences;
    assert_eq!(
        found[0].what, "path",
        "a record that was changed is found out"
    );

    let redacted = format!("{HEAD}{MODELS}").replace("\"full\"", "\"redacted\"");
    write(node.dir.path(), &[("systems/help/system.toml", &redacted)]);
    node.reload().await;
    chat(&node, false).await;
    let decision = node.closed().await.pop().unwrap();
    let error = again(&node, &decision).await.unwrap_err();
    assert!(matches!(error, ReplayError::NotKept("redacted")), "{error}");
}
