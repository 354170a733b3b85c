"""The books of a run, kept month by month: nothing is spent twice, and no share leaves its range."""

from __future__ import annotations

import numpy as np
import pytest
from worlds import COLUMN, LINES, advance, callable_from_python, do, duplicate, key_of, log_of

from cej_sim.metrics import METRICS
from cej_sim.phases import convene
from cej_sim.phases.reform import mandate
from cej_sim.population import populate
from cej_sim.scenario import Scenario, encode_events
from cej_sim.state import COALITION, INSTITUTION, MOTION_PASSED, ORGANIZER, RESIDENT, State

seats_at = callable_from_python(convene.seats_at)

#: Sums of shares may miss 1, and bounds may be passed, by rounding only.
ROUNDING = 1e-9
IN_UNIT = (
    "barrier", "stake", "openness", "mission", "belief", "origin", "agency", "consciousness", "skill", "trust",
    "resources", "fatigue", "engagement", "weight", "weight_budget", "tie", "table_share", "table_speed",
    "driver", "gap", "fit", "norm", "survival", "decision", "budget_origin", "commitment",
)  # fmt: skip
SCALARS_IN_UNIT = (
    "alive", "funded", "control", "backlog", "speed", "facilitation", "hours_kept", "coordination", "tasks", "effect",
    "structural_effort", "agenda_origin", "commitment_origin", "advocacy_skill", "boldness", "seen", "steering",
    "resident_say", "affected_say", "wave",
)  # fmt: skip
NOT_NEGATIVE = ("exposure", "pressure", "opposition", "wins", "pending", "spend", "voice", "grievance")
#: Metrics that are not shares, with their range.
RANGES = {"disparity_ratio": (0.0, np.inf), "seat_gap": (-1.0, 1.0), "resident_hours": (0.0, np.inf)}
COUNTS = tuple(metric.name for metric in METRICS if metric.unit == "count")


def check_row(row: np.ndarray) -> None:
    """Every metric has the unit that it declares."""
    for metric, value in zip(METRICS, row, strict=True):
        assert np.isfinite(value), metric.name
        if metric.unit in ("share", "mean"):
            assert -ROUNDING <= value <= 1.0 + ROUNDING, (metric.name, value)
        elif metric.unit == "yes/no":
            assert value in (0.0, 1.0), (metric.name, value)
        elif metric.unit == "band":
            assert value in (1.0, 2.0, 3.0), (metric.name, value)
        elif metric.unit == "count":
            assert value >= 0.0, (metric.name, value)
            assert value == int(value), (metric.name, value)
        else:
            low, high = RANGES[metric.name]
            assert low <= value <= high, (metric.name, value)


def check_state(state: State) -> None:
    """Every array is finite and within the range that it means."""
    K = state.structural.size
    for name in State._fields:
        array = getattr(state, name)
        if array.dtype == np.float64 and name not in ("said", "targets", "score", "pool"):
            assert np.isfinite(array).all(), name
    for name in IN_UNIT:
        array = getattr(state, name)
        assert array.min() >= -ROUNDING, (name, array.min())
        assert array.max() <= 1.0 + ROUNDING, (name, array.max())
    for name in NOT_NEGATIVE:
        assert getattr(state, name).min() >= 0.0, name
    assert state.grievance.max() <= 2.0
    c = state.coalition
    for name in COALITION:
        assert np.isfinite(c[name][0]), name
        assert c[name][0] >= 0.0, (name, c[name][0])
    for name in SCALARS_IN_UNIT:
        assert c[name][0] <= 1.0 + ROUNDING, (name, c[name][0])
    for vectors in (state.x[state.active], state.x0[state.active], state.decision[np.newaxis]):
        assert (vectors >= -ROUNDING).all()
        assert (np.abs(vectors[:, :K].sum(axis=1) - 1.0) <= ROUNDING).all()
        assert (vectors[:, K] <= 1.0 + ROUNDING).all()
        assert (np.abs(vectors[:, K + 1 :].sum(axis=1) - 1.0) <= ROUNDING).all()
    assert state.commitment.sum() == pytest.approx(1.0, abs=ROUNDING)
    assert state.table_share.sum() == pytest.approx(1.0, abs=ROUNDING)


def in_force(before: State, scenario: Scenario, month: int) -> np.record:
    """The rules of a month: mandates change them before it, motions only after it."""
    state = duplicate(before)
    if state.coalition.alive[0]:
        do(mandate, state, month=month, events=encode_events(scenario))
    return state.rules[0]


def check_people(before: State, after: State, rules: np.record, month: int) -> None:
    """Who can be what, and who cannot."""
    kind = after.kind
    assert not (after.present & ~after.active).any()
    assert not (after.member & (kind == ORGANIZER)).any()
    assert not (after.mobilized & (after.paid | ~after.active)).any()
    assert not (after.leader & (after.paid | ~after.active)).any()
    assert (after.paid == (kind != RESIDENT)).all()
    for table in range(after.table_share.size):
        here = after.table_agents[after.table_start[table] : after.table_start[table + 1]]
        seats = seats_at(rules, month, after.table_residents[table], after.table_institutions[table])
        assert sum(seats) + 1.0 <= rules.convene_table_cap
        for who, open_seats in zip((RESIDENT, INSTITUTION), seats, strict=True):
            held_before, held = ((state.member[here] & (kind[here] == who)).sum() for state in (before, after))
            assert held <= max(open_seats, held_before)


def check_month(before: State, after: State, rules: np.record, rows: np.ndarray) -> None:
    """One month's books: what was spent and decided, against what there was and what was allowed."""
    had, has = before.coalition, after.coalition
    K = after.structural.size
    # Money and meeting hours
    assert has.spent[0] == pytest.approx(after.spend.sum(), rel=ROUNDING, abs=ROUNDING)
    assert after.spend.sum() <= had.money[0] * (1.0 + ROUNDING)
    assert has.hours_used[0] <= rules.decide_meeting_hours * (1.0 + ROUNDING)
    # Bounds: what a motion has set is bounded from the next month on
    happened = log_of(after)[before.logged[0] :, 1]
    if had.alive[0] and MOTION_PASSED not in happened:
        assert after.decision[K] <= rules.decide_strategy_max + ROUNDING
        for number, line in enumerate(LINES):
            share = after.decision[K + 1 + number]
            assert share >= rules["decide_budget_min_" + line] - ROUNDING, line
            assert share <= rules["decide_budget_max_" + line] + ROUNDING, line
    # Weights
    deciding = after.table_share[after.table_decided].sum()
    for weight in (after.weight, after.weight_budget):
        assert weight.sum() == pytest.approx(deciding, abs=ROUNDING)
        assert not weight[~after.present].any()
    # What only grows, and what ends once
    for name in COUNTS:
        assert rows[1, COLUMN[name]] >= rows[0, COLUMN[name]], name
    for name in ("alive", "funded"):
        assert has[name][0] <= had[name][0], name
    assert (after.wins >= before.wins).all()
    assert after.logged[0] >= before.logged[0]
    if not had.alive[0]:
        assert not after.member.any()
        assert not after.present.any()
        assert not after.weight.any()
        assert not after.spend.any()
        assert rows[1, COLUMN["resident_members"]] == rows[1, COLUMN["resident_attendance"]] == 0.0
    # Hours nobody pays for: of residents who act, lead or came
    residents = after.kind == RESIDENT
    given = 4.0 * (residents & after.mobilized).sum() + 6.0 * (residents & after.leader).sum()
    came = (residents & after.present).sum()
    assert given <= has.hours[0] * (1.0 + ROUNDING)
    assert has.hours[0] <= given + came * (has.hours_used[0] + 1.0) + ROUNDING


def keep_books(scenario: Scenario, seed: int) -> None:
    key = key_of(seed)
    state = populate(scenario, key)
    for month in range(1, scenario.months + 1):
        before = duplicate(state)
        rows = advance(scenario, state, key, 1, month - 1)
        check_row(rows[1])
        check_state(state)
        rules = in_force(before, scenario, month)
        check_people(before, state, rules, month)
        check_month(before, state, rules, rows)
    log = log_of(state)
    assert len(log) < len(state.log)
    assert (np.diff(log[:, 0]) >= 0).all()
    assert log.size == 0 or (log[0, 0] >= 1 and log[-1, 0] <= scenario.months)
