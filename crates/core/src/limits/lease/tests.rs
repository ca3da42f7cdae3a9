//! Several nodes on one keeper, with reports lost and late, crashes, partitions and a keeper that forgets:
//! what all of them spend stays within the limit and the bound that the module states.

use proptest::prelude::*;

use super::super::{
    Amounts, Ceiling, Exceeded, Level, Limit, Limits, Passage, Reservation, Scope, Tree, Unnamed,
    Who, Window,
};
use super::*;
use crate::money::Money;
use crate::names::{KeyName, LimitName, SystemName, TenantName};

const START: Timestamp = Timestamp::from_micros(1_773_478_920_000_000);
const LEASE: Duration = Duration::from_secs(10);
const TOKENS: u64 = 1_000;
const NODES: usize = 3;
/// Money is leased in whole millionths: what is spent in parts of them is rounded up once at each node.
const MONEY: i128 = 700_000_000;

fn limits() -> Limits {
    let limit = |name: &str, per, resource, most| Limit {
        name: LimitName::new(name).unwrap(),
        per,
        scope: Scope::default(),
        ceilings: vec![Ceiling {
            resource,
            window: Window::Month,
            most,
        }],
        concurrency: None,
        time: None,
        life: Limit::LIFE,
        unnamed: Unnamed::Share,
        members_max: Limit::MEMBERS_MAX,
    };
    Limits {
        limits: vec![
            limit("tenant", Level::Tenant, Resource::TokensOut, TOKENS.into()),
            limit("all", Level::Workspace, Resource::Money, MONEY),
        ],
        ..Limits::default()
    }
}

/// One node: a tree as it is used, and what its journal holds.
struct Node {
    name: NodeName,
    tree: Tree,
    tenure: Tenure,
    grows: bool,
    report: Report,
    /// What was spent and recorded.
    journal: u64,
    open: Vec<(Passage, Reservation, u64)>,
    is_up: bool,
    is_cut: bool,
    /// What the keeper knows of it since it began to remember.
    heard: u64,
    /// What the records that all nodes read hold of it.
    projected: u64,
    /// When it exchanged anything with the keeper last.
    met: Timestamp,
}

struct World {
    now: Timestamp,
    keeper: Keeper,
    epoch: Epoch,
    born: Timestamp,
    nodes: Vec<Node>,
    late: Vec<(NodeName, Report, Vec<Ask>)>,
    /// By how much the limit may be passed, from what happened.
    slack: u64,
    tenant: TenantName,
    key: KeyName,
    system: SystemName,
}

fn used(tokens: u64) -> Amounts {
    Amounts {
        tokens_out: tokens,
        money: Money::from_pico(i128::from(tokens) * 654_321),
        ..Amounts::default()
    }
}

impl Node {
    fn new(name: &str) -> Self {
        let mut tree = tree(START);
        tree.seeded();
        Self {
            name: NodeName::new(name).unwrap(),
            tree,
            tenure: Tenure::default(),
            grows: false,
            report: Report {
                start: 1,
                number: 0,
            },
            journal: 0,
            open: Vec::new(),
            is_up: true,
            is_cut: false,
            heard: 0,
            projected: 0,
            met: START,
        }
    }

    fn spent(&self) -> u64 {
        self.journal + self.open.iter().map(|(.., tokens)| tokens).sum::<u64>()
    }
}

fn tree(now: Timestamp) -> Tree {
    let mut tree = Tree::new(&limits(), now);
    tree.share(LEASE);
    tree
}

impl World {
    fn new() -> Self {
        let names = ["a", "b", "c"];
        let mut world = Self {
            now: START,
            keeper: Keeper::default(),
            epoch: 1,
            born: START,
            nodes: names.map(Node::new).into(),
            late: Vec::new(),
            slack: 0,
            tenant: TenantName::new("acme").unwrap(),
            key: KeyName::new("web").unwrap(),
            system: SystemName::new("answers").unwrap(),
        };
        world.pass(4);
        world
    }

    /// Lets reports go by, each from every node that is connected.
    fn pass(&mut self, reports: u32) {
        for _ in 0..reports {
            self.now = self.now.plus(REPORT_EVERY);
            for place in 0..NODES {
                self.exchange(place, false);
            }
        }
    }

    /// One exchange of a node with the keeper; if it is lost, the keeper hears and the node does not.
    fn exchange(&mut self, place: usize, is_lost: bool) {
        let (now, epoch, age) = (self.now, self.epoch, self.now.since(self.born));
        let node = &mut self.nodes[place];
        if !node.is_up || node.is_cut {
            return;
        }
        node.projected = node.journal;
        node.met = now;
        node.tree.tick(now.since(START));
        let asks = node.tree.asks(now, node.grows);
        node.report.number += 1;
        let keeper = &mut self.keeper;
        let answers: Vec<_> = asks
            .iter()
            .map(|ask| keeper.step((&node.name, node.report), ask, LEASE, now))
            .collect();
        let of_tokens = |ask: &&Ask| ask.key.name.contains("tokens_out");
        if let Some(ask) = asks.iter().find(of_tokens) {
            node.heard = ask.used;
        }
        if is_lost {
            node.tree.unanswered(asks, now);
            return;
        }
        let memory = Memory {
            epoch,
            age,
            is_told: false,
            is_ours: true,
        };
        let before = node.tenure;
        node.grows = node.tenure.meet(memory);
        if node.grows {
            node.tree.answered(&asks, &answers, (now.since(START), now));
        } else {
            node.tree.unanswered(asks, now);
            if before.epoch != node.tenure.epoch {
                node.tree.report_again();
            }
        }
        if node.tenure.wants_seeds() {
            self.seed_keeper();
            self.nodes[place].tenure.seeded();
        }
    }

    /// What the records of all nodes say; of those that are down or cut off no more than was heard.
    fn seed_keeper(&mut self) {
        for place in 0..NODES {
            let node = &mut self.nodes[place];
            node.heard = node.heard.max(node.projected);
            let (name, amounts) = (node.name.clone(), used(node.projected));
            let who = who(&self.tenant, &self.key, &self.system);
            let mut reader = tree(self.now);
            for (key, amount, _) in reader.shares_of(Window::Month, &who, &amounts, self.now) {
                self.keeper.seed(&name, &key, amount, self.now);
            }
        }
    }

    /// Lets a node try to spend: as the gateway does, it waits for one answer if its slice is spent.
    fn spend(&mut self, place: usize, tokens: u64) -> bool {
        let tried = self.tried(place, tokens);
        match tried {
            Some(Err(exceeded)) if exceeded.is_short() => {
                self.exchange(place, false);
                matches!(self.tried(place, tokens), Some(Ok(())))
            }
            tried => matches!(tried, Some(Ok(()))),
        }
    }

    fn tried(&mut self, place: usize, tokens: u64) -> Option<Result<(), Box<Exceeded>>> {
        let (node, now) = (&mut self.nodes[place], self.now);
        if !node.is_up {
            return None;
        }
        let who = who(&self.tenant, &self.key, &self.system);
        node.tree.tick(now.since(START));
        let passage = node.tree.enter(&who, now).unwrap();
        Some(match node.tree.reserve(&passage, used(tokens), now) {
            Ok(reserved) => {
                node.open.push((passage, reserved, tokens));
                Ok(())
            }
            Err(exceeded) => {
                node.tree.leave(passage);
                Err(exceeded)
            }
        })
    }

    /// Ends the oldest request of a node with a part of what it set aside.
    fn settle(&mut self, place: usize, percent: u64) {
        let (node, now) = (&mut self.nodes[place], self.now);
        if node.is_up && !node.open.is_empty() {
            let (passage, reserved, tokens) = node.open.remove(0);
            let spent = tokens * percent / 100;
            node.tree.settle(&passage, &reserved, &used(spent), now);
            node.tree.leave(passage);
            node.journal += spent;
        }
    }

    fn crash(&mut self, place: usize) {
        if self.nodes[place].is_cut {
            self.heal(place);
        }
        let node = &mut self.nodes[place];
        if node.is_up {
            // Recovery closes what was open with what was set aside.
            let open = std::mem::take(&mut node.open);
            node.journal += open.iter().map(|(.., tokens)| tokens).sum::<u64>();
            self.slack += node.journal.saturating_sub(node.heard);
            node.is_up = false;
        }
    }

    fn start(&mut self, place: usize) {
        let (node, now) = (&mut self.nodes[place], self.now);
        if !node.is_up {
            node.tree = tree(now);
            let who = who(&self.tenant, &self.key, &self.system);
            let before = used(node.journal);
            node.tree.seed(Window::Month, &who, &before, (now, now));
            node.tree.seeded();
            (node.tenure, node.grows, node.is_up) = (Tenure::default(), false, true);
            node.report = Report {
                start: node.report.start + 1,
                number: 0,
            };
        }
    }

    /// The keeper loses its memory.
    fn forget(&mut self) {
        self.keeper = Keeper::default();
        (self.epoch, self.born) = (self.epoch + 1, self.now);
        self.nodes.iter_mut().for_each(|node| node.heard = 0);
        // Who is down and had not told the records all is known from its journal when it starts.
        let down = self.nodes.iter().filter(|node| !node.is_up);
        self.slack += down.map(|node| node.journal - node.projected).sum::<u64>();
        // Who cannot be reached may spend the slice that it holds, and nobody knows what it spent.
        let cut = self.nodes.iter().filter(|node| node.is_up && node.is_cut);
        self.slack += cut.count() as u64 * TOKENS;
    }

    /// A node is reached again: what it spent while its lease ran out came back for others to spend.
    fn heal(&mut self, place: usize) {
        self.slack += self.unheard(&self.nodes[place]);
        self.nodes[place].is_cut = false;
    }

    /// What a node that was cut off for longer than its lease spent and could not tell.
    fn unheard(&self, node: &Node) -> u64 {
        let is_over = node.is_up && node.is_cut && self.now.since(node.met) >= LEASE;
        if is_over {
            node.spent().saturating_sub(node.heard)
        } else {
            0
        }
    }

    fn spent(&self) -> u64 {
        self.nodes.iter().map(Node::spent).sum()
    }

    /// The most that all nodes may have spent, after what has happened.
    fn bound(&self) -> u64 {
        let cut: u64 = self.nodes.iter().map(|node| self.unheard(node)).sum();
        TOKENS + self.slack + cut
    }
}

fn who<'a>(tenant: &'a TenantName, key: &'a KeyName, system: &'a SystemName) -> Who<'a> {
    Who {
        tenant,
        team: None,
        key: Some(key),
        user: None,
        session: None,
        system,
    }
}

#[derive(Clone, Debug)]
enum Event {
    Spend(usize, u64),
    Settle(usize, u64),
    Report(usize),
    LoseAnswer(usize),
    /// A report that arrives after later ones.
    Delay(usize),
    ArriveLate,
    Crash(usize),
    Start(usize),
    Cut(usize),
    Heal(usize),
    Forget,
    Pass(u32),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let node = || 0..NODES;
    let event = prop_oneof![
        12 => (node(), 1..120_u64).prop_map(|(n, tokens)| Event::Spend(n, tokens)),
        8 => (node(), 0..=100_u64).prop_map(|(n, percent)| Event::Settle(n, percent)),
        3 => node().prop_map(Event::Report),
        2 => node().prop_map(Event::LoseAnswer),
        1 => node().prop_map(Event::Delay),
        1 => Just(Event::ArriveLate),
        1 => node().prop_map(Event::Crash),
        2 => node().prop_map(Event::Start),
        1 => node().prop_map(Event::Cut),
        2 => node().prop_map(Event::Heal),
        1 => Just(Event::Forget),
        3 => (1..30_u32).prop_map(Event::Pass),
    ];
    proptest::collection::vec(event, 1..120)
}

impl World {
    fn take(&mut self, event: &Event) {
        match *event {
            Event::Spend(node, tokens) => {
                self.spend(node, tokens);
            }
            Event::Settle(node, percent) => self.settle(node, percent),
            Event::Report(node) => self.exchange(node, false),
            Event::LoseAnswer(node) => self.exchange(node, true),
            Event::Delay(place) => {
                let (node, now) = (&mut self.nodes[place], self.now);
                if node.is_up && !node.is_cut {
                    node.tree.tick(now.since(START));
                    let asks = node.tree.asks(now, node.grows);
                    node.report.number += 1;
                    let late = (node.name.clone(), node.report, asks.clone());
                    node.tree.unanswered(asks, now);
                    self.late.push(late);
                }
            }
            Event::ArriveLate => {
                for (node, report, asks) in std::mem::take(&mut self.late) {
                    for ask in &asks {
                        self.keeper.step((&node, report), ask, LEASE, self.now);
                    }
                }
            }
            Event::Crash(node) => self.crash(node),
            Event::Start(node) => self.start(node),
            Event::Cut(node) => self.nodes[node].is_cut = true,
            Event::Heal(node) => self.heal(node),
            Event::Forget => self.forget(),
            Event::Pass(reports) => self.pass(reports),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_all_nodes_spend_stays_within_the_limit(events in events()) {
        let mut world = World::new();
        for event in &events {
            world.take(event);
            let (spent, bound) = (world.spent(), world.bound());
            prop_assert!(spent <= bound, "{spent} of {bound} after {event:?}");
        }
    }

    #[test]
    fn without_crash_or_loss_nothing_passes_the_limit_and_all_of_it_can_be_had(events in events()) {
        let mut world = World::new();
        let quiet =
            |event: &&Event| !matches!(event, Event::Crash(_) | Event::Forget | Event::Cut(_));
        for event in events.iter().filter(quiet) {
            world.take(event);
            prop_assert!(world.spent() <= TOKENS);
        }
        for place in 0..NODES {
            while !world.nodes[place].open.is_empty() {
                world.settle(place, 50);
            }
        }
        // What nobody uses comes back, also what was held for those whose answers were lost.
        world.pass(60);
        let left = TOKENS - world.spent();
        if left > 0 {
            prop_assert!(world.spend(2, left), "{left} should be left for anybody");
            prop_assert!(!world.spend(0, 1));
        }
    }
}

#[test]
fn a_dead_nodes_unused_slice_comes_back_when_its_lease_is_over() {
    let mut world = World::new();
    assert!(world.spend(0, 600));
    world.settle(0, 10);
    world.exchange(0, false);
    world.crash(0);
    assert!(!world.spend(1, 900), "the dead node may still spend it");
    world.pass(21);
    assert!(
        world.spend(1, 900),
        "60 were used, and nobody holds the rest"
    );
    assert!(!world.spend(2, 50));
}

#[test]
fn a_node_that_stops_gives_back_what_it_holds() {
    let mut world = World::new();
    assert!(world.spend(0, 600));
    world.settle(0, 10);
    world.exchange(0, false);
    world.nodes[0].tree.give_back();
    world.nodes[0].grows = false;
    world.exchange(0, false);
    assert!(
        world.spend(1, 900),
        "60 were used, and nobody holds the rest"
    );
}

#[test]
fn a_keeper_that_forgets_is_told_again_before_it_grants() {
    let mut world = World::new();
    assert!(world.spend(0, 400) && world.spend(1, 400));
    world.settle(0, 100);
    world.pass(1);
    world.forget();
    assert!(
        !world.spend(2, 300),
        "nobody knows yet what the others hold"
    );
    world.pass(8);
    assert!(!world.spend(2, 300), "800 are used");
    assert!(world.spend(2, 200));
}

#[test]
fn a_node_that_is_cut_off_spends_only_its_slice_and_only_while_its_lease_lasts() {
    let mut world = World::new();
    assert!(world.spend(0, 100));
    world.settle(0, 100);
    assert!(world.spend(0, 100));
    world.pass(1);
    world.nodes[0].is_cut = true;
    let mut more = 0;
    while world.spend(0, 10) {
        more += 10;
    }
    assert!(more > 0 && more < 500, "{more}");
    assert_eq!(
        world.tried(0, 10).unwrap().unwrap_err().stop,
        super::super::Stop::Slice
    );
    world.nodes[0].is_cut = false;
    world.pass(1);
    world.nodes[0].is_cut = true;
    world.now = world.now.plus(LEASE);
    assert!(!world.spend(0, 1), "its lease is over");
}

#[test]
fn an_exchange_takes_so_many_asks_and_the_rest_waits_for_the_next() {
    let mut limits = limits();
    limits.limits.truncate(1);
    limits.limits[0].per = Level::Session;
    limits.limits[0].ceilings[0].resource = Resource::Requests;
    let mut tree = Tree::new(&limits, START);
    tree.share(LEASE);
    let world = World::new();
    for number in 0..ASKS_MAX + 500 {
        let session = number.to_string();
        let asker = Who {
            session: Some(&session),
            ..who(&world.tenant, &world.key, &world.system)
        };
        assert!(tree.enter(&asker, START).is_err());
    }
    assert_eq!(tree.asks(START, true).len(), ASKS_MAX);
    assert_eq!(tree.asks(START, true).len(), 500);
    assert!(tree.asks(START, true).is_empty());
}

#[test]
fn a_lease_lasts_no_longer_where_somebody_sets_the_clock_back() {
    let mut world = World::new();
    assert!(world.spend(0, 100));
    world.pass(1);
    let ran = world.now.plus(LEASE).since(START);
    let who = who(&world.tenant, &world.key, &world.system);
    let tree = &mut world.nodes[0].tree;
    let passage = tree.enter(&who, world.now).unwrap();
    tree.tick(ran);
    let refused = tree.reserve(&passage, used(1), world.now).unwrap_err();
    assert_eq!(refused.stop, super::super::Stop::Slice);
}

#[test]
fn editing_a_limit_keeps_what_all_nodes_used() {
    let mut world = World::new();
    assert!(world.spend(0, 500) && world.spend(1, 400));
    let mut edited = limits();
    edited.limits[0].ceilings[0].most = 950;
    for node in &mut world.nodes {
        node.tree.change(&edited, world.now);
    }
    world.pass(8);
    assert!(!world.spend(2, 60));
    assert!(world.spend(2, 50));
}

#[test]
fn a_node_that_starts_and_cannot_read_its_records_adds_to_what_the_keeper_knows_of_it() {
    let mut keeper = Keeper::default();
    let [a, b] = ["a", "b"].map(|name| NodeName::new(name).unwrap());
    let mut asked = |node: &NodeName, (start, number), (used, is_whole), need| {
        let ask = Ask {
            key: CounterKey {
                tag: "acme".into(),
                name: "tokens".to_owned(),
            },
            most: 100,
            used,
            is_whole,
            hold: 0,
            need,
            want: 0,
            is_gauge: false,
            life: LEASE,
            at: None,
        };
        let answer = keeper.step((node, Report { start, number }), &ask, LEASE, START);
        answer.unwrap().slice
    };
    assert_eq!(asked(&a, (1, 1), (60, true), 0), 0);
    assert_eq!(asked(&a, (2, 1), (0, false), 0), 0);
    assert_eq!(asked(&b, (1, 1), (0, true), 100), 40);
    assert_eq!(asked(&b, (1, 2), (0, true), 0), 0);
    assert_eq!(asked(&a, (2, 2), (10, false), 0), 0);
    assert_eq!(asked(&b, (1, 3), (0, true), 100), 30, "70 are used");
    assert_eq!(asked(&b, (1, 4), (0, true), 0), 0);
    assert_eq!(asked(&a, (3, 1), (5, false), 0), 0);
    assert_eq!(asked(&b, (1, 5), (0, true), 100), 25, "75 are used");
    assert_eq!(asked(&b, (1, 6), (0, true), 0), 0);
    assert_eq!(asked(&a, (3, 2), (75, true), 0), 0);
    assert_eq!(asked(&b, (1, 7), (0, true), 100), 25, "its records say all");
}

/// One exchange of a tree with the keeper, of which nothing is lost.
fn meet(keeper: &mut Keeper, (name, tree): (&NodeName, &mut Tree), number: u64, now: Timestamp) {
    tree.tick(now.since(START));
    let asks = tree.asks(now, true);
    let report = Report { start: 1, number };
    let step = |ask: &Ask| keeper.step((name, report), ask, LEASE, now);
    let answers: Vec<_> = asks.iter().map(step).collect();
    tree.answered(&asks, &answers, (now.since(START), now));
}

#[test]
fn places_under_way_stay_taken_though_nothing_else_happens_for_longer_than_a_lease() {
    let mut limits = limits();
    limits.limits.truncate(1);
    limits.limits[0].ceilings.clear();
    limits.limits[0].concurrency = Some(10);
    let names = ["a", "b"].map(|name| NodeName::new(name).unwrap());
    let mut trees = [Tree::new(&limits, START), Tree::new(&limits, START)];
    trees.iter_mut().for_each(|tree| tree.share(LEASE));
    let (tenant, key) = (
        TenantName::new("acme").unwrap(),
        KeyName::new("web").unwrap(),
    );
    let system = SystemName::new("answers").unwrap();
    let asker = who(&tenant, &key, &system);
    let (mut keeper, mut number, mut now) = (Keeper::default(), 0, START);
    let mut under_way = Vec::new();
    while under_way.len() < 10 {
        if let Ok(passage) = trees[0].enter(&asker, now) {
            under_way.push(passage);
            continue;
        }
        number += 1;
        assert!(number < 50, "the places were not granted");
        meet(&mut keeper, (&names[0], &mut trees[0]), number, now);
    }
    while now.since(START) < LEASE * 2 {
        now = now.plus(REPORT_EVERY);
        number += 1;
        meet(&mut keeper, (&names[0], &mut trees[0]), number, now);
    }
    trees[1].tick(now.since(START));
    assert!(trees[1].enter(&asker, now).is_err());
    meet(&mut keeper, (&names[1], &mut trees[1]), 1, now);
    assert!(trees[1].enter(&asker, now).is_err(), "all ten are taken");
}
