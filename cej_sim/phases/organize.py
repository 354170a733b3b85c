"""Phase 6, organize: one-to-ones, leaders, and mobilization over ties.

One-to-ones. Paid work = min(organizing money, active organizers); outside work = outside * residents / 100. Per
table whole(12 * (paid + outside work) / tables) of its unpaid active agents are met (stream ONE_TO_ONE: identity
table for the fraction, the agent for the choice), those with the highest (1 - focus) u + focus * mean exposure over
issues (ties to the lowest row). With g = mechanisms.one_to_ones, in this order: agency += g 0.10 (1 - agency),
consciousness += g 0.08 (1 - consciousness), trust += g 0.03 (1 - trust), skill += g 0.04 (1 - skill); ties between
the person met and active organizers: w += g 0.05 (1 - w) (rates: design).

Leaders. An unpaid active agent who does not lead becomes a leader (stream EMERGE) with probability
coefficients.emergence * agency * skill * (present (0.3 + 0.7 l tasks) + 0.3 m) * (1 + 2 t / (t + 0.1)), with l =
mechanisms.learning_by_doing, m = g for those who had a one-to-one, mechanisms.service_contact for others met through
services (serve.py) and 0 for the rest, and t = training money per table. A leader burns out (stream BURN_OUT) with
probability mechanisms.burnout * coefficients.burnout * (0.5 + fatigue) and then loses 0.15 agency (not below 0).
Then each leader, in row order, reaches its unpaid ties j: agency_j += mechanisms.snowflake * 0.02 w (1 - agency_j),
consciousness_j likewise.

Mobilization (after Granovetter 1978, over ties). Campaign intensity m = o / (o + 0.6), o = 100 (paid work + outside
work + 0.05 leaders) / residents. Four rounds a month, all at once, for unpaid active agents: act if

    share >= threshold + mechanisms.fatigue * fatigue - mechanisms.mobilization * coefficients.lift * m *
    consciousness * agency

(within 1e-12), where share is the tie-weighted share of unpaid active ties who acted in the round before (last
month in the first round; 0 without ties). With mechanisms.mobilization 0 nobody acts. Afterwards fatigue <- fatigue
+ coefficients.tiring for those who act, 0.96 fatigue for others; at most 1. Numbers not marked are assumed.
"""

from __future__ import annotations

import numpy as np

from cej_sim.compiled import kernel
from cej_sim.draws import BURN_OUT, EMERGE, ONE_TO_ONE, fill, uniform, whole
from cej_sim.forms import cutoff, saturating, write_log
from cej_sim.parameters import Parameter, mechanism
from cej_sim.phases.deliberate import AHEAD, MANY
from cej_sim.processor import prefetch
from cej_sim.state import (
    LEADERS_BURNED_OUT,
    LEADERS_EMERGED,
    MOBILIZATION_PEAK,
    ORGANIZER,
    ORGANIZING,
    RESIDENT,
    TRAINING,
)

RULES = (
    Parameter(
        "governance.organize.focus",
        0.3,
        "Organizing with the most affected",
        "How far one-to-ones seek out those on whom the issues weigh most.",
        effect=(("affected_members", 1),),
        principle=3,
    ),
    Parameter(
        "governance.organize.autonomy",
        0.5,
        "Organizers' autonomy",
        "How far organizers answer to residents rather than to the coalition.",
        effect=(("challenges", 1),),
        principle=3,
        source="design: .7 for CEJ",
    ),
    Parameter(
        "governance.organize.outside",
        0.0,
        "Organizing from outside",
        "Organizing by allied movements that the coalition neither pays nor directs.",
        high=5.0,
        unit="staff-months per month per 100 residents",
        effect=(("mobilized", 1), ("resident_agency", 1)),
        principle=3,
    ),
    Parameter(
        "coefficients.emergence",
        0.018,
        "Emergence of leaders",
        "Scale of the monthly chance that a resident begins to lead.",
        unit="per month",
        effect=(("resident_leaders", 1),),
        source="calibrated: experiments/calibration",
    ),
    Parameter(
        "coefficients.burnout",
        0.093,
        "Burnout",
        "Scale of the monthly chance that a leader stops.",
        unit="per month",
        effect=(("resident_leaders", -1),),
        source="calibrated: experiments/calibration",
    ),
    Parameter(
        "coefficients.lift",
        1.0,
        "Lift of a campaign",
        "How far organizing lowers the threshold of the conscious and confident.",
        high=3.0,
        unit="ratio",
        effect=(("mobilized", 1),),
        source="calibrated: experiments/calibration",
    ),
    Parameter(
        "coefficients.tiring",
        0.042,
        "Tiring",
        "Fatigue from a month of collective action.",
        high=0.5,
        unit="per month",
        effect=(("mobilized", -1),),
        source="calibrated: experiments/calibration",
    ),
    mechanism(
        "one_to_ones",
        "One-to-ones",
        "Conversations build agency, consciousness, trust and skill.",
        effect=(("resident_agency", 1),),
    ),
    mechanism(
        "snowflake",
        "Leaders reach others",
        "Leaders build the agency of people they are tied to.",
        effect=(("resident_agency", 1),),
    ),
    mechanism("burnout", "Leaders burn out", "Leading tires, and leaders stop.", effect=(("resident_leaders", -1),)),
    mechanism(
        "mobilization", "Mobilization", "People act when enough of those they know act.", effect=(("mobilized", 1),)
    ),
    mechanism(
        "fatigue", "Action tires", "Collective action tires people until they rest.", effect=(("mobilized", -1),)
    ),
)


@kernel(inline=True)
def ties_to_people(i, people, indptr, indices, tie):
    """Weight of all ties of agent i to residents, who are the first rows and so the first ties."""
    total = 0.0
    for e in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
        if indices[e] >= people:
            break
        total += tie[e]
    return total


ROUNDS = 4


@kernel(inline=True)
def stir(i, way, acting, indptr, indices, tie):
    """Add agent i's ties (``way`` 1) to what acts on whom it is tied to, or take them away (-1)."""
    many, end = acting.size >= MANY, np.uint64(max(indices.size - 1, 0))
    for e in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
        if many:
            prefetch(acting, np.uint32(indices[min(e + AHEAD, end)]))
        acting[np.uint32(indices[e])] += way * tie[e]


@kernel
def mobilize(
    gain,
    lift,
    tire,
    tiring,
    people,
    consciousness,
    agency,
    threshold,
    fatigue,
    mobilized,
    all_ties,
    acting,
    turned,
    indptr,
    indices,
    tie,
):
    """Four rounds of the threshold model (fewer where one changes nothing), then fatigue.

    ``people`` residents, the first rows, may act, and those tied to them know only of them. ``lift`` is what full
    consciousness and agency take off a threshold. Scratch are ``all_ties`` and ``acting``, the weights of one's ties to
    people and to people who act, and ``turned``, whether one began or ceased to act: the rounds after the first add and
    take away only the ties of those.
    """
    n = mobilized.size
    for i in range(n):
        all_ties[i] = -1.0  # not added up yet; it is where nobody whom one knows acts, or one acts anyway
        acting[i] = 0.0
    for i in range(people):
        if mobilized[i]:
            stir(i, 1.0, acting, indptr, indices, tie)
    for again in range(ROUNDS - 1, -1, -1):
        changed = False
        for i in range(people):
            acts = False
            if gain > 0.0:
                needed = threshold[i] + tire * fatigue[i] - gain * lift * consciousness[i] * agency[i]
                share = 0.0
                if acting[i] > 0.0 and needed - 1e-12 > 0.0:
                    if all_ties[i] < 0.0:
                        all_ties[i] = ties_to_people(i, people, indptr, indices, tie)
                    share = acting[i] / all_ties[i] if all_ties[i] > 0.0 else 0.0
                acts = share >= needed - 1e-12
            turned[i] = acts != mobilized[i]
            changed = changed or turned[i]
            mobilized[i] = acts
        if not (changed and again):
            break
        for i in range(people):
            if turned[i]:
                stir(i, 1.0 if mobilized[i] else -1.0, acting, indptr, indices, tie)
    for i in range(n):
        fatigue[i] = min(1.0, fatigue[i] + tiring) if mobilized[i] else 0.96 * fatigue[i]


@kernel
def organize(
    key, month, rules, c, K, tables,
    kind, active, paid, draw_id, exposure, threshold, agency, consciousness, trust, skill, fatigue,
    present, met, mobilized, leader, score, pool, talked, table_start, table_agents, indptr,
    indices, tie,
    spend, log, logged,
):  # fmt: skip
    """Meet people, let leaders emerge and burn out, and run mobilization."""
    n = kind.size
    organizers = 0.0
    for i in range(n):
        talked[i] = False
        if kind[i] == ORGANIZER and active[i]:
            organizers += 1.0
    work = min(spend[ORGANIZING], organizers) + rules.organize_outside * c.residents / 100.0

    gain = rules.mechanisms_one_to_ones
    drawn = False
    for t in range(tables):
        talks = whole(key, t, month, ONE_TO_ONE, 12.0 * work / tables)
        if talks <= 0:
            continue
        if not drawn:
            fill(key, draw_id, month, ONE_TO_ONE, score)
            drawn = True
        size = 0
        for a in range(table_start[t], table_start[t + 1]):
            i = table_agents[a]
            if active[i] and not paid[i]:
                weight = 0.0
                for k in range(K):
                    weight += exposure[i, k]
                score[i] = (1.0 - rules.organize_focus) * score[i] + rules.organize_focus * weight / K
                pool[size] = score[i]
                size += 1
        cut, at_cut = cutoff(pool, size, talks)
        for a in range(table_start[t], table_start[t + 1]):
            i = table_agents[a]
            if score[i] < cut or not active[i] or paid[i]:
                continue
            if score[i] == cut:
                if at_cut == 0:
                    continue
                at_cut -= 1
            met[i] = True
            agency[i] += gain * 0.10 * (1.0 - agency[i])
            consciousness[i] += gain * 0.08 * (1.0 - consciousness[i])
            trust[i] += gain * 0.03 * (1.0 - trust[i])
            skill[i] += gain * 0.04 * (1.0 - skill[i])
            talked[i] = True
    for i in range(n):
        if talked[i]:
            for e in range(indptr[i + 1] - 1, indptr[i] - 1, -1):
                j = np.uint32(indices[e])
                if kind[j] != ORGANIZER:  # theirs are the last rows, so theirs are the last ties
                    break
                tie[e] += (gain * 0.05 if active[j] else 0.0) * (1.0 - tie[e])
        elif kind[i] == ORGANIZER and active[i]:
            for e in range(indptr[i], indptr[i + 1]):
                tie[e] += (gain * 0.05 if talked[np.uint32(indices[e])] else 0.0) * (1.0 - tie[e])

    training = saturating(spend[TRAINING] / tables, 0.1)
    leaders = 0.0
    emerged, burned = 0, 0
    fill(key, draw_id, month, EMERGE, score)
    for i in range(n):
        asked = talked[i]
        contact = rules.mechanisms_service_contact if met[i] else 0.0
        talked[i] = False
        if not active[i] or paid[i]:
            continue
        if leader[i]:
            chance = rules.mechanisms_burnout * rules.coefficients_burnout * (0.5 + fatigue[i])
            if uniform(key, draw_id[i], month, BURN_OUT) < chance:
                leader[i] = False
                agency[i] = max(0.0, agency[i] - 0.15)
                burned += 1
        else:
            doing = 0.3 + 0.7 * rules.mechanisms_learning_by_doing * c.tasks if present[i] else 0.0
            doing += 0.3 * (gain if asked else contact)
            chance = rules.coefficients_emergence * agency[i] * skill[i] * doing * (1.0 + 2.0 * training)
            if score[i] < chance:
                leader[i] = True
                emerged += 1
        if leader[i]:
            leaders += 1.0
    for i in range(n):
        if not leader[i]:
            continue
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            if active[j] and not paid[j]:
                reach = rules.mechanisms_snowflake * 0.02 * tie[e]
                agency[j] += reach * (1.0 - agency[j])
                consciousness[j] += reach * (1.0 - consciousness[j])

    strength = 100.0 * (work + 0.05 * leaders) / c.residents
    lift = rules.coefficients_lift * saturating(strength, 0.6)
    mobilize(
        rules.mechanisms_mobilization, lift, rules.mechanisms_fatigue, rules.coefficients_tiring,
        int(c.residents), consciousness, agency, threshold, fatigue, mobilized, score, pool, talked,
        indptr, indices, tie,
    )  # fmt: skip
    acting = 0.0
    for i in range(n):
        if mobilized[i] and kind[i] == RESIDENT:
            acting += 1.0
    if acting > 0.1 * c.residents and c.wave == 0.0:
        c.wave = 1.0
        write_log(log, logged, month, MOBILIZATION_PEAK, -1, int(acting))
    elif acting < 0.05 * c.residents:
        c.wave = 0.0
    if emerged > 0:
        write_log(log, logged, month, LEADERS_EMERGED, -1, emerged)
    if burned > 0:
        write_log(log, logged, month, LEADERS_BURNED_OUT, -1, burned)
