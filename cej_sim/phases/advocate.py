"""Phase 7, advocate: campaigns, opposition, policies won, put into practice, defended or eroded.

Pressure. U_k <- 0.93 U_k + inflow_k, with a_k the allocation of serve.py, all per 100 residents where money is
meant:

    advocacy = 0.1 * 100 / residents * action money * effect * structural_effort * a_k * K / 6 * (0.5 + advocacy_skill)
    people   = mechanisms.people_power * (1.2 / residents) * sum over the mobilized of agency * (v x_ik + (1 - v) a_k)
    * K / 6
    data     = mechanisms.community_data * 0.1 * 100 / residents * evaluation money * community share * a_k * K / 6
    allies   = 0.05 * allies * structural_effort * a_k * K / 6
    insiders = mechanisms.insiders * coefficients.insiders * effect * (1 - f) * (sum over members who came, the
    backbone not counted, of resources * openness * belief_k, over the sum of active agents' resources) * a_k * K / 6

Insiders are members with standing who see causes in structures and would share power; they push within and for their
own organizations, on the coalition's agenda, as far as it is coordinated (effect) and they do not fear to lobby: f =
mechanisms.fear * fear * (1 - advocacy_skill). The sum is made like the opposition's, with the opposite sign of view.
What they spend on it they do not contribute (fund.py).

v = voice of the movement = autonomy * (1 - control * delegated.hiring) (organize.py); community share as in
evaluate.py.

Opposition_k = mechanisms.opposition * coefficients.opposition * (sum over active agents of resources * stake_ik *
(1
- openness) over the sum of resources) + rival * (1 / institutions) * sum over institutions with home k of resources
  * (1 - openness); stake_ik = stake_i on its home issue and 0.25 stake_i elsewhere. The backbone counts once for
  each table.

Policies. lead = max(0, U - Opp); hazard_k = coefficients.hazard * lead / (U + Opp + 0.05) (``hazard_form: relative``)
or coefficients.hazard * min(1, lead) (``absolute``); survival_k <- survival_k (1 -
hazard_k); the policy is won once survival_k falls below the uniform draw of stream POLICY for (identity k, month =
wins_k so far): then wins_k += 1, survival_k = 1, U_k <- 0.4 U_k, pending_k += coefficients.policy_impact, norm_k +=
mechanisms.norms * 0.15 (1 - norm_k), and those mobilized rest: fatigue += 0.1 (at most 1).

Practice. Each month 1/lag of pending_k takes effect: driver_gk -= flow * reach_g * driver_gk, reach_g = (1 -
targeted) + targeted * (group's exposure to k per head over the residents' mean), flow the part taken. Then erosion:
driver_gk += erosion (1 - 0.6 norm_k - 0.3 m) (1 - driver_gk), m the mobilized share of residents, never negative;
norm_k <- 0.995 norm_k + mechanisms.norms * 0.005 m (1 - norm_k). Drivers stay within [0, 1].

Skill. advocacy_skill += 0.04 (t / (t + 0.1) - advocacy_skill), t = training money per table. Hazard, decay .93:
design; rest assumed.
"""

from __future__ import annotations

from cej_sim.compiled import kernel
from cej_sim.draws import POLICY, uniform
from cej_sim.forms import clip, saturating, write_log, zeros
from cej_sim.parameters import Parameter, choice, count, mechanism
from cej_sim.phases.evaluate import community_share
from cej_sim.phases.serve import allocation
from cej_sim.state import ACTION, BACKBONE, EVALUATION, INSTITUTION, POLICY_IN_PRACTICE, POLICY_WON, RESIDENT, TRAINING

HAZARD_FORMS = ("relative", "absolute")
RELATIVE, ABSOLUTE = range(2)

RULES = (
    Parameter(
        "governance.advocate.allies",
        0.0,
        "Statewide or national allies",
        "Strength of advocacy groups beyond the community that the coalition campaigns with.",
        high=5.0,
        unit="ratio",
        effect=(("campaign_power", 1), ("policy_wins", 1)),
        principle=4,
    ),
    Parameter(
        "governance.advocate.targeted",
        0.3,
        "Targeted policies",
        "How far policies are written for the most exposed rather than for all alike.",
        effect=(("disparity_ratio", -1),),
        principle=4,
    ),
    Parameter(
        "governance.advocate.fear",
        0.5,
        "Fear of lobbying",
        "How far members without training hold back from advocacy that they are allowed to do.",
        effect=(("structural_effort", -1),),
        principle=4,
    ),
    Parameter(
        "governance.advocate.rival",
        0.0,
        "Rival campaigns",
        "Strength of institutions' campaigns for their own interest.",
        high=5.0,
        unit="ratio",
        effect=(("campaign_power", -1), ("policy_wins", -1)),
        principle=4,
    ),
    count(
        "coefficients.policy_lag",
        12,
        120,
        "Months until a policy works",
        "Mean months between winning a policy and its effect.",
        low=1,
        unit="months",
        effect=(("structural_level", 1),),
    ),
    Parameter(
        "coefficients.hazard",
        0.037,
        "Speed of politics",
        "Most likely monthly chance that a pushed policy is won.",
        high=0.5,
        unit="per month",
        effect=(("policy_wins", 1),),
        source="calibrated: experiments/calibration",
    ),
    choice(
        "coefficients.hazard_form",
        HAZARD_FORMS,
        "What counts in a campaign",
        "Whether chances grow with the campaign's lead as a part of all the pressure there is, or with the lead.",
    ),
    Parameter(
        "coefficients.policy_impact",
        0.22,
        "Effect of a policy",
        "Part of an issue's structural driver that one policy removes.",
        effect=(("structural_level", -1),),
    ),
    Parameter(
        "coefficients.erosion",
        0.0059,
        "Erosion of policies",
        "Part of what policies changed that is undone each month without defenders.",
        high=0.2,
        unit="per month",
        effect=(("structural_level", 1),),
        source="calibrated: experiments/calibration",
    ),
    Parameter(
        "coefficients.opposition",
        5.9,
        "Strength of opposition",
        "Weight of those with a stake in things as they are.",
        high=40.0,
        unit="ratio",
        effect=(("campaign_power", -1), ("policy_wins", -1)),
        source="calibrated: experiments/calibration",
    ),
    Parameter(
        "coefficients.insiders",
        2.8,
        "Weight of insiders",
        "Weight of members with standing who are open and see causes in structures.",
        high=40.0,
        unit="ratio",
        effect=(("campaign_power", 1), ("policy_wins", 1)),
        source="calibrated: experiments/calibration",
    ),
    mechanism("people_power", "People power", "Mobilized people push campaigns.", effect=(("policy_wins", 1),)),
    mechanism(
        "insiders",
        "Insiders push too",
        "Members with standing, open and aware of root causes, push policies in their own work.",
        effect=(("policy_wins", 1),),
    ),
    mechanism(
        "community_data",
        "Community data",
        "Data gathered by residents strengthens campaigns.",
        effect=(("campaign_power", 1),),
    ),
    mechanism(
        "opposition", "Opposition", "Those with a stake and means resist policies.", effect=(("policy_wins", -1),)
    ),
    mechanism(
        "fear", "Fear of lobbying", "Untrained members hold back from advocacy.", effect=(("structural_effort", -1),)
    ),
    mechanism(
        "norms",
        "Norms follow policy",
        "Won policies and visible action change norms, which protect them.",
        effect=(("structural_level", -1),),
    ),
)


@kernel
def advocate(
    key, month, rules, c, K, tables,
    kind, active, member, present, home, stake, openness, resources, belief, agency, x, fatigue, mobilized,
    group_size, group_exposure, driver, pressure, opposition, norm, wins, pending, survival,
    decision, commitment, spend, log, logged,
):  # fmt: skip
    """Gather pressure, meet opposition, win policies, and let them work and wear off."""
    n = kind.size
    groups = group_size.size
    skill_now = saturating(spend[TRAINING] / tables, 0.1)
    own = rules.organize_autonomy * (1.0 - c.control * rules.coordinate_delegated_hiring)
    community = community_share(rules, c, kind, present)
    advocacy = 0.1 * 100.0 / c.residents * spend[ACTION] * c.effect * c.structural_effort * (0.5 + c.advocacy_skill)
    data = rules.mechanisms_community_data * 0.1 * 100.0 / c.residents * spend[EVALUATION] * community
    allies = 0.05 * rules.advocate_allies * c.structural_effort
    fear = rules.mechanisms_fear * rules.advocate_fear * (1.0 - c.advocacy_skill)
    inside = rules.mechanisms_insiders * rules.coefficients_insiders * c.effect * (1.0 - fear)

    part = zeros(K)
    for k in range(K):
        part[k] = allocation(rules, c, decision, commitment, k)
    means, acting = 0.0, 0.0
    people, against, rivals, insiders = zeros(K), zeros(K), zeros(K), zeros(K)
    for i in range(n):
        if not active[i]:
            continue
        weight = resources[i] * (tables if kind[i] == BACKBONE else 1)
        means += weight
        if mobilized[i]:
            if kind[i] == RESIDENT:
                acting += 1.0 / c.residents
            for k in range(K):
                people[k] += agency[i] * (own * x[i, k] + (1.0 - own) * part[k])
        if stake[i] > 0.0:
            for k in range(K):
                against[k] += weight * stake[i] * (1.0 if home[i] == k else 0.25) * (1.0 - openness[i])
        if member[i] and present[i] and kind[i] != BACKBONE:
            for k in range(K):
                insiders[k] += resources[i] * openness[i] * belief[i, k]
        if kind[i] == INSTITUTION:
            rivals[home[i]] += resources[i] * (1.0 - openness[i])
    for k in range(K):
        inside_k = insiders[k] / means if means > 0.0 else 0.0
        inflow = (advocacy + data + allies + inside * inside_k) * part[k]
        inflow += rules.mechanisms_people_power * 1.2 / c.residents * people[k]
        pressure[k] = 0.93 * pressure[k] + inflow * K / 6.0
        opposition[k] = (
            rules.mechanisms_opposition * rules.coefficients_opposition * (against[k] / means if means > 0.0 else 0.0)
        )
        opposition[k] += rules.advocate_rival * rivals[k] / max(c.institutions, 1.0)

        lead = max(0.0, pressure[k] - opposition[k])
        if rules.coefficients_hazard_form == ABSOLUTE:
            push = min(1.0, lead)
        else:
            push = lead / (pressure[k] + opposition[k] + 0.05)
        survival[k] *= 1.0 - rules.coefficients_hazard * push
        if survival[k] < uniform(key, k, int(wins[k]), POLICY):
            wins[k] += 1.0
            survival[k] = 1.0
            pressure[k] *= 0.4
            pending[k] += rules.coefficients_policy_impact
            norm[k] += rules.mechanisms_norms * 0.15 * (1.0 - norm[k])
            for i in range(n):
                if mobilized[i]:
                    fatigue[i] = min(1.0, fatigue[i] + 0.1)
            write_log(log, logged, month, POLICY_WON, k, int(wins[k]))

        flow = pending[k] / rules.coefficients_policy_lag
        if pending[k] > 0.5 * rules.coefficients_policy_impact >= pending[k] - flow:
            write_log(log, logged, month, POLICY_IN_PRACTICE, k, 1)
        pending[k] -= flow
        mean = 0.0
        for g in range(groups):
            mean += group_exposure[g, k] / c.residents
        wear = rules.coefficients_erosion * max(0.0, 1.0 - 0.6 * norm[k] - 0.3 * acting)
        for g in range(groups):
            relative = group_exposure[g, k] / group_size[g] / mean if group_size[g] > 0.0 and mean > 0.0 else 1.0
            reach = (1.0 - rules.advocate_targeted) + rules.advocate_targeted * relative
            driver[g, k] -= flow * reach * driver[g, k]
            driver[g, k] = clip(driver[g, k] + wear * (1.0 - driver[g, k]), 0.0, 1.0)
        norm[k] = 0.995 * norm[k] + rules.mechanisms_norms * 0.005 * acting * (1.0 - norm[k])
    c.advocacy_skill += 0.04 * (skill_now - c.advocacy_skill)
