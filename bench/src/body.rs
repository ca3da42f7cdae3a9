//! What is asked, about 300 bytes each.

use bytes::Bytes;
use serde_json::json;

/// The chat route.
pub(crate) const CHAT: &str = "/v1/chat/completions";

/// A chat request for `model`.
pub(crate) fn chat(model: &str, stream: bool) -> Bytes {
    let mut body = json!({
        "model": model,
        "messages": [
            {"role": "system", "content": "You answer questions about orders."},
            {"role": "user", "content": "Where is my order 4711? It was due on Tuesday and my neighbour has not seen it either."},
        ],
    });
    if stream {
        body["stream"] = json!(true);
    }
    body.to_string().into()
}

/// One row for the rule table of [`crate::workspace`].
pub(crate) fn row() -> Bytes {
    let input = json!({
        "age": 41, "income": 52_000.5, "amount": 4_200, "employment": "permanent", "region": "north",
        "months_with_us": 37, "missed_payments": 0, "score": 0.71,
    });
    json!({ "input": input }).to_string().into()
}
