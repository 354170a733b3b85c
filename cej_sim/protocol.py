"""The generated parts of the pages in docs/: ``python -m cej_sim.protocol``.

What a page says by hand stands in the page; what the code declares stands between a line ``<!-- made: NAME -->`` and a
line ``<!-- /made: NAME -->`` and is made anew from phases, parameters, metrics, state, random streams, instruments and
docstrings. The command rewrites the pages in place; a test holds them current.
"""

from __future__ import annotations

import ast
import inspect
import io
import re
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

from cej_sim import draws, forms, instruments, network, population, scales, state
from cej_sim.authoring import bounds
from cej_sim.metrics import METRICS
from cej_sim.month import PHASE_NAMES, PHASES, RULES
from cej_sim.parameters import Parameter
from cej_sim.reading import MONTHS
from cej_sim.reference import default, stands_for
from cej_sim.scenario import COMMUNITY, GROUP, ISSUE, NETWORK

#: Where the pages lie: in a checkout, beside the package.
DOCS = Path(__file__).resolve().parent.parent / "docs"

_BLOCK = re.compile(r"(?P<head>^<!-- made: (?P<name>[\w-]+) -->\n)(?P<body>.*?)(?P<tail>^<!-- /made: (?P=name) -->$)",
                    re.MULTILINE | re.DOTALL)  # fmt: skip

#: Streams of the month: what each settles.
STREAMS = {
    "INVITE": "who is invited to a free seat, and who wins a lot or an election",
    "ACCEPT": "whether somebody invited accepts",
    "ATTEND": "whether a member comes",
    "LAPSE": "whether a member who stayed away gives up the seat",
    "ONE_TO_ONE": "with whom one-to-ones are held, and the fraction of their number",
    "FRACTION": "nothing at present; the number is kept",
    "EMERGE": "whether a resident becomes a leader",
    "BURN_OUT": "whether a leader burns out",
    "SERVICE": "whom services meet, and the fraction of their number",
    "POLICY": "how much pressure a policy takes (a draw for each issue and win)",
    "CHALLENGE": "whether a table's organized residents challenge an institution",
    "TARGET": "which institution they challenge",
    "WALK_OUT": "whether an aggrieved member leaves",
    "SIGNAL": "the error of indicators",
    "RENEWAL": "whether the funder renews",
    "BALLOT": "how a member votes on a motion",
    "CALLS": "the fraction of the number of invitations in one-to-ones",
    "SURVEY": "the error of an answer to the survey",
    "TIES": "who goes first between equals",
    "ENDING": "whether a coalition falls apart",
    "ATTRIBUTE": "attributes of the starting population: a stream for each attribute, from this number on",
    "LAYER": "the starting network: ten streams for each of its layers, from this number on",
    "RUNS": "how a seed is split into the keys of its runs",
}

#: Phase -> (what its docstring says of its numbers, what follows for those not named, clause of the docstring -> else).
#: The sentence is looked for in the docstring, so that neither can change without the other.
STATUS: dict[str, tuple[str, str, dict[str, str]]] = {
    "convene": ("Coefficients: design (first guesses).", "design", {}),
    "deliberate": ("Inertia 0.6: design; the tie rates are assumed.", "assumed",
                   {"x <- 0.6 x": "design", "r <- 0.6 r": "design"}),
    "decide": ("Hours and rates are assumed; six meeting hours: design.", "assumed", {}),
    "coordinate": ("Numbers: assumed.", "assumed", {}),
    "serve": ("Coefficients: design (first guesses: .10 and .25, regrowth .01) and assumed.", "assumed",
              {"e / (e + 0.25)": "design"}),
    "organize": ("Numbers not marked are assumed.", "assumed",
                 {"agency += g 0.10": "design", "skill += g 0.04": "design", "w += g 0.05": "design"}),
    "advocate": ("Hazard, decay .93: design; rest assumed.", "assumed", {"0.93 U_k": "design"}),
    "contend": ("Numbers: assumed.", "assumed", {}),
    "evaluate": ("Numbers: assumed.", "assumed", {}),
    "fund": ("Numbers: design and assumed.", "design or assumed", {}),
    "reform": ("Coefficients: assumed.", "assumed", {}),
    "experience": ("Rates .04, .06, .08: design; the rest assumed.", "assumed",
                   {"h >= 0: agency": "design", "h < 0: agency": "design", "0.04 g h": "design", "0.06 g h": "design"}),
}  # fmt: skip

#: A number in a docstring; years of publications and numbers of phases do not count.
_NUMBER = re.compile(r"(?<![\w.\-])-?(?:\d+\.\d+|\d+|\.\d+)(?![\w])")
_NO_NUMBER = re.compile(r"\b(?:19|20)\d\d\b|\bphase \d+\b|\bPhase \d+\b|^\d\. ", re.MULTILINE)


class ProtocolError(ValueError):
    """A page cannot be made; the message says why, on one line."""


# Small pieces


def cell(text: object) -> str:
    """A text that stays in its cell."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The lines of a table; cells are made safe, and texts in backquotes stay as they are."""
    yield f"| {' | '.join(columns)} |"
    yield f"| {' | '.join(['---'] * len(columns))} |"
    for row in rows:
        shown = [str(one).replace("|", "\\|") if str(one).startswith("`") else cell(one) for one in row]
        yield f"| {' | '.join(shown)} |"
    yield ""


def _doc(module: ModuleType) -> str:
    """The text at the head of a module."""
    return inspect.cleandoc(module.__doc__ or "")


def _quoted(module: ModuleType) -> Iterator[str]:
    """The text at the head of a module as it stands."""
    yield "```text"
    yield from _doc(module).splitlines()
    yield "```"
    yield ""


def _path(parameter: Parameter) -> str:
    return f"community.{parameter.path}" if parameter.path.startswith("groups.") else parameter.path


def every_parameter() -> tuple[Parameter, ...]:
    """All parameters in the order of a scenario file and of the phases."""
    return (MONTHS, *COMMUNITY, *GROUP, *NETWORK, *ISSUE, *RULES)


def _parameters(some: Iterable[Parameter]) -> Iterator[str]:
    rows = (
        (f"`{_path(one)}`", default(one), bounds(one), one.source, one.meaning)
        for one in some
    )  # fmt: skip
    yield from table(("parameter", "default", "bounds (unit)", "source", "what it does"), rows)


# Process and entities


def phases() -> Iterator[str]:
    """The order of a month."""
    rows = (
        (number, f"`{name}`", question, f"`cej_sim/phases/{name}.py`")
        for number, (name, (_, question)) in enumerate(zip(PHASE_NAMES, PHASES, strict=True), start=1)
    )
    yield from table(("", "phase", "what it asks", "file"), rows)


def kinds() -> Iterator[str]:
    """The kinds of agents and the defaults that give their number."""
    numbers = {one.path: default(one) for one in COMMUNITY}
    listed = {
        "resident": f"{numbers['community.residents']}; most affected groups and others; unpaid",
        "institution": f"{numbers['community.institutions']}; present as part of a paid job",
        "backbone": "1; the convener and its staff; paid",
        "organizer": f"{numbers['community.organizers']}; paid by the organizing line; no formal vote",
    }
    if set(listed) != set(state.KINDS):
        raise ProtocolError("protocol.py: kinds() does not list the kinds of agents of state.py")
    yield from table(("kind", "how many by default, and what"), ((kind, listed[kind]) for kind in state.KINDS))


def fields(source: str | None = None) -> Iterator[tuple[str, str, str, str]]:
    """Heading, name, shape and meaning of each array of the state, from the comments beside their declarations."""
    text = inspect.getsource(state) if source is None else source
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    (of_state,) = (
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef) and node.name == "State"
    )
    heading, before = "", of_state.lineno
    for node in of_state.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.end_lineno is None:
            continue
        for line in range(before + 1, node.lineno):
            heading = comments.get(line, heading)
        said = comments.get(node.end_lineno, "")
        shape, _, meaning = said.partition(") ")
        if not said.startswith("("):
            raise ProtocolError(f"state.py: {node.target.id} has no comment that begins with its shape")
        if not meaning and said.endswith(")"):
            shape = said.removesuffix(")")
        before = node.end_lineno
        yield heading, node.target.id, f"{shape})", meaning or node.target.id.replace("_", " ")


def arrays() -> Iterator[str]:
    """Every array of the state, by heading."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for heading, name, shape, meaning in fields():
        found.setdefault(heading, []).append((f"`{name}`", shape, meaning))
    for heading, rows in found.items():
        yield f"**{heading}**"
        yield ""
        yield from table(("variable", "shape", "what it is"), rows)


def coalition() -> Iterator[str]:
    """The coalition's scalars."""
    yield from table(("variable", "what it is"), ((f"`{name}`", said) for name, said in state.COALITION.items()))


def streams() -> Iterator[str]:
    """The named streams of random numbers."""
    numbers = {name: value for name, value in vars(draws).items() if name.isupper() and not name.startswith("_")}
    if set(numbers) != set(STREAMS):
        raise ProtocolError(f"protocol.py: STREAMS and draws.py differ in {sorted(set(numbers) ^ set(STREAMS))}")
    rows = []
    for name, number in numbers.items():
        users = [
            phase for phase, (module, _) in zip(PHASE_NAMES, PHASES, strict=True) if vars(module).get(name) == number
        ]
        users += [
            module.__name__.rsplit(".", 1)[1]
            for module in (population, network, instruments, draws)
            if name in vars(module) and (module is not draws or name == "RUNS")
        ]
        rows.append((f"`{name}`", number, STREAMS[name], ", ".join(users) or "-"))
    yield from table(("stream", "number", "what it settles", "drawn in"), rows)


def metrics() -> Iterator[str]:
    """The metrics, in short."""
    better = {"up": "higher", "down": "lower", "neither": "-"}
    rows = ((f"`{one.name}`", one.meaning, one.unit, one.nature, better[one.better]) for one in METRICS)
    yield from table(("metric", "definition", "unit", "set or happened", "better"), rows)


# Submodels


def functional_forms() -> Iterator[str]:
    """The forms that several phases share."""
    shared = ("response", "saturating", "distance", "clip", "cutoff")
    rows = (
        (f"`{name}`", (inspect.getdoc(inspect.unwrap(getattr(forms, name))) or "").split("\n\n")[0]) for name in shared
    )
    yield from table(("form", "definition"), rows)


def submodels() -> Iterator[str]:
    """Each phase: its question, the text at the head of its file, and its parameters."""
    for number, (name, (module, question)) in enumerate(zip(PHASE_NAMES, PHASES, strict=True), start=1):
        yield f"#### {number}. {name}"
        yield ""
        yield f"*{question}* The following text stands at the head of `cej_sim/phases/{name}.py`."
        yield ""
        yield from _quoted(module)
        yield from _parameters(module.RULES)


def starting() -> Iterator[str]:
    """How the starting population and network come about, and their parameters."""
    for module in (population, network):
        yield f"From the head of `cej_sim/{module.__name__.rsplit('.', 1)[1]}.py`:"
        yield ""
        yield from _quoted(module)
    yield from _parameters((MONTHS, *COMMUNITY, *GROUP, *NETWORK, *ISSUE))


# Numbers and their sources


def group_of(parameter: Parameter) -> str:
    """To which of four sorts the source of a default belongs."""
    source = parameter.source
    for sort in ("assumed", "design", "1 by definition"):
        if source.startswith(sort):
            return sort
    return "other"


def sources() -> Iterator[str]:
    """How many parameters rest on what."""
    meaning = {
        "assumed": "nobody measured it; chosen by the authors",
        "design": "chosen for this model, or the contrast between two approaches that the model is there to study",
        "1 by definition": "the gain of a feedback: 1 as modeled, 0 absent",
        "other": "reported by a study, or fitted; the source column says which",
    }
    sorts = [group_of(one) for one in every_parameter()]
    rows = ((sort, sorts.count(sort), what) for sort, what in meaning.items())
    yield from table(("source of the default", "parameters", "what it means"), rows)


def parameters() -> Iterator[str]:
    """Every parameter with its number and where it comes from."""
    rows = (
        (f"`{_path(one)}`", default(one), bounds(one), one.unit, group_of(one), one.source, stands_for(one))
        for one in every_parameter()
    )
    yield from table(("parameter", "default", "bounds", "unit", "sort", "source", "stands for"), rows)


def numbers_in(name: str, text: str) -> Iterator[tuple[str, str, str]]:
    """The numbers that a phase's docstring states: (numbers, where they stand, design or assumed).

    Raises:
        ProtocolError: If the docstring does not say of its numbers what ``STATUS`` quotes.
    """
    said, usual, exceptions = STATUS[name]
    flat = " ".join(text.split())
    if said not in flat:
        raise ProtocolError(f"phases/{name}.py: its head no longer says {said!r}; mend STATUS in protocol.py")
    for clause, _ in exceptions.items():
        if clause not in flat:
            raise ProtocolError(f"phases/{name}.py: its head no longer holds {clause!r}; mend STATUS in protocol.py")
    for paragraph in re.split(r"\n\s*\n", text):
        flat = " ".join(_NO_NUMBER.sub(" ", paragraph).split()).replace(said, "")
        for clause in re.split(r"(?<=[.;]) (?=[A-Za-z(`])", flat):
            found = [number for number in _NUMBER.findall(clause) if float(number) not in (0.0, 1.0, -1.0)]
            if found:
                status = next((other for part, other in exceptions.items() if part in clause), usual)
                yield ", ".join(found), clause.strip(), status


def numbers() -> Iterator[str]:
    """The numbers in the equations of each phase."""
    for name, (module, _) in zip(PHASE_NAMES, PHASES, strict=True):
        yield f"**{name}**. Its file says: *{STATUS[name][0]}*"
        yield ""
        rows = (
            (found, f"`{clause.replace('`', '')}`", status) for found, clause, status in numbers_in(name, _doc(module))
        )
        yield from table(("numbers", "where they stand", "status"), rows)


def constants() -> Iterator[str]:
    """Named numbers of the network, and those of the starting population, from the code."""
    rows: list[tuple[str, object, str]] = []
    source = inspect.getsource(network).splitlines()
    for number, line in enumerate(source):
        found = re.match(r"([A-Z][A-Z_]+) = ([\d_.]+)$", line)
        if found and source[number - 1].startswith("#: "):
            rows.append((f"`network.{found[1]}`", found[2].replace("_", ""), source[number - 1].removeprefix("#: ")))
    yield from table(("number", "value", "what it is"), rows)
    function = next(
        node
        for node in ast.parse(inspect.getsource(population)).body
        if isinstance(node, ast.FunctionDef) and node.name == "populate"
    )
    drawn = []
    for node in ast.walk(function):
        if isinstance(node, ast.Call | ast.Assign) and not isinstance(node, ast.FunctionDef):
            call = node.value if isinstance(node, ast.Assign) else None
            values = [one.value for one in ast.walk(node) if isinstance(one, ast.Constant)
                      and isinstance(one.value, float) and one.value not in (0.0, 1.0)]  # fmt: skip
            if isinstance(node, ast.Assign) and values and call is not None and node.lineno < _coalition_line(function):
                drawn.append((", ".join(f"{value:g}" for value in values), f"`{ast.unparse(node)}`"))
    yield "In `cej_sim/population.py`, all assumed:"
    yield ""
    yield from table(("numbers", "where they stand"), drawn)


def _coalition_line(function: ast.FunctionDef) -> int:
    """The line from which on the starting coalition, not its people, is set up."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "coalition":
            return node.lineno
    raise ProtocolError("population.py: the starting coalition is not found; mend protocol.py")


# Instruments


def items() -> Iterator[str]:
    """The statements of the survey."""
    rows = (
        (f"`{one.code}`", scales.SURVEY_SCALES[one.scale].title, one.statement, "yes" if one.is_reversed else "no")
        for one in scales.SURVEY_ITEMS
    )
    yield from table(("item", "scale", "statement", "worded the other way round"), rows)


def readings() -> Iterator[str]:
    """What the scales of the survey read."""
    rows = ((one.title, one.reads, f"{one.low:g}", f"{one.high:g}") for one in scales.SURVEY_SCALES.values())
    yield from table(("scale", "what it reads", "disagrees with all at", "agrees with all at"), rows)


def spectra() -> Iterator[str]:
    """Levels and cut points."""
    rows = ((f"`{key}`", title, ", ".join(levels)) for key, (title, levels) in scales.SPECTRA.items())
    yield from table(("`spectrum`", "what it is called", "levels from least to most"), rows)

    def plain(cuts: Iterable[float]) -> str:
        return ", ".join(f"{cut:g}" for cut in cuts)

    cuts = (
        (
            "IAP2, CDC, ownership",
            f"the smaller of say and of ideas plus {scales.IDEAS_LAG:g}",
            plain(scales.LEVEL_CUTS),
        ),
        ("ownership: ignore", "attendance of residents", "0: nobody came"),
        ("Arnstein, within non-participation", "attendance of residents", f"above {scales.THERAPY_CUT:g}"),
        ("Arnstein, within tokenism", "ideas", plain(scales.TOKENISM_CUTS)),
        ("Arnstein, within citizen power", "say", plain(scales.CITIZEN_CUTS)),
    )
    yield from table(("where", "what is read", "the next level begins at"), cuts)


def codes() -> Iterator[str]:
    """The codes of the dated log and the events that carry them."""
    by_category: dict[str, list[str]] = {}
    for event, (category, _) in scales.LOG_TEXTS.items():
        by_category.setdefault(category, []).append(event)
    rows = (
        (f"`{code}`", category, meaning, ", ".join(by_category[category]))
        for category, (code, meaning) in scales.CODES.items()
    )
    yield from table(("`code`", "`category`", "what it means here", "`event`"), rows)


# Studies

#: Studies that a reviewer expects, by the folder of experiments/ in which they would stand: what they would show.
EXPECTED_STUDIES = {
    "calibration": "a search of parameter ranges that fit several published patterns jointly",
    "hypotheses": "hypotheses declared, and frozen by a hash, before the runs that judge them",
}


def _study(folder: str) -> Path:
    return DOCS.parent / "experiments" / folder / "README.md"


def studies() -> Iterator[str]:
    """The studies that the checkout holds, with what their pages are called."""
    pages = sorted((DOCS.parent / "experiments").glob("*/README.md"))
    titles = [page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for page in pages]
    rows = (
        (f"[{page.parent.name}](../experiments/{page.parent.name}/README.md)", title)
        for page, title in zip(pages, titles, strict=True)
    )
    yield from table(("study", "what its page is called"), rows)


def pending() -> Iterator[str]:
    """The studies that a reviewer would look for in vain."""
    missing = [
        f"- {what} (`experiments/{name}`);" for name, what in EXPECTED_STUDIES.items() if not _study(name).exists()
    ]
    yield from missing or ["- none of the studies that this page expects is missing."]


#: Name of a generated part -> what makes its lines.
BLOCKS: dict[str, Callable[[], Iterator[str]]] = {
    "phases": phases, "kinds": kinds, "arrays": arrays, "coalition": coalition, "streams": streams, "metrics": metrics,
    "forms": functional_forms, "submodels": submodels, "starting": starting, "sources": sources,
    "parameters": parameters, "numbers": numbers, "constants": constants, "items": items, "readings": readings,
    "spectra": spectra, "codes": codes, "studies": studies, "pending": pending,
}  # fmt: skip


def refreshed(text: str, page: str = "page") -> str:
    """A page with its generated parts made anew.

    Args:
        text: The page.
        page: What it is called, for messages.

    Raises:
        ProtocolError: If a part is unknown or not closed.
    """
    opened, closed = (re.findall(rf"^<!-- {mark}made: ([\w-]+) -->$", text, re.MULTILINE) for mark in ("", "/"))
    if opened != closed:
        raise ProtocolError(
            f"{page}: parts are opened ({', '.join(opened)}) but not closed alike ({', '.join(closed)})"
        )
    unknown = [name for name in opened if name not in BLOCKS]
    if unknown:
        raise ProtocolError(f"{page}: there is no part {unknown[0]}; write one of: {', '.join(BLOCKS)}")

    def put(found: re.Match[str]) -> str:
        body = "\n".join(BLOCKS[found["name"]]()).strip("\n")
        return f"{found['head']}\n{body}\n\n{found['tail']}"

    return _BLOCK.sub(put, text)


def main(arguments: Sequence[str]) -> int:
    """Rewrite pages in place, those of docs/ where none is named; returns the exit status."""
    pages = [Path(name) for name in arguments] or sorted(DOCS.glob("*.md"))
    if not pages:
        print("there are no pages: run this in a checkout, or name the pages", file=sys.stderr)
        return 2
    try:
        for page in pages:
            text = page.read_text(encoding="utf-8")
            made = refreshed(text, page.name)
            if made != text:
                page.write_text(made, encoding="utf-8", newline="\n")
                print(f"{page}: made anew")
    except (OSError, ProtocolError) as error:
        print(str(error), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
