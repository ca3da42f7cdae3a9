//! The tree of limits against models that remember everything.

use std::sync::Mutex;
use std::time::Duration;

use proptest::prelude::*;

use super::super::{Scope, Window};
use super::*;
use crate::digest::Digest;
use crate::money::Money;
use crate::names::{KeyName, LimitName, SystemName, TeamName, TenantName};

const NOW: Timestamp = Timestamp::from_micros(1_773_478_920_000_000);

struct Names {
    tenant: TenantName,
    team: TeamName,
    key: KeyName,
    system: SystemName,
}

impl Names {
    fn of(tenant: &str, key: &str) -> Self {
        Self {
            tenant: TenantName::new(tenant).unwrap(),
            team: TeamName::new("search").unwrap(),
            key: KeyName::new(key).unwrap(),
            system: SystemName::new("answers").unwrap(),
        }
    }

    fn who<'a>(&'a self, user: Option<&str>, session: Option<&'a str>) -> Who<'a> {
        Who {
            tenant: &self.tenant,
            team: Some(&self.team),
            key: Some(&self.key),
            user: user.map(|user| Digest::of(user.as_bytes())),
            session,
            system: &self.system,
        }
    }
}

fn limit(name: &str, per: Level, ceilings: &[(Resource, Window, i128)]) -> Limit {
    let ceiling = |&(resource, window, most): &(Resource, Window, i128)| Ceiling {
        resource,
        window,
        most,
    };
    Limit {
        name: LimitName::new(name).unwrap(),
        per,
        scope: Scope::default(),
        ceilings: ceilings.iter().map(ceiling).collect(),
        concurrency: None,
        time: None,
        life: Limit::LIFE,
        members_max: Limit::MEMBERS_MAX,
        unnamed: if per == Level::Session {
            Unnamed::Pass
        } else {
            Unnamed::Share
        },
    }
}

fn limits(limits: Vec<Limit>) -> Limits {
    Limits {
        limits,
        ..Limits::default()
    }
}

fn money(pico: i128) -> Amounts {
    Amounts {
        money: Money::from_pico(pico),
        ..Amounts::default()
    }
}

/// Enters, reserves and leaves; gives whether it was granted.
fn spend(tree: &mut Tree, who: &Who<'_>, pico: i128, now: Timestamp) -> bool {
    let Ok(passage) = tree.enter(who, now) else {
        return false;
    };
    let reserved = tree.reserve(&passage, money(pico), now);
    let granted = reserved.is_ok();
    if let Ok(reservation) = reserved {
        tree.settle(&passage, &reservation, &money(pico), now);
    }
    tree.leave(passage);
    granted
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

const DAY_MONEY: (Resource, Window) = (Resource::Money, Window::Day);

#[test]
fn a_limit_on_any_level_of_the_path_refuses_and_none_takes_half() {
    let names = Names::of("acme", "web");
    let levels = [
        Level::Workspace,
        Level::Tenant,
        Level::Team,
        Level::Key,
        Level::User,
        Level::Session,
        Level::System,
    ];
    for narrow in levels {
        let all = levels.map(|per| {
            let most = if per == narrow { 10 } else { 1_000 };
            limit(per.as_str(), per, &[(DAY_MONEY.0, DAY_MONEY.1, most)])
        });
        let mut tree = Tree::new(&limits(all.to_vec()), NOW);
        let who = names.who(Some("ann"), Some("s-1"));
        let passage = tree.enter(&who, NOW).unwrap();
        let refused = tree.reserve(&passage, money(11), NOW).unwrap_err();
        assert_eq!(refused.level, narrow);
        assert!(refused.never_fits() && refused.resets_at.is_none());
        for _ in 0..10 {
            assert!(
                tree.reserve(&passage, money(1), NOW).is_ok(),
                "what was refused took nothing of {narrow:?}"
            );
        }
        let refused = tree.reserve(&passage, money(1), NOW).unwrap_err();
        assert_eq!((refused.left, refused.most), (0, 10));
        let midnight = Timestamp::parse("2026-03-15").unwrap();
        if narrow != Level::Session {
            assert_eq!(refused.resets_at, Some(midnight));
        }
        tree.leave(passage);
    }
}

#[test]
fn of_several_limits_in_the_way_the_one_that_lasts_longest_is_named() {
    let names = Names::of("acme", "web");
    let all = vec![
        limit(
            "burst",
            Level::Key,
            &[(Resource::Requests, Window::Minute, 1)],
        ),
        limit(
            "month",
            Level::Tenant,
            &[(Resource::Requests, Window::Month, 1)],
        ),
        limit(
            "hour",
            Level::System,
            &[(Resource::Requests, Window::Hour, 1)],
        ),
    ];
    let mut tree = Tree::new(&limits(all), NOW);
    let passage = tree.enter(&names.who(None, None), NOW).unwrap();
    let refused = tree.enter(&names.who(None, None), NOW).unwrap_err();
    assert_eq!(refused.limit.as_str(), "month");
    assert_eq!(
        refused.resets_at,
        Some(Timestamp::parse("2026-04-01").unwrap())
    );
    tree.leave(passage);
}

#[test]
fn what_was_reserved_and_not_spent_is_free_again_and_a_new_window_begins_at_nothing() {
    let names = Names::of("acme", "web");
    let all = limits(vec![limit(
        "key",
        Level::Key,
        &[(Resource::TokensOut, Window::Minute, 100)],
    )]);
    let mut tree = Tree::new(&all, NOW);
    let tokens = |tokens_out| Amounts {
        tokens_out,
        ..Amounts::default()
    };
    let passage = tree.enter(&names.who(None, None), NOW).unwrap();
    let reservation = tree.reserve(&passage, tokens(90), NOW).unwrap();
    assert!(tree.reserve(&passage, tokens(20), NOW).is_err());
    tree.settle(&passage, &reservation, &tokens(10), NOW);
    let second = tree.reserve(&passage, tokens(90), NOW).unwrap();
    let later = NOW.plus(minutes(1));
    assert!(tree.reserve(&passage, tokens(100), later).is_ok());
    tree.settle(&passage, &second, &tokens(0), later);
    assert!(
        tree.reserve(&passage, tokens(1), later).is_err(),
        "a settlement of the last minute frees nothing of this one"
    );
    tree.leave(passage);
}

#[test]
fn concurrency_is_a_place_that_is_given_back() {
    let names = Names::of("acme", "web");
    let mut two = limit("two", Level::Key, &[]);
    two.concurrency = Some(2);
    let mut tree = Tree::new(&limits(vec![two]), NOW);
    let first = tree.enter(&names.who(None, None), NOW).unwrap();
    let second = tree.enter(&names.who(None, None), NOW).unwrap();
    let refused = tree.enter(&names.who(None, None), NOW).unwrap_err();
    assert_eq!((refused.stop, refused.most), (Stop::Concurrency, 2));
    tree.leave(first);
    let third = tree.enter(&names.who(None, None), NOW).unwrap();
    tree.leave(second);
    tree.leave(third);
}

#[test]
fn a_user_has_one_allowance_whatever_key_is_used_and_who_names_none_shares_the_keys() {
    let (web, app) = (Names::of("acme", "web"), Names::of("acme", "app"));
    let other = Names::of("other", "web");
    let all = limits(vec![limit(
        "user",
        Level::User,
        &[(DAY_MONEY.0, DAY_MONEY.1, 5)],
    )]);
    let mut tree = Tree::new(&all, NOW);
    assert!(spend(&mut tree, &web.who(Some("ann"), None), 5, NOW));
    assert!(!spend(&mut tree, &app.who(Some("ann"), None), 1, NOW));
    assert!(spend(&mut tree, &other.who(Some("ann"), None), 5, NOW));
    assert!(spend(&mut tree, &web.who(None, None), 5, NOW));
    assert!(
        !spend(&mut tree, &web.who(None, None), 1, NOW),
        "no way around by silence"
    );
    assert!(spend(&mut tree, &app.who(None, None), 5, NOW));
}

#[test]
fn a_session_ends_by_steps_and_by_time_and_must_be_named_where_it_is_asked_for() {
    let names = Names::of("acme", "web");
    let mut session = limit(
        "loop",
        Level::Session,
        &[(Resource::Requests, Window::Session, 3)],
    );
    session.time = Some(minutes(10));
    session.unnamed = Unnamed::Refuse;
    let mut tree = Tree::new(&limits(vec![session]), NOW);
    let who = names.who(None, Some("agent-1"));
    for _ in 0..3 {
        let passage = tree.enter(&who, NOW).unwrap();
        assert_eq!(passage.until, Some(NOW.plus(minutes(10))));
        tree.leave(passage);
    }
    let refused = tree.enter(&who, NOW).unwrap_err();
    assert_eq!(
        refused.stop,
        Stop::Ceiling(Resource::Requests, Window::Session)
    );
    assert_eq!(refused.resets_at, Some(NOW.plus(Duration::from_hours(24))));
    let other = names.who(None, Some("agent-2"));
    let passage = tree.enter(&other, NOW).unwrap();
    tree.leave(passage);
    let refused = tree.enter(&other, NOW.plus(minutes(10))).unwrap_err();
    assert_eq!(refused.stop, Stop::Time);
    let refused = tree.enter(&names.who(None, None), NOW).unwrap_err();
    assert_eq!(refused.stop, Stop::Unnamed);
    let passage = tree
        .enter(&who, NOW.plus(Duration::from_hours(24)))
        .unwrap();
    tree.leave(passage);
}

#[test]
fn editing_a_limit_keeps_its_usage_and_a_new_ceiling_waits_for_what_was_before() {
    let names = Names::of("acme", "web");
    let who = names.who(None, None);
    let day = |most| limit("tenant", Level::Tenant, &[(DAY_MONEY.0, DAY_MONEY.1, most)]);
    let mut tree = Tree::new(&limits(vec![day(10)]), NOW);
    tree.seeded();
    assert!(spend(&mut tree, &who, 8, NOW));
    let under_way = tree.enter(&who, NOW).unwrap();
    let reserved = tree.reserve(&under_way, money(1), NOW).unwrap();

    let month = [
        (DAY_MONEY.0, DAY_MONEY.1, 12),
        (Resource::Money, Window::Month, 40),
    ];
    let edited_at = NOW.plus(minutes(1));
    tree.change(
        &limits(vec![limit("tenant", Level::Tenant, &month)]),
        edited_at,
    );
    assert!(
        !spend(&mut tree, &who, 4, edited_at),
        "nine of twelve are used"
    );
    let seeding = tree.seeding(edited_at).unwrap();
    let month_began = Timestamp::parse("2026-03-01").unwrap();
    assert_eq!(seeding.windows, [(Window::Month, month_began)]);
    assert_eq!(seeding.until, edited_at);
    tree.seed(Window::Month, &who, &money(38), (month_began, edited_at));
    tree.seed(Window::Day, &who, &money(8), (NOW, edited_at));
    tree.seeded();
    assert!(tree.seeding(edited_at).is_none());
    tree.settle(&under_way, &reserved, &money(1), edited_at);
    assert!(
        !spend(&mut tree, &who, 2, edited_at),
        "39 of 40 are used in the month"
    );
    assert!(spend(&mut tree, &who, 1, edited_at));
    tree.leave(under_way);
}

#[test]
fn a_scope_says_whose_requests_count() {
    let (acme, other) = (Names::of("acme", "web"), Names::of("other", "web"));
    let mut only = limit(
        "acme",
        Level::Workspace,
        &[(Resource::Requests, Window::Day, 1)],
    );
    only.scope.tenants.insert(acme.tenant.clone());
    let mut tree = Tree::new(&limits(vec![only]), NOW);
    let passage = tree.enter(&acme.who(None, None), NOW).unwrap();
    tree.leave(passage);
    assert!(tree.enter(&acme.who(None, None), NOW).is_err());
    for _ in 0..3 {
        let passage = tree.enter(&other.who(None, None), NOW).unwrap();
        assert!(passage.stands.is_empty());
        tree.leave(passage);
    }
}

#[test]
fn sixty_four_callers_on_one_small_budget_never_pass_it() {
    let names = Names::of("acme", "web");
    let all = limits(vec![
        limit(
            "tenant",
            Level::Tenant,
            &[(DAY_MONEY.0, DAY_MONEY.1, 1_000)],
        ),
        limit("key", Level::Key, &[(DAY_MONEY.0, DAY_MONEY.1, 900)]),
    ]);
    let tree = Mutex::new(Tree::new(&all, NOW));
    let spent = Mutex::new(0_i128);
    std::thread::scope(|scope| {
        for caller in 0..64_i128 {
            let (tree, spent, names) = (&tree, &spent, &names);
            scope.spawn(move || {
                for call in 0..50_i128 {
                    let who = names.who(None, None);
                    let passage = tree.lock().unwrap().enter(&who, NOW).unwrap();
                    let estimate = 1 + (caller * 7 + call * 13) % 40;
                    let reserved = tree.lock().unwrap().reserve(&passage, money(estimate), NOW);
                    std::thread::yield_now();
                    if let Ok(reservation) = reserved {
                        let real = estimate.min(1 + call % 9);
                        *spent.lock().unwrap() += real;
                        let mut tree = tree.lock().unwrap();
                        tree.settle(&passage, &reservation, &money(real), NOW);
                    }
                    tree.lock().unwrap().leave(passage);
                }
            });
        }
    });
    let spent = *spent.lock().unwrap();
    assert!(spent <= 900, "{spent}");
    assert!(
        spent > 860,
        "a budget is used up to the last estimate: {spent}"
    );
}

/// What a caller does next.
#[derive(Clone, Debug)]
enum Act {
    Ask { user: usize, estimate: i128 },
    Settle { which: usize, percent: i128 },
    Wait { seconds: u64 },
    Edit { most: i128 },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..40_usize, 0..60_i128).prop_map(|(user, estimate)| Act::Ask { user, estimate }),
        5 => (0..100_usize, 0..=100_i128).prop_map(|(which, percent)| Act::Settle { which, percent }),
        1 => (1..40_000_u64).prop_map(|seconds| Act::Wait { seconds }),
        1 => (50..300_i128).prop_map(|most| Act::Edit { most }),
    ]
}

proptest! {
    /// Against a ledger that remembers everything: nobody is ever granted more than their ceilings allow
    /// in a window, however small the memory is, whatever is edited, and whoever is folded.
    #[test]
    fn no_path_is_ever_granted_more_than_its_ceilings(
        acts in proptest::collection::vec(act(), 1..250),
        members_max in 1..6_usize,
    ) {
        let names = Names::of("acme", "web");
        let users: Vec<String> = (0..40).map(|user| format!("user-{user}")).collect();
        let form = |most: i128| {
            let mut all = limits(vec![
                limit("user", Level::User, &[(Resource::Money, Window::Hour, most)]),
                limit("all", Level::Workspace, &[(Resource::Money, Window::Day, most * 4)]),
            ]);
            all.limits.iter_mut().for_each(|limit| limit.members_max = members_max);
            all
        };
        let (mut now, mut most, mut most_open) = (NOW, 100, 0);
        let mut tree = Tree::new(&form(most), now);
        let mut calendar = Calendar::new(jiff::tz::TimeZone::UTC);
        let mut open: Vec<(usize, i128, Timestamp, Passage, Reservation)> = Vec::new();
        // (user, amount, when): what is set aside or spent.
        let mut settled: Vec<(usize, i128, Timestamp)> = Vec::new();
        for act in acts {
            match act {
                Act::Ask { user, estimate } => {
                    let passage = tree.enter(&names.who(Some(&users[user]), None), now).unwrap();
                    match tree.reserve(&passage, money(estimate), now) {
                        Ok(reservation) => open.push((user, estimate, now, passage, reservation)),
                        Err(_) => { tree.leave(passage); continue; }
                    }
                    let mut window = |window| calendar.window(window, Limit::LIFE, now);
                    let (hour, day) = (window(Window::Hour), window(Window::Day));
                    let reserved = open.iter().map(|(user, amount, at, ..)| (*user, *amount, *at));
                    let all: Vec<_> = settled.iter().copied().chain(reserved).collect();
                    let of = |span: Span, one: Option<usize>| -> i128 {
                        let counts = |entry: &&(usize, i128, Timestamp)| {
                            span.holds(entry.2.as_micros()) && one.is_none_or(|user| user == entry.0)
                        };
                        all.iter().filter(counts).map(|entry| entry.1).sum()
                    };
                    // An edit may put a ceiling below what was used; then nothing more is granted.
                    prop_assert!(estimate == 0 || of(hour, Some(user)) <= most);
                    prop_assert!(estimate == 0 || of(day, None) <= most * 4);
                }
                Act::Settle { which, percent } if !open.is_empty() => {
                    let (user, estimate, at, passage, reservation) = open.swap_remove(which % open.len());
                    let real = estimate * percent / 100;
                    tree.settle(&passage, &reservation, &money(real), now);
                    tree.leave(passage);
                    settled.push((user, real, at));
                }
                Act::Settle { .. } => {}
                Act::Wait { seconds } => now = now.plus(Duration::from_secs(seconds)),
                Act::Edit { most: other } => {
                    most = other;
                    tree.change(&form(most), now);
                }
            }
            most_open = most_open.max(open.len());
            let (members, _) = tree.figures();
            prop_assert!(members <= 2 * (members_max + most_open + 1), "{members} members");
        }
        for (.., passage, _) in open {
            tree.leave(passage);
        }
    }

    /// While nobody had to be folded, what is refused really did not fit: no budget is lost either.
    #[test]
    fn what_is_refused_did_not_fit(
        estimates in proptest::collection::vec((1..60_i128, 0..=100_i128), 1..80),
    ) {
        let names = Names::of("acme", "web");
        let all = limits(vec![limit("key", Level::Key, &[(DAY_MONEY.0, DAY_MONEY.1, 500)])]);
        let mut tree = Tree::new(&all, NOW);
        let mut used = 0;
        for (estimate, percent) in estimates {
            let passage = tree.enter(&names.who(None, None), NOW).unwrap();
            match tree.reserve(&passage, money(estimate), NOW) {
                Ok(reservation) => {
                    let real = estimate * percent / 100;
                    used += real;
                    tree.settle(&passage, &reservation, &money(real), NOW);
                }
                Err(refused) => {
                    prop_assert!(used + estimate > 500);
                    prop_assert_eq!(refused.left, 500 - used);
                }
            }
            tree.leave(passage);
        }
    }
}
