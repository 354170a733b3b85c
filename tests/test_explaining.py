"""What `explain` and `diff` say: all that acts is told, nothing else, and names tell nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console, RenderableType
from worlds import any_scenario, plain, shipped

from cej_sim import cli, reading
from cej_sim.explaining import (
    Difference,
    differences,
    explain,
    render_differences,
    render_explanation,
    render_resolved,
    resolved,
)
from cej_sim.month import PHASE_NAMES, RULES
from cej_sim.parameters import PRINCIPLES, Value
from cej_sim.scenario import PARAMETERS, Event, Group, Issue, NetworkFile, Scenario

FEWER = settings(max_examples=25, suppress_health_check=list(HealthCheck))


def printed(what: RenderableType) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


def told(scenario: Scenario) -> str:
    return "\n".join(sentence for part in explain(scenario) for sentence in part.sentences)


def rows(a: Scenario, b: Scenario) -> list[Difference]:
    return [row for listed in differences(a, b).values() for row in listed]


@lru_cache
def all_shipped() -> tuple[Scenario, ...]:
    return tuple(reading.load(name) for name in reading.shipped())


# Sentences


def test_residents_who_come_late_are_told_to_miss_the_first_agenda():
    values: dict[str, Value] = {
        "governance.decide.votes.residents": 0.5,
        "governance.decide.votes.institutions": 0.4,
        "governance.decide.votes.backbone": 0.1,
    }
    early, late = plain(values), plain(values | {"governance.convene.residents_from": 12})
    assert "Residents hold half of the votes, institutions 40% and the backbone 10%" in told(early)
    assert "agenda is set" not in told(early)
    assert (
        "Residents hold half of the votes, institutions 40% and the backbone 10%, but residents join in month 12, "
        "after the first agenda is set: until then institutions have 80% and the backbone 20%."
    ) in told(late)
    never = plain(values | {"governance.convene.residents_from": 200})
    assert "but residents never join: institutions then have 80% and the backbone 20%" in told(never)
    assert "Residents never join: they could from month 200 on, after the end" in told(never)


def test_votes_without_seats_and_seats_without_votes():
    assert "no seat is open to residents" in told(plain({"governance.convene.seats.residents": 0}))
    silent = plain({"governance.decide.votes.residents": 0})
    assert "residents have no vote, so they can only speak" in told(silent)
    none = plain({"governance.decide.votes.residents": 0, "governance.convene.seats.residents": 0})
    assert "residents have no vote." in told(none)
    rescaled = plain({"governance.decide.votes.residents": 1})
    assert "Residents hold 58.8% of the votes" in told(rescaled)
    assert "rescaled to 100%" in told(rescaled)


def test_who_has_no_vote_is_told_in_words():
    votes = "governance.decide.votes"
    all_but = plain({f"{votes}.residents": 0.25, f"{votes}.institutions": 0.75, f"{votes}.backbone": 0})
    assert "Residents hold a quarter of the votes, institutions 75% and the backbone none." in told(all_but)


def test_what_a_motion_needs_depends_on_the_votes():
    votes = "governance.decide.votes"
    motion = (Event(12, "motion", (("governance.convene.naming", 0.5),)),)

    def said(residents: float, institutions: float, backbone: float) -> str:
        shares = {"residents": residents, "institutions": institutions, "backbone": backbone}
        return told(plain({f"{votes}.{bloc}": share for bloc, share in shares.items()}, events=motion))

    assert "which at the start the votes of residents reach alone" in said(0.6, 0.3, 0.1)
    assert "which at the start the votes of institutions reach alone" in said(0.1, 0.6, 0.3)
    assert "which at the start no bloc's votes reach without another's" in said(0.4, 0.3, 0.3)
    assert "there is at most one vote in 6 months" in said(0.4, 0.3, 0.3)


def test_rounding_leaves_no_crumbs():
    text = told(shipped("schools_not_prisons"))
    assert "after that and facilitation nothing is left for coordination at the start" in text
    for scenario in all_shipped():
        assert "e-" not in told(scenario).replace("one-", "").split(), scenario.name
        assert "e-1" not in told(scenario)


def test_organizing_that_can_never_be_paid_is_told_so_throughout():
    text = told(shipped("autonomous_movement"))
    assert "It can never pay for organizing." in text
    assert "more money for organizing" not in text
    assert "The movement, which nobody in the coalition pays, answers to residents and not to the coalition" in text
    later = Event(24, "mandate", (("governance.decide.budget_max.organizing", 0.3),))
    text = told(replace(shipped("autonomous_movement"), events=(later,)))
    assert "Unless the rules change, it cannot pay for organizing." in text
    assert "more with more money for organizing" in text


@pytest.mark.parametrize("level", [0.0, 0.1, 0.3, 0.5, 0.9, 1.0])
def test_degrees_stand_where_a_sentence_wants_them(level):
    everywhere = [rule.path for rule in RULES if rule.unit == "share" and not rule.path.startswith("governance.decide")]
    text = told(plain(dict.fromkeys(everywhere, level)))
    for wrong in ("hardly (", "affected hardly", "written not at all", "residents not at all", "unmoved partly",
                  "nothing not at all", "not at all used", "not at all held"):  # fmt: skip
        assert wrong not in text


def test_committees_and_allies_are_told_with_what_they_do():
    text = told(plain({"governance.coordinate.structure": 0.8, "governance.advocate.allies": 1.5}))
    assert "Committees and structures have to be tended, too: they add 0.2 staff-months" in text
    assert "add a pressure of 0.075 a month for each 100 residents" in text


def test_events_tell_the_votes_that_result_and_who_stays_seated():
    votes = Event(60, "mandate", (("governance.decide.votes.residents", 1.0),))
    base = {"governance.decide.votes.institutions": 0.4, "governance.decide.votes.backbone": 0.0}
    text = told(plain({"governance.decide.votes.residents": 0.6, **base}, events=(votes,)))
    assert "votes of residents: 60% -> 100%" in text
    assert "residents hold 71.4%, institutions 28.6% and the backbone none" in text
    text = told(shipped("healthy_start_oakland"))
    assert "(Residents who sit by then stay and vote; others may join from month 72 on.)" in text
    assert "share of money at the start: 25%" not in text


def test_what_the_backbone_may_decide_alone():
    everything = plain({f"governance.coordinate.delegated.{scope}": 1 for scope in ("agenda", "budget")})
    assert "it alone decides up to 100% of the agenda and of the budget where it has taken control" in told(everything)
    bound = plain({"governance.coordinate.delegated.agenda": 0.2, "governance.coordinate.charter": 0})
    assert "up to 20% of the agenda and 60% of the budget" in told(bound)
    assert "No charter binds it" in told(bound)
    without = plain({"mechanisms.control": 0, "governance.coordinate.charter": 0})
    assert "The backbone never takes control" in told(without)
    assert "No charter binds it" not in told(without)


CHOICES = [(parameter.path, word) for parameter in RULES for word in parameter.choices]


@pytest.mark.parametrize("path", dict.fromkeys(path for path, _ in CHOICES))
def test_each_choice_reads_differently(path):
    motion = (Event(12, "motion", (("governance.convene.naming", 0.5), ("governance.decide.votes.residents", 0.6))),)
    texts = [told(plain({path: word}, events=motion)) for word in PARAMETERS[path].choices]
    assert len(set(texts)) == len(texts)
    # Forms of the equations are no rules of a coalition: that they differ from the usual is all there is to tell.
    assert path.startswith("coefficients.") or not any("Not as usual" in text for text in texts)


def other_values(path: str) -> list[Value]:
    parameter = PARAMETERS[path]
    if parameter.choices:
        return [word for word in parameter.choices if word != parameter.default]
    low, high = parameter.low, min(parameter.high, max(100.0, 3 * float(parameter.default)))
    values = (low, high, (low + high) / 3)
    if parameter.kind == "count":
        values = tuple(int(value) for value in values)
    return [value for value in values if value != parameter.default]


BUDGETED = ("governance.decide.budget", "governance.decide.strategy")


@pytest.mark.parametrize("base", ["defaults", "collective_impact", "community_led"])
def test_whatever_is_set_otherwise_is_told(base):
    """Change any single rule: the text changes, and so no setting goes unmentioned."""
    scenario = plain() if base == "defaults" else shipped(base)
    before = told(scenario)
    silent = []
    for path in PARAMETERS:
        for value in other_values(path):
            if value == scenario.values[path] or path.startswith("network.generate"):
                continue
            changed = replace(scenario, values={**scenario.values, path: value})
            if not path.startswith(BUDGETED) and told(changed) == before:
                silent.append((path, value))
    # As these bases have it: values that are the usual ones again, or mean the same.
    same = {
        ("community.neighborhoods", 6),
        ("governance.convene.institutions_from", 1),
    }
    assert [change for change in silent if change not in same] == []


def test_lines_of_the_budget_and_their_bounds_are_told():
    scenario = plain()
    for line in ("coordination", "organizing", "supports", "training", "evaluation"):
        start, low, high = (f"governance.decide.{part}.{line}" for part in ("budget", "budget_min", "budget_max"))
        share = float(scenario.values[start])
        for path, value in ((start, share + 0.013), (low, share / 2 + 0.003), (high, 0.771), (start, 0.0)):
            assert told(scenario.with_values({path: value})) != told(scenario), (path, value)
    fixed = {f"governance.decide.{part}.training": 0.0 for part in ("budget", "budget_min", "budget_max")}
    assert "It can never pay for training" in told(plain(fixed))
    assert "never more than 15%" in told(plain({"governance.decide.strategy_max": 0.15}))
    nothing = plain({"governance.decide.strategy_max": 0, "governance.decide.strategy": 0})
    assert "All action is programs" in told(nothing)


def test_promises_that_do_not_fit_into_the_meetings():
    promises = ("convene.naming", "contend.conflict_addressed", "coordinate.charter", "convene.plain_language")
    much: dict[str, Value] = {f"governance.{name}": 1.0 for name in promises}
    assert "each promise is kept to" not in told(plain(much))
    assert "each promise is kept to 35.6% only" in told(plain(much | {"governance.decide.meeting_hours": 2}))


def test_unpaid_facilitation_is_told():
    poor = {f"governance.decide.{part}.coordination": 0.0 for part in ("budget", "budget_min")}
    assert "but the coordination money of the start pays for 0% only" in told(plain(poor))


def test_mechanisms_switched_off_and_weakened():
    assert "No feedback of the model is switched off." in told(plain())
    text = told(plain({"mechanisms.snowflake": 0, "mechanisms.norms": 0.5}))
    assert "Switched off: leaders reach others." in text
    assert "Weakened: norms follow policy (50%)." in text
    gone = plain({rule.path: 0 for rule in RULES if rule.path.startswith("mechanisms.")})
    assert "Every feedback of the model is switched off." in told(gone)


def test_events_stand_in_dated_order_with_what_they_change():
    votes = "governance.decide.votes.residents"
    events = (
        Event(48, "motion", ((votes, 0.6),)),
        Event(12, "mandate", ((votes, 0.5), ("governance.convene.naming", 0.0))),
    )
    part = next(part for part in explain(plain(events=events)) if "events" in part.heading)
    assert part.sentences == (
        "Month 12, by order (mandate): votes of residents: 30% -> 50%.",
        "  (1 rule named there stays as set.)",
        "  (The votes then add up to 120% and are rescaled: residents hold 41.7%, institutions 41.7% and the backbone "
        "16.7%.)",
        "Month 48, if a vote passes (motion): votes of residents: 50% -> 60%.",
        "  (The votes then add up to 130% and are rescaled: residents hold 46.2%, institutions 38.5% and the backbone "
        "15.4%.)",
    )
    barred = plain({"governance.reform.motions_about": "no_votes"}, events=events)
    assert "by a motion, which the rules keep from coming to a vote" in told(barred)
    assert "No motion on the votes may come to a vote" in told(barred)


def test_the_funder_and_the_network():
    assert "decides on renewal in months 36 and 72" in told(plain())
    for none in ("funder.grant", "funder.grant_end"):
        text = told(plain({none: 0}))
        assert "There is no grant" in text
        assert "what members give, for there is no grant" in text
    text = told(plain({"funder.grant_end": 1}))
    assert "A funder gives 6 staff-months in the first month only" in text
    assert "There is no grant" not in text
    assert "never up for renewal" in told(plain({"funder.cycle": 120}))
    assert "residents really have half of the say" in told(plain({"funder.power_shift": 0.5}))
    assert "a small world" in told(plain({"network.generate": "small_world"}))
    assert "Groups of residents" not in told(plain())
    changed = plain(groups=(Group("all", 1.0, 0.5, 0.3, 0.4),), issues=(Issue("rents", 0.8),))
    assert "Groups of residents: all (100% of residents" in told(changed)
    assert "Issues: rents (80% structural)." in told(changed)


def test_an_imported_network_is_told(tmp_path):
    (tmp_path / "ties.csv").write_text("source,target,contact\nhub,clinic,5\nhub,school,2\n")
    (tmp_path / "nodes.csv").write_text("id,role\nhub,lead\nclinic,member\nschool,member\n")
    (tmp_path / "ours.yaml").write_text(
        "schema_version: 1\nextends: community_led\nnetwork:\n  file: ties.csv\n  nodes: nodes.csv\n"
        "  kind: {column: role, map: {lead: backbone}, default: institution}\n  weight: contact\n  scale: 5\n"
    )
    read = reading.read(tmp_path / "ours.yaml")
    assert read.problems == []
    assert read.scenario is not None
    text = told(read.scenario)
    assert "The network comes from ties.csv" in text
    assert "2 institutions" in text
    assert "Column role tells who is what: lead is backbone, the others institution." in text
    places = {row.path: (row.value, row.place.line if row.place else None) for row in resolved(read)}
    assert places["network.kind.map.lead"] == ("backbone", 6)
    assert places["network.scale"] == ("5", 8)
    headings = differences(reading.load("community_led"), read.scenario)
    assert list(headings) == ["Network"]
    (tmp_path / "ties.csv").write_text("source,target,contact\nhub,clinic,4\nhub,school,2\n")
    assert isinstance(read.scenario.network_file, NetworkFile)


def test_names_and_descriptions_are_never_looked_at():
    scenario = shipped("collective_impact")
    renamed = replace(
        scenario, name="community_led", label="Led by residents", description="Residents decide.", path=None
    )
    assert explain(renamed) == explain(scenario)
    assert told(shipped("relabeled")) == told(scenario)


@pytest.mark.parametrize("name", reading.shipped())
def test_shipped_scenarios_are_explained_phase_by_phase(name):
    scenario = shipped(name)
    parts = explain(scenario)
    named = [part.heading.rpartition("(")[2].rstrip(")") for part in parts]
    assert [heading for heading in named if heading in PHASE_NAMES] == list(PHASE_NAMES)
    for part in parts:
        assert part.sentences
        assert all(sentence.endswith((".", ":", ".)")) for sentence in part.sentences)
    text = printed(render_explanation(scenario))
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "None" not in text
    assert "nan" not in text.split()


@given(any_scenario(months=24))
@FEWER
def test_any_scenario_can_be_explained(scenario):
    text = printed(render_explanation(scenario))
    assert all(len(line) <= 100 for line in text.splitlines())
    for part in explain(scenario):
        assert part.sentences


# Where values come from


def test_every_value_with_its_file_and_line(tmp_path):
    (tmp_path / "parent.yaml").write_text(
        "schema_version: 1\ngovernance:\n  convene:\n    naming: .4\n    quorum: .3\n"
    )
    (tmp_path / "child.yaml").write_text(
        "schema_version: 1\nextends: parent.yaml\ngovernance: {convene: {quorum: .5}}\n"
        "events:\n  - month: 3\n    by: mandate\n    set:\n      governance.decide.budget_min.coordination: .1\n"
    )
    read = reading.read(tmp_path / "child.yaml")
    found = {row.path: row for row in resolved(read)}
    assert set(PARAMETERS) <= set(found)

    def place(path: str) -> tuple[str, int] | None:
        where = found[path].place
        return None if where is None else (Path(where.file).name, where.line)

    assert (found["governance.convene.naming"].value, place("governance.convene.naming")) == ("0.4", ("parent.yaml", 4))
    assert (found["governance.convene.quorum"].value, place("governance.convene.quorum")) == ("0.5", ("child.yaml", 3))
    assert place("governance.convene.take_up") is None
    assert place("months") is None
    assert place("events.0.set.governance.decide.budget_min.coordination") == ("child.yaml", 8)
    text = printed(render_resolved(read))
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "parent.yaml:4" in text
    with pytest.raises(ValueError, match="has mistakes"):
        resolved(reading.read(tmp_path / "missing.yaml"))


@pytest.mark.parametrize("columns", [80, 90, 100, 140])
def test_paths_are_broken_behind_dots_only(columns, tmp_path):
    (tmp_path / "a.yaml").write_text(
        "schema_version: 1\nextends: community_led\n"
        "events:\n  - month: 3\n    by: mandate\n    set:\n      governance.decide.budget_min.coordination: .1\n"
    )
    read = reading.read(tmp_path / "a.yaml")
    console = Console(width=columns)
    with console.capture() as capture:
        console.print(render_resolved(read, columns))
    lines = [
        line.split("  ")[0].strip() if line[:1] != " " else line.split()[0]
        for line in capture.get().splitlines()
        if line
    ]
    shown, paths = set(lines), [row.path for row in resolved(read)]
    for path in paths:
        parts = [part for part in re.split(r"(?<=[.])", path) if part]
        pieces = {"".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1)}
        assert shown & pieces, path
        assert any(piece in shown for piece in pieces if path.endswith(piece)), path


@pytest.mark.parametrize("name", reading.shipped())
def test_what_shipped_files_set_has_a_place(name):
    read = reading.read(name)
    placed = {row.path for row in resolved(read) if row.place}
    assert {path for path in read.given if path in PARAMETERS} <= placed


# Differences


def test_differences_stand_under_their_principles_with_reasons():
    a = shipped("collective_impact")
    votes = "governance.decide.votes"
    values: dict[str, Value] = {f"{votes}.residents": 0.5, "governance.convene.naming": 0.5, "funder.grant": 7}
    reasons = ((f"{votes}", "They asked for it."), ("governance", "All else is assumed."))
    b = replace(a.with_values(values), reasons=reasons)
    found = differences(a, b)
    assert list(found) == [f"Principle 1: {PRINCIPLES[1]}", f"Principle 2: {PRINCIPLES[2]}", "Money"]
    assert found[f"Principle 2: {PRINCIPLES[2]}"] == [
        Difference(f"{votes}.residents", "Votes of residents", "10%", "50%", "They asked for it.")
    ]
    assert found[f"Principle 1: {PRINCIPLES[1]}"][0].reason == "All else is assumed."
    assert found["Money"][0][2:] == ("6 staff-months per month", "7 staff-months per month", "")
    assert all(not row.reason for row in rows(b, a))


def test_reasons_for_long_paths_arrive(tmp_path):
    path = "governance.decide.budget_max.coordination"
    (tmp_path / "case.yaml").write_text(
        f"schema_version: 1\nextends: community_led\ngovernance: {{decide: {{budget_max: {{coordination: .35}}}}}}\n"
        f"reasons: {{{path}: Staff asked for it.}}\n"
    )
    (row,) = rows(reading.load("community_led"), reading.load(tmp_path / "case.yaml"))
    assert row[2:] == ("30%", "35%", "Staff asked for it.")


def test_groups_issues_events_and_length_differ():
    a = plain(events=(Event(6, "motion", (("governance.convene.naming", 0.5),)),))
    b = replace(
        a,
        months=60,
        groups=(Group("all", 1.0, 0.5, 0.3, 0.4),),
        issues=(replace(a.issues[0], severity=2.0), *a.issues[1:]),
        events=(Event(6, "mandate", (("governance.convene.naming", 0.7),)),),
    )
    found = differences(a, b)
    assert list(found) == ["Groups", "Issues", "Events", "Length"]
    assert [row.label for row in found["Groups"]] == ["Group most affected", "Group less affected", "Group all"]
    assert [(row.label, row.a, row.b) for row in found["Issues"]] == [("housing: severity", "1.2", "2")]
    assert [(row.a, row.b) for row in found["Events"]] == [("-", "70%"), ("50%", "-")]
    twin = replace(a, events=(replace(a.events[0], by="mandate"),))
    assert rows(a, twin)[0][1:4] == ("Change of naming injustice", "month 6 (motion)", "month 6 (mandate)")
    split = (("governance.convene.naming", 0.5), ("governance.convene.quorum", 0.5))
    one = plain(events=(Event(6, "motion", split),))
    two = plain(events=tuple(Event(6, "motion", (change,)) for change in split))
    assert len(rows(one, two)) == 1
    assert rows(one, replace(one, issues=one.issues[::-1]))[0].label == "Order"


def test_numbers_that_differ_look_different():
    a = plain({"governance.convene.quorum": 1 / 3})
    (row,) = rows(a, a.with_values({"governance.convene.quorum": 0.33333339}))
    assert row.a != row.b


def test_only_words_differ():
    a, b = shipped("collective_impact"), shipped("relabeled")
    text = printed(render_differences(a, b))
    assert "Nothing that decides numbers differs" in text
    assert "Only words differ: name, label" in text
    same = printed(render_differences(a, a))
    assert "Nothing that decides numbers differs" in same
    assert "Only words" not in same


@pytest.mark.slow
@given(any_scenario(months=24), any_scenario(months=30))
@FEWER
def test_every_differing_rule_is_named(a, b):
    assert differences(a, a) == {}
    found = rows(a, b)
    assert {row.path for row in found if row.path in PARAMETERS} == {
        path for path in PARAMETERS if a.values[path] != b.values[path]
    }
    assert all(row.a != row.b for row in found if row.path in PARAMETERS)
    for part, key in (("groups", "community.groups"), ("issues", "issues"), ("events", "events"), ("months", "months")):
        assert any(row.path == key for row in found) == (getattr(a, part) != getattr(b, part))
    assert all(len(line) <= 100 for line in printed(render_differences(a, b)).splitlines())


@given(st.sampled_from(sorted(reading.shipped())), st.sampled_from(sorted(reading.shipped())))
@FEWER
def test_nothing_differs_exactly_where_the_numbers_must_be_equal(a, b):
    one, other = shipped(a), shipped(b)
    assert (differences(one, other) == {}) == (one.hash() == other.hash())


# The commands


def test_the_commands_print_and_refuse(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for arguments in (
        ["explain", "hybrid"],
        ["explain", "hybrid", "--resolved"],
        ["diff", "relabeled", "hybrid"],
    ):
        assert cli.status(arguments) == 0
        out, err = capsys.readouterr()
        assert len(out) > 1000
        assert err == ""
        assert all(len(line) <= 100 and line.isprintable() for line in out.splitlines())
    Path("bad.yaml").write_text("schema_version: 1\nmonths: 0\nnam: x\n")
    for arguments in (["explain", "bad.yaml"], ["explain", "bad.yaml", "--resolved"], ["diff", "hybrid", "bad.yaml"]):
        assert cli.status(arguments) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert [line.split(": ")[0] for line in err.splitlines()] == ["bad.yaml:2:9", "bad.yaml:3:1"]


def test_texts_of_a_file_cannot_move_the_cursor(capsys, tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text(
        'schema_version: 1\nlabel: "a\u00adb \u200cc"\n'
        'community:\n  groups:\n    - {name: "x\u00ady [red]z", share: 1}\n'
        'reasons: {community.groups: "two\\nlines \u200d"}\n',
        encoding="utf-8",
    )
    for arguments in (
        ["explain", str(path)],
        ["explain", str(path), "--resolved"],
        ["diff", "hybrid", str(path)],
    ):
        assert cli.status(arguments) == 0
        out = capsys.readouterr().out
        assert all(line.isprintable() for line in out.splitlines())
    assert "two lines" in out
    assert "x?y [red]z" in out
