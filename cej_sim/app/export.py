"""A story as one self-contained page that plays from a USB stick, without Python or network; with a sheet to print.

All histories that the steps show are inside. Arrays that several of them share stand there once. The page and its sheet
are made from ``stories.told``, so that every frequency in them was counted; a story whose claims the model does not
bear out is not exported.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from cej_sim import __version__
from cej_sim.app import believe, front, history, texts
from cej_sim.app.stories import ClaimError, Story, Tried, failures, told, try_checks
from cej_sim.ensemble import Ensemble

#: By this a page is known as one of ours, which may be overwritten.
MARK = '<meta name="generator" content="cej-sim export">'

#: Strings of packed arrays that are at least so long stand once.
_SHARED = 200

Progress = Callable[[int, int], None]


class ExportError(OSError):
    """A page cannot be written there; the message says why, on one line."""


@dataclass(frozen=True)
class Exported:
    """What was written: where, how large (bytes), with how many steps and histories, and what was tried."""

    path: Path
    size: int
    steps: int
    histories: int
    tried: Mapping[str, Tried]


# The door


def export(story: Story, out: str | Path, *, threads: int | None = None, progress: Progress | None = None) -> Exported:
    """Try a story's claims, and write it as a page.

    Args:
        story: What ``stories.read_story`` gave.
        out: The file. It may exist if it is an earlier page of ours.
        threads: How many runs at a time.
        progress: Called with (runs done, runs in all).

    Raises:
        ExportError: If nothing can or must be written there; nothing was computed then.
        ClaimError: If the model does not bear out a claim; nothing is written then.
    """
    path = checked(out)
    tried = try_checks(story, threads=threads, progress=progress)
    wrong = failures(tried)
    if wrong:
        raise ClaimError("\n".join(wrong))
    text, histories = _page(story, tried, threads)
    _write(path, text)
    return Exported(path, len(text.encode()), len(story.steps), histories, tried)


def checked(out: str | Path) -> Path:
    """The file to be written, if that may be done.

    Raises:
        ExportError: If it may not.
    """
    text = str(out)
    if not text.strip():
        raise ExportError("there is no name; name a file, such as story.html")
    if "\0" in text:
        raise ExportError("this is not the name of a file; write letters and digits, such as story.html")
    path = Path(text)
    try:
        if path.is_dir():
            raise ExportError(f"{path} is a directory; name a file in it, such as {path / 'story.html'}")
        if path.suffix.lower() not in (".html", ".htm"):
            raise ExportError(f"{path} does not end in .html, so that no browser would open it; write {path.stem}.html")
        if not path.parent.is_dir():
            raise ExportError(f"there is no directory {path.parent}; make it first, or name another one")
        if path.exists():
            with path.open("rb") as file:
                ours = MARK.encode() in file.read(4000)
            if not ours:
                raise ExportError(f"{path} exists and is no page of cej-sim; name another file, or remove it first")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise ExportError(f"{path} cannot be written (permission denied); name another place")
    except ExportError:
        raise
    except OSError as error:
        raise ExportError(f"{path} cannot be written ({(error.strerror or 'not a file').lower()})") from error
    return path


def _write(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    name = None
    try:
        with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=".cej-sim-", delete=False) as file:
            name = file.name
            file.write(text.encode())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except OSError as error:
        if name is not None:
            with contextlib.suppress(OSError):
                os.unlink(name)
        raise ExportError(f"{path} was not written ({(error.strerror or 'failed').lower()})") from error


# The page


def page(story: Story, tried: Mapping[str, Tried], threads: int | None = None) -> str:
    """The page as HTML; see the module."""
    return _page(story, tried, threads)[0]


def _page(story: Story, tried: Mapping[str, Tried], threads: int | None) -> tuple[str, int]:
    words = texts.read(story.language)
    plain = told(story, tried, words)
    payloads, places = _payloads(story, threads)
    for step, place in zip(plain["steps"], places, strict=True):
        if step["show"] is not None:
            step["show"]["payload"] = place
    blobs: list[str] = []
    given = {
        "story": plain,
        "payloads": _folded(payloads, {}, blobs),
        "blobs": blobs,
        "texts": {key: text for key, text in words.items() if key.split(".")[0] in ("player", "story", "believe")},
    }

    def text(key: str, **values: object) -> str:
        return escape(texts.fill(words[key], values))

    title = text("export.title", title=plain["title"])
    html = f"""<!doctype html>
<html lang="{escape(story.language)}">
<head>
<meta charset="utf-8">
{MARK}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
html, body {{ margin: 0; height: 100%; }}
{front.style(front.STORY)}
</style>
<script>{_ALIVE}</script>
</head>
<body>
<div class="cej cej-page cej-page-veiled" id="page">
<header class="cej-page-bar"><strong>{escape(plain["title"])}</strong>
<nav aria-label="{title}">
<button type="button" data-page="story" aria-current="page">{text("export.story")}</button>
<button type="button" data-page="sheet">{text("export.sheet")}</button>
<button type="button" data-page="believe">{text("believe.title")}</button>
</nav></header>
<main>
<p class="cej-page-still cej-sheet-honest">{text("export.noscript")}</p>
<section id="story" class="cej-page-story">
<div class="cej-page-panel"></div><div class="cej-page-player"></div></section>
<section id="sheet" class="cej-page-text" hidden>{sheet(story, plain, words)}</section>
<section id="believe" class="cej-page-text" hidden>{believe.page(story.language)}
{claims(story, plain, words)}</section>
</main>
</div>
<script>
{front.script(front.STORY)}
window.page = CEJ.storyPage(document.getElementById("page"), {front.as_script(given)});
</script>
</body>
</html>
"""
    return html, len(payloads)


#: Until a script runs, and again if ours fails in an old browser, the sheet is what is seen.
_ALIVE = (
    'document.documentElement.className = "cej-alive";'
    'window.onerror = function () { if (!window.page) document.documentElement.className = ""; };'
)

#: Nothing is loaded from anywhere, whatever a text of the story may hold.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


def _payloads(story: Story, threads: int | None) -> tuple[list[dict[str, Any]], list[int | None]]:
    """The histories that steps show, each once, and for every step the place of its own."""
    found: dict[tuple[str, str, int], int] = {}
    payloads: list[dict[str, Any]] = []
    places: list[int | None] = []
    for step in story.steps:
        if step.show is None:
            places.append(None)
            continue
        pair = (step.show.a, step.show.b, step.show.month)
        if pair not in found:
            found[pair] = len(payloads)
            shown = history.show(
                story.pair(step.show), seed=story.seed, run=story.run, runs=story.runs, threads=threads
            )
            payloads.append(texts.worded(shown.payload(), story.language))
        places.append(found[pair])
    return payloads, places


def _folded(value: Any, known: dict[str, int], blobs: list[str]) -> Any:
    """A copy in which long packed arrays are numbers of places in ``blobs``, equal ones the same."""
    if isinstance(value, Mapping):
        packed = value.get("b64")
        if isinstance(packed, str) and len(packed) >= _SHARED:
            if packed not in known:
                known[packed] = len(blobs)
                blobs.append(packed)
            return {**{key: one for key, one in value.items() if key != "b64"}, "ref": known[packed]}
        return {key: _folded(one, known, blobs) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_folded(one, known, blobs) for one in value]
    return value


# The sheet


def sheet(story: Story, plain: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """The facilitator's sheet as a piece of HTML, to be printed on a page or two.

    Args:
        story: The story.
        plain: What ``stories.told`` gave.
        words: All texts.
    """

    def text(key: str, **values: object) -> str:
        return escape(texts.fill(words[key], values))

    def entry(key: str, content: str) -> str:
        return f"<dt>{text(key)}</dt><dd>{content}</dd>" if content else ""

    def items(found: list[str]) -> str:
        return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in found)}</ul>" if found else ""

    def seen(show: Mapping[str, Any] | None) -> str:
        if show is None:
            return ""
        names = {side: "A" if show["blind"] else plain["sides"][show["a"]] for side in "a"}
        names["b"] = ("B" if show["blind"] else plain["sides"][show["b"]]) if show["b"] else ""
        key = "story.sheet.stage" if show["b"] else "story.sheet.stage_one"
        values = {**names, "view": words[f"player.view.{show['view']}"], "begin": show["begin"], "month": show["month"]}
        shown = text(key, **values)
        if show["blind"]:
            real = " / ".join(plain["sides"][show[side]] for side in "ab" if show[side])
            shown += f" ({escape(real)})"
        return shown

    def answers(guess: Mapping[str, Any] | None) -> str:
        if guess is None:
            return ""
        lines = []
        for place, option in enumerate(guess["options"]):
            line = f"{'ABCDEF'[place]}. {escape(option['text'])}"
            line += f": {escape(option['often'])}" if option["often"] else ""
            lines.append(f"<li>{f'<strong>{line}</strong>' if place == guess['answer'] else line}</li>")
        return f'<ul class="cej-sheet-answers">{"".join(lines)}</ul>'

    steps = []
    for number, step in enumerate(plain["steps"], start=1):
        guess = step["guess"]
        minutes = text("story.sheet.minutes", minutes=step["minutes"])
        steps.append(
            f"""<section class="cej-sheet-step"><h3>{number}. {escape(step["title"])} <span>{minutes}</span></h3><dl>
{entry("story.sheet.say", escape(step["say"]))}
{entry("story.sheet.ask", escape(guess["question"]) if guess else "")}
{entry("story.sheet.answers", answers(guess))}
{entry("story.sheet.see", seen(step["show"]))}
{entry("story.sheet.stop", escape(step["stop"]))}
{entry("story.sheet.surprise", escape(step["surprise"]))}
{entry("story.sheet.except", items(step["exceptions"]))}
{entry("story.sheet.discuss", items(step["questions"]))}
</dl></section>"""
        )
    before = "".join(f"<li>{text(f'story.sheet.before.{one}')}</li>" for one in ("open", "vote", "keys", "words"))
    made = text(
        "export.made", version=__version__, seed=story.seed, run=story.run, runs=story.runs,
        sets=len(Ensemble.read()), illustration=words["believe.illustration"],
    )  # fmt: skip
    audience = f"<p><strong>{text('story.sheet.for')}:</strong> {escape(plain['for'])}</p>" if plain["for"] else ""
    head = text("export.title", title=plain["title"])
    return f"""<article class="cej-sheet">
<button type="button" class="cej-page-print" data-print>{text("export.print")}</button>
<h1>{head} <small>({text("story.sheet.minutes", minutes=plain["minutes"])})</small></h1>
<p class="cej-sheet-question">{escape(plain["question"])}</p>
{audience}
<p class="cej-sheet-honest"><strong>{text("believe.illustration")}.</strong> {text("believe.illustration.text")}</p>
<h2>{text("story.sheet.before")}</h2><ul>{before}</ul>
<h2>{text("story.sheet.steps")}</h2>
{"".join(steps)}
<h2>{text("story.sheet.cannot")}</h2><div class="cej-sheet-limits">{believe.limits(story.language)}</div>
<p class="cej-sheet-foot">{made} {text("export.about")}</p>
</article>"""


def claims(story: Story, plain: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """What was computed for a story and how often it held, as a piece of HTML."""

    def text(key: str, **values: object) -> str:
        return escape(texts.fill(words[key], values))

    rows = "".join(
        f"<tr><td>{escape(one['says'])}{_fragile(one, words)}</td><td>{one['times']} / {one['runs']}</td>"
        f"<td>{one['wide_times']} / {one['wide_runs']}</td></tr>"
        for one in plain["claims"]
    )
    return f"""<article class="cej-believe cej-claims"><h2>{text("story.claims")}</h2>
<p>{text("story.claims.hint", runs=story.runs)}</p>
<table><thead><tr><th scope="col">{text("story.claims.says")}</th><th scope="col">{text("story.claims.model")}</th>
<th scope="col">{text("story.claims.wide")}</th></tr></thead><tbody>{rows}</tbody></table></article>"""


def _fragile(claim: Mapping[str, Any], words: Mapping[str, str]) -> str:
    return f" <em>({escape(words['story.claims.fragile'])})</em>" if claim["fragile"] else ""
