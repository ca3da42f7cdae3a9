//! The policies in force are records: who may ask and operate, for how long things are kept, how they
//! are made provable. Written when they come into force and when they change.

use plimsoll_core::governance::PolicyEvent;
use plimsoll_core::{Clock, EventId, NodeName, Record};
use plimsoll_gateway::Node;
use plimsoll_spec::Workspace;
use plimsoll_store::Store;

/// Records the policies of `workspace` that say something new. `before` is the workspace that was served
/// until now; a node that starts has none.
pub(crate) async fn declare(
    node: &Node,
    store: &Store,
    clock: &dyn Clock,
    workspace: &Workspace,
    before: Option<&Workspace>,
) -> anyhow::Result<()> {
    let name: &NodeName = &workspace.server.node;
    let known = store.policies(name).await?;
    for policy in workspace.policies(before) {
        let last = known.iter().find(|event| event.name == policy.name);
        if !policy.is_news(last.map(|event| &event.document)) {
            continue;
        }
        let now = clock.now();
        let event = PolicyEvent {
            id: EventId::new(now),
            name: policy.name.to_owned(),
            digest: policy.digest,
            document: policy.document,
            node: name.clone(),
            actor: "workspace".to_owned(),
            at: now,
        };
        node.record(Record::Policy(Box::new(event))).await?;
    }
    Ok(())
}
