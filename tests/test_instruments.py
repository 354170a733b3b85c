"""The field's own instruments: known answers of alpha, spectra at their cut points, codes, and answers that stay."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cej_sim as cej
from cej_sim import cli, instruments, runs, scales
from cej_sim.draws import SURVEY, uniform
from cej_sim.metrics import METRICS
from cej_sim.scales import ITEM_CODES, SPECTRA, SURVEY_ITEMS, SURVEY_NOISE, SURVEY_SCALES, cronbach_alpha, spectra
from cej_sim.scenario import Scenario, defaults
from cej_sim.state import BACKBONE, LOG_CODES, State

SMALL = {"community.residents": 30, "community.institutions": 6}
A = Scenario("first", {**defaults(), **SMALL}, label="First way", months=36)
B = Scenario("second", {**A.values, "governance.decide.votes.residents": 0.6}, months=36)


@pytest.fixture(scope="module")
def both() -> runs.Comparison:
    return cej.compare(A, B, runs=4, seed=5, months=30)


@pytest.fixture(scope="module")
def state() -> tuple[State, np.uint64]:
    """A run of the first scenario after month 12, and its key."""
    key = runs.key_of(5, 0)
    return runs.run_once(A, key, np.empty((13, len(METRICS)))), key


# Cronbach's alpha


def test_alpha_by_hand() -> None:
    """Variances 4 and 1, of the sum 7: 2 (1 - 5/7). Three items of variances 1, 1, 4, of the sum 13: 1.5 (1 - 6/13)."""
    assert cronbach_alpha(np.array([[2, 3], [4, 5], [6, 4]])) == pytest.approx(4 / 7)
    assert cronbach_alpha(np.array([[1, 2, 1], [2, 1, 3], [3, 3, 5]])) == pytest.approx(1.5 * (1 - 6 / 13))


def test_alpha_at_its_ends() -> None:
    same = np.array([[1, 1, 1], [3, 3, 3], [5, 5, 5]])
    assert cronbach_alpha(same) == pytest.approx(1.0)
    assert cronbach_alpha(np.array([[1, 0], [0, 1], [1, 1], [0, 0]])) == pytest.approx(0.0)


def test_alpha_of_parallel_items_is_that_of_spearman_and_brown() -> None:
    """Items that share a variance of 1 and have an error of variance 1 each correlate by 1/2: alpha k / (k + 1)."""
    generator = np.random.default_rng(1)
    for items in (2, 3, 6):
        answers = generator.normal(size=(40_000, 1)) + generator.normal(size=(40_000, items))
        assert cronbach_alpha(answers) == pytest.approx(items / (items + 1), abs=0.01)


@pytest.mark.parametrize("answers", [[[1, 2]], [[1], [2]], [[3, 3], [3, 3]], [], [1, 2]])
def test_alpha_that_does_not_exist(answers: list[Any]) -> None:
    assert np.isnan(cronbach_alpha(np.array(answers, float)))


# Spectra


def month_of(say: float, ideas: float, came: float = 0.2) -> dict[str, float]:
    band = 3 if say >= 0.4 and ideas >= 0.3 else 1 if say < 0.1 else 2
    return {"decision_share": say, "agenda_origin": ideas, "resident_attendance": came, "arnstein_band": band}


@pytest.mark.parametrize(
    ("say", "iap2", "cdc", "ownership"),
    [
        (0.0, "inform", "outreach", "inform"),
        (0.02, "consult", "consult", "consult"),
        (0.1, "involve", "involve", "involve"),
        (0.3, "collaborate", "collaborate", "collaborate"),
        (0.6, "empower", "shared leadership", "defer to"),
    ],
)
def test_levels_begin_at_their_cut_points(say: float, iap2: str, cdc: str, ownership: str) -> None:
    found = spectra(month_of(say, 1.0))
    assert (found["iap2"], found["cdc"], found["ownership"]) == (iap2, cdc, ownership)
    if say > 0.0:
        below = spectra(month_of(np.nextafter(say, 0.0), 1.0))
        for spectrum in ("iap2", "cdc", "ownership"):
            levels = SPECTRA[spectrum][1]
            assert levels.index(below[spectrum]) == levels.index(found[spectrum]) - 1


def test_ideas_hold_a_level_back() -> None:
    assert spectra(month_of(0.7, 0.5))["iap2"] == "empower"
    assert spectra(month_of(0.7, 0.3))["iap2"] == "collaborate"
    assert spectra(month_of(0.7, 0.0))["iap2"] == "involve"


def test_nobody_who_came_is_ignored() -> None:
    assert spectra(month_of(0.5, 0.5, came=0.0))["ownership"] == "ignore"


@pytest.mark.parametrize(
    ("say", "ideas", "came", "rung"),
    [
        (0.05, 0.0, 0.0, "manipulation"),
        (0.05, 0.0, 0.01, "manipulation"),
        (0.05, 0.0, 0.011, "therapy"),
        (0.1, 0.149, 0.2, "informing"),
        (0.1, 0.15, 0.2, "consultation"),
        (0.39, 0.3, 0.2, "placation"),
        (0.4, 0.29, 0.2, "consultation"),
        (0.4, 0.3, 0.2, "partnership"),
        (0.6, 0.3, 0.2, "delegated power"),
        (0.85, 0.3, 0.2, "citizen control"),
    ],
)
def test_rungs_of_arnsteins_ladder(say: float, ideas: float, came: float, rung: str) -> None:
    assert spectra(month_of(say, ideas, came))["arnstein"] == rung


def test_what_rules_set_does_not_count() -> None:
    promised = {**month_of(0.05, 0.05), "seat_share": 0.9, "vote_share": 0.9}
    assert spectra(promised) == spectra(month_of(0.05, 0.05))


def test_the_table_counts_runs_on_levels() -> None:
    rows = [
        {"scenario": "x", "run": run, "month": 24, "alive": alive, **month_of(say, 1.0)}
        for run, (say, alive) in enumerate([(0.05, 1), (0.2, 1), (0.2, 1), (0.7, 0)])
    ]
    table = scales.spectra_table(pd.DataFrame(rows), [24])
    assert list(table.columns) == list(scales.SPECTRA_COLUMNS)
    assert len(table) == sum(len(levels) for _, levels in SPECTRA.values())
    iap2 = table[table["spectrum"] == "iap2"].set_index("level")
    assert iap2["runs"].to_dict() == {"inform": 0, "consult": 1, "involve": 2, "collaborate": 0, "empower": 0}
    assert iap2.loc["involve", "share"] == pytest.approx(2 / 3)
    assert list(iap2["rank"]) == [1, 2, 3, 4, 5]
    ended = scales.spectra_table(pd.DataFrame([row | {"alive": 0} for row in rows]), [24])
    assert (ended["runs"] == 0).all()
    assert ended["share"].isna().all()


def test_a_result_has_its_spectra(both: runs.Comparison) -> None:
    table = both.spectra()
    assert set(table["scenario"]) == {"first", "second"}
    assert set(table["month"]) == {24, 30}
    assert (table.groupby(["scenario", "month", "spectrum"])["share"].sum().round(12) == 1.0).all()
    assert set(both.spectra(6)["month"]) == {6}


# The log


def test_every_event_has_a_code() -> None:
    assert set(scales.LOG_TEXTS) == set(LOG_CODES)
    assert {category for category, _ in scales.LOG_TEXTS.values()} == set(scales.CODES)
    codes = [code for code, _ in scales.CODES.values()]
    assert len(codes) == len(set(codes))


def test_the_coded_log_is_the_log_with_a_code(both: runs.Comparison) -> None:
    coded = both.coded_changes
    assert list(coded.columns) == ["scenario", "run", "month", "code", *both.changes.columns[3:]]
    pd.testing.assert_frame_equal(coded.drop(columns="code"), both.changes)
    found = dict(zip(coded["event"], coded["code"], strict=True))
    assert found["institution_joined"] == "M"
    assert not coded["code"].isna().any()
    empty = scales.coded(both.changes.iloc[:0])
    assert list(empty.columns) == list(coded.columns)


# The survey


def test_items_are_sound() -> None:
    assert len(set(ITEM_CODES)) == len(ITEM_CODES) < 64
    assert {item.scale for item in SURVEY_ITEMS} == set(SURVEY_SCALES)
    for scale in SURVEY_SCALES:
        items = [item for item in SURVEY_ITEMS if item.scale == scale]
        assert len(items) >= 3
        assert sum(item.is_reversed for item in items) == 1
        assert all(item.code.startswith(f"{scale}_") for item in items)
    assert all(scale.low < scale.high for scale in SURVEY_SCALES.values())


def test_five_steps_of_equal_width() -> None:
    assert list(instruments.likert(np.array([-0.3, 0.0, 0.19, 0.2, 0.5, 0.8, 1.0, 1.4]))) == [5, 5, 5, 4, 3, 1, 1, 1]


def test_who_came_answers_and_the_scale_is_wolffs(state: tuple[State, np.uint64]) -> None:
    now, key = state
    answers = instruments.survey(now, int(key), 12, noise=0.0)
    came = np.flatnonzero(now.member & now.present & (now.kind != BACKBONE))
    assert list(answers["row"]) == list(came)
    assert list(answers.columns) == ["row", "kind", *ITEM_CODES]
    assert answers[list(ITEM_CODES)].isin(range(1, 6)).all(axis=None)
    trust = now.trust[came]
    most, least = answers.iloc[int(trust.argmax())], answers.iloc[int(trust.argmin())]
    assert most["trust_1"] < least["trust_1"]  # 1 is strongly agree
    assert most["trust_3r"] > least["trust_3r"]
    # Without an error the items of a scale say the same, the other way round where they are worded so.
    assert (answers["trust_1"] == answers["trust_2"]).all()
    assert (answers["trust_1"] == 6 - answers["trust_3r"]).all()
    assert (scales.turned(answers)["trust_3r"] == answers["trust_1"]).all()


def test_an_answer_by_hand(state: tuple[State, np.uint64]) -> None:
    now, key = state
    answers = instruments.survey(now, int(key), 12)
    i, place = int(answers["row"].iloc[0]), ITEM_CODES.index("trust_2")
    scale = SURVEY_SCALES["trust"]
    agrees = min(1.0, max(0.0, (now.trust[i] - scale.low) / (scale.high - scale.low)))
    agrees += scales.SURVEY_NOISE * (2.0 * uniform(key, now.draw_id[i], 12 * 64 + place, SURVEY) - 1.0)
    assert answers["trust_2"].iloc[0] == 5 - min(4, max(0, int(agrees * 5.0)))


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_asking_changes_nothing_and_answers_stay_whatever_the_batch(both: runs.Comparison, tmp_path: Path) -> None:
    whole = both.survey(24, 12)
    pd.testing.assert_frame_equal(both.survey(12, 24, threads=1), whole)
    fewer = cej.simulate(B, runs=2, seed=5, months=24).survey(24)
    kept = whole[(whole["scenario"] == "second") & (whole["run"] < 2) & (whole["month"] == 24)]
    pd.testing.assert_frame_equal(fewer, kept.reset_index(drop=True))
    other = cej.simulate(B, runs=2, seed=6, months=24).survey(24)
    assert not fewer.equals(other)
    for name, threads in (("a", 1), ("b", 2)):
        again = cej.compare(A, B, runs=4, seed=5, months=30, threads=threads)
        again.with_survey(12, 24).save(tmp_path / name)
    for file in ("survey.csv", "spectra.csv", "changes.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "a" / "survey.csv"), whole, check_dtype=False)
    page = (tmp_path / "a" / "report.html").read_text(encoding="utf-8")
    assert "Survey of members" in page
    assert "My opinion is heard" in page
    assert "cut points between levels are assumed" in page


def test_a_model_is_asked_as_the_runs_are(both: runs.Comparison) -> None:
    model = cej.CoalitionModel(A, rng=5, run=1)
    assert model.survey().empty
    for _ in range(12):
        model.step()
    whole = both.survey(12)
    of_run = whole[(whole["scenario"] == "first") & (whole["run"] == 1)].drop(columns=["scenario", "run", "month"])
    pd.testing.assert_frame_equal(model.survey(), of_run.reset_index(drop=True), check_dtype=False)


def test_the_summary_turns_items_and_counts_respondents(both: runs.Comparison) -> None:
    answers = both.survey(24)
    summary = scales.survey_summary(answers)
    row = summary[(summary["scenario"] == "first") & (summary["scale"] == "voice")].iloc[0]
    rows = answers[answers["scenario"] == "first"]
    given = np.column_stack([rows["voice_1"], rows["voice_2"], 6 - rows["voice_3r"]])
    assert row["respondents"] == len(rows)
    assert row["runs"] == rows["run"].nunique()
    assert row["mean"] == pytest.approx(given.mean())
    assert row["alpha"] == pytest.approx(cronbach_alpha(given))


@pytest.mark.usefixtures("empty_pictures")
def test_a_coalition_that_has_ended_has_nobody_to_ask() -> None:
    ended = Scenario("ended", {**A.values, "governance.convene.quorum": 1.0, "funder.grant": 0.0,
                               "funder.contribution": 0.0}, months=36)  # fmt: skip
    result = cej.simulate(ended, runs=1, seed=1)
    assert result.monthly["alive"].iloc[-1] == 0.0
    answers = result.survey(36)
    assert answers.empty
    assert "Nobody came" in result.with_survey(36).report()


@pytest.mark.parametrize("months", [(), (0,), (31,), (2.5,), (-1, 12)])
def test_impossible_months_are_refused(both: runs.Comparison, months: tuple[Any, ...]) -> None:
    with pytest.raises(runs.RequestError, match="survey"):
        both.survey(*months)


# The door


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_the_command_asks(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["run", "community_led", "--runs", "2", "--months", "12", "--survey", "12,6", "--out", "here"]
    assert cli.status(command) == 0
    out = capsys.readouterr().out
    assert "Survey of members, month 6" in out
    assert "Voice" in out
    assert set(pd.read_csv("here/survey.csv")["month"]) == {6, 12}
    assert cli.status([*command[:-4], "--out", "here"]) == 0  # without it, answers of before would belie the rest
    assert not Path("here/survey.csv").exists()


@pytest.mark.usefixtures("empty_pictures")
@pytest.mark.slow
def test_a_bundle_holds_the_survey_and_how_to_ask_again(desk: Path) -> None:
    command = ["compare", "--runs", "1", "--months", "6", "--survey", "6,3", "--out", "here", "--bundle", "all.zip"]
    assert cli.status(command) == 0
    with zipfile.ZipFile("all.zip") as bundle:
        assert bundle.read("results/survey.csv") == Path("here/survey.csv").read_bytes()
        said = json.loads(bundle.read("results/provenance.json"))
    assert "--survey 3,6" in said["command"]
    assert said["survey_months"] == [3, 6]


@pytest.mark.parametrize("wrong", ["", "a", "12,", "0", "13", "2.5", "12;24", "99999"])
def test_wrong_months_get_one_line(desk: Path, capsys: pytest.CaptureFixture[str], wrong: str) -> None:
    assert cli.status(["run", "community_led", "--runs", "1", "--months", "12", "--survey", wrong]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("--survey: ")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["collective_impact", "community_led", "hybrid"])
def test_answers_spread_and_scales_hold_together(name: str) -> None:
    """Every item uses at least four of the five points, and the items of a scale tell one thing, but not one answer.

    Items that read one number with errors of variance e of their own have alpha = 1 - e / (items * variance of the
    scale's scores), by the classical theory of tests: people who differ little cannot be told apart. The errors are the
    one that is drawn and the rounding to five points.
    """
    answers = cej.simulate(cej.load(name), runs=20, seed=0).survey(24, 60)
    for item in SURVEY_ITEMS:
        assert answers[item.code].nunique() >= 4, item.code
        assert answers[item.code].value_counts(normalize=True).max() < 0.7, item.code
    summary = scales.survey_summary(answers)
    drawn, rounded = (2.0 * SURVEY_NOISE) ** 2 / 12.0, 0.2**2 / 12.0  # of agreement from 0 to 1
    expected = 1.0 - 25.0 * (drawn + rounded) / (summary["items"] * summary["sd"] ** 2)
    np.testing.assert_allclose(summary["alpha"], expected, atol=0.05)
    assert summary["alpha"].lt(0.95).all()
