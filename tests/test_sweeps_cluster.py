"""Sweeps on a Dask cluster: a real scheduler and worker processes on this computer, some of which are killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cells as computing
import pytest
from test_sweeps_engine import ROOT, each_cell_once, filled, grid, here  # noqa: F401 (the fixture)

from cej_sim import cli
from cej_sim.sweeps import cluster, runner, store, worker
from cej_sim.sweeps.design import Plan
from cej_sim.sweeps.store import SweepFailure


class Cluster:
    """A scheduler and two workers, each with a nanny that starts it again when it dies."""

    def __init__(self, folder: Path) -> None:
        path = os.pathsep.join([str(ROOT), str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._settings = {**os.environ, "PYTHONPATH": path, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
        self._folder = folder
        self.processes: list[subprocess.Popen[str]] = []
        scheduler = self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.address = self.read(scheduler, r"Scheduler at:\s*(tcp://\S+)")
        workers = [
            self.start("worker", self.address, "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1")
            for _ in range(2)
        ]
        for one in workers:
            self.read(one, "(Registered to)")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=self._settings,
            cwd=self._folder,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def read(self, process: subprocess.Popen[str], pattern: str) -> str:
        """Wait until a process has said something; what it says later is of no interest."""
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(pattern, line):
                threading.Thread(target=process.stderr.read, daemon=True).start()
                return found[1]
        raise AssertionError(f"it ended before it said {pattern}")

    def stop(self) -> None:
        for process in reversed(self.processes):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Cluster]:
    pytest.importorskip("distributed")
    made = Cluster(tmp_path)
    yield made
    made.stop()


@pytest.mark.slow
def test_a_cluster_gives_the_same_content_though_workers_are_killed(dask: Cluster) -> None:
    design = replace(grid(14), time_limit=60.0)
    seen: list[runner.Count] = []
    sweep = runner.sweep(design, "out", scheduler=dask.address, compute=computing.deadly, progress=seen.append)
    errors = sweep.cells.set_index("cell")["error"].dropna().to_dict()
    assert errors == {
        computing.RAISES: "ValueError: the votes add up to nothing",
        computing.KILLS: "killed its workers (KilledWorker)",
    }
    assert seen[-1] == runner.Count(12, 2, 14)
    each_cell_once(sweep)
    Path(os.environ[computing.MENDED]).touch()
    again = runner.retry("out", scheduler=dask.address, compute=computing.deadly)
    each_cell_once(again)
    assert again.content_hash == filled("unbroken", design)


@pytest.mark.slow
def test_the_model_on_a_cluster(dask: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    local = runner.sweep("design.yaml", "local", workers=1)
    # One worker process is killed, together with its nanny: its cells go to the other.
    os.killpg(dask.processes[1].pid, signal.SIGKILL)
    assert cli.status(["sweep", "design.yaml", "--out", "there", "--scheduler", dask.address]) == 0
    assert local.content_hash in capsys.readouterr().out


@pytest.mark.slow
def test_a_scheduler_that_goes_away(dask: Cluster, capfd: pytest.CaptureFixture[str]) -> None:
    fifo = os.environ[computing.MENDED]
    os.mkfifo(fifo)

    def kill() -> None:
        with os.fdopen(os.open(fifo, os.O_RDWR)) as pipe:
            pipe.readline()
        dask.processes[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(SweepFailure, match=r"^--scheduler: .*went away"):
        runner.sweep(grid(5), "out", scheduler=dask.address, compute=computing.announced)
    killer.join()
    assert "Traceback" not in capfd.readouterr().err
    assert runner.sweep(grid(5), "out", workers=1, compute=computing.cheap).ledger.counts() == (5, 0)


def test_a_worker_answers_with_tables_or_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    design = grid(5)
    filled("out", design, [0])
    packed = cluster._packed(Path("out"), design)
    order = cluster.Order(packed, store.engine(), [1, 2], 1.0, computing.cheap)
    found = cluster.answer(order)
    there = worker.compute(Plan(design), [1, 2], cell=computing.cheap)
    assert found.batch is not None
    assert [(one.cell, one.hash) for one in found.batch.done] == [(one.cell, one.hash) for one in there.done]
    assert cluster.answer(order._replace(engine="another")).refusal.startswith("has another version of cej_sim")


def test_a_scheduler_that_is_not_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "PATIENCE", 0.2)
    assert cli.status(["sweep", "design.yaml", "--out", "out", "--scheduler", "tcp://127.0.0.1:9"]) == 1
    (line,) = capsys.readouterr().err.splitlines()[1:]
    assert line.startswith(
        "--scheduler: no Dask scheduler answers at tcp://127.0.0.1:9; start one with `dask scheduler`"
    )
    with pytest.raises(SweepFailure, match="no Dask scheduler answers at nonsense"):
        cluster.connect("nonsense")


def test_without_the_library(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.status(["sweep", "design.yaml", "--out", "out", "--scheduler", "tcp://127.0.0.1:9"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith("write: pip install 'cej-sim[cluster]'")
