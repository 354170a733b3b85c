"""The page of a sweep asks for nothing and escapes everything; columns have meanings; pictures show the verdicts."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
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
from cej_sim.sweeps.design import Factor, Probe

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


INFLUENCE = Probe("causal_influence", 6, "resident")
LOOP = Probe("irreversibility", 6, "", "governance.decide.votes.residents", 0.1, 0.6, 12, 3, ("burden", "trust"))


def probes_of(one: Study, cells: pd.DataFrame, runs: int = 6) -> pd.DataFrame:
    """Both probes: influence that grows with the cell, and loops of two outcomes; luck that scenarios share."""
    rng = np.random.default_rng(4)
    rows = []
    for cell, run in product(cells.loc[cells["status"] == "done", "cell"], range(runs)):
        luck = rng.normal()
        for s, name in enumerate(one.names):
            size = 0.3 + (0.2 * s + 0.1) * (cell / len(cells) - 0.4) + 0.05 * luck + 0.02 * rng.normal()
            rows += [(cell, name, run, "causal_influence", "resident", month, size * month / 60) for month in (24, 60)]
            for metric in ("burden", "trust"):
                drift = 0.02 * luck
                area = drift - (0.05 if s else 0.0) + 0.02 * rng.normal()
                rows.append((cell, name, run, "irreversibility_area", metric, -1, area))
                rows.append((cell, name, run, "irreversibility_drift", metric, -1, drift))
    return pd.DataFrame(rows, columns=["cell", "scenario", "run", "probe", "metric", "month", "value"])


# The dictionary


@pytest.mark.parametrize("name", ALL)
def test_every_column_has_a_meaning(name) -> None:
    one, cells, rows = ALL[name]()
    found = analyze(one, cells, [rows])
    analysis.summarize_probes(found, probes_of(one, cells))
    assert "probes" in found.tables
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


def listed(count: int, names=("a", "b")):
    factors = (Factor("x", "One", low=0.0, high=1.0),)
    order = np.random.default_rng(7).permutation(count)
    cells = cells_of(factors, [(place / count,) for place in order], 8)
    cells["label"] = [f"the {place}th" if place != 5 else "twin" for place in order]
    cells.loc[order == 6, "label"] = "twin"
    rows = rows_of(cells, names, 8)
    gap = rows["cell"].map(dict(enumerate(order)))
    rows["burden"] = gap * (rows["scenario"] == names[-1]) + 0.001 * rows["run"]
    return study("list", factors, names), cells, rows


def test_a_long_list_says_which_cells_are_drawn() -> None:
    """Of 100 cells 16 by rank, the lowest and the highest among them, in that order; of 12 all, in their own."""
    wording = figures.Wording("A sweep", PAIR, "Footer.")
    one, cells, rows = listed(100)
    found = analyze(one, cells, [rows], metrics=["burden", "trust"])
    (picture,) = [one for one in figures.pictures(found, wording, True) if one.name == "cells"]
    figure = picture.draw()
    shown = [text.get_text() for text in figure.findobj(Text) if text.get_gid() == "row-label"]
    ranks = np.linspace(0, 99, 16).round().astype(int)
    twins = {5: "twin", 6: "twin"}
    assert [re.sub(" [(]cell .*", "", word) for word in shown] == [twins.get(rank, f"the {rank}th") for rank in ranks]
    told = " ".join(words(figure).split())
    assert "16 of 100 cells are drawn, evenly spread by rank of their difference in" in told
    assert "all are in differences.csv" in told
    assert "all are in differences.csv" in picture.caption
    assert "16 of 100 cells are drawn" in picture.alt
    one, cells, rows = listed(12)
    (picture,) = [
        one for one in figures.pictures(analyze(one, cells, [rows], metrics=["burden"]), wording) if one.name == "cells"
    ]
    shown = [text.get_text() for text in picture.draw().findobj(Text) if text.get_gid() == "row-label"]
    assert len(set(shown)) == 12
    assert sum(word.startswith("twin (cell ") for word in shown) == 2
    assert "are drawn" not in picture.caption


def test_cells_without_a_value_are_not_among_those_drawn() -> None:
    values = [np.nan, 3.0, 1.0, np.nan, 2.0, 0.0]
    assert figures.spread_by_rank(values, 3) == [5, 4, 1]
    assert figures.spread_by_rank(values, 5) == [5, 2, 4, 1]
    assert figures.spread_by_rank(values, 6) == list(range(6))


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


@pytest.mark.parametrize(
    "name",
    ["grid", *(pytest.param(name, marks=pytest.mark.slow) for name in ("ablation", "latin_hypercube", "one scenario"))],
)
def test_pictures_and_words_of_probes(name) -> None:
    """Who is higher in each cell, with what was asked; the marks are the numbers of the table."""
    one, cells, rows = ALL[name]() if name != "one scenario" else listed(40, ("a",))
    one = dataclasses.replace(one, probes=(INFLUENCE, LOOP))
    found = analyze(one, cells, [rows], metrics=["burden", "trust"])
    analysis.summarize_probes(found, probes_of(one, cells))
    titles = dict(zip(one.names, PAIR.values(), strict=False))
    wording = figures.Wording("A sweep", titles, "Illustration, not prediction.  Footer.")
    drawn = [one for one in figures.pictures(found, wording) if one.name.startswith("probes_")]
    assert {picture.name for picture in drawn} >= {"probes_influence", "probes_irreversibility"}
    for picture in drawn:
        figure = picture.draw()
        figure.draw_without_rendering()
        box = figure.get_tightbbox()
        assert min(box.x0, box.y0) >= -0.01, picture.name
        assert max(box.x1 - 16.0, box.y1 - 9.0) <= 0.01, (picture.name, box)
    figure = drawn[0].draw()
    question = ("causal_influence", "resident", 60)
    if name == "grid":
        level, difference = figure.axes
        marks = [line.get_xdata()[0] for line in difference.lines if line.get_gid() == "mark"]
        table = figures.answers(found, "probe_differences", question)
        np.testing.assert_allclose(marks, table["difference"])
        marks = [line.get_xdata()[0] for line in level.lines if line.get_gid() == "mark"]
        assert sorted(marks) == pytest.approx(sorted(figures.answers(found, "probes", question)["mean"]))
    if name in ("latin_hypercube", "one scenario"):
        file = "probe_differences" if name == "latin_hypercube" else "probes"
        assert "16 of 40 cells are drawn, evenly spread by rank" in " ".join(words(figure).split())
        assert f"all are in {file}.csv" in " ".join(words(figure).split())
    html = page.html_page(found, about(titles), [(picture, b"") for picture in drawn])
    text = " ".join(re.sub("<[^>]+>", " ", html).split())
    assert "What the probes found" in text
    assert "Causal influence of residents : do their convictions make a difference?" in text
    assert "goes from 0.1 to 0.6 and back, in 3 values of 12 months each" in text
    if name == "grid":
        table = figures.answers(found, "probe_differences", question)["verdict"]
        numbers = [(table == word).sum() for word in ("b lower", "b higher", "cannot tell", "no difference")]
        row = f"Causal influence of residents, year 5 (month 60) {' '.join(map(str, numbers))}"
        assert row in text


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
        scenarios=scenario, probes=(),
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

    monkeypatch.setattr(page.writing, "Sweep", Fake)
    monkeypatch.setattr(figures, "FORMATS", ("png",))
    return tmp_path


@pytest.mark.slow
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

    monkeypatch.setattr(page.writing, "_draw", full)
    assert cli.status(["analyze", str(directory), "--metric", "trust"]) == 1
    assert "no space left" in capsys.readouterr().err
    assert (directory / "analysis" / "report.html").read_bytes() == before
    assert {path.name for path in directory.iterdir()} == {"analysis"}


@pytest.mark.slow
def test_a_kill_between_two_renames_is_mended_by_the_next_analysis(directory, monkeypatch, capsys) -> None:
    """Killed after each rename, by a signal that no program can catch: an old or the new page is there in the end."""
    monkeypatch.setattr(figures, "pictures", lambda *_: iter(()))
    assert cli.status(["analyze", str(directory)]) == 0
    folder = directory / "analysis"
    first = (folder / "report.html").read_bytes()
    script = (
        "import os, pathlib, sys\n"
        "from cej_sim.sweeps.page import writing\n"
        "directory, count, replace = pathlib.Path(sys.argv[1]), int(sys.argv[2]), os.replace\n"
        "def killing(*arguments):\n"
        "    global count\n"
        "    count -= 1\n"
        "    if count < 0:\n"
        "        os.kill(os.getpid(), 9)\n"
        "    replace(*arguments)\n"
        "writing.os.replace = killing\n"
        "staging = directory / f'.cej_sim-{os.getpid()}-0123456789ab'\n"
        "replace(directory / 'new', staging)\n"
        "writing._exchange(staging, directory / 'analysis')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    seen = []
    for renames in (0, 1, 2):
        shutil.copytree(folder, directory / "new")
        (directory / "new" / "report.html").write_text(f"new {renames}")
        killed = subprocess.run([sys.executable, "-c", script, str(directory), str(renames)], check=False)
        assert killed.returncode == -9
        seen.append(folder.exists())
        # What is refused afterwards still mends first.
        with monkeypatch.context() as patch:
            patch.setattr(page.writing, "_check", lambda target: (_ for _ in ()).throw(page.writing.SweepError("stop")))
            assert cli.status(["analyze", str(directory)]) == 2
        assert (folder / "report.html").read_bytes() == (first if renames < 2 else b"new 2")
        assert {path.name for path in directory.iterdir()} == {"analysis"}
    assert seen == [True, False, True]
    assert cli.status(["analyze", str(directory)]) == 0
    assert (folder / "report.html").read_bytes() == first


def test_only_our_own_leftovers_are_mended(directory, monkeypatch) -> None:
    monkeypatch.setattr(figures, "pictures", lambda *_: iter(()))
    running = directory / f".cej_sim-{os.getpid()}-0123456789ab"
    mine = directory / ".cej_sim-notes"
    for path in (running, mine):
        path.mkdir()
        (path / "a.txt").write_text("mine")
    assert cli.status(["analyze", str(directory)]) == 0
    assert {path.name for path in directory.iterdir()} == {"analysis", running.name, mine.name}


def test_shards_are_merged_first(directory, monkeypatch, capsys) -> None:
    monkeypatch.setattr(page.writing.Sweep, "shard", type("Shard", (), {"of": 2, "__str__": lambda self: "1/2"})())
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


# Words for a terminal


def terminal(found, said=None) -> str:
    from rich.console import Console

    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    for part in page.summary(found, said or about()):
        console.print(part)
    return " ".join(console.export_text().split())


@pytest.mark.parametrize("name", ALL)
def test_numbers_in_the_terminal_have_intervals(name) -> None:
    one, cells, rows = ALL[name]()
    found = analyze(one, cells, [rows], metrics=["burden", "trust"])
    text = terminal(found)
    for index in {"morris": ("mu* ",), "sobol": ("ST ", "S1 "), "ablation": ("Shapley value",)}.get(name, ()):
        assert index in text
    assert not re.search(r": [+−]?0[.]0+( |$|;)(?!points|\[)", text)
    assert "enough runs per cell" in text or "less precise than the assumed target" in text
    assert "one in twenty" in text
    if name == "one_at_a_time":
        assert "One change at a time" in text
    if name != "grid":
        assert re.search(r"\[[+−]?[0-9.]+, [+−]?[0-9.]+\]", text)
    if name == "latin_hypercube":
        assert not re.search(r"-[0-9]", text.replace("9.8.7", ""))


def test_missing_cells_are_not_counted_among_the_precise() -> None:
    one, cells, rows = grid()
    text = terminal(analyze(one, cells, [rows], metrics=["burden"]))
    assert "of the 5 computed cells" in text


def test_every_pair_and_a_list_have_a_table() -> None:
    one, cells, rows = listed(4)
    text = terminal(analyze(one, cells, [rows], metrics=["burden"]))
    assert "Cell by cell: Community-led governance minus Collective Impact" in text
    assert "the 3th: +300.0 points" in text
    factors = (Factor("x", "One", (0.0, 1.0)), Factor("y", "Two", (0.0, 1.0)))
    cells = cells_of(factors, product((0.0, 1.0), repeat=2), 8)
    one = study("grid", factors, ("a", "b", "c"))
    titles = {"a": "First", "b": "Second", "c": "Third"}
    text = terminal(analyze(one, cells, [rows_of(cells, ("a", "b", "c"), 8)], metrics=["burden"]), about(titles))
    assert "Main effects: Second minus First" in text
    assert "Main effects: Third minus First" in text


def test_parts_swapped_each_show_both_ways() -> None:
    factors = tuple(Factor(f"p{i}", f"Part {i}", (0, 1), unit="swapped") for i in (1, 2, 3))
    ways = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 1)]
    cells = cells_of(factors, ways[:4] + ways[4:7] + ways[7:], 8)
    keep = [0, 1, 2, 3, 4, 7]  # part 1 both ways, the others into A only
    cells = cells.iloc[keep].reset_index(drop=True).assign(cell=range(6))
    one = study("ablation", factors, ("a_to_b",), baseline=0)
    found = analyze(one, cells, [rows_of(cells, ("a_to_b",), 8)], metrics=["burden"])
    text = terminal(found, about({"a_to_b": "From one to other"}))
    assert "What each part contributes" in text
    assert "A with it minus A without it" in text
    assert "B with it minus B without it" in text
    html = page.html_page(found, about({"a_to_b": "From one to other"}), [])
    assert "Contributes" in html
    assert analysis.OUT_OF_B in html


def test_numbers_are_never_nothing_by_rounding() -> None:
    from cej_sim.comparison import BY_NAME
    from cej_sim.sweeps.page.words import number_words

    assert number_words(0.0000004, -0.0000001, 0.0000007, BY_NAME["burden"]).startswith("under 0.001 points")
    assert number_words(0.0000004, 0.0000001, 0.0000007, BY_NAME["burden"]) == "+0.00004 points [+0.00001, +0.00007]"
    assert number_words(0.025, 0.012, 0.038, BY_NAME["burden"]) == "+2.5 points [+1.2, +3.8]"
    assert number_words(-0.004, -0.3, 0.2, None) == "under 0.01 [−0.30, +0.20]"
    assert number_words(1.5, 1.0, 2.0, BY_NAME["resident_hours"]) == "+1.50 hours a month [+1.00, +2.00]"


def test_a_picture_of_nothing_is_not_drawn() -> None:
    factors = (Factor("x", "Live", (0.0, 1.0)), Factor("y", "Dead", (0.0, 1.0)))
    cells = cells_of(factors, product((0.0, 1.0), repeat=2), 8)
    rows = rows_of(cells, ("a", "b"), 8)
    even = rows["cell"] // 2
    for metric in METRICS[:4]:
        rows[metric] = 0.1 * even * (rows["scenario"] == "b") * (1 + 0.1 * rows["run"])
    found = analyze(study("grid", factors), cells, [rows], metrics=["burden", "trust"])
    shown = {one.name: one for one in figures.pictures(found, figures.Wording("A sweep", PAIR, "Footer."))}
    assert "interactions" not in shown
    told = " ".join(words(shown["main_effects"].draw()).split())
    assert "nothing changed in any run: Dead" in told


def test_aliases_are_one_row() -> None:
    labels = {name: name.upper() for name in "abcd"}
    row = {"factor_a": "a", "factor_b": "b", "aliases": "c*d, -e"}
    assert figures.interaction_label(row, labels) == "A × B = C × D = −(e)"


def test_ticks() -> None:
    from cej_sim.sweeps.figures.maps import brief_levels, log_ticks

    assert brief_levels(["2", "4.89898", "12"]) == ["2", "4.9", "12"]
    assert brief_levels(["0.5", "0.5001"]) == ["0.5", "0.5001"]
    for low, high in ((4.0, 9.0), (60.0, 300.0), (0.005, 0.05), (2.0, 12.0), (1.0, 1e6)):
        assert len(log_ticks(low, high)) >= 3


# Files of other people


def test_what_lies_in_the_folder_is_carried_over(directory, monkeypatch, capsys) -> None:
    monkeypatch.setattr(figures, "pictures", lambda *_: iter(()))
    assert cli.status(["analyze", str(directory)]) == 0
    folder = directory / "analysis"
    (folder / "notes.txt").write_text("mine")
    (folder / "figures" / "own").mkdir()
    (folder / "figures" / "own" / "drawn.txt").write_text("mine, too")
    assert cli.status(["analyze", str(directory), "--metric", "trust"]) == 0
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "figures" / "own" / "drawn.txt").read_text() == "mine, too"
    assert {path.name for path in directory.iterdir()} == {"analysis"}
    # Killed when the new one stood there already: the next command brings them, too.
    old = directory / ".cej_sim-99999999-0123456789ab-before"
    shutil.copytree(folder, old)
    (folder / "notes.txt").unlink()
    shutil.rmtree(folder / "figures" / "own")
    assert cli.status(["analyze", str(directory)]) == 0
    assert (folder / "notes.txt").read_text() == "mine"
    assert not old.exists()
    # A name that a new file needs is not taken from anybody.
    held = json.loads((folder / provenance.FILE).read_text())
    del held["files"]["outcomes.csv"]
    (folder / provenance.FILE).write_text(json.dumps(held))
    (folder / "outcomes.csv").write_text("mine")
    capsys.readouterr()
    assert cli.status(["analyze", str(directory)]) == 2
    assert "has the name of a new file" in capsys.readouterr().err
    assert (folder / "outcomes.csv").read_text() == "mine"


def test_probes_of_one_change_at_a_time_have_a_picture() -> None:
    one, cells, rows = one_at_a_time()
    one = dataclasses.replace(one, probes=(INFLUENCE,))
    found = analyze(one, cells, [rows], metrics=["burden"])
    analysis.summarize_probes(found, probes_of(one, cells))
    drawn = {p.name: p for p in figures.pictures(found, figures.Wording("A sweep", PAIR, "Footer."))}
    figure = drawn["probes_influence_changes_1"].draw()
    marks = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_gid() == "mark"]
    table = figures.answers(found, "probes_against_baseline", ("causal_influence", "resident", 60))
    np.testing.assert_allclose(marks, table.loc[table["scenario"] == "a", "difference"])
