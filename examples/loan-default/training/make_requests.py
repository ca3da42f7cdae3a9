"""Writes the request files of real rows and the eval set from the held-out splits of the data.

Needs nothing but Python:

    python3 make_requests.py
"""

import csv
import gzip
import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent
GOLDEN_ROWS = 1_000


def as_json(row: dict[str, str]) -> dict:
    """The features of a row with the types of input.schema.json."""
    return {
        "car_value": int(row["car_value"]),
        "salary_range": row["salary_range"],
        "debt_to_income_ratio": float(row["debt_to_income_ratio"]),
        "loan_length": int(row["loan_length"]),
        "repaid_loan_on_prev_car": row["repaid_loan_on_prev_car"] == "True",
        "size_of_downpayment": row["size_of_downpayment"],
        "driver_tenure": float(row["driver_tenure"]),
    }


def write_lines(path: Path, items: list) -> None:
    """JSON Lines."""
    text = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    path.write_text(text, encoding="utf-8")


def write_csv(path: Path, rows: list[dict]) -> None:
    """The same rows as comma-separated values, booleans as `true` and `false`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows[0])
        for row in rows:
            writer.writerow(json.dumps(v) if isinstance(v, bool) else v for v in row.values())


def main() -> None:
    with gzip.open(HERE / "data" / "car_loan.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    real = [as_json(row) for row in rows if row["split"] == "requests"]
    write_lines(EXAMPLE / "requests" / "real.jsonl", real)
    write_csv(EXAMPLE / "requests" / "real.csv", real)

    test = [(line, row) for line, row in enumerate(rows, start=2) if row["split"] == "test"]
    step = len(test) // GOLDEN_ROWS
    golden = [
        {
            "id": f"loan-{number:03}",
            "input": as_json(row),
            "expect": {"repaid": int(row["repaid"])},
            "source": {"file": "training/data/car_loan.csv.gz", "line": line},
        }
        for number, (line, row) in enumerate(test[::step][:GOLDEN_ROWS], start=1)
    ]
    write_lines(EXAMPLE / "systems" / "loan-default" / "evals" / "golden.jsonl", golden)
    print(f"{len(real):,} requests, {len(golden):,} labelled rows in the eval set")


if __name__ == "__main__":
    main()
