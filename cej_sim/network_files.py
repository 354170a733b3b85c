"""Networks in files: GraphML, GEXF, GML and edge lists in CSV, read and written; networkx at the doors only."""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import math
import re
import stat
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from cej_sim.nodes import UNSEEN, plain
from cej_sim.scenario import NETWORK_FAMILIES, NetworkFile
from cej_sim.state import BACKBONE, INSTITUTION, KINDS, Ties

#: Files above this size are refused.
MAX_BYTES = 200_000_000
#: More mistakes in the ties of one file are counted, not listed.
MOST_PROBLEMS = 10


# What no table of plain text holds.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class NetworkError(ValueError):
    """A network file, or what the scenario says about it, is wrong: a line for each mistake, with what to write.

    Attributes:
        lines: The mistakes.
        about: For each, the setting of the scenario that it concerns, such as ``network.weight``.
    """

    def __init__(self, *texts: str, about: str | Sequence[str] = "network.file") -> None:
        """Keep each text on its line: names come from files, and what would break it is shown as a space."""
        self.lines = tuple("".join(sign if sign.isprintable() else " " for sign in text) for text in texts)
        self.about = (about,) * len(texts) if isinstance(about, str) else tuple(about)
        super().__init__("\n".join(self.lines))

    @classmethod
    def of(cls, *errors: NetworkError) -> NetworkError:
        """The mistakes of several."""
        lines = [line for error in errors for line in error.lines]
        return cls(*lines, about=[about for error in errors for about in error.about])


def _together(*works: Callable[[], Any]) -> list[Any]:
    """The results of some checks, all made before their mistakes are raised."""
    results: list[Any] = []
    errors: list[NetworkError] = []
    for work in works:
        try:
            results.append(work())
        except NetworkError as error:
            errors.append(error)
    if errors:
        raise NetworkError.of(*errors)
    return results


class Imported(NamedTuple):
    """A network as a file gives it; its arrays cannot be written to.

    Attributes:
        path: The file.
        ids: (n,) identities of the nodes in the file.
        names: (n,) what people call them: the attribute ``name`` or ``label``, or else the identity.
        kinds: (n,) RESIDENT ... ORGANIZER.
        attributes: Attribute name -> (n,) values, None where a node has none.
        source, target: (m,) nodes that each tie joins, in the order of the file; ties of weight 0 are left out.
        weight: (m,) strengths in (0, 1].
        counts: How many of each kind, and ``ties``.
    """

    path: Path
    ids: tuple[str, ...]
    names: tuple[str, ...]
    kinds: NDArray[np.int8]
    attributes: dict[str, tuple[Any, ...]]
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    weight: NDArray[np.float64]
    counts: dict[str, int]


class _Raw(NamedTuple):
    """What a parser finds in a file, not judged yet."""

    nodes: dict[str, dict[str, Any]]  # identity -> attributes
    edges: list[tuple[str, str, dict[str, Any], str]]  # source, target, attributes, where it stands
    problems: tuple[NetworkError, ...] = ()  # rows that are left out, and why
    nodes_known: bool = True  # whether a table of nodes that was named could be read


def read_network(file: NetworkFile) -> Imported:
    """Read a network file; read again only after it changed on disk.

    Formats by suffix: ``.graphml``, ``.gexf``, ``.gml``, and ``.csv``: an edge list with a header
    ``source,target`` and further columns (commas, semicolons or tabs between them), beside which
    ``file.nodes`` may name a table of nodes with a column ``id``. A tie has one strength: of a directed graph
    the larger of both directions, of parallel ties the largest. In a CSV list, which is undirected, a pair
    that stands there twice is an error. Weight 0 is no tie. A node is of the kind that ``kind_map`` gives its
    value of ``kind_column``; a value that is itself the name of a kind needs no entry in the map.

    Raises:
        NetworkError: If the file cannot be used; the line says why, where, and what to write instead.
    """
    nodes = file.nodes
    stamp = _stamp(file.path, "network.file")
    try:
        nodes_stamp = _stamp(nodes, "network.nodes") if nodes else None
    except NetworkError as error:
        raise NetworkError.of(error, *_mistakes_without_nodes(file, stamp)) from None
    return _read(file, stamp, nodes_stamp)


def _mistakes_without_nodes(file: NetworkFile, stamp: Hashable) -> list[NetworkError]:
    """What is wrong with the ties of a network whose table of nodes cannot be read."""
    try:
        _read(_without_nodes(file), stamp, None)
    except NetworkError as error:
        return [error]
    return []


def _without_nodes(file: NetworkFile) -> NetworkFile:
    """The same ties, all between institutions."""
    return replace(file, nodes=None, kind_column=None, kind_map=(), kind_default=None, residents=NETWORK_FAMILIES[0])


def imported_counts(file: NetworkFile) -> dict[str, int]:
    """How many agents of each kind a network file brings: kind -> count, for all four kinds.

    Raises:
        NetworkError: As ``read_network``.
    """
    counts = read_network(file).counts
    return {name: counts[name] for name in KINDS}


def _stamp(path: Path, setting: str) -> tuple[int, int]:
    """Time of the last change and size of a file that can be read."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise NetworkError(
            f"{path}: there is no such file; write {setting} as a path relative to the scenario file", about=setting
        ) from None
    except (OSError, ValueError) as error:
        raise NetworkError(f"{path}: cannot be read ({_reason(error)})", about=setting) from None
    if stat.S_ISDIR(status.st_mode):
        raise NetworkError(f"{path}: is a directory; write the path of a file in it", about=setting)
    if not stat.S_ISREG(status.st_mode):
        raise NetworkError(f"{path}: is not a regular file; write the path of a file on disk", about=setting)
    if status.st_size > MAX_BYTES:
        raise NetworkError(
            f"{path}: is {status.st_size / 1e6:.0f} MB large, more than {MAX_BYTES / 1e6:.0f} MB; "
            "leave out attributes that are not used, or take a part of the network",
            about=setting,
        )
    return status.st_mtime_ns, status.st_size


def _reason(error: Exception) -> str:
    """Why an operation failed, in a few words on one line."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(text.split())


@lru_cache(maxsize=8)
def _read(file: NetworkFile, stamp: Hashable, nodes_stamp: Hashable) -> Imported:
    suffix = file.path.suffix.lower()
    if suffix not in _READERS:
        raise NetworkError(
            f"{file.path}: files ending in {suffix or 'nothing'} are not networks; "
            f"write one that ends in {_or(_READERS)}"
        )
    if file.nodes is not None and suffix != ".csv":
        raise NetworkError(
            f"{file.path}: holds its own nodes; leave out network.nodes, which goes with .csv files",
            about="network.nodes",
        )
    if not (math.isfinite(file.scale) and file.scale > 0.0):
        raise NetworkError(
            f"{file.path}: network.scale is {file.scale:g}; write the largest weight, a number above 0",
            about="network.scale",
        )
    if file.residents is not None and file.residents not in NETWORK_FAMILIES:
        raise NetworkError(
            f"{file.path}: network.residents names the family {file.residents}; "
            f"write {_or(NETWORK_FAMILIES)}{_near(file.residents, NETWORK_FAMILIES)}",
            about="network.residents",
        )
    raw = _READERS[suffix](file, _bytes(file.path))
    if not raw.nodes and raw.problems:
        raise NetworkError.of(*raw.problems)
    if not raw.nodes:
        raise NetworkError(f"{file.path}: holds no nodes; write a network of at least one institution")
    return _judge(file, raw)


def _bytes(path: Path, setting: str = "network.file") -> bytes:
    """The content of a file that is not empty."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read ({_reason(error)})") from None
    if not data.strip():
        what = "a network" if setting == "network.file" else "the agents"
        raise NetworkError(f"{path}: is empty; write {what} into it, or leave out {setting}")
    return data


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NetworkError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _or(words: Iterable[str]) -> str:
    """``a, b or c``."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _some(items: Sequence[str], most: int = 5) -> str:
    """The first few of many, and how many more there are."""
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def _xml(file: NetworkFile, data: bytes) -> _Raw:
    """GraphML or GEXF, through networkx, after a look at its elements."""
    import networkx as nx

    path = file.path
    declared = _xml_nodes(path, data)
    graphml = path.suffix.lower() == ".graphml"
    read = nx.read_graphml if graphml else nx.read_gexf
    raw = _from_graph(_parsed(path, "GraphML" if graphml else "GEXF", lambda: read(io.BytesIO(data))))
    unknown = [node for node in raw.nodes if node not in declared]
    if unknown:
        raise NetworkError(f"{path}: ties lead to {_some(unknown)}, which the file does not declare as nodes; add them")
    if len(raw.nodes) < len(declared):
        lost = [node for node in declared if node not in raw.nodes]
        raise NetworkError(f"{path}: nodes in nested graphs cannot be read ({_some(lost)}); save it as one flat graph")
    return raw


def _xml_nodes(path: Path, data: bytes) -> dict[str, int]:
    """Identities of the nodes declared, in order; refuses document types, which can hold entities without end."""
    declared: dict[str, int] = {}
    depth = graphs = 0

    def doctype(*_: object) -> None:
        raise NetworkError(
            f"{path}:{parser.CurrentLineNumber}: has a document type declaration (DOCTYPE), which is not read for "
            "safety; take it out"
        )

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, graphs
        depth += 1
        local = tag.rpartition(":")[2]
        graphs += local == "graph" and depth == 2
        if local == "node":
            line, node = parser.CurrentLineNumber, attributes.get("id")
            if node is None:
                raise NetworkError(f"{path}:{line}: a node has no id; give it one")
            if node in declared:
                raise NetworkError(f"{path}:{line}: node {node} is declared again, first at line {declared[node]}")
            declared[node] = line

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = doctype
    parser.EntityDeclHandler = doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise NetworkError(
            f"{path}:{error.lineno}:{error.offset + 1}: is not well-formed XML ({expat.ErrorString(error.code)}); "
            "save it again from the program that made it"
        ) from None
    except ValueError as error:
        if isinstance(error, NetworkError):
            raise
        raise NetworkError(f"{path}: is not well-formed XML ({_reason(error)})") from None
    if graphs > 1:
        raise NetworkError(f"{path}: holds {graphs} graphs; keep one")
    return declared


def _gml(file: NetworkFile, data: bytes) -> _Raw:
    import networkx as nx

    text = _text(file.path, data)
    return _from_graph(_parsed(file.path, "GML", lambda: nx.parse_gml(text, label=None)))


def _parsed(path: Path, name: str, parse: Callable[[], Any]) -> Any:
    """A graph; whatever the parser stumbles over, the file is what is wrong. Its warnings (untyped keys) are hushed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return parse()
    except Exception as error:
        raise NetworkError(
            f"{path}: cannot be read as {name} ({_reason(error)}); save it again from the program that made it"
        ) from None


def _from_graph(graph: Any) -> _Raw:
    """Nodes and edges of a networkx graph, with the defaults that the file declares."""
    of_nodes = graph.graph.get("node_default", {})
    of_edges = graph.graph.get("edge_default", {})
    nodes = {str(node): {**of_nodes, **attributes} for node, attributes in graph.nodes(data=True)}
    edges = [(str(a), str(b), {**of_edges, **attributes}, "") for a, b, attributes in graph.edges(data=True)]
    return _Raw(nodes, edges)


def _csv(file: NetworkFile, data: bytes) -> _Raw:
    """An edge list and, where there is one, its table of nodes."""
    nodes: dict[str, dict[str, Any]] = {}
    problems: list[NetworkError] = []
    if file.nodes is not None:
        try:
            nodes = _nodes(file.nodes)
        except NetworkError as error:
            problems.append(NetworkError(*error.lines, about="network.nodes"))
    known = file.nodes is not None and not problems
    edges = []
    wrong: list[str] = []
    strangers: set[str] = set()
    try:
        for line, row in _table(file.path, data, ("source", "target"), wrong):
            ends = row.pop("source"), row.pop("target")
            for end in ends:
                if not known:
                    nodes.setdefault(end, {})
                elif end not in nodes and end not in strangers:
                    strangers.add(end)
                    wrong.append(f"{file.path}:{line}: {end} is not in the table of nodes {file.nodes}; add it there")
            if strangers.isdisjoint(ends):
                edges.append((*ends, {name: value or None for name, value in row.items()}, f":{line}"))
    except NetworkError as error:
        wrong += error.lines
    if wrong:
        problems.append(NetworkError(*_first(wrong, file.path)))
    return _Raw(nodes, edges, tuple(problems), known or file.nodes is None)


def _nodes(path: Path) -> dict[str, dict[str, Any]]:
    """The agents of a table: identity -> attributes."""
    nodes: dict[str, dict[str, Any]] = {}
    first: dict[str, int] = {}
    wrong: list[str] = []
    for line, row in _table(path, _bytes(path, "network.nodes"), ("id",), wrong):
        node = row["id"]
        if node in first:
            wrong.append(f"{path}:{line}: id {node} stands there already at line {first[node]}; drop one")
            continue
        first[node] = line
        nodes[node] = {name: value or None for name, value in row.items() if name != "id"}
    if wrong:
        raise NetworkError(*_first(wrong, path))
    if not nodes:
        raise NetworkError(f"{path}: holds no nodes; write a row for each agent")
    return nodes


def _first(problems: list[str], path: Path) -> list[str]:
    """The first mistakes of many, and how many more there are."""
    if len(problems) <= MOST_PROBLEMS:
        return problems
    more = len(problems) - MOST_PROBLEMS
    return [*problems[:MOST_PROBLEMS], f"{path}: there are {more} more mistakes of this kind"]


def _table(path: Path, data: bytes, needed: tuple[str, ...], wrong: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV table as (line number, column -> text); the needed columns are never empty.

    Rows that cannot be read are left out and told in ``wrong``.
    """
    text = _text(path, data)
    control = _CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        raise NetworkError(
            f"{path}:{line}: holds a control character (U+{ord(control[0]):04X}); save the table as plain text (UTF-8)"
        )
    head = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    try:
        for cells in reader:
            line = reader.line_num
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if header is None:
                header = cells
                missing = [name for name in needed if name not in header]
                if missing:
                    raise NetworkError(
                        f"{path}:{line}: has no column {' and no column '.join(missing)}; the first line must name the "
                        f"columns {' and '.join(needed)}, and names {_some(header)}"
                    )
                twice = [name for name, times in Counter(header).items() if times > 1]
                if twice:
                    raise NetworkError(f"{path}:{line}: two columns are called {_some(twice)}; rename one")
                continue
            if len(cells) != len(header):
                wrong.append(f"{path}:{line}: has {len(cells)} values for {len(header)} columns; write one for each")
                continue
            row = dict(zip(header, cells, strict=True))
            empty = [name for name in needed if not row[name]]
            if empty:
                wrong.append(f"{path}:{line}: {' and '.join(empty)} is empty; write the id of an agent")
                continue
            yield line, row
    except csv.Error as error:
        raise NetworkError(f"{path}:{reader.line_num}: cannot be read as CSV ({_reason(error)})") from None


_READERS: dict[str, Callable[[NetworkFile, bytes], _Raw]] = {
    ".graphml": _xml,
    ".gexf": _xml,
    ".gml": _gml,
    ".csv": _csv,
}


def _judge(file: NetworkFile, raw: _Raw) -> Imported:
    """Check what a parser found, and turn it into arrays."""
    columns = list(dict.fromkeys(name for attributes in raw.nodes.values() for name in attributes))
    attributes = {name: tuple(given.get(name) for given in raw.nodes.values()) for name in columns}
    ids = tuple(raw.nodes)
    names = tuple(_name(node, given) for node, given in raw.nodes.items())
    file = file if raw.nodes_known else _without_nodes(file)
    _, kinds, (source, target, weight) = _together(
        lambda: _refuse(raw.problems),
        lambda: _kinds(file, names, attributes),
        lambda: _ties(file, raw, dict(zip(ids, names, strict=True))),
    )
    counts = {name: int((kinds == number).sum()) for number, name in enumerate(KINDS)}
    backbones = [names[i] for i in np.flatnonzero(kinds == BACKBONE)]
    if len(backbones) > 1:
        raise NetworkError(
            f"{file.path}: {len(backbones)} nodes are of kind backbone ({_some(backbones)}); there can be one: "
            "make the others institutions in network.kind.map",
            about="network.kind.map",
        )
    if not counts["institution"]:
        raise NetworkError(
            f"{file.path}: no node is of kind institution (the file holds {_tally(counts)}); "
            "a coalition needs one: change network.kind.map or network.kind.default",
            about="network.kind.map",
        )
    if file.residents is None and not counts["resident"]:
        raise NetworkError(
            f"{file.path}: no node is of kind resident and none are generated; map a value to resident, or write "
            "network.residents: {generate: neighborhoods}",
            about="network.residents",
        )
    for array in (kinds, source, target, weight):
        array.setflags(write=False)
    counts["ties"] = weight.size
    return Imported(file.path, ids, names, kinds, attributes, source, target, weight, counts)


def _refuse(problems: Sequence[NetworkError]) -> None:
    """Raise what was found before, if anything."""
    if problems:
        raise NetworkError.of(*problems)


def _tally(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} of kind {name}" for name, count in counts.items() if count) or "none"


def _name(node: str, attributes: Mapping[str, Any]) -> str:
    """What people call a node, on one line, of signs that show."""
    for text in (attributes.get("name"), attributes.get("label"), node):
        seen = "" if text is None else UNSEEN.sub(" ", str(text)).strip()
        if seen:
            return seen
    return plain(node)


def _word(value: Any) -> str:
    """An attribute's value as a scenario file would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _near(word: str, words: Iterable[str]) -> str:
    """A question that names the nearest of some words, or nothing."""
    near = difflib.get_close_matches(word, list(words), 1)
    return f"; did you mean {near[0]}?" if near else ""


def _kinds(file: NetworkFile, names: Sequence[str], attributes: Mapping[str, Sequence[Any]]) -> NDArray[np.int8]:
    """The kind of each node."""
    given = dict(file.kind_map)
    for named in (*given.values(), *([file.kind_default] if file.kind_default is not None else [])):
        if named not in KINDS:
            raise NetworkError(
                f"{file.path}: network.kind names the kind {named}; write {_or(KINDS)}{_near(named, KINDS)}",
                about="network.kind",
            )
    column = file.kind_column
    if column is None:
        return np.full(len(names), INSTITUTION, np.int8)
    if column not in attributes:
        if not attributes:
            hint = "nodes have no attributes"
            if file.path.suffix.lower() == ".csv" and file.nodes is None:
                hint += "; write network.nodes: the path of a CSV table with the columns id and " + column
        else:
            hint = f"there are {_some(list(attributes), 10)}{_near(column, attributes)}"
        raise NetworkError(
            f"{file.path}: no node has the attribute {column} of network.kind.column; {hint}",
            about="network.kind.column",
        )
    numbers = {name: number for number, name in enumerate(KINDS)}
    kinds = np.empty(len(names), np.int8)
    unknown: dict[str, list[str]] = {}
    for index, value in enumerate(attributes[column]):
        word = "" if value is None else _word(value)
        kind = given.get(word, word if word in numbers else file.kind_default)
        if kind is None:
            unknown.setdefault(word or "no value", []).append(names[index])
        else:
            kinds[index] = numbers[kind]
    errors = []
    if unknown:
        listed = "; ".join(f"{word} ({_some(where, 3)})" for word, where in itertools.islice(unknown.items(), 8))
        errors.append(
            NetworkError(
                f"{file.path}: unknown kinds in {column}: {listed}; give each a kind in network.kind.map "
                f"({', '.join(KINDS)}), or write network.kind.default: institution",
                about="network.kind.map",
            )
        )
    held = list(dict.fromkeys(_word(value) for value in attributes[column] if value is not None))
    absent = [word for word in given if word not in held]
    if absent:
        errors.append(
            NetworkError(
                f"{file.path}: network.kind.map names {_some(absent)}, which no node has in {column}; "
                f"there are {_some(held, 10)}{_near(absent[0], held)}",
                about=f"network.kind.map.{absent[0]}",
            )
        )
    _refuse(errors)
    return kinds


def _ties(
    file: NetworkFile, raw: _Raw, names: Mapping[str, str]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Ends and strengths of the ties, merged, without those of weight 0."""
    problems: list[str] = []
    faults: list[NetworkError] = []
    loops = [f"{names[a]}{f' (line {where[1:]})' if where else ''}" for a, b, _, where in raw.edges if a == b]
    if loops:
        faults.append(NetworkError(f"{file.path}: tied to themselves: {_some(loops)}; take these ties out"))
    if file.weight is not None and raw.edges and not any(file.weight in given for _, _, given, _ in raw.edges):
        there = list(dict.fromkeys(name for _, _, given, _ in raw.edges for name in given))
        choice = f"there are {_some(there, 10)}{_near(file.weight, there)}" if there else "leave out network.weight"
        faults.append(
            NetworkError(
                f"{file.path}: no tie has the attribute {file.weight} of network.weight; {choice}",
                about="network.weight",
            )
        )
        file = replace(file, weight=None)
    once = file.path.suffix.lower() == ".csv"
    merged: dict[tuple[str, str], float] = {}
    first: dict[tuple[str, str], str] = {}
    for a, b, given, where in raw.edges:
        pair = (a, b) if (b, a) not in merged else (b, a)
        if once and pair in merged:
            problems.append(
                f"{file.path}{where}: the tie {names[a]} - {names[b]} stands there already at line "
                f"{first[pair][1:]}; ties have no direction: keep one of the two"
            )
            continue
        strength = 0.0
        try:
            strength = _strength(file, given)
        except NetworkError as error:
            problems += [f"{file.path}{where}: the tie {names[a]} - {names[b]} {line}" for line in error.lines]
        merged[pair] = max(strength, merged.get(pair, 0.0))
        first.setdefault(pair, where)
    if problems:
        faults.append(NetworkError(*_first(problems, file.path)))
    _refuse(faults)
    number = {node: index for index, node in enumerate(raw.nodes)}
    kept = [(number[a], number[b], strength) for (a, b), strength in merged.items() if strength > 0.0]
    return (
        np.array([a for a, _, _ in kept], np.int32),
        np.array([b for _, b, _ in kept], np.int32),
        np.array([strength for _, _, strength in kept], np.float64),
    )


def _strength(file: NetworkFile, given: Mapping[str, Any]) -> float:
    """The strength of one tie in [0, 1]."""
    if file.weight is None:
        return 1.0
    value = given.get(file.weight)
    if value is None:
        raise NetworkError(f"has no {file.weight}; write a number, 0 for no tie")
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise NetworkError(f"has the {file.weight} {value}, which is not a number; write one, 0 for no tie")
    if number < 0.0:
        raise NetworkError(f"has the negative {file.weight} {number:g}; write 0 or more")
    if number > file.scale:
        raise NetworkError(
            f"has the {file.weight} {number:g}, above network.scale {file.scale:g}; "
            "write the largest possible weight as network.scale"
        )
    return number / file.scale


# --- Doors to networkx and to files -------------------------------------------------------------------


def to_networkx(
    ties: Ties,
    names: Sequence[str] | None = None,
    kinds: Sequence[int] | NDArray[np.int8] | None = None,
) -> Any:
    """A ``networkx.Graph`` of the ties.

    Args:
        ties: Ties among n agents.
        names: (n,) becomes the node attribute ``name``.
        kinds: (n,) RESIDENT ... ORGANIZER; becomes the node attribute ``kind``, a word.

    Returns:
        Nodes 0 to n - 1, and the edge attribute ``weight``.

    Raises:
        ValueError: If names or kinds are not n.
    """
    import networkx as nx

    n = ties.indptr.size - 1
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    for column, values in _columns(n, names, kinds).items():
        nx.set_node_attributes(graph, dict(enumerate(values)), column)
    source, target, weight = _once(ties)
    graph.add_weighted_edges_from(zip(source.tolist(), target.tolist(), weight.tolist(), strict=True))
    return graph


def export(
    ties: Ties,
    path: str | Path,
    names: Sequence[str] | None = None,
    kinds: Sequence[int] | NDArray[np.int8] | None = None,
) -> list[Path]:
    """Write ties to a file that ``read_network`` and other programs read.

    The suffix decides: ``.graphml``, ``.gexf``, or ``.csv`` with the columns ``source,target,weight``, beside
    which a table ``<name>_nodes.csv`` holds the agents (``id`` and what is given of ``name`` and ``kind``).

    Args:
        ties: Ties among n agents, whose identities are 0 to n - 1.
        path: Where to write; an existing file is replaced.
        names: (n,) names of the agents.
        kinds: (n,) RESIDENT ... ORGANIZER.

    Returns:
        The files written.

    Raises:
        NetworkError: If the suffix is not one of the three or the file cannot be written.
        ValueError: If names or kinds are not n.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    try:
        if suffix in (".graphml", ".gexf"):
            import networkx as nx

            graph = to_networkx(ties, names, kinds)
            if suffix == ".gexf" and names is not None:
                nx.set_node_attributes(graph, dict(enumerate(names)), "label")
            (nx.write_graphml if suffix == ".graphml" else nx.write_gexf)(graph, path)
            return [path]
        if suffix == ".csv":
            n = ties.indptr.size - 1
            columns = _columns(n, names, kinds)
            table = path.with_name(f"{path.stem}_nodes.csv")
            _write(path, ("source", "target", "weight"), [column.tolist() for column in _once(ties)])
            _write(table, ("id", *columns), [range(n), *columns.values()])
            return [path, table]
    except OSError as error:
        raise NetworkError(f"{path}: cannot be written ({_reason(error)}); write another path") from None
    raise NetworkError(
        f"{path}: files ending in {suffix or 'nothing'} cannot be written; end it in .graphml, .gexf or .csv"
    )


def _write(path: Path, header: Sequence[str], columns: Sequence[Iterable[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(zip(*columns, strict=True))


def _once(ties: Ties) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """Every tie in one direction, source below target."""
    source = np.repeat(np.arange(ties.indptr.size - 1), np.diff(ties.indptr))
    upper = source < ties.indices
    return source[upper], ties.indices[upper], ties.weight[upper]


def _columns(n: int, names: Sequence[str] | None, kinds: Any) -> dict[str, list[str]]:
    """Attributes of the nodes, as words."""
    columns = {}
    if names is not None:
        columns["name"] = [str(name) for name in names]
    if kinds is not None:
        columns["kind"] = [KINDS[kind] for kind in kinds]
    for column, values in columns.items():
        if len(values) != n:
            raise ValueError(f"{len(values)} values of {column} for {n} agents")
    return columns
