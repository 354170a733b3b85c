"""Cells for tests of the engine of sweeps: cheap ones, and ones that fail in every way until they are mended."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np

from cej_sim.sweeps.design import Plan
from cej_sim.sweeps.store import Probed
from cej_sim.sweeps.worker import Cell, compute_cell

#: Cells of ``faulty`` that raise, kill their worker, end it, and hang.
RAISES, KILLS, ENDS, HANGS = 3, 5, 7, 11

#: The environment variable that names a file which, once it is there, mends ``faulty``.
MENDED = "CEJ_TEST_MENDED"


def cheap(plan: Plan, cell: int) -> Cell:
    """Numbers made from the cell's number, with a missing one and a probe."""
    design = plan.design
    luck = np.random.Generator(np.random.Philox(cell))
    shape = (len(design.names), 1 + cell % 3, len(design.keep_months), len(design.keep_metrics))
    rows = luck.random(shape)
    rows[0, 0, 0, 0] = np.nan
    probes = [Probed(name, 0, "causal_influence", "resident", 12, float(cell)) for name in design.names if cell % 2]
    return Cell(rows, probes)


def faulty(plan: Plan, cell: int) -> Cell:
    """As ``cheap``, but for four cells."""
    if not Path(os.environ[MENDED]).exists():
        if cell == RAISES:
            raise ValueError("the votes\nadd up to nothing")
        if cell == KILLS:
            os.kill(os.getpid(), signal.SIGKILL)
        if cell == ENDS:
            os._exit(3)
        if cell == HANGS:
            threading.Event().wait()
    return cheap(plan, cell)


def announced(plan: Plan, cell: int) -> Cell:
    """As ``cheap``, but the first tells a pipe its process's number, and waits for the end."""
    with open(os.environ[MENDED], "w") as pipe:
        print(os.getpid(), file=pipe)
    threading.Event().wait()
    return cheap(plan, cell)


#: The first cell at which ``stuck`` waits.
STUCK = 5


def stuck(plan: Plan, cell: int) -> Cell:
    """As ``cheap`` at first, then as ``announced``."""
    return cheap(plan, cell) if cell < STUCK else announced(plan, cell)


def treacherous(plan: Plan, cell: int) -> Cell:
    """As ``faulty``, but where that kills its worker it also kills the process that started it."""
    if cell == KILLS and not Path(os.environ[MENDED]).exists():
        os.kill(os.getppid(), signal.SIGKILL)
    return faulty(plan, cell)


def slow(plan: Plan, cell: int) -> Cell:
    """As ``cheap``, but takes a few hundredths of a second of work."""
    for _ in range(20):
        np.linalg.svd(np.random.default_rng(cell).random((60, 60)))
    return cheap(plan, cell)


#: Libraries that computing cells does not need.
HEAVY = ("mesa", "matplotlib", "networkx", "solara")


def loaded(plan: Plan, cell: int) -> Cell:
    """The model's own numbers, and how many libraries the worker has loaded that it does not need."""
    found = compute_cell(plan, cell)
    count = sum(name in sys.modules for name in HEAVY)
    return found._replace(probes=[Probed(plan.design.names[0], 0, "loaded", "libraries", -1, float(count))])


def sleepy(plan: Plan, cell: int) -> Cell:
    """As ``cheap``, but takes three seconds in which it is not stopped, and says by a file that it has begun."""
    Path(f"awake-{cell}").touch()
    for _ in range(60):
        time.sleep(0.05)
    return cheap(plan, cell)
