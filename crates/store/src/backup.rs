//! A copy of the database, taken while it is used.

use std::path::Path;

use sqlx::{ConnectOptions as _, Connection as _};

use crate::error::{Doing as _, StoreError};
use crate::sqlite::{create_private, read_only};
use crate::store::Store;

impl Store {
    /// Writes a whole, consistent copy of the database to a new file at `path`, readable by its owner
    /// only, while others read and write. It is as of one moment after this was called; of the journal, a
    /// copy that is begun after this returned has all that the copy of the database counts on.
    ///
    /// # Errors
    /// If there is a file at `path`, it cannot be made, or the database is away; then there is no file.
    pub async fn backup_to(&self, path: &Path) -> Result<(), StoreError> {
        let Some(from) = self.path() else {
            return Err(StoreError::NotAFile);
        };
        create_private(path, true)?;
        let copied = copy_to(from, path).await;
        if copied.is_err()
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::warn!(error = %error, path = %path.display(), "half a copy could not be removed");
        }
        copied
    }
}

async fn copy_to(from: &Path, path: &Path) -> Result<(), StoreError> {
    let doing = "be copied";
    let mut connection = read_only(from).connect().await.doing(doing)?;
    // An empty file is taken for none (https://www.sqlite.org/lang_vacuum.html#vacuuminto).
    sqlx::query("VACUUM INTO ?1")
        .bind(path.to_string_lossy())
        .execute(&mut connection)
        .await
        .doing(doing)?;
    connection.close().await.doing(doing)?;
    let synced = std::fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| StoreError::File {
        path: path.to_owned(),
        source,
    })
}
