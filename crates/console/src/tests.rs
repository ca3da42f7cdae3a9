//! Every route, over a node that notes what it was asked.

mod access;
mod bodies;
mod calls;
mod document;
mod identity;
mod keys;
mod node;
mod payloads;
mod people;
mod policies;
mod provider;
mod releases;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use plimsoll_core::{Role, Secret, TenantName};
use plimsoll_spec::Operator;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::*;
use node::Noting;

/// The owner's token.
const OWNER: &str = "right";

/// The named operators, one of each role: name, token, role.
const NAMED: [(&str, &str, Role); 7] = [
    ("otto", "token-of-otto", Role::Operator),
    ("anna", "token-of-anna", Role::Approver),
    ("rita", "token-of-rita", Role::Reviewer),
    ("udo", "token-of-udo", Role::Auditor),
    ("vera", "token-of-vera", Role::Viewer),
    ("tina", "token-of-tina", Role::TenantAdmin),
    ("pia", "token-of-pia", Role::PlatformAdmin),
];

/// For whom the tenant's admin works.
const ACME: &str = "acme";

fn named() -> Vec<Operator> {
    let operator = |(name, token, role): (&str, &str, Role)| Operator {
        name: name.to_owned(),
        token: Secret::new(token.to_owned()),
        roles: [role].into(),
        tenant: (role == Role::TenantAdmin).then(|| TenantName::new(ACME).unwrap()),
    };
    NAMED.map(operator).into()
}

fn operators() -> Operators {
    Operators::new(OperatorToken::new(&Secret::new(OWNER.into())), &named())
        .or_people(people::ursula(Arc::new(plimsoll_core::SystemClock::new())))
}

fn app_of(node: Noting) -> (Router, Arc<Noting>) {
    let node = Arc::new(node);
    let operations = Arc::clone(&node) as Arc<dyn Operations>;
    (router(operations, operators()), node)
}

fn app() -> (Router, Arc<Noting>) {
    app_of(Noting::default())
}

/// A request, to be sent.
#[derive(Clone, Copy)]
struct Ask<'a> {
    method: &'a str,
    path: &'a str,
    token: Option<&'a str>,
    actor: Option<&'a str>,
    body: &'a str,
}

impl<'a> Ask<'a> {
    fn get(path: &'a str) -> Self {
        Self {
            method: "GET",
            path,
            token: Some(OWNER),
            actor: None,
            body: "",
        }
    }

    fn post(path: &'a str, body: &'a str) -> Self {
        Self {
            method: "POST",
            body,
            ..Self::get(path)
        }
    }

    fn with(self, token: &'a str) -> Self {
        Self {
            token: Some(token),
            ..self
        }
    }

    fn acting(self, actor: &'a str) -> Self {
        Self {
            actor: Some(actor),
            ..self
        }
    }

    async fn send(self, app: &Router) -> (StatusCode, String) {
        let mut request = Request::builder().method(self.method).uri(self.path);
        if let Some(token) = self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(actor) = self.actor {
            request = request.header("plimsoll-actor", actor);
        }
        let request = request.body(Body::from(self.body.to_owned())).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// The code of the error that it gets.
    async fn refused(self, app: &Router) -> String {
        let (status, body) = self.send(app).await;
        assert!(status.as_u16() >= 400, "{} {body}", self.path);
        let body: Value = serde_json::from_str(&body).unwrap();
        body["error"]["code"].as_str().unwrap().to_owned()
    }
}
