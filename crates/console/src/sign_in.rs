//! `/api/v1/session` and `/api/v1/users`: people sign in, sign out and change their password; whoever rules
//! makes accounts and disables them.
//!
//! The cookie is `HttpOnly` and `SameSite=Strict`, and `Secure` unless the host is this machine by name and
//! nothing says that TLS was spoken before: there is plain HTTP. A form of another site cannot sign anybody in:
//! the body must be said to be JSON.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{
    AsHeaderName, CACHE_CONTROL, CONTENT_TYPE, COOKIE, FORWARDED, HOST, HeaderValue, ORIGIN,
    RETRY_AFTER, SET_COOKIE,
};
use plimsoll_core::access::{ActorKind, Resource};
use plimsoll_core::account::{AccountChange, AccountState};
use plimsoll_core::{Code, Role, Secret};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use tokio::sync::OwnedMutexGuard;

use crate::access::Actor;
use crate::error::{ApiError, ROLE_MISSING, SIGN_IN_FAILED, TOO_MANY_TRIES, USER_REFUSED};
use crate::identity::PREFIX;
use crate::operations::people::{
    OwnPasswordRequest, Password, PasswordRequest, SessionView, SignInRequest, UserRequest,
    UserView,
};
use crate::people::{
    ACCOUNTS_MAX, Account, LASTS, People, SignInError, SignedIn, csrf_token, unfit,
};
use crate::permit::{Asking, Permit};
use crate::reading::{PHRASE_MAX, read_body, said};
use crate::routes::Control;

/// The cookie's name.
const SESSION: &str = "plimsoll_session";

/// What records call those who are nobody in particular, and what would read like a key or a part of us.
const RESERVED: [&str; 3] = ["operator", "owner", "workspace"];

/// The id of the session that a request comes with; none if there are several, as from a sibling domain.
pub(crate) fn session_id(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, SESSION)
}

/// The value of the one cookie with this name.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).iter();
    let pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    let mut found = pairs.filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == wanted).then_some(value)
    });
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// Signs somebody in. Why they could not is not told: only that name and password do not belong together.
pub(crate) async fn sign_in(
    State(control): State<Control>,
    from: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let media = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if media.is_none_or(|media| media.split(';').next() != Some("application/json")) {
        return Err(ApiError::unfit("`content-type` is not application/json"));
    }
    let SignInRequest { user, password } = read_body(body)?;
    said("user", &user, PHRASE_MAX)?;
    let people = &control.people;
    let address = from.map(|Extension(ConnectInfo(address))| address.ip());
    let named = people
        .account(&user)
        .map(|account| account.name.to_string());
    let note = |change| noted(&control, named.clone(), change, address);
    let id = match people.sign_in(&user, password.0, address).await {
        Ok(id) => id,
        Err(SignInError::Wrong) => {
            note(AccountChange::SignInFailed).await?;
            let message = "name and password do not belong together, or the account is disabled";
            return Err(ApiError::own(SIGN_IN_FAILED, message));
        }
        Err(error) => return Ok(turned_away(error)),
    };
    // Nobody is signed in without a record of it.
    if let Err(error) = note(AccountChange::SignedIn).await {
        people.sign_out(&id);
        return Err(error);
    }
    let actor = control.operators.of_session(&id).ok_or_else(|| {
        ApiError::own(
            SIGN_IN_FAILED,
            "the account was changed at this moment: try again",
        )
    })?;
    let mut response = Json(json!(view(&control, &actor, Some(&id)))).into_response();
    begin_cookie(&control, (&mut response, &headers), &id);
    Ok(response)
}

/// The cookie of a session that begins.
pub(crate) fn begin_cookie(
    control: &Control,
    (response, request): (&mut Response, &HeaderMap),
    id: &str,
) {
    let secure = goes_over_tls(request) || control.identity.is_behind_tls();
    set_cookie(response, &session_cookie(id, LASTS), secure);
}

const fn session_cookie(id: &str, lasts: Duration) -> Cookie<'_> {
    Cookie {
        name: SESSION,
        value: id,
        path: "/",
        lasts,
        same_site: "Strict",
    }
}

/// Too many tries, with when to come again.
pub(crate) fn turned_away(error: SignInError) -> Response {
    let SignInError::TooMany(too_many) = error else {
        let busy = "too many sign in at this moment: try again in a few seconds";
        return ApiError::of(Code::TooManyInFlight, busy).into_response();
    };
    let seconds = too_many.retry_after.as_secs() + 1;
    let message = format!("there were too many tries: try again in {seconds} seconds");
    let mut response = ApiError::own(TOO_MANY_TRIES, message).into_response();
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

pub(crate) async fn noted(
    control: &Control,
    account: Option<String>,
    change: AccountChange,
    address: Option<IpAddr>,
) -> Result<(), ApiError> {
    let actor = account.clone().unwrap_or_else(|| "nobody".to_owned());
    let event = (account, change, address.map(|address| address.to_string()));
    control.operations.record_account(event, actor).await
}

/// Who asks.
pub(crate) async fn show(
    State(control): State<Control>,
    Extension(actor): Extension<Actor>,
    headers: HeaderMap,
) -> Json<Value> {
    let id = session_id(&headers).filter(|_| actor.kind == ActorKind::User);
    Json(json!(view(&control, &actor, id)))
}

pub(crate) fn view(control: &Control, actor: &Actor, id: Option<&str>) -> SessionView {
    let signed_in = id.and_then(|id| control.people.of_session(id));
    SessionView {
        name: actor.name.clone(),
        display: match signed_in {
            Some(SignedIn::Vouched(vouched)) => vouched.display.clone(),
            Some(SignedIn::Account(_)) | None => None,
        },
        kind: actor.kind,
        roles: actor.roles.clone(),
        tenant: actor.tenancy.tenant().cloned(),
        csrf: id.map(csrf_token),
    }
}

/// Ends the session, if there is one.
pub(crate) async fn sign_out(
    State(control): State<Control>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = session_id(&headers);
    let ended = id.and_then(|id| control.people.sign_out(id));
    let mut response = Json(json!({"signed_out": ended.is_some()})).into_response();
    let secure = goes_over_tls(&headers) || control.identity.is_behind_tls();
    set_cookie(&mut response, &session_cookie("", Duration::ZERO), secure);
    if ended.is_some() {
        noted(&control, ended, AccountChange::SignedOut, None).await?;
    }
    Ok(response)
}

/// A cookie that no script reads.
pub(crate) struct Cookie<'a> {
    pub(crate) name: &'static str,
    pub(crate) value: &'a str,
    pub(crate) path: &'static str,
    /// For how long; no time at all ends it.
    pub(crate) lasts: Duration,
    /// With which requests of other sites it goes: `Strict` or `Lax`.
    pub(crate) same_site: &'static str,
}

/// Sets a cookie, which goes over TLS alone if it is `secure`. Nothing on the way keeps the answer.
pub(crate) fn set_cookie(response: &mut Response, cookie: &Cookie<'_>, secure: bool) {
    let Cookie {
        name,
        value,
        path,
        lasts,
        same_site,
    } = cookie;
    let (seconds, secure) = (lasts.as_secs(), if secure { "; Secure" } else { "" });
    let cookie = format!(
        "{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}"
    );
    let headers = response.headers_mut();
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        headers.append(SET_COOKIE, cookie);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Whether cookies are for TLS alone: unless the host is this machine by name, and nobody says that there is
/// TLS.
pub(crate) fn goes_over_tls(request: &HeaderMap) -> bool {
    let host = request.get(HOST).and_then(|host| host.to_str().ok());
    !host.is_some_and(is_this_machine) || came_through_tls(request)
}

/// Whether somebody says that the browser speaks TLS: a proxy, which need not pass the `Host` on, or the browser
/// itself. Anybody can say so, and all that comes of it is a cookie that goes over TLS alone.
fn came_through_tls(request: &HeaderMap) -> bool {
    let is_https = |text: &str| text.trim().trim_matches('"').eq_ignore_ascii_case("https");
    let says_proto = |pair: &str| {
        let pair = pair.split_once('=');
        pair.is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("proto") && is_https(value)
        })
    };
    let is_of_https = |origin: &str| origin.split_once("://").is_some_and(|(s, _)| is_https(s));
    texts(request, "x-forwarded-proto").any(|protos| protos.split(',').any(is_https))
        || texts(request, FORWARDED).any(|hops| hops.split([',', ';']).any(says_proto))
        || texts(request, ORIGIN).any(is_of_https)
}

/// All values of a header that are text.
fn texts(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).iter();
    values.filter_map(|value| value.to_str().ok())
}

/// Whether a host, with or without a port, is this machine: browsers reach it without TLS.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost"
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Somebody changes their own password. All their sessions end, this one too.
pub(crate) async fn change_password(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let OwnPasswordRequest { current, password } = read_body(body)?;
    let actor = asking.actor().clone();
    let permit = asking
        .permit_for(&control, actor.tenancy.tenant().cloned())
        .await?;
    if actor.kind != ActorKind::User {
        let message = format!("`{}` did not sign in and has no password here", actor.name);
        return Err(ApiError::unfit(message));
    }
    if actor.name.starts_with(PREFIX) {
        let message = "your password is the identity provider's: change it there";
        return Err(ApiError::unfit(message));
    }
    let seen = known(&control.people, &actor.name)?;
    let verified = control.people.verify(&actor.name, current.0, None).await;
    match verified {
        Ok(()) => {}
        Err(SignInError::Wrong) => {
            return Err(ApiError::own(
                SIGN_IN_FAILED,
                "the current password is another one",
            ));
        }
        Err(error) => return Err(too_busy(error)),
    }
    replace_password(&control, &seen, password, &permit).await
}

fn too_busy(error: SignInError) -> ApiError {
    match error {
        SignInError::TooMany(_) => ApiError::own(TOO_MANY_TRIES, "there were too many tries"),
        SignInError::Busy | SignInError::Wrong => ApiError::of(
            Code::TooManyInFlight,
            "too many passwords are looked at: try again",
        ),
    }
}

/// The accounts.
pub(crate) async fn list(State(control): State<Control>) -> Json<Value> {
    let users: Vec<UserView> = control.people.all().iter().map(UserView::from).collect();
    Json(json!({"users": users}))
}

/// Makes an account.
pub(crate) async fn create(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let request: UserRequest = read_body(body)?;
    check_roles(&request)?;
    may_rule(asking.actor(), &request.roles)?;
    let name = request.name.as_str();
    if RESERVED.contains(&name) || control.operators.is_named(name) {
        let message = format!("`{name}` is somebody already: records could not tell who acts");
        return Err(refused(message));
    }
    let permit = asking.permit_for(&control, request.tenant.clone()).await?;
    let people = Arc::clone(&control.people);
    let one_at_a_time = Arc::clone(&people.changing).lock_owned().await;
    if people.account(name).is_some() {
        let message = format!("there is, or was, a user `{name}`");
        return Err(refused(message).hint("records go on meaning that one: choose another name"));
    }
    if people.all().len() >= ACCOUNTS_MAX {
        return Err(refused(format!("there are {ACCOUNTS_MAX} accounts")));
    }
    let password = fit(&control, request.password, name).await?;
    let now = control.operations.grounds().now;
    let account = Account {
        name: request.name,
        roles: request.roles.clone(),
        tenant: request.tenant.clone(),
        password,
        state: AccountState::Active,
        created_at: now,
        password_at: now,
    };
    let created = AccountChange::Created {
        roles: request.roles,
        tenant: request.tenant,
    };
    keep(&control, one_at_a_time, (account, created), &permit).await
}

/// Sets somebody's password; whoever was signed in to the account is so no longer.
pub(crate) async fn set_password(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(user): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let PasswordRequest { password } = read_body(body)?;
    let seen = known(&control.people, &user)?;
    // Whoever sets a password can act as that person.
    may_rule(asking.actor(), &seen.roles)?;
    let permit = asking.permit_with(&control, of(&seen)).await?;
    replace_password(&control, &seen, password, &permit).await
}

/// Nobody may sign in to the account any more, and whoever is, is so no longer.
pub(crate) async fn disable(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(user): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let resource = of(&known(&control.people, &user)?);
    let permit = asking.permit_with(&control, resource).await?;
    let people = Arc::clone(&control.people);
    let one_at_a_time = Arc::clone(&people.changing).lock_owned().await;
    let mut account = changeable(&people, &user)?;
    account.state = AccountState::Disabled;
    let change = (account, AccountChange::Disabled);
    keep(&control, one_at_a_time, change, &permit).await
}

fn of(account: &Account) -> Resource {
    Resource {
        tenant: account.tenant.clone(),
        ..Resource::default()
    }
}

fn known(people: &People, name: &str) -> Result<Account, ApiError> {
    let shown: String = name.chars().take(80).collect();
    let missing = || ApiError::no_user(format!("there is no user `{shown}`"));
    people.account(name).ok_or_else(missing)
}

/// The account with this name, which is not disabled.
fn changeable(people: &People, name: &str) -> Result<Account, ApiError> {
    let account = known(people, name)?;
    if account.state == AccountState::Disabled {
        let message = format!("user `{}` is disabled for ever", account.name);
        return Err(refused(message).hint("make another account, under another name"));
    }
    Ok(account)
}

/// Sets the password of an account that still has the one that was `seen`: a change that was decided on before
/// another one does not undo it.
async fn replace_password(
    control: &Control,
    seen: &Account,
    password: Password,
    permit: &Permit,
) -> Result<Json<Value>, ApiError> {
    let name = seen.name.as_str();
    let password = fit(control, password, name).await?;
    let people = Arc::clone(&control.people);
    let one_at_a_time = Arc::clone(&people.changing).lock_owned().await;
    let mut account = changeable(&people, name)?;
    if account.password != seen.password {
        let message = format!("the password of user `{name}` was set by another at this moment");
        return Err(refused(message).hint("look again whether it still has to be set"));
    }
    account.password = password;
    account.password_at = control.operations.grounds().now;
    let change = (account, AccountChange::PasswordSet);
    keep(control, one_at_a_time, change, permit).await
}

async fn fit(
    control: &Control,
    Password(password): Password,
    name: &str,
) -> Result<crate::people::PasswordHash, ApiError> {
    if let Some(why) = unfit(&password, name) {
        return Err(ApiError::unfit(why));
    }
    let secret = Secret::new(password.expose().to_owned());
    control.people.hash(secret).await.map_err(too_busy)
}

/// Recorded, then held, then kept: a change that is told holds, and one that could not be kept says so. It goes
/// to its end whether or not whoever asked is still there, and no other one begins before: what the record says
/// is so.
async fn keep(
    control: &Control,
    one_at_a_time: OwnedMutexGuard<()>,
    (account, change): (Account, AccountChange),
    permit: &Permit,
) -> Result<Json<Value>, ApiError> {
    let (control, permit) = (control.clone(), permit.clone());
    let keeping = tokio::spawn(async move {
        let _one_at_a_time = one_at_a_time;
        let event = (Some(account.name.to_string()), change, None);
        let actor = permit.actor().to_owned();
        control.operations.record_account(event, actor).await?;
        let all = control.people.with(&account);
        let view = UserView::from(&account);
        control.people.hold(account);
        control.operations.keep_accounts(all, &permit).await?;
        Ok(Json(json!(view)))
    });
    keeping.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a change of an account did not come to its end");
        let message = "the change did not come to its end: look how the account stands";
        Err(ApiError::of(Code::RecordUnavailable, message))
    })
}

fn check_roles(request: &UserRequest) -> Result<(), ApiError> {
    if request.roles.is_empty() {
        return Err(ApiError::unfit(
            "`roles` is empty: the user could do nothing",
        ));
    }
    let rules = request.roles.contains(&Role::PlatformAdmin);
    match (&request.tenant, request.roles.contains(&Role::TenantAdmin)) {
        (None, true) => Err(ApiError::unfit(
            "a tenant's admin works for a tenant: `tenant` is missing",
        )),
        (Some(_), _) if rules => Err(ApiError::unfit(
            "whoever works for one tenant cannot rule over all of them",
        )),
        _ => Ok(()),
    }
}

/// Nobody makes somebody who may do more than they: but looking on, and ruling over one tenant, goes with
/// ruling over all.
fn may_rule(actor: &Actor, roles: &BTreeSet<Role>) -> Result<(), ApiError> {
    let missing = roles.iter().find(|role| {
        !actor.roles.contains(role) && !matches!(role, Role::Viewer | Role::TenantAdmin)
    });
    match missing {
        None => Ok(()),
        Some(role) => {
            let message = format!("`{}` may not give the role {role}", actor.name);
            Err(ApiError::own(ROLE_MISSING, message)
                .hint("somebody gets the roles that whoever makes them has; the owner has all"))
        }
    }
}

fn refused(message: impl Into<String>) -> ApiError {
    ApiError::own(USER_REFUSED, message)
}

/// Whether the session's token stands beside its cookie, as it does with every change of our own pages.
pub(crate) fn checked_csrf(headers: &HeaderMap) -> bool {
    let shown = headers.get("plimsoll-csrf").map(HeaderValue::as_bytes);
    let Some((shown, id)) = shown.zip(session_id(headers)) else {
        return false;
    };
    bool::from(shown.ct_eq(csrf_token(id).as_bytes()))
}
