"""Phase 2, deliberate: talk along ties moves what people want.

Voice. Of those present, raw_i = sqrt(resources) (0.2 + skill) agency; with m its mean over all who are present (the
backbone, which sits at every table, counted once for each), voice_i = f + (1 - f) raw_i / m, where f is the
facilitation really paid for (all voices 1 if m = 0). Everybody else has voice 1.

Influence (``friedkin_johnsen``, after Friedkin and Johnsen 1990), for every active agent:

    x <- 0.6 x + 0.4 (theta W x + (1 - theta) x0),
    theta_i = mechanisms.influence * susceptibility * (0.5 + 0.5 openness_i),

W x the mean over the agent itself (weight 1; the backbone: one for each table) and its active ties (weight w_ij,
times voice_j where both came to the meeting). ``bounded_confidence`` (after Hegselmann and Krause 2002) is the
same, but listens only to ties whose whole decision vector lies within ``radius`` in the largest entry (plus 1e-12).
All agents move at once. The idea tracer moves by the very same weights: r <- 0.6 r + 0.4 (theta W r + (1 - theta)
r0), r0 = 1 for residents and 0 for others.

Ties. Two who came to the same table: w += mechanisms.meeting * 0.02 (1 - w). Two members (the backbone is one) of
whom one stayed away: w -= mechanisms.meeting * 0.004 w. Other ties stay as they are. The backbone sits at every
table. Inertia 0.6: design; the tie rates are assumed.
"""

from __future__ import annotations

import math

import numpy as np

from cej_sim.compiled import kernel
from cej_sim.parameters import Parameter, choice, mechanism
from cej_sim.processor import EIGHT, eight, prefetch, put
from cej_sim.state import BACKBONE, RESIDENT

FRIEDKIN_JOHNSEN, BOUNDED_CONFIDENCE = range(2)

RULES = (
    choice(
        "governance.deliberate.influence",
        ("friedkin_johnsen", "bounded_confidence"),
        "How people influence each other",
        "Everybody listens to all ties and keeps a pull to own convictions, or only to those who already think alike.",
    ),
    Parameter(
        "governance.deliberate.facilitation",
        0.5,
        "Facilitation",
        "How far meetings give everybody an equal hearing; paid from the coordination line.",
        effect=(("decision_share", 1), ("agenda_origin", 1)),
        principle=2,
        condition="communication",
        factor=3,
        source="design: .3 for CI, .8 for CEJ",
    ),
    Parameter(
        "governance.deliberate.radius",
        0.3,
        "Radius of confidence",
        "With bounded confidence: how different another view may be and still be heard.",
    ),
    Parameter(
        "coefficients.susceptibility",
        0.6,
        "Susceptibility",
        "Weight of others' views against own convictions.",
        effect=(("agenda_origin", 1),),
    ),
    mechanism(
        "influence",
        "Influence along ties",
        "People's wants move with those of the people they are tied to.",
        effect=(("agenda_origin", 1),),
    ),
    mechanism("meeting", "Meeting makes ties", "Meeting strengthens ties, absence weakens those between members."),
)

INERTIA = 0.6
#: What stands in ``said`` after an agent's decision vector: the weight of what it says at a meeting and elsewhere, and
#: where its ideas began. With six issues a row has 128 bytes, two lines of the processor's memory.
AT_MEETING, ELSEWHERE, ORIGIN = range(3)
#: So many ties ahead the memory of whom one listens to is asked for.
AHEAD = np.uint64(64)
#: From so many agents on their memory is asked for ahead; that of fewer is near anyway.
MANY = 10_000


@kernel(inline=True)
def further(i, j, radius, said, width):
    """Whether two agents' decision vectors lie further apart than the radius in any entry."""
    far = 0.0
    for d in range(width):
        far = max(far, abs(said[j, d] - said[i, d]))
    return far > radius + 1e-12


@kernel(inline=True)
def listen(i, own, ear, radius, left, right, width, said, indptr, indices, tie):
    """Add up the views of all whom agent i is tied to and its own, weighted, in eight entries each from two columns on.

    ``own`` is the weight of its own view; ``said[j, ear]`` multiplies the tie to j. Only those within the radius are
    heard; a negative radius bounds nothing.

    Returns:
        The sum of all weights, that of idea origins, and those of both eights.
    """
    many, born = said.shape[0] >= MANY, np.uint32(width + ORIGIN)
    first, last, end = np.uint64(indptr[i]), np.uint64(indptr[i + 1]), np.uint64(max(indices.size - 1, 0))
    total, origin = own, own * said[i, born]
    these, those = own * eight(said, i, left), own * eight(said, i, right)
    for e in range(first, last):
        if many:
            prefetch(said, np.uint32(indices[min(e + AHEAD, end)]))
        j = np.uint32(indices[e])  # unsigned, so that no index is checked for counting from the end
        if radius >= 0.0 and further(i, j, radius, said, width):
            continue
        w = tie[e] * said[j, ear]
        total += w
        origin += w * said[j, born]
        these += w * eight(said, j, left)
        those += w * eight(said, j, right)
    return total, origin, these, those


@kernel
def influence(
    theta,
    inertia,
    radius,
    kind,
    active,
    present,
    voice,
    openness,
    x,
    x0,
    said,
    origin,
    indptr,
    indices,
    tie,
    tables=1,
):
    """One round of influence over all agents; ``theta`` is the susceptibility of a fully open agent.

    Everybody first says what it wants: ``said`` (N, D + 3) holds it side by side with how much it counts, so that one
    look into memory brings all of somebody; then everybody listens to that, sixteen entries (two times eight) at a
    time. The vectors must have eight entries or more.
    """
    n, width = x.shape
    for j in range(n):
        for column in range(0, width, EIGHT):
            d = np.uint32(min(column, width - EIGHT))
            put(said, j, d, eight(x, j, d))
        said[j, width + AT_MEETING] = voice[j] if active[j] else 0.0  # the voice of those who did not come is 1
        said[j, width + ELSEWHERE] = 1.0 if active[j] else 0.0
        said[j, width + ORIGIN] = origin[j]
    for i in range(n):
        if not active[i]:
            continue
        own = float(tables) if kind[i] == BACKBONE else 1.0
        ear = np.uint32(width + (AT_MEETING if present[i] else ELSEWHERE))
        t = theta * (0.5 + 0.5 * openness[i])
        of_own = (1.0 - inertia) * (1.0 - t)
        for column in range(0, width, 2 * EIGHT):
            left, right = np.uint32(min(column, width - EIGHT)), np.uint32(min(column + EIGHT, width - EIGHT))
            total, heard_origin, these, those = listen(
                i, own, ear, radius, left, right, width, said, indptr, indices, tie
            )
            of_others = (1.0 - inertia) * t / total
            put(x, i, left, inertia * eight(said, i, left) + of_others * these + of_own * eight(x0, i, left))
            put(x, i, right, inertia * eight(said, i, right) + of_others * those + of_own * eight(x0, i, right))
        born = 1.0 if kind[i] == RESIDENT else 0.0
        origin[i] = inertia * origin[i] + (1.0 - inertia) * (t * (heard_origin / total) + (1.0 - t) * born)


@kernel
def deliberate(
    rules, c, tables, kind, active, table, member, present, voice,
    resources, skill, agency, openness,
    x, x0, said, origin, indptr, indices, tie,
):  # fmt: skip
    """Set this month's voices, let influence run along ties, and let meeting change ties."""
    n = kind.size
    total, there = 0.0, 0.0
    for i in range(n):
        voice[i] = 1.0
        if present[i]:
            voice[i] = math.sqrt(resources[i]) * (0.2 + skill[i]) * agency[i]
            seats = tables if kind[i] == BACKBONE else 1
            total += seats * voice[i]
            there += seats
    for i in range(n):
        if present[i]:
            raw = voice[i] * there / total if total > 0.0 else 1.0
            voice[i] = c.facilitation + (1.0 - c.facilitation) * raw

    theta = rules.mechanisms_influence * rules.coefficients_susceptibility
    radius = rules.deliberate_radius if rules.deliberate_influence == BOUNDED_CONFIDENCE else -1.0
    influence(
        theta, INERTIA, radius, kind, active, present, voice, openness, x, x0, said, origin, indptr, indices, tie,
        tables,
    )  # fmt: skip

    gain, loss = rules.mechanisms_meeting * 0.02, rules.mechanisms_meeting * 0.004
    for i in range(n):
        came, sits, at = present[i], member[i], table[i]
        if not (came or sits):
            continue
        for e in range(np.uint64(indptr[i]), np.uint64(indptr[i + 1])):
            j = np.uint32(indices[e])
            both = came & present[j]  # & looks at both sides: who came cannot be foretold, and a wrong guess costs more
            met = both & ((table[j] == at) | (table[j] < 0) | (at < 0))
            apart = sits & member[j] & (not both)
            w = tie[e]
            tie[e] = w + (gain if met else 0.0) * (1.0 - w) - (loss if apart else 0.0) * w
