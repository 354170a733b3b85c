"""Bars of shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from cej_sim.comparison import BY_NAME
from cej_sim.plots import SOFT, fit, full_label, write
from cej_sim.sweeps.figures.frame import SIZE, draw_key, framed, plain_frame, row_labels


def shares_figure(
    heading: str,
    how: str,
    footer: str,
    bars: Mapping[str, Sequence[tuple[float, Any, str]]],
    notes: Mapping[str, str],
    key: Sequence[tuple[Any, str]],
) -> Figure:
    """Shares of all cells, a bar per metric.

    Args:
        heading, how, footer: Words above and below.
        bars: Metric -> pieces (share, how it is drawn as keywords, identifier), from left to right.
        notes: Metric -> words at the right of its bar.
        key: What the pieces mean.
    """
    figure = framed(heading, how, footer)
    axes = figure.add_axes((0.3, 0.16, 0.52 if notes else 0.67, 0.71), label="shares")
    names = list(bars)
    for y, name in enumerate(names):
        left = 0.0
        for share, look, gid in bars[name]:
            if share <= 0.0:
                continue
            axes.barh(y, share, left=left, height=0.66, linewidth=0.8, zorder=2, gid=gid, **look)
            if share >= 0.06:
                text = write(
                    axes,
                    left + share / 2.0,
                    y,
                    f"{100 * share:.0f}%",
                    fontsize=SIZE,
                    ha="center",
                    va="center",
                    transform=axes.transData,
                    fontweight="bold",
                    zorder=4,
                )
                text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85})
            left += share
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(len(names) - 0.4, -0.6)
    plain_frame(axes)
    axes.set_yticks(range(len(names)), [""] * len(names))
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
    axes.set_xlabel("share of all cells of the design", fontsize=SIZE, color=SOFT)
    row_labels(figure, axes, [full_label(BY_NAME[name]) for name in names], 0.03)
    for y, name in enumerate(names):
        if name in notes:
            text = write(axes, 1.012, y, notes[name], fontsize=SIZE, va="center", transform=axes.get_yaxis_transform())
            fit(text, 0.165 * figure.bbox.width, 2)
    draw_key(figure, key)
    return figure
