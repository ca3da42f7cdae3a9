"""The Open Inference Protocol with a stock client, `tritonclient[http]`."""

import numpy as np
import pytest
import tritonclient.http as triton
from harness import EXAMPLES
from tritonclient.utils import InferenceServerException

DTYPES = {"FP64": np.float64, "FP32": np.float32, "INT64": np.int64, "BOOL": np.bool_, "BYTES": np.object_}
GOOD = {
    "car_value": 28500,
    "salary_range": "40K - 60K €",
    "debt_to_income_ratio": 0.65,
    "loan_length": 18,
    "repaid_loan_on_prev_car": True,
    "size_of_downpayment": "20%",
    "driver_tenure": 1.2,
}


@pytest.fixture
def client(loan):
    client = triton.InferenceServerClient(loan.data.removeprefix("http://"))
    yield client
    client.close()


def inputs(client, rows, binary):
    """The rows as one tensor for each column, with the types that the server names."""
    tensors = []
    for column in client.get_model_metadata("loan-default")["inputs"]:
        values = [row[column["name"]] for row in rows]
        if column["datatype"] == "BYTES":
            values = [value.encode() for value in values]
        array = np.array(values, dtype=DTYPES[column["datatype"]]).reshape(len(rows), 1)
        tensor = triton.InferInput(column["name"], list(array.shape), column["datatype"])
        tensor.set_data_from_numpy(array, binary_data=binary)
        tensors.append(tensor)
    return tensors


def texts(result, name):
    return [value.decode() if isinstance(value, bytes) else value for value in result.as_numpy(name).ravel()]


def test_the_server_and_the_model_say_who_they_are(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("loan-default")
    assert client.get_server_metadata()["name"]
    metadata = client.get_model_metadata("loan-default")
    assert {column["name"] for column in metadata["inputs"]} == set(GOOD)
    assert {"plimsoll_outcome", "plimsoll_decision"} <= {o["name"] for o in metadata["outputs"]}


@pytest.mark.parametrize("binary", [True, False])
def test_rows_are_decided_by_binary_and_json_tensors(client, loan, binary):
    rows = [GOOD, {**GOOD, "salary_range": "0 - 20K €", "loan_length": 6, "repaid_loan_on_prev_car": False, "driver_tenure": 6.0}]
    result = client.infer("loan-default", inputs(client, rows, binary))
    assert texts(result, "plimsoll_outcome") == ["served", "served"]
    assert texts(result, "decision") == ["approve", "decline"]
    p = result.as_numpy("p_repaid").ravel()
    assert p[0] > 0.75 and p[1] < 0.25
    by_json = loan.decide("loan-default", GOOD).json()["answer"]["p_repaid"]
    assert p[0] == pytest.approx(by_json, abs=1e-6)
    for decision in texts(result, "plimsoll_decision"):
        assert loan.closed(decision)["system"] == "loan-default"


def test_asked_for_outputs_come_as_asked(client):
    wanted = [triton.InferRequestedOutput("p_repaid", binary_data=False)]
    result = client.infer("loan-default", inputs(client, [GOOD], True), outputs=wanted, request_id="r-7")
    assert result.get_response()["id"] == "r-7"
    assert result.as_numpy("p_repaid").size == 1


def test_each_row_has_an_outcome_of_its_own(client):
    rows = [GOOD, {**GOOD, "car_value": -5}, {**GOOD, "salary_range": "80K - 100K €"}]
    result = client.infer("loan-default", inputs(client, rows, True))
    assert texts(result, "plimsoll_outcome") == ["served", "refused", "pending"]


def test_a_batch_of_real_rows(client):
    import json

    lines = (EXAMPLES / "loan-default" / "requests" / "real.jsonl").read_text().splitlines()[:200]
    result = client.infer("loan-default", inputs(client, [json.loads(line) for line in lines], True))
    outcomes = texts(result, "plimsoll_outcome")
    assert len(outcomes) == 200
    assert outcomes.count("served") > 150


def test_tensors_that_do_not_fit_are_refused(client):
    good = inputs(client, [GOOD], True)
    with pytest.raises(InferenceServerException, match="tensor_unfit|contract_missing"):
        client.infer("loan-default", good[1:])
    stranger = triton.InferInput("gender", [1, 1], "BYTES")
    stranger.set_data_from_numpy(np.array([[b"f"]], dtype=np.object_))
    with pytest.raises(InferenceServerException, match="tensor_unfit|contract_unknown_field"):
        client.infer("loan-default", [*good, stranger])
    with pytest.raises(InferenceServerException):
        client.infer("no-such-system", good)
