"""The decisions API: one row, a batch, and everything that is wrong with them."""

import json
import socket
import time

import pytest

ROW = {"amount": 10, "purpose": "car", "age": 30}


def test_one_row_is_one_decision(server):
    answer = server.decide("score", ROW)
    body = answer.json()
    assert answer.status == 200
    assert body["outcome"] == "served"
    assert body["answer"] == {"decision": "approve"}
    assert body["decision"] == answer.headers["plimsoll-decision"]
    assert answer.headers["plimsoll-outcome"] == "served"
    assert body["release"] == answer.headers["plimsoll-release"]
    held = server.closed(body["decision"])
    assert held["outcome"] == "served" and held["system"] == "score"
    assert held["answer"] == {"decision": "approve"}, "high stakes keep payloads"


def test_each_row_of_a_batch_is_a_decision(server):
    rows = [ROW, {**ROW, "amount": -1}, {**ROW, "amount": 20000}, {"purpose": "car"}, {**ROW, "amount": 5000}]
    body = server.decide_many("score", rows).json()
    told = body["decisions"]
    assert [row["outcome"] for row in told] == ["served", "refused", "served", "refused", "pending"]
    assert told[1]["error"]["code"] == "contract_range"
    assert told[1]["error"]["details"][0]["field"] == "amount"
    assert told[3]["error"]["code"] == "contract_missing"
    assert told[2]["answer"] == {"decision": "decline"}
    assert len({row["decision"] for row in told}) == 5


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        ({"purpose": "car", "age": 30}, "contract_missing", "amount"),
        ({**ROW, "amount": None}, "contract_missing", "amount"),
        ({**ROW, "amount": "10"}, "contract_type", "amount"),
        ({**ROW, "amount": True}, "contract_type", "amount"),
        ({**ROW, "age": 30.5}, "contract_type", "age"),
        ({**ROW, "age": 12}, "contract_range", "age"),
        ({**ROW, "colour": "red"}, "contract_unknown_field", "colour"),
    ],
)
def test_a_refusal_names_field_and_rule_and_no_value(server, row, code, field):
    body = server.decide("score", row).json()
    assert body["outcome"] == "refused" and body["kind"] == "malformed"
    assert body["error"]["code"] == code
    assert body["error"]["details"][0]["field"] == field
    assert body["error"]["details"][0]["rule"]


def test_all_that_is_wrong_is_named_at_once(server):
    details = server.decide("score", {"amount": "x", "age": 3, "colour": "red"}).json()["error"]["details"]
    assert {detail["field"] for detail in details} == {"amount", "age", "purpose", "colour"}


def test_a_missing_value_is_imputed_and_an_unknown_category_waits_for_a_person(server):
    assert server.decide("score", {"amount": 10, "purpose": "car"}).json()["outcome"] == "served"
    body = server.decide("score", {**ROW, "purpose": "boat"}).json()
    assert body["outcome"] == "pending" and body["kind"] == "unsure"
    assert body["meanwhile"] == {"decision": "refer"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"input": {"amount": NaN, "purpose": "car", "age": 3}}', 400, "json_number"),
        (b'{"input": {"amount": 1e999, "purpose": "car", "age": 3}}', 400, "json_number"),
        (b'{"input": {"amount": 1, "amount": 2, "purpose": "car", "age": 3}}', 400, "json_duplicate_key"),
        (b'{"input": {"amount": 1, "am\\u006funt": 2}}', 400, "json_duplicate_key"),
        (b'{"input": {"purpose": "\\ud83d"}}', 400, "json_surrogate"),
        (b'{"input": ' + b"[" * 100 + b"]" * 100 + b"}", 400, "json_depth"),
        (b'{"input": {"purpose": "\xff"}}', 400, "not_utf8"),
        (b"", 400, "json_syntax"),
        (b'{"input": {"amount": 1', 400, "json_syntax"),
        (b'\xef\xbb\xbf{"input": {}}', 400, "json_syntax"),
        (b'{"rows": []}', 400, "json_syntax"),
        (b'{"input": "' + b"x" * 300_000 + b'"}', 413, "body_too_large"),
        (b'{"inputs": [' + b",".join([b"{}"] * 101) + b"]}", 413, "rows_too_many"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_body_that_cannot_be_read_is_a_typed_refusal(server, body, status, code):
    answer = server.post("/v1/systems/score/decisions", body)
    assert (answer.status, answer.error_code) == (status, code)
    assert server.decide("score", ROW).status == 200


def test_who_asks_for_nothing_that_exists_is_told(server):
    assert server.decide("no-such-system", ROW).error_code == "system_not_found"
    assert server.get("/v1/systems/score/decisions").error_code == "method_not_allowed"
    assert server.get("/v1/nothing").error_code == "route_not_found"
    assert server.get("/v1/decisions/01ARZ3NDEKTSV4RRFFQ69G5FAV").error_code == "decision_not_found"
    assert server.get("/v1/decisions/what").error_code == "decision_not_found"


def test_headers_that_do_not_fit_are_named(server):
    answer = server.decide("score", ROW, {"plimsoll-deadline": "soon"})
    assert (answer.status, answer.error_code) == (400, "parameter_unfit")
    assert "plimsoll-deadline" in answer.json()["error"]["message"]


def test_a_deadline_of_the_callers_own_holds(server, simulator):
    simulator.script({"match": {"model": "sim-main"}, "delay": "3s"}, {"match": {"model": "sim-second"}, "delay": "3s"})
    began = time.monotonic()
    answer = server.chat("bare", headers={"plimsoll-deadline": "200"})
    assert time.monotonic() - began < 1.5
    assert answer.status == 504


def test_a_predictor_behind_http_answers_and_falls_back(server, simulator):
    body = server.decide("remote", ROW).json()
    assert body["outcome"] == "served", body
    assert body["answer"]["decision"] in ("approve", "decline") and 0 <= body["answer"]["p"] <= 1
    for fault in ["reset", "silence", "broken_json", "wrong_schema", {"status": {"code": 500}}]:
        simulator.script({"match": {"path": "/predict"}, "do": fault})
        body = server.decide("remote", ROW).json()
        assert (body["outcome"], body["answer"]) == ("fell_back", {"decision": "decline", "p": 0.0}), fault


def test_an_earlier_answer_stands_in_while_the_model_is_away(server, simulator):
    row = {**ROW, "amount": 777}
    good = server.decide("recall", row).json()
    simulator.script({"match": {"path": "/predict"}, "do": "reset"})
    again = server.decide("recall", row).json()
    assert (again["outcome"], again["answer"]) == ("fell_back", good["answer"])
    other = server.decide("recall", {**ROW, "amount": 778}).json()
    assert (other["outcome"], other["error"]["code"]) == ("refused", "last_good_missing")


def test_an_idempotent_row_is_decided_once(server):
    first, second = (server.decide("score", ROW, {"idempotency-key": "application-7"}) for _ in range(2))
    assert first.json() == second.json()


def raw_exchange(server, *pieces: bytes, pause: float = 0, half_close: bool = False) -> bytes:
    """Sends the pieces on a connection of their own and returns all that comes back."""
    with socket.create_connection(("127.0.0.1", server.workspace.data_port), timeout=10) as connection:
        for piece in pieces:
            try:
                connection.sendall(piece)
            except OSError:
                break
            time.sleep(pause)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while chunk := connection.recv(65536):
                received += chunk
                if b"content-length: 0" in received.lower():
                    break
        except OSError:
            pass
        return received


HEAD = b"POST /v1/systems/score/decisions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n"


def test_a_slow_body_is_ended_after_its_timeout(server):
    began = time.monotonic()
    received = raw_exchange(server, HEAD + b"content-length: 500\r\n\r\n", b'{"input"', pause=0.1)
    assert time.monotonic() - began < 5
    assert b" 408 " in received.split(b"\r\n")[0] and b"body_timeout" in received


def test_slow_headers_are_ended_after_their_timeout(server):
    began = time.monotonic()
    raw_exchange(server, b"POST /v1/systems/score/decisions HTTP/1.1\r\nhost:", pause=0.1)
    assert time.monotonic() - began < 5


def test_a_caller_who_stops_sending_halfway_is_told(server):
    received = raw_exchange(server, HEAD + b"content-length: 500\r\n\r\n" + b'{"input"', half_close=True)
    assert received == b"" or b"body_incomplete" in received


def test_a_caller_who_half_closes_is_answered_or_taken_to_have_gone(server):
    body = json.dumps({"input": ROW}).encode()
    received = raw_exchange(server, HEAD + b"content-length: %d\r\n\r\n" % len(body) + body, half_close=True)
    assert received == b"" or b"approve" in received
    assert server.decide("score", ROW).status == 200


@pytest.mark.parametrize("bytes_sent", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\x00" * 100, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 50])
def test_what_is_not_http_harms_nobody(server, bytes_sent):
    raw_exchange(server, bytes_sent, half_close=True)
    assert server.decide("score", ROW).status == 200


def test_requests_that_hide_behind_others_are_refused(server):
    smuggled = HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/models HTTP/1.1\r\n\r\n"
    received = raw_exchange(server, smuggled, half_close=True)
    assert received.count(b"HTTP/1.1 ") <= 1
