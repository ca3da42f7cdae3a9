//! `plimsoll runbook run`: walks a person through the steps and records how it went.

use std::io::{BufRead as _, IsTerminal as _};

use plimsoll_console::{RunbookRunRequest, RunbookView};
use plimsoll_control::runbook::Walk;
use plimsoll_core::record::{RunbookRun, RunbookStep};
use plimsoll_core::{Clock as _, SystemClock};

use crate::cli::{Global, RunbookCommand};
use crate::client::Server;
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::{Output, note};

/// Walks, and records the run on the server.
pub(crate) async fn run(global: &Global, command: RunbookCommand, out: Output) -> Outcome<Exit> {
    let RunbookCommand::Run { system, server } = command;
    let server = Server::of_operators(global, &server)?;
    let view: RunbookView = server
        .get(&format!("/api/v1/systems/{system}/runbook"))
        .await?;
    if view.steps.is_empty() {
        let message = format!("the runbook of `{system}` has no steps: each `## ` heading is one");
        return Err(Failure::says(Exit::No, message));
    }
    let started_at = SystemClock::new().now();
    let runbook = view.digest;
    let paint = out.paint;
    let steps = tokio::task::spawn_blocking(move || walk(&view, paint))
        .await
        .or_exit(Exit::Internal)??;
    let request = RunbookRunRequest {
        runbook,
        started_at,
        steps,
    };
    let path = format!("/api/v1/systems/{system}/runbook-runs");
    let run: RunbookRun = server.post(&path, &request).await?;
    out.show(&run, || {
        let said = if run.passed {
            "every step worked"
        } else {
            "not every step worked"
        };
        format!(
            "{} {said}: recorded as tried by {}\n",
            out.paint.mark(run.passed),
            run.actor
        )
    })?;
    Ok(Exit::when(run.passed))
}

/// Asks at the terminal, step by step. Blocks.
fn walk(view: &RunbookView, paint: plimsoll_control::paint::Paint) -> Outcome<Vec<RunbookStep>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        note("each step: y it worked · n it did not (a note may follow) · q stop here\n");
    }
    let titles: Vec<String> = view.steps.iter().map(|step| step.title.clone()).collect();
    let mut walk = Walk::begin(&titles);
    let mut lines = stdin.lock().lines();
    while let Some((number, title)) = walk.current() {
        note(paint.strong(format!("{} of {}  {title}", number + 1, titles.len())));
        note(format_args!("{}\n", view.steps[number].body));
        note("worked? [y/n/q]");
        let Some(line) = lines.next() else { break };
        match answer(&line?) {
            Some((worked, said)) => walk.note(worked, said),
            None => break,
        }
    }
    Ok(walk.into_steps())
}

/// Whether it worked, and what else was said; none to stop.
fn answer(line: &str) -> Option<(bool, Option<String>)> {
    let line = line.trim();
    let (word, said) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let said = (!said.trim().is_empty()).then(|| said.trim().to_owned());
    match word.to_ascii_lowercase().as_str() {
        "y" | "yes" => Some((true, said)),
        "q" | "quit" => None,
        "n" | "no" => Some((false, said)),
        // Anything else is no yes, and is kept as it was said.
        _ => Some((false, Some(line.to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        assert_eq!(answer("y"), Some((true, None)));
        assert_eq!(
            answer(" Yes took 3 min"),
            Some((true, Some("took 3 min".into())))
        );
        assert_eq!(
            answer("n no access"),
            Some((false, Some("no access".into())))
        );
        assert_eq!(answer("q"), None);
        assert_eq!(
            answer("maybe later"),
            Some((false, Some("maybe later".into())))
        );
        assert_eq!(answer(""), Some((false, Some(String::new()))));
    }
}
