//! The script against the pure step, and what only a server shows: memory that is lost, starts of a node.

use std::time::Duration;

use plimsoll_core::NodeName;
use plimsoll_core::Timestamp;
use plimsoll_core::limits::lease::{Answer, Ask, Keeper, Report};
use plimsoll_core::ports::{Leases as _, PortError, Seed};
use proptest::prelude::*;

use crate::server::{Server, ask};

const LEASE: Duration = Duration::from_secs(600);

fn asks() -> impl Strategy<Value = Vec<(usize, Vec<Ask>)>> {
    let amount = || prop_oneof![0..50_u64, 0..(1_u64 << 50)];
    let one = (
        0..3_usize,
        prop_oneof![0..100_u64, Just(1 << 52)],
        amount(),
        0..40_u64,
        amount(),
        amount(),
        any::<bool>(),
    );
    let one = one.prop_map(|(counter, most, used, hold, need, want, is_gauge)| Ask {
        want,
        is_gauge,
        ..ask(&format!("counter-{counter}"), most, used, hold, need)
    });
    proptest::collection::vec((0..3_usize, proptest::collection::vec(one, 1..4)), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_script_does_what_the_pure_step_does(rounds in asks()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Server::start();
            let names = ["a", "b", "c"];
            let keepers = names.map(|name| server.keeper(name, LEASE));
            let mut pure = Keeper::default();
            // Leases outlast the test, so that the two clocks need not agree.
            let now = Timestamp::from_micros(1);
            for (number, (node, asks)) in rounds.iter().enumerate() {
                for (place, ask) in asks.iter().enumerate() {
                    let exchanged = keepers[*node].exchange(std::slice::from_ref(ask)).await.unwrap();
                    let report = Report { start: 1, number: (number * 10 + place) as u64 };
                    let name = NodeName::new(names[*node]).unwrap();
                    let expected = pure.step((&name, report), ask, LEASE, now);
                    prop_assert_eq!(exchanged.answers[0], expected, "{:?}", ask);
                }
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn nodes_share_what_there_is_and_one_that_is_dead_gives_it_back() {
    let server = Server::start();
    let brief = Duration::from_millis(300);
    let (a, b) = (server.keeper("a", brief), server.keeper("b", LEASE));
    let granted = a.exchange(&[ask("tokens", 100, 10, 0, 60)]).await.unwrap();
    assert_eq!(
        granted.answers,
        [Some(Answer {
            slice: 60,
            room: 30
        })]
    );
    let granted = b.exchange(&[ask("tokens", 100, 0, 0, 50)]).await.unwrap();
    assert_eq!(granted.answers, [Some(Answer { slice: 30, room: 0 })]);
    let more = async || {
        let asked = b.exchange(&[ask("tokens", 100, 30, 0, 60)]).await.unwrap();
        asked.answers[0].unwrap().slice
    };
    assert_eq!(more().await, 0, "a may still spend it");
    let begun = std::time::Instant::now();
    while more().await < 60 {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_that_forgot_everything_is_known_by_another_name() {
    let server = Server::start();
    let a = server.keeper("a", LEASE);
    let before = a.exchange(&[ask("tokens", 100, 10, 0, 60)]).await.unwrap();
    let again = a.exchange(&[]).await.unwrap();
    assert_eq!(before.memory.epoch, again.memory.epoch);
    assert!(again.memory.is_ours && again.memory.age >= before.memory.age);
    let mut connection = server.connection().await;
    let _: () = redis::cmd("FLUSHALL")
        .query_async(&mut connection)
        .await
        .unwrap();
    let after = a.exchange(&[ask("tokens", 100, 10, 60, 30)]).await.unwrap();
    assert_ne!(after.memory.epoch, before.memory.epoch);
    assert!(after.memory.is_ours && after.memory.age < Duration::from_secs(5));
    // Reports go on counting, so that none is taken for one that was overtaken.
    let later = a.exchange(&[ask("tokens", 100, 20, 50, 0)]).await.unwrap();
    assert_eq!(
        later.answers,
        [Some(Answer {
            slice: 50,
            room: 30
        })]
    );
}

#[tokio::test]
async fn who_starts_later_under_a_nodes_name_reports_for_it_and_the_other_is_told() {
    let server = Server::start();
    let (first, second) = (server.keeper("a", LEASE), server.keeper("a", LEASE));
    assert!(
        first
            .exchange(&[ask("tokens", 100, 10, 0, 20)])
            .await
            .unwrap()
            .memory
            .is_ours
    );
    assert!(
        second
            .exchange(&[ask("tokens", 100, 15, 0, 0)])
            .await
            .unwrap()
            .memory
            .is_ours
    );
    let overtaken = first
        .exchange(&[ask("tokens", 100, 10, 20, 0)])
        .await
        .unwrap();
    assert!(!overtaken.memory.is_ours);
    assert_eq!(overtaken.answers, [None]);
}

#[tokio::test]
async fn what_the_records_say_counts_until_the_node_reports_itself() {
    let server = Server::start();
    let (a, b) = (server.keeper("a", LEASE), server.keeper("b", LEASE));
    let seed = |used| Seed {
        node: NodeName::new("a").unwrap(),
        key: ask("tokens", 0, 0, 0, 0).key,
        used,
        life: Duration::from_secs(60),
    };
    b.seed(&[seed(70)]).await.unwrap();
    b.seed(&[seed(40)]).await.unwrap();
    let granted = b.exchange(&[ask("tokens", 100, 0, 0, 50)]).await.unwrap();
    assert_eq!(granted.answers, [Some(Answer { slice: 30, room: 0 })]);
    a.exchange(&[ask("tokens", 100, 65, 0, 0)]).await.unwrap();
    b.seed(&[seed(90)]).await.unwrap();
    let granted = b.exchange(&[ask("tokens", 100, 0, 30, 5)]).await.unwrap();
    assert_eq!(granted.answers, [Some(Answer { slice: 35, room: 0 })]);
    let mut connection = server.connection().await;
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg("*acme*")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(keys, ["plimsoll:production:{acme}:tokens"]);
    let left: i64 = redis::cmd("PTTL")
        .arg(&keys[0])
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_node_that_starts_and_cannot_read_its_records_adds_to_what_is_known_of_it() {
    let server = Server::start();
    let (first, second) = (server.keeper("a", LEASE), server.keeper("a", LEASE));
    let b = server.keeper("b", LEASE);
    let known = ask("tokens", 100, 60, 0, 0);
    first.exchange(&[known]).await.unwrap();
    for used in [0, 10] {
        let unread = Ask {
            is_whole: false,
            ..ask("tokens", 100, used, 0, 0)
        };
        second.exchange(&[unread]).await.unwrap();
    }
    let granted = b.exchange(&[ask("tokens", 100, 0, 0, 50)]).await.unwrap();
    assert_eq!(granted.answers, [Some(Answer { slice: 30, room: 0 })]);
    second
        .exchange(&[ask("tokens", 100, 65, 0, 0)])
        .await
        .unwrap();
    let granted = b.exchange(&[ask("tokens", 100, 0, 30, 50)]).await.unwrap();
    assert_eq!(granted.answers, [Some(Answer { slice: 35, room: 0 })]);
}

#[tokio::test]
async fn a_counter_is_remembered_for_as_long_as_any_node_says() {
    let server = Server::start();
    let a = server.keeper("a", LEASE);
    let mut connection = server.connection().await;
    for (seconds, least) in [(60, 50_000), (600, 590_000), (60, 580_000)] {
        let ask = Ask {
            life: Duration::from_secs(seconds),
            ..ask("tokens", 100, 1, 0, 0)
        };
        a.exchange(&[ask]).await.unwrap();
        let left: i64 = redis::cmd("PTTL")
            .arg("plimsoll:production:{acme}:tokens")
            .query_async(&mut connection)
            .await
            .unwrap();
        assert!(left > least, "{left}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_told_of_soon_and_found_again() {
    let mut server = Server::start();
    let a = server.keeper("a", LEASE);
    a.exchange(&[]).await.unwrap();
    server.kill();
    let begun = std::time::Instant::now();
    let failed = a
        .exchange(&[ask("tokens", 100, 10, 0, 20)])
        .await
        .unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(matches!(failed, PortError::Keeper(_)));
}
