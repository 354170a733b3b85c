"""First use: have the engine compiled before it is needed, by two processes where there are two processors.

numba compiles one function after the other. A second process compiles half of the phases as drafts (see ``drafts``),
says so, and goes on with what builds a community; the first compiles the other half, and then the month, which takes
all phases from the drafts. Without a second processor, or if that process fails, one does all of it.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np

from cej_sim import compiled
from cej_sim.compiled import interpreted, is_cached
from cej_sim.draws import run_key
from cej_sim.metrics import METRICS, measure_arrays
from cej_sim.month import PHASES, RULES_DTYPE, SETS, VOTES_FIRST, VOTES_LAST, run_months
from cej_sim.phases import fund, reform
from cej_sim.population import populate
from cej_sim.processes import another_python, usable_processors
from cej_sim.scenario import Scenario, defaults, encode_events
from cej_sim.state import COALITION_DTYPE, State

#: Phases that the second process compiles; the first takes the others, what measures, and then the month. About as much
#: work either way.
SECOND = ("convene", "serve", "organize", "advocate", "contend", "fund", "coordinate", "evaluate")


def blank() -> State:
    """A state of one row everywhere: only the types of its arrays mean something."""

    def scalar(hint: Any) -> Any:
        """The numpy type somewhere within an annotation; numpy's versions build theirs differently."""
        if isinstance(hint, type) and issubclass(hint, np.generic):
            return hint
        return next(filter(None, map(scalar, get_args(hint))), None)

    def array(hint: Any) -> Any:
        axes = hint.__metadata__[0] if hasattr(hint, "__metadata__") else 1
        return np.zeros((1,) * axes, scalar(hint))

    hints = get_type_hints(State, include_extras=True)
    records = {"coalition": COALITION_DTYPE, "rules": RULES_DTYPE}
    return State(
        **{name: array(hint) for name, hint in hints.items() if name not in records},
        **{name: np.zeros(1, dtype).view(np.recarray) for name, dtype in records.items()},
    )


def _arguments(state: State) -> dict[str, Any]:
    """A value of the right type for every argument name that kernels use."""
    events, sets = encode_events(Scenario("blank", defaults())), SETS.view()
    sets.flags.writeable = False  # as an array is to a kernel that finds it as a global
    numbers = dict.fromkeys(("month", "K", "tables", "backbone", "start", "regular"), 1)
    return {
        **state._asdict(), **numbers, "key": np.uint64(1), "applying": 0.0, "c": state.coalition[0],
        "rules": state.rules[0],
        "pull": state.luck,
        "talked": state.offered, "chosen": state.offered, "sets": sets, "row": np.zeros(len(METRICS)),
        "s": state, "events": events, "out": np.zeros((1, len(METRICS))),
        **{f"event_{name}": value for name, value in events._asdict().items() if name != "event"},
        "event_id": events.event,
    }  # fmt: skip


def compile_kernels(kernels: list[Any]) -> None:
    """Compile kernels for the types that a state has, by the names of their arguments."""
    import numba

    known = {name: numba.typeof(value) for name, value in _arguments(blank()).items()}
    known |= {"votes_first": numba.types.literal(VOTES_FIRST), "votes_last": numba.types.literal(VOTES_LAST)}
    for kernel in kernels:
        kernel.compile(tuple(known[name] for name in inspect.signature(kernel.py_func).parameters))


def _phases(second: bool) -> list[Any]:
    """The phases of one of the two parts."""
    named = {module.__name__.rsplit(".", 1)[1]: module for module, _ in PHASES}
    return [getattr(module, name) for name, module in named.items() if (name in SECOND) == second]


@contextlib.contextmanager
def _compiling(folder: str) -> Iterator[None]:
    """A process that only compiles: it keeps drafts in a folder, and in memory all that it makes."""
    from cej_sim import drafts

    # What a compiler makes lives on anyway. Looking through it again and again takes a tenth of the time, and once more
    # at the end, unless it is frozen, half a second.
    gc.disable()
    drafts.keep(folder)
    asked_by = os.getppid()
    yield
    if os.getppid() != asked_by:  # who would have cleared up was killed
        shutil.rmtree(folder, ignore_errors=True)
    gc.freeze()


def compile_first_part(drafts: str) -> None:
    """Compile the first part of the phases and, as soon as standard input says that the others are done, the month."""
    with _compiling(drafts):
        compile_kernels([*_phases(False), reform.mandate, measure_arrays])
        sys.stdin.readline()
        compile_kernels([run_months])


def compile_second_part(drafts: str) -> None:
    """Compile the second part of the phases and say so, then what builds a population."""
    with _compiling(drafts):
        compile_kernels([*_phases(True), fund.disband])
        print("done", flush=True)
        small = {**defaults(), "community.residents": 6, "community.institutions": 2}
        populate(Scenario("small", small, months=1), int(run_key(np.uint64(1), np.uint64(1))))


#: The package as it lies here.
HERE = Path(__file__).parent


def is_compiled() -> bool:
    """Whether the engine as it lies here is compiled, so that the first run need not wait.

    numba keeps apart what it compiled from each folder, and compiles again what is older than its source: another copy
    of the package, or a newer one in the same place, begins anew although their texts are the same.
    """
    if interpreted() or not is_cached():
        return interpreted()
    folder = compiled.CACHE_DIRECTORY / f"{HERE.name}_{hashlib.sha1(str(HERE).encode()).hexdigest()}"
    times = [file.stat().st_mtime for file in (HERE / "month.py", *(HERE / "phases").glob("*.py"))]
    newest = max((one for one in times if one <= time.time()), default=0.0)
    return any(file.stat().st_mtime >= newest for file in folder.glob("*run_months*.nbi"))


@cache
def prepare() -> None:
    """Have the engine compiled unless it is in the cache; results do not depend on how it was compiled.

    A process looks once: what it has loaded does not change, whatever happens to the files meanwhile.

    Other processes do it, at optimization level 1: that takes a tenth less, and the month is as fast as at level 3.
    What fails there is compiled when it is first called.
    """
    if is_compiled():
        return
    with _turn() as lock:
        if is_compiled():
            return
        with (
            tempfile.TemporaryDirectory(
                prefix="drafts-", dir=compiled.CACHE_DIRECTORY, ignore_cleanup_errors=True
            ) as drafts,
            contextlib.ExitStack() as ending,
        ):

            def start(function: str, **streams: Any) -> subprocess.Popen[bytes]:
                process = _start(function, drafts, pass_fds=lock, **streams)
                ending.callback(process.wait)
                ending.callback(process.kill)  # first of the two; nothing where it has ended
                return process

            if usable_processors() == 1:
                start("compile_second_part").wait()
                start("compile_first_part").wait()
                return
            second = start("compile_second_part", stdout=subprocess.PIPE)
            first = start("compile_first_part", stdin=second.stdout)
            if second.stdout is not None:
                second.stdout.close()
            first.wait()
            second.wait()


@contextlib.contextmanager
def _turn() -> Iterator[tuple[int, ...]]:
    """Wait until no other process compiles into the same cache (where the system can lock files).

    Yields:
        What holds the lock. Processes to which it is passed on hold it, too, should this one be killed.
    """
    try:
        import fcntl
    except ImportError:
        yield ()
        return
    with open(compiled.CACHE_DIRECTORY / "compiling.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield (file.fileno(),)


def _start(function: str, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
    """Another Python that calls a function of this module, and shows nothing."""
    settings = {"CEJ_SIM_CACHE_DIR": str(compiled.CACHE_DIRECTORY.parent), "NUMBA_OPT": "1"}
    code = f"from cej_sim.warmup import {function}; {function}(*{arguments})"
    nothing = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    return another_python(code, settings, **{**nothing, **streams})
