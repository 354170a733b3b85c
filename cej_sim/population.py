"""A scenario and a key become the starting state: who lives there, what they want, and how they are tied.

Every attribute has its own stream and every agent its own identity in it, so adding an organizer or an institution
moves nobody else. Distributions are bell-shaped (sums of uniforms) around the scenario's means and cut at the
bounds; spreads not named by a parameter are assumed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cej_sim import network, network_files
from cej_sim.compiled import entry
from cej_sim.draws import ATTRIBUTE, bells, uniforms
from cej_sim.phases.experience import levels, wants
from cej_sim.scenario import Scenario
from cej_sim.state import (
    BACKBONE,
    COALITION_DTYPE,
    INSTITUTION,
    ORGANIZER,
    ORGANIZING,
    RESIDENT,
    VOTE,
    Floats,
    L,
    State,
)

# One stream per attribute (see draws.py). Numbers are part of what a seed means: never reuse or reorder them.
(
    GROUP, AGENCY, TRUST, SKILL, CONSCIOUSNESS, OPENNESS, RESOURCES, STAKE, HAS_STAKE, BARRIER, THRESHOLD, HOME,
    ENGAGEMENT, STRATEGY,
) = range(ATTRIBUTE, ATTRIBUTE + 14)  # fmt: skip
EXPOSURE = ATTRIBUTE + 100  # plus the issue
BELIEF = ATTRIBUTE + 200  # plus the issue
PRIORITY = ATTRIBUTE + 300  # plus the issue
LINE = ATTRIBUTE + 400  # plus the budget line

#: Where the identities of a kind begin in the random streams.
FIRST_ID = {RESIDENT: 0, INSTITUTION: 1 << 28, BACKBONE: 1 << 29, ORGANIZER: (1 << 29) + (1 << 28)}

#: Organizer rows that always exist, in use or not.
ORGANIZER_ROWS = 4


@entry
def _convictions(
    spread, noise_priority, noise_strategy, noise_line, active, group, home, perm, exposure, mission, barrier,
    stake, x0,
    belief, consciousness, openness, resources, skill, structural, group_size, driver, gap,
):  # fmt: skip
    """Starting convictions: what the situation asks for, seen with each agent's own error."""
    n, width = x0.shape
    K = structural.size
    level = levels(K, structural, group_size, driver, gap)
    out = np.empty(width)
    for i in range(n):
        for k in range(K):
            x0[i, k] = 1.0 / K
        wants(i, K, group, home, perm, exposure, mission, barrier, stake, x0, belief, consciousness, openness,
              resources, skill, level, out)  # fmt: skip
        total = 0.0
        for k in range(K):
            x0[i, k] = max(0.05 * out[k], out[k] * (1.0 + 0.5 * spread * noise_priority[i, k]))
            total += x0[i, k]
        for k in range(K):
            x0[i, k] /= total
        wants(i, K, group, home, perm, exposure, mission, barrier, stake, x0, belief, consciousness, openness,
              resources, skill, level, out)  # fmt: skip
        x0[i, K] = min(1.0, max(0.0, out[K] + 0.08 * spread * noise_strategy[i]))
        total = 0.0
        for line in range(L):
            x0[i, K + 1 + line] = max(
                0.05 * out[K + 1 + line], out[K + 1 + line] * (1.0 + 0.3 * spread * noise_line[i, line])
            )
            total += x0[i, K + 1 + line]
        for line in range(L):
            x0[i, K + 1 + line] /= total


def _lined_up(rows: int, columns: int) -> Floats:
    """Zeros, (rows, columns), that begin where a line of the processor's memory, of 64 bytes, does."""
    whole = np.zeros(rows * columns + 8)
    first = -whole.ctypes.data % 64 // whole.itemsize
    return whole[first : first + rows * columns].reshape(rows, columns)


def _blocks(size: int, parts: int) -> NDArray[np.int32]:
    """``size`` positions cut into ``parts`` runs of nearly equal length: the run of each."""
    return (np.arange(size, dtype=np.int64) * parts // max(size, 1)).astype(np.int32)


def head_counts(scenario: Scenario) -> dict[str, int]:
    """How many agents of each kind a scenario has: its own numbers, or what its network file brings.

    Raises:
        NetworkError: If the network file cannot be used.
    """
    counts = {
        "resident": int(scenario["community.residents"]),
        "institution": int(scenario["community.institutions"]),
        "organizer": int(scenario["community.organizers"]),
        "backbone": 1,
    }
    file = scenario.network_file
    if file is not None:
        imported = network_files.imported_counts(file)
        counts["institution"] = imported["institution"]
        counts["organizer"] = max(counts["organizer"], imported["organizer"])
        counts["resident"] = (
            imported["resident"] if file.residents is None else max(counts["resident"], imported["resident"])
        )
    return counts


def populate(scenario: Scenario, key: int, permuted: int | None = None, disjoint: bool = False) -> State:
    """The state at month 0.

    Args:
        scenario: What to build.
        key: The run's key, from ``draws.run_key``.
        permuted: A kind whose burdens and missions speak for the next issue instead (the probe of causal influence),
        or None.
        disjoint: Tie people and organizations only within their table (the backbone excepted).

    Raises:
        ValueError: If the community cannot be built, e.g. more tables than residents.
    """
    value = scenario.values
    uint_key = np.uint64(key)
    counts = head_counts(scenario)
    residents, institutions, organizers = counts["resident"], counts["institution"], counts["organizer"]
    organizer_rows = max(ORGANIZER_ROWS, organizers)
    sizes = {RESIDENT: residents, INSTITUTION: institutions, BACKBONE: 1, ORGANIZER: organizer_rows}
    n = sum(sizes.values())
    K = len(scenario.issues)
    width = K + 1 + L
    first = {
        RESIDENT: 0,
        INSTITUTION: residents,
        BACKBONE: residents + institutions,
        ORGANIZER: residents + institutions + 1,
    }
    rows = {kind: slice(first[kind], first[kind] + sizes[kind]) for kind in sizes}
    r, inst, org, backbone = rows[RESIDENT], rows[INSTITUTION], rows[ORGANIZER], first[BACKBONE]

    kind = np.repeat(np.array(list(sizes), np.int8), list(sizes.values()))
    draw_id = np.concatenate([FIRST_ID[k] + np.arange(size) for k, size in sizes.items()]).astype(np.uint32)
    active = np.ones(n, np.bool_)
    active[org] = np.arange(organizer_rows) < organizers
    paid = kind != RESIDENT

    # Neighborhoods, tables, groups
    neighborhoods = int(value["community.neighborhoods"]) or max(1, round(residents / 20))
    neighborhoods = min(neighborhoods, residents)
    tables = int(value["community.tables"]) or max(1, round(residents / 240))
    if tables > residents:
        raise ValueError(f"community.tables: {tables} tables for {residents} residents; write at most {residents}")
    neighborhood = np.full(n, -1, np.int32)
    neighborhood[r] = _blocks(residents, neighborhoods)
    table = np.full(n, -1, np.int32)
    whole_neighborhoods = tables <= neighborhoods and not disjoint
    table[r] = _blocks(neighborhoods, tables)[neighborhood[r]] if whole_neighborhoods else _blocks(residents, tables)
    table[inst] = _blocks(institutions, tables)
    table[org] = np.arange(organizer_rows) % tables
    groups = scenario.groups
    group = np.full(n, -1, np.int16)
    order = np.argsort(uniforms(uint_key, draw_id[r], 0, GROUP), kind="stable")
    edges = np.round(np.cumsum([g.share for g in groups]) * residents).astype(np.int64)
    of_rank = np.minimum(np.searchsorted(edges, np.arange(residents), side="right"), len(groups) - 1)
    group[:residents][order] = of_rank
    mean_exposure = sum(g.share * g.exposure for g in groups) / sum(g.share for g in groups)
    group_affected = np.array([g.exposure > mean_exposure + 1e-12 for g in groups], np.bool_)
    affected = np.zeros(n, np.bool_)
    affected[r] = group_affected[group[r]]

    # Attributes
    spread = float(value["community.spread"])

    def around(
        mean: float | Floats, deviation: float, stream: int, where: slice, low: float = 0.02, high: float = 0.98
    ) -> Floats:
        return np.clip(mean + spread * deviation * bells(uint_key, draw_id[where], stream), low, high)

    def of_group(name: str) -> Floats:
        return np.array([getattr(g, name) for g in groups], float)[group[r]]

    def by_kind(name: str, deviation: float, stream: int, backbone_like: str = "institution") -> Floats:
        """Residents around their mean; institutions, backbone and organizers around the institutions'."""
        out = np.empty(n)
        out[r] = around(float(value[f"community.resident_{name}"]), deviation, stream, r)
        rest = slice(residents, n)
        out[rest] = around(float(value[f"community.{backbone_like}_{name}"]), deviation, stream, rest)
        return out

    severity = np.array([issue.severity for issue in scenario.issues])
    severity = severity / severity.mean()
    exposure = np.empty((n, K))
    weighing = np.full(n, 0.1)
    weighing[r] = of_group("exposure")
    lean = np.where(kind == RESIDENT, np.where(affected, 1.0, -1.0), 0.0) if group_affected.any() else np.zeros(n)
    for k in range(K):
        skewed = weighing * severity[k] * (1.0 + scenario.issues[k].skew * lean)
        exposure[:, k] = np.clip(skewed * (1.0 + 0.35 * spread * bells(uint_key, draw_id, EXPOSURE + k)), 0.005, 2.0)
    barrier = np.zeros(n)
    barrier[r] = around(of_group("barriers"), 0.15, BARRIER, r, 0.0, 1.0)
    agency = np.empty(n)
    agency[r] = around(of_group("voice"), float(value["community.voice_spread"]), AGENCY, r)
    agency[residents:] = around(float(value["community.institution_agency"]), 0.12, AGENCY, slice(residents, n))
    trust = by_kind("trust", 0.15, TRUST)
    skill = by_kind("skill", 0.12, SKILL)
    consciousness = by_kind("consciousness", 0.12, CONSCIOUSNESS)
    openness = by_kind("openness", 0.15, OPENNESS)
    openness[residents:] = around(
        float(value["community.institution_openness"]),
        float(value["community.institution_openness_spread"]),
        OPENNESS,
        slice(residents, n),
    )
    resources = by_kind("resources", 0.08, RESOURCES)
    stake = np.zeros(n)
    held = uniforms(uint_key, draw_id[r], 0, HAS_STAKE) < 0.25
    stake[r] = np.where(
        held,
        np.minimum(1.0, 8.0 * float(value["community.resident_stake"]) * uniforms(uint_key, draw_id[r], 0, STAKE)),
        0.0,
    )
    if spread == 0.0:
        stake[r] = float(value["community.resident_stake"])
    stake[inst] = around(float(value["community.institution_stake"]), 0.2, STAKE, inst, 0.0, 1.0)
    threshold = around(float(value["community.threshold"]), 0.33, THRESHOLD, slice(0, n), 0.03, 1.5)
    engagement = around(0.85, 0.08, ENGAGEMENT, slice(0, n))
    home = (uniforms(uint_key, draw_id, 0, HOME) * K).astype(np.int8)
    home[inst] = np.arange(institutions) % K
    mission = np.zeros(n)
    mission[r] = 0.1
    mission[inst] = float(value["community.mission"])
    mission[backbone] = float(value["community.host_interest"])
    # Organizers share the residents' standing rather than the institutions'
    openness[org], consciousness[org], stake[org] = 0.8, 0.7, 0.0
    resources[org] = float(value["community.resident_resources"])

    structural = np.array([issue.structural for issue in scenario.issues])
    belief = np.empty((n, K))
    grasp = np.full(n, float(value["community.institution_belief"]))
    grasp[r] = float(value["community.resident_belief"])
    grasp[org] = 1.0
    for k in range(K):
        belief[:, k] = np.clip(structural[k] * grasp + 0.15 * spread * bells(uint_key, draw_id, BELIEF + k), 0.0, 1.0)

    # Groups and those who bear most
    G = len(groups)
    group_size = np.bincount(group[r], minlength=G).astype(float)
    summed = exposure[r].sum(axis=1)
    worst = np.argsort(-summed, kind="stable")[: -(-residents // 10)]
    group_exposure, worst_exposure, group_barrier = np.zeros((G, K)), np.zeros((G, K)), np.zeros(G)
    for g in range(G):
        of_g = group[r] == g
        group_exposure[g] = exposure[r][of_g].sum(axis=0)
        worst_exposure[g] = exposure[worst][group[worst] == g].sum(axis=0)
        group_barrier[g] = barrier[r][of_g].mean() if of_g.any() else 0.0
    driver, gap = np.ones((G, K)), np.ones((G, K))

    perm = np.tile(np.arange(K, dtype=np.int8), (n, 1))
    if permuted is not None:
        perm[kind == permuted] = np.roll(np.arange(K, dtype=np.int8), -1)

    x0 = np.empty((n, width))
    noise_priority = np.stack([bells(uint_key, draw_id, PRIORITY + k) for k in range(K)], axis=1)
    noise_line = np.stack([bells(uint_key, draw_id, LINE + line) for line in range(L)], axis=1)
    _convictions(
        spread, noise_priority, bells(uint_key, draw_id, STRATEGY), noise_line, active, group, home, perm, exposure,
        mission,
        barrier, stake, x0, belief, consciousness, openness, resources, skill, structural, group_size, driver, gap,
    )  # fmt: skip

    # Ties and tables
    ties = network.build(scenario, kind, neighborhood, group, barrier, draw_id, key, block=table if disjoint else None)
    seated = np.flatnonzero(table >= 0)
    table_agents = seated[np.argsort(table[seated], kind="stable")].astype(np.int32)
    table_start = np.concatenate([[0], np.cumsum(np.bincount(table[seated], minlength=tables))]).astype(np.int64)
    table_residents = np.bincount(table[r], minlength=tables).astype(float)
    table_institutions = np.bincount(table[inst], minlength=tables).astype(float)

    # The coalition
    rules = scenario.rules()
    rules_flat = rules.view(np.float64).view(np.ndarray)
    rule = rules[0]
    coalition = np.zeros(1, COALITION_DTYPE).view(np.recarray)
    c = coalition[0]
    c.alive = 1.0
    c.funded = 1.0 if rule.funder_grant > 0.0 and rule.funder_grant_end > 0.0 else 0.0
    c.money = c.funded * rule.funder_grant
    c.facilitation = rule.deliberate_facilitation
    c.hours_kept = c.boldness = 1.0
    c.tasks = 0.5
    c.motion_clock = 1200.0
    c.residents, c.affected, c.institutions = float(residents), float(affected.sum()), float(institutions)
    decision = np.empty(width)
    decision[:K] = 1.0 / K
    decision[K] = min(rule.decide_strategy, rule.decide_strategy_max)
    lines = [
        rule[f"decide_budget_{line}"] for line in ("coordination", "organizing", "supports", "training", "evaluation")
    ]
    decision[K + 1 :] = [*lines, max(0.0, 1.0 - sum(lines))]
    spend = c.money * decision[K + 1 :]
    if organizers == 0:
        spend[ORGANIZING] = 0.0

    def floats(*shape: int) -> Floats:
        return np.zeros(shape)

    def flags() -> NDArray[np.bool_]:
        return np.zeros(n, np.bool_)

    member = flags()
    member[backbone] = True
    said = _lined_up(n, width + 3)
    score, pool, luck, weight, weight_budget = said.reshape(-1)[: 5 * n].reshape(5, n)
    log_rows = 64 + scenario.months * (16 + 2 * K + tables) + 24 * institutions
    return State(
        kind=kind, active=active, paid=paid, affected=affected, group=group, neighborhood=neighborhood, table=table,
        home=home,
        perm=perm, draw_id=draw_id, exposure=exposure, barrier=barrier, mission=mission, stake=stake,
        threshold=threshold,
        agency_base=agency.copy(), trust_base=trust.copy(), x=x0.copy(), x0=x0, said=said, belief=belief,
        origin=(kind == RESIDENT).astype(float), agency=agency, consciousness=consciousness,
        skill=skill,
        trust=trust, openness=openness, resources=resources, fatigue=floats(n), grievance=floats(n),
        engagement=engagement,
        member=member, present=flags(), came=flags(), met=flags(), mobilized=flags(),
        leader=flags(),
        voice=np.ones(n), weight=weight, weight_budget=weight_budget, score=score, pool=pool, offered=flags(),
        luck=luck,
        held_in=np.zeros(neighborhoods + 1, np.int64), vote=floats(0, len(VOTE)),
        indptr=ties.indptr, indices=ties.indices, tie=ties.weight,
        table_start=table_start, table_agents=table_agents, table_residents=table_residents,
        table_institutions=table_institutions, table_share=table_residents / residents, table_speed=floats(tables),
        table_decided=np.zeros(tables, np.bool_), targets=floats(tables, width), structural=structural,
        regrowth=np.array([issue.regrowth for issue in scenario.issues]), group_size=group_size,
        group_affected=group_affected,
        group_exposure=group_exposure, worst_exposure=worst_exposure, group_barrier=group_barrier, driver=driver,
        gap=gap,
        pressure=floats(K), opposition=floats(K), fit=np.full(K, 0.4), norm=floats(K), wins=floats(K),
        pending=floats(K),
        survival=np.ones(K), decision=decision, budget_origin=floats(L), commitment=np.full(K, 1.0 / K), spend=spend,
        coalition=coalition, rules=rules, rules_flat=rules_flat, event_done=np.zeros(max(1, len(scenario.events)),
        np.bool_),
        log=np.zeros((log_rows, 4), np.int32), logged=np.zeros(1, np.int64),
    )  # fmt: skip
