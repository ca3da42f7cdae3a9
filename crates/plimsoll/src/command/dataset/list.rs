//! `plimsoll dataset list`: what was taken out, by whom and what for; the server may run or not.

use plimsoll_control::figures::{ago, count};
use plimsoll_control::table::{Align, Table, printable};
use plimsoll_core::dataset::DatasetExport;
use plimsoll_core::{SystemName, Timestamp};

use crate::cli::Global;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::workspace::Reading;

/// Lists exports.
pub(super) async fn run(
    global: &Global,
    system: Option<SystemName>,
    limit: u32,
    out: Output,
) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let unread = "plimsoll.toml has problems: `plimsoll check` prints them";
    let known = reading.workspace.as_ref();
    let known = known.ok_or_else(|| Failure::says(Exit::Workspace, unread))?;
    let environment = &known.server.environment;
    let systems = system.map_or_else(|| reading.system_names(), |system| vec![system]);
    let mut exports: Vec<DatasetExport> = Vec::new();
    for system in systems {
        exports.extend(reading.store.datasets(&system, environment, limit).await?);
    }
    exports.sort_by_key(|export| std::cmp::Reverse(export.at));
    let now = reading.clock.now();
    out.show(&exports, || text(&exports, now, out))?;
    Ok(Exit::Yes)
}

fn text(exports: &[DatasetExport], now: Timestamp, out: Output) -> String {
    if exports.is_empty() {
        return "nothing was taken out: plimsoll dataset export SYSTEM --out FILE --purpose WHY\n"
            .to_owned();
    }
    let mut table = Table::new(&[
        ("export", Align::Left),
        ("system", Align::Left),
        ("taken", Align::Right),
        ("version", Align::Left),
        ("form", Align::Left),
        ("cases", Align::Right),
        ("by", Align::Left),
        ("purpose", Align::Left),
    ]);
    for export in exports {
        table.row(vec![
            export.id.to_string(),
            export.system.to_string(),
            ago(export.at, now),
            export.digest.short(),
            printable(&export.format),
            count(export.counts.cases),
            printable(&export.actor),
            printable(&export.purpose),
        ]);
    }
    table.render(out.paint)
}
