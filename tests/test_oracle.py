"""The compiled month against the plain Mesa model of ``oracle.py``: every array and every metric, month by month."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import mesa
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracle import DrawTable, KeyedDraws, Oracle

from cej_sim import reading
from cej_sim.draws import run_key
from cej_sim.metrics import NAMES
from cej_sim.month import RULES, measure, run_months
from cej_sim.parameters import Parameter
from cej_sim.population import populate
from cej_sim.scenario import NETWORK, Event, Group, Issue, Scenario, defaults, encode_events
from cej_sim.state import BUDGET_LINES, COALITION, State

TOLERANCE = 1e-9
MONTHS = 24

OF_PEOPLE = (
    "x", "x0", "belief", "origin", "agency", "consciousness", "skill", "trust", "openness", "resources", "fatigue",
    "grievance", "engagement", "member", "present", "met", "mobilized", "leader", "voice", "weight", "weight_budget",
)  # fmt: skip
OF_ISSUES = ("pressure", "opposition", "fit", "norm", "wins", "pending", "survival")
OF_GROUPS = ("driver", "gap")
OF_COALITION = ("decision", "budget_origin", "commitment", "spend")


# Comparing


def oracle_quantities(oracle: Oracle) -> Iterator[tuple[str, list]]:
    """Everything that the oracle knows, under the names of the engine's state, in the order of the causes."""
    for name in OF_PEOPLE:
        yield name, [getattr(person, name) for person in oracle.people]
    yield "tie", [tie.strength for person in oracle.people for _, tie in person.neighbors]
    for name in ("speed", "decided"):
        yield f"table_{name}", [getattr(table, name) for table in oracle.tables]
    for name in OF_ISSUES:
        yield name, [getattr(issue, name) for issue in oracle.issues]
    for name in OF_GROUPS:
        yield name, [getattr(group, name) for group in oracle.groups]
    for name in OF_COALITION:
        yield name, getattr(oracle, name)
    yield "rules_flat", [rule.encode(getattr(oracle.rules, rule.field)) for rule in RULES]
    yield "event_done", oracle.events_done


def differences(oracle: Oracle, state: State, row: np.ndarray) -> list[str]:
    """Every quantity in which the two months differ, with the two values."""
    found = []

    def compare(name: str, kernel: object, plain: object) -> None:
        kernel, plain = np.asarray(kernel, float), np.asarray(plain, float)
        far = ~(np.abs(kernel - plain) <= TOLERANCE * np.maximum(1.0, np.abs(plain)))
        if far.any():
            first = tuple(int(i) for i in np.argwhere(far)[0])
            where = f"{list(first)} and {int(far.sum()) - 1} more" if first else ""
            found.append(f"{name}{where}: kernel {float(kernel[first])!r}, oracle {float(plain[first])!r}")

    for name, plain in oracle_quantities(oracle):
        kernel = getattr(state, name)
        compare(name, kernel[: len(plain)] if name == "event_done" else kernel, plain)
    for name in COALITION:
        compare(f"coalition.{name}", state.coalition[name][0], getattr(oracle.coalition, name))
    metrics = oracle.metrics()
    assert list(metrics) == list(NAMES)
    for column, name in enumerate(NAMES):
        compare(f"metric {name}", row[column], metrics[name])
    return found


def first_difference(scenario: Scenario, months: int, seed: int = 1) -> str:
    """Run both; say in which month they part, and in what, or give an empty text."""
    key = np.uint64(run_key(seed, 0))
    state, events = populate(scenario, key), encode_events(scenario)
    oracle = Oracle(scenario, key)
    row = np.empty(len(NAMES))
    measure(state, 0, row)
    for month in range(months + 1):
        if month:
            run_months(state, events, key, month - 1, row[None])
            oracle.step()
        found = differences(oracle, state, row)
        if found:
            return f"month {month} of {scenario.name}: " + "\n  ".join(found)
    return ""


# Scenarios


def small(scenario: Scenario) -> Scenario:
    """The same scenario in a community of 40 residents."""
    return scenario.with_values({"community.residents": 40, "community.institutions": 6})


SHIPPED = sorted(reading.shipped())


def numbers(low: float, high: float) -> st.SearchStrategy:
    """Numbers as people write them, with few digits."""
    return st.floats(low, high).map(lambda number: min(high, max(low, round(number, 4))))


def rule_value(rule: Parameter) -> st.SearchStrategy:
    """A value within the declared bounds; the default, the edges and small numbers come up often."""
    if rule.choices:
        return st.sampled_from(rule.choices)
    if rule.kind == "switch":
        return st.booleans()
    if rule.kind == "count":
        low, high = int(rule.low), int(rule.high)
        return st.one_of(st.just(int(rule.default)), st.integers(low, min(high, low + 12)), st.integers(low, high))
    usual = min(rule.high, max(2.0 * float(rule.default), 0.1))
    return st.one_of(
        st.just(float(rule.default)),
        numbers(rule.low, usual),
        numbers(rule.low, rule.high),
        st.sampled_from((rule.low, rule.high)),
    )


@st.composite
def budgets(draw: st.DrawFn) -> dict[str, float]:
    """A valid budget: lines that leave something, each within its own bounds."""
    values, left = {}, 1.0
    for line in draw(st.permutations(BUDGET_LINES[:-1])):
        start = draw(numbers(0.0, 0.6)) * left
        left -= start
        values[f"governance.decide.budget.{line}"] = start
        values[f"governance.decide.budget_min.{line}"] = start * draw(numbers(0.0, 1.0))
        values[f"governance.decide.budget_max.{line}"] = start + (1.0 - start) * draw(numbers(0.0, 1.0))
    return values


BOUNDS = tuple(f"governance.decide.budget{which}." for which in ("", "_min", "_max"))
FREE_RULES = tuple(rule for rule in RULES if not rule.path.startswith(BOUNDS))


@st.composite
def events(draw: st.DrawFn, values: dict, months: int) -> Event:
    """A change of one to three rules; bounds of the budget are only widened, so that they stay valid."""
    changes = {}
    for rule in draw(st.lists(st.sampled_from(FREE_RULES), min_size=1, max_size=3, unique_by=lambda rule: rule.path)):
        changes[rule.path] = draw(rule_value(rule))
    if draw(st.booleans()):
        line = draw(st.sampled_from(BUDGET_LINES[:-1]))
        low, high = f"governance.decide.budget_min.{line}", f"governance.decide.budget_max.{line}"
        changes[low] = values[low] * draw(numbers(0.0, 1.0))
        changes[high] = values[high] + (1.0 - values[high]) * draw(numbers(0.0, 1.0))
    if draw(st.booleans()):
        changes[f"governance.decide.budget.{draw(st.sampled_from(BUDGET_LINES[:-1]))}"] = draw(numbers(0.0, 1.0))
    month = draw(st.integers(1, months))
    return Event(month, draw(st.sampled_from(("mandate", "motion"))), tuple(changes.items()))


@st.composite
def scenarios(draw: st.DrawFn, months: int) -> Scenario:
    """Any rules in a small community: all of them drawn, or about a third and the others as in a shipped scenario."""
    base = draw(st.sampled_from(("", *SHIPPED)))
    values = dict(reading.load(base).values) if base else defaults()
    values |= {
        "community.residents": draw(st.integers(8, 60)),
        "community.institutions": draw(st.integers(1, 12)),
        "community.organizers": draw(st.integers(0, 4)),
        "community.tables": draw(st.integers(1, 3)),
        "community.neighborhoods": draw(st.integers(0, 8)),
        "community.spread": draw(st.sampled_from((1.0, 0.5, 2.0, 0.0))),
        "community.threshold": draw(st.sampled_from((0.35, 0.05, 0.8))),
        "community.institution_openness": draw(st.sampled_from((0.45, 0.1, 0.9))),
        "network.generate": draw(st.sampled_from(NETWORK[0].choices)),
    }
    for rule in FREE_RULES:
        if not base or draw(st.integers(0, 2)) == 2:
            values[rule.path] = draw(rule_value(rule))
    if not base or draw(st.booleans()):
        values |= draw(budgets())
    strategy, strategy_max = "governance.decide.strategy", "governance.decide.strategy_max"
    values[strategy] = min(values[strategy], values[strategy_max])
    parts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    shares = numbers(0.0, 1.0)
    groups = tuple(
        Group(f"group {number}", part / sum(parts), draw(numbers(0.01, 1.0)), draw(shares), draw(shares))
        for number, part in enumerate(parts)
    )
    issues = tuple(
        Issue(f"issue {number}", draw(shares), draw(numbers(0.2, 3.0)), draw(numbers(0.0, 0.2)))
        for number in range(draw(st.integers(1, 6)))
    )
    changes = tuple(draw(st.lists(events(values, months), max_size=4)))
    scenario = Scenario("drawn", values, months=months, groups=groups, issues=issues, events=changes)
    return scenario.with_values({})


# Tests


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_scenario_in_a_small_community(name):
    assert not first_difference(small(reading.load(name)), MONTHS)


def test_shipped_scenario_in_full():
    assert not first_difference(reading.load("community_led"), MONTHS)


@given(scenario=scenarios(months=18), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None, derandomize=True, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
def test_drawn_rules(scenario, seed):
    assert not first_difference(scenario, 18, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_scenario_in_full_and_on(name):
    """Full size, beyond the end of the grant."""
    scenario = reading.load(name)
    assert not first_difference(scenario, scenario.months, seed=2)


@pytest.mark.slow
@given(scenario=scenarios(months=36), seed=st.integers(0, 10**6))
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_many_drawn_rules(scenario, seed):
    assert not first_difference(scenario, 36, seed)
