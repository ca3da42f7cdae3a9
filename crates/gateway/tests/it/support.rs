//! A node on a free port, with a workspace written for the test.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use plimsoll_core::decision::Payload;
use plimsoll_core::deployment::{Slot, Weight};
use plimsoll_core::record::Deployment;
use plimsoll_core::{
    Clock, Decision, NodeName, Record, ReleaseId, Secret, SystemClock, SystemName,
};
use plimsoll_gateway::{
    ControlLoss, Listening, Mandate, Node, Order, Parts, Recorded, ReloadReport,
};
use plimsoll_journal::{Blobs, Journal, JournalConfig};
use plimsoll_sim::{Running, SimConfig, Simulator};
use plimsoll_spec::{Environment, Workspace};
use plimsoll_store::{
    Feed, Pace, PayloadSource, ProjectedDecisions, Projector, Store, StoredReviews,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// The schema of a small predictor's rows.
pub(crate) const ROW_SCHEMA: &str = r#"{
    "type": "object",
    "properties": {
        "amount": {"type": "number", "minimum": 0, "maximum": 100000},
        "city": {"type": "string", "enum": ["Bonn", "Ulm"]}
    },
    "required": ["amount", "city"],
    "additionalProperties": false
}"#;

/// Rules that answer every row.
pub(crate) const RULES: &str = r#"
[[rule]]
name = "large"
when = "inputs.amount > 1000.0"
answer = { decision = "refer" }

[default]
answer = { decision = "approve" }
"#;

/// Secrets that tests name.
struct TestEnvironment;

impl Environment for TestEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        name.starts_with("TEST_KEY")
            .then(|| format!("secret-of-{name}"))
    }
}

/// A running node.
pub(crate) struct TestNode {
    pub(crate) node: Arc<Node>,
    pub(crate) dir: tempfile::TempDir,
    listening: Option<Listening>,
    address: std::net::SocketAddr,
    journal: Arc<Journal>,
    stop_projector: CancellationToken,
    projecting: tokio::task::JoinHandle<()>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A response, read whole.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// Writes the files of a workspace.
pub(crate) fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

pub(crate) fn load(dir: &Path) -> Workspace {
    plimsoll_spec::load(dir, &TestEnvironment).unwrap_or_else(|problems| panic!("{problems}"))
}

impl TestNode {
    /// Starts a node over these files; `plimsoll.toml` gets a free port and a data folder.
    pub(crate) async fn start(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), files);
        Self::start_in(dir).await
    }

    /// Starts a node over a folder that is there already: a restart.
    pub(crate) async fn start_in(dir: tempfile::TempDir) -> Self {
        Self::start_with(dir, ControlLoss::default()).await
    }

    /// The same, with what the node does when it hears nothing.
    pub(crate) async fn start_with(dir: tempfile::TempDir, control_loss: ControlLoss) -> Self {
        let server = dir.path().join("plimsoll.toml");
        if !server.exists() {
            std::fs::write(
                &server,
                "[server]\ndata_address = \"127.0.0.1:0\"\nworkers = 1\n",
            )
            .unwrap();
        }
        let workspace = load(dir.path());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let data = workspace.storage.path.clone();
        std::fs::create_dir_all(&data).unwrap();
        let name = workspace.server.node.clone();
        let config = JournalConfig::new(&data);
        let opened = Journal::open(config, name.clone(), Arc::clone(&clock)).unwrap();
        let journal = Arc::new(opened.journal);
        let store = Store::open(data.join("plimsoll.db"), Arc::clone(&clock))
            .await
            .unwrap();
        let payloads = Some(Arc::new(journal.payloads()) as Arc<dyn PayloadSource>);
        let projector = Projector::new(&store, workspace.server.node.clone());
        if let Some(last) = journal.committed().checked_sub(1) {
            projector.project_until(&*journal, last).await.unwrap();
        }
        let feed: Arc<dyn Feed> = journal.clone();
        let stop_projector = CancellationToken::new();
        let projecting = tokio::spawn(projector.run(feed, Pace::default(), stop_projector.clone()));
        let parts = Parts {
            shared_limits: None,
            held_back: std::collections::BTreeMap::new(),
            blobs: Blobs::open(&data).unwrap(),
            journal: Arc::clone(&journal),
            recorded: recorded(&journal, &name),
            reviews: Arc::new(StoredReviews::new(&store)),
            decisions: Arc::new(ProjectedDecisions::new(&store, payloads)),
            clock,
            keyring: Default::default(),
            pepper: Secret::new("pepper".into()),
            binary_version: "test",
            binary: None,
            control_loss,
            runtime_folders: Vec::new(),
            workspace,
        };
        let node = Node::start(parts).await.unwrap();
        let listening = node.serve().unwrap();
        let address = listening.address();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            node,
            dir,
            listening: Some(listening),
            address,
            journal,
            stop_projector,
            projecting,
            client,
        }
    }

    /// Stops the node and hands its folder to the next.
    pub(crate) async fn stop(mut self) -> tempfile::TempDir {
        let listening = self.listening.take().unwrap();
        tokio::task::spawn_blocking(move || listening.shutdown())
            .await
            .unwrap();
        self.node.stop().await.unwrap();
        self.stop_projector.cancel();
        (&mut self.projecting).await.unwrap();
        self.journal.close().unwrap();
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        drop(self);
        dir
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Answered {
        let response = self.client.request(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        Answered {
            status: head.status,
            headers: head.headers,
            bytes,
        }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answered {
        self.post_with(path, body, &[]).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Answered {
        self.send(self.request(Method::POST, path, body.to_string(), headers))
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.send(self.request(Method::GET, path, String::new(), &[]))
            .await
    }

    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        body: String,
        headers: &[(&str, &str)],
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::new(Bytes::from(body))).unwrap()
    }

    /// Every record of the journal, once all that was appended is on disk.
    pub(crate) async fn records(&self) -> Vec<Record> {
        let marker = self
            .node
            .record(Record::Recovery(Box::default()))
            .await
            .unwrap();
        let reader = self.journal.reader(0);
        let records = reader
            .map(|record| record.unwrap())
            .take_while(|(at, _)| *at < marker);
        records.map(|(_, record)| record).collect()
    }

    /// The closed decisions of the journal, in order.
    pub(crate) async fn closed(&self) -> Vec<Decision> {
        let closed = |record| match record {
            Record::Closed(decision) => Some(*decision),
            _ => None,
        };
        self.records()
            .await
            .into_iter()
            .filter_map(closed)
            .collect()
    }

    /// The deployment events of the journal, in order.
    pub(crate) async fn deployments(&self) -> Vec<Deployment> {
        let deployment = |record| match record {
            Record::Deployment(deployment) => Some(*deployment),
            _ => None,
        };
        let records = self.records().await.into_iter();
        records.filter_map(deployment).collect()
    }

    /// What was kept of a decision.
    pub(crate) fn payload(&self, decision: &Decision) -> Option<Payload> {
        let payloads = self.journal.payloads();
        let found = payloads.read(decision.id, &decision.payload?).unwrap();
        Some(serde_json::from_slice(&found.kept()?).unwrap())
    }

    /// Reads the files again.
    pub(crate) async fn reload(&self) -> ReloadReport {
        self.node.reload(Ok(load(self.dir.path()))).await
    }

    /// The blobs of the node's data folder.
    pub(crate) fn blobs(&self) -> Blobs {
        Blobs::open(&load(self.dir.path()).storage.path).unwrap()
    }

    /// Waits until the database holds the last closed decision.
    pub(crate) async fn projected(&self) {
        let id = self.closed().await.pop().unwrap().id;
        for _ in 0..200 {
            let found = self.get(&format!("/v1/decisions/{id}")).await;
            if found.status == StatusCode::OK && found.header("plimsoll-outcome") != "pending" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the database did not follow in five seconds");
    }

    /// Waits until `count` decisions are closed: for what ends after the caller went away.
    pub(crate) async fn closed_at_least(&self, count: usize) -> Vec<Decision> {
        for _ in 0..200 {
            let closed = self.closed().await;
            if closed.len() >= count {
                return closed;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{count} decisions were not closed in five seconds");
    }
}

/// What the journal says was deployed: in the product the store knows it.
fn recorded(journal: &Journal, node: &NodeName) -> Recorded {
    let mut recorded = Recorded::default();
    for record in journal.reader(0) {
        if let (_, Record::Deployment(deployment)) = record.unwrap() {
            recorded.take_in(node, &deployment);
        }
    }
    recorded
}

/// A simulated provider.
pub(crate) async fn simulator() -> Running {
    Simulator::start(SimConfig::default()).await.unwrap()
}

/// A `plimsoll.toml` whose provider `sim` is the simulator.
pub(crate) fn server_toml(sim: &Running) -> String {
    format!(
        "[server]\ndata_address = \"127.0.0.1:0\"\nworkers = 1\n\n[providers.sim]\nprotocol = \"openai\"\nbase_url = \"{}\"\n",
        sim.base_url()
    )
}

/// The one system that most tests have.
pub(crate) fn the_loan() -> SystemName {
    SystemName::new("loan").unwrap()
}

/// An order on Ada's word.
pub(crate) fn order(system: &SystemName, slot: Slot, release: ReleaseId) -> Order {
    Order {
        system: system.clone(),
        slot,
        release,
        rollback_of: None,
        mandate: by("ada"),
    }
}

/// The word of one person, with nobody's approval.
pub(crate) fn by(actor: &str) -> Mandate {
    Mandate {
        actor: actor.to_owned(),
        ..Mandate::default()
    }
}

/// A canary's slot, with its share in percent.
pub(crate) fn canary(percent: u16) -> Slot {
    let weight = Weight::new(percent * 100).unwrap();
    Slot::Canary { weight }
}

/// The path of a system's decisions.
pub(crate) fn decisions_of(system: &str) -> String {
    format!("/v1/systems/{system}/decisions")
}

impl TestNode {
    /// The review that was opened last, if one was.
    pub(crate) async fn opened_review(&self) -> Option<plimsoll_core::ReviewId> {
        let review = |record| match record {
            Record::Review(event) => Some(event.review),
            _ => None,
        };
        self.records()
            .await
            .into_iter()
            .filter_map(review)
            .next_back()
    }
}
