"""Where each value of a scenario comes from: which file and line, or the default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from cej_sim.explaining.words import plain
from cej_sim.nodes import Place, clean
from cej_sim.reading import Reading
from cej_sim.scenario import PARAMETERS


class Row(NamedTuple):
    """A value, where it stands in a file (None: it is the default), and its path."""

    path: str
    value: str
    place: Place | None


def _written(value: object) -> str:
    """A value as it stands in a file."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    return plain(str(value))


def resolved(reading: Reading) -> list[Row]:
    """Every value of a file that was read without mistakes, in the order of a scenario file.

    Raises:
        ValueError: If the file has mistakes.
    """
    scenario, given, places = reading.scenario, reading.given, reading.places
    if scenario is None:
        raise ValueError(f"{reading.path} has mistakes; mend them first")
    rows: list[Row] = []

    def place_of(path: str, key: str) -> Place | None:
        """The place of a key that is not one of the file's own; long ones are kept shortened."""
        return places.get(f"{path}.{key}", places.get(f"{path}.{clean(key)}"))

    def add(path: str, value: object) -> None:
        rows.append(Row(plain(path), _written(value), places.get(path) if path in given else None))

    def add_all(prefix: str, but: Sequence[str] = ()) -> None:
        for path in PARAMETERS:
            if path.startswith(prefix) and path not in but:
                add(path, scenario.values[path])

    def add_items(path: str, items: Sequence[Any]) -> None:
        for i, item in enumerate(items):
            for field in fields(item):
                add(f"{path}.{i}.{field.name}", getattr(item, field.name))

    add("name", scenario.name)
    add("label", scenario.label)
    if "extends" in given:
        add("extends", given["extends"])
    add("months", scenario.months)
    add_all("community.")
    add_items("community.groups", scenario.groups)
    file = scenario.network_file
    add_all("network.", ("network.generate",) if file is not None else ())
    if file is not None:
        add("network.file", file.path)
        add("network.kind.column", file.kind_column)
        for word, kind in file.kind_map:
            place = place_of("network.kind.map", word)
            rows.append(Row(plain(f"network.kind.map.{word}"), kind, place))
        add("network.kind.default", file.kind_default)
        add("network.weight", file.weight)
        add("network.scale", file.scale)
        if file.nodes is not None:
            add("network.nodes", file.nodes)
        add("network.residents.generate" if file.residents else "network.residents", file.residents)
    add_items("issues", scenario.issues)
    for prefix in ("governance.", "funder.", "mechanisms.", "coefficients."):
        add_all(prefix)
    for i in range(given.get("events", 0)):
        add(f"events.{i}.month", given[f"events.{i}.month"])
        add(f"events.{i}.by", given[f"events.{i}.by"])
        for path, value in given[f"events.{i}.set"].items():
            rows.append(Row(f"events.{i}.set.{path}", _written(value), place_of(f"events.{i}.set", path)))
    add_items("expect", scenario.expect)
    return rows
