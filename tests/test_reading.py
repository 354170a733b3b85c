"""Scenario files: every kind of mistake is named with its place and what to write instead."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cej_sim import reading
from cej_sim.reading import ScenarioError, check, load, read, read_set, shipped
from cej_sim.scenario import (
    PARAMETERS,
    Event,
    Expectation,
    Group,
    Issue,
    NetworkFile,
    budget_problems,
    defaults,
    value_problem,
)

BROKEN = Path(__file__).parent / "broken"


# Broken files


def expected(file: Path) -> list[tuple[int, int, str, str]]:
    """What a file of the corpus says about itself: lines ``#! line:column path: part of the message``."""
    lines = re.findall(r"^#! (\d+):(\d+) (.*?): (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return [(int(line), int(column), path, part) for line, column, path, part in lines]


@pytest.mark.parametrize("file", sorted(BROKEN.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_mistake_of_a_broken_file_is_named_at_its_place(file):
    problems = check(file)
    wanted = expected(file)
    assert wanted, "the file does not say what is wrong with it"
    assert [(p.line, p.column, p.path) for p in problems] == [mistake[:3] for mistake in wanted]
    for problem, (*_, part) in zip(problems, wanted, strict=True):
        assert part in problem.message
        assert str(problem).startswith(f"{file}:{problem.line}:{problem.column}: ")
        assert "\n" not in str(problem)


# Correct files


FULL = """
schema_version: 1
name: river_side
label: River Side
description: |
  Two lines
  of text.
months: 48
community:
  residents: 80
  groups:
    - {name: renters, share: .75, exposure: .8, barriers: .4, voice: .3}
    - {name: owners, share: .25}
network: {generate: small_world, degree: 4}
issues:
  - {name: housing, structural: .7, severity: 2, regrowth: 0}
  - name: 2030
funder: {grant: 5}
governance:
  convene:
    invitation: one_to_one
    seats: {residents: 0.35}
    naming: 1
  decide:
    votes: {residents: +.5, institutions: 4e-1, backbone: 1.0e-1}
  serve:
mechanisms: {naming: 0}
events:
  - month: 36
    by: motion
    set: {governance.convene.naming: 0}
  - {month: 12, by: mandate, set: {governance.decide.votes.residents: .6, governance.convene.quorum: .5}}
expect: [{metric: burden, month: 48, direction: down, against: good.yaml}]
"""


def write(folder: Path, text: str, name: str = "case.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, (BROKEN / "parents" / "good.yaml").read_text(encoding="utf-8"), "good.yaml")
    return tmp_path


def test_everything_a_file_says_arrives(folder):
    scenario = load(write(folder, FULL))
    assert (scenario.name, scenario.label, scenario.months) == ("river_side", "River Side", 48)
    assert scenario.description == "Two lines\nof text."
    assert scenario.groups == (Group("renters", 0.75, 0.8, 0.4, 0.3), Group("owners", 0.25, 0.5, 0.3, 0.45))
    assert scenario.issues == (Issue("housing", 0.7, 2.0, 0.0), Issue("2030", 0.55, 1.0, 0.01))
    assert scenario["community.residents"] == 80
    assert scenario["network.generate"] == "small_world"
    assert scenario["governance.convene.invitation"] == "one_to_one"
    assert [scenario[f"governance.decide.votes.{bloc}"] for bloc in ("residents", "institutions", "backbone")] == [
        0.5,
        0.4,
        0.1,
    ]
    assert scenario["mechanisms.naming"] == 0
    assert scenario.events == (
        Event(12, "mandate", (("governance.convene.quorum", 0.5), ("governance.decide.votes.residents", 0.6))),
        Event(36, "motion", (("governance.convene.naming", 0.0),)),
    )
    assert scenario.expect == (Expectation("burden", 48, "down", str(folder / "good.yaml")),)


def test_what_a_file_does_not_say_has_its_declared_default(folder):
    scenario = load(write(folder, "schema_version: 1\n", "quiet-town.yaml"))
    assert scenario.values == defaults()
    assert (scenario.name, scenario.months, scenario.network_file) == ("quiet_town", 120, None)


def test_every_parameter_can_be_written_at_its_path(folder):
    tree: dict = {"schema_version": 1}
    for path, value in defaults().items():
        *sections, name = path.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[name] = value
    written = load(write(folder, json.dumps(tree)))
    assert written.hash() == load(write(folder, "schema_version: 1\n")).hash()


def test_name_label_and_description_do_not_reach_the_numbers(folder):
    one = load(write(folder, FULL))
    other = load(
        write(folder, FULL.replace("river_side", "hill_side").replace("River Side", "Hill Side").replace("Two", "2"))
    )
    assert other.name == "hill_side"
    assert one.hash() == other.hash()


def test_ways_to_write_a_number_are_one_number(folder):
    hashes = {
        load(write(folder, FULL.replace("naming: 1\n", f"naming: {one}\n"))).hash() for one in ("1", "1.0", "1.", "1e0")
    }
    assert len(hashes) == 1
    assert load(write(folder, FULL.replace("naming: 1\n", "naming: 0.9\n"))).hash() not in hashes


def test_small_aliases_windows_line_ends_and_a_byte_order_mark_are_read(folder):
    path = folder / "case.yaml"
    path.write_bytes(b"\xef\xbb\xbfschema_version: 1\r\ngovernance:\r\n  convene: {naming: &n .5, quorum: *n}\r\n")
    assert load(path)["governance.convene.quorum"] == 0.5


def test_places_say_which_file_and_line_set_a_value(folder):
    reading = read(write(folder, "schema_version: 1\nextends: good.yaml\ncommunity:\n  organizers: 3\n"))
    own, inherited = reading.places["community.organizers"], reading.places["community.residents"]
    assert (Path(own.file).name, own.line, own.column) == ("case.yaml", 4, 15)
    assert (Path(inherited.file).name, inherited.line, inherited.column) == ("good.yaml", 5, 14)


# Extending


def test_sections_merge_key_by_key_and_lists_are_replaced(folder):
    parent = load(folder / "good.yaml")
    child = load(
        write(
            folder,
            "schema_version: 1\nextends: good.yaml\ncommunity: {organizers: 3}\n"
            "governance: {decide: {budget: {supports: .2}}}\nissues: [{name: rent}]\nevents: []\n",
        )
    )
    changed = {path for path in child.values if child[path] != parent[path]}
    assert changed == {"community.organizers", "governance.decide.budget.supports"}
    assert (child.groups, child.issues) == (parent.groups, (Issue("rent", 0.55, 1.0, 0.01),))
    assert (parent.events[0].month, child.events) == (36, ())
    assert (child.name, child.label, parent.label) == ("case", "", "A correct parent")


def test_a_generated_network_takes_the_place_of_an_imported_one_and_the_reverse(folder):
    write(folder, "source,target,contact\na,b,3\nb,c,5\n", "ties.csv")
    write(folder, "id,role\na,host\nb,x\nc,y\n", "nodes.csv")
    imported = """
    schema_version: 1
    network:
      file: ties.csv
      nodes: nodes.csv
      kind: {column: role, map: {host: backbone}, default: institution}
      weight: contact
      scale: 5
    """
    write(folder, textwrap.dedent(imported), "imported.yaml")
    file = load(folder / "imported.yaml").network_file
    assert file == NetworkFile(
        folder / "ties.csv",
        "role",
        (("host", "backbone"),),
        "institution",
        "contact",
        5.0,
        "neighborhoods",
        folder / "nodes.csv",
    )
    head = "schema_version: 1\nextends: "
    (folder / "sub").mkdir()
    generated = load(write(folder / "sub", f"{head}../imported.yaml\nnetwork: {{generate: small_world}}\n"))
    assert (generated.network_file, generated["network.generate"]) == (None, "small_world")
    changes = "{kind: {map: {x: organizer}}, residents: {generate: small_world}}"
    more = load(write(folder / "sub", f"{head}../imported.yaml\nnetwork: {changes}\n"))
    assert more.network_file.path == folder / "ties.csv"
    assert more.network_file.kind_map == (("host", "backbone"), ("x", "organizer"))
    assert more.network_file.residents == "small_world"
    replaced = load(write(folder, f"{head}good.yaml\nnetwork: {{file: ties.csv}}\n"))
    assert replaced.network_file == NetworkFile(folder / "ties.csv")
    assert replaced["network.generate"] == "neighborhoods"


def test_mistakes_of_an_extended_file_are_named_there(folder):
    write(folder, "schema_version: 1\nmonths: 0\nlabel: [x]\n", "parent.yaml")
    path = write(folder, "schema_version: 1\nextends: parent.yaml\nmounths: 3\n")
    problems = check(path)
    assert [(Path(p.file).name, p.line, p.column) for p in problems] == [
        ("case.yaml", 2, 10),
        ("case.yaml", 3, 1),
        ("parent.yaml", 2, 9),
        ("parent.yaml", 3, 8),
    ]
    assert "parent.yaml has 2 mistakes of its own" in problems[0].message


def test_a_contradiction_with_inherited_rules_is_placed_at_extends(folder):
    write(folder, "schema_version: 1\nnetwork: {weight: contact, file: ties.csv}\n", "parent.yaml")
    write(folder, "source,target,contact\na,b,3\n", "ties.csv")
    problems = check(write(folder, "schema_version: 1\nextends: parent.yaml\n", "child.yaml"))
    assert [(p.line, p.column, p.path) for p in problems if Path(p.file).name == "child.yaml"] == [(2, 10, "extends")]
    assert [p.path for p in problems if Path(p.file).name == "parent.yaml"] == ["network.file"]


# Files that cannot be read


def test_what_is_no_readable_text_is_named_in_one_line(folder):
    (folder / "binary.yaml").write_bytes(b"\x7fELF\0\0\1")
    (folder / "latin.yaml").write_bytes("schema_version: 1\nlabel: Bürger\n".encode("latin-1"))
    (folder / "wide.yaml").write_bytes("schema_version: 1\n".encode("utf-16"))
    (folder / "large.yaml").write_bytes(b"#" * 300_001)
    (folder / "control.yaml").write_bytes(b"schema_version: 1\nlabel: a\x07b\n")
    (folder / "folder.yaml").mkdir()
    wanted = {
        "binary.yaml": "binary.yaml: the file is binary, not text",
        "latin.yaml": "latin.yaml:2:9: this character is not UTF-8; save the file as UTF-8",
        "wide.yaml": "wide.yaml: the file is saved as UTF-16; save it as UTF-8",
        "large.yaml": "large.yaml: the file is larger than 300,000 bytes",
        "control.yaml": "control.yaml:2:9: an invisible control character stands here; delete it",
        "folder.yaml": "folder.yaml: this is a directory; name a scenario file in it",
        "godd.yaml": "godd.yaml: there is no such file; did you mean good.yaml?",
        "no/where.yaml": "no/where.yaml: there is no such file; check its name and folder",
        "a\0b.yaml": "the file cannot be read",
    }
    for name, part in wanted.items():
        with pytest.raises(ScenarioError) as raised:
            load(folder / name)
        assert len(raised.value.problems) == 1
        assert part in str(raised.value)


def test_a_file_that_may_not_be_read_says_why(folder, monkeypatch):
    def refuse(self, *_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ScenarioError, match=r"cannot be read \(permission denied\); check its name and your right"):
        load(folder / "good.yaml")


HEAD = "schema_version: 1\nextends: good.yaml\n"

LONG = {
    "spaces in a key": (HEAD + '? "months' + " " * 30_000 + '"\n:\n', "months"),
    "a text repeated": (
        HEAD + f'description: &a "{"x" * 280_000}"\nissues: [{", ".join(["{name: *a}"] * 500)}]\n',
        "what * repeats makes the file longer than 300,000 characters",
    ),
    "a key repeated": (HEAD + f'description: &a "{"x" * 280_000}"\n' + "? *a\n: 1\n" * 500, "what * repeats"),
    "a long tag": (HEAD + "label: " + "!" * 280_000, "tags (words after !) are not read"),
    "directives": ("%A\n" * 90_000, "a line cannot begin with %"),
    "directives below comments": ("\n # a\n" * 40_000 + "%A", "a line cannot begin with %"),
    "predictions": (HEAD + f"expect: [{', '.join(['{against: ./none.yaml}'] * 5_500)}]\n", "this line is missing"),
    "reasons": (HEAD + "reasons:\n" + "".join(f"  funder.grant{i}: x\n" for i in range(9_000)), "did you mean"),
    "empty lines": (HEAD + "\n" * 299_000 + "x", "a colon is missing"),
}


@pytest.mark.parametrize("case", LONG)
def test_no_small_file_takes_long(folder, case):
    text, part = LONG[case]
    path = write(folder, text)
    began = time.process_time()
    problems = check(path)
    assert time.process_time() - began < 6.0  # about a second
    assert part in str(problems[0])
    assert all(len(str(problem)) < 1000 for problem in problems)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("events: [", "2:9: the bracket [ opened here is not closed; close it with ]"),
        ("community: {a:", "2:12: the bracket { opened here is not closed; close it with }"),
        ("events: [}", "2:10: this bracket closes another one than the open [ in line 2, column 9; write ]"),
        ("community: {a: ]}", "2:16: this bracket closes another one than the open { in line 2, column 12; write }"),
        ("events: [,]", "2:10: nothing stands before this comma; write what belongs there, or remove the comma"),
        ("events: [a, b", "2:9: the bracket [ opened here is not closed, or lacks a comma; close it with ]"),
    ],
)
def test_brackets_are_called_by_their_names(folder, text, wanted):
    (problem,) = check(write(folder, f"schema_version: 1\n{text}\n"))
    assert str(problem).endswith(wanted)


def test_a_version_is_a_number(folder):
    (problem,) = check(write(folder, "schema_version: true\n"))
    assert problem.message == "the version is a whole number without quotes; write schema_version: 1"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r"a\u202eb", "the text holds an invisible character (U+202E); delete it"),
        (r"a\u200bb", "the text holds an invisible character (U+200B); delete it"),
        (r"a\eb", "the text holds an invisible character (U+001B); delete it"),
        (r"a\nb", "the text holds a line break; write it on one line, with spaces"),
        (r"a\tb", "the text holds a tab; write it on one line, with spaces"),
        (r"\u200d\u200c", "there is nothing to be seen of this text; write one, or remove the line"),
        (r"\u3164\ufe0f", "there is nothing to be seen of this text; write one, or remove the line"),
        (r"\u06a9\u200c\u06af \U0001f468\u200d\U0001f33e \xa0.", None),
    ],
)
def test_texts_show(folder, text, wanted):
    problems = check(write(folder, f'schema_version: 1\nlabel: "{text}"\nissues: [{{name: "{text}"}}]\n'))
    assert [problem.message for problem in problems] == ([wanted] * 2 if wanted else [])


def test_names_of_files_do_not_act_on_a_terminal(folder):
    write(folder, "", "ev\x1b[31mil\n.yaml")
    (problem,) = check(folder / "ev\x1b[31mil\n.yam.yaml")
    assert str(problem).endswith(r"ev\x1b[31mil\n.yam.yaml: there is no such file; did you mean ev\x1b[31mil\n.yaml?")


def test_a_link_to_nowhere_is_not_offered_itself(folder):
    (folder / "link.yaml").symlink_to(folder / "none.yaml")
    (problem,) = check(folder / "link.yaml")
    assert problem.message == "this is a link to a file that is not there; name the file itself"


def test_nothing_is_predicted_against_itself(folder):
    expect = "expect: [{metric: burden, month: 12, direction: up, against: ./case.yaml}]\n"
    (problem,) = check(write(folder, f"schema_version: 1\n{expect}"))
    assert str(problem).endswith("case.yaml:2:62: expect.0.against: this is the scenario itself, and nothing differs "
                                 "from itself; name another one")  # fmt: skip
    write(folder, f"schema_version: 1\n{expect}".replace("case", "child"), "case.yaml")
    write(folder, "schema_version: 1\n", "child.yaml")
    (problem,) = check(write(folder, "schema_version: 1\nextends: case.yaml\n", "child.yaml"))
    assert (problem.line, problem.path) == (2, "expect.0.against")


def test_too_many_mistakes_are_cut_off(folder):
    problems = check(write(folder, "schema_version: 1\n" + "".join(f"key{i}: 1\n" for i in range(5000))))
    assert len(problems) == 101
    assert "more than 100 mistakes" in problems[-1].message
    listed = "".join(f"key{i}: 1\n" for i in range(100))
    for more in ("events: [{month: 1}]\n", "extends: none.yaml\n", "community: {groups: [{name: a}]}\n"):
        problems = check(write(folder, f"schema_version: 1\n{listed}{more}"))
        assert len(problems) == 101


def test_a_network_file_with_mistakes_is_named_where_the_scenario_names_it(folder):
    write(folder, "source,target\na,a\n", "ties.csv")
    path = write(folder, "schema_version: 1\nnetwork:\n  file: ties.csv\nmonths: 0\n")
    problems = check(path)
    assert [(p.line, p.column, p.path) for p in problems] == [(3, 9, "network.file"), (4, 9, "months")]
    assert "tied to themselves" in problems[0].message


def test_mistakes_about_a_network_stand_at_their_own_lines_and_all_at_once(folder):
    write(folder, "source,target,contact\na,b,3\nb,b,1\n", "ties.csv")
    write(folder, "id,role\na,lead\nb,member\n", "nodes.csv")
    path = write(
        folder,
        """\
schema_version: 1
network:
  file: ties.csv
  nodes: nodes.csv
  kind:
    column: rolle
    map: {lead: backbone}
  weight: contacts
  residents: {generate: nowhere}
""",
    )
    assert [(p.line, p.column, p.path) for p in check(path)] == [
        (3, 9, "network.file"),
        (6, 13, "network.kind.column"),
        (8, 11, "network.weight"),
        (9, 25, "network.residents.generate"),
    ]
    text = path.read_text().replace("rolle", "role").replace("lead: backbone", "leed: backbone, member: institution")
    write(folder, text.replace("contacts", "contact"))
    assert [(p.line, p.path) for p in check(path)] == [
        (3, "network.file"),
        (3, "network.file"),
        (7, "network.kind.map"),
        (7, "network.kind.map.leed"),
        (9, "network.residents.generate"),
    ]
    write(folder, text.replace("nodes.csv", "none.csv").replace("contact\n", "kontact\n"))
    assert [(p.line, p.path) for p in check(path)][:2] == [(3, "network.file"), (4, "network.nodes")]
    assert any(p.path == "network.weight" and p.line == 8 for p in check(path))


# Notes


def notes(folder: Path, text: str) -> list[str]:
    return read(write(folder, f"schema_version: 1\n{text}")).remarks


def test_votes_are_noted_beside_mistakes_and_for_every_event(folder):
    many = "governance: {decide: {votes: {residents: .6, institutions: .5, backbone: .2}}}\n"
    assert "add up to 1.3" in notes(folder, many)[0]
    assert "add up to 1.3" in notes(folder, f"{many}months: 0\n")[0]
    event = "events: [{month: 60, by: mandate, set: {governance.decide.votes.residents: 1}}]\n"
    assert notes(folder, f"extends: community_led\n{event}")[-1].startswith("from month 60 on, the votes add up to 1.")
    motion = event.replace("mandate", "motion")
    assert "from month 60 on, if the motion passes, the votes" in notes(folder, f"extends: community_led\n{motion}")[-1]


def test_texts_that_a_sign_of_comments_cuts_are_noted(folder):
    (note,) = notes(folder, "label: Group #3's plan\n")
    assert note.startswith("line 2, label: the text ends before #3's plan, for # begins a comment")
    assert notes(folder, "label: 'Group #3'\nmonths: 60 #short\nextends: community_led #ours\n") == []
    assert notes(folder, "label: Group # our plan\nname: ours   # ours\ndescription: a#b\n") == []
    assert len(notes(folder, "issues: [{name: rents}]\nreasons:\n  issues: they are #1\n")) == 1


# Names


def test_shipped_scenarios_are_correct():
    assert {"collective_impact", "community_led"} <= set(shipped())
    for name, path in shipped().items():
        assert check(name) == []
        assert load(name).name == name
        assert load(path) == load(str(path))


def test_the_relabeled_scenario_has_the_rules_of_collective_impact():
    assert load("relabeled").hash() == load("collective_impact").hash() != load("community_led").hash()


def test_an_unknown_name_gets_the_nearest_and_the_list():
    with pytest.raises(ScenarioError) as raised:
        load("comunity_led")
    assert "did you mean community_led" in str(raised.value)
    assert "collective_impact" in str(raised.value)


def test_a_file_named_without_its_ending_is_recognized(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(
        ScenarioError, match=r"good: there is no shipped scenario of this name; did you mean good\.yaml\?"
    ):
        load("good")
    assert load("good.yaml").name == "good"


def test_an_installed_package_finds_its_scenarios_within(folder, monkeypatch):
    package = folder / "site" / "cej_sim"
    (package / "scenarios").mkdir(parents=True)
    write(package / "scenarios", "schema_version: 1\n", "tiny.yaml")
    monkeypatch.setattr(reading, "__file__", str(package / "reading.py"))
    assert shipped() == {"tiny": package / "scenarios" / "tiny.yaml"}
    (folder / "site" / "scenarios").mkdir()
    write(folder / "site" / "scenarios", "schema_version: 1\n", "beside.yaml")
    write(folder / "site", "", "pyproject.toml")
    assert list(shipped()) == ["tiny"]  # a stray pyproject.toml beside the package does not mislead


# --set


def test_set_changes_values_with_or_without_the_leading_governance(folder):
    scenario = load(folder / "good.yaml")
    changed = read_set(
        [
            "governance.decide.votes.residents=.9",
            "convene.invitation = by_lot",
            "community.residents=100",
            "mechanisms.naming=0",
        ],
        scenario,
    )
    assert {path: value for path, value in changed.values.items() if value != scenario[path]} == {
        "governance.decide.votes.residents": 0.9,
        "governance.convene.invitation": "by_lot",
        "community.residents": 100,
        "mechanisms.naming": 0.0,
    }
    assert changed.groups == scenario.groups
    assert read_set(["convene.naming=1"], scenario).hash() == read_set(["convene.naming=1.0"], scenario).hash()


def test_all_mistakes_of_set_are_reported_together(folder):
    wanted = {
        "decide.vots.residents=.5": "decide.vots.residents: there is no such path; did you mean governance.decide.v",
        "decide.votes=.5": "decide.votes: this is a section; write one full path for each rule, such as governance",
        "quorum=.5": "quorum: there is no such path; did you mean governance.convene.quorum?",
        "convene.naming": "convene.naming: there is no = in it; write section.key=value",
        "convene.quorum=": "governance.convene.quorum: no value follows the =; write a number from 0 to 1",
        "convene.take_up=50%": "governance.convene.take_up: '50%' is not a number; write 0.5",
        "convene.agreement='.5'": "governance.convene.agreement: '.5' is a text because of its quotes; write 0.5",
        "convene.invitation=by_luck": "governance.convene.invitation: 'by_luck' is not one of the choices; did you",
        "community.residents=0": "community.residents: 0 is less than 1; write a whole number from 1",
        "months=24": "months: the number of months has an option of its own; write --months",
        "issues.0.severity=2": "issues.0.severity: this can be changed in a file only",
    }
    with pytest.raises(ScenarioError) as raised:
        read_set([*wanted, "funder.grant=3", "funder.grant=4"], load(folder / "good.yaml"))
    lines = str(raised.value).splitlines()
    assert len(lines) == len(wanted) + 1
    for line, part in zip(lines, wanted.values(), strict=False):
        assert line.startswith(f"--set: {part}")
    assert lines[-1] == "--set: funder.grant: this is set twice; keep one of them"


def test_set_may_not_break_budgets_votes_or_events(folder):
    scenario = load(
        write(
            folder,
            "schema_version: 1\nevents: [{month: 9, by: motion, set: {governance.decide.budget_min.training: .3}}]\n",
        )
    )
    with pytest.raises(
        ScenarioError, match=r"governance\.decide\.budget: the lines add up to 1\.35, 0\.35 more than 1"
    ):
        read_set([f"decide.budget.{line}=.4" for line in ("coordination", "organizing", "supports")], scenario)
    with pytest.raises(ScenarioError, match="nobody has a vote"):
        read_set([f"decide.votes.{bloc}=0" for bloc in ("residents", "institutions", "backbone")], scenario)
    with pytest.raises(
        ScenarioError, match=r"with the scenario's event of month 9, the least share 0\.3 is more than the largest"
    ):
        read_set(["decide.budget_max.training=.2"], scenario)


def test_set_may_not_choose_a_family_that_an_imported_network_leaves_unused(folder):
    write(folder, "source,target\na,b\n", "ties.csv")
    scenario = load(write(folder, "schema_version: 1\nnetwork: {file: ties.csv}\n"))
    with pytest.raises(ScenarioError, match="takes its network from a file"):
        read_set(["network.generate=small_world"], scenario)


# Declarations


def test_every_default_keeps_its_own_bounds():
    assert {
        path: value_problem(parameter, parameter.default) for path, parameter in PARAMETERS.items()
    } == dict.fromkeys(PARAMETERS)
    assert budget_problems(defaults()) == []


@pytest.mark.parametrize("path", PARAMETERS)
def test_values_out_of_bounds_are_refused_with_the_bounds(path):
    parameter = PARAMETERS[path]
    if parameter.kind == "choice":
        assert f"write one of: {', '.join(parameter.choices)}" in value_problem(parameter, "xyz")
    elif parameter.kind == "switch":
        assert "write true or false" in value_problem(parameter, "yes")
    else:
        step = 1 if parameter.kind == "count" else 0.001
        assert value_problem(parameter, parameter.low) is None
        assert value_problem(parameter, parameter.high) is None
        assert "is less than" in value_problem(parameter, parameter.low - step)
        assert "is more than" in value_problem(parameter, parameter.high + step)
        assert "is not a number; write a " in value_problem(parameter, True)
        assert "is not a number; write a " in value_problem(parameter, float("nan"))


def test_a_rule_under_a_wrong_phase_is_sent_to_the_right_one(folder):
    here = "governance.reform"
    own = {path.split(".")[2] for path in PARAMETERS if path.startswith(here)}
    homes = {
        path.split(".")[2]: path.split(".")[1]
        for path in PARAMETERS
        if path.startswith("governance.") and path.split(".")[2] not in own
    }
    lines = "".join(f"    {name}: .5\n" for name in homes)
    problems = check(write(folder, f"schema_version: 1\ngovernance:\n  reform:\n{lines}"))
    assert len(problems) == len(homes) > 20
    for problem in problems:
        name = problem.path.rpartition(".")[2]
        assert f"there is no {name} under {here}; it stands under " in problem.message
        assert f"governance.{homes[name]}" in problem.message


# Whatever a file holds


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["mandate", "burden", "small_world"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*PARAMETERS, "name", "month", "set", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
PIECES = st.sampled_from(
    [
        *"{}[]:,-'\"#&*!|>%@`?~ \t\n\r\0\x85\ufeff\u2028é",
        "- ",
        ": ",
        "\n  ",
        "<<: ",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "!!int ",
        "\\",
    ]
)


@st.composite
def broken_text(draw):
    text = FULL.replace(
        "schema_version: 1\n", draw(st.sampled_from(["schema_version: 1\n", "schema_version: 1\nextends: good.yaml\n"]))
    )
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        how = draw(st.sampled_from(["piece", "delete", "text", "value", "line"]))
        if how == "piece":
            text = text[:at] + draw(PIECES) + text[at:]
        elif how == "delete":
            text = text[:at] + text[at + draw(st.integers(1, 30)) :]
        elif how == "text":
            text = text[:at] + draw(st.text(max_size=5)) + text[at:]
        else:
            lines = text.splitlines(keepends=True) or ["\n"]
            i = draw(st.integers(0, len(lines) - 1))
            if how == "line":
                lines.insert(draw(st.integers(0, len(lines))), lines[i])
            elif ":" in lines[i]:
                lines[i] = f"{lines[i].partition(':')[0]}: {json.dumps(draw(JUNK))}\n"
            text = "".join(lines)
    return text


def behaves(path):
    """A file is either correct and loads, or each of its mistakes has one line and loading raises all of them."""
    problems = check(path)
    for problem in problems:
        assert len(str(problem).splitlines()) == 1
        assert problem.message
    if problems:
        with pytest.raises(ScenarioError) as raised:
            load(path)
        assert raised.value.problems == tuple(problems)
        assert str(raised.value) == "\n".join(map(str, problems))
    else:
        assert len(load(path).hash()) == 64


@given(broken_text())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_raises_anything_but_a_scenario_error(folder, text):
    path = folder / "case.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    behaves(path)


@pytest.mark.slow
@given(broken_text())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_none_of_many_texts_raises_anything_but_a_scenario_error(folder, text):
    path = folder / "case.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    behaves(path)


@given(st.binary(max_size=60))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_raise_anything_but_a_scenario_error(folder, content):
    path = folder / "case.yaml"
    path.write_bytes(content)
    behaves(path)


def test_errors_survive_the_way_to_another_process(folder):
    with pytest.raises(ScenarioError) as raised:
        load(folder / "nothing.yaml")
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (copy.problems, str(copy)) == (raised.value.problems, str(raised.value))


HEAVY = ("mesa", "pandas", "numba", "llvmlite", "scipy", "networkx", "matplotlib", "pyarrow")


@pytest.mark.parametrize(("network", "spared"), [(False, HEAVY), (True, ("mesa", "pandas"))])
def test_checking_loads_only_what_it_needs(network, spared, folder):
    write(folder, "source,target\na,b\n", "ties.csv")
    path = write(folder, f"schema_version: 1\nextends: community_led\n{'network: {file: ties.csv}' * network}\n")
    found = f"print(*{set(spared)} & set(sys.modules))"
    code = f"import sys; from cej_sim.reading import check; assert check({str(path)!r}) == []; {found}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
