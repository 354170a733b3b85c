"""The report of a result, made by another process where there are two processors.

Its many pictures take as long as everything else, and so does loading what draws them. Another Python does that while
the runs are computed, gets the result when it is there, and makes the report while this process shows and writes all
the rest. Where it fails, this process makes the report.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import pickle
import sys
import threading
from collections.abc import Callable
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING, Any, Self

from cej_sim.processes import another_python, usable_processors

if TYPE_CHECKING:
    import subprocess

    from cej_sim.runs import Result

#: Results with more bytes in their monthly table are not handed on: they would be held twice.
MOST = 200_000_000


def pays() -> bool:
    """Whether another process is quicker: it has a processor, and nothing that draws is loaded here yet."""
    return usable_processors() > 1 and "matplotlib" not in sys.modules


class Artist:
    """Who makes reports; enter its context as early as possible."""

    def __init__(self) -> None:
        """Nobody is asked yet."""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the other process."""
        if pays():
            with contextlib.suppress(OSError):
                self._process = another_python(
                    "from cej_sim.drawing import report; report()", stdin=PIPE, stdout=PIPE, stderr=DEVNULL
                )
        return self

    def __exit__(self, *_: object) -> None:
        """End the other process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def begin(self, result: Result) -> Callable[[], str]:
        """Begin to make the report of a result; what is returned waits until that is done."""
        process, answers = self._process, list[str]()
        if process is None or int(result.monthly.memory_usage().sum()) > MOST:
            return result.report

        def ask(process: Any = process) -> None:
            with contextlib.suppress(Exception), process.stdin, process.stdout:
                pickle.dump(result, process.stdin, pickle.HIGHEST_PROTOCOL)
                process.stdin.close()
                answers.append(pickle.load(process.stdout))

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()

        def report() -> str:
            asking.join()
            return answers[0] if answers else result.report()

        return report


def report() -> None:
    """Load what draws; then read a result from standard input, and write its report."""
    gc.disable()  # a short life, and what is loaded stays anyway
    from cej_sim import plots

    importlib.import_module("cej_sim.report")
    importlib.import_module("cej_sim.runs")
    figure = plots.canvas(1.0, 1.0)
    plots.write(figure.add_subplot(), 0.5, 0.5, "has fonts loaded, too")
    plots.png(figure)
    result: Result = pickle.load(sys.stdin.buffer)
    pickle.dump(result.report(), sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
    sys.stdout.buffer.flush()
