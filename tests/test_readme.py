"""What the README shows is true: commands and examples run, tables agree with the code, links lead somewhere."""

from __future__ import annotations

import io
import re
import shlex
import shutil
import tomllib
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import networkx as nx
import numpy as np
import pandas as pd
import pytest

import cej_sim
from cej_sim import cli, month
from cej_sim.comparison import COLUMNS
from cej_sim.metrics import NAMES
from cej_sim.network_files import read_network
from cej_sim.predictions import COLUMNS as PREDICTION_COLUMNS
from cej_sim.provenance import RESULT_FILES
from cej_sim.scales import ITEM_CODES

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


class Block(NamedTuple):
    """A fenced block: its language, the file it is to be saved as, the comment line before it, its text."""

    language: str
    file: str
    marker: str
    text: str


def blocks_of(text: str) -> list[Block]:
    pattern = re.compile(r"(?:^<!-- ([^\n]*) -->\n)?^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    found = [Block(language, file, marker, body) for marker, language, file, body in pattern.findall(text)]
    assert len(re.findall(r"^```", text, re.MULTILINE)) == 2 * len(found), "a block is not closed, or has no language"
    return found


BLOCKS = blocks_of(TEXT)
COMMANDS = {block.marker.removeprefix("command: "): block.text.strip() for block in BLOCKS if block.marker}
SHELL = [block.text for block in BLOCKS if block.language == "sh" and not block.marker]
PYTHON = [position for position, block in enumerate(BLOCKS) if block.language == "python"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A folder with the shipped scenarios and every file that the README has the reader save."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "scenarios", folder / "scenarios")
    shutil.copytree(ROOT / "experiments" / "quick", folder / "experiments" / "quick")
    for block in BLOCKS:
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
    return folder


def act(line: str) -> None:
    """Do one line of a shell block in the current directory."""
    words = shlex.split(line, comments=True)
    if words[0] == "cp":
        shutil.copy(*words[1:])
    else:
        assert words[0] == "cej-sim", f"the test does not know how to do {line!r}"
        assert cli.status(words[1:]) == 0, line


def test_the_two_commands_install_and_act():
    assert set(COMMANDS) == {"run", "test"}
    assert COMMANDS["run"].endswith(" && pip install . && cej-sim compare")
    assert COMMANDS["test"].endswith(' && pip install ".[test]" && python -m pytest')
    for command in COMMANDS.values():
        assert command.startswith("python3 -m venv .venv && . .venv/bin/activate && ")
        assert "\n" not in command


#: Blocks of several commands that compute, which take long.
LONG = [text.count("cej-sim run") + text.count("cej-sim compare") + text.count("cej-sim sweep") > 1 for text in SHELL]


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.parametrize(
    "position", [pytest.param(i, marks=pytest.mark.slow) if long else i for i, long in enumerate(LONG)]
)
def test_commands(position, desk, monkeypatch, capsys):
    monkeypatch.chdir(desk)
    for line in SHELL[position].splitlines():
        act(line)
    shown = capsys.readouterr().out
    for path in re.findall(r"^  (results\S*)$", shown, re.MULTILINE):
        assert Path(path).exists()
    begins = ("cej-sim run", "cej-sim compare", "cej-sim sweep")
    computes = any(line.startswith(begins) for line in SHELL[position].splitlines())
    assert ("Written:" in shown) == computes


def test_there_is_something_to_do():
    assert len(SHELL) >= 4
    assert len(PYTHON) >= 3
    assert {block.file for block in BLOCKS} >= {"few_votes.yaml", "edges.csv", "nodes.csv", "ours.yaml"}


@pytest.mark.slow
@pytest.mark.parametrize("position", PYTHON)
def test_python(position, desk, monkeypatch):
    """Every Python block runs on its own, if need be with a sweep; a text block behind it is what it prints."""
    monkeypatch.chdir(desk)
    if "'results/quick/" in BLOCKS[position].text:
        cej_sim.sweep("experiments/quick/design.yaml", out="results/quick")
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(BLOCKS[position].text, f"README.md, block {position}", "exec"), {"__name__": "readme"})
    after = BLOCKS[position + 1] if position + 1 < len(BLOCKS) else None
    assert printed.getvalue() == (after.text if after is not None and after.language == "text" else "")


def test_the_imported_network(desk):
    """The example in CSV holds what it says, and reads the same as GraphML with the two changes that the text names."""
    scenario = cej_sim.load(desk / "ours.yaml")
    found = read_network(scenario.network_file)
    assert found.counts == {"resident": 0, "institution": 3, "backbone": 1, "organizer": 0, "ties": 4}
    nodes, edges = pd.read_csv(desk / "nodes.csv"), pd.read_csv(desk / "edges.csv")
    graph = nx.Graph()
    graph.add_nodes_from((row.id, {"name": row.name_, "role": row.role}) for row in
                         nodes.rename(columns={"name": "name_"}).itertuples())  # fmt: skip
    graph.add_edges_from((row.source, row.target, {"contact": row.contact}) for row in edges.itertuples())
    nx.write_graphml(graph, desk / "ours.graphml")
    text = (desk / "ours.yaml").read_text(encoding="utf-8")
    changed = re.sub(r"edges\.csv +# .*", "ours.graphml", text).replace("  nodes: nodes.csv\n", "")
    assert changed.count("csv") == 0
    (desk / "graphml.yaml").write_text(changed, encoding="utf-8")
    fair = text.replace("community_led", "collective_impact").replace("name: ours", "name: ours_ci")
    (desk / "fair.yaml").write_text(fair, encoding="utf-8")
    graphml, opposite = cej_sim.load(desk / "graphml.yaml"), cej_sim.load(desk / "fair.yaml")
    assert replace(graphml.network_file, path=Path("x"), nodes=None) == replace(
        scenario.network_file, path=Path("x"), nodes=None
    )
    same = [cej_sim.simulate(one, runs=1, seed=3, months=6).monthly for one in (scenario, graphml)]
    np.testing.assert_array_equal(*(frame[list(NAMES)].to_numpy() for frame in same))
    both = cej_sim.compare(opposite, scenario, runs=2, seed=3, months=6)
    assert set(both.monthly["scenario"]) == {"ours", "ours_ci"}


def rows_of(heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, without its head."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_table_of_phases_is_the_codes_own():
    shown = [
        (number, re.sub(r"\[(\w+)\].*", r"\1", link), asked)
        for number, link, asked in rows_of("The idea on one screen")
    ]
    assert shown == [
        (str(number), name, asked)
        for number, (name, (_, asked)) in enumerate(zip(month.PHASE_NAMES, month.PHASES, strict=True), start=1)
    ]
    for name in month.PHASE_NAMES:
        assert f"[{name}](cej_sim/phases/{name}.py)" in TEXT


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_files_and_columns_are_those_that_are_written(tmp_path, desk):
    both = cej_sim.compare(cej_sim.load("community_led"), cej_sim.load(desk / "my_guess.yaml"), runs=2, months=3)
    both.with_survey(2).save(tmp_path)
    written = {path.name for path in tmp_path.iterdir()}
    told = {row[0].strip("`"): re.findall(r"`(\w+)`", row[1]) for row in rows_of("Where results go")}
    assert set(told) == written
    assert set(RESULT_FILES) - written == {"run.png"}
    assert "`run.png`" in TEXT
    assert told["comparison.csv"] == list(COLUMNS) == list(pd.read_csv(tmp_path / "comparison.csv").columns)
    assert told["predictions.csv"] == list(PREDICTION_COLUMNS)
    assert told["predictions.csv"] == list(pd.read_csv(tmp_path / "predictions.csv").columns)
    for name in ("changes.csv", "spectra.csv"):
        assert told[name] == list(pd.read_csv(tmp_path / name).columns)
    assert [*told["survey.csv"], *ITEM_CODES] == list(pd.read_csv(tmp_path / "survey.csv").columns)
    assert told["changes.parquet"] == list(pd.read_parquet(tmp_path / "changes.parquet").columns)
    assert [*told["monthly.parquet"], *NAMES] == list(pd.read_parquet(tmp_path / "monthly.parquet").columns)


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(tmp_path):
    ci, led = cej_sim.load("collective_impact"), cej_sim.load("community_led")
    for name, seed, threads in (("a", 5, 1), ("b", 5, 2), ("c", 6, 2)):
        cej_sim.compare(ci, led, runs=3, seed=seed, months=24, threads=threads).save(tmp_path / name)
    for file in ("monthly.parquet", "comparison.csv", "changes.parquet"):
        first, again, other = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert first == again, file
        assert first != other, file


def test_links_lead_somewhere():
    places = [place for place in re.findall(r"\]\(([^)\s]+)\)", TEXT) if "://" not in place]
    assert len(places) > 20
    assert [place for place in places if not (ROOT / place.split("#")[0]).exists()] == []
    assert set(re.findall(r"https?://[^/)\s]+", TEXT)) <= {
        "https://mesa.readthedocs.io",
        "https://duckdb.org",
        "https://distributed.dask.org",
    }


def test_the_picture_is_of_this_version_and_small_enough_to_ship():
    picture = (ROOT / "docs" / "comparison.png").read_bytes()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert picture.startswith(b"\x89PNG")
    assert f"illustration, not prediction; 100 runs, seed 0, cej_sim {version}".encode() in picture
    assert len(picture) < 300_000
