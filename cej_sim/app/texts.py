"""All the words that the app shows, by language: one flat file a language, so that a translation is a file.

``texts/en.yaml`` holds every key, sorted, with ``{name}`` where the program puts something in. The names of metrics are
declared in English with the model and join here as ``metric.NAME``; a translation gives its own. What a translation
lacks stands in English, and a test lets the shipped ones lack nothing. ``texts/stories/NAME.es.yaml`` holds the texts
of a story. What else is written by people for people (the descriptions of scenarios, the labels of rules) is not
translated here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cej_sim.metrics import METRICS
from cej_sim.nodes import ScalarNode, ScenarioError, either, parse, stop, text_of

FOLDER = Path(__file__).with_name("texts")

#: The language in which every text exists.
ENGLISH = "en"

_PLACE = re.compile(r"\{(\w+)\}")


class LanguageError(ValueError):
    """There is no such language; the message says which there are."""


def languages() -> tuple[str, ...]:
    """The languages that there are, English first."""
    found = sorted(path.stem for path in FOLDER.glob("*.yaml"))
    return (ENGLISH, *(name for name in found if name != ENGLISH))


@cache
def own(language: str) -> Mapping[str, str]:
    """The keys and texts of one language's file alone, in the order of the file.

    Raises:
        LanguageError: If there is no such language.
        ScenarioError: If its file has mistakes, with line and column.
    """
    if language not in languages():
        raise LanguageError(f"there is no language {language[:20]!r}; write {either(languages())}")
    return _flat(FOLDER / f"{language}.yaml")


@cache
def of_story(name: str, language: str) -> Mapping[str, str]:
    """The texts of a shipped story in a language, by their places in it (``steps.1.say``); empty where there are none.

    Raises:
        ScenarioError: If the file has mistakes, with line and column.
    """
    path = FOLDER / "stories" / f"{name}.{language}.yaml"
    return _flat(path) if path.exists() else {}


def _flat(path: Path) -> dict[str, str]:
    root = parse(text_of(path, path.name, "texts"), path.name, "a file of texts", "key: text")
    found: dict[str, str] = {}
    for key, node in root.items:
        if not isinstance(node, ScalarNode) or not node.text:
            stop(node.place, "a single text belongs here; write key: text", key.text)
        if key.text in found:
            stop(key.place, "this key stands here twice; keep one of them", key.text)
        found[key.text] = node.text
    return found


@cache
def _read(language: str) -> dict[str, str]:
    declared = {f"metric.{metric.name}": metric.label for metric in METRICS}
    return {**declared, **own(ENGLISH), **own(language)}


def read(language: str = ENGLISH) -> dict[str, str]:
    """Every text of a language, by key.

    Raises:
        LanguageError: If there is no such language.
    """
    return dict(_read(language))


def placeholders(text: str) -> frozenset[str]:
    """The names that a text has in braces."""
    return frozenset(_PLACE.findall(text))


def fill(text: str, values: Mapping[str, object]) -> str:
    """A text with values put in for the names in braces; a name without a value stays as it is."""
    return _PLACE.sub(lambda found: str(values.get(found[1], found[0])), text)


def worded(payload: Mapping[str, Any], language: str) -> dict[str, Any]:
    """A payload of ``history.Show`` with the names of metrics, shipped scenarios and usual issues in a language."""
    if language == ENGLISH:
        return dict(payload)
    words, given = read(language), dict(payload)
    given["metrics"] = [{**one, "label": words.get(f"metric.{one['name']}", one["label"])} for one in given["metrics"]]
    given["sides"] = [_side(side, words) for side in given["sides"]]
    return given


def _side(side: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, Any]:
    issues = {name: words.get(f"issue.{name.replace(' ', '_')}", name) for name in side.get("issues", ())}
    return {
        **side,
        "title": words.get(f"scenario.{side['name']}", side["title"]),
        "issues": list(issues.values()),
        "log": [{**entry, "subject": issues.get(entry["subject"], entry["subject"])} for entry in side.get("log", ())],
    }


__all__ = ["LanguageError", "ScenarioError", "fill", "languages", "own", "placeholders", "read", "worded"]
