//! Processes that are measured: started, accounted for through `/proc`, and ended again.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// Clock ticks per second in `/proc/PID/stat`: 100 on every Linux that user programs see (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);
/// How long a process may take until it listens.
const START_MAX: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How often to look whether a process that was asked to end has ended: for three seconds.
const END_LOOKS: u32 = 600;

/// A process that is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts `command`, whose standard output and error go to `log`.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("opening {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("starting {name} ({})", command.get_program().display()))?;
        Ok(Self {
            name: name.to_owned(),
            child,
        })
    }

    /// Waits until it listens on `address`.
    pub(crate) async fn listening(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let mut waited = Duration::ZERO;
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "{} ended before it listened on {address}: {status}; see its log",
                    self.name
                );
            }
            if waited >= START_MAX {
                bail!(
                    "{} does not listen on {address} after {START_MAX:?}",
                    self.name
                );
            }
            sleep(LOOK_AGAIN).await;
            waited += LOOK_AGAIN;
        }
        Ok(())
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child
            .kill()
            .with_context(|| format!("killing {}", self.name))?;
        self.child.wait()?;
        Ok(())
    }

    /// User and system time of the process and its children so far.
    pub(crate) fn cpu(&self) -> Duration {
        let ticks: u32 = self.family().into_iter().filter_map(ticks).sum();
        TICK * ticks
    }

    /// The highest resident size of the process and its children so far, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// The resident size of the process and its children now, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    fn status(&self, key: &str) -> u64 {
        let value = |pid: u32| {
            let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        self.family().into_iter().filter_map(value).sum()
    }

    fn family(&self) -> Vec<u32> {
        let mut found = vec![self.child.id()];
        let mut next = 0;
        while next < found.len() {
            found.extend(children(found[next]));
            next += 1;
        }
        found
    }
}

impl Drop for Process {
    /// Asks it to end, so that it can end its children; what is left after that is killed.
    fn drop(&mut self) {
        let family = self.family();
        signal("-TERM", self.child.id());
        for _ in 0..END_LOOKS {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        self.kill().ok();
        for pid in family.into_iter().skip(1) {
            signal("-KILL", pid);
        }
    }
}

/// Sends a signal to a process of ours; one that has ended already needs none.
fn signal(signal: &str, pid: u32) {
    let mut kill = Command::new("kill");
    kill.args([signal, &pid.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    kill.status().ok();
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let of_task =
        |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    let listed: Vec<String> = tasks.flatten().map(of_task).collect();
    listed
        .iter()
        .flat_map(|list| list.split_whitespace())
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// `utime` and `stime`: the 14th and 15th field, counted after the name, which may hold anything.
fn ticks(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields
        .split_whitespace()
        .skip(11)
        .map(|field| field.parse::<u32>().ok());
    Some(fields.next()?? + fields.next()??)
}

/// A port of 127.0.0.1 that was free a moment ago.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_that_ends_at_once_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut process = Process::start("true", &mut Command::new("true"), &log).unwrap();
        let error = process
            .listening(free_address().unwrap())
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("true ended before it listened"),
            "{error}"
        );
    }

    #[test]
    fn time_and_memory_of_children_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let script = "sh -c 'i=0; while :; do i=$((i+1)); done' & wait";
        let mut command = Command::new("sh");
        let log = folder.path().join("log");
        let process = Process::start("sh", command.args(["-c", script]), &log).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert!(process.cpu() >= Duration::from_millis(30));
        assert!(process.resident_kib() > 500);
        assert_eq!(process.family().len(), 2);
    }
}
