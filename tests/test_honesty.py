"""The model cannot know which side a reader hopes for: rules and attributes act, names, kinds and words do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from worlds import (
    COLUMN,
    NO_GAINS,
    a_third,
    advance,
    do,
    duplicate,
    fixed_budget,
    histories,
    history,
    key_of,
    log_of,
    plain,
    same,
    shipped,
)

from cej_sim import reading
from cej_sim.phases.advocate import advocate
from cej_sim.phases.contend import contend
from cej_sim.phases.convene import convene
from cej_sim.phases.coordinate import coordinate
from cej_sim.phases.decide import decide
from cej_sim.phases.deliberate import deliberate
from cej_sim.phases.evaluate import evaluate
from cej_sim.phases.experience import experience
from cej_sim.phases.fund import fund
from cej_sim.phases.organize import organize
from cej_sim.phases.reform import reform
from cej_sim.phases.serve import serve
from cej_sim.population import populate
from cej_sim.scenario import Group, Issue, Scenario, encode_events
from cej_sim.state import BACKBONE, COALITION, COORDINATION, EVALUATION, INSTITUTION, RESIDENT, TRAINING, State

SHIPPED = sorted(reading.shipped())

# Names


@pytest.mark.parametrize("name", a_third(SHIPPED))
def test_words_change_nothing(name):
    """Other name, label and description, same rules: every bit of every array is the same after ten years."""
    scenario = shipped(name)
    renamed = replace(scenario, name="community_led_equity", label="Justice", description="Residents lead and own.")
    assert renamed.hash() == scenario.hash()
    rows, state = history(scenario)
    rows_renamed, state_renamed = history(renamed)
    assert rows_renamed.tobytes() == rows.tobytes()
    assert same(state, state_renamed) == []


def test_words_of_a_file_change_nothing(tmp_path):
    rules = "extends: collective_impact\ngovernance: {convene: {naming: .4}, decide: {votes: {residents: .3}}}\n"
    (tmp_path / "a.yaml").write_text("schema_version: 1\nname: equity_first\nlabel: Led by residents\n" + rules)
    (tmp_path / "b.yaml").write_text("schema_version: 1\nname: b\ndescription: >-\n  A backbone decides.\n" + rules)
    a, b = (reading.load(tmp_path / f"{name}.yaml") for name in "ab")
    assert a.title != b.title
    assert a.hash() == b.hash() != reading.load("collective_impact").hash()
    assert history(a)[0].tobytes() == history(b)[0].tobytes()


def test_relabeled_is_collective_impact_in_every_column():
    for run in range(5):
        rows, state = history(shipped("collective_impact"), run=run)
        rows_relabeled, relabeled = history(shipped("relabeled"), run=run)
        assert rows_relabeled.tobytes() == rows.tobytes()
        assert same(state, relabeled) == []
        assert len(log_of(state))
    assert shipped("relabeled").title != shipped("collective_impact").title


# Kinds

#: What a state holds of each agent, besides who is stored in which row as which kind.
OF_AGENTS = (
    "active", "paid", "affected", "group", "neighborhood", "home", "perm", "draw_id", "exposure", "barrier", "mission",
    "stake", "threshold", "agency_base", "trust_base", "x", "x0", "belief", "agency", "consciousness", "skill", "trust",
    "openness", "resources", "fatigue", "grievance", "engagement", "member", "present", "came", "leader", "voice",
)  # fmt: skip
EXCHANGED_RULES = (
    ("convene_seats_residents", "convene_seats_institutions"),
    ("convene_residents_from", "convene_institutions_from"),
    ("decide_votes_residents", "decide_votes_institutions"),
)


def exchanged(state: State, other: np.ndarray) -> State:
    """The same world with each resident in the row and kind of an institution, and the other way round."""
    swapped = duplicate(state)
    for name in OF_AGENTS:
        getattr(swapped, name)[:] = getattr(state, name)[other]
    ends = [state.indices[state.indptr[i] : state.indptr[i + 1]] for i in other]
    weights = [state.tie[state.indptr[i] : state.indptr[i + 1]] for i in other]
    order = [np.argsort(other[end]) for end in ends]
    rules = swapped.rules[0]
    for one, two in EXCHANGED_RULES:
        rules[one], rules[two] = float(rules[two]), float(rules[one])
    return swapped._replace(
        indptr=np.concatenate([[0], np.cumsum([end.size for end in ends])]),
        indices=np.concatenate([other[end][o] for end, o in zip(ends, order, strict=True)]).astype(np.int32),
        tie=np.concatenate([weight[o] for weight, o in zip(weights, order, strict=True)]),
    )


@pytest.mark.parametrize("facilitation", [0.3, pytest.param(1.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize("counted", ["blocs", "one_member_one_vote"])
@pytest.mark.parametrize("rule", ["weighted_mean", "majority", "consensus", "delegated"])
@pytest.mark.parametrize("invitation", ["by_ties", "by_lot", "by_election", "one_to_one"])
def test_exchanged_world(invitation, rule, counted, facilitation):
    """As many residents as institutions: exchange all they are and the rules for them, and everything is exchanged."""
    many = 24
    groups = (Group("one", 0.5, 0.7, 0.1, 0.6), Group("two", 0.5, 0.4, 0.05, 0.65))
    scenario = plain({
        "community.residents": many, "community.institutions": many, "community.neighborhoods": 3,
        "governance.convene.invitation": invitation, "governance.convene.seats.residents": 0.6,
        "governance.convene.seats.institutions": 0.4, "governance.convene.residents_from": 2,
        "governance.convene.naming": 0.6, "governance.convene.agreement": 0.5, "governance.convene.table_cap": 23,
        "governance.decide.rule": rule, "governance.decide.votes.counted": counted,
        "governance.decide.votes.residents": 0.5, "governance.decide.votes.institutions": 0.4,
        "governance.decide.votes.backbone": 0.1, "governance.decide.tolerance": 0.4, "governance.decide.committee": 4,
        "governance.deliberate.facilitation": facilitation,
        **fixed_budget(coordination=0.3, supports=0.1), "governance.decide.budget_max.supports": 0.2,
    }, groups=groups)  # fmt: skip
    key = key_of(7)
    world = populate(scenario, key)
    other = np.arange(world.kind.size)
    other[: 2 * many] = np.roll(other[: 2 * many], many)
    mirror = exchanged(world, other)
    K = world.structural.size
    decided, seated = 0, 0
    for month in range(1, 25):
        for state in (world, mirror):
            for phase in (convene, deliberate, decide, experience):
                do(phase, state, key, month)
        for name in ("member", "present", "came"):
            np.testing.assert_array_equal(
                getattr(mirror, name)[other], getattr(world, name), f"{name} in month {month}"
            )
        for name in ("voice", "weight", "weight_budget", "agency", "trust", "consciousness", "x", "x0"):
            np.testing.assert_allclose(
                getattr(mirror, name)[other], getattr(world, name), rtol=0, atol=1e-11, err_msg=f"{name}, month {month}"
            )
        for name in ("decision", "commitment", "spend", "table_speed"):
            np.testing.assert_allclose(getattr(mirror, name), getattr(world, name), rtol=0, atol=1e-11, err_msg=name)
        for name in ("speed", "backlog", "hours_used", "money", "spent"):
            assert mirror.coalition[name][0] == pytest.approx(world.coalition[name][0], abs=1e-11)
        weight = 0.5 * (world.weight + world.weight_budget)
        if weight.any():
            theirs = weight[world.kind == INSTITUTION].sum() / weight.sum()
            assert mirror.coalition.resident_say[0] == pytest.approx(theirs, abs=1e-11)
            decided += 1
        seated += len(np.unique(world.kind[world.member])) == 3
    assert decided > 12
    assert seated > 12
    assert np.ptp(world.decision[:K]) > 1e-3


# Rules that cannot act

G, M, C, F = "governance.", "mechanisms.", "coefficients.", "funder."
NOTHING: dict = {}
#: A rule, two values of it, and the circumstances under which it has nothing to act on.
PLACEBOS = (
    (G + "convene.agreement", 0.0, 5.0, {G + "convene.invitation": "by_lot"}),
    (G + "convene.agreement", 0.0, 5.0, {G + "convene.invitation": "by_election"}),
    (G + "convene.agreement", 0.0, 5.0, {G + "convene.invitation": "one_to_one"}),
    (G + "convene.take_up", 0.0, 1.0, fixed_budget(coordination=0.2, organizing=0.2)),
    (G + "deliberate.radius", 0.0, 1.0, NOTHING),
    (G + "decide.tolerance", 0.0, 1.0, NOTHING),
    (G + "decide.committee", 1, 100, NOTHING),
    (G + "decide.commitment", 0.0, 1.0, {M + "commitments": 0.0}),
    (G + "decide.commitment_months", 1, 240, {G + "decide.commitment": 0.0}),
    (G + "decide.commitment_months", 1, 240, {M + "commitments": 0.0}),
    (G + "coordinate.delegated.agenda", 0.0, 1.0, {M + "control": 0.0}),
    (G + "coordinate.delegated.budget", 0.0, 1.0, {M + "control": 0.0}),
    (G + "coordinate.delegated.data", 0.0, 1.0, {M + "control": 0.0}),
    (G + "coordinate.delegated.hiring", 0.0, 1.0, {M + "control": 0.0}),
    (C + "control_growth", 0.0, 0.5, {M + "control": 0.0}),
    (G + "organize.focus", 0.0, 1.0, fixed_budget(coordination=0.2)),
    (G + "organize.autonomy", 0.0, 1.0, {M + "mobilization": 0.0}),
    (G + "advocate.allies", 0.0, 5.0, {G + "decide.strategy": 0.0, G + "decide.strategy_max": 0.0}),
    (G + "advocate.fear", 0.0, 1.0, {G + "decide.strategy": 0.0, G + "decide.strategy_max": 0.0, M + "insiders": 0.0}),
    (C + "insiders", 0.0, 40.0, {M + "insiders": 0.0}),
    (C + "ending", 0.0, 1.0, {M + "falling_apart": 0.0}),
    (G + "advocate.fear", 0.0, 1.0, {M + "fear": 0.0}),
    (G + "advocate.targeted", 0.0, 1.0, {C + "hazard": 0.0}),
    (C + "policy_lag", 1, 120, {C + "hazard": 0.0}),
    (C + "policy_impact", 0.0, 1.0, {C + "hazard": 0.0}),
    (C + "erosion", 0.0, 0.2, {C + "hazard": 0.0}),
    (C + "opposition", 0.0, 40.0, {M + "opposition": 0.0}),
    (C + "burnout", 0.0, 1.0, {M + "burnout": 0.0}),
    (C + "tiring", 0.0, 0.5, {M + "burnout": 0.0, M + "fatigue": 0.0}),
    (C + "lift", 0.0, 3.0, {M + "mobilization": 0.0}),
    (C + "challenge", 0.0, 5.0, {M + "contention": 0.0}),
    (C + "susceptibility", 0.0, 1.0, {M + "influence": 0.0}),
    (G + "evaluate.official_bias", 0.0, 1.0, {M + "measurement_bias": 0.0}),
    (G + "experience.claimed_say", 0.0, 1.0, {M + "rhetoric": 0.0}),
    (G + "reform.motion_by", "any_member", "residents", NOTHING),
    (G + "reform.motions_about", "anything", "nothing", NOTHING),
    (G + "reform.motion_every", 1, 1200, NOTHING),
    (G + "reform.motion_threshold", 0.0, 1.0, NOTHING),
    (F + "equity_priority", 0.0, 1.0, {M + "judgment": 0.0}),
    (F + "horizon", 0.0, 1.0, {M + "judgment": 0.0}),
    (F + "power_shift", 0.0, 1.0, {M + "judgment": 0.0}),
    (F + "readiness", 0.0, 1.0, {M + "judgment": 0.0}),
    (F + "tolerance", 0.0, 1.0, {M + "controversy": 0.0}),
    (C + "bar", 0.0, 1.0, {F + "cycle": 1200}),
)
VOTES = tuple(f"{G}decide.votes.{bloc}" for bloc in ("residents", "institutions", "backbone"))


def lively(values: dict) -> Scenario:
    """Ten years in which organizing, conflict, policies and renewals happen."""
    base = {
        "community.threshold": 0.4, C + "challenge": 3.0, C + "opposition": 1.0, F + "cycle": 12, C + "bar": 0.35,
        G + "evaluate.community_indicators": 0.5, C + "walk_out": 0.2,
    }  # fmt: skip
    return shipped("community_led", base | values)


def test_the_lively_world_is_lively():
    rows = histories(lively({}), 4)
    last = {name: rows[:, -1, column] for name, column in COLUMN.items()}
    assert last["policy_wins"].min() > 0
    assert last["challenges"].min() > 0
    assert last["institution_exits"].min() > 0
    assert rows[:, :, COLUMN["mobilized"]].max() > 0.1
    assert 0 < rows[:, 90, COLUMN["funded"]].mean() < 1


def words(value: object) -> str | None:
    """The texts among a test's parameters name it."""
    return value if isinstance(value, str) else None


@pytest.mark.parametrize("runs", [(0,), pytest.param((1, 2), marks=pytest.mark.slow)], ids=str)
@pytest.mark.parametrize(("path", "one", "two", "circumstances"), PLACEBOS, ids=words)
def test_placebo(path, one, two, circumstances, runs):
    """A rule that has nothing to act on leaves every bit of every column as it was."""
    worlds = [lively({**circumstances, path: value}) for value in (one, two)]
    for run in runs:
        first, second = (history(world, run=run)[0] for world in worlds)
        assert first.tobytes() == second.tobytes()


#: Placebos that act nowhere only for want of circumstances: with other ones they do.
@pytest.mark.parametrize(
    ("path", "one", "two", "circumstances"),
    [
        (G + "convene.agreement", 0.0, 5.0, {G + "convene.invitation": "by_ties"}),
        (G + "deliberate.radius", 0.2, 0.6, {G + "deliberate.influence": "bounded_confidence"}),
        (G + "decide.tolerance", 0.2, 0.6, {G + "decide.rule": "consensus"}),
        (G + "decide.committee", 1, 100, {G + "decide.rule": "delegated"}),
    ],
)
def test_the_same_rules_act_elsewhere(path, one, two, circumstances):
    first, second = (history(lively({**circumstances, path: value}))[0] for value in (one, two))
    assert np.abs(first - second).max() > 0.01


def test_votes_of_blocs_do_not_count_where_members_vote():
    for shares in ((1.0, 0.0, 0.0), (0.0, 0.5, 0.5)):
        by_head = {G + "decide.votes.counted": "one_member_one_vote"}
        given = history(lively(by_head | dict(zip(VOTES, shares, strict=True))))[0]
        assert given.tobytes() == history(lively(by_head))[0].tobytes()


# Nothing comes from nothing


def no_money(values: dict | None = None) -> dict:
    sources = (F + "grant", F + "contribution", G + "organize.outside", G + "advocate.allies")
    return {**dict.fromkeys(sources, 0.0), **(values or {})}


@pytest.mark.parametrize("name", a_third(SHIPPED))
def test_without_money_and_feedbacks_the_burden_stays(name):
    issues = (Issue("a", 0.0, 1.0), Issue("b", 0.3, 0.7), Issue("c", 0.71, 2.0), Issue("d", 1.0, 0.4))
    scenario = shipped(name, NO_GAINS | no_money(), issues=issues)
    rows, state = history(scenario)
    for column in ("burden", "worst_decile", "structural_level"):
        np.testing.assert_array_equal(rows[:, COLUMN[column]], 1.0)
    assert not rows[:, COLUMN["policy_wins"]].any()
    assert not rows[:, COLUMN["mobilized"]].any()
    assert (state.gap == 1.0).all()
    assert (state.driver == 1.0).all()


@pytest.mark.parametrize("name", ["collective_impact", "community_led"])
def test_only_money_or_people_lower_the_burden(name):
    """With all feedbacks but neither money nor paid time, only mobilized people can change something, by policies."""
    eager = {"community.threshold": 0.2, C + "opposition": 0.0, C + "emergence": 0.5, C + "lift": 3.0,
             M + "insiders": 0.0}  # fmt: skip
    rows = histories(shipped(name, no_money(eager)), 10)
    assert not rows[:, :, COLUMN["service_coverage"]].any()
    won = rows[:, -1, COLUMN["policy_wins"]] > 0.0
    assert 0 < won.sum() < 10
    assert (rows[won, -1, COLUMN["burden"]] < 1.0).all()
    np.testing.assert_array_equal(rows[~won, -1, COLUMN["burden"]], 1.0)


NO_CAMPAIGN = {
    G + "decide.strategy": 0.0, G + "decide.strategy_max": 0.0, M + "people_power": 0.0, M + "community_data": 0.0,
    M + "insiders": 0.0, G + "advocate.allies": 5.0,
}  # fmt: skip


@pytest.mark.parametrize("name", a_third(SHIPPED))
def test_no_campaign_no_policy(name):
    """However weak the opposition and however fast politics, nothing is won where nobody campaigns."""
    scenario = shipped(name, NO_CAMPAIGN | {M + "opposition": 0.0, C + "hazard": 0.5}, events=())
    for run in range(5):
        rows, state = history(scenario, run=run)
        assert not rows[:, COLUMN["policy_wins"]].any()
        assert not state.pressure.any()
        assert (state.driver == 1.0).all()


@pytest.mark.parametrize("channel", [
    {G + "decide.strategy": 0.2, G + "decide.strategy_max": 0.3},
    {M + "people_power": 1.0},
    {M + "community_data": 1.0},
    {M + "insiders": 1.0},
])  # fmt: skip
def test_each_campaign_alone_can_win(channel):
    values = NO_CAMPAIGN | {M + "opposition": 0.0, C + "hazard": 0.5} | channel
    assert history(shipped("community_led", values))[0][-1, COLUMN["policy_wins"]] > 0


# A world in which it cannot matter who decides


def null_world(values: dict) -> tuple[np.ndarray, State]:
    """Burden, disparity and decision of ten years (months, 2 + D) among agents alike in everything but their kind.

    What is spent is fixed line by line, nothing goes to the backbone's coordination (so that the size of a table
    cannot matter), renewal is sure, and a quorum is whoever comes. What follows from how many come, rather than from
    who decides, is off: contributions, insiders' own campaigns, and the end of coalitions to which few come.
    """
    fixed = {
        "community.spread": 0.0, G + "decide.meeting_hours": 4.0,
        **fixed_budget(organizing=0.1, supports=0.1, training=0.1, evaluation=0.1),
        G + "decide.strategy": 0.0, G + "decide.strategy_max": 0.0, G + "convene.quorum": 0.0,
        M + "situation": 0.0, M + "judgment": 0.0, F + "grant_end": 1200, F + "contribution": 0.0,
        M + "insiders": 0.0, M + "falling_apart": 0.0, G + "evaluate.community_indicators": 0.0,
    }  # fmt: skip
    scenario = plain(fixed | values)
    key = key_of(11)
    state = populate(scenario, key)
    K = state.structural.size
    for name, value in {
        "paid": True, "barrier": 0.0, "stake": 0.0, "mission": 0.0, "agency": 0.6, "agency_base": 0.6,
        "trust": 0.6, "trust_base": 0.6, "skill": 0.5, "consciousness": 0.3, "openness": 0.5, "resources": 0.3,
        "engagement": 0.85, "belief": 0.5, "threshold": 2.0, "exposure": 0.4,
    }.items():  # fmt: skip
        getattr(state, name)[:] = value
    state.group_exposure[:] = 0.4 * state.group_size[:, np.newaxis]
    state.group_barrier[:] = 0.0
    wanted = np.array([*np.arange(1.0, K + 1) / np.arange(1.0, K + 1).sum(), 0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.5])
    state.x[:] = state.x0[:] = wanted
    course = []
    for month in range(120):
        row = advance(scenario, state, key, 1, month)[1]
        course.append([row[COLUMN["burden"]], row[COLUMN["disparity_ratio"]], *state.decision])
    return np.array(course), state


WHO_DECIDES = (
    {VOTES[0]: 1.0, VOTES[1]: 0.0, VOTES[2]: 0.0},
    {VOTES[0]: 0.0, VOTES[1]: 0.0, VOTES[2]: 1.0},
    {G + "decide.votes.counted": "one_member_one_vote"},
    {G + "decide.rule": "majority"},
    {G + "decide.rule": "consensus"},
    {G + "decide.rule": "delegated", G + "decide.committee": 2},
    {G + "convene.seats.residents": 0.0},
    {G + "convene.seats.residents": 0.4, G + "convene.seats.institutions": 0.0},
    {G + "convene.residents_from": 1200},
    {G + "convene.invitation": "by_lot"},
    {G + "convene.invitation": "by_election"},
    {G + "convene.invitation": "one_to_one"},
    {G + "coordinate.delegated.agenda": 1.0, C + "control_growth": 0.5},
)


@pytest.mark.parametrize(
    "values", WHO_DECIDES, ids=lambda values: " ".join(f"{path}={values[path]}" for path in values)
)
def test_null_world(values):
    """Among people alike, who decides changes neither the agenda nor the burden."""
    usual, state = null_world({})
    other, state_other = null_world(values)
    # Same decisions, by other people.
    assert not np.array_equal(state.weight, state_other.weight)
    assert usual[-1, 0] < 0.9
    assert np.ptp(usual[-1, 2:8]) > 0.1
    np.testing.assert_allclose(other, usual, rtol=0, atol=1e-11)


def test_the_null_world_is_special():
    """In a world of differing people the same changes do move agenda and burden."""
    moved = []
    for values in WHO_DECIDES:
        usual, other = (history(plain(some), months=60) for some in ({}, values))
        moved.append(np.abs(usual[1].decision - other[1].decision).max())
        moved.append(np.abs(usual[0] - other[0])[:, COLUMN["burden"]].max())
    assert min(moved) > 1e-4


# Gains: at 0 a feedback is exactly absent

Change = Callable[[State], object]
#: A month after the lively one's third year, in which the grant is up for renewal.
MONTH = 36


def nothing(state: State) -> None:
    """Change nothing."""


def put(name: str, value: object, where: int | slice = slice(None)) -> Change:
    return lambda s: getattr(s, name).__setitem__(where, value)


def on_residents(name: str, value: object) -> Change:
    return lambda s: getattr(s, name).__setitem__(s.kind == RESIDENT, value)


def flip(name: str) -> Change:
    return lambda s: np.logical_not(getattr(s, name), out=getattr(s, name))


def turn(name: str) -> Change:
    return lambda s: getattr(s, name).__setitem__(slice(None), np.roll(getattr(s, name), 1, axis=0))


def rule(name: str, value: float) -> Change:
    return lambda s: s.rules.__setitem__(name, value)


def fact(name: str, value: float) -> Change:
    return lambda s: s.coalition.__setitem__(name, value)


def weaker_ties(s: State) -> None:
    s.tie[:] *= 0.5


def all_say_to_the_backbone(s: State) -> None:
    for weight in (s.weight, s.weight_budget):
        weight[:] = s.kind == BACKBONE


def one_loud_voice(s: State) -> None:
    s.voice[np.flatnonzero(s.present)[0]] = 100.0


def nobody_emerges_or_burns_out(s: State) -> None:
    s.rules["coefficients_emergence"] = s.rules["coefficients_burnout"] = 0.0


def frail(s: State) -> None:
    s.rules["coefficients_ending"] = 1.0


def a_close_vote(s: State) -> None:
    s.openness[:], s.belief[:], s.mobilized[:] = 0.4, 0.8, False


#: Mechanism, phase, a change of the state before that phase, what the change may reach only by the mechanism, and what
#: is arranged in both worlds because other mechanisms would carry it, too.
CHANNELS = (
    ("naming", convene, rule("convene_naming", 0.0), ("member", "present"), nothing),
    ("naming", contend, rule("convene_naming", 0.0), ("engagement", "grievance"), nothing),
    ("company", convene, put("present", True), ("present",), nothing),
    ("influence", deliberate, weaker_ties, ("x", "origin"), nothing),
    ("meeting", deliberate, flip("present"), ("tie",), nothing),
    ("leakage", decide, put("voice", 1.0), ("weight", "weight_budget", "decision"), nothing),
    ("slowness", decide, rule("decide_meeting_hours", 1.0), ("table_speed", "decision", "backlog"), nothing),
    ("commitments", serve, turn("commitment"), ("gap", "resources"), nothing),
    ("commitments", advocate, turn("commitment"), ("pressure",), nothing),
    ("control", coordinate, fact("backlog", 0.9), ("control",), nothing),
    ("learning_by_doing", coordinate, put("spend", 4.0, COORDINATION), ("skill",), nothing),
    ("learning_by_doing", coordinate, flip("present"), ("skill",), nothing),
    ("inverse_care", serve, put("group_barrier", 0.0), ("gap",), nothing),
    ("steering", serve, fact("affected_say", 0.9), ("gap", "steering"), nothing),
    ("lived_knowledge", serve, put("exposure", 0.01), ("fit", "gap"), nothing),
    ("service_contact", serve, turn("draw_id"), ("agency", "trust", "skill"), nothing),
    ("providers", serve, turn("home"), ("resources",), nothing),
    ("fear", serve, rule("advocate_fear", 1.0), ("structural_effort", "gap"), nothing),
    ("one_to_ones", organize, turn("draw_id"), ("agency", "consciousness", "trust", "skill", "tie"),
     nobody_emerges_or_burns_out),
    ("snowflake", organize, flip("leader"), ("agency", "consciousness"), nobody_emerges_or_burns_out),
    ("burnout", organize, rule("coefficients_burnout", 1.0), ("leader", "agency"), nothing),
    ("mobilization", organize, put("threshold", 0.0), ("mobilized",), nothing),
    ("fatigue", organize, on_residents("fatigue", 1.0), ("mobilized",), nobody_emerges_or_burns_out),
    ("people_power", advocate, flip("mobilized"), ("pressure",), nothing),
    ("insiders", advocate, put("belief", 1.0), ("pressure",), nothing),
    ("insiders", fund, put("belief", 1.0), ("money",), nothing),
    ("community_data", advocate, rule("evaluate_community_indicators", 0.0), ("pressure",), nothing),
    ("opposition", advocate, put("stake", 1.0), ("opposition", "survival"), nothing),
    ("norms", advocate, flip("mobilized"), ("norm",), nothing),
    ("contention", contend, flip("mobilized"), ("challenges", "controversy", "openness", "grievance", "x"), nothing),
    ("cuts", contend, flip("mobilized"), ("x", "x0"), nothing),
    ("cuts", contend, fact("organizing_before", 0.9), ("boldness",), fact("boldness", 1.0)),
    ("training", contend, put("spend", 5.0, TRAINING), ("openness",), nothing),
    ("grievance", contend, all_say_to_the_backbone, ("grievance",), nothing),
    ("grievance", contend, put("grievance", 2.0), ("member",), nothing),
    ("evaluation", evaluate, put("spend", 5.0, EVALUATION), ("belief",), nothing),
    ("measurement_bias", evaluate, rule("evaluate_official_bias", 1.0), ("belief",), nothing),
    ("corrections", evaluate, put("spend", 5.0, EVALUATION), ("fit",), nothing),
    ("judgment", fund, fact("seen", -1.0), ("funded",), nothing),
    ("judgment", fund, put("grievance", 2.0), ("funded",), nothing),
    ("controversy", fund, fact("controversy", 40.0), ("funded",), nothing),
    ("falling_apart", fund, put("present", False), ("alive", "end_reason"), frail),
    ("power_loss", reform, one_loud_voice, ("event_done",), a_close_vote),
    ("popular_pressure", reform, on_residents("mobilized", True), ("event_done",), a_close_vote),
    ("being_heard", experience, all_say_to_the_backbone, ("agency", "trust"), nothing),
    ("being_heard", experience, flip("present"), ("agency", "trust"), nothing),
    ("rhetoric", experience, rule("experience_claimed_say", 1.0), ("trust",), nothing),
    ("situation", experience, put("gap", 0.2), ("x0",), nothing),
)  # fmt: skip


@pytest.fixture(scope="module")
def third_year() -> State:
    """The lively world just before the month in which the channels are tried, in the middle of a wave."""
    world = lively({G + "convene.naming": 1.0, C + "emergence": 0.06})
    states = (history(world, 3, run, MONTH - 1)[1] for run in range(100))
    return next(s for s in states if s.coalition.funded[0] and s.mobilized.sum() > 5 and s.leader.sum() > 5)


def read(state: State, name: str) -> bytes:
    return (state.coalition[name] if name in COALITION else getattr(state, name)).tobytes()


def test_every_mechanism_has_a_channel():
    assert {M + channel[0] for channel in CHANNELS} == set(NO_GAINS)


@pytest.mark.parametrize(("name", "phase", "change", "reached", "arranged"), CHANNELS, ids=words)
def test_a_gain_of_0_is_exactly_absent(third_year, name, phase, change, reached, arranged):
    """What a mechanism carries does not arrive at gain 0, not by a single bit; at gain 1 it does."""
    motion = encode_events(shipped("converted_by_motion"))
    motion.month[:] = 1
    arrived = {gain: set() for gain in (0.0, 1.0)}
    for gain, found in arrived.items():
        for run in range(40):
            worlds = []
            for change_it in (nothing, change):
                state = duplicate(third_year)
                state.rules["mechanisms_" + name] = gain
                arranged(state)
                change_it(state)
                do(phase, state, key_of(8, run), MONTH, motion)
                worlds.append(state)
            found.update(field for field in reached if read(worlds[0], field) != read(worlds[1], field))
    assert arrived[0.0] == set()
    assert arrived[1.0] == set(reached)


def unchanged(*names: str) -> Callable[[np.ndarray, State, State], None]:
    def check(rows: np.ndarray, before: State, after: State) -> None:
        assert [name for name in names if getattr(before, name).tobytes() != getattr(after, name).tobytes()] == []

    return check


def always(value: float, *columns: str) -> Callable[[np.ndarray, State, State], None]:
    def check(rows: np.ndarray, before: State, after: State) -> None:
        for column in columns:
            np.testing.assert_array_equal(rows[:, COLUMN[column]], value, column)

    return check


def funded_to_the_end(rows: np.ndarray, before: State, after: State) -> None:
    np.testing.assert_array_equal(rows[:, COLUMN["funded"]], np.arange(len(rows)) < 96)


def leaders_stay(rows: np.ndarray, before: State, after: State) -> None:
    assert (np.diff(rows[:, COLUMN["resident_leaders"]]) >= 0.0).all()
    assert rows[-1, COLUMN["resident_leaders"]] > 0.0


def all_or_nothing_is_decided(rows: np.ndarray, before: State, after: State) -> None:
    assert set(rows[1:, COLUMN["decision_speed"]]) <= {0.0, 1.0}


def ideas_stay_at_home(rows: np.ndarray, before: State, after: State) -> None:
    np.testing.assert_array_equal(after.origin, (after.kind == RESIDENT).astype(float))


#: Gains at 0 together, and what that leaves as it was through ten years.
ABSENT = (
    (("meeting", "one_to_ones"), unchanged("tie")),
    (("influence", "situation", "cuts"), unchanged("x0")),
    (("influence",), ideas_stay_at_home),
    (("evaluation",), unchanged("belief")),
    (("training", "contention"), unchanged("openness")),
    (("providers",), unchanged("resources")),
    (("commitments",), unchanged("resources")),
    (("learning_by_doing", "one_to_ones", "service_contact"), unchanged("skill")),
    (("norms",), unchanged("norm")),
    (("opposition",), unchanged("opposition")),
    (("mobilization",), always(0.0, "mobilized", "challenges")),
    (("contention",), always(0.0, "challenges", "controversy")),
    (("control",), always(0.0, "backbone_control")),
    (("slowness",), all_or_nothing_is_decided),
    (("burnout", "falling_apart"), leaders_stay),
    (("judgment",), funded_to_the_end),
    (("evaluation", "corrections", "lived_knowledge", "measurement_bias"), unchanged("belief")),
)


@pytest.mark.parametrize(
    ("names", "check"), ABSENT, ids=lambda value: "+".join(value) if isinstance(value, tuple) else ""
)
def test_what_is_absent_for_ten_years(names, check):
    for gain in (0.0, 1.0):
        world = lively({M + name: gain for name in names})
        failed = 0
        for run in range(4):
            key = key_of(9, run)
            before = populate(world, key)
            after = duplicate(before)
            rows = advance(world, after, key)
            try:
                check(rows, before, after)
            except AssertionError:
                failed += 1
        assert (failed > 0) == (gain > 0.0)


# Size

#: What a state counts, rather than shares or averages.
OF_SIZE = ("group_size", "group_exposure", "worst_exposure", "spend")
SCALARS_OF_SIZE = ("money", "residents", "affected", "institutions", "burden_start", "worst_start")


def replicated(state: State, copies: int) -> State:
    """Copies of a world of one table, their luck included, each with its own table, under one backbone and one roof."""
    n = state.kind.size
    sources, block = [], []
    for kind in np.unique(state.kind):
        rows = np.flatnonzero(state.kind == kind)
        times = 1 if kind == BACKBONE else copies
        sources.append(np.tile(rows, times))
        block.append(np.repeat(np.arange(times), rows.size))
    source, copy = np.concatenate(sources), np.concatenate(block)
    place = np.empty((n, copies), np.int64)
    place[source, copy] = np.arange(source.size)
    place[state.kind == BACKBONE] = place[state.kind == BACKBONE][:, :1]
    arrays = {
        name: np.ascontiguousarray(array[source]) if array.shape[:1] == (n,) else array.copy()
        for name, array in state._asdict().items()
    }
    ends = np.repeat(np.arange(n), np.diff(state.indptr))
    one, two, strength = place[ends].T.ravel(), place[state.indices].T.ravel(), np.tile(state.tie, copies)
    order = np.lexsort((two, one))
    hoods, local = state.held_in.size - 1, arrays["neighborhood"]
    table = np.where(state.kind[source] == BACKBONE, -1, copy)
    seated = np.flatnonzero(table >= 0)
    arrays |= {
        "indptr": np.concatenate([[0], np.cumsum(np.bincount(one, minlength=source.size))]),
        "indices": two[order].astype(np.int32), "tie": strength[order],
        "neighborhood": np.where(local >= 0, local + hoods * copy, -1).astype(np.int32),
        "held_in": np.zeros(copies * hoods + 1, np.int64), "table": table.astype(np.int32),
        "table_agents": seated[np.argsort(table[seated], kind="stable")].astype(np.int32),
        "table_start": np.arange(copies + 1) * (n - 1), "table_share": np.full(copies, 1.0 / copies),
        "table_residents": np.tile(state.table_residents, copies),
        "table_institutions": np.tile(state.table_institutions, copies),
        "table_speed": np.zeros(copies), "table_decided": np.zeros(copies, np.bool_),
        "targets": np.zeros((copies, state.decision.size)), "log": np.zeros((copies * len(state.log), 4), np.int32),
    }  # fmt: skip
    for name in OF_SIZE:
        arrays[name] = arrays[name] * copies
    whole = duplicate(State(**arrays))
    for name in SCALARS_OF_SIZE:
        whole.coalition[name] *= copies
    whole.rules["funder_grant"] *= copies
    return whole


@pytest.mark.parametrize("rule", ["weighted_mean", "majority", "consensus", "delegated"])
@pytest.mark.parametrize("invitation", ["by_ties", "by_lot", "by_election"])
@pytest.mark.parametrize("name", ["collective_impact", "community_led"])
def test_copies_with_the_same_luck_are_the_same(name, invitation, rule):
    """Everything is per head, a mean or a share: copies of one world, with the very same draws, give its numbers.

    What a table draws for itself is left out: whether there is a challenge, and fractions of recruits and conversations
    (of which there are twelve while the one organizer is paid in full).
    """
    copies = 5
    one_organizer = {"budget.organizing": 0.25, "budget_min.organizing": 0.25, "budget_max.organizing": 0.3}
    scenario = shipped(name, {
        "community.organizers": 1, "community.tables": 1, G + "convene.invitation": invitation, G + "decide.rule": rule,
        G + "serve.recruit": 0.0, M + "contention": 0.0, C + "hazard": 0.2, C + "opposition": 1.0,
        F + "grant_end": 1200, M + "judgment": 0.0,
        **{f"{G}decide.{path}": share for path, share in one_organizer.items()},
    })  # fmt: skip
    key = key_of(13)
    one = populate(scenario, key)
    many = replicated(one, copies)
    rows, rows_many = (advance(scenario, state, key, 72) for state in (one, many))
    rows_many[:, COLUMN["institution_exits"]] /= copies
    assert rows[:, COLUMN["institution_exits"]].max() > 0.0
    for column, of_name in enumerate(COLUMN):
        np.testing.assert_allclose(rows_many[:, column], rows[:, column], rtol=0, atol=1e-8, err_msg=of_name)


def times(scenario: Scenario, copies: int) -> Scenario:
    """As many people, organizations, tables and as much money as that many copies have."""
    counts = ("community.residents", "community.institutions", "community.organizers", F + "grant")
    return scenario.with_values({"community.tables": copies, **{path: copies * scenario[path] for path in counts}})


#: Means over people and tables, which luck cannot bend.
STRAIGHT = (
    "decision_share", "agenda_origin", "budget_origin", "power_gini", "resident_attendance", "affected_attendance",
    "resident_members", "affected_members", "resident_leaders", "institution_exits", "mobilized", "resident_agency",
    "trust", "openness", "institution_engagement", "resident_hours", "backbone_control", "backlog", "decision_speed",
    "grievance",
)  # fmt: skip
#: Roots, products and distances of such means: averaging over ten tables takes luck out of them, and moves them.
CURVED = ("burden", "worst_decile", "service_coverage", "program_fit", "belief_error", "agenda_congruence")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["collective_impact", "community_led"])
def test_ten_copies_are_one_copy_within_sampling_error(name):
    """Ten disjoint copies of a community, each with its own table, against as many single ones, with other seeds.

    Standard errors of the difference of two independent means; 4 of them are passed by chance once in 200 such tables.
    The months lie before the first renewal: from then on most of the variance is whether there is a grant. Likewise
    nothing falls apart here, since ten copies in one coalition share its fate; see the next test.
    """
    copies, runs, months = 10, 40, (6, 12, 24, 36)
    scenario = shipped(name, {"community.tables": 1, "mechanisms.falling_apart": 0.0})
    one = histories(scenario, copies * runs, seed=100)[:, months, :]
    ten = histories(times(scenario, copies), runs, seed=200, disjoint=True)[:, months, :]
    ten[:, :, COLUMN["institution_exits"]] /= copies
    difference = ten.mean(axis=0) - one.mean(axis=0)
    error = np.sqrt(one.var(axis=0, ddof=1) / len(one) + ten.var(axis=0, ddof=1) / len(ten))
    for metric in STRAIGHT:
        column = COLUMN[metric]
        assert error[-1, column] > 0.0
        assert (np.abs(difference[:, column]) <= 4.0 * error[:, column]).all(), (metric, difference[:, column])
    for metric in CURVED:
        column = COLUMN[metric]
        assert (np.abs(difference[:, column]) + 2.0 * error[:, column] < 0.02).all(), (metric, difference[:, column])


@pytest.mark.slow
def test_ten_copies_fall_apart_like_one():
    """The chance to fall apart is one of means and shares: a coalition of ten tables ends as soon as one of one table.

    Endings are made likely, so that there is something to see; 4 standard errors of the difference, as above.
    """
    values = {"community.tables": 1, "coefficients.ending": 0.1, "mechanisms.judgment": 0.0}
    scenario = shipped("coalition_action_theory", values)
    alive = COLUMN["alive"]
    one = histories(scenario, 300, seed=100)[:, 24, alive]
    ten = histories(times(scenario, 10), 60, seed=200, disjoint=True)[:, 24, alive]
    assert 0.1 < one.mean() < 0.9
    error = np.sqrt(one.var(ddof=1) / len(one) + ten.var(ddof=1) / len(ten))
    assert abs(ten.mean() - one.mean()) <= 4.0 * error
