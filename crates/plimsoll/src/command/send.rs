//! `plimsoll send`: the rows of a file to a running server, and a summary of what came back.

mod summary;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::Method;
use plimsoll_core::{Clock as _, Secret, SystemClock, SystemName};
use plimsoll_spec::Workspace;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::cli::{Global, SendArgs};
use crate::client::{Response, Server, encoded, error_text};
use crate::command::send::summary::Summary;
use crate::data_folder::read_secret;
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::{Output, progress};
use crate::rows::{ColumnTypes, Rows};
use crate::workspace;

/// Sends all rows and sums up.
pub(crate) async fn run(global: &Global, args: &SendArgs, out: Output) -> Outcome<Exit> {
    let workspace = workspace::load_without_secrets(global)?;
    let system = workspace::system(&workspace, args.system.as_ref())?;
    let name = &system.name;
    let key = key(&workspace, args, name)?;
    let sender = Sender {
        server: Server::of_callers(args.url.as_deref(), &workspace, key)?,
        path: format!("/v1/systems/{}/decisions", encoded(name.as_str())),
        unit: args.unit.clone(),
        clock: Arc::new(SystemClock::new()),
    };
    let total = Rows::count(&args.file)?.min(args.limit.unwrap_or(u64::MAX));
    let bar = progress(Some(total), "rows");
    let batches = Batches {
        rows: Rows::open(&args.file, ColumnTypes::of(&workspace, system))?,
        size: args.batch.min(workspace.server.rows_max).max(1) as usize,
        left: total,
        alone: None,
    };
    let started = sender.clock.elapsed();
    let calls = stream::iter(batches).map(|batch| sender.send(batch));
    let mut calls = calls.buffer_unordered(args.concurrency as usize);
    let mut summary = Summary::default();
    while let Some(answered) = calls.next().await {
        let sent = answered?;
        bar.inc(sent.rows);
        summary.add(sent);
    }
    drop(calls);
    summary.seconds = sender.clock.elapsed().saturating_sub(started).as_secs_f64();
    bar.finish_and_clear();
    out.show(&summary.json(), || summary.text(name, out))?;
    Ok(Exit::when(summary.failed.is_empty()))
}

fn key(workspace: &Workspace, args: &SendArgs, system: &SystemName) -> Outcome<Option<Secret>> {
    if let Some(file) = &args.key_file {
        return read_secret(file).map(Some).or_exit(Exit::Usage);
    }
    let fitting = workspace.keys.iter().find(|key| key.scope.allows(system));
    let Some(fitting) = fitting else {
        return Ok(None);
    };
    if let Some(variable) = workspace::unset_variable(&fitting.secret) {
        let name = &fitting.name;
        let message =
            format!("key `{name}` is needed: set `{variable}`, or name a file with --key-file");
        return Err(Failure::says(Exit::Usage, message));
    }
    Ok(Some(fitting.secret.clone()))
}

/// Rows in batches, read as they are sent. A row that is no JSON goes by itself, since it would spoil
/// the others.
struct Batches {
    rows: Rows,
    size: usize,
    left: u64,
    /// A row that has to go by itself, after the batch that it would have spoiled.
    alone: Option<String>,
}

impl Batches {
    fn next_batch(&mut self) -> Outcome<Option<Vec<String>>> {
        if let Some(row) = self.alone.take() {
            return Ok(Some(vec![row]));
        }
        let mut batch = Vec::with_capacity(self.size);
        while batch.len() < self.size && self.left > 0 {
            let Some(row) = self.rows.next_row()? else {
                break;
            };
            self.left -= 1;
            if serde_json::from_str::<&RawValue>(&row).is_err() {
                if batch.is_empty() {
                    return Ok(Some(vec![row]));
                }
                self.alone = Some(row);
                break;
            }
            batch.push(row);
        }
        Ok((!batch.is_empty()).then_some(batch))
    }
}

impl Iterator for Batches {
    type Item = Outcome<Vec<String>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

/// How one row ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: String,
    pub(crate) kind: Option<String>,
    pub(crate) code: Option<String>,
}

/// One call and what came of it.
pub(crate) struct Sent {
    pub(crate) rows: u64,
    pub(crate) micros: u64,
    pub(crate) ended: Vec<Ended>,
    /// Why the call gave no outcome.
    pub(crate) failed: Option<String>,
}

struct Sender {
    server: Server,
    path: String,
    unit: Option<String>,
    clock: Arc<SystemClock>,
}

impl Sender {
    async fn send(&self, batch: Outcome<Vec<String>>) -> Outcome<Sent> {
        let batch = batch?;
        let whole = self.call(&batch).await?;
        // A body that was refused as a whole: which of its rows it was, each tells by itself.
        if batch.len() == 1 || whole.failed.is_none() && whole.ended.len() == batch.len() {
            return Ok(whole);
        }
        let mut sum = Sent {
            rows: 0,
            micros: whole.micros,
            ended: Vec::new(),
            failed: None,
        };
        for row in batch {
            let one = self.call(std::slice::from_ref(&row)).await?;
            sum.rows += one.rows;
            sum.ended.extend(one.ended);
            sum.failed = sum.failed.or(one.failed);
        }
        Ok(sum)
    }

    async fn call(&self, batch: &[String]) -> Outcome<Sent> {
        let body = match batch {
            [row] => format!("{{\"input\":{row}}}"),
            rows => format!("{{\"inputs\":[{}]}}", rows.join(",")),
        };
        let headers: Vec<(&str, &str)> = self
            .unit
            .iter()
            .map(|unit| ("plimsoll-unit", unit.as_str()))
            .collect();
        let started = self.clock.elapsed();
        let response = self
            .server
            .send(Method::POST, &self.path, &headers, Bytes::from(body))
            .await?;
        let took = self.clock.elapsed().saturating_sub(started);
        let refused = [401, 403, 404].contains(&response.status.as_u16());
        if refused && !response.headers.contains_key("plimsoll-decision") {
            return Err(Failure::says(Exit::Unreachable, error_text(&response)));
        }
        let ended = ended(&response);
        let failed = ended.is_empty().then(|| error_text(&response));
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        Ok(Sent {
            rows: batch.len() as u64,
            micros,
            ended,
            failed,
        })
    }
}

fn ended(response: &Response) -> Vec<Ended> {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let of_row = |row: &Value| {
        Some(Ended {
            outcome: text(&row["outcome"])?,
            kind: text(&row["kind"]),
            code: text(&row["error"]["code"]),
        })
    };
    if let Some(rows) = body["decisions"].as_array() {
        return rows.iter().filter_map(of_row).collect();
    }
    if let Some(row) = of_row(&body) {
        return vec![row];
    }
    let outcome = response
        .headers
        .get("plimsoll-outcome")
        .and_then(|value| value.to_str().ok());
    let of_headers = |outcome: &str| Ended {
        outcome: outcome.to_owned(),
        kind: None,
        code: text(&body["error"]["code"]),
    };
    outcome.map(of_headers).into_iter().collect()
}
