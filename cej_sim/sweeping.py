"""The commands for sweeps: sweep, retry, merge, analyze and reproduce."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cej_sim.talking import (
    FAILED,
    INTERRUPTED,
    InputError,
    Stop,
    command,
    count,
    duration,
    progress,
    say,
    say_if_compiling,
    show,
    show_files,
)

if TYPE_CHECKING:
    from cej_sim.sweeps.design import Design
    from cej_sim.sweeps.store import Sweep

#: Seconds between two lines of progress where nobody watches a terminal.
LINE_EVERY = 30.0

#: How many failed cells are named.
NAMED = 5

Workers = Annotated[
    str | None,
    typer.Option("--workers", metavar="N", help="Processes that compute; as many as there are processors by default."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler", metavar="tcp://HOST:PORT", help="Have the workers of this Dask scheduler compute instead."
    ),
]
Directory = Annotated[str, typer.Argument(metavar="DIR", help="The directory of a sweep.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for function in (sweep, retry, merge, analyze, reproduce):
        app.command()(function)


def sweep(
    context: typer.Context,
    design: Annotated[str, typer.Argument(metavar="DESIGN", help="A design file, such as design.yaml.")],
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Directory for the results. If it holds this sweep half done, the rest is computed.",
            show_default="results/ and the design's name",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many cells and runs there are, and what they would take.")
    ] = False,
    workers: Workers = None,
    shard: Annotated[
        str, typer.Option("--shard", metavar="i/n", help="Compute every n-th cell, from the i-th; see `merge`.")
    ] = "1/1",
    scheduler: Scheduler = None,
) -> None:
    """Compute every cell of a design; whatever interrupts it, the same command goes on where it stopped."""
    with _mistakes():
        from cej_sim.provenance import output_path
        from cej_sim.sweeps import runner
        from cej_sim.sweeps.reading import read_design

        problems = []
        asked, hands, part = None, None, runner.WHOLE
        for read in (
            lambda: read_design(design),
            lambda: _workers(workers),
            lambda: runner.checked_shard(shard),
            lambda: _scheduler(scheduler, workers),
        ):
            try:
                found: Any = read()
            except ValueError as error:
                problems += str(error).splitlines()
                continue
            if isinstance(found, runner.Shard):
                part = found
            elif isinstance(found, int):
                hands = found
            elif found is not None:
                asked = found
        if out is not None and not out.strip():
            problems.append("--out: there is no name; name a directory for the results")
        if problems or asked is None:
            raise InputError(*map(_as_option, problems))
        name = re.sub(r"[^\w.-]+", "-", asked.name).strip(".") or "sweep"
        directory = output_path(out if out is not None else Path("results") / name)
        if dry_run:
            _estimate(asked, directory, hands, part)
            return
        remaining = _say_resumed(directory)
        title = f"{asked.title}, {count(len(part.cells(len(runner.Plan(asked)))), 'cell')}"
        if part.of > 1:
            title += f" (shard {part})"
        shown = progress(title, "cells", LINE_EVERY) if remaining else nullcontext(lambda *_: None)
        with _going_on(command(context), directory), shown as advance:
            done = runner.sweep(
                asked,
                directory,
                workers=hands,
                shard=part,
                scheduler=scheduler,
                command=command(context),
                progress=lambda so_far: advance(so_far.done + so_far.failed, so_far.cells, so_far.failed),
            )
    if not remaining:
        print(f"{directory}: this sweep is finished; nothing is left to compute")
    _report(done)


def retry(context: typer.Context, directory: Directory, workers: Workers = None, scheduler: Scheduler = None) -> None:
    """Compute the failed cells of a sweep again."""
    with _mistakes():
        from cej_sim.sweeps import runner

        try:
            hands = _workers(workers)
            _scheduler(scheduler, workers)
        except ValueError as error:
            raise InputError(*map(_as_option, str(error).splitlines())) from error
        failed = runner.Sweep(directory).ledger.counts()[1]
        if not failed:
            print(f"{directory}: no cell has failed; there is nothing to try again")
            return
        with (
            _going_on(command(context), Path(directory)),
            progress(f"{count(failed, 'cell')} again", "cells", LINE_EVERY) as advance,
        ):
            done = runner.retry(
                directory,
                workers=hands,
                scheduler=scheduler,
                progress=lambda so_far: advance(so_far.done + so_far.failed, so_far.cells, so_far.failed),
            )
    _report(done)


def merge(
    directories: Annotated[list[str], typer.Argument(metavar="DIR...", help="Directories of shards of one design.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Directory for all of them together.")],
) -> None:
    """Put the shards of a sweep together."""
    with _mistakes():
        from cej_sim.sweeps import runner

        done = runner.merge(directories, out)
    _report(done)


def analyze(
    context: typer.Context,
    directory: Directory,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="Analyze this outcome; may be given several times. `all` takes every one that was kept.",
            show_default="the key outcomes",
        ),
    ] = None,
    months: Annotated[
        list[str] | None,
        typer.Option(
            "--month",
            metavar="M",
            help="Analyze this month; may be given several times. Pictures show the last.",
            show_default="24, 60, 120 and the last",
        ),
    ] = None,
) -> None:
    """Say what a sweep shows and how surely: tables, pictures and a page in DIR/analysis."""
    with _mistakes():
        from cej_sim.sweeps import judging, page

        wrong = [text for text in months or [] if not re.fullmatch("[0-9]{1,6}", text)]
        if wrong:
            raise InputError(*(f"--month: {text[:30]} is not a month; write a whole number" for text in wrong))
        if judging.is_meant(directory):
            if metrics or months:
                raise InputError(
                    "--metric, --month: the hypotheses say which outcomes and months are judged; leave them out"
                )
            judged = judging.write(
                directory, command=command(context), progress=lambda doing: say(f"{directory}: {doing} ...")
            )
            show(judging.summary(judged.found, judged.about, judged.cells))
            show_files([judged.directory / page.PAGE, judged.directory])
            return
        done = page.write(
            directory,
            metrics=metrics or None,
            months=[int(text) for text in months] if months else None,
            command=command(context),
            progress=lambda doing: say(f"{directory}: {doing} ..."),
        )
    show(page.summary(done.found, done.about))
    show_files([done.directory / page.PAGE, done.directory])


def reproduce(
    directory: Directory,
    cell: Annotated[str, typer.Argument(metavar="CELL", help="Number of a cell; see cells.csv.")],
) -> None:
    """Compute a stored cell again and say whether it comes out the same.

    The exit status is 0 only where it gives the same numbers; a cell that fails, also as it did before, gives 1.
    """
    with _mistakes():
        from cej_sim.sweeps import runner

        if not re.fullmatch("[0-9]{1,18}", cell):
            raise InputError(
                f"cell: {cell[:30]} is not the number of a cell; write one from the first column of cells.csv"
            )
        say_if_compiling()
        found = runner.reproduce(directory, int(cell))
    print("\n".join(found.lines))
    if found.failed or not found.same:
        raise typer.Exit(FAILED)


# What they share


@contextmanager
def _mistakes() -> Iterator[None]:
    """What is wrong with what was asked, or what gave way, as lines."""
    try:
        yield
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        from cej_sim.nodes import ScenarioError
        from cej_sim.runs import RequestError
        from cej_sim.sweeps.store import SweepError, SweepFailure

        lines = str(error).splitlines()
        if isinstance(error, ScenarioError | RequestError | SweepError):
            raise InputError(*lines) from error
        if isinstance(error, SweepFailure) or (isinstance(error, ImportError) and "pip install" in str(error)):
            raise Stop(*lines) from error
        raise


@contextmanager
def _going_on(again: str, directory: Path) -> Iterator[None]:
    """Say after an interruption how far it is, how to see that, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        lines = [*_half_done(directory), f"Stopped; what is done is kept. To go on: {again}"]
        raise Stop("", *lines, status=INTERRUPTED) from None
    except RuntimeError as error:
        from cej_sim.sweeps.store import SweepFailure

        if isinstance(error, SweepFailure):
            raise Stop(f"{error}; what is done is kept. Then, to go on: {again}") from error
        raise


def _half_done(directory: Path) -> list[str]:
    """How far a sweep is that was stopped, and how to see it, in lines; none where nothing can be seen yet."""
    from cej_sim.sweeps.store import Sweep, SweepError, SweepFailure

    try:
        found = Sweep(directory)
        done, failed = found.ledger.counts()
    except (SweepError, SweepFailure):
        return []
    cells = len(found.shard.cells(len(found.plan)))
    lines = [f"{done:,} of {cells:,} cells done" + (f", {failed:,} failed" if failed else "")]
    if done:
        lines.append(f"To see what they show so far: cej-sim analyze {shlex.quote(str(directory))}")
    return lines


def _workers(text: str | None) -> int | None:
    """The number of workers asked for.

    Raises:
        ValueError: If it is none.
    """
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,4}", text) or int(text) < 1:
        raise ValueError(f"workers: {text[:30]} is not a number of workers; write a whole number of at least 1")
    return int(text)


def _scheduler(address: str | None, workers: str | None) -> None:
    """Find out whether the address of a scheduler is one, and nothing else is to compute.

    Raises:
        ValueError: If not.
    """
    from cej_sim.sweeps.runner import check_hands

    check_hands(None if workers is None else 1, address)


def _as_option(line: str) -> str:
    """A mistake in an option as the command line has it, with the two dashes."""
    return f"--{line}" if line.startswith(("shard: ", "workers: ", "scheduler: ")) else line


def _say_resumed(directory: Path) -> bool:
    """Say what is there already; whether anything is left to compute."""
    from cej_sim.sweeps.runner import is_finished
    from cej_sim.sweeps.store import LEDGER, Ledger

    if not (directory / LEDGER).is_file():
        return True
    ledger = Ledger(directory)
    try:
        if not ledger.about():
            return True
        missing = ledger.missing_parts()
        if is_finished(directory) and not missing:
            return False
        done, failed = ledger.counts()
        say(f"{directory}: {count(done, 'cell')} done before" + (f", {failed} failed" if failed else ""))
        for part in missing[:NAMED]:
            say(f"Note: rows/{part.name} or its probes are missing or damaged; its cells are computed again.")
        return True
    finally:
        ledger.close()


def _estimate(design: Design, directory: Path, workers: int | None, shard: Any) -> None:
    """What a sweep would take."""
    from cej_sim.sweeps import runner, store

    store.check_directory(directory)
    refusal, there = _what_is_there(design, directory, shard)
    say_if_compiling()
    found = runner.estimate(design, workers, shard)
    free = runner.free_bytes(directory)
    share = 1.0 if there is None else there[2] / max(1, found.cells)
    left = "" if there is None else " for what is left"

    def span(low: Any, high: Any, text: Callable[[Any], str]) -> str:
        return text(high) if text(low) == text(high) else f"{text(low)} to {text(high)}"

    print(f"{design.title}: {design.kind.replace('_', ' ')} design")
    print(f"  cells      {found.cells:,}" + (f" (shard {shard})" if shard.of > 1 else ""))
    if there is not None:
        done, failed, to_go = there
        said = f", {failed:,} failed" if failed else ""
        print(f"  there      {done:,} of {found.cells:,} done{said}, {to_go:,} to go ({directory})")
    print(f"  scenarios  {found.scenarios} in each cell")
    if design.ensemble is not None:
        print(f"  sets       {len(design.ensemble)} of parameters, gone through run by run")
    most = "up to " if design.hypotheses else ""
    print(f"  runs       {span(*found.runs, lambda number: f'{number:,}')} of {most}{design.months} months")
    if design.probes:
        print(f"  probes     {len(design.probes)} in each cell")
    if found.measured:
        if share:
            soonest, latest = (share * seconds for seconds in found.seconds)
            print(f"  time       about {span(soonest, latest, duration)}{left}")
        megabytes = share * found.bytes / 1e6
        size = f"about {megabytes:,.0f} MB" if megabytes >= 1 else "under 1 MB"
        print(f"  disk       {size}{left} ({free / 1e9:,.1f} GB free)")
    if share * found.bytes > free:
        say(f"Note: there is not enough room for that in {directory}.")
    if found.problem:
        raise Stop(f"This was tried, and failed: {found.problem}")
    if refusal:
        raise InputError(f"--out: it would be refused: {refusal}")


def _what_is_there(design: Design, directory: Path, shard: Any) -> tuple[str, tuple[int, int, int] | None]:
    """What a directory holds of a sweep: why this one would be refused, else how many cells are done, failed, to go."""
    from cej_sim.sweeps import store

    if not (directory / store.LEDGER).is_file():
        store.check_begun(directory)
        return "", None
    ledger = store.Ledger(directory)
    try:
        about = ledger.about()
        if not about:
            store.check_begun(directory)
            return "", None
        try:
            store.same(directory, about, design, shard)
        except store.SweepError as error:
            return str(error), None
        done, failed = ledger.counts()
        lost = sum(ledger.cells_in(part.name) for part in ledger.missing_parts())
        cells = len(shard.cells(about["cells"]))
        return "", (done - lost, failed, cells - done - failed + lost)
    finally:
        ledger.close()


def _report(done: Sweep) -> None:
    """What came of a sweep; the exit status says whether all of it is there."""
    finished, failed = done.ledger.counts()
    cells = len(done.shard.cells(len(done.plan)))
    print(f"{finished:,} of {cells:,} cells done" + (f", {failed:,} failed" if failed else ""))
    for cell, one in list(done.ledger.failures().items())[:NAMED]:
        print(f"  cell {cell} ({done.plan.label(cell)}): {one.error}")
    if failed > NAMED:
        print(f"  ... and {failed - NAMED:,} more; see the column error of {done.directory}/cells.csv")
    print(f"content  SHA-256 {done.content_hash}")
    print(f"\nWritten:\n  {done.directory}")
    where = shlex.quote(str(done.directory))
    if finished + failed < cells:
        missing = cells - finished - failed
        some, shards, them = f"{missing:,} cells are missing", "their shards", "them"
        if missing == 1:
            some, shards, them = "1 cell is missing", "its shard", "it"
        raise Stop(f"{some}: finish {shards} and merge again, or compute {them} with `cej-sim sweep` and --out {where}")
    if failed:
        again = "the failed cell" if failed == 1 else "the failed cells"
        raise Stop(f"To try {again} again: cej-sim retry {where}")
