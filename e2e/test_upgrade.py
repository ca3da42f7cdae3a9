"""A data folder that the first version wrote is brought up to this one, and goes on."""

import json
import shutil

import pytest
from harness import ROOT, Server, Workspace, eventually, request

FIRST_VERSION = ROOT / "crates" / "plimsoll" / "tests" / "fixtures" / "data-v0.1"


@pytest.fixture(params=["stopped", "killed"])
def old(request, tmp_path):
    """The workspace of that time, with its data folder."""
    workspace = Workspace(tmp_path / "workspace")
    workspace.copy(FIRST_VERSION / "workspace")
    for port, new in (("18080", workspace.data_port), ("18081", workspace.control_port)):
        workspace.replace("plimsoll.toml", f"127.0.0.1:{port}", f"127.0.0.1:{new}")
    shutil.copytree(FIRST_VERSION / request.param, workspace.folder / "data")
    (workspace.folder / "data").chmod(0o700)
    return workspace


def told(workspace, *arguments):
    result = workspace.cli(*arguments, "--json")
    assert result.returncode == 0, (arguments, result.stdout, result.stderr)
    return json.loads(result.stdout)


def test_everything_of_the_first_version_is_read_logged_and_gone_on_with(old):
    upgraded = told(old, "store", "upgrade")
    assert upgraded["damaged"] == 0
    before = told(old, "decisions", "--limit", "1000")
    assert len(before) >= 30

    server = Server(old)
    try:
        token = (old.folder / "data" / "operator.token").read_text().strip()
        owner = {"authorization": f"Bearer {token}"}
        signed = request("POST", f"{server.control}/api/v1/audit/checkpoint", {}, owner)
        assert signed.status == 200, signed.body
        report = told(old, "audit", "verify")
        assert report["fault_count"] == 0, report["faults"]
        assert report["records"]["intact"] >= len(before)

        kept = next(d for d in before if d.get("payload") and d["outcome"] == "served")
        explained = told(old, "explain", kept["id"], "--payload", "--purpose", "an upgrade")
        assert explained["kept"]["input"]

        waiting = told(old, "review", "list")
        assert waiting
        answered = told(old, "review", "answer", waiting[0]["id"], json.dumps(waiting[0]["fallback"] or {"decision": "refer"}))
        assert answered["outcome"] == "reviewed"

        releases = told(old, "release", "list", "car-loan")
        assert len(releases) == 2 and sum(release["deployed"] for release in releases) == 1
        deployed = next(release["id"] for release in releases if release["deployed"])
        system = told(old, "system", "list")
        assert next(s for s in system if s["name"] == "car-loan")["release"] == deployed
    finally:
        assert server.stop() == 0, server.process.output()
    after = told(old, "decisions", "--limit", "1000")
    assert {d["id"] for d in after} >= {d["id"] for d in before}


def test_what_the_first_version_kept_can_be_erased(old):
    server = Server(old)
    try:
        subjects = [d for d in told(old, "decisions", "--limit", "1000") if d.get("subject") and d.get("payload")]
        assert subjects
        victim = subjects[0]["id"]
        erased = told(old, "audit", "erase", "--decision", victim, "--basis", "GDPR Art. 17")
        assert erased["payloads"] == 1
        result = old.cli("explain", victim, "--payload", "--purpose", "a test")
        assert "erased: GDPR Art. 17" in result.stdout, result.stdout + result.stderr
        assert eventually(lambda: old.cli("audit", "verify").returncode == 0, 15, 0.5)
    finally:
        server.stop()
