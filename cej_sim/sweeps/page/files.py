"""Tables as files, CSV and Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv


def _schema(frame: pd.DataFrame, note: str) -> pa.Schema:
    kinds = {"i": pa.int64(), "u": pa.int64(), "f": pa.float64(), "b": pa.bool_()}
    fields = [(str(name), kinds.get(dtype.kind, pa.string())) for name, dtype in frame.dtypes.items()]
    return pa.schema(fields, metadata={b"note": note.encode()})


class Tables:
    """Tables written block by block, each as CSV and as Parquet."""

    def __init__(self, folder: Path, note: str) -> None:
        """Into a folder, with a note in each Parquet file."""
        self._folder, self._note = folder, note
        self._writers: dict[str, tuple[pa.Schema, tuple[Any, ...]]] = {}

    def __enter__(self) -> Tables:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Complete the files."""
        for _, writers in self._writers.values():
            for writer in writers:
                writer.close()

    def add(self, name: str, frame: pd.DataFrame) -> None:
        """Add rows to a table."""
        if name not in self._writers:
            schema = _schema(frame, self._note)
            options = csv.WriteOptions(quoting_style="needed")
            self._writers[name] = (
                schema,
                (
                    csv.CSVWriter(self._folder / f"{name}.csv", schema, write_options=options),
                    pq.ParquetWriter(self._folder / f"{name}.parquet", schema),
                ),
            )
        schema, writers = self._writers[name]
        table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata(
            schema.metadata
        )
        for writer in writers:
            writer.write_table(table)

    def put(self, name: str, frame: pd.DataFrame) -> None:
        """Write a whole table, unless it was added block by block."""
        if name not in self._writers:
            self.add(name, frame)
