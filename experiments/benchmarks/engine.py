"""What the engine of sweeps costs over the bare core, as a ratio inside one run.

    python experiments/benchmarks/engine.py [--workers 2] [--repeats 5] [--cells 40] [--json FILE]

The same cells are computed, in turns, by bare processes that do nothing but `run_once` (each takes its share of the
cells and throws the numbers away), and by the engine: private worker processes, hashing, Parquet parts, ledger. Both
times run from the moment when all processes have loaded the model to the end of the last cell (for the engine: to the
end of the last entry in the ledger), so that starting Python is in neither. Beside the time that passes, processor time
is set against processor time, with the driver's in the engine's: it hardly changes when others use the computer. The
median of the ratios counts.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cej_sim.metrics import METRICS
from cej_sim.reading import load
from cej_sim.runs import key_of, run_once
from cej_sim.scenario import encode_events
from cej_sim.sweeps import crew, runner, store, worker
from cej_sim.sweeps.design import Design, Factor, Plan
from cej_sim.warmup import prepare


def design(cells: int, runs: int) -> Design:
    """Both shipped arms at so many levels of the grant; what designs keep by default is kept."""
    levels = tuple(6.0 + place / cells for place in range(cells))
    factor = Factor("funder.grant", "Grant", levels, path="funder.grant")
    arms = (load("collective_impact"), load("community_led"))
    return Design("overhead", "grid", arms, (factor,), runs=runs, months=120)


def bare_share(cells: int, runs: int, number: int, of: int) -> None:
    """One bare process: say that it is ready, wait for a line, compute every of-th cell, say that it is done."""
    plan = Plan(design(cells, runs))
    out = np.empty((plan.design.months + 1, len(METRICS)))
    worker.warm(plan)
    print(time.process_time(), flush=True)
    sys.stdin.readline()
    started = time.process_time()
    for cell in range(number, cells, of):
        for scenario in plan.scenarios(cell).values():
            events = encode_events(scenario)
            for run in range(runs):
                run_once(scenario, key_of(plan.seed(cell), run), out, None, events)
    print(time.process_time() - started, flush=True)


def bare(cells: int, runs: int, workers: int) -> tuple[float, float, float]:
    """Seconds that bare processes take together, of their processors, and of these until all could begin."""
    crew = [
        subprocess.Popen(
            [sys.executable, __file__, "--share", str(cells), str(runs), str(number), str(workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(workers)
    ]
    before = sum(float(process.stdout.readline()) for process in crew if process.stdout is not None)
    started = time.perf_counter()
    for process in crew:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    used = sum(float(process.stdout.readline()) for process in crew if process.stdout is not None)
    seconds = time.perf_counter() - started
    for process in crew:
        process.communicate()
    return seconds, used, before


def engine(cells: int, runs: int, workers: int) -> tuple[float, float]:
    """Seconds that the engine takes once its workers are ready, and seconds of processors from their start on."""
    made = design(cells, runs)
    with tempfile.TemporaryDirectory() as folder:
        ledger = store.create(Path(folder), made, runner.WHOLE, None)
        plan = Plan(made)
        ready: list[float] = []
        used = -processors()
        crew.compute_here(
            Path(folder),
            plan,
            crew.Todo(range(cells), cells, workers),
            workers=workers,
            cell=worker.compute_cell,
            keep=lambda part, batch: ledger.record(part, batch.done, batch.failed),
            ready=lambda: ready.append(time.perf_counter()),
        )
        seconds, used = time.perf_counter() - ready[-1], used + processors()
        assert ledger.counts() == (cells, 0)
        ledger.close()
    return seconds, used


def processors() -> float:
    """Processor time of this process and of those it has started and seen end."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in found)


def main() -> None:
    """Measure in turns and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cells", type=int, default=40)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--share", type=int, nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.share:
        bare_share(*options.share)
        return
    prepare()
    size = options.cells, options.runs, options.workers
    rows = []
    for _ in range(options.repeats):
        bare_time, bare_used, before = bare(*size)
        engine_time, engine_used = engine(*size)
        rows.append({"time": engine_time / bare_time, "processors": (engine_used - before) / bare_used})
        rows[-1] |= {"bare_s": bare_time, "engine_s": engine_time, "bare_used_s": bare_used}
    total = options.cells * options.runs * 2
    print(
        f"{total} runs of 120 months by {options.workers} workers, {options.repeats} times in turns: engine / bare core"
    )
    for row in rows:
        print(f"  time {row['time']:.3f}, processor time {row['processors']:.3f} (bare core {row['bare_s']:.1f} s)")
    medians = {what: statistics.median(row[what] for row in rows) for what in ("time", "processors")}
    print(f"medians: time {medians['time']:.3f}, processor time {medians['processors']:.3f}")
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "medians": medians}, indent=1) + "\n")


if __name__ == "__main__":
    main()
