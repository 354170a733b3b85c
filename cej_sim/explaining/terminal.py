"""Explanations, origins and differences as a terminal shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cej_sim.explaining.differing import differences
from cej_sim.explaining.origins import resolved
from cej_sim.explaining.whole import explain
from cej_sim.explaining.words import counted, listed, plain
from cej_sim.reading import Reading
from cej_sim.scenario import Scenario

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.console import Group as Printable
    from rich.text import Text


class _Hanging:
    """A paragraph whose lines begin under each other, the first one with a mark; as wide as the terminal."""

    def __init__(self, text: str, first: str) -> None:
        self.text, self.first = text, first

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """The lines, without blanks at their ends."""
        from rich.text import Text

        for i, line in enumerate(Text(self.text).wrap(console, max(20, options.max_width - len(self.first)))):
            line.rstrip()
            yield Text(" " * len(self.first) if i else self.first) + line


def render_explanation(scenario: Scenario) -> Printable:
    """``explain`` for a terminal of 100 columns."""
    from rich.console import Group as Printed
    from rich.text import Text

    lines: list[RenderableType] = [Text(plain(scenario.title), style="bold reverse")]
    for part in explain(scenario):
        lines += [Text(), Text(part.heading, style="bold")]
        for sentence in part.sentences:
            lines.append(_Hanging(sentence.strip(), "    - " if sentence.startswith("  ") else "- "))
    lines += [Text(), Text("Every value and where it comes from: cej-sim explain FILE --resolved", style="dim")]
    return Printed(*lines)


def _broken(path: str, width: int) -> str:
    """A path in lines of a width, which end behind dots."""
    lines = [""]
    for part in re.findall(r"[^.]*[.]?", path):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("  ")
        lines[-1] += part
    return "\n".join(lines)


def render_resolved(reading: Reading, columns: int = 100) -> Printable:
    """``resolved`` as a table for a terminal of so many columns; below it, where the files are."""
    from pathlib import Path

    from rich.console import Group as Printed
    from rich.table import Table
    from rich.text import Text

    rows = resolved(reading)
    files = list(dict.fromkeys(row.place.file for row in rows if row.place))
    short = {file: Path(file).name for file in files}
    if len(set(short.values())) < len(short):
        short = {file: file for file in files}
    origins = {row.path: f"{plain(short[row.place.file])}:{row.place.line}" if row.place else "default" for row in rows}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    wide = min(44, max(len(row.path) for row in rows), max(20, columns - 46))
    table.add_column("Value", width=wide, overflow="fold")
    table.add_column("Set to", min_width=10, overflow="fold")
    table.add_column("From", width=min(32, max(map(len, origins.values()))), overflow="fold")
    for row in rows:
        origin = Text(origins[row.path], style="" if row.place else "dim")
        table.add_row(Text(_broken(row.path, wide)), Text(row.value), origin)
    places = [Text(f"{plain(short[file])} is {plain(file)}", overflow="fold") for file in files if short[file] != file]
    return Printed(table, *([Text(), *places] if places else []))


def render_differences(a: Scenario, b: Scenario) -> Printable:
    """``differences`` as tables for a terminal of 100 columns."""
    from rich.console import Group as Printed
    from rich.table import Table
    from rich.text import Text

    found = differences(a, b)
    out: list[RenderableType] = [
        Text(f"A: {plain(a.title)}", style="bold"),
        Text(f"B: {plain(b.title)}", style="bold"),
    ]
    if not found:
        out += [
            Text(),
            Text("Nothing that decides numbers differs: with the same seed both give exactly the same results."),
        ]
        words = {
            "name": (a.name, b.name),
            "label": (a.label, b.label),
            "description": (a.description, b.description),
            "predictions": (a.expect, b.expect),
            "reasons": (a.reasons, b.reasons),
        }
        differing = [word for word, (one, other) in words.items() if one != other]
        if differing:
            out.append(Text(f"Only words differ: {listed(differing)}."))
        return Printed(*out)
    reasons: dict[str, int] = {}
    for heading, rows in found.items():
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("", width=48, overflow="fold")
        table.add_column("A", width=23, overflow="fold")
        table.add_column("B", width=23, overflow="fold")
        for row in rows:
            mark = f" [{reasons.setdefault(row.reason, len(reasons) + 1)}]" if row.reason else ""
            table.add_row(Text(f"{row.label}{mark}"), Text(row.a), Text(row.b))
        out += [Text(), Text(heading, style="bold"), table]
    if reasons:
        out += [Text(), Text("Reasons that the file of B gives", style="bold")]
        out += [_Hanging(reason, f"[{number_of}] ") for reason, number_of in reasons.items()]
    number_of = sum(len(rows) for rows in found.values())
    out += [Text(), Text(f"{counted(number_of, 'differences')}. All that is not listed is equal.", style="dim")]
    return Printed(*out)
