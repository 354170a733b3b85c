"""A served room and a real Chromium for tests that need to see the page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: Set where a browser must be there: then its absence is a failure, and not a skipped test.
REQUIRED = "CEJ_SIM_BROWSER"
#: How long a page may take to come to what is expected of it, in milliseconds: it may share its processor with others.
PATIENCE = 60_000
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]


def chromium() -> str | None:
    """The path of a Chromium; None where there is none.

    Raises:
        RuntimeError: If there is none where one must be.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.environ.get(REQUIRED):
        raise RuntimeError(f"{REQUIRED} is set, and there is no chromium")
    return found


#: For tests that need a browser.
needed = pytest.mark.skipif(
    chromium() is None, reason="no chromium here: NOT TESTED IN A BROWSER (apt-get install chromium)"
)


@contextmanager
def started() -> Iterator[Any]:
    """A Chromium, driven by Playwright."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright (extra `test`) is not installed")
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def from_files(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages from their files; fails at the end if one asked for anything but itself, or complained."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_(path: Path, width: int = 1280, height: int = 720, **more: Any) -> Any:
        address = path.as_uri()
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
        page.on(
            "request",
            lambda asked: asked.url in (address, "data:,") or complaints.append(f"asked for {asked.url}"),
        )
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


@contextmanager
def served(*arguments: str, folder: Path | None = None) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address and process of ``cej-sim app``, once it answers."""
    command = [sys.executable, "-m", "cej_sim", "app", "--no-browser", "--port", "0", *arguments]
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(Path(__file__).parent.parent)]))
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + process.stdout.read()
        address, until = found[0], time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"{address}readyz", timeout=5) as answer:
                    assert answer.status == 200
                break
            except OSError:
                assert time.monotonic() < until, "the server does not answer"
                assert process.poll() is None, process.stdout.read()
                time.sleep(0.1)
        yield address, process
        assert process.poll() is None or process.returncode > 128, (  # a test asked it to end
            f"the server ended by itself ({process.returncode}): {process.stdout.read()}"
        )
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def expect(found: Any) -> Any:
    """What Playwright says of a part of a page, waiting until it holds.

    Pages build themselves step by step. A test that looks once sees by chance one step or the next.
    """
    from playwright.sync_api import expect as claims

    claims.set_options(timeout=PATIENCE)
    return claims(found)


def becomes(page: Any, expression: str, value: object, why: str = "") -> None:
    """Wait until a JavaScript expression (or function) has a value on a page."""
    until = time.monotonic() + PATIENCE / 1000
    while (found := page.evaluate(expression)) != value:
        assert time.monotonic() < until, f"{why or expression}: {found!r} instead of {value!r}"
        page.wait_for_timeout(30)


def watched(page: object) -> list[str]:
    """What goes wrong on a page from now on: errors, warnings, and requests that leave this computer."""
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))  # type: ignore[attr-defined]
    page.on(
        "console", lambda said: wrong.append(f"console: {said.text}") if said.type in ("error", "warning") else None
    )  # type: ignore[attr-defined]
    page.on("request", lambda sent: None if local(sent.url) else wrong.append(f"request: {sent.url}"))  # type: ignore[attr-defined]
    page.on("websocket", lambda opened: None if local(opened.url) else wrong.append(f"websocket: {opened.url}"))  # type: ignore[attr-defined]
    return wrong


def local(url: str) -> bool:
    """Whether an address is one of this computer, or of none."""
    return bool(re.match(r"(https?|wss?)://(127\.0\.0\.1|localhost)(:\d+)?/|(data|blob|about):", url))


def opened(page: object, address: str, wait: bool = True) -> None:
    """Open the room on a page, and wait until its session answers and all runs are there."""
    page.goto(address)  # type: ignore[attr-defined]
    if wait:
        ready(page)


def ready(page: object) -> None:
    """Wait until the page shows all runs of what its session says, and asks for nothing more."""
    page.wait_for_function(  # type: ignore[attr-defined]
        "window.CEJ && CEJ.room.here && CEJ.room.here.state && CEJ.bridge.state === 'open' && "
        "document.getElementById('room').dataset.ready && CEJ.room.here.waiting === null",
        timeout=120_000,
    )
