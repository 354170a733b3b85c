"""Pictures of who is ahead in which cells: maps, scatter plots, rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cej_sim.comparison import label_of, records, when
from cej_sim.parameters import Metric
from cej_sim.sweeps.analysis import Analysis, levels, plain
from cej_sim.sweeps.figures.choice import ROWS, cell_words, drawn_words, in_parts, sides_of, spread_by_rank
from cej_sim.sweeps.figures.frame import PANELS, Picture, Wording
from cej_sim.sweeps.figures.maps import Map, brief, full_color, map_figure, scatter_figure, side_of
from cej_sim.sweeps.figures.rows import Mark, rows_figure

#: Dots in a scatter plot; of more cells so many are drawn by lot.
DOTS = 2000


def cell_pictures(
    found: Analysis, wording: Wording, response: str, month: int, metrics: Sequence[Metric], tail: str
) -> Iterator[Picture]:
    """What this design allows of maps, scatter plots and rows of cells."""
    kind = found.study.kind
    factors = found.study.factors
    if kind in ("grid", "full_factorial") and len(factors) == 1:
        yield from _line_pictures(found, wording, response, month, metrics, tail)
    elif kind in ("grid", "full_factorial") and len(factors) > 1:
        yield from _grid_pictures(found, wording, response, month, metrics, tail)
    elif kind in ("latin_hypercube", "sobol", "morris") and len(factors) > 1:
        yield from _scatter_pictures(found, wording, response, month, metrics, tail)
    elif kind == "list":
        yield from _line_pictures(found, wording, response, month, metrics, tail)


def _what(wording: Wording, sides: tuple[str, str] | None, response: str) -> str:
    return f"{sides[0]} or {sides[1]}: who gets further" if sides else wording.response(response)


_MAP_ALT = "A map; every cell's difference, interval and verdict stand in the table."


def _grid_pictures(
    found: Analysis, wording: Wording, response: str, month: int, metrics: Sequence[Metric], tail: str
) -> Iterator[Picture]:
    factors = found.study.factors
    sides = sides_of(found, wording, response)
    by_name = {factor.name: factor for factor in factors}
    ends = found.study.kind == "full_factorial"
    coded = {factor.name: levels(factor, found.cells[factor.name], ends) for factor in factors}

    def panel(metric: Metric, frame: pd.DataFrame, x: str, y: str, title: str, largest: float) -> Map:
        places = frame.index.to_numpy()
        frame = frame.assign(x=coded[x][0][places], y=coded[y][0][places])
        return Map(title, metric, frame, coded[x][1], coded[y][1], largest)

    def sure(frame: pd.DataFrame) -> float:
        values = frame.loc[frame["verdict"].map(side_of).notna(), "value"].abs()
        return float(values.max()) if len(values) else 0.0

    intro = "One rectangle is one cell of the design" + (
        "; numbers are differences (percentage points for shares): the larger, the darker, up to the largest that is "
        "sure. Hatched: the interval includes 0, cannot tell."
        if sides
        else "; numbers are means over runs."
    )
    what = _what(wording, sides, response)
    table = "differences" if sides else "outcomes"
    if len(factors) == 2:
        # The factor with more levels lies along the wider side.
        x, y = sorted((factor.name for factor in factors), key=lambda name: -len(coded[name][1]))
        for part, chosen in in_parts(metrics, PANELS):

            def draw(chosen: Sequence[Metric] = chosen) -> Figure:
                frames = {metric.name: found.at(response, metric.name, month) for metric in chosen}
                maps = [panel(m, frames[m.name], x, y, "", sure(frames[m.name])) for m in chosen]
                return map_figure(
                    f"{what}, {when(month)}", intro, wording.footer, maps, (by_name[x].label, by_name[y].label), sides
                )

            yield Picture(f"map{tail}{part}", f"{what}, {when(month)}", intro, _MAP_ALT, table, draw)
        return
    for metric in metrics:
        names = list(found.importance(response, metric.name, month).index)
        shown = names[:2]
        across: list[str] = []
        panels = 1
        for name in names[2:]:
            if panels * len(coded[name][1]) > 12:
                break
            panels *= len(coded[name][1])
            across.append(name)
        held = [name for name in names[2:] if name not in across]
        fixed = {name: (len(coded[name][1]) - 1) // 2 for name in held}
        words = "".join(f" Here {by_name[n].label} is {coded[n][1][level]}." for n, level in fixed.items())

        def draw_metric(
            metric: Metric = metric,
            shown: Sequence[str] = shown,
            across: Sequence[str] = across,
            fixed: Mapping[str, int] = fixed,
            words: str = words,
        ) -> Figure:
            frame = found.at(response, metric.name, month)
            keep = np.ones(len(frame), dtype=bool)
            for name, level in fixed.items():
                keep &= coded[name][0] == level
            frame = frame[keep]
            largest = sure(frame)
            codes = np.stack([coded[name][0][keep] for name in across], axis=1)
            maps = []
            for combination in sorted({tuple(code) for code in codes}):
                title = ", ".join(
                    f"{by_name[name].label}: {brief(coded[name][1][level])}"
                    for name, level in zip(across, combination, strict=True)
                )
                maps.append(
                    panel(metric, frame[(codes == combination).all(axis=1)], shown[0], shown[1], title, largest)
                )
            full = full_color(maps[0], sides)
            return map_figure(
                f"{label_of(metric)}, {when(month)}",
                f"{what}? {intro}{words} {full[:1].upper()}{full[1:]}{'.' if full else ''}",
                wording.footer,
                maps,
                (by_name[shown[0]].label, by_name[shown[1]].label),
                sides,
            )

        yield Picture(
            f"map_{metric.name}{tail}", f"{label_of(metric)}: {what}", intro + words, _MAP_ALT, table, draw_metric
        )


def _scatter_pictures(
    found: Analysis, wording: Wording, response: str, month: int, metrics: Sequence[Metric], tail: str
) -> Iterator[Picture]:
    sides = sides_of(found, wording, response)
    by_name = {factor.name: factor for factor in found.study.factors}
    numeric = [f.name for f in found.study.factors if pd.api.types.is_numeric_dtype(found.cells[f.name])]
    if len(numeric) < 2:
        return
    what = _what(wording, sides, response)
    rng = np.random.default_rng(1)
    total = len(found.cells)
    drawn = np.sort(rng.choice(total, DOTS, replace=False)) if total > DOTS else np.arange(total)
    intro = (
        "Each mark is one cell; the axes are the two factors that matter most for that outcome, the others vary too."
        + drawn_words(len(drawn), total, "chosen by lot", "differences" if sides else "outcomes")
    )
    for part, chosen in in_parts(metrics, PANELS):

        def draw(chosen: Sequence[Metric] = chosen) -> Figure:
            panels = []
            for metric in chosen:
                order = [n for n in found.importance(response, metric.name, month).index if n in numeric]
                x, y = order[:2]
                frame = found.at(response, metric.name, month).iloc[drawn]
                frame = pd.DataFrame(
                    {"x": frame[x], "y": frame[y], "value": frame["value"], "verdict": frame["verdict"]}
                )
                panels.append((metric, frame, (by_name[x].label, by_name[y].label), (by_name[x].log, by_name[y].log)))
            return scatter_figure(f"{what}, {when(month)}", intro, wording.footer, panels, sides)

        alt = "Marks over two factors; every cell's difference, interval and verdict stand in the table."
        yield Picture(
            f"cells{tail}{part}", f"{what}, {when(month)}", intro, alt, "differences" if sides else "outcomes", draw
        )


def _line_pictures(
    found: Analysis, wording: Wording, response: str, month: int, metrics: Sequence[Metric], tail: str
) -> Iterator[Picture]:
    """Cells in rows: of one factor, or of a list. Of many, some: levels evenly spaced, or cells spread by rank."""
    sides = sides_of(found, wording, response)
    cells, table = found.cells, "differences" if sides else "outcomes"
    one = found.study.factors[0] if found.study.kind != "list" else None
    words = cell_words(cells, None if one is None else [f"{one.label}: {plain(value)}" for value in cells[one.name]])
    intro = "Each row is one cell: mean over runs" + (
        f" of the paired difference, with its 95% interval; left of 0 {sides[0]} is higher, right of it {sides[1]}."
        if sides
        else ", with its 95% interval."
    )
    judged = sides is not None
    for part, chosen in in_parts(metrics, PANELS if len(words) <= 10 else 3):
        if one is not None:
            step = max(1, math.ceil(len(words) / 24))
            rows, by = list(range(0, len(words), step)), f"every {step}th level"
        else:
            rows = spread_by_rank(found.at(response, chosen[0].name, month)["value"].tolist(), ROWS)
            amount = "difference" if sides else "value"
            by = f"evenly spread by rank of their {amount} in “{label_of(chosen[0])}”, from the lowest to the highest"
        said = intro + drawn_words(len(rows), len(words), by, table)

        def draw(chosen: Sequence[Metric] = chosen, rows: Sequence[int] = rows, said: str = said) -> Figure:
            panels = {}
            for metric in chosen:
                numbers = records(found.at(response, metric.name, month)[["value", "ci_low", "ci_high", "runs"]])
                panels[metric.name] = {
                    words[row]: [
                        Mark(
                            0,
                            numbers[row]["value"],
                            numbers[row]["ci_low"],
                            numbers[row]["ci_high"],
                            judged,
                            int(numbers[row]["runs"]),
                        )
                    ]
                    for row in rows
                }
            return rows_figure(
                f"{wording.response(response)}, {when(month)}",
                said,
                wording.footer,
                panels,
                judged=judged,
                series=() if judged else ("mean over runs, 95% interval",),
                sides=sides,
            )

        yield Picture(
            f"cells{tail}{part}",
            f"{wording.response(response)}, cell by cell, {when(month)}",
            said,
            "Rows with intervals."
            + (drawn_words(len(rows), len(words), by, table) or " The numbers stand in the table."),
            table,
            draw,
        )
