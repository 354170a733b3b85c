"""Words for values: numbers with their units, shares, lists."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cej_sim.parameters import Parameter, Value


def plain(text: str) -> str:
    """A text from a file as it can be shown: one line, and nothing that moves the cursor or turns the direction."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def number(value: float, digits: int = 3) -> str:
    """A number for readers: thousands with commas, otherwise so many significant digits."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.{digits}g}"


def percent(share: float, digits: int = 3) -> str:
    """A share in per cent."""
    return f"{number(float(f'{100 * share:.{digits}g}'), digits)}%"


def counted(value: float, unit: str, digits: int = 3) -> str:
    """A number with its unit, which is given in the plural: ``1 person``, ``6 hours per month``."""
    first, space, rest = unit.partition(" ")
    if value == 1:
        first = {"people": "person"}.get(first, first.removesuffix("s"))
    return f"{number(value, digits)} {first}{space}{rest}"


def amount(parameter: Parameter, value: Value, digits: int = 3) -> str:
    """A value of a parameter with its unit, as a reader wants it."""
    if parameter.kind == "choice":
        return str(value)
    if parameter.kind == "switch":
        return "yes" if value else "no"
    size = float(value)
    automatic = {"community.neighborhoods": "one per 20 residents", "community.tables": "one per 240 residents"}
    if parameter.path in automatic and size == 0:
        return automatic[parameter.path]
    if parameter.unit == "gain":
        return {0.0: "off", 1.0: "full strength"}.get(size) or f"{percent(size, digits)} of its strength"
    if parameter.unit == "share":
        return percent(size, digits)
    if parameter.unit == "month":
        return f"month {number(size, digits)}" if size else "the start"
    if parameter.unit in ("ratio", "agency", "openness"):
        return number(size, digits)
    if parameter.unit.startswith("per "):
        return f"{number(size, digits)} {parameter.unit}"
    return counted(size, parameter.unit, digits)


def both_amounts(parameter: Parameter, a: Value, b: Value) -> tuple[str, str]:
    """Two values that differ, with so many digits that one sees it."""
    for digits in (3, 5, 8, 12):
        shown = amount(parameter, a, digits), amount(parameter, b, digits)
        if shown[0] != shown[1]:
            return shown
    return f"{a!r}", f"{b!r}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words as a sentence lists them."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def part_of(share: float, whole: str) -> str:
    """A share in words: ``half of the votes``, ``10% of the votes``, ``none of the votes``."""
    words = {0.0: "none", 0.25: "a quarter", 0.5: "half", 0.75: "three quarters", 1.0: "all"}
    return f"{words.get(share) or percent(share)} of {whole}"


def degree(level: float) -> str:
    """How far something is done: ``not at all``, ``partly (50%)``, ``fully``."""
    if level in (0.0, 1.0):
        return "fully" if level else "not at all"
    word = "hardly" if level < 0.2 else "a little" if level < 0.4 else "partly" if level < 0.6 else "mostly"
    return f"{word} ({percent(level)})"


def how(level: float, doing: str) -> str:
    """What is done, and how far: ``hardly help people (10%)``, ``help people a little (30%)``, ``fully help people``.

    The measure stands at the end, or where ``doing`` has a bar: ``mostly used (80%) to meet people``.
    """
    begin, _, end = doing.partition("|")
    if level == 0:
        return f"not {begin}{end}"
    word, _, measure = degree(level).partition(" (")
    measure = f" ({measure}" if measure else ""
    return f"{begin} {word}{measure}{end}" if word == "a little" else f"{word} {begin}{measure}{end}"


def uncapitalized(text: str) -> str:
    """A label within a sentence."""
    return text[:1].lower() + text[1:]
