"""Networks: what the generators promise, what imports refuse, and that nobody's ties depend on who else is there."""

from __future__ import annotations

import csv
import hashlib
import itertools
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cej_sim import network, network_files
from cej_sim.draws import run_key
from cej_sim.network import build, build_csr
from cej_sim.network_files import NetworkError, export, imported_counts, read_network, to_networkx
from cej_sim.scenario import NETWORK_FAMILIES, NetworkFile, Scenario, defaults
from cej_sim.state import BACKBONE, INSTITUTION, KINDS, ORGANIZER, RESIDENT, Ties

ROOT = Path(__file__).resolve().parents[1]
KEY = int(run_key(1, 0))
REAL = 0.02  # between the strength of latent ties and that of the weakest real tie


class Community(NamedTuple):
    kind: np.ndarray
    neighborhood: np.ndarray
    group: np.ndarray
    barrier: np.ndarray
    draw_id: np.ndarray


def community(residents=120, institutions=12, backbones=1, organizers=2, neighborhoods=None, groups=2) -> Community:
    """Rows and identities as the starting population has them: an identity does not depend on who else is there."""
    counts = (residents, institutions, backbones, organizers)
    others = sum(counts[1:])
    homes = max(1, residents // 20) if neighborhoods is None else neighborhoods
    draws = np.random.default_rng(5)
    none = np.full(others, -1)
    return Community(
        np.repeat(np.arange(4), counts).astype(np.int8),
        np.r_[np.arange(residents) * homes // max(residents, 1), none].astype(np.int32),
        np.r_[draws.integers(0, groups, residents), none].astype(np.int16),
        np.r_[draws.random(residents), np.zeros(others)],
        np.concatenate([number * 2**30 + np.arange(count) for number, count in enumerate(counts)]).astype(np.uint32),
    )


def scenario(file: NetworkFile | None = None, **values) -> Scenario:
    given = {f"network.{name}": value for name, value in values.items()}
    return replace(Scenario("test", defaults()).with_values(given), network_file=file)


def dense(ties: Ties) -> np.ndarray:
    n = ties.indptr.size - 1
    matrix = np.zeros((n, n))
    matrix[np.repeat(np.arange(n), np.diff(ties.indptr)), ties.indices] = ties.weight
    return matrix


def ends(ties: Ties) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    source = np.repeat(np.arange(ties.indptr.size - 1), np.diff(ties.indptr))
    return source, ties.indices, ties.weight


def fingerprint(ties: Ties) -> str:
    return hashlib.sha256(b"".join(part.tobytes() for part in ties)).hexdigest()


def check_rows(ties: Ties) -> None:
    """What every network must be: symmetric, ascending, without loops or repeats, strengths in (0, 1]."""
    source, target, weight = ends(ties)
    assert ties.indptr[0] == 0
    assert ties.indptr[-1] == ties.indices.size == ties.weight.size
    assert (np.diff(ties.indptr) >= 0).all()
    assert (source != target).all()
    inner = source[1:] == source[:-1]
    assert (np.diff(target)[inner] > 0).all()
    assert ((weight > 0) & (weight <= 1)).all()
    there = np.lexsort((target, source))
    back = np.lexsort((source, target))
    assert (source[there] == target[back]).all()
    assert (target[there] == source[back]).all()
    assert (weight[there] == weight[back]).all()


def friends(people: Community, ties: Ties) -> tuple[np.ndarray, np.ndarray]:
    """Both directions of the real ties among residents."""
    source, target, weight = ends(ties)
    kept = (people.kind[source] == RESIDENT) & (people.kind[target] == RESIDENT) & (weight > REAL)
    return source[kept], target[kept]


def between(people: Community, ties: Ties, first: int, second: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ties from agents of one kind to agents of another."""
    source, target, weight = ends(ties)
    kept = (people.kind[source] == first) & (people.kind[target] == second)
    return source[kept], target[kept], weight[kept]


def named(people: Community, ties: Ties, without: set[int]) -> dict[tuple[int, int], float]:
    """Ties by the identities of their ends, but for those of some agents."""
    source, target, weight = ends(ties)
    a, b = people.draw_id[source].tolist(), people.draw_id[target].tolist()
    return {(i, j): w for i, j, w in zip(a, b, weight.tolist(), strict=True) if i not in without and j not in without}


# --- Compressed rows


@st.composite
def tie_lists(draw):
    n = draw(st.integers(1, 12))
    agents = st.integers(0, n - 1)
    strengths = st.floats(0, 1) | st.just(0.0)
    return n, draw(st.lists(st.tuples(agents, agents, strengths), max_size=60))


@given(tie_lists())
@settings(max_examples=150)
def test_rows_hold_the_strongest_of_each_pair(case):
    n, ties = case
    expected = np.zeros((n, n))
    for a, b, strength in ties:
        if a != b:
            expected[a, b] = expected[b, a] = max(expected[a, b], strength)
    source, target, weight = (np.array([tie[i] for tie in ties]) for i in range(3))
    built = build_csr(n, source, target, weight)
    check_rows(built)
    assert (dense(built) == expected).all()
    assert (built.indptr.dtype, built.indices.dtype, built.weight.dtype) == (np.int64, np.int32, np.float64)
    again = build_csr(n, target[::-1], source[::-1], weight[::-1])
    assert fingerprint(again) == fingerprint(built)


def test_long_rows_are_sorted():
    """A hub, tied to all others in any order and some of them twice."""
    leaves = np.random.default_rng(1).permutation(np.arange(1, 5001))
    source, target = np.r_[np.zeros(5000, int), leaves[:100]], np.r_[leaves, np.zeros(100, int)]
    built = build_csr(5001, source, target, np.r_[leaves / 5000, np.zeros(50), np.ones(50)])
    check_rows(built)
    assert built.indices[:5000].tolist() == list(range(1, 5001))
    expected = np.arange(1, 5001) / 5000
    expected[leaves[50:100] - 1] = 1.0
    assert (built.weight[:5000] == expected).all()


@pytest.mark.parametrize(
    ("ties", "words"),
    [
        (([0], [3], [0.5]), "agent 3; there are agents 0 to 2"),
        (([-1], [0], [0.5]), "agent -1"),
        (([0], [1], [1.5]), "from 0 to 1"),
        (([0], [1], [-0.5]), "from 0 to 1"),
        (([0], [1], [np.nan]), "from 0 to 1"),
        (([0, 1], [1], [0.5]), "do not match"),
    ],
)
def test_rows_refuse_what_is_no_tie(ties, words):
    with pytest.raises(ValueError, match=words):
        build_csr(3, *ties)


# --- Families


@pytest.mark.parametrize("family", NETWORK_FAMILIES)
@pytest.mark.parametrize("degree", [0.0, 0.8, 5.0, 6.7, 20.0])
def test_mean_degree_is_what_the_scenario_says(family, degree):
    people = community(residents=2000)
    source, _ = friends(people, build(scenario(generate=family, degree=degree), *people, KEY))
    deviation = np.sqrt(2 * degree / 2000)  # of the mean of a random graph of this degree
    assert source.size / 2000 == pytest.approx(degree, abs=4 * deviation)


@pytest.mark.parametrize("local", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("family", ["neighborhoods", "stochastic_blocks"])
def test_share_of_ties_at_home_is_local(family, local):
    people = community(residents=3000, neighborhoods=75)
    source, target = friends(people, build(scenario(generate=family, local=local), *people, KEY))
    at_home = (people.neighborhood[source] == people.neighborhood[target]).mean()
    assert at_home == pytest.approx(local, abs=4 * np.sqrt(local * (1 - local) / 9000))


@pytest.mark.parametrize("homophily", [0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("family", ["neighborhoods", "stochastic_blocks"])
def test_homophily_thins_ties_between_groups(family, homophily):
    """With two groups of one size a tie crosses with odds of (1 - homophily) to 1."""
    people = community(residents=4000, neighborhoods=40)
    source, target = friends(people, build(scenario(generate=family, homophily=homophily), *people, KEY))
    crossing = (people.group[source] != people.group[target]).mean()
    expected = (1 - homophily) / (2 - homophily)
    assert crossing == pytest.approx(expected, abs=0.015)


def test_homophily_orders_the_ring_of_a_small_world():
    people = community(residents=3000, neighborhoods=30)
    crossing = []
    for homophily in (0.0, 1.0):
        made = build(scenario(generate="small_world", homophily=homophily), *people, KEY)
        source, target = friends(people, made)
        crossing.append((people.group[source] != people.group[target]).mean())
    assert crossing[0] == pytest.approx(0.5, abs=0.03)
    assert crossing[1] < 0.2


def graph_of(people: Community, ties: Ties) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from(np.flatnonzero(people.kind == RESIDENT).tolist())
    graph.add_edges_from(zip(*(end.tolist() for end in friends(people, ties)), strict=True))
    return graph


def mean_distance(graph: nx.Graph) -> float:
    """Steps between agents, from twenty of them."""
    steps = [d for one in range(20) for d in nx.single_source_shortest_path_length(graph, one).values()]
    return float(np.mean(steps))


def test_families_keep_their_promises():
    """Small worlds cluster at short distances; preferential attachment has hubs; a random graph has neither."""
    people = community(residents=1500, neighborhoods=1)
    made = {
        family: graph_of(people, build(scenario(generate=family, local=0.9, homophily=0.0), *people, KEY))
        for family in NETWORK_FAMILIES
    }
    like = nx.gnm_random_graph(1500, made["small_world"].number_of_edges(), seed=1)
    assert nx.transitivity(made["small_world"]) > 20 * nx.transitivity(like)
    assert mean_distance(made["small_world"]) < 1.7 * mean_distance(like)
    degrees = {family: np.array([d for _, d in graph.degree()]) for family, graph in made.items()}
    hubs = degrees["preferential_attachment"]
    assert hubs.max() > 8 * hubs.mean()
    for family in set(NETWORK_FAMILIES) - {"preferential_attachment"}:
        assert degrees[family].max() < 4 * degrees[family].mean()
    # Hubs are not simply the first rows.
    assert np.argmax(hubs) > 50
    # In a power law of exponent 3 the share above d falls as d**-2.
    tail = [(hubs >= d).mean() for d in (6, 12, 24)]
    assert 2.5 < tail[0] / tail[1] < 6
    assert 2.5 < tail[1] / tail[2] < 8


def family_part(n: int, homes: int, large: bool, degree: float = 6.0, run: int = 0) -> network._Family:
    draws = np.random.default_rng(run)
    home = np.sort(draws.integers(0, homes, n))
    home = np.unique(home, return_inverse=True)[1]
    group = draws.integers(0, 2, n).astype(np.int16)
    who = np.arange(n, dtype=np.uint32)
    return network._Family(np.uint64(run_key(7, run)), who, home, group, degree, 0.7, 0.6, large)


def measures(family: str, part: network._Family) -> np.ndarray:
    """Mean degree, its deviation, largest hub, clustering, shares at home and within the group, path length."""
    source, target = network._FAMILIES[family][0](part)
    graph = nx.Graph(zip(source.tolist(), target.tolist(), strict=True))
    graph.add_nodes_from(range(part.who.size))
    degrees = np.array([d for _, d in graph.degree()], float)
    return np.array(
        [
            degrees.mean(),
            degrees.std(),
            np.sort(degrees)[-20:].mean(),
            nx.transitivity(graph),
            (part.home[source] == part.home[target]).mean(),
            (part.group[source] == part.group[target]).mean(),
            mean_distance(graph),
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("degree", [6.0, 7.3])
@pytest.mark.parametrize("family", ["small_world", "stochastic_blocks", "preferential_attachment"])
def test_own_generators_agree_with_networkx(family, degree):
    """Over ten graphs of each, every measure differs by no more than chance allows."""
    own, theirs = (
        np.array([measures(family, family_part(1200, 60, large, degree, run)) for run in range(10)])
        for large in (True, False)
    )
    difference = np.abs(own.mean(0) - theirs.mean(0))
    error = np.sqrt((own.var(0, ddof=1) + theirs.var(0, ddof=1)) / 10)
    assert (difference <= 4.5 * error + 0.003 * theirs.mean(0)).all(), (own.mean(0), theirs.mean(0), error)


def test_sparse_random_ties_leave_the_expected_number_of_pairs():
    """The chance just below and just above the border between drawing pairs and going through them."""
    who = np.arange(1500, dtype=np.uint32)
    pairs = 1500 * 1499 / 2
    for chance in (0.0310, 0.0315):
        source, target = network._random_ties(np.uint64(KEY), who, chance, 9)
        found = build_csr(1500, source, target, np.ones(source.size))
        assert found.indices.size / 2 == pytest.approx(pairs * chance, abs=4 * np.sqrt(pairs * chance))


@pytest.mark.parametrize("family", NETWORK_FAMILIES)
@pytest.mark.parametrize(
    "shape",
    [
        {"residents": 1},
        {"residents": 2},
        {"residents": 5},
        {"residents": 8, "institutions": 1, "organizers": 0},
        {"residents": 60, "neighborhoods": 60},
        {"residents": 60, "neighborhoods": 1},
        {"residents": 61, "neighborhoods": 30, "groups": 20},
        {"residents": 0},
        {"institutions": 0},
        {"residents": 1, "institutions": 1, "backbones": 0, "organizers": 0},
    ],
    ids=str,
)
def test_odd_communities_have_sound_networks(family, shape):
    people = community(**shape)
    residents = int((people.kind == RESIDENT).sum())
    for values in ({}, {"degree": 50.0, "homophily": 1.0, "local": 1.0}, {"degree": 1.3, "local": 0.0}):
        made = build(scenario(generate=family, **values), *people, KEY)
        check_rows(made)
        source, _ = friends(people, made)
        if residents - 1 <= values.get("degree", 6.0):
            assert source.size == residents * (residents - 1)


#: The ends of the bounds, and numbers that vanish beside 1 or beside the number of pairs.
ENDS = (0.0, 5e-324, 1e-157, 1e-17, 1e-15, 1e-6, 1.0 - 2.0**-53, 1.0)


@pytest.mark.parametrize("residents", [2, 35, pytest.param(120, marks=pytest.mark.slow)])
@pytest.mark.parametrize("family", NETWORK_FAMILIES)
@pytest.mark.parametrize("large", [False, True], ids=["by networkx", "by our own"])
def test_vanishing_numbers_make_sound_networks(family, large, residents, monkeypatch):
    monkeypatch.setattr(network, "LARGE", 1 if large else 10**6)
    people = community(residents=residents)
    for degree in (*ENDS, 1.0 + 2.0**-52, 50.0 - 2.0**-47, 50.0):
        for local, homophily in ((0.8, 0.4), *itertools.product((0.0, 1e-17, 1.0), repeat=2)):
            made = build(scenario(generate=family, degree=degree, local=local, homophily=homophily), *people, KEY)
            check_rows(made)
            if degree < 1e-9:
                assert friends(people, made)[0].size == 0


def test_residents_without_neighborhood_are_tied_elsewhere():
    people = community(residents=300)
    people.neighborhood[:100] = -1
    source, target = friends(people, build(scenario(), *people, KEY))
    assert np.bincount(source, minlength=300)[:100].mean() > 3
    assert ((people.neighborhood[source] < 0) & (people.neighborhood[target] < 0)).sum() < source.size / 4


def test_small_neighborhoods_fill_up_and_the_rest_goes_elsewhere():
    people = community(residents=900, neighborhoods=300)
    source, target = friends(people, build(scenario(degree=6.0, local=0.9), *people, KEY))
    at_home = people.neighborhood[source] == people.neighborhood[target]
    assert source.size / 900 == pytest.approx(6.0, abs=0.2)
    assert at_home.sum() / 900 == pytest.approx(2.0, abs=0.05)


# --- Chance


@pytest.mark.parametrize("family", NETWORK_FAMILIES)
def test_same_key_same_bytes(family):
    people = community()
    made = [fingerprint(build(scenario(generate=family), *people, run_key(3, run))) for run in (0, 1, 0)]
    assert made[0] == made[2] != made[1]


@pytest.mark.parametrize("family", NETWORK_FAMILIES)
@pytest.mark.parametrize(
    "more", [{"organizers": 3}, {"institutions": 13}, {"institutions": 40, "organizers": 9}], ids=str
)
def test_newcomers_change_no_tie_among_the_others(family, more):
    few, many = community(), community(**more)
    new = set(many.draw_id.tolist()) - set(few.draw_id.tolist())
    before, after = (build(scenario(generate=family), *people, KEY) for people in (few, many))
    assert new
    assert named(few, before, set()) == named(many, after, new)
    assert len(named(many, after, set())) > len(named(few, before, set()))


def test_generator_state_of_others_is_neither_used_nor_touched():
    people = community(residents=200)
    made = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002  the global generator is what is watched here
        before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
        made.append([fingerprint(build(scenario(generate=family), *people, KEY)) for family in NETWORK_FAMILIES])
        assert before == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    assert made[0] == made[1]


def test_large_worlds_do_without_networkx(monkeypatch):
    people = community(residents=200)
    for family in NETWORK_FAMILIES[1:]:
        monkeypatch.setattr(network, "LARGE", 201)
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "networkx", None)
            with pytest.raises(ImportError):
                build(scenario(generate=family), *people, KEY)
            patch.setattr(network, "LARGE", 200)
            check_rows(build(scenario(generate=family), *people, KEY))


UNCOMPILED = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
from test_network import KEY, NETWORK_FAMILIES, build, community, fingerprint, network, scenario
for network.LARGE in (10, 1000):
    for family in NETWORK_FAMILIES:
        print(fingerprint(build(scenario(generate=family, degree=4.5), *community(residents=40), KEY)))
"""


def test_plain_python_builds_the_same_network(monkeypatch):
    code = UNCOMPILED.format(root=str(ROOT), tests=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = []
    for large in (10, 1000):
        monkeypatch.setattr(network, "LARGE", large)
        expected += [
            fingerprint(build(scenario(generate=family, degree=4.5), *community(residents=40), KEY))
            for family in NETWORK_FAMILIES
        ]
    assert done.stdout.split() == expected


# --- The other layers


@pytest.mark.parametrize(
    ("institutions", "degree"), [(1, 5.0), (2, 5.0), (4, 5.0), (12, 5.0), (60, 5.0), (60, 4.3), (30, 0.0)]
)
def test_institutions_have_the_mean_number_of_partners(institutions, degree):
    people = community(residents=10, institutions=institutions)
    source, _, _ = between(people, build(scenario(institution_degree=degree), *people, KEY), INSTITUTION, INSTITUTION)
    expected = min(degree, institutions - 1)
    assert source.size / institutions == pytest.approx(expected, abs=2 / institutions)


def test_being_an_early_institution_is_a_small_privilege():
    people = community(residents=10, institutions=60)
    degrees = np.zeros(60)
    for run in range(20):
        source, _, _ = between(people, build(scenario(), *people, run_key(1, run)), INSTITUTION, INSTITUTION)
        degrees += np.bincount(source - 10, minlength=60) / 20
    assert degrees.max() < 1.5 * degrees.mean()


def test_backbone_is_tied_to_every_institution():
    people = community()
    _, target, weight = between(people, build(scenario(), *people, KEY), BACKBONE, INSTITUTION)
    assert target.tolist() == np.flatnonzero(people.kind == INSTITUTION).tolist()
    assert (weight > REAL).all()


def test_clients_are_as_many_as_said_and_latent_ties_come_on_top():
    people = community(residents=4000, institutions=400)
    source, _, weight = between(people, build(scenario(clients=3.4), *people, KEY), INSTITUTION, RESIDENT)
    real = np.bincount(source[weight > REAL] - 4000, minlength=400)
    latent = np.bincount(source[weight < REAL] - 4000, minlength=400)
    assert set(real.tolist()) == {3, 4}
    assert real.mean() == pytest.approx(3.4, abs=4 * np.sqrt(0.24 / 400))
    assert (latent == network.LATENT_CLIENTS).all()


def test_institutions_know_those_with_few_barriers():
    people = community(residents=4000, institutions=400)
    met = []
    for homophily in (0.0, 0.5, 1.0):
        made = build(scenario(homophily=homophily, clients=10.0), *people, KEY)
        _, target, weight = between(people, made, INSTITUTION, RESIDENT)
        met.append(people.barrier[target[weight > REAL]].mean())
        # Latent ties lead to anybody.
        assert people.barrier[target[weight < REAL]].mean() == pytest.approx(0.5, abs=0.03)
    # Barriers are uniform on [0, 1] and a resident is kept with probability 1 - h b: the mean is (3 - 2 h) / (6 - 3 h).
    expected = [(3 - 2 * h) / (6 - 3 * h) for h in (0.0, 0.5, 1.0)]
    assert met == pytest.approx(expected, abs=0.02)


def test_few_residents_are_clients_of_everybody():
    people = community(residents=4, institutions=6)
    _, target, weight = between(people, build(scenario(clients=10.0), *people, KEY), INSTITUTION, RESIDENT)
    assert target.size == 24
    assert (weight > REAL).all()


@pytest.mark.parametrize("residents", [1, 120, 500, 501, 3000])
def test_organizers_reach_everybody_up_to_a_bound(residents):
    people = community(residents=residents, institutions=2, organizers=3)
    source, target, weight = between(people, build(scenario(), *people, KEY), ORGANIZER, RESIDENT)
    per_organizer = np.bincount(source - residents - 3)
    assert per_organizer.tolist() == [min(residents, network.ORGANIZER_REACH)] * 3
    assert (weight == network.LATENT).all()
    if residents == 3000:
        # From all over the community, and not the same people.
        first, second = (set(target[source == row].tolist()) for row in (residents + 3, residents + 4))
        assert np.mean(sorted(first)) == pytest.approx(1500, abs=100)
        assert len(first & second) < 250


def test_residents_have_latent_ties_in_the_neighborhood_only():
    people = community(residents=2000)
    source, target, weight = between(people, build(scenario(), *people, KEY), RESIDENT, RESIDENT)
    latent = weight < REAL
    assert (weight[latent] == network.LATENT).all()
    assert (people.neighborhood[source[latent]] == people.neighborhood[target[latent]]).all()
    assert latent.sum() / 2000 == pytest.approx(2 * network.LATENT_NEIGHBORS, abs=0.05)


@pytest.mark.parametrize("strength", [0.0, 0.2, 0.4, 0.93, 1.0])
def test_strengths_spread_about_the_mean(strength):
    people = community(residents=2000)
    weight = build(scenario(tie_strength=strength), *people, KEY).weight
    real = weight[weight > REAL]
    mean = max(strength, network.WEAKEST)
    assert real.mean() == pytest.approx(mean, abs=0.004)
    assert real.min() >= network.WEAKEST
    assert real.max() <= 1.0
    assert np.abs(real - mean).max() <= network.SPREAD + 1e-12
    if 0.2 < strength < 0.8:
        assert real.std() == pytest.approx(network.SPREAD / np.sqrt(3), rel=0.03)


@pytest.mark.parametrize("family", NETWORK_FAMILIES)
def test_blocks_are_not_tied_to_each_other(family):
    people = community(residents=1000, institutions=50, organizers=5, neighborhoods=37)
    block = np.full(people.kind.size, -1, np.int32)
    block[:1000] = np.arange(1000) % 5  # across neighborhoods
    block[1000:1050] = np.arange(50) % 5
    block[-2] = 3  # one organizer belongs to a block, the others and the backbone to all
    made = build(scenario(generate=family), *people, KEY, block)
    check_rows(made)
    source, target, _ = ends(made)
    bound = (block[source] >= 0) & (block[target] >= 0)
    assert (block[source] == block[target])[bound].all()
    counts = np.bincount(friends(people, made)[0], minlength=1000)
    for one in range(5):
        assert counts[block[:1000] == one].mean() == pytest.approx(6.0, abs=0.6)
    assert between(people, made, BACKBONE, INSTITUTION)[0].size == 50
    assert np.bincount(between(people, made, ORGANIZER, RESIDENT)[0])[1051:].tolist() == [500, 500, 500, 200, 500]
    one = build(scenario(generate=family), *people, KEY, np.zeros_like(block))
    assert fingerprint(one) == fingerprint(build(scenario(generate=family), *people, KEY))


# --- Real data


@pytest.fixture(scope="module")
def indiana() -> Path:
    """The folder of the Indiana tobacco control network; where it should be and is not, that is a failure."""
    told = os.environ.get("CEJ_SIM_DATA")
    folder = Path(told or ROOT.parent / "shared" / "data") / "indiana_tobacco_control"
    if not (folder / "network.graphml").is_file():
        problem = f"{folder} does not hold the Indiana network; set CEJ_SIM_DATA to the folder that holds it"
        if told or os.environ.get("CI") == "true":
            pytest.fail(problem)
        pytest.skip(problem)
    return folder


def indiana_files(folder: Path) -> list[NetworkFile]:
    kinds = (("lead_agency", "backbone"),)
    common = {"kind_column": "agency_category", "kind_map": kinds, "weight": "contact", "scale": 5.0}
    common["kind_default"] = "institution"
    return [
        NetworkFile(folder / "network.graphml", **common),
        NetworkFile(folder / "edges.csv", nodes=folder / "nodes.csv", **common),
    ]


def indiana_rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "edges.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_indiana_is_read_whole_and_alike_in_both_formats(indiana):
    rows = indiana_rows(indiana)
    contacts = {(int(row["source"]), int(row["target"])): int(row["contact"]) for row in rows}
    for file in indiana_files(indiana):
        found = read_network(file)
        assert found.counts == {"resident": 0, "institution": 24, "backbone": 1, "organizer": 0, "ties": 175}
        assert imported_counts(file) == {"resident": 0, "institution": 24, "backbone": 1, "organizer": 0}
        assert found.names[0] == "ITPC"
        assert found.attributes["agency_level"][0] == "state"
        strengths = {(i, j): c / 5 for (i, j), c in contacts.items() if c > 0}
        ids = [int(node) for node in found.ids]
        ties = zip(found.source.tolist(), found.target.tolist(), found.weight.tolist(), strict=True)
        assert {(ids[a], ids[b]): w for a, b, w in ties} == strengths
    assert len(rows) - 175 == 23


@pytest.mark.parametrize("residents", [1, 120])
def test_indiana_runs_as_the_institutional_core(indiana, residents):
    """The file's ties and no others among its agents; generated residents are tied to each other and to them."""
    people = community(residents=residents, institutions=24)
    made = [build(scenario(file), *people, KEY) for file in indiana_files(indiana)]
    assert fingerprint(made[0]) == fingerprint(made[1])
    check_rows(made[0])
    core = dense(made[0])[residents : residents + 25, residents : residents + 25]
    assert (core > 0).sum() == 2 * 175
    # Institutions in the order of the file, then the backbone, which is the first node of the file.
    place = {node: (24 if node == 1 else node - 2) for node in range(1, 26)}
    for row in indiana_rows(indiana):
        assert core[place[int(row["source"])], place[int(row["target"])]] == int(row["contact"]) / 5
    _, _, weight = between(people, made[0], INSTITUTION, RESIDENT)
    assert (weight > REAL).any()
    assert between(people, made[0], ORGANIZER, RESIDENT)[0].size == 2 * residents
    # The residents' own ties are those of a generated community with the same residents.
    alone = build(scenario(), *people, KEY)
    assert [end.tolist() for end in friends(people, alone)] == [end.tolist() for end in friends(people, made[0])]


def test_without_an_imported_backbone_the_generated_one_is_tied_to_all(indiana):
    file = replace(indiana_files(indiana)[0], kind_column=None, kind_map=())
    people = community(institutions=25)
    made = build(scenario(file), *people, KEY)
    assert between(people, made, BACKBONE, INSTITUTION)[0].size == 25
    assert between(people, made, INSTITUTION, INSTITUTION)[0].size == 2 * 175


def test_file_that_does_not_fit_the_community_is_refused(indiana):
    file = indiana_files(indiana)[0]
    with pytest.raises(NetworkError, match="holds 24 agents of kind institution, the community has room for 12"):
        build(scenario(file), *community(), KEY)


# --- Import


MIXED_EDGES = "source,target,weight\nann,ben,2\nben,clinic,1\nclinic,school,0\nschool,hub,4\nann,olga,3\n"
MIXED_NODES = (
    "id,kind\nann,resident\nben,resident\nclinic,institution\nschool,institution\nhub,backbone\nolga,organizer\n"
)


def mixed(folder: Path, **more) -> NetworkFile:
    (folder / "edges.csv").write_text(MIXED_EDGES)
    (folder / "nodes.csv").write_text(MIXED_NODES)
    given = {"nodes": folder / "nodes.csv", "kind_column": "kind", "weight": "weight", "scale": 4.0, **more}
    return NetworkFile(folder / "edges.csv", **given)


def test_file_of_all_kinds_gets_no_tie_of_ours(tmp_path):
    file = mixed(tmp_path, residents=None, kind_default=None)
    assert imported_counts(file) == {"resident": 2, "institution": 2, "backbone": 1, "organizer": 1}
    people = community(residents=2, institutions=2, organizers=1)
    expected = np.zeros((6, 6))
    for a, b, strength in ((0, 1, 0.5), (1, 2, 0.25), (3, 4, 1.0), (0, 5, 0.75)):
        expected[a, b] = expected[b, a] = strength
    assert (dense(build(scenario(file), *people, KEY)) == expected).all()


@pytest.mark.parametrize("family", NETWORK_FAMILIES)
def test_imported_residents_are_tied_by_the_file_and_to_generated_ones(tmp_path, family):
    file = mixed(tmp_path, residents=family)
    people = community(residents=40, institutions=3, organizers=2)
    made = dense(build(scenario(file), *people, KEY))
    imported = [0, 1, 40, 41, 43, 44]
    assert (made[np.ix_(imported, imported)] > 0).sum() == 2 * 4
    assert made[0, 1] == 0.5
    assert (made[0, 2:40] > REAL).any()
    assert (made[42, [40, 41, 43]] > REAL).all()  # a generated institution is tied as usual
    assert (made[45, :40] == network.LATENT).all()


def test_residents_missing_from_the_file_are_named(tmp_path):
    file = mixed(tmp_path, residents=None)
    with pytest.raises(NetworkError, match=r"holds 2 residents and the community 40; write network\.residents"):
        build(scenario(file), *community(residents=40, institutions=2, organizers=1), KEY)


@pytest.mark.parametrize("suffix", [".graphml", ".gexf", ".csv"])
def test_export_and_import_give_the_same_ties(tmp_path, suffix):
    people = community(residents=50, institutions=5)
    lonely = scenario(degree=0.2, clients=0.0)  # with agents that have no tie
    names = [f'agent "{i}", å' for i in range(people.kind.size)]
    for setting in (scenario(), lonely):
        made = build(setting, *people, KEY)
        written = export(made, tmp_path / f"out{suffix}", names, people.kind)
        file = NetworkFile(
            written[0],
            kind_column="kind",
            kind_default=None,
            weight="weight",
            residents=None,
            nodes=written[1] if suffix == ".csv" else None,
        )
        assert list(read_network(file).names) == names
        assert fingerprint(build(scenario(file), *people, KEY)) == fingerprint(made)


def test_networkx_graph_holds_every_tie_once():
    people = community(residents=30)
    made = build(scenario(), *people, KEY)
    names = [f"a{i}" for i in range(people.kind.size)]
    graph = to_networkx(made, names, people.kind)
    assert (nx.to_numpy_array(graph, nodelist=range(people.kind.size)) == dense(made)).all()
    assert graph.nodes[0] == {"name": "a0", "kind": "resident"}
    assert graph.nodes[people.kind.size - 1]["kind"] == "organizer"
    assert to_networkx(made).number_of_edges() == made.indices.size // 2
    with pytest.raises(ValueError, match="1 values of name"):
        to_networkx(made, ["one"])


def test_export_says_what_it_cannot_write(tmp_path):
    made = build(scenario(), *community(residents=5), KEY)
    with pytest.raises(NetworkError, match=r"end it in \.graphml, \.gexf or \.csv"):
        export(made, tmp_path / "out.xlsx")
    for suffix in (".graphml", ".gexf", ".csv"):
        with pytest.raises(NetworkError, match="cannot be written"):
            export(made, tmp_path / "nowhere" / f"out{suffix}")


DIRECTED = """<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="w" for="edge" attr.name="weight" attr.type="double"><default>0.5</default></key>
<graph edgedefault="directed"><node id="a"/><node id="b"/><node id="c"/>
<edge source="a" target="b"><data key="w">0.2</data></edge>
<edge source="b" target="a"><data key="w">0.7</data></edge>
<edge source="b" target="a"><data key="w">0.1</data></edge>
<edge source="c" target="a"/></graph></graphml>"""

GML = """graph [ directed 1
node [ id 1 label "Café" sort "x" ] node [ id 2 label "b" ] node [ id 3 label "c" ]
edge [ source 1 target 2 weight 0.2 ] edge [ source 2 target 1 weight 0.7 ] edge [ source 3 target 1 weight 0.5 ] ]"""

GEXF = """<gexf xmlns="http://www.gexf.net/1.2draft" version="1.2"><graph defaultedgetype="directed">
<nodes><node id="1" label="Café"/><node id="2"/><node id="3"/></nodes>
<edges><edge id="0" source="1" target="2" weight="0.2"/><edge id="1" source="2" target="1" weight="0.7"/>
<edge id="2" source="3" target="1" weight="0.5"/></edges></graph></gexf>"""


@pytest.mark.parametrize(("suffix", "text"), [(".graphml", DIRECTED), (".gml", GML), (".gexf", GEXF)])
def test_directed_and_parallel_ties_merge_to_the_strongest(tmp_path, suffix, text):
    path = tmp_path / f"net{suffix}"
    path.write_text(text, encoding="utf-8")
    found = read_network(NetworkFile(path, weight="weight"))
    ties = {frozenset(pair) for pair in zip(found.source.tolist(), found.target.tolist(), strict=True)}
    assert ties == {frozenset({0, 1}), frozenset({0, 2})}
    assert found.weight.tolist() == [0.7, 0.5]
    assert found.names[0] == ("a" if suffix == ".graphml" else "Café")
    unweighted = read_network(NetworkFile(path))
    assert unweighted.weight.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "text",
    [
        "source,target,w\na,b,1\nb,c,0\n",
        "\ufeffsource;target;w\r\na;b;1\r\n\r\nb;c;0.0\r\n",
        "w\tnote\tsource\ttarget\n1\t\ta\tb\n0\tx, y\tb\tc\n",
        'source,target,w\n" a ",b,1.0\n"b","c",0',
    ],
)
def test_csv_dialects(tmp_path, text):
    path = tmp_path / "net.csv"
    path.write_text(text, encoding="utf-8", newline="")
    found = read_network(NetworkFile(path, weight="w"))
    assert found.ids == ("a", "b", "c")
    assert (found.source.tolist(), found.target.tolist(), found.weight.tolist()) == ([0], [1], [1.0])


def test_kinds_come_from_the_map_then_from_the_word_then_from_the_default(tmp_path):
    (tmp_path / "n.csv").write_text("id,sort\na,1\nb,organizer\nc,shop\nd,\ne,true\n")
    (tmp_path / "e.csv").write_text("source,target\na,b\n")
    file = NetworkFile(
        tmp_path / "e.csv",
        kind_column="sort",
        kind_map=(("1", "backbone"), ("true", "resident")),
        kind_default="institution",
        nodes=tmp_path / "n.csv",
    )
    found = read_network(file)
    assert [KINDS[kind] for kind in found.kinds] == ["backbone", "organizer", "institution", "institution", "resident"]
    assert found.attributes["sort"] == ("1", "organizer", "shop", None, "true")
    assert not found.kinds.flags.writeable


def test_a_map_of_kinds_names_values_that_are_there(tmp_path):
    (tmp_path / "n.csv").write_text("id,role\na,lead\nb,member\n")
    (tmp_path / "e.csv").write_text("source,target\na,b\n")
    file = NetworkFile(
        tmp_path / "e.csv",
        kind_column="role",
        kind_map=(("leed", "backbone"),),
        kind_default="institution",
        nodes=tmp_path / "n.csv",
    )
    with pytest.raises(NetworkError, match=r"names leed, which no node has in role; there are lead, member.*mean lead"):
        read_network(file)


def test_mistakes_in_the_ties_and_kinds_of_a_file_are_named_together(tmp_path):
    (tmp_path / "n.csv").write_text("id,role\na,lead\nb,residnet\nc,institution\n")
    (tmp_path / "e.csv").write_text("source,target,w\na,b,-1\nb,c,x\na,c,\nb,a,1\n")
    file = NetworkFile(tmp_path / "e.csv", kind_column="role", weight="w", nodes=tmp_path / "n.csv")
    with pytest.raises(NetworkError) as caught:
        read_network(file)
    told = "\n".join(caught.value.lines)
    for words in ("residnet (b)", ":2: the tie a - b has the negative", ":3: the tie b - c has the w x",
                  ":4: the tie a - c has no w", ":5: the tie b - a stands there already"):  # fmt: skip
        assert words in told
    assert len(caught.value.lines) == 5
    (tmp_path / "e.csv").write_text("source,target,w\n" + "".join(f"{i},{i + 1},-1\n" for i in range(50)))
    with pytest.raises(NetworkError, match="there are 40 more mistakes") as caught:
        read_network(replace(file, nodes=None, kind_column=None))
    assert len(caught.value.lines) == 11


def test_files_are_read_again_only_after_a_change(tmp_path):
    path = tmp_path / "net.csv"
    path.write_text("source,target\na,b\n")
    os.utime(path, ns=(10**18, 10**18))
    file = NetworkFile(path)
    first = read_network(file)
    assert read_network(NetworkFile(path)) is first
    path.write_text("source,target\na,b\nb,c\n")
    assert read_network(file).counts["institution"] == 3
    path.write_text("source,target\na,b\nb,d\n")
    os.utime(path, ns=(10**18 + 5, 10**18 + 5))
    assert read_network(file).ids == ("a", "b", "d")


def graphml(body: str) -> str:
    return f'<graphml xmlns="http://graphml.graphdrawing.org/xmlns">{body}</graphml>'


def graph(body: str) -> str:
    """A GraphML file with one undirected graph, and the attributes ``sort``, ``contact`` and ``often``."""
    keys = [("k", "node", "sort", "string"), ("w", "edge", "contact", "string"), ("i", "edge", "often", "int")]
    declared = "".join(f'<key id="{i}" for="{of}" attr.name="{name}" attr.type="{t}"/>' for i, of, name, t in keys)
    return graphml(f'{declared}<graph edgedefault="undirected">{body}</graph>')


def edge(key: str, value: str) -> str:
    return graph(f'{TWO}<edge source="a" target="b"><data key="{key}">{value}</data></edge>')


BOMB = """<?xml version="1.0"?>
<!DOCTYPE graphml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="undirected">
<node id="&c;"/></graph></graphml>"""
WIDE_BOMB = BOMB.replace('"1.0"', '"1.0" encoding="utf-16"').encode("utf-16")
TWO = '<node id="a"/><node id="b"/>'
SORTS = [("a", "shop"), ("b", "shop"), ("c", "lead")]
SORTED = "".join(f'<node id="{n}"><data key="k">{sort}</data></node>' for n, sort in SORTS)
BY_SORT = {"kind_column": "sort", "kind_default": "institution"}
NO_DEFAULT = {**BY_SORT, "kind_default": None}
BOTH = (("shop", "institution"), ("lead", "backbone"))
CONTACT = {"weight": "contact"}
HEAD = "source,target,contact\n"
EDGE = "edge [ source 1 target 2 ]"

#: What is wrong -> suffix of the file, its content, how it is read, what the message must say.
WRONG_FILES: dict[str, tuple[str, str | bytes, dict[str, object], list[str]]] = {
    "empty graphml": (".graphml", "", {}, ["is empty"]),
    "only blanks": (".csv", " \n\n", {}, ["is empty"]),
    "unknown suffix": (".xlsx", "x", {}, [".xlsx are not networks", ".graphml, .gexf, .gml or .csv"]),
    "no suffix": ("", "x", {}, ["ending in nothing"]),
    "not XML": (".graphml", "hello", {}, ["net.graphml:1:1:", "not well-formed"]),
    "cut off": (".gexf", "<gexf>\n<graph>", {}, ["net.gexf:2:", "not well-formed"]),
    "no graph": (".graphml", "<other/>", {}, ["cannot be read as GraphML"]),
    "no graph in gexf": (".gexf", "<other/>", {}, ["cannot be read as GEXF", "No <graph> element"]),
    "bad number": (".graphml", edge("i", "many"), {}, ["cannot be read as GraphML", "many"]),
    "not GML": (".gml", "graph [ node [ id ] ]", {}, ["cannot be read as GML"]),
    "GML without end": (".gml", "graph [ node " + "[ a " * 5000, {}, ["cannot be read as GML"]),
    "tie twice in GML": (".gml", f"graph [ node [ id 1 ] node [ id 2 ] {EDGE} {EDGE} ]", {}, ["duplicated"]),
    "not text": (".csv", b"source,target\n\xff\xfe,b\n", {}, ["not UTF-8", "save it as UTF-8"]),
    "entity bomb": (".graphml", BOMB, {}, ["net.graphml:2:", "DOCTYPE", "take it out"]),
    "entity bomb in UTF-16": (".graphml", WIDE_BOMB, {}, ["DOCTYPE"]),
    "entity bomb in gexf": (".gexf", BOMB, {}, ["DOCTYPE"]),
    "no nodes": (".graphml", graph(""), {}, ["holds no nodes"]),
    "no nodes in csv": (".csv", HEAD, {}, ["holds no nodes"]),
    "two graphs": (".graphml", graphml('<graph edgedefault="undirected"/>' * 2), {}, ["holds 2 graphs", "keep one"]),
    "undeclared node": (".graphml", graph(TWO + '<edge source="a" target="z"/>'), {}, ["to z", "does not declare"]),
    "node declared again": (".graphml", graph(TWO + '<node id="a"/>'), {}, ["node a is declared again"]),
    "node without id": (".graphml", graph("<node/>"), {}, ["has no id"]),
    "nested graph": (
        ".graphml",
        graph(TWO + '<node id="c"><graph edgedefault="undirected"><node id="d"/></graph></node>'),
        {},
        ["nested graphs", "(d)"],
    ),
    "table of nodes beside graphml": (".graphml", graph(TWO), {"nodes": "itself"}, ["leave out network.nodes"]),
    "scale 0": (".graphml", graph(TWO), {"scale": 0.0}, ["network.scale is 0"]),
    "scale not a number": (".graphml", graph(TWO), {"scale": float("nan")}, ["network.scale is nan"]),
    "unknown family": (".graphml", graph(TWO), {"residents": "smal_world"}, ["did you mean small_world?"]),
    "no such kind column": (
        ".graphml",
        graph(SORTED),
        {"kind_column": "srot"},
        ["no node has the attribute srot", "there are sort", "did you mean sort?"],
    ),
    "no kind column in csv": (".csv", HEAD + "a,b,1\n", BY_SORT, ["nodes have no attributes", "network.nodes"]),
    "unknown kinds": (
        ".graphml",
        graph(SORTED),
        NO_DEFAULT,
        ["unknown kinds in sort: shop (a, b); lead (c)", "map", "resident, institution, backbone, organizer"],
    ),
    "kind missing": (".graphml", graph(SORTED + '<node id="d"/>'), {**NO_DEFAULT, "kind_map": BOTH}, ["no value (d)"]),
    "unknown word in the map": (
        ".graphml",
        graph(SORTED),
        {**BY_SORT, "kind_map": (("shop", "institutoin"),)},
        ["the kind institutoin", "did you mean institution?"],
    ),
    "unknown default": (".graphml", graph(SORTED), {"kind_default": "agency"}, ["the kind agency"]),
    "two backbones": (
        ".graphml",
        graph(SORTED),
        {**BY_SORT, "kind_map": (("shop", "backbone"),)},
        ["2 nodes are of kind backbone (a, b)", "there can be one"],
    ),
    "no institution": (
        ".graphml",
        graph(SORTED),
        {**BY_SORT, "kind_default": "resident"},
        ["no node is of kind institution", "3 of kind resident"],
    ),
    "no resident": (".graphml", graph(TWO), {"residents": None}, ["no node is of kind resident", "network.residents"]),
    "self-loop": (
        ".gml",
        'graph [ node [ id 1 label "Clinic" ] edge [ source 1 target 1 ] ]',
        {},
        ["tied to themselves: Clinic"],
    ),
    "self-loop in csv": (".csv", HEAD + "a,b,1\nb,b,1\n", {}, ["tied to themselves: b (line 3)"]),
    "pair twice": (".csv", HEAD + "a,b,1\nb,c,1\na,b,1\n", {}, ["net.csv:4: the tie a - b", "line 2", "keep one"]),
    "pair in both directions": (".csv", HEAD + "a,b,1\nb,a,1\n", {}, ["net.csv:3: the tie b - a", "line 2"]),
    "pair twice, once without strength": (".csv", HEAD + "a,b,0\nb,a,1\n", CONTACT, ["net.csv:3: the tie b - a"]),
    "no weight column": (
        ".csv",
        HEAD + "a,b,1\n",
        {"weight": "contcat"},
        ["no tie has the attribute contcat", "there are contact", "did you mean contact?"],
    ),
    "no weights at all": (".csv", "source,target\na,b\n", CONTACT, ["leave out network.weight"]),
    "negative weight": (".csv", HEAD + "a,b,1\nb,c,-2\n", CONTACT, ["net.csv:3: the tie b - c", "negative contact -2"]),
    "weight is no number": (".csv", HEAD + "a,b,often\n", CONTACT, ["net.csv:2:", "often, which is not a number"]),
    "weight is NaN": (".csv", HEAD + "a,b,nan\n", CONTACT, ["net.csv:2:", "nan, which is not a number"]),
    "weight is infinite": (".csv", HEAD + "a,b,inf\n", CONTACT, ["inf, which is not a number"]),
    "weight is empty": (".csv", HEAD + "a,b,1\nb,c,\n", CONTACT, ["net.csv:3:", "has no contact"]),
    "weight above scale": (".csv", HEAD + "a,b,6\n", {**CONTACT, "scale": 5.0}, ["contact 6, above network.scale 5"]),
    "weight in graphml": (".graphml", edge("w", "NA"), CONTACT, ["the tie a - b has the contact NA, which is not"]),
    "negative weight in graphml": (".graphml", edge("w", "-1"), CONTACT, ["negative contact -1"]),
    "no header": (".csv", "a,b\nb,c\n", {}, ["net.csv:1: has no column source and no column target", "names a, b"]),
    "column twice": (".csv", "source,target,w,w\na,b,1,2\n", {}, ["two columns are called w"]),
    "short row": (".csv", HEAD + "a,b,1\nb,c\n", {}, ["net.csv:3: has 2 values for 3 columns"]),
    "no end": (".csv", "source,target\na,\n", {}, ["net.csv:2: target is empty"]),
    "open quote": (".csv", 'source,target\n"a,b\n', {}, ["cannot be read as CSV"]),
    "name over two lines": (".csv", 'source,target\n"a\nz",b\nb,"a\nz"\n', {}, ["the tie b - a z"]),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_wrong_files_get_one_line_that_helps(tmp_path, case):
    suffix, content, more, words = WRONG_FILES[case]
    path = tmp_path / f"net{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if "nodes" in more:
        more = {**more, "nodes": path}
    with pytest.raises(NetworkError) as caught:
        read_network(NetworkFile(path, **more))
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.isprintable()
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("id,sort\na,x\n", ["e.csv:2: b is not in the table of nodes"]),
        ("id,sort\na,x\nb,y\na,z\n", ["n.csv:4: id a stands there already at line 2"]),
        ("name,sort\na,x\n", ["n.csv:1: has no column id"]),
        ("id,sort\n", ["n.csv: holds no nodes"]),
        ("", ["n.csv: is empty"]),
        (None, ["n.csv: there is no such file", "network.nodes"]),
    ],
)
def test_wrong_tables_of_nodes_get_one_line_that_helps(tmp_path, table, words):
    (tmp_path / "e.csv").write_text("source,target\na,b\n")
    if table is not None:
        (tmp_path / "n.csv").write_text(table)
    with pytest.raises(NetworkError) as caught:
        read_network(NetworkFile(tmp_path / "e.csv", nodes=tmp_path / "n.csv"))
    for word in words:
        assert word in str(caught.value)


def test_files_that_cannot_be_opened(tmp_path, monkeypatch):
    with pytest.raises(NetworkError, match=r"gone\.csv: there is no such file; write network\.file"):
        read_network(NetworkFile(tmp_path / "gone.csv"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(NetworkError, match="is a directory"):
        read_network(NetworkFile(tmp_path / "folder.csv"))
    with pytest.raises(NetworkError, match="cannot be read"):
        read_network(NetworkFile(tmp_path / ("long" * 100 + ".csv")))
    path = tmp_path / "net.csv"
    path.write_text("source,target\na,b\n")
    with pytest.raises(NetworkError, match="cannot be read"):
        read_network(NetworkFile(path / "inner.csv"))
    with monkeypatch.context() as patch:
        patch.setattr(network_files, "MAX_BYTES", 10)
        with pytest.raises(NetworkError, match="MB large"):
            read_network(NetworkFile(path))

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(NetworkError, match=r"net\.csv: cannot be read \(Permission denied\)"):
        read_network(NetworkFile(path))


def test_devices_are_not_read():
    with pytest.raises(NetworkError, match="not a regular file"):
        read_network(NetworkFile(Path(os.devnull)))


SOUND_FILES = {
    ".graphml": graph(SORTED + '<edge source="a" target="b"><data key="w">0.5</data></edge>'),
    ".gexf": GEXF,
    ".gml": GML,
    ".csv": "source,target,contact,note\na,b,0.5,x\nb,c,0.25,y\n",
}


@given(
    suffix=st.sampled_from(sorted(SOUND_FILES)),
    where=st.floats(0, 1),
    length=st.integers(0, 12),
    what=st.text(max_size=8) | st.sampled_from(['"', "<", "&a;", "\0", "-1", "1e999", "[", ",", "\n", "a"]),
    weight=st.sampled_from([None, "contact", "weight"]),
)
@settings(max_examples=200)
def test_damaged_files_are_read_or_refused(tmp_path_factory, suffix, where, length, what, weight):
    """Whatever happens to a file: a sound network, or a line for each mistake."""
    text = SOUND_FILES[suffix]
    at = int(where * len(text))
    path = tmp_path_factory.mktemp("damaged") / f"net{suffix}"
    path.write_text(text[:at] + what + text[at + length :], encoding="utf-8", errors="replace", newline="")
    found, message = None, ""
    try:
        found = read_network(NetworkFile(path, weight=weight))
    except NetworkError as error:
        message = str(error)
    if found is None:
        assert all(line.startswith(str(path)) and line.isprintable() for line in message.splitlines())
        assert message
    else:
        check_rows(build_csr(len(found.ids), found.source, found.target, found.weight))
        assert len(found.names) == found.kinds.size == len(found.ids) > 0


def test_a_table_of_many_columns_is_read_in_time(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(",".join(["source", "target", *(f"c{i}" for i in range(30_000))]) + "\nhub,clinic" + "," * 30_000)
    began = time.process_time()
    assert read_network(NetworkFile(path)).ids == ("hub", "clinic")
    assert time.process_time() - began < 5.0  # a fraction of a second


@pytest.mark.parametrize("sign", ["\0", "\x1b", "\x7f"])
def test_tables_hold_no_control_characters(sign, tmp_path):
    path = tmp_path / "ties.csv"
    path.write_text(f"source,target\nhub,clinic\nhub,sch{sign}ool\n")
    with pytest.raises(NetworkError, match=rf"ties.csv:3: holds a control character \(U\+00{ord(sign):02X}\)"):
        read_network(NetworkFile(path))


def test_names_of_nodes_show_on_one_line(tmp_path):
    path = tmp_path / "net.gml"
    path.write_text(
        'graph [ node [ id 1 name "two&#10;lines" ] node [ id 2 name "&#8238;" label "b&#27;c" ] '
        'node [ id 3 name "&#8203;" label "&#8203;" ] edge [ source 1 target 2 ] ]'
    )
    assert read_network(NetworkFile(path)).names == ("two lines", "b c", "3")
