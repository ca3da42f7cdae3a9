//! `plimsoll drift`: what has moved between two files, without a server.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;
use plimsoll_control::drift::{
    Cells, ColumnReport, Method, Report, Settings, Standing, Verdict, compare_column, page, render,
};
use plimsoll_stats::multiple::Correction;

use crate::cli::{DriftArgs, DriftCorrection, DriftMethod};
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::{Output, note};
use crate::tabular::{self, Table};

/// The most threads; each holds a column of both files.
const THREADS_MAX: usize = 4;

/// Compares two files.
pub(crate) fn run(args: &DriftArgs, out: Output) -> Outcome<Exit> {
    let (reference, current) = thread::scope(|scope| {
        let reference = scope.spawn(|| tabular::open(&args.reference));
        let current = tabular::open(&args.current);
        (reference.join(), current)
    });
    let died = |_| Failure::says(Exit::Internal, "a reading thread ended early");
    let (reference, current) = (reference.map_err(died)??, current?);
    let settings = settings(args);
    let columns = columns(args, &reference, &current, &settings)?;
    let problems = reference
        .problems
        .iter()
        .chain(&current.problems)
        .cloned()
        .collect();
    let report = Report::of(
        (name(&args.reference), reference.rows),
        (name(&args.current), current.rows),
        columns,
        settings,
        problems,
    )
    .or_exit(Exit::Internal)?;
    out.show(&report, || render(&report, out.paint))?;
    if let Some(path) = &args.html {
        std::fs::write(path, page(&report)).or_exit(Exit::Usage)?;
        note(format_args!("the page is in {}", path.display()));
    }
    Ok(match report.verdict {
        Verdict::Steady => Exit::Yes,
        Verdict::Drifted => Exit::No,
        Verdict::NotJudged => Exit::Usage,
    })
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

fn settings(args: &DriftArgs) -> Settings {
    Settings {
        method: match args.method {
            DriftMethod::Psi => Method::Psi,
            DriftMethod::Ks => Method::Ks,
            DriftMethod::ChiSquare => Method::ChiSquare,
            DriftMethod::Wasserstein => Method::Wasserstein,
            DriftMethod::JensenShannon => Method::JensenShannon,
            DriftMethod::Hellinger => Method::Hellinger,
        },
        false_discovery_rate: args.false_discovery_rate,
        correction: match args.correction {
            DriftCorrection::None => Correction::None,
            DriftCorrection::Bonferroni => Correction::Bonferroni,
            DriftCorrection::Holm => Correction::Holm,
            DriftCorrection::BenjaminiHochberg => Correction::BenjaminiHochberg,
            DriftCorrection::BenjaminiYekutieli => Correction::BenjaminiYekutieli,
        },
        tolerated_psi: args.tolerated_psi,
        threshold: args.threshold,
    }
}

/// A report of each column that is asked for, of either file.
fn columns(
    args: &DriftArgs,
    reference: &Table,
    current: &Table,
    settings: &Settings,
) -> Outcome<Vec<ColumnReport>> {
    let is_known = |column: &String| {
        [reference, current]
            .iter()
            .any(|table| table.columns.contains(column) || table.twice.contains(column))
    };
    if let Some(unknown) = args.columns.iter().find(|column| !is_known(column)) {
        let message = format!("there is no column `{unknown}` in either file");
        return Err(Failure::says(Exit::Usage, message));
    }
    let is_asked = |column: &String| {
        (args.columns.is_empty() || args.columns.contains(column)) && !args.ignore.contains(column)
    };
    let mut reports = Vec::new();
    let mut pairs = Vec::new();
    let twice =
        |column: &String| reference.twice.contains(column) || current.twice.contains(column);
    for (place, column) in reference
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| is_asked(column))
    {
        match current.columns.iter().position(|other| other == column) {
            Some(other) => pairs.push((column, place, other)),
            None if twice(column) => {}
            None => reports.push(gone_or_new(column, "it is missing from the current file")),
        }
    }
    for column in current.columns.iter().filter(|column| is_asked(column)) {
        if !reference.columns.contains(column) && !twice(column) {
            reports.push(gone_or_new(
                column,
                "it is new: the reference does not have it",
            ));
        }
    }
    let mut doubled: Vec<&String> = reference.twice.iter().chain(&current.twice).collect();
    doubled.sort();
    doubled.dedup();
    for column in doubled.into_iter().filter(|column| is_asked(column)) {
        let reason = "several columns have this name";
        reports.push(ColumnReport::standing(
            column,
            "unreadable",
            Standing::NotJudged,
            reason,
        ));
    }
    reports.extend(compared(&pairs, reference, current, settings));
    Ok(reports)
}

fn gone_or_new(column: &str, reason: &str) -> ColumnReport {
    ColumnReport::standing(column, "unreadable", Standing::Drifted, reason)
}

/// Compares columns that both have, on as many threads as there are cores.
fn compared(
    pairs: &[(&String, usize, usize)],
    reference: &Table,
    current: &Table,
    settings: &Settings,
) -> Vec<ColumnReport> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(pairs.len()));
    let work = || {
        while let Some((column, was, is)) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let cells: (Cells, Cells) = (reference.take(*was), current.take(*is));
            let reports = compare_column(column, &cells.0, &cells.1, settings);
            done.lock().extend(reports);
        }
    };
    let threads = thread::available_parallelism().map_or(1, |n| n.get().min(THREADS_MAX));
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    done.into_inner()
}
