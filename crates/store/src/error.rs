//! What can go wrong with the store, in words for the person who has to mend it.

use std::path::PathBuf;

use plimsoll_core::ports::PortError;

/// A cause that is somebody else's error.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is locked, full, damaged or away. Worth another try.
    #[error("the database could not {doing}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What the database says.
        #[source]
        source: sqlx::Error,
    },
    /// There is no database yet.
    #[error("there is no database at `{}`: start the server once, or mend `[storage] path`", .0.display())]
    Missing(PathBuf),
    /// The database's file or folder could not be made.
    #[error("the database's file `{}` could not be made", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A newer version wrote this database.
    #[error(
        "the database has schema {found}, and this version knows schemas up to {known}: run the version \
         that wrote it, or a newer one; leave the file where it is, it holds reviews"
    )]
    NewerSchema {
        /// What the database has.
        found: u32,
        /// What this version knows.
        known: u32,
    },
    /// An older version wrote this database, and it was opened for reading only.
    #[error(
        "the database has schema {found}, and this version reads schema {known}: start the server of \
         this version once, it brings the database up"
    )]
    OlderSchema {
        /// What the database has.
        found: u32,
        /// What this version knows.
        known: u32,
    },
    /// Something stored cannot be read.
    #[error("the database holds a {what} that this version cannot read")]
    Unreadable {
        /// What it is.
        what: &'static str,
        /// Why not.
        #[source]
        source: Cause,
    },
    /// No id begins like that.
    #[error("no {what} has an id that begins with `{prefix}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// The beginning that was given.
        prefix: String,
    },
    /// Several ids begin like that.
    #[error(
        "several {what}s have an id that begins with `{prefix}`: {}: give more of it",
        candidates.join(", ")
    )]
    Ambiguous {
        /// What was looked for.
        what: &'static str,
        /// The beginning that was given.
        prefix: String,
        /// The first few that begin like that.
        candidates: Vec<String>,
    },
    /// A text that cannot begin an id.
    #[error("`{prefix}` does not begin the id of a {what}: {expected} are expected")]
    NotAnId {
        /// What was looked for.
        what: &'static str,
        /// The text that was given, shortened.
        prefix: String,
        /// What an id is made of.
        expected: &'static str,
    },
    /// A database that is no file cannot be copied as one.
    #[error("the database is a PostgreSQL, which is no file: copy it with `pg_dump`")]
    NotAFile,
    /// The URL of a PostgreSQL is none.
    #[error(
        "the URL of the database is not one: `postgres://role:password@host:5432/database` is expected"
    )]
    Url(#[source] Cause),
    /// The role as which a node connects could see more than it was let.
    #[error(
        "the role `{role}` owns tables, or row-level security does not bind it: let the node connect as a \
         role that is no superuser, has no BYPASSRLS and owns nothing, and give the owner's URL as \
         `[storage.postgres] migrate`"
    )]
    Role {
        /// Which role.
        role: String,
    },
    /// The database has less of the journal than it had committed.
    #[error(
        "the database has lost what it had of the journal from record {next} on; it is projected again"
    )]
    Behind {
        /// The first record that it does not have.
        next: u64,
    },
    /// The journal could not be read.
    #[error("the journal could not be read for the projection")]
    Journal(#[source] Cause),
    /// An export could not be written.
    #[error("the export could not be written")]
    Export(#[source] Cause),
}

impl StoreError {
    /// Whether the same may succeed a little later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// Says what was being done when the database failed.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Unavailable { doing, source })
    }
}

/// For the ports: every error of the store means that it was not there for the caller.
pub(crate) fn port_error(doing: &'static str, error: StoreError) -> PortError {
    PortError::Unavailable {
        doing,
        source: Box::new(error),
    }
}
