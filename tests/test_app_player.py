"""The player in a real browser: what it shows is what was computed, and it can be used by everybody."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import browsers
import numpy as np
import pytest
from browsers import becomes, expect
from ruamel.yaml import YAML

from cej_sim.app import front, history
from cej_sim.metrics import NAMES
from cej_sim.scenario import Scenario, defaults
from cej_sim.state import RESIDENT

pytest.importorskip("playwright.sync_api", reason="playwright (extra `test`) is not installed")
pytestmark = browsers.needed

TEXTS: dict[str, str] = YAML(typ="safe").load(
    (Path(front.__file__).with_name("texts") / "en.yaml").read_text(encoding="utf-8")
)
SMALL = {"community.residents": 40, "community.institutions": 6, "governance.convene.seats.residents": 0.3}
A = Scenario("first", {**defaults(), **SMALL}, label="First way", months=36)
B = replace(
    A.with_values({"governance.decide.votes.residents": 0.6, "governance.convene.residents_from": 0}),
    name="second",
    label="Second way </script><b>bold</b>",
)
VIEWS = ("tables", "network", "powermap", "curves", "difference", "bands", "log")
AT = {name: place for place, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def show() -> history.Show:
    return history.show([A, B], seed=3, runs=6)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsers.started() as started:
        yield started


@pytest.fixture
def opened(browser, show, tmp_path) -> Iterator[Callable[..., Any]]:
    """Open the player on a payload; fails if the page asks for anything else, or complains."""
    numbers = itertools.count()
    with browsers.from_files(browser) as from_file:

        def open_(payload: Any = None, width: int = 1280, height: int = 720, motion: str = "no-preference", **options):
            file = tmp_path / f"{next(numbers)}.html"
            page_text = front.player_page(show.payload() if payload is None else payload, TEXTS, options)
            file.write_text(page_text, encoding="utf-8")
            return from_file(file, width, height, reduced_motion=motion)

        yield open_


INKED = """() => [...document.querySelectorAll('.cej-stage canvas.cej-canvas')].filter(c => c.offsetWidth).map(c => {
    const copy = new OffscreenCanvas(c.width, c.height).getContext('2d');
    copy.drawImage(c, 0, 0);
    const pixels = copy.getImageData(0, 0, c.width, c.height).data;
    let inked = 0;
    for (let i = 3; i < pixels.length; i += 4) inked += pixels[i] > 0;
    return inked / (c.width * c.height);
})"""


def text_of(page: Any) -> str:
    return page.evaluate(
        "player.root.innerText + [...document.querySelectorAll('[title]')].map(n => n.title).join(' ')"
    )


def frame(page: Any) -> None:
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_every_view_draws_and_has_its_words(opened):
    page = opened(autoplay=False, month=12, charts=True)
    for view in VIEWS:
        page.evaluate("view => player.setView(view)", view)
        frame(page)
        inked = page.evaluate(INKED)
        assert all(share > 0.01 for share in inked), (view, inked)
        assert (
            len(inked)
            == {"tables": 4, "network": 4, "powermap": 4, "curves": 4, "difference": 4, "bands": 2, "log": 0}[view]
        )
        said = text_of(page)
        assert not re.search(r"\bplayer\.[a-z]", said), (view, said)
        assert page.evaluate("[...player.t.missing]") == []  # words on canvases among them
        assert "undefined" not in said
        assert "NaN" not in said
    assert page.locator("b", has_text="bold").count() == 0  # a title is words, not markup


def test_it_plays_the_first_year_by_itself_and_reports_the_month_it_settles_on(opened, show):
    page = opened(speed=16)
    page.wait_for_function("!player.playing() && player.month() === 12")
    frame(page)
    captions = page.locator(".cej-heads .cej-caption").all_inner_texts()
    for place, side in enumerate(show.sides):
        params = show.captions()[12][place]["params"]
        assert captions[place].startswith("Month 12: ")
        assert captions[place].endswith(f"similar in {params['similar']} of 6 runs")
        seats = history.tenths(float(side.rows[12, AT["seat_share"]]))
        assert f" {seats} of 10 seats" in captions[place] or isinstance(seats, str)


@pytest.mark.slow
def test_with_reduced_motion_nothing_moves_by_itself(opened):
    page = opened(motion="reduce")
    frame(page)
    assert page.evaluate("[player.playing(), player.month()]") == [False, 12]


def test_the_keyboard_does_everything(opened):
    page = opened(autoplay=False)
    month = "player.month()"
    for keys, expected in (
        (["ArrowRight"], 1), (["Shift+ArrowRight"], 13), (["ArrowLeft"], 12), (["End"], 36), (["Home"], 0),
    ):  # fmt: skip
        for key in keys:
            page.keyboard.press(key)
        becomes(page, month, expected)
    for place, view in enumerate(VIEWS, start=1):
        page.keyboard.press(str(place))
        becomes(page, "player.view()", view)
        expect(page.locator(".cej-tab[aria-current]")).to_have_text(TEXTS[f"player.view.{view}"])
    page.keyboard.press("1")
    page.keyboard.press("Space")
    becomes(page, "player.playing()", True)
    page.keyboard.press("k")
    becomes(page, "player.playing()", False)
    page.keyboard.press("?")
    expect(page.locator("dialog.cej-help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog.cej-help")).to_be_hidden()
    page.keyboard.press("End")
    page.keyboard.press("n")
    card = page.locator(".cej-card")
    expect(card).to_be_visible()
    loudest = page.evaluate("""() => { const s = player.show.sides[0], at = player.month() * s.count;
        let best = 0; for (let i = 0; i < s.count; i++) if (s.month.say[at + i] > s.month.say[at + best]) best = i;
        return player.agentName(0, best) }""")
    expect(card).to_contain_text(loudest)
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()


@pytest.mark.slow
def test_a_field_and_a_slider_keep_their_keys(opened):
    page = opened(autoplay=False, view="curves")
    page.evaluate(
        "(() => { const f = document.createElement('input'); f.id = 'f'; player.root.append(f); f.focus(); })()"
    )
    page.keyboard.type("1 k?")
    becomes(page, "[document.getElementById('f').value, player.view(), player.playing()]", ["1 k?", "curves", False])
    page.get_by_role("slider", name=TEXTS["player.month.label"]).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    becomes(page, "player.month()", 2)


def test_chairs_cover_what_their_holders_say_and_none_touch(opened, show):
    page = opened(autoplay=False)
    sides = page.evaluate("""() => CEJ.chairs(player.show).map(one => ({
        angle: [...one.angle], radii: [...one.radii], away: [...one.radii].map(CEJ.chairs.away),
        stride: one.stride, kind: [...one.kind] }))""")
    areas = []
    for side, sent in zip(show.sides, sides, strict=True):
        shape = (37, sent["stride"])
        radii, angle, away = (np.array(sent[name]).reshape(shape) for name in ("radii", "angle", "away"))
        rows = np.flatnonzero(side.state.active)
        kind = np.array(sent["kind"])
        for month in (1, 12, 24, 36):
            say, flags = side.say[month, rows], side.flags[month, rows]
            held = radii[month, : rows.size]
            seats = (radii[month] > 0.0) & (kind == RESIDENT)
            assert seats.sum() == max(
                side.seats[month, 0], (flags[side.state.kind[rows] == RESIDENT] & history.MEMBER).sum()
            )
            large = (say > 0.02) & (flags & history.PRESENT > 0)
            areas += (held[large] ** 2 / say[large]).tolist()
            absent = (flags & history.MEMBER > 0) & (flags & history.PRESENT == 0)
            assert np.unique(held[absent]).size <= 1  # hollow ones have one size
            x, y = away[month] * np.cos(angle[month]), away[month] * np.sin(angle[month])
            there = np.flatnonzero(radii[month] > 0.0)
            apart = np.hypot(x[there, None] - x[there], y[there, None] - y[there]) + np.eye(there.size) * 9
            assert (apart > radii[month][there, None] + radii[month][there]).all()
    assert len(areas) > 20
    np.testing.assert_allclose(areas, np.median(areas), rtol=0.01)  # one scale for both sides and all months


def test_what_is_read_aloud_is_what_was_computed(opened, show):
    page = opened(autoplay=False, month=24)
    frame(page)
    for place, side in enumerate(show.sides):
        said = page.locator(".cej-half .cej-unseen").nth(place).inner_text()
        row = side.rows[24]
        assert f"hold {round(100 * row[AT['decision_share']])}\u202f% of the say" in said
        assert f"began {round(100 * row[AT['agenda_origin']])}\u202f% of the agenda" in said
        residents = side.state.kind == RESIDENT
        came = np.count_nonzero(side.flags[24, residents] & 3 == 3)
        assert f"{came} residents at the table" in said
    page.evaluate("player.setView('difference')")
    frame(page)
    points = round(100 * show.difference()["mid"][24, AT["agenda_origin"]])
    expect(page.locator(".cej-value b").first).to_have_text(f"{points:+d} points".replace("-", "\u2212"))


def test_events_lead_to_their_month(opened, show):
    page = opened(autoplay=False, view="log")
    entry = next(one for one in show.payload()["sides"][1]["log"] if one["tick"])
    page.locator(".cej-log").nth(1).locator("button").first.click()
    becomes(page, "player.month()", entry["month"])
    page.evaluate("player.goto(0)")
    tick = page.locator(".cej-lane").nth(1).locator(".cej-tick").last
    month = int(re.match(r"Month (\d+)", tick.get_attribute("title"))[1])
    tick.click()
    becomes(page, "player.month()", month)
    page.keyboard.press("Home")
    page.keyboard.press(".")
    first = min(
        one["month"] for side in show.payload()["sides"] for one in side["log"] if one["tick"] and one["month"] > 0
    )
    becomes(page, "player.month()", first)


@pytest.mark.slow
def test_a_new_payload_keeps_month_and_view_and_one_side_is_enough(opened, show):
    page = opened(autoplay=False, view="difference", month=20)
    alone = json.dumps(history.show([B], seed=3, runs=2).payload())
    page.evaluate("text => player.setPayload(JSON.parse(text))", alone)
    frame(page)
    becomes(page, "[player.month(), player.view()]", [20, "curves"])
    expect(page.locator('.cej-tab[data-view="difference"]')).to_be_hidden()
    page.evaluate("text => player.setPayload(JSON.parse(text))", json.dumps(show.payload()))
    page.evaluate("player.setView('network')")
    page.evaluate("text => player.setPayload(JSON.parse(text))", json.dumps(show.payload()))
    becomes(page, "[player.month(), player.view()]", [20, "network"])


def test_an_ended_coalition_is_shown_as_ended(opened, show):
    monthly, rows = show.monthly.copy(), show.sides[0].rows.copy()
    monthly[0, :2, 20:, AT["alive"]] = rows[20:, AT["alive"]] = 0.0
    log = [{"month": 20, "event": "coalition_ended", "category": "governance", "subject": "lack of money", "count": 1,
            "text": "The coalition ended: lack of money", "row": -1}]  # fmt: skip
    gone = replace(show, monthly=monthly, sides=(replace(show.sides[0], rows=rows, log=log), show.sides[1]))
    page = opened(gone.payload(), autoplay=False, month=25)
    for view in VIEWS:
        page.evaluate("view => player.setView(view)", view)
        frame(page)
    assert page.evaluate("[...player.t.missing]") == []
    captions = page.locator(".cej-heads .cej-caption").all_inner_texts()
    assert captions[0] == "Ended in month 20 (lack of money); ended by now in 2 of 6 runs"
    assert captions[1].startswith("Month 25: ")
    expect(page.locator(".cej-lane").first).to_contain_text("coalition ended")


@pytest.mark.slow
def test_blind_labels_hide_who_is_who(opened):
    page = opened(autoplay=False, blind=True, month=12)
    for view in VIEWS:
        page.evaluate("view => player.setView(view)", view)
        frame(page)
        said = text_of(page) + page.locator(".cej-player").inner_text()
        assert "First way" not in said
        assert "Second way" not in said
    page.evaluate("player.setOptions({blind: false, view: 'bands'})")
    frame(page)
    assert "First way" in text_of(page)


def test_places_in_the_network_are_settled_and_the_same_on_both_sides(opened):
    page = opened(autoplay=False)
    a, again, b, kinds = (
        page.evaluate("""() => { const sides = player.show.sides, list = (one) => [[...one.x], [...one.y]];
        const [a, again, b] = [sides[0], sides[0], sides[1]].map((side) => list(CEJ.layout(side)));
        return [a, again, b, [...sides[0].agents.kind]] }""")
    )
    assert a == again == b
    x, y = np.array(a)
    assert np.hypot(x, y).max() <= 1.0
    kinds = np.array(kinds)
    assert np.hypot(x, y)[kinds == RESIDENT].min() > np.hypot(x, y)[kinds != RESIDENT].max()
    apart = np.hypot(x[:, None] - x, y[:, None] - y) + np.eye(x.size)
    assert apart.min() > 0.01


@pytest.mark.parametrize("view", ["tables", *(pytest.param(view, marks=pytest.mark.slow) for view in VIEWS[1:])])
def test_it_fits_a_telephone(opened, view):
    page = opened(width=390, height=844, autoplay=False, month=12, view=view)
    frame(page)
    becomes(page, "player.root.scrollWidth", 390)
    becomes(page, "document.documentElement.scrollWidth", 390)
    expect(page.get_by_role("button", name=TEXTS["player.play"])).to_be_visible()
    size = page.locator(".cej-play").bounding_box()
    assert size["width"] >= 44
    assert size["height"] >= 44


@pytest.mark.slow
def test_a_picture_can_be_had(opened):
    page = opened(autoplay=False, month=12)
    head, size = page.evaluate("""async () => { const blob = await player.png();
        return [[...new Uint8Array(await blob.slice(0, 8).arrayBuffer())], blob.size] }""")
    assert bytes(head) == b"\x89PNG\r\n\x1a\n"
    assert size > 20_000
    page.evaluate("player.destroy()")
    expect(page.locator(".cej-top")).to_have_count(0)


def test_all_words_have_a_text_and_all_texts_are_used():
    used, beginnings = set(), set()
    for part in front.PLAYER:
        file = front.FOLDER / f"{part}.js"
        for quoted, more in re.findall(r'"(player\.[\w. ]*)"( \+)?', file.read_text(encoding="utf-8")):
            (beginnings if more else used).add(quoted)
    used |= {key for key in TEXTS if key.startswith("player.caption")}  # history.py names these
    assert len(used) > 60
    assert sorted(key for key in used if key not in TEXTS) == []
    known = [key for key in TEXTS if key.startswith("player.")]
    assert [key for key in known if key not in used and not key.startswith(tuple(beginnings))] == []
    for beginning in beginnings - {"player.metric."}:  # English labels of metrics are those of their declarations
        assert any(key.startswith(beginning) for key in known), beginning
    assert sorted(known) == known
