"""``explain``: every part of a scenario in sentences, in the order of the month."""

from __future__ import annotations

from typing import NamedTuple

from cej_sim.explaining.around import also, community, events, expectations, mechanisms, network
from cej_sim.explaining.phases import TELL
from cej_sim.explaining.rules import Rules
from cej_sim.month import PHASE_NAMES, PHASES
from cej_sim.scenario import PARAMETERS, Scenario


class Part(NamedTuple):
    """A heading and what belongs under it, a sentence or a line each."""

    heading: str
    sentences: tuple[str, ...]


def explain(scenario: Scenario) -> list[Part]:
    """What a scenario's rules mean together.

    Composed from values only. Amounts of money, seats and hours are those of the first months.

    Returns:
        A part for the community, one for each phase in the order of the month, one each for mechanisms and, where
        there are any, events and predictions.

    Raises:
        NetworkError: If the network file cannot be read any more.
    """
    s = Rules(scenario)
    people = [*community(s), *network(s)]
    told = {name: TELL[name](s) for name in PHASE_NAMES}
    start = [p for p in PARAMETERS.values() if p.path.startswith(("community.", "network."))]
    if scenario.network_file is not None:
        s.without_effect("the network comes from a file", "network.generate")
    parts = [Part("The community", (*people, *also(s, start)))]
    for number_of, (name, (module, question)) in enumerate(zip(PHASE_NAMES, PHASES, strict=True), 1):
        parts.append(Part(f"{number_of}. {question} ({name})", (*told[name], *also(s, module.RULES))))
    parts.append(Part("Feedbacks of the model (mechanisms)", tuple(mechanisms(s))))
    if scenario.events:
        parts.append(Part("What changes when (events)", tuple(events(scenario))))
    if scenario.expect:
        parts.append(Part("What the file predicts (expect)", tuple(expectations(scenario))))
    return parts
