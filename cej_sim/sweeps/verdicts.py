"""Whether declared hypotheses hold: verdicts from tables, by the rule that stands at the head of the declaration.

The unit is a parameter set. The differences b - a of the runs of one set are averaged first; the interval is a t
interval over sets, so that more runs of the same set never count as more evidence. What says nothing without a
coalition is compared over the pairs of runs in which both still exist, as everywhere; how many these are is told.

Nothing here knows a scenario or a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from cej_sim.comparison import BY_NAME, CONFIDENCE, FEWEST_ALIKE

SUPPORTED, REFUTED, CANNOT_TELL, MIXED = "supported", "refuted", "cannot tell", "mixed"

#: Verdict of what failed or was never computed.
NOT_COMPUTED = "not computed"

#: The part of the sets that must have the expected sign.
SIGN = 0.9

#: An effect that falls under this part of itself counts as gone.
GONE = 0.2

#: An effect that keeps more than this part of itself has not vanished, even where what is left is too small to matter.
KEPT = 0.5

#: With fewer sets that none of them fails says too little: of 50 without a failure, one in seventeen may still fail.
FEWEST_SETS = 50

#: What became of an effect without what should bring it about.
VANISHES, STAYS, TURNS = "vanishes", "stays", "turns round"
IDENTICAL, STAYS_SMALL = "identical", "stays small"
NO_EFFECT, NONE_DECLARED = "no effect to lose", "none declared"

#: What became of an effect with another feedback switched off.
SURVIVES, LOST = "survives", "lost"

Values = NDArray[np.float64]


class Estimate(NamedTuple):
    """A mean difference over sets.

    Attributes:
        sets: With a difference.
        mean, low, high: Mean over sets and its 95 % t interval, in the metric's unit; NaN where there are too few.
        effect: d_z: the mean over the standard deviation of the sets' means; NaN where that is 0.
    """

    sets: int
    mean: float
    low: float
    high: float
    effect: float


def estimate(means: Values) -> Estimate:
    """A mean over sets with its interval.

    Args:
        means: (sets,), the mean difference of each set; NaN where a set has none.
    """
    there = means[~np.isnan(means)]
    count = len(there)
    if count == 0:
        return Estimate(0, np.nan, np.nan, np.nan, np.nan)
    # Sets that agree to the last bit have an interval without width, whatever rounding makes of their mean.
    alike = bool((there == there[0]).all())
    mean = float(there[0]) if alike else float(there.mean())
    if count < 2 or (alike and mean != 0.0 and count < FEWEST_ALIKE):
        return Estimate(count, mean, np.nan, np.nan, np.nan)
    deviation = 0.0 if alike else float(there.std(ddof=1))
    half = float(stdtrit(count - 1.0, 0.5 + CONFIDENCE / 2.0)) * deviation / np.sqrt(count)
    return Estimate(count, mean, mean - half, mean + half, mean / deviation if deviation > 0.0 else np.nan)


def sign_share(means: Values, expected: str, smallest: float) -> float:
    """P(sign): the part of the sets whose mean has the expected sign; for ``same``, whose mean stays within the least
    difference that matters. NaN where no set has a difference."""
    there = means[~np.isnan(means)]
    if not len(there):
        return float("nan")
    return float(np.mean(np.abs(there) <= smallest if expected == "same" else there * _way(expected) > 0.0))


def _way(expected: str) -> float:
    return {"up": 1.0, "down": -1.0}[expected]


def judged(found: Estimate, p_sign: float, expected: str, smallest: float) -> str:
    """The verdict of a test."""
    if found.sets == 0:
        return NOT_COMPUTED
    if np.isnan(found.low):
        return CANNOT_TELL
    if expected == "same":
        if within(found, smallest):
            return SUPPORTED
        return REFUTED if found.low > smallest or found.high < -smallest else CANNOT_TELL
    mean, low, high = oriented(found, expected)
    if p_sign >= SIGN and low > 0.0 and mean >= smallest:
        return SUPPORTED
    return REFUTED if high < 0.0 or within(found, smallest) else CANNOT_TELL


def oriented(found: Estimate, expected: str) -> tuple[float, float, float]:
    """Mean, lower and upper end, turned so that what is expected is positive; as they are for ``same``."""
    if expected == "down":
        return -found.mean, -found.high, -found.low
    return found.mean, found.low, found.high


def oriented_row(row: Mapping[str, Any], prefix: str = "") -> tuple[float, float, float]:
    """Mean and interval of a row of ``verdict_table``, turned as by ``oriented``; ``without_`` for the other arm."""
    mean, low, high = (float(row[f"{prefix}{name}"]) for name in ("difference", "ci_low", "ci_high"))
    return oriented(Estimate(0, mean, low, high, np.nan), str(row["expected"]))


def within(found: Estimate, smallest: float) -> bool:
    """Whether the whole interval lies within the least difference that matters."""
    return bool(-smallest <= found.low and found.high <= smallest)


def shows(found: Estimate, expected: str) -> bool:
    """Whether there is an effect on the expected side."""
    return bool(oriented(found, expected)[1] > 0.0)


def control(with_: Estimate, without: Estimate, expected: str, smallest: float) -> str:
    """What became of an effect without what should bring it about.

    It vanishes where its mean falls under a fifth, or where it falls to half or less and its interval lies within the
    least difference that matters. Where more than half is left within that difference, it stays, if small.
    """
    if NOT_COMPUTED in (_known(with_), _known(without)):
        return NOT_COMPUTED
    if expected == "same":
        if without.low == without.high == 0.0:
            return IDENTICAL
        return STAYS_SMALL if within(without, smallest) else CANNOT_TELL
    if not shows(with_, expected):
        return NO_EFFECT
    if under_a_fifth(with_, without):
        return VANISHES
    if within(without, smallest):
        return STAYS_SMALL if abs(without.mean) > KEPT * abs(with_.mean) else VANISHES
    _, low, high = oriented(without, expected)
    return STAYS if low > 0.0 else TURNS if high < 0.0 else CANNOT_TELL


def by_construction(means: Values, expected: str, never_failed: bool, control: str, repeats: bool = False) -> bool:
    """Whether a test counts as true by construction, so that its verdict is no finding.

    It does if it came out as expected in every set, of which there are enough, and either

    * its effect stays without what should bring it about, or nothing was declared that could abolish it: then it
      follows from what the setups set; or
    * it repeats the declaration of what the setups set: then the model was written so that it comes out, and that no
      set failed says only that nothing else in the model outweighs it.

    A test that expects no change does if both setups are identical in every set: then nothing that differs acts.

    Args:
        means: (sets,), the mean differences as modelled.
        expected: ``up``, ``down`` or ``same``.
        never_failed: Whether every set came out as expected.
        control: What became of the effect without its mechanism; see ``control``.
        repeats: See ``TestOf``.
    """
    there = means[~np.isnan(means)]
    if not never_failed or len(there) < FEWEST_SETS:
        return False
    if expected == "same":
        return bool((there == 0.0).all())
    return repeats or control in (STAYS, STAYS_SMALL, NONE_DECLARED)


def _known(found: Estimate) -> str:
    return NOT_COMPUTED if found.sets == 0 else ""


def under_a_fifth(with_: Estimate, without: Estimate) -> bool:
    """Whether a mean falls under a fifth of what it was, in size."""
    return bool(abs(without.mean) < GONE * abs(with_.mean))


def survival(with_: Values, off: Values, expected: str, smallest: float) -> str:
    """What became of an effect with one other feedback switched off.

    There are fewer runs here, and many feedbacks: an effect counts as lost only if its interval lies within the least
    difference that matters or on the other side, or if its mean falls under a fifth and the fall itself is sure.

    Args:
        with_, off: (sets,), mean differences over the same runs of the same sets, as modelled and with it off.
    """
    before, after = estimate(with_), estimate(off)
    if NOT_COMPUTED in (_known(before), _known(after)):
        return NOT_COMPUTED
    if expected == "same":
        if not within(before, smallest):
            return NO_EFFECT
        beyond = after.low > smallest or after.high < -smallest
        return SURVIVES if within(after, smallest) else LOST if beyond else CANNOT_TELL
    if not shows(before, expected) or within(before, smallest):
        return NO_EFFECT
    mean, low, high = oriented(after, expected)
    fallen = shows(estimate(with_ - off), expected)
    small = mean < GONE * oriented(before, expected)[0]
    if high < 0.0 or within(after, smallest) or (small and fallen):
        return LOST
    return SURVIVES if low > 0.0 and not small else CANNOT_TELL


# Tables


@dataclass(frozen=True)
class TestOf:
    """One test of one pair of setups, for the tables.

    Attributes:
        hypothesis, setup, number: Which: the hypothesis's id, the pair's name, and the test's number from 1.
        metric, month, expected, smallest: As declared.
        without: The arm that should abolish its effect; "" where none is declared.
        off: Arm -> feedback, of the arms that switch off one other feedback.
        repeats: Whether a number in which the setups differ is declared to move this metric this way.
    """

    __test__ = False  # not one of pytest's

    hypothesis: str
    setup: str
    number: int
    metric: str
    month: int
    expected: str
    smallest: float
    without: str = ""
    off: Mapping[str, str] | None = None
    repeats: bool = False

    def arms(self) -> tuple[str, ...]:
        """The arms that it looks at."""
        return ("with", *([self.without] if self.without else []), *(self.off or {}))


def pairs_of(rows: pd.DataFrame, metric: str) -> tuple[NDArray[np.int64], Values]:
    """Differences b - a run by run, missing where one of the two says nothing without its coalition.

    Args:
        rows: ``scenario`` (a or b), ``run``, the metric, and ``alive`` if it is known, of one cell and month.
        metric: Of what.

    Returns:
        The runs that both have, ascending, and their differences.
    """
    scenario, run = rows["scenario"].to_numpy(), rows["run"].to_numpy(dtype=np.int64)
    values = rows[metric].to_numpy(dtype=float)
    if metric in BY_NAME and not BY_NAME[metric].outlives and "alive" in rows:
        values = np.where(rows["alive"].to_numpy() > 0.0, values, np.nan)
    a, b = scenario == "a", scenario == "b"
    runs, first, second = np.intersect1d(run[a], run[b], assume_unique=True, return_indices=True)
    return runs, values[b][second] - values[a][first]


def by_set(runs: NDArray[np.int64], differences: Values, sets: int) -> pd.DataFrame:
    """A row per parameter set: ``set runs pairs difference``; run r belongs to set r modulo ``sets``.

    ``runs`` are those computed, ``pairs`` those with a difference, over which it is the mean.
    """
    number, there = runs % sets, ~np.isnan(differences)
    computed = np.bincount(number, minlength=sets)
    known = np.bincount(number[there], minlength=sets)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(number[there], differences[there], minlength=sets) / known
    found = pd.DataFrame({"set": np.arange(sets), "runs": computed, "pairs": known, "difference": mean})
    return found[computed > 0].reset_index(drop=True)


class _Effects:
    """The differences set by set, quickly found by test and arm."""

    def __init__(self, effects: pd.DataFrame) -> None:
        keys = ["hypothesis", "setup", "test", "arm"]
        ordered = effects.sort_values([*keys, "set"], kind="stable")
        self._places = ordered.groupby(keys).indices if len(ordered) else {}
        self._columns = {name: ordered[name].to_numpy() for name in ("set", "runs", "pairs", "difference")}

    def of(self, test: TestOf, arm: str, column: str = "difference") -> NDArray[Any]:
        """A column of an arm, by set; empty where it was not computed."""
        place = self._places.get((test.hypothesis, test.setup, test.number, arm))
        return np.empty(0) if place is None else self._columns[column][place]

    def means(self, test: TestOf, arm: str) -> Values:
        """The mean differences of the sets, (sets,)."""
        return self.of(test, arm).astype(float)


def verdict_table(
    tests: Sequence[TestOf], effects: pd.DataFrame, survivors: pd.DataFrame | None = None
) -> pd.DataFrame:
    """A row per test: what came out, the verdict, what came of it without its mechanism, and what it hangs on.

    Args:
        tests: All of them.
        effects: ``hypothesis setup test arm set pairs runs difference`` as ``by_set`` makes them; a missing arm was
            not computed.
        survivors: What ``survival_table`` made.
    """
    found_in, rows = _Effects(effects), []
    for test in tests:
        means = found_in.means(test, "with")
        found = estimate(means)
        p_sign = sign_share(means, test.expected, test.smallest)
        known = int((~np.isnan(means)).sum())
        failed = 0 if np.isnan(p_sign) else round((1.0 - p_sign) * known)
        row: dict[str, Any] = {
            "hypothesis": test.hypothesis,
            "setup": test.setup,
            "test": test.number,
            "metric": test.metric,
            "month": test.month,
            "expected": test.expected,
            "smallest": test.smallest,
            "verdict": judged(found, p_sign, test.expected, test.smallest),
            "difference": found.mean,
            "ci_low": found.low,
            "ci_high": found.high,
            "effect_size": found.effect,
            "p_sign": p_sign,
            "sign_failed": failed,
            "never_failed": bool(known and failed == 0),
            "sets": found.sets,
            "sets_without": len(means) - found.sets,
            "runs": int(found_in.of(test, "with", "runs").sum()),
            "pairs": int(found_in.of(test, "with", "pairs").sum()),
            "without": test.without,
        }
        row |= _control_of(test, found, found_in.means(test, test.without) if test.without else np.empty(0))
        row["by_construction"] = by_construction(
            means, test.expected, row["never_failed"], row["control"], test.repeats
        )
        row |= _survival_of(test, survivors)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _control_of(test: TestOf, found: Estimate, means: Values) -> dict[str, Any]:
    """The columns on what came of an effect without its mechanism, from the means of the sets in that arm."""
    without = estimate(means)
    fell = bool(under_a_fifth(found, without)) if without.sets and test.expected != "same" else None
    return {
        "control": control(found, without, test.expected, test.smallest) if test.without else NONE_DECLARED,
        "without_difference": without.mean,
        "without_ci_low": without.low,
        "without_ci_high": without.high,
        "without_effect_size": without.effect,
        "within_smallest": bool(within(without, test.smallest)) if without.sets else None,
        "under_a_fifth": fell,
        "identical": bool((means[~np.isnan(means)] == 0.0).all()) if without.sets else None,
    }


def _survival_of(test: TestOf, survivors: pd.DataFrame | None) -> dict[str, Any]:
    """The columns on the other feedbacks that an effect hangs on."""
    listed = {"off_survives": 0, "off_lost": "", "off_cannot_tell": "", "off_not_computed": ""}
    if survivors is None or survivors.empty:
        return listed
    here = survivors[
        (survivors["hypothesis"] == test.hypothesis)
        & (survivors["setup"] == test.setup)
        & (survivors["test"] == test.number)
    ]

    def gains(word: str) -> str:
        return " ".join(sorted(here.loc[here["outcome"] == word, "gain"]))

    return {
        "off_survives": int((here["outcome"] == SURVIVES).sum()),
        "off_lost": gains(LOST),
        "off_cannot_tell": gains(CANNOT_TELL),
        "off_not_computed": gains(NOT_COMPUTED),
    }


def survival_table(tests: Sequence[TestOf], effects: pd.DataFrame) -> pd.DataFrame:
    """A row per test and other feedback: what came of the effect with that feedback switched off.

    Args:
        tests: All of them.
        effects: ``hypothesis setup test arm set difference``, every arm over the same runs.
    """
    found_in, rows = _Effects(effects), []
    for test in tests:
        for arm, gain in (test.off or {}).items():
            first, second = found_in.of(test, "with", "set"), found_in.of(test, arm, "set")
            _, first_in, second_in = np.intersect1d(first, second, assume_unique=True, return_indices=True)
            before, after = found_in.means(test, "with")[first_in], found_in.means(test, arm)[second_in]
            outcome = survival(before, after, test.expected, test.smallest)
            all_of_it, without = estimate(before), estimate(after)
            rows.append(
                {
                    "hypothesis": test.hypothesis,
                    "setup": test.setup,
                    "test": test.number,
                    "metric": test.metric,
                    "month": test.month,
                    "expected": test.expected,
                    "smallest": test.smallest,
                    "gain": gain,
                    "outcome": outcome,
                    "sets": without.sets,
                    "difference": all_of_it.mean,
                    "off_difference": without.mean,
                    "off_ci_low": without.low,
                    "off_ci_high": without.high,
                }
            )
    return pd.DataFrame(rows, columns=list(SURVIVAL_COLUMNS))


def hypothesis_verdict(verdicts: Sequence[str]) -> str:
    """The verdict of a hypothesis from those of its tests, the first one first.

    Supported if all are, refuted if the first is, mixed otherwise; where that hangs on a test without numbers, not
    computed.
    """
    if verdicts[0] == REFUTED:
        return REFUTED
    if all(verdict == SUPPORTED for verdict in verdicts):
        return SUPPORTED
    decided = verdicts[0] != NOT_COMPUTED and any(one not in (SUPPORTED, NOT_COMPUTED) for one in verdicts)
    return MIXED if decided or NOT_COMPUTED not in verdicts else NOT_COMPUTED


def hypothesis_table(verdicts: pd.DataFrame) -> pd.DataFrame:
    """A row per hypothesis and pair of setups, from ``verdict_table``.

    ``control`` says ``vanishes`` if every effect that is there and has a mechanism declared vanishes without it, and
    else the first word that tells why not.
    """
    rows = []
    for (name, setup), group in verdicts.groupby(["hypothesis", "setup"], sort=False):
        group = group.sort_values("test")
        words = list(group.loc[group["expected"] != "same", "control"])
        shown = [word for word in words if word not in (NO_EFFECT, NONE_DECLARED)]
        worst = next((word for word in (NOT_COMPUTED, STAYS, STAYS_SMALL, TURNS, CANNOT_TELL) if word in shown), "")
        lost = sorted({gain for text in group["off_lost"] for gain in text.split()})
        rows.append(
            {
                "hypothesis": name,
                "setup": setup,
                "verdict": hypothesis_verdict(list(group["verdict"])),
                "tests": len(group),
                **{
                    f"tests_{word.replace(' ', '_')}": int((group["verdict"] == word).sum())
                    for word in (SUPPORTED, REFUTED, CANNOT_TELL, NOT_COMPUTED)
                },
                "control": worst or (VANISHES if shown else words[0] if words else NONE_DECLARED),
                "off_lost": " ".join(lost),
                "never_failed": int(group["never_failed"].sum()),
                "by_construction": int(group["by_construction"].sum()),
            }
        )
    return pd.DataFrame(rows)


_TEST = {
    "hypothesis": ("id", "Id of the hypothesis"),
    "setup": ("name", "Pair of setups: main, or what the declaration calls a further one"),
    "test": ("count", "Number of the test, from 1; the first decides whether the hypothesis is refuted"),
    "metric": ("name", "Metric; causal_influence is the probe of that name, of residents"),
    "month": ("month", "When"),
    "expected": ("word", "Expected of b against a: up, down, or same (within the least difference that matters)"),
    "smallest": ("metric's unit", "The least difference that would matter to a coalition, as declared"),
}

#: Columns of ``verdict_table`` -> unit and meaning.
COLUMNS: dict[str, tuple[str, str]] = {
    **_TEST,
    "verdict": ("word", "supported, refuted or cannot tell, by the declared rule; or not computed"),
    "difference": ("metric's unit", "Mean of b - a over parameter sets, each the mean of its runs"),
    "ci_low": ("metric's unit", "Lower end of its 95 % t interval over sets"),
    "ci_high": ("metric's unit", "Upper end of its 95 % t interval over sets"),
    "effect_size": ("standard deviations", "d_z: the difference over the standard deviation of the sets' means"),
    "p_sign": ("share", "P(sign): part of the sets whose mean has the expected sign (same: stays within smallest)"),
    "sign_failed": ("count", "Sets whose mean does not have the expected sign (same: leaves smallest)"),
    "never_failed": ("yes/no", "No set fails; see by_construction"),
    "sets": ("count", "Parameter sets with a difference"),
    "sets_without": ("count", "Sets in which no pair of runs has one, since a coalition had ended in each"),
    "runs": ("count", "Pairs of runs that were computed"),
    "pairs": ("count", "Pairs of runs with a difference"),
    "without": ("name", "Arm that should abolish the effect; empty where the declaration names nothing"),
    "control": (
        "word",
        "Without it the effect vanishes, stays (small: too small to matter, but over half of itself), turns round, or "
        "cannot tell; no effect to lose; none declared. "
        "Of same: identical, stays small, or cannot tell",
    ),
    "without_difference": ("metric's unit", "Mean of b - a in that arm"),
    "without_ci_low": ("metric's unit", "Lower end of its 95 % interval"),
    "without_ci_high": ("metric's unit", "Upper end of its 95 % interval"),
    "without_effect_size": ("standard deviations", "d_z in that arm"),
    "within_smallest": ("yes/no", "In that arm the whole interval lies within -smallest ... smallest"),
    "under_a_fifth": ("yes/no", "In that arm the mean is under a fifth of the difference, in size"),
    "identical": ("yes/no", "In that arm the mean of every set is exactly 0"),
    "by_construction": (
        "yes/no",
        "True by construction: none of 50 or more sets fails, and the effect stays without its mechanism, nothing was "
        "declared that could abolish it, or it repeats the declared direction of what the setups set (same: identical "
        "in every set)",
    ),
    "off_survives": ("count", "Other feedbacks without which the effect is still there"),
    "off_lost": ("names", "Other feedbacks without which it is not: it hangs on them too"),
    "off_cannot_tell": ("names", "Other feedbacks of which the runs cannot tell"),
    "off_not_computed": ("names", "Other feedbacks whose cells have no numbers"),
}

#: Columns of ``survival_table`` -> unit and meaning.
SURVIVAL_COLUMNS: dict[str, tuple[str, str]] = {
    **_TEST,
    "gain": ("name", "The feedback that is switched off"),
    "outcome": ("word", "survives, lost, cannot tell, no effect to lose (over these runs), or not computed"),
    "sets": ("count", "Parameter sets with a difference"),
    "difference": ("metric's unit", "Mean of b - a as modelled, over the same runs"),
    "off_difference": ("metric's unit", "Mean of b - a with the feedback switched off"),
    "off_ci_low": ("metric's unit", "Lower end of its 95 % interval"),
    "off_ci_high": ("metric's unit", "Upper end of its 95 % interval"),
}

#: Columns of ``hypothesis_table`` -> unit and meaning.
HYPOTHESIS_COLUMNS: dict[str, tuple[str, str]] = {
    "hypothesis": _TEST["hypothesis"],
    "setup": _TEST["setup"],
    "verdict": ("word", "supported if all tests are, refuted if the first is, mixed otherwise; or not computed"),
    "tests": ("count", "Its tests"),
    "tests_supported": ("count", "Of them supported"),
    "tests_refuted": ("count", "Of them refuted"),
    "tests_cannot_tell": ("count", "Of which the runs cannot tell"),
    "tests_not_computed": ("count", "Without numbers"),
    "control": ("word", "vanishes: every effect that is there vanishes without its mechanism; else why not"),
    "off_lost": ("names", "Other feedbacks that at least one of its effects hangs on"),
    "never_failed": ("count", "Tests whose sign failed in no set"),
    "by_construction": ("count", "Tests that are true by construction"),
    "title": ("text", "Title"),
    "claim": ("text", "What is claimed"),
    "refuted_if": ("text", "What would refute it, in words"),
}

#: Columns of the differences set by set -> unit and meaning.
EFFECT_COLUMNS: dict[str, tuple[str, str]] = {
    **_TEST,
    "arm": ("name", "with (as modelled), without (what should abolish the effect), no_... (one other feedback off)"),
    "set": ("number", "Parameter set, from 0; see sets.csv"),
    "runs": ("count", "Pairs of runs that were computed"),
    "pairs": ("count", "Pairs of runs with a difference"),
    "difference": ("metric's unit", "Mean of b - a over them"),
}
