"""Phase 8, contend: challenges, pushback, conflict addressed or stored, and people who walk out.

Training first: members (not the backbone) become more open: openness += mechanisms.training * 0.008 * t / (t + 0.1)
* (1 - openness), t = training money per table.

Cuts are felt: if an institution was challenged before and the organizing line in force fell by more than 0.0005
this month, boldness <- boldness * (1 - mechanisms.cuts * 0.5 (1 - own)) with own = autonomy (1 - control *
delegated.hiring); else boldness += 0.02 (1 - boldness).

Challenges. At each table, with probability min(0.5, mechanisms.contention * coefficients.challenge * boldness *
mobilized share of the table's unpaid active agents) (stream CHALLENGE, identity table), one
institution is challenged: the active one of that table with the highest stake (1 - openness) (0.5 + 0.5 u) (stream
TARGET; ties to the lowest row; none if that is 0). For the target, with d = 1 - its openness (before): grievance +=
0.5 d; engagement -= 0.2 d; its wish for organizing money falls: x and x0 of that line lose mechanisms.cuts * 0.6 d
of it, which goes to action; pushback: U_home *= 1 - 0.15 d; openness += 0.03 d. controversy += 1 / tables.

Named injustice threatens institutions with something to lose and calls upon open ones. Each with a seat, threat =
mechanisms.naming * naming * hours_kept * stake * (1 - openness) and call = coefficients.calling * mechanisms.naming *
naming * hours_kept * openness * (1 - stake): engagement += 0.04 (call - threat), grievance += 0.05 threat. All
institutions: engagement += 0.03 (b - engagement), b = 0.85 while funded, else 0.65. Engagement stays in [0, 1].

Grievance. Members (not the backbone) who came and have no say (decision weight below 0.25 of an even split of
the weight of their table among all who came to it, organizers and the backbone among them): grievance +=
mechanisms.grievance * 0.03. Then for everybody grievance *= 1 - 0.03 - 0.3 * conflict_addressed * hours_kept (the
latter for members who came only). Grievance stays within [0, 2].

Walking out (stream WALK_OUT), members but the backbone: probability coefficients.walk_out * s(6
(mechanisms.grievance * grievance - 0.8)), s = ``response`` of forms.py; paid members also 0.05 * max(0, 0.35 -
engagement). Seats are given up; those who left may be invited again. Numbers: assumed.
"""

from __future__ import annotations

from cej_sim.compiled import kernel
from cej_sim.draws import CHALLENGE, TARGET, WALK_OUT, uniform
from cej_sim.forms import clip, response, saturating, write_log
from cej_sim.parameters import Parameter, mechanism
from cej_sim.phases.decide import even_splits
from cej_sim.state import (
    ACTION,
    BACKBONE,
    CHALLENGED,
    INSTITUTION,
    INSTITUTION_LEFT,
    ORGANIZING,
    ORGANIZING_CUT,
    RESIDENTS_LEFT,
    TRAINING,
)

RULES = (
    Parameter(
        "governance.contend.conflict_addressed",
        0.3,
        "Conflict addressed",
        "How far conflicts are worked through as they arise; takes meeting time.",
        effect=(("grievance", -1),),
        principle=2,
        factor=3,
        source="design: .2 for CI, .8 for CEJ",
    ),
    Parameter(
        "coefficients.challenge",
        0.35,
        "Readiness for conflict",
        "Scale of the monthly chance that organized residents challenge an institution.",
        high=5.0,
        unit="per month",
        effect=(("challenges", 1),),
    ),
    Parameter(
        "coefficients.walk_out",
        0.11,
        "Walking out",
        "Most likely monthly chance that an aggrieved member leaves.",
        unit="per month",
        effect=(("institution_exits", 1),),
        source="calibrated: experiments/calibration",
    ),
    Parameter(
        "coefficients.calling",
        0.51,
        "Feeling called upon",
        "How far naming injustice moves open institutions to do more (1: as strongly as it threatens others).",
        high=2.0,
        unit="ratio",
        effect=(("institution_engagement", 1),),
        source="calibrated: experiments/calibration; the range held none, and as much as others are threatened",
    ),
    mechanism("contention", "Contention", "Organized residents challenge institutions.", effect=(("challenges", 1),)),
    mechanism(
        "cuts",
        "Cuts after challenges",
        "Those challenged want less organizing, and organizers learn from cuts.",
        effect=(("challenges", -1),),
    ),
    mechanism(
        "training", "Training opens", "Training makes members more open to sharing power.", effect=(("openness", 1),)
    ),
    mechanism(
        "grievance",
        "Stored grievance",
        "Being ignored and unaddressed conflict build up until people leave.",
        effect=(("institution_exits", 1),),
    ),
)


@kernel
def contend(
    key, month, rules, c, K, tables,
    kind, active, paid, table, home, draw_id, stake, x, x0, openness, engagement, grievance,
    member, present, mobilized, weight, table_start, table_agents, table_share, table_decided,
    pressure, decision, spend, log, logged,
):  # fmt: skip
    """Train, challenge, push back, address or store conflict, and let people leave."""
    n = kind.size
    line = K + 1 + ORGANIZING
    taught = rules.mechanisms_training * 0.008 * saturating(spend[TRAINING] / tables, 0.1)
    own = rules.organize_autonomy * (1.0 - c.control * rules.coordinate_delegated_hiring)
    if c.challenges > 0.0 and decision[line] < c.organizing_before - 0.0005:
        c.boldness *= 1.0 - rules.mechanisms_cuts * 0.5 * (1.0 - own)
        write_log(log, logged, month, ORGANIZING_CUT, -1, 1)
    else:
        c.boldness += 0.02 * (1.0 - c.boldness)
    even = even_splits(present, table_start, table_agents, table_share, table_decided)
    for i in range(n):
        if member[i] and kind[i] != BACKBONE:
            openness[i] += taught * (1.0 - openness[i])

    c.challenged = 0.0
    for t in range(tables):
        people, acting = 0.0, 0.0
        for a in range(table_start[t], table_start[t + 1]):
            i = table_agents[a]
            if active[i] and not paid[i]:
                people += 1.0
                if mobilized[i]:
                    acting += 1.0
        share = acting / people if people > 0.0 else 0.0
        chance = rules.mechanisms_contention * rules.coefficients_challenge * c.boldness * share
        if uniform(key, t, month, CHALLENGE) >= min(0.5, chance):
            continue
        target, most = -1, 0.0
        for a in range(table_start[t], table_start[t + 1]):
            i = table_agents[a]
            if kind[i] == INSTITUTION and active[i]:
                against = stake[i] * (1.0 - openness[i]) * (0.5 + 0.5 * uniform(key, draw_id[i], month, TARGET))
                if against > most:
                    target, most = i, against
        if target < 0:
            continue
        closed = 1.0 - openness[target]
        grievance[target] += 0.5 * closed
        engagement[target] -= 0.2 * closed
        cut = rules.mechanisms_cuts * 0.6 * closed
        x[target, K + 1 + ACTION] += cut * x[target, line]
        x[target, line] -= cut * x[target, line]
        x0[target, K + 1 + ACTION] += cut * x0[target, line]
        x0[target, line] -= cut * x0[target, line]
        pressure[home[target]] *= 1.0 - 0.15 * closed
        openness[target] += 0.03 * closed
        c.challenged += 1.0
        c.controversy += 1.0 / tables
        write_log(log, logged, month, CHALLENGED, target, 1)
    c.challenges += c.challenged

    naming = rules.mechanisms_naming * rules.convene_naming * c.hours_kept
    addressed = 0.3 * rules.contend_conflict_addressed * c.hours_kept
    usual = 0.85 if c.funded == 1.0 else 0.65
    left = 0
    for i in range(n):
        if not active[i]:
            continue
        sits = member[i] and kind[i] != BACKBONE
        if kind[i] == INSTITUTION:
            if sits:
                threat = naming * stake[i] * (1.0 - openness[i])
                call = rules.coefficients_calling * naming * openness[i] * (1.0 - stake[i])
                engagement[i] += 0.04 * (call - threat)
                grievance[i] += 0.05 * threat
            engagement[i] = clip(engagement[i] + 0.03 * (usual - engagement[i]), 0.0, 1.0)
        if sits and present[i] and weight[i] < 0.25 * even[table[i]]:
            grievance[i] += rules.mechanisms_grievance * 0.03
        grievance[i] = clip(grievance[i] * (1.0 - 0.03 - (addressed if sits and present[i] else 0.0)), 0.0, 2.0)
        if not sits:
            continue
        sore = 6.0 * (rules.mechanisms_grievance * grievance[i] - 0.8)
        chance = rules.coefficients_walk_out * response(sore, rules.coefficients_response_form)
        if paid[i]:
            chance += 0.05 * max(0.0, 0.35 - engagement[i])
        if uniform(key, draw_id[i], month, WALK_OUT) < chance:
            member[i] = False
            if kind[i] == INSTITUTION:
                c.exits += 1.0
                write_log(log, logged, month, INSTITUTION_LEFT, i, 1)
            else:
                left += 1
    if left > 0:
        write_log(log, logged, month, RESIDENTS_LEFT, -1, left)
