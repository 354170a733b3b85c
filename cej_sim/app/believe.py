"""Why believe it? Sources, assumptions, checks and limits on one page, counted from the program itself.

The page is the same in the room and in an exported story. Counts come from the declarations of parameters, as in the
protocol; what the model cannot tell are thoughts of docs/LIMITS.md in words short enough to be read aloud.
"""

from __future__ import annotations

from functools import cache
from html import escape
from typing import Any

from cej_sim import __version__
from cej_sim.app import texts
from cej_sim.ensemble import Ensemble
from cej_sim.protocol import every_parameter, group_of

#: Sort of source, as the protocol tells them apart -> the key of its text.
_SORTS = {
    "assumed": "believe.assumed",
    "design": "believe.design",
    "1 by definition": "believe.by_definition",
    "other": "believe.other",
}

#: What the model cannot tell, in the order in which it is said.
LIMITS = ("place", "approach", "size", "precision", "people", "conduct", "real", "built_in", "confirmed")


@cache
def counts() -> dict[str, int]:
    """How many parameters rest on what: assumed, design, 1 by definition, other."""
    sorts = [group_of(one) for one in every_parameter()]
    return {sort: sorts.count(sort) for sort in _SORTS}


@cache
def named_sources() -> tuple[str, ...]:
    """The sources that declarations name, in alphabetical order, each once."""
    return tuple(sorted({one.source for one in every_parameter() if group_of(one) == "other"}, key=str.casefold))


def said(language: str = texts.ENGLISH) -> dict[str, Any]:
    """The parts of the page as plain data: counts, sources, calibration, limits."""
    words, sets = texts.read(language), Ensemble.read()
    numbers = {"parameters": len(sets.parameters), "sets": len(sets)}
    return {
        "counts": [(number, words[_SORTS[sort]]) for sort, number in counts().items()],
        "total": sum(counts().values()),
        "sources": list(named_sources()),
        "calibration": texts.fill(words["believe.calibration.text"], numbers),
        "limits": [words[f"believe.limits.{one}"] for one in LIMITS],
    }


def limits(language: str = texts.ENGLISH) -> str:
    """What the model cannot tell, as an HTML list."""
    words = texts.read(language)
    items = (f"<li>{escape(words[f'believe.limits.{one}'])}</li>" for one in LIMITS)
    return f"<ul>{''.join(items)}</ul>"


def page(language: str = texts.ENGLISH) -> str:
    """The page as a piece of HTML, without scripts or links."""
    words, parts = texts.read(language), said(language)

    def text(key: str, **values: object) -> str:
        return escape(texts.fill(words[key], values))

    def paragraph(key: str, **values: object) -> str:
        return f"<p>{text(key, **values)}</p>"

    rows = "".join(f"<tr><td>{number}</td><td>{escape(what)}</td></tr>" for number, what in parts["counts"])
    tests = "".join(
        f"<li>{text(f'believe.tests.{one}')}</li>" for one in ("fair", "money", "stories", "oracle", "published")
    )
    sources = "".join(f"<li>{escape(one)}</li>" for one in parts["sources"])
    return f"""<article class="cej-believe">
<h1>{text("believe.title")}</h1>
<p class="cej-believe-honest"><strong>{text("believe.illustration")}.</strong> {text("believe.illustration.text")}</p>
<h2>{text("believe.limits")}</h2>
{limits(language)}
<h2>{text("believe.limits.good_for")}</h2>
{paragraph("believe.limits.good_for.text")}
<h2>{text("believe.sources")}</h2>
{paragraph("believe.sources.essay")}
{paragraph("believe.sources.table", total=parts["total"])}
<table><thead><tr><th scope="col">{text("believe.count")}</th><th></th></tr></thead><tbody>{rows}</tbody></table>
<h2>{text("believe.calibration")}</h2>
<p>{escape(parts["calibration"])}</p>
<h2>{text("believe.tests")}</h2>
<ul>{tests}</ul>
<details><summary>{text("believe.sources.named")}</summary><ul lang="en">{sources}</ul></details>
<p class="cej-sheet-foot">{text("believe.made", version=__version__)}{_english(language, words)}</p>
</article>"""


def _english(language: str, words: dict[str, str]) -> str:
    """What stays English, where the page is in another language."""
    return "" if language == texts.ENGLISH else f" {escape(words['believe.english'])}"
