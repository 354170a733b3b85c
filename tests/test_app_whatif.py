"""What if: the question is answered by the very vote that follows, and nothing before it changes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from oracle import Oracle, Person

from cej_sim import load
from cej_sim.app.levers import LeverError
from cej_sim.app.whatif import as_data, changed, rules_at, vote
from cej_sim.metrics import METRICS
from cej_sim.month import run_months
from cej_sim.runs import key_of, run_once, start
from cej_sim.scenario import encode_events
from cej_sim.state import FOR_IT, INSTITUTION, RESIDENT, VOTE, WEIGHT_NOW, WEIGHT_THEN

RESIDENTS = "governance.decide.votes.residents"
BOLD = {RESIDENTS: 0.7, "governance.decide.votes.institutions": 0.2}


def rows_of(scenario, months, seed=1):
    rows = np.empty((months + 1, len(METRICS)))
    run_once(scenario, key_of(seed, 0), rows)
    return rows


@pytest.mark.parametrize("by", ["mandate", "motion"])
@pytest.mark.parametrize("month", [0, 7, 23])
def test_the_past_stays_as_it_was(by, month):
    scenario = load("collective_impact")
    after, position = changed(scenario, month, BOLD, by)
    assert after.events[position].month == month + 1
    np.testing.assert_array_equal(rows_of(scenario, month), rows_of(after, month))


def test_a_mandate_changes_what_follows():
    scenario = load("collective_impact")
    after, _ = changed(scenario, 12, BOLD, "mandate")
    assert rules_at(after, 12)[RESIDENTS] == scenario[RESIDENTS]
    assert rules_at(after, 13)[RESIDENTS] == 0.7
    assert not np.array_equal(rows_of(scenario, 13), rows_of(after, 13))


@pytest.mark.parametrize("name", ["collective_impact", "community_led", "hybrid"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_answer_is_the_vote_that_takes_place(name, seed):
    """The same motion put for real passes in the month and with the outcome that was told."""
    after, position = changed(load(name), 18, {RESIDENTS: 0.9}, "motion")
    told = vote(after, position, seed)
    state = start(after, key_of(seed, 0))
    run_months(state, encode_events(after), key_of(seed, 0), 0, np.empty((after.months, len(METRICS))))
    votes = [
        (int(month), int(code))
        for month, code, subject, _ in state.log[: state.logged[0]]
        if code in (12, 13) and subject == position
    ]
    if told.month is None:
        assert not votes
        return
    assert votes[0] == (told.month, 12 if told.passed else 13)
    assert (told.share >= told.threshold - 1e-12) == told.passed


def test_ballots_are_those_of_the_independent_model(monkeypatch):
    """The vote agent by agent, as the plain model in ``oracle.py`` counts it."""
    after, position = changed(load("community_led"), 5, {RESIDENTS: 0.9}, "motion")
    told = vote(after, position, 4)
    assert told.month is not None
    oracle, seen = Oracle(after, key_of(4, 0)), {}
    asked = Person.votes_for

    def watch(person, number, weight_after, pressure):
        answer = asked(person, number, weight_after, pressure)
        seen[person.row] = (answer, person.weight, weight_after)
        return answer

    monkeypatch.setattr(Person, "votes_for", watch)
    for _ in range(told.month):
        seen.clear()
        oracle.step()
    voters = np.flatnonzero(told.ballots[:, FOR_IT])
    assert {row for row, (_, weight, _) in seen.items() if weight > 0} == set(voters.tolist())
    for row in voters:
        answer, weight, then = seen[row]
        assert answer == (told.ballots[row, FOR_IT] > 0)
        assert told.ballots[row, WEIGHT_NOW] == pytest.approx(weight, abs=1e-9)
        assert told.ballots[row, WEIGHT_THEN] == pytest.approx(then, abs=1e-9)


def test_a_motion_about_something_else_costs_nobody_a_vote():
    """Also those who walked out this month vote with this month's weight, and would have the same under the motion."""
    values = {
        "mechanisms.popular_pressure": 0.0, "mechanisms.leakage": 0.0, "governance.coordinate.delegated.agenda": 0.0,
        "coefficients.walk_out": 1.0, "governance.reform.motion_every": 1, "governance.reform.motion_threshold": 1.0,
    }  # fmt: skip
    scenario = load("collective_impact").with_values(values)
    after, _ = changed(scenario, 1, {"mechanisms.norms": 0.5}, "motion")
    key, events, out = key_of(1, 0), encode_events(after), np.empty((1, len(METRICS)))
    state = start(after, key)
    state = state._replace(vote=np.zeros((state.kind.size, len(VOTE))))
    gone = 0
    for month in range(48):
        state.vote[:] = 0.0
        run_months(state, events, key, month, out)
        voters = state.vote[:, FOR_IT] != 0.0
        np.testing.assert_allclose(state.vote[voters, WEIGHT_THEN], state.vote[voters, WEIGHT_NOW], atol=1e-12)
        gone += np.count_nonzero(voters & ~state.member & np.isin(state.kind, (RESIDENT, INSTITUTION)))
    assert gone > 0


def test_keeping_ballots_changes_no_number():
    after, _ = changed(load("community_led"), 5, BOLD, "motion")
    plain = rows_of(after, 40)
    state = start(after, key_of(1, 0))
    state = state._replace(vote=np.zeros((state.kind.size, len(VOTE))))
    rows = np.empty((40, len(METRICS)))
    run_months(state, encode_events(after), key_of(1, 0), 0, rows)
    np.testing.assert_array_equal(rows, plain[1:])


def test_a_vote_as_data_adds_up():
    after, position = changed(load("community_led"), 24, {RESIDENTS: 0.9}, "motion")
    told = as_data(vote(after, position, 1))
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert sum(bloc["weight"] for bloc in told["blocs"]) == pytest.approx(1.0)
    assert sum(bloc["weight_for"] for bloc in told["blocs"]) == pytest.approx(told["share"])
    assert sum(bloc["members"] for bloc in told["blocs"]) == told["voters"] == len(told["members"])
    weights = [member["weight"] for member in told["members"]]
    assert weights == sorted(weights, reverse=True)
    for member in told["members"]:
        if member["reason"] != "habit":
            best = max(member["terms"], key=lambda name: member["terms"][name] * (1 if member["for"] else -1))
            assert member["reason"] == best


def test_those_who_lose_say_are_moved_by_it_against():
    """Institutions that would lose nearly all their votes, in a vote that weighs loss alone."""
    scenario = load("community_led").with_values({"mechanisms.popular_pressure": 0.0})
    after, position = changed(
        scenario, 24, {"governance.decide.votes.institutions": 0.0, "governance.decide.votes.residents": 0.9}, "motion"
    )
    told = as_data(vote(after, position, 1))
    terms = {bloc["kind"]: bloc["terms"]["loss"] for bloc in told["blocs"]}
    assert terms["institution"] < 0.0 < terms["resident"]


@pytest.mark.parametrize(
    ("about", "key"), [("nothing", "room.whatif.never_nothing"), ("no_votes", "room.whatif.never_no_votes")]
)
def test_a_motion_that_rules_forbid_is_never_put(about, key):
    scenario = load("community_led").with_values({"governance.reform.motions_about": about})
    after, position = changed(scenario, 3, BOLD, "motion")
    told = vote(after, position, 1)
    assert told.month is None
    assert told.why_not == key


@pytest.mark.parametrize(
    ("month", "values", "said"),
    [
        (120, BOLD, "no month before the end"),
        (-1, BOLD, "no month before the end"),
        (3, {}, "nothing is changed"),
        (3, {RESIDENTS: 0.1}, "already"),
        (3, {RESIDENTS: 7}, "Votes of residents"),
        (3, {"community.residents": 9}, "cannot change during a run"),
        (3, {"governance.decide.budget_min.organizing": 0.9}, "budget"),
    ],
)
def test_what_cannot_be_asked_is_said(month, values, said):
    with pytest.raises(LeverError, match=said):
        changed(load("collective_impact"), month, values, "motion")
