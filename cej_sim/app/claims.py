"""The claims of a story in the room: shown while they are being tried, tried once for all visitors, and kept on disk.

Trying every claim takes tens of seconds of a processor, and a room does not wait that long. So a story opens at once;
numbers over few runs come in after some seconds, and those over all runs take their place. What came out is kept beside
the compiled engine, under a hash of all that it rests on: the program, the sets, the story and its scenarios.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from cej_sim import compiled, ensemble, provenance
from cej_sim.app import stories
from cej_sim.app.stories import Story, Tried

_LOG = logging.getLogger(__name__)

#: Runs behind the first numbers.
FIRST_RUNS = 20
#: Seconds between two messages about how far it is.
PAUSE = 0.4

#: Takes the type of a message and what is in it: ``story`` (``story``, ``whole``, ``runs``), ``trying`` (``done``,
#: ``total``) or ``failed``.
Listener = Callable[[str, dict[str, Any]], None]


class Telling:
    """A story as it is told to all who listen, with what is known of its claims so far."""

    def __init__(self, story: Story, first: Executor, whole: Executor) -> None:
        """Begin to try the claims, unless what came out is kept.

        Args:
            story: Whose claims.
            first: Computes the first numbers.
            whole: Computes all of them; those of other stories may wait there, too.
        """
        self.failed = False
        self._story = story
        self._lock = threading.RLock()
        self._listeners: list[Listener] = []
        self._said: dict[str, Any] = {}
        self._far: dict[str, Any] | None = None
        tried = kept(story)
        if tried is not None:
            self._tell(tried, story.runs, True)
            return
        self._tell({}, 0, False)
        first.submit(self._try, min(FIRST_RUNS, story.runs), False)
        whole.submit(self._try, story.runs, True)

    def listen(self, hear: Listener) -> None:
        """Hear what is known now, and all that comes."""
        with self._lock:
            hear("story", self._said)
            if self._far is not None:
                hear("trying", self._far)
            if not self._said["whole"]:
                self._listeners.append(hear)

    def _try(self, runs: int, whole: bool) -> None:
        last = 0.0

        def far(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= PAUSE:
                last = now
                with self._lock:
                    self._far = {"done": done, "total": total}
                    self._say("trying", self._far)

        try:
            tried = stories.try_checks(self._story, runs, ensemble=whole, threads=1, progress=far if whole else None)
            with self._lock:
                if whole or not self._said["whole"]:
                    self._tell(tried, runs, whole)
            if whole:
                keep(self._story, tried)
        except Exception:
            _LOG.exception("the claims of %s could not be tried", self._story.name)
            if whole:
                with self._lock:
                    self.failed = True
                    self._say("failed", {})
                    self._listeners.clear()

    def _tell(self, tried: Mapping[str, Tried], runs: int, whole: bool) -> None:
        with self._lock:
            self._said = {"story": stories.told(self._story, tried), "whole": whole, "runs": runs}
            if whole:
                self._far = None
            self._say("story", self._said)
            if whole:
                self._listeners.clear()

    def _say(self, kind: str, data: dict[str, Any]) -> None:
        for hear in self._listeners:
            hear(kind, data)


# What is kept on disk


@cache
def _program() -> bytes:
    """All sources of the program and the sets of numbers, which what comes out of a trial rests on."""
    package = Path(stories.__file__).parents[1]
    digest = hashlib.sha256(provenance.version().encode())
    for file in [*sorted(package.rglob("*.py")), ensemble.SHIPPED]:
        digest.update(f"\0{file.relative_to(package).as_posix()}\0".encode() + file.read_bytes())
    return digest.digest()


def place(story: Story) -> Path:
    """The file in which what came of a story's claims is kept."""
    digest = hashlib.sha256(_program() + story.path.read_bytes())
    for name, side in story.sides.items():
        digest.update(f"\0{name}\0{side.hash()}".encode())
    return compiled.CACHE_DIRECTORY / f"claims-{story.name}-{digest.hexdigest()[:24]}.json"


def kept(story: Story) -> dict[str, Tried] | None:
    """What came of a story's claims, if that is known; a file that is broken in any way is as good as none."""
    try:
        rows = json.loads(place(story).read_text(encoding="utf-8"))
        found = {}
        for check in story.checks:
            *counts, value, other = rows[check.name]
            if len(counts) != 4 or not all(type(one) is int and one >= 0 for one in counts):
                return None
            found[check.name] = Tried(
                check, *counts, *(math.nan if one is None else float(one) for one in (value, other))
            )
        return found
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def keep(story: Story, tried: Mapping[str, Tried]) -> None:
    """Keep what came of a story's claims, in place of what is kept of older ones; where that fails, nothing is kept."""
    rows = {
        name: [one.times, one.runs, one.wide_times, one.wide_runs,
               *(None if math.isnan(value) else value for value in (one.value, one.other))]
        for name, one in tried.items()
    }  # fmt: skip
    with suppress(OSError):
        path = place(story)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=".claims-", delete=False
        ) as file:
            json.dump(rows, file)
        os.replace(file.name, path)
        for older in path.parent.glob(f"claims-{story.name}-*.json"):
            if older != path:
                older.unlink(missing_ok=True)
