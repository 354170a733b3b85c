"""What computes and stores sweeps: nothing is lost or doubled, whatever is killed, full, damaged or changed."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cells as computing
import numpy as np
import pandas as pd
import pytest

import cej_sim
from cej_sim import cli, provenance
from cej_sim.metrics import NAMES as METRIC_NAMES
from cej_sim.sweeps import crew, files, runner, store, worker
from cej_sim.sweeps.design import Auto, Design, Factor, Plan, Probe
from cej_sim.sweeps.store import Shard, Sweep, SweepError, SweepFailure

SMALL = """\
schema_version: 1
name: {name}
months: 24
community: {{residents: 12, institutions: 3}}
governance: {{decide: {{votes: {{residents: {votes}}}}}}}
"""

DESIGN = """\
schema_version: 1
name: small
label: A small sweep
design: grid
scenarios: [old.yaml, new.yaml]
factors:
  - {path: community.residents, values: [12, 14]}
  - {path: governance.decide.rule, values: [weighted_mean, majority]}
runs: 2
"""

ROOT = Path(cej_sim.__file__).parent.parent
SLOW = pytest.mark.slow


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own directory with two small scenarios and a design of four cells."""
    monkeypatch.chdir(tmp_path)
    Path("old.yaml").write_text(SMALL.format(name="old", votes=0.1))
    Path("new.yaml").write_text(SMALL.format(name="new", votes=0.6))
    Path("design.yaml").write_text(DESIGN)
    monkeypatch.setenv(computing.MENDED, str(tmp_path / "mended"))
    return tmp_path


def grid(cells: int, **more: object) -> Design:
    """A design of so many cells, whose numbers are cheap to come by."""
    scenarios = tuple(cej_sim.load(name) for name in ("old.yaml", "new.yaml"))
    factor = Factor("funder.grant", "Grant", tuple(float(value) for value in range(cells)), path="funder.grant")
    made = Design("cheap", "grid", scenarios, (factor,), runs=3, months=24, keep_months=(12, 24))
    return replace(made, keep_metrics=("burden", "trust"), **more)  # type: ignore[arg-type]


def filled(directory: str, design: Design, cells: Sequence[int] | None = None, shard: Shard = runner.WHOLE) -> str:
    """A sweep in a directory as if it had been stopped after some cells, in parts of three; returns its hash."""
    Path(directory).mkdir(exist_ok=True)
    ledger = store.create(Path(directory), design, shard, None)
    plan = Plan(store.stored_design(Path(directory), ledger.about()))
    numbers = list(shard.cells(len(plan)) if cells is None else cells)
    for start in range(0, len(numbers), 3):
        batch = worker.compute(plan, numbers[start : start + 3], cell=computing.cheap)
        assert batch.rows is not None
        ledger.record(store.write_part(Path(directory), batch.rows, batch.probes), batch.done, batch.failed)
    ledger.close()
    return Sweep(directory).content_hash


def each_cell_once(sweep: Sweep) -> None:
    """Rows and probes of every finished cell stand in the files exactly once, and are what the ledger says."""
    done = sweep.cells.loc[sweep.cells["status"] == "done", ["cell", "runs"]].set_index("cell")["runs"]
    rows = pd.read_parquet(sweep.directory / store.ROWS)
    assert not rows.duplicated(["cell", "scenario", "run", "month"]).any()
    expected = done * len(sweep.design.names) * len(sweep.design.keep_months)
    assert rows.groupby("cell").size().to_dict() == expected.to_dict()
    sweep.check_content()
    listed = {part.name for part in sweep.ledger.parts()}
    assert {path.name for path in (sweep.directory / store.ROWS).iterdir()} == listed


def started(*arguments: str, code: str | None = None, **more: object) -> subprocess.Popen[str]:
    """The command line as a user starts it, or some code."""
    program = ["-m", "cej_sim"] if code is None else ["-c", textwrap.dedent(code)]
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        **more,  # type: ignore[call-overload]
    )


# The real thing


@pytest.mark.slow
def test_a_sweep_by_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["sweep", "design.yaml", "--out", "out", "--workers", "2"]) == 0
    out, err = capsys.readouterr()
    assert "4 of 4 cells done" in out
    assert "A small sweep, 4 cells ..." in err
    sweep = Sweep("out")
    each_cell_once(sweep)
    said = json.loads(Path("out/provenance.json").read_text())
    assert said["content_hash"] == sweep.content_hash
    assert said["content_hash"] in out
    assert (said["cells"], said["failed"], said["complete"], said["kind"]) == (4, 0, True, "sweep")
    assert [one["name"] for one in said["scenarios"]] == ["old", "new"]
    assert Path("out/design.yaml").read_text() == DESIGN
    assert not list(Path("out").glob("**/*.tmp"))

    # The rows are those of the runs that every other command makes.
    rows = sweep.rows(["burden"], [24])
    assert list(rows.columns) == ["cell", "scenario", "run", "month", "burden"]
    for name in ("old", "new"):
        changed = cej_sim.load(f"{name}.yaml").with_values(
            {"community.residents": 14, "governance.decide.rule": "majority"}
        )
        there = cej_sim.simulate(changed, runs=2, seed=0, months=24).monthly.query("month == 24")["burden"]
        here = rows.query("cell == 3 and scenario == @name")["burden"]
        assert here.tolist() == there.tolist()

    # Both tables of cells say the same, and outsiders can read them.
    table = pd.read_parquet("out/cells.parquet")
    pd.testing.assert_frame_equal(table, sweep.cells)
    assert table["governance.decide.rule"].tolist() == ["weighted_mean", "majority"] * 2
    assert table["community.residents"].tolist() == [12.0, 12.0, 14.0, 14.0]
    assert pd.read_csv("out/cells.csv")["label"].tolist() == table["label"].tolist()

    # Again: nothing to do, at once, nothing touched.
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*") if path.is_file()}
    assert cli.status(["sweep", "design.yaml", "--out", "out"]) == 0
    assert "nothing is left to compute" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in Path("out").rglob("*") if path.is_file()} == before

    # Any cell comes out the same again, from the directory alone.
    for name in ("design.yaml", "old.yaml", "new.yaml"):
        Path(name).unlink()
    assert cli.status(["reproduce", "out", "2"]) == 0
    assert "the same numbers" in capsys.readouterr().out


@pytest.mark.slow
def test_a_changed_number_does_not_reproduce(capsys: pytest.CaptureFixture[str]) -> None:
    design = replace(grid(3), runs=2)
    filled("out", design)  # numbers that the model does not give
    assert cli.status(["reproduce", "out", "1"]) == 1
    out = capsys.readouterr().out
    assert "other numbers" in out
    assert "numbers differ, first old, run 0, month 12, burden: stored" in out
    ledger = store.Ledger(Path("out"))
    with ledger.transaction() as connection:
        connection.execute("UPDATE cells SET hash = x'00' WHERE cell = 1")
    assert "their file has been changed" in "\n".join(runner.reproduce("out", 1).lines)
    for wrong in ("3", "-1", "x", "9" * 30):
        assert cli.status(["reproduce", "out", "--", wrong]) == 2
        assert "cell" in capsys.readouterr().err
    with pytest.raises(SweepFailure, match="numbers of cell 1"):
        Sweep("out").check_content()


# Cells that fail


@pytest.mark.slow
@pytest.mark.parametrize("deaths", [1, crew.DEATHS])
def test_failing_cells_are_put_down_and_tried_again(deaths: int, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "DEATHS", deaths)
    design = replace(grid(14), time_limit=1.0)
    seen = []
    sweep = runner.sweep(design, "out", workers=2, compute=computing.faulty, progress=seen.append)
    errors = sweep.cells.set_index("cell")["error"].dropna().to_dict()
    assert errors == {
        computing.RAISES: "ValueError: the votes add up to nothing",
        computing.KILLS: "killed its worker (signal 9)",
        computing.ENDS: "ended its worker (exit status 3)",
        computing.HANGS: "took longer than the time limit of 1 seconds",
    }
    assert sweep.cells["seed"].tolist() == ["0"] * 14
    assert "in faulty" in sweep.ledger.failures()[computing.RAISES].trace
    assert (seen[0], seen[-1]) == (runner.Count(0, 0, 14), runner.Count(10, 4, 14))
    each_cell_once(sweep)
    said = provenance.read(Path("out"))
    assert said is not None
    assert (said["done"], said["failed"], said["complete"]) == (10, 4, True)

    # The same command leaves them, `retry` tries them, and once mended all is as if nothing had happened.
    assert runner.sweep(design, "out", workers=2, compute=computing.faulty).ledger.counts() == (10, 4)
    (here / "mended").touch()
    seen.clear()
    again = runner.retry("out", workers=1, compute=computing.faulty, progress=seen.append)
    assert (seen[0], seen[-1]) == (runner.Count(10, 0, 14), runner.Count(14, 0, 14))
    each_cell_once(again)
    assert again.content_hash == filled("unbroken", design)


def failing(monkeypatch: pytest.MonkeyPatch, cell: int) -> str:
    """What is put down of a cell of ``computing.faulty`` within a time limit of one second and after one death."""
    monkeypatch.setattr(crew, "DEATHS", 1)
    return {
        computing.RAISES: "ValueError: the votes add up to nothing",
        computing.KILLS: "killed its worker (signal 9)",
        computing.ENDS: "ended its worker (exit status 3)",
        computing.HANGS: "took longer than the time limit of 1 seconds",
    }[cell]


@pytest.mark.slow
@pytest.mark.parametrize(
    "cell",
    [computing.KILLS, *(pytest.param(c, marks=SLOW) for c in (computing.RAISES, computing.ENDS, computing.HANGS))],
)
def test_a_failure_is_reproduced_and_no_cell_takes_the_command_with_it(
    cell: int, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = failing(monkeypatch, cell)
    monkeypatch.setitem(runner.reproduce.__kwdefaults__, "compute", computing.faulty)
    filled("out", replace(grid(14), time_limit=1.0))
    assert cli.status(["reproduce", "out", str(cell)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[1:3] == ["when the sweep ran, it was computed", f"now it fails: {error}"]

    ledger = store.Ledger(Path("out"))
    with ledger.transaction() as connection:
        connection.execute("DELETE FROM cells WHERE cell = ?", (cell,))
    ledger.record(None, [], [store.Failed(cell, error, "", "0", 1.0)])
    assert cli.status(["reproduce", "out", str(cell)]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [f"the failure was reproduced: {error}"]
    (here / "mended").touch()
    assert runner.reproduce("out", cell)[::2] == (False, False)
    assert runner.reproduce("out", cell).lines[1:3] == [f"when the sweep ran, it failed: {error}", "now it is computed"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cells", "cell"),
    [
        (12, computing.HANGS),
        *(
            pytest.param(n, c, marks=SLOW)
            for n, c in ((6, computing.RAISES), (10, computing.KILLS), (8, computing.ENDS))
        ),
    ],
)
def test_no_cell_takes_a_dry_run_with_it(
    cells: int, cell: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = failing(monkeypatch, cell)
    monkeypatch.setitem(runner.estimate.__kwdefaults__, "compute", computing.faulty)
    values = ", ".join(map(str, range(cells)))
    Path("design.yaml").write_text(
        "schema_version: 1\ndesign: grid\nscenarios: [old.yaml, new.yaml]\nruns: 2\ntime_limit: 1\n"
        f"factors: [{{path: funder.grant, values: [{values}]}}]\n"
    )
    assert cli.status(["sweep", "design.yaml", "--out", "out", "--dry-run"]) == 1
    out, err = capsys.readouterr()
    assert f"cells      {cells}" in out
    assert "time       about" in out  # from the others
    assert err.splitlines()[-1].startswith(f"This was tried, and failed: cell {cell} (")
    assert err.splitlines()[-1].endswith(error)
    assert not Path("out").exists()


@pytest.mark.slow
def test_failed_cells_show_in_the_exit_status(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in (runner.sweep, runner.retry):
        monkeypatch.setitem(command.__kwdefaults__, "compute", computing.faulty)
    assert cli.status(["sweep", "design.yaml", "--out", "out", "--workers", "1"]) == 1
    out, err = capsys.readouterr()
    assert "3 of 4 cells done, 1 failed" in out
    assert "  cell 3 (Residents 14, How decisions are made majority): ValueError: the votes add up to nothing" in out
    assert err.splitlines()[-1] == "To try the failed cell again: cej-sim retry out"
    assert cli.status(["sweep", "design.yaml", "--out", "out"]) == 1
    assert "nothing is left to compute" in capsys.readouterr().out
    (here / "mended").touch()
    assert cli.status(["retry", "out", "--workers", "1"]) == 0
    assert "4 of 4 cells done\n" in capsys.readouterr().out
    assert cli.status(["retry", "out"]) == 0
    assert "no cell has failed" in capsys.readouterr().out


@pytest.mark.slow
def test_workers_that_cannot_work_stop_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if Path(entry) != Path(__file__).parent])
    with pytest.raises(SweepFailure, match=r"workers end before they compute anything.*No module named 'cells'"):
        runner.sweep(grid(3), "out", workers=1, compute=computing.cheap)


# Interruptions


def test_ctrl_c_keeps_what_is_done(here: Path) -> None:
    code = """
        import sys
        from cej_sim import cli
        from cej_sim.sweeps import runner, worker
        import cells
        runner.sweep.__kwdefaults__["compute"] = cells.announced
        sys.exit(cli.status(["sweep", "design.yaml", "--out", "out", "--workers", "2"]))
    """
    os.mkfifo(here / "mended")
    process = started(code=code, start_new_session=True)
    with os.fdopen(os.open(here / "mended", os.O_RDWR)) as pipe:
        workers = {int(pipe.readline()) for _ in range(2)}
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == (
        "Stopped; what is done is kept. To go on: cej-sim sweep design.yaml --out out --workers 2"
    )
    assert "Traceback" not in err
    assert out == ""
    assert not [number for number in workers if runs(number)]


@pytest.mark.slow
def test_what_is_half_done_can_be_analyzed(capsys: pytest.CaptureFixture[str]) -> None:
    filled("out", grid(12), range(5))
    assert cli.status(["analyze", "out"]) == 0
    assert "Note: 7 cells of 12 not computed yet" in capsys.readouterr().out
    assert "7 cells of 12 not computed yet" in Path("out/analysis/report.html").read_text()


@pytest.mark.slow
def test_what_is_half_done_can_be_read(here: Path) -> None:
    """After Ctrl-C, the tables that outsiders read say what is there."""
    code = """
        import sys
        from cej_sim import cli
        from cej_sim.sweeps import runner
        import cells
        runner.sweep.__kwdefaults__["compute"] = cells.stuck
        sys.exit(cli.status(["sweep", "design.yaml", "--out", "out", "--workers", "1"]))
    """
    Path("design.yaml").write_text(
        "schema_version: 1\ndesign: grid\nscenarios: [old.yaml, new.yaml]\nruns: 3\n"
        "factors: [{path: funder.grant, values: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}]\n"
    )
    os.mkfifo(here / "mended")
    process = started(code=code, start_new_session=True)
    with os.fdopen(os.open(here / "mended", os.O_RDWR)) as pipe:
        pipe.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert err.splitlines()[-3:] == [
        "5 of 12 cells done",
        "To see what they show so far: cej-sim analyze out",
        "Stopped; what is done is kept. To go on: cej-sim sweep design.yaml --out out --workers 1",
    ]
    table = pd.read_parquet("out/cells.parquet")
    assert table["status"].tolist() == ["done"] * 5 + ["missing"] * 7
    assert pd.read_csv("out/cells.csv")["funder.grant"].tolist() == list(range(12))
    assert set(pd.read_parquet("out/rows")["cell"]) == set(table.loc[table["status"] == "done", "cell"])
    said = json.loads(Path("out/provenance.json").read_text())
    assert (said["done"], said["complete"], said["content_hash"]) == (5, False, Sweep("out").content_hash)
    (here / "mended").unlink()
    sweep = runner.sweep("design.yaml", "out", workers=1, compute=computing.cheap)
    assert pd.read_parquet("out/cells.parquet")["status"].tolist() == ["done"] * 12
    assert sweep.content_hash == filled("unbroken", sweep.design)


def runs(process: int) -> bool:
    """Whether a process is there."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


@pytest.mark.slow
def test_workers_end_with_their_driver(here: Path) -> None:
    code = """
        from cej_sim.sweeps import runner
        import cells
        runner.sweep("design.yaml", "out", workers=2, compute=cells.announced)
    """
    os.mkfifo(here / "mended")
    process = started(code=code)
    with os.fdopen(os.open(here / "mended", os.O_RDWR)) as pipe:
        workers = [int(pipe.readline()) for _ in range(2)]
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while any(map(runs, workers)):
        assert time.monotonic() < deadline, "workers live on without a driver"
        time.sleep(0.02)


KILLED = """
    import sys
    from cej_sim.sweeps import runner
    import cells
    import test_sweeps_engine as those
    runner.sweep(those.grid(int(sys.argv[1])), "out", workers=2, compute=cells.slow)
    print("done")
"""


def children(process: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def killing(cells: int, kills: int, seed: int) -> Sweep:
    """A sweep whose driver or one of whose workers is killed at random moments, until it is done."""
    luck = random.Random(seed)
    process, left, drivers = started(str(cells), code=KILLED), kills, 0
    while left:
        # Not a wait for anything: the moment of the blow is what is to be random.
        time.sleep(luck.uniform(0.0, 1.5))
        if process.poll() is not None:
            out, err = process.communicate()
            assert out == "done\n", err
            pytest.fail(f"it was done before the {left} last kills: more cells are needed")
        crew = children(process.pid)
        if crew and luck.random() < 0.6:
            try:
                os.kill(luck.choice(crew), signal.SIGKILL)
            except ProcessLookupError:
                continue
        else:
            process.kill()
            process.communicate()
            drivers += 1
            process = started(str(cells), code=KILLED)
        left -= 1
    out, err = process.communicate(timeout=600)
    assert out == "done\n", err
    assert drivers
    return Sweep("out")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("cells", "kills"), [(40, 2), (1500, 24)], ids=["a few", "many"])
def test_nothing_is_lost_or_doubled_by_kills(cells: int, kills: int) -> None:
    sweep = killing(cells, kills, seed=kills)
    assert sweep.ledger.counts() == (cells, 0)
    each_cell_once(sweep)
    assert sweep.content_hash == filled("unbroken", grid(cells))


def test_a_part_that_nobody_lists_is_neither_read_nor_kept() -> None:
    """As if the driver had been killed after a worker had written its part."""
    design = grid(7)
    whole = filled("unbroken", design)
    filled("out", design, [0, 1, 2, 4])
    batch = worker.compute(Plan(design), [3, 5], cell=computing.cheap)
    assert batch.rows is not None
    orphan = store.write_part(Path("out"), batch.rows, batch.probes)
    (Path("out/rows") / f"{files.STAGING}123.tmp").write_bytes(b"half")
    assert set(Sweep("out").rows()["cell"]) == {0, 1, 2, 4}
    sweep = runner.sweep(design, "out", workers=1, compute=computing.cheap)
    assert not (Path("out/rows") / orphan.name).exists()
    each_cell_once(sweep)
    assert sweep.content_hash == whole


def test_a_transaction_counts_whole_or_not_at_all() -> None:
    design = grid(4)
    filled("out", design, [0, 1])
    ledger = store.Ledger(Path("out"))
    batch = worker.compute(Plan(design), [1, 2], cell=computing.cheap)
    assert batch.rows is not None
    part = store.write_part(Path("out"), batch.rows, batch.probes)
    with pytest.raises(SweepFailure, match="UNIQUE"):
        ledger.record(part, batch.done, [])  # cell 1 is done already
    assert ledger.counts() == (2, 0)
    assert len(ledger.parts()) == 1


# Full disks


@pytest.mark.slow
def test_a_full_disk_stops_with_a_line_and_the_rest_can_be_computed(capsys: pytest.CaptureFixture[str]) -> None:
    """A limit on the size of files stands for the full disk: writing a part fails in the worker."""
    import resource

    text = DESIGN.replace("runs: 2", "runs: 10") + f"keep: {{months: [{', '.join(map(str, range(1, 25)))}]}}\n"
    Path("design.yaml").write_text(text)
    process = started(
        *["sweep", "design.yaml", "--out", "out", "--workers", "1"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY)),
    )
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, out + err
    assert "cannot be written: the file became larger than this system allows; what is done is kept" in err
    assert "cej-sim sweep design.yaml --out out --workers 1" in err
    assert "Traceback" not in err
    assert cli.status(["sweep", "design.yaml", "--out", "out", "--workers", "1"]) == 0
    each_cell_once(Sweep("out"))


def test_a_full_disk_under_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    design = grid(4)
    filled("out", design, [0])
    ledger = store.Ledger(Path("out"))
    with pytest.raises(SweepFailure, match="disk is full"), ledger.transaction():
        raise sqlite3.OperationalError("database or disk is full")
    assert ledger.counts() == (1, 0)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    batch = worker.compute(Plan(design), [1], cell=computing.cheap)
    assert batch.rows is not None
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SweepFailure, match=r"rows/part-.*cannot be written: the disk is full"):
        store.write_part(Path("out"), batch.rows, None)
    assert len(list(Path("out/rows").iterdir())) == 1


# What is refused


def refused(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.status(arguments) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return err.splitlines()[-1]


def test_a_changed_design_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    filled("out", cej_sim_design(), [0])
    command = ["sweep", "design.yaml", "--out", "out"]
    Path("design.yaml").write_text(DESIGN.replace("runs: 2", "runs: 3"))
    assert "sweep of another design (runs: 2, now 3)" in refused(*command, capsys=capsys)
    Path("design.yaml").write_text(DESIGN)
    Path("old.yaml").write_text(SMALL.format(name="old", votes=0.2))
    assert "votes.residents: 0.1, now 0.2" in refused(*command, capsys=capsys)
    Path("old.yaml").write_text(SMALL.format(name="old", votes=0.1))
    said = refused(*command, "--shard", "1/2", capsys=capsys)
    assert "holds shard 1/1 of this design, not 1/2; give no --shard" in said
    monkeypatch.setattr(store, "engine", lambda: "another")
    assert "another version of the model's code" in refused(*command, capsys=capsys)
    assert Sweep("out").ledger.counts() == (1, 0)


def cej_sim_design() -> Design:
    from cej_sim.sweeps.reading import read_design

    return read_design("design.yaml")


def test_words_for_people_may_change() -> None:
    filled("out", cej_sim_design(), [0, 1, 2])
    Path("design.yaml").write_text(DESIGN.replace("A small sweep", "Another title") + "time_limit: 5\n")
    assert store.create(Path("out"), cej_sim_design(), runner.WHOLE, None).counts() == (3, 0)
    assert (Sweep("out").design.title, Sweep("out").design.time_limit) == ("Another title", 5)
    assert "Another title" in Path("out/design.yaml").read_text()


def test_two_drivers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    design = grid(3)
    filled("out", design, [0])
    with store.lock(Path("out")):
        with pytest.raises(SweepError, match="another cej-sim is working in it"):
            runner.sweep(design, "out")
        assert "another cej-sim is working in it" in refused("sweep", "design.yaml", "--out", "out", capsys=capsys)
    with store.lock(Path("out")):
        pass


def test_the_lock_is_freed_by_a_kill() -> None:
    Path("out").mkdir()
    code = """
        import pathlib, sys, threading
        from cej_sim.sweeps import store
        with store.lock(pathlib.Path("out")):
            print("held", flush=True)
            threading.Event().wait()
    """
    process = started(code=code)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(SweepError), store.lock(Path("out")):
        pass
    process.kill()
    process.communicate()
    with store.lock(Path("out")):
        pass


def test_other_peoples_directories_are_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("theirs").mkdir()
    Path("theirs/thesis.txt").write_text("years of work")
    assert "holds files that are not results" in refused("sweep", "design.yaml", "--out", "theirs", capsys=capsys)
    assert [path.name for path in Path("theirs").iterdir()] == ["thesis.txt"]
    provenance.write("run", {"software": provenance.SOFTWARE}, {})
    assert "run holds results of another command" in refused("sweep", "design.yaml", "--out", "run", capsys=capsys)
    filled("out", grid(3), [0])
    assert "--out: out holds a sweep" in refused("run", "old.yaml", "--out", "out", capsys=capsys)
    assert "design.yaml is a file" in refused("sweep", "design.yaml", "--out", "design.yaml", capsys=capsys)
    for command in (["retry", "theirs"], ["reproduce", "theirs", "0"], ["merge", "theirs", "--out", "m"]):
        assert "theirs holds no sweep" in refused(*command, capsys=capsys)
    assert not Path("m").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workers", "0"], "--workers: 0 is not a number of workers"),
        (["--workers", "two"], "--workers: two is not"),
        (["--shard", "0/4"], "--shard: 0/4 is not a shard"),
        (["--shard", "5/4"], "--shard: 5/4 is not a shard"),
        (["--shard", "half"], "--shard: half is not a shard"),
        (["--shard", "1/5"], "shard: 1/5 has no sense for 4 cells"),
        (["--shard", "1/5", "--dry-run"], "shard: 1/5 has no sense for 4 cells"),
        (["--out", ""], "--out: there is no name"),
    ],
)
def test_odd_options(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused("sweep", "design.yaml", *options, capsys=capsys).startswith(words)
    assert not Path("results").exists()


def test_all_mistakes_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("design.yaml").write_text(DESIGN.replace("runs: 2", "runs: many"))
    assert cli.status(["sweep", "design.yaml", "--workers", "x", "--shard", "y"]) == 2
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == [
        "design.yaml",
        "--workers",
        "--shard",
    ]


# Damage


def test_lost_parts_are_computed_again(capsys: pytest.CaptureFixture[str]) -> None:
    design = grid(9)
    whole = filled("out", design)
    rows = sorted(Path("out/rows").iterdir())
    rows[0].unlink()
    rows[1].write_bytes(rows[1].read_bytes()[:-10])
    sorted(Path("out/probes").iterdir())[2].unlink()
    with pytest.raises(SweepFailure, match=r"rows/part-000000000.*is damaged or missing"):
        Sweep("out").rows()
    sweep = runner.sweep(design, "out", workers=1, compute=computing.cheap)
    each_cell_once(sweep)
    assert sweep.content_hash == whole


def test_damage_within_a_part_is_noticed() -> None:
    filled("out", grid(3))
    (path,) = Path("out/rows").iterdir()
    content = bytearray(path.read_bytes())
    place = len(content) // 4
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(SweepFailure, match="is damaged or missing"):
        Sweep("out").rows()


def test_a_damaged_ledger_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    filled("out", grid(40))
    path = Path("out") / store.LEDGER
    content = path.read_bytes()
    path.write_bytes(b"no database" * 1000)
    assert cli.status(["sweep", "design.yaml", "--out", "out"]) == 1
    assert "ledger.sqlite is damaged" in capsys.readouterr().err
    path.write_bytes(content[:4096] + os.urandom(len(content) - 4096))
    with pytest.raises(SweepFailure, match=r"ledger.sqlite is damaged"):
        runner.sweep(grid(40), "out", compute=computing.cheap)


def test_a_start_that_was_killed_begins_again() -> None:
    design = grid(3)
    Path("out").mkdir()
    store.write_whole(Path("out") / provenance.FILE, b'{"software": "cej_sim", "kind": "sweep"}')
    store.Ledger(Path("out"), create=True).close()
    with pytest.raises(SweepError, match="stopped before it began"):
        Sweep("out")
    filled("out", design)
    assert Sweep("out").ledger.counts() == (3, 0)
    # Killed while it held the lock, before it had marked the directory as its own.
    Path("early").mkdir()
    for name in (store.LOCK, f"{store.LOCK}-journal", f"{files.STAGING}{32 * 'a'}.tmp"):
        (Path("early") / name).write_bytes(b"")
    assert runner.sweep(design, "early", workers=1, compute=computing.cheap).ledger.counts() == (3, 0)
    assert not list(Path("early").glob("*.tmp"))


def test_a_refusal_leaves_no_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise SweepFailure(f"{path} cannot be written: the disk is full")

    monkeypatch.setattr(store, "write_whole", full)
    with pytest.raises(SweepFailure, match="disk is full"):
        runner.sweep(grid(3), "out", workers=1, compute=computing.cheap)
    assert not Path("out").exists()


def at_once(
    directory: Path, plan: Plan, todo: crew.Todo, *, cell: worker.Compute, keep: crew.Keep, **_: object
) -> None:
    """Compute cells in this very process, in the place of ``crew.compute_here``."""
    while batch := todo.take():
        done = worker.compute(plan, batch, cell=cell)
        assert done.rows is not None
        keep(store.write_part(directory, done.rows, done.probes), done)


#: A driver that is killed before the given step, then one that is so before a later one, and so on.
DYING = """
    import os, signal, sqlite3
    from cej_sim.sweeps import runner, store
    import cells
    import test_sweeps_engine as those

    runner.compute_here, store.MANY_PARTS = those.at_once, 3

    def dies(last):
        # Whether there are so many steps that it is killed before the last of them.
        child = os.fork()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        steps = iter(range(1, last))

        def counted(function):
            def step(*arguments, **options):
                if next(steps, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **options)
            return step

        class Connection(sqlite3.Connection):
            def execute(self, statement, *values):
                reads = statement.lstrip().startswith(("SELECT", "PRAGMA"))
                return (super().execute if reads else counted(super().execute))(statement, *values)

        os.fsync = lambda handle: None  # whoever is killed, the system still writes what it was given
        for name in ("mkdir", "fsync", "replace", "unlink"):
            setattr(os, name, counted(getattr(os, name)))
        connect = sqlite3.connect
        sqlite3.connect = lambda *arguments, **options: connect(*arguments, factory=Connection, **options)
        runner.sweep(those.grid(7), f"out{last}", compute=cells.cheap)
        os._exit(0)

    last = 1
    while dies(last):
        last += 1
    print(last)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_kill_at_any_step_is_gone_on_from(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each operation on files and each statement of the ledger: to begin, compute, put together, and end."""
    process = started(code=DYING)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    steps = range(1, int(out))
    assert len(steps) > 80
    design = grid(7)
    whole = filled("unbroken", design)
    monkeypatch.setattr(runner, "compute_here", at_once)
    monkeypatch.setattr(store, "MANY_PARTS", 3)
    for step in steps:
        sweep = runner.sweep(design, f"out{step}", compute=computing.cheap)
        assert sweep.ledger.counts() == (7, 0)
        each_cell_once(sweep)
        assert sweep.content_hash == whole
        assert not list((here / f"out{step}").rglob("*.tmp"))


# Shards, and one content however it came about


@pytest.mark.slow
def test_shards_are_merged_to_the_same_content(capsys: pytest.CaptureFixture[str]) -> None:
    design = grid(11)
    whole = filled("unbroken", design)
    for number in (1, 2, 3):
        filled(f"s{number}", design, shard=Shard(number, 3))
    assert cli.status(["merge", "s1", "s3", "--out", "m"]) == 1
    out, err = capsys.readouterr()
    assert "7 of 11 cells done" in out
    assert "4 cells are missing" in err
    assert cli.status(["merge", "s1", "s2", "s3", "--out", "m"]) == 0
    merged = Sweep("m")
    each_cell_once(merged)
    assert merged.content_hash == whole
    pd.testing.assert_frame_equal(merged.rows(), Sweep("unbroken").rows())
    pd.testing.assert_frame_equal(merged.probes(), Sweep("unbroken").probes())
    assert cli.status(["merge", "s1", "m", "--out", "m"]) == 2
    filled("other", grid(12), [0])
    assert "different designs" in refused("merge", "s1", "other", "--out", "n", capsys=capsys)
    ledger = store.Ledger(Path("s2"))
    with ledger.transaction() as connection:
        connection.execute("UPDATE cells SET hash = x'00' WHERE cell = 4")
    assert "other numbers for cell 4" in refused("merge", "s2", "--out", "m", capsys=capsys)


def test_compacting_changes_nothing_but_the_files() -> None:
    design = grid(40)
    whole = filled("out", design)
    before = Sweep("out")
    rows, probes, parts = before.rows(), before.probes(), before.ledger.parts()
    ledger = store.Ledger(Path("out"))
    many = store.MANY_PARTS
    try:
        store.MANY_PARTS = 5
        store.compact(Path("out"), ledger, size=9500)
    finally:
        store.MANY_PARTS = many
    after = Sweep("out")
    assert (len(parts), len(after.ledger.parts())) == (14, 2)
    each_cell_once(after)
    assert after.content_hash == whole
    pd.testing.assert_frame_equal(after.rows(), rows)
    pd.testing.assert_frame_equal(after.probes(), probes)


def test_rows_come_in_the_order_of_cells_from_parts_that_overlap() -> None:
    design = grid(12)
    filled("out", design, [1, 5, 9])
    for some in ([0, 2, 11], [3, 4, 6], [7, 8, 10]):
        ledger = store.Ledger(Path("out"))
        batch = worker.compute(Plan(design), some, cell=computing.cheap)
        assert batch.rows is not None
        ledger.record(store.write_part(Path("out"), batch.rows, batch.probes), batch.done, [])
        ledger.close()
    sweep = Sweep("out")
    keys = sweep.rows()[["cell", "scenario", "run", "month"]]
    order = keys.assign(scenario=keys["scenario"].map({"old": 0, "new": 1}))
    assert order.sort_values(list(order.columns)).index.tolist() == list(range(len(order)))
    for size in (1, 300, 10**9):
        seen = [set(table.column("cell").to_pylist()) for table in sweep.batches(size=size)]
        assert sorted(cell for cells in seen for cell in cells) == list(range(12))
    with pytest.raises(SweepError, match="metric openness was not kept"):
        sweep.rows(["openness"])


@pytest.mark.slow
def test_the_content_does_not_depend_on_the_number_of_workers() -> None:
    design = replace(cej_sim_design(), probes=(Probe("causal_influence", runs=2),))
    contents = {workers: runner.sweep(design, workers=workers).content_hash for workers in (1, 2, 16)}
    assert len(set(contents.values())) == 1
    for number in (1, 2):
        runner.sweep(design, f"s{number}", shard=(number, 2))
    assert runner.merge(["s1", "s2"], "m").content_hash == contents[1]


# What is computed


@pytest.mark.slow
def test_probes_and_runs_until_an_interval_is_short_enough() -> None:
    text = DESIGN.replace("runs: 2\n", "")
    Path("design.yaml").write_text(
        text + "runs: {metric: burden, month: 24, half_width: .02, least: 4, most: 60}\nkeep: {metrics: [burden]}\n"
    )
    base = replace(
        cej_sim_design_without_runs(),
        auto=Auto("burden", 24, 0.02, 4, 60),
        runs=60,
        probes=(
            Probe("causal_influence", runs=2),
            Probe("irreversibility", runs=2, path="governance.decide.votes.residents", low=0.1, high=0.5, hold=2,
                  steps=2, metrics=("trust",)),
        ),
    )  # fmt: skip
    plan = Plan(base)
    one, again = (worker.compute_cell(plan, 1) for _ in range(2))
    assert np.array_equal(one.rows, again.rows, equal_nan=True)
    runs_made = one.rows.shape[1]
    place = list(base.keep_metrics).index("burden")
    difference = one.rows[1, :, -1, place] - one.rows[0, :, -1, place]
    widths = {
        number: 1.96 * difference[:number].std(ddof=1) / number**0.5 for number in range(4, runs_made + 1, worker.BLOCK)
    }
    assert list(widths)[-1] == runs_made or runs_made == 60
    assert all(width > 0.02 * 0.6 for number, width in widths.items() if number < runs_made)
    kinds = {(probe.scenario, probe.probe, probe.metric) for probe in one.probes}
    assert kinds == {
        (name, *probe)
        for name in ("old", "new")
        for probe in (
            ("causal_influence", "resident"),
            ("irreversibility_area", "trust"),
            ("irreversibility_drift", "trust"),
        )
    }
    assert {probe.month for probe in one.probes} == {-1, *base.keep_months}


def cej_sim_design_without_runs() -> Design:
    Path("design.yaml").write_text(DESIGN)
    return cej_sim_design()


def test_enough_runs() -> None:
    wide, narrow = Auto("burden", 24, 0.01, 3, 100), Auto("burden", 24, 10.0, 3, 100)
    values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    assert [worker.enough(narrow, values[:runs]) for runs in range(1, 12)] == [False] * 2 + [True] + [False] * 7 + [
        True
    ]
    assert not any(worker.enough(wide, values[:runs]) for runs in range(1, 12))
    exact = 4.302652729911275 / 3**0.5  # the t quantile of two degrees of freedom, deviation 1
    assert worker.enough(replace(wide, half_width=exact * 1.0001), [1.0, 2.0, 3.0])
    assert not worker.enough(replace(wide, half_width=exact * 0.9999), [1.0, 2.0, 3.0])
    assert not worker.enough(narrow, [float("nan")] * 3)


def test_a_batch_that_takes_long_leaves_the_rest() -> None:
    batch = worker.compute(Plan(grid(5)), [0, 1, 2], seconds=0.0, cell=computing.cheap)
    assert ([one.cell for one in batch.done], batch.left) == ([0], [1, 2])


def test_batches_follow_what_was_measured() -> None:
    todo = crew.Todo(range(100_000), 100_000, 2)
    assert todo.take() == [0]
    sizes = []
    while todo.waiting:
        batch = todo.take()
        todo.measured(len(batch), 0.01 * len(batch))
        sizes.append(len(batch))
    assert sum(sizes) == 99_999
    assert max(sizes) == 200
    assert sizes[-1] == 1
    assert len(sizes) < 700
    todo = crew.Todo(range(1_000_000), 1_000_000, 2)
    todo.measured(1, 1.0)
    assert todo.seconds == crew.LONGEST_BATCH
    todo.again([7], alone=True)
    assert todo.take() == [7]


def test_hashes_do_not_depend_on_how_missing_numbers_are_written() -> None:
    design = grid(3)
    quiet = np.full((2, 1, 2, 2), np.nan)
    other = np.full((2, 1, 2, 2), -np.float64(np.nan))
    other.view(np.uint64)[...] |= np.uint64(5)
    one, two = (store.cell_hash(design, store.canonical(rows), []) for rows in (quiet, other.astype(">f8")))
    assert one == two
    assert one != store.cell_hash(design, store.canonical(np.zeros((2, 1, 2, 2))), [])


# Asked from Python, and before


@pytest.mark.slow
def test_the_public_door_without_a_guard_and_without_mesa() -> None:
    """A script needs no ``if __name__ == "__main__"``; neither the driver nor its workers load Mesa or matplotlib."""
    Path("script.py").write_text(
        "import sys\n"
        "import cej_sim as cej\n"
        "import cells\n"
        "done = cej.sweep('design.yaml', workers=1, compute=cells.loaded)\n"
        "print(len(done.cells), len(done.rows()), done.probes()['value'].sum())\n"
        "print([name for name in cells.HEAVY if name in sys.modules])\n"
        "print(done.directory)\n"
    )
    process = started(code="import runpy; runpy.run_path('script.py', run_name='__main__')")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    counts, heavy, directory = out.splitlines()
    assert counts == f"4 {4 * 2 * 2} 0.0"
    assert heavy == "[]"
    assert not Path(directory).exists()
    with pytest.raises(SweepError, match="workers: 0"):
        cej_sim.sweep("design.yaml", workers=0)


def test_a_dry_run_writes_nothing(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    before = sorted(here.rglob("*"))
    assert cli.status(["sweep", "design.yaml", "--out", "out", "--dry-run", "--shard", "1/2"]) == 0
    out = capsys.readouterr().out
    assert "cells      2 (shard 1/2)" in out
    assert "runs       8 of 24 months" in out
    assert "time       about" in out
    assert "disk       under 1 MB" in out
    assert sorted(here.rglob("*")) == before


def test_progress_in_logs_is_rare(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from cej_sim import talking

    now = iter([0.0, 0.0, 10.0, 31.0, 40.0, 70.0, 71.0, 99.0])
    monkeypatch.setattr(talking.time, "perf_counter", lambda: next(now))
    with talking.progress("Many", "cells", every=30.0) as advance:
        for done in (0, 10, 31, 40, 70, 71):
            advance(done, 1000, 2)
    assert capsys.readouterr().err.splitlines() == [
        "Many ...",
        "31 of 1,000 cells, 2 failed, 1.0/s, about 16 minutes left",
        "70 of 1,000 cells, 2 failed, 1.0/s, about 16 minutes left",
        "Done in 99.0 seconds.",
    ]


@pytest.mark.parametrize(
    ("rate", "words"), [(120.4, "120/s"), (9.97, "10/s"), (1.0, "1.0/s"), (0.5, "30/min"), (1 / 600, "6.0/h")]
)
def test_rates_are_never_nothing(rate: float, words: str) -> None:
    from cej_sim.talking import per_time

    assert per_time(rate) == words
    assert per_time(rate, " cells") == words.replace("/", " cells/")


MEASURED = """
    import sys, time
    from dataclasses import replace
    import cells
    import test_sweeps_engine as those
    from cej_sim.sweeps import crew, runner
    from cej_sim.sweeps.design import Factor, Plan
    base = those.grid(1)
    sides = [int(word) for word in sys.argv[1:]]
    paths = ("funder.grant", "funder.contribution", "mechanisms.judgment")
    factors = tuple(
        Factor(path, path, tuple(place / side for place in range(side)), path=path)
        for path, side in zip(paths, sides, strict=True)
    )
    design = replace(base, factors=factors, keep_months=(24,), runs=1)
    started = time.perf_counter()
    plan = Plan(design)
    assert plan.values(len(plan) - 1)
    todo = crew.Todo(iter(range(len(plan))), len(plan), 2)
    assert todo.take() == [0]
    planned = time.perf_counter() - started
    most = {}
    if len(plan) <= 100_000:
        done = runner.sweep(design, "out", workers=2, compute=cells.cheap)
        assert done.ledger.counts() == (len(plan), 0)
        most["parts"] = len(done.ledger.parts())
    most["seconds"] = time.perf_counter() - started
    status = open("/proc/self/status").read()
    print(len(plan), planned, int(status.split("VmHWM:")[1].split()[0]) / 1024, most)
"""


@pytest.mark.slow
def test_a_driver_of_many_cells_stays_small() -> None:
    process = started("100", "100", "10", code=MEASURED)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    cells, _, megabytes, *_ = out.split()
    assert int(cells) == 100_000
    assert float(megabytes) < 300
    each_cell_once(Sweep("out"))


def test_a_million_cells_are_planned_at_once() -> None:
    process = started("100", "100", "100", code=MEASURED)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    cells, seconds, megabytes, *_ = out.split()
    assert int(cells) == 1_000_000
    assert float(seconds) < 1.0
    assert float(megabytes) < 300


@pytest.mark.slow
def test_what_is_around_the_core_takes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processor time of computing and storing cells as shipped designs have them, over that of their months alone."""
    base = grid(1)
    arms = (cej_sim.load("collective_impact"), cej_sim.load("community_led"))
    design = replace(base, scenarios=arms, months=120, runs=20, keep_months=(24, 60, 120), keep_metrics=METRIC_NAMES)
    Path("out").mkdir()
    ledger = store.create(Path("out"), design, runner.WHOLE, None)
    core = 0.0
    bare = worker.run_once

    def timed(*arguments: object) -> object:
        nonlocal core
        before = time.process_time()
        try:
            return bare(*arguments)  # type: ignore[arg-type]
        finally:
            core += time.process_time() - before

    plan = Plan(design)
    worker.warm(plan)
    monkeypatch.setattr(worker, "run_once", timed)
    ratios = []
    for _ in range(3):
        core, before = 0.0, time.process_time()
        batch = worker.compute(plan, [0])
        assert batch.rows is not None
        part = store.write_part(Path("out"), batch.rows, batch.probes)
        ratios.append((time.process_time() - before) / core)
        before = time.process_time()
        ledger.record(part, [], batch.failed)
        ratios[-1] += (time.process_time() - before) / core
    assert min(ratios) < 1.1, ratios
