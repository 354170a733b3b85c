"""The frame of every picture: colors, headings, panels, axes, keys, files."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cej_sim.comparison import FAMILIES
from cej_sim.parameters import Metric
from cej_sim.plots import FAINT, INK, SOFT, better_words, canvas, extent, fit, full_label, per_cent, write

#: Colors of the first scenario, the other one, and of what may be chance.
FIRST, OTHER, UNSURE = "#0072B2", "#D55E00", "#8a8a8a"

#: Colors of what moves an outcome in its better direction, and of what does not.
BETTER, WORSE = "#009E73", "#A04A7A"

#: Panels in a figure.
PANELS = 6

#: Formats in which figures are written.
FORMATS = ("png", "svg", "pdf")

SIZE = 12.0


@dataclass(frozen=True)
class Wording:
    """What figures say of the sweep.

    Attributes:
        title: Title of the sweep.
        titles: Scenario name (as in the rows) -> title.
        footer: What every figure says of itself: illustration, cells, runs, seed, version.
    """

    title: str
    titles: Mapping[str, str]
    footer: str

    def response(self, response: str) -> str:
        """A response in plain words."""
        for b, title_b in self.titles.items():
            for a, title_a in self.titles.items():
                if response == f"{b} - {a}":
                    return f"{title_b} minus {title_a}"
        return self.titles.get(response, response)


@dataclass(eq=False)
class Picture:
    """A figure and what is said beside it.

    Attributes:
        name: Of its files.
        heading, caption, alt: Words; ``alt`` for those who do not see it.
        table: The table that holds its numbers.
        draw: Makes the figure.
    """

    name: str
    heading: str
    caption: str
    alt: str
    table: str
    draw: Callable[[], Figure] = field(repr=False)


def save(figure: Figure, kind: str, note: str) -> bytes:
    """A figure as the bytes of a file (``png``, ``svg`` or ``pdf``), the same each time, with a note in it."""
    stream = io.BytesIO()
    told: dict[str, dict[str, Any]] = {
        "png": {"Description": note},
        "svg": {"Description": note, "Date": None},
        "pdf": {"Subject": note, "CreationDate": None},
    }
    with matplotlib.rc_context({"svg.hashsalt": "cej_sim"}):
        figure.savefig(stream, format=kind, dpi=100, metadata=told[kind])
    return stream.getvalue()


def framed(heading: str, how: str, footer: str) -> Figure:
    """An empty figure with a heading, a line on how to read it, and the footer."""
    figure = canvas(16, 9)
    wide = figure.bbox.width
    fit(write(figure, 0.03, 0.975, heading, fontsize=22, fontweight="bold", va="top", gid="title"), 0.94 * wide)
    fit(write(figure, 0.03, 0.921, how, fontsize=13, color=SOFT, va="top", linespacing=1.3), 0.94 * wide, 2)
    fit(write(figure, 0.03, 0.014, footer, fontsize=12.5, color=INK, gid="footer"), 0.94 * wide)
    return figure


def panel_head(axes: Axes, metric: Metric, hint: str | None = None) -> None:
    """Family, label (in up to two rows) and better direction above a panel."""
    box = axes.get_window_extent()
    hint = better_words(metric) if hint is None else hint
    label = write(
        axes,
        0.0,
        1.0 + 10.0 / box.height,
        full_label(metric),
        fontsize=SIZE + 1,
        fontweight="bold",
        va="baseline",
        linespacing=1.1,
        gid="panel-label",
    )
    rows = fit(label, box.width, 2).get_text().count("\n") + 1
    y = 1.0 + (11.0 + rows * 21.0) / box.height
    family = write(
        axes, 0.0, y, FAMILIES[metric.family].upper(), fontsize=SIZE - 2, color=SOFT, va="baseline", fontweight="bold"
    )
    if hint:
        used = extent(family)[0] + 10.0
        text = write(
            axes, used / box.width, y, hint, fontsize=SIZE - 1, color=SOFT, va="baseline", style="italic", gid="hint"
        )
        fit(text, box.width - used)


def scale_axis(axes: Axes, metric: Metric, of_x: bool, difference: bool) -> None:
    """Ticks in the unit that people read; differences of shares in percentage points."""
    axis = axes.xaxis if of_x else axes.yaxis
    axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    if per_cent(metric):
        sign = "" if difference else "%"
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}{sign}".replace("-", "−")))
    else:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}".replace("-", "−")))
    if difference and of_x:
        unit = "percentage points" if per_cent(metric) else {"hours": "hours a month"}.get(metric.unit, "")
        axes.set_xlabel(unit, fontsize=SIZE - 1, color=SOFT, labelpad=2)


def plain_frame(axes: Axes, grid: str = "x") -> None:
    """Quiet axes: a faint grid, no box."""
    axes.tick_params(labelsize=SIZE, colors=SOFT, length=3)
    if grid:
        axes.grid(axis=grid, color=FAINT, linewidth=0.7, zorder=0)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(SOFT)


def draw_key(figure: Figure, marks: Sequence[tuple[Any, str]], y: float = 0.058) -> None:
    """A key above the footer, in one line, or in two where one is too short."""
    for columns in (len(marks), -(-len(marks) // 2)):
        legend = figure.legend(
            [mark for mark, _ in marks],
            [words for _, words in marks],
            loc="lower left",
            bbox_to_anchor=(0.022, y - 0.014),
            ncols=columns,
            frameon=False,
            fontsize=12.5,
            handletextpad=0.5,
            columnspacing=1.6,
            handlelength=1.6,
            labelspacing=0.3,
        )
        legend.set_gid("key")
        for text in legend.get_texts():
            text.set_parse_math(False)
        if columns == -(-len(marks) // 2) or legend.get_window_extent().x1 <= 0.99 * figure.bbox.width:
            break
        legend.remove()


def panel_places(number: int, left: float) -> list[tuple[float, float, float, float]]:
    """Where up to six panels stand, in fractions of the figure; ``left`` is the room for words left of each row."""
    columns = min(3, number) if number != 4 else 2
    rows = -(-number // columns)
    bottom, top, right = 0.115, 0.865, 0.985
    head, foot, gap = 0.085, 0.05 if rows == 1 else 0.066, 0.03
    wide = (right - left - (columns - 1) * gap) / columns
    high = (top - bottom) / rows
    return [
        (
            left + (i % columns) * (wide + gap),
            bottom + (rows - 1 - i // columns) * high + foot,
            wide,
            high - head - foot + 0.012,
        )
        for i in range(number)
    ]


def row_labels(figure: Figure, axes: Axes, labels: Sequence[str], left: float) -> None:
    """Words for the rows, in the room left of the first panel."""
    box = axes.get_window_extent()
    room = box.x0 - left * figure.bbox.width - 10.0
    high = box.height / len(labels)
    size = SIZE if high > 17.0 else SIZE - 2.0
    rows = 3 if high > 56.0 else 2 if high > 34.0 else 1
    texts = []
    for y, label in enumerate(labels):
        text = write(
            axes,
            -10.0 / box.width,
            y,
            label,
            fontsize=size,
            ha="right",
            va="center",
            transform=axes.get_yaxis_transform(),
            linespacing=1.0,
            gid="row-label",
        )
        texts.append(fit(text, room, rows))
    # All in one size: that of the one that needs most room.
    smallest = min(float(text.get_fontsize()) for text in texts)
    for text, label in zip(texts, labels, strict=True):
        if float(text.get_fontsize()) > smallest:
            text.set_text(label)
            text.set_fontsize(smallest)
            fit(text, room, rows)
