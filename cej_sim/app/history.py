"""Whole histories for the player: one run month by month, the band of many runs around it, and what happened when.

``show`` computes, ``Show.payload`` packs. The run that is shown is the run of the same number that ``cej_sim.simulate``
computes, bit for bit; the band comes from the ordinary runs. Nothing here knows a browser.

Arrays of single agents are rounded for the way to the browser (to 1/255 of their range, shares of say to 1/65535);
metrics are sent as 32-bit numbers.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cej_sim import __version__
from cej_sim.comparison import FAMILIES, label_of, paired
from cej_sim.instruments import agent_names, change_log
from cej_sim.metrics import METRICS, NAMES
from cej_sim.month import measure, run_months
from cej_sim.phases.convene import seats_of
from cej_sim.phases.decide import PACE
from cej_sim.runs import (
    RequestError,
    common_months,
    differing_communities,
    horizon_problems,
    key_of,
    request_problems,
    run_once,
    start,
)
from cej_sim.scenario import Scenario, encode_events
from cej_sim.state import BACKBONE, BUDGET_LINES, INSTITUTION, ORGANIZER, RESIDENT, L, State
from cej_sim.warmup import prepare, usable_processors

#: Agents of one side that are sent; of more, see ``_chosen``.
MOST_AGENTS = 400
#: Ties that are sent: the strongest ones.
MOST_TIES = 1500
#: Ties weaker than this in all the months sent are not drawn.
WEAKEST_TIE = 0.1
#: Months between two pictures of ties, and between two of the power map; the browser fills in what lies between.
TIES_EVERY, MAP_EVERY = 12, 3
#: Runs are similar in a month if residents' seats and ideas both differ by at most this from the run shown.
SIMILAR = 0.1
#: Percentiles between which the band of runs lies.
BAND = (10.0, 90.0)
#: Pressure of campaigns that is left after a month, see ``phases.advocate``.
KEPT = 0.93

#: What of an agent stands in which bit of ``flags``.
MEMBER, PRESENT, LEADER, MOBILIZED = 1, 2, 4, 8

#: Events that get a tick on the timeline; the others stand in the log alone.
TICKS = (
    "policy_won", "challenge", "institution_left", "leaders_emerged", "mobilization_peak", "organizing_cut", "mandate",
    "motion_passed", "motion_failed", "grant_renewed", "grant_refused", "grant_ended", "coalition_ended",
    "services_grew",
)  # fmt: skip

_SEATS, _IDEAS, _ALIVE, _LADDER = (
    NAMES.index(name) for name in ("seat_share", "agenda_origin", "alive", "arnstein_band")
)
_OUTLIVES = np.array([metric.outlives for metric in METRICS])

Floats = NDArray[np.float64]


class GivenUp(Exception):
    """The computation was stopped from outside; there is no result."""


@dataclass(frozen=True, eq=False)
class History:
    """One run of one scenario, month by month. M months, N agents, K issues, L budget lines, G metrics.

    Attributes:
        scenario: What was run.
        state: The state after the last month.
        rows: (M + 1, G) metrics, as in a table of ``simulate``.
        flags: (M + 1, N) bits ``MEMBER PRESENT LEADER MOBILIZED``.
        say: (M + 1, N) part of the decision weight exercised this month, mean over agenda and budget; 0 to 1.
        agency, trust, openness, engagement: (M + 1, N) 0 to 1.
        grievance: (M + 1, N) 0 to 2.
        seats: (M + 1, 2) seats that the rules give to residents and to institutions, taken or not, over all tables.
        agenda: (M + 1, K) shares of the agenda, sum 1.
        untouched: (M + 1,) part of the agenda that still is the one that stood at the start, nobody's idea.
        budget, budget_origin: (M + 1, L) lines of the budget, and the part of each that follows residents' ideas.
        pressure, opposition, wins: (M + 1, K) of campaigns: pressure, what is up against it, policies won so far.
        map_months: Months of the power map; ``stance`` (len, K, N) from -1 (against) to 1 (for), ``push`` (len, K, N)
            what the agent brings to the campaign on the issue, in units of pressure; see ``power_map``.
        tie_months: Months of the network; ``ties`` (len, E) strength, of all E stored directions.
        log: What happened: dictionaries as ``change_log`` gives them, with ``row``, the agent or -1.
    """

    scenario: Scenario
    state: State
    rows: Floats
    flags: NDArray[np.uint8]
    say: Floats
    agency: Floats
    trust: Floats
    openness: Floats
    engagement: Floats
    grievance: Floats
    seats: Floats
    agenda: Floats
    untouched: Floats
    budget: Floats
    budget_origin: Floats
    pressure: Floats
    opposition: Floats
    wins: Floats
    map_months: tuple[int, ...]
    stance: Floats
    push: Floats
    tie_months: tuple[int, ...]
    ties: Floats
    log: list[dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Show:
    """One or two histories on one clock, with the runs around them.

    Attributes:
        sides: The histories, in order.
        seed, run: Whose luck is shown.
        monthly: (sides, runs, M + 1, G) the metrics of runs 0, 1, ... of the seed.
    """

    sides: tuple[History, ...]
    seed: int
    run: int
    monthly: Floats

    @property
    def months(self) -> int:
        """The last month."""
        return self.monthly.shape[2] - 1

    @property
    def runs(self) -> int:
        """How many runs the band holds."""
        return self.monthly.shape[1]

    def similar(self) -> NDArray[np.int64]:
        """(sides, M + 1) how many of the runs are similar to the one shown.

        Similar: the coalition exists too, and residents' share of seats and their share of ideas on the agenda both
        differ by at most ``SIMILAR``. After the end of the coalition shown: it has ended too.
        """
        out = np.empty((len(self.sides), self.months + 1), np.int64)
        for place, side in enumerate(self.sides):
            runs, shown = self.monthly[place], side.rows
            near = np.abs(runs[:, :, [_SEATS, _IDEAS]] - shown[:, [_SEATS, _IDEAS]]) <= SIMILAR + 1e-9
            alike = (near.all(axis=2) | (shown[:, _ALIVE] == 0.0)) & (runs[:, :, _ALIVE] == shown[:, _ALIVE])
            out[place] = alike.sum(axis=0)
        return out

    def bands(self) -> list[dict[str, Floats]]:
        """For each side (M + 1, G) the mean of the runs and the percentiles ``BAND``; and (M + 1,) runs alive.

        What says nothing without a coalition is taken over the runs in which it still exists, NaN where there is none.
        """
        out = []
        for runs in self._existing():
            with np.errstate(invalid="ignore"):
                there = ~np.isnan(runs)
                mid = np.where(there, runs, 0.0).sum(axis=0) / there.sum(axis=0)
                low, high = _percentiles(runs, BAND)
            out.append({"low": low, "mid": mid, "high": high, "alive": there[:, :, _SEATS].sum(axis=0)})
        return out

    def ladder(self) -> list[NDArray[np.int64]]:
        """For each side (M + 1, 4) how many runs have no coalition any more, and how many stand on each of the bands.

        Bands of Arnstein's ladder: 1 non-participation, 2 tokenism, 3 citizen power.
        """
        standing = np.where(self.monthly[..., _ALIVE] == 0.0, 0.0, self.monthly[..., _LADDER])
        return [(runs[..., None] == np.arange(4.0)).sum(axis=0) for runs in standing]

    def difference(self) -> dict[str, Floats] | None:
        """(M + 1, G) the mean of B - A, paired by run, its 95 % interval and the pairs behind it; None for one side."""
        if len(self.sides) < 2:
            return None
        a, b = self._existing()
        found = paired(a, b, METRICS)
        return {"mid": found["difference"], "low": found["ci_low"], "high": found["ci_high"], "pairs": found["runs"]}

    def _existing(self) -> Floats:
        gone = (self.monthly[..., _ALIVE] == 0.0)[..., None] & ~_OUTLIVES
        return np.where(gone, np.nan, self.monthly)

    def captions(self) -> list[list[dict[str, Any]]]:
        """For each month and side the key of a text and its numbers."""
        similar = self.similar()
        scenarios = [side.scenario for side in self.sides]
        if len(scenarios) == 1:
            first = "player.caption.first"
        elif differing_communities(*scenarios):
            first = "player.caption.start.unlike"
        else:
            first = "player.caption.start"
        return [
            [{"key": first, "params": {"month": 0}} for _ in self.sides]
            if month == 0
            else [_caption(side, month, int(similar[place, month]), self.runs) for place, side in enumerate(self.sides)]
            for month in range(self.months + 1)
        ]

    def payload(self) -> dict[str, Any]:
        """What the browser needs, as plain data for JSON; arrays as ``{"dtype", "shape", "b64"}``, little endian."""
        most_push = max(float(side.push.max(initial=0.0)) for side in self.sides)
        bands = self.bands()
        difference = self.difference()
        return {
            "version": __version__,
            "seed": self.seed,
            "run": self.run,
            "runs": self.runs,
            "months": self.months,
            "similar": SIMILAR,
            "band": list(BAND),
            "budget_lines": list(BUDGET_LINES),
            "families": FAMILIES,
            "metrics": [
                {
                    "name": metric.name,
                    "label": label_of(metric),
                    "meaning": metric.meaning,
                    "unit": metric.unit,
                    "better": metric.better,
                    "nature": metric.nature,
                    "family": metric.family,
                    "outlives": metric.outlives,
                }
                for metric in METRICS
            ],
            "sides": [_side(side, "AB"[place], most_push) for place, side in enumerate(self.sides)],
            "bands": [{name: pack(values, "f4") for name, values in band.items()} for band in bands],
            "difference": difference and {name: pack(values, "f4") for name, values in difference.items()},
            "ladder": [pack(counts, "i2") for counts in self.ladder()],
            "captions": self.captions(),
        }


def _percentiles(runs: Floats, percents: tuple[float, float]) -> tuple[Floats, Floats]:
    """Percentiles over the first axis, by linear interpolation, NaN left out; NaN where there is nothing else."""
    ordered = np.sort(runs, axis=0)  # NaN come last
    last = (~np.isnan(runs)).sum(axis=0) - 1
    found = []
    for percent in percents:
        at = np.maximum(last, 0) * (percent / 100.0)
        below = at.astype(np.int64)
        above = np.minimum(below + 1, np.maximum(last, 0))
        low, high = (np.take_along_axis(ordered, place[None], axis=0)[0] for place in (below, above))
        found.append(low + (high - low) * (at - below))
    return found[0], found[1]


# Computing


def show(
    sides: Sequence[Scenario],
    *,
    seed: int = 1,
    run: int = 0,
    runs: int = 30,
    months: int | None = None,
    threads: int | None = None,
    stop: threading.Event | None = None,
    pool: Executor | None = None,
) -> Show:
    """Compute one or two histories and the runs around them.

    Args:
        sides: One or two scenarios.
        seed: Of the luck, which both sides share run by run.
        run: The run that is shown month by month.
        runs: How many runs the band is made of: 0, 1, ... of the seed.
        months: How far; by default, and at most, as far as both sides go.
        threads: How many runs at a time; by default as many as there are processors. Results do not depend on it.
        stop: When it is set, the computation is given up within a few milliseconds.
        pool: Threads to use instead of own ones; ``threads`` is then ignored.

    Raises:
        RequestError: If something impossible is asked for, with a line for each mistake.
        GivenUp: If ``stop`` was set.
    """
    named = {f"{'AB'[place : place + 1]}": side for place, side in enumerate(sides)}
    if not 1 <= len(sides) <= 2:
        raise RequestError(f"sides: {len(sides)} is not a number of sides; give one scenario or two")
    problems = request_problems(runs=runs, seed=seed, months=months, threads=threads)
    problems += horizon_problems(named, months)
    if isinstance(run, bool) or run < 0:
        problems.append(f"run: {run} is not the number of a run; write a whole number of at least 0")
    if problems:
        raise RequestError("\n".join(problems))
    months = common_months(named, months)
    prepare()
    stop = threading.Event() if stop is None else stop
    monthly = np.empty((len(sides), runs, months + 1, len(METRICS)))
    events = [encode_events(side) for side in sides]

    def ordinary(place: int, number: int) -> None:
        run_once(sides[place], key_of(seed, number), monthly[place, number], stop, events[place])

    def shown(place: int) -> History:
        return record(sides[place], key_of(seed, run), months, stop)

    own = None if pool is not None else ThreadPoolExecutor(usable_processors() if threads is None else threads)
    crew: Executor = pool if pool is not None else own  # type: ignore[assignment]
    histories: list[Future[History]] = []
    tasks: list[Future[Any]] = []
    try:
        histories = [crew.submit(shown, place) for place in range(len(sides))]
        tasks += histories
        tasks += [crew.submit(ordinary, place, number) for number in range(runs) for place in range(len(sides))]
        waiting = set(tasks)
        while waiting and not stop.is_set():
            done, waiting = wait(waiting, timeout=0.05, return_when=FIRST_EXCEPTION)
            for task in done:
                task.result()
        if stop.is_set():
            raise GivenUp
    finally:
        for task in tasks:
            task.cancel()
        if own is not None:
            own.shutdown(wait=True)
    return Show(tuple(task.result() for task in histories), seed, run, monthly)


def record(scenario: Scenario, key: np.uint64, months: int, stop: threading.Event | None = None) -> History:
    """One run, month by month, with what each agent is and does.

    Raises:
        GivenUp: If ``stop`` was set.
    """
    state, events = start(scenario, key), encode_events(scenario)
    c, N, K = state.coalition[0], state.kind.size, state.structural.size
    rows = np.empty((months + 1, len(METRICS)))
    flags = np.empty((months + 1, N), np.uint8)
    of_agents = {name: np.empty((months + 1, N)) for name in ("agency", "trust", "openness", "engagement", "grievance")}
    say = np.empty((months + 1, N))
    agenda, pressure, opposition, wins = (np.empty((months + 1, K)) for _ in range(4))
    budget, budget_origin = np.empty((months + 1, L)), np.empty((months + 1, L))
    untouched, seats = np.ones(months + 1), np.zeros((months + 1, 2))
    map_months, tie_months = (
        tuple(sorted({*range(0, months + 1, every), months})) for every in (MAP_EVERY, TIES_EVERY)
    )
    stance, push = np.empty((len(map_months), K, N)), np.empty((len(map_months), K, N))
    ties = np.empty((len(tie_months), state.tie.size))

    for month in range(months + 1):
        if stop is not None and stop.is_set():
            raise GivenUp
        if month == 0:
            measure(state, 0, rows[0])
        else:
            run_months(state, events, key, month - 1, rows[month : month + 1])
            untouched[month] = untouched[month - 1] * (1.0 - PACE * float(c.speed))
        flags[month] = (
            MEMBER * state.member + PRESENT * state.present + LEADER * state.leader + MOBILIZED * state.mobilized
        ) * state.active
        say[month] = 0.5 * (state.weight + state.weight_budget)
        for name, values in of_agents.items():
            values[month] = getattr(state, name)
        seats[month] = seats_given(state, month)
        agenda[month] = state.decision[:K]
        budget[month] = state.decision[K + 1 :]
        budget_origin[month] = state.budget_origin
        pressure[month], opposition[month], wins[month] = state.pressure, state.opposition, state.wins
        if month in map_months:
            at = map_months.index(month)
            stance[at], push[at] = power_map(state)
        if month in tie_months:
            ties[tie_months.index(month)] = state.tie

    log = change_log(state, scenario)
    for entry, (_, _, subject, _) in zip(log, state.log.tolist(), strict=False):
        about_agent = entry["event"] in ("challenge", "institution_left", "institution_joined")
        entry["row"] = int(subject) if about_agent else -1
    return History(
        scenario, state, rows, flags, say, **of_agents, seats=seats, agenda=agenda, untouched=untouched, budget=budget,
        budget_origin=budget_origin, pressure=pressure, opposition=opposition, wins=wins, map_months=map_months,
        stance=stance, push=push, tie_months=tie_months, ties=ties, log=log,
    )  # fmt: skip


def seats_given(state: State, month: int) -> tuple[float, float]:
    """Seats that the rules give to residents and to institutions in a month, as ``seat_share`` counts them."""
    if state.coalition[0].alive != 1.0:
        return 0.0, 0.0
    rules, tables = state.rules[0], state.table_share.size
    rule: Any = getattr(seats_of, "py_func", seats_of)
    sits = np.zeros((2, tables), np.bool_)
    for place, kind in enumerate((RESIDENT, INSTITUTION)):
        sits[place, state.table[state.member & (state.kind == kind)]] = True
    given = [
        rule(
            rules,
            bool(sits[0, t]) or month >= rules.convene_residents_from,
            bool(sits[1, t]) or month >= rules.convene_institutions_from,
            state.table_residents[t],
            state.table_institutions[t],
        )
        for t in range(tables)
    ]
    return float(sum(r for r, _ in given)), float(sum(i for _, i in given))


def power_map(state: State) -> tuple[Floats, Floats]:
    """Where agents stand on policies on each issue, and what they bring to it, by the terms of ``phases.advocate``.

    Stance is what speaks for a policy less what speaks against it. For: agency of those who take part in collective
    action, else openness times how far causes are seen in structures. Against: the stake in things as they are (a
    quarter of it where it lies in another issue) of those who are not open.

    What an agent brings is its part of the campaign's monthly inflow, as the pressure that it keeps up in the long run
    (inflow over ``1 - KEPT``), plus its part of the opposition. Money, data and allies of the coalition are nobody's.

    Returns:
        Both (K, N): stance in [-1, 1], and what is brought, in units of pressure.
    """
    rules, c, K = state.rules[0], state.coalition[0], state.structural.size
    active = state.active
    for_it = np.where(state.mobilized, state.agency, state.openness * state.belief.T)
    own_issue = state.home == np.arange(K)[:, None]
    against = state.stake * np.where(own_issue, 1.0, 0.25) * (1.0 - state.openness)
    stance = np.where(active, for_it - against, 0.0)

    backbone = state.kind == BACKBONE
    means = state.resources * np.where(backbone, state.table_share.size, 1) * active
    total = float(means.sum()) or 1.0
    opposing = rules.mechanisms_opposition * rules.coefficients_opposition * means / total * against
    rival = own_issue & (state.kind == INSTITUTION)
    opposing += (
        rules.advocate_rival * rival * state.resources * (1.0 - state.openness) / max(float(c.institutions), 1.0)
    )

    held = rules.mechanisms_commitments * rules.decide_commitment
    part = ((1.0 - held) * state.decision[:K] + held * state.commitment)[:, None]
    autonomy = rules.organize_autonomy * (1.0 - c.control * rules.coordinate_delegated_hiring)
    acting = state.mobilized * state.agency * (autonomy * state.x[:, :K].T + (1.0 - autonomy) * part)
    fear = rules.mechanisms_fear * rules.advocate_fear * (1.0 - c.advocacy_skill)
    inside = rules.mechanisms_insiders * rules.coefficients_insiders * c.effect * (1.0 - fear)
    insiders = (state.member & state.present & ~backbone) * state.resources * state.openness * state.belief.T / total
    inflow = rules.mechanisms_people_power * 1.2 / c.residents * acting + inside * insiders * part
    pushing = inflow * K / 6.0 / (1.0 - KEPT)
    return stance, np.where(active, opposing + pushing, 0.0)


# Words


def _caption(side: History, month: int, similar: int, runs: int) -> dict[str, Any]:
    row = side.rows[month]
    if row[_ALIVE] == 0.0:
        ended = next((entry for entry in side.log if entry["event"] == "coalition_ended"), None)
        return {
            "key": "player.caption.ended",
            "params": {
                "month": month,
                "ended": ended["month"] if ended else month,
                "similar": similar,
                "runs": runs,
                "reason": ended["subject"] if ended else "",
            },
        }
    return {
        "key": "player.caption" if runs > 1 else "player.caption.alone",
        "params": {
            "month": month,
            "seats": tenths(float(row[_SEATS])),
            "ideas": tenths(float(row[_IDEAS])),
            "similar": similar,
            "runs": runs,
        },
    }


def tenths(share: float) -> int | str:
    """A share as tenths for a caption: 1 to 10.

    ``"none"`` for nothing, ``"few"`` for what would round to nothing, ``"most"`` for what would round to all.
    """
    whole = int(np.floor(10.0 * share + 0.5))
    if whole < 1:
        return "few" if share > 0.0005 else "none"
    return "most" if whole == 10 and share < 0.9995 else whole


# Packing


def pack(values: NDArray[Any], dtype: str) -> dict[str, Any]:
    """An array for the browser: ``dtype`` is one of u1, u2, i2, i4, f4."""
    array = np.ascontiguousarray(values, dtype="<" + dtype)
    return {"dtype": dtype, "shape": list(array.shape), "b64": base64.b64encode(array.tobytes()).decode("ascii")}


def _share(values: Floats, high: float = 1.0) -> dict[str, Any]:
    """Values from 0 to ``high`` in steps of ``high`` / 255."""
    return pack(np.rint(np.clip(values / high, 0.0, 1.0) * 255.0), "u1")


def _chosen(side: History) -> NDArray[np.int64]:
    """The rows that are sent: all of them, or those with a part to play and an even sample of the others."""
    active = np.flatnonzero(side.state.active)
    if active.size <= MOST_AGENTS:
        return active
    kind = side.state.kind[active]
    flags = side.flags[:, active]
    seated = (flags & MEMBER > 0).sum(axis=0)
    led = (flags & LEADER > 0).sum(axis=0)
    rank = np.where((kind == BACKBONE) | (kind == ORGANIZER), 4, np.where(seated > 0, 3, np.where(led > 0, 2, 0)))
    rank = np.maximum(rank, np.where(kind == INSTITUTION, 3, 0))
    first = np.lexsort((active, -led, -seated, -rank))[: MOST_AGENTS * 3 // 4]
    first = first[rank[first] > 0]
    rest = np.setdiff1d(np.arange(active.size), first)
    left = MOST_AGENTS - first.size
    sample = rest[(np.arange(left, dtype=np.int64) * rest.size) // left] if rest.size > left else rest
    return np.sort(active[np.concatenate([first, sample])])


def _ties(side: History, rows: NDArray[np.int64]) -> dict[str, Any]:
    """Ties among the chosen rows, each once: ends as places among them, and strength at some months."""
    state = side.state
    place = np.full(state.kind.size, -1, np.int64)
    place[rows] = np.arange(rows.size)
    one = np.repeat(np.arange(state.kind.size), np.diff(state.indptr))
    other = state.indices.astype(np.int64)
    strongest = side.ties.max(axis=0, initial=0.0)
    keep = np.flatnonzero((one < other) & (place[one] >= 0) & (place[other] >= 0) & (strongest >= WEAKEST_TIE))
    keep = np.sort(keep[np.argsort(-strongest[keep], kind="stable")[:MOST_TIES]])
    return {
        "months": list(side.tie_months),
        "a": pack(place[one[keep]], "i2"),
        "b": pack(place[other[keep]], "i2"),
        "weight": _share(side.ties[:, keep]),
    }


def _side(side: History, letter: str, most_push: float) -> dict[str, Any]:
    state, scenario = side.state, side.scenario
    rows = _chosen(side)
    kind = state.kind[rows]
    first = {which: int(np.flatnonzero(state.kind == which)[0]) for which in np.unique(state.kind).tolist()}
    number = rows - np.array([first[which] for which in kind.tolist()]) + 1
    named: Mapping[int, str] = {}
    if scenario.network_file is not None:
        names = agent_names(scenario, state)
        named = {place: names[row] for place, row in enumerate(rows.tolist())}
    ended = next((entry for entry in side.log if entry["event"] == "coalition_ended"), None)
    at = np.ix_(np.array(side.map_months), rows)
    return {
        "letter": letter,
        "name": scenario.name,
        "title": scenario.title,
        "description": scenario.description,
        "residents": int(np.count_nonzero(state.kind == RESIDENT)),
        "all_agents": int(state.active.sum()),
        "tables": int(state.table_share.size),
        "ended": {"month": ended["month"], "reason": ended["subject"]} if ended else None,
        "agents": {
            "row": pack(rows, "i4"),
            "number": pack(number, "i4"),
            "kind": pack(kind, "u1"),
            "group": pack(state.group[rows], "i2"),
            "affected": pack(state.affected[rows], "u1"),
            "neighborhood": pack(state.neighborhood[rows], "i2"),
            "table": pack(state.table[rows], "i2"),
            "home": pack(state.home[rows], "u1"),
            "name": [named[place] for place in range(rows.size)] if named else None,
        },
        "groups": [group.name for group in scenario.groups],
        "issues": [issue.name for issue in scenario.issues],
        "month": {
            "flags": pack(side.flags[:, rows], "u1"),
            "say": pack(np.rint(np.clip(side.say[:, rows], 0.0, 1.0) * 65535.0), "u2"),
        },
        "attitudes": {
            "months": list(side.map_months),
            "agency": _share(side.agency[at]),
            "trust": _share(side.trust[at]),
            "openness": _share(side.openness[at]),
            "engagement": _share(side.engagement[at]),
            "grievance": _share(side.grievance[at], 2.0),
        },
        "metrics": pack(side.rows, "f4"),
        "seats": pack(side.seats, "u2"),
        "agenda": {"shares": pack(side.agenda, "f4"), "untouched": pack(side.untouched, "f4")},
        "budget": {"lines": pack(side.budget, "f4"), "origin": pack(side.budget_origin, "f4")},
        "campaign": {
            "pressure": pack(side.pressure, "f4"),
            "opposition": pack(side.opposition, "f4"),
            "wins": pack(side.wins, "u1"),
        },
        "ties": _ties(side, rows),
        "map": {
            "months": list(side.map_months),
            "most": most_push,
            "stance": _share(0.5 * (side.stance[:, :, rows] + 1.0)),
            "push": _share(np.sqrt(side.push[:, :, rows] / (most_push or 1.0))),
        },
        "log": _log(side, rows),
    }  # fmt: skip


def _log(side: History, rows: NDArray[np.int64]) -> list[dict[str, Any]]:
    """The log for the browser: ``place`` of the agent among those sent or -1, and whether it gets a tick."""
    place = {row: at for at, row in enumerate(rows.tolist())}
    return [
        {
            "month": entry["month"],
            "event": entry["event"],
            "category": entry["category"],
            "text": entry["text"],
            "subject": entry["subject"],
            "count": entry["count"],
            "place": place.get(entry["row"], -1),
            "tick": entry["event"] in TICKS,
        }
        for entry in side.log
    ]
