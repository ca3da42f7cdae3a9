//! Streams, whole and broken.

use std::time::Duration;

use plimsoll_sim::{Fault, Script, SimConfig, Simulator};
use tokio::time::Instant;

use crate::caller::{CHAT, End, Got, ask, meet, question, simulator};

const STREAM: &str = r#","stream":true"#;

async fn streamed(fault: Fault) -> Got {
    meet(fault, &question(STREAM)).await
}

fn content_chunks(got: &Got) -> usize {
    got.told().split_inclusive(' ').count()
}

#[tokio::test]
async fn a_stream_tells_what_the_plain_answer_tells() {
    let sim = simulator(Script::new()).await;
    let plain = ask(&sim, CHAT, &question("")).await.json();
    let stream = ask(
        &sim,
        CHAT,
        &question(r#","stream":true,"stream_options":{"include_usage":true}"#),
    )
    .await;
    assert!(stream.head.contains("text/event-stream"));
    assert_eq!(stream.told(), plain["choices"][0]["message"]["content"]);
    let events = stream.events();
    let usage: serde_json::Value = serde_json::from_str(events[events.len() - 2]).unwrap();
    assert_eq!(usage["usage"], plain["usage"]);
    assert_eq!(events.last(), Some(&"[DONE]"));
}

#[tokio::test]
async fn a_streamed_tool_call_adds_up_to_its_arguments() {
    let sim = simulator(Script::new()).await;
    let tools = r#","stream":true,"tools":[{"type":"function","function":{"name":"find","parameters":{
        "type":"object","properties":{"a":{"const":1},"b":{"const":2}}}}}]"#;
    let got = ask(&sim, CHAT, &question(tools)).await;
    let arguments: String = got
        .events()
        .into_iter()
        .filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok())
        .filter_map(|event| {
            let call = &event["choices"][0]["delta"]["tool_calls"][0];
            call["function"]["arguments"].as_str().map(str::to_owned)
        })
        .collect();
    assert_eq!(arguments, r#"{"a":1,"b":2}"#);
}

#[tokio::test]
async fn streams_break_after_the_given_number_of_chunks() {
    let stalled = streamed(Fault::Stall {
        after: 3,
        keep_alive: false,
    })
    .await;
    assert_eq!((content_chunks(&stalled), stalled.end), (3, End::Open));
    let cut = streamed(Fault::Cut {
        after: 2,
        reset: false,
    })
    .await;
    assert_eq!(
        (content_chunks(&cut), cut.end, cut.complete),
        (2, End::Closed, false)
    );
    let reset = streamed(Fault::Cut {
        after: 2,
        reset: true,
    })
    .await;
    assert_eq!((reset.end, reset.complete), (End::Reset, false));
    let early = streamed(Fault::EndEarly { after: 4 }).await;
    assert_eq!(
        (content_chunks(&early), early.end, early.complete),
        (4, End::Closed, true)
    );
    assert!(!early.body.contains("\"stop\""));
}

#[tokio::test]
async fn a_stalled_stream_can_go_on_with_comments() {
    let sim = simulator(Script::always(Fault::Stall {
        after: 1,
        keep_alive: true,
    }))
    .await;
    // Comments never end, so that reading until all is quiet would not either.
    let body = question(STREAM);
    let reading = ask(&sim, CHAT, &body);
    assert!(
        tokio::time::timeout(Duration::from_secs(1), reading)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn streams_can_be_malformed_without_breaking() {
    let done = streamed(Fault::MissingDone).await;
    assert!(done.complete && done.body.contains("\"stop\"") && !done.body.contains("[DONE]"));
    let malformed = streamed(Fault::MalformedChunk { after: 2 }).await;
    let broken = |data: &&&str| {
        **data != "[DONE]" && serde_json::from_str::<serde_json::Value>(data).is_err()
    };
    assert_eq!(malformed.events().iter().filter(broken).count(), 1);
    let huge = streamed(Fault::Oversized { bytes: 100_000 }).await;
    assert_eq!(huge.events().last().unwrap().len(), 100_000);
    let error = streamed(Fault::ErrorEvent { after: 2 }).await;
    assert!(error.events().last().unwrap().starts_with("{\"error\""));
}

#[tokio::test]
async fn first_tokens_and_chunks_can_be_slow() {
    let begun = Instant::now();
    streamed(Fault::SlowFirstToken {
        delay: Duration::from_millis(120),
    })
    .await;
    assert!(begun.elapsed() >= Duration::from_millis(120));
    let begun = Instant::now();
    let got = streamed(Fault::SlowChunks {
        interval: Duration::from_millis(10),
    })
    .await;
    let pauses = u32::try_from(content_chunks(&got) - 1).unwrap();
    assert!(begun.elapsed() >= pauses * Duration::from_millis(10));
}

#[tokio::test]
async fn a_configured_pace_holds_for_every_stream() {
    let config = SimConfig {
        chunk_interval: Duration::from_millis(5),
        ..SimConfig::default()
    };
    let sim = Simulator::start(config).await.unwrap();
    let begun = Instant::now();
    let got = ask(&sim, CHAT, &question(STREAM)).await;
    assert!(content_chunks(&got) > 10 && begun.elapsed() >= Duration::from_millis(50));
}
