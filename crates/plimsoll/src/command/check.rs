//! `plimsoll check`: the start of a server without its side effects. Files, secrets, expressions and
//! schemas are checked, and every system is built in a folder that is thrown away, so that a model
//! file that cannot be loaded is found here and not at three in the morning.

use serde::Serialize;

use crate::assembly::assemble_aside;
use crate::cli::Global;
use crate::exit::{Exit, Outcome};
use crate::output::Output;

#[derive(Serialize)]
struct Checked {
    ready: bool,
    problems: Vec<plimsoll_spec::Problem>,
    systems: Vec<CheckedSystem>,
}

#[derive(Serialize)]
struct CheckedSystem {
    name: String,
    stakes: &'static str,
    release: String,
    broken: Option<String>,
}

/// Checks and tells.
pub(crate) async fn run(global: &Global, out: Output) -> Outcome<Exit> {
    let environment = plimsoll_spec::ProcessEnvironment;
    let inspection = plimsoll_spec::inspect(&global.workspace, &environment);
    let problems = inspection.problems;
    let usable = inspection.workspace.filter(|_| !problems.has_errors());
    let systems = match usable {
        Some(workspace) => build(workspace).await?,
        None => Vec::new(),
    };
    let ready = !problems.has_errors() && systems.iter().all(|system| system.broken.is_none());
    let checked = Checked {
        ready,
        problems: problems.0,
        systems,
    };
    out.show(&checked, || text(&checked, out))?;
    Ok(if ready { Exit::Yes } else { Exit::Workspace })
}

async fn build(workspace: plimsoll_spec::Workspace) -> Outcome<Vec<CheckedSystem>> {
    let assembly = assemble_aside(workspace, None).await?;
    let systems = assembly
        .node
        .systems()
        .into_iter()
        .map(|status| CheckedSystem {
            name: status.system.name.to_string(),
            stakes: status.system.stakes.as_str(),
            release: status.system.manifest.release_id().to_string(),
            broken: status.broken,
        });
    let systems = systems.collect();
    assembly.close().await?;
    Ok(systems)
}

fn text(checked: &Checked, out: Output) -> String {
    let mut text = String::new();
    for problem in &checked.problems {
        text.push_str(&format!("{problem}\n\n"));
    }
    for system in &checked.systems {
        let mark = out.paint.mark(system.broken.is_none());
        let CheckedSystem {
            name,
            stakes,
            release,
            broken,
        } = system;
        let release = release.get(..7).unwrap_or(release);
        match broken {
            None => text.push_str(&format!(
                "{mark} {name} · {stakes} stakes · release {release}\n"
            )),
            Some(reason) => text.push_str(&format!("{mark} {name} · {reason}\n")),
        }
    }
    if checked.ready && checked.systems.is_empty() {
        text.push_str("the workspace has no systems yet: make a folder under systems/\n");
    }
    text
}
