"""A sweep for reading: its cells as a table, its rows and probes, also while it is being computed."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cej_sim import provenance
from cej_sim.sweeps.content import PROBE_SCHEMA, row_schema, row_table, stored_array, stored_hash
from cej_sim.sweeps.design import Design, Plan
from cej_sim.sweeps.files import (
    INPUTS,
    LEDGER,
    PROBES,
    ROWS,
    Part,
    SweepError,
    SweepFailure,
    cells_of,
    changed_part,
    groups,
    in_order,
    in_portions,
)
from cej_sim.sweeps.ledger import Ledger

if TYPE_CHECKING:
    import pandas as pd

#: How the directory is laid out; another number is refused.
FORMAT = 1


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


def stored_design(directory: Path, about: dict[str, Any]) -> Design:
    """The design that a directory holds.

    Raises:
        SweepFailure: If the ledger does not hold a whole design.
    """
    try:
        return Design.from_json(about["design"], directory / INPUTS)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        said = " ".join(str(error).split())[:60]
        raise SweepFailure(
            f"{directory / LEDGER} is damaged (its design cannot be read: {said}); put a copy of {directory.name} "
            "back, or remove the directory and run the sweep again"
        ) from error


def check_begun(directory: Path) -> None:
    """Where a directory has no ledger, or an empty one: find out whether a sweep was begun in it all the same.

    Raises:
        SweepError: If there are rows, or a provenance that says which design they are of: without the ledger nobody
            knows which of them are whole, and beginning anew would delete them.
    """
    parts = any(any((directory / folder).glob("part-*")) for folder in (ROWS, PROBES))
    if parts or (provenance.read(directory) or {}).get("design_hash"):
        raise SweepError(
            f"{directory} holds a sweep, but its ledger ({LEDGER}) is missing or empty, so nothing says which rows are "
            "whole; put the ledger back, or remove the directory to begin anew"
        )


# What a part holds


def checked_part(
    directory: Path, design: Design, part: Part, listed: Mapping[int, bytes]
) -> tuple[pa.Table, pa.Table | None]:
    """The rows and probes of a part, if they are those that were written.

    Args:
        directory: Of the sweep.
        design: Of the sweep.
        part: Its entry in the ledger.
        listed: Its cells with their hashes.

    Raises:
        SweepFailure: If a file is damaged, or whole but changed: other cells, columns, runs, months or numbers.
    """
    paths = [directory / folder / part.name for folder in (ROWS, PROBES)]
    tables: list[pa.Table | None] = [None, None]
    for place, schema in enumerate((row_schema(design), PROBE_SCHEMA)):
        if place and not part.probes:
            continue
        found = pa.concat_tables([schema.empty_table(), *_alike(paths[place], schema)])
        if place and not set(pc.unique(found.column("cell")).to_pylist()) <= set(listed):
            raise changed_part(paths[place], "it holds other cells than the ledger says")
        tables[place] = found
    rows, probes = tables
    assert rows is not None
    numbers = rows.column("cell").to_numpy()
    cells = list(cells_of(rows))
    if [cell for cell, _ in cells] != sorted(listed) or bool((np.diff(numbers) < 0).any()):
        raise changed_part(paths[0], "it holds other cells than the ledger says")
    more = {cell: table for cell, table in cells_of(probes)} if probes is not None and len(probes) else {}
    arrays = []
    for cell, table in cells:
        try:
            arrays.append(stored_array(design, table))
            same = stored_hash(design, table, more.get(cell)) == listed[cell]
        except ValueError:
            raise changed_part(paths[0], f"cell {cell} has another number of rows") from None
        if not same:
            if part.probes and paths[1].stat().st_size != part.probe_bytes:
                raise changed_part(paths[1], f"the probes of cell {cell} are others")
            beside = ", or those of its probes in the file of the same name," if cell in more else ""
            raise changed_part(paths[0], f"the numbers of cell {cell}{beside} are others")
    keys = ["cell", "scenario", "run", "month"]
    if arrays and not row_table(design, [cell for cell, _ in cells], arrays).select(keys).equals(rows.select(keys)):
        raise changed_part(paths[0], "a scenario, run or month is another")
    return rows, probes


def _alike(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """The groups of rows of a file that has just these columns.

    Raises:
        SweepFailure: If it has others, or is damaged.
    """
    for table in groups(path, None):
        if not table.schema.equals(schema):
            differing = sorted({*schema.names} ^ {*table.schema.names})
            said = f"the column {differing[0]}" if differing else "the order or the types of its columns"
            lacks = differing and differing[0] in schema.names
            raise changed_part(path, f"it has no column {differing[0]}" if lacks else f"{said} is none of a sweep")
        yield table.replace_schema_metadata(None)


# Cells as a table


def cell_schema(plan: Plan) -> pa.Schema:
    """The columns of ``cells.parquet``; a factor with words among its values is text, any other a number.

    A factor has the value with which the cell was run, also where the scenarios kept their own; it is empty where those
    differ.
    """
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
            for value, field in zip(plan.used(cell), list(schema)[3:], strict=False):
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


# Everything


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
            check_begun(self.directory)
            raise SweepError(f"{directory} holds no sweep (no {LEDGER}); name the --out directory of `cej-sim sweep`")
        self._ledger = Ledger(self.directory)
        self._about = self._ledger.about()
        if not self._about:
            check_begun(self.directory)
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
        with self._explained():
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
        paths = [(part.first, self.directory / PROBES / part.name) for part in self._ledger.parts() if part.probes]
        with self._explained():
            return pa.concat_tables([PROBE_SCHEMA.empty_table(), *in_order(paths)]).to_pandas()

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
        if (rows is None or not len(rows)) and (part := self._ledger.part_of(number)) is not None:
            raise changed_part(self.directory / ROWS / part, f"it does not hold cell {number}")
        if rows is None or not len(rows):
            raise SweepFailure(f"{self.directory}: the rows of cell {number} are missing; run `cej-sim sweep` again")
        return rows, probes if probes is not None and len(probes) else None

    def check_content(self) -> None:
        """Find out whether all rows and probes are still those that were written.

        Raises:
            SweepFailure: If a part is damaged or was changed; the message names its file.
        """
        for part, listed in self._ledger.contents():
            checked_part(self.directory, self.design, part, listed)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Where tables do not go together, because a file was changed, name that file."""
        try:
            yield
        except pa.ArrowException:
            self.check_content()
            raise

    def __repr__(self) -> str:
        """What it is, in a line."""
        done, failed = self._ledger.counts()
        cells = len(self.shard.cells(len(self.plan)))
        return (
            f"<Sweep {self.design.name} in {self.directory}: {done} of {cells} cells done, {failed} failed; "
            f"{provenance.NOTE}>"
        )
