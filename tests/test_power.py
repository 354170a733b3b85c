"""Measures of power against published values, closed forms and oracles that count by brute force."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal
from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cej_sim import power
from cej_sim.power import banzhaf, gini, shapley_shubik, social_power

INDICES = pytest.mark.parametrize("index", [banzhaf, shapley_shubik])


# Oracles, from the definitions


def swings_by_listing(weights, quota):
    """For each voter, the number of coalitions of the others that it makes winning."""
    n = len(weights)
    swings = [0] * n
    for members in itertools.product([False, True], repeat=n):
        weight = sum(w for w, here in zip(weights, members, strict=True) if here)
        for voter in range(n):
            if members[voter] and weight >= quota and weight - weights[voter] < quota:
                swings[voter] += 1
    return swings


def pivots_by_ordering(weights, quota):
    """For each voter, the number of orders of all voters in which it is the one who reaches the quota."""
    pivots = [0] * len(weights)
    for order in itertools.permutations(range(len(weights))):
        weight = 0
        for voter in order:
            weight += weights[voter]
            if weight >= quota:
                pivots[voter] += 1
                break
    return pivots


def shapley_by_counting(weights, quota):
    """The Shapley-Shubik index in exact fractions: coalitions counted by size and weight, the voter taken out again."""
    n = len(weights)
    count = np.zeros((n + 1, quota), object)
    count[0, 0] = 1
    for w in weights:
        grown = count.copy()
        grown[1:, w:] += count[:-1, : quota - w]
        count = grown
    index = {}
    for w in set(weights):
        others = count.copy()
        for size in range(1, n + 1):
            others[size, w:] -= others[size - 1, : quota - w]
        index[w] = sum(
            Fraction(int(others[size, max(quota - w, 0) :].sum()), n * math.comb(n - 1, size)) for size in range(n)
        )
    return [index[w] for w in weights]


games = st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any)
fractions_of_total = st.floats(0.01, 1.0)


# Voting


@INDICES
def test_small_partner_is_as_powerful_as_the_two_large_ones(index):
    assert index([49, 49, 2], 51) == pytest.approx([1 / 3] * 3, abs=1e-15)


def test_six_nations_of_1958():
    votes = [4, 4, 4, 2, 2, 1]
    assert banzhaf(votes, 12) == pytest.approx(np.array([5, 5, 5, 3, 3, 0]) / 21, abs=1e-15)
    assert shapley_shubik(votes, 12) == pytest.approx(np.array([14, 14, 14, 9, 9, 0]) / 60, abs=1e-15)


def test_security_council():
    votes = [7] * 5 + [1] * 10
    assert banzhaf(votes, 39) == pytest.approx([106 / 635] * 5 + [21 / 1270] * 10, rel=1e-12)
    assert shapley_shubik(votes, 39) == pytest.approx([421 / 2145] * 5 + [4 / 2145] * 10, rel=1e-12)


@INDICES
def test_dictator_has_all_power(index):
    assert index([3, 10, 2, 4], 10).tolist() == [0.0, 1.0, 0.0, 0.0]
    assert index([1], 1).tolist() == [1.0]


@INDICES
def test_dummies_have_exactly_none(index):
    found = index([10, 10, 10, 9, 0], 20)
    assert found[3] == 0.0
    assert found[4] == 0.0
    assert found[:3] == pytest.approx([1 / 3] * 3, abs=1e-15)
    many = index([10] * 61 + [9], 310)
    assert many[-1] == 0.0
    assert many.sum() == pytest.approx(1.0, abs=1e-12)


@INDICES
def test_unanimity_gives_all_the_same_whatever_their_votes(index):
    votes = [1, 5, 70, 3, 100] * 60
    assert index(votes, sum(votes)) == pytest.approx([1 / 300] * 300, rel=1e-12)


@INDICES
def test_majority_of_301_equals(index):
    assert index([1] * 301, 151) == pytest.approx([1 / 301] * 301, rel=1e-12)


@pytest.mark.parametrize(("large", "quota"), [(1, 150), (30, 160), (90, 200), (150, 151)])
def test_one_large_voter_among_300_small_ones(large, quota):
    votes = [large] + [1] * 300
    decisive = range(max(quota - large, 0), min(quota - 1, 300) + 1)
    first = len(decisive) / 301
    found = shapley_shubik(votes, quota)
    assert found[0] == pytest.approx(first, rel=1e-12)
    assert found[1:] == pytest.approx([(1 - first) / 300] * 300, rel=1e-10)

    swings = sum(math.comb(300, others) for others in decisive)
    alone = math.comb(299, quota - 1)
    together = math.comb(299, quota - 1 - large) if quota > large else 0
    found = banzhaf(votes, quota)
    assert found[0] == pytest.approx(swings / (swings + 300 * (alone + together)), rel=1e-14)
    assert np.ptp(found[1:]) == 0.0


@pytest.mark.slow
def test_300_voters_of_up_to_100_votes():
    votes = np.random.default_rng(20).integers(1, 101, 300)
    quota = int(votes.sum()) // 2 + 1
    for index in (banzhaf, shapley_shubik):
        found = index(votes, quota)
        assert found.sum() == pytest.approx(1.0, abs=1e-12)
        assert (np.diff(found[np.argsort(votes)]) >= 0.0).all()
        assert found == pytest.approx(votes / votes.sum(), rel=0.01)  # a large assembly: power near votes


@pytest.mark.parametrize("majority", [0.05, 0.5, 0.67, 0.97])
def test_shapley_shubik_of_40_voters_to_the_last_digits(majority):
    votes = [int(v) for v in np.random.default_rng(3).integers(1, 13, 40)]
    quota = math.ceil(sum(votes) * majority)
    exact = [float(part) for part in shapley_by_counting(votes, quota)]
    assert shapley_shubik(votes, quota) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("most_listed", [0, 20])
@given(votes=games, majority=fractions_of_total)
@settings(max_examples=60)
def test_banzhaf_as_listed_by_hand(most_listed, votes, majority):
    quota = max(1, math.ceil(sum(votes) * majority))
    swings = swings_by_listing(votes, quota)
    with mock.patch.object(power, "_MOST_LISTED", most_listed):  # 0: always count unit by unit
        found = banzhaf(votes, quota)
    assert found == pytest.approx(np.array(swings) / sum(swings), abs=1e-15)


@pytest.mark.parametrize("most_listed", [0, 20])
@given(votes=games.filter(lambda votes: len(votes) <= 6), majority=fractions_of_total)
@settings(max_examples=40)
def test_shapley_shubik_as_ordered_by_hand(most_listed, votes, majority):
    quota = max(1, math.ceil(sum(votes) * majority))
    pivots = pivots_by_ordering(votes, quota)
    with mock.patch.object(power, "_MOST_LISTED", most_listed):
        found = shapley_shubik(votes, quota)
    assert found == pytest.approx(np.array(pivots) / math.factorial(len(votes)), abs=1e-13)


@given(votes=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=7), majority=fractions_of_total)
@settings(max_examples=60)
def test_votes_that_share_no_unit(votes, majority):
    quota = sum(votes) * majority
    assume(quota > 1e-6)
    gap = min(abs(sum(part) - quota) for k in range(len(votes) + 1) for part in itertools.combinations(votes, k))
    assume(gap > 1e-9)  # where float sums in the oracle are exact enough
    swings = swings_by_listing(votes, quota)
    assert banzhaf(votes, quota) == pytest.approx(np.array(swings) / sum(swings), abs=1e-15)
    if len(votes) <= 5:
        pivots = pivots_by_ordering(votes, quota)
        assert shapley_shubik(votes, quota) == pytest.approx(np.array(pivots) / sum(pivots), abs=1e-15)


@INDICES
def test_decimals_mean_what_they_say(index):
    assert index([0.1] * 10, 1.0) == pytest.approx([0.1] * 10, abs=1e-15)
    assert index([0.7, 0.1, 0.2], 0.8).tolist() == index([7, 1, 2], 8).tolist()
    assert index([1 / 3, 1 / 3, 1 / 3], 1) == pytest.approx([1 / 3] * 3, abs=1e-15)
    shared = [0.5 / 35] * 35 + [0.4 / 12] * 12 + [0.1]
    assert index(shared, 0.5).tolist() == index([6] * 35 + [14] * 12 + [42], 210).tolist()
    exact = [Fraction(1, 3), Decimal("0.25"), np.float64(0.25), np.int32(1)]
    assert index(exact, Fraction(4, 3)).tolist() == index([4, 3, 3, 12], 16).tolist()


@INDICES
def test_only_the_game_counts(index):
    votes = [8, 5, 3, 3, 2, 1]
    expected = index(votes, 12)
    assert index([v * 7 for v in votes], 84) == pytest.approx(expected, abs=1e-14)  # another unit
    assert index(np.array(votes) * 10**15, 12 * 10**15) == pytest.approx(expected, abs=1e-14)
    assert index(votes, 11.5) == pytest.approx(expected, abs=1e-14)  # no sum in between
    assert index(votes, sum(votes) - 12 + 1) == pytest.approx(expected, abs=1e-14)  # the dual game
    assert index([10**30, 1, 1], 10**30).tolist() == [1.0, 0.0, 0.0]


@INDICES
@pytest.mark.parametrize(
    ("votes", "quota", "message"),
    [
        ([1, 2], 4, "above the total"),
        ([0, 0], 1, "above the total"),
        ([1, -2, 5], 2, "voter 1 has -2"),
        ([1, 2], 0, "quota must be above 0"),
        ([1, 2], -1, "quota must be above 0"),
        ([], 1, "at least one voter"),
        ([[1, 2], [3, 4]], 2, "one list"),
        (5, 2, "one list"),
        ([1, math.nan], 1, "a weight must be finite"),
        ([1, 2], math.inf, "the quota must be finite"),
        ([1, Decimal("Infinity")], 1, "a weight must be finite"),
        (["a", 2], 1, "must be a number, not 'a'"),
        ([1, 2], None, "the quota must be a number"),
        (list(np.random.default_rng(0).random(21)), 5.0, "round them to fewer digits"),
    ],
)
def test_impossible_votes_are_refused(index, votes, quota, message):
    with pytest.raises(ValueError, match=message):
        index(votes, quota)


# Social power


def iterated(weights, share, steps):
    """Column means of final opinions over first opinions, by repeating the process."""
    n = len(weights)
    first = np.eye(n)
    opinions = first
    for _ in range(steps):
        opinions = share[:, None] * (weights @ opinions) + (1 - share)[:, None] * first
    return opinions.mean(axis=0)


def mean_over_time(weights, share):
    """The same over a very long time average: the process slowed by half (it then settles), squared 40 times."""
    n = len(weights)
    step = np.block([[share[:, None] * weights, np.diag(1 - share)], [np.zeros((n, n)), np.eye(n)]])
    step = (step + np.eye(2 * n)) / 2
    for _ in range(40):
        step = step @ step
        step /= step.sum(axis=1, keepdims=True)
    return (step[:n, :n] + step[:n, n:]).mean(axis=0)


@st.composite
def influences(draw):
    n = draw(st.integers(1, 6))
    cells = draw(st.lists(st.integers(-3, 3), min_size=n * n, max_size=n * n))
    weights = np.maximum(np.array(cells, float).reshape(n, n), 0.0)
    weights[weights.sum(axis=1) == 0.0, draw(st.integers(0, n - 1))] = 1.0
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("leaves", [1, 2, 7, 300])
@pytest.mark.parametrize(("hub_self", "leaf_self"), [(0.5, 0.5), (0.2, 0.9), (0.95, 0.1), (0.0, 0.3)])
def test_star_hub_holds_as_much_whatever_the_number_of_leaves(leaves, hub_self, leaf_self):
    weights = np.diag([hub_self] + [leaf_self] * leaves)
    weights[0, 1:] = (1 - hub_self) / leaves
    weights[1:, 0] = 1 - leaf_self
    found = social_power(weights, 1.0)
    hub = (1 - leaf_self) / ((1 - hub_self) + (1 - leaf_self))
    assert found[0] == pytest.approx(hub, rel=1e-12)
    assert found[1:] == pytest.approx([(1 - hub) / leaves] * leaves, rel=1e-11)


def test_equal_attention_gives_power_by_degree_plus_one():
    draws = np.random.default_rng(11)
    ties = np.triu(draws.random((40, 40)) < 0.15, 1)
    ties[np.arange(39), np.arange(1, 40)] = True  # connected
    ties = ties | ties.T
    degree = ties.sum(axis=1)
    found = social_power((ties + np.eye(40)) / (degree + 1)[:, None], 1)
    assert found == pytest.approx((degree + 1) / (degree + 1).sum(), rel=1e-11)


@given(weights=influences(), data=st.data())
@settings(max_examples=60)
def test_friedkin_johnsen_repeated_until_it_settles(weights, data):
    n = len(weights)
    share = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.2, 0.7, 0.9]), min_size=n, max_size=n)))
    found = social_power(weights, share)
    assert found == pytest.approx(iterated(weights, share, 400), abs=1e-12)
    assert found.sum() == pytest.approx(1.0, abs=1e-14)


@given(weights=influences(), data=st.data())
@settings(max_examples=120)
def test_full_susceptibility_is_the_limit_and_the_mean_over_time(weights, data):
    n = len(weights)
    share = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.0, 1.0]), min_size=n, max_size=n)))
    found = social_power(weights, share)
    assert found == pytest.approx(mean_over_time(weights, share), abs=1e-9)
    assert found == pytest.approx(social_power(weights, np.minimum(share, 1 - 1e-8)), abs=1e-5)


def test_mixed_susceptibility_by_hand():
    # The stubborn agent 0 is heard by 1, who keeps nothing of its own; 2 hears both.
    weights = [[1, 0, 0], [1, 0, 0], [0.5, 0.5, 0]]
    assert social_power(weights, [0.0, 1.0, 0.5]) == pytest.approx([2.5 / 3, 0.0, 0.5 / 3], abs=1e-15)
    # Two circles that swing or rest, and an agent who listens to both, three times as much to the second.
    weights = [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0.25, 0, 0.75, 0]]
    assert social_power(weights, 1.0) == pytest.approx([2.25 / 8, 2.25 / 8, 1.75 / 4, 0.0], abs=1e-15)


def test_nobody_susceptible_keeps_everybody_equal():
    assert social_power([[0.5, 0.5], [1, 0]], 0).tolist() == [0.5, 0.5]
    assert social_power(np.eye(4), 1).tolist() == [0.25] * 4


@pytest.mark.parametrize(
    ("weights", "susceptibility", "message"),
    [
        ([[1.0, 0.0]], 0.5, "square"),
        ([1.0], 0.5, "square"),
        (np.zeros((0, 0)), 0.5, "square"),
        ([[0.5, 0.5], [0.5, 0.4]], 0.5, "row 1 has sum 0.9"),
        ([[1.5, -0.5], [0, 1]], 0.5, "at least 0"),
        ([[math.nan, 1], [0, 1]], 0.5, "finite"),
        (np.eye(2), 1.2, r"in \[0, 1\]"),
        (np.eye(2), -0.1, r"in \[0, 1\]"),
        (np.eye(2), math.nan, r"in \[0, 1\]"),
        (np.eye(2), [0.5, 0.5, 0.5], "one number or 2"),
    ],
)
def test_impossible_influence_is_refused(weights, susceptibility, message):
    with pytest.raises(ValueError, match=message):
        social_power(weights, susceptibility)


# Inequality


@pytest.mark.parametrize("n", [1, 2, 10, 1000])
def test_gini_at_its_ends(n):
    assert gini([0.1] * n) == 0.0
    assert gini([0.0] * (n - 1) + [3.7]) == pytest.approx((n - 1) / n, abs=1e-15)
    assert gini([0] * n) == 0.0


def test_gini_of_known_lists():
    assert gini([]) == 0.0
    assert gini([1, 1, 1]) == 0.0
    assert gini([3, 1]) == pytest.approx(0.25, abs=1e-15)
    assert gini([4, 2, 1, 3]) == pytest.approx(0.25, abs=1e-15)
    assert gini(np.arange(1, 101)) == pytest.approx(0.33, abs=1e-14)  # (n - 1) / 3n


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=30).filter(lambda x: max(x) > 1e-3), st.floats(1e-6, 1e6))
def test_gini_is_the_mean_difference_in_any_unit(values, unit):
    x = np.array(values)
    expected = np.abs(x[:, None] - x).mean() / (2 * x.mean())
    assert gini(x) == pytest.approx(expected, abs=1e-13)
    assert gini(x * unit) == pytest.approx(expected, abs=1e-13)
    assert gini(np.repeat(x, 3)) == pytest.approx(expected, abs=1e-13)  # and of three equal towns


@pytest.mark.parametrize("scale", [1e308, 1e-320])
def test_gini_of_extreme_numbers(scale):
    assert gini(np.array([0.0, 1.0]) * scale) == 0.5


@pytest.mark.parametrize(
    ("values", "message"),
    [([1, -0.5], "smallest is -0.5"), ([1, math.nan], "finite"), ([math.inf], "finite"), ([[1, 2]], "one list")],
)
def test_impossible_shares_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        gini(values)
