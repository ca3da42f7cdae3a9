"""What the tests share: one simulator and one server for those that only ask; others start their own."""

import os
from pathlib import Path

import pytest
from harness import BINARY, EXAMPLES, ROOT, Server, Simulator, Workspace

HERE = Path(__file__).resolve().parent


def pytest_configure(config):
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not there: build it with `cargo build`, or set PLIMSOLL_BIN", 2)
    library = ROOT / ".runtime" / "libonnxruntime.so"
    if "ORT_DYLIB_PATH" not in os.environ and library.exists():
        os.environ["ORT_DYLIB_PATH"] = str(library)


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory):
    simulator = Simulator(tmp_path_factory.mktemp("simulator"))
    yield simulator
    simulator.stop()


@pytest.fixture
def simulator(simulator_process):
    """The simulator, with an empty script and ledger before and after."""
    simulator_process.forget()
    yield simulator_process
    simulator_process.forget()


@pytest.fixture(scope="session")
def make_workspace(tmp_path_factory, simulator_process):
    """Copies of the test workspace, each on ports of its own."""

    def make(source: Path = HERE / "workspace") -> Workspace:
        workspace = Workspace(tmp_path_factory.mktemp("workspace"))
        address = workspace.address_lines
        workspace.copy(source, addresses=address, provider=simulator_process.url)
        return workspace

    return make


@pytest.fixture(scope="session")
def server(make_workspace):
    """The server of the tests that only ask."""
    server = Server(make_workspace())
    yield server
    assert server.stop() == 0, server.process.output()


@pytest.fixture
def own_server(make_workspace):
    """Starts servers of this test's own, on workspaces that it may change."""
    started = []

    def start(change=None, env=None) -> Server:
        workspace = make_workspace()
        if change:
            change(workspace)
        started.append(Server(workspace, env))
        return started[-1]

    yield start
    for server in started:
        if server.process.is_alive():
            server.process.kill()


@pytest.fixture(scope="session")
def loan(tmp_path_factory):
    """The loan example, served as it is but for its ports."""
    workspace = Workspace(tmp_path_factory.mktemp("loan"))
    workspace.copy(EXAMPLES / "loan-default")
    workspace.replace("plimsoll.toml", '"127.0.0.1:8080"', f'"127.0.0.1:{workspace.data_port}"')
    workspace.replace("plimsoll.toml", '"127.0.0.1:8081"', f'"127.0.0.1:{workspace.control_port}"')
    server = Server(workspace)
    yield server
    assert server.stop() == 0, server.process.output()
