"""Phase 11, reform: rules change by mandate, or by a motion that those in power decide.

A mandate takes effect before phase 1 of its month. A rule that gives a start (governance.decide.budget.*,
governance.decide.strategy), changed by mandate or motion, also sets the line (the strategy) in force at once,
credited to nobody; after the whole event lines over 1 in sum are scaled down, and action is what they leave. A
motion lies on the table from its month on, until it passes. It is put to the vote in phase 11 when at least
``motion_every`` months have passed since the last vote (on any motion), a table has decided this month, somebody
who may propose (``motion_by``) came, and ``motions_about`` allows it (``no_votes`` forbids changes under
governance.decide.votes, ``nothing`` all). Motions stand in the order of the file; one vote a month.

Vote. Those with a weight vote with today's agenda weights d_i, also who walked out in phase 8. d'_i are the weights
that the same people at the same table would have with the motion's rules in force (and control and facilitation as
phase 4 left them). Agent i is for it if a draw (stream BALLOT, identity the agent, month the position of the event:
people do not change their minds by chance from vote to vote) lies below s(4 z), s = ``response`` of forms.py,

    z = -0.25 - mechanisms.power_loss * 1.2 loss_i (1 - 0.7 openness_i) + 0.8 (openness_i - 0.4) + 0.6 (belief_i - 0.4)
        + mechanisms.popular_pressure * 1.2 min(1, 4 mobilized share of residents),

loss_i = (d_i - d'_i) / max(d_i, d'_i) (0 if both are 0), belief_i the mean over issues. It passes if the votes for
it reach ``motion_threshold`` of all weights. Coefficients: assumed.
"""

from __future__ import annotations

from cej_sim.compiled import kernel
from cej_sim.draws import BALLOT, uniform
from cej_sim.forms import copied, response, write_log
from cej_sim.parameters import Parameter, choice, count, mechanism
from cej_sim.phases.decide import draw_luck, sitting, table_weights
from cej_sim.state import (
    ACTION,
    BY_BELIEF,
    BY_LOSS,
    BY_OPENNESS,
    BY_PRESSURE,
    FOR_IT,
    MANDATE,
    MOTION_FAILED,
    MOTION_PASSED,
    RESIDENT,
    WEIGHT_NOW,
    WEIGHT_THEN,
)

ANY_MEMBER, RESIDENTS_ONLY = range(2)
ANYTHING, NO_VOTES, NOTHING = range(3)

RULES = (
    choice(
        "governance.reform.motion_by",
        ("any_member", "residents"),
        "Who may propose new rules",
        "Whose motions to change the rules are put to the vote.",
        principle=2,
    ),
    choice(
        "governance.reform.motions_about",
        ("anything", "no_votes", "nothing"),
        "What motions may change",
        "Any rule, any rule but the votes, or none.",
        principle=2,
    ),
    count(
        "governance.reform.motion_every",
        6,
        1200,
        "Months between votes on rules",
        "How often rules may be put to the vote.",
        low=1,
        unit="months",
    ),
    Parameter(
        "governance.reform.motion_threshold",
        0.5,
        "Majority for new rules",
        "Share of decision weight that must be for a motion.",
        source="assumed",
    ),
    mechanism(
        "power_loss",
        "Holders of power weigh their loss",
        "Those who would lose say tend to vote against a change of rules.",
    ),
    mechanism(
        "popular_pressure", "Pressure of mobilized residents", "Mobilized residents make members vote for change."
    ),
)


@kernel
def put_into_force(row, K, rules_flat, sets, event_field, event_value, decision, budget_origin):
    """Change one rule; a starting line or strategy also changes the decision in force. ``sets`` tells what a rule
    sets."""
    field = event_field[row]
    rules_flat[field] = event_value[row]
    if sets[field] == ACTION:
        decision[K] = event_value[row]
    elif sets[field] >= 0:
        decision[K + 1 + sets[field]] = event_value[row]
        budget_origin[sets[field]] = 0.0


@kernel
def settle_budget(K, decision):
    """Make the budget in force whole after lines were set: action is what they leave; over 1 they are scaled down."""
    lines = 0.0
    for line in range(ACTION):
        lines += decision[K + 1 + line]
    for line in range(ACTION):
        if lines > 1.0:
            decision[K + 1 + line] /= lines
    decision[K + 1 + ACTION] = max(0.0, 1.0 - lines)


@kernel
def mandate(
    month, K, rules_flat, sets, event_month, event_motion, event_id, event_field, event_value, event_done,
    decision, budget_origin, log, logged,
):  # fmt: skip
    """Put the mandates of this month into force."""
    for row in range(event_month.size):
        e = event_id[row]
        if event_motion[row] or event_month[row] != month or event_done[e]:
            continue
        put_into_force(row, K, rules_flat, sets, event_field, event_value, decision, budget_origin)
        if row + 1 == event_month.size or event_id[row + 1] != e:
            event_done[e] = True
            settle_budget(K, decision)
            write_log(log, logged, month, MANDATE, e, 1)


@kernel
def ballot(key, event, rules, K, kind, draw_id, mobilized, openness, belief, weight, then, vote):
    """Who is for a motion: returns all weights that vote, and those that are for it.

    ``then`` are the weights under the motion's rules. Where ``vote`` has rows, it receives how each agent voted and
    what moved it (``state.VOTE``): a row of zeros for those who have no vote.
    """
    acting, residents = 0.0, 0.0
    for i in range(kind.size):
        if kind[i] == RESIDENT:
            residents += 1.0
            if mobilized[i]:
                acting += 1.0
    pressure = rules.mechanisms_popular_pressure * 1.2 * min(1.0, 4.0 * acting / residents)
    total, in_favor = 0.0, 0.0
    for i in range(kind.size):
        if i < vote.shape[0]:
            for column in range(vote.shape[1]):
                vote[i, column] = 0.0
        if weight[i] <= 0.0:
            continue
        loss = (weight[i] - then[i]) / max(weight[i], then[i])
        believed = 0.0
        for k in range(K):
            believed += belief[i, k] / K
        by_loss = rules.mechanisms_power_loss * 1.2 * loss * (1.0 - 0.7 * openness[i])
        by_openness = 0.8 * (openness[i] - 0.4)
        by_belief = 0.6 * (believed - 0.4)
        z = -0.25 - by_loss + by_openness + by_belief + pressure
        total += weight[i]
        for_it = uniform(key, draw_id[i], event, BALLOT) < response(4.0 * z, rules.coefficients_response_form)
        if for_it:
            in_favor += weight[i]
        if i < vote.shape[0]:
            vote[i, FOR_IT] = 1.0 if for_it else -1.0
            vote[i, WEIGHT_NOW] = weight[i]
            vote[i, WEIGHT_THEN] = then[i]
            vote[i, BY_LOSS] = -by_loss
            vote[i, BY_OPENNESS] = by_openness
            vote[i, BY_BELIEF] = by_belief
            vote[i, BY_PRESSURE] = pressure
    return total, in_favor


@kernel
def reform(
    key, month, rules, rules_flat, sets, votes_first, votes_last, c, K, backbone,
    event_month, event_motion, event_id, event_field, event_value, event_done,
    kind, draw_id, member, present, mobilized, voice, luck, openness, belief, x, weight, score, pool, chosen, vote,
    table_start, table_agents, table_share, table_decided, decision, budget_origin, log, logged,
):  # fmt: skip
    """Put a motion to the vote, and change the rules if it passes.

    ``votes_first`` to ``votes_last`` are the positions of the vote rules in ``rules_flat``; score and pool are
    scratch; ``vote`` keeps who voted how, where it has rows.
    """
    c.motion_clock += 1.0
    if c.motion_clock < rules.reform_motion_every or rules.reform_motions_about == NOTHING:
        return
    first_row = -1
    for row in range(event_month.size):
        if not event_motion[row] or event_month[row] > month or event_done[event_id[row]]:
            continue
        if row > 0 and event_id[row - 1] == event_id[row]:
            continue
        allowed = True
        if rules.reform_motions_about == NO_VOTES:
            for other in range(row, event_month.size):
                if event_id[other] == event_id[row] and votes_first <= event_field[other] <= votes_last:
                    allowed = False
        if allowed:
            first_row = row
            break
    if first_row < 0:
        return
    may = False
    for i in range(kind.size):
        entitled = rules.reform_motion_by == ANY_MEMBER or kind[i] == RESIDENT
        may = may or (entitled and present[i] and member[i])
    decided = False
    for t in range(table_share.size):
        decided = decided or table_decided[t]
    if not may or not decided:
        return
    c.motion_clock = 0.0

    event = event_id[first_row]
    last_row = first_row
    while last_row < event_month.size and event_id[last_row] == event:
        last_row += 1
    kept = copied(rules_flat)
    for row in range(first_row, last_row):
        rules_flat[event_field[row]] = event_value[row]
    draw_luck(key, month, rules, draw_id, luck)
    own_then = 0.0
    for i in range(kind.size):
        score[i] = 0.0
    for t in range(table_share.size):
        if table_decided[t]:
            there = sitting(t, backbone, present, table_start, table_agents)
            own, _, _, _ = table_weights(
                there, K, rules, c.facilitation, c.control, kind, voice, luck, x, score, pool, chosen
            )
            own_then += table_share[t] * own
            for i in there[:-1]:
                score[i] *= table_share[t]
    score[backbone] = own_then
    for p in range(kept.size):
        rules_flat[p] = kept[p]

    total, in_favor = ballot(key, event, rules, K, kind, draw_id, mobilized, openness, belief, weight, score, vote)
    if in_favor >= rules.reform_motion_threshold * total - 1e-12:
        for row in range(first_row, last_row):
            put_into_force(row, K, rules_flat, sets, event_field, event_value, decision, budget_origin)
        event_done[event] = True
        settle_budget(K, decision)
        write_log(log, logged, month, MOTION_PASSED, event, 1)
    else:
        write_log(log, logged, month, MOTION_FAILED, event, 1)
