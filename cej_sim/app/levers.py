"""Levers: every rule of a scenario as something that can be moved, generated from its declaration.

A lever is plain data; what draws it is ours too, see ``front/levers.js``. Levers stand in groups by phase or by CEJ
principle. The lines of the budget are moved together, so that they always add to the whole. A principle as a whole is a
switch: its rules are taken from the shipped scenario that stands at one of the two poles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from cej_sim.month import PHASE_NAMES, PHASES
from cej_sim.parameters import PRINCIPLES, Parameter, Value
from cej_sim.reading import load
from cej_sim.scenario import COMMUNITY, NETWORK, PARAMETERS, Scenario, value_problem
from cej_sim.state import BUDGET_LINES
from cej_sim.sweeps.ablation import mixed, units

#: The scenarios from which a principle's rules are taken: where its switch is off, and where it is on.
POLES = ("collective_impact", "community_led")

BUDGET = "governance.decide.budget"
#: The most levers that are shown to a room at once.
MOST_SHOWN = 6


class LeverError(ValueError):
    """A lever cannot be moved so; the message says why and what to do, in one sentence."""


def _step(parameter: Parameter) -> float:
    """How far one press of a key moves a lever: a hundredth of its range, or the next finer round number."""
    if parameter.kind != "number":
        return 1.0
    return float(10.0 ** math.floor(math.log10((parameter.high - parameter.low) / 100.0) + 1e-9))


def lever(parameter: Parameter, phase: str) -> dict[str, Any]:
    """A parameter as plain data: all that is needed to draw it, with its meaning and source."""
    kind = parameter.path.split(".")[0]
    return {
        "path": parameter.path,
        "label": parameter.label,
        "meaning": parameter.meaning,
        "kind": parameter.kind,
        "unit": parameter.unit,
        "low": parameter.low,
        "high": parameter.high,
        "step": _step(parameter),
        "choices": list(parameter.choices),
        "default": parameter.default,
        "source": parameter.source,
        "phase": phase,
        "principle": parameter.principle,
        "layer": kind if kind in ("mechanisms", "coefficients") else "rules",
    }


@cache
def catalogue() -> dict[str, Any]:
    """All levers and their groups, as plain data; the same for every visitor.

    Returns:
        ``levers`` in the order of the phases; ``phases`` and ``principles``, each with ``name``, ``label`` and the
        paths of its levers; ``budget``, the lines with the levers of their start and bounds.
    """
    found = {rule.path: lever(rule, name) for name, (module, _) in zip(PHASE_NAMES, PHASES, strict=True)
             for rule in module.RULES}  # fmt: skip
    found |= {rule.path: lever(rule, "community") for rule in COMMUNITY}
    found |= {rule.path: lever(rule, "network") for rule in NETWORK}
    labels = {name: question for name, (_, question) in zip(PHASE_NAMES, PHASES, strict=True)}
    labels |= {"community": "Who lives and works here?", "network": "Who knows whom?"}
    phases = [
        {"name": name, "label": label, "levers": [path for path, one in found.items() if one["phase"] == name]}
        for name, label in labels.items()
    ]
    principles = [
        {
            "name": f"principle_{number}",
            "number": number,
            "label": label,
            "levers": [path for path, one in found.items() if one["principle"] == number],
        }
        for number, label in PRINCIPLES.items()
    ]
    lines = [
        {"line": line, "start": f"{BUDGET}.{line}", "least": f"{BUDGET}_min.{line}", "most": f"{BUDGET}_max.{line}"}
        for line in BUDGET_LINES[:-1]
    ]
    return {
        "levers": list(found.values()),
        "phases": phases,
        "principles": principles,
        "budget": {"lines": lines, "rest": BUDGET_LINES[-1]},
    }


def chosen(paths: tuple[str, ...]) -> list[str]:
    """The levers that a story shows to a room, checked.

    Raises:
        LeverError: If there are more than six, or one does not exist.
    """
    if len(paths) > MOST_SHOWN:
        raise LeverError(
            f"a room is shown at most {MOST_SHOWN} levers at once, and here are {len(paths)}; leave some out"
        )
    for path in paths:
        if path not in PARAMETERS:
            raise LeverError(f"{path[:80]}: there is no such lever")
    return list(paths)


def moved(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """The scenario with levers moved; where lines of its budget are, the others make room.

    Args:
        scenario: What is changed.
        changes: Path -> new value, as it came from outside; every value is checked.

    Raises:
        LeverError: If a path, a value or the rules as a whole are wrong.
    """
    values: dict[str, Value] = {}
    for path, value in changes.items():
        parameter = PARAMETERS.get(path)
        if parameter is None:
            raise LeverError(f"{str(path)[:80]}: there is no such lever")
        if parameter.kind == "number" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        problem = value_problem(parameter, value)
        if problem:
            raise LeverError(f"{parameter.label}: {problem}")
        if path == "network.generate" and scenario.network_file is not None:
            raise LeverError("the network of this scenario comes from a file, so that its family cannot be chosen")
        values[path] = parameter.decode(parameter.encode(value))
    lines = {path.rpartition(".")[2]: float(value) for path, value in values.items() if path.startswith(f"{BUDGET}.")}
    if lines:
        values |= {
            f"{BUDGET}.{line}": share for line, share in settled({**scenario.values, **values}, tuple(lines)).items()
        }
    try:
        return scenario.with_values(values)
    except ValueError as error:
        raise LeverError(str(error)) from error


def settled(values: Mapping[str, Value], first: tuple[str, ...] = ()) -> dict[str, float]:
    """Lines of a budget that keep their bounds and leave nothing below 0 for action.

    Where they exceed the whole, the excess is taken from the lines that were not moved, in proportion to what they hold
    above their least share; what these cannot give is taken from the moved ones.

    Args:
        values: A value for every path.
        first: The lines that were moved.

    Returns:
        Line -> share, all but ``action``, which is what they leave.
    """
    names = BUDGET_LINES[:-1]
    least = {line: float(values[f"{BUDGET}_min.{line}"]) for line in names}
    most = {line: float(values[f"{BUDGET}_max.{line}"]) for line in names}
    share = {line: min(max(float(values[f"{BUDGET}.{line}"]), least[line]), most[line]) for line in names}
    for giving in ([line for line in names if line not in first], [line for line in names if line in first]):
        excess = sum(share.values()) - 1.0
        above = sum(share[line] - least[line] for line in giving)
        if excess > 1e-12 and above > 0.0:
            part = min(1.0, excess / above)
            share |= {line: share[line] - part * (share[line] - least[line]) for line in giving}
    return share


def lines(scenario: Scenario) -> list[dict[str, Any]]:
    """The budget as lines that add to 1, with their bounds; the last is what the others leave."""
    shares = [float(scenario[f"{BUDGET}.{line}"]) for line in BUDGET_LINES[:-1]]
    bounds = [
        [float(scenario[f"{BUDGET}_min.{line}"]), float(scenario[f"{BUDGET}_max.{line}"])] for line in BUDGET_LINES[:-1]
    ]
    shares.append(max(0.0, 1.0 - sum(shares)))
    bounds.append([0.0, 1.0])
    return [
        {"line": line, "share": share, "least": low, "most": high}
        for line, share, (low, high) in zip(BUDGET_LINES, shares, bounds, strict=True)
    ]


@cache
def _pole(on: bool) -> Scenario:
    return load(POLES[on])


@cache
def _rules_of(principle: int) -> tuple[str, ...]:
    """The rules of a principle in which the poles differ."""
    return next(
        (unit.paths for unit in units(_pole(False), _pole(True), "principle") if unit.name == f"principle_{principle}"),
        (),
    )


def principle_states(scenario: Scenario) -> dict[str, str]:
    """For each principle whether a scenario has its rules: ``on``, ``off``, or ``part`` where it has some of them."""
    found = {}
    for number in PRINCIPLES:
        paths = [path for path in _rules_of(number) if path.rpartition(".")[0] != BUDGET]
        paths = paths or list(_rules_of(number))
        same = [[scenario[path] == _pole(on)[path] for path in paths] for on in (False, True)]
        found[str(number)] = "on" if all(same[1]) else "off" if all(same[0]) else "part"
    return found


def with_principle(scenario: Scenario, number: int, on: bool) -> Scenario:
    """The scenario with all rules of a principle from the pole at which it is on, or off.

    Raises:
        LeverError: If there is no such principle, or its rules do not go with the others.
    """
    if number not in PRINCIPLES:
        raise LeverError(f"{number}: there is no such principle; there are {len(PRINCIPLES)}")
    pole = _pole(on)
    unit = next((one for one in units(scenario, pole, "principle") if one.name == f"principle_{number}"), None)
    if unit is None:
        return scenario
    try:
        return mixed(scenario, pole, [unit._replace(parts=())])
    except ValueError as error:
        raise LeverError(str(error)) from error
