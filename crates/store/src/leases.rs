//! Jobs that one node does for all: whoever holds a job's lease does it.
//!
//! A lease lives as long as the connection that took it. When that breaks, another node may have taken
//! it before the first notices, two seconds later at most: so such jobs have to bear being done twice.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::database::Engine;
use crate::error::StoreError;
use crate::store::Store;

/// The leases that are held within this process: with SQLite there are no others.
pub(crate) type Leases = Arc<Mutex<HashSet<String>>>;

/// The right to do a job alone. Dropping it gives it back.
#[derive(Debug)]
pub struct Lease {
    held: watch::Receiver<bool>,
    keeper: Keeper,
}

#[derive(Debug)]
pub(crate) enum Keeper {
    /// A name in the process's own list.
    Process {
        leases: Leases,
        job: String,
        /// Says that the lease is held as long as this is here.
        _held: watch::Sender<bool>,
    },
    /// A task that keeps the connection.
    Connection(JoinHandle<()>),
}

impl Lease {
    pub(crate) const fn new(held: watch::Receiver<bool>, keeper: Keeper) -> Self {
        Self { held, keeper }
    }

    /// Whether it is still held, as far as is known.
    pub fn is_held(&self) -> bool {
        *self.held.borrow() && self.held.has_changed().is_ok()
    }

    /// Returns when it is lost. A process's own is never lost.
    pub async fn lost(&mut self) {
        // An error says that nobody keeps it any more.
        drop(self.held.wait_for(|held| !held).await);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        match &self.keeper {
            Keeper::Process { leases, job, .. } => {
                leases.lock().remove(job);
            }
            Keeper::Connection(task) => task.abort(),
        }
    }
}

impl Store {
    /// Takes the lease of `job`, unless somebody has it.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn lead(&self, job: &str) -> Result<Option<Lease>, StoreError> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => Ok(lead_in_process(&sqlite.leases, job)),
            Engine::Postgres(postgres) => postgres.lead(job).await,
        }
    }
}

fn lead_in_process(leases: &Leases, job: &str) -> Option<Lease> {
    if !leases.lock().insert(job.to_owned()) {
        return None;
    }
    let (sender, held) = watch::channel(true);
    let keeper = Keeper::Process {
        leases: Arc::clone(leases),
        job: job.to_owned(),
        _held: sender,
    };
    Some(Lease::new(held, keeper))
}
