"""Claims of a story while they are tried: told at once, better as they come, and kept on disk."""

from __future__ import annotations

import json
import math
from concurrent.futures import Future

import pytest
from test_app_stories import SMALL

from cej_sim.app import claims, stories


class Pool:
    """Does what it is given when it is told to."""

    def __init__(self):
        self.given = []

    def submit(self, work, *arguments):
        self.given.append((work, arguments))
        return Future()

    def go(self):
        for work, arguments in self.given:
            work(*arguments)
        self.given.clear()


@pytest.fixture
def story(tmp_path, monkeypatch):
    monkeypatch.setattr(claims.compiled, "CACHE_DIRECTORY", tmp_path, raising=False)
    monkeypatch.setattr(claims, "PAUSE", 0.0)
    monkeypatch.setattr(claims, "FIRST_RUNS", 3)
    file = tmp_path / "small.yaml"
    file.write_text(SMALL, encoding="utf-8")
    return stories.read_story(file)


def begun(story):
    first, whole, heard = Pool(), Pool(), []
    telling = claims.Telling(story, first, whole)
    telling.listen(lambda kind, data: heard.append((kind, data)))
    return first, whole, heard, telling


def test_a_story_is_told_at_once_and_better_as_numbers_come(story):
    first, whole, heard, _ = begun(story)
    (kind, told), *more = heard
    assert (kind, told["whole"], more) == ("story", False, [])
    step = told["story"]["steps"][0]
    assert step["surprise"] == "More say \u2026, on average \u2026 against \u2026."
    assert step["guess"]["answer"] == -1
    first.go()
    kind, told = heard[-1]
    assert (kind, told["whole"], told["runs"]) == ("story", False, 3)
    assert "of 3 runs" in told["story"]["steps"][0]["surprise"]
    whole.go()
    assert {kind for kind, _ in heard[2:-1]} == {"trying"}
    assert all(0 <= data["done"] <= data["total"] for kind, data in heard if kind == "trying")
    kind, told = heard[-1]
    assert (kind, told["whole"], told["runs"]) == ("story", True, 20)
    assert told["story"] == stories.told(story, stories.try_checks(story))


def test_first_numbers_never_take_the_place_of_all(story):
    first, whole, heard, telling = begun(story)
    whole.go()
    first.go()
    assert heard[-1][1]["whole"]
    late = []
    telling.listen(lambda kind, data: late.append((kind, data)))
    assert late == [heard[-1]]


def test_what_came_out_is_kept_and_not_computed_again(story):
    _, whole, heard, _ = begun(story)
    whole.go()
    first, whole, again, _ = begun(story)
    assert first.given == whole.given == []
    assert again == [heard[-1]]


@pytest.mark.parametrize(
    "change", [("More say on the left", "More say at A"), ("seed: 1\n", "seed: 2\n"), ("24", "26")]
)
def test_what_rests_on_something_else_is_not_taken(story, change):
    claims.keep(story, stories.try_checks(story, 3))
    assert claims.kept(story) is not None
    before = claims.place(story)
    text = SMALL.replace("runs: 20\n", "runs: 20\nseed: 1\n").replace(*change)
    story.path.write_text(text, encoding="utf-8")
    other = stories.read_story(story.path)
    assert claims.kept(other) is None
    claims.keep(other, stories.try_checks(other, 3))
    assert not before.exists()
    assert claims.kept(other) is not None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"left": [1]}', '{"left": ["x", 1, 1, 1, 1, 1]}', "\x00\xff"])
def test_a_broken_file_is_as_good_as_none(story, text):
    claims.place(story).write_text(text, encoding="latin-1")
    assert claims.kept(story) is None


def test_what_is_no_number_is_kept_too(story):
    tried = stories.try_checks(story, 3)
    claims.keep(story, tried)
    found = claims.kept(story)
    assert found is not None
    assert math.isnan(found["trusted"].other)
    assert {name: one.times for name, one in found.items()} == {name: one.times for name, one in tried.items()}
    json.loads(claims.place(story).read_text(), parse_constant=lambda name: pytest.fail(name))


def test_a_trial_that_fails_is_told(story, monkeypatch):
    _, whole, heard, telling = begun(story)
    monkeypatch.setattr(stories, "try_checks", lambda *_, **__: 1 / 0)
    whole.go()
    assert heard[-1][0] == "failed"
    assert telling.failed
