"""The reference of every parameter and metric, as a page for people: ``python -m cej_sim.reference``.

Made from the declarations alone. Parameters stand in the order of a file (people, network, issues) and of the phases
of a month, each phase with its rules, coefficients and feedbacks; metrics stand by family.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

from cej_sim.authoring import MEANINGS, bounds
from cej_sim.labels import MOST
from cej_sim.metrics import METRICS
from cej_sim.month import PHASE_NAMES, PHASES
from cej_sim.parameters import CONDITIONS, DUTIES, FACTORS, PRINCIPLES, SUSTAINABILITY, Metric, Parameter
from cej_sim.reading import (
    FILE,
    MAX_NODES,
    MONTHS,
    Changes,
    Leaf,
    Listing,
    Reasons,
    Section,
    Series,
    Shape,
    Table,
    Text,
)
from cej_sim.scenario import COMMUNITY, GROUP, ISSUE, NETWORK, PARAMETERS

#: The families of metrics in the order of the page, and what each is about.
FAMILIES = {
    "problem": "What remains of the problem, and for whom",
    "power": "The staircase of seats, votes, say and ideas, and how equal they are",
    "people": "Who comes, leads, acts and stays, and how it is for them",
    "process": "How the coalition works",
    "money": "Whether the grant and the coalition still exist",
}

_HEAD = """# Every parameter and every metric

Made from the declarations in the code by `python -m cej_sim.reference > scenarios/REFERENCE.md`; do not edit it by
hand.

**How to read the tables.** A parameter is something that a scenario file may set, under the path in the first column
(`governance.decide.rule` is the line `rule:` inside `decide:` inside `governance:`); *may be* says what you can write
there, with the unit, and *default* what counts where neither your file nor the one that it extends says anything.
*Stands for* names what the rule expresses in the essay or in Collective Impact, *source* where the default comes from
(*assumed*: nobody measured it; *design*: chosen for this model), and *expected effect* which way a higher value should
move a metric if nothing else interferes, which you can put to the test.

Words that you do not know stand in the [glossary](GLOSSARY.md); the [tutorial](README.md) tells how to write a file.
"""

_FILE_HEAD = """## Lines of a file that are no parameters

What a file says of itself, what it builds on, what changes during the run and what it predicts. A key with dots stands
in sections; `events.set` is the line `set:` of an item of the list `events:`. *Needed* lines may not be missing where
their list has an item.

- **Extending.** `extends` takes over all that the other file says: sections key by key, lists as a whole. Only one
  level is read; to begin from a file that itself extends another, make a copy of its rules with `cej-sim new x.yaml
  --from` and its name.
- **Events.** A mandate acts at once. A motion lies on the table from its month on, until a vote passes it (phase 11).
- **Predictions.** `run` and `compare` judge them: as expected, surprise or cannot tell. They change no number.
- **Networks.** A file in `.graphml`, `.gexf`, `.gml` or `.csv` (a header `source,target` and further columns); its
  kinds and strengths are columns of yours.
- **Texts.** In a text without quotes a space and # begin a comment, so put a text with # in quotes.
"""

_LABELS = f"""### A labels file

Not a part of a scenario: a file of its own, which `--labels` names, with words to show in place of the usual ones (up
to {MOST} characters). No number changes. Each section may be missing.

| section | what it is |
| --- | --- |
| **metrics** | The name of a metric, and what to call it. |
| **scenarios** | The name of a scenario, and its title. |
| **kinds** | A word for a kind of agent, such as residents, and the word to show for it. |
"""

_METRICS_HEAD = """## Metrics

A metric is a column of the monthly table. *Set* ones only repeat what a scenario's rules say, so they are no result;
the others *happened*. *Better* is the direction that this model calls better, where there is one. Metrics that *outlive
the coalition* also mean something after it has ended; the others are not compared then.
"""

_PARAMETER_COLUMNS = ("path", "what it is", "may be", "default", "stands for", "source", "expected effect")
_METRIC_COLUMNS = (
    "name", "label", "unit", "definition", "set or happened", "better", "outlives the coalition",
)  # fmt: skip


def _cell(text: str) -> str:
    """A text that stays in its cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table."""
    for row in (columns, ["---"] * len(columns), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""


def stands_for(parameter: Parameter) -> str:
    """What a rule expresses, in words: principle, condition, factor, prong and duty, as far as declared."""
    found = []
    if parameter.principle is not None:
        found.append(f"CEJ principle {parameter.principle}: {PRINCIPLES[parameter.principle]}")
    if parameter.condition is not None:
        found.append(f"CI condition: {CONDITIONS[parameter.condition]}")
    if parameter.factor is not None:
        found.append(f"Success factor {parameter.factor}: {FACTORS[parameter.factor]}")
    if parameter.sustainability is not None:
        found.append(f"Sustainability {parameter.sustainability}: {SUSTAINABILITY[parameter.sustainability]}")
    if parameter.duty is not None:
        found.append(f"Duty of funders {parameter.duty}: {DUTIES[parameter.duty]}")
    return "; ".join(found) or "-"


def expected_effect(parameter: Parameter) -> str:
    """Which metrics a higher value should raise or lower."""
    words = [f"{'raises' if sign > 0 else 'lowers'} `{metric}`" for metric, sign in parameter.effect]
    return ", ".join(words) or "-"


def default(parameter: Parameter) -> str:
    """The default as it would stand in a file."""
    value = parameter.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def parameter_row(parameter: Parameter) -> list[str]:
    """The cells of a parameter, in the order of the columns."""
    path = parameter.path
    if path.startswith("groups."):
        path = f"community.{path}"
    return [
        f"`{path}`",
        f"**{_cell(parameter.label)}.** {_cell(parameter.meaning)}",
        _cell(bounds(parameter)),
        f"`{default(parameter)}`",
        _cell(stands_for(parameter)),
        _cell(parameter.source),
        expected_effect(parameter),
    ]


def metric_row(metric: Metric) -> list[str]:
    """The cells of a metric, in the order of the columns."""
    better = {"up": "higher", "down": "lower", "neither": "-"}[metric.better]
    outlives = "yes" if metric.outlives else "no"
    return [
        f"`{metric.name}`",
        _cell(metric.label),
        metric.unit,
        _cell(metric.meaning),
        metric.nature,
        better,
        outlives,
    ]


def _may_be(shape: Shape) -> str:
    """What may be written for a key that is no parameter."""
    if isinstance(shape, Leaf):
        parameter = shape.parameter
        if len(parameter.choices) > 12:
            return "one of the metrics below that happened"
        if parameter.low == parameter.high:
            return f"{parameter.low:g}"
        return bounds(parameter) + (", or null" if shape.null else "")
    if isinstance(shape, Text):
        if shape.file:
            return "a path, from this file's folder"
        signs = "letters, digits and _" if shape.word else "text of several lines" if shape.lines else "text"
        return f"{signs}, up to {shape.most} characters"
    if isinstance(shape, Listing | Series):
        most = f" to {shape.high}" if shape.high < MAX_NODES else " or more"
        return f"a list of {shape.low}{most} items"
    if isinstance(shape, Changes):
        return "lines of full paths of rules and their new values"
    if isinstance(shape, Reasons):
        return "lines of full paths of rules or sections and a text"
    if isinstance(shape, Table):
        return f"lines of your own words and one of: {bounds(shape.value.parameter)}"
    return "a section" + (", or null" if shape.null else "")


def file_rows(section: Section = FILE, path: str = "") -> Iterator[list[str]]:
    """The cells of every key of a file that is no parameter, in the order of a file."""
    declared = {*PARAMETERS, MONTHS.path, *(f"community.{p.path}" for p in GROUP), *(p.path for p in ISSUE)}
    for name, part in section.keys.items():
        here = f"{path}.{name}".lstrip(".")
        inner = part.item if isinstance(part, Listing) else part
        below = list(file_rows(inner, here)) if isinstance(inner, Section) else []
        if here in declared or (isinstance(part, Section) and not below):
            continue
        meaning = MEANINGS.get(here) or (part.parameter.meaning if isinstance(part, Leaf) else "")
        needed = "yes" if name in section.required else "no"
        yield [f"`{here}`", _cell(meaning), _cell(_may_be(part)), needed]
        yield from below


def _sections() -> Iterator[tuple[str, str, tuple[Parameter, ...]]]:
    """Heading, a sentence, and the parameters of each section."""
    yield "The length of a run", "At the top of a file.", (MONTHS,)
    yield "The community", "Who lives there, at the start.", COMMUNITY
    yield (
        "Groups of residents",
        "Each item of the list `community.groups` has a `name` and these; the shares of all groups add up to 1. "
        "*The most affected* are the groups whose exposure is above the mean of all residents (each group counts by "
        "its share); where all groups have the same exposure, nobody is.",
        GROUP,
    )
    yield "The network", "Who is tied to whom at the start, where no file is imported.", NETWORK
    yield "Issues", "Each item of the list `issues` has a `name` and these.", ISSUE
    for number, (name, (module, question)) in enumerate(zip(PHASE_NAMES, PHASES, strict=True), start=1):
        yield f"Phase {number}, {name}", question, module.RULES


def text() -> str:
    """The whole page."""
    lines = [*_HEAD.splitlines(), "", *_FILE_HEAD.splitlines(), ""]
    lines += _table(("line", "what it is", "may be", "needed"), file_rows())
    lines += [*_LABELS.splitlines(), "", "## Parameters", ""]
    for heading, sentence, parameters in _sections():
        lines += [f"### {heading}", "", sentence, ""]
        lines += _table(_PARAMETER_COLUMNS, map(parameter_row, parameters))
    lines += [*_METRICS_HEAD.splitlines(), ""]
    for family, about in FAMILIES.items():
        lines += [f"### {family.capitalize()}", "", f"{about}.", ""]
        lines += _table(_METRIC_COLUMNS, (metric_row(metric) for metric in METRICS if metric.family == family))
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
