"""What computes cells: one after the other, with the compiled months, in a process of its own.

The rows of a cell depend on the plan and the cell's number only; neither the batch nor the process matter.
"""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import queue
import signal
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import stdtrit

from cej_sim.metrics import METRICS, NAMES
from cej_sim.runs import budget_refusals, causal_influence, irreversibility, key_of, run_once
from cej_sim.scenario import encode_events
from cej_sim.sweeps import store
from cej_sim.sweeps.design import Auto, Plan, Probe
from cej_sim.sweeps.store import Done, Failed, Probed

#: Runs that `runs: auto` adds at a time.
BLOCK = 8

#: Rows of one batch take at most about this much memory.
BATCH_BYTES = store.PART_BYTES


class Cell(NamedTuple):
    """What came of a cell: rows (scenarios, runs, kept months, kept metrics), and probes."""

    rows: NDArray[np.float64]
    probes: list[Probed]


#: What computes a cell of a plan.
Compute = Callable[[Plan, int], Cell]


# One cell


def compute_cell(plan: Plan, cell: int) -> Cell:
    """Run a cell's scenarios with common luck, and its probes.

    Raises:
        ValueError: If the cell's values do not go together, or give one scenario more money than another where the
            design does not allow that; the message says why.
    """
    design, seed = plan.design, plan.seed(cell)
    scenarios, in_runs = plan.scenarios(cell), plan.in_runs(cell)
    refusals = [] if design.allow_unequal_budgets else budget_refusals(scenarios, design.months)
    if refusals:
        raise ValueError(refusals[0].rpartition("; ")[0])
    months, metrics = np.asarray(design.keep_months), np.array([NAMES.index(name) for name in design.keep_metrics])
    there = months <= plan.months(cell)
    kept = np.ix_(months[there], metrics)
    events = {name: encode_events(scenario) for name, scenario in scenarios.items()}
    out = np.empty((plan.months(cell) + 1, len(METRICS)))
    rows = np.full((len(scenarios), plan.runs(cell), len(months), len(metrics)), np.nan)
    watched = []
    run = 0
    for run in range(plan.runs(cell)):
        key = key_of(seed, run)
        seen = []
        for place, name in enumerate(scenarios):
            run_once(in_runs(name, run), key, out, None, events[name])
            rows[place, run, there] = out[kept]
            if design.auto is not None and place < 2:
                seen.append(float(out[design.auto.month, NAMES.index(design.auto.metric)]))
        watched.append(seen[-1] - seen[0] if len(seen) > 1 else sum(seen))
        if design.auto is not None and enough(design.auto, watched):
            break
    probes = [one for name in scenarios for probe in plan.probes(cell) for one in _probe(plan, cell, probe, name)]
    return Cell(rows[:, : run + 1], probes)


def enough(auto: Auto, values: Sequence[float]) -> bool:
    """Whether the runs so far suffice: looked at after the fewest runs, and then after every block."""
    runs = len(values)
    if runs < max(auto.least, 2) or (runs - max(auto.least, 2)) % BLOCK:
        return False
    there = [value for value in values if not math.isnan(value)]
    count = len(there)
    if count < 2:
        return False
    mean = math.fsum(there) / count
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in there) / (count - 1))
    return float(stdtrit(count - 1.0, 0.975)) * deviation / math.sqrt(count) <= auto.half_width


def _probe(plan: Plan, cell: int, probe: Probe, name: str) -> list[Probed]:
    """A probe of one scenario in a cell, by run; runs that share their parameter set are computed together."""
    design, seed, in_runs = plan.design, plan.seed(cell), plan.in_runs(cell)
    sets = len(design.ensemble) if design.ensemble is not None else 1
    found = []
    for first in range(min(sets, probe.runs)):
        scenario, numbers = in_runs(name, first), range(first, probe.runs, sets)
        if probe.kind == "causal_influence":
            table = causal_influence(
                scenario, seed=seed, months=plan.months(cell), bloc=probe.bloc, threads=1, numbers=numbers
            )
            columns = (table[column].tolist() for column in ("run", "month", "influence"))
            for run, month, value in zip(*columns, strict=True):
                if month in design.keep_months:
                    found.append(Probed(name, run, probe.kind, probe.bloc, month, value))
        else:
            loop = irreversibility(
                scenario, probe.path, probe.low, probe.high, probe.hold, probe.steps, seed=seed, threads=1,
                numbers=numbers,
            )  # fmt: skip
            table = loop.per_run[loop.per_run["metric"].isin(probe.metrics)]
            columns = (table[column].tolist() for column in ("run", "metric", "area", "drift"))
            for run, metric, area, drift in zip(*columns, strict=True):
                found.append(Probed(name, run, f"{probe.kind}_area", metric, -1, area))
                found.append(Probed(name, run, f"{probe.kind}_drift", metric, -1, drift))
    return sorted(found, key=lambda one: one.run)


# A batch of cells


@dataclass
class Batch:
    """What came of some cells.

    Attributes:
        rows, probes: Of the finished cells; None where there are none.
        done, failed: The cells that ended, either way.
        left: Cells that were not begun, because the batch had taken long enough.
        seconds: How long it took.
    """

    rows: pa.Table | None = None
    probes: pa.Table | None = None
    done: list[Done] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    seconds: float = 0.0


def compute(
    plan: Plan,
    cells: Sequence[int],
    *,
    seconds: float = math.inf,
    begin: Callable[[int], None] | None = None,
    cell: Compute = compute_cell,
) -> Batch:
    """Compute cells in this process; one that raises an error is put down with it, and the others go on.

    Args:
        plan: Whose cells.
        cells: Their numbers, ascending.
        seconds: After this long, no further cell is begun.
        begin: Told the number of each cell before it begins.
        cell: What computes one.
    """
    batch = Batch()
    arrays, probes, size = [], [], 0
    started = time.perf_counter()
    for place, number in enumerate(cells):
        before = time.perf_counter()
        if place and (before - started > seconds or size > BATCH_BYTES):
            batch.left = list(cells[place:])
            break
        if begin is not None:
            begin(number)
        try:
            found = cell(plan, number)
        except (Exception, SystemExit) as error:
            batch.failed.append(failure(plan, number, error, time.perf_counter() - before))
            continue
        rows = store.canonical(found.rows)
        digest = store.cell_hash(plan.design, rows, found.probes)
        arrays.append(rows)
        probes.append(found.probes)
        size += rows.nbytes
        batch.done.append(Done(number, digest, int(rows.shape[1]), time.perf_counter() - before))
    finished = [one.cell for one in batch.done]
    if finished:
        batch.rows = store.row_table(plan.design, finished, arrays)
        batch.probes = store.probe_table(finished, probes) if any(probes) else None
    batch.seconds = time.perf_counter() - started
    return batch


def failure(plan: Plan, cell: int, error: BaseException, seconds: float) -> Failed:
    """A cell's error as it is put down."""
    words = " ".join(str(error).split())
    kind = type(error).__name__
    plain = f"{kind}: {words}" if words else kind
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-4))
    return Failed(cell, plain[:500], trace[-4000:], str(plan.seed(cell)), seconds)


# The process

#: A message to the driver: a cell begins (its number follows), or something longer (its length follows).
BEGIN, MESSAGE = b"B", b"M"
HEAD = struct.Struct("<cq")


class Setup(NamedTuple):
    """What a worker is told first."""

    plan: Plan
    cell: Compute
    directory: Path


def main() -> None:
    """Compute batches for the driver at the other end of standard input and output, until it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's business
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a cell prints does not disturb the conversation

    def send(kind: bytes, number: int, content: bytes = b"") -> None:
        rest = memoryview(HEAD.pack(kind, number) + content)
        try:
            while rest:
                rest = rest[os.write(outgoing, rest) :]
        except OSError:
            os._exit(1)  # nobody is left to work for

    def tell(message: Any) -> None:
        content = pickle.dumps(message)
        send(MESSAGE, len(content), content)

    sys.path[:] = pickle.load(incoming)
    setup: Setup = pickle.load(incoming)
    pa.set_cpu_count(1)
    if setup.cell is compute_cell:
        warm(setup.plan)
    tasks: queue.SimpleQueue[tuple[list[int], float] | None] = queue.SimpleQueue()

    def listen() -> None:
        with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                tasks.put(pickle.load(incoming))
        os._exit(1)  # the driver is gone; whatever is being computed, nobody will list it

    threading.Thread(target=listen, daemon=True).start()
    tell("ready")
    while (task := tasks.get()) is not None:
        cells, seconds = task
        batch = compute(setup.plan, cells, seconds=seconds, begin=lambda cell: send(BEGIN, cell), cell=setup.cell)
        send(BEGIN, -1)
        part = None
        try:
            if batch.rows is not None:
                part = store.write_part(setup.directory, batch.rows, batch.probes)
        except store.SweepFailure as error:
            tell(str(error))
        else:
            batch.rows = batch.probes = None
            tell((batch, part))


def warm(plan: Plan) -> None:
    """Have everything loaded that the first cell would wait for; what is wrong shows when a cell's turn comes."""
    out = np.empty((2, len(METRICS)))
    with contextlib.suppress(Exception):
        for scenario in plan.design.scenarios[:1]:
            run_once(scenario, key_of(0, 0), out)
