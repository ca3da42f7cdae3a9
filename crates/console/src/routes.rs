//! The router, made from the table of routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use http::{Method, Uri};
use plimsoll_core::Code;

use crate::access::{Gate, Operators, require};
use crate::error::ApiError;
use crate::identity::Identity;
use crate::operations::Operations;
use crate::people::People;
use crate::route::Route;
use crate::table::ROUTES;

/// The largest body that is read, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The largest body of an import, in bytes: a release with its parts in base64.
pub const IMPORT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What every handler has at hand.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) operations: Arc<dyn Operations>,
    pub(crate) operators: Operators,
    pub(crate) people: Arc<People>,
    pub(crate) identity: Arc<Identity>,
    /// Whoever holds it may have a bundle in memory.
    pub(crate) bundles: Arc<tokio::sync::Mutex<()>>,
}

/// The control plane, to be served.
pub fn router(operations: Arc<dyn Operations>, operators: impl Into<Operators>) -> Router {
    let operators = operators.into();
    let control = Control {
        operations,
        people: Arc::clone(operators.people()),
        identity: Arc::clone(operators.identity()),
        operators: operators.clone(),
        bundles: Arc::default(),
    };
    let mount = |router: Router<Control>, route: &Route| {
        let mut methods = (route.mount)();
        if !route.open {
            let gate = Gate {
                operators: operators.clone(),
                roles: route.roles,
                reach: route.reach,
                action: route.action,
            };
            methods = methods.route_layer(from_fn_with_state(gate, require));
        }
        router.route(route.path, methods)
    };
    ROUTES
        .iter()
        .fold(Router::new(), mount)
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(control)
}

async fn no_route(uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(200).collect();
    ApiError::of(Code::RouteNotFound, format!("there is no route `{path}`"))
        .hint("GET /api/v1/openapi.json describes them; callers' routes are on the data address")
}

async fn no_method(method: Method) -> ApiError {
    ApiError::of(
        Code::MethodNotAllowed,
        format!("the route does not know method {method}"),
    )
}
