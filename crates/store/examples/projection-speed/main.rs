//! How fast the projection is, and what it costs to ask it.
//!
//! `cargo run --release -p plimsoll-store --example projection-speed [decisions] [place]`: writes that
//! many decisions of about 1.1 KB (default 1,000,000) into a fresh SQLite database in the folder `place`
//! (default: the system's), or into the empty PostgreSQL database whose URL it is, as Opened and Closed records for every tenth and as Closed alone for the rest, with their
//! rollups, and 20,000 deployment events. Then it prints what each part took, and for what people ask
//! every minute the median and the 99th percentile.

#![expect(clippy::print_stdout, reason = "a program for people")]

mod maker;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::{Clock, NodeName, Record, Secret, SystemClock, Timestamp};
use plimsoll_store::{DecisionFilter, PostgresConfig, Projector, Store};

use crate::maker::{Dice, Maker, START, opened_at};

const BATCH: u64 = 5_000;
const DEPLOYMENTS: u64 = 20_000;
/// How often each thing is asked.
const ASKED: u32 = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments
        .next()
        .map_or(Ok(1_000_000), |text| text.parse())?;
    let place = arguments.next();
    let clock = Arc::new(SystemClock::new());
    let is_postgres = |place: &String| place.starts_with("postgres://");
    let (store, _folder) = match place {
        Some(url) if is_postgres(&url) => (connect(url, &clock).await?, None),
        place => {
            let folder = place.map_or_else(tempfile::tempdir, tempfile::tempdir_in)?;
            let store = Store::open(folder.path().join("plimsoll.db"), clock.clone()).await?;
            (store, Some(folder))
        }
    };
    let projector = Projector::new(&store, NodeName::new("node-1")?);
    let maker = Maker::new()?;

    let bytes = serde_json::to_vec(&maker.decision(7, count))?.len();
    let (mut sequence, mut writing, mut written) = (0, Duration::ZERO, 0);
    while written < count {
        let to = (written + BATCH).min(count);
        let records = maker.records(written..to, count, &mut sequence);
        let started = clock.elapsed();
        projector.apply(&records).await?;
        writing += clock.elapsed() - started;
        written = to;
    }
    told(
        "project",
        writing,
        count,
        &format!("decisions of {bytes} bytes"),
    );
    let deployed = deploy(&projector, &maker, sequence).await?;
    ask_often(&store, &clock, &maker, count, deployed).await?;
    ask_once(&store, &clock, &maker).await?;
    if let Some(path) = store.path() {
        let size = std::fs::metadata(path)?.len();
        let each = size as f64 / count as f64;
        println!("database    {each:.0} bytes per decision");
    }
    Ok(())
}

/// The tables are made by the role that the URL names; a node's own role would own nothing.
async fn connect(url: String, clock: &Arc<SystemClock>) -> Result<Store, Box<dyn Error>> {
    let config = PostgresConfig {
        url: Secret::new(url.clone()),
        migrate_url: Some(Secret::new(url)),
    };
    Ok(Store::connect(&config, Arc::clone(clock) as _).await?)
}

/// Three nodes start a few times a day for some years; every hundredth event deploys. Returns when the
/// last was.
async fn deploy(
    projector: &Projector,
    maker: &Maker,
    first: u64,
) -> Result<Timestamp, Box<dyn Error>> {
    let mut at = START;
    let mut records = Vec::new();
    for number in 0..DEPLOYMENTS {
        at = at.plus(Duration::from_hours(2));
        let event = maker.deployment(number, at);
        records.push((first + number, Record::Deployment(Box::new(event))));
    }
    projector.apply(&records).await?;
    Ok(at)
}

/// What people ask every minute, each many times with other values.
async fn ask_often(
    store: &Store,
    clock: &SystemClock,
    maker: &Maker,
    count: u64,
    deployed: Timestamp,
) -> Result<(), Box<dyn Error>> {
    let mut dice = Dice(count);
    let mut times = Times::default();
    for _ in 0..ASKED {
        let id = maker.decision(dice.below(count), count).id;
        let started = clock.elapsed();
        store.decision(id).await?.ok_or("a decision is missing")?;
        times.add(clock.elapsed() - started);
    }
    times.tell("decision");
    let span = deployed.since(START).as_secs();
    for _ in 0..ASKED {
        let at = START.plus(Duration::from_secs(dice.below(span)));
        let started = clock.elapsed();
        let found = store
            .deployments_at(&maker.systems[0], &maker.environment, at)
            .await?;
        times.add(clock.elapsed() - started);
        std::hint::black_box(found);
    }
    times.tell("as of");
    for (name, filter) in maker::FILTERS {
        for _ in 0..ASKED / 5 {
            let filter = filter(maker, count, &mut dice);
            let started = clock.elapsed();
            let found = store.decisions(&filter).await?;
            times.add(clock.elapsed() - started);
            std::hint::black_box(found);
        }
        times.tell(name);
    }
    for _ in 0..ASKED / 5 {
        let since = opened_at(dice.below(count));
        let started = clock.elapsed();
        store
            .bar_facts(&maker.systems[0], &maker.environment, since)
            .await?;
        times.add(clock.elapsed() - started);
    }
    times.tell("bar");
    Ok(())
}

/// What is asked now and then and takes as long as there is much.
async fn ask_once(store: &Store, clock: &SystemClock, maker: &Maker) -> Result<(), Box<dyn Error>> {
    let all = DecisionFilter::default();
    let started = clock.elapsed();
    let rows = store.export_csv(&all, std::io::sink()).await?;
    told("csv", clock.elapsed() - started, rows, "rows");
    let started = clock.elapsed();
    let rows = store.export_parquet(&all, std::io::sink()).await?;
    told("parquet", clock.elapsed() - started, rows, "rows");
    if let Some(path) = store.path() {
        let copy = path.with_extension("copy");
        let started = clock.elapsed();
        store.backup_to(&copy).await?;
        told("copy", clock.elapsed() - started, rows, "decisions");
    }
    let facts = store
        .bar_facts(&maker.systems[0], &maker.environment, START)
        .await?;
    println!("bar         {} decisions counted", facts.decisions);
    Ok(())
}

/// How long the same thing took each time.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    fn tell(&mut self, what: &str) {
        self.0.sort_unstable();
        let at = |percent: usize| self.0[(self.0.len() * percent).div_ceil(100) - 1];
        let millis = |took: Duration| took.as_secs_f64() * 1000.0;
        let (p50, p99, max) = (millis(at(50)), millis(at(99)), millis(at(100)));
        println!("{what:<24} p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms");
        self.0.clear();
    }
}

fn told(what: &str, took: Duration, count: u64, of: &str) {
    let rate = count as f64 / took.as_secs_f64();
    let millis = took.as_secs_f64() * 1000.0;
    println!("{what:<11} {count} {of} in {millis:.1} ms: {rate:.0}/s");
}
