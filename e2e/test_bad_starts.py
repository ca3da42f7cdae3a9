"""What is wrong with the machine or the files: a typed error, an exit code, and as much service as there can be."""

import os
import re
import shutil
import socket
import subprocess

import pytest
from harness import EXAMPLES, Process, Server, Workspace, cli, eventually, request

ROW = {"amount": 10, "purpose": "car", "age": 30}


def serve_fails(workspace, env=None):
    told = cli("serve", "--workspace", str(workspace.folder), timeout=20, env=env)
    assert told.returncode not in (0, 101), told.stderr
    assert "panicked" not in told.stderr
    return told


def test_a_port_in_use_is_named(make_workspace):
    workspace = make_workspace()
    with socket.create_server(("127.0.0.1", workspace.data_port)):
        told = serve_fails(workspace)
    assert str(workspace.data_port) in told.stderr + told.stdout


def test_a_folder_without_a_workspace_is_named(tmp_path):
    told = cli("serve", "--workspace", str(tmp_path / "nothing"))
    assert told.returncode not in (0, 101)
    assert "nothing" in told.stderr + told.stdout


def test_a_second_server_on_the_same_data_is_refused(own_server):
    server = own_server()
    other = Workspace(server.workspace.folder.parent / "second")
    shutil.copytree(server.workspace.folder, other.folder, dirs_exist_ok=True)
    text = other.read("plimsoll.toml")
    for old, new in [(server.workspace.data_port, other.data_port), (server.workspace.control_port, other.control_port)]:
        text = text.replace(str(old), str(new))
    shutil.rmtree(other.folder / "data")
    (other.folder / "data").symlink_to(server.workspace.folder / "data")
    other.write("plimsoll.toml", text)
    told = serve_fails(other)
    assert str(server.process.process.pid) in told.stderr + told.stdout


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_folder_that_cannot_be_written_is_named(make_workspace):
    workspace = make_workspace()
    data = workspace.folder / "data"
    data.mkdir(mode=0o500)
    assert "data" in serve_fails(workspace).stderr


def test_a_data_folder_that_is_a_file_is_named(make_workspace):
    workspace = make_workspace()
    workspace.write("data", "not a folder")
    told = serve_fails(workspace)
    assert "data" in told.stderr + told.stdout


def test_a_public_address_without_keys_is_refused(make_workspace):
    workspace = make_workspace()
    workspace.replace("plimsoll.toml", f'"127.0.0.1:{workspace.data_port}"', f'"0.0.0.0:{workspace.data_port}"')
    told = serve_fails(workspace)
    assert "key" in told.stderr + told.stdout


def test_a_missing_secret_is_named_and_no_secret_is_shown(make_workspace):
    workspace = make_workspace()
    workspace.write(
        "plimsoll.toml",
        workspace.read("plimsoll.toml") + '\n[keys.web]\nsecret = { env = "NO_SUCH_VARIABLE" }\nsystems = ["*"]\n',
    )
    assert "NO_SUCH_VARIABLE" in workspace.cli("check").stderr + workspace.cli("check").stdout


def with_loan(workspace):
    shutil.copytree(EXAMPLES / "loan-default" / "systems" / "loan-default", workspace.folder / "systems" / "loan-default")
    # the loan's ceiling is in euro
    workspace.replace("systems/loan-default/system.toml", '"<= 0.001 EUR"', '"<= 0.001 USD"')


LOAN = {
    "car_value": 28500,
    "salary_range": "40K - 60K €",
    "debt_to_income_ratio": 0.65,
    "loan_length": 18,
    "repaid_loan_on_prev_car": True,
    "size_of_downpayment": "20%",
    "driver_tenure": 1.2,
}


def test_without_onnx_runtime_the_ladder_answers_and_other_systems_serve(own_server):
    server = own_server(with_loan, {"ORT_DYLIB_PATH": "/nowhere/libonnxruntime.so"})
    assert server.decide("score", ROW).json()["outcome"] == "served"
    body = server.decide("loan-default", LOAN).json()
    assert (body["outcome"], body["kind"]) == ("fell_back", "unavailable")
    assert body["answer"] == {"decision": "approve"}
    told = server.process.output() + request("GET", f"{server.control}/readyz").body.decode()
    assert "onnxruntime==1.26.0" in told or "fetch" in told


def test_a_corrupt_onnx_file_is_told_and_the_ladder_answers(own_server):
    def corrupt(workspace):
        with_loan(workspace)
        path = workspace.folder / "systems/loan-default/model.onnx"
        path.write_bytes(path.read_bytes()[:5000] + b"\x00\xff" * 400)

    server = own_server(corrupt)
    body = server.decide("loan-default", LOAN).json()
    assert (body["outcome"], body["kind"]) == ("fell_back", "unavailable")
    assert "model.onnx" in server.process.output() or "loan-default" in server.process.output()


def test_a_missing_model_file_is_a_problem_of_the_workspace(make_workspace):
    workspace = make_workspace()
    with_loan(workspace)
    (workspace.folder / "systems/loan-default/model.onnx").unlink()
    told = workspace.cli("check")
    assert told.returncode != 0 and "model.onnx" in told.stdout + told.stderr


def segments(workspace):
    return sorted(path for path in (workspace.folder / "data" / "journal").rglob("*") if path.is_file() and path.stat().st_size > 200)


def test_a_torn_tail_is_cut_off_and_told(own_server):
    server = own_server()
    ids = [server.decide("score", ROW).headers["plimsoll-decision"] for _ in range(3)]
    server.process.kill()
    last = max(segments(server.workspace), key=lambda path: path.stat().st_mtime)
    with last.open("ab") as file:
        file.write(b"\x7f\x03torn in the middle of a frame")
    server.start()
    assert all(server.closed(id)["outcome"] == "served" for id in ids)
    assert "truncat" in server.process.output().lower() or "torn" in server.process.output().lower()


def test_a_node_with_a_corrupt_record_still_serves(own_server):
    server = own_server()
    for _ in range(30):
        server.decide("score", ROW)
    server.stop()
    first = min(segments(server.workspace), key=lambda path: path.name)
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 0xFF
    first.write_bytes(content)
    log = server.workspace.folder / "second.log"
    again = Process(["serve", "--workspace", str(server.workspace.folder)], log)
    try:
        again.wait_for(f"{server.control}/readyz")
        assert server.decide("score", ROW).json()["outcome"] == "served"
        assert "damaged" in again.output()
    finally:
        again.kill()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of a few megabytes; it can be made larger."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_withholds_answers_and_all_goes_on_when_there_is_space(own_server, small_disk):
    def on_small_disk(workspace):
        workspace.replace("plimsoll.toml", 'path = "data"', f'path = "{small_disk}/data"')

    server = own_server(on_small_disk)
    rows = [ROW] * 100
    acknowledged = set()

    def fill():
        """the disk is full"""
        answers = server.decide_many("score", rows).json()["decisions"]
        acknowledged.update(row["decision"] for row in answers if row["outcome"] == "served")
        codes = {row.get("error", {}).get("code") for row in answers}
        return codes & {"record_unavailable", "record_queue_full"}

    eventually(fill, seconds=60, pause=0)
    assert not request("GET", f"{server.control}/readyz").json()["ready"]
    assert "plimsoll_journal_failing 1" in server.metrics()

    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)

    def serves_again():
        """answers are given again, and a person can be asked again"""
        served = server.decide("score", ROW).json()["outcome"] == "served"
        doubtful = server.decide("score", {**ROW, "amount": 5000}).json()["outcome"] == "pending"
        return served and doubtful

    eventually(serves_again, seconds=30)

    def all_is_there():
        """every answer that was given is among the decisions"""
        out = small_disk.parent / "all.csv"
        out.unlink(missing_ok=True)
        server.workspace.cli(
            "decisions", "export", "--format", "csv", "--out", str(out), "--data", f"{small_disk}/data"
        )
        return out.exists() and acknowledged <= set(re.findall(r"[0-9A-HJKMNP-TV-Z]{26}", out.read_text()))

    assert acknowledged
    eventually(all_is_there, seconds=30)
