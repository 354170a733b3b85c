"""Our own front end: the files of ``front/`` joined into one script and one style sheet.

There is no build step and no file from elsewhere. Files that are not among those asked for are left out, so that a page
which only plays a story carries no editor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("front")

#: The player: everything that draws a history. Order matters: a file uses those before it.
PLAYER = (
    "base",
    "tables",
    "staircase",
    "network",
    "powermap",
    "curves",
    "bands",
    "log",
    "timeline",
    "player",
)
#: Guided stories, which steer a player.
STORY = (*PLAYER, "story")
#: The whole room.
ROOM = (*STORY, "levers", "editor", "room")


@cache
def script(parts: tuple[str, ...] = ROOM) -> str:
    """The JavaScript of some parts, in order; a part without a script is skipped."""
    return _joined(parts, "js")


@cache
def style(parts: tuple[str, ...] = ROOM) -> str:
    """The style sheet of some parts, in order; a part without one is skipped."""
    return _joined(parts, "css")


def _joined(parts: tuple[str, ...], suffix: str) -> str:
    files = [FOLDER / f"{part}.{suffix}" for part in parts]
    return "\n".join(file.read_text(encoding="utf-8") for file in files if file.exists())


def as_script(value: Any) -> str:
    """JSON that may stand inside a ``<script>`` element: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character, code in (
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        text = text.replace(character, code)
    return text


def player_page(
    payload: Mapping[str, Any],
    texts: Mapping[str, str],
    options: Mapping[str, Any] | None = None,
    *,
    title: str = "cej-sim",
    language: str = "en",
) -> str:
    """One self-contained HTML page that plays a payload of ``history.Show`` without Python or internet.

    Args:
        payload: As ``history.Show.payload`` gives it.
        texts: All words shown, by key.
        options: Of the player: ``view``, ``month``, ``autoplay``, ``presenter``, ``speed``, ``blind``.
        title: Of the browser's tab.
        language: Of the words.
    """
    settings = as_script({"payload": payload, "texts": texts, "options": options or {}})
    return f"""<!doctype html>
<html lang="{escape(language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>
{style(PLAYER)}
html, body {{ margin: 0; height: 100%; }}
#player {{ height: 100%; }}
</style>
</head>
<body>
<div id="player"></div>
<script>
{script(PLAYER)}
window.player = CEJ.player(document.getElementById("player"), {settings});
</script>
</body>
</html>
"""
