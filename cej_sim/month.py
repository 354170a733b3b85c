"""The month: twelve phases in their order. Read this first.

``PHASES`` is the order; ``run_months`` does one month after the other without leaving compiled code and measures each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cej_sim.compiled import kernel
from cej_sim.metrics import measure_arrays
from cej_sim.parameters import Parameter
from cej_sim.phases import (
    advocate,
    contend,
    convene,
    coordinate,
    decide,
    deliberate,
    evaluate,
    experience,
    fund,
    organize,
    reform,
    serve,
)
from cej_sim.state import ACTION, BUDGET_LINES

#: The phases of a month, in order: (module, what it asks).
PHASES = (
    (convene, "Who is at the table, and who comes?"),
    (deliberate, "Whose views move whose?"),
    (decide, "What is decided, by whose weight, and how much of it in the time there is?"),
    (coordinate, "Who carries the work, and who ends up in control?"),
    (serve, "Whom do programs reach?"),
    (organize, "Who builds people's power?"),
    (advocate, "Which policies are won, and do they last?"),
    (contend, "Who is challenged, and who walks out?"),
    (evaluate, "What is measured, and what is believed?"),
    (fund, "Does the money go on, and does the coalition?"),
    (reform, "Do the rules themselves change?"),
    (experience, "What does the month do to people?"),
)

#: Names of the phases in order; the sections of ``governance:`` bear them.
PHASE_NAMES = tuple(module.__name__.rsplit(".", 1)[1] for module, _ in PHASES)

#: Every rule, coefficient, funder's term and gain that acts monthly, in the order of the phases that declare them.
RULES: tuple[Parameter, ...] = tuple(rule for module, _ in PHASES for rule in module.RULES)

RULES_DTYPE = np.dtype([(rule.field, np.float64) for rule in RULES])

_VOTE_ROWS = [p for p, rule in enumerate(RULES) if rule.path.startswith("governance.decide.votes.")]
_STARTS = {f"governance.decide.budget.{line}": number for number, line in enumerate(BUDGET_LINES[:-1])}
_STARTS["governance.decide.strategy"] = ACTION
#: For each rule: the budget line whose start it is, ACTION for the strategy's, else -1.
SETS = np.array([_STARTS.get(rule.path, -1) for rule in RULES], np.int64)
VOTES_FIRST, VOTES_LAST = _VOTE_ROWS[0], _VOTE_ROWS[-1]


class Events(NamedTuple):
    """Changes of rules, a row for each rule changed; rows of one event stand together."""

    month: NDArray[np.int64]  # (rows,) month before whose step it acts
    motion: NDArray[np.bool_]  # (rows,) needs a vote
    event: NDArray[np.int64]  # (rows,) position of the event in the scenario
    field: NDArray[np.int64]  # (rows,) position of the rule in RULES
    value: NDArray[np.float64]  # (rows,) what the engine reads


@kernel
def measure(s, month, row):
    """Write the metrics of the state ``s`` in month ``month`` into ``row`` (len(METRICS),)."""
    measure_arrays(
        month, s.rules[0], s.coalition[0], s.structural.size, row, s.pool,
        s.kind, s.active, s.paid, s.affected, s.x, s.belief, s.agency, s.trust, s.openness, s.engagement, s.grievance,
        s.member, s.present, s.mobilized, s.leader, s.weight, s.weight_budget,
        s.table_start, s.table_agents, s.table_residents, s.table_institutions, s.table_share,
        s.structural, s.group_size, s.group_affected, s.group_exposure, s.worst_exposure, s.driver, s.gap,
        s.pressure, s.opposition, s.fit, s.wins, s.decision, s.budget_origin, s.commitment,
    )  # fmt: skip


@kernel
def run_months(s, events, key, start, out):
    """Advance the state ``s`` by ``out.shape[0]`` months and write each month's metrics.

    Args:
        s: State after month ``start``.
        events: Events of the scenario.
        key: uint64, the run's key.
        start: Month of the state (0 at the start).
        out: (n, len(METRICS)); row i receives month start + 1 + i.
    """
    c = s.coalition[0]
    rules = s.rules[0]
    K = s.structural.size
    tables = s.table_share.size
    backbone = 0
    for i in range(s.kind.size):
        if s.kind[i] == 2:
            backbone = i
    for step in range(out.shape[0]):
        month = start + 1 + step
        if c.alive == 1.0:
            reform.mandate(
                month, K, s.rules_flat, SETS, events.month, events.motion, events.event, events.field, events.value,
                s.event_done, s.decision, s.budget_origin, s.log, s.logged,
            )  # fmt: skip
            convene.convene(
                key, month, rules, c, K,
                s.kind, s.active, s.paid, s.affected, s.neighborhood, s.draw_id, s.barrier,
                s.x, s.agency, s.trust, s.engagement, s.grievance,
                s.member, s.present, s.came, s.leader, s.score, s.pool, s.offered, s.held_in,
                s.indptr, s.indices, s.tie,
                s.table_start, s.table_agents, s.table_residents, s.table_institutions, s.table_decided,
                s.decision, s.spend, s.log, s.logged,
            )  # fmt: skip
        else:
            fund.disband(c, s.kind, s.member, s.present, s.came, s.weight, s.weight_budget, s.spend, s.table_speed, s.table_decided)
        deliberate.deliberate(
            rules, c, s.kind, s.active, s.table, s.member, s.present, s.voice, s.resources, s.skill, s.agency, s.openness,
            s.x, s.x0, s.x_next, s.origin, s.origin_next, s.indptr, s.indices, s.tie,
        )  # fmt: skip
        if c.alive == 1.0:
            decide.decide(
                rules, c, K, backbone,
                s.kind, s.active, s.affected, s.member, s.present, s.voice, s.x, s.origin, s.weight, s.weight_budget, s.offered,
                s.table_start, s.table_agents, s.table_share, s.table_speed, s.table_decided, s.targets,
                s.decision, s.budget_origin, s.commitment, s.spend,
            )  # fmt: skip
            coordinate.coordinate(
                rules, c, fund.applying(rules, c, month), tables,
                s.kind, s.paid, s.member, s.present, s.leader, s.skill, s.spend,
            )  # fmt: skip
        serve.serve(
            key, month, rules, c, K, tables,
            s.active, s.paid, s.kind, s.home, s.draw_id, s.exposure, s.weight, s.weight_budget,
            s.skill, s.agency, s.trust, s.resources, s.member, s.met, s.score, s.pool, s.table_start, s.table_agents,
            s.regrowth, s.group_size, s.group_affected, s.group_exposure, s.group_barrier, s.gap, s.fit,
            s.decision, s.commitment, s.spend, s.log, s.logged,
        )  # fmt: skip
        organize.organize(
            key, month, rules, c, K, tables,
            s.kind, s.active, s.paid, s.draw_id, s.exposure, s.threshold, s.agency, s.consciousness, s.trust, s.skill, s.fatigue,
            s.present, s.met, s.mobilized, s.mobilized_next, s.leader, s.score, s.pool, s.offered,
            s.table_start, s.table_agents, s.indptr, s.indices, s.tie,
            s.spend, s.log, s.logged,
        )  # fmt: skip
        advocate.advocate(
            key, month, rules, c, K, tables,
            s.kind, s.active, s.home, s.stake, s.openness, s.resources, s.agency, s.x, s.fatigue, s.mobilized,
            s.group_size, s.group_exposure, s.driver, s.pressure, s.opposition, s.norm, s.wins, s.pending, s.survival,
            s.decision, s.commitment, s.spend, s.log, s.logged,
        )  # fmt: skip
        if c.alive == 1.0:
            contend.contend(
                key, month, rules, c, K, tables,
                s.kind, s.active, s.paid, s.home, s.draw_id, s.stake, s.x, s.x0, s.openness, s.engagement, s.grievance,
                s.member, s.present, s.mobilized, s.weight, s.table_start, s.table_agents, s.pressure, s.decision, s.spend,
                s.log, s.logged,
            )  # fmt: skip
            evaluate.evaluate(key, month, rules, c, K, tables, s.kind, s.present, s.structural, s.belief, s.fit, s.spend)
            fund.fund(
                key, month, rules, c, K, tables,
                s.kind, s.paid, s.member, s.resources, s.engagement, s.trust, s.grievance,
                s.structural, s.group_affected, s.group_exposure, s.driver, s.gap, s.log, s.logged,
            )  # fmt: skip
            reform.reform(
                key, month, rules, s.rules_flat, SETS, VOTES_FIRST, VOTES_LAST, c, K, backbone,
                events.month, events.motion, events.event, events.field, events.value, s.event_done,
                s.kind, s.draw_id, s.member, s.present, s.mobilized, s.voice, s.openness, s.belief, s.x, s.weight,
                s.score, s.pool, s.offered,
                s.table_start, s.table_agents, s.table_share, s.table_decided, s.decision, s.budget_origin, s.log, s.logged,
            )  # fmt: skip
        experience.experience(
            rules, c, K,
            s.kind, s.active, s.paid, s.group, s.home, s.perm, s.exposure, s.mission, s.barrier, s.stake, s.agency_base, s.trust_base,
            s.x, s.x0, s.belief, s.agency, s.consciousness, s.skill, s.trust, s.openness, s.resources,
            s.member, s.present, s.mobilized, s.leader, s.weight, s.structural, s.group_size, s.driver, s.gap, s.decision,
        )  # fmt: skip
        measure(s, month, out[step])
