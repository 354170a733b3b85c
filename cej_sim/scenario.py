"""A scenario: community, network, issues, governance, funder, mechanisms and events, checked and complete.

The name, label and description are for people. Nothing below this module ever sees them.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cej_sim.month import RULES, RULES_DTYPE, Events
from cej_sim.parameters import Parameter, Value, choice, count
from cej_sim.state import BUDGET_LINES

#: What describes the people and organizations at the start.
COMMUNITY: tuple[Parameter, ...] = (
    count(
        "community.residents",
        120,
        10_000_000,
        "Residents",
        "How many residents live in the community.",
        low=1,
        unit="people",
        source="design: a default community",
        effect=(("burden", 1),),
    ),
    count(
        "community.institutions",
        12,
        1_000_000,
        "Institutions",
        "How many institutions could take part; a network file may bring its own instead.",
        low=1,
        unit="organizations",
        source="design: a default community",
        effect=(("campaign_power", -1),),
    ),
    count(
        "community.organizers",
        2,
        1_000_000,
        "Organizers",
        "How many organizers there are to pay.",
        unit="people",
        effect=(("resident_leaders", 1), ("resident_agency", 1)),
        principle=3,
    ),
    count(
        "community.neighborhoods",
        0,
        1_000_000,
        "Neighborhoods",
        "How many neighborhoods; 0 means one per 20 residents.",
        unit="neighborhoods",
        source="design: 120 residents in 6 neighborhoods",
    ),
    count(
        "community.tables",
        0,
        1_000_000,
        "Tables",
        "How many tables meet; 0 means one per 240 residents. Each sends its decision to the coalition's.",
        unit="tables",
        source="assumed: a table of 40 seats for at most 240 residents",
    ),
    Parameter(
        "community.spread",
        1.0,
        "Differences between people",
        "How much people and institutions of one kind differ; 0 makes all of a kind and group alike.",
        high=2.0,
        unit="ratio",
        effect=(("mobilized", 1),),
    ),
    Parameter(
        "community.voice_spread",
        0.12,
        "Spread of confidence",
        "Deviation of starting agency within a group.",
        high=0.5,
        unit="agency",
    ),
    Parameter(
        "community.resident_trust",
        0.45,
        "Starting trust of residents",
        "Mean trust of residents in the coalition.",
        effect=(("resident_attendance", 1),),
    ),
    Parameter(
        "community.resident_skill",
        0.3,
        "Starting skill of residents",
        "Mean skill of residents in meetings, negotiation and programs.",
        effect=(("program_fit", 1),),
    ),
    Parameter(
        "community.resident_consciousness",
        0.3,
        "Starting critical consciousness",
        "Mean readiness of residents to see causes in structures.",
        effect=(("mobilized", 1),),
    ),
    Parameter(
        "community.resident_stake",
        0.1,
        "Residents with a stake in the status quo",
        "Mean interest of residents in things staying as they are.",
        effect=(("campaign_power", -1),),
    ),
    Parameter(
        "community.resident_belief",
        0.75,
        "Residents' grasp of root causes",
        "Residents' mean starting belief about the structural share, as a part of the true one.",
        high=1.5,
        unit="ratio",
        effect=(("structural_effort", 1), ("belief_error", -1)),
    ),
    Parameter(
        "community.resident_openness",
        0.6,
        "Openness of residents",
        "Mean openness of residents to sharing power.",
        effect=(("openness", 1),),
    ),
    Parameter(
        "community.resident_resources",
        0.15,
        "Means of residents",
        "Mean resources of residents.",
        effect=(("decision_share", 1),),
    ),
    Parameter(
        "community.threshold",
        0.52,
        "Mobilization threshold",
        "Mean share of one's contacts that must act before one joins in; people differ widely, and some never do.",
        low=0.05,
        effect=(("mobilized", -1),),
        source="assumed; form of Granovetter (1978)",
    ),
    Parameter(
        "community.institution_agency",
        0.7,
        "Confidence of institutions",
        "Mean agency of institutions' people.",
        effect=(("decision_share", -1),),
    ),
    Parameter(
        "community.institution_trust",
        0.6,
        "Trust of institutions",
        "Mean trust of institutions in the coalition.",
        effect=(("coordination", 1),),
    ),
    Parameter(
        "community.institution_skill",
        0.65,
        "Skill of institutions",
        "Mean professional skill of institutions.",
        effect=(("program_fit", 1),),
        factor=3,
    ),
    Parameter(
        "community.institution_consciousness",
        0.3,
        "Critical consciousness of institutions",
        "Mean readiness of institutions to see causes in structures.",
        effect=(("structural_effort", 1),),
    ),
    Parameter(
        "community.institution_stake",
        0.4,
        "Institutions' stake in the status quo",
        "Mean interest of institutions in things staying as they are.",
        effect=(("policy_wins", -1),),
    ),
    Parameter(
        "community.institution_belief",
        0.5,
        "Institutions' grasp of root causes",
        "Institutions' mean starting belief about the structural share, as a part of the true one.",
        high=1.5,
        unit="ratio",
        effect=(("structural_effort", 1),),
    ),
    Parameter(
        "community.institution_openness",
        0.45,
        "Openness of institutions",
        "Mean openness of institutions to sharing power.",
        effect=(("openness", 1),),
    ),
    Parameter(
        "community.institution_openness_spread",
        0.2,
        "Generous to defensive",
        "Deviation of openness among institutions.",
        high=0.5,
        unit="openness",
    ),
    Parameter(
        "community.institution_resources",
        0.7,
        "Means of institutions",
        "Mean resources of institutions.",
        effect=(("campaign_power", -1),),
    ),
    Parameter(
        "community.mission",
        0.7,
        "Pull of the mission",
        "How far an institution's priorities are those of its own mission rather than of need.",
        effect=(("decision_speed", -1), ("burden", 1)),
    ),
    Parameter(
        "community.host_interest",
        0.4,
        "Own interest of the host",
        "0: the backbone's host is neutral between issues; 1: it wants its own issue only.",
        effect=(("agenda_congruence", -1),),
        principle=6,
    ),
)

#: What describes a group of residents; acts only through exposure, barriers and voice.
GROUP: tuple[Parameter, ...] = (
    Parameter(
        "groups.share",
        0.5,
        "Share of residents",
        "Part of the residents who belong to the group.",
        effect=(("burden", 1),),
    ),
    Parameter(
        "groups.exposure",
        0.5,
        "Exposure",
        "How heavily the issues weigh on the group.",
        low=0.01,
        effect=(("disparity_ratio", 1),),
    ),
    Parameter(
        "groups.barriers",
        0.3,
        "Barriers",
        "What stands in the way of coming: time, transport, child care, language, safety.",
        effect=(("affected_attendance", -1), ("disparity_ratio", 1)),
    ),
    Parameter(
        "groups.voice",
        0.45,
        "Voice",
        "Mean sense of one's own power at the start.",
        effect=(("affected_attendance", 1), ("resident_agency", 1)),
    ),
)

#: What describes an issue.
ISSUE: tuple[Parameter, ...] = (
    Parameter(
        "issues.structural",
        0.55,
        "Structural share",
        "Part of the burden that policies and systems cause; services reach the rest.",
        effect=(("burden", 1),),
    ),
    Parameter(
        "issues.severity",
        1.0,
        "Severity",
        "How heavy the issue is against the others.",
        low=0.01,
        high=10.0,
        unit="ratio",
    ),
    Parameter(
        "issues.skew",
        0.0,
        "Weighs on the most affected",
        "How much more the issue weighs on the most affected groups than their exposure says, and less on the others.",
        low=-0.9,
        high=0.9,
        unit="ratio",
        effect=(("disparity_ratio", 1),),
    ),
    Parameter(
        "issues.regrowth",
        0.01,
        "Regrowth",
        "Part of a closed service gap that opens again each month.",
        high=0.2,
        unit="per month",
        source="design (first guess)",
        effect=(("service_coverage", -1), ("burden", 1)),
    ),
)

NETWORK_FAMILIES = ("neighborhoods", "small_world", "stochastic_blocks", "preferential_attachment")

#: What describes a generated network.
NETWORK: tuple[Parameter, ...] = (
    choice(
        "network.generate",
        NETWORK_FAMILIES,
        "Family of networks",
        "neighborhoods: close ties at home, few beyond; small_world: Watts and Strogatz; stochastic_blocks: "
        "ties by neighborhood; preferential_attachment: Barabasi and Albert.",
    ),
    Parameter(
        "network.degree",
        6.0,
        "Ties per resident",
        "Mean number of other residents a resident is tied to.",
        high=50.0,
        unit="ties",
        effect=(("resident_agency", 1),),
    ),
    Parameter(
        "network.homophily",
        0.5,
        "Homophily",
        "Tendency of residents to be tied to their own group, and of institutions to those with few barriers.",
        source="assumed; McPherson, Smith-Lovin and Cook (2001) for the direction",
    ),
    Parameter(
        "network.local", 0.8, "Ties within the neighborhood", "Share of residents' ties that stay in the neighborhood."
    ),
    Parameter(
        "network.institution_degree",
        5.0,
        "Ties per institution",
        "Mean number of other institutions an institution is tied to.",
        high=100.0,
        unit="ties",
        source="coalition steering groups name a median of 5 others (interquartile range 3 to 9)",
        effect=(("agenda_origin", -1),),
    ),
    Parameter(
        "network.clients",
        3.0,
        "Residents known per institution",
        "Mean number of residents an institution is tied to.",
        high=100.0,
        unit="ties",
        effect=(("agenda_origin", 1),),
    ),
    Parameter(
        "network.tie_strength",
        0.4,
        "Tie strength",
        "Mean strength of the ties that exist at the start.",
        effect=(("resident_agency", 1), ("agenda_origin", 1)),
    ),
)


@dataclass(frozen=True)
class Group:
    """A group of residents, named by the scenario."""

    name: str
    share: float
    exposure: float
    barriers: float
    voice: float


@dataclass(frozen=True)
class Issue:
    """One of the coalition's possible concerns."""

    name: str
    structural: float
    severity: float = 1.0
    regrowth: float = 0.01
    skew: float = 0.0


@dataclass(frozen=True)
class NetworkFile:
    """A network to import, and how to read it.

    Attributes:
        path: The file (.graphml, .gexf, .gml or .csv), resolved.
        kind_column: Node attribute that tells the kind; None makes every node an institution.
        kind_map: Value of that attribute -> kind (``resident``, ``institution``, ``backbone``, ``organizer``).
        kind_default: Kind of nodes whose value is not in the map; None makes such a value an error.
        weight: Edge attribute holding the strength; None gives every tie the strength 1.
        scale: What the strength is divided by to lie in [0, 1].
        residents: Family of generated residents beside the imported agents; None: the file holds them.
        nodes: Path of a node table beside a CSV edge list, or None.
    """

    path: Path
    kind_column: str | None = None
    kind_map: tuple[tuple[str, str], ...] = ()
    kind_default: str | None = None
    weight: str | None = None
    scale: float = 1.0
    residents: str | None = "neighborhoods"
    nodes: Path | None = None


@dataclass(frozen=True)
class Event:
    """Rules that change before the step of a month: at once (mandate), or once a vote passes (motion)."""

    month: int
    by: str
    set: tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Expectation:
    """A student's prediction."""

    metric: str
    month: int
    direction: str
    against: str


DEFAULT_GROUPS = (
    Group("most affected", 0.5, 0.7, 0.5, 0.38),
    Group("less affected", 0.5, 0.35, 0.2, 0.5),
)

DEFAULT_ISSUES = (
    Issue("housing", 0.7, 1.2, 0.01, 0.3),
    Issue("jobs", 0.65, 1.0, 0.01, 0.2),
    Issue("schools", 0.55, 1.0, 0.01, 0.0),
    Issue("health care", 0.45, 1.0, 0.01, 0.0),
    Issue("food", 0.5, 0.9, 0.01, 0.1),
    Issue("safety", 0.5, 0.9, 0.01, -0.3),
)


@dataclass(frozen=True)
class Scenario:
    """A complete, checked scenario; make one with ``load`` or ``with_values``.

    Attributes:
        values: A value for every path of ``COMMUNITY``, ``NETWORK`` and ``month.RULES``.
        reasons: Why it differs from the scenario that its file extends: (path or section, reason), for readers only.
        stated: Paths that its file, the one it extends, ``--set`` or ``with_values`` has set; an ensemble leaves them.
    """

    name: str
    values: Mapping[str, Value]
    label: str = ""
    description: str = ""
    months: int = 120
    groups: tuple[Group, ...] = DEFAULT_GROUPS
    issues: tuple[Issue, ...] = DEFAULT_ISSUES
    network_file: NetworkFile | None = None
    events: tuple[Event, ...] = ()
    expect: tuple[Expectation, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    path: Path | None = field(default=None, compare=False)
    stated: frozenset[str] = field(default=frozenset(), compare=False)

    __iter__ = None  # not a sequence, although its values are read by path

    def __getitem__(self, path: str) -> Any:
        """The value of a parameter path."""
        return self.values[path]

    def with_values(self, values: Mapping[str, Value]) -> Scenario:
        """The same scenario with some parameters replaced.

        Raises:
            ValueError: If a path is unknown or a value breaks its bounds; the message says what to write.
        """
        for path, value in values.items():
            check_value(path, value)
        changed = replace(self, values={**self.values, **values}, stated=self.stated | set(values))
        problems = budget_problems(changed.values)
        if problems:
            raise ValueError("; ".join(text for _, text in problems))
        return changed

    def rules(self) -> np.recarray:
        """The rules as the engine reads them: a record array of length 1, a float field for each parameter."""
        encoded = [parameter.encode(self.values[parameter.path]) for parameter in RULES]
        return np.array(encoded, np.float64).view(RULES_DTYPE).view(np.recarray)

    def resolved(self) -> dict[str, Any]:
        """Everything that decides the numbers, as plain data: no name, no label, no description."""
        content = asdict(self)
        for key in ("name", "label", "description", "path", "expect", "reasons", "stated"):
            content.pop(key)
        if self.network_file is not None:
            content["network_file"]["path"] = self.network_file.path.name
            content["network_file"]["nodes"] = self.network_file.nodes.name if self.network_file.nodes else None
            content["network_file"]["sha256"] = _file_hash(self.network_file.path)
            if self.network_file.nodes:
                content["network_file"]["nodes_sha256"] = _file_hash(self.network_file.nodes)
        content["values"] = dict(sorted(self.values.items()))
        return content

    @classmethod
    def from_resolved(
        cls, content: Mapping[str, Any], *, name: str, label: str = "", description: str = "", folder: Path = Path()
    ) -> Scenario:
        """The scenario that ``resolved()`` described, with its network files from a folder.

        They lie there by name, or as ``stored_name`` says where files of the same name are to be told apart.
        """
        network_file = None
        if content["network_file"] is not None:
            found = {key: value for key, value in content["network_file"].items() if not key.endswith("sha256")}
            for key, content_hash in (("path", "sha256"), ("nodes", "nodes_sha256")):
                if found[key]:
                    apart = folder / stored_name(found[key], content["network_file"].get(content_hash, ""))
                    found[key] = apart if apart.exists() else folder / found[key]
            found["kind_map"] = tuple(map(tuple, found["kind_map"]))
            network_file = NetworkFile(**found)
        return cls(
            name=name,
            label=label,
            description=description,
            values=dict(content["values"]),
            months=content["months"],
            groups=tuple(Group(**group) for group in content["groups"]),
            issues=tuple(Issue(**issue) for issue in content["issues"]),
            network_file=network_file,
            events=tuple(
                Event(event["month"], event["by"], tuple(map(tuple, event["set"]))) for event in content["events"]
            ),
        )

    def hash(self) -> str:
        """SHA-256 of ``resolved()``: equal for scenarios that must give equal numbers."""
        text = json.dumps(self.resolved(), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def title(self) -> str:
        """The label, or the name where there is none."""
        return self.label or self.name.replace("_", " ")


def stored_name(name: str, content_hash: str) -> Path:
    """Where a network file lies among others, some of which may have the same name: a folder for each content."""
    return Path(content_hash[:16]) / name


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


#: Every parameter with one value per scenario, by path.
PARAMETERS: dict[str, Parameter] = {p.path: p for p in (*COMMUNITY, *NETWORK, *RULES)}

#: The rules that an event may change during a run.
CHANGEABLE: dict[str, Parameter] = {p.path: p for p in RULES}


def defaults() -> dict[str, Value]:
    """The declared default of every path."""
    return {path: parameter.default for path, parameter in PARAMETERS.items()}


def check_value(path: str, value: Value) -> None:
    """Check one value against its declaration.

    Raises:
        ValueError: If the path is unknown, the type is wrong or the value is out of bounds.
    """
    parameter = PARAMETERS.get(path)
    if parameter is None:
        raise ValueError(f"{path}: there is no such parameter")
    problem = value_problem(parameter, value)
    if problem:
        raise ValueError(f"{path}: {problem}")


def value_problem(parameter: Parameter, value: object) -> str | None:
    """What is wrong with a value, and what to write instead; None where it is right."""
    low, high = parameter.low, parameter.high
    if parameter.choices:
        if value in parameter.choices:
            return None
        near = difflib.get_close_matches(str(value)[:60], parameter.choices, 1)
        listed = f"one of: {', '.join(parameter.choices)}"
        advice = f"write {listed}"
        if near:
            advice = f"did you mean {near[0]}?{f' Write {listed}' if len(parameter.choices) < 10 else ''}"
        return f"{_shown(value)} is not one of the choices; {advice}"
    if parameter.kind == "switch":
        meant_switch = _SWITCHES.get(str(value).strip(_QUOTES).lower())
        wanted = "true or false" if meant_switch is None else str(meant_switch).lower()
        return None if isinstance(value, bool) else f"{_shown(value)} is not a yes/no value; write {wanted}"
    whole = parameter.kind == "count"
    span = f"a {'whole ' if whole else ''}number from {_digits(low)} to {_digits(high)}"
    wanted = f"{span} ({parameter.unit})"
    if isinstance(value, str):
        meant = _meant(value, whole)
        if meant is None or not low <= meant <= high or (whole and not meant.is_integer()):
            return f"{_shown(value)} is not a number; write {wanted}"
        quoted = re.fullmatch(r"[-+]?[0-9]*[.]?[0-9]*(e[-+]?[0-9]+)?", value.strip(), re.IGNORECASE)
        fault = "is a text because of its quotes" if quoted else "is not a number"
        return f"{_shown(value)} {fault}; write {_digits(meant)} ({span}, {parameter.unit})"
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return f"{_shown(value)} is not a number; write {wanted}"
    if not low <= value <= high:
        percent = parameter.unit == "share" and 1 < value <= 100
        hint = f"; {_digits(value)} % is {_digits(value / 100)}" if percent else ""
        fault = f"is less than {_digits(low)}" if value < low else f"is more than {_digits(high)}"
        return f"{_digits(value)} {fault}; write {wanted}{hint}"
    if whole and int(value) != value:
        return f"{_digits(value)} is not a whole number; write {wanted}"
    return None


#: Words for yes and no, and signs that programs set in place of plain quotes.
_SWITCHES = {word: True for word in ("yes", "on", "true", "1", "y")} | {
    word: False for word in ("no", "off", "false", "0", "n", "none")
}
_QUOTES = " \t'\"`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a"


def _meant(text: str, whole: bool) -> float | None:
    """The number somebody meant by a text such as ``50%``, ``0,5``, ``1/2``, ``off``, ``1,000`` (where whole), or one
    in quotes or with a comma behind it."""
    if len(text) > 40:
        return None
    text = text.strip(_QUOTES).rstrip(",; \t").strip(_QUOTES)
    if text.lower() in ("off", "none"):
        return 0.0
    part = re.fullmatch(r"([0-9]{1,9})\s*/\s*([0-9]{1,9})", text)
    if part and int(part[2]) > 0:
        return float(f"{int(part[1]) / int(part[2]):.12g}")
    match = re.fullmatch(r"([-+]?[0-9., _]*[0-9][.]?(?:e[-+]?[0-9]{1,3})?)\s*(%?)", text, re.IGNORECASE)
    if match is None:
        return None
    digits = re.sub("[ _]", "", match[1])
    if whole and re.fullmatch(r"[-+]?[0-9]{1,3}([.,][0-9]{3})+", digits):
        digits = re.sub("[.,]", "", digits)
    try:
        number = float(digits.replace(",", "."))
    except ValueError:
        return None
    return number / 100 if match[2] else number


def _digits(number: float) -> str:
    """A number as somebody would write it in a scenario file."""
    whole = abs(number) < 1e16 and number == int(number)
    return str(int(number)) if whole else f"{number:.12g}"


def _shown(value: object) -> str:
    """A value as it stands in a scenario file, on one line and not too long."""
    if value is None:
        return "an empty value"
    text = str(value).lower() if isinstance(value, bool) else ascii(value) if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def vote_remark(values: Mapping[str, Value]) -> str | None:
    """What to tell people whose vote shares do not add up to 1, which counts in proportion; else None."""
    base = "governance.decide.votes"
    shares = {bloc: float(values[f"{base}.{bloc}"]) for bloc in ("residents", "institutions", "backbone")}
    total = sum(shares.values())
    if values[f"{base}.counted"] != "blocs" or abs(total - 1.0) < 1e-9 or total <= 0.0:
        return None
    counted = ", ".join(f"{bloc} {100.0 * share / total:.0f}%" for bloc, share in shares.items())
    return f"the votes add up to {total:.6g}, so they count in proportion: {counted} where all are there"


def vote_remarks(scenario: Scenario) -> list[str]:
    """The same for the start and for every event that sets votes; a motion is taken to be the only one that passes."""
    now = dict(scenario.values)
    found = [remark for remark in [vote_remark(now)] if remark]
    for event in sorted(scenario.events, key=lambda event: event.month):
        changed = now | dict(event.set)
        if any(path.startswith("governance.decide.votes.") for path, _ in event.set):
            remark = vote_remark(changed)
            if remark:
                when = f"from month {event.month} on" + (", if the motion passes" if event.by == "motion" else "")
                found.append(f"{when}, {remark}")
        now = changed if event.by == "mandate" else now
    return found


def budget_problems(values: Mapping[str, Value], running: bool = False) -> list[tuple[str, str]]:
    """Values that do not go together, budgets above all: ``(path, message)`` for each, saying by how much and what
    the lines are.

    Args:
        values: A value for every path.
        running: Look only at what binds during a run, the bounds; the budget of the start has been left by then.
    """
    problems = []
    for section, what in (
        (("budget_min", "the least shares"),)
        if running
        else (
            ("budget", "the lines"),
            ("budget_min", "the least shares"),
        )
    ):
        base = f"governance.decide.{section}"
        lines = {line: float(values[f"{base}.{line}"]) for line in BUDGET_LINES[:-1]}
        excess = sum(lines.values()) - 1.0
        if excess > 1e-9:
            listed = ", ".join(f"{line} {_digits(value)}" for line, value in lines.items())
            problems.append(
                (
                    base,
                    f"{what} add up to {1 + excess:.6g}, {excess:.6g} more than 1 ({listed}); "
                    "lower them: what they leave over is spent on action",
                )
            )
    votes = "governance.decide.votes"
    shares = [f"{votes}.{bloc}" for bloc in ("residents", "institutions", "backbone")]
    if values[f"{votes}.counted"] == "blocs" and not any(values[path] for path in shares):
        problems.append(
            (votes, "nobody has a vote, for every share is 0; give residents, institutions or backbone a share above 0")
        )
    strategy = ("governance.decide.strategy", "governance.decide.strategy_max")
    if not running and float(values[strategy[0]]) > float(values[strategy[1]]):
        problems.append(
            (
                strategy[0],
                f"the start {_digits(float(values[strategy[0]]))} is more than strategy_max "
                f"{_digits(float(values[strategy[1]]))}; lower the one or raise the other",
            )
        )
    for path in () if running else ("community.neighborhoods", "community.tables"):
        if values[path] > values["community.residents"]:  # type: ignore[operator]
            problems.append(
                (path, f"{values[path]} for {values['community.residents']} residents; write at most one for each")
            )
    for line in BUDGET_LINES[:-1]:
        low = float(values[f"governance.decide.budget_min.{line}"])
        start = float(values[f"governance.decide.budget.{line}"])
        high = float(values[f"governance.decide.budget_max.{line}"])
        if low > high:
            problems.append(
                (
                    f"governance.decide.budget_min.{line}",
                    f"the least share {_digits(low)} is more than the largest, budget_max.{line} {_digits(high)}; "
                    "lower the one or raise the other",
                )
            )
        elif not running and not low <= start <= high:
            problems.append(
                (
                    f"governance.decide.budget.{line}",
                    f"the start {_digits(start)} lies outside its own bounds, budget_min {_digits(low)} to "
                    f"budget_max {_digits(high)}; change the start or the bounds",
                )
            )
    return problems


def encode_events(scenario: Scenario) -> Events:
    """The scenario's events as the engine reads them, in the order of the file."""
    position = {rule.path: row for row, rule in enumerate(RULES)}
    rows = [
        (event.month, event.by == "motion", number, position[path], CHANGEABLE[path].encode(value))
        for number, event in enumerate(scenario.events)
        for path, value in event.set
    ]
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    return Events(
        np.array(columns[0], np.int64),
        np.array(columns[1], np.bool_),
        np.array(columns[2], np.int64),
        np.array(columns[3], np.int64),
        np.array(columns[4], np.float64),
    )
