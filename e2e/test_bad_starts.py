"""What is wrong with the machine or the files: a typed error, an exit code, and as much service as there can be."""

import os
import shutil
import socket

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


def test_a_full_disk_refuses_durable_decisions_and_heals(make_workspace, tmp_path):
    import subprocess

    if os.geteuid() != 0:
        pytest.skip("a small file system needs root")
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a tmpfs")
    try:
        workspace = make_workspace()
        (workspace.folder / "data").symlink_to(small)
        server = Server(workspace)
        try:
            assert server.decide("score", ROW).json()["outcome"] == "served"
            filler = small / "filler"
            with filler.open("wb") as file:
                try:
                    while True:
                        file.write(b"\0" * 65536)
                        file.flush()
                except OSError:
                    pass

            def is_refused():
                """a durable decision is refused while the disk is full"""
                answer = server.decide("score", ROW)
                return answer.status == 503 or answer.json().get("error", {}).get("code") == "record_unavailable"

            eventually(is_refused, 30)
            filler.unlink()

            def is_healed():
                """decisions are made again once there is room"""
                return server.decide("score", ROW).json().get("outcome") == "served"

            eventually(is_healed, 20)
        finally:
            server.process.kill()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
