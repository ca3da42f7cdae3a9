"""Trains the loan model, exports it to ONNX and says how good it is.

The data is the synthetic car-loan set that NannyML publishes (see ../NOTICE). Given the pins of
`requirements.txt`, every run gives equal predictions, and on one machine equal bytes.

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python train.py            # writes model.onnx and expected.json
    .venv/bin/python train.py --check    # trains again and compares with the file that is there
    .venv/bin/python train.py --check --held-out held-out.csv    # and how sure it was of rows it did not see
"""

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

# The exporter walks over sets: only a fixed hash seed, set before Python starts, gives a fixed
# order of nodes. One thread gives a fixed order of additions.
if os.environ.get("PYTHONHASHSEED") != "0":
    os.environ.update(PYTHONHASHSEED="0", OMP_NUM_THREADS="1", ORT_DISABLE_TELEMETRY="1")
    os.execv(sys.executable, [sys.executable, *sys.argv])

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

HERE = Path(__file__).resolve().parent
DATA = HERE / "data" / "car_loan.csv.gz"
MODEL = HERE.parent / "systems" / "loan-default" / "model.onnx"

# In the order of input.schema.json.
FEATURES = {
    "car_value": "number",
    "salary_range": "text",
    "debt_to_income_ratio": "number",
    "loan_length": "number",
    "repaid_loan_on_prev_car": "flag",
    "size_of_downpayment": "text",
    "driver_tenure": "number",
}
NUMBERS = [name for name, kind in FEATURES.items() if kind != "text"]
TEXTS = [name for name, kind in FEATURES.items() if kind == "text"]
LABEL = "repaid"
# What scikit-learn itself says of the first rows of requests/real.jsonl: what a server must say too.
EXPECTED = HERE / "expected.json"
EXPECTED_ROWS = 100
SIZE_MAX = 1_000_000
# Of the rows to test, those before cars became dearer: what the model's confidence is worth when all is well.
HELD_OUT_ROWS = 2_400


def read(split: str) -> tuple[pd.DataFrame, np.ndarray]:
    """The features and labels of one split, numbers as the 32-bit floats that the model will see."""
    frame = pd.read_csv(DATA)
    frame = frame[frame["split"] == split].reset_index(drop=True)
    features = frame[list(FEATURES)].copy()
    features[NUMBERS] = features[NUMBERS].astype(np.float32)
    return features, frame[LABEL].to_numpy()


def fit(features: pd.DataFrame, labels: np.ndarray) -> Pipeline:
    """Boosted trees behind one-hot texts; a missing number becomes the median."""
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median"), NUMBERS),
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), TEXTS),
        ]
    )
    trees = HistGradientBoostingClassifier(
        max_iter=100,
        max_leaf_nodes=15,
        learning_rate=0.1,
        min_samples_leaf=40,
        early_stopping=False,
        random_state=7,
    )
    return Pipeline([("columns", columns), ("trees", trees)]).fit(features, labels)


def export(model: Pipeline) -> bytes:
    """The model as ONNX: one input for each column, plain tensors out."""
    inputs = [
        (name, StringTensorType([None, 1]) if kind == "text" else FloatTensorType([None, 1]))
        for name, kind in FEATURES.items()
    ]
    graph = convert_sklearn(
        model,
        name="m",  # else it is random
        initial_types=inputs,
        target_opset={"": 17, "ai.onnx.ml": 3},
        options={id(model): {"zipmap": False}},
    )
    for name, kind in FEATURES.items():
        if kind == "flag":
            take_bool(graph, name)
    graph.doc_string = ""
    onnx.checker.check_model(graph)
    return graph.SerializeToString(deterministic=True)


def take_bool(graph: onnx.ModelProto, name: str) -> None:
    """Makes the input `name` a boolean, so that callers send `true` and not `1.0`."""
    number = f"{name}_as_number"
    for node in graph.graph.node:
        node.input[:] = [number if each == name else each for each in node.input]
    graph.graph.node.insert(
        0, helper.make_node("Cast", [name], [number], name=f"cast_{name}", to=TensorProto.FLOAT)
    )
    for value in graph.graph.input:
        if value.name == name:
            value.type.tensor_type.elem_type = TensorProto.BOOL


def predict(model: bytes, features: pd.DataFrame) -> np.ndarray:
    """The probability of repayment for each row, from the exported model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    kinds = {"number": np.float32, "flag": np.bool_, "text": np.str_}
    feed = {
        name: features[name].to_numpy().astype(kinds[kind]).reshape(-1, 1)
        for name, kind in FEATURES.items()
    }
    return session.run(["probabilities"], feed)[0][:, 1]


def write_held_out(model: bytes, path: Path) -> None:
    """How sure the model was of rows that it did not learn from, and whether it was right, as
    `plimsoll monitor reference --held-out` reads it."""
    features, labels = read("test")
    said = predict(model, features[:HELD_OUT_ROWS])
    right = (said >= 0.5) == labels[:HELD_OUT_ROWS]
    rows = pd.DataFrame({"confidence": np.maximum(said, 1 - said), "right": right})
    rows.to_csv(path, index=False)


def report(model: Pipeline, exported: bytes) -> None:
    """Prints what is worth knowing of the model, all on rows that it was not trained on."""
    features, labels = read("test")
    said = predict(exported, features)
    own = model.predict_proba(features)[:, 1]
    confidence = np.maximum(said, 1 - said)
    print(f"rows             {len(read('train')[1]):,} to train, {len(labels):,} to test")
    print(f"AUC              {roc_auc_score(labels, said):.4f}")
    print(f"accuracy         {np.mean((said >= 0.5) == labels):.4f}")
    print(f"Brier score      {brier_score_loss(labels, said):.4f}")
    print(f"unsure (< 0.75)  {np.mean(confidence < 0.75):.1%} of rows")
    print(f"ONNX against scikit-learn: largest difference {np.abs(said - own).max():.1e}")
    print(f"predictions      sha256 {hashlib.sha256(said.round(5).tobytes()).hexdigest()[:16]}")
    print(f"model.onnx       {len(exported):,} bytes, sha256 {hashlib.sha256(exported).hexdigest()[:16]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with model.onnx, write nothing")
    parser.add_argument("--held-out", type=Path, metavar="FILE", help="write confidences for the monitors")
    arguments = parser.parse_args()
    checking = arguments.check
    model = fit(*read("train"))
    exported = export(model)
    if len(exported) > SIZE_MAX:
        print(f"the model has {len(exported):,} bytes, more than {SIZE_MAX:,}: use fewer trees")
        return 1
    report(model, exported)
    if arguments.held_out:
        write_held_out(exported, arguments.held_out)
    if not checking:
        MODEL.write_bytes(exported)
        features, _ = read("requests")
        own = model.predict_proba(features[:EXPECTED_ROWS])[:, 1]
        EXPECTED.write_text(json.dumps([round(float(p), 7) for p in own]) + "\n")
        return 0
    held = MODEL.read_bytes()
    features, _ = read("test")
    largest = np.abs(predict(held, features) - predict(exported, features)).max()
    print(f"against model.onnx: {'same bytes' if held == exported else 'other bytes'}, "
          f"largest difference of a prediction {largest:.1e}")
    return 0 if largest <= 1e-6 else 1


if __name__ == "__main__":
    sys.exit(main())
