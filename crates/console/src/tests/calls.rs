//! One table of calls for every route × every token: a route without a row fails the first test.

use std::collections::BTreeSet;

use std::sync::Arc;

use axum::Router;
use plimsoll_core::{Role, Secret, TenantName};
use plimsoll_spec::Operator;
use serde_json::Value;

use super::node::Noting;
use super::payloads::theirs;
use super::{ACME, Ask, NAMED, OWNER, app, app_of};
use crate::*;

/// How a route is called here, who may, and what the node that has nothing answers to those.
pub(super) struct Call {
    route: (&'static str, &'static str),
    pub(super) path: &'static str,
    body: &'static str,
    status: u16,
    /// The first letters of the named operators who may.
    may: &'static str,
}

/// Who may read what holds no payload.
const ANY: &str = "oaruvtp";

const fn get(route: &'static str, path: &'static str, may: &'static str, status: u16) -> Call {
    Call {
        route: ("GET", route),
        path,
        body: "",
        status,
        may,
    }
}

const fn post(
    route: &'static str,
    path: &'static str,
    body: &'static str,
    may: &'static str,
    status: u16,
) -> Call {
    Call {
        route: ("POST", route),
        path,
        body,
        status,
        may,
    }
}

const DIGEST: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const RUN: &str = r#"{"runbook":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","started_at":1,"steps":[]}"#;
const VERIFICATION: &str = r#"{"size":1,"root":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","intact":1,"gone":0,"faults":0}"#;
const LABELS: &str = r#"{"labels":[{"decision":"01J9ZC6T7R8Y3V5W1X2Q4K0M9N","value":true}]}"#;
const QUESTION: &str = r#"{"run":"01J9ZC3M4N5P6Q7R8S9T0V1W2X","input":{}}"#;
const EVAL: &str = r#"{"id":"01J9ZC3M4N5P6Q7R8S9T0V1W2X","system":"x","environment":"production","release":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","set":"evals/golden.jsonl","digest":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","file":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","cases":1,"repetitions":1,"figures":[],"verdict":null,"cost":{"amount":"0","basis":"measured"},"measured_at":1,"ended_at":2,"actor":"ada"}"#;
const DATASET: &str = r#"{"id":"01J9ZC3M4N5P6Q7R8S9T0V1W2X","system":"x","environment":"production","digest":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","file":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","format":"jsonl","chosen":{},"counts":{"decisions":1,"cases":1},"purpose":"retrain","actor":"ada","at":1}"#;
const REASON: &str = r#"{"reason":"because"}"#;

#[rustfmt::skip]
pub(super) const CALLS: &[Call] = &[
    get("/healthz", "/healthz", ANY, 200),
    get("/readyz", "/readyz", ANY, 503),
    get("/metrics", "/metrics", ANY, 200),
    get("/api/v1/openapi.json", "/api/v1/openapi.json", ANY, 200),
    get("/api/v1/tenants", "/api/v1/tenants", "tpu", 200),
    post("/api/v1/tenants", "/api/v1/tenants", r#"{"tenant":"globex"}"#, "p", 503),
    get("/api/v1/keys", "/api/v1/keys?tenant=acme", "tpu", 200),
    post("/api/v1/tenants/{tenant}/keys", "/api/v1/tenants/acme/keys", r#"{"name":"web","systems":null}"#, "tp", 503),
    post("/api/v1/tenants/{tenant}/keys/{key}/rotate", "/api/v1/tenants/acme/keys/web/rotate", "", "tp", 503),
    post("/api/v1/tenants/{tenant}/keys/{key}/revoke", "/api/v1/tenants/acme/keys/web/revoke", REASON, "tp", 503),

    post("/api/v1/session", "/api/v1/session", r#"{"user":"ursula","password":"correct horse battery"}"#, ANY, 400),
    get("/api/v1/session/oidc", "/api/v1/session/oidc?tenant=acme", ANY, 404),
    get("/api/v1/session/oidc/callback", "/api/v1/session/oidc/callback?state=x&code=y", ANY, 404),
    get("/api/v1/session", "/api/v1/session", ANY, 200),
    post("/api/v1/session/end", "/api/v1/session/end", "", ANY, 200),
    post("/api/v1/session/password", "/api/v1/session/password", r#"{"current":"x","password":"y"}"#, ANY, 400),
    get("/api/v1/users", "/api/v1/users", "pu", 200),
    post("/api/v1/users", "/api/v1/users", r#"{"name":"wanda","roles":["viewer"],"password":"another horse battery"}"#, "p", 200),
    post("/api/v1/users/{user}/password", "/api/v1/users/ursula/password", r#"{"password":"another horse battery"}"#, "p", 200),
    post("/api/v1/users/{user}/disable", "/api/v1/users/ursula/disable", "", "p", 200),

    post("/api/v1/reload", "/api/v1/reload", "", "o", 200),

    get("/api/v1/systems", "/api/v1/systems", ANY, 200),
    get("/api/v1/systems/{system}/bar", "/api/v1/systems/x/bar", ANY, 404),
    post("/api/v1/systems/{system}/drills", "/api/v1/systems/x/drills", "", "o", 200),
    get("/api/v1/systems/{system}/evals", "/api/v1/systems/x/evals", ANY, 503),
    post("/api/v1/systems/{system}/evals", "/api/v1/systems/x/evals", EVAL, "o", 503),
    post("/api/v1/systems/{system}/evals/ask", "/api/v1/systems/x/evals/ask", QUESTION, "o", 503),
    get("/api/v1/systems/{system}/datasets", "/api/v1/systems/x/datasets", ANY, 503),
    post("/api/v1/systems/{system}/datasets", "/api/v1/systems/x/datasets", DATASET, "o", 503),
    get("/api/v1/systems/{system}/runbook", "/api/v1/systems/x/runbook", ANY, 503),
    post("/api/v1/systems/{system}/runbook-runs", "/api/v1/systems/x/runbook-runs", RUN, "o", 503),

    get("/api/v1/systems/{system}/standing", "/api/v1/systems/x/standing", ANY, 503),
    get("/api/v1/systems/{system}/as-of", "/api/v1/systems/x/as-of?at=2026-03-14T09:00", ANY, 503),
    post("/api/v1/systems/{system}/deployments", "/api/v1/systems/x/deployments", r#"{"release":"3f9"}"#, "o", 503),
    post("/api/v1/systems/{system}/rollback", "/api/v1/systems/x/rollback", REASON, "o", 503),
    post("/api/v1/systems/{system}/halt", "/api/v1/systems/x/halt", REASON, "o", 503),
    post("/api/v1/systems/{system}/fallback", "/api/v1/systems/x/fallback", REASON, "o", 503),
    post("/api/v1/systems/{system}/resume", "/api/v1/systems/x/resume", REASON, "o", 503),
    post("/api/v1/deployments/{id}/review", "/api/v1/deployments/01J9/review", r#"{"justified":true,"note":"it burnt"}"#, "au", 503),

    get("/api/v1/releases", "/api/v1/releases?system=x", ANY, 200),
    get("/api/v1/releases/{id}", "/api/v1/releases/3f9", ANY, 503),
    post("/api/v1/systems/{system}/releases", "/api/v1/systems/x/releases", r#"{"note":"new rates"}"#, "o", 503),
    get("/api/v1/releases/{id}/export", "/api/v1/releases/3f9/export", ANY, 503),
    post("/api/v1/releases/import", "/api/v1/releases/import", "{}", "o", 400),
    get("/api/v1/releases/{id}/approvals", "/api/v1/releases/3f9/approvals", ANY, 200),
    post("/api/v1/releases/{id}/approvals", "/api/v1/releases/3f9/approvals", "", "a", 503),

    get("/api/v1/decisions", "/api/v1/decisions?limit=5&outcome=open", ANY, 200),
    get("/api/v1/decisions/{id}", "/api/v1/decisions/01J9", ANY, 503),
    get("/api/v1/decisions/{id}/payload", "/api/v1/decisions/01J9/payload?purpose=complaint", "oru", 503),
    get("/api/v1/decisions/{id}/proof", "/api/v1/decisions/01J9/proof", "ou", 503),
    get("/api/v1/monitors", "/api/v1/monitors?system=x", ANY, 200),
    get("/api/v1/alarms", "/api/v1/alarms?limit=5", ANY, 200),
    get("/api/v1/receivers", "/api/v1/receivers", ANY, 200),
    post("/api/v1/receivers/test", "/api/v1/receivers/test", r#"{"receiver":"ops"}"#, "o", 503),
    get("/api/v1/silences", "/api/v1/silences", ANY, 200),
    post("/api/v1/silences", "/api/v1/silences", r#"{"seconds":60,"reason":"a load test"}"#, "o", 503),
    post("/api/v1/silences/{id}/lift", "/api/v1/silences/01J9/lift", "", "o", 503),
    get("/api/v1/labels", "/api/v1/labels?waiting=true", ANY, 200),
    post("/api/v1/labels", "/api/v1/labels", LABELS, "or", 503),
    get("/api/v1/reviews", "/api/v1/reviews?queue=credit", ANY, 200),
    get("/api/v1/reviews/{id}", "/api/v1/reviews/01J9", "oru", 503),
    post("/api/v1/reviews/{id}/answer", "/api/v1/reviews/01J9/answer", r#"{"answer":{"decision":"grant"},"note":"seen"}"#, "or", 503),

    get("/api/v1/audit/status", "/api/v1/audit/status", "ou", 503),
    post("/api/v1/audit/checkpoint", "/api/v1/audit/checkpoint", "", "ou", 503),
    get("/api/v1/audit/accesses", "/api/v1/audit/accesses?actor=ann&since=2026-03-14", "ou", 200),
    post("/api/v1/audit/erasures", "/api/v1/audit/erasures", r#"{"subject":"4711","basis":"GDPR Art. 17(1)(b)"}"#, "o", 503),
    get("/api/v1/audit/holds", "/api/v1/audit/holds", "ou", 200),
    post("/api/v1/audit/holds", "/api/v1/audit/holds", r#"{"kind":"legal","reason":"case 7"}"#, "o", 503),
    post("/api/v1/audit/holds/{id}/lift", "/api/v1/audit/holds/01J9/lift", REASON, "o", 503),
    post("/api/v1/audit/verifications", "/api/v1/audit/verifications", VERIFICATION, "ou", 503),
];

pub(super) fn route(call: &Call) -> &'static Route {
    let mut routes = ROUTES.iter();
    let found = routes.find(|route| (route.method, route.path) == call.route);
    found.unwrap()
}

fn is_open(call: &Call) -> bool {
    route(call).open
}

pub(super) fn ask(call: &Call) -> Ask<'static> {
    Ask {
        method: call.route.0,
        path: call.path,
        token: None,
        actor: None,
        body: call.body,
    }
}

#[test]
fn every_route_has_a_row_in_the_table_of_calls() {
    let routes: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| (route.method, route.path))
        .collect();
    let called: BTreeSet<_> = CALLS.iter().map(|call| call.route).collect();
    assert_eq!(routes, called);
    let operations: BTreeSet<_> = ROUTES.iter().map(|route| route.operation).collect();
    assert_eq!(operations.len(), ROUTES.len());
    assert!(RUN.contains(DIGEST) && VERIFICATION.contains(DIGEST));
}

#[tokio::test]
async fn every_route_needs_a_right_token_unless_it_is_open() {
    let (app, node) = app();
    for call in CALLS {
        let wrong = [None, Some("wrong"), Some(""), Some("right and more")];
        for token in wrong.into_iter().chain([Some("token-of-"), Some("otto")]) {
            let (status, body) = Ask { token, ..ask(call) }.send(&app).await;
            let expected = if is_open(call) { call.status } else { 401 };
            assert_eq!(status.as_u16(), expected, "{} {token:?}: {body}", call.path);
        }
        assert!(node.asked().is_empty(), "{} reached the node", call.path);
    }
}

#[tokio::test]
async fn the_owner_may_do_everything() {
    let (app, _) = app();
    for call in CALLS {
        let (status, body) = ask(call).with(OWNER).send(&app).await;
        assert_eq!(status.as_u16(), call.status, "{}: {body}", call.path);
        if status.as_u16() >= 400 && !call.path.starts_with("/readyz") {
            let body: Value = serde_json::from_str(&body).unwrap();
            assert!(body["error"]["code"].is_string(), "{}: {body}", call.path);
        }
    }
}

#[tokio::test]
async fn every_role_may_do_what_is_its_own_and_nothing_else() {
    for call in CALLS {
        for (name, token, role) in NAMED {
            let (app, node) = app();
            let (status, body) = ask(call).with(token).send(&app).await;
            let of_all = route(call).reach == Reach::Installation;
            let out_of_reach = of_all && role == Role::TenantAdmin;
            let may = call.may.contains(&name[..1]) && !out_of_reach;
            if is_open(call) || may {
                assert_eq!(status.as_u16(), call.status, "{name} {}: {body}", call.path);
                continue;
            }
            assert_eq!(status.as_u16(), 403, "{name} {}: {body}", call.path);
            let code = if out_of_reach {
                "tenant_forbidden"
            } else {
                "role_missing"
            };
            assert!(body.contains(code), "{name} {}: {body}", call.path);
            // Which role approves, the system says.
            let asked = node.asked();
            let beyond = asked.iter().find(|what| !what.starts_with("approvals"));
            assert_eq!(beyond, None, "{name} {} reached the node", call.path);
        }
    }
}

/// Whoever works for another tenant, and may do everything there.
fn of_another_tenant(node: &Arc<Noting>) -> Router {
    let gus = Operator {
        name: "gus".into(),
        token: Secret::new("token-of-gus".into()),
        roles: Role::ALL.into(),
        tenant: Some(TenantName::new("globex").unwrap()),
    };
    let owner = OperatorToken::new(&Secret::new(OWNER.into()));
    router(Arc::clone(node) as _, Operators::new(owner, &[gus]))
}

#[tokio::test]
async fn no_route_tells_or_changes_anything_of_another_tenant() {
    for call in CALLS.iter().filter(|call| !is_open(call)) {
        let node = Arc::new(theirs());
        let app = of_another_tenant(&node);
        let (status, body) = ask(call).with("token-of-gus").send(&app).await;
        let named = call.path.contains(ACME);
        if route(call).reach == Reach::Installation || named {
            assert_eq!(status.as_u16(), 403, "{}: {body}", call.path);
            assert!(body.contains("tenant_forbidden"), "{}: {body}", call.path);
            assert!(node.asked().is_empty(), "{} reached the node", call.path);
            continue;
        }
        // Every question carries for whom it is asked, so that what is another's is not there.
        for asked in node.asked() {
            assert!(
                asked.contains("of tenant `globex`"),
                "{}: {asked}",
                call.path
            );
        }
        assert!(!body.contains(ACME), "{}: {body}", call.path);
        assert_ne!(status.as_u16(), 403, "{}: {body}", call.path);
    }
}

/// What changes nothing, and what is done in the name of the workspace: the records that a reload leaves
/// name it as their author.
const UNATTRIBUTED: [&str; 6] = [
    "/api/v1/audit/checkpoint",
    // Nobody was signed in: there is nothing to record.
    "/api/v1/session",
    "/api/v1/session/end",
    "/api/v1/session/password",
    "/api/v1/reload",
    // The run that asks is recorded, with who ran it.
    "/api/v1/systems/x/evals/ask",
];

#[tokio::test]
async fn every_change_is_recorded_in_the_name_of_who_made_it() {
    for call in CALLS.iter().filter(|call| call.route.0 != "GET") {
        let (app, node) = app_of(theirs());
        // A bundle of this size of nothing is refused before it comes to anybody.
        let imports = call.path.ends_with("/import");
        let (_, token, _) = NAMED
            .into_iter()
            .find(|(name, _, _)| call.may.starts_with(&name[..1]))
            .unwrap();
        let name = token.strip_prefix("token-of-").unwrap();
        ask(call).with(token).send(&app).await;
        let asked = node.asked();
        let is_named = asked.iter().any(|what| what.contains(name));
        let unnamed = UNATTRIBUTED.contains(&call.path) || imports;
        assert_eq!(is_named, !unnamed, "{}: {asked:?}", call.path);
    }
}

#[tokio::test]
async fn every_reading_of_a_payload_is_recorded() {
    for call in CALLS.iter().filter(|call| call.route.0 == "GET") {
        let node = Arc::new(theirs());
        let app = router(Arc::clone(&node) as _, super::operators());
        let (_, body) = ask(call).with(OWNER).send(&app).await;
        let reads = body.contains(super::payloads::SECRET);
        let asked = node.asked();
        let recorded = asked.iter().any(|what| what.starts_with("access "));
        assert_eq!(reads, recorded, "{}: {asked:?}", call.path);
    }
}
