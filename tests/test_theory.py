"""Results of the literature, through the model's own phases rather than beside them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from worlds import SMALL, advance, callable_from_python, do, fixed_budget, history, key_of, plain, shipped

from cej_sim import metrics, power
from cej_sim.network import build_csr
from cej_sim.phases import deliberate, organize
from cej_sim.phases.decide import PACE
from cej_sim.phases.deliberate import INERTIA
from cej_sim.population import populate
from cej_sim.processor import EIGHT
from cej_sim.scenario import Group, Scenario
from cej_sim.state import EVALUATION, INSTITUTION, ORGANIZING, RESIDENT, State, Ties

influence = callable_from_python(deliberate.influence)
mobilize = callable_from_python(organize.mobilize)
table_gini = callable_from_python(metrics.table_gini)

# Influence


class Circle:
    """Agents who only influence each other: everybody is active and nobody is at a meeting."""

    def __init__(self, ties: Ties, x: np.ndarray, openness: float | np.ndarray = 1.0, kind: np.ndarray | None = None):
        n = len(x)
        self.kind = np.full(n, INSTITUTION, np.int8) if kind is None else kind
        self.everybody, self.nobody = np.ones(n, np.bool_), np.zeros(n, np.bool_)
        self.voice = np.ones(n)
        self.openness = np.broadcast_to(np.asarray(openness, float), n).copy()
        self.width = np.shape(x)[1]
        times = -(-EIGHT // self.width)  # influence works on eight entries or more, and on each alone
        self.x0 = np.ascontiguousarray(np.tile(x, times), float)
        self.x = self.x0.copy()
        self.origin = (self.kind == RESIDENT).astype(float)
        self.said = np.empty((n, self.x.shape[1] + 3))
        self.ties = ties

    def talk(self, rounds: int, theta: float = 1.0, inertia: float = 0.0, radius: float = -1.0) -> np.ndarray:
        for _ in range(rounds):
            influence(
                theta, inertia, radius, self.kind, self.everybody, self.nobody, self.voice, self.openness,
                self.x, self.x0, self.said, self.origin, *self.ties,
            )  # fmt: skip
        np.testing.assert_array_equal(self.x, np.tile(self.x[:, : self.width], self.x.shape[1] // self.width))
        return self.x[:, : self.width]


def complete(n: int) -> Ties:
    source, target = np.triu_indices(n, 1)
    return build_csr(n, source, target, np.ones(source.size))


def dense(ties: Ties) -> np.ndarray:
    """The listening matrix W: rows of sum 1, self-weight 1 before scaling."""
    n = ties.indptr.size - 1
    weights = csr_array((ties.weight, ties.indices, ties.indptr), shape=(n, n)).toarray() + np.eye(n)
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("leaves", [2, 7, 60])
@pytest.mark.parametrize(("hub_self", "leaf_self"), [(0.5, 0.5), (0.2, 0.9), (0.9, 0.6), (0.75, 0.99)])
@pytest.mark.parametrize("inertia", [0.0, INERTIA])
def test_degroot_star(leaves, hub_self, leaf_self, inertia):
    """DeGroot (1974): however many leaves a star has, its hub holds (1 - b) / ((1 - a) + (1 - b)) of the consensus."""
    star = build_csr(leaves + 1, np.zeros(leaves, int), np.arange(1, leaves + 1), np.ones(leaves))
    star.weight[:leaves] = (1.0 / hub_self - 1.0) / leaves  # the hub's own row
    star.weight[leaves:] = 1.0 / leaf_self - 1.0
    kind = np.full(leaves + 1, INSTITUTION, np.int8)
    kind[0] = RESIDENT
    circle = Circle(star, np.eye(leaves + 1)[:, :1], kind=kind)
    held = (1.0 - leaf_self) / ((1.0 - hub_self) + (1.0 - leaf_self))
    np.testing.assert_allclose(circle.talk(12_000, inertia=inertia), held, atol=1e-9)
    np.testing.assert_allclose(circle.origin, held, atol=1e-9)  # the tracer of ideas says the same
    matrix = dense(star)
    assert matrix[0, 0] == pytest.approx(hub_self)
    assert power.social_power(matrix, np.ones(leaves + 1))[0] == pytest.approx(held)


@pytest.mark.parametrize("family", ["neighborhoods", "small_world", "stochastic_blocks", "preferential_attachment"])
def test_french_power_is_proportional_to_degree_plus_one(family):
    """French (1956): with equal weights on oneself and each tie, consensus weighs all by their ties plus one."""
    state = populate(plain({**SMALL, "network.generate": family}), key_of(3))
    ties = Ties(state.indptr, state.indices, np.ones_like(state.tie))
    n = state.kind.size
    graph = csr_array((ties.weight, ties.indices, ties.indptr), shape=(n, n))
    count, part = connected_components(graph, directed=False)
    assert np.bincount(part).max() > 0.8 * n
    degree = np.diff(state.indptr)
    assert degree.max() > 3 * degree[degree > 0].min()
    x = Circle(ties, state.x0).talk(6000)
    for one in range(count):
        inside = part == one
        weights = (degree[inside] + 1.0) / (degree[inside] + 1.0).sum()
        expected = np.broadcast_to(weights @ state.x0[inside], x[inside].shape)
        np.testing.assert_allclose(x[inside], expected, atol=1e-10)


def meeting(seed: int = 5) -> State:
    """A community in the middle of a meeting: a third of the people present, voices unequal, ties fixed."""
    values = {"mechanisms.meeting": 0.0, "coefficients.susceptibility": 0.9, "governance.deliberate.facilitation": 0.4}
    state = populate(plain({**SMALL, **values}), key_of(seed))
    state.present[:] = state.active & (np.arange(state.kind.size) % 3 == 0)
    state.x[:] = np.roll(state.x0, 7, axis=0)  # a start far from the convictions
    return state


def test_friedkin_johnsen_equilibrium_of_opinions_and_of_ideas():
    """Friedkin and Johnsen (1990): x = (I - Theta W)^-1 (I - Theta) x0; the tracer of ideas obeys the same matrix."""
    state = meeting()
    for _ in range(400):
        do(deliberate.deliberate, state)
    n = state.kind.size
    listening = np.eye(n)
    for i in range(n):
        for e in range(state.indptr[i], state.indptr[i + 1]):
            j = state.indices[e]
            if state.active[j]:
                listening[i, j] = state.tie[e] * (state.voice[j] if state.present[i] and state.present[j] else 1.0)
    listening /= listening.sum(axis=1, keepdims=True)
    theta = np.diag(0.9 * (0.5 + 0.5 * state.openness))
    total_effects = np.linalg.solve(np.eye(n) - theta @ listening, np.eye(n) - theta)
    active = state.active
    assert np.ptp(state.voice[state.present]) > 0.2
    np.testing.assert_allclose((total_effects @ state.x0)[active], state.x[active], atol=1e-12)
    np.testing.assert_allclose((total_effects @ (state.kind == RESIDENT))[active], state.origin[active], atol=1e-12)
    assert np.ptp(state.origin[(state.kind == RESIDENT)]) > 0.05


@pytest.mark.parametrize(("radius", "clusters"), [(0.20, 1), (0.19, 3)])
def test_hegselmann_krause(radius, clusters):
    """Hegselmann and Krause (2002): 501 even opinions end in consensus at radius .20 and in three camps at .19."""
    circle = Circle(complete(501), np.linspace(0.0, 1.0, 501)[:, np.newaxis])
    ended = circle.talk(200, radius=radius).copy()
    np.testing.assert_array_equal(circle.talk(1, radius=radius), ended)
    camps = np.sort(ended[:, 0])
    assert 1 + (np.diff(camps) > 1e-6).sum() == clusters
    assert camps.mean() == pytest.approx(0.5, abs=1e-9)


# Mobilization


def crowd(needed: np.ndarray, values: dict | None = None) -> State:
    """A hundred residents who all know each other equally well; each acts when so many of the others do."""
    values = {
        "community.residents": 100, "community.institutions": 1, "community.organizers": 0,
        "coefficients.lift": 0.0, "coefficients.tiring": 0.0, **(values or {}),
    }  # fmt: skip
    state = populate(plain(values), key_of(1))
    n = state.kind.size
    source, target = np.triu_indices(100, 1)
    ties = build_csr(n, source, target, np.full(source.size, 0.7))
    state = state._replace(indptr=ties.indptr, indices=ties.indices, tie=ties.weight)
    state.threshold[:100] = needed / 99.0
    return state


def acting_after(state: State, months: int) -> list[int]:
    acting = []
    for month in range(1, months + 1):
        do(organize.organize, state, month=month)
        acting.append(int(state.mobilized.sum()))
    return acting


def test_granovetter_everybody_acts():
    """Granovetter (1978): with thresholds 0, 1, ... 99 all act in the end; the phase goes four rounds a month."""
    assert acting_after(crowd(np.arange(100)), 26) == [min(100, 4 * month) for month in range(1, 27)]


def test_granovetter_one_person_changed():
    """... and with the one person of threshold 1 at 2 instead, one acts and nobody follows."""
    needed = np.arange(100)
    needed[1] = 2
    assert acting_after(crowd(needed), 26) == [1] * 26


def test_granovetter_order_and_strength_of_ties_do_not_matter():
    needed = np.random.default_rng(4).permutation(100)
    state = crowd(needed)
    state.tie[:] *= 0.3
    assert acting_after(state, 26)[-1] == 100


@given(st.lists(st.integers(0, 12), min_size=10, max_size=10))
@settings(max_examples=50)
def test_mobilization_ends_at_the_first_crossing(needed):
    """Those act in the end whom the ones already acting carry along, one after the other."""
    n = 10
    ties = complete(n)
    thresholds = np.array(needed) / (n - 1)
    mobilized, scratch = np.zeros(n, np.bool_), [np.empty(n), np.empty(n), np.zeros(n, np.bool_)]
    none = np.zeros(n)
    for _ in range(5):
        mobilize(1.0, 0.0, 0.0, 0.0, n, none, none, thresholds, none.copy(), mobilized, *scratch, *ties)
    acting: set[int] = set()
    while True:
        grown = {i for i in range(n) if len(acting - {i}) >= needed[i]}
        if grown == acting:
            break
        acting = grown
    assert set(np.flatnonzero(mobilized)) == acting


# Inequality of say


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=60))
def test_gini_of_a_table_is_the_gini_index(weights):
    total = sum(weights)
    listed = np.array(weights) / total if total > 0.0 else np.array(weights)
    scratch = np.concatenate([listed, [9.0, 9.0]])  # what lies behind the members must not count
    assert table_gini(scratch, listed.size) == pytest.approx(power.gini(listed), abs=1e-12)


def test_gini_of_known_distributions():
    assert table_gini(np.array([0.0, 0.0, 0.0, 1.0]), 4) == 0.75
    assert table_gini(np.full(7, 0.3), 7) == pytest.approx(0.0, abs=1e-15)
    assert table_gini(np.array([3.0, 1.0, 2.0]), 3) == pytest.approx(2.0 / 9.0)


# Where the agenda comes from


TRACED = ("weighted_mean", "majority", "consensus", "delegated")


@pytest.mark.parametrize("rule", TRACED)
@pytest.mark.parametrize("form", ["friedkin_johnsen", "bounded_confidence"])
@pytest.mark.parametrize("name", ["collective_impact", "community_led"])
def test_ideas_move_by_the_weights_that_move_views(name, form, rule):
    """What only residents want shows in views and agenda exactly as far as the tracer says that these are theirs."""
    wanted = 0.3
    scenario = shipped(name, {
        "governance.decide.rule": rule, "governance.decide.committee": 15, "governance.decide.tolerance": 0.5,
        "governance.deliberate.influence": form, "governance.deliberate.radius": 0.6, "community.tables": 2,
        "governance.decide.strategy": 0.0, "governance.decide.strategy_max": 1.0,
        "governance.convene.residents_from": 3, "mechanisms.situation": 0.0,
        **fixed_budget(), "governance.decide.budget_max.evaluation": 1.0,
    })  # fmt: skip
    key = key_of(2)
    state = populate(scenario, key)
    K = state.structural.size
    residents = state.kind == RESIDENT
    # Only residents want any policy and any evaluation.
    for wants in (state.x, state.x0):
        wants[:, K] = wanted * residents
        wants[:, K + 1 :] = 0.0
        wants[:, K + 1 + EVALUATION] = wanted * residents
        wants[:, -1] = 1.0 - wanted * residents
    for month in range(60):
        advance(scenario, state, key, 1, month)
        active = state.active
        np.testing.assert_allclose(state.x[active, K], wanted * state.origin[active], atol=1e-12)
        assert state.decision[K] == pytest.approx(wanted * state.coalition.agenda_origin[0], abs=1e-12)
        assert state.decision[K + 1 + EVALUATION] == pytest.approx(wanted * state.budget_origin[EVALUATION], abs=1e-12)
    assert 0.01 < state.coalition.agenda_origin[0] < 0.99
    assert state.origin[active & ~residents].max() > 0.0
    assert state.origin[residents].min() < 1.0


def residents_alone(**more: float) -> Scenario:
    """Residents, whom nothing keeps away, decide everything from the first month."""
    values = {
        **SMALL, "community.organizers": 0, "governance.convene.seats.institutions": 0.0,
        "governance.convene.seats.residents": 0.8, "governance.convene.quorum": 0.0,
        "governance.decide.votes.residents": 1.0, "governance.decide.votes.institutions": 0.0,
        "governance.decide.votes.backbone": 0.0, "mechanisms.leakage": 0.0, "mechanisms.control": 0.0,
        "mechanisms.influence": 0.0, "mechanisms.falling_apart": 0.0,
    }  # fmt: skip
    groups = (Group("some", 0.5, 0.7, 0.0, 0.8), Group("others", 0.5, 0.3, 0.0, 0.8))
    return plain(values | more, groups=groups)


def test_agenda_of_residents_alone_is_theirs_but_for_what_the_start_holds():
    scenario = residents_alone()
    key = key_of(4)
    state = populate(scenario, key)
    start = 1.0
    for month in range(60):
        advance(scenario, state, key, 1, month)
        start *= 1.0 - PACE * state.coalition.speed[0]
        assert state.coalition.agenda_origin[0] == pytest.approx(1.0 - start, abs=1e-12)
    assert start < 1e-3


@pytest.mark.parametrize("rule", TRACED)
def test_agenda_without_residents_is_never_theirs(rule):
    scenario = plain({
        **SMALL, "governance.convene.seats.residents": 0.0, "mechanisms.influence": 0.0, "governance.decide.rule": rule,
        "governance.decide.tolerance": 1.0,
    })  # fmt: skip
    state = history(scenario, months=40)[1]
    assert state.coalition.agenda_origin[0] == 0.0
    assert not state.budget_origin.any()
    assert state.coalition.speed[0] > 0.0
    assert np.ptp(state.decision[: state.structural.size]) > 0.01


def test_what_a_bound_fixes_is_nobodys_idea():
    most = {"governance.decide.budget_max.organizing": 0.02, "governance.decide.budget.organizing": 0.01}
    state = history(residents_alone(**most), months=40)[1]
    wants = state.x[(state.kind == RESIDENT) & state.present, state.structural.size + 1 :]
    assert wants[:, ORGANIZING].mean() > 0.05
    assert state.decision[state.structural.size + 1 + ORGANIZING] == 0.02
    assert state.budget_origin[ORGANIZING] == 0.0
    assert state.budget_origin[EVALUATION] > 0.9
