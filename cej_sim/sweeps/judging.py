"""What ``cej-sim analyze`` writes of a sweep that judges hypotheses: verdicts as tables, a picture and a page."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cej_sim import provenance
from cej_sim.comparison import format_difference, label_of, records
from cej_sim.report import (
    data_cell,
    document,
    escaped,
    header_row,
    html_figure,
    html_table,
    meanings,
    paragraphs,
    table_row,
)
from cej_sim.scenario import PARAMETERS, Scenario
from cej_sim.sweeps import figures, verdict_figures, verdicts
from cej_sim.sweeps.design import Design, Plan
from cej_sim.sweeps.hypotheses import MAIN, PROBE, Hypothesis, Setup, sha256
from cej_sim.sweeps.page import FAILURES, FOLDER, PAGE, About, about_sweep
from cej_sim.sweeps.page.files import Tables
from cej_sim.sweeps.page.writing import replacing, write_provenance
from cej_sim.sweeps.store import Sweep, SweepError
from cej_sim.sweeps.verdict_figures import EXPECTED, SIGNS, Group, metric_of
from cej_sim.sweeps.verdicts import (
    CANNOT_TELL,
    IDENTICAL,
    MIXED,
    NO_EFFECT,
    NONE_DECLARED,
    NOT_COMPUTED,
    REFUTED,
    STAYS,
    STAYS_SMALL,
    SUPPORTED,
    TURNS,
    VANISHES,
    TestOf,
)

#: The files of the picture.
PICTURE = "verdicts"

#: What is said of a test that no parameter set ever failed, and of one that none could have.
NEVER_FAILED = "never failed here"
BY_CONSTRUCTION = "true by construction"

_KEYS = ["hypothesis", "setup", "test"]


@dataclass(eq=False)
class Judgment:
    """What came of a sweep of hypotheses.

    Attributes:
        design: Of the sweep.
        tables: By name: ``hypotheses``, ``verdicts``, ``survival``, ``effects``, ``sets`` and ``failures``.
        remarks: What a reader must know.
    """

    design: Design
    tables: dict[str, pd.DataFrame]
    remarks: list[str] = field(default_factory=list)

    @property
    def sets(self) -> int:
        """The number of parameter sets; without an ensemble every run counts as one."""
        return sets_of(self.design)

    def main(self, setup: str = MAIN) -> pd.DataFrame:
        """The verdicts of hypotheses on one pair of setups."""
        table = self.tables["hypotheses"]
        return table[table["setup"] == setup]


@dataclass(frozen=True)
class Written:
    """What ``write`` made.

    Attributes:
        directory: The folder.
        found: The verdicts.
        about: What was said of the sweep.
        cells: Number of its cells.
    """

    directory: Path
    found: Judgment
    about: About
    cells: int


def is_meant(directory: str | os.PathLike[str]) -> bool:
    """Whether a directory says that it holds a sweep of hypotheses."""
    told = provenance.read(Path(directory)) or {}
    return dict(told.get("design") or {}).get("kind") == "hypotheses"


def sets_of(design: Design) -> int:
    """Of how many parameter sets runs are; without an ensemble every run counts as one."""
    return design.runs if design.ensemble is None else len(design.ensemble)


# Numbers


def tests_of(plan: Plan) -> list[TestOf]:
    """The tests of a plan, with the arms that each looks at."""
    found = []
    scenarios = {scenario.name: scenario for scenario in plan.design.scenarios}
    for hypothesis in plan.design.hypotheses:
        arms = hypothesis.arms(plan.design.survives_runs > 0)
        for setup in hypothesis.setups:
            for number, test in enumerate(hypothesis.tests, 1):
                mine = [arm for arm in arms if hypothesis.concerned(test, arm)]
                found.append(
                    TestOf(
                        hypothesis.id,
                        setup.name,
                        number,
                        test.metric,
                        test.month,
                        test.expected,
                        test.smallest,
                        next((arm.name for arm in mine if arm.kind == "without"), ""),
                        {arm.name: arm.changes[0][0] for arm in mine if arm.kind == "survives"},
                        repeats(scenarios[setup.a], scenarios[setup.b], test.metric, test.expected),
                    )
                )
    return found


def repeats(a: Scenario, b: Scenario, metric: str, expected: str) -> bool:
    """Whether a number in which two setups differ is declared to move a metric as expected, and none the other way."""
    ways = {
        sign * (1 if float(b[path]) > float(a[path]) else -1)
        for path, parameter in PARAMETERS.items()
        if parameter.kind in ("number", "count") and a[path] != b[path]
        for name, sign in parameter.effect
        if name == metric
    }
    return ways == {{"up": 1, "down": -1}.get(expected, 0)}


def judge(sweep: Sweep) -> Judgment:
    """The verdicts of a sweep.

    Raises:
        SweepFailure: If a part of it is damaged.
    """
    design, plan = sweep.design, sweep.plan
    tests = tests_of(plan)
    main, fewer = _effects(sweep, tests)
    survivors = verdicts.survival_table(tests, fewer)
    table = verdicts.verdict_table(tests, main, survivors)
    hypotheses = verdicts.hypothesis_table(table)
    words = {one.id: one for one in design.hypotheses}
    for name in ("title", "claim", "refuted_if"):
        hypotheses[name] = [getattr(words[one], name) for one in hypotheses["hypothesis"]]
    cells = sweep.cells
    failures = cells.loc[cells["status"] != "done", ["cell", "hypothesis", "setup", "arm", "status", "error", "seed"]]
    tables = {
        "hypotheses": hypotheses[list(verdicts.HYPOTHESIS_COLUMNS)],
        "verdicts": table,
        "survival": survivors,
        "effects": main,
        "failures": failures.reset_index(drop=True),
    }
    if design.ensemble is not None:
        sets = pd.DataFrame(design.ensemble.values, columns=list(design.ensemble.parameters))
        sets.insert(0, "set", range(len(sets)))
        tables["sets"] = sets
    found = Judgment(design, tables)
    found.remarks += _remarks(found, len(plan))
    return found


def _effects(sweep: Sweep, tests: Sequence[TestOf]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The differences set by set: of the arms with all runs, and of every arm over the runs that all have."""
    design, plan = sweep.design, sweep.plan
    sets, few = sets_of(design), design.survives_runs
    by_pair: dict[tuple[str, str], list[TestOf]] = {}
    for test in tests:
        by_pair.setdefault((test.hypothesis, test.setup), []).append(test)
    columns = ["cell", "scenario", "run", "month", "value"]
    probed = sweep.probes()[columns].rename(columns={"value": PROBE})
    of_cell = dict(iter(probed.groupby("cell")))
    main: list[tuple[TestOf, str, pd.DataFrame]] = []
    fewer: list[tuple[TestOf, str, pd.DataFrame]] = []
    for batch in sweep.batches():
        for cell, rows in batch.to_pandas().groupby("cell"):
            here = plan.places[int(cell)]
            of_month = {
                (name, month): table
                for name, whole in (("", rows), (PROBE, of_cell.get(cell, probed.iloc[:0])))
                for month, table in whole.groupby("month")
            }
            for test in by_pair[here.hypothesis.id, here.setup.name]:
                source = of_month.get((PROBE if test.metric == PROBE else "", test.month))
                if here.arm.name not in test.arms() or source is None:
                    continue
                runs, differences = verdicts.pairs_of(source, test.metric)
                if not here.runs_alone:
                    main.append((test, here.arm.name, verdicts.by_set(runs, differences, sets)))
                if few:
                    chosen = runs < few
                    fewer.append((test, here.arm.name, verdicts.by_set(runs[chosen], differences[chosen], sets)))
    return _together(main), _together(fewer)


def _together(found: Sequence[tuple[TestOf, str, pd.DataFrame]]) -> pd.DataFrame:
    """The differences of tests and arms as one table."""
    keys = ["hypothesis", "setup", "test", "metric", "month", "expected", "smallest", "arm"]
    sizes = [len(frame) for _, _, frame in found]
    told = [
        (test.hypothesis, test.setup, test.number, test.metric, test.month, test.expected, test.smallest, arm)
        for test, arm, _ in found
    ]
    if not sum(sizes):
        return pd.DataFrame(columns=list(verdicts.EFFECT_COLUMNS))
    head = pd.DataFrame(told, columns=keys).loc[lambda table: table.index.repeat(sizes)].reset_index(drop=True)
    return pd.concat([head, pd.concat([frame for _, _, frame in found], ignore_index=True)], axis=1)


def _remarks(found: Judgment, cells: int) -> list[str]:
    """What a reader must know."""
    remarks = []
    table, design = found.tables["verdicts"], found.design
    missing = len(found.tables["failures"])
    if missing:
        remarks.append(f"{missing:,} of {cells:,} cells have no numbers; what hangs on them is called not computed")
    if design.ensemble is None:
        remarks.append(
            "there is one parameter set only, the declared defaults: intervals hold luck and nothing of what is "
            "not known, and P(sign) counts runs"
        )
    ended = table[table["pairs"] < table["runs"]]
    if len(ended):
        least = ended.assign(part=ended["pairs"] / ended["runs"]).sort_values("part").iloc[0]
        remarks.append(
            f"in {len(ended)} of {len(table)} tests some coalitions had ended, and what says nothing without a "
            "coalition is compared where both still exist: at the least in "
            f"{100 * least['part']:.0f}% of the pairs ({least['hypothesis']}, {least['metric']})"
        )
    return remarks


def data_dictionary(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What every column of every file means: ``file column type unit meaning``."""
    own: dict[str, dict[str, tuple[str, str]]] = {
        "hypotheses": verdicts.HYPOTHESIS_COLUMNS,
        "verdicts": verdicts.COLUMNS,
        "survival": verdicts.SURVIVAL_COLUMNS,
        "effects": verdicts.EFFECT_COLUMNS,
        "failures": {
            "cell": ("number", "Number of the cell; see cells.csv of the sweep"),
            "hypothesis": ("id", "Id of the hypothesis"),
            "setup": ("name", "Pair of setups"),
            "arm": ("name", "What is switched off"),
            "status": ("word", "failed or missing"),
            "error": ("text", "Why there are no numbers"),
            "seed": ("number", "Seed of the cell"),
        },
        "sets": {"set": ("number", "Number of the parameter set; run r uses set r modulo their number")},
        "data_dictionary": {
            name: ("text", meaning)
            for name, meaning in (
                ("file", "Name of a file"),
                ("column", "Name of a column"),
                ("type", "text, number, whole number or yes/no"),
                ("unit", "Its unit"),
                ("meaning", "What it is"),
            )
        },
    }
    rows = []
    for name in (*tables, "data_dictionary"):
        columns = list(own[name]) if name == "data_dictionary" else list(tables[name].columns)
        for column in columns:
            kind = "text" if name == "data_dictionary" else _kind(tables[name][column])
            unit, meaning = own[name].get(column, ("parameter's unit", f"Value of {column} in the set"))
            rows += [(f"{name}.{ending}", column, kind, unit, meaning) for ending in ("csv", "parquet")]
    return pd.DataFrame(rows, columns=["file", "column", "type", "unit", "meaning"])


def _kind(column: pd.Series) -> str:
    if column.dtype.kind in "iu":
        return "whole number"
    yes_no = column.dtype.kind == "b" or set(column.dropna().map(type)) == {bool}
    return "number" if column.dtype.kind == "f" else "yes/no" if yes_no else "text"


# Files


def write(
    directory: str | os.PathLike[str],
    *,
    command: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Written:
    """Judge the hypotheses of a sweep, and write ``analysis/`` into it: tables, picture, page and provenance.

    Args:
        directory: The sweep.
        command: The command line that asked for it.
        progress: Told what is being done.

    Raises:
        SweepError: If there is no such sweep, or ``analysis`` there is not ours.
        SweepFailure: If the sweep is damaged, or the disk fails.
    """
    directory = Path(directory)
    sweep = Sweep(directory)
    if sweep.shard.of > 1:
        raise SweepError(
            f"{directory} holds shard {sweep.shard} only; put all shards together with `cej-sim merge` first"
        )
    about = about_sweep(sweep, command)
    with replacing(directory) as staging:
        progress("checking the rows")
        sweep.check_content()
        progress("reading the rows")
        found = judge(sweep)
        note = f"{provenance.NOTE}; {facts(found, about, len(sweep.plan))}"
        with Tables(staging, note) as tables:
            for name, table in found.tables.items():
                tables.put(name, _plain(table))
            tables.put("data_dictionary", data_dictionary(found.tables))
        progress("drawing")
        html = _draw(staging / "figures", found, about, note, len(sweep.plan))
        (staging / PAGE).write_text(html, encoding="utf-8", newline="\n")
        metrics = list(dict.fromkeys(found.tables["verdicts"]["metric"]))
        write_provenance(staging, about, metrics, sweep.design.keep_months, found.remarks)
    return Written(directory / FOLDER, found, about, len(sweep.plan))


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose yes/no columns with gaps are text, as the files hold them."""
    mixed = [str(name) for name in table if table[name].dtype == object and _kind(table[name]) == "yes/no"]
    return table.assign(**{name: table[name].astype("boolean") for name in mixed})


def facts(found: Judgment, about: About, cells: int) -> str:
    """Cells, runs, sets, seed and version in a line."""
    design = found.design
    each = f"{design.runs:,} paired runs of each pair of setups"
    if design.ensemble is not None:
        each += f" over {found.sets} parameter sets"
    if design.survives_runs:
        each += f" ({design.survives_runs} with single feedbacks off)"
    return f"{cells:,} cells, {each}, seed {about.seed}, cej_sim {about.version}"


def _draw(folder: Path, found: Judgment, about: About, note: str, cells: int) -> str:
    """Draw the pictures into a folder; returns the page with them."""
    folder.mkdir()
    shown: list[tuple[bytes, str, str]] = []
    parts = verdict_figures.in_pictures(groups_of(found.tables["hypotheses"], found.tables["verdicts"]))
    for number, groups in enumerate(parts, 1):
        heading = f"{about.title}: {counted(found)}"
        footer = f"Illustration, not prediction.  {facts(found, about, cells)}."
        figure = verdict_figures.verdict_figure(groups, heading, HOW, footer)
        name = PICTURE if len(parts) == 1 else f"{PICTURE}_{number}"
        for kind in figures.FORMATS:
            data = figures.save(figure, kind, note)
            (folder / f"{name}.{kind}").write_bytes(data)
            if kind == "png":
                shown.append((data, heading, verdict_figures.alternative(groups)))
    return html_page(found, about, cells, shown)


#: How the picture is read.
HOW = (
    "Effect of the second setup against the first, in multiples of the least difference that matters to a coalition, "
    "with 95% intervals over parameter sets; month and expected direction stand behind each outcome. The number is "
    "P(sign), the part of the sets that come out as expected; ! marks tests that no set ever failed, !! those that are "
    "true by construction."
)


def groups_of(hypotheses: pd.DataFrame, tests: pd.DataFrame) -> list[Group]:
    """The tests of the picture under their hypotheses."""
    groups = []
    for one in records(hypotheses):
        rows = tests[(tests["hypothesis"] == one["hypothesis"]) & (tests["setup"] == one["setup"])]
        also = "" if one["setup"] == MAIN else f" ({one['setup']})"
        groups.append(Group(f"{one['hypothesis']} {one['title']}{also}", one["verdict"], records(rows)))
    return groups


def counted(found: Judgment) -> str:
    """How many hypotheses came out how, on their main setups."""
    words = list(found.main()["verdict"])
    numbers = [(words.count(word), word) for word in (SUPPORTED, REFUTED, MIXED, NOT_COMPUTED)]
    return ", ".join(f"{number} {word}" for number, word in numbers if number or word in (SUPPORTED, REFUTED))


# The page


def html_page(found: Judgment, about: About, cells: int, pictures: Sequence[tuple[bytes, str, str]]) -> str:
    """One self-contained page: every hypothesis, what happened, the verdict, and how it was reached.

    Args:
        found: The verdicts.
        about: Words.
        cells: Number of cells of the sweep.
        pictures: PNG files, each with its heading and its content in words.
    """
    drawn = "".join(html_figure(data, f"{heading}. {alt}", heading) for data, heading, alt in pictures)
    sections = [
        f"<section><h2>What was asked</h2>\n{paragraphs(about.description)}{_rule(found)}</section>\n",
        f"<section><h2>Every hypothesis: {escaped(counted(found))}</h2>\n{_all(found)}</section>\n",
        f"<section><h2>At a glance</h2>\n{drawn}<p class='soft'>Numbers: <code>verdicts.csv</code></p></section>\n",
        _numbers(found),
        _hangs(found),
        _construction(found),
        _missing(found, cells),
        meanings([name for name in dict.fromkeys(found.tables["verdicts"]["metric"]) if name != PROBE]),
        _files(found, about),
    ]
    whole = f"{facts(found, about, cells)}. Content of the sweep: SHA-256 {about.content_hash[:16]}…"
    return document(about.title, whole, found.remarks, sections)


def _rule(found: Judgment) -> str:
    declared = sha256(found.design.declaration)
    return (
        f"<p>Each hypothesis sets two setups, a and b, side by side, with the same money, people and luck and the same "
        f"{'parameter set' if found.design.ensemble is not None else 'parameters'}. It was declared beforehand which "
        "way each outcome moves from a to b, the least difference that would matter, and what should abolish the "
        f"effect; the declaration has the SHA-256 <code>{declared[:16]}…</code>.</p>"
        "<p>A test is <strong>supported</strong> if at least 90% of the parameter sets have the expected sign, the 95% "
        "interval of the mean difference lies on the expected side of 0, and the mean reaches the least difference "
        "that matters; <strong>refuted</strong> if the interval lies wholly on the other side, or wholly within what "
        "is too small to matter; otherwise the runs <strong>cannot tell</strong>. Where no change is expected, it is "
        "supported if the interval lies within what is too small to matter, and refuted if it lies wholly beyond. A "
        "hypothesis is supported if all its tests are, refuted if its first is, and mixed otherwise.</p>"
        "<p>An effect counts for what is claimed only if it vanishes without the feedback that should bring it about, "
        "and survives when other feedbacks are switched off.</p>"
    )


def _all(found: Judgment) -> str:
    """The table of all hypotheses: each with its claim, its setups, what would refute it, and a row for each test."""
    heads = (
        ("Outcome, when, expected", False), ("From a to b", True), ("95% interval", True), ("P(sign)", True),
        ("Effect d_z", True), ("Verdict", False), ("Without its mechanism", False), ("Also lost without", False),
    )  # fmt: skip
    by_id = {one.id: one for one in found.design.hypotheses}
    table, rows = found.tables["verdicts"], []
    for one in records(found.tables["hypotheses"]):
        hypothesis = by_id[one["hypothesis"]]
        setup = next(pair for pair in hypothesis.setups if pair.name == one["setup"])
        rows.append(_heading(found, hypothesis, setup, one["verdict"], len(heads)))
        tests = records(table[(table["hypothesis"] == one["hypothesis"]) & (table["setup"] == one["setup"])])
        rows += [_tested(row, [head for head, _ in heads[1:]]) for row in tests]
    caption = "Supported, refuted and mixed ones in the order in which they were declared; shares in percentage points"
    return html_table(caption, header_row(heads), rows)


def _heading(found: Judgment, hypothesis: Hypothesis, setup: Setup, verdict: str, columns: int) -> str:
    """The row above the tests of a hypothesis: what is claimed and compared, the verdict, and what would refute it."""
    labels = {scenario.name: scenario.title for scenario in found.design.scenarios}
    also = "" if setup.name == MAIN else f" ({setup.name})"
    lines = [
        f"{escaped(hypothesis.id)} {escaped(hypothesis.title + also)}: {_verdict(verdict)}",
        escaped(hypothesis.claim),
        f"a: {escaped(labels[setup.a])}; b: {escaped(labels[setup.b])}.",
        f"Refuted if: {escaped(hypothesis.refuted_if)}",
        f'<span class="soft">{escaped(hypothesis.note)}</span>' if hypothesis.note else "",
    ]
    plain = "".join(f'<br><span style="font-weight:normal">{line}</span>' for line in lines[1:] if line)
    return (
        f'<tr role="row" class="family"><th role="rowheader" scope="rowgroup" colspan="{columns}">{lines[0]}{plain}'
        "</th></tr>"
    )


def _tested(row: Mapping[str, Any], heads: Sequence[str]) -> str:
    """The row of one test."""
    metric = metric_of(row["metric"])
    value, interval = format_difference(row, metric)
    mark = BY_CONSTRUCTION if row["by_construction"] else NEVER_FAILED if row["never_failed"] else ""
    never = f'<br><small class="soft">{mark}</small>' if mark else ""
    contents = (
        (escaped(value), "number"),
        (escaped(interval) or "none", "number"),
        (_share(row["p_sign"]), "number"),
        (_decimal(row["effect_size"]), "number"),
        (_verdict(row["verdict"]) + never, "words"),
        (escaped(_control(row)), "words"),
        (escaped(_also_lost(row)), "words"),
    )
    what = f"{label_of(metric)}, month {row['month']}, {EXPECTED[row['expected']]}"
    cells = (data_cell(head, content, kind) for head, (content, kind) in zip(heads, contents, strict=True))
    return table_row(escaped(what), cells)


def _verdict(word: str) -> str:
    """A verdict in words, with its shape and color."""
    color = verdict_figures.LOOKS[word][1]
    return f'<strong style="color:{color};white-space:nowrap">{SIGNS[word]} {escaped(word)}</strong>'


def _also_lost(row: Mapping[str, Any]) -> str:
    """The other feedbacks that one test's effect hangs on, and of how many the runs cannot tell."""
    unsure = len(row["off_cannot_tell"].split()) + len(row["off_not_computed"].split())
    if not (row["off_lost"] or unsure or row["off_survives"]):
        return "–"
    lost = _gains(row["off_lost"]) if row["off_lost"] else "none"
    return f"{lost}; {unsure} cannot tell" if unsure else lost


def _share(value: float) -> str:
    return "–" if math.isnan(value) else "1" if value == 1.0 else "0" if value == 0.0 else f"{value:.3g}"


_CONTROLS = {
    VANISHES: "vanishes",
    STAYS: "stays: it comes from something else as well",
    TURNS: "turns round",
    CANNOT_TELL: "cannot tell",
    NO_EFFECT: "there is no effect to lose",
    NONE_DECLARED: "nothing was declared to abolish it",
    IDENTICAL: "a and b are identical",
    STAYS_SMALL: "stays, too small to matter",
    NOT_COMPUTED: "not computed",
}


def _control(row: Mapping[str, Any]) -> str:
    """What came of one test's effect without its mechanism."""
    words = _CONTROLS[row["control"]]
    if row["control"] == VANISHES:
        how = [
            word
            for word, holds in (
                ("too small to matter", row["within_smallest"]),
                ("under a fifth", row["under_a_fifth"]),
            )
            if holds
        ]
        words += f" ({' and '.join(how)})"
    return words


def _numbers(found: Judgment) -> str:
    """Every test in numbers, with both arms."""
    heads = (
        ("Test", False), ("Least that matters", True), ("b − a", True), ("95% interval", True), ("d_z", True),
        ("P(sign)", True), ("Sets that fail", True), ("Verdict", False), ("Without: b − a", True),
        ("95% interval", True), ("Without its mechanism", False),
    )  # fmt: skip
    rows = []
    for row in records(found.tables["verdicts"]):
        metric = metric_of(row["metric"])
        least = _size(row["smallest"], metric)
        without = {key: row[f"without_{key}"] for key in ("difference", "ci_low", "ci_high")}
        shown = [format_difference(one, metric) for one in (row, without)]
        pair = "" if row["setup"] == MAIN else f" ({row['setup']})"
        rows.append(
            table_row(
                f"{escaped(row['hypothesis'] + pair)}: {escaped(label_of(metric))}, month {row['month']}, "
                f"{EXPECTED[row['expected']]}",
                (
                    data_cell("Least that matters", least, "number"),
                    data_cell("b − a", shown[0][0], "number"),
                    data_cell("95% interval", shown[0][1] or "none", "number"),
                    data_cell("d_z", _decimal(row["effect_size"]), "number"),
                    data_cell("P(sign)", _share(row["p_sign"]), "number"),
                    data_cell("Sets that fail", f"{row['sign_failed']} of {row['sets']}", "number"),
                    data_cell("Verdict", _verdict(row["verdict"])),
                    data_cell("Without: b − a", shown[1][0], "number"),
                    data_cell("95% interval", shown[1][1] or "none", "number"),
                    data_cell("Without its mechanism", escaped(row["control"])),
                ),
            )
        )
    return (
        "<section><h2>Every test in numbers</h2>\n<details><summary>Differences, effect sizes and both arms</summary>"
        f"{html_table('Shares in percentage points', header_row(heads), rows)}</details></section>\n"
    )


def _decimal(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.2f}".replace("-", "−")


def _size(value: float, metric: Any) -> str:
    shown = {"difference": value, "ci_low": math.nan, "ci_high": math.nan}
    return format_difference(shown, metric)[0].lstrip("+")


def _hangs(found: Judgment) -> str:
    """What effects hang on beside what is claimed for them."""
    if not found.design.survives_runs:
        return ""
    table = found.tables["verdicts"]
    rows = []
    for row in records(table):
        tried = found.tables["survival"]
        mine = tried[(tried[_KEYS] == [row[key] for key in _KEYS]).all(axis=1)]
        there = mine[mine["outcome"] != NO_EFFECT]
        if there.empty:
            continue
        metric = label_of(metric_of(row["metric"]))
        pair = "" if row["setup"] == MAIN else f" ({row['setup']})"
        rows.append(
            table_row(
                f"{escaped(row['hypothesis'] + pair)}: {escaped(metric)}, month {row['month']}",
                (
                    data_cell("Survives", f"{row['off_survives']} of {len(mine)}", "number"),
                    data_cell("Lost without", escaped(_gains(row["off_lost"])), "prose"),
                    data_cell("Cannot tell", escaped(_gains(row["off_cannot_tell"])), "prose"),
                    data_cell("Not computed", escaped(_gains(row["off_not_computed"])), "prose"),
                ),
            )
        )
    heads = [("Test", False), ("Survives", True), ("Lost without", False), ("Cannot tell", False)]
    shown = html_table(
        f"Each other feedback switched off by itself ({found.design.survives_runs} runs each)",
        header_row([*heads, ("Not computed", False)]),
        rows,
    )
    return (
        "<section><h2>What else the effects hang on</h2>\n<p>Every feedback other than the one claimed is switched off "
        "by itself. An effect is lost if it becomes too small to matter or turns round, or if it falls under a fifth "
        "of itself and the fall is sure. Left out are tests without an effect that could be lost.</p>"
        f"{shown if rows else '<p>No test has an effect that could be lost.</p>'}</section>\n"
    )


def _gains(text: str) -> str:
    return ", ".join(gain.removeprefix("mechanisms.").replace("_", " ") for gain in text.split()) or "–"


def _construction(found: Judgment) -> str:
    """Tests that no set ever failed, and those of them that none could have."""
    table = found.tables["verdicts"]
    never = table[table["never_failed"]]
    built = never[never["by_construction"]]
    if never.empty:
        told = "<p>None: every test failed in at least one parameter set.</p>"
    else:
        are = "is" if len(built) == 1 else "are"
        told = (
            f"<p>{len(never)} of {len(table)} tests came out as expected in every parameter set.</p>"
            f"<p>{len(built) or 'None'} of them {are} <strong>{BY_CONSTRUCTION}</strong>: the effect stays without "
            "what should bring it about, or nothing was declared that could abolish it, or the test repeats what a "
            "number in which the setups differ is declared to do (where no change is expected: both setups are "
            f"identical). An expectation that nothing in the model could disappoint is no finding.</p>{_listed(built)}"
        )
        rest = never[~never["by_construction"].astype(bool)]
        if len(rest):
            told += (
                "<p>What becomes of the others without their mechanism stands in the table; that no set failed them "
                f"may still mean that the ranges of the sets are too narrow.</p>{_listed(rest)}"
            )
    return f"<section><h2>What never failed</h2>\n{told}</section>\n"


def _listed(tests: pd.DataFrame) -> str:
    """Tests as a list."""
    items = "".join(
        f"<li>{escaped(row['hypothesis'])}{'' if row['setup'] == MAIN else escaped(' (' + row['setup'] + ')')}: "
        f"{escaped(label_of(metric_of(row['metric'])))}, month {row['month']}, {EXPECTED[row['expected']]}</li>"
        for row in records(tests)
    )
    return f"<ul>{items}</ul>" if items else ""


def _missing(found: Judgment, cells: int) -> str:
    table = found.tables["failures"]
    if table.empty:
        return "<section><h2>What is missing</h2>\n<p>Nothing: every cell of the design was computed.</p></section>\n"
    heads = [("Cell", True), ("What it is", False), ("Why there are no numbers", False), ("Seed", False)]
    rows = [
        table_row(
            escaped(row["cell"]),
            (
                data_cell("What it is", escaped(f"{row['hypothesis']}, {row['setup']}, {row['arm']}")),
                data_cell("Why there are no numbers", escaped(row["error"] or "never computed")),
                data_cell("Seed", escaped(row["seed"])),
            ),
        )
        for row in records(table.head(FAILURES))
    ]
    left = len(table) - len(rows)
    more = f"<p>{left:,} more stand in <code>failures.csv</code>.</p>" if left > 0 else ""
    return (
        f"<section><h2>What is missing</h2>\n<p>{len(table):,} of {cells:,} cells have no numbers. Tests that need "
        "them are called not computed.</p>"
        f"{html_table('Cells without numbers', header_row(heads), rows)}{more}</section>\n"
    )


def _files(found: Judgment, about: About) -> str:
    names = ", ".join(f"<code>{escaped(name)}</code>" for name in sorted(found.tables))
    commands = [line for line in (about.computed, about.command) if line]
    how = f"<pre><code>{escaped(chr(10).join(commands))}</code></pre>" if commands else ""
    return (
        f"<section><h2>How to get these numbers again</h2>\n{how}<p>The same version, design and seed give the same "
        f"numbers. Beside this page lie all numbers in full precision, each table as CSV and as Parquet: {names}; what "
        "every column means stands in <code>data_dictionary.csv</code>, and the picture, also as SVG and PDF, in "
        "<code>figures</code>. <code>effects.csv</code> has every difference set by set, so that the parameter sets in "
        "which an expectation fails can be looked up in <code>sets.csv</code>.</p></section>\n"
    )


# For a terminal

_STYLES = {SUPPORTED: "bold blue", REFUTED: "bold dark_orange3", MIXED: "italic", NOT_COMPUTED: "dim"}


def summary(found: Judgment, about: About, cells: int) -> list[RenderableType]:
    """The verdicts for a terminal of 100 columns."""
    parts: list[RenderableType] = [
        Text(f"{about.title}: {counted(found)}", style="bold reverse"),
        Text(facts(found, about, cells) + "\n"),
    ]
    parts += [Text(f"Note: {remark}.", style="bold dark_orange3") for remark in found.remarks]
    grid = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="underline")
    grid.add_column("", max_width=46)
    grid.add_column("Verdict", no_wrap=True)
    grid.add_column("Tests", max_width=24)
    grid.add_column("Without its mechanism", max_width=24)
    for one in records(found.tables["hypotheses"]):
        also = "" if one["setup"] == MAIN else f" ({one['setup']})"
        numbers = {
            word: one["tests_" + word.replace(" ", "_")] for word in (SUPPORTED, REFUTED, CANNOT_TELL, NOT_COMPUTED)
        }
        tests = ", ".join(f"{number} {word}" for word, number in numbers.items() if number)
        grid.add_row(
            Text(f"{one['hypothesis']} {one['title']}{also}"),
            Text(f"{SIGNS[one['verdict']]} {one['verdict']}", style=_STYLES[one["verdict"]]),
            Text(tests),
            Text(one["control"]),
        )
    never, built = (int(found.tables["verdicts"][name].sum()) for name in ("never_failed", "by_construction"))
    parts += [grid, Text("")]
    if never:
        parts.append(
            Text(f"{never} of {len(found.tables['verdicts'])} tests {NEVER_FAILED}; {built} are {BY_CONSTRUCTION}.")
        )
    parts.append(Text("Illustration, not prediction.", style="dim"))
    return parts
