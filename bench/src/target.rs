//! What is driven: each target is a process of its own, on a port of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

use crate::Subject;
use crate::body;
use crate::client::{Client, Question};
use crate::process::{Process, free_address};
use crate::workspace::{Addresses, Kind, Workspace};

/// Something that answers, and the question it is asked.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) question: Question,
    pub(crate) process: Process,
}

/// The simulator that all targets ask, the folder that they write to, and the binary that is measured.
#[derive(Debug)]
pub(crate) struct Stage {
    folder: TempDir,
    plimsoll: PathBuf,
    upstream: SocketAddr,
    _simulator: Process,
}

impl Stage {
    /// Makes a folder and starts the simulator.
    pub(crate) async fn set(subject: &Subject, chunk_interval: Duration) -> anyhow::Result<Self> {
        fs::create_dir_all(&subject.scratch)?;
        let folder = tempfile::Builder::new()
            .prefix("plimsoll-bench-")
            .tempdir_in(&subject.scratch)
            .with_context(|| format!("making a folder in {}", subject.scratch.display()))?;
        let upstream = free_address()?;
        let interval = format!("{}us", chunk_interval.as_micros());
        let mut command = this_program()?;
        command.args([
            "upstream",
            &upstream.to_string(),
            "--chunk-interval",
            &interval,
        ]);
        let mut simulator = Process::start(
            "simulator",
            &mut command,
            &folder.path().join("simulator.log"),
        )?;
        simulator.listening(upstream).await?;
        Ok(Self {
            folder,
            plimsoll: subject.plimsoll.clone(),
            upstream,
            _simulator: simulator,
        })
    }

    /// Starts the floor.
    pub(crate) async fn floor(&self) -> anyhow::Result<Target> {
        let address = free_address()?;
        let mut command = this_program()?;
        command.args(["floor", &address.to_string(), &self.upstream.to_string()]);
        self.started("floor", command, bare(address, false)).await
    }

    /// Starts the server that refuses all.
    pub(crate) async fn refusing(&self) -> anyhow::Result<Target> {
        let address = free_address()?;
        let mut command = this_program()?;
        command.args(["refuse", &address.to_string()]);
        self.started("refuse", command, bare(address, false)).await
    }

    /// Starts nginx; `None` if it is not installed.
    pub(crate) async fn nginx(&self) -> anyhow::Result<Option<Target>> {
        let Some(nginx) = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]
            .into_iter()
            .find(|path| Path::new(path).exists())
        else {
            return Ok(None);
        };
        let address = free_address()?;
        let folder = fs::canonicalize(self.folder.path())?;
        let settings = folder.join("nginx.conf");
        fs::write(&settings, nginx_settings(&folder, address, self.upstream))?;
        let mut command = Command::new(nginx);
        command.arg("-p").arg(&folder).arg("-c").arg(&settings);
        self.started("nginx", command, bare(address, false))
            .await
            .map(Some)
    }

    /// Writes a workspace of this kind under this name.
    pub(crate) fn workspace(&self, name: &str, kind: Kind) -> anyhow::Result<Workspace> {
        let addresses = Addresses {
            data: free_address()?,
            control: free_address()?,
            upstream: self.upstream,
        };
        Workspace::write(
            &self.folder.path().join(name.replace(' ', "-")),
            kind,
            addresses,
        )
    }

    /// Starts `plimsoll serve` on a workspace, and waits until it answers.
    pub(crate) async fn serve(&self, name: &str, workspace: &Workspace) -> anyhow::Result<Target> {
        let command = workspace.command(&self.plimsoll, &["serve"]);
        self.started(name, command, workspace.question(false)).await
    }

    /// The binary that is measured.
    pub(crate) fn plimsoll(&self) -> &Path {
        &self.plimsoll
    }

    async fn started(
        &self,
        name: &str,
        mut command: Command,
        question: Question,
    ) -> anyhow::Result<Target> {
        let log = self
            .folder
            .path()
            .join(format!("{}.log", name.replace(' ', "-")));
        let mut process = Process::start(name, &mut command, &log)?;
        let told = |error: anyhow::Error| {
            let text = fs::read_to_string(&log).unwrap_or_default();
            error.context(format!("{name} said: {}", text.trim()))
        };
        process.listening(question.address).await.map_err(told)?;
        Ok(Target {
            name: name.to_owned(),
            question,
            process,
        })
    }
}

impl Target {
    /// Fails unless a first request is served: a load of errors measures nothing.
    pub(crate) async fn prove(&self) -> anyhow::Result<()> {
        let reply = Client::connect(&self.question).await?.ask().await?;
        anyhow::ensure!(
            reply.is_served(),
            "{} does not serve its first request: {reply:?}",
            self.name
        );
        Ok(())
    }
}

/// A chat request without anything that only Plimsoll needs.
fn bare(address: SocketAddr, stream: bool) -> Question {
    Question {
        address,
        path: body::CHAT.to_owned(),
        headers: Vec::new(),
        body: body::chat("sim-small", stream),
        keys: None,
    }
}

fn this_program() -> anyhow::Result<Command> {
    Ok(Command::new(
        std::env::current_exe().context("looking for this program")?,
    ))
}

fn nginx_settings(folder: &Path, listen: SocketAddr, upstream: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "worker_processes 2;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  keepalive_requests 1000000000;
  upstream simulator {{ server {upstream}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen {listen};
    location / {{
      proxy_pass http://simulator;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_buffering off;
    }}
  }}
}}
"
    )
}
