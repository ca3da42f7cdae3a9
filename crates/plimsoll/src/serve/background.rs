//! What goes on beside the listeners: the projection follows the journal, reviews expire, what is no
//! longer retained is let go, erasures are carried out, monitors watch, evals run on schedule, a
//! sample is scored, and a changed workspace is read again. Each task may be stopped at any
//! time and loses nothing by it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use plimsoll_gateway::Node;
use plimsoll_store::{Feed, Pace, Projector};
use rustix::process::setpriority_process;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::assembly::Assembly;
use crate::serve::erasing::Eraser;
use crate::serve::live_node::LiveNode;
use crate::serve::retiring::Retiring;
use crate::serve::watch::stamp;

/// How often reviews are looked at, and the workspace's files.
const TICK: Duration = Duration::from_secs(1);
/// The niceness of the projection.
const NICENESS: i32 = 10;
/// How often refusals without a decision are written, counted.
const REFUSED_TICK: Duration = Duration::from_secs(10);
/// How often the journal's retention is looked at.
const RETENTION_TICK: Duration = Duration::from_mins(1);

/// The tasks.
pub(crate) struct Background(TaskTracker);

impl Background {
    /// Starts them; they end after `stop`.
    pub(crate) fn start(
        assembly: &Assembly,
        operations: &Arc<LiveNode>,
        stop: &CancellationToken,
    ) -> Self {
        let tasks = TaskTracker::new();
        tasks.spawn(project(assembly, stop));
        tasks.spawn(expire(Arc::clone(&assembly.node), stop.clone()));
        tasks.spawn(Arc::clone(operations).recover_budgets(stop.clone()));
        tasks.spawn(count_refused(Arc::clone(&assembly.node), stop.clone()));
        tasks.spawn(retain(Retiring::of(assembly), stop.clone()));
        tasks.spawn(erase(Eraser::of(assembly), stop.clone()));
        tasks.spawn(reload(Arc::clone(operations), stop.clone()));
        tasks.spawn(Arc::clone(operations).watch(stop.clone()));
        tasks.spawn(Arc::clone(operations).evaluate(stop.clone()));
        tasks.spawn(Arc::clone(operations).score(stop.clone()));
        if let Some(peers) = operations.peers(assembly) {
            tasks.spawn(peers.follow(stop.clone()));
        }
        tasks.close();
        Self(tasks)
    }

    /// Waits until all have ended.
    pub(crate) async fn ended(self) {
        self.0.wait().await;
    }
}

/// Lets the projection follow the journal on a thread of its own that gives way to all others: under
/// full load the view lags behind, and serving does not.
fn project(assembly: &Assembly, stop: &CancellationToken) -> impl Future<Output = ()> + use<> {
    let node = assembly.node_name.clone();
    let (feed, stop) = (Arc::clone(&assembly.journal) as Arc<dyn Feed>, stop.clone());
    let store = assembly.store.clone();
    let running = std::thread::Builder::new()
        .name("plimsoll-project".into())
        .spawn(move || {
            if let Err(error) = setpriority_process(None, NICENESS) {
                tracing::debug!(%error, "the projection runs at the usual priority");
            }
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = runtime.context("the projection's runtime could not be made")?;
            runtime.block_on(async {
                // Threads of the database are made here, and so have this one's priority.
                let store = store.reopen().await?;
                Projector::new(&store, node)
                    .run(feed, Pace::default(), stop)
                    .await;
                store.close().await;
                Ok(())
            })
        });
    async move {
        let joined = tokio::task::spawn_blocking(move || running.map(|thread| thread.join()));
        match joined.await {
            Ok(Ok(Ok(Ok(())))) => {}
            Ok(Ok(Ok(Err(error)))) => {
                let error: anyhow::Error = error;
                tracing::error!(error = format!("{error:#}"), "the projection ended");
            }
            _ => tracing::error!("the projection's thread could not be run to its end"),
        }
    }
}

/// A tick that waits rather than hurries when it was late; none when it is time to stop.
async fn tick(every: &mut tokio::time::Interval, stop: &CancellationToken) -> Option<()> {
    tokio::select! {
        _ = every.tick() => Some(()),
        () = stop.cancelled() => None,
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn expire(node: Arc<Node>, stop: CancellationToken) {
    let mut interval = every(TICK);
    let mut failing = false;
    while tick(&mut interval, &stop).await.is_some() {
        match node.expire_reviews().await {
            Ok(expired) => {
                failing = false;
                if expired > 0 {
                    tracing::info!(expired, "reviews expired");
                }
            }
            // Once is enough: readiness and metrics go on telling of it.
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "overdue reviews could not be closed");
            }
            Err(_) => {}
        }
    }
}

/// Writes what was refused without a decision, the last of it when it is time to stop.
async fn count_refused(node: Arc<Node>, stop: CancellationToken) {
    let mut interval = every(REFUSED_TICK);
    while tick(&mut interval, &stop).await.is_some() {
        node.flush_refused();
    }
    node.flush_refused();
}

async fn retain(retiring: Retiring, stop: CancellationToken) {
    let mut interval = every(RETENTION_TICK);
    while tick(&mut interval, &stop).await.is_some() {
        if let Err(error) = retiring.let_go().await {
            tracing::warn!(error = format!("{error:#}"), "retention could not let go");
        }
    }
}

/// Takes up erasures that a crash interrupted, or that were asked for on another node.
async fn erase(eraser: Eraser, stop: CancellationToken) {
    let mut interval = every(TICK);
    let mut failing = false;
    while tick(&mut interval, &stop).await.is_some() {
        match eraser.take_up().await {
            Ok(_) => failing = false,
            Err(error) if !failing => {
                failing = true;
                let error = format!("{error:#}");
                tracing::warn!(error, "an erasure could not be carried out yet");
            }
            Err(_) => {}
        }
    }
}

/// Reads the workspace again when its files changed and then stood still for a tick, so that a
/// half-written set of files is not read.
async fn reload(operations: Arc<LiveNode>, stop: CancellationToken) {
    let look = |operations: &Arc<LiveNode>| {
        let (root, data) = (operations.root().to_owned(), operations.data().to_owned());
        tokio::task::spawn_blocking(move || stamp(&root, &data))
    };
    let mut interval = every(TICK);
    let Ok(mut served) = look(&operations).await else {
        return;
    };
    let mut seen = served;
    while tick(&mut interval, &stop).await.is_some() {
        let Ok(now) = look(&operations).await else {
            continue;
        };
        if now != served && now == seen {
            served = now;
            operations.read_again().await;
        }
        seen = now;
    }
}
