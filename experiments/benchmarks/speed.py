"""How fast the core is by each of its doors, as ratios inside one process, and how near to what memory allows.

    python experiments/benchmarks/speed.py                 measures, prints, writes speed.json and the two READMEs
    python experiments/benchmarks/speed.py --no-write      measures and prints only
    python experiments/benchmarks/speed.py --sizes 135 500 --repeats 3

What is measured stands in README.md beside this file. Everything that is compared takes turns in one process; medians
count. How busy the machine was is measured, too, and printed: processors idle before and stolen meanwhile, from
/proc/stat where there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
sys.path[:0] = [str(ROOT / "tests"), str(HERE)]

from oracle import DrawTable, Oracle  # noqa: E402  (the oracle lives with the tests)

from cej_sim import draws  # noqa: E402
from cej_sim.compiled import entry  # noqa: E402
from cej_sim.metrics import METRICS  # noqa: E402
from cej_sim.month import run_months  # noqa: E402
from cej_sim.population import populate  # noqa: E402
from cej_sim.processor import prefetch  # noqa: E402
from cej_sim.reading import load  # noqa: E402
from cej_sim.runs import key_of, simulate  # noqa: E402
from cej_sim.scenario import Scenario, encode_events  # noqa: E402
from cej_sim.state import State  # noqa: E402
from cej_sim.warmup import prepare, usable_processors  # noqa: E402

MARKERS = "<!-- speed -->", "<!-- /speed -->"
KEY = key_of(1, 0)
#: Months that are run at each size, by those who run few and by those who run many of them.
MONTHS = {135: 120, 500: 120, 10_000: 12, 100_000: 6, 1_000_000: 3}
#: The largest community that each door is measured with, and why not a larger one.
LIMITS = {
    "plain Mesa": (500, "minutes a month beyond"),
    "numpy": (100_000, "its temporary arrays would need gigabytes beyond"),
    "Mesa with agents": (10_000, "networkx and the agents would need minutes to be built beyond"),
    "sweep engine": (500, "a sweep is of many small runs"),
    "app request": (500, "the app shows up to some hundreds of people"),
}


def sized(agents: int) -> Scenario:
    """``community_led`` with about that many agents, everything per head as in the file."""
    scale = agents / 135
    return load("community_led").with_values(
        {
            "community.residents": max(1, round(120 * scale)),
            "community.institutions": max(1, round(12 * scale)),
            "community.organizers": max(1, round(2 * scale)),
            "funder.grant": 6.0 * scale,
        }
    )


def busy(work: Callable[[], object]) -> float:
    """Seconds of the processor that something takes in this process; others who wait their turn are not in it."""
    started = time.process_time()
    work()
    return time.process_time() - started


def clock(work: Callable[[], object]) -> float:
    """Seconds that something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# The doors: each gives the processor's seconds of one month, setting up left out unless it is said


def fused(scenario: Scenario, months: int) -> float:
    """All months in one call."""
    state, events, out = populate(scenario, int(KEY)), encode_events(scenario), np.empty((months, len(METRICS)))
    return busy(lambda: run_months(state, events, KEY, 0, out)) / months


def plain_mesa(scenario: Scenario, months: int) -> float:
    """One Mesa agent for each person, its random numbers looked up in a table filled beforehand."""
    oracle = Oracle(scenario, int(KEY))
    oracle.draws = DrawTable(oracle, months)

    def run() -> None:
        for _ in range(months):
            oracle.step()
            oracle.metrics()

    return busy(run) / months


def mesa_door(scenario: Scenario, months: int, *, agents: bool) -> float:
    """``CoalitionModel.step()``, which also collects all metrics."""
    from cej_sim.model import CoalitionModel

    model = CoalitionModel(scenario, rng=1, agents=agents)

    def run() -> None:
        for _ in range(months):
            model.step()

    return busy(run) / months


def numpy_phases(scenario: Scenario, months: int) -> float:
    """Two of the twelve phases, influence and attendance, as vectorised numpy has them; no metrics."""
    s = populate(scenario, int(KEY))
    who, inside = np.repeat(np.arange(s.kind.size), np.diff(s.indptr)), s.active.astype(float)
    K = s.structural.size

    def run() -> None:
        for month in range(months):
            chance = draws.uniforms(KEY, s.draw_id, month, draws.ATTEND)
            seated = s.member[s.indices] * s.tie
            total = np.bincount(who, seated, s.kind.size)
            there = np.bincount(who, seated * s.came[s.indices], s.kind.size)
            company = np.divide(there, total, out=np.zeros_like(there), where=total > 0)
            fit = 1.0 - 0.5 * np.abs(s.decision[:K] - s.x[:, :K]).sum(axis=1)
            z = (
                -1.5
                + 1.6 * s.agency
                + 1.4 * s.trust
                + 1.2 * (fit - 0.6)
                - 2.4 * s.barrier
                + 0.8 * company
                - s.grievance
            )
            s.present[:] = s.member & (chance < 0.5 * (1.0 + 2.0 * z / np.sqrt(1.0 + 4.0 * z * z)))
            weight = s.tie * inside[s.indices]
            heard = s.x.copy()
            for d in range(s.x.shape[1]):
                heard[:, d] += np.bincount(who, weight * s.x[s.indices, d], s.kind.size)
            heard /= (1.0 + np.bincount(who, weight, s.kind.size))[:, None]
            theta = (0.6 * (0.5 + 0.5 * s.openness))[:, None]
            s.x[:] = 0.6 * s.x + 0.4 * (theta * heard + (1.0 - theta) * s.x0)

    return busy(run) / months


def sweep_engine(scenario: Scenario, months: int) -> float:
    """Runs of a sweep by one worker, populations, Parquet and ledger in it; the time that passes."""
    import engine

    from cej_sim.sweeps.design import Design, Factor

    runs, cells = 20, 6
    grants = tuple(float(scenario["funder.grant"]) * (1.0 + 0.01 * cell) for cell in range(cells))
    made = Design("speed", "grid", (scenario,), (Factor("funder.grant", "Grant", grants, path="funder.grant"),),
                  runs=runs, months=months)  # fmt: skip
    given, engine.design = engine.design, lambda _cells, _runs: made
    try:
        return engine.engine(cells, runs, 1)[0] / (cells * runs * months)
    finally:
        engine.design = given


def app_request(scenario: Scenario, months: int) -> float:
    """What the app asks for when a lever is moved: one history and the band of thirty runs, by one thread."""
    from cej_sim.app import history

    return busy(lambda: history.show([scenario], months=months, threads=1)) / (30 * months)


DOORS: dict[str, Callable[[Scenario, int], float]] = {
    "fused": fused,
    "Mesa without agents": lambda scenario, months: mesa_door(scenario, months, agents=False),
    "Mesa with agents": lambda scenario, months: mesa_door(scenario, months, agents=True),
    "sweep engine": sweep_engine,
    "app request": app_request,
    "numpy": numpy_phases,
    "plain Mesa": plain_mesa,
}


def doors(sizes: list[int], repeats: int) -> list[dict[str, Any]]:
    """Seconds a month of every door at every size, in turns; None where a size is beyond a door.

    How many times as fast as plain Mesa a door is, is the median of what each turn says: a machine may change its clock
    from one turn to the next. Months of small communities are short, so they have more turns.
    """
    rows = []
    for agents in sizes:
        scenario, months = sized(agents), MONTHS[agents]
        open_ = {name: door for name, door in DOORS.items() if agents <= LIMITS.get(name, (agents, ""))[0]}
        for door in (fused, *(door for name, door in open_.items() if name == "Mesa with agents")):
            door(scenario, 1)  # what is loaded or compiled at the first use
        took: dict[str, list[float]] = {name: [] for name in open_}
        turns = 3 * repeats if agents < 1_000 else repeats if agents < 100_000 else min(repeats, 3)
        for _ in range(turns):
            for name, door in open_.items():
                took[name].append(door(scenario, months))
        medians = {name: statistics.median(took[name]) if name in took else None for name in DOORS}
        times = {
            name: statistics.median(plain / door for plain, door in zip(took["plain Mesa"], some, strict=True))
            for name, some in took.items()
            if "plain Mesa" in took
        }
        spread = {name: [min(some), max(some)] for name, some in took.items()}
        peak = peak_memory() / 1e6
        rows.append({"agents": agents, "months": months, "turns": turns, "seconds": medians, "range": spread,
                     "times_plain_mesa": times, "peak_mb": peak})  # fmt: skip
    return rows


# What memory allows


@entry
def gather(x, indptr, indices, out, ahead):
    """Read the rows of x at the other ends of each agent's ties and add them up: the least that influence can do.

    ``ahead``: ask for rows so many ties ahead, as the core does; 0 leaves it to the processor.
    """
    width, end = np.uint32(x.shape[1]), indices.size - 1
    for i in range(out.size):
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for e in range(indptr[i], indptr[i + 1]):
            if ahead > 0:
                prefetch(x, np.uint32(indices[min(e + ahead, end)]))
            j = np.uint32(indices[e])
            for entry_ in range(0, width - 3, 4):
                at = np.uint32(entry_)
                a += x[j, at]
                b += x[j, at + 1]
                c += x[j, at + 2]
                d += x[j, at + 3]
        out[i] = a + b + c + d


def bound(agents: int, repeats: int) -> dict[str, float]:
    """The least a month can take: a gather over the same ties, a copy of the bytes it touches, and its draws."""
    scenario = sized(agents)
    state, out = populate(scenario, int(KEY)), np.empty((1, len(METRICS)))
    events = encode_events(scenario)
    touched = np.empty(bytes_of(state), np.uint8)
    copy, drawn = np.empty_like(touched), np.empty(state.kind.size)
    touched[:], copy[:] = 1, 0
    gather(state.x, state.indptr, state.indices, drawn, 0)
    # Three draws for each agent (invited, met by services, met by organizers), three for each member
    each = 3.0 + 3.0 * float(state.member.mean())
    names = ("gather_s", "gather_ahead_s", "copy_s", "draws_s", "month_s")
    took: dict[str, list[float]] = {name: [] for name in names}
    for month in range(repeats):
        took["month_s"].append(busy(lambda month=month: run_months(state, events, KEY, month, out)))  # type: ignore[misc]
        took["gather_s"].append(busy(lambda: gather(state.x, state.indptr, state.indices, drawn, 0)))
        took["gather_ahead_s"].append(busy(lambda: gather(state.x, state.indptr, state.indices, drawn, 16)))
        took["copy_s"].append(busy(lambda: np.copyto(copy, touched)))
        took["draws_s"].append(
            each * busy(lambda: draws.fill(KEY, state.draw_id, 1, draws.ATTEND, drawn))
        )  # the draws of one stream, times how many there are
    found = {name: statistics.median(some) for name, some in took.items()}
    least = found["gather_s"] + found["copy_s"] + found["draws_s"]
    ahead = least - found["gather_s"] + found["gather_ahead_s"]
    return {"agents": state.kind.size, "ties": state.indices.size, **found, "bound_s": least,
            "ratio": found["month_s"] / least, "ratio_ahead": found["month_s"] / ahead}  # fmt: skip


def bytes_of(state: State) -> int:
    """Bytes of a state; the scratch that lies in other arrays' memory counts once."""
    lent = ("score", "pool", "luck", "weight", "weight_budget", "rules_flat")
    return sum(array.nbytes for name, array in state._asdict().items() if name not in lent)


PEAK = """
import sys
sys.path[:0] = {paths!r}
import speed
speed.fused(speed.sized({agents}), 1)
print(speed.peak_memory())
"""


def peak_memory() -> int:
    """The most bytes that this program has held; what the system tells of a process counts its parent's in."""
    own = [line.split()[1] for line in _lines("/proc/self/status") if line.startswith("VmHWM")]
    return int(own[0]) * 1024 if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def memory(sizes: list[int]) -> list[dict[str, float]]:
    """Bytes of the state, the promised most, and the peak of a process that builds it and runs a month."""
    rows = []
    for agents in sizes:
        code = PEAK.format(paths=[str(ROOT), str(HERE)], agents=agents)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        state = populate(sized(agents), int(KEY))
        n, ties, K = state.kind.size, state.indices.size, state.structural.size
        promised = (300 + 60 * K) * n + 16 * ties
        rows.append({"agents": n, "ties": ties, "state_mb": bytes_of(state) / 1e6, "promised_mb": promised / 1e6,
                     "bytes_an_agent": (bytes_of(state) - 12 * ties) / n,
                     "peak_mb": int(done.stdout) / 1e6})  # fmt: skip
    return rows


def growth(repeats: int, largest: int) -> tuple[list[dict[str, float]], float]:
    """Time of some months against size, and the exponent of a straight line in logarithms."""
    rows = []
    for agents in (n for n in (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000) if n <= largest):
        scenario, months = sized(agents), 12
        state = populate(scenario, int(KEY))
        took = [fused(scenario, months) for _ in range(repeats if agents < 30_000 else 2)]
        rows.append({"agents": state.kind.size, "ties": state.indices.size, "seconds": statistics.median(took)})
    size = np.log([row["agents"] + row["ties"] for row in rows])
    return rows, float(np.polyfit(size, np.log([row["seconds"] for row in rows]), 1)[0])


# The machine


def processor_ticks() -> dict[str, int] | None:
    """Ticks of all processors since the machine started: busy, idle and stolen by others on the same hardware."""
    try:
        words = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    except (OSError, ValueError):
        return None
    return {"idle": words[3] + words[4], "stolen": words[7], "all": sum(words[:8])}


def shares(before: dict[str, int], after: dict[str, int]) -> dict[str, float]:
    """Idle and stolen parts of all processors' time between two moments."""
    passed = max(1, after["all"] - before["all"])
    return {name: (after[name] - before[name]) / passed for name in ("idle", "stolen")}


ALONE = """
import sys
sys.path[:0] = {paths!r}
import speed
simulate = lambda runs: speed.simulate(speed.sized(500), runs=runs, months=120, threads=1)
simulate(2)
print("ready", flush=True)
for _ in sys.stdin:
    print(speed.clock(lambda: simulate({runs})), flush=True)
"""


class Apart:
    """Two processes that share nothing, each with half of the runs: what the machine gives to any two programs."""

    def __init__(self, runs: int) -> None:
        code = ALONE.format(paths=[str(ROOT), str(HERE)], runs=runs // 2)
        self.both = [
            subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for one in self.both:
            assert one.stdout is not None
            one.stdout.readline()

    def seconds(self, of: int) -> float:
        """How long they take, one alone or both at once."""
        for one in self.both[:of]:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        return max(float(one.stdout.readline()) for one in self.both[:of] if one.stdout is not None)

    def end(self) -> None:
        for one in self.both:
            one.communicate()


def two_threads(repeats: int) -> dict[str, Any]:
    """Runs by one thread and by two, in turns, and whether two processors were really free for it.

    They count as free where, just before, at least nine tenths of the processors' time was idle, and hardly any was
    stolen while two threads ran. Beside it, what two processes that share nothing gain over one after the other.
    """
    scenario, runs = sized(500), 100
    simulate(scenario, runs=2, months=12, threads=1)
    apart = Apart(runs)
    rows = []
    for _ in range(repeats):
        first = processor_ticks()
        time.sleep(0.5)
        second = processor_ticks()
        took = {}
        for threads in (1, 2):
            started = processor_ticks()
            took[threads] = clock(lambda threads=threads: simulate(scenario, runs=runs, months=120, threads=threads))  # type: ignore[misc]
            ended = processor_ticks()
        known = first and second and started and ended
        row: dict[str, Any] = {"one_s": took[1], "two_s": took[2], "ratio": took[1] / took[2]}
        row["apart"] = 2.0 * apart.seconds(1) / apart.seconds(2)
        if known:
            row |= {"idle_before": shares(first, second)["idle"], "stolen": shares(started, ended)["stolen"]}  # type: ignore[arg-type]
            row["free"] = row["idle_before"] > 0.9 and row["stolen"] < 0.02 and usable_processors() > 1
        rows.append(row)
    apart.end()
    free = [row["ratio"] for row in rows if row.get("free")]
    return {"rows": rows, "ratio_all": statistics.median(row["ratio"] for row in rows),
            "ratio_free": statistics.median(free) if free else None, "free": len(free), "of": len(rows),
            "apart": statistics.median(row["apart"] for row in rows)}  # fmt: skip


def starting(repeats: int) -> dict[str, float]:
    """Seconds from calling the command to its end; the first ``compare`` compiles into an empty cache."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}

        def call(*words: str, **variables: str) -> float:
            command = [sys.executable, "-m", "cej_sim", *words]
            return clock(
                lambda: subprocess.run(command, cwd=folder, env={**environment, **variables}, capture_output=True,
                                       check=True)
            )  # fmt: skip

        where = {"CEJ_SIM_CACHE_DIR": str(Path(folder) / "cache")}
        compare = ("compare", "--runs", "20", "--out", "both")
        found["first compare (compiles)"] = call(*compare, **where)
        found["second compare"] = statistics.median(call(*compare, **where) for _ in range(repeats))
        usual = ("compare", "--out", "both")
        found["the same with the usual 100 runs"] = statistics.median(call(*usual, **where) for _ in range(repeats))
        found["--help"] = statistics.median(call("--help") for _ in range(repeats))
        scenario = str(ROOT / "scenarios" / "community_led.yaml")
        found["check"] = statistics.median(call("check", scenario) for _ in range(repeats))
    return found


# Showing it


def number(value: float | None) -> str:
    """Three digits, or a dash."""
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the first column is to the left."""
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def doors_text(rows: list[dict[str, Any]]) -> str:
    """Microseconds a month of each door, and how many times as fast as plain Mesa."""
    lines = []
    for name in DOORS:
        cells = []
        for row in rows:
            took, factor = row["seconds"][name], row["times_plain_mesa"].get(name)
            times = f" ({factor:,.0f}x)" if factor and name != "plain Mesa" else ""
            cells.append(number(took and 1e6 * took) + times)
        lines.append([name + (" (two phases of twelve, no metrics)" if name == "numpy" else ""), *cells])
    heads = ["microseconds a month (times as fast as plain Mesa)", *(f"{row['agents']:,} agents" for row in rows)]
    absent = "; ".join(f"{name}: up to {most:,}, {why}" for name, (most, why) in LIMITS.items())
    return f"{table(heads, lines)}\n\nA dash is where a door was not measured: {absent}."


def all_text(found: dict[str, Any]) -> str:
    """Everything else that was measured."""
    least, threads = found["bound"], found["threads"]
    sizes = ("bytes_an_agent", "state_mb", "promised_mb", "peak_mb")
    memory_rows = [[f"{row['agents']:,}", *(number(row[name]) for name in sizes)] for row in found["memory"]]
    free = threads["ratio_free"]
    machine = found["machine"]
    parts = [
        doors_text(found["doors"]),
        f"The machine: {machine['processor']}, {machine['processors']} processors, Python {machine['python']}, numba "
        f"{machine['numba']}; "
        + (
            f"over the whole measurement {100 * machine['idle']:.0f}% of the processors' time was idle and "
            f"{100 * machine['stolen']:.0f}% stolen, and {machine['load']:.1f} processes wanted to run at the start."
            if "idle" in machine
            else "how busy it was is not known."
        ),
        f"Against what memory allows, at {least['agents']:,} agents and {least['ties']:,} directions of ties: a month "
        f"took {least['month_s']:.2f} s; the same rows gathered over the same ties take {least['gather_s']:.2f} s, a "
        f"copy of the state's bytes {least['copy_s']:.2f} s, its draws {least['draws_s']:.3f} s, together "
        f"{least['bound_s']:.2f} s: **{least['ratio']:.2f} times the bound**. Where rows are asked for "
        f"ahead, as the core does, the gather takes {least['gather_ahead_s']:.2f} s, and a month "
        f"{least['ratio_ahead']:.2f} times that bound.",
        f"Time grows with (agents + ties) to the power {found['exponent']:.2f} from {found['growth'][0]['agents']:,} "
        f"to {found['growth'][-1]['agents']:,} agents.",
        f"Two threads were {threads['ratio_all']:.2f} times as fast as one (median of {threads['of']}); "
        + (
            f"where both processors were free before and nothing was stolen ({threads['free']} times): {free:.2f}."
            if free
            else "two processors were never really free (at least 90% idle before, at most 2% stolen), so this tells "
            "nothing of the engine."
        )
        + f" Two processes that share nothing, each with half of the runs, were {threads['apart']:.2f} times as fast "
        "as one after the other.",
        "Seconds to start (compare with 20 runs of each): "
        + ", ".join(f"{name} {seconds:.2f}" for name, seconds in found["starting"].items())
        + ".",
        table(
            ["agents", "bytes an agent, without ties", "state, MB", "promised most, MB", "peak of the process, MB"],
            memory_rows,
        ),
    ]
    return "\n\n".join(parts)


def write_between(readme: Path, text: str) -> None:
    """Replace what stands between the markers of a README."""
    before, _, rest = readme.read_text().partition(MARKERS[0])
    _, _, after = rest.partition(MARKERS[1])
    if not rest:
        raise SystemExit(f"{readme} has no {MARKERS[0]} to write between")
    readme.write_text(f"{before}{MARKERS[0]}\n{text}\n{MARKERS[1]}{after}")


def machine() -> dict[str, Any]:
    """What was measured on."""
    import numba

    model = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    return {"processor": model or platform.processor(), "processors": usable_processors(),
            "python": platform.python_version(), "numba": numba.__version__, "load": os.getloadavg()[0]}  # fmt: skip


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="interleaved repetitions (default 5)")
    parser.add_argument("--sizes", type=int, nargs="+", choices=list(MONTHS), default=list(MONTHS))
    parser.add_argument("--no-write", action="store_true", help="leave the READMEs and speed.json as they are")
    options = parser.parse_args()
    prepare()
    here, before = machine(), processor_ticks()
    found: dict[str, Any] = {"doors": doors(options.sizes, options.repeats)}
    found["bound"] = bound(max(options.sizes), max(2, min(options.repeats, 3)))
    found["growth"], found["exponent"] = growth(options.repeats, max(options.sizes))
    found["threads"] = two_threads(3 * options.repeats)
    found["starting"] = starting(options.repeats)
    found["memory"] = memory([size for size in options.sizes if size >= 10_000] or options.sizes)
    after = processor_ticks()
    found["machine"] = here | (shares(before, after) if before and after else {})
    print(all_text(found))
    if not options.no_write:
        (HERE / "speed.json").write_text(json.dumps(found, indent=1) + "\n")
        write_between(HERE / "README.md", all_text(found))
        write_between(ROOT / "README.md", doors_text(found["doors"]))


if __name__ == "__main__":
    main()
