"""The page: its sections, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cej_sim.comparison import records
from cej_sim.report import data_cell, document, escaped, header_row, html_table, meanings, paragraphs, table_row
from cej_sim.sweeps import figures
from cej_sim.sweeps.analysis import Analysis, FactorLike, plain
from cej_sim.sweeps.page.about import About
from cej_sim.sweeps.page.ahead import regions_table
from cej_sim.sweeps.page.effects import effects_table
from cej_sim.sweeps.page.enough_runs import precision_table
from cej_sim.sweeps.page.probes import probes_section
from cej_sim.sweeps.page.words import TABLE_NAMES, chance_words, drawn_figures

#: Failed cells that the page names; the table holds all.
FAILURES = 50


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
            )
        ),
        probes_section(found, about, groups.get("probes", [])),
        _pictured(found, about, "Are there enough runs?", groups.get("precision", []), ("precision_summary",)),
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
    **dict.fromkeys(("probes", "probe_differences", "probe_swaps", "probes_against_baseline"), "probes"),
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


def _chance(found: Analysis) -> str:
    rows = [
        table_row(
            escaped(TABLE_NAMES.get(row["table"], row["table"])),
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
        "shown. <strong>Changed nothing in any run</strong> means that every run came out exactly the same; of what "
        "is yes or no, <strong>no difference seen</strong> does not exclude that it happens in another run, and the "
        f"interval says how often it may.</p>{table}</section>\n"
    )


def _pictured(
    found: Analysis,
    about: About,
    heading: str,
    pictures: Sequence[tuple[figures.Picture, bytes]],
    tables: Sequence[str],
) -> str:
    told = [_TABLES_SHOWN[name](found, about) for name in tables if name in found.tables and name in _TABLES_SHOWN]
    told += [effects_table(found, about, name) for name in tables if name in found.tables and name not in _TABLES_SHOWN]
    if not pictures and not any(told):
        return ""
    return f"<section><h2>{escaped(heading)}</h2>\n{drawn_figures(pictures)}{''.join(told)}</section>\n"


_TABLES_SHOWN: dict[str, Callable[[Analysis, About], str]] = {
    "regions": regions_table,
    "precision_summary": precision_table,
}


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
