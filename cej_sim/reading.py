"""Scenario files: YAML with positions -> ``Scenario``, and errors that teach.

A file is read in four steps, each of them a section below: its text (``nodes.text_of``), its nodes with line and
column (``nodes.parse``), its values one by one (``Walk``, along the shape ``FILE``), and what only shows when the
values stand together (``_together``). ``FILE`` is built from the declarations of parameters, so that a rule's
key, bounds, kind and choices are typed once, where the rule is declared.

Every mistake of a file is reported at once, as ``file:line:column: path: what is wrong; what to write instead``.
Nothing in a file is executed, and nothing is opened but the file, the scenario it extends and the network it names.
A text of somebody who must not reach the files of this computer is read by ``read_text``: it extends shipped
scenarios only, and names only the files that are allowed by name.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from cej_sim.metrics import METRICS
from cej_sim.nodes import (
    DASHES,
    MAX_BYTES,
    MAX_NODES,
    MAX_PROBLEMS,
    SCHEMA_VERSION,
    UNSEEN,
    ListNode,
    MapNode,
    Node,
    Place,
    Problem,
    ScalarNode,
    ScenarioError,
    clean,
    either,
    is_file,
    nearest,
    odd_space,
    parse_on,
    shows,
    stop,
    text_of,
)
from cej_sim.parameters import Parameter, Value, choice, count
from cej_sim.scenario import (
    CHANGEABLE,
    DEFAULT_GROUPS,
    DEFAULT_ISSUES,
    GROUP,
    ISSUE,
    NETWORK_FAMILIES,
    PARAMETERS,
    Event,
    Expectation,
    Group,
    Issue,
    NetworkFile,
    Scenario,
    budget_problems,
    defaults,
    value_problem,
    vote_remarks,
)
from cej_sim.state import KINDS

# Where scenarios are


def shipped() -> dict[str, Path]:
    """The scenarios that come with the package: name -> file; found in a checkout and in an installed wheel."""
    package = Path(__file__).resolve().parent
    installed = package / "scenarios"
    directory = installed if installed.is_dir() else package.parent / "scenarios"
    return {path.stem: path for path in sorted(directory.glob("*.yaml"))}


def locate(name: str, directory: Path, always_a_path: bool = False) -> Path:
    """The file that a shipped name or a path stands for; paths are relative to the directory.

    Raises:
        LookupError: If there is no such shipped scenario; the message says which there are.
    """
    if always_a_path or name.startswith(".") or "/" in name or "\\" in name or name.lower().endswith((".yaml", ".yml")):
        return directory / name
    known = shipped()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name[:60], known, 3)
    beside = [f"{name}{ending}" for ending in (".yaml", ".yml") if is_file(directory / f"{name}{ending}")]
    wanted = "write a shipped name, or the path of a file:"
    advice = f"did you mean {either([*near, *beside])}? Shipped are:" if near or beside else wanted
    raise LookupError(f"there is no shipped scenario of this name; {advice} {', '.join(known) or 'none is shipped'}")


# The shape of a file


@dataclass(frozen=True)
class Leaf:
    """A number, switch or choice, as its declaration says; ``null`` where an empty value means something."""

    parameter: Parameter
    null: bool = False


@dataclass(frozen=True)
class Text:
    """A text; ``file`` where it is a path beside the scenario file."""

    most: int = 80
    word: bool = False
    lines: bool = False
    empty: bool = False
    file: bool = False


@dataclass(frozen=True)
class Section:
    """Keys and their shapes; ``null`` where an empty value means something."""

    keys: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    null: bool = False


@dataclass(frozen=True)
class Listing:
    """A list of sections; names in it are unique."""

    item: Section
    low: int = 0
    high: int = MAX_NODES


@dataclass(frozen=True)
class Table:
    """Keys of the user's own, all with values of one shape."""

    value: Leaf


@dataclass(frozen=True)
class Series:
    """A list of single values of one shape."""

    item: Leaf | Text
    low: int = 1
    high: int = MAX_NODES


@dataclass(frozen=True)
class Changes:
    """Full paths of parameters, of rules if not said otherwise, and their new values."""

    known: Mapping[str, Parameter] = field(default_factory=lambda: CHANGEABLE)


@dataclass(frozen=True)
class Reasons:
    """Full paths of anything in a file, or of sections, each with a text for readers."""

    text: Text


#: Metrics that tell what happened, and those that only repeat a rule, of which nothing can be predicted.
PREDICTABLE = tuple(metric.name for metric in METRICS if metric.nature == "happened")
_REPEATED = tuple(metric.name for metric in METRICS if metric.nature == "set")

Shape = Leaf | Text | Section | Listing | Series | Table | Changes | Reasons

MONTHS = count("months", 120, 1200, "Months", "How many months the scenario runs.", low=1, unit="months")

_MONTH = Leaf(replace(MONTHS, path="month", label="Month", meaning="When."))


def _file() -> Section:
    """The shape of a scenario file, from the declarations."""
    tree: dict[str, Any] = {}
    for path, parameter in PARAMETERS.items():
        *sections, name = path.split(".")
        branch = tree
        for part in sections:
            branch = branch.setdefault(part, {})
        branch[name] = Leaf(parameter)

    kind = choice("network.kind", KINDS, "Kind", "What a node of the network is.")
    family = choice("network.residents.generate", NETWORK_FAMILIES, "Family", "How generated residents are tied.")
    scale = Parameter("network.scale", 1.0, "Scale", "Divides the strength of ties.", low=1e-6, high=1e6, unit="ratio")
    tree["network"] |= {
        "file": Text(most=1000, file=True),
        "kind": Section({"column": Text(), "map": Table(Leaf(kind)), "default": Leaf(kind, null=True)}),
        "weight": Text(),
        "scale": Leaf(scale),
        "nodes": Text(most=1000, file=True),
        "residents": Section({"generate": Leaf(family)}, null=True),
    }
    tree["community"]["groups"] = Listing(_record(GROUP, ("name", "share")), 1, 50)
    event = Section(
        {"month": _MONTH, "by": Leaf(choice("events.by", ("mandate", "motion"), "By", "How.")), "set": Changes()},
        required=("month", "by", "set"),
    )
    expectation = Section(
        {
            "metric": Leaf(choice("expect.metric", PREDICTABLE, "Metric", "Of what.")),
            "month": _MONTH,
            "direction": Leaf(choice("expect.direction", ("up", "down"), "Direction", "Which way.")),
            "against": Text(most=1000),
        },
        required=("metric", "month", "direction", "against"),
    )
    version = count("schema_version", SCHEMA_VERSION, SCHEMA_VERSION, "Version", "Of the form.", low=SCHEMA_VERSION)
    return Section(
        {
            "schema_version": Leaf(version),
            "name": Text(most=60, word=True),
            "label": Text(empty=True),
            "description": Text(most=20_000, lines=True, empty=True),
            "extends": Text(most=1000),
            "months": Leaf(MONTHS),
            "community": _branch(tree.pop("community")),
            "network": _branch(tree.pop("network")),
            "issues": Listing(_record(ISSUE, ("name",)), 1, 20),
            **{name: _branch(part) for name, part in tree.items()},
            "events": Listing(event),
            "expect": Listing(expectation),
            "reasons": Reasons(Text(most=2000, lines=True)),
        },
        required=("schema_version",),
    )


def _branch(tree: dict[str, Any]) -> Section:
    return Section({name: _branch(part) if isinstance(part, dict) else part for name, part in tree.items()})


def _record(parameters: Iterable[Parameter], required: tuple[str, ...]) -> Section:
    """A named item of a list: its name and the numbers declared for it."""
    return Section({"name": Text(), **{p.path.rpartition(".")[2]: Leaf(p) for p in parameters}}, required)


#: The shape of a scenario file.
FILE = _file()


def _index(shape: Shape, path: str, found: dict[str, list[str]]) -> dict[str, list[str]]:
    """Every key of the file -> the sections under which it stands."""
    section = shape.item if isinstance(shape, Listing) else shape
    if isinstance(section, Section):
        for name, part in section.keys.items():
            found.setdefault(name, []).append(path)
            _index(part, f"{path}.{name}".lstrip("."), found)
    return found


_SECTIONS_OF = _index(FILE, "", {})

# How a line that must not be missing is asked for.
_MISSING = "this line is missing"

# Keys that say how to read a network file.
_IMPORT_KEYS = ("file", "kind", "weight", "scale", "nodes", "residents")


# Values one by one


@dataclass
class Reading:
    """What a file says, before and after it is merged with the file it extends.

    Attributes:
        path: The file.
        given: Path -> value for everything that the file says (an item count for a list), normalized.
        places: Path -> where it stands: the value for single values, the key for sections.
        problems: Every mistake found.
        remarks: What is no mistake, and people should know.
        scenario: The result, if there is no mistake.
    """

    path: Path
    given: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    scenario: Scenario | None = None


class Walk:
    """Reads nodes along the shape of the file, and collects values, places and mistakes."""

    def __init__(self, file: str, directory: Path, reading: Reading, only: frozenset[str] | None = None) -> None:
        """Begin with a file as it is shown, the folder that its paths start from, and where to collect.

        ``only`` are the names of the files that may be named; None: all.
        """
        self.file, self.directory, self.only = file, directory, only
        self.given, self.places, self.problems = reading.given, reading.places, reading.problems
        self.remarks = reading.remarks

    def report(self, place: Place, path: str, message: str | Callable[[], str]) -> None:
        """Note a mistake; what takes time to word is worded only while mistakes are still listed."""
        if len(self.problems) < MAX_PROBLEMS:
            text = message if isinstance(message, str) else message()
            self.problems.append(Problem(place.file, place.line, place.column, path, text))
        elif len(self.problems) == MAX_PROBLEMS:
            more = f"there are more than {MAX_PROBLEMS} mistakes; mend these and check again"
            self.problems.append(Problem(self.file, 0, 0, "", more))

    def read(self, shape: Shape, node: Node, path: str) -> None:
        """Read a node of a given shape."""
        self.places.setdefault(path, node.place)
        if isinstance(shape, Section):
            self.section(shape, node, path)
        elif isinstance(shape, Listing):
            self.listing(shape, node, path)
        elif isinstance(shape, Series):
            self.series(shape, node, path)
        elif isinstance(shape, Leaf):
            value = self.leaf(shape, node, path)
            if value is not None or (shape.null and isinstance(node, ScalarNode) and node.value is None):
                self.given[path] = value
        elif isinstance(shape, Text):
            self.text(shape, node, path)
        elif isinstance(shape, Reasons):
            self.reasons(shape, node, path)
        else:
            self.given[path] = self.table(shape, node, path)

    def keys(self, node: MapNode, path: str) -> Iterator[tuple[ScalarNode, Node, str]]:
        """Keys, values and paths of a map; a key that stands there twice is a mistake."""
        first: dict[str, int] = {}
        for key, value in node.items:
            here = f"{path}.{clean(key.text.strip())}".lstrip(".")
            if key.text in first:
                again = f"this key stands here twice (first in line {first[key.text]}); keep one of them"
                self.report(key.place, here, again)
                continue
            first[key.text] = key.place.line
            yield key, value, here

    def section(self, shape: Section, node: Node, path: str) -> None:
        """Read a section: known keys by their shapes, unknown ones with advice."""
        if isinstance(node, ScalarNode) and node.value is None and not shape.required:
            if shape.null:
                self.given[path] = None
            return
        if not isinstance(node, MapNode):
            if isinstance(node, ScalarNode) and node.plain:
                glued = re.match(r"([A-Za-z_]+)\s*([:=])\s*(\S+)", node.text)
                if glued and glued[1] in shape.keys:
                    missing = "a space is missing after the colon" if glued[2] == ":" else "a colon is missing, not ="
                    wanted = f"{missing}; write {glued[1]}: {clean(glued[3])}"
                    self.report(node.place, f"{path}.{glued[1]}".lstrip("."), wanted)
                    return
                if node.text in shape.keys:
                    wanted = f"the colon is missing; write {node.text}: and its value behind or below it"
                    self.report(node.place, f"{path}.{node.text}".lstrip("."), wanted)
                    return
            listed = ", ".join(f"{key}: ..." for key in list(shape.keys)[:3])
            self.report(node.place, path, f"{_what(node)} stands where a section belongs; write lines such as {listed}")
            return
        for key, value, here in self.keys(node, path):
            part = shape.keys.get(key.text)
            if part is None:
                self.report(key.place, here, lambda key=key, value=value: self.advice(key.text, value, path, shape))  # type: ignore[misc]
                if isinstance(value, ScalarNode):
                    continue
                meant = nearest(key.text.strip().lower(), shape.keys, 0.8)
                if meant and all(other.text != meant for other, _ in node.items):
                    self.read(shape.keys[meant], value, f"{path}.{meant}".lstrip("."))
                continue
            self.places[here] = value.place if isinstance(part, Leaf | Text) else key.place
            self.read(part, value, here)
        present = {key.text for key, _ in node.items}
        for name in shape.required:
            if name not in present:
                missing = f"{_MISSING}; add {name}: {_example(shape.keys[name])}"
                self.report(node.place, f"{path}.{name}".lstrip("."), missing)

    def listing(self, shape: Listing, node: Node, path: str) -> None:
        """Read a list of sections."""
        if not isinstance(node, ListNode):
            first = node.items[0][0] if isinstance(node, MapNode) and node.items else None
            if first is not None and first.text[:1] in tuple(DASHES):
                wanted = f"write - {clean(first.text[1:].strip())}: ..."
                self.report(first.place, path, f"a list item begins with a plain dash and a space; {wanted}")
                return
            keys = f"{{{', '.join(f'{key}: ...' for key in shape.item.keys)}}}"
            none = "" if shape.low else ", or [] for none"
            self.report(
                node.place, path, f"{_what(node)} stands where a list belongs; write items such as - {keys}{none}"
            )
            return
        number = len(node.items)
        if not shape.low <= number <= shape.high:
            wanted = f"write {shape.low} to {shape.high} items, each beginning with -"
            self.report(node.place, path, f"the list has {number} items; {wanted}")
        self.given[path] = number
        names: dict[str, int] = {}
        for i, item in enumerate(node.items):
            here = f"{path}.{i}"
            if isinstance(item, ScalarNode) and "name" in shape.item.keys and item.value is not None:
                self.report(item.place, here, f"an item is a section with a name; write - name: {clean(item.text)}")
                continue
            self.read(shape.item, item, here)
            name = self.given.get(f"{here}.name")
            if name in names:
                twice = f"{name!r} is the name of two items (first in line {names[name]}); rename one"
                self.report(self.places[f"{here}.name"], f"{here}.name", twice)
            elif name is not None:
                names[name] = self.places[f"{here}.name"].line

    def series(self, shape: Series, node: Node, path: str) -> None:
        """Read a list of single values; its items stand in ``given`` by their numbers, from 0."""
        if not isinstance(node, ListNode):
            self.report(node.place, path, f"{_what(node)} stands where a list belongs; write [first, second, ...]")
            return
        number = len(node.items)
        if not shape.low <= number <= shape.high:
            least = f"at least {shape.low}" if number < shape.low else f"at most {shape.high}"
            self.report(node.place, path, f"the list has {number} items; write {least}")
        self.given[path] = number
        for i, item in enumerate(node.items):
            self.read(shape.item, item, f"{path}.{i}")

    def advice(self, name: str, value: Node, path: str, shape: Section) -> str:
        """What to write instead of a key that does not exist in a section."""
        return _advice(name, value, path, shape)

    def leaf(self, shape: Leaf, node: Node, path: str) -> Value | None:
        """A value by its declaration, in the form in which equal values compare equal; None if it is wrong."""
        parameter = shape.parameter
        if not isinstance(node, ScalarNode):
            self.report(node.place, path, f"{_what(node)} stands where a single value belongs; write {_example(shape)}")
            return None
        value = node.value
        if value is None:
            if not shape.null:
                empty = f"nothing stands after the colon; write {_example(shape)}, or remove the line"
                self.report(node.place, path, empty)
            return None
        if parameter.choices:
            value = node.text
        problem = value_problem(parameter, value)
        if parameter.choices == PREDICTABLE and value in _REPEATED:
            problem = f"{value} only repeats a rule; predict what happens under the rules, such as decision_share"
        if problem:
            self.report(node.place, path, problem)
            return None
        return _normal(parameter, value)

    def text(self, shape: Text, node: Node, path: str) -> None:
        """Read a text; a path becomes absolute, relative to the file in which it stands."""
        if not isinstance(node, ScalarNode):
            wanted = "write one text, in quotes if need be"
            self.report(node.place, path, f"{_what(node)} stands where a text belongs; {wanted}")
            return
        text = node.text.strip()
        if not text or node.value is None:
            if not shape.empty:
                self.report(node.place, path, "there is no text; write one, or remove the line")
            return
        unseen = next((sign[0] for sign in UNSEEN.finditer(text) if not (shape.lines and sign[0] in "\n\t")), None)
        if len(text) > shape.most:
            self.report(node.place, path, f"the text has {len(text)} characters; write at most {shape.most}")
        elif unseen is not None and unseen in "\n\r\t\u2028\u2029":
            what = "a tab" if unseen == "\t" else "a line break"
            self.report(node.place, path, f"the text holds {what}; write it on one line, with spaces")
        elif unseen is not None:
            self.report(node.place, path, f"the text holds an invisible character (U+{ord(unseen):04X}); delete it")
        elif not shows(text):
            self.report(node.place, path, "there is nothing to be seen of this text; write one, or remove the line")
        elif shape.word and not re.fullmatch("[A-Za-z0-9_]+", text):
            wanted = f"use letters (a to z), digits and _ only, such as {_word(text)}; any text may stand under label"
            self.report(node.place, path, f"{clean(text)!r} is not a name; {wanted}")
        elif shape.file and self.only is not None and text not in self.only:
            known = f"use {either(sorted(self.only))}, or upload another" if self.only else "upload it first"
            self.report(node.place, path, f"only an uploaded file can be named here; {known}")
        else:
            self.given[path] = Path(os.path.normpath(self.directory / text)) if shape.file else text
        if node.cut and (path.rpartition(".")[2] in ("name", "label", "description") or path.startswith("reasons.")):
            lost = clean(node.cut)
            self.remarks.append(
                f"line {node.place.line}, {path}: the text ends before {lost}, for # begins a comment; if that belongs "
                "to the text, put the whole text in quotes"
            )

    def reasons(self, shape: Reasons, node: Node, path: str) -> None:
        """Texts by the paths that they are about."""
        if isinstance(node, ScalarNode) and node.value is None:
            return
        if not isinstance(node, MapNode):
            wanted = "write lines such as governance.convene.naming: why it is set so"
            self.report(node.place, path, f"{_what(node)} stands where a section belongs; {wanted}")
            return
        for key, value, here in self.keys(node, path):
            if _shape_at(key.text) is None or key.text.split(".")[0] in _OWN:
                self.report(key.place, here, lambda key=key: path_advice(key.text, PARAMETERS))  # type: ignore[misc]
                continue
            whole = f"{path}.{key.text}"  # `here` is shortened for messages
            self.places[whole] = value.place
            self.text(shape.text, value, whole)

    def table(self, shape: Table | Changes, node: Node, path: str) -> dict[str, Value]:
        """A map with keys that are not keys of the file: the user's own words, or full paths of rules."""
        values: dict[str, Value] = {}
        if isinstance(node, ScalarNode) and node.value is None and isinstance(shape, Table):
            return values
        if not isinstance(node, MapNode) or (isinstance(shape, Changes) and not node.items):
            found = _what(node) if not isinstance(node, MapNode) else "an empty section"
            wanted = "governance.decide.votes.residents: 0.5" if isinstance(shape, Changes) else "word: kind"
            self.report(node.place, path, f"{found} stands where a section belongs; write lines such as {wanted}")
            return values
        for key, value, here in self.keys(node, path):
            leaf = shape.value if isinstance(shape, Table) else None
            if leaf is None:
                known = shape.known if isinstance(shape, Changes) else CHANGEABLE
                parameter = known.get(key.text)
                if parameter is None:
                    self.report(key.place, here, lambda key=key, known=known: path_advice(key.text, known))  # type: ignore[misc]
                    continue
                leaf = Leaf(parameter)
            self.places[here] = value.place
            read = self.leaf(leaf, value, here)
            if read is not None:
                values[key.text] = read
        return values


def _normal(parameter: Parameter, value: Value) -> Value:
    """A correct value in the one form that its parameter has: 1 and 1.0 are the same share."""
    normal = parameter.decode(parameter.encode(value))
    return normal + 0.0 if isinstance(normal, float) else normal


def _what(node: Node) -> str:
    if isinstance(node, MapNode):
        return "a section"
    if isinstance(node, ListNode):
        return "a list"
    return "nothing" if node.value is None else "a single value"


def _word(text: str) -> str:
    """A text made into a name."""
    return re.sub("[^A-Za-z0-9_]+", "_", text)[:60].strip("_") or "scenario"


def _example(shape: Shape) -> str:
    """What could stand there."""
    if not isinstance(shape, Leaf):
        return (
            "(one or more lines below it)"
            if isinstance(shape, Changes | Section | Table | Listing | Series)
            else "a text"
        )
    parameter = shape.parameter
    if len(parameter.choices) > 12:
        return "one of the choices, such as " + parameter.choices[0]
    if parameter.choices:
        return either(parameter.choices)
    if parameter.kind == "switch":
        return "true or false"
    if parameter.low == parameter.high:
        return f"{parameter.low:g}"
    return f"a {'whole ' if parameter.kind == 'count' else ''}number from {parameter.low:.12g} to {parameter.high:.12g}"


def _advice(name: str, value: Node, path: str, shape: Section) -> str:
    """What to write instead of a key that does not exist in a section."""
    where = f"under {re.sub('[.][0-9]+', '', path)}" if path else "at the top of a file"
    empty = isinstance(value, ScalarNode) and value.plain and value.text == ""
    if name == "<<":
        return "merging with << is not read here; write the lines out, or extend another scenario with extends:"
    if empty and re.fullmatch("[0-9]+", name):
        return "a key cannot be a number; if this is the rest of one, write it with a point (0.5), not with a comma"
    odd = odd_space(name)
    if odd:
        return odd
    glued = re.fullmatch(r"([A-Za-z_]+)(:\s*|\s*+=\s*|\s+)(\S+)", name)
    if empty and glued and glued[1] in shape.keys:
        missing = "space after the colon" if glued[2][0] == ":" else "colon"
        return f"a {missing} is missing; write {glued[1]}: {glued[3]}"
    if "." in name and _shape_at(f"{path}.{name}".lstrip(".")) is not None:
        nested = "".join(f"{{{part}: " for part in name.split(".")[1:])
        closed = "}" * name.count(".")
        return f"a key has no dots in a file; nest the sections: {name.split('.')[0]}: {nested}...{closed}"
    elsewhere = _SECTIONS_OF.get(name)
    if elsewhere:
        return f"there is no {name} {where}; it stands {either([_under(section) for section in elsewhere])}"
    near = nearest(name.lower(), shape.keys)
    if near:
        return f"there is no such key {where}; did you mean {near}?"
    far = nearest(name.lower(), _SECTIONS_OF, 0.8)
    if far:
        return f"there is no such key {where}; did you mean {far}, {either([_under(s) for s in _SECTIONS_OF[far]])}?"
    return f"there is no such key {where}; keys there are: {', '.join(shape.keys)}"


def _under(section: str) -> str:
    return f"under {section}" if section else "at the top of the file"


def _shape_at(path: str) -> Shape | None:
    """The shape of a dotted path, or None if there is no such path."""
    shape: Shape | None = FILE
    for part in path.split("."):
        shape = shape.keys.get(part) if isinstance(shape, Section) else None
    return shape


def path_advice(path: str, known: Mapping[str, Parameter]) -> str:
    """What to write instead of a full path that names no rule (or none that may change where it stands)."""
    if path in PARAMETERS:
        return "this describes the start and cannot change during a run; write the full path of a rule"
    below = [full for full in known if full.startswith((f"{path}.", f"governance.{path}."))]
    if below:
        return f"this is a section; write one full path for each rule, such as {below[0]}"
    endings = _endings(tuple(known))
    meant = endings.get(path) or endings.get(nearest(path, endings) or "")
    if meant:
        return f"there is no such path; did you mean {either(meant[:5])}?"
    sections = ", ".join(dict.fromkeys(full.rpartition(".")[0] for full in known))
    return f"there is no such path; rules stand under: {sections}"


@lru_cache(maxsize=4)
def _endings(paths: tuple[str, ...]) -> dict[str, list[str]]:
    """The ends of some full paths, from each of their parts on -> the paths that end so."""
    endings: dict[str, list[str]] = {}
    for full in paths:
        parts = full.split(".")
        for i in range(len(parts)):
            endings.setdefault(".".join(parts[i:]), []).append(full)
    return endings


# Values that stand together

_DEFAULTS = {path: _normal(PARAMETERS[path], value) for path, value in defaults().items()}

# What a scenario does not inherit from the one it extends.
_OWN = ("schema_version", "name", "label", "description", "extends", "reasons")


def read(name_or_path: str | Path) -> Reading:
    """Read a scenario file whole: values, places and every mistake; raises nothing for a wrong file."""
    shown = str(name_or_path)
    try:
        path = locate(shown, Path(), isinstance(name_or_path, Path))
    except LookupError as error:
        return Reading(Path(shown), problems=[Problem(shown, 0, 0, "", str(error))])
    return _read(path, shown if str(path) == shown else display(path))


def read_text(text: str, shown: str, directory: Path, only: Iterable[str] = ()) -> Reading:
    """Read the text of somebody who must not reach the files of this computer; else as ``read``.

    Args:
        text: The text of a scenario file.
        shown: What to call it; a name without a folder, ending in ``.yaml``.
        directory: Where the files that it may name lie.
        only: Names of these files; it extends, and predicts against, shipped scenarios only.
    """
    return _read(directory / shown, shown, text=text, only=frozenset(only))


def is_a(what: str, name_or_path: str | Path) -> bool:
    """Whether a file says of itself, by a key at its top, that it is a ``design`` or a ``story``.

    Either is read by another reader.
    """
    try:
        path = locate(str(name_or_path), Path(), isinstance(name_or_path, Path))
        root, _, _ = parse_on(text_of(path, str(path)), str(path))
    except (LookupError, ScenarioError):
        return False
    return root is not None and any(key.text == what for key, _ in root.items)


def display(path: Path) -> str:
    """A path as it is shown: relative where it lies below the current directory."""
    absolute = Path(os.path.abspath(path))
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)


def _read(
    path: Path, shown: str, extended: bool = False, text: str | None = None, only: frozenset[str] | None = None
) -> Reading:
    """Read one file and, unless it is itself the extended one, the file it extends; ``text`` stands for its content."""
    reading = Reading(path)
    walk = Walk(shown, Path(os.path.abspath(path)).parent, reading, only)
    try:
        root, breaches, touched = parse_on(text_of(path, shown) if text is None else text, shown)
        if root is not None:
            _check_version(root)
    except ScenarioError as error:
        reading.problems += error.problems
        return reading
    if root is not None:
        walk.section(FILE, root, "")
        _resolve_against(walk)
    if breaches:  # what was read beside them is incomplete: nothing is said of lines that may be missing
        known = [
            problem
            for problem in reading.problems
            if problem.line not in touched
            and not problem.message.startswith(_MISSING)
            and not (problem.message.startswith("nothing stands") and problem.line + 1 in touched)
        ]
        reading.problems[:] = sorted(
            [*breaches, *known], key=lambda problem: (problem.line or MAX_BYTES, problem.column)
        )
        return reading
    complete = True
    if "extends" in reading.given and not extended:
        parent = _parent(walk, reading, shown)
        complete = parent is not None
        if parent is not None:
            _merge(parent, reading)
    elif "extends" in reading.places and not extended:
        complete = False
    if complete and len(reading.problems) <= MAX_PROBLEMS:
        scenario = _together(walk, reading, shown)
        reading.scenario = None if reading.problems else scenario
    reading.problems.sort(key=lambda problem: (problem.file != shown, problem.line or MAX_BYTES, problem.column))
    return reading


def _check_version(root: MapNode) -> None:
    """Stop at a version that this program does not read: every other message would mislead."""
    for key, node in root.items:
        if key.text == "schema_version" and isinstance(node, ScalarNode) and node.value is not None:
            value = node.value
            if value == SCHEMA_VERSION and not isinstance(value, bool):
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                advice = f"a whole number without quotes; write schema_version: {SCHEMA_VERSION}"
                stop(node.place, f"the version is {advice}", key.text)
            if value > SCHEMA_VERSION:
                advice = f"this program reads version {SCHEMA_VERSION}, so install a newer cej-sim"
                stop(node.place, f"the file has the newer version {value}; {advice}", key.text)
            advice = f"the first one was 1; write schema_version: {SCHEMA_VERSION} and check again"
            stop(node.place, f"there was never a version {value}; {advice}", key.text)


def _resolve_against(walk: Walk) -> None:
    """Find the scenarios that expectations compare with; nothing in them is read."""
    known = shipped()
    found: dict[str, Path | str] = {}  # where the scenario is, or what is wrong with its name
    for path, text in list(walk.given.items()):
        if not re.fullmatch("expect[.][0-9]+[.]against", path) or text in known:
            continue
        if walk.only is not None:
            walk.report(walk.places[path], path, f"only shipped scenarios can be named here: {', '.join(known)}")
            continue
        if text not in found and len(walk.problems) <= MAX_PROBLEMS:
            try:
                found[text] = locate(text, walk.directory)
                if not is_file(walk.directory / found[text]):
                    found[text] = "there is no such file; write a shipped name, or a path from this file's folder"
            except LookupError as error:
                found[text] = str(error)
        place = found.get(text)
        if isinstance(place, Path):
            walk.given[path] = str(place)
        elif place is not None:
            walk.report(walk.places[path], path, place)


def _parent(walk: Walk, reading: Reading, shown: str) -> Reading | None:
    """The extended scenario, read; None where it cannot serve, with the reason reported at ``extends``."""
    name, place = reading.given["extends"], reading.places["extends"]

    def refuse(message: str) -> Reading | None:
        walk.report(place, "extends", message)
        return None

    if walk.only is not None and name not in shipped():
        return refuse(f"only a shipped scenario can be extended here: {', '.join(shipped())}")
    try:
        found = locate(name, walk.directory)
    except LookupError as error:
        return refuse(str(error))
    if _same(found, reading.path):
        return refuse("a scenario cannot extend itself; name another one, or remove this line")
    parent = _read(found, display(found), extended=True)
    further = parent.given.get("extends")
    if further is not None:
        try:
            circle = _same(locate(further, found.parent), reading.path)
        except LookupError:
            circle = False
        if circle:
            return refuse(f"{name} extends this file, in a circle; remove one of the two lines")
        base = name if name in shipped() else clean(name)
        wanted = f"extend {further}, or begin with a copy of its rules: cej-sim new my.yaml --from {base}"
        return refuse(f"{name} itself extends {further}, and only one level is read; {wanted}")
    if parent.problems:
        first = parent.problems[0]
        if not first.line:
            return refuse(f"{name}: {first.message}")
        mistakes = f"{len(parent.problems)} mistake{'s' * (len(parent.problems) > 1)}"
        refuse(f"{name} has {mistakes} of its own; mend what is reported for that file")
        reading.problems += parent.problems
        return None
    return parent


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _merge(parent: Reading, reading: Reading) -> None:
    """Add what the file inherits: sections merge key by key, lists are replaced as a whole."""
    own = set(reading.given)
    sections = {ancestor for path in own for ancestor in _ancestors(path)}
    imports = {path for path in parent.given if path.split(".")[:2] in [["network", key] for key in _IMPORT_KEYS]}
    dropped = {path for path in parent.given if path in sections or not own.isdisjoint(_ancestors(path))} | set(_OWN)
    if "network.generate" in own:
        dropped |= imports
    if "network.file" in own:
        dropped.add("network.generate")
    for path, value in parent.given.items():
        if path in dropped or path.startswith("reasons."):
            continue
        if isinstance(value, dict) and isinstance(reading.given.get(path), dict):
            reading.given[path] = {**value, **reading.given[path]}
        reading.given.setdefault(path, value)
    for path, place in parent.places.items():
        if path not in dropped and not path.startswith("reasons.") and own.isdisjoint(_ancestors(path)):
            reading.places.setdefault(path, place)


def _ancestors(path: str) -> list[str]:
    """The sections in which a path lies, from the outermost."""
    parts = path.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _together(walk: Walk, reading: Reading, shown: str) -> Scenario:
    """Put the scenario together, and report what only shows when its values stand together.

    Where a part has mistakes of its own, checks that would build on it are left out, and so is the part.
    """
    given, places = reading.given, reading.places

    def sound(*prefixes: str) -> bool:
        return not any(problem.path.startswith(prefixes) for problem in reading.problems)

    def report(message: str, *paths: str) -> None:
        """At the first of the paths that stands in this very file; at ``extends`` if none does."""
        own = [places[path] for path in (*paths, "extends") if path in places and places[path].file == shown]
        walk.report(own[0] if own else Place(shown, 1, 1), paths[0], message)

    values = {**_DEFAULTS, **{path: value for path, value in given.items() if path in PARAMETERS}}
    months = given.get("months", MONTHS.default)
    groups: tuple[Group, ...] = DEFAULT_GROUPS
    issues: tuple[Issue, ...] = DEFAULT_ISSUES
    events: tuple[Event, ...] = ()
    expect: tuple[Expectation, ...] = ()
    if "community.groups" in given and sound("community.groups"):
        groups = tuple(Group(**item) for item in _items(given, "community.groups", GROUP))
        total = sum(group.share for group in groups)
        if abs(total - 1.0) > 1e-6:
            listed = ", ".join(f"{clean(group.name)} {group.share:.6g}" for group in groups)
            wanted = "change them so that they add up to 1"
            report(f"the shares of the groups add up to {total:.6g} ({listed}); {wanted}", "community.groups")
    if "issues" in given and sound("issues"):
        issues = tuple(Issue(**item) for item in _items(given, "issues", ISSUE))
    if "events" in given and sound("events"):
        events = tuple(_event(item) for item in _items(given, "events"))
    if "expect" in given and sound("expect"):
        expect = tuple(Expectation(**item) for item in _items(given, "expect"))
        known, itself = shipped(), {text: False for text in {one.against for one in expect}}
        for text in itself:
            itself[text] = _same(known.get(text, Path(text)), reading.path)
        for i, one in enumerate(expect):
            if itself[one.against]:
                message = "this is the scenario itself, and nothing differs from itself; name another one"
                report(message, f"expect.{i}.against")

    if sound("governance.decide.budget", "governance.decide.votes"):
        first = budget_problems(values)
        for path, message in first:
            report(message, path, *_budget_relatives(path))
        if not first:
            for i, path, message in _event_problems(values, events):
                report(f"from month {events[i].month} on, {path}: {message}", f"events.{i}.set")
    if sound("months"):
        dated = [(f"events.{i}.month", event.month) for i, event in enumerate(events)]
        dated += [(f"expect.{i}.month", expectation.month) for i, expectation in enumerate(expect)]
        for path, month in dated:
            if month > months:
                late = f"month {month} lies after the end, month {months}"
                report(f"{late}; write a month up to {months}, or raise months", path, "months")

    network_file = _network_file(given, places, report, reading.problems)
    scenario = Scenario(
        name=given.get("name") or _word(reading.path.stem),
        values=values,
        label=given.get("label", ""),
        description=given.get("description", ""),
        months=months,
        groups=groups,
        issues=issues,
        network_file=network_file,
        events=tuple(sorted(events, key=lambda event: event.month)),
        expect=expect,
        reasons=tuple((path[8:], text) for path, text in given.items() if path.startswith("reasons.")),
        path=reading.path,
        stated=frozenset(path for path in given if path in PARAMETERS),
    )
    if sound("governance.decide.votes", "events"):
        walk.remarks += vote_remarks(scenario)
    return scenario


def _items(given: Mapping[str, Any], path: str, parameters: Iterable[Parameter] = ()) -> list[dict[str, Any]]:
    """The items of a list as keyword arguments, declared defaults filled in."""
    usual = {p.path.rpartition(".")[2]: _normal(p, p.default) for p in parameters}
    items: list[dict[str, Any]] = [dict(usual) for _ in range(given[path])]
    for key, value in given.items():
        if key.startswith(f"{path}."):
            number, _, name = key[len(path) + 1 :].partition(".")
            items[int(number)][name] = value
    return items


def _event(item: dict[str, Any]) -> Event:
    return Event(item["month"], item["by"], tuple(sorted(item["set"].items())))


def _budget_relatives(path: str) -> list[str]:
    """Where else the cause of a budget problem may stand: the line's start and its two bounds."""
    section, _, line = path.rpartition(".")
    base = section.rpartition(".")[0]
    return [f"{base}.{part}.{line}" for part in ("budget", "budget_min", "budget_max")]


def _event_problems(values: Mapping[str, Value], events: Sequence[Event]) -> Iterator[tuple[int, str, str]]:
    """Events that would make the rules contradict each other: (position of the event, path, message).

    A motion may pass or not: each event is tried on what mandates brought about alone, and with all motions passed.
    """
    sure, all_passed = dict(values), dict(values)
    for i in sorted(range(len(events)), key=lambda i: events[i].month):
        changes = dict(events[i].set)
        all_passed |= changes
        found = budget_problems(sure | changes, running=True) or budget_problems(all_passed, running=True)
        yield from ((i, path, message) for path, message in found)
        if found:
            return
        if events[i].by == "mandate":
            sure |= changes


def _network_file(
    given: Mapping[str, Any], places: Mapping[str, Place], report: Callable[..., None], problems: Sequence[Problem]
) -> NetworkFile | None:
    """The network to import, if there is one; read once, so that its mistakes show with the others.

    What the scenario says wrongly about it is left out then.
    """
    wrong = {problem.path.split(".")[1] for problem in problems if problem.path.startswith("network.")}
    if any(f"network.{key}" not in PARAMETERS and key not in _IMPORT_KEYS for key in wrong):
        wrong |= {"kind", "weight", "nodes"}  # one of them may be misspelt
    if any(problem.path == "network" for problem in problems) or (wrong and "network.file" not in given):
        return None
    if "network.file" not in given:
        for key in _IMPORT_KEYS[1:]:
            paths = [path for path in given if f"{path}.".startswith(f"network.{key}.")]
            if paths:
                wanted = "add file: ..., or remove this line"
                report(f"{key} says how to read a network file, and none is named; {wanted}", f"network.{key}", *paths)
        return None
    if "network.generate" in given:
        report("generate and file exclude each other; keep one of them", "network.generate")
    mapped = "network.kind.map" in given or "network.kind.default" in given
    if "network.kind.column" not in given and mapped and "kind" not in wrong:
        report("the map of kinds needs the column that it maps; add column: ...", "network.kind")
        wrong.add("kind")
    for one, other in (("nodes", "kind"), ("kind", "residents"), ("scale", "weight")):  # the one needs the other
        if one in wrong:
            wrong.add(other)
    fields = {
        "kind_column": "network.kind.column",
        "kind_map": "network.kind.map",
        "kind_default": "network.kind.default",
        "weight": "network.weight",
        "scale": "network.scale",
        "residents": "network.residents",
        "nodes": "network.nodes",
    }
    sound = {name: path for name, path in fields.items() if path.split(".")[1] not in wrong}
    more = {name: given[path] for name, path in sound.items() if path in given}
    if "network.residents.generate" in given and "residents" not in wrong:
        more["residents"] = given["network.residents.generate"]
    if "kind_map" in more:
        more["kind_map"] = tuple(sorted(more["kind_map"].items()))
    network_file = NetworkFile(given["network.file"], **more)

    from cej_sim.network_files import NetworkError, read_network

    try:
        read_network(network_file)
    except NetworkError as error:
        for line, about in zip(error.lines, error.about, strict=True):
            here = [about, *(path for path in reversed(_ancestors(about)) if path != "network"), "network.file"]
            path = next((path for path in here if path in places), "network.file")
            report(" ".join(line.split()), path, "network.file")
    return network_file


# The doors


def load(name_or_path: str | Path) -> Scenario:
    """A complete, checked scenario, by its shipped name or the path of a file.

    A path is anything that holds a separator or ends in .yaml or .yml, and every ``Path``.

    Raises:
        ScenarioError: If the scenario does not exist or has mistakes; it lists all of them.
    """
    reading = read(name_or_path)
    if reading.scenario is None:
        raise ScenarioError(reading.problems)
    return reading.scenario


def check(name_or_path: str | Path) -> list[Problem]:
    """Every mistake of a scenario file; an empty list for a correct one."""
    return read(name_or_path).problems


def read_set(assignments: Sequence[str], scenario: Scenario) -> Scenario:
    """The scenario with values set as on the command line.

    Args:
        assignments: Each ``section.key=value``, such as ``governance.decide.votes.residents=.5``; the leading
            ``governance.`` may be left out, and the value is written as in a scenario file.
        scenario: What is changed.

    Raises:
        ScenarioError: If a path, a value or the rules as a whole are wrong; it lists all mistakes.
    """
    problems: list[Problem] = []
    values: dict[str, Value] = {}

    def report(path: str, message: str) -> None:
        problems.append(Problem("--set", 0, 0, path, message))

    for assignment in assignments:
        path, equals, text = (part.strip() for part in assignment.partition("="))
        shown = clean(path)
        if not equals:
            report(shown, "there is no = in it; write section.key=value, such as governance.decide.votes.residents=.5")
            continue
        parameter = PARAMETERS.get(path) or PARAMETERS.get(f"governance.{path}")
        if parameter is None:
            report(shown, _set_advice(path))
            continue
        plain = not (len(text) > 1 and text[0] == text[-1] and text[0] in "'\"")
        node = ScalarNode(Place("--set"), text if plain else text[1:-1], plain)
        value = node.text if parameter.choices else node.value
        problem = value_problem(parameter, value)
        if node.value is None:
            problem = f"no value follows the =; write {_example(Leaf(parameter))}"
        if problem is None and parameter.path in values:
            problem = "this is set twice; keep one of them"
        if problem is None and parameter.path == "network.generate" and scenario.network_file is not None:
            problem = "the scenario takes its network from a file, so this has no effect; leave it out"
        if problem or value is None:
            report(parameter.path, problem or "")
            continue
        values[parameter.path] = _normal(parameter, value)
    changed = {**scenario.values, **values}
    if not problems:
        for path, message in budget_problems(changed):
            report(path, message)
    if not problems:
        for i, path, message in _event_problems(changed, scenario.events):
            report(path, f"with the scenario's event of month {scenario.events[i].month}, {message}")
    if problems:
        raise ScenarioError(problems)
    return replace(scenario, values=changed, stated=scenario.stated | set(values))


def _set_advice(path: str) -> str:
    """What to write instead of a path that --set does not know."""
    if path == "months":
        return "the number of months has an option of its own; write --months"
    in_file = ["community.groups", *(f"network.{key}" for key in _IMPORT_KEYS), "issues", "events", "expect", *_OWN]
    if any(f"{path}.".startswith(f"{part}.") for part in in_file):
        return "this can be changed in a file only; write a file that begins with extends:"
    return path_advice(path, PARAMETERS)
