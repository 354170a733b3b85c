"""All words that the app shows, by key: a file for each language, which a translation adds."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

FOLDER = Path(__file__).with_name("texts")


@cache
def read(language: str = "en") -> dict[str, str]:
    """The words of a language; those that it lacks are English."""
    found = YAML(typ="safe").load(FOLDER / f"{language}.yaml")
    return found if language == "en" else {**read("en"), **found}
