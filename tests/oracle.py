"""The month once more, as a plain Mesa model: the independent oracle of the compiled kernels.

One Mesa agent for each person and organization, a list of neighbors for each agent, a method for each thing that
somebody does. It was written from the design and from the docstrings of the phases, not from the kernels, and takes two
things only from the package: the starting population and the keyed random numbers. Speed was no aim, slowness neither:
this is how one would write the model in Mesa alone, which makes it the baseline of the benchmark too.

    oracle = Oracle(scenario, key)
    oracle.step()
    oracle.metrics()["burden"]
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from math import floor, sqrt
from types import SimpleNamespace

import mesa
import numpy as np

from cej_sim import draws as streams
from cej_sim.month import RULES
from cej_sim.population import populate
from cej_sim.scenario import Event, Scenario
from cej_sim.state import (
    ACTION,
    BUDGET_LINES,
    COALITION,
    COORDINATION,
    END_REASONS,
    EVALUATION,
    ORGANIZING,
    SUPPORTS,
    TRAINING,
    L,
)

TINY = 1e-12


# Draws


class KeyedDraws:
    """Every draw made when it is asked for."""

    def __init__(self, key: int) -> None:
        self.key = np.uint64(key)

    def uniform(self, who: int, month: int, stream: int) -> float:
        """The uniform number of somebody, a month and a stream."""
        return streams.uniform(self.key, who, month, stream)


class DrawTable:
    """Every draw made beforehand, so that a benchmark measures the model and not the random numbers.

    Args:
        oracle: A model at its start; its agents, tables and issues are those who may ask.
        months: How many months are to be run.
    """

    AGENT_STREAMS = (
        streams.INVITE,
        streams.ACCEPT,
        streams.ATTEND,
        streams.LAPSE,
        streams.ONE_TO_ONE,
        streams.EMERGE,
        streams.BURN_OUT,
        streams.SERVICE,
        streams.TARGET,
        streams.WALK_OUT,
        streams.BALLOT,
        streams.TIES,
    )

    def __init__(self, oracle: Oracle, months: int) -> None:
        people = {person.draw_id for person in oracle.people}
        tables, issues = len(oracle.tables), len(oracle.issues)
        asking = dict.fromkeys(self.AGENT_STREAMS, people)
        asking[streams.ONE_TO_ONE] = asking[streams.SERVICE] = people | set(range(tables))
        asking[streams.CALLS] = set(range(2 * tables))
        asking[streams.CHALLENGE] = set(range(tables))
        asking[streams.POLICY] = set(range(issues))
        asking[streams.SIGNAL] = set(range(2 * issues))
        asking[streams.RENEWAL] = asking[streams.ENDING] = {0}
        self.values: dict[tuple[int, int], dict[int, float]] = {}
        for stream, who in asking.items():
            ids = np.array(sorted(who), np.uint32)
            for month in range(max(months + 1, len(oracle.events))):
                numbers = streams.uniforms(oracle.key, ids, month, stream)
                self.values[stream, month] = dict(zip(ids.tolist(), numbers.tolist(), strict=True))

    def uniform(self, who: int, month: int, stream: int) -> float:
        """The uniform number of somebody, a month and a stream."""
        return self.values[stream, month][who]


# Forms


def response(z: float, form: str) -> float:
    if form == "straight":
        return within((1.0 + z) / 2.0, 0.0, 1.0)
    return (1.0 + z / sqrt(1.0 + z * z)) / 2.0


def saturating(amount: float, half: float) -> float:
    return amount / (amount + half)


def within(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))


def half_up(value: float) -> int:
    return floor(value + 0.5)


def distance(x: Iterable[float], y: Iterable[float]) -> float:
    return 0.5 * sum(abs(a - b) for a, b in zip(x, y, strict=True))


def mean(values: Sequence[float], empty: float = 0.0) -> float:
    return sum(values) / len(values) if values else empty


def gini(values: Sequence[float]) -> float:
    """Mean absolute difference of two values over twice the mean."""
    total = sum(values)
    if total == 0.0:
        return 0.0
    ordered = sorted(values)
    n = len(ordered)
    return sum((2 * rank + 1 - n) * value for rank, value in enumerate(ordered)) / (n * total)


# What is not an agent


@dataclass
class Tie:
    """A tie, shared by its two ends."""

    strength: float


@dataclass
class Issue:
    number: int
    structural: float
    regrowth: float
    fit: float
    pressure: float = 0.0
    opposition: float = 0.0
    norm: float = 0.0
    wins: int = 0
    pending: float = 0.0
    survival: float = 1.0


@dataclass
class Group:
    """A group of residents: what weighs on it, and how much of that is left."""

    size: float
    affected: bool
    barrier: float
    exposure: list[float]  # by issue, summed over residents
    worst_exposure: list[float]  # the same, over the tenth of residents who bore most
    driver: list[float]
    gap: list[float]

    def burdens(self, issues: list[Issue], exposure: list[float] | None = None) -> list[float]:
        """Burden by issue, of the whole group or of those whose summed exposure is given."""
        exposure = self.exposure if exposure is None else exposure
        return [
            e * (issue.structural * driver + (1.0 - issue.structural) * gap)
            for e, issue, driver, gap in zip(exposure, issues, self.driver, self.gap, strict=True)
        ]


@dataclass
class Table:
    number: int
    residents: float
    institutions: float
    share: float
    people: list[Person] = field(default_factory=list)
    speed: float = 0.0
    decided: bool = False

    def of_kind(self, kind: type[Person]) -> list[Person]:
        return [person for person in self.people if isinstance(person, kind) and person.active]

    @property
    def unpaid(self) -> list[Person]:
        return [person for person in self.people if person.active and not person.paid]


# Agents


class Person(mesa.Agent):
    """Somebody who lives in the community or works for an organization in it."""

    model: Oracle

    def __init__(self, model: Oracle, row: int, **attributes: object) -> None:
        super().__init__(model)
        self.row = row
        for name, value in attributes.items():
            setattr(self, name, value)
        self.neighbors: list[tuple[Person, Tie]] = []
        self.came = self.talked = False

    def draw(self, stream: int) -> float:
        return self.model.draws.uniform(self.draw_id, self.model.month, stream)

    # What it wants

    @property
    def priorities(self) -> list[float]:
        return self.x[: self.model.K]

    @property
    def agenda_fit(self) -> float:
        return 1.0 - distance(self.model.agenda, self.priorities)

    @property
    def mean_exposure(self) -> float:
        return mean(self.exposure)

    @property
    def say(self) -> float:
        """Decision weight, over agenda and budget."""
        return 0.5 * (self.weight + self.weight_budget)

    # Convene

    def company(self) -> float:
        """Tie-weighted share of tied members who came last month."""
        tied = came = 0.0
        for other, tie in self.neighbors:
            if other.member:
                tied += tie.strength
                came += tie.strength * other.came
        return came / tied if tied > 0.0 else 0.0

    def willingness(self) -> float:
        rules = self.model.rules
        return (
            -rules.coefficients_reluctance
            + 1.6 * self.agency
            + 1.4 * self.trust
            + 1.2 * (self.agenda_fit - 0.6)
            - 2.4 * self.barrier * (1.0 - 0.7 * self.model.support)
            - 0.7 * (1.0 - rules.convene_plain_language)
            + self.model.naming_kept * self.affected * self.consciousness
            - self.model.naming_kept * rules.coefficients_unease * (1.0 - self.agency)
            + 0.8 * rules.mechanisms_company * self.company()
            + 0.8 * self.leader
            - self.grievance
            - 0.05 * rules.decide_meeting_hours
        )

    def invitation_score(self) -> float:
        rules, u = self.model.rules, self.draw(streams.INVITE)
        if rules.convene_invitation == "by_ties":
            pull = 0.05
            for other, tie in self.neighbors:
                if other.member:
                    alike = 1.0 - distance(self.priorities, other.priorities)
                    pull += tie.strength * (1.0 + rules.convene_agreement * alike)
            return u * pull
        if rules.convene_invitation == "by_election":
            known = sum(
                tie.strength
                for other, tie in self.neighbors
                if type(other) is type(self) and other.neighborhood == self.neighborhood
            )
            return (0.25 + u) * (0.05 + known) * (0.2 + self.agency)
        return u

    def accepts(self) -> bool:
        personal = 0.6 if self.model.rules.convene_invitation == "one_to_one" else 0.0
        z = self.willingness() + personal
        return self.draw(streams.ACCEPT) < response(2.0 * z, self.model.rules.coefficients_response_form)

    def comes(self) -> bool:
        if self.paid:
            return self.draw(streams.ATTEND) < 0.8 * self.engagement
        form = self.model.rules.coefficients_response_form
        return self.draw(streams.ATTEND) < response(2.0 * self.willingness(), form)

    # Deliberate

    def loudness(self) -> float:
        return sqrt(self.resources) * (0.2 + self.skill) * self.agency

    def hears(self, other: Person) -> bool:
        rules = self.model.rules
        if not other.active:
            return False
        if rules.deliberate_influence == "friedkin_johnsen":
            return True
        return max(abs(a - b) for a, b in zip(self.x, other.x, strict=True)) <= rules.deliberate_radius + TINY

    def listen(self) -> None:
        """Work out what talk makes of one's wants; they change only after all have listened."""
        rules = self.model.rules
        total = float(self.model.places_of(self))
        heard, heard_origin = [total * x for x in self.x], total * self.origin
        for other, tie in self.neighbors:
            if self.hears(other):
                weight = tie.strength * (other.voice if self.present and other.present else 1.0)
                total += weight
                heard = [h + weight * x for h, x in zip(heard, other.x, strict=True)]
                heard_origin += weight * other.origin
        theta = rules.mechanisms_influence * rules.coefficients_susceptibility * (0.5 + 0.5 * self.openness)
        self.next_x = [
            0.6 * x + 0.4 * (theta * h / total + (1.0 - theta) * conviction)
            for x, h, conviction in zip(self.x, heard, self.x0, strict=True)
        ]
        own = 1.0 if isinstance(self, Resident) else 0.0
        self.next_origin = 0.6 * self.origin + 0.4 * (theta * heard_origin / total + (1.0 - theta) * own)

    def speak_out(self) -> None:
        self.x, self.origin = self.next_x, self.next_origin

    def same_table(self, other: Person) -> bool:
        return self.table == other.table or isinstance(self, Backbone) or isinstance(other, Backbone)

    # Organize

    def build(self, agency: float = 0.0, consciousness: float = 0.0, trust: float = 0.0, skill: float = 0.0) -> None:
        """Grow by parts of what is missing to 1."""
        self.agency += agency * (1.0 - self.agency)
        self.consciousness += consciousness * (1.0 - self.consciousness)
        self.trust += trust * (1.0 - self.trust)
        self.skill += skill * (1.0 - self.skill)

    def consider_leading(self, training: float) -> None:
        rules = self.model.rules
        if self.leader:
            chance = rules.mechanisms_burnout * rules.coefficients_burnout * (0.5 + self.fatigue)
            if self.draw(streams.BURN_OUT) < chance:
                self.leader = False
                self.agency = max(0.0, self.agency - 0.15)
        else:
            learning = rules.mechanisms_learning_by_doing * self.model.coalition.tasks
            practice = self.present * (0.3 + 0.7 * learning)
            if self.talked:
                practice += 0.3 * rules.mechanisms_one_to_ones
            elif self.met:
                practice += 0.3 * rules.mechanisms_service_contact
            chance = rules.coefficients_emergence * self.agency * self.skill * practice * (1.0 + 2.0 * training)
            if self.draw(streams.EMERGE) < chance:
                self.leader = True

    def reach_out(self) -> None:
        """A leader builds those it is tied to."""
        reach = 0.02 * self.model.rules.mechanisms_snowflake
        for other, tie in self.neighbors:
            if other.active and not other.paid:
                other.build(agency=reach * tie.strength, consciousness=reach * tie.strength)

    def consider_acting(self, lift: float) -> None:
        tied = acting = 0.0
        for other, tie in self.neighbors:
            if other.active and not other.paid:
                tied += tie.strength
                acting += tie.strength * other.mobilized
        share = acting / tied if tied > 0.0 else 0.0
        bar = (
            self.threshold
            + self.model.rules.mechanisms_fatigue * self.fatigue
            - lift * self.consciousness * self.agency
        )
        self.next_mobilized = share >= bar - TINY

    def act(self) -> None:
        self.mobilized = self.next_mobilized

    # Contend

    def stake_on(self, issue: Issue) -> float:
        return self.stake if issue.number == self.home else 0.25 * self.stake

    def walks_out(self) -> bool:
        rules = self.model.rules
        sore = 6.0 * (rules.mechanisms_grievance * self.grievance - 0.8)
        chance = rules.coefficients_walk_out * response(sore, rules.coefficients_response_form)
        if self.paid:
            chance += 0.05 * max(0.0, 0.35 - self.engagement)
        return self.draw(streams.WALK_OUT) < chance

    # Reform

    def votes_for(self, number: int, weight_after: float, pressure: float) -> bool:
        """Whether it wants a motion; chance is drawn once for each motion, so that nobody changes its mind by it."""
        rules = self.model.rules
        larger = max(self.weight, weight_after)
        loss = (self.weight - weight_after) / larger if larger > 0.0 else 0.0
        z = (
            -0.25
            - rules.mechanisms_power_loss * 1.2 * loss * (1.0 - 0.7 * self.openness)
            + 0.8 * (self.openness - 0.4)
            + 0.6 * (mean(self.belief) - 0.4)
            + rules.mechanisms_popular_pressure * 1.2 * pressure
        )
        form = self.model.rules.coefficients_response_form
        return self.model.draws.uniform(self.draw_id, number, streams.BALLOT) < response(4.0 * z, form)

    # Experience

    def take_in(self, even_split: float) -> None:
        """Being heard or ignored, at a meeting that one came to."""
        gain = self.model.rules.mechanisms_being_heard
        if even_split > 0.0:
            r = self.weight / even_split
            heard = within(1.5 * r / (1.0 + r) - 0.35 + 0.5 * (self.agenda_fit - 0.6), -1.0, 1.0)
        else:
            heard = -0.2
        if heard >= 0.0:
            self.agency += 0.04 * gain * heard * (1.0 - self.agency)
            self.trust += 0.06 * gain * heard * (1.0 - self.trust)
        else:
            self.agency += 0.06 * gain * heard * self.agency
            self.trust += 0.08 * gain * heard * self.trust

    def hear_claims(self, boast: float) -> None:
        """Whoever came, or sees through it, trusts less for what is claimed and not so; the others believe it."""
        insight = self.model.rules.coefficients_insight
        aware = 1.0 if self.present else insight + (1.0 - insight) * self.consciousness
        self.trust += boast * (0.75 * (1.0 - aware) * (1.0 - self.trust) - aware * self.trust)

    def return_to_base(self) -> None:
        self.agency += 0.02 * (self.agency_base - self.agency)
        self.trust += 0.02 * (self.trust_base - self.trust)
        self.consciousness += 0.005 * (0.3 - self.consciousness)

    def situation(self) -> list[float]:
        """What one's situation makes one want."""
        model, K = self.model, self.model.K
        burden = []
        for issue in model.issues:
            k = self.perm[issue.number]
            sigma = model.issues[k].structural
            if self.group >= 0:
                group = model.groups[self.group]
                level = sigma * group.driver[k] + (1.0 - sigma) * group.gap[k]
            else:
                level = sum(
                    group.size * (sigma * group.driver[k] + (1.0 - sigma) * group.gap[k]) for group in model.groups
                ) / sum(group.size for group in model.groups)
            burden.append(self.exposure[k] * level)
        total = sum(burden)
        own_issue = [1.0 if self.perm[k] == self.home else 0.0 for k in range(K)]
        priorities = [
            (1.0 - self.mission) * (b / total if total > 0.0 else 1.0 / K) + self.mission * home
            for b, home in zip(burden, own_issue, strict=True)
        ]
        strategy = within(
            sum(p * b for p, b in zip(self.x0, self.belief, strict=False))
            + 0.4 * (self.consciousness - 0.3)
            - 0.6 * self.stake * (1.0 - self.openness),
            0.0,
            1.0,
        )
        lines = [0.0] * L
        lines[COORDINATION] = 0.08 + 0.2 * self.resources
        lines[ORGANIZING] = 0.35 * self.consciousness * (1.0 - self.stake)
        lines[SUPPORTS] = 0.02 + 0.2 * self.barrier
        lines[TRAINING] = 0.03 + 0.08 * self.openness
        lines[EVALUATION] = 0.05 + 0.08 * self.skill
        excess = max(1.0, sum(lines))
        lines = [line / excess for line in lines]
        lines[ACTION] = 1.0 - sum(lines)
        return [*priorities, strategy, *lines]

    def learn_what_to_want(self) -> None:
        rate = 0.02 * self.model.rules.mechanisms_situation
        self.x0 = [x + rate * (w - x) for x, w in zip(self.x0, self.situation(), strict=True)]


class Resident(Person):
    def hours(self, meeting: float) -> float:
        """Unpaid hours of the month."""
        return self.present * meeting + 4.0 * self.mobilized + 6.0 * self.leader


class Institution(Person):
    def accepts(self) -> bool:
        return self.draw(streams.ACCEPT) < self.engagement

    def hear_injustice_named(self) -> None:
        """Of those with a seat, who has something to lose is threatened, and who is open is moved to do more."""
        named = self.model.naming_kept_now
        threat = named * self.stake * (1.0 - self.openness)
        call = self.model.rules.coefficients_calling * named * self.openness * (1.0 - self.stake)
        self.engagement += 0.04 * (call - threat)
        self.grievance += 0.05 * threat

    def be_challenged(self) -> None:
        model = self.model
        hurt = 1.0 - self.openness
        self.grievance += 0.5 * hurt
        self.engagement -= 0.2 * hurt
        organizing, action = model.K + 1 + ORGANIZING, model.K + 1 + ACTION
        for wants in (self.x, self.x0):
            lost = model.rules.mechanisms_cuts * 0.6 * hurt * wants[organizing]
            wants[organizing] -= lost
            wants[action] += lost
        model.issues[self.home].pressure *= 1.0 - 0.15 * hurt
        self.openness += 0.03 * hurt


class Backbone(Person):
    def comes(self) -> bool:
        return True


class Organizer(Person):
    pass


KINDS: tuple[type[Person], ...] = (Resident, Institution, Backbone, Organizer)
PERSONAL = (
    "active", "paid", "affected", "group", "neighborhood", "table", "home", "perm", "draw_id", "exposure", "barrier",
    "mission", "stake", "threshold", "agency_base", "trust_base", "x", "x0", "belief", "origin", "agency",
    "consciousness", "skill", "trust", "openness", "resources", "fatigue", "grievance", "engagement", "member",
    "present", "met", "mobilized", "leader", "voice", "weight", "weight_budget",
)  # fmt: skip


# The model


class Oracle(mesa.Model):
    """The coalition and its community.

    Args:
        scenario: The scenario to run.
        key: The run's key, from ``draws.run_key``.
        draws: Where draws come from (``KeyedDraws`` if not given); anything with ``uniform(who, month, stream)``.
    """

    def __init__(self, scenario: Scenario, key: int, draws: KeyedDraws | DrawTable | None = None) -> None:
        super().__init__(seed=0)
        self.key = np.uint64(key)
        self.draws = draws or KeyedDraws(key)
        self.rules = SimpleNamespace(**{rule.field: scenario[rule.path] for rule in RULES})
        self.events = scenario.events
        self.events_done = [False] * len(scenario.events)
        state = populate(scenario, key)
        self.people: list[Person] = []
        for row, kind in enumerate(state.kind.tolist()):
            attributes = {name: getattr(state, name)[row].tolist() for name in PERSONAL}
            self.people.append(KINDS[kind](self, row, **attributes))
        self.residents = [person for person in self.people if isinstance(person, Resident)]
        self.institutions = [person for person in self.people if isinstance(person, Institution)]
        self.organizers = [person for person in self.people if isinstance(person, Organizer) and person.active]
        self.backbone = next(person for person in self.people if isinstance(person, Backbone))
        self._tie(state.indptr.tolist(), state.indices.tolist(), state.tie.tolist())
        self.issues = [
            Issue(k, *numbers)
            for k, numbers in enumerate(
                zip(state.structural.tolist(), state.regrowth.tolist(), state.fit.tolist(), strict=True)
            )
        ]
        self.K = len(self.issues)
        self.groups = [
            Group(
                *(getattr(state, name)[g].tolist() for name in ("group_size", "group_affected", "group_barrier")),
                *(getattr(state, name)[g].tolist() for name in ("group_exposure", "worst_exposure", "driver", "gap")),
            )
            for g in range(state.group_size.size)
        ]
        self.tables = [
            Table(t, *(getattr(state, f"table_{name}")[t].item() for name in ("residents", "institutions", "share")))
            for t in range(state.table_share.size)
        ]
        for person in self.people:
            if person is not self.backbone:
                self.tables[person.table].people.append(person)
        self.decision = state.decision.tolist()
        self.budget_origin = state.budget_origin.tolist()
        self.commitment = state.commitment.tolist()
        self.spend = state.spend.tolist()
        self.coalition = SimpleNamespace(**{name: state.coalition[name][0].item() for name in COALITION})
        self.support = self.naming_kept = self.naming_kept_now = 0.0

    def _tie(self, starts: list[int], ends: list[int], strengths: list[float]) -> None:
        made: dict[tuple[int, int], Tie] = {}
        for person in self.people:
            for position in range(starts[person.row], starts[person.row + 1]):
                other = self.people[ends[position]]
                pair = (min(person.row, other.row), max(person.row, other.row))
                tie = made.setdefault(pair, Tie(strengths[position]))
                person.neighbors.append((other, tie))

    # Views that several phases share

    @property
    def month(self) -> int:
        return self.steps

    @property
    def agenda(self) -> list[float]:
        return self.decision[: self.K]

    @property
    def strategy(self) -> float:
        return self.decision[self.K]

    @property
    def lines(self) -> list[float]:
        return self.decision[self.K + 1 :]

    @property
    def members(self) -> list[Person]:
        """Those with a seat, but the backbone."""
        return [person for person in self.people if person.member and person is not self.backbone]

    def places_of(self, person: Person) -> int:
        """At how many tables somebody sits: the backbone sits at all."""
        return len(self.tables) if person is self.backbone else 1

    @property
    def places_taken(self) -> int:
        """How many sit at the tables this month."""
        return sum(self.places_of(person) for person in self.people if person.present)

    @property
    def mobilized_share(self) -> float:
        return sum(person.mobilized for person in self.residents) / len(self.residents)

    @property
    def training(self) -> float:
        """What training does, from 0 to 1."""
        return saturating(self.spend[TRAINING] / len(self.tables), 0.1)

    @property
    def movement_voice(self) -> float:
        """How far organizers answer to residents."""
        return self.rules.organize_autonomy * (1.0 - self.coalition.control * self.rules.coordinate_delegated_hiring)

    @property
    def community_share(self) -> float:
        """The part of measurement that is the community's own."""
        if not any(person.present for person in self.residents):
            return 0.0
        rules = self.rules
        return rules.evaluate_community_indicators * (1.0 - self.coalition.control * rules.coordinate_delegated_data)

    def whole(self, who: int, stream: int, amount: float) -> int:
        """The amount, its fraction settled by a draw."""
        return floor(amount) + (self.draws.uniform(who, self.month, stream) < amount - floor(amount))

    def allocation(self) -> list[float]:
        """The part of action that goes to each issue."""
        q = self.rules.mechanisms_commitments * self.rules.decide_commitment
        return [(1.0 - q) * a + q * c for a, c in zip(self.agenda, self.commitment, strict=True)]

    # The month

    def step(self) -> None:
        alive = self.coalition.alive == 1.0
        if alive:
            self.mandate()
            self.convene()
        else:
            self.disband()
        self.deliberate()
        if alive:
            self.decide()
            self.coordinate()
        self.serve()
        self.organize()
        self.advocate()
        if alive:
            self.contend()
            self.evaluate()
            self.fund()
            self.reform()
        self.experience()

    def mandate(self) -> None:
        for number, event in enumerate(self.events):
            if event.by == "mandate" and event.month == self.month:
                self.put_into_force(number)

    def put_into_force(self, number: int) -> None:
        """Change the rules as an event says; what it sets a start for changes at once, and is nobody's idea."""
        self.rules = self.rules_after(number)
        self.events_done[number] = True
        lines = self.lines
        for path, value in self.events[number].set:
            if path == "governance.decide.strategy":
                self.decision[self.K] = value
            elif path.startswith("governance.decide.budget."):
                line = BUDGET_LINES.index(path.rpartition(".")[2])
                lines[line] = value
                self.budget_origin[line] = 0.0
        if lines != self.lines:
            excess = max(1.0, sum(lines[:ACTION]))
            self.decision[self.K + 1 :] = with_action([line / excess for line in lines[:ACTION]])

    def rules_after(self, number: int) -> SimpleNamespace:
        """The rules as an event would make them."""
        fields = {rule.path: rule.field for rule in RULES}
        changes = {fields[path]: value for path, value in self.events[number].set}
        return SimpleNamespace(**{**vars(self.rules), **changes})

    # 1 convene

    def seats(self, table: Table, sitting: Collection[type[Person]] = ()) -> tuple[int, int]:
        """Seats of residents and institutions, of those who may join by now or are said to sit already."""
        rules = self.rules
        residents = institutions = 0
        if self.month >= rules.convene_residents_from or Resident in sitting:
            residents = half_up(rules.convene_seats_residents * table.residents)
        if self.month >= rules.convene_institutions_from or Institution in sitting:
            institutions = half_up(rules.convene_seats_institutions * table.institutions)
        left = rules.convene_table_cap - 1
        if residents + institutions > left:
            institutions = half_up(institutions * left / (residents + institutions))
            residents = left - institutions
        return residents, institutions

    def convene(self) -> None:
        rules, c = self.rules, self.coalition
        for person in self.people:
            person.came, person.present = person.present, False
        unpaid = sum(not person.paid for person in self.members)
        self.support = rules.convene_take_up * saturating(self.spend[SUPPORTS] / max(len(self.tables), unpaid), 0.05)
        self.naming_kept = rules.mechanisms_naming * rules.convene_naming * c.hours_kept

        offers = []
        for table in self.tables:
            for kind, seats in zip((Resident, Institution), self.seats(table), strict=True):
                offers += self.invite(table, kind, seats)
        accepted = [person for person in offers if person.accepts()]
        for person in accepted:
            person.member = True

        for person in self.people:
            if person.active and (person.member or isinstance(person, Organizer)):
                person.present = person.comes()
        for person in self.members:
            if not person.paid and not person.present and person.draw(streams.LAPSE) < rules.coefficients_lapse:
                person.member = False
        for table in self.tables:
            members = [person for person in table.people if person.member]
            here = sum(person.present for person in members)
            table.decided = here > 0 and here >= rules.convene_quorum * len(members) - TINY

    def invite(self, table: Table, kind: type[Person], seats: int) -> list[Person]:
        rules = self.rules
        of_kind = table.of_kind(kind)
        free = seats - sum(person.member for person in of_kind)
        if rules.convene_invitation == "one_to_one":
            leaders = sum(person.leader and person.member for person in table.people)
            calls = 2.0 + 3.0 * self.spend[ORGANIZING] / len(self.tables) + 0.5 * leaders
            free = min(free, self.whole(table.number * 2 + KINDS.index(kind), streams.CALLS, calls))
        if free <= 0:
            return []
        score = {person: person.invitation_score() for person in of_kind if not person.member}
        ranked = sorted(score, key=lambda person: (-score[person], person.row))
        if rules.convene_invitation != "by_election":
            return ranked[:free]
        held: dict[int, int] = {}
        for person in of_kind:
            held[person.neighborhood] = held.get(person.neighborhood, 0) + person.member
        chosen = []
        while ranked and len(chosen) < free:
            best = min(ranked, key=lambda person: held[person.neighborhood])
            ranked.remove(best)
            chosen.append(best)
            held[best.neighborhood] += 1
        return chosen

    def disband(self) -> None:
        """A month without a coalition: nobody meets, decides or spends."""
        for person in self.people:
            person.member = person.present = person.came = False
            person.weight = person.weight_budget = 0.0
        for table in self.tables:
            table.speed, table.decided = 0.0, False
        self.spend = [0.0] * L
        c = self.coalition
        c.money = c.spent = c.speed = c.effect = c.coordination = c.volunteers = c.load = c.hours_used = 0.0
        c.tasks = c.resident_say = c.affected_say = 0.0

    # 2 deliberate

    def deliberate(self) -> None:
        here = [person for person in self.people if person.present]
        for person in self.people:
            person.voice = 1.0
        loudness = sum(person.loudness() * self.places_of(person) for person in here) / max(1, self.places_taken)
        if loudness > 0.0:
            f = self.coalition.facilitation
            for person in here:
                person.voice = f + (1.0 - f) * person.loudness() / loudness
        talking = [person for person in self.people if person.active]
        for person in talking:
            person.listen()
        for person in talking:
            person.speak_out()
        gain = self.rules.mechanisms_meeting
        for person in self.people:
            for other, tie in person.neighbors:
                if other.row < person.row:
                    continue
                if person.present and other.present:
                    if person.same_table(other):
                        tie.strength += gain * 0.02 * (1.0 - tie.strength)
                elif person.member and other.member:
                    tie.strength -= gain * 0.004 * tie.strength

    # 3 decide

    def formal_votes(self, people: list[Person]) -> dict[Person, float]:
        rules = self.rules
        if rules.decide_votes_counted == "one_member_one_vote":
            voters = sum(not isinstance(person, Organizer) for person in people)
            return {person: (0.0 if isinstance(person, Organizer) else 1.0 / voters) for person in people}
        blocs = {
            Resident: rules.decide_votes_residents,
            Institution: rules.decide_votes_institutions,
            Backbone: rules.decide_votes_backbone,
        }
        size = {bloc: sum(isinstance(person, bloc) for person in people) for bloc in blocs}
        total = sum(share for bloc, share in blocs.items() if size[bloc])
        if total == 0.0:
            return {person: float(person is self.backbone) for person in people}
        vote = {bloc: share / total / size[bloc] for bloc, share in blocs.items() if size[bloc]}
        return {person: vote.get(type(person), 0.0) for person in people}

    def table_weights(self, table: Table) -> tuple[dict[Person, float], dict[Person, float], float]:
        """Weights over agenda and budget of those who decide at a table, and the share of those who block."""
        rules, c = self.rules, self.coalition
        people = [person for person in table.people if person.present]
        people.append(self.backbone)
        formal = self.formal_votes(people)
        leak = rules.mechanisms_leakage * 0.5 * (1.0 - c.facilitation)
        voices = sum(person.voice for person in people)
        weight = {person: (1.0 - leak) * formal[person] + leak * person.voice / voices for person in people}
        blocked = 0.0
        if rules.decide_rule == "majority":
            weight = self.majority(weight)
        elif rules.decide_rule == "consensus":
            weight, blocked = self.consensus(weight)
        elif rules.decide_rule == "delegated":
            ranked = sorted(people, key=lambda person: (-weight[person], -person.draw(streams.TIES)))
            weight = rescaled(weight, ranked[: rules.decide_committee])
        over_agenda, over_budget = dict(weight), dict(weight)
        for weights, scope in (
            (over_agenda, c.control * rules.coordinate_delegated_agenda),
            (over_budget, c.control * rules.coordinate_delegated_budget),
        ):
            for person in weights:
                weights[person] *= 1.0 - scope
            weights[self.backbone] += scope
        return over_agenda, over_budget, blocked

    def majority(self, weight: dict[Person, float]) -> dict[Person, float]:
        people = list(weight)
        proposers = sorted(people, key=lambda person: (-person.voice, -person.draw(streams.TIES)))[:3]
        options = [proposer for proposer in proposers if self.seconded(proposer, people)] or proposers[:1]
        camps = supporters(people, options)
        strength = [sum(weight[person] for person in camp) for camp in camps]
        if len(options) == 3 and max(strength) <= 0.5 + TINY:
            options.pop(weakest(strength))
            camps = supporters(people, options)
            strength = [sum(weight[person] for person in camp) for camp in camps]
        return rescaled(weight, camps[first_of_largest(strength)])

    def seconded(self, proposer: Person, people: list[Person]) -> bool:
        return any(
            other is not proposer and distance(other.priorities, proposer.priorities) <= 0.25 + TINY for other in people
        )

    def consensus(self, weight: dict[Person, float]) -> tuple[dict[Person, float], float]:
        middle = weighted_mean(weight, lambda person: person.priorities)
        blockers = [
            person for person in weight if distance(person.priorities, middle) > self.rules.decide_tolerance + TINY
        ]
        doubled = {person: value * (2.0 if person in blockers else 1.0) for person, value in weight.items()}
        return rescaled(doubled, list(doubled)), len(blockers) / len(weight)

    def decide(self) -> None:
        rules, c, K = self.rules, self.coalition, self.K
        facilitation = c.facilitation
        promised = (
            0.75 * rules.convene_naming
            + rules.contend_conflict_addressed
            + 0.75 * rules.coordinate_charter
            + 0.5 * rules.convene_plain_language
            + 0.5 * self.training
        )
        c.hours_kept = min(1.0, 0.6 * rules.decide_meeting_hours / promised) if promised > 0.0 else 1.0
        left = rules.decide_meeting_hours - c.hours_kept * promised
        for person in self.people:
            person.weight = person.weight_budget = 0.0
        c.hours_used = c.speed = 0.0
        pulls = []
        for table in self.tables:
            table.speed = 0.0
            if not table.decided:
                continue
            agenda_weight, budget_weight, blocked = self.table_weights(table)
            for person in agenda_weight:
                person.weight += table.share * agenda_weight[person]
                person.weight_budget += table.share * budget_weight[person]
            target = weighted_mean(agenda_weight, lambda person: person.x[: K + 1])
            target += weighted_mean(budget_weight, lambda person: person.x[K + 1 :])
            n = 1.0 / sum(weight * weight for weight in agenda_weight.values())
            disagreement = sum(
                weight * distance(person.priorities, target[:K]) for person, weight in agenda_weight.items()
            )
            needed = (
                4.0
                * rules.coefficients_hours_per_item
                * (1.0 + 1.3 * disagreement * 4.0 * (n - 1.0) / (n + 8.0))
                * (1.0 - 0.4 * facilitation)
                * (1.0 + 0.5 * c.backlog)
                * (1.0 + 2.0 * blocked)
            )
            if blocked <= 1.0 / 3.0:
                table.speed = 1.0 - rules.mechanisms_slowness * (1.0 - min(1.0, left / needed))
            c.hours_used += table.share * (rules.decide_meeting_hours - left + min(left, needed))
            pace = 0.3 * table.share * table.speed
            pulls.append(
                (
                    pace,
                    target,
                    sum(weight * person.origin for person, weight in agenda_weight.items()),
                    sum(weight * person.origin for person, weight in budget_weight.items()),
                )
            )
            c.speed += table.share * table.speed
        c.backlog += 0.1 * ((1.0 - c.speed) - c.backlog)

        c.organizing_before = self.lines[ORGANIZING]
        before, origins = list(self.decision), list(self.budget_origin)
        agenda_origin = c.agenda_origin
        for pace, target, origin_of_agenda, origin_of_budget in pulls:
            for d in range(len(before)):
                self.decision[d] += pace * (target[d] - before[d])
            c.agenda_origin += pace * (origin_of_agenda - agenda_origin)
            for line in range(L):
                self.budget_origin[line] += pace * (origin_of_budget - origins[line])
        self.keep_bounds()
        for k in range(K):
            self.commitment[k] += (self.agenda[k] - self.commitment[k]) / rules.decide_commitment_months
        c.commitment_origin += (c.agenda_origin - c.commitment_origin) / rules.decide_commitment_months

        self.spend = [c.money * line for line in self.lines]
        if not self.organizers:
            self.spend[ORGANIZING] = 0.0
        c.spent = sum(self.spend)
        total = sum(person.say for person in self.people)
        c.resident_say = c.affected_say = 0.0
        if total > 0.0:
            c.resident_say = sum(person.say for person in self.residents) / total
            c.affected_say = sum(person.say for person in self.residents if person.affected) / total

    def keep_bounds(self) -> None:
        """Hold strategy and budget lines within their bounds; a bound is nobody's idea."""
        rules, K = self.rules, self.K
        self.decision[K] = within(self.decision[K], 0.0, rules.decide_strategy_max)
        lines = self.lines[:ACTION]
        least = [getattr(rules, f"decide_budget_min_{line}") for line in BUDGET_LINES[:ACTION]]
        most = [getattr(rules, f"decide_budget_max_{line}") for line in BUDGET_LINES[:ACTION]]
        for line in range(ACTION):
            bounded = within(lines[line], least[line], most[line])
            if bounded != lines[line]:
                lines[line] = bounded
                self.budget_origin[line] = 0.0
        excess = sum(lines) - 1.0
        above = [line - low for line, low in zip(lines, least, strict=True)]
        if excess > 0.0 and sum(above) > 0.0:
            lines = [line - excess * part / sum(above) for line, part in zip(lines, above, strict=True)]
        self.decision[K + 1 :] = with_action(lines)

    # 4 coordinate

    def applying(self) -> float:
        rules, c = self.rules, self.coalition
        renewal = -(-self.month // rules.funder_cycle) * rules.funder_cycle
        soon = renewal - self.month <= 3 and renewal < rules.funder_grant_end
        return 0.25 if c.funded == 1.0 and soon else 0.0

    def coordinate(self) -> None:
        rules, c, tables = self.rules, self.coalition, len(self.tables)
        cost = 0.4 * rules.deliberate_facilitation * tables
        paid = min(cost, 0.5 * self.spend[COORDINATION])
        c.facilitation = rules.deliberate_facilitation * paid / cost if cost > 0.0 else 0.0
        capacity = self.spend[COORDINATION] - paid - rules.coordinate_backbone_minimum * tables
        capacity = max(0.0, capacity * (1.0 - self.applying()))
        members = self.members
        volunteers = 0.0
        for person in members:
            if person.present and not person.paid:
                volunteers += 0.1 * person.leader + 0.02 * person.skill
        c.volunteers = volunteers
        c.load = tables * (0.3 + 0.25 * rules.coordinate_structure) + 0.01 * len(members)
        able = capacity + volunteers
        c.coordination = able / (able + c.load) if able > 0.0 else 0.0
        c.effect = c.speed * (0.4 + 0.6 * c.coordination)
        c.tasks = 1.0 - saturating(capacity / tables, 1.0)
        q = sum(person.skill for person in members if person.present) / len(members) if members else 0.0
        for person in members:
            if person.present and not person.paid:
                person.build(skill=rules.mechanisms_learning_by_doing * 0.01 * c.tasks)
        growth = rules.mechanisms_control * rules.coefficients_control_growth * c.backlog * (1.0 - c.control)
        reclaimed = 0.25 * rules.coordinate_charter * c.hours_kept * q * c.control
        c.control = within(c.control + growth - reclaimed, 0.0, 1.0)

    # 5 serve

    def serve(self) -> None:
        rules, c, K = self.rules, self.coalition, self.K
        c.structural_effort = self.strategy * (
            1.0 - rules.mechanisms_fear * rules.advocate_fear * (1.0 - c.advocacy_skill)
        )
        programs = self.spend[ACTION] * c.effect * (1.0 - c.structural_effort) * (1.0 - 0.3 * rules.serve_recruit)
        self.improve_fit()
        reach = self.access()
        for issue, a in zip(self.issues, self.allocation(), strict=True):
            k = issue.number
            for group, m in zip(self.groups, reach, strict=True):
                e = 100.0 / len(self.residents) * programs * a * K / 6.0 * issue.fit * m
                gap = group.gap[k]
                closed = rules.coefficients_service * saturating(e, 0.25) * gap
                group.gap[k] = within(gap - closed + issue.regrowth * (1.0 - gap), 0.0, 1.0)

        for person in self.people:
            person.met = person.talked = False
        contact = rules.mechanisms_service_contact
        for table in self.tables:
            amount = 8.0 * rules.serve_recruit * programs / len(self.tables)
            number = self.whole(table.number, streams.SERVICE, amount)
            luck = {person: person.draw(streams.SERVICE) for person in table.unpaid}
            for person in highest(luck, number):
                person.met = True
                person.build(agency=0.05 * contact, trust=0.03 * contact, skill=0.03 * contact)

        q = rules.mechanisms_commitments * rules.decide_commitment
        for person in self.members:
            if person.paid:
                got = q * self.commitment[person.home] * programs / len(self.institutions)
                person.resources += min(1.0, rules.mechanisms_providers * 0.02 * got) * (1.0 - person.resources)

    def improve_fit(self) -> None:
        """Programs fit life better the more skill and lived knowledge those who decide have."""
        deciding = [person for person in self.people if person.say > 0.0]
        if not deciding:
            return
        total = sum(person.say for person in deciding)
        expertise = sum(person.say * person.skill for person in deciding) / total
        groups = [group for group in self.groups if group.affected and group.size > 0.0] or self.groups
        for issue in self.issues:
            k = issue.number
            lived = sum(person.say * person.exposure[k] for person in deciding) / total
            lived /= sum(group.exposure[k] for group in groups) / sum(group.size for group in groups)
            knowledge = 0.5 + self.rules.mechanisms_lived_knowledge * (min(1.0, lived) - 0.5)
            issue.fit += 0.05 * (0.15 + 0.85 * sqrt(expertise * knowledge) - issue.fit)

    def access(self) -> list[float]:
        """What a head of each group gets against the mean of residents."""
        rules, c = self.rules, self.coalition
        n = len(self.residents)
        c.steering = rules.serve_targeting
        if c.affected > 0.0:
            ratio = c.affected_say / (c.affected / n)
            c.steering += (1.0 - c.steering) * rules.mechanisms_steering * saturating(ratio, 1.0)
        needs = [sum(e * gap for e, gap in zip(group.exposure, group.gap, strict=True)) for group in self.groups]
        reach = []
        for group, needed in zip(self.groups, needs, strict=True):
            need = 1.0
            if sum(needs) > 0.0:
                need = needed / group.size / (sum(needs) / n) if group.size > 0.0 else 0.0
            walk_in = 1.0 - rules.mechanisms_inverse_care * group.barrier
            reach.append((1.0 - c.steering) * walk_in + c.steering * need)
        average = sum(group.size * m for group, m in zip(self.groups, reach, strict=True)) / n
        return [m / average for m in reach] if average > 0.0 else reach

    # 6 organize

    def organize(self) -> None:
        rules, c, n = self.rules, self.coalition, len(self.residents)
        paid = min(self.spend[ORGANIZING], len(self.organizers))
        outside = rules.organize_outside * n / 100.0
        gain = rules.mechanisms_one_to_ones
        for table in self.tables:
            number = self.whole(table.number, streams.ONE_TO_ONE, 12.0 * (paid + outside) / len(self.tables))
            score = {
                person: (1.0 - rules.organize_focus) * person.draw(streams.ONE_TO_ONE)
                + rules.organize_focus * person.mean_exposure
                for person in table.unpaid
            }
            for person in highest(score, number):
                person.met = person.talked = True
                person.build(0.10 * gain, 0.08 * gain, 0.03 * gain, 0.04 * gain)
                for other, tie in person.neighbors:
                    if isinstance(other, Organizer) and other.active:
                        tie.strength += gain * 0.05 * (1.0 - tie.strength)

        unpaid = [person for person in self.people if person.active and not person.paid]
        training = self.training
        for person in unpaid:
            person.consider_leading(training)
        leaders = [person for person in unpaid if person.leader]
        for person in leaders:
            person.reach_out()

        intensity = saturating(100.0 * (paid + outside + 0.05 * len(leaders)) / n, 0.6)
        lift = rules.mechanisms_mobilization * rules.coefficients_lift * intensity
        for _ in range(4):
            for person in unpaid:
                person.consider_acting(lift)
            for person in unpaid:
                person.act()
        for person in unpaid:
            if rules.mechanisms_mobilization == 0.0:
                person.mobilized = False
            tired = person.fatigue + rules.coefficients_tiring if person.mobilized else 0.96 * person.fatigue
            person.fatigue = min(1.0, tired)
        if self.mobilized_share > 0.1:
            c.wave = 1.0
        elif self.mobilized_share < 0.05:
            c.wave = 0.0

    # 7 advocate

    def advocate(self) -> None:
        rules, c, K = self.rules, self.coalition, self.K
        scale = 100.0 / len(self.residents)
        voice = self.movement_voice
        share = self.community_share
        acting = [person for person in self.people if person.mobilized]
        m = self.mobilized_share
        for issue, a in zip(self.issues, self.allocation(), strict=True):
            k = issue.number
            advocacy = (
                0.1 * scale * self.spend[ACTION] * c.effect * c.structural_effort * a * K / 6.0
                * (0.5 + c.advocacy_skill)
            )  # fmt: skip
            people = sum(person.agency * (voice * person.x[k] + (1.0 - voice) * a) for person in acting) * K / 6.0
            people *= rules.mechanisms_people_power * 1.2 / len(self.residents)
            data = rules.mechanisms_community_data * 0.1 * scale * self.spend[EVALUATION] * share * a * K / 6.0
            allies = 0.05 * rules.advocate_allies * c.structural_effort * a * K / 6.0
            insiders = rules.coefficients_insiders * c.effect * self.inside_push(issue) * a * K / 6.0
            issue.pressure = 0.93 * issue.pressure + advocacy + people + data + allies + insiders
            issue.opposition = self.opposition(issue)
            self.campaign(issue)
            self.practice(issue, m)
        c.advocacy_skill += 0.04 * (self.training - c.advocacy_skill)

    @property
    def boldness_inside(self) -> float:
        """How far members dare to push policies in their own work."""
        rules = self.rules
        fear = rules.mechanisms_fear * rules.advocate_fear * (1.0 - self.coalition.advocacy_skill)
        return rules.mechanisms_insiders * (1.0 - fear)

    def inside_push(self, issue: Issue) -> float:
        """Standing of members who came, open and aware of causes, as a part of all standing there is."""
        means = sum(person.resources * self.places_of(person) for person in self.people if person.active)
        push = sum(
            person.resources * person.openness * person.belief[issue.number]
            for person in self.members
            if person.present
        )
        return self.boldness_inside * push / means if means > 0.0 else 0.0

    def opposition(self, issue: Issue) -> float:
        """Those with a stake and means, and institutions that campaign for their own interest."""
        rules = self.rules
        against = means = 0.0
        for person in self.people:
            if person.active:
                standing = person.resources * self.places_of(person)
                means += standing
                against += standing * person.stake_on(issue) * (1.0 - person.openness)
        share = against / means if means > 0.0 else 0.0
        opposition = rules.mechanisms_opposition * rules.coefficients_opposition * share
        rivals = sum(
            person.resources * (1.0 - person.openness) for person in self.institutions if person.home == issue.number
        )
        return opposition + rules.advocate_rival * rivals / len(self.institutions)

    def campaign(self, issue: Issue) -> None:
        """Push for the next policy, and win it at its own time."""
        rules = self.rules
        lead = max(0.0, issue.pressure - issue.opposition)
        if rules.coefficients_hazard_form == "absolute":
            push = min(1.0, lead)
        else:
            push = lead / (issue.pressure + issue.opposition + 0.05)
        issue.survival *= 1.0 - rules.coefficients_hazard * push
        if issue.survival < self.draws.uniform(issue.number, issue.wins, streams.POLICY):
            issue.wins += 1
            issue.survival = 1.0
            issue.pressure *= 0.4
            issue.pending += rules.coefficients_policy_impact
            issue.norm += rules.mechanisms_norms * 0.15 * (1.0 - issue.norm)
            for person in self.people:
                if person.mobilized:
                    person.fatigue = min(1.0, person.fatigue + 0.1)

    def practice(self, issue: Issue, m: float) -> None:
        """Let policies that were won work, and wear off."""
        rules, k = self.rules, issue.number
        flow = issue.pending / rules.coefficients_policy_lag
        issue.pending -= flow
        average = sum(group.exposure[k] for group in self.groups) / len(self.residents)
        wear = rules.coefficients_erosion * max(0.0, 1.0 - 0.6 * issue.norm - 0.3 * m)
        for group in self.groups:
            exposure = group.exposure[k] / group.size if group.size > 0.0 else average
            reach = (1.0 - rules.advocate_targeted) + rules.advocate_targeted * exposure / average
            driver = max(0.0, group.driver[k] - flow * reach * group.driver[k])
            group.driver[k] = within(driver + wear * (1.0 - driver), 0.0, 1.0)
        issue.norm = 0.995 * issue.norm + rules.mechanisms_norms * 0.005 * m * (1.0 - issue.norm)

    # 8 contend

    def contend(self) -> None:
        rules, c = self.rules, self.coalition
        trained = rules.mechanisms_training * 0.008 * self.training
        for person in self.members:
            person.openness += trained * (1.0 - person.openness)
        own = self.movement_voice
        organizing = self.lines[ORGANIZING]
        if c.challenges > 0.0 and organizing < c.organizing_before - 0.0005:
            c.boldness *= 1.0 - rules.mechanisms_cuts * 0.5 * (1.0 - own)
        else:
            c.boldness += 0.02 * (1.0 - c.boldness)
        self.challenge()

        self.naming_kept_now = rules.mechanisms_naming * rules.convene_naming * c.hours_kept
        for person in self.institutions:
            if person.member:
                person.hear_injustice_named()
            person.engagement += 0.03 * ((0.85 if c.funded == 1.0 else 0.65) - person.engagement)
            person.engagement = within(person.engagement, 0.0, 1.0)

        for person in self.people:
            came = person.member and person.present
            if (
                came
                and person is not self.backbone
                and person.weight < 0.25 * self.even_split(self.tables[person.table])
            ):
                person.grievance += rules.mechanisms_grievance * 0.03
            cleared = 0.3 * rules.contend_conflict_addressed * c.hours_kept if came else 0.0
            person.grievance = within(person.grievance * (1.0 - 0.03 - cleared), 0.0, 2.0)
        for person in self.members:
            if person.walks_out():
                person.member = False
                c.exits += isinstance(person, Institution)

    def even_split(self, table: Table) -> float:
        """What each of those at a table, the backbone among them, would have of its weight if all had the same."""
        return table.share / (1 + sum(person.present for person in table.people)) if table.decided else 0.0

    def challenge(self) -> None:
        rules, c = self.rules, self.coalition
        c.challenged = 0.0
        for table in self.tables:
            share = mean([person.mobilized for person in table.unpaid])
            chance = rules.mechanisms_contention * rules.coefficients_challenge * c.boldness * share
            if self.draws.uniform(table.number, self.month, streams.CHALLENGE) >= min(0.5, chance):
                continue
            provocation = {
                person: person.stake * (1.0 - person.openness) * (0.5 + 0.5 * person.draw(streams.TARGET))
                for person in table.of_kind(Institution)
            }
            for target in highest(provocation, 1):
                if provocation[target] > 0.0:
                    target.be_challenged()
                    c.challenged += 1.0
                    c.controversy += 1.0 / len(self.tables)
        c.challenges += c.challenged

    # 9 evaluate

    def evaluate(self) -> None:
        rules, K = self.rules, self.K
        m = self.community_share
        q = saturating(self.spend[EVALUATION] / len(self.tables), 0.2)
        here = [person for person in self.people if person.present]
        reports = sum(person.present for person in self.residents) / len(self.tables)
        spread = 0.4 / max(1.0, reports) ** 0.5
        for issue in self.issues:
            k = issue.number
            u = self.draws.uniform(k, self.month, streams.SIGNAL)
            u_community = self.draws.uniform(K + k, self.month, streams.SIGNAL)
            bias = rules.mechanisms_measurement_bias * rules.evaluate_official_bias
            official = issue.structural * (1.0 - bias) + 0.04 * (2.0 * u - 1.0)
            community = issue.structural + spread * (2.0 * u_community - 1.0)
            signal = (1.0 - m) * official + m * community
            for person in here:
                belief = person.belief[k]
                person.belief[k] = within(belief + rules.mechanisms_evaluation * 0.08 * q * (signal - belief), 0.0, 1.0)
            issue.fit += rules.mechanisms_corrections * 0.03 * q * (0.4 + 0.6 * m) * (1.0 - issue.fit)

    # 10 fund

    def burden_left(self, groups: list[Group]) -> float:
        start = sum(sum(group.exposure) for group in groups)
        return sum(sum(group.burdens(self.issues)) for group in groups) / start

    def still_open(self, level: Callable[[Group], list[float]]) -> float:
        """Mean over issues and groups, weighted by who is exposed."""
        total = sum(sum(group.exposure) for group in self.groups)
        return sum(e * v for group in self.groups for e, v in zip(group.exposure, level(group), strict=True)) / total

    def affected_groups(self) -> list[Group]:
        return [group for group in self.groups if group.affected and group.size > 0.0]

    def fund(self) -> None:
        rules, c = self.rules, self.coalition
        coverage = 1.0 - self.still_open(lambda group: group.gap)
        structural = self.still_open(lambda group: group.driver)
        relief = max(0.0, 1.0 - self.burden_left(self.affected_groups() or self.groups))
        services = (1.0 - rules.funder_horizon) * coverage + rules.funder_horizon * min(1.0, 2.0 * (1.0 - structural))
        visible = (1.0 - rules.funder_equity_priority) * services
        visible += rules.funder_equity_priority * min(1.0, 2.0 * relief)
        c.seen += 0.1 * (visible - c.seen)
        c.controversy *= 0.95
        over = self.month >= rules.funder_grant_end
        due = self.month % rules.funder_cycle == 0
        if c.funded == 1.0 and (over or (due and not self.renewed())):
            c.funded = 0.0
        given = 0.0
        for person in self.members:
            offer = person.resources * person.trust * (person.engagement if person.paid else 1.0)
            if person.present:
                offer *= 1.0 - self.boldness_inside * person.openness * mean(person.belief)
            given += offer
        c.money = c.funded * rules.funder_grant + rules.funder_contribution * given

        c.no_quorum = 0.0 if any(table.decided for table in self.tables) else c.no_quorum + 1.0
        c.no_money = c.no_money + 1.0 if c.money < 0.25 * len(self.tables) else 0.0
        reason = ""
        if c.no_quorum >= 12.0:
            reason = "lack of quorum"
        elif c.no_money >= 12.0:
            reason = "lack of money"
        elif self.burden_left(self.groups) < 0.1:
            reason = "finished"
        elif self.falls_apart():
            reason = "fell apart"
        if reason:
            c.alive = 0.0
            c.end_reason = float(END_REASONS.index(reason))
            c.funded = c.money = 0.0

    def falls_apart(self) -> bool:
        """Whether a coalition short of means and of members who come ends this month."""
        rules, c = self.rules, self.coalition
        means = c.money + c.volunteers
        held = means / (means + c.load)
        kept = mean([person.present * (person.engagement if person.paid else person.trust) for person in self.members])
        grievance = mean([person.grievance for person in self.members])
        chance = rules.mechanisms_falling_apart * rules.coefficients_ending * (1.0 - held) * (1.0 - kept)
        return self.draws.uniform(0, self.month, streams.ENDING) < chance * (1.0 + grievance)

    def renewed(self) -> bool:
        rules, c = self.rules, self.coalition
        conflict = c.controversy / (1.0 + c.controversy)
        grievance = mean([person.grievance for person in self.members])
        p = response(
            2.0
            + 4.0 * (c.seen - rules.coefficients_bar)
            - 3.0 * rules.mechanisms_controversy * (1.0 - rules.funder_tolerance) * conflict
            - 2.0 * (1.0 - rules.funder_readiness) * grievance
            - 4.0 * rules.funder_power_shift * max(0.0, 0.5 - c.resident_say),
            rules.coefficients_response_form,
        )
        return self.draws.uniform(0, self.month, streams.RENEWAL) < 1.0 - rules.mechanisms_judgment * (1.0 - p)

    # 11 reform

    def reform(self) -> None:
        rules, c = self.rules, self.coalition
        c.motion_clock += 1.0
        waiting = [number for number, event in enumerate(self.events) if self.waits(number, event)]
        if not waiting or c.motion_clock < rules.reform_motion_every or not any(t.decided for t in self.tables):
            return
        proposers = {
            "any_member": KINDS,
            "residents": (Resident,),
        }[rules.reform_motion_by]
        if not any(person.present and person.member and isinstance(person, proposers) for person in self.people):
            return
        c.motion_clock = 0.0
        self.put_to_the_vote(waiting[0])

    def waits(self, number: int, event: Event) -> bool:
        """Whether a motion lies on the table and may be put to the vote."""
        if event.by != "motion" or event.month > self.month or self.events_done[number]:
            return False
        about = self.rules.reform_motions_about
        if about == "no_votes":
            return not any(path.startswith("governance.decide.votes.") for path, _ in event.set)
        return about == "anything"

    def put_to_the_vote(self, number: int) -> None:
        """Those present vote, each looking at the weight that the motion would leave them."""
        in_force = self.rules
        self.rules = self.rules_after(number)
        weight_after = dict.fromkeys(self.people, 0.0)
        for table in self.tables:
            if table.decided:
                for person, weight in self.table_weights(table)[0].items():
                    weight_after[person] += table.share * weight
        self.rules = in_force
        total = sum(person.weight for person in self.people)
        pressure = min(1.0, 4.0 * self.mobilized_share)
        in_favor = [person for person in self.people if person.votes_for(number, weight_after[person], pressure)]
        if sum(person.weight for person in in_favor) >= self.rules.reform_motion_threshold * total - TINY:
            self.put_into_force(number)

    # 12 experience

    def experience(self) -> None:
        rules, c = self.rules, self.coalition
        boast = rules.mechanisms_rhetoric * 0.05 * max(0.0, rules.experience_claimed_say - c.resident_say) * c.alive
        for person in self.people:
            if person.member and person.present and person is not self.backbone:
                person.take_in(self.even_split(self.tables[person.table]))
            if person.active and not person.paid:
                person.hear_claims(boast)
            if person.active:
                person.return_to_base()
        for person in self.people:
            if person.active:
                person.learn_what_to_want()
        meeting = c.hours_used + self.community_share
        c.hours = sum(person.hours(meeting) for person in self.residents)

    # What is measured

    def metrics(self) -> dict[str, float]:
        """This month's metrics by column, computed from the agents."""
        c, K = self.coalition, self.K
        residents, institutions = self.residents, self.institutions
        affected = [person for person in residents if person.affected]
        members = self.members
        affected_groups = self.affected_groups()
        other_groups = [group for group in self.groups if not group.affected and group.size > 0.0]
        seat_share = self.seat_share()
        here = [person for person in (*residents, *institutions) if person.present]
        error = [mean([abs(b - i.structural) for b, i in zip(p.belief, self.issues, strict=True)]) for p in members]
        burdens = [sum(group.burdens(self.issues)[k] for group in affected_groups or self.groups) for k in range(K)]
        needs = [b / sum(burdens) if sum(burdens) > 0.0 else 1.0 / K for b in burdens]
        band = 2.0
        if c.resident_say >= 0.4 and c.agenda_origin >= 0.3:
            band = 3.0
        elif c.resident_say < 0.1:
            band = 1.0
        disparity = 1.0
        if affected_groups and other_groups:
            disparity = self.burden_per_head(affected_groups) / self.burden_per_head(other_groups)
        worst = sum(sum(group.burdens(self.issues, group.worst_exposure)) for group in self.groups)
        return {
            "burden": self.burden_left(self.groups),
            "disparity_ratio": disparity,
            "worst_decile": worst / sum(sum(group.worst_exposure) for group in self.groups),
            "service_coverage": 1.0 - self.still_open(lambda group: group.gap),
            "structural_level": self.still_open(lambda group: group.driver),
            "policy_wins": float(sum(issue.wins for issue in self.issues)),
            "seat_share": seat_share,
            "vote_share": self.vote_share(),
            "decision_share": c.resident_say,
            "agenda_origin": c.agenda_origin,
            "budget_origin": sum(a * o for a, o in zip(self.lines, self.budget_origin, strict=True)) / sum(self.lines),
            "seat_gap": seat_share - c.agenda_origin,
            "power_gini": self.power_gini(),
            "arnstein_band": band,
            "resident_attendance": mean([person.present for person in residents]),
            "affected_attendance": mean([person.present for person in affected]),
            "resident_members": mean([person.member for person in residents]),
            "affected_members": mean([person.member for person in affected]),
            "resident_leaders": mean([person.leader for person in residents]),
            "institution_exits": c.exits,
            "mobilized": self.mobilized_share,
            "resident_agency": mean([person.agency for person in residents]),
            "trust": mean([person.trust for person in residents]),
            "openness": mean([person.openness for person in members]),
            "institution_engagement": mean([person.engagement for person in institutions]),
            "resident_hours": c.hours / len(residents),
            "ownership": c.tasks * mean([isinstance(person, Resident) for person in here]),
            "backbone_control": c.control,
            "backlog": c.backlog,
            "coordination": c.coordination,
            "decision_speed": c.speed,
            "program_fit": sum(a * issue.fit for a, issue in zip(self.allocation(), self.issues, strict=True)),
            "belief_error": mean(error),
            "challenges": c.challenges,
            "structural_effort": c.structural_effort,
            "grievance": mean([0.5 * person.grievance for person in members]),
            "campaign_power": sum(
                a * issue.pressure / (issue.pressure + issue.opposition)
                for a, issue in zip(self.agenda, self.issues, strict=True)
                if issue.pressure > 0.0
            ),
            "controversy": c.controversy / (1.0 + c.controversy),
            "agenda_congruence": 1.0 - distance(self.agenda, needs),
            "funded": c.funded,
            "alive": c.alive,
        }

    def burden_per_head(self, groups: list[Group]) -> float:
        return sum(sum(group.burdens(self.issues)) for group in groups) / sum(group.size for group in groups)

    def power_gini(self) -> float:
        """Inequality of say among members and the backbone, mean over the tables that decided this month."""
        deciding = [table for table in self.tables if table.decided]
        shares = sum(table.share for table in deciding)
        unequal = 0.0
        for table in deciding:
            of_backbone = self.backbone.say * table.share / shares
            say = [of_backbone, *(person.say for person in table.people if person.member)]
            unequal += table.share * gini(say)
        return unequal / shares if shares > 0.0 else 0.0

    def seat_share(self) -> float:
        if self.coalition.alive == 0.0:
            return 0.0
        seats = [self.seats(table, sitting(table)) for table in self.tables]
        return sum(r for r, _ in seats) / sum(r + i + 1 for r, i in seats)

    def vote_share(self) -> float:
        """Formal votes over the blocs that have seats or sit, mean over tables."""
        if self.coalition.alive == 0.0:
            return 0.0
        rules, share = self.rules, 0.0
        for table in self.tables:
            here = sitting(table)
            r, i = self.seats(table, here)
            residents, institutions, backbone = r, i, 1.0
            if rules.decide_votes_counted == "blocs":
                residents = rules.decide_votes_residents if r or Resident in here else 0.0
                institutions = rules.decide_votes_institutions if i or Institution in here else 0.0
                backbone = rules.decide_votes_backbone
            total = residents + institutions + backbone
            share += table.share * residents / total if total > 0.0 else 0.0
        return share


def sitting(table: Table) -> set[type[Person]]:
    """The kinds of which somebody is a member at a table."""
    return {type(person) for person in table.people if person.member}


def highest(score: dict[Person, float], number: int) -> list[Person]:
    """Those with the highest score, ties to the lowest row, in the order of rows."""
    ranked = sorted(score, key=lambda person: (-score[person], person.row))
    return sorted(ranked[: max(0, number)], key=lambda person: person.row)


def first_of_largest(values: Sequence[float]) -> int:
    """Position of the largest value, the first one of those that are equal but for rounding."""
    best = 0
    for position, value in enumerate(values):
        if value > values[best] + TINY:
            best = position
    return best


def weakest(values: Sequence[float]) -> int:
    """Position of the smallest value, the last one of those that are equal but for rounding."""
    return max(position for position, value in enumerate(values) if value <= min(values) + TINY)


def supporters(people: list[Person], options: list[Person]) -> list[list[Person]]:
    """Those who want each option most, the first one where two are as near."""
    camps: list[list[Person]] = [[] for _ in options]
    for person in people:
        nearness = [-distance(person.priorities, option.priorities) for option in options]
        camps[first_of_largest(nearness)].append(person)
    return camps


def with_action(lines: list[float]) -> list[float]:
    """The lines of a budget, and action, which is what they leave."""
    return [*lines, max(0.0, 1.0 - sum(lines))]


def rescaled(weight: dict[Person, float], keep: Iterable[Person]) -> dict[Person, float]:
    """The weights of those kept, summing to 1; the others' are 0."""
    kept = set(keep)
    total = sum(value for person, value in weight.items() if person in kept)
    return {person: (value / total if person in kept else 0.0) for person, value in weight.items()}


def weighted_mean(weight: dict[Person, float], of: Callable[[Person], list[float]]) -> list[float]:
    parts = [[w * value for value in of(person)] for person, w in weight.items()]
    return [sum(column) for column in zip(*parts, strict=True)]
