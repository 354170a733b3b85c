"""Predictions: judged by paired differences, shown and written; nothing else is changed by them."""

from __future__ import annotations

import dataclasses
import hashlib
import html
import io
import json
import os
import shlex
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from rich.console import Console

import cej_sim
from cej_sim import bundle, cli
from cej_sim.comparison import BY_NAME, Labels, label_of, labeled, worded
from cej_sim.labels import read_labels
from cej_sim.predictions import COLUMNS, Prediction, judge, lines, render
from cej_sim.reading import ScenarioError

SMALL = """\
schema_version: 1
name: {name}
label: {label}
months: 24
community: {{residents: 30, institutions: 4}}
coefficients: {{reluctance: 1.5}}  # so that enough come to decide
"""
VOTES = "governance: {decide: {strategy: 0, strategy_max: 0, votes: {residents: .1, institutions: .6, backbone: .3}}}\n"
EXPECT = """\
expect:
  - {metric: structural_effort, month: 12, direction: down, against: ./old.yaml}
  - {metric: structural_effort, month: 24, direction: up, against: old.yaml}
"""
QUICK = ["--runs", "2", "--seed", "3"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own directory with a small scenario and one that predicts against it."""
    monkeypatch.chdir(tmp_path)
    Path("old.yaml").write_text(SMALL.format(name="old", label="The old way"))
    Path("new.yaml").write_text(SMALL.format(name="new", label="The new way") + VOTES + EXPECT)
    return tmp_path


def table(a: list[float], b: list[float], alive: list[float] | None = None) -> pd.DataFrame:
    """Trust of two scenarios at months 0 and 12, a run per number."""
    parts = []
    for name, values in (("x", a), ("y", b)):
        for month in (0, 12):
            parts.append(
                pd.DataFrame(
                    {
                        "scenario": name,
                        "run": range(len(values)),
                        "month": month,
                        "trust": values if month else 0.5,
                        "alive": 1.0 if alive is None or not month else alive,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def one(monthly: pd.DataFrame, direction: str = "up", scenario: str = "y", other: str | None = "x", month: int = 12):
    (row,) = judge(monthly, [Prediction(scenario, "trust", month, direction, "file.yaml", other)]).to_dict("records")
    return row


A = [0.30, 0.31, 0.29, 0.33, 0.30, 0.28]
B = [0.41, 0.40, 0.39, 0.46, 0.40, 0.40]  # higher than A by 0.11 .09 .10 .13 .10 .12


def test_a_difference_known_by_hand() -> None:
    row = one(table(A, B))
    gaps = np.array([0.11, 0.09, 0.10, 0.13, 0.10, 0.12])
    half = 2.5705818366147395 * gaps.std(ddof=1) / np.sqrt(6)  # t(5) at 97.5%, from a printed table
    assert row["a"] == pytest.approx(np.mean(A))
    assert row["b"] == pytest.approx(np.mean(B))
    assert row["difference"] == pytest.approx(gaps.mean())
    assert [row["ci_low"], row["ci_high"]] == pytest.approx([gaps.mean() - half, gaps.mean() + half])
    assert row["runs"] == 6
    assert row["verdict"] == "as expected"


def test_flipping_the_direction_or_swapping_the_scenarios() -> None:
    monthly = table(A, B)
    assert one(monthly, "down")["verdict"] == "surprise"
    swapped = one(monthly, "up", scenario="x", other="y")
    assert swapped["verdict"] == "surprise"
    assert one(monthly, "down", scenario="x", other="y")["verdict"] == "as expected"
    plain = one(monthly)
    assert swapped["difference"] == pytest.approx(-plain["difference"])
    assert [swapped["ci_low"], swapped["ci_high"]] == pytest.approx([-plain["ci_high"], -plain["ci_low"]])
    assert (swapped["a"], swapped["b"]) == (plain["b"], plain["a"])


@pytest.mark.parametrize("direction", ["up", "down"])
def test_what_cannot_be_told(direction: str) -> None:
    monthly = table(A, B)
    itself = one(monthly, direction, scenario="x", other="x")
    assert (itself["verdict"], itself["difference"], itself["runs"]) == ("cannot tell", 0.0, 6)
    assert one(table(A, A[::-1]), direction)["verdict"] == "cannot tell"
    assert one(table(A[:1], B[:1]), direction)["verdict"] == "cannot tell"
    # Every run shows the same difference: five of them are too few, as in a comparison; six are enough.
    assert one(table([0.25] * 5, [0.5] * 5), direction)["verdict"] == "cannot tell"
    assert one(table([0.25] * 6, [0.5] * 6), direction)["verdict"] != "cannot tell"


def test_runs_in_which_a_coalition_has_ended_count_where_the_metric_outlives_it() -> None:
    ended = judge(
        table(A, B, alive=[1, 1, 0, 1, 0, 1]).rename(columns={"trust": "coordination"}),
        [Prediction("y", "coordination", 12, "up", "x", "x"), Prediction("y", "alive", 12, "up", "x", "x")],
    )
    assert ended["runs"].tolist() == [4, 6]
    nobody = judge(
        table(A, B, alive=[0] * 6).rename(columns={"trust": "coordination"}),
        [Prediction("y", "coordination", 12, "up", "x", "x")],
    )
    assert nobody["verdict"].tolist() == ["cannot tell"]
    assert nobody["runs"].tolist() == [0]
    assert lines(nobody, {})[0].remark == "in no pair of runs do both coalitions still exist"


def test_no_judgment_without_the_month_or_the_other() -> None:
    late = one(table(A, B), month=13)
    assert (late["verdict"], late["runs"]) == ("not reached", 0)
    assert np.isnan(late["difference"])
    absent = one(table(A, B), other=None)
    assert (absent["verdict"], absent["against"]) == ("not compared", "file.yaml")
    private = judge(table(A, B), [Prediction("y", "trust", 12, "up", "/home/me/mine.yaml", None)])
    assert private["against"].tolist() == ["mine.yaml"]


def test_what_is_not_in_the_table() -> None:
    with pytest.raises(ValueError, match="no scenario 'z'"):
        one(table(A, B), scenario="z")
    with pytest.raises(ValueError, match="no metric 'burden'"):
        judge(table(A, B), [Prediction("y", "burden", 12, "up", "x", "x")])


def test_no_predictions_make_an_empty_table_with_all_columns() -> None:
    assert list(judge(table(A, B), []).columns) == list(COLUMNS)
    assert judge(table(A, B), []).empty


def test_words_fit_a_terminal_of_100_columns() -> None:
    found = judge(table(A, B), [Prediction("y", "trust", month, "up", "x", "x") for month in (12, 120)])
    stream = io.StringIO()
    Console(file=stream, width=100).print(render(found, {"x": "A long title " * 5, "y": "Another title " * 6}))
    shown = stream.getvalue()
    assert max(map(len, shown.splitlines())) <= 100
    assert "…" not in shown
    assert "as expected" in shown
    assert "not reached:" in shown


# In commands and in Python


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_compare_judges_what_is_in_the_command(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    assert cli.status(["compare", "old.yaml", str(here / "new.yaml"), *QUICK, "--out", "out"]) == 0
    out, err = capsys.readouterr()
    assert "Predictions" in out
    assert "add" not in err
    found = pd.read_csv("out/predictions.csv")
    assert list(found.columns) == list(COLUMNS)
    assert found["verdict"].tolist() == ["as expected", "surprise"]
    assert found["against"].tolist() == ["old", "old"]
    assert found["runs"].tolist() == [2, 2]
    compared = pd.read_csv("out/comparison.csv").set_index(["metric", "month"])
    wanted = compared.loc[("structural_effort", 24), ["a", "b", "difference"]]
    assert found.loc[1, ["a", "b", "difference"]].tolist() == wanted.tolist()
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "<h2>Predictions</h2>" in page
    assert "surprise" in page


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_compare_says_which_scenario_to_add(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["compare", "new.yaml", "new.yaml", *QUICK, "--months", "3", "--out", "out"]) == 0
    err = capsys.readouterr().err
    assert err.count("add old.yaml") == 1
    assert pd.read_csv("out/predictions.csv")["verdict"].unique().tolist() == ["not compared"]


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_run_runs_the_other_scenario_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.status(["run", "new.yaml", *QUICK, "--months", "20", "--out", "run"]) == 0
    out, err = capsys.readouterr()
    assert "The new way, 2 runs, and for its predictions The old way ..." in err
    assert "not reached" in out
    assert cli.status(["compare", "old.yaml", "new.yaml", *QUICK, "--months", "20", "--out", "both"]) == 0
    alone, both = (Path(folder, "predictions.csv").read_bytes() for folder in ("run", "both"))
    assert alone == both
    assert b"as expected" in alone
    assert set(pd.read_parquet("run/monthly.parquet")["scenario"]) == {"new"}
    said = json.loads(Path("run/provenance.json").read_text(encoding="utf-8"))
    assert [scenario["name"] for scenario in said["scenarios"]] == ["new"]
    assert [scenario["hash"] for scenario in said["against"]] == [cej_sim.load("old.yaml").hash()]


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_settings_hold_for_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    votes = ["--set", "decide.votes.residents=.2"]
    assert cli.status(["run", "new.yaml", *QUICK, "--months", "12", *votes, "--out", "run"]) == 0
    assert cli.status(["compare", "old.yaml", "new.yaml", *QUICK, "--months", "12", *votes, "--out", "both"]) == 0
    assert Path("run/predictions.csv").read_bytes() == Path("both/predictions.csv").read_bytes()


def test_a_mistake_in_the_other_scenario_is_told_before_the_runs(capsys: pytest.CaptureFixture[str]) -> None:
    Path("old.yaml").write_text(SMALL.format(name="old", label="x") + "governace: {}\n")
    assert cli.status(["run", "new.yaml", *QUICK]) == 2
    err = capsys.readouterr().err
    assert err.startswith("old.yaml:7:1: governace")
    assert not Path("results").exists()


def test_predictions_change_no_number() -> None:
    Path("silent.yaml").write_text(SMALL.format(name="new", label="Silent") + VOTES)
    old, new, silent = (cej_sim.load(f"{name}.yaml") for name in ("old", "new", "silent"))
    loud, quiet = cej_sim.simulate(new, runs=2, against=[old]), cej_sim.simulate(silent, runs=2)
    pd.testing.assert_frame_equal(loud.monthly, quiet.monthly)
    pd.testing.assert_frame_equal(loud.changes, quiet.changes)
    assert quiet.predictions.empty
    assert loud.predictions["verdict"].tolist() == ["as expected", "surprise"]
    assert cej_sim.simulate(new, runs=1, months=3).predictions["verdict"].tolist() == ["not compared"] * 2


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_a_result_without_predictions_removes_the_old_file() -> None:
    old, new = cej_sim.load("old.yaml"), cej_sim.load("new.yaml")
    assert "predictions.csv" in {path.name for path in cej_sim.compare(old, new, runs=1, months=3).save("out")}
    cej_sim.compare(old, old, runs=1, months=3).save("out")
    assert not Path("out/predictions.csv").exists()


# The bundle


def packed(path: str = "homework.zip") -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(archive.namelist())
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        return {name: archive.read(name) for name in archive.namelist()}


def family() -> list[str]:
    """Files in several folders: a child, what it extends, and a network that the parent imports."""
    Path("class/base").mkdir(parents=True)
    Path("class/ties.csv").write_text("source,target,contact\nhub,clinic,5\nhub,schools,3\n")
    Path("class/notes.txt").write_text("private")
    Path("class/base/town.yaml").write_text(
        SMALL.format(name="town", label="The town") + "network: {file: ../ties.csv, weight: contact, scale: 5}\n"
    )
    for name, more in (("mine", VOTES + EXPECT.replace("old.yaml", "other.yaml")), ("other", "")):
        Path(f"class/{name}.yaml").write_text(f"schema_version: 1\nname: {name}\nextends: base/town.yaml\n{more}")
    return ["class/other.yaml", "class/mine.yaml"]


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_a_bundle_unpacks_and_runs_to_the_same_numbers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["compare", *family(), *QUICK, "--months", "13", "--set", "mechanisms.judgment=0", "--out", "out"]
    assert cli.status([*command, "--bundle", "homework.zip"]) == 0
    assert "  homework.zip" in capsys.readouterr().out
    inside = packed()
    own = {"base/town.yaml", "mine.yaml", "other.yaml", "ties.csv"}
    assert {name for name in inside if name.startswith("scenarios/")} == {f"scenarios/{name}" for name in own}
    results = {path.name for path in Path("out").iterdir()}
    assert {name for name in inside if name.startswith("results/")} == {f"results/{name}" for name in results}
    assert set(inside) - {f"results/{name}" for name in results} - {f"scenarios/{name}" for name in own} == {
        "README.txt",
        "differences.txt",
    }
    assert "predictions.csv" in results
    assert "Votes" in inside["differences.txt"].decode().title()
    readme = inside["README.txt"].decode()
    assert "illustration, not prediction" in readme
    assert "cej_sim " in readme
    with zipfile.ZipFile("homework.zip") as archive:
        archive.extractall("unpacked")
    again = readme.splitlines()[-1].split()
    assert again[:4] == ["cej-sim", "compare", "scenarios/other.yaml", "scenarios/mine.yaml"]
    monkeypatch.chdir("unpacked")
    assert cli.status([*again[1:], "--out", "again"]) == 0
    for name in ("monthly.parquet", "changes.parquet", "comparison.csv", "predictions.csv"):
        assert Path("again", name).read_bytes() == inside[f"results/{name}"], name


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_the_same_bundle_has_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["compare", "old.yaml", "new.yaml", *QUICK, "--months", "3", "--out", "out", "--bundle", "a.zip"]
    assert cli.status(command) == 0
    first = Path("a.zip").read_bytes()
    assert cli.status(command) == 0
    assert Path("a.zip").read_bytes() == first
    assert "created" not in json.loads(packed("a.zip")["results/provenance.json"])
    assert sorted(Path().glob(".cej_sim*")) == []


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_shipped_scenarios_are_packed_to_be_read() -> None:
    words = ["--runs", "1", "--months", "2", "--bundle", "homework.zip"]
    assert cli.status(["compare", "collective_impact", "community_led", *words]) == 0
    inside = packed()
    assert inside["shipped/community_led.yaml"] == cej_sim.load("community_led").path.read_bytes()
    assert not [name for name in inside if name.startswith("scenarios/")]
    assert "compare collective_impact community_led --runs 1 --seed 0 --months 2" in inside["README.txt"].decode()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("old.yaml", "old.yaml does not end in .zip"),
        ("folder.zip", "folder.zip is a directory"),
        ("photos.zip", "photos.zip is there already and is not a bundle of cej-sim"),
        ("text.zip", "text.zip is there already and is not a bundle of cej-sim"),
        ("nowhere/a.zip", "nowhere/a.zip cannot be written: there is no folder nowhere"),
    ],
)
def test_what_a_bundle_never_overwrites(name: str, words: str, capsys: pytest.CaptureFixture[str], here: Path) -> None:
    Path("folder.zip").mkdir()
    Path("text.zip").write_text("not a zip")
    with zipfile.ZipFile("photos.zip", "w") as archive:
        archive.writestr("results/provenance.json", '{"software": "another"}')
    before = {path: path.read_bytes() for path in here.iterdir() if path.is_file()}
    assert cli.status(["compare", "old.yaml", "new.yaml", "--bundle", name]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"--bundle: {words}")
    assert len(err.splitlines()) == 1
    assert {path: path.read_bytes() for path in here.iterdir() if path.is_file()} == before


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("{here}/old.yaml", "is an absolute path, which only this computer has; write it relative to the file"),
        ("../../../old.yaml", "lies more than 2 folders up, and folders between would show; copy the file nearer"),
        ("../../old.yaml", None),
        ("../z/../../../x/old.yaml", None),
    ],
)
def test_what_lies_elsewhere_cannot_be_handed_in(
    name: str, words: str | None, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    (here / "x/y/z").mkdir(parents=True)
    Path("x/old.yaml").write_text(Path("old.yaml").read_text())
    name = name.format(here=here)
    Path("x/y/z/fixed.yaml").write_text(f"schema_version: 1\nname: fixed\nextends: {name}\n")
    assert cli.status(["compare", "old.yaml", "x/y/z/fixed.yaml", *QUICK, "--bundle", "a.zip"]) == (2 if words else 0)
    err = capsys.readouterr().err
    if words:
        assert err == f"--bundle: fixed.yaml: extends: {name} {words}\n"
        assert not Path("results").exists()
    else:
        own = ["scenarios/2/old.yaml", "scenarios/2/y/z/fixed.yaml", "scenarios/old.yaml"]
        assert [name for name in packed("a.zip") if name.startswith("scenarios/")] == own


OTHERS = {
    "network: {file: ../private/id_rsa}": "other.yaml:2:17: network.file: {here}/private/id_rsa: files ending",
    "network: {file: ../private/id_rsa.csv}": "other.yaml:2:17: network.file: {here}/private/id_rsa.csv:1: has no",
    "extends: ../private/id_rsa.yaml": "private/id_rsa.yaml:1:1: a scenario is lines 'key: value'",
    "extends: nobody": "other.yaml:2:10: extends: there is no shipped scenario of this name",
    "extends: /dev/zero": "other.yaml:2:10: extends: /dev/zero: this is not an ordinary file",
    "extends: ../pipe": "other.yaml:2:10: extends: ../pipe: this is not an ordinary file",
    "extends: ../private/": "other.yaml:2:10: extends: ../private/: this is a directory",
    "network: {file: ../pipe.csv}": "other.yaml:2:17: network.file: {here}/pipe.csv: is not a regular file",
    "network: {file: none.csv}": "other.yaml:2:17: network.file: {here}/class/none.csv: there is no such file",
    "label: [": "other.yaml:2:8: the bracket [ opened here is not closed",
}


@pytest.mark.skipif(os.name == "nt", reason="there are neither devices nor pipes in folders")
@pytest.mark.parametrize("text", OTHERS)
def test_only_what_was_read_without_a_mistake_is_packed(
    text: str, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    for folder in ("class", "private"):
        Path(folder).mkdir()
    for name in ("id_rsa", "id_rsa.yaml", "id_rsa.csv"):
        Path("private", name).write_text("SECRET\n")
    for name in ("pipe", "pipe.csv"):
        os.mkfifo(name)
    Path("class/mine.yaml").write_text(SMALL.format(name="mine", label="Mine") + EXPECT.replace("old", "./other"))
    Path("class/other.yaml").write_text(f"schema_version: 1\n{text}\n")
    assert cli.status(["check", "class/mine.yaml"]) == 0
    assert cli.status(["compare", "old.yaml", "class/mine.yaml", *QUICK, "--bundle", "a.zip"]) == 2
    lines = [line.removeprefix("--bundle: ").removeprefix("class/") for line in capsys.readouterr().err.splitlines()]
    assert any(line.startswith(OTHERS[text].format(here=here)) for line in lines), lines
    assert not Path("a.zip").exists()
    assert not Path("results").exists()


@pytest.mark.slow
def test_a_bundle_names_no_folder_of_the_computer(here: Path) -> None:
    Path("room.yaml").write_text("kinds: {residents: neighbors}\n")
    for folder in ("first", "second"):
        Path(folder).mkdir()
        Path(folder, "same name; echo.yaml").write_text(SMALL.format(name=folder, label=folder))
    names = [f"{here}/{folder}/same name; echo.yaml" for folder in ("first", "second")]
    more = ["--out", f"{here}/out", "--labels", f"{here}/room.yaml", "--bundle", f"{here}/a.zip"]
    assert cli.status(["compare", *names, *QUICK, "--months", "3", *more]) == 0
    inside = packed("a.zip")
    assert [name for name in inside if str(here).encode() in inside[name] or str(here) in name] == []
    own = ["scenarios/2/same name; echo.yaml", "scenarios/same name; echo.yaml"]
    assert [name for name in inside if name.startswith("scenarios/")] == own
    said = json.loads(inside["results/provenance.json"])
    again = inside["README.txt"].decode().splitlines()[-1].strip()
    assert said["command"] == again
    assert html.escape(again) in inside["results/report.html"].decode()
    assert shlex.split(again)[:4] == ["cej-sim", "compare", own[1], own[0]]
    for name, digest in said["files"].items():
        assert hashlib.sha256(inside[f"results/{name}"]).hexdigest() == digest
    assert str(here) in json.loads(Path("out/provenance.json").read_text())["command"]


def test_files_that_need_each_other_keep_their_places() -> None:
    for path in ("a/mine.yaml", "a/base.yaml", "b/mine.yaml"):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text("schema_version: 1\n" + ("extends: base.yaml\n" if path == "a/mine.yaml" else ""))
    gathered = bundle.gather([Path("b/mine.yaml"), Path("a/mine.yaml")])
    assert {str(path.relative_to(Path.cwd())): name for path, name in bundle.places(gathered).items()} == {
        "a/mine.yaml": "scenarios/mine.yaml",
        "a/base.yaml": "scenarios/base.yaml",
        "b/mine.yaml": "scenarios/2/mine.yaml",
    }


def test_a_damaged_archive_is_no_bundle(here: Path) -> None:
    with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("results/provenance.json", json.dumps({"software": "cej_sim", "x": "ab" * 500}))
    assert bundle.is_bundle(Path("a.zip"))
    whole = Path("a.zip").read_bytes()
    for place in range(0, len(whole), 3):
        Path("a.zip").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        assert bundle.is_bundle(Path("a.zip")) in (True, False)
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.writestr("results/provenance.json", "[" * 100_000)
    assert not bundle.is_bundle(Path("a.zip"))


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_results_are_told_even_if_the_bundle_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    assert cli.status(["compare", "old.yaml", "new.yaml", *QUICK, "--out", "out", "--bundle", "a.zip"]) == 1
    out, err = capsys.readouterr()
    assert "What the scenarios set" in out
    assert "  out/report.html" in out
    assert err.splitlines()[-1] == "The bundle was not made: a.zip cannot be written: no space left on device"
    assert sorted(Path().glob(".cej_sim*")) == []


# Labels

ROOM = """\
metrics: {agenda_origin: Our ideas, structural_effort: <Ballots> & such}
scenarios: {new: Together, old: "Apart"}
kinds: {residents: neighbors}
"""


@pytest.mark.slow
def test_labels_are_shown_and_change_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    Path("room.yaml").write_text(ROOM)
    command = ["compare", "old.yaml", "new.yaml", *QUICK, "--months", "12", "--out"]
    assert cli.status([*command, "plain"]) == 0
    plain = capsys.readouterr().out
    assert cli.status([*command, "room", "--labels", "room.yaml"]) == 0
    shown = capsys.readouterr().out
    page = Path("room/report.html").read_text(encoding="utf-8")
    for word in ("Our ideas", "Together", "Apart", "Neighbors' trust in"):  # the rest may stand in a second line
        assert word in shown, word
        assert word.replace("'", "&#x27;") in page, word
        assert word not in plain
    for word in ("Agenda that began", "The new way", "Residents'"):
        assert word in plain, word
        assert word not in shown, word
    assert "Neighbors&#x27; trust in the coalition" in page
    assert "&lt;Ballots&gt; &amp; such" in page
    assert "<Ballots>" not in page
    for name in ("monthly.parquet", "changes.parquet", "comparison.csv", "predictions.csv"):
        assert Path("plain", name).read_bytes() == Path("room", name).read_bytes(), name
    assert Path("plain/comparison.png").read_bytes() != Path("room/comparison.png").read_bytes()


@pytest.mark.slow
def test_labels_in_a_run_and_its_picture(capsys: pytest.CaptureFixture[str]) -> None:
    Path("room.yaml").write_text(ROOM)
    assert cli.status(["run", "new.yaml", *QUICK, "--months", "12", "--labels", "room.yaml"]) == 0
    shown, progress = capsys.readouterr()
    assert progress.startswith("Together, 2 runs, and for its predictions Apart ...")
    assert "Together: “<Ballots> & such” is lower" in shown
    assert "Apart" in shown
    result = cej_sim.simulate(cej_sim.load("new.yaml"), runs=1, months=12)
    named = dataclasses.replace(result, labels=read_labels("room.yaml", ["old", "new"]))
    texts = [text.get_text().replace("\n", " ") for text in named.plot().findobj(Text)]
    assert any("Our ideas" in text for text in texts)
    assert any("Together" in text for text in texts)
    neighbors = dataclasses.replace(result, labels=Labels(kinds={"residents": "neighbors"}))
    texts = [text.get_text() for text in neighbors.plot().findobj(Text)]
    assert "THE NEIGHBORS' STAIRCASE" in texts
    assert not any("RESIDENTS" in text for text in texts)
    assert label_of(BY_NAME["agenda_origin"]) != "Our ideas"


def test_words_for_kinds_keep_their_capitals_and_touch_whole_words_only() -> None:
    with labeled(Labels(kinds={"residents": "neighbors", "resident": "neighbor"})):
        assert worded("Residents' say, residents, resident-led, nonresidents") == (
            "Neighbors' say, neighbors, neighbor-led, nonresidents"
        )
    assert worded("Residents") == "Residents"


def test_mistakes_in_a_labels_file_are_named_all_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("room.yaml").write_text(
        "metrics:\n"
        "  agenda_orign: Ours\n"
        f"  burden: {'long ' * 13}\n"
        "  trust: [a, b]\n"
        "scenarios: {neu: Together}\n"
        "kind: {}\n"
        "kinds: {residents: a, residents: b}\n"
    )
    assert cli.status(["compare", "old.yaml", "new.yaml", *QUICK, "--labels", "room.yaml"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    begins = [
        "room.yaml:2:3: metrics.agenda_orign: there is no such metric; did you mean agenda_origin?",
        "room.yaml:3:11: metrics.burden: the text has 64 characters; write at most 60",
        "room.yaml:4:10: metrics.trust: a list stands where a text belongs",
        "room.yaml:5:13: scenarios.neu: there is no such scenario, neither shipped nor in this command; did you mean",
        "room.yaml:6:1: kind: there is no such section in a labels file; did you mean kinds?",
        "room.yaml:7:23: kinds.residents: this key stands here twice",
    ]
    for line, begin in zip(err.splitlines(), begins, strict=True):
        assert line.startswith(begin)
    assert not Path("results").exists()


def test_mistakes_in_labels_are_named_with_all_others(capsys: pytest.CaptureFixture[str]) -> None:
    Path("room.yaml").write_text("metrics: {x: y}\nscenarios: {bad: Bad}\n")
    Path("bad.yaml").write_text("schema_version: 1\nmonths: 0\n")
    assert cli.status(["compare", "old.yaml", "bad.yaml", "--runs", "0", "--labels", "room.yaml"]) == 2
    begins = ["bad.yaml:2:9: months", "--runs: 0", "room.yaml:1:11: metrics.x: there is no such metric"]
    lines = capsys.readouterr().err.splitlines()
    assert [line[: len(begin)] for line, begin in zip(lines, begins, strict=True)] == begins


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "room.yaml: there is no such file"),
        ("", "room.yaml:1:1: the file is empty; begin with the line metrics:"),
        ("- a", "room.yaml:1:1: a labels file is lines 'key: value'"),
        ("metrics: [burden]", "room.yaml:1:10: metrics: lines belong here, one for each metric"),
        ("metrics: {burden: 'a", "room.yaml:1:19: the quote that opens here is not closed"),
    ],
)
def test_a_labels_file_that_is_none(text: str | None, words: str) -> None:
    if text is not None:
        Path("room.yaml").write_text(text)
    with pytest.raises(ScenarioError) as caught:
        read_labels("room.yaml")
    assert str(caught.value).startswith(words)


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_a_bundle_brings_the_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("room.yaml").write_text(ROOM)
    words = [*QUICK, "--months", "2", "--labels", "room.yaml", "--bundle", "a.zip"]
    assert cli.status(["compare", "old.yaml", "new.yaml", *words]) == 0
    inside = packed("a.zip")
    assert inside["labels.yaml"].decode() == ROOM
    assert inside["README.txt"].decode().splitlines()[-1].endswith("--labels labels.yaml")
