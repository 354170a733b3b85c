"""How fast the core is, as ratios inside one process.

    python experiments/benchmarks/speed.py            prints the tables and writes them into the README
    python experiments/benchmarks/speed.py --no-write prints only

1. The fused months against the plain per-agent Mesa version in tests/oracle.py: same scenario, same draws (for the
   plain version taken from a table filled beforehand, so that slow random numbers do not flatter the core),
   120 months, all metrics measured each
   month. The two are interleaved; medians count. Setting up the population is in neither.
2. Growth from 100 to 100,000 agents: the fitted exponent of time against agents plus ties.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from oracle import DrawTable, Oracle  # noqa: E402  (the oracle lives with the tests)

from cej_sim.metrics import METRICS  # noqa: E402
from cej_sim.month import run_months  # noqa: E402
from cej_sim.population import populate  # noqa: E402
from cej_sim.reading import load  # noqa: E402
from cej_sim.runs import key_of  # noqa: E402
from cej_sim.scenario import Scenario, encode_events  # noqa: E402
from cej_sim.warmup import prepare  # noqa: E402

MARKERS = "<!-- speed -->", "<!-- /speed -->"


def sized(scenario: Scenario, agents: int) -> Scenario:
    """The scenario with about that many agents, everything per head as in the file."""
    scale = agents / 135
    return scenario.with_values(
        {
            "community.residents": max(1, round(120 * scale)),
            "community.institutions": max(1, round(12 * scale)),
            "community.organizers": max(1, round(2 * scale)),
            "funder.grant": 6.0 * scale,
        }
    )


def core_seconds(scenario: Scenario, months: int, repeats: int) -> tuple[float, int, int]:
    """Median seconds of the fused months, and the numbers of agents and of tie directions."""
    key, events = key_of(1, 0), encode_events(scenario)
    out = np.empty((months, len(METRICS)))
    times = []
    for _ in range(repeats):
        state = populate(scenario, int(key))
        started = time.perf_counter()
        run_months(state, events, key, 0, out)
        times.append(time.perf_counter() - started)
    return statistics.median(times), state.kind.size, state.indices.size


def oracle_seconds(scenario: Scenario, months: int) -> float:
    """Seconds of the plain Mesa version, its draws from a table."""
    key = key_of(1, 0)
    oracle = Oracle(scenario, int(key))
    oracle.draws = DrawTable(oracle, months)
    started = time.perf_counter()
    for _ in range(months):
        oracle.step()
        oracle.metrics()
    return time.perf_counter() - started


def against_plain_mesa(repeats: int) -> list[dict[str, float]]:
    """Both at 135 and 500 agents, interleaved."""
    rows = []
    for agents in (135, 500):
        scenario = sized(load("community_led"), agents)
        plain, core = [], []
        for _ in range(repeats):
            core.append(core_seconds(scenario, 120, 5)[0])
            plain.append(oracle_seconds(scenario, 120))
            core.append(core_seconds(scenario, 120, 5)[0])
        fast, slow = statistics.median(core), statistics.median(plain)
        rows.append({"agents": agents, "plain_mesa_s": slow, "core_s": fast, "ratio": slow / fast})
    return rows


def growth(repeats: int) -> tuple[list[dict[str, float]], float]:
    """Time of 12 months against size, and the exponent of a straight line in logarithms."""
    rows = []
    for agents in (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000):
        seconds, n, ties = core_seconds(sized(load("community_led"), agents), 12, repeats if agents < 30_000 else 3)
        rows.append(
            {"agents": n, "ties": ties, "seconds": seconds, "ns_per_agent_and_tie": 1e9 * seconds / 12 / (n + ties)}
        )
    size = np.log([row["agents"] + row["ties"] for row in rows])
    return rows, float(np.polyfit(size, np.log([row["seconds"] for row in rows]), 1)[0])


def table(rows: list[dict[str, float]]) -> str:
    """A Markdown table of dictionaries with equal keys."""
    heads = list(rows[0])
    lines = ["| " + " | ".join(head.replace("_", " ") for head in heads) + " |", "|" + "---:|" * len(heads)]
    lines += [
        "| " + " | ".join(f"{row[h]:,.0f}" if row[h] >= 100 else f"{row[h]:.3g}" for h in heads) + " |" for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write into the README between its markers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="interleaved repetitions (default 5)")
    parser.add_argument("--no-write", action="store_true", help="leave the README as it is")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args()
    prepare()
    compared = against_plain_mesa(options.repeats)
    sizes, exponent = growth(options.repeats)
    text = (
        f"{table(compared)}\n\n{table(sizes)}\n\nTime grows with (agents + ties) to the power {exponent:.2f} "
        f"from 100 to 100,000 agents (12 months of `community_led`; tie directions are counted)."
    )
    print(text)
    if options.json:
        options.json.write_text(
            json.dumps({"against_plain_mesa": compared, "growth": sizes, "exponent": exponent}, indent=1) + "\n"
        )
    readme = ROOT / "README.md"
    if not options.no_write:
        before, _, rest = readme.read_text().partition(MARKERS[0])
        _, _, after = rest.partition(MARKERS[1])
        if not rest:
            raise SystemExit(f"{readme.name} has no {MARKERS[0]} to write between")
        readme.write_text(f"{before}{MARKERS[0]}\n{text}\n{MARKERS[1]}{after}")


if __name__ == "__main__":
    main()
