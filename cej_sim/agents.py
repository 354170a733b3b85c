"""Mesa agents that are live views: each reads and writes one row of the state, and holds nothing itself.

What an agent shows stands in one table, ``ATTRIBUTES``; the properties, their help texts and the checks
of what is written are made from it. Reading always gives this month's value. Writing changes the state at
once, and the next month is computed from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from mesa.agent import AgentSet
from mesa.discrete_space import FixedAgent

from cej_sim.state import BUDGET_LINES, KINDS, State

if TYPE_CHECKING:
    from cej_sim.model import CoalitionModel

Part = Callable[[int], "int | slice"]
Words = Callable[["CoalitionModel", Any], object]

_EVERYBODY = KINDS
_TABLE = ("resident", "institution")
_RESIDENTS = ("resident",)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One thing that an agent shows.

    Attributes:
        name: Name of the property.
        field: Array of ``state.State`` that holds it.
        meaning: What it is, in words.
        unit: Unit of the number; "share" and "mean" run from 0 to 1.
        form: ``"number"``, ``"switch"`` (True or False), ``"word"`` (a name or a place, never written), ``"shares"``
            (entries from 0 to 1 with the sum 1), ``"entries"`` (entries from 0 to 1) or ``"decision"``
            (priorities, strategy and budget preferences behind one another).
        low, high: Closed bounds of a number or of each entry.
        part: Which columns of the row, given the number of issues; None for all of it.
        writers: Kinds of agent for which it may be written.
        fixed: Why it cannot be written, and what to do instead; empty where it can.
        words: Turns what the array holds into what people read.
        before: Called with state, row and the new value before it is written, for what is summed up from it.
    """

    name: str
    field: str
    meaning: str
    unit: str = "mean"
    form: Literal["number", "switch", "word", "shares", "entries", "decision"] = "number"
    low: float = 0.0
    high: float = 1.0
    part: Part | None = None
    writers: tuple[str, ...] = _EVERYBODY
    fixed: str = ""
    words: Words | None = None
    before: Callable[[State, int, Any], None] | None = None

    @property
    def help(self) -> str:
        """The text that ``help()`` shows: meaning, unit, bounds, and who may write it."""
        if self.form == "word":
            shape = ""
        elif self.form == "switch":
            shape = " True or False."
        else:
            shape = f" Unit: {self.unit}, from {self.low:g} to {self.high:g}{_SHAPES[self.form]}."
        if self.fixed:
            return f"{self.meaning}{shape} Read only: {self.fixed}."
        only = "" if self.writers == _EVERYBODY else f" Written for {' and '.join(self.writers)}s only."
        return f"{self.meaning}{shape}{only}"

    def read(self, agent: Member) -> Any:
        """This month's value: a Python number, a word, or a read-only copy of several entries."""
        state = agent.model.state
        value = getattr(state, self.field)[agent.row]
        if self.part is not None:
            value = value[self.part(state.structural.size)]
        if self.words is not None:
            return self.words(agent.model, value.item())
        if value.ndim == 0:
            return value.item()
        copy = value.copy()
        copy.flags.writeable = False
        return copy

    def write(self, agent: Member, value: object) -> None:
        """Check the value and put it into the state.

        Raises:
            AttributeError: If the attribute cannot be written, or not for this kind of agent.
            ValueError: If the value is of the wrong type or shape, not finite or out of bounds.
        """
        if self.fixed:
            raise AttributeError(f"{self.name} of {agent} cannot be written: {self.fixed}")
        if agent.kind not in self.writers:
            raise AttributeError(
                f"{self.name} of {agent} cannot be written: only {' and '.join(self.writers)}s have it"
            )
        state = agent.model.state
        checked, problem = self.checked(value, state)
        if problem:
            raise ValueError(f"{self.name} of {agent}: {problem}")
        if self.before is not None:
            self.before(state, agent.row, checked)
        array = getattr(state, self.field)
        if self.part is None:
            array[agent.row] = checked
        else:
            array[agent.row, self.part(state.structural.size)] = checked

    def checked(self, value: object, state: State) -> tuple[Any, str]:
        """The value as the array holds it, and what is wrong with it (empty if nothing is)."""
        if self.form == "switch":
            right = isinstance(value, bool | np.bool_)
            return value, "" if right else f"{value!r} is not a yes/no value; write True or False"
        if self.form == "number":
            return _checked_number(value, self.low, self.high, self.unit)
        issues = state.structural.size
        if self.form == "decision":
            return _checked_decision(value, issues)
        length = len(BUDGET_LINES) if self.name == "budget_preferences" else issues
        of = f"one for each budget line ({', '.join(BUDGET_LINES)})" if length != issues else "one for each issue"
        return _checked_entries(value, length, of, self.high, sums=self.form == "shares")

    def as_property(self) -> property:
        """The property of this attribute; its docstring is ``help``."""
        return property(self.read, self.write, doc=self.help)


_SHAPES = {
    "number": "",
    "shares": "; one entry each, with the sum 1",
    "entries": "; one entry each",
    "decision": "; priorities, then strategy, then budget preferences",
}


def _checked_number(value: object, low: float, high: float, unit: str) -> tuple[Any, str]:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return value, f"{value!r} is not a number; write a number from {low:g} to {high:g}"
    number = float(value)
    if not math.isfinite(number) or not low <= number <= high:
        return value, f"{number:g} is not a number from {low:g} to {high:g} ({unit})"
    return number, ""


def _checked_entries(value: object, length: int, of: str, high: float, sums: bool) -> tuple[Any, str]:
    try:
        entries = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return value, f"{value!r} is not a list of numbers; write {length} numbers, {of}"
    if entries.shape != (length,):
        found = f"{entries.size} numbers" if entries.ndim == 1 else f"an array of shape {entries.shape}"
        return value, f"{found} instead of {length}; write {of}"
    if not np.isfinite(entries).all() or entries.min() < 0.0 or entries.max() > high:
        return value, f"every entry must be a number from 0 to {high:g}, not {entries.tolist()}"
    if sums and abs(entries.sum() - 1.0) > 1e-9:
        return value, f"the entries add up to {entries.sum():.6g}; they must add up to 1 (divide each by the sum)"
    return entries, ""


def _checked_decision(value: object, issues: int) -> tuple[Any, str]:
    length = issues + 1 + len(BUDGET_LINES)
    entries, problem = _checked_entries(
        value, length, f"{issues} priorities, 1 strategy and {len(BUDGET_LINES)} budget shares", 1.0, sums=False
    )
    for part, what in ((slice(0, issues), "priorities"), (slice(issues + 1, None), "budget shares")):
        if not problem and abs(entries[part].sum() - 1.0) > 1e-9:
            problem = f"the {what} add up to {entries[part].sum():.6g}; they must add up to 1"
    return entries, problem


def _group_name(model: CoalitionModel, number: int) -> str | None:
    return model.coalition_scenario.groups[number].name if number >= 0 else None


def _issue_name(model: CoalitionModel, number: int) -> str | None:
    return model.coalition_scenario.issues[number].name if number >= 0 else None


def _number_or_none(_model: CoalitionModel, number: int) -> int | None:
    return number if number >= 0 else None


def _new_barrier(state: State, row: int, barrier: float) -> None:
    """Move the mean barrier of the agent's group, by which services reach it."""
    group = state.group[row]
    if group >= 0:
        mean = state.group_barrier[group] + (barrier - state.barrier[row]) / state.group_size[group]
        state.group_barrier[group] = min(1.0, max(0.0, mean))


_POPULATION = "it belongs to the population of month 0; change the scenario instead"
_MONTHLY = "every month settles it anew; write what it follows from instead"

#: All that an agent shows, in the order in which it is listed.
ATTRIBUTES: tuple[Attribute, ...] = (
    # Who they are
    Attribute(
        "kind",
        "kind",
        "The role: resident, institution, backbone or organizer.",
        form="word",
        fixed=_POPULATION,
        words=lambda _model, number: KINDS[number],
    ),
    Attribute(
        "active",
        "active",
        "Whether the row is in use; organizers who are not active can be hired by writing True.",
        form="switch",
        writers=("organizer",),
    ),
    Attribute("paid", "paid", "Whether coming to meetings is part of a paid job.", form="switch", fixed=_POPULATION),
    Attribute(
        "affected", "affected", "Whether the agent belongs to a most affected group.", form="switch", fixed=_POPULATION
    ),
    Attribute(
        "group",
        "group",
        "Name of the resident's group; None for others.",
        form="word",
        fixed=_POPULATION,
        words=_group_name,
    ),
    Attribute(
        "neighborhood",
        "neighborhood",
        "Number of the neighborhood, from 0; None where there is none.",
        form="word",
        fixed=_POPULATION,
        words=_number_or_none,
    ),
    Attribute(
        "table",
        "table",
        "Number of the table at which the agent may sit, from 0; None for all tables.",
        form="word",
        fixed=_POPULATION,
        words=_number_or_none,
    ),
    Attribute(
        "home",
        "home",
        "The issue of its mission, or where its stake lies.",
        form="word",
        fixed=_POPULATION,
        words=_issue_name,
    ),
    Attribute(
        "exposure",
        "exposure",
        "How much each issue weighs on the agent.",
        form="entries",
        high=2.0,
        fixed="the burdens of groups were summed up from it; change the groups of the scenario instead",
    ),
    Attribute(
        "barrier", "barrier", "What stands in the way of taking part: 0 nothing, 1 everything.", before=_new_barrier
    ),
    Attribute("stake", "stake", "Interest in things staying as they are."),
    Attribute("mission", "mission", "How far it would follow its own mission rather than need."),
    Attribute("threshold", "threshold", "Share of contacts that must be acting before the agent acts too.", "share"),
    Attribute("agency_base", "agency_base", "The agency to which agency returns."),
    Attribute("trust_base", "trust_base", "The trust to which trust returns."),
    # What they want and hold true
    Attribute(
        "priorities",
        "x",
        "How the agent would divide the agenda among the issues.",
        "share",
        "shares",
        part=lambda issues: slice(0, issues),
    ),
    Attribute(
        "strategy",
        "x",
        "Effort that the agent wants for policy and systems change rather than for programs.",
        "share",
        part=lambda issues: issues,
    ),
    Attribute(
        "budget_preferences",
        "x",
        f"How the agent would divide the money: {', '.join(BUDGET_LINES)}.",
        "share",
        "shares",
        part=lambda issues: slice(issues + 1, None),
    ),
    Attribute(
        "convictions",
        "x0",
        "What the agent is drawn back to; follows its situation by 2 % of the way a month.",
        "share",
        "decision",
    ),
    Attribute(
        "beliefs",
        "belief",
        "Part of each issue that the agent believes to be caused by policies and systems.",
        "share",
        "entries",
    ),
    Attribute(
        "idea_origin",
        "origin",
        "Part of what the agent wants that began as residents' convictions.",
        "share",
        fixed=_MONTHLY,
    ),
    # How they are
    Attribute("agency", "agency", "Sense of one's own power."),
    Attribute("consciousness", "consciousness", "Critical consciousness: readiness to see causes in structures."),
    Attribute("skill", "skill", "Skill in meetings, negotiation and programs."),
    Attribute("trust", "trust", "Trust in the coalition."),
    Attribute("openness", "openness", "Openness to sharing power."),
    Attribute("resources", "resources", "Standing and means."),
    Attribute("fatigue", "fatigue", "Tiredness of collective action.", writers=_RESIDENTS),
    Attribute("grievance", "grievance", "Stored grievance.", high=2.0),
    Attribute("engagement", "engagement", "Engagement of those who come as part of a job."),
    # What they do
    Attribute("member", "member", "Whether the agent holds a seat.", form="switch", writers=_TABLE),
    Attribute("present", "present", "Whether the agent came to this month's meeting.", form="switch", fixed=_MONTHLY),
    Attribute("came", "came", "Whether the agent came to last month's meeting.", form="switch", fixed=_MONTHLY),
    Attribute(
        "met",
        "met",
        "Whether the agent had a one-to-one or was met through services this month.",
        form="switch",
        fixed=_MONTHLY,
    ),
    Attribute(
        "mobilized",
        "mobilized",
        "Whether the agent takes part in collective action; spreads over ties from here.",
        form="switch",
        writers=_RESIDENTS,
    ),
    Attribute("leader", "leader", "Whether the agent acts as a leader.", form="switch", writers=_RESIDENTS),
    Attribute(
        "voice",
        "voice",
        "How much the agent is listened to; the mean of those who came is 1.",
        "ratio",
        high=math.inf,
        fixed=_MONTHLY,
    ),
    Attribute("decision_weight", "weight", "Part of this month's decision over the agenda.", "share", fixed=_MONTHLY),
    Attribute(
        "budget_weight", "weight_budget", "Part of this month's decision over the budget.", "share", fixed=_MONTHLY
    ),
)


class TieView(Mapping["Member", float]):
    """An agent's ties: the other agent -> strength in [0, 1], read from and written to the state.

    Writing changes both directions. Ties can be neither made nor taken away, only strengthened and weakened.
    """

    def __init__(self, agent: Member) -> None:
        """The ties of one agent."""
        self._agent = agent

    def _row(self) -> slice:
        indptr, row = self._agent.model.state.indptr, self._agent.row
        return slice(int(indptr[row]), int(indptr[row + 1]))

    def _place(self, a: int, b: int) -> int:
        """Where the state stores the direction from row a to row b; -1 if they have no tie."""
        state = self._agent.model.state
        first, last = int(state.indptr[a]), int(state.indptr[a + 1])
        place = first + int(np.searchsorted(state.indices[first:last], b))
        return place if place < last and state.indices[place] == b else -1

    def __getitem__(self, other: Member) -> float:
        """Strength of the tie to another agent; ``KeyError`` without one."""
        if isinstance(other, Member) and other.model is self._agent.model:
            place = self._place(self._agent.row, other.row)
            if place >= 0:
                return float(self._agent.model.state.tie[place])
        raise KeyError(other)

    def __setitem__(self, other: Member, strength: float) -> None:
        """Make a tie stronger or weaker, in both directions.

        Raises:
            KeyError: If the two have no tie.
            ValueError: If the strength is not a number from 0 to 1.
        """
        if other not in self:
            raise KeyError(f"{self._agent} and {other} have no tie; which ties there can be is fixed at the start")
        number, problem = _checked_number(strength, 0.0, 1.0, "strength")
        if problem:
            raise ValueError(f"tie of {self._agent} and {other}: {problem}")
        tie = self._agent.model.state.tie
        tie[self._place(self._agent.row, other.row)] = number
        tie[self._place(other.row, self._agent.row)] = number

    def __iter__(self) -> Iterator[Member]:
        """The agents tied to, by row."""
        return map(self._agent.model.agent_at, self._agent.model.state.indices[self._row()].tolist())

    def __len__(self) -> int:
        """Number of ties."""
        part = self._row()
        return part.stop - part.start

    def __repr__(self) -> str:
        """The ties, as a dictionary shows them."""
        return f"TieView({dict(self)!r})"


class Member(FixedAgent):
    """A view of one row of the state; what it shows is listed in ``ATTRIBUTES``.

    Attributes:
        row: The row in the arrays of ``model.state``, from 0; also its node in ``model.grid``.
    """

    model: CoalitionModel
    row: int

    def __init__(self, model: CoalitionModel, row: int) -> None:
        """The view of a row; ``CoalitionModel`` makes one for each."""
        super().__init__(model)
        self.row = row
        self.cell = model.grid[row]

    @property
    def ties(self) -> TieView:
        """The ties of this agent: other agent -> strength in [0, 1]; strengths can be written."""
        return TieView(self)

    @ties.setter
    def ties(self, value: object) -> None:
        raise AttributeError(f"ties of {self} cannot be replaced; write a strength: agent.ties[other] = 0.5")

    @property
    def neighbors(self) -> AgentSet:
        """The agents that this one is tied to, however weakly."""
        return AgentSet(list(self.ties), random=self.model.random)

    def remove(self) -> None:
        """Not possible: the population of a model is fixed.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError(
            f"{self} cannot be removed: the population is fixed; write member = False to take away the seat"
        )

    def __repr__(self) -> str:
        """Class and row, such as ``Resident 17``."""
        return f"{type(self).__name__} {self.row}"


for _attribute in ATTRIBUTES:
    setattr(Member, _attribute.name, _attribute.as_property())


class Resident(Member):
    """A resident of the community."""


class Institution(Member):
    """An organization with paid staff: an agency, a school, a hospital, a foundation's grantee."""


class Backbone(Member):
    """The coalition's own staff and the organization that hosts it."""


class Organizer(Member):
    """Somebody whose work is to organize residents; rows that are not ``active`` wait to be hired."""


#: The class of each kind, in the order of ``state.KINDS``.
AGENT_CLASSES: tuple[type[Member], ...] = (Resident, Institution, Backbone, Organizer)
