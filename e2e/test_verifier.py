"""Two verifiers that share no code answer the same: `plimsoll audit verify` and `verifier/plimsoll_verify.py`."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from harness import ROOT, Server, eventually

sys.path.insert(0, str(ROOT / "verifier"))
import plimsoll_verify  # noqa: E402

ROW = {"amount": 10, "purpose": "car", "age": 30}
FLIPS = 300
SAME = ("passed", "origin", "size", "minimum", "payload_minimum", "records", "payloads", "blobs", "consistent_with")
# What no checkpoint, record or digest binds (docs/reference/audit-log.md, "Not looked at").
UNBOUND = {"audit/key", "journal/lock", "journal/minimum"}


class Verified:
    """The data folder of a node that served, erased and stopped, and a checkpoint that was copied from it before."""

    def __init__(self, server):
        self.workspace = server.workspace
        self.data = server.workspace.folder / "data"
        self.kept = [server.decide("score", {**ROW, "amount": amount}).json()["decision"] for amount in range(10, 40)]
        for text in ("one", "two", "three"):
            assert server.chat("chat", text).status == 200
        self.older = self.signed_over_something()
        for erased in self.kept[3:5]:
            done = self.plimsoll("audit", "erase", "--decision", erased, "--basis", "GDPR Art. 17(1)(b)", "--json")
            assert done.returncode == 0, done.stderr
        self.kept_last = server.decide("score", ROW).json()["decision"]
        assert server.stop() == 0, server.process.output()
        self.key = (self.data / "audit" / "log.vkey").read_text().strip()

    def signed_over_something(self) -> Path:
        """A copy of a checkpoint that has leaves; at most ten seconds pass until there is one."""
        path = self.data / "audit" / "checkpoint"

        def has_leaves():
            """a checkpoint with leaves is signed"""
            text = path.read_text() if path.exists() else "\n0"
            return text if int(text.split("\n")[1]) else None

        copy = self.workspace.folder / "older.checkpoint"
        copy.write_text(eventually(has_leaves, seconds=15))
        return copy

    def plimsoll(self, *arguments: str):
        return self.workspace.cli(*arguments)

    def python(self, *arguments: object):
        """The other verifier, as an outsider runs it: with nothing but the interpreter."""
        program = [sys.executable, "-I", "-S", ROOT / "verifier" / "plimsoll_verify.py", *map(str, arguments)]
        return subprocess.run(program, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def verified(make_workspace):
    server = Server(make_workspace())
    yield Verified(server)
    if server.process.is_alive():
        server.process.kill()


def test_the_python_verifier_passes_its_own_tests():
    command = [sys.executable, "-m", "unittest", "discover", "-q", ROOT / "verifier"]
    done = subprocess.run(command, cwd=ROOT / "verifier", capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def test_both_verifiers_agree_on_every_count(verified):
    rust = verified.plimsoll("audit", "verify", "--against", str(verified.older), "--json")
    python = verified.python("verify", verified.data, "--key", verified.key, "--against", verified.older, "--json")
    assert (rust.returncode, python.returncode) == (0, 0), rust.stderr + rust.stdout + python.stderr + python.stdout
    rust, python = json.loads(rust.stdout), json.loads(python.stdout)
    assert {name: rust[name] for name in SAME} == {name: python[name] for name in SAME}
    assert python["faults"] == [] and python["consistent_with"] > 0
    assert python["records"]["intact"] == python["size"] > len(verified.kept)
    assert python["payloads"]["erased"] >= 2 and python["payloads"]["intact"] >= len(verified.kept) - 1
    assert python["payloads"]["missing"] == 0 and python["blobs"] > 0


def test_a_proof_holds_in_both_and_prints_the_record(verified, tmp_path):
    file = tmp_path / "decision.tlog-proof"
    made = verified.plimsoll("audit", "prove", verified.kept[0], "--out", str(file))
    assert made.returncode == 0, made.stderr
    checked = verified.python("proof", file, "--key", verified.key)
    assert checked.returncode == 0, checked.stderr
    entry = json.loads(checked.stdout)
    assert (entry["type"], entry["record"]["id"]) == ("closed", verified.kept[0])
    changed = tmp_path / "changed.tlog-proof"
    changed.write_bytes(file.read_bytes().replace(b"index ", b"index 1", 1))
    assert verified.python("proof", changed, "--key", verified.key).returncode == 1


def test_another_key_and_another_checkpoint_are_refused_by_both(verified, tmp_path):
    stranger = "plimsoll.invalid/node-1+51eb7122+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
    file = tmp_path / "stranger.vkey"
    file.write_text(stranger + "\n")
    assert verified.plimsoll("audit", "verify", "--key", str(file), "--json").returncode != 0
    assert verified.python("verify", verified.data, "--key", file).returncode != 0
    fork = tmp_path / "fork.checkpoint"
    text = verified.older.read_text()
    fork.write_text(text.replace(text.split("\n")[2], "A" * 43 + "="))
    assert verified.plimsoll("audit", "verify", "--against", str(fork), "--json").returncode == 1
    assert verified.python("verify", verified.data, "--key", verified.key, "--against", fork).returncode == 1


def test_an_erased_payload_without_its_record_is_a_fault_in_both(verified):
    """Whoever erases by hand leaves a frame that nothing gives authority for."""
    path = next(path for path in sorted((verified.data / "payloads").glob("*.pay")))
    data = path.read_bytes()
    kept = next(found for found in plimsoll_verify.frames(data, b"PLMP") if found.kind == 1)
    body = kept.body[:32] + bytes(len(kept.body) - 32)
    rest = bytes([2, 0, 0, 0]) + kept.id + body
    length = len(body).to_bytes(4, "little")
    checksum = plimsoll_verify.crc32c(length + rest).to_bytes(4, "little")
    path.write_bytes(data[: kept.offset] + b"PLMP" + length + checksum + rest + data[kept.end :])
    try:
        both_find_it(verified, "an erasure by hand")
    finally:
        path.write_bytes(data)


def test_both_find_any_flipped_byte(verified):
    source = random.Random(20260314)
    folders = ("journal", "payloads", "audit", "blobs")
    files = [path for folder in folders for path in sorted((verified.data / folder).rglob("*")) if path.is_file()]
    files = [path for path in files if path.relative_to(verified.data).as_posix() not in UNBOUND and path.stat().st_size]
    for _ in range(FLIPS):
        path = source.choice(files)
        data = path.read_bytes()
        place, bit = source.randrange(len(data)), source.randrange(8)
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
        try:
            both_find_it(verified, f"bit {bit} of byte {place} of {path.relative_to(verified.data)}")
        finally:
            path.write_bytes(data)


def both_find_it(verified, what: str) -> None:
    key = plimsoll_verify.Key.read(verified.key)
    assert not plimsoll_verify.verify(verified.data, key).report()["passed"], f"Python passes {what}"
    rust = verified.plimsoll("audit", "verify", "--json")
    assert rust.returncode != 0, f"Rust passes {what}"
