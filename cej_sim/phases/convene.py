"""Phase 1, convene: who is at the table, and who comes.

Seats. At a table with R residents and I institutions, ``round(seats.residents * R)`` seats are open to residents
from month ``residents_from`` on and ``round(seats.institutions * I)`` to institutions from ``institutions_from`` on
(halves round up). One seat belongs to the backbone. If the seats together exceed ``table_cap``, the first two are
cut in proportion: institutions get round(i * (cap - 1) / (r + i)) and residents the rest. Nobody loses a seat
already held.

Invitation. The free seats of each kind are offered to the candidates (active, no seat, same table) with the highest
score, ties to the lowest row; one offer for each free seat. With u a draw of stream INVITE:

- ``by_ties``: u * (0.05 + sum over tied members j of w_ij * (1 + agreement * (1 - distance of priorities x_i,
  x_j)));
- ``by_lot``: u;
- ``by_election``: (0.25 + u) * (0.05 + sum of w_ij over ties to one's own kind in one's own neighborhood, where all
  institutions count as one neighborhood) * (0.2 + agency), and each seat goes to the best candidate of the
  neighborhoods with the fewest members of that kind so far (offers counted in);
- ``one_to_one``: u, but only as many offers as there are conversations: 2 + 3 * (organizing money of last month per
  table) + 0.5 * (leaders with a seat at the table), the fraction settled by a keyed draw (stream CALLS, identity:
  table * 2 + kind).

(In ``by_election`` a tie in score goes to the lowest row, a tie between neighborhoods to the higher score.)

Offers and answers of the whole coalition come before anybody of that month is seated. An unpaid agent accepts when
a draw of stream ACCEPT lies below s(2 z), z as for attendance (below), to which ``one_to_one`` adds 0.6; a paid one
when it lies below its engagement.

Attendance. Members, the backbone's convener (always) and active organizers come. A paid agent comes with
probability 0.8 * engagement, every other member with s(2 z) (stream ATTEND; s = ``response`` of forms.py),

    z = -coefficients.reluctance + 1.6 agency + 1.4 trust + 1.2 (fit - 0.6) - 2.4 barrier (1 - 0.7 support) - 0.7 (1
        - plain_language) + naming_kept (consciousness if most affected - coefficients.unease (1 - agency)) + 0.8
        mechanisms.company came + 0.8 leader - grievance - 0.05 meeting_hours,

where fit = 1 - distance(agenda, own priorities), support = take_up * m / (m + 0.05) with m last month's supports
money per unpaid member (at the start of the month; at least one for each table), naming_kept = mechanisms.naming *
naming * hours_kept (it speaks to the most affected as far as they are critically conscious, and unsettles whoever feels
without power), and came is the
tie-weighted share of tied members who came last month (0 without such ties). For an offer the agent counts as it
would as a member. An unpaid member who stays away gives up the seat with probability
coefficients.lapse (stream LAPSE). A table decides only where at least ``quorum`` of its members, without the backbone
and those who just gave up their seats, and at least one of them, came. Coefficients: design (first guesses).
"""

from __future__ import annotations

import numpy as np

from cej_sim.compiled import kernel
from cej_sim.draws import ACCEPT, ATTEND, CALLS, INVITE, LAPSE, fill, uniform, whole
from cej_sim.forms import RESPONSE_FORMS, cutoff, distance, distance_to, response, saturating, write_log
from cej_sim.parameters import Parameter, choice, count, mechanism
from cej_sim.state import (
    BACKBONE,
    INSTITUTION,
    INSTITUTION_JOINED,
    NO_QUORUM,
    ORGANIZER,
    ORGANIZING,
    RESIDENT,
    RESIDENTS_JOINED,
    RESIDENTS_LEFT,
    SUPPORTS,
)

BY_TIES, BY_LOT, BY_ELECTION, ONE_TO_ONE = range(4)

RULES = (
    choice(
        "governance.convene.invitation",
        ("by_ties", "by_lot", "by_election", "one_to_one"),
        "How people are invited",
        "Through members' own ties, by lot, by election within neighborhoods, or in one-to-one conversations.",
        principle=2,
        condition="common_agenda",
    ),
    Parameter(
        "governance.convene.seats.residents",
        0.2,
        "Seats for residents",
        "Seats open to residents, as a share of the residents; the table holds 40 in all.",
        effect=(("seat_share", 1), ("resident_members", 1)),
        principle=2,
        condition="common_agenda",
    ),
    Parameter(
        "governance.convene.seats.institutions",
        1.0,
        "Seats for institutions",
        "Seats open to institutions, as a share of the institutions.",
        effect=(("seat_share", -1),),
        principle=2,
    ),
    count(
        "governance.convene.residents_from",
        0,
        1200,
        "Residents join from month",
        "First month in which residents may sit.",
        unit="month",
        effect=(("agenda_origin", -1),),
        principle=2,
        condition="common_agenda",
        source="design: 12 for CI, 0 for CEJ",
    ),
    count(
        "governance.convene.institutions_from",
        0,
        1200,
        "Institutions join from month",
        "First month in which institutions may sit.",
        unit="month",
        effect=(("burden", 1),),
    ),
    count(
        "governance.convene.table_cap",
        40,
        1000,
        "Seats at a table",
        "The most seats a table can have.",
        low=3,
        unit="seats",
        source="design: 40 in all",
        effect=(("resident_members", 1),),
    ),
    Parameter(
        "governance.convene.agreement",
        0.0,
        "Inviting the like-minded",
        "Extra weight, in invitation by ties, on people who already agree.",
        high=5.0,
        unit="ratio",
    ),
    Parameter(
        "governance.convene.plain_language",
        0.5,
        "Plain language and interpretation",
        "How far meetings do without jargon and in people's own languages; takes meeting time.",
        effect=(("resident_attendance", 1),),
        principle=2,
        condition="communication",
    ),
    Parameter(
        "governance.convene.naming",
        0.0,
        "Naming injustice",
        "How openly meetings name social and economic injustice and structural racism; takes meeting time.",
        effect=(("affected_members", 1),),
        principle=1,
    ),
    Parameter(
        "governance.convene.take_up",
        0.24,
        "Take-up of supports",
        "How far child care, transport and interpretation that are paid for really help people come.",
        effect=(("affected_attendance", 1),),
        principle=2,
        source="calibrated: experiments/calibration; the range included 0, since a trial found no effect on attendance",
    ),
    Parameter(
        "governance.convene.quorum",
        0.25,
        "Quorum",
        "Share of members who must come for a decision.",
        effect=(("decision_speed", -1),),
    ),
    choice(
        "coefficients.response_form",
        RESPONSE_FORMS,
        "How a leaning becomes a chance",
        "Whether chances of coming, leaving, renewing and voting rise along an S-curve or along a straight line.",
    ),
    mechanism(
        "naming",
        "Naming draws and repels",
        "Naming injustice speaks to the critically conscious among the most affected and to open institutions; it "
        "unsettles those without power and threatens those with a stake.",
        principle=1,
        effect=(("affected_members", 1),),
    ),
    mechanism(
        "company",
        "People come with people",
        "Tied members who came make coming likelier.",
        effect=(("resident_attendance", 1),),
    ),
    Parameter(
        "coefficients.unease",
        0.45,
        "Unease where injustice is named",
        "How far naming injustice keeps away those who feel without power (1: a person with none as much as it draws "
        "one of the most affected who sees it all).",
        high=2.0,
        unit="ratio",
        effect=(("resident_members", -1),),
        source="calibrated: experiments/calibration; the range held none, and as much as naming draws",
    ),
    Parameter(
        "coefficients.reluctance",
        1.6,
        "Reluctance to come",
        "What must be overcome before somebody without a job in it comes to a meeting.",
        high=5.0,
        unit="ratio",
        effect=(("resident_attendance", -1),),
        source="calibrated: experiments/calibration",
    ),
    Parameter(
        "coefficients.lapse",
        0.027,
        "Seats given up",
        "Chance that an unpaid member who stays away gives up the seat.",
        unit="per month",
        effect=(("resident_members", -1),),
        source="calibrated: experiments/calibration",
    ),
)


@kernel
def seats_at(rules, month, residents, institutions):
    """Seats open to residents and to institutions at a table with that many of each."""
    may_r = month >= rules.convene_residents_from
    may_i = month >= rules.convene_institutions_from
    return seats_of(rules, may_r, may_i, residents, institutions)


@kernel
def seats_of(rules, may_r, may_i, residents, institutions):
    """Seats that the rules give to residents and to institutions, each where they may have any."""
    r = np.floor(rules.convene_seats_residents * residents + 0.5) if may_r else 0.0
    i = np.floor(rules.convene_seats_institutions * institutions + 0.5) if may_i else 0.0
    room = rules.convene_table_cap - 1.0
    if r + i > room:
        i = np.floor(i * room / (r + i) + 0.5)
        r = room - i
    return r, i


@kernel(inline=True)
def company(i, indptr, indices, tie, member, came):
    """Tie-weighted share of an agent's tied members who came last month; 0 without tied members."""
    total = 0.0
    there = 0.0
    for e in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
        j = np.uint32(indices[e])
        w = tie[e]
        total += w if member[j] else 0.0
        there += w if member[j] & came[j] else 0.0
    return there / total if total > 0.0 else 0.0


@kernel
def pull_of_members(agreement, K, x, member, indptr, indices, tie, pull):
    """How strongly members' ties draw each agent in, into ``pull`` (N,): looked at from the members, who are few."""
    for i in range(pull.size):
        pull[i] = 0.05
    for j in range(pull.size):
        if not member[j]:
            continue
        for e in range(indptr[j], indptr[j + 1]):
            i = np.uint32(indices[e])
            pull[i] += tie[e]
            if agreement > 0.0:
                pull[i] += tie[e] * agreement * (1.0 - distance(x, i, x, j, K))


@kernel
def elect(who, free, first, last, table_agents, kind, active, neighborhood, member, offered, score, held_in):
    """Offer seats one by one to the best candidate of the neighborhood with the fewest members of the kind."""
    none = held_in.size - 1
    for a in range(first, last):
        i = table_agents[a]
        held_in[neighborhood[i] if neighborhood[i] >= 0 else none] = 0
    for a in range(first, last):
        i = table_agents[a]
        if kind[i] == who and member[i]:
            held_in[neighborhood[i] if neighborhood[i] >= 0 else none] += 1
    while free > 0:
        best = -1
        best_held = 0
        for a in range(first, last):
            i = table_agents[a]
            if kind[i] != who or not active[i] or member[i] or offered[i]:
                continue
            held = held_in[neighborhood[i] if neighborhood[i] >= 0 else none]
            if best < 0 or held < best_held or (held == best_held and score[i] > score[best]):
                best, best_held = i, held
        if best < 0:
            return
        offered[best] = True
        held_in[neighborhood[best] if neighborhood[best] >= 0 else none] += 1
        free -= 1


@kernel(inline=True)
def willingness(
    i, K, rules, support, naming, with_whom,
    decision, x, agency, consciousness, trust, barrier, affected, leader, grievance,
):  # fmt: skip
    """The z of attendance (see the head of this file)."""
    fit = 1.0 - distance_to(decision, x, i, K)
    return (
        -rules.coefficients_reluctance
        + 1.6 * agency[i]
        + 1.4 * trust[i]
        + 1.2 * (fit - 0.6)
        - 2.4 * barrier[i] * (1.0 - 0.7 * support)
        - 0.7 * (1.0 - rules.convene_plain_language)
        + naming * ((consciousness[i] if affected[i] else 0.0) - rules.coefficients_unease * (1.0 - agency[i]))
        + 0.8 * rules.mechanisms_company * with_whom
        + (0.8 if leader[i] else 0.0)
        - grievance[i]
        - 0.05 * rules.decide_meeting_hours
    )


@kernel
def convene(
    key, month, rules, c, K,
    kind, active, paid, affected, neighborhood, draw_id, barrier,
    x, agency, consciousness, trust, engagement, grievance,
    member, present, came, leader, score, pool, pull, offered, held_in,
    indptr, indices, tie, table_start, table_agents, table_residents, table_institutions, table_decided,
    decision, spend, log, logged,
):  # fmt: skip
    """Offer free seats, settle who comes, and which tables have a quorum.

    ``score``, ``pool`` and ``pull`` (N,) floats, ``offered`` (N,) bools and ``held_in`` (neighborhoods + 1,) are
    scratch.
    """
    n = kind.size
    tables = table_start.size - 1
    unpaid = 0.0
    for i in range(n):
        came[i] = present[i]
        present[i] = False
        offered[i] = False
        if member[i] and not paid[i]:
            unpaid += 1.0
    support = rules.convene_take_up * saturating(spend[SUPPORTS] / max(unpaid, tables), 0.05)
    naming = rules.mechanisms_naming * rules.convene_naming * c.hours_kept
    rule = rules.convene_invitation
    joined = 0
    left = 0
    no_quorum = 0

    drawn = False
    for t in range(tables):
        first, last = table_start[t], table_start[t + 1]
        leaders, residents, institutions = 0, 0, 0
        for a in range(first, last):
            i = table_agents[a]
            leaders += 1 if leader[i] & member[i] else 0
            residents += 1 if member[i] & (kind[i] == RESIDENT) else 0
            institutions += 1 if member[i] & (kind[i] == INSTITUTION) else 0
        held = (residents, institutions)
        seats = seats_at(rules, month, table_residents[t], table_institutions[t])

        for who in (RESIDENT, INSTITUTION):
            free = int(seats[who] - held[who])
            if rule == ONE_TO_ONE:
                talks = 2.0 + 3.0 * spend[ORGANIZING] / tables + 0.5 * leaders
                free = min(free, whole(key, 2 * t + who, month, CALLS, talks))
            if free <= 0:
                continue
            if not drawn:
                fill(key, draw_id, month, INVITE, score)
                if rule == BY_TIES:
                    pull_of_members(rules.convene_agreement, K, x, member, indptr, indices, tie, pull)
                drawn = True
            waiting = 0
            for a in range(first, last):
                i = table_agents[a]
                if kind[i] != who or not active[i] or member[i]:
                    continue
                if rule == BY_TIES:
                    score[i] *= pull[i]
                elif rule == BY_ELECTION:
                    backing = 0.05
                    for e in range(indptr[i], indptr[i + 1]):
                        j = indices[e]
                        if kind[j] == who and neighborhood[j] == neighborhood[i]:
                            backing += tie[e]
                    score[i] = (0.25 + score[i]) * backing * (0.2 + agency[i])
                pool[waiting] = score[i]
                waiting += 1
            if rule == BY_ELECTION:
                elect(who, free, first, last, table_agents, kind, active, neighborhood, member, offered, score, held_in)
            else:
                cut, at_cut = cutoff(pool, waiting, free)
                for a in range(first, last):
                    i = table_agents[a]
                    if score[i] >= cut and kind[i] == who and active[i] and not member[i]:
                        if score[i] == cut:
                            if at_cut == 0:
                                continue
                            at_cut -= 1
                        offered[i] = True

    for i in range(n):  # answers
        if not offered[i]:
            continue
        u = uniform(key, draw_id[i], month, ACCEPT)
        if paid[i]:
            offered[i] = u < engagement[i]
        else:
            z = willingness(i, K, rules, support, naming, company(i, indptr, indices, tie, member, came),
                            decision, x, agency, consciousness, trust, barrier, affected, leader,
                            grievance)  # fmt: skip
            z += 0.6 if rule == ONE_TO_ONE else 0.0
            offered[i] = u < response(2.0 * z, rules.coefficients_response_form)
    for i in range(n):
        if offered[i]:
            member[i] = True
            offered[i] = False
            if kind[i] == RESIDENT:
                joined += 1
            else:
                write_log(log, logged, month, INSTITUTION_JOINED, i, 1)

    fill(key, draw_id, month, ATTEND, score)
    for i in range(n):
        if not active[i]:
            continue
        if kind[i] == BACKBONE:
            present[i] = True
        elif paid[i]:
            if member[i] or kind[i] == ORGANIZER:
                present[i] = score[i] < 0.8 * engagement[i]
        elif member[i]:
            z = willingness(i, K, rules, support, naming, company(i, indptr, indices, tie, member, came),
                            decision, x, agency, consciousness, trust, barrier, affected, leader,
                            grievance)  # fmt: skip
            present[i] = score[i] < response(2.0 * z, rules.coefficients_response_form)
    for i in range(n):
        if (
            member[i]
            and not paid[i]
            and not present[i]
            and uniform(key, draw_id[i], month, LAPSE) < rules.coefficients_lapse
        ):
            member[i] = False
            left += 1

    for t in range(tables):
        members, there = 0, 0
        for a in range(table_start[t], table_start[t + 1]):
            i = table_agents[a]
            members += 1 if member[i] else 0
            there += 1 if member[i] & present[i] else 0
        table_decided[t] = there >= 1 and there >= rules.convene_quorum * members - 1e-12
        if not table_decided[t]:
            no_quorum += 1

    if joined > 0:
        write_log(log, logged, month, RESIDENTS_JOINED, -1, joined)
    if left > 0:
        write_log(log, logged, month, RESIDENTS_LEFT, -1, left)
    if no_quorum > 0:
        write_log(log, logged, month, NO_QUORUM, -1, no_quorum)
    c.no_quorum = c.no_quorum + 1.0 if no_quorum == tables else 0.0
