//! The nodes that share the database, as they last told of themselves.

use plimsoll_core::{NodeName, Timestamp};

use crate::database::{Scope, Statement, Way, column, time};
use crate::error::StoreError;
use crate::store::Store;

/// The most nodes of a list.
const LIST_MAX: u32 = 1_000;

/// A node that told of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeSeen {
    /// Its name.
    pub node: NodeName,
    /// The version of its binary.
    pub version: String,
    /// Where it is reached, if it says so.
    pub address: Option<String>,
    /// When it last told of itself, by its own clock.
    pub last_seen_at: Timestamp,
}

impl Store {
    /// Tells that `node` is there.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn heartbeat(
        &self,
        node: &NodeName,
        version: &str,
        address: Option<&str>,
    ) -> Result<(), StoreError> {
        let statement = Statement::new(
            "INSERT INTO nodes (node, version, address, last_seen_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (node) DO UPDATE SET version = excluded.version,
               address = excluded.address, last_seen_at = excluded.last_seen_at",
        )
        .bind(node.as_str())
        .bind(version)
        .bind(address)
        .bind(self.clock.now().as_micros());
        let doing = "note that a node is there";
        self.write(Way::Project, Scope::Installation, statement, doing)
            .await?;
        Ok(())
    }

    /// The nodes that ever told of themselves, by name: at most a thousand, those that did so last.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn nodes(&self) -> Result<Vec<NodeSeen>, StoreError> {
        let statement = Statement::new(
            "SELECT node, version, address, last_seen_at FROM nodes
             ORDER BY last_seen_at DESC, node LIMIT $1",
        )
        .bind(LIST_MAX);
        let rows = self
            .rows(Scope::Installation, statement, "list nodes")
            .await?;
        let nodes: Result<Vec<NodeSeen>, StoreError> = rows
            .iter()
            .map(|row| {
                Ok(NodeSeen {
                    node: crate::sql::parse("name of a node", column(row, 0)?)?,
                    version: column(row, 1)?,
                    address: column(row, 2)?,
                    last_seen_at: time(row, 3)?.unwrap_or(Timestamp::from_micros(0)),
                })
            })
            .collect();
        let mut nodes = nodes?;
        nodes.sort_by(|a, b| a.node.cmp(&b.node));
        Ok(nodes)
    }
}
