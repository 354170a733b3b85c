"""The month: twelve phases in their order. Read this first.

``PHASES`` is the order; ``run_months`` does one month after the other without leaving compiled code and measures
each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cej_sim.compiled import entry, kernel
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
from cej_sim.processor import borrowed
from cej_sim.state import BACKBONE, BUDGET_LINES, State

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

#: Rules that give a start: they act at month 0, and through an event.
STARTS = (*(f"governance.decide.budget.{line}" for line in BUDGET_LINES[:-1]), "governance.decide.strategy")

_VOTE_ROWS = [p for p, rule in enumerate(RULES) if rule.path.startswith("governance.decide.votes.")]
#: For each rule: the budget line whose start it is, the place of ``action`` for the strategy's, else -1.
SETS = np.array([STARTS.index(rule.path) if rule.path in STARTS else -1 for rule in RULES], np.int64)
VOTES_FIRST, VOTES_LAST = _VOTE_ROWS[0], _VOTE_ROWS[-1]


class Events(NamedTuple):
    """Changes of rules, a row for each rule changed; rows of one event stand together."""

    month: NDArray[np.int64]  # (rows,) month before whose step it acts
    motion: NDArray[np.bool_]  # (rows,) needs a vote
    event: NDArray[np.int64]  # (rows,) position of the event in the scenario
    field: NDArray[np.int64]  # (rows,) position of the rule in RULES
    value: NDArray[np.float64]  # (rows,) what the engine reads


def measure(s: State, month: int, row: NDArray[np.float64]) -> None:
    """Write the metrics of the state ``s`` in month ``month`` into ``row`` (len(METRICS),)."""
    measure_arrays(
        month, s.rules[0], s.coalition[0], s.structural.size, row, s.pool,
        s.kind, s.active, s.paid, s.affected, s.x, s.belief, s.agency, s.trust, s.openness, s.engagement, s.grievance,
        s.member, s.present, s.mobilized, s.leader, s.weight, s.weight_budget,
        s.table_start, s.table_agents, s.table_residents, s.table_institutions, s.table_share, s.table_decided,
        s.structural, s.group_size, s.group_affected, s.group_exposure, s.worst_exposure, s.driver, s.gap,
        s.pressure, s.opposition, s.fit, s.wins, s.decision, s.budget_origin, s.commitment,
    )  # fmt: skip


@kernel
def row_of_backbone(kind):
    """The row of the backbone, -1 if there is none."""
    for i in range(kind.size):
        if kind[i] == BACKBONE:
            return i
    return -1


@entry
def run_months(s, events, key, start, out):
    """Advance the state ``s`` by ``out.shape[0]`` months and write each month's metrics.

    Args:
        s: State after month ``start``.
        events: Events of the scenario.
        key: uint64, the run's key.
        start: Month of the state (0 at the start).
        out: (n, len(METRICS)); row i receives month start + 1 + i.
    """
    (
        kind, active, paid, affected, group, neighborhood, table, home, perm, draw_id, exposure, barrier, mission,
        stake, threshold, agency_base, trust_base, x, x0, said, belief, origin, agency,
        consciousness, skill, trust, openness, resources, fatigue, grievance, engagement, member, present, came,
        met, mobilized, leader, voice, weight, weight_budget, score, pool, offered, luck, held_in, vote,
        indptr, indices, tie, table_start, table_agents, table_residents, table_institutions, table_share,
        table_speed, table_decided, targets, structural, regrowth, group_size, group_affected, group_exposure,
        worst_exposure, group_barrier, driver, gap, pressure, opposition, fit, norm, wins, pending, survival,
        decision, budget_origin, commitment, spend, coalition, all_rules, rules_flat, event_done, log, logged,
    ) = borrowed(s)  # fmt: skip
    events = borrowed(events)
    c = coalition[0]
    rules = all_rules[0]
    K = structural.size
    tables = table_share.size
    backbone = row_of_backbone(kind)
    for step in range(out.shape[0]):
        month = start + 1 + step
        if c.alive == 1.0:
            reform.mandate(
                month, K, rules_flat, SETS, events.month, events.motion, events.event, events.field, events.value,
                event_done, decision, budget_origin, log, logged,
            )  # fmt: skip
            convene.convene(
                key, month, rules, c, K,
                kind, active, paid, affected, neighborhood, draw_id, barrier,
                x, agency, consciousness, trust, engagement, grievance,
                member, present, came, leader, score, pool, luck, offered, held_in,
                indptr, indices, tie,
                table_start, table_agents, table_residents, table_institutions, table_decided,
                decision, spend, log, logged,
            )  # fmt: skip
        else:
            fund.disband(c, kind, member, present, came, spend, table_speed, table_decided)
        deliberate.deliberate(
            rules, c, tables, kind, active, table, member, present, voice,
            resources, skill, agency, openness,
            x, x0, said, origin, indptr, indices, tie,
        )  # fmt: skip
        if c.alive == 1.0:
            decide.decide(
                key, month, rules, c, K, backbone,
                draw_id, kind, active, affected, present, voice, luck, x, origin, weight, weight_budget,
                offered,
                table_start, table_agents, table_share, table_speed, table_decided, targets,
                decision, budget_origin, commitment, spend,
            )  # fmt: skip
            coordinate.coordinate(
                rules, c, fund.applying(rules, c, month), tables,
                kind, paid, member, present, leader, skill, spend,
            )  # fmt: skip
        else:
            decide.nobody_weighs(weight, weight_budget)
        serve.serve(
            key, month, rules, c, K, tables,
            active, paid, kind, home, draw_id, exposure, weight, weight_budget,
            skill, agency, trust, resources, member, met, score, pool, table_start, table_agents,
            regrowth, group_size, group_affected, group_exposure, group_barrier, gap, fit,
            decision, commitment, spend, log, logged,
        )  # fmt: skip
        organize.organize(
            key, month, rules, c, K, tables,
            kind, active, paid, draw_id, exposure, threshold, agency, consciousness, trust, skill, fatigue,
            present, met, mobilized, leader, score, pool, offered,
            table_start, table_agents, indptr, indices, tie,
            spend, log, logged,
        )  # fmt: skip
        advocate.advocate(
            key, month, rules, c, K, tables,
            kind, active, member, present, home, stake, openness, resources, belief, agency, x, fatigue, mobilized,
            group_size, group_exposure, driver, pressure, opposition, norm, wins, pending, survival,
            decision, commitment, spend, log, logged,
        )  # fmt: skip
        if c.alive == 1.0:
            contend.contend(
                key, month, rules, c, K, tables,
                kind, active, paid, table, home, draw_id, stake, x, x0, openness, engagement, grievance,
                member, present, mobilized, weight, table_start, table_agents, table_share, table_decided, pressure,
                decision, spend,
                log, logged,
            )  # fmt: skip
            evaluate.evaluate(key, month, rules, c, K, tables, kind, present, structural, belief, fit, spend)
            fund.fund(
                key, month, rules, c, K, tables,
                kind, paid, member, present, resources, openness, belief, engagement, trust, grievance,
                structural, group_affected, group_exposure, driver, gap, log, logged,
            )  # fmt: skip
            reform.reform(
                key, month, rules, rules_flat, SETS, VOTES_FIRST, VOTES_LAST, c, K, backbone,
                events.month, events.motion, events.event, events.field, events.value, event_done,
                kind, draw_id, member, present, mobilized, voice, luck, openness, belief, x, weight,
                score, pool, offered, vote,
                table_start, table_agents, table_share, table_decided, decision, budget_origin, log, logged,
            )  # fmt: skip
        experience.experience(
            rules, c, K,
            kind, active, paid, table, group, home, perm, exposure, mission, barrier, stake, agency_base, trust_base,
            x, x0, belief, agency, consciousness, skill, trust, openness, resources,
            member, present, mobilized, leader, weight,
            table_start, table_agents, table_share, table_decided, structural, group_size, driver, gap, decision,
        )  # fmt: skip
        measure_arrays(
            month, rules, c, K, out[step], pool,
            kind, active, paid, affected, x, belief, agency, trust, openness, engagement, grievance,
            member, present, mobilized, leader, weight, weight_budget,
            table_start, table_agents, table_residents, table_institutions, table_share, table_decided,
            structural, group_size, group_affected, group_exposure, worst_exposure, driver, gap,
            pressure, opposition, fit, wins, decision, budget_origin, commitment,
        )  # fmt: skip
