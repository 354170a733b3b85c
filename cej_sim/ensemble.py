"""Parameter sets that fit what is known about coalitions equally well, and runs that go through them.

One set of coefficients gives intervals that hold luck only. With an ensemble, run r of every scenario uses set r (after
the last, the first again), so that differences stay paired and intervals hold what is not known as well. What a
scenario file, ``--set`` or ``with_values`` has set itself stays. The shipped sets come from experiments/calibration.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cej_sim.parameters import Value
from cej_sim.scenario import PARAMETERS, Scenario, value_problem

#: The sets that come with the package.
SHIPPED = Path(__file__).resolve().parent / "ensemble.csv"

#: The most mistakes of a file that are listed.
_MOST_PROBLEMS = 20


class EnsembleError(ValueError):
    """A file of parameter sets cannot be used; each line of the message says what is wrong and what to write."""


@dataclass(frozen=True, eq=False, repr=False)
class Ensemble:
    """Parameter sets, all of the same parameters.

    Attributes:
        parameters: Paths, in the order of the columns.
        values: (members, parameters).
        source: What the sets are called: the name of their file.
        sha256: Of the file; empty for sets without one.
    """

    parameters: tuple[str, ...]
    values: NDArray[np.float64]
    source: str = ""
    sha256: str = field(default="")

    def __post_init__(self) -> None:
        """Check everything.

        Raises:
            EnsembleError: With a line for each mistake.
        """
        problems = [*_header_problems(self.parameters)]
        values = np.array(self.values, np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.parameters):
            problems.append(f"there are {len(self.parameters)} parameters; give as many values for each set")
        elif len(values) == 0:
            problems.append("there is no set; write at least one row of values")
        elif not problems:
            problems += _value_problems(self.parameters, values)
        if problems:
            shown = [f"{self.source}: {problem}" if self.source else problem for problem in problems]
            raise EnsembleError("\n".join(shown[:_MOST_PROBLEMS]))
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    @classmethod
    def read(cls, path: str | Path | None = None) -> Ensemble:
        """The sets of a file: a header of parameter paths, then a row of values for each set; None: those shipped.

        Raises:
            EnsembleError: If the file is missing or has mistakes; it lists them.
        """
        file = SHIPPED if path is None else Path(path)
        name = file.name if path is None else str(path)
        try:
            content = file.read_bytes()
            rows = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")) if any(row)]
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise EnsembleError(f"{name}: cannot be read: {reason}; name a file of parameter sets") from None
        except (UnicodeDecodeError, csv.Error):
            raise EnsembleError(f"{name}: this is not a table of text; save it as CSV in UTF-8") from None
        if not rows:
            raise EnsembleError(
                f"{name}: nothing stands there; write a header of parameter paths, and a row for each set"
            )
        header = tuple(cell.strip() for cell in rows[0])
        values, problems = [], []
        for number, row in enumerate(rows[1:], start=1):
            if len(row) != len(header):
                problems.append(f"{name}: set {number} has {len(row)} values for {len(header)} parameters")
                continue
            values.append([_number(cell) for cell in row])
            problems += [
                f"{name}: set {number}, {path}: {cell.strip()!r} is not a number"
                for path, cell, value in zip(header, row, values[-1], strict=True)
                if math.isnan(value)
            ]
        if problems:
            raise EnsembleError("\n".join(problems[:_MOST_PROBLEMS]))
        table = np.array(values, np.float64).reshape(len(values), len(header))
        return cls(header, table, name, hashlib.sha256(content).hexdigest())

    def __len__(self) -> int:
        """How many sets there are."""
        return len(self.values)

    def member(self, i: int) -> dict[str, Value]:
        """Set i, counted from 0: path -> value.

        Raises:
            IndexError: If there is no such set.
        """
        if not 0 <= i < len(self):
            raise IndexError(f"there is no set {i}; they run from 0 to {len(self) - 1}")
        return {
            path: PARAMETERS[path].decode(value) for path, value in zip(self.parameters, self.values[i], strict=True)
        }

    def kept_by(self, scenario: Scenario) -> tuple[str, ...]:
        """The parameters that a scenario has set itself, and that stay as they are in it."""
        return tuple(path for path in self.parameters if path in scenario.stated)

    def apply(self, scenario: Scenario, run: int) -> Scenario:
        """The scenario with the set of run ``run``; what it has set itself stays."""
        member = self.member(run % len(self))
        changes = {path: value for path, value in member.items() if path not in scenario.stated}
        return replace(scenario, values={**scenario.values, **changes})

    def remark(self, scenarios: Iterable[Scenario] = ()) -> str:
        """What a reader of results should be told, in a line."""
        text = (
            f"intervals carry luck and the uncertainty of {len(self.parameters)} coefficients: run by run, every "
            f"scenario uses the same one of {len(self)} sets ({self.source or 'given'})"
        )
        kept = {scenario.title: self.kept_by(scenario) for scenario in scenarios}
        own = [f"{title} keeps its own {', '.join(paths)}" for title, paths in kept.items() if paths]
        return "; ".join([text, *own])

    def described(self) -> dict[str, object]:
        """What a provenance says of it."""
        return {
            "source": self.source,
            "sha256": self.sha256,
            "members": len(self),
            "parameters": list(self.parameters),
        }

    def __repr__(self) -> str:
        """How much of what."""
        return f"<Ensemble of {len(self)} sets of {len(self.parameters)} parameters>"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _header_problems(paths: tuple[str, ...]) -> list[str]:
    """What is wrong with the names of the columns."""
    problems = [] if paths else ["no parameter is named; write their paths into the first row"]
    for path in dict.fromkeys(paths):
        if paths.count(path) > 1:
            problems.append(f"{path} stands there twice; keep one of the columns")
        if path not in PARAMETERS:
            near = difflib.get_close_matches(path[:60], PARAMETERS, 1)
            problems.append(f"{path}: there is no such parameter{f'; did you mean {near[0]}?' if near else ''}")
        elif PARAMETERS[path].kind not in ("number", "count"):
            problems.append(f"{path} is no number; leave the column out")
    return problems


def _value_problems(paths: tuple[str, ...], values: NDArray[np.float64]) -> list[str]:
    """What is wrong with values whose columns are known."""
    problems = []
    for column, path in enumerate(paths):
        for number, value in enumerate(values[:, column].tolist(), start=1):
            problem = value_problem(PARAMETERS[path], value)
            if problem:
                problems.append(f"set {number}, {path}: {problem}")
    return problems
