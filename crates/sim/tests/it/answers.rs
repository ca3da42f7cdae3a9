//! What is answered when no rule says otherwise.

use plimsoll_core::Secret;
use plimsoll_sim::{Script, SimConfig, Simulator};

use crate::caller::{CHAT, ask, question, send, simulator};

#[tokio::test]
async fn equal_requests_have_equal_answers_that_say_what_they_are() {
    let sim = simulator(Script::new()).await;
    let first = ask(&sim, CHAT, &question("")).await;
    let second = ask(&sim, CHAT, &question("")).await;
    assert_eq!(first.status, 200);
    assert_eq!(first.body, second.body);
    assert!(first.head.contains("x-plimsoll-simulator: 1"));
    let content = first.json()["choices"][0]["message"]["content"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(content.starts_with("Simulated answer"), "{content}");
}

#[tokio::test]
async fn a_schema_that_is_asked_for_is_kept() {
    let sim = simulator(Script::new()).await;
    let format = r#","response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{
        "type":"object","properties":{"risk":{"enum":["low","high"]},"score":{"type":"integer","minimum":1,"maximum":5}}}}}"#;
    let got = ask(&sim, CHAT, &question(format)).await;
    let content: serde_json::Value = serde_json::from_str(
        got.json()["choices"][0]["message"]["content"]
            .as_str()
            .unwrap(),
    )
    .unwrap();
    assert!(["low", "high"].contains(&content["risk"].as_str().unwrap()));
    assert!((1..=5).contains(&content["score"].as_i64().unwrap()));
}

#[tokio::test]
async fn a_tool_is_called_until_its_result_is_given() {
    let sim = simulator(Script::new()).await;
    let tools = r#""tools":[{"type":"function","function":{"name":"find","parameters":{
        "type":"object","properties":{"id":{"type":"integer"}}}}}]"#;
    let asked = ask(&sim, CHAT, &question(&format!(",{tools}")))
        .await
        .json();
    let choice = &asked["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let call = &choice["message"]["tool_calls"][0]["function"];
    assert_eq!(call["name"], "find");
    assert!(call["arguments"].as_str().unwrap().starts_with("{\"id\":"));

    let given = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"x"}},{{"role":"tool","content":"7"}}],{tools}}}"#
    );
    let answered = ask(&sim, CHAT, &given).await.json();
    assert_eq!(answered["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn models_embeddings_and_predictions_are_served() {
    let sim = simulator(Script::new()).await;
    let models = send(&sim, "GET", "/v1/models", "", "").await.json();
    assert_eq!(models["data"][0]["id"], "sim-small");

    let asked = r#"{"model":"e","input":["a","b"],"dimensions":8}"#;
    let vectors = ask(&sim, "/v1/embeddings", asked).await.json();
    assert_eq!(vectors["data"][1]["embedding"].as_array().unwrap().len(), 8);

    let prediction = ask(&sim, "/predict", r#"{"inputs":{"x":3}}"#).await.json();
    let probability = prediction["probability"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&probability));
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_the_protocols_own_shape() {
    let sim = simulator(Script::new()).await;
    let broken = ask(&sim, CHAT, "{").await;
    assert_eq!(
        (
            broken.status,
            broken.json()["error"]["type"].as_str().unwrap()
        ),
        (400, "invalid_request_error")
    );
    assert_eq!(ask(&sim, "/v1/unheard-of", "{}").await.status, 404);
    assert_eq!(
        ask(&sim, "/v1/embeddings", r#"{"model":"e","input":3}"#)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_configured_key_is_asked_for() {
    let config = SimConfig {
        key: Some(Secret::new("sk-sim".to_owned())),
        ..SimConfig::default()
    };
    let sim = Simulator::start(config).await.unwrap();
    let without = ask(&sim, CHAT, &question("")).await;
    assert_eq!(
        (without.status, without.error_code().as_str()),
        (401, "invalid_api_key")
    );
    let with = send(
        &sim,
        "POST",
        CHAT,
        "authorization: Bearer sk-sim\r\n",
        &question(""),
    )
    .await;
    assert_eq!(with.status, 200);
}
