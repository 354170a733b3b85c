"""Draw the parameter sets of an advocate of Collective Impact, and their mirror image, from priors.yaml.

A Latin hypercube: each range is cut into as many slices as there are sets, and each slice is used once. Set i of
critic.csv is set i of advocate.csv reflected within the range that people of either view could hold (in its logarithm
where the range is one of ratios), so that the two files lean equally far to either side.

    python experiments/robustness/priors.py

writes both files beside this script, the same ones each time.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from cej_sim.ensemble import Ensemble
from cej_sim.scenario import PARAMETERS

HERE = Path(__file__).resolve().parent
PRIORS = HERE / "priors.yaml"
SIDES = ("advocate", "critic")
DIGITS = 5

Floats = NDArray[np.float64]


class PriorError(ValueError):
    """The declared ranges cannot be used; each line of the message says what is wrong and what to write."""


@dataclass(frozen=True)
class Prior:
    """What may be assumed of one parameter.

    Attributes:
        low, high: The range that people of either view could hold.
        first, last: The part of it that the advocate holds.
        why: Why.
        log: Whether it is a range of ratios, covered evenly in its logarithm.
    """

    low: float
    high: float
    first: float
    last: float
    why: str
    log: bool = False

    def at(self, u: Floats) -> Floats:
        """The advocate's values at parts ``u`` of the way through the advocate's range."""
        if self.log:
            return self.first * np.exp(u * math.log(self.last / self.first))
        return self.first + u * (self.last - self.first)

    def mirrored(self, values: Floats | float) -> Any:
        """Values reflected within the whole range."""
        return self.low * self.high / values if self.log else self.low + self.high - values


def read(path: Path = PRIORS) -> tuple[dict[str, Prior], int, int]:
    """The declared ranges, the number of sets and the seed.

    Raises:
        PriorError: With a line for each mistake.
    """
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PriorError(f"{path}: cannot be read: {error}; name a file of ranges such as priors.yaml") from None
    except YAMLError as error:
        raise PriorError(f"{path}: this is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, Mapping) or not isinstance(content.get("ranges"), Mapping):
        raise PriorError(f"{path}: there are no ranges; write `ranges:` and under it a path for each parameter")
    problems, found = [], {}
    for name in ("seed", "sets"):
        least = 0 if name == "seed" else 2
        if type(content.get(name)) is not int or content[name] < least:
            problems.append(f"{name}: write a whole number of at least {least}")
    for name, given in content["ranges"].items():
        told = _problem(str(name), given)
        if told:
            problems.append(f"{name}: {told}")
            continue
        (low, high), (first, last) = (map(float, given[key]) for key in ("all", "advocate"))
        found[str(name)] = Prior(low, high, first, last, given["why"], bool(given.get("log")))
    if problems:
        raise PriorError("\n".join(f"{path}: {problem}" for problem in problems))
    return found, content["sets"], content["seed"]


def _problem(name: str, given: Any) -> str:
    """What is wrong with one declaration; empty if nothing is."""
    if name not in PARAMETERS or PARAMETERS[name].kind not in ("number", "count"):
        return "there is no such number in a scenario; write a path of scenarios/REFERENCE.md"
    if not isinstance(given, Mapping) or not {"all", "advocate", "why"} <= given.keys() <= {
        "all",
        "advocate",
        "why",
        "log",
    }:
        return "write all: [low, high], advocate: [low, high], why: a sentence (and log: true for a range of ratios)"
    for key in ("all", "advocate"):
        pair = given[key]
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(one) in (int, float) for one in pair):
            return f"{key}: write two numbers, [low, high]"
        if not pair[0] < pair[1]:
            return f"{key}: {pair[0]} is not below {pair[1]}; exchange them"
    (low, high), (first, last) = given["all"], given["advocate"]
    if not low <= first < last <= high:
        return f"advocate: [{first}, {last}] lies outside all: [{low}, {high}]; widen the one or narrow the other"
    if given.get("log") and low <= 0:
        return f"log: a range of ratios begins above 0, and this one at {low}; raise it, or leave out log"
    bounds = PARAMETERS[name]
    if low < bounds.low or high > bounds.high:
        return f"all: [{low}, {high}] leaves the declared bounds {bounds.low:g} to {bounds.high:g}"
    if not str(given["why"]).strip():
        return "why: write a sentence"
    return ""


def draw(priors: Mapping[str, Prior], sets: int, seed: int) -> dict[str, Floats]:
    """The advocate's and the critic's sets, each (sets, parameters).

    Each parameter has a stream of its own, so that a further one moves none of the others.
    """
    columns: dict[str, list[Floats]] = {side: [] for side in SIDES}
    for name, prior in priors.items():
        luck = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, zlib.crc32(name.encode())])))
        values = prior.at((luck.permutation(sets) + luck.random(sets)) / sets)
        for side, column in zip(SIDES, (values, prior.mirrored(values)), strict=True):
            if PARAMETERS[name].kind == "count":
                column = np.round(column)
            columns[side].append(np.clip(column, prior.low, prior.high))
    return {side: np.column_stack(values) for side, values in columns.items()}


def text(paths: Sequence[str], values: Floats) -> str:
    """A file of parameter sets."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(paths)
    writer.writerows([[f"{value:.{DIGITS}g}" for value in row] for row in values.tolist()])
    return stream.getvalue()


def files(priors: Mapping[str, Prior], sets: int, seed: int) -> dict[str, str]:
    """Name of each file -> what it holds."""
    return {f"{side}.csv": text(list(priors), values) for side, values in draw(priors, sets, seed).items()}


def show(priors: Mapping[str, Prior], console: Console) -> None:
    """Print the ranges."""
    table = Table(title="What each side holds", title_justify="left")
    for column in ("parameter", "all", "advocate", "critic"):
        table.add_column(column, justify="left" if column == "parameter" else "right", no_wrap=column != "parameter")
    for name, prior in priors.items():
        ends = sorted((prior.mirrored(prior.first), prior.mirrored(prior.last)))
        ranges = ((prior.low, prior.high), (prior.first, prior.last), ends)
        table.add_row(PARAMETERS[name].label, *(f"{low:.3g} to {high:.3g}" for low, high in ranges))
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw and write; 0 when done, 2 where the request is wrong."""
    parser = argparse.ArgumentParser(
        description="Draw advocate.csv and critic.csv, parameter sets for experiments/robustness, from priors.yaml."
    )
    parser.add_argument("--priors", type=Path, default=PRIORS, help="the declared ranges (default: priors.yaml here)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the files (default: beside this script)")
    given = parser.parse_args(arguments)
    console = Console()
    try:
        priors, sets, seed = read(given.priors)
    except PriorError as error:
        parser.error(str(error))
    show(priors, console)
    try:
        given.out.mkdir(parents=True, exist_ok=True)
        for name, content in files(priors, sets, seed).items():
            (given.out / name).write_text(content, encoding="utf-8", newline="\n")
            Ensemble.read(given.out / name)  # within the bounds, as every reader will check again
            console.print(f"{given.out / name}: {sets} sets of {len(priors)} parameters")
    except OSError as error:
        parser.error(f"--out {given.out} cannot be written: {(error.strerror or str(error)).lower()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
