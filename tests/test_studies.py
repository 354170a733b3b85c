"""The studies of where each approach gets further: they run, and what they compute is what they say."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import cej_sim
from cej_sim import reading, runs
from cej_sim.metrics import NAMES
from cej_sim.scenario import budget_problems

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"
CI, LED = "collective_impact", "community_led"


@pytest.fixture(scope="module", autouse=True)
def path():
    """The folder of the studies is where their scripts find each other."""
    sys.path.insert(0, str(EXPERIMENTS))
    yield
    sys.path.remove(str(EXPERIMENTS))


def module(name: str) -> ModuleType:
    return importlib.import_module(name)


def pages_of_results() -> list[Path]:
    """The pages that may hold tables of results."""
    root = EXPERIMENTS.parent
    return [root / "README.md", root / "docs" / "INSTRUMENTS.md", *sorted(EXPERIMENTS.glob("*/README.md"))]


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(cej_sim.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, str(EXPERIMENTS / script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "120"},
    )


# They run


@pytest.mark.parametrize("page", pages_of_results(), ids=lambda page: page.parent.name + "/" + page.name)
def test_the_tables_of_a_page_are_those_of_the_results(page):
    """Made anew from the files beside the pages they are the same; if not: python experiments/pages.py."""
    text = page.read_text(encoding="utf-8")
    assert module("pages").refreshed(text) == text


def test_every_table_of_results_is_on_a_page():
    named = {
        name
        for page in pages_of_results()
        for name in re.findall(r"^<!-- results: ([\w-]+) -->$", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named == set(module("pages").BLOCKS)


def test_true_by_construction_is_only_what_fails_nowhere(monkeypatch):
    """What no likely set disappoints can fail all the same, if a set within the ranges does."""
    pages = module("pages")
    keys = {"hypothesis": ["H1", "H2", "H3"], "setup": ["main"] * 3, "test": [1, 1, 1], "sets": [200] * 3}
    fitted = pd.DataFrame({**keys, "p_sign": [1.0, 1.0, 0.9], "by_construction": [True, True, False]})
    anywhere = pd.DataFrame({**keys, "p_sign": [0.99, 1.0, 1.0]})[::-1]
    monkeypatch.setattr(pages, "read", {"hypotheses/verdicts.csv": fitted, "hypotheses/anywhere.csv": anywhere}.get)
    found = pages._judged().set_index("hypothesis")
    assert found["by_construction"].to_dict() == {"H1": False, "H2": True, "H3": False}
    assert found["p_sign_anywhere"].to_dict() == {"H1": 0.99, "H2": 1.0, "H3": 1.0}


SMALL = {
    "conversion": ("--few", "--runs", "2", "--loop-runs", "2", "--hold", "2", "--after", "84"),
    "hybrids": ("--runs", "2", "--resamples", "10"),
    "onesided": ("--runs", "2", "--contexts", "3"),
    "principles": ("--runs", "2"),
    "where": ("--runs", "2", "--samples", "5"),
}
WRITTEN = {
    "conversion": {"regions.png", "lateness.png", "loops.png", "organizing.png", "conversions.csv", "summary.csv",
                   "levels.csv", "loops.csv", "branches.csv", "least_organizing.csv"},
    "hybrids": {"frontier.png", "ranked.png", "candidates.csv"},
    "onesided": {"onesided.png", "onesided.csv", "turned.csv"},
    "principles": {"shapley.png", "interactions.png", "synergy.png", "synergy.csv"},
    "where": {"where.png", "regions_burden.png", "regions_disparity_ratio.png", "regions_policy_wins.png", "speed.png",
              "sides.csv", "shares.csv", "fifths.csv"},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("study", SMALL)
def test_a_study_runs_and_writes_its_files(study, tmp_path):
    out, figures = tmp_path / "out", tmp_path / "figures"
    figures.mkdir()
    asked = (f"{study}/{study}.py", *SMALL[study], "--threads", "1", "--out", str(out), "--figures", str(figures))
    done = run(*asked)
    assert done.returncode == 0, done.stderr
    written = out / "maps" if study in ("principles", "where") else out
    assert {path.name for path in written.iterdir()} == WRITTEN[study] | {"provenance.json"}
    assert {path.name for path in figures.iterdir()} == {name for name in WRITTEN[study] if name.endswith("png")}
    for picture in figures.iterdir():
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert "Illustration, not prediction" in done.stdout
    record = json.loads((written / "provenance.json").read_text())
    assert record["runs"] == 2


@pytest.mark.slow
def test_a_sweep_goes_on_where_it_was(tmp_path):
    asked = ("where/where.py", *SMALL["where"], "--threads", "1", "--out", str(tmp_path))
    tables = []
    for _ in range(2):
        done = run(*asked)
        assert done.returncode == 0, done.stderr
        tables.append(pd.read_csv(tmp_path / "maps" / "sides.csv"))
    pd.testing.assert_frame_equal(*tables)
    assert set(tables[0]["leads"]) <= {"Collective Impact", "cannot tell", "Community-led"}
    shares = pd.read_csv(tmp_path / "maps" / "shares.csv")
    assert np.allclose(shares[["Collective Impact", "cannot tell", "Community-led"]].sum(axis=1), 1.0)


@pytest.mark.parametrize("study", SMALL)
def test_the_page_names_the_command_and_shows_the_pictures(study):
    text = (EXPERIMENTS / study / "README.md").read_text(encoding="utf-8")
    assert f"python experiments/{study}/{study}.py" in text
    assert "llustration, not prediction" in text
    for name in WRITTEN[study]:
        if name.endswith(".png"):
            assert f"({name})" in text
            assert (EXPERIMENTS / study / name).is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--runs", "1"), "--runs 1: write a whole number of at least 2"),
        (("--out", __file__), "is a file"),
        (("--figures", "/no/such/folder"), "there is no such folder"),
        (("--ensemble", "/no/such.csv"), "cannot be read"),
        (("--part", "0"), "--part 0.0: write a number above 0, at most 1"),
        (("--after", "110"), "write at most 108"),
    ],
)
def test_a_wrong_request_gets_one_clear_line(arguments, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        module("conversion.conversion").main(list(arguments))
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err


# What they share


def test_samples_are_the_runs_of_everywhere_and_their_causal_influence():
    studying = module("studying")
    scenario = reading.load(LED)
    found = studying.samples(scenario, 2, 5, [6, 12], bloc="resident")
    monthly = runs.simulate(scenario, runs=2, seed=5, months=12, threads=1).monthly
    for row, month in enumerate((6, 12)):
        np.testing.assert_array_equal(found[:, row, :-1], monthly[monthly["month"] == month][list(NAMES)])
    probe = runs.causal_influence(scenario, runs=2, seed=5, months=12, threads=1)
    np.testing.assert_array_equal(found[:, 1, -1], probe[probe["month"] == 12]["influence"])


def test_samples_go_through_parameter_sets(tmp_path):
    studying = module("studying")
    file = tmp_path / "sets.csv"
    file.write_text("coefficients.service\n0.02\n0.3\n")
    sets = cej_sim.Ensemble.read(file)
    scenario = reading.load(CI)
    burden = studying.COLUMN["burden"]
    with_sets = studying.samples(scenario, 2, 5, [24], sets)[:, 0, burden]
    for run_, value in enumerate((0.02, 0.3)):
        one = scenario.with_values({"coefficients.service": value})
        assert with_sets[run_] == studying.samples(one, 2, 5, [24])[run_, 0, burden]


def test_the_line_between_rules_ends_at_the_poles_and_keeps_bounds():
    studying = module("studying")
    ci, led = reading.load(CI), reading.load(LED)
    paths = [path for path in ci.values if ci[path] != led[path]]
    for share, pole in ((0.0, ci), (1.0, led)):
        there = studying.with_rules(ci, studying.between(ci, led, share))
        assert all(
            there[path] == pytest.approx(pole[path]) if isinstance(pole[path], float) else True for path in paths
        )
    for share in (-0.5, 0.3, 1.5):
        there = studying.with_rules(ci, studying.between(ci, led, share))
        assert not budget_problems(there.values)
        votes = [there[f"governance.decide.votes.{bloc}"] for bloc in ("residents", "institutions", "backbone")]
        assert sum(votes) == pytest.approx(1.0)


def test_an_interval_is_students():
    studying = module("studying")
    mean, low, high = studying.interval(np.array([1.0, 2.0, 3.0, np.nan]))
    assert mean == pytest.approx(2.0)
    assert high - mean == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)
    assert low == pytest.approx(2 * mean - high)


# There and back


def test_one_rule_moved_there_and_back_is_the_probe_of_it():
    scenario = reading.load(CI)
    path = "governance.decide.votes.residents"
    probe = runs.irreversibility(scenario, path, 0.1, 0.7, hold=4, steps=3, runs=2, seed=1, threads=1)
    stages = [{path: value} for value in (0.1, 0.4, 0.7)]
    loop = runs.there_and_back(scenario, stages, [0.1, 0.4, 0.7], hold=4, runs=2, seed=1, threads=1)
    pd.testing.assert_frame_equal(probe.per_run, loop.per_run)


def test_one_stage_is_no_way():
    with pytest.raises(runs.RequestError, match="too few"):
        runs.there_and_back(reading.load(CI), [{}])


# Judging


def test_a_conversion_is_judged_by_the_paired_interval():
    conversion = module("conversion.conversion")
    generator = np.random.default_rng(1)
    full = np.repeat(0.5 + 0.1 * generator.random((20, 1)), 3, axis=1)
    noise = 0.01 * generator.standard_normal((20, 3))
    found = full * np.array([0.95, 0.80, 0.50]) + noise - noise.mean(axis=0)
    ratio, low, high, words = conversion.judge(found, full, 0.8)
    assert words == ["succeeds", "cannot tell", "fails"]
    assert ratio == pytest.approx([0.95, 0.80, 0.50], abs=0.01)
    assert (low < ratio).all()
    assert (ratio < high).all()
    assert conversion.together(words) == "fails"
    assert conversion.together(["succeeds", "cannot tell"]) == "cannot tell"
    assert conversion.together(["succeeds"] * 3) == "succeeds"


def test_where_nothing_can_be_compared_nothing_is_told():
    conversion = module("conversion.conversion")
    nothing = np.full((4, 3), np.nan)
    assert conversion.judge(nothing, nothing, 0.8)[3] == ["cannot tell"] * 3


def test_a_conversion_at_the_start_of_the_vote_is_the_same_community():
    conversion = module("conversion.conversion")
    context = conversion.contexts(conversion.LEVELS)[5]
    for way in conversion.WAYS:
        here = conversion.converted(way, 36, context)
        assert [event.month for event in here.events] == [36]
        assert {here[path] for path in context} == set(context.values())


def test_the_least_organizing_needs_the_loop_closed_from_there_on():
    conversion = module("conversion.conversion")
    words = {0.0: "open", 0.1: "closed", 0.2: "cannot tell", 0.4: "closed", 0.8: "closed"}
    rows = [{"rules": "all", "metric": "trust", "organizing": level, "verdict": word} for level, word in words.items()]
    assert conversion.least_organizing(pd.DataFrame(rows))["least"].tolist() == [0.4]
    rows[-1]["verdict"] = "open"
    assert conversion.least_organizing(pd.DataFrame(rows))["least"].isna().all()


def test_a_frontier_holds_what_nobody_outdoes():
    hybrids = module("hybrids.hybrids")
    worth = np.array([[1.0, 3.0], [3.0, 1.0], [2.0, 2.0], [1.0, 1.0], [2.0, 2.0], [3.0, 0.5]])
    assert hybrids.non_dominated(worth).tolist() == [True, True, True, False, True, False]
    assert [hybrids.verdict(chance) for chance in (0.95, 0.5, 0.02)] == ["on the frontier", "cannot tell", "outdone"]


def test_candidates_are_both_poles_and_what_lies_between_with_the_same_money():
    hybrids = module("hybrids.hybrids")
    corners = hybrids.corners()
    assert len(corners) == 64
    ci, led = reading.load(CI), reading.load(LED)
    assert corners[CI][0].values == ci.values
    assert {path for path in led.values if corners[LED][0][path] != led[path]} == set()
    candidates = {**corners, **hybrids.line(), **hybrids.catalogue()}
    assert "hybrid" in candidates
    scenarios = {name: scenario for name, (scenario, _) in candidates.items()}
    assert not runs.budget_refusals(scenarios, 120)
    assert not [found for one in scenarios.values() if (found := runs.differing_communities(ci, one))]


def test_parts_that_only_add_up_have_no_synergy_and_a_pair_has():
    principles = module("principles.principles")
    bits = np.array([[cell >> part & 1 for part in range(3)] for cell in range(8)])
    added = (bits @ np.array([1.0, 2.0, -0.5]))[None]
    found = principles.synergy(added)
    assert found["whole"] == pytest.approx([2.5])
    assert found["synergy"] == pytest.approx([0.0])
    assert found["last_beyond"] == pytest.approx([0.0])
    pair = principles.synergy(added + 4.0 * bits[:, 0] * bits[:, 1])
    assert pair["synergy"] == pytest.approx([4.0])
    assert pair["taken_out"] == pytest.approx([10.5])
    assert principles.word("burden", -0.2, -0.1) == "better together"
    assert principles.word("policy_wins", -0.2, -0.1) == "worse together"
    assert principles.word("burden", -0.2, 0.1) == "cannot tell"
