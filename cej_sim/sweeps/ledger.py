"""The ledger of a sweep: which cells are done, in which parts, and which failed, in SQLite.

One transaction lists a part together with its cells, after the part's file is there: whatever is killed in between
leaves a file that nobody lists, which readers do not see and the next start removes. The ledger uses SQLite's rollback
journal, which also works on network file systems.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from cej_sim.sweeps.files import INPUTS, LEDGER, PROBES, ROWS, STAGING, Part, SweepFailure

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

#: What every sweep says of itself.
_ABOUT = {"format": int, "design": dict, "design_hash": str, "engine": str, "shard": list, "cells": int}

Method = TypeVar("Method", bound=Callable[..., Any])


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


def _guarded(method: Method) -> Method:
    """Turn the database's complaints into messages for people."""

    @functools.wraps(method)
    def call(self: Ledger, *arguments: Any, **options: Any) -> Any:
        try:
            return method(self, *arguments, **options)
        except sqlite3.Error as error:
            raise self.complaint(error) from error
        except (ValueError, TypeError, IndexError, AttributeError, OverflowError) as error:
            raise self.damaged(type(error).__name__) from error

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
                f"file:{quote(os.fsencode(self.path))}?mode={mode}", uri=True, timeout=60.0, isolation_level=None
            )
            self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            raise self.complaint(error) from error

    def complaint(self, error: sqlite3.Error) -> SweepFailure:
        """What the database complains of, for people."""
        text = str(error)
        if "readonly" in text and not self.path.exists():
            return SweepFailure(f"{self.path} is gone: it was moved or removed while cej-sim was at work in it")
        if "full" in text or "disk I/O" in text:
            return SweepFailure(f"{self.path} cannot be written: the disk is full or fails ({text})")
        signs = ("malformed", "not a database", "no such", "file is encrypted", "decode", "datatype mismatch")
        if any(sign in text for sign in signs):
            return self.damaged(text)
        return SweepFailure(f"{self.path} cannot be used: {text}")

    def damaged(self, text: str) -> SweepFailure:
        """What to say where the ledger can be read, but not be made sense of."""
        return SweepFailure(
            f"{self.path} is damaged ({text}), so nothing says any more which rows are whole; "
            f"put a copy of {self.directory.name} back, or remove the directory and run the sweep again"
        )

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
        about = {name: json.loads(text) for name, text in self._connection.execute("SELECT name, value FROM about")}
        lacking = [key for key, kind in _ABOUT.items() if not isinstance(about.get(key), kind)]
        if "shard" not in lacking and [type(number) for number in about["shard"]] != [int, int]:
            lacking.append("shard")
        if about and lacking:
            raise self.damaged(f"it does not say the {lacking[0]} of the sweep")
        return about

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
        parts = [Part(*row) for row in self._connection.execute(f"SELECT {columns} FROM parts ORDER BY first, name")]
        for part in parts:
            if not isinstance(part.name, str) or not all(isinstance(number, int) for number in part[1:]):
                raise self.damaged(f"the entry of the part {part.name!r} makes no sense")
        return parts

    @_guarded
    def contents(self) -> list[tuple[Part, dict[int, bytes]]]:
        """The parts that count, each with its cells and their hashes, all of one moment."""
        self._connection.execute("BEGIN")
        try:
            found = [
                (
                    part,
                    dict(
                        self._connection.execute(
                            "SELECT cell, hash FROM cells WHERE part = (SELECT id FROM parts WHERE name = ?)",
                            (part.name,),
                        )
                    ),
                )
                for part in self.parts()
            ]
        finally:
            self._connection.execute("COMMIT")
        return found

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

    @_guarded
    def cells_in(self, name: str) -> int:
        """How many cells a part holds."""
        where = "part = (SELECT id FROM parts WHERE name = ?)"
        return int(self._connection.execute(f"SELECT COUNT(*) FROM cells WHERE {where}", (name,)).fetchone()[0])

    @_guarded
    def part_of(self, cell: int) -> str | None:
        """The name of the part that holds a finished cell."""
        found = self._connection.execute(
            "SELECT name FROM parts WHERE id = (SELECT part FROM cells WHERE cell = ?)", (cell,)
        ).fetchone()
        return str(found[0]) if found else None

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
        for folder in (ROWS, PROBES, f"{INPUTS}/*", "."):
            for entry in self.directory.glob(f"{folder}/{STAGING}*.tmp"):
                entry.unlink(missing_ok=True)
        for folder in (ROWS, PROBES):
            for entry in (self.directory / folder).glob("part-*.parquet"):
                if entry.name not in listed:
                    entry.unlink(missing_ok=True)


def _chunks(cursor: sqlite3.Cursor, size: int = 2_000) -> Iterator[list[Any]]:
    while rows := cursor.fetchmany(size):
        yield rows
