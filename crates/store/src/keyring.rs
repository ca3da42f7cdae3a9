//! Tenants and keys, as the journals of all nodes tell of them: read to be folded in memory. No request
//! is ever checked against the database.

use plimsoll_core::keyring::Keyring;
use serde::de::DeserializeOwned;

use crate::database::{Scope, Statement};
use crate::error::StoreError;
use crate::sql::read_json;
use crate::store::Store;

/// Events that are read at a time.
const PAGE: u32 = 1_000;

impl Store {
    /// How many events of tenants and keys there are: more than before is a reason to read them again.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn keyring_events(&self) -> Result<u64, StoreError> {
        let statement = Statement::new(
            "SELECT COUNT(*) FROM governance_events WHERE kind = 'key' OR kind = 'tenant'",
        );
        let doing = "count the events of keys";
        let number = self.number(Scope::Installation, statement, doing).await?;
        Ok(u64::try_from(number.unwrap_or_default()).unwrap_or_default())
    }

    /// All tenants and keys: the fold over their events.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn keyring(&self) -> Result<Keyring, StoreError> {
        let mut ring = Keyring::default();
        self.each("tenant", |event| {
            ring.note_tenant(&event);
        })
        .await?;
        self.each("key", |event| {
            ring.note_key(&event);
        })
        .await?;
        Ok(ring)
    }

    /// Hands over every event of a kind, in the order of their ids.
    async fn each<T: DeserializeOwned>(
        &self,
        kind: &'static str,
        mut take: impl FnMut(T),
    ) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let statement = Statement::new(
                "SELECT id, record FROM governance_events WHERE kind = $1 AND id > $2
                 ORDER BY id LIMIT $3",
            )
            .bind(kind)
            .bind(&*after)
            .bind(PAGE);
            let doing = "read the events of keys";
            let rows = self.rows(Scope::Installation, statement, doing).await?;
            for row in &rows {
                after = crate::sql::column(row, 0)?;
                take(read_json(kind, crate::sql::column(row, 1)?)?);
            }
            if rows.len() < PAGE as usize {
                return Ok(());
            }
        }
    }
}
