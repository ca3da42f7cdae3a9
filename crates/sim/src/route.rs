//! The life of a simulated request, and the routes to control the simulator.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use plimsoll_core::Secret;
use serde_json::json;
use tokio::time::sleep;

use crate::chat::{self, ChatRequest, Pace, Reply};
use crate::embeddings::EmbeddingsRequest;
use crate::fault;
use crate::ledger::{Books, Entry};
use crate::predict;
use crate::response::{self, ApiError};
use crate::script::{Asked, Engine, Fault, Script};
use crate::steps::{Dropped, SimBody};
use crate::wire::Ending;

/// The largest request body that is read, in bytes.
const BODY_BYTES_MAX: usize = 32 << 20;

const PREDICT: &str = "/predict";

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) engine: ArcSwap<Engine>,
    pub(crate) books: Books,
    pub(crate) key: Option<Secret>,
    pub(crate) models: Vec<String>,
    pub(crate) latency: std::time::Duration,
    pub(crate) pace: Pace,
}

/// A request that the simulator understands.
enum Call<'a> {
    Chat(Box<ChatRequest<'a>>),
    Embeddings(EmbeddingsRequest<'a>),
    Predict,
}

/// An answer with what it counts.
struct Answered {
    response: Response<SimBody>,
    prompt_tokens: u64,
    completion_tokens: u64,
}

impl Shared {
    /// The life of a request: read it, let the script act, answer it, enter it into the ledger.
    pub(crate) async fn serve(
        &self,
        request: Request<Incoming>,
        ending: &Arc<Ending>,
    ) -> Result<Response<SimBody>, Dropped> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
            return Ok(response::bad_request(
                "the body is too large, or was cut",
                None,
            ));
        };
        let body = body.to_bytes();
        let path = head.uri.path();
        if path.starts_with("/sim/") {
            return Ok(self.control(&head, &body));
        }
        self.books.see(path, &head.headers, &body);
        if !self.is_allowed(&head.headers) {
            return Ok(fault::bad_key());
        }
        let call = match self.read(&head, &body) {
            Ok(call) => call,
            Err(response) => return Ok(*response),
        };
        let asked = Asked {
            path,
            model: call.model(),
            stream: call.stream(),
            headers: &head.headers,
            body: &body,
        };
        let action = self.engine.load().act(&asked).unwrap_or_default();
        let fault = action.fault.as_ref();
        let answered = self.answer(&call, &body, fault, ending);
        self.books.enter(Entry {
            model: asked.model,
            fault: fault.map(Fault::name),
            prompt_tokens: answered.prompt_tokens,
            completion_tokens: answered.completion_tokens,
        });
        let wait = action.delay.unwrap_or(self.latency);
        if !wait.is_zero() {
            sleep(wait).await;
        }
        if let Some(fault) = fault {
            fault::strike_before(fault, ending).await?;
        }
        Ok(answered.response)
    }

    fn is_allowed(&self, headers: &HeaderMap) -> bool {
        let Some(key) = &self.key else { return true };
        let given = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        given.and_then(|value| value.strip_prefix("Bearer ")) == Some(key.expose())
    }

    fn read<'a>(&self, head: &Parts, body: &'a Bytes) -> Result<Call<'a>, Box<Response<SimBody>>> {
        let refuse = |message: &str, param| Box::new(response::bad_request(message, param));
        match (&head.method, head.uri.path()) {
            (&Method::POST, "/v1/chat/completions" | "/chat/completions") => {
                ChatRequest::parse(body)
                    .map(|request| Call::Chat(Box::new(request)))
                    .map_err(|(message, param)| refuse(&message, param))
            }
            (&Method::POST, "/v1/embeddings" | "/embeddings") => serde_json::from_slice(body)
                .map(Call::Embeddings)
                .map_err(|error| {
                    refuse(&format!("the body is no embeddings request: {error}"), None)
                }),
            (&Method::POST, PREDICT) => Ok(Call::Predict),
            (&Method::GET, "/v1/models" | "/models") => Err(Box::new(self.list_models())),
            _ => Err(Box::new(not_found())),
        }
    }

    fn list_models(&self) -> Response<SimBody> {
        let models: Vec<_> = self
            .models
            .iter()
            .map(|id| json!({"id": id, "object": "model", "created": 0, "owned_by": "plimsoll-simulator"}))
            .collect();
        response::json_bytes(json!({"object": "list", "data": models}).to_string())
    }

    fn answer(
        &self,
        call: &Call<'_>,
        body: &[u8],
        fault: Option<&Fault>,
        ending: &Arc<Ending>,
    ) -> Answered {
        if let Some(response) = fault.and_then(|fault| fault::in_place(fault, call.model())) {
            return Answered::uncounted(response);
        }
        match call {
            Call::Chat(request) => self.chat(request, fault, ending),
            Call::Embeddings(request) => match request.answer() {
                Ok((body, prompt_tokens)) => Answered {
                    response: response::json_body(fault::plain_body(body, fault, ending)),
                    prompt_tokens,
                    completion_tokens: 0,
                },
                Err(message) => Answered::uncounted(response::bad_request(&message, Some("input"))),
            },
            Call::Predict => Answered::uncounted(predicted(body, fault, ending)),
        }
    }

    fn chat(
        &self,
        request: &ChatRequest<'_>,
        fault: Option<&Fault>,
        ending: &Arc<Ending>,
    ) -> Answered {
        let reply = Reply::to(request, &fault::twist(fault));
        let response = if request.stream() {
            let pace = fault::pace(fault, self.pace);
            let steps = chat::write_stream(&reply, request.include_usage(), pace, fault);
            response::events(SimBody::steps(steps, ending))
        } else {
            response::json_body(fault::plain_body(chat::write_plain(&reply), fault, ending))
        };
        let usage = reply.usage;
        Answered {
            response,
            prompt_tokens: usage.map_or(0, |usage| usage.prompt),
            completion_tokens: usage.map_or(0, |usage| usage.completion),
        }
    }

    /// `GET`, `DELETE /sim/ledger`; `GET`, `PUT`, `DELETE /sim/script`.
    fn control(&self, head: &Parts, body: &[u8]) -> Response<SimBody> {
        let told =
            |value: serde_json::Result<String>| response::json_bytes(value.unwrap_or_default());
        match (&head.method, head.uri.path()) {
            (&Method::GET, "/sim/ledger") => told(serde_json::to_string(&self.books.ledger())),
            (&Method::DELETE, "/sim/ledger") => {
                self.books.clear();
                told(serde_json::to_string(&self.books.ledger()))
            }
            (&Method::GET, "/sim/script") => {
                told(serde_json::to_string(&self.engine.load().script))
            }
            (&Method::DELETE, "/sim/script") => {
                self.engine.store(Arc::default());
                told(Ok("{}".to_owned()))
            }
            (&Method::PUT | &Method::POST, "/sim/script") => match script_of(&head.headers, body) {
                Ok(script) => {
                    self.engine.store(Arc::new(Engine::new(script)));
                    told(serde_json::to_string(&self.engine.load().script))
                }
                Err(message) => response::bad_request(&message, None),
            },
            _ => not_found(),
        }
    }
}

impl Call<'_> {
    fn model(&self) -> &str {
        match self {
            Self::Chat(request) => &request.model,
            Self::Embeddings(request) => &request.model,
            Self::Predict => PREDICT,
        }
    }

    fn stream(&self) -> bool {
        matches!(self, Self::Chat(request) if request.stream())
    }
}

impl Answered {
    fn uncounted(response: Response<SimBody>) -> Self {
        Self {
            response,
            prompt_tokens: 0,
            completion_tokens: 0,
        }
    }
}

fn predicted(body: &[u8], fault: Option<&Fault>, ending: &Arc<Ending>) -> Response<SimBody> {
    match (predict::answer(body), fault) {
        (Err(message), _) => response::bad_request(&message, None),
        (Ok(_), Some(Fault::Answer(text))) => response::json_bytes(text.clone()),
        (Ok(_), Some(Fault::WrongSchema)) => {
            response::json_bytes(&br#"{"label":["x"],"probability":"high"}"#[..])
        }
        (Ok(body), _) => response::json_body(fault::plain_body(body, fault, ending)),
    }
}

/// Reads a script: JSON if the request says so, else TOML. The message names every cause.
fn script_of(headers: &HeaderMap, body: &[u8]) -> Result<Script, String> {
    let kind = headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let script = if kind.is_some_and(|kind| kind.starts_with("application/json")) {
        Script::from_json(body)
    } else {
        let text = std::str::from_utf8(body).map_err(|_| "the script is not UTF-8".to_owned())?;
        Script::from_toml(text)
    };
    script.map_err(|error| {
        let cause = std::error::Error::source(&error);
        cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
    })
}

fn not_found() -> Response<SimBody> {
    ApiError {
        status: StatusCode::NOT_FOUND,
        kind: "invalid_request_error",
        code: None,
        param: None,
        message: "the simulator has no such route",
    }
    .response()
}
