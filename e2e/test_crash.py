"""SIGKILL under load: each durable answer that a caller got is in the journal.

`PLIMSOLL_CRASHES` says how often; 50 without it.
"""

import json
import os
import random
import threading
import time
from http.client import HTTPConnection, HTTPException

CRASHES = int(os.environ.get("PLIMSOLL_CRASHES", "50"))
CALLERS = 8
BODY = json.dumps({"input": {"amount": 10, "purpose": "car", "age": 30}}).encode()


def ask_until_it_breaks(port: int, told: list[str]) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        while True:
            connection.request("POST", "/v1/systems/score/decisions", BODY, {"content-type": "application/json"})
            answer = connection.getresponse()
            decision = answer.getheader("plimsoll-decision")
            body = answer.read()
            if answer.status == 200 and json.loads(body)["outcome"] == "served":
                told.append(decision)
    except (OSError, HTTPException, ValueError):
        pass
    finally:
        connection.close()


def test_what_a_caller_was_told_is_in_the_journal_after_sigkill(own_server):
    chance = random.Random(7)
    server = own_server()
    told: list[str] = []
    for _ in range(CRASHES):
        callers = [
            threading.Thread(target=ask_until_it_breaks, args=(server.workspace.data_port, told)) for _ in range(CALLERS)
        ]
        for caller in callers:
            caller.start()
        time.sleep(chance.uniform(0.02, 0.2))
        server.process.kill()
        for caller in callers:
            caller.join()
        server.start()
    assert len(told) > CRASHES and len(set(told)) == len(told)
    assert server.closed(told[-1])
    server.stop()
    export = server.workspace.folder / "decisions.csv"
    assert server.workspace.cli("store", "rebuild").returncode == 0
    exported = server.workspace.cli("decisions", "export", "--out", str(export))
    assert exported.returncode == 0, exported.stderr
    kept = export.read_text()
    missing = [id for id in told if id not in kept]
    assert not missing, f"{len(missing)} of {len(told)} decisions that callers were told of are lost"
