"""The command line: every command reads what is asked, and reports all mistakes at once, a line each.

Exit status: 0 done; 2 the input is wrong; 1 something failed; 130 stopped by Ctrl-C. Heavy libraries are
imported inside the commands that need them, so that ``--help`` and mistakes answer at once.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from cej_sim.parameters import Parameter, Value
    from cej_sim.scenario import Scenario

#: Set to anything to get the traceback of a failure.
DEBUG = "CEJ_SIM_DEBUG"

#: Seconds that compiling the engine takes on an ordinary computer.
COMPILATION_SECONDS = 15

#: Exit status after Ctrl-C.
INTERRUPTED = 130

#: What `compare` compares without names.
DEFAULT_PAIR = ("collective_impact", "community_led")

app = typer.Typer(
    name="cej-sim",
    help="Simulate how power moves in community coalitions under governance rules that you can change. "
    "What it shows is an illustration, not a prediction.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


class InputError(Exception):
    """The user's input is wrong; its arguments are the mistakes, a line each."""


class Request(NamedTuple):
    """What a command was asked to compute, checked."""

    scenarios: list[Scenario]
    directory: Path
    runs: int
    seed: int
    months: int | None


# Options that several commands share

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="A B ...", help="Scenarios, by shipped name (see `cej-sim list`) or path of a file."),
]
# Numbers arrive as text, so that a mistake in one of them is reported together with all others.
Runs = Annotated[str, typer.Option("--runs", metavar="N", help="Number of runs of each scenario.")]
Months = Annotated[
    str | None,
    typer.Option("--months", metavar="T", help="Stop after this many months; at most the scenario's own horizon."),
]
Seed = Annotated[str, typer.Option("--seed", metavar="S", help="Equal seeds give equal numbers.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Set a parameter in every scenario of the command; may be given several times.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Directory for tables, figure, report and provenance. It may exist if it is empty or holds "
        "results of cej-sim, which are then overwritten.",
        show_default="results/ and the scenarios' names",
    ),
]


# Commands


@app.command("list")
def list_scenarios() -> None:
    """Show the shipped scenarios."""
    from rich.table import Table

    from cej_sim.reading import load, shipped

    table = Table("Name", "What it is", box=None, pad_edge=False)
    for name in sorted(shipped()):
        scenario = load(name)
        table.add_row(name, scenario.title)
    _console().print(table)


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Scenario files, or shipped names.")],
) -> None:
    """Check scenario files and name every mistake, with file, line and column."""
    scenarios, problems = _load(files)
    for name, scenario in zip(files, scenarios, strict=True):
        if scenario is not None:
            print(f"{name}: correct")
    if problems:
        raise InputError(*problems)


@app.command()
def run(
    name: Annotated[str, typer.Argument(metavar="A", help="A scenario, by shipped name or path of a file.")],
    runs: Runs = "20",
    months: Months = None,
    seed: Seed = "0",
    settings: Set = None,
    out: Out = None,
) -> None:
    """Run one scenario many times, and show what happens in it."""
    asked = _prepare([name], runs, seed, months, settings, out, allow_unequal_budgets=True)

    from cej_sim.comparison import render_summary, summary_table
    from cej_sim.runs import simulate, table_months

    (scenario,) = asked.scenarios
    with _progress(f"{scenario.title}, {_count(asked.runs, 'run')}") as advance:
        result = simulate(scenario, asked.runs, asked.seed, asked.months, progress=advance, command=_command())
    files = result.save(asked.directory)
    summary = summary_table(result.monthly, scenario.name, table_months(result.provenance["months"]))
    _show(render_summary(summary, scenario.title), files)


@app.command()
def compare(
    names: Names = None,
    runs: Runs = "100",
    months: Months = None,
    seed: Seed = "0",
    settings: Set = None,
    out: Out = None,
    allow_unequal_budgets: Annotated[
        bool, typer.Option("--allow-unequal-budgets", help="Compare scenarios although one has more money.")
    ] = False,
) -> None:
    """Run scenarios side by side with common luck; the first is compared with each of the others.

    Without names: collective_impact and community_led.
    """
    names = names or list(DEFAULT_PAIR)
    if len(names) == 1:
        raise InputError(f"{names[0]}: one scenario has nothing to be compared with; name a second one")
    asked = _prepare(names, runs, seed, months, settings, out, allow_unequal_budgets)

    from cej_sim import runs as computing
    from cej_sim.comparison import render

    for remark in computing.comparison_remarks(computing.unique_names(asked.scenarios)):
        _say(f"Note: {remark}.")
    warnings.simplefilter("ignore", computing.ComparisonWarning)
    titles = " and ".join(scenario.title for scenario in asked.scenarios)
    with _progress(f"{titles}, {_count(asked.runs, 'run')} each") as advance:
        result = computing.compare(
            *asked.scenarios,
            runs=asked.runs,
            seed=asked.seed,
            months=asked.months,
            progress=advance,
            allow_unequal_budgets=allow_unequal_budgets,
            command=_command(),
        )
    files = result.save(asked.directory)
    _show(render(result.table, result.titles), files)


# Reading what is asked


def _prepare(
    names: Sequence[str],
    runs: str,
    seed: str,
    months: str | None,
    settings: Sequence[str] | None,
    out: Path | None,
    allow_unequal_budgets: bool,
) -> Request:
    """The scenarios with the settings made, the numbers, and the directory for the results.

    Raises:
        InputError: With every mistake in names, files, options and settings.
    """
    loaded, problems = _load(names)
    values, wrong = _read_settings(settings or [])
    problems += wrong

    from cej_sim import runs as computing
    from cej_sim.provenance import OutputError, check_output

    numbers: dict[str, int] = {}
    for option, text in (("runs", runs), ("months", months), ("seed", seed)):
        if text is not None:
            try:
                numbers[option] = int(text)
            except ValueError:
                problems.append(f"--{option}: {text} is not a whole number; write digits only, e.g. --{option} 60")
    problems += [f"--{line}" for line in computing.request_problems(**numbers)]

    scenarios = []
    for scenario in filter(None, loaded):
        try:
            scenarios.append(scenario.with_values(values))
        except ValueError as error:
            problems.append(f"--set: {scenario.name}: {error}")
    named = computing.unique_names(scenarios)
    problems += [f"--{line}" for line in computing.horizon_problems(named, numbers.get("months"))]
    if len(scenarios) == len(names) and not allow_unequal_budgets:
        problems += computing.budget_refusals(named)
    directory = out if out is not None else Path("results") / _folder(named or names)
    try:
        check_output(directory)
    except OutputError as error:
        problems.append(f"--out: {error}")
    if problems:
        raise InputError(*problems)
    return Request(scenarios, directory, numbers["runs"], numbers["seed"], numbers.get("months"))


def _folder(names: Iterable[str]) -> str:
    """A directory name from scenario names: ``a-vs-b``."""
    return "-vs-".join(re.sub(r"[^\w.-]+", "-", name).strip("-.") or "scenario" for name in names)[:120]


def _load(names: Sequence[str]) -> tuple[list[Scenario | None], list[str]]:
    """A scenario for each name, None where there is a mistake; and all mistakes, a line each."""
    from cej_sim.reading import ScenarioError, load

    scenarios: list[Scenario | None] = []
    problems: list[str] = []
    for name in names:
        try:
            scenarios.append(load(name))
        except ScenarioError as error:
            scenarios.append(None)
            problems += str(error).splitlines()
    return scenarios, list(dict.fromkeys(problems))


def _read_settings(settings: Sequence[str]) -> tuple[dict[str, Value], list[str]]:
    """The values of ``--set`` options by path, and all mistakes in them."""
    from cej_sim.scenario import PARAMETERS, value_problem

    values: dict[str, Value] = {}
    problems = []
    for text in settings:
        path, equals, word = (part.strip() for part in text.partition("="))
        if not equals or not path or not word:
            problems.append(f"--set {text}: write it as section.key=value, e.g. governance.decide.votes.residents=0.5")
            continue
        parameter = PARAMETERS.get(path)
        if parameter is None:
            near = difflib.get_close_matches(path, PARAMETERS, n=1, cutoff=0.6)
            guess = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"--set {text}: there is no parameter {path}{guess}")
            continue
        value = _read_value(parameter, word)
        problem = value_problem(parameter, value)
        if problem:
            problems.append(f"--set {text}: {problem}")
        else:
            values[path] = value
    return values, problems


def _read_value(parameter: Parameter, word: str) -> Value:
    """The value that a word stands for; the word itself where it is no value of the parameter."""
    if parameter.kind == "choice":
        return word
    if parameter.kind == "switch":
        return {"true": True, "false": False}.get(word.lower(), word)
    try:
        number = float(word)
    except ValueError:
        return word
    return int(number) if parameter.kind == "count" and number.is_integer() else number


# Talking to people


def _say(text: str) -> None:
    """A line for people, beside the output proper."""
    print(text, file=sys.stderr, flush=True)


def _console() -> Console:
    """Where tables go: as wide as the terminal, or 100 columns where there is none."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=100)


def _show(tables: RenderableType, files: Sequence[Path]) -> None:
    """Print tables, and where everything was written."""
    _console().print(tables)
    print("\nWritten:")
    for file in files:
        print(f"  {file}")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _command() -> str:
    """The command line as it was given, without the path of the program."""
    return shlex.join(["cej-sim", *sys.argv[1:]])


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with rate and time left; two lines where nobody watches a terminal."""
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

    from cej_sim.compiled import is_cached

    if not is_cached():
        _say(f"Compiling the model for the first time, about {COMPILATION_SECONDS} seconds ...")

    class Rate(ProgressColumn):
        """Runs per second, once some are done."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:.0f} runs/s" if speed else "")

    started = time.perf_counter()
    if not sys.stderr.isatty():
        _say(f"{title} ...")
        yield lambda done, total: None
        _say(f"Done in {time.perf_counter() - started:.1f} seconds.")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


# The door


def main() -> None:
    """Run the command line and leave with its exit status."""
    if hasattr(signal, "SIGPIPE"):
        # A reader that has seen enough (`| head`) ends the program silently, as with any other command.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(status(sys.argv[1:]))


def status(arguments: Sequence[str]) -> int:
    """Run the command line with these arguments; returns the exit status."""
    click_exception = typer.BadParameter.__mro__[2]
    try:
        answer = app(list(arguments) or ["--help"], prog_name="cej-sim", standalone_mode=False)
    except InputError as error:
        _say("\n".join(error.args))
        return 2
    except click_exception as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "cej-sim"
        _say(f"{command}: {' '.join(error.format_message().split())} (see {command} --help)")
        return 2
    except (KeyboardInterrupt, typer.Abort):
        answer = INTERRUPTED
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        text = " ".join(str(error).split())
        _say(f"cej-sim failed: {type(error).__name__}: {text} (set {DEBUG}=1 to see where)")
        return 1
    if answer == INTERRUPTED:
        _say("\nStopped.")
    return int(answer or 0)
