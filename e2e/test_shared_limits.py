"""Two nodes share limits through Redis: 64 callers on one small budget, Redis away, and Redis that forgot."""

import re
import shutil
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import ROOT, eventually, free_port, request

BUDGET = 0.005
# What one question sets aside at the most: some 60 tokens in at 1, 50 out at 2 per million.
RESERVATION = 0.0002
LIMITS = f"""
[storage.redis]
url = {{ env = "PLIMSOLL_REDIS_URL" }}
lease = "LEASE"

[limits.budget]
per = "workspace"
money = {{ month = "{BUDGET} USD" }}

[limits.asked]
per = "tenant"
requests = {{ month = 100000 }}
"""


class Redis:
    """A server of one test's own."""

    def __init__(self):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        found = subprocess.run([ROOT / "scripts" / "redis"], capture_output=True, text=True, check=True)
        arguments = [found.stdout.strip(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
        eventually(self.answers)

    def say(self, *words):
        """One command and the beginning of its answer."""
        line = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(f"*{len(words)}\r\n{line}".encode())
            return connection.recv(100)

    def answers(self):
        """Redis answers"""
        try:
            return self.say("PING") == b"+PONG\r\n"
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def redis():
    server = Redis()
    yield server
    server.kill()


@pytest.fixture
def nodes(own_server, redis):
    """Starts two nodes that share limits, with slices leased for so long."""

    def start(lease="30s"):
        def settings(name):
            def change(workspace):
                text = workspace.read("plimsoll.toml").replace("[server]\n", f'[server]\nnode = "{name}"\n')
                workspace.write("plimsoll.toml", text + LIMITS.replace("LEASE", lease))
                workspace.replace("systems/chat/system.toml", '"sim-main"', '"sim-main"\nmax_output_tokens = 50')
                workspace.replace("systems/chat/system.toml", '"sim-second"', '"sim-second"\nmax_output_tokens = 50')
                for other in (workspace.folder / "systems").iterdir():
                    if other.name != "chat":
                        shutil.rmtree(other)

            return change

        env = {"PLIMSOLL_REDIS_URL": redis.url}
        return [own_server(settings(name), env) for name in ("north", "east")]

    return start


def spent(nodes):
    """What all nodes spent, by their own metrics."""
    found = [re.findall(r"^plimsoll_cost_total\{.*\} (\S+)$", node.metrics(), re.M) for node in nodes]
    return sum(float(amount) for amounts in found for amount in amounts)


def shared(node):
    return request("GET", f"{node.control}/readyz").json()["detail"]["limits_shared"]


def code_of(answer):
    return 200 if answer.status == 200 else answer.error_code


def ask(node):
    return code_of(node.chat("chat", "why is the sky blue?", stream=False))


def ask_until(node, stop):
    """Asks until it is refused in one of these ways; how often it was served."""
    served, end = 0, time.monotonic() + 30
    while time.monotonic() < end:
        code = ask(node)
        if code in stop:
            return served
        served += code == 200
    raise AssertionError("it was not refused")


def spend_all(nodes):
    """Spends what is left, wherever it is held, until each node says that nothing is."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for node in nodes:
            ask_until(node, {"budget_exceeded"})
        time.sleep(0.5)
        if BUDGET - spent(nodes) < RESERVATION:
            return
    raise AssertionError(f"{spent(nodes)} of {BUDGET} spent, and the rest cannot be had")


def test_64_callers_on_two_nodes_never_pass_one_small_budget(nodes):
    both = nodes()
    with ThreadPoolExecutor(64) as callers:
        codes = list(callers.map(lambda n: ask(both[n % 2]), range(64 * 6)))
    assert set(codes) <= {200, "budget_exceeded", "limits_unavailable"}, set(codes)
    assert codes.count(200) > 20
    assert spent(both) <= BUDGET
    spend_all(both)
    total = spent(both)
    print(f"{total:.6f} of {BUDGET} spent by 64 callers on two nodes")
    assert BUDGET - RESERVATION < total <= BUDGET
    refused = both[0].chat("chat", stream=False)
    assert refused.status == 429 and refused.json()["error"]["limit"]["name"] == "budget"
    # What is used stays used when the limit is edited, on the node that reads it first.
    both[1].workspace.replace("plimsoll.toml", f"{BUDGET} USD", f"{BUDGET + 0.001} USD")
    both[1].reload()
    eventually(lambda: ask(both[1]) == 200)
    ask_until(both[1], {"budget_exceeded"})
    assert spent(both) <= BUDGET + 0.001


def test_while_redis_is_away_each_node_spends_only_what_it_holds(nodes, redis):
    both = nodes()
    for _ in range(4):
        assert [ask(node) for node in both] == [200, 200]
    redis.kill()
    served = [ask_until(node, {"limits_unavailable"}) for node in both]
    assert spent(both) <= BUDGET
    assert sum(served) > 0, "what was held was spent"
    refused = both[0].chat("chat", stream=False)
    assert refused.status == 503 and refused.headers["retry-after"] == "1"
    assert refused.error_code == "limits_unavailable"
    assert request("GET", f"{both[0].control}/readyz").status == 200
    assert shared(both[0])["away"] and shared(both[0])["away_since"]
    metrics = both[0].metrics()
    assert re.search(r"^plimsoll_limits_shared_away 1$", metrics, re.M)
    assert re.search(r"^plimsoll_limits_unavailable_total [1-9]", metrics, re.M)
    # An empty server: it is told what was used, and then the rest can be had.
    redis.start()
    eventually(lambda: all(shared(node)["leasing"] for node in both))
    assert all(shared(node)["away"] is None for node in both)
    spend_all(both)
    assert spent(both) <= BUDGET


def test_a_server_that_forgot_everything_is_told_again(nodes, redis):
    both = nodes()
    codes = []

    def asks(node):
        for _ in range(40):
            codes.append(ask(node))

    callers = [threading.Thread(target=asks, args=(node,)) for node in both * 8]
    for caller in callers:
        caller.start()
    for _ in range(3):
        time.sleep(0.4)
        redis.say("FLUSHALL")
    for caller in callers:
        caller.join()
    assert spent(both) <= BUDGET, codes.count(200)
    eventually(lambda: all(shared(node)["leasing"] for node in both))
    spend_all(both)
    assert spent(both) <= BUDGET


def test_what_a_killed_node_held_comes_back_and_what_it_spent_does_not(nodes, redis):
    north, east = nodes(lease="2s")
    for _ in range(5):
        assert ask(north) == 200
    before = spent([north])
    time.sleep(1.1)  # It has reported twice by then.
    north.process.kill()
    ask_until(east, {"budget_exceeded"})

    def all_but_one():
        """what north held can be spent by east"""
        ask_until(east, {"budget_exceeded"})
        return before + spent([east]) > BUDGET - RESERVATION

    eventually(all_but_one, 20, 0.3)
    north.start()
    ask_until(north, {"budget_exceeded"})
    assert before + spent([north, east]) <= BUDGET, "it knows from its journal what it spent"
