"""Tables of a sweep hold what they say: known answers come out, intervals cover, nothing is dropped in silence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cej_sim import comparison
from cej_sim.comparison import BY_NAME, compare_table, records
from cej_sim.metrics import METRICS
from cej_sim.sweeps import analysis
from cej_sim.sweeps.analysis import Study, analyze


@dataclass(frozen=True)
class Factor:
    """As ``design.Factor``."""

    name: str
    label: str = "A factor"
    values: tuple = ()
    low: float | None = None
    high: float | None = None
    log: bool = False
    unit: str = "share"
    scenario: str | None = None


def two_level(count: int) -> tuple[Factor, ...]:
    return tuple(Factor(f"x{i}", f"Factor {i}", (0.0, 1.0)) for i in range(count))


def cells_of(factors, values, runs: int = 5) -> pd.DataFrame:
    table = pd.DataFrame(list(values), columns=[factor.name for factor in factors])
    table.insert(0, "cell", np.arange(len(table)))
    table.insert(1, "label", [f"cell {i}" for i in range(len(table))])
    table["status"], table["runs"], table["seconds"], table["error"], table["seed"] = "done", runs, 0.1, "", "1"
    return table


def rows_of(cells: pd.DataFrame, outcome, names=("a",), months=(24,), runs: int = 5, metrics=("burden",)):
    """Rows of all finished cells; ``outcome(cell row, scenario number, run, month, metric)``."""
    rows = []
    for _, cell in cells[cells["status"] == "done"].iterrows():
        for s, name in enumerate(names):
            for run, month in product(range(runs), months):
                values = {metric: outcome(cell, s, run, month, metric) for metric in metrics}
                rows.append({"cell": cell["cell"], "scenario": name, "run": run, "month": month, **values})
    return pd.DataFrame(rows)


def study(kind, factors, names=("a",), months=(24,), metrics=("burden",), **more) -> Study:
    return Study(kind, tuple(names), tuple(factors), tuple(months), tuple(metrics), **more)


def at(frame: pd.DataFrame, /, **where) -> pd.DataFrame:
    for name, value in where.items():
        frame = frame[frame[name] == value]
    return frame


LUCK = np.random.default_rng(5).normal(size=1000)


# Differences and outcomes


def test_differences_are_those_of_a_comparison() -> None:
    rng = np.random.default_rng(3)
    names = ("a", "b", "c")
    factors = (Factor("x", values=(1.0, 2.0, 3.0)),)
    cells = cells_of(factors, [(1.0,), (2.0,), (3.0,)], 7)
    metrics = ("burden", "trust", "decision_share", "seat_share", "policy_wins")

    def outcome(cell, s, run, month, metric):
        if metric == "seat_share":
            return 0.1 + 0.2 * (s == 1)
        return float(cell["x"] * s * 0.3 * (metric != "trust") + rng.normal())

    rows = rows_of(cells, outcome, names, (24, 60), 7, metrics)
    rows["alive"] = (rng.random(len(rows)) > 0.2).astype(float)
    found = analyze(study("grid", factors, names, (24, 60), (*metrics, "alive")), cells, [rows], metrics=metrics)
    table = found.tables["differences"]
    assert len(table) == 3 * 2 * 2 * len(metrics)
    for cell in range(3):
        expected = compare_table(rows[rows["cell"] == cell], "a", ["b", "c"], (24, 60))
        expected = expected[expected["metric"] != "alive"]
        keys = ["scenario_b", "month", "metric"]
        one = at(table, cell=cell).set_index(keys).loc[list(expected[keys].itertuples(index=False, name=None))]
        for name in ("a", "b", "difference", "ci_low", "ci_high", "effect_size", "p_better", "runs"):
            np.testing.assert_allclose(one[name], expected[name], rtol=1e-12, atol=1e-15)
        said = [comparison.verdict(row, BY_NAME[row["metric"]]) for row in records(expected)]
        words = {"a": "a better", "b": "b better", "higher": "b higher", "lower": "b lower"}
        assert list(one["verdict"]) == [words.get(word, word) for word in said]
    outcomes = at(found.tables["outcomes"], cell=1, scenario="b", metric="burden", month=60)
    values = at(rows, cell=1, scenario="b", month=60)["burden"]
    assert outcomes["mean"].item() == pytest.approx(values.mean())
    assert outcomes["sd"].item() == pytest.approx(values.std())
    assert outcomes["low10"].item() == pytest.approx(values.quantile(0.1))
    assert outcomes["x"].item() == 2.0


@given(
    st.floats(-1, 1), st.floats(0, 1), st.integers(0, 9), st.sampled_from(METRICS), st.sampled_from(["", "nan", "none"])
)
@settings(max_examples=200)
def test_verdicts_for_arrays_are_those_of_rows(difference, half, runs, metric, odd) -> None:
    half = math.nan if odd == "nan" else 0.0 if odd == "none" else half
    row = {"difference": difference, "ci_low": difference - half, "ci_high": difference + half, "runs": runs}
    arrays = [np.array([row[name]]) for name in ("difference", "ci_low", "ci_high", "runs")]
    word = analysis.VERDICTS[int(analysis.verdicts(*arrays, [metric])[0])]
    words = {"a": "a better", "b": "b better", "higher": "b higher", "lower": "b lower"}
    said = comparison.verdict(row, metric)
    assert word == words.get(said, said)


def test_blocks_do_not_matter(monkeypatch) -> None:
    factors = two_level(3)
    cells = cells_of(factors, product((0.0, 1.0), repeat=3))
    rng = np.random.default_rng(1)
    rows = rows_of(cells, lambda *_: rng.random(), ("a", "b"), (24, 60))
    one = study("full_factorial", factors, ("a", "b"), (24, 60), baseline=0)
    whole = analyze(one, cells, [rows])
    monkeypatch.setattr(analysis.tables, "_ROWS", 25)
    for size in (1, 7, 60, 1000):
        parts = analyze(one, cells, [rows.iloc[i : i + size] for i in range(0, len(rows), size)])
        for name, table in whole.tables.items():
            pd.testing.assert_frame_equal(parts.tables[name], table, rtol=1e-12)
        np.testing.assert_array_equal(parts.verdict, whole.verdict)
    taken: dict[str, list] = {}
    streamed = analyze(one, cells, [rows], sink=lambda name, frame: taken.setdefault(name, []).append(frame))
    assert set(taken) == {"outcomes", "differences", "against_baseline", "precision"}
    for name, frames in taken.items():
        pd.testing.assert_frame_equal(pd.concat(frames, ignore_index=True), whole.tables[name])
        assert name not in streamed.tables


def test_rows_that_do_not_belong_are_refused(monkeypatch) -> None:
    factors = two_level(1)
    cells = cells_of(factors, [(0.0,), (1.0,)])
    rows = rows_of(cells, lambda *_: 1.0)
    one = study("grid", factors)
    with pytest.raises(ValueError, match="twice"):
        analyze(one, cells, [pd.concat([rows.iloc[:1], rows])])
    monkeypatch.setattr(analysis.tables, "_ROWS", 2)
    with pytest.raises(ValueError, match="one piece"):
        analyze(one, cells, [pd.concat([rows.iloc[:3], rows.iloc[5:], rows.iloc[3:5]])])
    monkeypatch.undo()
    with pytest.raises(ValueError, match="scenario 'z'"):
        analyze(one, cells, [rows.assign(scenario="z")])
    with pytest.raises(ValueError, match="cell 9 that"):
        analyze(one, cells, [rows.assign(cell=rows.cell + 9)])
    with pytest.raises(ValueError, match="did not keep 'trust'"):
        analyze(one, cells, [rows], metrics=["trust"])
    with pytest.raises(ValueError, match="no metric 'luck'"):
        analyze(one, cells, [rows], metrics=["luck"])
    with pytest.raises(ValueError, match="did not keep month 7"):
        analyze(one, cells, [rows], months=[7])


# Factorials


def test_main_effects_and_interactions_of_a_polynomial() -> None:
    """y = 2 + 3 x0 - x1 + 4 x0 x1 + luck, levels 0 and 1; common luck cancels to the last digit."""
    factors = two_level(3)
    cells = cells_of(factors, product((0.0, 1.0), repeat=3))
    rows = rows_of(cells, lambda c, s, r, *_: 2 + 3 * c.x0 - c.x1 + 4 * c.x0 * c.x1 + 10 * LUCK[r])
    found = analyze(study("full_factorial", factors), cells, [rows])
    main = found.tables["main_effects"]
    expected = {"x0": 3 + 4 / 2, "x1": -1 + 4 / 2, "x2": 0.0}
    for name, effect in expected.items():
        row = at(main, factor=name, level="high - low")
        assert row["effect"].item() == pytest.approx(effect)
        assert row["ci_low"].item() == pytest.approx(effect)
        assert at(main, factor=name, level="1")["effect"].item() == pytest.approx(effect / 2)
        assert at(main, factor=name, level="0")["effect"].item() == pytest.approx(-effect / 2)
    pairs = found.tables["interactions"].set_index(["factor_a", "factor_b"])["effect"]
    # Half the difference of differences.
    assert pairs["x0", "x1"] == pytest.approx(2.0)
    assert pairs["x0", "x2"] == pairs["x1", "x2"] == pytest.approx(0.0)
    assert found.remarks == ["Changed nothing in any run, whatever the outcome: Factor 2"]


def test_main_effects_of_a_grid_and_of_choices() -> None:
    factors = (
        Factor("n", values=(10, 20, 40)),
        Factor("rule", values=("one", "two", "three")),
        Factor("on", values=(False, True)),
    )
    cells = cells_of(factors, product((10.0, 20.0, 40.0), ("one", "two", "three"), (0.0, 1.0)))
    rows = rows_of(cells, lambda c, s, r, *_: c.n * (1 + 0.1 * s) + 5 * (c.rule == "two") + c.on * c.n, ("a", "b"))
    found = analyze(study("grid", factors, ("a", "b")), cells, [rows])
    main = at(found.tables["main_effects"], response="a").set_index(["factor", "level"])["effect"]
    mean = 70 / 3
    assert main["n", "10"] == pytest.approx(1.5 * (10 - mean))
    assert main["n", "high - low"] == pytest.approx(45.0)
    assert main["rule", "two"] == pytest.approx(10 / 3)
    assert ("rule", "high - low") not in main
    assert main["on", "yes"] == pytest.approx(mean / 2)
    apart = at(found.tables["main_effects"], response="b - a").set_index(["factor", "level"])["effect"]
    assert apart["n", "high - low"] == pytest.approx(3.0)
    assert at(found.tables["interactions"], factor_a="n", factor_b="on", response="a")[
        "effect"
    ].item() == pytest.approx(15.0)
    assert any("no lowest and highest" in remark for remark in found.remarks)


def test_aliases_of_fractions() -> None:
    """2^(3-1) with x2 = x0 x1 mixes main effects; 2^(4-1) with x3 = x0 x1 x2 mixes pairs."""
    base = np.array(list(product((-1.0, 1.0), repeat=2)))
    third = analysis.aliases([base[:, 0], base[:, 1], base[:, 0] * base[:, 1]], ["a", "b", "c"])
    assert third["c",] == "a*b"
    assert third["a", "c"] == "b"
    base = np.array(list(product((-1.0, 1.0), repeat=3)))
    fourth = analysis.aliases([*base.T, -base.prod(axis=1)], ["a", "b", "c", "d"])
    assert fourth["a",] == ""
    assert fourth["a", "b"] == "-c*d"
    full = analysis.aliases(list(base.T), ["a", "b", "c"])
    assert set(full.values()) == {""}

    factors = two_level(3)
    cells = cells_of(factors, [(a, b, float(a == b)) for a, b in product((0.0, 1.0), repeat=2)])
    found = analyze(study("fractional_factorial", factors), cells, [rows_of(cells, lambda c, *_: c.x0)])
    table = found.tables["interactions"]
    assert at(table, factor_a="x0", factor_b="x1")["aliases"].item() == "x2"
    assert at(found.tables["main_effects"], factor="x2")["aliases"].unique().tolist() == ["x0*x1"]
    assert any("cannot tell some main effects" in remark for remark in found.remarks)


# Shapley


def game(count: int, worth) -> pd.DataFrame:
    factors = two_level(count)
    cells = cells_of(factors, product((0.0, 1.0), repeat=count))
    rows = rows_of(cells, lambda c, s, r, *_: worth(tuple(c[f.name] > 0.5 for f in factors), r), ("A_to_B",))
    return analyze(study("ablation", factors, ("A_to_B",), baseline=0), cells, [rows])


def test_glove_game() -> None:
    """One left and two right gloves (Shapley and Shubik's example): 2/3, 1/6, 1/6."""
    table = game(3, lambda s, r: float(s[0] and (s[1] or s[2]))).tables["shapley"].set_index("factor")
    np.testing.assert_allclose(table["value"], [2 / 3, 1 / 6, 1 / 6])
    np.testing.assert_allclose(table["share"], [2 / 3, 1 / 6, 1 / 6])


def test_additive_game_and_a_shared_interaction() -> None:
    found = game(3, lambda s, r: 1.0 * s[0] + 2.0 * s[1] + 4.0 * (s[1] and s[2]) + LUCK[r])
    table = found.tables["shapley"].set_index("factor")
    np.testing.assert_allclose(table["value"], [1.0, 4.0, 2.0])
    swaps = found.tables["swaps"].set_index(["factor", "direction"])["effect"]
    assert swaps["x2", analysis.INTO_A] == pytest.approx(0.0)
    assert swaps["x2", analysis.OUT_OF_B] == pytest.approx(4.0)
    assert swaps[analysis.ALL_FACTORS, "all"] == pytest.approx(7.0)


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.floats(-9, 9), min_size=2**n, max_size=2**n)))
@settings(max_examples=60)
def test_shapley_is_efficient_symmetric_and_ignores_dummies(worth) -> None:
    worth = np.array(worth)
    count = int(np.log2(len(worth)))
    present = (np.arange(len(worth))[:, None] >> np.arange(count)) & 1 == 1
    weights = analysis.shapley_weights(present)
    values = weights @ worth
    assert values.sum() == pytest.approx(worth[-1] - worth[0], abs=1e-9)
    # Players change places: values do, too.
    order = np.roll(np.arange(count), 1)
    moved = np.zeros_like(worth)
    moved[present[:, order] @ (1 << np.arange(count))] = worth
    np.testing.assert_allclose(weights @ moved, values[order], atol=1e-9)
    # A player who adds nothing gets nothing.
    lazy = worth[np.arange(len(worth)) & ~1]
    assert (weights @ lazy)[0] == pytest.approx(0.0, abs=1e-9)


def test_shapley_needs_all_subsets() -> None:
    with pytest.raises(ValueError, match="4 subsets of 2 units"):
        analysis.shapley_weights(np.array([[False, False], [True, False], [True, True]]))


def test_no_share_of_what_may_be_nothing() -> None:
    table = game(2, lambda s, r: (s[0] - s[1]) + 0.001 * LUCK[r] * sum(s)).tables["shapley"]
    assert table["share"].isna().all()
    assert table["ci_low"].iloc[0] > 0.9


def test_one_unit_at_a_time_gives_swaps_without_averages() -> None:
    factors = two_level(3)
    ways = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)]
    cells = cells_of(factors, [tuple(map(float, way)) for way in ways])
    rows = rows_of(cells, lambda c, s, r, *_: c.x0 + c.x1 * c.x2 + LUCK[r], ("A_to_B",))
    found = analyze(study("ablation", factors, ("A_to_B",), baseline=0), cells, [rows])
    assert not {"main_effects", "shapley", "interactions"} & set(found.tables)
    assert set(found.tables["swaps"]["direction"]) == {analysis.INTO_A, "all"}
    assert len(found.tables["against_baseline"]) == 4


# Sampled designs


def ishigami(x: np.ndarray) -> np.ndarray:
    return np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


def sampled(kind: str, x: np.ndarray, y: np.ndarray, *, low=0.0, high=1.0, broken=(), **more):
    factors = tuple(Factor(f"x{i}", low=low, high=high) for i in range(x.shape[1]))
    cells = cells_of(factors, x, 1)
    cells.loc[list(broken), "status"] = "failed"
    cells.loc[list(broken), "error"] = "ValueError: no"
    rows = pd.DataFrame({"cell": cells["cell"], "scenario": "a", "run": 0, "month": 24, "burden": y})
    rows = rows.drop(index=list(broken))
    return analyze(study(kind, factors, **more), cells, [rows])


def test_sobol_of_ishigami() -> None:
    from SALib.sample import sobol

    problem = {"num_vars": 3, "names": ["x0", "x1", "x2"], "bounds": [[-np.pi, np.pi]] * 3}
    x = sobol.sample(problem, 1024, calc_second_order=True, seed=7)
    found = sampled("sobol", x, ishigami(x), low=-np.pi, high=np.pi, second_order=True)
    table = found.tables["sobol"]
    np.testing.assert_allclose(table["S1"], [0.3139, 0.4424, 0.0], atol=0.02)
    np.testing.assert_allclose(table["ST"], [0.5576, 0.4424, 0.2437], atol=0.02)
    for name, true in (("S1", [0.3139, 0.4424, 0.0]), ("ST", [0.5576, 0.4424, 0.2437])):
        assert ((table[f"{name}_low"] <= true) & (true <= table[f"{name}_high"])).all()
        assert ((table[f"{name}_low"] < table[name]) & (table[name] < table[f"{name}_high"])).all()
    second = found.tables["sobol_second"].set_index(["factor_a", "factor_b"])["S2"]
    assert second["x0", "x2"] == pytest.approx(0.2437, abs=0.03)
    assert second["x0", "x1"] == pytest.approx(0.0, abs=0.03)


def test_sobol_leaves_out_broken_rows_and_the_global_generator() -> None:
    from SALib.sample import sobol

    problem = {"num_vars": 3, "names": ["x0", "x1", "x2"], "bounds": [[-np.pi, np.pi]] * 3}
    x = sobol.sample(problem, 128, calc_second_order=False, seed=7)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    one, again = (sampled("sobol", x, ishigami(x), low=-np.pi, high=np.pi).tables["sobol"] for _ in range(2))
    pd.testing.assert_frame_equal(one, again)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    # A broken cell takes its whole row of the design with it: the rest is a design by itself.
    broken = sampled("sobol", x, ishigami(x), low=-np.pi, high=np.pi, broken=(3, 4, 638))
    rest = np.delete(x.reshape(128, 5, 3), [0, 127], axis=0).reshape(-1, 3)
    alone = sampled("sobol", rest, ishigami(rest), low=-np.pi, high=np.pi)
    pd.testing.assert_frame_equal(broken.tables["sobol"], alone.tables["sobol"])
    assert broken.tables["sobol"]["samples"].unique().tolist() == [126]
    assert any("2 of 128 rows of Saltelli's design left out" in remark for remark in broken.remarks)


def test_sobol_of_what_does_not_vary() -> None:
    x = np.random.default_rng(1).random((8 * 4, 2))
    found = sampled("sobol", x, np.full(32, 0.3))
    assert found.tables["sobol"]["S1"].isna().all()
    assert any("not vary at all" in remark for remark in found.remarks)


def test_morris_of_a_linear_function() -> None:
    from SALib.sample import morris

    problem = {"num_vars": 3, "names": ["x0", "x1", "x2"], "bounds": [[2.0, 6.0]] * 3}
    x = morris.sample(problem, 12, num_levels=4, seed=3)
    y = 5.0 * x[:, 0] - 2.0 * x[:, 1] + 1.0
    table = sampled("morris", x, y, low=2.0, high=6.0).tables["morris"]
    # Effects of a factor over its whole range, here of width 4.
    np.testing.assert_allclose(table["mu"], [20.0, -8.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(table["mu_star"], [20.0, 8.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(table["sigma"], 0.0, atol=1e-9)
    np.testing.assert_allclose(table["mu_star_conf"], 0.0, atol=1e-9)
    broken = sampled("morris", x, y, low=2.0, high=6.0, broken=(1, 9))
    assert broken.tables["morris"]["trajectories"].unique().tolist() == [10]
    np.testing.assert_allclose(broken.tables["morris"]["mu"], [20.0, -8.0, 0.0], atol=1e-9)
    assert any("2 of 12 trajectories left out" in remark for remark in broken.remarks)
    odd = sampled("morris", x[:-1], y[:-1], low=2.0, high=6.0)
    assert "morris" not in odd.tables
    assert any("not whole trajectories" in remark for remark in odd.remarks)


def test_unit_interval() -> None:
    column = pd.Series([1.0, 10.0, 100.0])
    np.testing.assert_allclose(analysis.unit_interval(Factor("x", low=1.0, high=100.0, log=True), column), [0, 0.5, 1])
    np.testing.assert_allclose(analysis.unit_interval(Factor("x", values=(1, 10, 100)), column), [0, 0.5, 1])
    words = pd.Series(["b", "a", "b"])
    np.testing.assert_allclose(analysis.unit_interval(Factor("x", values=("a", "b")), words), [1, 0, 1])


def test_rank_correlations() -> None:
    x = np.random.default_rng(4).random((200, 3))
    found = sampled("latin_hypercube", x, np.exp(3 * x[:, 0]) - 0.8 * x[:, 1])
    table = found.tables["correlations"].set_index("factor")
    assert table["correlation"].abs().idxmax() == "x0"
    assert table.loc["x2", "ci_low"] < 0 < table.loc["x2", "ci_high"]
    assert found.importance("a", "burden", 24).index[0] == "x0"


# Probes


def probes_of(cells, names, runs: int, influence, area=None) -> pd.DataFrame:
    """Stored numbers of probes: influence at months 12 and 24; with ``area`` the loop of burden, whose drift is 0.5."""
    rows = []
    for cell, (s, name), run in product(cells["cell"], enumerate(names), range(runs)):
        for month in (12, 24):
            rows.append((cell, name, run, "causal_influence", "resident", month, influence(cell, s, run) * month / 24))
        if area is not None:
            drift = 0.5 + LUCK[run]
            rows.append((cell, name, run, "irreversibility_area", "burden", -1, area(cell, s, run) + drift))
            rows.append((cell, name, run, "irreversibility_drift", "burden", -1, drift))
    columns = ["cell", "scenario", "run", "probe", "metric", "month", "value"]
    return pd.DataFrame(rows, columns=columns).sample(frac=1.0, random_state=1)


def with_probes(kind, factors, cells, names, probes, **more):
    rows = rows_of(cells, lambda *_: 0.5, names)
    found = analyze(study(kind, factors, names, **more), cells, [rows])
    analysis.summarize_probes(found, probes)
    return found


def test_probes_are_paired_within_runs() -> None:
    """Luck that both scenarios share cancels; the mean and its interval are those of a t test."""
    from scipy.stats import ttest_1samp

    factors = (Factor("x", values=(1.0, 2.0)),)
    cells = cells_of(factors, [(1.0,), (2.0,)])
    own = np.random.default_rng(8).normal(size=(2, 10))

    def influence(cell, s, run):
        return math.nan if (cell, s, run) == (1, 1, 3) else 2.0 + 5.0 * LUCK[run] + s * (1.0 + cell + own[cell, run])

    found = with_probes("grid", factors, cells, ("a", "b"), probes_of(cells, ("a", "b"), 10, influence))
    table = found.tables["probe_differences"]
    assert list(table["month"].unique()) == [24]  # month 12 was not analyzed
    for cell, left in ((0, range(10)), (1, [run for run in range(10) if run != 3])):
        row = at(table, cell=cell).iloc[0]
        interval = ttest_1samp(1.0 + cell + own[cell][list(left)], 0.0).confidence_interval()
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high))
        assert row["difference"] == pytest.approx(1.0 + cell + own[cell][list(left)].mean())
        assert row["b"] - row["a"] == pytest.approx(row["difference"])
        assert row["runs"] == len(left)
        assert row["x"] == 1.0 + cell
    levels = at(found.tables["probes"], cell=0, scenario="a").iloc[0]
    interval = ttest_1samp(2.0 + 5.0 * LUCK[:10], 0.0).confidence_interval()
    assert (levels["ci_low"], levels["ci_high"]) == pytest.approx((interval.low, interval.high))
    assert levels["sd"] == pytest.approx((5.0 * LUCK[:10]).std(ddof=1))
    counted = at(found.tables["verdicts"], table="probe_differences").iloc[0]
    assert counted["intervals"] == 2
    assert counted["sure"] == ((table["ci_low"] > 0) | (table["ci_high"] < 0)).sum()


def test_what_stays_behind_is_the_area_less_the_drift_of_the_same_run() -> None:
    factors = (Factor("x", values=(1.0, 2.0)),)
    cells = cells_of(factors, [(1.0,), (2.0,)])
    probes = probes_of(cells, ("a", "b"), 6, lambda *_: 0.2, lambda cell, s, run: -0.3 + 0.1 * s * cell)
    found = with_probes("grid", factors, cells, ("a", "b"), probes)
    net = at(found.tables["probes"], probe=analysis.NET).set_index(["cell", "scenario"])
    np.testing.assert_allclose(net["mean"], [-0.3, -0.3, -0.3, -0.2])
    np.testing.assert_allclose(net["ci_high"], net["ci_low"], atol=1e-12)
    assert (net["month"] == -1).all()
    differences = at(found.tables["probe_differences"], probe=analysis.NET).set_index("cell")
    assert differences["difference"].tolist() == pytest.approx([0.0, 0.1])
    assert differences["verdict"].tolist() == ["no difference", "b higher"]
    assert at(found.tables["probe_differences"], probe="causal_influence")["verdict"].unique() == ["no difference"]


def test_probes_of_an_ablation_are_swaps() -> None:
    factors = two_level(2)
    cells = cells_of(factors, product((0.0, 1.0), repeat=2))
    worth = {0: 0.0, 1: 3.0, 2: 1.0, 3: 7.0}  # neither, x1, x0, both
    probes = probes_of(cells, ("A_to_B",), 8, lambda cell, s, run: worth[cell] + LUCK[run])
    found = with_probes("ablation", factors, cells, ("A_to_B",), probes, baseline=0)
    swaps = found.tables["probe_swaps"].set_index(["factor", "direction"])
    effects = {key: round(value, 9) for key, value in swaps["effect"].items()}
    assert effects == {
        ("all together", "all"): 7.0,
        ("x0", analysis.INTO_A): 1.0,
        ("x0", analysis.OUT_OF_B): 4.0,
        ("x1", analysis.INTO_A): 3.0,
        ("x1", analysis.OUT_OF_B): 6.0,
    }
    assert set(swaps["verdict"]) == {"b higher"}
    against = found.tables["probes_against_baseline"]
    assert against["difference"].tolist() == pytest.approx([3.0, 1.0, 7.0])
    assert "probe_differences" not in found.tables


def test_probes_with_luck_of_their_own_are_not_paired_with_the_baseline() -> None:
    from scipy.stats import ttest_ind

    factors = (Factor("x", values=(1.0, 2.0)),)
    cells = cells_of(factors, [(1.0,), (2.0,)])
    values = np.random.default_rng(6).normal(size=(2, 9)) * [[1.0], [3.0]]
    probes = probes_of(cells, ("a",), 9, lambda cell, s, run: values[cell, run])
    found = with_probes("one_at_a_time", factors, cells, ("a",), probes, baseline=0, common_luck=False)
    row = found.tables["probes_against_baseline"].iloc[0]
    interval = ttest_ind(values[1], values[0], equal_var=False).confidence_interval()
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high))


def test_probes_that_do_not_belong_are_refused() -> None:
    factors = (Factor("x", values=(1.0, 2.0)),)
    cells = cells_of(factors, [(1.0,), (2.0,)])
    probes = probes_of(cells, ("a",), 2, lambda *_: 1.0)
    for wrong, message in (
        (probes.assign(scenario="z"), "a cell or a scenario"),
        (probes.assign(cell=9), "a cell or a scenario"),
        (pd.concat([probes, probes]), "twice"),
    ):
        with pytest.raises(ValueError, match=message):
            with_probes("grid", factors, cells, ("a",), wrong)
    assert "probes" not in with_probes("grid", factors, cells, ("a",), probes.iloc[:0]).tables


def test_intervals_of_probe_differences_cover() -> None:
    """Nineteen of twenty hold the truth: 800 cells, whose standard error is 0.8 points."""
    factors = (Factor("x", low=0.0, high=800.0),)
    cells = cells_of(factors, [(float(i),) for i in range(800)])
    noise = np.random.default_rng(12).normal(size=(800, 2, 8))
    probes = probes_of(cells, ("a", "b"), 8, lambda cell, s, run: 0.7 * s + LUCK[run] + noise[cell, s, run])
    table = with_probes("list", factors, cells, ("a", "b"), probes).tables["probe_differences"]
    assert 0.92 <= ((table["ci_low"] <= 0.7) & (table["ci_high"] >= 0.7)).mean() <= 0.98


# What is missing


def test_failed_cells_are_told_of() -> None:
    factors = two_level(2)
    cells = cells_of(factors, product((0.0, 1.0), repeat=2))
    cells.loc[2, ["status", "error"]] = ["failed", "ValueError: it broke"]
    cells.loc[3, "status"] = "missing"
    rows = rows_of(cells, lambda c, s, r, *_: c.x0 + s, ("a", "b"))
    found = analyze(study("full_factorial", factors, ("a", "b")), cells, [rows])
    assert not {"main_effects", "shapley", "interactions"} & set(found.tables)
    assert found.tables["failures"][["cell", "error"]].to_numpy().tolist() == [
        [2, "ValueError: it broke"],
        [3, "not computed yet"],
    ]
    said = " / ".join(found.remarks)
    assert "1 cell of 4 failed: 2" in said
    assert "1 cell of 4 not computed yet: 3" in said
    assert "left out" in said
    regions = found.tables["regions"].set_index("verdict")
    assert regions.loc[analysis.NOT_COMPUTED, "cells"] == 2
    assert regions["share"].sum() == pytest.approx(1.0)
    # Every run shows the same difference, but five runs are too few to say so.
    assert list(found.at("b - a", "burden", 24)["verdict"]) == ["cannot tell"] * 2 + [analysis.NOT_COMPUTED] * 2
    # A cell said to be done without rows counts as lost.
    lost = analyze(
        study("grid", two_level(2)), cells_of(factors, product((0.0, 1.0), repeat=2)), [rows_of(cells, lambda *_: 1.0)]
    )
    assert any("without rows: 2, 3" in remark for remark in lost.remarks)
    assert "main_effects" not in lost.tables


def test_nothing_at_all() -> None:
    factors = two_level(2)
    cells = cells_of(factors, product((0.0, 1.0), repeat=2)).assign(status="missing")
    found = analyze(study("full_factorial", factors, ("a", "b"), baseline=0), cells, [])
    assert len(found.tables["failures"]) == 4
    assert found.tables["verdicts"].empty


def test_without_baseline_nothing_is_set_against_it() -> None:
    factors = (Factor("x", values=(1.0, 2.0, 3.0)),)
    cells = cells_of(factors, [(1.0,), (2.0,), (3.0,)])
    cells.loc[0, "status"] = "failed"
    found = analyze(study("one_at_a_time", factors, baseline=0), cells, [rows_of(cells, lambda *_: 1.0)])
    assert "against_baseline" not in found.tables
    assert any("others are set against (cell 0)" in remark for remark in found.remarks)


def test_ended_coalitions_do_not_count_as_zeros() -> None:
    factors = two_level(1)
    cells = cells_of(factors, [(0.0,), (1.0,)])
    rows = rows_of(cells, lambda c, s, r, *_: 1.0 + c.x0 + 0.1 * r, metrics=("trust",))
    rows["alive"] = ((rows["cell"] == 0) | (rows["run"] > 1)).astype(float)
    found = analyze(study("full_factorial", factors, metrics=("trust", "alive")), cells, [rows], metrics=["trust"])
    assert list(found.tables["outcomes"]["runs"]) == [5, 3]
    main = at(found.tables["main_effects"], level="high - low")
    assert main["effect"].item() == pytest.approx(1.0)
    assert main["runs"].item() == 3
    assert any("only the runs that every cell" in remark for remark in found.remarks)


def test_unequal_runs() -> None:
    factors = two_level(1)
    cells = cells_of(factors, [(0.0,), (1.0,)])
    cells["runs"] = [4, 9]
    rows = pd.concat(
        [rows_of(cells[cells["cell"] == c], lambda c, s, r, *_: c.x0 + LUCK[r], runs=n) for c, n in ((0, 4), (1, 9))]
    )
    found = analyze(study("full_factorial", factors, baseline=0), cells, [rows])
    assert at(found.tables["main_effects"], level="high - low")["runs"].item() == 4
    against = found.tables["against_baseline"]
    assert against["runs"].item() == 4
    assert against["difference"].item() == pytest.approx(1.0)


# How sure


def test_own_luck_is_not_paired() -> None:
    factors = (Factor("x", values=(1.0, 2.0)),)
    cells = cells_of(factors, [(1.0,), (2.0,)], 30)
    rows = rows_of(cells, lambda c, s, r, *_: c.x + LUCK[r], runs=30)
    common = analyze(study("one_at_a_time", factors, baseline=0), cells, [rows]).tables["against_baseline"]
    own = analyze(study("one_at_a_time", factors, baseline=0, common_luck=False), cells, [rows])
    own = own.tables["against_baseline"]
    assert common["ci_low"].item() == pytest.approx(1.0)
    from scipy.stats import ttest_ind

    a, b = (at(rows, cell=cell)["burden"] for cell in (0, 1))
    interval = ttest_ind(b, a, equal_var=False).confidence_interval()
    assert (own["ci_low"].item(), own["ci_high"].item()) == pytest.approx((interval.low, interval.high))


@given(st.floats(1e-3, 1e3), st.floats(1e-2, 10))
def test_runs_needed_is_the_fewest_that_suffice(deviation, ratio) -> None:
    target = deviation * ratio
    need = float(analysis.runs_needed(deviation, target))
    assert analysis.half_width(deviation, need) <= target
    assert need == 2 or analysis.half_width(deviation, need - 1) > target


def test_precision() -> None:
    factors = (Factor("x", values=(1.0, 2.0)),)
    cells = cells_of(factors, [(1.0,), (2.0,)], 20)
    rows = rows_of(cells, lambda c, s, r, *_: s * c.x * 0.1 * LUCK[r], ("a", "b"), runs=20)
    aim = analysis.Target("burden", 24, 0.06)
    found = analyze(study("grid", factors, ("a", "b"), target=aim), cells, [rows])
    table = found.tables["precision"]
    deviation = 0.1 * LUCK[:20].std(ddof=1)
    np.testing.assert_allclose(table["sd"], [deviation, 2 * deviation])
    np.testing.assert_allclose(table["half_width"], analysis.half_width([deviation, 2 * deviation], 20))
    assert table["target"].unique().tolist() == [0.06]
    summary = found.tables["precision_summary"].iloc[0]
    assert summary["cells"] == 2
    assert summary["cells_precise"] == (table["half_width"] <= 0.06).sum()
    assert summary["runs_needed"] == table["runs_needed"].max()
    usual = analyze(study("grid", factors, ("a", "b")), cells, [rows]).tables["precision"]
    assert usual["target"].unique().tolist() == [analysis.TARGET]


def covered(repetitions: int, runs: int, seed: int) -> dict[str, float]:
    """How often intervals hold the truth: luck that cells share, and luck of their own; a month a repetition."""
    rng = np.random.default_rng(seed)
    factors, months = two_level(2), tuple(range(repetitions))
    ways = list(product((0.0, 1.0), repeat=2))
    worth = np.array([0.0, 0.5, -0.3, 1.4])
    truth = dict(zip(ways, worth, strict=True))
    into, whole = {"x0": truth[1.0, 0.0], "x1": truth[0.0, 1.0]}, truth[1.0, 1.0]
    value = {name: (into[name] + whole - into[rest]) / 2 for name, rest in (("x0", "x1"), ("x1", "x0"))}
    cells = cells_of(factors, ways, runs)
    index = pd.MultiIndex.from_product([range(4), ["A_to_B"], range(runs), months])
    frame = index.to_frame(index=False, name=["cell", "scenario", "run", "month"])
    own = np.array([0.5, 1.0, 0.7, 1.5])[:, None, None] * rng.normal(size=(4, runs, repetitions))
    shared = worth[:, None, None] + own + rng.normal(size=(1, runs, repetitions))
    apart = worth[:, None, None] + np.roll(own, 1, axis=1)

    def tables(values, common_luck):
        one = study("ablation", factors, ("A_to_B",), months, baseline=0, common_luck=common_luck)
        return analyze(one, cells, [frame.assign(burden=values.ravel())], months=months).tables

    def share(table, true) -> float:
        assert len(table) == repetitions
        return float(((table["ci_low"] <= true) & (true <= table["ci_high"])).mean())

    common, alone = tables(shared, True), tables(apart, False)
    return {
        "shapley": share(at(common["shapley"], factor="x0"), value["x0"]),
        "main": share(at(common["main_effects"], factor="x1", level="high - low"), value["x1"]),
        "interaction": share(common["interactions"], (whole - into["x0"] - into["x1"]) / 2),
        "baseline": share(at(common["against_baseline"], cell=3), whole),
        "Welch": share(at(alone["against_baseline"], cell=3), whole),
        "own luck": share(at(alone["shapley"], factor="x1"), value["x1"]),
    }


def test_intervals_cover_roughly() -> None:
    for name, share in covered(800, 12, 3).items():
        assert 0.92 <= share <= 0.98, (name, share)


@pytest.mark.slow
def test_intervals_cover() -> None:
    """About 95 of 100 intervals hold the truth, in every table, for common and for own luck."""
    for name, share in covered(20_000, 15, 11).items():
        assert 0.945 <= share <= 0.955, (name, share)


SOBOL_G = np.array([0.0, 1.0, 4.5, 9.0])


def sobol_g(x: np.ndarray) -> np.ndarray:
    """Sobol's G function of x in [-pi, pi], rescaled to [0, 1]; the larger the constant, the less a factor matters."""
    return np.prod((np.abs(4.0 * (x / (2.0 * np.pi) + 0.5) - 2.0) + SOBOL_G) / (1.0 + SOBOL_G), axis=-1)


def true_indices(name: str) -> dict[str, np.ndarray]:
    """S1 and ST in closed form (Ishigami and Homma 1990 with a = 7, b = 0.1; Saltelli and Sobol 1995)."""
    if name == "ishigami":
        one, two, both = 0.5 * (1.0 + 0.1 * np.pi**4 / 5.0) ** 2, 49.0 / 8.0, 0.01 * np.pi**8 * 8.0 / 225.0
        first, total = np.array([one, two, 0.0]), np.array([one + both, two, both])
        return {"S1": first / (one + two + both), "ST": total / (one + two + both)}
    part = 1.0 / (3.0 * (1.0 + SOBOL_G) ** 2)
    whole = np.prod(1.0 + part) - 1.0
    return {"S1": part / whole, "ST": part * np.prod(1.0 + part) / (1.0 + part) / whole}


def sobol_covered(name: str, rows: int, repetitions: int, second_order: bool, seed: int) -> dict[str, np.ndarray]:
    """How often intervals hold each true index, from independent draws (of which the bootstrap speaks)."""
    rng = np.random.default_rng(seed)
    function, truth = {"ishigami": ishigami, "G": sobol_g}[name], true_indices(name)
    count = len(truth["S1"])
    drawn = analysis.sobol._Resamples(seed)
    hits = {index: np.zeros(count) for index in truth}
    for repetition in range(repetitions):
        a, b = rng.uniform(-np.pi, np.pi, size=(2, rows, count))
        mixed = [np.where(np.arange(count) == i, b, a) for i in range(count)]
        mixed += [np.where(np.arange(count) == i, a, b) for i in range(count)] if second_order else []
        y = function(np.stack([a, *mixed, b], axis=1).reshape(-1, count))
        if repetition % 20 == 0:  # other resamples now and then: they are not what chance is about here
            drawn = analysis.sobol._Resamples(seed + 1 + repetition)
        found = analysis.sobol_intervals(y, count, second_order, drawn.of(rows))
        for index, true in truth.items():
            low, high = found[index]
            hits[index] += (low <= true) & (true <= high)
    return {index: hit / repetitions for index, hit in hits.items()}


@pytest.mark.slow
@pytest.mark.parametrize("rows", [64, 256, 1024])
@pytest.mark.parametrize("name", ["ishigami", "G"])
def test_sobol_intervals_cover(name, rows) -> None:
    """Of 100 intervals 93 to 97 hold the true index, for S1 and for ST, over all factors.

    Two thousand repetitions give the share of a single factor a standard error of half a point. At 64 rows single
    factors may fall short of 93 by as much.
    """
    for index, share in sobol_covered(name, rows, 2000, False, 9).items():
        assert 0.93 <= share.mean() <= 0.97, (index, share)
        if rows > 64:
            assert ((share >= 0.93) & (share <= 0.97)).all(), (index, share)


def test_sobol_intervals_are_of_the_estimates_of_salib() -> None:
    """The same formulas with equal weights; an inert factor has no width; what is open ends at 0 and 1."""
    from SALib.analyze import sobol

    x = np.random.default_rng(2).uniform(-np.pi, np.pi, size=(64 * 8, 3))
    y = 5.0 + ishigami(x)
    problem = {"num_vars": 3, "names": ["x0", "x1", "x2"], "bounds": [[0.0, 1.0]] * 3}
    expected = sobol.analyze(problem, y, calc_second_order=True, num_resamples=2, seed=1)
    # One resample that holds every row once leaves no room around the estimate.
    same = analysis.sobol_intervals(y, 3, True, [np.full((1, 64), 1 / 64)])
    for name in ("S1", "ST", "S2"):
        for bound in same[name]:
            np.testing.assert_allclose(bound, expected[name], rtol=1e-9)
    table = np.random.default_rng(3).random((32, 4))
    table[:, 2] = table[:, 0]
    low, high = analysis.sobol_intervals(table.ravel(), 2, False, analysis.sobol._Resamples(1).of(32))["ST"]
    assert low[1] == high[1] == 0.0
    rare = np.zeros((16, 3))
    rare[:, 0] = rare[:, 2] = np.arange(16)
    rare[:, 1] = rare[:, 0]
    rare[3, 1] += 1.0
    low, high = analysis.sobol_intervals(rare.ravel(), 1, False, analysis.sobol._Resamples(1).of(16))["ST"]
    assert high[0] == 1.0


def test_chance_is_counted() -> None:
    """Where there is no difference at all, one interval in twenty says otherwise, and the page must say so."""
    rng = np.random.default_rng(8)
    factors = (Factor("x", low=0.0, high=400.0),)
    cells = cells_of(factors, [(float(i),) for i in range(400)], 10)
    frame = pd.MultiIndex.from_product([range(400), ["a", "b"], range(10), [24]]).to_frame(
        index=False, name=["cell", "scenario", "run", "month"]
    )
    found = analyze(study("list", factors, ("a", "b")), cells, [frame.assign(burden=rng.normal(size=len(frame)))])
    row = at(found.tables["verdicts"], table="differences").iloc[0]
    assert row["intervals"] == 400
    assert row["expected_by_chance"] == pytest.approx(20.0)
    assert 8 <= row["sure"] <= 35
    regions = found.tables["regions"].set_index("verdict")["cells"]
    assert regions["cannot tell"] == 400 - row["sure"]


# Yes or no


def changes(better: float, worse: float, runs: int) -> float:
    """How often the interval of a paired change holds the truth, over every outcome that there can be."""
    from scipy.stats import multinomial

    held = 0.0
    for up, down in product(range(runs + 1), repeat=2):
        if up + down > runs:
            continue
        mean = (up - down) / runs
        deviation = math.sqrt((up + down - runs * mean**2) / (runs - 1))
        low, high = analysis.paired_change(mean, deviation, runs)
        if low <= better - worse <= high:
            held += multinomial.pmf([up, down, runs - up - down], runs, [better, worse, 1.0 - better - worse])
    return held


@pytest.mark.slow
def test_intervals_of_yes_no_outcomes_cover() -> None:
    """Paired changes in exact enumeration; single shares by the published values of Wilson and of Newcombe."""
    shares = [
        changes(better, worse, runs)
        for runs in (10, 20, 40)
        for better in (0.01, 0.05, 0.2, 0.5)
        for worse in (0.0, 0.02, 0.1, 0.3)
    ]
    assert min(shares) > 0.93
    assert 0.95 <= np.mean(shares) <= 0.99
    low, high = analysis.wilson([0.0, 15 / 148], [20, 148])
    assert low[0] == 0.0
    assert high[0] == pytest.approx(0.1611, abs=1e-4)
    # Newcombe (1998), his examples: 15 of 148, and 56 of 70 against 48 of 80.
    assert (low[1], high[1]) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert [float(one) for one in analysis.newcombe(48 / 80, 56 / 70, 80, 70)] == pytest.approx(
        (0.0524, 0.3339), abs=1e-4
    )


def test_no_event_in_twenty_runs_is_no_proof() -> None:
    factors = (Factor("x", values=(1.0, 2.0)),)
    cells = cells_of(factors, [(1.0,), (2.0,)], 20)
    rows = rows_of(cells, lambda *_: 1.0, ("a", "b"), runs=20, metrics=("alive", "burden"))
    found = analyze(study("grid", factors, ("a", "b"), metrics=("alive", "burden")), cells, [rows])
    table = at(found.tables["differences"], metric="alive")
    assert set(table["verdict"]) == {"no difference seen"}
    assert (table["ci_low"] < -0.1).all()
    assert (table["ci_high"] > 0.1).all()
    assert set(at(found.tables["differences"], metric="burden")["verdict"]) == {"no difference"}
    assert found.at("b", "alive", 24)["ci_low"].iloc[0] == pytest.approx(1 - 0.1611, abs=1e-4)
    summary = at(found.tables["precision_summary"], metric="alive").iloc[0]
    assert summary["runs_needed"] > 100
    assert summary["cells_precise"] == 0
    main = at(found.tables["main_effects"], metric="alive", response="b - a")
    assert (main["ci_low"] < main["ci_high"]).all()
    assert (main["runs_differing"] == 0).all()
    own = analyze(
        study("one_at_a_time", factors, ("a", "b"), metrics=("alive",), baseline=0, common_luck=False),
        cells,
        [rows],
        metrics=["alive"],
    )
    assert (own.tables["against_baseline"]["ci_low"] < -0.1).all()


@given(st.integers(2, 30).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.floats(0.01, 0.4))))
@settings(max_examples=100)
def test_more_runs_are_needed_where_an_interval_is_too_wide(case) -> None:
    from cej_sim.sweeps.analysis.yes_no import bounds, needed

    runs, changed, target = case
    values = np.array([1.0] * changed + [0.0] * (runs - changed))
    for difference in (True, False):
        columns = [np.array([one]) for one in (values.mean(), values.std(ddof=1))]
        low, high = bounds(*columns, np.array([runs]), [BY_NAME["alive"]], difference)
        need = needed(*columns, np.array([runs]), np.array([target]), [BY_NAME["alive"]], difference)
        assert (high - low) / 2.0 <= target or need > runs


# Copies and what does nothing


def test_copies_are_counted_once() -> None:
    """Low, high and high - low of two levels are one number; so are aliases, and cells of a factor of another."""
    factors = two_level(4)
    signs = [(*way, sum(way) % 2) for way in product((0.0, 1.0), repeat=3)]
    cells = cells_of(factors, [tuple(map(float, way)) for way in signs], 6)
    rng = np.random.default_rng(1)
    rows = rows_of(cells, lambda *_: rng.normal(), runs=6)
    found = analyze(study("fractional_factorial", factors), cells, [rows])
    counted = found.tables["verdicts"].set_index("table")["intervals"]
    assert counted["main_effects"] == 4
    assert len(found.tables["main_effects"]) == 12
    assert len(found.tables["interactions"]) == counted["interactions"] == 3
    assert found.tables["interactions"]["aliases"].tolist()[0] in ("x2*x3", "-x2*x3")
    assert found.tables["verdicts"]["expected_by_chance"].sum() == pytest.approx(7 / 20)

    factors = (Factor("x", values=(0.0, 1.0)), Factor("c:y", values=(0.0, 1.0, 2.0), scenario="c"))
    cells = cells_of(factors, product((0.0, 1.0), (0.0, 1.0, 2.0)), 6)
    noise = rng.normal(size=(2, 3, 3, 6))
    rows = rows_of(cells, lambda c, s, r, *_: noise[int(c.x), int(c["c:y"]) * (s == 2), s, r], ("a", "b", "c"), runs=6)
    found = analyze(study("grid", factors, ("a", "b", "c")), cells, [rows])
    regions = found.tables["regions"]
    assert at(regions, scenario_b="b")["cells"].sum() == 2
    assert at(regions, scenario_b="c")["cells"].sum() == 6
    assert at(regions, scenario_b="b")["share"].sum() == pytest.approx(1.0)
    assert at(found.tables["verdicts"], table="differences")["intervals"].item() == 2 + 6
    assert any("4 cells of 6 are copies for a and b" in remark for remark in found.remarks)


def test_factors_that_do_nothing_are_named() -> None:
    factors = (Factor("x", "Live", (0.0, 1.0)), Factor("y", "Dead", (0.0, 1.0)))
    cells = cells_of(factors, product((0.0, 1.0), repeat=2))
    rows = rows_of(cells, lambda c, s, r, *_: c.x * (1 + 0.1 * LUCK[r]) + LUCK[r])
    for kind in ("grid", "full_factorial"):
        found = analyze(study(kind, factors), cells, [rows])
        assert "Changed nothing in any run, whatever the outcome: Dead" in found.remarks
    cells = cells_of(factors, [(math.nan, math.nan), (1.0, math.nan), (math.nan, 1.0)])
    rows = rows_of(cells, lambda c, s, r, *_: (c.x == 1) * (1 + LUCK[r]) + LUCK[r])
    found = analyze(study("one_at_a_time", factors, baseline=0), cells, [rows])
    assert "Changed nothing in any run, whatever the outcome: Dead" in found.remarks


def test_runs_that_are_needed_are_more_than_there_were() -> None:
    """Of eleven cells two are too wide: the answer is what one of them needs, a whole number."""
    factors = (Factor("x", low=0.0, high=11.0),)
    cells = cells_of(factors, [(float(i),) for i in range(11)], 10)
    rows = rows_of(cells, lambda c, s, r, *_: (0.01 + (c.x > 8.5) * c.x * 0.1) * LUCK[r], runs=10)
    summary = analyze(study("list", factors), cells, [rows]).tables["precision_summary"].iloc[0]
    assert summary["cells_precise"] == 9
    assert summary["runs_needed_90"] > 10
    assert summary["runs_needed_90"] == int(summary["runs_needed_90"])
    assert not summary["asked"]
    assert summary["relative_half_width"] > 0.0


def test_swaps_of_plain_factors_speak_of_levels() -> None:
    factors = (Factor("x", values=(2.0, 10.0)), Factor("y", values=(0.0, 1.0)))
    cells = cells_of(factors, product((2.0, 10.0), (0.0, 1.0)))
    swaps = analyze(study("full_factorial", factors), cells, [rows_of(cells, lambda c, *_: c.x * c.y)]).tables["swaps"]
    assert set(swaps["direction"]) == {analysis.OTHERS_LOW, analysis.OTHERS_HIGH, "all"}
    assert at(swaps, factor="x", direction=analysis.OTHERS_HIGH)["effect"].item() == pytest.approx(8.0)


def test_wide_sobol_intervals_are_remarked() -> None:
    x = np.random.default_rng(1).random((16 * 4, 2))
    found = sampled("sobol", x, np.random.default_rng(2).normal(size=64))
    assert any(remark.startswith("Enough samples? 2 of 2 intervals of ST") for remark in found.remarks)


@pytest.mark.slow
@pytest.mark.parametrize("trajectories", [12, 30])
def test_intervals_of_mu_star_cover(trajectories) -> None:
    """Of 100 t intervals 93 to 97 hold mu* of Sobol's G function; a bootstrap over 12 paths does 90 times.

    Over 12 paths that holds of all factors together: sizes of effects are skewed, and the interval of the factor that
    matters least is a little short (92 times).
    """
    from SALib.sample import morris

    from cej_sim.sweeps.analysis.screening import elementary_effects

    def function(x):
        return np.prod((np.abs(4.0 * x - 2.0) + SOBOL_G) / (1.0 + SOBOL_G), axis=-1)

    problem = {"num_vars": 4, "names": list("abcd"), "bounds": [[0.0, 1.0]] * 4}
    x = morris.sample(problem, 30_000, num_levels=4, seed=1)
    sizes = np.abs(elementary_effects(x, function(x)))
    true = sizes.mean(axis=0)
    groups = sizes[: len(sizes) // trajectories * trajectories].reshape(-1, trajectories, 4)[:1000]
    half = analysis.half_width(groups.std(axis=1, ddof=1), trajectories)
    held = (np.abs(groups.mean(axis=1) - true) <= half).mean(axis=0)
    assert 0.93 <= held.mean() <= 0.97, held
    assert ((held >= (0.93 if trajectories > 12 else 0.915)) & (held <= 0.97)).all(), held
