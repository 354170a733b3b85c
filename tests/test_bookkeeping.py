"""Nothing is spent twice and no share leaves its range, whatever the rules; and luck belongs to people, not to runs."""

from __future__ import annotations

import numpy as np
import pytest
from books import keep_books
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from worlds import (
    COLUMN,
    SMALL,
    advance,
    any_scenario,
    do,
    histories,
    history,
    key_of,
    plain,
    same,
    shipped,
)

from cej_sim import population
from cej_sim.month import PHASE_NAMES, PHASES
from cej_sim.phases.reform import mandate
from cej_sim.population import populate
from cej_sim.scenario import encode_events
from cej_sim.state import INSTITUTION, ORGANIZER, State

# Under any rules


@given(scenario=any_scenario(months=18), seed=st.integers(0, 10**6))
@settings(
    max_examples=25,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_books_under_any_rules(scenario, seed):
    keep_books(scenario, seed)


@pytest.mark.slow
@pytest.mark.long
@given(scenario=any_scenario(months=36, residents=100), seed=st.integers(0, 10**6))
@settings(
    max_examples=500,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_books_under_many_rules(scenario, seed):
    keep_books(scenario, seed)


@pytest.mark.slow
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
