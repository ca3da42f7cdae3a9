"""Starts the real binary on workspaces in temporary folders, and speaks to it byte for byte.

`PLIMSOLL_BIN` names the binary; without it the debug build is taken.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
BINARY = Path(os.environ.get("PLIMSOLL_BIN", ROOT / "target" / "debug" / "plimsoll"))
EXAMPLES = ROOT / "examples"
READY_SECONDS = 20
STOP_SECONDS = 25


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@dataclass
class Response:
    """What came back: headers with lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)

    @property
    def error_code(self) -> str | None:
        """The stable code, wherever the shape has it."""
        body = self.json()
        error = body.get("error") if isinstance(body, dict) else None
        return error.get("code") if isinstance(error, dict) else None


def request(method: str, url: str, body=None, headers=None, timeout: float = 30) -> Response:
    """One HTTP request. A `bytes` body goes as it is, anything else as JSON."""
    parts = urlsplit(url)
    headers = {name.lower(): value for name, value in (headers or {}).items()}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=False).encode()
    if body is not None:
        headers.setdefault("content-type", "application/json")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return Response(answer.status, told, answer.read())
    finally:
        connection.close()


def eventually(check, seconds: float = 10, pause: float = 0.05):
    """The first truthy result of `check`; an error if it does not come in time."""
    end = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {getattr(check, '__doc__', None) or check}")
        time.sleep(pause)


class Process:
    """A running plimsoll with its output kept in a file."""

    def __init__(self, arguments: list[str], log: Path, env: dict[str, str] | None = None):
        self.log = log
        self.arguments = arguments
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [BINARY, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
            )

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, url: str, seconds: float = READY_SECONDS) -> None:
        """Until `url` answers 200."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.is_alive():
                raise AssertionError(f"plimsoll {self.arguments} ended:\n{self.output()}")
            try:
                if request("GET", url, timeout=1).status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"{url} is not ready after {seconds} s:\n{self.output()}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """Asks it to end, and returns its exit code."""
        if self.is_alive():
            self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"plimsoll did not end in {STOP_SECONDS} s:\n{self.output()}") from None

    def kill(self) -> None:
        """SIGKILL: no chance to say goodbye."""
        self.process.kill()
        self.process.wait()


class Simulator:
    """A provider that misbehaves as told."""

    def __init__(self, folder: Path):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        log = folder / "simulator.log"
        self.process = Process(["simulate", "--address", f"127.0.0.1:{self.port}"], log)
        self.process.wait_for(f"{self.url}/v1/models")

    def script(self, *rules: dict) -> None:
        """From now on these rules hold and no others."""
        answer = request("PUT", f"{self.url}/sim/script", {"rule": list(rules)})
        assert answer.status == 200, answer.body

    def requests(self, model: str) -> int:
        """How often `model` was asked since the ledger was cleared."""
        ledger = request("GET", f"{self.url}/sim/ledger").json()
        return ledger["models"].get(model, {}).get("requests", 0)

    def forget(self) -> None:
        """No rules, an empty ledger."""
        request("DELETE", f"{self.url}/sim/script")
        request("DELETE", f"{self.url}/sim/ledger")

    def stop(self) -> None:
        self.process.kill()


class Upstream:
    """A provider of a few lines: keeps the exact bytes that it is sent, answers with exact bytes."""

    def __init__(self):
        self.seen: list[bytes] = []
        self.answer = b"{}"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            while head := self._head(reader):
                self.seen.append(reader.read(int(head.get("content-length", 0))))
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                    % len(self.answer)
                    + self.answer
                )

    @staticmethod
    def _head(reader) -> dict[str, str]:
        head = {}
        for number, line in enumerate(iter(reader.readline, b"")):
            if line == b"\r\n":
                return head
            if number > 0:
                name, _, value = line.decode().partition(":")
                head[name.lower()] = value.strip()
        return {}

    def stop(self) -> None:
        self.listener.close()


class Workspace:
    """A folder with a workspace on free ports."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.data_port, self.control_port = free_port(), free_port()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def address_lines(self) -> str:
        return (
            f'data_address = "127.0.0.1:{self.data_port}"\n'
            f'control_address = "127.0.0.1:{self.control_port}"\n'
        )

    def write(self, path: str, text: str) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def read(self, path: str) -> str:
        return (self.folder / path).read_text(encoding="utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        """Changes one place of a file."""
        text = self.read(path)
        assert text.count(old) == 1, f"`{old}` stands {text.count(old)} times in {path}"
        self.write(path, text.replace(old, new))

    def copy(self, source: Path, **replacements: str) -> None:
        """Copies a workspace; each `{{name}}` in its text files is replaced."""
        shutil.copytree(
            source, self.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("data", "training")
        )
        for path in self.folder.rglob("*"):
            if path.suffix in {".toml", ".md", ".json", ".jsonl"}:
                text = path.read_text(encoding="utf-8")
                for name, value in replacements.items():
                    text = text.replace("{{" + name + "}}", value)
                path.write_text(text, encoding="utf-8")

    def cli(self, *arguments: str, timeout: float = 60, stdin: str = "", cwd: Path | None = None):
        """Runs the command line on this workspace."""
        return cli(*arguments, "--workspace", str(self.folder), timeout=timeout, stdin=stdin, cwd=cwd)


def cli(*arguments: str, timeout: float = 60, stdin: str = "", cwd=None, env=None):
    """Runs the command line; its output is in `.stdout` and `.stderr`, the exit code in `.returncode`."""
    return subprocess.run(
        [BINARY, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        input=stdin,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )


class Server:
    """`plimsoll serve` on a workspace."""

    def __init__(self, workspace: Workspace, env: dict[str, str] | None = None):
        self.workspace = workspace
        self.env = env
        self.data = f"http://127.0.0.1:{workspace.data_port}"
        self.control = f"http://127.0.0.1:{workspace.control_port}"
        self.start()

    def start(self) -> None:
        log = self.workspace.folder / "server.log"
        arguments = ["serve", "--workspace", str(self.workspace.folder)]
        self.process = Process(arguments, log, self.env)
        self.process.wait_for(f"{self.control}/readyz")

    def post(self, path: str, body, headers=None, timeout: float = 30) -> Response:
        return request("POST", self.data + path, body, headers, timeout)

    def get(self, path: str, headers=None, timeout: float = 30) -> Response:
        return request("GET", self.data + path, None, headers, timeout)

    def decide(self, system: str, row, headers=None, timeout: float = 30) -> Response:
        """Asks for one decision."""
        return self.post(f"/v1/systems/{system}/decisions", {"input": row}, headers, timeout)

    def decide_many(self, system: str, rows: list, headers=None) -> Response:
        """Asks for a batch."""
        return self.post(f"/v1/systems/{system}/decisions", {"inputs": rows}, headers)

    def chat(self, system: str, text: str = "hello", headers=None, timeout: float = 30, **more) -> Response:
        """A chat completion, without any SDK."""
        body = {"model": system, "messages": [{"role": "user", "content": text}], **more}
        return self.post("/v1/chat/completions", body, headers, timeout)

    def decision(self, id: str, headers=None) -> dict:
        """How a decision stands."""
        answer = self.get(f"/v1/decisions/{id}", headers)
        assert answer.status in (200, 202), answer.body
        return answer.json()

    def closed(self, id: str) -> dict:
        """How a decision ended, once it has."""

        def is_closed():
            """the decision is closed"""
            found = self.decision(id)
            return found if found["outcome"] != "pending" else None

        return eventually(is_closed)

    def metrics(self) -> str:
        return request("GET", f"{self.control}/metrics").body.decode()

    def reload(self) -> None:
        self.process.signal(signal.SIGHUP)

    def stop(self) -> int:
        return self.process.stop()
