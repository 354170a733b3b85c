"""Sweeps from beginning to end: computed, gone on with, tried again, put together, and computed again to be sure.

``crew`` computes the cells on this computer, ``cluster`` on others; the process that asks for the sweep alone writes
its ledger.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from cej_sim import provenance
from cej_sim.sweeps import store, worker
from cej_sim.sweeps.crew import Todo, compute_here
from cej_sim.sweeps.design import Design, Plan
from cej_sim.sweeps.store import Ledger, Shard, Sweep, SweepError, SweepFailure
from cej_sim.sweeps.worker import Batch, Compute
from cej_sim.warmup import prepare, usable_processors

#: All cells.
WHOLE = Shard()

#: So many cells at a time are looked through for those that are to be computed.
_CHUNK = 1_000_000


class Count(NamedTuple):
    """How far a sweep is."""

    done: int
    failed: int
    cells: int


Progress = Callable[[Count], None]


# A sweep


def sweep(
    design: Design | str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    workers: int | None = None,
    shard: Shard | tuple[int, int] = WHOLE,
    scheduler: str | None = None,
    progress: Progress | None = None,
    command: str | None = None,
    compute: Compute = worker.compute_cell,
) -> Sweep:
    """Compute the cells of a design that are not computed yet.

    Args:
        design: A design, or the path of a design file.
        out: The directory; one that holds this sweep half done is gone on with. Without it, a temporary directory is
            made, which is removed with the result.
        workers: Processes that compute; by default as many as there are usable processors.
        shard: ``(i, n)``: only every n-th cell, beginning with the i-th; ``merge`` puts shards together.
        scheduler: Address of a Dask scheduler whose workers compute instead.
        progress: Told how far it is, now and then.
        command: The command line that asked for this, for the provenance.
        compute: What computes a cell; a function that workers can import.

    Returns:
        The sweep: ``cells``, ``rows()``, ``probes()``, ``content_hash``.

    Raises:
        SweepError: If the directory holds something else, or another process works in it.
        SweepFailure: If the disk is full, or workers cannot be started; what is done is kept.
        DesignError: If the design file has mistakes.
    """
    if not isinstance(design, Design):
        from cej_sim.sweeps.reading import read_design

        design = read_design(Path(design))
    shard = checked_shard(shard)
    check_hands(workers, scheduler)
    _check_shard(design, shard)
    temporary = tempfile.TemporaryDirectory(prefix="cej_sim-sweep-") if out is None else None
    directory = provenance.output_path(temporary.name if temporary is not None else out or "")
    with _connected(directory, scheduler) as client, _working_in(directory):
        ledger = store.create(directory, design, shard, command)
        try:
            for part in ledger.missing_parts():
                ledger.drop(part.name)
            ledger.tidy()
            design = store.stored_design(directory, ledger.about())
            plan = Plan(design)
            status = ledger.status(len(plan))[list_of(shard, len(plan))]
            if (status == 0).any() or not is_finished(directory):
                store.write_provenance(directory, ledger, design)
                with _described(directory, ledger, plan, shard):
                    _compute(ledger, plan, shard, status == 0, workers, scheduler, client, compute, progress)
                _end(directory, ledger, plan, shard)
        finally:
            with contextlib.suppress(Exception):
                ledger.tidy()
            ledger.close()
    found = Sweep(directory)
    found.temporary = temporary
    return found


def is_finished(directory: Path) -> bool:
    """Whether everything was written, also what comes last."""
    said = provenance.read(directory) or {}
    return bool(said.get("complete")) and (directory / store.CELLS).exists()


def check_hands(workers: int | None, scheduler: str | None) -> None:
    """Find out whether it is said soundly who is to compute.

    Raises:
        SweepError: If the number of workers or the address of a scheduler is none, or both are given.
    """
    problems = []
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        problems.append(f"workers: {workers} is not a number of workers; write a whole number of at least 1")
    if scheduler is not None:
        found = re.fullmatch(r"(?:(?:tcp|tls|ws|wss|ucx)://)?(?:\[[0-9A-Fa-f:.%]+\]|[\w.-]+):([0-9]{1,5})", scheduler)
        if found is None or not 0 < int(found[1]) < 65536:
            problems.append(
                f"scheduler: {scheduler[:60]!r} is not an address; write one such as tcp://head-node:8786, as the "
                "first lines of `dask scheduler` say it"
            )
    if workers is not None and scheduler is not None:
        problems.append(
            "workers: with a scheduler, its own workers compute, as many as it has; leave out the number of workers, "
            "or the scheduler"
        )
    if problems:
        raise SweepError("\n".join(problems))


@contextlib.contextmanager
def _connected(directory: Path, scheduler: str | None) -> Iterator[Any]:
    """A client of a scheduler, before anything is begun in a directory; None where none is needed."""
    store.check_directory(directory)
    if scheduler is None or is_finished(directory):
        yield None
        return
    from cej_sim.sweeps import cluster

    client = cluster.connect(scheduler)
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):
            client.close(timeout=cluster.PATIENCE)


def list_of(shard: Shard, length: int) -> slice:
    """The cells of a shard, as a slice of all."""
    return slice(shard.number - 1, length, shard.of)


def checked_shard(shard: Shard | tuple[int, int] | str) -> Shard:
    """A shard from numbers or from ``i/n``.

    Raises:
        SweepError: If it is none.
    """
    parts = shard.split("/") if isinstance(shard, str) else list(shard)
    numbers = [int(part) for part in parts if str(part).isascii() and str(part).isdigit() and len(str(part)) < 10]
    if len(parts) != 2 or len(numbers) != 2 or not 1 <= numbers[0] <= numbers[1]:
        shown = shard if isinstance(shard, str) else "/".join(map(str, shard))
        raise SweepError(f"shard: {shown[:30]} is not a shard; write i/n with i from 1 to n, such as 1/4")
    return Shard(*numbers)


def _check_shard(design: Design, shard: Shard) -> None:
    cells = len(Plan(design))
    if shard.of > cells:
        raise SweepError(f"shard: {shard} has no sense for {cells} cells; write i/n with n up to {cells}")


@contextlib.contextmanager
def _working_in(directory: Path) -> Iterator[None]:
    """Be the only one who works in a directory, made if missing; a refusal leaves no trace."""
    store.check_directory(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SweepFailure(f"{directory} cannot be made: {(error.strerror or str(error)).lower()}") from error
    store.check_directory(directory)  # what is there now is what is written to
    with store.lock(directory):
        try:
            yield
        finally:
            store.remove_if_empty(directory)


def _compute(
    ledger: Ledger,
    plan: Plan,
    shard: Shard,
    wanted: np.ndarray[Any, np.dtype[np.bool_]],
    workers: int | None,
    scheduler: str | None,
    client: Any,
    compute: Compute,
    progress: Progress | None,
    again: bool = False,
) -> None:
    """Compute the wanted cells of a shard; ``again`` where they had failed."""
    cells = shard.cells(len(plan))
    count = int(wanted.sum())
    done, failed = ledger.counts()

    def advance(more_done: int, more_failed: int) -> None:
        nonlocal done, failed
        done, failed = done + more_done, failed + more_failed
        if progress is not None:
            progress(Count(done, failed, len(cells)))

    def keep(part: store.Part | None, batch: Batch) -> None:
        ledger.record(part, batch.done, batch.failed)
        advance(len(batch.done), len(batch.failed))

    advance(0, -count if again else 0)
    if not count:
        return
    todo_cells = (
        cells[start + int(place)]
        for start in range(0, len(cells), _CHUNK)
        for place in np.flatnonzero(wanted[start : start + _CHUNK])
    )
    if scheduler is not None:
        from cej_sim.sweeps.cluster import compute_there

        compute_there(
            ledger.directory, plan, todo_cells, count, address=scheduler, cell=compute, keep=keep, client=client
        )
        return
    prepare()
    hands = _hands(workers, count)
    compute_here(ledger.directory, plan, Todo(todo_cells, count, hands), workers=hands, cell=compute, keep=keep)


@contextlib.contextmanager
def _described(directory: Path, ledger: Ledger, plan: Plan, shard: Shard) -> Iterator[None]:
    """Where something stops a sweep half done, leave tables of cells and a provenance that say how far it is."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):  # what stopped it is what is to be said
            store.write_cells(directory, plan, ledger, shard)
            store.write_provenance(directory, ledger, plan.design)
        raise


def _end(directory: Path, ledger: Ledger, plan: Plan, shard: Shard) -> None:
    """Put everything in order at the end."""
    store.compact(directory, ledger)
    ledger.tidy()
    store.write_cells(directory, plan, ledger, shard)
    store.write_provenance(directory, ledger, plan.design)


def opened(directory: str | os.PathLike[str]) -> Sweep:
    """A sweep whose code and design are still what they were.

    Raises:
        SweepError: If they are not, or there is no sweep.
    """
    found = Sweep(directory)
    store.same(found.directory, found.about, found.design, found.shard)
    return found


def retry(
    directory: str | os.PathLike[str],
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
    compute: Compute = worker.compute_cell,
) -> Sweep:
    """Compute the failed cells of a sweep again; those that fail again stay failed.

    Raises:
        SweepError: If there is no sweep, its code has changed, or another process works there.
        SweepFailure: As ``sweep``.
    """
    directory = provenance.output_path(directory)
    check_hands(workers, scheduler)
    opened(directory).ledger.close()
    with _connected(directory, scheduler) as client, _working_in(directory):
        ledger = Ledger(directory)
        try:
            ledger.check()
            about = ledger.about()
            plan, shard = Plan(store.stored_design(directory, about)), Shard(*about["shard"])
            status = ledger.status(len(plan))[list_of(shard, len(plan))]
            with _described(directory, ledger, plan, shard):
                _compute(ledger, plan, shard, status == 2, workers, scheduler, client, compute, progress, again=True)
            _end(directory, ledger, plan, shard)
        finally:
            ledger.close()
    return Sweep(directory)


def merge(directories: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> Sweep:
    """Put shards of one design together to one sweep; what is missing in them can be computed there.

    Raises:
        SweepError: If they are not of one design and one version of the code, or disagree about a cell.
        SweepFailure: If the disk is full or a part is damaged.
    """
    sweeps = [opened(directory) for directory in directories]
    first, directory = sweeps[0], provenance.output_path(out)
    for one in sweeps:
        if directory.resolve() == one.directory.resolve():
            raise SweepError(f"{out} is one of the directories to be merged; name another for --out")
        if one.about["design_hash"] != first.about["design_hash"]:
            changed = store.design_differences(first.about["design"], one.about["design"])
            raise SweepError(
                f"{first.directory} and {one.directory} are sweeps of different designs ({changed}); "
                "merge only shards of one design"
            )
    with _working_in(directory):
        ledger = store.create(directory, first.design, Shard(), first.about["command"])
        try:
            for part in ledger.missing_parts():
                ledger.drop(part.name)
            ledger.tidy()
            for one in sweeps:
                _take_over(directory, ledger, one)
            _end(directory, ledger, first.plan, Shard())
        finally:
            ledger.close()
    return Sweep(directory)


def _take_over(directory: Path, ledger: Ledger, source: Sweep) -> None:
    """Copy the parts of a sweep whose cells are not there yet."""
    there, theirs = ledger.finished(), source.ledger.finished()
    for cell in there.keys() & theirs.keys():
        if there[cell].hash != theirs[cell].hash:
            raise SweepError(
                f"{source.directory} has other numbers for cell {cell} than the shards before it; "
                f"find out which are right with `cej-sim reproduce DIR {cell}`"
            )
    import pyarrow.compute as pc

    for part, listed in source.ledger.contents():
        wanted = [cell for cell in sorted(listed) if cell not in there]
        if wanted:
            inside = pa.array(wanted, pa.int64())
            rows, probes = (
                None if table is None else table.filter(pc.is_in(table.column("cell"), inside))
                for table in store.checked_part(source.directory, source.design, part, listed)
            )
            assert rows is not None
            made = store.write_part(directory, rows, probes)
            ledger.record(made, [theirs[cell] for cell in wanted], [])
    done = ledger.status(len(source.plan))
    ledger.record(None, [], [one for cell, one in source.ledger.failures().items() if done[cell] != 1])


# Computing a cell again


class Reproduced(NamedTuple):
    """What came of computing a stored cell again.

    Attributes:
        same: Whether it came out as it is stored: the same numbers, or the same failure.
        lines: That in words, and what differs.
        failed: Whether it failed now.
    """

    same: bool
    lines: list[str]
    failed: bool = False


def computed_apart(
    plan: Plan,
    cells: Sequence[int],
    *,
    compute: Compute = worker.compute_cell,
    patience: bool = True,
    ready: Callable[[], None] | None = None,
) -> Batch:
    """Compute some cells as a sweep does, in a process of their own which they may kill, and store nothing.

    Args:
        plan: Whose cells.
        cells: Their numbers, ascending.
        compute: What computes a cell.
        patience: Whether others are still computed after one has taken longer than the design's time limit.
        ready: Is told once the process could begin, for measuring.

    Returns:
        Rows and probes of the cells that are done, and which ended how.

    Raises:
        SweepFailure: If the disk for temporary files is full, or workers cannot be started.
    """
    whole, parts = Batch(), []

    class Enough(Exception):
        """A cell has taken too long."""

    with tempfile.TemporaryDirectory(prefix="cej_sim-cells-") as folder:
        directory = Path(folder)
        for name in (store.ROWS, store.PROBES):
            (directory / name).mkdir()

        def keep(part: store.Part | None, batch: Batch) -> None:
            whole.done += batch.done
            whole.failed += batch.failed
            parts.extend([part] if part is not None else [])
            if not patience and any(one.seconds >= plan.design.time_limit for one in batch.failed):
                raise Enough

        with contextlib.suppress(Enough):
            todo = Todo(cells, len(cells), 1)
            compute_here(directory, plan, todo, workers=1, cell=compute, keep=keep, ready=ready)
        rows, probes = (
            list(store.in_order([(part.first, directory / room / part.name) for part in some]))
            for room, some in ((store.ROWS, parts), (store.PROBES, [part for part in parts if part.probes]))
        )
    whole.rows, whole.probes = (pa.concat_tables(tables) if tables else None for tables in (rows, probes))
    return whole


def reproduce(directory: str | os.PathLike[str], cell: int, *, compute: Compute = worker.compute_cell) -> Reproduced:
    """Compute one cell again from what the directory holds, and set it against what is stored.

    It is computed as in the sweep, by a process of its own and within the design's time limit.

    Raises:
        SweepError: If there is no such cell.
        SweepFailure: If its part is damaged, or a worker cannot be started.
    """
    found = Sweep(directory)
    if not 0 <= cell < len(found.plan) or cell not in found.shard.cells(len(found.plan)):
        raise SweepError(f"cell: there is no cell {cell}; cells are numbered from 0 to {len(found.plan) - 1}")
    stored = found.ledger.finished(cell, cell).get(cell)
    failed = found.ledger.failures(cell, cell).get(cell)
    lines = [f"cell {cell}: {found.plan.label(cell)} (seed {found.plan.seed(cell)})"]
    if stored is None and failed is None:
        raise SweepError(f"cell {cell} was not computed yet; run `cej-sim sweep` to the end first")
    prepare()
    batch = computed_apart(found.plan, [cell], compute=compute)
    if batch.failed and failed is not None and batch.failed[0].error == failed.error:
        return Reproduced(True, [*lines, f"the failure was reproduced: {failed.error}"], True)
    if stored is None or batch.failed:
        before = "it was computed" if failed is None else f"it failed: {failed.error}"
        now = f"it fails: {batch.failed[0].error}" if batch.failed else "it is computed"
        lines += [f"when the sweep ran, {before}", f"now {now}"]
        return Reproduced(False, lines + _changes(found), bool(batch.failed))
    again = batch.done[0]
    rows, probes = found.cell(cell)
    part = found.directory / store.ROWS / str(found.ledger.part_of(cell))
    if not rows.schema.equals(store.row_schema(found.design)):
        raise store.changed_part(part, "its columns are others")
    try:
        unchanged = store.stored_hash(found.design, rows, probes) == stored.hash
    except (KeyError, ValueError):
        raise store.changed_part(part, f"cell {cell} has another number of rows, or a column is missing") from None
    if not unchanged:
        lines.append(f"the stored rows are not those that the ledger speaks of: their file has been changed ({part})")
    elif again.hash == stored.hash:
        return Reproduced(True, [*lines, f"the same numbers, SHA-256 {again.hash.hex()}"])
    else:
        lines += [f"other numbers: stored SHA-256 {stored.hash.hex()}, now {again.hash.hex()}"]
    assert batch.rows is not None
    return Reproduced(False, lines + _first_difference(found.design, rows, batch.rows) + _changes(found))


def _first_difference(design: Design, stored: Any, again: Any) -> list[str]:
    """Where the rows of a cell differ, in a line."""
    before, now = store.stored_array(design, stored), store.stored_array(design, again)
    if before.shape != now.shape:
        return [f"{before.shape[1]} runs are stored, and {now.shape[1]} were computed"]
    places = np.argwhere(~((before == now) | (np.isnan(before) & np.isnan(now))))
    if not len(places):
        return []
    scenario, run, month, metric = (int(number) for number in places[0])
    where = f"{design.names[scenario]}, run {run}, month {design.keep_months[month]}, {design.keep_metrics[metric]}"
    values = f"stored {before[tuple(places[0])]!r}, now {now[tuple(places[0])]!r}"
    return [f"{len(places)} of {before.size} numbers differ, first {where}: {values}"]


def _changes(found: Sweep) -> list[str]:
    """What is different from when a sweep was computed: code, versions, platform."""
    said = provenance.read(found.directory) or {}
    now = provenance.describe({}, seed=0, runs=0, months=0, engine=store.engine())
    lines = []
    if found.about["engine"] != store.engine():
        lines.append(f"the model's code has changed since: {found.about['engine']}, now {store.engine()}")
    for what in ("versions", "platform"):
        for name, value in said.get(what, {}).items():
            if now[what].get(name) != value:
                lines.append(f"{name}: {value} then, {now[what].get(name)} now")
    return lines or ["code, versions and platform are the same as then"]


# What a sweep will take


class Estimate(NamedTuple):
    """What a sweep would take.

    Attributes:
        cells: Of the shard.
        scenarios: Run in each cell.
        runs: Of all cells together, the fewest and the most.
        seconds: With so many workers, from their start on, the fewest and the most.
        bytes: On disk, at most.
        problem: What is wrong with a cell that was tried, or "".
        measured: Whether any cell that was tried could be computed; if none, ``seconds`` and ``bytes`` mean nothing.
    """

    cells: int
    scenarios: int
    runs: tuple[int, int]
    seconds: tuple[float, float]
    bytes: int
    problem: str
    measured: bool


def estimate(
    design: Design, workers: int | None = None, shard: Shard = WHOLE, *, compute: Compute = worker.compute_cell
) -> Estimate:
    """What a sweep would take, from measuring two runs of three of its cells; nothing is written.

    They are computed as in a sweep, by a process of their own. After one that takes longer than the time limit, which
    is that of the whole cell, no further one is tried.

    Raises:
        SweepError: If there is no such shard.
        SweepFailure: If a worker cannot be started.
    """
    from dataclasses import replace

    _check_shard(design, shard)
    prepare()
    plan = Plan(design)
    cells = shard.cells(len(plan))
    if design.kind == "hypotheses":
        return _estimate_hypotheses(plan, cells, workers, compute)
    few = replace(design, runs=2, auto=None, probes=tuple(replace(probe, runs=1) for probe in design.probes))
    bare, starting = _tried(Plan(replace(few, probes=())), cells, compute)
    whole = _tried(Plan(few), cells, compute)[0] if design.probes else bare
    problem = ""
    for one in sorted([*whole.failed, *bare.failed]):
        problem = problem or f"cell {one.cell} ({plan.label(one.cell)}): {one.error}"
    times = {one.cell: one.seconds for one in bare.done}
    done = [one for one in whole.done if one.cell in times]
    share = sum(probe.runs for probe in design.probes) / max(1, len(design.probes))
    seconds = [(times[one.cell] / 2, max(0.0, one.seconds - times[one.cell]) * share) for one in done]
    found = 0.0 if whole.probes is None else whole.probes.nbytes * share / len(whole.done)
    least = design.auto.least if design.auto else design.runs
    each, probes = (np.mean(seconds, axis=0).tolist()) if seconds else (0.0, 0.0)
    hands = _hands(workers, len(cells))
    scenarios = len(design.names)
    return Estimate(
        len(cells),
        scenarios,
        (least * scenarios * len(cells), design.runs * scenarios * len(cells)),
        tuple(starting(hands) + len(cells) * (each * runs + probes) / hands for runs in (least, design.runs)),  # type: ignore[arg-type]
        _bytes(plan, len(cells), design.runs * len(cells)) + int(found * len(cells)),
        problem,
        bool(seconds),
    )


def _estimate_hypotheses(plan: Plan, cells: range, workers: int | None, compute: Compute) -> Estimate:
    """The same for hypotheses, whose cells have runs and months of their own: by what a month of a run takes."""
    from dataclasses import replace

    design = plan.design
    few = Plan(replace(design, runs=2, survives_runs=min(design.survives_runs, 2)))

    def work(of: Plan, cell: int) -> int:
        """Months to compute; a probe takes a run and its twin."""
        return of.runs(cell) * of.months(cell) * (3 if of.probes(cell) else 1)

    found, starting = _tried(few, cells, compute)
    problem = "".join(f"cell {one.cell} ({plan.label(one.cell)}): {one.error}" for one in found.failed[:1])
    rates = [one.seconds / work(few, one.cell) for one in found.done]
    runs = sum(plan.runs(cell) for cell in cells)
    hands = _hands(workers, len(cells))
    seconds = (float(np.mean(rates)) if rates else 0.0) * sum(work(plan, cell) for cell in cells) / hands
    seconds += starting(hands)
    size = _bytes(plan, len(cells), runs)
    return Estimate(
        len(cells), len(design.names), (runs * len(design.names),) * 2, (seconds, seconds), size, problem, bool(rates)
    )


def _hands(workers: int | None, cells: int) -> int:
    """How many processes compute."""
    return min(usable_processors() if workers is None else workers, cells)


def _tried(plan: Plan, cells: range, compute: Compute) -> tuple[Batch, Callable[[int], float]]:
    """Three of some cells computed, and how many seconds that many processes take until they begin."""
    tried = list(dict.fromkeys((cells[0], cells[len(cells) // 2], cells[-1])))
    began, waited = time.perf_counter(), [0.0]
    batch = computed_apart(
        plan, tried, compute=compute, patience=False, ready=lambda: waited.append(time.perf_counter() - began)
    )
    return batch, lambda hands: waited[-1] * max(1.0, hands / usable_processors())


#: Bytes on disk beside the numbers themselves, as measured: of a cell in the ledger and the tables of cells, and
#: there for each factor; of a column in each part; of what describes the sweep.
_CELL_BYTES, _FACTOR_BYTES, _COLUMN_BYTES, _SWEEP_BYTES = 250, 30, 450, 100_000


def _bytes(plan: Plan, cells: int, runs: int) -> int:
    """Bytes on disk of some cells with so many runs in all, at most, without probes."""
    design = plan.design
    rows = runs * len(design.names) * len(design.keep_months)
    columns = len(design.keep_metrics) + 4
    described = cells * (_CELL_BYTES + _FACTOR_BYTES * len(plan.columns))
    return rows * (8 * columns) + columns * _COLUMN_BYTES * min(cells, store.MANY_PARTS) + described + _SWEEP_BYTES


def free_bytes(directory: Path) -> int:
    """Room on the disk of a directory that may not exist yet."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return shutil.disk_usage(directory).free
