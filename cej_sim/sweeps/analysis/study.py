"""What an analysis knows of a design, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cej_sim.comparison import BY_NAME, KEY_METRICS, MONTHS
from cej_sim.parameters import Metric
from cej_sim.sweeps.analysis.intervals import NOT_COMPUTED, VERDICTS, Values
from cej_sim.sweeps.analysis.yes_no import bounds


class FactorLike(Protocol):
    """What is asked of a factor; ``design.Factor`` is one."""

    @property
    def name(self) -> str:
        """Its column in the table of cells."""

    @property
    def label(self) -> str:
        """Plain words."""

    @property
    def values(self) -> Sequence[float | int | bool | str]:
        """Its levels, none for a continuous one."""

    @property
    def low(self) -> float | None:
        """Where a continuous one begins."""

    @property
    def high(self) -> float | None:
        """Where a continuous one ends."""

    @property
    def log(self) -> bool:
        """Whether equal steps are equal ratios."""

    @property
    def unit(self) -> str:
        """Unit of its values."""

    @property
    def scenario(self) -> str | None:
        """The only scenario that has it; None: all."""


class ProbeLike(Protocol):
    """What is asked of a probe; ``design.Probe`` is one."""

    @property
    def kind(self) -> str:
        """``causal_influence`` or ``irreversibility``."""

    @property
    def runs(self) -> int:
        """Number of runs, each with its twin, of each scenario in each cell."""

    @property
    def bloc(self) -> str:
        """Whose influence."""

    @property
    def path(self) -> str:
        """The rule that is moved there and back."""

    @property
    def low(self) -> float:
        """Its value at the start and at the end."""

    @property
    def high(self) -> float:
        """Its value at the turning point."""

    @property
    def hold(self) -> int:
        """Months at each value."""

    @property
    def steps(self) -> int:
        """Number of values."""


@dataclass(frozen=True)
class Target:
    """The precision that ``runs: auto`` aimed at.

    Attributes:
        metric, month: Of what and when.
        half_width: Half the width of the interval, in the metric's unit.
    """

    metric: str
    month: int
    half_width: float


@dataclass(frozen=True, eq=False)
class Study:
    """All that an analysis needs to know of a design.

    Attributes:
        kind: Kind of design, such as ``grid`` or ``ablation``.
        names: Scenario names as in the rows; the first is the one that others are compared with.
        factors: Its factors.
        months: Months that were kept, in order.
        metrics: Metrics that were kept.
        baseline: The cell that others are set against, if the design has one.
        common_luck: Whether run r of every cell shares its luck.
        second_order: Whether a Sobol design has the cells for interactions of two factors.
        levels: Number of levels of a Morris design.
        target: What ``runs: auto`` aimed at, if anything.
        seed: Seeds the resampling of Sobol's intervals.
        points: Of a sampled design, (cells, factors): the share in [0, 1] of the way through each factor's range; None
            where only the values are known.
        probes: Further questions that were put to each cell.
    """

    kind: str
    names: tuple[str, ...]
    factors: tuple[FactorLike, ...]
    months: tuple[int, ...]
    metrics: tuple[str, ...]
    baseline: int | None = None
    common_luck: bool = True
    second_order: bool = False
    levels: int = 4
    target: Target | None = None
    seed: int = 0
    points: Values | None = None
    probes: tuple[ProbeLike, ...] = ()

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The first scenario with each of the others."""
        return tuple((self.names[0], other) for other in self.names[1:])

    @property
    def responses(self) -> tuple[str, ...]:
        """What is analyzed: every scenario by itself, then every difference ``B - A``."""
        return (*self.names, *(f"{b} - {a}" for a, b in self.pairs))

    @property
    def main_responses(self) -> tuple[str, ...]:
        """The differences where there are any, else the only scenario."""
        return self.responses[len(self.names) :] or self.names


def study_of(design: Any, points: Values | None = None) -> Study:
    """The description of a ``design.Design``, with the points of its plan if it is sampled."""
    auto = design.auto
    return Study(
        kind=str(design.kind),
        names=tuple(design.names),
        factors=tuple(design.factors),
        months=tuple(sorted(int(month) for month in design.keep_months)),
        metrics=tuple(design.keep_metrics),
        baseline=design.baseline,
        common_luck=design.luck == "common",
        second_order=bool(design.second_order),
        levels=int(design.levels),
        target=None if auto is None else Target(auto.metric, int(auto.month), float(auto.half_width)),
        seed=int(design.seed),
        points=points,
        probes=tuple(design.probes),
    )


@dataclass(eq=False)
class Analysis:
    """What ``analyze`` found.

    Attributes:
        study: The design.
        cells: The table of cells.
        metrics, months: What was analyzed.
        tables: The tables by name; those with rows for every cell only where no sink took them.
        remarks: What a reader must know: cells that are missing, what could therefore not be computed, and so on.
        columns: Table -> column -> type ("whole number", "number" or "text"), also of those that a sink took.
        value, deviation, runs, verdict: Per cell, response, month and metric, in the order of ``cells``,
            ``study.responses``, ``months`` and ``metrics``: mean, standard deviation over runs, number of runs, and
            position in ``VERDICTS`` (of differences; -1 elsewhere).
    """

    study: Study
    cells: pd.DataFrame
    metrics: tuple[Metric, ...]
    months: tuple[int, ...]
    value: Values
    deviation: Values
    runs: NDArray[np.int32]
    verdict: NDArray[np.int8]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)

    def at(self, response: str, metric: str, month: int) -> pd.DataFrame:
        """One number per cell: the table of cells with ``value ci_low ci_high runs`` and ``verdict``."""
        names = [one.name for one in self.metrics]
        place = (slice(None), self.study.responses.index(response), self.months.index(month), names.index(metric))
        one, difference = (self.metrics[names.index(metric)],), response not in self.study.names
        low, high = bounds(
            self.value[place][:, None], self.deviation[place][:, None], self.runs[place][:, None], one, difference
        )
        words = np.array([*VERDICTS, ""], dtype=object)
        frame = self.cells.copy()
        frame["value"] = self.value[place]
        frame["ci_low"], frame["ci_high"] = low[:, 0], high[:, 0]
        frame["runs"] = self.runs[place]
        computed = (self.runs[:, :, :, :].reshape(len(frame), -1) >= 0).any(axis=1)
        frame["verdict"] = np.where(computed, words[self.verdict[place]], NOT_COMPUTED)
        return frame

    def importance(self, response: str, metric: str, month: int) -> pd.Series:
        """How much each factor moves a response, in whatever measure this design allows; the largest first."""
        names = [factor.name for factor in self.study.factors]
        for table, column in (
            ("sobol", "ST"),
            ("morris", "mu_star"),
            ("shapley", "value"),
            ("main_effects", "effect"),
            ("correlations", "correlation"),
        ):
            if table in self.tables and len(found := _where(self.tables[table], response, metric, month)):
                size = found[column].abs().groupby(found["factor"]).max()
                size = size.reindex(names).fillna(0.0)
                return size.sort_values(ascending=False, kind="stable")
        return pd.Series(0.0, index=names)


def _where(table: pd.DataFrame, response: str, metric: str, month: int) -> pd.DataFrame:
    return table[(table["response"] == response) & (table["metric"] == metric) & (table["month"] == month)]


Sink = Callable[[str, pd.DataFrame], None]


def choose_metrics(study: Study, names: Sequence[str] | None = None) -> tuple[Metric, ...]:
    """The metrics to analyze: those named (``all`` takes all that were kept), else the key ones that were kept.

    Raises:
        ValueError: If one is not a metric, or was not kept.
    """
    if names and "all" in names:
        names = [name for name in BY_NAME if name in study.metrics]
    if names:
        for name in names:
            if name not in BY_NAME:
                raise ValueError(f"there is no metric {name!r}; this sweep kept: {', '.join(study.metrics)}")
            if name not in study.metrics:
                raise ValueError(f"this sweep did not keep {name!r}; it kept: {', '.join(study.metrics)}")
        return tuple(BY_NAME[name] for name in dict.fromkeys(names))
    key = [BY_NAME[name] for name in KEY_METRICS if name in study.metrics]
    return tuple(key or [BY_NAME[name] for name in study.metrics if name in BY_NAME])


def choose_months(study: Study, months: Sequence[int] | None = None) -> tuple[int, ...]:
    """The months to analyze: those asked for, else those of ``comparison.MONTHS`` that were kept, and the last.

    Raises:
        ValueError: If one was not kept.
    """
    if months:
        for month in months:
            if month not in study.months:
                raise ValueError(f"this sweep did not keep month {month}; it kept: {', '.join(map(str, study.months))}")
        return tuple(sorted(set(months)))
    last = study.months[-1]
    return tuple(month for month in study.months if month in MONTHS or month == last)
