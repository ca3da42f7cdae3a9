//! Policies on attributes: who may read or change what, for what purpose, where and when.
//!
//! Roles say what somebody may do at all; these say under which circumstances. A policy is about some
//! actions, holds where its condition in CEL is true, and then denies or allows. How they combine is that of
//! Istio's `AuthorizationPolicy` and of XACML's *deny-overrides*: whatever denies, denies, in every order;
//! where any policy on an action allows, one of them must hold; where none is about it, nothing stands in the
//! way. A condition that cannot be evaluated never lets anybody through.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use plimsoll_core::access::{
    ControlAction, Held, Judgement, PolicyEffect, PolicyFinding, Question, TimeZone,
};
use serde_json::Value;

use crate::expr::{Expr, ExprError, Scope};
use crate::names::nearest;

/// A policy.
#[derive(Clone, Debug)]
pub struct AccessPolicy {
    name: String,
    about: String,
    on: BTreeSet<ControlAction>,
    effect: PolicyEffect,
    when: Expr,
    /// Each attribute that the condition looks at.
    attributes: Vec<Attribute>,
}

/// A variable, and its member if it has any.
type Attribute = (&'static str, Option<String>);

/// Why a condition cannot be one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConditionError {
    /// It is not CEL that could be evaluated here.
    #[error(transparent)]
    Expr(#[from] ExprError),
    /// It asks for an attribute that is not there.
    #[error("there is no attribute `{variable}.{member}`{hint}")]
    UnknownAttribute {
        /// Of what.
        variable: &'static str,
        /// The attribute as written.
        member: String,
        /// What was probably meant, or what there is.
        hint: String,
    },
}

impl AccessPolicy {
    /// A policy whose condition is `when`.
    ///
    /// # Errors
    /// If the condition could never be evaluated.
    pub fn new(
        name: &str,
        about: &str,
        on: impl IntoIterator<Item = ControlAction>,
        effect: PolicyEffect,
        when: &str,
    ) -> Result<Self, ConditionError> {
        let variables = Question::VARIABLES.map(|(variable, _)| variable);
        let when = Expr::compile(when, &variables)?;
        let mut attributes = Vec::new();
        for (variable, members) in Question::VARIABLES {
            if when.names_whole(variable) {
                attributes.push((variable, None));
            }
            for member in when.members_of(variable) {
                if !members.contains(&member.as_str()) {
                    let hint = match nearest(&member, members) {
                        Some(meant) => format!(": did you mean `{variable}.{meant}`?"),
                        None if members.is_empty() => format!(": `{variable}` is a text"),
                        None => format!(": `{variable}` has {}", members.join(", ")),
                    };
                    return Err(ConditionError::UnknownAttribute {
                        variable,
                        member,
                        hint,
                    });
                }
                attributes.push((variable, Some(member)));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            about: about.to_owned(),
            on: on.into_iter().collect(),
            effect,
            when,
            attributes,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for, in words.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// The actions that it is about.
    pub const fn on(&self) -> &BTreeSet<ControlAction> {
        &self.on
    }

    /// What it does where it holds.
    pub const fn effect(&self) -> PolicyEffect {
        self.effect
    }

    /// Its condition, as it was written.
    pub fn when(&self) -> &str {
        self.when.text()
    }

    fn evaluate(&self, values: &[Value; 6]) -> PolicyFinding {
        let mut scope = Scope::new();
        for ((variable, _), value) in Question::VARIABLES.iter().zip(values) {
            scope = scope.with(variable, value);
        }
        let (held, error) = match self.when.holds(&scope) {
            Ok(true) => (Held::Yes, None),
            Ok(false) => (Held::No, None),
            Err(error) => (Held::Undecided, Some(error.to_string())),
        };
        PolicyFinding {
            policy: self.name.clone(),
            effect: self.effect,
            held,
            attributes: self.attributes_in(values),
            error,
        }
    }

    fn attributes_in(&self, values: &[Value; 6]) -> BTreeMap<String, Value> {
        let value = |(variable, member): &Attribute| {
            let mut known = Question::VARIABLES.iter().zip(values);
            let (_, value) = known.find(|((known, _), _)| known == variable)?;
            Some(match member {
                None => ((*variable).to_owned(), value.clone()),
                Some(member) => (format!("{variable}.{member}"), value[member].clone()),
            })
        };
        self.attributes.iter().filter_map(value).collect()
    }
}

/// The policies in force: those that always hold, and the workspace's own.
#[derive(Clone, Debug)]
pub struct AccessPolicies {
    policies: Vec<AccessPolicy>,
    zone: TimeZone,
}

/// What holds everywhere: name, what it is for, on what, and when it denies.
const BUILT_IN: [(&str, &str, &[ControlAction], &str); 4] = [
    (
        "plimsoll/purpose",
        "an input or output is read for a stated purpose",
        &[ControlAction::GetPayload, ControlAction::GetReview],
        "purpose == \"\"",
    ),
    (
        "plimsoll/own-tenant",
        "who works for one tenant reads and changes nothing of another",
        &ControlAction::ALL,
        "actor.tenant != \"\" && resource.tenant != \"\" && actor.tenant != resource.tenant",
    ),
    (
        "plimsoll/not-the-author",
        "nobody approves what they made: somebody else does",
        &[ControlAction::Approve],
        "resource.author != \"\" && actor.name == resource.author",
    ),
    (
        "plimsoll/special-data",
        "data of a special category is read by people who are known by name: neither with the owner's token nor with a key",
        &[ControlAction::GetPayload, ControlAction::GetReview],
        "resource.data_class == \"special\" && actor.kind in [\"owner\", \"key\"]",
    ),
];

static BUILT_IN_POLICIES: LazyLock<Vec<AccessPolicy>> = LazyLock::new(|| {
    let policy = |(name, about, on, when): (&str, &str, &[ControlAction], &str)| {
        AccessPolicy::new(name, about, on.iter().copied(), PolicyEffect::Deny, when)
            .expect("the built-in conditions are tested")
    };
    BUILT_IN.map(policy).into()
});

impl Default for AccessPolicies {
    /// Those that always hold, in UTC.
    fn default() -> Self {
        Self::new(Vec::new(), TimeZone::UTC)
    }
}

impl AccessPolicies {
    /// Those that always hold, and `own`; hours and days are those of `zone`.
    pub fn new(own: Vec<AccessPolicy>, zone: TimeZone) -> Self {
        let mut policies = BUILT_IN_POLICIES.clone();
        policies.extend(own);
        Self { policies, zone }
    }

    /// All of them, those that always hold first.
    pub fn iter(&self) -> impl Iterator<Item = &AccessPolicy> {
        self.policies.iter()
    }

    /// Those of the workspace.
    pub fn own(&self) -> impl Iterator<Item = &AccessPolicy> {
        self.policies.iter().skip(BUILT_IN.len())
    }

    /// Whether any policy on `action` looks at this member: what nobody looks at need not be found out.
    pub fn look_at(&self, action: ControlAction, variable: &str, member: &str) -> bool {
        let looks = |policy: &AccessPolicy| {
            let mut attributes = policy.attributes.iter();
            attributes
                .any(|(of, known)| *of == variable && known.as_deref().is_none_or(|m| m == member))
        };
        self.of(action).any(looks)
    }

    /// Whether any policy of the workspace's own on `action` looks at this variable at all.
    pub fn own_look_at(&self, action: ControlAction, variable: &str) -> bool {
        let looks = |policy: &AccessPolicy| {
            let mut attributes = policy.attributes.iter();
            policy.on.contains(&action) && attributes.any(|(of, _)| *of == variable)
        };
        self.own().any(looks)
    }

    fn of(&self, action: ControlAction) -> impl Iterator<Item = &AccessPolicy> {
        let about = move |policy: &&AccessPolicy| policy.on.contains(&action);
        self.policies.iter().filter(about)
    }

    /// Yes or no, and why.
    pub fn decide(&self, question: &Question<'_>) -> Judgement {
        let values = question.values(&self.zone);
        let mut findings = Vec::new();
        let mut refusing: Option<&AccessPolicy> = None;
        let (mut letting, mut others) = (None, Vec::new());
        for policy in self.of(question.action) {
            let finding = policy.evaluate(&values);
            match (policy.effect, finding.held) {
                (PolicyEffect::Deny, Held::Yes | Held::Undecided) => {
                    refusing = refusing.or(Some(policy));
                }
                (PolicyEffect::Deny, Held::No) => {}
                (PolicyEffect::Allow, Held::Yes) => letting = letting.or(Some(policy)),
                (PolicyEffect::Allow, Held::No | Held::Undecided) => others.push(policy),
            }
            findings.push(finding);
        }
        let (allowed, policy, because) = match (refusing, letting, others.first()) {
            (Some(policy), _, _) => (false, Some(policy), denial(policy, &findings)),
            (None, Some(policy), _) => {
                let because = format!("policy `{}` allows it: {}", policy.name, policy.about);
                (true, Some(policy), because)
            }
            (None, None, Some(policy)) => (false, Some(*policy), none_allows(&others, &findings)),
            (None, None, None) => (true, None, "no policy is against it".to_owned()),
        };
        Judgement {
            allowed,
            because,
            policy: policy.map(|policy| policy.name.clone()),
            findings,
        }
    }
}

fn denial(policy: &AccessPolicy, findings: &[PolicyFinding]) -> String {
    let (name, about) = (&policy.name, &policy.about);
    let finding = findings.iter().find(|finding| finding.policy == *name);
    let seen = seen(finding);
    match finding.and_then(|finding| finding.error.as_deref()) {
        Some(error) => {
            format!("policy `{name}` denies, as it could not be evaluated: {error}{seen}")
        }
        None => format!("policy `{name}` denies it: {about}{seen}"),
    }
}

fn none_allows(others: &[&AccessPolicy], findings: &[PolicyFinding]) -> String {
    let each = others.iter().map(|policy| {
        let mut of_policy = findings.iter();
        let finding = of_policy.find(|finding| finding.policy == policy.name);
        format!("`{}` ({}){}", policy.name, policy.about, seen(finding))
    });
    let each: Vec<String> = each.collect();
    format!(
        "no policy that could allow it holds: {}",
        each.join(" and ")
    )
}

/// The attributes that a policy looked at, in words.
fn seen(finding: Option<&PolicyFinding>) -> String {
    let attributes = finding.into_iter().flat_map(|finding| &finding.attributes);
    let each: Vec<String> = attributes
        .map(|(name, value)| format!("{name} is {value}"))
        .collect();
    if each.is_empty() {
        return String::new();
    }
    format!("; {}", each.join(", "))
}

#[cfg(test)]
mod tests;
