"""How a parameter and a metric are declared.

Everything that describes a number of the model (its default, bounds, unit, meaning, source, the
direction in which it should move an outcome) stands in one declaration. Scenario checking, the
JSON schema, sliders, ablation designs and the reference pages are derived from these declarations.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

#: The six CEJ principles, by number.
PRINCIPLES = {
    1: "Name social and economic injustice",
    2: "Residents hold equal power over agenda and resources",
    3: "Organize, and build resident leadership and power",
    4: "Change policy, systems and structures",
    5: "Build on scholarship, and evaluate appropriately",
    6: "A convener that facilitates and builds ownership",
}

#: The five conditions of Collective Impact (2011).
CONDITIONS = {
    "common_agenda": "A common agenda",
    "shared_measurement": "Shared measurement",
    "reinforcing_activities": "Mutually reinforcing activities",
    "communication": "Continuous communication",
    "backbone": "Backbone support",
}

#: The seven factors of Roussos and Fawcett's review (2000), as the essay lists them.
FACTORS = {
    1: "A clear vision and mission",
    2: "An action plan for community and systems change",
    3: "Competent leadership",
    4: "Documentation and feedback",
    5: "Technical assistance and support",
    6: "Financial resources",
    7: "Making outcomes matter",
}

#: Wolff's four prongs of sustainability, as the essay lists them.
SUSTAINABILITY = {
    1: "Community ownership",
    2: "Institutionalized changes",
    3: "Policy changes",
    4: "Resources",
}

#: The five duties of funders, as the essay's call to action lists them.
DUTIES = {
    1: "Equity and justice as the top priority",
    2: "Longer commitment and support",
    3: "Tolerance of controversy",
    4: "Support for shifting power",
    5: "Readiness for conflict",
}

Value = float | int | bool | str


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number, switch or choice that a scenario file may set.

    Attributes:
        path: Where it stands in a scenario file, e.g. ``governance.decide.votes.residents``.
        default: Its value where no file says otherwise.
        label: A few plain words for a slider.
        meaning: What it does, in one sentence a student understands.
        low, high: Closed bounds of a number.
        unit: Unit of the number ("share" means a number in [0, 1]).
        source: Where the default comes from; "assumed" where nobody measured it.
        effect: ``(metric, sign)`` pairs: the direction in which raising it should move a metric.
        principle: The CEJ principle (1 to 6) that it expresses, if any.
        condition: The CI condition (a key of ``CONDITIONS``) that it expresses, if any.
        factor: The number of the Roussos-Fawcett factor that it expresses, if any.
        sustainability: The number of Wolff's prong that it expresses, if any.
        duty: The number of the funders' duty that it expresses, if any.
        choices: The words allowed, for a choice; its number in the engine is its position.
        kind: ``"number"``, ``"count"``, ``"switch"`` or ``"choice"``.
    """

    path: str
    default: Value
    label: str
    meaning: str
    low: float = 0.0
    high: float = 1.0
    unit: str = "share"
    source: str = "assumed"
    effect: tuple[tuple[str, int], ...] = ()
    principle: int | None = None
    condition: str | None = None
    factor: int | None = None
    sustainability: int | None = None
    duty: int | None = None
    choices: tuple[str, ...] = ()
    kind: Literal["number", "count", "switch", "choice"] = "number"

    @property
    def field(self) -> str:
        """The name under which the engine reads it: the path without ``governance.``, dots as ``_``."""
        return self.path.removeprefix("governance.").replace(".", "_")

    def encode(self, value: Value) -> float:
        """The number that the engine sees for a value of a scenario file."""
        return float(self.choices.index(str(value))) if self.choices else float(value)

    def decode(self, number: float) -> Value:
        """The value of a scenario file that the engine's number stands for."""
        if self.choices:
            return self.choices[int(number)]
        if self.kind == "switch":
            return bool(number)
        return int(number) if self.kind == "count" else float(number)


def mechanism(name: str, label: str, meaning: str, **more: object) -> Parameter:
    """Declare the gain of a feedback: 1 as modelled, 0 exactly absent."""
    return Parameter(
        f"mechanisms.{name}",
        1.0,
        label,
        meaning,
        unit="gain",
        source="1 by definition: the feedback at full strength",
        **more,  # type: ignore[arg-type]
    )


def choice(path: str, choices: Iterable[str], label: str, meaning: str, **more: object) -> Parameter:
    """Declare a choice between named alternatives; the first is the default."""
    words = tuple(choices)
    return Parameter(
        path,
        words[0],
        label,
        meaning,
        high=len(words) - 1.0,
        unit="choice",
        choices=words,
        kind="choice",
        **more,  # type: ignore[arg-type]
    )


def switch(path: str, default: bool, label: str, meaning: str, **more: object) -> Parameter:
    """Declare a yes/no rule."""
    return Parameter(path, default, label, meaning, unit="yes/no", kind="switch", **more)  # type: ignore[arg-type]


def count(path: str, default: int, high: float, label: str, meaning: str, **more: object) -> Parameter:
    """Declare a whole number from ``low`` (0) to ``high``."""
    return Parameter(path, default, label, meaning, high=high, kind="count", **more)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Metric:
    """One column of the monthly table.

    Attributes:
        name: Column name.
        label: Plain words for a room.
        unit: "share", "mean", "count", "hours", "ratio", "band" or "yes/no".
        meaning: Definition.
        family: The panel in which it is drawn.
        nature: ``"set"`` for what a scenario sets, ``"happened"`` for what came of it.
        better: Which direction is better, ``"up"``, ``"down"`` or ``"neither"``.
        outlives: Whether it means something after the coalition has ended; else it is not compared then.
        factor, sustainability: Number of the Roussos-Fawcett factor and of Wolff's prong that it tells of, if any.
    """

    name: str
    label: str
    unit: str
    meaning: str
    family: Literal["problem", "power", "people", "process", "money"]
    nature: Literal["set", "happened"] = "happened"
    better: Literal["up", "down", "neither"] = "neither"
    outlives: bool = False
    factor: int | None = None
    sustainability: int | None = None
