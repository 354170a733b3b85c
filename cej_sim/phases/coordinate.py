"""Phase 4, coordinate: who carries the work, and who ends up in control.

Facilitation. It would cost 0.4 staff-months per table at full level (paid = min(that cost, half of this month's
coordination money)); ``facilitation`` (used from next month on) = the rule times paid over cost, 0 where the rule
is 0.

Coordination. capacity = max(0, (coordination money - paid - backbone_minimum * tables) * (1 - applying)), where
applying = 0.25 in the three months before each renewal and in that month, else 0 (see fund.py); volunteers = 0.1 *
(leaders present) + 0.02 * sum of skill of unpaid members present; load = tables * (0.3 + 0.25 * structure) + 0.01 *
members (the backbone not counted); coordination = (capacity + volunteers) / (capacity + volunteers + load), 0 if
there is none of either. effect = speed * (0.4 + 0.6 * coordination): what a staff-month of action achieves.

Tasks teach. tasks = 1 - b / (b + 1) with b = capacity / tables: a strong backbone takes the tasks. Unpaid members
who came: skill += mechanisms.learning_by_doing * 0.01 * tasks * (1 - skill).

Control. C += mechanisms.control * coefficients.control_growth * backlog * (1 - C) - 0.25 * charter * hours_kept * q
* C, with q the sum of the skill (before this month's learning) of members present over members (0 without members;
the backbone not counted); C within [0, 1]. What the backbone decides alone is C times what was delegated in that
scope. Numbers: assumed.
"""

from __future__ import annotations

from cej_sim.compiled import kernel
from cej_sim.forms import clip, saturating
from cej_sim.parameters import Parameter, mechanism
from cej_sim.state import BACKBONE, COORDINATION

RULES = (
    Parameter(
        "governance.coordinate.backbone_minimum",
        0.3,
        "Least cost of a backbone",
        "Staff-months a month that a backbone costs before it coordinates anything.",
        high=10.0,
        unit="staff-months per month",
        effect=(("coordination", -1),),
        condition="backbone",
        factor=6,
    ),
    Parameter(
        "governance.coordinate.structure",
        0.3,
        "Committees and structures",
        "How much committee structure there is; all of it needs tending.",
        high=4.0,
        unit="ratio",
        effect=(("coordination", -1),),
        condition="reinforcing_activities",
        principle=6,
        source="assumed; direction from Butterfoss: the simplest structure that does the job",
    ),
    Parameter(
        "governance.coordinate.charter",
        0.2,
        "A charter for the convener",
        "How far members hold the convener to a written role; takes meeting time.",
        effect=(("backbone_control", -1),),
        principle=6,
        source="design: 0 for CI, .8 for CEJ",
    ),
    Parameter(
        "governance.coordinate.delegated.agenda",
        0.6,
        "Agenda delegated to the backbone",
        "The most of the agenda that the backbone may come to decide alone.",
        effect=(("decision_share", -1),),
        principle=6,
        condition="backbone",
        source="design: 1 for CI, .3 for CEJ",
    ),
    Parameter(
        "governance.coordinate.delegated.budget",
        0.6,
        "Budget delegated to the backbone",
        "The most of the budget that the backbone may come to decide alone.",
        effect=(("decision_share", -1),),
        principle=6,
        condition="backbone",
        source="design: 1 for CI, .3 for CEJ",
    ),
    Parameter(
        "governance.coordinate.delegated.data",
        0.6,
        "Data delegated to the backbone",
        "How far the backbone in control decides which indicators count.",
        principle=6,
        condition="shared_measurement",
        source="design: 1 for CI, .3 for CEJ",
        effect=(("belief_error", 1),),
    ),
    Parameter(
        "governance.coordinate.delegated.hiring",
        0.6,
        "Hiring delegated to the backbone",
        "How far the backbone in control directs the organizers' work.",
        principle=6,
        condition="backbone",
        source="design: 1 for CI, .3 for CEJ",
    ),
    Parameter(
        "coefficients.control_growth",
        0.08,
        "Growth of control",
        "How fast undecided things pass to the backbone.",
        high=0.5,
        unit="per month",
        effect=(("backbone_control", 1),),
    ),
    mechanism(
        "control",
        "Control grows from backlog",
        "What is left undecided, the backbone comes to decide.",
        effect=(("backbone_control", 1),),
    ),
    mechanism(
        "learning_by_doing",
        "Tasks teach",
        "Those who do the coalition's work become more skilled.",
        effect=(("program_fit", 1),),
    ),
)


@kernel
def coordinate(rules, c, applying, tables, kind, paid, member, present, leader, skill, spend):
    """Settle coordination, the effect of action, who learns from tasks, and the backbone's control."""
    cost = 0.4 * rules.deliberate_facilitation * tables
    paid_for = min(cost, 0.5 * spend[COORDINATION])
    c.facilitation = rules.deliberate_facilitation * paid_for / cost if cost > 0.0 else 0.0

    members, leaders, hands, skilled = 0.0, 0.0, 0.0, 0.0
    for i in range(kind.size):
        if not member[i] or kind[i] == BACKBONE:
            continue
        members += 1.0
        if present[i]:
            skilled += skill[i]
            if leader[i]:
                leaders += 1.0
            if not paid[i]:
                hands += skill[i]
    capacity = max(
        0.0, (spend[COORDINATION] - paid_for - rules.coordinate_backbone_minimum * tables) * (1.0 - applying)
    )
    c.volunteers = 0.1 * leaders + 0.02 * hands
    c.load = tables * (0.3 + 0.25 * rules.coordinate_structure) + 0.01 * members
    able = capacity + c.volunteers
    c.coordination = able / (able + c.load) if able > 0.0 else 0.0
    c.effect = c.speed * (0.4 + 0.6 * c.coordination)

    c.tasks = 1.0 - saturating(capacity / tables, 1.0)
    gain = rules.mechanisms_learning_by_doing * 0.01 * c.tasks
    for i in range(kind.size):
        if member[i] and present[i] and not paid[i]:
            skill[i] += gain * (1.0 - skill[i])

    growth = rules.mechanisms_control * rules.coefficients_control_growth * c.backlog * (1.0 - c.control)
    reclaimed = (
        0.25 * rules.coordinate_charter * c.hours_kept * (skilled / members if members > 0.0 else 0.0) * c.control
    )
    c.control = clip(c.control + growth - reclaimed, 0.0, 1.0)
