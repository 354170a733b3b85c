"""The state of one community in one month: every array with its shape and unit, and no behavior.

Sizes: N agents, K issues, D = K + 1 + L entries of a decision vector, L = 6 budget lines, G groups (residents'
groups by the scenario's names; institutions, backbone and organizers have group -1), T tables, E stored tie
directions. Rows of agents run residents, institutions, backbone, organizers.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

RESIDENT, INSTITUTION, BACKBONE, ORGANIZER = 0, 1, 2, 3
KINDS = ("resident", "institution", "backbone", "organizer")

#: Lines of the budget, in the order in which decision vectors hold them; ``action`` is what the others leave.
BUDGET_LINES = ("coordination", "organizing", "supports", "training", "evaluation", "action")
L = len(BUDGET_LINES)
COORDINATION, ORGANIZING, SUPPORTS, TRAINING, EVALUATION, ACTION = range(L)

#: Why a coalition ended.
END_REASONS = ("", "lack of quorum", "lack of money", "finished", "fell apart")

Floats = NDArray[np.float64]
Matrix = Annotated[Floats, 2]  # two axes


class Ties(NamedTuple):
    """A symmetric weighted network in compressed rows; both directions of a tie are stored."""

    indptr: NDArray[np.int64]  # (N + 1,) row starts
    indices: NDArray[np.int32]  # (E,) the other end, ascending within a row
    weight: Floats  # (E,) tie strength in [0, 1]


class State(NamedTuple):
    """All that changes, and all that a month needs to change it."""

    # Who they are
    kind: NDArray[np.int8]  # (N,) RESIDENT ... ORGANIZER: the role table
    active: NDArray[np.bool_]  # (N,) whether the row is in use
    paid: NDArray[np.bool_]  # (N,) whether presence is part of a paid job
    affected: NDArray[np.bool_]  # (N,) member of a most affected group
    group: NDArray[np.int16]  # (N,) group, -1 for none
    neighborhood: NDArray[np.int32]  # (N,) neighborhood, -1 for none
    table: NDArray[np.int32]  # (N,) the table at which the agent may sit; the backbone sits at all (-1)
    home: NDArray[np.int8]  # (N,) the issue of its mission, or where its stake lies
    perm: Annotated[
        NDArray[np.int8], 2
    ]  # (N, K) whose burden speaks for which issue: identity, but for the probe of influence
    draw_id: NDArray[np.uint32]  # (N,) identity in the random streams
    exposure: Matrix  # (N, K) how much an issue weighs on the agent
    barrier: Floats  # (N,) what stands in the way of taking part (0 none, 1 all)
    mission: Floats  # (N,) how far priorities are those of the own mission rather than of need
    stake: Floats  # (N,) interest in the status quo
    threshold: Floats  # (N,) share of tied people acting at which the agent acts too
    agency_base: Floats  # (N,) what agency returns to
    trust_base: Floats  # (N,) what trust returns to
    # What they want and hold true
    x: Matrix  # (N, D) decision vector: K priorities (sum 1), strategy, L budget shares (sum 1)
    x0: Matrix  # (N, D) convictions that x is drawn back to
    said: Matrix  # (N, D + 3) scratch of deliberation, which lends its memory to weights, score, pool and luck
    belief: Matrix  # (N, K) believed structural share of each issue
    origin: Floats  # (N,) part of x that came from residents' convictions
    # How they are
    agency: Floats  # (N,) sense of one's own power
    consciousness: Floats  # (N,) critical consciousness
    skill: Floats  # (N,)
    trust: Floats  # (N,) in the coalition
    openness: Floats  # (N,) to sharing power
    resources: Floats  # (N,) standing and means
    fatigue: Floats  # (N,) tiredness of collective action
    grievance: Floats  # (N,) stored, from 0 up to 2
    engagement: Floats  # (N,) of those who come as part of a job
    # What they do this month
    member: NDArray[np.bool_]  # (N,) holds a seat
    present: NDArray[np.bool_]  # (N,) came to this month's meeting
    came: NDArray[np.bool_]  # (N,) came to last month's meeting
    met: NDArray[np.bool_]  # (N,) had a one-to-one or was met through services this month
    mobilized: NDArray[np.bool_]  # (N,) takes part in collective action
    leader: NDArray[np.bool_]  # (N,)
    voice: Floats  # (N,) how much it is listened to, mean 1 over those present at a table
    weight: Floats  # (N,) decision weight over the agenda; sums to the shares of the tables that decide
    weight_budget: Floats  # (N,) the same over the budget
    # Scratch; like both weights, the three rows of numbers lie in the memory of said: none outlives deliberation
    score: Floats  # (N,)
    pool: Floats  # (N,)
    offered: NDArray[np.bool_]  # (N,)
    luck: Floats  # (N,) this month's draw that settles ties between equals, where a rule asks for it
    held_in: NDArray[np.int64]  # (neighborhoods + 1,)
    # The last vote on rules, kept where somebody asked for it
    vote: Matrix  # (N, 7) or, as usual, (0, 7): see VOTE
    # Ties
    indptr: NDArray[np.int64]  # (N + 1,)
    indices: NDArray[np.int32]  # (E,)
    tie: Floats  # (E,) strength in [0, 1]
    # Tables
    table_start: NDArray[np.int64]  # (T + 1,) into table_agents
    table_agents: NDArray[np.int32]  # (N - 1,) all but the backbone, ordered by table, then row
    table_residents: Floats  # (T,) residents who could sit there
    table_institutions: Floats  # (T,) active institutions that could sit there
    table_share: Floats  # (T,) the table's part of the community, sum 1
    table_speed: Floats  # (T,) decisions taken over due
    table_decided: NDArray[np.bool_]  # (T,) whether there was a quorum
    targets: Matrix  # (T, D) what each table decided
    # Issues and groups
    structural: Floats  # (K,) true structural share sigma of an issue
    regrowth: Floats  # (K,) monthly regrowth of its service gap
    group_size: Floats  # (G,) residents in the group
    group_affected: NDArray[np.bool_]  # (G,) most affected
    group_exposure: Matrix  # (G, K) summed exposure of the group's residents
    worst_exposure: Matrix  # (G, K) the same over the tenth of residents who bore most at the start
    group_barrier: Floats  # (G,) mean barrier
    driver: Matrix  # (G, K) structural driver S, 1 at the start
    gap: Matrix  # (G, K) service gap, 1 at the start
    pressure: Floats  # (K,) campaign pressure U
    opposition: Floats  # (K,) what campaigns are up against this month
    fit: Floats  # (K,) program fit
    norm: Floats  # (K,) public norm that defends a policy
    wins: Floats  # (K,) policies won
    pending: Floats  # (K,) effect of policies won and not yet in practice
    survival: Floats  # (K,) running product of (1 - hazard) since the last win
    # Coalition
    decision: Floats  # (D,) agenda, strategy and budget in force
    budget_origin: Floats  # (L,) provenance of each line in force
    commitment: Floats  # (K,) agenda under which committed money was promised
    spend: Floats  # (L,) money spent on each line this month, staff-months
    coalition: np.recarray  # (1,) scalars, see COALITION
    rules: np.recarray  # (1,) rules in force, a field for each parameter
    rules_flat: Floats  # (P,) the same memory, in the order of month.RULES
    event_done: NDArray[np.bool_]  # (events,) whether a change of rules has taken effect
    # The log of what happened
    log: Annotated[NDArray[np.int32], 2]  # (rows, 4) month, code, subject, count
    logged: NDArray[np.int64]  # (1,) rows used


#: What is kept of an agent's vote on rules: the columns of ``State.vote``. A row is 0 where an agent has no vote; what
#: moved it are the terms of its leaning, see ``phases.reform``.
VOTE = {
    "for_it": "1 for it, -1 against, 0 without a vote",
    "now": "decision weight by today's rules",
    "then": "decision weight under the motion's rules",
    "loss": "term of the weight that is lost (below 0) or won",
    "openness": "term of openness to sharing power",
    "belief": "term of belief in structural causes",
    "pressure": "term of mobilized residents",
}
FOR_IT, WEIGHT_NOW, WEIGHT_THEN, BY_LOSS, BY_OPENNESS, BY_BELIEF, BY_PRESSURE = range(len(VOTE))

#: What the log can say, in the order of its codes.
LOG_CODES = (
    "policy_won",  # subject: issue
    "policy_in_practice",  # subject: issue
    "challenge",  # subject: agent challenged
    "institution_left",  # subject: agent
    "institution_joined",  # subject: agent
    "residents_joined",  # count
    "residents_left",  # count
    "leaders_emerged",  # count
    "leaders_burned_out",  # count
    "mobilization_peak",  # count: a wave passed a tenth of residents
    "organizing_cut",  # the organizing line fell after a challenge
    "mandate",  # subject: event
    "motion_passed",  # subject: event
    "motion_failed",  # subject: event
    "grant_renewed",
    "grant_refused",
    "grant_ended",
    "no_quorum",  # count: tables without one
    "coalition_ended",  # subject: position in END_REASONS
    "services_grew",  # subject: issue whose gap fell below a half
)
(
    POLICY_WON,
    POLICY_IN_PRACTICE,
    CHALLENGED,
    INSTITUTION_LEFT,
    INSTITUTION_JOINED,
    RESIDENTS_JOINED,
    RESIDENTS_LEFT,
    LEADERS_EMERGED,
    LEADERS_BURNED_OUT,
    MOBILIZATION_PEAK,
    ORGANIZING_CUT,
    MANDATE,
    MOTION_PASSED,
    MOTION_FAILED,
    GRANT_RENEWED,
    GRANT_REFUSED,
    GRANT_ENDED,
    NO_QUORUM,
    COALITION_ENDED,
    SERVICES_GREW,
) = range(len(LOG_CODES))

#: The coalition's scalars: name -> meaning.
COALITION = {
    "alive": "1 until the coalition ends",
    "end_reason": "position in END_REASONS",
    "funded": "1 while the grant is paid",
    "money": "money of this month, staff-months",
    "spent": "money spent this month over all lines, staff-months",
    "control": "share of what is delegated that the backbone decides alone",
    "backlog": "smoothed share of due decisions not taken",
    "speed": "decisions taken over due, mean over tables",
    "facilitation": "facilitation that was really paid for",
    "hours_kept": "part of the hours promised to naming, conflict, charter and training that the clock allowed",
    "hours_used": "meeting hours used, mean over tables by their share of the community",
    "volunteers": "work of members without pay, staff-months",
    "load": "work that holding the coalition together takes, staff-months",
    "coordination": "capacity and volunteers over the same plus load",
    "tasks": "share of tasks done by members rather than by the backbone's staff",
    "effect": "what a staff-month of action achieves: coordination and speed together",
    "structural_effort": "share of action money that goes to policy and systems change",
    "agenda_origin": "provenance of the agenda in force",
    "commitment_origin": "provenance of the committed agenda",
    "advocacy_skill": "how well members know what advocacy is allowed and how it is done",
    "boldness": "readiness of organizers to challenge members",
    "organizing_before": "organizing share of the budget in force last month",
    "challenged": "challenges this month",
    "challenges": "challenges so far",
    "exits": "institutions' walk-outs so far",
    "controversy": "the funder's memory of controversy",
    "seen": "what the funder has seen of progress",
    "steering": "how far benefits were steered to need this month",
    "resident_say": "residents' part of decision weight this month",
    "affected_say": "most affected residents' part of decision weight this month",
    "no_quorum": "months without a quorum anywhere, in a row",
    "no_money": "months with hardly any money, in a row",
    "residents": "number of residents",
    "affected": "number of most affected residents",
    "institutions": "number of institutions",
    "hours": "unpaid hours of residents this month, in all",
    "burden_start": "summed burden of residents at the start",
    "worst_start": "summed burden at the start of those who bore most",
    "motion_clock": "months since a motion was last put to the vote",
    "wave": "1 from when more than a tenth of residents are mobilized until fewer than a twentieth are",
}

COALITION_DTYPE = np.dtype([(name, np.float64) for name in COALITION])
