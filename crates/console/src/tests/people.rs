//! People sign in, act under their own names, and are signed out.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use plimsoll_core::account::AccountState;
use plimsoll_core::{Clock, KeyName, ManualClock, Role, Secret, Timestamp};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::node::Noting;
use super::{Ask, OWNER, named};
use crate::*;

const PASSWORD: &str = "correct horse battery";
const SESSION: &str = "/api/v1/session";
const DRILLS: &str = "/api/v1/systems/x/drills";

/// Hashing takes its time on purpose: once is enough.
static HASH: LazyLock<PasswordHash> =
    LazyLock::new(|| PasswordHash::of(&Secret::new(PASSWORD.into())));

/// One account: `ursula`, who looks on.
pub(super) fn ursula(clock: Arc<dyn Clock>) -> Arc<People> {
    let at = Timestamp::from_micros(1);
    let account = Account {
        name: KeyName::new("ursula").unwrap(),
        roles: [Role::Viewer].into(),
        tenant: None,
        password: HASH.clone(),
        state: AccountState::Active,
        created_at: at,
        password_at: at,
    };
    Arc::new(People::new(vec![account], clock))
}

struct Place {
    app: Router,
    node: Arc<Noting>,
    clock: Arc<ManualClock>,
    people: Arc<People>,
}

fn place() -> Place {
    place_with(Noting::default())
}

fn place_with(node: Noting) -> Place {
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_000_000)));
    let node = Arc::new(node);
    let owner = OperatorToken::new(&Secret::new(OWNER.into()));
    let people = ursula(Arc::clone(&clock) as _);
    let operators = Operators::new(owner, &named()).or_people(Arc::clone(&people));
    let app = router(Arc::clone(&node) as _, operators);
    Place {
        app,
        node,
        clock,
        people,
    }
}

struct Answered {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answered {
    fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    fn cookie(&self) -> String {
        let cookie = self.headers["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}

impl Place {
    async fn ask(
        &self,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answered {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = request.body(Body::from(body)).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answered {
            status: head.status.as_u16(),
            headers: head.headers,
            body: serde_json::from_slice(&bytes).unwrap(),
        }
    }

    async fn sign_in(&self, user: &str, password: &str) -> Answered {
        let body = json!({"user": user, "password": password});
        let headers = [
            ("content-type", "application/json"),
            ("host", "127.0.0.1:8081"),
        ];
        self.ask(("POST", SESSION), &headers, &body).await
    }

    /// The cookie and the token of somebody who signed in.
    async fn signed_in(&self) -> (String, String) {
        let answered = self.sign_in("ursula", PASSWORD).await;
        assert_eq!(answered.status, 200, "{}", answered.body);
        let csrf = answered.body["csrf"].as_str().unwrap().to_owned();
        (answered.cookie(), csrf)
    }

    async fn who(&self, cookie: &str) -> u16 {
        let headers = [("cookie", cookie)];
        let who = self.ask(("GET", SESSION), &headers, &Value::Null);
        who.await.status
    }
}

#[tokio::test]
async fn whoever_signs_in_acts_under_their_own_name_with_their_own_roles() {
    let place = place();
    let (cookie, csrf) = place.signed_in().await;
    let headers = [("cookie", cookie.as_str()), ("plimsoll-actor", "ada")];
    let who = place.ask(("GET", SESSION), &headers, &Value::Null).await;
    assert_eq!(
        who.body,
        json!({"name": "ursula", "display": null, "kind": "user", "roles": ["viewer"], "tenant": null, "csrf": csrf})
    );
    let with_csrf = [headers[0], headers[1], ("plimsoll-csrf", csrf.as_str())];
    let drill = place.ask(("POST", DRILLS), &with_csrf, &json!({})).await;
    assert_eq!((drill.status, drill.code()), (403, "role_missing"));
    assert_eq!(place.node.asked(), ["account ursula SignedIn by ursula"]);
}

#[tokio::test]
async fn a_change_needs_the_sessions_token_beside_the_cookie() {
    let place = place();
    let (cookie, csrf) = place.signed_in().await;
    let end = ("POST", "/api/v1/session/end");
    let (_, of_another) = place.signed_in().await;
    for wrong in [
        None,
        Some(""),
        Some("x"),
        Some(&csrf[1..]),
        Some(of_another.as_str()),
    ] {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend(wrong.map(|wrong| ("plimsoll-csrf", wrong)));
        let refused = place.ask(end, &headers, &Value::Null).await;
        assert_eq!(
            (refused.status, refused.code()),
            (403, "csrf_failed"),
            "{wrong:?}"
        );
    }
    assert_eq!(place.who(&cookie).await, 200);
    let headers = [
        ("cookie", cookie.as_str()),
        ("plimsoll-csrf", csrf.as_str()),
    ];
    let ended = place.ask(end, &headers, &Value::Null).await;
    assert_eq!(ended.body, json!({"signed_out": true}));
    assert!(
        ended.headers["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(place.who(&cookie).await, 401);
    let last = place.node.asked().pop().unwrap();
    assert_eq!(last, "account ursula SignedOut by ursula");
}

#[tokio::test]
async fn the_cookie_is_for_this_site_alone_and_no_script_reads_it() {
    let place = place();
    let body = json!({"user": "ursula", "password": PASSWORD});
    for (host, secure) in [
        ("127.0.0.1:8081", false),
        ("localhost", false),
        ("[::1]:8081", false),
        ("plimsoll.example.com", true),
        ("localhost.example.com", true),
        ("127.0.0.1.example.com", true),
    ] {
        let headers = [("content-type", "application/json"), ("host", host)];
        let answered = place.ask(("POST", SESSION), &headers, &body).await;
        let cookie = answered.headers["set-cookie"].to_str().unwrap();
        assert!(
            cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict"),
            "{cookie}"
        );
        assert!(cookie.contains("; Path=/;"), "{cookie}");
        assert_eq!(cookie.contains("; Secure"), secure, "{host}: {cookie}");
        assert_eq!(answered.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn the_cookie_goes_over_tls_alone_once_somebody_says_that_there_is_tls() {
    let place = place();
    let body = json!({"user": "ursula", "password": PASSWORD});
    for (name, value, secure) in [
        ("x-forwarded-proto", "https", true),
        ("x-forwarded-proto", "http, HTTPS", true),
        ("x-forwarded-proto", "http", false),
        (
            "forwarded",
            "for=192.0.2.60;proto=https;by=203.0.113.43",
            true,
        ),
        (
            "forwarded",
            "for=192.0.2.60, for=192.0.2.61; Proto=\"https\"",
            true,
        ),
        ("forwarded", "for=192.0.2.60;proto=http;host=https", false),
        ("origin", "https://plimsoll.example.com", true),
        ("origin", "http://localhost:8081", false),
        ("origin", "null", false),
    ] {
        let headers = [
            ("content-type", "application/json"),
            ("host", "127.0.0.1:8081"),
            (name, value),
        ];
        let answered = place.ask(("POST", SESSION), &headers, &body).await;
        let cookie = answered.headers["set-cookie"].to_str().unwrap();
        assert_eq!(cookie.contains("; Secure"), secure, "{name}: {value}");
    }
}

#[tokio::test]
async fn who_is_nobody_and_who_is_wrong_are_told_the_same() {
    let place = place();
    let wrong = place.sign_in("ursula", "another horse battery").await;
    let nobody = place.sign_in("nobody-at-all", PASSWORD).await;
    assert_eq!((wrong.status, wrong.code()), (401, "sign_in_failed"));
    assert_eq!(wrong.body, nobody.body);
    assert!(!wrong.headers.contains_key("set-cookie"));
    // What was typed as a name may have been a password: it is recorded nowhere.
    assert_eq!(
        place.node.asked(),
        [
            "account ursula SignInFailed by ursula",
            "account nobody SignInFailed by nobody"
        ]
    );
}

#[tokio::test]
async fn a_name_is_tried_a_bounded_number_of_times_whether_it_is_somebodys_or_not() {
    let place = place();
    for _ in 0..10 {
        assert_eq!(place.sign_in("ursula", "x").await.status, 401);
        assert_eq!(place.sign_in("nobody-at-all", "x").await.status, 401);
    }
    let refused = place.sign_in("ursula", PASSWORD).await;
    assert_eq!((refused.status, refused.code()), (429, "too_many_tries"));
    let nobody = place.sign_in("nobody-at-all", PASSWORD).await;
    assert_eq!((nobody.status, &nobody.body), (429, &refused.body));
    assert_eq!(
        nobody.headers["retry-after"],
        refused.headers["retry-after"]
    );
    let seconds: u64 = refused.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(seconds <= 15 * 60 + 1, "{seconds}");
    place.clock.advance(Duration::from_secs(seconds));
    assert_eq!(place.sign_in("ursula", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_form_of_another_site_signs_nobody_in() {
    let place = place();
    let body = json!({"user": "ursula", "password": PASSWORD});
    for media in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
    ] {
        let headers: Vec<_> = media
            .map(|media| ("content-type", media))
            .into_iter()
            .collect();
        let refused = place.ask(("POST", SESSION), &headers, &body).await;
        assert_eq!(refused.status, 400, "{media:?}");
    }
    assert!(place.node.asked().is_empty());
}

#[tokio::test]
async fn a_session_ends_when_nothing_is_asked_for_half_an_hour() {
    let place = place();
    let (cookie, _) = place.signed_in().await;
    place.clock.advance(Duration::from_secs(29 * 60));
    assert_eq!(place.who(&cookie).await, 200);
    place.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(place.who(&cookie).await, 401);
}

#[tokio::test]
async fn two_sessions_at_once_are_none_and_a_token_comes_first() {
    let place = place();
    let (cookie, _) = place.signed_in().await;
    let both = format!("{cookie}; {cookie}");
    assert_eq!(place.who(&both).await, 401);
    let wrong = [
        ("cookie", cookie.as_str()),
        ("authorization", "Bearer wrong"),
    ];
    let refused = place.ask(("GET", SESSION), &wrong, &Value::Null).await;
    assert_eq!(
        refused.status, 401,
        "a wrong token is not made good by a cookie"
    );
}

#[tokio::test]
async fn a_changed_password_and_a_disabled_account_end_every_session() {
    let place = place();
    let other = "another horse battery";
    let owner = [("authorization", "Bearer right")];
    let (cookie, _) = place.signed_in().await;
    let path = "/api/v1/users/ursula/password";
    let set = place
        .ask(("POST", path), &owner, &json!({"password": other}))
        .await;
    assert_eq!(set.status, 200, "{}", set.body);
    assert_eq!(place.who(&cookie).await, 401);
    assert_eq!(place.sign_in("ursula", PASSWORD).await.status, 401);
    let signed_in = place.sign_in("ursula", other).await;
    let (cookie, csrf) = (signed_in.cookie(), signed_in.body["csrf"].as_str().unwrap());

    let own = ("POST", "/api/v1/session/password");
    let headers = [("cookie", cookie.as_str()), ("plimsoll-csrf", csrf)];
    let change = |current: &str, password: &str| json!({"current": current, "password": password});
    let wrong = place
        .ask(own, &headers, &change(PASSWORD, "x-horse battery staple"))
        .await;
    assert_eq!((wrong.status, wrong.code()), (401, "sign_in_failed"));
    let short = place.ask(own, &headers, &change(other, "short")).await;
    assert_eq!(short.status, 400, "{}", short.body);
    let changed = place.ask(own, &headers, &change(other, PASSWORD)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(place.who(&cookie).await, 401);

    let (cookie, _) = place.signed_in().await;
    let disabled = place.ask(
        ("POST", "/api/v1/users/ursula/disable"),
        &owner,
        &Value::Null,
    );
    assert_eq!(disabled.await.body["state"], "disabled");
    assert_eq!(place.who(&cookie).await, 401);
    let refused = place.sign_in("ursula", PASSWORD).await;
    assert_eq!((refused.status, refused.code()), (401, "sign_in_failed"));
    let revive = place
        .ask(("POST", path), &owner, &json!({"password": other}))
        .await;
    assert_eq!((revive.status, revive.code()), (409, "user_refused"));
}

#[tokio::test]
async fn of_two_passwords_that_are_set_at_the_same_time_one_is_refused() {
    let place = place();
    let owner = [("authorization", "Bearer right")];
    let path = ("POST", "/api/v1/users/ursula/password");
    let passwords = ["another horse battery", "yet another horse battery"];
    let [first, second] = passwords.map(|password| json!({"password": password}));
    let (first, second) = tokio::join!(
        place.ask(path, &owner, &first),
        place.ask(path, &owner, &second)
    );
    let (set, refused, holds) = if first.status == 200 {
        (first, second, passwords[0])
    } else {
        (second, first, passwords[1])
    };
    assert_eq!(set.status, 200, "{}", set.body);
    assert_eq!((refused.status, refused.code()), (409, "user_refused"));
    assert_eq!(place.sign_in("ursula", holds).await.status, 200);
}

#[tokio::test]
async fn an_account_is_disabled_whatever_is_changed_at_the_same_time() {
    let place = place();
    let owner = [("authorization", "Bearer right")];
    let body = json!({"password": "another horse battery"});
    let (set, disabled) = tokio::join!(
        place.ask(("POST", "/api/v1/users/ursula/password"), &owner, &body),
        place.ask(
            ("POST", "/api/v1/users/ursula/disable"),
            &owner,
            &Value::Null
        )
    );
    assert_eq!(disabled.body["state"], "disabled");
    assert_eq!((set.status, set.code()), (409, "user_refused"));
    let refused = place.sign_in("ursula", "another horse battery").await;
    assert_eq!((refused.status, refused.code()), (401, "sign_in_failed"));
}

#[tokio::test]
async fn a_change_of_an_account_that_is_recorded_holds_though_nobody_waits_for_it() {
    let disk = Arc::new(tokio::sync::Semaphore::new(0));
    let place = place_with(Noting {
        disk: Some(Arc::clone(&disk)),
        ..Noting::default()
    });
    let app = place.app.clone();
    let set = |password: &str| {
        Request::post("/api/v1/users/ursula/password")
            .header("authorization", "Bearer right")
            .body(Body::from(json!({"password": password}).to_string()))
            .unwrap()
    };
    let until_asked = async |part: &str| {
        while !place.node.asked().iter().any(|asked| asked.contains(part)) {
            tokio::task::yield_now().await;
        }
    };
    let asking = tokio::spawn(app.clone().oneshot(set("another horse battery")));
    until_asked("PasswordSet").await;
    // The connection is gone while the record is on its way to the disk.
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    // Another change waits until this one is whole: here for ever, as nothing is on disk yet.
    let disable = Request::post("/api/v1/users/ursula/disable")
        .header("authorization", "Bearer right")
        .body(Body::empty())
        .unwrap();
    let disabling = tokio::spawn(app.oneshot(disable));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(
        !place
            .node
            .asked()
            .iter()
            .any(|asked| asked.contains("Disabled"))
    );
    disk.add_permits(1);
    until_asked("keep 1 accounts").await;
    until_asked("Disabled").await;
    let asked = place.node.asked();
    let kept = asked.iter().position(|asked| asked.starts_with("keep"));
    let disabled = asked.iter().position(|asked| asked.contains("Disabled"));
    assert!(kept < disabled, "{asked:?}");
    let verified = place
        .people
        .verify("ursula", Secret::new("another horse battery".into()), None);
    assert_eq!(verified.await, Ok(()), "what the record says is so");
    disk.add_permits(1);
    assert_eq!(disabling.await.unwrap().unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn nobody_makes_somebody_who_may_do_more_than_they() {
    for (token, role, status) in [
        ("token-of-pia", "viewer", 200),
        ("token-of-pia", "platform_admin", 200),
        ("token-of-pia", "operator", 403),
        ("right", "operator", 200),
    ] {
        let place = place();
        let bearer = format!("Bearer {token}");
        let body = json!({"name": "wanda", "roles": [role], "password": PASSWORD});
        let headers = [("authorization", bearer.as_str())];
        let made = place.ask(("POST", "/api/v1/users"), &headers, &body).await;
        assert_eq!(made.status, status, "{token} {role}: {}", made.body);
        assert!(!made.body.to_string().contains("hash"), "{}", made.body);
    }
}

#[tokio::test]
async fn a_name_is_one_persons() {
    let place = place();
    let owner = [("authorization", "Bearer right")];
    for taken in ["ursula", "otto", "owner", "operator"] {
        let body = json!({"name": taken, "roles": ["viewer"], "password": PASSWORD});
        let refused = place.ask(("POST", "/api/v1/users"), &owner, &body).await;
        assert_eq!(
            (refused.status, refused.code()),
            (409, "user_refused"),
            "{taken}"
        );
    }
    let as_her = Ask::post(DRILLS, "").acting("ursula");
    assert_eq!(as_her.refused(&place.app).await, "actor_taken");
    assert!(place.node.asked().is_empty());
}

#[tokio::test]
async fn what_is_said_of_a_user_is_bounded_and_strict() {
    let place = place();
    let owner = [("authorization", "Bearer right")];
    for body in [
        json!({"name": "wanda", "roles": [], "password": PASSWORD}),
        json!({"name": "Wanda!", "roles": ["viewer"], "password": PASSWORD}),
        json!({"name": "wanda", "roles": ["root"], "password": PASSWORD}),
        json!({"name": "wanda", "roles": ["viewer"], "password": "short"}),
        json!({"name": "wanda", "roles": ["viewer"], "password": "x".repeat(300)}),
        json!({"name": "wanda", "roles": ["tenant_admin"], "password": PASSWORD}),
        json!({"name": "wanda", "roles": ["platform_admin"], "tenant": "acme", "password": PASSWORD}),
        json!({"name": "wanda", "roles": ["viewer"], "password": PASSWORD, "hash": "x"}),
    ] {
        let refused = place.ask(("POST", "/api/v1/users"), &owner, &body).await;
        assert_eq!(
            refused.status,
            StatusCode::BAD_REQUEST,
            "{body}: {}",
            refused.body
        );
    }
    assert!(place.node.asked().is_empty());
}
