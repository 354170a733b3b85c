"""Levers: every rule is one, the budget adds to the whole, principles are switches."""

from __future__ import annotations

import json

import pytest

from cej_sim import load
from cej_sim.app.levers import (
    BUDGET,
    LeverError,
    catalogue,
    chosen,
    lines,
    moved,
    principle_states,
    settled,
    with_principle,
)
from cej_sim.parameters import PRINCIPLES
from cej_sim.scenario import CHANGEABLE, PARAMETERS, budget_problems
from cej_sim.sweeps.ablation import units

LED, CI = "community_led", "collective_impact"


def test_every_parameter_is_one_lever_as_it_was_declared():
    levers = {one["path"]: one for one in catalogue()["levers"]}
    assert list(levers)
    assert set(levers) == set(PARAMETERS)
    for path, one in levers.items():
        declared = PARAMETERS[path]
        assert (one["label"], one["meaning"], one["unit"], one["source"]) == (
            declared.label, declared.meaning, declared.unit, declared.source,
        )  # fmt: skip
        assert (one["low"], one["high"], one["default"], tuple(one["choices"])) == (
            declared.low, declared.high, declared.default, declared.choices,
        )  # fmt: skip
        if one["kind"] == "number":
            assert 100 <= round((one["high"] - one["low"]) / one["step"]) <= 1000, path


def test_groups_hold_every_lever_once_and_those_of_a_principle_bear_its_number():
    phases = [path for group in catalogue()["phases"] for path in group["levers"]]
    assert sorted(phases) == sorted(PARAMETERS)
    for group in catalogue()["principles"]:
        assert group["levers"]
        assert {PARAMETERS[path].principle for path in group["levers"]} == {group["number"]}
    assert [group["label"] for group in catalogue()["principles"]] == list(PRINCIPLES.values())


def test_the_catalogue_is_plain_data():
    assert json.loads(json.dumps(catalogue(), allow_nan=False)) == json.loads(json.dumps(catalogue()))


@pytest.mark.parametrize("line", ["coordination", "organizing", "supports", "training", "evaluation"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.77, 1.0])
def test_lines_add_to_the_whole_and_keep_their_bounds_wherever_one_is_moved(line, share):
    scenario = moved(load(LED), {f"{BUDGET}.{line}": share})
    assert not budget_problems(scenario.values)
    shown = lines(scenario)
    assert sum(one["share"] for one in shown) == pytest.approx(1.0)
    assert all(one["least"] - 1e-12 <= one["share"] <= one["most"] + 1e-12 for one in shown)
    wanted = {one["line"]: one for one in shown}[line]
    assert wanted["share"] == pytest.approx(min(max(share, wanted["least"]), wanted["most"]))


def test_other_lines_make_room_in_proportion_to_what_they_can_spare():
    values = {**load(CI).values}
    wide = {
        f"{BUDGET}_max.{line}": 1.0 for line in ("coordination", "organizing", "supports", "training", "evaluation")
    }
    wide |= {path.replace("_max", "_min"): 0.0 for path in wide}
    held = {"coordination": 0.4, "organizing": 0.8, "supports": 0.2, "training": 0.0, "evaluation": 0.0}
    values |= wide | {f"{BUDGET}.{line}": share for line, share in held.items()}
    share = settled(values, ("organizing",))
    # 0.4 too much, taken from 0.4 and 0.2 alike in proportion
    assert share == pytest.approx(
        {
            "coordination": 0.4 - 0.4 * 4 / 6,
            "organizing": 0.8,
            "supports": 0.2 - 0.4 * 2 / 6,
            "training": 0,
            "evaluation": 0,
        }
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"governance.decide.votes.residents": 1.5}, "Votes of residents"),
        ({"governance.decide.votes.residents": "half"}, "not a number"),
        ({"governance.decide.rule": "dice"}, "choices"),
        ({"governance.decide.votes.residents": float("nan")}, "not a number"),
        ({"governance.decide.votes.residents": None}, "not a number"),
        ({"governance.convene.nothing": 1}, "no such lever"),
        ({"__class__": 1}, "no such lever"),
        ({"governance.decide.strategy": 1.0, "governance.decide.strategy_max": 0.1}, "strategy_max"),
    ],
)
def test_what_cannot_be_is_said(changes, said):
    with pytest.raises(LeverError, match=said):
        moved(load(LED), changes)


def test_a_whole_number_moves_a_lever_that_takes_any_number():
    assert moved(load(LED), {"governance.decide.votes.residents": 1})["governance.decide.votes.residents"] == 1.0


def test_poles_have_all_principles_on_and_off():
    assert set(principle_states(load(LED)).values()) == {"on"}
    assert set(principle_states(load(CI)).values()) == {"off"}


@pytest.mark.parametrize("number", list(PRINCIPLES))
def test_a_switch_changes_the_rules_of_its_principle_and_no_others(number):
    before = load(CI)
    after = with_principle(before, number, True)
    assert principle_states(after)[str(number)] == "on"
    changed = {path for path in PARAMETERS if after[path] != before[path]}
    # Lines of the budget may have to make room for others.
    allowed = {path for path in changed if path.startswith(f"{BUDGET}.")}
    unit = next(one for one in units(before, load(LED), "principle") if one.name == f"principle_{number}")
    assert changed - allowed <= set(unit.paths)
    back = with_principle(after, number, False)
    assert principle_states(back)[str(number)] == "off"


def test_all_switches_on_make_the_other_pole_but_for_what_belongs_to_no_principle():
    scenario = load(CI)
    for number in PRINCIPLES:
        scenario = with_principle(scenario, number, True)
    left = {path for path in PARAMETERS if scenario[path] != load(LED)[path]}
    assert {PARAMETERS[path].principle for path in left if not path.startswith(BUDGET)} <= {None}
    assert set(principle_states(scenario).values()) == {"on"}


def test_a_room_is_shown_six_levers_at_most():
    paths = tuple(CHANGEABLE)[:7]
    assert chosen(paths[:6]) == list(paths[:6])
    with pytest.raises(LeverError, match="at most 6"):
        chosen(paths)
    with pytest.raises(LeverError, match="no such lever"):
        chosen(("../../etc/passwd",))
