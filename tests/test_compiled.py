"""The disk cache of compiled kernels: fresh after any edit it depends on, and always somewhere writable."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np
import pytest

from cej_sim import compiled, draws, forms, warmup
from cej_sim.scenario import Scenario, defaults

PACKAGE = Path(compiled.__file__).parent

USE = """
import numpy as np
from cej_sim import compiled, draws
assert draws.uniform(np.uint64(1), 2, 3, 4) == draws.uniform(np.uint64(1), 2, 3, 4)
print(compiled.CACHE_DIRECTORY)
"""


def hashed_files(package: Path) -> list[Path]:
    named = [package / name for name in compiled._SOURCES]
    return [file for path in named for file in (sorted(path.glob("*.py")) if path.is_dir() else [path])]


@pytest.fixture
def copy(tmp_path):
    return Path(shutil.copytree(PACKAGE, tmp_path / "cej_sim", ignore=shutil.ignore_patterns("__pycache__")))


def test_another_copy_or_a_newer_one_is_not_compiled_yet(copy, tmp_path, monkeypatch) -> None:
    """Where numba would compile again, it is said and shared out, although the sources are the same."""
    warmup.prepare()
    assert warmup.is_compiled()
    monkeypatch.setattr(warmup, "HERE", copy)
    assert not warmup.is_compiled()
    monkeypatch.setattr(compiled, "_its_directory", lambda: tmp_path / "cache")
    locator = numba.core.caching._CacheLocator  # numba's own name for the folder of a file
    folder = tmp_path / "cache" / locator.get_suitable_cache_subpath(str(copy / "month.py"))
    folder.mkdir(parents=True)
    for name in ("month.run_months-1.py311.nbi", "month.run_months-1.py311.1.nbc"):
        (folder / name).touch()
    assert warmup.is_compiled()
    now = (copy / "month.py").stat().st_mtime
    os.utime(folder / "month.run_months-1.py311.nbi", (now - 60, now - 60))
    assert not warmup.is_compiled()


@pytest.fixture
def unwritable(tmp_path):
    """A place below a regular file: nobody can write there, whatever their rights."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file"


def cache_used(**variables: object) -> Path:
    """Where a fresh process keeps its kernels, after it has compiled one there."""
    ours = ("CEJ_SIM_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA", "NUMBA_DISABLE_JIT", "NUMBA_CACHE_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment |= {name: str(value) for name, value in variables.items()}
    environment["PYTHONPATH"] = os.pathsep.join([str(PACKAGE.parent), *sys.path])
    done = subprocess.run([sys.executable, "-c", USE], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    place = Path(done.stdout.strip())
    assert list(place.rglob("*uniform*.nbc")), f"nothing was compiled into {place}"
    return place


def test_every_hashed_source_exists():
    assert [file for file in hashed_files(PACKAGE) if not file.is_file()] == []


def test_an_edit_in_any_hashed_source_changes_the_hash(copy):
    before = compiled.source_hash(copy)
    assert before == compiled.source_hash()
    seen = {before}
    for file in hashed_files(copy):
        text = file.read_bytes()
        file.write_bytes(text + b"\n# edited\n")
        seen.add(compiled.source_hash(copy))
        file.write_bytes(text)
    assert len(seen) == 1 + len(hashed_files(copy))
    assert compiled.source_hash(copy) == before


def test_a_new_phase_changes_the_hash_and_other_files_do_not(copy):
    before = compiled.source_hash(copy)
    (copy / "unrelated.py").write_text("x = 1\n")
    (copy / "phases" / "notes.txt").write_text("x")
    assert compiled.source_hash(copy) == before
    (copy / "phases" / "another.py").write_text("x = 1\n")
    assert compiled.source_hash(copy) != before


def test_all_that_a_kernel_can_reach_is_hashed():
    """Modules with kernels, and all modules of the package that these import, to any depth."""
    imports: dict[Path, set[Path]] = {}
    with_kernels = set()
    for file in PACKAGE.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
                if node.module == "cej_sim.compiled" and any(alias.name in ("entry", "kernel") for alias in node.names):
                    with_kernels.add(file)
            elif isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
        paths = {PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py") for name in names}
        imports[file] = {path for path in paths if path.is_file()}
    assert PACKAGE / "draws.py" in with_kernels
    reached: set[Path] = set()
    waiting = set(with_kernels)
    while waiting:
        file = waiting.pop()
        reached.add(file)
        waiting |= imports[file] - reached
    missing = reached - set(hashed_files(PACKAGE))
    assert sorted(str(file.relative_to(PACKAGE)) for file in missing) == []


def test_the_directory_named_by_the_user_is_used(tmp_path):
    wanted = tmp_path / "mine" / "cache"
    assert cache_used(CEJ_SIM_CACHE_DIR=wanted) == wanted / f"cej_sim-{compiled.source_hash()}"


@pytest.mark.slow
def test_the_usual_cache_directories_are_used(tmp_path):
    name = f"cej_sim-{compiled.source_hash()}"
    assert cache_used(XDG_CACHE_HOME=tmp_path / "xdg", HOME=tmp_path) == tmp_path / "xdg" / name


@pytest.mark.slow
def test_a_home_that_cannot_be_written_is_no_obstacle(tmp_path, unwritable):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    nowhere = {"HOME": unwritable / "home", "USERPROFILE": unwritable / "home", "XDG_CACHE_HOME": unwritable / "cache"}
    first = cache_used(TMPDIR=temporary, TEMP=temporary, TMP=temporary, **nowhere)
    assert temporary in first.parents
    assert first.name == f"cej_sim-{compiled.source_hash()}"
    assert cache_used(TMPDIR=temporary, TEMP=temporary, TMP=temporary, **nowhere) == first  # compiled only once


@pytest.mark.parametrize("flaw", ["owner", "mode"])
def test_a_temporary_directory_that_others_can_write_is_not_trusted(flaw, tmp_path, unwritable, monkeypatch):
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "CEJ_SIM_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(unwritable / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    me = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: me + 1 if flaw == "owner" else me, raising=False)
    usual = tmp_path / f"cej_sim-{os.getuid()}"
    usual.mkdir()
    usual.chmod(0o700 if flaw == "owner" else 0o777)
    found = compiled.cache_directory()
    assert found.is_dir()
    assert found.parent.parent == tmp_path
    assert found.parent != usual


def test_the_types_that_are_compiled_for_are_those_of_a_population():
    blank, real = warmup.blank(), warmup.populate(Scenario("real", defaults()), 1)
    differing = {
        name: (numba.typeof(mine), numba.typeof(its))
        for name, mine, its in zip(blank._fields, blank, real, strict=True)
        if numba.typeof(mine) != numba.typeof(its)
    }
    assert differing == {}


FIRST_RUN = """
import sys
from cej_sim import compiled, month, runs, warmup
from cej_sim.reading import load
warmup.prepare()
found = set(sys.argv[1:]) or {str(file) for file in compiled.CACHE_DIRECTORY.rglob("*.nbc")}
assert found
runs.simulate(load("converted_by_motion"), runs=2, months=3, threads=1)
new = {str(file) for file in compiled.CACHE_DIRECTORY.rglob("*.nbc")} - found
assert not new, f"compiled later: {sorted(new)}"
months = [file.name for file in compiled.CACHE_DIRECTORY.rglob("*.nbc") if "run_months" in file.name]
assert len(months) == 1, months
assert not [file for file in compiled.CACHE_DIRECTORY.rglob("*.nbc") if ".reform-" in file.name], "more than a draft"
assert not list(compiled.CACHE_DIRECTORY.glob("drafts*")), "drafts were left behind"
assert "numba.np.linalg" not in sys.modules, "the compiler was loaded"
for kernel in (month.run_months, month.measure_arrays):
    assert not kernel.stats.cache_misses and kernel.stats.cache_hits, kernel
"""


def nothing_is_left_to_compile(
    environment: dict[str, str], *prepared: str, processors: int, folder: Path | None = None
) -> None:
    """Run for the first time; fails if that compiled anything that was not prepared, then or before."""
    code = FIRST_RUN.replace("warmup.prepare()", f"warmup.usable_processors = lambda: {processors}; warmup.prepare()")
    command = [sys.executable, "-P", "-c", code, *prepared]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.long
def test_nothing_is_left_to_compile_after_the_preparation(copy, tmp_path):
    """Nor where the program was installed from a checkout, and is started in it."""
    environment = {**os.environ, "CEJ_SIM_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(PACKAGE.parent)}
    nothing_is_left_to_compile(environment, folder=copy.parent, processors=2)


def test_it_is_this_package_that_is_compiled_wherever_somebody_is(copy, monkeypatch):
    """Numba keeps apart what it compiles from each folder: of another copy, this one would have nothing."""
    with (copy / "warmup.py").open("a", encoding="utf-8") as file:
        file.write("\nraise SystemExit(3)\n")
    monkeypatch.chdir(copy.parent)
    assert warmup._start("usable_processors").wait() == 0


@pytest.mark.slow
@pytest.mark.long
def test_nothing_is_left_to_compile_where_one_processor_prepared_it(plainest):
    nothing_is_left_to_compile(plainest.environment, *plainest.prepared, processors=1)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there are no such signals there")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_who_is_ended_while_compiling_leaves_nothing(number, tmp_path):
    """Nor does the next one compile beside what still goes on: it waits for that."""
    environment = {**os.environ, "CEJ_SIM_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(PACKAGE.parent)}
    compare = [sys.executable, "-P", "-m", "cej_sim", "compare", "--runs", "1", "--months", "2", "--out"]
    folder = tmp_path / f"cej_sim-{compiled.source_hash()}"
    first = subprocess.Popen([*compare, str(tmp_path / "first")], env=environment, stderr=subprocess.DEVNULL)
    while not list(folder.glob("drafts-*/*/*.nbc")):
        assert first.poll() is None
        time.sleep(0.05)
    first.send_signal(number)
    assert first.wait(10) == (143 if number == signal.SIGTERM else -number)
    second = subprocess.run([*compare, str(tmp_path / "second")], env=environment, capture_output=True, check=False)
    assert second.returncode == 0, second.stderr
    assert not list(folder.glob("drafts-*"))
    assert len(list(folder.rglob("*run_months*.nbc"))) == 1


UNPREPARED = """
import sys
from cej_sim import compiled, month, warmup
from cej_sim.reading import load
from cej_sim.runs import simulate
broken = {broken}
if broken:
    start = warmup._start
    warmup._start = lambda _, *rest, **streams: start("nothing_of_that_name", *rest, **streams)
months = [simulate(load(name), runs=2, seed=3, months=30).monthly for name in ("converted_by_motion", "community_led")]
assert sum(month.run_months.stats.cache_misses.values()) == broken
print(*(one.drop(columns="scenario").to_numpy(float).tobytes().hex() for one in months))
"""


@pytest.mark.slow
@pytest.mark.long
def test_where_the_preparation_fails_the_first_run_compiles_the_same(tmp_path):
    """Without drafts: what numba makes of whole kernels gives the same bits."""
    told = []
    for broken in (1, 0):
        environment = {**os.environ, **({"CEJ_SIM_CACHE_DIR": str(tmp_path / "cache")} if broken else {})}
        command = [sys.executable, "-c", UNPREPARED.format(broken=broken)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        told.append(done.stdout)
    assert told[0] == told[1]


def test_what_cannot_be_kept_is_computed_all_the_same(tmp_path):
    """With a word about it, once."""
    code = """
import errno
import numpy as np
from numba.core import caching
from cej_sim import draws

def save(*_):
    raise OSError(errno.ENOSPC, "No space left on device")

caching.IndexDataCacheFile.save = save
print(draws.uniform(np.uint64(1), 2, 3, 4))
"""
    environment = {**os.environ, "CEJ_SIM_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert float(done.stdout) == draws.uniform(np.uint64(1), 2, 3, 4)
    assert done.stderr.count("cannot be kept in") == done.stderr.count("no space left on device") == 1


def test_a_kernel_for_compiled_callers_says_so_to_python():
    with pytest.raises(TypeError, match=r"clip is called by compiled code only; decorate it with @entry"):
        forms.clip(2.0, 0.0, 1.0)
