//! Alarms and silences, as the journals have them: events of governance, found by system and time.

use plimsoll_core::monitor::{Alarm, AlertChange, AlertEvent};
use plimsoll_core::{SystemName, Timestamp};

use crate::database::{Scope, Statement};
use crate::error::StoreError;
use crate::sql::read_json;
use crate::store::Store;

/// The most rows of a list.
const LIST_MAX: u32 = 1_000;

impl Store {
    /// Events of alarms, of one system or of all, the latest first, at most `limit`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn alarms(
        &self,
        system: Option<&SystemName>,
        limit: u32,
    ) -> Result<Vec<Alarm>, StoreError> {
        let mut query = Statement::new("SELECT record FROM governance_events WHERE kind = 'alarm'");
        if let Some(system) = system {
            query.push(" AND system = ").push_bind(system.as_str());
        }
        query
            .push(" ORDER BY at DESC, id DESC LIMIT ")
            .push_bind(limit.clamp(1, LIST_MAX));
        let texts = self
            .texts(Scope::Installation, query, "list alarms")
            .await?;
        texts.iter().map(|text| read_json("alarm", text)).collect()
    }

    /// The latest event of each monitor of each node, the latest first, at most a thousand: which alarms stand, however
    /// long ago they were raised.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn latest_alarms(&self) -> Result<Vec<Alarm>, StoreError> {
        let query = Statement::new(
            "SELECT record FROM governance_events WHERE kind = 'alarm'
               AND (node, sequence) IN (SELECT node, MAX(sequence) FROM governance_events
                 WHERE kind = 'alarm' GROUP BY about, node)
             ORDER BY at DESC, id DESC LIMIT $1",
        );
        let texts = self
            .texts(
                Scope::Installation,
                query.bind(LIST_MAX),
                "list the alarms that stand",
            )
            .await?;
        texts.iter().map(|text| read_json("alarm", text)).collect()
    }

    /// What became of telling people, the latest first, at most `limit`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn alerts(&self, limit: u32) -> Result<Vec<AlertEvent>, StoreError> {
        self.alert_events("alert", limit, "list alerts").await
    }

    /// Tests of receivers, the latest first, at most `limit`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn alert_tests(&self, limit: u32) -> Result<Vec<AlertEvent>, StoreError> {
        self.alert_events("alert_test", limit, "list tests of receivers")
            .await
    }

    async fn alert_events(
        &self,
        kind: &str,
        limit: u32,
        doing: &'static str,
    ) -> Result<Vec<AlertEvent>, StoreError> {
        let query = Statement::new(
            "SELECT record FROM governance_events WHERE kind = $1
             ORDER BY at DESC, id DESC LIMIT $2",
        );
        let query = query.bind(kind).bind(limit.clamp(1, LIST_MAX));
        let texts = self.texts(Scope::Installation, query, doing).await?;
        texts.iter().map(|text| read_json("alert", text)).collect()
    }

    /// The silences that stand at `now`: neither over nor lifted, the earliest first.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn silences(&self, now: Timestamp) -> Result<Vec<AlertEvent>, StoreError> {
        let query = Statement::new(
            "SELECT record FROM governance_events AS placed WHERE kind = 'silence' AND id = about
               AND NOT EXISTS (SELECT 1 FROM governance_events AS lifted
                 WHERE lifted.kind = 'silence' AND lifted.about = placed.about
                   AND lifted.id <> placed.id)
             ORDER BY at DESC, id DESC LIMIT $1",
        );
        let query = query.bind(LIST_MAX);
        let texts = self
            .texts(Scope::Installation, query, "list silences")
            .await?;
        let events = texts.iter().map(|text| read_json("silence", text));
        let mut events: Vec<AlertEvent> = events.collect::<Result<_, _>>()?;
        events.reverse();
        events.retain(
            |event| matches!(event.event, AlertChange::Silenced { until, .. } if until > now),
        );
        Ok(events)
    }
}
