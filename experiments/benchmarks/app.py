"""What the room costs and how fast it is, in a real Chromium on this computer.

    python experiments/benchmarks/app.py [--repeats 10] [--sessions 30] [--json FILE]

One server, warm; every visitor is a new one with an empty cache. Times are taken by the browser's own clock, from the
start of the navigation, the movement of the lever or the call that scrubs, to the frame after what is new was drawn.
Needs the extra `app`, Playwright and the system's chromium; takes some minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
import browsers

RESIDENTS = "governance.decide.votes.residents"

#: What is measured: (name, unit, bound, whether more is better).
BOUNDS = {
    "first paint": ("ms", 500.0, False),
    "tables shown": ("ms", None, False),
    "controls": ("ms", 2000.0, False),
    "playback, 2 x 200 agents and 4 charts": ("frames/s", 30.0, True),
    "scrub to painted, 95th percentile": ("ms", 50.0, False),
    "lever to new curves": ("ms", 1000.0, False),
    "lever to all 30 runs": ("ms", None, False),
    "lever among {sessions} sessions, 95th percentile": ("ms", 1000.0, False),
    "memory of a session": ("MB", 10.0, False),
    "processor, 5 s after the tab closed": ("%", 2.0, False),
    "requests that leave this computer": ("", 0.0, False),
    "errors on the console": ("", 0.0, False),
}

#: From a change to the first frame with what it brings; and to all runs.
LEVER = """async (value) => {
  const room = CEJ.room.here, root = document.getElementById("room"), before = root.dataset.shown;
  const begun = performance.now();
  room.ask("set", { side: 1, values: { "governance.decide.votes.residents": value } });
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  while (root.dataset.shown === before) await frame();
  await frame();
  const first = performance.now() - begun;
  while (room.waiting !== null) await frame();
  await frame();
  return [first, performance.now() - begun];
}"""

SCRUB = """async () => {
  const player = CEJ.room.here.player, times = [];
  player.pause();
  for (let i = 0; i < 60; i++) {
    const begun = performance.now();
    player.goto((i * 37) % 120);
    await new Promise((done) => requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = done;
      channel.port2.postMessage(0);
    }));
    times.push(performance.now() - begun);
    await new Promise((done) => setTimeout(done, 20));
  }
  return times;
}"""

PLAY = """async () => {
  const player = CEJ.room.here.player;
  player.goto(0); player.setSpeed(16); player.play();
  await new Promise((done) => setTimeout(done, 300));
  let frames = 0; const begun = performance.now();
  await new Promise((done) => {
    const step = () => { frames++; performance.now() - begun < 4000 ? requestAnimationFrame(step) : done(); };
    requestAnimationFrame(step);
  });
  const rate = 1000 * frames / (performance.now() - begun), month = player.month();
  player.pause();
  return [rate, month];
}"""  # fmt: skip


def resident(pid: int) -> float:
    """Memory of a process in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def processor(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(values: list[float], part: float) -> float:
    """The value below which this part of them lies."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def measured(repeats: int, sessions: int) -> dict[str, float]:
    """All measurements, each the median of the repeats."""
    found: dict[str, list[float]] = {}
    wrong: list[str] = []

    def add(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    with contextlib.ExitStack() as stack:
        address, process = stack.enter_context(browsers.served())
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=browsers.chromium(), args=browsers.ARGUMENTS)

        def visit(**window: int) -> Any:
            context = browser.new_context(viewport=window or {"width": 1280, "height": 720})
            context.set_default_timeout(120_000)
            page = context.new_page()
            page.wrong = browsers.watched(page)
            browsers.opened(page, address)
            return page

        def leave(page: Any) -> None:
            wrong.extend(page.wrong)
            page.close(run_before_unload=True)
            page.context.close()

        leave(visit())  # warm
        for _ in range(repeats):
            page = visit()
            marks = page.evaluate(
                """() => Object.fromEntries(performance.getEntries().filter((one) => one.entryType !== 'resource')
                  .map((one) => [one.name, one.startTime]))"""
            )
            add("first paint", marks["first-contentful-paint"])
            add("tables shown", marks["cej-shown"])
            add("controls", marks["cej-controls"])
            leave(page)

        page = visit(width=1920, height=1080)
        page.evaluate("() => { CEJ.room.here.ask('set', {side: 'both', values: {'community.residents': 185}}); }")
        browsers.ready(page)
        agents = page.evaluate("CEJ.room.here.payload.sides.map((side) => side.all_agents)")
        assert all(number >= 198 for number in agents), agents
        page.evaluate("() => { CEJ.room.here.player.setOptions({ charts: true }); }")
        time.sleep(1)
        charts = page.locator(".cej-beside canvas, .cej-beside svg").count()
        assert charts >= 1
        for number in range(repeats):
            rate, month = page.evaluate(PLAY)
            assert month > 12, "it did not play"
            add("playback, 2 x 200 agents and 4 charts", rate)
            add("scrub to painted, 95th percentile", percentile(page.evaluate(SCRUB), 0.95))
            first, whole = page.evaluate(LEVER, 0.31 + number / 100)
            add("lever to new curves", first)
            add("lever to all 30 runs", whole)
        leave(page)

        time.sleep(2)
        before = resident(process.pid)
        pages = [visit() for _ in range(sessions)]
        for page in pages:
            page.evaluate("() => { CEJ.room.here.player.pause(); }")
        time.sleep(2)
        add("memory of a session", (resident(process.pid) - before) / sessions)
        times = []
        for number in range(2 * sessions):
            begun = time.monotonic()
            times.append(pages[number % sessions].evaluate(LEVER, 0.2 + number / 200)[0])
            time.sleep(max(0.0, 2.0 - (time.monotonic() - begun)))
        add(f"lever among {sessions} sessions, 95th percentile", percentile(times, 0.95))
        for page in pages:
            leave(page)
        time.sleep(5)
        used, begun = processor(process.pid), time.monotonic()
        time.sleep(10)
        add("processor, 5 s after the tab closed", 100 * (processor(process.pid) - used) / (time.monotonic() - begun))
        browser.close()
    add("requests that leave this computer", float(sum(one.startswith(("request", "websocket")) for one in wrong)))
    add("errors on the console", float(sum(one.startswith(("console", "error")) for one in wrong)))
    for one in sorted(set(wrong)):
        print(one, file=sys.stderr)
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--sessions", type=int, default=30)
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the numbers there")
    options = parser.parse_args()
    if browsers.chromium() is None:
        sys.exit("there is no chromium on this computer")
    found = measured(options.repeats, options.sessions)
    bounds = {name.format(sessions=options.sessions): bound for name, bound in BOUNDS.items()}
    print("| what | measured | wanted | |\n|---|---:|---:|---|")
    for name, (unit, bound, more) in bounds.items():
        value = found[name]
        wanted = "" if bound is None else f"{'at least' if more else 'at most'} {bound:g} {unit}".strip()
        held = "" if bound is None else "yes" if (value >= bound if more else value <= bound) else "NO"
        print(f"| {name} | {value:.3g} {unit} | {wanted} | {held} |")
    if options.json:
        options.json.write_text(json.dumps({"load": os.getloadavg(), "measured": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
