//! From a folder to a [`Workspace`], or to everything that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_core::SystemName;

use crate::files::{Document, Files};
use crate::forms;
use crate::prices;
use crate::problem::{Problem, Problems, Severity};
use crate::regimes;
use crate::settings::{self, Reader, Settings};
use crate::source::{Report, nearest};
use crate::system::Resolver;
use crate::workspace::{Environment, Workspace};

/// The most systems of one workspace.
const SYSTEMS_MAX: usize = 1_000;

/// What a look at a workspace gave.
#[derive(Debug)]
pub struct Inspection {
    /// The workspace with those of its systems that have no error; none if `plimsoll.toml`,
    /// `prices.toml` or `regimes.toml` has one.
    pub workspace: Option<Workspace>,
    /// Everything that was found, errors and warnings.
    pub problems: Problems,
}

/// Reads and checks the workspace in `root`: the boot pipeline, without side effects.
///
/// # Errors
/// With every problem at once, if one of them stands in the way.
pub fn load(root: &Path, environment: &dyn Environment) -> Result<Workspace, Problems> {
    let inspection = inspect(root, environment);
    match inspection.workspace {
        Some(workspace) if !inspection.problems.has_errors() => Ok(workspace),
        _ => Err(inspection.problems),
    }
}

/// As [`load`], and gives what can be used even if something else cannot.
pub fn inspect(root: &Path, environment: &dyn Environment) -> Inspection {
    let mut report = Report::default();
    let workspace = match root.canonicalize() {
        Ok(root) => read(&Files { root }, environment, &mut report),
        Err(error) => {
            let message = format!("the workspace's folder cannot be read: {error}");
            report.file_error(&root.display().to_string(), message);
            None
        }
    };
    let problems = report.into_sorted();
    let warnings: Vec<Problem> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Warning)
        .cloned()
        .collect();
    let workspace = workspace.map(|workspace| Workspace {
        warnings,
        ..workspace
    });
    Inspection {
        workspace,
        problems: Problems(problems),
    }
}

fn read(files: &Files, environment: &dyn Environment, report: &mut Report) -> Option<Workspace> {
    let root = files.root.as_path();
    let path = root.join("plimsoll.toml");
    if !path.is_file() {
        let hint = "this is not a workspace yet: make one with `plimsoll init`, or name another folder with `--workspace`";
        report
            .file_error("plimsoll.toml", "the file is not there")
            .help(hint);
        return None;
    }
    let source = files.text(&path, report)?;
    let document = Document::parse(&source, &forms::plimsoll::FORM, "USD", report);
    let mut of_folders = Report::default();
    let folders = system_folders(files, &mut of_folders);
    let systems: BTreeSet<SystemName> = folders.keys().cloned().collect();
    let Some(document) = document else {
        // The other files are still held against their forms.
        check_forms(files, &folders, report);
        report.absorb(of_folders, |_| true);
        return None;
    };
    let currency = settings::currency(document.view("USD").table("server"));
    let regimes = regimes::read(files, report);
    let mut reader = Reader {
        root,
        environment,
        systems: &systems,
        regimes: &regimes,
        report,
    };
    let settings = reader.settings(document.view(&currency));
    let prices = prices::read(files, &currency, &settings.providers, report);
    let is_sound = report.errors() == 0;
    report.absorb(of_folders, |_| true);
    let mut workspace = Workspace {
        root: root.to_owned(),
        server: settings.server.clone(),
        storage: settings.storage.clone(),
        pepper: settings.pepper.clone(),
        audit: settings.audit.clone(),
        onnx: settings.onnx.clone(),
        log: settings.log,
        providers: settings.providers.clone(),
        keys: settings.keys.clone(),
        limits: settings.limits.clone(),
        operators: settings.operators.clone(),
        identity: settings.identity.clone(),
        access: Arc::new(settings.policies.clone()),
        receivers: settings.receivers.clone(),
        regimes,
        prices,
        systems: BTreeMap::new(),
        folders: BTreeMap::new(),
        blobs: BTreeMap::new(),
        warnings: Vec::new(),
    };
    for (name, folder) in &folders {
        add_system(files, &settings, (name, folder), &mut workspace, report);
    }
    is_sound.then_some(workspace)
}

/// Adds a system to the workspace, unless something stands in the way.
fn add_system(
    files: &Files,
    settings: &Settings,
    (name, folder): (&SystemName, &Path),
    workspace: &mut Workspace,
    report: &mut Report,
) {
    let currency = settings.server.currency.as_str();
    let Some(source) = files.text(&folder.join("system.toml"), report) else {
        return;
    };
    let errors = report.errors();
    let Some(document) = Document::parse(&source, &forms::system::FORM, currency, report) else {
        return;
    };
    let form_fits = report.errors() == errors;
    let resolver = Resolver {
        files,
        settings,
        prices: &workspace.prices,
        name,
        folder,
        file: document.view(currency),
        report,
        blobs: &mut workspace.blobs,
    };
    if let Some(resolved) = resolver.resolve().filter(|_| form_fits) {
        workspace.systems.insert(name.clone(), resolved.system);
        workspace.folders.insert(name.clone(), resolved.folder);
    }
}

/// Every folder of `systems/` that holds, or should hold, a system.
fn system_folders(files: &Files, report: &mut Report) -> BTreeMap<SystemName, PathBuf> {
    let mut folders = BTreeMap::new();
    let systems = files.root.join("systems");
    let entries = match std::fs::read_dir(&systems) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            report
                .file_warning("systems", "the workspace has no system")
                .help("add one as systems/NAME/system.toml");
            return folders;
        }
        Err(error) => {
            report.file_error("systems", format!("the folder cannot be read: {error}"));
            return folders;
        }
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .take(SYSTEMS_MAX + 1)
        .collect();
    paths.sort();
    if paths.len() > SYSTEMS_MAX {
        report.file_error(
            "systems",
            format!("there are more than {SYSTEMS_MAX} systems"),
        );
    }
    for path in paths {
        let file = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if file.starts_with('.') {
            continue;
        }
        let name = files.name(&path);
        if !path.join("system.toml").is_file() {
            report
                .file_error(&name, "the folder has no `system.toml`")
                .hint = misnamed(&path);
            continue;
        }
        match SystemName::new(&file) {
            Ok(system) => {
                folders.insert(system, path);
            }
            Err(error) => {
                report
                    .file_error(&name, error.to_string())
                    .help("rename the folder: a system is called as its folder is");
            }
        }
    }
    if folders.is_empty() {
        report
            .file_warning("systems", "the workspace has no system")
            .help("add one as systems/NAME/system.toml");
    }
    folders
}

fn misnamed(folder: &Path) -> Option<String> {
    let names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .take(100)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let found = nearest("system.toml", names.iter().map(String::as_str));
    Some(found.map_or_else(
        || "write one, or move the folder out of `systems`".to_owned(),
        |name| format!("rename `{name}`"),
    ))
}

fn check_forms(files: &Files, folders: &BTreeMap<SystemName, PathBuf>, report: &mut Report) {
    for folder in folders.values() {
        if let Some(source) = files.text(&folder.join("system.toml"), report) {
            // Money cannot be checked without the currency, so only syntax and keys are looked at.
            let mut found = Report::default();
            Document::parse(&source, &forms::system::FORM, "USD", &mut found);
            report.absorb(found, |problem| {
                problem.message.starts_with("this is not TOML")
            });
        }
    }
}
