"""Figures show what they say they show; the report is one page that asks for nothing and escapes everything."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from cej_sim import plots, report
from cej_sim.comparison import BY_NAME, FAMILIES, compare_table, format_value
from cej_sim.metrics import METRICS, NAMES

TITLES = {"ci": "Collective Impact", "led": "Community-led governance"}
NASTY = "<script>alert('x')</script> & \"$\\frac{\""
GRANT = 36


def synthetic(names=("ci", "led"), runs: int = 6, months: int = 60) -> pd.DataFrame:
    """Smooth courses with luck; the grant ends in month ``GRANT`` for all."""
    rng = np.random.default_rng(11)
    time = np.arange(months + 1)
    parts = []
    for place, name in enumerate(names):
        luck = rng.normal(size=(runs, 1, len(NAMES)))
        values = 0.4 + 0.08 * place + 0.002 * time[None, :, None] + 0.03 * luck * np.sqrt(time / 12)[None, :, None]
        frame = pd.DataFrame(np.clip(values, 0.0, 1.0).reshape(-1, len(NAMES)), columns=list(NAMES))
        frame["month"] = np.tile(time, runs)
        frame["run"] = np.repeat(np.arange(runs), months + 1)
        frame["seat_share"], frame["vote_share"] = 0.1 + 0.15 * place, 0.25 + 0.15 * place
        frame["funded"] = (frame["month"] < GRANT).astype(float)
        frame["alive"] = 1.0
        parts.append(frame.assign(scenario=name))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def usual() -> tuple[pd.DataFrame, Figure]:
    """Two scenarios of the usual size, and the figure of them."""
    monthly = synthetic()
    return monthly, plots.comparison_figure(monthly, TITLES, seed=3, version="9.8.7")


def few(monthly: pd.DataFrame) -> pd.DataFrame:
    """The columns that a report needs at least, and an outcome: quick to draw."""
    return monthly[["scenario", "run", "month", "burden", *plots.STAIRCASE]]


def axes_of(figure: Figure, kind: str) -> dict[str, Axes]:
    return {
        str(axes.get_label()).partition(":")[2]: axes
        for axes in figure.axes
        if str(axes.get_label()).startswith(f"{kind}:")
    }


def marked(axes: Axes | Figure, gid: str) -> list:
    return [artist for artist in axes.findobj(lambda one: one.get_gid() == gid)]


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def assert_nothing_is_clipped(figure: Figure) -> None:
    """Everything drawn stands within the figure."""
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert min(box.x0, box.y0) >= -0.01, box
    assert box.x1 <= width + 0.01, box
    assert box.y1 <= height + 0.01, box


def assert_no_overlap(texts: list) -> None:
    boxes = [text.get_window_extent() for text in texts]
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            wide = min(one.x1, other.x1) - max(one.x0, other.x0)
            high = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert wide <= 0.5 or high <= 0.5, (one, other)


# Figures


def test_no_pyplot() -> None:
    code = "import sys, cej_sim.report; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_bands_are_quantiles_of_the_runs() -> None:
    monthly = synthetic(runs=9)
    values = plots.band(monthly, "led", "burden")
    wide = monthly[monthly["scenario"] == "led"].pivot(index="month", columns="run", values="burden").to_numpy()
    np.testing.assert_allclose(values["mean"], wide.mean(axis=1))
    np.testing.assert_allclose(values[["low", "high"]].T, np.quantile(wide, [0.1, 0.9], axis=1))
    axes = axes_of(plots.comparison_figure(monthly, TITLES), "panel")["burden"]
    (line,) = marked(axes, "mean:led")
    np.testing.assert_allclose(line.get_ydata(), values["mean"])
    np.testing.assert_allclose(line.get_xdata(), values.index / 12)
    (drawn,) = marked(axes, "band:led")
    vertices = drawn.get_paths()[0].vertices
    for row in (values.iloc[20], values.iloc[60]):
        at = vertices[np.isclose(vertices[:, 0], row.name / 12), 1]
        assert (at.min(), at.max()) == pytest.approx((row["low"], row["high"]))


def test_a_course_holds_every_outcome_and_scenario() -> None:
    """Runs that have ended do not count; rows may come in any order."""
    monthly = synthetic(runs=9)
    monthly["alive"] = np.where((monthly["run"] < 2) & (monthly["month"] > 30), 0.0, 1.0)
    went = plots.course(monthly.sample(frac=1.0, random_state=1), TITLES, ["burden", "trust"])
    assert (went.runs, went.last) == ({"ci": 9, "led": 9}, monthly["month"].max())
    assert set(went.bands) == {(name, metric) for name in TITLES for metric in ("burden", "trust")}
    for (name, metric), values in went.bands.items():
        wide = monthly[monthly["scenario"] == name].pivot(index="month", columns="run", values=metric)
        if metric == "trust":  # says nothing without a coalition
            wide.loc[31:, [0, 1]] = np.nan
        assert list(values.index) == list(wide.index)
        np.testing.assert_allclose(values["mean"], wide.mean(axis=1))
        np.testing.assert_allclose(values[["low", "high"]].T, np.nanquantile(wide, [0.1, 0.9], axis=1))


def test_panels_and_labels(usual: tuple[pd.DataFrame, Figure]) -> None:
    _, figure = usual
    panels = axes_of(figure, "panel")
    assert list(panels) == list(plots.PANELS)
    assert {BY_NAME[name].family for name in panels} == set(FAMILIES)
    for name, axes in panels.items():
        (label,) = marked(axes, "panel-label")
        assert " ".join(label.get_text().split()).startswith(BY_NAME[name].label)
        assert {" ".join(text.get_text().split()) for text in marked(axes, "line-label")} == {
            "Collective Impact",
            "Community-led governance",
        }
    assert list(axes_of(figure, "staircase")) == ["ci", "led"]
    (footer,) = marked(figure, "footer")
    for part in ("Illustration, not prediction", "6 paired runs", "seed 3", "9.8.7"):
        assert part in footer.get_text()
    assert "middle 80%" in words(figure)
    assert tuple(figure.get_size_inches() * figure.dpi) == (1600, 900)


def test_yes_no_metrics_have_no_band(usual: tuple[pd.DataFrame, Figure]) -> None:
    axes = axes_of(usual[1], "panel")["funded"]
    assert marked(axes, "mean:ci")
    assert not marked(axes, "band:ci")


def test_scenarios_differ_in_color_and_style() -> None:
    titles = {f"s{i}": f"Scenario {i}" for i in range(6)}
    axes = axes_of(plots.comparison_figure(synthetic(tuple(titles), runs=2), titles), "panel")["burden"]
    lines = [marked(axes, f"mean:{name}")[0] for name in titles]
    assert len({to_hex(line.get_color()) for line in lines}) == 6
    assert len({str(line._dash_pattern) for line in lines}) == 6
    assert len({plots.style(place) for place in range(42)}) == 42


def test_end_of_the_grant() -> None:
    monthly = synthetic()
    panels = ("coordination",)
    assert plots.grant_ends(monthly) == {"ci": GRANT, "led": GRANT}
    early = monthly.copy()
    early.loc[(early["scenario"] == "led") & (early["month"] >= 20) & (early["run"] < 4), "funded"] = 0.0
    assert plots.grant_ends(early) == {"ci": GRANT, "led": 20}
    assert plots.grant_ends(monthly[monthly["month"] < GRANT]) == {}
    assert plots.grant_ends(monthly.assign(funded=0.0)) == {}

    def upright(figure: Figure) -> list[float]:
        return [line.get_xdata()[0] for line in marked(axes_of(figure, "panel")["coordination"], "grant-end")]

    assert upright(plots.comparison_figure(monthly, TITLES, panels=panels)) == [GRANT / 12]
    assert upright(plots.comparison_figure(monthly, TITLES, {"ci": 12, "led": 48}, panels=panels)) == [1.0, 4.0]
    assert upright(plots.comparison_figure(monthly, TITLES, {"ci": 900}, panels=panels)) == []
    assert "grant ends" in words(plots.comparison_figure(monthly, TITLES, panels=panels))
    assert "grant ends" not in words(plots.comparison_figure(monthly, TITLES, {}, panels=panels))


def test_staircase_shows_the_means_and_what_is_set(usual: tuple[pd.DataFrame, Figure]) -> None:
    monthly, figure = usual
    steps = plots.staircase(monthly, "led")
    assert list(steps.index) == ["seats", "votes", "say", "ideas"]
    assert list(steps["nature"]) == ["set", "set", "happened", "happened"]
    rows = monthly[(monthly["scenario"] == "led") & (monthly["month"] == 60)]
    expected = [rows[name].mean() for name in ("seat_share", "vote_share", "decision_share", "agenda_origin")]
    np.testing.assert_allclose(steps["mean"], expected)
    stairs = axes_of(figure, "staircase")
    bars = stairs["led"].patches
    np.testing.assert_allclose([bar.get_height() for bar in bars], expected)
    assert [bool(bar.get_hatch()) for bar in bars] == [True, True, False, False]
    assert [text.get_text() for text in stairs["led"].get_xticklabels()] == ["seats", "votes", "say", "ideas"]
    assert [text.get_text() for text in marked(stairs["led"], "step-value")] == [f"{100 * x:.0f}%" for x in expected]
    assert len({axes.get_ylim() for axes in stairs.values()}) == 1
    assert plots.staircase_month(monthly) == 60
    assert plots.staircase_month(monthly, 24) == 24
    assert plots.staircase_month(synthetic(months=18)) == 18


@pytest.mark.parametrize(
    ("count", "runs", "months"),
    [
        (2, 3, 120),
        (6, 3, 120),
        *(
            pytest.param(*size, marks=pytest.mark.slow)
            for size in (
                *((count, 1, 1) for count in (1, 2, 3, 4, 6)),
                *((count, 3, 120) for count in (1, 3, 4)),
                (2, 5, 18),
                (3, 1, 60),
            )
        ),
    ],
)
def test_every_size_is_legible(count: int, runs: int, months: int) -> None:
    titles = {
        f"s{i}": ["Collective Impact", "Community-led governance", NASTY][i % 3] + (" of some length" if i > 2 else "")
        for i in range(count)
    }
    figure = plots.comparison_figure(synthetic(tuple(titles), runs, months), titles, seed=0, version="1")
    assert_nothing_is_clipped(figure)
    for axes in axes_of(figure, "panel").values():
        assert_no_overlap(marked(axes, "line-label"))
        assert axes.get_xlabel() in ("", "years" if months >= 24 else "months")
        last = marked(axes, "mean:s0")[0].get_xdata()[-1]
        assert last == pytest.approx(months / 12 if months >= 24 else months)
    for axes in axes_of(figure, "staircase").values():
        assert_no_overlap(marked(axes, "step-value"))
        assert_no_overlap(axes.get_xticklabels())
        assert_no_overlap([*marked(axes, "staircase-title"), *marked(axes, "step-value")])
    assert_no_overlap(marked(figure, "key"))
    assert ("One run" in words(figure)) == (runs == 1)


@pytest.mark.slow
def test_any_metric_can_be_a_panel() -> None:
    monthly = synthetic(runs=3, months=24)
    for start in range(0, len(NAMES), 6):
        chosen = NAMES[start : start + 6]
        figure = plots.comparison_figure(monthly, TITLES, panels=chosen)
        assert list(axes_of(figure, "panel")) == list(chosen)
        assert_nothing_is_clipped(figure)


def test_axes_hold_all_values() -> None:
    monthly = synthetic()
    monthly["burden"] *= 3.0
    axes = axes_of(plots.comparison_figure(monthly, TITLES), "panel")["burden"]
    low, high = axes.get_ylim()
    assert low <= 0.0
    assert high >= plots.band(monthly, "led", "burden")["high"].max()


def test_run_figure_shows_single_runs() -> None:
    figure = plots.run_figure(synthetic(("ci",)), "Collective Impact")
    assert len(marked(axes_of(figure, "panel")["burden"], "run")) == 6
    assert not marked(axes_of(figure, "panel")["burden"], "line-label")
    assert_nothing_is_clipped(figure)
    with pytest.raises(ValueError, match="shows one scenario; the table holds: ci, led"):
        plots.run_figure(synthetic(), "Both")


def test_small_figures() -> None:
    monthly = synthetic()
    for metric in ("burden", "seat_gap", "policy_wins", "alive"):
        figure = plots.panel_figure(monthly, TITLES, metric)
        assert list(axes_of(figure, "panel")) == [metric]
        assert_nothing_is_clipped(figure)
    alone, together = (plots.staircase_figure(monthly, titles, "ci") for titles in ({"ci": TITLES["ci"]}, TITLES))
    assert list(axes_of(alone, "staircase")) == ["ci"]
    # The scale is common to all scenarios.
    assert axes_of(together, "staircase")["ci"].get_ylim()[1] > axes_of(alone, "staircase")["ci"].get_ylim()[1]
    assert plots.png(alone).startswith(b"\x89PNG")


@pytest.mark.parametrize("odd", [NASTY, "a\x00b\x1b\x7f\ufffe", "-- --> ]]>", "\U0001f9e1"])
def test_svg_is_well_formed_and_the_same_each_time_whatever_the_title(odd: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        files = {
            plots.svg(plots.panel_figure(synthetic((odd, "led"), months=12), {odd: odd, "led": odd}, "burden"))
            for _ in range(2)
        }
    (file,) = files
    root = ElementTree.fromstring(file)
    assert root.tag.endswith("svg")
    assert b"Matplotlib" not in file
    assert b"<!--" not in file


def test_mistakes_are_named() -> None:
    monthly = synthetic(months=12)
    with pytest.raises(ValueError, match="no scenario 'nobody' in this table; it holds: ci, led"):
        plots.comparison_figure(monthly, {"nobody": "Nobody"})
    with pytest.raises(ValueError, match="at least one scenario"):
        plots.comparison_figure(monthly, {})
    with pytest.raises(ValueError, match="no metric 'happiness'"):
        plots.comparison_figure(monthly, TITLES, panels=("happiness",))
    with pytest.raises(ValueError, match="no column 'burden'"):
        plots.comparison_figure(monthly.drop(columns="burden"), TITLES)
    with pytest.raises(ValueError, match="no scenario 'nobody' among the titles"):
        plots.staircase_figure(monthly, TITLES, "nobody")


# The report


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that tags close in order."""

    VOID = frozenset(("meta", "img", "line"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def log(scenarios=("ci", "led"), runs: int = 6) -> pd.DataFrame:
    rows = [
        (name, run, month, "policy_won", "community_change", NASTY, 1, NASTY)
        for name in scenarios
        for run in range(runs)
        for month in (10, 20)
    ]
    rows += [("led", run, 30, "members_left", "conflict", "group", 4, "four left") for run in range(3)]
    return pd.DataFrame(rows, columns=["scenario", "run", "month", "event", "category", "subject", "count", "text"])


@pytest.fixture(scope="module")
def nasty_page() -> str:
    return report.html_report(
        synthetic(),
        {"ci": NASTY, "led": TITLES["led"]},
        seed=7,
        version=f"1.2.3{NASTY}",
        command=f"cej-sim compare --out {NASTY}",
        descriptions={"ci": f"First.\n\n{NASTY}", "led": "Second."},
        differences=[(f"governance.{NASTY}", NASTY, True), ("governance.decide.votes.residents", 0.1 + 0.2, 1)],
        changes=log(),
        remarks=[NASTY],
    )


def test_the_page_asks_for_nothing(nasty_page: str) -> None:
    page = Page(nasty_page)
    assert not re.search(r"https?://", nasty_page)
    assert not re.search(r"url\(|@import", nasty_page)
    assert not {"script", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in page.tags}
    sources = [value for _, attributes in page.tags for key, value in attributes.items() if key in ("src", "href")]
    assert sources
    assert all(source is not None and source.startswith("data:image/svg+xml;base64,") for source in sources)
    (policy,) = [tag for tag in page.all("meta") if tag.get("http-equiv") == "Content-Security-Policy"]
    assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_the_page_escapes_what_users_wrote(nasty_page: str) -> None:
    assert "<script" not in nasty_page
    page = Page(nasty_page)
    assert not {key for _, attributes in page.tags for key in attributes if key.startswith("on")}
    # Title, heading, scenario heading, key, description, rule and value, remark, command, version: all as written.
    assert page.text.count("<script>alert('x')</script>") >= 12


def test_the_page_is_accessible(nasty_page: str) -> None:
    page = Page(nasty_page)
    assert page.all("html") == [{"lang": "en"}]
    assert all(image["alt"] and len(image["alt"]) > 20 for image in page.all("img"))
    assert len(page.all("h1")) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(page.all("caption")) == len(page.all("table")) > 5
    assert all(head.get("scope") for head in page.all("th"))
    assert [tag["content"] for tag in page.all("meta") if tag.get("name") == "viewport"]


def test_the_page_says_what_it_must(nasty_page: str) -> None:
    text = Page(nasty_page).text
    for words_ in (
        "Illustration, not prediction",
        "6 runs of each scenario, paired run by run; seed 7; cej_sim 1.2.3",
        "What the scenarios set",
        "What happened by year 2 (month 24)",
        "What happened by year 5 (month 60)",
        "The residents' staircase",
        "cej-sim compare --out",
        "governance.decide.votes.residents 0.3 1",
    ):
        assert words_ in text
    assert text.index("What the scenarios set") < text.index("What happened by year 2")
    for metric in METRICS:
        assert metric.label in text
        assert metric.meaning in text


@pytest.mark.usefixtures("empty_pictures")
def test_tables_hold_the_numbers_of_the_comparison() -> None:
    monthly = few(synthetic())
    table = compare_table(monthly, "ci", ["led"])
    given, computed = (
        Page(report.html_report(monthly, TITLES, seed=0, version="1", table=one)).text for one in (table, None)
    )
    assert given == computed
    section = given[given.index("What happened by year 5 (month 60)") :]
    (row,) = table[(table["metric"] == "burden") & (table["month"] == 60)].to_dict("records")
    metric = BY_NAME["burden"]
    start = section.index(metric.label)
    line = section[start : start + 90]
    assert f"{format_value(row['a'], metric)} {format_value(row['b'], metric)}" in line


@pytest.mark.usefixtures("empty_pictures")
def test_alternative_texts_tell_the_course() -> None:
    monthly = few(synthetic())
    page = Page(report.html_report(monthly, TITLES, seed=0, version="1"))
    (alt,) = [str(one["alt"]) for one in page.all("img") if str(one["alt"]).startswith("How much of the problem")]
    end = plots.band(monthly, "led", "burden")["mean"].iloc[-1]
    assert f"Community-led governance: 48.0% in month 0, {100 * end:.1f}% in month 60" in alt
    (stairs,) = [
        str(one["alt"]) for one in page.all("img") if str(one["alt"]).startswith("Community-led governance, year")
    ]
    assert "seats 25%, votes 40%, say " in stairs


@pytest.mark.usefixtures("empty_pictures")
def test_one_scenario_and_one_run_of_one_month() -> None:
    page = Page(
        report.html_report(few(synthetic(("ci",))), {"ci": TITLES["ci"]}, seed=0, version="1", changes=log(("ci",))[:0])
    )
    assert "What was run" in page.text
    assert "Nothing was logged." in page.text
    assert "Who does better" not in page.text
    assert "seats 10%" in str(page.all("img")[-1]["alt"])
    tiny = Page(report.html_report(few(synthetic(runs=1, months=1)), TITLES, seed=0, version="1"))
    assert "One run: one possible course of things" in tiny.text
    assert "What happened by month 1 " in tiny.text
    assert "cannot tell" in tiny.text


@pytest.mark.usefixtures("empty_pictures")
def test_six_scenarios_are_each_compared_with_the_first() -> None:
    titles = {f"s{i}": f"Scenario number {i}" for i in range(6)}
    text = Page(report.html_report(few(synthetic(tuple(titles), runs=2, months=12)), titles, seed=0, version="1")).text
    for i in range(1, 6):
        assert f"Scenario number 0 and Scenario number {i}" in text


@pytest.mark.usefixtures("empty_pictures")
def test_summary_of_the_log() -> None:
    summary = report.log_summary(log(), {"ci": 6, "led": 6})
    assert list(summary.columns) == ["scenario", "event", "category", "per_run", "share_of_runs", "mean_month"]
    found = {(row["scenario"], row["event"]): row for row in summary.to_dict("records")}
    won, left = found["led", "policy_won"], found["led", "members_left"]
    assert (won["per_run"], won["share_of_runs"], won["mean_month"]) == (2.0, 1.0, 15.0)
    assert (left["per_run"], left["share_of_runs"], left["mean_month"]) == (2.0, 0.5, 30.0)
    assert ("ci", "members_left") not in found
    text = Page(report.html_report(few(synthetic()), TITLES, seed=0, version="1", changes=log())).text
    assert "Members left (conflict) never 2.0 a run, in 50% of runs, month 30" in text


def test_counts_that_are_no_numbers_of_events_count_one_each() -> None:
    """The third policy on an issue is one policy, and a wave of forty people is one wave."""
    columns = ["scenario", "run", "month", "event", "category", "subject", "count", "text"]
    rows = [
        ("ci", 0, 10, "policy_won", "community change", "rent", 1, ""),
        ("ci", 0, 30, "policy_won", "community change", "rent", 2, ""),
        ("ci", 1, 20, "mobilization_peak", "community action", "", 40, ""),
        ("ci", 1, 20, "residents_left", "membership", "", 3, ""),
    ]
    summary = report.log_summary(pd.DataFrame(rows, columns=columns), {"ci": 2}).set_index("event")
    assert summary["per_run"].to_dict() == {"residents_left": 1.5, "policy_won": 1.0, "mobilization_peak": 0.5}
    assert summary.loc["policy_won", "mean_month"] == 20.0


def test_a_row_of_rules_must_fit() -> None:
    with pytest.raises(ValueError, match="seats needs a value for each of 2 scenarios"):
        report.html_report(synthetic(months=12), TITLES, seed=0, version="1", differences=[("seats", 1)])
    with pytest.raises(ValueError, match="no scenario 'nobody'"):
        report.html_report(synthetic(months=12), {"nobody": "Nobody"}, seed=0, version="1")
