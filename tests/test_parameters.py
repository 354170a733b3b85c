"""Every declaration is well formed, no parameter is without effect, declared directions hold in several contexts."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import stats

from cej_sim import reading
from cej_sim.draws import run_key
from cej_sim.metrics import METRICS, NAMES
from cej_sim.month import PHASE_NAMES, RULES, run_months
from cej_sim.parameters import CONDITIONS, FACTORS, PRINCIPLES, SUSTAINABILITY, Parameter, Value
from cej_sim.population import populate
from cej_sim.scenario import (
    COMMUNITY,
    GROUP,
    ISSUE,
    NETWORK,
    PARAMETERS,
    Event,
    Group,
    Issue,
    Scenario,
    encode_events,
    value_problem,
)
from cej_sim.state import BUDGET_LINES

EVERY = (*COMMUNITY, *NETWORK, *GROUP, *ISSUE, *RULES)
BY_PATH = {parameter.path: parameter for parameter in EVERY}
CHOICES = tuple(parameter for parameter in EVERY if parameter.kind == "choice")
NUMBERS = tuple(parameter for parameter in EVERY if parameter.kind != "choice")
GAINS = tuple(parameter for parameter in EVERY if parameter.path.startswith("mechanisms."))
DIRECTIONS = tuple((parameter.path, metric, sign) for parameter in EVERY for metric, sign in parameter.effect)
LINES = BUDGET_LINES[:-1]
COLUMN = {name: column for column, name in enumerate(NAMES)}

#: Words of statistics, programming or the engine that no slider may bear.
JARGON = re.compile(
    r"\b(parameter|coefficient|hazard|sigma|theta|tau|gain|sigmoid|vector|matrix|stochastic|scalar|boolean|int|float|enum|proxy|"
    r"quantile|variance|epsilon|delta|kernel|FJ|HK)\b|_",
    re.IGNORECASE,
)


# Declarations


def test_paths_and_fields_are_unique():
    paths = [parameter.path for parameter in EVERY]
    assert len(set(paths)) == len(paths)
    fields = [rule.field for rule in RULES]
    assert len(set(fields)) == len(fields)
    assert set(PARAMETERS) == {parameter.path for parameter in (*COMMUNITY, *NETWORK, *RULES)}


@pytest.mark.parametrize("parameter", EVERY, ids=lambda p: p.path)
def test_declaration_is_well_formed(parameter: Parameter):
    assert re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", parameter.path)
    assert value_problem(parameter, parameter.default) is None
    assert parameter.low < parameter.high
    for text in (parameter.label, parameter.meaning, parameter.unit, parameter.source):
        assert text == text.strip()
        assert text
    assert len(parameter.label) <= 60
    assert not JARGON.search(parameter.label)
    assert not parameter.label.endswith(".")
    assert parameter.label[0].isupper()
    assert parameter.meaning[0].isupper() or parameter.meaning[0].isdigit() or ":" in parameter.meaning
    assert parameter.meaning.endswith(".")
    assert len(parameter.meaning.split()) >= 4
    assert parameter.principle in (None, *PRINCIPLES)
    assert parameter.condition in (None, *CONDITIONS)
    assert parameter.factor in (None, *FACTORS)
    assert parameter.sustainability in (None, *SUSTAINABILITY)
    named = [metric for metric, _ in parameter.effect]
    assert len(set(named)) == len(named)
    for metric, sign in parameter.effect:
        assert metric in NAMES
        assert sign in (-1, 1)


@pytest.mark.parametrize("parameter", EVERY, ids=lambda p: p.path)
def test_kind_fits_unit_and_bounds(parameter: Parameter):
    if parameter.kind == "choice":
        assert parameter.unit == "choice"
        assert len(parameter.choices) >= 2
        assert len(set(parameter.choices)) == len(parameter.choices)
        assert parameter.default == parameter.choices[0]
        assert (parameter.low, parameter.high) == (0, len(parameter.choices) - 1)
        assert not parameter.effect  # which way is more?
        assert [parameter.decode(parameter.encode(word)) for word in parameter.choices] == list(parameter.choices)
        return
    assert not parameter.choices
    if parameter.kind == "switch":
        assert (parameter.unit, parameter.low, parameter.high) == ("yes/no", 0, 1)
    if parameter.kind == "count":
        assert float(parameter.low).is_integer()
        assert float(parameter.high).is_integer()
    if parameter.unit == "share":
        assert parameter.low >= 0
        assert parameter.high <= 1
    assert parameter.decode(parameter.encode(parameter.default)) == parameter.default


@pytest.mark.parametrize("parameter", GAINS, ids=lambda p: p.path)
def test_every_gain_runs_from_absent_to_full(parameter: Parameter):
    assert (parameter.low, parameter.high, parameter.default) == (0.0, 1.0, 1.0)
    assert parameter.unit == "gain"


def test_sections_are_those_of_a_scenario_file():
    for rule in RULES:
        section, rest = rule.path.split(".", 1)
        assert section in ("governance", "funder", "mechanisms", "coefficients")
        if section == "governance":
            assert rest.split(".")[0] in PHASE_NAMES
    for parameters, section in ((COMMUNITY, "community"), (NETWORK, "network"), (GROUP, "groups"), (ISSUE, "issues")):
        assert {parameter.path.split(".")[0] for parameter in parameters} == {section}
    assert {parameter.path.split(".")[1] for parameter in GROUP} == set(Group.__dataclass_fields__) - {"name"}
    assert {parameter.path.split(".")[1] for parameter in ISSUE} == set(Issue.__dataclass_fields__) - {"name"}


def test_each_principle_and_condition_is_expressed_by_rules():
    assert {rule.principle for rule in RULES} >= set(PRINCIPLES)
    assert {rule.condition for rule in RULES} >= set(CONDITIONS)
    assert {parameter.factor for parameter in EVERY} - {None} <= set(FACTORS)
    assert {parameter.sustainability for parameter in EVERY} - {None} <= set(SUSTAINABILITY)


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)
def test_metric_is_well_formed(metric):
    assert re.fullmatch(r"[a-z_]+", metric.name)
    assert metric.unit in ("share", "mean", "count", "hours", "ratio", "band", "yes/no")
    assert metric.family in ("problem", "power", "people", "process", "money")
    assert metric.nature in ("set", "happened")
    assert metric.better in ("up", "down", "neither")
    assert metric.label
    assert not JARGON.search(metric.label)
    assert metric.meaning.endswith(".")
    assert metric.nature == "happened" or metric.better == "neither"  # what is set is no achievement


def test_metrics_are_distinct():
    assert len(set(NAMES)) == len(METRICS)
    assert len({metric.label for metric in METRICS}) == len(METRICS)


# Contexts: what the fixed list has in common is that it is small and quick


_G = "governance."
_DECIDE = _G + "decide."


def _scenarios() -> dict[str, Scenario]:
    """The contexts: shipped scenarios with alternative forms, and circumstances from calm to conflict.

    Those that take the longest come last, for a few of them are often enough.
    """
    ci, ci3, led, motion = (
        reading.load(name)
        for name in ("collective_impact", "collective_impact_3", "community_led", "converted_by_motion")
    )
    found = {
        "collective impact": ci.with_values(
            {
                _G + "advocate.allies": 0.5,
                _G + "organize.outside": 0.3,
                _G + "experience.claimed_say": 0.5,
                _DECIDE + "budget.organizing": 0.05,
                _DECIDE + "budget.supports": 0.1,
                _DECIDE + "budget.training": 0.1,
                "funder.cycle": 12,
                "coefficients.bar": 0.5,
            }
        ),
        "community-led": led,
        "open conflict": led.with_values(
            {
                "community.institution_openness": 0.25,
                "community.institution_stake": 0.6,
                "community.organizers": 4,
                "coefficients.challenge": 2.0,
                _G + "organize.outside": 1.0,
                _G + "advocate.allies": 0.5,
                _G + "advocate.rival": 0.3,
                _G + "contend.conflict_addressed": 0.0,
                "funder.tolerance": 0.2,
                "funder.readiness": 0.2,
                "funder.cycle": 12,
            }
        ),
        "a motion": replace(
            motion.with_values(
                {
                    _G + "reform.motion_by": "residents",
                    _G + "reform.motion_every": 3,
                    _G + "organize.outside": 0.3,
                    _G + "convene.residents_from": 0,
                }
            ),
            events=(
                *(replace(event, month=24) for event in motion.events),
                Event(24, "motion", ((_G + "deliberate.facilitation", 1.0),)),
            ),
        ),
        "a committee of friends": ci.with_values(
            {
                _G + "convene.agreement": 1.0,
                _G + "convene.take_up": 0.9,
                _G + "convene.residents_from": 0,
                _G + "convene.seats.residents": 0.4,
                _DECIDE + "rule": "delegated",
                _DECIDE + "votes.residents": 0.4,
                _G + "coordinate.charter": 0.3,
                _G + "contend.conflict_addressed": 0.0,
                "funder.cycle": 12,
                "funder.readiness": 0.3,
                "coefficients.bar": 0.4,
                _G + "experience.claimed_say": 0.6,
                "network.generate": "preferential_attachment",
            }
        ),
        "two tables": ci3.with_values(
            {
                "community.tables": 2,
                _G + "convene.seats.institutions": 0.8,
                _G + "convene.institutions_from": 3,
                _G + "organize.outside": 0.5,
                _DECIDE + "budget.organizing": 0.15,
                _DECIDE + "budget.supports": 0.15,
                _DECIDE + "budget.training": 0.1,
                "funder.cycle": 12,
                "funder.tolerance": 0.3,
                "coefficients.challenge": 1.0,
            }
        ),
        "consensus by lot": ci3.with_values(
            {
                _G + "convene.invitation": "by_lot",
                _G + "convene.take_up": 0.9,
                _G + "convene.residents_from": 0,
                _DECIDE + "rule": "consensus",
                _G + "deliberate.influence": "bounded_confidence",
                _G + "organize.outside": 0.5,
                _DECIDE + "budget.organizing": 0.15,
                _DECIDE + "budget.supports": 0.15,
                _DECIDE + "budget.training": 0.1,
                "funder.power_shift": 0.5,
                "funder.equity_priority": 0.6,
                "funder.cycle": 12,
                _G + "experience.claimed_say": 0.5,
                "network.generate": "stochastic_blocks",
            }
        ),
        "elected majority": led.with_values(
            {
                _G + "convene.invitation": "by_election",
                _DECIDE + "rule": "majority",
                _DECIDE + "votes.counted": "one_member_one_vote",
                _DECIDE + "budget.organizing": 0.25,
                _DECIDE + "budget.supports": 0.2,
                _DECIDE + "budget.training": 0.1,
                "network.generate": "small_world",
            }
        ),
    }
    return {name: replace(scenario.with_values(_small(name)), months=96) for name, scenario in found.items()}


def _small(name: str) -> dict[str, Value]:
    tables = 2 if name == "two tables" else 1
    return {
        "community.residents": 60 * tables,
        "community.institutions": 9 * tables,
        "funder.grant": 5.0 * tables,
        "funder.grant_end": 72,
    }


CONTEXTS = _scenarios()

#: Low and high values, where they are not the value of the context minus and plus 0.3 within bounds (gains: 0 and 1).
SPANS: dict[str, tuple[float, float]] = {
    "community.residents": (40, 90),
    "community.institutions": (5, 14),
    "community.organizers": (0, 4),
    "community.neighborhoods": (2, 6),
    "community.tables": (1, 3),
    "community.spread": (0.5, 1.5),
    "community.voice_spread": (0.05, 0.25),
    "community.resident_belief": (0.4, 1.0),
    "community.threshold": (0.4, 0.65),
    "community.institution_belief": (0.3, 0.8),
    "community.institution_openness_spread": (0.05, 0.3),
    "groups.share": (0.3, 0.6),
    "groups.exposure": (0.5, 0.9),
    "groups.barriers": (0.3, 0.7),
    "groups.voice": (0.25, 0.5),
    "issues.structural": (0.35, 0.75),
    "issues.severity": (0.5, 2.0),
    "issues.skew": (-0.3, 0.3),
    "issues.regrowth": (0.005, 0.02),
    "network.degree": (3.0, 10.0),
    "network.institution_degree": (2.0, 7.0),
    "network.clients": (1.0, 8.0),
    _G + "convene.residents_from": (0, 36),
    _G + "convene.institutions_from": (0, 36),
    _G + "convene.table_cap": (12, 40),
    _G + "convene.agreement": (0.0, 5.0),
    _DECIDE + "committee": (3, 9),
    _DECIDE + "meeting_hours": (4.0, 9.0),
    _DECIDE + "commitment_months": (12, 60),
    _G + "coordinate.backbone_minimum": (0.1, 0.8),
    _G + "coordinate.structure": (0.0, 1.0),
    _G + "organize.outside": (0.0, 1.0),
    _G + "advocate.allies": (0.0, 1.0),
    _G + "advocate.rival": (0.0, 0.8),
    _G + "reform.motion_every": (3, 24),
    "coefficients.policy_lag": (6, 30),
    "coefficients.challenge": (0.25, 2.0),
    "coefficients.lift": (0.5, 1.2),
    "coefficients.hazard": (0.02, 0.08),
    "coefficients.erosion": (0.003, 0.015),
    "coefficients.opposition": (3.0, 10.0),
    "coefficients.emergence": (0.01, 0.04),
    "coefficients.burnout": (0.04, 0.14),
    "coefficients.tiring": (0.02, 0.1),
    "coefficients.service": (0.06, 0.14),
    "coefficients.control_growth": (0.04, 0.14),
    "coefficients.hours_per_item": (0.6, 1.4),
    "coefficients.walk_out": (0.05, 0.25),
    "coefficients.policy_impact": (0.1, 0.35),
    "coefficients.bar": (0.1, 0.5),
    "funder.grant": (3.0, 8.0),
    "funder.cycle": (12, 48),
    "funder.grant_end": (48, 84),
    "funder.contribution": (0.02, 0.1),
    "funder.tolerance": (0.1, 0.9),
    "funder.readiness": (0.1, 0.9),
}


def span(parameter: Parameter, scenario: Scenario) -> tuple[Value, Value]:
    """A low and a high value of a parameter, as the other values of a context allow."""
    path = parameter.path
    if parameter.kind == "switch":
        return False, True
    if path in SPANS:
        low, high = SPANS[path]
        return (int(low), int(high)) if parameter.kind == "count" else (low, high)
    if path.startswith("mechanisms."):
        return 0.0, 1.0
    value = float(scenario[path])
    low, high = max(parameter.low, value - 0.3), min(parameter.high, value + 0.3)
    section, _, line = path.removeprefix(_DECIDE).rpartition(".")
    if section == "budget":
        others = sum(float(scenario[f"{_DECIDE}budget.{other}"]) for other in LINES if other != line)
        low = float(scenario[f"{_DECIDE}budget_min.{line}"])
        high = min(float(scenario[f"{_DECIDE}budget_max.{line}"]), 1.0 - others)
    elif section == "budget_min":
        low, high = 0.0, float(scenario[f"{_DECIDE}budget.{line}"])
    elif section == "budget_max":
        low, high = (
            float(scenario[f"{_DECIDE}budget.{line}"]),
            min(1.0, float(scenario[f"{_DECIDE}budget.{line}"]) + 0.3),
        )
    elif path == _DECIDE + "strategy":
        low, high = 0.0, float(scenario[_DECIDE + "strategy_max"])
    elif path == _DECIDE + "strategy_max":
        low = max(low, float(scenario[_DECIDE + "strategy"]))
    return low, high


def put(scenario: Scenario, path: str, value: Value) -> Scenario:
    """A scenario with one parameter changed: those of groups at the most affected, those of issues at all of them.

    Severity counts relative to other issues and is changed at the first only.
    """
    section, field = path.split(".", 1)
    if section == "groups":
        affected, others = scenario.groups
        rest = 1.0 - float(value) if field == "share" else others.share
        return replace(scenario, groups=(replace(affected, **{field: value}), replace(others, share=rest)))
    if section == "issues":
        changed = 1 if field == "severity" else len(scenario.issues)
        issues = [replace(issue, **{field: value}) for issue in scenario.issues[:changed]]
        return replace(scenario, issues=(*issues, *scenario.issues[changed:]))
    return scenario.with_values({path: value})


def history(scenario: Scenario, run: int) -> np.ndarray:
    """All metrics of a run, (months, metrics); the same run for every scenario."""
    key = np.uint64(run_key(7, run))
    out = np.empty((scenario.months, len(METRICS)))
    run_months(populate(scenario, key), encode_events(scenario), key, 0, out)
    return out


@pytest.mark.parametrize("name", CONTEXTS)
def test_low_and_high_values_are_valid_in_every_context(name: str):
    for parameter in NUMBERS:
        low, high = span(parameter, CONTEXTS[name])
        assert low <= high
        if parameter.path in PARAMETERS:
            assert value_problem(parameter, low) is None
            assert value_problem(parameter, high) is None
            put(CONTEXTS[name], parameter.path, low)
            put(CONTEXTS[name], parameter.path, high)


# No parameter without effect


def differs_somewhere(one: Callable[[Scenario], Scenario], other: Callable[[Scenario], Scenario]) -> bool:
    """Whether two versions of some context differ in any number of forty runs; the first three are looked at first."""
    for some in (range(3), range(3, 40)):  # what acts through rare events only, such as a vote, needs more of them
        for scenario in CONTEXTS.values():
            a, b = one(scenario), other(scenario)
            if any(np.abs(history(a, run) - history(b, run)).max() > 1e-9 for run in some):
                return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize("parameter", NUMBERS, ids=lambda p: p.path)
def test_no_number_is_inert(parameter: Parameter):
    path = parameter.path
    assert differs_somewhere(
        lambda scenario: put(scenario, path, span(parameter, scenario)[0]),
        lambda scenario: put(scenario, path, span(parameter, scenario)[1]),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "one", "other"),
    [(choice.path, *pair) for choice in CHOICES for pair in itertools.combinations(choice.choices, 2)],
)
def test_no_two_alternatives_are_the_same(path: str, one: str, other: str):
    assert differs_somewhere(lambda scenario: put(scenario, path, one), lambda scenario: put(scenario, path, other))


# Directions

RUNS = 40

#: Metrics that say whether there is a coalition at all; the others are compared while there is one on both sides.
OF_LIFE = ("alive", "funded")


@cache
def as_it_is(context: str) -> np.ndarray:
    """All metrics of the runs of a context, (runs, months, metrics)."""
    return np.stack([history(CONTEXTS[context], run) for run in range(RUNS)])


def histories(path: str, value: Value, context: str) -> np.ndarray:
    """The same with one parameter changed."""
    changed = put(CONTEXTS[context], path, value)
    if changed == CONTEXTS[context]:
        return as_it_is(context)
    return np.stack([history(changed, run) for run in range(RUNS)])


@cache
def differences(path: str, context: str) -> np.ndarray | None:
    """Paired differences (runs, metrics) of each metric's mean over months, high minus low value.

    Means are over the months in which both coalitions exist, so that what a parameter does at the table is not mixed
    with whether there still is one; those of ``OF_LIFE`` are over all months. None if the other values of the context
    leave no room to move.
    """
    parameter, scenario = BY_PATH[path], CONTEXTS[context]
    low, high = span(parameter, scenario)
    if low == high:
        return None
    a, b = (histories(path, value, context) for value in (low, high))
    both = (a[:, :, COLUMN["alive"]] * b[:, :, COLUMN["alive"]])[:, :, np.newaxis]
    found = ((b - a) * both).sum(axis=1) / np.maximum(both.sum(axis=1), 1.0)
    for metric in OF_LIFE:
        found[:, COLUMN[metric]] = (b - a)[:, :, COLUMN[metric]].mean(axis=1)
    return found


def holds(path: str, metric: str, sign: int, context: str) -> bool:
    """Whether the paired mean difference has the declared sign and its 95 % t interval excludes 0."""
    found = differences(path, context)
    if found is None:
        return False
    column = sign * found[:, COLUMN[metric]]
    half = stats.t.ppf(0.975, RUNS - 1) * column.std(ddof=1) / np.sqrt(RUNS)
    return bool(column.mean() > half and column.mean() > 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("path", "metric", "sign"), DIRECTIONS)
def test_declared_direction_holds_in_three_contexts(path: str, metric: str, sign: int):
    held = 0
    for tried, context in enumerate(CONTEXTS):
        held += holds(path, metric, sign, context)
        if held == 3 or held + len(CONTEXTS) - tried - 1 < 3:
            break
    assert held >= 3
