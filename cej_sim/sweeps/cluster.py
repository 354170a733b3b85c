"""The cells of a sweep on other computers, through a Dask scheduler.

Workers get a design with its network files and return rows; they need cej_sim in the version of the driver, and no
disk in common with it. The driver alone writes parts and the ledger. At most a few batches for each worker are under
way at a time, however many cells there are.

A batch whose worker died too often is tried again cell by cell, one of these at a time, so that the cell which kills
its worker is found. A cell over its time limit is asked to give up, between stretches of months; where that does not
help, its batch is given up and treated like one whose worker died.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import pickle
import queue
import tempfile
import threading
import time
import uuid
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from cej_sim.sweeps import store, worker
from cej_sim.sweeps.crew import DEATHS, Todo
from cej_sim.sweeps.design import Design, Plan
from cej_sim.sweeps.store import Failed, Ledger, SweepFailure
from cej_sim.sweeps.worker import Batch, Compute
from cej_sim.warmup import prepare

#: Batches under way for each thread of a worker: one that is computed, and one that waits.
AHEAD = 2

#: Seconds that a scheduler has to answer, and that its first worker may take to come.
PATIENCE, WORKER_PATIENCE = 10, 60

#: Seconds between two looks at the clock and at how many workers there are.
LOOK = 5.0

#: Seconds that a batch may take beyond the time limits of its cells.
GRACE = 60.0


class Order(NamedTuple):
    """What a worker is asked to compute; ``plan`` is the same for all, and unpacked once."""

    plan: bytes
    engine: str
    cells: list[int]
    seconds: float
    cell: Compute


class Answer(NamedTuple):
    """What a worker returns: tables as Arrow streams, or what keeps it from computing."""

    batch: Batch | None
    rows: bytes | None
    probes: bytes | None
    refusal: str = ""


# At the worker

_unpacking = threading.Lock()


@functools.lru_cache(maxsize=4)
def _unpacked(packed: bytes) -> tuple[Plan, tempfile.TemporaryDirectory[str]]:
    """The plan of a packed design, with its network files in a directory that stays while it is used."""
    content, files = pickle.loads(zlib.decompress(packed))
    folder = tempfile.TemporaryDirectory(prefix="cej_sim-inputs-")
    for name, found in files.items():
        (Path(folder.name) / name).write_bytes(found)
    return Plan(Design.from_json(content, Path(folder.name))), folder


def answer(order: Order) -> Answer:
    """Compute a batch at a worker of Dask."""
    if order.engine != store.engine():
        return Answer(None, None, None, "has another version of cej_sim; install the same everywhere")
    with _unpacking:
        plan, _ = _unpacked(order.plan)
        if order.cell is worker.compute_cell:
            prepare()  # so that compiling does not count as the first cell's time
    batch = worker.compute(plan, order.cells, seconds=order.seconds, time_limit=plan.design.time_limit, cell=order.cell)
    rows, probes = (None if table is None else _stream(table) for table in (batch.rows, batch.probes))
    batch.rows = batch.probes = None
    return Answer(batch, rows, probes)


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


# At the driver


def _packed(directory: Path, design: Design) -> bytes:
    files = {path.name: path.read_bytes() for path in sorted((directory / store.INPUTS).glob("[!.]*"))}
    return zlib.compress(pickle.dumps((design.to_json(), files)), 1)


def connect(address: str) -> Any:
    """A client of a scheduler.

    Raises:
        ImportError: If distributed is not installed.
        SweepFailure: If nobody answers at the address.
    """
    try:
        import distributed
    except ImportError as error:
        raise ImportError(
            "a Dask scheduler needs the library distributed, which is not installed; "
            "write: pip install 'cej-sim[cluster]'"
        ) from error
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what goes wrong is said in one line
    try:
        return distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise SweepFailure(
            f"--scheduler: no Dask scheduler answers at {address}; start one with `dask scheduler`, whose first lines "
            f"say its address ({' '.join(str(error).split())[:100] or type(error).__name__})"
        ) from error


def compute_there(
    ledger: Ledger,
    plan: Plan,
    cells: Iterable[int],
    count: int,
    *,
    address: str,
    cell: Compute,
    advance: Callable[[int, int], None],
) -> None:
    """Compute cells with the workers of a scheduler; ``advance`` hears how many more ended and failed.

    Raises:
        ImportError: If distributed is not installed.
        SweepFailure: If the scheduler is not there or goes away, or a worker has another version of cej_sim.
    """
    client = connect(address)
    try:
        try:
            client.wait_for_workers(1, timeout=WORKER_PATIENCE)
        except TimeoutError as error:
            raise SweepFailure(
                f"--scheduler: {address} has no workers; start some with `dask worker {address}`"
            ) from error
        _Sharing(client, ledger, plan, Todo(cells, count, _threads(client)), cell, advance).run()
    except (OSError, RuntimeError) as error:
        if isinstance(error, SweepFailure):
            raise
        raise SweepFailure(f"--scheduler: {address} went away ({' '.join(str(error).split())[:100]})") from error
    finally:
        client.close(timeout=PATIENCE)


def _threads(client: Any) -> int:
    return max(1, sum(client.nthreads().values()))


class _Sharing:
    """Batches under way, and what is done with those that come back."""

    def __init__(
        self, client: Any, ledger: Ledger, plan: Plan, todo: Todo, cell: Compute, advance: Callable[[int, int], None]
    ) -> None:
        self._client, self._ledger, self._plan, self._todo = client, ledger, plan, todo
        self._cell, self._advance = cell, advance
        self._packed = _packed(ledger.directory, plan.design)
        self._under_way: dict[str, tuple[Any, list[int], float]] = {}
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._suspects: deque[int] = deque()
        self._tried: str | None = None
        self._deaths: Counter[int] = Counter()

    def run(self) -> None:
        """Until nothing waits and nothing is under way."""
        threads, looked = _threads(self._client), time.monotonic()
        try:
            while True:
                while len(self._under_way) < AHEAD * threads and (batch := self._next()):
                    self._submit(batch)
                if not self._under_way:
                    return
                with contextlib.suppress(queue.Empty):
                    self._receive(self._ended.get(timeout=1.0))
                if time.monotonic() - looked > LOOK:
                    self._give_up_late()
                    threads, looked = _threads(self._client), time.monotonic()
        finally:
            for future, _, _ in self._under_way.values():
                with contextlib.suppress(Exception):
                    future.cancel()

    def _next(self) -> list[int]:
        """The next batch: a suspect where none is being tried, or what waits."""
        if self._suspects and self._tried is None:
            return [self._suspects.popleft()]
        return self._todo.take()

    def _submit(self, batch: list[int]) -> None:
        order = Order(self._packed, store.engine(), batch, self._todo.seconds, self._cell)
        future = self._client.submit(answer, order, pure=False, key=f"cej_sim-{batch[0]}-{uuid.uuid4().hex}")
        # No cell is begun after the batch's own time, and the last has its time limit.
        longest = order.seconds + self._plan.design.time_limit
        self._under_way[future.key] = (future, batch, time.monotonic() + AHEAD * longest + GRACE)
        if len(batch) == 1 and self._deaths[batch[0]]:
            self._tried = future.key
        future.add_done_callback(lambda ended: self._ended.put(ended.key))

    def _receive(self, key: str) -> None:
        """Take what has come back."""
        if key not in self._under_way:
            return  # it had been given up
        future, batch, _ = self._under_way.pop(key)
        self._tried = None if key == self._tried else self._tried
        if future.status == "finished":
            self._keep(future.result())
        elif self._client.status != "running":
            raise SweepFailure("--scheduler: the scheduler went away")
        else:
            self._lost(batch, future.exception() if future.status == "error" else None)

    def _keep(self, found: Answer) -> None:
        if found.batch is None:
            raise SweepFailure(f"--scheduler: a worker {found.refusal}")
        batch = found.batch
        rows, probes = (
            None if stream is None else pa.ipc.open_stream(stream).read_all() for stream in (found.rows, found.probes)
        )
        part = None if rows is None else store.write_part(self._ledger.directory, rows, probes)
        self._ledger.record(part, batch.done, batch.failed)
        self._todo.measured(len(batch.done) + len(batch.failed), batch.seconds)
        self._todo.again(batch.left)
        self._advance(len(batch.done), len(batch.failed))

    def _lost(self, batch: list[int], error: BaseException | None, late: bool = False) -> None:
        """A batch did not come back: its worker died too often, it was given up, or it could not even begin."""
        if error is not None and type(error).__name__ not in ("KilledWorker", "CancelledError", "FutureCancelledError"):
            raise SweepFailure(
                f"--scheduler: a worker cannot compute: {type(error).__name__}: {' '.join(str(error).split())[:200]}; "
                "install the same version of cej_sim everywhere"
            )
        for one in batch:
            self._deaths[one] += 1
        if len(batch) > 1 or self._deaths[batch[0]] < (2 if late else DEATHS):
            self._suspects.extend(batch)
            return
        (one,) = batch
        said = worker.too_long(self._plan.design.time_limit) if late else "killed its workers (KilledWorker)"
        self._ledger.record(None, [], [Failed(one, said, "", str(self._plan.seed(one)), 0.0)])
        self._advance(0, 1)

    def _give_up_late(self) -> None:
        """Give up batches that take far too long; Dask cannot stop a thread, so their workers stay busy."""
        now = time.monotonic()
        for key, (future, batch, due) in list(self._under_way.items()):
            if now > due:
                del self._under_way[key]
                self._tried = None if key == self._tried else self._tried
                future.cancel()
                self._lost(batch, None, late=True)
