"""A person in the loop: waiting, polling, answering, expiring."""

import json
import threading
import time

from harness import request

DOUBTFUL = {"amount": 5000, "purpose": "car", "age": 30}


def open_review(server, system="score", **headers):
    body = server.decide(system, DOUBTFUL, headers).json()
    assert body["outcome"] == "pending", body
    return body["decision"], body["review"]


def answer_review(server, review, decision="decline"):
    answer = json.dumps({"decision": decision})
    return server.workspace.cli(
        "review", "answer", review, answer, "--actor", "clerk@example.com", "--note", "looked at it"
    )


def test_a_doubtful_row_waits_and_the_clerks_answer_is_told_to_who_polls(server):
    decision, review = open_review(server)
    assert server.get(f"/v1/decisions/{decision}").status == 202
    listed = server.workspace.cli("review", "list", "--json")
    assert review in listed.stdout
    shown = server.workspace.cli("review", "show", review)
    assert "clerks" in shown.stdout and "5000" in shown.stdout
    answered = answer_review(server, review)
    assert answered.returncode == 0, answered.stderr
    held = server.closed(decision)
    assert held["outcome"] == "reviewed" and held["answer"] == {"decision": "decline"}


def test_who_waits_is_answered_by_the_person(server):
    def answer_when_it_is_there():
        for _ in range(100):
            reviews = json.loads(server.workspace.cli("review", "list", "--json").stdout)
            for review in reviews if isinstance(reviews, list) else reviews["reviews"]:
                if "unit-who-waits" in json.dumps(review):
                    answer_review(server, review["id"], "approve")
                    return
            time.sleep(0.1)

    clerk = threading.Thread(target=answer_when_it_is_there)
    clerk.start()
    answer = server.decide("score", DOUBTFUL, {"prefer": "wait=20", "plimsoll-unit": "unit-who-waits"}, timeout=30)
    clerk.join()
    assert answer.json()["outcome"] == "reviewed"
    assert answer.json()["answer"] == {"decision": "approve"}


def test_who_does_not_want_to_wait_gets_202(server):
    answer = server.decide("score", DOUBTFUL, {"prefer": "respond-async"})
    assert answer.status == 202
    assert answer.headers["plimsoll-outcome"] == "pending"


def test_a_long_poll_is_held_until_the_answer_comes(server):
    decision, review = open_review(server)
    threading.Timer(0.7, answer_review, (server, review)).start()
    began = time.monotonic()
    held = server.get(f"/v1/decisions/{decision}", {"prefer": "wait=15"}, timeout=20)
    assert held.status == 200 and held.json()["outcome"] == "reviewed"
    assert 0.5 < time.monotonic() - began < 10


def test_a_review_is_answered_once_and_only_in_the_shape_of_the_output(server):
    decision, review = open_review(server)
    unfit = answer_review(server, review, "certainly")
    assert unfit.returncode != 0 and "schema" in unfit.stderr
    assert answer_review(server, review).returncode == 0
    again = answer_review(server, review)
    assert again.returncode != 0
    assert "answered" in again.stderr
    assert server.closed(decision)["answer"] == {"decision": "decline"}


def test_silence_is_never_an_approval(server):
    decision, _ = open_review(server, "hasty")
    time.sleep(1.2)
    held = server.closed(decision)
    assert held["outcome"] == "expired"
    assert held["answer"] in ({"decision": "refer"}, None)


def test_an_open_review_survives_a_restart(own_server):
    server = own_server()
    decision, review = open_review(server)
    server.process.kill()
    server.start()
    assert server.decision(decision)["outcome"] == "pending"
    assert answer_review(server, review).returncode == 0
    assert server.closed(decision)["outcome"] == "reviewed"


def test_reviews_have_an_api(server):
    decision, review = open_review(server)
    token = (server.workspace.folder / "data" / "operator.token").read_text().strip()
    bearer = {"authorization": f"Bearer {token}"}
    assert request("GET", f"{server.control}/api/v1/reviews").status in (401, 403)
    listed = request("GET", f"{server.control}/api/v1/reviews", headers=bearer)
    assert listed.status == 200 and review in listed.body.decode()
    shown = request("GET", f"{server.control}/api/v1/reviews/{review}", headers=bearer)
    assert shown.status == 200 and decision in shown.body.decode()
    missing = request("GET", f"{server.control}/api/v1/reviews/01ARZ3NDEKTSV4RRFFQ69G5FAV", headers=bearer)
    assert missing.status == 404
