"""The picture of verdicts: a row per test, as modelled beside without what should bring the effect about.

Effects stand in multiples of the least difference that matters, as it was declared: between -1 and 1 nothing matters,
and what is expected lies to the right. Beyond 1 the scale is logarithmic. Each verdict has a shape, a color and words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cej_sim.comparison import BY_NAME, label_of
from cej_sim.parameters import Metric
from cej_sim.plots import FAINT, INK, SOFT, canvas, fit, write
from cej_sim.sweeps.verdicts import CANNOT_TELL, MIXED, NOT_COMPUTED, REFUTED, SUPPORTED, oriented_row

#: Verdict -> its shape and color (Okabe and Ito 2008; the shapes alone tell them apart).
LOOKS = {
    SUPPORTED: ("o", "#0072B2"),
    REFUTED: ("X", "#D55E00"),
    CANNOT_TELL: ("D", "#6b6b6b"),
    MIXED: ("D", "#6b6b6b"),
    NOT_COMPUTED: ("_", "#6b6b6b"),
}
#: The same shapes as signs in a text.
SIGNS = {SUPPORTED: "●", REFUTED: "✖", CANNOT_TELL: "◇", MIXED: "◐", NOT_COMPUTED: "–"}

#: The probe of tests, as a metric.
PROBED = Metric(
    "causal_influence",
    "Causal influence of residents on the agenda",
    "ratio",
    "How far the agenda moves for each unit by which the residents' convictions are moved",
    "power",
)

#: What is expected, as a sign.
EXPECTED = {"up": "higher", "down": "lower", "same": "the same"}
ARROWS = {"up": "↑", "down": "↓", "same": "="}

#: Rows of tests in one picture, in both columns together.
ROWS = 40

_SIZE = 11.5


def metric_of(name: str) -> Metric:
    """The declaration of a test's metric."""
    return PROBED if name == PROBED.name else BY_NAME[name]


@dataclass(frozen=True)
class Group:
    """Tests under one heading.

    Attributes:
        heading: Of the hypothesis (and its pair of setups, if it is not the main one).
        verdict: Of the hypothesis.
        rows: Of ``verdicts.verdict_table``.
    """

    heading: str
    verdict: str
    rows: Sequence[Mapping[str, Any]]


def scaled(value: float) -> float:
    """Where a multiple of the least difference stands: itself up to 1, and each tenfold one further beyond."""
    if math.isnan(value):
        return value
    size = abs(value)
    return math.copysign(size if size <= 1.0 else 1.0 + math.log10(size), value)


def verdict_figure(groups: Sequence[Group], heading: str, how: str, footer: str) -> Figure:
    """The picture, legible on a projector (1600 x 900).

    Args:
        groups: In order; together at most ``ROWS`` tests.
        heading, how, footer: Title, how to read it, and what every picture says of itself.
    """
    figure = canvas(16, 9)
    wide = figure.bbox.width
    fit(write(figure, 0.02, 0.978, heading, fontsize=22, fontweight="bold", va="top", gid="title"), 0.96 * wide)
    fit(write(figure, 0.02, 0.926, how, fontsize=12.5, color=SOFT, va="top", linespacing=1.25), 0.96 * wide, 2)
    fit(write(figure, 0.02, 0.012, footer, fontsize=12, gid="footer"), 0.96 * wide)
    columns = _columns(groups)
    lines = max(sum(1 + len(group.rows) for group in column) for column in columns)
    reach = _reach(groups)
    for place, column in enumerate(columns):
        left = 0.02 + place * 0.49
        axes = figure.add_axes((left + 0.245, 0.115, 0.137 if len(columns) > 1 else 0.58, 0.735))
        _panel(figure, axes, column, lines, left, reach, 0.47 if len(columns) > 1 else 0.96)
    _legend(figure)
    return figure


def _columns(groups: Sequence[Group]) -> list[list[Group]]:
    """The groups in one column, or in two of about the same length."""
    sizes = [1 + len(group.rows) for group in groups]
    if sum(sizes) <= 20:
        return [list(groups)]
    cut = min(range(1, len(groups)), key=lambda place: max(sum(sizes[:place]), sum(sizes[place:])), default=1)
    return [list(groups[:cut]), list(groups[cut:])]


def _reach(groups: Sequence[Group]) -> float:
    """How far the scale goes to either side."""
    ends = [
        abs(scaled(row[column] / row["smallest"]))
        for group in groups
        for row in group.rows
        for column in ("ci_low", "ci_high", "difference", "without_ci_low", "without_ci_high", "without_difference")
        if not math.isnan(row[column])
    ]
    return max(2.0, math.ceil(10.0 * max(ends, default=2.0)) / 10.0 + 0.1)


def _panel(
    figure: Figure, axes: Axes, groups: Sequence[Group], lines: int, left: float, reach: float, width: float
) -> None:
    """One column of tests."""
    wide = figure.bbox.width
    axes.set_xlim(-reach, reach)
    axes.set_ylim(lines - 0.4, -0.6)
    axes.axvspan(-1.0, 1.0, color="#ececec", zorder=0, linewidth=0)
    axes.axvline(0.0, color=SOFT, linewidth=1.0, zorder=1)
    ticks = [sign * (1.0 + power) for power in range(math.floor(reach - 1.0) + 1) for sign in (-1.0, 1.0)]
    axes.set_xticks([0.0, *ticks])
    axes.set_xticklabels(
        [f"{math.copysign(10.0 ** (abs(tick) - 1.0), tick):g}" if tick else "0" for tick in [0.0, *ticks]]
    )
    axes.tick_params(labelsize=_SIZE, colors=SOFT, length=3)
    axes.set_yticks([])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    write(axes, 0.0, 1.012, "← against", fontsize=_SIZE - 1, color=SOFT, va="bottom", ha="left")
    write(axes, 1.0, 1.012, "as expected →", fontsize=_SIZE - 1, color=SOFT, va="bottom", ha="right")
    bottom, height = axes.get_position().y0, axes.get_position().height
    right = axes.get_position().x1

    def level(y: float) -> float:
        return bottom + height * (lines - 0.4 - y) / (lines + 0.2)

    y = 0.0
    for group in groups:
        text = f"{SIGNS[group.verdict]} {group.heading}: {group.verdict}"
        color = LOOKS[group.verdict][1]
        fit(
            write(
                figure,
                left,
                level(y),
                text,
                fontsize=_SIZE + 0.5,
                fontweight="bold",
                va="center",
                color=color,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
            ),
            width * wide,
        )
        y += 1.0
        for row in group.rows:
            axes.axhline(y, color=FAINT, linewidth=0.6, zorder=0.5)
            _row(axes, row, y)
            metric = label_of(metric_of(row["metric"]))
            label = f"{metric}, {row['month']} {ARROWS[row['expected']]}"
            fit(
                write(figure, left + 0.012, level(y), label, fontsize=_SIZE, va="center", linespacing=0.95),
                0.225 * wide,
                1,
            )
            p_sign = "" if math.isnan(row["p_sign"]) else f", {_p(row['p_sign'])}"
            mark = " !!" if row["by_construction"] else " !" if row["never_failed"] else ""
            words = f"{row['verdict']}{p_sign}{mark}"
            style = {"fontweight": "bold"} if row["verdict"] in (SUPPORTED, REFUTED) else {}
            fit(
                write(
                    figure, right + 0.008, level(y), words, fontsize=_SIZE, va="center",
                    color=LOOKS[row["verdict"]][1], **style,
                ),
                (left + width - right - 0.008) * wide,
            )  # fmt: skip
            y += 1.0


def _p(share: float) -> str:
    """A share of sets: 1 and 0 only where it is all or none."""
    return "1" if share == 1.0 else "0" if share == 0.0 else f"{min(max(share, 0.01), 0.99):.2f}".lstrip("0")


def _row(axes: Axes, row: Mapping[str, Any], y: float) -> None:
    """Both arms of one test: as modelled above, without its mechanism below."""
    shape, color = LOOKS[row["verdict"]]
    for prefix, offset, look in (("", -0.14, (shape, color)), ("without_", 0.26, ("s", INK))):
        mean, low, high = (scaled(value / row["smallest"]) for value in oriented_row(row, prefix))
        if math.isnan(mean):
            continue
        thin = prefix != ""
        if not math.isnan(low):
            axes.plot([low, high], [y + offset] * 2, color=look[1], linewidth=1.1 if thin else 2.4, zorder=3,
                      solid_capstyle="butt")  # fmt: skip
        hollow = thin or row["verdict"] in (CANNOT_TELL, MIXED)
        axes.plot(
            [mean], [y + offset], marker=look[0], markersize=4.5 if thin else 8.5, color=look[1],
            markerfacecolor="white" if hollow else look[1], markeredgecolor=look[1], markeredgewidth=1.1,
            linestyle="none", zorder=4, clip_on=False,
        )  # fmt: skip


def _legend(figure: Figure) -> None:
    """What the marks mean."""

    def mark(shape: str, color: str, hollow: bool = False, size: float = 9.0) -> Line2D:
        return Line2D(
            [], [], marker=shape, color=color, markersize=size, linewidth=1.8,
            markerfacecolor="white" if hollow else color, markeredgecolor=color,
        )  # fmt: skip

    marks = [
        (mark("o", LOOKS[SUPPORTED][1]), "supported"),
        (mark("X", LOOKS[REFUTED][1]), "refuted"),
        (mark("D", LOOKS[CANNOT_TELL][1], True), "cannot tell"),
        (mark("s", INK, True, 5.0), "without what should bring it about"),
        (Patch(color="#ececec"), "too small to matter: supported here where = is expected"),
    ]
    legend = figure.legend(
        [one for one, _ in marks], [words for _, words in marks], loc="lower left", bbox_to_anchor=(0.012, 0.033),
        ncols=len(marks), frameon=False, fontsize=12, handletextpad=0.5, columnspacing=1.6,
    )  # fmt: skip
    legend.set_gid("key")


def in_pictures(groups: Sequence[Group]) -> list[list[Group]]:
    """The groups in as many pictures as they need, no group divided."""
    pictures: list[list[Group]] = [[]]
    for group in groups:
        if pictures[-1] and sum(len(one.rows) for one in [*pictures[-1], group]) > ROWS:
            pictures.append([])
        pictures[-1].append(group)
    return pictures


def alternative(groups: Sequence[Group]) -> str:
    """The picture in words, for those who do not see it."""
    counted = {word: sum(row["verdict"] == word for group in groups for row in group.rows) for word in LOOKS}
    return "; ".join(f"{number} tests {word}" for word, number in counted.items() if number) + "."
