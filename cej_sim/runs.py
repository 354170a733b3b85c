"""Many runs of one scenario, paired runs of several, and the probes that double a run.

Run r of a seed has one key, whatever else is computed: the first hundred of two hundred runs are the
hundred, and scenarios of a comparison share their luck run by run. Runs go over a pool of threads,
which works because the compiled months release the interpreter lock; each run writes its own rows of
one array, so neither batch, number of threads nor order can change a result.
"""

from __future__ import annotations

import html
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cej_sim import compiled, provenance
from cej_sim.draws import run_key
from cej_sim.ensemble import Ensemble
from cej_sim.explaining import differences
from cej_sim.instruments import change_log, survey
from cej_sim.metrics import METRICS, NAMES
from cej_sim.month import measure, run_months
from cej_sim.parameters import Value
from cej_sim.population import populate
from cej_sim.processes import usable_processors
from cej_sim.scales import coded, spectra_table
from cej_sim.scenario import CHANGEABLE, COMMUNITY, NETWORK, PARAMETERS, Event, Scenario, encode_events
from cej_sim.state import KINDS, State
from cej_sim.warmup import prepare

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cej_sim.comparison import Labels
    from cej_sim.predictions import Prediction

#: The months at which a comparison is tabulated (those that were run, and the last).
TABLE_MONTHS = (24, 60, 120)

#: How many months of one agent are computed, at the most, before looking whether somebody wants to stop: a fraction of
#: a second. Looking more often has threads wait for each other, which takes a sixth of the time of a small community.
_STRETCH = 500_000

_CHANGE_COLUMNS = {
    "scenario": "str", "run": "int32", "month": "int32", "event": "str", "category": "str", "subject": "str",
    "count": "int32", "text": "str",
}  # fmt: skip

#: What decides how much money a coalition may have.
MONEY = ("funder.grant", "funder.grant_end", "funder.contribution")

Progress = Callable[[int, int], None]


class ComparisonWarning(UserWarning):
    """What a reader of a comparison should be told."""


class RequestError(ValueError):
    """What was asked for cannot be computed; each line of the message says what is wrong and what to write."""


# What may be asked for


def request_problems(
    *, runs: int = 1, seed: int = 0, months: int | None = None, threads: int | None = None
) -> list[str]:
    """What is wrong with the numbers of a request, a line for each mistake."""
    problems = []
    if _not_whole(runs) or runs < 1:
        problems.append(f"runs: {runs} is not a number of runs; write a whole number of at least 1")
    if months is not None and (_not_whole(months) or months < 1):
        problems.append(f"months: {months} is not a number of months; write a whole number of at least 1")
    if _not_whole(seed) or not 0 <= seed < 2**64:
        problems.append(f"seed: {seed} is not a seed; write a whole number of at least 0 (and below 2**64)")
    if threads is not None and (_not_whole(threads) or threads < 1):
        problems.append(f"threads: {threads} is not a number of threads; write a whole number of at least 1")
    return problems


def _not_whole(value: object) -> bool:
    return isinstance(value, bool) or not isinstance(value, int | np.integer)


def grant_schedule(scenario: Scenario, months: int) -> NDArray[np.float64]:
    """The grant promised for each month 1 ... ``months``, in staff-months: what is paid if every renewal succeeds.

    Events that change the funder's terms are counted, motions as if they were carried.
    """
    terms = {path: float(scenario[path]) for path in MONEY}
    schedule = np.zeros(months)
    going_on = terms["funder.grant_end"] > 0
    for month in range(months):
        for event in scenario.events:
            if event.month == month:
                terms.update({path: float(value) for path, value in event.set if path in terms})
        # The money of a month is fixed at the end of the month before.
        going_on = going_on and (month == 0 or month < terms["funder.grant_end"])
        schedule[month] = terms["funder.grant"] if going_on else 0.0
    return schedule


def budget_difference(a: Scenario, b: Scenario, months: int) -> str:
    """How the money of two scenarios differs over some months, with both amounts; empty where it does not."""
    total_a, total_b = (grant_schedule(scenario, months) for scenario in (a, b))
    paths = [path for path in MONEY if a[path] != b[path]]
    listed = ", ".join(f"{path} {_plain(a[path])} against {_plain(b[path])}" for path in paths)
    if not np.array_equal(total_a, total_b):
        amounts = f"grants of {total_a.sum():g} against {total_b.sum():g} staff-months over {months} months"
        return f"{amounts} ({listed or 'paid at different times'})"
    return listed if "funder.contribution" in paths else ""


def differing_communities(a: Scenario, b: Scenario) -> list[str]:
    """In what the communities of two scenarios differ: people, groups, issues or network."""
    paths = [parameter.path for parameter in (*COMMUNITY, *NETWORK)]
    found = [f"{path} {_plain(a[path])} against {_plain(b[path])}" for path in paths if a[path] != b[path]]
    found += ["groups"] if a.groups != b.groups else []
    found += ["issues"] if a.issues != b.issues else []
    found += ["network file"] if a.network_file != b.network_file else []
    return found


def differing_rules(scenarios: Mapping[str, Scenario]) -> list[tuple[str, ...]]:
    """Everything in which scenarios differ, for people: (what, value in the first, value in the second, ...).

    Two scenarios differ in what ``explaining.differences`` lists, counted alike.
    """
    all_of_them = list(scenarios.values())
    if len(all_of_them) == 2:
        found = differences(*all_of_them)
        return [(row.label, row.a, row.b) for listed in found.values() for row in listed]
    rows = [
        (parameter.label, *(_plain(scenario[path]) for scenario in all_of_them))
        for path, parameter in PARAMETERS.items()
        if any(scenario[path] != all_of_them[0][path] for scenario in all_of_them)
    ]
    texts = {
        "Groups": [", ".join(group.name for group in scenario.groups) for scenario in all_of_them],
        "Issues": [", ".join(issue.name for issue in scenario.issues) for scenario in all_of_them],
        "Network file": [file.path.name if (file := scenario.network_file) else "none" for scenario in all_of_them],
        "Events": [_events_in_words(scenario) for scenario in all_of_them],
    }
    return rows + [(what, *words) for what, words in texts.items() if len(set(words)) > 1]


def _events_in_words(scenario: Scenario) -> str:
    events = [
        f"month {event.month} by {event.by}: "
        + ", ".join(f"{PARAMETERS[path].label} {_plain(value)}" for path, value in event.set)
        for event in scenario.events
    ]
    return "; ".join(events) or "none"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def budget_refusals(scenarios: Mapping[str, Scenario], months: int | None = None) -> list[str]:
    """Why scenarios cannot be compared fairly: a line for each whose money differs from the first's."""
    (first, a), *others = scenarios.items()
    months = common_months(scenarios, months)
    return [
        f"{first} and {name} do not have the same money: {difference}; "
        "make it equal, or compare them as they are with --allow-unequal-budgets (allow_unequal_budgets=True)"
        for name, b in others
        if (difference := budget_difference(a, b, months))
    ]


def common_months(scenarios: Mapping[str, Scenario], months: int | None = None) -> int:
    """The months that all scenarios run: the shortest horizon, or fewer if fewer are asked for."""
    shortest = min(scenario.months for scenario in scenarios.values())
    return shortest if months is None else min(int(months), shortest)


def unique_names(scenarios: Iterable[Scenario]) -> dict[str, Scenario]:
    """Scenarios by name; a name that comes again is numbered: ``mine``, ``mine (2)``.

    Raises:
        TypeError: If something is not a scenario.
    """
    named: dict[str, Scenario] = {}
    for scenario in scenarios:
        if not isinstance(scenario, Scenario):
            raise TypeError(f"{scenario!r} is not a scenario; load it first: cej_sim.load(...)")
        name, number = scenario.name, 1
        while name in named:
            number += 1
            name = f"{scenario.name} ({number})"
        named[name] = scenario
    return named


def titles(scenarios: Mapping[str, Scenario]) -> dict[str, str]:
    """Name -> title for people; where a title comes twice, the name is added."""
    plain = [scenario.title for scenario in scenarios.values()]
    return {
        name: f"{scenario.title} [{name}]" if plain.count(scenario.title) > 1 else scenario.title
        for name, scenario in scenarios.items()
    }


def _request(
    scenarios: Mapping[str, Scenario], runs: int, seed: int, months: int | None, threads: int | None
) -> tuple[int, int]:
    """The months and threads to compute with.

    Raises:
        RequestError: With a line for each mistake.
    """
    problems = request_problems(runs=runs, seed=seed, months=months, threads=threads)
    problems += horizon_problems(scenarios, months)
    if not problems:
        problems += memory_problems(len(scenarios), runs, common_months(scenarios, months))
    if problems:
        raise RequestError("\n".join(problems))
    return (
        common_months(scenarios, months),
        usable_processors() if threads is None else int(threads),
    )


def horizon_problems(scenarios: Mapping[str, Scenario], months: int | None) -> list[str]:
    """A line for each scenario that ends before the months asked for."""
    return [
        f"months: {months} is more than the {scenario.months} months of {name}; "
        f"write at most {scenario.months}, or set a longer `months:` in the scenario"
        for name, scenario in scenarios.items()
        if months is not None and not _not_whole(months) and months > scenario.months
    ]


def memory_problems(scenarios: int, runs: int, months: int) -> list[str]:
    """A line if the tables of so many runs would not fit into this computer's memory.

    Results are held twice while they are put together, as an array and as a table.
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return []  # a system that does not say
    row = 2 * 8 * len(METRICS) * (months + 1) * scenarios
    if runs * row <= memory:
        return []
    return [
        f"runs: {runs} runs of {months} months need about {runs * row / 1e9:,.0f} GB and this computer has "
        f"{memory / 1e9:,.0f} GB; write at most {memory // row}"
    ]


# Predictions


def _file_of(name_or_path: str) -> str:
    """The one path of a scenario that a shipped name or a path stands for."""
    from cej_sim.reading import shipped

    return os.path.realpath(shipped().get(name_or_path, name_or_path))


def held_against(against: str, predicting: str, scenarios: Mapping[str, Scenario]) -> str | None:
    """The name that the scenario of an expectation has among some scenarios; None where it is not there.

    It is the same file, or, for scenarios without a file, the same name. The predicting one itself comes last.
    """
    file = _file_of(against)
    found = [
        name
        for name, one in scenarios.items()
        if (one.name == against if one.path is None else os.path.realpath(one.path) == file)
    ]
    return next((name for name in found if name != predicting), found[0] if found else None)


def predictions_of(scenarios: Mapping[str, Scenario], among: Mapping[str, Scenario] | None = None) -> list[Prediction]:
    """What scenarios expect, as ``predictions.judge`` wants it; ``among`` are all those that are run."""
    from cej_sim.predictions import Prediction

    return [
        Prediction(
            name,
            one.metric,
            one.month,
            one.direction,
            one.against,
            held_against(one.against, name, scenarios if among is None else among),
        )
        for name, scenario in scenarios.items()
        for one in scenario.expect
    ]


def wanted_for_predictions(scenarios: Mapping[str, Scenario]) -> dict[str, list[str]]:
    """Scenarios that predictions are held against and that are not there: name or path -> titles of who predicts."""
    from cej_sim.reading import shipped

    known, wanted = shipped(), dict[str, list[str]]()
    for one in predictions_of(scenarios):
        if one.other is None:
            path = Path(one.against)
            inside = one.against not in known and path.is_relative_to(Path.cwd())
            shown = str(path.relative_to(Path.cwd())) if inside else one.against
            who = wanted.setdefault(shown, [])
            who += [title for title in [scenarios[one.scenario].title] if title not in who]
    return wanted


# Computing


def run_once(
    scenario: Scenario,
    key: np.uint64,
    out: NDArray[np.float64],
    stop: threading.Event | None = None,
    events: Any = None,
) -> State:
    """One run: month 0 and then month by month, without Mesa.

    Args:
        scenario: What to run.
        key: The run's key, see ``key_of``.
        out: ``(months + 1, len(METRICS))``, filled: row m is the state after m steps.
        stop: When it is set, the run is left unfinished at the next stretch of months.
        events: ``encode_events(scenario)``, if it was made before.

    Returns:
        The state after the last month.

    Raises:
        RequestError: If the scenario's community cannot be built.
    """
    events = encode_events(scenario) if events is None else events
    state = start(scenario, key)
    measure(state, 0, out[0])
    months, stretch = len(out) - 1, _stretch(state)
    for done in range(0, months, stretch):
        if stop is not None and stop.is_set():
            break
        run_months(state, events, key, done, out[done + 1 : min(done + stretch, months) + 1])
    return state


def _stretch(state: State) -> int:
    """How many months of a community are computed in one go."""
    return max(1, _STRETCH // state.kind.size)


def start(scenario: Scenario, key: np.uint64, permuted: int | None = None) -> State:
    """The state at month 0; ``permuted`` as for ``populate``.

    Raises:
        RequestError: If the scenario's community cannot be built.
    """
    try:
        return populate(scenario, int(key), permuted=permuted)
    except ValueError as error:
        raise RequestError(f"{scenario.name}: {error}") from error


def survey_problems(months: Sequence[int], last: int) -> list[str]:
    """What is wrong with the months of a survey, a line for each mistake; ``last`` is the last month that is run."""
    if not months:
        return ["survey: no month is named; write the months to ask in, such as 24,60"]
    return [
        f"survey: {month} is not a month that is run; write whole numbers from 1 to {last}"
        for month in months
        if _not_whole(month) or not 1 <= month <= last
    ]


def _answers(
    scenarios: Mapping[str, Scenario],
    run_numbers: Sequence[int],
    seed: int,
    months: Sequence[int],
    threads: int,
    progress: Progress | None,
    ensemble: Ensemble | None = None,
) -> pd.DataFrame:
    """What members answer in some months, ascending, of every scenario and run."""
    events = {name: encode_events(scenario) for name, scenario in scenarios.items()}
    answers: dict[tuple[str, int, int], pd.DataFrame] = {}

    def work(task: tuple[int, str], stop: threading.Event) -> None:
        run, name = task
        key = key_of(seed, run)
        scenario = scenarios[name] if ensemble is None else ensemble.apply(scenarios[name], run)
        state, done = start(scenario, key), 0
        for month in months:
            while done < month and not stop.is_set():
                stretch = min(_stretch(state), month - done)
                run_months(state, events[name], key, done, np.empty((stretch, len(METRICS))))
                done += stretch
            given = survey(state, int(key), month)
            given.insert(0, "month", month)
            given.insert(0, "run", run)
            given.insert(0, "scenario", name)
            answers[name, run, month] = given

    _each([(run, name) for run in run_numbers for name in scenarios], work, threads, progress)
    order = [(name, run, month) for name in scenarios for run in run_numbers for month in months]
    return pd.concat([answers[one] for one in order], ignore_index=True)


def key_of(seed: int, run: int) -> np.uint64:
    """The key of a run of a seed, of the type that the kernels were compiled for."""
    return np.uint64(run_key(np.uint64(seed), np.uint64(run)))


def _each(
    tasks: Sequence[Any],
    work: Callable[[Any, threading.Event], None],
    threads: int,
    progress: Progress | None,
) -> None:
    """Do every task on a pool of threads; on the first failure or Ctrl-C, stop the others and raise."""
    prepare()
    stop = threading.Event()
    if progress is not None:
        progress(0, len(tasks))
    with ThreadPoolExecutor(min(threads, len(tasks)), thread_name_prefix="cej-sim") as pool:
        try:
            futures = [pool.submit(work, task, stop) for task in tasks]
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                if progress is not None:
                    progress(done, len(tasks))
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _compute(
    scenarios: Mapping[str, Scenario],
    run_numbers: Sequence[int],
    seed: int,
    months: int | Mapping[str, int],
    threads: int,
    progress: Progress | None,
    ensemble: Ensemble | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run every scenario with every run number of a seed: the monthly table and the changes.

    With an ensemble, a run uses the set of its number.
    """
    length = dict.fromkeys(scenarios, months) if isinstance(months, int) else months
    out = {name: np.empty((len(run_numbers), length[name] + 1, len(METRICS))) for name in scenarios}
    events = {name: encode_events(scenario) for name, scenario in scenarios.items()}
    changes: dict[tuple[str, int], list[dict[str, Any]]] = {}

    def work(task: tuple[int, str], stop: threading.Event) -> None:
        row, name = task
        scenario = scenarios[name] if ensemble is None else ensemble.apply(scenarios[name], run_numbers[row])
        state = run_once(scenario, key_of(seed, run_numbers[row]), out[name][row], stop, events[name])
        changes[name, row] = change_log(state, scenarios[name])

    _each([(row, name) for row in range(len(run_numbers)) for name in scenarios], work, threads, progress)
    monthly = pd.concat([_monthly_frame(name, run_numbers, rows) for name, rows in out.items()], ignore_index=True)
    return monthly, _change_frame(scenarios, run_numbers, changes)


def _monthly_frame(name: str, run_numbers: Sequence[int], rows: NDArray[np.float64]) -> pd.DataFrame:
    """A row per run and month; columns ``scenario run month`` and the metrics, from (runs, months + 1, metrics)."""
    runs, months, metrics = rows.shape
    frame = pd.DataFrame(rows.reshape(runs * months, metrics), columns=list(NAMES))
    frame.insert(0, "month", np.tile(np.arange(months, dtype=np.int32), runs))
    frame.insert(0, "run", np.repeat(np.asarray(run_numbers, np.int32), months))
    frame.insert(0, "scenario", name)
    return frame


def _change_frame(
    scenarios: Iterable[str], run_numbers: Sequence[int], changes: Mapping[tuple[str, int], list[dict[str, Any]]]
) -> pd.DataFrame:
    """The dated logs of all runs in one table, by scenario, run and month."""
    logs = [(name, run, changes[name, row]) for name in scenarios for row, run in enumerate(run_numbers)]
    columns: dict[str, list[Any]] = {
        "scenario": [name for name, _, log in logs for _ in log],
        "run": [run for _, run, log in logs for _ in log],
    }
    for column in list(_CHANGE_COLUMNS)[2:]:
        columns[column] = [record[column] for *_, log in logs for record in log]
    return pd.DataFrame(columns).astype(_CHANGE_COLUMNS)


# Results


class Drawn(NamedTuple):
    """What of a result is drawn: the page as HTML, and the picture as a PNG file."""

    report: str
    picture: bytes


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """Runs of one scenario.

    Attributes:
        scenarios: The scenarios by the name that the tables give them.
        monthly: A row per scenario, run and month, by month from 0 (the start); columns ``scenario run month``
            and one per metric (see ``metrics.METRICS`` for units).
        changes: The dated log; columns ``scenario run month event category subject count text``.
        provenance: Versions, resolved scenarios, seed: everything needed to compute this again.
        predictions: What the scenarios' files expect and what came out, in the columns of ``predictions.csv``; see
            ``predictions.judge`` for their meaning. Empty where they expect nothing.
        against: Scenarios that were run only to judge predictions, by name; no table holds them.
        labels: Words to show in the picture and the report instead of the usual ones; see ``labels.read_labels``.
        surveyed: The answers of members that are saved and reported, as ``survey`` gives them; None where nobody was
            asked. See ``with_survey``.
        ensemble: The parameter sets that the runs went through; None where all had the scenarios' own.
    """

    scenarios: dict[str, Scenario]
    monthly: pd.DataFrame
    changes: pd.DataFrame
    provenance: dict[str, Any]
    predictions: pd.DataFrame = field(kw_only=True)
    against: dict[str, Scenario] = field(kw_only=True, default_factory=dict)
    labels: Labels | None = field(kw_only=True, default=None)
    surveyed: pd.DataFrame | None = field(kw_only=True, default=None)
    ensemble: Ensemble | None = field(kw_only=True, default=None)
    _picture: ClassVar[str] = "run.png"

    @property
    def titles(self) -> dict[str, str]:
        """Name -> title for people."""
        return {name: title for name, title in self.all_titles.items() if name in self.scenarios}

    @property
    def all_titles(self) -> dict[str, str]:
        """The titles, also of the scenarios that were run only to judge predictions."""
        scenarios, given = {**self.scenarios, **self.against}, self.labels.scenarios if self.labels else {}
        return titles({name: replace(one, label=given.get(one.name, one.label)) for name, one in scenarios.items()})

    def showing(self) -> AbstractContextManager[None]:
        """In this context, everything is shown in the result's own words; see ``labels``."""
        from cej_sim.comparison import Labels, labeled

        return labeled(self.labels or Labels())

    def plot(self) -> Figure:
        """The runs' trajectories as a matplotlib figure."""
        from cej_sim import plots

        (name,) = self.scenarios
        with self.showing():
            return plots.run_figure(self.monthly, self.titles[name], self._grant_ends(), **self._footer())

    def survey(self, *months: int, threads: int | None = None, progress: Progress | None = None) -> pd.DataFrame:
        """What members answer to the items of the survey, see ``scales.SURVEY_ITEMS``.

        The runs are computed again, with the same luck, as far as the last of the months.

        Args:
            months: When they are asked, from 1 to the last month that was run.
            threads, progress: As for ``simulate``.

        Returns:
            A row per scenario, run, month and member who came to the meeting of that month; columns ``scenario run
            month row kind`` and the items, 1 strongly agree to 5 strongly disagree.

        Raises:
            RequestError: If a month is impossible; a ``ValueError``.
        """
        problems = survey_problems(months, self.provenance["months"])
        if problems:
            raise RequestError("\n".join(problems))
        asked = sorted({int(month) for month in months})
        seed, runs = self.provenance["seed"], range(self.provenance["runs"])
        threads = usable_processors() if threads is None else threads
        return _answers(self.scenarios, runs, seed, asked, threads, progress, self.ensemble)

    def with_survey(self, *months: int, progress: Progress | None = None) -> Self:
        """This result, with a survey of members in these months saved and reported; see ``survey``."""
        asked = sorted({int(month) for month in months})
        return replace(
            self,
            surveyed=self.survey(*months, progress=progress),
            provenance={**self.provenance, "survey_months": asked},
        )

    def spectra(self, *months: int) -> pd.DataFrame:
        """On which level of four published spectra the runs stand; see ``scales.spectra_table``.

        Args:
            months: The months to look at; those of the printed table where none is given.
        """
        return spectra_table(self.monthly, months or table_months(self.provenance["months"]))

    @property
    def coded_changes(self) -> pd.DataFrame:
        """The dated log with a column ``code``, see ``scales.CODES``."""
        return coded(self.changes)

    def _grant_ends(self) -> dict[str, int]:
        """Scenario -> month in which its grant ends for good, where that is within the months run."""
        months = self.provenance["months"]
        paid = {name: int(np.count_nonzero(grant_schedule(one, months))) for name, one in self.scenarios.items()}
        return {name: count for name, count in paid.items() if 0 < count < months}

    def _footer(self) -> dict[str, Any]:
        return {"seed": self.provenance["seed"], "version": self.provenance["version"]}

    def save(self, directory: str | os.PathLike[str], drawn: Callable[[], Drawn] | None = None) -> list[Path]:
        """Write tables, figure, report and provenance into a directory.

        An existing directory is overwritten only if its ``provenance.json`` shows that it holds results of ours.

        Args:
            directory: Where to.
            drawn: Gives report and picture, where somebody else draws them; ``draw`` by default.

        Returns:
            The files' paths.

        Raises:
            provenance.OutputError: If the directory must not or cannot be written.
        """
        return provenance.write(directory, self.provenance, self._writers(cache(drawn or self.draw)))

    def _writers(self, drawn: Callable[[], Drawn]) -> dict[str, Callable[[Path], None]]:
        """File name -> what writes it at a path."""
        note, answers = provenance.one_line(self.provenance), self.surveyed
        predicted: dict[str, Callable[[Path], None]] = {
            "predictions.csv": lambda path: _write_csv(self.predictions, path)
        }
        return {
            **({} if self.predictions.empty else predicted),
            "monthly.parquet": lambda path: _write_parquet(self.monthly, path, note),
            "changes.parquet": lambda path: _write_parquet(self.changes, path, note),
            "changes.csv": lambda path: _write_csv(self.coded_changes, path),
            "spectra.csv": lambda path: _write_csv(self.spectra(), path),
            **({} if answers is None else {"survey.csv": lambda path: _write_csv(answers, path)}),
            self._picture: lambda path: _write_bytes(drawn().picture, path),
            "report.html": lambda path: _write_text(drawn().report, path),
        }

    def draw(self) -> Drawn:
        """The report and the picture, as they are saved."""
        return Drawn(self.report(), self.picture())

    def picture(self) -> bytes:
        """What ``plot`` draws as a PNG file, which says how it was computed."""
        from cej_sim import plots

        return plots.png(self.plot(), note=provenance.one_line(self.provenance))

    def report(self, command: str | None = None) -> str:
        """The page that explains and shows everything, as HTML.

        Args:
            command: The command line to show instead of the one that made the result.
        """
        return self._report(command=command)

    def _report(self, table: pd.DataFrame | None = None, command: str | None = None) -> str:
        from cej_sim import report

        with self.showing():
            return report.html_report(
                self.monthly,
                self.titles,
                **self._footer(),
                command=command or self.provenance["command"],
                table=table,
                descriptions={name: scenario.description for name, scenario in self.scenarios.items()},
                differences=differing_rules(self.scenarios),
                changes=self.changes,
                grant_end=self._grant_ends(),
                remarks=self.provenance["warnings"],
                months=table_months(self.provenance["months"]),
                predictions=self.predictions,
                prediction_titles=self.all_titles,
                spectra=self.spectra(),
                survey=self.surveyed,
            )

    def __repr__(self) -> str:
        """What was computed, in a line."""
        what = " and ".join(self.scenarios)
        return (
            f"<{type(self).__name__} of {what}: {self.provenance['runs']} runs, {self.provenance['months']} months, "
            f"seed {self.provenance['seed']}; {provenance.NOTE}>"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result):
    """Runs of several scenarios side by side with common luck.

    Attributes:
        table: The first scenario against each of the others, in the columns of ``comparison.csv``; see
            ``comparison.compare_table`` for their meaning.
    """

    table: pd.DataFrame
    _picture: ClassVar[str] = "comparison.png"

    def plot(self) -> Figure:
        """Trajectories with bands and the residents' staircase, as a matplotlib figure."""
        from cej_sim import plots

        with self.showing():
            return plots.comparison_figure(self.monthly, self.titles, self._grant_ends(), **self._footer())

    def report(self, command: str | None = None) -> str:
        """The page that explains and shows everything, as HTML; see ``Result.report``."""
        return self._report(self.table, command)

    def _writers(self, drawn: Callable[[], Drawn]) -> dict[str, Callable[[Path], None]]:
        return {
            **super()._writers(drawn),
            "comparison.csv": lambda path: _write_csv(self.table, path),
        }

    def _repr_html_(self) -> str:
        """The table of differences, for notebooks."""
        return f"<p>{html.escape(repr(self))}</p>{self.table.to_html(index=False, max_rows=50)}"


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False, lineterminator="\n", encoding="utf-8", errors="backslashreplace")


def _write_bytes(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def _write_parquet(frame: pd.DataFrame, path: Path, note: str) -> None:
    """Write a table with plain column types (strings as strings, whatever pandas holds) and the note as metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"i": pa.int32(), "f": pa.float64()}
    schema = pa.schema([(str(name), kinds.get(dtype.kind, pa.string())) for name, dtype in frame.dtypes.items()])
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    with path.open("wb") as file:  # which finds names in any encoding
        pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), b"note": note.encode()}), file)


def simulate(
    scenario: Scenario,
    runs: int = 1,
    seed: int = 0,
    months: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    *,
    against: Sequence[Scenario] = (),
    command: str | None = None,
    ensemble: Ensemble | None = None,
) -> Result:
    """Run one scenario many times.

    Args:
        scenario: What to run; see ``load``.
        runs: Number of runs; the first n runs of a seed are the same however many are asked for.
        seed: Non-negative; equal seeds give equal numbers.
        months: Where to stop; the scenario's own horizon by default, and at most that.
        threads: How many runs at a time; by default as many as there are usable processors.
        progress: Called with (runs done, runs in all).
        against: Scenarios that the scenario's predictions are held against (``expect:`` in its file). They are run
            with the same luck as far as predictions reach, and appear in ``predictions`` only.
        command: The command line that asked for this, for the provenance.
        ensemble: Parameter sets; run r uses set r, which ``Ensemble.apply`` says exactly. None: the declared defaults.

    Returns:
        The runs' monthly table, changes, predictions and provenance.

    Raises:
        RequestError: If runs, seed, months or threads are impossible; a ``ValueError``.
    """
    named = unique_names([scenario])
    chosen, threads = _request(named, runs, seed, months, threads)
    everybody = unique_names([scenario, *against])
    others = {name: one for name, one in everybody.items() if name not in named}
    reach = max((one.month for one in scenario.expect if one.month <= chosen), default=1)
    months_of = {**{name: min(reach, one.months) for name, one in others.items()}, scenario.name: chosen}
    table, log = _compute(everybody, range(runs), seed, months_of, threads, progress, ensemble)
    from cej_sim.predictions import judge

    predictions = judge(table, predictions_of(named, everybody))
    monthly, changes = (
        frame[frame["scenario"].isin(list(named))].reset_index(drop=True) if others else frame for frame in (table, log)
    )
    remarks = comparison_remarks(everybody, chosen) if others else []
    described = _describe(named, runs, seed, chosen, command, remarks, others, ensemble)
    return Result(named, monthly, changes, described, predictions=predictions, against=others, ensemble=ensemble)


def compare(
    a: Scenario,
    b: Scenario,
    *more: Scenario,
    runs: int = 100,
    seed: int = 0,
    months: int | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    allow_unequal_budgets: bool = False,
    command: str | None = None,
    ensemble: Ensemble | None = None,
) -> Comparison:
    """Run scenarios side by side with common luck, and compare the first with each of the others.

    Args:
        a: The scenario that the others are compared with.
        b: Another scenario.
        more: Further scenarios.
        runs: Number of runs of each; run r of every scenario has the same luck.
        seed: Non-negative; equal seeds give equal numbers.
        months: Where to stop; by default and at most the shortest horizon among the scenarios.
        threads: How many runs at a time; by default as many as there are usable processors.
        progress: Called with (runs done, runs of all scenarios).
        allow_unequal_budgets: Compare scenarios although one has more money; else they are refused.
        command: The command line that asked for this, for the provenance.
        ensemble: Parameter sets; run r of every scenario uses set r. None: the declared defaults.

    Returns:
        Monthly table, changes, table of differences and provenance.

    Raises:
        RequestError: If runs, seed, months or threads are impossible or the money differs; a ``ValueError``.
    """
    named = unique_names([a, b, *more])
    chosen, threads = _request(named, runs, seed, months, threads)
    refusals = [] if allow_unequal_budgets else budget_refusals(named, chosen)
    if refusals:
        raise RequestError("\n".join(refusals))
    remarks = comparison_remarks(named, months)
    for remark in remarks:
        warnings.warn(remark, ComparisonWarning, stacklevel=2)
    from cej_sim import comparison
    from cej_sim.predictions import judge

    threading.Thread(target=comparison.load, daemon=True).start()  # what only the table needs
    monthly, changes = _compute(named, range(runs), seed, chosen, threads, progress, ensemble)
    first, *others = named
    table = comparison.compare_table(monthly, first, others, table_months(chosen))
    described = _describe(named, runs, seed, chosen, command, remarks, ensemble=ensemble)
    predictions = judge(monthly, predictions_of(named))
    return Comparison(named, monthly, changes, described, table, predictions=predictions, ensemble=ensemble)


def table_months(months: int) -> list[int]:
    """The months of the printed table: 24, 60 and 120 as far as they were run, and the last."""
    return sorted({month for month in TABLE_MONTHS if month < months} | {months})


def comparison_remarks(scenarios: Mapping[str, Scenario], months: int | None = None) -> list[str]:
    """What a reader of a comparison should be told: unequal money, communities or horizons."""
    (first, a), *others = scenarios.items()
    remarks = []
    for name, b in others:
        money = budget_difference(a, b, common_months(scenarios, months))
        if money:
            remarks.append(f"{first} and {name} do not have the same money: {money}")
        found = differing_communities(a, b)
        if found:
            listed = ", ".join(found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")
            remarks.append(f"{first} and {name} start from different communities: {listed}")
        if a.months != b.months and months is None:
            remarks.append(f"{first} has {a.months} months and {name} {b.months}: both stop at the shorter horizon")
    return remarks


def _describe(
    scenarios: Mapping[str, Scenario],
    runs: int,
    seed: int,
    months: int,
    command: str | None,
    remarks: Sequence[str] = (),
    against: Mapping[str, Scenario] | None = None,
    ensemble: Ensemble | None = None,
) -> dict[str, Any]:
    if ensemble is not None:
        remarks = [*remarks, ensemble.remark(scenarios.values())]
    described = provenance.describe(
        scenarios,
        seed=int(seed),
        runs=int(runs),
        months=months,
        engine=compiled.source_hash(),
        command=command,
        warnings=remarks,
        against=against,
    )
    return described if ensemble is None else {**described, "ensemble": ensemble.described()}


# Probes


def causal_influence(
    scenario: Scenario,
    runs: int = 20,
    seed: int = 0,
    months: int | None = None,
    bloc: str = "resident",
    threads: int | None = None,
    progress: Progress | None = None,
    *,
    numbers: Sequence[int] | None = None,
) -> pd.DataFrame:
    """How far one bloc's convictions cause the agenda: each run against its counterfactual twin.

    The twin has the same draws, but the bloc's convictions are permuted over the issues. The influence of a
    month is |A - A'| / |x0 - x0'|: how far the agenda moved (sum over issues of absolute differences) for each
    unit by which the bloc's convictions were moved (the same sum, mean over the bloc's agents at the start).
    Provenance (``agenda_origin``) says whose ideas the agenda holds; this says whether they made a difference.

    Args:
        scenario: What to run.
        runs: Number of pairs of runs.
        seed: As in ``simulate``; run r is the same as there.
        months: Where to stop; at most and by default the scenario's horizon.
        bloc: ``resident``, ``institution``, ``backbone`` or ``organizer``.
        threads: As in ``simulate``.
        progress: Called with (pairs done, pairs in all).
        numbers: Numbers of the runs, instead of the first ``runs``.

    Returns:
        A row per run and month from 0, columns ``run month influence``; ``influence`` is missing where
        permuting moves no conviction, because the bloc cares for all issues alike.

    Raises:
        RequestError: If a number is impossible, the bloc is unknown or has nobody.
    """
    if bloc not in KINDS:
        raise RequestError(f"bloc: {bloc!r} is not a kind of agent; write one of: {', '.join(KINDS)}")
    runs = runs if numbers is None else len(numbers)
    months, threads = _request({scenario.name: scenario}, runs, seed, months, threads)
    numbers = range(runs) if numbers is None else numbers
    events, kind, issues = encode_events(scenario), KINDS.index(bloc), len(scenario.issues)
    out = np.empty((len(numbers), months + 1))

    def agendas(state: State, key: np.uint64, stop: threading.Event) -> NDArray[np.float64]:
        """The agenda of every month, (months + 1, K); the state is run on."""
        agenda = np.empty((months + 1, issues))
        agenda[0] = state.decision[:issues]
        unused = np.empty((1, len(METRICS)))
        for month in range(months):
            if stop.is_set():
                break
            run_months(state, events, key, month, unused)
            agenda[month + 1] = state.decision[:issues]
        return agenda

    def work(place: int, stop: threading.Event) -> None:
        key = key_of(seed, numbers[place])
        state, twin = start(scenario, key), start(scenario, key, permuted=kind)
        rows = (state.kind == kind) & state.active
        if not rows.any():
            raise RequestError(f"bloc: {scenario.name} has nobody of kind {bloc}; choose another bloc")
        moved = np.abs(state.x0[rows, :issues] - twin.x0[rows, :issues]).sum(axis=1).mean()
        difference = np.abs(agendas(state, key, stop) - agendas(twin, key, stop)).sum(axis=1)
        out[place] = difference / moved if moved > 0 else np.nan

    _each(range(len(numbers)), work, threads, progress)
    return pd.DataFrame(
        {
            "run": np.repeat(np.asarray(numbers, dtype=np.int32), months + 1),
            "month": np.tile(np.arange(months + 1, dtype=np.int32), len(numbers)),
            "influence": out.ravel(),
        }
    )


@dataclass(frozen=True, eq=False)
class Loop:
    """What came of moving a rule there and back again.

    Attributes:
        branches: Means over runs at each value of the rule; columns ``branch value`` (``up``, ``down``, and
            ``stay``: the same months without any change of the rule) and one per metric.
        areas: The loop's area per metric; columns ``metric area low high drift``: mean over runs, its 5th and
            95th percentile, and the area that mere passing of time makes.
        per_run: The areas of each run; columns ``run metric area drift``.
    """

    branches: pd.DataFrame
    areas: pd.DataFrame
    per_run: pd.DataFrame


def irreversibility(
    scenario: Scenario,
    path: str,
    low: float,
    high: float,
    hold: int = 24,
    steps: int = 5,
    runs: int = 20,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
    *,
    numbers: Sequence[int] | None = None,
) -> Loop:
    """Whether a rule that was changed can be changed back: move it from low to high by mandate, and back again.

    At each of ``steps`` values the rule is held for ``hold`` months; a metric's value there is its mean over
    the second half of them. The area of a metric is the integral of (up - down) over the rule, whose way from
    low to high counts as 1: 0 where the way back retraces the way there, negative where the metric stays
    higher afterwards. Grants end and people tire whatever the rules are, so each run has a twin with the same
    draws whose rule stays at ``low``: its area by the same months is the ``drift`` to set the area against.

    Args:
        scenario: Where to start; its own events stay, but must not set ``path``.
        path: The rule, e.g. ``governance.decide.votes.residents``; it must be a number.
        low: Value of the rule at the start and at the end.
        high: Value at the turning point.
        hold: Months at each value, at least 2.
        steps: Number of values from low to high, at least 2.
        runs: Number of runs (each with its twin).
        seed: As in ``simulate``.
        threads: As in ``simulate``.
        progress: Called with (runs done, runs in all).
        numbers: Numbers of the runs, instead of the first ``runs``.

    Raises:
        RequestError: If the rule is unknown or not a number, or a number is impossible.
    """
    runs = runs if numbers is None else len(numbers)
    problems = request_problems(runs=runs, seed=seed, threads=threads)
    problems += [
        f"{name}: {value} is too few; write a whole number of at least 2"
        for name, value in (("hold", hold), ("steps", steps))
        if _not_whole(value) or value < 2
    ]
    parameter = CHANGEABLE.get(path)
    if parameter is None or parameter.kind not in ("number", "count"):
        problems.append(f"{path} is not a rule that can be moved step by step; name a rule that is a number")
    elif low == high:
        problems.append(f"{path}: low and high are both {low:g}; they must differ")
    if any(path == changed for event in scenario.events for changed, _ in event.set):
        problems.append(f"{path} is changed by an event of {scenario.name}; remove the event first")
    if problems or parameter is None:
        raise RequestError("\n".join(problems))
    values = [float(value) for value in np.linspace(low, high, steps)]
    if parameter.kind == "count":
        values = [float(round(value)) for value in values]
    try:
        stages = [{path: _typed(parameter.kind, value)} for value in values]
        scenario.with_values(stages[-1])
    except ValueError as error:
        raise RequestError(str(error)) from error
    return there_and_back(scenario, stages, values, hold, runs, seed, threads, progress, numbers=numbers)


def there_and_back(
    scenario: Scenario,
    stages: Sequence[Mapping[str, Value]],
    values: Sequence[float] | None = None,
    hold: int = 24,
    runs: int = 20,
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
    *,
    ensemble: Ensemble | None = None,
    numbers: Sequence[int] | None = None,
) -> Loop:
    """The loop of ``irreversibility`` for rules that are moved together: through stages by mandate, and back again.

    Args:
        scenario: Where to start; its own events stay.
        stages: The rules at each stage (path -> value), at least two of them; the first holds from the start.
        values: What stands for each stage on the loop's axis, in order; by default they are evenly spaced.
        hold, runs, seed, threads, progress, numbers: As in ``irreversibility``.
        ensemble: Parameter sets; run r uses set r. None: the scenario's own numbers.

    Raises:
        RequestError: If there are too few stages, or a rule or a value is impossible.
    """
    if len(stages) < 2:
        raise RequestError(f"stages: {len(stages)} is too few; give the rules of at least two")
    axis = np.linspace(0.0, 1.0, len(stages)) if values is None else np.asarray(values, np.float64)
    way = [*range(len(stages)), *range(len(stages) - 2, -1, -1)]
    months = hold * len(way)
    numbers = range(runs) if numbers is None else numbers
    try:
        stay = replace(scenario.with_values(stages[0]), months=months)
        for stage in stages[1:]:
            stay.with_values(stage)
    except ValueError as error:
        raise RequestError(str(error)) from error
    mandates = tuple(
        Event(place * hold + 1, "mandate", tuple(stages[stage].items())) for place, stage in enumerate(way) if place > 0
    )
    move = replace(stay, events=tuple(sorted((*stay.events, *mandates), key=lambda event: event.month)))
    events = {False: encode_events(stay), True: encode_events(move)}
    plateaus = np.empty((2, len(numbers), len(way), len(METRICS)))

    def work(task: tuple[int, bool], stop: threading.Event) -> None:
        row, moved = task
        rows = np.empty((months + 1, len(METRICS)))
        here = move if moved else stay
        here = here if ensemble is None else ensemble.apply(here, numbers[row])
        run_once(here, key_of(seed, numbers[row]), rows, stop, events[moved])
        for place in range(len(way)):
            plateaus[int(moved), row, place] = rows[place * hold + 1 + hold // 2 : (place + 1) * hold + 1].mean(axis=0)

    tasks = [(row, moved) for row in range(len(numbers)) for moved in (False, True)]
    _each(tasks, work, usable_processors() if threads is None else threads, progress)
    return _loop(plateaus, axis, numbers)


def _typed(kind: str, value: float) -> float | int:
    return int(value) if kind == "count" and value == int(value) else float(value)


def _loop(plateaus: NDArray[np.float64], values: NDArray[np.float64], numbers: Sequence[int] | None = None) -> Loop:
    """Branches and areas from the means at each place of the way, (stay or move, runs, 2 steps - 1, metrics)."""
    steps = len(values)
    up, down = plateaus[:, :, :steps], plateaus[:, :, : steps - 2 : -1]
    axis = (values - values[0]) / (values[-1] - values[0])
    gap = up - down
    area = ((gap[:, :, 1:] + gap[:, :, :-1]) / 2 * np.diff(axis)[:, None]).sum(axis=2)

    def branch(name: str, at: NDArray[np.float64], rows: NDArray[np.float64]) -> pd.DataFrame:
        frame = pd.DataFrame(rows.mean(axis=0), columns=list(NAMES))
        frame.insert(0, "value", at)
        frame.insert(0, "branch", name)
        return frame

    branches = [
        branch("up", values, up[1]),
        branch("down", values, down[1]),
        branch("stay", np.full(2 * steps - 1, values[0]), plateaus[0]),
    ]
    numbers = range(plateaus.shape[1]) if numbers is None else numbers
    per_run = pd.DataFrame(
        {
            "run": np.repeat(np.asarray(numbers, dtype=np.int32), len(NAMES)),
            "metric": list(NAMES) * len(numbers),
            "area": area[1].ravel(),
            "drift": area[0].ravel(),
        }
    )
    areas = pd.DataFrame(
        {
            "metric": list(NAMES),
            "area": area[1].mean(axis=0),
            "low": np.percentile(area[1], 5, axis=0),
            "high": np.percentile(area[1], 95, axis=0),
            "drift": area[0].mean(axis=0),
        }
    )
    return Loop(pd.concat(branches, ignore_index=True), areas, per_run)
