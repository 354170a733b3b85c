"""What ``cej-sim analyze`` writes: tables, pictures and one self-contained page about a sweep.

``writing`` makes the folder, with tables by ``files`` and the page by ``html``, which has sections from ``ahead``,
``effects``, ``probes`` and ``enough_runs``; ``terminal`` says it in short. ``about`` and ``words`` hold what these
share.
"""

from __future__ import annotations

from cej_sim.sweeps.page.about import About, about_sweep
from cej_sim.sweeps.page.files import Tables
from cej_sim.sweeps.page.html import FAILURES, html_page
from cej_sim.sweeps.page.terminal import summary
from cej_sim.sweeps.page.words import EFFECTS, chance_words
from cej_sim.sweeps.page.writing import FOLDER, KIND, PAGE, Written, replacing, write, write_provenance

__all__ = [
    "EFFECTS",
    "FAILURES",
    "FOLDER",
    "KIND",
    "PAGE",
    "About",
    "Tables",
    "Written",
    "about_sweep",
    "chance_words",
    "html_page",
    "replacing",
    "summary",
    "write",
    "write_provenance",
]
