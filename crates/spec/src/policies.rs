//! The policies in force, as documents for the journal: what was asked for at a time, without a secret.

use plimsoll_core::{Digest, SystemName};
use plimsoll_guard::access_policy::AccessPolicy;
use serde::Serialize;
use serde_json::{Value, json};

use crate::identity::IdentityProvider;
use crate::quantity::duration_text;
use crate::workspace::{KeyScope, Workspace};

/// A policy in force.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    /// Which: `keys`, `operators`, `retention`, `audit`, `regimes`, `access`, and
    /// `identity` where people sign in through a provider.
    pub name: &'static str,
    /// What it says.
    pub document: Value,
    /// The SHA-256 of the document's canonical bytes: JSON without white space, keys in byte order.
    pub digest: Digest,
}

/// Under which key a document names those whose secret was changed.
const ROTATED: &str = "rotated";

impl Policy {
    fn of(name: &'static str, document: impl Serialize) -> Self {
        let (document, bytes) = canonical(&document);
        Self {
            name,
            document,
            digest: Digest::of(&bytes),
        }
    }

    /// Whether it says something that `last`, the latest document of its name, does not: other than the
    /// secrets that were changed before `last`.
    pub fn is_news(&self, last: Option<&Value>) -> bool {
        let Some(last) = last else { return true };
        let rotated = self.document.get(ROTATED).is_some();
        let mut last = last.clone();
        if let Some(members) = last.as_object_mut() {
            members.shift_remove(ROTATED);
        }
        rotated || canonical(&last).0 != self.document
    }
}

impl Workspace {
    /// The policies in force. With `before`, the workspace that was served until now, `keys` and
    /// `operators` also say under `rotated` whose secret was changed.
    ///
    /// **No document holds anything made from a secret.** A digest of one, also a short or a keyed one,
    /// lets whoever has the log (and the pepper beside it) try out guesses for ever, and says where the
    /// same secret is used twice. A counter of changes would have to know the secret that was there
    /// before a restart, so it would count wrong or need such a digest. What is compared is what is in
    /// memory: a change at a reload is recorded, one between a stop and a start is not seen.
    pub fn policies(&self, before: Option<&Self>) -> Vec<Policy> {
        let identity = self.identity.as_ref().map(|provider| {
            let document = identity_document(provider, before.and_then(|b| b.identity.as_ref()));
            Policy::of("identity", document)
        });
        let mut policies = vec![
            Policy::of("keys", self.keys_document(before)),
            Policy::of("operators", self.operators_document(before)),
            Policy::of("retention", self.retention_document()),
            Policy::of("audit", self.audit_document()),
            Policy::of("regimes", &self.regimes),
            Policy::of("access", self.access_document()),
        ];
        policies.extend(identity);
        policies
    }

    fn keys_document(&self, before: Option<&Self>) -> Value {
        let key = |key: &crate::Key| {
            let systems = match &key.scope {
                KeyScope::All => json!("*"),
                KeyScope::Systems(systems) => json!(systems),
            };
            let criticality = key.criticality.as_str();
            let document =
                json!({"systems": systems, "tenant": key.tenant, "criticality": criticality});
            (key.name.to_string(), document)
        };
        let keys: serde_json::Map<String, Value> = self.keys.iter().map(key).collect();
        let secrets = |workspace: &Self| {
            let keys = workspace.keys.iter();
            keys.map(|key| (key.name.to_string(), key.secret.clone()))
                .collect()
        };
        with_rotated(json!({"keys": keys}), before.map(secrets), secrets(self))
    }

    fn operators_document(&self, before: Option<&Self>) -> Value {
        let operator = |operator: &crate::Operator| {
            let mut document = json!({"roles": operator.roles});
            if let Some(tenant) = &operator.tenant {
                document["tenant"] = json!(tenant);
            }
            (operator.name.clone(), document)
        };
        let operators: serde_json::Map<String, Value> =
            self.operators.iter().map(operator).collect();
        let secrets = |workspace: &Self| {
            let operators = workspace.operators.iter();
            operators
                .map(|operator| (operator.name.clone(), operator.token.clone()))
                .collect()
        };
        let document = json!({"operators": operators});
        with_rotated(document, before.map(secrets), secrets(self))
    }

    fn access_document(&self) -> Value {
        let policy = |policy: &AccessPolicy| {
            let document = json!({
                "about": policy.about(),
                "on": policy.on(),
                "effect": policy.effect(),
                "when": policy.when(),
            });
            (policy.name().to_owned(), document)
        };
        let policies: serde_json::Map<String, Value> = self.access.own().map(policy).collect();
        let class = |(name, folder): (&SystemName, &crate::SystemFolder)| {
            (name.to_string(), json!(folder.data_class))
        };
        let classes: serde_json::Map<String, Value> = self.folders.iter().map(class).collect();
        json!({"policies": policies, "data_classes": classes})
    }

    fn retention_document(&self) -> Value {
        let retention = &self.storage.retention;
        json!({
            "age": retention.age.map(duration_text),
            "bytes": retention.bytes,
            "payloads": retention.payloads.map(duration_text),
            "regimes": retention.regimes,
            "floors": {
                "records": retention.floors.records.map(duration_text),
                "payloads": retention.floors.payloads.map(duration_text),
            },
            "regimes_version": self.regimes.versions(),
        })
    }

    fn audit_document(&self) -> Value {
        let audit = &self.audit;
        json!({
            "enabled": audit.enabled,
            "origin": audit.origin,
            "checkpoint": duration_text(audit.checkpoint),
            "copy": audit.copy.as_ref().map(|path| path.display().to_string()),
        })
    }
}

/// Through whom people sign in, and what its groups may do.
fn identity_document(provider: &IdentityProvider, before: Option<&IdentityProvider>) -> Value {
    let group = |(name, grant): (&String, &crate::Grant)| {
        let mut document = json!({"roles": grant.roles});
        if !grant.tenants.is_empty() {
            document["tenants"] = json!(grant.tenants);
        }
        (name.clone(), document)
    };
    let groups: serde_json::Map<String, Value> = provider.groups.iter().map(group).collect();
    let document = json!({
        "issuer": provider.issuer,
        "client_id": provider.client_id,
        "groups_claim": provider.groups_claim,
        "name_claim": provider.name_claim,
        "groups": groups,
    });
    let secrets = |provider: &IdentityProvider| {
        let secret = provider.client_secret.iter();
        secret
            .map(|secret| ("client_secret".to_owned(), secret.clone()))
            .collect()
    };
    with_rotated(document, before.map(secrets), secrets(provider))
}

/// Who has which secret, by name.
type Secrets = Vec<(String, plimsoll_core::Secret)>;

/// The document, and who has another secret than before.
fn with_rotated(mut document: Value, before: Option<Secrets>, now: Secrets) -> Value {
    let before = before.unwrap_or_default();
    let changed = |(name, secret): &(String, plimsoll_core::Secret)| {
        let known = before.iter().find(|(known, _)| known == name);
        known.is_some_and(|(_, was)| was.expose() != secret.expose())
    };
    let rotated: Vec<String> = now
        .into_iter()
        .filter(changed)
        .map(|(name, _)| name)
        .collect();
    if !rotated.is_empty() {
        document[ROTATED] = json!(rotated);
    }
    document
}

/// A document with its keys in byte order, and its bytes.
pub(crate) fn canonical(document: &impl Serialize) -> (Value, Vec<u8>) {
    let mut value = serde_json::to_value(document).expect("documents have only text keys");
    value.sort_all_objects();
    let bytes = value.to_string().into_bytes();
    (value, bytes)
}
