"""The directory of a sweep: a ledger in SQLite, rows in Parquet parts, and what says how they came about.

A part is written under a temporary name, synchronized and renamed; only then does one transaction of the ledger
list it together with its cells. Whatever is killed in between leaves a file that nobody lists, which readers do not
see and the next start removes. The ledger uses SQLite's rollback journal, which also works on network file systems.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import heapq
import json
import os
import shutil
import sqlite3
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cej_sim import compiled, provenance
from cej_sim.sweeps.design import Design, Plan

if TYPE_CHECKING:
    import pandas as pd

LEDGER = "ledger.sqlite"
LOCK = ".cej_sim-lock"
ROWS, PROBES, INPUTS = "rows", "probes", "inputs"
DESIGN, CELLS, CELLS_TEXT = "design.yaml", "cells.parquet", "cells.csv"

#: How files begin that are being written.
_STAGING = ".cej_sim-"

#: How the directory is laid out; another number is refused.
FORMAT = 1

#: Sources beside the engine's that decide the rows of a cell.
_SOURCES = ("runs.py", "sweeps/ablation.py", "sweeps/design.py", "sweeps/worker.py")

#: Size of a part that many small ones are put together to, and of the groups of rows within a part.
PART_BYTES = 64 * 2**20
_GROUP_BYTES = 8 * 2**20

#: More parts than this, most of them small, are put together at the end.
MANY_PARTS = 200

PROBE_SCHEMA = pa.schema(
    [
        ("cell", pa.int64()), ("scenario", pa.string()), ("run", pa.int32()), ("probe", pa.string()),
        ("metric", pa.string()), ("month", pa.int32()), ("value", pa.float64()),
    ]
)  # fmt: skip

_TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE parts (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, first INTEGER NOT NULL, last INTEGER NOT NULL,
    rows INTEGER NOT NULL, bytes INTEGER NOT NULL, probes INTEGER NOT NULL, probe_bytes INTEGER NOT NULL
);
CREATE TABLE cells (
    cell INTEGER PRIMARY KEY, hash BLOB NOT NULL, runs INTEGER NOT NULL, seconds REAL NOT NULL,
    part INTEGER NOT NULL REFERENCES parts (id)
);
CREATE INDEX cells_of_part ON cells (part);
CREATE TABLE failures (
    cell INTEGER PRIMARY KEY, error TEXT NOT NULL, trace TEXT NOT NULL, seed TEXT NOT NULL, seconds REAL NOT NULL,
    time TEXT NOT NULL
);
"""

Method = TypeVar("Method", bound=Callable[..., Any])


class SweepError(ValueError):
    """What was asked for cannot be done; the message says what is wrong and what to do, a line for each mistake."""


class SweepFailure(RuntimeError):
    """Something gave way while working (a full disk, a damaged file); the message says what, and what to do."""


class Done(NamedTuple):
    """A finished cell."""

    cell: int
    hash: bytes
    runs: int
    seconds: float


class Failed(NamedTuple):
    """A cell that could not be computed."""

    cell: int
    error: str
    trace: str
    seed: str
    seconds: float


class Part(NamedTuple):
    """A file of rows, and one of probes with the same name where there are any."""

    name: str
    first: int
    last: int
    rows: int
    bytes: int
    probes: int
    probe_bytes: int


class Probed(NamedTuple):
    """One number of a probe."""

    scenario: str
    run: int
    probe: str
    metric: str
    month: int
    value: float


# The bytes that a cell stands for


def canonical(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Little-endian doubles in one piece, every missing number with the same bits."""
    plain = np.array(values, dtype="<f8", order="C")
    plain[np.isnan(plain)] = np.nan
    return plain


def cell_hash(design: Design, rows: NDArray[np.float64], probes: Sequence[Probed]) -> bytes:
    """SHA-256 of a cell: what its columns are, its canonical rows (scenario, run, month, metric), then its probes."""
    heads = [list(design.names), int(rows.shape[1]), list(design.keep_months), list(design.keep_metrics)]
    digest = hashlib.sha256(json.dumps(heads).encode() + b"\n")
    digest.update(rows.tobytes())
    for one in probes:
        key = json.dumps([one.scenario, int(one.run), one.probe, one.metric, int(one.month)])
        digest.update(key.encode() + canonical(np.array([one.value])).tobytes())
    return digest.digest()


def row_schema(design: Design) -> pa.Schema:
    """The columns of rows."""
    keys = [("cell", pa.int64()), ("scenario", pa.string()), ("run", pa.int32()), ("month", pa.int32())]
    return pa.schema([*keys, *((metric, pa.float64()) for metric in design.keep_metrics)])


def row_table(design: Design, cells: Sequence[int], arrays: Sequence[NDArray[np.float64]]) -> pa.Table:
    """Rows of cells from one array (scenarios, runs, kept months, kept metrics) for each."""
    names, months = pa.array(design.names, pa.string()), np.asarray(design.keep_months, np.int32)
    each = len(months)
    counts = [array.shape[0] * array.shape[1] * each for array in arrays]
    scenario, run = [], []
    for array in arrays:
        scenarios, runs = array.shape[:2]
        scenario.append(np.repeat(np.arange(scenarios, dtype=np.int32), runs * each))
        run.append(np.tile(np.repeat(np.arange(runs, dtype=np.int32), each), scenarios))
    values = np.concatenate([array.reshape(-1, len(design.keep_metrics)) for array in arrays])
    columns = [
        pa.array(np.repeat(np.asarray(cells, np.int64), counts)),
        names.take(pa.array(np.concatenate(scenario))),
        pa.array(np.concatenate(run)),
        pa.array(np.tile(months, sum(counts) // each)),
        *(pa.array(np.ascontiguousarray(column)) for column in values.T),
    ]
    return pa.Table.from_arrays(columns, schema=row_schema(design))


def probe_table(cells: Sequence[int], probes: Sequence[Sequence[Probed]]) -> pa.Table:
    """Probes of cells."""
    flat = [(cell, *one) for cell, found in zip(cells, probes, strict=True) for one in found]
    columns = list(zip(*flat, strict=True)) if flat else [()] * len(PROBE_SCHEMA)
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, PROBE_SCHEMA, strict=True)],
        schema=PROBE_SCHEMA,
    )


def stored_hash(design: Design, rows: pa.Table, probes: pa.Table | None) -> bytes:
    """The hash of one cell from its stored rows and probes."""
    return cell_hash(design, stored_array(design, rows), stored_probes(probes))


def stored_array(design: Design, rows: pa.Table) -> NDArray[np.float64]:
    """The array (scenarios, runs, kept months, kept metrics) that one cell's rows were made from."""
    values = np.stack([rows.column(metric).to_numpy() for metric in design.keep_metrics], axis=1)
    return canonical(values.reshape(len(design.names), -1, len(design.keep_months), len(design.keep_metrics)))


def stored_probes(probes: pa.Table | None) -> list[Probed]:
    """One cell's probes as they were computed."""
    if probes is None:
        return []
    columns = [probes.column(name).to_pylist() for name in PROBE_SCHEMA.names[1:]]
    return [Probed(*row) for row in zip(*columns, strict=True)]


# What decides the rows of a plan


@functools.cache
def engine() -> str:
    """Hash of the sources that decide rows; unlike the compiler's cache, the same on every processor."""
    digest = hashlib.sha256(compiled.source_text())
    for name in _SOURCES:
        digest.update((Path(compiled.__file__).parent / name).read_bytes())
    return digest.hexdigest()[:16]


class Shard(NamedTuple):
    """Part ``number`` (from 1) of so many of a plan's cells: every so manieth cell."""

    number: int = 1
    of: int = 1

    def cells(self, length: int) -> range:
        """The numbers of its cells."""
        return range(self.number - 1, length, self.of)

    def __str__(self) -> str:
        """As it is written on the command line."""
        return f"{self.number}/{self.of}"


# Files


def _reason(error: OSError) -> str:
    if error.errno == errno.EFBIG:
        return "the file became larger than this system allows"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return "the disk is full"
    return (error.strerror or str(error)).lower()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that, whenever the power goes, it is there whole or not at all.

    Raises:
        SweepFailure: If the disk is full or fails.
    """
    staging = path.with_name(f"{_STAGING}{uuid.uuid4().hex}.tmp")
    try:
        with staging.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staging, path)
        _synchronize(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            staging.unlink(missing_ok=True)
        raise SweepFailure(f"{path} cannot be written: {_reason(error)}") from error


def _synchronize(folder: Path) -> None:
    """Have the names in a folder reach the disk, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_part(directory: Path, rows: pa.Table, probes: pa.Table | None) -> Part:
    """Write cells' rows and probes into new files; whoever lists them in the ledger makes them count.

    Raises:
        SweepFailure: If the disk is full or fails.
    """
    first, last = (int(getattr(pc, edge)(rows.column("cell")).as_py()) for edge in ("min", "max"))
    name = f"part-{first:09d}-{uuid.uuid4().hex[:12]}.parquet"
    probe_bytes = 0
    if probes is not None and len(probes):
        content = _parquet(probes)
        write_whole(directory / PROBES / name, content)
        probe_bytes = len(content)
    content = _parquet(rows)
    write_whole(directory / ROWS / name, content)
    return Part(name, first, last, len(rows), len(content), 0 if probes is None else len(probes), probe_bytes)


def _parquet(table: pa.Table) -> bytes:
    """A table as a Parquet file, with a checksum on every page."""
    sink = pa.BufferOutputStream()
    group = max(1024, _GROUP_BYTES // (8 * table.num_columns))
    names = [field.name for field in table.schema if not pa.types.is_floating(field.type)]
    pq.write_table(table, sink, row_group_size=group, use_dictionary=names, write_page_checksum=True)
    return sink.getvalue().to_pybytes()


@contextlib.contextmanager
def lock(directory: Path) -> Iterator[None]:
    """Be the only one who works in a directory; the system frees it when the process ends, however that happens.

    The lock is that of an empty SQLite file, which is a lock of the operating system on every platform.

    Raises:
        SweepError: If somebody else is working there.
    """
    holder = sqlite3.connect(f"file:{quote(str(directory / LOCK))}?mode=rwc", uri=True, timeout=0, isolation_level=None)
    try:
        try:
            holder.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise SweepFailure(f"{directory} cannot be locked: {error}") from error
            raise SweepError(
                f"{directory}: another cej-sim is working in it; wait for it to end, stop it, or name another directory"
            ) from None
        yield
    finally:
        holder.close()


# The ledger


def _guarded(method: Method) -> Method:
    """Turn the database's complaints into messages for people."""

    @functools.wraps(method)
    def call(self: Ledger, *arguments: Any, **options: Any) -> Any:
        try:
            return method(self, *arguments, **options)
        except sqlite3.Error as error:
            raise self.complaint(error) from error

    return call  # type: ignore[return-value]


class Ledger:
    """Which cells are done, in which parts, and which failed."""

    def __init__(self, directory: Path, create: bool = False) -> None:
        """Open the ledger of a directory.

        Raises:
            SweepFailure: If it cannot be opened.
        """
        self.directory = directory
        self.path = directory / LEDGER
        mode = "rwc" if create else "rw"
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(str(self.path))}?mode={mode}", uri=True, timeout=60.0, isolation_level=None
            )
            self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            raise self.complaint(error) from error

    def complaint(self, error: sqlite3.Error) -> SweepFailure:
        """What the database complains of, for people."""
        text = str(error)
        if "full" in text or "disk I/O" in text:
            return SweepFailure(f"{self.path} cannot be written: the disk is full or fails ({text})")
        if "malformed" in text or "not a database" in text or "no such" in text or "file is encrypted" in text:
            return SweepFailure(
                f"{self.path} is damaged ({text}), so nothing says any more which rows are whole; "
                f"put a copy of {self.directory.name} back, or remove the directory and run the sweep again"
            )
        return SweepFailure(f"{self.path} cannot be used: {text}")

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything in it happens, or nothing."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self.complaint(error) from error

    @_guarded
    def about(self) -> dict[str, Any]:
        """What the sweep is; empty before it was begun."""
        found = self._connection.execute("SELECT name FROM sqlite_master WHERE name = 'about'").fetchall()
        if not found:
            return {}
        return {name: json.loads(text) for name, text in self._connection.execute("SELECT name, value FROM about")}

    def begin(self, about: dict[str, Any]) -> None:
        """Make the tables and say what the sweep is, in one transaction."""
        with self.transaction() as connection:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.executemany(
                "INSERT INTO about VALUES (?, ?)", [(name, json.dumps(value)) for name, value in about.items()]
            )

    @_guarded
    def check(self) -> None:
        """Have the database look through itself.

        Raises:
            SweepFailure: If it is damaged.
        """
        (answer,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            raise self.complaint(sqlite3.DatabaseError(f"malformed: {answer}"))

    @_guarded
    def counts(self) -> tuple[int, int]:
        """How many cells are done, and how many failed."""
        done, failed = (
            self._connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in ("cells", "failures")
        )
        return int(done), int(failed)

    @_guarded
    def status(self, length: int) -> NDArray[np.uint8]:
        """For every cell of a plan: 0 missing, 1 done, 2 failed."""
        status = np.zeros(length, np.uint8)
        for table, mark in (("failures", 2), ("cells", 1)):
            for rows in _chunks(self._connection.execute(f"SELECT cell FROM {table}")):
                status[np.array(rows, np.int64).ravel()] = mark
        return status

    @_guarded
    def finished(self, first: int = 0, last: int = sys.maxsize) -> dict[int, Done]:
        """The finished cells from first to last."""
        found = self._connection.execute(
            "SELECT cell, hash, runs, seconds FROM cells WHERE cell BETWEEN ? AND ? ORDER BY cell", (first, last)
        )
        return {row[0]: Done(*row) for row in found}

    @_guarded
    def failures(self, first: int = 0, last: int = sys.maxsize) -> dict[int, Failed]:
        """The failed cells from first to last."""
        found = self._connection.execute(
            "SELECT cell, error, trace, seed, seconds FROM failures WHERE cell BETWEEN ? AND ? ORDER BY cell",
            (first, last),
        )
        return {row[0]: Failed(*row) for row in found}

    @_guarded
    def parts(self) -> list[Part]:
        """The parts that count, by their first cell."""
        columns = ", ".join(Part._fields)
        return [Part(*row) for row in self._connection.execute(f"SELECT {columns} FROM parts ORDER BY first, name")]

    def record(self, part: Part | None, done: Sequence[Done], failed: Sequence[Failed]) -> None:
        """List a part with its cells, and failed cells, in one transaction; each cell counts once."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self.transaction() as connection:
            if part is not None:
                row = connection.execute(
                    f"INSERT INTO parts ({', '.join(Part._fields)}) VALUES (?, ?, ?, ?, ?, ?, ?)", part
                ).lastrowid
                connection.executemany("INSERT INTO cells VALUES (?, ?, ?, ?, ?)", [(*one, row) for one in done])
                connection.executemany("DELETE FROM failures WHERE cell = ?", [(one.cell,) for one in done])
            connection.executemany(
                "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?)", [(*one, now) for one in failed]
            )

    def replace(self, old: Sequence[str], new: Sequence[Part], cells: Sequence[Sequence[int]]) -> None:
        """List new parts, each with its cells, in the place of old ones, in one transaction."""
        with self.transaction() as connection:
            for part, inside in zip(new, cells, strict=True):
                row = connection.execute(
                    f"INSERT INTO parts ({', '.join(Part._fields)}) VALUES (?, ?, ?, ?, ?, ?, ?)", part
                ).lastrowid
                connection.executemany("UPDATE cells SET part = ? WHERE cell = ?", [(row, cell) for cell in inside])
            connection.executemany("DELETE FROM parts WHERE name = ?", [(name,) for name in old])

    def drop(self, name: str) -> int:
        """Forget a part with its cells, which are to be computed again; returns how many they were."""
        with self.transaction() as connection:
            where = "part = (SELECT id FROM parts WHERE name = ?)"
            count = connection.execute(f"DELETE FROM cells WHERE {where}", (name,)).rowcount
            connection.execute("DELETE FROM parts WHERE name = ?", (name,))
        return int(count)

    @_guarded
    def content_hash(self) -> str:
        """SHA-256 over number (8 bytes, little-endian) and hash of every finished cell, by number."""
        digest = hashlib.sha256()
        for rows in _chunks(self._connection.execute("SELECT cell, hash FROM cells ORDER BY cell")):
            digest.update(b"".join(int(cell).to_bytes(8, "little") + content for cell, content in rows))
        return digest.hexdigest()

    def missing_parts(self) -> list[Part]:
        """Listed parts whose files are not there or are not as long as they were written."""

        def whole(path: Path, size: int) -> bool:
            try:
                return path.stat().st_size == size
            except OSError:
                return False

        return [
            part
            for part in self.parts()
            if not whole(self.directory / ROWS / part.name, part.bytes)
            or (part.probes and not whole(self.directory / PROBES / part.name, part.probe_bytes))
        ]

    def tidy(self) -> None:
        """Remove what nobody lists: files that were being written when something was killed."""
        listed = {part.name for part in self.parts()}
        for folder in (ROWS, PROBES, INPUTS, "."):
            for entry in (self.directory / folder).glob(f"{_STAGING}*.tmp"):
                entry.unlink(missing_ok=True)
        for folder in (ROWS, PROBES):
            for entry in (self.directory / folder).glob("part-*.parquet"):
                if entry.name not in listed:
                    entry.unlink(missing_ok=True)


def _chunks(cursor: sqlite3.Cursor, size: int = 2_000) -> Iterator[list[Any]]:
    while rows := cursor.fetchmany(size):
        yield rows


# The directory


def check_directory(directory: Path) -> None:
    """Find out, without leaving a trace, whether a sweep may be written into a directory.

    Raises:
        SweepError: If it holds something that is not a sweep of ours, or cannot be written.
    """
    try:
        provenance.check_output(directory, holding="sweep")
    except provenance.OutputError as error:
        raise SweepError(str(error)) from None


def create(directory: Path, design: Design, shard: Shard, command: str | None) -> Ledger:
    """Begin a sweep in a directory that ``check_directory`` has let pass, or open the one that is there.

    What is killed within it begins again from the start: the ledger comes last, and its first transaction is whole
    or absent.

    Raises:
        SweepError: If another sweep was begun there.
        SweepFailure: If the disk is full or fails, or the ledger is damaged.
    """
    made = Ledger(directory, create=True)
    try:
        about = made.about()
        if about:
            same(directory, about, design, shard)
            made.check()
            _take_words(directory, made, design)
            return made
        mark = {"software": provenance.SOFTWARE, "format": provenance.FORMAT, "kind": "sweep", "complete": False}
        write_whole(directory / provenance.FILE, _json(mark))
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
        raise SweepFailure(f"{directory} cannot be written: {_reason(error)}") from error
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
    """Copy the network files, by name."""
    files: dict[str, bytes] = {}
    for scenario in design.scenarios:
        network = scenario.network_file
        for path in filter(None, (network.path, network.nodes) if network is not None else ()):
            content = path.read_bytes()
            if files.setdefault(path.name, content) != content:
                raise SweepError(f"two different network files are called {path.name}; rename one of them")
    for name, content in files.items():
        write_whole(directory / INPUTS / name, content)


def stored_design(directory: Path, about: dict[str, Any]) -> Design:
    """The design that a directory holds."""
    return Design.from_json(about["design"], directory / INPUTS)


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
    return (json.dumps(content, indent=1, default=str, ensure_ascii=False) + "\n").encode()


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


# Cells as a table


def cell_schema(plan: Plan) -> pa.Schema:
    """The columns of ``cells.parquet``; a factor with words among its values is text, any other a number."""
    texts = {factor.name: any(isinstance(value, str) for value in factor.values) for factor in plan.design.factors}
    return pa.schema(
        [
            ("cell", pa.int64()), ("label", pa.string()), ("status", pa.string()),
            *((name, pa.string() if texts.get(name) else pa.float64()) for name in plan.columns),
            ("runs", pa.int32()), ("seconds", pa.float64()), ("error", pa.string()), ("seed", pa.string()),
        ]
    )  # fmt: skip


def cell_tables(plan: Plan, ledger: Ledger, shard: Shard, size: int = 2_000) -> Iterator[pa.Table]:
    """The cells of a sweep with what became of them, some thousand at a time."""
    schema = cell_schema(plan)
    cells = shard.cells(len(plan))
    for start in range(0, len(cells), size):
        chunk = cells[start : start + size]
        done, failed = ledger.finished(chunk[0], chunk[-1]), ledger.failures(chunk[0], chunk[-1])
        columns: list[list[Any]] = [[] for _ in schema]
        for cell in chunk:
            ended = done.get(cell) or failed.get(cell)
            row: list[Any] = [
                cell,
                plan.label(cell),
                "done" if cell in done else "failed" if cell in failed else "missing",
            ]
            for value, field in zip(plan.values(cell), list(schema)[3:], strict=False):
                row.append(value if value is None or pa.types.is_string(field.type) else float(value))
            row += [done[cell].runs if cell in done else None, ended.seconds if ended else None]
            row += [failed[cell].error if cell in failed else None, str(plan.seed(cell))]
            for column, value in zip(columns, row, strict=True):
                column.append(value)
        yield pa.Table.from_arrays(
            [
                pa.array([None if value is None else str(value) for value in column], field.type)
                if pa.types.is_string(field.type)
                else pa.array(column, field.type)
                for column, field in zip(columns, schema, strict=True)
            ],
            schema=schema,
        )


def write_cells(directory: Path, plan: Plan, ledger: Ledger, shard: Shard) -> None:
    """Write ``cells.parquet`` and ``cells.csv``."""
    from pyarrow import csv

    schema = cell_schema(plan)
    staging = [directory / f"{_STAGING}{uuid.uuid4().hex}.tmp" for _ in (CELLS, CELLS_TEXT)]
    try:
        with pq.ParquetWriter(staging[0], schema) as parquet, csv.CSVWriter(staging[1], schema) as text:
            for table in cell_tables(plan, ledger, shard):
                parquet.write_table(table)
                text.write_table(table)
        for path, name in zip(staging, (CELLS, CELLS_TEXT), strict=True):
            os.replace(path, directory / name)
    except OSError as error:
        raise SweepFailure(f"{directory / CELLS} cannot be written: {_reason(error)}") from error
    finally:
        for path in staging:
            path.unlink(missing_ok=True)


# Reading rows


def groups(path: Path, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    """The groups of rows of a file, one at a time.

    Raises:
        SweepFailure: If it is damaged.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns)
    except (OSError, pa.ArrowException) as error:
        raise SweepFailure(
            f"{path} is damaged or missing ({' '.join(str(error).split())[:120]}); remove that file and run "
            "`cej-sim sweep` again: it computes the cells anew that were in it"
        ) from error


def in_order(paths: Sequence[tuple[int, Path]], columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Rows of files by cell, each file given with its first cell; one group of rows of each is in memory.

    A file holds its cells in ascending order, and no cell is in two files.
    """
    waiting = sorted(paths, reverse=True, key=lambda pair: (pair[0], pair[1].name))
    opened: list[tuple[int, int, pa.Table, Iterator[pa.Table]]] = []

    def advance(rows: Iterator[pa.Table], order: int) -> None:
        for table in rows:
            if len(table):
                heapq.heappush(opened, (table.column("cell")[0].as_py(), order, table, rows))
                return

    order = 0
    while waiting or opened:
        while waiting and (not opened or waiting[-1][0] <= opened[0][0]):
            order += 1
            advance(groups(waiting.pop()[1], columns), order)
        if not opened:
            continue
        _, own, table, rows = heapq.heappop(opened)
        limit = min([*(first for first, _ in waiting[-1:]), *(first for first, *_ in opened[:1])], default=None)
        count = len(table) if limit is None else int(np.searchsorted(table.column("cell").to_numpy(), limit))
        yield table.slice(0, count)
        if count < len(table):
            rest = table.slice(count)
            heapq.heappush(opened, (rest.column("cell")[0].as_py(), own, rest, rows))
        else:
            advance(rows, own)


def in_portions(tables: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """Tables by cell put together to about so many bytes, never with a cell divided between two."""
    held: list[pa.Table] = []
    amount = 0
    for table in tables:
        first = table.column("cell")[0].as_py()
        if amount >= size:
            whole = pa.concat_tables(held)
            cut = int(np.searchsorted(whole.column("cell").to_numpy(), first))
            if cut:
                yield whole.slice(0, cut)
            held = [whole.slice(cut)] if cut < len(whole) else []
            amount = sum(one.nbytes for one in held)
        held.append(table)
        amount += table.nbytes
    if held:
        yield pa.concat_tables(held)


def cells_of(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """The cells of a table in cell order, each with its rows."""
    cells = table.column("cell").to_numpy()
    edges = np.flatnonzero(np.diff(cells, prepend=cells[:1] - 1))
    for start, end in zip(edges, [*edges[1:], len(cells)], strict=True):
        yield int(cells[start]), table.slice(start, end - start)


class Sweep:
    """A directory of a sweep, for reading, also while it is being computed.

    Attributes:
        directory: Where it is.
        design: What was asked for.
        plan: Its cells.
        shard: Which of them this directory is for.
        temporary: What removes the directory when the sweep is forgotten, if it was made for it alone.
    """

    temporary: Any = None

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Open a directory.

        Raises:
            SweepError: If it holds no sweep.
            SweepFailure: If it is damaged.
        """
        self.directory = Path(directory)
        if not (self.directory / LEDGER).is_file():
            raise SweepError(f"{directory} holds no sweep (no {LEDGER}); name the --out directory of `cej-sim sweep`")
        self._ledger = Ledger(self.directory)
        self._about = self._ledger.about()
        if not self._about:
            raise SweepError(f"{directory}: the sweep was stopped before it began; run `cej-sim sweep` again")
        if self._about["format"] != FORMAT:
            raise SweepError(f"{directory} was written by another version of cej_sim, which can read it")
        self.design = stored_design(self.directory, self._about)
        self.plan = Plan(self.design)
        self.shard = Shard(*self._about["shard"])

    @property
    def about(self) -> dict[str, Any]:
        """What the ledger says of the sweep."""
        return self._about

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        return self._ledger

    @property
    def content_hash(self) -> str:
        """SHA-256 over number and hash of every finished cell."""
        return self._ledger.content_hash()

    @functools.cached_property
    def cells(self) -> pd.DataFrame:
        """A row per cell: ``cell label status``, a column per factor, ``runs seconds error seed``."""
        tables = list(cell_tables(self.plan, self._ledger, self.shard))
        return (pa.concat_tables(tables) if tables else cell_schema(self.plan).empty_table()).to_pandas()

    def batches(
        self, metrics: Sequence[str] | None = None, months: Sequence[int] | None = None, size: int = 16 * 2**20
    ) -> Iterator[pa.Table]:
        """Rows in the order of cells, as Arrow tables of about so many bytes that hold whole cells.

        Raises:
            SweepError: If a metric or month was not kept.
            SweepFailure: If a part is damaged.
        """
        for what, asked, kept in (
            ("metric", metrics or (), self.design.keep_metrics),
            ("month", months or (), self.design.keep_months),
        ):
            unknown = [str(one) for one in asked if one not in kept]
            if unknown:
                listed = ", ".join(map(str, kept))
                raise SweepError(f"{what} {', '.join(unknown)} was not kept by the design; choose from: {listed}")
        columns = None if metrics is None else ["cell", "scenario", "run", "month", *metrics]
        paths = [(part.first, self.directory / ROWS / part.name) for part in self._ledger.parts()]
        for table in in_portions(in_order(paths, columns), size):
            if months is None:
                yield table
            else:
                yield table.filter(pc.is_in(table.column("month"), pa.array(list(months), pa.int32())))

    def rows(self, metrics: Sequence[str] | None = None, months: Sequence[int] | None = None) -> pd.DataFrame:
        """All rows, by cell, scenario, run and month: ``cell scenario run month`` and the metrics."""
        tables = list(self.batches(metrics, months))
        keys = ("cell", "scenario", "run", "month")
        fields = [row_schema(self.design).field(name) for name in (*keys, *(metrics or self.design.keep_metrics))]
        return (pa.concat_tables(tables) if tables else pa.schema(fields).empty_table()).to_pandas()

    def probes(self) -> pd.DataFrame:
        """All numbers of probes: ``cell scenario run probe metric month value``."""
        tables = list(self._probe_tables())
        return (pa.concat_tables(tables) if tables else PROBE_SCHEMA.empty_table()).to_pandas()

    def _probe_tables(self) -> Iterator[pa.Table]:
        paths = [(part.first, self.directory / PROBES / part.name) for part in self._ledger.parts() if part.probes]
        return in_order(paths)

    def cell(self, number: int) -> tuple[pa.Table, pa.Table | None]:
        """The stored rows and probes of one finished cell."""
        found: list[pa.Table | None] = []
        for folder in (ROWS, PROBES):
            tables = [
                table.filter(pc.equal(table.column("cell"), number))
                for part in self._ledger.parts()
                if part.first <= number <= part.last and (folder == ROWS or part.probes)
                for table in groups(self.directory / folder / part.name, None)
            ]
            found.append(pa.concat_tables(tables) if tables else None)
        rows, probes = found
        if rows is None or not len(rows):
            raise SweepFailure(f"{self.directory}: the rows of cell {number} are missing; run `cej-sim sweep` again")
        return rows, probes if probes is not None and len(probes) else None

    def differing_cells(self) -> list[int]:
        """The finished cells whose stored rows and probes do not have the hash that the ledger holds."""
        probes = iter(cells for table in self._probe_tables() for cells in cells_of(table))
        following = next(probes, None)
        found = []
        listed = self._ledger.finished()
        for table in self.batches():
            for cell, rows in cells_of(table):
                held = []
                while following is not None and following[0] <= cell:
                    if following[0] == cell:
                        held.append(following[1])
                    following = next(probes, None)
                if stored_hash(self.design, rows, pa.concat_tables(held) if held else None) != listed.pop(cell).hash:
                    found.append(cell)
        return sorted([*found, *listed])

    def __repr__(self) -> str:
        """What it is, in a line."""
        done, failed = self._ledger.counts()
        cells = len(self.shard.cells(len(self.plan)))
        return (
            f"<Sweep {self.design.name} in {self.directory}: {done} of {cells} cells done, {failed} failed; "
            f"{provenance.NOTE}>"
        )


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
    if directory.is_dir() and {entry.name for entry in directory.iterdir()} <= {LOCK}:
        shutil.rmtree(directory, ignore_errors=True)
