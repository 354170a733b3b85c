"""What another process draws: the same as what is drawn here, and drawn here where that process fails."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import cej_sim
from cej_sim import drawing, runs
from cej_sim.comparison import Labels
from cej_sim.reading import load


@pytest.fixture(scope="module")
def result() -> runs.Comparison:
    made = runs.compare(load("collective_impact"), load("community_led"), runs=3, months=4)
    return replace(made, labels=Labels(kinds={"residents": "neighbors"}))


@pytest.fixture
def artist(monkeypatch):
    monkeypatch.setattr(drawing, "pays", lambda: True)
    with drawing.Artist() as made:
        yield made
    assert made._process is not None
    assert made._process.poll() is not None


def refuse(*_: object) -> runs.Drawn:
    raise AssertionError("drawn here")


def test_another_process_draws_the_same(result, artist, monkeypatch):
    here = result.draw()
    monkeypatch.setattr(runs.Comparison, "draw", refuse)
    assert artist.begin(result)() == here
    assert "neighbors" in here.report
    assert here.picture.startswith(b"\x89PNG")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.usefixtures("empty_pictures")
def test_where_that_process_fails_it_is_drawn_here(result, artist, when):
    if when == "before":
        artist._process.kill()
    drawn = artist.begin(result)
    artist._process.kill()
    assert drawn() == result.draw()


@pytest.mark.usefixtures("empty_pictures")
def test_results_that_are_too_large_are_not_handed_on(result, artist, monkeypatch):
    monkeypatch.setattr(drawing, "MOST", 10)
    assert artist.begin(result) == result.draw


FORKS = """
import os, sys, time
from cej_sim import drawing

here = os.getpid()

def make():
    if os.getpid() != here:
        print(os.getpid(), file=sys.stderr, flush=True)
        {there}
    return b"from here"

made = drawing.meanwhile(make)
drawing.PATIENCE = 0.5
print(made().decode(), flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks are made on Linux only")
@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ("return b'from there'", "from there"),
        ("os._exit(1)", "from here"),
        ("raise ValueError", "from here"),
        ("time.sleep(600)", "from here"),
    ],
)
def test_what_a_fork_does_not_make_is_made_here(there, expected):
    code = [sys.executable, "-c", FORKS.format(there=there)]
    done = subprocess.run(code, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == expected
    fork = done.stderr.split("\n")[0]
    with pytest.raises(ProcessLookupError):
        os.kill(int(fork), 0)


HELPER = """
import os, signal, sys
from cej_sim import drawing

here = os.getpid()

def make():
    if os.getpid() != here:
        os.kill(here, signal.SIGKILL)
    return bytes(1_000_000)

drawing.meanwhile(make)()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks are made on Linux only")
def test_a_fork_outlives_nobody():
    """Whoever reads what the helper says sees its end, and a picture larger than a pipe is not waited for."""
    helper = subprocess.Popen([sys.executable, "-c", HELPER], stdout=subprocess.PIPE, start_new_session=True)
    assert helper.communicate(timeout=60) == (b"", None)
    assert helper.returncode == -signal.SIGKILL
    ends = time.monotonic() + 30.0
    while processes_of(helper.pid) and time.monotonic() < ends:
        time.sleep(0.05)
    assert processes_of(helper.pid) == []


def processes_of(session: int) -> list[str]:
    """What still runs of a session."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, its = file.read_text().rsplit(")", 1)[1].split()[:4]
            found += [file.parent.name] if int(its) == session and state != "Z" else []
    return found


def test_where_forks_are_not_safe_there_are_none(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert drawing.meanwhile(refuse) is refuse


def test_no_process_is_started_where_drawing_is_loaded_or_there_is_no_processor(monkeypatch):
    import matplotlib  # noqa: F401

    monkeypatch.setattr(drawing, "usable_processors", lambda: 2)
    assert not drawing.pays()
    monkeypatch.delitem(sys.modules, "matplotlib")
    assert drawing.pays()
    monkeypatch.setattr(drawing, "usable_processors", lambda: 1)
    assert not drawing.pays()


PROGRAM = """
import sys
from cej_sim import cli, drawing
drawing.usable_processors = lambda: {processors}
sys.argv = ["cej-sim", "compare", "--runs", "2", "--months", "3", "--out", "out"]
cli.main()
"""


def test_all_files_are_the_same_whoever_draws(tmp_path):
    """From the whole program, with one processor and with two."""
    made = []
    for processors in (1, 2):
        folder = tmp_path / str(processors)
        folder.mkdir()
        path = os.pathsep.join([str(Path(cej_sim.__file__).parents[1]), *sys.path])
        command = [sys.executable, "-c", PROGRAM.format(processors=processors)]
        done = subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True,
                              text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        made.append({file.name: file.read_bytes() for file in (folder / "out").iterdir()})
        del made[-1]["provenance.json"]  # says when
    assert made[0].keys() == made[1].keys() >= {"report.html", "comparison.png"}
    assert [name for name in made[0] if made[0][name] != made[1][name]] == []
