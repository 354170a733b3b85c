"""Fair turns: one pool of workers computes for all visitors of a page.

Of one visitor only the newest request of a kind waits or runs; an older one is given up. Waiting visitors take turns in
the order in which they began to wait, so that nobody who asks often stands in front of others. What takes longer
than it may is given up too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

_LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class _Task:
    """What is to be done for somebody."""

    work: Callable[[threading.Event], None]
    late: Callable[[], None]
    seconds: float
    stop: threading.Event = field(default_factory=threading.Event)
    deadline: float = float("inf")
    overdue: bool = False


class Turns:
    """A pool of workers that takes requests of several owners in turn."""

    def __init__(self, workers: int, seconds: float) -> None:
        """Start ``workers`` threads; a task is given up after ``seconds``."""
        self._seconds = seconds
        self._waiting: dict[tuple[Hashable, str], _Task] = {}  # in the order in which they began to wait
        self._running: dict[tuple[Hashable, str], _Task] = {}
        self._changed = threading.Condition()
        self._closed = False
        for number in range(workers):
            threading.Thread(target=self._work, name=f"turns-{number}", daemon=True).start()
        threading.Thread(target=self._watch, name="turns-watch", daemon=True).start()

    def ask(
        self,
        owner: Hashable,
        kind: str,
        work: Callable[[threading.Event], None],
        late: Callable[[], None] = lambda: None,
        seconds: float | None = None,
    ) -> None:
        """Have something done for an owner, in place of what it asked for before under the same kind.

        Args:
            owner: Whose turn it is.
            kind: Requests of different kinds do not replace each other.
            work: Called on a worker with an event that is set when it should give up.
            late: Called when the task was given up because it took too long, or failed.
            seconds: How long it may take, if not as long as others.
        """
        key = (owner, kind)
        with self._changed:
            if self._closed:
                return
            running = self._running.get(key)
            if running is not None:
                running.stop.set()
            self._waiting[key] = _Task(
                work, late, self._seconds if seconds is None else seconds
            )  # one that waits already keeps its place
            self._changed.notify_all()

    def forget(self, owner: Hashable, kind: str | None = None) -> None:
        """Give up everything that an owner asked for, or what it asked for under one kind."""
        with self._changed:
            for key in [key for key in self._waiting if key[0] == owner and kind in (None, key[1])]:
                del self._waiting[key]
            for key, task in self._running.items():
                if key[0] == owner and kind in (None, key[1]):
                    task.stop.set()

    def close(self) -> None:
        """Give up everything; the workers end."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            for task in self._running.values():
                task.stop.set()
            self._changed.notify_all()

    def idle(self) -> bool:
        """Whether nothing waits or runs."""
        with self._changed:
            return not self._waiting and not self._running

    def _next(self) -> tuple[tuple[Hashable, str], _Task] | None:
        """The first that waits and of whose kind nothing of the same owner runs; the lock is held."""
        key = next((key for key in self._waiting if key not in self._running), None)
        return None if key is None else (key, self._waiting.pop(key))

    def _work(self) -> None:
        while True:
            with self._changed:
                found = self._next()
                while found is None:
                    if self._closed:
                        return
                    self._changed.wait()
                    found = self._next()
                key, task = found
                task.deadline = time.monotonic() + task.seconds
                self._running[key] = task
                self._changed.notify_all()  # the watch has a new deadline
            try:
                task.work(task.stop)
            except Exception:
                _LOG.exception("a task failed")
                task.overdue = True
            finally:
                with self._changed:
                    del self._running[key]
                    self._changed.notify_all()
            if task.overdue:
                task.late()

    def _watch(self) -> None:
        """Set the stop of what takes too long; sleeps while nothing runs."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for task in self._running.values():
                    if task.deadline <= now:
                        task.overdue, task.deadline = True, float("inf")
                        task.stop.set()
                nearest = min((task.deadline for task in self._running.values()), default=float("inf"))
                self._changed.wait(None if nearest == float("inf") else nearest - now)
