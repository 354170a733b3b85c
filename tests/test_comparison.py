"""The comparison table against hand computation and scipy, and what it is allowed to say."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console, RenderableType
from scipy import stats

from cej_sim import comparison
from cej_sim.comparison import (
    BY_NAME,
    COLUMNS,
    FEWEST_ALIKE,
    KEY_METRICS,
    compare_table,
    format_difference,
    format_value,
    months_within,
    pairing_gain,
    render,
    render_summary,
    setting_lines,
    short_titles,
    summary_table,
    values_at,
    verdict,
)
from cej_sim.metrics import METRICS, NAMES

TITLES = {"ci": "Collective Impact", "led": "Community-led governance"}


def monthly_table(values: dict[str, dict[int, dict[str, list[float]]]]) -> pd.DataFrame:
    """Scenario -> month -> metric -> one value per run."""
    parts = []
    for scenario, months in values.items():
        for month, metrics in months.items():
            runs = len(next(iter(metrics.values())))
            parts.append(pd.DataFrame({"scenario": scenario, "run": range(runs), "month": month, **metrics}))
    return pd.concat(parts, ignore_index=True)


def noisy_table(runs: int = 12, months: tuple[int, ...] = (0, 24, 60, 120), names=("ci", "led")) -> pd.DataFrame:
    """Every metric, with luck that the scenarios share in part."""
    rng = np.random.default_rng(7)
    luck = rng.normal(size=(len(months), runs, len(NAMES)))
    parts = []
    for shift, name in enumerate(names):
        own = rng.normal(size=luck.shape)
        values = 0.5 + 0.1 * shift + 0.05 * (luck + 0.5 * own)
        for i, month in enumerate(months):
            frame = pd.DataFrame(values[i], columns=list(NAMES))
            frame[["seat_share", "vote_share"]] = [0.1 + 0.2 * shift, 0.1 + 0.4 * shift]
            parts.append(frame.assign(scenario=name, run=range(runs), month=month))
    return pd.concat(parts, ignore_index=True)


def printed(renderable: RenderableType, width: int = 100) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(renderable)
    return stream.getvalue()


def row_of(table: pd.DataFrame, metric: str, month: int = 24) -> Any:
    (row,) = table[(table["metric"] == metric) & (table["month"] == month)].to_dict("records")
    return row


# The table


def test_table_against_hand_computation() -> None:
    table = compare_table(
        monthly_table(
            {
                "ci": {24: {"burden": [0.9, 0.8, 0.7, 0.6], "trust": [0.1, 0.2, 0.3, 0.4]}},
                "led": {24: {"burden": [0.8, 0.8, 0.5, 0.7], "trust": [0.2, 0.3, 0.4, 0.4]}},
            }
        ),
        "ci",
        ["led"],
    )
    assert list(table.columns) == list(COLUMNS)
    row = row_of(table, "burden")
    # Differences -0.1, 0, -0.2, 0.1: mean -0.05, sum of squares about it 0.05, deviation sqrt(0.05 / 3).
    deviation = (0.05 / 3) ** 0.5
    half = 3.182446305284263 * deviation / 2
    assert row["a"] == pytest.approx(0.75)
    assert row["b"] == pytest.approx(0.70)
    assert row["difference"] == pytest.approx(-0.05)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((-0.05 - half, -0.05 + half))
    assert row["effect_size"] == pytest.approx(-0.05 / deviation)
    # Lower is better: better in runs 0 and 2, a tie in run 1, worse in run 3.
    assert row["p_better"] == pytest.approx(2.5 / 4)
    assert row_of(table, "trust")["p_better"] == pytest.approx(3.5 / 4)
    assert (row["scenario_a"], row["scenario_b"], row["month"], row["runs"]) == ("ci", "led", 24, 4)


def test_table_against_scipy() -> None:
    monthly = noisy_table()
    table = compare_table(monthly, "ci", ["led"])
    for metric in ("burden", "agenda_origin", "resident_hours"):
        a, b = (values_at(monthly, name, 60)[metric] for name in ("ci", "led"))
        expected = stats.ttest_rel(b, a)
        interval = expected.confidence_interval(0.95)
        row = row_of(table, metric, 60)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high))
        assert row["effect_size"] * np.sqrt(row["runs"]) == pytest.approx(expected.statistic)


def test_a_row_for_every_metric_month_and_pair_in_order() -> None:
    table = compare_table(noisy_table(names=("ci", "led", "third")), "ci", ["led", "third"])
    assert list(table["metric"]) == [*NAMES] * 6
    assert list(dict.fromkeys(table["scenario_b"])) == ["led", "third"]
    assert set(table["scenario_a"]) == {"ci"}
    has_direction = {metric.name: metric.better != "neither" for metric in METRICS}
    assert [not missing for missing in table["p_better"].isna()] == [has_direction[name] for name in table["metric"]]


def test_order_of_rows_is_irrelevant() -> None:
    monthly = noisy_table()
    shuffled = monthly.sample(frac=1.0, random_state=3).reset_index(drop=True)
    pd.testing.assert_frame_equal(compare_table(monthly, "ci", ["led"]), compare_table(shuffled, "ci", ["led"]))


def test_pairs_go_by_run_number() -> None:
    monthly = monthly_table({"ci": {24: {"burden": [0.1, 0.5, 0.9]}}, "led": {24: {"burden": [0.2, 0.6, 1.0]}}})
    crossed = monthly.copy()
    crossed.loc[crossed["scenario"] == "led", "run"] = [2, 1, 0]
    assert row_of(compare_table(monthly, "ci", ["led"]), "burden")["ci_low"] == pytest.approx(0.1)
    assert row_of(compare_table(crossed, "ci", ["led"]), "burden")["ci_low"] < -1.0


def test_months_beyond_the_horizon_become_the_last() -> None:
    monthly = noisy_table(months=(0, 24, 36))
    assert months_within(monthly) == (24, 36)
    assert list(dict.fromkeys(compare_table(monthly, "ci", ["led"])["month"])) == [24, 36]
    assert months_within(noisy_table(months=(0, 6))) == (6,)
    uneven = monthly[(monthly["scenario"] == "ci") | (monthly["month"] <= 24)]
    assert months_within(uneven) == (24,)


def test_equal_runs_differ_in_nothing() -> None:
    monthly = monthly_table({"ci": {24: {"burden": [0.1, 0.2, 0.3]}}, "led": {24: {"burden": [0.1, 0.2, 0.3]}}})
    row = row_of(compare_table(monthly, "ci", ["led"]), "burden")
    assert [row[key] for key in ("difference", "ci_low", "ci_high", "effect_size")] == [0.0] * 4
    assert row["p_better"] == 0.5


def test_rounding_is_no_difference() -> None:
    monthly = monthly_table({"ci": {24: {"burden": [0.3, 0.6]}}, "led": {24: {"burden": [0.1 + 0.2, 0.6]}}})
    row = row_of(compare_table(monthly, "ci", ["led"]), "burden")
    assert (row["difference"], row["effect_size"], row["p_better"]) == (0.0, 0.0, 0.5)


@pytest.mark.parametrize(("step", "effect"), [(0.25, np.inf), (-0.25, -np.inf)])
def test_the_same_difference_in_every_run(step: float, effect: float) -> None:
    start = [0.1, 0.2, 0.4, 0.7]
    monthly = monthly_table(
        {"ci": {24: {"seat_share": start}}, "led": {24: {"seat_share": [value + step for value in start]}}}
    )
    row = row_of(compare_table(monthly, "ci", ["led"]), "seat_share")
    assert row["effect_size"] == effect
    assert row["ci_low"] == row["ci_high"] == pytest.approx(step)


def test_one_run_has_no_interval() -> None:
    table = compare_table(noisy_table(runs=1), "ci", ["led"])
    assert table[["ci_low", "ci_high", "effect_size"]].isna().all(axis=None)
    assert table["difference"].notna().all()
    assert {verdict(row, BY_NAME[row["metric"]]) for row in table.to_dict("records")} == {"cannot tell"}


def test_mistakes_are_named() -> None:
    monthly = noisy_table(runs=3)
    with pytest.raises(ValueError, match="no scenario 'nobody' in this table; it holds: ci, led"):
        compare_table(monthly, "ci", ["nobody"])
    with pytest.raises(ValueError, match="at least two scenarios"):
        compare_table(monthly, "ci", [])
    with pytest.raises(ValueError, match="run 2 is missing from one of them"):
        compare_table(monthly[(monthly["scenario"] == "ci") | (monthly["run"] < 2)], "ci", ["led"])
    with pytest.raises(ValueError, match="run 0 more than once in month 24"):
        compare_table(pd.concat([monthly, monthly]), "ci", ["led"])
    with pytest.raises(ValueError, match="has no month 30"):
        compare_table(monthly, "ci", ["led"], months=(30,))
    with pytest.raises(ValueError, match="0 or later"):
        compare_table(monthly, "ci", ["led"], months=(-1,))
    with pytest.raises(ValueError, match="at least two runs"):
        pairing_gain(noisy_table(runs=1), "ci", "led", 60)


@pytest.mark.slow
def test_intervals_cover_the_true_difference() -> None:
    """95% intervals over 5 pairs of correlated normal values, 4000 times: 40 metrics by 100 tables."""
    rng = np.random.default_rng(20240501)
    true, runs, hits, trials = 0.3, 5, 0, 0
    while trials < 4000:
        luck = rng.normal(size=(runs, len(NAMES)))
        a, b = luck + rng.normal(size=luck.shape), luck + true + 2.0 * rng.normal(size=luck.shape)
        monthly = pd.concat(
            [
                pd.DataFrame(values, columns=list(NAMES)).assign(scenario=name, run=range(runs), month=24)
                for name, values in (("ci", a), ("led", b))
            ]
        )
        monthly["alive"] = 1.0
        table = compare_table(monthly, "ci", ["led"]).query("metric != 'alive'")
        hits += int(((table["ci_low"] <= true) & (true <= table["ci_high"])).sum())
        trials += len(table)
    # A correct interval leaves these bounds once in 100,000 seeds.
    low, high = stats.binom.interval(1 - 1e-5, trials, 0.95)
    assert low <= hits <= high


# What may be said


def said(difference: float, low: float, high: float, metric: str, runs: int = 50) -> str:
    row = {"difference": difference, "ci_low": low, "ci_high": high, "runs": runs}
    return verdict(row, BY_NAME[metric])


def test_verdicts() -> None:
    assert said(-0.2, -0.3, -0.1, "burden") == "b"
    assert said(0.2, 0.1, 0.3, "burden") == "a"
    assert said(0.2, 0.1, 0.3, "trust") == "b"
    assert said(-0.2, -0.3, -0.1, "trust") == "a"
    assert said(0.2, 0.1, 0.3, "decision_share") == "higher"
    assert said(-0.2, -0.3, -0.1, "decision_share") == "lower"
    assert said(0.2, -0.1, 0.5, "burden") == "cannot tell"
    assert said(0.2, 0.0, 0.4, "burden") == "cannot tell"
    assert said(0.2, np.nan, np.nan, "burden") == "cannot tell"
    assert said(0.0, 0.0, 0.0, "burden") == "no difference"
    assert said(0.2, np.nan, np.nan, "decision_share", runs=1) == "cannot tell"


def test_a_point_interval_needs_six_runs() -> None:
    assert said(1.0, 1.0, 1.0, "alive", FEWEST_ALIKE - 1) == "cannot tell"
    assert said(1.0, 1.0, 1.0, "alive", FEWEST_ALIKE) == "b"
    assert said(0.25, 0.25, 0.25, "seat_share", 2) == "higher"
    # The fewest runs at which a two-sided sign test can fall below 5%.
    few, enough = (stats.binomtest(runs, runs).pvalue for runs in (FEWEST_ALIKE - 1, FEWEST_ALIKE))
    assert enough < 0.05 < few


# Common luck


def test_pairing_gain_against_its_formula() -> None:
    rng = np.random.default_rng(5)
    luck, other, own = rng.normal(size=(3, 4000))
    monthly = monthly_table({"ci": {60: {"burden": luck + other}}, "led": {60: {"burden": luck + own}}})
    (row,) = pairing_gain(monthly, "ci", "led", 60).to_dict("records")
    a, b = luck + other, luck + own
    assert row["variance_unpaired"] == pytest.approx(a.var(ddof=1) + b.var(ddof=1))
    assert row["variance_paired"] == pytest.approx((b - a).var(ddof=1))
    assert row["gain"] == pytest.approx(row["variance_unpaired"] / row["variance_paired"])
    assert row["correlation"] == pytest.approx(np.corrcoef(a, b)[0, 1])
    # Half of each variance is common: the correlation is 1/2 and the gain 2.
    assert row["gain"] == pytest.approx(2.0, rel=0.1)


def test_pairing_gain_at_the_edges() -> None:
    values = [0.1, 0.2, 0.4]
    monthly = monthly_table(
        {
            "ci": {60: {"burden": values, "seat_share": [0.1] * 3}},
            "led": {60: {"burden": [value + 0.25 for value in values], "seat_share": [0.35] * 3}},
        }
    )
    gain = pairing_gain(monthly, "ci", "led", 60).set_index("metric")
    assert gain.loc["burden", "gain"] == np.inf
    assert gain.loc["burden", "correlation"] == pytest.approx(1.0)
    assert np.isnan(gain.loc["seat_share", "gain"])


# For people


def test_key_metrics_are_few_and_from_every_family() -> None:
    keys = comparison.key_metrics()
    assert [metric.name for metric in keys] == list(KEY_METRICS)
    assert {metric.family for metric in keys} == {metric.family for metric in METRICS} == set(comparison.FAMILIES)
    assert all(metric.nature == "happened" for metric in keys)
    assert 10 <= len(keys) <= 15


def test_numbers_for_people() -> None:
    assert format_value(0.1234, BY_NAME["burden"]) == "12.3%"
    assert format_value(1.5, BY_NAME["disparity_ratio"]) == "1.50"
    assert format_value(2.25, BY_NAME["policy_wins"]) == "2.2"
    assert format_value(float("nan"), BY_NAME["burden"]) == "–"
    row = {"difference": -0.142, "ci_low": -0.18, "ci_high": 0.0001}
    assert format_difference(row, BY_NAME["burden"]) == ("−14.2", "[−18.0, 0.0]")
    near = {"difference": 0.001, "ci_low": 0.00004, "ci_high": 0.002}
    assert format_difference(near, BY_NAME["burden"]) == ("+0.100", "[+0.004, +0.200]")
    assert format_difference({**near, "ci_low": -0.00004}, BY_NAME["burden"]) == ("+0.1", "[0.0, +0.2]")
    small = {"difference": 0.0002, "ci_low": 0.0001, "ci_high": 0.0003}
    assert format_difference(small, BY_NAME["burden"]) == ("+0.02", "[+0.01, +0.03]")
    assert format_difference({"difference": 1, "ci_low": np.nan, "ci_high": np.nan}, BY_NAME["trust"]) == ("+1.00", "")


def test_short_titles_stay_apart() -> None:
    assert short_titles({"ci": "Collective Impact"}, 17) == {"ci": "Collective Impact"}
    assert short_titles({"community_led": "Community-led governance"}, 17) == {"community_led": "Community led"}
    fitted = short_titles({f"a_very_long_scenario_name_{i}": "The very same long title of all" for i in range(12)}, 17)
    assert len(set(fitted.values())) == 12
    assert max(len(title) for title in fitted.values()) <= 17


@pytest.mark.parametrize("everything", [False, True])
def test_the_printed_comparison(everything: bool) -> None:
    table = compare_table(noisy_table(), "ci", ["led"])
    text = printed(render(table, TITLES, everything))
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "…" not in text.replace(short_titles(TITLES, 17)["led"], "")
    squeezed = " ".join(text.split())
    expected = [metric for metric in METRICS if everything or metric.name in KEY_METRICS or metric.nature == "set"]
    for metric in expected:
        assert " ".join(metric.label.split()[:3]) in squeezed
    for month in ("year 2 (month 24)", "year 5 (month 60)", "year 10 (month 120)"):
        assert f"What happened by {month}" in text
    assert text.index("What the scenarios set") < text.index("What happened by")
    settings, outcomes = text.split("What happened by", 1)
    assert "Seats reserved" in settings
    assert "Seats reserved" not in outcomes
    row = row_of(table, "burden", 60)
    shown = text[text.index("(month 60)") :].splitlines()
    (line,) = [one for one in shown if "How much of the problem" in one][:1]
    assert "".join(format_difference(row, BY_NAME["burden"])[1]) in line


def test_cannot_tell_is_printed_where_it_cannot() -> None:
    monthly = monthly_table(
        {
            "ci": {24: {"burden": [0.1, 0.9, 0.4], "trust": [0.1, 0.2, 0.3]}},
            "led": {24: {"burden": [0.9, 0.2, 0.4], "trust": [0.1, 0.2, 0.3]}},
        }
    )
    text = printed(render(compare_table(monthly, "ci", ["led"]), TITLES))
    assert "cannot tell" in next(line for line in text.splitlines() if "How much" in line)
    assert "no difference" in next(line for line in text.splitlines() if "trust" in line)


def test_titles_are_printed_as_they_are() -> None:
    text = printed(render(compare_table(noisy_table(), "ci", ["led"]), {"ci": "[bold]A[/bold]", "led": "[/] B"}))
    assert "[bold]A[/bold]" in text
    assert "[/] B" in text


def test_settings_that_stay_the_same_share_a_line() -> None:
    table = compare_table(noisy_table(), "ci", ["led"])
    assert [(label, line.interval) for label, line in setting_lines(table)] == [
        ("Seats reserved for residents, months 24, 60, 120", "in every run"),
        ("Formal votes of residents, months 24, 60, 120", "in every run"),
    ]


def test_summary_of_one_scenario() -> None:
    monthly = noisy_table(runs=11)
    summary = summary_table(monthly, "led")
    row = row_of(summary, "trust", 60)
    values = values_at(monthly, "led", 60)["trust"]
    assert row["mean"] == pytest.approx(values.mean())
    assert (row["low"], row["high"]) == pytest.approx((values.quantile(0.1), values.quantile(0.9)))
    text = printed(render_summary(summary, TITLES["led"], everything=True))
    assert max(len(line) for line in text.splitlines()) <= 100
    assert format_value(row["mean"], BY_NAME["trust"]) in text
    with pytest.raises(ValueError, match="no scenario 'nobody'"):
        summary_table(monthly, "nobody")


def test_what_happens_inside_a_coalition_is_not_compared_after_its_end() -> None:
    """A coalition that has ended has no grievance and costs nobody an hour: that is no achievement."""
    runs = 8
    living = np.arange(runs) < 3
    rows = {
        "ci": {"alive": living.astype(float), "grievance": np.where(living, 0.4, 0.0), "burden": np.full(runs, 0.8)},
        "led": {"alive": np.ones(runs), "grievance": np.full(runs, 0.3), "burden": np.full(runs, 0.7)},
    }
    table = pd.concat(
        [pd.DataFrame({"scenario": name, "run": range(runs), "month": 120, **values}) for name, values in rows.items()],
        ignore_index=True,
    )
    found = compare_table(table, "ci", ["led"], [120]).set_index("metric")
    assert found.loc["grievance", ["a", "b", "difference"]].tolist() == pytest.approx([0.4, 0.3, -0.1])
    assert found.loc["grievance", "runs"] == 3
    assert found.loc["grievance", "p_better"] == 1.0
    assert found.loc["burden", "runs"] == runs
    assert summary_table(table, "ci", [120]).set_index("metric").loc["grievance", "mean"] == pytest.approx(0.4)

    table.loc[table["scenario"] == "ci", "alive"] = 0.0
    found = compare_table(table, "ci", ["led"], [120]).set_index("metric")
    row = found.loc["grievance"]
    assert row["runs"] == 0
    assert row[["a", "b", "difference", "effect_size", "p_better"]].isna().all()
    assert verdict({**row}, BY_NAME["grievance"]) == "has ended"
    assert verdict({**found.loc["burden"]}, BY_NAME["burden"]) == "b"
    text = printed(render(found.reset_index(), {"ci": "One", "led": "Two"}, everything=True))
    assert "has ended" in text
    assert "compared over the pairs in which both still exist" in " ".join(text.split())
