"""The words of the app: every language has all of them, with the same places for numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cej_sim.app import texts
from cej_sim.metrics import METRICS
from cej_sim.reading import shipped

APP = Path(texts.__file__).parent
ENGLISH = texts.own("en")
OTHERS = [language for language in texts.languages() if language != "en"]

#: Words that are the same in both languages.
SAME = {
    "story.sheet.minutes", "story.guess.said", "player.step.ideas.short", "scenario.able_change",
    "scenario.boston_reach",
    "scenario.valuing_our_children", "levers.no", "room.vote.no", "room.side", "levers.differs",
    "room.scenario.side",
}  # fmt: skip


def test_english_and_spanish_are_shipped():
    assert texts.languages()[0] == "en"
    assert "es" in texts.languages()


@pytest.mark.parametrize("language", texts.languages())
def test_keys_are_flat_and_sorted_within_their_groups(language):
    keys = list(texts.own(language))
    assert all(re.fullmatch(r"[a-z]+(\.[\w/ ]+)+", key) for key in keys)
    groups = [key.split(".")[0] for key in keys]
    assert groups == sorted(groups)
    assert keys == sorted(keys)


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_every_key_and_none_of_its_own(language):
    declared = {f"metric.{metric.name}" for metric in METRICS} | {f"scenario.{name}" for name in shipped()}
    assert set(texts.own(language)) == set(ENGLISH) | declared


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_puts_the_same_things_in(language):
    translated = texts.own(language)
    differing = {
        key: (text, translated[key])
        for key, text in ENGLISH.items()
        if texts.placeholders(text) != texts.placeholders(translated[key])
    }
    assert differing == {}


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_was_left_in_english(language):
    translated, english = texts.own(language), texts.read("en")
    left = {key for key, text in translated.items() if text == english.get(key) and re.search("[A-Za-z]{3}", text)}
    assert left <= SAME


def test_every_key_that_the_code_names_has_a_text():
    named: set[str] = set()
    for file in APP.glob("front/*.js"):
        named |= set(re.findall(r"""\bt\(\s*["']([a-z]+\.[\w.]*\w)["']\s*[,)]""", file.read_text("utf-8")))
    for file in APP.glob("*.py"):
        named |= set(
            re.findall(r"""\b(?:text|paragraph|entry)\(\s*"([a-z]+\.[\w.]*\w)"\s*[,)]""", file.read_text("utf-8"))
        )
    assert len(named) > 50
    assert {key for key in named if key not in ENGLISH} == set()


def test_texts_hold_no_markup():
    for language in texts.languages():
        assert [key for key, text in texts.own(language).items() if re.search(r"[<>&]", text)] == []


def test_an_unknown_language_is_named():
    with pytest.raises(texts.LanguageError, match="no language 'xx'; write en or es"):
        texts.read("xx")


def test_fill_leaves_what_has_no_value():
    assert texts.fill("{a} and {b}", {"a": 1}) == "1 and {b}"


def test_a_payload_gets_words_and_keeps_its_numbers():
    payload = {
        "metrics": [{"name": "burden", "label": "How much of the problem remains", "unit": "share"}],
        "sides": [{"name": "community_led", "title": "Community-led"}, {"name": "mine", "title": "Mine"}],
        "runs": 30,
    }
    told = texts.worded(payload, "es")
    assert told["metrics"][0] == {"name": "burden", "label": "Cuánto queda del problema", "unit": "share"}
    assert [side["title"] for side in told["sides"]] == ["Dirigida por la comunidad", "Mine"]
    assert told["runs"] == 30
    assert payload["metrics"][0]["label"] == "How much of the problem remains"
    assert texts.worded(payload, "en") == payload
