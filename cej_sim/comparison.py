"""Paired comparison of scenarios: what differs, how surely, and who does better.

Run r of one scenario shares its luck with run r of every other, so what is judged is the difference
within a pair of runs, never the two means alone. What a scenario *sets* (seats, votes) is kept apart
from what *happened* in every table made here, and no outcomes are added up into one score.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cej_sim.metrics import METRICS
from cej_sim.parameters import Metric

#: Months at which scenarios are compared; those beyond the horizon become the last month.
MONTHS = (24, 60, 120)

#: Columns of a comparison table, in order.
COLUMNS = (
    "scenario_a",
    "scenario_b",
    "metric",
    "month",
    "a",
    "b",
    "difference",
    "ci_low",
    "ci_high",
    "effect_size",
    "p_better",
    "runs",
)

#: Metrics by name, in their declared order.
BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}

#: Headings of the families, in the order in which they are shown.
FAMILIES: dict[str, str] = {
    "problem": "The problem",
    "power": "Power",
    "people": "People",
    "process": "Working together",
    "money": "Money and survival",
}

#: The outcomes that a short table shows: some of every family, both what a hierarchy is said to do well (speed,
#: coordination, services, hours spared) and what a resident-led coalition is said to do well.
KEY_METRICS: tuple[str, ...] = (
    "burden",
    "disparity_ratio",
    "service_coverage",
    "policy_wins",
    "decision_share",
    "agenda_origin",
    "seat_gap",
    "affected_attendance",
    "resident_leaders",
    "trust",
    "resident_hours",
    "decision_speed",
    "coordination",
    "alive",
)

#: Width of the intervals.
CONFIDENCE = 0.95

#: Fewest runs that can tell anything where every run shows the same difference: a sign test needs six.
FEWEST_ALIKE = 6

# Differences below this part of the larger value are rounding, and count as none.
_ROUNDING = 1e-12

Verdict = Literal["a", "b", "higher", "lower", "cannot tell", "no difference", "has ended"]


@dataclass(frozen=True)
class Labels:
    """Words that take the place of others where results are shown; no table and no number ever changes with them.

    Attributes:
        metrics: Metric -> what it is called.
        scenarios: Scenario name -> its title.
        kinds: A word for a kind of agent, such as ``residents`` -> what it is called within other labels.
    """

    metrics: Mapping[str, str] = field(default_factory=dict)
    scenarios: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)


_USUAL = Labels()
_SHOWN: ContextVar[Labels] = ContextVar("labels", default=_USUAL)


@contextmanager
def labeled(labels: Labels) -> Iterator[None]:
    """Show these words in everything that is made inside."""
    before = _SHOWN.set(labels)
    try:
        yield
    finally:
        _SHOWN.reset(before)


def label_of(metric: Metric) -> str:
    """What a metric is called where it is shown."""
    return _SHOWN.get().metrics.get(metric.name) or worded(metric.label)


def worded(text: str) -> str:
    """A text with the words for kinds of agents that are in force; what began with a capital letter still does."""
    kinds = _SHOWN.get().kinds
    if not kinds:
        return text

    def put(found: re.Match[str]) -> str:
        word = kinds[found[0].lower()]
        return word[:1].upper() + word[1:] if found[0][0].isupper() else word

    return re.sub(rf"\b({'|'.join(kinds)})\b", put, text, flags=re.IGNORECASE)


def key_metrics() -> tuple[Metric, ...]:
    """The declarations of the outcomes that a short table shows, by family."""
    return tuple(BY_NAME[name] for name in KEY_METRICS)


def scenario_names(monthly: pd.DataFrame) -> list[str]:
    """Names of the scenarios of a monthly table, in order of appearance."""
    return [str(name) for name in monthly["scenario"].unique()]


def metrics_in(columns: Collection[str]) -> tuple[Metric, ...]:
    """The declared metrics that a monthly table has a column for, in declared order."""
    present = set(columns)
    return tuple(metric for metric in METRICS if metric.name in present)


def last_month(monthly: pd.DataFrame) -> int:
    """The last month that every scenario of a monthly table reaches."""
    return int(monthly.groupby("scenario", observed=True)["month"].max().min())


def months_within(monthly: pd.DataFrame, months: Iterable[int] = MONTHS) -> tuple[int, ...]:
    """The months asked for, in order, each once; those beyond the horizon become the last month.

    Raises:
        ValueError: If no month is asked for, or one is negative.
    """
    wanted = [int(month) for month in months]
    if not wanted or min(wanted) < 0:
        raise ValueError("months to compare at: give at least one, each of them 0 or later")
    last = last_month(monthly)
    return tuple(sorted({min(month, last) for month in wanted}))


def while_it_exists(monthly: pd.DataFrame) -> pd.DataFrame:
    """A monthly table in which what says nothing without a coalition is missing where the coalition has ended.

    A table where there was no meeting has no grievance, and one that nobody attends costs nobody an hour: such zeros
    would count as achievements.
    """
    if "alive" not in monthly.columns or bool((monthly["alive"] > 0.0).all()):
        return monthly
    columns = [metric.name for metric in metrics_in(monthly.columns) if not metric.outlives]
    return monthly.assign(**{name: monthly[name].where(monthly["alive"] > 0.0) for name in columns})


def values_at(monthly: pd.DataFrame, scenario: str, month: int) -> pd.DataFrame:
    """Metrics of one scenario in one month: a row per run (index ``run``, sorted), a column per metric.

    What says nothing without a coalition is missing in runs where it has ended.

    Raises:
        ValueError: If there is no such scenario or month, or if a run stands there twice.
    """
    names = scenario_names(monthly)
    if scenario not in names:
        raise ValueError(f"no scenario {scenario!r} in this table; it holds: {', '.join(names)}")
    chosen = monthly[(monthly["scenario"] == scenario) & (monthly["month"] == month)]
    if chosen.empty:
        raise ValueError(f"scenario {scenario!r} has no month {month} in this table")
    table = while_it_exists(chosen).set_index("run").sort_index()
    if table.index.has_duplicates:
        double = table.index[table.index.duplicated()][0]
        raise ValueError(f"scenario {scenario!r} has run {double} more than once in month {month}")
    return table[[metric.name for metric in metrics_in(monthly.columns)]].astype(float)


def _pairs(monthly: pd.DataFrame, first: str, other: str, month: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Metrics of two scenarios in one month, row by row the same run."""
    a, b = values_at(monthly, first, month), values_at(monthly, other, month)
    if not a.index.equals(b.index):
        lonely = a.index.symmetric_difference(b.index)
        raise ValueError(
            f"scenarios {first!r} and {other!r} must have the same runs to be paired; "
            f"run {lonely[0]} is missing from one of them"
        )
    return a, b


def _differences(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """b - a with rounding removed, and the tolerance used; both (runs, metrics)."""
    tolerance = _ROUNDING * np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
    difference = b - a
    return np.where(np.abs(difference) <= tolerance, 0.0, difference), tolerance


def compare_table(
    monthly: pd.DataFrame, first: str, others: Sequence[str], months: Iterable[int] = MONTHS
) -> pd.DataFrame:
    """Compare the first scenario with each of the others, paired run by run.

    Args:
        monthly: A row per scenario, run and month, in any order: columns ``scenario``, ``run``, ``month`` and metrics.
        first: The scenario that is ``a`` throughout.
        others: The scenarios that are ``b``, one after the other.
        months: Where to compare; months beyond the horizon become the last month, none is given twice.

    Returns:
        A row per other scenario, month and metric, with the columns ``COLUMNS``. ``a`` and ``b`` are means over runs,
        ``difference`` is the mean of b - a within pairs, ``ci_low`` and ``ci_high`` bound its t interval
        (95%, runs - 1 degrees of freedom). ``effect_size`` is Cohen's d_z: the mean difference over the standard
        deviation of the differences; 0 where all differences are 0, and infinite, with the sign of the difference,
        where every run shows the same difference. ``p_better`` is the share of runs in which b does better than a,
        ties counting half; NaN for metrics without a better direction. With one run the interval and the effect
        size are NaN. ``runs`` is the number of pairs behind a row: what says nothing without a coalition is compared
        over the pairs in which both still exist, and is NaN where there is none.

    Raises:
        ValueError: If a scenario or month is missing, or the scenarios have different runs.
    """
    metrics = metrics_in(monthly.columns)
    parts = [
        _compare_month(monthly, first, other, month, metrics)
        for other in others
        for month in months_within(monthly[monthly["scenario"].isin([first, *others])], months)
    ]
    if not parts:
        raise ValueError("a comparison needs at least two scenarios")
    return pd.concat(parts, ignore_index=True)


def _compare_month(
    monthly: pd.DataFrame, first: str, other: str, month: int, metrics: Sequence[Metric]
) -> pd.DataFrame:
    frame_a, frame_b = _pairs(monthly, first, other, month)
    return pd.DataFrame(
        {
            "scenario_a": first,
            "scenario_b": other,
            "metric": [metric.name for metric in metrics],
            "month": month,
            **paired(frame_a.to_numpy(), frame_b.to_numpy(), metrics),
        },
        columns=list(COLUMNS),
    )


def load() -> None:
    """Load what comparing needs and nothing else does; that can take longer than the comparison."""
    import_module("scipy.special")


def paired(a: NDArray[np.float64], b: NDArray[np.float64], metrics: Sequence[Metric]) -> dict[str, NDArray[np.float64]]:
    """What ``compare_table`` says of values that are paired run by run, for any number of comparisons at once.

    Args:
        a, b: Values (runs, ..., metrics); NaN where there is none.
        metrics: The declarations along the last axis.

    Returns:
        The columns ``a`` to ``runs`` of a comparison table, each (..., metrics).
    """
    from scipy.special import stdtrit  # see ``load``; not all who show results compute them

    both = ~np.isnan(a + b)
    a, b = np.where(both, a, np.nan), np.where(both, b, np.nan)
    runs = both.sum(axis=0)
    sign = np.array([{"up": 1.0, "down": -1.0, "neither": np.nan}[metric.better] for metric in metrics])
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without any pair stay missing
        difference, tolerance = _differences(a, b)
        mean = np.nanmean(difference, axis=0)
        spread = np.nanmax(difference, axis=0) - np.nanmin(difference, axis=0)
        deviation = np.where(spread <= np.nanmax(tolerance, axis=0), 0.0, np.nanstd(difference, axis=0, ddof=1))
        half = stdtrit(runs - 1.0, 0.5 + CONFIDENCE / 2.0) * deviation / np.sqrt(runs)
        half[runs < 2] = np.nan
        effect = np.where(runs < 2, np.nan, np.where(mean == 0.0, 0.0, mean / deviation))
        means = np.nanmean(a, axis=0), np.nanmean(b, axis=0)
        # 1 where b does better, 0 where it does worse, 1/2 where the two are equal.
        better = np.nanmean((np.sign(difference * sign) + 1.0) / 2.0, axis=0)
    return {
        "a": means[0],
        "b": means[1],
        "difference": mean,
        "ci_low": mean - half,
        "ci_high": mean + half,
        "effect_size": effect,
        "p_better": better,
        "runs": runs,
    }


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as dictionaries."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def pairs(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """The pairs of scenarios of a comparison table, in order: both names, and the rows."""
    for (first, other), rows in table.groupby(["scenario_a", "scenario_b"], sort=False, observed=True):
        yield str(first), str(other), rows


def verdict(row: Mapping[str, Any], metric: Metric) -> Verdict:
    """What one row of a comparison table allows to say.

    Returns:
        ``"a"`` or ``"b"``: that scenario does better. ``"higher"`` or ``"lower"``: b is, and neither direction is
        better. ``"no difference"``: every run gave both scenarios the same value. ``"cannot tell"``: one run, an
        interval that includes 0, an undefined value, or an interval shrunk to a point on fewer than
        ``FEWEST_ALIKE`` runs (where every run shows the same difference the t interval has no width, however few
        the runs; then a sign test at the same level decides). What a scenario sets is exempt from that last rule.
        ``"has ended"``: in no pair of runs do both coalitions still exist.
    """
    difference, low, high = float(row["difference"]), float(row["ci_low"]), float(row["ci_high"])
    runs = int(row["runs"])
    if runs == 0:
        return "has ended"
    if runs < 2 or np.isnan(low) or np.isnan(high):
        return "cannot tell"
    if low == high == 0.0:
        return "no difference"
    if low <= 0.0 <= high:
        return "cannot tell"
    if low == high and runs < FEWEST_ALIKE and metric.nature == "happened":
        return "cannot tell"
    if metric.better == "neither":
        return "higher" if difference > 0.0 else "lower"
    return "b" if (difference > 0.0) == (metric.better == "up") else "a"


def pairing_gain(monthly: pd.DataFrame, a: str, b: str, month: int) -> pd.DataFrame:
    """How much common luck helps: the variance of b - a with unpaired runs over that with paired runs.

    Args:
        monthly: As for ``compare_table``, with at least two runs.
        a, b: Names of two scenarios.
        month: The month to look at.

    Returns:
        A row per metric: ``metric``, ``variance_unpaired`` (the sum of both variances, what independent runs would
        give), ``variance_paired`` (of the differences within pairs), ``gain`` (their ratio: how many times more runs
        unpaired seeds would need for the same interval) and ``correlation`` of a and b over runs. The gain is
        infinite where the paired differences do not vary but the values do, and NaN where nothing varies.

    Raises:
        ValueError: If a scenario or month is missing, runs differ, or there are fewer than two of them.
    """
    frame_a, frame_b = _pairs(monthly, a, b, month)
    first, second = frame_a.to_numpy(), frame_b.to_numpy()
    if len(first) < 2:
        raise ValueError("the gain from pairing needs at least two runs")
    difference, tolerance = _differences(first, second)
    alike = np.ptp(difference, axis=0) <= tolerance.max(axis=0)
    paired = np.where(alike, 0.0, difference.var(axis=0, ddof=1))
    spread = [
        np.where(np.ptp(values, axis=0) <= tolerance.max(axis=0), 0.0, values.std(axis=0, ddof=1))
        for values in (first, second)
    ]
    unpaired = spread[0] ** 2 + spread[1] ** 2
    covariance = ((first - first.mean(axis=0)) * (second - second.mean(axis=0))).sum(axis=0) / (len(first) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = unpaired / paired
        correlation = np.where(spread[0] * spread[1] > 0.0, covariance / (spread[0] * spread[1]), np.nan)
    return pd.DataFrame(
        {
            "metric": list(frame_a.columns),
            "variance_unpaired": unpaired,
            "variance_paired": paired,
            "gain": gain,
            "correlation": correlation,
        }
    )


def summary_table(monthly: pd.DataFrame, scenario: str, months: Iterable[int] = MONTHS) -> pd.DataFrame:
    """One scenario by itself: mean and middle 80% of runs.

    Returns:
        A row per month and metric: ``scenario metric month mean low high runs``; ``low`` and ``high`` are the 10th
        and 90th percentile over runs. ``runs`` counts those behind a row: what says nothing without a coalition is
        taken over the runs in which it still exists.

    Raises:
        ValueError: If the scenario or a month is missing.
    """
    if scenario not in (names := scenario_names(monthly)):
        raise ValueError(f"no scenario {scenario!r} in this table; it holds: {', '.join(names)}")
    parts = []
    for month in months_within(monthly[monthly["scenario"] == scenario], months):
        values = values_at(monthly, scenario, month)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # no run is left: missing
            low, high = np.nanquantile(values.to_numpy(), [0.1, 0.9], axis=0)
        parts.append(
            pd.DataFrame(
                {
                    "scenario": scenario,
                    "metric": list(values.columns),
                    "month": month,
                    "mean": values.mean().to_numpy(),
                    "low": low,
                    "high": high,
                    "runs": values.notna().sum().to_numpy(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


# Words and numbers for people


def _decimals(metric: Metric) -> int:
    """Decimals shown: one for percentages and counts, two for the rest."""
    return 1 if metric.unit in ("share", "yes/no", "count") else 2


def _scale(metric: Metric) -> float:
    return 100.0 if metric.unit in ("share", "yes/no") else 1.0


def _number(value: float, decimals: int, sign: bool = False) -> str:
    if np.isnan(value):
        return "–"
    text = f"{value:+.{decimals}f}" if sign else f"{value:.{decimals}f}"
    return text.lstrip("+-") if float(text) == 0.0 else text.replace("-", "−")


def format_value(value: float, metric: Metric) -> str:
    """A value as people read it: shares and yes/no in per cent, the rest in their own unit."""
    text = _number(value * _scale(metric), _decimals(metric))
    return f"{text}%" if _scale(metric) == 100.0 and text != "–" else text


def format_difference(row: Mapping[str, Any], metric: Metric) -> tuple[str, str]:
    """Difference and interval as people read them; those of shares are in percentage points.

    A difference that would round to 0 gets up to two decimals more, and an interval that does not hold 0 so many that
    it does not seem to. Without an interval the second text is empty.
    """
    scale, decimals = _scale(metric), _decimals(metric)
    difference, low, high = (float(row[key]) * scale for key in ("difference", "ci_low", "ci_high"))
    more = 0
    while more < 2 and 0.0 < abs(difference) < 0.5 * 10.0 ** -(decimals + more):
        more += 1
    while more < 6 and low * high > 0.0 and min(abs(low), abs(high)) < 0.5 * 10.0 ** -(decimals + more):
        more += 1
    decimals += more
    interval = "" if np.isnan(low) else f"[{_number(low, decimals, True)}, {_number(high, decimals, True)}]"
    return _number(difference, decimals, True), interval


def format_effect(effect: float) -> str:
    """An effect size as people read it; one that is infinite reads "same" (every run the same difference)."""
    if np.isinf(effect):
        return "same"
    return _number(effect, 1, True)


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a comparison as people read it.

    Attributes:
        metric: Its declaration.
        month: The month.
        a, b: Both means.
        difference: Mean paired difference.
        interval: Its interval, or "".
        effect: Its effect size.
        verdict: What it allows to say.
    """

    metric: Metric
    month: int
    a: str
    b: str
    difference: str
    interval: str
    effect: str
    verdict: Verdict


def lines(table: pd.DataFrame, names: Collection[str] | None = None) -> Iterator[Line]:
    """Rows of a comparison table as people read them, by month and then by family.

    Args:
        table: As ``compare_table`` returns it, of one pair of scenarios.
        names: Metrics to keep; None keeps all.
    """
    order = {name: place for place, name in enumerate(BY_NAME)}
    family = {name: place for place, name in enumerate(FAMILIES)}
    rows = [(row, BY_NAME[str(row["metric"])]) for row in records(table) if names is None or row["metric"] in names]
    for row, metric in sorted(rows, key=lambda pair: (pair[0]["month"], family[pair[1].family], order[pair[1].name])):
        difference, interval = format_difference(row, metric)
        yield Line(
            metric,
            int(row["month"]),
            format_value(row["a"], metric),
            format_value(row["b"], metric),
            difference,
            interval,
            format_effect(row["effect_size"]),
            verdict(row, metric),
        )


def setting_lines(table: pd.DataFrame) -> list[tuple[str, Line]]:
    """What the scenarios set, a label with months and a line each; months that read alike share a line.

    Args:
        table: As ``compare_table`` returns it, of one pair of scenarios. Where every run sets the same, the
            interval reads "in every run".
    """
    found: dict[tuple[str, ...], tuple[Line, list[str]]] = {}
    for line in lines(table):
        if line.metric.nature == "set":
            if line.effect == "same":
                line = replace(line, interval="in every run")
            cells = (line.metric.name, line.a, line.b, line.difference, line.interval)
            found.setdefault(cells, (line, []))[1].append(str(line.month))
    order = list(BY_NAME)
    return [
        (f"{label_of(line.metric)}, month{'s' if len(months) > 1 else ''} {', '.join(months)}", line)
        for line, months in sorted(found.values(), key=lambda pair: (order.index(pair[0].metric.name), pair[0].month))
    ]


def when(month: int) -> str:
    """A month in words: "year 5 (month 60)", or "month 7" where no year is full."""
    return f"year {month // 12} (month {month})" if month and month % 12 == 0 else f"month {month}"


def short(title: str, width: int) -> str:
    """A title that fits into a width, cut after a word where that is possible."""
    title = " ".join(title.split())
    if len(title) <= width:
        return title
    head = title[: width - 1]
    space = head.rfind(" ")
    return (head[:space] if space >= width // 2 else head).rstrip(" ,;:-–") + "…"


def short_titles(titles: Mapping[str, str], width: int) -> dict[str, str]:
    """Titles that fit into a width and still tell the scenarios apart.

    A title that is too long gives way to the scenario's name where that fits; titles that would come out equal get
    the number of the scenario.
    """
    fitted = {}
    for name, title in titles.items():
        plain = name.replace("_", " ")
        plain = plain[:1].upper() + plain[1:]
        fitted[name] = plain if len(title) > width >= len(plain) else short(title, width)
    for place, name in enumerate(fitted, 1):
        if list(fitted.values()).count(fitted[name]) > 1:
            fitted[name] = f"{short(fitted[name], width - 3)} {place}"
    return fitted


def arrow(metric: Metric) -> str:
    """The better direction: an arrow up or down, or ""."""
    return {"up": "↑", "down": "↓", "neither": ""}[metric.better]


# Tables in a terminal

_STYLES = {"a": "bold blue", "b": "bold dark_orange3", "cannot tell": "italic", "no difference": "dim"}


# Widths of the columns: with a space between each two they fill 100.
_LABEL, _VALUE, _INTERVAL, _WHO = 37, 6, 16, 17
_LABEL_SET = 52
_NARROW = 11


def _grid(title: str) -> Table:
    return Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        header_style="underline",
    )


def _label(text: str) -> Padding:
    return Padding(Text(text), (0, 0, 0, 1))


def _comparing_grid(title: str) -> Table:
    grid = _grid(title)
    # On a narrow terminal the words give way, never the numbers.
    grid.add_column("", min_width=_NARROW, max_width=_LABEL)
    for heading in ("A", "B", "B − A"):
        grid.add_column(heading, justify="right", min_width=_VALUE, no_wrap=True)
    grid.add_column(Text("95% interval"), min_width=_INTERVAL, no_wrap=True)
    return grid


def _settings(pair: pd.DataFrame, legend: str) -> Table:
    grid = _comparing_grid(f"What the scenarios set (no outcome). {legend}")
    for label, line in setting_lines(pair):
        grid.add_row(_label(label), line.a, line.b, line.difference, Text(line.interval))
    grid.columns[0].max_width = _LABEL_SET
    return grid


def _outcomes(pair: pd.DataFrame, month: int, titles: tuple[str, str], names: Collection[str] | None) -> Table:
    grid = _comparing_grid("")
    grid.add_column("Effect size", justify="right", min_width=_VALUE, max_width=_VALUE)
    grid.add_column("Who does better", min_width=_NARROW, max_width=_WHO)
    words: dict[str, str] = {
        "a": titles[0] if len(titles[0]) <= _WHO else "A",
        "b": titles[1] if len(titles[1]) <= _WHO else "B",
        "higher": "(B is higher)",
        "lower": "(B is lower)",
    }
    family = ""
    for line in lines(pair[pair["month"] == month], names):
        if line.metric.nature != "happened":
            continue
        if line.metric.family != family:
            family = line.metric.family
            grid.add_row(Text(FAMILIES[family], style="bold"))
        grid.add_row(
            _label(f"{label_of(line.metric)} {arrow(line.metric)}".rstrip()),
            line.a,
            line.b,
            line.difference,
            Text(line.interval),
            line.effect,
            Text(words.get(line.verdict, line.verdict), style=_STYLES.get(line.verdict, "")),
        )
    return grid


def notes(table: pd.DataFrame) -> list[str]:
    """How to read a comparison table, a sentence each."""
    runs = int(table["runs"].max())
    return [
        "Shares are in per cent, their differences in percentage points. Differences are taken run by run.",
        "↑ ↓ mark the better direction; without a mark neither direction is better.",
        (
            f"Intervals are over {runs} pairs of runs; one in twenty misses by chance. Cannot tell: it includes 0."
            if runs > 1
            else "One pair of runs has no interval: it cannot tell luck from rules. Ask for more runs."
        ),
        "Effect size: the difference over its deviation from pair to pair (d_z); same: every pair showed this very "
        "difference.",
        *_ends(table),
    ]


def _ends(table: pd.DataFrame) -> list[str]:
    """A sentence where coalitions have ended."""
    if (table["runs"] == table["runs"].max()).all():
        return []
    return [
        "Some coalitions have ended: what happens inside one is compared over the pairs in which both still exist; "
        "has ended: there is none."
    ]


def render(table: pd.DataFrame, titles: Mapping[str, str], everything: bool = False) -> Group:
    """A comparison for a terminal of 100 columns: settings first, then what happened, a table per month.

    Args:
        table: As ``compare_table`` returns it.
        titles: Scenario name -> title.
        everything: All metrics rather than ``KEY_METRICS``.

    Returns:
        Something that ``rich.console.Console.print`` prints.
    """
    names = None if everything else KEY_METRICS
    full = {name: titles.get(name, name) for name in _names(table)}
    parts: list[Table | Text] = []
    for first, other, pair in pairs(table):
        runs = int(pair["runs"].max())
        parts += [
            Text(f"A: {titles.get(first, first)}", style=f"reverse {_STYLES['a']}"),
            Text(f"B: {titles.get(other, other)}", style=f"reverse {_STYLES['b']}"),
            Text(f"{runs} paired {'run' if runs == 1 else 'runs'}\n"),
        ]
        legend = f"A: {full[first]}, B: {full[other]}"
        if any(BY_NAME[name].nature == "set" for name in pair["metric"]):
            parts += [_settings(pair, legend), Text()]
        for month in sorted(int(month) for month in pair["month"].unique()):
            grid = _outcomes(pair, month, (full[first], full[other]), names)
            grid.title = Text(f"What happened by {when(month)}. {legend}", style="bold")
            parts += [grid, Text()]
    for note in notes(table):
        parts.append(Text(note, style="dim"))
    if not everything:
        left = sum(BY_NAME[name].nature == "happened" and name not in KEY_METRICS for name in table["metric"].unique())
        if left:
            parts.append(Text(f"{left} more outcomes are not shown here.", style="dim"))
    return Group(*parts)


def render_summary(summary: pd.DataFrame, title: str, everything: bool = False) -> Group:
    """One scenario for a terminal of 100 columns, a column per month: mean and the middle 80% of runs.

    Args:
        summary: As ``summary_table`` returns it.
        title: The scenario's title.
        everything: All metrics rather than ``KEY_METRICS``.
    """
    months = sorted(int(month) for month in summary["month"].unique())
    runs = int(summary["runs"].max())
    parts: list[Table | Text] = [Text(f"{title}: {runs} {'run' if runs == 1 else 'runs'}\n", style="bold reverse")]
    cells = {(row["metric"], int(row["month"])): row for row in records(summary)}
    present = [metric for metric in metrics_in(set(summary["metric"]))]
    for nature, heading in (("set", "What the scenario sets (not an outcome)"), ("happened", "What happened")):
        chosen = [
            metric
            for family in FAMILIES
            for metric in present
            if metric.family == family
            and metric.nature == nature
            and (everything or nature == "set" or metric.name in KEY_METRICS)
        ]
        if not chosen:
            continue
        grid = _grid(heading)
        grid.add_column("", width=_LABEL)
        for month in months:
            grid.add_column(when(month), justify="right", no_wrap=True)
        family = ""
        for metric in chosen:
            if nature == "happened" and metric.family != family:
                family = metric.family
                grid.add_row(Text(FAMILIES[family], style="bold"))
            grid.add_row(
                _label(f"{label_of(metric)} {arrow(metric)}".rstrip()),
                *(Text(_spread(cells[metric.name, month], metric)) for month in months),
            )
        parts += [grid, Text()]
    parts.append(
        Text(
            "Mean of the runs [10th to 90th percentile]; ↑ ↓ the better direction. A mean outside its brackets comes "
            "from a few runs that went quite differently."
            if runs > 1
            else "↑ ↓ the better direction. One run is one possible course of things: ask for more to see the range.",
            style="dim",
        )
    )
    return Group(*parts)


def _spread(row: Mapping[str, Any], metric: Metric) -> str:
    mean, low, high = (format_value(row[key], metric) for key in ("mean", "low", "high"))
    if mean == low == high or metric.unit == "yes/no":
        return mean
    return f"{mean} [{low.rstrip('%')}, {high.rstrip('%')}]"


def _names(table: pd.DataFrame) -> list[str]:
    return [str(name) for name in dict.fromkeys([*table["scenario_a"], *table["scenario_b"]])]
