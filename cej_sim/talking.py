"""Talking to people: lines, tables, progress, and mistakes in what they asked for."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cej_sim.nodes import plain

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

#: Seconds that compiling the engine takes on an ordinary computer.
COMPILATION_SECONDS = 20

#: Exit status: done, something failed, the input is wrong, stopped by Ctrl-C, nobody reads what is said.
DONE, FAILED, WRONG_INPUT, INTERRUPTED, UNREAD = 0, 1, 2, 130, 141


class InputError(Exception):
    """The user's input is wrong; its arguments are the mistakes, a line each."""


class Stop(Exception):
    """A command ends without having done all of it; its arguments say why, a line each, then the exit status."""

    def __init__(self, *lines: str, status: int = FAILED) -> None:
        """Say why, and with which exit status."""
        super().__init__(*lines)
        self.status = status


def say(*lines: str) -> None:
    """Lines for people, beside the output proper."""
    print("\n".join(map(plain, lines)), file=sys.stderr, flush=True)


#: Fewest columns that tables are laid out for; a narrower terminal breaks the lines, and no digit is lost.
FEWEST_COLUMNS = 80


def console() -> Console:
    """Where tables go: as wide as the terminal, or 100 columns where there is none."""
    from rich import console

    class Console(console.Console):
        """Does not end the program where nobody reads; whoever called it may still have something to save."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    if not sys.stdout.isatty():
        return Console(width=100)
    wide = Console()
    return wide if wide.width >= FEWEST_COLUMNS else Console(width=FEWEST_COLUMNS)


def show(tables: Sequence[RenderableType]) -> None:
    """Print tables."""
    wide = console()
    for table in tables:
        wide.print(table)
    sys.stdout.flush()


def show_files(files: Sequence[Path]) -> None:
    """Print where everything was written."""
    print("\nWritten:")
    for file in files:
        print(f"  {plain(str(file))}")


def count(number: int, thing: str) -> str:
    """A number of things, in the plural where there are not one."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def command(context: typer.Context) -> str:
    """The command line as it was given, on one line, without the path of the program."""
    return plain(shlex.join(["cej-sim", *context.obj]))


def duration(seconds: float) -> str:
    """A time in words: seconds, minutes, hours or days."""
    for size, thing in ((86_400.0, "day"), (3_600.0, "hour"), (60.0, "minute")):
        if seconds >= 2 * size:
            return count(round(seconds / size), thing)
    return count(max(1, round(seconds)), "second")


def per_time(rate: float, things: str = "") -> str:
    """A rate, given a second, in words: a second, or a minute or an hour where that would be next to nothing."""
    size, unit = next(((size, unit) for size, unit in ((1, "s"), (60, "min")) if rate * size >= 0.95), (3_600, "h"))
    return f"{rate * size:.{0 if rate * size >= 9.95 else 1}f}{things}/{unit}"


def say_if_compiling() -> None:
    """Say why nothing is seen at first, where the engine is not compiled yet."""
    from cej_sim.warmup import is_compiled

    if not is_compiled():
        say(f"Compiling the model for the first time, about {COMPILATION_SECONDS} seconds ...")


@contextmanager
def progress(title: str, things: str = "runs", every: float | None = None) -> Iterator[Callable[..., None]]:
    """A progress bar with rate and time left; where nobody watches a terminal, a line at the start and at the end.

    Args:
        title: What is done.
        things: What is counted.
        every: Where nobody watches, also a line after this many seconds.

    Yields:
        What is told (done, all, failed), the last only where something may fail.

    Raises:
        InputError: If what was asked for turns out to be impossible.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    from cej_sim.runs import RequestError

    say_if_compiling()

    class Rate(ProgressColumn):
        """Things per second, once some are done."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(per_time(speed, f" {things}") if speed else "")

    started = last = time.perf_counter()
    before: int | None = None
    first: tuple[int, float] | None = None  # how many were done when, with the start of the engine behind us

    def line(done: int, total: int, failed: int = 0) -> None:
        nonlocal last, before, first
        now = time.perf_counter()
        before = done if before is None else before
        if every is None or done == before:
            return
        first = first or (done, now)
        if now - last < every:
            return
        last = now
        said = f", {failed} failed" if failed else ""
        if done > first[0]:
            rate = (done - first[0]) / (now - first[1])
            said += f", {per_time(rate)}, about {duration((total - done) / rate)} left"
        say(f"{done:,} of {total:,} {things}{said}")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    say(f"{title} ...")
    try:
        if sys.stderr.isatty():
            with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
                task = bar.add_task(things.capitalize(), total=None)

                def show_bar(done: int, total: int, failed: int = 0) -> None:
                    what = f"{things.capitalize()} ({failed} failed)" if failed else things.capitalize()
                    bar.update(task, completed=done, total=total, description=what)

                yield show_bar
        else:
            yield line
    except RequestError as error:
        raise InputError(*str(error).splitlines()) from error
    say(f"Done in {time.perf_counter() - started:.1f} seconds.")
