"""Mesa agents that are live views: each reads and writes one row of the state, and holds nothing itself.

What an agent shows stands in one table, ``ATTRIBUTES``; the properties, their help texts and the checks
of what is written are made from it. Reading always gives this month's value. Writing changes the state at
once, and the next month is computed from it.
"""

from __future__ import annotations

import math
import reprlib
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

_RESIDENTS = KINDS[:1]
_SEATED = KINDS[:2]
_ORGANIZERS = KINDS[3:]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One thing that an agent shows.

    Attributes:
        name: Name of the property.
        meaning: What it is, in words.
        unit: Unit of the number; empty for a number on a scale of its own.
        form: ``"number"``, ``"switch"`` (True or False), ``"word"`` (a name or a place, never written), ``"shares"``
            (entries from 0 to 1 with the sum 1), ``"entries"`` (entries from 0 to 1) or ``"decision"``
            (priorities, strategy and budget preferences behind one another).
        low, high: Closed bounds of a number or of each entry.
        field: Array of ``state.State`` that holds it; empty if it bears the same name.
        part: Which columns of the row, given the number of issues; None for all of it.
        writers: Kinds of agent for which it may be written.
        fixed: Why it cannot be written, and what to do instead; empty where it can.
        words: Turns what the array holds into what people read.
        before: Called with state, row and the new value before it is written, for what is summed up from it.
    """

    name: str
    meaning: str
    unit: str = ""
    form: Literal["number", "switch", "word", "shares", "entries", "decision"] = "number"
    low: float = 0.0
    high: float = 1.0
    field: str = ""
    part: Part | None = None
    writers: tuple[str, ...] = KINDS
    fixed: str = ""
    words: Words | None = None
    before: Callable[[State, int, Any], None] | None = None

    @property
    def help(self) -> str:
        """The text that ``help()`` shows: meaning, unit, bounds, and who may write it."""
        shape = ""
        if self.form == "switch":
            shape = " True or False."
        elif self.form != "word":
            unit = f"Unit: {self.unit}, from" if self.unit else "From"
            upwards = "" if math.isinf(self.high) else f" to {self.high:g}"
            shape = f" {unit} {self.low:g}{upwards}{_SHAPES.get(self.form, '')}."
        if self.fixed:
            return f"{self.meaning}{shape} Read only: {self.fixed}."
        only = "" if self.writers == KINDS else f" Can be written for {' and '.join(self.writers)}s only."
        return f"{self.meaning}{shape}{only}"

    def read(self, agent: Member) -> Any:
        """This month's value: a Python number, a word, or a read-only copy of several entries."""
        state = agent.model.state
        value = getattr(state, self.field or self.name)[agent.row]
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
        array = getattr(state, self.field or self.name)
        if self.part is None:
            array[agent.row] = checked
        else:
            array[agent.row, self.part(state.structural.size)] = checked

    def checked(self, value: object, state: State) -> tuple[Any, str]:
        """The value as the array holds it, and what is wrong with it (empty if nothing is)."""
        if self.form == "switch":
            right = isinstance(value, bool | np.bool_)
            return value, "" if right else f"{reprlib.repr(value)} is not a yes/no value; write True or False"
        if self.form == "number":
            return _checked_number(value, self.low, self.high, self.unit)
        issues = state.structural.size
        if self.form == "decision":
            return _checked_decision(value, issues)
        if self.name == "budget_preferences":
            length, of = len(BUDGET_LINES), f"one for each budget line ({', '.join(BUDGET_LINES)})"
        else:
            length, of = issues, "one for each issue"
        return _checked_entries(value, length, of, self.high, sums=self.form == "shares")

    def as_property(self) -> property:
        """The property of this attribute; its docstring is ``help``."""
        return property(self.read, self.write, doc=self.help)


_SHAPES = {
    "shares": "; one entry each, with the sum 1",
    "entries": "; one entry each",
    "decision": "; priorities, then strategy, then budget preferences",
}


def _checked_number(value: object, low: float, high: float, unit: str) -> tuple[Any, str]:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        return value, f"{reprlib.repr(plain)} is not a number; write a number from {low:g} to {high:g}"
    if not low <= plain <= high:
        of = f" ({unit})" if unit else ""
        return value, f"{reprlib.repr(plain)} is not a number from {low:g} to {high:g}{of}"
    return float(plain), ""


def _checked_entries(value: object, length: int, of: str, high: float, sums: bool) -> tuple[Any, str]:
    try:
        entries = np.asarray(value)
    except ValueError:
        entries = np.empty(0, object)
    if entries.dtype.kind not in "fiu":
        return value, f"{reprlib.repr(value)} is not a list of numbers; write {length} numbers, {of}"
    if entries.shape != (length,):
        found = f"{entries.size} numbers" if entries.ndim == 1 else f"an array of shape {entries.shape}"
        return value, f"{found} instead of {length}; write {of}"
    if not ((entries >= 0.0) & (entries <= high)).all():
        return value, f"every entry must be a number from 0 to {high:g}, not {reprlib.repr(entries.tolist())}"
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


def _word(name: str, meaning: str, words: Words) -> Attribute:
    return Attribute(name, meaning, form="word", fixed=_POPULATION, words=words)


def _switch(name: str, meaning: str, writers: tuple[str, ...] = KINDS, fixed: str = "") -> Attribute:
    return Attribute(name, meaning, form="switch", writers=writers, fixed=fixed)


_POPULATION = "it belongs to the population of month 0; change the scenario instead"
_MONTHLY = "every month settles it anew; write what it follows from instead"
_SUMMED = "the burdens of groups were summed up from it; change the groups of the scenario instead"

#: All that an agent shows, in the order in which it is listed.
ATTRIBUTES: tuple[Attribute, ...] = (
    # Who they are
    _word("kind", "The role: resident, institution, backbone or organizer.", lambda _model, number: KINDS[number]),
    _switch("active", "Whether the row is in use; write True to hire an organizer who is not.", writers=_ORGANIZERS),
    _switch("paid", "Whether coming to meetings is part of a paid job.", fixed=_POPULATION),
    _switch("affected", "Whether the agent belongs to a most affected group.", fixed=_POPULATION),
    _word("group", "Name of the resident's group; None for others.", _group_name),
    _word("neighborhood", "Number of the neighborhood, from 0; None where there is none.", _number_or_none),
    _word("table", "Number of the table at which the agent may sit, from 0; None for all tables.", _number_or_none),
    _word("home", "The issue of its mission, or where its stake lies.", _issue_name),
    Attribute("exposure", "How much each issue weighs on the agent.", form="entries", high=2.0, fixed=_SUMMED),
    Attribute("barrier", "What stands in the way of taking part: 0 nothing, 1 everything.", before=_new_barrier),
    Attribute("stake", "Interest in things staying as they are."),
    Attribute("mission", "How far priorities would follow the own mission rather than need."),
    Attribute("threshold", "Share of contacts that must be acting before the agent acts too.", "share"),
    Attribute("agency_base", "The agency to which agency returns."),
    Attribute("trust_base", "The trust to which trust returns."),
    # What they want and hold true
    Attribute("priorities", "How the agent would divide the agenda among the issues.", "share", "shares",
              field="x", part=lambda issues: slice(0, issues)),
    Attribute("strategy", "How much should go to policy and systems change rather than to programs.", "share",
              field="x", part=lambda issues: issues),
    Attribute("budget_preferences", f"How the agent would divide the money: {', '.join(BUDGET_LINES)}.",
              "share", "shares", field="x", part=lambda issues: slice(issues + 1, None)),
    Attribute("convictions", "What the agent is drawn back to; slowly follows its situation.", "share", "decision",
              field="x0"),
    Attribute("beliefs", "Part of each issue that the agent believes policies and systems to cause.", "share",
              "entries", field="belief"),
    Attribute("idea_origin", "Part of what the agent wants that began as residents' convictions.", "share",
              field="origin", fixed=_MONTHLY),
    # How they are
    Attribute("agency", "Sense of one's own power."),
    Attribute("consciousness", "Critical consciousness: readiness to see causes in structures."),
    Attribute("skill", "Skill in meetings, negotiation and programs."),
    Attribute("trust", "Trust in the coalition."),
    Attribute("openness", "Openness to sharing power."),
    Attribute("resources", "Standing and means."),
    Attribute("fatigue", "Tiredness of collective action.", writers=_RESIDENTS),
    Attribute("grievance", "Stored grievance.", high=2.0),
    Attribute("engagement", "Engagement of those who come as part of a job."),
    # What they do
    _switch("member", "Whether the agent holds a seat.", writers=_SEATED),
    _switch("present", "Whether the agent came to this month's meeting.", fixed=_MONTHLY),
    _switch("came", "Whether the agent came to last month's meeting.", fixed=_MONTHLY),
    _switch("met", "Whether the agent had a one-to-one or was met through services this month.", fixed=_MONTHLY),
    _switch("mobilized", "Whether the agent takes part in collective action and may draw others in.",
            writers=_RESIDENTS),
    _switch("leader", "Whether the agent acts as a leader.", writers=_RESIDENTS),
    Attribute("voice", "How much the agent is listened to; the mean over those who came is 1.", "ratio", high=math.inf,
              fixed=_MONTHLY),
    Attribute("decision_weight", "Part of this month's decision over the agenda.", "share", field="weight",
              fixed=_MONTHLY),
    Attribute("budget_weight", "Part of this month's decision over the budget.", "share", field="weight_budget",
              fixed=_MONTHLY),
)  # fmt: skip


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
    def name(self) -> str:
        """What the log calls the agent: its name in an imported network, or else its kind and number."""
        return self.model.names[self.row]

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
