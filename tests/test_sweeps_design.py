"""Designs of sweeps: the cells are those of the textbook, the rules of a cell those that were asked for."""

from __future__ import annotations

import itertools
import json
import math
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cej_sim.parameters import PRINCIPLES
from cej_sim.reading import load, shipped
from cej_sim.scenario import PARAMETERS, Scenario
from cej_sim.state import BUDGET_LINES
from cej_sim.sweeps.ablation import PARTS, units
from cej_sim.sweeps.design import KINDS_OF_DESIGN, Design, Plan, generators
from cej_sim.sweeps.reading import DesignError, read_design

POLES = "scenarios: [collective_impact, community_led]\n"
TWO = """factors:
  - {path: community.residents, low: 40, high: 200}
  - {path: funder.tolerance, low: 0.1, high: 0.9}
"""
#: A design of each kind.
EXAMPLES = {
    "list": "cells:\n  - {label: small, set: {community.residents: 60}}\n  - set: {funder.tolerance: .3}\n",
    "grid": """factors:
  - {path: community.residents, values: [40, 80, 120]}
  - {path: funder.tolerance, low: 0.1, high: 0.9, steps: 3}
  - {path: governance.decide.rule, scenario: community_led, values: [consensus, weighted_mean]}
""",
    "one_at_a_time": TWO.replace("low: 40, high: 200", "values: [40, 80, 120]"),
    "full_factorial": TWO,
    "fractional_factorial": "resolution: 4\nfactors:\n"
    + "".join(
        f"  - {{path: mechanisms.{name}, low: 0, high: 1}}\n"
        for name in ("burnout", "fatigue", "naming", "fear", "snowflake", "company", "control", "steering")
    ),
    "latin_hypercube": "samples: 50\n" + TWO,
    "sobol": "samples: 16\n" + TWO,
    "morris": "samples: 6\n" + TWO,
    "ablation": "by: principle\n",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def made(text: str, kind: str = "") -> Design:
    """The design that a file says."""
    whole = text if text.startswith("schema_version") else f"schema_version: 1\n{POLES}{text}"
    Path("design.yaml").write_text(whole + (f"design: {kind}\n" if kind else ""))
    return read_design("design.yaml")


def plan(kind: str, more: str = "") -> Plan:
    return Plan(made(EXAMPLES[kind] + more, kind))


def cells(of: Plan) -> list[tuple]:
    return [of.values(cell) for cell in range(len(of))]


def test_there_is_an_example_of_each_kind() -> None:
    assert {*EXAMPLES, "hypotheses"} == set(KINDS_OF_DESIGN)  # which has tests of its own


# The cells


def test_grid_holds_every_combination_once() -> None:
    wanted = itertools.product([40, 80, 120], [0.1, 0.5, 0.9], ["consensus", "weighted_mean"])
    assert cells(plan("grid")) == list(wanted)


def test_one_at_a_time_leaves_the_others_alone() -> None:
    of = plan("one_at_a_time")
    assert cells(of) == [(None, None), (40, None), (80, None), (120, None), (None, 0.1), (None, 0.9)]
    assert of.label(0) == "as the scenarios are"
    for name, scenario in of.scenarios(0).items():
        assert scenario.hash() == load(name).hash()


def test_full_factorial_holds_both_levels_of_each() -> None:
    assert sorted(cells(plan("full_factorial"))) == [(40, 0.1), (40, 0.9), (200, 0.1), (200, 0.9)]


def test_list_holds_what_is_listed() -> None:
    of = plan("list")
    assert cells(of) == [(60, None), (None, 0.3)]
    assert [of.label(0), of.label(1)] == ["small", "Tolerance of controversy 0.3"]


#: Runs that the best regular fractions need (Box, Hunter and Hunter 2005, table of 2^(k-p) designs, and its doubling).
RUNS = {
    (3, 3): 4, (5, 3): 8, (6, 3): 8, (7, 3): 8, (9, 3): 16, (15, 3): 16, (31, 3): 32,
    (4, 4): 8, (6, 4): 16, (7, 4): 16, (8, 4): 16, (9, 4): 32, (16, 4): 32,
    (5, 5): 16, (6, 5): 32, (8, 5): 64, (9, 5): 128, (11, 5): 128,
}  # fmt: skip


@pytest.mark.parametrize(("factors", "resolution"), RUNS)
def test_fractions_are_as_small_as_known_and_keep_their_resolution(factors: int, resolution: int) -> None:
    words = generators(factors, resolution)
    runs = 1 << max(words).bit_length()
    assert runs == RUNS[factors, resolution]
    signs = np.array([[1 - 2 * ((run & word).bit_count() % 2) for word in words] for run in range(runs)])
    for many in range(1, resolution):
        for columns in itertools.combinations(range(factors), many):
            assert signs[:, columns].prod(axis=1).sum() == 0, columns


def test_fraction_in_the_plan_is_balanced_and_orthogonal() -> None:
    of = plan("fractional_factorial")
    levels = np.array(cells(of))
    assert levels.shape == (16, 8)
    signs = 2.0 * levels - 1.0
    np.testing.assert_array_equal(signs.T @ signs, 16 * np.eye(8))
    for three in itertools.combinations(range(8), 3):
        assert signs[:, three].prod(axis=1).sum() == 0


def test_latin_hypercube_covers_each_range_evenly() -> None:
    of = plan("latin_hypercube")
    points = of.points
    assert points is not None
    for column in points.T:
        assert sorted((column * 50).astype(int)) == list(range(50))
    residents, tolerance = (np.array(column) for column in zip(*cells(of), strict=True))
    assert residents.dtype.kind == "i"
    assert 40 <= residents.min() < 45
    assert 195 < residents.max() <= 200
    assert 0.1 <= tolerance.min() < 0.9 >= tolerance.max()


def test_sobol_has_the_rows_that_its_indices_need() -> None:
    """Saltelli (2010): A, then A with one column of B each, then B; SALib puts them row by row."""
    points = plan("sobol").points
    assert points is not None
    assert points.shape == (16 * (2 + 2), 2)
    for a, ab0, ab1, b in points.reshape(16, 4, 2):
        assert (ab0[0], ab0[1], ab1[0], ab1[1]) == (b[0], a[1], a[0], b[1])
    assert plan("sobol", "second_order: true\n").points.shape == (16 * (2 * 2 + 2), 2)  # type: ignore[union-attr]


def test_morris_moves_one_factor_at_a_time() -> None:
    points = plan("morris").points
    assert points is not None
    for path in points.reshape(6, 3, 2):
        steps = np.abs(np.diff(path, axis=0))
        assert ((steps > 1e-9).sum(axis=1) == 1).all()
        assert sorted(steps.argmax(axis=1)) == [0, 1]
        np.testing.assert_allclose(steps.max(axis=1), 2 / 3)  # p / (2 (p - 1)) with four levels


@pytest.mark.parametrize("kind", ["latin_hypercube", "sobol", "morris"])
def test_points_follow_from_the_seed_alone(kind: str) -> None:
    np.random.seed(1)  # noqa: NPY002
    first = plan(kind).points
    np.random.seed(2)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    np.testing.assert_array_equal(first, plan(kind).points)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert not np.array_equal(first, plan(kind, "seed: 5\n").points)


def test_a_log_scale_is_even_in_the_logarithm() -> None:
    of = Plan(made("samples: 100\n" + TWO.replace("high: 200}", "high: 200, scale: log}"), "latin_hypercube"))
    residents = [values[0] for values in cells(of)]
    assert sum(r < 90 for r in residents) == pytest.approx(100 * math.log(90 / 40) / math.log(5), abs=3)
    grid = made("factors:\n  - {path: community.residents, low: 10, high: 1000, steps: 3, scale: log}\n", "grid")
    assert grid.factors[0].values == (10, 100, 1000)


# What is run in a cell


def differing(a: Scenario, b: Scenario) -> set[str]:
    return {path for path in PARAMETERS if a[path] != b[path]}


def test_a_cell_sets_its_values_and_nothing_else() -> None:
    of = plan("grid", "set: {community.institutions: 7}\n")
    for cell, values in enumerate(cells(of)):
        found = of.scenarios(cell)
        assert list(found) == ["collective_impact", "community_led"]
        for name, scenario in found.items():
            wanted = dict(zip(("community.residents", "funder.tolerance"), values, strict=False))
            wanted["community.institutions"] = 7
            if name == "community_led":
                wanted["governance.decide.rule"] = values[2]
            assert {path: scenario[path] for path in wanted} == wanted
            assert differing(scenario, load(name)) <= set(wanted)


#: What is marked with these is money and duties, which are the same in both scenarios.
SAME = ("sustainability", "duty")


@pytest.mark.parametrize("by", SAME)
def test_an_ablation_by_a_mark_that_nothing_bears_is_refused(by: str) -> None:
    with pytest.raises(DesignError, match=f"by: no rule in which .* marked with a {by}.* by: section"):
        made(f"by: {by}\n", "ablation")


@pytest.mark.parametrize("by", [by for by in PARTS if by not in SAME])
def test_an_ablation_leads_from_one_scenario_to_the_other(by: str) -> None:
    ci, led = load("collective_impact"), load("community_led")
    design = made(f"by: {by}\n", "ablation")
    of = Plan(design)
    number = len(design.factors)
    assert {path for unit in units(ci, led, by) for path in unit.paths} == differing(ci, led)
    assert next(iter(of.scenarios(0).values())).hash() == ci.hash()
    (full,) = [cell for cell in range(len(of)) if all(of.values(cell))]
    assert next(iter(of.scenarios(full).values())).hash() == led.hash()
    assert len({of.values(cell) for cell in range(len(of))}) == len(of) == (2 * number + 2 if number > 1 else 2)
    for cell in range(len(of)):
        (scenario,) = of.scenarios(cell).values()
        swapped = {path for unit, here in zip(units(ci, led, by), of.values(cell), strict=True) if here
                   for path in unit.paths}  # fmt: skip
        free = {path for path in PARAMETERS if not path.startswith("governance.decide.budget")}
        assert {path for path in free if scenario[path] != ci[path]} == swapped & free
        assert all(scenario[path] == led[path] for path in swapped & free)
        lines = [scenario[f"governance.decide.budget.{line}"] for line in BUDGET_LINES[:-1]]
        assert sum(lines) <= 1.0 + 1e-12


def test_an_ablation_by_principle_swaps_what_bears_its_number() -> None:
    design = made("by: principle\nhow: factorial\n", "ablation")
    of = Plan(design)
    assert len(of) == 2 ** len(design.factors) >= 64
    ci, led = load("collective_impact"), load("community_led")
    for factor in design.factors:
        if factor.name == "rest":
            continue
        number = int(factor.name.removeprefix("principle_"))
        assert factor.label == PRINCIPLES[number]
        alone = tuple(int(one is factor) for one in design.factors)
        cell = next(cell for cell in range(len(of)) if of.values(cell) == alone)
        (scenario,) = of.scenarios(cell).values()
        moved = {p for p in differing(ci, scenario) if not p.startswith("governance.decide.budget")}
        assert {PARAMETERS[path].principle for path in moved} == {number}
        assert {p for p in differing(ci, led) if PARAMETERS[p].principle == number} - moved <= {
            path for path in PARAMETERS if path.startswith("governance.decide.budget")
        }


def test_lines_from_two_budgets_are_cut_as_the_coalition_cuts_them() -> None:
    ci = load("collective_impact")
    rich = {"coordination": 0.5, "organizing": 0.5, "supports": 0.0, "training": 0.0, "evaluation": 0.0}
    poor = {"coordination": 0.0, "organizing": 0.0, "supports": 0.6, "training": 0.0, "evaluation": 0.0}
    base = "governance.decide.budget"

    def with_lines(lines: dict[str, float], least: float) -> Scenario:
        bounds = {f"{base}_{end}.{line}": share for line in lines for end, share in (("min", 0.0), ("max", 1.0))}
        bounds[f"{base}_min.organizing"] = least
        return ci.with_values({**bounds, **{f"{base}.{line}": share for line, share in lines.items()}})

    a, b = with_lines(rich, 0.3), with_lines({**poor, "organizing": 0.3}, 0.3)
    from cej_sim.sweeps.ablation import mixed

    (supports,) = [unit for unit in units(a, b, "parameter") if unit.name == f"{base}.supports"]
    found = mixed(a, b, [supports])
    # .5 + .5 + .6 is .6 over 1; above their least shares they hold .5, .2 and .6, of which 6/13 goes.
    assert found[f"{base}.coordination"] == pytest.approx(0.5 - 0.5 * 0.6 / 1.3)
    assert found[f"{base}.organizing"] == pytest.approx(0.5 - 0.2 * 0.6 / 1.3)
    assert found[f"{base}.supports"] == pytest.approx(0.6 - 0.6 * 0.6 / 1.3)


def test_luck_is_common_or_the_cell_s_own() -> None:
    common, own = plan("grid", "seed: 9\n"), plan("grid", "seed: 9\nluck: own\n")
    assert {common.seed(cell) for cell in range(len(common))} == {9}
    assert len({own.seed(cell) for cell in range(len(own))}) == len(own)
    assert all(0 <= own.seed(cell) < 2**64 for cell in range(len(own)))


def test_a_cell_that_is_not_there() -> None:
    with pytest.raises(IndexError, match="no cell 18; cells are numbered from 0 to 17"):
        plan("grid").values(18)


# Plain data


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_design_survives_json(kind: str) -> None:
    extra = "" if kind == "ablation" else "probes: {causal_influence: {}, irreversibility: " \
        "{path: governance.decide.votes.residents, low: 0, high: 1, metrics: [burden]}}\n"  # fmt: skip
    design = made(EXAMPLES[kind] + extra, kind)
    again = Design.from_json(json.loads(json.dumps(design.to_json())))
    assert again.hash() == design.hash()
    one, other = Plan(design), Plan(again)
    assert cells(one) == cells(other)
    for cell in range(len(one)):
        assert one.label(cell) == other.label(cell)
        assert {n: s.hash() for n, s in one.scenarios(cell).items()} == {
            n: s.hash() for n, s in other.scenarios(cell).items()
        }


@pytest.mark.parametrize("name", shipped())
def test_a_scenario_survives_json(name: str) -> None:
    scenario = load(name)
    again = Scenario.from_resolved(json.loads(json.dumps(scenario.resolved())), name=name)
    assert again.hash() == scenario.hash()
    assert again.values == scenario.values


def test_a_scenario_with_a_network_survives_json(tmp_path: Path) -> None:
    Path("ties.csv").write_text("source,target,contact\nhub,clinic,5\nhub,schools,3\n")
    text = "schema_version: 1\nextends: community_led\nnetwork: {file: ties.csv, weight: contact, scale: 5}\n"
    Path("ours.yaml").write_text(text)
    scenario = load("ours.yaml")
    again = Scenario.from_resolved(json.loads(json.dumps(scenario.resolved())), name="ours", folder=tmp_path)
    assert again.hash() == scenario.hash()
    assert again.network_file == scenario.network_file


CHANGES = {
    "seed: 3": True, "runs: 3": True, "months: 24": True, "luck: own": True, "set: {funder.readiness: .9}": True,
    "keep: {metrics: [burden]}": True, "keep: {months: [7]}": True, "probes: {causal_influence: {}}": True,
    "name: another": False, "label: Another": False, "description: Another": False, "time_limit: 7": False,
    "# a remark": False,
}  # fmt: skip


@pytest.mark.parametrize("line", CHANGES)
def test_the_hash_tells_what_decides_the_rows(line: str) -> None:
    before = plan("grid").design.hash()
    assert (made(EXAMPLES["grid"] + line + "\n", "grid").hash() != before) == CHANGES[line]


def test_a_million_cells_take_no_memory() -> None:
    text = "factors:\n" + "".join(
        f"  - {{path: mechanisms.{name}, low: 0, high: 1, steps: 10}}\n"
        for name in ("burnout", "fatigue", "naming", "fear", "snowflake", "company")
    )
    design = made(text, "grid")
    tracemalloc.start()
    started = time.process_time()
    of = Plan(design)
    assert len(of) == 10**6
    assert len({of.values(cell) for cell in range(0, 10**6, 1000)}) == 1000
    assert time.process_time() - started < 2.0
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


@given(
    levels=st.lists(st.integers(2, 5), min_size=1, max_size=4),
    cell=st.integers(0, 10**6),
)
@settings(max_examples=50)
def test_any_grid_is_a_product(levels: list[int], cell: int) -> None:
    names = ("burnout", "fatigue", "naming", "fear")
    text = "factors:\n" + "".join(
        f"  - {{path: mechanisms.{name}, low: 0, high: 1, steps: {number}}}\n"
        for name, number in zip(names, levels, strict=False)
    )
    of = Plan(made(text, "grid"))
    wanted = list(itertools.product(*[[float(f"{x:.12g}") for x in np.linspace(0, 1, n)] for n in levels]))
    assert len(of) == len(wanted)
    assert of.values(cell % len(of)) == wanted[cell % len(wanted)]


# Mistakes

#: What is wrong -> what is said (a part of it), and the line.
MISTAKES = {
    "desgn: grid": (4, "did you mean design?"),
    "design: gird": (4, "did you mean grid?"),
    "design: grid": (1, "add factors:"),
    "design: list": (1, "add cells:"),
    "design: ablation": (1, "add by: principle"),
    "design: grid\ncells: [{set: {funder.tolerance: 1}}]": (5, "a design grid has no cells; remove it"),
    "design: grid\nfactors: [{path: community.residents}]": (5, "has no levels; add values:"),
    "design: grid\nfactors: [{path: community.residents, values: [40]}]": (5, "one level is no variation"),
    "design: grid\nfactors: [{path: community.residents, values: [40, 40]}]": (5, "stands here twice"),
    "design: grid\nfactors: [{path: community.residents, values: [40, 1.5]}]": (5, "1.5 is not a whole number"),
    "design: grid\nfactors: [{path: community.residents, values: 40}]": (5, "where a list belongs"),
    "design: grid\nfactors: [{path: community.residnts, values: [40, 50]}]": (5, "did you mean community.residents"),
    "design: grid\nfactors: [{path: funder.tolerance, values: [.1, 50%]}]": (5, "write 0.5"),
    "design: grid\nfactors: [{path: funder.tolerance, low: 0, high: 1}]": (5, "a grid needs levels; add steps:"),
    "design: grid\nfactors: [{path: funder.tolerance, low: .5, high: .1, steps: 3}]": (5, "exchange them"),
    "design: grid\nfactors: [{path: funder.tolerance, low: 0, high: 1.5, steps: 3}]": (5, "more than 1"),
    "design: grid\nfactors: [{path: funder.tolerance, low: 0, high: 1, steps: 3, scale: log}]": (5, "begins above 0"),
    "design: grid\nfactors: [{path: governance.decide.rule, low: 0, high: 1, steps: 2}]": (5, "is no number"),
    "design: grid\nfactors: [{path: funder.tolerance, low: 0}]": (5, "has only one end; add high:"),
    "design: grid\nfactors:\n  - {path: funder.tolerance, values: [0, 1]}\n"
    "  - {path: funder.tolerance, values: [0, 1]}": (7, "is a factor twice"),
    "design: grid\nfactors: [{path: funder.tolerance, values: [0, 1], scenario: nobody}]":
        (5, "not among the scenarios"),
    "design: full_factorial\nfactors: [{path: funder.tolerance, values: [0, .5, 1]}]": (5, "two levels for each"),
    "design: grid\nfactors: [{path: issues.severity, values: [1, 2]}]": (
        5, "the same severity for all issues changes nothing"
    ),
    "design: sobol\nsamples: 20\nfactors: [{path: funder.tolerance, low: 0, high: 1}]": (5, "write 16 or 32"),
    "design: morris\nfactors: [{path: funder.tolerance, low: 0, high: 1}]": (1, "add samples: 64"),
    "design: list\ncells: [{set: {community.residents: 5, community.neighborhoods: 9}}]": (5, "at most one for each"),
    "design: list\ncells: [{set: {a: 1}}]\nruns: many": (6, "'many' is not a number of runs"),
    "design: list\ncells: [{set: {funder.tolerance: 1}}]\nruns: 0": (6, "at least 1"),
    "design: list\ncells: [{set: {funder.tolerance: 1}}]\nruns: auto": (6, "add auto: {metric: burden"),
    "design: list\ncells: [{set: {funder.tolerance: 1}}]\nmonths: 200": (6, "write at most 120"),
    "design: list\ncells: [{set: {funder.tolerance: 1}}]\nkeep: {months: [121]}": (6, "write at most 120"),
    "design: list\ncells: [{set: {funder.tolerance: 1}}]\nkeep: {metrics: [burdn]}": (6, "did you mean burden?"),
    "design: list\ncells: [{set: {funder.tolerance: 1}}]\nprobes: {irreversibility: {low: 0, high: 1}}":
        (6, "this line is missing; add path:"),
    "design: list\ncells: [{set: {funder.tolerance: 1}}]\ngovernance.decide.rule: consensus": (6, "under factors:"),
}  # fmt: skip


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_say_where_and_what_to_write(text: str) -> None:
    line, words = MISTAKES[text]
    with pytest.raises(DesignError) as caught:
        made(f"schema_version: 1\n# a remark\n{POLES}{text}\n")
    said = str(caught.value)
    assert any(one.startswith(f"design.yaml:{line}:") and words in one for one in said.splitlines()), said


def test_all_mistakes_are_told_at_once() -> None:
    text = """schema_version: 1
scenarios: [collective_impact, nobody]
design: latin_hypercube
samples: 1
factors:
  - {path: funder.tolerance, low: -1, high: 2}
  - {path: community.residents, low: ten, high: 20}
seed: -4
"""
    with pytest.raises(DesignError) as caught:
        made(text)
    assert [problem.line for problem in caught.value.problems] == [2, 4, 6, 6, 7, 8]


def test_other_files_are_told_too() -> None:
    with pytest.raises(DesignError, match=r"^missing.yaml: there is no such file"):
        read_design("missing.yaml")
    Path("broken.yaml").write_text("schema_version: 1\nextends: community_led\nmonhts: 3\n")
    with pytest.raises(DesignError, match=r"broken.yaml has 1 mistake") as caught:
        made("schema_version: 1\nscenarios: [broken.yaml]\ndesign: list\ncells: [{set: {funder.tolerance: 1}}]\n")
    assert any(problem.file.endswith("broken.yaml") and problem.line == 3 for problem in caught.value.problems)


def test_money_must_be_the_same_unless_it_is_said() -> None:
    Path("rich.yaml").write_text("schema_version: 1\nextends: community_led\nfunder: {grant: 20}\n")
    text = "schema_version: 1\nscenarios: [collective_impact, rich.yaml]\n" \
        "design: list\ncells: [{set: {funder.tolerance: 1}}]\n"  # fmt: skip
    with pytest.raises(DesignError, match=r"do not have the same money.*allow_unequal_budgets: true"):
        made(text)
    assert made(text + "allow_unequal_budgets: true\n").names == ("collective_impact", "rich")
