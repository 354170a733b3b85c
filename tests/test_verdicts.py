"""Verdicts: the declared rule on numbers whose answers are known, and how often it errs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cej_sim.sweeps import verdicts
from cej_sim.sweeps.verdicts import (
    CANNOT_TELL,
    IDENTICAL,
    LOST,
    MIXED,
    NO_EFFECT,
    NONE_DECLARED,
    NOT_COMPUTED,
    REFUTED,
    STAYS,
    STAYS_SMALL,
    SUPPORTED,
    SURVIVES,
    TURNS,
    VANISHES,
    TestOf,
    estimate,
    hypothesis_table,
    hypothesis_verdict,
    judged,
    sign_share,
    survival,
    survival_table,
    verdict_table,
)


def verdict(means, expected: str = "up", smallest: float = 0.1) -> str:
    means = np.asarray(means, dtype=float)
    return judged(estimate(means), sign_share(means, expected, smallest), expected, smallest)


def spread(mean: float, deviation: float, count: int = 50) -> np.ndarray:
    """Normal quantiles moved and stretched so that mean and deviation are exactly these."""
    shape = stats.norm.ppf((np.arange(count) + 0.5) / count)
    return mean + deviation * shape / shape.std(ddof=1)


# One test


def test_the_interval_is_students() -> None:
    means = np.random.default_rng(3).normal(0.3, 1.0, 40)
    found = estimate(np.append(means, np.nan))
    low, high = stats.t.interval(0.95, 39, means.mean(), stats.sem(means))
    assert (found.sets, found.mean) == (40, pytest.approx(means.mean()))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.effect == pytest.approx(means.mean() / means.std(ddof=1))


@pytest.mark.parametrize(
    ("means", "smallest", "up", "down", "same"),
    [
        (spread(0.5, 0.1), 0.1, SUPPORTED, REFUTED, REFUTED),
        (spread(-0.5, 0.1), 0.1, REFUTED, SUPPORTED, REFUTED),
        (spread(0.0, 0.1), 0.1, REFUTED, REFUTED, SUPPORTED),  # wholly within what is too small to matter
        (spread(0.05, 0.02), 0.1, REFUTED, REFUTED, SUPPORTED),  # sure, and too small to matter
        (spread(0.0, 1.0), 0.1, CANNOT_TELL, CANNOT_TELL, CANNOT_TELL),
        (spread(0.5, 1.0), 0.1, CANNOT_TELL, REFUTED, REFUTED),  # sure, but the sign fails in too many sets
        (spread(0.1, 0.05), 0.11, CANNOT_TELL, REFUTED, CANNOT_TELL),  # sure, and it may reach what matters
        (np.zeros(10), 0.1, REFUTED, REFUTED, SUPPORTED),
        (np.full(10, 0.3), 0.1, SUPPORTED, REFUTED, REFUTED),
        (np.full(3, 0.3), 0.1, CANNOT_TELL, CANNOT_TELL, CANNOT_TELL),  # three that agree are not yet a law
        (np.array([0.3]), 0.1, CANNOT_TELL, CANNOT_TELL, CANNOT_TELL),
        (np.full(4, np.nan), 0.1, NOT_COMPUTED, NOT_COMPUTED, NOT_COMPUTED),
        (np.empty(0), 0.1, NOT_COMPUTED, NOT_COMPUTED, NOT_COMPUTED),
    ],
)
def test_the_declared_rule(means, smallest: float, up: str, down: str, same: str) -> None:
    assert [verdict(means, expected, smallest) for expected in ("up", "down", "same")] == [up, down, same]


def test_nine_sets_of_ten_must_have_the_sign() -> None:
    means = np.r_[np.full(90, 1.0), np.full(10, -0.01)] + np.linspace(0, 1e-6, 100)
    assert sign_share(means, "up", 0.1) == pytest.approx(0.9)
    assert verdict(means) == SUPPORTED
    assert verdict(np.r_[means[:89], np.full(11, -0.01)]) == CANNOT_TELL


def test_up_and_down_are_mirrors() -> None:
    rng = np.random.default_rng(7)
    for _ in range(300):
        means = rng.normal(rng.normal(0, 0.3), rng.uniform(0.01, 1.0), rng.integers(2, 40))
        assert verdict(means, "up") == verdict(-means, "down")
        assert verdict(means, "same") == verdict(-means, "same")


@pytest.mark.parametrize("truth", ["normal", "skewed", "heavy"])
def test_a_true_null_is_seldom_supported(truth: str) -> None:
    """At most one side of a 95 % interval, whatever `smallest` is; the part of the signs makes it far rarer."""
    rng = np.random.default_rng(11)
    draw = {
        "normal": lambda size: rng.normal(size=size),
        "skewed": lambda size: rng.exponential(size=size) - 1.0,
        "heavy": lambda size: rng.standard_t(3, size=size),
    }[truth]
    found = [verdict(draw(size), way, 1e-9) for size in (5, 20, 200) for way in ("up", "down") for _ in range(700)]
    # 2.5 % and three standard errors of 4,200 draws; skewness costs the t interval of five sets something.
    assert found.count(SUPPORTED) / len(found) < 0.025 + 3 * np.sqrt(0.025 * 0.975 / len(found))


def test_a_difference_just_at_the_least_is_seldom_called_the_same() -> None:
    rng = np.random.default_rng(12)
    found = [verdict(rng.normal(0.1, 0.2, 60), "same", 0.1) for _ in range(3000)]
    assert found.count(SUPPORTED) / len(found) < 0.025 + 3 * np.sqrt(0.025 * 0.975 / 3000)
    found = [verdict(rng.normal(0.1, 0.2, 60), "up", 0.1) for _ in range(3000)]
    assert found.count(REFUTED) / len(found) < 0.025 + 3 * np.sqrt(0.025 * 0.975 / 3000)


def test_a_clear_effect_is_found() -> None:
    rng = np.random.default_rng(13)
    found = [verdict(rng.normal(0.5, 0.2, 100)) for _ in range(300)]
    assert found.count(SUPPORTED) == 300


# The other arms


@pytest.mark.parametrize(
    ("with_", "without", "expected", "word"),
    [
        (spread(0.5, 0.1), spread(0.0, 0.1), "up", VANISHES),
        (spread(0.5, 0.1), spread(0.08, 2.0), "up", VANISHES),  # under a fifth, if unsure
        (spread(0.5, 0.1), spread(0.4, 0.1), "up", STAYS),
        (spread(0.12, 0.01), spread(0.09, 0.01), "up", STAYS_SMALL),  # under what matters, and hardly less than before
        (spread(0.12, 0.01), spread(0.05, 0.01), "up", VANISHES),
        (spread(-0.5, 0.1), spread(-0.4, 0.1), "down", STAYS),
        (spread(0.5, 0.1), spread(-0.4, 0.1), "up", TURNS),
        (spread(0.5, 0.1), spread(0.3, 2.0), "up", CANNOT_TELL),
        (spread(0.0, 1.0), spread(0.0, 0.1), "up", NO_EFFECT),
        (spread(0.5, 0.1), np.empty(0), "up", NOT_COMPUTED),
        (spread(0.0, 0.1), np.zeros(9), "same", IDENTICAL),
    ],
)
def test_what_becomes_of_an_effect_without_its_mechanism(with_, without, expected: str, word: str) -> None:
    assert verdicts.control(estimate(with_), estimate(without), expected, 0.1) == word


@pytest.mark.parametrize(
    ("with_", "off", "expected", "word"),
    [
        (spread(0.5, 0.1), spread(0.5, 0.1), "up", SURVIVES),
        (spread(0.5, 0.1), spread(0.0, 0.1), "up", LOST),
        (spread(0.5, 0.1), spread(-0.5, 0.1), "up", LOST),
        (spread(0.5, 0.1), spread(0.05, 0.3), "up", LOST),  # under a fifth, and the fall is sure
        (spread(0.5, 0.1), spread(0.3, 3.0), "up", CANNOT_TELL),
        (spread(0.0, 1.0), spread(0.5, 0.1), "up", NO_EFFECT),
        (spread(-0.5, 0.1), spread(-0.5, 0.1), "down", SURVIVES),
        (spread(0.0, 0.1), spread(0.5, 0.1), "same", LOST),
        (spread(0.0, 0.1), spread(0.0, 0.1), "same", SURVIVES),
    ],
)
def test_what_becomes_of_an_effect_without_another_feedback(with_, off, expected: str, word: str) -> None:
    assert survival(with_, off, expected, 0.1) == word


# Tables


def rows(values: dict[str, list[float]], metric: str = "trust", alive: dict[str, list[float]] | None = None):
    frames = [
        pd.DataFrame(
            {
                "scenario": name,
                "run": range(len(some)),
                metric: some,
                "alive": (alive or {}).get(name, [1.0] * len(some)),
            }
        )
        for name, some in values.items()
    ]
    return pd.concat(frames).sample(frac=1.0, random_state=1)  # in no order


def test_runs_of_a_set_are_averaged_first() -> None:
    runs, differences = verdicts.pairs_of(rows({"a": [0, 0, 0, 0], "b": [1, 10, 3, 30]}), "trust")
    table = verdicts.by_set(runs, differences, 2)
    assert table.to_dict("list") == {"set": [0, 1], "runs": [2, 2], "pairs": [2, 2], "difference": [2.0, 20.0]}


def test_what_says_nothing_without_a_coalition_is_compared_where_both_exist() -> None:
    ended = {"a": [1.0, 0.0, 1.0], "b": [1.0, 1.0, 0.0]}
    given = {"a": [0.1, 0.1, 0.1], "b": [0.4, 0.9, 0.9]}
    runs, differences = verdicts.pairs_of(rows(given, "trust", ended), "trust")
    np.testing.assert_allclose(differences, [0.3, np.nan, np.nan])
    table = verdicts.by_set(runs, differences, 3)
    assert list(table["pairs"]) == [1, 0, 0]
    assert list(table["runs"]) == [1, 1, 1]
    _, burden = verdicts.pairs_of(rows(given, "burden", ended), "burden")  # the problem outlives the coalition
    np.testing.assert_allclose(burden, [0.3, 0.8, 0.8])


def effects(**arms) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                "hypothesis": name.split("_")[0],
                "setup": "main",
                "test": 1,
                "arm": name.partition("_")[2],
                "set": np.arange(len(means)),
                "runs": 2,
                "pairs": 2,
                "difference": means,
            }
        )
        for name, means in arms.items()
    ]
    return pd.concat(frames, ignore_index=True)


def test_the_table_of_verdicts() -> None:
    off = {"no_x": "mechanisms.x", "no_y": "mechanisms.y", "no_z": "mechanisms.z"}
    tests = [
        TestOf("A", "main", 1, "burden", 120, "up", 0.1, "without", off),
        TestOf("B", "main", 1, "burden", 120, "down", 0.1),
        TestOf("C", "main", 1, "burden", 120, "up", 0.1, "without"),
    ]
    table = effects(
        A_with=spread(0.5, 0.1), A_without=spread(0.0, 0.01), A_no_x=spread(0.5, 0.1), A_no_y=spread(0.0, 0.1),
        B_with=spread(0.5, 0.4),
    )  # fmt: skip
    survivors = survival_table(tests, table)
    assert dict(zip(survivors["gain"], survivors["outcome"], strict=True)) == {
        "mechanisms.x": SURVIVES,
        "mechanisms.y": LOST,
        "mechanisms.z": NOT_COMPUTED,
    }
    found = verdict_table(tests, table, survivors).set_index("hypothesis")
    assert list(found["verdict"]) == [SUPPORTED, REFUTED, NOT_COMPUTED]  # a cell that failed is there
    assert list(found["control"]) == [VANISHES, NONE_DECLARED, NOT_COMPUTED]
    a, b = found.loc["A"], found.loc["B"]
    assert (a["never_failed"], a["sign_failed"], a["sets"], a["runs"], a["pairs"]) == (True, 0, 50, 100, 100)
    assert (a["within_smallest"], a["under_a_fifth"], a["identical"]) == (True, True, False)
    assert (a["off_survives"], a["off_lost"], a["off_not_computed"]) == (1, "mechanisms.y", "mechanisms.z")
    assert b["sign_failed"] == round((1 - b["p_sign"]) * 50) > 40
    assert not b["never_failed"]
    assert not found["by_construction"].any()  # the effect of A vanishes, that of B fails in most sets
    hypotheses = hypothesis_table(found.reset_index()).set_index("hypothesis")
    assert list(hypotheses["verdict"]) == [SUPPORTED, REFUTED, NOT_COMPUTED]
    assert hypotheses.loc["A", "control"] == VANISHES
    assert list(found.columns) == [name for name in verdicts.COLUMNS if name != "hypothesis"]


def test_what_no_set_could_have_disappointed_is_true_by_construction() -> None:
    sure, unsure = spread(0.5, 0.1), spread(0.5, 0.4)
    tests = [
        TestOf("stays", "main", 1, "burden", 120, "up", 0.1, "without"),
        TestOf("vanishes", "main", 1, "burden", 120, "up", 0.1, "without"),
        TestOf("undeclared", "main", 1, "burden", 120, "up", 0.1),
        TestOf("fails", "main", 1, "burden", 120, "up", 0.1, "without"),
        TestOf("repeats", "main", 1, "burden", 120, "up", 0.1, "without", None, True),
        TestOf("placebo", "main", 1, "burden", 120, "same", 0.1, "without"),
        TestOf("small", "main", 1, "burden", 120, "same", 0.1, "without"),
    ]
    table = effects(
        stays_with=sure, stays_without=sure, vanishes_with=sure, vanishes_without=np.zeros(50),
        undeclared_with=sure, fails_with=unsure, fails_without=unsure,
        repeats_with=sure, repeats_without=np.zeros(50), placebo_with=np.zeros(50), placebo_without=np.zeros(50),
        small_with=spread(0.0, 0.01), small_without=np.zeros(50),
    )  # fmt: skip
    found = verdict_table(tests, table)
    built = found.set_index("hypothesis")["by_construction"]
    assert list(built[built].index) == ["stays", "undeclared", "repeats", "placebo"]
    assert list(found["never_failed"]) == [True, True, True, False, True, True, True]
    few = verdict_table(tests, table[table["set"] < verdicts.FEWEST_SETS - 1])
    assert few["never_failed"].any()
    assert not few["by_construction"].any()  # of so few sets, that none fails says little
    assert hypothesis_table(found).set_index("hypothesis")["by_construction"].to_dict() == {
        name: int(name in built[built].index) for name in built.index
    }


@pytest.mark.parametrize(
    ("tests", "whole"),
    [
        ([SUPPORTED, SUPPORTED], SUPPORTED),
        ([SUPPORTED, REFUTED], MIXED),
        ([REFUTED, SUPPORTED], REFUTED),
        ([REFUTED, NOT_COMPUTED], REFUTED),
        ([CANNOT_TELL, SUPPORTED], MIXED),
        ([CANNOT_TELL], MIXED),
        ([SUPPORTED, NOT_COMPUTED], NOT_COMPUTED),
        ([NOT_COMPUTED, REFUTED], NOT_COMPUTED),
        ([SUPPORTED, NOT_COMPUTED, CANNOT_TELL], MIXED),
    ],
)
def test_the_verdict_of_a_hypothesis(tests: list[str], whole: str) -> None:
    assert hypothesis_verdict(tests) == whole
