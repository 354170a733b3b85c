"""Sweeps over parameter sets, and sweeps that judge hypotheses: cells, numbers, mistakes, and what is written."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cej_sim
from cej_sim import cli
from cej_sim.ensemble import Ensemble
from cej_sim.metrics import METRICS, NAMES
from cej_sim.runs import causal_influence, key_of, run_once
from cej_sim.sweeps import judging, runner, verdicts, worker
from cej_sim.sweeps.design import Design, Plan
from cej_sim.sweeps.hypotheses import GAINS, PROBE
from cej_sim.sweeps.reading import DesignError, read_design
from cej_sim.sweeps.store import Sweep, SweepError
from cej_sim.sweeps.worker import Cell

ROOT = Path(__file__).resolve().parents[1]
DECLARED = ROOT / "experiments" / "hypotheses" / "hypotheses.yaml"

SMALL = """\
schema_version: 1
name: {name}
months: 24
community: {{residents: 12, institutions: 3}}
governance: {{decide: {{votes: {{residents: {votes}}}}}}}
coefficients: {{hazard: 0.1}}
"""

#: Three sets of three numbers; ``hazard`` is set by the scenarios themselves.
SETS = "coefficients.service,coefficients.hazard,mechanisms.control\n0.05,0.02,1\n0.1,0.03,0.8\n0.2,0.04,0.5\n"

HYPOTHESES = """\
- id: H1
  title: More votes, more say
  claim: Votes give residents a say.
  principle: 2
  setups:
    a: {label: few votes, scenario: old.yaml}
    b: {label: many votes, scenario: new.yaml}
  tests:
    - {metric: decision_share, month: 6, expected: up, smallest: 0.02}
    - {metric: causal_influence, month: 4, expected: up, smallest: 0.02, without: {}}
  without: {mechanisms.control: 0}
  refuted_if: Votes are <nothing> but words.
- id: H2
  title: Services
  claim: Effective services leave less of the problem.
  scenario: old.yaml
  months: 18
  setups:
    a: {label: weak, set: {governance.convene.naming: 0}}
    b: {label: named, set: {governance.convene.naming: 0.9}}
  also:
    - {name: with more money for supports, set: {governance.decide.budget.supports: 0.1}}
  tests:
    - {metric: burden, month: 12, expected: same, smallest: 0.5}
    - {metric: trust, month: 6, expected: down, smallest: 0.01, without: {coefficients.service: 0.2}}
  without: all_mechanisms
  refuted_if: The problem moves.
"""

DESIGN = """\
schema_version: 1
name: judged
label: Judged & weighed
design: hypotheses
hypotheses: hypotheses.yaml
ensemble: sets.csv
runs: 6
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own directory with small scenarios, sets, hypotheses and a design."""
    monkeypatch.chdir(tmp_path)
    Path("old.yaml").write_text(SMALL.format(name="old", votes=0.1))
    Path("new.yaml").write_text(SMALL.format(name="new", votes=0.6))
    Path("sets.csv").write_text(SETS)
    Path("hypotheses.yaml").write_text(HYPOTHESES)
    Path("design.yaml").write_text(DESIGN)
    return tmp_path


def made(text: str = DESIGN, hypotheses: str = HYPOTHESES) -> Design:
    Path("design.yaml").write_text(text)
    Path("hypotheses.yaml").write_text(hypotheses)
    return read_design("design.yaml")


def problems(text: str = DESIGN, hypotheses: str = HYPOTHESES) -> str:
    with pytest.raises(DesignError) as caught:
        made(text, hypotheses)
    return str(caught.value)


# Parameter sets in any design

GRID = """\
schema_version: 1
design: grid
scenarios: [old.yaml, new.yaml]
factors: [{path: mechanisms.control, values: [0, 1]}]
ensemble: sets.csv
runs: 5
months: 6
keep: {months: [6], metrics: [burden, decision_share]}
probes: {causal_influence: {runs: 4}}
"""


def by_hand(scenario: cej_sim.Scenario, run: int, values: dict[str, float], months: int) -> np.ndarray:
    """The last month of one run with some values."""
    out = np.empty((months + 1, len(METRICS)))
    run_once(scenario.with_values(values), key_of(0, run), out)
    return out[months]


def test_run_r_uses_set_r_but_for_what_files_and_cells_set() -> None:
    plan = Plan(made(GRID))
    service = [0.05, 0.1, 0.2]
    for cell, control in enumerate((0.0, 1.0)):
        found = worker.compute_cell(plan, cell)
        for place, name in enumerate(("old.yaml", "new.yaml")):
            for run in range(5):
                values = {"coefficients.service": service[run % 3], "mechanisms.control": control}
                wanted = by_hand(cej_sim.load(name), run, values, 6)  # the file's own hazard stays
                np.testing.assert_array_equal(
                    found.rows[place, run, 0], wanted[[NAMES.index("burden"), NAMES.index("decision_share")]]
                )
    assert plan.in_runs(1)("old", 1)["coefficients.hazard"] == 0.1


def test_probes_use_the_sets_too() -> None:
    plan = Plan(made(GRID))
    found = worker.compute_cell(plan, 1).probes
    assert [(one.scenario, one.run) for one in found] == [(name, run) for name in ("old", "new") for run in range(4)]
    third = cej_sim.load("new.yaml").with_values({"coefficients.service": 0.2, "mechanisms.control": 1.0})
    wanted = causal_influence(third, runs=3, seed=0, months=6, threads=1)
    (value,) = wanted.loc[(wanted["run"] == 2) & (wanted["month"] == 6), "influence"]
    assert [one.value for one in found if (one.scenario, one.run) == ("new", 2)] == [value]


def test_a_part_of_an_ablation_is_stated_where_it_comes_from() -> None:
    Path("new.yaml").write_text(SMALL.format(name="new", votes=0.6).replace("hazard: 0.1", "service: 0.15"))
    text = GRID.replace("design: grid", "design: ablation\nby: parameter").replace(
        "factors: [{path: mechanisms.control, values: [0, 1]}]\n", ""
    )
    plan = Plan(made(text))
    first, last = plan.in_runs(0), plan.in_runs(len(plan) - 1)
    (name,) = plan.design.names
    for run, (service, hazard) in enumerate([(0.05, 0.02), (0.1, 0.03), (0.2, 0.04)]):
        assert (first(name, run)["coefficients.service"], first(name, run)["coefficients.hazard"]) == (service, 0.1)
        assert (last(name, run)["coefficients.service"], last(name, run)["coefficients.hazard"]) == (0.15, hazard)


def test_sets_belong_to_what_a_design_is() -> None:
    design = made(GRID)
    assert Design.from_json(json.loads(json.dumps(design.to_json()))).hash() == design.hash()
    assert made(GRID + "members: 2\n").hash() != design.hash()
    Path("sets.csv").write_text(SETS.replace("0.05,", "0.06,"))
    assert read_design("design.yaml").hash() != design.hash()
    Path("sets.csv").write_text(SETS)
    assert made(GRID).hash() == design.hash()
    assert made(GRID.replace("ensemble: sets.csv", "ensemble: false")).ensemble is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (GRID.replace("sets.csv", "none.csv"), r"design.yaml:5:11: ensemble: .*none.csv: cannot be read"),
        (GRID + "members: 4\n", r"design.yaml:10:10: members: the ensemble has 3 sets; write at most 3"),
        (GRID.replace("ensemble: sets.csv", "members: 2"), r"design.yaml:5:10: members: .* add ensemble: true"),
    ],
)
def test_mistakes_about_sets_are_told(text: str, wanted: str) -> None:
    assert re.match(wanted, problems(text))


@pytest.mark.slow
def test_the_same_numbers_however_a_sweep_is_computed() -> None:
    design = made(GRID.replace("runs: 4", "runs: 1"))
    whole = runner.sweep(design, "whole", workers=2)
    parts = [runner.sweep(design, f"part{i}", shard=(i, 2), workers=1) for i in (1, 2)]
    merged = runner.merge([part.directory for part in parts], "merged")
    assert whole.content_hash == merged.content_hash
    assert runner.reproduce("whole", 1).same
    stored = json.loads(Path("whole/provenance.json").read_text())["design"]["ensemble"]
    assert stored["values"] == Ensemble.read("sets.csv").values.tolist()
    Path("sets.csv").write_text(SETS.replace("0.05,", "0.06,"))
    with pytest.raises(SweepError, match=r"holds a sweep of another design \(ensemble"):
        runner.sweep(read_design("design.yaml"), "whole")


# Cells of hypotheses


def test_cells_are_pairs_of_setups_in_arms() -> None:
    plan = Plan(made())
    assert [plan.values(cell) for cell in range(len(plan))] == [
        ("H1", "main", "with"),
        ("H1", "main", "without"),
        *[("H2", setup, arm) for setup in ("main", "with more money for supports")
          for arm in ("with", "without", "without_2")],
    ]  # fmt: skip
    assert [plan.months(cell) for cell in range(len(plan))] == [6, 6, *[12] * 6]
    assert [len(plan.probes(cell)) for cell in range(len(plan))] == [1, 0, *[0] * 6]
    assert plan.design.keep_months == (4, 6, 12)
    without = plan.scenarios(3)
    assert {without[side][gain] for side in "ab" for gain in GAINS} == {0.0}
    assert [without[side]["governance.convene.naming"] for side in "ab"] == [0.0, 0.9]
    more = plan.scenarios(7)
    assert {more[side]["governance.decide.budget.supports"] for side in "ab"} == {0.1}
    assert {more[side]["coefficients.service"] for side in "ab"} == {0.2}


def test_each_other_feedback_is_switched_off_alone() -> None:
    plan = Plan(made(DESIGN + "only: [H1]\nsurvives: true\nsurvives_runs: 2\n"))
    # The probe's test names nothing that abolishes it, so that every feedback is another one to it.
    assert [plan.values(cell)[2] for cell in range(2, len(plan))] == [f"no_{gain.split('.')[1]}" for gain in GAINS]
    assert {plan.runs(cell) for cell in range(2, len(plan))} == {2}
    for cell in range(2, len(plan)):
        (gain, _), *_ = plan.places[cell].arm.changes
        assert {path for path in GAINS if plan.scenarios(cell)["a"][path] == 0.0} == {gain}
    first, probe = (one for one in judging.tests_of(plan) if one.hypothesis == "H1")
    assert "no_control" not in (first.off or {})
    assert "no_control" in (probe.off or {})


def test_setups_share_luck_and_sets_and_stop_where_tests_stop() -> None:
    plan = Plan(made())
    found = worker.compute_cell(plan, 0)
    assert found.rows.shape == (2, 6, 3, len(plan.design.keep_metrics))
    assert np.isnan(found.rows[:, :, 2]).all()  # month 12, which H1 does not ask for
    place = plan.design.keep_metrics.index("decision_share")
    for side, name in enumerate(("old.yaml", "new.yaml")):
        for run in range(6):
            service, control = [(0.05, 1.0), (0.1, 0.8), (0.2, 0.5)][run % 3]
            values = {"coefficients.service": service, "mechanisms.control": control}
            wanted = by_hand(cej_sim.load(name), run, values, 6)[NAMES.index("decision_share")]
            assert found.rows[side, run, 1, place] == wanted
    assert {one.run for one in found.probes} == set(range(6))


def test_the_frozen_declaration_is_read_whole() -> None:
    text = DESIGN.replace("hypotheses.yaml", str(DECLARED)).replace("runs: 6", "runs: 3")
    Path("design.yaml").write_text(text)
    plan = Plan(read_design("design.yaml"))
    assert [one.id for one in plan.design.hypotheses] == [f"H{i}" for i in range(1, 17)]
    assert len(plan.design.scenarios) == 2 * 17  # and the second pair of H16
    for name in ("H7", "H10"):
        assert sum(place.hypothesis.id == name for place in plan.places) == 3  # their tests have each its own without
    assert sum(place.arm.kind == "with" for place in plan.places) == 17
    assert len(judging.tests_of(plan)) == sum(len(one.tests) * len(one.setups) for one in plan.design.hypotheses)
    # A declared effect of the number that a setup sets, such as of naming on who joins, is repeated by the test of it.
    repeated = {(test.hypothesis, test.metric) for test in judging.tests_of(plan) if test.repeats}
    assert {("H5", "affected_members"), ("H3", "trust")} <= repeated
    assert not {("H4", "affected_attendance"), ("H12", "burden"), ("H3", "burden")} & repeated
    assert [plan.places[cell].hypothesis.id for cell in range(len(plan)) if plan.probes(cell)] == ["H1", "H1", "H2"]
    from cej_sim.sweeps.hypotheses import sha256

    assert sha256(plan.design.declaration) == (DECLARED.parent / "hypotheses.sha256").read_text().split()[0]


def test_words_may_change_under_a_sweep_and_tests_may_not() -> None:
    design = made()
    assert made(hypotheses=HYPOTHESES.replace("Votes give", "All votes give")).hash() == design.hash()
    assert made(hypotheses=HYPOTHESES.replace("smallest: 0.5", "smallest: 0.6")).hash() != design.hash()


# Mistakes


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("metric: burden", "metric: burdn", r"hypotheses.yaml:24:16: .*did you mean burden"),
        ("expected: same", "expected: less", r"hypotheses.yaml:24:45: .*one of: up, down, same"),
        ("month: 12", "month: 19", r"hypotheses.yaml:24:31: .*month 19 lies after the last, 18; write at most 18"),
        ("months: 18", "months: 18\n  wthout: {}", r"hypotheses.yaml:18:3: .*did you mean without\?"),
        ("- id: H2", "- id: H1", r"hypotheses.yaml:13:7: .*H1 is the id of two hypotheses \(first in line 1\)"),
        ("all_mechanisms", "all", r"hypotheses.yaml:26:12: .*'all' is none of these; write paths with values"),
        ("{mechanisms.control: 0}", "{mechanisms.contrl: 0}", r"hypotheses.yaml:11:13: .*did you mean mechanisms"),
        ("naming: 0.9", "naming: 9", r"hypotheses.yaml:20:56: .*9 is more than 1"),
        ("scenario: old.yaml\n  months", "months", r"hypotheses.yaml:\d+:\d+: .*no scenario is named; add scenario:"),
        ("scenario: old.yaml\n", "scenario: ol.yaml\n", r"hypotheses.yaml:16:13: .*there is no such file; did"),
        ("  refuted_if: The problem moves.\n", "", r"hypotheses.yaml:13:3: .*refuted_if: this line is missing"),
        ("set: {governance.convene.naming: 0}", "set: {funder.grant: 2}", r"hypotheses.yaml:18:3: .*same money"),
    ],
)  # fmt: skip
def test_mistakes_of_a_declaration_are_told_with_their_place(old: str, new: str, wanted: str) -> None:
    assert old in HYPOTHESES
    found = problems(hypotheses=HYPOTHESES.replace(old, new, 1))
    assert re.match(wanted, found), found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            DESIGN.replace("runs: 6", "runs: 7"),
            r"design.yaml:7:7: runs: .*not the same number in each of 3 .*; write 6",
        ),
        (DESIGN.replace("runs: 6", "runs: auto"), r"design.yaml:7:7: runs: hypotheses are judged over the same number"),
        (DESIGN + "only: [H1, H9]\n", r"design.yaml:8:12: only.1: H9 is not declared"),
        (DESIGN + "keep: {months: [3]}\n", r"design.yaml:8:1: keep: a design hypotheses has no keep; remove it"),
        (DESIGN + "scenarios: [old.yaml]\n", r"design.yaml:8:1: scenarios: a design hypotheses has no scenarios"),
        (DESIGN + "survives_runs: 4\n", r"design.yaml:8:16: survives_runs: .*; add survives: true"),
        (DESIGN.replace("hypotheses: hyp", "hypotheses: hxp"), r"design.yaml:5:13: hypotheses: there is no such file"),
        (
            DESIGN.replace("hypotheses: hypotheses.yaml\n", ""),
            r"design.yaml:1:1: hypotheses: a design hypotheses needs",
        ),
        (GRID + "survives: true\n", r"design.yaml:10:11: survives: a design grid has no survives"),
    ],
)
def test_mistakes_of_a_design_are_told_with_their_place(text: str, wanted: str) -> None:
    found = problems(text)
    assert re.match(wanted, found), found


@pytest.mark.parametrize("text", ["id: H1\n", "", "- H1\n", "- id: [H1\n"])
def test_what_is_no_list_of_hypotheses_is_told(text: str) -> None:
    assert re.match(r"(hypotheses|design).yaml:\d+:\d+: ", problems(hypotheses=text))


# What is written


def broken(plan: Plan, cell: int) -> Cell:
    """As modelled, but for one cell that fails."""
    if plan.values(cell) == ("H2", "main", "with"):
        raise ValueError("nobody came <to this one>")
    return worker.compute_cell(plan, cell)


def analyzed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.status(["analyze", "out", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.slow
def test_from_design_to_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["sweep", "design.yaml", "--dry-run"]) == 0
    assert re.search(r"runs +96 of up to 12 months", capsys.readouterr().out)
    assert cli.status(["sweep", "design.yaml", "--out", "out", "--workers", "2"]) == 0
    capsys.readouterr()
    said = analyzed(capsys)
    folder = Path("out/analysis")
    tables = {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}
    assert set(tables) == {"hypotheses", "verdicts", "survival", "effects", "sets", "failures", "data_dictionary"}
    for name, table in tables.items():
        assert list(pd.read_parquet(folder / f"{name}.parquet").columns) == list(table.columns)
        told = tables["data_dictionary"]
        assert set(told.loc[told["file"] == f"{name}.csv", "column"]) == set(table.columns)
    assert len(tables["verdicts"]) == 6
    assert (folder / "figures" / "verdicts.svg").is_file()
    page = (folder / "report.html").read_text()
    assert "Judged &amp; weighed" in page
    assert "Votes are &lt;nothing&gt; but words." in page
    assert "<nothing>" not in page
    assert not re.search(r"(src|href)=[\"'](?!data:)", page)
    for one in tables["verdicts"].to_dict("records"):
        assert one["verdict"] in page
    for row in tables["hypotheses"].itertuples():
        assert re.search(rf"{row.hypothesis} .*{row.verdict}", said.replace("\n", " "))
    # The numbers once more, from the rows themselves.
    rows = Sweep("out").rows()
    here = rows[(rows["cell"] == 0) & (rows["month"] == 6)].pivot(
        index="run", columns="scenario", values="decision_share"
    )
    means = (here["b"] - here["a"]).groupby(here.index % 3).mean()
    first = tables["verdicts"].iloc[0]
    assert first["difference"] == pytest.approx(means.mean())
    assert (first["sets"], first["runs"]) == (3, 6)
    probes = Sweep("out").probes()
    here = probes[probes["month"] == 4].pivot(index="run", columns="scenario", values="value")
    assert tables["verdicts"].iloc[1]["metric"] == PROBE
    assert tables["verdicts"].iloc[1]["difference"] == pytest.approx((here["b"] - here["a"]).mean())
    assert cli.status(["analyze", "out", "--metric", "burden"]) == 2
    assert "leave them out" in capsys.readouterr().err


@pytest.mark.slow
def test_a_cell_that_fails_is_never_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    runner.sweep(replace(made(), ensemble=None), "out", workers=1, compute=broken)
    said = analyzed(capsys)
    assert "not computed" in said
    found = pd.read_csv("out/analysis/verdicts.csv")
    failed = found[(found["hypothesis"] == "H2") & (found["setup"] == "main")]
    assert list(failed["verdict"]) == [verdicts.NOT_COMPUTED] * 2
    assert len(found) == 6
    assert list(pd.read_csv("out/analysis/failures.csv")["arm"]) == ["with"]
    page = Path("out/analysis/report.html").read_text()
    assert "nobody came &lt;to this one&gt;" in page
    assert "there is one parameter set only" in page


@pytest.mark.slow
def test_the_declared_hypotheses_from_sweep_to_page(capsys: pytest.CaptureFixture[str]) -> None:
    """All sixteen, over few sets, with every other feedback switched off once."""
    Path("sets.csv").write_text("coefficients.service,coefficients.hazard\n0.08,0.03\n0.1,0.04\n0.12,0.05\n")
    text = DESIGN.replace("hypotheses.yaml", str(DECLARED)).replace("runs: 6", "runs: 3")
    made(text + "survives: true\nsurvives_runs: 2\n")
    assert cli.status(["sweep", "design.yaml", "--out", "out"]) == 0
    analyzed(capsys)
    found = pd.read_csv("out/analysis/verdicts.csv").set_index(["hypothesis", "metric"])
    assert not (found["verdict"] == verdicts.NOT_COMPUTED).any()
    # Without the cost of rhetoric new words change nothing, to the last bit.
    assert found.loc["H3", "identical"].all()
    survivors = pd.read_csv("out/analysis/survival.csv")
    assert set(survivors["gain"]) == set(GAINS)
    assert not (survivors["outcome"] == verdicts.NOT_COMPUTED).any()
