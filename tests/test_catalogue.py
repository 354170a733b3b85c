"""The shipped scenarios: each runs, says what it rests on, and gives a reason for every rule that differs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_network import indiana, indiana_files  # noqa: F401

import cej_sim as cej
from cej_sim.metrics import METRICS, NAMES
from cej_sim.parameters import CONDITIONS, DUTIES, FACTORS, PRINCIPLES, SUSTAINABILITY, Value
from cej_sim.reading import check, shipped
from cej_sim.reading import load as read_file
from cej_sim.scenario import CHANGEABLE, PARAMETERS, Event, Scenario

POLES = ("collective_impact", "community_led")
CONVERSIONS = ("converted_by_mandate", "converted_by_motion")
CATALOGUE = {
    *POLES, *CONVERSIONS, "collective_impact_3", "collective_impact_2022", "relabeled", "coalition_action_theory",
    "collaborative_solutions", "able_change", "healthy_start_oakland", "boston_reach", "schools_not_prisons",
    "valuing_our_children", "northern_berkshire", "tobacco_free", "statewide_ally", "cinch", "autonomous_movement",
    "food_insecurity_collective_impact", "hybrid",
}  # fmt: skip
OTHERS = sorted(set(shipped()) - set(POLES))

#: Conditions whose rules are alike in both poles, which is an assumption: turned off, they are 0.
ALIKE = {"reinforcing_activities"}


@cache
def load(name: str) -> Scenario:
    return read_file(name)


def text_of(name: str) -> str:
    return shipped()[name].read_text(encoding="utf-8")


def pole_of(name: str) -> str:
    (pole,) = re.findall(r"^extends: (\w+)$", text_of(name), re.MULTILINE)
    return pole


def differing(a: Scenario, b: Scenario) -> list[str]:
    """Paths of what differs; lists count as one."""
    lists = {
        "community.groups": (a.groups, b.groups),
        "issues": (a.issues, b.issues),
        "network.file": (a.network_file, b.network_file),
        "events": (a.events, b.events),
        "months": (a.months, b.months),
    }
    return [path for path in PARAMETERS if a[path] != b[path]] + [key for key, (x, y) in lists.items() if x != y]


def covers(reason: str, path: str) -> bool:
    return path == reason or path.startswith(f"{reason}.")


def unexplained(scenario: Scenario, pole: Scenario) -> tuple[list[str], list[str]]:
    """Differences without a reason, and reasons without a difference."""
    paths = differing(scenario, pole)
    given = [path for path, _ in scenario.reasons]
    return (
        [path for path in paths if not any(covers(reason, path) for reason in given)],
        [reason for reason in given if not any(covers(reason, path) for path in paths)],
    )


# Each file


def test_the_catalogue_is_whole():
    assert set(shipped()) == CATALOGUE


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_scenario_runs(name):
    assert check(shipped()[name]) == []
    result = cej.simulate(load(name), runs=2, seed=3, months=24, threads=1)
    assert set(result.monthly["month"]) == set(range(25))
    assert np.isfinite(result.monthly[list(NAMES)].to_numpy(float)).all()
    assert (result.monthly["alive"] == 1).all()


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_scenario_is_described_for_a_student(name):
    scenario = load(name)
    assert scenario.name == name
    assert 0 < len(scenario.label) <= 40
    assert scenario.description.endswith(".")
    assert len(scenario.description) <= 200


def test_labels_tell_scenarios_apart():
    labels = [load(name).label for name in shipped()]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("name", OTHERS)
def test_the_head_says_what_is_shown_what_it_rests_on_and_what_is_assumed(name):
    head = re.match(r"(#.*\n)+", text_of(name))
    assert head is not None
    for word in ("What it shows:", "Source:", "Assumed:"):
        assert f"# {word}" in head[0]


@pytest.mark.parametrize("name", OTHERS)
def test_reasons_cover_exactly_what_differs(name):
    assert pole_of(name) in POLES
    assert unexplained(load(name), load(pole_of(name))) == ([], [])


def test_a_missing_and_a_superfluous_reason_are_found():
    pole = load("community_led")
    changed = pole.with_values({"governance.convene.naming": 0.1, "governance.decide.budget.organizing": 0.1})
    reasons = (("governance.decide.budget", "assumed: less"), ("governance.decide.budget_min", "assumed: less"))
    found = unexplained(replace(changed, reasons=reasons, months=60), pole)
    assert found == (["governance.convene.naming", "months"], ["governance.decide.budget_min"])


@pytest.mark.parametrize("name", OTHERS)
def test_every_reason_says_whether_it_is_the_source_or_assumed(name):
    for path, reason in load(name).reasons:
        assert re.match("(source|assumed): [a-z0-9]", reason), path
        assert len(reason) <= 200, path


@pytest.mark.parametrize("name", OTHERS)
def test_the_extended_pole_is_the_nearest(name):
    distance = {pole: len(differing(load(name), load(pole))) for pole in POLES}
    assert distance[pole_of(name)] == min(distance.values())


@pytest.mark.parametrize("name", sorted(shipped()))
def test_money_and_what_was_never_measured_are_as_in_the_poles(name):
    """Funders, mechanisms and coefficients are nobody's advantage."""
    paths = [path for path in PARAMETERS if path.split(".")[0] in ("funder", "mechanisms", "coefficients")]
    assert [path for path in paths if load(name)[path] != load("collective_impact")[path]] == []
    assert [path for path in paths if load("community_led")[path] != load("collective_impact")[path]] == []


# What some of them promise


def test_relabeled_differs_in_words_only():
    relabeled, pole = load("relabeled"), load("collective_impact")
    assert differing(relabeled, pole) == []
    assert (relabeled.label, relabeled.description) != (pole.label, pole.description)


def in_force(scenario: Scenario, event: Event) -> Mapping[str, Value]:
    return {**scenario.values, **dict(event.set)}


def apart(values: Mapping[str, Value], pole: str) -> set[str]:
    return {path for path in PARAMETERS if values[path] != load(pole)[path]}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_conversions_end_with_the_rules_of_the_other_pole(name):
    scenario = load(name)
    (event,) = scenario.events
    assert (event.month, event.by) == (60, name.removeprefix("converted_by_"))
    left = {"governance.convene.residents_from", "governance.decide.strategy"}  # past by then, and the coalition's own
    assert apart(in_force(scenario, event), "community_led") == left


def test_the_funder_turns_healthy_start_into_collective_impact():
    scenario = load("healthy_start_oakland")
    (event,) = scenario.events
    assert event.by == "mandate"
    assert apart(in_force(scenario, event), "collective_impact") == {
        "governance.convene.agreement",  # leaders are picked
        "governance.convene.residents_from",  # others wait
        "governance.serve.recruit",  # what CI says nothing about stays
        "governance.serve.targeting",
    }
    monthly = cej.simulate(scenario, runs=2, seed=3, months=84, threads=1).monthly
    say = monthly.groupby("month")["decision_share"].mean()
    assert say[36:59].mean() > 2 * say[66:84].mean() > 0


def test_issues_differ_where_a_scenario_is_about_another_problem():
    pole = load("collective_impact").issues
    about = {name: load(name).issues for name in shipped() if load(name).issues != pole}
    assert set(about) == {"food_insecurity_collective_impact", "schools_not_prisons"}
    structural = [np.mean([issue.structural for issue in issues]) for issues in (pole, *about.values())]
    assert structural[0] == min(structural)
    assert {len(issues) for issues in about.values()} == {len(pole)}


def test_tobacco_free_runs_on_a_measured_network(indiana: Path) -> None:  # noqa: F811
    file = replace(indiana_files(indiana)[0], kind_default="institution")
    scenario = replace(load("tobacco_free"), network_file=file)
    monthly = cej.simulate(scenario, runs=2, seed=3, months=24, threads=1).monthly
    assert np.isfinite(monthly[list(NAMES)].to_numpy(float)).all()
    assert (monthly["alive"] == 1).all()
    assert monthly.loc[monthly["month"] == 24, "structural_effort"].min() > 0.1


# What the essay lists is within reach


def tags(kind: str) -> set[object]:
    return {getattr(item, kind, None) for item in (*PARAMETERS.values(), *METRICS)} - {None}


def between_poles(kind: str, tag: object) -> list[str]:
    """Rules with a tag that differ between the poles."""
    a, b = map(load, POLES)
    return [path for path, rule in CHANGEABLE.items() if getattr(rule, kind) == tag and a[path] != b[path]]


@pytest.mark.parametrize("principle", PRINCIPLES)
def test_each_principle_has_a_rule_in_which_the_poles_differ(principle):
    assert between_poles("principle", principle)


def test_tags_are_those_of_the_lists():
    assert tags("principle") == set(PRINCIPLES)
    assert tags("condition") == set(CONDITIONS)
    assert tags("factor") == set(FACTORS)
    assert tags("sustainability") == set(SUSTAINABILITY)
    assert tags("duty") == set(DUTIES)


@pytest.mark.parametrize("duty", DUTIES)
def test_each_duty_of_funders_is_a_term_of_the_funder(duty):
    assert all(path.startswith("funder.") for path, rule in PARAMETERS.items() if rule.duty == duty)


def turned(condition: str, other: Scenario) -> dict[str, Value]:
    """What turns a condition of Collective Impact alone: its rules as in another scenario."""
    paths = [path for path, rule in CHANGEABLE.items() if rule.condition == condition]
    return {path: 0.0 if condition in ALIKE and is_number(path) else other[path] for path in paths}


def is_number(path: str) -> bool:
    return PARAMETERS[path].kind == "number"


def test_conditions_with_rules_alike_in_both_poles():
    assert {condition for condition in CONDITIONS if not between_poles("condition", condition)} == ALIKE


@pytest.mark.parametrize("condition", CONDITIONS)
def test_each_condition_turns_alone(condition):
    """The five conditions can be switched one by one, and each makes a difference."""
    pole = load("collective_impact")
    values = turned(condition, load("community_led"))
    changed = pole.with_values(values)
    assert 0 < len(differing(changed, pole)) <= len(values)
    assert set(differing(changed, pole)) <= set(values)
    a, b = (cej.simulate(scenario, runs=1, seed=3, months=30, threads=1).monthly for scenario in (pole, changed))
    assert moved(a, b)


def moved(a: pd.DataFrame, b: pd.DataFrame) -> list[str]:
    """Metrics in which two runs differ, other than those that are set."""
    happened = [metric.name for metric in METRICS if metric.nature == "happened"]
    return [name for name in happened if not np.array_equal(a[name], b[name])]


def test_each_condition_has_rules_of_its_own():
    """Turning one leaves the rules of the others alone."""
    paths = [path for condition in CONDITIONS for path in turned(condition, load("community_led"))]
    assert len(set(paths)) == len(paths)
