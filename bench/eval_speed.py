"""How long an eval of many cases with cheap scorers takes, beside the calls alone.

    python3 bench/eval_speed.py --plimsoll target/release/plimsoll --check

Both ask a served system one case at a time, as many at a time as told, against the simulator: `plimsoll send` does nothing
else, `plimsoll eval run` also scores each answer, writes it down and says what all came to. They run in turn, several
rounds, and the median of the ratios is told. With --check the exit code is 1 if it is above what is promised. Needs nothing
but Python.
"""

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

PROMISED = 1.2

SERVER = """
[server]
data_address = "127.0.0.1:{data}"
control_address = "127.0.0.1:{control}"

[providers.simulated]
protocol = "openai"
base_url = "http://127.0.0.1:{simulator}/v1"
"""

SYSTEM = """
purpose = "Answer questions, to be measured"
stakes  = "low"
unit    = "question"
owner   = { team = "bench", contact = "bench@example.com", on_call = "slack:#bench", runbook = "runbook.md" }

[prompt]
template = "prompt.md"

[models.primary]
provider = "simulated"
model    = "gpt-5-mini"

[input]
schema = "input.schema.json"

[deadline]
total = "30s"

[quality]
dataset = "golden.jsonl"
target  = { in_time = ">= 0.9" }
[quality.scorers.in_time]
latency = "20s"
[quality.scorers.at_once]
latency = "1s"
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ready(url):
    for _ in range(500):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    sys.exit(f"{url} did not come up")


def workspace(folder, ports, cases):
    system = folder / "systems" / "bench"
    system.mkdir(parents=True)
    (folder / "plimsoll.toml").write_text(SERVER.format(**ports))
    (system / "system.toml").write_text(SYSTEM)
    (system / "prompt.md").write_text("Answer this in a sentence: {{ question }}\n")
    (system / "runbook.md").write_text("# Runbook\n\nNothing to do: it is measured.\n")
    schema = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}
    (system / "input.schema.json").write_text(json.dumps(schema))
    inputs = [{"question": f"What is {number} and {number + 1}?"} for number in range(cases)]
    lines = [
        json.dumps({"id": f"c{number}", "input": row}) for number, row in enumerate(inputs)
    ]
    (system / "golden.jsonl").write_text("\n".join(lines) + "\n")
    rows = folder / "rows.jsonl"
    rows.write_text("\n".join(map(json.dumps, inputs)) + "\n")
    return rows


def timed(command, allowed=(0,)):
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.monotonic() - begun
    if done.returncode not in allowed:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return seconds


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--plimsoll", default="target/release/plimsoll")
    arguments.add_argument("--cases", type=int, default=10_000)
    arguments.add_argument("--concurrency", type=int, default=16)
    arguments.add_argument("--latency-ms", type=int, default=5)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--check", action="store_true")
    args = arguments.parse_args()
    ports = {name: free_port() for name in ("data", "control", "simulator")}
    with tempfile.TemporaryDirectory(prefix="plimsoll-eval-speed-") as folder:
        folder = Path(folder)
        rows = workspace(folder, ports, args.cases)
        where = ["--workspace", str(folder)]
        log = (folder / "log").open("wb")
        simulate = [args.plimsoll, "simulate", "--address", f"127.0.0.1:{ports['simulator']}"]
        processes = [subprocess.Popen([*simulate, "--latency-ms", str(args.latency_ms)], stdout=log, stderr=log)]
        try:
            ready(f"http://127.0.0.1:{ports['simulator']}/v1/models")
            processes.append(subprocess.Popen([args.plimsoll, "serve", *where], stdout=log, stderr=log))
            ready(f"http://127.0.0.1:{ports['control']}/readyz")
            many = ["--concurrency", str(args.concurrency)]
            send = [args.plimsoll, "send", str(rows), "--system", "bench", "--batch", "1", *many, *where]
            run = [args.plimsoll, "eval", "run", "bench", "--anew", *many, *where]
            ratios = []
            for number in range(args.rounds):
                alone, evaluated = timed(send), timed(run, (0, 7))
                ratios.append(evaluated / alone)
                print(f"round {number + 1}: calls alone {alone:.2f} s, eval {evaluated:.2f} s, {ratios[-1]:.2f} times")
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                process.wait(30)
    ratio = statistics.median(ratios)
    print(f"{args.cases:,} cases, {args.concurrency} at a time, {args.latency_ms} ms each: {ratio:.2f} times the calls alone")
    if args.check and ratio > PROMISED:
        sys.exit(f"more than {PROMISED} times")


if __name__ == "__main__":
    main()
