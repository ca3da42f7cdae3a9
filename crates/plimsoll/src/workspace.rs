//! The workspace, as commands need it: with its secrets, or without.

use std::collections::BTreeSet;
use std::sync::Arc;

use plimsoll_core::{NodeName, Secret, System, SystemName};
use plimsoll_spec::{Environment, Problems, ProcessEnvironment, Workspace};
use plimsoll_store::Store;

use crate::assembly::open_store;
use crate::cli::Global;
use crate::data_folder::DataFolder;
use crate::exit::{Exit, Failure, Outcome};
use crate::lag;
use crate::output::note;

/// The workspace with its secrets: for what serves.
pub(crate) fn load(global: &Global) -> Outcome<Workspace> {
    Ok(load_from(global, &ProcessEnvironment)?)
}

/// As [`load`], for a node that serves already: it takes the problems as they are.
pub(crate) fn load_again(global: &Global) -> Result<Workspace, Problems> {
    load_from(global, &ProcessEnvironment)
}

/// The workspace for commands that use no secret: a variable that is not set stands in the way of
/// nothing that they do.
pub(crate) fn load_without_secrets(global: &Global) -> Outcome<Workspace> {
    Ok(load_from(global, &WithoutSecrets)?)
}

/// The data folder that is meant: the one of `--data`, or the workspace's.
pub(crate) fn data_folder(global: &Global) -> Outcome<DataFolder> {
    if let Some(data) = &global.data {
        return Ok(DataFolder::at(data.clone()));
    }
    Ok(DataFolder::at(load_without_secrets(global)?.storage.path))
}

/// What stands for the secret in a variable that is not set.
const UNSET: &str = "unset-variable-";

/// The variable that a secret should come from and that is not set, if that is so.
pub(crate) fn unset_variable(secret: &Secret) -> Option<&str> {
    secret.expose().strip_prefix(UNSET)
}

/// The workspace as `environment` completes it; its data folder is the one of `--data`, if given.
fn load_from(global: &Global, environment: &dyn Environment) -> Result<Workspace, Problems> {
    let mut workspace = plimsoll_spec::load(&global.workspace, environment)?;
    if let Some(data) = &global.data {
        workspace.storage.path.clone_from(data);
    }
    Ok(workspace)
}

/// Warnings, on standard error.
pub(crate) fn warn(workspace: &Workspace) {
    for warning in &workspace.warnings {
        note(format_args!("{warning}\n"));
    }
}

struct WithoutSecrets;

impl Environment for WithoutSecrets {
    fn var(&self, name: &str) -> Option<String> {
        ProcessEnvironment
            .var(name)
            .or_else(|| Some(format!("{UNSET}{name}")))
    }
}

/// The system that is meant: the one that was named, or the only one.
pub(crate) fn system<'w>(
    workspace: &'w Workspace,
    named: Option<&SystemName>,
) -> Outcome<&'w System> {
    let known = || {
        let names: Vec<&str> = workspace.systems.keys().map(SystemName::as_str).collect();
        if names.is_empty() {
            "it has none".to_owned()
        } else {
            format!("it has {}", names.join(", "))
        }
    };
    match (named, workspace.systems.len()) {
        (Some(name), _) => workspace.systems.get(name).ok_or_else(|| {
            let message = format!("the workspace has no system `{name}`: {}", known());
            Failure::says(Exit::Usage, message)
        }),
        (None, 1) => Ok(workspace.systems.values().next().expect("there is one")),
        (None, _) => {
            let message = format!("which system? name it with --system: {}", known());
            Err(Failure::says(Exit::Usage, message))
        }
    }
}

/// What commands that only read have at hand; the server may run or not.
pub(crate) struct Reading {
    pub(crate) store: Store,
    pub(crate) folder: DataFolder,
    /// None if `plimsoll.toml` has problems and the data folder was named: records can be read all the same.
    pub(crate) workspace: Option<Workspace>,
    pub(crate) clock: Arc<dyn plimsoll_core::Clock>,
}

impl Reading {
    /// Opens the database for reading, and waits until it holds what stands in the journal now; if that
    /// takes too long, says so on standard error.
    pub(crate) async fn open(global: &Global) -> Outcome<Self> {
        let inspection = plimsoll_spec::inspect(&global.workspace, &WithoutSecrets);
        let (workspace, path) = match (inspection.workspace, &global.data) {
            (workspace, Some(data)) => (workspace, data.clone()),
            (Some(workspace), None) => {
                let path = workspace.storage.path.clone();
                (Some(workspace), path)
            }
            (None, None) => return Err(inspection.problems.into()),
        };
        let clock: Arc<dyn plimsoll_core::Clock> = Arc::new(plimsoll_core::SystemClock::new());
        let folder = DataFolder::at(path);
        let store = match &workspace {
            Some(workspace) if workspace.storage.postgres.is_some() => {
                open_store(workspace, &folder, &clock).await?
            }
            _ => Store::open_read_only(folder.database(), Arc::clone(&clock)).await?,
        };
        let node = workspace.as_ref().map(|workspace| &workspace.server.node);
        if let Some(lag) = lag::caught_up(&store, folder.root(), node, &*clock).await? {
            note(lag);
        }
        Ok(Self {
            store,
            folder,
            workspace,
            clock,
        })
    }

    /// How many records of `node` the database holds.
    pub(crate) async fn applied(&self, node: &NodeName) -> Outcome<u64> {
        let positions = plimsoll_store::Projector::positions(&self.store).await?;
        let of_node = positions
            .into_iter()
            .find(|(name, _)| name == node.as_str());
        Ok(of_node.map_or(0, |(_, next)| next))
    }

    /// The systems of the workspace, those with problems too: their records can be read all the same.
    pub(crate) fn system_names(&self) -> Vec<SystemName> {
        let Some(workspace) = &self.workspace else {
            return Vec::new();
        };
        let folders = std::fs::read_dir(workspace.root.join("systems"));
        let folders = folders.into_iter().flatten().flatten();
        let named = folders.filter_map(|entry| SystemName::new(entry.file_name().to_str()?).ok());
        let names: BTreeSet<SystemName> = named.chain(workspace.systems.keys().cloned()).collect();
        names.into_iter().collect()
    }

    /// The workspace's currency; empty if it is not known.
    pub(crate) fn currency(&self) -> &str {
        self.workspace
            .as_ref()
            .map_or("", |workspace| &workspace.server.currency)
    }
}
