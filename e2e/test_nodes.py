"""Three nodes on one PostgreSQL: what one deploys or halts holds on all, one is killed and nothing is lost."""

import json
import os
import subprocess
import threading
import time

import psycopg
import pytest
from harness import ROOT, Server, eventually

ROW = {"amount": 10, "purpose": "car", "age": 30}
ROLES = """
CREATE ROLE plimsoll_owner LOGIN PASSWORD 'owner-of-the-tables';
CREATE ROLE plimsoll_node LOGIN PASSWORD 'owns-nothing-at-all' NOSUPERUSER NOBYPASSRLS;
CREATE DATABASE plimsoll OWNER plimsoll_owner;
"""


def script(*arguments):
    done = subprocess.run([ROOT / "scripts" / "postgres", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def postgres():
    """A PostgreSQL of this test's own, with an owner of tables and a node's role."""
    url = script("start")
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in filter(str.strip, ROLES.split(";")):
            connection.execute(statement)
    yield url
    script("stop", url)


def as_role(url, role, password):
    """The URL of the database `plimsoll` for another role."""
    parts = psycopg.conninfo.conninfo_to_dict(url)
    host, port = parts["host"], parts.get("port", "5432")
    return f"postgres://{role}:{password}@localhost:{port}/plimsoll?host={host}"


def start(own_server, postgres, names, more=None):
    """Nodes, each with its own journal and files; `more` changes those too."""
    env = {
        "DATABASE_URL": as_role(postgres, "plimsoll_node", "owns-nothing-at-all"),
        "OWNER_URL": as_role(postgres, "plimsoll_owner", "owner-of-the-tables"),
        "PEPPER": "one-pepper-for-all-of-them",
    }

    def settings(name):
        def change(workspace):
            text = workspace.read("plimsoll.toml").replace("[server]\n", f'[server]\nnode = "{name}"\n')
            text = text.replace("[storage]\n", '[storage]\npepper = { env = "PEPPER" }\n')
            text += '\n[storage.postgres]\nurl = { env = "DATABASE_URL" }\nmigrate = { env = "OWNER_URL" }\n'
            workspace.write("plimsoll.toml", text)
            if more:
                more(workspace)

        return change

    started = []
    for name in names:
        started.append(own_server(settings(name), env))
    for server in started:
        server.cli_env = env
    return started


@pytest.fixture
def nodes(own_server, postgres):
    """Three nodes."""
    return start(own_server, postgres, ("north", "east", "south"))


def plimsoll(server, *arguments, ok=True):
    from harness import cli

    told = cli(*arguments, "--workspace", str(server.workspace.folder), "--json", env=server.cli_env)
    assert (told.returncode == 0) == ok, (arguments, told.stdout, told.stderr)
    return json.loads(told.stdout) if ok else told.stderr


def release_of(server, system="score"):
    return next(s["release"] for s in plimsoll(server, "system", "list") if s["name"] == system)


def test_what_one_node_deploys_or_halts_holds_on_all_within_two_seconds(nodes):
    north, east, south = nodes
    assert len({release_of(node) for node in nodes}) == 1
    north.workspace.replace("systems/score/rules.toml", "1000.0", "20.0")
    made = plimsoll(north, "release", "create", "score", "--note", "stricter", "--actor", "ada")
    plimsoll(east, "release", "approve", made["id"], "--actor", "bob")
    plimsoll(north, "release", "deploy", "score", made["id"], "--reason", "tried", "--actor", "cleo")
    begun = time.monotonic()
    eventually(lambda: {release_of(node) for node in nodes} == {made["id"]}, 20)
    for node in nodes:
        assert node.decide("score", {**ROW, "amount": 500}).json()["outcome"] == "pending"

    begun = time.monotonic()
    plimsoll(south, "system", "halt", "score", "--reason", "prices are wrong", "--actor", "ada")
    outcomes = lambda: {node.decide("score", ROW).json()["outcome"] for node in nodes}
    eventually(lambda: outcomes() == {"abstained"}, 20)
    took = time.monotonic() - begun
    print(f"halted on all nodes within {took:.2f} s, the command included")
    plimsoll(north, "system", "resume", "score", "--reason", "mended", "--actor", "ada")
    eventually(lambda: outcomes() == {"served"}, 20)


def test_a_key_that_one_node_revokes_is_refused_by_all_within_five_seconds(nodes):
    north = nodes[0]
    plimsoll(north, "tenant", "create", "acme")
    took = []
    for number in range(5):
        which = (f"web-{number}", "--tenant", "acme")
        given = plimsoll(north, "key", "create", *which, "--system", "score")
        headers = {"authorization": f"Bearer {given['secret']}"}
        statuses = lambda: {node.decide("score", ROW, headers).status for node in nodes}
        eventually(lambda: statuses() == {200}, 20)
        # Each node makes changes, and each hears of the others'.
        plimsoll(nodes[number % 3], "key", "revoke", *which, "--reason", "it leaked")
        told = time.monotonic()
        assert nodes[number % 3].decide("score", ROW, headers).status == 401, "at once where it was said"
        eventually(lambda: statuses() == {401}, 20, 0.01)
        took.append(time.monotonic() - told)
    print("a revoked key was refused by all nodes within", ", ".join(f"{seconds:.2f}" for seconds in took), "s")
    assert max(took) < 5, took


def test_one_node_is_killed_under_load_and_nothing_that_was_answered_is_lost(nodes):
    answered, stop = [], threading.Event()

    def ask(node):
        while not stop.is_set():
            try:
                told = node.decide("score", ROW, timeout=5)
                if told.status == 200:
                    answered.append(told.json()["decision"])
            except OSError:
                time.sleep(0.02)

    threads = [threading.Thread(target=ask, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    time.sleep(2)
    nodes[1].process.kill()
    time.sleep(1)
    nodes[1].start()
    time.sleep(1)
    stop.set()
    for thread in threads:
        thread.join()
    assert len(answered) == len(set(answered)) and len(answered) > 100

    def listed():
        """every answered decision is in the shared database"""
        known, before = set(), None
        while True:
            more = ["--before", before] if before else []
            page = plimsoll(nodes[0], "decisions", "--system", "score", "--limit", "1000", *more)
            known.update(decision["id"] for decision in page)
            if len(page) < 1000:
                return set(answered) <= known
            before = page[-1]["id"]

    eventually(listed, 60, 0.5)


# How long the database is away, in seconds: a longer run is `PLIMSOLL_OUTAGE=600 pytest e2e/test_nodes.py -k away`.
OUTAGE = float(os.environ.get("PLIMSOLL_OUTAGE", "2"))


def test_the_database_is_away_and_then_everything_is_caught_up_exactly_once(nodes, postgres):
    north, east, south = nodes
    ids = {node.decide("score", ROW).json()["decision"] for node in nodes for _ in range(20)}
    script("cut", postgres)
    outcomes, until = set(), time.monotonic() + OUTAGE
    while time.monotonic() < until:
        for node in nodes:
            told = node.decide("score", ROW).json()
            outcomes.add(told["outcome"])
            ids.add(told["decision"])
        time.sleep(OUTAGE / 200)
    assert outcomes == {"served"}, "serving goes on"
    halted = plimsoll(north, "system", "halt", "chat", "--reason", "no database is needed", "--actor", "ada")
    assert halted["slot"]["halt"]["to"] == "halted"
    east.process.kill()
    script("resume", postgres)
    east.start()

    def caught_up():
        """the database holds all of them, each once"""
        known, before = [], None
        while True:
            more = ["--before", before] if before else []
            page = plimsoll(south, "decisions", "--system", "score", "--limit", "1000", *more)
            known += [decision["id"] for decision in page]
            if len(page) < 1000:
                return len(known) == len(set(known)) and ids <= set(known)
            before = page[-1]["id"]

    eventually(caught_up, 60, 0.5)
    print(f"{len(ids)} decisions, the database away for {OUTAGE:.0f} s, one node killed meanwhile: all there, each once")


CASES = 200
QUALITY = """
[quality]
dataset = "golden.jsonl"
every   = "1h"
target  = { right = ">= 0.5" }
[quality.scorers.right]
exact = "decision"
"""


def test_evals_on_schedule_are_asked_by_one_node_of_all(own_server, postgres):
    def measured(workspace):
        case = lambda number: {"id": f"c{number}", "input": {**ROW, "amount": number}, "expect": {"decision": "approve"}}
        cases = "".join(json.dumps(case(number)) + "\n" for number in range(CASES))
        workspace.write("systems/score/golden.jsonl", cases)
        system = workspace.read("systems/score/system.toml")
        workspace.write("systems/score/system.toml", system + QUALITY)

    nodes = start(own_server, postgres, ("north", "east"), measured)
    scheduled = lambda node: [run for run in plimsoll(node, "eval", "list") if run["actor"] == "schedule"]
    runs = eventually(lambda: scheduled(nodes[0]), 60, 0.5)
    # Both look every two seconds whether it is due.
    time.sleep(6)
    assert {run["id"] for node in nodes for run in scheduled(node)} == {runs[0]["id"]}
    assert runs[0]["cases"] == CASES
    parts = psycopg.conninfo.conninfo_to_dict(postgres)
    with psycopg.connect(**{**parts, "dbname": "plimsoll"}) as connection:
        asked = connection.execute("SELECT node, COUNT(*) FROM plimsoll.decisions WHERE drill IS NOT NULL GROUP BY node").fetchall()
    assert len(asked) == 1 and asked[0][1] == CASES, asked
