"""Sessions of the room and the pool behind them, without a browser: isolation, limits, fair turns."""

from __future__ import annotations

import base64
import json
import threading
import time
from pathlib import Path

import pytest

from cej_sim.app import room as rooms
from cej_sim.app.room import Limits, Room, Session
from cej_sim.app.turns import Turns

RESIDENTS = "governance.decide.votes.residents"


class Visitor:
    """A session and what it was answered."""

    def __init__(self, room: Room) -> None:
        self.answers: list[dict] = []
        self.came = threading.Condition()
        self.session = Session(room, self.hear)
        self.number = 0

    def hear(self, answer: dict) -> None:
        with self.came:
            self.answers.append(json.loads(json.dumps(answer, allow_nan=False)))
            self.came.notify_all()

    def ask(self, type: str, **more: object) -> int:
        self.number += 1
        self.session.receive({"type": type, "id": self.number, **more})
        return self.number

    def wait(self, type: str, number: int | None = None, seconds: float = 60.0, **like: object) -> dict:
        def found() -> dict | None:
            return next(
                (one for one in self.answers if one["type"] == type and number in (None, one["id"])
                 and all(one.get(key) == value for key, value in like.items())), None,
            )  # fmt: skip

        with self.came:
            assert self.came.wait_for(lambda: found() is not None, seconds), [one["type"] for one in self.answers]
            return found()  # type: ignore[return-value]

    def shown(self, number: int) -> dict:
        return json.loads(self.wait("payload", number, whole=True)["payload"])

    def refused(self, type: str, **more: object) -> str:
        return self.wait("failed", self.ask(type, **more))["text"]


@pytest.fixture(scope="module")
def room():
    made = Room(limits=Limits(agents=2000, work=3e7, quick=3e5))
    yield made
    made.close()


@pytest.fixture
def visitor(room):
    one = Visitor(room)
    yield one
    one.session.close()


@pytest.fixture(autouse=True)
def few_runs(monkeypatch):
    monkeypatch.setattr(rooms, "RUNS", 3)
    monkeypatch.setattr(rooms, "FIRST_RUNS", 1)


def test_what_every_browser_needs_is_plain_data(room):
    start = json.loads(json.dumps(room.start(), allow_nan=False))
    assert {one["name"] for one in start["scenarios"]} >= {"collective_impact", "community_led"}
    assert start["texts"]["room.title"]


def test_hello_is_answered_by_what_the_room_opens_with(visitor):
    number = visitor.ask("hello")
    state = visitor.wait("state", number)
    assert [side["name"] for side in state["state"]["sides"]] == ["collective_impact", "community_led"]
    payload = visitor.shown(number)
    assert [side["name"] for side in payload["sides"]] == ["collective_impact", "community_led"]
    assert payload["runs"] == 3
    assert len(state["state"]["sides"][0]["budget"]) == 6


def test_a_lever_moves_its_side_alone(visitor):
    number = visitor.ask("set", side=1, values={RESIDENTS: 0.62})
    state = visitor.wait("state", number)["state"]
    assert [side["values"][RESIDENTS] for side in state["sides"]] == [0.1, 0.62]
    assert state["sides"][1]["base"] == {RESIDENTS: 0.5}
    assert visitor.wait("state", visitor.ask("reset", side=1))["state"]["sides"][1]["base"] == {}


def test_the_histories_are_those_of_the_scenario_with_the_lever_moved(visitor, room):
    from cej_sim.app import history

    payload = visitor.shown(visitor.ask("set", side=1, values={RESIDENTS: 0.61}))
    led = room.offered["community_led"].with_values({RESIDENTS: 0.61})
    direct = history.show([room.offered["collective_impact"], led], seed=1, runs=3).payload()
    assert payload == json.loads(json.dumps(direct))


def test_visitors_do_not_see_each_other(room):
    one, other = Visitor(room), Visitor(room)
    one.ask("set", side=0, values={RESIDENTS: 0.9})
    number = other.ask("hello")
    assert other.wait("state", number)["state"]["sides"][0]["values"][RESIDENTS] == 0.1
    told = [answer["state"]["sides"][0]["values"][RESIDENTS] for answer in one.answers if answer["type"] == "state"]
    assert told == [0.9]
    one.session.close()
    other.session.close()


def test_the_newest_lever_wins(visitor):
    numbers = [visitor.ask("set", side=1, values={RESIDENTS: 0.5 + i / 100}) for i in range(1, 13)]
    visitor.shown(numbers[-1])
    whole = [one["id"] for one in visitor.answers if one["type"] == "payload" and one["whole"]]
    assert whole[-1] == numbers[-1]
    assert len(whole) < len(numbers)


def test_principles_and_links(visitor):
    number = visitor.ask("principle", number=2, on=True, side=0)
    answer = visitor.wait("state", number)
    assert answer["state"]["sides"][0]["principles"]["2"] == "on"
    again = Visitor(visitor.session.room)
    found = again.wait("state", again.ask("hello", link=answer["link"]))
    assert found["state"]["sides"] == answer["state"]["sides"]
    assert found["problem"] == ""
    broken = again.wait("state", again.ask("hello", link=answer["link"].replace("collective_impact", "nobody")))
    assert "does not have" in broken["problem"]
    again.session.close()


def test_a_text_is_checked_as_the_command_does(visitor, tmp_path):
    from cej_sim.reading import check

    text = "schema_version: 1\nextends: community_led\ngovernance: {decide: {votes: {residnets: .5}, rule: dice}}\n"
    (tmp_path / "scenario.yaml").write_text(text)
    lines = visitor.wait("problems", visitor.ask("check", yaml=text))["lines"]
    known = check(tmp_path / "scenario.yaml")
    assert [(one["line"], one["column"]) for one in lines] == [(one.line, one.column) for one in known]
    assert [one["text"] for one in lines] == [f"{one.path}: {one.message}" for one in known]


def test_a_correct_text_is_shown_and_can_be_had_again(visitor):
    text = "schema_version: 1\nname: mine\nextends: community_led\nmonths: 24\n"
    number = visitor.ask("run_yaml", yaml=text, side=1)
    assert visitor.wait("problems", number)["lines"] == []
    assert visitor.shown(number)["sides"][1]["name"] == "mine"
    assert visitor.wait("yaml", visitor.ask("yaml", side=1))["text"] == text
    visitor.ask("set", side=1, values={RESIDENTS: 0.7})
    assert "residents: 0.7" in visitor.wait("yaml", visitor.ask("yaml", side=1))["text"]


def test_a_large_scenario_does_not_keep_others_waiting(visitor):
    """While somebody's large scenario is computed, and another's waits, a small one is answered at once."""
    large = [Visitor(visitor.session.room) for _ in range(3)]
    for i, one in enumerate(large):
        text = f"extends: community_led\nmonths: {1000 + i}\ncommunity: {{residents: 1800}}\n"
        one.ask("run_yaml", yaml=f"schema_version: 1\nname: large\n{text}", side=1)
    time.sleep(0.2)
    visitor.shown(visitor.ask("set", side=1, values={RESIDENTS: 0.33}))
    waiting = [one for one in large if not any(answer["type"] == "payload" for answer in one.answers)]
    assert waiting, "the large ones were not large"
    for one in large:
        one.session.close()


def test_a_wrong_text_leaves_what_is_shown(visitor):
    number = visitor.ask("run_yaml", yaml="schema_version: 1\nnothing: 3\n", side=1)
    assert visitor.wait("problems", number)["lines"]
    visitor.ask("place", month=3, view="curves")
    assert visitor.session.shown.sides[1].name == "community_led"


def upload(visitor: Visitor, name: str, data: bytes) -> int:
    return visitor.ask("upload", name=name, b64=base64.b64encode(data).decode())


def test_a_network_is_uploaded_and_shown(visitor):
    ties = "source,target,weight\n" + "".join(f"a{i},a{(i + 1) % 20},1\n" for i in range(20))
    answer = visitor.wait("uploaded", upload(visitor, "My network (1).csv", ties.encode()))
    assert answer["name"] == "My_network_1.csv"
    text = f"schema_version: 1\nextends: community_led\nmonths: 12\nnetwork:\n  file: {answer['name']}\n"
    payload = visitor.shown(visitor.ask("run_yaml", yaml=text, side=1))
    assert sum(kind == 1 for kind in base64.b64decode(payload["sides"][1]["agents"]["kind"]["b64"])) == 20


@pytest.mark.parametrize(
    "name", ["../../evil.csv", "/etc/cron.d/evil.csv", "..\\evil.csv", "\0.csv", ".csv", "a/b/../c.csv"]
)
def test_uploads_stay_in_their_folder(visitor, name, tmp_path):
    before = set(Path(tmp_path).parent.rglob("evil*"))
    visitor.wait("uploaded", upload(visitor, name, b"source,target\na,b\n"))
    folder = visitor.session._folder
    assert folder is not None
    assert folder.stat().st_mode & 0o077 == 0
    assert [one.parent for one in folder.iterdir()] == [folder]
    assert set(Path(tmp_path).parent.rglob("evil*")) == before
    visitor.session.close()
    assert not folder.exists()


def test_uploads_are_limited_in_kind_size_and_number(visitor):
    assert "a network is a file" in visitor.refused("upload", name="page.html", b64="YQ==")
    assert "a network is a file" in visitor.refused("upload", name="program", b64="YQ==")
    assert "damaged" in visitor.refused("upload", name="a.csv", b64="*")
    assert "larger than" in visitor.refused("upload", name="a.csv", b64=base64.b64encode(b"a" * 1_500_001).decode())
    for i in range(4):
        visitor.wait("uploaded", upload(visitor, f"n{i}.csv", b"source,target\na,b\n"))
    assert "already" in visitor.refused("upload", name="n9.csv", b64="YQ==")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("community: {residents: 5000000}", "more than the 2,000"),
        ("community: {residents: 1900}\nnetwork: {degree: 50}\nmonths: 1200", "times what this page computes"),
    ],
)
def test_a_huge_scenario_is_refused(visitor, text, said):
    number = visitor.ask("run_yaml", yaml=f"schema_version: 1\n{text}\n", side=1)
    assert said in visitor.wait("problems", number)["lines"][0]["text"]
    assert visitor.session.shown.sides[1].name == "community_led"


def test_a_lever_cannot_make_a_scenario_huge(visitor):
    assert "more than the 2,000" in visitor.refused("set", side="both", values={"community.residents": 10_000_000})
    assert visitor.session.shown.sides[0].changes == {}


@pytest.mark.parametrize(
    "message",
    [
        {"type": "set", "side": 7, "values": {}},
        {"type": "set", "side": True, "values": {}},
        {"type": "set", "side": 1, "values": {RESIDENTS: [1]}},
        {"type": "set", "side": 1, "values": [[1]]},
        {"type": "set", "side": 1},
        {"type": "sides", "names": ["../../etc/passwd"]},
        {"type": "sides", "names": [["x"]]},
        {"type": "sides", "names": []},
        {"type": "seed", "seed": -1},
        {"type": "seed", "seed": True},
        {"type": "seed", "seed": 1.5},
        {"type": "check", "yaml": 3},
        {"type": "check", "yaml": "x" * 60_001},
        {"type": "whatif", "side": 1, "month": "x", "values": {RESIDENTS: 0.9}},
        {"type": "whatif", "side": 1, "month": 3, "values": {"community.residents": 9}},
        {"type": "apply", "side": 1, "month": 3, "values": {RESIDENTS: 0.9}, "by": "decree"},
        {"type": "export", "what": "/etc/passwd"},
        {"type": "stage", "story": "/etc/passwd", "a": "x"},
        {"type": "stage", "story": "seats_or_say", "a": "/etc/passwd"},
        {"type": "stage", "story": "seats_or_say"},
        {"type": "story", "name": "../../etc/passwd"},
        {"type": "forget", "side": 0, "event": 99},
        {"type": "principle", "side": 0, "number": 99, "on": True},
    ],
)
def test_nonsense_is_answered_by_a_sentence_and_changes_nothing(visitor, message):
    before = visitor.session.shown
    visitor.session.receive({**message, "id": 5})
    text = visitor.wait("failed", 5)["text"]
    assert text
    assert "Traceback" not in text
    assert visitor.session.shown == before


@pytest.mark.parametrize(
    "message",
    [None, 3, [], {}, {"type": 3}, {"type": "close"}, {"type": "_take"}, {"type": "__init__"}, {"type": "a" * 99}],
)
def test_what_is_no_message_is_ignored(visitor, message):
    visitor.session.receive(message)
    assert visitor.answers == []


def test_what_if_is_asked_and_applied(visitor):
    asked = {"side": 1, "month": 24, "values": {RESIDENTS: 0.9}}
    vote = visitor.wait("vote", visitor.ask("whatif", **asked))
    assert vote["month"] >= 25
    assert vote["members"]
    number = visitor.ask("apply", **asked, by="motion", beside=True)
    state = visitor.wait("state", number)["state"]
    assert [side["name"] for side in state["sides"]] == ["community_led", "community_led"]
    assert [len(side["events"]) for side in state["sides"]] == [0, 1]
    told = {entry["event"] for entry in visitor.shown(number)["sides"][1]["log"] if entry["month"] == vote["month"]}
    assert ("motion_passed" if vote["passed"] else "motion_failed") in told
    state = visitor.wait("state", visitor.ask("forget", side=1, event=0))["state"]
    assert state["sides"][1]["events"] == []


@pytest.mark.slow
def test_a_table_and_a_report_can_be_had(visitor):
    visitor.ask("run_yaml", yaml="schema_version: 1\nname: short\nextends: community_led\nmonths: 12\n", side=1)
    table = visitor.wait("file", visitor.ask("export", what="csv"))
    lines = base64.b64decode(table["b64"]).decode().splitlines()
    assert "llustration" in lines[0]
    assert lines[1] == "scenario,month,metric,label,unit,run_shown,mean,low,high"
    assert len({line.split(",")[0] for line in lines[2:]}) == 2
    page = base64.b64decode(visitor.wait("file", visitor.ask("export", what="report"), 180.0)["b64"]).decode()
    assert page.lstrip().lower().startswith("<!doctype html")


def test_nothing_is_answered_after_the_end(room):
    visitor = Visitor(room)
    visitor.ask("hello")
    visitor.session.close()
    count = len(visitor.answers)
    visitor.ask("seed", seed=9)
    time.sleep(0.3)
    assert len(visitor.answers) == count


# Turns


def test_the_newest_request_takes_the_place_of_older_ones():
    turns, done, begun = Turns(1, 60.0), [], threading.Event()

    def slow(stop):
        begun.set()
        assert stop.wait(10)

    turns.ask("a", "show", slow)
    assert begun.wait(10)
    finished = threading.Event()
    for i in range(5):
        turns.ask("a", "show", lambda stop, i=i: (done.append(i), finished.set()))
    assert finished.wait(10)
    while not turns.idle():
        time.sleep(0.01)
    assert done == [4]
    turns.close()


def test_who_asks_often_does_not_stand_in_front_of_others():
    turns, order, gate = Turns(1, 60.0), [], threading.Event()
    turns.ask("first", "show", lambda stop: gate.wait(10))
    time.sleep(0.05)
    for i in range(20):
        turns.ask("busy", "show", lambda stop, i=i: order.append(f"busy {i}"))
    turns.ask("calm", "show", lambda stop: order.append("calm"))
    for i in range(20, 40):
        turns.ask("busy", "show", lambda stop, i=i: order.append(f"busy {i}"))
    gate.set()
    while not turns.idle():
        time.sleep(0.01)
    assert order == ["busy 39", "calm"]
    turns.close()


def test_what_takes_too_long_is_given_up_and_others_go_on():
    turns, late, after = Turns(1, 0.2), threading.Event(), threading.Event()
    turns.ask("slow", "show", lambda stop: stop.wait(30), late.set)
    turns.ask("next", "show", lambda stop: after.set())
    assert after.wait(10)
    assert late.wait(10)
    turns.close()


def test_a_failure_is_told_and_others_go_on():
    turns, told, after = Turns(1, 60.0), threading.Event(), threading.Event()
    turns.ask("wrong", "show", lambda stop: [][0], told.set)
    turns.ask("next", "show", lambda stop: after.set())
    assert told.wait(10)
    assert after.wait(10)
    turns.close()


def test_who_leaves_is_forgotten():
    turns, gate, ran = Turns(1, 60.0), threading.Event(), []
    turns.ask("stays", "show", lambda stop: gate.wait(10))
    time.sleep(0.05)
    turns.ask("leaves", "show", lambda stop: ran.append(1))
    turns.forget("leaves")
    gate.set()
    while not turns.idle():
        time.sleep(0.01)
    assert ran == []
    turns.close()
