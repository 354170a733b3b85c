"""The verdicts on the hypotheses under one set of assumptions beside those under another.

    python experiments/robustness/side_by_side.py results/hypotheses results/mirrored --out results/side_by_side

takes the directories of two or more sweeps of the same hypotheses, each analyzed before, and writes verdicts.csv (a row
for each test), hypotheses.csv, and side_by_side.png and .svg. --names says what each is called.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from rich.console import Console
from rich.table import Table

from cej_sim import provenance
from cej_sim.comparison import label_of, records
from cej_sim.plots import FAINT, INK, SOFT, canvas, fit, write
from cej_sim.sweeps.figures.frame import save
from cej_sim.sweeps.hypotheses import MAIN, sha256
from cej_sim.sweeps.page import FOLDER
from cej_sim.sweeps.store import Sweep, SweepError, SweepFailure
from cej_sim.sweeps.verdict_figures import ARROWS, LOOKS, SIGNS, metric_of, scaled
from cej_sim.sweeps.verdicts import CANNOT_TELL, MIXED, REFUTED, SUPPORTED, oriented_row

#: What sweeps are called that go through these files of parameter sets.
CALLED = {"ensemble.csv": "fitted to what is known", "advocate.csv": "an advocate's", "critic.csv": "a critic's"}

#: The most sweeps beside each other.
MOST = 4

_KEYS = ["hypothesis", "setup", "test", "metric", "month", "expected", "smallest"]


@dataclass(frozen=True)
class Side:
    """The verdicts of one sweep.

    Attributes:
        name: What its assumptions are called.
        sweep: The sweep.
        hypotheses, verdicts: The tables of its analysis.
    """

    name: str
    sweep: Sweep
    hypotheses: pd.DataFrame
    verdicts: pd.DataFrame


def read(directory: Path, name: str | None = None) -> Side:
    """The verdicts of a sweep that was analyzed.

    Raises:
        SweepError: If it is not one of hypotheses, or was not analyzed.
        SweepFailure: If it is damaged.
    """
    sweep = Sweep(directory)
    if sweep.design.kind != "hypotheses":
        raise SweepError(f"{directory} judges no hypotheses; name the directory of a design such as mirrored.yaml")
    about = provenance.read(directory / FOLDER)
    if about is None or not (directory / FOLDER / "verdicts.csv").is_file():
        raise SweepError(f"{directory} was not analyzed yet; run: cej-sim analyze {directory}")
    if about.get("sweep", {}).get("content_hash") != sweep.content_hash:
        raise SweepError(f"{directory} has gone on since it was analyzed; run: cej-sim analyze {directory}")
    ensemble = sweep.design.ensemble
    if name is None:
        file = "" if ensemble is None else Path(ensemble.source).name
        name = "the defaults alone" if ensemble is None else CALLED.get(file, file or sweep.design.title)
    tables = [pd.read_csv(directory / FOLDER / f"{table}.csv") for table in ("hypotheses", "verdicts")]
    return Side(name, sweep, *tables)


def together(sides: Sequence[Side]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row per hypothesis and pair of setups, and a row per test, with the columns of every side beside each other.

    Raises:
        SweepError: If the sides do not judge the same hypotheses.
    """
    declared = {sha256(side.sweep.design.declaration) for side in sides}
    if len(declared) > 1:
        raise SweepError("the sweeps judge different declarations of hypotheses; compute them from the same file")
    tests = sides[0].verdicts[_KEYS].copy()
    pairs = sides[0].hypotheses[["hypothesis", "setup", "title"]].copy()
    for side in sides:
        columns = ["verdict", "difference", "ci_low", "ci_high", "p_sign", "sets", "control"]
        chosen = side.verdicts.set_index(_KEYS)[columns].add_prefix(f"{side.name}: ")
        tests = tests.join(chosen, on=_KEYS)
        of_pair = side.hypotheses.set_index(["hypothesis", "setup"])[["verdict"]].add_prefix(f"{side.name}: ")
        pairs = pairs.join(of_pair, on=["hypothesis", "setup"])
    for table in (pairs, tests):
        given = table[[f"{side.name}: verdict" for side in sides]]
        table["alike"] = ["yes" if row.nunique(dropna=False) == 1 else "no" for _, row in given.iterrows()]
    return pairs, tests


# The picture

#: Colors of the sides beside the shapes of verdicts (Okabe and Ito 2008), and their dashes.
STYLES = (
    ("#0072B2", "-"),
    ("#D55E00", (0, (5, 1.5))),
    ("#009E73", (0, (1.5, 1.2))),
    ("#000000", (0, (6, 1.5, 1.5, 1.5))),
)


def picture(sides: Sequence[Side], words: Mapping[str, str]) -> Figure:
    """A row for each test and a mark for each side, legible on a projector (1600 x 900)."""
    figure = canvas(16, 9)
    wide = figure.bbox.width
    fit(
        write(figure, 0.02, 0.978, words["heading"], fontsize=22, fontweight="bold", va="top", gid="title"), 0.96 * wide
    )
    fit(write(figure, 0.02, 0.926, words["how"], fontsize=12.5, color=SOFT, va="top", linespacing=1.25), 0.96 * wide, 2)
    fit(write(figure, 0.02, 0.012, words["footer"], fontsize=12, gid="footer"), 0.96 * wide)
    groups = _groups(sides)
    sizes = [1 + len(rows) for _, rows in groups]
    cut = min(range(1, len(groups) + 1), key=lambda place: max(sum(sizes[:place]), sum(sizes[place:])))
    columns = [groups] if sum(sizes) <= 20 or cut == len(groups) else [groups[:cut], groups[cut:]]
    lines = max(sum(1 + len(rows) for _, rows in column) for column in columns)
    ends = [
        abs(scaled(value / row["smallest"]))
        for _, rows in groups for given in rows for row in given
        for value in (row["difference"], row["ci_low"], row["ci_high"]) if not math.isnan(value)
    ]  # fmt: skip
    reach = max(2.0, max(ends, default=2.0) + 0.2)
    for place, column in enumerate(columns):
        start, width = 0.02 + place * 0.49, 0.47 if len(columns) > 1 else 0.96
        axes = figure.add_axes((start + 0.245, 0.115, 0.15 if len(columns) > 1 else 0.6, 0.735))
        _column(figure, axes, column, lines, start, width, reach, sides)
    _legend(figure, sides)
    return figure


def _groups(sides: Sequence[Side]) -> list[tuple[str, list[list[dict[str, Any]]]]]:
    """Heading of each hypothesis with its verdicts, and for each of its tests the rows of all sides."""
    groups = []
    for one in records(sides[0].hypotheses):
        key = [one["hypothesis"], one["setup"]]
        signs = []
        tests: dict[int, list[dict[str, Any]]] = {}
        for side in sides:
            mine = side.hypotheses[(side.hypotheses[["hypothesis", "setup"]] == key).all(axis=1)]
            signs.append(SIGNS[mine["verdict"].iloc[0]])
            for row in records(side.verdicts[(side.verdicts[["hypothesis", "setup"]] == key).all(axis=1)]):
                tests.setdefault(int(row["test"]), []).append(row)
        also = "" if one["setup"] == MAIN else f" ({one['setup']})"
        groups.append((f"{' '.join(signs)}  {one['hypothesis']} {one['title']}{also}", list(tests.values())))
    return groups


def _column(
    figure: Figure,
    axes: Axes,
    groups: Sequence[tuple[str, list[list[dict[str, Any]]]]],
    lines: int,
    start: float,
    width: float,
    reach: float,
    sides: Sequence[Side],
) -> None:
    """One column of tests under their hypotheses."""
    wide = figure.bbox.width
    axes.set_xlim(-reach, reach)
    axes.set_ylim(lines - 0.4, -0.6)
    axes.axvspan(-1.0, 1.0, color="#ececec", zorder=0, linewidth=0)
    axes.axvline(0.0, color=SOFT, linewidth=1.0, zorder=1)
    ticks = [sign * (1.0 + power) for power in range(math.floor(reach - 1.0) + 1) for sign in (-1.0, 1.0)]
    axes.set_xticks([0.0, *ticks])
    axes.set_xticklabels(["0", *(f"{math.copysign(10.0 ** (abs(tick) - 1.0), tick):g}" for tick in ticks)])
    axes.set_yticks([])
    axes.tick_params(labelsize=11, colors=SOFT, length=3)
    for edge in ("top", "right", "left"):
        axes.spines[edge].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    write(axes, 0.0, 1.012, "← against", fontsize=10.5, color=SOFT, va="bottom", ha="left")
    write(axes, 1.0, 1.012, "as expected →", fontsize=10.5, color=SOFT, va="bottom", ha="right")
    box = axes.get_position()

    def level(y: float) -> float:
        return box.y0 + box.height * (lines - 0.4 - y) / (lines + 0.2)

    y = 0.0
    step = 0.56 / max(1, len(sides) - 1)
    for heading, rows in groups:
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        fit(write(figure, start, level(y), heading, fontsize=12, fontweight="bold", va="center", bbox=paper),
            width * wide)  # fmt: skip
        y += 1.0
        for given in rows:
            axes.axhline(y, color=FAINT, linewidth=0.6, zorder=0.5)
            for place, row in enumerate(given):
                _mark(axes, row, y - 0.28 + place * step if len(sides) > 1 else y, place)
            test = given[0]
            label = f"{label_of(metric_of(test['metric']))}, {int(test['month'])} {ARROWS[test['expected']]}"
            fit(write(figure, start + 0.012, level(y), label, fontsize=11.5, va="center"), 0.228 * wide)
            found = list(dict.fromkeys(row["verdict"] for row in given))
            told = found[0] if len(found) == 1 else "  ".join(SIGNS[row["verdict"]] for row in given)
            style = {"fontweight": "bold", "color": INK} if len(found) > 1 else {"color": SOFT}
            fit(write(figure, box.x1 + 0.006, level(y), told, fontsize=11.5, va="center", **style),
                (start + width - box.x1 - 0.006) * wide)  # fmt: skip
            y += 1.0


def _mark(axes: Axes, row: Mapping[str, Any], y: float, place: int) -> None:
    """The effect of one test on one side: the shape is the verdict, color and dashes are the side."""
    color, dashes = STYLES[place]
    middle, low, high = (scaled(value / row["smallest"]) for value in oriented_row(row, ""))
    if math.isnan(middle):
        return
    if not math.isnan(low):
        axes.plot([low, high], [y, y], color=color, linewidth=1.8, linestyle=dashes, zorder=3)
    hollow = row["verdict"] in (CANNOT_TELL, MIXED)
    axes.plot([middle], [y], marker=LOOKS[row["verdict"]][0], markersize=6.5, color=color, markeredgecolor=color,
              markerfacecolor="white" if hollow else color, linestyle="none", zorder=4, clip_on=False)  # fmt: skip


def _legend(figure: Figure, sides: Sequence[Side]) -> None:
    marks: list[tuple[Any, str]] = [
        (Line2D([], [], color=color, linewidth=2.4, linestyle=dashes), side.name)
        for side, (color, dashes) in zip(sides, STYLES, strict=False)
    ]
    for word in (SUPPORTED, REFUTED, CANNOT_TELL):
        look = {"markerfacecolor": "white"} if word == CANNOT_TELL else {}
        marks.append((Line2D([], [], marker=LOOKS[word][0], color=INK, linestyle="none", markersize=8, **look), word))
    marks.append((Patch(color="#ececec"), "too small to matter"))
    figure.legend([mark for mark, _ in marks], [text for _, text in marks], loc="lower left",
                  bbox_to_anchor=(0.012, 0.033), ncols=len(marks), frameon=False, fontsize=12, handletextpad=0.5,
                  columnspacing=1.5)  # fmt: skip


# Words


def counted(side: Side) -> str:
    """How many hypotheses came out how, on their main setups."""
    main = list(side.hypotheses.loc[side.hypotheses["setup"] == MAIN, "verdict"])
    told = [f"{main.count(word)} {word}" for word in (SUPPORTED, REFUTED, MIXED) if word in main]
    return f"{side.name}: {', '.join(told) or 'none computed'}"


def show(sides: Sequence[Side], pairs: pd.DataFrame, console: Console) -> None:
    """Print the verdicts on the hypotheses."""
    table = Table(title="Verdicts under each set of assumptions; * where they differ", title_justify="left")
    for column in ("", *(side.name for side in sides)):
        table.add_column(column)
    for row in records(pairs):
        also = "" if row["setup"] == MAIN else f" ({row['setup']})"
        label = f"{row['hypothesis']} {row['title']}{also}{'' if row['alike'] == 'yes' else ' *'}"
        table.add_row(label, *(str(row[f"{side.name}: verdict"]) for side in sides))
    console.print(table)
    for side in sides:
        console.print(counted(side))


HOW = (
    "Effects in multiples of the least difference that matters to a coalition, with 95% intervals over parameter sets; "
    "signs before a hypothesis, and behind a test where they differ, give the verdicts in the order of the key: "
    f"{', '.join(f'{SIGNS[word]} {word}' for word in (SUPPORTED, REFUTED, CANNOT_TELL, MIXED))}."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Tabulate and draw; 0 when done, 2 where the request is wrong."""
    parser = argparse.ArgumentParser(description="Verdicts under one set of assumptions beside those under another.")
    parser.add_argument(
        "sweeps", type=Path, nargs="+", metavar="DIR", help="directory of an analyzed sweep of hypotheses"
    )
    parser.add_argument("--out", type=Path, required=True, help="directory for the tables and the picture")
    parser.add_argument("--names", nargs="+", metavar="NAME", help="what the assumptions of each sweep are called")
    given = parser.parse_args(arguments)
    if not 2 <= len(given.sweeps) <= MOST:
        parser.error(
            f"name two to {MOST} directories; there {'is' if len(given.sweeps) == 1 else 'are'} {len(given.sweeps)}"
        )
    names = given.names or [None] * len(given.sweeps)
    if len(names) != len(given.sweeps):
        parser.error(f"--names: there are {len(given.sweeps)} sweeps and {len(names)} names; give each one name")
    try:
        provenance.check_output(given.out)
        sides = [read(directory, name) for directory, name in zip(given.sweeps, names, strict=True)]
        if len({side.name for side in sides}) < len(sides):
            raise SweepError("two of the sweeps would be called the same; give each a name with --names")
        pairs, tests = together(sides)
        runs = ", ".join(f"{side.name}: {side.sweep.design.runs:,}" for side in sides)
        facts = f"Paired runs of each pair of setups: {runs}; cej_sim {provenance.version()}"
        differ = int((pairs.loc[pairs["setup"] == MAIN, "alike"] == "no").sum())
        number = int((pairs["setup"] == MAIN).sum())
        words = {
            "heading": f"Verdicts under other assumptions: {differ} of {number} hypotheses come out differently",
            "how": HOW,
            "footer": f"Illustration, not prediction.  {facts}.",
        }
        note = f"{provenance.NOTE}; {facts}"
        described = {
            "software": provenance.SOFTWARE,
            "note": note,
            "version": provenance.version(),
            "commit": provenance.commit(),
            "command": " ".join(["python", "experiments/robustness/side_by_side.py",
                                 *map(os.fspath, sys.argv[1:] if arguments is None else arguments)]),
            "sweeps": [
                {
                    "name": side.name,
                    "title": side.sweep.design.title,
                    "content_hash": side.sweep.content_hash,
                    "ensemble": side.sweep.design.ensemble.described() if side.sweep.design.ensemble else None,
                }
                for side in sides
            ],
        }  # fmt: skip
        figure = picture(sides, words)
        provenance.write(
            given.out,
            described,
            {
                "hypotheses.csv": lambda path: pairs.to_csv(path, index=False),
                "verdicts.csv": lambda path: tests.to_csv(path, index=False),
                **{
                    f"side_by_side.{kind}": lambda path, kind=kind: path.write_bytes(save(figure, kind, note))
                    for kind in ("png", "svg")
                },
            },
        )
        show(sides, pairs, Console())
    except (SweepError, SweepFailure, provenance.OutputError) as error:
        parser.error(str(error))
    Console().print(f"written to {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
