"""Pictures of a sweep, each legible on a projector (1600 x 900).

Blue is the first scenario and vermilion the other one, as everywhere; what may be chance is gray and hollow, hatched
or small, so that no color claims more than its interval does. Maps show the cells that were computed and nothing
between them.

``frame`` and ``choice`` hold what all pictures share; ``rows``, ``maps`` and ``shares`` draw; ``ahead``, ``cells``,
``effects``, ``probes`` and ``enough_runs`` say what is drawn of which table; ``selection`` says which a sweep has.
"""

from __future__ import annotations

from cej_sim.sweeps.figures.cells import DOTS
from cej_sim.sweeps.figures.choice import ROWS, drawn_words, spread_by_rank
from cej_sim.sweeps.figures.effects import interaction_label, labels_of, marks_of
from cej_sim.sweeps.figures.frame import BETTER, FIRST, FORMATS, OTHER, PANELS, UNSURE, WORSE, Picture, Wording, save
from cej_sim.sweeps.figures.maps import Map, map_figure, scatter_figure
from cej_sim.sweeps.figures.probes import answers, probe_label, probe_questions
from cej_sim.sweeps.figures.rows import Mark, rows_figure
from cej_sim.sweeps.figures.selection import pictures
from cej_sim.sweeps.figures.shares import shares_figure

__all__ = [
    "BETTER",
    "DOTS",
    "FIRST",
    "FORMATS",
    "OTHER",
    "PANELS",
    "ROWS",
    "UNSURE",
    "WORSE",
    "Map",
    "Mark",
    "Picture",
    "Wording",
    "answers",
    "drawn_words",
    "interaction_label",
    "labels_of",
    "map_figure",
    "marks_of",
    "pictures",
    "probe_label",
    "probe_questions",
    "rows_figure",
    "save",
    "scatter_figure",
    "shares_figure",
    "spread_by_rank",
]
