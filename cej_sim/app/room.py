"""The room: what all visitors share, and the session of each; knows nothing of how messages travel.

A session receives messages of a browser, each ``{type, id, ...}``, and answers with messages of the same id. All that
a visitor changes lies in the session. What takes time is computed by one pool in fair turns, and only within
limits, so that nobody keeps others waiting; what comes from outside is checked before it is used.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import re
import shutil
import tempfile
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cej_sim import provenance
from cej_sim.app import believe, history, levers, share, stories, texts, whatif
from cej_sim.app.claims import Telling
from cej_sim.app.levers import LeverError
from cej_sim.app.share import ShareError, Shown, Side
from cej_sim.app.turns import Turns
from cej_sim.metrics import METRICS
from cej_sim.reading import load, read_text, shipped
from cej_sim.runs import (
    ComparisonWarning,
    RequestError,
    common_months,
    compare,
    comparison_remarks,
    simulate,
    unique_names,
)
from cej_sim.scenario import Scenario

#: The two scenarios that the room opens with.
OPENING = ("collective_impact", "community_led")
#: Runs behind bands and frequencies.
RUNS = 30
#: Runs of the first answer to a lever; the rest follow.
FIRST_RUNS = 6
#: Seconds that a table or a report may take; it may wait behind others, and figures take their time.
EXPORT_SECONDS = 120.0
#: Answers that are kept for whoever asks the same.
KEPT = 24


@dataclass(frozen=True)
class Limits:
    """What one visitor may ask for, so that nobody keeps others waiting.

    Attributes:
        agents: Residents, institutions and organizers of a side.
        work: Agents times months times runs, over both sides; many ties count like more agents.
        quick: Work up to which a request is one of the ordinary ones; larger ones go through a door of their own,
            one at a time, so that all others go on.
        seconds: Of computing for one request.
        upload: Bytes of an uploaded file; of GML, whose reader is slow, a fifth.
        uploads: Files of a session.
        message: Characters of one message.
        frequency: Messages of a session within ten seconds.
    """

    agents: int = 20_000
    work: float = 2.5e7
    quick: float = 5e6
    seconds: float = 20.0
    upload: int = 1_500_000
    uploads: int = 4
    message: int = 2_200_000
    frequency: int = 200


class RefusedError(ValueError):
    """A request is refused; the message says why and what to do, in a sentence for people."""


class Room:
    """What all visitors share: scenarios on offer, words, limits, the pool, and answers that were just given."""

    def __init__(
        self,
        given: Mapping[str, Scenario] | None = None,
        *,
        sides: Sequence[str] = OPENING,
        presenter: bool = False,
        language: str = "en",
        limits: Limits | None = None,
        workers: int = 2,
    ) -> None:
        """Set the room up.

        Args:
            given: Scenarios of whoever opened the room, by name, beside the shipped ones.
            sides: Names of the scenarios to begin with, one or two.
            presenter: Whether it opens in large type, with few levers.
            language: Of the words.
            limits: What a visitor may ask for.
            workers: Threads that compute.
        """
        self.listed: dict[str, Scenario] = {**{name: load(name) for name in shipped()}, **(given or {})}
        self.given = list(given or {})
        self.stories = {name: stories.in_language(stories.read_story(name), language) for name in stories.shipped()}
        #: Also the sides of stories, which are not listed.
        self.offered = dict(self.listed)
        for name, story in self.stories.items():
            for stage in filter(None, (step.show for step in story.steps)):
                sides_shown = zip(filter(None, (stage.a, stage.b)), story.pair(stage), strict=True)
                self.offered |= {f"{name}.{side}.{stage.month}": scenario for side, scenario in sides_shown}
        self.opening = Shown(tuple(Side(name) for name in sides))
        self.presenter = presenter
        self.language = language
        self.limits = limits or Limits()
        self.turns = Turns(workers, self.limits.seconds)
        self.long_turns = Turns(1, self.limits.seconds)
        self._threads = workers
        self._tellings: dict[str, Telling] = {}
        self._first_teller = ThreadPoolExecutor(1, thread_name_prefix="stories-first")
        self._teller = ThreadPoolExecutor(1, thread_name_prefix="stories")
        self._answers: OrderedDict[Any, str] = OrderedDict()
        self._shows: OrderedDict[Any, history.Show] = OrderedDict()
        self._lock = threading.Lock()

    def start(self) -> dict[str, Any]:
        """What every browser needs before anything else; the same for all of them."""
        ours = [
            {"name": name, "title": self.title(name, one), "description": " ".join(one.description.split()),
             "given": name in self.given, "months": one.months}
            for name, one in self.listed.items()
        ]  # fmt: skip
        return {
            "texts": texts.read(self.language),
            "language": self.language,
            "catalogue": levers.catalogue(),
            "scenarios": sorted(ours, key=lambda one: not one["given"]),
            "opening": [side.name for side in self.opening.sides],
            "stories": [
                {
                    "name": name,
                    "title": one.title,
                    "question": one.question,
                    "minutes": one.minutes,
                    "for": one.audience,
                    "levers": list(one.levers),
                }
                for name, one in self.stories.items()
            ],
            "believe": believe.page(self.language),
            "presenter": self.presenter,
            "version": provenance.version(),
            "note": provenance.NOTE,
            "limits": {"upload": self.limits.upload, "text": share.MOST_TEXT, "runs": RUNS},
        }

    def title(self, name: str, scenario: Scenario) -> str:
        """The title of a scenario, in the room's language where it is a shipped one."""
        if self.language == texts.ENGLISH or name in self.given:
            return scenario.title
        return texts.read(self.language).get(f"scenario.{name}", scenario.title)

    def story(self, name: str) -> Telling:
        """A story, whose claims are tried against the model once for all visitors, while it is told.

        Raises:
            RefusedError: If there is no such story.
        """
        if name not in self.stories:
            raise RefusedError("there is no such story")
        with self._lock:
            if name not in self._tellings or self._tellings[name].failed:
                self._tellings[name] = Telling(self.stories[name], self._first_teller, self._teller)
            return self._tellings[name]

    def payload(
        self, sides: Sequence[Scenario], seed: int, runs: int, stop: threading.Event | None = None, run: int = 0
    ) -> str | None:
        """The histories of some scenarios as JSON; None if it was given up.

        Raises:
            RequestError: If a community cannot be built.
        """
        key = _key(sides, seed, runs, run)
        with self._lock:
            found = self._answers.get(key)
        if found is not None:
            return found
        months = common_months(unique_names(sides))
        try:
            shows = [self._side(one, seed, runs, months, run, stop) for one in sides]
        except history.GivenUp:
            return None
        together = history.Show(
            tuple(one.sides[0] for one in shows), seed, run, np.concatenate([one.monthly for one in shows])
        )
        made = json.dumps(texts.worded(together.payload(), self.language), separators=(",", ":"), allow_nan=False)
        self._keep(self._answers, key, made)
        return made

    def _side(
        self, scenario: Scenario, seed: int, runs: int, months: int, run: int, stop: threading.Event | None
    ) -> history.Show:
        """The history of one side and its runs; a lever mostly moves one side, and the other is still known."""
        key = (_key([scenario], seed, runs, run), months)
        with self._lock:
            found = self._shows.get(key)
        if found is None:
            found = history.show(
                [scenario], seed=seed, run=run, runs=runs, months=months, stop=stop, threads=self._threads
            )
            self._keep(self._shows, key, found)
        return found

    def _keep(self, kept: OrderedDict[Any, Any], key: Any, value: Any) -> None:
        """Keep an answer; the oldest ones are forgotten."""
        with self._lock:
            kept[key] = value
            kept.move_to_end(key)
            while len(kept) > KEPT:
                kept.popitem(last=False)

    def known(self, sides: Sequence[Scenario], seed: int, runs: int, run: int) -> bool:
        """Whether these histories were just computed."""
        with self._lock:
            return _key(sides, seed, runs, run) in self._answers

    def first(self) -> str | None:
        """The histories that the room opens with."""
        return self.payload([self.offered[side.name] for side in self.opening.sides], self.opening.seed, RUNS)

    def close(self) -> None:
        """End the pool."""
        self.turns.close()
        self.long_turns.close()
        for teller in (self._first_teller, self._teller):
            teller.shutdown(wait=False, cancel_futures=True)


def _key(sides: Sequence[Scenario], seed: int, runs: int, run: int) -> tuple[Any, ...]:
    """Equal for what gives the same bytes."""
    return tuple((one.hash(), one.name, one.title) for one in sides), seed, runs, run


@dataclass(eq=False)
class Session:
    """One visitor: what is shown, and what was uploaded.

    Attributes:
        room: What all visitors share.
        send: Takes an answer; may be called from another thread.
    """

    room: Room
    send: Callable[[dict[str, Any]], None]
    shown: Shown = field(init=False)
    _sides: list[Scenario] = field(init=False)
    _folder: Path | None = None
    _files: list[str] = field(default_factory=list)
    _bases: dict[str, Scenario] = field(default_factory=dict)
    _closed: bool = False
    _lock: Any = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        """Begin with what the room opens with."""
        self.shown = self.room.opening
        self._sides = [self._built(side) for side in self.shown.sides]

    # What comes in

    def receive(self, message: Any) -> None:
        """Answer a message; what is wrong with it is said to the visitor in a sentence."""
        if self._closed:
            return
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            return
        number = message.get("id")
        number = number if isinstance(number, int) and not isinstance(number, bool) else 0
        answer = (
            getattr(self, f"_on_{message['type']}", None) if re.fullmatch("[a-z_]{1,20}", message["type"]) else None
        )
        if answer is None:
            return
        with self._lock:
            self._try(number, lambda: answer(number, message))

    def _try(self, number: int, act: Callable[[], None]) -> None:
        """Do something, and say in a sentence what is wrong with what was asked for."""
        try:
            act()
        except (RefusedError, LeverError, ShareError, RequestError) as error:
            self._failed(number, str(error))
        except (LookupError, TypeError, ValueError, OverflowError):
            self._failed(number, "the page asked for something that cannot be read; load it again")

    def close(self) -> None:
        """Forget the visitor: give up what is computed, remove what was uploaded."""
        self._closed = True
        for turns in (self.room.turns, self.room.long_turns):
            turns.forget(self)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _answer(self, type: str, number: int, **more: Any) -> None:
        if not self._closed:
            self.send({"type": type, "id": number, **more})

    def _failed(self, number: int, text: str) -> None:
        folder = self._folder
        told = text if folder is None else text.replace(f"{folder}/", "").replace(str(folder), "")
        self._answer("failed", number, text=told.replace("\n", "; "))

    # What is shown

    def _on_hello(self, number: int, message: dict[str, Any]) -> None:
        """Begin, or begin again: with what a link says, if there is one."""
        text = message.get("link")
        problem = ""
        if text:
            try:
                wanted = share.shown(_text(text, share.MOST_LINK), self.room.offered)
                self._take(wanted)
            except (ShareError, RefusedError) as error:
                problem = str(error)
        self._tell(number, greeting=True, problem=problem)

    def _on_sides(self, number: int, message: dict[str, Any]) -> None:
        """Choose scenarios by name."""
        names = message["names"]
        if not isinstance(names, list) or not 1 <= len(names) <= 2:
            raise RefusedError("choose one or two scenarios")
        before = {side.name: side for side in self.shown.sides if side.name}
        sides = []
        for name in names:
            if name in before and message.get("keep", True):
                sides.append(before[name])
            elif name in self.room.offered:
                sides.append(Side(name))
            elif name == "" and (own := next((side for side in self.shown.sides if side.text), None)):
                sides.append(own)
            else:
                raise RefusedError("there is no such scenario; choose one of the list")
        self._take(replace(self.shown, sides=tuple(sides)))
        self._tell(number)

    def _on_set(self, number: int, message: dict[str, Any]) -> None:
        """Move levers of one side, or of both."""
        values = _values(message["values"])
        for place in self._places(message["side"]):
            self._replace(place, levers.moved(self._before_events(place), values))
        self._tell(number)

    def _on_principle(self, number: int, message: dict[str, Any]) -> None:
        """Turn the rules of a principle on or off."""
        for place in self._places(message["side"]):
            scenario = levers.with_principle(self._before_events(place), int(message["number"]), bool(message["on"]))
            self._replace(place, scenario)
        self._tell(number)

    def _on_reset(self, number: int, message: dict[str, Any]) -> None:
        """Take back what was changed on a side."""
        sides = list(self.shown.sides)
        for place in self._places(message["side"]):
            sides[place] = replace(sides[place], changes={}, events=())
        self._take(replace(self.shown, sides=tuple(sides)))
        self._tell(number)

    def _on_seed(self, number: int, message: dict[str, Any]) -> None:
        """Other luck."""
        seed = message["seed"]
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= share.MOST_SEED:
            raise RefusedError("a seed is a whole number of at least 0")
        self.shown = replace(self.shown, seed=seed, run=0)
        self._tell(number)

    def _on_place(self, number: int, message: dict[str, Any]) -> None:
        """Where the visitor looks: month and view, once settled."""
        month, view = message.get("month", self.shown.month), message.get("view", self.shown.view)
        if isinstance(month, int) and 0 <= month <= 1200 and view in share.VIEWS:
            self.shown = replace(self.shown, month=month, view=view)
        self._answer("link", number, link=self._link())

    def _on_story(self, number: int, message: dict[str, Any]) -> None:
        """Begin a story: at once, while its claims are still being tried against the model."""

        def hear(kind: str, data: dict[str, Any]) -> None:
            if kind == "failed":
                self._failed(number, "the claims of this story could not be tried; choose another one")
            else:
                self._answer(kind, number, **data)

        self.room.story(_text(message["name"], 100)).listen(hear)

    def _on_stage(self, number: int, message: dict[str, Any]) -> None:
        """Show two sides of a story, or one, with its luck."""
        story = self.room.stories.get(_text(message["story"], 100))
        if story is None:
            raise RefusedError("there is no such story")
        sides = []
        for name in (message["a"], message.get("b") or ""):
            key = f"{story.name}.{name}.{message['month']}"
            if name and key not in self.room.offered:
                raise RefusedError("the story has no such side in this month")
            sides += [Side(key)] if name else []
        self._take(replace(self.shown, sides=tuple(sides), seed=story.seed, run=story.run))
        self._tell(number)

    # Text and files

    def _on_check(self, number: int, message: dict[str, Any]) -> None:
        """Check a text, as ``cej-sim check`` does."""
        text = _text(message["yaml"], share.MOST_TEXT)

        def work(stop: threading.Event) -> None:
            _, lines, remarks = self._read(text)
            if not stop.is_set():
                self._answer("problems", number, lines=lines, remarks=remarks)

        self.room.turns.ask(self, "check", work, lambda: self._late(number))

    def _on_run_yaml(self, number: int, message: dict[str, Any]) -> None:
        """Check a text, and show it on a side if it is right."""
        text = _text(message["yaml"], share.MOST_TEXT)
        (place,) = self._places(message["side"])

        def show() -> None:
            scenario, lines, remarks = self._read(text)
            self._answer("problems", number, lines=lines, remarks=remarks)
            if scenario is None:
                raise RefusedError("the text has mistakes, which stand below it; nothing else was changed")
            sides = list(self.shown.sides)
            sides[min(place, len(sides) - 1)] = Side("", text)
            self._take(replace(self.shown, sides=tuple(sides)))
            self._tell(number)

        def work(stop: threading.Event) -> None:
            with self._lock:
                if not stop.is_set() and not self._closed:
                    self._try(number, show)

        self.room.turns.ask(self, "run_yaml", work, lambda: self._late(number))

    def _read(self, text: str) -> tuple[Scenario | None, list[dict[str, Any]], list[str]]:
        reading = read_text(text, share.TEXT_NAME, self._own_folder(), list(self._files))
        if reading.scenario is not None:
            try:
                self._within_limits([reading.scenario])
            except RefusedError as error:
                return None, [{"line": 1, "column": 1, "text": str(error)}], []
        return reading.scenario, share.said(reading, self._own_folder()), list(reading.remarks)

    def _on_yaml(self, number: int, message: dict[str, Any]) -> None:
        """The text of a side: its own where nothing was changed, else one that says the same."""
        (place,) = self._places(message["side"])
        side, scenario = self.shown.sides[place], self._sides[place]
        if side.changes or side.events:
            text = share.written(scenario)
        elif side.text:
            text = side.text
        elif side.name in shipped() and side.name not in self.room.given:
            text = shipped()[side.name].read_text(encoding="utf-8")
        else:
            text = share.written(scenario)
        self._answer("yaml", number, text=text, name=f"{scenario.name}.yaml")

    def _on_upload(self, number: int, message: dict[str, Any]) -> None:
        """Keep a network, or its table of nodes, for the scenario that will name it."""
        limits = self.room.limits
        name, content = _text(message["name"], 200), _text(message["b64"], limits.message)
        stem, _, ending = name.rpartition(".")
        ending = ending.lower()
        if ending not in ("graphml", "gexf", "gml", "csv"):
            raise RefusedError("a network is a file ending in .graphml, .gexf, .gml or .csv")
        try:
            data = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError) as error:
            raise RefusedError("the file was damaged on its way; upload it again") from error
        most = limits.upload // 5 if ending == "gml" else limits.upload
        if len(data) > most:
            raise RefusedError(
                f"the file is larger than {most / 1e6:g} MB, which is the most that this page takes of its kind; "
                "use cej-sim in a terminal for large networks"
            )
        safe = f"{re.sub('[^A-Za-z0-9_-]+', '_', stem)[:40].strip('_') or 'network'}.{ending}"
        if safe not in self._files and len(self._files) >= limits.uploads:
            raise RefusedError(f"{limits.uploads} files were uploaded already; load the page again to begin anew")
        path = self._own_folder() / safe
        path.write_bytes(data)
        self._bases.clear()  # a text may name it
        if safe not in self._files:
            self._files.append(safe)
        self._answer("uploaded", number, name=safe, bytes=len(data), files=list(self._files))

    def _own_folder(self) -> Path:
        """A folder for uploads that only this user of the computer can open, gone with the session."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="cej_sim-room-"))
        return self._folder

    # What if

    def _on_whatif(self, number: int, message: dict[str, Any]) -> None:
        """Who would vote how on a change of rules, if it were put to a motion after the month shown."""
        (place,) = self._places(message["side"])
        scenario, position = whatif.changed(
            self._sides[place], int(message["month"]), _values(message["values"]), "motion"
        )
        seed, run = self.shown.seed, self.shown.run

        def work(stop: threading.Event) -> None:
            try:
                vote = whatif.vote(scenario, position, seed, run, stop)
            except RequestError as error:
                self._failed(number, str(error))
                return
            if not stop.is_set():
                self._answer("vote", number, side=place, **whatif.as_data(vote))

        self.room.turns.ask(self, "whatif", work, lambda: self._late(number))

    def _on_apply(self, number: int, message: dict[str, Any]) -> None:
        """Change rules of a side after the month shown, by mandate or by motion."""
        (place,) = self._places(message["side"])
        by = message["by"]
        if by not in ("mandate", "motion"):
            raise RefusedError("rules change by mandate or by motion")
        side = self.shown.sides[place]
        if len(side.events) >= share.MOST_EVENTS:
            raise RefusedError(f"{share.MOST_EVENTS} changes were added already; take some back")
        scenario, position = whatif.changed(self._sides[place], int(message["month"]), _values(message["values"]), by)
        after = replace(side, events=(*side.events, scenario.events[position]))
        sides = list(self.shown.sides)
        if message.get("beside") and len(sides) == 2:
            sides[1 - place] = side  # the same without the change, to compare with
        sides[place] = after
        if message.get("beside") and len(sides) == 2 and place == 0:
            sides.reverse()
        self._take(replace(self.shown, sides=tuple(sides)))
        self._tell(number)

    def _on_forget(self, number: int, message: dict[str, Any]) -> None:
        """Take back one change of rules that was added."""
        (place,) = self._places(message["side"])
        sides = list(self.shown.sides)
        events = list(sides[place].events)
        del events[int(message["event"])]
        sides[place] = replace(sides[place], events=tuple(events))
        self._take(replace(self.shown, sides=tuple(sides)))
        self._tell(number)

    # Export

    def _on_export(self, number: int, message: dict[str, Any]) -> None:
        """A table or a report of what is shown, over all runs."""
        what = message["what"]
        if what not in ("csv", "report"):
            raise RefusedError("a table or a report can be had")
        sides, seed, link = list(self._sides), self.shown.seed, self._link()
        self._answer("busy", number, what=what)

        def work(stop: threading.Event) -> None:
            try:
                name, mime, content = exported(what, sides, seed, link, stop)
            except RequestError as error:
                self._failed(number, str(error))
                return
            if not stop.is_set():
                self._answer("file", number, name=name, mime=mime, b64=base64.b64encode(content).decode())

        self.room.long_turns.ask(self, "export", work, lambda: self._late(number), EXPORT_SECONDS)

    # What all of them use

    def _places(self, side: Any) -> list[int]:
        """The sides that are meant: 0, 1 or both."""
        if side == "both":
            return list(range(len(self.shown.sides)))
        if isinstance(side, bool) or side not in range(len(self.shown.sides)):
            raise RefusedError("there is no such side")
        return [side]

    def _base(self, side: Side) -> Scenario:
        return self._built(replace(side, changes={}, events=()))

    def _built(self, side: Side) -> Scenario:
        base = self._bases.get(side.text) if side.text else None
        if base is None:
            folder = self._own_folder() if side.text else Path()
            base = share.base_of(side, self.room.offered, folder, self._files)
            if side.text:
                self._bases = {**dict(list(self._bases.items())[-3:]), side.text: base}
        return share.built(side, base)

    def _before_events(self, place: int) -> Scenario:
        """A side's scenario without what "what if" has added."""
        return self._built(replace(self.shown.sides[place], events=()))

    def _replace(self, place: int, scenario: Scenario) -> None:
        """Take a scenario with moved levers in place of a side's."""
        side = self.shown.sides[place]
        base = self._base(side)
        changes = {path: value for path, value in scenario.values.items() if base[path] != value}
        sides = list(self.shown.sides)
        sides[place] = replace(side, changes=changes)
        self._take(replace(self.shown, sides=tuple(sides)))

    def _take(self, wanted: Shown) -> None:
        """Show something else, if it can be shown.

        Raises:
            ShareError, RefusedError: If not; then nothing has changed.
        """
        scenarios = [self._built(side) for side in wanted.sides]
        self._within_limits(scenarios)
        self.shown, self._sides = wanted, scenarios

    def _within_limits(self, scenarios: Sequence[Scenario]) -> None:
        limits = self.room.limits
        for scenario in scenarios:
            number = agents(scenario)
            if number > limits.agents:
                raise RefusedError(
                    f"{scenario.title}: {number:,} people and organizations are more than the {limits.agents:,} that "
                    "this page computes; make it smaller, or run it with cej-sim run"
                )
        wanted = work_of(scenarios)
        if wanted > limits.work:
            raise RefusedError(
                f"this would take about {wanted / limits.work:.1f} times what this page computes for one visitor; "
                "use fewer people, ties or months, or run it with cej-sim compare"
            )

    def _turns_for(self, kind: str, scenarios: Sequence[Scenario]) -> Turns:
        """The door through which a request goes; what was asked for before, through the other, is given up."""
        large = work_of(scenarios) > self.room.limits.quick
        chosen, other = (self.room.turns, self.room.long_turns)[:: -1 if large else 1]
        other.forget(self, kind)
        return chosen

    def _link(self) -> str | None:
        """The link to what is shown; None where it would be too long."""
        try:
            return share.link(self.shown)
        except ShareError:
            return None

    def _state(self) -> dict[str, Any]:
        """All that the panels of the page show."""
        sides = []
        for side, scenario in zip(self.shown.sides, self._sides, strict=True):
            base = self._base(side)
            now = self._built(replace(side, events=()))
            sides.append(
                {
                    "name": side.name,
                    "own": bool(side.text),
                    "title": scenario.title if side.text else self.room.title(side.name, scenario),
                    "months": scenario.months,
                    "values": dict(now.values),
                    "base": {path: base[path] for path in side.changes},
                    "principles": levers.principle_states(now),
                    "budget": levers.lines(now),
                    "events": [{"month": event.month, "by": event.by, "set": dict(event.set)} for event in side.events],
                    "network": scenario.network_file is not None,
                }
            )
        remarks = []
        if len(self._sides) == 2:
            remarks = comparison_remarks(unique_names(self._sides))
        return {
            "sides": sides,
            "seed": self.shown.seed,
            "month": self.shown.month,
            "view": self.shown.view,
            "remarks": remarks,
            "files": list(self._files),
        }

    def _tell(self, number: int, greeting: bool = False, problem: str = "") -> None:
        """Send what is shown now: first where the panels stand, then the histories."""
        link = self._link()
        self._answer("state", number, state=self._state(), link=link, problem=problem, greeting=greeting)
        sides, seed, run = list(self._sides), self.shown.seed, self.shown.run
        stages = [RUNS] if self.room.known(sides, seed, RUNS, run) else [FIRST_RUNS, RUNS]

        def work(stop: threading.Event) -> None:
            for runs in stages:
                try:
                    payload = self.room.payload(sides, seed, runs, stop, run)
                except RequestError as error:
                    self._failed(number, str(error))
                    return
                if payload is None or stop.is_set():
                    return
                self._answer("payload", number, payload=payload, whole=runs == RUNS)

        self._turns_for("show", sides).ask(self, "show", work, lambda: self._late(number))

    def _late(self, number: int) -> None:
        self._failed(
            number,
            "this took too long and was given up; use fewer people or months, or try again when fewer people are here",
        )


def work_of(scenarios: Sequence[Scenario]) -> float:
    """How much there is to compute: agents times months times runs, where many ties count like more agents."""
    return sum(agents(one) * (1.0 + float(one["network.degree"]) / 10.0) * one.months * RUNS for one in scenarios)


def agents(scenario: Scenario) -> int:
    """How many people and organizations a scenario has, as far as it says so before it is built."""
    number = int(scenario["community.residents"]) + int(scenario["community.organizers"]) + 1
    file = scenario.network_file
    if file is None:
        return number + int(scenario["community.institutions"])
    from cej_sim.network_files import read_network

    return number + len(read_network(file).ids)


def exported(
    what: str, sides: Sequence[Scenario], seed: int, link: str | None, stop: threading.Event
) -> tuple[str, str, bytes]:
    """Name, kind and content of a file that tells what is shown, over all runs."""
    named = unique_names(sides)
    told = f"cej-sim app, link #{link}" if link else "cej-sim app"

    def watch(done: int, total: int) -> None:
        if stop.is_set():
            raise RequestError("given up")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ComparisonWarning)
        result: Any
        if len(sides) == 1:
            result = simulate(sides[0], RUNS, seed, threads=1, progress=watch)
        else:
            result = compare(
                *sides, runs=RUNS, seed=seed, threads=1, progress=watch, allow_unequal_budgets=True, command=told
            )
    stem = "-vs-".join(re.sub(r"\W+", "-", name) for name in named)[:80]
    if what == "report":
        return f"{stem}.html", "text/html", result.report(told).encode("utf-8", "backslashreplace")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([f"# {provenance.NOTE} cej-sim {provenance.version()}, seed {seed}, {RUNS} runs"])
    writer.writerow(["scenario", "month", "metric", "label", "unit", "run_shown", "mean", "low", "high"])
    for name, frame in result.monthly.groupby("scenario", sort=False, observed=True):
        months = np.unique(frame["month"])
        table = frame.sort_values(["run", "month"])
        for metric in METRICS:
            values = table[metric.name].to_numpy(dtype=float).reshape(RUNS, months.size)
            low, high = np.nanpercentile(values, [5, 95], axis=0)
            mean = np.nanmean(values, axis=0)
            for i, month in enumerate(months):
                numbers = [f"{one:.6g}" for one in (values[0, i], mean[i], low[i], high[i])]
                writer.writerow([name, int(month), metric.name, metric.label, metric.unit, *numbers])
    return f"{stem}.csv", "text/csv", out.getvalue().encode()


def _text(value: Any, most: int) -> str:
    """A text from outside.

    Raises:
        RefusedError: If it is none, or too long.
    """
    if not isinstance(value, str):
        raise RefusedError("the page sent no text; load it again")
    if len(value) > most:
        raise RefusedError(f"the text has {len(value):,} characters; this page takes {most:,}")
    return value


def _values(said: Any) -> dict[str, Any]:
    """Paths and values from outside; what they say is checked where they are used."""
    if not isinstance(said, dict) or not 0 <= len(said) <= 200 or not all(isinstance(path, str) for path in said):
        raise RefusedError("the page sent rules that cannot be read; load it again")
    return said
