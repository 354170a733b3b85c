"""Parameter sets: what a file may hold, which set a run uses, what stays, and what results say of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from worlds import SMALL, shipped

import cej_sim
from cej_sim import cli, reading
from cej_sim.ensemble import SHIPPED, Ensemble, EnsembleError
from cej_sim.parameters import Value
from cej_sim.runs import compare, simulate
from cej_sim.scenario import PARAMETERS, Scenario, defaults, value_problem

PATHS = ("coefficients.hazard", "coefficients.emergence")
VALUES = np.array([[0.02, 0.01], [0.05, 0.03], [0.08, 0.05]])
SETS = Ensemble(PATHS, VALUES, "mine.csv")


def small(name: str, values: dict[str, Value] | None = None) -> Scenario:
    return shipped(name, {**SMALL, **(values or {})}, months=12)


# Which set a run uses


def test_a_member_is_a_row():
    assert len(SETS) == 3
    assert SETS.member(1) == {"coefficients.hazard": 0.05, "coefficients.emergence": 0.03}
    with pytest.raises(IndexError, match="there is no set 3; they run from 0 to 2"):
        SETS.member(3)


@pytest.mark.parametrize(("run", "row"), [(0, 0), (2, 2), (3, 0), (7, 1)])
def test_runs_go_through_the_sets_again_and_again(run, row):
    applied = SETS.apply(shipped("collective_impact"), run)
    assert [applied[path] for path in PATHS] == VALUES[row].tolist()


def test_only_the_parameters_of_the_ensemble_change():
    before = shipped("community_led")
    after = SETS.apply(before, 0)
    assert {path for path in PARAMETERS if before[path] != after[path]} == set(PATHS)
    assert before.values["coefficients.hazard"] == defaults()["coefficients.hazard"]


@pytest.mark.parametrize("how", ["file", "parent", "--set", "with_values"])
def test_what_a_scenario_has_set_itself_stays(how, tmp_path):
    """Even where it set what the default says anyway."""
    default = defaults()["coefficients.hazard"]
    text = f"schema_version: 1\ncoefficients:\n  hazard: {default}\n"
    if how in ("file", "parent"):
        (tmp_path / "own.yaml").write_text(text)
        (tmp_path / "child.yaml").write_text("schema_version: 1\nextends: ./own.yaml\n")
        scenario = reading.load(tmp_path / ("own.yaml" if how == "file" else "child.yaml"))
    elif how == "--set":
        scenario = reading.read_set([f"coefficients.hazard={default}"], shipped("community_led"))
    else:
        scenario = shipped("community_led").with_values({"coefficients.hazard": default})
    applied = SETS.apply(scenario, 1)
    assert applied["coefficients.hazard"] == default
    assert applied["coefficients.emergence"] == 0.03
    assert SETS.kept_by(scenario) == ("coefficients.hazard",)
    assert "keeps its own coefficients.hazard" in SETS.remark([scenario])


def test_what_was_set_is_no_part_of_what_decides_the_numbers():
    plain = shipped("community_led")
    same = plain.with_values({"coefficients.hazard": plain["coefficients.hazard"]})
    assert same.hash() == plain.hash()
    assert same == plain


# Computing


def test_run_by_run_every_scenario_uses_the_same_set():
    """Each run of a comparison is the run of that number with its set, and so is paired."""
    sides = small("collective_impact"), small("community_led")
    both = compare(*sides, runs=5, seed=3, ensemble=SETS).monthly
    for scenario in sides:
        for run in range(5):
            alone = simulate(SETS.apply(scenario, run), runs=run + 1, seed=3).monthly
            mine = both[(both["scenario"] == scenario.name) & (both["run"] == run)]
            pd.testing.assert_frame_equal(
                mine.reset_index(drop=True), alone[alone["run"] == run].reset_index(drop=True), check_exact=True
            )


def test_the_same_again_whatever_the_number_of_threads_and_runs():
    scenario = small("community_led")
    few = simulate(scenario, runs=4, seed=2, threads=1, ensemble=SETS).monthly
    many = simulate(scenario, runs=7, seed=2, threads=3, ensemble=SETS).monthly
    pd.testing.assert_frame_equal(few, many[many["run"] < 4].reset_index(drop=True), check_exact=True)


def test_without_an_ensemble_nothing_changes():
    scenario = small("community_led")
    plain = simulate(scenario, runs=2, seed=2)
    defaults_only = Ensemble(PATHS, np.array([[scenario[path] for path in PATHS]]))
    pd.testing.assert_frame_equal(
        plain.monthly, simulate(scenario, runs=2, seed=2, ensemble=defaults_only).monthly, check_exact=True
    )
    assert "ensemble" not in plain.provenance
    assert not plain.provenance["warnings"]


def test_a_survey_asks_the_people_of_the_same_runs():
    scenario = small("community_led")
    asked = simulate(scenario, runs=2, seed=4, ensemble=SETS).survey(12)
    second = simulate(SETS.apply(scenario, 1), runs=2, seed=4).survey(12)
    mine, alone = (one[one["run"] == 1].reset_index(drop=True) for one in (asked, second))
    pd.testing.assert_frame_equal(mine, alone)


@pytest.mark.slow
def test_results_say_what_their_intervals_carry():
    result = compare(small("collective_impact"), small("community_led"), runs=3, ensemble=SETS)
    (remark,) = result.provenance["warnings"]
    assert "intervals carry luck and the uncertainty of 2 coefficients" in remark
    assert "3 sets (mine.csv)" in remark
    assert remark in result.report()
    assert result.provenance["ensemble"]["parameters"] == list(PATHS)
    assert result.provenance["ensemble"]["members"] == 3


# Files


def written(folder: Path, text: str) -> Path:
    path = folder / "sets.csv"
    path.write_text(text)
    return path


def test_a_file_is_read(tmp_path):
    sets = Ensemble.read(written(tmp_path, "coefficients.hazard,coefficients.emergence\n.02,0.01\n0.05,3e-2\n"))
    assert sets.parameters == PATHS
    assert sets.values.tolist() == VALUES[:2].tolist()
    assert len(sets.sha256) == 64


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing stands there"),
        ("coefficients.hazard\n", "there is no set; write at least one row"),
        ("coefficients.hazzard\n.1\n", "there is no such parameter; did you mean coefficients.hazard?"),
        ("coefficients.hazard,coefficients.hazard\n.1,.1\n", "stands there twice"),
        ("governance.decide.rule\n1\n", "governance.decide.rule is no number"),
        ("coefficients.hazard\n.1\n.9\n", "set 2, coefficients.hazard: 0.9 is more than 0.5"),
        ("coefficients.hazard\nfast\n", "set 1, coefficients.hazard: 'fast' is not a number"),
        ("coefficients.hazard,coefficients.emergence\n.1\n", "set 1 has 1 values for 2 parameters"),
        ("funder.cycle\n2.5\n", "2.5 is not a whole number"),
    ],
)
def test_a_mistake_in_a_file_gets_a_clear_line(text, words, tmp_path):
    with pytest.raises(EnsembleError) as raised:
        Ensemble.read(written(tmp_path, text))
    assert words in str(raised.value)
    assert "sets.csv" in str(raised.value)


def test_a_missing_file_and_a_table_of_something_else(tmp_path):
    with pytest.raises(EnsembleError, match="cannot be read: no such file"):
        Ensemble.read(tmp_path / "none.csv")
    (tmp_path / "odd.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(EnsembleError, match="save it as CSV in UTF-8"):
        Ensemble.read(tmp_path / "odd.csv")


# The command line


@pytest.mark.slow
def test_the_command_line_says_what_it_did(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "coefficients.hazard\n.02\n.05\n")
    for words in (["compare", "collective_impact", "community_led"], ["run", "community_led"]):
        out = tmp_path / words[0]
        more = ["--runs", "2", "--months", "6", "--out", str(out), "--ensemble-file", "sets.csv"]
        assert cli.status([*words, *more]) == 0
        told = " ".join(capsys.readouterr().err.split())
        assert "intervals carry luck and the uncertainty of 1 coefficients" in told
        said = json.loads((out / "provenance.json").read_text())
        assert said["ensemble"]["source"] == "sets.csv"
        assert "--ensemble-file sets.csv" in said["command"]


def test_a_wrong_file_is_named_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.status(["run", "community_led", "--ensemble-file", "none.csv"]) == 2
    assert "--ensemble-file: none.csv: cannot be read" in capsys.readouterr().err


# What is shipped


@pytest.fixture(scope="module")
def ours() -> Ensemble:
    return Ensemble.read()


def test_the_shipped_sets_are_many_and_within_bounds(ours):
    assert len(ours) >= 200
    assert "Ensemble" in cej_sim.__all__
    for path, column in zip(ours.parameters, ours.values.T, strict=True):
        assert all(value_problem(PARAMETERS[path], value) is None for value in column.tolist())
        assert len(set(column.tolist())) > 50, path


def test_the_shipped_sets_say_how_they_were_made(ours):
    said = json.loads(SHIPPED.with_suffix(".json").read_text())
    assert said["members"] == len(ours)
    assert list(said["parameters"]) == list(ours.parameters)
    for key in ("patterns_sha256", "hypotheses_sha256", "seed", "versions", "distance", "tried"):
        assert said[key] is not None
