//! A workspace in a folder of its own, and the binary running in it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A starter workspace whose listeners take any free port.
pub(crate) struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    pub(crate) fn predictor() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Self { folder };
        let made = workspace.run(&["init", workspace.root().to_str().unwrap()]);
        assert_eq!(made.status.code(), Some(0), "{made:?}");
        workspace.edit("plimsoll.toml", ":8080", ":0");
        workspace.edit("plimsoll.toml", ":8081", ":0");
        workspace
    }

    /// Nothing but a folder, to be filled.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from}");
        self.write(name, &text.replace(from, to));
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        command
            .args(args)
            .env("PLIMSOLL_WORKSPACE", self.root())
            .env("PLIMSOLL_ACTOR", "ada")
            .env_remove("PLIMSOLL_DATA")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs, expects this exit code, and gives what was printed.
    pub(crate) fn expect(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?}\n{stdout}\n{stderr}"
        );
        if code == 0 || !stdout.is_empty() {
            stdout
        } else {
            stderr.into_owned()
        }
    }

    pub(crate) fn json(&self, code: i32, args: &[&str]) -> Value {
        let text = self.expect(code, &[args, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
    }

    pub(crate) fn serve(&self) -> Server {
        let mut child = self
            .command(&["serve"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = Vec::new();
        let found = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let addresses = line.contains("serving version").then(|| {
                ["data=", "control="].map(|name| {
                    let rest = line.split(name).nth(1).unwrap();
                    format!("http://{}", rest.split(' ').next().unwrap())
                })
            });
            log.push(line);
            addresses
        });
        let Some([data, control]) = found else {
            panic!("the server did not start: {log:#?}")
        };
        // What else is logged must not block the server.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Server {
            child,
            data,
            control,
        }
    }
}

/// A server; killed if it is dropped while it runs.
pub(crate) struct Server {
    child: Child,
    pub(crate) data: String,
    pub(crate) control: String,
}

impl Server {
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// What an open route of the control plane answers.
    pub(crate) fn ask(&self, path: &str) -> String {
        get(&self.control, path, "")
    }

    /// What the data plane answers somebody without a body to send.
    pub(crate) fn ask_as_caller(&self, path: &str) -> String {
        get(&self.data, path, "")
    }

    /// The same, with these headers, each with its line's end.
    pub(crate) fn ask_with(&self, path: &str, headers: &str) -> String {
        get(&self.data, path, headers)
    }

    /// What the data plane answers to this body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let address = self.data.trim_start_matches("http://");
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("-TERM");
        self.child.wait().unwrap()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn get(url: &str, path: &str, headers: &str) -> String {
    let address = url.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Waits until `found` gives something: the projection follows within a moment.
pub(crate) fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(found) = found() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what} did not happen within thirty seconds")
}
