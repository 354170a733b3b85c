"""Find the parameter sets with which the model does what is known about coalitions.

``patterns.yaml`` declares the patterns, the distance, what is free and how it is searched. The first round is a Latin
hypercube over the ranges. Each later one learns from all sets run so far what to expect of others (a Gaussian process
for each pattern, as in history matching: Andrianakis and others 2015, PLOS Computational Biology 11:e1003968), draws
many sets from the even prior, and runs those likely to fit. Those nearest are kept, whatever was expected of them; each
is weighed by prior over proposals, all rounds taken together (Cornuet and others 2012, Scandinavian Journal of
Statistics 39:798), and the ensemble is drawn by weight. Every set has luck of its own.

    python experiments/calibration/calibrate.py --out results/calibration            # again to go on after a stop
    python experiments/calibration/calibrate.py --out results/calibration --ship     # write the ensemble and pictures

Each evaluation is a row of ``evaluations.csv`` in the folder; what is there is not computed again. Which scenario does
better, and the verdict on any hypothesis, are not read anywhere.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib.util
import json
import math
import platform
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import scipy
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from ruamel.yaml import YAML
from scipy.stats import qmc

import cej_sim
from cej_sim import ensemble, reading, warmup
from cej_sim.draws import run_key
from cej_sim.metrics import NAMES
from cej_sim.month import measure, run_months
from cej_sim.population import populate
from cej_sim.scenario import PARAMETERS, Scenario, encode_events

HERE = Path(__file__).resolve().parent
PATTERNS = HERE / "patterns.yaml"
PRIOR = HERE / "prior.csv"
HYPOTHESES = HERE.parent / "hypotheses" / "hypotheses.yaml"
COLUMN = {name: j for j, name in enumerate(NAMES)}
DIGITS = 5
LENGTHS = (0.7, 1.5, 3.0)

Floats = NDArray[np.float64]


# What is declared


@dataclass(frozen=True)
class Free:
    """A free number: its range, evenly likely (``log``: evenly in its logarithm), and why."""

    low: float
    high: float
    why: str
    log: bool = False

    def at(self, u: Floats) -> Floats:
        """Values at parts ``u`` of the way through the range."""
        if self.log:
            return self.low * np.exp(u * math.log(self.high / self.low))
        return self.low + u * (self.high - self.low)


@dataclass(frozen=True)
class Setup:
    """What is run: each scenario in each context."""

    cases: tuple[Scenario, ...]
    runs: int
    months: int


def declared(path: Path = PATTERNS) -> dict[str, Any]:
    """The file of patterns as plain data."""
    content: dict[str, Any] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    return content


def free_numbers(content: dict[str, Any]) -> dict[str, Free]:
    return {path: Free(**given) for path, given in content["free"].items()}


def contexts_script() -> ModuleType:
    """The script of experiments/contexts, whose ranges and draws are used."""
    spec = importlib.util.spec_from_file_location("contexts", HERE.parent / "contexts" / "contexts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["contexts"] = module
    spec.loader.exec_module(module)
    return module


def setups(content: dict[str, Any]) -> dict[str, Setup]:
    """Every setup with its scenarios placed in their contexts."""
    script = contexts_script()
    found = {}
    for name, given in content["setups"].items():
        own = {*content["free"], *given.get("without", ()), *given.get("set", {})}
        ranges = {path: range_ for path, range_ in script.RANGES.items() if path not in own}
        drawn = script.draw(ranges, given["contexts"], content["search"]["seed"]) if "contexts" in given else [None]
        cases = []
        for scenario in map(reading.load, given["scenarios"]):
            for context in drawn:
                placed = scenario if context is None else script.placed(scenario, context)
                cases.append(placed.with_values(given.get("set", {})))
        found[name] = Setup(tuple(cases), given["runs"], given["months"])
    return found


# What is measured


def histories(setup: Setup, values: dict[str, float], seed: int) -> Floats:
    """Metrics of every run, (cases * runs, months + 1, metrics), with the free numbers set to ``values``."""
    rows = np.empty((len(setup.cases) * setup.runs, setup.months + 1, len(NAMES)))
    for case, scenario in enumerate(setup.cases):
        here = scenario.with_values(values)
        events = encode_events(here)
        for run in range(setup.runs):
            key = np.uint64(run_key(seed, case * setup.runs + run))
            state = populate(here, int(key))
            out = rows[case * setup.runs + run]
            measure(state, 0, out[0])
            run_months(state, events, key, 0, out[1:])
    return rows


def measured(given: dict[str, Any], rows: dict[str, Floats], all_setups: dict[str, Setup]) -> float:
    """What a pattern's ``measure`` says of the runs; not a number where nothing can be said."""
    runs, column = rows[given["setup"]], COLUMN[given["metric"]]
    first, last = given["months"]
    window = runs[:, first : last + 1, column]
    how = given["how"]
    if how == "mean":
        return float(window.mean())
    if how == "yearly_loss":
        before, after = window[:, 0].mean(), window[:, -1].mean()
        return float(1.0 - (after / before) ** (12.0 / (last - first))) if before > 0 else math.nan
    if how == "against":
        other = rows[given["other"]][:, first : last + 1, column].mean()
        return float(window.mean() / other) if other > 0 else math.nan
    if how == "correlation":
        if given["with"] in COLUMN:
            other = runs[:, first : last + 1, COLUMN[given["with"]]].mean(axis=1)
        else:
            setup = all_setups[given["setup"]]
            other = np.repeat([float(case[given["with"]]) for case in setup.cases], setup.runs)
        one = window.mean(axis=1)
        return float(np.corrcoef(one, other)[0, 1]) if one.std() > 0 and other.std() > 0 else math.nan
    if how == "reaching":
        return float((window > given["above"]).any(axis=1).mean())
    if how == "always":
        return float((window > given["above"]).all(axis=1).mean())
    raise ValueError(f"how: {how} is no way to measure")


def misfit(pattern: dict[str, Any], value: float) -> float:
    """How far beyond its tolerance or bounds a pattern is, in its scale; what cannot be measured counts as 3."""
    if math.isnan(value):
        return 3.0
    if "bounds" in pattern:
        low, high = pattern["bounds"]
        beyond = max(0.0, low - value, value - high)
    else:
        beyond = max(0.0, abs(value - pattern["target"]) - pattern["tolerance"])
    return float(beyond / pattern["scale"])


def distance(patterns: Sequence[dict[str, Any]], values: Sequence[float]) -> float:
    """The square root of the sum of squared misfits."""
    return math.sqrt(sum(misfit(pattern, value) ** 2 for pattern, value in zip(patterns, values, strict=True)))


# The search


@dataclass
class Search:
    """Sets tried, in order, and what came of them; everything that was computed stands in ``evaluations.csv``."""

    content: dict[str, Any]
    folder: Path
    threads: int
    console: Console

    def __post_init__(self) -> None:
        self.free = free_numbers(self.content)
        self.patterns = self.content["patterns"]
        self.setups = setups(self.content)
        self.names = [pattern["id"] for pattern in self.patterns]
        self.file = self.folder / "evaluations.csv"
        self.columns = ["set", "round", *self.free, *self.names, "distance"]
        self.done: dict[int, list[float]] = {}
        if self.file.exists() and self.file.stat().st_size:
            table = pd.read_csv(self.file)
            if list(table.columns) != self.columns:
                raise SystemExit(f"{self.file} was written for other patterns; name another folder")
            self.done = {int(row[0]): list(row) for row in table.to_numpy()}

    def evaluate(self, number: int, u: Floats) -> list[float]:
        """The patterns and the distance of a set; ``number`` is also its luck."""
        values = self.values(u)
        seed = self.content["search"]["seed"] * 1_000_000 + number
        rows = {name: histories(setup, values, seed) for name, setup in self.setups.items()}
        found = [measured(pattern["measure"], rows, self.setups) for pattern in self.patterns]
        return [*values.values(), *found, distance(self.patterns, found)]

    def values(self, u: Floats) -> dict[str, float]:
        at = {path: float(free.at(u[j])) for j, (path, free) in enumerate(self.free.items())}
        return {path: float(f"{value:.{DIGITS}g}") for path, value in at.items()}

    def round(self, number: int, first: int, points: Floats) -> list[list[float]]:
        """Evaluate points as sets ``first``, ``first + 1`` ...; rows of evaluations.csv from their third column on."""
        wanted = [i for i in range(len(points)) if not self._known(first + i, points[i])]
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                   TimeRemainingColumn())  # fmt: skip
        new = not (self.file.exists() and self.file.stat().st_size)
        with (
            self.file.open("a", newline="") as stream,
            Progress(*columns, console=self.console) as bar,
            ThreadPoolExecutor(self.threads) as pool,
        ):
            writer = csv.writer(stream)
            if new:
                writer.writerow(self.columns)
                stream.flush()
            task = bar.add_task(f"round {number}", total=len(points), completed=len(points) - len(wanted))
            for i, row in zip(wanted, pool.map(lambda i: self.evaluate(first + i, points[i]), wanted), strict=True):
                self.done[first + i] = [float(first + i), float(number), *row]
                writer.writerow([first + i, number, *row])
                stream.flush()
                bar.advance(task)
        return [self.done[first + i][2:] for i in range(len(points))]

    def _known(self, number: int, u: Floats) -> bool:
        """Whether a set was run before: this one, not another of the same number."""
        row = self.done.get(number)
        return row is not None and np.allclose(row[2 : 2 + len(self.free)], list(self.values(u).values()), rtol=1e-9)

    def run(self) -> dict[str, Any]:
        """The whole search: points, weights, rows and distances of those kept, and what each round did."""
        how = self.content["search"]
        points = qmc.LatinHypercube(len(self.free), seed=how["seed"]).random(how["first"])
        rows = np.array(self.round(0, 0, points))
        story = [self._told(0, rows)]
        proposals: list[tuple[Likely, float]] = []
        for number in range(1, how["rounds"] + 1):
            generator = np.random.default_rng([how["seed"], number])
            pool = generator.random((how["pool"], len(self.free)))
            likely = Likely(points, rows[:, len(self.free) : -1], self.patterns)
            chance = likely(pool)
            new = pool[generator.choice(how["pool"], how["batch"], replace=False, p=chance / chance.sum())]
            proposals.append((likely, float(chance.mean())))
            rows = np.concatenate([rows, self.round(number, len(points), new)])
            points = np.concatenate([points, new])
            story.append(self._told(number, rows))
        density = np.full(len(points), float(how["first"]))
        for likely, mean in proposals:
            density += how["batch"] * likely(points) / mean
        nearest = np.argsort(rows[:, -1], kind="stable")[: how["keep"]]
        return {
            "points": points[nearest],
            "weights": 1.0 / density[nearest],
            "rows": rows[nearest],
            "tried": len(points),
            "story": story,
        }

    def _told(self, number: int, rows: Floats) -> dict[str, Any]:
        """What stands after a round: how many were tried, and how far away those are that would be kept."""
        kept = np.sort(rows[:, -1])[: self.content["search"]["keep"]]
        self.console.print(f"round {number}: {len(rows)} tried, kept from {kept[0]:.2f} to {kept[-1]:.2f}")
        return {"round": number, "tried": len(rows), "least": float(kept[0]), "distance": float(kept[-1])}


class Likely:
    """How likely a set fits, by what was seen of others: exp(-d^2 / 2), d the distance of the patterns expected there.

    A pattern is expected by a Gaussian process over the ranges, linear plus smooth, whose length and noise are the
    likeliest of a few.
    """

    def __init__(self, points: Floats, seen: Floats, patterns: Sequence[dict[str, Any]]) -> None:
        self.patterns = patterns
        there = ~np.isnan(seen)
        self.middle = np.nanmean(seen, axis=0)
        self.spread = np.where(np.nanstd(seen, axis=0) > 0.0, np.nanstd(seen, axis=0), 1.0)
        z = (seen - self.middle) / self.spread
        self.fitted: list[tuple[Floats, Floats, float, Floats]] = []  # which patterns, points, length, weights
        for same in np.unique(there, axis=1).T:  # patterns that could be measured for the same sets, together
            mine = (there == same[:, None]).all(axis=0)
            x = points[same]
            best = np.full(mine.sum(), -np.inf)
            lengths, weights = np.zeros(mine.sum()), np.zeros((len(x), mine.sum()))
            for length in LENGTHS:
                k = _alike(x, x, length)
                for noise in (0.05, 0.2, 0.6):
                    lower = np.linalg.cholesky(k + noise * np.eye(len(x)))
                    inner = np.linalg.solve(lower, z[same][:, mine])
                    fit = -0.5 * (inner**2).sum(axis=0) - np.log(np.diag(lower)).sum()
                    better = fit > best
                    best = np.where(better, fit, best)
                    lengths = np.where(better, length, lengths)
                    weights = np.where(better, np.linalg.solve(lower.T, inner), weights)
            for length in LENGTHS:
                if (lengths == length).any():
                    which = np.flatnonzero(mine)[lengths == length]
                    self.fitted.append((which, x, length, weights[:, lengths == length]))

    def expected(self, points: Floats) -> Floats:
        """Each pattern at each point."""
        out = np.empty((len(points), len(self.patterns)))
        for which, x, length, weights in self.fitted:
            out[:, which] = _alike(points, x, length) @ weights
        return self.middle + self.spread * out

    def __call__(self, points: Floats) -> Floats:
        """Relative chances; never quite 0, so that no part of the ranges is given up."""
        away = np.array([distance(self.patterns, values) for values in self.expected(points)])
        return np.maximum(np.exp(-0.5 * away**2), 1e-4)


def _alike(a: Floats, b: Floats, length: float) -> Floats:
    """How alike what is expected at points of two sets is: linear plus squared exponential."""
    apart = np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2.0 * a @ b.T, 0.0)
    alike: Floats = 4.0 * (a - 0.5) @ (b - 0.5).T + np.exp(-0.5 * apart / length**2)
    return alike


# The ensemble


def members(search: Search, found: dict[str, Any]) -> Floats:
    """Rows of sets drawn from those kept, by weight, without repetition, in the order of the draw."""
    how = search.content["search"]
    generator = np.random.default_rng([how["seed"], 1000])
    weights = found["weights"] / found["weights"].sum()
    chosen = generator.choice(len(weights), how["members"], replace=False, p=weights)
    rows: Floats = found["rows"][chosen]
    return rows


def central(search: Search, rows: Floats, lucks: int = 8) -> tuple[dict[str, float], list[float]]:
    """The middle of the ensemble, each number's median to two digits, and its patterns: means over several lucks.

    No single member is in the middle in all of so many numbers.
    """
    medians = np.median(rows[:, : len(search.free)], axis=0)
    values = {path: float(f"{value:.2g}") for path, value in zip(search.free, medians, strict=True)}
    found = []
    for luck in range(lucks):
        seed = search.content["search"]["seed"] * 1_000_000 + 900_000 + luck
        runs = {name: histories(setup, values, seed) for name, setup in search.setups.items()}
        found.append([measured(pattern["measure"], runs, search.setups) for pattern in search.patterns])
    return values, np.nanmean(found, axis=0).tolist()


def ship(search: Search, found: dict[str, Any]) -> None:
    """Write cej_sim/ensemble.csv, ensemble.json and the pictures, and the sets of the first round, likely or not."""
    rows = members(search, found)
    free = list(search.free)
    first = np.array([search.done[number][2:] for number in range(search.content["search"]["first"])])
    for file, sets in ((ensemble.SHIPPED, rows), (PRIOR, first)):
        with file.open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(free)
            writer.writerows([f"{value:.{DIGITS}g}" for value in row[: len(free)]] for row in sets)
    middle, seen = central(search, rows)
    away = distance(search.patterns, seen)
    if away > found["rows"][:, -1].max():
        raise SystemExit("the middle of the ensemble does not fit: its parts do not go together; search on")
    said = {
        "made_by": "experiments/calibration/calibrate.py",
        "members": len(rows),
        "parameters": free,
        "tried": found["tried"],
        "kept": len(found["rows"]),
        "distance": {"least": float(rows[:, -1].min()), "largest": float(rows[:, -1].max())},
        "rounds": found["story"],
        "central": middle,
        "central_patterns": dict(zip(search.names, seen, strict=True)),
        "central_distance": away,
        "seed": search.content["search"]["seed"],
        "patterns_sha256": _sha256(PATTERNS),
        "hypotheses_sha256": _sha256(HYPOTHESES),
        "sha256": _sha256(ensemble.SHIPPED),
        "versions": {
            "cej_sim": cej_sim.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
    }
    path = ensemble.SHIPPED.with_suffix(".json")
    path.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    parameter_figure(search, rows).savefig(HERE / "parameters.png", format="png", dpi=100)
    pattern_figure(search, rows).savefig(HERE / "patterns.png", format="png", dpi=100)


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


# Pictures and tables

_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#999999"  # apart for the color-blind (Okabe and Ito)


def parameter_figure(search: Search, rows: Floats) -> Figure:
    """Prior and ensemble of each free number."""
    wide = 4
    tall = -(-len(search.free) // wide)
    figure = Figure(figsize=(13, 2.3 * tall), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(tall, wide, squeeze=False).ravel()
    for ax in axes[len(search.free) :]:
        ax.axis("off")
    for j, (path, free) in enumerate(search.free.items()):
        ax = axes[j]
        edges = free.at(np.linspace(0.0, 1.0, 13))
        ax.hist(rows[:, j], edges, color=_BLUE, edgecolor="white", linewidth=0.5)
        ax.axhline(len(rows) / 12, color=_ORANGE, linestyle="--", linewidth=2)
        ax.set_xscale("log" if free.log else "linear")
        ax.set_xlim(edges[0], edges[-1])
        if free.log:
            ax.set_xticks([free.low, math.sqrt(free.low * free.high), free.high])
            ax.set_xticks([], minor=True)
            ax.set_xticklabels([f"{tick:.2g}" for tick in (free.low, math.sqrt(free.low * free.high), free.high)])
        ax.set_yticks([])
        ax.set_title(PARAMETERS[path].label, fontsize=10, loc="left")
        ax.spines[["top", "right", "left"]].set_visible(False)
    figure.suptitle(
        f"Free numbers: even prior (dashed) and the {len(rows)} sets of the ensemble (bars)", x=0.01, ha="left"
    )
    return figure


def pattern_figure(search: Search, rows: Floats) -> Figure:
    """Patterns: what is allowed, and the spread of the ensemble and of the first round."""
    figure = Figure(figsize=(11, 0.62 * len(search.patterns) + 1.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(search.patterns), 1)
    first = np.array([row[2:] for row in search.done.values() if row[1] == 0.0])
    for j, pattern in enumerate(search.patterns):
        ax, column = axes[j], len(search.free) + j
        low, high = allowed(pattern)
        ax.axvspan(low, high, color="#e8e0c8", zorder=0)
        for y, values, color in ((0.0, rows[:, column], _BLUE), (1.0, first[:, column], _GREY)):
            a, b, middle, c, d = np.nanpercentile(values, [5, 25, 50, 75, 95])
            ax.plot([a, d], [y, y], color=color, linewidth=1.5)
            ax.plot([b, c], [y, y], color=color, linewidth=6, solid_capstyle="butt")
            ax.plot(middle, y, marker="o" if y == 0.0 else "D", color="white", markeredgecolor=color, markersize=6)
        if "target" in pattern:
            ax.axvline(pattern["target"], color=_ORANGE, linestyle="--", linewidth=1.5)
        ax.set_ylim(-0.8, 1.8)
        ax.set_yticks([])
        ax.set_ylabel(_wrapped(pattern["what"]), rotation=0, ha="right", va="center", fontsize=8)
        ax.tick_params(labelsize=7, length=2)
        ax.spines[["top", "right", "left"]].set_visible(False)
    title = (
        "Known (dashed), allowed (shaded); the ensemble (blue, circle), the first round (grey, diamond)\n"
        "line: 90 % of the sets; bar: half of them"
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure


def allowed(pattern: dict[str, Any]) -> tuple[float, float]:
    """From where to where a pattern is no misfit."""
    if "bounds" in pattern:
        return float(pattern["bounds"][0]), float(pattern["bounds"][1])
    return pattern["target"] - pattern["tolerance"], pattern["target"] + pattern["tolerance"]


def _wrapped(text: str, width: int = 46) -> str:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) >= width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


def show(search: Search, rows: Floats, console: Console) -> None:
    """Each pattern in the first round, in the ensemble, and how often within tolerance."""
    table = Table("pattern", "allowed", "first round", "ensemble (90 %)", "within", box=None)
    first = np.array([row[2:] for row in search.done.values() if row[1] == 0.0])
    for j, pattern in enumerate(search.patterns):
        column = len(search.free) + j
        low, high = allowed(pattern)
        a, middle, b = np.nanpercentile(rows[:, column], [5, 50, 95])
        inside = np.mean([misfit(pattern, value) == 0.0 for value in rows[:, column]])
        table.add_row(
            pattern["id"],
            f"{low:.3g} to {high:.3g}",
            f"{np.nanmedian(first[:, column]):.3g}",
            f"{middle:.3g} ({a:.3g} to {b:.3g})",
            f"{100 * inside:.0f} %",
        )
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Search, or go on searching; with --ship write what comes with the package."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for evaluations.csv; name it again to go on")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--patterns", type=Path, default=PATTERNS)
    parser.add_argument("--ship", action="store_true", help="write cej_sim/ensemble.csv, its json and the pictures")
    given = parser.parse_args(arguments)
    if given.threads < 1:
        parser.error(f"--threads {given.threads}: write a whole number of at least 1")
    if not given.patterns.is_file():
        parser.error(f"--patterns {given.patterns}: there is no such file")
    if given.out.exists() and not given.out.is_dir():
        parser.error(f"--out {given.out}: this is a file; name a folder")
    given.out.mkdir(parents=True, exist_ok=True)
    console = Console()
    warmup.prepare()
    search = Search(declared(given.patterns), given.out, given.threads, console)
    found = search.run()
    rows = members(search, found)
    show(search, rows, console)
    if given.ship:
        ship(search, found)
        console.print(f"written: {ensemble.SHIPPED}, its json, and two pictures in {HERE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
