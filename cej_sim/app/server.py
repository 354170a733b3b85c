"""The server: Solara's session and websocket, and nothing else of it, behind our own doors.

Solara and its libraries bring much that a room of strangers must not reach: widgets made by name, files fetched from
elsewhere, ids of others. Here only the few routes exist that the page needs; front-end files come from installed
packages or are ours; a websocket is opened only from our own page, and only the messages that the page sends pass.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import logging
import os
import re
import shutil
import socket
import sys
import tempfile
import threading
import time
import warnings
import webbrowser
from collections import deque
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cej_sim.app.room import Limits
    from cej_sim.scenario import Scenario

_LOG = logging.getLogger(__name__)

#: The address that is only reached from this computer.
LOCAL = "127.0.0.1"
_LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
#: Seconds for which a session outlives its connection, so that a short break loses nothing.
PATIENCE = 30
#: Open pages at most.
MOST_OPEN = 120
#: What the page needs of Solara's assets.
_EXTENSIONS = ("jupyter-vue", "jupyter-vuetify", "jupyter-js-widgets")
_NEEDED = ("solara", "uvicorn", "starlette", "ipyvue", "ipyvuetify")


class ServerError(Exception):
    """The server cannot be started; the message says why and what to do, on one line."""


def missing() -> str | None:
    """What to install where the app's libraries are missing, on one line; else None."""
    lacking = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    lacking = lacking or [name for name in ("solara-assets",) if _assets() is None]
    if not lacking:
        return None
    return (
        f"the app needs libraries that are not installed ({', '.join(lacking)}): python -m pip install 'cej-sim[app]'"
    )


def _assets() -> Path | None:
    """The folder of front-end files that the package solara-assets installs."""
    from importlib import metadata

    try:
        distribution = metadata.distribution("solara-assets")
    except metadata.PackageNotFoundError:
        return None
    for file in distribution.files or []:
        parts = Path(str(distribution.locate_file(file))).resolve().parts
        if "cdn" in parts:
            return Path(*parts[: parts.index("cdn") + 1])
    return None


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens at an address.

    Raises:
        ServerError: If the port is taken or the address is not one of this computer.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    if os.name != "nt":
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(128)
    except (OSError, OverflowError) as error:
        found.close()
        reason = getattr(error, "strerror", None) or str(error)
        import errno

        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise ServerError(
                f"port {port} is in use, perhaps by another cej-sim app; close that, or choose another with --port"
            ) from error
        if getattr(error, "errno", None) == errno.EACCES:
            raise ServerError(
                f"port {port} may not be used ({reason.lower()}); choose one from 1024 to 65535"
            ) from error
        raise ServerError(f"{host}:{port}: cannot listen there ({reason.lower()}); check --host and --port") from error
    return found


def serve(
    given: Mapping[str, Scenario],
    sides: Sequence[str],
    *,
    host: str = LOCAL,
    port: int = 8765,
    presenter: bool = False,
    language: str = "en",
    browser: bool = True,
    limits: Limits | None = None,
    say: Any = print,
) -> None:
    """Open the room and serve it until it is stopped.

    Args:
        given: Scenarios of whoever opens it, by name.
        sides: Names of those to begin with.
        host, port: Where; port 0 takes any that is free.
        presenter: Whether it opens in large type.
        language: Of its words.
        browser: Whether to open a browser.
        limits: What one visitor may ask for.
        say: Takes lines for people.

    Raises:
        ServerError: If it cannot be started.
    """
    from cej_sim.talking import say_if_compiling

    lacking = missing()
    if lacking:
        raise ServerError(lacking)
    listening = bound(host, port)
    port = listening.getsockname()[1]
    say_if_compiling()
    home = tempfile.mkdtemp(prefix="cej_sim-app-")
    try:
        application = _application(given, sides, host, presenter, Path(home), limits, language)
        shown = (
            "127.0.0.1"
            if host in ("0.0.0.0", "")
            else "[::1]"
            if host == "::"
            else f"[{host}]"
            if ":" in host
            else host
        )
        address = f"http://{shown}:{port}/"
        say(f"The room is open at {address}")
        if host not in _LOCAL_NAMES:
            say("Others in your network can reach it, too. Stop it with Ctrl-C.")
        else:
            say("Only this computer can reach it. Stop it with Ctrl-C.")
        if browser:
            threading.Timer(0.5, _open_browser, [address]).start()
        _run(application, listening)
    finally:
        listening.close()
        shutil.rmtree(home, ignore_errors=True)


def _open_browser(address: str) -> None:
    with contextlib.suppress(Exception):
        webbrowser.open(address)


def _run(application: Any, listening: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        application,
        log_level="error",
        access_log=False,
        loop="asyncio",
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        ws_max_size=3_000_000,
        ws_max_queue=8,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=20,
        limit_concurrency=1000,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _settings(home: Path, assets: Path) -> None:
    """Solara's settings, which it reads when it is first imported."""
    os.environ.update(
        {
            "SOLARA_APP": "cej_sim.app.page",
            "SOLARA_ASSETS_FONTAWESOME_ENABLED": "false",
            "SOLARA_ASSETS_PROXY": "true",
            "SOLARA_ASSETS_PROXY_CACHE_DIR": str(assets),
            "SOLARA_HOME": str(home),
            "SOLARA_KERNEL_CULL_TIMEOUT": f"{PATIENCE}s",
            "SOLARA_MODE": "production",
            "SOLARA_SESSION_HTTP_ONLY": "true",
            "SOLARA_STATE_AUTO_REMOUNT": "true",
            "SOLARA_TELEMETRY_MIXPANEL_ENABLE": "false",
            "SOLARA_THEME_LOADER": "plain",
            "SOLARA_THEME_SHOW_BANNER": "false",
            "SOLARA_THEME_TITLE": "cej-sim",
        }
    )


def _application(
    given: Mapping[str, Scenario],
    sides: Sequence[str],
    host: str,
    presenter: bool,
    home: Path,
    limits: Limits | None,
    language: str = "en",
) -> Any:
    """Everything that answers requests."""
    assets = _assets()
    if assets is None:
        raise ServerError(missing() or "solara-assets is not installed")
    if "solara" in sys.modules:
        raise ServerError("Solara is running in this process already; start cej-sim app in one of its own")
    _settings(home, assets)
    warnings.filterwarnings("ignore", module="solara.*")
    from cej_sim.app import page
    from cej_sim.app.room import Room
    from cej_sim.warmup import prepare, usable_processors

    prepare()
    workers = max(2, usable_processors())
    room = Room(given, sides=sides, presenter=presenter, language=language, limits=limits, workers=workers)
    page.Open.room = room

    return Doors(room, host, assets).application()


class Doors:
    """The routes of the page, and who may come in by them."""

    def __init__(self, room: Any, host: str, assets: Path) -> None:
        """Make what does not change: our script, style, and what every browser needs first."""
        from cej_sim.app import front

        self.room = room
        self.local = host in _LOCAL_NAMES
        self.assets = assets
        self.open = 0
        self.html: str | None = None
        self.files = {
            "room.js": ("text/javascript; charset=utf-8", front.script(front.ROOM).encode()),
            "room.css": ("text/css; charset=utf-8", front.style(front.ROOM).encode()),
            "start.json": ("application/json", json.dumps(room.start(), separators=(",", ":")).encode()),
        }
        self.version = hashlib.sha256(b"".join(content for _, content in self.files.values())).hexdigest()[:16]

    def application(self) -> Any:
        """The ASGI application."""
        from solara.server import starlette as theirs
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.routing import Mount, Route, WebSocketRoute
        from starlette.staticfiles import StaticFiles

        class Extensions(theirs.StaticNbFiles):
            """Of the extensions of notebooks, those that the page loads."""

            def lookup_path(self, path: str) -> Any:
                if path.replace("\\", "/").split("/")[0] not in _EXTENSIONS:
                    return "", None
                return super().lookup_path(path)

        @contextlib.asynccontextmanager
        async def lifespan(application: Any) -> Any:
            async with theirs.lifespan(application):
                self.room.turns.ask(self, "first", lambda stop: self.room.first())  # before anybody asks
                yield
            self.room.close()

        routes = [
            Route("/", self.page, methods=["GET"]),
            Route("/readyz", self.ready, methods=["GET"]),
            Route("/room/{version}/{name}", self.file, methods=["GET"]),
            Route("/_solara/api/close/{kernel_id}", self.leave, methods=["POST"]),
            Route("/jupyter/api/kernels/{kernel_id}", self.known, methods=["GET"]),
            WebSocketRoute("/jupyter/api/kernels/{kernel_id}/{name}", self.connect),
            Mount("/_solara/cdn", app=Kept(StaticFiles(directory=self.assets, follow_symlink=False))),
            Mount("/jupyter/nbextensions", app=Extensions()),
            Mount("/static/assets", app=theirs.StaticAssets()),
            Mount("/static", app=theirs.StaticFilesOptionalAuth(directory=theirs.server.solara_static)),
        ]
        middleware = [Middleware(Checked, local=self.local), *theirs.middleware]
        return Starlette(routes=routes, lifespan=lifespan, middleware=middleware)

    # Pages and files

    async def ready(self, request: Any) -> Any:
        """Whether the server answers."""
        from starlette.responses import PlainTextResponse

        return PlainTextResponse("ready")

    async def known(self, request: Any) -> Any:
        """What a browser asks before it connects again; whether there is such a session shows when it does."""
        from starlette.responses import JSONResponse

        return JSONResponse({"id": request.path_params["kernel_id"], "name": "room", "execution_state": "idle"})

    async def page(self, request: Any) -> Any:
        """The page: what is seen first is ours and needs no script; Solara's scripts follow."""
        from uuid import uuid4

        from solara.server import server as theirs
        from starlette.responses import HTMLResponse

        if self.html is None:
            self.html = self.dressed(theirs.read_root("/", "") or "")
        response = HTMLResponse(self.html)
        known = theirs.get_session_id_cookie(request.cookies)
        if not known:
            response.set_cookie(
                theirs.COOKIE_KEY_SESSION_ID,
                str(uuid4()),
                samesite="strict",
                httponly=True,
                secure=request.url.scheme == "https",
            )
        response.headers["Cache-Control"] = "no-store"
        return response

    def dressed(self, content: str) -> str:
        """Solara's page with ours in it: our style at the head, our first sight and script at the top of the body."""
        head, body = "</head>", "<body"
        if content.count(head) != 1 or content.count(body) != 1:
            raise ServerError(
                "this version of Solara makes another kind of page; install one that pyproject.toml allows"
            )
        # Its frame is never seen: its styles would only reach ours, and hold up the first sight.
        content = re.sub(r"<link [^>]*rel=\"stylesheet\"[^>]*>(</link>)?", "", content)
        content = re.sub(
            r"<style(?![^>]*jupyter-theme-css)[^>]*(solara-template-css|pre-render-theme)[^>]*>.*?</style>",
            lambda found: '<style id="pre-render-theme"></style>' if "pre-render-theme" in found[1] else "",
            content,
            flags=re.DOTALL,
        )
        content = re.sub(
            r'<meta name="viewport"[^>]*>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            content,
        )
        texts = self.room.start()["texts"]
        base = f"/room/{self.version}"
        content = content.replace("<html>", f'<html lang="{escape(self.room.language)}">', 1)
        content = content.replace(
            head,
            f'<link rel="stylesheet" href="{base}/room.css">'
            "<style>#app{display:none!important}html{overflow:auto!important}</style></head>",
            1,
        )
        before, _, after = content.partition(body)
        attributes, _, rest = after.partition(">")
        title = escape(texts.get("room.title", "cej-sim"))
        note = escape(texts.get("room.opening", ""))
        ours = (
            f'<div id="room" class="cej cej-room" data-base="{base}"><header class="cej-room-bar">'
            f'<h1 class="cej-room-name">{title}</h1></header>'
            f'<main class="cej-room-main"><p class="cej-room-wait" role="status">{note}</p></main>'
            f'<noscript><p class="cej-room-wait">{escape(texts.get("room.noscript", ""))}</p></noscript></div>'
            f'<script src="{base}/room.js"></script>'
            '<script>CEJ.room(document.getElementById("room"));</script>'
        )
        return f"{before}{body}{attributes}>{ours}{rest}"

    async def file(self, request: Any) -> Any:
        """Our script, style and words; a browser may keep them, for their address changes with them."""
        import anyio
        from starlette.responses import Response

        name = request.path_params["name"]
        if name == "first.json":
            made = await anyio.to_thread.run_sync(self.room.first)
            found = None if made is None else ("application/json", made.encode())
        else:
            found = self.files.get(name)
        if found is None:
            return Response(status_code=404)
        kind, content = found
        same = request.path_params["version"] == self.version
        kept = "public, max-age=31536000, immutable" if same else "no-store"
        return Response(content, media_type=kind, headers={"Cache-Control": kept})

    async def leave(self, request: Any) -> Any:
        """A page was closed: its session ends at once. Only whoever opened it can end it."""
        import anyio
        from solara.server import kernel_context
        from solara.server import server as theirs
        from starlette.responses import Response

        context = kernel_context.contexts.get(request.path_params["kernel_id"])
        visitor = theirs.get_session_id_cookie(request.cookies)
        page = request.query_params.get("session_id", "")
        if context is not None and visitor == context.session_id and page in context.page_status:
            await anyio.to_thread.run_sync(context.page_close, page)
        return Response(status_code=204)

    # The websocket

    async def connect(self, ws: Any) -> None:
        """A browser's connection; from our own page only, and not too many."""
        from solara.server import starlette as theirs
        from solara.server.server import get_session_id_cookie

        origin, host = ws.headers.get("origin", ""), ws.headers.get("host", "")
        if origin.partition("://")[2] != host or not get_session_id_cookie(ws.cookies):
            await ws.close(code=1008)
            return
        if self.open >= MOST_OPEN or not ws.query_params.get("session_id"):
            await ws.close(code=1013)
            return
        self.open += 1
        try:
            await theirs.kernel_connection(Guarded(ws, self.room.limits))
        finally:
            self.open -= 1


class Guarded:
    """A websocket that lets through only what our page sends."""

    def __init__(self, ws: Any, limits: Limits) -> None:
        """Wrap a websocket."""
        self._ws, self._limits = ws, limits
        self._times: deque[float] = deque(maxlen=limits.frequency)

    def __getattr__(self, name: str) -> Any:
        """All else is the websocket's."""
        return getattr(self._ws, name)

    async def receive(self) -> Any:
        """The next message that passes; a connection that sends what our page never sends is closed."""
        while True:
            message = await self._ws.receive()
            if message["type"] != "websocket.receive":
                return message
            now = time.monotonic()
            flooded = len(self._times) == self._limits.frequency and now - self._times[0] < 10.0
            self._times.append(now)
            text = message.get("text")
            if text is None and message.get("bytes") is not None:
                text = _json_of(message["bytes"])
            if flooded or text is None or len(text) > self._limits.message * 1.4 or not passes(text):
                _LOG.info("a connection was closed for what it sent: %.300s", text)
                return {"type": "websocket.disconnect", "code": 1008}
            return message


def _json_of(content: bytes) -> str | None:
    """The JSON part of a binary message without buffers; None where it has some."""
    try:
        parts = int.from_bytes(content[:4], "big")
        if parts != 1:
            return None
        return content[int.from_bytes(content[4:8], "big") :].decode()
    except UnicodeDecodeError:
        return None


def passes(text: str) -> bool:
    """Whether a message of the Jupyter protocol is one that our page sends."""
    try:
        message = json.loads(text)
        kind = message["header"]["msg_type"]
        content = message["content"]
        if kind in ("kernel_info_request", "comm_info_request", "comm_close", "shutdown_request"):
            return True
        if kind == "comm_open":
            return content["target_name"] in ("solara.control", "jupyter.widget.control")
        if kind != "comm_msg":
            return False
        told = content["data"]
        method = told.get("method")
        if method == "custom":
            return told["content"].get("event") == "say"
        if method == "update":
            # Vue's components of the page's frame tell their own state when they are mounted; none of it is ours.
            return set(told["state"]) <= {"dark_effective"}
        return method in ("request_state", "request_states", "run", "app-status")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


class Kept:
    """Static files whose addresses name their version: a browser may keep them."""

    def __init__(self, application: Any) -> None:
        """Wrap an application."""
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""

        async def kept(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                message["headers"] = [
                    *((name, value) for name, value in message["headers"] if name != b"cache-control"),
                    (b"cache-control", b"public, max-age=31536000, immutable"),
                ]
            await send(message)

        await self.application(scope, receive, kept)


class Checked:
    """Refuses requests that name another host (a page elsewhere that points a name at this computer), and tells
    browsers to load and send nothing elsewhere."""

    HEADERS = (
        (
            b"content-security-policy",
            b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
            b"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; "
            b"base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
        ),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    )

    def __init__(self, app: Any, local: bool) -> None:
        """Wrap an application."""
        self.app, self.local = app, local

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        if self.local and name not in _LOCAL_NAMES:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await send({"type": "http.response.start", "status": 421, "headers": []})
                await send({"type": "http.response.body", "body": b"this server answers to 127.0.0.1 only"})
            return

        async def told(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self.HEADERS]
            await send(message)

        await self.app(scope, receive, told if scope["type"] == "http" else send)
