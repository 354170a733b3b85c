"""The cells of a sweep on other computers, through a Dask scheduler.

Workers get a design with its network files and return rows; they need cej_sim in the version of the driver, and no
disk in common with it. The driver alone writes parts and the ledger. At most a few batches for each worker are under
way at a time, however many cells there are.

A worker of Dask does not compute in itself: it has a process beside it do that, as on a single computer. So a cell may
kill that process, end it or hang, and is put down in the same words; the worker goes on. Where the worker itself dies,
or its whole computer, Dask gives the batch to another; a batch for which workers died again and again is tried once
more cell by cell, one of these at a time, so that the cell is found which takes the computer's memory, say.
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
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from cej_sim.sweeps import store, worker
from cej_sim.sweeps.crew import DEATHS, Deaths, Keep, Lost, Todo, Turns, start
from cej_sim.sweeps.design import Design, Plan
from cej_sim.sweeps.store import Failed, Part, SweepFailure
from cej_sim.sweeps.worker import Batch, Compute, Setup
from cej_sim.warmup import prepare

#: Batches under way for each thread of a worker: one that is computed, and one that waits.
AHEAD = 2

#: Seconds that a scheduler has to answer, and that its first worker may take to come.
PATIENCE, WORKER_PATIENCE = 10, 60

#: Seconds between two looks at the clock and at how many workers there are.
LOOK = 5.0

#: Seconds that a batch may take beyond the time limits of its cells.
GRACE = 60.0


#: Seconds that a process waits for the next batch before it is ended.
IDLE = 60.0


class Order(NamedTuple):
    """What a worker is asked to compute; ``sweep`` names the sweep, whose ``plan`` is unpacked once."""

    sweep: str
    plan: bytes
    engine: str
    cells: list[int]
    seconds: float
    cell: Compute


class Answer(NamedTuple):
    """What a worker returns.

    Attributes:
        batch: What came of the cells; None where the process that computed them is lost.
        part: The part that holds their rows; None where no cell is done.
        files: The content of its files of rows and of probes.
        lost: How the process ended that was to compute them.
        refusal: What keeps the worker from computing, if anything does.
    """

    batch: Batch | None = None
    part: Part | None = None
    files: tuple[bytes, bytes] = (b"", b"")
    lost: Lost | None = None
    refusal: str = ""


# At the worker


class _Hand:
    """A process that computes cells for a worker of Dask, with the folder that holds its network files and parts."""

    def __init__(self, order: Order) -> None:
        """Start it."""
        if order.cell is worker.compute_cell:
            prepare()
        self.sweep = order.sweep
        self.timer: threading.Timer | None = None
        self._plan, self._folder = _unpacked(order.plan)
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._process = start(Setup(self._plan, order.cell, Path(self._folder.name)), self._events)

    def work(self, order: Order) -> Answer:
        """Compute a batch."""
        found = self._process.work(order.cells, order.seconds, self._plan.design.time_limit, self._events)
        if isinstance(found, Lost):
            return Answer(lost=found)
        batch, part = found
        return Answer(batch, part, (b"", b"") if part is None else store.take_part(Path(self._folder.name), part))

    def kill(self) -> None:
        """End it, also in the middle of a batch, whose answer then says so."""
        self._process.process.kill()

    def end(self) -> None:
        """End it, and forget it."""
        self._process.end()


class _Hands:
    """The processes of a worker of Dask: one for each batch at a time, kept for the next of the same sweep."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Hand] = []
        self._busy: list[_Hand] = []

    def work(self, order: Order) -> Answer:
        """Compute a batch with a process that waits, or with a new one."""
        hand = self._waiting(order) or _Hand(order)
        with self._lock:
            self._busy.append(hand)
        kept = False
        try:
            found = hand.work(order)
            kept = found.lost is None
            return found
        finally:
            with self._lock:
                self._busy.remove(hand)
                if kept:
                    hand.timer = threading.Timer(IDLE, self._dismiss, (hand,))
                    hand.timer.daemon = True
                    hand.timer.start()
                    self._idle.append(hand)
            if not kept:
                hand.end()

    def _waiting(self, order: Order) -> _Hand | None:
        """A process of the same sweep that waits, if there is one; it waits no longer."""
        with self._lock:
            for hand in self._idle:
                if hand.sweep == order.sweep:
                    self._idle.remove(hand)
                    if hand.timer is not None:
                        hand.timer.cancel()
                    return hand
        return None

    def _dismiss(self, hand: _Hand) -> None:
        """End a process that waits."""
        with self._lock:
            if hand not in self._idle:
                return
            self._idle.remove(hand)
        hand.end()

    def dismiss(self, sweep: str) -> None:
        """End all processes of a sweep."""
        with self._lock:
            idle = [one for one in self._idle if one.sweep == sweep]
            for one in self._busy:
                if one.sweep == sweep:
                    one.kill()
        for one in idle:
            self._dismiss(one)
        _unpacked.cache_clear()


_hands = _Hands()


def _scratch() -> str | None:
    """The directory that a worker of Dask has for such files, which is cleared even when the worker is killed."""
    try:
        from distributed import get_worker

        return str(get_worker().local_directory)
    except (ImportError, ValueError):  # this is none
        return None


@functools.lru_cache(maxsize=4)
def _unpacked(packed: bytes) -> tuple[Plan, tempfile.TemporaryDirectory[str]]:
    """The plan of a packed design, and a directory, there while it is used, with its network files and for parts."""
    content, files = pickle.loads(zlib.decompress(packed))
    folder = tempfile.TemporaryDirectory(prefix="cej_sim-inputs-", dir=_scratch())
    for name in (store.ROWS, store.PROBES, store.INPUTS):
        (Path(folder.name) / name).mkdir()
    for name, found in files.items():
        place = Path(folder.name) / store.INPUTS / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(found)
    return Plan(Design.from_json(content, Path(folder.name) / store.INPUTS)), folder


def answer(order: Order) -> Answer:
    """Compute a batch at a worker of Dask."""
    if order.engine != store.engine():
        return Answer(refusal="has another version of cej_sim; install the same everywhere")
    try:
        return _hands.work(order)
    except (OSError, SweepFailure) as error:
        return Answer(refusal=f"cannot work: {' '.join(str(error).split())}")


def dismiss(sweep: str) -> None:
    """End the processes of a sweep at a worker of Dask."""
    _hands.dismiss(sweep)


# At the driver


def _packed(directory: Path, design: Design) -> bytes:
    inputs = directory / store.INPUTS
    files = {
        str(path.relative_to(inputs)): path.read_bytes() for path in sorted(inputs.rglob("[!.]*")) if path.is_file()
    }
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
            "write: pip install 'cej-sim[cluster]', or in a copy of the sources: pip install '.[cluster]'"
        ) from error
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what goes wrong is said in one line

    class Client(distributed.Client):
        """One that says nothing where it is forgotten before it was whole."""

        def __del__(self) -> None:
            with contextlib.suppress(Exception):
                super().__del__()

    client = Client.__new__(Client)
    try:
        distributed.Client.__init__(client, address, timeout=PATIENCE, set_as_default=False)
        return client
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        with contextlib.suppress(Exception):
            client.close(timeout=0)
        raise SweepFailure(
            f"--scheduler: no Dask scheduler answers at {address}; start one with `dask scheduler`, whose first lines "
            f"say its address ({' '.join(str(error).split())[:100] or type(error).__name__})"
        ) from error


def compute_there(
    directory: Path,
    plan: Plan,
    cells: Iterable[int],
    count: int,
    *,
    address: str,
    cell: Compute,
    keep: Keep,
    client: Any = None,
) -> None:
    """Compute cells with the workers of a scheduler.

    Args:
        directory: Where parts are written, into ``rows/`` and ``probes/``; ``inputs/`` holds the network files.
        plan: Whose cells.
        cells: Their numbers, ascending.
        count: How many they are.
        address: Of the scheduler.
        cell: What computes a cell.
        keep: Given what has come of every batch.
        client: What ``connect`` returned for the address, if that was asked before; it is closed at the end.

    Raises:
        ImportError: If distributed is not installed.
        SweepFailure: If the scheduler is not there or goes away, or a worker has another version of cej_sim.
    """
    client = connect(address) if client is None else client
    try:
        try:
            client.wait_for_workers(1, timeout=WORKER_PATIENCE)
        except TimeoutError as error:
            raise SweepFailure(
                f"--scheduler: {address} has no workers; start some with `dask worker {address}`"
            ) from error
        _Sharing(client, directory, plan, Todo(cells, count, _threads(client)), cell, keep).run()
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

    def __init__(self, client: Any, directory: Path, plan: Plan, todo: Todo, cell: Compute, keep: Keep) -> None:
        self._client, self._directory, self._plan, self._todo = client, directory, plan, todo
        self._cell, self._keep = cell, keep
        self._sweep, self._packed = uuid.uuid4().hex, _packed(directory, plan.design)
        self._under_way: dict[str, tuple[Any, list[int], float]] = {}
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._suspects: deque[int] = deque()
        self._tried: str | None = None
        self._deaths: Counter[int] = Counter()  # of whole workers
        self._judge = Deaths(plan)  # of the processes beside them

    def run(self) -> None:
        """Until nothing waits and nothing is under way."""
        threads, looked = _threads(self._client), time.monotonic()
        turns = Turns()
        try:
            while True:
                while len(self._under_way) < AHEAD * threads and (batch := self._next()):
                    self._submit(batch)
                if not self._under_way:
                    return
                with contextlib.suppress(queue.Empty):
                    self._receive(self._ended.get(timeout=1.0))
                stood = turns.end(1.0)
                if stood:
                    self._under_way = {
                        key: (future, batch, due + stood) for key, (future, batch, due) in self._under_way.items()
                    }
                if time.monotonic() - looked > LOOK:
                    self._give_up_late()
                    threads, looked = _threads(self._client), time.monotonic()
        finally:
            for future, _, _ in self._under_way.values():
                with contextlib.suppress(Exception):
                    future.cancel()
            self._dismiss()

    def _dismiss(self) -> None:
        """End the processes at the workers, where the scheduler is still there to pass that on."""
        if self._client.status != "running":
            return

        def tell() -> None:
            with contextlib.suppress(Exception):
                self._client.run(dismiss, self._sweep, on_error="ignore")

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        teller.join(PATIENCE)  # what does not hear it ends by itself after a while

    def _next(self) -> list[int]:
        """The next batch: a suspect where none is being tried, or what waits."""
        if self._suspects and self._tried is None:
            return [self._suspects.popleft()]
        return self._todo.take()

    def _submit(self, batch: list[int]) -> None:
        order = Order(self._sweep, self._packed, store.engine(), batch, self._todo.seconds, self._cell)
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
            self._take(future.result(), batch)
        elif self._client.status != "running":
            raise SweepFailure("--scheduler: the scheduler went away")
        else:
            self._lost(batch, future.exception() if future.status == "error" else None)

    def _take(self, found: Answer, cells: list[int]) -> None:
        """Take the answer to a batch."""
        if found.refusal:
            raise SweepFailure(f"--scheduler: a worker {found.refusal}")
        if found.lost is not None:
            failed = self._judge.judge(found.lost)
            self._todo.again([number for number in cells if number != found.lost.cell])
            if failed is not None:
                self._keep(None, Batch(failed=[failed]))
            elif found.lost.cell is not None:
                self._todo.again([found.lost.cell], alone=True)
            return
        batch = found.batch
        assert batch is not None
        if found.part is not None:
            store.place_part(self._directory, found.part, *found.files)
        self._keep(found.part, batch)
        self._judge.finished()
        self._todo.measured(len(batch.done) + len(batch.failed), batch.seconds)
        self._todo.again(batch.left)

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
        said = "its workers gave no answer" if late else "killed its workers (KilledWorker)"
        self._keep(None, Batch(failed=[Failed(one, said, "", str(self._plan.seed(one)), 0.0)]))

    def _give_up_late(self) -> None:
        """Give up batches of which nothing is heard far too long, as where a computer sleeps."""
        now = time.monotonic()
        for key, (future, batch, due) in list(self._under_way.items()):
            if now > due:
                del self._under_way[key]
                self._tried = None if key == self._tried else self._tried
                future.cancel()
                self._lost(batch, None, late=True)
