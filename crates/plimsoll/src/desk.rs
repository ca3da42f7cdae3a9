//! Where payloads are read: each reading is recorded before anything is shown.
//!
//! Who holds the journal records it: the running server, or, if none runs, this command itself.

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, StatusCode};
use plimsoll_console::{Actor, Grounds, PayloadView};
use plimsoll_core::access::{DataClass, Resource};
use plimsoll_core::dataset::DatasetExport;
use plimsoll_core::decision::Payload;
use plimsoll_core::governance::{Access, Refusal};
use plimsoll_core::stakes::Stakes;
use plimsoll_core::{Clock, Decision, EventId, Record, Timestamp};
use plimsoll_journal::{AppendError, Journal, PayloadFound};
use plimsoll_spec::Workspace;
use plimsoll_store::Store;
use serde::{Deserialize, Serialize};

use crate::assembly::open_journal;
use crate::cli::{Global, ServerArgs};
use crate::client::{Server, actor, encoded, read};
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::workspace;

/// What became of what was kept of a decision.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum Shown {
    /// It is here.
    Kept {
        /// What was asked and answered.
        payload: Box<Payload>,
    },
    /// It was erased by authority.
    Erased {
        /// The legal basis.
        basis: Option<String>,
    },
    /// Its time was over.
    LetGo,
    /// Nothing was kept, by the system's policy.
    NotKept,
}

impl Shown {
    /// Why there is nothing, in words; none if there is something.
    pub(crate) fn absence(&self) -> Option<String> {
        match self {
            Self::Kept { .. } => None,
            Self::Erased { basis: Some(basis) } => {
                Some(format!("input and output were erased: {basis}"))
            }
            Self::Erased { basis: None } => Some("input and output were erased".to_owned()),
            Self::LetGo => Some("input and output were let go: their time was over".to_owned()),
            Self::NotKept => Some("no input or output is kept".to_owned()),
        }
    }
}

/// Who records readings.
pub(crate) enum Desk {
    /// The running server.
    Server(Box<Server>),
    /// Nobody runs: the journal is opened here.
    Folder {
        journal: Arc<Journal>,
        clock: Arc<dyn Clock>,
        actor: String,
        workspace: Box<Workspace>,
    },
}

impl Desk {
    /// Finds who records: the server if it answers, else the data folder.
    pub(crate) async fn open(global: &Global, args: &ServerArgs) -> Outcome<Self> {
        if let Ok(server) = Server::of_operators(global, args)
            && server
                .get::<serde_json::Value>("/api/v1/systems")
                .await
                .is_ok()
        {
            return Ok(Self::Server(Box::new(server)));
        }
        let workspace = workspace::load_without_secrets(global)?;
        let clock: Arc<dyn Clock> = Arc::new(plimsoll_core::SystemClock::new());
        let journal = open_journal(&workspace, &clock)
            .await
            .map_err(|failure| {
                let message = "the reading could not be recorded, so nothing is shown";
                Failure::new(failure.exit, failure.error.context(message))
            })?
            .journal;
        Ok(Self::Folder {
            journal: Arc::new(journal),
            clock,
            actor: actor(args),
            workspace: Box::new(workspace),
        })
    }

    /// What was kept of `decision`, once the reading is on disk.
    pub(crate) async fn read(
        &self,
        store: &Store,
        decision: &Decision,
        purpose: &str,
        through: &str,
    ) -> Outcome<Shown> {
        match self {
            Self::Server(server) => {
                let path = format!(
                    "/api/v1/decisions/{}/payload?purpose={}&through={through}",
                    decision.id,
                    encoded(purpose)
                );
                shown_by_server(server, &path, store, decision).await
            }
            Self::Folder {
                journal,
                clock,
                actor,
                workspace,
            } => {
                let now = clock.now();
                let judged = judge(workspace, actor, decision, (purpose, now));
                if let Err(refusal) = judged {
                    let because = refusal.judgement.because.clone();
                    write(journal, &Record::Refusal(refusal)).await?;
                    return Err(Failure::says(
                        Exit::No,
                        format!("{because} (policy_denied)"),
                    ));
                }
                let access = Access {
                    id: EventId::new(now),
                    decision: decision.id,
                    tenant: decision.tenant.clone(),
                    actor: actor.clone(),
                    purpose: purpose.to_owned(),
                    through: through.to_owned(),
                    because: judged.ok(),
                    at: now,
                };
                write(journal, &Record::Access(Box::new(access))).await?;
                kept(journal, store, decision).await
            }
        }
    }

    /// Who acts, as far as this side knows: a server may know better.
    pub(crate) fn actor(&self) -> &str {
        match self {
            Self::Server(server) => server.actor().unwrap_or("operator"),
            Self::Folder { actor, .. } => actor,
        }
    }

    /// Has it recorded that a dataset was taken out; gives the record.
    pub(crate) async fn record_dataset(&self, export: DatasetExport) -> Outcome<DatasetExport> {
        match self {
            Self::Server(server) => {
                let path = format!("/api/v1/systems/{}/datasets", export.system);
                server.post(&path, &export).await
            }
            Self::Folder { journal, .. } => {
                let record = Record::Dataset(Box::new(export.clone()));
                append(journal, &record)
                    .await
                    .context("the export could not be recorded, so no file is left")
                    .or_exit(Exit::Data)?;
                Ok(export)
            }
        }
    }

    /// Ends in order.
    pub(crate) async fn close(self) -> Outcome<()> {
        if let Self::Folder { journal, .. } = self {
            tokio::task::spawn_blocking(move || journal.close())
                .await
                .or_exit(Exit::Internal)??;
        }
        Ok(())
    }
}

/// Why `actor`, who holds the data folder, may read what is kept of `decision`, or by what they may not.
fn judge(
    workspace: &Workspace,
    actor: &str,
    decision: &Decision,
    (purpose, at): (&str, Timestamp),
) -> Result<String, Box<Refusal>> {
    let actor = Actor::holding_the_data(actor);
    let grounds = Grounds {
        policies: Arc::clone(&workspace.access),
        environment: decision.environment.clone(),
        now: at,
    };
    let folder = workspace.folders.get(&decision.system);
    let system = workspace.systems.get(&decision.system);
    let resource = Resource {
        system: Some(decision.system.clone()),
        // Of a system that is no more its data may be kept still: it counts as what is guarded most.
        stakes: Some(system.map_or(Stakes::High, |system| system.stakes)),
        data_class: folder.map_or(DataClass::Special, |folder| folder.data_class),
        ..Resource::default()
    };
    grounds.read(&actor, decision, resource, purpose)
}

/// Writes a record about a reading, and comes back when it is on disk.
async fn write(journal: &Journal, record: &Record) -> Outcome<()> {
    append(journal, record)
        .await
        .context("the reading could not be recorded, so nothing is shown")
        .or_exit(Exit::Data)
}

/// Writes a record, and comes back when it is on disk.
async fn append(journal: &Journal, record: &Record) -> Result<(), AppendError> {
    let ticket = journal.append_waiting(record, None).await?;
    ticket.durable().await?;
    Ok(())
}

async fn shown_by_server(
    server: &Server,
    path: &str,
    store: &Store,
    decision: &Decision,
) -> Outcome<Shown> {
    let response = server.send(Method::GET, path, &[], Bytes::new()).await?;
    if response.status == StatusCode::GONE {
        return gone(store, decision).await;
    }
    let view: PayloadView = read(&response)?;
    Ok(match view.payload {
        Some(payload) => Shown::Kept {
            payload: Box::new(payload),
        },
        None => Shown::NotKept,
    })
}

/// Why what was kept of a decision is there no longer.
async fn gone(store: &Store, decision: &Decision) -> Outcome<Shown> {
    let erasure = store.erasure_of(decision.id).await?;
    Ok(erasure.map_or(Shown::LetGo, |erasure| Shown::Erased {
        basis: Some(erasure.basis),
    }))
}

/// What is kept of a decision, and why not if it is not.
async fn kept(journal: &Journal, store: &Store, decision: &Decision) -> Outcome<Shown> {
    let Some(reference) = decision.payload else {
        return Ok(Shown::NotKept);
    };
    let (payloads, id) = (journal.payloads(), decision.id);
    let reading = tokio::task::spawn_blocking(move || payloads.read(id, &reference));
    let kept = reading.await.or_exit(Exit::Internal)??;
    Ok(match kept {
        PayloadFound::Kept(bytes) => Shown::Kept {
            payload: serde_json::from_slice(&bytes).or_exit(Exit::Data)?,
        },
        PayloadFound::Erased => Shown::Erased {
            basis: store.erasure_of(id).await?.map(|erasure| erasure.basis),
        },
        PayloadFound::LetGo => Shown::LetGo,
        PayloadFound::NotKept => Shown::NotKept,
    })
}
