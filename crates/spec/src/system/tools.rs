//! The boundary of an agent: the tools that answers may call, and how.

use std::collections::BTreeMap;

use plimsoll_core::manifest::{ToolEffect, ToolSpec};
use plimsoll_guard::tools::{Effect, Tool};
use serde_json::{Value, json};

use super::Resolver;
use super::models::Models;
use crate::forms::view::View;

impl Resolver<'_> {
    /// The tools, if the file says which may be called.
    pub(super) fn tools(
        &mut self,
        view: View<'_>,
        models: &Models,
    ) -> Option<BTreeMap<String, ToolSpec>> {
        if !view.exists() {
            return None;
        }
        if !models.may_talk() {
            self.error(
                &view.at(),
                "there are `[tools]` and no language model that could call one",
                "give a model a `provider`, or take them out",
            );
        }
        let mut tools = BTreeMap::new();
        for (name, tool) in view.tables() {
            if let Some(spec) = self.tool(name, tool) {
                tools.insert(name.to_owned(), spec);
            }
        }
        Some(tools)
    }

    fn tool(&mut self, name: &str, view: View<'_>) -> Option<ToolSpec> {
        let effect = match view.text("effect")?.value {
            "none" => ToolEffect::None,
            _ => ToolEffect::External,
        };
        let schema = self.json_schema(view);
        let value = schema
            .as_ref()
            .map_or_else(any_object, |(_, value)| value.clone());
        let policy = view.text("policy");
        match Tool::new(&value, Effect::None) {
            Err(error) => {
                let at = view.key("schema").unwrap_or_else(|| view.at());
                self.error(&at, format!("tool `{name}`: {error}"), "");
            }
            Ok(tool) => {
                if let Some(policy) = &policy
                    && let Err(error) = tool.with_policy(policy.value)
                {
                    self.error(&policy.at, error.to_string(), "write CEL over `args`");
                }
            }
        }
        let hosts = view.key("hosts").map(|_| self.hosts(view));
        Some(ToolSpec {
            arguments: schema.map(|(digest, _)| digest),
            effect,
            policy: policy.map(|found| found.value.to_owned()),
            hosts,
        })
    }
}

/// The arguments of a tool without a schema.
fn any_object() -> Value {
    json!({"type": "object", "additionalProperties": true})
}
