"""Which numbers of the screening matter most for what sets the two approaches apart?

    python experiments/sobol/choose.py results/screening

For each main finding the mean size of a number's effect on the difference between the two scenarios (Morris's mu*) is
divided by that of the number with the largest one. Numbers are ranked by the mean of these shares over the findings,
and the first dozen is printed as factors of a design, with the ranges of the screening.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from cej_sim import provenance
from cej_sim.comparison import BY_NAME, label_of, records, when
from cej_sim.sweeps.page import FOLDER
from cej_sim.sweeps.store import Sweep, SweepError, SweepFailure

#: The main findings: outcome and month. Say and ideas are those of month 24, since later, in part of the places,
#: coalitions have ended, and a path with such a place says nothing of them.
FINDINGS: tuple[tuple[str, int], ...] = (
    ("burden", 24),
    ("burden", 120),
    ("disparity_ratio", 120),
    ("policy_wins", 120),
    ("decision_share", 24),
    ("agenda_origin", 24),
)

#: How many are chosen.
DOZEN = 12


def ranked(morris: pd.DataFrame, scenarios: Sequence[str]) -> pd.DataFrame:
    """A row per factor, the most important first: its share of the largest mu* for each finding, and their mean.

    Args:
        morris: The table of that name of an analysis.
        scenarios: Their names; what is left among the responses is the difference.

    Raises:
        SweepError: If the screening did not keep them.
    """
    between = morris[~morris["response"].isin(scenarios)]
    table = between.pivot_table(index=["factor", "label"], columns=["metric", "month"], values="mu_star", sort=False)
    lacking = [f"{metric} at month {month}" for metric, month in FINDINGS if (metric, month) not in table.columns]
    if lacking:
        raise SweepError(f"the screening did not keep {'; '.join(lacking)}; add them under keep: and run it again")
    shares = table[list(FINDINGS)]
    shares = shares / shares.max()
    mean = shares.mean(axis=1)
    shares.columns = [f"{metric} {month}" for metric, month in FINDINGS]
    return shares.assign(mean=mean).sort_values("mean", ascending=False, kind="stable")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the ranking; 0 when done, 2 where the request is wrong."""
    parser = argparse.ArgumentParser(description="Rank the numbers of a screening, and print the first dozen.")
    parser.add_argument("screening", type=Path, metavar="DIR", help="directory of the analyzed screening")
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="write the whole ranking into a file as well")
    given = parser.parse_args(arguments)
    try:
        sweep = Sweep(given.screening)
        if sweep.design.kind != "morris" or len(sweep.design.names) != 2:
            raise SweepError(f"{given.screening} is no screening of two scenarios; name that of experiments/screening")
        about = provenance.read(given.screening / FOLDER)
        if about is None or about.get("sweep", {}).get("content_hash") != sweep.content_hash:
            raise SweepError(f"{given.screening} was not analyzed as it is now; run: cej-sim analyze {given.screening}")
        morris = pd.read_csv(given.screening / FOLDER / "morris.csv")
        table = ranked(morris, sweep.design.names)
    except (SweepError, SweepFailure) as error:
        parser.error(str(error))
    if given.out is not None:
        table.reset_index().round(4).to_csv(given.out, index=False, lineterminator="\n")
    console = Console()
    printed = Table(title="Share of the largest effect on the difference between the two", title_justify="left")
    printed.add_column("")
    for metric, month in FINDINGS:
        printed.add_column(f"{label_of(BY_NAME[metric])}, {when(month)}", justify="right")
    printed.add_column("mean", justify="right")
    first = table.head(DOZEN + 8)
    for number, ((_, label), row) in enumerate(zip(first.index, records(first), strict=True)):
        printed.add_row(label, *(f"{value:.2f}" for value in row.values()), end_section=number == DOZEN - 1)
    console.print(printed)
    factors = {factor.path: factor for factor in sweep.design.factors}
    for path, _ in table.index[:DOZEN]:
        factor = factors[path]
        scale = ", scale: log" if factor.log else ""
        console.print(f"  - {{path: {path}, low: {factor.low:g}, high: {factor.high:g}{scale}}}", highlight=False,
                      markup=False, soft_wrap=True)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
