"""What takes long and several tests look at is made once, even if several workers run them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

try:
    import fcntl
except ImportError:  # a system that cannot lock files: each worker makes its own
    fcntl = None  # type: ignore[assignment]


def once(places: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that one of the workers of this session has filled; nobody may change what is in it.

    Args:
        places: The fixture ``tmp_path_factory``.
        name: What the folder holds; the same name is the same folder.
        make: Fills the folder. If it fails, whoever asks next tries again.
    """
    base = places.getbasetemp()
    if fcntl is not None and "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # of all workers
    shared = base / "once"
    shared.mkdir(exist_ok=True)
    folder, made = shared / name, shared / f"{name}.made"
    with _alone(shared / f"{name}.lock"):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other worker holds a lock, and hold it."""
    with lock.open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Plainest(NamedTuple):
    """An engine for the plainest processor of its kind: by which environment it is used, and what was compiled."""

    environment: dict[str, str]
    prepared: set[str]


PREPARED = """
import json, subprocess
from cej_sim import compiled, warmup
start = subprocess.Popen
subprocess.Popen = lambda *what, env, **how: start(*what, env={**env, "NUMBA_OPT": "3"}, **how)
warmup.usable_processors = lambda: 1
warmup.prepare()
print(json.dumps([str(file) for file in compiled.CACHE_DIRECTORY.rglob("*.nbc")]))
"""


def plainest_engine(places: pytest.TempPathFactory) -> Plainest:
    """Have one process compile the engine for the plainest processor, at optimization level 3, once for all workers."""

    def use(folder: Path) -> dict[str, str]:
        path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
        generic = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
        return {**os.environ, **generic, "CEJ_SIM_CACHE_DIR": str(folder), "PYTHONPATH": path}

    def make(folder: Path) -> None:
        command = [sys.executable, "-c", PREPARED]
        done = subprocess.run(command, env=use(folder), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (folder / "prepared.json").write_text(done.stdout)

    folder = once(places, "plainest", make)
    return Plainest(use(folder), set(json.loads((folder / "prepared.json").read_text())))
