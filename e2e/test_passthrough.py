"""What passes unchanged: every byte but the named values."""

import json

import pytest
from harness import Upstream

ANSWER = (
    b'{"id":"x","object":"chat.completion","created":1,"model":"sim-main","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"caf\\u00e9 \xe2\x98\x95"},"finish_reason":"stop"}],\n'
    b'  "usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5},"x_new_field":[1.0,1e2]}'
)


@pytest.fixture
def upstream():
    upstream = Upstream()
    upstream.answer = ANSWER
    yield upstream
    upstream.stop()


@pytest.fixture
def server(own_server, upstream, simulator_process):
    def to_upstream(workspace):
        workspace.write(
            "plimsoll.toml", workspace.read("plimsoll.toml").replace(simulator_process.url, upstream.url)
        )

    return own_server(to_upstream)


def test_the_request_passes_but_for_the_models_name(server, upstream):
    body = (
        '{ "messages":[{"role":"user","content":"caf\\u00e9 ☕ 10\\u002f2"}],  "temperature": 0.70,\t'
        '"x_vendor":{"deep":[1e2,1.0,{"é":null}]},"model":"chat","seed":12345678901234567890}'
    ).encode()
    answer = server.post("/v1/chat/completions", body)
    assert answer.status == 200
    assert upstream.seen == [body.replace(b'"model":"chat"', b'"model":"sim-main"')]
    assert answer.body == ANSWER


def test_a_larger_token_limit_is_clamped_and_noted(server, upstream):
    body = b'{"model":"bare","max_completion_tokens":9000,"messages":[{"role":"user","content":"hi"}]}'
    answer = server.post("/v1/chat/completions", body)
    sent = json.loads(upstream.seen[0])
    assert answer.status == 200
    assert sent["max_completion_tokens"] == 50
    assert set(sent) <= {"model", "max_completion_tokens", "messages"}


def test_what_the_operator_fixed_overrides_the_caller(server, upstream):
    upstream.answer = ANSWER.replace(
        b'caf\\u00e9 \xe2\x98\x95', rb'{\"queue\":\"billing\",\"urgent\":false}'
    )
    body = {
        "model": "typed",
        "messages": [],
        "temperature": 1.9,
        "plimsoll": {"variables": {"customer": "Ada", "text": "My parcel has not come."}},
    }
    answer = server.post("/v1/chat/completions", body)
    assert answer.status == 200, answer.body
    sent = json.loads(upstream.seen[0])
    assert sent["temperature"] == 0
    assert "plimsoll" not in sent
    assert "My parcel has not come." in sent["messages"][-1]["content"]


def test_the_callers_key_does_not_reach_the_provider(own_server, simulator_process):
    seen = Upstream()
    seen.answer = ANSWER
    heads = []
    read = seen._head

    def keep(reader):
        head = read(reader)
        heads.append(head)
        return head

    seen._head = keep

    def to_upstream(workspace):
        workspace.write(
            "plimsoll.toml", workspace.read("plimsoll.toml").replace(simulator_process.url, seen.url)
        )

    server = own_server(to_upstream)
    answer = server.chat("chat", headers={"authorization": "Bearer callers-own", "cookie": "a=b", "x-private": "1"})
    assert answer.status == 200
    assert not {"cookie", "x-private"} & set(heads[0])
    assert "callers-own" not in str(heads[0])
    seen.stop()
