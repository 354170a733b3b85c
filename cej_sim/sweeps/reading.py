"""Design files: YAML with positions -> ``Design``, and errors that teach, as for scenario files."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cej_sim.ensemble import Ensemble, EnsembleError
from cej_sim.metrics import NAMES
from cej_sim.nodes import MapNode, Node, ScalarNode, ScenarioError, nearest, parse, text_of
from cej_sim.parameters import Parameter, Value, choice, count, switch
from cej_sim.reading import (
    MONTHS,
    Changes,
    Leaf,
    Listing,
    Reading,
    Section,
    Series,
    Shape,
    Text,
    Walk,
    display,
    load,
    path_advice,
)
from cej_sim.runs import MONEY, budget_refusals, common_months, table_months, unique_names
from cej_sim.scenario import CHANGEABLE, PARAMETERS, Scenario, value_problem
from cej_sim.state import KINDS
from cej_sim.sweeps.ablation import PARTS, REST, units
from cej_sim.sweeps.declaration import read_hypotheses
from cej_sim.sweeps.design import (
    KINDS_OF_DESIGN,
    SAMPLED,
    TWO_LEVELS,
    VARIABLE,
    Auto,
    Design,
    Factor,
    Plan,
    Probe,
    number_of_cells,
    with_values,
)
from cej_sim.sweeps.hypotheses import places

#: The most cells of a design: what is computed is kept account of cell by cell.
MOST_CELLS = 100_000_000

#: The most numbers (cells times factors) of a design whose points are drawn: every process has all of them in memory.
MOST_NUMBERS = 20_000_000

#: The least end of a logarithmic range; below, numbers have ever fewer digits.
_LEAST_LOG = 1e-300

#: How many cells are tried out when a design is read; any other that cannot be is recorded when its turn comes.
_TRIED = 1000

#: How many combinations of what decides about money are looked at.
_COMBINATIONS = 10_000


class DesignError(ScenarioError):
    """A design cannot be read; ``problems`` holds every mistake, and ``str()`` has a line for each."""


@dataclass(frozen=True)
class _Level:
    """A single value whose meaning depends on the factor."""


def _shape() -> Section:
    """The shape of a design file."""
    version = count("schema_version", 1, 1, "Version", "Of the form.", low=1)
    metric = Leaf(choice("metric", NAMES, "Metric", "Of what."))
    month = Leaf(replace(MONTHS, path="month"))

    def whole(name: str, low: float, high: float) -> Leaf:
        return Leaf(count(name, int(low), high, name, name, low=low, unit="a whole number"))

    def number(name: str, low: float, high: float, unit: str) -> Leaf:
        return Leaf(Parameter(name, low, name, name, low=low, high=high, unit=unit))

    any_number = number("value", -1e12, 1e12, "a number")
    factor = Section(
        {
            "path": Text(most=200),
            "values": Series(_Level(), high=10_000),  # type: ignore[arg-type]
            "low": any_number,
            "high": any_number,
            "steps": whole("steps", 2, 10_000),
            "scale": Leaf(choice("scale", ("even", "log"), "Scale", "How the range is covered.")),
            "scenario": Text(most=200),
        },
        required=("path",),
    )
    loop: dict[str, Shape] = {
        "path": Text(most=200),
        "low": any_number,
        "high": any_number,
        "hold": whole("hold", 2, 240),
        "steps": whole("steps", 2, 100),
        "runs": whole("runs", 1, 1e6),
        "metrics": Series(metric),
    }
    return Section(
        {
            "schema_version": Leaf(version),
            "name": Text(most=60, word=True),
            "label": Text(empty=True),
            "description": Text(most=20_000, lines=True, empty=True),
            "design": Leaf(choice("design", KINDS_OF_DESIGN, "Design", "Which cells.")),
            "scenarios": Series(Text(most=1000), high=20),
            "set": Changes(VARIABLE),
            "factors": Listing(factor, 1, 500),
            "cells": Listing(Section({"label": Text(most=200), "set": Changes(VARIABLE)}), 1, 10_000),
            "samples": whole("samples", 2, 1e9),
            "levels": whole("levels", 2, 100),
            "second_order": Leaf(switch("second_order", False, "Second order", "Of Sobol's indices.")),
            "resolution": whole("resolution", 3, 5),
            "by": Leaf(choice("by", PARTS, "By", "Which parts are swapped.")),
            "how": Leaf(choice("how", ("each", "factorial"), "How", "Each part alone, or all combinations.")),
            "hypotheses": Text(most=1000),
            "only": Series(Text(most=20, word=True), high=100),
            "survives": Leaf(switch("survives", False, "Survives", "Each other feedback switched off alone.")),
            "survives_runs": whole("survives_runs", 1, 1e6),
            "ensemble": Text(most=1000),
            "members": whole("members", 1, 1e6),
            "runs": Text(most=30),
            "auto": Section(
                {
                    "metric": metric,
                    "month": month,
                    "half_width": number("half_width", 1e-9, 1e9, "in the metric's unit"),
                    "least": whole("least", 2, 1e6),
                    "most": whole("most", 2, 1e6),
                },
                required=("metric", "month", "half_width"),
            ),
            "seed": whole("seed", 0, 2.0**53),
            "luck": Leaf(choice("luck", ("common", "own"), "Luck", "Shared by cells or not.")),
            "months": Leaf(MONTHS),
            "keep": Section({"months": Series(month), "metrics": Series(metric)}),
            "probes": Section(
                {
                    "causal_influence": Section(
                        {"bloc": Leaf(choice("bloc", KINDS, "Bloc", "Whose.")), "runs": whole("runs", 1, 1e6)}
                    ),
                    "irreversibility": Section(loop, required=("path", "low", "high")),
                }
            ),
            "time_limit": number("time_limit", 0.01, 1e7, "seconds"),
            "allow_unequal_budgets": Leaf(switch("allow_unequal_budgets", False, "Unequal budgets", "Allowed.")),
        },
        required=("schema_version", "design"),
    )


#: The shape of a design file.
FILE = _shape()

#: Designs that name their scenarios.
_OF_SCENARIOS = tuple(kind for kind in KINDS_OF_DESIGN if kind != "hypotheses")
#: Keys that only some designs have -> those designs.
_ONLY = {
    "factors": tuple(kind for kind in _OF_SCENARIOS if kind not in ("list", "ablation")),
    "cells": ("list",),
    "samples": SAMPLED,
    "levels": ("morris",),
    "second_order": ("sobol",),
    "resolution": ("fractional_factorial",),
    "by": ("ablation",),
    "how": ("ablation",),
    **dict.fromkeys(("scenarios", "set", "auto", "luck", "months", "keep", "probes"), _OF_SCENARIOS),
    **dict.fromkeys(("hypotheses", "only", "survives", "survives_runs"), ("hypotheses",)),
}
#: Keys that such designs need.
_NEEDED = {
    "scenarios": _OF_SCENARIOS,
    "factors": _ONLY["factors"],
    "cells": ("list",),
    "samples": SAMPLED,
    "by": ("ablation",),
    "hypotheses": ("hypotheses",),
}


class _DesignWalk(Walk):
    """Reads the nodes of a design."""

    def read(self, shape: Any, node: Node, path: str) -> None:
        if isinstance(shape, _Level):
            self.places[path] = node.place
            if isinstance(node, ScalarNode) and node.value is not None:
                self.given[path] = node
            else:
                self.report(node.place, path, "a single value belongs here; write the levels as [first, second, ...]")
            return
        super().read(shape, node, path)

    def table(self, shape: Any, node: Node, path: str) -> dict[str, Value]:
        nothing = (isinstance(node, MapNode) and not node.items) or (
            isinstance(node, ScalarNode) and node.value is None and node.plain
        )
        if nothing and isinstance(shape, Changes):
            return {}  # as the scenarios are
        return super().table(shape, node, path)

    def advice(self, name: str, value: Node, path: str, shape: Section) -> str:
        """What to write instead of a key that a design does not have."""
        where = f"under {path}" if path else "in a design"
        if name in PARAMETERS or f"governance.{name}" in PARAMETERS:
            full = name if name in PARAMETERS else f"governance.{name}"
            return f"there is no such key {where}; to vary this, write under factors: - {{path: {full}, values: [...]}}"
        near = nearest(name.lower(), shape.keys)
        known = f"keys there are: {', '.join(shape.keys)}"
        return f"there is no such key {where}; {f'did you mean {near}?' if near else known}"


def read_design(path: str | Path) -> Design:
    """Read a design file.

    Raises:
        DesignError: With every mistake, each with file, line and column and what to write instead.
        ImportError: If the design needs SALib, which is not installed.
    """
    path = Path(path)
    shown = display(path)
    reading = Reading(path)
    walk = _DesignWalk(shown, path.absolute().parent, reading)
    try:
        text = text_of(path, shown, "design")
        root = parse(text, shown, "a design", "schema_version: 1")
    except ScenarioError as error:
        raise DesignError(error.problems) from None
    walk.section(FILE, root, "")
    design = _Making(walk, root, path, text).design()
    if reading.problems or design is None:
        raise DesignError(sorted(reading.problems, key=lambda one: (one.file != shown, one.line, one.column)))
    return design


def _name_of(folder: Path) -> str:
    """A name from that of a folder, however it is written, of letters that every file can hold."""
    return re.sub(r"[^\w.]+", "_", folder.resolve().name).strip("._") or "sweep"


def _many(number: int) -> str:
    """A number of cells, also where it has very many digits."""
    return f"{number:,}" if number < 10**15 else f"about 10^{len(str(number)) - 1}"


def _unequal(refusal: str) -> str:
    """Why money is not equal, with what to write in a design."""
    return f"{refusal.rpartition('; ')[0]}; make it equal, or add the line allow_unequal_budgets: true"


def _with_money(plan: Plan, places: Sequence[int]) -> Iterable[int]:
    """Cells with the levels of the factors at some places in every combination that there is, or very many of them."""
    design, number = plan.design, len(plan)
    if design.kind in ("grid", "full_factorial"):
        # The number of a cell is that of its levels, the first factor's counting most on a grid and least else.
        sizes = [len(factor.values) if design.kind == "grid" else 2 for factor in design.factors]
        worth = [1] * len(sizes)
        for i in range(len(sizes)) if design.kind == "full_factorial" else range(len(sizes))[::-1]:
            before = i - 1 if design.kind == "full_factorial" else i + 1
            worth[i] = worth[before] * sizes[before] if 0 <= before < len(sizes) else 1
        combinations = itertools.product(*(range(sizes[i]) for i in places))
        return (
            sum(level * worth[i] for level, i in zip(levels, places, strict=True))
            for levels in itertools.islice(combinations, _COMBINATIONS)
        )
    if design.kind == "one_at_a_time":
        return [0, *(1 + i for i, place in enumerate(plan.moved) if place in places)]
    if number <= _COMBINATIONS:
        return range(number)
    return np.unique(np.linspace(0, number - 1, _COMBINATIONS).astype(np.int64)).tolist()


class _Making:
    """Puts a design together from what the walk has read, and reports what does not go together."""

    def __init__(self, walk: _DesignWalk, root: MapNode, path: Path, text: str) -> None:
        self.walk, self.root, self.path, self.text = walk, root, path, text
        self.given, self.places = walk.given, walk.places

    def report(self, path: str, message: str) -> None:
        place = self.places.get(path) or self.places.get(path.split(".")[0]) or self.root.place
        self.walk.report(place, path, message)

    def several(self, path: str) -> list[Any]:
        """The sound items of a list of single values."""
        items = (f"{path}.{i}" for i in range(self.given.get(path, 0)))
        return [self.given[item] for item in items if item in self.given]

    def design(self) -> Design | None:
        """The design, or None where it has mistakes."""
        given = self.given
        kind = given.get("design")
        for key, kinds in _ONLY.items():
            if kind and key in self.places and kind not in kinds:
                other = f", or write design: {' or '.join(kinds)}" if kinds != _OF_SCENARIOS else ""
                self.report(key, f"a design {kind} has no {key}; remove it{other}")
        for key, kinds in _NEEDED.items():
            if kind in kinds and key not in self.places:
                example = {
                    "scenarios": "scenarios: [collective_impact, community_led]",
                    "hypotheses": "hypotheses: hypotheses.yaml",
                    "factors": "factors: [{path: community.residents, values: [60, 120]}]",
                    "cells": "cells: [{set: {community.residents: 60}}]",
                    "samples": "samples: 64",
                    "by": "by: principle",
                }[key]
                self.report(key, f"a design {kind} needs it; add {example}")
        ensemble = self.ensemble()
        if kind == "hypotheses":
            return self.judging(ensemble)
        scenarios = self.scenarios(kind)
        factors = self.factors(kind, scenarios)
        cells: tuple[tuple[str, tuple[Value | None, ...]], ...] = ()
        months = self.months(scenarios)
        runs, auto = self.runs(months)
        probes = self.probes()
        if self.walk.problems or not scenarios or kind is None:
            return None
        if kind == "list":
            factors, cells = self.listed()
        if kind == "ablation":
            by = given.get("by", "principle")
            first, second = scenarios
            factors = tuple(Factor(unit.name, unit.label, (0, 1), unit="swapped") for unit in units(first, second, by))
            if not factors:
                self.report("scenarios", "the two scenarios differ in nothing; name two that do")
                return None
            if [factor.name for factor in factors] == [REST]:
                self.report(
                    "by",
                    f"no rule in which the two scenarios differ is marked with a {by}, so there is no part to swap; "
                    "write by: section or by: parameter",
                )
                return None
            if given.get("how") == "factorial" and len(factors) > 20:
                self.report("how", f"{len(factors)} parts have 2^{len(factors)} combinations; write how: each")
                return None
        if kind == "sobol" and given["samples"] & (given["samples"] - 1):
            power = 1 << given["samples"].bit_length()
            self.report("samples", f"Sobol's points are balanced for powers of 2 only; write {power // 2} or {power}")
            return None
        if kind == "morris" and given.get("levels", 4) % 2:
            levels = given["levels"]
            self.report("levels", f"Morris's paths need an even number of levels; write {levels - 1} or {levels + 1}")
            return None
        design = Design(
            **self.words(),
            kind=kind,
            scenarios=scenarios,
            factors=factors,
            cells=cells,
            samples=given.get("samples", 0),
            levels=given.get("levels", 4),
            second_order=given.get("second_order", False),
            resolution=given.get("resolution", 4),
            by=given.get("by", ""),
            how=given.get("how", "each"),
            ensemble=ensemble,
            runs=runs,
            auto=auto,
            luck=given.get("luck", "common"),
            months=months,
            keep_months=tuple(sorted(set(self.several("keep.months")))) or tuple(table_months(months)),
            keep_metrics=tuple(name for name in NAMES if name in set(self.several("keep.metrics"))) or NAMES,
            probes=probes,
            allow_unequal_budgets=given.get("allow_unequal_budgets", False),
        )
        self.check_size(design)
        self.check_twice(design)
        if not self.walk.problems:
            self.try_out(design)
        return None if self.walk.problems else design

    def words(self) -> dict[str, Any]:
        """What every design has."""
        given = self.given
        return {
            "name": given.get("name") or _name_of(self.path.parent),
            "label": given.get("label", ""),
            "description": given.get("description", ""),
            "seed": given.get("seed", 0),
            "time_limit": given.get("time_limit", 600.0),
            "text": self.text,
            "path": self.path,
        }

    def ensemble(self) -> Ensemble | None:
        """The parameter sets, if any are asked for."""
        named, asked = self.given.get("ensemble"), self.given.get("members")
        if named is None or named.lower() == "false":
            if asked is not None:
                self.report(
                    "members", "this takes the first sets of an ensemble, and there is none; add ensemble: true"
                )
            return None
        try:
            found = Ensemble.read(None if named.lower() == "true" else self.walk.directory / named)
        except EnsembleError as error:
            for line in str(error).splitlines():
                self.report("ensemble", line)
            return None
        if asked is not None and asked > len(found):
            self.report("members", f"the ensemble has {len(found)} sets; write at most {len(found)}")
            return None
        return found if asked is None else replace(found, values=found.values[:asked])

    def judging(self, ensemble: Ensemble | None) -> Design | None:
        """A design that judges hypotheses."""
        only = self.several("only") or None
        declared = None
        name = self.given.get("hypotheses")
        if name is not None:
            equal = not self.given.get("allow_unequal_budgets")
            declared, problems = read_hypotheses(self.walk.directory / name, only, not equal)
            if problems and not problems[0].line:
                self.report("hypotheses", problems[0].message)
            else:
                self.walk.problems.extend(problems)
        if declared is not None:
            there = [one.id for one in declared.hypotheses]
            for i in range(self.given.get("only", 0)):
                wanted = self.given.get(f"only.{i}")
                if wanted is not None and wanted not in there:
                    self.report(f"only.{i}", f"{wanted} is not declared in {name}; write ids that are, such as H1")
        sets = 1 if ensemble is None else len(ensemble)
        if "runs" in self.places:
            runs, _ = self.runs(0) if self.given.get("runs") != "auto" else (0, None)
            if runs < 1 and self.given.get("runs") == "auto":
                self.report("runs", "hypotheses are judged over the same number of runs in each parameter set; write "
                            "a whole number")  # fmt: skip
            elif runs % sets:
                near = max(1, round(runs / sets)) * sets
                self.report("runs", f"{runs} runs are not the same number in each of {sets} parameter sets; write "
                            f"{near}")  # fmt: skip
        else:
            runs = sets if sets > 1 else 20
        survives_runs = min(self.given.get("survives_runs", 40), max(runs, 1))
        if "survives_runs" in self.places and not self.given.get("survives"):
            self.report("survives_runs", "these are the runs with other feedbacks switched off; add survives: true")
        if self.walk.problems or declared is None:
            return None
        tests = [test for one in declared.hypotheses for test in one.tests]
        kept = {test.metric for test in tests} | {"alive"}
        months = sorted({test.month for test in tests})
        survives = bool(self.given.get("survives"))
        cells = places(declared.hypotheses, survives)
        design = Design(
            **self.words(),
            kind="hypotheses",
            scenarios=declared.scenarios,
            factors=tuple(
                Factor(name, label, tuple(dict.fromkeys(values)), unit="name")
                for name, label, values in (
                    ("hypothesis", "Hypothesis", [cell.hypothesis.id for cell in cells]),
                    ("setup", "Pair of setups", [cell.setup.name for cell in cells]),
                    ("arm", "What is switched off", [cell.arm.name for cell in cells]),
                )
            ),
            hypotheses=declared.hypotheses,
            declaration=declared.text,
            survives_runs=survives_runs if survives else 0,
            ensemble=ensemble,
            runs=runs,
            months=max(one.last for one in declared.hypotheses),
            keep_months=tuple(months),
            keep_metrics=tuple(name for name in NAMES if name in kept),
            allow_unequal_budgets=self.given.get("allow_unequal_budgets", False),
        )
        self.check_size(design)
        self.check_twice(design)
        if not self.walk.problems:
            self.try_out(design)
        return None if self.walk.problems else design

    def scenarios(self, kind: str | None) -> tuple[Scenario, ...]:
        """The scenarios, loaded and with what is set for all of them."""
        found: list[Scenario] = []
        changes = self.given.get("set", {})
        for i in range(self.given.get("scenarios", 0)):
            name = self.given.get(f"scenarios.{i}")
            if name is None:
                continue
            a_path = "/" in name or "\\" in name or name.lower().endswith((".yaml", ".yml"))
            try:
                scenario = load(self.walk.directory / name if a_path else name)
            except ScenarioError as error:
                first = error.problems[0]
                if first.line:
                    self.report(f"scenarios.{i}", f"{name} has {len(error.problems)} mistakes of its own")
                    self.walk.problems.extend(error.problems)
                else:
                    self.report(f"scenarios.{i}", first.message)
                continue
            try:
                found.append(with_values(scenario, changes))
            except ValueError as error:
                self.report("set", f"with {name}: {error}")
        if kind == "ablation" and len(found) != 2 and not self.walk.problems:
            self.report("scenarios", f"an ablation lies between two scenarios, and {len(found)} are named; name two")
        if not found or self.walk.problems:
            return tuple(found)
        named = unique_names(found)
        if not self.given.get("allow_unequal_budgets"):
            for refusal in budget_refusals(named, self.given.get("months")):
                self.report("scenarios", _unequal(refusal))
        return tuple(replace(scenario, name=name) for name, scenario in named.items())

    def factors(self, kind: str | None, scenarios: Sequence[Scenario]) -> tuple[Factor, ...]:
        """The factors with their levels, each checked against its declared bounds."""
        found: list[Factor] = []
        for i in range(self.given.get("factors", 0)):
            here = f"factors.{i}"
            path = self.given.get(f"{here}.path")
            if path is None:
                continue
            if path == "issues.severity":
                self.report(f"{here}.path", "the same severity for all issues changes nothing; remove this factor")
                continue
            parameter = VARIABLE.get(path) or VARIABLE.get(f"governance.{path}")
            if parameter is None:
                self.report(f"{here}.path", path_advice(path, VARIABLE))
                continue
            only = self.given.get(f"{here}.scenario")
            if only is not None and only not in [scenario.name for scenario in scenarios]:
                names = ", ".join(scenario.name for scenario in scenarios)
                self.report(f"{here}.scenario", f"{only} is not among the scenarios; write one of: {names}")
                continue
            factor = self.factor(here, kind, parameter, only)
            if factor is None:
                continue
            taken = {one.path for one in found if factor.scenario is None or one.scenario in (None, factor.scenario)}
            if factor.path in taken:
                self.report(f"{here}.path", f"{factor.path} is a factor twice; keep one of them")
                continue
            found.append(factor)
        return tuple(found)

    def factor(self, here: str, kind: str | None, parameter: Parameter, only: str | None) -> Factor | None:
        """One factor, or None where it has mistakes."""
        before = len(self.walk.problems)
        given = self.given
        name = parameter.path if only is None else f"{only}:{parameter.path}"
        label = parameter.label if only is None else f"{parameter.label} ({only})"
        low, high, steps = (given.get(f"{here}.{key}") for key in ("low", "high", "steps"))
        log = given.get(f"{here}.scale") == "log"
        if f"{here}.values" in given:
            extra = [key for key in ("low", "high", "steps", "scale") if f"{here}.{key}" in given]
            if extra:
                self.report(f"{here}.{extra[0]}", "a factor has either values, or low and high; keep one of them")
            values = [self.level(f"{here}.values.{j}", parameter) for j in range(given[f"{here}.values"])]
            sound = [value for value in values if value is not None]
            if len(set(sound)) < len(sound):
                self.report(f"{here}.values", "a level stands here twice; keep one of them")
            if len(sound) < 2 and len(self.walk.problems) == before:
                self.report(f"{here}.values", "one level is no variation; write at least two")
            if kind in TWO_LEVELS and len(sound) > 2:
                self.report(f"{here}.values", f"a {kind} has two levels for each factor; write two, or design: grid")
            if len(self.walk.problems) > before:
                return None
            return Factor(name, label, tuple(sound), unit=parameter.unit, path=parameter.path, scenario=only)
        if low is None or high is None:
            written = any(f"{here}.{key}" in self.places for key in ("values", "low", "high"))
            if written and not (f"{here}.low" in self.places and f"{here}.high" in self.places):
                lacking = "high" if f"{here}.low" in self.places else "low"
                if f"{here}.values" not in self.places:
                    self.report(here, f"{parameter.path} has only one end; add {lacking}:")
            elif not written:
                wanted = "add values: [first, second]" + ("" if parameter.choices else ", or low: and high:")
                self.report(here, f"{parameter.path} has no levels; {wanted}")
            return None
        if parameter.kind in ("choice", "switch"):
            choices = ", ".join(parameter.choices or ("false", "true"))
            self.report(f"{here}.low", f"{parameter.path} is no number; write values: [{choices}]")
            return None
        for key, value in (("low", low), ("high", high)):
            problem = value_problem(
                parameter, int(value) if parameter.kind == "count" and value == int(value) else value
            )
            if problem:
                self.report(f"{here}.{key}", problem)
        if low >= high:
            self.report(f"{here}.high", f"high {high:g} is not above low {low:g}; exchange them")
        if log and low <= 0.0:
            self.report(
                f"{here}.low", f"a log scale begins above 0, and low is {low:g}; raise it, or write scale: even"
            )
        if log and 0.0 < low < _LEAST_LOG:
            self.report(f"{here}.low", f"a log scale cannot begin at {low:g}; write at least {_LEAST_LOG:g}")
        if kind == "grid" and steps is None:
            self.report(here, "a grid needs levels; add steps: (how many from low to high), or values: [...]")
        if kind in TWO_LEVELS and steps not in (None, 2):
            self.report(f"{here}.steps", f"a {kind} has the two levels low and high; remove steps")
        if kind in SAMPLED and steps is not None:
            self.report(f"{here}.steps", f"a {kind} draws from the whole range; remove steps")
        if len(self.walk.problems) > before:
            return None
        whole = parameter.kind == "count"
        factor = Factor(
            name, label, (), float(low), float(high), log, unit=parameter.unit, path=parameter.path, scenario=only
        )
        if kind in SAMPLED:
            return factor
        shares = np.linspace(0.0, 1.0, steps or 2)
        spaced = [
            float(low) * (float(high) / float(low)) ** s if log else float(low) + s * (high - low) for s in shares
        ]
        levels = [round(value) if whole else float(f"{value:.12g}") for value in spaced]
        apart = dict.fromkeys(levels)
        if len(apart) < len(levels):
            what = "whole numbers" if whole else "numbers"
            listed = ", ".join(f"{value:g}" for value in list(apart)[:8]) + (", ..." if len(apart) > 8 else "")
            self.report(
                f"{here}.steps",
                f"{steps} steps from {low:g} to {high:g} are only {len(apart)} different {what}; write "
                f"values: [{listed}], fewer steps or a wider range",
            )
            return None
        return replace(factor, values=tuple(levels), low=None, high=None, log=False)

    def level(self, path: str, parameter: Parameter) -> Value | None:
        """One level of a factor, in the form that its parameter has; None where it is wrong."""
        node = self.given.get(path)
        if node is None:
            return None
        return self.walk.leaf(Leaf(parameter), node, path)

    def listed(self) -> tuple[tuple[Factor, ...], tuple[tuple[str, tuple[Value | None, ...]], ...]]:
        """The factors and cells of a list."""
        number = self.given.get("cells", 0)
        given = [self.given.get(f"cells.{i}.set", {}) for i in range(number)]
        first: dict[frozenset[tuple[str, Value]], int] = {}
        for i, one in enumerate(given):
            before = first.setdefault(frozenset(one.items()), i)
            if before != i:
                self.report(f"cells.{i}", f"this cell sets the same as cell {before} (the first is 0); remove one")
        paths = [path for path in VARIABLE if any(path in one for one in given)]
        factors = tuple(
            Factor(
                path,
                VARIABLE[path].label,
                tuple(dict.fromkeys(one[path] for one in given if path in one)),
                unit=VARIABLE[path].unit,
                path=path,
            )
            for path in paths
        )
        cells = tuple(
            (str(self.given.get(f"cells.{i}.label", "")), tuple(one.get(path) for path in paths))
            for i, one in enumerate(given)
        )
        return factors, cells

    def months(self, scenarios: Sequence[Scenario]) -> int:
        """The months run: at most the shortest horizon."""
        if not scenarios:
            return int(self.given.get("months", MONTHS.default))
        named = unique_names(scenarios)
        shortest = common_months(named)
        asked = self.given.get("months")
        if asked is not None and asked > shortest:
            ends = next(name for name, one in named.items() if one.months == shortest)
            self.report("months", f"{asked} is more than the {shortest} months of {ends}; write at most {shortest}")
        months = common_months(named, asked)
        for i in range(self.given.get("keep.months", 0)):
            month = self.given.get(f"keep.months.{i}")
            if month is not None and month > months:
                self.report(f"keep.months.{i}", f"month {month} lies after the last, {months}; write at most {months}")
        return months

    def runs(self, months: int) -> tuple[int, Auto | None]:
        """The number of runs, or when they end."""
        text = self.given.get("runs", "20")
        if text != "auto":
            if "auto" in self.places:
                self.report("auto", "this says when automatic runs end; write runs: auto, or remove it")
            number = int(text) if re.fullmatch("[0-9]{1,7}", str(text)) else 0
            if number < 1:
                self.report("runs", f"{text!r} is not a number of runs; write a whole number of at least 1, or auto")
            return number, None
        metric, month, half_width = (self.given.get(f"auto.{key}") for key in ("metric", "month", "half_width"))
        if "auto" not in self.places:
            wanted = "auto: {metric: burden, month: 120, half_width: 0.01}"
            self.report("runs", f"automatic runs need to know when to end; add {wanted}")
        if metric is None or month is None or half_width is None:
            return 0, None
        auto = Auto(metric, month, half_width, self.given.get("auto.least", 10), self.given.get("auto.most", 500))
        if auto.month > months:
            self.report("auto.month", f"month {auto.month} lies after the last, {months}; write at most {months}")
        if auto.least > auto.most:
            self.report(
                "auto.least", f"least {auto.least} is more than most {auto.most}; lower the one or raise the other"
            )
        kept = self.several("keep.metrics")
        if kept and auto.metric not in kept:
            self.report("auto.metric", f"{auto.metric} is not kept; add it under keep: metrics:")
        return auto.most, auto

    def probes(self) -> tuple[Probe, ...]:
        """The probes that are asked for."""
        given, found = self.given, []
        if "probes.causal_influence" in self.places:
            base = "probes.causal_influence"
            found.append(
                Probe("causal_influence", given.get(f"{base}.runs", 10), given.get(f"{base}.bloc", "resident"))
            )
        base = "probes.irreversibility"
        path, low, high = (given.get(f"{base}.{key}") for key in ("path", "low", "high"))
        if base in self.places and path is not None and low is not None and high is not None:
            full = path if path in CHANGEABLE else f"governance.{path}"
            parameter = CHANGEABLE.get(full)
            if parameter is None:
                self.report(f"{base}.path", path_advice(path, CHANGEABLE))
            elif parameter.kind not in ("number", "count"):
                self.report(
                    f"{base}.path", f"{full} is no number, so it cannot be moved step by step; name one that is"
                )
            else:
                for key, value in (("low", low), ("high", high)):
                    whole = parameter.kind == "count" and value == int(value)
                    problem = value_problem(parameter, int(value) if whole else value)
                    if problem:
                        self.report(f"{base}.{key}", problem)
                if low == high:
                    self.report(f"{base}.high", f"low and high are both {low:g}; they must differ")
                found.append(
                    Probe(
                        "irreversibility",
                        given.get(f"{base}.runs", 10),
                        "",
                        full,
                        float(low),
                        float(high),
                        given.get(f"{base}.hold", 24),
                        given.get(f"{base}.steps", 5),
                        tuple(self.several(f"{base}.metrics")) or NAMES,
                    )
                )
        return tuple(found)

    def check_size(self, design: Design) -> None:
        """Refuse more cells than can be kept account of, and more points than fit into memory."""
        if design.kind == "fractional_factorial":
            return
        number = number_of_cells(design)
        if design.kind in SAMPLED and number * len(design.factors) > MOST_NUMBERS:
            most = design.samples * MOST_NUMBERS // (number * len(design.factors))
            if design.kind == "sobol" and most:
                most = 1 << most.bit_length() - 1
            self.report(
                "samples",
                f"{_many(number)} cells of {len(design.factors)} drawn numbers are more than fit into memory "
                f"({MOST_NUMBERS:,} numbers); write at most {most:,}" + ("" if most > 1 else ", with fewer factors"),
            )
        elif number > MOST_CELLS:
            self.report(
                "factors",
                f"{_many(number)} cells are more than a sweep keeps account of ({MOST_CELLS:,}); leave out factors or "
                "levels, or draw some of the combinations with design: latin_hypercube",
            )

    def check_twice(self, design: Design) -> None:
        """Refuse what is set for all cells and is a factor as well, so that it is set in none."""
        if design.kind in ("list", "one_at_a_time", "ablation"):
            return  # there it is the value of the cells that do not set it
        for path in self.given.get("set", {}):
            if any(factor.path == path and factor.scenario is None for factor in design.factors):
                self.report(f"set.{path}", f"{path} is also a factor, which sets it in every cell; keep one of them")

    def check_money(self, plan: Plan) -> None:
        """Refuse cells in which one scenario has more money than another."""
        design = plan.design
        places = [i for i, factor in enumerate(design.factors) if factor.path in MONEY]
        if not places or design.allow_unequal_budgets or len(design.scenarios) < 2 or design.kind == "ablation":
            return
        seen: set[tuple[Value | None, ...]] = set()
        for cell in _with_money(plan, places):
            values = plan.values(cell)
            money = tuple(values[i] for i in places)
            if money in seen:
                continue
            seen.add(money)
            try:
                refusals = budget_refusals(plan.scenarios(cell), design.months)
            except ValueError:
                continue  # told elsewhere
            if refusals:
                alone = [i for i in places if design.factors[i].scenario is not None]
                where = f"cells.{cell}" if design.kind == "list" else f"factors.{(alone or places)[0]}"
                self.report(where, f"cell {cell} ({plan.label(cell)}): {_unequal(refusals[0])}")
                return

    def try_out(self, design: Design) -> None:
        """Make some of the cells, so that levels that do not go together are told before anything runs."""
        plan = Plan(design)
        self.check_money(plan)
        number = len(plan)
        tried = range(number) if number <= _TRIED else np.linspace(0, number - 1, _TRIED).astype(np.int64).tolist()
        sets = 1 if design.ensemble is None else len(design.ensemble)
        for place, cell in enumerate(tried):
            try:
                in_runs = plan.in_runs(cell)
                for run in sorted({0, place * sets // len(tried), sets - 1}):
                    for name in design.names:
                        in_runs(name, run)
            except ValueError as error:
                places_of = {"list": "cells", "ablation": "scenarios", "hypotheses": "hypotheses"}
                message = f"cell {cell} ({plan.label(cell)}) cannot be: {error}"
                self.report(places_of.get(design.kind, "factors"), message)
                return
