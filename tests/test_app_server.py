"""The doors of the server: what is said when it cannot start, and who is let in."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys

import browsers
import pytest

pytest.importorskip("solara", reason="the app is an extra")

from cej_sim.app import server
from cej_sim.cli import status


def cli(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "cej_sim", *arguments],
        capture_output=True, text=True, timeout=120, env={**os.environ, **environment},
    )  # fmt: skip


def one_line(done):
    assert done.returncode == 2, done
    (line,) = done.stderr.strip().splitlines()
    assert "Traceback" not in line
    return line


def test_a_busy_port_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = one_line(cli("app", "--no-browser", "--port", str(port)))
    assert f"port {port} is in use" in line
    assert "--port" in line


@pytest.mark.parametrize("port", ["99999", "x", "-1", "8.5"])
def test_a_wrong_port_is_one_line(port, capsys):
    assert status(["app", "--no-browser", f"--port={port}"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "--port" in line


@pytest.mark.slow
def test_an_address_of_another_computer_is_one_line():
    assert "cannot listen" in one_line(cli("app", "--no-browser", "--port", "0", "--host", "192.0.2.1"))


def test_a_broken_file_is_told_with_its_line(tmp_path):
    (tmp_path / "mine.yaml").write_text("schema_version: 1\nmonthz: 3\n")
    line = one_line(cli("app", "--no-browser", str(tmp_path / "mine.yaml")))
    assert "mine.yaml:2:1" in line


@pytest.mark.slow
def test_without_the_extra_it_says_what_to_install(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'solara' else find(name, package)\n"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH"), os.getcwd()])])
    line = one_line(cli("app", "--no-browser", PYTHONPATH=path))
    assert "pip install 'cej-sim[app]'" in line


# The protocol


def message(kind, **content):
    return json.dumps({"header": {"msg_type": kind}, "content": content})


@pytest.mark.parametrize(
    "text",
    [
        message("kernel_info_request"),
        message("comm_open", target_name="solara.control"),
        message("comm_msg", data={"method": "run", "args": {}}),
        message("comm_msg", data={"method": "custom", "content": {"event": "say", "data": {"type": "hello"}}}),
        message("comm_msg", data={"method": "request_states"}),
    ],
)
def test_what_the_page_sends_passes(text):
    assert server.passes(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "3", "null", "[" * 100_000,
        message("execute_request", code="import os"),
        message("comm_open", target_name="jupyter.widget", data={"state": {}}),
        message("comm_msg", data={"method": "custom", "content": {"create_widget": ["os", "system"], "props": {}}}),
        message("comm_msg", data={"method": "custom", "content": {"update_ref": {"functionRef": "close"}}}),
        message("comm_msg", data={"method": "custom", "content": {"event": "close"}}),
        message("comm_msg", data={"method": "update", "state": {"template": "<b>"}}),
        message("comm_msg", data={"method": "reload"}),
        message("comm_msg", data={"method": "evict"}),
        message("comm_msg", data=[]),
        message("history_request"),
    ],
)  # fmt: skip
def test_nothing_else_does(text):
    assert not server.passes(text)


@pytest.mark.slow
def test_the_widget_itself_makes_no_other_and_calls_nothing():
    """Even if a message passed: ipyvue's own handler, which imports what it is told, is not there."""
    script = """
import sys
from cej_sim.app import server
from pathlib import Path
import tempfile
server._settings(Path(tempfile.mkdtemp()), server._assets())
import ipyvue
from cej_sim.app.page import Bridge
heard = []
bridge = Bridge()
bridge.listener = heard.append
for content in (
    {"create_widget": ["ipywidgets", "Text"], "props": {}, "id": "x"},
    {"update_ref": {"functionRef": "close"}, "id": "x", "prop": "y"},
    {"event": "close", "data": {}}, {"event": "__init__"}, [], None, {"event": "say", "data": {"type": "hello"}},
):
    bridge._handle_custom_msg(content, [])
assert heard == [{"type": "hello"}], heard
assert bridge._component_instances == []
print("only what was said")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip().endswith("only what was said"), done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there are no such signals there")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_room_that_is_closed_leaves_nothing_behind(tmp_path, monkeypatch, name):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with browsers.served(folder=tmp_path) as (_, process):
        assert list(tmp_path.glob("cej_sim-app-*"))
        number = getattr(signal, name)
        process.send_signal(number)
        assert process.wait(60) == 128 + number
    assert list(tmp_path.iterdir()) == []


class Socket:
    """A websocket that holds messages ready."""

    def __init__(self, *texts):
        self.texts = list(texts)

    async def receive(self):
        return {"type": "websocket.receive", "text": self.texts.pop(0)}


def test_a_connection_that_sends_something_else_is_closed():
    from cej_sim.app.room import Limits

    async def talk():
        good, bad = message("kernel_info_request"), message("execute_request")
        guarded = server.Guarded(Socket(good, bad), Limits())
        return [(await guarded.receive())["type"] for _ in range(2)]

    assert asyncio.run(talk()) == ["websocket.receive", "websocket.disconnect"]


def test_a_flood_is_closed():
    from cej_sim.app.room import Limits

    async def talk():
        guarded = server.Guarded(Socket(*[message("kernel_info_request")] * 20), Limits(frequency=10))
        return [(await guarded.receive())["type"] for _ in range(11)]

    assert asyncio.run(talk()) == ["websocket.receive"] * 10 + ["websocket.disconnect"]


def test_only_this_computer_is_answered():
    async def ask(host, local=True, kind="http"):
        sent = []

        async def inner(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def send(message):
            sent.append(message)

        checked = server.Checked(inner, local)
        await checked({"type": kind, "headers": [(b"host", host)]}, None, send)
        return sent

    for host in (b"127.0.0.1:8765", b"localhost:1", b"[::1]:8765", b"localhost"):
        (started,) = asyncio.run(ask(host))
        assert started["status"] == 200
        names = {name for name, _ in started["headers"]}
        assert {b"content-security-policy", b"x-content-type-options", b"x-frame-options"} <= names
    for host in (b"evil.example", b"127.0.0.1.evil.example:8765", b"", b"[::2]:1"):
        assert asyncio.run(ask(host))[0]["status"] == 421
        assert asyncio.run(ask(host, kind="websocket"))[0] == {"type": "websocket.close", "code": 1008}
    assert asyncio.run(ask(b"coalition.example", local=False))[0]["status"] == 200


def test_whoever_waits_for_the_first_compilation_is_told(monkeypatch, capsys):
    def stop(*_):
        raise server.ServerError("enough")

    monkeypatch.setattr("cej_sim.warmup.is_compiled", lambda: False)
    monkeypatch.setattr(server, "_application", stop)
    with pytest.raises(server.ServerError, match="enough"):
        server.serve({}, ["collective_impact"], port=0, browser=False)
    assert "Compiling" in capsys.readouterr().err
