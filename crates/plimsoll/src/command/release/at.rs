//! `plimsoll release at`: what was running at a time, or what answered a decision, with the proof.

use plimsoll_control::table::printable;
use plimsoll_core::deployment::{Deployment, Halt};
use plimsoll_core::record::ReleaseRecord;
use plimsoll_core::{EnvironmentName, SystemName, Timestamp};
use plimsoll_store::Place;
use serde_json::{Value, json};

use crate::cli::{Global, Moment};
use crate::command::audit::{checkpoint_of, proof_of};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::workspace::{self, Reading};

/// What was asked for.
pub(super) struct Asked {
    pub(super) time: Option<Moment>,
    pub(super) system: Option<SystemName>,
    pub(super) environment: Option<EnvironmentName>,
    pub(super) decision: Option<String>,
}

/// Something that stood in a slot, with the record that says so.
struct Stood {
    slot: &'static str,
    deployment: Deployment,
    release: Option<ReleaseRecord>,
    proof: Result<Value, String>,
}

/// Answers from the events, or from the decision. The answer is no if nothing was deployed then.
pub(super) async fn run(global: &Global, asked: Asked, out: Output) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    match asked.decision {
        Some(ref id) => of_decision(&reading, id, out).await,
        None => at_time(&reading, asked, out).await,
    }
}

async fn of_decision(reading: &Reading, id: &str, out: Output) -> Outcome<Exit> {
    let decision = reading.store.decision_by_prefix(None, id).await?;
    let release = reading.store.release(decision.release).await?;
    let place = reading.store.place(decision.id).await?;
    let proof = match &place {
        Some(place) => proof(reading, place).await,
        None => Err("it is not known where the decision is recorded".to_owned()),
    };
    let said = json!({
        "decision": decision.id,
        "system": decision.system,
        "environment": decision.environment,
        "at": decision.opened_at,
        "release": decision.release,
        "deployment": decision.deployment,
        "made": release,
        "proof": proof.as_ref().ok(),
        "unproved": proof.as_ref().err(),
    });
    out.show(&said, || {
        let mut text = format!(
            "{} in {} answered decision {} at {} with release {}\n",
            decision.system,
            decision.environment,
            decision.id,
            decision.opened_at,
            out.paint.strong(decision.release)
        );
        text.push_str(&made(release.as_ref()));
        text.push_str(&proved(&proof, out));
        text
    })?;
    Ok(Exit::Yes)
}

async fn at_time(reading: &Reading, asked: Asked, out: Output) -> Outcome<Exit> {
    let Some(workspace) = &reading.workspace else {
        let message = "plimsoll.toml has problems: `plimsoll check` prints them";
        return Err(Failure::says(Exit::Workspace, message));
    };
    let system = match asked.system {
        Some(system) => system,
        None => workspace::system(workspace, None)?.name.clone(),
    };
    let environment = asked
        .environment
        .unwrap_or_else(|| workspace.server.environment.clone());
    let now = reading.clock.now();
    let at = asked.time.map_or(now, |moment| moment.resolve(now));
    if at > now {
        let message = format!("{at} has not been yet");
        return Err(Failure::says(Exit::Usage, message));
    }
    let stood = standing_at(reading, &system, &environment, at).await?;
    let slots: Vec<Value> = stood.iter().map(value).collect();
    let said = json!({
        "system": system, "environment": environment, "at": at, "slots": slots,
    });
    out.show(&said, || {
        if stood.is_empty() {
            return format!("nothing of {system} was deployed in {environment} at {at}\n");
        }
        let mut text = format!("{system} in {environment} at {at}\n");
        for stood in &stood {
            text.push_str(&stood_text(stood, out));
        }
        text
    })?;
    Ok(Exit::when(!stood.is_empty()))
}

async fn standing_at(
    reading: &Reading,
    system: &SystemName,
    environment: &EnvironmentName,
    at: Timestamp,
) -> Outcome<Vec<Stood>> {
    let found = reading
        .store
        .deployments_at(system, environment, at)
        .await?;
    let halt = match found.standing.halted() {
        Some(Halt::Fallback) => "fallback",
        _ => "halt",
    };
    let slots = [
        ("stable", found.standing.stable),
        (
            "canary",
            found.standing.canary.map(|canary| canary.deployment),
        ),
        (halt, found.standing.halt),
    ];
    let mut stood = Vec::new();
    for (slot, deployment) in slots {
        let Some(deployment) = deployment else {
            continue;
        };
        let place = found.places.iter().find(|(id, _)| *id == deployment.id);
        let proof = match place {
            Some((_, place)) => proof(reading, place).await,
            None => Err("it is not known where the event is recorded".to_owned()),
        };
        let release = reading.store.release(deployment.release).await?;
        stood.push(Stood {
            slot,
            deployment,
            release,
            proof,
        });
    }
    Ok(stood)
}

/// The proof as JSON, or why there is none; the answer stands without it and says so.
async fn proof(reading: &Reading, place: &Place) -> Result<Value, String> {
    let prove = async {
        let proof = proof_of(reading, place).await?;
        let checkpoint = checkpoint_of(reading, &proof)?;
        Ok(json!({
            "node": place.node,
            "leaf": proof.index(),
            "size": checkpoint.size(),
            "root": checkpoint.root(),
            "file": proof.to_string(),
        }))
    };
    let proved: Outcome<Value> = prove.await;
    proved.map_err(|failure| format!("{:#}", failure.error))
}

fn value(stood: &Stood) -> Value {
    json!({
        "slot": stood.slot,
        "deployment": stood.deployment,
        "made": stood.release,
        "proof": stood.proof.as_ref().ok(),
        "unproved": stood.proof.as_ref().err(),
    })
}

fn stood_text(stood: &Stood, out: Output) -> String {
    let deployment = &stood.deployment;
    let mut text = format!(
        "{:<8} {}  since {} by {}",
        stood.slot,
        out.paint.strong(deployment.release),
        deployment.at.short(),
        printable(&deployment.actor)
    );
    if let Some(reason) = &deployment.reason {
        text.push_str(&format!(": {}", printable(reason)));
    }
    text.push('\n');
    text.push_str(&made(stood.release.as_ref()));
    text.push_str(&proved(&stood.proof, out));
    text
}

fn made(release: Option<&ReleaseRecord>) -> String {
    let Some(release) = release else {
        return "         its manifest is not known here\n".to_owned();
    };
    let note = release.note.as_deref().map(printable);
    let note = note.map_or(String::new(), |note| format!(": {note}"));
    let (made, author) = (release.created_at.short(), printable(&release.author));
    format!("         made {made} by {author}{note}\n")
}

fn proved(proof: &Result<Value, String>, out: Output) -> String {
    match proof {
        Ok(proof) => format!(
            "         {} proof: leaf {} of {} in the log of {}, root {}\n",
            out.paint.mark(true),
            proof["leaf"],
            proof["size"],
            proof["node"].as_str().unwrap_or_default(),
            proof["root"].as_str().unwrap_or_default()
        ),
        Err(reason) => format!("         {} no proof: {reason}\n", out.paint.mark(false)),
    }
}
