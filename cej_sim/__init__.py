"""Community coalitions under governance rules that you can change.

    import cej_sim as cej

    ci, led = cej.load("collective_impact"), cej.load("community_led")
    both = cej.compare(ci, led, runs=200, seed=1)
    both.monthly, both.table, both.plot()
    wide = cej.compare(ci, led, runs=200, seed=1, ensemble=cej.Ensemble.read())
    model = cej.CoalitionModel(ci, rng=1)
    model.step()

Importing the package is cheap: each name loads what it needs when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cej_sim import power
    from cej_sim.ensemble import Ensemble
    from cej_sim.model import CoalitionModel
    from cej_sim.reading import load
    from cej_sim.runs import compare, simulate
    from cej_sim.sweeps.runner import sweep

    __version__: str

__all__ = ["CoalitionModel", "Ensemble", "__version__", "compare", "load", "power", "simulate", "sweep"]

# Public name -> the module that holds it, and what it is called there (None: the module itself).
_PLACES: dict[str, tuple[str, str | None]] = {
    "CoalitionModel": ("cej_sim.model", "CoalitionModel"),
    "Ensemble": ("cej_sim.ensemble", "Ensemble"),
    "compare": ("cej_sim.runs", "compare"),
    "load": ("cej_sim.reading", "load"),
    "power": ("cej_sim.power", None),
    "simulate": ("cej_sim.runs", "simulate"),
    "sweep": ("cej_sim.sweeps.runner", "sweep"),
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name == "__version__":
        from cej_sim.provenance import version

        value: Any = version()
    elif name in _PLACES:
        place, attribute = _PLACES[name]
        module = import_module(place)
        value = module if attribute is None else getattr(module, attribute)
    else:
        raise AttributeError(f"module 'cej_sim' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted({*globals(), *__all__})
