//! Deny overrides, in every order; what cannot be evaluated lets nobody through.

use plimsoll_core::access::{ActorKind, Asker, DataClass, Resource};
use plimsoll_core::{EnvironmentName, Role, Stakes, TenantName, Timestamp};
use proptest::prelude::*;

use super::*;

const READ: ControlAction = ControlAction::GetPayload;

fn policy(name: &str, effect: PolicyEffect, when: &str) -> AccessPolicy {
    AccessPolicy::new(name, "a test", [READ, ControlAction::Deploy], effect, when).unwrap()
}

fn deny(when: &str) -> AccessPolicy {
    policy("no", PolicyEffect::Deny, when)
}

fn allow(when: &str) -> AccessPolicy {
    policy("yes", PolicyEffect::Allow, when)
}

/// What is asked in these tests, but for what a test changes.
struct Ask {
    kind: ActorKind,
    roles: BTreeSet<Role>,
    tenant: Option<TenantName>,
    action: ControlAction,
    resource: Resource,
    purpose: &'static str,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            kind: ActorKind::Operator,
            roles: [Role::Auditor].into(),
            tenant: None,
            action: READ,
            resource: Resource::default(),
            purpose: "complaint 7",
        }
    }
}

impl Ask {
    fn of(&self, policies: Vec<AccessPolicy>) -> Judgement {
        let environment = EnvironmentName::new("production").unwrap();
        AccessPolicies::new(policies, TimeZone::UTC).decide(&Question {
            actor: Asker {
                name: "udo",
                kind: self.kind,
                roles: &self.roles,
                tenant: self.tenant.as_ref(),
            },
            action: self.action,
            resource: &self.resource,
            purpose: self.purpose,
            environment: &environment,
            at: Timestamp::parse("2026-03-14T09:30:00Z").unwrap(),
        })
    }
}

fn tenant(name: &str) -> Option<TenantName> {
    Some(TenantName::new(name).unwrap())
}

#[test]
fn where_no_policy_is_about_an_action_nothing_stands_in_its_way() {
    let judgement = Ask::default().of(Vec::new());
    assert!(judgement.allowed, "{judgement:?}");
    assert_eq!(judgement.because, "no policy is against it");
    let reload = Ask {
        action: ControlAction::Reload,
        ..Ask::default()
    };
    assert!(reload.of(vec![deny("true"), allow("false")]).allowed);
}

#[test]
fn every_attribute_decides() {
    let system = Resource {
        tenant: tenant("acme"),
        stakes: Some(Stakes::High),
        data_class: DataClass::Personal,
        author: Some("udo".into()),
        age_days: Some(40.0),
        ..Resource::default()
    };
    let ask = Ask {
        resource: system,
        tenant: tenant("acme"),
        ..Ask::default()
    };
    for condition in [
        "purpose.startsWith('complaint')",
        "resource.data_class == 'personal'",
        "resource.stakes == 'high'",
        "resource.tenant == 'acme' && actor.tenant == 'acme'",
        "resource.system == ''",
        "actor.name == resource.author",
        "'auditor' in actor.roles && !('operator' in actor.roles)",
        "actor.kind == 'operator'",
        "environment == 'production'",
        "time.hour >= 9 && time.hour < 17 && time.weekday == 'saturday'",
        "time.date == '2026-03-14' && time.minute == 30",
        "resource.age_days > 30",
        "action.name == 'get_payload' && action.kind == 'read'",
    ] {
        assert!(!ask.of(vec![deny(condition)]).allowed, "{condition}");
        let opposite = format!("!({condition})");
        assert!(ask.of(vec![deny(&opposite)]).allowed, "{condition}");
        assert!(ask.of(vec![allow(condition)]).allowed, "{condition}");
        assert!(!ask.of(vec![allow(&opposite)]).allowed, "{condition}");
    }
}

#[test]
fn an_answer_names_the_policy_and_what_it_looked_at() {
    let judgement = Ask::default().of(vec![deny(
        "resource.data_class == 'unclassified' && purpose != 'audit'",
    )]);
    assert_eq!(judgement.policy.as_deref(), Some("no"));
    assert_eq!(
        judgement.because,
        "policy `no` denies it: a test; purpose is \"complaint 7\", resource.data_class is \"unclassified\""
    );
    let judgement = Ask::default().of(vec![allow("purpose == 'audit'")]);
    assert_eq!(
        judgement.because,
        "no policy that could allow it holds: `yes` (a test); purpose is \"complaint 7\""
    );
}

#[test]
fn what_cannot_be_evaluated_lets_nobody_through() {
    // A text is no number.
    let broken = "purpose > 3";
    let denied = Ask::default().of(vec![deny(broken)]);
    assert!(!denied.allowed);
    assert!(
        denied.because.contains("could not be evaluated"),
        "{}",
        denied.because
    );
    assert!(!Ask::default().of(vec![allow(broken)]).allowed);
    assert!(
        Ask::default()
            .of(vec![allow(broken), allow("true")])
            .allowed
    );
    // Not even a condition that gives no truth at all.
    assert!(!Ask::default().of(vec![deny("purpose")]).allowed);
}

#[test]
fn what_always_holds_needs_no_file() {
    let silent = Ask {
        purpose: "",
        ..Ask::default()
    };
    assert_eq!(
        silent.of(Vec::new()).policy.as_deref(),
        Some("plimsoll/purpose")
    );
    let foreign = Ask {
        tenant: tenant("globex"),
        resource: Resource {
            tenant: tenant("acme"),
            ..Resource::default()
        },
        ..Ask::default()
    };
    let own_tenant = foreign.of(Vec::new());
    assert_eq!(own_tenant.policy.as_deref(), Some("plimsoll/own-tenant"));
    let author = Ask {
        action: ControlAction::Approve,
        resource: Resource {
            author: Some("udo".into()),
            ..Resource::default()
        },
        ..Ask::default()
    };
    let not_author = author.of(Vec::new());
    assert_eq!(
        not_author.policy.as_deref(),
        Some("plimsoll/not-the-author")
    );
    for (kind, allowed) in [
        (ActorKind::Owner, false),
        (ActorKind::Key, false),
        (ActorKind::Operator, true),
        (ActorKind::User, true),
    ] {
        let special = Ask {
            kind,
            resource: Resource {
                data_class: DataClass::Special,
                ..Resource::default()
            },
            ..Ask::default()
        };
        assert_eq!(special.of(Vec::new()).allowed, allowed, "{kind:?}");
    }
    // No policy of a workspace overrides them.
    assert!(!silent.of(vec![allow("true")]).allowed);
}

#[test]
fn an_attribute_that_is_not_there_is_said_with_what_was_meant() {
    let error = |when: &str| {
        AccessPolicy::new("x", "x", [READ], PolicyEffect::Deny, when)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error("resource.dataclass == 'x'"),
        "there is no attribute `resource.dataclass`: did you mean `resource.data_class`?"
    );
    assert!(error("actor.shoes == 'x'").contains("`actor` has name, kind, roles, tenant"));
    assert!(error("purpose.word == 'x'").contains("`purpose` is a text"));
    assert!(error("resources.tenant == 'x'").contains("resource"));
    assert!(error("purpose ==").contains("not CEL"));
}

#[test]
fn what_nobody_looks_at_need_not_be_found_out() {
    let policies = AccessPolicies::new(vec![deny("resource.author == 'ann'")], TimeZone::UTC);
    assert!(policies.look_at(ControlAction::Deploy, "resource", "author"));
    assert!(!policies.look_at(ControlAction::Reload, "resource", "author"));
    assert!(!policies.look_at(ControlAction::Deploy, "resource", "stakes"));
}

#[test]
fn whoever_looks_at_a_variable_as_a_whole_looks_at_each_member_of_it() {
    let looks = |when: &str| {
        let policies = AccessPolicies::new(vec![deny(when)], TimeZone::UTC);
        policies.look_at(ControlAction::Deploy, "resource", "author")
    };
    for when in [
        "has(resource.author) && resource.author == actor.name",
        "resource == {'author': 'ann'}",
        "resource != actor",
        "resource[purpose] == 'ann'",
        "resource[\"author\"] == 'ann'",
        "'author' in resource",
        "[resource].exists(r, r.author == actor.name)",
        "resource.exists(key, resource[key] == actor.name)",
        "size(resource) > 3 || (true ? resource : actor).author == 'ann'",
    ] {
        assert!(looks(when), "{when}");
    }
    for when in [
        "resource.stakes == 'high'",
        "has(resource.stakes)",
        "actor.name == 'ann'",
    ] {
        assert!(!looks(when), "{when}");
    }
    let whole = AccessPolicies::new(vec![deny("resource == actor")], TimeZone::UTC);
    assert!(whole.own_look_at(ControlAction::Deploy, "resource"));
    assert!(!whole.own_look_at(ControlAction::Deploy, "purpose"));
    assert!(!AccessPolicies::default().own_look_at(ControlAction::Deploy, "resource"));
}

/// Policies that hold, do not, or cannot be evaluated.
fn any_policy() -> impl Strategy<Value = (PolicyEffect, Held)> {
    let effect = prop_oneof![Just(PolicyEffect::Allow), Just(PolicyEffect::Deny)];
    let held = prop_oneof![Just(Held::Yes), Just(Held::No), Just(Held::Undecided)];
    (effect, held)
}

static SIX: LazyLock<Vec<((PolicyEffect, Held), AccessPolicy)>> = LazyLock::new(|| {
    let condition = |held| match held {
        Held::Yes => "purpose != ''",
        Held::No => "purpose == ''",
        Held::Undecided => "purpose > 3",
    };
    let mut all = Vec::new();
    for effect in [PolicyEffect::Allow, PolicyEffect::Deny] {
        for held in [Held::Yes, Held::No, Held::Undecided] {
            all.push(((effect, held), policy("p", effect, condition(held))));
        }
    }
    all
});

proptest! {
    #[test]
    fn deny_overrides_in_every_order(
        (kinds, shuffled) in prop::collection::vec(any_policy(), 0..8)
            .prop_flat_map(|kinds| (Just(kinds.clone()), Just(kinds).prop_shuffle()))
    ) {
        let build = |kinds: &[(PolicyEffect, Held)]| {
            let of = |kind: &(PolicyEffect, Held)| {
                let found = SIX.iter().find(|(known, _)| known == kind);
                found.map(|(_, policy)| policy.clone()).unwrap()
            };
            kinds.iter().map(of).collect::<Vec<_>>()
        };
        let allowed = Ask::default().of(build(&kinds)).allowed;
        prop_assert_eq!(allowed, Ask::default().of(build(&shuffled)).allowed);
        let has = |effect, held: &[Held]| {
            kinds.iter().any(|(e, h)| *e == effect && held.contains(h))
        };
        let denied = has(PolicyEffect::Deny, &[Held::Yes, Held::Undecided]);
        let closed = has(PolicyEffect::Allow, &[Held::Yes, Held::No, Held::Undecided]);
        let opened = has(PolicyEffect::Allow, &[Held::Yes]);
        prop_assert_eq!(allowed, !denied && (!closed || opened));
        // One more that denies is a no, wherever it stands.
        for place in 0..=kinds.len() {
            let mut more = build(&kinds);
            more.insert(place, deny("true"));
            prop_assert!(!Ask::default().of(more).allowed);
        }
    }
}
