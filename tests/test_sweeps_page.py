"""The page of a sweep asks for nothing and escapes everything; columns have meanings; pictures show the verdicts."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from cej_sim import cli, provenance
from cej_sim.sweeps import analysis, figures, page
from cej_sim.sweeps.analysis import Study, analyze
from cej_sim.sweeps.design import Factor

NASTY = "<script>alert('x')</script> & \"$\\frac{\""
METRICS = ("burden", "agenda_origin", "trust", "policy_wins", "alive")
PAIR = {"a": "Collective Impact", "b": "Community-led governance"}


def study(kind: str, factors, names=("a", "b"), **more) -> Study:
    return Study(kind, tuple(names), tuple(factors), (24, 60), METRICS, **more)


def cells_of(factors, values, runs: int) -> pd.DataFrame:
    table = pd.DataFrame(list(values), columns=[factor.name for factor in factors])
    table.insert(0, "cell", np.arange(len(table)))
    table.insert(1, "label", [f"cell {i}" for i in range(len(table))])
    return table.assign(status="done", runs=runs, seconds=0.1, error=None, seed="1")


def rows_of(cells: pd.DataFrame, names, runs: int, seed: int = 0) -> pd.DataFrame:
    """Luck, and scenarios that differ the more, the later the cell."""
    rng = np.random.default_rng(seed)
    keys = pd.MultiIndex.from_product([cells.loc[cells["status"] == "done", "cell"], names, range(runs), (24, 60)])
    frame = keys.to_frame(index=False, name=["cell", "scenario", "run", "month"])
    gap = (frame["scenario"] == names[-1]) * (frame["cell"] / len(cells) - 0.5)
    for metric in METRICS:
        frame[metric] = 0.5 + 0.2 * gap + 0.05 * rng.normal(size=len(frame))
    return frame.assign(alive=1.0)


def grid(broken: bool = True, **more):
    factors = (
        Factor("community.residents", "Residents", (20, 60, 120), unit="people"),
        Factor("governance.decide.rule", "Rule", ("backbone", "vote"), unit="choice"),
    )
    cells = cells_of(factors, product((20.0, 60.0, 120.0), ("backbone", "vote")), 8)
    if broken:
        cells.loc[4, ["status", "error"]] = ["failed", NASTY]
    return study("grid", factors, **more), cells, rows_of(cells, ("a", "b"), 8)


def ablation():
    factors = tuple(Factor(f"principle_{i}", f"Principle {i}", (0, 1), unit="swapped") for i in (1, 2, 3))
    cells = cells_of(factors, product((0.0, 1.0), repeat=3), 8)
    return study("ablation", factors, ("a_to_b",), baseline=0), cells, rows_of(cells, ("a_to_b",), 8)


def sampled(kind: str, **more):
    factors = (
        Factor("x", "One", low=0.0, high=1.0),
        Factor("y", "Two", low=1.0, high=100.0, log=True),
        Factor("z", "One", low=0.0, high=1.0),
    )
    rng = np.random.default_rng(2)
    size = {"latin_hypercube": 40, "morris": 40, "sobol": 64}[kind]
    points = rng.random((size, 3))
    if kind == "morris":
        start = rng.choice([0.0, 1 / 3], size=(10, 3))
        steps = np.tril(np.ones((4, 3)), -1) * 2 / 3
        points = (start[:, None] + steps).reshape(-1, 3)
    cells = cells_of(factors, np.column_stack([points[:, 0], 100.0 ** points[:, 1], points[:, 2]]), 4)
    more = {"second_order": kind == "sobol", "points": points if kind == "morris" else None, **more}
    return study(kind, factors, **more), cells, rows_of(cells, ("a", "b"), 4)


def one_at_a_time():
    factors = (Factor("x", "One", (0.0, 1.0)), Factor("y", "Two", (False, True)))
    values = [(np.nan, np.nan), (0.0, np.nan), (1.0, np.nan), (np.nan, 0.0), (np.nan, 1.0)]
    cells = cells_of(factors, values, 8)
    return study("one_at_a_time", factors, baseline=0), cells, rows_of(cells, ("a", "b"), 8)


ALL = {
    "grid": grid,
    "whole grid": lambda: grid(False),
    "ablation": ablation,
    "latin_hypercube": lambda: sampled("latin_hypercube"),
    "morris": lambda: sampled("morris"),
    "sobol": lambda: sampled("sobol"),
    "one_at_a_time": one_at_a_time,
}


def about(titles=PAIR, **more) -> page.About:
    said = {"title": "A sweep", "description": "What for.", "kind": "grid", "titles": titles, "runs": 8, "auto": False}
    return page.About(**{**said, "seed": 3, "version": "9.8.7", "content_hash": "ab" * 32, **more})


class Outward(HTMLParser):
    """What a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "srcset", "action", "data") and not str(value).startswith("data:image/png"):
                self.found.append(f"{tag} {name}={value}")
            if name.startswith("on"):
                self.found.append(f"{tag} {name}")


def words(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


# The dictionary


@pytest.mark.parametrize("name", ALL)
def test_every_column_has_a_meaning(name) -> None:
    one, cells, rows = ALL[name]()
    found = analyze(one, cells, [rows])
    analysis.summarize_probes(
        found,
        pd.DataFrame(
            {"cell": [0, 0], "scenario": "a", "run": [0, 1], "probe": "causal_influence", "metric": "resident"}
        ).assign(month=-1, value=[0.1, 0.3]),
    )
    table = analysis.data_dictionary(one, found.columns)
    listed = set(zip(table["file"], table["column"], strict=True))
    for key, frame in [*found.tables.items(), ("data_dictionary", table)]:
        for ending in ("csv", "parquet"):
            assert {(f"{key}.{ending}", str(column)) for column in frame.columns} <= listed
    assert (table["meaning"] != "").all()
    assert not table.duplicated(["file", "column"]).any()


# Pictures


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_pictures_stay_within_themselves(name) -> None:
    one, cells, rows = ALL[name]()
    found = analyze(one, cells, [rows], metrics=["burden", "agenda_origin", "policy_wins"])
    titles = PAIR if len(one.names) == 2 else {"a_to_b": "From Collective Impact to Community-led governance"}
    wording = figures.Wording("A sweep", titles, "Illustration, not prediction.  Footer.")
    names = set()
    for picture in figures.pictures(found, wording):
        names.add(picture.name)
        assert picture.table in found.columns
        assert picture.alt
        figure = picture.draw()
        figure.draw_without_rendering()
        assert "Illustration, not prediction. Footer." in words(figure)
        box = figure.get_tightbbox()
        assert min(box.x0, box.y0) >= -0.01, picture.name
        assert max(box.x1 - 16.0, box.y1 - 9.0) <= 0.01, (picture.name, box)
    expected = {
        "grid": {"verdicts", "map", "precision"},
        "whole grid": {"verdicts", "map", "main_effects", "interactions", "precision"},
        "ablation": {"shapley", "swaps", "main_effects", "interactions", "precision"},
        "latin_hypercube": {"verdicts", "cells", "correlations", "precision"},
        "morris": {"verdicts", "cells", "morris", "precision"},
        "sobol": {"verdicts", "cells", "sobol", "precision"},
        "one_at_a_time": {"verdicts", "against_baseline", "precision"},
    }
    assert names == expected[name]


def test_a_map_shows_the_verdict_of_each_cell() -> None:
    one, cells, rows = grid()
    found = analyze(one, cells, [rows])
    wording = figures.Wording("A sweep", PAIR, "Footer.")
    (picture,) = [one for one in figures.pictures(found, wording) if one.name == "map"]
    figure = picture.draw()
    for axes in figure.axes:
        metric = axes.get_label().split(":")[1]
        expected = sorted(found.at("b - a", metric, 60)["verdict"])
        drawn = [str(patch.get_gid()).removeprefix("cell:") for patch in axes.patches]
        assert sorted(drawn) == expected
        for patch, verdict in zip(axes.patches, drawn, strict=True):
            assert (patch.get_hatch() == "////") == (verdict == "cannot tell")
    assert "not computed" in words(figure)


def test_marks_of_few_equal_runs_are_not_sure() -> None:
    assert not figures.Mark(0, 1.0, 1.0, 1.0, True, 5).sure
    assert figures.Mark(0, 1.0, 1.0, 1.0, True, 6).sure
    assert not figures.Mark(0, 1.0, -0.1, 2.1, True, 99).sure


def test_factors_with_the_same_label_are_told_apart() -> None:
    one, cells, rows = sampled("latin_hypercube")
    found = analyze(one, cells, [rows])
    assert set(figures.marks_of(found, "correlations", "b - a", "burden", 60)) == {"One (x)", "Two", "One (z)"}


@pytest.mark.slow
def test_files_of_pictures_are_the_same_each_time() -> None:
    one, cells, rows = grid()
    found = analyze(one, cells, [rows])
    picture = next(iter(figures.pictures(found, figures.Wording("A sweep", PAIR, "Footer."))))
    for kind in figures.FORMATS:
        data = figures.save(picture.draw(), kind, "the note")
        assert data == figures.save(picture.draw(), kind, "the note")
    assert b"the note" in figures.save(picture.draw(), "svg", "the note")


# The page


def test_the_page_asks_for_nothing_and_escapes_everything() -> None:
    one, cells, rows = grid()
    factors = tuple(Factor(f.name, NASTY, f.values, unit=NASTY) for f in one.factors)
    one = study("grid", factors)
    found = analyze(one, cells.assign(label=NASTY), [rows])
    found.remarks.append(NASTY)
    titles = {"a": NASTY, "b": f"{NASTY} two"}
    said = about(titles, title=NASTY, description=NASTY, command=NASTY)
    wording = figures.Wording(NASTY, titles, "Footer.")
    shown = [(one, figures.save(one.draw(), "png", NASTY)) for one in figures.pictures(found, wording)]
    html = page.html_page(found, said, shown)
    seen = Outward()
    seen.feed(html)
    assert seen.found == []
    assert "script" not in seen.tags
    assert "default-src 'none'" in html
    assert NASTY not in html
    assert "&lt;script&gt;alert(" in html


def test_the_page_says_what_may_be_chance_and_what_is_missing() -> None:
    one, cells, rows = grid()
    found = analyze(one, cells, [rows])
    html = page.html_page(found, about(), [])
    total = int(found.tables["verdicts"]["intervals"].sum())
    assert f"{total:,} intervals were computed" in html
    assert "1 cell of 6 failed: 4" in html
    assert "1 of 6 cells have no numbers" in html
    assert "Illustration, not prediction." in html
    assert "6 cells, 8 paired runs in each, seed 3, cej_sim 9.8.7" in html
    from rich.console import Console

    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for part in page.summary(found, about()):
        console.print(part)
    text = " ".join(console.export_text().split())
    assert "1 cell of 6 failed: 4" in text
    assert f"{total:,} intervals were computed" in text
    assert "Illustration, not prediction" in text


# The command


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """A directory that says it is a sweep, and what stands in for reading it."""
    one, cells, rows = grid()
    scenario = [SimpleNamespace(name=name, title=title) for name, title in PAIR.items()]
    design = SimpleNamespace(
        kind="grid", title="A sweep", description="", names=("a", "b"), factors=one.factors, keep_months=(24, 60),
        keep_metrics=METRICS, baseline=None, luck="common", second_order=False, levels=4, auto=None, seed=3, runs=8,
        scenarios=scenario,
    )  # fmt: skip

    class Fake:
        shard = SimpleNamespace(of=1)
        content_hash = "ab" * 32

        def __init__(self, directory) -> None:
            self.directory, self.design, self.cells = Path(directory), design, cells
            self.plan = type("Plan", (), {"points": None, "__len__": lambda self: 6})()

        def batches(self, metrics, months):
            wanted = rows[rows["month"].isin(months)][["cell", "scenario", "run", "month", *metrics]]
            return iter([wanted.iloc[:50], wanted.iloc[50:]])

        def probes(self):
            return pd.DataFrame()

        def check_content(self) -> None:
            pass

    monkeypatch.setattr(page, "Sweep", Fake)
    monkeypatch.setattr(figures, "FORMATS", ("png",))
    return tmp_path


def test_the_folder_holds_everything(directory, capsys) -> None:
    assert cli.status(["analyze", str(directory)]) == 0
    told = capsys.readouterr()
    assert "Note: 1 cell of 6 failed" in told.out
    folder = directory / "analysis"
    listed = pd.read_csv(folder / "data_dictionary.csv")
    for path in folder.iterdir():
        if path.suffix in (".csv", ".parquet"):
            frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
            assert set(frame.columns) <= set(listed.loc[listed["file"] == path.name, "column"]), path.name
    for name in ("differences", "outcomes", "regions"):
        one, other = pd.read_csv(folder / f"{name}.csv"), pd.read_parquet(folder / f"{name}.parquet")
        pd.testing.assert_frame_equal(one, other, check_dtype=False, check_exact=True)
    said = json.loads((folder / provenance.FILE).read_text())
    assert said["note"] == provenance.NOTE
    assert "report.html" in said["files"]
    assert said["months"] == [24, 60]
    assert {path.name for path in directory.iterdir()} == {"analysis"}
    assert {path.stem for path in (folder / "figures").iterdir()} == {"verdicts", "map", "precision"}

    # Again, with other outcomes: only its own folder changes, and as a whole.
    (directory / "mine.txt").write_text("mine")
    assert cli.status(["analyze", str(directory), "--metric", "trust", "--metric", "policy_wins", "--month", "24"]) == 0
    again = pd.read_csv(folder / "differences.csv")
    assert set(again["metric"]) == {"trust", "policy_wins"}
    assert set(again["month"]) == {24}
    assert (directory / "mine.txt").read_text() == "mine"


def test_mistakes_are_named(directory, capsys) -> None:
    for arguments, message in (
        (["--metric", "luck"], "there is no metric 'luck'"),
        (["--metric", "burdn"], "there is no metric 'burdn'"),
        (["--month", "7"], "did not keep month 7; it kept: 24, 60"),
        (["--month", "x"], "--month: x is not a month"),
    ):
        assert cli.status(["analyze", str(directory), *arguments]) == 2
        assert message in capsys.readouterr().err
        assert not (directory / "analysis").exists()


def test_what_is_not_ours_is_not_overwritten(directory, capsys) -> None:
    (directory / "analysis").mkdir()
    (directory / "analysis" / "thesis.txt").write_text("mine")
    assert cli.status(["analyze", str(directory)]) == 2
    assert "is not an analysis of cej-sim" in capsys.readouterr().err
    assert (directory / "analysis" / "thesis.txt").read_text() == "mine"


def test_what_fails_leaves_the_analysis_before_it(directory, monkeypatch, capsys) -> None:
    monkeypatch.setattr(figures, "pictures", lambda *_: iter(()))
    assert cli.status(["analyze", str(directory)]) == 0
    before = (directory / "analysis" / "report.html").read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page, "_draw", full)
    assert cli.status(["analyze", str(directory), "--metric", "trust"]) == 1
    assert "no space left" in capsys.readouterr().err
    assert (directory / "analysis" / "report.html").read_bytes() == before
    assert {path.name for path in directory.iterdir()} == {"analysis"}


def test_shards_are_merged_first(directory, monkeypatch, capsys) -> None:
    monkeypatch.setattr(page.Sweep, "shard", type("Shard", (), {"of": 2, "__str__": lambda self: "1/2"})())
    assert cli.status(["analyze", str(directory)]) == 2
    assert re.search("shard 1/2 only.*merge", capsys.readouterr().err)


def test_nothing_there(tmp_path, capsys) -> None:
    assert cli.status(["analyze", str(tmp_path)]) == 2
    assert "holds no sweep" in capsys.readouterr().err


@pytest.mark.slow
def test_a_real_sweep(tmp_path, capsys) -> None:
    (tmp_path / "design.yaml").write_text(
        "schema_version: 1\nlabel: Two rules\nscenarios: [collective_impact, community_led]\ndesign: grid\n"
        "factors:\n  - {path: community.residents, values: [40, 60]}\n"
        "  - {path: funder.tolerance, values: [0.1, 0.9]}\n"
        "runs: 6\nmonths: 24\nseed: 2\n"
    )
    where = str(tmp_path / "out")
    assert cli.status(["sweep", str(tmp_path / "design.yaml"), "--out", where]) == 0
    capsys.readouterr()
    assert cli.status(["analyze", where]) == 0
    assert "intervals were computed" in capsys.readouterr().out
    table = pd.read_parquet(tmp_path / "out" / "analysis" / "differences.parquet")
    assert table["cell"].nunique() == 4
    assert not list((tmp_path / "out").glob(".cej_sim-*-*"))
