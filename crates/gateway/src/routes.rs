//! The data plane's routes, in one place.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Either};
use hyper::body::Incoming;
use plimsoll_core::Code;
use plimsoll_core::decision::Protocol;
use serde_json::json;

use crate::idempotency::{Claim, Claimed, KEPT, Stored};
use crate::node::Node;
use crate::protocol::{
    Call, body, decisions, labelling, models, oip, openai_chat, polling, rate_limits, respond,
};
use crate::refusal::Refusal;

/// Where a request goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Route<'p> {
    ChatCompletions,
    Models,
    Model(&'p str),
    Decide(&'p str),
    Decision(&'p str),
    Labels(&'p str),
    OipServer,
    OipLive,
    OipReady,
    OipModel(&'p str),
    OipModelReady(&'p str),
    OipInfer(&'p str),
    Health,
    Ready,
}

impl<'p> Route<'p> {
    fn find(method: &Method, path: &'p str) -> Result<Self, Code> {
        let mut segments = [""; 7];
        let mut count = 0;
        for segment in path.trim_start_matches('/').split('/') {
            *segments.get_mut(count).ok_or(Code::RouteNotFound)? = segment;
            count += 1;
        }
        let (wants, route) = match &segments[..count] {
            ["v1", "chat", "completions"] => (Method::POST, Self::ChatCompletions),
            ["v1", "systems", system, "decisions"] => (Method::POST, Self::Decide(system)),
            ["v1", "decisions", id] => (Method::GET, Self::Decision(id)),
            ["v1", "decisions", id, "labels"] => (Method::POST, Self::Labels(id)),
            ["v1", "models"] => (Method::GET, Self::Models),
            ["v1", "models", model] => (Method::GET, Self::Model(model)),
            ["v2"] => (Method::GET, Self::OipServer),
            ["v2", "health", "live"] => (Method::GET, Self::OipLive),
            ["v2", "health", "ready"] => (Method::GET, Self::OipReady),
            ["v2", "models", model] | ["v2", "models", model, "versions", _] => {
                (Method::GET, Self::OipModel(model))
            }
            ["v2", "models", model, "ready"] | ["v2", "models", model, "versions", _, "ready"] => {
                (Method::GET, Self::OipModelReady(model))
            }
            ["v2", "models", model, "infer"] | ["v2", "models", model, "versions", _, "infer"] => {
                (Method::POST, Self::OipInfer(model))
            }
            ["healthz"] => (Method::GET, Self::Health),
            ["readyz"] => (Method::GET, Self::Ready),
            _ => return Err(Code::RouteNotFound),
        };
        if *method == wants {
            Ok(route)
        } else {
            Err(Code::MethodNotAllowed)
        }
    }
}

/// In which protocol's shape a path is refused.
fn protocol_of(path: &str) -> Protocol {
    if path.starts_with("/v2") {
        Protocol::Oip
    } else if path.starts_with("/v1/systems") || path.starts_with("/v1/decisions") {
        Protocol::Decisions
    } else {
        Protocol::OpenaiChat
    }
}

/// Answers one request.
pub(crate) async fn serve(
    node: Arc<Node>,
    request: Request<Incoming>,
) -> Result<respond::Reply, Infallible> {
    let (head, incoming) = request.into_parts();
    let path = head.uri.path();
    let protocol = protocol_of(path);
    let answered = match Route::find(&head.method, path) {
        Ok(Route::Health) => Ok(respond::json_value(StatusCode::OK, &json!({"live": true}))),
        Ok(Route::Ready) => Ok(ready(&node)),
        Ok(Route::OipLive) => Ok(oip::health(true)),
        Ok(Route::OipReady) => Ok(oip::health(node.readiness().ready)),
        Ok(Route::OipServer) => Ok(oip::server()),
        Ok(route) => answer(&node, route, protocol, head.headers, incoming).await,
        Err(code) => Err(Refusal::new(
            code,
            format!(
                "{}: see the reference of routes",
                code.summary().to_lowercase().trim_end_matches('.')
            ),
        )),
    };
    Ok(answered.unwrap_or_else(|refusal| {
        node.count_refused(refusal.code);
        respond::refuse(protocol, &refusal)
    }))
}

fn ready(node: &Node) -> respond::Reply {
    let ready = node.readiness().ready;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    respond::json_value(status, &json!({"ready": ready}))
}

async fn answer(
    node: &Arc<Node>,
    route: Route<'_>,
    protocol: Protocol,
    headers: HeaderMap,
    incoming: Incoming,
) -> Result<respond::Reply, Refusal> {
    let mut call = Call::identify(node, headers, protocol)?;
    match route {
        Route::Models => return Ok(models::list(&call)),
        Route::Model(name) => return Ok(models::one(&call, name)),
        Route::Decision(id) => return Ok(polling::handle(call, id).await),
        Route::OipModel(name) => return Ok(oip::model(&call, name, false)),
        Route::OipModelReady(name) => return Ok(oip::model(&call, name, true)),
        _ => {}
    }
    let (limits, timeout) = (call.snapshot.frame, call.snapshot.body_timeout);
    let body = body::read(incoming, limits.bytes_max, timeout).await;
    if let Route::Labels(id) = route {
        return labelling::handle(call, id, body).await;
    }
    let claimed = match claim(&mut call, route, &body).await? {
        Some(Claim::Again(stored)) => return Ok(again(stored)),
        Some(Claim::New(claimed)) => Some(claimed),
        None => None,
    };
    let standings = Arc::clone(&call.standings);
    let reply = match route {
        Route::ChatCompletions => openai_chat::handle(call, body).await,
        Route::Decide(system) => decisions::handle(call, system, body).await,
        Route::OipInfer(model) => oip::infer(call, model, body).await,
        _ => return Err(Refusal::plain(Code::RouteNotFound)),
    };
    let mut reply = match claimed {
        Some(claimed) => hold(claimed, reply).await,
        None => reply,
    };
    if !standings.get().is_empty() {
        let now = node.clock.now();
        rate_limits::write(reply.headers_mut(), standings.get(), now);
    }
    Ok(reply)
}

/// Claims the caller's idempotency key for this call, if it sent one. A key that this process does not
/// know may have been used before a restart: the records know, though not what was answered.
async fn claim(
    call: &mut Call,
    route: Route<'_>,
    body: &Result<Bytes, Refusal>,
) -> Result<Option<Claim>, Refusal> {
    let (Some(key), Ok(bytes)) = (&call.envelope.idempotency_key, body) else {
        return Ok(None);
    };
    let scoped = format!("{}\0{route:?}\0{key}", call.caller.tenant);
    let key = call.node.pseudonym("idempotency", &scoped);
    call.idempotency = Some(key);
    let claim = call.node.idempotency.claim(key, bytes)?;
    if let Claim::New(claimed) = &claim {
        call.under_key = Some(claimed.entry());
        let since = call.node.clock.now().minus(KEPT);
        let tenant = &call.caller.tenant;
        let earlier = call.node.decisions.by_idempotency(tenant, key, since).await;
        let earlier = earlier.map_err(|_| Refusal::plain(Code::StoreUnavailable))?;
        if let Some(decision) = earlier {
            let message = format!(
                "decision {} was made under this key, and its answer is not held any more: \
                 see /v1/decisions/{}",
                decision.id, decision.id
            );
            return Err(Refusal::new(Code::IdempotencyNotKept, message));
        }
    }
    Ok(Some(claim))
}

fn again(stored: Stored) -> respond::Reply {
    let mut reply = respond::json_bytes(stored.status, stored.body);
    *reply.headers_mut() = stored.headers;
    reply
}

/// Keeps a whole response for whoever sends the same key again.
async fn hold(claimed: Claimed, reply: respond::Reply) -> respond::Reply {
    let (head, body) = reply.into_parts();
    match body {
        Either::Left(full) => {
            let Ok(collected) = full.collect().await;
            let body = collected.to_bytes();
            let (status, headers) = (head.status, head.headers.clone());
            if status.is_success() {
                claimed.answer(Stored {
                    status,
                    headers,
                    body: body.clone(),
                });
            }
            http::Response::from_parts(head, Either::Left(http_body_util::Full::new(body)))
        }
        stream @ Either::Right(_) => {
            claimed.answer_not_kept();
            http::Response::from_parts(head, stream)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_finds_its_route_and_nothing_else_does() {
        let get = |path| Route::find(&Method::GET, path);
        let post = |path| Route::find(&Method::POST, path);
        assert_eq!(post("/v1/chat/completions"), Ok(Route::ChatCompletions));
        assert_eq!(
            post("/v1/systems/loan/decisions"),
            Ok(Route::Decide("loan"))
        );
        assert_eq!(get("/v1/decisions/01J"), Ok(Route::Decision("01J")));
        assert_eq!(post("/v1/decisions/01J/labels"), Ok(Route::Labels("01J")));
        assert_eq!(post("/v2/models/loan/infer"), Ok(Route::OipInfer("loan")));
        assert_eq!(
            post("/v2/models/loan/versions/3/infer"),
            Ok(Route::OipInfer("loan"))
        );
        assert_eq!(
            get("/v2/models/loan/ready"),
            Ok(Route::OipModelReady("loan"))
        );
        assert_eq!(get("/v1/chat/completions"), Err(Code::MethodNotAllowed));
        assert_eq!(post("/v1/images/generations"), Err(Code::RouteNotFound));
        assert_eq!(get("/v1/a/b/c/d/e/f/g/h/i"), Err(Code::RouteNotFound));
        assert_eq!(get("/"), Err(Code::RouteNotFound));
    }
}
