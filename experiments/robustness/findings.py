"""The main findings, one row for each alternative: does Collective Impact or community-led do better, as before?

    python experiments/robustness/findings.py results/robustness --out results/robustness_findings

takes directories of sweeps over lists of cells with both scenarios (several are put below each other), and writes
findings.csv, findings.png and findings.svg. The first cell of each is what its others are held against.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from rich.console import Console
from rich.table import Table

from cej_sim import provenance
from cej_sim.comparison import BY_NAME, compare_table, format_difference, label_of, records, verdict
from cej_sim.plots import FAINT, INK, SOFT, canvas, fit, write
from cej_sim.sweeps.figures.frame import save
from cej_sim.sweeps.store import Sweep, SweepError, SweepFailure

CI, LED = "collective_impact", "community_led"

#: The main findings: outcome and month. Say and ideas after five years, when most grants still run.
FINDINGS: tuple[tuple[str, int], ...] = (
    ("burden", 24),
    ("burden", 120),
    ("disparity_ratio", 120),
    ("policy_wins", 120),
    ("decision_share", 60),
    ("agenda_origin", 60),
)

#: What can come out of one of them -> shape and color (Okabe and Ito 2008; the shapes alone tell them apart).
CI_AHEAD, LED_AHEAD, OPEN = "Collective Impact", "community-led", "cannot tell"
LOOKS = {CI_AHEAD: ("s", "#0072B2"), LED_AHEAD: ("o", "#D55E00"), OPEN: ("D", "#6b6b6b")}

#: The most rows of one picture.
MOST = 30


@dataclass(frozen=True)
class Pictured:
    """The words of a picture.

    Attributes:
        heading: What it shows.
        how: How to read it.
        footer: What every picture says of itself.
        note: What the files say of themselves.
    """

    heading: str
    how: str
    footer: str
    note: str


# Numbers


def ahead(row: dict[str, Any]) -> str:
    """Who does better, or has more where neither direction is better."""
    told = verdict(row, BY_NAME[str(row["metric"])])
    return {"a": CI_AHEAD, "b": LED_AHEAD, "lower": CI_AHEAD, "higher": LED_AHEAD}.get(told, OPEN)


def of_monthly(monthly: pd.DataFrame, label: str, block: int) -> pd.DataFrame:
    """The findings of one pair: rows of ``FINDINGS`` with means, paired difference, interval and who is ahead.

    Args:
        monthly: ``scenario run month`` and the metrics, ``alive`` among them.
        label: What it is called.
        block: Number of the block of rows that are held against the same first one.
    """
    found = compare_table(monthly, CI, [LED], sorted({month for _, month in FINDINGS}))
    chosen = found.set_index(["metric", "month"]).loc[list(FINDINGS)].reset_index()
    chosen["ahead"] = [ahead(row) for row in records(chosen)]
    columns = ["metric", "month", "a", "b", "difference", "ci_low", "ci_high", "runs", "ahead"]
    return chosen[columns].rename(columns={"a": CI, "b": LED}).assign(label=label, block=block)


def of_sweep(directory: Path, block: int) -> pd.DataFrame:
    """The findings of every finished cell of a sweep.

    Raises:
        SweepError: If it is not a sweep of both scenarios that kept what the findings need.
        SweepFailure: If it is damaged.
    """
    sweep = Sweep(directory)
    if set(sweep.design.names) != {CI, LED} or sweep.design.kind != "list":
        raise SweepError(f"{directory} is no list of cells with {CI} and {LED}; name one such as that of design.yaml")
    metrics = list(dict.fromkeys([*(metric for metric, _ in FINDINGS), "alive"]))
    rows = sweep.rows(metrics, sorted({month for _, month in FINDINGS}))
    cells = sweep.cells
    parts = [
        of_monthly(rows[rows["cell"] == cell["cell"]], str(cell["label"]), block)
        for cell in records(cells)
        if cell["status"] == "done"
    ]
    if not parts:
        raise SweepError(f"{directory}: no cell is done; run `cej-sim sweep` again")
    missing = int((cells["status"] != "done").sum())
    if missing:
        listed = "; ".join(f"{one['label']}: {one['error'] or 'not computed yet'}" for one in records(cells)
                           if one["status"] != "done")  # fmt: skip
        print(f"{directory}: {missing} of {len(cells)} cells are missing: {listed}", file=sys.stderr)
    return pd.concat(parts, ignore_index=True)


def held_against(table: pd.DataFrame) -> pd.DataFrame:
    """The table with ``as_before``: yes, where the same side is ahead as in the first row of its block."""
    firsts = table.groupby("block")["label"].transform("first")
    first = table[table["label"] == firsts].drop_duplicates(["block", "metric", "month"])
    before = first.set_index(["block", "metric", "month"])["ahead"]
    keys = pd.MultiIndex.from_frame(table[["block", "metric", "month"]])
    same = before.reindex(keys).to_numpy() == table["ahead"].to_numpy()
    columns = ["block", "label", *(name for name in table.columns if name not in ("block", "label"))]
    return table[columns].assign(as_before=np.where(same, "yes", "no"))


# The picture


def picture(table: pd.DataFrame, words: Pictured) -> Figure:
    """A row for each alternative and a panel for each finding, legible on a projector (1600 x 900)."""
    labels = table[["block", "label"]].drop_duplicates().reset_index(drop=True)
    figure = canvas(16, 9)
    wide = figure.bbox.width
    fit(write(figure, 0.02, 0.975, words.heading, fontsize=22, fontweight="bold", va="top", gid="title"), 0.96 * wide)
    fit(write(figure, 0.02, 0.921, words.how, fontsize=12.5, color=SOFT, va="top", linespacing=1.25), 0.96 * wide, 2)
    fit(write(figure, 0.02, 0.012, words.footer, fontsize=12, gid="footer"), 0.96 * wide)
    left, bottom, height, gap = 0.245, 0.135, 0.635, 0.012
    each = (0.985 - left) / len(FINDINGS)
    panels = [
        figure.add_axes((left + place * each + gap / 2, bottom, each - gap, height)) for place in range(len(FINDINGS))
    ]
    rows = len(labels)
    size = min(12.5, 300.0 / rows)
    starts = labels.index[labels["block"] != labels["block"].shift()].to_list()
    for axes, (metric, month) in zip(panels, FINDINGS, strict=True):
        part = table[(table["metric"] == metric) & (table["month"] == month)].reset_index(drop=True)
        _panel(axes, part, starts, rows)
        heading = f"{label_of(BY_NAME[metric])}, year {month // 12}"
        fit(write(axes, 0.5, 1.015, heading, fontsize=12.5, fontweight="bold", va="bottom", ha="center",
                  linespacing=1.0), (each - gap) * wide, 4)  # fmt: skip
    group = ""
    for row, one in enumerate(records(labels)):
        level = bottom + height * (rows - 0.5 - row) / rows
        prefix = str(one["label"]).partition(":")[0]
        style = {"fontweight": "bold"} if row in starts else {}
        fit(write(figure, 0.02, level, str(one["label"]), fontsize=size, va="center", linespacing=0.9, **style),
            (left - 0.03) * wide, 1 if rows > 16 else 2)  # fmt: skip
        if row and prefix != group:
            for axes in panels:
                axes.axhline(row - 0.5, color=FAINT, linewidth=0.8, zorder=0.5)
        group = prefix
    marks = [
        Line2D([], [], marker=shape, color=color, markersize=9, linewidth=2.0, markeredgecolor=color,
               markerfacecolor="white" if who == OPEN else color)
        for who, (shape, color) in LOOKS.items()
    ]  # fmt: skip
    marks.append(Line2D([], [], color=INK, linewidth=1.2, linestyle=(0, (4, 3))))
    texts = ["Collective Impact does better (or has more)", "community-led does better (or has more)",
             "cannot tell", "the first row of its block"]  # fmt: skip
    figure.legend(marks, texts, loc="lower left", bbox_to_anchor=(0.012, 0.034), ncols=4, frameon=False, fontsize=12,
                  handletextpad=0.6, columnspacing=1.8)  # fmt: skip
    return figure


def _panel(axes: Axes, part: pd.DataFrame, starts: Sequence[int], rows: int) -> None:
    """One finding: a mark with its interval for each row."""
    percent = 100.0 if BY_NAME[str(part["metric"].iloc[0])].unit in ("share", "yes/no") else 1.0
    axes.set_ylim(rows - 0.5, -0.5)
    axes.axvline(0.0, color=SOFT, linewidth=1.0, zorder=1)
    for place, start in enumerate(starts):
        end = starts[place + 1] if place + 1 < len(starts) else rows
        axes.plot([percent * part["difference"].iloc[start]] * 2, [start - 0.5, end - 0.5], color=INK, linewidth=1.0,
                  linestyle=(0, (4, 3)), zorder=1)  # fmt: skip
    for row, one in enumerate(records(part)):
        shape, color = LOOKS[one["ahead"]]
        middle, low, high = (percent * one[name] for name in ("difference", "ci_low", "ci_high"))
        if not np.isnan(low):
            axes.plot([low, high], [row, row], color=color, linewidth=2.2, zorder=3, solid_capstyle="butt")
        if not np.isnan(middle):
            axes.plot([middle], [row], marker=shape, markersize=8, color=color, markeredgecolor=color, zorder=4,
                      markerfacecolor="white" if one["ahead"] == OPEN else color, clip_on=False)  # fmt: skip
    axes.margins(x=0.12)
    axes.xaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
    axes.set_yticks([])
    axes.tick_params(labelsize=11, colors=SOFT, length=3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)


# Words


def show(table: pd.DataFrame, console: Console) -> None:
    """Print the differences, with a mark where another side is ahead than in the first row."""
    printed = Table(title="Community-led less Collective Impact; * where another side is ahead than in the first row",
                    title_justify="left")  # fmt: skip
    printed.add_column("")
    for metric, month in FINDINGS:
        printed.add_column(f"{label_of(BY_NAME[metric])}, year {month // 12}", justify="right")
    for (_, label), part in table.groupby(["block", "label"], sort=False):
        cells = []
        for row in records(part):
            text = format_difference(row, BY_NAME[row["metric"]])[0]
            cells.append(f"{text}{'' if row['as_before'] == 'yes' else ' *'}")
        printed.add_row(str(label), *cells)
    console.print(printed)


def files(table: pd.DataFrame, words: Pictured) -> dict[str, Any]:
    """Name of each file -> what writes it at a path."""
    figure = picture(table, words)
    return {
        "findings.csv": lambda path: table.to_csv(path, index=False),
        **{
            f"findings.{kind}": lambda path, kind=kind: path.write_bytes(save(figure, kind, words.note))
            for kind in ("png", "svg")
        },
    }


#: How the picture is read.
HOW = (
    "Community-led less Collective Impact, paired run by run, with 95% intervals; shares in percentage points. Where "
    "the interval includes 0 the runs cannot tell."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Tabulate and draw; 0 when done, 2 where the request is wrong."""
    parser = argparse.ArgumentParser(description="The main findings, a row for each alternative, from sweeps.")
    parser.add_argument("sweeps", type=Path, nargs="+", metavar="DIR", help="directory of a sweep over a list of cells")
    parser.add_argument("--out", type=Path, required=True, help="directory for the table and the picture")
    given = parser.parse_args(arguments)
    try:
        provenance.check_output(given.out)
        table = held_against(
            pd.concat([of_sweep(directory, block) for block, directory in enumerate(given.sweeps)], ignore_index=True)
        )
        rows = len(table) // len(FINDINGS)
        if rows > MOST:
            raise SweepError(f"there are {rows} cells, and a picture holds {MOST}; name fewer sweeps")
        abouts = [Sweep(directory) for directory in given.sweeps]
        seeds = ", ".join(dict.fromkeys(str(one.design.seed) for one in abouts))
        sets = max(min(one.design.runs, len(one.design.ensemble or ())) for one in abouts)
        runs = " and ".join(dict.fromkeys(str(one.design.runs) for one in abouts))
        told = f"{runs} paired runs in each row" + (f" over up to {sets} parameter sets" if sets else "")
        facts = f"{told}, seed {seeds}, cej_sim {provenance.version()}"
        words = Pictured(
            "Do the main findings hang on how things are modeled?", HOW, f"Illustration, not prediction.  {facts}.",
            f"{provenance.NOTE}; {facts}",
        )  # fmt: skip
        described = {
            "software": provenance.SOFTWARE,
            "note": words.note,
            "version": provenance.version(),
            "commit": provenance.commit(),
            "command": " ".join(["python", "experiments/robustness/findings.py",
                                 *map(os.fspath, sys.argv[1:] if arguments is None else arguments)]),
            "sweeps": [{"title": one.design.title, "content_hash": one.content_hash} for one in abouts],
        }  # fmt: skip
        show(table, Console())
        provenance.write(given.out, described, files(table, words))
    except (SweepError, SweepFailure, provenance.OutputError) as error:
        parser.error(str(error))
    Console().print(f"written to {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
