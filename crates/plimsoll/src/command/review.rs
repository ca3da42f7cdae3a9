//! `plimsoll review`: what waits for a person, and the person's answer.

use anyhow::Context as _;
use plimsoll_console::ReviewAnswer;
use plimsoll_control::figures::{counted, span};
use plimsoll_control::table::{Align, Table, printable};
use plimsoll_core::review::{Review, ReviewState};
use plimsoll_core::{Clock as _, Decision, Outcome as Ended, SystemClock, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::cli::{Global, ReviewCommand};
use crate::client::{Server, encoded};
use crate::exit::{Exit, Exits as _, Outcome};
use crate::output::Output;

#[derive(Deserialize)]
struct Listed {
    reviews: Vec<Review>,
}

/// Lists, shows or answers.
pub(crate) async fn run(global: &Global, command: ReviewCommand, out: Output) -> Outcome<Exit> {
    let now = SystemClock::new().now();
    match command {
        ReviewCommand::List {
            queue,
            system,
            server,
        } => {
            let queue = queue
                .map(|queue| format!("&queue={queue}"))
                .unwrap_or_default();
            let system = system
                .map(|system| format!("&system={system}"))
                .unwrap_or_default();
            let path = format!("/api/v1/reviews?limit=1000{queue}{system}");
            let listed: Listed = Server::of_operators(global, &server)?.get(&path).await?;
            out.show(&listed.reviews, || list_text(&listed.reviews, now, out))?;
        }
        ReviewCommand::Show { id, server } => {
            let path = format!("/api/v1/reviews/{}", encoded(&id));
            let review: Review = Server::of_operators(global, &server)?.get(&path).await?;
            out.show(&review, || show_text(&review, now, out))?;
        }
        ReviewCommand::Answer {
            id,
            answer,
            note,
            minutes,
            server,
        } => {
            let answer: Value = serde_json::from_str(&answer)
                .context("the answer is not JSON: a text stands in quotes, as in '\"yes\"'")
                .or_exit(Exit::Usage)?;
            let path = format!("/api/v1/reviews/{}/answer", encoded(&id));
            let answer = ReviewAnswer {
                answer,
                note,
                worked_seconds: minutes,
            };
            let decision: Decision = Server::of_operators(global, &server)?
                .post(&path, &answer)
                .await?;
            let outcome = decision.outcome.map_or("open", Ended::as_str);
            out.show(&decision, || {
                format!("decision {} is closed: {outcome}\n", decision.id)
            })?;
        }
    }
    Ok(Exit::Yes)
}

fn due(review: &Review, now: Timestamp) -> String {
    if review.due_at < now {
        return format!("overdue by {}", span(now.since(review.due_at)));
    }
    format!("in {}", span(review.due_at.since(now)))
}

fn list_text(reviews: &[Review], now: Timestamp, out: Output) -> String {
    let mut table = Table::new(&[
        ("review", Align::Left),
        ("queue", Align::Left),
        ("system", Align::Left),
        ("why", Align::Left),
        ("due", Align::Left),
    ]);
    for review in reviews {
        let why = review
            .decision
            .path
            .last()
            .map(|step| step.code.as_str())
            .unwrap_or_default();
        table.row(vec![
            review.id.to_string(),
            review.queue.to_string(),
            review.decision.system.to_string(),
            why.to_owned(),
            due(review, now),
        ]);
    }
    let total = counted(reviews.len() as u64, "open review");
    if table.is_empty() {
        format!("{total}\n")
    } else {
        format!("{}\n{total}\n", table.render(out.paint))
    }
}

fn show_text(review: &Review, now: Timestamp, out: Output) -> String {
    let decision = &review.decision;
    let pretty = |value: &Value| {
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        text.lines()
            .map(|line| format!("    {}\n", printable(line)))
            .collect::<String>()
    };
    let state = match &review.state {
        ReviewState::Open => format!("open, due {}", due(review, now)),
        ReviewState::Answered { actor, at, .. } => {
            format!("answered by {} at {}", printable(actor), at.short())
        }
        ReviewState::Expired { at } => format!("expired at {}", at.short()),
    };
    let (system, queue) = (&decision.system, &review.queue);
    let mut text = format!(
        "{}  {system}  queue {queue}  {state}\n",
        out.paint.strong(review.id)
    );
    text.push_str(&format!("  decision   {}\n", decision.id));
    for step in &decision.path {
        let detail = step
            .detail
            .as_deref()
            .map(|detail| format!(": {}", printable(detail)));
        text.push_str(&format!(
            "  why        {} ({}{})\n",
            step.kind,
            step.code,
            detail.unwrap_or_default()
        ));
    }
    text.push_str(&format!("  input\n{}", pretty(&review.input)));
    if let Some(proposal) = &review.proposal {
        text.push_str(&format!("  proposed by a model\n{}", pretty(proposal)));
    }
    if let ReviewState::Answered { answer, note, .. } = &review.state {
        text.push_str(&format!("  answer\n{}", pretty(answer)));
        if let Some(note) = note {
            text.push_str(&format!("  note       {}\n", printable(note)));
        }
    }
    if review.state == ReviewState::Open {
        text.push_str(&format!(
            "\n  plimsoll review answer {} '{{…}}' --note WHY\n",
            review.id
        ));
    }
    text
}
