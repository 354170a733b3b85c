"""What if: a change of rules at the month shown, by mandate or put to a motion, and who would vote how.

The vote is taken by the very kernel of ``phases.reform`` in the very month of the run that is shown, with its luck: the
scenario is run again with the motion on the table, and its ballots are kept.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from cej_sim.app.levers import LeverError, moved
from cej_sim.metrics import METRICS
from cej_sim.month import run_months
from cej_sim.parameters import Value
from cej_sim.runs import key_of, start
from cej_sim.scenario import CHANGEABLE, Event, Scenario, budget_problems, encode_events
from cej_sim.state import KINDS, MOTION_FAILED, MOTION_PASSED, VOTE

#: The most members that are listed one by one, those with most say first.
MOST_LISTED = 120

By = Literal["mandate", "motion"]
_REASONS = ("loss", "openness", "belief", "pressure")


def changed(scenario: Scenario, month: int, values: Mapping[str, Any], by: By) -> tuple[Scenario, int]:
    """The scenario with a change of rules that lies on the table after a month, and the event's position in it.

    The months up to ``month`` are the same as without it.

    Args:
        scenario: What is shown.
        month: The month shown, 0 or later; the change acts from the next month on.
        values: Path of a rule -> its new value.
        by: ``mandate`` or ``motion``.

    Raises:
        LeverError: If the month is the last one, nothing changes, or a rule or value is wrong.
    """
    if not 0 <= month < scenario.months:
        raise LeverError(f"month {month} is no month before the end (month {scenario.months}); go back and ask again")
    for path in values:
        if path not in CHANGEABLE:
            raise LeverError(f"{str(path)[:80]} describes the start and cannot change during a run; choose a rule")
    if not values:
        raise LeverError("nothing is changed; choose a rule and its new value")
    in_force = rules_at(scenario, month)
    # Each value by its declaration. What does not fit the others is found below: bounds of the start bind no longer.
    checked: dict[str, Value] = {}
    for path, value in values.items():
        probe = moved_alone(scenario, path, value)
        if probe != in_force[path]:
            checked[path] = probe
    if not checked:
        raise LeverError("these are the rules already; choose another value")
    problems = budget_problems({**in_force, **checked}, running=True)
    if problems:
        raise LeverError("; ".join(text for _, text in problems))
    event = Event(month + 1, by, tuple(sorted(checked.items())))
    events = [*scenario.events]
    # By month, as a file is read: the same text gives the same votes.
    position = next((i for i, other in enumerate(events) if other.month > event.month), len(events))
    events.insert(position, event)
    return replace(scenario, events=tuple(events)), position


def moved_alone(scenario: Scenario, path: str, value: Any) -> Value:
    """One value by its declaration, in the form in which equal values compare equal.

    Raises:
        LeverError: If it is wrong.
    """
    loose = {name: _loosest(name, old) for name, old in scenario.values.items()}
    return moved(replace(scenario, values=loose), {path: value}).values[path]


def _loosest(path: str, old: Value) -> Value:
    """A value that binds no other: budget bounds and lines as wide as can be."""
    if path.startswith("governance.decide.budget_max.") or path == "governance.decide.strategy_max":
        return 1.0
    if path.startswith(("governance.decide.budget_min.", "governance.decide.budget.")):
        return 0.0
    return 0.0 if path == "governance.decide.strategy" else old


def rules_at(scenario: Scenario, month: int) -> dict[str, Value]:
    """The rules after a month, as far as mandates made them; motions may have passed or not."""
    values = dict(scenario.values)
    for event in scenario.events:
        if event.month <= month and event.by == "mandate":
            values |= dict(event.set)
    return values


@dataclass(frozen=True)
class Vote:
    """How a motion went.

    Attributes:
        month: When it was put to the vote; None: never within the scenario's months.
        passed: Whether it passed.
        threshold: The part of all weights that it needed.
        share: The part of all weights that was for it.
        ballots: (N, 7), the columns of ``state.VOTE``; None without a vote.
        kind: (N,) kinds of the agents.
        why_not: A key of texts where there was no vote, which says why.
    """

    month: int | None
    passed: bool = False
    threshold: float = 0.0
    share: float = 0.0
    ballots: np.ndarray | None = None
    kind: np.ndarray | None = None
    why_not: str = ""


def vote(scenario: Scenario, position: int, seed: int, run: int = 0, stop: threading.Event | None = None) -> Vote:
    """How the motion at a position among the scenario's events goes in one run.

    Args:
        scenario: As ``changed`` gives it, with ``by="motion"``.
        position: Of the event.
        seed, run: Which run.
        stop: When it is set, the run is given up, and there is no vote.

    Raises:
        RequestError: If the scenario's community cannot be built.
    """
    key = key_of(seed, run)
    events = encode_events(scenario)
    state = start(scenario, key)
    state = state._replace(vote=np.zeros((state.kind.size, len(VOTE))))
    month, event = 0, scenario.events[position]
    before = event.month - 1
    if before:
        run_months(state, events, key, 0, np.empty((before, len(METRICS))))
        month = before
    out = np.empty((1, len(METRICS)))
    ended = state.coalition[0].alive != 1.0
    while month < scenario.months and not ended and not (stop is not None and stop.is_set()):
        rows = int(state.logged[0])
        threshold = float(state.rules[0].reform_motion_threshold)
        run_months(state, events, key, month, out)
        month += 1
        for _, code, subject, _ in state.log[rows : int(state.logged[0])]:
            if code in (MOTION_PASSED, MOTION_FAILED) and subject == position:
                ballots = state.vote
                share = ballots[ballots[:, 0] > 0, 1].sum() / ballots[:, 1].sum()
                return Vote(month, bool(code == MOTION_PASSED), threshold, float(share), ballots, state.kind.copy())
        ended = state.coalition[0].alive != 1.0
    return Vote(None, why_not=_why_not(scenario, position, ended))


def _why_not(scenario: Scenario, position: int, ended: bool) -> str:
    """Why a motion was never put to the vote: a key of texts."""
    rules = rules_at(scenario, scenario.months)
    about = rules["governance.reform.motions_about"]
    votes = any(path.startswith("governance.decide.votes.") for path, _ in scenario.events[position].set)
    if about == "nothing":
        return "room.whatif.never_nothing"
    if about == "no_votes" and votes:
        return "room.whatif.never_no_votes"
    return "room.whatif.never_ended" if ended else "room.whatif.never"


def as_data(vote: Vote) -> dict[str, Any]:
    """A vote as plain data: the sums by kind, and members with most say one by one, each with its main reason."""
    told: dict[str, Any] = {"month": vote.month, "why_not": vote.why_not}
    if vote.ballots is None or vote.kind is None:
        return told
    ballots, kind = vote.ballots, vote.kind
    whole = ballots[:, 1].sum()
    rows = np.flatnonzero(ballots[:, 0])
    order = rows[np.argsort(-ballots[rows, 1], kind="stable")][:MOST_LISTED]
    terms = ballots[:, 3:]

    def member(row: int) -> dict[str, Any]:
        sign = ballots[row, 0]
        reason = int(np.argmax(sign * terms[row]))
        return {
            "row": int(row),
            "kind": int(kind[row]),
            "for": bool(sign > 0),
            "weight": float(ballots[row, 1] / whole),
            "then": float(ballots[row, 2] / whole),
            "terms": dict(zip(_REASONS, map(float, terms[row]), strict=True)),
            # What speaks most for how it voted; where nothing does, chance and the wish to leave things as they are.
            "reason": _REASONS[reason] if sign * terms[row, reason] > 0.0 else "habit",
        }

    blocs = []
    for number, name in enumerate(KINDS):
        of_kind = rows[kind[rows] == number]
        if of_kind.size:
            in_favor = of_kind[ballots[of_kind, 0] > 0]
            blocs.append(
                {
                    "kind": name,
                    "members": int(of_kind.size),
                    "for": int(in_favor.size),
                    "weight": float(ballots[of_kind, 1].sum() / whole),
                    "weight_for": float(ballots[in_favor, 1].sum() / whole),
                    "terms": dict(zip(_REASONS, map(float, terms[of_kind].mean(axis=0)), strict=True)),
                }
            )
    return told | {
        "passed": vote.passed,
        "threshold": vote.threshold,
        "share": vote.share,
        "voters": int(rows.size),
        "blocs": blocs,
        "members": [member(int(row)) for row in order],
    }
