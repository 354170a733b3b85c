"""Phase 10, fund: the grant, its renewal, members' own contributions, and how a coalition ends.

What the funder sees. coverage and structural as in the metrics service_coverage and structural_level; relief = 1 -
burden of the most affected now over theirs at the start (of all, if there are none), at least 0; visible = (1 -
equity_priority) ((1 - horizon) coverage + horizon min(1, 2 (1 - structural))) + equity_priority min(1, 2 relief);
seen += 0.1 (visible - seen). Memory: controversy <- 0.95 controversy.

Renewal, in months that are whole multiples of ``cycle``, while funded and before ``grant_end`` (stream RENEWAL,
identity 0): with con = controversy / (1 + controversy), mechanisms.controversy as g, the mean grievance of members
but the backbone as w, and s = ``response`` of forms.py,

    p = s(2 + 4 (seen - bar) - 3 g (1 - tolerance) con - 2 (1 - readiness) w - 4 power_shift max(0, 0.5 - resident
    say)),

and the grant goes on if a draw lies below 1 - mechanisms.judgment (1 - p). From month ``grant_end`` on there is no
grant. Applying for renewal (``applying``) takes a quarter of the backbone's capacity in that month and the three
before.

Money of the next month = grant while funded + contribution * sum over members but the backbone of resources * trust
* (engagement if paid, else 1) * (1 - i), where i = mechanisms.insiders * openness * mean belief over issues * (1 - f)
for those who came this month and 0 for others: what members spend on pushing policies themselves (f and what they
achieve: advocate.py).

Ends. A coalition ends after 12 months in a row without a quorum at any table; after 12 months in a row with less
than 0.25 staff-months per table; having finished, when the burden has fallen below a tenth; or it falls apart. The
monthly chance of that (stream ENDING, identity 0) is, with the mean grievance w as above,

    mechanisms.falling_apart * coefficients.ending * (1 - held) * (1 - kept) * (1 + w), at most 1,

where held = m / (m + load) with m = money of the next month + volunteers' work this month: what there is against
what holding together takes (volunteers and load: coordinate.py); kept = mean over members but the backbone of
(engagement if paid, else trust) for those who came and 0 for those who did not (0 without members). Few hands and
little money end a coalition whose members stay away or no longer believe in it; where either is there, hardly.
Factors, not terms: either means or commitment can hold a coalition together. Grant and money are 0 at once; from
the next month on nobody has a seat or comes, no table decides, spends or weighs (``disband``),
and the world goes on without it. Numbers: design and assumed.
"""

from __future__ import annotations

from cej_sim.compiled import kernel
from cej_sim.draws import ENDING, RENEWAL, uniform
from cej_sim.forms import response, write_log
from cej_sim.parameters import Parameter, count, mechanism
from cej_sim.state import BACKBONE, COALITION_ENDED, GRANT_ENDED, GRANT_REFUSED, GRANT_RENEWED

RULES = (
    Parameter(
        "funder.grant",
        6.0,
        "Grant",
        "Money a month; 1 pays one full-time person.",
        high=1e7,
        unit="staff-months per month",
        source="design: six full-time people",
        factor=6,
        sustainability=4,
        effect=(("burden", -1),),
    ),
    count(
        "funder.cycle",
        36,
        1200,
        "Grant cycle",
        "Months between decisions about renewal.",
        low=1,
        unit="months",
        source="design",
        sustainability=4,
        effect=(("funded", 1), ("coordination", 1)),
        duty=2,
    ),
    count(
        "funder.grant_end",
        96,
        1200,
        "End of the grant",
        "Month in which the grant ends for good.",
        unit="month",
        source="design",
        effect=(("funded", 1),),
        sustainability=4,
        duty=2,
    ),
    Parameter(
        "funder.equity_priority",
        0.2,
        "Priority on equity",
        "How far the funder judges by relief for the most affected.",
        factor=7,
        duty=1,
    ),
    Parameter(
        "funder.horizon",
        0.3,
        "Long horizon",
        "How far the funder looks at structural change rather than service numbers.",
        effect=(("funded", -1),),
        duty=2,
    ),
    Parameter(
        "funder.tolerance",
        0.4,
        "Tolerance of controversy",
        "How far public conflict leaves the funder unmoved.",
        effect=(("funded", 1),),
        duty=3,
    ),
    Parameter(
        "funder.power_shift",
        0.0,
        "Power shift as a condition",
        "How firmly renewal asks that residents hold half of the say.",
        effect=(("funded", -1),),
        duty=4,
    ),
    Parameter(
        "funder.readiness",
        0.4,
        "Readiness to stay through conflict",
        "How far conflict among members leaves the funder unmoved.",
        duty=5,
    ),
    Parameter(
        "funder.contribution",
        0.093,
        "Members' contributions",
        "Staff-months a month that a fully engaged and trusting member of full means gives.",
        unit="staff-months per month",
        sustainability=4,
        effect=(("coordination", 1),),
        source="calibrated: experiments/calibration",
    ),
    Parameter(
        "coefficients.bar",
        0.25,
        "What funders expect",
        "Visible progress at which a funder is content.",
        effect=(("funded", -1),),
        source="calibrated: experiments/calibration",
    ),
    Parameter(
        "coefficients.ending",
        0.018,
        "Falling apart",
        "Monthly chance that a coalition ends which has neither means nor members who come.",
        unit="per month",
        effect=(("alive", -1),),
        source="calibrated: experiments/calibration",
    ),
    mechanism("judgment", "Funders judge", "Renewal depends on what the funder sees.", effect=(("funded", -1),)),
    mechanism(
        "controversy",
        "Controversy scares funders",
        "Public conflict lowers the chance of renewal.",
        effect=(("funded", -1),),
    ),
    mechanism(
        "falling_apart",
        "Coalitions fall apart",
        "Coalitions short of means and of members who come may end in any month.",
        effect=(("alive", -1),),
    ),
)


@kernel
def applying(rules, c, month):
    """The part of the backbone's capacity that goes into an application this month."""
    if c.funded == 0.0:
        return 0.0
    ahead = (rules.funder_cycle - month % rules.funder_cycle) % rules.funder_cycle
    return 0.25 if ahead <= 3.0 and month + ahead < rules.funder_grant_end else 0.0


@kernel
def progress(K, groups, only_affected, structural, group_affected, group_exposure, driver, gap):
    """Burden now over the start, service coverage and structural level of all groups or the most affected ones."""
    now, start, gaps, drivers = 0.0, 0.0, 0.0, 0.0
    for g in range(groups):
        if only_affected and not group_affected[g]:
            continue
        for k in range(K):
            w = group_exposure[g, k]
            now += w * (structural[k] * driver[g, k] + (1.0 - structural[k]) * gap[g, k])
            gaps += w * gap[g, k]
            drivers += w * driver[g, k]
            start += w
    if start == 0.0:
        return 1.0, 0.0, 1.0
    return now / start, 1.0 - gaps / start, drivers / start


@kernel
def fund(
    key, month, rules, c, K, tables,
    kind, paid, member, present, resources, openness, belief, engagement, trust, grievance,
    structural, group_affected, group_exposure, driver, gap, log, logged,
):  # fmt: skip
    """Judge, renew or end the grant; collect contributions; see whether the coalition goes on."""
    groups = group_affected.size
    burden, coverage, level = progress(K, groups, False, structural, group_affected, group_exposure, driver, gap)
    theirs = burden
    if c.affected > 0.0:
        theirs = progress(K, groups, True, structural, group_affected, group_exposure, driver, gap)[0]
    services = (1.0 - rules.funder_horizon) * coverage + rules.funder_horizon * min(1.0, 2.0 * (1.0 - level))
    equity = min(1.0, 2.0 * max(0.0, 1.0 - theirs))
    visible = (1.0 - rules.funder_equity_priority) * services + rules.funder_equity_priority * equity
    c.seen += 0.1 * (visible - c.seen)
    c.controversy *= 0.95

    bold = rules.mechanisms_insiders * (1.0 - rules.mechanisms_fear * rules.advocate_fear * (1.0 - c.advocacy_skill))
    members, sore, own, kept = 0.0, 0.0, 0.0, 0.0
    for i in range(kind.size):
        if member[i] and kind[i] != BACKBONE:
            members += 1.0
            sore += grievance[i]
            given = resources[i] * trust[i] * (engagement[i] if paid[i] else 1.0)
            if present[i]:
                seen = 0.0
                for k in range(K):
                    seen += belief[i, k] / K
                given *= 1.0 - bold * openness[i] * seen
                kept += engagement[i] if paid[i] else trust[i]
            own += given
    if members > 0.0:
        sore /= members
        kept /= members

    if c.funded == 1.0 and month >= rules.funder_grant_end:
        c.funded = 0.0
        write_log(log, logged, month, GRANT_ENDED, -1, 1)
    elif c.funded == 1.0 and month % rules.funder_cycle == 0.0:
        con = c.controversy / (1.0 + c.controversy)
        z = (
            2.0
            + 4.0 * (c.seen - rules.coefficients_bar)
            - 3.0 * rules.mechanisms_controversy * (1.0 - rules.funder_tolerance) * con
            - 2.0 * (1.0 - rules.funder_readiness) * sore
            - 4.0 * rules.funder_power_shift * max(0.0, 0.5 - c.resident_say)
        )
        chance = 1.0 - rules.mechanisms_judgment * (1.0 - response(z, rules.coefficients_response_form))
        if uniform(key, 0, month, RENEWAL) < chance:
            write_log(log, logged, month, GRANT_RENEWED, -1, 1)
        else:
            c.funded = 0.0
            write_log(log, logged, month, GRANT_REFUSED, -1, 1)

    c.money = c.funded * rules.funder_grant + rules.funder_contribution * own
    c.no_money = c.no_money + 1.0 if c.money < 0.25 * tables else 0.0

    if c.no_quorum >= 12.0:
        c.end_reason = 1.0
    elif c.no_money >= 12.0:
        c.end_reason = 2.0
    elif burden < 0.1:
        c.end_reason = 3.0
    else:
        able = c.money + c.volunteers
        held = able / (able + c.load)
        chance = rules.mechanisms_falling_apart * rules.coefficients_ending * (1.0 - held) * (1.0 - kept) * (1.0 + sore)
        if uniform(key, 0, month, ENDING) < chance:
            c.end_reason = 4.0
    if c.end_reason > 0.0:
        c.alive = 0.0
        c.funded = 0.0
        c.money = 0.0
        write_log(log, logged, month, COALITION_ENDED, int(c.end_reason), 1)


@kernel
def disband(c, kind, member, present, came, spend, table_speed, table_decided):
    """What phases 1 to 4 leave behind in a month without a coalition: nobody meets, decides or spends."""
    for i in range(kind.size):
        member[i] = False
        present[i] = False
        came[i] = False
    for line in range(spend.size):
        spend[line] = 0.0
    for t in range(table_speed.size):
        table_speed[t] = 0.0
        table_decided[t] = False
    c.speed = 0.0
    c.spent = 0.0
    c.effect = 0.0
    c.coordination = 0.0
    c.volunteers = 0.0
    c.load = 0.0
    c.tasks = 0.0
    c.hours_used = 0.0
    c.resident_say = 0.0
    c.affected_say = 0.0
