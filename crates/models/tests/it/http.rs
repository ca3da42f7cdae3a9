//! Predictors behind HTTP.

use plimsoll_core::manifest::HttpSpec;
use plimsoll_core::{Code, Secret};
use plimsoll_models::{BuildError, HttpModel, ModelError, Reply, Timers};
use serde_json::{Map, Value, json};

use crate::server::{SHORT, Server, Step, json as json_answer, patient, transport};

fn spec(url: String, over: &Value) -> HttpSpec {
    let mut spec = json!({
        "provider": null, "url": url, "request": null, "label": null, "probabilities": null,
        "answer": {},
    });
    for (name, value) in over.as_object().unwrap() {
        spec[name] = value.clone();
    }
    serde_json::from_value(spec).unwrap()
}

fn row() -> Map<String, Value> {
    json!({"age": 41, "job": "a \"b\"}"})
        .as_object()
        .unwrap()
        .clone()
}

/// What comes of a response, read as `over` says.
async fn reading(over: Value, response: &Value) -> Result<Reply, ModelError> {
    let server = Server::answering(json_answer(200, &response.to_string())).await;
    let model = HttpModel::new(&spec(server.url("/predict"), &over), None, transport()).unwrap();
    model.predict(&row(), &patient()).await
}

/// The body that is sent with this template.
async fn sent(template: Value) -> Result<Value, ModelError> {
    let server = Server::start(|_, request| {
        let body = request.split_once("\r\n\r\n").unwrap().1;
        vec![Step::Send(json_answer(200, body))]
    })
    .await;
    let spec = spec(server.url("/"), &json!({"request": template}));
    let model = HttpModel::new(&spec, None, transport()).unwrap();
    model
        .predict(&row(), &patient())
        .await
        .map(|reply| reply.value)
}

#[tokio::test]
async fn the_row_itself_is_sent_unless_there_is_a_template() {
    assert_eq!(sent(Value::Null).await.unwrap(), Value::Object(row()));
}

#[tokio::test]
async fn a_template_writes_every_value_as_json() {
    let template = r#"{"instances": [[{{ inputs.age }}, {{ inputs.job }}]], "all": {{ inputs }}}"#;
    let body = sent(template.into()).await.unwrap();
    assert_eq!(body["instances"], json!([[41, "a \"b\"}"]]));
    assert_eq!(body["all"], Value::Object(row()));
}

#[tokio::test]
async fn no_value_of_a_row_changes_where_the_request_goes() {
    let hostile = json!({
        "url": "http://169.254.169.254/latest",
        "host": "169.254.169.254",
        "job": "x\r\nHost: 169.254.169.254\r\n\r\nGET http://169.254.169.254/ HTTP/1.1",
        "path": "../../admin?x=#",
    });
    for template in [
        Value::Null,
        json!(r#"{"u": {{ inputs.url }}, "j": {{ inputs.job }}}"#),
    ] {
        let server = Server::start(|_, request| {
            let head = request.split_once("\r\n\r\n").unwrap().0.to_lowercase();
            let target = json!({"head": head}).to_string();
            vec![Step::Send(json_answer(200, &target))]
        })
        .await;
        let url = server.url("/predict");
        let host = url
            .trim_start_matches("http://")
            .trim_end_matches("/predict");
        let spec = spec(url.clone(), &json!({"request": template}));
        let model = HttpModel::new(&spec, None, transport()).unwrap();
        let row = hostile.as_object().unwrap();
        let reply = model.predict(row, &patient()).await.unwrap();
        let head = reply.value["head"].as_str().unwrap();
        assert!(head.starts_with("post /predict http/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("host: {host}")), "{head}");
        assert!(!head.contains("169.254"), "{head}");
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn a_template_that_gives_no_request_is_told_before_anything_is_sent() {
    for template in [
        r#"{"x": {{ inputs.absent }}}"#,
        r#"{"x": "{{ inputs.job }}"}"#,
    ] {
        let error = sent(template.into()).await.unwrap_err();
        assert_eq!(error.code, Code::Internal, "{template}");
        assert!(!error.detail.contains("a \\\"b"), "{error}");
    }
}

#[tokio::test]
async fn without_pointers_the_response_is_the_answer() {
    let reply = reading(json!({}), &json!({"x": [1]})).await.unwrap();
    assert_eq!(reply.value, json!({"x": [1]}));
    assert_eq!(reply.confidence, None);
}

#[tokio::test]
async fn a_label_and_its_probability_are_taken_by_pointer() {
    let over = json!({"label": "/out/0/class", "probabilities": "/out/0/p"});
    let response = json!({"out": [{"class": "yes", "p": 0.8}]});
    let reply = reading(over, &response).await.unwrap();
    let answer = json!({"label": "yes", "probabilities": {"yes": 0.8}, "confidence": 0.8});
    assert_eq!(reply.value, answer);
}

#[tokio::test]
async fn a_map_or_a_list_of_probabilities_gives_the_confidence() {
    let over = json!({"label": "/label", "probabilities": "/p"});
    let response = json!({"label": "no", "p": {"yes": 0.25, "no": 0.75}});
    let reply = reading(over.clone(), &response).await.unwrap();
    assert_eq!(reply.confidence, Some(0.75));
    let response = json!({"label": 0, "p": [0.4, 0.6]});
    let reply = reading(over, &response).await.unwrap();
    assert_eq!(reply.confidence, Some(0.4));
    let reply = reading(json!({"probabilities": "/p"}), &json!({"p": [0.4, 0.6]}))
        .await
        .unwrap();
    assert_eq!(
        (reply.value["label"].clone(), reply.confidence),
        (json!("1"), Some(0.6))
    );
}

#[tokio::test]
async fn the_answer_may_use_the_whole_response() {
    let over = json!({"probabilities": "/p", "answer": {
        "decision": "confidence > 0.5 ? 'approve' : 'refer'", "why": "response.reason",
        "old": "inputs.age > 40",
    }});
    let reply = reading(over, &json!({"p": 0.7, "reason": "income"}))
        .await
        .unwrap();
    assert_eq!(
        reply.value,
        json!({"decision": "approve", "why": "income", "old": true})
    );
}

#[tokio::test]
async fn a_response_that_does_not_fit_is_a_protocol_error_that_quotes_nothing() {
    let over = json!({"label": "/label", "probabilities": "/p"});
    for response in [
        json!({"label": "hunter2"}),
        json!({"label": null, "p": 0.5}),
        json!({"label": ["hunter2"], "p": 0.5}),
        json!({"label": "a", "p": "hunter2"}),
        json!({"label": "a", "p": 1.5}),
        json!({"label": "a", "p": {}}),
        json!({"label": "a", "p": [0.1, -0.1]}),
        json!("hunter2"),
    ] {
        let error = reading(over.clone(), &response).await.unwrap_err();
        assert_eq!(
            (error.code, error.status),
            (Code::ModelProtocol, Some(200)),
            "{response}"
        );
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_status_that_is_no_success_has_its_code_and_the_connection_is_kept() {
    let statuses = [422, 401, 404, 429, 500, 302];
    let server = Server::start(move |nth, _| {
        vec![Step::Send(json_answer(
            statuses[nth],
            "{\"detail\":\"hunter2\"}",
        ))]
    })
    .await;
    let spec = spec(server.url("/"), &json!({}));
    let model = HttpModel::new(&spec, None, transport()).unwrap();
    for code in [
        Code::ProviderRefusedRequest,
        Code::ProviderRefusedKey,
        Code::ProviderModelNotFound,
        Code::ProviderRateLimited,
        Code::ModelError,
        Code::ProviderModelNotFound,
    ] {
        let error = model.predict(&row(), &patient()).await.unwrap_err();
        assert_eq!(error.code, code);
        assert!(!error.to_string().contains("hunter2"));
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_slow_predictor_is_a_first_token_timeout() {
    let server = Server::start(|_, _| vec![Step::Hang]).await;
    let spec = spec(server.url("/"), &json!({}));
    let model = HttpModel::new(&spec, None, transport()).unwrap();
    let timers = Timers {
        first_token: SHORT,
        ..patient()
    };
    let error = model.predict(&row(), &timers).await.unwrap_err();
    assert_eq!(error.code, Code::FirstTokenTimeout);
}

#[tokio::test]
async fn the_key_is_sent_as_a_bearer_token() {
    let server = Server::start(|_, request| {
        assert!(
            request.contains("authorization: Bearer k-1\r\n"),
            "{request}"
        );
        vec![Step::Send(json_answer(200, "1"))]
    })
    .await;
    let spec = spec(server.url("/"), &json!({}));
    let model = HttpModel::new(&spec, Some(Secret::new("k-1".into())), transport()).unwrap();
    model.predict(&row(), &patient()).await.unwrap();
    assert!(!format!("{model:?}").contains("k-1"));
}

#[test]
fn a_predictor_that_cannot_work_is_found_when_it_is_built() {
    let build = |over: Value| {
        let url = "https://example.com/predict".to_owned();
        HttpModel::new(&spec(url, &over), None, transport()).unwrap_err()
    };
    assert!(matches!(
        build(json!({"url": "example.com"})),
        BuildError::Endpoint(_)
    ));
    assert!(matches!(
        build(json!({"label": "label"})),
        BuildError::Pointer(_)
    ));
    assert!(matches!(
        build(json!({"request": "{{ x"})),
        BuildError::Template(_)
    ));
    assert!(matches!(
        build(json!({"answer": {"a": "nothing.x"}})),
        BuildError::Answer(_)
    ));
}
