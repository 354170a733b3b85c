"""Hypotheses as declared in a file, and the cells that it takes to judge them.

A hypothesis sets two setups, ``a`` and ``b``, side by side; a test says which way a metric moves from a to b. Each
pair of setups is run in several *arms*, with the same luck and the same parameter sets:

=================  ===================================================================================================
``with``           everything as modelled
``without``        what the declaration says should abolish the effect; ``without_2`` ... where tests differ in it
``no_<gain>``      one other feedback switched off: an effect that hangs on something else than what is claimed for it
                   shows here
=================  ===================================================================================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from cej_sim.month import RULES
from cej_sim.parameters import Value

#: A metric of tests that is a probe of residents, not a column; see ``runs.causal_influence``.
PROBE = "causal_influence"

#: Which way a metric may be expected to move.
DIRECTIONS = ("up", "down", "same")

#: What stands in a file for every feedback together.
EVERYTHING = "all_mechanisms"

#: The feedbacks that can be switched off.
GAINS = tuple(rule.path for rule in RULES if rule.path.startswith("mechanisms."))

#: Names of setups and arms.
MAIN, WITH, WITHOUT = "main", "with", "without"
SIDES = ("a", "b")

Changes = tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Test:
    """One expectation.

    Attributes:
        metric: A metric, or ``PROBE``.
        month: When.
        expected: One of ``DIRECTIONS``, of b against a.
        smallest: The least difference that would matter, in the metric's unit.
        without: What should abolish the effect, as a position in ``Hypothesis.withouts``; -1: nothing is declared to.
    """

    __test__ = False  # not one of pytest's

    metric: str
    month: int
    expected: str
    smallest: float
    without: int = 0


@dataclass(frozen=True)
class Setup:
    """A pair of setups to compare.

    Attributes:
        name: ``main``, or what the file calls a further one.
        a, b: Names of the two scenarios in ``Design.scenarios``.
    """

    name: str
    a: str
    b: str


@dataclass(frozen=True)
class Hypothesis:
    """One claim and what it takes to judge it.

    Attributes:
        id: Short name, such as ``H1``.
        months: Its horizon; a cell is run to the last month that a test looks at.
        setups: The main one first.
        tests: Of which the first decides whether the hypothesis is refuted.
        withouts: The different sets of values that should abolish effects.
        title, claim, refuted_if, note: Words for people.
        principle: The principle of the essay that it belongs to, 1 to 6.
    """

    id: str
    months: int
    setups: tuple[Setup, ...]
    tests: tuple[Test, ...]
    withouts: tuple[Changes, ...] = ()
    title: str = ""
    claim: str = ""
    principle: int | None = None
    refuted_if: str = ""
    note: str = ""

    @property
    def last(self) -> int:
        """The last month that a test looks at: what comes later decides nothing."""
        return max(test.month for test in self.tests)

    def named_without(self, test: Test) -> frozenset[str]:
        """The paths that a test's own ``without`` sets."""
        return frozenset(path for path, _ in self.withouts[test.without]) if test.without >= 0 else frozenset()

    @cached_property
    def other_gains(self) -> tuple[str, ...]:
        """The feedbacks that are not what every test's effect is claimed to come from."""
        claimed = frozenset.intersection(*(self.named_without(test) for test in self.tests))
        return tuple(gain for gain in GAINS if gain not in claimed)

    def probed(self, arm: Arm) -> bool:
        """Whether the probe is needed in an arm."""
        return any(test.metric == PROBE and self.concerned(test, arm) for test in self.tests)

    def concerned(self, test: Test, arm: Arm) -> bool:
        """Whether a test says anything about an arm."""
        if arm.kind == WITHOUT:
            return arm.number == test.without
        return arm.kind == WITH or arm.changes[0][0] not in self.named_without(test)

    def arms(self, survives: bool) -> tuple[Arm, ...]:
        """Its arms; those with one other feedback switched off only if asked for."""
        found = [Arm(WITH, WITH)]
        for number, changes in enumerate(self.withouts):
            found.append(Arm(WITHOUT if number == 0 else f"{WITHOUT}_{number + 1}", WITHOUT, changes, number))
        if survives:
            found += [Arm(arm_of(gain), "survives", ((gain, 0.0),)) for gain in self.other_gains]
        return tuple(found)

    @staticmethod
    def words() -> dict[str, Any]:
        """What may change without changing a row."""
        return {"title": "", "claim": "", "principle": None, "refuted_if": "", "note": ""}


class Arm(NamedTuple):
    """Values with which both setups are run.

    Attributes:
        name: In the table of cells.
        kind: ``with``, ``without`` or ``survives``.
        changes: What it sets in both.
        number: Position in ``Hypothesis.withouts``, of an arm of the kind ``without``.
    """

    name: str
    kind: str
    changes: Changes = ()
    number: int = -1

    @property
    def words(self) -> str:
        """For people."""
        if self.kind == WITH:
            return "as modelled"
        return f"without its mechanism ({self.name})" if self.kind == WITHOUT else f"without {self.name[3:]}"


def arm_of(gain: str) -> str:
    """The name of the arm in which a feedback is switched off."""
    return f"no_{gain.removeprefix('mechanisms.')}"


class Place(NamedTuple):
    """What a cell is: a pair of setups of a hypothesis, in one arm."""

    hypothesis: Hypothesis
    setup: Setup
    arm: Arm

    @property
    def runs_alone(self) -> bool:
        """Whether it is one of those that have fewer runs."""
        return self.arm.kind == "survives"


def places(hypotheses: tuple[Hypothesis, ...], survives: bool) -> tuple[Place, ...]:
    """The cells: by hypothesis, setup and arm."""
    return tuple(Place(one, setup, arm) for one in hypotheses for setup in one.setups for arm in one.arms(survives))


def from_plain(content: Mapping[str, Any]) -> Hypothesis:
    """A hypothesis from what ``dataclasses.asdict`` made of it, also after it was JSON."""
    return Hypothesis(
        **{
            **content,
            "setups": tuple(Setup(**one) for one in content["setups"]),
            "tests": tuple(Test(**one) for one in content["tests"]),
            "withouts": tuple(tuple((path, value) for path, value in one) for one in content["withouts"]),
        }
    )


def sha256(declaration: str) -> str:
    """The hash of a declaration's text, as ``sha256sum`` gives it for the file."""
    return hashlib.sha256(declaration.encode()).hexdigest()
