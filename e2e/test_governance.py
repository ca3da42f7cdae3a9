"""What was running when, and proof of it: releases, interventions, the audit log, erasure, holds, replay."""

import json
import time

import pytest
from harness import Server, eventually, request

ROW = {"amount": 10, "purpose": "car", "age": 30}
UNSURE = {**ROW, "amount": 5000}
OPERATORS = """
[operators.ada]
token = { env = "ADA" }
roles = ["operator", "approver", "auditor", "reviewer"]

[operators.bob]
token = { env = "BOB" }
roles = ["operator", "approver", "auditor", "reviewer"]
"""
TOKENS = {"ADA": "ada-has-a-token-of-her-own", "BOB": "bob-has-a-token-of-his-own"}


def with_operators(workspace):
    workspace.write("plimsoll.toml", workspace.read("plimsoll.toml") + OPERATORS)
    for name, token in TOKENS.items():
        workspace.write(f"{name.lower()}.token", token)


@pytest.fixture
def governed(own_server):
    """A server with two people who work on it."""
    return own_server(with_operators, TOKENS)


def plimsoll(server, *arguments, by=None, ok=True):
    """Runs a command and gives what it says as JSON."""
    who = ["--token-file", str(server.workspace.folder / f"{by}.token")] if by else []
    told = server.workspace.cli(*arguments, *who, "--json")
    assert (told.returncode == 0) == ok, (arguments, told.stdout, told.stderr)
    return json.loads(told.stdout) if ok else told.stderr


def change_rules(server, limit):
    """A newer release in the files: pending, since the stakes are high."""
    rules = server.workspace.read("systems/score/rules.toml")
    server.workspace.write("systems/score/rules.toml", rules.replace("1000.0", limit))


def pending(server):
    systems = plimsoll(server, "system", "list")
    return next(s for s in systems if s["name"] == "score")["pending_release"]


def deploy_change(server, limit):
    """Changes the rules, and has the change approved and deployed."""
    change_rules(server, limit)
    made = plimsoll(server, "release", "create", "score", "--note", f"up to {limit}", by="ada")
    plimsoll(server, "release", "approve", made["id"], by="bob")
    plimsoll(server, "release", "deploy", "score", made["id"], "--reason", "tried", by="ada")
    return made["id"]


def standing(server):
    systems = plimsoll(server, "system", "list")
    return next(s for s in systems if s["name"] == "score")["release"]


def test_a_release_is_made_with_a_note_compared_approved_by_another_deployed_and_rolled_back(governed):
    first = standing(governed)
    change_rules(governed, "2000.0")
    assert "note" in plimsoll(governed, "release", "create", "score", by="ada", ok=False)
    made = plimsoll(governed, "release", "create", "score", "--note", "more is small", by="ada")
    assert (made["note"], made["author"], made["parent"]) == ("more is small", "ada", first)
    assert standing(governed) == first, "it is not deployed"

    told = governed.workspace.cli("release", "diff", first[:8], made["id"][:8])
    assert told.returncode == 0, told.stderr
    assert '-when   = "inputs.amount < 1000.0"' in told.stdout
    assert '+when   = "inputs.amount < 2000.0"' in told.stdout

    deploy = ["release", "deploy", "score", made["id"], "--reason", "tried"]
    assert "approv" in plimsoll(governed, *deploy, by="ada", ok=False)
    assert "somebody else" in plimsoll(governed, "release", "approve", made["id"], by="ada", ok=False)
    plimsoll(governed, "release", "approve", made["id"], "--note", "looks right", by="bob")
    deployed = plimsoll(governed, *deploy, by="ada")
    assert deployed["approvals"] == ["bob"]
    assert standing(governed) == made["id"]
    assert governed.decide("score", {**ROW, "amount": 1500}).json()["outcome"] == "served"

    back = plimsoll(governed, "release", "rollback", "score", "--reason", "too lax", by="bob")
    assert (back["release"], back["rollback_of"]) == (first, deployed["id"])
    assert standing(governed) == first
    governed.stop()
    governed.start()
    assert standing(governed) == first, "a restart does not bring it back"
    assert pending(governed) == made["id"]


def test_approvals_can_be_overridden_and_then_somebody_else_must_look(governed):
    change_rules(governed, "3000.0")
    made = plimsoll(governed, "release", "create", "score", "--note", "urgent", by="ada")
    deploy = ["release", "deploy", "score", made["id"], "--reason", "an emergency", "--break-glass"]
    deployed = plimsoll(governed, *deploy, by="ada")
    assert deployed["break_glass"] is True

    def open_review():
        report = json.loads(governed.workspace.cli("bar", "score", "--json").stdout)
        report = report[0] if isinstance(report, list) else report
        versions = next(c for c in report["characteristics"] if c["name"] == "versions")
        return [check for check in versions["checks"] if "overrode" in check["evidence"]]

    eventually(open_review)
    review = ["release", "review", deployed["id"], "--justified", "yes", "--note", "it was burning"]
    plimsoll(governed, *review, by="ada", ok=False)
    plimsoll(governed, *review, by="bob")
    eventually(lambda: not open_review())


def test_what_was_running_at_a_time_is_told_with_its_proof(governed):
    first = standing(governed)
    before = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 1))
    time.sleep(2.1)
    second = deploy_change(governed, "4000.0")
    decision = governed.decide("score", ROW).json()["decision"]
    plimsoll(governed, "audit", "status")
    request("POST", f"{governed.control}/api/v1/audit/checkpoint", {}, owner(governed))

    then = plimsoll(governed, "release", "at", before, "--system", "score")
    now = plimsoll(governed, "release", "at", "0s", "--system", "score")
    assert then["slots"][0]["deployment"]["release"] == first
    assert now["slots"][0]["deployment"]["release"] == second
    assert now["slots"][0]["made"]["note"] == "up to 4000.0"
    assert now["slots"][0]["proof"], now["slots"][0]["unproved"]
    proof = governed.workspace.write("at.tlog-proof", now["slots"][0]["proof"]["file"])
    checked = plimsoll(governed, "audit", "check", str(proof))
    assert checked["entry"]["record"]["release"] == second

    answered = plimsoll(governed, "release", "at", "--decision", decision)
    assert answered["release"] == second and answered["proof"]["leaf"] > 0
    told = governed.workspace.cli("release", "at", "2001-01-01", "--system", "score")
    assert told.returncode == 1 and "nothing" in told.stdout


def owner(server):
    token = (server.workspace.folder / "data" / "operator.token").read_text().strip()
    return {"authorization": f"Bearer {token}"}


def test_a_canary_gets_its_share_of_units_and_each_unit_the_same_release(governed):
    first = standing(governed)
    change_rules(governed, "5.0")
    made = plimsoll(governed, "release", "create", "score", "--note", "strict", by="ada")
    plimsoll(governed, "release", "approve", made["id"], by="bob")
    share = ["release", "deploy", "score", made["id"], "--canary", "30", "--reason", "a try"]
    plimsoll(governed, *share, by="ada")

    def release_of(unit):
        return governed.decide("score", ROW, {"plimsoll-unit": unit}).headers["plimsoll-release"]

    answered = {f"unit-{n}": release_of(f"unit-{n}") for n in range(200)}
    got_canary = [unit for unit, release in answered.items() if made["id"].startswith(release[:7])]
    assert 30 <= len(got_canary) <= 90, len(got_canary)
    for unit in list(answered)[:20]:
        assert release_of(unit) == answered[unit]

    plimsoll(governed, "release", "deploy", "score", made["id"], "--canary", "0", by="ada")
    assert {release_of(unit)[:7] for unit in answered} == {first[:7]}


def test_a_halted_system_asks_no_model_and_a_fallback_takes_the_ladder_over_a_restart(governed, simulator):
    assert governed.decide("score", ROW).json()["outcome"] == "served"
    plimsoll(governed, "system", "halt", "score", "--reason", "prices are wrong", by="ada")
    halted = governed.decide("score", ROW).json()
    assert halted["outcome"] == "abstained" and halted["answer"] == {"decision": "refer"}
    governed.stop()
    governed.start()
    assert governed.decide("score", ROW).json()["outcome"] == "abstained", "it holds over a restart"
    plimsoll(governed, "system", "resume", "score", "--reason", "mended", by="ada")
    assert governed.decide("score", ROW).json()["outcome"] == "served"

    plimsoll(governed, "system", "fallback", "chat", "--reason", "the model drifts", by="ada")
    simulator.forget()
    answer = governed.chat("chat")
    assert answer.headers["plimsoll-outcome"] == "fell_back"
    assert (simulator.requests("sim-main"), simulator.requests("sim-second")) == (0, 1)
    plimsoll(governed, "system", "resume", "chat", "--reason", "mended", by="ada")


def test_a_release_moves_to_another_installation_and_a_changed_part_is_refused(governed, own_server):
    change_rules(governed, "700.0")
    made = plimsoll(governed, "release", "create", "score", "--note", "to be moved", by="ada")
    file = governed.workspace.folder / "score.tar"
    plimsoll(governed, "release", "export", made["id"], "--out", str(file))
    other = own_server(with_operators, TOKENS)
    moved = plimsoll(other, "release", "import", str(file), by="bob")
    assert (moved["id"], moved["author"]) == (made["id"], "bob")
    assert moved["note"] == "to be moved (made by ada elsewhere)"
    shown = eventually(lambda: other.workspace.cli("release", "show", made["id"], "--json").stdout)
    assert json.loads(shown)["release"]["manifest"] == moved["manifest"]

    changed = file.read_bytes().replace(b"inputs.amount < 700.0", b"inputs.amount < 701.0")
    (governed.workspace.folder / "changed.tar").write_bytes(changed)
    bad = str(governed.workspace.folder / "changed.tar")
    assert "changed" in plimsoll(other, "release", "import", bad, by="bob", ok=False)


def test_what_is_erased_is_gone_and_the_log_stays_verifiable(governed):
    headers = {"plimsoll-subject": "customer-4711"}
    secret = {**ROW, "amount": 987.125}
    ids = [governed.decide("score", secret, headers).json()["decision"] for _ in range(3)]
    other = governed.decide("score", ROW).json()["decision"]
    waiting = governed.decide("score", {**UNSURE, "age": 61}, headers).json()["decision"]
    erase = ["audit", "erase", "--subject", "customer-4711", "--basis", "GDPR Art. 17(1)(b)"]
    assert plimsoll(governed, *erase, "--dry-run", by="ada")["decisions"] == 4, "at once: it waits for the view"

    placed = plimsoll(governed, "audit", "hold", "place", "--subject", "customer-4711", "--reason", "case 12", by="ada")
    assert "erasure_held" in plimsoll(governed, *erase, by="ada", ok=False)
    plimsoll(governed, "audit", "hold", "lift", placed["hold"], "--reason", "closed", by="ada")
    eventually(lambda: not plimsoll(governed, "audit", "hold", "list"))
    erased = plimsoll(governed, *erase, by="ada")
    assert erased["decisions"] == 4

    for id in [*ids, waiting]:
        told = governed.workspace.cli("explain", id, "--payload", "--purpose", "test")
        assert "erased" in told.stdout + told.stderr, told.stdout + told.stderr
    shown = plimsoll(governed, "explain", other, "--payload", "--purpose", "a complaint", by="bob")
    assert shown["kept"]["input"] == ROW
    access = eventually(lambda: plimsoll(governed, "audit", "access", "--by", "bob"))
    assert (access[0]["decision"], access[0]["purpose"]) == (other, "a complaint")

    request("POST", f"{governed.control}/api/v1/audit/checkpoint", {}, owner(governed))
    report = plimsoll(governed, "audit", "verify")
    assert report["faults"] == []
    assert report["payloads"]["erased"] >= 3 and report["payloads"]["missing"] == 0
    data = governed.workspace.folder / "data"
    for file in data.rglob("*"):
        if file.is_file():
            assert b"987.125" not in file.read_bytes(), file


def test_a_decision_replays_exactly_and_a_live_replay_tells_what_differs(governed, simulator):
    ids = [governed.decide("score", row).json()["decision"] for row in (ROW, {**ROW, "amount": 50_000}, UNSURE)]
    ids.append(governed.decide("score", {**ROW, "amount": "many"}).json()["decision"])
    for id in ids:
        replayed = eventually(lambda id=id: governed.workspace.cli("replay", id, "--recorded", "--json").stdout)
        assert json.loads(replayed)["differing"] == 0, replayed
    all_of_them = plimsoll(governed, "replay", "--since", "1h", "--system", "score", "--recorded")
    assert all_of_them["replayed"] == 4 and all_of_them["differing"] == 0

    strict = deploy_change(governed, "5.0")
    live = governed.workspace.cli("replay", ids[0], "--live", "--under", strict, "--json")
    assert live.returncode == 1, live.stdout + live.stderr
    assert json.loads(live.stdout)["decisions"][0]["differences"]


def test_the_log_is_verified_proved_and_known_to_the_bar(governed):
    id = governed.decide("score", ROW).json()["decision"]
    proof = governed.workspace.folder / "one.tlog-proof"
    eventually(lambda: governed.workspace.cli("audit", "prove", id, "--out", str(proof)).returncode == 0, 15, 0.5)
    checked = plimsoll(governed, "audit", "check", str(proof))
    assert checked["proved"] and checked["entry"]["record"]["id"] == id
    proof.write_text(proof.read_text().replace("index ", "index 1"))
    assert governed.workspace.cli("audit", "check", str(proof)).returncode == 1

    told = governed.workspace.cli("audit", "verify", "--record")
    assert told.returncode == 0, told.stdout + told.stderr

    def audit():
        report = json.loads(governed.workspace.cli("bar", "score", "--json").stdout)
        report = report[0] if isinstance(report, list) else report
        return next(c for c in report["characteristics"] if c["name"] == "audit")

    assert eventually(lambda: audit()["met"]), audit()


def test_a_copy_of_the_data_folder_is_checked_restored_and_served(governed, tmp_path):
    ids = [governed.decide("score", ROW).json()["decision"] for _ in range(5)]
    waiting = governed.decide("score", UNSURE).json()["decision"]
    copy = tmp_path / "copy"
    told = governed.workspace.cli("store", "backup", str(copy), "--with-keys", "--with-secrets")
    assert told.returncode == 0, told.stdout + told.stderr
    governed.stop()
    restored = tmp_path / "restored"
    told = governed.workspace.cli("store", "restore", str(copy), "--data", str(restored))
    assert told.returncode == 0, told.stdout + told.stderr
    assert governed.workspace.cli("audit", "verify", "--data", str(restored)).returncode == 0
    listed = governed.workspace.cli("decisions", "--data", str(restored), "--json")
    assert {d["id"] for d in json.loads(listed.stdout)} >= {*ids, waiting}

    governed.workspace.write("plimsoll.toml", governed.workspace.read("plimsoll.toml").replace('"data"', f'"{restored}"'))
    again = Server(governed.workspace, TOKENS)
    try:
        assert again.decide("score", ROW).json()["outcome"] == "served"
        assert again.decision(waiting)["outcome"] == "pending"
    finally:
        again.stop()

    victim = next((copy / "journal").glob("*.seg"))
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    told = governed.workspace.cli("store", "restore", str(copy), "--data", str(tmp_path / "never"))
    assert told.returncode != 0 and not (tmp_path / "never" / "journal").exists()
