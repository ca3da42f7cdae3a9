//! Operators: who works on the control plane under their own name.

use std::collections::BTreeSet;

use plimsoll_core::{KeyName, Role, Secret, TenantName};

use super::Reader;
use super::credentials::SECRET_BYTES_FAIR;
use crate::forms::view::View;
use crate::operator::Operator;
use crate::source::Span;
use crate::workspace::Key;

/// What records call those who are nobody in particular.
const RESERVED: [&str; 3] = ["operator", "owner", "workspace"];

impl Reader<'_> {
    pub(super) fn operators(&mut self, view: View<'_>, keys: &[Key]) -> Vec<Operator> {
        let mut operators: Vec<Operator> = Vec::new();
        for (name, entry) in view.tables() {
            if let Err(error) = KeyName::new(name) {
                self.report
                    .error(entry.source, &entry.at(), error.to_string());
                continue;
            }
            if RESERVED.contains(&name) {
                let message = format!(
                    "no operator may be called `{name}`: records say so of nobody in particular"
                );
                self.report
                    .error(entry.source, &entry.at(), message)
                    .help("give each person and each program a name of its own");
            }
            let who = format!("operator `{name}`");
            let roles = self.roles(entry, &who);
            let tenant = self.tenant(entry, &who, &roles);
            let Some(token) = self.secret(entry, "token", &format!("operators.{name}.token"))
            else {
                continue;
            };
            self.check_token(entry, name, &token, (&operators, keys));
            operators.push(Operator {
                name: name.to_owned(),
                token,
                roles,
                tenant,
            });
        }
        if view.exists() && view.tables().is_empty() {
            self.report
                .error(view.source, &view.at(), "`[operators]` names nobody")
                .help("add one as `[operators.ann]`, or take the table out");
        }
        operators
    }

    pub(super) fn roles(&mut self, entry: View<'_>, who: &str) -> BTreeSet<Role> {
        let mut roles = BTreeSet::new();
        let written = entry.texts("roles").unwrap_or_default();
        if let Some(at) = entry.key("roles").filter(|_| written.is_empty()) {
            let message = format!("{who} has no role");
            self.report
                .error(entry.source, &at, message)
                .help("give at least one: viewer, operator, approver, reviewer, auditor, tenant_admin or platform_admin");
        }
        for found in written {
            let Some(role) = Role::parse(found.value) else {
                continue;
            };
            if !roles.insert(role) {
                let message = format!("the role `{role}` stands twice");
                self.report.error(entry.source, &found.at, message);
            }
        }
        roles
    }

    /// The tenant that they work for, if for one only.
    fn tenant(&mut self, entry: View<'_>, who: &str, roles: &BTreeSet<Role>) -> Option<TenantName> {
        let found = entry.word("tenant", |text| TenantName::new(text).ok());
        let at = entry.key("tenant").unwrap_or_else(|| entry.at());
        let example = "tenant = \"acme\"";
        self.check_reach(entry, at, who, (roles, found.is_some(), example));
        found.map(|found| found.value)
    }

    /// A tenant's admin is some tenant's, and whoever rules over all works for all.
    pub(super) fn check_reach(
        &mut self,
        entry: View<'_>,
        at: Span,
        who: &str,
        (roles, is_of_tenant, example): (&BTreeSet<Role>, bool, &str),
    ) {
        if !is_of_tenant && roles.contains(&Role::TenantAdmin) {
            let message = format!("{who} is a tenant's admin, and of no tenant");
            self.report.error(entry.source, &at, message).help(format!(
                "say whose, as in {example}, or make them platform_admin"
            ));
        }
        if is_of_tenant && roles.contains(&Role::PlatformAdmin) {
            let message = format!("{who} works for one tenant, and is to rule over all");
            let key = example.split(' ').next().unwrap_or_default();
            self.report
                .error(entry.source, &at, message)
                .help(format!("make them tenant_admin, or take `{key}` out"));
        }
    }

    fn check_token(
        &mut self,
        entry: View<'_>,
        name: &str,
        token: &Secret,
        (operators, keys): (&[Operator], &[Key]),
    ) {
        let same = |other: &Secret| other.expose() == token.expose();
        let operator = operators.iter().find(|other| same(&other.token));
        let key = keys.iter().find(|key| same(&key.secret));
        let twin = operator
            .map(|other| format!("operator `{}`", other.name))
            .or_else(|| key.map(|key| format!("key `{}`", key.name)));
        if let Some(twin) = twin {
            let message = format!(
                "operator `{name}` and {twin} have the same secret: nobody could tell who acts"
            );
            self.report
                .error(entry.source, &entry.at(), message)
                .help("give each a secret of its own");
        }
        if token.expose().len() < SECRET_BYTES_FAIR {
            let message = format!(
                "the token of operator `{name}` has fewer than {SECRET_BYTES_FAIR} characters and could be guessed"
            );
            self.report
                .error(entry.source, &entry.at(), message)
                .help("make one with `openssl rand -hex 32`");
        }
    }
}
