"""Starters and the schema: what is written can be read, and the schema says what the reader says."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML, YAMLError
from worlds import a_third, any_scenario, read_parents_once

from cej_sim import authoring, cli, nodes, reading
from cej_sim.authoring import EDITOR_LINE, SCHEMA_FILE, AuthoringError, create, schema, schema_text, starter
from cej_sim.reading import check, load, shipped
from cej_sim.scenario import PARAMETERS, Scenario

ROOT = Path(__file__).resolve().parent.parent
BROKEN = Path(__file__).parent / "broken"
SCHEMA = schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def plain_data(text: str) -> Any:
    """A YAML text as an editor hands it to the schema: keys are texts, and what is named again stands there once."""
    known: dict[int, Any] = {}

    def with_text_keys(data: Any) -> Any:
        if not isinstance(data, dict | list):
            return data
        if id(data) not in known:
            known[id(data)] = (
                {str(key): with_text_keys(value) for key, value in data.items()}
                if isinstance(data, dict)
                else [with_text_keys(item) for item in data]
            )
        return known[id(data)]

    return with_text_keys(YAML(typ="safe", pure=True).load(io.StringIO(text)))


def is_valid(text: str) -> bool:
    return bool(VALIDATOR.is_valid(plain_data(text)))


# The schema


def test_the_schema_is_one_and_closed():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"].endswith("2020-12/schema")

    def sections(part: Any) -> Iterator[dict[str, Any]]:
        if isinstance(part, dict):
            if "properties" in part:
                yield part
            for inner in part.values():
                yield from sections(inner)

    found = list(sections(SCHEMA))
    assert len(found) > 15
    assert all(section["additionalProperties"] is False for section in found)


def test_every_declared_value_is_described_with_its_bounds_and_default():
    for path, parameter in PARAMETERS.items():
        part: Any = SCHEMA
        for name in path.split("."):
            part = part["properties"][name]
        part = SCHEMA["$defs"][path] if "$ref" in part else part
        assert parameter.meaning in part["description"]
        assert parameter.label in part["description"]
        assert part["default"] == parameter.default
        if parameter.choices:
            assert part["enum"] == list(parameter.choices)
        elif parameter.kind in ("number", "count"):
            assert (part["minimum"], part["maximum"]) == (parameter.low, parameter.high)
            assert parameter.unit in part["description"]


def test_the_shipped_schema_is_current():
    """If it is not: cej-sim schema > scenarios/scenario.schema.json."""
    assert (ROOT / "scenarios" / SCHEMA_FILE).read_text(encoding="utf-8") == schema_text()
    assert schema_text().isascii()


def test_the_schema_lies_beside_the_shipped_scenarios():
    """Where shipped files name it, in a checkout and in a wheel, which takes the folder as it is."""
    assert {(path.parent / SCHEMA_FILE).is_file() for path in shipped().values()} == {True}


@pytest.mark.parametrize("name", shipped())
def test_shipped_files_are_valid_under_the_schema(name):
    data = plain_data(shipped()[name].read_text(encoding="utf-8"))
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []


def broken_files() -> list[Path]:
    """Broken files that are YAML, and whose every mistake is one of a key's name or a single value."""
    found = []
    for file in sorted(BROKEN.glob("*.yaml")):
        try:
            plain_data(file.read_text(encoding="utf-8"))
        except (YAMLError, RecursionError, UnicodeDecodeError, TypeError, AttributeError):
            continue
        found.append(file)
    return found


@pytest.mark.parametrize("file", broken_files(), ids=lambda file: file.stem)
def test_broken_files_are_broken_under_the_schema(file):
    text = file.read_text(encoding="utf-8")
    problems = check(file)
    single = re.compile(
        r"there is no such (key|path)|is not one of the choices|is not a (whole )?number|is (less|more) than [-0-9.]+;"
        r"|stands where|this line is missing|nothing stands after|is a text because|is not a name|the list has"
    )
    if any(single.search(problem.message) for problem in problems):
        assert not is_valid(text)


@pytest.mark.slow
def test_enough_broken_files_are_looked_at():
    single = ("wrong_values", "unknown_keys", "wrong_place", "groups", "issues_as_word", "version_newer", "expect")
    assert {file.stem for file in broken_files()} >= set(single)
    assert [name for name in single if is_valid((BROKEN / f"{name}.yaml").read_text(encoding="utf-8"))] == []


def as_data(scenario: Scenario) -> dict[str, Any]:
    """A scenario as the data of a file."""
    data: dict[str, Any] = {"schema_version": 1, "name": scenario.name, "months": scenario.months}
    for path, value in scenario.values.items():
        *sections, key = path.split(".")
        part = data
        for name in sections:
            part = part.setdefault(name, {})
        part[key] = value
    data["community"]["groups"] = [vars(group) for group in scenario.groups]
    data["issues"] = [vars(issue) for issue in scenario.issues]
    data["events"] = [{"month": e.month, "by": e.by, "set": dict(e.set)} for e in scenario.events]
    return data


def test_what_the_reader_reads_the_schema_accepts(tmp_path):
    path = tmp_path / "any.yaml"
    seen = []

    @given(any_scenario(months=24))
    @settings(max_examples=15, suppress_health_check=list(HealthCheck), database=None)
    def agree(scenario):
        data = as_data(scenario)
        path.write_text(json.dumps(data), encoding="utf-8")  # JSON is YAML
        if not check(path):
            seen.append(1)
            assert [error.message for error in VALIDATOR.iter_errors(data)] == []

    agree()
    assert seen


VALUES = st.one_of(
    st.sampled_from(
        ["by_lot", "0.5", "", "~", "true", "no", "-1", "0", "1", "1.0", "7", "1e3", ".5", "x y", "[]", "{}", "'1'"]
    ),
    st.floats(-2, 2).map(str),
)


@given(st.sampled_from(sorted(PARAMETERS)), VALUES)
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
def test_single_values_are_judged_alike(path, value):
    """By the schema as by the declaration, where no budget comes in between."""
    text = "schema_version: 1\n" + "".join(f"{'  ' * i}{key}:\n" for i, key in enumerate(path.split(".")))
    text = f"{text.rstrip()} {value}\n"
    walked = reading.Reading(Path("case.yaml"))
    walk = reading.Walk("case.yaml", Path(), walked)
    walk.section(reading.FILE, nodes.parse(text, "case.yaml"), "")
    assert is_valid(text) == (not walked.problems), walked.problems


@pytest.mark.parametrize(
    "text",
    [
        r'label: "a\tb"', r'label: "a\nb"', r'label: "a\u200bb"', r'label: "a\u202eb"', r'label: " a b\n"', "label: ''",
        "label: 1.5", "name: 1.5", "name: -1", "name: 15", "name: true", "name: a b", r'description: "a\tb\nc"',
        r'issues: [{name: "a\nb"}]', 'issues: [{name: " "}]', 'issues: [{name: a b}]',
        "label: \U0001f468\u200d\U0001f33e",
    ],
)  # fmt: skip
def test_texts_are_judged_alike(text, tmp_path):
    path = tmp_path / "case.yaml"
    path.write_text(f"schema_version: 1\n{text}\n", encoding="utf-8")
    assert is_valid(path.read_text(encoding="utf-8")) == (not check(path)), check(path)


# Starters


def rule_lines(text: str) -> list[tuple[int, str]]:
    """Number and key of every line that holds a rule commented out; lines of lists are no rules."""
    found = []
    for number, line in enumerate(text.splitlines()):
        rule = re.match(r"( *)# (\w+): [^ \[{]", line)
        if rule:
            found.append((number, rule[2]))
    return found


def without_mark(line: str) -> str:
    return re.sub(r"^( *)# ", r"\1", line)


@pytest.fixture
def mine(tmp_path) -> Path:
    create(tmp_path / "my_town.yaml")
    return tmp_path / "my_town.yaml"


def test_a_starter_is_correct_and_equals_what_it_extends(mine):
    assert check(mine) == []
    scenario = load(mine)
    assert scenario.hash() == load("community_led").hash()
    assert (scenario.name, scenario.label) == ("my_town", "My town")
    text = mine.read_text(encoding="utf-8")
    assert text.splitlines()[0] == EDITOR_LINE == f"# yaml-language-server: $schema={SCHEMA_FILE}"
    assert (mine.parent / SCHEMA_FILE).read_text(encoding="utf-8") == schema_text()
    assert is_valid(text)
    assert max(map(len, text.splitlines())) <= 120


def test_every_rule_is_there_with_its_value_label_and_bounds(mine):
    text = mine.read_text(encoding="utf-8")
    scenario = load(mine)
    assert len(rule_lines(text)) == len(PARAMETERS) + 1  # and months
    for path, parameter in PARAMETERS.items():
        key = path.rpartition(".")[2]
        value = scenario.values[path]
        written = str(value) if isinstance(value, str) else f"{value:g}"
        lines = [line for line in text.splitlines() if re.match(rf" *# {key}: {re.escape(written)}\b", line)]
        assert lines, path
        assert f"{parameter.label}: " in text


@pytest.mark.slow
def test_any_single_line_may_be_uncommented(mine, monkeypatch):
    """Each rule by itself; the extended scenario is read once, to be quick."""
    text = mine.read_text(encoding="utf-8")
    lines = text.splitlines()
    read_parents_once(monkeypatch)
    wanted = load("community_led").hash()
    given_before = set(reading.read(mine).given)
    added = set()
    for number, key in rule_lines(text):
        changed = [without_mark(line) if i == number else line for i, line in enumerate(lines)]
        mine.write_text("\n".join(changed), encoding="utf-8")
        read = reading.read(mine)
        assert read.problems == [], lines[number]
        assert read.scenario is not None
        assert read.scenario.hash() == wanted
        here = {path: at for path, at in read.places.items() if Path(at.file).name == mine.name}
        (place,) = (path for path, at in here.items() if at.line == number + 1 and path.endswith(key))
        added.add(place)
    assert added == {*PARAMETERS, "months"}
    assert given_before - added


def test_all_lines_may_be_uncommented_at_once(mine):
    text = mine.read_text(encoding="utf-8")
    mine.write_text("\n".join(without_mark(line) for line in text.splitlines()[1:]), encoding="utf-8")
    assert check(mine) == []
    scenario = load(mine)
    assert len(scenario.events) == len(scenario.expect) == 1
    assert scenario.reasons
    assert scenario.groups == load("community_led").groups
    assert is_valid(mine.read_text(encoding="utf-8"))


@pytest.mark.parametrize("key", ["events", "expect", "reasons", "groups", "issues"])
def test_each_list_may_be_uncommented(mine, key):
    lines = mine.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if re.match(rf" *# {key}:$", line))
    end = next(i for i in range(start, len(lines)) if not lines[i].lstrip().startswith("# "))
    assert end > start + 1
    mine.write_text("\n".join([*lines[:start], *map(without_mark, lines[start:end]), *lines[end:]]), encoding="utf-8")
    assert check(mine) == []


@pytest.mark.parametrize("name", a_third(shipped()))
def test_a_starter_from_any_shipped_scenario(name, tmp_path):
    path = tmp_path / "mine.yml"
    create(path, name)
    assert check(path) == []
    assert load(path).hash() == load(name).hash()
    assert load(path).expect == load(name).expect
    assert is_valid(path.read_text(encoding="utf-8"))


def test_a_starter_from_a_file_of_ones_own(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b c").mkdir()
    (tmp_path / "a" / "ties.csv").write_text("source,target,contact\nhub,clinic,5\nhub,school,2\n")
    (tmp_path / "a" / "nodes.csv").write_text("id,role\nhub,lead\nclinic,member\nschool,member\n")
    own = tmp_path / "a" / "own.yaml"
    own.write_text(
        "schema_version: 1\nextends: community_led\nmonths: 48\nnetwork:\n  file: ties.csv\n  nodes: nodes.csv\n"
        "  kind: {column: role, map: {lead: backbone}, default: institution}\n  weight: contact\n  scale: 5\n"
        "community: {groups: [{name: 'a \"b\": c', share: 1}]}\nissues: [{name: '# rents'}]\nevents: []\n"
        "expect: [{metric: burden, month: 48, direction: down, against: whole.yaml}]\n"
        "governance: {decide: {budget_max: {coordination: .31}}}\n"
    )
    whole = tmp_path / "a" / "whole.yaml"
    whole.write_text("schema_version: 1\ngovernance: {convene: {naming: .25}}\n")
    for source in (own, whole):
        path = tmp_path / "b c" / f"from {source.stem}.yaml"
        create(path, str(source))
        assert load(path).hash() == load(source).hash()
        for copied, expected in zip(load(path).expect, load(source).expect, strict=True):
            assert Path(copied.against).resolve() == Path(expected.against)
            assert replace(copied, against=expected.against) == expected
    assert 'extends: "../a/whole.yaml"' in path.read_text(encoding="utf-8")
    assert load(path).name == "from_whole"


@pytest.mark.parametrize(
    "stem",
    ["müller", "2030", "a'b", "x: y", "- z", "# n", "_", "a" * 90, "naïve \u202e", "true", "null", "NULL", "\u3164"],
)
def test_any_file_name_gives_a_correct_file(stem, tmp_path):
    path = tmp_path / f"{stem}.yaml"
    create(path)
    assert check(path) == []
    assert all(line.isprintable() for line in path.read_text(encoding="utf-8").splitlines())


def test_nothing_is_overwritten(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    with pytest.raises(AuthoringError, match="not overwritten"):
        create(path)
    assert path.read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == [path]
    other = tmp_path / "link.yaml"
    other.symlink_to(tmp_path / "nowhere.yaml")
    with pytest.raises(AuthoringError, match="not overwritten"):
        create(other)


def test_an_older_copy_of_the_schema_is_renewed_and_a_foreign_file_is_not(tmp_path, monkeypatch):
    beside = tmp_path / SCHEMA_FILE
    with monkeypatch.context() as patch:
        patch.setattr(authoring, "_TITLE", "A scenario of cej-sim, version 0")
        beside.write_text(schema_text())
    assert create(tmp_path / "one.yaml") == [tmp_path / "one.yaml", beside]
    assert beside.read_text(encoding="utf-8") == schema_text()
    assert create(tmp_path / "two.yaml") == [tmp_path / "two.yaml"]
    edited = json.loads(schema_text())
    edited["properties"]["label"]["maxLength"] = 10
    texts = {"edited": json.dumps(edited), "not the schema": "{}", "not the": "[1]", "not": "no JSON"}
    for reason, text in {**texts, "is not": '{"title": 7}', "this is not": "[" * 10_000}.items():
        beside.write_text(text)
        with pytest.raises(AuthoringError, match=reason):
            create(tmp_path / "three.yaml")
        assert beside.read_text() == text
    assert not (tmp_path / "three.yaml").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_place_of_the_schema_is_left_alone(tmp_path):
    os.mkfifo(tmp_path / SCHEMA_FILE)
    with pytest.raises(AuthoringError, match="not the schema of cej-sim"):
        create(tmp_path / "one.yaml")
    assert not (tmp_path / "one.yaml").exists()


def test_new_refuses_with_one_clear_line(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("there.yaml").write_text("")
    Path("bad.yaml").write_text("schema_version: 1\nmonths: 0\n")
    before = sorted(tmp_path.iterdir())
    for arguments, begin in (
        (["there.yaml"], "there.yaml: there is such a file already"),
        (["mine"], "mine: a scenario file ends in .yaml; write mine.yaml"),
        (["mine.txt"], "mine.txt: a scenario file ends in .yaml; write mine.yaml"),
        ([""], ".: a scenario file ends in .yaml"),
        (["no/folder.yaml"], "no/folder.yaml: cannot be written"),
        (["there.yaml/x.yaml"], "there.yaml/x.yaml: cannot be written"),
        (["a" * 300 + ".yaml"], "aaa"),
        (["mine.yaml", "--from", "comunity_led"], "comunity_led: there is no shipped scenario"),
        (["mine.yaml", "--from", "bad.yaml"], "bad.yaml:2:9: months"),
        (["mine.yaml", "--from", "missing.yaml"], "missing.yaml: there is no such file"),
        (["a\0b.yaml"], r"a\x00b.yaml: "),
    ):
        assert cli.status(["new", *arguments]) == 2, arguments
        out, err = capsys.readouterr()
        assert out == ""
        assert len(err.splitlines()) == 1
        assert err.startswith(begin)
        assert sorted(tmp_path.iterdir()) == before


def test_the_commands_new_and_schema(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert cli.status(["new", "my.yaml", "--from", "collective_impact"]) == 0
    assert [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()] == ["my.yaml", SCHEMA_FILE]
    assert cli.status(["check", "my.yaml"]) == 0
    assert load("my.yaml").hash() == load("collective_impact").hash()
    capsys.readouterr()
    assert cli.status(["schema"]) == 0
    assert capsys.readouterr().out == schema_text()


def test_the_commands_in_a_starter_quote_a_name_with_blanks(tmp_path):
    create(tmp_path / "my homework.yaml")
    text = (tmp_path / "my homework.yaml").read_text(encoding="utf-8")
    assert '##   cej-sim check "my homework.yaml"' in text
    assert 'cej-sim compare community_led "my homework.yaml" --runs 20' in text


def test_a_starter_is_the_same_each_time(tmp_path):
    assert starter(tmp_path / "x.yaml", "hybrid") == starter(tmp_path / "x.yaml", "hybrid")
