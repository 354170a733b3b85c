"""Small worlds for the tests: scenarios by a few values, whole histories, and one phase of a month at a time."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import strategies as st

from cej_sim import month as months_of_model
from cej_sim import reading
from cej_sim.draws import run_key
from cej_sim.metrics import METRICS, NAMES
from cej_sim.month import RULES, Events, measure, run_months
from cej_sim.parameters import Parameter, Value
from cej_sim.phases import fund
from cej_sim.population import populate
from cej_sim.scenario import COMMUNITY, NETWORK, Event, Group, Issue, Scenario, defaults, encode_events
from cej_sim.state import BACKBONE, BUDGET_LINES, State

#: Column of each metric.
COLUMN = {name: column for column, name in enumerate(NAMES)}
METRIC = {metric.name: metric for metric in METRICS}
MECHANISMS = tuple(rule.path for rule in RULES if rule.path.startswith("mechanisms."))
LINES = BUDGET_LINES[:-1]

SMALL = {"community.residents": 40, "community.institutions": 6}


def a_third(names: Iterable[str]) -> list[Any]:
    """Every third name as a test's parameter; the others are for the slow tests."""
    return [name if place % 3 == 0 else pytest.param(name, marks=pytest.mark.slow) for place, name in enumerate(names)]


def key_of(seed: int, run: int = 0) -> np.uint64:
    return np.uint64(run_key(seed, run))


# Scenarios


def shipped(name: str, values: Mapping[str, Value] | None = None, **fields: Any) -> Scenario:
    """A shipped scenario with some parameters and some fields (``months``, ``groups``, ...) replaced."""
    return replace(_as_shipped(name), **fields).with_values(values or {})


def read_parents_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each shipped scenario that files extend read once, where many versions of one file are read."""
    reader: Callable[..., Any] = reading._parent
    known: dict[str, Any] = {}

    def once(walk: Any, read: Any, shown: str) -> Any:
        name = read.given["extends"]
        if name in known:
            return known[name]
        found = reader(walk, read, shown)
        if found is not None and name in reading.shipped():
            known[name] = found
        return found

    monkeypatch.setattr(reading, "_parent", once)


@lru_cache
def _as_shipped(name: str) -> Scenario:
    return reading.load(name)


def plain(values: Mapping[str, Value] | None = None, **fields: Any) -> Scenario:
    """Every parameter at its default but those named."""
    return Scenario("plain", defaults(), **fields).with_values(values or {})


def fixed_budget(**shares: float) -> dict[str, Value]:
    """A budget that nobody can change; lines not named get nothing, and action the rest."""
    sections = ("budget", "budget_min", "budget_max")
    return {f"governance.decide.{section}.{line}": shares.get(line, 0.0) for section in sections for line in LINES}


NO_GAINS: dict[str, Value] = dict.fromkeys(MECHANISMS, 0.0)


# Histories


def history(
    scenario: Scenario, seed: int = 1, run: int = 0, months: int | None = None, **how: Any
) -> tuple[np.ndarray, State]:
    """One run: the metrics of months 0, 1, ... in rows, and the state at the end; ``how`` goes to ``populate``."""
    key = key_of(seed, run)
    state = populate(scenario, key, **how)
    return advance(scenario, state, key, months), state


def advance(scenario: Scenario, state: State, key: np.uint64, months: int | None = None, start: int = 0) -> np.ndarray:
    """Advance a state; the metrics of month ``start`` and all later ones in rows."""
    rows = np.empty(((scenario.months if months is None else months) + 1, len(NAMES)))
    measure(state, start, rows[0])
    run_months(state, encode_events(scenario), key, start, rows[1:])
    return rows


def histories(scenario: Scenario, runs: int, seed: int = 1, months: int | None = None, **how: Any) -> np.ndarray:
    """Metrics of many runs, (runs, months + 1, metrics)."""
    return np.stack([history(scenario, seed, run, months, **how)[0] for run in range(runs)])


def log_of(state: State) -> np.ndarray:
    return state.log[: state.logged[0]]


def same(a: State, b: State, but: tuple[str, ...] = ()) -> list[str]:
    """Names of the arrays in which two states differ by any bit; scratch rows that nobody writes do not count."""
    ignored = ("said", *but)
    return [
        name
        for name in State._fields
        if name not in ignored and getattr(a, name).tobytes() != getattr(b, name).tobytes()
    ]


def duplicate(state: State) -> State:
    """A copy that shares no memory with the state."""
    arrays = {name: getattr(state, name).copy() for name in State._fields}
    rules = arrays["rules"].view(np.recarray)
    arrays["rules_flat"] = rules.view(np.float64).view(np.ndarray)
    return State(**{**arrays, "rules": rules, "coalition": arrays["coalition"].view(np.recarray)})


# One phase at a time

_POSITIONS = {
    "sets": months_of_model.SETS,
    "votes_first": months_of_model.VOTES_FIRST,
    "votes_last": months_of_model.VOTES_LAST,
}
_EVENT_ARRAYS = {"event_id": "event", **{f"event_{name}": name for name in ("month", "motion", "field", "value")}}
_NO_EVENTS = encode_events(plain())
_FIRST_KEY = key_of(1)


def do(
    phase: Callable[..., Any], state: State, key: np.uint64 = _FIRST_KEY, month: int = 1, events: Events = _NO_EVENTS
) -> None:
    """Call a phase's kernel on a state, as the month does: its arguments bear the names of the state's arrays."""
    rules, c = state.rules[0], state.coalition[0]
    applying = callable_from_python(fund.applying)
    known = {
        "key": key, "month": month, "rules": rules, "c": c, "K": state.structural.size,
        "tables": state.table_share.size, "backbone": int(np.flatnonzero(state.kind == BACKBONE)[0]),
        "applying": applying(rules, c, month), "chosen": state.offered, "talked": state.offered,
        "pull": state.luck,
        **_POSITIONS, **{name: getattr(events, field) for name, field in _EVENT_ARRAYS.items()},
    }  # fmt: skip
    compiled = callable_from_python(phase)
    compiled(*(known[name] if name in known else getattr(state, name) for name in _arguments(phase)))


@lru_cache
def callable_from_python(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """A compiled caller of the kernel that Python can call."""

    @numba.njit
    def call(*arguments: Any) -> Any:
        return kernel(*arguments)

    return call  # type: ignore[no-any-return]


@lru_cache
def _arguments(kernel: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(kernel.py_func).parameters)  # type: ignore[attr-defined]


# Any rules (Hypothesis)


@cache
def value_of(rule: Parameter) -> st.SearchStrategy[Value]:
    """A value within the declared bounds; the default, the edges and usual sizes come up often."""
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
        st.floats(rule.low, usual),
        st.floats(rule.low, rule.high),
        st.sampled_from((rule.low, rule.high)),
    )


#: Rules that may take any value by themselves; the lines of the budget and their bounds must fit together.
FREE_RULES = tuple(rule for rule in RULES if not rule.path.startswith("governance.decide.budget"))


@st.composite
def budgets(draw: st.DrawFn) -> dict[str, Value]:
    """Starts and bounds of the lines, and of strategy, that fit together."""
    values: dict[str, Value] = {}
    left = 1.0
    for line in draw(st.permutations(LINES)):
        start = draw(st.floats(0.0, 0.6)) * left
        left -= start
        values[f"governance.decide.budget.{line}"] = start
        values[f"governance.decide.budget_min.{line}"] = start * draw(st.floats(0.0, 1.0))
        values[f"governance.decide.budget_max.{line}"] = start + (1.0 - start) * draw(st.floats(0.0, 1.0))
    values["governance.decide.strategy_max"] = draw(st.floats(0.0, 1.0))
    values["governance.decide.strategy"] = float(values["governance.decide.strategy_max"]) * draw(st.floats(0.0, 1.0))
    return values


@st.composite
def changes(draw: st.DrawFn, months: int) -> Event:
    """A mandate or motion that changes one to three free rules, and often what is spent on one line."""
    free = [rule for rule in FREE_RULES if not rule.path.startswith("governance.decide.strategy")]
    chosen = draw(st.lists(st.sampled_from(free), min_size=1, max_size=3, unique_by=lambda rule: rule.path))
    values = {rule.path: draw(value_of(rule)) for rule in chosen}
    if draw(st.booleans()):
        values[f"governance.decide.budget.{draw(st.sampled_from(LINES))}"] = draw(st.floats(0.0, 1.0))
    return Event(draw(st.integers(1, months)), draw(st.sampled_from(("mandate", "motion"))), tuple(values.items()))


@st.composite
def any_scenario(draw: st.DrawFn, months: int, residents: int = 50) -> Scenario:
    """Any rules, groups, issues and events in a small community."""
    people = draw(st.integers(6, residents))
    values: dict[str, Value] = {
        "community.residents": people,
        "community.institutions": draw(st.integers(1, 10)),
        "community.organizers": draw(st.integers(0, 5)),
        "community.tables": draw(st.integers(1, 4)),
        "community.neighborhoods": draw(st.integers(0, 6)),
        "network.generate": draw(st.sampled_from(NETWORK[0].choices)),
    }
    for parameter in COMMUNITY:
        if parameter.kind == "number" and draw(st.integers(0, 3)) == 0:
            values[parameter.path] = draw(value_of(parameter))
    values |= {rule.path: draw(value_of(rule)) for rule in FREE_RULES}
    values |= draw(budgets())
    votes = [f"governance.decide.votes.{bloc}" for bloc in ("residents", "institutions", "backbone")]
    if not any(values[path] for path in votes):  # somebody has to have a vote
        values[draw(st.sampled_from(votes))] = draw(st.floats(0.01, 1.0))
    parts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    shares = st.floats(0.0, 1.0)
    groups = tuple(
        Group(f"group {number}", part / sum(parts), draw(st.floats(0.01, 1.0)), draw(shares), draw(shares))
        for number, part in enumerate(parts)
    )
    issues = tuple(
        Issue(
            f"issue {number}",
            draw(shares),
            draw(st.floats(0.2, 3.0)),
            draw(st.floats(0.0, 0.2)),
            draw(st.floats(-0.9, 0.9)),
        )
        for number in range(draw(st.integers(1, 6)))
    )
    events = tuple(draw(st.lists(changes(months), max_size=3)))
    return plain(values, months=months, groups=groups, issues=issues, events=events)
