"""The model for users of Mesa: one coalition, a month a step.

It works on the same arrays and with the same compiled month as the many runs of ``simulate``: run r of
``simulate(scenario, seed=s)`` and ``CoalitionModel(scenario, rng=s, run=r)`` agree bit for bit. Mesa's own random
numbers (``model.random``, ``model.rng``) are for users; the month never draws from them.
"""

from __future__ import annotations

import difflib
import inspect
import secrets
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mesa import DataCollector, Model
from mesa.agent import AgentSet
from mesa.discrete_space import Network

from cej_sim.agents import AGENT_CLASSES, Member
from cej_sim.draws import run_key
from cej_sim.instruments import agent_names, change_log, survey
from cej_sim.metrics import METRICS, NAMES
from cej_sim.month import STARTS, Events, measure, run_months
from cej_sim.network_files import to_networkx
from cej_sim.parameters import Value
from cej_sim.population import populate
from cej_sim.reading import load
from cej_sim.scenario import CHANGEABLE, PARAMETERS, Scenario, budget_problems, encode_events, value_problem
from cej_sim.state import BACKBONE, INSTITUTION, ORGANIZER, RESIDENT, State, Ties
from cej_sim.warmup import prepare


class RuleView(Mapping[str, Value]):
    """The rules in force, by their paths in a scenario file; what is written holds from the next month on.

    Writing a rule does what an event by mandate does, except that it leaves no line in the log.

        model.rules["governance.decide.votes.residents"] = 0.5
        model.rules.update({"governance.convene.invitation": "one_to_one", "mechanisms.leakage": 0})
    """

    def __init__(self, model: CoalitionModel) -> None:
        """The rules of one model."""
        self._model = model

    def __getitem__(self, path: str) -> Value:
        """The value in force, as a scenario file would write it; ``KeyError`` where there is no such rule."""
        if path not in CHANGEABLE:
            raise KeyError(_no_rule(path))
        parameter = CHANGEABLE[path]
        return parameter.decode(float(self._model.state.rules[parameter.field][0]))

    def __setitem__(self, path: str, value: Value) -> None:
        """Change one rule; see ``update``."""
        self.update({path: value})

    def update(self, values: Mapping[str, Value]) -> None:
        """Change several rules at once; all of them, or none where one is wrong.

        Raises:
            ValueError: If there is no such rule, a value is of the wrong type or out of bounds, or the bounds of the
                budget no longer fit together. Several mistakes are named together, a line each.
        """
        plain = {path: value.item() if isinstance(value, np.generic) else value for path, value in values.items()}
        problems = []
        for path, value in plain.items():
            problem = value_problem(CHANGEABLE[path], value) if path in CHANGEABLE else _no_rule(path)
            if path in STARTS and value != self[path]:
                problem = "this is where a line or the strategy starts, and the model has started; change its bounds"
            if problem:
                problems.append(f"{path}: {problem}")
        if not problems:
            after = {**self._model.coalition_scenario.values, **self, **plain}
            problems = [f"{path}: {problem}" for path, problem in budget_problems(after, running=True)]
        if problems:
            raise ValueError("\n".join(problems))
        for path, value in plain.items():
            self._model.state.rules[CHANGEABLE[path].field][0] = CHANGEABLE[path].encode(value)

    def __iter__(self) -> Iterator[str]:
        """The paths of all rules, in the order of the phases."""
        return iter(CHANGEABLE)

    def __len__(self) -> int:
        """Number of rules."""
        return len(CHANGEABLE)

    def __repr__(self) -> str:
        """The rules, as a dictionary shows them."""
        return f"RuleView({dict(self)!r})"


def _no_rule(path: object) -> str:
    """Why a path names no rule that may change, and what to write instead."""
    if path in PARAMETERS:
        return "this describes the start and cannot change during a run"
    near = [
        match for name in (path, f"governance.{path}") for match in difflib.get_close_matches(str(name), CHANGEABLE, 1)
    ]
    return f"there is no such rule{f'; did you mean {near[0]}?' if near else ''}"


class MonthlyCollector(DataCollector):
    """Mesa's DataCollector with a column for each metric; the state is measured once for all of them.

    Attributes:
        row: Metric -> value, as last collected.
    """

    def __init__(self, agent_reporters: Mapping[str, Any] | None = None) -> None:
        """Collect all metrics and, where given, ``agent_reporters`` (name -> attribute or function, as in Mesa)."""
        self.row: dict[str, float] = {}
        reporters = {name: partial(self._report, name) for name in NAMES}
        super().__init__(model_reporters=reporters, agent_reporters=dict(agent_reporters) if agent_reporters else None)

    def _report(self, name: str, _model: Model) -> float:
        return self.row[name]

    def collect(self, model: CoalitionModel) -> None:
        """Measure the model and add one row (and, where asked for, a row for each agent)."""
        self.row = model.metrics
        super().collect(model)


class CoalitionModel(Model):
    """A coalition as a Mesa model; ``step()`` is one month.

        model = CoalitionModel("collective_impact", rng=1)
        model.step()
        model.metrics["agenda_origin"], model.residents.agg("agency", max)

    The agents are live views of the arrays in ``state``: what is written to one, or to the arrays, counts from the
    next month on. A subclass may override ``step`` (calling ``super().step()`` for the month) and name its own
    ``agent_classes``.

    On Mesa 3.3 ``Agent`` remembers every model that ever had agents, so a program that makes thousands of models should
    build them with ``agents=False``, or call ``simulate``.

    Attributes:
        coalition_scenario: The scenario that is played. (Mesa keeps the name ``scenario`` for a class of its own.)
        seed: The seed: ``rng`` as given, or the number drawn from the operating system where it was None.
        run: Which of the seed's runs this is.
        months: The horizon; ``running`` is False from then on.
        state: Every array (``state.State``).
        datacollector: One row of all metrics for month 0 and each month after.
    """

    #: The classes of residents, institutions, backbone and organizers; subclasses of those of ``agents``.
    agent_classes: tuple[type[Member], ...] = AGENT_CLASSES

    def __init__(
        self,
        scenario: Scenario | str | Path,
        rng: int | None = 1,
        months: int | None = None,
        *,
        run: int = 0,
        agents: bool = True,
        agent_reporters: Mapping[str, Any] | None = None,
    ) -> None:
        """Month 0 of a run.

        Args:
            scenario: A scenario, the name of a shipped one, or the path of a file.
            rng: Seed, a whole number from 0 to 2**64 - 1. None takes one from the operating system;
                ``seed`` shows it.
            months: Months until ``running`` becomes False, at most the scenario's; None takes the scenario's.
            run: Which run of the seed, from 0: the same as that run of ``simulate(scenario, seed=rng)``.
            agents: Whether to build agents and the space; without them a step is faster and the model can be freed.
            agent_reporters: Name -> attribute or function, collected for each agent as in Mesa's DataCollector.

        Raises:
            ScenarioError: If the scenario cannot be found or read.
            ValueError: If a number is not what it should be, or an agent reporter names no attribute.
        """
        if not isinstance(scenario, Scenario | str | Path):
            raise ValueError(
                f"scenario: {scenario!r} is not a scenario; give one that was loaded, a shipped name or the path of one"
            )
        self.coalition_scenario: Scenario = scenario if isinstance(scenario, Scenario) else load(scenario)
        self.seed: int = secrets.randbits(53) if rng is None else _whole("rng", rng, 0)
        self.run: int = _whole("run", run, 0)
        self.months: int = self.coalition_scenario.months if months is None else _whole("months", months, 1)
        if self.months > self.coalition_scenario.months:
            raise ValueError(
                f"months: {self.months} is more than the {self.coalition_scenario.months} months of the scenario; "
                f"write at most {self.coalition_scenario.months}, or set a longer `months:` in the scenario"
            )
        if agent_reporters and not agents:
            raise ValueError("agent_reporters: there are no agents to report on; leave out agents=False")
        self._key = np.uint64(run_key(np.uint64(self.seed), np.uint64(self.run)))
        super().__init__(rng=int(self._key))
        self._month: int = 0
        self._events: Events = encode_events(self.coalition_scenario)
        prepare()
        self.state: State = populate(self.coalition_scenario, int(self._key))
        self._by_row: list[Member] = []
        if agents:
            self._by_row = [self.agent_classes[kind](self, row) for row, kind in enumerate(self.state.kind.tolist())]
            _check_reporters(agent_reporters, self._by_row)
        self.datacollector: MonthlyCollector = MonthlyCollector(agent_reporters)
        self.datacollector.collect(self)

    def step(self) -> None:
        """One month: the rules' twelve phases, then a row for the data collector."""
        run_months(self.state, self._events, self._key, self._month, np.empty((1, len(METRICS))))
        self._month += 1
        self.running = self._month < self.months
        self.datacollector.collect(self)

    @property
    def month(self) -> int:
        """Months since the start: 0 before the first step."""
        return self._month

    @property
    def metrics(self) -> dict[str, float]:
        """All metrics of the state as it is now, in the order of ``metrics.NAMES``."""
        row = np.empty(len(METRICS))
        measure(self.state, self._month, row)
        return dict(zip(NAMES, row.tolist(), strict=True))

    @property
    def rules(self) -> RuleView:
        """The rules in force, by path; writing one changes it from the next month on."""
        return RuleView(self)

    @property
    def log(self) -> list[dict[str, Any]]:
        """What happened so far: month, event, category, subject, count and text of each change."""
        return change_log(self.state, self.coalition_scenario)

    def survey(self) -> pd.DataFrame:
        """What members who came to this month's meeting answer; a row each: ``row kind`` and the items.

        1 is strongly agree, 5 strongly disagree; see ``scales.SURVEY_ITEMS``. Asking changes nothing.
        """
        return survey(self.state, int(self._key), self._month)

    @cached_property
    def names(self) -> list[str]:
        """What the log calls each row: the name in an imported network, or else kind and number."""
        return agent_names(self.coalition_scenario, self.state)

    @cached_property
    def grid(self) -> Network:
        """Mesa's space: a cell for each row of the state, connected by the ties.

        Its graph ``grid.G`` has ``name`` and ``kind`` of each node and, as ``weight``, the strengths of the month in
        which it was built; an agent's ``ties`` read those of now. Which ties there are never changes.
        """
        ties = Ties(self.state.indptr, self.state.indices, self.state.tie)
        # From Mesa 3.5 on, a layout would be computed at construction; nothing here needs positions.
        plain = {"layout": None} if "layout" in inspect.signature(Network).parameters else {}
        return Network(to_networkx(ties, self.names, self.state.kind), random=self.random, **plain)

    def agent_at(self, row: int) -> Member:
        """The agent of a row of the state.

        Raises:
            RuntimeError: If the model was built without agents.
            IndexError: If there is no such row.
        """
        self._need_agents()
        if not 0 <= row < len(self._by_row):
            raise IndexError(f"there is no agent {row}; rows run from 0 to {len(self._by_row) - 1}")
        return self._by_row[row]

    @property
    def residents(self) -> AgentSet:
        """All residents."""
        return self._of_kind(RESIDENT)

    @property
    def institutions(self) -> AgentSet:
        """All institutions."""
        return self._of_kind(INSTITUTION)

    @property
    def backbone(self) -> AgentSet:
        """The backbone, one agent."""
        return self._of_kind(BACKBONE)

    @property
    def organizers(self) -> AgentSet:
        """All organizers, also those who are not ``active``."""
        return self._of_kind(ORGANIZER)

    def _of_kind(self, kind: int) -> AgentSet:
        self._need_agents()
        return self.agents_by_type.get(self.agent_classes[kind], AgentSet([], random=self.random))

    def _need_agents(self) -> None:
        if not self._by_row:
            raise RuntimeError("this model was built with agents=False; its numbers are in model.state")

    @property
    def scenario(self) -> Any:
        """Mesa's own name for something else; the scenario of the coalition is ``coalition_scenario``.

        Mesa 3.5 and its pages take ``scenario`` for an object of Mesa's class, and do without if there is none.
        """
        raise AttributeError("model.scenario belongs to Mesa; the scenario that is played is model.coalition_scenario")

    @scenario.setter
    def scenario(self, value: Any) -> None:
        # Mesa 3.5 sets an empty one while it initializes the model.
        if "state" in self.__dict__:
            raise AttributeError("the scenario of a model is fixed; make a new model, or change rules by model.rules")

    def __setstate__(self, attributes: dict[str, Any]) -> None:
        """Restore a copied or unpickled model: the two views of the rules share their memory again."""
        self.__dict__.update(attributes)
        flat = self.state.rules.view(np.float64).view(np.ndarray)
        self.state = self.state._replace(rules_flat=flat)

    def __repr__(self) -> str:
        """What is played, and how far it is."""
        name = self.coalition_scenario.name
        return f"{type(self).__name__}({name!r}, rng={self.seed}, run={self.run}, month={self._month} of {self.months})"


def _whole(name: str, value: object, low: int) -> int:
    """The value as an int.

    Raises:
        ValueError: If it is not a whole number of at least ``low`` and below 2**64.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value < 2**64:
        raise ValueError(f"{name}: {value!r} is not right; write a whole number of at least {low}")
    return int(value)


def _check_reporters(reporters: Mapping[str, Any] | None, agents: list[Member]) -> None:
    """Refuse reporters that name an attribute which some agent does not have (Mesa 3.3 would report None).

    Raises:
        ValueError: If there is one.
    """
    for name, attribute in (reporters or {}).items():
        without = next(
            (agent for agent in agents if isinstance(attribute, str) and not hasattr(agent, attribute)), None
        )
        if without is not None:
            near = difflib.get_close_matches(attribute, dir(without), 1)
            advice = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"agent_reporters: {name}: {without} has no attribute {attribute!r}{advice}")
