"""Sharing out cells to worker processes of this computer, so that whatever is killed, nothing is lost.

Every worker is a process of its own at the other end of its own two pipes; workers share nothing, so a killed one
blocks nobody. Who started them knows which cell each is at: when a worker dies, that cell is tried again alone, and
the others of its batch together; a cell that was at work in three deaths is put down as failed, and so is one that
takes longer than the design's time limit, whose worker is ended.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

from cej_sim.sweeps import store, worker
from cej_sim.sweeps.design import Plan
from cej_sim.sweeps.store import Failed, SweepFailure
from cej_sim.sweeps.worker import Batch, Compute

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


#: Seconds by which a turn of the one who watches the time may be longer than it was meant to be.
STANDSTILL = 2.0

#: Open files that a worker takes of the process that starts it, and that it needs beside them while it starts one.
FILES_OF_A_WORKER, OTHER_FILES = 3, 8


class Turns:
    """Notices when everything stood still for a while, as after Ctrl-Z: such time is nobody's."""

    def __init__(self) -> None:
        """Begin with a turn."""
        self._last = time.monotonic()

    def end(self, asked: float) -> float:
        """End a turn that was meant to take so many seconds at most; returns how many everything stood still."""
        now = time.monotonic()
        more, self._last = now - self._last - asked, now
        return more if more > STANDSTILL else 0.0


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


class Lost(NamedTuple):
    """How a worker ended.

    Attributes:
        cell: The cell that it was at; None where no cell is to blame.
        status: Its exit status; a signal where that is negative.
        late: Whether it was ended because the cell took longer than its time limit.
        words: The last line that it wrote for people.
        seconds: How long it was at the cell.
    """

    cell: int | None
    status: int
    late: bool
    words: str
    seconds: float


class Deaths:
    """What is made of workers that end."""

    def __init__(self, plan: Plan) -> None:
        """Begin to count, for the cells of a plan."""
        self._plan = plan
        self._counts: Counter[int] = Counter()
        self._stillbirths = 0

    def judge(self, lost: Lost) -> Failed | None:
        """What is put down of the cell at which a worker ended; None where it is to be tried again.

        Raises:
            SweepFailure: If workers end again and again before they compute anything.
        """
        if lost.cell is None:
            self._stillbirths += 1 if lost.status < 0 else -(-STILLBIRTHS // OWN_ERRORS)
            if self._stillbirths >= STILLBIRTHS:
                said = f"; the last one said: {lost.words}" if lost.words else ""
                raise SweepFailure(f"workers end before they compute anything (exit status {lost.status}){said}")
            return None
        if lost.late:
            error = f"took longer than the time limit of {self._plan.design.time_limit:g} seconds"
        else:
            self._counts[lost.cell] += 1
            if self._counts[lost.cell] < DEATHS:
                return None
            error = (
                f"killed its worker (signal {-lost.status})"
                if lost.status < 0
                else f"ended its worker (exit status {lost.status})"
            )
        return Failed(lost.cell, error, lost.words[-500:], str(self._plan.seed(lost.cell)), lost.seconds)

    def finished(self) -> None:
        """Hear that a worker has finished a batch: workers can work."""
        self._stillbirths = 0


@dataclass(eq=False)
class Worker:
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

    def listen(self, events: queue.SimpleQueue[tuple[Worker, Any]]) -> None:
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

    def due(self, limit: float) -> float:
        """Seconds until its cell has taken longer than the limit."""
        busy = self.current is not None and self.overdue is None
        return self.since + limit - time.monotonic() if busy else limit

    def forgive(self, seconds: float) -> None:
        """Do not count some time in which everything stood still."""
        self.since = min(time.monotonic(), self.since + seconds)

    def enforce(self, limit: float) -> None:
        """End it where its cell has taken longer than the limit; that it is gone is heard as ever."""
        current = self.current
        if current is not None and self.overdue is None and time.monotonic() - self.since > limit:
            self.overdue = current
            self.process.kill()

    def lost(self) -> Lost:
        """How it ended, once it has."""
        self.errors.seek(max(0, self.errors.seek(0, os.SEEK_END) - 2000))
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        # Where its cell was finished in the moment in which it was to be ended for it, the next one is not to blame.
        cell = self.current if self.overdue in (None, self.current) else None
        late = cell is not None and self.overdue == cell
        seconds = time.monotonic() - self.since if cell is not None else 0.0
        return Lost(cell, self.process.returncode, late, lines[-1] if lines else "", seconds)

    def work(self, cells: list[int], seconds: float, limit: float, events: queue.SimpleQueue[Any]) -> Any:
        """Have a batch computed and wait for it, where ``events`` is this worker's alone.

        Args:
            cells: Their numbers, ascending.
            seconds: After this long, no further cell is begun.
            limit: Longest time of a cell, seconds.
            events: What it was started with.

        Returns:
            The batch with its part (None where no cell is done), or how the worker was lost.

        Raises:
            SweepFailure: If the disk is full or fails.
        """
        self.current = None
        self.send((cells, seconds))
        turns = Turns()
        while True:
            # A cell that begins meanwhile is looked at within a second.
            patience, message = max(0.0, min(1.0, self.due(limit))), _NOTHING
            with contextlib.suppress(queue.Empty):
                _, message = events.get(timeout=patience)
            self.forgive(turns.end(patience))
            if message is _NOTHING:
                self.enforce(limit)
                continue
            if message is None:
                return self.lost()
            if isinstance(message, str):
                if message != "ready":
                    raise SweepFailure(message)
                continue
            return message

    def end(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


#: Stands for no event.
_NOTHING: Any = object()

#: A worker has one thread: libraries that would take more get in the other workers' way.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def start(setup: worker.Setup, events: queue.SimpleQueue[tuple[Worker, Any]]) -> Worker:
    """Start a worker: another Python, which does not load the program that asks for the sweep."""
    search = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    errors = tempfile.TemporaryFile()  # noqa: SIM115 (the worker's, closed with it)
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); from cej_sim.sweeps import worker; worker.main()"
    )
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": search},
        )
    except BaseException:
        errors.close()
        raise
    made = Worker(process, errors)
    made.send([path or os.getcwd() for path in sys.path])
    made.send(setup)
    threading.Thread(target=made.listen, args=(events,), daemon=True).start()
    return made


def check_files(workers: int) -> None:
    """Find out whether this process may open as many files as so many workers take.

    Raises:
        SweepFailure: If it may not.
    """
    try:
        import resource

        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        now = len(os.listdir("/dev/fd"))
    except (ImportError, OSError, ValueError):
        return  # where this cannot be asked, starting a worker tells
    if most == resource.RLIM_INFINITY:
        return
    possible = (most - now - OTHER_FILES) // FILES_OF_A_WORKER
    if workers > possible:
        advice = f"use --workers {possible} or fewer" if possible > 0 else "use fewer --workers"
        raise SweepFailure(
            f"{workers} workers need more open files than the {most} that are allowed here; {advice}, or allow more "
            "(ulimit -n)"
        )


#: What takes what has come of some cells: the part with the rows of those that are done, and which ended how.
Keep = Callable[[store.Part | None, Batch], None]


def compute_here(
    directory: Path,
    plan: Plan,
    todo: Todo,
    *,
    workers: int,
    cell: Compute,
    keep: Keep,
    ready: Callable[[], None] | None = None,
) -> None:
    """Compute what waits with so many processes.

    Args:
        directory: Where parts are written, into ``rows/`` and ``probes/``.
        plan: Whose cells.
        todo: What waits.
        workers: How many processes.
        cell: What computes a cell.
        keep: Given what has come of every batch.
        ready: Is told once all workers could begin, for measuring; none begins before the others then.

    Raises:
        SweepFailure: If the disk is full, or workers cannot be started.
    """
    events: queue.SimpleQueue[tuple[Worker, Any]] = queue.SimpleQueue()
    setup = worker.Setup(plan, cell, directory)
    limit = plan.design.time_limit
    deaths = Deaths(plan)
    crew: set[Worker] = set()

    def hire() -> None:
        if len(crew) < min(workers, todo.waiting + sum(bool(one.batch) for one in crew)):
            try:
                crew.add(start(setup, events))
            except (OSError, RuntimeError) as error:
                said = (error.strerror if isinstance(error, OSError) else None) or str(error)
                raise SweepFailure(
                    f"worker {len(crew) + 1} of {workers} cannot be started ({said.lower()}); use fewer --workers"
                ) from error

    def give(one: Worker) -> None:
        one.batch, one.current = todo.take(), None
        if one.batch:
            one.send((one.batch, todo.seconds))

    def lose(one: Worker) -> None:
        """A worker is gone: put its cells back, the one that it was at alone."""
        crew.discard(one)
        lost = one.lost()
        one.end()
        failed = deaths.judge(lost)
        todo.again([number for number in one.batch if number != lost.cell])
        if failed is not None:
            keep(None, Batch(failed=[failed]))
        elif lost.cell is not None:
            todo.again([lost.cell], alone=True)

    check_files(workers)
    turns = Turns()
    try:
        while todo.waiting or any(one.batch for one in crew):
            for _ in range(workers):
                hire()
            for one in crew:
                if one.ready and not one.batch and ready is None:
                    give(one)
            # Who began a cell since this was worked out is looked at within a second.
            patience, event = max(0.0, min([1.0, *(one.due(limit) for one in crew)])), None
            with contextlib.suppress(queue.Empty):
                event = events.get(timeout=patience)
            stood = turns.end(patience)
            for one in crew if stood else ():
                one.forgive(stood)
            if event is None:
                for one in crew:
                    one.enforce(limit)
                continue
            one, message = event
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
                deaths.finished()
                todo.measured(len(batch.done) + len(batch.failed), batch.seconds)
                todo.again(batch.left)
                give(one)  # first, so that it need not wait for the ledger
                keep(part, batch)
    finally:
        for one in crew:
            one.end()
