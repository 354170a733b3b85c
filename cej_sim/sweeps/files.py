"""The files of a sweep's directory: written whole or not at all, and read a group of rows at a time.

A file is written under a temporary name, synchronized and renamed. Rows and probes are Parquet files, called parts;
each holds whole cells in ascending order, and a checksum on every page.
"""

from __future__ import annotations

import contextlib
import errno
import heapq
import os
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

LEDGER = "ledger.sqlite"
LOCK = ".cej_sim-lock"
ROWS, PROBES, INPUTS = "rows", "probes", "inputs"
DESIGN, CELLS, CELLS_TEXT = "design.yaml", "cells.parquet", "cells.csv"

#: How files begin that are being written.
STAGING = ".cej_sim-"

#: Size of a part that many small ones are put together to, and of the groups of rows within a part.
PART_BYTES = 64 * 2**20
_GROUP_BYTES = 8 * 2**20


class SweepError(ValueError):
    """What was asked for cannot be done; the message says what is wrong and what to do, a line for each mistake."""


class SweepFailure(RuntimeError):
    """Something gave way while working (a full disk, a damaged file); the message says what, and what to do."""


class Part(NamedTuple):
    """A file of rows, and one of probes with the same name where there are any."""

    name: str
    first: int
    last: int
    rows: int
    bytes: int
    probes: int
    probe_bytes: int


# Writing


def reason(error: OSError) -> str:
    """Why a file could not be written, for people."""
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
    staging = path.with_name(f"{STAGING}{uuid.uuid4().hex}.tmp")
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
        raise SweepFailure(f"{path} cannot be written: {reason(error)}") from error


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
    content, more = _parquet(rows), b"" if probes is None or not len(probes) else _parquet(probes)
    part = Part(name, first, last, len(rows), len(content), 0 if probes is None else len(probes), len(more))
    place_part(directory, part, content, more)
    return part


def place_part(directory: Path, part: Part, rows: bytes, probes: bytes) -> None:
    """Write the files of a part, of which there is none for probes where there are no probes.

    Raises:
        SweepFailure: If the disk is full or fails.
    """
    if part.probes:
        write_whole(directory / PROBES / part.name, probes)
    write_whole(directory / ROWS / part.name, rows)


def take_part(directory: Path, part: Part) -> tuple[bytes, bytes]:
    """Read the files of a part, of rows and of probes, and remove them."""
    paths = [directory / ROWS / part.name, directory / PROBES / part.name][: 2 if part.probes else 1]
    rows, *probes = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    return rows, b"".join(probes)


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
    path = directory / LOCK
    try:
        name = quote(os.fsencode(path))
        holder = sqlite3.connect(f"file:{name}?mode=rwc", uri=True, timeout=0, isolation_level=None)
    except sqlite3.OperationalError as error:
        what = "is a directory" if path.is_dir() else f"cannot be opened ({error})"
        raise SweepFailure(
            f"{path} {what}; cej-sim needs a file of this name to lock the directory: remove it, or name another "
            "directory"
        ) from error
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


# Reading


def changed_part(path: Path, what: str) -> SweepFailure:
    """What to say of a part that is whole, but not as it was written."""
    return SweepFailure(
        f"{path} was changed since it was written ({what}); put the file back as it was, or remove it and run "
        "`cej-sim sweep` again: it computes the cells anew that were in it"
    )


def groups(path: Path, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    """The groups of rows of a file, one at a time.

    Raises:
        SweepFailure: If it is damaged.
    """
    try:
        with path.open("rb") as opened, pq.ParquetFile(opened, page_checksum_verification=True) as file:
            lacking = [name for name in columns or () if name not in file.schema_arrow.names]
            if lacking:
                raise changed_part(path, f"it has no column {lacking[0]}")
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
