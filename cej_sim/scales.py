"""The field's own instruments, without a model: codes of the dated log, participation spectra, items of a survey.

``instruments.py`` reads them off a state; here stand what they are made of and what tables say by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rich.console import RenderableType

# The dated log

#: Event code -> (category in the manner of the Community Check Box, sentence). ``{subject}`` is an issue, an
#: organization, an event or a reason; ``{count}`` a number.
LOG_TEXTS: dict[str, tuple[str, str]] = {
    "policy_won": ("community change", "A policy on {subject} was won"),
    "policy_in_practice": ("community change", "Policy on {subject} reached half of its effect"),
    "challenge": ("community action", "Organized residents challenged {subject}"),
    "institution_left": ("membership", "{subject} walked out"),
    "institution_joined": ("membership", "{subject} took a seat"),
    "residents_joined": ("membership", "Residents who took a seat: {count}"),
    "residents_left": ("membership", "Residents who gave up a seat: {count}"),
    "leaders_emerged": ("development", "Residents who began to lead: {count}"),
    "leaders_burned_out": ("development", "Leaders who burned out: {count}"),
    "mobilization_peak": ("community action", "A wave of mobilization passed {count} residents"),
    "organizing_cut": ("resources", "The organizing line was cut after challenges"),
    "mandate": ("governance", "Rules changed by mandate: {subject}"),
    "motion_passed": ("governance", "A motion passed: {subject}"),
    "motion_failed": ("governance", "A motion failed: {subject}"),
    "grant_renewed": ("resources generated", "The grant was renewed"),
    "grant_refused": ("resources", "The funder did not renew the grant"),
    "grant_ended": ("resources", "The grant ended"),
    "no_quorum": ("governance", "Tables without a quorum: {count}"),
    "coalition_ended": ("governance", "The coalition ended: {subject}"),
    "services_grew": ("services provided", "Services on {subject} closed half of the gap"),
}


#: Category of an event -> (code, what it means). The first five are in the manner of the Community Check Box; the last
#: three are this package's own, for what a coalition notes about itself.
CODES: dict[str, tuple[str, str]] = {
    "community change": (
        "CC",
        "A policy, program or practice that was changed, and that the coalition helped to bring about",
    ),
    "community action": ("CA", "An action in public to bring about such a change"),
    "development": ("D", "People or the group itself grew in ability to act"),
    "services provided": ("SP", "Programs reached people"),
    "resources generated": ("RG", "Money or other means were obtained"),
    "resources": ("RL", "Money or other means were lost or withdrawn (own code)"),
    "membership": ("M", "Somebody took or gave up a seat (own code)"),
    "governance": ("G", "The rules, or the existence, of the coalition (own code)"),
}


def coded(changes: pd.DataFrame) -> pd.DataFrame:
    """The dated log with the column ``code`` (of ``CODES``) after the month.

    Args:
        changes: Columns ``scenario run month event category subject count text``.
    """
    out = changes.copy()
    codes = {category: code for category, (code, _) in CODES.items()}
    out.insert(list(out.columns).index("month") + 1, "code", out["category"].map(codes).astype("str"))
    return out


# Spectra

# Levels of the spectra, from least to most.
IAP2 = ("inform", "consult", "involve", "collaborate", "empower")
CDC_CONTINUUM = ("outreach", "consult", "involve", "collaborate", "shared leadership")
OWNERSHIP_SPECTRUM = ("ignore", "inform", "consult", "involve", "collaborate", "defer to")
ARNSTEIN = (
    "manipulation",
    "therapy",
    "informing",
    "consultation",
    "placation",
    "partnership",
    "delegated power",
    "citizen control",
)

#: Column value -> (name for people, levels from least to most).
SPECTRA: dict[str, tuple[str, tuple[str, ...]]] = {
    "iap2": ("IAP2 spectrum of public participation", IAP2),
    "cdc": ("CDC continuum of community engagement", CDC_CONTINUUM),
    "ownership": ("Spectrum of community engagement to ownership", OWNERSHIP_SPECTRUM),
    "arnstein": ("Arnstein's ladder", ARNSTEIN),
}

# Where one level ends and the next begins. All assumed: the sources describe levels in words.
#: Realized share from which on a month stands on the second, third, fourth and fifth level of IAP2 and CDC.
LEVEL_CUTS = (0.02, 0.1, 0.3, 0.6)
#: How far the ideas on the agenda may lag behind say before they hold the level back.
IDEAS_LAG = 0.1
#: Share of ideas from which on tokenism is consultation, and placation.
TOKENISM_CUTS = (0.15, 0.3)
#: Say from which on citizen power is delegated power, and citizen control.
CITIZEN_CUTS = (0.6, 0.85)
#: Attendance of residents above which non-participation is therapy rather than manipulation.
THERAPY_CUT = 0.01

SPECTRA_COLUMNS = ("scenario", "month", "spectrum", "rank", "level", "runs", "share")


def spectra(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Where a month stands on four published spectra, from realized shares only, never from what a scenario set.

    Args:
        metrics: A month's metrics by column name; ``decision_share``, ``agenda_origin``, ``resident_attendance`` and
            ``arnstein_band`` are read.

    Returns:
        ``iap2``, ``cdc``, ``ownership`` and ``arnstein`` -> level. The rung within a band of Arnstein's ladder is
        the one that say, ideas and attendance point to; conduct, which decides some rungs, is not modeled. All cut
        points are assumed.
    """
    say, ideas = float(metrics["decision_share"]), float(metrics["agenda_origin"])
    came, band = float(metrics["resident_attendance"]), int(metrics["arnstein_band"])
    level = int(np.searchsorted(LEVEL_CUTS, min(say, ideas + IDEAS_LAG), side="right"))
    if band == 3:
        rung = 5 + int(np.searchsorted(CITIZEN_CUTS, say, side="right"))
    elif band == 2:
        rung = 2 + int(np.searchsorted(TOKENISM_CUTS, ideas, side="right"))
    else:
        rung = 1 if came > THERAPY_CUT else 0
    return {
        "iap2": IAP2[level],
        "cdc": CDC_CONTINUUM[level],
        "ownership": OWNERSHIP_SPECTRUM[level + 1 if came > 0.0 else 0],
        "arnstein": ARNSTEIN[rung],
    }


def spectra_table(monthly: pd.DataFrame, months: Iterable[int]) -> pd.DataFrame:
    """On which level of each spectrum the runs stand.

    Args:
        monthly: A row per scenario, run and month with the metrics.
        months: The months to look at.

    Returns:
        A row per scenario, month, spectrum and level, the columns ``SPECTRA_COLUMNS``: ``rank`` counts levels from 1
        (least), ``runs`` is the number of runs on the level, ``share`` their part of the runs in which the coalition
        still exists (missing where it exists in none).
    """
    found, read = [], ["decision_share", "agenda_origin", "resident_attendance", "arnstein_band"]
    for scenario in monthly["scenario"].unique():
        for month in months:
            exist = (monthly["scenario"] == scenario) & (monthly["month"] == month) & (monthly["alive"] > 0.0)
            here = monthly.loc[exist, read].to_dict("records")
            stands = [spectra({str(key): value for key, value in row.items()}) for row in here]
            for spectrum, (_, levels) in SPECTRA.items():
                on = [one[spectrum] for one in stands]
                found += [
                    (
                        scenario,
                        month,
                        spectrum,
                        rank,
                        level,
                        on.count(level),
                        on.count(level) / len(on) if on else np.nan,
                    )
                    for rank, level in enumerate(levels, start=1)
                ]
    return pd.DataFrame(found, columns=list(SPECTRA_COLUMNS))


# The survey


class Scale(NamedTuple):
    """What the items of a scale read.

    Attributes:
        title: For people.
        reads: What of the state it reads, in words.
        low, high: The value at which somebody disagrees with all, and at which with nothing. Assumed: chosen so that
            the answers of the shipped scenarios use the whole scale.
    """

    title: str
    reads: str
    low: float
    high: float


class Item(NamedTuple):
    """A statement that members agree or disagree with.

    Attributes:
        code: Column of the answers; those that end in ``r`` are worded the other way round.
        scale: Key of ``SURVEY_SCALES``.
        statement: What is asked.
    """

    code: str
    scale: str
    statement: str

    @property
    def is_reversed(self) -> bool:
        """Whether agreeing speaks against what the scale measures."""
        return self.code.endswith("r")


SURVEY_SCALES: dict[str, Scale] = {
    "voice": Scale("Voice", "decision weight r over an even split at the own table, as r / (1 + r)", 0.2, 0.7),
    "vision": Scale("Shared vision", "one minus the distance between own priorities and the agenda in force", 0.5, 1.0),
    "trust": Scale("Trust", "trust in the coalition", 0.2, 1.0),
    "agency": Scale("Power together", "sense of one's own power", 0.2, 1.0),
    "climate": Scale("Climate for conflict", "openness times one minus grievance (at least 0)", 0.1, 0.95),
    "skill": Scale("Learning", "skill", 0.1, 0.9),
}

#: The items, in the order of the columns. Written for this package in the manner of Butterfoss's and Wolff's surveys;
#: none is taken from them. The place of an item is part of what a seed means: add new ones at the end.
SURVEY_ITEMS: tuple[Item, ...] = (
    Item("voice_1", "voice", "My opinion is heard in this coalition."),
    Item("voice_2", "voice", "People like me have a real say in decisions."),
    Item("voice_3r", "voice", "Things are decided here before I can speak."),
    Item("vision_1", "vision", "The coalition works on what matters to me."),
    Item("vision_2", "vision", "I share the coalition's goals."),
    Item("vision_3r", "vision", "The coalition's plans have little to do with my own concerns."),
    Item("trust_1", "trust", "I trust the coalition to do what it says."),
    Item("trust_2", "trust", "I would vouch for this coalition to a neighbor."),
    Item("trust_3r", "trust", "I doubt what I am told in this coalition."),
    Item("agency_1", "agency", "Together we can change things here."),
    Item("agency_2", "agency", "I can make a difference in this community."),
    Item("agency_3r", "agency", "Whatever people like me do, nothing changes."),
    Item("climate_1", "climate", "We talk about our differences in the open."),
    Item("climate_2", "climate", "I can disagree here without paying for it."),
    Item("climate_3r", "climate", "Conflicts are swept under the table."),
    Item("skill_1", "skill", "I have learned useful things here."),
    Item("skill_2", "skill", "I am able to take on tasks for the coalition."),
    Item("skill_3r", "skill", "I often do not know how to go about the work."),
)

ITEM_CODES: tuple[str, ...] = tuple(item.code for item in SURVEY_ITEMS)

#: Half-width of the uniform error of each answer, on the scale from 0 (disagrees with all) to 1. Assumed.
SURVEY_NOISE = 0.2

#: What every table of answers says of itself.
SURVEY_NOTE = (
    "Members who came to the meeting of the month answered; 1 is strongly agree and 5 strongly disagree, as in Wolff's "
    "survey. Means are over items with those worded the other way round turned, so that lower is more agreement."
)


def cronbach_alpha(answers: NDArray[Any]) -> float:
    """Internal consistency (Cronbach 1951) of answers (people, items); NaN with fewer than two of either or without
    variance. Items worded the other way round must be turned before."""
    answers = np.asarray(answers, float)
    if answers.ndim != 2 or min(answers.shape) < 2:
        return float("nan")
    total = answers.sum(axis=1).var(ddof=1)
    items = answers.shape[1]
    return float(items / (items - 1) * (1.0 - answers.var(axis=0, ddof=1).sum() / total)) if total > 0 else float("nan")


def turned(answers: pd.DataFrame) -> pd.DataFrame:
    """The answers to all items, those worded the other way round turned: 1 always agrees with what is measured."""
    return pd.DataFrame(
        {item.code: 6 - answers[item.code] if item.is_reversed else answers[item.code] for item in SURVEY_ITEMS}
    )


def survey_summary(answers: pd.DataFrame) -> pd.DataFrame:
    """Mean, spread and internal consistency of each scale.

    Args:
        answers: A row per respondent: ``scenario run month row kind`` and the items.

    Returns:
        A row per scenario, month and scale: ``scenario month scale items runs respondents mean sd alpha``. ``mean``
        and ``sd`` are of the respondents' scale scores (mean of their turned answers, 1 strongly agree to 5); ``alpha``
        is Cronbach's, over the respondents of all runs together; ``runs`` had at least one respondent.
    """
    found = []
    for (scenario, month), rows in answers.groupby(["scenario", "month"], sort=False, observed=True):
        given = turned(rows)
        for scale in SURVEY_SCALES:
            codes = [item.code for item in SURVEY_ITEMS if item.scale == scale]
            scores = given[codes].mean(axis=1)
            found.append(
                {
                    "scenario": scenario, "month": month, "scale": scale, "items": len(codes),
                    "runs": rows["run"].nunique(), "respondents": len(rows), "mean": float(scores.mean()),
                    "sd": float(scores.std(ddof=1)), "alpha": cronbach_alpha(given[codes].to_numpy()),
                }
            )  # fmt: skip
    columns = ["scenario", "month", "scale", "items", "runs", "respondents", "mean", "sd", "alpha"]
    return pd.DataFrame(found, columns=columns)


def render_survey(summary: pd.DataFrame, titles: Mapping[str, str]) -> Sequence[RenderableType]:
    """A table for each month: mean and Cronbach's alpha of every scale, by scenario.

    Args:
        summary: What ``survey_summary`` returned.
        titles: Scenario name -> title.
    """
    from rich.table import Table
    from rich.text import Text

    shown: list[RenderableType] = [""]
    if summary.empty:
        return [*shown, "Survey of members: nobody came to the meetings of these months."]
    for month, rows in summary.groupby("month"):
        table = Table(title=f"Survey of members, month {month}", title_justify="left", box=None, padding=(0, 2, 0, 0))
        table.add_column("Scale")
        here = {name: title for name, title in titles.items() if (rows["scenario"] == name).any()}
        for name, title in here.items():
            asked = rows[rows["scenario"] == name].iloc[0]
            head = f"{title}\nmean (sd), alpha\n{asked['respondents']} in {asked['runs']} runs"
            table.add_column(Text(head), justify="right")
        for key, scale in SURVEY_SCALES.items():
            cells = []
            for name in here:
                row = rows[(rows["scenario"] == name) & (rows["scale"] == key)].iloc[0]
                cells.append(f"{number(row['mean'])} ({number(row['sd'])}), {number(row['alpha'])}")
            table.add_row(scale.title, *cells)
        shown += [table]
    return [*shown, Text(SURVEY_NOTE + " Alpha is Cronbach's, over the respondents of all runs.", style="italic")]


def number(value: float) -> str:
    """A statistic with two decimals, or a dash where there is none."""
    return "-" if np.isnan(value) else f"{value:.2f}"
