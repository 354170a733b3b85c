"""The reference and the glossary: current, complete, and written in words that are explained."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cej_sim import reference
from cej_sim.metrics import METRICS
from cej_sim.month import PHASE_NAMES, RULES
from cej_sim.parameters import CONDITIONS, PRINCIPLES, Parameter
from cej_sim.reading import FILE, MONTHS, Listing, Section
from cej_sim.scenario import COMMUNITY, GROUP, ISSUE, NETWORK

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "scenarios" / "REFERENCE.md").read_text(encoding="utf-8")
DECLARED = (MONTHS, *COMMUNITY, *GROUP, *NETWORK, *ISSUE, *RULES)


def rows_of(page: str) -> dict[str, list[str]]:
    """The cells of every table row, by the name or path in the first."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in page.splitlines() if line.startswith("| `")]
    named = {cells[0].strip().strip("`"): [cell.strip() for cell in cells] for cells in rows}
    assert len(named) == len(rows), "a row stands there twice"
    return named


LINES, PARAMETERS_AND_METRICS = PAGE.split("\n## Parameters\n")
ROWS = rows_of(PARAMETERS_AND_METRICS)


def test_the_reference_is_current():
    """Made anew it is the same, letter by letter; if not: python -m cej_sim.reference > scenarios/REFERENCE.md."""
    done = subprocess.run([sys.executable, "-m", "cej_sim.reference"], cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.decode("ascii").replace("\r\n", "\n") == PAGE


def test_every_parameter_and_metric_has_its_row():
    paths = [p.path if not p.path.startswith("groups.") else f"community.{p.path}" for p in DECLARED]
    assert list(ROWS) == [*paths, *(name for family in reference.FAMILIES for name in names_of(family))]
    assert {metric.family for metric in METRICS} == set(reference.FAMILIES)


def test_every_other_line_of_a_file_has_its_row():
    rows = rows_of(LINES)
    declared = {path for path in ROWS if "." in path or path == "months"}

    def keys(section: Section, path: str = "") -> Iterator[str]:
        for name, part in section.keys.items():
            here = f"{path}.{name}".lstrip(".")
            yield here
            inner = part.item if isinstance(part, Listing) else part
            if isinstance(inner, Section):
                yield from keys(inner, here)

    only_rules = ("governance", "funder", "mechanisms", "coefficients")
    wanted = [key for key in keys(FILE) if key not in declared and key.partition(".")[0] not in only_rules]
    assert list(rows) == wanted
    assert {"extends", "events.set", "expect.against", "network.kind.map", "network.scale", "reasons"} <= set(rows)
    for name, cells in rows.items():
        assert len(cells) == 4, name
        assert all(cells), name
    assert "exposure is above the mean of all residents" in PAGE


def names_of(family: str) -> list[str]:
    return [metric.name for metric in METRICS if metric.family == family]


def test_every_row_is_whole():
    for name, cells in ROWS.items():
        assert len(cells) == 7, name
        assert all(cells), name
        assert "None" not in " ".join(cells), name


def test_a_row_says_what_is_declared():
    votes = ROWS["governance.decide.votes.residents"]
    assert votes[1:6] == [
        "**Votes of residents.** Part of the formal votes that residents hold together.",
        "0 to 1 (share)",
        "`0.3`",
        f"CEJ principle 2: {PRINCIPLES[2]}",
        "design: .1 for CI, .5 for CEJ",
    ]
    assert votes[6].startswith("raises `decision_share`")
    invitation = ROWS["governance.convene.invitation"]
    assert invitation[2:4] == ["by_ties, by_lot, by_election or one_to_one", "`by_ties`"]
    assert invitation[4] == f"CEJ principle 2: {PRINCIPLES[2]}; CI condition: {CONDITIONS['common_agenda']}"
    assert ROWS["seat_share"][4:] == ["set", "-", "no"]
    assert ROWS["burden"][4:] == ["happened", "lower", "yes"]


@pytest.mark.parametrize("parameter", DECLARED, ids=lambda parameter: parameter.path)
def test_tags_and_effects_are_told(parameter: Parameter):
    path = parameter.path if not parameter.path.startswith("groups.") else f"community.{parameter.path}"
    cells = ROWS[path]
    for metric, sign in parameter.effect:
        assert f"{'raises' if sign > 0 else 'lowers'} `{metric}`" in cells[6]
    tags = (parameter.principle, parameter.condition, parameter.factor, parameter.sustainability, parameter.duty)
    assert cells[4].count(": ") == sum(tag is not None for tag in tags)
    assert parameter.unit in cells[2] or parameter.kind in ("choice", "switch")


# The glossary

GLOSSARY = (ROOT / "scenarios" / "GLOSSARY.md").read_text(encoding="utf-8")
ENTRIES = [(term, " ".join(text.split())) for term, text in re.findall(
    r"^- \*\*([^*]+)\*\*: (.*(?:\n  .*)*)", GLOSSARY, re.MULTILINE)]  # fmt: skip
CHOICES = [(p.path, word) for p in DECLARED for word in p.choices]
GENERAL = [term for term, _ in re.findall(r"^- \*\*([^*]+)\*\*(:)", GLOSSARY.split("\n## ")[1], re.MULTILINE)]


@pytest.mark.parametrize("word", [*PHASE_NAMES, *reference.FAMILIES, *(word for _, word in CHOICES)])
def test_phases_families_and_choices_have_an_entry(word):
    assert word in dict(ENTRIES)


def test_entries_are_short_and_stand_once():
    terms = [term for term, _ in ENTRIES]
    assert len(terms) == len(set(terms)) == GLOSSARY.count("\n- **")
    for term, text in ENTRIES:
        assert 20 < len(text) < 330, term
        assert text.endswith((".", ".)")), term
    assert sorted(GENERAL, key=str.lower) == GENERAL
    assert 35 <= len(GENERAL) <= 60


def test_links_lead_somewhere():
    for page in (PAGE, GLOSSARY):
        places = [place for place in re.findall(r"\]\(([^)\s]+)\)", page) if "://" not in place]
        assert places
        assert [place for place in places if not (ROOT / "scenarios" / place.split("#")[0]).exists()] == []
