"""The directory of a sweep: begun, gone on with, put in order at its end, and described for others.

The rooms below are ``content`` (numbers and their hashes), ``files`` (what is written and read), ``ledger`` (which
cells are done) and ``results`` (a sweep for reading); what others need of them can be imported from here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cej_sim import provenance
from cej_sim.nodes import plain
from cej_sim.scenario import stored_name
from cej_sim.sweeps.content import (
    PROBE_SCHEMA,
    Probed,
    canonical,
    cell_hash,
    engine,
    probe_table,
    row_schema,
    row_table,
    stored_array,
    stored_hash,
    stored_probes,
)
from cej_sim.sweeps.design import Design, Plan
from cej_sim.sweeps.files import (
    CELLS,
    CELLS_TEXT,
    DESIGN,
    INPUTS,
    LEDGER,
    LOCK,
    PART_BYTES,
    PROBES,
    ROWS,
    STAGING,
    Part,
    SweepError,
    SweepFailure,
    cells_of,
    changed_part,
    groups,
    in_order,
    in_portions,
    lock,
    place_part,
    reason,
    take_part,
    write_part,
    write_whole,
)
from cej_sim.sweeps.ledger import Done, Failed, Ledger
from cej_sim.sweeps.results import (
    FORMAT,
    Shard,
    Sweep,
    cell_schema,
    cell_tables,
    check_begun,
    checked_part,
    stored_design,
)

__all__ = [
    "CELLS",
    "CELLS_TEXT",
    "DESIGN",
    "FORMAT",
    "INPUTS",
    "LEDGER",
    "LOCK",
    "MANY_PARTS",
    "PART_BYTES",
    "PROBES",
    "PROBE_SCHEMA",
    "ROWS",
    "Done",
    "Failed",
    "Ledger",
    "Part",
    "Probed",
    "Shard",
    "Sweep",
    "SweepError",
    "SweepFailure",
    "canonical",
    "cell_hash",
    "cell_schema",
    "cell_tables",
    "cells_of",
    "changed_part",
    "check_begun",
    "check_directory",
    "checked_part",
    "compact",
    "create",
    "design_differences",
    "engine",
    "groups",
    "in_order",
    "in_portions",
    "lock",
    "place_part",
    "probe_table",
    "remove_if_empty",
    "row_schema",
    "row_table",
    "same",
    "stored_array",
    "stored_design",
    "stored_hash",
    "stored_probes",
    "take_part",
    "write_cells",
    "write_part",
    "write_provenance",
    "write_whole",
]

#: More parts than this, most of them small, are put together at the end.
MANY_PARTS = 200


def check_directory(directory: Path) -> None:
    """Find out, without leaving a trace, whether a sweep may be written into a directory.

    Raises:
        SweepError: If it holds something that is not a sweep of ours, or cannot be written.
    """
    try:
        str(directory).encode()
    except UnicodeEncodeError:
        raise SweepError(
            f"{plain(str(directory))}: the name is not in UTF-8, which the libraries that write tables need; "
            "name another directory"
        ) from None
    try:
        provenance.check_output(directory, holding="sweep")
    except provenance.OutputError as error:
        raise SweepError(str(error)) from None


def create(directory: Path, design: Design, shard: Shard, command: str | None) -> Ledger:
    """Begin a sweep in a directory that ``check_directory`` has let pass, or open the one that is there.

    What is killed within it begins again from the start: first the directory is marked as ours, then there is a
    ledger, and what it says comes last, in one transaction.

    Raises:
        SweepError: If another sweep was begun there.
        SweepFailure: If the disk is full or fails, or the ledger is damaged.
    """
    if not (directory / LEDGER).exists():
        check_begun(directory)
        mark = {"software": provenance.SOFTWARE, "format": provenance.FORMAT, "kind": "sweep", "complete": False}
        write_whole(directory / provenance.FILE, _json(mark))
    made = Ledger(directory, create=True)
    try:
        about = made.about()
        if about:
            same(directory, about, design, shard)
            made.check()
            _take_words(directory, made, design)
            return made
        check_begun(directory)
        for folder in (ROWS, PROBES, INPUTS):
            (directory / folder).mkdir(exist_ok=True)
        _copy_inputs(directory, design)
        if design.text:
            write_whole(directory / DESIGN, design.text.encode())
        made.begin(
            {
                "format": FORMAT,
                "design": design.to_json(),
                "design_hash": design.hash(),
                "engine": engine(),
                "shard": list(shard),
                "cells": len(Plan(design)),
                "command": command,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        if stored_design(directory, made.about()).hash() != design.hash():
            raise SweepFailure(f"{directory}: the design cannot be stored so that it gives the same numbers again")
        return made
    except OSError as error:
        made.close()
        raise SweepFailure(f"{directory} cannot be written: {reason(error)}") from error
    except BaseException:
        made.close()
        raise


def _take_words(directory: Path, ledger: Ledger, design: Design) -> None:
    """Take over what may change in a design under its sweep: words for people, and the time limit."""
    now = json.loads(json.dumps(design.to_json()))
    if now == ledger.about()["design"]:
        return
    (directory / CELLS).unlink(missing_ok=True)  # so that the end is written again
    if design.text:
        write_whole(directory / DESIGN, design.text.encode())
    with ledger.transaction() as connection:
        connection.execute("UPDATE about SET value = ? WHERE name = 'design'", (json.dumps(now),))


def _copy_inputs(directory: Path, design: Design) -> None:
    """Copy the network files, each into a folder of its content, so that equal names do not matter."""
    for scenario in design.scenarios:
        network = scenario.network_file
        for path in filter(None, (network.path, network.nodes) if network is not None else ()):
            content = path.read_bytes()
            place = directory / INPUTS / stored_name(path.name, hashlib.sha256(content).hexdigest())
            place.parent.mkdir(exist_ok=True)
            write_whole(place, content)


def same(directory: Path, about: dict[str, Any], design: Design, shard: Shard) -> None:
    """Refuse to go on with a sweep as something else than it was begun as."""
    if about["format"] != FORMAT:
        raise SweepError(f"{directory} was written by another version of cej_sim; name another directory")
    advice = f"name another directory for the changed sweep, or remove {directory} to begin anew"
    if about["design_hash"] != stored_design(directory, about).hash():
        raise SweepError(
            f"{directory}: the design's cells come out differently now, because a library that draws them (SALib, "
            f"scipy, numpy) has another version; go back to the versions in {provenance.FILE}, or {advice}"
        )
    if about["design_hash"] != design.hash():
        changed = design_differences(about["design"], json.loads(json.dumps(design.to_json())))
        raise SweepError(
            f"{directory} holds a sweep of another design ({changed}); put the design back as it was, or {advice}"
        )
    if tuple(about["shard"]) != tuple(shard):
        begun = Shard(*about["shard"])
        option = f"--shard {begun}" if begun.of > 1 else "no --shard"
        raise SweepError(f"{directory} holds shard {begun} of this design, not {shard}; give {option}, or {advice}")
    if about["engine"] != engine():
        raise SweepError(
            f"{directory} was begun with another version of the model's code ({about['engine']}, now {engine()}), "
            f"whose numbers may differ; go back to that version, or {advice}"
        )


def design_differences(before: Any, after: Any, limit: int = 3) -> str:
    """Where two designs differ, for people: ``runs: 20, now 40; seed: 1, now 2``."""
    hidden = ("label", "description", "name:", "time_limit", "text")
    found = [text for text in _differences(before, after, "") if not text.startswith(hidden) and ".hash:" not in text]
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return "; ".join(found[:limit]) + more if found else "a file that it names has changed"


def _differences(before: Any, after: Any, where: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            yield from _differences(before.get(key), after.get(key), f"{where}.{key}" if where else str(key))
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple) and len(before) == len(after):
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, f"{where}[{place}]")
    elif before != after:
        yield f"{where}: {_short(before)}, now {_short(after)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _json(content: Any) -> bytes:
    text = json.dumps(content, indent=1, default=str, ensure_ascii=False) + "\n"
    return text.encode(errors="backslashreplace")  # names in another encoding are written out


def write_provenance(directory: Path, ledger: Ledger, design: Design) -> dict[str, Any]:
    """Write ``provenance.json``: what was computed, from what, by what, and the hash of all that is there."""
    about = ledger.about()
    shard = Shard(*about["shard"])
    done, failed = ledger.counts()
    cells = len(shard.cells(about["cells"]))
    content = provenance.describe(
        {scenario.name: scenario for scenario in design.scenarios},
        seed=design.seed,
        runs=design.runs,
        months=design.months,
        engine=about["engine"],
        command=about["command"],
    )
    content |= {
        "kind": "sweep",
        "created": about["created"],
        "updated": content["created"],
        "design": about["design"],
        "design_hash": about["design_hash"],
        "shard": str(shard) if shard.of > 1 else None,
        "cells": cells,
        "done": done,
        "failed": failed,
        "complete": done + failed == cells,
        "content_hash": ledger.content_hash(),
    }
    write_whole(directory / provenance.FILE, _json(content))
    return content


def write_cells(directory: Path, plan: Plan, ledger: Ledger, shard: Shard) -> None:
    """Write ``cells.parquet`` and ``cells.csv``."""
    from pyarrow import csv

    schema = cell_schema(plan)
    staging = [directory / f"{STAGING}{uuid.uuid4().hex}.tmp" for _ in (CELLS, CELLS_TEXT)]
    try:
        with pq.ParquetWriter(staging[0], schema) as parquet, csv.CSVWriter(staging[1], schema) as text:
            for table in cell_tables(plan, ledger, shard):
                parquet.write_table(table)
                text.write_table(table)
        for path, name in zip(staging, (CELLS, CELLS_TEXT), strict=True):
            os.replace(path, directory / name)
    except OSError as error:
        raise SweepFailure(f"{directory / CELLS} cannot be written: {reason(error)}") from error
    finally:
        for path in staging:
            path.unlink(missing_ok=True)


def compact(directory: Path, ledger: Ledger, size: int = PART_BYTES) -> None:
    """Put many small parts together to a few in the order of cells; rows and hashes stay as they are."""
    parts = ledger.parts()
    if len(parts) <= MANY_PARTS or sum(part.bytes for part in parts) >= len(parts) * size // 4:
        return
    rows = in_portions(in_order([(part.first, directory / ROWS / part.name) for part in parts]), size)
    probes = iter(
        found
        for table in in_order([(part.first, directory / PROBES / part.name) for part in parts if part.probes])
        for found in cells_of(table)
    )
    following = next(probes, None)
    new, cells = [], []
    for table in rows:
        inside = pc.unique(table.column("cell")).to_pylist()
        held = []
        while following is not None and following[0] <= inside[-1]:
            held.append(following[1])
            following = next(probes, None)
        new.append(write_part(directory, table, pa.concat_tables(held) if held else None))
        cells.append(inside)
    ledger.replace([part.name for part in parts], new, cells)
    ledger.tidy()


def remove_if_empty(directory: Path) -> None:
    """Remove a directory in which no sweep was begun, so that a refusal leaves no trace."""
    lock_files = (directory / LOCK, directory / f"{LOCK}-journal")
    if directory.is_dir() and set(directory.iterdir()) <= set(lock_files):
        with contextlib.suppress(OSError):  # as where something else has the lock's name
            for file in lock_files:
                file.unlink(missing_ok=True)
            directory.rmdir()
