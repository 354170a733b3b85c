"""What a cell's numbers are: as tables, as bytes, and the hashes that say whether they are the same.

Neither files nor the ledger are known here.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cej_sim import compiled
from cej_sim.sweeps.design import Design

#: Sources beside the engine's that decide the rows of a cell.
_SOURCES = (
    "ensemble.py",
    "runs.py",
    "sweeps/ablation.py",
    "sweeps/design.py",
    "sweeps/hypotheses.py",
    "sweeps/worker.py",
)

PROBE_SCHEMA = pa.schema(
    [
        ("cell", pa.int64()), ("scenario", pa.string()), ("run", pa.int32()), ("probe", pa.string()),
        ("metric", pa.string()), ("month", pa.int32()), ("value", pa.float64()),
    ]
)  # fmt: skip


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
