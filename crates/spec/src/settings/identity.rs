//! The identity provider, and what its groups may do.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::{Role, TenantName};

use super::Reader;
use crate::forms::view::{Found, View};
use crate::identity::{Grant, IdentityProvider};
use crate::receiver::is_private_host;
use crate::workspace::ServerConfig;

/// The most groups that are mapped.
const GROUPS_MAX: usize = 1_000;

impl Reader<'_> {
    pub(super) fn identity(
        &mut self,
        view: View<'_>,
        server: &ServerConfig,
    ) -> Option<IdentityProvider> {
        if !view.exists() {
            return None;
        }
        let client_secret = self.secret(view, "client_secret", "oidc.client_secret");
        let groups = self.groups(view.table("groups"));
        self.check_issuer(view);
        let base_url = self.base_url(view, server);
        let scopes = self.scopes(view);
        let text = |key: &str, default: &str| {
            let found = view.text(key);
            found.map_or(default, |found| found.value).to_owned()
        };
        Some(IdentityProvider {
            issuer: view.text("issuer")?.value.to_owned(),
            client_id: view.text("client_id")?.value.to_owned(),
            client_secret,
            base_url,
            scopes,
            groups_claim: text("groups_claim", "groups"),
            name_claim: text("name_claim", "sub"),
            display_claim: text("display_claim", "email"),
            groups,
        })
    }

    fn check_issuer(&mut self, view: View<'_>) {
        let Some(found) = view.text("issuer") else {
            return;
        };
        if found.value.contains(['?', '#']) {
            let message = "an issuer has no query and no fragment";
            self.report.error(view.source, &found.at, message);
        }
        self.plain_http(
            view,
            "issuer",
            &found,
            "whoever is in between vouches for anybody",
        );
    }

    fn base_url(&mut self, view: View<'_>, server: &ServerConfig) -> String {
        let Some(found) = view.text("base_url") else {
            return format!("http://{}", server.control_address);
        };
        if found.value.contains(['?', '#']) {
            let message = "`base_url` has a query or a fragment";
            self.report
                .error(view.source, &found.at, message)
                .help("give scheme, host and port, as in \"https://plimsoll.example.com\"");
        }
        self.plain_http(view, "base_url", &found, "sessions go over it");
        found.value.trim_end_matches('/').to_owned()
    }

    fn plain_http(&mut self, view: View<'_>, key: &str, found: &Found<&str>, why: &str) {
        if found.value.starts_with("http://") && !is_private_host(found.value) {
            let message = format!("`oidc.{key}` is plain HTTP to another network: {why}");
            self.report
                .error(view.source, &found.at, message)
                .help("use https://");
        }
    }

    fn scopes(&mut self, view: View<'_>) -> Vec<String> {
        let Some(written) = view.texts("scopes") else {
            return vec!["profile".to_owned(), "email".to_owned()];
        };
        let mut scopes = Vec::new();
        for found in written {
            // RFC 6749, 3.3.
            let is_token = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
            if !found.value.chars().all(is_token) {
                let message = format!("`{}` is no scope", found.value.escape_debug());
                self.report.error(view.source, &found.at, message);
            } else if found.value != "openid" {
                scopes.push(found.value.to_owned());
            }
        }
        scopes
    }

    fn groups(&mut self, view: View<'_>) -> BTreeMap<String, Grant> {
        let tables = view.tables();
        if tables.is_empty() {
            self.report
                .error(
                    view.source,
                    &view.at(),
                    "`[oidc]` maps no group: nobody could sign in",
                )
                .help("add one as `[oidc.groups.\"platform team\"]` with `roles = [\"operator\"]`");
        }
        if tables.len() > GROUPS_MAX {
            let message = format!("more than {GROUPS_MAX} groups are mapped");
            self.report.error(view.source, &view.at(), message);
        }
        let mut groups = BTreeMap::new();
        for (name, entry) in tables {
            let who = format!("group `{name}`");
            let roles = self.roles(entry, &who);
            let tenants = self.tenants(entry, &who, &roles);
            groups.insert(name.to_owned(), Grant { roles, tenants });
        }
        groups
    }

    fn tenants(
        &mut self,
        entry: View<'_>,
        who: &str,
        roles: &BTreeSet<Role>,
    ) -> BTreeSet<TenantName> {
        let mut tenants = BTreeSet::new();
        let written = entry.texts("tenants").unwrap_or_default();
        let at = entry.key("tenants");
        if let Some(at) = at.as_ref().filter(|_| written.is_empty()) {
            let message = format!("{who} works for no tenant");
            self.report
                .error(entry.source, at, message)
                .help("name some, or take `tenants` out: then it works for the installation");
        }
        for found in written {
            match TenantName::new(found.value) {
                Ok(tenant) => drop(tenants.insert(tenant)),
                Err(error) => {
                    self.report
                        .error(entry.source, &found.at, error.to_string());
                }
            }
        }
        let at = at.unwrap_or_else(|| entry.at());
        self.check_reach(
            entry,
            at,
            who,
            (roles, !tenants.is_empty(), "tenants = [\"acme\"]"),
        );
        tenants
    }
}
