"""The pages in docs/: current, complete, and naming only what exists."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from cej_sim import draws, protocol
from cej_sim.month import PHASE_NAMES, PHASES
from cej_sim.scales import ITEM_CODES, LOG_TEXTS
from cej_sim.state import COALITION, State

ROOT = Path(__file__).resolve().parent.parent
PAGES = {page.name: page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md"))}

#: Numbers that stand in kernels and need no word: none, one, half, two, and what counts as equal.
PLAIN = {0.0, 1.0, 0.5, 2.0, 1e-12}
#: Numbers that a text writes in words.
IN_WORDS = {"organize": {4.0: "Four rounds"}, "decide": {3.0: "the three with the loudest voice"}}


def test_the_pages_are_there():
    assert set(PAGES) == {
        "README.md", "ODD.md", "PARAMETERS.md", "TRACE.md", "FACE_VALIDATION.md", "LIMITS.md", "INSTRUMENTS.md",
    }  # fmt: skip
    assert [name for name in PAGES if f"({name})" not in PAGES["README.md"]] == ["README.md"]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_current(name):
    """Made anew it is the same, letter by letter; if not: python -m cej_sim.protocol."""
    assert protocol.refreshed(PAGES[name], name) == PAGES[name]


def test_every_part_is_on_a_page_once():
    named = [part for text in PAGES.values() for part in re.findall(r"^<!-- made: ([\w-]+) -->$", text, re.MULTILINE)]
    assert sorted(named) == sorted(protocol.BLOCKS)


# The ODD protocol


def test_the_seven_elements_each_with_a_rationale():
    heads = re.findall(r"^## (\d)\. (.+)$", PAGES["ODD.md"], re.MULTILINE)
    assert heads == [
        ("1", "Purpose and patterns"),
        ("2", "Entities, state variables, and scales"),
        ("3", "Process overview and scheduling"),
        ("4", "Design concepts"),
        ("5", "Initialization"),
        ("6", "Input data"),
        ("7", "Submodels"),
    ]
    parts = re.split(r"^## \d\. ", PAGES["ODD.md"], flags=re.MULTILINE)[1:]
    assert all("*Rationale.*" in part for part in parts if not part.startswith("Submodels"))
    reasons = re.findall(r"^\| (\w+) \| (.{40,}) \|$", parts[6].split("<!-- made: submodels")[0], re.MULTILINE)
    assert [name for name, _ in reasons] == list(PHASE_NAMES)


def test_the_eleven_design_concepts():
    part = PAGES["ODD.md"].split("## 4. Design concepts")[1].split("## 5.")[0]
    concepts = re.findall(r"^\*\*([\w ]+)\.\*\*", part, re.MULTILINE)
    assert concepts == [
        "Basic principles", "Emergence", "Adaptation", "Objectives", "Learning", "Prediction", "Sensing", "Interaction",
        "Stochasticity", "Collectives", "Observation",
    ]  # fmt: skip


def test_the_state_is_listed_whole():
    found = list(protocol.fields())
    assert [name for _, name, _, _ in found] == list(State._fields)
    for heading, name, shape, meaning in found:
        assert re.fullmatch(r"\([^()]+(\([^()]*\)[^()]*)?\)", shape), name
        assert heading, name
        assert meaning, name
    assert next(row for row in found if row[1] == "perm")[2] == "(N, K)"
    for name in COALITION:
        assert f"| `{name}` |" in PAGES["ODD.md"]


def test_a_field_without_a_shape_is_a_mistake():
    with pytest.raises(protocol.ProtocolError, match="who has no comment"):
        list(protocol.fields("class State:\n    who: int  # somebody\n"))


def test_every_submodel_is_the_text_of_its_file():
    for name, (module, question) in zip(PHASE_NAMES, PHASES, strict=True):
        assert question in PAGES["ODD.md"]
        assert inspect.cleandoc(module.__doc__) in PAGES["ODD.md"], name


def test_streams_say_where_they_are_drawn():
    rows = {line.split("|")[1].strip(" `"): line for line in protocol.streams() if line.startswith("| `")}
    assert rows["ATTEND"].endswith("| convene |")
    assert rows["ONE_TO_ONE"].endswith("| organize |")
    assert rows["SURVEY"].endswith("| instruments |")
    assert str(draws.LAYER) in rows["LAYER"]


# Numbers


def test_every_parameter_has_its_row():
    rows = re.findall(
        r"^\| `([\w.]+)` \|", PAGES["PARAMETERS.md"].split("## Parameters")[1].split("\n## ")[0], re.MULTILINE
    )
    assert len(rows) == len(set(rows)) == len(protocol.every_parameter())


def test_sources_add_up():
    counts = [int(line.split("|")[2]) for line in list(protocol.sources())[2:] if line]
    assert sum(counts) == len(protocol.every_parameter())
    assert min(counts) > 0


def numbers_of_kernels(module) -> dict[float, int]:
    """The numbers in the functions of a module, each with a line on which it stands; places in an array are none."""
    functions = [one for one in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(one, ast.FunctionDef)]
    places = {
        id(one)
        for function in functions
        for subscript in ast.walk(function)
        if isinstance(subscript, ast.Subscript)
        for one in ast.walk(subscript.slice)
    }
    return {
        float(one.value): one.lineno
        for function in functions
        for one in ast.walk(function)
        if isinstance(one, ast.Constant) and isinstance(one.value, int | float) and not isinstance(one.value, bool)
        if id(one) not in places
    }


@pytest.mark.parametrize(("name", "module"), list(zip(PHASE_NAMES, [module for module, _ in PHASES], strict=True)))
def test_every_number_of_a_kernel_stands_in_its_text(name, module):
    text = inspect.cleandoc(module.__doc__)
    stated = {abs(float(number)) for number in protocol._NUMBER.findall(text)} | PLAIN
    for number, words in IN_WORDS.get(name, {}).items():
        assert words in text
        stated.add(number)
    declaring = {"high", "low"}  # bounds of rules that a function declares are no numbers of an equation
    tree = ast.parse(inspect.getsource(module))
    bounds = {
        one.value
        for call in ast.walk(tree)
        if isinstance(call, ast.keyword) and call.arg in declaring
        for one in ast.walk(call.value)
        if isinstance(one, ast.Constant)
    }
    assert {number: line for number, line in numbers_of_kernels(module).items() if number not in stated | bounds} == {}


def test_numbers_with_their_status():
    rows = list(protocol.numbers_in("deliberate", inspect.cleandoc(PHASES[1][0].__doc__)))
    assert ("0.6, 0.4, 0.5, 0.5", "design") in [(numbers, status) for numbers, _, status in rows]
    assert ("0.004", "assumed") in [(numbers, status) for numbers, _, status in rows]
    assert not any("1990" in numbers for numbers, _, _ in rows)
    experience = " ".join(numbers for numbers, _, _ in protocol.numbers_in("experience", PHASES[11][0].__doc__))
    assert "-0.2" in experience


def test_a_text_that_no_longer_says_so_is_a_mistake():
    with pytest.raises(protocol.ProtocolError, match="no longer says"):
        list(protocol.numbers_in("contend", "Numbers: measured."))


# Instruments


def test_items_codes_and_events_are_documented():
    for word in (*ITEM_CODES, *LOG_TEXTS):
        assert re.search(rf"\b{word}\b", PAGES["INSTRUMENTS.md"]), word


# What pages name exists


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    places = [place for place in re.findall(r"\]\(([^)\s]+)\)", PAGES[name]) if "://" not in place]
    assert [place for place in places if not (ROOT / "docs" / place.split("#")[0]).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_paths_and_tests_that_are_named_exist(name):
    text = PAGES[name].split("## Not done")[0]
    tests = re.findall(r"`tests/(\w+\.py)(?:::(\w+))?`", text)
    for file, function in tests:
        source = (ROOT / "tests" / file).read_text(encoding="utf-8")
        if function:
            assert re.search(rf"^def {function}\(", source, re.MULTILINE), f"{file}::{function}"
    paths = re.findall(r"`((?:cej_sim|scenarios|experiments|docs|\.ci)/[\w./-]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    if name == "TRACE.md":
        assert len(tests) > 30


def test_the_evaluation_has_its_eight_parts():
    heads = re.findall(r"^## (\d)\. ", PAGES["TRACE.md"], re.MULTILINE)
    assert heads == list("12345678")
    assert "## Not done" in PAGES["TRACE.md"]


def test_studies_that_are_missing_are_said_to_be(tmp_path, monkeypatch):
    (tmp_path / "experiments" / "calibration").mkdir(parents=True)
    (tmp_path / "experiments" / "calibration" / "README.md").write_text("# Fitting\n", encoding="utf-8")
    monkeypatch.setattr(protocol, "DOCS", tmp_path / "docs")
    assert "[calibration](../experiments/calibration/README.md) | Fitting" in "\n".join(protocol.studies())
    assert "calibration" not in "\n".join(protocol.pending())
    assert "hypotheses" in "\n".join(protocol.pending())


def test_limits_fit_on_a_page():
    assert len(PAGES["LIMITS.md"].split()) < 650


# The command


def test_the_command_rewrites_what_is_old(tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("By hand.\n\n<!-- made: phases -->\nold\n<!-- /made: phases -->\n", encoding="utf-8")
    assert protocol.main([str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("By hand.\n\n<!-- made: phases -->\n\n| ")
    assert "old" not in text
    assert "made anew" in capsys.readouterr().out
    assert protocol.main([str(page)]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- made: nonsense -->\n<!-- /made: nonsense -->\n", "there is no part nonsense"),
        ("<!-- made: phases -->\n", "not closed alike"),
        (None, "No such file"),
    ],
)
def test_wrong_pages_get_one_line(text, said, tmp_path, capsys):
    page = tmp_path / "page.md"
    if text is not None:
        page.write_text(text, encoding="utf-8")
    assert protocol.main([str(page)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
