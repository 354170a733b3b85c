"""The compiled month against the plain Mesa model of ``oracle.py``: every array and every metric, month by month."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import oracle as plain_month
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from oracle import DrawTable, Oracle
from worlds import a_third, shipped

from cej_sim import reading
from cej_sim.draws import run_key
from cej_sim.metrics import NAMES
from cej_sim.month import RULES, measure, run_months
from cej_sim.parameters import Parameter
from cej_sim.population import populate
from cej_sim.scenario import NETWORK, Event, Group, Issue, Scenario, defaults, encode_events
from cej_sim.state import BUDGET_LINES, COALITION, END_REASONS, LOG_CODES, State

TOLERANCE = 1e-9
MONTHS = 24

OF_PEOPLE = (
    "x", "x0", "belief", "origin", "agency", "consciousness", "skill", "trust", "openness", "resources", "fatigue",
    "grievance", "engagement", "member", "present", "met", "mobilized", "leader", "voice", "weight", "weight_budget",
)  # fmt: skip
OF_ISSUES = ("pressure", "opposition", "fit", "norm", "wins", "pending", "survival")
OF_GROUPS = ("driver", "gap")
OF_COALITION = ("decision", "budget_origin", "commitment", "spend")


#: What a month does not change, does not keep, or only writes down: the starting population, scratch, and the log.
FIXED = (
    "kind", "active", "paid", "affected", "group", "neighborhood", "table", "home", "perm", "draw_id", "exposure",
    "barrier", "mission", "stake", "threshold", "agency_base", "trust_base", "said", "came",
    "score", "pool", "offered", "luck", "held_in", "vote", "indptr", "indices", "table_start", "table_agents",
    "table_residents", "table_institutions", "table_share", "targets", "structural", "regrowth", "group_size",
    "group_affected", "group_exposure", "worst_exposure", "group_barrier", "log", "logged",
)  # fmt: skip

SETTINGS = settings(
    derandomize=True,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example),
)


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

    def compare_single(names: list[str], kernel: list[float], plain: list[float]) -> None:
        kernel, plain = np.asarray(kernel, float), np.asarray(plain, float)
        far = ~(np.abs(kernel - plain) <= TOLERANCE * np.maximum(np.abs(plain), 1.0))
        for place in np.flatnonzero(far).tolist():
            found.append(f"{names[place]}: kernel {float(kernel[place])!r}, oracle {float(plain[place])!r}")

    def compare(name: str, kernel: object, plain: object) -> None:
        kernel, plain = np.asarray(kernel, float), np.asarray(plain, float)
        far = ~(np.abs(kernel - plain) <= TOLERANCE * np.abs(plain).max(initial=1.0))
        if far.any():
            first = tuple(int(i) for i in np.argwhere(far)[0])
            where = f"{list(first)} and {int(far.sum()) - 1} more"
            found.append(f"{name}{where}: kernel {float(kernel[first])!r}, oracle {float(plain[first])!r}")

    for name, plain in oracle_quantities(oracle):
        kernel = getattr(state, name)
        compare(name, kernel[: len(plain)] if name == "event_done" else kernel, plain)
    alone = [f"coalition.{name}" for name in COALITION]
    compare_single(
        alone, [state.coalition[name][0] for name in COALITION], [getattr(oracle.coalition, name) for name in COALITION]
    )
    metrics = oracle.metrics()
    assert list(metrics) == list(NAMES)
    compare_single([f"metric {name}" for name in NAMES], row, list(metrics.values()))
    return found


def run_both(scenario: Scenario, months: int, seed: int = 1) -> tuple[str, State]:
    """Run both; say in which month they part, and in what, or give an empty text; and the kernels' last state."""
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
            return f"month {month} of {scenario.name}: " + "\n  ".join(found), state
    return "", state


def first_difference(scenario: Scenario, months: int, seed: int = 1) -> str:
    """In which month, and in what, the two part; an empty text if they do not."""
    return run_both(scenario, months, seed)[0]


def agree(scenario: Scenario, months: int, seed: int = 1) -> None:
    """Fail with the first month and the quantities in which the two part."""
    difference = first_difference(scenario, months, seed)
    if difference:
        pytest.fail(difference, pytrace=False)


# Scenarios


def small(scenario: Scenario) -> Scenario:
    """The same scenario in a community of 40 residents."""
    return scenario.with_values({"community.residents": 40, "community.institutions": 6})


SHIPPED = sorted(reading.shipped())


@cache
def numbers(low: float, high: float) -> st.SearchStrategy:
    """Numbers as people write them, with few digits."""
    return st.floats(low, high).map(lambda number: min(high, max(low, round(number, 4))))


@cache
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
    values = dict(shipped(base).values) if base else defaults()
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
    votes = [f"governance.decide.votes.{bloc}" for bloc in ("residents", "institutions", "backbone")]
    if not any(values[path] for path in votes):  # somebody has to have a vote
        values[draw(st.sampled_from(votes))] = draw(numbers(0.01, 1.0))
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


@pytest.mark.parametrize("name", a_third(SHIPPED))
def test_shipped_scenario_in_a_small_community(name):
    agree(small(reading.load(name)), MONTHS)


def test_shipped_scenario_in_full():
    agree(reading.load("community_led"), MONTHS)


@given(scenario=scenarios(MONTHS), seed=st.integers(0, 1000))
@settings(SETTINGS, max_examples=25)
def test_drawn_rules(scenario, seed):
    agree(scenario, MONTHS, seed)


def test_every_quantity_is_compared():
    """A wrong number anywhere in the kernels' state or metrics is seen, and named."""
    scenario = small(reading.load("converted_by_motion"))
    key = np.uint64(run_key(1, 0))
    oracle, state, row = Oracle(scenario, key), populate(scenario, key), np.empty(len(NAMES))
    measure(state, 0, row)
    assert not differences(oracle, state, row)
    arrays = [name for name, _ in oracle_quantities(oracle)]
    scalars = [f"coalition.{name}" for name in COALITION]
    changing = {name for name in State._fields if name not in FIXED} - {"coalition", "rules"}
    assert changing <= {*arrays}
    for name in (*arrays, *scalars):
        array = state.coalition[name.removeprefix("coalition.")] if name in scalars else getattr(state, name)
        right = array.flat[-1]
        array.flat[-1] = not right if array.dtype == bool else right + 1e-5
        assert [found.split(":")[0].split("[")[0] for found in differences(oracle, state, row)] == [name]
        array.flat[-1] = right
    for column, name in enumerate(NAMES):
        row[column] += 1e-5
        assert [found.split(":")[0] for found in differences(oracle, state, row)] == [f"metric {name}"]
        row[column] -= 1e-5


def test_a_difference_is_named_with_its_month(monkeypatch):
    """A mistake in one form of one phase is found, in the month in which it first matters."""
    right = plain_month.Person.return_to_base

    def wrong(person):
        right(person)
        if person.model.month >= 3 and person.row == 5:
            person.trust += 1e-6

    monkeypatch.setattr(plain_month.Person, "return_to_base", wrong)
    message = first_difference(small(reading.load("collective_impact")), MONTHS)
    assert message.startswith("month 3 of collective_impact: trust[5] and 0 more: kernel ")


def test_draws_from_a_table_change_nothing():
    scenario = small(reading.load("community_led"))
    key = run_key(3, 0)
    keyed, tabled = Oracle(scenario, key), Oracle(scenario, key, draws=DrawTable(Oracle(scenario, key), MONTHS))
    for _ in range(MONTHS):
        keyed.step()
        tabled.step()
        assert keyed.metrics() == tabled.metrics()


def test_the_oracle_knows_none_of_the_forms_it_checks():
    tree = ast.parse(Path(plain_month.__file__).read_text(encoding="utf-8"))
    taken = {
        f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if node.module.startswith("cej_sim") and not name.name.isupper()
    }
    assert taken == {
        "cej_sim.draws", "cej_sim.population.populate", "cej_sim.scenario.Event", "cej_sim.scenario.Scenario"
    }  # fmt: skip
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import) and "cej_sim" in node.names[0].name]


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_scenario_in_full_and_to_its_end(name):
    scenario = reading.load(name)
    agree(scenario, scenario.months, seed=2)


@pytest.mark.slow
@pytest.mark.long
def test_many_drawn_rules():
    """Hundreds of rules; together they reach everything that the log can tell, so nothing is compared only at rest."""
    reached, ends = set(), set()

    @given(scenario=scenarios(36), seed=st.integers(0, 10**6))
    @settings(SETTINGS, max_examples=500)
    def compare(scenario, seed):
        difference, state = run_both(scenario, 36, seed)
        if difference:
            pytest.fail(difference, pytrace=False)
        reached.update(LOG_CODES[code] for code in state.log[: state.logged[0], 1])
        ends.add(END_REASONS[int(state.coalition.end_reason[0])])

    compare()
    assert reached == set(LOG_CODES)
    assert ends == set(END_REASONS)
