"""First use: have the engine compiled before it is needed, by two processes where there are two processors.

numba compiles one function after the other. A second process compiles half of the phases into the same disk cache,
from which the first then takes them. Without a second processor, or if that process fails, one does all of it.
"""

from __future__ import annotations

import inspect
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core import config

from cej_sim.compiled import is_cached
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


def compile_part(second: bool, example_file: str | Path) -> None:
    """Compile one part into the disk cache; the second part also compiles what builds a population."""
    config.OPT = type(config.OPT)(1)
    _compile(_part(second), pickle.loads(Path(example_file).read_bytes()))
    if second:
        example()


def prepare() -> None:
    """Compile the engine unless it is in the cache. Results do not depend on how it was compiled."""
    if is_cached():
        return
    before = config.OPT
    # Level 1 compiles about a fifth faster than 3; the compiled month is as fast.
    config.OPT = type(before)(1)
    try:
        if usable_processors() > 1:
            _compile_in_two()
        state = example()
        out = np.zeros((1, len(METRICS)))
        measure(state, 0, out[0])
        run_months(state, encode_events(Scenario("example", defaults())), np.uint64(1), 0, out)
    finally:
        config.OPT = before


def _compile_in_two() -> None:
    """Compile the two parts side by side; what fails here is compiled later, by this process alone."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "example.pickle"
        make = "import pickle, sys; from cej_sim.warmup import example; pickle.dump(example(), open(sys.argv[1], 'wb'))"
        part = "import sys; from cej_sim.warmup import compile_part; compile_part(True, sys.argv[1])"
        search = os.pathsep.join([str(Path(__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": search}
        made = _start(make, file, {**environment, "NUMBA_DISABLE_JIT": "1"})
        if made.wait() != 0:
            return
        second = _start(part, file, environment)
        try:
            compile_part(False, file)
        finally:
            second.wait()


def _start(code: str, file: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Another Python that runs some code with a file's path as its argument, and says nothing."""
    return subprocess.Popen(
        [sys.executable, "-c", code, str(file)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
