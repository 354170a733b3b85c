"""What is measured each month, declared once, and the kernel that measures it."""

from __future__ import annotations

from cej_sim.compiled import entry, kernel
from cej_sim.forms import zeros
from cej_sim.parameters import Metric
from cej_sim.phases.convene import seats_of
from cej_sim.phases.decide import ONE_MEMBER_ONE_VOTE
from cej_sim.phases.fund import progress
from cej_sim.phases.serve import allocation
from cej_sim.state import BACKBONE, INSTITUTION, RESIDENT

METRICS: tuple[Metric, ...] = (
    # The problem
    Metric(
        "burden",
        "How much of the problem remains",
        "share",
        "Residents' mean burden over all issues, as a share of what it was at the start.",
        "problem",
        better="down",
        outlives=True,
        factor=7,
    ),
    Metric(
        "disparity_ratio",
        "Burden of the most affected against the others",
        "ratio",
        "Mean burden of the most affected groups divided by that of the others (1 where there are none of either).",
        "problem",
        better="down",
        outlives=True,
    ),
    Metric(
        "worst_decile",
        "What remains for those hit hardest",
        "share",
        "Burden now of the tenth of residents who bore most at the start, as a share of theirs at the start.",
        "problem",
        better="down",
        outlives=True,
    ),
    Metric(
        "service_coverage",
        "Needs met by services",
        "share",
        "One minus the mean service gap over issues and groups, weighted by who is exposed.",
        "problem",
        better="up",
        outlives=True,
        sustainability=2,
    ),
    Metric(
        "structural_level",
        "Structural causes still in place",
        "share",
        "Mean structural driver over issues and groups, weighted by who is exposed; 1 at the start.",
        "problem",
        better="down",
        outlives=True,
        sustainability=3,
    ),
    Metric(
        "policy_wins",
        "Policies won so far",
        "count",
        "Number of policies won since month 0.",
        "problem",
        better="up",
        outlives=True,
        sustainability=3,
    ),
    # The staircase, and power
    Metric(
        "seat_share",
        "Seats reserved for residents",
        "share",
        "Residents' seats over all seats, by the rules in force; at a table, seats of residents (and of institutions) "
        "count from the month in which they may join, and before it while one of them is a member there.",
        "power",
        "set",
    ),
    Metric(
        "vote_share",
        "Formal votes of residents",
        "share",
        "Residents' part of the formal votes by the rules in force, mean over tables; votes count for those whose "
        "seats count (as in seat_share) and for those of whom one is a member at the table.",
        "power",
        "set",
    ),
    Metric(
        "decision_share",
        "Residents' say this month",
        "share",
        "Residents' part of the decision weight actually exercised this month, over agenda and budget.",
        "power",
        better="neither",
    ),
    Metric(
        "agenda_origin",
        "Agenda that began as residents' ideas",
        "share",
        "Provenance: the part of the agenda in force that came from residents' own convictions.",
        "power",
    ),
    Metric(
        "budget_origin",
        "Money that follows residents' ideas",
        "share",
        "Provenance of the budget lines in force, weighted by their size; what a bound fixed counts for nobody.",
        "power",
    ),
    Metric(
        "seat_gap",
        "Illusion of inclusion",
        "ratio",
        "Seats minus ideas: seat_share minus agenda_origin, from -1 to 1.",
        "power",
        better="down",
    ),
    Metric(
        "power_gini",
        "Inequality of say at the table",
        "share",
        "Gini index of this month's decision weight among members and the backbone, mean over tables that decided.",
        "power",
        better="down",
    ),
    Metric(
        "arnstein_band",
        "Band on Arnstein's ladder",
        "band",
        "1 non-participation, 2 tokenism, 3 citizen power, from the say that residents really had.",
        "power",
        better="up",
    ),
    # People
    Metric(
        "resident_attendance",
        "Residents who came",
        "share",
        "Residents present this month, of all residents.",
        "people",
        better="up",
    ),
    Metric(
        "affected_attendance",
        "Most affected who came",
        "share",
        "Most affected residents present this month, of all the most affected.",
        "people",
        better="up",
    ),
    Metric(
        "resident_members",
        "Residents who are members",
        "share",
        "Residents with a seat, of all residents.",
        "people",
        better="up",
    ),
    Metric(
        "affected_members",
        "Most affected who are members",
        "share",
        "Most affected residents with a seat, of all the most affected.",
        "people",
        better="up",
    ),
    Metric(
        "resident_leaders",
        "Residents who lead",
        "share",
        "Residents who act as leaders, of all residents.",
        "people",
        better="up",
        outlives=True,
        factor=3,
    ),
    Metric(
        "institution_exits",
        "Institutions that walked out",
        "count",
        "Times an institution gave up its seat since month 0.",
        "people",
        better="down",
        outlives=True,
    ),
    Metric(
        "mobilized",
        "Residents mobilized",
        "share",
        "Residents taking part in collective action this month.",
        "people",
        better="up",
        outlives=True,
    ),
    Metric("resident_agency", "Residents' sense of power", "mean", "Mean agency of residents.", "people", better="up"),
    Metric("trust", "Residents' trust in the coalition", "mean", "Mean trust of residents.", "people", better="up"),
    Metric(
        "openness",
        "Members' openness",
        "mean",
        "Mean openness to sharing power of members, without the backbone.",
        "people",
        better="up",
        outlives=True,
    ),
    Metric(
        "institution_engagement",
        "Institutions' engagement",
        "mean",
        "Mean engagement of institutions.",
        "people",
        better="up",
    ),
    Metric(
        "resident_hours",
        "Unpaid hours of residents",
        "hours",
        "Unpaid hours this month per resident: meetings, leading, collective action, gathering data.",
        "people",
        better="down",
    ),
    Metric(
        "ownership",
        "Work carried by residents",
        "share",
        "Share of tasks done by members, times the residents' part of the residents and institutions present.",
        "people",
        better="up",
        sustainability=1,
    ),
    # Process
    Metric(
        "backbone_control",
        "Control held by the backbone",
        "share",
        "Part of what was delegated to it that the backbone decides alone.",
        "process",
    ),
    Metric(
        "backlog",
        "Decisions left undone",
        "share",
        "Smoothed share of due decisions not taken.",
        "process",
        better="down",
    ),
    Metric("coordination", "Coordination", "share", "Capacity over capacity plus load.", "process", better="up"),
    Metric(
        "decision_speed", "Speed of deciding", "share", "Decisions taken over decisions due.", "process", better="up"
    ),
    Metric(
        "program_fit",
        "Fit of programs to life",
        "mean",
        "Expertise and lived knowledge together, over the issues that money goes to.",
        "process",
        better="up",
    ),
    Metric(
        "belief_error",
        "Error about root causes",
        "mean",
        "Mean distance between beliefs and the true structural share of the issues, of members without the backbone.",
        "process",
        better="down",
    ),
    Metric(
        "challenges",
        "Challenges made so far",
        "count",
        "Times organized residents challenged an institution.",
        "process",
        outlives=True,
    ),
    Metric(
        "structural_effort",
        "Effort for policy and systems change",
        "share",
        "Share of action money that went to policy and systems change.",
        "process",
    ),
    Metric(
        "grievance",
        "Grievance among members",
        "share",
        "Mean stored grievance of members without the backbone, on a scale to 1 (half of what is stored, at most 1).",
        "process",
        better="down",
    ),
    Metric(
        "campaign_power",
        "Power of the campaign",
        "share",
        "Campaign pressure over itself plus opposition, on the agenda.",
        "process",
        better="up",
        outlives=True,
    ),
    Metric(
        "controversy",
        "Controversy remembered",
        "share",
        "The funder's memory of public conflict, on a scale to 1.",
        "process",
        outlives=True,
    ),
    Metric(
        "agenda_congruence",
        "Agenda fits need of the most affected",
        "share",
        "One minus half the distance between the agenda and the burdens of the most affected.",
        "process",
        better="up",
        factor=1,
    ),
    # Money and life
    Metric("funded", "Funded", "yes/no", "1 while the grant is paid.", "money", outlives=True, sustainability=4),
    Metric("alive", "Coalition exists", "yes/no", "1 until the coalition ends.", "money", better="up", outlives=True),
)

#: Column names in order.
NAMES: tuple[str, ...] = tuple(metric.name for metric in METRICS)


@kernel
def table_gini(weight, members):
    """Gini index of the first ``members`` values, sorted in place (insertion sort: tables are small); 0 if all are
    0."""
    total = 0.0
    for a in range(members):
        value = weight[a]
        total += value
        b = a - 1
        while b >= 0 and weight[b] > value:
            weight[b + 1] = weight[b]
            b -= 1
        weight[b + 1] = value
    if total <= 0.0:
        return 0.0
    ranked = 0.0
    for a in range(members):
        ranked += (2.0 * (a + 1) - members - 1.0) * weight[a]
    return ranked / (members * total)


@kernel
def arnstein(say, ideas):
    """Band of Arnstein's ladder (1969) from realized shares: 3 where residents hold at least 0.4 of the say and began
    at least
    0.3 of the agenda, 1 where they hold less than 0.1 of the say, else 2. The cut points are assumed."""
    if say >= 0.4 and ideas >= 0.3:
        return 3.0
    return 1.0 if say < 0.1 else 2.0


@entry
def measure_arrays(
    month, rules, c, K, row, pool,
    kind, active, paid, affected, x, belief, agency, trust, openness, engagement, grievance,
    member, present, mobilized, leader, weight, weight_budget,
    table_start, table_agents, table_residents, table_institutions, table_share, table_decided,
    structural, group_size, group_affected, group_exposure, worst_exposure, driver, gap, pressure, opposition, fit,
    wins,
    decision, budget_origin, commitment,
):  # fmt: skip
    """Fill ``row`` with this month's metrics in the order of ``METRICS``; ``pool`` (N,) is scratch."""
    groups = group_size.size
    tables = table_share.size
    burden, coverage, level = progress(K, groups, False, structural, group_affected, group_exposure, driver, gap)

    # Burden of the most affected against the others, of those who bore most, and what the most affected need
    theirs, others, heads, worst, worst_start = 0.0, 0.0, 0.0, 0.0, 0.0
    need = zeros(K)
    total_need = 0.0
    for g in range(groups):
        heads += group_size[g]
        for k in range(K):
            driven = structural[k] * driver[g, k] + (1.0 - structural[k]) * gap[g, k]
            now = group_exposure[g, k] * driven
            worst += worst_exposure[g, k] * driven
            worst_start += worst_exposure[g, k]
            if group_affected[g]:
                theirs += now
            else:
                others += now
            if group_affected[g] or c.affected == 0.0:
                need[k] += now
                total_need += now
    disparity = 1.0
    if c.affected > 0.0 and c.affected < heads and others > 0.0:
        disparity = (theirs / c.affected) / (others / (heads - c.affected))
    for k in range(K):
        need[k] = need[k] / total_need if total_need > 0.0 else decision[k]

    # People
    came, came_affected, seated, seated_affected, leaders, acting = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    sense, confidence, engaged, institutions = 0.0, 0.0, 0.0, 0.0
    members, open_, sore, error, there, host = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(kind.size):
        if not active[i]:
            continue
        if present[i] and (kind[i] == RESIDENT or kind[i] == INSTITUTION):
            there += 1.0
        if kind[i] == BACKBONE:
            host = 0.5 * (weight[i] + weight_budget[i])
        if kind[i] == RESIDENT:
            came += 1.0 if present[i] else 0.0
            seated += 1.0 if member[i] else 0.0
            if affected[i]:
                came_affected += 1.0 if present[i] else 0.0
                seated_affected += 1.0 if member[i] else 0.0
            leaders += 1.0 if leader[i] else 0.0
            acting += 1.0 if mobilized[i] else 0.0
            sense += agency[i]
            confidence += trust[i]
        elif kind[i] == INSTITUTION:
            institutions += 1.0
            engaged += engagement[i]
        if member[i] and kind[i] != BACKBONE:
            members += 1.0
            open_ += openness[i]
            sore += min(1.0, 0.5 * grievance[i])
            for k in range(K):
                error += abs(belief[i, k] - structural[k]) / K
    residents = c.residents

    # Seats, votes, say
    seats, seats_other, votes, decided, gini = 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(tables):
        decided += table_share[t] if table_decided[t] else 0.0
    for t in range(tables):
        sits_r, sits_i = False, False
        for a in range(table_start[t], table_start[t + 1]):
            i = table_agents[a]
            if member[i] and kind[i] == RESIDENT:
                sits_r = True
            elif member[i] and kind[i] == INSTITUTION:
                sits_i = True
        may_r = sits_r or month >= rules.convene_residents_from
        may_i = sits_i or month >= rules.convene_institutions_from
        r, i_ = seats_of(rules, may_r, may_i, table_residents[t], table_institutions[t])
        seats += r
        seats_other += i_ + 1.0
        if r > 0.0 or sits_r:
            if rules.decide_votes_counted == ONE_MEMBER_ONE_VOTE:
                votes += table_share[t] * r / (r + i_ + 1.0)
            else:
                rest = rules.decide_votes_backbone
                if i_ > 0.0 or sits_i:
                    rest += rules.decide_votes_institutions
                if rules.decide_votes_residents > 0.0:
                    votes += table_share[t] * rules.decide_votes_residents / (rules.decide_votes_residents + rest)
        if not table_decided[t]:
            continue
        pool[0] = host * table_share[t] / decided
        size = 1
        for a in range(table_start[t], table_start[t + 1]):
            i = table_agents[a]
            if member[i]:
                pool[size] = 0.5 * (weight[i] + weight_budget[i])
                size += 1
        gini += table_share[t] * table_gini(pool, size)
    alive = c.alive == 1.0

    money_origin, money = 0.0, 0.0
    for line in range(budget_origin.size):
        money_origin += budget_origin[line] * decision[K + 1 + line]
        money += decision[K + 1 + line]
    power, fitting = 0.0, 0.0
    for k in range(K):
        power += decision[k] * (pressure[k] / (pressure[k] + opposition[k])) if pressure[k] > 0.0 else 0.0
        fitting += allocation(rules, c, decision, commitment, k) * fit[k]
    policies = 0.0
    for k in range(K):
        policies += wins[k]
    seat_share = seats / (seats + seats_other) if alive else 0.0

    row[0] = burden
    row[1] = disparity
    row[2] = worst / worst_start if worst_start > 0.0 else burden
    row[3] = coverage
    row[4] = level
    row[5] = policies
    row[6] = seat_share
    row[7] = votes if alive else 0.0
    row[8] = c.resident_say
    row[9] = c.agenda_origin
    row[10] = money_origin / money if money > 0.0 else 0.0
    row[11] = seat_share - c.agenda_origin
    row[12] = gini / decided if decided > 0.0 else 0.0
    row[13] = arnstein(c.resident_say, c.agenda_origin)
    row[14] = came / residents
    row[15] = came_affected / c.affected if c.affected > 0.0 else 0.0
    row[16] = seated / residents
    row[17] = seated_affected / c.affected if c.affected > 0.0 else 0.0
    row[18] = leaders / residents
    row[19] = c.exits
    row[20] = acting / residents
    row[21] = sense / residents
    row[22] = confidence / residents
    row[23] = open_ / members if members > 0.0 else 0.0
    row[24] = engaged / institutions if institutions > 0.0 else 0.0
    row[25] = c.hours / residents
    row[26] = c.tasks * (came / there if there > 0.0 else 0.0)
    row[27] = c.control
    row[28] = c.backlog
    row[29] = c.coordination
    row[30] = c.speed
    row[31] = min(1.0, fitting)
    row[32] = error / members if members > 0.0 else 0.0
    row[33] = c.challenges
    row[34] = c.structural_effort
    row[35] = sore / members if members > 0.0 else 0.0
    row[36] = power
    row[37] = c.controversy / (1.0 + c.controversy)
    apart = 0.0
    for k in range(K):
        apart += abs(decision[k] - need[k])
    row[38] = 1.0 - 0.5 * apart
    row[39] = c.funded
    row[40] = c.alive
