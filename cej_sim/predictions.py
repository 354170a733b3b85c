"""Predictions that scenario files make: what was expected, what came out, and how surely.

A file says under ``expect:`` that a metric will be higher (``up``) or lower (``down``) in its scenario than in
another one in some month. Both are run with the same luck, and the difference is taken run by run, with the interval
of ``comparison``. A prediction is a hypothesis about the model; neither verdict says anything about a real coalition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PureWindowsPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cej_sim.comparison import BY_NAME, compare_table, format_difference, label_of, records, verdict, when

#: Columns of a table of predictions, in order.
COLUMNS = (
    "scenario",
    "metric",
    "month",
    "direction",
    "against",
    "a",
    "b",
    "difference",
    "ci_low",
    "ci_high",
    "runs",
    "verdict",
)

#: What may come of a prediction. The last two are no judgment: the runs end too early, or the other is not there.
AS_EXPECTED, SURPRISE, CANNOT_TELL = "as expected", "surprise", "cannot tell"
NOT_REACHED, NOT_COMPARED = "not reached", "not compared"

_STYLES = {AS_EXPECTED: "bold blue", SURPRISE: "bold dark_orange3", CANNOT_TELL: "italic"}


class Prediction(NamedTuple):
    """What a scenario expects of itself.

    Attributes:
        scenario: Name of the predicting scenario in the monthly table.
        metric: Column of the monthly table.
        month: When.
        direction: ``up`` where the value is to be higher than the other's, ``down`` where it is to be lower.
        against: The other scenario as the file names it, a shipped name or a path.
        other: Its name in the monthly table, or None where it was not run.
    """

    scenario: str
    metric: str
    month: int
    direction: str
    against: str
    other: str | None


def judge(monthly: pd.DataFrame, predictions: Iterable[Prediction]) -> pd.DataFrame:
    """Hold predictions against a monthly table.

    Args:
        monthly: A row per scenario, run and month: columns ``scenario``, ``run``, ``month`` and metrics.
        predictions: What to judge, in the order of the result's rows.

    Returns:
        A row per prediction with the columns ``COLUMNS``. ``a`` is the mean of the scenario that is held against and
        ``b`` that of the predicting one, ``difference`` the mean of b - a within pairs of runs, ``ci_low`` and
        ``ci_high`` its 95% t interval, ``runs`` the number of pairs behind it. ``verdict`` is ``as expected`` or
        ``surprise`` where a comparison would call the difference sure, ``cannot tell`` where it would not (also where
        there is no difference, or no pair of coalitions that still exist), ``not reached`` where the runs end before
        the month, ``not compared`` where the other scenario was not run. Numbers are missing in the last two.

    Raises:
        ValueError: If a scenario or metric is not in the table, or the two scenarios have different runs.
    """
    last = {str(name): int(month) for name, month in monthly.groupby("scenario", observed=True)["month"].max().items()}
    tables: dict[tuple[str, str, int], dict[str, dict[str, Any]]] = {}
    rows = []
    for one in predictions:
        for name in (one.scenario, one.other):
            if name is not None and name not in last:
                raise ValueError(f"no scenario {name!r} in this table; it holds: {', '.join(last)}")
        if one.metric not in monthly.columns or one.metric not in BY_NAME:
            raise ValueError(f"no metric {one.metric!r} in this table")
        row: dict[str, Any] = {
            **one._asdict(),
            **dict.fromkeys(("a", "b", "difference", "ci_low", "ci_high"), np.nan),
            # A path is private, and different on every computer: the file's name says enough.
            "against": PureWindowsPath(one.against).name if one.other is None else one.other,
            "runs": 0,
        }
        if one.other is None:
            row["verdict"] = NOT_COMPARED
        elif one.month > min(last[one.scenario], last[one.other]):
            row["verdict"] = NOT_REACHED
        else:
            key = (one.other, one.scenario, one.month)
            if key not in tables:
                found = compare_table(monthly, one.other, [one.scenario], [one.month])
                tables[key] = {str(line["metric"]): line for line in records(found)}
            line = tables[key][one.metric]
            row |= {name: line[name] for name in ("a", "b", "difference", "ci_low", "ci_high", "runs")}
            row["verdict"] = _verdict(line, one)
        rows.append(row)
    kinds = {"month": int, "runs": int, **dict.fromkeys(("a", "b", "difference", "ci_low", "ci_high"), float)}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds)


def _verdict(line: Mapping[str, Any], one: Prediction) -> str:
    if verdict(line, BY_NAME[one.metric]) in ("cannot tell", "no difference", "has ended"):
        return CANNOT_TELL
    return AS_EXPECTED if (line["difference"] > 0.0) == (one.direction == "up") else SURPRISE


class Line(NamedTuple):
    """A prediction as people read it: who said what, what came out, with what interval, over how many pairs."""

    said: str
    difference: str
    interval: str
    runs: str
    verdict: str
    remark: str


def lines(table: pd.DataFrame, titles: Mapping[str, str]) -> list[Line]:
    """The rows of a table of predictions as people read them; ``titles`` holds scenario name -> title."""
    found = []
    for row in records(table):
        metric = BY_NAME[str(row["metric"])]
        other, month = titles.get(row["against"], row["against"]), int(row["month"])
        higher = "higher" if row["direction"] == "up" else "lower"
        who = titles.get(row["scenario"], row["scenario"])
        remark = {
            NOT_REACHED: f"the runs end before month {month}",
            NOT_COMPARED: f"{row['against']} was not run",
        }.get(row["verdict"], "")
        if row["verdict"] == CANNOT_TELL and not row["runs"]:
            remark = "in no pair of runs do both coalitions still exist"
        judged = int(row["runs"]) > 0
        difference, interval = format_difference(row, metric) if judged else ("", "")
        found.append(
            Line(
                f"{who}: “{label_of(metric)}” is {higher} than in {other}, {when(month)}",
                difference,
                interval,
                str(int(row["runs"])) if judged else "",
                str(row["verdict"]),
                remark,
            )
        )
    return found


#: How to read a table of predictions.
HOW_TO_READ = (
    "Difference: the predicting scenario minus the other one, run by run, over so many pairs of runs. Cannot tell: the "
    "interval includes 0, or the pairs are too few."
)


def render(table: pd.DataFrame, titles: Mapping[str, str]) -> Group:
    """Predictions for a terminal of 100 columns.

    Args:
        table: As ``judge`` returns it.
        titles: Scenario name -> title.
    """
    grid = Table(
        title=Text("Predictions", style="bold"),
        title_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        header_style="underline",
    )
    grid.add_column("What was expected", max_width=46)
    grid.add_column("Difference", justify="right", no_wrap=True)
    grid.add_column("95% interval", min_width=14, no_wrap=True)
    grid.add_column("Pairs", justify="right", no_wrap=True)
    grid.add_column("What came out", min_width=11, max_width=18)
    for line in lines(table, titles):
        verdict_words = f"{line.verdict}: {line.remark}" if line.remark else line.verdict
        grid.add_row(
            Text(line.said),
            line.difference,
            Text(line.interval),
            line.runs,
            Text(verdict_words, style=_STYLES.get(line.verdict, "")),
        )
    return Group(grid, Text(HOW_TO_READ, style="dim"))
