"""The report and the picture of a result, drawn by another process where there are two processors.

Drawing takes as long as everything else, and so does loading what draws. Another Python loads it while the runs are
computed, gets the result when it is there, and draws while this process shows and writes all the rest. On Linux it
forks, and both draw: one the report, the other the picture. What fails there is drawn here.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import pickle
import sys
import threading
from collections.abc import Callable
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING, Any, Self

from cej_sim.processes import another_python, usable_processors

if TYPE_CHECKING:
    import subprocess

    from cej_sim.runs import Drawn, Result

#: Results with more bytes in their monthly table are not handed on: they would be held twice.
MOST = 200_000_000

#: Seconds to wait for a fork that draws; it needs less than one.
PATIENCE = 20.0


def pays() -> bool:
    """Whether another process is quicker: it has a processor, and nothing that draws is loaded here yet."""
    return usable_processors() > 1 and "matplotlib" not in sys.modules


class Artist:
    """Who draws results; enter its context as early as possible."""

    def __init__(self) -> None:
        """Nobody is asked yet."""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the other process."""
        if pays():
            with contextlib.suppress(OSError):
                self._process = another_python(
                    "from cej_sim.drawing import draw; draw()", stdin=PIPE, stdout=PIPE, stderr=DEVNULL
                )
        return self

    def __exit__(self, *_: object) -> None:
        """End the other process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def begin(self, result: Result) -> Callable[[], Drawn]:
        """Begin to draw a result; what is returned waits until that is done."""
        process = self._process
        answers: list[Drawn] = []
        if process is None or int(result.monthly.memory_usage().sum()) > MOST:
            return result.draw

        def ask(process: Any = process) -> None:
            with contextlib.suppress(Exception), process.stdin, process.stdout:
                pickle.dump(result, process.stdin, pickle.HIGHEST_PROTOCOL)
                process.stdin.close()
                answers.append(pickle.load(process.stdout))

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()

        def drawn() -> Drawn:
            asking.join()
            return answers[0] if answers else result.draw()

        return drawn


def draw() -> None:
    """Load what draws; then read a result from standard input, and write what it was drawn as."""
    gc.disable()  # a short life, and what is loaded stays anyway
    from cej_sim import plots, runs

    importlib.import_module("cej_sim.report")
    figure = plots.canvas(1.0, 1.0)
    plots.write(figure.add_subplot(), 0.5, 0.5, "has fonts loaded, too")
    plots.svg(figure)
    result: Result = pickle.load(sys.stdin.buffer)
    picture = meanwhile(result.picture)
    drawn = runs.Drawn(result.report(), picture())
    pickle.dump(drawn, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
    sys.stdout.buffer.flush()


def meanwhile(make: Callable[[], bytes]) -> Callable[[], bytes]:
    """Begin to make something in a fork of this process; what is returned waits for it, and makes it if that fails.

    Where forks are not safe it is made when it is asked for.
    """
    if sys.platform != "linux":
        return make
    forks = multiprocessing.get_context("fork")
    here, there = forks.Pipe(duplex=False)

    def send() -> None:
        # It must not hold open what others read, who would wait for more when this process is gone, nor its own end.
        here.close()
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        there.send_bytes(make())

    process = forks.Process(target=send, daemon=True)
    process.start()
    there.close()

    def made() -> bytes:
        with contextlib.suppress(EOFError, OSError):
            if here.poll(PATIENCE):
                return here.recv_bytes()
        process.kill()
        return make()

    return made
