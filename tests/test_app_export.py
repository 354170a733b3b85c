"""A story as one page: it plays from a file, without network or Python, and can be printed and walked by keyboard."""

from __future__ import annotations

import json
import pickle
import re
from dataclasses import replace
from html.parser import HTMLParser

import browsers
import pytest
from browsers import becomes, expect
from sharing import once

from cej_sim import cli
from cej_sim.app import export, stories

STORY = """\
schema_version: 1
story: small
title: "Who decides? </script><b>bold</b>"
for: Everybody.
minutes: 10
question: Who decides?
runs: 20
sides:
  - {name: ci, from: collective_impact, months: 14, set: {community.residents: 24, community.institutions: 4}}
  - {name: led, from: community_led, months: 14, set: {community.residents: 24, community.institutions: 4}}
steps:
  - title: First
    minutes: 6
    say: Look at both.
    guess:
      question: Who has more say?
      options:
        - {text: Residents on the left, check: left}
        - {text: Residents on the right, check: right}
    show: {a: ci, b: led, view: tables, begin: 0, month: 12, blind: true}
    stop: Here.
    surprise: More say {right}.
    exceptions: [Sometimes not.]
    questions: [And here?]
  - title: Second
    minutes: 4
    say: Now one alone, and its curves.
    show: {a: led, view: curves, begin: 2, month: 14, metrics: [trust]}
    surprise: It is {trusted.value}.
    questions: [And now?]
checks:
  - {name: left, says: More say on the left, side: ci, metric: decision_share, month: 12, higher_than: led}
  - {name: right, says: More say on the right, side: led, metric: decision_share, month: 12, higher_than: ci, least: 80}
  - {name: trusted, says: Some trust, side: led, metric: trust, month: 14, above: 0}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The small story, and the page made of it."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "small.yaml").write_text(STORY, encoding="utf-8")
    story = stories.read_story(folder / "small.yaml")
    return story, export.export(story, folder / "story.html")


# The file


class Links(HTMLParser):
    """Everything that a page would fetch."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name in ("src", "href", "srcset", "action", "data")]


def test_the_page_is_self_contained(made):
    text = made[1].path.read_text("utf-8")
    assert made[1].size == len(text.encode())
    links = Links()
    links.feed(text)
    assert links.found == ["data:,"]
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)
    assert "@import" not in text
    assert "</script><b>bold" not in text
    assert text.count("</script>") == 2


def given_to(path):
    """What the page's script is given."""
    text = path.read_text("utf-8")
    return json.loads(re.search(r"CEJ\.storyPage\(.*?, (\{.*\})\);\n</script>", text, re.DOTALL)[1])


def test_histories_are_inside_once(made):
    given = given_to(made[1].path)
    assert made[1].histories == len(given["payloads"]) == 2
    assert len(set(given["blobs"])) == len(given["blobs"])
    assert [step["show"]["payload"] for step in given["story"]["steps"]] == [0, 1]
    led, alone = given["payloads"][0]["sides"][1], given["payloads"][1]["sides"][0]
    assert "ref" in led["metrics"]
    assert led["agents"]["neighborhood"] == alone["agents"]["neighborhood"]
    assert given["payloads"][0]["runs"] == 20


def test_no_curve_tells_the_end_before_the_room_has_guessed_it(made):
    story, written = made
    given = given_to(written.path)
    stages = [step.show for step in story.steps]
    assert [payload["months"] for payload in given["payloads"]] == [stage.month for stage in stages]
    assert stages[0].month < min(side.months for side in story.sides.values())


def test_the_sheet_says_all_that_a_facilitator_needs(made):
    written = made[1]
    text = written.path.read_text("utf-8")
    sheet = text[text.index('<article class="cej-sheet">') : text.index("</article>")]
    often = f"in {written.tried['right'].times} of 20 runs"
    for wanted in ("Look at both.", "Who has more say?", "Here.", "Sometimes not.", "And here?", "And now?", often,
                   "6 min", "10 min", "Illustration, not prediction", "What the model cannot tell you",
                   "A and B, Tables, months 0 to 12 (Collective Impact / Community-led)"):  # fmt: skip
        assert wanted in sheet
    assert f"<strong>B. Residents on the right: {often}</strong>" in sheet
    assert "{" not in sheet
    assert "&lt;/script&gt;" in sheet


def test_a_page_of_ours_is_overwritten_and_nothing_else(made, tmp_path):
    story, written = made
    before = written.path.read_bytes()
    assert export.export(story, written.path).path.read_bytes() == before
    other = tmp_path / "letter.html"
    other.write_text("<p>Dear Ana</p>")
    with pytest.raises(export.ExportError, match="is no page of cej-sim; name another file"):
        export.export(story, other)
    assert other.read_text() == "<p>Dear Ana</p>"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "there is no name"),
        (".", "is a directory"),
        ("nowhere/story.html", "there is no directory"),
        ("story.txt", "does not end in .html"),
        ("a\0b.html", "not the name of a file"),
    ],
)
def test_a_place_that_cannot_be_written_is_named(name, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(export.ExportError, match=said):
        export.checked(name)


def test_a_failed_write_leaves_nothing(made, tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export.os, "replace", broken)
    with pytest.raises(export.ExportError, match="no space left"):
        export._write(tmp_path / "story.html", "text")
    assert list(tmp_path.iterdir()) == []


# The commands


def test_check_tries_a_story(tmp_path, capsys):
    file = tmp_path / "small.yaml"
    file.write_text(STORY, encoding="utf-8")
    assert cli.status(["check", str(file)]) == 0
    said = capsys.readouterr()
    assert f"{file}: correct; a story of 2 steps and 10 minutes" in said.out
    assert re.search(r"right: in \d+ of 20 runs; through other parameter sets in \d+ of 20", said.out)


def test_a_claim_that_the_model_denies_is_an_error_of_the_story(tmp_path, capsys):
    file, page = tmp_path / "small.yaml", tmp_path / "out.html"
    file.write_text(STORY.replace("higher_than: led}", "higher_than: led, least: 90}"), encoding="utf-8")
    for command in (["check", str(file)], ["export", str(file), "--out", str(page)]):
        assert cli.status(command) == 2
        said = capsys.readouterr().err
        assert re.search(r"small\.yaml:32:12: checks\.left: this held in \d+ of 20 runs, and at least 90 of 100", said)
        assert "Traceback" not in said
    assert not page.exists()


def test_mistakes_in_a_command_are_one_line_each(tmp_path, capsys):
    file = tmp_path / "small.yaml"
    file.write_text(STORY.replace("{right}", "{wrong}"), encoding="utf-8")
    assert cli.status(["export", str(file), "--out", str(tmp_path / "o.html")]) == 2
    assert "there is no check wrong" in capsys.readouterr().err
    assert cli.status(["export", "seat_or_say"]) == 2
    assert "did you mean seats_or_say?" in capsys.readouterr().err
    assert cli.status(["export", "seats_or_say", "--out", str(tmp_path / "no" / "o.html")]) == 2
    said = capsys.readouterr().err
    assert "--out: there is no directory" in said
    assert "Trying" not in said


# In a browser


@pytest.fixture(scope="module")
def browser():
    with browsers.started() as started:
        yield started


@pytest.fixture
def opened(browser, made):
    """Open the page from its file, offline; fails if it asks for anything, or complains."""
    with browsers.from_files(browser) as open_:
        yield lambda path=None, **more: open_(path or made[1].path, offline=True, reduced_motion="reduce", **more)


def kinds_of(page):
    return [one["kind"] for one in page.evaluate("page.led.stages")]


@browsers.needed
def test_every_step_can_be_walked_by_keyboard(opened):
    page = opened()
    kinds = kinds_of(page)
    assert kinds == ["open", "ask", "look", "surprise", "talk", "look", "surprise", "talk", "end"]
    for kind in kinds:
        becomes(page, "page.led.stage().kind", kind)
        if kind == "ask":
            page.keyboard.press("PageDown")
            assert page.evaluate("page.led.stage().kind") == "ask", "it goes on before anybody has guessed"
            page.keyboard.press("b")
        page.keyboard.press("PageDown")
    becomes(page, "page.led.stage().kind", "end")
    for kind in reversed(kinds[:-1]):
        page.keyboard.press("PageUp")
        becomes(page, "page.led.stage().kind", kind)


@browsers.needed
def test_nothing_is_shown_before_the_room_has_guessed(opened, made):
    page = opened()
    page.keyboard.press("PageDown")
    expect(page.locator(".cej-page-player")).to_be_hidden()
    assert page.locator(".cej-page-player canvas").count() == 0
    visible = page.locator("#story").inner_text()
    assert "of 20" not in visible
    expect(page.get_by_role("button", name="Show what happened")).to_be_disabled()
    page.keyboard.press("a")
    page.get_by_role("button", name="Show what happened").click()
    expect(page.locator(".cej-page-player")).to_be_visible()
    page.wait_for_function("page.player() && page.player().month() === 12")
    becomes(page, "page.player().view()", "tables")
    expect(page.locator(".cej-page-player")).to_contain_text("Coalition A")
    assert "Collective Impact" not in page.locator("#story").inner_text()


@browsers.needed
def test_votes_are_tapped_typed_and_taken_back(opened):
    page = opened()
    page.keyboard.press("PageDown")
    page.get_by_role("button", name="One vote more for: Residents on the left").click(click_count=3)
    page.get_by_label("Votes for: Residents on the right").fill("12")
    page.get_by_role("button", name="One vote less for: Residents on the left").click()
    becomes(page, "page.led.votes[0]", [2, 12])
    page.get_by_role("heading", name="First").click()
    page.keyboard.press("Shift+B")
    page.keyboard.press("A")
    becomes(page, "page.led.votes[0]", [3, 11])
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    outcome = page.locator(".cej-story-outcome")
    expect(outcome).to_contain_text("You: 3")
    expect(outcome).to_contain_text("You: 11")


@browsers.needed
def test_what_came_out_stands_beside_the_guesses(opened, made):
    page = opened()
    tried = made[1].tried
    page.keyboard.press("PageDown")
    page.keyboard.press("a")
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    panel = page.locator("#story .cej-page-panel")
    expect(panel).to_contain_text(f"More say in {tried['right'].times} of 20 runs.")
    expect(panel).to_contain_text(f"Model: {tried['left'].times} of 20")
    expect(panel).to_contain_text(f"Model: {tried['right'].times} of 20")


@browsers.needed
def test_a_step_sets_view_months_and_charts(opened):
    page = opened()
    page.evaluate("page.led.goto(5)")
    page.wait_for_function("page.player() && page.player().month() === 14")
    becomes(page, "page.player().view()", "curves")
    becomes(page, "page.player().show.sides.length", 1)
    becomes(page, "document.querySelector('.cej-view-curves select').value", "trust")
    expect(page.locator(".cej-page-player")).to_contain_text("Community-led")


@browsers.needed
def test_the_other_pages_open_and_the_story_waits(opened):
    page = opened()
    page.get_by_role("button", name="Facilitator's sheet").click()
    expect(page.get_by_role("heading", name="Step by step")).to_be_visible()
    expect(page.locator("#story")).to_be_hidden()
    page.keyboard.press("PageDown")
    assert page.evaluate("page.led.stage().kind") == "open"
    page.get_by_role("button", name="Why believe it?").click()
    expect(page.get_by_role("heading", name="What it cannot tell you")).to_be_visible()
    page.get_by_role("button", name="Story", exact=True).click()
    page.keyboard.press("PageDown")
    becomes(page, "page.led.stage().kind", "ask")


@browsers.needed
@pytest.mark.parametrize(
    ("width", "height"),
    [(390, 844), *(pytest.param(*size, marks=pytest.mark.slow) for size in ((1280, 720), (1920, 1080)))],
)
def test_it_fits_the_screen(opened, width, height):
    page = opened(width=width, height=height)
    for place, kind in enumerate(kinds_of(page)):
        page.evaluate("n => page.led.goto(n)", place)
        page.wait_for_timeout(60)
        becomes(page, f"document.documentElement.scrollWidth <= {width}", True, kind)
        button = page.locator(".cej-story-foot button:visible").first.bounding_box()
        assert button["x"] >= 0
        assert button["y"] + button["height"] <= height + 1, kind


@browsers.needed
def test_the_sheet_prints_on_a_page_or_two(opened, tmp_path):
    page = opened()
    page.pdf(path=str(tmp_path / "sheet.pdf"), format="Letter", prefer_css_page_size=True)
    pages = len(re.findall(rb"/Type\s*/Page[^s]", (tmp_path / "sheet.pdf").read_bytes()))
    assert 1 <= pages <= 2
    page.emulate_media(media="print")
    expect(page.locator("#sheet")).to_be_visible()
    expect(page.locator("#story")).to_be_hidden()
    expect(page.locator("#believe")).to_be_hidden()


@browsers.needed
def test_without_scripts_the_sheet_is_there(browser, made):
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(made[1].path.as_uri())
    expect(page.get_by_text("needs JavaScript")).to_be_visible()
    expect(page.get_by_role("heading", name="Step by step")).to_be_visible()
    context.close()


# The shipped ones


@pytest.fixture(scope="module", params=tuple(stories.shipped()))
def shipped(request, tmp_path_factory):
    """A shipped story, and what its export wrote and tried; made once for all tests and all workers."""
    story = stories.read_story(request.param)

    def make(folder):
        written = export.export(story, folder / "story.html")
        (folder / "written.pickle").write_bytes(pickle.dumps(replace(written, tried=dict(written.tried))))

    folder = once(tmp_path_factory, f"story-{request.param}", make)
    return story, pickle.loads((folder / "written.pickle").read_bytes())


@pytest.mark.slow
@pytest.mark.long
def test_the_model_bears_out_every_claim(shipped):
    story, written = shipped
    tried = written.tried
    assert set(tried) == {check.name for check in story.checks}
    assert stories.failures(tried) == []
    for step in story.steps:
        for option in step.guess.options if step.guess else ():
            assert not option.check or tried[option.check].runs > 0
    told = str(stories.told(story, tried))
    assert not re.search(r"\bnan\b", told)
    assert "–" not in told


@browsers.needed
@pytest.mark.slow
@pytest.mark.long
def test_shipped_stories_become_pages(shipped, opened, tmp_path):
    written = shipped[1]
    assert written.size < 5_000_000
    page = opened(written.path)
    for kind in kinds_of(page):
        becomes(page, "page.led.stage().kind", kind)
        if kind == "ask":
            page.keyboard.press("a")
        page.wait_for_timeout(100)
        if kind in ("look", "surprise", "talk"):
            expect(page.locator(".cej-page-player")).to_be_visible()
        for _ in range(8):  # a page of text, then the next stage
            page.keyboard.press("PageDown")
            if page.evaluate("page.led.stage().kind") != kind:
                break
    page.pdf(path=str(tmp_path / "sheet.pdf"), format="Letter", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page[^s]", (tmp_path / "sheet.pdf").read_bytes())) <= 4
