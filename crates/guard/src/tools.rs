//! The boundary of an agent: which tools may be called, with what, and after having read what.
//!
//! A model that has read what a stranger wrote may do what the stranger wants. No detector prevents that
//! reliably, so the rule does not ask what the text says: once untrusted content is part of
//! the conversation, a call of a tool with external effect is withheld, and a person or the
//! ladder decides ([`ToolRefusal::Tainted`]).
//!
//! Everything here is pure: where parts come from is given, what becomes of a refusal is not decided here.

use std::collections::BTreeMap;

use plimsoll_core::Code;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::contract::{ContractProblem, JsonContract, Violation};
use crate::expr::{Expr, ExprError, Scope};
use crate::url_policy::{UrlPolicy, UrlRefusal};

/// The name under which a policy sees a call's arguments.
const ARGUMENTS: &str = "args";

/// Where a part of a conversation comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// Whoever operates the system.
    System,
    /// The caller.
    User,
    /// The model, earlier.
    Assistant,
    /// The result of a tool.
    Tool,
    /// A document that was searched for.
    Retrieved,
    /// Notes from an earlier session.
    Memory,
}

impl Provenance {
    /// Where a message of a chat comes from, by its role.
    pub fn of_role(role: &str) -> Self {
        match role {
            "system" | "developer" => Self::System,
            "user" => Self::User,
            "assistant" => Self::Assistant,
            // A role that is not known is trusted with nothing.
            _ => Self::Tool,
        }
    }

    /// Where a message comes from, by its role and its `name`: messages with a name that `retrieved` has
    /// hold documents, whoever sends them. A name never makes a message trusted.
    pub fn of_message(role: &str, name: Option<&str>, retrieved: &[String]) -> Self {
        match Self::of_role(role) {
            trusted if trusted.is_untrusted() => trusted,
            _ if name.is_some_and(|name| retrieved.iter().any(|one| one == name)) => {
                Self::Retrieved
            }
            trusted => trusted,
        }
    }

    /// Where a part of a message comes from, by its type: documents and search results are retrieved.
    pub fn of_part(self, kind: Option<&str>) -> Self {
        match kind {
            Some("document" | "search_result") if !self.is_untrusted() => Self::Retrieved,
            _ => self,
        }
    }

    /// Whether strangers may have written it.
    pub const fn is_untrusted(self) -> bool {
        matches!(self, Self::Tool | Self::Retrieved | Self::Memory)
    }
}

/// Whether untrusted content is part of a conversation. Once it is, it stays: there is no way back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Taint(Option<Provenance>);

impl Taint {
    /// Of a conversation's parts.
    pub fn of(parts: impl IntoIterator<Item = Provenance>) -> Self {
        let mut taint = Self::default();
        parts.into_iter().for_each(|part| taint.add(part));
        taint
    }

    /// Takes up a further part.
    pub fn add(&mut self, part: Provenance) {
        if part.is_untrusted() {
            self.0.get_or_insert(part);
        }
    }

    /// The first untrusted content that was taken up.
    pub const fn source(self) -> Option<Provenance> {
        self.0
    }
}

/// What a tool does to the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It reads what the caller may read anyway.
    None,
    /// It sends, writes, pays, or reaches a place that others choose.
    External,
}

/// One tool that may be called.
#[derive(Debug)]
pub struct Tool {
    arguments: JsonContract,
    policy: Option<Expr>,
    effect: Effect,
    urls: Option<UrlPolicy>,
}

/// Why a tool cannot be allowed as it is described.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum ToolError {
    /// The schema of its arguments cannot be used.
    #[error("the schema of the arguments cannot be used: {}", .0.first().map_or("", |one| one.message.as_str()))]
    Schema(Vec<ContractProblem>),
    /// The policy cannot be used.
    #[error("the policy cannot be used: {0}")]
    Policy(#[from] ExprError),
}

/// Why a call is refused.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum ToolRefusal {
    /// The tool is not on the list.
    #[error("the tool is not allowed")]
    NotAllowed,
    /// The arguments are no object.
    #[error("the arguments are no JSON object")]
    NotAnObject,
    /// The arguments do not fit the schema.
    #[error("the arguments do not fit the tool's schema")]
    Schema(Vec<Violation>),
    /// The policy does not hold, or cannot be evaluated on these arguments.
    #[error("the arguments do not fit the tool's policy")]
    Policy,
    /// An address among the arguments may not be used.
    #[error("an address among the arguments may not be used: {0}")]
    Url(UrlRefusal),
    /// Untrusted content came before it, and the tool has external effect: somebody must decide.
    #[error("the call has external effect after untrusted content")]
    Tainted(Provenance),
}

impl Tool {
    /// A tool by the JSON Schema of its arguments. Arguments that the schema does not name are not
    /// allowed, whether or not the schema says so.
    ///
    /// # Errors
    /// If the schema cannot be used.
    pub fn new(schema: &Value, effect: Effect) -> Result<Self, ToolError> {
        let mut schema = schema.clone();
        if let Some(object) = schema.as_object_mut()
            && !object.contains_key("additionalProperties")
            && !object.contains_key("unevaluatedProperties")
        {
            object.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
        }
        Ok(Self {
            arguments: JsonContract::compile(&schema).map_err(ToolError::Schema)?,
            policy: None,
            effect,
            urls: None,
        })
    }

    /// Only calls for which a CEL expression over `args` holds.
    ///
    /// # Errors
    /// If it is no such expression.
    pub fn with_policy(mut self, policy: &str) -> Result<Self, ToolError> {
        self.policy = Some(Expr::compile(policy, &[ARGUMENTS])?);
        Ok(self)
    }

    /// Only addresses that the policy allows, in any argument that holds one.
    #[must_use]
    pub fn with_urls(mut self, urls: UrlPolicy) -> Self {
        self.urls = Some(urls);
        self
    }
}

/// The tools that may be called, by name.
#[derive(Debug, Default)]
pub struct Tools(BTreeMap<String, Tool>);

impl Tools {
    /// None at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows a tool.
    #[must_use]
    pub fn with(mut self, name: &str, tool: Tool) -> Self {
        self.0.insert(name.to_owned(), tool);
        self
    }

    /// Whether a call may be made, after what the conversation has taken up.
    ///
    /// # Errors
    /// With the first thing that speaks against it; taint last, so that a call which is wrong anyway
    /// takes up nobody's time.
    pub fn judge(&self, name: &str, arguments: &Value, taint: Taint) -> Result<(), ToolRefusal> {
        let tool = self.0.get(name).ok_or(ToolRefusal::NotAllowed)?;
        let members = arguments.as_object().ok_or(ToolRefusal::NotAnObject)?;
        tool.arguments
            .check(arguments, Code::OutputSchema)
            .map_err(ToolRefusal::Schema)?;
        tool.judge_policy(members)?;
        if let Some(urls) = &tool.urls {
            judge_urls(urls, arguments)?;
        }
        match taint.source() {
            Some(source) if tool.effect == Effect::External => Err(ToolRefusal::Tainted(source)),
            _ => Ok(()),
        }
    }
}

impl Tool {
    fn judge_policy(&self, arguments: &Map<String, Value>) -> Result<(), ToolRefusal> {
        let Some(policy) = &self.policy else {
            return Ok(());
        };
        let scope = Scope::default().with_object(ARGUMENTS, arguments);
        match policy.holds(&scope) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(ToolRefusal::Policy),
        }
    }
}

/// Holds each text that is an address against the policy.
fn judge_urls(urls: &UrlPolicy, value: &Value) -> Result<(), ToolRefusal> {
    match value {
        Value::String(text) if text.contains("//") || text.contains(":\\") => {
            urls.judge(text).map(|_| ()).map_err(ToolRefusal::Url)
        }
        Value::Array(items) => items.iter().try_for_each(|item| judge_urls(urls, item)),
        Value::Object(members) => members.values().try_for_each(|item| judge_urls(urls, item)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tools() -> Tools {
        let schema = json!({
            "type": "object",
            "properties": {"to": {"type": "string"}, "amount": {"type": "integer"}, "url": {"type": "string"}},
            "required": ["to"],
        });
        let tool = |effect| {
            let tool = Tool::new(&schema, effect).unwrap();
            let tool = tool
                .with_policy("args.to.endsWith('@example.org')")
                .unwrap();
            tool.with_urls(UrlPolicy::https(["docs.example.org".to_owned()]))
        };
        Tools::new()
            .with("look", tool(Effect::None))
            .with("send", tool(Effect::External))
    }

    fn judged(name: &str, arguments: Value, parts: &[Provenance]) -> Result<(), ToolRefusal> {
        tools().judge(name, &arguments, Taint::of(parts.iter().copied()))
    }

    #[test]
    fn only_listed_tools_with_fitting_arguments_may_be_called() {
        let good = json!({"to": "a@example.org", "amount": 1});
        assert_eq!(judged("send", good.clone(), &[Provenance::User]), Ok(()));
        assert_eq!(judged("send_all", good, &[]), Err(ToolRefusal::NotAllowed));
        assert_eq!(
            judged("send", json!("{}"), &[]),
            Err(ToolRefusal::NotAnObject)
        );
        for bad in [
            json!({}),
            json!({"to": 1}),
            json!({"to": "a@example.org", "amount": "1"}),
            json!({"to": "a@example.org", "bcc": "x"}),
        ] {
            assert!(matches!(
                judged("send", bad, &[]),
                Err(ToolRefusal::Schema(_))
            ));
        }
        assert_eq!(
            judged("send", json!({"to": "a@evil.example"}), &[]),
            Err(ToolRefusal::Policy)
        );
        let url = json!({"to": "a@example.org", "url": "https://evil.example/"});
        assert_eq!(
            judged("look", url, &[]),
            Err(ToolRefusal::Url(UrlRefusal::Host))
        );
    }

    #[test]
    fn after_untrusted_content_what_has_external_effect_is_withheld() {
        let call = json!({"to": "a@example.org"});
        let parts = [
            Provenance::System,
            Provenance::User,
            Provenance::Tool,
            Provenance::User,
        ];
        assert_eq!(judged("look", call.clone(), &parts), Ok(()));
        assert_eq!(
            judged("send", call, &parts),
            Err(ToolRefusal::Tainted(Provenance::Tool))
        );
        assert_eq!(Provenance::of_role("function"), Provenance::Tool);
    }
}
