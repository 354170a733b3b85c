"""First use: have the engine compiled before it is needed, by two processes where there are two processors.

numba compiles one function after the other. A second process compiles half of the phases into the same disk cache,
from which the first then takes them. Without a second processor, or if that process fails, one does all of it.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np

from cej_sim.compiled import CACHE_DIRECTORY, is_cached
from cej_sim.metrics import METRICS, measure_arrays
from cej_sim.month import PHASES, SETS, measure, run_months
from cej_sim.phases import decide, fund, reform
from cej_sim.population import populate
from cej_sim.scenario import Scenario, defaults, encode_events
from cej_sim.state import State

#: Phases that the second process compiles; the first takes the others, which are about as much work.
SECOND = ("serve", "organize", "advocate", "contend", "evaluate", "fund", "experience")


def usable_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def example() -> State:
    """A tiny state: only the types of its arrays matter."""
    return populate(
        Scenario("example", {**defaults(), "community.residents": 6, "community.institutions": 2}, months=1), 1
    )


def _arguments(state: State) -> dict[str, Any]:
    """A value of the right type for every argument name that kernels use."""
    events = encode_events(Scenario("example", defaults()))
    numbers = dict.fromkeys(("month", "K", "tables", "backbone", "votes_first", "votes_last"), 1)
    return {
        **state._asdict(), **numbers, "key": np.uint64(1), "applying": 0.0, "c": state.coalition[0],
        "rules": state.rules[0],
        "talked": state.offered, "chosen": state.offered, "sets": SETS, "row": np.zeros(len(METRICS)),
        **{f"event_{name}": value for name, value in events._asdict().items() if name != "event"},
        "event_id": events.event,
    }  # fmt: skip


def _compile(kernels: list[Any], state: State) -> None:
    """Compile kernels for the types that a state has, by the names of their arguments."""
    values = _arguments(state)
    for kernel in kernels:
        names = list(inspect.signature(kernel.py_func).parameters)
        kernel.compile(tuple(numba.typeof(values[name]) for name in names))


def _part(second: bool) -> list[Any]:
    """The kernels of one of the two parts, what others call first."""
    named = {module.__name__.rsplit(".", 1)[1]: module for module, _ in PHASES}
    kernels = [getattr(module, name) for name, module in named.items() if (name in SECOND) == second]
    if second:
        return [*kernels, fund.disband, measure_arrays]
    return [decide.decide, *(kernel for kernel in kernels if kernel is not decide.decide), reform.mandate]


def compile_second_part() -> None:
    """Compile what builds a population, and the second part of the phases, into the disk cache."""
    _compile(_part(True), example())


def compile_engine() -> None:
    """Compile all of the engine into the disk cache; ``prepare`` has a process of its own do it."""
    if usable_processors() > 1:
        _compile_in_two()
    state = example()
    out = np.zeros((1, len(METRICS)))
    measure(state, 0, out[0])
    run_months(state, encode_events(Scenario("example", defaults())), np.uint64(1), 0, out)


def prepare() -> None:
    """Have the engine compiled unless it is in the cache; results do not depend on how it was compiled.

    Another process does it, at optimization level 1: that compiles a third faster, and the month is as fast as at level
    3. What fails there is compiled when it is first called.
    """
    if is_cached():
        return
    with _turn():
        if not is_cached():
            _start("from cej_sim.warmup import compile_engine; compile_engine()", {"NUMBA_OPT": "1"}).wait()


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    """Wait until no other process compiles into the same cache (where the system can lock files)."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(CACHE_DIRECTORY / "compiling.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile_in_two() -> None:
    """Compile the two parts side by side; what fails here is compiled later, by this process alone."""
    second = _start("from cej_sim.warmup import compile_second_part; compile_second_part()", {})
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "example.pickle"
            # The first part needs a state to begin with: made without compiling, as the second process compiles that.
            make = (
                "import pickle as p, sys; from cej_sim import warmup; p.dump(warmup.example(), open(sys.argv[1], 'wb'))"
            )
            if _start(make, {"NUMBA_DISABLE_JIT": "1"}, str(file)).wait() == 0:
                _compile(_part(False), pickle.loads(file.read_bytes()))
    finally:
        second.wait()


def _start(code: str, settings: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    """Another Python that runs some code of this package, and says nothing."""
    search = os.pathsep.join([str(Path(__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": search, "CEJ_SIM_CACHE_DIR": str(CACHE_DIRECTORY.parent), **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
