//! The boundary of an agent: the tools that answers may call, and how.

use std::collections::BTreeMap;

use plimsoll_core::manifest::{ToolEffect, ToolSpec};
use plimsoll_guard::tools::{Effect, Tool};
use serde_json::{Value, json};

use super::Resolver;
use super::contracts::Contracts;
use super::models::Models;
use crate::forms::view::View;
use crate::source::{did_you_mean, listed};

impl Resolver<'_> {
    /// Holds what `[input]` says of documents against what the system has: columns, and a model to mark
    /// texts for.
    fn check_documents(&mut self, contracts: &Contracts, models: &Models) {
        let input = self.file.table("input");
        if let Some(at) = input.key("spotlight")
            && !models.may_talk()
        {
            self.error(
                &at,
                "`spotlight` marks texts for a language model, and there is none",
                "give a model a `provider`, or take it out",
            );
        }
        if let Some(at) = input.key("tokens")
            && !models.may_talk()
        {
            self.error(
                &at,
                "`tokens` bounds what a language model reads, and there is none",
                "give a model a `provider`, or take it out",
            );
        }
        let is_chat = models.may_talk() && !self.file.table("prompt").exists();
        let Some(columns) = contracts.columns.as_deref().filter(|_| !is_chat) else {
            return;
        };
        let known: Vec<&str> = columns.iter().map(String::as_str).collect();
        for found in input.texts("retrieved").unwrap_or_default() {
            if !known.contains(&found.value) {
                let help = did_you_mean(found.value, &known, |known| {
                    format!("it has {}", listed(known))
                });
                let message = format!("the schema has no column `{}`", found.value);
                self.error(&found.at, message, help);
            }
        }
    }

    /// The tools, if the file says which may be called; and documents are what the system knows.
    pub(super) fn boundary(
        &mut self,
        contracts: &Contracts,
        models: &Models,
    ) -> Option<BTreeMap<String, ToolSpec>> {
        self.check_documents(contracts, models);
        let view = self.file.table("tools");
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
