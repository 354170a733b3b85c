"""What helps people to write scenario files: a commented starter, and the JSON schema that editors check files with.

Both are generated from the shape of a file (``reading.FILE``) and from the declarations of parameters, so that
nothing is typed twice. A starter stands beside a copy of the schema, which its first line names: an editor then finds
it without a network connection, on any computer, and also after the folder was moved or handed in.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cej_sim.month import PHASES, RULES
from cej_sim.nodes import UNSEEN, is_file, plain, shows
from cej_sim.parameters import Parameter, Value
from cej_sim.reading import (
    FILE,
    MAX_NODES,
    MONTHS,
    SCHEMA_VERSION,
    Changes,
    Leaf,
    Listing,
    Reading,
    Reasons,
    ScenarioError,
    Section,
    Series,
    Shape,
    Table,
    Text,
    read,
    shipped,
)
from cej_sim.scenario import CHANGEABLE, GROUP, ISSUE, PARAMETERS, NetworkFile, Scenario

#: The file that holds the schema, beside scenario files.
SCHEMA_FILE = "scenario.schema.json"

#: The first line of a scenario file, by which editors find the schema.
EDITOR_LINE = f"# yaml-language-server: $schema={SCHEMA_FILE}"

_TITLE = f"A scenario of cej-sim, version {SCHEMA_VERSION}"

#: Where the comments of a starter begin, and how long its lines get.
_COLUMN, _WIDTH = 40, 120


class AuthoringError(ValueError):
    """A file cannot be written as asked; the message says why, on one line."""


# The schema

#: Keys that are not declared as parameters, or mean more than their declaration says.
MEANINGS = {
    "schema_version": "The version of the form of this file; always the first thing in it.",
    "name": "A short name: letters, digits and _ only. The file's name where it is missing.",
    "label": "The title that people see.",
    "description": "What the scenario is about. It never reaches the model.",
    "extends": "A shipped scenario (see cej-sim list) or the path of a file: what this file does not set is as there.",
    "months": "How many months the scenario runs.",
    "community": "Who lives there, at the start.",
    "community.groups": "Groups of residents; their shares add up to 1.",
    "community.groups.name": "What the group is called; no name stands there twice.",
    "network": "Who is tied to whom: generated, or read from a file.",
    "network.file": "A network to import (.graphml, .gexf, .gml or .csv); path relative to this file.",
    "network.nodes": "A table of the nodes beside a .csv of ties; path relative to this file.",
    "network.kind": "Which imported nodes are residents, institutions, organizers or the backbone.",
    "network.kind.column": "The column (attribute of nodes) that tells what a node is.",
    "network.kind.map": "Words of that column, and the kind that each stands for.",
    "network.kind.default": "The kind of nodes whose word is not in the map; null makes such a word a mistake.",
    "network.weight": "The column (attribute of ties) that holds their strength.",
    "network.residents": "How residents are generated beside the imported agents; null where the file holds them.",
    "issues": "What the coalition could take up.",
    "issues.name": "What the issue is called; no name stands there twice.",
    "governance": "The rules, in sections that bear the names of the phases of a month.",
    "governance.convene.seats": "Seats open at the table.",
    "governance.decide.votes": "Formal votes; rescaled if they do not add up to 1.",
    "governance.decide.budget": "Shares of the money at the start; what they leave over is spent on action.",
    "governance.decide.budget_min": "The least share that the coalition may decide for each line.",
    "governance.decide.budget_max": "The largest share that the coalition may decide for each line.",
    "governance.coordinate.delegated": "What the backbone in control may come to decide alone.",
    "funder": "Who pays, how much, and on which terms.",
    "mechanisms": "Feedbacks of the model: 1 as modelled, 0 switched off.",
    "coefficients": "Numbers of the model that are not rules.",
    "events": "Rules that change during the run, each in its month.",
    "events.month": "The month before whose step the rules change.",
    "events.by": "mandate: the change is ordered; motion: those in power vote on it.",
    "events.set": "Full paths of rules and their new values.",
    "expect": "Predictions: which way a metric will differ from another scenario.",
    "expect.metric": "Of which metric; one that happened, not one that repeats a rule.",
    "expect.month": "In which month.",
    "expect.direction": "up: higher than in the other scenario; down: lower.",
    "expect.against": "A shipped scenario or the path of a file.",
    "reasons": "Why this file sets a rule or a section as it does, by full path; for readers only.",
}
MEANINGS |= {f"governance.{module.__name__.rpartition('.')[2]}": question for module, question in PHASES}


def bounds(parameter: Parameter) -> str:
    """What may be written for a parameter: its choices, or its bounds with the unit."""
    if parameter.choices:
        return f"{', '.join(parameter.choices[:-1])} or {parameter.choices[-1]}"
    if parameter.kind == "switch":
        return "true or false"
    return f"{_number(parameter.low)} to {_number(parameter.high)} ({parameter.unit})"


def _number(value: float) -> str:
    """A number as somebody writes it in a file; reads back as the very same."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _leaf(leaf: Leaf) -> dict[str, Any]:
    """The schema of a single value."""
    parameter = leaf.parameter
    schema: dict[str, Any] = {"title": parameter.label}
    unit = f" ({parameter.unit})" if parameter.kind in ("number", "count") else ""
    schema["description"] = f"{parameter.label}: {parameter.meaning}{unit}"
    if parameter.choices:
        schema["enum"] = [*parameter.choices, *([None] if leaf.null else [])]
    elif parameter.kind == "switch":
        schema["type"] = "boolean"
    elif parameter.low == parameter.high:
        schema["const"] = int(parameter.low)
    else:
        schema["type"] = "integer" if parameter.kind == "count" else "number"
        schema |= {"minimum": _plain(parameter.low), "maximum": _plain(parameter.high)}
    return schema


def _plain(value: Value) -> Value:
    """A number without a needless fraction."""
    return int(value) if isinstance(value, float) and value == int(value) else value


# Signs that no text may hold, for a pattern; what languages of patterns write differently is left to `cej-sim check`.
_UNSEEN = UNSEEN.pattern[1:].partition(r"\ud800")[0]


def _text(text: Text) -> dict[str, Any]:
    """The schema of a text; numbers and yes/no words without quotes are read as texts, too."""
    types = ["string", "integer" if text.word else "number", "boolean", *(["null"] if text.empty else [])]
    schema: dict[str, Any] = {"type": types, "maxLength": text.most}
    if text.word:
        schema["minimum"] = 0
        schema["pattern"] = r"^\s*[A-Za-z0-9_]+\s*$"
        schema["patternErrorMessage"] = "use letters (a to z), digits and _ only"
    elif text.lines:
        schema["pattern"] = "" if text.empty else r"\S"
    else:
        seen = f"[^{_UNSEEN}]*"
        schema["pattern"] = rf"^\s*{seen}\s*$" if text.empty else rf"^\s*[^\s{_UNSEEN}]{seen}\s*$"
        schema["patternErrorMessage"] = "write it on one line, without tabs and invisible characters"
    return {key: value for key, value in schema.items() if value != ""}


def _schema(shape: Shape, path: str) -> dict[str, Any]:
    """The schema of a part of the file."""
    described = {"description": MEANINGS[path]} if path in MEANINGS else {}
    if isinstance(shape, Leaf):
        parameter = shape.parameter
        if parameter.path in CHANGEABLE and path == parameter.path:
            return {"$ref": f"#/$defs/{path}"}
        given = {"default": _plain(parameter.default)} if path in PARAMETERS or path == "months" else {}
        return _leaf(shape) | described | given
    if isinstance(shape, Text):
        return _text(shape) | described
    if isinstance(shape, Listing | Series):
        most = {"maxItems": shape.high} if shape.high < MAX_NODES else {}
        return {"type": "array", "minItems": shape.low, **most, "items": _schema(shape.item, path), **described}
    if isinstance(shape, Table):
        words = _leaf(shape.value)
        return {"type": ["object", "null"], "additionalProperties": words, **described}
    if isinstance(shape, Changes):
        rules = {rule: {"$ref": f"#/$defs/{rule}"} for rule in CHANGEABLE}
        return {
            "type": "object",
            "properties": rules,
            "additionalProperties": False,
            "minProperties": 1,
            **described,
        }
    if isinstance(shape, Reasons):
        texts = {about: {"$ref": "#/$defs/reason"} for about in _paths(FILE, "") if _may_have_a_reason(about)}
        return {"type": ["object", "null"], "properties": texts, "additionalProperties": False, **described}
    keys = {name: _schema(part, f"{path}.{name}".lstrip(".")) for name, part in shape.keys.items()}
    required = {"required": list(shape.required)} if shape.required else {}
    types = "object" if shape.required else ["object", "null"]
    return {"type": types, "properties": keys, **required, "additionalProperties": False, **described}


def _paths(section: Section, path: str) -> Iterator[str]:
    """Every path of keys, lists not entered."""
    for name, part in section.keys.items():
        here = f"{path}.{name}".lstrip(".")
        yield here
        if isinstance(part, Section):
            yield from _paths(part, here)


def _may_have_a_reason(path: str) -> bool:
    """What describes the file itself is not set for a reason."""
    own = ("schema_version", "name", "label", "description", "extends", "reasons")
    return path.partition(".")[0] not in own


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a scenario file.

    It holds what one value at a time must be. What only shows when values stand together (budgets that add up to
    more than 1, an event after the end, a scenario that does not exist) is for ``cej-sim check``.
    """
    rules = {path: _leaf(Leaf(rule)) | {"default": _plain(rule.default)} for path, rule in CHANGEABLE.items()}
    reasons = FILE.keys["reasons"]
    reason = _text(reasons.text) if isinstance(reasons, Reasons) else {}
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": _TITLE,
        "description": "What a scenario file may hold. Made by: cej-sim schema",
        **_schema(FILE, ""),
        "$defs": {**rules, "reason": {**reason, "description": "Why it is set so."}},
    }
    return {"$comment": f"{_UNEDITED}{_digest(made)}", **made}


#: How the comment begins by which a schema is known to be as it was made.
_UNEDITED = "As it was made: SHA-256 "


def _digest(made: Mapping[str, Any]) -> str:
    """The hash of a schema without its comment."""
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()


def schema_text() -> str:
    """The schema as the text of a file, in ASCII."""
    return json.dumps(schema(), indent=2) + "\n"


# A starter


def create(path: Path, source: str = "community_led") -> list[Path]:
    """Write a commented scenario file to begin with, and a copy of the schema beside it for editors.

    Args:
        path: The new file; nothing is overwritten.
        source: The scenario to begin from, by shipped name or path. The new file extends it; if it itself extends
            another, the new file extends that one and repeats what the source sets.

    Returns:
        The files written: the scenario, and the schema unless it was there.

    Raises:
        AuthoringError: If the name is not that of a scenario file, something is there already, or the file cannot be
            written.
        ScenarioError: If the source does not exist or has mistakes.
    """
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise AuthoringError(f"{_shown(path)}: a scenario file ends in .yaml; write {_shown(path.stem or 'mine')}.yaml")
    if os.path.lexists(path):
        raise AuthoringError(
            f"{_shown(path)}: there is such a file already, and it is not overwritten; choose another name"
        )
    text = starter(path, source)
    beside = path.parent / SCHEMA_FILE
    wanted = schema_text()
    foreign = _schema_problem(beside)
    if foreign:
        raise AuthoringError(f"{_shown(beside)}: {foreign}; rename it, or write elsewhere")
    written: list[Path] = []
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            written.append(path)
            file.write(text)
        problems = read(path).problems
        if problems:
            raise AuthoringError(f"{_shown(path)}: cannot be made from {_shown(source)} ({problems[0].message})")
        if not is_file(beside) or beside.read_text(encoding="utf-8") != wanted:
            beside.write_text(wanted, encoding="utf-8", newline="\n")
            written.append(beside)
    except (AuthoringError, OSError, ValueError) as error:
        for made in written:
            made.unlink(missing_ok=True)
        if isinstance(error, AuthoringError):
            raise
        reason = (error.strerror if isinstance(error, OSError) else None) or "not a path"
        advice = "make its folder first" if isinstance(error, FileNotFoundError) else "choose another name or folder"
        raise AuthoringError(f"{_shown(path)}: cannot be written ({reason.lower()}); {advice}") from None
    return written


def _shown(text: Path | str) -> str:
    return plain(str(text))


def _schema_problem(path: Path) -> str | None:
    """Why a schema may not be written where something stands already; None where it may."""
    if not os.path.lexists(path):
        return None
    foreign = "this is not the schema of cej-sim, which belongs there"
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if is_file(path) else None
    except (OSError, ValueError, RecursionError):
        return foreign
    if not isinstance(content, dict):
        return foreign
    title = content.get("title")
    if not isinstance(title, str) or not title.startswith(_TITLE.rstrip("0123456789")):
        return foreign
    comment = content.pop("$comment", None)
    return None if comment == f"{_UNEDITED}{_digest(content)}" else "this schema was edited, and would be replaced"


def starter(path: Path, source: str = "community_led") -> str:
    """The text of a commented scenario file that is to stand at a path.

    Raises:
        ScenarioError: If the source does not exist or has mistakes.
    """
    reading = read(source)
    scenario = reading.scenario
    if scenario is None:
        raise ScenarioError(reading.problems)
    base, extends = _base(reading, path, source)
    word = "".join(c if c.isascii() and c.isalnum() else "_" for c in path.stem)[:60].strip("_") or "scenario"
    title = " ".join("".join(c if c.isprintable() else " " for c in path.stem).replace("_", " ").split())[:60].strip()
    title = title if shows(title) else word
    shown = _shown(path.name)
    named = shown if re.fullmatch(r"[\w.+-]+", shown) else f'"{shown}"'  # as every shell reads it
    own = "" if scenario.hash() == base.hash() else f", but for lines without #: they are those of {_shown(source)}"
    lines = [
        EDITOR_LINE,
        f"## How to use this file. All rules are as in {_shown(extends)}, which it extends{own}.",
        "## To change one, remove the # in front of its line, with the one space behind it, and write another value.",
        "## Lines with ## only explain. Lists stand in several lines: remove the # in front of all of them.",
        "##",
        f"##   cej-sim check {named}",
        f"##   cej-sim explain {named}",
        f"##   cej-sim compare {extends if extends in shipped() else 'community_led'} {named} --runs 20",
        "",
        f"schema_version: {SCHEMA_VERSION}",
        f"name: {_quoted(word) if word.lower() == 'null' else word}",
        f"label: {_quoted(title[:1].upper() + title[1:])}",
        "description: >-",
        "  Say here what you change, and why.",
        f"extends: {extends if extends in shipped() else _quoted(extends)}",
        _line("months", str(scenario.months), f"{MONTHS.label}: {bounds(MONTHS)}", scenario.months == base.months),
        "",
        f"## {MEANINGS['governance']}",
        "governance:",
    ]
    for module, question in PHASES:
        phase = module.__name__.rpartition(".")[2]
        rules = [rule for rule in module.RULES if rule.path.startswith(f"governance.{phase}.")]
        if rules:
            lines += [f"  ## {question}", f"  {phase}:", *_rules(rules, scenario, base, 2)]
        else:
            lines.append(f"  ## {question} (phase {phase}: see the section funder)")
    lines += _section("funder", RULES, scenario, base) + _section("mechanisms", RULES, scenario, base)
    month = min(60, scenario.months)
    event = ["events:", f"  - month: {month}", "    by: motion", "    set:", "      governance.convene.naming: 0.5"]
    prediction = f"{{metric: agenda_origin, month: {month}, direction: up, against: collective_impact}}"
    lines += [
        "",
        "## Rules that change during the run, by full path: by order (mandate), or if a vote passes (motion).",
        *_list("events", _events(scenario), event, scenario.events == base.events),
        "",
        "## Your prediction: will a metric be higher (up) or lower (down) than in another scenario?",
        *_list(
            "expect", _expect(scenario, path.parent), ["expect:", f"  - {prediction}"], scenario.expect == base.expect
        ),
        "",
        "## Why you set a rule or a section as you do, by full path; readers see it in cej-sim diff.",
        *_list("reasons", [], ["reasons:", "  governance.decide.votes: Write your reason here."], True),
        *_section("community", PARAMETERS.values(), scenario, base),
        "  ## Groups of residents; shares add up to 1, and a list replaces the whole list of before.",
        *_list("groups", _groups(scenario), [], scenario.groups == base.groups, "  "),
        "",
        "## What the coalition could take up; again the whole list.",
        *_list("issues", _issues(scenario), [], scenario.issues == base.issues),
        "",
        f"## {MEANINGS['network']}",
        *_network(scenario, base, path.parent),
        *_section("coefficients", RULES, scenario, base),
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _base(reading: Reading, path: Path, source: str) -> tuple[Scenario, str]:
    """The scenario that the new file extends, and how it names it; only one level of ``extends`` is read."""
    scenario = reading.scenario
    if scenario is None:
        raise ScenarioError(reading.problems)
    further = reading.given.get("extends")
    if further is None:
        return scenario, source if source in shipped() else _relative(reading.path, path.parent)
    name = further if further in shipped() else str(reading.path.parent / further)
    base = read(name)
    if base.scenario is None:
        raise ScenarioError(base.problems)
    return base.scenario, name if name in shipped() else _relative(Path(name), path.parent)


def _relative(file: Path, folder: Path) -> str:
    """A path as a file in a folder names it."""
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # another drive
        return Path(os.path.abspath(file)).as_posix()


def _quoted(text: str) -> str:
    """A text in quotes, as YAML reads it."""
    return json.dumps(text, ensure_ascii=False)


def _written(parameter: Parameter, value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _number(value) if isinstance(value, int | float) else value


def _line(key: str, value: str, comment: str, as_before: bool, indent: str = "") -> str:
    """A rule at its value with a comment; commented out where the extended scenario has the same."""
    text = f"{indent}{'# ' if as_before else ''}{key}: {value}"
    line = f"{text:<{_COLUMN}}  # {comment}"
    return line if len(line) <= _WIDTH else f"{indent}## {comment}:\n{text}"


def _rules(parameters: Sequence[Parameter], scenario: Scenario, base: Scenario, depth: int) -> list[str]:
    """Lines for parameters of one section, and for the sections in it; those as before are commented out."""
    sections: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        inner = ".".join(parameter.path.split(".")[depth:-1])
        sections.setdefault(inner or parameter.path, []).append(parameter)
    lines: list[str] = []
    for inner, members in sections.items():
        within = inner != members[0].path
        if within:
            lines.append(f"{'  ' * depth}{inner}:")
        for parameter in members:
            value = scenario.values[parameter.path]
            lines.append(
                _line(
                    parameter.path.rpartition(".")[2],
                    _written(parameter, value),
                    f"{parameter.label}: {bounds(parameter)}",
                    value == base.values[parameter.path],
                    "  " * (depth + within),
                )
            )
    return lines


def _section(name: str, parameters: Iterable[Parameter], scenario: Scenario, base: Scenario) -> list[str]:
    """A section at the top of the file with all its values."""
    own = [parameter for parameter in parameters if parameter.path.startswith(f"{name}.")]
    return ["", f"## {MEANINGS[name]}", f"{name}:", *_rules(own, scenario, base, 1)]


def _list(key: str, block: Sequence[str], example: Sequence[str], as_before: bool, indent: str = "") -> list[str]:
    """A list in several lines; commented out where the extended scenario has the same, by an example if it is empty."""
    if as_before:
        return [f"{indent}# {line}" for line in block or example]
    return [f"{indent}{line}" for line in block] or [f"{indent}{key}: []"]


def _items(key: str, items: Iterable[Any], parameters: Sequence[Parameter]) -> list[str]:
    """Named items, a line each."""
    names = [parameter.path.rpartition(".")[2] for parameter in parameters]
    lines = [f"{key}:"]
    for item in items:
        settings = ", ".join(f"{name}: {_number(getattr(item, name))}" for name in names)
        lines.append(f"  - {{name: {_quoted(item.name)}, {settings}}}")
    return lines


def _groups(scenario: Scenario) -> list[str]:
    return _items("groups", scenario.groups, GROUP)


def _issues(scenario: Scenario) -> list[str]:
    return _items("issues", scenario.issues, ISSUE)


def _network(scenario: Scenario, base: Scenario, folder: Path) -> list[str]:
    """The section ``network``."""
    file = scenario.network_file
    parameters = [p for p in PARAMETERS.values() if p.path.startswith("network.")]
    lines = ["network:"]
    if file is None:
        if base.network_file is not None:
            lines.append(f"  generate: {scenario.values['network.generate']}")
            parameters = parameters[1:]
        lines += _rules(parameters, scenario, base, 1)
        lines += [
            "  ## Or a network that you have measured, instead of generate (paths are relative to this file):",
            "  ##   file: edges.csv",
            "  ##   nodes: nodes.csv",
            "  ##   kind: {column: role, map: {lead: backbone}, default: institution}",
            "  ##   weight: contact",
            "  ##   scale: 5",
            "  ##   residents: {generate: neighborhoods}",
        ]
        return lines
    lines += _rules(parameters[1:], scenario, base, 1)
    if file != base.network_file:
        lines += [f"  {line}" for line in _network_file(file, folder)]
    return lines


def _network_file(file: NetworkFile, folder: Path) -> list[str]:
    """The lines that import a network."""
    lines = [f"file: {_quoted(_relative(file.path, folder))}"]
    if file.nodes is not None:
        lines.append(f"nodes: {_quoted(_relative(file.nodes, folder))}")
    if file.kind_column is not None:
        words = ", ".join(f"{_quoted(word)}: {kind}" for word, kind in file.kind_map)
        lines += [
            "kind:",
            f"  column: {_quoted(file.kind_column)}",
            f"  map: {{{words}}}",
            f"  default: {file.kind_default or 'null'}",
        ]
    if file.weight is not None:
        lines.append(f"weight: {_quoted(file.weight)}")
    lines.append(f"scale: {_number(file.scale)}")
    lines.append(f"residents: {{generate: {file.residents}}}" if file.residents else "residents: null")
    return lines


def _events(scenario: Scenario) -> list[str]:
    """The events, or nothing."""
    lines = ["events:"] if scenario.events else []
    for event in scenario.events:
        lines += [f"  - month: {event.month}", f"    by: {event.by}", "    set:"]
        lines += [f"      {path}: {_written(PARAMETERS[path], value)}" for path, value in event.set]
    return lines


def _expect(scenario: Scenario, folder: Path) -> list[str]:
    """The predictions, or nothing."""
    lines = ["expect:"] if scenario.expect else []
    for expected in scenario.expect:
        known = expected.against in shipped()
        against = expected.against if known else _quoted(_relative(Path(expected.against), folder))
        what = f"metric: {expected.metric}, month: {expected.month}, direction: {expected.direction}"
        lines.append(f"  - {{{what}, against: {against}}}")
    return lines
