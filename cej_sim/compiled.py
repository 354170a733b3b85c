"""The decorator that compiles the model's kernels, and the disk cache they are kept in.

numba's own cache looks at the file of a function only, not at the functions which that function
calls. The directory used here carries a hash of all the sources a kernel can reach, so an edit
anywhere in the engine starts a fresh cache. ``CEJ_SIM_CACHE_DIR`` overrides the place.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import llvmlite.binding
import numba
from numba.core import config
from numba.core.registry import CPUDispatcher

_PACKAGE = Path(__file__).parent
_SOURCES = (
    "compiled.py",
    "draws.py",
    "forms.py",
    "state.py",
    "parameters.py",
    "month.py",
    "metrics.py",
    "phases",
    "scenario.py",
    "network.py",
    "network_files.py",
    "population.py",
)

Function = TypeVar("Function", bound=Callable[..., object])


def source_text(package: Path = _PACKAGE) -> bytes:
    """All the engine's sources, each after its file's name."""
    found = b""
    for name in _SOURCES:
        path = package / name
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            found += file.name.encode() + (file.read_bytes() if file.exists() else b"")
    return found


def source_hash(package: Path = _PACKAGE) -> str:
    """Hash of the engine's sources, Python, numba and the processor compiled for; names the cache directory."""
    processor = config.CPU_NAME or llvmlite.binding.get_host_cpu_name()
    digest = hashlib.sha256(f"{sys.version_info[:3]} {numba.__version__} {processor}".encode())
    digest.update(source_text(package))
    return digest.hexdigest()[:16]


def _writable(directory: Path) -> bool:
    """Whether files can be made in the directory (it is created if missing)."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


def _own(directory: Path) -> bool:
    """Whether only this user can write in the directory (created if missing): compiled code is loaded from it."""
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
    except OSError:
        return False
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)


def cache_directory() -> Path:
    """Where compiled kernels are kept: the user's cache, or a temporary directory if that is read-only."""
    name = f"cej_sim-{source_hash()}"
    bases = [
        os.environ.get("CEJ_SIM_CACHE_DIR"),
        os.environ.get("XDG_CACHE_HOME"),
        os.environ.get("LOCALAPPDATA") if os.name == "nt" else None,
        os.path.join(os.path.expanduser("~"), ".cache"),
    ]
    for base in bases:
        if base and _writable(Path(base) / name):
            return Path(base) / name
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    shared = Path(tempfile.gettempdir()) / f"cej_sim-{user}"
    if _own(shared) and _writable(shared / name):
        return shared / name
    last = Path(tempfile.mkdtemp(prefix="cej_sim-")) / name
    last.mkdir()
    return last


CACHE_DIRECTORY = cache_directory()


def is_cached() -> bool:
    """Whether the engine was compiled before, so that the first run need not wait."""
    return bool(config.DISABLE_JIT) or any(CACHE_DIRECTORY.rglob("*run_months*.nbc"))


class Kernel(CPUDispatcher):
    """A function that only compiled code calls: without the wrapper that Python would need, it compiles faster."""

    def __call__(self, *arguments: object) -> object:
        """Refuse a call from Python: it would end the process."""
        raise TypeError(
            f"{self.py_func.__name__} is called by compiled code only; decorate it with @entry to call it from Python"
        )


def kernel(function: Function | None = None, *, signature: str | None = None, python: bool = False) -> Function:
    """Compile a kernel: no fast-math, no Python objects, releases the interpreter lock, cached on disk.

    Args:
        function: The function to compile.
        signature: Its types, where many callers with differing ones would otherwise have it compiled many times over.
        python: Whether Python calls it too (see ``entry``).
    """
    if function is None:
        return cast(Function, lambda chosen: kernel(chosen, signature=signature, python=python))
    if config.DISABLE_JIT:
        return function
    options = {"nopython": True, "nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    before = config.CACHE_DIR
    config.CACHE_DIR = str(CACHE_DIRECTORY)
    try:
        made = (CPUDispatcher if python else Kernel)(
            function, targetoptions={**options, "no_cpython_wrapper": not python}
        )
        made.enable_caching()
        if signature:
            made.compile(signature)
            made.disable_compile()
    finally:
        config.CACHE_DIR = before
    return cast(Function, made)


def entry(function: Function | None = None, *, signature: str | None = None) -> Function:
    """Compile a kernel that Python calls too."""
    return kernel(function, signature=signature, python=True)
