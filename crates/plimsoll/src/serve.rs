//! The server: two listeners, and what goes on beside them until it is told to stop.
//!
//! Start: log, workspace, data folder, node, control listener, data listener. Stop (SIGTERM, SIGINT):
//! the data listener takes no more and lets requests end within `drain`; then the control listener,
//! the tasks beside, the journal, the database. A second signal ends the process at once.

mod acting;
mod alerting;
mod background;
mod budgets;
mod erasing;
mod evaluating;
mod keeping;
mod labelling;
mod live_node;
mod logging;
mod operations;
mod peers;
mod policies;
mod recording;
mod releasing;
mod resident;
mod retiring;
mod scheduling;
mod scoring;
mod watch;
mod watching;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use plimsoll_console::{Identity, Operations, OperatorToken, Operators, People, router};
use plimsoll_gateway::Listening;
use plimsoll_spec::Workspace;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::assembly::{Assembly, assemble};
use crate::cli::Global;
use crate::data_folder::DataFolder;
use crate::exit::{Exit, Exits as _, Outcome};
use crate::people_file;
use crate::serve::background::Background;
use crate::serve::live_node::LiveNode;
use crate::workspace;

/// Serves until told to stop.
pub(crate) async fn run(global: &Global) -> Outcome<Exit> {
    let workspace = workspace::load(global)?;
    logging::start(workspace.log);
    for warning in &workspace.warnings {
        let (file, line) = (&warning.file, warning.line);
        tracing::warn!(file, line, "{}", warning.message);
    }
    let mut signals = Signals::listen()?;
    let control = listen(workspace.server.control_address).await?;
    let control_address = control.local_addr()?;
    let token = DataFolder::create(workspace.storage.path.clone())?.operator_token()?;
    let accounts = people_file::read(&workspace.storage.path).or_exit(Exit::Data)?;
    let assembly = assemble(workspace.clone()).await?;
    report_recovery(&assembly);
    let operators = Operators::new(OperatorToken::new(&token), &workspace.operators)
        .or_keys(Arc::new(keeping::OfNode(Arc::clone(&assembly.node))))
        .or_people(Arc::new(People::new(accounts, Arc::clone(&assembly.clock))))
        .or_vouched(Arc::new(Identity::new(
            workspace.identity.clone(),
            Arc::clone(&assembly.clock),
        )));
    let live = LiveNode::new(global.clone(), &workspace, &assembly, operators.clone());
    let operations = Arc::new(live);
    if let Err(error) = operations.declare_policies().await {
        let error = format!("{error:#}");
        tracing::error!(error, "the policies in force could not be recorded");
    }
    let listening = match assembly.node.serve() {
        Ok(listening) => listening,
        Err(error) => {
            assembly.close().await?;
            return Err(error.into());
        }
    };
    let stop = CancellationToken::new();
    let operators = serve_operators(control, operations.clone(), operators, &stop);
    let background = Background::start(&assembly, &operations, &stop);
    announce(
        &workspace,
        (listening.address(), control_address),
        &assembly,
    );
    tokio::spawn(resident::give_back_code());
    signals.stopped(&operations).await;
    shut_down(listening, assembly, background, operators, stop, signals).await
}

async fn listen(address: SocketAddr) -> Outcome<TcpListener> {
    let listening = TcpListener::bind(address).await;
    let failed = || {
        format!(
            "the control listener could not listen on {address}: is another process using the port?"
        )
    };
    listening.with_context(failed).or_exit(Exit::Port)
}

fn serve_operators(
    listener: TcpListener,
    operations: Arc<LiveNode>,
    operators: Operators,
    stop: &CancellationToken,
) -> tokio::task::JoinHandle<()> {
    let app = router(operations as Arc<dyn Operations>, operators);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let stop = stop.clone();
    tokio::spawn(async move {
        let serving = axum::serve(listener, app);
        let ended = serving.with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = ended {
            tracing::error!(%error, "the control listener ended");
        }
    })
}

fn report_recovery(assembly: &Assembly) {
    let recovery = &assembly.recovery;
    let (torn_bytes, orphans, micros) = (recovery.torn_bytes, recovery.orphans, recovery.micros);
    if torn_bytes > 0 || orphans > 0 {
        tracing::warn!(
            torn_bytes,
            orphans,
            micros,
            "the last run ended in the middle; the journal was mended"
        );
    }
    for damage in &assembly.damage {
        tracing::error!(%damage, "a part of the journal is damaged and stepped over");
    }
}

fn announce(workspace: &Workspace, (data, control): (SocketAddr, SocketAddr), assembly: &Assembly) {
    for status in assembly.node.systems() {
        let (system, release) = (&status.system.name, status.deployment.release.short());
        let pending = status
            .pending
            .map(|release| release.short())
            .unwrap_or_default();
        match &status.broken {
            Some(reason) => tracing::error!(%system, release, reason, "system broken"),
            None => tracing::info!(%system, release, pending, "system serving"),
        }
    }
    let token_file = DataFolder::at(workspace.storage.path.clone()).token_file();
    let token_file = token_file.display();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), %data, %control, %token_file, "serving");
}

async fn shut_down(
    listening: Listening,
    assembly: Assembly,
    background: Background,
    operators: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
    mut signals: Signals,
) -> Outcome<Exit> {
    tracing::info!("stopping: requests under way may end");
    let draining = tokio::task::spawn_blocking(move || listening.shutdown());
    let orderly = async move {
        draining.await.or_exit(Exit::Internal)?;
        stop.cancel();
        background.ended().await;
        // An operator who holds a connection open holds nothing up.
        tokio::time::timeout(std::time::Duration::from_secs(2), operators)
            .await
            .ok();
        assembly.close().await?;
        tracing::info!("stopped");
        Ok(Exit::Yes)
    };
    tokio::select! {
        ended = orderly => ended,
        () = signals.told_again() => {
            tracing::warn!("told again to stop: ending at once");
            Ok(Exit::No)
        }
    }
}

/// The signals that a server listens to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> Outcome<Self> {
        let on = |kind| {
            signal(kind)
                .context("signals could not be listened to")
                .or_exit(Exit::Internal)
        };
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hang_up: on(SignalKind::hangup())?,
        })
    }

    /// Returns when it is time to stop; a hang-up reads the workspace again.
    async fn stopped(&mut self, operations: &LiveNode) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    tracing::info!("told to read the workspace again");
                    operations.read_again().await;
                }
            }
        }
    }

    async fn told_again(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
