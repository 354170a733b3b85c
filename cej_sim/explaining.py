"""What the rules of a scenario mean together, in plain sentences; and in which rules two scenarios differ.

``explain`` composes its sentences from values alone: a scenario's name, label and description are never looked at.
A rule that no sentence mentions and that is not as usual is listed at the end of its phase, so that nothing a file
sets goes unmentioned; one that has no effect beside the others is listed with the reason. Amounts are worked out as
the docstrings of the phases say, for the first months, when the grant is all the money there is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from cej_sim.metrics import METRICS
from cej_sim.month import PHASES, RULES
from cej_sim.nodes import Place, clean
from cej_sim.parameters import PRINCIPLES, Parameter, Value
from cej_sim.population import head_counts
from cej_sim.reading import Reading
from cej_sim.scenario import DEFAULT_GROUPS, DEFAULT_ISSUES, GROUP, ISSUE, PARAMETERS, Event, Scenario, defaults
from cej_sim.state import BUDGET_LINES

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.console import Group as Printable
    from rich.text import Text

#: How many changes of an event are told one by one; more are gathered by phase.
FEW = 6


def _name(phase: ModuleType) -> str:
    """The name of a phase, which is that of its module."""
    return phase.__name__.rpartition(".")[2]


_SETTINGS = {p.path.rpartition(".")[2]: p for p in (*GROUP, *ISSUE)}
_METRIC = {metric.name: metric for metric in METRICS}
_PHASE_OF = {rule.path: _name(module) for module, _ in PHASES for rule in module.RULES}
_LINE_NAMES = {
    "coordination": "coordination",
    "organizing": "organizing",
    "supports": "supports for taking part (child care, transport, interpretation)",
    "training": "training",
    "evaluation": "evaluation",
    "action": "action (programs and campaigns)",
}
_SHORT = {**{line: line for line in BUDGET_LINES}, "supports": "supports for taking part"}


class Part(NamedTuple):
    """A heading and what belongs under it, a sentence or a line each."""

    heading: str
    sentences: tuple[str, ...]


class Row(NamedTuple):
    """A value, where it stands in a file (None: it is the default), and its path."""

    path: str
    value: str
    place: Place | None


class Difference(NamedTuple):
    """Something that differs: its path, what it is, its value on both sides, and the reason that the second gives."""

    path: str
    label: str
    a: str
    b: str
    reason: str


# Words for values


def plain(text: str) -> str:
    """A text from a file as it can be shown: one line, and nothing that moves the cursor or turns the direction."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def number(value: float, digits: int = 3) -> str:
    """A number for readers: thousands with commas, otherwise so many significant digits."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.{digits}g}"


def percent(share: float, digits: int = 3) -> str:
    """A share in per cent."""
    return f"{number(float(f'{100 * share:.{digits}g}'), digits)}%"


def counted(value: float, unit: str, digits: int = 3) -> str:
    """A number with its unit, which is given in the plural: ``1 person``, ``6 hours per month``."""
    first, space, rest = unit.partition(" ")
    if value == 1:
        first = {"people": "person"}.get(first, first.removesuffix("s"))
    return f"{number(value, digits)} {first}{space}{rest}"


def amount(parameter: Parameter, value: Value, digits: int = 3) -> str:
    """A value of a parameter with its unit, as a reader wants it."""
    if parameter.kind == "choice":
        return str(value)
    if parameter.kind == "switch":
        return "yes" if value else "no"
    size = float(value)
    automatic = {"community.neighborhoods": "one per 20 residents", "community.tables": "one per 240 residents"}
    if parameter.path in automatic and size == 0:
        return automatic[parameter.path]
    if parameter.unit == "gain":
        return {0.0: "off", 1.0: "full strength"}.get(size) or f"{percent(size, digits)} of its strength"
    if parameter.unit == "share":
        return percent(size, digits)
    if parameter.unit == "month":
        return f"month {number(size, digits)}" if size else "the start"
    if parameter.unit in ("ratio", "agency", "openness"):
        return number(size, digits)
    if parameter.unit.startswith("per "):
        return f"{number(size, digits)} {parameter.unit}"
    return counted(size, parameter.unit, digits)


def both_amounts(parameter: Parameter, a: Value, b: Value) -> tuple[str, str]:
    """Two values that differ, with so many digits that one sees it."""
    for digits in (3, 5, 8, 12):
        shown = amount(parameter, a, digits), amount(parameter, b, digits)
        if shown[0] != shown[1]:
            return shown
    return f"{a!r}", f"{b!r}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words as a sentence lists them."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def part_of(share: float, whole: str) -> str:
    """A share in words: ``half of the votes``, ``10% of the votes``, ``none of the votes``."""
    words = {0.0: "none", 0.25: "a quarter", 0.5: "half", 0.75: "three quarters", 1.0: "all"}
    return f"{words.get(share) or percent(share)} of {whole}"


def degree(level: float) -> str:
    """How far something is done: ``not at all``, ``partly (50%)``, ``fully``."""
    if level in (0.0, 1.0):
        return "fully" if level else "not at all"
    word = "hardly" if level < 0.2 else "a little" if level < 0.4 else "partly" if level < 0.6 else "mostly"
    return f"{word} ({percent(level)})"


def how(level: float, doing: str) -> str:
    """What is done, and how far: ``hardly help people (10%)``, ``help people a little (30%)``, ``fully help people``.

    The measure stands at the end, or where ``doing`` has a bar: ``mostly used (80%) to meet people``.
    """
    begin, _, end = doing.partition("|")
    if level == 0:
        return f"not {begin}{end}"
    word, _, measure = degree(level).partition(" (")
    measure = f" ({measure}" if measure else ""
    return f"{begin} {word}{measure}{end}" if word == "a little" else f"{word} {begin}{measure}{end}"


def _low(text: str) -> str:
    """A label within a sentence."""
    return text[:1].lower() + text[1:]


# What the rules mean together


class _Rules:
    """The values of a scenario, which notes what the sentences have used."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.values = scenario.values
        self.said: set[str] = set()
        self.idle: dict[str, str] = {}
        self.set_later = {path for event in scenario.events for path, _ in event.set}
        counts = head_counts(scenario)
        self.residents, self.institutions = counts["resident"], counts["institution"]
        self.organizers = counts["organizer"]
        self.tables = int(self.values["community.tables"]) or max(1, round(self.residents / 240))
        self.months = scenario.months

    @staticmethod
    def path(name: str) -> str:
        """The full path of a rule; ``governance.`` may be left out."""
        return name if name in PARAMETERS else f"governance.{name}"

    def __getitem__(self, name: str) -> Any:
        """A value that the sentence tells."""
        self.said.add(self.path(name))
        return self.values[self.path(name)]

    def look(self, name: str) -> Any:
        """A value that the sentence only takes into account."""
        return self.values[self.path(name)]

    def without_effect(self, why: str, *names: str) -> None:
        """Rules that do nothing beside the others, and why."""
        self.idle |= {self.path(name): why for name in names}

    def money(self, line: str) -> float:
        """Staff-months a month that a line of the budget gets from the grant at the start."""
        if line == "organizing" and not self.organizers:
            return 0.0
        share = self.look(f"decide.budget.{line}") if line != "action" else self.left_for_action()
        return float(self.look("funder.grant")) * float(share) * (self.look("funder.grant_end") > 0)

    def never_pays(self, line: str) -> bool:
        """Whether the coalition can never give money to a line, as its rules stand and will be set."""
        path = f"decide.budget_max.{line}"
        return self.look(path) == 0 and self.path(path) not in self.set_later

    def left_for_action(self) -> float:
        """The share of money that the lines leave for action at the start."""
        left = 1.0 - sum(float(self.look(f"decide.budget.{line}")) for line in BUDGET_LINES[:-1])
        return max(0.0, round(left, 9))

    def seats(self) -> tuple[int, int, bool]:
        """Seats open to residents and institutions at all tables together, and whether the cap cuts them."""
        residents = math.floor(self.look("convene.seats.residents") * self.residents / self.tables + 0.5)
        institutions = math.floor(self.look("convene.seats.institutions") * self.institutions / self.tables + 0.5)
        room = self.look("convene.table_cap") - 1
        cut = residents + institutions > room
        if cut:
            institutions = math.floor(institutions * room / (residents + institutions) + 0.5)
            residents = room - institutions
        return residents * self.tables, institutions * self.tables, cut

    def joins(self, who: str) -> int:
        """First month in which residents or institutions sit."""
        return max(1, int(self.look(f"convene.{who}_from")))

    def hours_kept(self) -> tuple[float, float]:
        """Meeting hours that the promises ask for at the start, and the part of them that is kept."""
        training = self.money("training") / self.tables
        asked = (
            0.75 * self.look("convene.naming")
            + self.look("contend.conflict_addressed")
            + 0.75 * self.look("coordinate.charter")
            + 0.5 * self.look("convene.plain_language")
            + 0.5 * training / (training + 0.1)
        )
        return asked, min(1.0, 0.6 * self.look("decide.meeting_hours") / asked) if asked > 0 else 1.0

    def facilitated(self) -> float:
        """The facilitation that the coordination money of the start pays for."""
        level = float(self.look("deliberate.facilitation"))
        cost = 0.4 * level * self.tables
        return level * min(cost, 0.5 * self.money("coordination")) / cost if cost > 0 else 0.0


def _convene(s: _Rules) -> list[str]:
    residents, institutions, cut = s.seats()
    open_shares = s["convene.seats.residents"], s["convene.seats.institutions"]

    def seats(number_of: int, of: int, kind: str) -> str:
        if not number_of:
            return f"none of the {of:,} {kind}"
        return f"all {of:,} {kind}" if number_of >= of else f"{number_of:,} of the {of:,} {kind}"

    about = "about " if s.tables > 1 else ""
    tables = "The table has" if s.tables == 1 else f"The {s.tables:,} tables together have"
    each = "one for the backbone" if s.tables == 1 else "one at each for the backbone"
    said = [
        f"{tables} seats for {about}{seats(residents, s.residents, 'residents')}, for "
        f"{about}{seats(institutions, s.institutions, 'institutions')}, and {each}."
    ]
    if cut:
        asked = f"{percent(open_shares[0])} of residents and {percent(open_shares[1])} of institutions"
        said.append(f"More should be open ({asked}), but a table holds only {number(s['convene.table_cap'])} people.")

    first, second = s.joins("residents"), s.joins("institutions")
    s["convene.residents_from"], s["convene.institutions_from"]
    if min(first, second) > 1:
        who = "everybody" if first == second else "residents" if first < second else "institutions"
        said.append(f"Before month {min(first, second)} nobody but the backbone has a seat; then {who} may join.")
    if first != second:
        late, early, month = (
            ("residents", "institutions", first) if first > second else ("institutions", "residents", second)
        )
        if month > s.months:
            said.append(f"{late.capitalize()} never join: they could from month {month} on, after the end.")
        else:
            said.append(
                f"{late.capitalize()} may sit from month {month} on, {early} from month {min(first, second)}: "
                f"{late} meet rules, an agenda and a budget that were decided without them."
            )

    invitation = s["convene.invitation"]
    if invitation == "by_ties":
        liking = s["convene.agreement"]
        prefer = f", and more gladly those who already agree (extra weight {number(liking)})" if liking else ""
        said.append(
            f"Members bring people they already know{prefer}; whoever knows nobody at the table is hardly asked."
        )
    else:
        s.without_effect("people are not invited by ties", "convene.agreement")
    if invitation == "by_lot":
        said.append("Free seats are offered by lot: everybody has the same chance, known at the table or not.")
    elif invitation == "by_election":
        said.append("Neighborhoods elect who sits, so those with many ties at home and confidence are chosen.")
    elif invitation == "one_to_one":
        talks = 2 + 3 * s.money("organizing") / s.tables
        more = "as leaders arise among those at the table"
        if not s.organizers:
            more += " (there are no organizers to pay)"
        elif not s.never_pays("organizing"):
            more = f"with more money for organizing, and {more}"
        said.append(
            "People are asked in person, also those whom nobody at the table knows: about "
            f"{number(talks * s.tables, 2)} residents a month at the start can be invited in such conversations; more "
            f"{more}."
        )

    naming, language = s["convene.naming"], s["convene.plain_language"]
    if s["mechanisms.naming"] == 0:
        s.without_effect("the mechanism is switched off, but for the meeting time it takes", "convene.naming")
        said.append("Naming injustice neither draws nor repels anybody (switched off).")
    elif naming:
        said.append(
            f"Meetings {how(naming, 'name injustice')}, which draws the most affected and strains institutions "
            "with a stake in things as they are."
        )
    else:
        said.append(
            "Injustice is not named, which spares institutions and gives the most affected less reason to come."
        )
    supports = s.money("supports") / max(1, residents)
    takes = s["convene.take_up"] * supports / (supports + 0.05)
    paid = f"lower barriers by up to {percent(0.7 * takes, 2)}" if takes > 0 else "lower no barrier"
    helps = how(s["convene.take_up"], "help people") if s["convene.take_up"] else "help nobody"
    said.append(
        f"Meetings are {how(language, 'held| in plain language')}. Supports for taking part, where paid for, {helps}: "
        f"with the money of the start they {paid}."
    )
    quorum = s["convene.quorum"]
    said.append(
        f"A table decides only if {part_of(quorum, 'its members')} came."
        if quorum
        else "A table decides however few came."
    )
    return said


def _deliberate(s: _Rules) -> list[str]:
    said = []
    theta = s["mechanisms.influence"] * s["coefficients.susceptibility"]
    if theta == 0:
        said.append("Nobody's views move those of others.")
        s.without_effect("views do not move along ties", "deliberate.influence", "deliberate.radius")
    elif s["deliberate.influence"] == "friedkin_johnsen":
        said.append(
            "People listen to everybody they are tied to and keep a pull to their own convictions; for the most open, "
            f"others weigh {percent(theta)}."
        )
        s.without_effect("people listen to all whom they know", "deliberate.radius")
    else:
        radius = s["deliberate.radius"]
        said.append(
            f"People listen only to those who already think alike (within {percent(radius)} of their own view), so "
            f"camps can stay apart; for the most open, others weigh {percent(theta)}."
        )
    level, real = s["deliberate.facilitation"], s.facilitated()
    leak = round(s["mechanisms.leakage"] * 0.5 * (1 - real), 9)
    if not level:
        said.append("Nobody facilitates the meetings.")
    elif real < level - 1e-9:
        said.append(
            f"Meetings should be {how(level, 'facilitated')}, but the coordination money of the start pays for "
            f"{percent(real)} only."
        )
    else:
        said.append(f"Meetings are {how(level, 'facilitated')}, paid from coordination money.")
    said.append(
        f"{percent(leak)} of the weight in decisions leaks to those with standing, skill and confidence, "
        "whatever the votes say."
        if leak > 0
        else "No weight in decisions leaks to those who speak loudest."
    )
    if s["mechanisms.meeting"] == 0:
        said.append("Meeting does not change ties (switched off).")
    return said


def _votes(s: _Rules) -> list[str]:
    """Who has the votes, and when they can use them."""
    residents, institutions, _ = s.seats()
    blocs = ("residents", "institutions", "backbone")
    paths = [f"decide.votes.{bloc}" for bloc in blocs]
    late = s.joins("residents")
    if s["decide.votes.counted"] == "one_member_one_vote":
        s.without_effect("each member has one vote", *paths)
        everybody = residents + institutions + 1
        said = (
            f"Each member who comes has one vote, and so has the backbone: with all seats taken residents have "
            f"{percent(residents / everybody)} of the votes."
        )
        if residents and late > s.months:
            return [f"{said} But they never join."]
        if residents and late > 1:
            return [f"{said} But they join in month {late} only."]
        return [said]
    votes = [float(s[path]) for path in paths]
    total = sum(votes)
    if total == 0:
        return ["Nobody holds formal votes, so the backbone decides what voice does not."]
    share = [vote / total for vote in votes]
    held = [percent(part) if part else "none" for part in share]
    said = f"Residents hold {part_of(share[0], 'the votes')}, institutions {held[1]} and the backbone {held[2]}"
    if abs(total - 1) > 1e-9:
        said += f" (shares of {listed([percent(vote) for vote in votes])}, rescaled to 100%)"
    rest = votes[1] * (institutions > 0) + votes[2]
    without = "the backbone then decides alone"
    if rest > 0 and votes[1] and institutions and s.joins("institutions") < late:
        host = f"the backbone {percent(votes[2] / rest)}" if votes[2] else "the backbone none"
        without = f"institutions then have {percent(votes[1] / rest)} and {host}"
    if votes[0] == 0:
        more = ", so they can only speak" if residents else ""
        return [f"{said}: residents have no vote{more}."]
    if not residents:
        return [f"{said}, but no seat is open to residents: {without}."]
    if late > s.months:
        return [f"{said}, but residents never join: {without}."]
    if late > 1:
        return [
            f"{said}, but residents join in month {late}, after the first agenda is set: until then "
            f"{without.replace('then ', '')}."
        ]
    return [f"{said}. Votes count only for blocs of which somebody came."]


def _money(s: _Rules) -> list[str]:
    """What the money pays for at the start, and how far that can be changed."""
    grant = s["funder.grant"] if s.look("funder.grant_end") else 0
    shares = {line: float(s[f"decide.budget.{line}"]) for line in BUDGET_LINES[:-1]}
    shares["action"] = s.left_for_action()
    paid = sorted((line for line in shares if shares[line] > 0), key=lambda line: -shares[line])
    told = listed([f"{percent(shares[line])} for {_LINE_NAMES[line]}" for line in paid])
    nothing = [_SHORT[line] for line in shares if not shares[line]]
    whose = f"{counted(grant, 'staff-months')} a month" if grant else "what members give, for there is no grant"
    said = [f"Money at the start ({whose}): {told}."]
    if nothing:
        said.append(f"At the start nothing goes to {listed(nothing, 'or')}.")
    low = {line: float(s[f"decide.budget_min.{line}"]) for line in BUDGET_LINES[:-1]}
    high = {line: float(s[f"decide.budget_max.{line}"]) for line in BUDGET_LINES[:-1]}
    if all(low[line] == high[line] for line in low):
        said.append("These shares are fixed: the coalition cannot decide others.")
        return said
    closed = [_SHORT[line] for line in low if s.never_pays(line)]
    for_now = [_SHORT[line] for line in low if high[line] == 0 and not s.never_pays(line)]
    limits = [
        f"{_SHORT[line]} {'at most' if low[line] == 0 else f'{percent(low[line])} to'} {percent(high[line])}"
        for line in low
        if high[line] > 0
    ]
    if limits:
        said.append(f"The coalition may later decide other shares, within bounds: {', '.join(limits)}.")
    if closed:
        said.append(f"It can never pay for {listed(closed, 'or')}.")
    if for_now:
        said.append(f"Unless the rules change, it cannot pay for {listed(for_now, 'or')}.")
    return said


def _decide(s: _Rules) -> list[str]:
    said = _votes(s)
    rule = s["decide.rule"]
    if rule == "weighted_mean":
        said.append("Decisions are compromises, in which everybody's wishes count by their weight.")
    elif rule == "majority":
        said.append(
            "Decisions are won by a majority: the wishes of those who voted for another proposal count nothing."
        )
    if rule == "consensus":
        said.append(
            f"Decisions need consensus: people block what lies further than {percent(s['decide.tolerance'])} from "
            "their own view. Blocks take time and draw decisions towards those who block; if more than a third block, "
            "nothing is decided."
        )
    else:
        s.without_effect("decisions are not made by consensus", "decide.tolerance")
    if rule == "delegated":
        said.append(
            f"Decisions are delegated: the {counted(s['decide.committee'], 'people')} with the most weight at a table "
            f"{'decides' if s['decide.committee'] == 1 else 'decide'} for all."
        )
    else:
        s.without_effect("decisions are not delegated to a committee", "decide.committee")

    hours = s["decide.meeting_hours"]
    asked, kept = s.hours_kept()
    if kept < 1:
        said.append(
            f"Naming, work on conflicts, the charter, plain language and training need {number(asked)} of the "
            f"{number(hours)} meeting hours in a month, more than there are for them: each promise is kept to "
            f"{percent(kept)} only."
        )
    elif asked > 0:
        said.append(
            f"Naming, work on conflicts, the charter, plain language and training take {number(asked)} of the "
            f"{number(hours)} meeting hours in a month; what is left is for deciding."
        )
    else:
        said.append(f"All of the {number(hours)} meeting hours in a month are for deciding.")
    if s["mechanisms.slowness"] == 0:
        said.append("All is decided, however little time there is (switched off), so no backlog arises.")
        s.without_effect("deciding takes no time", "coefficients.hours_per_item")
    else:
        said.append("What does not fit into that time stays undecided and is not done.")

    said += _money(s)
    start, most = s["decide.strategy"], s["decide.strategy_max"]
    if most == 0:
        said.append("All action is programs: nothing may be meant to change policies and systems.")
    else:
        said.append(
            f"{percent(start)} of action is meant to change policies and systems at the start, and never more "
            f"than {percent(most)}; the rest is programs."
        )
    held = s["mechanisms.commitments"] * s["decide.commitment"]
    if held > 0:
        said.append(
            f"{percent(held)} of action money keeps following earlier agendas, for about "
            f"{counted(s['decide.commitment_months'], 'months')}."
        )
    else:
        said.append("No action money is bound by earlier agendas.")
        s.without_effect("no money is committed", "decide.commitment_months", "decide.commitment")
    return said


def _coordinate(s: _Rules) -> list[str]:
    least = s["coordinate.backbone_minimum"] * s.tables
    cost = 0.5 * s.money("coordination")
    cost = min(0.4 * s.look("deliberate.facilitation") * s.tables, cost)
    left = round(s.money("coordination") - least - cost, 9)
    said = [
        f"The backbone costs {counted(least, 'staff-months')} a month before it coordinates anything"
        + (
            f"; after that and facilitation {counted(left, 'staff-months')} {'is' if left == 1 else 'are'} left for "
            "coordination at the start."
            if left > 0
            else "; after that and facilitation nothing is left for coordination at the start."
            if left == 0
            else ", and the coordination money of the start does not pay for more."
        )
    ]
    structure, usual = s["coordinate.structure"], float(defaults()["governance.coordinate.structure"])
    if structure != usual:
        said.append(
            f"Committees and structures have to be tended, too: they add {number(0.25 * structure * s.tables)} "
            f"staff-months to what must be coordinated (usually {number(0.25 * usual * s.tables)})."
            if structure
            else "There are no committees or structures that have to be tended."
        )
    growth = s["mechanisms.control"] * s.look("coefficients.control_growth")
    scopes = ("agenda", "budget", "data", "hiring")
    delegated = {scope: float(s[f"coordinate.delegated.{scope}"]) for scope in scopes}
    charter = s["coordinate.charter"]
    if growth == 0:
        said.append("The backbone never takes control of what is left undecided, so what is delegated has no effect.")
        s.without_effect("the backbone never takes control", *(f"coordinate.delegated.{scope}" for scope in scopes))
    elif s.look("mechanisms.slowness") == 0 and s.look("convene.quorum") == 0:
        said.append("Control would pass to the backbone from what is left undecided.")
    if growth > 0:
        agenda, budget = delegated["agenda"], delegated["budget"]
        alone = (
            f"up to {percent(agenda)} of the agenda and of the budget"
            if agenda == budget
            else f"up to {percent(agenda)} of the agenda and {percent(budget)} of the budget"
        )
        said.append(
            f"What the coalition leaves undecided, the backbone comes to control: it alone decides {alone} where it "
            "has taken control."
            if agenda or budget
            else "However much is left undecided, the backbone decides neither agenda nor budget alone."
        )
        said.append(
            f"In control it also settles {part_of(delegated['data'], 'what is measured')} and directs "
            f"{part_of(delegated['hiring'], 'the work of organizers')}."
        )
    if charter:
        said.append(
            f"Members {how(charter, 'hold it| to a written charter')}, and take control back with it as far as they "
            "come and are skilled."
        )
    elif growth > 0:
        said.append("No charter binds it: control that it has taken is never given back.")
    if s["mechanisms.learning_by_doing"] == 0:
        said.append("Nobody learns from doing the coalition's work (switched off).")
    return said


def _serve(s: _Rules) -> list[str]:
    target = s["serve.targeting"]
    care, steering = s["mechanisms.inverse_care"], s["mechanisms.steering"]
    to_others = "those who find their way to them" if care else "all alike"
    said = [
        f"Programs give {part_of(target, 'their help')} by need"
        + (f"; the rest reaches {to_others}" if target < 1 else "")
        + (", more often people with few barriers." if care and target < 1 else ".")
    ]
    if steering and target < 1:
        said.append("The more say the most affected have, the more of it goes by need.")
    if not care or not steering:
        off = [
            name for name, gain in (("barriers shut nobody out", care), ("say steers nothing", steering)) if not gain
        ]
        said.append(f"{listed(off).capitalize()} (switched off).")
    recruit = s["serve.recruit"]
    met = s["mechanisms.service_contact"]
    if recruit and met:
        said.append(
            f"Services are {how(recruit, 'used| to meet people and win them over')}, which takes "
            f"{percent(0.3 * recruit)} of program money."
        )
    elif recruit:
        said.append(
            f"Meeting people through services takes {percent(0.3 * recruit)} of program money and changes nobody."
        )
    else:
        said.append("Services are not used to win people over.")
    return said


def _organize(s: _Rules) -> list[str]:
    money = min(s.money("organizing"), s.organizers)
    outside = s["organize.outside"]
    talks = 12 * (money + outside * s.residents / 100)
    s.said.add("community.organizers")
    people = counted(s.organizers, "organizers")
    said = []
    if talks > 0:
        whom = ""
        if money == 0:
            whom = ", by allied movements from outside"
        elif outside:
            whom = f", some by allied movements from outside ({number(outside)} staff-months per 100 residents)"
        besides = ", besides those that invite to the table" if s.look("convene.invitation") == "one_to_one" else ""
        said.append(
            f"There {'is' if s.organizers == 1 else 'are'} {people}, and about {number(talks, 2)} one-to-one "
            f"conversations a month at the start{whom}; they build residents' power{besides}."
        )
        focus = s["organize.focus"]
        said.append(
            "Those conversations seek out the most affected before all others."
            if focus == 1
            else f"Those conversations {how(focus, 'seek out the most affected')}."
            if focus
            else "They reach whomever they come across, not the most affected above all."
        )
    else:
        why = "there is nobody to pay" if not s.organizers else "it gets no money"
        never = s.organizers > 0 and s.never_pays("organizing") and s.path("organize.outside") not in s.set_later
        said.append(
            f"No organizing takes place at the start ({why}){', nor can it later' if never else ''}; residents' own "
            "leaders can still emerge, slowly."
        )
        if never or not s.organizers:
            s.without_effect("nobody organizes", "organize.focus")
    autonomy = s["organize.autonomy"]
    hiring = (
        s.look("coordinate.delegated.hiring") and s.look("mechanisms.control") and s.look("coefficients.control_growth")
    )
    whose = (
        "Organizers answer to residents"
        if money
        else "The movement, which nobody in the coalition pays, answers to residents"
        if talks > 0
        else "Whoever organizes answers to residents"
    )
    said.append(
        f"{whose} and not to the coalition"
        if autonomy == 1
        else f"{whose.removesuffix('to residents')}{percent(autonomy)} to residents and {percent(1 - autonomy)} to the "
        "coalition"
        if autonomy
        else f"{whose.removesuffix('residents')}the coalition and not to residents"
    )
    wanted = "what residents want" if autonomy > 0.5 else "the coalition's agenda"
    said[-1] += f", so campaigns{'' if autonomy in (0, 1) else ' mostly'} follow {wanted}." if autonomy != 0.5 else "."
    if autonomy and hiring:
        less = percent(s["coordinate.delegated.hiring"])
        said.append(
            f"Where the backbone has taken control of whom it hires, campaigns follow residents up to {less} less."
        )
    if s["mechanisms.mobilization"] == 0:
        said.append("Nobody takes part in collective action (switched off).")
        s.without_effect(
            "nobody mobilizes",
            "coefficients.lift",
            "coefficients.tiring",
            "mechanisms.fatigue",
            "mechanisms.people_power",
            "mechanisms.popular_pressure",
            "mechanisms.contention",
        )
    return said


def _advocate(s: _Rules) -> list[str]:
    said = []
    fear = s["mechanisms.fear"] * s["advocate.fear"]
    most = float(s.look("decide.strategy_max"))
    if most and fear:
        said.append(
            f"Of what is meant for policies, untrained members hold back up to {percent(fear)} for fear of lobbying; "
            + ("training lowers that." if s.look("decide.budget_max.training") else "no training can lower that.")
        )
    elif not most:
        s.without_effect("no action may be meant for policies", "advocate.fear", "advocate.allies")
    allies, rival = s["advocate.allies"], s["advocate.rival"]
    if most and allies:
        said.append(
            "Statewide or national allies campaign with the coalition: where all action is meant for policies, they "
            f"add a pressure of {number(0.05 * allies)} a month for each 100 residents (strength {number(allies)})."
        )
    if rival:
        said.append(f"Institutions run rival campaigns for their own interest (strength {number(rival)}).")
    opposition = s["mechanisms.opposition"] * s["coefficients.opposition"]
    said.append(
        "Those with a stake in things as they are resist"
        + ("" if opposition == 6 else f" (strength {number(opposition)}, usually 6)")
        + "; only pressure beyond that wins policies."
        if opposition
        else "Nobody with a stake in things as they are resists policies."
    )
    targeted = s["advocate.targeted"]
    said.append(
        f"Policies are {how(targeted, 'tailored|')} to those on whom the issue weighs most; once won, they take "
        f"{counted(s['coefficients.policy_lag'], 'months')} on average to work."
    )
    return said


def _contend(s: _Rules) -> list[str]:
    addressed = s["contend.conflict_addressed"]
    said = []
    if s["mechanisms.contention"] and s.look("mechanisms.mobilization"):
        said.append(
            "Organized residents challenge institutions"
            + (
                "; organizers who depend on the coalition grow careful after cuts."
                if s["mechanisms.cuts"] and s.look("organize.autonomy") < 1
                else "."
            )
        )
    elif not s.look("mechanisms.contention"):
        said.append("Nobody challenges institutions (switched off).")
        s.without_effect("nobody is challenged", "mechanisms.cuts", "coefficients.challenge")
    if s["mechanisms.grievance"] == 0:
        said.append("Being ignored hurts nobody for long, and nobody walks out over it (switched off).")
        return said
    said.append(
        f"Conflicts are {how(addressed, 'worked through')}"
        + (
            "."
            if addressed == 1
            else "; what is left builds up until people walk out."
            if addressed
            else ": anger of those who are ignored or challenged builds up until they walk out."
        )
    )
    return said


def _evaluate(s: _Rules) -> list[str]:
    own, bias = s["evaluate.community_indicators"], s["mechanisms.measurement_bias"] * s["evaluate.official_bias"]
    control = s.look("mechanisms.control") * s.look("coefficients.control_growth")
    data = s.look("coordinate.delegated.data")
    said = []
    if own:
        said.append(
            f"Residents choose and gather {part_of(own, 'what is measured')}"
            + (", until the backbone in control decides that" if control and data == 1 else "")
            + (", less where the backbone has taken control" if control and 0 < data < 1 else "")
            + "; it takes their hours."
        )
    else:
        said.append("Only official indicators are used; residents choose nothing of what is measured.")
    if own < 1 or (control and data):
        said.append(
            f"Official indicators miss {percent(bias)} of the structural causes, so "
            + ("what is learned from them points to services." if bias >= 0.2 else "they mislead little.")
            if bias
            else "Official indicators show the structural causes as they are."
        )
    else:
        s.without_effect("all that is measured is residents' choice", "evaluate.official_bias")
    money = s.money("evaluation")
    if s["mechanisms.evaluation"] == 0:
        said.append("Nobody's beliefs follow what is measured (switched off).")
    elif money == 0:
        later = "later money can change that" if s.look("decide.budget_max.evaluation") else "and never will"
        said.append(f"Evaluation gets no money at the start, so nobody learns from it; {later}.")
    return said


def _fund(s: _Rules) -> list[str]:
    grant, end, cycle = s["funder.grant"], int(s["funder.grant_end"]), int(s["funder.cycle"])
    paths = [p.path for p in PARAMETERS.values() if p.path.startswith("funder.")]
    judged = [
        path for path in paths if path.removeprefix("funder.") not in ("grant", "cycle", "grant_end", "contribution")
    ]
    each = f"members give up to {counted(s['funder.contribution'], 'staff-months')} a month each"
    if s.look("funder.contribution") == 0:
        each = "members give no money of their own"
    if grant == 0 or end == 0:
        other = "funder.grant_end" if grant == 0 else "funder.grant"
        s.without_effect("there is no grant", *judged, "funder.cycle", other, "coefficients.bar")
        return [f"There is no grant; {each}."]
    if end == 1:
        s.without_effect("the grant is never up for renewal", *judged, "funder.cycle", "coefficients.bar")
        return [f"A funder gives {counted(grant, 'staff-months')} in the first month only; {each}."]
    last = f"from month {end} on there is none" if end <= s.months else "it does not end within the scenario"
    said = [f"A funder gives {counted(grant, 'staff-months')} a month (1 pays one full-time person); {last}; {each}."]
    renewals = list(range(cycle, min(end - 1, s.months) + 1, cycle))
    if not renewals:
        why = "the grant is never up for renewal"
        s.without_effect(why, *judged, "coefficients.bar")
        said.append(f"With a cycle of {counted(cycle, 'months')}, {why}.")
        return said
    when = (
        listed([str(month) for month in renewals]) if len(renewals) < 6 else f"{renewals[0]}, {renewals[1]} and so on"
    )
    months = "month" if len(renewals) == 1 else "months"
    if s["mechanisms.judgment"] == 0:
        said.append(f"Renewal, in {months} {when}, is certain: the funder does not judge (switched off).")
        s.without_effect("the funder does not judge", *judged, "coefficients.bar", "mechanisms.controversy")
        return said
    equity, horizon = s["funder.equity_priority"], s["funder.horizon"]
    looks = {
        "service numbers": (1 - equity) * (1 - horizon),
        "structural change": (1 - equity) * horizon,
        "relief for the most affected": equity,
    }
    weights = [
        f"{what} ({percent(weight)})" for what, weight in sorted(looks.items(), key=lambda i: -i[1]) if weight > 0
    ]
    said.append(f"It decides on renewal in {months} {when}, and looks at {listed(weights)}.")
    controversy = s["mechanisms.controversy"]
    tolerance, readiness = s["funder.tolerance"], s["funder.readiness"]

    def scares(level: float) -> str:
        return "moves it as much as it can" if level == 0 else how(level, "leaves it unmoved")

    said.append(
        f"Public conflict {scares(tolerance)}, conflict among members {scares(readiness)}."
        if controversy
        else f"Public conflict does not scare it (switched off); conflict among members {scares(readiness)}."
    )
    if not controversy:
        s.without_effect("public conflict scares nobody", "funder.tolerance")
    shift = s["funder.power_shift"]
    said.append(
        f"It {how(shift, 'makes it a condition')} that residents really have half of the say."
        if shift
        else "It does not ask who has the say."
    )
    return said


def _barred(event: Event, about: str) -> bool:
    """Whether the rules forbid a motion to come to the vote."""
    votes = any(path.startswith("governance.decide.votes.") for path, _ in event.set)
    return about == "nothing" or (about == "no_votes" and votes)


def _who_reaches(s: _Rules, needed: float) -> str:
    """Which bloc's formal votes, where all blocs are there, are enough for a motion."""
    residents, institutions, _ = s.seats()
    shares = {"residents": float(residents), "institutions": float(institutions), "the backbone": 1.0}
    if s.look("decide.votes.counted") == "blocs":
        shares = {who: float(s.look(f"decide.votes.{who.removeprefix('the ')}")) * bool(shares[who]) for who in shares}
    total = sum(shares.values())
    alone = [who for who, share in shares.items() if total and share / total >= needed - 1e-9]
    if not alone:
        return ", which at the start no bloc's votes reach without another's"
    return f", which at the start {listed([f'the votes of {who}' for who in alone], 'or')} reach alone"


def _reform(s: _Rules) -> list[str]:
    about = s["reform.motions_about"]
    rules = ("reform.motion_by", "reform.motion_every", "reform.motion_threshold")
    gains = ("mechanisms.power_loss", "mechanisms.popular_pressure")
    motions = [event for event in s.scenario.events if event.by == "motion"]
    if not motions:
        s.without_effect("no motion is made", *rules, *gains, "reform.motions_about")
        if s.scenario.events:
            return ["Nobody moves to change the rules; they change by order only."]
        return ["The rules stay as they are: nobody moves to change them."]
    said = []
    if all(_barred(event, about) for event in motions):
        what = "at all" if about == "nothing" else "on the votes"
        said.append(f"No motion {what} may come to a vote, so none that is made can pass while this rule stands.")
    elif about != "anything":
        said.append("Motions may change any rule but the votes.")
    who = "Any member" if s["reform.motion_by"] == "any_member" else "Only residents"
    said.append(
        f"{who} may move to change the rules; there is at most one vote in "
        f"{counted(s['reform.motion_every'], 'months')}."
    )
    needed = s["reform.motion_threshold"]
    said.append(
        f"A motion passes with {percent(needed)} of the weight in decisions{_who_reaches(s, needed)}."
        if needed
        else "Every motion passes."
    )
    if s["mechanisms.power_loss"]:
        said.append("People vote the less for a motion the more weight they would lose by it.")
    if s["mechanisms.popular_pressure"]:
        said.append("Mobilized residents make members vote for change.")
    return said


def _experience(s: _Rules) -> list[str]:
    said = []
    claimed = s["experience.claimed_say"]
    if s["mechanisms.rhetoric"] == 0:
        s.without_effect("claims cost no trust", "experience.claimed_say")
    elif claimed:
        said.append(
            f"Residents are told that they have {part_of(claimed, 'the say')}; as long as it is less, they lose trust."
        )
    if s["mechanisms.being_heard"]:
        said.append("Who is heard gains confidence and trust; who is ignored loses them.")
    else:
        said.append("Being heard or ignored changes nobody (switched off).")
    if s["mechanisms.situation"] == 0:
        said.append("What people want does not follow their burdens and missions (switched off).")
    return said


_TELL: dict[str, Callable[[_Rules], list[str]]] = {
    "convene": _convene,
    "deliberate": _deliberate,
    "decide": _decide,
    "coordinate": _coordinate,
    "serve": _serve,
    "organize": _organize,
    "advocate": _advocate,
    "contend": _contend,
    "evaluate": _evaluate,
    "fund": _fund,
    "reform": _reform,
    "experience": _experience,
}


def _also(s: _Rules, parameters: Iterable[Parameter]) -> list[str]:
    """What is not as usual and was not told: values that act, and values without effect."""
    usual = defaults()
    acting, idle = [], []
    for parameter in parameters:
        value = s.values[parameter.path]
        if parameter.path.startswith("mechanisms.") or value == usual[parameter.path]:
            continue
        now, before = both_amounts(parameter, value, usual[parameter.path])
        if parameter.path in s.idle:
            idle.append(f"{_low(parameter.label)}, {now} ({s.idle[parameter.path]})")
        elif parameter.path not in s.said:
            acting.append(f"{_low(parameter.label)}, {now} (usually {before})")
    lines = [f"Not as usual: {'; '.join(acting)}."] if acting else []
    return [*lines, f"Without effect here: {'; '.join(idle)}."] if idle else lines


def _community(s: _Rules) -> list[str]:
    """Who lives there, where they are not the usual people."""
    scenario = s.scenario
    places = int(s["community.neighborhoods"]) or max(1, round(s.residents / 20))
    s["community.residents"], s["community.institutions"], s["community.organizers"], s["community.tables"]
    said = [
        f"{counted(s.residents, 'residents')} in {counted(min(places, s.residents), 'neighborhoods')}, "
        f"{counted(s.institutions, 'institutions')} and {counted(s.organizers, 'organizers')}, at "
        f"{'one table' if s.tables == 1 else counted(s.tables, 'tables')}, for {counted(s.months, 'months')}."
    ]
    if scenario.groups != DEFAULT_GROUPS:
        mean = sum(group.share * group.exposure for group in scenario.groups) / sum(g.share for g in scenario.groups)
        told = [
            f"{plain(group.name)} ({percent(group.share)} of residents, exposure {number(group.exposure)}, barriers "
            f"{number(group.barriers)}, voice {number(group.voice)}"
            f"{'; among the most affected' if group.exposure > mean + 1e-12 else ''})"
            for group in scenario.groups
        ]
        said.append(f"Groups of residents: {', '.join(told)}.")
    if scenario.issues != DEFAULT_ISSUES:
        told = [
            f"{plain(issue.name)} ({percent(issue.structural)} structural"
            + (f", severity {number(issue.severity)}" if issue.severity != 1 else "")
            + (f", skew {number(issue.skew)}" if issue.skew else "")
            + (f", regrowth {number(issue.regrowth)}" if issue.regrowth != 0.01 else "")
            + ")"
            for issue in scenario.issues
        ]
        said.append(f"Issues: {', '.join(told)}.")
    return said


def _network(s: _Rules) -> list[str]:
    """The network, where it is imported or of another family than usual."""
    file = s.scenario.network_file
    family = str(s["network.generate"])
    if file is None:
        words = {
            "small_world": "a small world: mostly close ties, and a few far ones",
            "stochastic_blocks": "blocks: neighborhoods with many ties inside",
            "preferential_attachment": "one in which few people know very many",
        }
        return [f"The network is {words[family]}."] if family in words else []
    people = (
        "the file holds the residents, too"
        if file.residents is None
        else f"residents' ties are generated ({file.residents})"
    )
    ties = (
        f"ties are as strong as {plain(file.weight)} says ({number(file.scale)} is full strength)"
        if file.weight
        else "all ties are equally strong"
    )
    said = [f"The network comes from {plain(file.path.name)}: {people}, and {ties}."]
    if file.kind_column:
        kinds = [f"{plain(word)} is {kind}" for word, kind in file.kind_map]
        other = f"the others {file.kind_default}" if file.kind_default else "no others are allowed"
        said.append(f"Column {plain(file.kind_column)} tells who is what: {', '.join([*kinds, other])}.")
    return said


def _mechanisms(s: _Rules) -> list[str]:
    gains = [rule for rule in RULES if rule.path.startswith("mechanisms.")]
    off = [rule for rule in gains if s.values[rule.path] == 0]
    weak = [rule for rule in gains if 0 < float(s.values[rule.path]) < 1]
    if not off and not weak:
        return ["No feedback of the model is switched off."]
    said = []
    if len(off) == len(gains):
        said.append("Every feedback of the model is switched off.")
    elif off:
        said.append(f"Switched off: {'; '.join(_low(rule.label) for rule in off)}.")
    if weak:
        told = [f"{_low(rule.label)} ({percent(float(s.values[rule.path]))})" for rule in weak]
        said.append(f"Weakened: {'; '.join(told)}.")
    return said


def _events(scenario: Scenario) -> list[str]:
    """What changes when, in dated order."""
    current = dict(scenario.values)
    lines = []
    for event in sorted(scenario.events, key=lambda event: event.month):
        about = str(current["governance.reform.motions_about"])
        how = "by order (mandate)" if event.by == "mandate" else "if a vote passes (motion)"
        if event.by == "motion" and _barred(event, about):
            how = "by a motion, which the rules keep from coming to a vote"
        changes: dict[str, list[str]] = {}
        same = 0
        for path, value in sorted(event.set, key=lambda change: list(PARAMETERS).index(change[0])):
            parameter = PARAMETERS[path]
            if value == current[path]:
                same += 1
                continue
            old, new = both_amounts(parameter, current[path], value)
            label = _low(parameter.label).replace(" at the start", " (set at once)")
            changes.setdefault(_PHASE_OF[path], []).append(f"{label}: {old} -> {new}")
        told = [change for of_phase in changes.values() for change in of_phase]
        head = f"Month {event.month}, {how}"
        if not told:
            lines.append(f"{head}: all as it is.")
        elif len(told) <= FEW:
            lines.append(f"{head}: {'; '.join(told)}.")
        else:
            lines.append(f"{head}, {len(told)} rules change:")
            lines += [f"  {phase}: {'; '.join(of_phase)}." for phase, of_phase in changes.items()]
        if told and same:
            lines.append(f"  ({counted(same, 'rules')} named there {'stays' if same == 1 else 'stay'} as set.)")
        lines += [f"  {told}" for told in _with_others(event, current)]
        if event.by == "mandate":
            current |= dict(event.set)
    return lines


def _with_others(event: Event, current: Mapping[str, Value]) -> list[str]:
    """What an event means together with the rules that stand: the votes that result, and who stays seated."""
    after = {**current, **dict(event.set)}
    told = []
    votes = "governance.decide.votes"
    shares = [float(after[f"{votes}.{bloc}"]) for bloc in ("residents", "institutions", "backbone")]
    total = sum(shares)
    set_votes = any(path.startswith(f"{votes}.") for path, _ in event.set)
    if set_votes and after[f"{votes}.counted"] == "blocs" and total > 0 and abs(total - 1) > 1e-9:
        held = [percent(share / total) if share else "none" for share in shares]
        told.append(
            f"(The votes then add up to {percent(total)} and are rescaled: residents hold {held[0]}, institutions "
            f"{held[1]} and the backbone {held[2]}.)"
        )
    for who in ("residents", "institutions"):
        base = "governance.convene"
        waits = float(after[f"{base}.{who}_from"]) > event.month >= float(current[f"{base}.{who}_from"])
        fewer = float(after[f"{base}.seats.{who}"]) < float(current[f"{base}.seats.{who}"])
        if waits:
            month = number(float(after[f"{base}.{who}_from"]))
            told.append(f"({who.capitalize()} who sit by then stay and vote; others may join from month {month} on.)")
        elif fewer:
            told.append(f"({who.capitalize()} who sit by then stay and vote, also where there are fewer seats.)")
    return told


def _expectations(scenario: Scenario) -> list[str]:
    return [
        f"In month {expected.month}, '{_low(_METRIC[expected.metric].label)}' ({expected.metric}) will be "
        f"{'higher' if expected.direction == 'up' else 'lower'} than in {plain(expected.against)}."
        for expected in scenario.expect
    ]


def explain(scenario: Scenario) -> list[Part]:
    """What a scenario's rules mean together.

    Composed from values only. Amounts of money, seats and hours are those of the first months.

    Returns:
        A part for the community, one for each phase in the order of the month, one each for mechanisms and, where
        there are any, events and predictions.

    Raises:
        NetworkError: If the network file cannot be read any more.
    """
    s = _Rules(scenario)
    community = _community(s)
    network = _network(s)
    told = {_name(module): _TELL[_name(module)](s) for module, _ in PHASES}
    start = [p for p in PARAMETERS.values() if p.path.startswith(("community.", "network."))]
    if scenario.network_file is not None:
        s.without_effect("the network comes from a file", "network.generate")
    parts = [Part("The community", (*community, *network, *_also(s, start)))]
    for number_of, (module, question) in enumerate(PHASES, 1):
        said = told[_name(module)]
        parts.append(Part(f"{number_of}. {question} ({_name(module)})", (*said, *_also(s, module.RULES))))
    parts.append(Part("Feedbacks of the model (mechanisms)", tuple(_mechanisms(s))))
    if scenario.events:
        parts.append(Part("What changes when (events)", tuple(_events(scenario))))
    if scenario.expect:
        parts.append(Part("What the file predicts (expect)", tuple(_expectations(scenario))))
    return parts


# Where each value comes from


def _written(value: object) -> str:
    """A value as it stands in a file."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    return plain(str(value))


def resolved(reading: Reading) -> list[Row]:
    """Every value of a file that was read without mistakes, in the order of a scenario file.

    Raises:
        ValueError: If the file has mistakes.
    """
    scenario, given, places = reading.scenario, reading.given, reading.places
    if scenario is None:
        raise ValueError(f"{reading.path} has mistakes; mend them first")
    rows: list[Row] = []

    def place_of(path: str, key: str) -> Place | None:
        """The place of a key that is not one of the file's own; long ones are kept shortened."""
        return places.get(f"{path}.{key}", places.get(f"{path}.{clean(key)}"))

    def add(path: str, value: object) -> None:
        rows.append(Row(plain(path), _written(value), places.get(path) if path in given else None))

    def add_all(prefix: str, but: Sequence[str] = ()) -> None:
        for path in PARAMETERS:
            if path.startswith(prefix) and path not in but:
                add(path, scenario.values[path])

    def add_items(path: str, items: Sequence[Any]) -> None:
        for i, item in enumerate(items):
            for field in fields(item):
                add(f"{path}.{i}.{field.name}", getattr(item, field.name))

    add("name", scenario.name)
    add("label", scenario.label)
    if "extends" in given:
        add("extends", given["extends"])
    add("months", scenario.months)
    add_all("community.")
    add_items("community.groups", scenario.groups)
    file = scenario.network_file
    add_all("network.", ("network.generate",) if file is not None else ())
    if file is not None:
        add("network.file", file.path)
        add("network.kind.column", file.kind_column)
        for word, kind in file.kind_map:
            place = place_of("network.kind.map", word)
            rows.append(Row(plain(f"network.kind.map.{word}"), kind, place))
        add("network.kind.default", file.kind_default)
        add("network.weight", file.weight)
        add("network.scale", file.scale)
        if file.nodes is not None:
            add("network.nodes", file.nodes)
        add("network.residents.generate" if file.residents else "network.residents", file.residents)
    add_items("issues", scenario.issues)
    for prefix in ("governance.", "funder.", "mechanisms.", "coefficients."):
        add_all(prefix)
    for i in range(given.get("events", 0)):
        add(f"events.{i}.month", given[f"events.{i}.month"])
        add(f"events.{i}.by", given[f"events.{i}.by"])
        for path, value in given[f"events.{i}.set"].items():
            rows.append(Row(f"events.{i}.set.{path}", _written(value), place_of(f"events.{i}.set", path)))
    add_items("expect", scenario.expect)
    return rows


# Differences


def _reason(b: Scenario, path: str) -> str:
    """Why the second scenario sets a path so: the reason given for it or for the nearest section around it."""
    reasons = dict(b.reasons)
    while path:
        for about in (path, clean(path)):  # long paths are kept shortened
            if about in reasons:
                return plain(reasons[about])
        path = path.rpartition(".")[0]
    return ""


def _group_of(parameter: Parameter) -> str:
    """The heading under which a differing parameter stands."""
    if parameter.principle is not None:
        return f"Principle {parameter.principle}: {PRINCIPLES[parameter.principle]}"
    section = parameter.path.partition(".")[0]
    return {"community": "Community", "network": "Network", "funder": "Money"}.get(section, "No principle")


_HEADINGS = (
    *(f"Principle {number_of}: {text}" for number_of, text in PRINCIPLES.items()),
    "No principle",
    "Community",
    "Groups",
    "Issues",
    "Network",
    "Money",
    "Events",
    "Length",
)


def _items(a: Sequence[Any], b: Sequence[Any], what: str, path: str, reason: str) -> list[Difference]:
    """Differing groups or issues, by name; and their order, where only that differs."""
    found = []
    in_a, in_b = ({item.name: item for item in items} for items in (a, b))
    for name in dict.fromkeys([*in_a, *in_b]):
        shown = plain(name)
        if name not in in_b:
            found.append(Difference(path, f"{what} {shown}", _item(in_a[name]), "not there", reason))
        elif name not in in_a:
            found.append(Difference(path, f"{what} {shown}", "not there", _item(in_b[name]), reason))
        else:
            for field in fields(in_a[name]):
                one, other = (getattr(items[name], field.name) for items in (in_a, in_b))
                if one != other:
                    parameter = _SETTINGS[field.name]
                    label = f"{shown}: {_low(parameter.label)}"
                    found.append(Difference(path, label, *both_amounts(parameter, one, other), reason))
    if not found and tuple(a) != tuple(b):
        one, other = (", ".join(plain(item.name) for item in items) for items in (a, b))
        found.append(Difference(path, "Order", one, other, reason))
    return found


def _item(item: Any) -> str:
    """A group or an issue in one line."""
    return ", ".join(
        f"{_low(_SETTINGS[field.name].label)} {amount(_SETTINGS[field.name], getattr(item, field.name))}"
        for field in fields(item)
        if field.name != "name"
    )


def _network_differences(a: Scenario, b: Scenario) -> list[Difference]:
    """Differing network files, and how they are read."""
    one, other = (scenario.resolved()["network_file"] for scenario in (a, b))
    if one == other:
        return []
    names = {
        "path": "File",
        "kind_column": "Column of kinds",
        "kind_map": "Kinds",
        "kind_default": "Kind of the others",
        "weight": "Column of strengths",
        "scale": "Full strength",
        "residents": "Generated residents",
        "nodes": "Table of nodes",
        "sha256": "Content of the file",
        "nodes_sha256": "Content of the table of nodes",
    }

    def told(content: Mapping[str, Any] | None, key: str) -> str:
        if content is None:
            return "generated" if key == "path" else "none"
        value = content.get(key)
        if key == "kind_map":
            return ", ".join(f"{plain(word)}: {kind}" for word, kind in value or ()) or "none"
        if key.endswith("sha256"):
            return f"fingerprint {value[:12]}" if value else "none"
        return "none" if value is None else plain(str(value))

    keys = [key for key in names if (one or {}).get(key) != (other or {}).get(key)]
    if one is None or other is None:
        keys = ["path"]
    return [
        Difference(f"network.{key}", names[key], told(one, key), told(other, key), _reason(b, "network"))
        for key in keys
    ]


def _event_differences(a: Scenario, b: Scenario) -> list[Difference]:
    """Rules that only one of the two changes in a month and way, or changes to another value; in dated order."""
    if a.events == b.events:
        return []
    left, right = list(a.events), list(b.events)
    for event in a.events:
        if event in right:
            left.remove(event)
            right.remove(event)
    rows = []
    reason = _reason(b, "events")
    for event in list(left):
        twin = next((other for other in right if other.set == event.set), None)
        if twin is not None:
            left.remove(event)
            right.remove(twin)
            what = _low(PARAMETERS[event.set[0][0]].label)
            more = f" and {counted(len(event.set) - 1, 'rules')} more" if len(event.set) > 1 else ""
            when_a, when_b = (f"month {each.month} ({each.by})" for each in (event, twin))
            rows.append(Difference("events", f"Change of {what}{more}", when_a, when_b, reason))
    found: dict[tuple[int, str, str], tuple[list[str], list[str]]] = {}
    for side, events in enumerate((left, right)):
        for event in events:
            for path, value in event.set:
                told = found.setdefault((event.month, event.by, path), ([], []))[side]
                told.append(amount(PARAMETERS[path], value, 5))
    order = list(PARAMETERS)
    for (month, by, path), (one, other) in sorted(
        found.items(), key=lambda i: (i[0][0], i[0][1], order.index(i[0][2]))
    ):
        if one != other:
            label = f"Month {month} ({by}): {_low(PARAMETERS[path].label)}"
            then_a, then_b = (", then ".join(values) or "-" for values in (one, other))
            rows.append(Difference("events", label, then_a, then_b, reason))
    if not rows:
        bundle_a, bundle_b = (
            "; ".join(f"month {event.month}, {event.by}: {counted(len(event.set), 'rules')}" for event in events)
            for events in (a.events, b.events)
        )
        rows.append(Difference("events", "How changes are bundled and ordered", bundle_a, bundle_b, reason))
    return rows


def differences(a: Scenario, b: Scenario) -> dict[str, list[Difference]]:
    """Everything that decides numbers and differs between two scenarios, by heading.

    Headings are the CEJ principles (1 to 6) and "No principle" for rules, then community, groups, issues, network,
    money, events and length. Names, labels, descriptions, reasons and predictions decide nothing and do not count.
    """
    found: dict[str, list[Difference]] = {heading: [] for heading in _HEADINGS}
    for path, parameter in PARAMETERS.items():
        one, other = a.values[path], b.values[path]
        if one != other:
            shown = both_amounts(parameter, one, other)
            found[_group_of(parameter)].append(Difference(path, parameter.label, *shown, _reason(b, path)))
    found["Groups"] += _items(a.groups, b.groups, "Group", "community.groups", _reason(b, "community.groups"))
    found["Issues"] += _items(a.issues, b.issues, "Issue", "issues", _reason(b, "issues"))
    found["Network"] += _network_differences(a, b)
    found["Events"] += _event_differences(a, b)
    if a.months != b.months:
        found["Length"].append(
            Difference("months", "Months", f"{a.months} months", f"{b.months} months", _reason(b, "months"))
        )
    return {heading: rows for heading, rows in found.items() if rows}


# For a terminal


class _Hanging:
    """A paragraph whose lines begin under each other, the first one with a mark; as wide as the terminal."""

    def __init__(self, text: str, first: str) -> None:
        self.text, self.first = text, first

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """The lines, without blanks at their ends."""
        from rich.text import Text

        for i, line in enumerate(Text(self.text).wrap(console, max(20, options.max_width - len(self.first)))):
            line.rstrip()
            yield Text(" " * len(self.first) if i else self.first) + line


def render_explanation(scenario: Scenario) -> Printable:
    """``explain`` for a terminal of 100 columns."""
    from rich.console import Group as Printed
    from rich.text import Text

    lines: list[RenderableType] = [Text(plain(scenario.title), style="bold reverse")]
    for part in explain(scenario):
        lines += [Text(), Text(part.heading, style="bold")]
        for sentence in part.sentences:
            lines.append(_Hanging(sentence.strip(), "    - " if sentence.startswith("  ") else "- "))
    lines += [Text(), Text("Every value and where it comes from: cej-sim explain FILE --resolved", style="dim")]
    return Printed(*lines)


def _broken(path: str, width: int) -> str:
    """A path in lines of a width, which end behind dots."""
    lines = [""]
    for part in re.findall(r"[^.]*[.]?", path):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("  ")
        lines[-1] += part
    return "\n".join(lines)


def render_resolved(reading: Reading, columns: int = 100) -> Printable:
    """``resolved`` as a table for a terminal of so many columns; below it, where the files are."""
    from pathlib import Path

    from rich.console import Group as Printed
    from rich.table import Table
    from rich.text import Text

    rows = resolved(reading)
    files = list(dict.fromkeys(row.place.file for row in rows if row.place))
    short = {file: Path(file).name for file in files}
    if len(set(short.values())) < len(short):
        short = {file: file for file in files}
    origins = {row.path: f"{plain(short[row.place.file])}:{row.place.line}" if row.place else "default" for row in rows}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    wide = min(44, max(len(row.path) for row in rows), max(20, columns - 46))
    table.add_column("Value", width=wide, overflow="fold")
    table.add_column("Set to", min_width=10, overflow="fold")
    table.add_column("From", width=min(32, max(map(len, origins.values()))), overflow="fold")
    for row in rows:
        origin = Text(origins[row.path], style="" if row.place else "dim")
        table.add_row(Text(_broken(row.path, wide)), Text(row.value), origin)
    places = [Text(f"{plain(short[file])} is {plain(file)}", overflow="fold") for file in files if short[file] != file]
    return Printed(table, *([Text(), *places] if places else []))


def render_differences(a: Scenario, b: Scenario) -> Printable:
    """``differences`` as tables for a terminal of 100 columns."""
    from rich.console import Group as Printed
    from rich.table import Table
    from rich.text import Text

    found = differences(a, b)
    out: list[RenderableType] = [
        Text(f"A: {plain(a.title)}", style="bold"),
        Text(f"B: {plain(b.title)}", style="bold"),
    ]
    if not found:
        out += [
            Text(),
            Text("Nothing that decides numbers differs: with the same seed both give exactly the same results."),
        ]
        words = {
            "name": (a.name, b.name),
            "label": (a.label, b.label),
            "description": (a.description, b.description),
            "predictions": (a.expect, b.expect),
            "reasons": (a.reasons, b.reasons),
        }
        differing = [word for word, (one, other) in words.items() if one != other]
        if differing:
            out.append(Text(f"Only words differ: {listed(differing)}."))
        return Printed(*out)
    reasons: dict[str, int] = {}
    for heading, rows in found.items():
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("", width=48, overflow="fold")
        table.add_column("A", width=23, overflow="fold")
        table.add_column("B", width=23, overflow="fold")
        for row in rows:
            mark = f" [{reasons.setdefault(row.reason, len(reasons) + 1)}]" if row.reason else ""
            table.add_row(Text(f"{row.label}{mark}"), Text(row.a), Text(row.b))
        out += [Text(), Text(heading, style="bold"), table]
    if reasons:
        out += [Text(), Text("Reasons that the file of B gives", style="bold")]
        out += [_Hanging(reason, f"[{number_of}] ") for reason, number_of in reasons.items()]
    number_of = sum(len(rows) for rows in found.values())
    out += [Text(), Text(f"{counted(number_of, 'differences')}. All that is not listed is equal.", style="dim")]
    return Printed(*out)
