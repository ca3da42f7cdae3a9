//! Streams of language models.

use std::time::Duration;

use bytes::Bytes;
use plimsoll_core::Code;
use plimsoll_core::decision::Usage;
use plimsoll_models::{ChatStream, ModelError, StreamEvent, Timers};

use crate::chat::model;
use crate::server::{LAST_CHUNK, SHORT, Server, Step, chunk, events_head, json, patient};

const GOLDEN: &str = include_str!("../fixtures/openai/stream.sse");
const BODY: Bytes = Bytes::from_static(b"{\"stream\":true,\"messages\":[]}");

fn delta(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

const ROLE: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const STOP: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// A server that sends each text as a chunk of its own, and then does the last steps.
async fn streaming(texts: &[&str], last: &[Step]) -> Server {
    let mut steps = vec![Step::Send(events_head())];
    steps.extend(texts.iter().map(|text| Step::Send(chunk(text))));
    steps.extend_from_slice(last);
    Server::start(move |_, _| steps.clone()).await
}

fn ended() -> Vec<Step> {
    vec![Step::Send(LAST_CHUNK.to_vec())]
}

fn keep_alives(count: usize) -> Vec<Step> {
    let pause = |_| {
        [
            Step::Pause(SHORT / 4),
            Step::Send(chunk(": keep-alive\n\n")),
        ]
    };
    (0..count).flat_map(pause).collect()
}

async fn all(stream: &mut ChatStream) -> (Vec<StreamEvent>, Option<ModelError>) {
    let mut events = Vec::new();
    while let Some(next) = stream.next().await {
        match next {
            Ok(event) => events.push(event),
            Err(error) => {
                assert!(stream.next().await.is_none());
                return (events, Some(error));
            }
        }
    }
    (events, None)
}

async fn read(server: &Server, timers: &Timers) -> (Vec<StreamEvent>, Option<ModelError>) {
    let mut stream = model(server).stream(BODY, timers).await.unwrap();
    all(&mut stream).await
}

fn text(events: &[StreamEvent]) -> String {
    events
        .iter()
        .filter_map(|event| event.delta.clone())
        .collect()
}

#[tokio::test]
async fn a_recorded_stream_is_read_and_its_bytes_are_kept() {
    let server = streaming(&[GOLDEN], &ended()).await;
    let mut stream = model(&server).stream(BODY, &patient()).await.unwrap();
    let (events, error) = all(&mut stream).await;
    assert_eq!(error, None);
    let raw: Vec<u8> = events.iter().flat_map(|event| event.raw.to_vec()).collect();
    assert_eq!(String::from_utf8(raw).unwrap(), GOLDEN);
    assert_eq!(text(&events), "Hello, it is \"fine\".");
    assert_eq!(stream.reported_model(), Some("gpt-5-mini-2025-08-07"));
    let bearing: Vec<bool> = events.iter().map(|event| event.content_bearing).collect();
    assert_eq!(
        bearing,
        [false, false, true, true, true, false, false, false]
    );
    let usage = Usage {
        input_tokens: 11,
        output_tokens: 6,
        ..Usage::default()
    };
    assert_eq!(events[6].usage, Some(usage));
    assert_eq!(events[5].finish_reason.as_deref(), Some("stop"));
    assert!(events[7].done);
}

#[tokio::test]
async fn the_connection_of_a_whole_stream_is_used_again() {
    let server = streaming(&[&delta("a"), STOP, DONE], &ended()).await;
    let model = model(&server);
    for _ in 0..3 {
        let mut stream = model.stream(BODY, &patient()).await.unwrap();
        assert_eq!(all(&mut stream).await.1, None);
    }
    assert_eq!((server.requests(), server.connections()), (3, 1));
}

#[tokio::test]
async fn what_holds_no_content_does_not_stop_the_first_token_timer() {
    let mut last = keep_alives(12);
    last.push(Step::Hang);
    let server = streaming(&[ROLE], &last).await;
    let timers = Timers {
        first_token: SHORT * 2,
        ..patient()
    };
    let (events, error) = read(&server, &timers).await;
    assert!(events.iter().all(|event| !event.content_bearing));
    assert_eq!(error.unwrap().code, Code::FirstTokenTimeout);
    server.abandoned(1).await;
}

#[tokio::test]
async fn keep_alives_do_not_stop_the_stall_timer() {
    let server = streaming(&[ROLE, &delta("a")], &keep_alives(40)).await;
    let timers = Timers {
        stall: SHORT * 2,
        ..patient()
    };
    let (events, error) = read(&server, &timers).await;
    assert_eq!(text(&events), "a");
    assert_eq!(error.unwrap().code, Code::StallTimeout);
}

#[tokio::test]
async fn content_that_keeps_coming_is_not_a_stall() {
    let pieces: Vec<String> = (0..8).map(|_| delta("x")).collect();
    let mut last = Vec::new();
    for piece in &pieces {
        last.extend([Step::Pause(SHORT / 2), Step::Send(chunk(piece))]);
    }
    last.push(Step::Send(chunk(DONE)));
    last.extend(ended());
    let timers = Timers {
        first_token: SHORT * 3,
        stall: SHORT * 3,
        ..patient()
    };
    let (events, error) = read(&streaming(&[], &last).await, &timers).await;
    assert_eq!((text(&events).as_str(), error), ("xxxxxxxx", None));
}

#[tokio::test]
async fn the_total_deadline_ends_a_stream_that_never_stops() {
    let mut last = Vec::new();
    for _ in 0..200 {
        last.extend([Step::Pause(SHORT / 10), Step::Send(chunk(&delta("x")))]);
    }
    let timers = Timers {
        total: SHORT * 2,
        ..patient()
    };
    let (events, error) = read(&streaming(&[], &last).await, &timers).await;
    assert!(!events.is_empty());
    assert_eq!(error.unwrap().code, Code::TotalTimeout);
}

#[tokio::test]
async fn a_head_that_does_not_come_is_a_first_token_timeout() {
    let server = Server::start(|_, _| vec![Step::Hang]).await;
    let timers = Timers {
        first_token: SHORT,
        ..patient()
    };
    let error = model(&server).stream(BODY, &timers).await.unwrap_err();
    assert_eq!(error.code, Code::FirstTokenTimeout);
}

#[tokio::test]
async fn a_stream_that_is_cut_is_a_reset_after_all_that_came() {
    for last in [
        ended(),
        vec![Step::Close],
        vec![Step::Pause(SHORT), Step::Reset],
    ] {
        let server = streaming(&[ROLE, &delta("a"), "data: {\"choi"], &last).await;
        let (events, error) = read(&server, &patient()).await;
        assert_eq!(text(&events), "a", "{last:?}");
        assert_eq!(error.unwrap().code, Code::ModelReset, "{last:?}");
    }
}

#[tokio::test]
async fn a_stream_that_says_why_it_finished_is_whole_without_done() {
    for last in [ended(), vec![Step::Close]] {
        let server = streaming(&[&delta("a"), STOP], &last).await;
        let (events, error) = read(&server, &patient()).await;
        assert_eq!((text(&events).as_str(), error), ("a", None));
    }
}

#[tokio::test]
async fn a_stream_that_hangs_after_it_finished_is_whole() {
    let server = streaming(&[&delta("a"), STOP], &[Step::Hang]).await;
    let timers = Timers {
        stall: SHORT,
        ..patient()
    };
    assert_eq!(read(&server, &timers).await.1, None);
}

#[tokio::test]
async fn done_without_its_blank_line_is_done() {
    let server = streaming(&[&delta("a"), "data: [DONE]\n"], &ended()).await;
    let (events, error) = read(&server, &patient()).await;
    assert_eq!(error, None);
    assert!(events[1].done);
    assert!(events[1].raw.ends_with(b"\n\n"));
}

#[tokio::test]
async fn a_malformed_chunk_is_a_protocol_error() {
    let server = streaming(&[&delta("a"), "data: {\"choices\": oops}\n\n"], &ended()).await;
    let (events, error) = read(&server, &patient()).await;
    assert_eq!(text(&events), "a");
    assert_eq!(error.unwrap().code, Code::ModelProtocol);
}

#[tokio::test]
async fn an_error_inside_a_stream_has_its_code() {
    let said = "data: {\"error\":{\"message\":\"x\",\"code\":\"context_length_exceeded\"}}\n\n";
    let server = streaming(&[said], &ended()).await;
    let error = read(&server, &patient()).await.1.unwrap();
    assert_eq!(error.code, Code::ContextTooLong);
}

#[tokio::test]
async fn a_stream_that_is_withheld_from_its_start_is_a_content_filter() {
    let said =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\n";
    let error = read(&streaming(&[ROLE, said], &ended()).await, &patient())
        .await
        .1;
    assert_eq!(error.unwrap().code, Code::ProviderContentFilter);
    let late = streaming(&[&delta("a"), said, DONE], &ended()).await;
    let (events, error) = read(&late, &patient()).await;
    assert_eq!(error, None);
    assert_eq!(events[1].finish_reason.as_deref(), Some("content_filter"));
}

#[tokio::test]
async fn tool_calls_and_other_choices_are_told_apart() {
    let said = "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\
        \"function\":{\"arguments\":\"{}\"}}]}},{\"index\":1,\"delta\":{\"content\":\"b\"}}]}\n\n";
    let (events, _) = read(&streaming(&[said, DONE], &ended()).await, &patient()).await;
    let event = &events[0];
    assert!(event.content_bearing && event.has_tool_calls && event.delta.is_none());
    let more: Vec<String> = event
        .more
        .iter()
        .map(|piece| format!("{piece:?}"))
        .collect();
    assert_eq!(
        more,
        [
            "TextPiece { channel: Channel { choice: 0, part: ToolArguments(1) }, text: \"{}\" }",
            "TextPiece { channel: Channel { choice: 1, part: Content }, text: \"b\" }",
        ]
    );
}

#[tokio::test]
async fn a_document_in_place_of_a_stream_is_read_for_its_error() {
    let server = Server::answering(json(200, r#"{"error":{"message":"m","code":429}}"#)).await;
    let error = model(&server).stream(BODY, &patient()).await.unwrap_err();
    assert_eq!(error.code, Code::ProviderRateLimited);
    let server = Server::answering(json(200, r#"{"choices":[]}"#)).await;
    let error = model(&server).stream(BODY, &patient()).await.unwrap_err();
    assert_eq!(error.code, Code::ModelProtocol);
    let server = Server::answering(json(400, r#"{"error":{"code":"x"}}"#)).await;
    let error = model(&server).stream(BODY, &patient()).await.unwrap_err();
    assert_eq!(
        (error.code, error.status),
        (Code::ProviderRefusedRequest, Some(400))
    );
}

#[tokio::test]
async fn a_stream_that_nobody_reads_on_is_stopped_at_the_server() {
    let server = streaming(&[&delta("a")], &[Step::Hang]).await;
    let mut stream = model(&server).stream(BODY, &patient()).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    drop(stream);
    server.abandoned(1).await;
}

#[tokio::test]
async fn waiting_for_an_event_can_be_given_up_and_taken_up_again() {
    let second = chunk(&delta("b"));
    let last = [
        Step::Pause(SHORT),
        Step::Send(second),
        Step::Send(chunk(DONE)),
    ];
    let server = streaming(&[&delta("a")], &last).await;
    let mut stream = model(&server).stream(BODY, &patient()).await.unwrap();
    let mut said = String::new();
    loop {
        let Ok(next) = tokio::time::timeout(Duration::from_millis(5), stream.next()).await else {
            continue;
        };
        let Some(event) = next else { break };
        said.push_str(&event.unwrap().delta.unwrap_or_default());
    }
    assert_eq!(said, "ab");
}
