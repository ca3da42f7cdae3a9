//! The table of routes. A route that is not in it does not exist; its row says who may call it.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use http::{Method, Uri};
use plimsoll_core::Code;

use crate::error::ApiError;
use crate::operations::Operations;
use crate::route::{Parameter, Route, Shape};
use crate::token::{OperatorToken, require};
use crate::{decisions, health, openapi, releases, reviews, systems};

/// The largest body that is read, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What every handler has at hand.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) operations: Arc<dyn Operations>,
    pub(crate) token: OperatorToken,
}

const SYSTEM: Parameter = Parameter::path("system", "The system's name.");
const ID: Parameter = Parameter::path("id", "The id, or the beginning of it.");
const LIMIT: Parameter =
    Parameter::query("limit", "At most so many, up to 1000. Default: 50.").of("integer");

/// A row of the table that takes nothing.
const fn row(
    method: &'static str,
    path: &'static str,
    operation: &'static str,
    summary: &'static str,
    mount: fn() -> axum::routing::MethodRouter<Control>,
) -> Route {
    Route {
        method,
        path,
        open: false,
        operation,
        summary,
        parameters: &[],
        body: None,
        answer: None,
        mount,
    }
}

impl Route {
    const fn open(mut self) -> Self {
        self.open = true;
        self
    }

    const fn takes(mut self, parameters: &'static [Parameter]) -> Self {
        self.parameters = parameters;
        self
    }

    const fn reads(mut self, body: &'static str) -> Self {
        self.body = Some(body);
        self
    }

    const fn gives(mut self, answer: Shape) -> Self {
        self.answer = Some(answer);
        self
    }
}

/// Every route, in the order of the reference.
pub const ROUTES: &[Route] = &[
    // Open to whoever reaches the listener.
    row(
        "GET",
        "/healthz",
        "health",
        "Whether the process answers.",
        || get(health::health),
    )
    .open(),
    row(
        "GET",
        "/readyz",
        "readiness",
        "Whether the node can serve, and what stands in the way.",
        || get(health::readiness),
    )
    .open()
    .gives(Shape::One("Readiness")),
    row(
        "GET",
        "/metrics",
        "metrics",
        "Figures in Prometheus' text format.",
        || get(health::metrics),
    )
    .open(),
    // Systems.
    row(
        "GET",
        "/api/v1/systems",
        "listSystems",
        "The systems of this node.",
        || get(systems::list),
    )
    .gives(Shape::List("systems", "System")),
    row(
        "GET",
        "/api/v1/systems/{system}/bar",
        "getBar",
        "A system held against the bar.",
        || get(systems::bar),
    )
    .takes(&[SYSTEM])
    .gives(Shape::One("Bar")),
    row(
        "POST",
        "/api/v1/systems/{system}/drills",
        "runDrills",
        "Causes a failure, or one of each kind, and tells what happened.",
        || post(systems::drill),
    )
    .takes(&[SYSTEM])
    .reads("DrillRequest")
    .gives(Shape::List("drills", "Drill")),
    row(
        "GET",
        "/api/v1/systems/{system}/runbook",
        "getRunbook",
        "The runbook, step by step.",
        || get(systems::runbook),
    )
    .takes(&[SYSTEM])
    .gives(Shape::One("Runbook")),
    row(
        "POST",
        "/api/v1/systems/{system}/runbook-runs",
        "recordRunbookRun",
        "Records that somebody walked through the runbook.",
        || post(systems::record_runbook_run),
    )
    .takes(&[SYSTEM])
    .reads("RunbookRunRequest")
    .gives(Shape::One("RunbookRun")),
    row(
        "POST",
        "/api/v1/systems/{system}/deployments",
        "deploy",
        "Points the system at a release.",
        || post(releases::deploy),
    )
    .takes(&[SYSTEM])
    .reads("DeploymentRequest")
    .gives(Shape::One("Deployment")),
    // Decisions.
    row(
        "GET",
        "/api/v1/decisions",
        "listDecisions",
        "Decisions, the latest first.",
        || get(decisions::list),
    )
    .takes(&[
        Parameter::query("system", "Of this system."),
        Parameter::query(
            "outcome",
            "That ended like this; `open` for those that did not end yet.",
        ),
        Parameter::query("kind", "Whose first failure was of this kind."),
        Parameter::query(
            "since",
            "Opened at this time (RFC 3339, or a date) or later.",
        ),
        Parameter::query("until", "Opened before this time."),
        Parameter::query(
            "release",
            "That this release answered: its id, or the beginning of it.",
        ),
        Parameter::query("tenant", "Of this tenant."),
        Parameter::query("drills", "Decisions of drills too. Default: false.").of("boolean"),
        LIMIT,
        Parameter::query(
            "before",
            "For the next page: the id of the last decision of this one.",
        ),
    ])
    .gives(Shape::List("decisions", "Decision")),
    row(
        "GET",
        "/api/v1/decisions/{id}",
        "getDecision",
        "One decision.",
        || get(decisions::show),
    )
    .takes(&[ID])
    .gives(Shape::One("Decision")),
    // Reviews.
    row(
        "GET",
        "/api/v1/reviews",
        "listReviews",
        "Open reviews, the soonest due first.",
        || get(reviews::list),
    )
    .takes(&[
        Parameter::query("queue", "Of this queue."),
        Parameter::query("system", "Of this system."),
        LIMIT,
    ])
    .gives(Shape::List("reviews", "Review")),
    row(
        "GET",
        "/api/v1/reviews/{id}",
        "getReview",
        "One review.",
        || get(reviews::show),
    )
    .takes(&[ID])
    .gives(Shape::One("Review")),
    row(
        "POST",
        "/api/v1/reviews/{id}/answer",
        "answerReview",
        "Answers an open review and closes its decision.",
        || post(reviews::answer),
    )
    .takes(&[ID])
    .reads("ReviewAnswer")
    .gives(Shape::One("Decision")),
    // Releases.
    row(
        "GET",
        "/api/v1/releases",
        "listReleases",
        "Releases, the latest first.",
        || get(releases::list),
    )
    .takes(&[Parameter::query("system", "Of this system.")])
    .gives(Shape::List("releases", "Release")),
    row(
        "GET",
        "/api/v1/releases/{id}",
        "getRelease",
        "One release, with its manifest.",
        || get(releases::show),
    )
    .takes(&[ID])
    .gives(Shape::One("Release")),
    // The node.
    row(
        "POST",
        "/api/v1/reload",
        "reload",
        "Reads the workspace again and serves it, if it has no problems.",
        || post(systems::reload),
    )
    .gives(Shape::One("Reload")),
    row(
        "GET",
        "/api/v1/openapi.json",
        "openapi",
        "This document.",
        || get(openapi::show),
    )
    .gives(Shape::One("OpenApi")),
];

/// The control plane, to be served.
pub fn router(operations: Arc<dyn Operations>, token: OperatorToken) -> Router {
    let control = Control { operations, token };
    let mount = |router: Router<Control>, route: &Route| router.route(route.path, (route.mount)());
    let (open, closed): (Vec<&Route>, Vec<&Route>) = ROUTES.iter().partition(|route| route.open);
    let closed = closed.into_iter().fold(Router::new(), mount);
    let closed = closed.route_layer(from_fn_with_state(control.clone(), require));
    open.into_iter()
        .fold(Router::new(), mount)
        .merge(closed)
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
