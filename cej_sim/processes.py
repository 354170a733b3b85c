"""Processors, and other Pythons that work on them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def usable_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def another_python(code: str, settings: Mapping[str, str] | None = None, **streams: Any) -> subprocess.Popen[bytes]:
    """Another Python that runs some code with this package, with some settings in its environment.

    It takes the package as it lies here, and not the one of a checkout in which somebody happens to be: numba would
    keep what it compiles from that apart, and all would be compiled once more.
    """
    search = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {"OPENBLAS_NUM_THREADS": "1", **os.environ, "PYTHONPATH": search, **(settings or {})}
    return subprocess.Popen([sys.executable, "-P", "-c", code], env=environment, **streams)
