//! `plimsoll audit erase`.

use plimsoll_control::figures::counted;
use serde_json::{Value, json};

use crate::cli::{AuditCommand, Global};
use crate::client::Server;
use crate::exit::{Exit, Outcome};
use crate::output::Output;

/// Has the server erase; the answer is no if there was nothing.
pub(super) async fn run(global: &Global, command: AuditCommand, out: Output) -> Outcome<Exit> {
    let AuditCommand::Erase {
        subject,
        decisions,
        basis,
        reason,
        dry_run,
        server,
    } = command
    else {
        unreachable!("only an erasure comes here")
    };
    let request = json!({
        "subject": subject,
        "decisions": decisions,
        "basis": basis,
        "reason": reason,
        "dry_run": dry_run,
    });
    let server = Server::of_operators(global, &server)?;
    let erased: Value = server.post("/api/v1/audit/erasures", &request).await?;
    let number = |name: &str| erased[name].as_u64().unwrap_or_default();
    let (decisions, payloads) = (number("decisions"), number("payloads"));
    out.show(&erased, || {
        let decisions = counted(decisions, "decision");
        if dry_run {
            return format!("what is kept of {decisions} would be erased\n");
        }
        let payloads = counted(payloads, "payload");
        format!(
            "what was kept of {decisions} is erased: {payloads} on this node; the log stays verifiable\n"
        )
    })?;
    Ok(Exit::when(decisions > 0))
}
