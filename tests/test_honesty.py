"""The model cannot know which side a reader hopes for: rules and attributes act, names, kinds and words do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from worlds import (
    COLUMN,
    LINES,
    METRIC,
    NO_GAINS,
    SMALL,
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
from cej_sim.metrics import NAMES
from cej_sim.month import RULES
from cej_sim.phases.convene import convene
from cej_sim.phases.decide import decide
from cej_sim.phases.deliberate import deliberate
from cej_sim.phases.experience import experience
from cej_sim.population import populate
from cej_sim.scenario import Group, Issue, Scenario
from cej_sim.state import INSTITUTION, RESIDENT, State

SHIPPED = sorted(reading.shipped())

# Names


@pytest.mark.parametrize("name", SHIPPED)
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


@pytest.mark.parametrize("facilitation", [0.3, 1.0])
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
            np.testing.assert_array_equal(getattr(mirror, name)[other], getattr(world, name), f"{name} in month {month}")
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
        seated += (world.member & (world.kind == RESIDENT)).any() and (world.member & (world.kind == INSTITUTION)).any()
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
    (G + "advocate.fear", 0.0, 1.0, {G + "decide.strategy": 0.0, G + "decide.strategy_max": 0.0}),
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
    (G + "reform.motion_by", "any_member", "backbone", NOTHING),
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
        G + "evaluate.community_indicators": 0.5,
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


@pytest.mark.parametrize(("path", "one", "two", "circumstances"), PLACEBOS, ids=lambda value: value if isinstance(value, str) else None)
def test_placebo(path, one, two, circumstances):
    """A rule that has nothing to act on leaves every bit of every column as it was."""
    worlds = [lively({**circumstances, path: value}) for value in (one, two)]
    for run in range(3):
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
        values = {G + "decide.votes.counted": "one_member_one_vote", **dict(zip(VOTES, shares, strict=True))}
        assert history(lively(values))[0].tobytes() == history(lively({G + "decide.votes.counted": "one_member_one_vote"}))[0].tobytes()


# Nothing comes from nothing


def no_money(values: dict | None = None) -> dict:
    return {F + "grant": 0.0, F + "contribution": 0.0, G + "organize.outside": 0.0, G + "advocate.allies": 0.0, **(values or {})}


@pytest.mark.parametrize("name", SHIPPED)
def test_without_money_and_feedbacks_the_burden_stays(name):
    issues = tuple(Issue(f"issue {k}", structural, severity) for k, (structural, severity) in enumerate([(0.0, 1.0), (0.3, 0.7), (0.71, 2.0), (1.0, 0.4)]))  # fmt: skip
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
    """With all feedbacks but no money from anywhere, only mobilized people can change something, by policies alone."""
    eager = {"community.threshold": 0.2, C + "opposition": 0.0, C + "emergence": 0.5, C + "lift": 3.0}
    rows = histories(shipped(name, no_money(eager)), 10)
    assert not rows[:, :, COLUMN["service_coverage"]].any()
    won = rows[:, -1, COLUMN["policy_wins"]] > 0.0
    assert 0 < won.sum() < 10
    assert (rows[won, -1, COLUMN["burden"]] < 1.0).all()
    np.testing.assert_array_equal(rows[~won, -1, COLUMN["burden"]], 1.0)


NO_CAMPAIGN = {
    G + "decide.strategy": 0.0, G + "decide.strategy_max": 0.0, M + "people_power": 0.0, M + "community_data": 0.0,
    G + "advocate.allies": 5.0,
}  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED)
def test_no_campaign_no_policy(name):
    """However weak the opposition and however fast politics, nothing is won where nobody campaigns."""
    scenario = shipped(name, NO_CAMPAIGN | {M + "opposition": 0.0, C + "hazard": 0.5}, events=())
    for run in range(5):
        rows, state = history(scenario, run=run)
        assert not rows[:, COLUMN["policy_wins"]].any()
        assert not state.pressure.any()
        assert (state.driver == 1.0).all()


@pytest.mark.parametrize("channel", [
    {G + "decide.strategy": 0.2, G + "decide.strategy_max": 0.3}, {M + "people_power": 1.0}, {M + "community_data": 1.0},
])  # fmt: skip
def test_each_campaign_alone_can_win(channel):
    values = NO_CAMPAIGN | {M + "opposition": 0.0, C + "hazard": 0.5} | channel
    assert history(shipped("community_led", values))[0][-1, COLUMN["policy_wins"]] > 0


# A world in which it cannot matter who decides


def null_world(values: dict, nobody_is_paid: bool = False) -> tuple[np.ndarray, State]:
    """Ten years among agents who are alike in everything but their kind.

    What is spent is fixed line by line, nothing goes to the backbone's coordination (so that the size of a table
    cannot matter), renewal is sure, and a quorum is whoever comes.
    """
    fixed = {
        "community.spread": 0.0, G + "decide.meeting_hours": 4.0,
        **fixed_budget(organizing=0.1, supports=0.1, training=0.1, evaluation=0.1),
        G + "decide.strategy": 0.0, G + "decide.strategy_max": 0.0, G + "convene.quorum": 0.0,
        M + "situation": 0.0, M + "judgment": 0.0, F + "grant_end": 1200, F + "contribution": 0.0,
        G + "evaluate.community_indicators": 0.0,
    }  # fmt: skip
    scenario = plain(fixed | values)
    key = key_of(11)
    state = populate(scenario, key)
    K = state.structural.size
    for name, value in {
        "paid": not nobody_is_paid, "barrier": 0.0, "stake": 0.0, "mission": 0.0, "agency": 0.6, "agency_base": 0.6, "trust": 0.6,
        "trust_base": 0.6, "skill": 0.5, "consciousness": 0.3, "openness": 0.5, "resources": 0.3, "engagement": 0.85,
        "belief": 0.5, "threshold": 2.0, "exposure": 0.4,
    }.items():  # fmt: skip
        getattr(state, name)[:] = value
    state.group_exposure[:] = 0.4 * state.group_size[:, np.newaxis]
    state.group_barrier[:] = 0.0
    wanted = np.concatenate([np.arange(1.0, K + 1) / np.arange(1.0, K + 1).sum(), [0.0], [0.1, 0.1, 0.1, 0.1, 0.1, 0.5]])
    state.x[:] = state.x0[:] = wanted
    agendas = []
    rows = []
    for month in range(120):
        rows.append(advance(scenario, state, key, 1, month)[1])
        agendas.append(state.decision.copy())
    return np.hstack([np.array(rows)[:, [COLUMN["burden"], COLUMN["disparity_ratio"]]], np.array(agendas)]), state


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


@pytest.mark.parametrize("values", WHO_DECIDES, ids=lambda values: " ".join(f"{path.split('.', 1)[1]}={value}" for path, value in values.items()))
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
        moved.append((np.abs(usual[1].decision - other[1].decision).max(), np.abs(usual[0] - other[0])[:, COLUMN["burden"]].max()))
    assert (np.array(moved) > 1e-4).all()
