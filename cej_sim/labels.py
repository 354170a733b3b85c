"""A labels file: words to be shown to a room instead of the usual ones.

It is YAML with up to three sections, ``metrics``, ``scenarios`` and ``kinds``. Its words appear in the terminal, the
picture and the report. They never reach the model, nor the columns of any table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from cej_sim.comparison import Labels
from cej_sim.metrics import NAMES
from cej_sim.nodes import MapNode, Node, ScalarNode, ScenarioError, clean, nearest, parse, text_of
from cej_sim.reading import Reading, Text, Walk, shipped

#: The words for kinds of agents that can be replaced within labels.
KIND_WORDS = ("resident", "residents", "institution", "institutions", "backbone", "organizer", "organizers")

#: The longest text that may be shown.
MOST = 60


def read_labels(path: str | Path, scenarios: Collection[str] = ()) -> Labels:
    """Read a labels file.

    Args:
        path: The file.
        scenarios: Names of scenarios, beside the shipped ones, that the file may speak of.

    Raises:
        ScenarioError: With every mistake, each with file, line and column and what to write instead.
    """
    shown = str(path)
    reading = Reading(Path(path))
    walk = Walk(shown, Path(path).parent, reading)
    root = parse(text_of(Path(path), shown, "labels"), shown, "a labels file", "metrics:")
    known = {
        "metrics": ("metric", NAMES),
        "scenarios": ("scenario", tuple(dict.fromkeys([*scenarios, *shipped()]))),
        "kinds": ("kind", KIND_WORDS),
    }
    found: dict[str, dict[str, str]] = {name: {} for name in known}
    for key, value, here in walk.keys(root, ""):
        if key.text not in known:
            near = nearest(key.text.lower(), known)
            wanted = f"did you mean {near}?" if near else f"write one of: {', '.join(known)}"
            walk.report(key.place, here, f"there is no such section in a labels file; {wanted}")
            continue
        found[key.text] = _section(walk, value, here, *known[key.text])
    if reading.problems:
        raise ScenarioError(sorted(reading.problems, key=lambda problem: (problem.line, problem.column)))
    return Labels(**found)


def _section(walk: Walk, node: Node, path: str, what: str, names: Collection[str]) -> dict[str, str]:
    """Names and the words to show for them."""
    if isinstance(node, ScalarNode) and node.value is None:
        return {}
    if not isinstance(node, MapNode):
        example = next(iter(names))
        walk.report(node.place, path, f"lines belong here, one for each {what}; write lines such as {example}: a text")
        return {}
    words = {}
    for key, value, here in walk.keys(node, path):
        if key.text not in names:
            walk.report(key.place, here, _advice(key.text, what, names))
            continue
        walk.text(Text(most=MOST), value, here)
        if here in walk.given:
            words[key.text] = str(walk.given[here])
    return words


def _advice(name: str, what: str, names: Collection[str]) -> Callable[[], str]:
    """What to write instead of a name that does not exist."""

    def worded() -> str:
        near = nearest(name.lower(), names)
        some = names if len(names) < 12 else list(names)[:8]
        wanted = f"did you mean {near}?" if near else f"write one such as {', '.join(clean(one) for one in some)}"
        where = ", neither shipped nor in this command" if what == "scenario" else ""
        return f"there is no such {what}{where}; {wanted}"

    return worded
