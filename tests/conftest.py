"""What every test shares: an engine compiled once, before the first test that needs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import hypothesis
import pytest
from sharing import Plainest, plainest_engine

pytest.register_assert_rewrite("books", "browsers")

# How long anything takes depends on what else the machine does; benchmarks measure it.
hypothesis.settings.register_profile("timeless", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("timeless")

# Shells start what runs in the background deaf to Ctrl-C, and programs inherit that. Programs under test must not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


#: Compiles the engine while the workers gather the tests.
ahead: list[subprocess.Popen[bytes]] = []


def pytest_configure(config: pytest.Config) -> None:
    """Begin to compile the engine, where workers will run the tests."""
    if hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None):
        return
    command = [sys.executable, "-c", "from cej_sim.warmup import prepare; prepare()"]
    path = os.pathsep.join([str(config.rootpath), *filter(None, [os.environ.get("PYTHONPATH")])])
    ahead.append(subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what takes the longest begin first, so that at the end no worker waits for another."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_unconfigure() -> None:
    """Wait for what ``pytest_configure`` began."""
    for process in ahead:
        process.wait()


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """Compile the engine (in two processes, where there are two processors) unless it is in the cache."""
    from cej_sim.warmup import prepare

    prepare()


@pytest.fixture
def empty_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of results are drawn empty: for tests of what is around them."""
    from pictures import leave_empty

    leave_empty(monkeypatch)


@pytest.fixture(scope="session")
def plainest(tmp_path_factory: pytest.TempPathFactory) -> Plainest:
    """Unlike the engine of the other tests it is compiled at optimization level 3, by one process after the other."""
    return plainest_engine(tmp_path_factory)
