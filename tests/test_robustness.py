"""The studies of robustness and sensitivity: designs are sound, scripts run, and what they assume is told."""

from __future__ import annotations

import csv
import importlib.util
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import cej_sim
from cej_sim.ensemble import SHIPPED, Ensemble
from cej_sim.scenario import PARAMETERS
from cej_sim.sweeps import reading as reading_designs
from cej_sim.sweeps.design import Plan
from cej_sim.sweeps.store import SweepError

ROOT = Path(__file__).resolve().parents[1]
EXPERIMENTS = ROOT / "experiments"
HERE = EXPERIMENTS / "robustness"
PAIR = ("collective_impact", "community_led")

#: Reads each design once.
read_design = cache(reading_designs.read_design)


def script(path: Path) -> ModuleType:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def priors() -> ModuleType:
    return script(HERE / "priors.py")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(cej_sim.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "160"},
    )


def in_small(name: str, folder: Path, runs: int) -> Path:
    """A design with an advocate's parameter sets and a few runs, beside no file that it needs."""
    text = (HERE / name).read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.startswith("members:")]
    lines = [f"runs: {runs}" if line.startswith("runs:") else line for line in kept]
    made = "\n".join(lines).replace("ensemble: true", "ensemble: advocate.csv") + "\n"
    made = made.replace("../hypotheses/", f"{(EXPERIMENTS / 'hypotheses').as_posix()}/")
    for side in ("advocate.csv", "critic.csv"):
        made = made.replace(f"ensemble: {side}", f"ensemble: {(HERE / side).as_posix()}")
    path = folder / name
    path.write_text(made, encoding="utf-8")
    return path


# Designs


@pytest.mark.parametrize("name", ["design.yaml", "large.yaml", "mirrored.yaml", "critic.yaml"])
def test_designs_are_sound(name, tmp_path):
    design = read_design(in_small(name, tmp_path, 200))
    plan = Plan(design)
    assert design.title
    assert f"cej-sim sweep experiments/robustness/{name}" in (HERE / name).read_text(encoding="utf-8")
    for cell in range(len(plan)):
        assert plan.scenarios(cell)
    if design.kind == "list":
        assert design.names == PAIR
        assert all(value is None for value in plan.values(0))


@pytest.mark.skipif(not SHIPPED.is_file(), reason="no parameter sets are shipped")
@pytest.mark.parametrize("name", ["design.yaml", "large.yaml"])
def test_each_run_has_a_parameter_set_that_fits_what_is_known(name):
    design = read_design(HERE / name)
    assert design.ensemble is not None
    assert design.runs <= len(design.ensemble)


def test_sizes_have_the_same_money_and_people_per_head(tmp_path):
    default = {path: PARAMETERS[path].default for path in PARAMETERS}
    per_head = {
        path: default[path] / default["community.residents"]
        for path in ("funder.grant", "community.institutions", "governance.coordinate.backbone_minimum")
    }
    seen = set()
    for name in ("design.yaml", "large.yaml"):
        plan = Plan(read_design(in_small(name, tmp_path, 2)))
        for cell in range(len(plan)):
            label = plan.label(cell)
            if not label.startswith("Size"):
                continue
            for scenario in plan.scenarios(cell).values():
                residents = scenario["community.residents"]
                seen.add(residents)
                for path, share in per_head.items():
                    if path.endswith("minimum") and ("costly" in label or residents == 10_000):
                        continue
                    assert scenario[path] == pytest.approx(share * residents), (label, path)
                assert abs(scenario["community.organizers"] - residents / 60) < 1.0
    assert seen == {10, 100, 1000, 10_000}


def test_every_alternative_form_stands_in_the_design(tmp_path):
    plan = Plan(read_design(in_small("design.yaml", tmp_path, 2)))
    tried: dict[str, set[object]] = {}
    for cell in range(len(plan)):
        for scenario in plan.scenarios(cell).values():
            for path, value in scenario.values.items():
                tried.setdefault(path, set()).add(value)
    for path in (
        "governance.convene.invitation", "governance.decide.rule", "governance.deliberate.influence",
        "coefficients.response_form", "coefficients.hazard_form", "network.generate",
    ):  # fmt: skip
        words = {PARAMETERS[path].decode(i) for i in range(len(PARAMETERS[path].choices))}
        assert tried[path] == words, path


# An advocate's assumptions


def test_the_files_are_what_the_ranges_give(priors, tmp_path):
    ranges, sets, seed = priors.read()
    for name, text in priors.files(ranges, sets, seed).items():
        assert (HERE / name).read_text(encoding="utf-8") == text, f"run {HERE.name}/priors.py again"
        found = Ensemble.read(HERE / name)
        assert (len(found), found.parameters) == (sets, tuple(ranges))
    done = run(HERE / "priors.py", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "critic.csv").read_bytes() == (HERE / "critic.csv").read_bytes()


def test_each_side_keeps_to_its_range_and_mirrors_the_other(priors):
    ranges, sets, seed = priors.read()
    drawn = priors.draw(ranges, sets, seed)
    for column, (path, prior) in enumerate(ranges.items()):
        advocate, critic = (drawn[side][:, column] for side in ("advocate", "critic"))
        if PARAMETERS[path].kind == "count":
            assert np.isin(advocate, np.arange(prior.first, prior.last + 1)).all()
            continue
        assert prior.first <= advocate.min() < advocate.max() <= prior.last
        np.testing.assert_allclose(prior.mirrored(critic), advocate, rtol=1e-12)
        # Each of as many slices as there are sets holds one value.
        width = np.log(advocate / prior.first) / np.log(prior.last / prior.first) if prior.log else (
            advocate - prior.first) / (prior.last - prior.first)  # fmt: skip
        assert sorted(np.floor(width * sets).clip(0, sets - 1)) == list(range(sets))
        # The two lean to different sides of the middle, and no further than the middle by more than rounding.
        middle = (prior.low * prior.high) ** 0.5 if prior.log else (prior.low + prior.high) / 2.0
        assert (advocate.mean() - middle) * (critic.mean() - middle) < 0.0


def test_no_rule_is_drawn_that_a_side_sets_itself(priors):
    ranges, _, _ = priors.read()
    stated = {path for name in PAIR for path in cej_sim.load(name).stated}
    assert not stated & set(ranges)
    assert all(len(prior.why.split()) > 4 for prior in ranges.values())
    assert not any(path.startswith("mechanisms.") for path in ranges)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[", "not YAML"),
        ("seed: 1\nsets: 5\n", "there are no ranges"),
        ("seed: 1\nsets: 1\nranges: {}\n", "sets: write a whole number"),
        ("seed: 1\nsets: 5\nranges: {nothing: {}}\n", "nothing: there is no such number"),
        ("seed: 1\nsets: 5\nranges: {network.generate: {}}\n", "there is no such number"),
        ("seed: 1\nsets: 5\nranges: {network.local: {all: [0, 1]}}\n", "write all: [low, high]"),
        ("seed: 1\nsets: 5\nranges: {network.local: {all: [1, 0], advocate: [0, 1], why: x}}\n", "exchange them"),
        ("seed: 1\nsets: 5\nranges: {network.local: {all: [.5, 1], advocate: [0, 1], why: x}}\n", "lies outside"),
        ("seed: 1\nsets: 5\nranges: {network.local: {all: [0, 2], advocate: [0, 1], why: x}}\n", "declared bounds"),
        ("seed: 1\nsets: 5\nranges: {network.local: {all: [0, 1], advocate: [0, 1], why: x, log: true}}\n", "log:"),
    ],
)
def test_mistakes_in_ranges_are_told(priors, tmp_path, text, told):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(priors.PriorError) as caught:
        priors.read(path)
    assert told in str(caught.value)


# What is screened, and what is chosen from it

#: Numbers of governance that no scenario of the screening could show, and why.
LEFT_OUT = {
    "governance.deliberate.radius": "bounded confidence",
    "governance.decide.tolerance": "consensus",
    "governance.decide.committee": "committee",
    "governance.reform.motion_every": "motion",
    "governance.reform.motion_threshold": "motion",
    "governance.decide.budget_min.training": "training",
    "coefficients.insight": "claimed",
}


def test_every_number_is_screened_or_left_out_for_a_reason():
    design = read_design(EXPERIMENTS / "screening/design.yaml")
    factors = {factor.path for factor in design.factors}
    stated = {path for name in PAIR for path in cej_sim.load(name).stated}
    numbers = {path for path, one in PARAMETERS.items() if one.kind in ("number", "count")}
    expected = {path for path in numbers - stated if not path.startswith("mechanisms.")} - set(LEFT_OUT)
    assert {path for path in factors if path in PARAMETERS} == expected
    assert factors - set(PARAMETERS) == {f"issues.{one}" for one in ("structural", "skew", "regrowth")}
    assert all(factor.low <= PARAMETERS[factor.path].default <= factor.high for factor in design.factors
               if factor.path in PARAMETERS and PARAMETERS[factor.path].default)  # fmt: skip


def test_the_dozen_has_the_ranges_of_the_screening():
    screened = {factor.path: factor for factor in read_design(EXPERIMENTS / "screening/design.yaml").factors}
    chosen = read_design(EXPERIMENTS / "sobol/design.yaml").factors
    assert len(chosen) == script(EXPERIMENTS / "sobol/choose.py").DOZEN
    for factor in chosen:
        wide = screened[factor.path]
        assert (factor.low, factor.high, factor.log) == (wide.low, wide.high, wide.log)


def test_numbers_are_ranked_by_their_share_of_the_largest_effect():
    choose = script(EXPERIMENTS / "sobol/choose.py")
    rows = [
        {"factor": factor, "label": factor, "response": response, "metric": metric, "month": month, "mu_star": size}
        for metric, month in choose.FINDINGS
        for response in (*PAIR, "between")
        for factor, size in (("small", 1.0), ("large", 4.0 if response == "between" else 0.0), ("none", 0.0))
    ]
    table = choose.ranked(pd.DataFrame(rows), PAIR)
    assert [factor for factor, _ in table.index] == ["large", "small", "none"]
    assert table["mean"].tolist() == [1.0, 0.25, 0.0]
    lacking = pd.DataFrame(row for row in rows if row["month"] != 24)
    with pytest.raises(SweepError, match="burden at month 24"):
        choose.ranked(lacking, PAIR)


# Scripts


@pytest.mark.slow
def test_findings_of_a_sweep(tmp_path):
    path = in_small("design.yaml", tmp_path, 2)
    text = path.read_text(encoding="utf-8")
    head, _, cells = text.partition("cells:\n")
    few = [line for line in cells.splitlines() if "As it is" in line or "majority, set" in line or 'majority"' in line]
    path.write_text(head + "cells:\n" + "\n".join(few) + "\n", encoding="utf-8")
    swept = cej_sim.sweep(path, out=tmp_path / "sweep", workers=1)
    assert (swept.cells["status"] == "done").all()
    done = run(HERE / "findings.py", tmp_path / "sweep", tmp_path / "sweep", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "out/findings.csv")
    assert len(table) == 2 * len(few) * 6
    assert set(table.loc[table["label"] == "As it is", "as_before"]) == {"yes"}
    first = table.iloc[0]
    assert first["difference"] == pytest.approx(first["community_led"] - first["collective_impact"])
    for name in ("findings.png", "findings.svg", "provenance.json"):
        assert (tmp_path / "out" / name).stat().st_size > 1000
    wrong = run(HERE / "findings.py", tmp_path, "--out", tmp_path / "other")
    assert wrong.returncode == 2
    assert "holds no sweep" in wrong.stderr


@pytest.mark.slow
def test_verdicts_side_by_side(tmp_path):
    sweeps = []
    for name in ("mirrored.yaml", "critic.yaml"):
        path = in_small(name, tmp_path, 3)
        path.write_text(path.read_text(encoding="utf-8") + "members: 3\nonly: [H9]\n", encoding="utf-8")
        sweeps.append(tmp_path / path.stem)
        cej_sim.sweep(path, out=sweeps[-1], workers=1)
    early = run(HERE / "side_by_side.py", *sweeps, "--out", tmp_path / "out")
    assert early.returncode == 2
    assert "cej-sim analyze" in early.stderr
    for one in sweeps:
        done = run("-m", "cej_sim", "analyze", one)
        assert done.returncode == 0, done.stderr
    done = run(HERE / "side_by_side.py", *sweeps, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out/hypotheses.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    own = pd.read_csv(sweeps[0] / "analysis/hypotheses.csv")
    assert row["an advocate's: verdict"] == own["verdict"].iloc[0]
    assert row["alike"] in ("yes", "no")
    for name in ("side_by_side.png", "side_by_side.svg", "verdicts.csv", "provenance.json"):
        assert (tmp_path / "out" / name).stat().st_size > 200
    same = run(HERE / "side_by_side.py", sweeps[0], sweeps[0], "--out", tmp_path / "other")
    assert same.returncode == 2
    assert "--names" in same.stderr


@pytest.mark.slow
def test_the_real_network_against_generated_ones(tmp_path):
    told = os.environ.get("CEJ_SIM_DATA")
    data = Path(told or ROOT.parent / "shared" / "data")
    if not (data / "indiana_tobacco_control/network.graphml").is_file():
        if told or os.environ.get("CI") == "true":
            pytest.fail(f"{data} does not hold the Indiana network; set CEJ_SIM_DATA to the folder that holds it")
        pytest.skip(f"{data} does not hold the Indiana network")
    done = run(HERE / "indiana.py", "--data", data, "--runs", "2", "--ensemble", "none", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "out/findings.csv")
    assert table["label"].nunique() == 3
    assert (table.groupby("label").size() == 6).all()
    # What is written are results; the names of the organizations stay where they are.
    for name in ("findings.csv", "findings.svg", "provenance.json"):
        assert "ITPC" not in (tmp_path / "out" / name).read_text(encoding="utf-8")


@pytest.mark.slow
def test_without_its_data_the_study_says_where_it_looked(tmp_path):
    done = run(HERE / "indiana.py", "--data", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "--data" in done.stderr
    assert not (tmp_path / "out").exists()
