"""Phase 5, serve: programs close service gaps, for those they reach.

Effort. structural_effort = strategy in force * (1 - mechanisms.fear * fear * (1 - advocacy_skill)); programs =
action money * effect * (1 - structural_effort) * (1 - 0.3 recruit).

Where it goes. Issue k gets the part a_k = (1 - q) agenda_k + q commitment_k, q = mechanisms.commitments *
commitment. Group g gets, per head, m_g = (1 - tau) (1 - mechanisms.inverse_care * barrier_g) + tau need_g, divided
by its mean over residents; need_g = sum_k exposure_gk gap_gk per head over the residents' mean (1 if nobody has
needs). How far benefits are steered to need:

    tau = targeting + (1 - targeting) * mechanisms.steering * ratio / (1 + ratio),

ratio = the most affected's share of say over their share of residents (tau = targeting where there are no most
affected).

Fit. expertise = mean skill and lived_k = mean exposure to k over those who decide, by the mean of both decision
weights, lived_k as a part of the mean exposure of the most affected (of all residents, if there are none), at most
1; target_k = 0.15 + 0.85 sqrt(expertise * (0.5 + mechanisms.lived_knowledge * (lived_k - 0.5))); fit_k += 0.05
(target_k - fit_k). Without a decision fit stays.

Gaps. With e = 100 / residents * programs * a_k * K / 6 * fit_k * m_g (staff-months a month per 100 residents on the
scale of six issues): gap_gk <- gap_gk - coefficients.service * e / (e + 0.25) * gap_gk + regrowth_k (1 - gap_gk),
within [0, 1]. (The effect of a crowd of issues is that each gets less.)

People met. whole(8 * recruit * programs / tables) unpaid active agents at each table (stream SERVICE: identity
table for the fraction, the agent for the choice), highest draws first, are met: with mechanisms.service_contact:
agency += 0.05 (1 - agency), trust += 0.03 (1 - trust), skill += 0.03 (1 - skill).

Providers. The resources rho of an institution with a seat grow: rho += min(1, mechanisms.providers * 0.02 * q *
commitment_home * programs / institutions) * (1 - rho). Coefficients: design (first guesses: .10 and .25, regrowth
.01) and assumed.
"""

from __future__ import annotations

import math

from cej_sim.compiled import kernel
from cej_sim.draws import SERVICE, fill, whole
from cej_sim.forms import clip, cutoff, saturating, write_log, zeros
from cej_sim.parameters import Parameter, mechanism
from cej_sim.state import ACTION, INSTITUTION, SERVICES_GREW

RULES = (
    Parameter(
        "governance.serve.targeting",
        0.2,
        "Targeting of benefits",
        "How far services are given by need rather than to those who find their way to them.",
        effect=(("disparity_ratio", -1),),
        principle=1,
    ),
    Parameter(
        "governance.serve.recruit",
        0.2,
        "Recruiting through services",
        "How far services are used to meet, recruit and train people; takes program money.",
        effect=(("resident_agency", 1),),
        principle=3,
        source="assumed; after a family center whose participants became its board",
    ),
    Parameter(
        "coefficients.service",
        0.11,
        "Reach of services",
        "Most of a service gap that programs can close in a month.",
        high=0.5,
        unit="per month",
        effect=(("service_coverage", 1),),
        source="calibrated: experiments/calibration",
    ),
    mechanism(
        "inverse_care",
        "Inverse care",
        "Those with more barriers get less of what is offered to all.",
        effect=(("disparity_ratio", 1),),
    ),
    mechanism(
        "steering",
        "Say steers benefits",
        "Benefits follow the most affected's share of say.",
    ),
    mechanism(
        "lived_knowledge",
        "Lived knowledge",
        "Programs fit better where those who decide know the issue from their own life.",
    ),
    mechanism(
        "service_contact",
        "Services meet people",
        "People met through services gain confidence, trust and skill.",
        effect=(("resident_agency", 1),),
    ),
    mechanism("providers", "Funding feeds providers", "Institutions that provide what is funded grow."),
)


@kernel
def allocation(rules, c, decision, commitment, k):
    """The part of action that goes to issue k."""
    q = rules.mechanisms_commitments * rules.decide_commitment
    return (1.0 - q) * decision[k] + q * commitment[k]


@kernel
def serve(
    key, month, rules, c, K, tables,
    active, paid, kind, home, draw_id, exposure, weight, weight_budget,
    skill, agency, trust, resources, member, met, score, pool, table_start, table_agents,
    regrowth, group_size, group_affected, group_exposure, group_barrier, gap, fit,
    decision, commitment, spend, log, logged,
):  # fmt: skip
    """Spend program money on the gaps; meet and train some of those served."""
    groups = group_size.size
    fear = rules.mechanisms_fear * rules.advocate_fear * (1.0 - c.advocacy_skill)
    c.structural_effort = decision[K] * (1.0 - fear)
    programs = spend[ACTION] * c.effect * (1.0 - c.structural_effort) * (1.0 - 0.3 * rules.serve_recruit)

    # How far benefits are steered to need
    tau = rules.serve_targeting
    if c.affected > 0.0:
        ratio = c.affected_say / (c.affected / c.residents)
        tau += (1.0 - tau) * rules.mechanisms_steering * ratio / (1.0 + ratio)
    c.steering = tau
    need = zeros(groups)
    mean_need, mean_share = 0.0, 0.0
    for g in range(groups):
        for k in range(K):
            need[g] += group_exposure[g, k] * gap[g, k]
        mean_need += need[g] / c.residents
        need[g] = need[g] / group_size[g] if group_size[g] > 0.0 else 0.0
    reach = zeros(groups)
    for g in range(groups):
        relative = need[g] / mean_need if mean_need > 0.0 else 1.0
        reach[g] = (1.0 - tau) * (1.0 - rules.mechanisms_inverse_care * group_barrier[g]) + tau * relative
        mean_share += reach[g] * group_size[g] / c.residents

    # Program fit
    total, expertise = 0.0, 0.0
    lived = zeros(K)
    for i in range(kind.size):
        w = 0.5 * (weight[i] + weight_budget[i])
        if w > 0.0:
            total += w
            expertise += w * skill[i]
            for k in range(K):
                lived[k] += w * exposure[i, k]
    if total > 0.0:
        for k in range(K):
            known, heads = 0.0, 0.0
            for g in range(groups):
                if group_affected[g] or c.affected == 0.0:
                    known += group_exposure[g, k]
                    heads += group_size[g]
            share = min(1.0, lived[k] / total / (known / heads)) if known > 0.0 else 1.0
            knowledge = 0.5 + rules.mechanisms_lived_knowledge * (share - 0.5)
            fit[k] += 0.05 * (0.15 + 0.85 * math.sqrt(expertise / total * knowledge) - fit[k])

    # Gaps
    for k in range(K):
        before, after = 0.0, 0.0
        part = allocation(rules, c, decision, commitment, k) * K / 6.0
        for g in range(groups):
            relative = reach[g] / mean_share if mean_share > 0.0 else 1.0
            effort = 100.0 / c.residents * programs * part * fit[k] * relative
            closed = rules.coefficients_service * saturating(effort, 0.25) * gap[g, k]
            before += gap[g, k] * group_size[g] / c.residents
            gap[g, k] = clip(gap[g, k] - closed + regrowth[k] * (1.0 - gap[g, k]), 0.0, 1.0)
            after += gap[g, k] * group_size[g] / c.residents
        if before > 0.5 >= after:
            write_log(log, logged, month, SERVICES_GREW, k, 1)

    # People met through services
    gain = rules.mechanisms_service_contact
    for i in range(kind.size):
        met[i] = False
    drawn = False
    for t in range(tables):
        n = whole(key, t, month, SERVICE, 8.0 * rules.serve_recruit * programs / tables)
        if n <= 0:
            continue
        if not drawn:
            fill(key, draw_id, month, SERVICE, score)
            drawn = True
        size = 0
        for a in range(table_start[t], table_start[t + 1]):
            i = table_agents[a]
            if active[i] and not paid[i]:
                pool[size] = score[i]
                size += 1
        cut, at_cut = cutoff(pool, size, n)
        for a in range(table_start[t], table_start[t + 1]):
            i = table_agents[a]
            if score[i] < cut or not active[i] or paid[i]:
                continue
            if score[i] == cut:
                if at_cut == 0:
                    continue
                at_cut -= 1
            met[i] = True
            agency[i] += gain * 0.05 * (1.0 - agency[i])
            trust[i] += gain * 0.03 * (1.0 - trust[i])
            skill[i] += gain * 0.03 * (1.0 - skill[i])

    # Providers
    growth = rules.mechanisms_providers * rules.mechanisms_commitments * rules.decide_commitment * 0.02 * programs
    for i in range(kind.size):
        if member[i] and paid[i] and kind[i] == INSTITUTION:
            got = growth / max(c.institutions, 1.0) * commitment[home[i]]
            resources[i] += min(1.0, got) * (1.0 - resources[i])
