"""One self-contained HTML page about a comparison, or about the runs of one scenario.

The page holds its figures and its style and asks for nothing from anywhere: it can be mailed, archived
and opened without a network. Everything that a user wrote is escaped.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from cej_sim import plots
from cej_sim import predictions as judged
from cej_sim.comparison import (
    FAMILIES,
    KEY_METRICS,
    MONTHS,
    Line,
    arrow,
    compare_table,
    format_value,
    label_of,
    last_month,
    lines,
    metrics_in,
    notes,
    pairs,
    records,
    scenario_names,
    setting_lines,
    summary_table,
    when,
    worded,
)
from cej_sim.metrics import METRICS
from cej_sim.parameters import Metric
from cej_sim.scales import SPECTRA, SURVEY_ITEMS, SURVEY_NOTE, SURVEY_SCALES, number, survey_summary

#: How many kinds of events the summary of the dated log shows.
LOG_ROWS = 15

#: Events whose count is not how often they happened: which policy it is on its issue, how many people a wave had.
ONE_EACH = ("policy_won", "mobilization_peak")

_DIRECTIONS = {"up": "higher is better", "down": "lower is better", "neither": "neither direction is better"}

_STYLE = """
:root { --ink: #1a1a1a; --soft: #595959; --line: #c8c8c8; --wash: #f4f4f1; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff; font: 1rem/1.5 system-ui, sans-serif; }
main, header { max-width: 74rem; margin: 0 auto; padding: 0 1rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 1.5rem 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.4rem; margin: 2.5rem 0 .5rem; padding-top: .5rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.1rem; margin: 1.5rem 0 .25rem; overflow-wrap: anywhere; }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
.honest { border-left: .4rem solid #D55E00; background: var(--wash); padding: .6rem 1rem; }
.soft { color: var(--soft); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 1rem 1.5rem;
  align-items: end; }
figure { margin: 0; break-inside: avoid; }
figure img { display: block; width: 100%; height: auto; }
figcaption { font-weight: bold; overflow-wrap: anywhere; }
figcaption small { display: block; font-weight: normal; color: var(--soft); }
.swatch { vertical-align: middle; margin-right: .4rem; }
.key { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.5rem; font-weight: bold; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.5rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: bold; padding: .3rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: break-word; }
thead th { border-bottom: 2px solid var(--ink); }
tbody th { font-weight: normal; }
tr.family th { font-weight: bold; padding-top: .9rem; }
td.number, th.number { text-align: right; white-space: nowrap; }
thead th.number { white-space: normal; }
.better { font-weight: bold; }
.unsure { font-style: italic; color: var(--soft); }
code, pre { font-family: ui-monospace, monospace; font-size: .92em; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--wash); padding: .6rem 1rem; }
details { margin: .5rem 0 1rem; }
summary { cursor: pointer; font-weight: bold; padding: .3rem 0; }
@media (max-width: 44rem) {
  h1 { font-size: 1.5rem; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody, caption { display: block; }
  tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  th, td, td.number { display: block; border: 0; padding: .05rem 0; text-align: left; white-space: normal; }
  tbody th { font-weight: bold; }
  tr.family { border-bottom: 2px solid var(--ink); padding-bottom: 0; }
  tr.family th { font-size: 1.05rem; }
  td { display: flex; justify-content: space-between; gap: 1rem; }
  td.number { display: flex; }
  td::before { content: attr(data-label); color: var(--soft); flex: 0 1 55%; }
  td > span { text-align: right; }
  td.prose { display: block; }
  td.prose::before { content: none; }
}
@media print {
  body { font-size: 9.5pt; }
  main, header { max-width: none; padding: 0; }
  h2, h3, caption { break-after: avoid; }
  tr { break-inside: avoid; }
  .grid { grid-template-columns: repeat(3, 1fr); }
  details::details-content { content-visibility: visible; height: auto; display: block; }
}
"""


def html_report(
    monthly: pd.DataFrame,
    titles: Mapping[str, str],
    *,
    seed: int,
    version: str,
    command: str | None = None,
    table: pd.DataFrame | None = None,
    descriptions: Mapping[str, str] | None = None,
    differences: Sequence[Sequence[object]] | None = None,
    changes: pd.DataFrame | None = None,
    grant_end: Mapping[str, int] | None = None,
    remarks: Sequence[str] = (),
    months: Iterable[int] = MONTHS,
    predictions: pd.DataFrame | None = None,
    prediction_titles: Mapping[str, str] | None = None,
    spectra: pd.DataFrame | None = None,
    survey: pd.DataFrame | None = None,
) -> str:
    """Make the page.

    Args:
        monthly: A row per scenario, run and month; columns ``scenario run month`` and metrics.
        titles: Scenario name -> title, the one that the others are compared with first; one scenario is enough.
        seed, version: With what it was computed.
        command: The command line or code that computes it again.
        table: What ``comparison.compare_table`` returned; None computes it. Not used for one scenario.
        descriptions: Scenario name -> what the scenario is, blank lines between paragraphs.
        differences: The rules in which the scenarios differ: (rule, value in the first scenario, value in the
            second, ...), in the order of ``titles``.
        changes: The dated log: columns ``scenario run month event category subject count text``.
        grant_end: Scenario name -> month in which its grant ends; None reads it from ``funded``.
        remarks: What a reader should be told before anything else, such as unequal budgets.
        months: The months of the tables where ``table`` is None.
        predictions: What ``predictions.judge`` returned.
        prediction_titles: Scenario name -> title, also of scenarios that only predictions are held against.
        spectra: What ``scales.spectra_table`` returned.
        survey: Answers of members: a row per respondent, columns ``scenario run month row kind`` and the items.

    Returns:
        A complete HTML document.

    Raises:
        ValueError: If a scenario is not in the table, or a row of ``differences`` has not one value per scenario.
    """
    present = scenario_names(monthly)
    for name in titles:
        if name not in present:
            raise ValueError(f"no scenario {name!r} in this table; it holds: {', '.join(present)}")
    monthly = monthly[monthly["scenario"].isin(list(titles))]
    first, *others = titles
    runs = int(monthly.groupby("scenario", observed=True)["run"].nunique().max())
    if others and table is None:
        table = compare_table(monthly, first, others, months)
    heading = " and ".join(titles.values()) if len(titles) < 3 else f"{len(titles)} scenarios side by side"
    sections = [
        _compared(titles, descriptions or {}, differences or ()),
        _trajectories(monthly, titles, grant_end, runs),
        _staircases(monthly, titles, runs),
        _tables(table, titles) if others and table is not None else _summary(monthly, first, months),
        _predictions(predictions, prediction_titles or titles) if predictions is not None else "",
        _spectra(spectra, titles) if spectra is not None else "",
        _survey(survey, titles) if survey is not None else "",
        _log(changes, monthly, titles) if changes is not None else "",
        meanings(monthly.columns),
        _reproduce(command, runs, seed, version, last_month(monthly)),
    ]
    return document(heading, _facts(runs, len(titles) > 1, seed, version), remarks, sections)


def document(heading: str, facts: str, remarks: Sequence[str], sections: Iterable[str]) -> str:
    """A complete page: heading, what it is and is not, what to know before reading on, and sections of HTML."""
    told = "".join(f"<p><strong>Note:</strong> {escaped(remark)}</p>" for remark in remarks)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(heading)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{escaped(heading)}</h1>
<div class="honest">
<p><strong>Illustration, not prediction.</strong> This page shows what a model of a community coalition does under the
rules given to it. It can show what follows from assumptions; it cannot say what will happen in a town.</p>
<p>{escaped(facts)}</p></div>
{told}
</header>
<main>
{"".join(sections)}</main>
</body>
</html>
"""


# Small pieces


def escaped(value: object) -> str:
    """A value as HTML text."""
    return escape(str(value), quote=True)


def _plain(value: object) -> str:
    """A value of a scenario file as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _facts(runs: int, paired: bool, seed: int, version: str) -> str:
    what = f"{runs} {'run' if runs == 1 else 'runs'}"
    if paired:
        what += " of each scenario, paired run by run"
    return f"{what}; seed {seed}; cej_sim {version}."


def _image(data: bytes, alt: str) -> str:
    kind = "png" if data.startswith(b"\x89PNG") else "svg+xml"
    return f'<img src="data:image/{kind};base64,{base64.b64encode(data).decode("ascii")}" alt="{escaped(alt)}">'


def header_row(cells: Sequence[tuple[str, bool]]) -> str:
    """Headings of a table, each with whether its column holds numbers."""
    row = "".join(
        f'<th role="columnheader" scope="col" class="{"number" if number else "words"}">{escaped(text)}</th>'
        for text, number in cells
    )
    return f'<thead role="rowgroup"><tr role="row">{row}</tr></thead>'


def data_cell(label: str, content: str, kind: str = "words") -> str:
    """A cell; ``content`` is HTML, ``label`` names it where a narrow screen shows rows as cards."""
    return f'<td role="cell" data-label="{escaped(label)}" class="{kind}"><span>{content}</span></td>'


def table_row(head: str, cells: Iterable[str]) -> str:
    """A row of cells as ``data_cell`` makes them; ``head`` is HTML."""
    return f'<tr role="row"><th role="rowheader" scope="row">{head}</th>{"".join(cells)}</tr>'


def family_row(family: str, columns: int) -> str:
    """A row that heads the rows of a family of metrics."""
    return (
        f'<tr role="row" class="family"><th role="rowheader" scope="rowgroup" colspan="{columns}">'
        f"{escaped(FAMILIES[family])}</th></tr>"
    )


def html_table(caption: str, head: str, rows: Iterable[str]) -> str:
    """A table."""
    return (
        f'<table role="table"><caption>{escaped(caption)}</caption>{head}'
        f'<tbody role="rowgroup">{"".join(rows)}</tbody></table>\n'
    )


def named(metric: Metric) -> str:
    """A metric's label with its better direction."""
    if metric.better == "neither":
        return escaped(label_of(metric))
    mark = f'<span role="img" aria-label="{_DIRECTIONS[metric.better]}">{arrow(metric)}</span>'
    return f"{escaped(label_of(metric))}&nbsp;{mark}"


def _swatch(place: int) -> str:
    """A piece of a scenario's line, in its color and style."""
    color, dashes = plots.style(place)
    dash = f' stroke-dasharray="{" ".join(f"{3 * length:g}" for length in dashes)}"' if dashes else ""
    line = f'<line x1="0" y1="4" x2="42" y2="4" stroke="{color}" stroke-width="4"{dash}/>'
    return f'<svg class="swatch" width="42" height="8" aria-hidden="true">{line}</svg>'


def paragraphs(text: str) -> str:
    """A text as HTML, blank lines between paragraphs."""
    blocks = (" ".join(block.split()) for block in text.replace("\r", "").split("\n\n"))
    return "".join(f"<p>{escaped(block)}</p>" for block in blocks if block)


# Sections


def _compared(
    titles: Mapping[str, str], descriptions: Mapping[str, str], differences: Sequence[Sequence[object]]
) -> str:
    parts = [f"<section><h2>{'What was compared' if len(titles) > 1 else 'What was run'}</h2>\n"]
    for place, (name, title) in enumerate(titles.items()):
        parts.append(
            f"<h3>{_swatch(place)}{escaped(title)}</h3><p class='soft'>Scenario <code>{escaped(name)}</code></p>"
        )
        parts.append(paragraphs(descriptions.get(name, "")))
    if differences:
        for row in differences:
            if len(row) != len(titles) + 1:
                raise ValueError(
                    f"differing rules: {row[0] if row else 'a row'} needs a value for each of {len(titles)} scenarios"
                )
        head = header_row([("Rule", False), *((title, False) for title in titles.values())])
        rows = [
            table_row(
                f"<code>{escaped(worded(str(rule)))}</code>",
                (
                    data_cell(title, escaped(_plain(value)))
                    for title, value in zip(titles.values(), values, strict=True)
                ),
            )
            for rule, *values in differences
        ]
        listed = html_table("What differs; all else is the same", head, rows)
        opened = " open" if len(differences) <= 12 else ""
        parts.append(f"<details{opened}><summary>{_differences(len(differences))}</summary>{listed}</details>")
    return "".join(parts) + "</section>\n"


def _differences(number: int) -> str:
    return f"{number} difference{'' if number == 1 else 's'} in the rules"


def _trajectories(
    monthly: pd.DataFrame, titles: Mapping[str, str], grant_end: Mapping[str, int] | None, runs: int
) -> str:
    ends = plots.grant_ends(monthly) if grant_end is None else grant_end
    many = runs > 1
    parts = ["<section><h2>What happened, month by month</h2>\n"]
    parts.append(
        f"<p>Lines are the mean of {runs} runs; bands hold the middle 80% of them (10th to 90th percentile)."
        if many
        else "<p>One run: one possible course of things, without a band."
    )
    parts.append(" The dotted upright line marks the end of the grant.</p>" if ends else "</p>")
    if len(titles) > 1:
        items = "".join(f"<li>{_swatch(place)}{escaped(title)}</li>" for place, title in enumerate(titles.values()))
        parts.append(f'<ul class="key">{items}</ul>')
    chosen = [metric for metric in metrics_in(monthly.columns) if metric.name in KEY_METRICS]
    went = plots.course(monthly, titles, [metric.name for metric in chosen])
    for family, heading in FAMILIES.items():
        figures = [
            html_figure(
                plots.svg(plots.panel_figure(monthly, titles, metric.name, ends, went)),
                _panel_alt(went, titles, metric),
                label_of(metric),
                _hint(metric),
            )
            for metric in chosen
            if metric.family == family
        ]
        if figures:
            parts.append(f'<h3>{escaped(heading)}</h3><div class="grid">{"".join(figures)}</div>')
    return "".join(parts) + "</section>\n"


def _hint(metric: Metric) -> str:
    unit = {"yes/no": "share of runs", "hours": "hours a month"}.get(metric.unit, "")
    better = "" if metric.better == "neither" else _DIRECTIONS[metric.better]
    return "; ".join(part for part in (unit, better) if part)


def html_figure(data: bytes, alt: str, caption: str, hint: str = "") -> str:
    """A picture, PNG or SVG, with its caption, in the page itself."""
    small = f"<small>{escaped(hint)}</small>" if hint else ""
    return f"<figure><figcaption>{escaped(caption)}{small}</figcaption>{_image(data, alt)}</figure>\n"


def _panel_alt(went: plots.Course, titles: Mapping[str, str], metric: Metric) -> str:
    parts = []
    for name, title in titles.items():
        values = went.bands[name, metric.name]
        start, end = values.iloc[0], values.iloc[-1]
        parts.append(
            f"{title}: {format_value(start['mean'], metric)} in month {values.index[0]}, "
            f"{format_value(end['mean'], metric)} in month {values.index[-1]}"
        )
    return f"{label_of(metric)}, mean of the runs. " + "; ".join(parts) + "."


def _staircases(monthly: pd.DataFrame, titles: Mapping[str, str], runs: int) -> str:
    month = plots.staircase_month(monthly)
    figures = []
    for name, title in titles.items():
        steps = plots.staircase(monthly, name, month)
        alt = f"{title}, {when(month)}: " + ", ".join(
            f"{word} {100 * mean:.0f}%" for word, mean in zip(steps.index, steps["mean"], strict=True)
        )
        figures.append(html_figure(plots.svg(plots.staircase_figure(monthly, titles, name, month)), alt + ".", title))
    spread = " Black lines show the middle 80% of runs." if runs > 1 else ""
    who, whose = (escaped(worded(word)) for word in ("residents", "Residents"))
    return (
        f"<section><h2>The {who}' staircase: seats, votes, say, ideas</h2>\n"
        f"<p>{whose}' share of each, {when(month)}. Hatched: <strong>seats</strong> and <strong>votes</strong>, "
        f"which the rules set. Solid: <strong>say</strong>, the weight they had in deciding that month, and "
        f"<strong>ideas</strong>, the part of the agenda that began with them; these happen, and no rule "
        f"sets them.{spread}</p>"
        f'<div class="grid">{"".join(figures)}</div></section>\n'
    )


def _tables(table: pd.DataFrame, titles: Mapping[str, str]) -> str:
    parts = ["<section><h2>Differences, and how sure they are</h2>\n<ul>"]
    parts += [f"<li>{escaped(note)}</li>" for note in notes(table)]
    parts.append("</ul>\n")
    for name_a, name_b, pair in pairs(table):
        a, b = titles.get(name_a, name_a), titles.get(name_b, name_b)
        if len(pair) < len(table):
            parts.append(f"<h3>{escaped(a)} and {escaped(b)}</h3>")
        months = sorted(int(month) for month in pair["month"].unique())
        parts.append(_settings(pair, a, b))
        parts.append("<h3>What happened</h3>")
        for month in months:
            here = pair[pair["month"] == month]
            caption = f"What happened by {when(month)}"
            parts.append(_outcomes(here, a, b, caption, KEY_METRICS))
            rest = [metric.name for metric in METRICS if metric.name not in KEY_METRICS]
            more = _outcomes(here, a, b, f"{caption}: the other outcomes", rest)
            if more:
                parts.append(f"<details><summary>The other outcomes, {escaped(when(month))}</summary>{more}</details>")
    return "".join(parts) + "</section>\n"


def _predictions(table: pd.DataFrame, titles: Mapping[str, str]) -> str:
    if table.empty:
        return ""
    columns = (("What was expected", False), ("Difference", True), ("95% interval", True), ("Pairs of runs", True))
    rows = [
        table_row(
            escaped(line.said),
            (
                data_cell("Difference", line.difference or "none", "number"),
                data_cell("95% interval", line.interval or "none", "number"),
                data_cell("Pairs of runs", line.runs or "none", "number"),
                data_cell(
                    "What came out",
                    escaped(f"{line.verdict}: {line.remark}" if line.remark else line.verdict),
                    "better" if line.verdict in (judged.AS_EXPECTED, judged.SURPRISE) else "unsure",
                ),
            ),
        )
        for line in judged.lines(table, titles)
    ]
    return (
        f"<section><h2>Predictions</h2>\n<p>{escaped(judged.HOW_TO_READ)}</p>"
        + html_table("What was expected, and what came out", header_row([*columns, ("What came out", False)]), rows)
        + "</section>\n"
    )


def _settings(pair: pd.DataFrame, a: str, b: str) -> str:
    rows = [
        table_row(
            escaped(label),
            (
                data_cell(a, line.a, "number"),
                data_cell(b, line.b, "number"),
                data_cell("Difference", line.difference, "number"),
                data_cell("95% interval", line.interval or "none", "number"),
            ),
        )
        for label, line in setting_lines(pair)
    ]
    if not rows:
        return ""
    head = header_row(
        [("Setting", False), (a, True), (b, True), ("Difference", True), ("95% interval", True)],
    )
    return "<h3>What the scenarios set</h3>" + html_table("Set by the rules in force; not an outcome", head, rows)


def _outcomes(pair: pd.DataFrame, a: str, b: str, caption: str, names: Collection[str]) -> str:
    chosen = [line for line in lines(pair, names) if line.metric.nature == "happened"]
    if not chosen:
        return ""
    head = header_row(
        [
            ("Outcome", False),
            (a, True),
            (b, True),
            ("Difference", True),
            ("95% interval", True),
            ("Effect size", True),
            ("Who does better", False),
        ]
    )
    words = _verdict_words(a, b)
    rows = []
    family = ""
    for line in chosen:
        if line.metric.family != family:
            family = line.metric.family
            rows.append(family_row(family, 7))
        rows.append(
            table_row(
                named(line.metric),
                (
                    data_cell(a, line.a, "number"),
                    data_cell(b, line.b, "number"),
                    data_cell("Difference", line.difference, "number"),
                    data_cell("95% interval", line.interval or "none", "number"),
                    data_cell("Effect size", line.effect, "number"),
                    data_cell("Who does better", words(line)),
                ),
            )
        )
    return html_table(caption, head, rows)


def _verdict_words(a: str, b: str) -> Callable[[Line], str]:
    def words(line: Line) -> str:
        if line.verdict in ("a", "b"):
            return f'<span class="better">{escaped(a if line.verdict == "a" else b)}</span>'
        if line.verdict in ("higher", "lower"):
            return f'{escaped(b)} is {line.verdict} <span class="soft">(no better direction)</span>'
        return f'<span class="unsure">{line.verdict}</span>'

    return words


def _summary(monthly: pd.DataFrame, name: str, months: Iterable[int]) -> str:
    summary = summary_table(monthly, name, months)
    shown = sorted(int(month) for month in summary["month"].unique())
    cells = {(row["metric"], int(row["month"])): row for row in records(summary)}
    parts = ["<section><h2>The numbers</h2>\n"]
    if int(summary["runs"].max()) > 1:
        parts.append(
            "<p>Mean of the runs, and the middle 80% of them (10th to 90th percentile) in brackets. "
            "A mean outside its brackets comes from a few runs that went quite differently.</p>"
        )
    for nature, caption in (("set", "What the scenario sets (not an outcome)"), ("happened", "What happened")):
        rows: list[str] = []
        for family in FAMILIES:
            chosen = [
                metric for metric in metrics_in(monthly.columns) if metric.family == family and metric.nature == nature
            ]
            if chosen and nature == "happened":
                rows.append(family_row(family, len(shown) + 1))
            for metric in chosen:
                spread = []
                for month in shown:
                    row = cells[metric.name, month]
                    mean, low, high = (format_value(row[key], metric) for key in ("mean", "low", "high"))
                    plain = mean == low == high or metric.unit == "yes/no"
                    spread.append(data_cell(when(month), mean if plain else f"{mean} [{low}, {high}]", "number"))
                rows.append(table_row(named(metric), spread))
        if rows:
            parts.append(
                html_table(caption, header_row([("", False), *((when(month), True) for month in shown)]), rows)
            )
    return "".join(parts) + "</section>\n"


def _spectra(table: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """On which levels of published spectra the runs stand, a table for each month."""
    parts = [
        "<section><h2>Where this stands on published spectra of participation</h2>\n"
        f"<p>From what {escaped(worded('residents'))} really had: their say, the ideas on the agenda that began with "
        "them, and who came. What the rules promise does not count. <strong>The cut points between levels are "
        "assumed</strong>: the sources describe levels in words, and partly by conduct that is not modeled. Shares are "
        "of the runs in which the coalition still exists.</p>\n"
    ]
    standing = defaultdict(list)
    for row in records(table):
        standing[row["month"], row["spectrum"], row["scenario"]].append(row)
    for month in sorted(int(month) for month in table["month"].unique()):
        rows = []
        for spectrum, (title, levels) in SPECTRA.items():
            cells = [data_cell(each, _levels(standing[month, spectrum, name])) for name, each in titles.items()]
            least_to_most = f'<small class="soft">{escaped(", ".join(levels))}</small>'
            rows.append(table_row(f"{escaped(title)}<br>{least_to_most}", cells))
        head = header_row(
            [("Spectrum, with its levels from least to most", False), *((one, False) for one in titles.values())]
        )
        parts.append(html_table(f"Levels, {when(month)}", head, rows))
    return "".join(parts) + "</section>\n"


def _levels(rows: Iterable[Mapping[str, Any]]) -> str:
    """The levels that runs are on, the most frequent first, as HTML."""
    found = sorted((row for row in rows if row["runs"] > 0), key=lambda row: (-row["runs"], row["rank"]))
    if not found:
        return '<span class="unsure">has ended</span>'
    words = [f"{escaped(row['level'])} {100 * row['share']:.0f}%" for row in found]
    return f'<span class="better">{words[0]}</span>' + "".join(f"; {word}" for word in words[1:])


def _survey(answers: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """What members answered: means and consistency of the scales by month, and of each item."""
    intro = (
        f"<section><h2>Survey of members</h2>\n<p>{escaped(SURVEY_NOTE)} Items are this package's own, written in the "
        "manner of coalition surveys; how answers follow from the state, and the size of their error, is assumed. So "
        "Cronbach's alpha here describes the simulated survey and no real one. It is computed over the respondents of "
        "all runs together.</p>\n"
    )
    if answers.empty:
        return intro + "<p>Nobody came to the meetings of these months.</p></section>\n"
    summary = survey_summary(answers)
    parts = [intro]
    for month in sorted(int(month) for month in summary["month"].unique()):
        here = summary[summary["month"] == month]
        columns: list[tuple[str, bool]] = [("Scale", False)]
        for name, title in titles.items():
            rows = here[here["scenario"] == name]
            asked = f"{int(rows['respondents'].iloc[0])} respondents" if len(rows) else "nobody"
            columns += [(f"{title}: mean (deviation), {asked}", True), (f"{title}: alpha", True)]
        lines_of = []
        for key, scale in SURVEY_SCALES.items():
            cells = []
            for place, name in enumerate(titles):
                row = here[(here["scenario"] == name) & (here["scale"] == key)]
                mean, alpha = ("none", "none")
                if len(row):
                    mean = f"{number(row['mean'].iloc[0])} ({number(row['sd'].iloc[0])})"
                    alpha = number(row["alpha"].iloc[0])
                cells.append(data_cell(columns[1 + 2 * place][0], mean, "number"))
                cells.append(data_cell(columns[2 + 2 * place][0], alpha, "number"))
            lines_of.append(table_row(escaped(scale.title), cells))
        parts.append(
            html_table(f"Scales, {when(month)}: 1 strongly agree, 5 strongly disagree", header_row(columns), lines_of)
        )
        parts.append(_items(answers[answers["month"] == month], titles, month))
    return "".join(parts) + "</section>\n"


def _items(answers: pd.DataFrame, titles: Mapping[str, str], month: int) -> str:
    """The statements with their mean answers, as given."""
    by_scenario = {name: answers[answers["scenario"] == name] for name in titles}
    rows = [
        table_row(
            f"{escaped(item.statement)} <small class='soft'>({escaped(item.code)})</small>",
            (
                data_cell(titles[name], number(float(rows[item.code].mean())), "number")
                for name, rows in by_scenario.items()
            ),
        )
        for item in SURVEY_ITEMS
    ]
    head = header_row([("Statement", False), *((title, True) for title in titles.values())])
    caption = "Mean answer as given; items whose code ends in r are worded the other way round"
    listed = html_table(caption, head, rows)
    return f"<details><summary>Each statement, {escaped(when(month))}</summary>{listed}</details>\n"


def log_summary(changes: pd.DataFrame, runs: Mapping[str, int]) -> pd.DataFrame:
    """How often each kind of event happened, and when.

    Args:
        changes: The dated log: columns ``scenario run month event category subject count text``.
        runs: Scenario name -> number of runs.

    Returns:
        A row per scenario and event that occurred, the most frequent first: ``scenario event category per_run
        share_of_runs mean_month``; ``per_run`` is the sum of counts over the number of runs, ``mean_month`` is weighted
        by counts. Events of ``ONE_EACH`` count one each.
    """
    found = []
    groups = changes.groupby(["scenario", "event", "category"], sort=False, observed=True)
    for (scenario, event, category), rows in groups:
        count = np.ones(len(rows)) if event in ONE_EACH else rows["count"].to_numpy(float)
        total = count.sum()
        if str(scenario) in runs and total > 0.0:
            found.append(
                {
                    "scenario": str(scenario),
                    "event": str(event),
                    "category": str(category),
                    "per_run": total / runs[str(scenario)],
                    "share_of_runs": rows["run"].nunique() / runs[str(scenario)],
                    "mean_month": float((count * rows["month"].to_numpy(float)).sum() / total),
                }
            )
    columns = ["scenario", "event", "category", "per_run", "share_of_runs", "mean_month"]
    summary = pd.DataFrame(found, columns=columns)
    return summary.sort_values("per_run", ascending=False, kind="stable", ignore_index=True)


def _log(changes: pd.DataFrame, monthly: pd.DataFrame, titles: Mapping[str, str]) -> str:
    counted = monthly.groupby("scenario", observed=True)["run"].nunique()
    runs = {str(name): int(count) for name, count in counted.items()}
    summary = log_summary(changes, runs)
    intro = (
        "<section><h2>The dated log</h2>\n<p>What coalitions write down: what happened, how often in a run, in "
        "how many of the runs, and in which month on average.</p>"
    )
    if summary.empty:
        return intro + "<p>Nothing was logged.</p></section>\n"
    kinds = list(dict.fromkeys(zip(summary["event"], summary["category"], strict=True)))
    found = {(row["scenario"], row["event"], row["category"]): row for row in records(summary)}
    head = header_row([("Event", False), *((title, False) for title in titles.values())])
    rows = []
    for event, category in kinds[:LOG_ROWS]:
        label = event.replace("_", " ")
        cells = []
        for name, title in titles.items():
            row = found.get((name, event, category))
            cells.append(
                data_cell(
                    title,
                    "never"
                    if row is None
                    else (
                        f"{row['per_run']:.1f} a run, in {100 * row['share_of_runs']:.0f}% of runs, "
                        f"month {row['mean_month']:.0f}"
                    ),
                )
            )
        kind = f'<small class="soft">({escaped(category.replace("_", " "))})</small>'
        rows.append(table_row(f"{escaped(label[:1].upper() + label[1:])} {kind}", cells))
    left = len(kinds) - LOG_ROWS
    note = f"<p>{left} rarer kinds of events are not shown.</p>" if left > 0 else ""
    return intro + html_table("Most frequent events", head, rows) + note + "</section>\n"


def meanings(columns: Collection[str]) -> str:
    """The section that defines the metrics among some columns."""
    head = header_row([(word, False) for word in ("Measure", "Definition", "Unit", "Better", "Column")])
    rows: list[str] = []
    for family in FAMILIES:
        chosen = [metric for metric in metrics_in(columns) if metric.family == family]
        if chosen:
            rows.append(family_row(family, 5))
        for metric in chosen:
            direction = "set by the rules, not an outcome" if metric.nature == "set" else _DIRECTIONS[metric.better]
            rows.append(
                table_row(
                    escaped(label_of(metric)),
                    (
                        data_cell("Definition", escaped(worded(metric.meaning)), "prose"),
                        data_cell("Unit", escaped(metric.unit)),
                        data_cell("Better", escaped(direction)),
                        data_cell("Column", f"<code>{escaped(metric.name)}</code>"),
                    ),
                )
            )
    return (
        "<section><h2>What every measure means</h2>\n<details><summary>Definitions, units, directions</summary>"
        + html_table("All measures of the monthly table", head, rows)
        + "</details></section>\n"
    )


def _reproduce(command: str | None, runs: int, seed: int, version: str, months: int) -> str:
    how = f"<pre><code>{escaped(command)}</code></pre>" if command else ""
    return (
        f"<section><h2>How to get these numbers again</h2>\n{how}<p>{runs} {'run' if runs == 1 else 'runs'} of "
        f"{months} {'month' if months == 1 else 'months'}, seed {seed}, cej_sim {escaped(version)}. The same "
        f"version, seed and scenario files give the same numbers. Versions and scenarios in full stand in "
        f"<code>provenance.json</code> beside this page.</p></section>\n"
    )
