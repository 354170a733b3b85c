"""Phase 12, experience: what a month does to people, and what they come to want.

Being heard, for members who came (but the backbone): r = agenda weight over an even split of the weight of their
table among all who came to it, organizers and the backbone among them, h = 1.5 r / (1 + r) - 0.35 + 0.5 (fit -
0.6), fit = 1 - distance(agenda, own priorities), within [-1, 1]; where their table decided nothing h = -0.2. With g
= mechanisms.being_heard: h >= 0: agency += 0.04 g h (1 - agency), trust += 0.06 g h (1 - trust); h < 0: agency +=
0.06 g h agency, trust += 0.08 g h trust.

Rhetoric: with gap = mechanisms.rhetoric * 0.05 max(0, claimed_say - resident say) while the coalition exists, unpaid
active agents who came see what is not kept: trust -= gap trust. Of those who stayed away a part sees it, seen =
coefficients.insight + (1 - coefficients.insight) consciousness, and the others take it at its word, but trust comes
more slowly than it goes, as 0.06 to 0.08: trust += gap (0.75 (1 - seen) (1 - trust) - seen trust).

Back to base: agency += 0.02 (agency_base - agency), trust += 0.02 (trust_base - trust), consciousness += 0.005 (0.3
- consciousness).

Convictions follow one's situation (``wants``): x0 += mechanisms.situation * 0.02 (w - x0) with w:
- priorities (1 - mission) b_k / sum b + mission [home = k], b_k = exposure_k (sigma_k S_gk + (1 - sigma_k) G_gk),
  for agents without a group the mean over groups by size instead of S and G (b_k / sum b is 1/K if nothing
  burdens);
- strategy: sum over k of (own convictions' priority k) * belief_k + 0.4 (consciousness - 0.3) - 0.6 stake (1 -
  openness), within [0, 1];
- lines: coordination 0.08 + 0.2 resources, organizing 0.35 consciousness (1 - stake), supports 0.02 + 0.2 barrier,
  training 0.03 + 0.08 openness, evaluation 0.05 + 0.08 skill, scaled down together if over 1, action the rest. The
  issue whose burden and home speak for k is perm[k], the identity but in the probe of causal influence.

Unpaid hours: residents who came give hours_used + community share (evaluate.py), those mobilized 4, leaders 6.
Rates .04, .06, .08: design; the rest assumed.
"""

from __future__ import annotations

import numpy as np

from cej_sim.compiled import kernel
from cej_sim.forms import clip, distance_to
from cej_sim.parameters import Parameter, mechanism
from cej_sim.phases.decide import even_splits
from cej_sim.phases.evaluate import community_share
from cej_sim.state import (
    ACTION,
    BACKBONE,
    COORDINATION,
    EVALUATION,
    ORGANIZING,
    RESIDENT,
    SUPPORTS,
    TRAINING,
    L,
)

RULES = (
    Parameter(
        "governance.experience.claimed_say",
        0.0,
        "Say that is claimed",
        "The part of the say that the coalition tells residents they have.",
        effect=(("trust", -1),),
        principle=2,
    ),
    mechanism(
        "being_heard",
        "Being heard",
        "Being heard builds agency and trust; being ignored wears them down.",
        effect=(("trust", 1),),
    ),
    mechanism(
        "rhetoric",
        "Rhetoric costs trust",
        "Claims beyond what is real cost the trust of those who see it, and win that of those who do not.",
        effect=(("trust", -1),),
    ),
    Parameter(
        "coefficients.insight",
        0.47,
        "Seeing through claims",
        "Part of those who stay away that sees when less say is real than claimed; others see it as far as they are "
        "critically conscious.",
        effect=(("trust", -1),),
        source="calibrated: experiments/calibration; the range held nobody and everybody",
    ),
    mechanism(
        "situation",
        "Convictions follow one's situation",
        "What people want follows their burdens, mission and beliefs.",
    ),
)


@kernel(inline=True)
def wants(
    i, K, group, home, perm, exposure, mission, barrier, stake, x0, belief, consciousness, openness, resources, skill,
    level, out,
):  # fmt: skip
    """What agent i's situation makes it want, into ``out`` (D,)."""
    own, own_mission, own_issue = group[i], mission[i], home[i]
    total = 0.0
    for k in range(K):
        p = np.uint32(perm[i, k])
        out[k] = exposure[i, p] * level[own, p]
        total += out[k]
    strategy = 0.4 * (consciousness[i] - 0.3) - 0.6 * stake[i] * (1.0 - openness[i])
    for k in range(K):
        need = out[k] / total if total > 0.0 else 1.0 / K
        out[k] = (1.0 - own_mission) * need + (own_mission if perm[i, k] == own_issue else 0.0)
        strategy += x0[i, k] * belief[i, k]
    out[K] = clip(strategy, 0.0, 1.0)
    lines = K + 1
    out[lines + COORDINATION] = 0.08 + 0.2 * resources[i]
    out[lines + ORGANIZING] = 0.35 * consciousness[i] * (1.0 - stake[i])
    out[lines + SUPPORTS] = 0.02 + 0.2 * barrier[i]
    out[lines + TRAINING] = 0.03 + 0.08 * openness[i]
    out[lines + EVALUATION] = 0.05 + 0.08 * skill[i]
    named = 0.0
    for line in range(ACTION):
        named += out[lines + line]
    if named > 1.0:
        for line in range(ACTION):
            out[lines + line] /= named
        named = 1.0
    out[lines + ACTION] = 1.0 - named


@kernel
def levels(K, structural, group_size, driver, gap):
    """What is left of each issue for each group, (G + 1, K); the last row, that of no group, is the mean by heads."""
    groups = group_size.size
    out = np.empty((groups + 1, K))
    for k in range(K):
        everybody, heads = 0.0, 0.0
        for g in range(groups):
            out[g, k] = structural[k] * driver[g, k] + (1.0 - structural[k]) * gap[g, k]
            everybody += group_size[g] * out[g, k]
            heads += group_size[g]
        out[groups, k] = everybody / heads
    return out


@kernel
def experience(
    rules, c, K,
    kind, active, paid, table, group, home, perm, exposure, mission, barrier, stake, agency_base, trust_base,
    x, x0, belief, agency, consciousness, skill, trust, openness, resources,
    member, present, mobilized, leader, weight,
    table_start, table_agents, table_share, table_decided, structural, group_size, driver, gap, decision,
):  # fmt: skip
    """Let the month's experience change attitudes and convictions; count unpaid hours."""
    n = kind.size
    even = even_splits(present, table_start, table_agents, table_share, table_decided)
    heard = rules.mechanisms_being_heard
    gap_of_claims = rules.mechanisms_rhetoric * 0.05 * max(0.0, rules.experience_claimed_say - c.resident_say) * c.alive
    community = community_share(rules, c, kind, present)
    drift = rules.mechanisms_situation * 0.02
    level = levels(K, structural, group_size, driver, gap)
    out = np.empty(K + 1 + L)
    c.hours = 0.0
    for i in range(n):
        if not active[i]:
            continue
        if member[i] and present[i] and kind[i] != BACKBONE:
            h = -0.2
            if even[table[i]] > 0.0:
                r = weight[i] / even[table[i]]
                h = 1.5 * r / (1.0 + r) - 0.35 + 0.5 * (1.0 - distance_to(decision, x, i, K) - 0.6)
            h = clip(h, -1.0, 1.0)
            if h >= 0.0:
                agency[i] += 0.04 * heard * h * (1.0 - agency[i])
                trust[i] += 0.06 * heard * h * (1.0 - trust[i])
            else:
                agency[i] += 0.06 * heard * h * agency[i]
                trust[i] += 0.08 * heard * h * trust[i]
        if not paid[i]:
            seen = 1.0
            if not present[i]:
                seen = rules.coefficients_insight + (1.0 - rules.coefficients_insight) * consciousness[i]
            trust[i] += gap_of_claims * (0.75 * (1.0 - seen) * (1.0 - trust[i]) - seen * trust[i])
        agency[i] += 0.02 * (agency_base[i] - agency[i])
        trust[i] += 0.02 * (trust_base[i] - trust[i])
        consciousness[i] += 0.005 * (0.3 - consciousness[i])
        wants(
            i, K, group, home, perm, exposure, mission, barrier, stake, x0, belief, consciousness, openness,
            resources, skill, level, out,
        )  # fmt: skip
        for d in range(out.size):
            x0[i, d] += drift * (out[d] - x0[i, d])
        if kind[i] == RESIDENT:
            if present[i]:
                c.hours += c.hours_used + community
            c.hours += (4.0 if mobilized[i] else 0.0) + (6.0 if leader[i] else 0.0)
