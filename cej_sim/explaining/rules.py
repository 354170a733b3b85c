"""The values of a scenario as sentences read them, and what follows from several together."""

from __future__ import annotations

import math
from typing import Any

from cej_sim.population import head_counts
from cej_sim.scenario import PARAMETERS, Scenario
from cej_sim.state import BUDGET_LINES


class Rules:
    """The values of a scenario, which notes what the sentences have used."""

    def __init__(self, scenario: Scenario) -> None:
        """The values of one scenario; nothing is said yet."""
        self.scenario = scenario
        self.values = scenario.values
        self.said: set[str] = set()
        self.idle: dict[str, str] = {}
        self.set_later = {path for event in scenario.events for path, _ in event.set}
        counts = head_counts(scenario)
        self.residents, self.institutions = counts["resident"], counts["institution"]
        self.organizers = counts["organizer"]
        self.tables = int(self.values["community.tables"]) or max(1, round(self.residents / 240))
        self.months = scenario.months

    @staticmethod
    def path(name: str) -> str:
        """The full path of a rule; ``governance.`` may be left out."""
        return name if name in PARAMETERS else f"governance.{name}"

    def __getitem__(self, name: str) -> Any:
        """A value that the sentence tells."""
        self.said.add(self.path(name))
        return self.values[self.path(name)]

    def look(self, name: str) -> Any:
        """A value that the sentence only takes into account."""
        return self.values[self.path(name)]

    def without_effect(self, why: str, *names: str) -> None:
        """Rules that do nothing beside the others, and why."""
        self.idle |= {self.path(name): why for name in names}

    def money(self, line: str) -> float:
        """Staff-months a month that a line of the budget gets from the grant at the start."""
        if line == "organizing" and not self.organizers:
            return 0.0
        share = self.look(f"decide.budget.{line}") if line != "action" else self.left_for_action()
        return float(self.look("funder.grant")) * float(share) * (self.look("funder.grant_end") > 0)

    def never_pays(self, line: str) -> bool:
        """Whether the coalition can never give money to a line, as its rules stand and will be set."""
        return self.never(f"decide.budget_max.{line}")

    def never(self, name: str) -> bool:
        """Whether a number is 0 and will not be set."""
        return self.look(name) == 0 and self.path(name) not in self.set_later

    def left_for_action(self) -> float:
        """The share of money that the lines leave for action at the start."""
        left = 1.0 - sum(float(self.look(f"decide.budget.{line}")) for line in BUDGET_LINES[:-1])
        return max(0.0, round(left, 9))

    def seats(self) -> tuple[int, int, bool]:
        """Seats open to residents and institutions at all tables together, and whether the cap cuts them."""
        residents = math.floor(self.look("convene.seats.residents") * self.residents / self.tables + 0.5)
        institutions = math.floor(self.look("convene.seats.institutions") * self.institutions / self.tables + 0.5)
        room = self.look("convene.table_cap") - 1
        cut = residents + institutions > room
        if cut:
            institutions = math.floor(institutions * room / (residents + institutions) + 0.5)
            residents = room - institutions
        return residents * self.tables, institutions * self.tables, cut

    def joins(self, who: str) -> int:
        """First month in which residents or institutions sit."""
        return max(1, int(self.look(f"convene.{who}_from")))

    def hours_kept(self) -> tuple[float, float]:
        """Meeting hours that the promises ask for at the start, and the part of them that is kept."""
        training = self.money("training") / self.tables
        asked = (
            0.75 * self.look("convene.naming")
            + self.look("contend.conflict_addressed")
            + 0.75 * self.look("coordinate.charter")
            + 0.5 * self.look("convene.plain_language")
            + 0.5 * training / (training + 0.1)
        )
        return asked, min(1.0, 0.6 * self.look("decide.meeting_hours") / asked) if asked > 0 else 1.0

    def facilitated(self) -> float:
        """The facilitation that the coordination money of the start pays for."""
        level = float(self.look("deliberate.facilitation"))
        cost = 0.4 * level * self.tables
        return level * min(cost, 0.5 * self.money("coordination")) / cost if cost > 0 else 0.0
