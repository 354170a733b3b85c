"""The page as Solara knows it: one invisible template widget through which a browser and its session talk.

Nearly everything that is seen is drawn by our own front end, outside of this widget; see ``front/room.js``. The widget
passes messages on: those of the browser to the session of this visitor, answers back. What a browser sends can
do nothing else: see ``Bridge``.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

import ipyvue
import reacton
import solara
import solara.widgets
import traitlets
from solara.server import kernel_context

from cej_sim.app import texts
from cej_sim.app.room import Room, Session

_LOG = logging.getLogger(__name__)

#: Vue 2; ``jupyter_answer`` is called by messages of Python. The element is never seen.
_TEMPLATE = """
<template><div style="display: none" aria-hidden="true"></div></template>
<script>
module.exports = {
  mounted() { if (window.CEJ && CEJ.bridge) CEJ.bridge.attach((message) => this.say(message)); },
  beforeDestroy() { if (window.CEJ && CEJ.bridge) CEJ.bridge.detach(); },
  methods: { jupyter_answer(answer) { if (window.CEJ && CEJ.bridge) CEJ.bridge.receive(answer); } }
};
//# sourceURL=cej-bridge.js
</script>
"""


class Open:
    """The room that this process shows; set once, before the first visitor."""

    room: Room | None = None


class Still(solara.widgets.Navigator):
    """In place of Solara's own, whose script follows addresses, as our page does itself, and makes browsers warn."""

    template_file = None

    @traitlets.default("template")
    def _default_template(self) -> Any:
        return ipyvue.Template(template="<template><span></span></template>")


solara.Navigator = reacton.core.ComponentWidget(Still)


class Bridge(ipyvue.VueTemplate):
    """Passes messages between a browser and its session.

    ipyvue's own handler would create any widget, and call any method, that a message names. This one knows one event.
    """

    events = traitlets.List(traitlets.Unicode(), default_value=["say"], allow_none=True).tag(sync=True)
    listener: Any = None

    @traitlets.default("template")
    def _default_template(self) -> Any:
        return ipyvue.Template(template=_TEMPLATE)

    def _handle_event(self, _: Any, content: Any, buffers: Any) -> None:
        """Take a message of the browser."""
        if isinstance(content, dict) and content.get("event") == "say" and self.listener is not None:
            self.listener(content.get("data"))

    def vue_say(self, data: Any) -> None:
        """Named so that the browser knows the event; ``_handle_event`` takes it."""


@solara.component
def Page() -> Any:
    """The page: a bridge, and the session of this visitor, which ends with it."""
    element = Bridge.element()

    def connect() -> Any:
        room = Open.room
        if room is None:
            raise RuntimeError("the room is opened by cej_sim.app.server")
        bridge = solara.get_widget(element)
        context = kernel_context.get_current_context()
        one_at_a_time = threading.Lock()

        def send(answer: dict[str, Any]) -> None:
            try:
                with one_at_a_time, context:
                    if not context.closed_event.is_set():
                        bridge.send({"method": "answer", "args": [answer]})
            except Exception:  # the browser is gone; its session ends when the kernel does
                _LOG.debug("an answer found nobody", exc_info=True)

        session = Session(room, send)
        bridge.listener = session.receive
        return session.close

    solara.use_effect(connect, [])
    title = "" if Open.room is None else texts.read(Open.room.language)["room.title"]
    return solara.Div(children=[solara.Title(title), element])


@solara.component
def Layout(children: Any = None) -> Any:
    """No frame of Solara's around the page."""
    return solara.Div(children=children or [])
