//! Providers and keys, and the secrets that they point at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::Path;

use plimsoll_core::{Criticality, KeyName, ProviderName, Secret, SystemName, TeamName, TenantName};

use super::{Reader, value_or};
use crate::files::names_variable;
use crate::forms::view::{Found, View};
use crate::workspace::{Key, KeyScope, Provider, ProviderProtocol};

/// The longest secret, in bytes.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// The shortest secret that cannot be guessed, in bytes.
pub(super) const SECRET_BYTES_FAIR: usize = 16;

impl Reader<'_> {
    pub(super) fn providers(&mut self, view: View<'_>) -> BTreeMap<ProviderName, Provider> {
        let mut providers = BTreeMap::new();
        for (text, provider) in view.tables() {
            let name = match ProviderName::new(text) {
                Ok(name) => name,
                Err(error) => {
                    self.report
                        .error(provider.source, &provider.at(), error.to_string());
                    continue;
                }
            };
            if crate::prices::RESERVED.contains(&text) {
                let message = format!(
                    "no provider may be called `{text}`: prices of models without a provider go by it"
                );
                self.report
                    .error(provider.source, &provider.at(), message)
                    .help("give it another name");
            }
            let key = self.secret(provider, "key", &format!("providers.{name}.key"));
            let Some(base_url) = provider.text("base_url") else {
                continue;
            };
            if base_url.value.ends_with("/chat/completions") {
                self.report
                    .error(
                        provider.source,
                        &base_url.at,
                        "`base_url` is the API's base, not one of its routes",
                    )
                    .help("leave `/chat/completions` away");
            }
            self.plain_http_with_key(provider, &base_url);
            let http = provider
                .text("protocol")
                .is_some_and(|found| found.value == "http");
            let protocol = if http {
                ProviderProtocol::Http
            } else {
                ProviderProtocol::Openai
            };
            let base_url = base_url.value.trim_end_matches('/').to_owned();
            providers.insert(
                name.clone(),
                Provider {
                    name,
                    protocol,
                    base_url,
                    key,
                },
            );
        }
        providers
    }

    fn plain_http_with_key(&mut self, provider: View<'_>, base_url: &Found<&str>) {
        let Some(rest) = base_url.value.strip_prefix("http://") else {
            return;
        };
        let near = ["127.", "localhost", "[::1]", "10.", "192.168.", "172."]
            .iter()
            .any(|host| rest.starts_with(host));
        if provider.key("key").is_some() && !near {
            self.report
                .warning(
                    provider.source,
                    &base_url.at,
                    "the key goes over plain HTTP",
                )
                .help("use https://, unless the network between is yours");
        }
    }

    pub(super) fn keys(&mut self, view: View<'_>, named: bool) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        for (text, entry) in view.tables() {
            let name = match KeyName::new(text) {
                Ok(name) => name,
                Err(error) => {
                    self.report
                        .error(entry.source, &entry.at(), error.to_string());
                    continue;
                }
            };
            let scope = self.scope(entry);
            let Some(secret) = self.secret(entry, "secret", &format!("keys.{name}.secret")) else {
                continue;
            };
            if let Some(twin) = keys
                .iter()
                .find(|key| key.secret.expose() == secret.expose())
            {
                let message = format!(
                    "keys `{}` and `{name}` have the same secret: nobody could tell who asks",
                    twin.name
                );
                self.report
                    .error(entry.source, &entry.at(), message)
                    .help("give each key a secret of its own");
            }
            if secret.expose().len() < SECRET_BYTES_FAIR {
                let message = format!(
                    "the secret of key `{name}` has fewer than {SECRET_BYTES_FAIR} bytes and could be guessed"
                );
                self.report
                    .warning(entry.source, &entry.at(), message)
                    .help("make one with `openssl rand -hex 32`");
            }
            let tenant = entry.word("tenant", |text| TenantName::new(text).ok());
            let team = entry.word("team", |text| TeamName::new(text).ok());
            let criticality = entry.word("criticality", Criticality::parse);
            keys.push(Key {
                name,
                secret,
                scope,
                team: team.map(|found| found.value),
                tenant: tenant.map_or_else(TenantName::default_tenant, |found| found.value),
                criticality: value_or(criticality, Criticality::default()),
            });
        }
        if named && view.tables().is_empty() {
            let at = view.at();
            self.report
                .error(view.source, &at, "`[keys]` names no key")
                .help("add one as `[keys.web]`, or take the table out");
        }
        keys
    }

    fn scope(&mut self, key: View<'_>) -> KeyScope {
        let systems = key.texts("systems").unwrap_or_default();
        if systems.iter().any(|found| found.value == "*") {
            if systems.len() > 1 {
                let at = key.key("systems").unwrap_or(0..0);
                self.report.error(
                    key.source,
                    &at,
                    "`*` stands for all systems, so nothing else may stand beside it",
                );
            }
            return KeyScope::All;
        }
        if let Some(at) = key.key("systems").filter(|_| systems.is_empty()) {
            self.report
                .error(key.source, &at, "the key may use no system")
                .help("name the systems that it may use, or [\"*\"] for all of them");
        }
        let mut allowed = BTreeSet::new();
        for found in &systems {
            self.known_system(key, found.value, found);
            allowed.extend(SystemName::new(found.value));
        }
        KeyScope::Systems(allowed)
    }

    /// Reads a secret from where `key` says that it is. Nothing of it is ever part of a problem.
    pub(super) fn secret(&mut self, view: View<'_>, key: &str, path: &str) -> Option<Secret> {
        let place = view.table(key);
        let (at, text) = if let Some(found) = place.text("env") {
            if !names_variable(found.value) {
                let message = format!("`{path}.env` is not the name of an environment variable");
                self.report
                    .error(view.source, &place.at(), message)
                    .help("write the variable's name, not its value");
                return None;
            }
            let Some(text) = self.environment.var(found.value) else {
                let message = format!("the environment variable `{}` is not set", found.value);
                let hint = format!(
                    "`{path}` is read from it: set it before you start, as in `export {}=…`",
                    found.value
                );
                self.report
                    .error(view.source, &found.at, message)
                    .help(hint);
                return None;
            };
            (found.at, text)
        } else if let Some(found) = place.text("file") {
            match read_secret(&self.root.join(found.value)) {
                Ok(text) => (found.at, text),
                Err(error) => {
                    let message =
                        format!("the secret of `{path}` cannot be read from its file: {error}");
                    self.report.error(view.source, &found.at, message);
                    return None;
                }
            }
        } else {
            return None;
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() || text.contains(|c: char| !c.is_ascii_graphic()) {
            let message = format!(
                "the secret of `{path}` is empty, or has characters that no HTTP header can hold"
            );
            self.report.error(view.source, &at, message);
            return None;
        }
        Some(Secret::new(text.to_owned()))
    }
}

fn read_secret(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = fs::File::open(path)?;
    file.take(SECRET_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}
