//! `/api/v1/tenants` and `/api/v1/keys`: who may ask. Secrets are told once, to whoever made them.

use std::collections::BTreeSet;

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, HeaderValue};
use plimsoll_core::{KeyName, Role, Tenancy, TenantName};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Actor;
use crate::error::{ApiError, ROLE_MISSING};
use crate::operations::keys::{
    GivenKey, KeyRequest, OVERLAP_SECONDS_MAX, RevocationRequest, RotationRequest, TenantRequest,
};
use crate::permit::Asking;
use crate::reading::{PHRASE_MAX, WORDS_MAX, maybe_said, read_body, read_query, said, unfit};
use crate::routes::Control;

/// The tenants that the caller may know of.
pub(crate) async fn tenants(
    State(control): State<Control>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<Value>, ApiError> {
    let tenants = control.operations.tenants(&actor.tenancy).await?;
    Ok(Json(json!({"tenants": tenants})))
}

/// Makes a tenant.
pub(crate) async fn make_tenant(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let request: TenantRequest = read_body(body)?;
    maybe_said("note", request.note.as_deref(), PHRASE_MAX)?;
    let tenant = Some(request.tenant.clone());
    let permit = asking.permit_for(&control, tenant).await?;
    let made = control.operations.make_tenant(request, &permit);
    Ok(Json(json!(made.await?)))
}

/// Which keys.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyQuery {
    tenant: Option<String>,
}

/// The keys that the caller may know of.
pub(crate) async fn list(
    State(control): State<Control>,
    Extension(actor): Extension<Actor>,
    query: Result<Query<KeyQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let tenancy = actor.within(read_query(query)?.tenant)?;
    let keys = control.operations.keys(&tenancy).await?;
    Ok(Json(json!({"keys": keys})))
}

/// Gives a key.
pub(crate) async fn give(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(tenant): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let tenant = tenant_of(asking.actor(), &tenant)?;
    let request: KeyRequest = read_body(body)?;
    may_give(asking.actor(), &request.roles)?;
    if request.systems.as_ref().is_some_and(BTreeSet::is_empty) && request.roles.is_empty() {
        let message = "the key may ask no system and do nothing: name `systems` or `roles`";
        return Err(ApiError::unfit(message));
    }
    let permit = asking.permit_for(&control, Some(tenant.clone())).await?;
    let given = control.operations.give_key(&tenant, request, &permit);
    Ok(told_once(&given.await?))
}

/// Gives a key a new secret.
pub(crate) async fn rotate(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path((tenant, key)): Path<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let (tenant, key) = (tenant_of(asking.actor(), &tenant)?, name_of(&key)?);
    let request: RotationRequest = read_body(body)?;
    if request.overlap_seconds > OVERLAP_SECONDS_MAX {
        let message = format!("`overlap_seconds` is more than {OVERLAP_SECONDS_MAX}: thirty days");
        return Err(ApiError::unfit(message));
    }
    let theirs = Tenancy::Tenant(tenant.clone());
    let keys = control.operations.keys(&theirs);
    // Whoever rotates a key gets its secret, and so all that it may do.
    if let Some(known) = keys.await?.iter().find(|known| known.name == key) {
        may_give(asking.actor(), &known.roles)?;
    }
    let permit = asking.permit_for(&control, Some(tenant.clone())).await?;
    let given = control
        .operations
        .rotate_key(&tenant, &key, request, &permit);
    Ok(told_once(&given.await?))
}

/// Takes a key back.
pub(crate) async fn revoke(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path((tenant, key)): Path<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let (tenant, key) = (tenant_of(asking.actor(), &tenant)?, name_of(&key)?);
    let RevocationRequest { reason } = read_body(body)?;
    said("reason", &reason, WORDS_MAX)?;
    let permit = asking.permit_for(&control, Some(tenant.clone())).await?;
    let revoked = control
        .operations
        .revoke_key(&tenant, &key, reason, &permit);
    Ok(Json(json!(revoked.await?)))
}

/// The tenant that a path names, if it is the caller's to know.
fn tenant_of(actor: &Actor, text: &str) -> Result<TenantName, ApiError> {
    let tenant: TenantName = text.parse().map_err(|error| unfit("tenant", &error))?;
    if actor.tenancy.covers(&tenant) {
        return Ok(tenant);
    }
    Err(actor.not_theirs())
}

fn name_of(text: &str) -> Result<KeyName, ApiError> {
    text.parse().map_err(|error| unfit("key", &error))
}

/// Nobody gives more than they have: what they may do themselves, looking on, and, for who rules over all
/// tenants, ruling over one. No key rules over all: a key is a tenant's.
fn may_give(actor: &Actor, roles: &BTreeSet<Role>) -> Result<(), ApiError> {
    for role in roles {
        let may = match role {
            Role::PlatformAdmin => false,
            Role::Viewer => true,
            Role::TenantAdmin => {
                actor.roles.contains(role) || actor.roles.contains(&Role::PlatformAdmin)
            }
            _ => actor.roles.contains(role),
        };
        if !may {
            let message = format!("`{}` may not give the role {role}", actor.name);
            return Err(ApiError::own(ROLE_MISSING, message)
                .hint("a key gets roles that whoever gives it has, and never platform_admin"));
        }
    }
    Ok(())
}

/// No cache on the way keeps the secret.
fn told_once(given: &GivenKey) -> Response {
    let mut response = Json(json!(given)).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
