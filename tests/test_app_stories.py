"""Guided stories: files that teach when they are wrong, and claims that are counted, not typed."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cej_sim.app import believe, stories, texts
from cej_sim.ensemble import Ensemble
from cej_sim.metrics import NAMES
from cej_sim.protocol import every_parameter
from cej_sim.reading import load
from cej_sim.scenario import PARAMETERS

SMALL = """\
schema_version: 1
story: small
title: Small
minutes: 5
question: Who decides?
runs: 20
sides:
  - {name: ci, from: collective_impact, months: 12, set: {community.residents: 24, community.institutions: 4}}
  - {name: led, from: community_led, months: 12, set: {community.residents: 24, community.institutions: 4}}
steps:
  - title: First
    minutes: 5
    say: Look at both.
    guess:
      question: Who has more say?
      options:
        - {text: Residents on the left, check: left}
        - {text: Residents on the right, check: right}
        - {text: Nobody knows}
    show: {a: ci, b: led, view: tables, begin: 0, month: 12}
    stop: Here.
    surprise: More say {right}, on average {right.value} against {right.against}.
    exceptions: [Sometimes not.]
    questions: ["And here? Trust is {trusted.value}."]
checks:
  - {name: left, says: More say on the left, side: ci, metric: decision_share, month: 12, higher_than: led}
  - {name: right, says: More say on the right, side: led, metric: decision_share, month: 12, higher_than: ci, least: 80}
  - {name: trusted, says: There is some trust, side: led, metric: trust, month: 12, above: 0}
"""

ALL = tuple(stories.shipped())
SAY = "metric: decision_share"


def written(tmp_path, text=SMALL):
    file = tmp_path / "small.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def problems(tmp_path, *changes):
    """What is said of the small story after replacing something in it."""
    text = SMALL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(stories.StoryError) as caught:
        stories.read_story(written(tmp_path, text))
    return str(caught.value)


# Reading


@pytest.mark.parametrize("name", ALL)
def test_shipped_stories_are_complete(name):
    story = stories.read_story(name)
    assert story.name == name
    assert story.question
    assert story.audience
    assert 15 <= story.minutes <= 25
    assert 3 <= len(story.steps) <= 5
    assert 1 <= len(story.levers) <= 6
    assert story.runs >= 100
    assert sum(step.guess is not None for step in story.steps) >= 3
    for step in story.steps:
        assert step.say
        assert step.show
        assert step.stop
        assert step.surprise
        assert step.exceptions
        assert step.questions
    assert sum(not math.isnan(check.least) or not math.isnan(check.most) for check in story.checks) >= 8


def test_there_are_at_least_four_stories():
    assert {"seats_or_say", "change_course", "one_change_or_several", "which_would_you_fund"} <= set(ALL)


def test_the_placebo_is_in_a_story_and_the_report_is_blind():
    several = stories.read_story("one_change_or_several")
    assert any(check.metric == stories.EVERYTHING and check.least == 100 for check in several.checks)
    fund = stories.read_story("which_would_you_fund")
    assert fund.steps[0].show.blind
    assert fund.steps[0].show.month == 24
    ends = {side["funder.grant_end"] for side in fund.sides.values()}
    assert max(step.show.month for step in fund.steps) > max(ends)


def test_a_small_story_is_read(tmp_path):
    story = stories.read_story(written(tmp_path))
    assert [one.months for one in story.sides.values()] == [12, 12]
    assert story.sides["led"]["community.residents"] == 24
    assert story.sides["led"].name == "led"
    assert story.steps[0].guess.options[2].check == ""
    assert (story.language, story.seed, story.run, story.runs) == ("en", 1, 0, 20)
    assert story.checks[1].least == 80


def test_all_principles_of_a_side_make_the_other_scenario(tmp_path):
    ci, led = load("collective_impact"), load("community_led")
    text = SMALL.replace(
        "from: collective_impact, months: 12,", "from: collective_impact, principles: [1, 2, 3, 4, 5, 6],", 1
    )
    side = stories.read_story(written(tmp_path, text)).sides["ci"]
    marked = [path for path in PARAMETERS if ci[path] != led[path]]
    assert marked
    assert {path: side[path] for path in marked} == {path: led[path] for path in marked}


def test_a_side_may_be_a_file_beside_the_story(tmp_path):
    (tmp_path / "mine.yaml").write_text("schema_version: 1\nname: mine\nextends: community_led\nmonths: 20\n")
    story = stories.read_story(written(tmp_path, SMALL.replace("from: community_led", "from: mine.yaml")))
    assert story.sides["led"].months == 12


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("question: Who decides?", "questoin: Who decides?", 5, "did you mean question?"),
        ("minutes: 5\nquestion", "minutes: 6\nquestion", 4, "the steps take 5 minutes together; write minutes: 5"),
        ("check: left}", "check: lft}", 17, "there is no check lft; did you mean left?"),
        ("{a: ci,", "{a: cj,", 20, "there is no side cj; there are: ci, led"),
        ("month: 12}\n    stop", "month: 13}\n    stop", 20, "ci ends in month 12; write less"),
        ("{right.value}", "{right.values}", 22, "a check has no values; write {right} or {right.value}"),
        ("{right}, on", "{trusted.against}, on", 22, "this check compares with no other side"),
        ("{right},", "{rihgt},", 22, "there is no check rihgt; did you mean {right}?"),
        ("More say {right},", "More say in 83 of 100 runs,", 22, "83 of 100 runs is typed; the program counts"),
        ("Look at both.", "Half, or 50%.", 13, "50% is typed"),
        ("view: tables", "view: table", 20, "tables"),
        ("higher_than: led}", "higher_than: ci}", 26, "this is the side itself"),
        (f"{SAY}, month: 12, higher_than: led", "month: 12", 26, "either metric: or event:"),
        (", higher_than: led}", "}", 26, "say what holds"),
        (f"{SAY}, month: 12, higher_than: led", "event: policy_won, month: 12, above: 1", 26, "an event happens"),
        (f"{SAY}, month: 12, higher_than: led", "metric: everything, month: 12, above: 1", 26, "same_as"),
        ("Residents on the left, check", "Left, or so, check", 17, "put the whole text in quotes"),
        ("from: community_led", "from: comunity_led", 9, "did you mean community_led?"),
        ("set: {community.residents: 24,", "set: {community.resident: 24,", 8, "community.residents"),
        ("        - {text: Residents on the left, check: left}\n", "", 25, "no text and no option speaks of"),
        ("name: right, says", "name: left, says", 27, "is the name of two items"),
        ("least: 80", "least: 120", 27, "100"),
        ("view: tables, begin: 0", "view: tables, begin: 13", 20, "this lies after month 12"),
        ("story: small\n", "story: small\nlevers: [governance.decide.vote.residents]\n", 3, "decide.votes.residents"),
        ("schema_version: 1", "schema_version: 1\nlanguage: fr", 2, "write one of: en, es"),
    ],
)  # fmt: skip
def test_mistakes_are_named_where_they_stand(tmp_path, old, new, line, said):
    found = problems(tmp_path, (old, new))
    lines = [one for one in found.splitlines() if said in one]
    assert lines, found
    assert f"small.yaml:{line}:" in lines[0], found
    assert "Traceback" not in found


def test_a_check_in_another_language_of_numbers_is_typed_too(tmp_path):
    assert "is typed" in problems(tmp_path, ("More say {right},", "Más, en 83 de 100 simulaciones,"))


def test_sides_with_unequal_money_are_refused(tmp_path):
    found = problems(
        tmp_path,
        ("community.institutions: 4}}\n  - {name: led", "community.institutions: 4, funder.grant: 7}}\n  - {name: led"),
    )
    assert "do not have the same money" in found


def test_all_mistakes_are_listed_at_once(tmp_path):
    found = problems(tmp_path, ("check: left}", "check: lft}"), ("{a: ci,", "{a: cj,"), ("least: 80", "least: 120"))
    assert len(found.splitlines()) >= 3


def test_a_story_that_is_not_there_is_named():
    with pytest.raises(stories.StoryError, match=r"did you mean seats_or_say\?"):
        stories.read_story("seat_or_say")
    with pytest.raises(stories.StoryError, match="there is no such file"):
        stories.read_story("nowhere/story.yaml")


# Trying


def check_of(**values):
    usual = dict(
        name="c", says="s", side="a", metric="burden", event="", happened=True, month=1, above=math.nan, below=math.nan,
        against="", direction="", rivals=(), by=0.0, up_to=math.nan, least=math.nan, most=math.nan,
        place=stories.Place("f", 1, 1),
    )  # fmt: skip
    return stories.Check(**{**usual, **values})


def rows_of(values, metric="burden", alive=None, **happened):
    """Rows of some runs: month 0 holds 0, month 1 these values of a metric."""
    rows = np.zeros((len(values), 2, len(NAMES)))
    rows[:, 1, NAMES.index(metric)] = values
    rows[:, :, NAMES.index("alive")] = 1.0
    if alive is not None:
        rows[:, 1, NAMES.index("alive")] = alive
    return stories._Rows(rows, {event: np.array(months) for event, months in happened.items()})


A, B, C = [1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 2.0, 2.0], [0.0, 3.0, 5.0, 1.0]


@pytest.mark.parametrize(
    ("check", "times"),
    [
        (dict(above=2.5), 2),
        (dict(below=2.5), 2),
        (dict(above=1.5, below=3.5), 2),
        (dict(against="b", direction="higher"), 2),
        (dict(against="b", direction="lower"), 1),
        (dict(against="b", direction="same"), 1),
        (dict(against="b", direction="same", by=1.0), 3),
        (dict(against="b", direction="higher", by=1.5), 1),
        (dict(against="b", direction="higher", up_to=1.5), 1),
        (dict(rivals=("b", "c"), direction="highest"), 1),
        (dict(rivals=("b", "c"), direction="lowest"), 0),
    ],
)
def test_a_check_counts_runs_pair_by_pair(check, times):
    sides = {"a": rows_of(A), "b": rows_of(B), "c": rows_of(C)}
    assert stories._judge(check_of(**check), sides)[:2] == (times, 4)


def test_runs_in_which_a_coalition_has_ended_are_left_out_where_a_metric_says_nothing_then():
    sides = {"a": rows_of(A, "trust", alive=[1, 1, 0, 1]), "b": rows_of(B, "trust", alive=[0, 1, 1, 1])}
    found = stories._judge(check_of(metric="trust", against="b", direction="higher"), sides)
    assert found == (1, 2, 3.0, 2.0)
    sides = {"a": rows_of(A, alive=[1, 1, 0, 1]), "b": rows_of(B, alive=[0, 1, 1, 1])}
    assert stories._judge(check_of(against="b", direction="higher"), sides)[1] == 4


def test_events_are_counted_by_their_month():
    never = np.iinfo(np.int64).max
    sides = {
        "a": rows_of(A, motion_passed=[1, 1, never, 2]),
        "b": rows_of(A, motion_passed=[2, 1, never, never]),
    }
    event = check_of(metric="", event="motion_passed")
    assert stories._judge(event, sides)[:3] == (2, 4, 0.5)
    assert stories._judge(replace(event, happened=False), sides)[0] == 2
    assert stories._judge(replace(event, against="b", direction="sooner"), sides)[0] == 1
    assert stories._judge(replace(event, against="b", direction="same"), sides)[0] == 3


def test_everything_is_the_same_only_if_every_number_is():
    check = check_of(metric=stories.EVERYTHING, against="b", direction="same")
    assert stories._judge(check, {"a": rows_of(A), "b": rows_of(B)})[:2] == (1, 4)


def test_claims_fail_when_the_model_disagrees():
    claim = check_of(least=80.0)
    assert stories.Tried(claim, 80, 100, 0, 0, 0.0, 0.0).held
    assert not stories.Tried(claim, 79, 100, 0, 0, 0.0, 0.0).held
    assert not stories.Tried(replace(claim, least=math.nan, most=10.0), 11, 100, 0, 0, 0.0, 0.0).held
    assert not stories.Tried(claim, 0, 0, 0, 0, 0.0, 0.0).held
    assert stories.Tried(claim, 80, 100, 40, 100, 0.0, 0.0).fragile
    assert not stories.Tried(claim, 80, 100, 60, 100, 0.0, 0.0).fragile
    (line,) = stories.failures({"c": stories.Tried(claim, 79, 100, 0, 0, 0.0, 0.0)})
    assert line == (
        "f:1:1: checks.c: this held in 79 of 100 runs, and at least 80 of 100 are claimed; the model disagrees, so "
        "rewrite the story"
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    story = stories.read_story(written(tmp_path_factory.mktemp("story")))
    return story, stories.try_checks(story, ensemble=True)


def test_a_try_is_what_simulate_gives(small):
    from cej_sim.runs import simulate

    story, tried = small
    month = {
        name: simulate(side, 20, 1, 12).monthly.query("month == 12")["decision_share"].to_numpy()
        for name, side in story.sides.items()
    }
    assert tried["right"].times == int((month["led"] > month["ci"] + 1e-12).sum())
    assert tried["right"].runs == 20
    assert tried["right"].value == pytest.approx(month["led"].mean())
    assert tried["right"].other == pytest.approx(month["ci"].mean())
    sets = Ensemble.read()
    wide = {
        name: simulate(side, 20, 1, 12, ensemble=sets).monthly.query("month == 12")["decision_share"].to_numpy()
        for name, side in story.sides.items()
    }
    assert (tried["right"].wide_times, tried["right"].wide_runs) == (int((wide["led"] > wide["ci"] + 1e-12).sum()), 20)


def test_what_came_out_is_put_into_the_texts(small):
    story, tried = small
    told = stories.told(story, tried)
    right = tried["right"]
    assert told["steps"][0]["surprise"] == (
        f"More say in {right.times} of 20 runs, on average {round(100 * right.value)}% against "
        f"{round(100 * right.other)}%."
    )
    options = told["steps"][0]["guess"]["options"]
    assert [one["times"] for one in options] == [tried["left"].times, right.times, None]
    assert told["steps"][0]["guess"]["answer"] == int(right.times > tried["left"].times)
    spanish = stories.told(replace(story, language="es"), tried)
    assert f"en {right.times} de 20 simulaciones" in spanish["steps"][0]["surprise"]
    assert "{" not in str(told["steps"][0]["say"])


@pytest.mark.parametrize("name", ALL)
def test_claims_that_nearly_always_hold_do_so_in_a_few_runs(name):
    """Six runs cannot tell how often something holds; what is claimed of 95 of 100 may fail in one of them at most."""
    story = stories.read_story(name)
    sure = tuple(check for check in story.checks if check.least >= 95 and check.month <= 60)
    tried = stories.try_checks(replace(story, checks=sure), 6, ensemble=False)
    assert [one.check.name for one in tried.values() if one.times < one.runs - 1] == []


# Why believe it?


@pytest.mark.parametrize("language", texts.languages())
def test_why_believe_it_counts_from_the_declarations(language):
    counts, page = believe.counts(), believe.page(language)
    assert sum(counts.values()) == len(every_parameter())
    assert counts["assumed"] > counts["other"] > 0
    for number in counts.values():
        assert f"<td>{number}</td>" in page
    assert str(len(Ensemble.read())) in page
    assert texts.read(language)["believe.illustration"] in page
    assert all(source in page for source in ("Wolff", "calibrat"))
    assert "{" not in page


def test_limits_are_those_of_the_page_on_limits():
    page = Path(__file__).resolve().parent.parent / "docs" / "LIMITS.md"
    bold = [line for line in page.read_text("utf-8").splitlines() if line.startswith("**")]
    # Of these, two are about the survey, which the app does not show, and about what the model is good for.
    assert len(bold) == len(believe.LIMITS) + 2


# In other languages

TRANSLATED = sorted(path.name.split(".")[0:2] for path in (texts.FOLDER / "stories").glob("*.yaml"))


def test_a_story_is_told_in_spanish_where_it_was_translated():
    assert ["seats_or_say", "es"] in TRANSLATED
    story = stories.in_language(stories.read_story("seats_or_say"), "es")
    assert story.language == "es"
    told = stories.told(story, stories.try_checks(story, 3, ensemble=False))
    assert "de 3 simulaciones" in told["steps"][0]["surprise"]
    english = stories.read_story("change_course")
    assert stories.in_language(english, "es") is english


@pytest.mark.parametrize(("name", "language"), TRANSLATED)
def test_a_translated_story_says_all_and_puts_the_same_things_in(name, language):
    story = stories.read_story(name)
    original, translated = stories.written(story), texts.of_story(name, language)
    assert set(translated) == set(original)
    put = {path: sorted(re.findall(r"\{[^{}]*\}", text)) for path, text in original.items()}
    assert {path: sorted(re.findall(r"\{[^{}]*\}", text)) for path, text in translated.items()} == put
    numbers = {path: sorted(re.findall(r"\d+", text)) for path, text in original.items()}
    assert {path: sorted(re.findall(r"\d+", text)) for path, text in translated.items()} == numbers
    assert not [text for text in translated.values() if stories._TYPED.search(text)]
    assert not [path for path, text in translated.items() if text == original[path]]
    other = stories.in_language(story, language)
    assert stories.written(other) == translated
    assert [side.hash() for side in other.sides.values()] == [side.hash() for side in story.sides.values()]
