//! Predictors behind HTTP.

use plimsoll_core::manifest::{HttpSpec, ModelSpec};

use super::Resolver;
use super::contracts::Contracts;
use crate::forms::view::{Found, View};
use crate::workspace::Provider;

impl Resolver<'_> {
    pub(super) fn http(&mut self, model: View<'_>, contracts: &Contracts) -> Option<ModelSpec> {
        let answer = self.answer(
            model,
            contracts,
            &["label", "probabilities", "confidence", "response", "inputs"],
        );
        let request = model.text("request");
        if let Some(found) = &request {
            self.check_request(model, found, contracts);
        }
        for key in ["label", "probabilities"] {
            let is_pointer = |text: &str| {
                text.starts_with('/') && !text.replace("~0", "").replace("~1", "").contains('~')
            };
            if let Some(found) = model.text(key).filter(|found| !is_pointer(found.value)) {
                let message = format!("`{key}` is not a JSON Pointer");
                self.error(
                    &found.at,
                    message,
                    format!("write it as in {key} = \"/result/0/score\""),
                );
            }
        }
        let provider = self.provider(model);
        let written = model.text("http")?;
        let url = self.url(&written, model.key("provider").is_some(), provider.as_ref())?;
        let text = |key| model.text(key).map(|found| found.value.to_owned());
        Some(ModelSpec::Http(HttpSpec {
            provider: provider.map(|provider| provider.name),
            url,
            request: text("request"),
            label: text("label"),
            probabilities: text("probabilities"),
            answer,
        }))
    }

    /// The whole URL. A provider's key is sent to the provider alone, so the URL must be its.
    fn url(
        &mut self,
        written: &Found<&str>,
        named: bool,
        provider: Option<&Provider>,
    ) -> Option<String> {
        let text = written.value;
        match provider {
            Some(provider) if text.starts_with('/') => Some(format!("{}{text}", provider.base_url)),
            Some(provider)
                if text
                    .strip_prefix(&provider.base_url)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?'])) =>
            {
                Some(text.to_owned())
            }
            Some(provider) => {
                let message = format!(
                    "the key of provider `{}` would go to another server than its own",
                    provider.name
                );
                let hint = format!(
                    "begin the URL with {}, or write only the path below it",
                    provider.base_url
                );
                self.error(&written.at, message, hint);
                None
            }
            None if text.starts_with('/') && !named => {
                self.error(
                    &written.at,
                    "a path alone says not where the server is",
                    "write the whole URL, or name a `provider`",
                );
                None
            }
            None => (!named).then(|| text.to_owned()),
        }
    }
}
