"""Histories for the player: the very runs of ``simulate``, and what is said of them."""

from __future__ import annotations

import base64
import json
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

import cej_sim as cej
from cej_sim.app import history
from cej_sim.comparison import compare_table
from cej_sim.metrics import METRICS, NAMES
from cej_sim.runs import RequestError, key_of, start
from cej_sim.scenario import Event, Scenario, defaults
from cej_sim.state import BACKBONE, INSTITUTION, ORGANIZER, RESIDENT

SMALL = {"community.residents": 30, "community.institutions": 6}
A = Scenario("first", {**defaults(), **SMALL}, label="First way", months=36)
B = replace(
    A.with_values({"governance.decide.votes.residents": 0.6, "governance.convene.seats.residents": 0.4}),
    name="second",
    events=(Event(12, "mandate", (("governance.decide.votes.residents", 0.2),)),),
)
AT = {name: place for place, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def shown() -> history.Show:
    return history.show([A, B], seed=4, run=2, runs=8)


@pytest.fixture(scope="module")
def simulated() -> cej.runs.Comparison:
    return cej.compare(A, B, runs=8, seed=4, allow_unequal_budgets=True)


def decoded(packed: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["b64"]), "<" + packed["dtype"]).reshape(packed["shape"])


def test_the_run_that_is_shown_and_the_band_are_those_of_simulate_bit_for_bit(shown, simulated):
    for place, name in enumerate(("first", "second")):
        monthly = simulated.monthly[simulated.monthly["scenario"] == name]
        for number in range(8):
            rows = monthly[monthly["run"] == number][list(NAMES)].to_numpy()
            np.testing.assert_array_equal(shown.monthly[place, number], rows)
        np.testing.assert_array_equal(shown.sides[place].rows, shown.monthly[place, 2])
    logged = simulated.changes.query("scenario == 'second' and run == 2")
    assert [(one["month"], one["event"], one["text"]) for one in shown.sides[1].log] == list(
        logged[["month", "event", "text"]].itertuples(index=False, name=None)
    )


def test_a_run_beyond_the_band_is_shown_as_simulate_computes_it():
    alone = history.show([A], seed=4, run=9, runs=1, months=12)
    rows = cej.simulate(A, runs=10, seed=4, months=12).monthly.query("run == 9")[list(NAMES)].to_numpy()
    np.testing.assert_array_equal(alone.sides[0].rows, rows)


def test_threads_and_a_pool_from_outside_change_nothing(shown):
    from concurrent.futures import ThreadPoolExecutor

    one = history.show([A, B], seed=4, run=2, runs=8, threads=1)
    with ThreadPoolExecutor(2) as pool:
        other = history.show([A, B], seed=4, run=2, runs=8, pool=pool)
    for again in (one, other):
        np.testing.assert_array_equal(again.monthly, shown.monthly)
        assert again.payload() == shown.payload()


def test_what_agents_hold_adds_up_to_what_is_measured(shown):
    for side in shown.sides:
        residents = side.state.kind == RESIDENT
        total = side.say.sum(axis=1)
        met = total > 0.0
        assert met.sum() > 20
        np.testing.assert_allclose(total[met], 1.0, atol=1e-9)
        np.testing.assert_allclose(
            side.say[met][:, residents].sum(axis=1), side.rows[met, AT["decision_share"]], atol=1e-9
        )
        for bit, name in (
            (history.MEMBER, "resident_members"),
            (history.PRESENT, "resident_attendance"),
            (history.LEADER, "resident_leaders"),
            (history.MOBILIZED, "mobilized"),
        ):
            share = (side.flags[:, residents] & bit > 0).mean(axis=1)
            np.testing.assert_allclose(share, side.rows[:, AT[name]], atol=1e-12)


@pytest.mark.parametrize("tables", [1, 3])
def test_seats_given_are_those_that_the_seat_share_counts(tables):
    (side,) = history.show([A.with_values({"community.tables": tables})], runs=1, months=24).sides
    residents, institutions = side.seats.T
    np.testing.assert_allclose(
        residents / (residents + institutions + tables), side.rows[:, AT["seat_share"]], atol=1e-12
    )


def test_what_nobody_has_touched_of_the_agenda_shrinks_as_others_ideas_come_in(shown):
    """Where residents alone decide and move by nothing but their own convictions, all that came in is theirs."""
    only = A.with_values(
        {
            "governance.convene.residents_from": 0,
            "governance.convene.seats.residents": 0.6,
            "governance.decide.votes.residents": 1.0,
            "governance.decide.votes.institutions": 0.0,
            "governance.decide.votes.backbone": 0.0,
            "mechanisms.leakage": 0.0,
            "mechanisms.influence": 0.0,
            "governance.coordinate.delegated.agenda": 0.0,
            "governance.coordinate.delegated.budget": 0.0,
            "governance.convene.seats.institutions": 0.0,
            "coefficients.reluctance": 1.2,  # so that they come, and decide
        }
    )
    (side,) = history.show([only], runs=1).sides
    others = side.state.kind != RESIDENT
    assert side.say[:, others].max() == 0.0
    np.testing.assert_allclose(side.untouched + side.rows[:, AT["agenda_origin"]], 1.0, atol=1e-9)
    assert side.untouched[0] == 1.0
    assert side.untouched[-1] < 0.1
    for other in shown.sides:
        assert (other.untouched + other.rows[:, AT["agenda_origin"]] <= 1.0 + 1e-9).all()
        assert (np.diff(other.untouched) <= 0.0).all()


def test_similar_runs_are_counted_as_the_page_says(shown):
    counted = shown.similar()
    for place, side in enumerate(shown.sides):
        for month in (1, 12, 36):
            seats, ideas = side.rows[month, AT["seat_share"]], side.rows[month, AT["agenda_origin"]]
            alike = 0
            for row in shown.monthly[place, :, month]:
                both = row[AT["alive"]] == side.rows[month, AT["alive"]] == 1.0
                near = abs(row[AT["seat_share"]] - seats) <= 0.1 and abs(row[AT["agenda_origin"]] - ideas) <= 0.1
                alike += both and near
            assert counted[place, month] == alike
            assert 1 <= counted[place, month] <= 8  # at least the run itself
            caption = shown.captions()[month][place]
            assert caption["params"]["similar"] == alike
            assert caption["params"]["runs"] == 8


def test_runs_unlike_the_one_shown_are_not_called_similar(shown):
    other = shown.monthly.copy()
    other[0] = shown.sides[0].rows
    assert (replace(shown, monthly=other).similar()[0] == 8).all()
    other[0, :3, 12, AT["agenda_origin"]] += 0.11
    other[0, 3:5, 12, AT["seat_share"]] -= 0.11
    other[0, 5, 12, AT["alive"]] = 0.0
    other[0, 6, 12, AT["seat_share"]] += 0.1
    assert replace(shown, monthly=other).similar()[0, 11:14].tolist() == [8, 2, 8]


def ended(show: history.Show, month: int) -> history.Show:
    """The same, as if the coalition shown on side A and half of its runs had ended in a month."""
    monthly, rows = show.monthly.copy(), show.sides[0].rows.copy()
    monthly[0, :4, month:, AT["alive"]] = 0.0
    rows[month:, AT["alive"]] = 0.0
    end = {"month": month, "event": "coalition_ended", "category": "governance", "subject": "lack of money",
           "count": 1, "text": "The coalition ended: lack of money", "row": -1}  # fmt: skip
    log = [*show.sides[0].log, end]
    return replace(show, monthly=monthly, sides=(replace(show.sides[0], rows=rows, log=log), show.sides[1]))


def test_an_ended_coalition_is_said_to_have_ended_and_leaves_the_band(shown):
    gone = ended(shown, 20)
    caption = gone.captions()[25][0]
    assert caption["key"] == "player.caption.ended"
    assert caption["params"] == {"month": 25, "ended": 20, "reason": "lack of money", "similar": 4, "runs": 8}
    assert gone.captions()[19][0]["key"] == "player.caption"
    assert gone.captions()[25][1]["key"] == "player.caption"
    band = gone.bands()[0]
    assert band["alive"][19] == 8
    assert band["alive"][25] == 4
    trust, burden = AT["trust"], AT["burden"]  # trust says nothing without a coalition, burden does
    np.testing.assert_allclose(band["mid"][25, trust], shown.monthly[0, 4:, 25, trust].mean())
    np.testing.assert_allclose(band["mid"][25, burden], shown.monthly[0, :, 25, burden].mean())
    assert gone.ladder()[0][25, 0] == 4
    assert (gone.ladder()[0].sum(axis=1) == 8).all()
    payload = gone.payload()
    assert payload["sides"][0]["ended"] == {"month": 20, "reason": "lack of money"}


def test_bands_are_means_and_percentiles_of_the_runs_that_exist(shown):
    gone = ended(shown, 20)
    for place, band in enumerate(gone.bands()):
        values = gone.monthly[place].copy()
        over = values[:, :, AT["alive"]] == 0.0
        for at, metric in enumerate(METRICS):
            if not metric.outlives:
                values[over, at] = np.nan
        np.testing.assert_allclose(band["mid"], np.nanmean(values, axis=0))
        low, high = np.nanpercentile(values, [10, 90], axis=0)
        np.testing.assert_allclose(band["low"], low)
        np.testing.assert_allclose(band["high"], high)


def test_the_difference_is_that_of_a_comparison(shown, simulated):
    table = compare_table(simulated.monthly, "first", ["second"], [24])
    found = shown.difference()
    np.testing.assert_allclose(found["mid"][24], table["difference"])
    np.testing.assert_allclose(found["low"][24], table["ci_low"])
    np.testing.assert_allclose(found["high"][24], table["ci_high"])
    assert history.show([A], runs=2, months=3).difference() is None


def test_what_agents_bring_is_what_campaigns_are_made_of():
    """Without money, data and allies for advocacy, what agents bring is the month's inflow, and what they oppose."""
    bare = {"governance.decide.strategy": 0.0, "governance.decide.strategy_max": 0.0,
            "governance.decide.budget.evaluation": 0.0, "governance.decide.budget_max.evaluation": 0.0,
            "governance.decide.budget_min.evaluation": 0.0, "governance.advocate.allies": 0.0}  # fmt: skip
    pushing = A.with_values({**bare, "mechanisms.opposition": 0.0, "governance.advocate.rival": 0.0,
                             "coefficients.hazard": 0.0})  # fmt: skip
    (side,) = history.show([pushing], runs=1, months=36).sides
    months = np.array(side.map_months[1:])
    inflow = side.pressure[months] - history.KEPT * side.pressure[months - 1]
    assert inflow.max() > 0.0
    brought = side.push[1:].sum(axis=2) * (1.0 - history.KEPT)
    np.testing.assert_allclose(brought, inflow, rtol=0.1, atol=0.03 * inflow.max())  # attitudes moved later that month

    opposing = A.with_values({**bare, "mechanisms.people_power": 0.0, "mechanisms.insiders": 0.0})
    (side,) = history.show([opposing], runs=1, months=36).sides
    np.testing.assert_allclose(side.push[1:].sum(axis=2), side.opposition[list(side.map_months[1:])], rtol=0.05)


def test_the_stance_has_two_ends():
    state = start(A, key_of(1, 0))
    state.openness[:], state.stake[:], state.belief[:], state.home[:] = 0.0, 1.0, 0.0, 0
    stance, _ = history.power_map(state)
    assert (stance[0, state.active] == -1.0).all()
    assert (stance[1, state.active] == -0.25).all()  # the stake lies in another issue
    state.mobilized[:], state.agency[:], state.stake[:] = True, 1.0, 0.0
    stance, _ = history.power_map(state)
    assert (stance[:, state.active] == 1.0).all()


def test_the_payload_is_plain_json_and_rounds_no_more_than_it_says(shown):
    payload = json.loads(json.dumps(shown.payload(), allow_nan=False))
    for side, sent in zip(shown.sides, payload["sides"], strict=True):
        rows = decoded(sent["agents"]["row"])
        assert rows.tolist() == np.flatnonzero(side.state.active).tolist()
        np.testing.assert_array_equal(decoded(sent["month"]["flags"]), side.flags[:, rows])
        np.testing.assert_allclose(decoded(sent["month"]["say"]) / 65535, side.say[:, rows], atol=0.5001 / 65535)
        np.testing.assert_array_equal(decoded(sent["metrics"]), side.rows.astype("f4"))
        some = sent["attitudes"]["months"]
        assert some[0] == 0
        assert some[-1] == 36
        np.testing.assert_allclose(
            decoded(sent["attitudes"]["trust"]) / 255, side.trust[np.ix_(some, rows)], atol=0.5001 / 255
        )
        np.testing.assert_allclose(
            decoded(sent["map"]["stance"]) / 255 * 2 - 1, side.stance[:, :, rows], atol=1.001 / 255
        )
        a, b = decoded(sent["ties"]["a"]), decoded(sent["ties"]["b"])
        assert (a < b).all()
        assert b.max() < rows.size
        kinds = decoded(sent["agents"]["kind"])
        assert decoded(sent["agents"]["number"])[kinds == INSTITUTION].tolist() == [1, 2, 3, 4, 5, 6]
    assert len(payload["captions"]) == 37
    assert {entry["event"] for entry in payload["sides"][1]["log"] if entry["tick"]} >= {"mandate"}


def test_a_payload_of_two_hundred_agents_and_ten_years_stays_near_a_megabyte():
    large = replace(A, months=120).with_values({"community.residents": 185, "community.institutions": 12})
    payload = history.show([large, large], runs=2).payload()
    assert payload["sides"][0]["all_agents"] >= 198
    assert len(json.dumps(payload)) < 1_150_000


def test_of_many_agents_those_with_a_part_to_play_are_sent():
    large = A.with_values({"community.residents": 900, "community.institutions": 30})
    show = history.show([large], runs=1, months=6)
    (side,), (sent,) = show.sides, show.payload()["sides"]
    rows = decoded(sent["agents"]["row"])
    assert rows.size == history.MOST_AGENTS < sent["all_agents"]
    assert (np.diff(rows) > 0).all()
    needed = np.flatnonzero(side.state.active & (side.state.kind != RESIDENT))
    assert set(needed) <= set(rows.tolist())
    np.testing.assert_allclose(side.say[:, rows].sum(axis=1), side.say.sum(axis=1), atol=1e-9)
    ordinary = rows[(side.state.kind[rows] == RESIDENT) & (side.say[:, rows].max(axis=0) == 0.0)]
    assert ordinary.max() - ordinary.min() > 600  # from all over the community
    assert np.count_nonzero(side.state.kind[rows] == BACKBONE) == 1
    assert np.count_nonzero(side.state.kind[rows] == ORGANIZER) == large["community.organizers"]


def test_it_can_be_given_up():
    stop = threading.Event()
    stop.set()
    with pytest.raises(history.GivenUp):
        history.show([A, B], stop=stop)
    stop.clear()
    long = replace(A, months=1200)
    threading.Timer(0.3, stop.set).start()
    begun = time.monotonic()
    with pytest.raises(history.GivenUp):
        history.show([long, long], runs=1_000, stop=stop)
    assert time.monotonic() - begun < 5.0


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"sides": []}, "give one scenario or two"),
        ({"sides": [A, A, A]}, "give one scenario or two"),
        ({"sides": [A], "runs": 0}, "runs: 0"),
        ({"sides": [A], "run": -1}, "run: -1"),
        ({"sides": [A], "months": 37}, "at most 36"),
        ({"sides": [A], "seed": -1}, "seed: -1"),
    ],
)
def test_what_cannot_be_computed_is_refused_with_words(request_, words):
    with pytest.raises(RequestError, match=words):
        history.show(**request_)


def test_the_first_caption_says_what_both_sides_share(shown):
    assert {caption["key"] for caption in shown.captions()[0]} == {"player.caption.start"}
    fewer = B.with_values({"community.residents": 20})
    unlike = history.show([A, fewer], runs=1, months=1)
    assert {caption["key"] for caption in unlike.captions()[0]} == {"player.caption.start.unlike"}
    assert history.show([A], runs=1, months=1).captions()[0][0]["key"] == "player.caption.first"


def test_tenths_say_less_rather_than_more():
    said = [history.tenths(share) for share in (0.0, 0.02, 0.05, 0.14, 0.96, 1.0)]
    assert said == ["none", "few", 1, 1, "most", 10]
