//! A Redis or Valkey server of one test's own, on a socket in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll_core::limits::lease::{Ask, CounterKey};
use plimsoll_core::{EnvironmentName, NodeName, Secret};
use plimsoll_leases::RedisKeeper;

/// How long a server may take to start.
const START_MAX: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    process: Child,
    folder: tempfile::TempDir,
}

/// Where `scripts/redis` says that a server is.
fn program() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap();
    let found = Command::new(root.join("scripts/redis")).output().unwrap();
    assert!(
        found.status.success(),
        "{}",
        String::from_utf8_lossy(&found.stderr)
    );
    PathBuf::from(String::from_utf8(found.stdout).unwrap().trim())
}

impl Server {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("redis.sock");
        let process = Command::new(program())
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(begun.elapsed() < START_MAX, "the server did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { process, folder }
    }

    fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("redis.sock").display())
    }

    pub(crate) fn keeper(&self, node: &str, lease: Duration) -> RedisKeeper {
        let environment = EnvironmentName::new("production").unwrap();
        let node = NodeName::new(node).unwrap();
        RedisKeeper::new(&Secret::new(self.url()), (&environment, &node), lease).unwrap()
    }

    /// A connection of the test's own.
    pub(crate) async fn connection(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// An ask about the counter `name` of the tenant acme.
pub(crate) fn ask(name: &str, most: u64, used: u64, hold: u64, need: u64) -> Ask {
    Ask {
        key: CounterKey {
            tag: "acme".into(),
            name: name.to_owned(),
        },
        most,
        used,
        is_whole: true,
        hold,
        need,
        want: 0,
        is_gauge: false,
        life: Duration::from_secs(60),
        at: None,
    }
}
