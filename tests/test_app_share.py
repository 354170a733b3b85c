"""Links and texts: what goes out comes back the same, and nothing else comes in."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cej_sim import load
from cej_sim.app.share import (
    MOST_LINK,
    MOST_TEXT,
    VIEWS,
    ShareError,
    Shown,
    Side,
    base_of,
    built,
    link,
    said,
    shown,
    written,
)
from cej_sim.reading import read_text, shipped
from cej_sim.scenario import CHANGEABLE, PARAMETERS, Event

OFFERED = {name: load(name) for name in ("collective_impact", "community_led", "hybrid")}
EVENT = Event(25, "motion", (("governance.decide.rule", "majority"), ("governance.decide.votes.residents", 0.625)))
SIDE = Side(
    "community_led", "", {"governance.decide.votes.residents": 0.6, "governance.convene.invitation": "by_lot"}, (EVENT,)
)


def values(known):
    def of(path):
        parameter = known[path]
        if parameter.choices:
            return st.sampled_from(parameter.choices)
        if parameter.kind == "switch":
            return st.booleans()
        if parameter.kind == "count":
            return st.integers(int(parameter.low), int(parameter.high))
        return st.floats(parameter.low, parameter.high).map(lambda number: number + 0.0)

    return st.dictionaries(st.sampled_from(sorted(known)), st.none(), max_size=12).flatmap(
        lambda chosen: st.fixed_dictionaries({path: of(path) for path in chosen})
    )


EVENTS = st.builds(
    lambda month, by, changes: Event(month, by, tuple(sorted(changes.items()))),
    st.integers(1, 1200), st.sampled_from(["mandate", "motion"]), values(CHANGEABLE).filter(bool),
)  # fmt: skip
SIDES = st.builds(
    Side, st.sampled_from(sorted(OFFERED)), st.just(""), values(PARAMETERS), st.lists(EVENTS, max_size=3).map(tuple)
)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    st.lists(SIDES, min_size=1, max_size=2).map(tuple),
    st.integers(0, 2**53 - 1),
    st.integers(0, 1200),
    st.sampled_from(VIEWS),
)
def test_what_a_link_says_is_what_was_shown(sides, seed, month, view):
    wanted = Shown(sides, seed, month, view)
    assert shown(link(wanted), OFFERED) == wanted


def test_a_text_of_ones_own_travels_in_the_link():
    text = "schema_version: 1\nname: mine\nlabel: \"Ünser 'Rat' & <b>\"\n"
    wanted = Shown((Side("", text), Side("hybrid")), 7, 3, "log")
    assert shown("#" + link(wanted), OFFERED) == wanted


def test_a_text_too_long_for_a_link_is_refused_with_advice():
    import random

    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=50_000))
    with pytest.raises(ShareError, match="download"):
        link(Shown((Side("", f"# {noise}"),)))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "damaged|which scenarios"),
        ("a=community_led&b", "damaged"),
        ("a=../../etc/passwd", "does not have"),
        ("a=/etc/passwd", "does not have"),
        ("b=community_led", "which scenarios"),
        ("a=community_led&c=hybrid", "unknown"),
        ("a=community_led&view=secrets", "view"),
        ("a=community_led&seed=-1", "seed"),
        ("a=community_led&seed=1e9", "seed"),
        ("a=community_led&seed=99999999999999999", "seed"),
        ("a=community_led&month=1201", "month"),
        ("a=community_led&a.governance.decide.votes.residents=2", "Votes of residents"),
        ("a=community_led&a.governance.decide.votes.residents=nan", "Votes of residents"),
        ("a=community_led&a.network.file=/etc/passwd", "there is not"),
        ("a=community_led&a.extends=/etc/passwd", "there is not"),
        ("a=community_led&a.event=3;decree;governance.decide.rule=majority", "cannot be read"),
        ("a=community_led&a.event=3;motion", "cannot be read"),
        ("a=community_led&a.event=0;motion;governance.decide.rule=majority", "month"),
        ("a=community_led&a.event=3;motion;community.residents=9", "there is not"),
        ("a.text=AAAA", "damaged"),
        ("a.text=%00", "damaged"),
        ("a=community_led&" + "a.event=3;motion;governance.decide.rule=majority&" * 30, "more than|damaged"),
        ("a=" + "x" * MOST_LINK, "too long"),
        ("a=community_led&" + "&".join(f"q{i}=1" for i in range(700)), "damaged"),
    ],
)
def test_what_is_wrong_with_a_link_is_said(text, what):
    with pytest.raises(ShareError, match=what):
        shown(text, OFFERED)


def test_a_link_that_would_grow_beyond_measure_is_given_up():
    import base64
    import zlib

    bomb = base64.urlsafe_b64encode(zlib.compress(b"a" * 10_000_000, 9)).decode().rstrip("=")
    assert len(bomb) < MOST_LINK
    with pytest.raises(ShareError, match="longer than"):
        shown(f"a.text={bomb}", OFFERED)
    longer = base64.urlsafe_b64encode(zlib.compress(b"a" * (MOST_TEXT + 1), 9)).decode().rstrip("=")
    with pytest.raises(ShareError, match="longer than"):
        shown(f"a.text={longer}", OFFERED)


def test_changes_that_do_not_go_together_are_refused(tmp_path):
    wrong = Side("community_led", "", {"governance.decide.strategy": 0.9, "governance.decide.strategy_max": 0.1})
    with pytest.raises(ShareError, match="strategy_max"):
        built(wrong, base_of(wrong, OFFERED, tmp_path))
    late = Side("community_led", "", {}, (Event(999, "mandate", EVENT.set),))
    with pytest.raises(ShareError, match="after the end"):
        built(late, base_of(late, OFFERED, tmp_path))


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_scenario_that_is_written_and_read_again_is_the_same(name, tmp_path):
    scenario = load(name)
    reading = read_text(written(scenario), "scenario.yaml", tmp_path)
    assert not reading.problems
    assert reading.scenario is not None
    assert reading.scenario.resolved() == scenario.resolved()
    assert reading.scenario.hash() == scenario.hash()


def test_a_changed_side_is_written_whole(tmp_path):
    scenario = built(SIDE, base_of(SIDE, OFFERED, tmp_path))
    again = read_text(written(scenario), "scenario.yaml", tmp_path).scenario
    assert again is not None
    assert again.resolved() == scenario.resolved()
    assert again.events == scenario.events


OUTSIDE = {
    "network:\n  file: /etc/passwd\n": "only an uploaded file",
    "network:\n  file: ../../../../etc/passwd\n": "only an uploaded file",
    "network:\n  file: other.csv\n": "only an uploaded file",
    "network:\n  file: mine.csv\n  nodes: /etc/hostname\n": "only an uploaded file",
    "network:\n  file: ./mine.csv\n": "only an uploaded file",
    "extends: /etc/passwd\n": "only a shipped scenario",
    "extends: ../../etc/passwd.yaml\n": "only a shipped scenario",
    "extends: ./secret.yaml\n": "only a shipped scenario",
    "expect: [{metric: decision_share, month: 3, direction: up, against: /etc/a.yaml}]\n": "only shipped scenarios",
    "expect: [{metric: decision_share, month: 3, direction: up, against: ./secret.yaml}]\n": "only shipped scenarios",
}


@pytest.mark.parametrize("text", OUTSIDE)
def test_a_text_reaches_no_file_of_the_computer(text, tmp_path):
    (tmp_path / "mine.csv").write_text("source,target,weight\na,b,1\nb,c,1\n")
    (tmp_path / "secret.yaml").write_text("schema_version: 1\nname: secret\nmonths: 77\n")
    reading = read_text(f"schema_version: 1\n{text}", "scenario.yaml", tmp_path, ["mine.csv"])
    assert reading.scenario is None
    assert any(OUTSIDE[text] in problem.message for problem in reading.problems), reading.problems
    told = " ".join(one["text"] for one in said(reading, tmp_path))
    assert "root:" not in told
    assert str(tmp_path) not in told


def test_an_uploaded_network_can_be_named(tmp_path):
    (tmp_path / "mine.csv").write_text("source,target,weight\na,b,1\nb,c,1\nc,d,1\n")
    text = "schema_version: 1\nextends: community_led\nnetwork:\n  file: mine.csv\n"
    reading = read_text(text, "scenario.yaml", tmp_path, ["mine.csv"])
    assert not reading.problems
    assert reading.scenario is not None
    assert reading.scenario.network_file is not None
