"""Sweeps on a Dask cluster: a real scheduler and worker processes on this computer, some of which are killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
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

    def computing(self) -> set[int]:
        """The processes that compute cells beside the workers."""
        sessions = {process.pid for process in self.processes}
        found = set()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
                if session in sessions and b"cej_sim.sweeps import worker" in (entry / "cmdline").read_bytes():
                    found.add(int(entry.name))
            except OSError:  # it has ended meanwhile
                continue
        return found


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Cluster]:
    pytest.importorskip("distributed")
    made = Cluster(tmp_path)
    yield made
    made.stop()


FAILING = {
    computing.RAISES: "ValueError: the votes add up to nothing",
    computing.KILLS: "killed its worker (signal 9)",
    computing.ENDS: "ended its worker (exit status 3)",
    computing.HANGS: "took longer than the time limit of 1 seconds",
}


def errors(sweep: store.Sweep) -> dict[int, str]:
    return sweep.cells.set_index("cell")["error"].dropna().to_dict()


@pytest.mark.slow
def test_cells_on_a_cluster_fail_as_they_do_here(dask: Cluster) -> None:
    """They raise, kill, end and hang; the workers of Dask stay, and the processes beside them are gone at the end."""
    import distributed

    design = replace(grid(14), time_limit=1.0)
    with distributed.Client(dask.address, set_as_default=False) as client:
        before = client.run(os.getpid)
        seen: list[runner.Count] = []
        sweep = runner.sweep(design, "out", scheduler=dask.address, compute=computing.faulty, progress=seen.append)
        assert client.run(os.getpid) == before
    assert len(before) == 2
    assert errors(sweep) == FAILING
    assert "in faulty" in sweep.ledger.failures()[computing.RAISES].trace
    assert sweep.ledger.failures()[computing.HANGS].seconds == pytest.approx(1.0, abs=1.5)
    assert seen[-1] == runner.Count(10, 4, 14)
    each_cell_once(sweep)
    wait_until(lambda: not dask.computing())
    local = runner.sweep(design, "local", workers=2, compute=computing.faulty)
    assert errors(local) == FAILING
    assert local.content_hash == sweep.content_hash
    Path(os.environ[computing.MENDED]).touch()
    again = runner.retry("out", scheduler=dask.address, compute=computing.faulty)
    each_cell_once(again)
    assert again.content_hash == filled("unbroken", design)


@pytest.mark.slow
def test_a_cluster_gives_the_same_content_though_its_workers_are_killed(dask: Cluster) -> None:
    """A cell that takes a whole worker of Dask with it, again and again, is found and put down."""
    design = replace(grid(14), time_limit=1.0)
    sweep = runner.sweep(design, "out", scheduler=dask.address, compute=computing.treacherous)
    assert errors(sweep) == {**FAILING, computing.KILLS: "killed its workers (KilledWorker)"}
    each_cell_once(sweep)
    Path(os.environ[computing.MENDED]).touch()
    again = runner.retry("out", scheduler=dask.address, compute=computing.treacherous)
    each_cell_once(again)
    assert again.content_hash == filled("unbroken", design)


@pytest.mark.slow
def test_what_computes_on_a_cluster_ends_with_the_sweep(dask: Cluster) -> None:
    """Also where a cell would hang on for ten minutes."""
    busy = threading.Event()

    def interrupt(count: runner.Count) -> None:
        if count.done:
            busy.set()
            wait_until(dask.computing)
            raise KeyboardInterrupt

    os.mkfifo(os.environ[computing.MENDED])
    with os.fdopen(os.open(os.environ[computing.MENDED], os.O_RDWR)), pytest.raises(KeyboardInterrupt):
        runner.sweep(grid(12), "out", scheduler=dask.address, compute=computing.stuck, progress=interrupt)
    assert busy.is_set()
    wait_until(lambda: not dask.computing())


def wait_until(true: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


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


def test_a_worker_answers_with_a_part_or_a_refusal() -> None:
    design = grid(5)
    filled("out", design, [0])
    packed = cluster._packed(Path("out"), design)
    order = cluster.Order("this", packed, store.engine(), [1, 2], 1.0, computing.cheap)
    found = cluster.answer(order)
    there = worker.compute(Plan(design), [1, 2], cell=computing.cheap)
    assert found.batch is not None
    assert [(one.cell, one.hash) for one in found.batch.done] == [(one.cell, one.hash) for one in there.done]
    assert found.part is not None
    assert tuple(map(len, found.files)) == (found.part.bytes, found.part.probe_bytes)
    # The process waits for the next batch, until its sweep is over; then another is started.
    (waiting,) = cluster._hands._idle
    again = cluster.answer(order._replace(cells=[0]))
    assert again.batch is not None
    assert cluster._hands._idle == [waiting]
    cluster.dismiss("another")
    assert cluster._hands._idle == [waiting]
    cluster.dismiss("this")
    assert cluster._hands._idle == []
    assert waiting._process.process.returncode == -signal.SIGKILL
    assert cluster.answer(order._replace(engine="another")).refusal.startswith("has another version of cej_sim")


def test_files_of_a_worker_lie_in_its_own_directory(dask: Cluster, tmp_path: Path) -> None:
    """Which is cleared when the worker ends, however it does, and is where its computer has room."""
    distributed = pytest.importorskip("distributed")
    design = grid(5)
    filled("out", design, [0])
    order = cluster.Order("this", cluster._packed(Path("out"), design), store.engine(), [1], 1.0, computing.cheap)

    def where() -> tuple[str, str]:
        return distributed.get_worker().local_directory, cluster._unpacked(order.plan)[1].name

    with distributed.Client(dask.address) as client:
        its, ours = client.submit(where).result()
        assert Path(ours).parent == Path(its)
        assert Path(ours).is_dir()
        client.run(cluster.dismiss, "this")
        assert not Path(ours).exists()


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
    assert capsys.readouterr().err.splitlines()[-1].endswith("in a copy of the sources: pip install '.[cluster]'")
