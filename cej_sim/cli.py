"""The command line: every command reads what is asked, and reports all mistakes at once, a line each.

Exit status: 0 done; 2 the input is wrong; 1 something failed; 130 stopped by Ctrl-C; 143 by the system or a cluster's
scheduler, 129 by closing the terminal, both with the care of Ctrl-C; 141 nobody reads. Heavy libraries are imported
inside the commands that need them, so that ``--help`` and mistakes answer at once.
"""

from __future__ import annotations

import codecs
import gc
import io
import os
import re
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer
from typer.core import TyperGroup

from cej_sim import sweeping
from cej_sim.nodes import plain
from cej_sim.talking import (
    DONE,
    FAILED,
    INTERRUPTED,
    UNREAD,
    WRONG_INPUT,
    InputError,
    Stop,
    command,
    console,
    count,
    progress,
    say,
    show,
    show_files,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cej_sim.bundle import Gathered
    from cej_sim.comparison import Labels
    from cej_sim.ensemble import Ensemble
    from cej_sim.runs import Drawn, Result
    from cej_sim.scenario import Scenario

AnyResult = TypeVar("AnyResult", bound="Result")

#: Set to anything to get the traceback of a failure.
DEBUG = "CEJ_SIM_DEBUG"

#: What `compare` compares without names.
DEFAULT_PAIR = ("collective_impact", "community_led")

#: What the parser of the command line raises; newer versions of typer bring their own copy of click.
USAGE_ERROR: Any = typer.BadParameter.__mro__[2]


class Commands(TyperGroup):
    """The commands, listed with their whole sentence each; plain text, because typer's boxes take twice the time."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list."""
        rows = [(name, command.get_short_help_str(limit=500)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


app = typer.Typer(
    name="cej-sim",
    cls=Commands,
    context_settings={"max_content_width": 100},
    help="Simulate how power moves in community coalitions under governance rules that you can change. "
    "What it shows is an illustration, not a prediction.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Request(NamedTuple):
    """What a command was asked to compute, checked.

    Attributes:
        scenarios: What to run, with the settings made.
        against: What else predictions are held against, with the settings made.
        directory: For the results.
        runs, seed, months: As for ``runs.compare``.
        labels: What the labels file says, if one is named.
        gathered: The files for the bundle, if there is to be one.
        extra: Further files for it, by name.
        ensemble: The parameter sets to run through, if that is asked for.
        survey: The months in which members are asked.
    """

    scenarios: list[Scenario]
    against: list[Scenario]
    directory: Path
    runs: int
    seed: int
    months: int | None
    labels: Labels | None
    gathered: Gathered | None
    extra: dict[str, bytes]
    ensemble: Ensemble | None
    survey: list[int]


# Options that several commands share

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="A B ...", help="Scenarios, by shipped name (see `cej-sim list`) or path of a file."),
]
# Numbers arrive as text, so that a mistake in one of them is reported together with all others.
Runs = Annotated[str, typer.Option("--runs", metavar="N", help="Number of runs of each scenario.")]
Months = Annotated[
    str | None,
    typer.Option("--months", metavar="T", help="Stop after this many months; at most the scenario's own horizon."),
]
Seed = Annotated[str, typer.Option("--seed", metavar="S", help="Equal seeds give equal numbers.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Set a parameter in every scenario of the command; may be given several times.",
    ),
]
Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Directory for tables, figure, report and provenance. It may exist if it is empty or holds "
        "results of cej-sim, which are then overwritten.",
        show_default="results/ and the scenarios' names",
    ),
]


Shown = Annotated[
    str | None,
    typer.Option("--labels", metavar="FILE", help="Words to show instead of the usual ones; no number changes."),
]
Ensembled = Annotated[
    bool,
    typer.Option(
        "--ensemble",
        help="Go through the calibrated parameter sets, so that intervals hold what is not known, and not luck only; "
        "what a scenario sets itself stays.",
    ),
]
EnsembleFile = Annotated[
    str | None,
    typer.Option("--ensemble-file", metavar="FILE.csv", help="The same with parameter sets of your own."),
]


Survey = Annotated[
    str | None,
    typer.Option(
        "--survey",
        metavar="MONTH[,MONTH...]",
        help="Also ask members in these months; answers go to survey.csv, means and Cronbach's alpha are shown.",
    ),
]


# Commands


@app.command("list")
def list_scenarios() -> None:
    """Show the shipped scenarios."""
    from rich.table import Table
    from rich.text import Text

    from cej_sim.reading import load, shipped

    table = Table("Name", "What it is", box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for name in shipped():
        scenario = load(name)
        table.add_row(Text(name), Text.assemble((scenario.title, "bold"), "\n", " ".join(scenario.description.split())))
    console().print(table)


@app.command()
def check(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Scenario, design or story files, or shipped names.")
    ],
) -> None:
    """Check scenario files, designs of sweeps and stories, and name every mistake, with file, line and column."""
    from cej_sim.reading import is_a, read

    problems: list[str] = []
    for name in files:
        if is_a("design", name):
            problems += _check_design(name)
            continue
        if is_a("story", name) or _is_shipped_story(name):
            problems += _check_story(name)
            continue
        reading = read(name)
        if reading.scenario is not None:
            print(f"{plain(name)}: correct")
            for remark in reading.remarks:
                print(f"  note: {plain(remark)}")
        else:
            problems += map(str, reading.problems)
            problems += [f"{name}: note: {remark}" for remark in reading.remarks]
    if problems:
        raise InputError(*problems)


def _check_design(name: str) -> list[str]:
    """Check a design, and say what it would give; returns its mistakes, a line each."""
    from cej_sim.reading import ScenarioError
    from cej_sim.sweeps.design import Plan
    from cej_sim.sweeps.reading import read_design

    try:
        design = read_design(name)
        cells = len(Plan(design))
    except ScenarioError as error:
        return str(error).splitlines()
    except ImportError as error:
        raise Stop(*str(error).splitlines()) from error
    print(f"{plain(name)}: correct; a design of {cells:,} {'cell' if cells == 1 else 'cells'}")
    print(f"  note: to see what it would take: {plain(shlex.join(['cej-sim', 'sweep', name, '--dry-run']))}")
    return []


def _is_shipped_story(name: str) -> bool:
    """Whether a name is that of a story that comes with the package, and of no scenario."""
    from cej_sim.reading import shipped

    if not re.fullmatch("[A-Za-z0-9_]+", name) or name in shipped():
        return False
    from cej_sim.app import stories

    return name in stories.shipped()


def _check_story(name: str) -> list[str]:
    """Check a story, and try its claims against the model; returns its mistakes, a line each."""
    from cej_sim.app import stories

    try:
        story = stories.read_story(name)
    except stories.StoryError as error:
        return str(error).splitlines()
    with progress(f"Trying {count(len(story.checks), 'claim')} over {count(story.runs, 'run')}") as advance:
        tried = stories.try_checks(story, progress=advance)
    wrong = stories.failures(tried)
    if wrong:
        return wrong
    print(f"{plain(name)}: correct; a story of {count(len(story.steps), 'step')} and {story.minutes} minutes")
    for one in tried.values():
        wide = f"; through other parameter sets in {one.wide_times} of {one.wide_runs}" if one.wide_runs else ""
        hangs = ", so it hangs on numbers that nobody knows" if one.fragile else ""
        print(f"  {one.check.name}: in {one.times} of {one.runs} runs{wide}{hangs}")
    return []


@app.command()
def export(
    name: Annotated[str, typer.Argument(metavar="STORY", help="A guided story, by shipped name or path of a file.")],
    out: Annotated[
        str,
        typer.Option("--out", metavar="FILE", help="The page to write. It may exist if it is an earlier one of ours."),
    ] = "story.html",
) -> None:
    """Make one page of a guided story that plays without Python or internet, with a facilitator's sheet to print."""
    from cej_sim.app import export as exporting
    from cej_sim.app import stories

    try:
        story = stories.read_story(name)
    except stories.StoryError as error:
        raise InputError(*str(error).splitlines()) from None
    try:
        exporting.checked(out)
        with progress(f"Trying {count(len(story.checks), 'claim')} over {count(story.runs, 'run')}") as advance:
            made = exporting.export(story, out, progress=advance)
    except exporting.ExportError as error:
        raise InputError(f"--out: {error}") from None
    except stories.ClaimError as error:
        raise InputError(*str(error).splitlines()) from None
    print(
        f"{plain(str(made.path))}: {made.size / 1e6:.1f} MB; {count(made.steps, 'step')}, {story.minutes} minutes, "
        f"{count(len(made.tried), 'claim')} tried; open it in any browser, from a USB stick, too"
    )


@app.command()
def run(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="A", help="A scenario, by shipped name or path of a file.")],
    runs: Runs = "20",
    months: Months = None,
    seed: Seed = "0",
    settings: Set = None,
    out: Out = None,
    labels: Shown = None,
    ensemble: Ensembled = False,
    ensemble_file: EnsembleFile = None,
    survey: Survey = None,
) -> None:
    """Run one scenario many times, and show what happens in it."""
    from cej_sim.drawing import Artist

    artist = context.with_resource(Artist())
    asked = _prepare(
        [name],
        runs,
        seed,
        months,
        settings,
        out,
        labels,
        allow_unequal_budgets=True,
        alone=True,
        ensemble=ensemble,
        ensemble_file=ensemble_file,
        survey=survey,
    )

    from cej_sim.comparison import render_summary, summary_table
    from cej_sim.runs import simulate, table_months

    (scenario,) = asked.scenarios
    against = asked.against
    for remark in _remarks(asked.scenarios, settings or []):
        say(f"Note: {remark}.")
    title = f"{_title(scenario, asked.labels)}, {count(asked.runs, 'run')}"
    if against:
        title += f", and for its predictions {' and '.join(_title(other, asked.labels) for other in against)}"
    with progress(title) as advance:
        result = simulate(
            scenario,
            asked.runs,
            asked.seed,
            asked.months,
            progress=advance,
            against=against,
            command=command(context),
            ensemble=asked.ensemble,
        )
    result = _surveyed(replace(result, labels=asked.labels), asked.survey)
    drawn = artist.begin(result)
    for remark in result.provenance["warnings"]:
        say(f"Note: {remark}.")
    summary = summary_table(result.monthly, scenario.name, table_months(result.provenance["months"]))
    with _saved_if_unread(result, asked.directory, drawn), result.showing():
        show([render_summary(summary, result.titles[scenario.name]), *_predictions(result), *_survey(result)])
    show_files(_saved(result, asked.directory, drawn))


@app.command()
def compare(
    context: typer.Context,
    names: Names = None,
    runs: Runs = "100",
    months: Months = None,
    seed: Seed = "0",
    settings: Set = None,
    out: Out = None,
    labels: Shown = None,
    survey: Survey = None,
    allow_unequal_budgets: Annotated[
        bool, typer.Option("--allow-unequal-budgets", help="Compare scenarios although one has more money.")
    ] = False,
    bundle: Annotated[
        str | None,
        typer.Option(
            "--bundle",
            metavar="FILE.zip",
            help="Also pack scenario files, differences, predictions and results into one file, for handing in.",
        ),
    ] = None,
    ensemble: Ensembled = False,
    ensemble_file: EnsembleFile = None,
) -> None:
    """Run scenarios side by side with common luck; the first is compared with each of the others.

    Without names: collective_impact and community_led.
    """
    names = names or list(DEFAULT_PAIR)
    if len(names) == 1:
        raise InputError(f"{names[0]}: one scenario has nothing to be compared with; name a second one")
    from cej_sim.drawing import Artist

    artist = context.with_resource(Artist())
    asked = _prepare(
        names,
        runs,
        seed,
        months,
        settings,
        out,
        labels,
        allow_unequal_budgets,
        bundle,
        ensemble=ensemble,
        ensemble_file=ensemble_file,
        survey=survey,
    )

    from cej_sim import runs as computing
    from cej_sim.comparison import render

    remarks = _remarks(asked.scenarios, settings or [])
    remarks += [asked.ensemble.remark(asked.scenarios)] if asked.ensemble else []
    for remark in [*remarks, *computing.comparison_remarks(computing.unique_names(asked.scenarios), asked.months)]:
        say(f"Note: {remark}.")
    for wanted, who in computing.wanted_for_predictions(computing.unique_names(asked.scenarios)).items():
        say(f"Note: {' and '.join(who)} predicts something against {wanted}; to have it judged, add {wanted}.")
    titles = " and ".join(_title(scenario, asked.labels) for scenario in asked.scenarios)
    with warnings.catch_warnings(), progress(f"{titles}, {count(asked.runs, 'run')} each") as advance:
        warnings.simplefilter("ignore", computing.ComparisonWarning)
        result = computing.compare(
            *asked.scenarios,
            runs=asked.runs,
            seed=asked.seed,
            months=asked.months,
            progress=advance,
            allow_unequal_budgets=allow_unequal_budgets,
            command=command(context),
            ensemble=asked.ensemble,
        )
    result = _surveyed(replace(result, labels=asked.labels), asked.survey)
    drawn = artist.begin(result)
    with _saved_if_unread(result, asked.directory, drawn), result.showing():
        show([render(result.table, result.titles), *_predictions(result), *_survey(result)])
    files = _saved(result, asked.directory, drawn)
    show_files(files)
    if bundle and asked.gathered:
        options = ["--runs", str(asked.runs), "--seed", str(asked.seed)]
        options += [] if asked.months is None else ["--months", str(asked.months)]
        options += [word for setting in settings or [] for word in ("--set", setting)]
        options += ["--allow-unequal-budgets"] if allow_unequal_budgets else []
        options += ["--labels", "labels.yaml"] if labels else []
        options += ["--ensemble-file", "ensemble.csv"] if ensemble_file else ["--ensemble"] if ensemble else []
        options += ["--survey", ",".join(map(str, asked.survey))] if asked.survey else []
        _pack(Path(bundle), result, files, asked.gathered, options, asked.extra)


@contextmanager
def _saved_if_unread(result: Result, directory: Path, drawn: Callable[[], Drawn]) -> Iterator[None]:
    """Where nobody reads what is shown, the result is saved all the same before the command ends."""
    try:
        yield
    except BrokenPipeError:
        _saved(result, directory, drawn)
        raise


def _saved(result: Result, directory: Path, drawn: Callable[[], Drawn]) -> list[Path]:
    """Save a result; returns its files.

    Raises:
        Stop: If the disk fails, or somebody else put something there in the meantime.
    """
    from cej_sim.provenance import OutputError

    try:
        return result.save(directory, drawn)
    except OutputError as error:
        raise Stop(f"The results were not saved: {error}") from error


def _pack(
    path: Path,
    result: Result,
    files: Sequence[Path],
    gathered: Gathered,
    options: Sequence[str],
    extra: dict[str, bytes],
) -> None:
    """Pack a result that was saved into a bundle, in which only the bundle's own names of files appear.

    Raises:
        Stop: If the bundle cannot be written.
    """
    from cej_sim import bundle

    try:
        again = bundle.command(result.scenarios.values(), gathered, options)
        page = result.report(again).encode("utf-8", "backslashreplace")
        extra = {**extra, f"{bundle.RESULTS}/report.html": page}
        said = {**result.provenance, "command": again}
        written = bundle.write(path, result.scenarios, files, said, gathered, extra)
    except bundle.BundleError as error:
        raise Stop(*(f"The bundle was not made: {line}" for line in error.lines)) from error
    print(f"  {plain(str(written))}")


sweeping.add_to(app)


@app.command()
def explain(
    name: Annotated[str, typer.Argument(metavar="FILE", help="A scenario file, or a shipped name.")],
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Instead, every value with the file and line it came from.")
    ] = False,
) -> None:
    """Say in plain sentences what the rules of a scenario mean together."""
    from cej_sim.explaining import render_explanation, render_resolved
    from cej_sim.reading import read

    reading = read(name)
    if reading.scenario is None:
        raise InputError(*map(str, reading.problems))
    shown = console()
    shown.print(render_resolved(reading, shown.width) if resolved else render_explanation(reading.scenario))


@app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A scenario, by shipped name or path of a file.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The scenario that it is held against.")],
) -> None:
    """List the rules that differ between two scenarios, by principle, with the reasons that B gives."""
    (first, second), problems = _load([a, b])
    if first is None or second is None:
        raise InputError(*problems)

    from cej_sim.explaining import render_differences

    console().print(render_differences(first, second))


@app.command()
def new(
    file: Annotated[str, typer.Argument(metavar="NAME", help="The file to write, such as my.yaml.")],
    source: Annotated[
        str, typer.Option("--from", metavar="A", help="The scenario to begin from, by shipped name or path.")
    ] = "community_led",
) -> None:
    """Write a commented scenario file to begin with; nothing is overwritten."""
    from cej_sim.authoring import AuthoringError, create
    from cej_sim.reading import ScenarioError

    try:
        written = create(Path(file), source)
    except (AuthoringError, ScenarioError) as error:
        raise InputError(*str(error).splitlines()) from None
    print(f"{plain(str(written[0]))}: written; open it in an editor and change a rule")
    for other in written[1:]:
        print(f"{plain(str(other))}: written; it tells editors what may stand in a scenario file")


@app.command("app")
def open_app(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="A ...", help="One or two scenarios to begin with, and more to choose from."),
    ] = None,
    port: Annotated[str, typer.Option("--port", metavar="N", help="Where it listens; 0 takes any free port.")] = "8765",
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="0.0.0.0 lets others in your network reach it, too.")
    ] = "127.0.0.1",
    presenter: Annotated[
        bool, typer.Option("--presenter", help="Open in large type with few levers, for a projector.")
    ] = False,
    language: Annotated[
        str, typer.Option("--language", metavar="CODE", help="Of the page's words: en (English) or es (Spanish).")
    ] = "en",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
) -> None:
    """Open the trainer's room in a browser: two coalitions side by side, with levers and stories. Needs no internet."""
    from cej_sim.app import server

    loaded, problems = _load(names or [])
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        problems.append(f"--port: {port[:30]} is not a port; write a whole number from 0 to 65535")
    from cej_sim.app import texts
    from cej_sim.nodes import either

    if language not in texts.languages():
        problems.append(f"--language: there is no {plain(language[:20])}; write {either(texts.languages())}")
    lacking = server.missing()
    problems += [lacking] if lacking else []
    if problems:
        raise InputError(*problems)

    from cej_sim.reading import shipped
    from cej_sim.runs import unique_names

    found = [one for one in loaded if one is not None]
    own = unique_names(one for one, name in zip(found, names or [], strict=True) if name not in shipped())
    own = {f"{name} (file)" if name in shipped() else name: one for name, one in own.items()}
    known = {id(one): name for name, one in own.items()}
    sides = [known.get(id(one), one.name) for one in found][:2] or list(DEFAULT_PAIR)
    try:
        server.serve(
            own, sides, host=host, port=int(port), presenter=presenter, language=language, browser=not no_browser,
            say=_say_now,
        )  # fmt: skip
    except server.ServerError as error:
        raise InputError(str(error)) from None


def _say_now(line: str) -> None:
    """A line that whoever waits for it reads at once."""
    print(plain(line), flush=True)


@app.command()
def schema() -> None:
    """Print the JSON schema of a scenario file, for editors."""
    from cej_sim.authoring import schema_text

    sys.stdout.write(schema_text())


# Reading what is asked


def _prepare(
    names: Sequence[str],
    runs: str,
    seed: str,
    months: str | None,
    settings: Sequence[str] | None,
    out: str | None,
    labels: str | None,
    allow_unequal_budgets: bool,
    bundle: str | None = None,
    alone: bool = False,
    ensemble: bool = False,
    ensemble_file: str | None = None,
    survey: str | None = None,
) -> Request:
    """The scenarios with the settings made, the numbers, the directory for the results, and what else is named.

    ``alone`` also reads what predictions of the scenarios are held against.

    Raises:
        InputError: With every mistake in names, files, options and settings.
    """
    loaded, problems = _load(names, settings or [])

    from cej_sim import runs as computing
    from cej_sim.provenance import OutputError, check_output

    numbers: dict[str, int] = {}
    for option, text in (("runs", runs), ("months", months), ("seed", seed)):
        if text is not None:
            if re.fullmatch(r"-?[0-9]{1,20}", text):
                numbers[option] = int(text)
            else:
                shown = text if len(text) <= 30 else f"{text[:30]}..."
                problems.append(f"--{option}: {shown} is not a whole number; write digits only, e.g. --{option} 60")
    problems += [f"--{line}" for line in computing.request_problems(**numbers)]

    scenarios = [scenario for scenario in loaded if scenario is not None]
    named = computing.unique_names(scenarios)
    problems += [f"--{line}" for line in computing.horizon_problems(named, numbers.get("months"))]
    if not problems:
        months_run = computing.common_months(named, numbers.get("months"))
        problems += [f"--{line}" for line in computing.memory_problems(len(named), numbers["runs"], months_run)]
    if len(scenarios) == len(names) and not allow_unequal_budgets:
        problems += computing.budget_refusals(named, max(1, numbers.get("months", 10**6)))
    asked_in: list[int] = []
    if survey is not None:
        listed = [word.strip() for word in survey.split(",")]
        if all(re.fullmatch(r"[0-9]{1,4}", word) for word in listed):
            asked_in = sorted(set(map(int, listed)))
        else:
            problems.append(f"--survey: {survey[:30]} is not a list of months; write them such as --survey 24,60")
        if scenarios and len(scenarios) == len(names):
            last = computing.common_months(named, max(1, numbers.get("months", 10**6)))
            problems += [f"--{line}" for line in computing.survey_problems(asked_in, last) if asked_in]
    directory = Path(out) if out is not None else Path("results") / _folder(named or names, settings or [])
    try:
        if out is not None and not out.strip():
            raise OutputError("there is no name; name a directory for the results")
        directory = check_output(directory)
    except OutputError as error:
        problems.append(f"--out: {error}")
    against: list[Scenario | None] = []
    if alone:
        against, found = _load(list(computing.wanted_for_predictions(named)), settings or [])
        problems += [line for line in found if line not in problems]
    words, extra = None, {}
    if labels is not None:
        everybody = [*loaded, *against]
        words, found = _words(labels, [one.name for one in everybody if one is not None], None in everybody)
        problems += found
        extra = {"labels.yaml": Path(labels).read_bytes()} if words is not None else {}
    sets, found = _ensemble(ensemble_file) if ensemble or ensemble_file is not None else (None, [])
    problems += found
    if sets is not None and ensemble_file is not None:
        extra["ensemble.csv"] = Path(ensemble_file).read_bytes()
    gathered = None
    if bundle is not None:
        from cej_sim import bundle as packing

        tasks: list[Callable[[], Any]] = [lambda: packing.check_bundle(Path(bundle))]
        if not problems:
            tasks += [lambda: packing.gather([one.path for one in scenarios if one.path is not None])]
        for task in tasks:
            try:
                gathered = task()
                if gathered is not None:
                    packing.places(gathered)
            except packing.BundleError as error:
                problems += [f"--bundle: {line}" for line in error.lines]
    if problems:
        raise InputError(*problems)
    return Request(
        scenarios,
        [one for one in against if one is not None],
        directory,
        numbers["runs"],
        numbers["seed"],
        numbers.get("months"),
        words,
        gathered,
        extra,
        sets,
        asked_in,
    )


def _folder(names: Iterable[str], settings: Sequence[str] = ()) -> str:
    """A directory name from scenario names and settings: ``a-vs-b``, ``a-vs-b-with-decide.rule-majority``."""

    def as_name(text: str) -> str:
        return re.sub(r"[^\w.-]+", "-", text).strip("-.")

    changed = "".join(f"-with-{as_name(setting.removeprefix('governance.'))}" for setting in settings)
    return ("-vs-".join(as_name(name) or "scenario" for name in names) + changed)[:120]


def _load(names: Sequence[str], settings: Sequence[str] = ()) -> tuple[list[Scenario | None], list[str]]:
    """A scenario for each name, with the settings made; None where there is a mistake; all mistakes, a line each."""
    from cej_sim.reading import ScenarioError, load, read_set

    scenarios: list[Scenario | None] = []
    problems: list[str] = []
    for name in names:
        scenario = None
        try:
            scenario = load(name)
            scenario = read_set(settings, scenario) if settings else scenario
        except ScenarioError as error:
            # What --set gets wrong in one scenario is often wrong in all of them: say it once.
            problems += [line for line in str(error).splitlines() if line not in problems]
            scenario = None
        scenarios.append(scenario)
    return scenarios, problems


def _words(file: str, scenarios: Sequence[str], incomplete: bool) -> tuple[Labels | None, list[str]]:
    """What a labels file says, and its mistakes, a line each; names of scenarios are known only if all were read."""
    from cej_sim.labels import read_labels
    from cej_sim.reading import ScenarioError

    try:
        return read_labels(file, scenarios), []
    except ScenarioError as error:
        return None, [
            str(problem) for problem in error.problems if not (incomplete and problem.path.startswith("scenarios."))
        ]


def _ensemble(file: str | None) -> tuple[Ensemble | None, list[str]]:
    """The parameter sets of a file, or those shipped, and their mistakes, a line each."""
    from cej_sim.ensemble import Ensemble, EnsembleError

    try:
        return Ensemble.read(file), []
    except EnsembleError as error:
        option = "--ensemble" if file is None else "--ensemble-file"
        return None, [f"{option}: {line}" for line in str(error).splitlines()]


def _title(scenario: Scenario, words: Labels | None) -> str:
    """What a scenario is called."""
    return words.scenarios.get(scenario.name, scenario.title) if words else scenario.title


def _remarks(scenarios: Sequence[Scenario], settings: Sequence[str] = ()) -> list[str]:
    """What people should know about correct scenarios, and what was set on the command line."""
    from cej_sim.scenario import vote_remarks

    found = [f"set for this command: {', '.join(settings)}"] if settings else []
    for scenario in scenarios:
        found += [f"{scenario.title}: {remark}" for remark in vote_remarks(scenario)]
    return found


def _surveyed(result: AnyResult, months: Sequence[int]) -> AnyResult:
    """The result with a survey in these months, if there are any."""
    if not months:
        return result
    listed = " and ".join(filter(None, [", ".join(map(str, months[:-1])), str(months[-1])]))
    with progress(f"Survey of members in {'month' if len(months) == 1 else 'months'} {listed}") as advance:
        return result.with_survey(*months, progress=advance)


def _survey(result: Result) -> Sequence[RenderableType]:
    """What the survey says of each scale, if there was one."""
    if result.surveyed is None:
        return []
    from cej_sim.scales import render_survey, survey_summary

    return render_survey(survey_summary(result.surveyed), result.titles)


def _predictions(result: Result) -> list[RenderableType]:
    """The table of predictions, if there are any."""
    from cej_sim.predictions import render

    return [] if result.predictions.empty else ["", render(result.predictions, result.all_titles)]


# The door


#: Signals that ask a program to end, which would do so without its clearing up: of the system or of a cluster's
#: scheduler, and of a terminal that is closed.
_ENDS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def main() -> None:
    """Run the command line and leave with its exit status."""
    # Loading libraries makes hundreds of thousands of objects that stay: looking through them again and again for what
    # could be thrown away takes a tenth of a short command's time.
    gc.set_threshold(100_000, 20, 50)
    # Linear algebra is asked for small tables only. Its threads, of which each library begins its own, wait for work by
    # keeping a processor busy, which takes a quarter of a second from those who compute.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Who closed its own output (`>&-`) wants to see nothing, but the results.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
    # Where a terminal or file cannot hold a sign, a plain one takes its place.
    codecs.register_error("cej_sim.plain", _plain_signs)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="cej_sim.plain")
    asked: list[int] = []

    def end(number: int, _: object) -> None:
        asked.append(number)
        if number != signal.SIGTERM:  # the only one for which a library that serves has a handler of its own
            signal.raise_signal(signal.SIGTERM)
        else:
            raise KeyboardInterrupt

    for number in _ENDS:
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup`, say, has it ignored
            signal.signal(number, end)
    answer = _status_unless_unread(sys.argv[1:])
    if asked and answer == INTERRUPTED:
        answer = 128 + asked[0]
    gc.freeze()  # nor at the end, which would take half a second: all of it goes with the process
    sys.exit(answer)


def _status_unless_unread(arguments: Sequence[str]) -> int:
    """The exit status; a reader that has seen enough (`| head`) ends the program silently, as with any other command.

    The system's signal for that would do it, too, but also where a browser or a worker process goes away.
    """
    try:
        answer = status(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        return UNREAD
    return answer


#: What stands for signs that an encoding lacks.
_PLAIN = {"−": "-", "–": "-", "—": "-", "↑": "^", "↓": "v", "…": "...", "→": "->", "×": "x", "·": "-"}


def _plain_signs(error: UnicodeError) -> tuple[str, int]:
    """An error handler of encoding: plain signs instead of those that cannot be encoded, else a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


def status(arguments: Sequence[str]) -> int:
    """Run the command line with these arguments; returns the exit status."""
    given = list(arguments)
    try:
        os.getcwd()
    except OSError:
        say("cej-sim: the folder in which it was started is gone; change to another one (cd) and try again")
        return WRONG_INPUT
    try:
        answer = app(given or ["--help"], prog_name="cej-sim", standalone_mode=False, obj=given)
    except InputError as error:
        say(*error.args)
        return WRONG_INPUT
    except USAGE_ERROR as error:
        command = error.ctx.command_path if getattr(error, "ctx", None) else "cej-sim"
        say(f"{command}: {_one_line(error.format_message())} (see {command} --help)")
        return WRONG_INPUT
    except Stop as stop:
        say(*stop.args)
        return stop.status
    except (KeyboardInterrupt, typer.Abort):
        answer = INTERRUPTED
    except BrokenPipeError:
        raise
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # which the command line takes for a failure
            raise BrokenPipeError from None
        raise
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        say(f"cej-sim failed: {type(error).__name__}: {_one_line(str(error))} (set {DEBUG}=1 to see where)")
        return FAILED
    if answer == INTERRUPTED:
        say("", "Stopped.")
    return int(answer or DONE)


def _one_line(text: str) -> str:
    return " ".join(text.split())
