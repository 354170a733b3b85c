"""Sharing out the cells of a sweep to processes of this computer, so that whatever is killed, nothing is lost.

Every worker is a process of its own at the other end of its own two pipes; workers share nothing, so a killed one
blocks nobody. The driver alone writes the ledger. It knows which cell each worker is at: when a worker dies, that cell
is tried again alone, and the others of its batch together; a cell that was at work in three deaths is put down as
failed, and so is one that takes longer than the design's time limit.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from cej_sim import provenance
from cej_sim.sweeps import store, worker
from cej_sim.sweeps.design import Design, Plan
from cej_sim.sweeps.store import Failed, Ledger, Shard, Sweep, SweepError, SweepFailure
from cej_sim.sweeps.worker import Batch, Compute
from cej_sim.warmup import prepare, usable_processors

#: Deaths of its worker after which a cell is not tried again.
DEATHS = 3

#: Deaths in a row, with nothing finished in between and no cell to suspect, after which the sweep stops: by a signal,
#: which may be anybody's, and by an error of its own.
STILLBIRTHS, OWN_ERRORS = 30, 2

#: Seconds of work in a batch: the least, and the most where there is so much to do that parts would become too many.
BATCH_SECONDS, LONGEST_BATCH = 2.0, 60.0

#: Parts that batches are made long for.
AIMED_PARTS = 2000

#: Most cells of a batch.
BATCH_CELLS = 5000


#: All cells.
WHOLE = Shard()


class Count(NamedTuple):
    """How far a sweep is."""

    done: int
    failed: int
    cells: int


Progress = Callable[[Count], None]


class Todo:
    """The cells that wait, handed out in batches of about the same time, whose length follows what was measured."""

    def __init__(self, cells: Iterable[int], count: int, hands: int) -> None:
        """Begin with so many cells for so many workers."""
        self._cells = iter(cells)
        self._again: deque[int] = deque()
        self._alone: deque[int] = deque()
        self.waiting = count
        self._hands = hands
        self._seconds = self._measured = 0.0
        self._size = 1

    @property
    def seconds(self) -> float:
        """Seconds of work that a batch is meant to be."""
        each = self._seconds / self._measured if self._measured else 0.0
        return min(LONGEST_BATCH, max(BATCH_SECONDS, self.waiting * each / AIMED_PARTS))

    def take(self) -> list[int]:
        """The next batch, ascending; empty where nothing waits."""
        if self._alone:
            self.waiting -= 1
            return [self._alone.popleft()]
        if self._measured:
            each = max(self._seconds / self._measured, 1e-6)
            fair = -(-self.waiting // (2 * self._hands))
            self._size = int(max(1, min(self.seconds / each, 4 * self._size, fair, BATCH_CELLS)))
        batch = [self._again.popleft() for _ in range(min(self._size, len(self._again)))]
        batch = batch or list(itertools.islice(self._cells, self._size))
        self.waiting -= len(batch)
        return sorted(batch)

    def again(self, cells: Sequence[int], alone: bool = False) -> None:
        """Put cells back."""
        (self._alone if alone else self._again).extend(cells)
        self.waiting += len(cells)

    def measured(self, cells: int, seconds: float) -> None:
        """Learn from a batch; earlier ones count less and less."""
        self._seconds = 0.8 * self._seconds + seconds
        self._measured = 0.8 * self._measured + cells


# Processes


@dataclass(eq=False)
class _Worker:
    """A process that computes batches.

    Attributes:
        current: The cell that it is at; None between batches.
        since: When that cell began.
        batch: What it was given.
        overdue: The cell for which it was ended.
    """

    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    current: int | None = None
    since: float = 0.0
    batch: list[int] = field(default_factory=list)
    overdue: int | None = None
    ready: bool = False

    def send(self, message: Any) -> None:
        """Send a message; that nobody is there any more will be heard anyway."""
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(pickle.dumps(message))
            self.process.stdin.flush()
        except OSError:
            pass

    def listen(self, events: queue.SimpleQueue[tuple[_Worker, Any]]) -> None:
        """Follow what it says until it is gone, which is the last event (None)."""
        assert self.process.stdout is not None
        try:
            while head := self.process.stdout.read(worker.HEAD.size):
                kind, number = worker.HEAD.unpack(head)
                if kind == worker.BEGIN:
                    self.since = time.monotonic()
                    self.current = number if number >= 0 else None
                else:
                    events.put((self, pickle.loads(self.process.stdout.read(number))))
        except Exception:  # it died in the middle of a word
            pass
        self.process.wait()
        events.put((self, None))

    def last_words(self) -> str:
        """The last line that it wrote for people."""
        self.errors.seek(max(0, self.errors.seek(0, os.SEEK_END) - 2000))
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def end(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


#: A worker has one thread: libraries that would take more get in the other workers' way.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def _start(setup: worker.Setup, events: queue.SimpleQueue[tuple[_Worker, Any]]) -> _Worker:
    """Start a worker: another Python, which does not load the program that asks for the sweep."""
    search = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    errors = tempfile.TemporaryFile()  # noqa: SIM115 (the worker's, closed with it)
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); from cej_sim.sweeps import worker; worker.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={**os.environ, **_ONE_THREAD, "PYTHONPATH": search},
    )
    made = _Worker(process, errors)
    made.send([path or os.getcwd() for path in sys.path])
    made.send(setup)
    threading.Thread(target=made.listen, args=(events,), daemon=True).start()
    return made


def _death(status: int) -> str:
    """What is said of a cell that ended its worker."""
    return f"killed its worker (signal {-status})" if status < 0 else f"ended its worker (exit status {status})"


def compute_here(
    ledger: Ledger,
    plan: Plan,
    todo: Todo,
    *,
    workers: int,
    cell: Compute,
    advance: Callable[[int, int], None],
    ready: Callable[[], None] | None = None,
) -> None:
    """Compute what waits with so many processes.

    Args:
        ledger: Where it is put down.
        plan: Whose cells.
        todo: What waits.
        workers: How many processes.
        cell: What computes a cell.
        advance: Hears of every batch how many cells ended, and how many failed.
        ready: Is told once all workers could begin, for measuring; none begins before the others then.

    Raises:
        SweepFailure: If the disk is full, or workers cannot be started.
    """
    events: queue.SimpleQueue[tuple[_Worker, Any]] = queue.SimpleQueue()
    setup = worker.Setup(plan, cell, ledger.directory)
    limit = plan.design.time_limit
    deaths: Counter[int] = Counter()
    stillbirths = 0
    crew: set[_Worker] = set()

    def hire() -> None:
        if len(crew) < min(workers, todo.waiting + sum(bool(one.batch) for one in crew)):
            crew.add(_start(setup, events))

    def give(one: _Worker) -> None:
        one.batch, one.current = todo.take(), None
        if one.batch:
            one.send((one.batch, todo.seconds))

    def keep(part: store.Part | None, batch: Batch) -> None:
        ledger.record(part, batch.done, batch.failed)
        advance(len(batch.done), len(batch.failed))

    def lose(one: _Worker) -> None:
        """A worker is gone: put its cells back, the one that it was at alone."""
        nonlocal stillbirths
        crew.discard(one)
        status, suspect = one.process.returncode, one.current
        words = one.last_words()
        one.end()
        if suspect is None:
            stillbirths += 1 if status < 0 else -(-STILLBIRTHS // OWN_ERRORS)
            if stillbirths >= STILLBIRTHS:
                said = f"; the last one said: {words}" if words else ""
                raise SweepFailure(f"workers end before they compute anything (exit status {status}){said}")
            todo.again(one.batch)
            return
        taken = time.monotonic() - one.since
        todo.again([number for number in one.batch if number != suspect])
        error = ""
        if one.overdue == suspect:
            error = worker.too_long(limit)
        elif one.overdue is None:
            deaths[suspect] += 1
            error = _death(status) if deaths[suspect] >= DEATHS else ""
        if error:
            keep(None, Batch(failed=[Failed(suspect, error, words[-500:], str(plan.seed(suspect)), taken)]))
        else:
            todo.again([suspect], alone=True)

    try:
        while todo.waiting or any(one.batch for one in crew):
            for _ in range(workers):
                hire()
            for one in crew:
                if one.ready and not one.batch and ready is None:
                    give(one)
            now = time.monotonic()
            dues = [one.since + limit - now for one in crew if one.current is not None and one.overdue is None]
            try:
                # Who began a cell since this was worked out is looked at within a second.
                one, message = events.get(timeout=max(0.0, min([1.0, limit, *dues])))
            except queue.Empty:
                for one in crew:
                    current = one.current
                    if current is not None and one.overdue is None and time.monotonic() - one.since > limit:
                        one.overdue = current
                        one.process.kill()
                continue
            if message is None:
                lose(one)
            elif isinstance(message, str):
                if message != "ready":
                    raise SweepFailure(message)
                one.ready = True
                if ready is not None and all(other.ready for other in crew):
                    ready()
                    ready = None
            else:
                batch, part = message
                stillbirths = 0
                todo.measured(len(batch.done) + len(batch.failed), batch.seconds)
                todo.again(batch.left)
                give(one)  # first, so that it need not wait for the ledger
                keep(part, batch)
    finally:
        for one in crew:
            one.end()


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
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise SweepError(f"workers: {workers} is not a number of workers; write a whole number of at least 1")
    _check_shard(design, shard)
    temporary = tempfile.TemporaryDirectory(prefix="cej_sim-sweep-") if out is None else None
    directory = Path(temporary.name if temporary is not None else out or "")
    with _working_in(directory):
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
                _compute(ledger, plan, shard, status == 0, workers, scheduler, compute, progress)
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
    directory.mkdir(parents=True, exist_ok=True)
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

    advance(0, -count if again else 0)
    if not count:
        return
    todo_cells = (cells[int(place)] for place in np.flatnonzero(wanted))
    if scheduler is not None:
        from cej_sim.sweeps.cluster import compute_there

        compute_there(ledger, plan, todo_cells, count, address=scheduler, cell=compute, advance=advance)
        return
    prepare()
    hands = min(usable_processors() if workers is None else workers, count)
    compute_here(ledger, plan, Todo(todo_cells, count, hands), workers=hands, cell=compute, advance=advance)


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
    directory = Path(directory)
    opened(directory).ledger.close()
    with _working_in(directory):
        ledger = Ledger(directory)
        try:
            ledger.check()
            about = ledger.about()
            plan, shard = Plan(store.stored_design(directory, about)), Shard(*about["shard"])
            status = ledger.status(len(plan))[list_of(shard, len(plan))]
            _compute(ledger, plan, shard, status == 2, workers, scheduler, compute, progress, again=True)
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
    first, directory = sweeps[0], Path(out)
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
    import pyarrow as pa
    import pyarrow.compute as pc

    for part in source.ledger.parts():
        tables = [pa.concat_tables(store.groups(source.directory / store.ROWS / part.name, None))]
        if part.probes:
            tables.append(pa.concat_tables(store.groups(source.directory / store.PROBES / part.name, None)))
        wanted = [cell for cell in pc.unique(tables[0].column("cell")).to_pylist() if cell not in there]
        if wanted:
            inside = pa.array(wanted, pa.int64())
            rows, *probes = [table.filter(pc.is_in(table.column("cell"), inside)) for table in tables]
            made = store.write_part(directory, rows, *(probes or [None]))
            ledger.record(made, [theirs[cell] for cell in wanted], [])
    done = ledger.status(len(source.plan))
    ledger.record(None, [], [one for cell, one in source.ledger.failures().items() if done[cell] != 1])


# Computing a cell again


class Reproduced(NamedTuple):
    """What came of computing a stored cell again: whether it is what was stored, and what differs, in words."""

    same: bool
    lines: list[str]


def reproduce(directory: str | os.PathLike[str], cell: int, *, compute: Compute = worker.compute_cell) -> Reproduced:
    """Compute one cell again from what the directory holds, and set it against what is stored.

    Raises:
        SweepError: If there is no such cell.
        SweepFailure: If its part is damaged.
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
    batch = worker.compute(found.plan, [cell], cell=compute)
    if stored is None or not batch.done:
        before = "it was computed" if failed is None else f"it failed: {failed.error}"
        now = f"it fails: {batch.failed[0].error}" if batch.failed else "it is computed"
        same = failed is not None and bool(batch.failed) and failed.error == batch.failed[0].error
        lines += [f"when the sweep ran, {before}", f"now {now}"]
        return Reproduced(same, lines + ([] if same else _changes(found)))
    again = batch.done[0]
    rows, probes = found.cell(cell)
    if store.stored_hash(found.design, rows, probes) != stored.hash:
        lines.append("the stored rows are not those that the ledger speaks of: their file has been changed")
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
        seconds: With so many workers, the fewest and the most.
        bytes: On disk, at most.
        problem: What is wrong with a cell that was tried, or "".
    """

    cells: int
    scenarios: int
    runs: tuple[int, int]
    seconds: tuple[float, float]
    bytes: int
    problem: str


def estimate(design: Design, workers: int | None = None, shard: Shard = WHOLE) -> Estimate:
    """What a sweep would take, from measuring a run or two of three of its cells; nothing is written."""
    from dataclasses import replace

    _check_shard(design, shard)
    prepare()
    plan = Plan(design)
    cells = shard.cells(len(plan))
    few = replace(design, runs=2, auto=None, probes=tuple(replace(probe, runs=1) for probe in design.probes))
    tried = Plan(few)
    worker.warm(tried)
    seconds, size, problem = [], [], ""
    for cell in dict.fromkeys((cells[0], cells[len(cells) // 2], cells[-1])):
        bare = worker.compute(Plan(replace(few, probes=())), [cell])
        whole = worker.compute(tried, [cell]) if design.probes else bare
        if whole.rows is None:
            problem = problem or f"cell {cell} ({plan.label(cell)}): {whole.failed[0].error}"
            continue
        probing = max(0.0, whole.done[0].seconds - bare.done[0].seconds)
        more = probing * sum(probe.runs for probe in design.probes) / max(1, len(design.probes))
        seconds.append((bare.done[0].seconds / 2, more))
        size.append(whole.rows.nbytes / 2)
    least = design.auto.least if design.auto else design.runs
    each, probes = (np.mean(seconds, axis=0).tolist()) if seconds else (0.0, 0.0)
    hands = min(usable_processors() if workers is None else workers, len(cells))
    scenarios = len(design.names)
    return Estimate(
        len(cells),
        scenarios,
        (least * scenarios * len(cells), design.runs * scenarios * len(cells)),
        tuple(len(cells) * (each * runs + probes) / hands for runs in (least, design.runs)),  # type: ignore[arg-type]
        int(len(cells) * design.runs * float(np.mean(size) if size else 0.0)),
        problem,
    )


def free_bytes(directory: Path) -> int:
    """Room on the disk of a directory that may not exist yet."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return shutil.disk_usage(directory).free
