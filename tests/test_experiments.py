"""The experiments that come with the package: their designs are sound, and none is forgotten."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from cej_sim.ensemble import SHIPPED
from cej_sim.sweeps import reading as reading_designs
from cej_sim.sweeps.design import KINDS_OF_DESIGN, Plan

ROOT = Path(__file__).resolve().parents[1]
#: Those that ask for the package's own parameter sets can be read once these are there.
DESIGNS = [
    path
    for path in sorted((ROOT / "experiments").glob("*/design.yaml"))
    if SHIPPED.is_file() or "\nensemble: true" not in path.read_text(encoding="utf-8")
]

#: Reads each design once.
read_design = cache(reading_designs.read_design)


def test_there_are_enough() -> None:
    assert len(DESIGNS) >= 5
    assert ROOT / "experiments/quick/design.yaml" in DESIGNS
    assert len({read_design(path).kind for path in DESIGNS}) >= 4 <= len(KINDS_OF_DESIGN)


@pytest.mark.parametrize("path", DESIGNS, ids=lambda path: path.parent.name)
def test_a_shipped_design_is_sound(path: Path) -> None:
    design = read_design(path)
    plan = Plan(design)
    assert design.title
    assert path.with_name("README.md").is_file()
    assert f"cej-sim sweep experiments/{path.parent.name}/design.yaml" in path.read_text(encoding="utf-8")
    for cell in {0, len(plan) // 2, len(plan) - 1}:
        assert plan.scenarios(cell)


def test_issues_can_vary_together() -> None:
    plan = Plan(read_design(ROOT / "experiments/where/design.yaml"))
    for scenario in plan.scenarios(7).values():
        assert {issue.structural for issue in scenario.issues} == {plan.values(7)[0]}
        assert len({issue.name for issue in scenario.issues}) == len(scenario.issues) > 1
