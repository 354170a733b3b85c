"""The tables of the studies' pages, made from the small result files that lie beside them.

What a page says by hand stands in the page; a table of results stands between a line ``<!-- results: NAME -->`` and a
line ``<!-- /results: NAME -->`` and is made from a file that the study wrote, so that no number is copied by hand.

    python experiments/pages.py                  # makes the tables anew from the files that lie beside the pages
    python experiments/pages.py --take results   # first takes these files from the directories of the studies' results

A test holds pages and files together.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cej_sim.comparison import label_of
from cej_sim.scales import SURVEY_SCALES
from cej_sim.sweeps.verdict_figures import SIGNS, metric_of
from cej_sim.sweeps.verdicts import CANNOT_TELL, NO_EFFECT, NONE_DECLARED, SUPPORTED, VANISHES

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

_BLOCK = re.compile(
    r"(?P<head>^<!-- results: (?P<name>[\w-]+) -->\n)(?P<body>.*?)(?P<tail>^<!-- /results: (?P=name) -->$)",
    re.MULTILINE | re.DOTALL,
)

#: File beside a page -> where the study writes it, below the directory of all results.
TAKEN = {
    "hypotheses/hypotheses.csv": "hypotheses/analysis/hypotheses.csv",
    "hypotheses/verdicts.csv": "hypotheses/analysis/verdicts.csv",
}


def read(name: str) -> pd.DataFrame:
    """A file of results, without the lines of its head."""
    return pd.read_csv(HERE / name, comment="#")


def rows_of(columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[int] = ()) -> Iterator[str]:
    """A table in Markdown; ``right`` are the columns of numbers."""
    yield f"| {' | '.join(columns)} |"
    yield f"|{'|'.join('---:' if place in right else '---' for place in range(len(columns)))}|"
    for row in rows:
        yield f"| {' | '.join(str(one).replace('|', '/') for one in row)} |"


def signed(value: float, metric: str) -> str:
    """A difference: shares in percentage points, with a sign."""
    points = metric_of(metric).unit == "share"
    size = 100.0 * value if points else value
    digits = 1 if abs(size) >= 0.95 else 2
    return f"{size:+.{digits}f}".replace("-", "−") + (" pp" if points else "")


def between(low: float, high: float, metric: str) -> str:
    """An interval."""
    return f"[{signed(low, metric).removesuffix(' pp')}, {signed(high, metric).removesuffix(' pp')}]"


# Hypotheses

_ARROWS = {"up": "higher", "down": "lower", "same": "the same"}
_CONTROL = {
    VANISHES: "vanishes",
    NO_EFFECT: "nothing to lose",
    NONE_DECLARED: "none declared",
    CANNOT_TELL: "cannot tell",
    "stays small": "stays, too small to matter",
}


def _mark(row: Any) -> str:
    return " **!!**" if row.by_construction else " !" if row.never_failed else ""


def verdicts() -> Iterator[str]:
    """A row for each test."""
    table, titles = read("hypotheses/verdicts.csv"), read("hypotheses/hypotheses.csv")
    words = {(row.hypothesis, row.setup): row for row in titles.itertuples()}
    rows = []
    before = None
    for row in table.itertuples():
        whole = words[row.hypothesis, row.setup]
        first = (row.hypothesis, row.setup) != before
        before = (row.hypothesis, row.setup)
        also = "" if row.setup == "main" else f" ({row.setup})"
        name = f"**{row.hypothesis} {whole.title}{also}**: {SIGNS[whole.verdict]} {whole.verdict}" if first else ""
        rows.append(
            (
                name,
                f"{label_of(metric_of(row.metric))}, {row.month}: {_ARROWS[row.expected]}",
                f"{signed(row.difference, row.metric)} {between(row.ci_low, row.ci_high, row.metric)}",
                f"{row.p_sign:.3g}",
                f"{SIGNS[row.verdict]} {row.verdict}{_mark(row)}",
                _CONTROL.get(row.control, row.control)
                if row.expected != "same" and row.control in (NONE_DECLARED, NO_EFFECT)
                else f"{_CONTROL.get(row.control, row.control)} ({signed(row.without_difference, row.metric)})",
            )
        )
    heads = ("hypothesis", "outcome, month: expected", "from a to b [95 %]", "P(sign)", "verdict", "without mechanism")
    yield from rows_of(heads, rows, right=(2, 3))


def verdicts_short() -> Iterator[str]:
    """A row for each hypothesis."""
    table, titles = read("hypotheses/verdicts.csv"), read("hypotheses/hypotheses.csv")
    rows = []
    for whole in titles.itertuples():
        mine = table[(table["hypothesis"] == whole.hypothesis) & (table["setup"] == whole.setup)]
        also = "" if whole.setup == "main" else f" ({whole.setup})"
        tests = [
            f"{SIGNS[row.verdict]} {label_of(metric_of(row.metric))} {signed(row.difference, row.metric)}"
            f"{'' if row.verdict == SUPPORTED else f' (expected {_ARROWS[row.expected]})'}{_mark(row)}"
            for row in mine.itertuples()
        ]
        rows.append(
            (f"{whole.hypothesis} {whole.title}{also}", f"{SIGNS[whole.verdict]} {whole.verdict}", "; ".join(tests))
        )
    yield from rows_of(("hypothesis", "verdict", "tests"), rows)


# Instruments


def survey() -> Iterator[str]:
    """A row for each scenario and month."""
    table = read("instruments/survey.csv")
    rows = []
    for (name, month), part in table.groupby(["scenario", "month"], sort=False):
        answers = [f"{row.mean:.2f} ({row.alpha:.2f})" for row in part.itertuples()]
        rows.append((f"`{name}`", month, part["respondents"].iloc[0], *answers))
    scales_ = [SURVEY_SCALES[name].title for name in dict.fromkeys(table["scale"])]
    yield from rows_of(("scenario", "month", "respondents", *scales_), rows, right=range(1, 3 + len(scales_)))


BLOCKS: dict[str, Callable[[], Iterator[str]]] = {
    "verdicts": verdicts,
    "verdicts-short": verdicts_short,
    "survey": survey,
}


# Pages


def pages() -> list[Path]:
    """The pages that may hold a table."""
    return [ROOT / "README.md", ROOT / "docs" / "INSTRUMENTS.md", *sorted(HERE.glob("*/README.md"))]


def refreshed(text: str) -> str:
    """A page with its tables made anew.

    Raises:
        KeyError: If it names a table that there is not.
    """
    return _BLOCK.sub(lambda found: found["head"] + "\n".join(BLOCKS[found["name"]]()) + "\n" + found["tail"], text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the tables anew; 0 when done, 2 where a file is missing."""
    parser = argparse.ArgumentParser(description="Make the tables of the studies' pages anew.")
    parser.add_argument("--take", type=Path, metavar="RESULTS", help="first take the files from the studies' results")
    given = parser.parse_args(arguments)
    if given.take is not None:
        for name, source in TAKEN.items():
            if (given.take / source).is_file():
                shutil.copyfile(given.take / source, HERE / name)
                print(f"taken: {given.take / source}")
            else:
                print(f"kept as it is: {name} ({given.take / source} is not there)")
    for page in pages():
        text = page.read_text(encoding="utf-8")
        made = refreshed(text)
        if made != text:
            page.write_text(made, encoding="utf-8", newline="\n")
            print(f"made anew: {page.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
