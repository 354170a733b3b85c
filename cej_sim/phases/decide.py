"""Phase 3, decide: the coalition's agenda, strategy and budget, by today's weights and today's clock.

Weights at a table that has a quorum, over those present there and the backbone (``table_weights``):

1. Formal votes. ``votes: blocs``: the shares votes.residents, votes.institutions, votes.backbone, rescaled over the
   blocs that are there, split evenly within a bloc; if those shares are all 0, the backbone decides.
   ``one_member_one_vote``: equal. Organizers have no formal vote.
2. What facilitation does not equalize leaks to voice: d = (1 - l) formal + l voice / sum of voices, l =
   mechanisms.leakage * 0.5 * (1 - facilitation paid for).
3. The rule: ``weighted_mean`` leaves d as it is. ``majority``: the three with the loudest voice propose their
   priorities (a proposal counts if the priorities of somebody else present lie within distance 0.25: seconding; if
   none is seconded, the loudest stands); all vote for the nearest (first proposed if equal); without a majority the
   two strongest go to a run-off; only supporters of the winner keep their weight, rescaled. ``consensus``: those
   further than ``tolerance`` from the weighted mean block; their weights are doubled, then all rescaled; the
   meeting takes (1 + 2 b) times as long, b = blockers / people; above b = 1/3 the table's speed is 0, though the
   weights stand. ``delegated``: the ``committee`` members of largest d decide, rescaled. Between equals in voice or
   weight the higher draw of stream TIES goes first (a draw for everybody present, month by month).
4. The backbone takes what it controls: weight <- (1 - s) weight, plus s for the backbone; s = control * scope over
   the agenda (priorities, strategy) or over the budget.

Each table's target is the weighted mean of decision vectors. Clock: ``meeting_hours`` H; naming takes 0.75 hours,
conflict work 1, the charter 0.75, plain language 0.5, each at full level, and training 0.5 t / (t + 0.1) with t
last month's training money per table; ``hours_kept`` = min(1, 0.6 H / sum) of these are kept. The rest is for
deciding, of which

    needed = 4 items * hours_per_item (1 + 1.3 disagreement * 4 (n - 1) / (n + 8)) (1 - 0.4 facilitation) (1 + 0.5
    backlog)

with n = 1 / sum of squared agenda weights (effective deciders) and disagreement = mean distance of priorities to
the target's, by agenda weights. (The fraction grows nearly like log n up to 40 deciders.) Table speed = 1 -
mechanisms.slowness * (1 - min(1, left / needed)), 0 without a quorum; the coalition's speed is the mean by
table_share. ``hours_used`` = what was kept of the other promises + min(the rest, needed), the mean by table_share
over the tables that met. backlog <- backlog + 0.1 ((1 - speed) - backlog).

The decision in force moves: A <- A + 0.3 * sum over tables of share * speed * (target - A). Strategy is bounded by
[0, strategy_max], each line but action by [budget_min, budget_max]; if the lines are over 1 in sum, the excess is
taken from them in proportion to what they hold above budget_min; action is the rest. Provenance moves by the same
weights (sum over tables of share * speed * 0.3 * (weighted mean origin - provenance), agenda weights for the agenda
and budget weights for each line); a line whose bound binds is credited to nobody (0). Commitments: commitment += (A
- commitment) / commitment_months, its provenance likewise. Money of the month is then spent: spend = money * lines.
  Organizing money without active organizers stays unspent. ``resident_say`` (``affected_say``) is the (most
  affected) residents' part of the mean of both weights over all who hold any; 0 if nobody decided. Hours and rates
  are assumed; six meeting hours: design.
"""

from __future__ import annotations

import numpy as np

from cej_sim.compiled import kernel
from cej_sim.draws import TIES, fill
from cej_sim.forms import clip, copied, distance, distance_to, saturating, zeros
from cej_sim.parameters import Parameter, choice, count, mechanism
from cej_sim.processor import EIGHT, eight, put
from cej_sim.state import (
    ACTION,
    BUDGET_LINES,
    INSTITUTION,
    ORGANIZER,
    ORGANIZING,
    RESIDENT,
    TRAINING,
    L,
)

BLOCS, ONE_MEMBER_ONE_VOTE = range(2)
WEIGHTED_MEAN, MAJORITY, CONSENSUS, DELEGATED = range(4)

_LINE = {
    "coordination": ("Coordination", 0.25, (("coordination", 1),), 6, "backbone"),
    "organizing": ("Organizing", 0.1, (("resident_agency", 1),), 3, None),
    "supports": ("Supports for taking part", 0.05, (("affected_attendance", 1),), 2, None),
    "training": ("Training", 0.05, (("openness", 1),), 1, None),
    "evaluation": ("Evaluation", 0.1, (("belief_error", -1),), 5, "shared_measurement"),
}
# A start is soon decided away; what is left of larger supports at the start is that more people stay members.
_AT_START = {"supports": (("resident_members", 1),)}
# Lines of which coalitions often want more than they may have.
_BOUND_ABOVE = ("organizing", "training", "evaluation")


def _budget_rules() -> tuple[Parameter, ...]:
    """A start and two bounds for each line of the budget but action."""
    rules = []
    for line in BUDGET_LINES[:-1]:
        label, start, effect, principle, condition = _LINE[line]
        rules += [
            Parameter(
                f"governance.decide.budget.{line}",
                start,
                f"{label}: share of money at the start",
                f"Share of the money that goes to {label.lower()} at the start; action gets what the lines leave.",
                effect=_AT_START.get(line, effect),
                principle=principle,
                condition=condition,
                factor=5 if line == "training" else None,
            ),
            Parameter(
                f"governance.decide.budget_min.{line}",
                0.0,
                f"{label}: lower bound",
                f"The least share of money that the coalition may decide for {label.lower()}.",
                effect=() if line == "supports" else effect,
                principle=principle,
                condition=condition,
            ),
            Parameter(
                f"governance.decide.budget_max.{line}",
                0.4,
                f"{label}: upper bound",
                f"The largest share of money that the coalition may decide for {label.lower()}.",
                effect=effect if line in _BOUND_ABOVE else (),
                principle=principle,
                condition=condition,
            ),
        ]
    return tuple(rules)


RULES = (
    choice(
        "governance.decide.votes.counted",
        ("blocs", "one_member_one_vote"),
        "How votes are counted",
        "Votes held by blocs in fixed shares, or one for each member.",
        principle=2,
    ),
    Parameter(
        "governance.decide.votes.residents",
        0.3,
        "Votes of residents",
        "Part of the formal votes that residents hold together.",
        effect=(("decision_share", 1), ("agenda_origin", 1)),
        principle=2,
        source="design: .1 for CI, .5 for CEJ",
    ),
    Parameter(
        "governance.decide.votes.institutions",
        0.5,
        "Votes of institutions",
        "Part of the formal votes that institutions hold together.",
        effect=(("decision_share", -1),),
        principle=2,
        source="design: .6 for CI, .4 for CEJ",
    ),
    Parameter(
        "governance.decide.votes.backbone",
        0.2,
        "Votes of the backbone",
        "Part of the formal votes that the backbone holds.",
        effect=(("decision_share", -1),),
        principle=6,
        condition="backbone",
        source="design: .3 for CI, .1 for CEJ",
    ),
    choice(
        "governance.decide.rule",
        ("weighted_mean", "majority", "consensus", "delegated"),
        "How decisions are made",
        "A weighted compromise, a majority vote over proposals, consensus with blocks, or a small committee.",
        principle=2,
    ),
    Parameter(
        "governance.decide.tolerance",
        0.35,
        "What consensus can bear",
        "With consensus: how far from one's own view a proposal may be before one blocks it.",
    ),
    count(
        "governance.decide.committee",
        5,
        100,
        "Size of the committee",
        "With delegated decisions: how many decide.",
        low=1,
        unit="people",
    ),
    Parameter(
        "governance.decide.meeting_hours",
        6.0,
        "Meeting hours",
        "Hours the table meets in a month.",
        low=1.0,
        high=40.0,
        unit="hours per month",
        effect=(("decision_speed", 1), ("resident_attendance", -1)),
        source="design",
    ),
    Parameter(
        "governance.decide.strategy",
        0.1,
        "Policy and systems change at the start",
        "Share of action meant to change policies and systems rather than to run programs, at the start.",
        principle=4,
        effect=(("structural_effort", 1),),
        factor=2,
    ),
    Parameter(
        "governance.decide.strategy_max",
        0.4,
        "Most that may go to policy and systems change",
        "Upper bound of that share.",
        effect=(("structural_effort", 1), ("policy_wins", 1)),
        principle=4,
        source="design: .15 for CI, .6 for CEJ",
    ),
    Parameter(
        "governance.decide.commitment",
        0.4,
        "Money committed for years",
        "Part of the action money that follows earlier agendas until its commitments run out.",
        effect=(("disparity_ratio", 1),),
        condition="reinforcing_activities",
    ),
    count(
        "governance.decide.commitment_months",
        36,
        240,
        "Length of commitments",
        "Months for which money is committed.",
        low=1,
        unit="months",
        effect=(("disparity_ratio", 1),),
    ),
    *_budget_rules(),
    Parameter(
        "coefficients.hours_per_item",
        0.96,
        "Hours for a decision",
        "Hours one decision takes a single decider.",
        low=0.05,
        high=5.0,
        unit="hours",
        effect=(("decision_speed", -1),),
        source="calibrated: experiments/calibration",
    ),
    mechanism(
        "leakage",
        "Votes leak to voice",
        "What facilitation does not equalize goes to those with standing, skill and confidence.",
    ),
    mechanism(
        "slowness",
        "Deciding takes time",
        "Meeting hours limit what is decided, and undecided things are not done.",
        effect=(("decision_speed", -1), ("service_coverage", -1)),
    ),
    mechanism(
        "commitments",
        "Earlier agendas hold money",
        "Committed money keeps following the agenda it was promised under.",
        effect=(("disparity_ratio", 1),),
    ),
)

ITEMS = 4.0
PACE = 0.3


@kernel
def hours_promised(rules, spend, tables):
    """Hours that naming, conflict work, charter, plain language and training take together."""
    return (
        0.75 * rules.convene_naming
        + 1.0 * rules.contend_conflict_addressed
        + 0.75 * rules.coordinate_charter
        + 0.5 * rules.convene_plain_language
        + 0.5 * saturating(spend[TRAINING] / tables, 0.1)
    )


@kernel
def sitting(t, backbone, present, table_start, table_agents):
    """Rows of those present at table t in their order, and then the backbone, which sits at every table."""
    first, last = table_start[t], table_start[t + 1]
    there = np.empty(last - first + 1, np.int32)
    count = 0
    for a in range(first, last):
        i = table_agents[a]
        there[count] = i
        count += 1 if present[i] else 0
    there[count] = backbone
    return there[: count + 1]


@kernel
def table_weights(there, K, rules, facilitation, control, kind, voice, luck, x, out, out_budget, chosen):
    """Weights over agenda and budget of those who sit at a table, the backbone last, into ``out`` and ``out_budget``.

    The backbone's are returned instead; with them, sums are 1.

    Returns:
        The backbone's two weights, the share of people who block (consensus), and the sum of squared agenda weights.
    """
    backbone = there[-1]
    others = there[:-1]
    residents, institutions, voices = 0, 0, voice[backbone]
    for i in others:
        voices += voice[i]
        residents += 1 if kind[i] == RESIDENT else 0
        institutions += 1 if kind[i] == INSTITUTION else 0

    if rules.decide_votes_counted == ONE_MEMBER_ONE_VOTE:
        each_resident = each_institution = own = 1.0 / (residents + institutions + 1.0)
    else:
        of_residents = rules.decide_votes_residents if residents > 0 else 0.0
        of_institutions = rules.decide_votes_institutions if institutions > 0 else 0.0
        all_votes = of_residents + of_institutions + rules.decide_votes_backbone
        if all_votes > 0.0:
            each_resident = of_residents / all_votes / max(residents, 1)
            each_institution = of_institutions / all_votes / max(institutions, 1)
            own = rules.decide_votes_backbone / all_votes
        else:
            each_resident, each_institution, own = 0.0, 0.0, 1.0

    leak = rules.mechanisms_leakage * 0.5 * (1.0 - facilitation)
    own = (1.0 - leak) * own + (leak * voice[backbone] / voices if voices > 0.0 else leak)
    for i in others:
        formal = 0.0
        if kind[i] == RESIDENT:
            formal = each_resident
        elif kind[i] == INSTITUTION:
            formal = each_institution
        out[i] = (1.0 - leak) * formal + (leak * voice[i] / voices if voices > 0.0 else 0.0)

    blocked = 0.0
    if rules.decide_rule == MAJORITY:
        own = majority(there, K, own, voice, luck, x, out)
    elif rules.decide_rule == CONSENSUS:
        own, blocked = consensus(there, K, own, rules.decide_tolerance, x, out)
    elif rules.decide_rule == DELEGATED:
        own = delegate(there, own, int(rules.decide_committee), luck, out, chosen)

    agenda = control * rules.coordinate_delegated_agenda
    budget = control * rules.coordinate_delegated_budget
    squares = 0.0
    for i in others:
        out_budget[i] = (1.0 - budget) * out[i]
        out[i] = (1.0 - agenda) * out[i]
        squares += out[i] * out[i]
    own_budget = (1.0 - budget) * own + budget
    own = (1.0 - agenda) * own + agenda
    return own, own_budget, blocked, squares + own * own


@kernel
def nearest(i, options, count, K, x):
    """Position of the option nearest to agent i's priorities, the first one if equal."""
    best = 0
    for o in range(1, count):
        if distance(x, i, x, options[o], K) < distance(x, i, x, options[best], K) - 1e-12:
            best = o
    return best


@kernel
def louder(i, j, voice, luck):
    """Whether i has more voice than j; between equals the month's draw decides."""
    return voice[i] > voice[j] or (voice[i] == voice[j] and luck[i] > luck[j])


@kernel
def majority(there, K, own, voice, luck, x, out):
    """Proposals, seconding, vote, run-off; rescale the winners' weights in place and return the backbone's."""
    backbone = there[-1]
    p0, p1, p2 = -1, -1, -1
    for i in there:
        if p0 < 0 or louder(i, p0, voice, luck):
            p0, p1, p2 = i, p0, p1
        elif p1 < 0 or louder(i, p1, voice, luck):
            p1, p2 = i, p1
        elif p2 < 0 or louder(i, p2, voice, luck):
            p2 = i
    loudest = p0
    options = np.empty(3, np.int64)
    count = 0
    for proposer in (p0, p1, p2):
        if proposer < 0:
            continue
        seconded = False
        for j in there:
            if j != proposer and distance(x, j, x, proposer, K) <= 0.25 + 1e-12:
                seconded = True
        if seconded:
            options[count] = proposer
            count += 1
    if count == 0:
        options[0], count = loudest, 1
    s0, s1, s2 = 0.0, 0.0, 0.0
    for i in there:
        w = own if i == backbone else out[i]
        o = nearest(i, options, count, K, x)
        if o == 0:
            s0 += w
        elif o == 1:
            s1 += w
        else:
            s2 += w
    if count == 3 and max(s0, s1, s2) <= 0.5 + 1e-12:
        if s0 < s1 - 1e-12 and s0 < s2 - 1e-12:
            options[0], options[1] = options[1], options[2]
        elif s1 < s2 - 1e-12:
            options[1] = options[2]
        count = 2
        s0, s1, s2 = 0.0, 0.0, 0.0
        for i in there:
            w = own if i == backbone else out[i]
            if nearest(i, options, count, K, x) == 0:
                s0 += w
            else:
                s1 += w
    winner = 0
    most = s0
    if count > 1 and s1 > most + 1e-12:
        winner, most = 1, s1
    if count > 2 and s2 > most + 1e-12:
        winner, most = 2, s2
    for i in there:
        wins = nearest(i, options, count, K, x) == winner
        if i == backbone:
            own = own / most if wins else 0.0
        else:
            out[i] = out[i] / most if wins else 0.0
    return own


@kernel
def consensus(there, K, own, tolerance, x, out):
    """Double the weights of those who block, rescale, and return the backbone's weight and the share of blockers."""
    backbone = there[-1]
    mean = np.empty(K)
    for k in range(K):
        mean[k] = own * x[backbone, k]
    for i in there[:-1]:
        for k in range(K):
            mean[k] += out[i] * x[i, k]
    blockers = 0.0
    total = 0.0
    for i in there:
        blocks = distance_to(mean, x, i, K) > tolerance + 1e-12
        factor = 2.0 if blocks else 1.0
        blockers += 1.0 if blocks else 0.0
        if i == backbone:
            own *= factor
            total += own
        else:
            out[i] *= factor
            total += out[i]
    for i in there[:-1]:
        out[i] /= total
    return own / total, blockers / there.size


@kernel
def delegate(there, own, committee, luck, out, chosen):
    """Keep the weights of the committee's members only, rescaled in place; return the backbone's."""
    backbone = there[-1]
    own_rank = 0
    for i in there[:-1]:
        ahead = out[i] > own or (out[i] == own and luck[i] > luck[backbone])
        own_rank += 1 if ahead else 0
        rank = 0 if ahead else 1
        for j in there[:-1]:
            if out[j] > out[i] or (out[j] == out[i] and luck[j] > luck[i]):
                rank += 1
        chosen[i] = rank < committee
    total = own if own_rank < committee else 0.0
    for i in there[:-1]:
        total += out[i] if chosen[i] else 0.0
    for i in there[:-1]:
        out[i] = out[i] / total if chosen[i] else 0.0
        chosen[i] = False
    return own / total if own_rank < committee else 0.0


@kernel
def even_splits(present, table_start, table_agents, table_share, table_decided):
    """What each of those at a table would hold if all there, the backbone among them, held the same (T,).

    0 where nothing was decided.
    """
    out = zeros(table_share.size)
    for t in range(out.size):
        if table_decided[t]:
            there = 1
            for a in range(table_start[t], table_start[t + 1]):
                there += 1 if present[table_agents[a]] else 0
            out[t] = table_share[t] / there
    return out


@kernel
def weighted_views(there, own, own_budget, K, x, weight, weight_budget, out, t):
    """What a table wants, the weighted mean of decision vectors, into row t of ``out`` (T, D), eight entries at a time.

    The agenda and the strategy are weighed by ``weight``, the budget by ``weight_budget``.
    """
    width = x.shape[1]
    lines = np.empty((1, width))
    backbone = there[-1]
    for column in range(0, width, EIGHT):
        d = min(column, width - EIGHT)
        by_agenda, by_budget = own * eight(x, backbone, d), own_budget * eight(x, backbone, d)
        for i in there[:-1]:
            by_agenda += weight[i] * eight(x, i, d)
            by_budget += weight_budget[i] * eight(x, i, d)
        put(out, t, d, by_agenda)
        put(lines, 0, d, by_budget)
    for d in range(K + 1, width):
        out[t, d] = lines[0, d]


@kernel
def draw_luck(key, month, rules, draw_id, luck):
    """Settle who goes first among equals this month, where the rule asks."""
    if rules.decide_rule == MAJORITY or rules.decide_rule == DELEGATED:
        fill(key, draw_id, month, TIES, luck)


@kernel
def nobody_weighs(weight, weight_budget):
    """Nobody has a part in this month's decisions, so far or at all."""
    for i in range(weight.size):
        weight[i] = 0.0
        weight_budget[i] = 0.0


@kernel
def decide(
    key, month, rules, c, K, backbone,
    draw_id, kind, active, affected, present, voice, luck, x, origin, weight, weight_budget, chosen,
    table_start, table_agents, table_share, table_speed, table_decided, targets,
    decision, budget_origin, commitment, spend,
):  # fmt: skip
    """Weigh, decide against the clock, move agenda and budget with their provenance, and spend the month's money."""
    tables = table_share.size
    width = decision.size
    promised = hours_promised(rules, spend, tables)
    c.hours_kept = min(1.0, 0.6 * rules.decide_meeting_hours / promised) if promised > 0.0 else 1.0
    left = rules.decide_meeting_hours - promised * c.hours_kept

    draw_luck(key, month, rules, draw_id, luck)
    nobody_weighs(weight, weight_budget)
    c.speed = 0.0
    c.hours_used = 0.0
    agenda_pull, agenda_pull_origin = 0.0, 0.0
    new_origin = copied(budget_origin)
    moved = copied(decision)
    for t in range(tables):
        table_speed[t] = 0.0
        if not table_decided[t]:
            continue
        there = sitting(t, backbone, present, table_start, table_agents)
        own, own_budget, blocked, squares = table_weights(
            there, K, rules, c.facilitation, c.control, kind, voice, luck, x, weight, weight_budget, chosen
        )
        share = table_share[t]
        weighted_views(there, own, own_budget, K, x, weight, weight_budget, targets, t)
        from_agenda = own * origin[backbone]
        from_budget = own_budget * origin[backbone]
        disagreement = own * distance(x, backbone, targets, t, K)
        for i in there[:-1]:
            from_agenda += weight[i] * origin[i]
            from_budget += weight_budget[i] * origin[i]
            disagreement += weight[i] * distance(x, i, targets, t, K)
            weight[i] *= share
            weight_budget[i] *= share
        weight[backbone] += share * own
        weight_budget[backbone] += share * own_budget

        deciders = 1.0 / squares
        needed = (
            ITEMS
            * rules.coefficients_hours_per_item
            * (1.0 + 1.3 * disagreement * 4.0 * (deciders - 1.0) / (deciders + 8.0))
            * (1.0 - 0.4 * c.facilitation)
            * (1.0 + 0.5 * c.backlog)
            * (1.0 + 2.0 * blocked)
        )
        speed = 1.0 - rules.mechanisms_slowness * (1.0 - min(1.0, left / needed))
        if blocked > 1.0 / 3.0:
            speed = 0.0
        table_speed[t] = speed
        c.speed += share * speed
        c.hours_used += share * (rules.decide_meeting_hours - left + min(left, needed))
        step = PACE * share * speed
        agenda_pull += step
        agenda_pull_origin += step * from_agenda
        for d in range(width):
            moved[d] += step * (targets[t, d] - decision[d])
        for line in range(L):
            new_origin[line] += step * (from_budget - budget_origin[line])
    c.backlog += 0.1 * ((1.0 - c.speed) - c.backlog)
    c.agenda_origin += agenda_pull_origin - agenda_pull * c.agenda_origin

    moved[K] = clip(moved[K], 0.0, rules.decide_strategy_max)
    low = (
        rules.decide_budget_min_coordination, rules.decide_budget_min_organizing, rules.decide_budget_min_supports,
        rules.decide_budget_min_training, rules.decide_budget_min_evaluation,
    )  # fmt: skip
    high = (
        rules.decide_budget_max_coordination, rules.decide_budget_max_organizing, rules.decide_budget_max_supports,
        rules.decide_budget_max_training, rules.decide_budget_max_evaluation,
    )  # fmt: skip
    lines = 0.0
    for line in range(ACTION):
        bounded = clip(moved[K + 1 + line], low[line], high[line])
        if bounded != moved[K + 1 + line]:
            new_origin[line] = 0.0
        moved[K + 1 + line] = bounded
        lines += bounded
    above = 0.0
    for line in range(ACTION):
        above += moved[K + 1 + line] - low[line]
    for line in range(ACTION):
        if lines > 1.0:
            moved[K + 1 + line] -= (lines - 1.0) * (moved[K + 1 + line] - low[line]) / above
    moved[K + 1 + ACTION] = max(0.0, 1.0 - lines)
    c.organizing_before = decision[K + 1 + ORGANIZING]
    for d in range(width):
        decision[d] = moved[d]
    for line in range(L):
        budget_origin[line] = new_origin[line]
    for k in range(K):
        commitment[k] += (decision[k] - commitment[k]) / rules.decide_commitment_months
    c.commitment_origin += (c.agenda_origin - c.commitment_origin) / rules.decide_commitment_months

    organizers = False
    for i in range(kind.size):
        if kind[i] == ORGANIZER and active[i]:
            organizers = True
    c.spent = 0.0
    for line in range(L):
        spend[line] = c.money * decision[K + 1 + line]
        if line == ORGANIZING and not organizers:
            spend[line] = 0.0
        c.spent += spend[line]

    total, c.resident_say, c.affected_say = 0.0, 0.0, 0.0
    for i in range(kind.size):
        w = 0.5 * (weight[i] + weight_budget[i])
        total += w
        if kind[i] == RESIDENT:
            c.resident_say += w
            if affected[i]:
                c.affected_say += w
    if total > 0.0:
        c.resident_say /= total
        c.affected_say /= total
