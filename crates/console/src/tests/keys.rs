//! Giving keys: nobody gives more than they have, and a secret is told once.

use std::sync::Arc;

use http::StatusCode;
use plimsoll_core::keyring::KeyState;
use plimsoll_core::{Criticality, KeyName, Role, TenantName};

use super::node::Noting;
use super::{Ask, app, app_of, operators};
use crate::*;

const KEYS: &str = "/api/v1/tenants/acme/keys";

fn key(roles: &[Role]) -> KeyView {
    KeyView {
        tenant: TenantName::new("acme").unwrap(),
        name: KeyName::new("web").unwrap(),
        state: KeyState::Active,
        of_workspace: false,
        systems: None,
        environment: None,
        criticality: Criticality::Normal,
        roles: roles.iter().copied().collect(),
        secrets: Vec::new(),
        created_at: None,
        expires_at: None,
        revoked_at: None,
    }
}

#[tokio::test]
async fn nobody_gives_a_role_that_they_do_not_have() {
    let body = |role: Role| format!(r#"{{"name":"ci","systems":[],"roles":["{role}"]}}"#);
    for (role, tina, pia, owner) in [
        (Role::Viewer, true, true, true),
        (Role::TenantAdmin, true, true, true),
        (Role::Reviewer, false, false, true),
        (Role::Operator, false, false, true),
        (Role::PlatformAdmin, false, false, false),
    ] {
        for (token, may) in [
            ("token-of-tina", tina),
            ("token-of-pia", pia),
            ("right", owner),
        ] {
            let (app, node) = app();
            let body = body(role);
            let (status, text) = Ask::post(KEYS, &body).with(token).send(&app).await;
            let refused = status == StatusCode::FORBIDDEN && text.contains("role_missing");
            assert_eq!(refused, !may, "{role} {token}: {text}");
            assert_eq!(node.asked().is_empty(), !may, "{role} {token}");
        }
    }
}

#[tokio::test]
async fn nobody_rotates_a_key_that_may_do_more_than_they() {
    for (roles, may) in [(&[][..], true), (&[Role::Reviewer], false)] {
        let (app, node) = app_of(Noting {
            keys: vec![key(roles)],
            ..Noting::default()
        });
        let ask = Ask::post("/api/v1/tenants/acme/keys/web/rotate", "").with("token-of-tina");
        let code = ask.refused(&app).await;
        assert_eq!(code == "role_missing", !may, "{code}");
        let rotated = node.asked().iter().any(|what| what.starts_with("rotate"));
        assert_eq!(rotated, may);
    }
}

#[tokio::test]
async fn what_is_said_of_a_key_is_bounded_and_strict() {
    let (app, node) = app();
    for (path, body) in [
        ("", r#"{"name":"Web!","systems":null}"#),
        ("", r#"{"name":"web"}"#),
        ("", r#"{"name":"web","systems":[]}"#),
        ("", r#"{"name":"web","systems":["../x"]}"#),
        (
            "",
            r#"{"name":"web","systems":null,"criticality":"urgent"}"#,
        ),
        ("", r#"{"name":"web","systems":null,"roles":["root"]}"#),
        ("", r#"{"name":"web","systems":null,"secret":"mine"}"#),
        ("/web/rotate", r#"{"overlap_seconds":2592001}"#),
        ("/web/rotate", r#"{"overlap_seconds":-1}"#),
        ("/web/revoke", "{}"),
        ("/web/revoke", r#"{"reason":" "}"#),
        ("/We%20b/revoke", r#"{"reason":"lost"}"#),
    ] {
        let path = format!("{KEYS}{path}");
        let (status, text) = Ask::post(&path, body).send(&app).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body}: {text}");
    }
    assert!(node.asked().is_empty());
}

#[derive(Debug)]
struct OneKey(Vec<Role>);

impl KeyHolders for OneKey {
    fn holder(&self, shown: &str) -> Option<KeyHolder> {
        (shown == "plim_live_ci").then(|| KeyHolder {
            key: KeyName::new("ci").unwrap(),
            tenant: TenantName::new("acme").unwrap(),
            roles: self.0.iter().copied().collect(),
        })
    }
}

#[tokio::test]
async fn a_key_with_roles_acts_for_its_tenant_under_its_own_name() {
    let node = Arc::new(Noting::default());
    let keys = Arc::new(OneKey(vec![Role::TenantAdmin, Role::Operator]));
    let app = router(Arc::clone(&node) as _, operators().or_keys(keys));
    let revoke = Ask::post(
        "/api/v1/tenants/acme/keys/web/revoke",
        r#"{"reason":"lost"}"#,
    );
    let code = revoke
        .with("plim_live_ci")
        .acting("ann")
        .refused(&app)
        .await;
    assert_eq!(code, "store_unavailable");
    assert_eq!(node.asked(), ["revoke acme/web key acme/ci: lost"]);
    let halt = Ask::post("/api/v1/systems/x/halt", r#"{"reason":"now"}"#);
    assert_eq!(
        halt.with("plim_live_ci").refused(&app).await,
        "tenant_forbidden"
    );
    assert_eq!(
        revoke.with("plim_live_c").refused(&app).await,
        "unauthenticated"
    );
}
