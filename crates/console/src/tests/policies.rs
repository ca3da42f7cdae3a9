//! Nothing is read or changed past the policies, and every refusal is recorded with what decided it.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::StatusCode;
use plimsoll_core::access::{
    ActionKind, ActorKind, ControlAction, DataClass, Held, PolicyEffect, TimeZone,
};
use plimsoll_guard::access_policy::{AccessPolicies, AccessPolicy};

use super::calls::{CALLS, ask, route};
use super::node::Noting;
use super::payloads::{SECRET, theirs};
use super::releases::RELEASE;
use super::{Ask, OWNER, app_of};
use crate::*;

fn policies(effect: PolicyEffect, when: &str) -> Arc<AccessPolicies> {
    let own = AccessPolicy::new("own", "a test", ControlAction::ALL, effect, when).unwrap();
    Arc::new(AccessPolicies::new(vec![own], TimeZone::UTC))
}

fn under(effect: PolicyEffect, when: &str) -> Noting {
    Noting {
        policies: policies(effect, when),
        ..theirs()
    }
}

#[test]
fn every_route_that_reads_a_payload_or_changes_anything_is_decided_by_policies() {
    // Nobody is kept from signing in or out by what they may do then.
    let free = ["signIn", "signOut"];
    let changes = |route: &&Route| route.method != "GET" && !free.contains(&route.operation);
    for route in ROUTES.iter().filter(changes) {
        assert!(route.action.is_some(), "{} {}", route.method, route.path);
    }
    let decided: BTreeSet<_> = ROUTES.iter().filter_map(|route| route.action).collect();
    assert_eq!(decided, ControlAction::ALL.into());
    for route in ROUTES {
        let Some(action) = route.action else { continue };
        let snake: String = route
            .operation
            .chars()
            .flat_map(|c| {
                let before = c.is_uppercase().then_some('_');
                before.into_iter().chain(c.to_lowercase())
            })
            .collect();
        assert_eq!(snake, action.as_str());
        assert_eq!(route.method == "GET", action.kind() == ActionKind::Read);
    }
}

/// What a node is asked that tells or changes nothing of importance: what is needed to decide.
fn only_looks(asked: &str) -> bool {
    let looks = [
        "decision ",
        "review 01J9",
        "approvals ",
        "keys of ",
        "release ",
        "erasable ",
        "deployment ",
        "silences",
        "holds",
    ];
    looks.iter().any(|look| asked.starts_with(look))
}

#[tokio::test]
async fn no_route_goes_past_a_policy_that_denies() {
    for call in CALLS.iter().filter(|call| route(call).action.is_some()) {
        for (effect, when) in [
            (PolicyEffect::Deny, "true"),
            (PolicyEffect::Allow, "false"),
            (PolicyEffect::Deny, "purpose > 3"),
        ] {
            let (app, node) = app_of(under(effect, when));
            let (status, body) = ask(call).with(OWNER).send(&app).await;
            // A bundle of nothing is refused before anybody is asked about it.
            if call.path.ends_with("/import") {
                assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
                continue;
            }
            assert_eq!(status, StatusCode::FORBIDDEN, "{}: {body}", call.path);
            assert!(
                body.contains("policy_denied") && body.contains("`own`"),
                "{body}"
            );
            assert!(!body.contains(SECRET), "{body}");
            let asked = node.asked();
            let done = asked.iter().find(|what| !only_looks(what));
            assert_eq!(done, None, "{} went past the policies", call.path);
            let refused = node.refused.lock().unwrap();
            assert_eq!(refused.len(), 1, "{}: a refusal is recorded", call.path);
            assert_eq!(Some(refused[0].action), route(call).action);
            assert_eq!(refused[0].judgement.policy.as_deref(), Some("own"));
        }
    }
}

/// The one decision, and what every policy can know of it.
const DECISION: &str = "resource.tenant == 'acme' && resource.system == 'x' && resource.stakes == 'high' && resource.data_class == 'personal' && resource.age_days > 0";
const SYSTEM: &str =
    "resource.system == 'x' && resource.stakes == 'high' && resource.data_class == 'personal'";
const BY_ADA: &str =
    "resource.system == 'x' && resource.stakes == 'high' && resource.author == 'ada'";
const ACMES: &str = "resource.tenant == 'acme'";
/// What is about the node, its workspace or its log: there is nothing to be known of it.
const NOBODYS: &str = "resource == {'tenant': '', 'system': '', 'stakes': '', 'data_class': 'unclassified', 'author': '', 'age_days': 0}";

/// What a policy knows of what each route is about.
const KNOWN: [(&str, &str); 35] = [
    ("getPayload", DECISION),
    ("getReview", DECISION),
    ("answerReview", DECISION),
    ("recordLabels", DECISION),
    ("erase", DECISION),
    ("placeHold", SYSTEM),
    (
        "liftHold",
        "resource.tenant == 'acme' && resource.system == 'x' && resource.stakes == 'high' && resource.author == 'ada'",
    ),
    ("silence", SYSTEM),
    ("liftSilence", BY_ADA),
    ("runDrills", SYSTEM),
    ("recordEval", SYSTEM),
    ("askForEval", SYSTEM),
    ("recordDataset", SYSTEM),
    ("recordRunbookRun", SYSTEM),
    ("deploy", BY_ADA),
    ("rollBack", SYSTEM),
    ("halt", SYSTEM),
    ("fallBack", SYSTEM),
    ("resume", SYSTEM),
    ("reviewDeployment", BY_ADA),
    ("makeRelease", SYSTEM),
    (
        "importRelease",
        "resource.system != '' && resource.stakes == 'high'",
    ),
    ("approve", BY_ADA),
    ("makeTenant", "resource.tenant == 'globex'"),
    ("giveKey", ACMES),
    ("rotateKey", ACMES),
    ("revokeKey", ACMES),
    // The accounts and whoever asks here work for the installation.
    ("createUser", NOBODYS),
    ("setPassword", NOBODYS),
    ("changePassword", NOBODYS),
    ("disableUser", NOBODYS),
    ("reload", NOBODYS),
    ("testReceiver", NOBODYS),
    ("awaitCheckpoint", NOBODYS),
    ("recordVerification", NOBODYS),
];

#[tokio::test]
async fn no_route_asks_for_an_object_of_which_nothing_is_said() {
    let decided = ROUTES.iter().filter(|route| route.action.is_some());
    let decided: BTreeSet<&str> = decided.map(|route| route.operation).collect();
    assert_eq!(
        decided,
        KNOWN.iter().map(|(operation, _)| *operation).collect()
    );
    for (operation, known) in KNOWN {
        let mut calls = CALLS.iter();
        let call = calls
            .find(|call| route(call).operation == operation)
            .unwrap();
        // The call of the table brings a bundle of nothing.
        let whole = serde_json::to_string(&*RELEASE).unwrap();
        let mut ask = ask(call).with(OWNER);
        if operation == "importRelease" {
            ask.body = &whole;
        }
        let (app, node) = app_of(Noting {
            data_class: DataClass::Personal,
            ..under(PolicyEffect::Deny, known)
        });
        let (status, body) = ask.send(&app).await;
        let asked = node.asked();
        assert_eq!(
            status,
            StatusCode::FORBIDDEN,
            "{operation}: {body} {asked:?}"
        );
        assert!(body.contains("policy_denied"), "{operation}: {body}");
        let refused = node.refused.lock().unwrap();
        let own = refused[0].judgement.findings.last().unwrap();
        assert_eq!(own.held, Held::Yes, "{operation}: {:?}", own.attributes);
    }
}

#[tokio::test]
async fn what_is_about_all_systems_is_about_each() {
    let everything = |path, body| Ask::post(path, body);
    for ask in [
        everything(
            "/api/v1/silences",
            r#"{"seconds":60,"reason":"a load test"}"#,
        ),
        everything(
            "/api/v1/audit/holds",
            r#"{"kind":"legal","reason":"case 7"}"#,
        ),
    ] {
        let mut node = under(PolicyEffect::Deny, "resource.stakes == 'high'");
        let low = SystemSummary {
            name: plimsoll_core::SystemName::new("a-low-one").unwrap(),
            ..node.systems[0].clone()
        };
        node.systems.insert(0, low);
        let (app, node) = app_of(node);
        assert_eq!(ask.refused(&app).await, "policy_denied");
        assert_eq!(node.refused.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_is_not_known_counts_as_what_is_guarded_most() {
    let labels = r#"{"labels":[{"decision":"01J9ZC6T7R8Y3V5W1X2Q4K0M9N","value":true}]}"#;
    for (path, body) in [
        ("/api/v1/labels", labels),
        ("/api/v1/silences/01ZZ/lift", ""),
        ("/api/v1/audit/holds/01ZZ/lift", r#"{"reason":"because"}"#),
    ] {
        let (app, _) = app_of(Noting {
            knows_nothing: true,
            ..under(
                PolicyEffect::Deny,
                "resource.stakes == 'high' && resource.system == ''",
            )
        });
        let refused = Ask::post(path, body).refused(&app).await;
        assert_eq!(refused, "policy_denied", "{path}");
    }
    // A database that is away tells nothing, and lets nobody through.
    let away = Noting {
        decision: None,
        ..under(PolicyEffect::Deny, "resource.stakes == 'low'")
    };
    let (app, node) = app_of(away);
    assert_eq!(
        Ask::post("/api/v1/labels", labels).refused(&app).await,
        "store_unavailable"
    );
    assert!(node.asked().iter().all(|asked| only_looks(asked)));
}

#[tokio::test]
async fn a_decision_of_which_nothing_is_known_is_erased_as_what_is_guarded_most() {
    let (app, node) = app_of(Noting {
        unknown: Some("01J9ZC6T7R8Y3V5W1X2Q4K0M9N".parse().unwrap()),
        ..under(
            PolicyEffect::Deny,
            "resource.data_class == 'special' && resource.system == ''",
        )
    });
    let body = r#"{"subject":"4711","basis":"b"}"#;
    let refused = Ask::post("/api/v1/audit/erasures", body).refused(&app);
    assert_eq!(refused.await, "policy_denied");
    assert_eq!(node.asked(), ["erasable b"]);
}

#[tokio::test]
async fn what_is_lifted_is_what_was_judged_on_however_its_id_is_written() {
    let reason = r#"{"reason":"because"}"#;
    for (path, body, lifted) in [
        (
            "/api/v1/silences/01j9/lift",
            "",
            "lift silence 01J9ZC6T7R8Y3V5W1X2Q4K0M9N operator",
        ),
        (
            "/api/v1/audit/holds/01j9./lift",
            reason,
            "lift 01J9ZC6T7R8Y3V5W1X2Q4K0M9N operator: because",
        ),
    ] {
        let (app, node) = app_of(theirs());
        assert_eq!(
            Ask::post(path, body).refused(&app).await,
            "store_unavailable"
        );
        assert_eq!(node.asked().last().map(String::as_str), Some(lifted));
        let (app, _) = app_of(under(PolicyEffect::Deny, "resource.author == 'ada'"));
        assert_eq!(Ask::post(path, body).refused(&app).await, "policy_denied");
    }
}

#[tokio::test]
async fn a_release_to_go_back_to_is_named_where_a_policy_asks_who_made_it() {
    let back = |body| Ask::post("/api/v1/systems/x/rollback", body);
    let node = || {
        under(
            PolicyEffect::Deny,
            "resource == {} || resource.author == 'ada'",
        )
    };
    let (app, _) = app_of(node());
    let named = back(r#"{"reason":"because","to":"3f9"}"#);
    assert_eq!(named.refused(&app).await, "policy_denied");
    let (app, node) = app_of(node());
    let (status, body) = back(r#"{"reason":"because"}"#).send(&app).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    assert!(node.asked().is_empty());
}

#[tokio::test]
async fn a_policy_that_lets_through_changes_nothing() {
    for call in CALLS.iter().filter(|call| route(call).action.is_some()) {
        let (app, node) = app_of(under(PolicyEffect::Allow, "true"));
        let (status, body) = ask(call).with(OWNER).send(&app).await;
        assert_ne!(status, StatusCode::FORBIDDEN, "{}: {body}", call.path);
        assert!(node.refused.lock().unwrap().is_empty(), "{}", call.path);
    }
}

const PAYLOAD: &str = "/api/v1/decisions/01KK/payload?purpose=complaint%207";

#[tokio::test]
async fn a_reading_is_decided_on_what_is_read_by_whom_and_what_for() {
    for (when, denied) in [
        ("purpose == 'complaint 7'", true),
        ("purpose != 'complaint 7'", false),
        ("resource.tenant == 'acme' && resource.system == 'x'", true),
        ("resource.stakes == 'high'", true),
        ("resource.data_class == 'personal'", true),
        ("resource.data_class == 'public'", false),
        ("environment == 'staging'", false),
        ("actor.name == 'udo' && actor.kind == 'operator'", true),
        ("actor.roles == ['auditor']", true),
        ("action.name == 'get_payload'", true),
        ("resource.age_days > 1", false),
        ("time.date == '1970-01-01'", true),
    ] {
        let (app, node) = app_of(Noting {
            data_class: DataClass::Personal,
            ..under(PolicyEffect::Deny, when)
        });
        let ask = Ask::get(PAYLOAD).with("token-of-udo");
        let (status, body) = ask.send(&app).await;
        assert_eq!(status == StatusCode::FORBIDDEN, denied, "{when}: {body}");
        assert_eq!(body.contains(SECRET), !denied, "{when}: {body}");
        assert_eq!(node.refused.lock().unwrap().len(), usize::from(denied));
    }
}

#[tokio::test]
async fn a_refusal_says_what_was_looked_at_and_is_recorded_whole() {
    let (app, node) = app_of(under(PolicyEffect::Deny, "purpose != 'audit'"));
    let (_, body) = Ask::get(PAYLOAD).with("token-of-udo").send(&app).await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body["error"]["message"],
        "policy `own` denies it: a test; purpose is \"complaint 7\""
    );
    let refused = node.refused.lock().unwrap();
    let refusal = &refused[0];
    assert_eq!(
        (refusal.actor.as_str(), refusal.kind),
        ("udo", ActorKind::Operator)
    );
    assert_eq!(refusal.purpose.as_deref(), Some("complaint 7"));
    assert!(refusal.decision.is_some() && refusal.tenant.is_some());
    let own = refusal.judgement.findings.last().unwrap();
    assert_eq!(
        (own.held, &own.attributes["purpose"]),
        (Held::Yes, &"complaint 7".into())
    );
}

#[tokio::test]
async fn data_of_a_special_category_is_read_by_people_who_are_known() {
    let node = || Noting {
        data_class: DataClass::Special,
        ..theirs()
    };
    let (app, _) = app_of(node());
    let by_owner = Ask::get(PAYLOAD).acting("ada").send(&app).await;
    assert!(
        by_owner.1.contains("plimsoll/special-data"),
        "{}",
        by_owner.1
    );
    let by_udo = Ask::get(PAYLOAD).with("token-of-udo").send(&app).await;
    assert_eq!(by_udo.0, StatusCode::OK, "{}", by_udo.1);
}

#[tokio::test]
async fn the_author_of_a_release_is_known_where_a_policy_asks_for_them() {
    // The node has no release to tell the author of: the deployment waits for nobody unless it must.
    let deploy = Ask::post("/api/v1/systems/x/deployments", r#"{"release":"3f9"}"#);
    let under = |effect, when| Noting {
        release: None,
        ..under(effect, when)
    };
    let (app, node) = app_of(under(PolicyEffect::Deny, "resource.author == actor.name"));
    assert_eq!(deploy.refused(&app).await, "store_unavailable");
    assert_eq!(node.asked(), ["release 3f9"]);
    let (app, node) = app_of(under(PolicyEffect::Deny, "purpose == 'x'"));
    assert_eq!(deploy.refused(&app).await, "store_unavailable");
    assert_eq!(node.asked(), ["deploy x 3f9 Stable operator"]);
}

#[tokio::test]
async fn a_purpose_may_stand_in_a_header() {
    use axum::body::Body;
    use tower::ServiceExt as _;
    for (header, status, purpose) in [
        ("audit 4", 200, Some("access explain operator: audit 4")),
        ("", 400, None),
        ("a\tb", 200, Some("access explain operator: a\tb")),
    ] {
        let (app, node) = app_of(theirs());
        let request = http::Request::get("/api/v1/decisions/01KK/payload")
            .header("authorization", format!("Bearer {OWNER}"))
            .header("plimsoll-purpose", header)
            .body(Body::empty())
            .unwrap();
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{header:?}");
        let asked = node.asked();
        let access = asked.iter().find(|what| what.starts_with("access"));
        assert_eq!(access.map(String::as_str), purpose);
    }
}
