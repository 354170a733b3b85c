"""Files of hypotheses: YAML with positions -> ``Hypothesis``, and errors that teach, as for scenario files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from cej_sim.nodes import (
    ListNode,
    MapNode,
    Node,
    Place,
    Problem,
    ScalarNode,
    ScenarioError,
    clean,
    nearest,
    parse_any,
    text_of,
)
from cej_sim.parameters import Parameter, Value, choice, count
from cej_sim.reading import (
    MONTHS,
    PREDICTABLE,
    Changes,
    Leaf,
    Listing,
    Reading,
    Section,
    Text,
    Walk,
    display,
    read,
)
from cej_sim.runs import budget_refusals
from cej_sim.scenario import PARAMETERS, Scenario
from cej_sim.sweeps.hypotheses import DIRECTIONS, EVERYTHING, GAINS, MAIN, PROBE, SIDES, Hypothesis, Setup, Test
from cej_sim.sweeps.hypotheses import Changes as Changed

#: How a file of hypotheses begins.
BEGIN = "- id: H1"

#: Metrics of tests.
TESTED = (*PREDICTABLE, PROBE)

_MOST = 100


@dataclass(frozen=True)
class _Without:
    """Paths and values, none at all (``{}``), or every feedback together."""


def _shape() -> Section:
    """The shape of a hypothesis."""
    words = Text(most=2000, lines=True)
    month = Leaf(replace(MONTHS, path="month"))
    smallest = Parameter(
        "smallest", 0.01, "Smallest", "In the metric's unit.", low=1e-9, high=1e9, unit="metric's unit"
    )
    test = Section(
        {
            "metric": Leaf(choice("metric", TESTED, "Metric", "Of what.")),
            "month": month,
            "expected": Leaf(choice("expected", DIRECTIONS, "Expected", "Which way.")),
            "smallest": Leaf(smallest),
            "without": _Without(),  # type: ignore[dict-item]
        },
        required=("metric", "month", "expected", "smallest"),
    )
    setup = Section({"label": Text(most=200), "scenario": Text(most=1000), "set": Changes(PARAMETERS)})
    also = Section({"name": Text(most=60), "set": Changes(PARAMETERS)}, required=("name", "set"))
    return Section(
        {
            "id": Text(most=20, word=True),
            "title": Text(most=100),
            "claim": words,
            "principle": Leaf(count("principle", 1, 6, "Principle", "Of the essay.", low=1)),
            "scenario": Text(most=1000),
            "months": Leaf(MONTHS),
            "setups": Section({"a": setup, "b": setup}, required=SIDES),
            "also": Listing(also, 1, 20),
            "tests": Listing(test, 1, 50),
            "without": _Without(),  # type: ignore[dict-item]
            "refuted_if": words,
            "note": words,
        },
        required=("id", "title", "claim", "setups", "tests", "without", "refuted_if"),
    )


#: The shape of a file of hypotheses.
FILE = Listing(_shape(), 1, _MOST)


class _DeclarationWalk(Walk):
    """Reads the nodes of a file of hypotheses."""

    def read(self, shape: Any, node: Node, path: str) -> None:
        if not isinstance(shape, _Without):
            super().read(shape, node, path)
            return
        self.places.setdefault(path, node.place)
        if isinstance(node, ScalarNode):
            if node.text != EVERYTHING:
                wanted = f"paths with values, such as mechanisms.control: 0, or {EVERYTHING}, or {{}} for nothing"
                self.report(node.place, path, f"{clean(node.text) or 'nothing'!r} is none of these; write {wanted}")
                return
            self.given[path] = dict.fromkeys(GAINS, 0.0)
        elif isinstance(node, MapNode) and not node.items:
            self.given[path] = {}
        else:
            super().read(Changes(PARAMETERS), node, path)

    def advice(self, name: str, value: Node, path: str, shape: Section) -> str:
        """What to write instead of a key that a hypothesis does not have."""
        where = f"under {path.rpartition('.')[2]}" if path.count(".") > 1 else "in a hypothesis"
        near = nearest(name.lower(), shape.keys)
        known = f"keys there are: {', '.join(shape.keys)}"
        return f"there is no such key {where}; {f'did you mean {near}?' if near else known}"


class Declared(NamedTuple):
    """What a file of hypotheses says.

    Attributes:
        hypotheses: In the order of the file.
        scenarios: Every setup, by the names that the hypotheses call them.
        text: The file.
    """

    hypotheses: tuple[Hypothesis, ...]
    scenarios: tuple[Scenario, ...]
    text: str


def read_hypotheses(
    path: Path, only: Sequence[str] | None = None, allow_unequal_budgets: bool = False
) -> tuple[Declared | None, list[Problem]]:
    """Read a file of hypotheses.

    Args:
        path: The file.
        only: Ids of those that are wanted; None: all. Whether they exist is for the caller to see.
        allow_unequal_budgets: Whether the setups of a pair may differ in their money.

    Returns:
        What it says, None where it has mistakes; and every mistake.
    """
    shown = display(path)
    reading = Reading(path)
    walk = _DeclarationWalk(shown, path.absolute().parent, reading)
    try:
        text = text_of(path, shown, "hypotheses")
        root = parse_any(text, shown, "a file of hypotheses", f"{BEGIN} (and its lines indented below it)")
    except ScenarioError as error:
        return None, list(error.problems)
    if not isinstance(root, ListNode):
        message = f"hypotheses are a list; begin the file with {BEGIN}, and indent its lines below it"
        return None, [Problem(shown, root.place.line, root.place.column, "", message)]
    walk.listing(FILE, root, "hypotheses")
    made = _Declaring(walk, path.absolute().parent, only, allow_unequal_budgets)
    made.all(root)
    if walk.problems:
        return None, sorted(walk.problems, key=lambda one: (one.file != shown, one.line, one.column))
    return Declared(tuple(made.hypotheses), tuple(made.scenarios.values()), text), []


class _Declaring:
    """Puts hypotheses together from what the walk has read, and reports what does not go together."""

    def __init__(self, walk: Walk, folder: Path, only: Sequence[str] | None, unequal: bool) -> None:
        self.walk, self.folder, self.only, self.unequal = walk, folder, only, unequal
        self.given, self.places = walk.given, walk.places
        self.hypotheses: list[Hypothesis] = []
        self.scenarios: dict[str, Scenario] = {}
        self._loaded: dict[str, Reading] = {}

    def report(self, path: str, message: str) -> None:
        parts = path.split(".")
        while ".".join(parts) not in self.places and len(parts) > 1:
            parts.pop()
        self.walk.report(self.places.get(".".join(parts), Place(self.walk.file)), path, message)

    def all(self, root: ListNode) -> None:
        """Every hypothesis that is wanted."""
        lines: dict[str, int] = {}
        for i in range(len(root.items)):
            here = f"hypotheses.{i}"
            name = self.given.get(f"{here}.id")
            if name in lines:
                self.report(
                    f"{here}.id", f"{name} is the id of two hypotheses (first in line {lines[name]}); change one"
                )
            elif name is not None:
                lines[name] = self.places[f"{here}.id"].line
                if self.only is None or name in self.only:
                    self.one(here, name)

    def one(self, here: str, name: str) -> None:
        """A hypothesis."""
        given, before = self.given, len(self.walk.problems)
        sides = {side: self.side(f"{here}.setups.{side}", f"{here}.scenario") for side in SIDES}
        tests = [f"{here}.tests.{i}" for i in range(given.get(f"{here}.tests", 0))]
        shortest = min((made.months for made in sides.values() if made is not None), default=MONTHS.default)
        asked = given.get(f"{here}.months")
        months = int(asked if asked is not None else min(MONTHS.default, shortest))
        for test in tests:
            month = given.get(f"{test}.month")
            if month is not None and month > months:
                self.report(f"{test}.month", f"month {month} lies after the last, {months}; write at most {months}, or "
                            f"months: {month} for this hypothesis")  # fmt: skip
        pairs = {MAIN: dict[str, Value]()}
        for i in range(given.get(f"{here}.also", 0)):
            label = given.get(f"{here}.also.{i}.name")
            if label == MAIN:
                self.report(f"{here}.also.{i}.name", f"{MAIN} is the name of the first pair; write another")
            elif label is not None:
                pairs[label] = given.get(f"{here}.also.{i}.set", {})
        withouts = self.withouts(here, tests)
        if len(self.walk.problems) > before or any(made is None for made in sides.values()) or not tests:
            return
        setups = tuple(
            self.setup(here, name, number, label, changes, sides, months)  # type: ignore[arg-type]
            for number, (label, changes) in enumerate(pairs.items())
        )
        if len(self.walk.problems) > before:
            return
        different = tuple(dict.fromkeys(changes for changes in withouts if changes))
        self.hypotheses.append(
            Hypothesis(
                id=name,
                months=months,
                setups=setups,
                tests=tuple(
                    Test(
                        given[f"{test}.metric"],
                        given[f"{test}.month"],
                        given[f"{test}.expected"],
                        given[f"{test}.smallest"],
                        different.index(changes) if changes else -1,
                    )
                    for test, changes in zip(tests, withouts, strict=True)
                ),
                withouts=different,
                title=given[f"{here}.title"],
                claim=" ".join(given[f"{here}.claim"].split()),
                principle=given.get(f"{here}.principle"),
                refuted_if=" ".join(given[f"{here}.refuted_if"].split()),
                note=" ".join(given.get(f"{here}.note", "").split()),
            )
        )

    def withouts(self, here: str, tests: Sequence[str]) -> list[Changed]:
        """For each test what should abolish its effect: its own ``without``, else the hypothesis's."""
        usual = self.given.get(f"{here}.without", {})
        return [tuple(self.given.get(f"{test}.without", usual).items()) for test in tests]

    def side(self, here: str, usual: str) -> Scenario | None:
        """A setup with its values; None where it has mistakes."""
        place = f"{here}.scenario" if f"{here}.scenario" in self.places else usual
        name = self.given.get(place)
        if name is None:
            if place not in self.places:
                self.report(here, "no scenario is named; add scenario: community_led here or above setups:")
            return None
        reading = self.read(name)
        scenario = reading.scenario
        if scenario is None:
            first = reading.problems[0]
            known = f"{name} has {len(reading.problems)} mistakes of its own" if first.line else first.message
            self.report(place, known)
            if first.line:
                self.walk.problems.extend(one for one in reading.problems if one not in self.walk.problems)
            return None
        changes = self.given.get(f"{here}.set", {})
        try:
            changed = scenario.with_values(changes)
        except ValueError as error:
            self.report(f"{here}.set", f"with {name}: {error}")
            return None
        label = self.given.get(f"{here}.label") or scenario.title
        return replace(changed, label=label)

    def read(self, name: str) -> Reading:
        """A scenario's file, read once."""
        if name not in self._loaded:
            a_path = "/" in name or "\\" in name or name.lower().endswith((".yaml", ".yml"))
            self._loaded[name] = read(self.folder / name if a_path else name)
        return self._loaded[name]

    def setup(
        self,
        here: str,
        name: str,
        number: int,
        label: str,
        changes: dict[str, Value],
        sides: dict[str, Scenario],
        months: int,
    ) -> Setup:
        """One pair of setups, whose scenarios are put among the others."""
        pair: dict[str, Scenario] = {}
        place = f"{here}.also.{number - 1}.set" if number else f"{here}.setups"
        for side, scenario in sides.items():
            title = f"{name}_{side}" if number == 0 else f"{name}_{side}_{number + 1}"
            try:
                pair[title] = replace(scenario.with_values(changes), name=title, months=months, expect=())
            except ValueError as error:
                self.report(place, f"with {scenario.label}: {error}")
                return Setup(label, "", "")
        self.scenarios |= pair
        if not self.unequal:
            for refusal in budget_refusals(pair, months):
                self.report(place, f"{refusal.rpartition('; ')[0]}; make it equal, or add the line "
                            "allow_unequal_budgets: true to the design")  # fmt: skip
        return Setup(label, *pair)
