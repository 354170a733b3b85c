"""What the page says of a sweep beside its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cej_sim import provenance
from cej_sim.sweeps.store import Sweep


@dataclass(frozen=True)
class About:
    """What the page says of a sweep beside its numbers.

    Attributes:
        title, description: The design's.
        kind: Kind of design.
        titles: Scenario name as in the rows -> title.
        runs: Runs of each scenario in each cell, at most.
        auto: Whether cells may have fewer.
        seed, version: With what it was computed.
        content_hash: Of the sweep.
        command: The command line that analyzes it again.
        computed: The command line that computed it, if known.
    """

    title: str
    description: str
    kind: str
    titles: Mapping[str, str]
    runs: int
    auto: bool
    seed: int
    version: str
    content_hash: str
    command: str | None = None
    computed: str | None = None

    def facts(self, cells: int) -> str:
        """Cells, runs, seed and version in a line."""
        paired = "paired " if len(self.titles) > 1 else ""
        runs = f"{'up to ' if self.auto else ''}{self.runs} {paired}{'run' if self.runs == 1 else 'runs'}"
        return f"{cells:,} cell{'' if cells == 1 else 's'}, {runs} in each, seed {self.seed}, cej_sim {self.version}"


def about_sweep(sweep: Sweep, command: str | None = None) -> About:
    """What there is to say of a sweep."""
    design = sweep.design
    titles = {scenario.name: scenario.title for scenario in design.scenarios}
    if design.kind == "ablation":
        titles = {design.names[0]: f"From {' to '.join(titles.values())}"}
    told = provenance.read(sweep.directory) or {}
    return About(
        design.title,
        design.description,
        design.kind,
        titles,
        design.runs,
        design.auto is not None,
        design.seed,
        str(told.get("version", provenance.version())),
        sweep.content_hash,
        command,
        told.get("command"),
    )
