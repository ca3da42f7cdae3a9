//! What releases are made of, for nodes that do not share a disk: whoever makes a release puts its blobs
//! here, and a node that is to serve it fetches what it does not have.

use plimsoll_core::Digest;

use crate::database::{Scope, Statement, Way, column};
use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// Keeps a blob under its SHA-256. One that is there already stays.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        // The bytes are not sent where they lie already.
        if !self.has_blob(digest).await? {
            let sql =
                "INSERT INTO blobs (digest, bytes) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING";
            let statement = Statement::new(sql).bind(digest.to_string()).bind(bytes);
            self.write(Way::Maintain, Scope::Installation, statement, "keep a blob")
                .await?;
        }
        Ok(digest)
    }

    /// The blob with this SHA-256, checked against it; none if it is not here.
    ///
    /// # Errors
    /// If the database is away, or what it holds under this name is something else.
    pub async fn get_blob(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let statement =
            Statement::new("SELECT bytes FROM blobs WHERE digest = $1").bind(digest.to_string());
        let rows = self
            .rows(Scope::Installation, statement, "read a blob")
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let bytes: Vec<u8> = column(row, 0)?;
        let found = Digest::of(&bytes);
        if found != digest {
            return Err(StoreError::Unreadable {
                what: "blob",
                source: format!("`{digest}` holds the bytes of `{found}`").into(),
            });
        }
        Ok(Some(bytes))
    }

    /// Whether the blob with this SHA-256 is here.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn has_blob(&self, digest: Digest) -> Result<bool, StoreError> {
        let statement =
            Statement::new("SELECT 1 FROM blobs WHERE digest = $1").bind(digest.to_string());
        let rows = self
            .rows(Scope::Installation, statement, "look a blob up")
            .await?;
        Ok(!rows.is_empty())
    }

    /// Which of these are not here.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn missing_blobs(&self, digests: &[Digest]) -> Result<Vec<Digest>, StoreError> {
        let mut missing = Vec::new();
        for digest in digests {
            if !self.has_blob(*digest).await? {
                missing.push(*digest);
            }
        }
        Ok(missing)
    }
}
