"""What ``cej-sim analyze`` writes: tables, pictures and one self-contained page about a sweep."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cej_sim import provenance
from cej_sim.comparison import (
    BY_NAME,
    FAMILIES,
    FEWEST_ALIKE,
    arrow,
    format_difference,
    label_of,
    records,
    when,
)
from cej_sim.parameters import Metric
from cej_sim.report import (
    data_cell,
    document,
    escaped,
    family_row,
    header_row,
    html_figure,
    html_table,
    meanings,
    named,
    paragraphs,
    table_row,
)
from cej_sim.sweeps import figures
from cej_sim.sweeps.analysis import (
    ALL_FACTORS,
    NOT_COMPUTED,
    Analysis,
    FactorLike,
    Study,
    analyze,
    choose_metrics,
    choose_months,
    data_dictionary,
    is_sure,
    plain,
    study_of,
    summarize_probes,
)
from cej_sim.sweeps.store import Sweep, SweepError, SweepFailure

#: The folder within the directory of a sweep, and its page.
FOLDER, PAGE = "analysis", "report.html"

#: What its provenance says it is.
KIND = "analysis"

#: Failed cells that the page names; the table holds all.
FAILURES = 50

#: Rows of a table of effects on the page.
EFFECTS = 40

_STAGING = ".cej_sim-"


@dataclass(frozen=True)
class About:
    """What the page says of a sweep beside its numbers.

    Attributes:
        title, description: The design's.
        kind: Kind of design.
        titles: Scenario name as in the rows -> title.
        runs: Runs of each scenario in each cell, at most.
        auto: Whether cells may have fewer.
        seed, version: With what it was computed.
        content_hash: Of the sweep.
        command: The command line that analyzes it again.
        computed: The command line that computed it, if known.
    """

    title: str
    description: str
    kind: str
    titles: Mapping[str, str]
    runs: int
    auto: bool
    seed: int
    version: str
    content_hash: str
    command: str | None = None
    computed: str | None = None

    def facts(self, cells: int) -> str:
        """Cells, runs, seed and version in a line."""
        paired = "paired " if len(self.titles) > 1 else ""
        runs = f"{'up to ' if self.auto else ''}{self.runs} {paired}{'run' if self.runs == 1 else 'runs'}"
        return f"{cells:,} cell{'' if cells == 1 else 's'}, {runs} in each, seed {self.seed}, cej_sim {self.version}"


@dataclass(frozen=True)
class Written:
    """What ``write`` made.

    Attributes:
        directory: The folder.
        found: The numbers.
        about: What was said of them.
    """

    directory: Path
    found: Analysis
    about: About


def about_sweep(sweep: Sweep, command: str | None = None) -> About:
    """What there is to say of a sweep."""
    design = sweep.design
    titles = {scenario.name: scenario.title for scenario in design.scenarios}
    if design.kind == "ablation":
        titles = {design.names[0]: f"From {' to '.join(titles.values())}"}
    told = provenance.read(sweep.directory) or {}
    return About(
        design.title,
        design.description,
        design.kind,
        titles,
        design.runs,
        design.auto is not None,
        design.seed,
        str(told.get("version", provenance.version())),
        sweep.content_hash,
        command,
        told.get("command"),
    )


def write(
    directory: str | os.PathLike[str],
    *,
    metrics: Sequence[str] | None = None,
    months: Sequence[int] | None = None,
    command: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Written:
    """Analyze the sweep in a directory, and write ``analysis/`` into it: tables, pictures, page and provenance.

    Args:
        directory: The sweep.
        metrics, months: What to analyze; see ``analysis.choose_metrics`` and ``analysis.choose_months``.
        command: The command line that asked for it.
        progress: Told what is being done.

    Raises:
        SweepError: If there is no sweep, a metric or month was not kept, or ``analysis`` there is not ours.
        SweepFailure: If the sweep is damaged, or the disk fails.
    """
    directory = Path(directory)
    sweep = Sweep(directory)
    if sweep.shard.of > 1:
        raise SweepError(
            f"{directory} holds shard {sweep.shard} only; put all shards together with `cej-sim merge` first"
        )
    study = study_of(sweep.design, sweep.plan.points)
    try:
        chosen, when_ = choose_metrics(study, metrics), choose_months(study, months)
    except ValueError as error:
        raise SweepError(str(error)) from error
    about = about_sweep(sweep, command)
    target = directory / FOLDER
    _check(target)
    progress("checking the rows")
    sweep.check_content()
    staging = directory / f"{_STAGING}{os.getpid()}-{uuid.uuid4().hex[:12]}"
    try:
        staging.mkdir()
        note = f"{provenance.NOTE}; {about.facts(len(sweep.plan))}"
        with _Tables(staging, note) as tables:
            progress("reading the rows")
            columns = list(dict.fromkeys([*(metric.name for metric in chosen), *_alive(study)]))
            found = analyze(
                study,
                sweep.cells,
                sweep.batches(columns, when_),
                metrics=[metric.name for metric in chosen],
                months=when_,
                sink=tables.add,
            )
            summarize_probes(found, sweep.probes())
            for name, table in found.tables.items():
                tables.put(name, table)
            tables.put("data_dictionary", data_dictionary(study, found.columns))
        progress("drawing")
        html = _draw(staging / "figures", found, about, note, bool(metrics))
        (staging / PAGE).write_text(html, encoding="utf-8", newline="\n")
        _provenance(staging, about, found)
        _exchange(staging, target)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SweepFailure(f"{target} cannot be written: {reason}; nothing that stood there has changed") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Written(target, found, about)


def _alive(study: Study) -> list[str]:
    return ["alive"] if "alive" in study.metrics else []


def _check(target: Path) -> None:
    """Refuse to overwrite what is not an analysis of ours."""
    if not target.exists():
        return
    held = provenance.read(target) if target.is_dir() else None
    if (held is None or held.get("kind") != KIND) and not (target.is_dir() and not any(target.iterdir())):
        raise SweepError(f"{target} is not an analysis of cej-sim; move it out of the way")


def _exchange(staging: Path, target: Path) -> None:
    """Put a finished folder in the place of the one before, which comes back if that fails."""
    before = staging.with_name(f"{staging.name}-before")
    had = target.exists()
    if had:
        os.replace(target, before)
    try:
        os.replace(staging, target)
    except OSError:
        if had:
            os.replace(before, target)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _provenance(staging: Path, about: About, found: Analysis) -> None:
    files = sorted(path for path in staging.rglob("*") if path.is_file())
    content = {
        "software": provenance.SOFTWARE,
        "format": provenance.FORMAT,
        "kind": KIND,
        "note": provenance.NOTE,
        "version": provenance.version(),
        "commit": provenance.commit(),
        "command": about.command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "sweep": {"title": about.title, "content_hash": about.content_hash, "version": about.version},
        "seed": about.seed,
        "runs": about.runs,
        "metrics": [metric.name for metric in found.metrics],
        "months": list(found.months),
        "remarks": found.remarks,
        "files": {path.relative_to(staging).as_posix(): _hash(path) for path in files},
    }
    text = json.dumps(content, indent=1, default=str, ensure_ascii=False)
    (staging / provenance.FILE).write_text(text + "\n", encoding="utf-8")


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Files of tables


def _schema(frame: pd.DataFrame, note: str) -> pa.Schema:
    kinds = {"i": pa.int64(), "u": pa.int64(), "f": pa.float64(), "b": pa.bool_()}
    fields = [(str(name), kinds.get(dtype.kind, pa.string())) for name, dtype in frame.dtypes.items()]
    return pa.schema(fields, metadata={b"note": note.encode()})


class _Tables:
    """Tables written block by block, each as CSV and as Parquet."""

    def __init__(self, folder: Path, note: str) -> None:
        self._folder, self._note = folder, note
        self._writers: dict[str, tuple[pa.Schema, tuple[Any, ...]]] = {}

    def __enter__(self) -> _Tables:
        return self

    def __exit__(self, *_: object) -> None:
        for _, writers in self._writers.values():
            for writer in writers:
                writer.close()

    def add(self, name: str, frame: pd.DataFrame) -> None:
        """Add rows to a table."""
        if name not in self._writers:
            schema = _schema(frame, self._note)
            options = csv.WriteOptions(quoting_style="needed")
            self._writers[name] = (
                schema,
                (
                    csv.CSVWriter(self._folder / f"{name}.csv", schema, write_options=options),
                    pq.ParquetWriter(self._folder / f"{name}.parquet", schema),
                ),
            )
        schema, writers = self._writers[name]
        table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata(
            schema.metadata
        )
        for writer in writers:
            writer.write_table(table)

    def put(self, name: str, frame: pd.DataFrame) -> None:
        """Write a whole table, unless it was added block by block."""
        if name not in self._writers:
            self.add(name, frame)


def _draw(folder: Path, found: Analysis, about: About, note: str, asked: bool) -> str:
    """Draw all pictures into a folder; returns the page with them."""
    folder.mkdir()
    wording = figures.Wording(about.title, about.titles, f"Illustration, not prediction.  {_footer(found, about)}.")
    shown: list[tuple[figures.Picture, bytes]] = []
    for picture in figures.pictures(found, wording, asked):
        figure = picture.draw()
        for kind in figures.FORMATS:
            data = figures.save(figure, kind, note)
            (folder / f"{picture.name}.{kind}").write_bytes(data)
            if kind == "png":
                shown.append((picture, data))
    return html_page(found, about, shown)


def _footer(found: Analysis, about: About) -> str:
    return about.facts(len(found.cells))


# The page


def html_page(found: Analysis, about: About, pictures: Sequence[tuple[figures.Picture, bytes]]) -> str:
    """One self-contained page: what was varied, what came of it, how sure that is, and what is missing.

    Args:
        found: The numbers.
        about: Words.
        pictures: Pictures, each with its PNG file.
    """
    groups: dict[str, list[tuple[figures.Picture, bytes]]] = {}
    for picture, data in pictures:
        groups.setdefault(_SECTION_OF.get(picture.table, "cells"), []).append((picture, data))
    facts = f"{about.facts(len(found.cells))}. Content of the sweep: SHA-256 {about.content_hash[:16]}…"
    sections = [
        _varied(found, about),
        _chance(found),
        *(
            _pictured(found, about, heading, groups.get(key, []), tables)
            for key, heading, tables in (
                ("verdicts", "Who gets further", ("regions",)),
                ("cells", "Where", ()),
                ("effects", "What matters", _EFFECT_TABLES),
                ("precision", "Are there enough runs?", ("precision_summary",)),
            )
        ),
        _missing(found),
        meanings([metric.name for metric in found.metrics]),
        _files(found, about),
    ]
    return document(about.title, facts, found.remarks, sections)


_SECTION_OF = {
    "regions": "verdicts",
    "differences": "cells",
    "outcomes": "cells",
    "precision_summary": "precision",
    **dict.fromkeys(
        ("shapley", "swaps", "main_effects", "interactions", "against_baseline", "morris", "sobol", "correlations"),
        "effects",
    ),
}
_EFFECT_TABLES = ("shapley", "swaps", "main_effects", "interactions", "morris", "sobol", "correlations")


def _varied(found: Analysis, about: About) -> str:
    kind = about.kind.replace("_", " ")
    months = ", ".join(map(str, found.months))
    parts = [f"<section><h2>What was varied</h2>\n{paragraphs(about.description)}"]
    titles = ", ".join(f"<strong>{escaped(title)}</strong>" for title in about.titles.values())
    parts.append(
        f"<p>A design of the kind {escaped(kind)} with {len(found.cells):,} cells. In each of them: {titles}. "
        f"Months analyzed: {months}; pictures show month {found.months[-1]}.</p>"
    )
    rows = [
        table_row(
            escaped(factor.label),
            (
                data_cell("Levels or range", escaped(_levels_of(factor))),
                data_cell("Unit", escaped(factor.unit)),
                data_cell("Column", f"<code>{escaped(factor.name)}</code>"),
            ),
        )
        for factor in found.study.factors
    ]
    if rows:
        head = header_row([(word, False) for word in ("Factor", "Levels or range", "Unit", "Column")])
        listed = html_table("Factors", head, rows)
        opened = " open" if len(rows) <= 12 else ""
        parts.append(f"<details{opened}><summary>The {len(rows)} factors</summary>{listed}</details>")
    return "".join(parts) + "</section>\n"


def _levels_of(factor: FactorLike) -> str:
    if factor.unit == "swapped":
        return "as in the first scenario, or as in the second"
    if factor.values:
        return ", ".join(plain(value).replace("_", " ") for value in factor.values)
    ends = f"{plain(factor.low or 0.0)} to {plain(factor.high or 0.0)}"
    return f"{ends}, even in its logarithm" if factor.log else ends


_TABLE_NAMES = {
    "differences": "Differences between scenarios, cell by cell",
    "against_baseline": "Cells against the baseline",
    "main_effects": "Main effects",
    "interactions": "Interactions",
    "shapley": "Shapley values",
    "swaps": "Parts swapped by themselves",
    "correlations": "Rank correlations",
    "morris": "Morris's indices",
    "sobol": "Sobol's indices",
    "regions": "In how many cells each gets further",
    "precision_summary": "Precision",
}


def chance_words(found: Analysis) -> str:
    """How many verdicts there are, and how many chance alone would make."""
    table = found.tables["verdicts"]
    total, sure, chance = (int(table["intervals"].sum()), int(table["sure"].sum()), table["expected_by_chance"].sum())
    if not total:
        return "There are no intervals to judge by: one run tells nothing about chance."
    return (
        f"{total:,} intervals were computed; {sure:,} of them exclude 0. If nothing differed at all, about "
        f"{chance:,.0f} of them (one in twenty) would still do so by chance."
    )


def _chance(found: Analysis) -> str:
    rows = [
        table_row(
            escaped(_TABLE_NAMES.get(row["table"], row["table"])),
            (
                data_cell("Intervals", f"{row['intervals']:,}", "number"),
                data_cell("Exclude 0", f"{row['sure']:,}", "number"),
                data_cell("By chance alone", f"{row['expected_by_chance']:,.0f}", "number"),
            ),
        )
        for row in records(found.tables["verdicts"])
    ]
    head = header_row([("", False), ("Intervals", True), ("Exclude 0", True), ("By chance alone", True)])
    table = html_table("How many verdicts there are", head, rows) if rows else ""
    return (
        f"<section><h2>How much of this may be chance</h2>\n<p>{escaped(chance_words(found))} A single cell or outcome "
        "that stands out among many is therefore no finding by itself; look for regions and for effects large "
        "against their interval. With common luck, what chance makes in one cell it tends to make in many. "
        "<strong>Cannot tell</strong> means that the interval includes 0: neither a difference nor its absence is "
        f"shown.</p>{table}</section>\n"
    )


def _pictured(
    found: Analysis,
    about: About,
    heading: str,
    pictures: Sequence[tuple[figures.Picture, bytes]],
    tables: Sequence[str],
) -> str:
    told = [_TABLES_SHOWN[name](found, about) for name in tables if name in found.tables and name in _TABLES_SHOWN]
    told += [_effects(found, about, name) for name in tables if name in found.tables and name not in _TABLES_SHOWN]
    if not pictures and not any(told):
        return ""
    drawn = "".join(
        f"{html_figure(data, f'{picture.heading}. {picture.alt}', picture.heading)}"
        f"<p class='soft'>Numbers: <code>{escaped(picture.table)}.csv</code></p>"
        for picture, data in pictures
    )
    return f"<section><h2>{escaped(heading)}</h2>\n{drawn}{''.join(told)}</section>\n"


def _region_counts(found: Analysis, a: str, b: str, month: int) -> Iterator[tuple[Metric, dict[str, int]]]:
    table = found.tables["regions"]
    table = table[(table["scenario_a"] == a) & (table["scenario_b"] == b) & (table["month"] == month)]
    for family in FAMILIES:
        for metric in found.metrics:
            if metric.family == family:
                rows = table[table["metric"] == metric.name]
                yield metric, {str(w): int(n) for w, n in zip(rows["verdict"], rows["cells"], strict=True)}


_COUNTED = (
    ("a", ("a better", "b lower")),
    ("b", ("b better", "b higher")),
    ("cannot tell", ("cannot tell",)),
    ("no difference", ("no difference",)),
    ("not known", ("has ended", NOT_COMPUTED)),
)


def _regions(found: Analysis, about: About) -> str:
    parts = []
    for a, b in found.study.pairs:
        title_a, title_b = about.titles.get(a, a), about.titles.get(b, b)
        words = (title_a, title_b, "Cannot tell", "No difference", "Ended or not computed")
        head = header_row([("Outcome", False), *((word, True) for word in words)])
        for month in found.months:
            rows, family = [], ""
            for metric, counts in _region_counts(found, a, b, month):
                if metric.family != family:
                    family = metric.family
                    rows.append(family_row(family, 6))
                numbers = [sum(counts.get(word, 0) for word in which) for _, which in _COUNTED]
                rows.append(
                    table_row(
                        named(metric),
                        (data_cell(word, f"{n:,}", "number") for word, n in zip(words, numbers, strict=True)),
                    )
                )
            caption = f"Number of cells in which each is ahead, {when(month)} (without an arrow: is higher)"
            parts.append(html_table(caption, head, rows))
    return "".join(parts)


def _precision(found: Analysis, about: About) -> str:
    wording = figures.Wording(about.title, about.titles, "")
    table = found.tables["precision_summary"]
    head = header_row(
        [
            ("Outcome", False),
            ("Target (±)", True),
            ("Median half-width", True),
            ("Cells precise enough", True),
            ("Runs", True),
            ("Enough for 9 of 10 cells", True),
            ("Enough for all", True),
        ]
    )
    parts = []
    for response in table["response"].unique():
        rows = []
        for row in records(table[(table["response"] == response) & (table["month"] == found.months[-1])]):
            metric = BY_NAME[row["metric"]]
            rows.append(
                table_row(
                    escaped(label_of(metric)),
                    (
                        data_cell("Target (±)", _amount(row["target"], metric), "number"),
                        data_cell("Median half-width", _amount(row["half_width"], metric), "number"),
                        data_cell("Cells precise enough", f"{row['cells_precise']:,} of {row['cells']:,}", "number"),
                        data_cell("Runs", f"{row['runs']:,}", "number"),
                        data_cell("Enough for 9 of 10 cells", _whole(row["runs_needed_90"]), "number"),
                        data_cell("Enough for all", _whole(row["runs_needed"]), "number"),
                    ),
                )
            )
        caption = f"{wording.response(str(response))}, {when(found.months[-1])}: is the number of runs sufficient?"
        parts.append(html_table(caption, head, rows))
    if found.study.target is None:
        parts.append(
            "<p class='soft'>The design sets no target; ±5 percentage points (or 0.05, or 5% of the largest mean) is "
            "assumed. <code>runs: auto</code> in a design stops at a half-width of your choice.</p>"
        )
    return "<details><summary>Precision in numbers</summary>" + "".join(parts) + "</details>"


_TABLES_SHOWN: dict[str, Callable[[Analysis, About], str]] = {"regions": _regions, "precision_summary": _precision}


def _whole(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.0f}"


def _amount(value: float, metric: Metric) -> str:
    """A size without a sign; of shares in percentage points."""
    if math.isnan(value):
        return "–"
    return format_difference({"difference": value, "ci_low": math.nan, "ci_high": math.nan}, metric)[0].lstrip("+")


def _verdict_word(row: Mapping[str, Any]) -> str:
    if math.isnan(row["ci_low"]):
        return "no interval"
    if row["ci_low"] == row["ci_high"] == 0.0:
        return "no difference"
    return "" if is_sure({"runs": FEWEST_ALIKE, **row}) else "cannot tell"


def _effects(found: Analysis, about: About, name: str) -> str:
    """A table of effects of the last month, the largest of each outcome."""
    table = found.tables[name]
    month = found.months[-1]
    labels = {factor.name: factor.label for factor in found.study.factors}
    wording = figures.Wording(about.title, about.titles, "")
    columns = {
        "shapley": ("value", "Shapley value"),
        "swaps": ("effect", "Effect"),
        "main_effects": ("effect", "Effect"),
        "interactions": ("effect", "Effect"),
        "morris": ("mu_star", "mu*"),
        "sobol": ("ST", "ST"),
        "correlations": ("correlation", "Correlation"),
    }
    column, word = columns[name]
    more = {"shapley": "Share", "morris": "sigma", "sobol": "S1", "swaps": "Way", "interactions": "Aliases"}.get(name)
    if name == "main_effects":
        more = "Level"
    heads = [("Factor", False), (word, True), ("95% interval", True), *([(more, False)] if more else []), ("", False)]
    parts = []
    for response in found.study.main_responses:
        rows = []
        for metric in found.metrics:
            here = table[(table["metric"] == metric.name) & (table["month"] == month) & (table["response"] == response)]
            here = here.reindex(here[column].abs().sort_values(ascending=False, kind="stable").index)
            limit = max(3, EFFECTS // max(1, len(found.metrics)))
            if len(here):
                rows.append(
                    f'<tr role="row" class="family"><th role="rowheader" scope="rowgroup" colspan="{len(heads)}">'
                    f"{named(metric)}</th></tr>"
                )
            for row in records(here.iloc[:limit]):
                rows.append(_effect_row(name, row, metric, column, word, more, labels))
        caption = f"{_TABLE_NAMES[name]}: {wording.response(response)}, {when(month)} (the largest of each outcome)"
        parts.append(html_table(caption, header_row(heads), rows))
    return f"<details><summary>{escaped(_TABLE_NAMES[name])} in numbers</summary>{''.join(parts)}</details>"


def _effect_row(
    name: str, row: dict[str, Any], metric: Metric, column: str, word: str, more: str | None, labels: Mapping[str, str]
) -> str:
    pair = name == "interactions"
    label = f"{labels[row['factor_a']]} × {labels[row['factor_b']]}" if pair else str(row["label"])
    if name in ("morris", "sobol"):
        half = row["mu_star_conf" if name == "morris" else "ST_conf"]
        row = {**row, "ci_low": row[column] - half, "ci_high": row[column] + half}
    if name in ("sobol", "correlations"):
        value = "–" if math.isnan(row[column]) else f"{row[column]:.2f}"
        interval = "none" if math.isnan(row["ci_low"]) else f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
    else:
        shown = {"difference": row[column], "ci_low": row["ci_low"], "ci_high": row["ci_high"]}
        value, interval = format_difference(shown, metric)
        value = value.lstrip("+") if name == "morris" else value
    cells = [data_cell(word, value, "number"), data_cell("95% interval", interval or "none", "number")]
    if more:
        extra = {
            "shapley": lambda: "–" if math.isnan(row["share"]) else f"{100 * row['share']:.0f}%",
            "morris": lambda: _amount(row["sigma"], metric),
            "sobol": lambda: "–" if math.isnan(row["S1"]) else f"{row['S1']:.2f} ± {row['S1_conf']:.2f}",
            "swaps": lambda: row["direction"] if row["factor"] != ALL_FACTORS else "",
            "interactions": lambda: row["aliases"],
            "main_effects": lambda: row["level"],
        }[name]()
        cells.append(data_cell(more, escaped(extra)))
    unsure = "" if name in ("morris", "sobol") else _verdict_word(row)
    cells.append(data_cell("", f'<span class="unsure">{unsure}</span>' if unsure else ""))
    return table_row(escaped(label), cells)


def _missing(found: Analysis) -> str:
    table = found.tables["failures"]
    if table.empty:
        return "<section><h2>What is missing</h2>\n<p>Nothing: every cell of the design was computed.</p></section>\n"
    head = header_row([("Cell", True), ("What it is", False), ("Why there are no numbers", False), ("Seed", False)])
    rows = [
        table_row(
            escaped(row["cell"]),
            (
                data_cell("What it is", escaped(row["label"])),
                data_cell("Why there are no numbers", escaped(row["error"])),
                data_cell("Seed", escaped(row["seed"])),
            ),
        )
        for row in records(table.head(FAILURES))
    ]
    left = len(table) - len(rows)
    more = f"<p>{left:,} more stand in <code>failures.csv</code>.</p>" if left > 0 else ""
    return (
        f"<section><h2>What is missing</h2>\n<p>{len(table):,} of {len(found.cells):,} cells have no numbers. They are "
        "in none of the tables, pictures show them as not computed, and what needs every cell is left out.</p>"
        f"{html_table('Cells without numbers', head, rows)}{more}</section>\n"
    )


def _files(found: Analysis, about: About) -> str:
    names = ", ".join(f"<code>{escaped(name)}</code>" for name in sorted(found.columns))
    commands = [line for line in (about.computed, about.command) if line]
    how = f"<pre><code>{escaped(chr(10).join(commands))}</code></pre>" if commands else ""
    return (
        "<section><h2>How to get these numbers again</h2>\n"
        f"{how}<p>The same version, design and seed give the same numbers. Beside this page lie all numbers in full "
        f"precision, each table as CSV and as Parquet: {names}; what every column means stands in "
        "<code>data_dictionary.csv</code>, and the pictures, also as SVG and PDF, in <code>figures</code>.</p>"
        "</section>\n"
    )


# For a terminal


def summary(found: Analysis, about: About) -> list[RenderableType]:
    """The sweep in short for a terminal of 100 columns."""
    month = found.months[-1]
    parts: list[RenderableType] = [Text(about.title, style="bold reverse"), Text(about.facts(len(found.cells)) + "\n")]
    parts += [Text(f"Note: {remark}.", style="bold dark_orange3") for remark in found.remarks]
    for a, b in found.study.pairs:
        parts.append(_terminal_regions(found, about, a, b, month))
    for name in ("shapley", "morris", "sobol", "correlations", "main_effects", "swaps"):
        if name in found.tables:
            parts.append(_terminal_effects(found, about, name, month))
            break
    parts += [Text(""), Text(chance_words(found)), Text(_precision_words(found, month))]
    parts.append(Text("Illustration, not prediction.", style="dim"))
    return parts


def _grid(title: str) -> Table:
    grid = Table(title=Text(title, style="bold"), title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    grid.header_style = "underline"
    return grid


def _terminal_regions(found: Analysis, about: About, a: str, b: str, month: int) -> Table:
    title_a, title_b = about.titles.get(a, a), about.titles.get(b, b)
    grid = _grid(f"\nIn how many cells each is ahead by {when(month)}. A: {title_a}, B: {title_b}")
    grid.add_column("", min_width=20, max_width=44)
    for word in ("A", "B", "Cannot tell", "No difference", "Not known"):
        grid.add_column(word, justify="right")
    for metric, counts in _region_counts(found, a, b, month):
        numbers = [sum(counts.get(word, 0) for word in which) for _, which in _COUNTED]
        grid.add_row(Text(f"{label_of(metric)} {arrow(metric)}".rstrip()), *(f"{number:,}" for number in numbers))
    return grid


def _terminal_effects(found: Analysis, about: About, name: str, month: int) -> Table:
    response = found.study.main_responses[0]
    wording = figures.Wording(about.title, about.titles, "")
    grid = _grid(f"\n{_TABLE_NAMES[name]}: what matters most. {wording.response(response)}, {when(month)}")
    grid.add_column("", min_width=20, max_width=36)
    grid.add_column("Factors, the largest first", max_width=62)
    for metric in found.metrics:
        marks = figures.marks_of(found, name, response, metric.name, month)
        order = sorted(marks, key=lambda label: -abs(marks[label][0].value))
        told = []
        for label in order[:3]:
            mark = marks[label][-1 if name == "sobol" else 0]
            if math.isnan(mark.value) or mark.value == 0.0:
                continue
            shown = {"difference": mark.value, "ci_low": math.nan, "ci_high": math.nan}
            if name in ("sobol", "correlations"):
                value = f"{mark.value:.2f}"
            else:
                value = _amount(mark.value, metric) if name == "morris" else format_difference(shown, metric)[0]
            told.append(f"{label} {value}{'' if mark.sure or not mark.judged else ' (cannot tell)'}")
        grid.add_row(Text(label_of(metric)), Text("; ".join(told) or "nothing"))
    return grid


def _precision_words(found: Analysis, month: int) -> str:
    table = found.tables.get("precision_summary")
    if table is None:
        return "No cell was computed."
    table = table[table["month"] == month]
    low = table[table["cells_precise"] < 0.9 * table["cells"]]
    if low.empty:
        return "There are enough runs: nine cells of ten are as precise as asked for, for every outcome."
    worst = records(low.sort_values("runs_needed_90", ascending=False))[0]
    return (
        f"{len(low['metric'].unique())} of {len(table['metric'].unique())} outcomes are less precise than asked for in "
        f"more than a tenth of cells; {label_of(BY_NAME[worst['metric']])} would "
        f"need {_whole(worst['runs_needed_90'])} runs."
    )
