//! `plimsoll monitor`: what is watched and how it stands, and the reference that inputs are held against.

mod held_out;

use std::collections::BTreeMap;
use std::path::Path;

use plimsoll_control::drift::Cells;
use plimsoll_control::figures::{ago, count, counted};
use plimsoll_control::paint::Paint;
use plimsoll_control::table::{Align, Table, printable};
use plimsoll_control::watch::MonitorView;
use plimsoll_core::monitor::{Alarm, AlarmChange, Watched};
use plimsoll_core::{Clock as _, SystemClock, SystemName, Timestamp};
use plimsoll_stats::stream::Reference;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cli::{Global, MonitorCommand, ReferenceOf, ServerArgs};
use crate::client::Server;
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::{Output, note};
use crate::tabular;

/// Alarms that are shown of one monitor.
const ALARMS_MAX: usize = 10;

#[derive(Deserialize)]
struct Listed {
    monitors: Vec<MonitorView>,
}

#[derive(Deserialize)]
struct Alarms {
    alarms: Vec<Alarm>,
}

/// Lists, shows, or makes a reference.
pub(crate) async fn run(global: &Global, command: MonitorCommand, out: Output) -> Outcome<Exit> {
    match command {
        MonitorCommand::List { system, server } => {
            list(global, system.as_ref(), &server, out).await
        }
        MonitorCommand::Show {
            system,
            monitor,
            server,
        } => show(global, &system, monitor, &server, out).await,
        MonitorCommand::Reference(args) => reference(&args, out),
    }
}

async fn monitors(server: &Server, system: Option<&SystemName>) -> Outcome<Vec<MonitorView>> {
    let query = system.map_or(String::new(), |system| format!("?system={system}"));
    let listed: Listed = server.get(&format!("/api/v1/monitors{query}")).await?;
    Ok(listed.monitors)
}

async fn list(
    global: &Global,
    system: Option<&SystemName>,
    server: &ServerArgs,
    out: Output,
) -> Outcome<Exit> {
    let server = Server::of_operators(global, server)?;
    let monitors = monitors(&server, system).await?;
    let now = SystemClock::new().now();
    out.show(&monitors, || list_text(&monitors, now, out))?;
    let is_well = monitors.iter().all(|view| !view.state.is_alarm());
    Ok(Exit::when(is_well))
}

fn list_text(monitors: &[MonitorView], now: Timestamp, out: Output) -> String {
    if monitors.is_empty() {
        return "nothing is watched: write `[monitors]` in system.toml\n".to_owned();
    }
    let mut table = Table::new(&[
        ("system", Align::Left),
        ("monitor", Align::Left),
        ("state", Align::Left),
        ("figure", Align::Right),
        ("bar", Align::Right),
        ("values", Align::Right),
        ("measured", Align::Left),
        ("severity", Align::Left),
    ]);
    for view in monitors {
        let figure = |value: Option<f64>| value.map_or("–".to_owned(), rounded);
        table.row(vec![
            view.system.to_string(),
            view.monitor.to_string(),
            state(view, now, out.paint),
            figure(view.evidence.figure),
            figure(view.evidence.bar),
            count(view.seen),
            view.measured_at
                .map_or("never".to_owned(), |at| ago(at, now)),
            view.severity.as_str().to_owned(),
        ]);
    }
    let number = counted(monitors.len() as u64, "monitor");
    format!("{}\n{number}\n", table.render(out.paint))
}

fn state(view: &MonitorView, now: Timestamp, paint: Paint) -> String {
    match view.state {
        plimsoll_control::watch::State::Learning => paint.doubtful("learning"),
        plimsoll_control::watch::State::Quiet => paint.good("quiet"),
        plimsoll_control::watch::State::Alarm { since, .. } => {
            paint.bad(format!("ALARM, raised {}", ago(since, now)))
        }
    }
}

fn rounded(value: f64) -> String {
    let text = if value != 0.0 && value.abs() < 0.001 {
        format!("{value:.2e}")
    } else {
        format!("{value:.4}")
    };
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    monitor: &'a MonitorView,
    alarms: &'a [Alarm],
}

async fn show(
    global: &Global,
    system: &SystemName,
    monitor: Watched,
    server: &ServerArgs,
    out: Output,
) -> Outcome<Exit> {
    let server = Server::of_operators(global, server)?;
    let found = monitors(&server, Some(system)).await?;
    let view = found.into_iter().find(|view| view.monitor == monitor);
    let view = view.ok_or_else(|| {
        let message = format!("`{monitor}` of system `{system}` is not watched");
        Failure::says(Exit::No, message)
    })?;
    let path = format!("/api/v1/alarms?system={system}&limit=1000");
    let Alarms { mut alarms } = server.get(&path).await?;
    alarms.retain(|alarm| alarm.monitor == monitor);
    alarms.truncate(ALARMS_MAX);
    let now = SystemClock::new().now();
    let shown = Shown {
        monitor: &view,
        alarms: &alarms,
    };
    out.show(&shown, || show_text(&shown, now, out))?;
    Ok(Exit::when(!view.state.is_alarm()))
}

fn show_text(shown: &Shown<'_>, now: Timestamp, out: Output) -> String {
    let Shown {
        monitor: view,
        alarms,
    } = shown;
    let evidence = &view.evidence;
    let interval = evidence.interval.map_or(String::new(), |(low, high)| {
        format!(" [{}, {}]", rounded(low), rounded(high))
    });
    let figure = evidence.figure.map_or("no figure yet".to_owned(), rounded);
    let bar = evidence.bar.map_or("not learnt yet".to_owned(), rounded);
    let mut text = format!(
        "{} of {}: {}\n  figure   {figure}{interval} of the last {}\n  bar      {bar}\n  \
         values   {}, {} that could not be used\n  a false alarm in {} decisions at the most, on average\n",
        view.monitor,
        view.system,
        state(view, now, out.paint),
        count(evidence.n),
        count(view.seen),
        count(view.unusable),
        count(view.between_false_alarms),
    );
    if let Some(accuracy) = &view.accuracy {
        for line in accuracy.to_string().lines() {
            text.push_str(&format!("  accuracy {line}\n"));
        }
    }
    for one in &evidence.contributors {
        text.push_str(&format!(
            "  most of it {} {}\n",
            printable(&one.what),
            rounded(one.share)
        ));
    }
    for id in &evidence.examples {
        text.push_str(&format!("  for example {id}\n"));
    }
    for alarm in *alarms {
        text.push_str(&alarm_line(alarm, out.paint));
    }
    text
}

/// An event of an alarm on one line.
pub(super) fn alarm_line(alarm: &Alarm, paint: Paint) -> String {
    let change = match alarm.change {
        AlarmChange::Raised => paint.bad("raised"),
        AlarmChange::Cleared => paint.good("cleared"),
    };
    let (at, severity) = (alarm.at.short(), alarm.severity.as_str());
    format!(
        "{at}  {change}  {severity}  {}\n",
        printable(&alarm.summary)
    )
}

fn reference(args: &ReferenceOf, out: Output) -> Outcome<Exit> {
    let table = tabular::open(&args.file)?;
    if let Some(name) = table.twice.first() {
        let message = format!("column `{name}` is there twice: leave one out of the file");
        return Err(Failure::says(Exit::Usage, message));
    }
    let unknown = args
        .columns
        .iter()
        .find(|name| !table.columns.contains(name));
    if let Some(name) = unknown {
        let message = format!("there is no column `{name}` in `{}`", args.file.display());
        return Err(Failure::says(Exit::Usage, message));
    }
    let mut reference = Reference::default();
    let mut left_out: BTreeMap<String, String> = BTreeMap::new();
    for (index, name) in table.columns.iter().enumerate() {
        let is_asked = args.columns.is_empty() || args.columns.contains(name);
        if !is_asked || args.ignore.contains(name) {
            continue;
        }
        let added = match table.take(index) {
            Cells::Numbers(values) => reference
                .add_numbers(name, &values, args.window)
                .map_err(|error| error.to_string()),
            Cells::Texts(texts) if texts.is_free_text() => reference
                .add_texts(name, &texts.gathered(), (texts.missing(), args.window))
                .map_err(|error| error.to_string()),
            Cells::Texts(texts) if texts.is_like_an_id() => {
                Err("nearly every row has a text of its own: an id".to_owned())
            }
            Cells::Texts(texts) => reference
                .add_categories(name, texts.counts(), texts.missing())
                .map_err(|error| error.to_string()),
            Cells::Times => Err("times move by themselves".to_owned()),
            Cells::Unreadable(why) => Err(why),
        };
        if let Err(why) = added {
            left_out.insert(name.clone(), why);
        }
    }
    for (name, why) in &left_out {
        note(format_args!("column `{name}` is left out: {why}"));
    }
    if reference.columns().is_empty() {
        let message = "no column can be a reference";
        return Err(Failure::says(Exit::No, message));
    }
    if let Some(path) = &args.held_out {
        reference.set_confidence(held_out::confidence(path)?);
    }
    let bytes = serde_json::to_vec(&reference).or_exit(Exit::Internal)?;
    std::fs::write(&args.out, &bytes).or_exit(Exit::Usage)?;
    let made = json!({
        "out": args.out, "rows": table.rows, "columns": reference.columns().len(),
        "bytes": bytes.len(), "left_out": left_out,
        "confidence": reference.confidence().map(plimsoll_stats::estimate::Confidence::usual),
    });
    out.show(&made, || {
        made_text(&args.out, &reference, table.rows, bytes.len())
    })?;
    Ok(Exit::when(left_out.is_empty()))
}

fn made_text(path: &Path, reference: &Reference, rows: u64, bytes: usize) -> String {
    let confidence = reference.confidence().map_or(String::new(), |confidence| {
        let usual = confidence.usual();
        let how = if confidence.is_corrected() {
            "corrected"
        } else {
            "as the model says it"
        };
        format!(
            "confidence: {how}; wrong in {:.2} % of {} held out\n",
            usual.error() * 100.0,
            counted(usual.rows, "row"),
        )
    });
    format!(
        "{}: {} of {}, {} bytes\n{confidence}",
        path.display(),
        counted(reference.columns().len() as u64, "column"),
        counted(rows, "row"),
        count(bytes as u64),
    )
}
