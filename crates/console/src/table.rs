//! The table of routes. A route that is not in it does not exist; its row says who may ask.

use axum::routing::{get, post};
use plimsoll_core::access::ControlAction;
use plimsoll_spec::Role;

use crate::route::{Parameter, Route, Shape};
use crate::{
    alerts, audit, datasets, decisions, deployments, evals, health, keys, labels, openapi,
    provider_sign_in, releases, reviews, sign_in, systems,
};

const SYSTEM: Parameter = Parameter::path("system", "The system's name.");
const TENANT: Parameter = Parameter::path("tenant", "The tenant's name.");
const KEY: Parameter = Parameter::path("key", "The key's name.");
const USER: Parameter = Parameter::path("user", "The user's name.");
const ID: Parameter = Parameter::path("id", "The id, or the beginning of it.");
const LIMIT: Parameter =
    Parameter::query("limit", "At most so many, up to 1000. Default: 50.").of("integer");

/// Who changes what a node does.
const OPERATOR: &[Role] = &[Role::Operator];
/// Who answers reviews.
const ANSWERING: &[Role] = &[Role::Operator, Role::Reviewer];
/// Who reads inputs and outputs; each time is recorded.
const READING: &[Role] = &[Role::Operator, Role::Reviewer, Role::Auditor];
/// Who reads the audit log, and says that it was checked.
const AUDITING: &[Role] = &[Role::Operator, Role::Auditor];
/// Who looks at what was deployed without approvals.
const LOOKING_BACK: &[Role] = &[Role::Approver, Role::Auditor];

/// Who gives keys and takes them back.
const KEYS: &[Role] = &[Role::TenantAdmin, Role::PlatformAdmin];
/// Who looks at keys.
const KEEPING: &[Role] = &[Role::TenantAdmin, Role::PlatformAdmin, Role::Auditor];
/// Who looks at the accounts of people.
const KNOWING: &[Role] = &[Role::PlatformAdmin, Role::Auditor];
/// Who makes tenants, and the accounts of people.
const RULING: &[Role] = &[Role::PlatformAdmin];

/// Every route, in the order of the reference.
pub const ROUTES: &[Route] = &[
    // Open to whoever reaches the listener.
    Route::new(
        ("GET", "/healthz"),
        "health",
        "Whether the process answers.",
        || get(health::health),
    )
    .open(),
    Route::new(
        ("GET", "/readyz"),
        "readiness",
        "Whether the node can serve, and what stands in the way.",
        || get(health::readiness),
    )
    .open()
    .gives(Shape::One("Readiness")),
    Route::new(
        ("GET", "/metrics"),
        "metrics",
        "Figures in Prometheus' text format.",
        || get(health::metrics),
    )
    .open(),
    // Systems.
    Route::new(
        ("GET", "/api/v1/systems"),
        "listSystems",
        "The systems of this node.",
        || get(systems::list),
    )
    .gives(Shape::List("systems", "System")),
    Route::new(
        ("GET", "/api/v1/systems/{system}/bar"),
        "getBar",
        "A system held against the bar.",
        || get(systems::bar),
    )
    .takes(&[SYSTEM])
    .gives(Shape::One("Bar")),
    Route::new(
        ("POST", "/api/v1/systems/{system}/drills"),
        "runDrills",
        "Causes a failure, or one of each kind, and tells what happened.",
        || post(systems::drill),
    )
    .decided(ControlAction::RunDrills)
    .by(OPERATOR)
    .takes(&[SYSTEM])
    .reads("DrillRequest")
    .gives(Shape::List("drills", "Drill")),
    Route::new(
        ("GET", "/api/v1/systems/{system}/evals"),
        "listEvals",
        "The runs of evals of a system, the latest first.",
        || get(evals::list),
    )
    .takes(&[SYSTEM, LIMIT])
    .gives(Shape::List("evals", "EvalRun")),
    Route::new(
        ("POST", "/api/v1/systems/{system}/evals"),
        "recordEval",
        "Records what came of a run of an eval.",
        || post(evals::record),
    )
    .decided(ControlAction::RecordEval)
    .by(OPERATOR)
    .takes(&[SYSTEM])
    .reads("EvalRun")
    .gives(Shape::One("EvalRun")),
    Route::new(
        ("POST", "/api/v1/systems/{system}/evals/ask"),
        "askForEval",
        "Asks a case for a run of an eval: the decision counts in no figure of production.",
        || post(evals::ask),
    )
    .decided(ControlAction::AskForEval)
    .by(OPERATOR)
    .takes(&[SYSTEM])
    .reads("EvalQuestion")
    .gives(Shape::One("EvalAnswer")),
    Route::new(
        ("GET", "/api/v1/systems/{system}/datasets"),
        "listDatasets",
        "The sets that were taken out of a system's decisions, the latest first.",
        || get(datasets::list),
    )
    .takes(&[SYSTEM, LIMIT])
    .gives(Shape::List("datasets", "Dataset")),
    Route::new(
        ("POST", "/api/v1/systems/{system}/datasets"),
        "recordDataset",
        "Records that a set was taken out of a system's decisions, as `plimsoll dataset export` does.",
        || post(datasets::record),
    )
    .decided(ControlAction::RecordDataset)
    .by(OPERATOR)
    .takes(&[SYSTEM])
    .reads("Dataset")
    .gives(Shape::One("Dataset")),
    Route::new(
        ("GET", "/api/v1/systems/{system}/runbook"),
        "getRunbook",
        "The runbook, step by step.",
        || get(systems::runbook),
    )
    .takes(&[SYSTEM])
    .gives(Shape::One("Runbook")),
    Route::new(
        ("POST", "/api/v1/systems/{system}/runbook-runs"),
        "recordRunbookRun",
        "Records that somebody walked through the runbook.",
        || post(systems::record_runbook_run),
    )
    .decided(ControlAction::RecordRunbookRun)
    .by(OPERATOR)
    .takes(&[SYSTEM])
    .reads("RunbookRunRequest")
    .gives(Shape::One("RunbookRun")),
    // What stands where.
    Route::new(
        ("GET", "/api/v1/systems/{system}/standing"),
        "getStanding",
        "What stands in the slots of a system.",
        || get(deployments::standing),
    )
    .takes(&[SYSTEM])
    .gives(Shape::One("Standing")),
    Route::new(
        ("GET", "/api/v1/systems/{system}/as-of"),
        "getAsOf",
        "What stood in the slots of a system at a time, and where that is written.",
        || get(deployments::as_of),
    )
    .takes(&[SYSTEM,Parameter::query("at", "When: RFC 3339, or a date or time of day in UTC. It must be given."),Parameter::query("environment", "Where. Default: the environment of this node.")])
    .gives(Shape::One("AsOf")),
    Route::new(
        ("POST", "/api/v1/systems/{system}/deployments"),
        "deploy",
        "Points a slot of the system at a release: the stable one, or a canary with its share.",
        || post(deployments::deploy),
    )
    .decided(ControlAction::Deploy)
    .by(OPERATOR)
    .takes(&[SYSTEM])
    .reads("DeploymentRequest")
    .gives(Shape::One("Deployment")),
    Route::new(
        ("POST", "/api/v1/systems/{system}/rollback"),
        "rollBack",
        "Points the stable slot back at the release before, or at the one that is named.",
        || post(deployments::roll_back),
    )
    .decided(ControlAction::RollBack)
    .by(OPERATOR)
    .takes(&[SYSTEM])
    .reads("RollbackRequest")
    .gives(Shape::One("Deployment")),
    Route::new(
        ("POST", "/api/v1/systems/{system}/halt"),
        "halt",
        "No model of the system is asked any more, on every node.",
        || post(deployments::halt),
    )
    .decided(ControlAction::Halt)
    .by(OPERATOR)
    .takes(&[SYSTEM])
    .reads("InterventionRequest")
    .gives(Shape::One("Deployment")),
    Route::new(
        ("POST", "/api/v1/systems/{system}/fallback"),
        "fallBack",
        "The primary model of the system is asked no more, on every node.",
        || post(deployments::fall_back),
    )
    .decided(ControlAction::FallBack)
    .by(OPERATOR)
    .takes(&[SYSTEM])
    .reads("InterventionRequest")
    .gives(Shape::One("Deployment")),
    Route::new(
        ("POST", "/api/v1/systems/{system}/resume"),
        "resume",
        "The system goes on as usual, on every node.",
        || post(deployments::resume),
    )
    .decided(ControlAction::Resume)
    .by(OPERATOR)
    .takes(&[SYSTEM])
    .reads("InterventionRequest")
    .gives(Shape::One("Deployment")),
    Route::new(
        ("POST", "/api/v1/deployments/{id}/review"),
        "reviewDeployment",
        "Records what somebody says of a deployment that overrode its approvals.",
        || post(deployments::review),
    )
    .decided(ControlAction::ReviewDeployment)
    .by(LOOKING_BACK)
    .takes(&[ID])
    .reads("DeploymentReviewRequest")
    .gives(Shape::One("DeploymentReview")),
    // Decisions.
    Route::new(
        ("GET", "/api/v1/decisions"),
        "listDecisions",
        "Decisions, the latest first.",
        || get(decisions::list),
    )
    .within_tenant()
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
        Parameter::query("drills", "Decisions of drills and evals too. Default: false.").of("boolean"),
        LIMIT,
        Parameter::query(
            "before",
            "For the next page: the id of the last decision of this one.",
        ),
    ])
    .gives(Shape::List("decisions", "Decision")),
    Route::new(
        ("GET", "/api/v1/decisions/{id}"),
        "getDecision",
        "One decision.",
        || get(decisions::show),
    )
    .within_tenant()
    .takes(&[ID])
    .gives(Shape::One("Decision")),
    Route::new(
        ("GET", "/api/v1/decisions/{id}/payload"),
        "getPayload",
        "What is kept of the input and output of a decision. That it was read is recorded before.",
        || get(decisions::payload),
    )
    .decided(ControlAction::GetPayload)
    .within_tenant()
    .by(READING)
    .takes(&[ID,Parameter::query("purpose", "What it is read for. It must be given."),Parameter::query("through", "How: `explain`, `replay` or `export`. Default: explain.")])
    .gives(Shape::One("Payload")),
    Route::new(
        ("GET", "/api/v1/decisions/{id}/proof"),
        "getProof",
        "The proof that the record of a decision is in the audit log.",
        || get(decisions::proof),
    )
    .within_tenant()
    .by(AUDITING)
    .takes(&[ID])
    .gives(Shape::One("Proof")),
    // Monitors and alerts.
    Route::new(
        ("GET", "/api/v1/monitors"),
        "listMonitors",
        "What is watched, and how each monitor stands.",
        || get(alerts::monitors),
    )
    .takes(&[Parameter::query("system", "Of this system.")])
    .gives(Shape::List("monitors", "Monitor")),
    Route::new(
        ("GET", "/api/v1/alarms"),
        "listAlarms",
        "Events of alarms, the latest first.",
        || get(alerts::alarms),
    )
    .takes(&[Parameter::query("system", "Of this system."), LIMIT])
    .gives(Shape::List("alarms", "Alarm")),
    Route::new(
        ("GET", "/api/v1/receivers"),
        "listReceivers",
        "Who is told of alarms.",
        || get(alerts::receivers),
    )
    .gives(Shape::List("receivers", "Receiver")),
    Route::new(
        ("POST", "/api/v1/receivers/test"),
        "testReceiver",
        "Sends a receiver an alert that says that it is a test, and tells what came of it.",
        || post(alerts::test),
    )
    .decided(ControlAction::TestReceiver)
    .by(OPERATOR)
    .reads("TestRequest")
    .gives(Shape::One("TestResult")),
    Route::new(
        ("GET", "/api/v1/silences"),
        "listSilences",
        "The silences that stand.",
        || get(alerts::silences),
    )
    .gives(Shape::List("silences", "Silence")),
    Route::new(
        ("POST", "/api/v1/silences"),
        "silence",
        "Holds alerts back for a while; alarms are raised, recorded and acted on all the same.",
        || post(alerts::silence),
    )
    .decided(ControlAction::Silence)
    .by(OPERATOR)
    .reads("SilenceRequest")
    .gives(Shape::One("Silence")),
    Route::new(
        ("POST", "/api/v1/silences/{id}/lift"),
        "liftSilence",
        "Ends a silence before its time.",
        || post(alerts::lift),
    )
    .decided(ControlAction::LiftSilence)
    .by(OPERATOR)
    .takes(&[ID])
    .gives(Shape::One("Silence")),
    // Labels.
    Route::new(
        ("GET", "/api/v1/labels"),
        "listLabels",
        "Labels, the latest first, those that were corrected too.",
        || get(labels::list),
    )
    .within_tenant()
    .takes(&[
        Parameter::query("system", "About decisions of this system."),
        Parameter::query("decision", "About this decision."),
        Parameter::query("tenant", "Of this tenant."),
        Parameter::query("waiting", "Only those that wait for a decision that nobody knows. Default: false.").of("boolean"),
        LIMIT,
        Parameter::query("before", "For the next page: the id of the last label of this one."),
    ])
    .gives(Shape::List("labels", "Label")),
    Route::new(
        ("POST", "/api/v1/labels"),
        "recordLabels",
        "Records what turned out to be true of decisions: up to 1,000 labels.",
        || post(labels::record),
    )
    .decided(ControlAction::RecordLabels)
    .within_tenant()
    .by(ANSWERING)
    .reads("LabelsRequest")
    .gives(Shape::One("LabelsReport")),
    // Reviews.
    Route::new(
        ("GET", "/api/v1/reviews"),
        "listReviews",
        "Open reviews, the soonest due first, without what was asked.",
        || get(reviews::list),
    )
    .within_tenant()
    .takes(&[
        Parameter::query("queue", "Of this queue."),
        Parameter::query("system", "Of this system."),
        LIMIT,
    ])
    .gives(Shape::List("reviews", "Review")),
    Route::new(
        ("GET", "/api/v1/reviews/{id}"),
        "getReview",
        "One review with what was asked. That it was read is recorded before.",
        || get(reviews::show),
    )
    .decided(ControlAction::GetReview)
    .within_tenant()
    .by(READING)
    .takes(&[
        ID,
        Parameter::query("purpose", "What it is read for. Default: review."),
    ])
    .gives(Shape::One("Review")),
    Route::new(
        ("POST", "/api/v1/reviews/{id}/answer"),
        "answerReview",
        "Answers an open review and closes its decision.",
        || post(reviews::answer),
    )
    .decided(ControlAction::AnswerReview)
    .within_tenant()
    .by(ANSWERING)
    .takes(&[ID])
    .reads("ReviewAnswer")
    .gives(Shape::One("Decision")),
    // Releases.
    Route::new(
        ("GET", "/api/v1/releases"),
        "listReleases",
        "Releases, the latest first.",
        || get(releases::list),
    )
    .takes(&[Parameter::query("system", "Of this system.")])
    .gives(Shape::List("releases", "Release")),
    Route::new(
        ("GET", "/api/v1/releases/{id}"),
        "getRelease",
        "One release, with its manifest.",
        || get(releases::show),
    )
    .takes(&[ID])
    .gives(Shape::One("Release")),
    Route::new(
        ("POST", "/api/v1/systems/{system}/releases"),
        "makeRelease",
        "Makes a release from the files of the workspace as they are, and deploys nothing.",
        || post(releases::make),
    )
    .decided(ControlAction::MakeRelease)
    .by(OPERATOR)
    .takes(&[SYSTEM])
    .reads("ReleaseRequest")
    .gives(Shape::One("Release")),
    Route::new(
        ("GET", "/api/v1/releases/{id}/export"),
        "exportRelease",
        "One release with all its parts.",
        || get(releases::export),
    )
    .takes(&[ID])
    .gives(Shape::One("ReleaseBundle")),
    Route::new(
        ("POST", "/api/v1/releases/import"),
        "importRelease",
        "Takes in a release of another installation. The body may have up to 256 MiB.",
        || post(releases::import),
    )
    .decided(ControlAction::ImportRelease)
    .by(OPERATOR)
    .reads("ReleaseBundle")
    .gives(Shape::One("Release")),
    Route::new(
        ("GET", "/api/v1/releases/{id}/approvals"),
        "getApprovals",
        "Who approved a release, and what its system asks for.",
        || get(releases::approvals),
    )
    .takes(&[ID])
    .gives(Shape::One("Approvals")),
    Route::new(
        ("POST", "/api/v1/releases/{id}/approvals"),
        "approve",
        "Approves a release, in the role that its system asks for: `approver`, unless it says otherwise.",
        || post(releases::approve),
    )
    .decided(ControlAction::Approve)
    .takes(&[ID])
    .reads("ApprovalRequest")
    .gives(Shape::One("Approval")),
    // The audit log.
    Route::new(
        ("GET", "/api/v1/audit/status"),
        "getAuditStatus",
        "How the audit log of this node stands.",
        || get(audit::status),
    )
    .by(AUDITING)
    .gives(Shape::One("AuditStatus")),
    Route::new(
        ("POST", "/api/v1/audit/checkpoint"),
        "awaitCheckpoint",
        "Waits until a signed checkpoint covers what was recorded.",
        || post(audit::checkpoint),
    )
    .decided(ControlAction::AwaitCheckpoint)
    .by(AUDITING)
    .reads("CheckpointRequest")
    .gives(Shape::One("Checkpoint")),
    Route::new(
        ("GET", "/api/v1/audit/accesses"),
        "listAccesses",
        "Who read which payload and what for, and who was refused what by a policy, the latest first.",
        || get(audit::accesses),
    )
    .within_tenant()
    .by(AUDITING)
    .takes(&[Parameter::query("actor", "By this person."),Parameter::query("decision", "Of this decision."),Parameter::query("tenant", "Of what is this tenant's."),Parameter::query("verdict", "That ended like this: `allowed` or `denied`."),Parameter::query("since", "At this time (RFC 3339, or a date) or later."),Parameter::query("until", "Before this time."),LIMIT,Parameter::query("before", "For the next page: the id of the last access of this one.")])
    .gives(Shape::List("accesses", "Access")),
    Route::new(
        ("POST", "/api/v1/audit/erasures"),
        "erase",
        "Erases what is kept of decisions, by authority, or tells what would be erased.",
        || post(audit::erase),
    )
    .decided(ControlAction::Erase)
    .by(OPERATOR)
    .reads("ErasureRequest")
    .gives(Shape::One("ErasureReport")),
    Route::new(
        ("GET", "/api/v1/audit/holds"),
        "listHolds",
        "The holds that stand.",
        || get(audit::holds),
    )
    .by(AUDITING)
    .gives(Shape::List("holds", "Hold")),
    Route::new(
        ("POST", "/api/v1/audit/holds"),
        "placeHold",
        "Places a hold: what it covers is neither erased nor let go.",
        || post(audit::hold),
    )
    .decided(ControlAction::PlaceHold)
    .by(OPERATOR)
    .reads("HoldRequest")
    .gives(Shape::One("Hold")),
    Route::new(
        ("POST", "/api/v1/audit/holds/{id}/lift"),
        "liftHold",
        "Lifts a hold.",
        || post(audit::lift),
    )
    .decided(ControlAction::LiftHold)
    .by(OPERATOR)
    .takes(&[ID])
    .reads("LiftRequest")
    .gives(Shape::One("Hold")),
    Route::new(
        ("POST", "/api/v1/audit/verifications"),
        "recordVerification",
        "Records what somebody found who checked the log of this node.",
        || post(audit::record_verification),
    )
    .decided(ControlAction::RecordVerification)
    .by(AUDITING)
    .reads("VerificationRequest")
    .gives(Shape::One("Verification")),
    // Tenants and keys.
    Route::new(
        ("GET", "/api/v1/tenants"),
        "listTenants",
        "The tenants.",
        || get(keys::tenants),
    )
    .within_tenant()
    .by(KEEPING)
    .gives(Shape::List("tenants", "Tenant")),
    Route::new(
        ("POST", "/api/v1/tenants"),
        "makeTenant",
        "Makes a tenant.",
        || post(keys::make_tenant),
    )
    .decided(ControlAction::MakeTenant)
    .by(RULING)
    .reads("TenantRequest")
    .gives(Shape::One("Tenant")),
    Route::new(
        ("GET", "/api/v1/keys"),
        "listKeys",
        "The keys of callers, by tenant and name; never a secret.",
        || get(keys::list),
    )
    .within_tenant()
    .by(KEEPING)
    .takes(&[Parameter::query("tenant", "Of this tenant.")])
    .gives(Shape::List("keys", "Key")),
    Route::new(
        ("POST", "/api/v1/tenants/{tenant}/keys"),
        "giveKey",
        "Gives a key. Its secret is told this once.",
        || post(keys::give),
    )
    .decided(ControlAction::GiveKey)
    .within_tenant()
    .by(KEYS)
    .takes(&[TENANT])
    .reads("KeyRequest")
    .gives(Shape::One("GivenKey")),
    Route::new(
        ("POST", "/api/v1/tenants/{tenant}/keys/{key}/rotate"),
        "rotateKey",
        "Gives a key a new secret, told this once; the one before stays good for a while.",
        || post(keys::rotate),
    )
    .decided(ControlAction::RotateKey)
    .within_tenant()
    .by(KEYS)
    .takes(&[TENANT, KEY])
    .reads("RotationRequest")
    .gives(Shape::One("GivenKey")),
    Route::new(
        ("POST", "/api/v1/tenants/{tenant}/keys/{key}/revoke"),
        "revokeKey",
        "Takes a key back for ever.",
        || post(keys::revoke),
    )
    .decided(ControlAction::RevokeKey)
    .within_tenant()
    .by(KEYS)
    .takes(&[TENANT, KEY])
    .reads("RevocationRequest")
    .gives(Shape::One("Key")),
    // People.
    Route::new(
        ("POST", "/api/v1/session"),
        "signIn",
        "Signs somebody in with name and password: the session is a cookie, and `csrf` goes with each change.",
        || post(sign_in::sign_in),
    )
    .open()
    .reads("SignInRequest")
    .gives(Shape::One("Session")),
    Route::new(
        ("GET", "/api/v1/session/oidc"),
        "signInThroughProvider",
        "Sends a browser to the identity provider: a redirect, with a cookie that binds the answer to the browser.",
        || get(provider_sign_in::begin),
    )
    .open()
    .takes(&[Parameter::query("tenant", "The tenant to work for, for whoever may work for several.")]),
    Route::new(
        ("GET", "/api/v1/session/oidc/callback"),
        "comeBackFromProvider",
        "Where the identity provider sends browsers back to: the same session begins as with a password.",
        || get(provider_sign_in::complete),
    )
    .open()
    .takes(&[
        Parameter::query("state", "What binds it to the browser that set out."),
        Parameter::query("code", "What the provider gives a token for."),
        Parameter::query("error", "Why it gives none."),
        Parameter::query("iss", "The provider (RFC 9207)."),
    ])
    .gives(Shape::One("Session")),
    Route::new(
        ("GET", "/api/v1/session"),
        "getSession",
        "Who asks: the name that records use, the roles, and for whoever signed in what to send in `plimsoll-csrf`.",
        || get(sign_in::show),
    )
    .within_tenant()
    .gives(Shape::One("Session")),
    Route::new(
        ("POST", "/api/v1/session/end"),
        "signOut",
        "Ends the session.",
        || post(sign_in::sign_out),
    )
    .within_tenant()
    .gives(Shape::One("SignedOut")),
    Route::new(
        ("POST", "/api/v1/session/password"),
        "changePassword",
        "Whoever signed in changes their password; all their sessions end.",
        || post(sign_in::change_password),
    )
    .decided(ControlAction::ChangePassword)
    .within_tenant()
    .reads("OwnPasswordRequest")
    .gives(Shape::One("User")),
    Route::new(
        ("GET", "/api/v1/users"),
        "listUsers",
        "The accounts of people who sign in to this node; never a password.",
        || get(sign_in::list),
    )
    .by(KNOWING)
    .gives(Shape::List("users", "User")),
    Route::new(
        ("POST", "/api/v1/users"),
        "createUser",
        "Makes an account for somebody who signs in to this node.",
        || post(sign_in::create),
    )
    .decided(ControlAction::CreateUser)
    .by(RULING)
    .reads("UserRequest")
    .gives(Shape::One("User")),
    Route::new(
        ("POST", "/api/v1/users/{user}/password"),
        "setPassword",
        "Sets somebody's password; all their sessions end.",
        || post(sign_in::set_password),
    )
    .decided(ControlAction::SetPassword)
    .by(RULING)
    .takes(&[USER])
    .reads("PasswordRequest")
    .gives(Shape::One("User")),
    Route::new(
        ("POST", "/api/v1/users/{user}/disable"),
        "disableUser",
        "Nobody signs in to the account any more, and whoever is signed in is so no longer.",
        || post(sign_in::disable),
    )
    .decided(ControlAction::DisableUser)
    .by(RULING)
    .takes(&[USER])
    .gives(Shape::One("User")),
    // The node.
    Route::new(
        ("POST", "/api/v1/reload"),
        "reload",
        "Reads the workspace again and serves it, if it has no problems.",
        || post(systems::reload),
    )
    .decided(ControlAction::Reload)
    .by(OPERATOR)
    .gives(Shape::One("Reload")),
    Route::new(
        ("GET", "/api/v1/openapi.json"),
        "openapi",
        "This document.",
        || get(openapi::show),
    )
    .within_tenant()
    .gives(Shape::One("OpenApi")),
];
