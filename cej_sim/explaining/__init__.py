"""What the rules of a scenario mean together, in plain sentences; and in which rules two scenarios differ.

``explain`` composes its sentences from values alone: a scenario's name, label and description are never looked at.
A rule that no sentence mentions and that is not as usual is listed at the end of its phase, so that nothing a file
sets goes unmentioned; one that has no effect beside the others is listed with the reason. Amounts are worked out as
the docstrings of the phases say, for the first months, when the grant is all the money there is.
"""

from cej_sim.explaining.differing import Difference, differences
from cej_sim.explaining.origins import Row, resolved
from cej_sim.explaining.terminal import render_differences, render_explanation, render_resolved
from cej_sim.explaining.whole import Part, explain

__all__ = [
    "Difference",
    "Part",
    "Row",
    "differences",
    "explain",
    "render_differences",
    "render_explanation",
    "render_resolved",
    "resolved",
]
