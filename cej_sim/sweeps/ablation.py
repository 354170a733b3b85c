"""Ablation: scenarios that lie between two others, because some of their parts are swapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from cej_sim.parameters import CONDITIONS, DUTIES, FACTORS, PRINCIPLES, SUSTAINABILITY, Parameter
from cej_sim.scenario import PARAMETERS, Scenario, budget_problems
from cej_sim.state import BUDGET_LINES

#: What an ablation may be taken by.
PARTS = ("principle", "condition", "factor", "sustainability", "duty", "section", "parameter")


class Unit(NamedTuple):
    """A part in which two scenarios differ, which an ablation swaps as a whole."""

    name: str
    label: str
    paths: tuple[str, ...]
    parts: tuple[str, ...]  # of ``groups``, ``issues``, ``network_file``, ``events``


def units(a: Scenario, b: Scenario, by: str) -> tuple[Unit, ...]:
    """The parts in which two scenarios differ, taken by principle, condition, ... or single parameter.

    A budget line's start and bounds go together, and so do the strategy and its bound. What bears no such mark is one
    part, ``rest``, so that all parts together turn the first scenario into the second.
    """
    paths = [path for path in PARAMETERS if a[path] != b[path]]
    parts = [part for part in ("groups", "issues", "network_file", "events") if getattr(a, part) != getattr(b, part)]
    found: dict[str, tuple[str, list[str], list[str]]] = {}
    for path in paths:
        name, label = _unit_of(PARAMETERS[_together_with(path)], by)
        found.setdefault(name, (label, [], []))[1].append(path)
    for part in parts:
        name, label = (part, part.replace("_", " ").capitalize()) if by == "parameter" else _REST
        found.setdefault(name, (label, [], []))[2].append(part)
    order = sorted(found, key=lambda name: name == REST)
    if by not in ("parameter", "section"):
        order = sorted(found, key=lambda name: (name == REST, name))
    return tuple(Unit(name, found[name][0], tuple(found[name][1]), tuple(found[name][2])) for name in order)


#: Name of the part of what bears no mark.
REST = "rest"

_REST = (REST, "Everything else that differs")


def _together_with(path: str) -> str:
    """The parameter with which another must be swapped."""
    section, _, line = path.rpartition(".")
    if section in ("governance.decide.budget_min", "governance.decide.budget_max"):
        return f"governance.decide.budget.{line}"
    return "governance.decide.strategy" if path == "governance.decide.strategy_max" else path


def _unit_of(parameter: Parameter, by: str) -> tuple[str, str]:
    """Name and label of the part to which a parameter belongs."""
    if by == "parameter":
        return parameter.path, parameter.label
    if by == "section":
        section = ".".join(parameter.path.split(".")[: 2 if parameter.path.startswith("governance.") else 1])
        return section, section.removeprefix("governance.").replace("_", " ").capitalize()
    words: dict[str, Mapping[Any, str]] = {
        "principle": PRINCIPLES,
        "condition": CONDITIONS,
        "factor": FACTORS,
        "sustainability": SUSTAINABILITY,
        "duty": DUTIES,
    }
    mark = getattr(parameter, by)
    return _REST if mark is None else (f"{by}_{mark}", words[by][mark])


def mixed(a: Scenario, b: Scenario, swapped: Sequence[Unit]) -> Scenario:
    """The first scenario with some parts of the second.

    Budget lines that come from both are put within their bounds; where they then exceed the whole, the excess is taken
    from them in proportion to what they hold above their least share, as the coalition itself does (see ``decide``).
    What it counts as stated is what is stated by the scenario from which it has it.

    Raises:
        ValueError: If the parts do not go together.
    """
    values = {**a.values, **{path: b[path] for unit in swapped for path in unit.paths}}
    parts = {part: getattr(b, part) for unit in swapped for part in unit.parts}
    lines = BUDGET_LINES[:-1]
    least = {line: float(values[f"governance.decide.budget_min.{line}"]) for line in lines}
    most = {line: float(values[f"governance.decide.budget_max.{line}"]) for line in lines}
    starts = {
        line: min(max(float(values[f"governance.decide.budget.{line}"]), least[line]), most[line]) for line in lines
    }
    excess = sum(starts.values()) - 1.0
    above = sum(starts[line] - least[line] for line in lines)
    if excess > 1e-9 and above > 0.0:
        starts = {line: starts[line] - min(1.0, excess / above) * (starts[line] - least[line]) for line in lines}
    values |= {f"governance.decide.budget.{line}": start for line, start in starts.items()}
    problems = budget_problems(values)
    if problems:
        raise ValueError("; ".join(f"{path}: {message}" for path, message in problems))
    taken = {path for unit in swapped for path in unit.paths}

    def stated(path: str) -> bool:
        if a[path] == b[path]:
            return path in a.stated | b.stated
        return path in (b.stated if path in taken else a.stated)

    return replace(a, values=values, stated=frozenset(filter(stated, PARAMETERS)), **parts)
