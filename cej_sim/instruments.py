"""Instruments of the field, read off the state: the dated log, participation spectra, and a member survey."""

from __future__ import annotations

from typing import Any

import numpy as np

from cej_sim.draws import SURVEY, uniforms
from cej_sim.scenario import Scenario
from cej_sim.state import BACKBONE, END_REASONS, KINDS, LOG_CODES, RESIDENT, State

#: Event code -> (category in the manner of the Community Check Box, sentence). ``{subject}`` is an issue, an
#: organization, an event or a reason; ``{count}`` a number.
LOG_TEXTS: dict[str, tuple[str, str]] = {
    "policy_won": ("community change", "A policy on {subject} was won"),
    "policy_in_practice": ("community change", "Policy on {subject} reached half of its effect"),
    "challenge": ("community action", "Organized residents challenged {subject}"),
    "institution_left": ("membership", "{subject} walked out"),
    "institution_joined": ("membership", "{subject} took a seat"),
    "residents_joined": ("membership", "Residents who took a seat: {count}"),
    "residents_left": ("membership", "Residents who gave up a seat: {count}"),
    "leaders_emerged": ("development", "Residents who began to lead: {count}"),
    "leaders_burned_out": ("development", "Leaders who burned out: {count}"),
    "mobilization_peak": ("community action", "A wave of mobilization passed {count} residents"),
    "organizing_cut": ("resources", "The organizing line was cut after challenges"),
    "mandate": ("governance", "Rules changed by mandate: {subject}"),
    "motion_passed": ("governance", "A motion passed: {subject}"),
    "motion_failed": ("governance", "A motion failed: {subject}"),
    "grant_renewed": ("resources generated", "The grant was renewed"),
    "grant_refused": ("resources", "The funder did not renew the grant"),
    "grant_ended": ("resources", "The grant ended"),
    "no_quorum": ("governance", "Tables without a quorum: {count}"),
    "coalition_ended": ("governance", "The coalition ended: {subject}"),
    "services_grew": ("services provided", "Services on {subject} closed half of the gap"),
}


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


# Levels of the spectra, from least to most. The cut points on realized shares are assumed: the sources describe
# levels in words.
IAP2 = ("inform", "consult", "involve", "collaborate", "empower")
CDC_CONTINUUM = ("outreach", "consult", "involve", "collaborate", "shared leadership")
OWNERSHIP_SPECTRUM = ("ignore", "inform", "consult", "involve", "collaborate", "defer to")
ARNSTEIN = (
    "manipulation",
    "therapy",
    "informing",
    "consultation",
    "placation",
    "partnership",
    "delegated power",
    "citizen control",
)


def spectra(metrics: dict[str, float]) -> dict[str, str]:
    """Where a month stands on four published spectra, from realized shares only, never from what a scenario set.

    Args:
        metrics: A month's metrics by column name.

    Returns:
        ``iap2``, ``cdc``, ``ownership`` and ``arnstein`` -> level. The rung within a band of Arnstein's ladder is
        the one that say, ideas and attendance point to; conduct, which decides some rungs, is not modeled.
    """
    say, ideas, came = metrics["decision_share"], metrics["agenda_origin"], metrics["resident_attendance"]
    level = int(np.searchsorted([0.02, 0.1, 0.3, 0.6], min(say, ideas + 0.1), side="right"))
    band = int(metrics["arnstein_band"])
    if band == 3:
        rung = 5 + int(np.searchsorted([0.6, 0.85], say, side="right"))
    elif band == 2:
        rung = 2 + int(np.searchsorted([0.15, 0.3], ideas, side="right"))
    else:
        rung = 1 if came > 0.01 else 0
    owned = level + 1 if came > 0.0 else 0
    return {
        "iap2": IAP2[level],
        "cdc": CDC_CONTINUUM[level],
        "ownership": OWNERSHIP_SPECTRUM[owned],
        "arnstein": ARNSTEIN[rung],
    }


#: Survey items: (code, statement, what of the state it reads). Written for this package in the manner of Butterfoss's
#: and Wolff's surveys.
SURVEY_ITEMS: tuple[tuple[str, str, str], ...] = (
    ("voice_1", "My opinion is heard in this coalition.", "voice"),
    ("voice_2", "People like me have a real say in decisions.", "voice"),
    ("vision_1", "The coalition works on what matters to me.", "fit"),
    ("vision_2", "I share the coalition's goals.", "fit"),
    ("trust_1", "I trust the coalition to do what it says.", "trust"),
    ("trust_2", "Members deal honestly with each other.", "trust"),
    ("agency_1", "Together we can change things here.", "agency"),
    ("agency_2", "I can make a difference in this community.", "agency"),
    ("conflict_1", "Conflicts are dealt with openly.", "conflict"),
    ("conflict_2", "I can disagree here without paying for it.", "conflict"),
    ("skill_1", "I have learned useful things here.", "skill"),
    ("skill_2", "I am able to take on tasks for the coalition.", "skill"),
)


def survey(state: State, key: int, month: int, noise: float = 0.15) -> list[dict[str, Any]]:
    """Members answer Likert items, with noise.

    As in Wolff's assessment, 1 means "strongly agree" and 5 "strongly disagree".

    Args:
        state: The state after ``month``.
        key: The run's key.
        month: Month of the survey; the noise depends on it.
        noise: Half-width of the uniform error on the 0-to-1 scale of each item (assumed).

    Returns:
        One dictionary per member (row, kind, and an answer from 1 to 5 for each item code).
    """
    members = np.flatnonzero(state.member & (state.kind != BACKBONE))
    K = state.structural.size
    weight = state.weight[members]
    even = state.weight.sum() / max(1, int(state.present.sum()))
    fit = 1.0 - 0.5 * np.abs(state.x[members, :K] - state.decision[:K]).sum(axis=1)
    scores = {
        "voice": weight / (weight + even) if even > 0 else np.zeros(members.size),
        "fit": fit,
        "trust": state.trust[members],
        "agency": state.agency[members],
        "conflict": 1.0 - np.minimum(1.0, state.grievance[members]),
        "skill": state.skill[members],
    }
    answers: list[dict[str, Any]] = [
        {"row": int(i), "kind": "resident" if state.kind[i] == RESIDENT else "institution"} for i in members
    ]
    for item, (code, _, reads) in enumerate(SURVEY_ITEMS):
        error = noise * (2.0 * uniforms(np.uint64(key), state.draw_id[members], month * 64 + item, SURVEY) - 1.0)
        agree = np.clip(scores[reads] + error, 0.0, 1.0)
        likert = 5 - np.minimum(4, (agree * 5).astype(int))
        for answer, value in zip(answers, likert.tolist(), strict=True):
            answer[code] = value
    return answers


def cronbach_alpha(answers: np.ndarray) -> float:
    """Internal consistency (Cronbach 1951) of answers (people, items); NaN with fewer than two of either or without
    variance."""
    answers = np.asarray(answers, float)
    if answers.ndim != 2 or min(answers.shape) < 2:
        return float("nan")
    total = answers.sum(axis=1).var(ddof=1)
    items = answers.shape[1]
    return float(items / (items - 1) * (1.0 - answers.var(axis=0, ddof=1).sum() / total)) if total > 0 else float("nan")
