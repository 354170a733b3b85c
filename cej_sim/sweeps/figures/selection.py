"""Which pictures a sweep has."""

from __future__ import annotations

from collections.abc import Iterator

from cej_sim.parameters import Metric
from cej_sim.sweeps.analysis import Analysis
from cej_sim.sweeps.figures.ahead import verdict_pictures
from cej_sim.sweeps.figures.cells import cell_pictures
from cej_sim.sweeps.figures.effects import ROW_PICTURES, effect_pictures
from cej_sim.sweeps.figures.enough_runs import precision_pictures
from cej_sim.sweeps.figures.frame import PANELS, Picture, Wording
from cej_sim.sweeps.figures.probes import probe_pictures


def pictures(found: Analysis, wording: Wording, asked: bool = False) -> Iterator[Picture]:
    """The pictures that this design allows, of the last month analyzed; drawn when they are asked for.

    Args:
        found: What was found.
        wording: What to say of the sweep.
        asked: The metrics were chosen by the user: all are drawn, else a selection of every family.
    """
    month = found.months[-1]
    metrics = _drawn(found, asked)
    for response in found.study.main_responses:
        place = found.study.main_responses.index(response) + 1 if len(found.study.main_responses) > 1 else 0
        tail = f"_{place}" if place else ""
        if found.study.pairs:
            yield from verdict_pictures(found, wording, response, month, tail)
        yield from cell_pictures(found, wording, response, month, metrics, tail)
        for table in ROW_PICTURES:
            if table in found.tables:
                yield from effect_pictures(found, wording, table, response, month, metrics, tail)
        yield from precision_pictures(found, wording, response, month, tail)
    yield from probe_pictures(found, wording, metrics)


def _drawn(found: Analysis, asked: bool) -> list[Metric]:
    if asked:
        return list(found.metrics)
    usual = (
        "burden",
        "disparity_ratio",
        "agenda_origin",
        "affected_attendance",
        "coordination",
        "alive",
        "policy_wins",
        "trust",
        "decision_speed",
    )
    chosen = [metric for metric in found.metrics if metric.name in usual]
    rest = [metric for metric in found.metrics if metric.name not in usual]
    chosen = [*chosen, *rest][:PANELS]
    return [metric for metric in found.metrics if metric in chosen]
