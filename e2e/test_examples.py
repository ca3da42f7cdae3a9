"""The examples do what their READMEs say."""

import json
import re

import pytest
from harness import EXAMPLES, Server, Workspace, cli

LOAN = EXAMPLES / "loan-default"
SYSTEMS = {"loan-default": ["loan-default"], "support-answer": ["support-answer", "support-chat"]}


def messy_rows():
    """Each line of messy.jsonl with what the README's table says of it."""
    rows = re.findall(r"^\| (\d+) \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", (LOAN / "README.md").read_text(encoding="utf-8"), re.M)
    lines = (LOAN / "requests" / "messy.jsonl").read_bytes().split(b"\n")[:-1]
    assert [int(row[0]) for row in rows] == list(range(1, len(lines) + 1))
    for line, (number, what, outcome, code, names) in zip(lines, rows, strict=True):
        yield pytest.param(line, outcome, code.strip("`"), names.strip("`"), id=f"{number}-{what.replace(' ', '-')}")


@pytest.mark.parametrize(("line", "outcome", "code", "names"), list(messy_rows()))
def test_each_messy_row_gives_what_the_readme_says(loan, line, outcome, code, names):
    answer = loan.post("/v1/systems/loan-default/decisions", b'{"input": ' + line + b"}")
    body = answer.json()
    told = {"in review": "pending"}.get(outcome, outcome)
    assert answer.headers["plimsoll-outcome"] == told, body
    if outcome == "refused":
        assert re.fullmatch(code.replace("*", ".*"), body["error"]["code"]), body
        if names:
            assert names in json.dumps(body["error"]), body
    elif outcome == "in review":
        assert body["answer"] is None and body["meanwhile"] == {"decision": "refer"}
        explained = loan.decision(body["decision"])
        assert explained["code"] in (code, None)
    else:
        assert body["answer"]["decision"] in ("approve", "decline")


def test_the_real_rows_are_decided_and_about_one_in_ten_goes_to_a_person(loan):
    told = loan.workspace.cli("send", str(LOAN / "requests" / "real.jsonl"), "--system", "loan-default", "--json", timeout=120)
    assert told.returncode == 0, told.stderr
    summary = json.loads(told.stdout)
    outcomes = summary.get("outcomes", summary)
    assert outcomes["served"] + outcomes["pending"] == 2000
    assert 150 < outcomes["pending"] < 300
    told = loan.workspace.cli("send", str(LOAN / "requests" / "real.csv"), "--system", "loan-default", "--json", timeout=120)
    again = json.loads(told.stdout)
    assert again.get("outcomes", again) == outcomes, "CSV and JSON are the same rows"


def test_the_loans_answers_are_the_models_own(loan):
    """The probabilities that scikit-learn gave for these rows when the model was trained."""
    expected = json.loads((LOAN / "training" / "expected.json").read_text())
    rows = [json.loads(line) for line in (LOAN / "requests" / "real.jsonl").read_text().splitlines()[: len(expected)]]
    for told, p in zip(loan.decide_many("loan-default", rows).json()["decisions"], expected, strict=True):
        if told["outcome"] == "served":
            assert told["answer"]["p_repaid"] == pytest.approx(p, abs=1e-5)
            assert told["confidence"] == pytest.approx(max(p, 1 - p), abs=1e-5)


@pytest.mark.parametrize("example", SYSTEMS)
def test_an_example_is_in_order_and_its_cases_pass(tmp_path, example):
    workspace = Workspace(tmp_path / example)
    workspace.copy(EXAMPLES / example)
    checked = workspace.cli("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for system in SYSTEMS[example]:
        told = workspace.cli("test", system)
        assert told.returncode == 0, told.stdout + told.stderr


def test_the_support_example_answers_at_the_simulator(tmp_path, simulator):
    workspace = Workspace(tmp_path / "support")
    workspace.copy(EXAMPLES / "support-answer")
    text = workspace.read("plimsoll.toml").replace("http://127.0.0.1:9100", simulator.url)
    text = text.replace('"127.0.0.1:8080"', f'"127.0.0.1:{workspace.data_port}"')
    workspace.write("plimsoll.toml", text.replace('"127.0.0.1:8081"', f'"127.0.0.1:{workspace.control_port}"'))
    server = Server(workspace)
    try:
        assert server.chat("support-chat").json()["choices"][0]["message"]["content"]
        assert server.chat("gpt-5-mini").headers["plimsoll-outcome"] == "served"
        for line in (EXAMPLES / "support-answer" / "requests" / "real.jsonl").read_text().splitlines():
            body = server.decide("support-answer", json.loads(line)).json()
            assert body["outcome"] in ("served", "pending"), body
            if body["outcome"] == "served":
                assert set(body["answer"]) == {"answer", "sources", "hand_over"}
        simulator.script({"match": {"model": "gpt-5-mini"}, "do": "reset"})
        assert server.chat("support-chat").headers["plimsoll-outcome"] == "fell_back"
    finally:
        server.process.kill()


def test_simulate_says_that_it_is_one(simulator):
    from harness import request

    answer = request("GET", f"{simulator.url}/v1/models")
    assert answer.headers["x-plimsoll-simulator"] == "1"
    assert cli("simulate", "--address", "nowhere").returncode != 0
