"""What the simulated survey of members shows for shipped scenarios: means of its scales, and Cronbach's alpha.

    python experiments/instruments/instruments.py

writes survey.csv beside this file; ``python experiments/pages.py`` puts it into docs/INSTRUMENTS.md. An illustration,
not a prediction.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

import cej_sim as cej
from cej_sim.scales import survey_summary

#: Whose members are asked: the poles, what lies between, and models and coalitions that the essay names.
SCENARIOS = (
    "collective_impact", "collective_impact_3", "collective_impact_2022", "relabeled", "hybrid", "community_led",
    "coalition_action_theory", "northern_berkshire",
)  # fmt: skip
MONTHS = (24, 60)


def asked(runs: int, seed: int) -> pd.DataFrame:
    """A row for each scenario, month and scale: ``scenario month scale respondents mean sd alpha``."""
    found = []
    for name in SCENARIOS:
        result = cej.simulate(cej.load(name), runs=runs, seed=seed, months=max(MONTHS))
        found.append(survey_summary(result.survey(*MONTHS)))
    table = pd.concat(found, ignore_index=True)
    return table[["scenario", "month", "scale", "respondents", "mean", "sd", "alpha"]].round(6)


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, and write the answers' summary; 0 when done."""
    parser = argparse.ArgumentParser(description="What the simulated survey shows for shipped scenarios.")
    parser.add_argument("--runs", type=int, default=20, help="runs of each scenario (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all luck (default 0)")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("survey.csv"), help="the file to write")
    given = parser.parse_args(arguments)
    if given.runs < 1:
        parser.error(f"--runs {given.runs}: write a whole number of at least 1")
    asked(given.runs, given.seed).to_csv(given.out, index=False, lineterminator="\n")
    print(f"written: {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
