//! What limits cost a request: entering a tree of four levels and two systems' budgets, reserving,
//! settling and leaving, behind a lock as the gateway has it.
//!
//! `cargo bench -p plimsoll-core --bench limits`

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Mutex;

use criterion::{Criterion, criterion_group, criterion_main};
use plimsoll_core::limits::{
    Amounts, Ceiling, Level, Limit, Limits, Resource, Scope, Tree, Unnamed, Who, Window,
};
use plimsoll_core::{
    Digest, KeyName, LimitName, Money, SystemName, TeamName, TenantName, Timestamp,
};

const NOW: Timestamp = Timestamp::from_micros(1_773_478_920_000_000);

fn limit(name: &str, per: Level) -> Limit {
    let ceiling = |resource, window| Ceiling {
        resource,
        window,
        most: i128::from(u64::MAX),
    };
    Limit {
        name: LimitName::new(name).expect("it is a name"),
        per,
        scope: Scope::default(),
        ceilings: vec![
            ceiling(Resource::Requests, Window::Minute),
            ceiling(Resource::TokensIn, Window::Minute),
            ceiling(Resource::TokensOut, Window::Minute),
            ceiling(Resource::Money, Window::Month),
        ],
        concurrency: Some(1_000),
        time: None,
        life: Limit::LIFE,
        members_max: Limit::MEMBERS_MAX,
        unnamed: Unnamed::Share,
    }
}

fn request(criterion: &mut Criterion) {
    let (tenant, team) = (TenantName::new("acme"), TeamName::new("search"));
    let (key, system) = (KeyName::new("web"), SystemName::new("support-answer"));
    let (tenant, team) = (tenant.expect("a name"), team.expect("a name"));
    let (key, system) = (key.expect("a name"), system.expect("a name"));
    let mut budget = limit("budget", Level::System);
    budget.scope.systems = BTreeSet::from([system.clone()]);
    let limits = Limits {
        limits: vec![
            limit("tenants", Level::Tenant),
            limit("teams", Level::Team),
            limit("keys", Level::Key),
            limit("users", Level::User),
            budget,
        ],
        ..Limits::default()
    };
    let tree = Mutex::new(Tree::new(&limits, NOW));
    let users: Vec<Digest> = (0..10_000_u32)
        .map(|user| Digest::of(&user.to_le_bytes()))
        .collect();
    let estimate = Amounts {
        tokens_in: 900,
        tokens_out: 800,
        money: Money::from_pico(1_200_000_000),
        ..Amounts::default()
    };
    let spent = Amounts {
        tokens_out: 200,
        ..estimate
    };
    let mut next = 0;
    criterion.bench_function("limits/one_request_four_levels_and_a_budget", |bencher| {
        bencher.iter(|| {
            next = (next + 1) % users.len();
            let who = Who {
                tenant: &tenant,
                team: Some(&team),
                key: Some(&key),
                user: Some(users[next]),
                session: None,
                system: &system,
            };
            let lock = || tree.lock().expect("nobody panics");
            let passage = lock().enter(black_box(&who), NOW).expect("it fits");
            let reservation = lock().reserve(&passage, estimate, NOW).expect("it fits");
            lock().settle(&passage, &reservation, &spent, NOW);
            lock().leave(passage);
        });
    });
}

criterion_group!(benches, request);
criterion_main!(benches);
