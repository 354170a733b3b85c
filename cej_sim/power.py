"""Measures of power: who could swing a vote, who moves final opinions, how unequally say is spread.

Formal votes and say are different things. ``banzhaf`` and ``shapley_shubik`` read the rules (weights and
a quota) and know nothing of what anybody wants; ``social_power`` reads who listens to whom, and knows
nothing of the rules. Setting them side by side shows how far votes on paper are from influence.
"""

from __future__ import annotations

import math
import numbers
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Most voters times units of the quota that are counted unit by unit (minutes, and 240 MB), and
# most voters whose coalitions are listed one by one (under a second).
_MOST_CELLS = 30_000_000
_MOST_LISTED = 20
# How far the sum of an agent's weights may be from 1.
_ROW_TOLERANCE = 1e-9


def gini(x: ArrayLike) -> float:
    """The Gini index: the mean absolute difference of two values drawn at random, over twice the mean.

    0 where all hold the same, (n - 1) / n where one of n holds everything. Nothing to share is shared
    equally: no values at all, or zeros only, give 0. (Gini 1912, Variabilità e mutabilità.)

    Args:
        x: Non-negative values (n,), in any unit and any order.

    Raises:
        ValueError: ``x`` is not a list of numbers, or one is negative, infinite or not a number.
    """
    values = np.asarray(x, np.float64)
    if values.ndim != 1:
        raise ValueError(f"gini takes one list of numbers, not an array of {values.ndim} dimensions")
    if not np.isfinite(values).all():
        raise ValueError("gini: every value must be a finite number")
    if (values < 0.0).any():
        raise ValueError(f"gini: values must not be negative, but the smallest is {values.min():g}")
    if not values.any():
        return 0.0
    ordered = np.sort(values) / values.max()
    n = ordered.size
    return max(0.0, float(((2.0 * np.arange(n) + 1.0 - n) * ordered).sum() / (n * ordered.sum())))


def banzhaf(weights: ArrayLike, quota: float | Fraction | Decimal) -> Floats:
    """Each voter's part of all swings: of the coalitions that win with the voter and lose without (n,), sum 1.

    The normalized Banzhaf index (Banzhaf 1965, "Weighted voting doesn't work", Rutgers Law Review 19:317).
    A coalition wins if its weight is at least the quota. Swings are counted in whole numbers of any
    length, so nothing is rounded but the last division. Hundreds of voters take less than a second.

    Args:
        weights: Votes (n,), non-negative. Decimals are taken for what they say: ten votes of 0.1 are one
            vote, and a float such as 0.3333333333333333 is one third (the simplest fraction that rounds to it).
        quota: Weight that a coalition needs, above 0 and at most the sum of the weights.

    Raises:
        ValueError: Bad weights or quota; or weights so finely graded that neither counting unit by unit
            nor (up to 20 voters) listing all coalitions is feasible.
    """
    voters, votes, needed = _game(weights, quota)
    listed = _listed(votes, needed)
    swings = _swings(votes, needed) if listed is None else [sum(by_size) for by_size in listed]
    return _shares(np.size(weights), voters, swings)


def shapley_shubik(weights: ArrayLike, quota: float | Fraction | Decimal) -> Floats:
    """How often each voter is the one who tips the balance when voters join in random order (n,), sum 1.

    The Shapley-Shubik index (Shapley and Shubik 1954, "A method for evaluating the distribution of power
    in a committee system", American Political Science Review 48:787). A coalition wins if its weight is at
    least the quota. Not simulated: the index is the integral over p in [0, 1] of the chance to be pivotal
    when everybody else joins with probability p (Owen 1972, "Multilinear extensions of games", Management
    Science 18:64), a polynomial that the quadrature used here integrates exactly. The chances are sums of
    positive terms, which leaves an error below 1e-12. 300 voters with weights up to 100 take a few seconds.

    Args:
        weights: Votes (n,), non-negative; read as by ``banzhaf``.
        quota: Weight that a coalition needs, above 0 and at most the sum of the weights.

    Raises:
        ValueError: As ``banzhaf``.
    """
    voters, votes, needed = _game(weights, quota)
    listed = _listed(votes, needed)
    n = len(votes)
    if listed is None:
        return _shares(np.size(weights), voters, _pivots(votes, needed))
    orders = [math.factorial(size) * math.factorial(n - 1 - size) for size in range(n)]
    pivots = [sum(a * b for a, b in zip(by_size, orders, strict=True)) for by_size in listed]
    return _shares(np.size(weights), voters, pivots)


def social_power(W: ArrayLike, susceptibility: ArrayLike) -> Floats:
    """Each agent's weight in the mean final opinion of all, where opinions spread by social influence (n,), sum 1.

    In the process of Friedkin and Johnsen (1990, "Social influence and opinions", Journal of Mathematical
    Sociology 15:193) an agent's next opinion is s_i times the opinions it listens to plus (1 - s_i) times
    its own first opinion. Final opinions are V times first opinions with V = (I - S W)^-1 (I - S); the
    column means of V are returned.

    With susceptibility 1 throughout this is DeGroot's process (1974, "Reaching a consensus", Journal of the
    American Statistical Association 69:118) and V does not exist. Then, and for every closed circle of
    agents (who listen to nobody outside it) that are all fully susceptible, the limit is returned to which
    V tends as their susceptibility rises to 1. It is also the mean over time of the process itself: within a
    circle the stationary distribution of its weights, whether or not opinions swing for ever. Circles count
    by how many agents end up with their opinion. An agent of susceptibility 1 outside such a circle keeps
    nothing of its own first opinion.

    Args:
        W: Influence (n, n): row i holds the weights that agent i gives to everybody, itself included;
            non-negative, each row with sum 1.
        susceptibility: Openness to influence in [0, 1], one number for all or one each (n,).

    Raises:
        ValueError: Wrong shapes or ranges, or a row whose sum is not 1.
    """
    weights = np.asarray(W, np.float64)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or weights.shape[0] == 0:
        raise ValueError(f"social_power: W must be square with a row for each agent, but its shape is {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0.0).all()):
        raise ValueError("social_power: every entry of W must be a finite number of at least 0")
    sums = weights.sum(axis=1)
    worst = int(np.argmax(np.abs(sums - 1.0)))
    if abs(sums[worst] - 1.0) > _ROW_TOLERANCE:
        raise ValueError(f"social_power: each row of W must have sum 1, but row {worst} has sum {sums[worst]:.6g}")
    n = weights.shape[0]
    given = np.asarray(susceptibility, np.float64)
    if given.shape not in ((), (n,)):
        raise ValueError(f"social_power: susceptibility must be one number or {n}, but its shape is {given.shape}")
    if not ((given >= 0.0) & (given <= 1.0)).all():
        raise ValueError("social_power: susceptibility must lie in [0, 1]")
    share = np.broadcast_to(given, (n,))
    weights = weights / sums[:, np.newaxis]

    circles = _closed_circles(weights, share)
    rest = np.ones(n, np.bool_)
    for circle in circles:
        rest[circle] = False
    # Attention that the final opinions of all pay, directly or through others, to what each agent adds of its own.
    passed_on = share[rest, np.newaxis] * weights[rest]
    attention = np.linalg.solve((np.eye(int(rest.sum())) - passed_on[:, rest]).T, np.full(int(rest.sum()), 1.0 / n))
    power = np.zeros(n)
    power[rest] = (1.0 - share[rest]) * attention
    for circle in circles:
        reach = circle.size / n + (attention @ passed_on[:, circle]).sum()
        power[circle] = reach * _stationary(weights[np.ix_(circle, circle)])
    power = np.maximum(power, 0.0)
    return power / power.sum()


def _closed_circles(weights: Floats, share: Floats) -> list[NDArray[np.int64]]:
    """The groups of mutually reachable, fully susceptible agents who give no weight to anybody outside."""
    if not (share == 1.0).any():
        return []
    from scipy.sparse.csgraph import connected_components

    count, label = connected_components(weights > 0.0, directed=True, connection="strong")
    closed = np.ones(count, np.bool_)
    closed[label[share < 1.0]] = False
    source, target = np.nonzero(weights)
    closed[label[source][label[source] != label[target]]] = False
    return [np.flatnonzero(label == circle) for circle in np.flatnonzero(closed)]


def _stationary(weights: Floats) -> Floats:
    """The stationary distribution (m,) of an irreducible matrix (m, m) with rows of sum 1."""
    balance = np.eye(weights.shape[0]) - weights.T
    balance[-1] = 1.0
    wanted = np.zeros(weights.shape[0])
    wanted[-1] = 1.0
    return np.asarray(np.linalg.solve(balance, wanted), np.float64)


def _fraction(value: object, what: str) -> Fraction:
    """The exact number that was meant: for a float, the simplest fraction that rounds to it, or else its digits."""
    if isinstance(value, numbers.Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if not isinstance(value, Decimal | numbers.Real):
        raise ValueError(f"{what} must be a number, not {value!r}")
    if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
        raise ValueError(f"{what} must be finite, not {value}")
    if isinstance(value, Decimal):
        return Fraction(value)
    number = float(value)
    simple = Fraction(number).limit_denominator(1_000_000)
    return simple if float(simple) == number else Fraction(repr(number))


def _game(weights: ArrayLike, quota: object) -> tuple[list[int], list[int], int]:
    """The same game in whole numbers: who has a vote at all, their votes, and the votes needed.

    Of the game and its dual (where a coalition wins that the others cannot outvote) the one with the lower
    quota is returned: both have the same indices. A vote above the quota is as good as the quota.
    """
    if np.ndim(weights) != 1:
        raise ValueError("weights must be one list of numbers, one for each voter")
    exact = [_fraction(value, "a weight") for value in np.asarray(weights, object)]
    needed = _fraction(quota, "the quota")
    if not exact:
        raise ValueError("there must be at least one voter")
    for voter, weight in enumerate(exact):
        if weight < 0:
            raise ValueError(f"weights must not be negative, but voter {voter} has {float(weight):g}")
    if needed <= 0:
        raise ValueError(f"the quota must be above 0, not {float(needed):g}: else nobody's vote would matter")
    total = sum(exact)
    if needed > total:
        raise ValueError(f"the quota {float(needed):g} is above the total weight {float(total):g}: nothing could pass")
    scale = math.lcm(*(weight.denominator for weight in exact))
    whole = [int(weight * scale) for weight in exact]
    unit = math.gcd(*whole)
    votes_needed = math.ceil(needed * scale / unit)
    voters = [voter for voter, weight in enumerate(whole) if weight]
    votes = [min(whole[voter] // unit, votes_needed) for voter in voters]
    dual = sum(votes) - votes_needed + 1
    if dual < votes_needed:
        votes_needed = dual
        votes = [min(vote, dual) for vote in votes]
    return voters, votes, votes_needed


def _listed(votes: list[int], needed: int) -> list[list[int]] | None:
    """For each voter the number of its swings by how many others take part, where it pays to list all coalitions.

    None where counting unit by unit is quicker.
    """
    n = len(votes)
    if n > _MOST_LISTED and n * needed > _MOST_CELLS:
        raise ValueError(
            f"the weights of {n} voters are too finely graded for an exact count: the quota is {needed:,} times the "
            f"common unit of all weights, and at most {_MOST_CELLS // n:,} are feasible; round them to fewer digits"
        )
    if n > _MOST_LISTED or 2**n > n * needed:
        return None
    weight = np.zeros(1, object)
    size = np.zeros(1, np.int64)
    for vote in votes:
        weight = np.concatenate([weight, weight + vote])
        size = np.concatenate([size, size + 1])
    wins = (weight >= needed).astype(np.bool_)
    listed = []
    for voter in range(n):
        pair = wins.reshape(-1, 2, 2**voter)
        swing = pair[:, 1] & ~pair[:, 0]
        others = size.reshape(-1, 2, 2**voter)[:, 0][swing]
        listed.append([int(count) for count in np.bincount(others, minlength=n)])
    return listed


def _swings(votes: list[int], needed: int) -> list[int]:
    """How many coalitions each voter swings, in exact whole numbers of any length.

    Counts the coalitions of all voters by weight. With B(s) of them below s, a voter of weight w is absent
    from B(s) - B(s - w) + B(s - 2w) - ... of those; it swings the ones from the quota less w to below the quota.
    """
    count = np.zeros(needed, object)
    count[0] = 1
    reached = 0
    for vote in votes:
        reached = min(reached + vote, needed - 1)
        if vote <= reached:
            count[vote : reached + 1] = count[vote : reached + 1] + count[: reached + 1 - vote]
    below = np.concatenate([np.zeros(1, object), np.cumsum(count)])
    by_vote = {}
    for vote in set(votes):
        series = below[needed::-vote]
        by_vote[vote] = 2 * (series[::2].sum() - series[1::2].sum()) - series[0]
    return [by_vote[vote] for vote in votes]


def _pivots(votes: list[int], needed: int) -> list[float]:
    """The chance of each voter to be pivotal in a random order; the quadrature of the chances at fixed turnouts."""
    groups = sorted(Counter(votes).items())
    nodes, widths = np.polynomial.legendre.leggauss((len(votes) + 1) // 2)
    total = np.zeros(len(groups))
    for node, width in zip((1.0 + nodes) / 2.0, widths / 2.0, strict=True):
        total += width * _pivot_chances(groups, needed, float(node))
    by_vote = {vote: float(chance) for (vote, _), chance in zip(groups, total, strict=True)}
    return [by_vote[vote] for vote in votes]


def _pivot_chances(groups: list[tuple[int, int]], needed: int, turnout: float) -> Floats:
    """The chance to be pivotal of one voter of each group, when each of the others takes part with the same chance.

    Groups hold a vote and how many have it, in ascending order. Pivotal: the others who take part fall short of
    the votes needed by no more than the voter has. The others are the groups before, the rest of the own group,
    and the groups behind; the first two are kept while going up the groups, the last while coming down, so that
    nobody has ever to be taken out again.
    """
    before = np.zeros((len(groups), needed))
    others = np.zeros(needed)
    others[0] = 1.0
    for row, (vote, members) in enumerate(groups):
        for _ in range(members - 1):
            _join(others, vote, turnout)
        before[row] = others
        _join(others, vote, turnout)
    chance = np.zeros(len(groups))
    behind = np.zeros(needed)
    behind[0] = 1.0
    below = np.zeros(needed + 1)
    for row in range(len(groups) - 1, -1, -1):
        vote, members = groups[row]
        np.cumsum(behind, out=below[1:])
        window = below[needed:0:-1].copy()
        window[: needed - vote] -= below[needed - vote : 0 : -1]
        chance[row] = (before[row] * window).sum()
        for _ in range(members):
            _join(behind, vote, turnout)
    return chance


def _join(chance: Floats, vote: int, turnout: float) -> None:
    """Add one voter to the distribution of the weight that takes part, in place."""
    joined = turnout * chance[: chance.size - vote]
    chance *= 1.0 - turnout
    chance[vote:] += joined


def _shares(n: int, voters: list[int], parts: list[int] | list[float]) -> Floats:
    """The parts as shares of their sum (n,), 0 for those without a vote."""
    total = sum(parts)
    out = np.zeros(n)
    out[voters] = [part / total for part in parts]
    return out
