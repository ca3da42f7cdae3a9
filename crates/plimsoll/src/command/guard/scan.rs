//! `plimsoll guard scan`: what a policy would do about a team's own history.
//!
//! Rows come as they are asked for, are judged one by one and printed at once, so that a file of any
//! size takes no more memory than its longest row. A row that cannot be judged is told with its line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use plimsoll_guard::finding::{Action, Direction};
use plimsoll_guard::links::Links;
use plimsoll_guard::pii::Pii;
use plimsoll_guard::policy::Policy;
use plimsoll_guard::scan::{Guard, Verdict};
use plimsoll_guard::secrets::Secrets;
use serde_json::{Map, Value};

use crate::cli::ScanArgs;
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::{Output, note};

/// The longest row, in bytes.
const ROW_BYTES_MAX: u64 = 16 << 20;

/// How often each action was taken.
#[derive(Default)]
struct Counts {
    rows: u64,
    by_action: [u64; 7],
    unread: u64,
}

/// Scans and tells. The exit code is 1 if a row could not be read.
pub(super) fn run(args: &ScanArgs, out: Output) -> Outcome<Exit> {
    let guard = guard(args.policy.as_deref())?;
    let direction = Direction::from(args.direction);
    let mut rows: Box<dyn BufRead> = if args.file == Path::new("-") {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        let file = File::open(&args.file).map_err(|error| unreadable(&args.file, &error))?;
        Box::new(BufReader::new(file))
    };
    let mut counts = Counts::default();
    if !out.json {
        out.print(&format!(
            "{:>6}  {:<9} {:>8}  rules",
            "row", "action", "score"
        ))?;
    }
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        let read = rows
            .by_ref()
            .take(ROW_BYTES_MAX + 1)
            .read_until(b'\n', &mut line);
        if read.map_err(|error| unreadable(&args.file, &error))? == 0 {
            break;
        }
        if line.len() as u64 > ROW_BYTES_MAX {
            let message = format!("row {number} is longer than {ROW_BYTES_MAX} bytes: split it");
            return Err(Failure::says(Exit::Usage, message));
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        counts.rows += 1;
        match row(&line) {
            Ok((row, text)) => {
                let verdict = with_links(&guard, &row, direction).scan(&text, direction);
                counts.by_action[verdict.action as usize] += 1;
                tell(number, row, &verdict, out)?;
            }
            Err(reason) => {
                counts.unread += 1;
                note(format_args!("row {number} was not judged: {reason}"));
            }
        }
    }
    if !out.json {
        out.print(&summary(&counts))?;
    }
    Ok(Exit::when(counts.unread == 0))
}

/// The guard with a policy, the rule packs that it names beside it, and all that recognises secrets and
/// personal data.
fn guard(policy: Option<&Path>) -> Outcome<Guard> {
    let guard = guard_by(policy)?.beside(Arc::new(Secrets::shipped()));
    Ok(guard.beside(Arc::new(Pii::new())))
}

/// The guard that also looks at the links of an output: to the hosts that the policy allows, and those that
/// the row names under `allowed_hosts`. What leads elsewhere is blocked unless the policy says otherwise.
fn with_links(guard: &Guard, row: &Map<String, Value>, direction: Direction) -> Guard {
    let of_policy = guard.policy().hosts.as_deref();
    let of_row = row.get("allowed_hosts").and_then(Value::as_array);
    if direction != Direction::Output || (of_policy.is_none() && of_row.is_none()) {
        return guard.clone();
    }
    let named = of_row.into_iter().flatten().filter_map(Value::as_str);
    let hosts = of_policy.unwrap_or_default().iter().cloned();
    let links = Links::new(hosts.chain(named.map(str::to_owned)));
    guard.clone().beside_to(Action::Block, Arc::new(links))
}

fn guard_by(policy: Option<&Path>) -> Outcome<Guard> {
    let Some(path) = policy else {
        return Guard::new(Policy::default(), &[]).or_exit(Exit::Internal);
    };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let policy = Policy::parse(&text).or_exit(Exit::Usage)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let packs = policy.packs.iter().map(|name| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))
    });
    let packs = packs.collect::<Outcome<Vec<_>>>()?;
    Guard::new(policy, &packs).or_exit(Exit::Usage)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::says(
        Exit::Usage,
        format!("`{}` cannot be read: {error}", path.display()),
    )
}

/// A row and its text.
fn row(line: &[u8]) -> Result<(Map<String, Value>, String), String> {
    let row: Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| format!("it is no JSON object: {error}"))?;
    match row.get("text") {
        Some(Value::String(text)) => {
            let text = text.clone();
            Ok((row, text))
        }
        Some(_) => Err("its `text` is no string".to_owned()),
        None => Err("it has no `text`".to_owned()),
    }
}

fn tell(number: u64, mut row: Map<String, Value>, verdict: &Verdict, out: Output) -> Outcome<()> {
    if out.json {
        let told = serde_json::to_value(verdict).or_exit(Exit::Internal)?;
        if let Value::Object(told) = told {
            row.extend(told);
        }
        let line = serde_json::to_string(&row).or_exit(Exit::Internal)?;
        return out.print(&line);
    }
    let mut rules: Vec<&str> = verdict
        .findings
        .iter()
        .map(|found| found.rule.as_str())
        .collect();
    rules.dedup();
    let mut rules = rules.join(", ");
    if verdict.would != verdict.action {
        rules.push_str(&format!(" (shadow: would {})", verdict.would.as_str()));
    }
    for skipped in &verdict.not_evaluated {
        rules.push_str(&format!(
            " (not judged by {}: {})",
            skipped.detector, skipped.reason
        ));
    }
    let action = verdict.action.as_str();
    let line = format!("{number:>6}  {action:<9} {:>8.4}  {rules}", verdict.score);
    out.print(line.trim_end())
}

fn summary(counts: &Counts) -> String {
    let actions = [
        Action::Allow,
        Action::Flag,
        Action::Redact,
        Action::Repair,
        Action::AskAgain,
        Action::Review,
        Action::Block,
    ];
    let mut parts = vec![format!("{} rows", counts.rows)];
    for action in actions {
        let count = counts.by_action[action as usize];
        if count > 0 {
            parts.push(format!("{} {count}", action.as_str()));
        }
    }
    if counts.unread > 0 {
        parts.push(format!("not judged {}", counts.unread));
    }
    parts.join(" · ")
}
