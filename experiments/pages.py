"""The tables of the studies' pages, made from the small result files that lie beside them.

What a page says by hand stands in the page; a table of results stands between a line ``<!-- results: NAME -->`` and a
line ``<!-- /results: NAME -->`` and is made from a file that the study wrote, so that no number is copied by hand.

    python experiments/pages.py                  # makes the tables anew from the files that lie beside the pages
    python experiments/pages.py --take results   # first takes these files from the directories of the studies' results

A test holds pages and files together.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from cej_sim.comparison import label_of
from cej_sim.plots import png
from cej_sim.scales import SURVEY_SCALES
from cej_sim.sweeps.judging import HOW, groups_of
from cej_sim.sweeps.verdict_figures import SIGNS, metric_of, verdict_figure
from cej_sim.sweeps.verdicts import CANNOT_TELL, MIXED, NO_EFFECT, NONE_DECLARED, REFUTED, SUPPORTED, VANISHES

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

#: Colors of a picture on a page.
COLORS = 64

_BLOCK = re.compile(
    r"(?P<head>^<!-- results: (?P<name>[\w-]+) -->\n)(?P<body>.*?)(?P<tail>^<!-- /results: (?P=name) -->$)",
    re.MULTILINE | re.DOTALL,
)

#: File beside a page -> where the study writes it, below the directory of all results.
TAKEN = {
    "hypotheses/hypotheses.csv": "hypotheses/analysis/hypotheses.csv",
    "hypotheses/verdicts.csv": "hypotheses/analysis/verdicts.csv",
    "hypotheses/anywhere.csv": "anywhere/analysis/verdicts.csv",
    "where/shares.csv": "where/maps/shares.csv",
    "onesided/onesided.csv": "onesided/onesided.csv",
    "principles/shapley.csv": "principles/analysis/shapley.csv",
    "principles/synergy.csv": "principles/maps/synergy.csv",
    "conversion/summary.csv": "conversion/summary.csv",
    "conversion/least_organizing.csv": "conversion/least_organizing.csv",
    "hybrids/candidates.csv": "hybrids/candidates.csv",
    "robustness/findings.csv": "robustness_findings/findings.csv",
    "robustness/indiana.csv": "indiana/findings.csv",
    "robustness/side_by_side.csv": "side_by_side/hypotheses.csv",
    "rules/swaps.csv": "rules/analysis/swaps.csv",
    "sobol/sobol.csv": "sobol/analysis/sobol.csv",
    "sobol/sobol.png": "sobol/analysis/figures/sobol_1.png",
    "robustness/findings.png": "robustness_findings/findings.png",
    "robustness/indiana.png": "indiana/findings.png",
    "robustness/side_by_side.png": "side_by_side/side_by_side.png",
}
#: Outcomes and months that a page shows of a large table.
OF_RULES = (
    ("burden", 120), ("disparity_ratio", 120), ("policy_wins", 120), ("decision_share", 60), ("agenda_origin", 60),
)  # fmt: skip
OF_SOBOL = (
    ("burden", 24), ("burden", 120), ("disparity_ratio", 120), ("policy_wins", 120), ("decision_share", 24),
    ("agenda_origin", 24),
)  # fmt: skip

#: File beside a page -> the part of it that is kept, where the study writes much more.
PARTS = {"rules/swaps.csv": OF_RULES, "sobol/sobol.csv": OF_SOBOL}


def draw_verdicts() -> None:
    """The picture of the verdicts, with the marks that the table beside it has."""
    tests, hypotheses = _judged(), read("hypotheses/hypotheses.csv")
    main = list(hypotheses.loc[hypotheses["setup"] == "main", "verdict"])
    heading = "Sixteen hypotheses: " + ", ".join(f"{main.count(word)} {word}" for word in (SUPPORTED, REFUTED, MIXED))
    footer = (
        f"Illustration, not prediction.  {tests['runs'].max()} paired runs of each pair of setups over "
        f"{tests['sets'].max()} parameter sets; for !!, {tests['sets_anywhere'].max()} more over the whole ranges."
    )
    figure = verdict_figure(groups_of(hypotheses, tests), heading, HOW, footer)
    with io.BytesIO(png(figure)) as stream, Image.open(stream) as picture:
        save_small(picture, HERE / "hypotheses" / "verdicts.png")


def save_small(picture: Image.Image, target: Path) -> None:
    """With few colors, so that a page loads quickly."""
    picture.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(target, optimize=True)


def take(source: Path, target: Path) -> None:
    """Copy a file beside a page; a picture with few colors, so that a page loads quickly."""
    kept = PARTS.get(f"{target.parent.name}/{target.name}")
    if kept is not None:
        table = pd.read_csv(source, comment="#")
        rows = [outcome in kept for outcome in zip(table["metric"], table["month"], strict=True)]
        table[rows].to_csv(target, index=False, float_format="%.6g", lineterminator="\n")
        return
    if source.suffix != ".png":
        shutil.copyfile(source, target)
        return
    with Image.open(source) as picture:
        save_small(picture, target)


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
    if pd.isna(size):
        return "–"
    if size == 0.0:
        return "0"
    digits = 1 if abs(size) >= 0.95 else 2 if abs(size) >= 0.095 or points else 3
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


def _judged() -> pd.DataFrame:
    """The tests; true by construction is only what fails in no set spread over the whole ranges either."""
    table, anywhere = read("hypotheses/verdicts.csv"), read("hypotheses/anywhere.csv")
    keys = ["hypothesis", "setup", "test"]
    found = table.merge(anywhere[[*keys, "p_sign", "sets"]], on=keys, validate="one_to_one", suffixes=("", "_anywhere"))
    found["by_construction"] &= found["p_sign_anywhere"] == 1.0
    return found


def _mark(row: Any) -> str:
    return " **!!**" if row.by_construction else " !" if row.never_failed else ""


def verdicts() -> Iterator[str]:
    """A row for each test."""
    table, titles = _judged(), read("hypotheses/hypotheses.csv")
    words = {(row.hypothesis, row.setup): row for row in titles.itertuples()}
    rows = []
    before = None
    for row in table.itertuples():
        whole = words[row.hypothesis, row.setup]
        first = (row.hypothesis, row.setup) != before
        before = (row.hypothesis, row.setup)
        also = "" if row.setup == "main" else f" ({row.setup})"
        mine = table[(table["hypothesis"] == row.hypothesis) & (table["setup"] == row.setup)]
        name = f"**{row.hypothesis} {whole.title}{also}**: {_whole(whole, mine)}" if first else ""
        rows.append(
            (
                name,
                f"{label_of(metric_of(row.metric))}, {row.month}: {_ARROWS[row.expected]}",
                f"{signed(row.difference, row.metric)} {between(row.ci_low, row.ci_high, row.metric)}",
                f"{row.p_sign:.3g}",
                f"{row.p_sign_anywhere:.3g}",
                f"{SIGNS[row.verdict]} {row.verdict}{_mark(row)}",
                _CONTROL.get(row.control, row.control)
                if row.expected != "same" and row.control in (NONE_DECLARED, NO_EFFECT)
                else f"{_CONTROL.get(row.control, row.control)} ({signed(row.without_difference, row.metric)})",
            )
        )
    heads = (
        "hypothesis", "outcome, month: expected", "from a to b [95 %]", "P(sign)", "in whole ranges", "verdict",
        "without mechanism",
    )  # fmt: skip
    yield from rows_of(heads, rows, right=(2, 3, 4))


def verdicts_short() -> Iterator[str]:
    """A row for each hypothesis."""
    table, titles = _judged(), read("hypotheses/hypotheses.csv")
    rows = []
    for whole in titles.itertuples():
        mine = table[(table["hypothesis"] == whole.hypothesis) & (table["setup"] == whole.setup)]
        also = "" if whole.setup == "main" else f" ({whole.setup})"
        tests = [
            f"{SIGNS[row.verdict]} {label_of(metric_of(row.metric))}, {row.month}: {signed(row.difference, row.metric)}"
            f"{'' if row.verdict == SUPPORTED else f' (expected {_ARROWS[row.expected]})'}{_mark(row)}"
            for row in mine.itertuples()
        ]
        rows.append((f"{whole.hypothesis} {whole.title}{also}", _whole(whole, mine), "; ".join(tests)))
    yield from rows_of(("hypothesis", "verdict", "tests"), rows)


def _whole(whole: Any, tests: pd.DataFrame) -> str:
    """The verdict of a hypothesis; what the declared rule calls mixed may be nothing but open."""
    still_open = whole.verdict == MIXED and (tests["verdict"] == CANNOT_TELL).all()
    return f"{SIGNS[whole.verdict]} {whole.verdict}{': cannot tell' if still_open else ''}"


# Where each side gets further

_PARTS = ("Collective Impact", "cannot tell", "Community-led")


def _three(row: Any, names: Sequence[str] = _PARTS) -> str:
    return " / ".join(f"{100.0 * row[name]:.0f}" for name in names)


def where() -> Iterator[str]:
    """In which part of the places each side is further."""
    table = read("where/shares.csv").set_index(["metric", "month"])
    rows = []
    for metric in ("burden", "disparity_ratio", "policy_wins"):
        rows.append((label_of(metric_of(metric)), *(_three(table.loc[(metric, month)]) for month in (24, 60, 120))))
    rows.append(("sooner under 80 % of the problem", "", "", _three(table.loc[("first_under", 0)])))
    yield from rows_of(("outcome", "month 24", "month 60", "month 120"), rows, right=(1, 2, 3))


def onesided() -> Iterator[str]:
    """Both outcomes with each reason taken away."""
    table = read("onesided/onesided.csv")
    rows = []
    for name in dict.fromkeys(table["reason"]):
        here = table[table["reason"] == name].set_index("metric")
        cells = []
        for metric in ("disparity_ratio", "service_coverage"):
            row = here.loc[metric]
            cells += [
                _three(row, ("collective_impact_leads", "cannot_tell", "community_led_leads")),
                signed(row["median_difference"], metric),
            ]
        rows.append((here["label"].iloc[0], *cells))
    heads = ("taken away", "burden of the most affected", "median", "needs met by services", "median")
    yield from rows_of(heads, rows, right=(1, 2, 3, 4))


# Principles

_NAMES = ("1 name injustice", "2 residents' power", "3 organize", "4 policy", "5 evaluate", "6 facilitate")


def shapley() -> Iterator[str]:
    """Each principle's share of the whole difference."""
    table = read("principles/shapley.csv")
    rows = []
    for (metric, month), part in table.groupby(["metric", "month"], sort=False):
        if month == 60:
            continue
        by = part.set_index("factor")
        rows.append(
            (
                f"{label_of(metric_of(metric))}, {month}",
                *(
                    f"{signed(by.loc[f'principle_{number}', 'value'], metric)} "
                    f"{between(*by.loc[f'principle_{number}', ['ci_low', 'ci_high']], metric)}"
                    for number in range(1, 7)
                ),
            )
        )
    yield from rows_of(("outcome, month", *_NAMES), rows, right=range(1, 7))


def synergy() -> Iterator[str]:
    """The whole, the sum of single effects, and what is beyond it."""
    table = read("principles/synergy.csv")
    rows = []
    for (metric, month), part in table.groupby(["metric", "month"], sort=False):
        by = part.set_index("quantity")
        cells = [
            f"{signed(by.loc[name, 'value'], metric)} {between(*by.loc[name, ['ci_low', 'ci_high']], metric)}"
            for name in ("whole", "alone", "synergy")
        ]
        rows.append((f"{label_of(metric_of(metric))}, {month}", *cells))
    yield from rows_of(("outcome, month", "the whole", "single effects, summed", "synergy"), rows, right=(1, 2, 3))


# Single rules

#: How many rules are shown.
MOST_RULES = 16


def rules() -> Iterator[str]:
    """What each rule does where all else is Collective Impact's, and where all else is community-led's."""
    table = read("rules/swaps.csv")
    table = table[table["direction"] != "all"]
    size = table["effect"].abs() * ((table["ci_low"] > 0.0) | (table["ci_high"] < 0.0))
    largest = size.groupby([table["label"], table["metric"]]).max().unstack()
    order = (largest / largest.max()).mean(axis=1).sort_values(ascending=False, kind="stable").index[:MOST_RULES]
    cells = table.set_index(["label", "metric", "direction"])
    rows = []
    for label in order:
        row = [label]
        for metric, _ in OF_RULES:
            both = []
            for direction in sorted(table["direction"].unique()):
                one = cells.loc[(label, metric, direction)]
                told = one["ci_low"] > 0.0 or one["ci_high"] < 0.0
                both.append(signed(one["effect"], metric).removesuffix(" pp") if told else "?")
            row.append(" / ".join(both))
        rows.append(row)
    heads = [_with_unit(metric, month) for metric, month in OF_RULES]
    yield from rows_of(("rule", *heads), rows, right=range(1, 1 + len(heads)))


def _with_unit(metric: str, month: int) -> str:
    """What an outcome is called, its month, and its unit where that is percentage points."""
    return f"{label_of(metric_of(metric))}, {month}{', pp' if metric_of(metric).unit == 'share' else ''}"


# Conversion and hybrids

_REACHED = {
    "all": "all three",
    "decision_share": "residents' say",
    "agenda_origin": "agenda that began as their ideas",
    "causal_influence": "their causal influence",
}


def conversions() -> Iterator[str]:
    """In which part of the contexts conversion succeeds, it cannot be told, or it fails."""
    table = read("conversion/summary.csv").set_index(["way", "metric", "month"])
    months = sorted({month for _, _, month in table.index})
    rows = [
        (
            {"mandate": "by order", "motion": "by motion"}[way],
            words,
            *(_three(table.loc[(way, metric, month)], ("succeeds", "cannot tell", "fails")) for month in months),
        )
        for way in ("mandate", "motion")
        for metric, words in _REACHED.items()
    ]
    yield from rows_of(("", "reaches", *(f"month {month}" for month in months)), rows, right=range(2, 2 + len(months)))


def least_organizing() -> Iterator[str]:
    """The least organizing from outside that keeps each loop closed."""
    table = read("conversion/least_organizing.csv")
    kept = ("decision_share", "agenda_origin", "resident_attendance", "resident_agency", "backbone_control")
    rows = [
        (row.rules, label_of(metric_of(row.metric)), "none of those tried" if pd.isna(row.least) else f"{row.least:g}")
        for row in table[table["metric"].isin(kept)].itertuples()
    ]
    yield from rows_of(("rules moved", "loop of", "staff-months per 100 residents"), rows, right=(2,))


def hybrids() -> Iterator[str]:
    """Both poles and the candidates that are hardest to outdo."""
    table = read("hybrids/candidates.csv").sort_values("chance_all", ascending=False, kind="stable")
    shown = pd.concat([table[table["kind"] == "pole"], table[table["kind"] != "pole"].head(8)])
    columns = ("burden_24", "disparity_ratio_120", "decision_share_120", "policy_wins_120")
    rows = []
    for row in shown.to_dict("records"):
        values = []
        for name in columns:
            metric = name.rpartition("_")[0]
            share = metric_of(metric).unit == "share"
            values.append(f"{100.0 * row[name]:.1f} %" if share else f"{row[name]:.2f}")
        rows.append((row["label"], f"{100.0 * row['chance_all']:.0f} %", row["verdict_all"], *values))
    heads = [f"{label_of(metric_of(name.rpartition('_')[0]))}, {name.rpartition('_')[2]}" for name in columns]
    yield from rows_of(("candidate", "on the frontier in", "all four outcomes", *heads), rows, right=(1, 3, 4, 5, 6))


# Robustness


def _findings(name: str) -> Iterator[str]:
    table = read(name)
    keys = list(dict.fromkeys(zip(table["metric"], table["month"], strict=True)))
    rows = []
    for (_, label), part in table.groupby(["block", "label"], sort=False):
        by = part.set_index(["metric", "month"])
        cells = []
        for metric, month in keys:
            row = by.loc[(metric, month)]
            told = {"Collective Impact": "CI", "community-led": "led", "cannot tell": "?"}[row["ahead"]]
            changed = "" if row["as_before"] == "yes" else " \\*"
            cells.append(f"{signed(row['difference'], metric)} {told}{changed}")
        rows.append((label, *cells))
    heads = [f"{label_of(metric_of(metric))}, {month}" for metric, month in keys]
    yield from rows_of(("", *heads), rows, right=range(1, 1 + len(keys)))


def findings() -> Iterator[str]:
    """The main findings under other forms, networks and sizes."""
    return _findings("robustness/findings.csv")


def indiana() -> Iterator[str]:
    """The main findings on a measured network."""
    return _findings("robustness/indiana.csv")


def side_by_side() -> Iterator[str]:
    """The verdicts under several sets of assumptions."""
    table = read("robustness/side_by_side.csv")
    titles = read("hypotheses/hypotheses.csv").set_index(["hypothesis", "setup"])["title"]
    sides = [name.removesuffix(": verdict") for name in table if name.endswith(": verdict")]
    rows = []
    for row in table.to_dict("records"):
        also = "" if row["setup"] == "main" else f" ({row['setup']})"
        words = [row[f"{side}: verdict"] for side in sides]
        rows.append(
            (
                f"{row['hypothesis']} {titles[row['hypothesis'], row['setup']]}{also}",
                *(f"{SIGNS[word]} {word}" for word in words),
            )
        )
    yield from rows_of(("hypothesis", *sides), rows)


# Sensitivity

#: How many rows of a ranking are shown.
SHOWN = 16


def screening() -> Iterator[str]:
    """The numbers that move the difference between the two sides most."""
    table = read("screening/ranking.csv")
    keys = [name for name in table if name not in ("factor", "label", "mean")]
    rows = [
        (place, row["label"], f"{row['mean']:.2f}", *(f"{row[key]:.2f}" for key in keys))
        for place, row in enumerate(table.head(SHOWN).to_dict("records"), 1)
    ]
    heads = [f"{label_of(metric_of(key.split()[0]))}, {key.split()[1]}" for key in keys]
    yield from rows_of(("", "number", "mean", *heads), rows, right=range(2, 3 + len(keys)))


def sobol() -> Iterator[str]:
    """How much of the variance of the difference each number explains alone, and with all others."""
    table = read("sobol/sobol.csv")
    table = table[table["response"].str.contains(" - ", regex=False)]
    mean = table.groupby("label")["ST"].mean().sort_values(ascending=False)
    cells = table.set_index(["label", "metric", "month"])
    rows = []
    for label in mean.index:
        row = [label]
        for outcome in OF_SOBOL:
            one = cells.loc[(label, *outcome)]
            alone, whole, low, high = (_plain(one[name]) for name in ("S1", "ST", "ST_low", "ST_high"))
            row.append(f"{alone} / **{whole}** [{low}, {high}]")
        rows.append(row)
    heads = [f"{label_of(metric_of(metric))}, {month}" for metric, month in OF_SOBOL]
    yield from rows_of(("number", *heads), rows, right=range(1, 1 + len(heads)))


def _plain(value: float) -> str:
    """A number with two digits, and no sign where they are all zero."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


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


#: Name of a table -> what makes its lines.
BLOCKS: dict[str, Callable[[], Iterator[str]]] = {
    "verdicts": verdicts, "verdicts-short": verdicts_short, "where": where, "onesided": onesided, "shapley": shapley,
    "synergy": synergy, "conversions": conversions, "least-organizing": least_organizing, "hybrids": hybrids,
    "findings": findings, "indiana": indiana, "side-by-side": side_by_side, "screening": screening,
    "survey": survey, "rules": rules, "sobol": sobol,
}  # fmt: skip


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
                take(given.take / source, HERE / name)
                print(f"taken: {given.take / source}")
            else:
                print(f"kept as it is: {name} ({given.take / source} is not there)")
        draw_verdicts()
    status = 0
    for page in pages():
        text = page.read_text(encoding="utf-8")
        try:
            made = refreshed(text)
        except FileNotFoundError as error:
            print(f"{page.relative_to(ROOT)}: {error.filename} is missing; run its study, and --take", file=sys.stderr)
            status = 2
            continue
        if made != text:
            page.write_text(made, encoding="utf-8", newline="\n")
            print(f"made anew: {page.relative_to(ROOT)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
