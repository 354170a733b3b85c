"""What is shown as text: a link that restores it, and a scenario file that says the same.

A link comes from anybody. Everything in it is checked on the way in, by the declarations and by the reader of scenario
files, and what is wrong with it is said in a sentence.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from cej_sim.parameters import Value
from cej_sim.reading import Reading, read_text
from cej_sim.scenario import CHANGEABLE, PARAMETERS, Event, Scenario, budget_problems, value_problem

VIEWS = ("tables", "network", "powermap", "curves", "difference", "bands", "log")
#: The most characters of a link; browsers and mail programs take as many.
MOST_LINK = 24_000
#: The most characters of a scenario's text that is written in the page.
MOST_TEXT = 60_000
#: What a text that was written in the page is called.
TEXT_NAME = "scenario.yaml"
#: The most events that may be added to a scenario in the page.
MOST_EVENTS = 24
MOST_SEED = 2**53 - 1  # what a browser can count
MOST_RUN = 9999

_NAMES = ("a", "b")


class ShareError(ValueError):
    """A link cannot be used; the message says why, in one sentence."""


@dataclass(frozen=True)
class Side:
    """One of the two sides of the room, by where it comes from and what was changed.

    Attributes:
        name: A scenario that the room offers; "" where ``text`` says all.
        text: The text of a scenario file that was written in the page or uploaded.
        changes: Path -> value that levers have set.
        events: What "what if" has added, by month.
    """

    name: str = ""
    text: str = ""
    changes: Mapping[str, Value] = field(default_factory=dict)
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Shown:
    """All that a link restores: the sides, whose luck (run of a seed), the month and the view."""

    sides: tuple[Side, ...]
    seed: int = 1
    month: int = 0
    view: str = VIEWS[0]
    run: int = 0


# A link


def link(shown: Shown) -> str:
    """The part of an address behind the ``#``; plain enough to be read and changed by hand.

    Raises:
        ShareError: If it would be too long.
    """
    pairs: list[tuple[str, str]] = []
    for letter, side in zip(_NAMES, shown.sides, strict=False):
        pairs.append((f"{letter}.text", _packed(side.text)) if side.text else (letter, side.name))
        pairs += [(f"{letter}.{path}", _word(value)) for path, value in sorted(side.changes.items())]
        for event in side.events:
            said = [f"{path}={_word(value)}" for path, value in event.set]
            pairs.append((f"{letter}.event", ";".join([str(event.month), event.by, *said])))
    pairs += [("run", str(shown.run))] if shown.run else []
    pairs += [("seed", str(shown.seed)), ("month", str(shown.month)), ("view", shown.view)]
    text = urlencode(pairs, quote_via=quote, safe=";=:,")
    if len(text) > MOST_LINK:
        raise ShareError("the scenario is too long for a link; download it as a file instead, and share the file")
    return text


def shown(text: str, offered: Iterable[str]) -> Shown:
    """What a link says, checked as far as it goes without reading a scenario.

    Args:
        text: The part of an address behind the ``#``.
        offered: Names of the scenarios that the room offers.

    Raises:
        ShareError: If it is no link of the room, or a name, path, number or value in it is wrong.
    """
    offered = set(offered)
    if len(text) > MOST_LINK:
        raise ShareError("the link is too long to be one of ours")
    try:
        pairs = parse_qsl(
            text.lstrip("#"), keep_blank_values=True, strict_parsing=True, max_num_fields=600, errors="strict"
        )
    except ValueError as error:
        raise ShareError("the link is damaged; copy it again, whole") from error
    sides: dict[str, Side] = {}
    seed, month, view, run = 1, 0, VIEWS[0], 0
    for key, value in pairs:
        letter, _, rest = key.partition(".")
        if key == "seed":
            seed = _whole(value, "seed", MOST_SEED)
        elif key == "run":
            run = _whole(value, "run", MOST_RUN)
        elif key == "month":
            month = _whole(value, "month", 1200)
        elif key == "view":
            if value not in VIEWS:
                raise ShareError(f"the link names a view that there is not: {_brief(value)}")
            view = value
        elif letter not in _NAMES:
            raise ShareError(f"the link holds something unknown: {_brief(key)}")
        else:
            sides[letter] = _with(sides.get(letter, Side()), rest, value, offered)
    found = tuple(sides[letter] for letter in _NAMES if letter in sides)
    if not found or any(not side.name and not side.text for side in found) or "a" not in sides:
        raise ShareError("the link does not say which scenarios it shows; copy it again, whole")
    return Shown(found, seed, month, view, run)


def _with(side: Side, key: str, value: str, offered: set[str]) -> Side:
    """A side with one more part of a link."""
    if not key:
        if value not in offered:
            raise ShareError(f"the link names a scenario that this room does not have: {_brief(value)}")
        return replace(side, name=value)
    if key == "text":
        return replace(side, text=_unpacked(value))
    if key == "event":
        if len(side.events) >= MOST_EVENTS:
            raise ShareError(f"the link adds more than {MOST_EVENTS} changes of rules")
        when, by, *said = value.split(";")
        if by not in ("mandate", "motion") or not said:
            raise ShareError("the link holds a change of rules that cannot be read")
        rules = dict(one.partition("=")[::2] for one in said)
        changes = {path: _value(path, word, CHANGEABLE) for path, word in rules.items()}
        event = Event(_whole(when, "month", 1200, 1), by, tuple(sorted(changes.items())))
        return replace(side, events=(*side.events, event))
    return replace(side, changes={**side.changes, key: _value(key, value, PARAMETERS)})


def _whole(text: str, what: str, most: int, least: int = 0) -> int:
    if not re.fullmatch("[0-9]{1,16}", text) or not least <= int(text) <= most:
        raise ShareError(f"the link's {what} is not a whole number from {least} to {most:,}: {_brief(text)}")
    return int(text)


def _value(path: str, text: str, known: Mapping[str, Any]) -> Value:
    """A value by its declaration."""
    parameter = known.get(path)
    if parameter is None:
        raise ShareError(f"the link changes something that there is not: {_brief(path)}")
    value: Value = text
    if parameter.kind == "switch":
        value = {"yes": True, "no": False}.get(text, text)
    elif not parameter.choices and re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,20})?(e-?[0-9]{1,3})?", text):
        value = int(text) if parameter.kind == "count" and text.isdigit() else float(text)
    problem = value_problem(parameter, value)
    if problem:
        raise ShareError(f"the link sets {parameter.label}, but {problem}")
    return parameter.decode(parameter.encode(value))


def _word(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(value) if isinstance(value, float) else str(value)


def _brief(text: str) -> str:
    shown = "".join(sign if sign.isprintable() else "?" for sign in text[:40])
    return shown if len(text) <= 40 else f"{shown}..."


def _packed(text: str) -> str:
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def _unpacked(text: str) -> str:
    """The text of a scenario; what would grow beyond measure is given up."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        opener = zlib.decompressobj()
        content = opener.decompress(packed, 4 * MOST_TEXT)
        if not opener.eof:
            raise ShareError("the scenario in the link is longer than a scenario can be, or cut off")
        found = content.decode()
    except (binascii.Error, zlib.error, ValueError) as error:
        if isinstance(error, ShareError):
            raise
        raise ShareError("the scenario in the link is damaged; copy the link again, whole") from error
    if len(found) > MOST_TEXT:
        raise ShareError("the scenario in the link is longer than a scenario can be")
    return found


# A side made into a scenario


def base_of(side: Side, offered: Mapping[str, Scenario], folder: Path, files: Iterable[str] = ()) -> Scenario:
    """The scenario from which a side comes, before anything was changed.

    Args:
        side: As it came in.
        offered: Scenarios that the room offers, by name.
        folder: Where files that were uploaded lie.
        files: Names of these files.

    Raises:
        ShareError: If its text has mistakes.
        KeyError: If the room does not offer it.
    """
    if not side.text:
        return offered[side.name]
    reading = read_text(side.text, TEXT_NAME, folder, files)
    if reading.scenario is None:
        raise ShareError(f"the scenario has mistakes: {said(reading, folder)[0]['text']}")
    return reading.scenario


def built(side: Side, base: Scenario) -> Scenario:
    """The scenario that a side stands for, from the one that it comes from.

    Raises:
        ShareError: If its changes do not go together.
    """
    scenario = base
    try:
        if side.changes:
            scenario = scenario.with_values(side.changes)
    except ValueError as error:
        raise ShareError(str(error)) from error
    if side.events:
        events = sorted((*scenario.events, *side.events), key=lambda event: event.month)
        if events[-1].month > scenario.months:
            raise ShareError(f"month {events[-1].month} lies after the end, month {scenario.months}")
        in_force = dict(scenario.values)
        for event in events:
            in_force |= dict(event.set)
            problems = budget_problems(in_force, running=True)
            if problems:
                raise ShareError(f"from month {event.month} on, {problems[0][1]}")
        scenario = replace(scenario, events=tuple(events))
    return scenario


def said(reading: Reading, folder: Path) -> list[dict[str, Any]]:
    """The mistakes of a text as plain data, in the words of ``cej-sim check``, without the name of our folder."""

    def words(text: str) -> str:
        return text.replace(f"{folder}/", "").replace(str(folder), "")

    return [
        {
            "line": problem.line if problem.file == TEXT_NAME else 1,
            "column": problem.column if problem.file == TEXT_NAME else 1,
            "text": words(f"{problem.path}{': ' if problem.path else ''}{problem.message}"),
        }
        for problem in reading.problems
    ]


# A scenario as a file


def written(scenario: Scenario) -> str:
    """A scenario file that gives the same numbers: everything that differs from the declared defaults.

    A network file is named without its folder: it must lie beside the scenario file.
    """
    lines = [
        "# Written by cej-sim; a rule that is not here has its default (see `cej-sim schema`).",
        "schema_version: 1",
        f"name: {scenario.name}",
    ]
    if scenario.label:
        lines.append(f"label: {_quoted(scenario.label)}")
    if scenario.description:
        lines.append(f"description: {_quoted(' '.join(scenario.description.split()))}")
    lines.append(f"months: {scenario.months}")
    tree: dict[str, Any] = {}
    for path, parameter in PARAMETERS.items():
        value = scenario[path]
        if value == parameter.default or (path == "network.generate" and scenario.network_file is not None):
            continue
        *sections, name = path.split(".")
        branch = tree
        for part in sections:
            branch = branch.setdefault(part, {})
        branch[name] = _scalar(value)
    community = tree.setdefault("community", {})
    community["groups"] = [
        {"name": _quoted(one.name), "share": one.share, "exposure": one.exposure, "barriers": one.barriers,
         "voice": one.voice}
        for one in scenario.groups
    ]  # fmt: skip
    if scenario.network_file is not None:
        file = scenario.network_file
        network = tree.setdefault("network", {})
        network["file"] = _quoted(file.path.name)
        if file.nodes is not None:
            network["nodes"] = _quoted(file.nodes.name)
        if file.kind_column is not None:
            network["kind"] = {"column": _quoted(file.kind_column)}
            if file.kind_map:
                network["kind"]["map"] = {_quoted(word): kind for word, kind in file.kind_map}
            if file.kind_default is not None:
                network["kind"]["default"] = file.kind_default
        if file.weight is not None:
            network["weight"] = _quoted(file.weight)
        if file.scale != 1.0:
            network["scale"] = file.scale
        network["residents"] = {"generate": file.residents} if file.residents else "null"
    tree["issues"] = [
        {"name": _quoted(one.name), "structural": one.structural, "severity": one.severity, "regrowth": one.regrowth,
         "skew": one.skew}
        for one in scenario.issues
    ]  # fmt: skip
    if scenario.events:
        tree["events"] = [
            {"month": event.month, "by": event.by, "set": {path: _scalar(value) for path, value in event.set}}
            for event in scenario.events
        ]
    return "\n".join([*lines, *_block(tree, 0)]) + "\n"


def _block(tree: Mapping[str, Any], depth: int) -> list[str]:
    """Lines of a section."""
    lines: list[str] = []
    indent = "  " * depth
    for key, value in tree.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{key}:", *_block(value, depth + 1)]
        elif isinstance(value, list):
            lines.append(f"{indent}{key}:")
            for item in value:
                first, *rest = _block(item, depth + 2)
                lines += [f"{indent}  - {first.lstrip()}", *rest]
        else:
            lines.append(f"{indent}{key}: {value}")
    return lines


def _scalar(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
