"""The Mesa door: the same numbers as the fused months, agents as live views, and Mesa's own habits."""

from __future__ import annotations

import copy
import gc
import pickle
import pydoc
import weakref
from dataclasses import replace

import mesa
import numpy as np
import pytest
from mesa.agent import AgentSet

from cej_sim.agents import AGENT_CLASSES, ATTRIBUTES, Backbone, Institution, Organizer, Resident
from cej_sim.draws import run_key
from cej_sim.metrics import METRICS, NAMES
from cej_sim.model import CoalitionModel
from cej_sim.month import RULES, measure, run_months
from cej_sim.population import populate
from cej_sim.reading import ScenarioError, load, shipped
from cej_sim.runs import simulate
from cej_sim.scenario import Event, Scenario, defaults, encode_events
from cej_sim.state import BACKBONE, INSTITUTION, KINDS, ORGANIZER, RESIDENT, State

pytestmark = [
    pytest.mark.filterwarnings("error::DeprecationWarning"),
    pytest.mark.filterwarnings("error::PendingDeprecationWarning"),
    pytest.mark.filterwarnings("error::FutureWarning"),
]

MONTHS = 24

#: Arrays that kernels use as scratch; what they hold between months means nothing.
SCRATCH = {"said", "score", "pool", "offered", "held_in"}

VOTES = "governance.decide.votes.residents"

PLAIN = Scenario("plain", defaults())


def variants() -> dict[str, Scenario]:
    """Scenarios that use what the shipped ones may not."""
    lively = PLAIN.with_values(
        {
            "community.residents": 61,
            "community.institutions": 7,
            "community.tables": 3,
            "community.organizers": 5,
            "governance.convene.invitation": "one_to_one",
            "governance.decide.rule": "majority",
            "governance.decide.budget.organizing": 0.3,
            "governance.organize.outside": 1.0,
        }
    )
    changing = replace(
        PLAIN.with_values({"governance.decide.rule": "consensus", "network.generate": "small_world"}),
        events=(
            Event(3, "mandate", ((VOTES, 0.9), ("governance.convene.invitation", "by_lot"))),
            Event(6, "motion", (("governance.decide.votes.backbone", 0.0),)),
            Event(13, "mandate", ((VOTES, 0.1),)),
        ),
    )
    return {"plain": PLAIN, "lively": lively, "changing": changing}


VARIANTS = variants()


def scenario_of(name: str) -> Scenario:
    return VARIANTS[name] if name in VARIANTS else load(name)


def fused(scenario: Scenario, seed: int, run: int, months: int) -> tuple[np.ndarray, State]:
    """The rows of months 0 to ``months`` and the last state, all months in one call of the compiled month."""
    key = np.uint64(run_key(np.uint64(seed), np.uint64(run)))
    state = populate(scenario, key)
    rows = np.empty((months + 1, len(METRICS)))
    measure(state, 0, rows[0])
    run_months(state, encode_events(scenario), key, 0, rows[1:])
    return rows, state


def rows_of(model: CoalitionModel) -> np.ndarray:
    return model.datacollector.get_model_vars_dataframe().to_numpy()


def differing(a: State, b: State, but: set[str] = frozenset()) -> list[str]:
    """The arrays in which two states differ in any bit."""
    names = [name for name in State._fields if name not in SCRATCH | set(but)]
    return [name for name in names if getattr(a, name).tobytes() != getattr(b, name).tobytes()]


def stepped(model: CoalitionModel, months: int) -> CoalitionModel:
    for _ in range(months):
        model.step()
    return model


@pytest.fixture
def model() -> CoalitionModel:
    return CoalitionModel(PLAIN, rng=1)


# Both doors


@pytest.mark.parametrize("name", [*VARIANTS, *shipped()])
def test_month_by_month_equals_the_fused_months_bit_for_bit(name: str) -> None:
    scenario = scenario_of(name)
    rows, state = fused(scenario, seed=7, run=3, months=MONTHS)
    model = stepped(CoalitionModel(scenario, rng=7, run=3), MONTHS)
    assert rows_of(model).tobytes() == rows.tobytes()
    assert differing(model.state, state) == []


@pytest.mark.parametrize("name", list(VARIANTS))
def test_the_data_collector_holds_the_rows_of_simulate(name: str) -> None:
    scenario = VARIANTS[name]
    monthly = simulate(scenario, runs=4, seed=7, months=MONTHS).monthly
    frame = stepped(CoalitionModel(scenario, rng=7, run=3), MONTHS).datacollector.get_model_vars_dataframe()
    expected = monthly[monthly["run"] == 3]
    assert list(frame.columns) == list(NAMES)
    assert expected["month"].tolist() == frame.index.tolist()
    assert frame.to_numpy().tobytes() == np.ascontiguousarray(expected[list(NAMES)].to_numpy()).tobytes()


def test_agents_change_nothing() -> None:
    with_agents = stepped(CoalitionModel(PLAIN, rng=5), MONTHS)
    without = stepped(CoalitionModel(PLAIN, rng=5, agents=False), MONTHS)
    assert rows_of(with_agents).tobytes() == rows_of(without).tobytes()
    assert differing(with_agents.state, without.state) == []


def test_a_seed_says_everything_and_another_seed_or_run_something_else() -> None:
    first, again, other, run = (
        stepped(CoalitionModel(PLAIN, rng=seed, run=run), 6) for seed, run in ((1, 0), (1, 0), (2, 0), (1, 1))
    )
    assert differing(first.state, again.state) == []
    assert "agency" in differing(first.state, other.state)
    assert "agency" in differing(first.state, run.state)


def test_no_seed_takes_one_from_the_system_and_shows_it() -> None:
    first, second = CoalitionModel(PLAIN, rng=None), CoalitionModel(PLAIN, rng=None)
    assert first.seed != second.seed
    assert f"rng={first.seed}" in repr(first)
    again = CoalitionModel(PLAIN, rng=first.seed)
    assert differing(stepped(first, 3).state, stepped(again, 3).state) == []


def test_the_month_never_draws_from_mesa_nor_does_collecting_disturb_it() -> None:
    quiet = stepped(CoalitionModel(PLAIN, rng=3), 12)
    busy = CoalitionModel(PLAIN, rng=3, agent_reporters={"agency": "agency", "priorities": "priorities"})
    for _ in range(12):
        busy.random.random()
        busy.rng.random(7)
        busy.agents.shuffle_do("step")
        busy.residents.shuffle().do(lambda agent: agent.neighbors)
        assert busy.metrics == busy.metrics
        busy.step()
        busy.datacollector.collect(busy)
    assert differing(quiet.state, busy.state) == []


def test_numbers_for_users_come_from_the_run(model: CoalitionModel) -> None:
    again, other = CoalitionModel(PLAIN, rng=1), CoalitionModel(PLAIN, rng=1, run=1)
    drawn = [(m.random.random(), m.rng.random()) for m in (model, again, other)]
    assert drawn[0] == drawn[1]
    assert drawn[0][0] != drawn[2][0]
    assert drawn[0][1] != drawn[2][1]


# What a model shows


def test_metrics_are_of_the_state_as_it_is(model: CoalitionModel) -> None:
    assert model.metrics == dict(zip(NAMES, rows_of(model)[0].tolist(), strict=True))
    model.state.agency[model.state.kind == RESIDENT] = 0.25
    assert model.metrics["resident_agency"] == 0.25
    assert rows_of(model)[0][NAMES.index("resident_agency")] != 0.25


def test_the_log_is_decoded(model: CoalitionModel) -> None:
    stepped(model, MONTHS)
    assert len(model.log) == model.state.logged[0] > 0
    assert {entry["month"] for entry in model.log} <= set(range(1, MONTHS + 1))
    assert all(entry["text"] for entry in model.log)


def test_running_ends_with_the_months() -> None:
    model = CoalitionModel(PLAIN, rng=1, months=5, agents=False)
    assert model.running
    model.run_model()
    assert (model.month, model.running, len(rows_of(model))) == (5, False, 6)
    whole = CoalitionModel(replace(PLAIN, months=4), agents=False)
    whole.run_model()
    assert whole.month == whole.months == 4
    assert "month=4 of 4" in repr(whole)


def test_a_shipped_name_a_path_and_a_scenario_are_the_same(tmp_path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("schema_version: 1\nname: mine\nmonths: 12\ncommunity: {residents: 31}\n")
    by_path, by_text = CoalitionModel(file, agents=False), CoalitionModel(str(file), agents=False)
    loaded = CoalitionModel(load(file), agents=False)
    assert by_path.coalition_scenario == by_text.coalition_scenario == loaded.coalition_scenario
    assert by_path.state.coalition.residents[0] == 31
    with pytest.raises(ScenarioError):
        CoalitionModel("no_such_scenario")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rng": -1}, "rng: -1 .* whole number of at least 0"),
        ({"rng": 2**64}, "rng: .* whole number"),
        ({"rng": 1.5}, "rng: 1.5 .* whole number"),
        ({"rng": True}, "rng: True .* whole number"),
        ({"rng": np.random.default_rng(1)}, "rng: .* whole number"),
        ({"run": -1}, "run: -1 .* whole number of at least 0"),
        ({"months": 0}, "months: 0 .* whole number of at least 1"),
        ({"months": 121}, "months: 121 is more than the 120 months of the scenario"),
        ({"scenario": 3}, "scenario: 3 is not a scenario"),
        ({"agents": False, "agent_reporters": {"a": "agency"}}, "no agents to report on"),
        ({"agent_reporters": {"a": "agancy"}}, "no attribute 'agancy'; did you mean agency"),
    ],
)
def test_wrong_arguments_get_a_clear_line(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CoalitionModel(**{"scenario": PLAIN, **arguments})


# Agents


def test_every_row_has_its_agent_and_every_kind_its_set(model: CoalitionModel) -> None:
    state = model.state
    assert len(model.agents) == state.kind.size
    sets = (model.residents, model.institutions, model.backbone, model.organizers)
    for kind, (cls, agents) in enumerate(zip((Resident, Institution, Backbone, Organizer), sets, strict=True)):
        rows = np.flatnonzero(state.kind == kind).tolist()
        assert [agent.row for agent in agents] == rows
        assert {type(agent) for agent in agents} == {cls}
        assert {agent.kind for agent in agents} == {KINDS[kind]}
        assert list(model.agents_by_type[cls]) == list(agents)
    assert [agent.unique_id for agent in model.agents] == list(range(1, state.kind.size + 1))
    assert [model.agent_at(row).row for row in range(state.kind.size)] == list(range(state.kind.size))
    assert len(model.residents.select(lambda agent: agent.affected)) == state.affected.sum()
    with pytest.raises(IndexError, match="rows run from 0"):
        model.agent_at(-1)


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda attribute: attribute.name)
def test_an_agent_shows_its_row_now_and_later(attribute, model: CoalitionModel) -> None:
    scenario, state = model.coalition_scenario, model.state
    issues = len(scenario.issues)
    for _ in range(2):
        for agent in model.agents:
            row, shown = agent.row, getattr(agent, attribute.name)
            expected = {
                "kind": lambda row: KINDS[state.kind[row]],
                "group": lambda row: scenario.groups[state.group[row]].name if state.group[row] >= 0 else None,
                "neighborhood": lambda row: state.neighborhood[row] if state.neighborhood[row] >= 0 else None,
                "table": lambda row: state.table[row] if state.table[row] >= 0 else None,
                "home": lambda row: scenario.issues[state.home[row]].name,
                "priorities": lambda row: state.x[row, :issues],
                "strategy": lambda row: state.x[row, issues],
                "budget_preferences": lambda row: state.x[row, issues + 1 :],
                "convictions": lambda row: state.x0[row],
                "beliefs": lambda row: state.belief[row],
                "idea_origin": lambda row: state.origin[row],
                "decision_weight": lambda row: state.weight[row],
                "budget_weight": lambda row: state.weight_budget[row],
            }.get(attribute.name, lambda row: getattr(state, attribute.name)[row])(row)
            if expected is None:
                assert shown is None
            elif np.ndim(expected):
                assert np.array_equal(shown, expected)
            else:
                assert shown == expected
                assert type(shown) in (bool, int, float, str)
        stepped(model, 2)


def test_what_is_collected_stays_as_it_was() -> None:
    model = CoalitionModel(PLAIN, rng=1, agent_reporters={"own": "priorities", "agency": lambda agent: agent.agency})
    start, agency = model.state.x[:, : len(PLAIN.issues)].copy(), model.state.agency.copy()
    stepped(model, 3)
    frame = model.datacollector.get_agent_vars_dataframe()
    assert list(frame.columns) == ["own", "agency"]
    assert len(frame) == 4 * model.state.kind.size
    month_0, month_3 = frame.loc[0], frame.loc[3]
    assert np.array_equal(np.stack(month_0["own"].to_list()), start)
    assert np.array_equal(month_0["agency"].to_numpy(), agency)
    assert np.array_equal(month_3["agency"].to_numpy(), model.state.agency)


SHARES = {"priorities": 6, "budget_preferences": 6}


def a_value(name: str, agent) -> object:
    """Something that may be written, other than what stands there."""
    now = getattr(agent, name)
    if isinstance(now, bool):
        return not now
    if name in ("threshold", "fatigue"):
        return {"threshold": 0.0, "fatigue": 1.0}[name]
    if name == "convictions":
        return [*np.eye(6)[1], 0.75, *np.eye(6)[2]]
    if isinstance(now, np.ndarray):
        return np.eye(now.size)[2] if name in SHARES else np.full(now.size, 0.375)
    return 0.375 if now != 0.375 else 0.5


WRITABLE = [attribute.name for attribute in ATTRIBUTES if not attribute.fixed]
FIXED = [attribute.name for attribute in ATTRIBUTES if attribute.fixed]


@pytest.mark.parametrize("name", WRITABLE)
def test_what_is_written_stands_in_its_row_alone_and_moves_the_next_month(name: str) -> None:
    # More money for organizing than one organizer can work for
    scenario = PLAIN.with_values({"governance.decide.budget.organizing": 0.4, "community.organizers": 1})
    model, untouched = (stepped(CoalitionModel(scenario, rng=1), 6) for _ in range(2))
    if name == "fatigue":
        for either in (model, untouched):
            either.residents.set("mobilized", True)
    agents = {
        "active": model.organizers.select(lambda agent: not agent.active),
        "engagement": model.institutions,
        "mission": model.institutions,
        "resources": model.institutions,
    }.get(name, model.residents)
    chosen = list(agents)
    before = {agent: getattr(agent, name) for agent in model.agents}
    for agent in chosen:
        agent_value = a_value(name, agent)
        setattr(agent, name, agent_value)
        assert np.array_equal(getattr(agent, name), agent_value)
    for agent in model.agents:
        if agent not in chosen:
            assert np.array_equal(getattr(agent, name), before[agent])
    model.step()
    untouched.step()
    moved = differing(model.state, untouched.state)
    field = next(attribute.field or attribute.name for attribute in ATTRIBUTES if attribute.name == name)
    assert set(moved) - {field, "group_barrier"}, f"writing {name} changed nothing but itself"


def test_writing_an_agent_is_writing_the_array() -> None:
    by_agent, by_array = CoalitionModel(PLAIN, rng=1), CoalitionModel(PLAIN, rng=1)
    by_agent.residents.set("agency", 0.9)
    by_array.state.agency[by_array.state.kind == RESIDENT] = 0.9
    plain = stepped(CoalitionModel(PLAIN, rng=1), 12)
    for model in (by_agent, by_array):
        stepped(model, 12)
    assert differing(by_agent.state, by_array.state) == []
    assert by_agent.metrics["resident_attendance"] > plain.metrics["resident_attendance"]


def test_writing_a_barrier_moves_the_mean_of_the_group(model: CoalitionModel) -> None:
    state = model.state
    model.residents.select(lambda agent: agent.row % 3 == 0).set("barrier", 0.9)
    for group in range(state.group_size.size):
        mean = state.barrier[state.group == group].mean()
        assert state.group_barrier[group] == pytest.approx(mean, abs=1e-12)
    model.institutions[0].barrier = 0.5
    model.residents.set("barrier", 0.0)
    assert state.group_barrier == pytest.approx(np.zeros(state.group_size.size), abs=1e-12)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("agency", 1.4, "agency of Resident 0: 1.4 is not a number from 0 to 1"),
        ("agency", -0.01, "from 0 to 1"),
        ("agency", float("nan"), "nan is not a number from 0 to 1"),
        ("agency", float("inf"), "from 0 to 1"),
        ("agency", np.float64(2), "2.0 is not a number from 0 to 1"),
        pytest.param("agency", 10**400, r"10+\.\.\.0+ is not a number from 0 to 1", id="huge"),
        ("agency", True, "True is not a number"),
        ("agency", "0.5", "'0.5' is not a number"),
        ("agency", None, "None is not a number"),
        ("grievance", 2.1, "from 0 to 2"),
        ("threshold", 2, "(share)"),
        ("member", 1, "1 is not a yes/no value; write True or False"),
        ("leader", "yes", "write True or False"),
        ("priorities", [1.0, 0.0], "2 numbers instead of 6; write one for each issue"),
        ("priorities", 0.5, "array of shape"),
        ("priorities", [[0.5, 0.5, 0, 0, 0, 0]], "array of shape"),
        ("priorities", [0.5, [1], 0, 0, 0, 0], "not a list of numbers"),
        ("priorities", ["1", 0, 0, 0, 0, 0], "not a list of numbers"),
        ("priorities", [0.5, 0.4, 0, 0, 0, 0], "add up to 0.9"),
        ("priorities", [1.5, -0.5, 0, 0, 0, 0], "every entry must be a number from 0 to 1"),
        ("priorities", [1, np.nan, 0, 0, 0, 0], "every entry must be a number from 0 to 1"),
        ("budget_preferences", [1, 0, 0], "one for each budget line .coordination, organizing"),
        ("budget_preferences", [1, 1, 0, 0, 0, 0], "add up to 2"),
        ("strategy", 1.01, "from 0 to 1"),
        ("beliefs", [0.5] * 5 + [1.1], "every entry must be a number from 0 to 1"),
        ("convictions", [0.5] * 12, "12 numbers instead of 13; write 6 priorities, 1 strategy and 6 budget shares"),
        ("convictions", [0.5, 0, 0, 0, 0, 0, 0.5, 1, 0, 0, 0, 0, 0], "priorities add up to 0.5"),
        ("convictions", [1, 0, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 0, 0], "budget shares add up to 0"),
    ],
)
def test_a_wrong_value_is_refused_and_changes_nothing(name, value, words, model: CoalitionModel) -> None:
    before = copy.deepcopy(model.state)
    with pytest.raises(ValueError, match=words):
        setattr(model.residents[0], name, value)
    assert differing(model.state, before) == []


@pytest.mark.parametrize("name", FIXED)
def test_what_cannot_be_written_says_so(name: str, model: CoalitionModel) -> None:
    before = copy.deepcopy(model.state)
    with pytest.raises(AttributeError, match=rf"{name} of Resident 0 cannot be written: "):
        setattr(model.residents[0], name, getattr(model.residents[0], name))
    assert differing(model.state, before) == []


def test_some_attributes_are_written_for_some_kinds_only(model: CoalitionModel) -> None:
    institution, backbone = model.institutions[0], model.backbone[0]
    institution.member = True
    for agent, name in (
        (institution, "leader"), (institution, "mobilized"), (institution, "fatigue"), (backbone, "member"),
        (model.residents[0], "active"), (model.organizers[0], "member"),
    ):  # fmt: skip
        with pytest.raises(AttributeError, match=r"cannot be written: only \w+( and \w+)? have it"):
            setattr(agent, name, getattr(agent, name))


def test_an_entry_of_a_list_cannot_be_changed_unseen(model: CoalitionModel) -> None:
    with pytest.raises(ValueError, match="read-only"):
        model.residents[0].priorities[0] = 0.9


def test_an_organizer_can_be_hired() -> None:
    scenario = PLAIN.with_values({"community.organizers": 0, "governance.decide.budget.organizing": 0.3})
    model = stepped(CoalitionModel(scenario, rng=1), 1)
    line = 1  # organizing
    assert [agent.active for agent in model.organizers] == [False] * 4
    assert model.state.spend[line] == 0.0
    model.organizers[0].active = True
    model.step()
    assert model.state.spend[line] > 0.0


def test_help_shows_what_the_table_says(model: CoalitionModel) -> None:
    text = pydoc.render_doc(Resident, renderer=pydoc.plaintext)
    for attribute in ATTRIBUTES:
        shown = getattr(Resident, attribute.name)
        assert isinstance(shown, property)
        assert shown.__doc__ == attribute.help
        assert attribute.meaning in text
    assert Resident.threshold.__doc__ == (
        "Share of contacts that must be acting before the agent acts too. Unit: share, from 0 to 1."
    )
    assert "From 0 to 2." in Resident.grievance.__doc__
    assert "Can be written for residents only." in Resident.leader.__doc__
    assert "Read only: every month settles it anew" in Resident.present.__doc__
    assert len({attribute.name for attribute in ATTRIBUTES}) == len(ATTRIBUTES)


def test_people_are_not_removed(model: CoalitionModel) -> None:
    with pytest.raises(RuntimeError, match="population is fixed"):
        model.residents[0].remove()
    assert len(model.residents) == PLAIN["community.residents"]


def test_without_agents_asking_for_them_says_why() -> None:
    model = CoalitionModel(PLAIN, agents=False)
    assert len(model.agents) == 0
    for ask in (lambda: model.residents, lambda: model.organizers, lambda: model.agent_at(0)):
        with pytest.raises(RuntimeError, match="agents=False"):
            ask()


# Own behavior, in the manner of Mesa


class Neighbor(Resident):
    """A resident who gains confidence from the mean of the ties'."""

    def encourage(self) -> None:
        others = self.neighbors.get("agency")
        self.agency = min(1.0, self.agency + 0.1 * max(0.0, float(np.mean(others)) - self.agency))
        self.model.encouraged += 1


class Encouraging(CoalitionModel):
    agent_classes = (Neighbor, *AGENT_CLASSES[1:])
    encouraged = 0

    def step(self) -> None:
        self.residents.shuffle_do("encourage")
        super().step()


def test_a_subclass_adds_behavior() -> None:
    plain, own, again = CoalitionModel(PLAIN, rng=2), Encouraging(PLAIN, rng=2), Encouraging(PLAIN, rng=2)
    for model in (plain, own, again):
        stepped(model, 6)
    assert {type(agent) for agent in own.residents} == {Neighbor}
    assert own.encouraged == 6 * PLAIN["community.residents"]
    assert own.month == 6
    assert len(rows_of(own)) == 7
    assert own.metrics["resident_agency"] > plain.metrics["resident_agency"]
    assert differing(own.state, again.state) == []


def test_agent_sets_do_what_mesa_does(model: CoalitionModel) -> None:
    assert model.residents.agg("agency", np.mean) == pytest.approx(model.metrics["resident_agency"])
    counts = model.residents.groupby("group").count()
    assert counts == {group.name: int(size) for group, size in zip(PLAIN.groups, model.state.group_size, strict=True)}
    seen = []
    model.agents.shuffle_do(lambda agent: seen.append(agent.row))
    assert seen != sorted(seen) == list(range(model.state.kind.size))


def test_batch_runs_of_mesa() -> None:
    model = CoalitionModel(PLAIN, rng=4, months=6)
    model.run_model()
    results = mesa.batch_run(
        CoalitionModel,
        {"scenario": [PLAIN, VARIANTS["lively"]], "months": 6, "agents": False, "run": [0, 1]},
        display_progress=False,
        **({"rng": 4} if "rng" in mesa.batch_run.__annotations__ else {}),
    )
    assert len(results) == 4
    assert {row["scenario"].name for row in results} == {"plain"}
    assert len({row["burden"] for row in results}) == 4


def test_mesa_keeps_its_own_name_for_a_scenario(model: CoalitionModel) -> None:
    assert model.coalition_scenario is PLAIN
    assert getattr(model, "scenario", None) is None
    with pytest.raises(AttributeError, match="coalition_scenario"):
        model.scenario  # noqa: B018
    with pytest.raises(AttributeError, match="fixed"):
        model.scenario = VARIANTS["lively"]


# The network


def test_the_space_holds_the_ties_of_the_state(model: CoalitionModel) -> None:
    state = model.state
    rows = np.repeat(np.arange(state.kind.size), np.diff(state.indptr))
    stored = {(int(a), int(b)): float(w) for a, b, w in zip(rows, state.indices, state.tie, strict=True)}
    graph = model.grid.G
    assert list(graph.nodes) == list(range(state.kind.size))
    assert {(a, b): graph.edges[a, b]["weight"] for a, b in graph.edges} == {
        (a, b): w for (a, b), w in stored.items() if a < b
    }
    assert {(cell.coordinate, other) for cell in model.grid for other in cell.connections} == set(stored)
    for agent in model.agents:
        assert agent.cell is model.grid[agent.row]
        assert agent.cell.agents == [agent]
        assert isinstance(agent.neighbors, AgentSet)
        assert {other.row for other in agent.neighbors} == set(agent.cell.connections)
        assert {(agent.row, other.row): weight for other, weight in agent.ties.items()}.items() <= stored.items()
        assert len(agent.ties) == len(agent.neighbors)
    assert CoalitionModel(PLAIN, rng=1, agents=False).grid.G.edges == graph.edges


def test_imported_organizations_keep_their_names_and_ties(tmp_path) -> None:
    (tmp_path / "contacts.csv").write_text("source,target,contact\nHealth,Schools,5\nSchools,Housing,1\n")
    file = tmp_path / "ours.yaml"
    file.write_text(
        "schema_version: 1\nname: ours\ncommunity: {residents: 30}\n"
        "network: {file: contacts.csv, weight: contact, scale: 5, residents: {generate: neighborhoods}}\n"
    )
    model = CoalitionModel(file, rng=2)
    assert [agent.name for agent in model.institutions] == ["Health", "Schools", "Housing"]
    assert [agent.name for agent in model.residents][:2] == ["resident 1", "resident 2"]
    among = {
        (a.name, b.name): strength
        for a in model.institutions for b, strength in a.ties.items() if b in model.institutions
    }  # fmt: skip
    expected = {("Health", "Schools"): 1.0, ("Schools", "Housing"): 0.2}
    assert among == {**expected, **{(b, a): strength for (a, b), strength in expected.items()}}
    assert model.grid.G.nodes[30] == {"name": "Health", "kind": "institution"}
    rows, state = fused(model.coalition_scenario, seed=2, run=0, months=MONTHS)
    assert rows_of(stepped(model, MONTHS)).tobytes() == rows.tobytes()
    assert differing(model.state, state) == []
    assert {"Health", "Schools", "Housing"} & {entry["subject"] for entry in model.log}


def test_agents_stay_in_their_cells(model: CoalitionModel) -> None:
    with pytest.raises(ValueError, match="Cannot move"):
        model.residents[0].cell = model.grid[1]


def test_ties_are_live_and_symmetric(model: CoalitionModel) -> None:
    untouched = CoalitionModel(PLAIN, rng=1)
    agent = model.residents[3]
    other = next(iter(agent.ties))
    agent.ties[other] = 0.875
    assert agent.ties[other] == other.ties[agent] == 0.875
    assert np.count_nonzero(model.state.tie != untouched.state.tie) == 2
    stepped(model, 3)
    stepped(untouched, 3)
    assert "x" in differing(model.state, untouched.state)
    stranger = next(a for a in model.agents if a is not agent and a not in agent.ties)
    for wrong in (stranger, untouched.residents[0], agent, 7):
        assert wrong not in agent.ties
        with pytest.raises(KeyError):
            agent.ties[wrong]
        with pytest.raises(KeyError, match="have no tie"):
            agent.ties[wrong] = 0.5
    for strength in (-0.1, 1.1, float("nan"), "strong"):
        with pytest.raises(ValueError, match=rf"tie of {agent} and {other}: .* from 0 to 1"):
            agent.ties[other] = strength
    with pytest.raises(AttributeError, match="write a strength"):
        agent.ties = {}


# Rules


def test_rules_show_what_is_in_force(model: CoalitionModel) -> None:
    assert list(model.rules) == [rule.path for rule in RULES]
    assert len(model.rules) == len(RULES)
    assert dict(model.rules) == {rule.path: PLAIN[rule.path] for rule in RULES}
    assert model.rules.get("governance.nothing") is None
    with pytest.raises(KeyError, match=r"did you mean governance\.decide\.votes\.residents"):
        model.rules["decide.votes.residents"]


CHANGE = {VOTES: 0.95, "governance.convene.invitation": "by_lot", "governance.convene.table_cap": 20}


def test_a_change_of_rules_is_an_event_by_mandate() -> None:
    event = Event(7, "mandate", tuple(CHANGE.items()))
    by_event = CoalitionModel(replace(PLAIN, events=(event,)), rng=1)
    by_hand = stepped(CoalitionModel(PLAIN, rng=1), 6)
    by_hand.rules.update(CHANGE)
    stepped(by_event, MONTHS)
    stepped(by_hand, MONTHS - 6)
    assert rows_of(by_event).tobytes() == rows_of(by_hand).tobytes()
    assert differing(by_event.state, by_hand.state, but={"log", "logged", "event_done"}) == []
    assert [entry for entry in by_event.log if entry["event"] != "mandate"] == by_hand.log
    assert rows_of(by_hand).tobytes() != fused(PLAIN, 1, 0, MONTHS)[0].tobytes()
    assert {path: by_event.rules[path] for path in CHANGE} == CHANGE


def test_every_rule_can_be_written_as_it_stands(model: CoalitionModel) -> None:
    before = model.state.rules.tobytes()
    for path, value in model.rules.items():
        model.rules[path] = value
    assert model.state.rules.tobytes() == before
    model.rules[VOTES] = np.float32(0.25)
    assert model.rules[VOTES] == 0.25


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({VOTES: 1.5}, f"{VOTES}: 1.5 .*from 0 to 1"),
        ({VOTES: float("nan")}, VOTES),
        ({VOTES: "much"}, VOTES),
        ({VOTES: True}, VOTES),
        ({"governance.convene.table_cap": 10.5}, "governance.convene.table_cap: .*whole number"),
        ({"governance.convene.invitation": "by_magic"}, "governance.convene.invitation: .*by_lot"),
        ({"governance.decide.vote.residents": 0.5}, "no such rule; did you mean governance.decide.votes.residents"),
        ({"decide.votes.residents": 0.5}, "no such rule; did you mean governance.decide.votes.residents"),
        ({"community.residents": 50}, "community.residents: this describes the start and cannot change during a run"),
        ({"governance.decide.budget_min.training": 0.5}, "governance.decide.budget_min.training: .*budget_max"),
        ({VOTES: 2, "nonsense": 1}, "(?s)votes.residents: .*\nnonsense: there is no such rule"),
    ],
)
def test_a_wrong_rule_is_refused_and_changes_nothing(values: dict, words: str, model: CoalitionModel) -> None:
    before = model.state.rules.tobytes()
    with pytest.raises(ValueError, match=words):
        model.rules.update({"governance.decide.votes.backbone": 0.9, **values})
    assert model.state.rules.tobytes() == before


def test_lines_of_the_budget_are_checked_together(model: CoalitionModel) -> None:
    low, high = "governance.decide.budget_min.training", "governance.decide.budget_max.training"
    model.rules.update({low: 0.5, high: 0.6})
    assert (model.rules[low], model.rules[high]) == (0.5, 0.6)
    with pytest.raises(ValueError, match="more than the largest"):
        model.rules[high] = 0.4


# Copies and memory


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("agents", [True, False])
def test_a_copy_goes_on_alone_and_alike(twin_of, agents: bool) -> None:
    scenario = VARIANTS["changing"]
    model = stepped(CoalitionModel(scenario, rng=1, agents=agents), 5)
    twin = twin_of(model)
    stepped(twin, 12)
    assert model.month == 5
    assert differing(model.state, fused(scenario, 1, 0, 5)[1]) == []
    assert rows_of(twin).tobytes() == fused(scenario, 1, 0, 17)[0].tobytes()
    assert np.shares_memory(twin.state.rules, twin.state.rules_flat)
    if agents:
        assert twin.residents[0].model is twin
        twin.residents[0].agency = 0.125
        assert twin.state.agency[0] == 0.125 != model.state.agency[0]


def test_models_without_agents_are_freed() -> None:
    model = stepped(CoalitionModel(PLAIN, rng=1, agents=False), 2)
    model.rules[VOTES] = 0.5
    model.datacollector.get_model_vars_dataframe()
    watched = [weakref.ref(model), weakref.ref(model.state.x), weakref.ref(model.state.tie)]
    assert all(reference() is not None for reference in watched)
    del model
    gc.collect()
    assert [reference() for reference in watched] == [None] * 3


def test_kinds_are_in_the_order_of_the_state() -> None:
    assert [AGENT_CLASSES[kind] for kind in (RESIDENT, INSTITUTION, BACKBONE, ORGANIZER)] == [
        Resident, Institution, Backbone, Organizer,
    ]  # fmt: skip
