"""Which scenarios and which of many cells a picture shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cej_sim.sweeps.analysis import Analysis
from cej_sim.sweeps.figures.frame import Wording

#: Rows in a panel.
ROWS = 16


def in_parts(things: Sequence[Any], size: int) -> Iterator[tuple[str, Sequence[Any]]]:
    """Parts of so many, each with the ending of its file's name."""
    for i in range(0, len(things), size):
        yield (f"_{i // size + 1}" if len(things) > size else ""), things[i : i + size]


def sides_of(found: Analysis, wording: Wording, response: str) -> tuple[str, str] | None:
    """Titles of the two scenarios of a difference; None for a scenario by itself."""
    for a, b in found.study.pairs:
        if response == f"{b} - {a}":
            return wording.titles.get(a, a), wording.titles.get(b, b)
    return None


def spread_by_rank(values: Sequence[float], most: int) -> list[int]:
    """So many positions of values, evenly spread over their ranks, from the lowest to the highest.

    Those without a value come into it only where all fit; then everything stays in its order.
    """
    if len(values) <= most:
        return list(range(len(values)))
    known = [
        place for place in np.argsort(np.asarray(values, dtype=float), kind="stable") if not np.isnan(values[place])
    ]
    steps = np.linspace(0, len(known) - 1, min(most, len(known))).round().astype(np.int64)
    return [int(known[step]) for step in steps]


def drawn_words(drawn: int, total: int, by: str, file: str) -> str:
    """Which cells a picture leaves out, by what rule, and where they are; "" if it leaves out none."""
    if drawn == total:
        return ""
    return f" {drawn:,} of {total:,} cells are drawn, {by}; all are in {file}.csv."


def cell_words(cells: pd.DataFrame, labels: Sequence[str] | None = None) -> list[str]:
    """A label for every cell; those that share one also get their numbers."""
    words = [str(label) for label in cells["label"]] if labels is None else list(labels)
    often = Counter(words)
    return [
        word if often[word] == 1 else f"{word} (cell {cell})" for word, cell in zip(words, cells["cell"], strict=True)
    ]
