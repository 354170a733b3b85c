"""The decorator that compiles the model's kernels, and the disk cache they are kept in.

A kernel becomes numba's when it is first called or met by the compiler, so that reading the declarations beside it,
as a check of a file does, does not load numba.

numba's own cache looks at the file of a function only, not at the functions which that function
calls. The directory used here carries a hash of all the sources a kernel can reach, so an edit
anywhere in the engine starts a fresh cache. ``CEJ_SIM_CACHE_DIR`` overrides the place.

The phases declare the rules, so every command imports them; numba, which takes a second to import, is loaded when the
first kernel is called.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import cache, update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    CACHE_DIRECTORY: Path

_PACKAGE = Path(__file__).parent
_SOURCES = (
    "compiled.py",
    "drafts.py",
    "draws.py",
    "forms.py",
    "processor",
    "state.py",
    "parameters.py",
    "month.py",
    "metrics.py",
    "phases",
    "scenario.py",
    "network.py",
    "network_files.py",
    "nodes.py",
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
    import llvmlite.binding
    import numba

    processor = numba.config.CPU_NAME or llvmlite.binding.get_host_cpu_name()
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


_its_directory = cache(cache_directory)


def __getattr__(name: str) -> Path:
    """``CACHE_DIRECTORY``: where this process keeps its kernels; found when it is first asked for."""
    if name == "CACHE_DIRECTORY":
        return _its_directory()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def interpreted() -> bool:
    """Whether kernels run as plain Python (``NUMBA_DISABLE_JIT=1``), for a debugger."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0").strip() not in ("", "0")


#: Where kernels that Python does not call are kept, if apart from the others.
_inner: list[Path] = []


def keep_inner_kernels(folder: Path) -> None:
    """Keep kernels that Python does not call in a folder of their own; for those that are met from now on."""
    _inner[:] = [folder]


def is_cached() -> bool:
    """Whether the engine was compiled before, so that the first run need not wait."""
    return interpreted() or any(_its_directory().rglob("*run_months*.nbc"))


@cache
def _stored() -> Any:
    """numba's cache of a function, which loads what is compiled without loading the compiler first."""
    from numba.core.caching import FunctionCache
    from numba.core.runtime import rtsys

    class Stored(FunctionCache):
        """The code that lies ready needs memory to be managed, and nothing else; the rest takes a third of a second."""

        def load_overload(self, sig: object, target_context: Any) -> Any:
            rtsys.initialize(target_context)
            with self._guard_against_spurious_io_errors():
                return self._load_overload(sig, target_context)

        def save_overload(self, sig: object, data: Any) -> None:
            try:
                super().save_overload(sig, data)
            except OSError as error:
                _say_not_kept((error.strerror or str(error)).lower())

    return Stored


@cache
def _say_not_kept(reason: str) -> None:
    """Say once why the next process will have to compile again."""
    message = f"what was compiled cannot be kept in {_its_directory()}: {reason}; it is compiled again each time"
    warnings.warn(message, RuntimeWarning, stacklevel=2)


class Kernel:
    """A kernel, which numba meets when it is first called, or when a kernel that calls it is compiled.

    A function that only compiled code calls does without the wrapper that Python would need, and compiles faster.
    """

    def __init__(
        self, function: Callable[..., object], signatures: tuple[str, ...], python: bool, inline: bool
    ) -> None:
        """Keep the function and how to compile it."""
        update_wrapper(self, function)
        self.py_func = function
        self._signatures, self._python, self._inline = signatures, python, inline
        self._made: Any = None

    def dispatcher(self) -> Any:
        """What numba made of it."""
        if self._made is None:
            from numba.core import config
            from numba.core.compiler_lock import global_compiler_lock
            from numba.core.registry import CPUDispatcher

            with global_compiler_lock:  # the one lock: numba holds it when it meets a kernel in another one
                if self._made is None:
                    options = {"nopython": True, "nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
                    before = config.CACHE_DIR
                    config.CACHE_DIR = str(_inner[0] if _inner and not self._python else _its_directory())
                    try:
                        made = CPUDispatcher(
                            self.py_func,
                            targetoptions={
                                **options,
                                "no_cpython_wrapper": not self._python,
                                "forceinline": self._inline,
                            },
                        )
                        made._cache = _stored()(self.py_func)
                        for signature in self._signatures:
                            made.compile(signature)
                        if self._signatures:
                            made.disable_compile()
                    finally:
                        config.CACHE_DIR = before
                    self._made = made
        return self._made

    @property
    def _numba_type_(self) -> Any:
        """By which numba knows it within other kernels."""
        return self.dispatcher()._numba_type_

    def __getattr__(self, name: str) -> Any:
        """What numba tells of it, such as ``stats``."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.dispatcher(), name)

    def __call__(self, *arguments: object) -> object:
        """Call it, unless it is for compiled code only: that would end the process."""
        if not self._python:
            raise TypeError(
                f"{self.py_func.__name__} is called by compiled code only; decorate it with @entry to call it from "
                "Python"
            )
        return self.dispatcher()(*arguments)


def kernel(
    function: Function | None = None,
    *,
    signature: str | tuple[str, ...] = (),
    python: bool = False,
    inline: bool = False,
) -> Function:
    """Compile a kernel: no fast-math, no Python objects, releases the interpreter lock, cached on disk.

    Args:
        function: The function to compile.
        signature: Its types (several: whichever are needed), where many callers with differing ones would otherwise
            have it compiled many times over.
        python: Whether Python calls it too (see ``entry``).
        inline: Whether its code is written into its callers. It is where it is called for each agent: a call hands over
            each array by seven numbers and counts who refers to it, which takes longer than many a rule.
    """
    if function is None:
        return cast(Function, lambda chosen: kernel(chosen, signature=signature, python=python, inline=inline))
    signatures = (signature,) if isinstance(signature, str) else signature
    return function if interpreted() else cast(Function, Kernel(function, signatures, python, inline))


def entry(function: Function | None = None, *, signature: str | tuple[str, ...] = ()) -> Function:
    """Compile a kernel that Python calls too."""
    return kernel(function, signature=signature, python=True)
