//! temp
use std::sync::Arc;
use plimsoll_core::*;
use plimsoll_gateway::*;
use plimsoll_journal::*;
use plimsoll_store::*;
#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;
#[tokio::main(flavor="current_thread")]
async fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let workspace = plimsoll_spec::load(std::path::Path::new(&dir), &plimsoll_spec::ProcessEnvironment).unwrap_or_else(|p| panic!("{p}"));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let data = workspace.storage.path.clone();
    std::fs::create_dir_all(&data).unwrap();
    let opened = Journal::open(JournalConfig::new(&data), workspace.server.node.clone(), clock.clone()).unwrap();
    let journal = Arc::new(opened.journal);
    let store = Store::open(data.join("plimsoll.db"), clock.clone()).await.unwrap();
    let node = Node::start(Parts { blobs: Blobs::open(&data).unwrap(), journal: journal.clone(), recorded: Recorded::default(),
        reviews: Arc::new(StoredReviews::new(&store)), decisions: Arc::new(ProjectedDecisions::new(&store, None)), clock, pepper: Secret::new("x".into()), binary_version: "b", runtime_folders: vec![], workspace }).await.unwrap();
    let l = node.serve().unwrap();
    println!("{}", l.address());
    if std::env::args().nth(2).is_some() {
        let projector = Projector::new(&store, NodeName::new("node-1").unwrap());
        let feed: Arc<dyn Feed> = journal.clone();
        tokio::spawn(projector.run(feed, Pace::default(), Default::default()));
    }
    tokio::time::sleep(std::time::Duration::from_secs(100000)).await;
}
