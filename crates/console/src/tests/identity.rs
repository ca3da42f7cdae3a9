//! People sign in through an identity provider, and nobody else does.

mod groups;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use plimsoll_core::{Clock, ManualClock, Role, Secret, TenantName, Timestamp};
use plimsoll_spec::{Grant, IdentityProvider};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::node::Noting;
use super::provider::{Key, Provider, signed, signed_with_secret};
use super::{Ask, OWNER, named, people};
use crate::*;

const BEGIN: &str = "/api/v1/session/oidc";
const DRILLS: &str = "/api/v1/systems/x/drills";
/// In seconds since 1970.
const NOW: i64 = 1_800_000_000;

struct Place {
    app: Router,
    node: Arc<Noting>,
    clock: Arc<ManualClock>,
    provider: Provider,
    operators: Operators,
    rules: IdentityProvider,
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

    fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    /// The cookie with this name, as it was set.
    fn set(&self, name: &str) -> Option<&str> {
        let all = self.headers.get_all("set-cookie").iter();
        let mut texts = all.filter_map(|value| value.to_str().ok());
        texts.find(|text| text.starts_with(&format!("{name}=")))
    }

    fn session(&self) -> Option<String> {
        let cookie = self.set("plimsoll_session")?;
        cookie.split(';').next().map(str::to_owned)
    }
}

/// Somebody is at the provider.
struct Away {
    cookie: String,
    location: String,
}

impl Away {
    fn sent(&self, name: &str) -> &str {
        let (_, query) = self.location.split_once('?').unwrap();
        let mut pairs = query.split('&');
        let found = pairs.find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        found.unwrap_or_else(|| panic!("no {name} in {}", self.location))
    }
}

fn grant(roles: &[Role], tenants: &[&str]) -> Grant {
    let tenant = |name: &&str| TenantName::new(name).unwrap();
    Grant {
        roles: roles.iter().copied().collect(),
        tenants: tenants.iter().map(tenant).collect(),
    }
}

fn rules(issuer: &str) -> IdentityProvider {
    let groups = [
        ("sre", grant(&[Role::Operator], &[])),
        ("audit", grant(&[Role::Auditor], &[])),
        ("acme admins", grant(&[Role::TenantAdmin], &["acme"])),
        ("agency", grant(&[Role::Reviewer], &["acme", "globex"])),
    ];
    IdentityProvider {
        issuer: issuer.to_owned(),
        client_id: "plimsoll".to_owned(),
        client_secret: Some(Secret::new("the-secret-of-this-client".to_owned())),
        base_url: "https://plimsoll.example.com".to_owned(),
        scopes: vec!["email".to_owned()],
        groups_claim: "groups".to_owned(),
        name_claim: "sub".to_owned(),
        display_claim: "email".to_owned(),
        groups: groups.map(|(name, grant)| (name.to_owned(), grant)).into(),
    }
}

fn key() -> Key {
    Key::new("first", 1)
}

async fn place() -> Place {
    place_of(|_| {}).await
}

async fn place_of(change: impl FnOnce(&mut IdentityProvider)) -> Place {
    let provider = Provider::start(&[&key()]).await;
    let mut rules = rules(&provider.issuer);
    change(&mut rules);
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(NOW * 1_000_000)));
    let node = Arc::new(Noting::default());
    let owner = OperatorToken::new(&Secret::new(OWNER.into()));
    let identity = Identity::new(Some(rules.clone()), Arc::clone(&clock) as _);
    let operators = Operators::new(owner, &named())
        .or_people(people::ursula(Arc::clone(&clock) as _))
        .or_vouched(Arc::new(identity));
    let app = router(Arc::clone(&node) as _, operators.clone());
    Place {
        app,
        node,
        clock,
        provider,
        operators,
        rules,
    }
}

impl Place {
    async fn ask(&self, (method, path): (&str, &str), headers: &[(&str, &str)]) -> Answered {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answered {
            status: head.status.as_u16(),
            headers: head.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    async fn begin(&self, query: &str) -> Away {
        let path = format!("{BEGIN}{query}");
        let begun = self
            .ask(("GET", &path), &[("host", "evil.example.com")])
            .await;
        assert_eq!(begun.status, 303, "{}", begun.body);
        let cookie = begun.set("__Host-plimsoll_login").unwrap();
        Away {
            cookie: cookie.split(';').next().unwrap().to_owned(),
            location: begun.headers["location"].to_str().unwrap().to_owned(),
        }
    }

    /// What a token says that is good.
    fn claims(&self, away: &Away) -> Value {
        let now = self.clock.now().as_micros() / 1_000_000;
        json!({
            "iss": self.provider.issuer, "aud": "plimsoll", "sub": "248289761001",
            "exp": now + 300, "iat": now, "nonce": away.sent("nonce"),
            "email": "ann@example.com", "groups": ["sre", "everybody"],
        })
    }

    /// The provider gives this token to whoever is away.
    async fn come_back_with(&self, away: &Away, token: String) -> Answered {
        let challenge = away.sent("code_challenge").to_owned();
        self.provider
            .set(|script| script.token = Some((token, challenge)));
        self.come_back(away, "").await
    }

    async fn come_back(&self, away: &Away, more: &str) -> Answered {
        let path = format!("{BEGIN}/callback?code=c&state={}{more}", away.sent("state"));
        self.ask(("GET", &path), &[("cookie", &away.cookie)]).await
    }

    /// Somebody in these groups signs in.
    async fn sign_in(&self, query: &str, groups: &[&str]) -> Answered {
        let away = self.begin(query).await;
        let mut claims = self.claims(&away);
        claims["groups"] = json!(groups);
        self.come_back_with(&away, key().sign(&claims)).await
    }

    async fn who(&self, session: &str) -> Answered {
        self.ask(("GET", "/api/v1/session"), &[("cookie", session)])
            .await
    }
}

#[tokio::test]
async fn whoever_the_provider_vouches_for_acts_with_the_roles_of_their_groups() {
    let place = place().await;
    let back = place.sign_in("", &["sre", "everybody"]).await;
    assert_eq!(back.status, 200, "{}", back.body);
    let csrf = back.body["csrf"].as_str().unwrap().to_owned();
    assert_eq!(
        back.body,
        json!({"name": "oidc:248289761001", "display": "ann@example.com", "kind": "user",
            "roles": ["operator"], "tenant": null, "csrf": csrf})
    );
    let session = back.session().unwrap();
    assert_eq!(place.who(&session).await.body, back.body);
    let cookie = [("cookie", session.as_str()), ("plimsoll-actor", "ada")];
    let refused = place.ask(("POST", DRILLS), &cookie).await;
    assert_eq!((refused.status, refused.code()), (403, "csrf_failed"));
    let with_csrf = [cookie[0], cookie[1], ("plimsoll-csrf", csrf.as_str())];
    assert_eq!(place.ask(("POST", DRILLS), &with_csrf).await.status, 200);
    let refused = place.ask(("GET", "/api/v1/users"), &cookie).await;
    assert_eq!((refused.status, refused.code()), (403, "role_missing"));
    let own = place.ask(("POST", "/api/v1/session/password"), &with_csrf);
    assert_eq!(own.await.status, 400);
    let ended = place.ask(("POST", "/api/v1/session/end"), &with_csrf).await;
    assert_eq!(ended.body, json!({"signed_out": true}));
    assert_eq!(place.who(&session).await.status, 401);
    let asked = place.node.asked();
    let [signed_in, drill, signed_out] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    assert!(
        signed_in.starts_with("account oidc:248289761001 SignedInThrough"),
        "{signed_in}"
    );
    for part in [
        "Oidc",
        "ann@example.com",
        "Operator",
        "\"sre\"",
        &place.provider.issuer,
    ] {
        assert!(signed_in.contains(part), "{part} in {signed_in}");
    }
    assert!(
        !signed_in.contains("everybody"),
        "what opens nothing is kept nowhere"
    );
    assert_eq!(drill, "drill x None oidc:248289761001");
    assert_eq!(
        signed_out,
        "account oidc:248289761001 SignedOut by oidc:248289761001"
    );
}

#[tokio::test]
async fn the_way_there_and_back_is_the_operators_whatever_a_caller_says() {
    let place = place().await;
    let away = place.begin("?tenant=acme").await;
    let authorize = format!("{}/authorize?", place.provider.issuer);
    assert!(away.location.starts_with(&authorize), "{}", away.location);
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "plimsoll"),
        ("code_challenge_method", "S256"),
        ("scope", "openid+email"),
        (
            "redirect_uri",
            "https%3A%2F%2Fplimsoll.example.com%2Fapi%2Fv1%2Fsession%2Foidc%2Fcallback",
        ),
    ] {
        assert_eq!(away.sent(name), value);
    }
    for query in [
        "?return_to=https://evil.example.com",
        "?tenant=//evil",
        "?issuer=x",
    ] {
        let refused = place.ask(("GET", &format!("{BEGIN}{query}")), &[]).await;
        assert_eq!(refused.status, 400, "{query}");
        assert!(!refused.headers.contains_key("location"));
    }
    let back = place
        .come_back_with(&away, key().sign(&place.claims(&away)))
        .await;
    assert!(!back.headers.contains_key("location"), "nobody is sent on");
}

#[tokio::test]
async fn the_cookies_are_for_this_site_and_the_one_of_the_way_back_opens_nothing() {
    let place = place().await;
    let begun = place
        .ask(("GET", BEGIN), &[("host", "127.0.0.1:8081")])
        .await;
    let login = begun.set("__Host-plimsoll_login").unwrap();
    let rest = "; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure";
    assert!(login.ends_with(rest), "{login}");
    assert_eq!(begun.headers["cache-control"], "no-store");
    let back = place.sign_in("", &["sre"]).await;
    let session = back.set("plimsoll_session").unwrap();
    let rest = "; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure";
    assert!(session.ends_with(rest), "{session}");
    assert!(
        back.set("__Host-plimsoll_login")
            .unwrap()
            .starts_with("__Host-plimsoll_login=; ")
    );
    assert_eq!(back.headers["referrer-policy"], "no-referrer");
    assert_eq!(back.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn where_there_is_no_tls_the_cookie_of_the_way_back_has_its_plain_name() {
    let place = place_of(|rules| rules.base_url = "http://127.0.0.1:8081".into()).await;
    let host = ("host", "127.0.0.1:8081");
    let begun = place.ask(("GET", BEGIN), &[host]).await;
    let login = begun.set("plimsoll_login").unwrap();
    let rest = "; Path=/api/v1/session/oidc; Max-Age=600; HttpOnly; SameSite=Lax";
    assert!(login.ends_with(rest), "{login}");
    let away = Away {
        cookie: login.split(';').next().unwrap().to_owned(),
        location: begun.headers["location"].to_str().unwrap().to_owned(),
    };
    let path = format!("{BEGIN}/callback?error=x&state={}", away.sent("state"));
    let headers = [host, ("cookie", away.cookie.as_str())];
    let back = place.ask(("GET", &path), &headers).await;
    assert!(back.message().contains("`x`"), "it is known: {}", back.body);
}

/// Makes a token of the claims of one that is good.
type Forge = Box<dyn Fn(Value) -> String>;

async fn lets_nobody_in(hostile: Vec<(&str, Forge)>) {
    let place = place().await;
    for (what, forge) in hostile {
        let away = place.begin("").await;
        let token = forge(place.claims(&away));
        let back = place.come_back_with(&away, token).await;
        let told = (back.status, back.code());
        assert_eq!(told, (401, "sign_in_failed"), "{what}: {}", back.body);
        assert_eq!(back.session(), None, "{what}");
        let last = place.node.asked().pop().unwrap();
        let refused = "account nobody RefusedThrough";
        assert!(last.starts_with(refused), "{what}: {last}");
    }
    let good = place.begin("").await;
    let token = key().sign(&place.claims(&good));
    let back = place.come_back_with(&good, token).await;
    assert_eq!(back.status, 200, "and a good one does: {}", back.body);
}

#[tokio::test]
async fn a_token_that_the_provider_did_not_sign_lets_nobody_in() {
    let unsigned = |header: Value| -> Forge {
        Box::new(move |claims| signed(&header, &claims, |_| Vec::new()))
    };
    let by_secret = |secret: Vec<u8>| -> Forge {
        Box::new(move |claims| signed_with_secret("first", &secret, &claims))
    };
    let by = |kid, seed| -> Forge { Box::new(move |claims| Key::new(kid, seed).sign(&claims)) };
    let swapped = |mut claims: Value| {
        let token = key().sign(&claims);
        claims["groups"] = json!(["sre", "audit"]);
        let other = key().sign(&claims);
        let (body, _) = other.rsplit_once('.').unwrap();
        format!("{body}.{}", token.rsplit_once('.').unwrap().1)
    };
    let client = b"the-secret-of-this-client".to_vec();
    lets_nobody_in(vec![
        (
            "no signature",
            unsigned(json!({"alg": "none", "typ": "JWT"})),
        ),
        (
            "none, named",
            unsigned(json!({"alg": "none", "kid": "first"})),
        ),
        (
            "no signature of EdDSA",
            unsigned(json!({"alg": "EdDSA", "kid": "first"})),
        ),
        (
            "signed with the public key",
            by_secret(key().public().to_vec()),
        ),
        ("signed with the client's secret", by_secret(client)),
        ("signed with another key of the same name", by("first", 9)),
        ("signed with a key that nobody knows", by("other", 9)),
        ("signed for other claims", Box::new(swapped)),
        ("none at all", Box::new(|_| "not.a.token".to_owned())),
    ])
    .await;
}

#[tokio::test]
async fn a_token_that_was_meant_for_something_else_lets_nobody_in() {
    let with = |change: Value| -> Forge {
        Box::new(move |mut claims| {
            for (name, value) in change.as_object().unwrap() {
                claims[name] = value.clone();
            }
            key().sign(&claims)
        })
    };
    let without = |name: &'static str| -> Forge {
        Box::new(move |mut claims| {
            claims.as_object_mut().unwrap().shift_remove(name);
            key().sign(&claims)
        })
    };
    let tomorrow = json!({"iat": NOW + 86_400, "exp": NOW + 90_000});
    let evil = "https://evil.example.com";
    lets_nobody_in(vec![
        ("for another client", with(json!({"aud": "another"}))),
        ("for nobody in particular", without("aud")),
        (
            "for others too",
            with(json!({"aud": ["plimsoll", "another"]})),
        ),
        ("given to another client", with(json!({"azp": "another"}))),
        ("of another issuer", with(json!({"iss": evil}))),
        ("of no issuer", without("iss")),
        ("over", with(json!({"exp": NOW - 60}))),
        ("without an end", without("exp")),
        ("issued tomorrow", with(tomorrow)),
        ("for another sign-in", with(json!({"nonce": "another"}))),
        ("for no sign-in", without("nonce")),
        ("of nobody", without("sub")),
        ("of an empty subject", with(json!({"sub": " "}))),
        (
            "of one that moves a cursor",
            with(json!({"sub": "a\u{1b}[2J"})),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_sign_in_ends_once_in_the_browser_that_began_it() {
    let place = place().await;
    let away = place.begin("").await;
    let first = place
        .come_back_with(&away, key().sign(&place.claims(&away)))
        .await;
    assert_eq!(first.status, 200);
    let tokens = place.provider.asked("token");
    let again = place.come_back(&away, "").await;
    assert_eq!((again.status, again.code()), (401, "sign_in_failed"));
    assert!(again.message().contains("ended already"), "{}", again.body);
    let (mine, theirs) = (place.begin("").await, place.begin("").await);
    let swapped = Away {
        cookie: mine.cookie.clone(),
        location: theirs.location.clone(),
    };
    assert_eq!(place.come_back(&swapped, "").await.code(), "sign_in_failed");
    let no_cookie = Away {
        cookie: "plimsoll_other=x".into(),
        location: mine.location.clone(),
    };
    let planted = Away {
        cookie: mine.cookie.replace("__Host-", ""),
        location: mine.location.clone(),
    };
    assert_eq!(place.come_back(&planted, "").await.code(), "sign_in_failed");
    assert_eq!(
        place.come_back(&no_cookie, "").await.code(),
        "sign_in_failed"
    );
    place.clock.advance(Duration::from_secs(601));
    let late = place.come_back(&mine, "").await;
    assert!(late.message().contains("too long"), "{}", late.body);
    assert_eq!(
        place.provider.asked("token"),
        tokens,
        "the provider was not asked"
    );
    let asked = place.node.asked();
    assert_eq!(
        asked.len(),
        1,
        "what nobody began fills no record: {asked:?}"
    );
}

#[tokio::test]
async fn a_code_is_worth_nothing_without_the_verifier_that_was_promised() {
    let place = place().await;
    let (mine, theirs) = (place.begin("").await, place.begin("").await);
    let token = key().sign(&place.claims(&mine));
    let challenge = theirs.sent("code_challenge").to_owned();
    place
        .provider
        .set(|script| script.token = Some((token, challenge)));
    let back = place.come_back(&mine, "").await;
    assert_eq!((back.status, back.code()), (401, "sign_in_failed"));
    assert!(back.message().contains("`invalid_grant`"), "{}", back.body);
}

#[tokio::test]
async fn what_the_provider_says_instead_of_a_code_is_told_as_far_as_it_is_a_code() {
    let place = place().await;
    for (more, told) in [
        ("&error=access_denied", "`access_denied`"),
        ("&error=%3Cscript%3Ealert(1)", "`scriptalert1`"),
        ("&iss=https://evil.example.com", "another provider"),
    ] {
        let away = place.begin("").await;
        let back = place.come_back(&away, more).await;
        assert_eq!(back.code(), "sign_in_failed");
        assert!(back.message().contains(told), "{}", back.body);
    }
    assert_eq!(place.provider.asked("token"), 0);
    let asked = place.node.asked();
    assert!(asked.is_empty(), "it fills no record: {asked:?}");
}

#[tokio::test]
async fn an_address_may_try_so_often_and_what_brings_no_code_ends_nothing() {
    let place = place().await;
    let away = place.begin("").await;
    let path = format!("{BEGIN}/callback?error=x&state={}", away.sent("state"));
    let tried = async |address: [u8; 4]| {
        let request = Request::get(path.as_str()).header("cookie", away.cookie.as_str());
        let mut request = request.body(Body::empty()).unwrap();
        let from = SocketAddr::from((address, 4_711));
        request.extensions_mut().insert(ConnectInfo(from));
        place.app.clone().oneshot(request).await.unwrap()
    };
    for _ in 0..60 {
        assert_eq!(tried([203, 0, 113, 7]).await.status(), 401);
    }
    let refused = tried([203, 0, 113, 7]).await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(tried([203, 0, 113, 8]).await.status(), 401);
    assert!(place.node.asked().is_empty(), "it fills no record");
    let token = key().sign(&place.claims(&away));
    assert_eq!(place.come_back_with(&away, token).await.status, 200);
}

#[tokio::test]
async fn a_new_key_is_asked_for_and_not_too_often() {
    let place = place().await;
    let newer = Key::new("second", 2);
    let sign_in = async |key: &Key| {
        let away = place.begin("").await;
        let token = key.sign(&place.claims(&away));
        place.come_back_with(&away, token).await.status
    };
    assert_eq!(sign_in(&key()).await, 200);
    assert_eq!(place.provider.asked("jwks"), 1);
    place.provider.name_keys(&[&newer]);
    assert_eq!(sign_in(&newer).await, 401, "asked for a moment ago");
    assert_eq!(place.provider.asked("jwks"), 1);
    place.clock.advance(Duration::from_secs(31));
    assert_eq!(sign_in(&newer).await, 200);
    for _ in 0..5 {
        assert_eq!(sign_in(&Key::new("third", 3)).await, 401);
    }
    assert_eq!(place.provider.asked("jwks"), 2);
    place.clock.advance(Duration::from_secs(3_600));
    assert_eq!(
        sign_in(&key()).await,
        401,
        "a key that is named no longer is good no longer"
    );
}

#[tokio::test]
async fn whoever_goes_away_while_the_provider_is_asked_leaves_nobody_with_old_keys() {
    let place = place().await;
    place.begin("").await;
    place.clock.advance(Duration::from_secs(3_601));
    place
        .provider
        .set(|script| script.slow = Duration::from_millis(300));
    let asked = place.ask(("GET", BEGIN), &[]);
    let left = tokio::time::timeout(Duration::from_millis(50), asked).await;
    assert!(left.is_err(), "nobody waited for the provider");
    place.begin("").await;
    assert_eq!(place.provider.asked("discovery"), 2, "asked to the end");
    assert_eq!(place.provider.asked("jwks"), 2);
}

#[tokio::test]
async fn a_provider_that_is_away_says_so_and_passwords_go_on_working() {
    let place = place().await;
    let away = place.begin("").await;
    place.provider.stop();
    let back = place.come_back(&away, "").await;
    assert_eq!(
        (back.status, back.code()),
        (503, "provider_away"),
        "{}",
        back.body
    );
    place.clock.advance(Duration::from_secs(3_601));
    let begun = place.ask(("GET", BEGIN), &[]).await;
    assert_eq!(
        (begun.status, begun.code()),
        (503, "provider_away"),
        "{}",
        begun.body
    );
    let hint = begun.body["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("password"), "{hint}");
    let password = Request::post("/api/v1/session")
        .header("content-type", "application/json")
        .body(Body::from(
            r#"{"user":"ursula","password":"correct horse battery"}"#,
        ))
        .unwrap();
    let signed_in = place.app.clone().oneshot(password).await.unwrap();
    assert_eq!(signed_in.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_provider_that_answers_what_cannot_be_used_is_away_and_left_alone_for_a_while() {
    for (status, body) in [
        (StatusCode::FOUND, String::new()),
        (StatusCode::INTERNAL_SERVER_ERROR, "{}".into()),
        (StatusCode::OK, "{}".into()),
        (StatusCode::OK, "x".repeat(600_000)),
    ] {
        let place = place().await;
        place
            .provider
            .set(|script| script.broken = Some((status, body)));
        for _ in 0..3 {
            let begun = place.ask(("GET", BEGIN), &[]).await;
            assert_eq!(
                (begun.status, begun.code()),
                (503, "provider_away"),
                "{}",
                begun.body
            );
        }
        assert_eq!(place.provider.asked("discovery"), 1);
        place.provider.set(|script| script.broken = None);
        place.clock.advance(Duration::from_secs(6));
        place.begin("").await;
    }
    for said in [
        json!({"authorization_endpoint": "javascript:alert(1)"}),
        json!({"authorization_endpoint": "ftp://evil.example.com/"}),
    ] {
        let place = place().await;
        place.provider.set(|script| script.said = said);
        let begun = place.ask(("GET", BEGIN), &[]).await;
        assert_eq!(begun.code(), "provider_away", "{}", begun.body);
        assert!(!begun.headers.contains_key("location"));
    }
    let place = place().await;
    place
        .provider
        .set(|script| script.said = json!({"issuer": "https://evil.example.com"}));
    let begun = place.ask(("GET", BEGIN), &[]).await;
    assert_eq!(begun.code(), "provider_away", "{}", begun.body);
    let told = begun.body.to_string();
    for inner in ["127.0.0.1", "evil.example.com"] {
        assert!(!told.contains(inner), "whoever likes is told this: {told}");
    }
}

#[tokio::test]
async fn nobody_else_acts_under_the_name_of_somebody_whom_the_provider_vouches_for() {
    let place = place().await;
    let ask = Ask::post(DRILLS, "").acting("oidc:248289761001");
    assert_eq!(ask.refused(&place.app).await, "actor_taken");
}

#[tokio::test]
async fn a_session_idles_out_and_ends_like_every_other() {
    let place = place().await;
    let session = place.sign_in("", &["sre"]).await.session().unwrap();
    place.clock.advance(Duration::from_secs(29 * 60));
    assert_eq!(place.who(&session).await.status, 200);
    place.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(place.who(&session).await.status, 401);
}
