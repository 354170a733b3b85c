"""What the scripts of the experiments share: options, runs side by side, intervals, and the sheet of a figure.

The folder of a script holds its question and its pictures; what would otherwise stand in several of them stands here.
Scripts put this file's folder on the path and import it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cej_sim import compiled, provenance, warmup
from cej_sim.ensemble import Ensemble, EnsembleError
from cej_sim.metrics import METRICS, NAMES
from cej_sim.month import measure, run_months
from cej_sim.plots import FAINT, INK, SOFT, canvas, fit, write
from cej_sim.runs import budget_refusals, key_of, start, usable_processors
from cej_sim.scenario import CHANGEABLE, PARAMETERS, Scenario, encode_events
from cej_sim.state import BUDGET_LINES, KINDS
from cej_sim.sweeps.ablation import mixed
from cej_sim.sweeps.analysis import half_width
from cej_sim.sweeps.page import Written
from cej_sim.sweeps.page import write as analyze
from cej_sim.sweeps.reading import read_design
from cej_sim.sweeps.runner import sweep
from cej_sim.sweeps.store import Sweep

Values = NDArray[np.float64]

CI, LED = "collective_impact", "community_led"
COLUMN = {name: place for place, name in enumerate(NAMES)}
METRIC = {metric.name: metric for metric in METRICS}

#: What cannot be told is hatched, so that it is a region of its own and no absence of one.
HATCHED: dict[str, Any] = {"facecolor": "white", "edgecolor": "#8a8a8a", "hatch": "////", "linewidth": 0.0}


# What is asked


def options(description: str, runs: int, what: str = "runs of each, with common luck") -> argparse.ArgumentParser:
    """The options that every study has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=int, default=runs, help=f"{what} (default {runs}, at least 2)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all luck (default 1)")
    parser.add_argument(
        "--threads", type=int, default=usable_processors(), help="at a time (default: one for each processor)"
    )
    parser.add_argument(
        "--ensemble",
        nargs="?",
        const="",
        metavar="FILE.csv",
        help="run r uses the r-th parameter set, of those that come with cej-sim or of a file, so that intervals hold "
        "what is not known about coefficients too",
    )
    parser.add_argument("--out", type=Path, help="directory for tables and pictures")
    parser.add_argument("--figures", type=Path, help="put the pictures (PNG) into this folder as well")
    return parser


def read_options(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    counts: Mapping[str, int] | None = None,
    of_sweep: bool = False,
) -> argparse.Namespace:
    """The options as given, checked; ``given.sets`` holds the ensemble, or None.

    Args:
        parser: See ``options``.
        arguments: The command line; None: that of the process.
        counts: Further whole numbers: option -> least value.
        of_sweep: Whether ``--out`` is the directory of a sweep, which looks after itself.
    """
    given = parser.parse_args(arguments)
    for name, least in {"runs": 2, "seed": 0, "threads": 1, **(counts or {})}.items():
        if getattr(given, name) < least:
            option = name.replace("_", "-")
            parser.error(f"--{option} {getattr(given, name)}: write a whole number of at least {least}")
    try:
        given.sets = None if given.ensemble is None else Ensemble.read(given.ensemble or None)
        if given.out is not None and not of_sweep:
            provenance.check_output(given.out)
        if given.figures is not None and not given.figures.is_dir():
            parser.error(f"--figures {given.figures}: there is no such folder; make it first")
    except (EnsembleError, provenance.OutputError) as error:
        parser.error(str(error))
    return given


def command_line(script: str, arguments: Sequence[str] | None) -> str:
    """The command line for the provenance."""
    return " ".join(["python", script, *(sys.argv[1:] if arguments is None else arguments)])


# Runs


def prepare(console: Console) -> None:
    """Compile the model, once."""
    if not compiled.is_cached():
        console.print("[dim]compiling the model, once[/]")
    warmup.prepare()


def samples(
    scenario: Scenario,
    runs: int,
    seed: int,
    months: Sequence[int],
    ensemble: Ensemble | None = None,
    bloc: str | None = None,
) -> Values:
    """Metrics of each run at some months, (runs, months, metrics), and with a bloc its causal influence as one more.

    Causal influence is as in ``runs.causal_influence``: how far the agenda moves when the bloc's convictions do.

    Args:
        scenario: What to run.
        runs: How many; run r is run r of every other place where this seed is used.
        seed: Of the luck.
        months: Which, in order.
        ensemble: Parameter sets to run through.
        bloc: Whose influence; None: not asked for.
    """
    events, issues = encode_events(scenario), len(scenario.issues)
    rows = np.empty((months[-1] + 1, len(NAMES)))
    found = np.empty((runs, len(months), len(NAMES) + (bloc is not None)))
    for run in range(runs):
        here = scenario if ensemble is None else ensemble.apply(scenario, run)
        key = key_of(seed, run)
        states = [start(here, key)]
        if bloc is not None:
            kind = KINDS.index(bloc)
            states.append(start(here, key, permuted=kind))
            mine = (states[0].kind == kind) & states[0].active
            moved = np.abs(states[0].x0[mine, :issues] - states[1].x0[mine, :issues]).sum(axis=1).mean()
        agendas = np.empty((len(states), len(months), issues))
        for which, state in enumerate(states):
            measure(state, 0, rows[0])
            done = 0
            for place, month in enumerate(months):
                if month > done:
                    run_months(state, events, key, done, rows[done + 1 : month + 1])
                    done = month
                agendas[which, place] = state.decision[:issues]
                if which == 0:
                    found[run, place, : len(NAMES)] = rows[month]
        if bloc is not None:
            found[run, :, -1] = np.abs(agendas[0] - agendas[1]).sum(axis=1) / moved if moved > 0 else np.nan
    return found


def everywhere(work: Callable[[int], Any], places: int, threads: int, label: str, console: Console) -> list[Any]:
    """``work`` of each place, in order, over threads, with a progress bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar, ThreadPoolExecutor(threads) as pool:
        task = bar.add_task(label, total=places)
        found = []
        for result in pool.map(work, range(places)):
            found.append(result)
            bar.advance(task)
    return found


def interval(values: Values) -> tuple[Values, Values, Values]:
    """Mean over the first axis and its 95 % t interval; what is missing is left out."""
    count = (~np.isnan(values)).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(count > 0, np.nansum(values, axis=0) / count, np.nan)
        deviation = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / (count - 1))
    half = half_width(np.where(deviation < 1e-12, 0.0, deviation), count)
    return mean, mean - half, mean + half


def of_residents(values: Values, column: int) -> Values:
    """A share that residents hold, (runs, ...), 0 where the coalition has ended: nobody says anything there."""
    return np.where(values[..., COLUMN["alive"]] > 0.0, values[..., column], 0.0)


# Rules


def between(a: Scenario, b: Scenario, share: float, paths: Sequence[str] | None = None) -> dict[str, Any]:
    """The rules a share of the way from one scenario to another: 0 the first, 1 the second, below or above beyond it.

    Numbers lie on the line, as far as their bounds let them; what is no number is as in the nearer scenario.
    """
    values: dict[str, Any] = {}
    for path in [path for path in PARAMETERS if a[path] != b[path]] if paths is None else paths:
        parameter, first, second = PARAMETERS[path], a[path], b[path]
        if parameter.kind in ("number", "count"):
            there = float(first) + share * (float(second) - float(first))
            there = min(max(there, parameter.low), parameter.high)
            values[path] = round(there) if parameter.kind == "count" else round(there, 12)
        else:
            values[path] = second if share >= 0.5 else first
    return values


def with_rules(scenario: Scenario, values: Mapping[str, Any]) -> Scenario:
    """A scenario with other rules; votes and budget lines that no longer fit together are made to."""
    values = {**scenario.values, **values}
    votes = [f"governance.decide.votes.{bloc}" for bloc in ("residents", "institutions", "backbone")]
    whole = sum(float(values[path]) for path in votes)
    values |= {path: float(values[path]) / whole for path in votes} if whole > 0.0 else {}
    for line in BUDGET_LINES[:-1]:
        least, most = (f"governance.decide.budget_{end}.{line}" for end in ("min", "max"))
        values[most] = max(float(values[most]), float(values[least]))
    values["governance.decide.strategy"] = min(
        float(values["governance.decide.strategy"]), float(values["governance.decide.strategy_max"])
    )
    changed = {path for path in values if values[path] != scenario[path]}
    here = replace(scenario, values=values, stated=scenario.stated | changed)
    return mixed(here, here, ())


def refuse_unequal(scenarios: Mapping[str, Scenario], months: int) -> None:
    """Stop where scenarios do not have the same money.

    Raises:
        ValueError: With a line for each that has not.
    """
    refusals = budget_refusals(scenarios, months)
    if refusals:
        raise ValueError("\n".join(refusals))


def changeable(a: Scenario, b: Scenario) -> list[str]:
    """The rules in which two scenarios differ that can be changed while a coalition works."""
    return [path for path in CHANGEABLE if a[path] != b[path]]


_SHORT = {
    "1": "name injustice",
    "2": "residents' power",
    "3": "organize",
    "4": "policy",
    "5": "evaluate",
    "6": "facilitate",
}


def short_principle(name: str) -> str:
    """Two or three words for a principle: its number, or the name of its part in an ablation."""
    return _SHORT.get(name.removeprefix("principle_"), name.replace("_", " "))


# Sweeps


def swept(
    file: Path,
    given: argparse.Namespace,
    changes: Mapping[str, Any],
    console: Console,
    command: str,
    metrics: Sequence[str] | None = None,
) -> tuple[Sweep, Written]:
    """The sweep of a design, gone on with where it stopped, and its analysis.

    Args:
        file: The design.
        given: See ``read_options``; ``out`` is where the sweep lies.
        changes: What the command line changes in the design.
        console: Where to tell how far it is.
        command: The command line, for the design that is kept and for the provenance.
        metrics: What to analyze; None: the key outcomes.
    """
    design = read_design(file)
    changes = {**changes, "seed": given.seed}
    if given.sets is not None:
        changes["ensemble"] = given.sets
    other = {key: value for key, value in changes.items() if getattr(design, key) != value}
    if other:
        design = replace(design, **other, text=f"# Changed by: {command}\n{design.text}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(design.title, total=None)
        done = sweep(
            design,
            given.out,
            workers=given.threads,
            command=command,
            progress=lambda so_far: bar.update(task, completed=so_far.done + so_far.failed, total=so_far.cells),
        )
    console.print(f"[dim]analyzing {given.out}[/]")
    return done, analyze(given.out, metrics=metrics, command=command)


# Pictures


def sheet(heading: str, how: str, note: str) -> Figure:
    """An empty figure for a projector (1600 x 900): heading, a line or two on how to read it, and what it is."""
    figure = canvas(16, 9)
    wide = 0.94 * figure.bbox.width
    fit(write(figure, 0.03, 0.975, heading, fontsize=23, fontweight="bold", va="top"), wide)
    fit(write(figure, 0.03, 0.918, how, fontsize=14, color=SOFT, va="top", linespacing=1.3), wide, 2)
    fit(write(figure, 0.03, 0.014, note, fontsize=12.5, color=INK), wide)
    return figure


def plain_axes(axes: Axes, grid: str = "") -> None:
    """Axes with little ink."""
    axes.tick_params(labelsize=12.5, colors=SOFT, length=3)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid, color=FAINT, linewidth=0.7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(SOFT)


def key(figure: Figure, marks: Sequence[tuple[Any, str]], x: float = 0.022, y: float = 0.044) -> None:
    """A key in a line above the note."""
    legend = figure.legend(
        [mark for mark, _ in marks],
        [words for _, words in marks],
        loc="lower left",
        bbox_to_anchor=(x, y),
        ncols=len(marks),
        frameon=False,
        fontsize=13.5,
        handletextpad=0.5,
        columnspacing=1.8,
        handlelength=1.8,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def unsure_patch() -> Patch:
    """What stands for *cannot tell* in a key."""
    return Patch(**HATCHED)


def note_of(given: argparse.Namespace, what: str, runs: int | None = None) -> str:
    """What every picture says of itself; ``runs`` are those that went through parameter sets, if not ``given.runs``."""
    used = 0 if given.sets is None else min(runs or given.runs, len(given.sets))
    sets = f", over {used} parameter sets" if used else ""
    return f"Illustration, not prediction.  {what}, seed {given.seed}{sets}, cej_sim {provenance.version()}."


def describe(
    scenarios: Mapping[str, Scenario], given: argparse.Namespace, months: int, command: str, **more: Any
) -> dict[str, Any]:
    """The provenance of a study."""
    remarks = [] if given.sets is None else [given.sets.remark(scenarios.values())]
    described = provenance.describe(
        scenarios,
        seed=given.seed,
        runs=given.runs,
        months=months,
        engine=compiled.source_hash(),
        command=command,
        warnings=remarks,
    )
    sets = {} if given.sets is None else {"ensemble": given.sets.described()}
    return {**described, **sets, **more}


def describe_sweep(swept_: Sweep, given: argparse.Namespace, command: str) -> dict[str, Any]:
    """The provenance of what was drawn from a sweep."""
    design = swept_.design
    scenarios = {scenario.name: scenario for scenario in design.scenarios}
    return describe(scenarios, given, design.months, command, content_hash=swept_.content_hash)


def save(
    given: argparse.Namespace,
    described: Mapping[str, Any],
    tables: Mapping[str, Any],
    pictures: Mapping[str, Figure],
    console: Console,
    folder: Path | None = None,
) -> None:
    """Write tables (CSV) and pictures (PNG) into ``--out`` (or its ``folder``), and the pictures into ``--figures``."""
    out = folder if folder is not None else given.out
    if out is not None:
        writers: dict[str, Callable[[Path], Any]] = {
            f"{name}.csv": lambda path, table=table: table.to_csv(path, index=False, lineterminator="\n")
            for name, table in tables.items()
        }
        writers |= {
            f"{name}.png": lambda path, figure=figure: _png(figure, path, described)
            for name, figure in pictures.items()
        }
        provenance.write(out, described, writers)
        console.print(f"written to {out}")
    if given.figures is not None:
        for name, figure in pictures.items():
            if out is not None:
                shutil.copyfile(out / f"{name}.png", given.figures / f"{name}.png")
            else:
                _png(figure, given.figures / f"{name}.png", described)
        console.print(f"pictures in {given.figures}: {', '.join(pictures)}")


def _png(figure: Figure, path: Path, described: Mapping[str, Any]) -> None:
    figure.savefig(path, format="png", dpi=100, metadata={"Description": provenance.one_line(described)})
