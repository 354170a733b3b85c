"""The design of a sweep: which cells there are, and what is run in each.

A design is a YAML file (see ``reading``); a cell is one combination of factor levels, and in each cell every scenario
is run with the same luck. A ``Plan`` makes the cells one by one when they are asked for, so that a million of them
take no memory.

=====================  ==========================================================================================
``design:``            cells
=====================  ==========================================================================================
list                   those that are listed
grid                   every combination of the factors' levels
one_at_a_time          the scenarios as they are (cell 0), then each factor at each level while all others stay
full_factorial         every combination of two levels for each factor
fractional_factorial   a regular fraction of these (Box and Hunter 1961) of a given resolution
latin_hypercube        ``samples`` points, each factor's range evenly covered (McKay, Beckman and Conover 1979)
sobol                  ``samples`` times (factors + 2) points after Saltelli (2010), for variance-based indices
morris                 ``samples`` paths that move one factor after the other (Morris 1991), for screening
ablation               rules of the second scenario put into the first, part by part (``by:``), and back
hypotheses             the two setups of each declared hypothesis, with and without what should bring the effect about
=====================  ==========================================================================================
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cej_sim.draws import run_key
from cej_sim.ensemble import Ensemble
from cej_sim.metrics import NAMES
from cej_sim.parameters import Value
from cej_sim.scenario import ISSUE, PARAMETERS, Scenario, budget_problems
from cej_sim.sweeps.ablation import Unit, mixed, units
from cej_sim.sweeps.hypotheses import MAIN, PROBE, SIDES, Hypothesis, Place, from_plain, places

KINDS_OF_DESIGN = (
    "list",
    "grid",
    "one_at_a_time",
    "full_factorial",
    "fractional_factorial",
    "latin_hypercube",
    "sobol",
    "morris",
    "ablation",
    "hypotheses",
)
#: Designs whose points are drawn within ranges.
SAMPLED = ("latin_hypercube", "sobol", "morris")
#: Designs with two levels for each factor.
TWO_LEVELS = ("full_factorial", "fractional_factorial")
#: What can be a factor: every parameter, and each number of an issue, which is then the same for all issues.
#: Not their severity, which is divided by its mean over issues.
VARIABLE = {**PARAMETERS, **{parameter.path: parameter for parameter in ISSUE if parameter.path != "issues.severity"}}
#: The stream of the luck that draws the points of a sampled design.
_POINTS = 0x506F696E7473


@dataclass(frozen=True)
class Factor:
    """What varies over the cells.

    Attributes:
        name: Its column: the parameter's path, ``scenario:path`` where only one scenario has it, or for an ablation
            the part that is swapped (``principle_3``, ``condition_backbone``, a path, ``rest``).
        label: Plain words.
        values: Its levels; empty where it is drawn from a range.
        low, high, log: The range, and whether it is covered evenly in its logarithm.
        unit: Unit of the parameter; "swapped" for the parts of an ablation (0: as in the first scenario, 1: as in the
            second).
        path: The parameter; "" for the parts of an ablation, and for what cells of hypotheses are.
        scenario: The only scenario in which it is set; None: all.
    """

    name: str
    label: str
    values: tuple[Value, ...] = ()
    low: float | None = None
    high: float | None = None
    log: bool = False
    unit: str = "share"
    path: str = ""
    scenario: str | None = None

    def at(self, share: float) -> Value:
        """The level at a share of the way from its lowest to its highest, in [0, 1]."""
        if self.values:
            return self.values[min(int(share * len(self.values)), len(self.values) - 1)]
        low, high = float(self.low or 0.0), float(self.high or 0.0)
        # Every whole number has the same stretch of the way, on a log scale from its own logarithm to the next one's.
        parameter = VARIABLE.get(self.path)
        whole = parameter is not None and parameter.kind == "count"
        end = high + 1.0 if whole else high
        number = low * (end / low) ** share if self.log else low + share * (end - low)
        # Twelve digits, so that machines whose powers differ in the last one have the same cells.
        number = float(f"{number:.12g}")
        if whole:
            return min(int(number), int(high))
        return min(max(number, low), high)

    @property
    def ends(self) -> tuple[Value, Value]:
        """Its lowest and highest level."""
        return (self.values[0], self.values[-1]) if self.values else (self.at(0.0), self.at(1.0))


@dataclass(frozen=True)
class Auto:
    """Runs until an interval is short enough.

    Attributes:
        metric, month: Of what.
        half_width: The runs of a cell end once the 95 % interval of the first scenario's paired difference with the
            second (of its mean, where there is one only) reaches at most this far to either side.
        least, most: The fewest and the most runs.
    """

    metric: str
    month: int
    half_width: float
    least: int = 10
    most: int = 500


@dataclass(frozen=True)
class Probe:
    """A question to each cell that takes runs of its own.

    Attributes:
        kind: ``causal_influence`` or ``irreversibility``; see ``runs.causal_influence`` and ``runs.irreversibility``.
        runs: How many.
        bloc: Whose influence.
        path, low, high, hold, steps: The rule that is moved there and back, and how.
        metrics: Of which the loop's area is kept.
    """

    kind: str
    runs: int = 10
    bloc: str = "resident"
    path: str = ""
    low: float = 0.0
    high: float = 1.0
    hold: int = 24
    steps: int = 5
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Design:
    """A complete, checked design; make one with ``reading.read_design``.

    Attributes:
        kind: One of ``KINDS_OF_DESIGN``.
        scenarios: What is run in each cell, with unique names; for an ablation the two that it lies between; for
            hypotheses all setups, of which each cell runs two.
        factors: What varies.
        cells: For a list, each cell's label and values (None: as the scenario has it).
        samples, levels, second_order: Points of sampled designs, levels of Morris's, second order for Sobol's.
        resolution: Of a fractional factorial, 3 to 5: main effects are free of two-factor interactions from 4 on.
        by, how: For an ablation, by which parts, and ``each`` alone (both ways) or all combinations (``factorial``).
        hypotheses, declaration: The hypotheses, and the text of the file that declares them.
        survives_runs: Runs in cells that switch off one other feedback; 0: there are no such cells.
        ensemble: The parameter sets that runs go through, see ``Ensemble.apply``; None: all have the scenarios' values.
        runs: Runs of each scenario in each cell (at most, with ``auto``).
        seed: Seed of all luck.
        luck: ``common``: run r has the same luck in every cell, so that cells are paired; ``own``: each cell its own.
        months: Months run.
        keep_months, keep_metrics: What is kept of them.
        probes: Further questions to each cell.
        time_limit: Longest time that a cell may take, in seconds.
        allow_unequal_budgets: Whether scenarios may have different money in a cell; else such a cell fails.
        text: The file as it was read.
    """

    name: str
    kind: str
    scenarios: tuple[Scenario, ...]
    factors: tuple[Factor, ...]
    label: str = ""
    description: str = ""
    cells: tuple[tuple[str, tuple[Value | None, ...]], ...] = ()
    samples: int = 0
    levels: int = 4
    second_order: bool = False
    resolution: int = 4
    by: str = ""
    how: str = "each"
    hypotheses: tuple[Hypothesis, ...] = ()
    declaration: str = ""
    survives_runs: int = 0
    ensemble: Ensemble | None = None
    runs: int = 20
    auto: Auto | None = None
    seed: int = 0
    luck: str = "common"
    months: int = 120
    keep_months: tuple[int, ...] = (24, 60, 120)
    keep_metrics: tuple[str, ...] = NAMES
    probes: tuple[Probe, ...] = ()
    time_limit: float = 600.0
    allow_unequal_budgets: bool = False
    text: str = ""
    path: Path | None = None

    @property
    def title(self) -> str:
        """The label, or the name where there is none."""
        return self.label or self.name.replace("_", " ")

    @property
    def names(self) -> tuple[str, ...]:
        """The names that scenarios have in the rows."""
        names = SIDES if self.kind == "hypotheses" else tuple(scenario.name for scenario in self.scenarios)
        return (f"{names[0]}_to_{names[1]}",) if self.kind == "ablation" else names

    @property
    def baseline(self) -> int | None:
        """The cell that others are set against, where there is one."""
        return 0 if self.kind in ("one_at_a_time", "ablation", "list") else None

    def to_json(self) -> dict[str, Any]:
        """The whole design as plain data; ``from_json`` makes it again."""
        content = asdict(replace(self, scenarios=(), ensemble=None, path=None))
        content["scenarios"] = [
            {
                "name": scenario.name,
                "label": scenario.label,
                "description": scenario.description,
                "hash": scenario.hash(),
                "resolved": scenario.resolved(),
                **({} if self.ensemble is None else {"stated": sorted(scenario.stated)}),
            }
            for scenario in self.scenarios
        ]
        if self.ensemble is not None:
            content["ensemble"] = {
                **self.ensemble.described(),
                "parameters": list(self.ensemble.parameters),
                "values": self.ensemble.values.tolist(),
            }
        del content["path"]
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any], folder: Path = Path()) -> Design:
        """The design that ``to_json`` described; network files are looked for by name in a folder."""
        fields = {key: _tuples(value) for key, value in content.items()}
        fields["scenarios"] = tuple(
            replace(
                Scenario.from_resolved(
                    one["resolved"], name=one["name"], label=one["label"], description=one["description"], folder=folder
                ),
                stated=frozenset(one.get("stated", ())),
            )
            for one in content["scenarios"]
        )
        fields["factors"] = tuple(
            Factor(**{key: _tuples(value) for key, value in one.items()}) for one in content["factors"]
        )
        fields["probes"] = tuple(
            Probe(**{key: _tuples(value) for key, value in one.items()}) for one in content["probes"]
        )
        fields["hypotheses"] = tuple(map(from_plain, content["hypotheses"]))
        if content["ensemble"]:
            given = content["ensemble"]
            fields["ensemble"] = Ensemble(
                tuple(given["parameters"]), np.array(given["values"]), given["source"], given["sha256"]
            )
        fields["auto"] = Auto(**content["auto"]) if content["auto"] else None
        return cls(**fields)

    def hash(self) -> str:
        """SHA-256 of all that decides the rows."""
        content = self.to_json()
        for key in ("name", "label", "description", "time_limit", "text", "declaration"):
            del content[key]
        content["scenarios"] = [(one["name"], one["hash"], one.get("stated", [])) for one in content["scenarios"]]
        content["factors"] = [{**one, "label": ""} for one in content["factors"]]
        content["cells"] = [values for _, values in content["cells"]]
        content["hypotheses"] = [{**one, **Hypothesis.words()} for one in content["hypotheses"]]
        if self.ensemble is not None:
            content["ensemble"] = [content["ensemble"]["parameters"], content["ensemble"]["values"]]
        points = Plan(self).points
        content["points"] = None if points is None else hashlib.sha256(points.astype("<f8").tobytes()).hexdigest()
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _tuples(value: Any) -> Any:
    """Lists of plain data as tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


# Cells


class Plan:
    """The cells of a design, made one by one; cell numbers count from 0.

    Attributes:
        design: What it is the plan of.
        columns: Names of the factors, one for each value of a cell.
        points: For sampled designs, (cells, factors) shares in [0, 1] of the way through each range; else None.
    """

    def __init__(self, design: Design) -> None:
        """Make the plan of a design.

        Raises:
            ImportError: If a design of Sobol or Morris is asked for and SALib is not installed.
        """
        self.design = design
        self.columns = tuple(factor.name for factor in design.factors)
        self.points = _points(design)

    @cached_property
    def _generators(self) -> tuple[int, ...]:
        return generators(len(self.design.factors), self.design.resolution)

    @cached_property
    def _units(self) -> tuple[Unit, ...]:
        first, second = self.design.scenarios
        return units(first, second, self.design.by)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """For hypotheses: what each cell is."""
        return places(self.design.hypotheses, self.design.survives_runs > 0)

    @cached_property
    def _by_name(self) -> dict[str, Scenario]:
        return {scenario.name: scenario for scenario in self.design.scenarios}

    @cached_property
    def _single(self) -> tuple[tuple[int, Value], ...]:
        """For one at a time: the factor and level of each cell but the first."""
        return tuple(
            (place, value)
            for place, factor in enumerate(self.design.factors)
            for value in (factor.values or dict.fromkeys(factor.ends))
        )

    @property
    def moved(self) -> tuple[int, ...]:
        """For one at a time: the place of the factor that each cell but the first moves."""
        return tuple(place for place, _ in self._single)

    @cached_property
    def _number(self) -> int:
        if self.points is not None:
            return len(self.points)
        if self.design.kind == "hypotheses":
            return len(self.places)
        if self.design.kind == "fractional_factorial":
            return 1 << max(self._generators).bit_length()
        return number_of_cells(self.design)

    def __len__(self) -> int:
        """The number of cells."""
        return self._number

    def values(self, cell: int) -> tuple[Value | None, ...]:
        """The level of each factor in a cell; None where the scenarios keep their own."""
        if not 0 <= cell < len(self):
            raise IndexError(f"there is no cell {cell}; cells are numbered from 0 to {len(self) - 1}")
        design, factors = self.design, self.design.factors
        if self.points is not None:
            return tuple(factor.at(float(share)) for factor, share in zip(factors, self.points[cell], strict=True))
        if design.kind == "list":
            return design.cells[cell][1]
        if design.kind == "hypotheses":
            here = self.places[cell]
            return (here.hypothesis.id, here.setup.name, here.arm.name)
        if design.kind == "grid":
            levels: list[Value | None] = []
            for factor in reversed(factors):
                cell, level = divmod(cell, len(factor.values))
                levels.append(factor.values[level])
            return tuple(reversed(levels))
        if design.kind == "one_at_a_time":
            place, value = self._single[cell - 1] if cell else (-1, None)
            return tuple(value if place == one else None for one in range(len(factors)))
        if design.kind == "ablation":
            return tuple(self._swapped(cell))
        if design.kind == "fractional_factorial":
            # A product of columns is high where an even number of them is low.
            return tuple(
                factor.ends[1 - ((cell & word) ^ word).bit_count() % 2]
                for factor, word in zip(factors, self._generators, strict=True)
            )
        return tuple(factor.ends[cell >> place & 1] for place, factor in enumerate(factors))

    def used(self, cell: int) -> tuple[Value | None, ...]:
        """The value of each factor with which a cell is run; None where the scenarios keep values that differ."""
        return tuple(self._kept[place] if value is None else value for place, value in enumerate(self.values(cell)))

    @cached_property
    def _kept(self) -> tuple[Value | None, ...]:
        """For each factor the value that the scenarios have of themselves, where it is the same in all of them."""
        kept: list[Value | None] = []
        for factor in self.design.factors:
            found: set[Value] = set()
            for scenario in self.design.scenarios:
                if factor.path in PARAMETERS and factor.scenario in (None, scenario.name):
                    found.add(scenario.values[factor.path])
                elif factor.path in VARIABLE and factor.scenario in (None, scenario.name):
                    found.update(getattr(issue, factor.path.partition(".")[2]) for issue in scenario.issues)
            kept.append(found.pop() if len(found) == 1 else None)
        return tuple(kept)

    def _swapped(self, cell: int) -> Iterator[int]:
        """For an ablation, 1 for each part that is as in the second scenario.

        ``each``: cell 0 is the first scenario, the last cell the second; between them stand the first with each part
        swapped, and the second with each part swapped back.
        """
        number = len(self.design.factors)
        for place in range(number):
            if self.design.how == "factorial":
                yield cell >> place & 1
            elif cell <= number or number == 1:
                yield int(cell == place + 1)
            else:
                yield int(cell != number + 1 + place)

    def label(self, cell: int) -> str:
        """A cell in plain words."""
        design, values = self.design, self.values(cell)
        if design.kind == "list" and design.cells[cell][0]:
            return design.cells[cell][0]
        if design.kind == "hypotheses":
            return f"{self.places[cell].hypothesis.id}, {self.places[cell].arm.words}" + (
                "" if values[1] == MAIN else f" ({values[1]})"
            )
        if design.kind == "ablation":
            first, second = (scenario.title for scenario in design.scenarios)
            swapped = [factor.label for factor, value in zip(design.factors, values, strict=True) if value]
            kept = [factor.label for factor, value in zip(design.factors, values, strict=True) if not value]
            if not swapped or not kept:
                return second if swapped else first
            if len(kept) < len(swapped):
                return f"{second} without: {'; '.join(kept)}"
            return f"{first} with: {'; '.join(swapped)}"
        said = [
            f"{factor.label} {_plain(value)}"
            for factor, value in zip(design.factors, values, strict=True)
            if value is not None
        ]
        return ", ".join(said) or "as the scenarios are"

    def scenarios(self, cell: int) -> dict[str, Scenario]:
        """What is run in a cell, by the name that it has in the rows.

        Raises:
            ValueError: If the cell's values do not go together.
        """
        design, values = self.design, self.values(cell)
        if design.kind == "ablation":
            swapped = [unit for unit, value in zip(self._units, values, strict=True) if value]
            first, second = design.scenarios
            return {design.names[0]: mixed(first, second, swapped)}
        if design.kind == "hypotheses":
            here = self.places[cell]
            changes = dict(here.arm.changes)
            sides = zip(SIDES, (here.setup.a, here.setup.b), strict=True)
            return {side: self._by_name[name].with_values(changes) for side, name in sides}
        made = {}
        for scenario in design.scenarios:
            changes = {
                factor.path: value
                for factor, value in zip(design.factors, values, strict=True)
                if value is not None and factor.scenario in (None, scenario.name)
            }
            made[scenario.name] = with_values(scenario, changes)
        return made

    def in_runs(self, cell: int) -> Callable[[str, int], Scenario]:
        """What the scenario of some name is in some run of a cell: with the run's parameter set, where there are any.

        A set leaves alone what the scenario's file, a factor or the cell sets.

        Raises:
            ValueError: If the cell's values do not go together.
        """
        scenarios, ensemble = self.scenarios(cell), self.design.ensemble
        if ensemble is None:
            return lambda name, run: scenarios[name]
        return lambda name, run: checked(ensemble.apply(scenarios[name], run), run % len(ensemble))

    def runs(self, cell: int) -> int:
        """The runs of each scenario in a cell (at most, with ``auto``)."""
        fewer = self.design.kind == "hypotheses" and self.places[cell].runs_alone
        return self.design.survives_runs if fewer else self.design.runs

    def months(self, cell: int) -> int:
        """The months that a cell is run."""
        return self.places[cell].hypothesis.last if self.design.kind == "hypotheses" else self.design.months

    def probes(self, cell: int) -> tuple[Probe, ...]:
        """The probes of a cell."""
        if self.design.kind != "hypotheses":
            return self.design.probes
        here = self.places[cell]
        return (Probe(PROBE, self.runs(cell), "resident"),) if here.hypothesis.probed(here.arm) else ()

    def seed(self, cell: int) -> int:
        """The seed of a cell: the design's, or one of its own made from it."""
        seed = self.design.seed
        return seed if self.design.luck == "common" else int(run_key(np.uint64(seed), np.uint64(1 << 63 | cell)))


def checked(scenario: Scenario, number: int) -> Scenario:
    """A scenario with the parameter set of some number, if that goes together with what the scenario sets.

    Raises:
        ValueError: If it does not.
    """
    problems = budget_problems(scenario.values)
    if problems:
        raise ValueError(f"with parameter set {number}: " + "; ".join(text for _, text in problems))
    return scenario


def with_values(scenario: Scenario, values: Mapping[str, Value]) -> Scenario:
    """A scenario with some of ``VARIABLE`` replaced; a number of an issue is then the same for all of its issues.

    Raises:
        ValueError: If the values do not go together.
    """
    of_issues: dict[str, Any] = {
        path.partition(".")[2]: value for path, value in values.items() if path not in PARAMETERS
    }
    changed = scenario.with_values({path: value for path, value in values.items() if path in PARAMETERS})
    if of_issues:
        changed = replace(changed, issues=tuple(replace(issue, **of_issues) for issue in changed.issues))
    return changed


def number_of_cells(design: Design) -> int:
    """How many cells a design has, however many, without making any; for a fractional factorial at most so many."""
    factors = len(design.factors)
    if design.kind == "list":
        return len(design.cells)
    if design.kind == "grid":
        return math.prod(len(factor.values) for factor in design.factors)
    if design.kind == "one_at_a_time":
        return 1 + sum(len(factor.values or set(factor.ends)) for factor in design.factors)
    if design.kind == "latin_hypercube":
        return design.samples
    if design.kind == "sobol":
        return design.samples * (2 * factors + 2 if design.second_order else factors + 2)
    if design.kind == "morris":
        return design.samples * (factors + 1)
    if design.kind == "ablation" and design.how == "each":
        return 2 * factors + 2 if factors > 1 else 2
    return 1 << factors


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("_", " ")


def _points(design: Design) -> NDArray[np.float64] | None:
    """The points of a sampled design, (cells, factors) in [0, 1]."""
    if design.kind not in SAMPLED:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they warn of is refused before, or does not matter here
        return _drawn(design)


def _drawn(design: Design) -> NDArray[np.float64]:
    luck = np.random.Generator(np.random.Philox(np.random.SeedSequence([design.seed, _POINTS])))
    number = len(design.factors)
    if design.kind == "latin_hypercube":
        from scipy.stats import qmc

        with_luck = {"rng" if "rng" in qmc.LatinHypercube.__init__.__code__.co_varnames else "seed": luck}
        return qmc.LatinHypercube(number, **with_luck).random(design.samples)
    problem = {"num_vars": number, "names": [f"x{i}" for i in range(number)], "bounds": [[0.0, 1.0]] * number}
    try:
        from SALib.sample import morris, sobol
    except ImportError as error:
        what = "Sobol" if design.kind == "sobol" else "Morris"
        raise ImportError(
            f"a design of {what} needs SALib, which is not installed; write: pip install 'cej-sim[sweep]', or in a "
            "copy of the sources: pip install '.[sweep]'"
        ) from error
    if design.kind == "sobol":
        return np.asarray(sobol.sample(problem, design.samples, calc_second_order=design.second_order, seed=luck))
    return np.asarray(morris.sample(problem, design.samples, num_levels=design.levels, seed=luck))


def generators(factors: int, resolution: int) -> tuple[int, ...]:
    """The columns of a regular fraction of the two-level factorial, as few runs as a greedy choice finds.

    Factor i stands at the product of the base columns whose bits are set in the i-th number. A design has resolution R
    where no product of fewer than R columns is constant (Box and Hunter 1961), which over bits means: no R - 1 of the
    numbers are dependent.

    Args:
        factors: How many columns, at least 1.
        resolution: 3, 4 or 5.

    Returns:
        A number for each factor; the base columns (powers of two) come first.
    """
    base = 1
    while True:
        words = sorted(range(1, 1 << base), key=lambda word: (word.bit_count(), word))
        for order in (words, words[::-1]):
            chosen = [1 << place for place in range(base)]
            sums = _sums(chosen, resolution - 2)
            for word in order:
                if len(chosen) < factors and word not in sums:
                    chosen.append(word)
                    sums = _sums(chosen, resolution - 2)
            if len(chosen) >= factors:
                return tuple(chosen[:factors])
        base += 1


def _sums(words: Sequence[int], most: int) -> set[int]:
    """Every sum (exclusive or) of at most so many of the words."""
    found = {0}
    for number in range(1, most + 1):
        for some in itertools.combinations(words, number):
            total = 0
            for word in some:
                total ^= word
            found.add(total)
    return found
