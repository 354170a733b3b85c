"""The calibration: patterns have sources, the search finds what was put in, and nothing else is looked at."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from rich.console import Console

from cej_sim.ensemble import SHIPPED, Ensemble
from cej_sim.metrics import NAMES
from cej_sim.scenario import PARAMETERS, value_problem

HERE = Path(__file__).resolve().parents[1] / "experiments" / "calibration"
HOW = ("mean", "yearly_loss", "against", "correlation", "reaching", "always")


@pytest.fixture(scope="module")
def calibrate() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("calibrate", HERE / "calibrate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["calibrate"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def content(calibrate) -> dict:
    return calibrate.declared()


# What is declared


def test_every_pattern_says_what_it_is_where_it_is_from_and_how_it_is_measured(content):
    ids = [pattern["id"] for pattern in content["patterns"]]
    assert len(set(ids)) == len(ids)
    for pattern in content["patterns"]:
        assert pattern["what"]
        assert pattern["source"]
        assert pattern["scale"] > 0
        assert ("bounds" in pattern) != ("target" in pattern and "tolerance" in pattern)
        measure = pattern["measure"]
        assert measure["how"] in HOW
        assert measure["metric"] in NAMES
        assert {measure["setup"], measure.get("other", measure["setup"])} <= set(content["setups"])
        first, last = measure["months"]
        assert 0 <= first <= last <= content["setups"][measure["setup"]]["months"]
    assert all(given["pattern"] and given["why"] for given in content["not_fitted"])


def test_no_pattern_asks_who_does_better_and_none_is_a_hypothesis(content):
    """Where several ways of working are run they are pooled, and a pattern reads no verdict."""
    for pattern in content["patterns"]:
        assert not {"scenario", "scenarios", "hypothesis"} & set(pattern["measure"])
    text = (HERE / "calibrate.py").read_text()
    assert text.count("HYPOTHESES") == 2  # where it lies, and its hash
    assert not re.search(r"(?i)\b(supported|refuted)\b", text)


def test_free_numbers_have_reasons_and_ranges_within_bounds(calibrate, content):
    for path, free in calibrate.free_numbers(content).items():
        assert free.low < free.high
        assert len(free.why.split()) >= 3
        for value in (free.low, free.high):
            assert value_problem(PARAMETERS[path], value) is None
    assert content["free"]["governance.convene.take_up"]["low"] == 0.0
    assert content["free"]["governance.evaluate.official_bias"]["low"] == 0.0


# The distance


def test_misfit_is_what_lies_beyond(calibrate):
    target = {"target": 0.9, "tolerance": 0.05, "scale": 0.1}
    assert calibrate.misfit(target, 0.86) == 0.0
    assert calibrate.misfit(target, 0.65) == pytest.approx(2.0)
    bounds = {"bounds": [1.0, 10.0], "scale": 2.0}
    assert calibrate.misfit(bounds, 3.0) == 0.0
    assert calibrate.misfit(bounds, 14.0) == pytest.approx(2.0)
    assert calibrate.misfit(bounds, 0.0) == pytest.approx(0.5)
    assert calibrate.misfit(bounds, math.nan) == 3.0
    assert calibrate.distance([target, bounds], [0.65, 14.0]) == pytest.approx(math.sqrt(8.0))


def test_measures_on_made_up_runs(calibrate):
    runs = np.zeros((4, 25, len(NAMES)))
    alive, acting = NAMES.index("alive"), NAMES.index("mobilized")
    runs[:, :, alive] = 1.0
    runs[3, 13:, alive] = 0.0
    runs[:2, 5, acting] = 0.3
    runs[0, 20:, acting] = 0.2

    def value(**given: object) -> float:
        return calibrate.measured({"setup": "s", **given}, {"s": runs}, {})

    assert value(how="mean", metric="alive", months=[24, 24]) == 0.75
    assert value(how="yearly_loss", metric="alive", months=[12, 24]) == pytest.approx(0.25)
    assert value(how="reaching", metric="mobilized", above=0.1, months=[1, 24]) == 0.5
    assert value(how="always", metric="mobilized", above=0.1, months=[20, 24]) == 0.25
    assert value(how="correlation", metric="alive", **{"with": "alive"}, months=[1, 24]) == pytest.approx(1.0)
    assert math.isnan(value(how="correlation", metric="burden", **{"with": "alive"}, months=[1, 24]))


# The search


def search(calibrate, content: dict, folder: Path, monkeypatch) -> object:
    """A search in which three patterns are known to be met at one third of the first three ranges."""
    wanted = {"target": 10 / 3, "tolerance": 0.0, "scale": 1.0}
    patterns = [
        {**pattern, **(wanted if j < 3 else {"bounds": [0, 1]})} for j, pattern in enumerate(content["patterns"])
    ]
    patterns = [
        {key: value for key, value in one.items() if j > 2 or key != "bounds"} for j, one in enumerate(patterns)
    ]
    content = {**content, "patterns": patterns}
    small = {
        **content,
        "search": {**content["search"], "first": 100, "batch": 40, "pool": 2000, "keep": 60, "members": 40},
    }

    def evaluate(self, number: int, u: np.ndarray) -> list[float]:
        seen = [10.0 * u[0], 10.0 * u[1], 10.0 * u[2], *[0.0] * (len(self.patterns) - 3)]
        return [*self.values(u).values(), *seen, calibrate.distance(self.patterns, seen)]

    monkeypatch.setattr(calibrate.Search, "evaluate", evaluate)
    monkeypatch.setattr(calibrate, "setups", lambda content: {})
    return calibrate.Search(small, folder, 1, Console(quiet=True))


def test_the_search_narrows_to_what_fits_and_leaves_the_rest_open(calibrate, content, tmp_path, monkeypatch):
    one = search(calibrate, content, tmp_path, monkeypatch)
    found = one.run()
    points = found["points"]
    assert np.abs(points[:, :3] - 1 / 3).mean() < 0.15
    assert points[:, 3:].std(axis=0).min() > 0.15
    distances = [step["distance"] for step in found["story"]]
    assert distances == sorted(distances, reverse=True)
    assert len({tuple(row) for row in calibrate.members(one, found)}) == 40


def test_a_search_that_was_stopped_goes_on_where_it_was(calibrate, content, tmp_path, monkeypatch):
    first = search(calibrate, content, tmp_path, monkeypatch).run()
    file = tmp_path / "evaluations.csv"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:130]))
    again = search(calibrate, content, tmp_path, monkeypatch).run()
    np.testing.assert_allclose(again["rows"], first["rows"])
    assert len(file.read_text().splitlines()) == len(lines)


@pytest.mark.slow
def test_a_set_of_the_ensemble_gives_the_distance_that_was_written(calibrate, content, tmp_path):
    """The patterns measured with other luck: most sets stay near."""
    one = calibrate.Search(content, tmp_path, 1, Console(quiet=True))
    said = json.loads(SHIPPED.with_suffix(".json").read_text())
    values = Ensemble.read()
    away = []
    for i in range(0, len(values), 20):
        here = {path: float(value) for path, value in values.member(i).items()}
        rows = {name: calibrate.histories(setup, here, 77_000 + i) for name, setup in one.setups.items()}
        found = [calibrate.measured(pattern["measure"], rows, one.setups) for pattern in one.patterns]
        away.append(calibrate.distance(one.patterns, found))
    first = said["rounds"][0]["distance"]
    assert np.median(away) < first


# What is shipped


def test_the_ensemble_was_made_from_this_file_of_patterns_after_the_hypotheses():
    said = json.loads(SHIPPED.with_suffix(".json").read_text())
    assert said["patterns_sha256"] == hashlib.sha256((HERE / "patterns.yaml").read_bytes()).hexdigest()
    assert said["sha256"] == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    frozen = (HERE.parent / "hypotheses" / "hypotheses.yaml").read_bytes()
    assert said["hypotheses_sha256"] == hashlib.sha256(frozen).hexdigest()


def test_every_set_lies_in_the_ranges_searched(calibrate, content):
    ours = Ensemble.read()
    free = calibrate.free_numbers(content)
    assert ours.parameters == tuple(free)
    for range_, column in zip(free.values(), ours.values.T, strict=True):
        assert (column >= range_.low * (1 - 1e-4)).all()
        assert (column <= range_.high * (1 + 1e-4)).all()


def test_defaults_are_the_middle_of_the_ensemble_and_fit_like_a_member():
    said = json.loads(SHIPPED.with_suffix(".json").read_text())
    central = said["central"]
    assert said["central_distance"] <= said["distance"]["largest"]
    medians = dict(zip(Ensemble.read().parameters, np.median(Ensemble.read().values, axis=0), strict=True))
    assert all(central[path] == pytest.approx(medians[path], rel=0.06) for path in medians)
    for path in Ensemble.read().parameters:
        assert PARAMETERS[path].default == central[path], path
        assert "calibrated: experiments/calibration" in PARAMETERS[path].source, path
