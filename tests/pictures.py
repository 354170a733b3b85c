"""Results without their pictures, for tests of everything else about them: drawing takes most of the time of a save."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from cej_sim import plots

DRAWN = ("comparison_figure", "run_figure", "panel_figure", "staircase_figure")


def leave_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have pictures of results drawn empty. What is said of them, and all files and numbers, are as ever."""
    for name in DRAWN:
        assert callable(getattr(plots, name))
        monkeypatch.setattr(plots, name, lambda *_, **__: Figure((1.0, 1.0)))
