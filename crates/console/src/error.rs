//! The one shape of errors: `{"error": {"code", "message", "hint"}}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use plimsoll_core::Code;
use plimsoll_core::ports::PortError;
use plimsoll_store::StoreError;
use serde_json::json;

/// Codes that only the control plane has: they are about what operators do, not about decisions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnCode {
    /// The code as it stands on the wire.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// One sentence on what it means.
    pub summary: &'static str,
}

/// No release has this id.
pub(crate) const RELEASE_NOT_FOUND: OwnCode = OwnCode {
    code: "release_not_found",
    status: 404,
    summary: "No release has this id.",
};
/// The system has no runbook.
pub(crate) const RUNBOOK_NOT_FOUND: OwnCode = OwnCode {
    code: "runbook_not_found",
    status: 404,
    summary: "The system has no runbook.",
};
/// Several ids begin like that.
pub(crate) const ID_AMBIGUOUS: OwnCode = OwnCode {
    code: "id_ambiguous",
    status: 400,
    summary: "Several ids begin like that.",
};
/// The answer does not fit.
pub(crate) const ANSWER_UNFIT: OwnCode = OwnCode {
    code: "answer_unfit",
    status: 422,
    summary: "The person's answer does not fit the system's output contract.",
};
/// The deployment may not be made.
pub(crate) const DEPLOYMENT_REFUSED: OwnCode = OwnCode {
    code: "deployment_refused",
    status: 409,
    summary: "The deployment may not be made: approvals are missing, or the release cannot be built.",
};
/// The workspace cannot be used.
pub(crate) const WORKSPACE_UNUSABLE: OwnCode = OwnCode {
    code: "workspace_unusable",
    status: 422,
    summary: "The workspace has problems; the old one goes on serving.",
};

/// The operator's roles do not allow it.
pub(crate) const ROLE_MISSING: OwnCode = OwnCode {
    code: "role_missing",
    status: 403,
    summary: "The operator has none of the roles that may do this.",
};
/// A policy is against it.
pub(crate) const POLICY_DENIED: OwnCode = OwnCode {
    code: "policy_denied",
    status: 403,
    summary: "The operator's roles allow it, and a policy on attributes does not; the refusal is recorded.",
};
/// Name and password do not belong together.
pub(crate) const SIGN_IN_FAILED: OwnCode = OwnCode {
    code: "sign_in_failed",
    status: 401,
    summary: "Name and password do not belong together, the account is disabled, or the identity provider did not vouch for anybody.",
};
/// There is no identity provider.
pub(crate) const PROVIDER_MISSING: OwnCode = OwnCode {
    code: "provider_missing",
    status: 404,
    summary: "The workspace names no identity provider: people sign in with a password.",
};
/// The identity provider does not answer.
pub(crate) const PROVIDER_AWAY: OwnCode = OwnCode {
    code: "provider_away",
    status: 503,
    summary: "The identity provider does not answer, or not in a way that can be used; passwords work all the same.",
};
/// The identity provider vouches for somebody who may work for nobody.
pub(crate) const NO_PLACE: OwnCode = OwnCode {
    code: "no_place",
    status: 403,
    summary: "The identity provider vouches for them, and no group of theirs may do anything here, or for whom they asked to work; it is recorded.",
};
/// Somebody tried to sign in too often.
pub(crate) const TOO_MANY_TRIES: OwnCode = OwnCode {
    code: "too_many_tries",
    status: 429,
    summary: "The account, or the address, tried to sign in too often; `Retry-After` says when to come again.",
};
/// A change without the session's token.
pub(crate) const CSRF_FAILED: OwnCode = OwnCode {
    code: "csrf_failed",
    status: 403,
    summary: "Whoever signed in sends the session's token in `plimsoll-csrf` with each change.",
};
/// The account cannot be made or changed.
pub(crate) const USER_REFUSED: OwnCode = OwnCode {
    code: "user_refused",
    status: 409,
    summary: "The name is taken or was, the account is disabled for ever, or its password was set at this moment.",
};
/// No account has this name.
pub(crate) const USER_NOT_FOUND: OwnCode = OwnCode {
    code: "user_not_found",
    status: 404,
    summary: "No user has this name.",
};
/// What is another tenant's, or everybody's.
pub(crate) const TENANT_FORBIDDEN: OwnCode = OwnCode {
    code: "tenant_forbidden",
    status: 403,
    summary: "The operator works for one tenant, and this is another's or what all share.",
};
/// No tenant has this name.
pub(crate) const TENANT_NOT_FOUND: OwnCode = OwnCode {
    code: "tenant_not_found",
    status: 404,
    summary: "No tenant has this name.",
};
/// No key has this name.
pub(crate) const KEY_NOT_FOUND: OwnCode = OwnCode {
    code: "key_not_found",
    status: 404,
    summary: "The tenant has no key of this name.",
};
/// The key cannot be given, rotated or revoked.
pub(crate) const KEY_REFUSED: OwnCode = OwnCode {
    code: "key_refused",
    status: 409,
    summary: "The name is taken, the key was revoked or has expired, or it is changed in `plimsoll.toml`.",
};
/// Somebody says that they are a named operator, and shows another token.
pub(crate) const ACTOR_TAKEN: OwnCode = OwnCode {
    code: "actor_taken",
    status: 403,
    summary: "The name in `plimsoll-actor` is a named operator's, who acts with a token of their own.",
};
/// No deployment has this id.
pub(crate) const DEPLOYMENT_NOT_FOUND: OwnCode = OwnCode {
    code: "deployment_not_found",
    status: 404,
    summary: "No deployment has this id.",
};
/// No standing hold has this id.
pub(crate) const HOLD_NOT_FOUND: OwnCode = OwnCode {
    code: "hold_not_found",
    status: 404,
    summary: "No hold that stands has this id.",
};
/// The approval may not be given.
pub(crate) const APPROVAL_REFUSED: OwnCode = OwnCode {
    code: "approval_refused",
    status: 409,
    summary: "The approval may not be given: it is the author's own, or was given before.",
};
/// A bundle's bytes are not what they are named.
pub(crate) const BUNDLE_UNFIT: OwnCode = OwnCode {
    code: "bundle_unfit",
    status: 422,
    summary: "The release that was to be imported is not whole: its bytes do not have the digests that name them.",
};
/// The node has no audit log, or it has stopped.
pub(crate) const AUDIT_UNAVAILABLE: OwnCode = OwnCode {
    code: "audit_unavailable",
    status: 503,
    summary: "The node keeps no audit log, or it has stopped, or no checkpoint covers this yet.",
};
/// The node has no such operation.
pub(crate) const NOT_OFFERED: OwnCode = OwnCode {
    code: "not_offered",
    status: 501,
    summary: "This node does not offer the operation.",
};

/// All of them, for the reference.
pub const OWN_CODES: [OwnCode; 27] = [
    SIGN_IN_FAILED,
    PROVIDER_MISSING,
    PROVIDER_AWAY,
    NO_PLACE,
    TOO_MANY_TRIES,
    CSRF_FAILED,
    USER_REFUSED,
    USER_NOT_FOUND,
    ROLE_MISSING,
    POLICY_DENIED,
    TENANT_FORBIDDEN,
    ACTOR_TAKEN,
    TENANT_NOT_FOUND,
    KEY_NOT_FOUND,
    KEY_REFUSED,
    RELEASE_NOT_FOUND,
    DEPLOYMENT_NOT_FOUND,
    RUNBOOK_NOT_FOUND,
    HOLD_NOT_FOUND,
    ID_AMBIGUOUS,
    ANSWER_UNFIT,
    APPROVAL_REFUSED,
    BUNDLE_UNFIT,
    DEPLOYMENT_REFUSED,
    WORKSPACE_UNUSABLE,
    AUDIT_UNAVAILABLE,
    NOT_OFFERED,
];

/// Why an operation was not done.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl ApiError {
    /// An error from the table of codes.
    pub fn of(code: Code, message: impl Into<String>) -> Self {
        Self {
            status: code.status(),
            code: code.as_str(),
            message: message.into(),
            hint: None,
        }
    }

    /// An error of the control plane's own.
    pub fn own(code: OwnCode, message: impl Into<String>) -> Self {
        Self {
            status: code.status,
            code: code.code,
            message: message.into(),
            hint: None,
        }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// No system has this name.
    pub fn no_system(name: &str) -> Self {
        let shown: String = name.chars().take(80).collect();
        Self::of(
            Code::SystemNotFound,
            format!("there is no system `{shown}`"),
        )
        .hint("GET /api/v1/systems lists them")
    }

    /// A parameter or body that does not fit.
    pub fn unfit(message: impl Into<String>) -> Self {
        Self::of(Code::ParameterUnfit, message)
    }

    /// No release has this id.
    pub fn no_release(message: impl Into<String>) -> Self {
        Self::own(RELEASE_NOT_FOUND, message)
    }

    /// No deployment has this id.
    pub fn no_deployment(message: impl Into<String>) -> Self {
        Self::own(DEPLOYMENT_NOT_FOUND, message)
    }

    /// No hold that stands has this id.
    pub fn no_hold(message: impl Into<String>) -> Self {
        Self::own(HOLD_NOT_FOUND, message)
    }

    /// No tenant has this name.
    pub fn no_tenant(message: impl Into<String>) -> Self {
        Self::own(TENANT_NOT_FOUND, message)
    }

    /// No user has this name.
    pub fn no_user(message: impl Into<String>) -> Self {
        Self::own(USER_NOT_FOUND, message)
    }

    /// The tenant has no key of this name.
    pub fn no_key(message: impl Into<String>) -> Self {
        Self::own(KEY_NOT_FOUND, message)
    }

    /// The key cannot be given, rotated or revoked.
    pub fn key_refused(message: impl Into<String>) -> Self {
        Self::own(KEY_REFUSED, message)
    }

    /// The approval may not be given.
    pub fn approval_refused(message: impl Into<String>) -> Self {
        Self::own(APPROVAL_REFUSED, message)
    }

    /// The release that was to be imported is not whole.
    pub fn bundle_unfit(message: impl Into<String>) -> Self {
        Self::own(BUNDLE_UNFIT, message)
    }

    /// Nothing can be proved, now or at all.
    pub fn audit_unavailable(message: impl Into<String>) -> Self {
        Self::own(AUDIT_UNAVAILABLE, message)
    }

    /// The node has no such operation.
    pub fn not_offered(operation: &str) -> Self {
        Self::own(
            NOT_OFFERED,
            format!("this node does not offer `{operation}`"),
        )
    }

    /// The system has no runbook.
    pub fn no_runbook(message: impl Into<String>) -> Self {
        Self::own(RUNBOOK_NOT_FOUND, message)
    }

    /// The person's answer does not fit the output contract.
    pub fn answer_unfit(message: impl Into<String>) -> Self {
        Self::own(ANSWER_UNFIT, message)
    }

    /// The deployment may not be made.
    pub fn deployment_refused(message: impl Into<String>) -> Self {
        Self::own(DEPLOYMENT_REFUSED, message)
    }

    /// The workspace cannot be used.
    pub fn workspace_unusable(message: impl Into<String>) -> Self {
        Self::own(WORKSPACE_UNUSABLE, message)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::NotFound { what: "review", .. } => Self::of(Code::ReviewNotFound, message),
            StoreError::NotFound {
                what: "release", ..
            } => Self::no_release(message),
            StoreError::NotFound {
                what: "deployment", ..
            } => Self::no_deployment(message),
            StoreError::NotFound { what: "hold", .. } => Self::no_hold(message),
            StoreError::NotFound { .. } => Self::of(Code::DecisionNotFound, message),
            StoreError::Ambiguous { .. } => Self::own(ID_AMBIGUOUS, message),
            StoreError::NotAnId { .. } => Self::unfit(message),
            other => {
                log(&other);
                Self::of(Code::StoreUnavailable, message)
            }
        }
    }
}

impl From<PortError> for ApiError {
    fn from(error: PortError) -> Self {
        let message = error.to_string();
        match error {
            PortError::NotFound("review") => Self::of(Code::ReviewNotFound, message),
            PortError::NotFound(_) => Self::of(Code::DecisionNotFound, message),
            PortError::ReviewClosed(_) => Self::of(Code::ReviewClosed, message),
            PortError::Unavailable { .. } | PortError::Keeper(_) => {
                log(&error);
                Self::of(Code::StoreUnavailable, message)
            }
        }
    }
}

/// The cause is for the log: it may name files.
fn log(error: &dyn std::error::Error) {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    tracing::warn!(error = %error, cause, "an operation failed");
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let Self {
            code,
            message,
            hint,
            ..
        } = self;
        let body = json!({"error": {"code": code, "message": message, "hint": hint}});
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = http::HeaderValue::from_static("Bearer realm=\"plimsoll operator\"");
            response
                .headers_mut()
                .insert(http::header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
