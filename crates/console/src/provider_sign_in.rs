//! `/api/v1/session/oidc`: people sign in through the identity provider.
//!
//! The cookie that binds the way there to the way back is `SameSite=Lax`, as the way back begins on the
//! provider's site, and holds nothing that opens anything. What begins then is the session that a password
//! begins too. Nobody is sent on to another place: whoever comes back is told who they are.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use http::header::{HeaderValue, LOCATION, REFERRER_POLICY};
use http::{HeaderMap, StatusCode};
use plimsoll_core::account::{AccountChange, SignInMethod, Through};
use plimsoll_core::{Code, Role, TenantName};
use serde::Deserialize;
use serde_json::json;

use crate::error::{
    ApiError, NO_PLACE, PROVIDER_AWAY, PROVIDER_MISSING, SIGN_IN_FAILED, TOO_MANY_TRIES,
};
use crate::identity::{LOGIN_LASTS, LoginError, NotIn, SentBack, Vouched};
use crate::reading::{parse, read_query};
use crate::routes::Control;
use crate::sign_in::{
    Cookie, begin_cookie, cookie, goes_over_tls, noted, set_cookie, turned_away, view,
};

/// The cookie's name.
const LOGIN: &str = "plimsoll_login";

/// Its name where it goes over TLS alone: no sibling domain, and nothing that speaks without TLS, can set a
/// cookie of this name.
const HOST_LOGIN: &str = "__Host-plimsoll_login";

/// For whom somebody wants to work.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BeginQuery {
    tenant: Option<String>,
}

/// Sends a browser to the provider.
pub(crate) async fn begin(
    State(control): State<Control>,
    headers: HeaderMap,
    query: Result<Query<BeginQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let tenant: Option<TenantName> = parse("tenant", read_query(query)?.tenant)?;
    let begun = control.identity.begin(tenant).await.map_err(told)?;
    let mut response = StatusCode::SEE_OTHER.into_response();
    let location = HeaderValue::try_from(begun.url);
    let location = location
        .map_err(|_| ApiError::own(PROVIDER_AWAY, "the identity provider's address is none"))?;
    response.headers_mut().insert(LOCATION, location);
    login_cookie(
        &control,
        (&mut response, &headers),
        &begun.cookie,
        LOGIN_LASTS,
    );
    Ok(response)
}

fn login_cookie(
    control: &Control,
    (response, request): (&mut Response, &HeaderMap),
    value: &str,
    lasts: Duration,
) {
    let secure = goes_over_tls(request) || control.identity.is_behind_tls();
    let (name, path) = if secure {
        (HOST_LOGIN, "/")
    } else {
        (LOGIN, "/api/v1/session/oidc")
    };
    let cookie = Cookie {
        name,
        value,
        path,
        lasts,
        same_site: "Lax",
    };
    set_cookie(response, &cookie, secure);
}

/// The login cookie that a browser comes back with: where the workspace says that there is TLS, by no other name.
fn kept<'a>(control: &Control, headers: &'a HeaderMap) -> Option<&'a str> {
    let kept = cookie(headers, HOST_LOGIN);
    if kept.is_some() || control.identity.is_behind_tls() {
        return kept;
    }
    cookie(headers, LOGIN)
}

/// What a provider sends a browser back with. Providers add to it what they like.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct BackQuery {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// Somebody comes back from the provider.
pub(crate) async fn complete(
    State(control): State<Control>,
    from: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    query: Result<Query<BackQuery>, QueryRejection>,
) -> Response {
    let address = from.map(|Extension(ConnectInfo(address))| address.ip());
    let back = match read_query(query) {
        Ok(back) => let_in(&control, &headers, &back, address).await,
        Err(error) => Err(error),
    };
    let mut response = back.unwrap_or_else(ApiError::into_response);
    login_cookie(&control, (&mut response, &headers), "", Duration::ZERO);
    // The code stands in this page's address.
    let referrer = HeaderValue::from_static("no-referrer");
    response.headers_mut().insert(REFERRER_POLICY, referrer);
    response
}

async fn let_in(
    control: &Control,
    headers: &HeaderMap,
    back: &BackQuery,
    address: Option<IpAddr>,
) -> Result<Response, ApiError> {
    let back = SentBack {
        cookie: kept(control, headers),
        state: back.state.as_deref(),
        code: back.code.as_deref(),
        error: back.error.as_deref(),
        issuer: back.iss.as_deref(),
    };
    // Without the cookie nothing is done that could be too much.
    if back.cookie.is_some()
        && let Err(error) = control.people.tries_from(address)
    {
        return Ok(turned_away(error));
    }
    let (vouched, actor) = match control.identity.complete(back).await {
        Ok(known) => known,
        Err(not_in) => {
            if let Some((account, change)) = refusal(&not_in) {
                noted(control, account, change, address).await?;
            }
            return Err(told(not_in));
        }
    };
    let change = AccountChange::SignedInThrough(through(&vouched, actor.roles.iter().copied()));
    // Nobody is signed in without a record of it.
    noted(control, Some(actor.name.clone()), change, address).await?;
    let id = control.people.let_in(vouched);
    let mut response = Json(json!(view(control, &actor, Some(&id)))).into_response();
    begin_cookie(control, (&mut response, headers), &id);
    Ok(response)
}

fn through(vouched: &Vouched, roles: impl IntoIterator<Item = Role>) -> Through {
    Through {
        method: SignInMethod::Oidc,
        issuer: vouched.issuer.clone(),
        subject: vouched.subject.clone(),
        display: vouched.display.clone(),
        groups: vouched.groups.clone(),
        roles: roles.into_iter().collect(),
        tenant: vouched.tenancy.tenant().cloned(),
    }
}

/// What is recorded of somebody who does not come in: nothing of what nobody began here, or of what brings no
/// code, as whoever likes can send that.
fn refusal(not_in: &NotIn) -> Option<(Option<String>, AccountChange)> {
    let (vouched, why) = match not_in {
        NotIn::NoPlace(vouched, why) => (Some(vouched), why),
        NotIn::NotVouched(why) => (None, why),
        NotIn::NoProvider | NotIn::Busy | NotIn::Away | NotIn::NoLogin(_) | NotIn::NoCode(_) => {
            return None;
        }
    };
    let change = AccountChange::RefusedThrough {
        through: vouched.map(|vouched| through(vouched, [])),
        why: why.clone(),
    };
    Some((vouched.map(|vouched| vouched.name.clone()), change))
}

/// What somebody is told who does not come in.
fn told(not_in: NotIn) -> ApiError {
    match not_in {
        NotIn::NoProvider => {
            let message = "the workspace names no identity provider";
            ApiError::own(PROVIDER_MISSING, message)
                .hint("name one as `[oidc]` in plimsoll.toml, or sign in with a password")
        }
        NotIn::Busy => {
            let message = "too many sign in at this moment: try again in a few seconds";
            ApiError::of(Code::TooManyInFlight, message)
        }
        NotIn::Away => {
            let message = "the identity provider does not answer, or not in a way that can be used";
            ApiError::own(PROVIDER_AWAY, message).hint(
                "signing in with a password, and the owner's token, need no provider; the node's log says why",
            )
        }
        NotIn::NoLogin(LoginError::TooMany) => {
            let message =
                "too many signed in through the provider lately: try again in ten minutes";
            ApiError::own(TOO_MANY_TRIES, message)
        }
        NotIn::NoLogin(error) => {
            let message = match error {
                LoginError::Over => "this sign-in took too long",
                LoginError::Ended => "this sign-in ended already",
                LoginError::Unknown | LoginError::TooMany => {
                    "this browser did not begin this sign-in"
                }
            };
            ApiError::own(SIGN_IN_FAILED, message).hint("begin again at /api/v1/session/oidc")
        }
        NotIn::NoCode(why) | NotIn::NotVouched(why) => {
            ApiError::own(SIGN_IN_FAILED, why).hint("begin again at /api/v1/session/oidc")
        }
        NotIn::NoPlace(_, why) => ApiError::own(NO_PLACE, why)
            .hint("`[oidc.groups]` in plimsoll.toml says which groups may do what, and for whom"),
    }
}
