//! The one table of error codes: what each is called, which failure kind it belongs to, how it is
//! told over HTTP, whether to try again, and who can mend it. The reference page is generated from it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::failure::FailureKind;

/// Who can mend what an error code tells of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mender {
    /// Whoever sent the request.
    Caller,
    /// Whoever runs Plimsoll.
    Operator,
    /// Whoever runs the model that was asked.
    Provider,
}

impl Mender {
    /// The word used in the reference.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Operator => "operator",
            Self::Provider => "provider",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $text:literal $kind:expr, $status:literal, $retry:literal, $mender:ident, $summary:literal;)*) => {
        /// A stable error code. Codes are added, never renamed or reused.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Code {
            $(#[doc = $summary] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the reference.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as it stands on the wire and in records.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The failure kind whose ladder it takes; `None` for what is refused before there is a decision.
            pub const fn kind(self) -> Option<FailureKind> {
                match self { $(Self::$variant => $kind,)* }
            }

            /// The HTTP status of a refusal with this code.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// Whether the same request may succeed a little later.
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$variant => $retry,)* }
            }

            /// Who can mend it.
            pub const fn mender(self) -> Mender {
                match self { $(Self::$variant => Mender::$mender,)* }
            }

            /// One sentence on what it means.
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary,)* }
            }

            /// The code with this text.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

use FailureKind as K;

codes! {
    // Before there is a decision.
    Unauthenticated "unauthenticated" None, 401, false, Caller, "No key, or one that is not known.";
    SystemForbidden "system_forbidden" None, 403, false, Caller, "The key may not use this system.";
    OperatorOnly "operator_only" None, 403, false, Caller, "Only the operator's token may do this.";
    SystemNotFound "system_not_found" None, 404, false, Caller, "No system has this name.";
    RouteNotFound "route_not_found" None, 404, false, Caller, "No such route.";
    MethodNotAllowed "method_not_allowed" None, 405, false, Caller, "The route exists, with another method.";
    DecisionNotFound "decision_not_found" None, 404, false, Caller, "No decision has this id, or it is another tenant's.";
    ReviewNotFound "review_not_found" None, 404, false, Caller, "No review has this id.";
    ReviewClosed "review_closed" None, 409, false, Caller, "The review was answered or has expired.";
    NotReady "not_ready" None, 503, true, Operator, "The node is starting or draining.";
    IdempotencyMismatch "idempotency_mismatch" None, 422, false, Caller, "The same idempotency key came with another body.";
    IdempotencyInFlight "idempotency_in_flight" None, 409, true, Caller, "The request with this idempotency key is not answered yet.";
    IdempotencyNotKept "idempotency_not_kept" None, 409, false, Caller, "The request with this idempotency key was answered, and the answer was not kept.";
    ErasureHeld "erasure_held" None, 409, false, Operator, "A legal hold or an evidence freeze covers what was to be erased.";
    LabelUnfit "label_unfit" None, 422, false, Caller, "What was sent can be no label: its value, its name or its decision does not fit.";
    LabelsTooMany "labels_too_many" None, 503, true, Operator, "As many labels wait for decisions that nobody knows as may.";
    PayloadGone "payload_gone" None, 410, false, Operator, "What was kept of the decision was erased or let go.";

    // Malformed: how the bytes are framed.
    BodyTooLarge "body_too_large" Some(K::Malformed), 413, false, Caller, "The body is larger than the limit.";
    BodyTimeout "body_timeout" Some(K::Malformed), 408, true, Caller, "The body did not arrive in time.";
    BodyIncomplete "body_incomplete" Some(K::Malformed), 400, true, Caller, "The connection closed before the body was whole.";
    MediaTypeUnsupported "media_type_unsupported" Some(K::Malformed), 415, false, Caller, "The body is not of a media type that the route reads.";
    NotUtf8 "not_utf8" Some(K::Malformed), 400, false, Caller, "The body is not UTF-8.";
    JsonSyntax "json_syntax" Some(K::Malformed), 400, false, Caller, "The body is not JSON (RFC 8259).";
    JsonDuplicateKey "json_duplicate_key" Some(K::Malformed), 400, false, Caller, "An object has the same key twice.";
    JsonNumber "json_number" Some(K::Malformed), 400, false, Caller, "A number is out of range, or NaN or Infinity.";
    JsonSurrogate "json_surrogate" Some(K::Malformed), 400, false, Caller, "A string escapes half of a surrogate pair.";
    JsonDepth "json_depth" Some(K::Malformed), 400, false, Caller, "The body is nested too deeply.";
    JsonCount "json_count" Some(K::Malformed), 400, false, Caller, "The body has too many values.";
    TokensTooMany "tokens_too_many" Some(K::Malformed), 413, false, Caller, "The input has more tokens than the limit.";
    RowsTooMany "rows_too_many" Some(K::Malformed), 413, false, Caller, "The batch has more rows than the limit.";
    ParameterUnfit "parameter_unfit" Some(K::Malformed), 400, false, Caller, "A parameter or header does not fit the protocol.";
    StreamRefused "stream_refused" Some(K::Malformed), 400, false, Caller, "The system does not answer as a stream.";
    PromptVariables "prompt_variables" Some(K::Malformed), 400, false, Caller, "The system is a typed function: it takes variables, not messages.";
    TensorUnfit "tensor_unfit" Some(K::Malformed), 400, false, Caller, "A tensor's name, type or shape does not fit the system's input.";

    // Malformed: what the contract says.
    ContractMissing "contract_missing" Some(K::Malformed), 422, false, Caller, "A value that the contract asks for is missing.";
    ContractUnknownField "contract_unknown_field" Some(K::Malformed), 422, false, Caller, "The contract has no such field.";
    ContractType "contract_type" Some(K::Malformed), 422, false, Caller, "A value has another type than the contract says.";
    ContractRange "contract_range" Some(K::Malformed), 422, false, Caller, "A value is outside its range.";
    ContractCategory "contract_category" Some(K::Malformed), 422, false, Caller, "A value is none of the known categories.";
    ContractRule "contract_rule" Some(K::Malformed), 422, false, Caller, "The values together break a rule of the contract.";
    ContractSchema "contract_schema" Some(K::Malformed), 422, false, Caller, "The input does not match the JSON Schema of the contract.";
    LimitUnnamed "limit_unnamed" Some(K::Malformed), 400, false, Caller, "A limit asks for the end user or the session, and the request names none.";
    ContextTooLong "context_too_long" Some(K::Malformed), 400, false, Caller, "The input is longer than the model can read.";
    ProviderRefusedRequest "provider_refused_request" Some(K::Malformed), 400, false, Caller, "The provider says that the request is not well formed.";

    // Adversarial.
    GuardBlocked "guard_blocked" Some(K::Adversarial), 400, false, Caller, "A guard found something in the input that may not pass.";
    AddressForbidden "address_forbidden" Some(K::Adversarial), 400, false, Caller, "A message has the model fetch something from an address that is not public, or that can be read in two ways.";
    ToolWithheld "tool_withheld" Some(K::Adversarial), 403, false, Caller, "A call of a tool with external effect came after untrusted content, and is withheld.";
    GuardReview "guard_review" Some(K::Adversarial), 400, false, Caller, "A guard found something in the input that a person should decide about.";

    // Unavailable.
    ModelUnreachable "model_unreachable" Some(K::Unavailable), 502, true, Provider, "No connection to the model could be made.";
    ModelReset "model_reset" Some(K::Unavailable), 502, true, Provider, "The model's server closed the connection before its answer was whole.";
    ModelError "model_error" Some(K::Unavailable), 502, true, Provider, "The model's server answered with a server error.";
    ModelNotLoaded "model_not_loaded" Some(K::Unavailable), 503, false, Operator, "The model's file or its runtime could not be loaded.";
    ProviderRefusedKey "provider_refused_key" Some(K::Unavailable), 502, false, Operator, "The provider does not accept the key that it was sent.";
    ProviderModelNotFound "provider_model_not_found" Some(K::Unavailable), 502, false, Operator, "The provider has no such model or route.";
    SystemHalted "system_halted" Some(K::Unavailable), 503, false, Operator, "A person has halted the system, or put it on its fallback.";
    ControlLost "control_lost" Some(K::Unavailable), 503, true, Operator, "The node has heard nothing from its control plane for too long, and the system is to halt then.";
    RecordUnavailable "record_unavailable" Some(K::Unavailable), 503, true, Operator, "The decision could not be recorded: the disk is full or failing.";
    StoreUnavailable "store_unavailable" Some(K::Unavailable), 503, true, Operator, "The database did not answer.";
    ReviewUnavailable "review_unavailable" Some(K::Unavailable), 503, true, Operator, "The review could not be opened.";
    LastGoodMissing "last_good_missing" Some(K::Unavailable), 503, false, Operator, "No earlier good answer to the same input is held.";
    ControlFailed "control_failed" Some(K::Unavailable), 503, true, Operator, "A control could not be run, and the system fails closed.";
    Internal "internal" Some(K::Unavailable), 500, true, Operator, "A part of ours failed in a way that was not foreseen.";

    // Slow.
    ConnectTimeout "connect_timeout" Some(K::Slow), 504, true, Provider, "No connection to the model was made in time.";
    FirstTokenTimeout "first_token_timeout" Some(K::Slow), 504, true, Provider, "The model's first token did not come in time.";
    StallTimeout "stall_timeout" Some(K::Slow), 504, true, Provider, "The model's answer stood still for too long.";
    TotalTimeout "total_timeout" Some(K::Slow), 504, true, Provider, "The decision's deadline passed.";

    // Wrong.
    ModelProtocol "model_protocol" Some(K::Wrong), 502, true, Provider, "The model's server answered with something other than its protocol.";
    OutputNotJson "output_not_json" Some(K::Wrong), 502, true, Provider, "The answer should be JSON and is not.";
    OutputSchema "output_schema" Some(K::Wrong), 502, true, Provider, "The answer does not match the output schema.";
    OutputEmpty "output_empty" Some(K::Wrong), 502, true, Provider, "The answer is empty.";
    OutputTruncated "output_truncated" Some(K::Wrong), 502, true, Provider, "The answer stops before its end.";
    OutputBlocked "output_blocked" Some(K::Wrong), 502, false, Provider, "A guard found something in the answer that may not pass.";
    ToolRefused "tool_refused" Some(K::Wrong), 502, true, Provider, "The answer calls a tool that it may not, or with arguments that it may not.";
    OutputReview "output_review" Some(K::Wrong), 502, false, Provider, "A guard found something in the answer that a person should decide about.";
    ProviderContentFilter "provider_content_filter" Some(K::Wrong), 502, false, Provider, "The provider withheld its answer.";

    // Unsure.
    MonitorAlarm "monitor_alarm" Some(K::Unsure), 422, false, Operator, "A monitor has raised an alarm, and a person is asked about it.";
    UnsureRule "unsure_rule" Some(K::Unsure), 422, false, Operator, "The system's own rule says that the answer is too doubtful.";
    UnsureInput "unsure_input" Some(K::Unsure), 422, false, Caller, "A value is missing or unknown, and the contract says that this makes the answer doubtful.";
    NoRuleMatched "no_rule_matched" Some(K::Unsure), 422, false, Operator, "No rule of the table matched, and it has no default.";

    // Over budget.
    BudgetExceeded "budget_exceeded" Some(K::OverBudget), 429, false, Operator, "A budget does not allow this request.";
    SessionSpent "session_spent" Some(K::OverBudget), 429, false, Caller, "The session has used all steps, tokens or time that it is allowed.";
    ProviderQuota "provider_quota" Some(K::OverBudget), 429, false, Operator, "The provider says that the account's quota is spent.";

    // Overload.
    RateLimited "rate_limited" Some(K::Overload), 429, true, Caller, "A limit of the workspace is reached; `Retry-After` says when it resets.";
    LimitsUnavailable "limits_unavailable" Some(K::Overload), 503, true, Operator, "What this node holds of a limit that nodes share is spent, and Redis does not answer.";
    TooManyInFlight "too_many_in_flight" Some(K::Overload), 503, true, Operator, "As many requests as allowed are being answered already.";
    RecordQueueFull "record_queue_full" Some(K::Overload), 503, true, Operator, "The queue of records is full.";
    ProviderRateLimited "provider_rate_limited" Some(K::Overload), 429, true, Provider, "The provider asks us to slow down.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let unfit = || serde::de::Error::custom(format!("`{text}` is not an error code"));
        Self::parse(&text).ok_or_else(unfit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_code_and_every_code_a_fitting_status() {
        for kind in FailureKind::ALL {
            assert!(
                Code::ALL.iter().any(|code| code.kind() == Some(kind)),
                "{kind} has no code"
            );
        }
        for code in Code::ALL {
            assert!((400..600).contains(&code.status()), "{code}");
            assert_eq!(Code::parse(code.as_str()), Some(*code));
            assert!(code.summary().ends_with('.'), "{code}");
        }
    }
}
