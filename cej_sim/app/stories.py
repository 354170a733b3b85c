"""Guided stories: YAML with positions -> ``Story``, errors that teach, and claims that are tried against the model.

A story takes a room through a question in some steps. Each step sets the app, may ask for a guess before anything is
shown, says where to stop and what is surprising, names exceptions and asks the group. What a story claims stands under
``checks:`` as something that can be computed; ``try_checks`` computes it over many runs, once with the declared
coefficients and once through the calibrated sets. A text holds ``{name}`` or ``{name.value}`` where a number belongs,
and the program puts in what came out. Frequencies and percentages that are typed into a text are mistakes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cej_sim.app import texts
from cej_sim.ensemble import Ensemble
from cej_sim.metrics import METRICS, NAMES
from cej_sim.nodes import Node, Place, Problem, ScalarNode, ScenarioError, clean, either, nearest, parse, text_of
from cej_sim.parameters import PRINCIPLES, Parameter, choice, count, switch
from cej_sim.reading import (
    MONTHS,
    Changes,
    Leaf,
    Listing,
    Reading,
    Section,
    Series,
    Text,
    Walk,
    display,
    load,
    path_advice,
)
from cej_sim.runs import budget_difference, common_months, simulate
from cej_sim.scenario import CHANGEABLE, PARAMETERS, Scenario, budget_problems
from cej_sim.sweeps.ablation import mixed, units

FOLDER = Path(__file__).with_name("stories")

#: Views of the player that a step may show.
VIEWS = ("tables", "network", "powermap", "curves", "difference", "bands", "log")
#: Levers that a room is shown at once.
MOST_LEVERS = 6
#: What stands in a text until a number is known.
UNTRIED = "\u2026"
#: What stands for every metric of every month in a check.
EVERYTHING = "everything"
#: What the log tells, of which a check may ask whether it happened by a month.
EVENTS = (
    "policy_won", "challenge", "institution_left", "mandate", "motion_passed", "motion_failed", "grant_refused",
    "coalition_ended", "organizing_cut", "services_grew",
)  # fmt: skip

_BY_NAME = {metric.name: metric for metric in METRICS}
_SCENARIOS_CHANGES = {path: one for path, one in PARAMETERS.items() if not path.startswith("mechanisms.")} | CHANGEABLE


class StoryError(ScenarioError):
    """A story cannot be read; ``problems`` holds every mistake, and ``str()`` has a line for each."""


class ClaimError(ValueError):
    """The model does not bear out what a story claims; each line of the message says which claim and what came out."""


# What a story is


@dataclass(frozen=True)
class Check:
    """Something a story says of the model, in a form that can be computed.

    Attributes:
        name: By which texts speak of it.
        says: The sentence in words, without its frequency.
        side: Of which side it is said.
        metric: A metric, or ``everything``; "" where ``event`` says what is meant.
        event: An event of the log that is to have happened by the month.
        happened: Whether the event is to have happened, or is not to.
        month: When.
        above, below: Bounds of the metric in that month; NaN where there is none.
        against: The side with which it is compared, or "".
        direction: ``higher``, ``lower`` or ``same`` than ``against``, for an event ``sooner`` or ``same``; ``highest``
            or ``lowest`` of itself and ``rivals``; "" without any.
        rivals: The other sides among which it is to be the highest or lowest.
        by: By how much at least, or how little at most where it is to be the same, in the metric's unit.
        up_to: By how much at most; NaN where there is no such bound.
        least, most: In how many of 100 runs it is claimed to hold, at least and at most; NaN where nothing is claimed.
        place: Where it stands in the file.
    """

    name: str
    says: str
    side: str
    metric: str
    event: str
    happened: bool
    month: int
    above: float
    below: float
    against: str
    direction: str
    rivals: tuple[str, ...]
    by: float
    up_to: float
    least: float
    most: float
    place: Place


@dataclass(frozen=True)
class Option:
    """Something the room may guess; ``check`` is the check that tells how often it came out, or ""."""

    text: str
    check: str = ""


@dataclass(frozen=True)
class Guess:
    """What the room is asked before anything is shown."""

    question: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Stage:
    """What the app is set to.

    Attributes:
        a, b: Names of sides; ``b`` may be "".
        view: One of ``VIEWS``.
        begin: The month from which it plays.
        month: The month at which it stops.
        blind: Whether the sides are called A and B only.
        metrics: What the charts show, at most four.
    """

    a: str
    b: str = ""
    view: str = "tables"
    begin: int = 0
    month: int = 12
    blind: bool = False
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One step: what is said, asked, shown, surprising, and talked about."""

    title: str
    minutes: int
    say: str
    guess: Guess | None = None
    show: Stage | None = None
    stop: str = ""
    surprise: str = ""
    exceptions: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Story:
    """A story, read and checked; see the module.

    Attributes:
        name, title: Its short name and its title.
        audience: For whom it is (``for`` in the file).
        question: The opening question.
        minutes: How long it takes, the sum of its steps.
        language: The language of its texts and of the page made from it.
        seed, run: Whose luck is shown.
        runs: How many runs its checks are tried over.
        levers: Paths of the rules that the room may move, at most six.
        sides: Name -> scenario.
        steps, checks: In the order of the file.
        path: The file.
    """

    name: str
    title: str
    audience: str
    question: str
    minutes: int
    language: str
    seed: int
    run: int
    runs: int
    levers: tuple[str, ...]
    sides: Mapping[str, Scenario]
    steps: tuple[Step, ...]
    checks: tuple[Check, ...]
    path: Path

    def pair(self, stage: Stage) -> list[Scenario]:
        """The scenarios that a stage shows, one or two.

        They end where the stage stops, so that no curve tells the end of the story before the room has guessed it.
        """
        return [_until(self.sides[name], stage.month) for name in (stage.a, stage.b) if name]


def _until(scenario: Scenario, month: int) -> Scenario:
    """A scenario that ends in a month (at least the first)."""
    events = tuple(event for event in scenario.events if event.month <= max(month, 1))
    return replace(scenario, months=max(month, 1), events=events)


# Where stories are


def shipped() -> dict[str, Path]:
    """The stories that come with the package: name -> file, in the order in which they are told."""
    order = ("seats_or_say", "change_course", "one_change_or_several", "which_would_you_fund", "what_does_it_cost")
    files = {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}
    return dict(sorted(files.items(), key=lambda item: (order.index(item[0]) if item[0] in order else 99, item[0])))


def find(name_or_path: str | Path) -> Path:
    """The file of a shipped story's name, or of a path.

    Raises:
        StoryError: If there is no such shipped story.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or "\\" in text or text.lower().endswith((".yaml", ".yml")):
        return Path(text)
    known = shipped()
    if text not in known:
        near = nearest(text, known)
        wanted = f"did you mean {near}?" if near else "write the path of a file, or one of:"
        listed = "" if near else f" {', '.join(known)}"
        raise StoryError([Problem(text, 0, 0, "", f"there is no shipped story of this name; {wanted}{listed}")])
    return known[text]


# The shape of a file


def _shape() -> Section:
    def whole(name: str, low: int, high: int, default: int = 0) -> Leaf:
        return Leaf(count(name, default, high, name, name, low=low, unit="a whole number"))

    def number(name: str, low: float, high: float) -> Leaf:
        return Leaf(Parameter(name, low, name, name, low=low, high=high, unit="in the metric's unit"))

    text, long = Text(most=300), Text(most=2000, lines=True)
    word = Text(most=40, word=True)
    month = Leaf(replace(MONTHS, path="month", low=0.0))
    metric = choice("metric", NAMES, "Metric", "Of what.")
    side = Section(
        {
            "name": word,
            "from": Text(most=1000),
            "title": Text(most=60),
            "principles": Series(whole("principles", 1, max(PRINCIPLES)), high=max(PRINCIPLES)),
            "toward": Text(most=1000),
            "set": Changes(_SCENARIOS_CHANGES),
            "months": Leaf(MONTHS),
        },
        required=("name", "from"),
    )
    option = Section({"text": text, "check": word}, required=("text",))
    step = Section(
        {
            "title": Text(most=80),
            "minutes": whole("minutes", 1, 60),
            "say": long,
            "guess": Section({"question": text, "options": Listing(option, 2, 6)}, required=("question", "options")),
            "show": Section(
                {
                    "a": word,
                    "b": word,
                    "view": Leaf(choice("view", VIEWS, "View", "What is seen.")),
                    "begin": month,
                    "month": month,
                    "blind": Leaf(switch("blind", False, "Blind", "Sides are called A and B only.")),
                    "metrics": Series(Leaf(metric), high=4),
                },
                required=("a",),
            ),
            "stop": long,
            "surprise": long,
            "exceptions": Series(long, high=6),
            "questions": Series(text, high=6),
        },
        required=("title", "minutes", "say"),
    )
    check = Section(
        {
            "name": word,
            "says": text,
            "side": word,
            "metric": Leaf(choice("metric", (*NAMES, EVERYTHING), "Metric", "Of what.")),
            "event": Leaf(choice("event", EVENTS, "Event", "Of the log.")),
            "happened": Leaf(switch("happened", True, "Happened", "Or not.")),
            "month": month,
            "above": number("above", -1e6, 1e6),
            "below": number("below", -1e6, 1e6),
            "higher_than": word,
            "lower_than": word,
            "sooner_than": word,
            "same_as": word,
            "highest_of": Series(word, low=2, high=6),
            "lowest_of": Series(word, low=2, high=6),
            "by": number("by", 0.0, 1e6),
            "up_to": number("up_to", 0.0, 1e6),
            "least": whole("least", 0, 100),
            "most": whole("most", 0, 100),
        },
        required=("name", "says", "side", "month"),
    )
    return Section(
        {
            "schema_version": Leaf(count("schema_version", 1, 1, "Version", "Of the form.", low=1)),
            "story": word,
            "title": Text(most=60),
            "language": Leaf(choice("language", texts.languages(), "Language", "Of all texts.")),
            "for": long,
            "minutes": whole("minutes", 1, 240),
            "question": text,
            "seed": whole("seed", 0, 2**31),
            "run": whole("run", 0, 10_000),
            "runs": whole("runs", 20, 1000),
            "levers": Series(Text(most=200), high=MOST_LEVERS),
            "sides": Listing(side, 1, 12),
            "steps": Listing(step, 1, 20),
            "checks": Listing(check, 0, 60),
        },
        required=("schema_version", "story", "title", "minutes", "question", "sides", "steps"),
    )


#: The shape of a story file.
FILE = _shape()


class _StoryWalk(Walk):
    """Reads the nodes of a story."""

    def advice(self, name: str, value: Node, path: str, shape: Section) -> str:
        """What to write instead of a key that a story does not have."""
        where = f"under {re.sub('[.][0-9]+', '', path)}" if path else "in a story"
        if isinstance(value, ScalarNode) and value.text == "" and (" " in name or not name.isidentifier()):
            return "a comma ends a text within braces; put the whole text in quotes"
        meant = {"id": "name", "ask": "guess", "predict": "guess", "tell": "say", "scenario": "from", "values": "set",
                 "group_questions": "questions", "against": "higher_than", "claims": "checks"}.get(name)  # fmt: skip
        near = meant if meant in shape.keys else nearest(name.lower(), shape.keys)
        return f"there is no such key {where}; " + (
            f"did you mean {near}?" if near else f"keys there are: {', '.join(shape.keys)}"
        )


def read_story(name_or_path: str | Path) -> Story:
    """Read a story file, by a shipped name or a path.

    Raises:
        StoryError: With every mistake, each with file, line and column and what to write instead.
    """
    path = find(name_or_path)
    shown = display(path)
    reading = Reading(path)
    walk = _StoryWalk(shown, path.absolute().parent, reading)
    try:
        root = parse(text_of(path, shown, "story"), shown, "a story", "schema_version: 1")
    except ScenarioError as error:
        raise StoryError(error.problems) from None
    walk.section(FILE, root, "")
    story = _Making(walk, path).story()
    if reading.problems or story is None:
        raise StoryError(sorted(reading.problems, key=lambda one: (one.file != shown, one.line, one.column)))
    return story


#: What a text must not hold, since the program puts it in.
_TYPED = re.compile(
    r"\b\d+ (?:of|out of|in|de|de cada) (?:the )?\d+ (?:runs|corridas|simulaciones)\b|\d+(?:[.,]\d+)?\s?%"
)

#: What stands in a text for something that a check gave: ``{name}``, ``{name.value}`` ...
_GIVEN = re.compile(r"\{([^{}]*)\}")
_VERSUS = ("higher_than", "lower_than", "sooner_than", "same_as", "highest_of", "lowest_of")
PARTS = ("value", "against", "difference", "times", "wide")


class _Making:
    """Puts a story together from what the walk has read, and reports what does not go together."""

    def __init__(self, walk: Walk, path: Path) -> None:
        self.walk, self.path = walk, path
        self.given, self.places = walk.given, walk.places

    def report(self, path: str, message: str | Callable[[], str]) -> None:
        """At the place of a path, or of the nearest section around it that stands in the file."""
        parts = path.split(".")
        around = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
        place = next((self.places[one] for one in around if one in self.places), Place(self.walk.file, 1, 1))
        self.walk.report(place, path, message)

    def items(self, path: str) -> Iterator[str]:
        """The paths of the items of a list."""
        return (f"{path}.{i}" for i in range(self.given.get(path, 0)))

    def several(self, path: str) -> tuple[Any, ...]:
        """The sound items of a list of single values."""
        return tuple(self.given[item] for item in self.items(path) if item in self.given)

    def story(self) -> Story | None:
        """The story, or None where it has mistakes."""
        given = self.given
        sides = {str(given.get(f"{path}.name", "")): self.side(path) for path in self.items("sides")}
        checks = [self.check(path, list(sides)) for path in self.items("checks")]
        self.compared = {check.name for check in checks if check.against or check.rivals}
        self.names = [check.name for check in checks]
        steps = [self.step(path, sides) for path in self.items("steps")]
        for path in self.items("levers"):
            if path in given and given[path] not in CHANGEABLE:
                self.report(path, lambda path=path: path_advice(given[path], CHANGEABLE))  # type: ignore[misc]
        for path in ("title", "question", "for"):
            self.text(path)
        total = sum(step.minutes for step in steps)
        if "minutes" in given and all(step.minutes for step in steps) and total != given["minutes"]:
            self.report("minutes", f"the steps take {total} minutes together; write minutes: {total}, or change them")
        self.reach(steps, checks, sides)
        self.used(checks, steps)
        if self.walk.problems:
            return None
        return Story(
            name=given["story"], title=given["title"], audience=given.get("for", ""), question=given["question"],
            minutes=given["minutes"], language=given.get("language", texts.ENGLISH), seed=given.get("seed", 1),
            run=given.get("run", 0), runs=given.get("runs", 100), levers=self.several("levers"),
            sides={name: one for name, one in sides.items() if one is not None}, steps=tuple(steps),
            checks=tuple(checks), path=self.path,
        )  # fmt: skip

    def scenario(self, path: str) -> Scenario | None:
        """The scenario that a line names: a shipped one, or a file beside the story."""
        name = self.given.get(path)
        if name is None:
            return None
        if name.lower().endswith((".yaml", ".yml")) or "/" in name or "\\" in name:
            name = str(self.walk.directory / name)
        try:
            return load(name)
        except ScenarioError as error:
            first = error.problems[0]
            if first.line:
                many = f"{len(error.problems)} mistake{'s' * (len(error.problems) > 1)} of its own; check it first"
                self.report(path, f"{self.given[path]} has {many}")
            else:
                self.report(path, first.message)
            return None

    def side(self, path: str) -> Scenario | None:
        """A side: a scenario, some principles of another one, and values of its own."""
        given = self.given
        scenario = self.scenario(f"{path}.from")
        toward, wanted = f"{path}.toward", self.several(f"{path}.principles")
        other = self.scenario(toward) if toward in given else None
        if toward in given and not wanted:
            self.report(toward, "this names where principles are taken from; add principles: [...], or remove it")
        if wanted and toward not in given and f"{path}.principles" in self.places:
            other = load("community_led")
        if scenario is None or (wanted and other is None):
            return None
        if wanted and other is not None:
            parts = {int(one.name.rpartition("_")[2]): one for one in units(scenario, other, "principle")
                     if one.name.startswith("principle_")}  # fmt: skip
            missing = [number for number in wanted if number not in parts]
            if missing:
                what = either([str(number) for number in missing])
                self.report(f"{path}.principles", f"the two scenarios do not differ in principle {what}; leave it out")
                return None
            scenario = mixed(scenario, other, [parts[number] for number in wanted])
        values = given.get(f"{path}.set", {})
        changed = replace(scenario, values={**scenario.values, **values}, stated=scenario.stated | set(values))
        for where, message in budget_problems(changed.values):
            self.report(f"{path}.set.{where}" if where in values else f"{path}.set", f"{where}: {message}")
        months = given.get(f"{path}.months", scenario.months)
        late = [event.month for event in scenario.events if event.month > months]
        if late:
            self.report(f"{path}.months", f"an event in month {late[0]} lies after the end; write at least {late[0]}")
        title = given.get(f"{path}.title") or scenario.label or scenario.name
        return replace(changed, name=given.get(f"{path}.name") or scenario.name, label=title, months=months, path=None,
                       expect=())  # fmt: skip

    def named(self, path: str, names: Sequence[str], what: str) -> str:
        """A name that must be among some."""
        name = str(self.given.get(path, ""))
        if path in self.given and name not in names:
            near = nearest(name, [one for one in names if one])
            wanted = f"did you mean {near}?" if near else f"there are: {', '.join(filter(None, names)) or 'none'}"
            self.report(path, f"there is no {what} {clean(name)}; {wanted}")
        return name

    def check(self, path: str, sides: Sequence[str]) -> Check:
        """A check."""
        given = self.given
        side = self.named(f"{path}.side", sides, "side")
        versus = [key for key in _VERSUS if f"{path}.{key}" in given]
        among = next((f"{path}.{key}" for key in versus if key.endswith("_of")), "")
        rivals = tuple(self.named(item, sides, "side") for item in self.items(among))
        bounds = [key for key in ("above", "below") if f"{path}.{key}" in given]
        what = [key for key in ("metric", "event") if f"{path}.{key}" in given]
        metric = given.get(f"{path}.metric", "")
        if f"{path}.name" in given and f"{path}.month" in given:
            if len(what) != 1 and not {f"{path}.metric", f"{path}.event"} & {one.path for one in self.walk.problems}:
                self.report(path, "say of what: write either metric: or event:")
            odd = [key for key in versus + bounds if key not in ("sooner_than", "same_as")] if "event" in what else []
            if odd:
                self.report(
                    f"{path}.{odd[0]}", "an event happens or not by its month; write sooner_than:, or remove this"
                )
            if "sooner_than" in versus and "metric" in what:
                self.report(f"{path}.sooner_than", "only an event can be sooner; write event:, or higher_than:")
            if f"{path}.happened" in given and ("metric" in what or versus):
                self.report(f"{path}.happened", "this belongs to an event of one side; remove it")
            if "metric" in what and (len(versus) > 1 or not versus + bounds):
                self.report(path, "say what holds: above: or below: a number, or one of higher_than:, lower_than:, "
                                  "same_as: a side")  # fmt: skip
        if metric == EVERYTHING and (versus != ["same_as"] or bounds):
            self.report(f"{path}.metric", "everything can only be the same; write same_as: and a side, or one metric")
        against = self.named(f"{path}.{versus[0]}", sides, "side") if versus and not rivals else ""
        if rivals and side not in rivals:
            self.report(among, f"{side} is not among them; add it")
        rivals = tuple(name for name in rivals if name != side)
        if against and against == side:
            self.report(f"{path}.{versus[0]}", "this is the side itself; name the other one")
        for key, belongs in (
            ("by", ("higher_than", "lower_than", "same_as")),
            ("up_to", ("higher_than", "lower_than")),
        ):
            if f"{path}.{key}" in given and not set(versus) & set(belongs):
                self.report(f"{path}.{key}", f"this belongs to {either([f'{one}:' for one in belongs])}; remove it")
        least, most = (float(given.get(f"{path}.{key}", math.nan)) for key in ("least", "most"))
        if least > most:
            self.report(f"{path}.least", "this is more than most:; swap the two")
        self.text(f"{path}.says", plain=True)
        direction = versus[0].partition("_")[0] if versus else ""
        return Check(
            name=given.get(f"{path}.name", ""), says=given.get(f"{path}.says", ""), side=side, metric=metric,
            event=given.get(f"{path}.event", ""), happened=given.get(f"{path}.happened", True),
            month=given.get(f"{path}.month", 0), rivals=rivals,
            above=given.get(f"{path}.above", math.nan), below=given.get(f"{path}.below", math.nan), against=against,
            direction=direction, by=given.get(f"{path}.by", 0.0), up_to=given.get(f"{path}.up_to", math.nan),
            least=least, most=most,
            place=self.places.get(f"{path}.name", Place(self.walk.file)),
        )  # fmt: skip

    def step(self, path: str, sides: Mapping[str, Scenario | None]) -> Step:
        """A step."""
        given = self.given
        self.places.setdefault(path, Place(self.walk.file))
        guess = show = None
        if f"{path}.guess" in self.places:
            options = []
            for here in self.items(f"{path}.guess.options"):
                options.append(Option(given.get(f"{here}.text", ""), self.named(f"{here}.check", self.names, "check")))
                self.text(f"{here}.text")
            self.text(f"{path}.guess.question")
            guess = Guess(given.get(f"{path}.guess.question", ""), tuple(options))
            if options and not any(option.check for option in options):
                self.report(f"{path}.guess.options", "no option names a check, so nobody could be right; add check:")
            if f"{path}.show" not in self.places:
                self.report(f"{path}.guess", "a guess needs something that answers it; add show: to this step")
        if f"{path}.show" in self.places:
            where = f"{path}.show"
            show = Stage(
                a=self.named(f"{where}.a", list(sides), "side"), b=self.named(f"{where}.b", list(sides), "side"),
                view=given.get(f"{where}.view", "tables"), begin=given.get(f"{where}.begin", 0),
                month=given.get(f"{where}.month", 12), blind=given.get(f"{where}.blind", False),
                metrics=self.several(f"{where}.metrics"),
            )  # fmt: skip
            if show.begin > show.month:
                self.report(f"{where}.begin", f"this lies after month {show.month}, where it stops; write less")
            if show.view == "difference" and not show.b:
                self.report(f"{where}.view", "a difference is one between two sides; add b:")
            pair = [side for side in (sides.get(show.a), sides.get(show.b)) if side is not None]
            if len(pair) == 2:
                months = common_months({"a": pair[0], "b": pair[1]})
                money = budget_difference(pair[0], pair[1], months)
                if money:
                    self.report(where, f"the two sides do not have the same money: {money}; make it equal")
        lists = {}
        for key in ("exceptions", "questions"):
            lists[key] = self.several(f"{path}.{key}")
            for item in self.items(f"{path}.{key}"):
                self.text(item)
        for key in ("title", "say", "stop", "surprise"):
            self.text(f"{path}.{key}")
        return Step(
            title=given.get(f"{path}.title", ""), minutes=given.get(f"{path}.minutes", 0),
            say=given.get(f"{path}.say", ""), guess=guess, show=show, stop=given.get(f"{path}.stop", ""),
            surprise=given.get(f"{path}.surprise", ""), **lists,
        )  # fmt: skip

    def text(self, path: str, plain: bool = False) -> None:
        """Check what a text has in braces, and that nobody typed what the program puts in."""
        text = self.given.get(path)
        if not isinstance(text, str):
            return
        typed = _TYPED.search(text)
        if typed:
            self.report(path, f"{typed[0]} is typed; the program counts: add a check and write its name in braces")
        for found in _GIVEN.finditer(text):
            name, _, part = found[1].partition(".")
            if plain:
                self.report(path, f"{clean(found[0])}: a check speaks for itself, without braces; leave it out")
            elif name not in self.names:
                near = nearest(name, self.names)
                wanted = f"did you mean {{{near}}}?" if near else "add a check of this name"
                self.report(path, f"there is no check {clean(name)}; {wanted}")
            elif part in ("against", "difference") and name not in self.compared:
                self.report(path, f"{clean(found[0])}: this check compares with no other side; write {{{name}.value}}")
            elif part and part not in PARTS:
                self.report(path, f"a check has no {clean(part)}; write {{{name}}} or {{{name}.{PARTS[0]}}} "
                                  f"(also: {', '.join(PARTS[1:])})")  # fmt: skip

    def reach(self, steps: Sequence[Step], checks: Sequence[Check], sides: Mapping[str, Scenario | None]) -> None:
        """Nothing is asked of a month that its side does not reach."""
        asked: list[tuple[str, int, tuple[str, ...]]] = []
        for i, step in enumerate(steps):
            if step.show:
                asked.append((f"steps.{i}.show.month", step.show.month, (step.show.a, step.show.b)))
        asked += [
            (f"checks.{i}.month", one.month, (one.side, one.against, *one.rivals)) for i, one in enumerate(checks)
        ]
        for path, month, names in asked:
            for side in filter(None, map(sides.get, names)):
                if month > side.months:
                    self.report(path, f"{side.name} ends in month {side.months}; write less, or give it more months")
                    break

    def used(self, checks: Sequence[Check], steps: Sequence[Step]) -> None:
        """A claim must be made somewhere: a check that no text and no option names is forgotten or a slip."""
        used = {name.partition(".")[0] for text in self.given.values() if isinstance(text, str)
                for name in _GIVEN.findall(text)}  # fmt: skip
        used |= {option.check for step in steps if step.guess for option in step.guess.options}
        for i, one in enumerate(checks):
            if one.name and one.name not in used and not self.walk.problems:
                self.report(f"checks.{i}.name", f"no text and no option speaks of this check; write {{{one.name}}} "
                                                "where it belongs, or remove it")  # fmt: skip


# Trying what is claimed


@dataclass(frozen=True)
class Tried:
    """What came of a check.

    Attributes:
        check: The check.
        times, runs: In how many of how many runs it held. Runs in which a coalition had ended are left out where the
            metric says nothing then.
        wide_times, wide_runs: The same through the calibrated parameter sets, a set a run; runs is 0 if not computed.
        value: Mean of the metric over these runs on the check's side (for an event: the share of runs).
        other: The same on the side it is held against; NaN where there is none.
    """

    check: Check
    times: int
    runs: int
    wide_times: int
    wide_runs: int
    value: float
    other: float

    @property
    def share(self) -> float:
        """In which part of the runs it held; NaN without runs."""
        return self.times / self.runs if self.runs else math.nan

    @property
    def held(self) -> bool:
        """Whether it held as often as the story claims; also where nothing is claimed."""
        least, most = self.check.least / 100.0, self.check.most / 100.0
        return not (self.share < least - 1e-9 or self.share > most + 1e-9) and self.runs > 0

    @property
    def fragile(self) -> bool:
        """Whether it holds mostly with the declared numbers and not mostly with the other sets, or the other way."""
        return bool(self.wide_runs) and (2 * self.times > self.runs) != (2 * self.wide_times > self.wide_runs)


@dataclass(eq=False)
class _Rows:
    """Runs of a side, as far as its checks ask."""

    months: np.ndarray  # (runs, M + 1, metrics)
    happened: Mapping[str, np.ndarray] = field(default_factory=dict)  # event -> (runs,) first month, or a large number

    @cached_property
    def alive(self) -> np.ndarray:
        return self.months[:, :, NAMES.index("alive")] > 0.0


def try_checks(
    story: Story,
    runs: int | None = None,
    *,
    ensemble: bool = True,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Tried]:
    """Compute every check of a story.

    Args:
        story: Whose checks.
        runs: Over how many runs; by default as many as the story says.
        ensemble: Whether to try them also through the calibrated parameter sets.
        threads: How many runs at a time.
        progress: Called with (runs done, runs in all).

    Returns:
        Name of the check -> what came of it.
    """
    runs = story.runs if runs is None else runs
    reach: dict[str, int] = {}
    for check in story.checks:
        for name in filter(None, (check.side, check.against, *check.rivals)):
            reach[name] = max(reach.get(name, 1), check.month)
    sets = [None, Ensemble.read()] if ensemble else [None]
    total, done = runs * len(reach) * len(sets), 0
    found: list[dict[str, _Rows]] = []
    for one in sets:
        sides = {}
        for name, months in reach.items():

            def advance(now: int, _: int, before: int = done) -> None:
                if progress is not None:
                    progress(before + now, total)

            sides[name] = _run(story.sides[name], runs, story.seed, months, threads, advance, one)
            done += runs
        found.append(sides)
    out = {}
    for check in story.checks:
        times, counted, value, other = _judge(check, found[0])
        wide = _judge(check, found[1]) if ensemble else (0, 0, 0.0, 0.0)
        out[check.name] = Tried(check, times, counted, wide[0], wide[1], value, other)
    return out


def _run(
    scenario: Scenario,
    runs: int,
    seed: int,
    months: int,
    threads: int | None,
    progress: Callable[[int, int], None],
    ensemble: Ensemble | None,
) -> _Rows:
    result = simulate(scenario, runs, seed, months, threads, progress, ensemble=ensemble)
    rows = result.monthly[list(NAMES)].to_numpy().reshape(runs, months + 1, len(NAMES))
    happened = {event: np.full(runs, np.iinfo(np.int64).max) for event in EVENTS}
    for event, run, month in result.changes[["event", "run", "month"]].itertuples(index=False):
        if event in happened:
            happened[event][run] = min(happened[event][run], month)
    return _Rows(rows, happened)


def _judge(check: Check, sides: Mapping[str, _Rows]) -> tuple[int, int, float, float]:
    """In how many of how many runs a check held, and the means of both sides over these runs."""
    here, there = sides[check.side], sides.get(check.against)
    rivals = [sides[name] for name in check.rivals]
    month, runs = check.month, len(here.months)
    if check.event:
        when = np.minimum(here.happened[check.event], month + 1)
        if there is None:
            held = (when <= month) == check.happened
            return int(held.sum()), runs, float((when <= month).mean()), math.nan
        other = np.minimum(there.happened[check.event], month + 1)
        held = when < other if check.direction == "sooner" else when == other
        return int(held.sum()), runs, float((when <= month).mean()), float((other <= month).mean())
    if check.metric == EVERYTHING:
        assert there is not None
        same = (here.months[:, : month + 1] == there.months[:, : month + 1]).all(axis=(1, 2))
        return int(same.sum()), runs, math.nan, math.nan
    place = NAMES.index(check.metric)
    values = here.months[:, month, place]
    others = there.months[:, month, place] if there is not None else np.full(runs, math.nan)
    if rivals:
        pick = np.max if check.direction == "highest" else np.min
        others = pick([one.months[:, month, place] for one in rivals], axis=0)
    counted = np.ones(runs, bool)
    if not _BY_NAME[check.metric].outlives:
        counted &= here.alive[:, month]
        for one in [there, *rivals] if there is not None else rivals:
            counted &= one.alive[:, month]
    held = counted.copy()
    if not math.isnan(check.above):
        held &= values > check.above
    if not math.isnan(check.below):
        held &= values < check.below
    more = values - others
    if check.direction in ("higher", "highest"):
        held &= (more > 1e-12) & (more >= check.by)
    elif check.direction in ("lower", "lowest"):
        held &= (more < -1e-12) & (-more >= check.by)
    elif check.direction == "same":
        held &= np.abs(more) <= max(check.by, 1e-12)
    if not math.isnan(check.up_to):
        held &= np.abs(more) < check.up_to
    if not counted.any():
        return 0, 0, math.nan, math.nan
    return int(held.sum()), int(counted.sum()), float(values[counted].mean()), float(others[counted].mean())


def failures(tried: Mapping[str, Tried]) -> list[str]:
    """A line for each claim that the model does not bear out."""
    found = []
    for one in tried.values():
        if not one.held:
            check = one.check
            claims = [f"at least {check.least:g}"] * (not math.isnan(check.least))
            claims += [f"at most {check.most:g}"] * (not math.isnan(check.most))
            at = f"{check.place.file}:{check.place.line}:{check.place.column}: checks.{check.name}"
            so = f"this held in {one.times} of {one.runs} runs" if one.runs else "no coalition exists by then"
            wanted = f", and {' and '.join(claims)} of 100 are claimed" if claims else ""
            found.append(f"{at}: {so}{wanted}; the model disagrees, so rewrite the story")
    return found


# What is told


def told(story: Story, tried: Mapping[str, Tried], words: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The story as plain data for the browser and the sheet, with what came out put into its texts.

    Args:
        story: The story.
        tried: What ``try_checks`` gave; for a check that is not in it, ``UNTRIED`` stands in the texts.
        words: All texts; by default those of the story's language.
    """
    words = texts.read(story.language) if words is None else words
    put = _Putting(words, tried)

    def option(one: Option) -> dict[str, Any]:
        found = tried.get(one.check)
        return {
            "text": put(one.text),
            "times": found.times if found else None,
            "runs": found.runs if found else None,
            "often": put.often(found) if found else "",
        }

    def guess(one: Guess) -> dict[str, Any]:
        options = [option(each) for each in one.options]
        shares = [each["times"] / each["runs"] if each["runs"] else -1.0 for each in options]
        answer = int(np.argmax(shares)) if max(shares) >= 0.0 else -1
        return {"question": put(one.question), "options": options, "answer": answer}

    steps = [
        {
            "title": put(step.title),
            "minutes": step.minutes,
            "say": put(step.say),
            "guess": guess(step.guess) if step.guess else None,
            "show": _stage(step.show) if step.show else None,
            "stop": put(step.stop),
            "surprise": put(step.surprise),
            "exceptions": [put(text) for text in step.exceptions],
            "questions": [put(text) for text in step.questions],
        }
        for step in story.steps
    ]
    claims = [
        {
            "name": name,
            "says": one.check.says,
            "often": put.often(one),
            "wide": put.wide(one),
            "times": one.times,
            "runs": one.runs,
            "wide_times": one.wide_times,
            "wide_runs": one.wide_runs,
            "fragile": one.fragile,
        }
        for name, one in tried.items()
    ]
    return {
        "name": story.name,
        "title": put(story.title),
        "for": put(story.audience),
        "question": put(story.question),
        "minutes": story.minutes,
        "language": story.language,
        "levers": list(story.levers),
        "seed": story.seed,
        "run": story.run,
        "runs": story.runs,
        "sides": {name: one.title for name, one in story.sides.items()},
        "steps": steps,
        "claims": claims,
    }


def _stage(show: Stage) -> dict[str, Any]:
    return {
        "a": show.a,
        "b": show.b,
        "view": show.view,
        "begin": show.begin,
        "month": show.month,
        "blind": show.blind,
        "metrics": list(show.metrics),
    }


class _Putting:
    """Puts into texts what came out."""

    def __init__(self, words: Mapping[str, str], tried: Mapping[str, Tried]) -> None:
        self.words, self.tried = words, tried

    def __call__(self, text: str) -> str:
        """A text with what came out for its names in braces."""
        return _GIVEN.sub(lambda found: self.one(found[1]), " ".join(text.split()))

    def one(self, path: str) -> str:
        """What stands for a name in braces."""
        name, _, part = path.partition(".")
        found = self.tried.get(name)
        if found is None:
            return UNTRIED
        if part == "value":
            return self.amount(found.value, found.check)
        if part == "against":
            return self.amount(found.other, found.check)
        if part == "difference":
            return self.amount(abs(found.value - found.other), found.check)
        if part == "times":
            return str(found.times)
        return (self.wide(found) or UNTRIED) if part == "wide" else self.often(found)

    def often(self, found: Tried) -> str:
        """In how many runs, in words."""
        gone = found.check.event == "" and found.runs < self._all()
        return texts.fill(self.words["story.often_existing" if gone else "story.often"],
                          {"times": found.times, "runs": found.runs})  # fmt: skip

    def wide(self, found: Tried) -> str:
        """The same through the calibrated sets; empty where that was not computed."""
        values = {"times": found.wide_times, "runs": found.wide_runs}
        return texts.fill(self.words["story.often_wide"], values) if found.wide_runs else ""

    def _all(self) -> int:
        return max((one.runs for one in self.tried.values()), default=0)

    def amount(self, value: float, check: Check) -> str:
        """A value as a room reads it: shares in per cent, and what is nearly nothing in words."""
        if math.isnan(value):
            return "–"
        unit = "share" if check.event else _BY_NAME[check.metric].unit if check.metric in _BY_NAME else ""
        if unit in ("share", "mean", "yes/no") or (check.metric == "seat_gap"):
            per_cent = 100.0 * value
            if 0.0 < abs(per_cent) < 0.5:
                return self.words["story.under_one"]
            return f"{round(per_cent)}%"
        digits = 2 if abs(value) < 1.0 and unit == "ratio" else 1
        return f"{value:.{digits}f}"
