"""The room in a real browser: everything a trainer does, two visitors, broken files, reloads and lost connections."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("solara", reason="the app is an extra")
pytest.importorskip("playwright.sync_api", reason="looks at the app in a browser")

import browsers
from browsers import becomes, expect, opened, ready, served, watched

pytestmark = [pytest.mark.slow, browsers.needed]

RESIDENTS = "governance.decide.votes.residents"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address and process of a room that all tests visit."""
    with served(folder=tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture(scope="module")
def address(server):
    return server[0]


@pytest.fixture(scope="module")
def browser():
    with browsers.started() as started:
        yield started


@pytest.fixture
def visit(browser, address):
    """Opens pages of new visitors; at the end none of them may have met an error or left this computer."""
    contexts, pages = [], []

    def open(where="", width=1280, height=720, wait=True, **more):
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        context.set_default_timeout(60_000)
        page = context.new_page()
        contexts.append(context)
        pages.append(watched(page))
        page.wrong = pages[-1]
        opened(page, address + where, wait)
        return page

    yield open
    for context in contexts:
        context.close()
    assert [wrong for wrongs in pages for wrong in wrongs] == []


def state(page):
    return page.evaluate("CEJ.room.here.state")


def payload(page):
    return page.evaluate(
        """() => { const { sides, runs, seed } = CEJ.room.here.payload;
                   return { sides: sides.map((side) => side.name), runs, seed }; }"""
    )


def ask(page, type, **more):
    """What a panel asks of the session, without the panel."""
    page.evaluate("([type, more]) => { CEJ.room.here.ask(type, more); }", [type, more])


def run(page, text, side=1):
    ask(page, "run_yaml", yaml=f"schema_version: 1\n{text}\n", side=side)
    name = re.search(r"name: (\w+)", text)[1]
    page.wait_for_function(f"CEJ.room.here.payload.sides[{side}].name === '{name}'")
    ready(page)


def past(page, months):
    return page.evaluate(
        """(months) => { const { sides, metrics } = CEJ.room.here.payload;
                         return [...CEJ.decodeAll(sides[1]).metrics.slice(0, (months + 1) * metrics.length)]; }""",
        months,
    )


def panel(page, name):
    page.get_by_role("button", name=name, exact=True).first.click()


def lever(page, path):
    return page.locator(f".cej-lever[data-path='{path}']").first


def open_group(page, text):
    page.locator(".cej-group > summary", has_text=text).click()


def test_the_room_opens_with_two_tables_playing(visit):
    page = visit()
    assert page.title() == "Who has say?"
    assert payload(page)["sides"] == ["collective_impact", "community_led"]
    assert payload(page)["runs"] == 30
    page.wait_for_function("CEJ.room.here.player.month() >= 3")
    page.wait_for_function("CEJ.room.here.player.month() === 12")
    time.sleep(1.5)
    assert page.evaluate("CEJ.room.here.player.month()") == 12


def test_the_names_of_both_sides_are_there_from_the_first_sight(visit):
    page = visit(wait=False)
    page.wait_for_selector("#side-1", state="attached")
    seen = page.evaluate("[0, 1].map((n) => document.getElementById('side-' + n).value)")
    assert seen == ["collective_impact", "community_led"]
    ready(page)


def test_a_lever_moved_by_keyboard_changes_its_side(visit):
    page = visit()
    page.keyboard.press("l")
    open_group(page, "What is decided")
    slider = lever(page, RESIDENTS).get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^50\\s*%$"))
    slider.focus()
    for _ in range(7):
        slider.press("ArrowRight")
    ready(page)
    page.wait_for_function(f"CEJ.room.here.state.sides[1].values['{RESIDENTS}'] === 0.57")
    ready(page)
    assert state(page)["sides"][0]["values"][RESIDENTS] == 0.1
    expect(lever(page, RESIDENTS)).to_have_class(re.compile("is-changed"))
    lever(page, RESIDENTS).get_by_role("button", name=re.compile("back to what the file says")).click()
    page.wait_for_function("Object.keys(CEJ.room.here.state.sides[1].base).length === 0")


STALE = """() => {
    const t = Object.assign((key) => key, {has: () => false, or: (key, other) => other});
    const lever = {kind: "number", low: 0, high: 1, step: 0.01, default: 0.5, unit: "share", path: "x", label: "X",
                   meaning: "X.", source: "assumed"};
    const control = CEJ.leverControl(t, lever, () => {}), slider = control.node.querySelector("input");
    const seen = [], set = (value) => { control.set(value, 0.5); seen.push(Number(slider.value)); };
    const tell = (name) => slider.dispatchEvent(new Event(name));
    const press = (value) => { slider.value = value; tell("input"); tell("change"); };
    set(0.5); press(0.51); press(0.52);
    set(0.51); set(0.52); set(0.4);
    return seen;
}"""


def test_the_answer_to_an_earlier_key_does_not_undo_a_later_one(visit):
    assert visit().evaluate(STALE) == [0.5, 0.52, 0.52, 0.4]


def test_levers_have_choices_switches_bounds_and_sources(visit):
    page = visit()
    panel(page, "Levers")
    open_group(page, "Who is at the table")
    box = lever(page, "governance.convene.invitation")
    expect(box.get_by_role("combobox")).to_have_count(1)
    box.get_by_role("combobox").select_option("by_lot")
    page.wait_for_function("CEJ.room.here.state.sides[1].values['governance.convene.invitation'] === 'by_lot'")
    seats = lever(page, "governance.convene.seats.residents")
    seats.locator("summary").click()
    expect(seats).to_contain_text("governance.convene.seats.residents")
    expect(seats).to_contain_text("Default")
    expect(seats.locator(".cej-lever-mark")).to_have_count(1)


def test_every_rule_is_a_lever_of_the_page(visit):
    page = visit()
    panel(page, "Levers")
    page.wait_for_selector(".cej-levers-body .cej-fold")
    shown = page.evaluate(
        """() => { for (let i = 0; i < 3; i++) document.querySelectorAll('.cej-levers-body .cej-fold:not([open])')
             .forEach((fold) => { fold.open = true; fold.dispatchEvent(new Event('toggle')); });
           return [...document.querySelectorAll('.cej-lever')].map((node) => node.dataset.path); }"""
    )
    from cej_sim.scenario import PARAMETERS

    assert sorted(shown) == sorted(PARAMETERS)
    named = page.evaluate(
        """() => [...document.querySelectorAll('.cej-lever input, .cej-lever select')].filter((input) =>
             !(input.labels && input.labels.length) && !input.closest('[role=radiogroup]')).length"""
    )
    assert named == 0


def test_budget_lines_add_to_the_whole(visit):
    page = visit()
    panel(page, "Levers")
    open_group(page, "What is decided")
    slider = lever(page, "governance.decide.budget.organizing").get_by_role("slider")
    before = {line["line"]: line["share"] for line in state(page)["sides"][1]["budget"]}
    slider.focus()
    for _ in range(3):
        slider.press("PageUp")
    line = "CEJ.room.here.state.sides[1].budget.find((one) => one.line === 'organizing')"
    page.wait_for_function(f"Math.abs({line}.share - {line}.most) < 1e-9")
    ready(page)
    after = {line["line"]: line["share"] for line in state(page)["sides"][1]["budget"]}
    assert sum(after.values()) == pytest.approx(1.0)
    assert after["organizing"] > before["organizing"]
    assert all(after[line] <= before[line] for line in before if line != "organizing")
    expect(page.locator(".cej-budget-sum")).to_contain_text(re.compile("together 100\\s*%"))


def test_a_principle_is_a_switch(visit):
    page = visit()
    panel(page, "Levers")
    page.get_by_role("radio", name="A", exact=True).check(force=True)
    switch = page.get_by_role("switch", name=re.compile("^2[.]"))
    expect(switch).not_to_be_checked()
    switch.check()
    page.wait_for_function("CEJ.room.here.state.sides[0].principles['2'] === 'on'")
    assert state(page)["sides"][0]["values"][RESIDENTS] == 0.5


def test_presenter_mode_shows_six_levers_in_large_type(visit):
    page = visit()
    size = "parseFloat(getComputedStyle(document.querySelector('.cej-room-tab')).fontSize)"
    before = page.evaluate(size)
    page.keyboard.press("p")
    page.keyboard.press("l")
    page.wait_for_function("document.querySelectorAll('.cej-lever').length === 6")
    becomes(page, f"{size} > 1.2 * {before}", True)


def test_what_if_shows_who_votes_how_and_what_follows(visit):
    page = visit()
    page.evaluate("(CEJ.room.here.player.pause(), CEJ.room.here.player.goto(24), 0)")
    page.keyboard.press("w")
    page.wait_for_selector("text=After month 24")
    page.get_by_role("button", name="Who would vote for it?").click()
    page.wait_for_selector(".cej-vote-said")
    expect(page.locator(".cej-vote-said")).to_contain_text(re.compile("Month 2[5-9]|Month 3"))
    expect(page.locator(".cej-vote-blocs tbody tr")).to_have_count(4)
    page.locator(".cej-vote summary").click()
    expect(page.locator(".cej-vote-members tbody tr").nth(10)).to_be_visible()
    before = past(page, 24)
    page.get_by_role("button", name="Change it by mandate").click()
    page.wait_for_function("CEJ.room.here.state.sides[1].events.length === 1")
    ready(page)
    assert payload(page)["sides"] == ["community_led", "community_led"]
    assert past(page, 24) == before
    becomes(page, "CEJ.room.here.player.month()", 24)


def test_the_scenario_room_checks_runs_and_downloads(visit):
    page = visit()
    page.keyboard.press("e")
    area = page.get_by_role("textbox", name="Text of the scenario")
    page.wait_for_function("document.querySelector('.cej-editor-text').value.includes('community_led')")
    page.wait_for_selector(".cej-editor-right")
    area.fill(area.input_value().replace("facilitation", "facilitatoin"))
    page.wait_for_selector(".cej-editor-gutter .is-wrong")
    lines = area.input_value().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if text.strip().startswith("facilitatoin"))
    expect(page.locator(".cej-editor-gutter .is-wrong")).to_have_text(str(line))
    expect(page.locator(".cej-editor-said")).to_contain_text("did you mean facilitation?")
    page.locator(".cej-editor-said button").click()
    selected = "(e => (e.value || '').slice(e.selectionStart, e.selectionEnd))(document.activeElement)"
    page.wait_for_function(f"(getSelection().toString() || {selected}).includes('facilitatoin')")
    page.get_by_role("button", name="Run as B").click()
    time.sleep(0.5)
    assert payload(page)["sides"][1] == "community_led"
    area.fill("schema_version: 1\nname: mine\nextends: community_led\nmonths: 36\n")
    page.get_by_role("button", name="Run as B").click()
    page.wait_for_function("CEJ.room.here.payload.sides[1].name === 'mine'")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download", exact=True).click()
    assert "extends: community_led" in Path(download.value.path()).read_text()


def test_files_and_networks_are_taken_from_the_computer(visit, tmp_path):
    page = visit()
    page.keyboard.press("e")
    page.wait_for_function("document.querySelector('.cej-editor-text').value.includes('community_led')")
    (tmp_path / "ours.csv").write_text("source,target,weight\n" + "".join(f"o{i},o{(i + 1) % 9},1\n" for i in range(9)))
    (tmp_path / "my.yaml").write_text("schema_version: 1\nname: uploaded\nextends: community_led\nmonths: 12\n")
    (tmp_path / "page.html").write_text("<b>")
    page.set_input_files("#scenario-file", [tmp_path / "my.yaml", tmp_path / "ours.csv"])
    page.wait_for_selector("text=ours.csv")
    page.get_by_role("button", name="name it in the text").click()
    page.wait_for_selector(".cej-editor-right")
    page.get_by_role("button", name="Run as B").click()
    page.wait_for_function("CEJ.room.here.payload.sides[1].name === 'uploaded'")
    kinds = page.evaluate("[...CEJ.decodeAll(CEJ.room.here.payload.sides[1].agents).kind]")
    assert kinds.count(1) == 9
    page.set_input_files("#scenario-file", [tmp_path / "page.html"])
    page.wait_for_selector(".cej-room-notice:not([hidden])")
    expect(page.locator(".cej-room-notice")).to_contain_text("a network is a file")


def test_a_visitor_cannot_read_files(visit):
    page = visit()
    page.keyboard.press("e")
    area = page.get_by_role("textbox", name="Text of the scenario")
    for text in ("network:\n  file: /etc/passwd\n", "extends: ../../../etc/passwd\n", "extends: /etc/passwd.yaml\n"):
        area.fill("schema_version: 1\nextends: community_led\n")
        page.wait_for_selector(".cej-editor-right")
        area.fill(f"schema_version: 1\n{text}")
        page.wait_for_selector(".cej-editor-wrong")
        shown = page.locator(".cej-editor-said").inner_text()
        assert "root:" not in shown
        assert "only a" in shown
    up = "..%2f" * 8
    for path in (
        f"static/{up}etc/passwd",
        f"static/assets/{up}etc/passwd",
        f"_solara/cdn/{up}etc/passwd",
        f"jupyter/nbextensions/{up}etc/passwd",
        "static/public/room.py",
        "room/x/..%2froom.py",
        "resourcez",
        "_solara/cdn/lodash@4.0.0/main.js",
    ):
        assert page.request.get(page.url.split("#")[0] + path).status in (404, 405), path


def test_a_link_restores_everything_in_another_browser(visit):
    page = visit()
    ask(page, "set", side=0, values={RESIDENTS: 0.44})
    ready(page)
    ask(page, "seed", seed=77)
    ready(page)
    page.evaluate("(CEJ.room.here.player.pause(), CEJ.room.here.player.goto(31), 0)")
    page.keyboard.press("4")
    page.keyboard.press("s")
    page.wait_for_function("location.hash.includes('month=31') && location.hash.includes('view=curves')")
    expect(page.locator("#share-link")).to_have_value(page.evaluate("location.href"))
    link = page.evaluate("location.href")
    other = visit(link[link.index("#") :])
    assert state(other)["sides"][0]["values"][RESIDENTS] == 0.44
    assert (state(other)["seed"], payload(other)["seed"]) == (77, 77)
    other.wait_for_function("CEJ.room.here.player.month() === 31")
    becomes(other, "CEJ.room.here.player.view()", "curves")
    becomes(other, "CEJ.room.here.payloadText", page.evaluate("CEJ.room.here.payloadText"))


def test_a_reload_brings_back_what_was_shown(visit):
    page = visit()
    run(page, "name: mine\nextends: community_led\nmonths: 24")
    page.reload()
    ready(page)
    assert payload(page)["sides"] == ["collective_impact", "mine"]


@pytest.mark.parametrize(
    "where",
    ["#a=/etc/passwd", "#nonsense", "#a=community_led&a.governance.decide.votes.residents=9", "#%00%ff", "#a=%zz"],
)
def test_a_broken_link_is_told_and_the_room_opens(visit, where):
    page = visit(where)
    page.wait_for_selector(".cej-room-notice:not([hidden])")
    expect(page.locator(".cej-room-notice")).to_contain_text("link")
    assert payload(page)["sides"] == ["collective_impact", "community_led"]


def test_a_story_leads_through_the_room(visit):
    page = visit()
    page.keyboard.press("g")
    page.get_by_role("button", name="Begin").first.click()
    page.wait_for_selector(".cej-story-next", timeout=10_000)  # at once, whether or not its claims have been tried
    page.keyboard.press("Escape")
    page.keyboard.press("l")
    page.wait_for_selector(".cej-lever")
    assert 1 <= page.locator(".cej-lever").count() <= 6
    page.keyboard.press("g")
    page.locator(".cej-story-next").click()
    page.locator(".cej-story-body button").first.click()
    page.locator(".cej-story-next").click()
    before = page.evaluate("document.getElementById('room').dataset.shown")
    page.wait_for_function(f"document.getElementById('room').dataset.shown !== '{before}'")
    page.get_by_role("button", name="Leave the story").click()
    page.wait_for_selector(".cej-story-card")


def test_a_story_s_numbers_come_in_while_it_is_told(visit):
    page = visit(width=1920, height=1080)
    page.keyboard.press("p")
    page.keyboard.press("g")
    page.get_by_role("button", name="Begin").first.click()
    page.locator(".cej-story-next").click()
    page.locator(".cej-story-tap").nth(1).click()
    page.wait_for_function("!document.querySelector('.cej-story-guess h3').textContent.includes('\u2026')")
    expect(page.locator(".cej-story-guess h3")).to_contain_text("%")
    page.wait_for_selector(".cej-stories-trying", state="hidden", timeout=180_000)
    expect(page.locator(".cej-story-count").nth(1)).to_have_value("1")
    # The button that goes on stands below the text, and in the window.
    becomes(page, "document.querySelector('.cej-story-next').getBoundingClientRect().bottom <= 1080", True)
    becomes(page, "(b => b.scrollHeight <= b.clientHeight + 1)(document.querySelector('.cej-story-body'))", True)


def test_a_story_shows_the_charts_of_which_it_speaks(visit):
    page = visit()
    charts = "[...document.querySelectorAll('.cej-view-curves .cej-metric')].map((one) => one.value)"
    page.keyboard.press("4")
    page.keyboard.press("g")
    card = page.locator(".cej-story-card", has_text="What does it cost?")
    card.get_by_role("button", name="Begin").click()
    page.locator(".cej-story-next").click()
    page.locator(".cej-story-tap").first.click()
    page.locator(".cej-story-next").click()
    page.wait_for_function("CEJ.room.here.payload.sides[0].title === 'Strong backbone'")
    ready(page)
    page.wait_for_function("CEJ.room.here.player.month() === 24")
    becomes(page, charts, ["decision_speed", "backlog", "service_coverage", "burden"])
    page.get_by_role("button", name="Leave the story").click()
    becomes(page, f"{charts}[0]", "agenda_origin")


def test_a_blind_story_names_nobody(visit):
    page = visit()
    page.keyboard.press("g")
    card = page.locator(".cej-story-card", has_text="Which would you fund?")
    card.get_by_role("button", name="Begin").click()
    page.locator(".cej-story-next").click()
    page.locator(".cej-story-tap").first.click()
    page.locator(".cej-story-next").click()
    page.wait_for_function("CEJ.room.here.payload.sides[0].title.includes('backbone')")
    ready(page)
    expect(page.locator("#room")).to_contain_text("Coalition A", use_inner_text=True)
    seen = page.locator("#room").inner_text()
    expect(page.locator("#side-0")).to_be_hidden()
    assert "Community-led" not in seen
    assert "backbone)" not in seen.replace("Host (backbone)", "")
    page.get_by_role("button", name="Leave the story").click()
    expect(page.locator("#side-0")).to_be_visible()


def test_two_visitors_are_apart(visit):
    one, other = visit(), visit()
    ask(one, "set", side=1, values={RESIDENTS: 0.9})
    ready(one)
    assert state(other)["sides"][1]["values"][RESIDENTS] == 0.5
    again = one.context.new_page()
    again.goto(one.url.split("#")[0])
    ready(again)
    assert state(again)["sides"][1]["values"][RESIDENTS] == 0.5
    assert state(one)["sides"][1]["values"][RESIDENTS] == 0.9


def test_exports(visit):
    page = visit()
    run(page, "name: mine\nextends: community_led\nmonths: 12")
    page.keyboard.press("s")
    with page.expect_download() as download:
        page.get_by_role("button", name="Picture (PNG)").click()
    content = Path(download.value.path()).read_bytes()
    assert content.startswith(b"\x89PNG")
    with page.expect_download() as download:
        page.get_by_role("button", name="Table (CSV)").click()
    assert Path(download.value.path()).read_text().splitlines()[1].startswith("scenario,month,metric")
    with page.expect_download() as download:
        page.get_by_role("button", name="Report (HTML)").click()
    assert "<html" in Path(download.value.path()).read_text()


def test_a_lost_connection_is_told_and_comes_back(visit):
    page = visit()
    ask(page, "set", side=1, values={RESIDENTS: 0.66})
    ready(page)
    page.context.set_offline(True)
    page.evaluate("solara.debug.dropConnection()")
    page.wait_for_selector(".cej-room-lost:not([hidden])")
    expect(page.locator(".cej-room-lost")).to_contain_text("connection is lost")
    month = page.evaluate("(CEJ.room.here.player.goto(50), CEJ.room.here.player.month())")
    assert month == 50
    page.context.set_offline(False)
    page.wait_for_selector(".cej-room-lost", state="hidden", timeout=90_000)
    ready(page)
    assert state(page)["sides"][1]["values"][RESIDENTS] == 0.66
    ask(page, "set", side=1, values={RESIDENTS: 0.67})
    page.wait_for_function(f"CEJ.room.here.state.sides[1].values['{RESIDENTS}'] === 0.67")
    page.wrong[:] = [
        one
        for one in page.wrong
        if all(said not in one for said in ("ERR_INTERNET_DISCONNECTED", "WebSocket", "reconnecting"))
    ]


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="there is no such signal here")
def test_a_browser_that_goes_away_while_it_is_answered_ends_nothing(server, visit):
    """The system tells a program of it by a signal, which ends a program by default."""
    process = server[1]
    process.send_signal(signal.SIGPIPE)
    time.sleep(0.3)
    assert process.poll() is None
    assert payload(visit())["runs"] == 30


def test_a_server_that_was_started_anew_is_joined_again(browser, tmp_path):
    with served(folder=tmp_path) as (address, first):
        context = browser.new_context()
        page = context.new_page()
        opened(page, address)
        ask(page, "set", side=1, values={RESIDENTS: 0.58})
        ready(page)
        port = re.search(r":(\d+)/", address)[1]
        first.terminate()
        first.wait(20)
        page.wait_for_selector(".cej-room-lost:not([hidden])")
        with served("--port", port, folder=tmp_path):
            page.wait_for_selector(".cej-room-lost", state="hidden", timeout=120_000)
            ready(page)
            assert state(page)["sides"][1]["values"][RESIDENTS] == 0.58
        context.close()


def test_nothing_that_is_typed_becomes_part_of_the_page(visit):
    page = visit()
    evil = "<img src=x onerror=alert(1)>"
    text = f'schema_version: 1\nname: mine\nlabel: "{evil}"\nextends: community_led\nmonths: 6\n'
    page.evaluate("(yaml) => (CEJ.room.here.ask('run_yaml', {side: 1, yaml}), 0)", text)
    page.wait_for_function("CEJ.room.here.payload.sides[1].name === 'mine'")
    for name in ("4", "7", "l", "w", "e", "s"):
        page.keyboard.press(name)
        time.sleep(0.2)
    expect(page.locator("#side-1")).to_contain_text(evil)
    assert page.locator("img[src=x]").count() == 0


#: The panel lies in the window, beside the player or below it: never in front of it.
BESIDE = """(() => {
  const box = (name) => document.querySelector(name).getBoundingClientRect();
  const panel = box('.cej-room-panel'), stage = box('.cej-room-stage');
  return panel.left >= 0 && panel.right <= innerWidth + 1 &&
    (panel.left >= stage.right - 1 || panel.top >= stage.bottom - 1); })()"""


@pytest.mark.parametrize(("width", "height"), [(390, 844), (820, 1180), (1280, 720), (1920, 1080)])
def test_the_page_fits_its_window(visit, width, height):
    page = visit(width=width, height=height)
    for name in ("l", "w", "e", "s"):
        page.keyboard.press(name)
        page.wait_for_selector(".cej-room-panel:not([hidden])")
        time.sleep(0.2)
        becomes(page, f"document.documentElement.scrollWidth <= {width}", True, name)
        becomes(page, BESIDE, True, name)
    page.keyboard.press("Escape")
    expect(page.locator(".cej-room-panel")).to_be_hidden()


#: Visible words that do not fit where they stand; what lies in a row that says where it goes on is another matter.
CUT = """() => {
  const context = document.createElement('canvas').getContext('2d');
  const words = document.querySelectorAll('#room :is(button, select, h1, h2, h3, p, li, output, th, td)');
  return [...words].filter((node) => {
    if (!node.offsetParent || node.closest('.cej-scrolling, .cej-unseen') || node.clientWidth < 2) return false;
    if (node.tagName !== 'SELECT') return node.scrollWidth > node.clientWidth + 1;
    const style = getComputedStyle(node);
    context.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    context.letterSpacing = style.letterSpacing;
    return context.measureText(node.selectedOptions[0].textContent).width > node.clientWidth - 16;
  }).map((node) => (node.selectedOptions ? node.selectedOptions[0] : node).textContent.slice(0, 60)); }"""
#: Rows that are longer than their place and do not show it.
HIDDEN = """() => [...document.querySelectorAll('.cej-scrolling')].filter((box) => box.offsetParent &&
  box.firstChild.scrollWidth > box.firstChild.clientWidth + 2 && !box.matches('.has-left, .has-right')).length"""
SIZES = [(390, 844), (1024, 768), (1280, 720), (1920, 1080)]


def looked_at(page, width, height):
    page.evaluate("(CEJ.room.here.player.pause(), CEJ.room.here.player.goto(36), 0)")
    for view in ("tables", "network", "powermap", "curves", "difference", "bands", "log"):
        page.evaluate("(view) => { CEJ.room.here.player.setView(view, true); }", view)
        time.sleep(0.2)
        becomes(page, CUT, [], view)
        becomes(page, HIDDEN, 0, view)
        becomes(page, f"document.documentElement.scrollWidth <= {width}", True, view)
    page.evaluate("CEJ.room.here.player.setView('tables', true); 0")
    box = "document.querySelector('{}').getBoundingClientRect()".format
    seen = f"{box('.cej-stairs')}.bottom <= {box('.cej-time')}.top + 1"
    becomes(page, seen, True, "the staircase is seen without scrolling")
    least = {390: 200, 1024: 240, 1280: 270, 1920: 450}[width]
    becomes(page, f"(b => Math.min(b.width, b.height) >= {least})({box('.cej-tablebox')})", True, "the table is large")
    becomes(page, "[...document.querySelectorAll('.cej-tick')].every((one) => one.querySelector('svg path'))", True)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_word_is_cut(visit, width, height):
    page = visit(width=width, height=height)
    if width == 1920:
        page.keyboard.press("p")
    looked_at(page, width, height)


def test_no_word_is_cut_in_spanish(browser, tmp_path):
    with served("--language", "es", folder=tmp_path) as (address, _):
        for width, height in SIZES:
            context = browser.new_context(viewport={"width": width, "height": height})
            page = context.new_page()
            wrong = watched(page)
            opened(page, address)
            expect(page.locator("html")).to_have_attribute("lang", "es")
            expect(page.locator(".cej-title:visible", has_text="Dirigida por la comunidad")).to_have_count(1)
            assert page.evaluate("[...CEJ.room.here.t.missing]") == []
            if width == 1920:
                page.keyboard.press("p")
            looked_at(page, width, height)
            page.evaluate("CEJ.room.here.player.setView('powermap', true); 0")
            expect(page.locator(".cej-view-powermap select").first).to_contain_text("vivienda")
            context.close()
            assert wrong == []


def test_keys_work_wherever_the_focus_is_and_help_names_them(visit):
    page = visit()
    page.evaluate("(CEJ.room.here.player.pause(), CEJ.room.here.player.goto(12), 0)")
    page.locator(".cej-room-tab").nth(2).focus()
    page.keyboard.press("Shift+ArrowRight")
    becomes(page, "CEJ.room.here.player.month()", 24)
    page.keyboard.press("n")
    first = page.evaluate("CEJ.room.here.player.chosen.place")
    page.keyboard.press("n")
    page.keyboard.press("N")
    becomes(page, "CEJ.room.here.player.chosen.place", first)
    page.keyboard.press("p")
    becomes(page, "CEJ.room.here.presenter", True)
    page.keyboard.press("Escape")
    becomes(page, "CEJ.room.here.player.chosen.place", -1)
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open] kbd")
    shown = set(page.locator("dialog[open] kbd").all_inner_texts())
    assert {"Space", "Home", "End", "n", "Shift+n", "c", "g", "l", "w", "e", "s", "b", "p", "Esc", "?", "PgDn"} <= shown
    dialog = page.locator("dialog[open]")
    assert dialog.evaluate("(node) => node.scrollHeight <= node.clientHeight + 1")
    page.keyboard.press("Escape")
    for _ in range(24):  # every stop of the Tab key is seen
        page.keyboard.press("Tab")
        at = page.evaluate(
            "(node => node === document.body ? '3px' : getComputedStyle(node).outlineWidth)(document.activeElement)"
        )
        assert at == "3px"


def test_every_control_has_a_name_for_screen_readers(visit):
    page = visit()
    nameless = """() => [...document.querySelectorAll('#room :is(button, input, select, textarea)')]
      .filter((node) => node.offsetParent && !node.ariaLabel && !node.getAttribute('aria-labelledby') &&
        !(node.labels && node.labels.length) && !node.textContent.trim() && !node.title)
      .map((node) => node.outerHTML.slice(0, 90))"""
    for name in ("l", "w", "e", "s"):
        page.keyboard.press(name)
        time.sleep(0.2)
        becomes(page, nameless, [], name)
    assert page.locator("html").get_attribute("lang") == "en"


def test_another_page_cannot_open_the_connection(visit, address):
    page = visit()
    host = address.removeprefix("http://").rstrip("/")
    answer = page.request.get(address, headers={"Host": "evil.example"})
    assert answer.status == 421
    import websockets.sync.client as client
    from websockets.exceptions import WebSocketException

    where = f"ws://{host}/jupyter/api/kernels/00000000-0000-4000-8000-000000000000/channels?session_id=x"
    for origin in ("http://evil.example", None, f"http://{host}.evil.example"):
        with pytest.raises((WebSocketException, OSError)):
            client.connect(where, origin=origin, additional_headers={"Cookie": "solara-session-id=1"}).close()
    with pytest.raises((WebSocketException, OSError)):
        client.connect(where, origin=f"http://{host}").close()  # without a cookie of ours


def test_files_that_were_named_open_and_nothing_is_written_beside_them(browser, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "schema_version: 1\nname: mine\nlabel: Our own\nextends: community_led\nmonths: 24\n"
    )
    before = sorted(path.name for path in tmp_path.iterdir())
    with served("mine.yaml", "hybrid", "--presenter", folder=tmp_path) as (address, _):
        context = browser.new_context()
        page = context.new_page()
        opened(page, address)
        assert payload(page)["sides"] == ["mine", "hybrid"]
        assert page.evaluate("CEJ.room.here.presenter") is True
        expect(page.locator("#side-0 option").first).to_have_text("Our own")
        context.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == before
