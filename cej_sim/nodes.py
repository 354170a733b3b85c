"""A file of words and numbers as nodes that know their line and column, and mistakes that say where they are.

Scenario files, labels files and designs of sweeps are read from these nodes, each along its own shape. Nothing in a
file is executed, and a text that would grow without bounds is given up early.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

from ruamel.yaml import YAML
from ruamel.yaml import events as yaml
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from cej_sim.parameters import Value

SCHEMA_VERSION = 1

#: The largest file that is read, bytes; also the most characters in its texts, aliases counted as often as used.
MAX_BYTES = 300_000
#: The most keys and values in a file, aliases counted as often as they are used.
MAX_NODES = 20_000
#: How deep sections and lists may lie in each other.
MAX_DEPTH = 20
#: The most mistakes listed for one file.
MAX_PROBLEMS = 100


# What is reported


@dataclass(frozen=True)
class Place:
    """A position in a file; lines and columns count from 1, and 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True)
class Problem:
    """One mistake: where it is, which path it concerns, what is wrong and what to write instead.

    Attributes:
        file: The file as it was named, or ``--set``.
        line, column: Position, counted from 1; 0 where the mistake has no line.
        path: Dotted path within the file, items of lists counted from 0; "" for the file as a whole.
        message: ``what is wrong; what to write instead``, on one line.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        """The mistake on one line, whatever the names of files hold."""
        position = f":{self.line}:{self.column}" if self.line else ""
        return plain(f"{self.file}{position}: {self.path}{': ' if self.path else ''}{self.message}")


class ScenarioError(ValueError):
    """A scenario cannot be read; ``problems`` holds every mistake, and ``str()`` has a line for each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Make one from all the mistakes."""
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[tuple[Problem, ...]]]:
        """How to copy it to another process."""
        return type(self), (self.problems,)


class NotYaml(ScenarioError):
    """A text breaks the form of YAML at the place of its one problem."""


def stop(place: Place, message: str, path: str = "") -> NoReturn:
    """Give up on a file at once, for a mistake that hides all others."""
    raise ScenarioError([Problem(place.file, place.line, place.column, path, message)])


def nearest(word: str, words: Iterable[str], likeness: float = 0.65) -> str | None:
    """The right word that looks most like a wrong one."""
    return next(iter(difflib.get_close_matches(word[:60], list(words), 1, likeness)), None)


def either(words: Sequence[str]) -> str:
    """Words as a sentence lists them: ``a``, ``a or b``, ``a, b or c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def clean(text: str) -> str:
    """A key of the user's as it can be shown on one line."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:61])
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


#: Signs that do not show or that act on a screen: control characters, line separators, marks that turn the direction
#: of writing, spaces without width, halves of signs. Joiners are none of them: scripts and emoji need them.
UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)

_EMPTY = "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs without ink


def plain(text: str) -> str:
    """A text on one line, with signs that do not show or that act on a screen written out: ``\\n``, ``\\x1b``."""
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shows(text: str) -> bool:
    """Whether there is anything to be seen of a text."""
    return any(c not in _EMPTY and unicodedata.category(c)[0] not in "CMZ" for c in text)


# Text of a file


def is_file(path: Path) -> bool:
    """Whether there is such a file; no path is wrong enough to raise."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def text_of(path: Path, shown: str, what: str = "scenario") -> str:
    """The text of a file of words and numbers, a scenario unless it is said what else.

    Raises:
        ScenarioError: If it is missing, a directory, unreadable, too large, binary or not UTF-8.
    """
    whole = Place(shown)
    try:
        if path.is_dir():
            stop(whole, f"this is a directory; name a {what} file in it, such as name.yaml")
        if path.exists() and not path.is_file():
            stop(whole, f"this is not an ordinary file; name a {what} file, such as name.yaml")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except ScenarioError:
        raise
    except FileNotFoundError:
        if path.is_symlink():
            stop(whole, "this is a link to a file that is not there; name the file itself")
        near = nearest(path.name, _yaml_files(path.parent))
        stop(whole, f"there is no such file; {f'did you mean {near}?' if near else 'check its name and folder'}")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "not a path"
        stop(whole, f"the file cannot be read ({reason.lower()}); check its name and your right to read it")
    if len(content) > MAX_BYTES:
        stop(whole, f"the file is larger than {MAX_BYTES:,} bytes; a {what} file is short, so name another one")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        stop(whole, "the file is saved as UTF-16; save it as UTF-8 (plain text)")
    if b"\0" in content:
        stop(whole, f"the file is binary, not text; name a {what} file, such as name.yaml")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        stop(Place(shown, line, column), "this character is not UTF-8; save the file as UTF-8 (plain text)")


def _yaml_files(directory: Path) -> list[str]:
    try:
        return [entry.name for entry in directory.iterdir() if entry.suffix.lower() in (".yaml", ".yml")]
    except OSError:
        return []


# Nodes with positions


@dataclass(eq=False)
class ScalarNode:
    """A single word, number or text.

    Attributes:
        plain: Whether it stands without quotes.
        cut: What follows it on its line behind a #, where no space follows that: a comment, or lost text.
    """

    place: Place
    text: str
    plain: bool
    size: int = 1
    depth: int = 1
    length: int = 0  # characters in its texts
    cut: str = ""

    @property
    def value(self) -> Value | None:
        """What it says: a number, true or false, a text, or None where it is empty."""
        if not self.plain:
            return self.text
        if self.text in ("", "~", "null", "Null", "NULL"):
            return None
        if self.text in ("true", "True", "TRUE", "false", "False", "FALSE"):
            return self.text.lower() == "true"
        if len(self.text) <= 30:
            if re.fullmatch(r"[-+]?[0-9]+", self.text):
                return int(self.text)
            if re.fullmatch(r"[-+]?([.][0-9]+|[0-9]+([.][0-9]*)?)([eE][-+]?[0-9]+)?", self.text):
                return float(self.text)
        return self.text


@dataclass(eq=False)
class MapNode:
    """Lines of ``key: value``."""

    place: Place
    items: list[tuple[ScalarNode, Node]] = field(default_factory=list)
    size: int = 1
    depth: int = 1
    length: int = 0  # characters in its texts
    key: ScalarNode | None = None  # the key whose value has not come yet


@dataclass(eq=False)
class ListNode:
    """Items, one after the other."""

    place: Place
    items: list[Node] = field(default_factory=list)
    size: int = 1
    depth: int = 1
    length: int = 0  # characters in its texts


Node = ScalarNode | MapNode | ListNode


def parse(text: str, file: str, what: str = "a scenario", begin: str = f"schema_version: {SCHEMA_VERSION}") -> MapNode:
    """The nodes of a YAML text, whose root must be a map; mistakes speak of ``what``, and of its first line.

    Raises:
        ScenarioError: As ``parse_any``, and if its root is no map.
    """
    root = parse_any(text, file, what, begin)
    if not isinstance(root, MapNode):
        stop(root.place, f"{what} is lines 'key: value'; begin with the line {begin}")
    return root


def parse_any(text: str, file: str, what: str, begin: str) -> Node:
    """The nodes of a YAML text, whatever its root is.

    Built from the parser's events, so that nothing is constructed, nothing recurses, and a text that would
    grow without bounds is given up early.

    Raises:
        ScenarioError: If the text is not YAML, or is YAML that scenario files do without (tags, several documents).
    """
    top = ListNode(Place(file))
    stack: list[MapNode | ListNode] = [top]
    anchors: dict[str, Node] = {}
    nodes = documents = characters = 0
    lines = text.split("\n")
    for event, place in _events(text, file):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                stop(place, f"a second document begins here; {what} is one document, so remove the line ---")
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            _add(stack, stack.pop())
        elif isinstance(event, yaml.NodeEvent):
            node: Node
            if getattr(event, "ctag", None):  # as it stands there; decoding a long one takes forever
                stop(place, "tags (words after !) are not read; write the value without it, or put a text in quotes")
            if isinstance(event, yaml.AliasEvent):
                found = anchors.get(event.anchor)
                if found is None or found in stack:
                    alias = clean(event.anchor)
                    stop(place, f"*{alias} stands for nothing above; write the value out, or put a text in quotes")
                node = found
            elif isinstance(event, yaml.ScalarEvent):
                node = ScalarNode(place, event.value, event.implicit[0], length=len(event.value))
                end = event.end_mark
                if node.plain and node.text and end.line < len(lines):
                    behind = re.match(r"[ \t]+(#\S.*)", lines[end.line][end.column :])
                    node.cut = behind[1].strip() if behind else ""
            else:
                node = MapNode(place) if isinstance(event, yaml.MappingStartEvent) else ListNode(place)
            if event.anchor and not isinstance(event, yaml.AliasEvent):
                anchors[event.anchor] = node
            nodes += node.size
            characters += node.length
            if characters > MAX_BYTES:
                longest = f"{MAX_BYTES:,} characters"
                stop(place, f"what * repeats makes the file longer than {longest}; repeat short texts only")
            if nodes > MAX_NODES:
                stop(place, f"the file holds more than {MAX_NODES:,} keys and values; {what} needs far fewer")
            if len(stack) + node.depth > MAX_DEPTH:
                stop(place, f"more than {MAX_DEPTH} sections lie in each other here; {what} needs fewer")
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                stack.append(node)  # type: ignore[arg-type]
            else:
                _add(stack, node)
    root = top.items[0] if top.items else None
    if root is None or (isinstance(root, ScalarNode) and root.value is None):
        stop(Place(file, 1, 1), f"the file is empty; begin with the line {begin}")
    return root


def _add(stack: list[MapNode | ListNode], node: Node) -> None:
    """Put a finished node into the container that is open; an empty value stands where its key stands."""
    parent = stack[-1]
    parent.size += node.size
    parent.length += node.length
    parent.depth = max(parent.depth, node.depth + 1)
    if isinstance(parent, ListNode):
        parent.items.append(node)
    elif parent.key is not None:
        if isinstance(node, ScalarNode) and node.plain and not node.text:
            node.place = parent.key.place
        parent.items.append((parent.key, node))
        parent.key = None
    elif isinstance(node, ScalarNode):
        parent.key = node
    else:
        stop(node.place, "a key must be a single word, not a list or a section; write key: value")


def _events(text: str, file: str) -> Iterator[tuple[yaml.Event, Place]]:
    """The parser's events with their places; its errors in plain words."""
    directive = re.match(r"(?:[ \t]*+(?:#[^\n]*+)?\n)*+%", text)
    if directive:
        stop(Place(file, text.count("\n", 0, directive.end()) + 1, 1), "a line cannot begin with %; remove it")
    brackets: list[tuple[str, int, int]] = []  # those that are open, and where
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                bracket = "{" if isinstance(event, yaml.MappingStartEvent) else "["
                brackets.append((bracket if event.flow_style else "", line, column))
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                brackets.pop()
            yield event, Place(file, line, column)
    except MarkedYAMLError as error:
        line, column, message = _syntax(error, text, brackets[-1] if brackets else ("", 0, 0))
        raise NotYaml([Problem(file, line, column, "", message)]) from None
    except YAMLError as error:
        before = text[: getattr(error, "position", 0)]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        stop(Place(file, line, column), "an invisible control character stands here; delete it")


#: The most breaches of form that are looked for in one file.
MAX_BREACHES = 10


def parse_on(text: str, file: str) -> tuple[MapNode | None, list[Problem], set[int]]:
    """The nodes of a text as far as it can be read, its breaches of form, and the lines that were mended or left out.

    Where a line breaks the form of YAML, a tab in front of it is read as spaces, a colon that is missing is set, and
    any other line is left out with the lines that are indented below it; then the text is read again. Where that
    does not help, only the first breach is reported, which says so.

    Raises:
        ScenarioError: As ``parse``, for what has nothing to do with form.
    """
    found: list[Problem] = []
    touched: set[int] = set()
    while True:
        try:
            return parse(text, file), found, touched
        except ScenarioError as error:
            problem = error.problems[0]
            if not found and not isinstance(error, NotYaml):
                raise
            found.append(problem)
            mended = _mended(text, problem, touched) if isinstance(error, NotYaml) else None
            if mended is None or len(found) > MAX_BREACHES:
                first = found[0]
                behind = "mend this first: what stands behind it could not be read"
                return None, [replace(first, message=f"{first.message} ({behind})")], touched
            text = mended


def _mended(text: str, problem: Problem, touched: set[int]) -> str | None:
    """The text without one breach of its form, or None if that line was mended before."""
    lines = text.split("\n")
    here = problem.line - 1
    if problem.line in touched or not 0 <= here < len(lines) or "\r" in text.replace("\r\n", ""):
        return None
    touched.add(problem.line)
    indent = _indent(lines[here])
    if "\t" in indent:
        lines[here] = indent.replace("\t", "  ") + lines[here][len(indent) :]
    elif _DASH.match(lines[here]):
        lines[here] = _DASH.sub(r"\1- ", lines[here], count=1)
    elif "colon is missing" in problem.message and re.fullmatch(r"\s*[\w.]+\s*", lines[here]):
        lines[here] = f"{lines[here].rstrip()}:"
    else:
        lines[here] = ""
        for i in range(here + 1, len(lines)):
            if lines[i].strip() and len(_indent(lines[i])) <= len(indent):
                break
            lines[i] = ""
            touched.add(i + 1)
    return "\n".join(lines)


def _indent(line: str) -> str:
    """The blanks at the beginning of a line."""
    return line[: len(line) - len(line.lstrip())]


#: Signs that look like a space and are none, and what they are called.
_ODD_SPACES = {
    "\u00a0": "a non-breaking space",
    "\u202f": "a narrow non-breaking space",
    "\u2007": "a figure space",
    "\u2003": "an em space",
    "\u2002": "an en space",
    "\u2009": "a thin space",
    "\u3000": "an ideographic space",
    "\u200b": "a zero-width space",
    "\ufeff": "a byte order mark",
}
#: Signs that look like a dash, the plain one first.
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212\u2022"
_DASH = re.compile(rf"(\s*)(-(?=[\w{{\[])|[{DASHES[1:]}])\s*")


def odd_space(text: str) -> str | None:
    """What is wrong with the blanks at the beginning of a text, or None."""
    for sign in text:
        if sign in _ODD_SPACES:
            return f"{_ODD_SPACES[sign]} (U+{ord(sign):04X}) stands here; indent with plain spaces only"
        if not sign.isspace():
            break
    return None


def _lacks_its_colon(lines: Sequence[str], here: int) -> int | None:
    """The number of the line before this one, if it is a lone word that should be a key."""
    above = [i for i in range(here) if lines[i].strip() and not lines[i].lstrip().startswith("#")]
    if not above or not re.fullmatch(r"\s*(- +)?[\w.]+\s*(#.*)?", lines[above[-1]]):
        return None
    before = lines[above[-1]]
    first = lines[above[-2]].partition(" #")[0].rstrip() if len(above) > 1 else ""
    continues = first and not first.endswith(":") and len(_indent(first)) < len(_indent(before))
    return None if continues else above[-1]


def _syntax(error: MarkedYAMLError, text: str, inside: tuple[str, int, int]) -> tuple[int, int, str]:
    """Line, column and plain words for what the YAML parser stumbled over, and the bracket that was open there."""
    problem = error.problem or ""
    context = error.context or ""
    mark = error.problem_mark or error.context_mark
    start = error.context_mark or mark
    if mark is None or start is None:
        return 1, 1, f"this is not YAML ({clean(problem)}); write lines 'key: value'"
    lines = text.splitlines() or [""]
    line = lines[mark.line] if mark.line < len(lines) else ""
    here = (mark.line + 1, mark.column + 1)
    there = (start.line + 1, start.column + 1)
    tab = _indent(line).find("\t")
    if tab >= 0:
        return mark.line + 1, tab + 1, "a tab stands here; indent with spaces only (two for each level)"
    for i in range(mark.line, min(start.line, mark.line - 1) - 1, -1):
        odd = odd_space(lines[i]) if 0 <= i < len(lines) else None
        if odd:
            return i + 1, 1 + next(c for c, sign in enumerate(lines[i]) if sign in _ODD_SPACES), odd
    for i in (mark.line - 1, mark.line) if "mapping values" in problem or "block end" in problem else ():
        dash = _DASH.match(lines[i]) if 0 <= i < len(lines) else None
        if dash:
            return i + 1, dash.start(2) + 1, "a list item begins with a plain dash and a space; write - and the item"
    if "cannot start any token" in problem:
        if "\\t" in problem:
            return *here, "a tab stands here; write a space instead"
        return *here, f"a text cannot begin with {line[mark.column : mark.column + 1]}; put it in quotes"
    if line.startswith("%"):
        return *here, "a line cannot begin with %; remove it"
    if "could not find expected ':'" in problem:
        return *there, "a colon is missing in this line; write key: value, with a space after the colon"
    if "mapping values are not allowed" in problem:
        before = lines[mark.line - 1] if mark.line else ""
        column = len(_indent(before)) + 1
        if re.fullmatch(r"\s*[\w.]+:\S.*", before):
            return mark.line, column, "a space is missing after the colon; write key: value"
        equals = re.fullmatch(r"\s*([\w.]+)\s*=\s*(.+)", before)
        if equals:
            wanted = clean(f"{equals[1]}: {equals[2].strip()}")
            return mark.line, column, f"a colon is missing, for = stands in its place; write {wanted}"
        lone = _lacks_its_colon(lines, mark.line)
        if lone is not None:
            word = lines[lone].partition("#")[0].strip()
            column = len(_indent(lines[lone])) + 1
            return (
                lone + 1,
                column,
                f"the colon is missing; write {clean(word)}: (and what belongs to it behind or below)",
            )
        if re.fullmatch(r"\s*(- +)?[\w.]+\s*", line[: mark.column]):
            column = len(line) - len(line.lstrip()) + 1
            return mark.line + 1, column, "this line is indented too far; line it up with the lines it belongs to"
        return *here, "a second colon stands in this line; put a text with ': ' in quotes, and each key on its own line"
    if context == "while parsing a flow node" and inside[0]:
        bracket, *opened = inside
        closing = "]" if bracket == "[" else "}"
        if "stream end" in problem or "document" in problem:
            return *opened, f"the bracket {bracket} opened here is not closed; close it with {closing}"  # type: ignore[return-value]
        if "','" in problem:
            return *here, "nothing stands before this comma; write what belongs there, or remove the comma"
        if "']'" in problem or "'}'" in problem:
            at = f"{bracket} in line {opened[0]}, column {opened[1]}"
            return *here, f"this bracket closes another one than the open {at}; write {closing}"
    if "flow" in context:
        bracket = "[" if "sequence" in context else "{"
        closing = "]" if bracket == "[" else "}"
        return *there, f"the bracket {bracket} opened here is not closed, or lacks a comma; close it with {closing}"
    if "quoted scalar" in context:
        if "escape" in problem:
            message = "a backslash in double quotes has a meaning of its own; use single quotes instead"
            return mark.line + 1, mark.column, message
        return *there, "the quote that opens here is not closed; close it on the same line"
    if "expected <block end>" in problem:
        if "'-'" in problem:
            return *here, "a list item (-) stands among lines 'key: value'; put it under its key, indented"
        if "']'" in problem or "'}'" in problem or "','" in problem:
            return *here, "this bracket or comma has no opening bracket; remove it"
        told = line[: mark.column].rstrip()
        for quote, name, other in (("'", "single", "double"), ('"', "double", "single")):
            if re.search(rf"{quote}[^{quote}]*{quote}$", told):
                ends = f"a {name} quote inside {name} quotes ends the text"
                return *here, f"{ends}; put the whole text in {other} quotes"
        if told:
            return *here, "more stands after the value; put a whole text in quotes, and each key on its own line"
        return *here, "the indentation fits no line above; line it up with the lines it belongs to"
    if "sequence entries are not allowed" in problem:
        return *here, "a list cannot begin on the line of its key; put each item (- ...) on a line of its own below"
    return *here, f"this is not YAML ({clean(problem)}); write lines 'key: value'"
