"""Do the main findings hold on the network of a real coalition?

The institutional core is the state tobacco control network of Indiana in 2010: 25 organizations, one of them the lead
agency (the backbone here), and how often they are in contact. Residents are generated beside them. It is set against
generated institutions, once with the usual number of ties and once with as many as were measured; people, luck and
money are the same.

    python experiments/robustness/indiana.py --data FOLDER --out results/indiana

FOLDER holds indiana_tobacco_control/network.graphml; by default the folder that the environment variable CEJ_SIM_DATA
names, or else shared/data beside this repository. The data do not come with the package (data set TCnetworks of the R
package UserNetR; D. Luke, A User's Guide to Network Analysis in R). Only tables and pictures of results are written.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from findings import CI, HOW, LED, Pictured, files, held_against, of_monthly, show
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cej_sim import compiled, provenance, reading
from cej_sim.ensemble import Ensemble, EnsembleError
from cej_sim.network_files import NetworkError, read_network
from cej_sim.runs import RequestError, compare, usable_processors
from cej_sim.scenario import NetworkFile, Scenario
from cej_sim.state import INSTITUTION

ROOT = Path(__file__).resolve().parents[2]
FILE = Path("indiana_tobacco_control") / "network.graphml"

#: The default community has an institution for 10 residents, an organizer for 60, a seat for 3 and a grant of .05
#: staff-months for each; here it is as large as 24 institutions make it.
RESIDENTS_PER_INSTITUTION, RESIDENTS_PER_ORGANIZER, RESIDENTS_PER_SEAT, GRANT_PER_RESIDENT = 10, 60, 3, 0.05
BACKBONE_PER_RESIDENT = 0.3 / 120


def network_file(folder: Path) -> NetworkFile:
    """How the file is read: the lead agency is the backbone, daily contact is the strongest tie."""
    return NetworkFile(
        (folder / FILE).resolve(),
        kind_column="agency_category",
        kind_map=(("lead_agency", "backbone"),),
        kind_default="institution",
        weight="contact",
        scale=5.0,
    )


def sized(scenario: Scenario, institutions: int) -> Scenario:
    """A scenario in a community that is in proportion to so many institutions."""
    residents = RESIDENTS_PER_INSTITUTION * institutions
    return scenario.with_values(
        {
            "community.residents": residents,
            "community.institutions": institutions,
            "community.organizers": residents // RESIDENTS_PER_ORGANIZER,
            "community.tables": 1,
            "governance.convene.table_cap": residents // RESIDENTS_PER_SEAT,
            "governance.coordinate.backbone_minimum": BACKBONE_PER_RESIDENT * residents,
            "funder.grant": GRANT_PER_RESIDENT * residents,
        }
    )


def networks(folder: Path) -> tuple[dict[str, dict[str, Scenario]], str]:
    """Each network's label with both scenarios on it, and what the file holds in words.

    Raises:
        NetworkError: If the file cannot be read.
    """
    file = network_file(folder)
    found = read_network(file)
    institutions = found.counts["institution"]
    member = found.kinds == INSTITUTION
    degree = 2.0 * float((member[found.source] & member[found.target]).sum()) / institutions
    both = {name: sized(reading.load(name), institutions) for name in (CI, LED)}
    made = {
        "Generated, usual number of ties": both,
        f"Generated, {degree:.1f} ties per institution as measured": {
            name: one.with_values({"network.institution_degree": degree}) for name, one in both.items()
        },
        "Measured: Indiana tobacco control": {name: replace(one, network_file=file) for name, one in both.items()},
    }
    told = (
        f"{institutions} institutions and a backbone with {found.counts['ties']} ties "
        f"({degree:.1f} per institution among institutions) beside {RESIDENTS_PER_INSTITUTION * institutions} residents"
    )
    return made, told


def default_data() -> Path:
    """Where the data are looked for."""
    return Path(os.environ.get("CEJ_SIM_DATA") or ROOT.parent / "shared" / "data")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison on each network; 0 when done, 2 where the request is wrong."""
    parser = argparse.ArgumentParser(description="The main findings on the network of a real coalition.")
    where = "folder that holds indiana_tobacco_control (default: CEJ_SIM_DATA, or ../shared/data)"
    parser.add_argument("--data", type=Path, default=default_data(), metavar="FOLDER", help=where)
    parser.add_argument("--runs", type=int, default=200, help="paired runs on each network (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="seed (default 1)")
    sets = "parameter sets: a file, shipped (the default), or none for the declared defaults"
    parser.add_argument("--ensemble", default="shipped", metavar="FILE", help=sets)
    parser.add_argument("--threads", type=int, default=usable_processors(), help="threads (default: all processors)")
    parser.add_argument("--out", type=Path, required=True, help="directory for the table and the picture")
    given = parser.parse_args(arguments)
    for name, least in (("runs", 2), ("seed", 0), ("threads", 1)):
        if getattr(given, name) < least:
            parser.error(f"--{name} {getattr(given, name)}: write a whole number of at least {least}")
    if not (given.data / FILE).is_file():
        parser.error(f"{given.data} does not hold {FILE.as_posix()}; name the folder that does with --data")
    console = Console()
    try:
        provenance.check_output(given.out)
        ensemble = None
        if given.ensemble != "none":
            ensemble = Ensemble.read(None if given.ensemble == "shipped" else given.ensemble)
        made, told = networks(given.data)
    except (EnsembleError, NetworkError, provenance.OutputError) as error:
        parser.error(str(error))
    if not compiled.is_cached():
        console.print("[dim]compiling the model, once[/]")
    parts = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        for label, scenarios in made.items():
            task = bar.add_task(label, total=2 * given.runs)
            try:
                result = compare(
                    scenarios[CI], scenarios[LED], runs=given.runs, seed=given.seed, threads=given.threads,
                    ensemble=ensemble,
                    progress=lambda done, _, task=task: bar.update(task, completed=done),  # type: ignore[misc]
                )  # fmt: skip
            except (RequestError, NetworkError) as error:
                parser.error(str(error))
            parts.append(of_monthly(result.monthly, label, 0))
    table = held_against(pd.concat(parts, ignore_index=True))
    over = f" over {min(given.runs, len(ensemble))} parameter sets" if ensemble is not None else ""
    facts = f"{given.runs} paired runs on each network{over}, seed {given.seed}, cej_sim {provenance.version()}"
    words = Pictured(
        "Do the main findings hold on the network of a real coalition?",
        f"{HOW} The institutional core: {told}.",
        f"Illustration, not prediction.  {facts}.",
        f"{provenance.NOTE}; {facts}",
    )
    described = provenance.describe(
        {f"{name} ({label})": one for label, scenarios in made.items() for name, one in scenarios.items()},
        seed=given.seed,
        runs=given.runs,
        months=120,
        engine=compiled.source_hash(),
        command=" ".join(["python", "experiments/robustness/indiana.py",
                          *map(os.fspath, sys.argv[1:] if arguments is None else arguments)]),
    )  # fmt: skip
    if ensemble is not None:
        described["ensemble"] = ensemble.described()
    show(table, console)
    try:
        provenance.write(given.out, described, files(table, words))
    except provenance.OutputError as error:
        parser.error(str(error))
    console.print(f"written to {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
