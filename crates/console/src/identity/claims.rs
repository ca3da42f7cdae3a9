//! What a verified ID token says of somebody, as far as this node wants to know it.

use std::collections::BTreeSet;

use plimsoll_core::Tenancy;
use plimsoll_spec::IdentityProvider;
use serde_json::{Map, Value};

use super::PREFIX;

/// The longest name, subject or display name, in characters (a subject has at most 255: `OpenID` Connect
/// Core 1.0, 2).
const TEXT_CHARS_MAX: usize = 255;

/// How many groups of a token are looked at.
const GROUPS_MAX: usize = 10_000;

/// Somebody whom the provider vouched for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Vouched {
    /// Who vouched.
    pub(crate) issuer: String,
    /// For whom it was meant.
    pub(crate) client_id: String,
    /// Who they are to the provider, for ever.
    pub(crate) subject: String,
    /// What records call them.
    pub(crate) name: String,
    /// What people call them, if the provider says so.
    pub(crate) display: Option<String>,
    /// Those of their groups that are mapped.
    pub(crate) groups: BTreeSet<String>,
    /// For whom they work in this session.
    pub(crate) tenancy: Tenancy,
}

impl Vouched {
    /// Out of the claims of a token that was verified.
    pub(super) fn of(
        rules: &IdentityProvider,
        claims: &Map<String, Value>,
    ) -> Result<Self, String> {
        let subject = text(claims, "sub").ok_or("the ID token has no `sub`")?;
        let name_claim = rules.name_claim.as_str();
        let name = text(claims, name_claim).ok_or_else(|| {
            format!("the ID token has no `{name_claim}` that could be a name, and `oidc.name_claim` asks for it")
        })?;
        if name_claim == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
            let message = "the identity provider did not verify the `email` that `oidc.name_claim` names people by";
            return Err(message.to_owned());
        }
        Ok(Self {
            issuer: rules.issuer.clone(),
            client_id: rules.client_id.clone(),
            subject: subject.to_owned(),
            name: format!("{PREFIX}{name}"),
            display: text(claims, &rules.display_claim).map(str::to_owned),
            groups: groups(rules, claims.get(&rules.groups_claim)),
            tenancy: Tenancy::Installation,
        })
    }
}

/// A claim that is a text that can stand in a record.
fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let text = claims.get(name)?.as_str()?;
    let fits = !text.trim().is_empty() && text.chars().count() <= TEXT_CHARS_MAX;
    (fits && !text.chars().any(char::is_control)).then_some(text)
}

/// The groups that are mapped: others open nothing, and a session does not hold them.
fn groups(rules: &IdentityProvider, claim: Option<&Value>) -> BTreeSet<String> {
    let texts: Vec<&str> = match claim {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all
            .iter()
            .take(GROUPS_MAX)
            .filter_map(Value::as_str)
            .collect(),
        _ => Vec::new(),
    };
    texts
        .into_iter()
        .filter(|name| rules.groups.contains_key(*name))
        .map(str::to_owned)
        .collect()
}
