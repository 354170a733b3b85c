"""Nothing is spent twice and no share leaves its range, whatever the rules; and luck belongs to people, not to runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from worlds import (
    COLUMN,
    LINES,
    SMALL,
    advance,
    any_scenario,
    callable_from_python,
    do,
    duplicate,
    histories,
    history,
    key_of,
    log_of,
    plain,
    same,
    shipped,
)

from cej_sim import population
from cej_sim.metrics import METRICS
from cej_sim.month import PHASE_NAMES, PHASES
from cej_sim.phases import convene
from cej_sim.phases.reform import mandate
from cej_sim.population import populate
from cej_sim.scenario import Scenario, encode_events
from cej_sim.state import COALITION, INSTITUTION, MOTION_PASSED, ORGANIZER, RESIDENT, State

seats_at = callable_from_python(convene.seats_at)

# Under any rules

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
        if array.dtype == np.float64 and name not in ("x_next", "targets", "score", "pool"):
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
    for vector in (*state.x[state.active], *state.x0[state.active], state.decision):
        assert vector.min() >= -ROUNDING
        assert vector[:K].sum() == pytest.approx(1.0, abs=ROUNDING)
        assert vector[K] <= 1.0 + ROUNDING
        assert vector[K + 1 :].sum() == pytest.approx(1.0, abs=ROUNDING)
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


@given(scenario=any_scenario(months=18), seed=st.integers(0, 10**6))
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_books_under_any_rules(scenario, seed):
    keep_books(scenario, seed)


@pytest.mark.slow
@given(scenario=any_scenario(months=36, residents=100), seed=st.integers(0, 10**6))
@settings(
    max_examples=500,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_books_under_many_rules(scenario, seed):
    keep_books(scenario, seed)


@pytest.mark.parametrize("name", ["community_led", "converted_by_mandate"])
def test_a_month_is_its_phases_in_the_order_of_the_table(name):
    """The phases called one by one, as ``PHASES`` lists them, are what ``run_months`` does."""
    scenario = shipped(name, SMALL, months=70)
    key, events = key_of(5), encode_events(scenario)
    state, by_phase = populate(scenario, key), populate(scenario, key)
    advance(scenario, state, key)
    for month in range(1, scenario.months + 1):
        assert by_phase.coalition.alive[0]
        do(mandate, by_phase, key, month, events)
        for module, phase in zip((module for module, _ in PHASES), PHASE_NAMES, strict=True):
            do(getattr(module, phase), by_phase, key, month, events)
    assert same(state, by_phase, but=("pool",)) == []


# Common luck

COLLECTIVE, COMMUNITY = "collective_impact", "community_led"
BOTH = pytest.mark.parametrize("name", [COLLECTIVE, COMMUNITY])


@BOTH
def test_more_rows_for_organizers_change_nothing(name, monkeypatch):
    """An organizer who is not there yet is a row not in use, and moves nobody's luck."""
    scenario = shipped(name, {"community.organizers": 2})
    rows = history(scenario)[0]
    monkeypatch.setattr(population, "ORGANIZER_ROWS", 9)
    rows_more, state = history(scenario)
    assert (state.kind == ORGANIZER).sum() == 9
    assert rows_more.tobytes() == rows.tobytes()


#: What an agent brings, and what it does not share with anybody.
OWN = (
    "affected", "group", "neighborhood", "home", "exposure", "barrier", "mission", "stake", "threshold", "agency",
    "trust", "x0", "belief", "consciousness", "skill", "openness", "resources", "engagement",
)  # fmt: skip


def ties_of(state: State) -> dict[tuple[int, int], float]:
    """Strength of each tie by the identities of its ends."""
    ends = np.repeat(np.arange(state.kind.size), np.diff(state.indptr))
    pairs = zip(state.draw_id[ends].tolist(), state.draw_id[state.indices].tolist(), strict=True)
    return dict(zip(pairs, state.tie.tolist(), strict=True))


@pytest.mark.parametrize(
    ("path", "kind"), [("community.organizers", ORGANIZER), ("community.institutions", INSTITUTION)]
)
@pytest.mark.parametrize("family", ["neighborhoods", "small_world", "stochastic_blocks", "preferential_attachment"])
def test_a_newcomer_changes_no_other_start(family, path, kind):
    """One more institution or organizer: nobody else's attributes move, and no tie among the others."""
    scenario = plain({"network.generate": family, "community.institutions": 7, "community.organizers": 4})
    key = key_of(12)
    few, many = populate(scenario, key), populate(scenario.with_values({path: scenario[path] + 1}), key)
    row = {identity: number for number, identity in enumerate(many.draw_id.tolist())}
    rows = np.array([row[identity] for identity in few.draw_id.tolist()])
    newcomer = set(row) - set(few.draw_id.tolist())
    assert {many.kind[row[identity]] for identity in newcomer} == {kind}
    for name in OWN:
        assert getattr(many, name)[rows].tobytes() == getattr(few, name).tobytes(), name
    among_others = {pair: weight for pair, weight in ties_of(many).items() if not newcomer & set(pair)}
    assert among_others == ties_of(few)
    assert len(ties_of(many)) > len(among_others)


@BOTH
def test_a_change_that_cannot_act_leaves_the_run_as_it_was(name):
    """Rules about motions, committees and confidence, where there are none of these: every array is as it was."""
    scenario = shipped(name)
    rows, state = history(scenario)
    inert = {"governance.reform.motion_every": 1, "governance.decide.committee": 9, "governance.deliberate.radius": 0.9}
    other_rows, other = history(scenario.with_values(inert))
    assert other_rows.tobytes() == rows.tobytes()
    assert same(state, other, but=("rules", "rules_flat")) == []


@BOTH
def test_the_first_months_do_not_depend_on_how_many_follow(name):
    scenario = shipped(name)
    whole, end = history(scenario)
    key = key_of(1)
    state = populate(scenario, key)
    first = advance(scenario, state, key, 50)
    assert first.tobytes() == whole[:51].tobytes()
    for month in range(50, 120):  # ... nor on how the rest is cut up
        assert advance(scenario, state, key, 1, month).tobytes() == whole[month : month + 2].tobytes()
    assert same(state, end) == []


def test_a_run_does_not_depend_on_its_batch():
    """Runs computed alone, in another order, or month by month in turn with others are the same runs."""
    scenario = shipped(COMMUNITY, SMALL, months=40)
    together = histories(scenario, 6)
    np.testing.assert_array_equal(history(scenario, run=4)[0], together[4])
    keys = [key_of(1, run) for run in range(6)]
    states = [populate(scenario, key) for key in reversed(keys)][::-1]
    for month in range(40):
        for run in (3, 0, 5, 1, 4, 2):
            row = advance(scenario, states[run], keys[run], 1, month)[1]
            np.testing.assert_array_equal(row, together[run, month + 1])
    assert np.ptp(together[:, -1, COLUMN["burden"]]) > 0.0


def test_scenarios_share_their_luck():
    """Month 0 is the same for all governance: the same people, wants and ties."""
    for run in range(3):
        start = [populate(shipped(name), key_of(1, run)) for name in (COLLECTIVE, COMMUNITY)]
        ruled = ("rules", "rules_flat", "decision", "spend", "coalition")
        assert same(*start, but=ruled) == []


@pytest.mark.slow
def test_pairing_cuts_the_variance_of_a_difference():
    """By how much the variance of a difference falls against unpaired seeds, metric by metric (printed with -s)."""
    runs = 400
    months = (24, 60, 120)
    one, other = (histories(shipped(name), runs, seed=7)[:, months, :] for name in (COLLECTIVE, COMMUNITY))
    paired = (other - one).var(axis=0, ddof=1)
    unpaired = one.var(axis=0, ddof=1) + other.var(axis=0, ddof=1)
    factors = {}
    print(f"\nVariance of unpaired over paired differences, months {months}")
    for name, column in COLUMN.items():
        moves = paired[:, column] > 1e-12
        factor = np.divide(unpaired[:, column], paired[:, column], out=np.full(len(months), np.nan), where=moves)
        print(f"{name:24s}" + "".join(f"{value:8.2f}" for value in factor))
        if moves.any():
            factors[name] = float(np.nanmedian(factor))
    print(f"{'median over metrics':24s}{np.median(list(factors.values())):8.2f}")
    assert len(factors) > 30
    assert np.median(list(factors.values())) > 1.0
    assert np.mean([factor > 1.0 for factor in factors.values()]) > 0.5
