"""Instruments of the field, read off the state: the dated log and a member survey. Their parts stand in scales.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cej_sim.draws import SURVEY, uniforms
from cej_sim.scales import ITEM_CODES, LOG_TEXTS, SURVEY_ITEMS, SURVEY_NOISE, SURVEY_SCALES
from cej_sim.scenario import Scenario
from cej_sim.state import BACKBONE, END_REASONS, KINDS, LOG_CODES, State


def agent_names(scenario: Scenario, state: State) -> list[str]:
    """A name for each row: those of the network file where it brings the agent, else kind and number."""
    counters: dict[int, int] = {}
    names = []
    for kind in state.kind.tolist():
        counters[kind] = counters.get(kind, 0) + 1
        names.append(f"{KINDS[kind]} {counters[kind]}")
    if scenario.network_file is not None:
        from cej_sim.network_files import read_network

        imported = read_network(scenario.network_file)
        first = {kind: int(np.flatnonzero(state.kind == kind)[0]) for kind in counters}
        for name, kind in zip(imported.names, imported.kinds.tolist(), strict=True):
            names[first[kind]] = name
            first[kind] += 1
    return names


def change_log(state: State, scenario: Scenario) -> list[dict[str, Any]]:
    """The dated log of one run.

    Returns:
        Dictionaries with month, event (a code of ``LOG_TEXTS``), category, subject, count and a sentence, in order.

    Raises:
        RuntimeError: If more happened than the log had room for.
    """
    used = int(state.logged[0])
    if used >= state.log.shape[0]:
        raise RuntimeError(f"the log of {scenario.name} is full after {used} entries")
    names = agent_names(scenario, state) if used else []
    entries = []
    for month, code, subject, number in state.log[:used].tolist():
        event = LOG_CODES[code]
        if event in ("policy_won", "policy_in_practice", "services_grew"):
            who = scenario.issues[subject].name
        elif event in ("challenge", "institution_left", "institution_joined"):
            who = names[subject]
        elif event in ("mandate", "motion_passed", "motion_failed"):
            who = ", ".join(
                f"{path.removeprefix('governance.')} = {value}" for path, value in scenario.events[subject].set
            )
        else:
            who = END_REASONS[subject] if event == "coalition_ended" else ""
        category, text = LOG_TEXTS[event]
        entries.append({"month": month, "event": event, "category": category, "subject": who, "count": number,
                        "text": text.format(subject=who, count=number)})  # fmt: skip
    return entries


# The survey


_MOST_ITEMS = 64  # part of what a seed means: an item's error is drawn for month * 64 + its place


def survey(state: State, key: int, month: int, noise: float = SURVEY_NOISE) -> pd.DataFrame:
    """Members who came to this month's meeting answer Likert items, with an error.

    As in Wolff's assessment, 1 means "strongly agree" and 5 "strongly disagree". The error of an answer is drawn for
    the run, the agent, the month and the item alone.

    Args:
        state: The state after ``month``.
        key: The run's key.
        month: Month of the survey.
        noise: Half-width of the uniform error on the scale from 0 to 1.

    Returns:
        A row per member who came: ``row``, ``kind``, and an answer from 1 to 5 for each code of ``ITEM_CODES``, as
        given: items worded the other way round are not turned.
    """
    who = np.flatnonzero(state.member & state.present & (state.kind != BACKBONE))
    scores = _scores(state, who)
    out: dict[str, Any] = {"row": who.astype(np.int64), "kind": [KINDS[kind] for kind in state.kind[who]]}
    for place, item in enumerate(SURVEY_ITEMS):
        scale = SURVEY_SCALES[item.scale]
        agrees = (scores[item.scale] - scale.low) / (scale.high - scale.low)
        drawn = uniforms(np.uint64(key), state.draw_id[who], month * _MOST_ITEMS + place, SURVEY)
        agrees = np.clip(agrees, 0.0, 1.0) + noise * (2.0 * drawn - 1.0)
        answer = likert(agrees)
        out[item.code] = 6 - answer if item.is_reversed else answer
    return pd.DataFrame(out, columns=["row", "kind", *ITEM_CODES])


def likert(agrees: NDArray[np.float64]) -> NDArray[np.int64]:
    """Answers from 1 (strongly agree) to 5 for agreement from 0 to 1, in five steps of equal width."""
    return 5 - np.clip((np.asarray(agrees) * 5.0).astype(np.int64), 0, 4)


def _scores(state: State, who: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """What each scale of ``SURVEY_SCALES`` reads, for some rows of agents at tables."""
    K, tables = state.structural.size, state.table_share.size
    seated = state.present & (state.table >= 0)
    there = np.bincount(state.table[seated], minlength=tables) + 1.0  # the backbone sits at every table
    even = np.where(state.table_decided, state.table_share / there, 0.0)[state.table[who]]
    ratio = np.divide(state.weight[who], even, out=np.zeros(who.size), where=even > 0.0)
    return {
        "voice": ratio / (1.0 + ratio),
        "vision": 1.0 - 0.5 * np.abs(state.x[who, :K] - state.decision[:K]).sum(axis=1),
        "trust": state.trust[who],
        "agency": state.agency[who],
        "climate": state.openness[who] * (1.0 - np.minimum(1.0, state.grievance[who])),
        "skill": state.skill[who],
    }
