"""Where a result comes from, and the directory that holds it.

``provenance.json`` is written beside every result. It says what was computed, by which versions and
from which scenarios, and it lists the files of the result: no other file is ever overwritten, and none of them
after somebody changed it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cej_sim.nodes import is_file, plain

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from cej_sim.scenario import Scenario

NOTE = "illustration, not prediction"
SOFTWARE = "cej_sim"
FORMAT = 1
FILE = "provenance.json"

#: Every file that a result may consist of; no other file in a directory is ever touched.
RESULT_FILES = (
    "monthly.parquet",
    "comparison.csv",
    "predictions.csv",
    "changes.parquet",
    "changes.csv",
    "spectra.csv",
    "survey.csv",
    "comparison.png",
    "run.png",
    "report.html",
    FILE,
)

_LIBRARIES = ("numpy", "numba", "mesa", "networkx", "scipy", "pandas", "pyarrow", "matplotlib", "SALib")
#: How the names of temporary files begin; the number of the process that made them follows.
STAGING = ".cej_sim-"

# What a command that was killed may have left behind: a folder or a bundle half written, or the files of a sweep.
_LEFT = re.compile(r"[.]cej_sim-(?:([0-9]+)-[a-z0-9_]{8}([.]zip)?|[0-9a-f]{32}[.]tmp|lock(-journal)?)")

#: The largest provenance that is read, bytes.
_MOST = 100_000_000


class OutputError(ValueError):
    """Results cannot be written where they should be; the message says why and what to do, on one line."""

    def __init__(self, text: str) -> None:
        """Keep it on one line, whatever the names of files hold."""
        super().__init__(plain(text))


def version() -> str:
    """The installed version of cej_sim, ``0+unknown`` where it runs from sources without being installed."""
    try:
        return metadata.version("cej-sim")
    except metadata.PackageNotFoundError:
        return "0+unknown"


def _library_versions() -> dict[str, str]:
    found = {"cej_sim": version(), "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def commit(checkout: Path = Path(__file__).parent.parent) -> dict[str, Any] | None:
    """The git commit of a checkout, and whether its files were changed since; None where there is no checkout."""
    if not (checkout / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(checkout), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
        return done.stdout.strip()

    try:
        return {"hash": git("rev-parse", "HEAD"), "modified": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None


def describe(
    scenarios: Mapping[str, Scenario],
    *,
    seed: int,
    runs: int,
    months: int,
    engine: str,
    command: str | None = None,
    warnings: Sequence[str] = (),
    against: Mapping[str, Scenario] | None = None,
) -> dict[str, Any]:
    """Everything needed to compute a result again, as plain data.

    Args:
        scenarios: The scenarios by the name that the result's tables give them.
        seed: The seed; run r of a seed is always the same run.
        runs: Number of runs of each scenario.
        months: Number of months of each run.
        engine: Hash of the engine's sources.
        command: The command line, or None where Python code asked for the result.
        warnings: What a reader of the result should be told.
        against: Scenarios that were run only because predictions are held against them, by name.
    """

    def told(named: Mapping[str, Scenario]) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "label": scenario.label,
                "description": scenario.description,
                "hash": scenario.hash(),
                "resolved": scenario.resolved(),
            }
            for name, scenario in named.items()
        ]

    return {
        "software": SOFTWARE,
        "format": FORMAT,
        "note": NOTE,
        "version": version(),
        "commit": commit(),
        "engine": engine,
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "runs": runs,
        "months": months,
        "warnings": list(warnings),
        "versions": _library_versions(),
        "platform": {"system": platform.system(), "release": platform.release(), "machine": platform.machine()},
        "scenarios": told(scenarios),
        "against": told(against or {}),
    }


def one_line(provenance: Mapping[str, Any]) -> str:
    """The line that every export carries: the note, runs, seed and version."""
    return f"{NOTE}; {provenance['runs']} runs, seed {provenance['seed']}, cej_sim {provenance['version']}"


def read(directory: Path) -> dict[str, Any] | None:
    """The provenance of a directory of results; None where it holds none of ours."""
    path = directory / FILE
    if not is_file(path):
        return None
    try:
        with path.open("rb") as file:
            return ours(file.read(_MOST))
    except OSError:
        return None


def ours(text: bytes) -> dict[str, Any] | None:
    """A provenance from its text; None where it is not one of ours."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and content.get("software") == SOFTWARE else None


def _listed(content: Mapping[str, Any]) -> dict[str, set[str]]:
    """The files of a result and the hashes that each may have: one, or two where a write was interrupted."""
    files = content.get("files")
    if not isinstance(files, dict):
        return {}
    each = {name: [given] if isinstance(given, str) else given for name, given in files.items()}
    return {
        name: {one for one in given if isinstance(one, str)}
        for name, given in each.items()
        if name in RESULT_FILES and isinstance(given, list)
    }


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _not_ours(directory: Path, content: Mapping[str, Any]) -> str | None:
    """What somebody else put where files of a result stand, or changed; None where there is nothing."""
    listed = _listed(content)
    for name in RESULT_FILES:
        path = directory / name
        if name == FILE or not os.path.lexists(path):
            continue
        if name not in listed:
            return f"{name}, which does not belong to the results there"
        if path.is_symlink() or not path.is_file() or _hash(path) not in listed[name]:
            return f"{name}, which was changed since it was written"
    return None


def output_path(directory: str | os.PathLike[str]) -> Path:
    """A directory for results, without detours.

    ``new/..`` becomes the folder that it means, so that what is looked at before anything is written is the place
    written to, also where ``new`` is still to be made.
    """
    return Path(os.path.normpath(directory))


def check_output(directory: str | os.PathLike[str], holding: str | None = None) -> Path:
    """Find out, without leaving a trace, whether results may and can be written into a directory.

    Args:
        directory: Where to.
        holding: The kind of result that may be there already: ``sweep``, or None for the files of one command.

    Returns:
        The directory as ``output_path`` writes it, which is the one to be used; it need not exist yet.

    Raises:
        OutputError: If it is a file, holds something that is not ours, or cannot be written.
    """
    directory = output_path(directory)
    try:
        if os.path.lexists(directory) and not directory.is_dir():
            raise OutputError(f"{directory} is a file; name a directory for the results")
        if directory.is_dir():
            with alone(directory):
                _check_content(directory, holding)
        with tempfile.TemporaryFile(dir=_nearest(directory)):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"{directory} cannot be written: {reason}; name another directory") from error
    return directory


def _check_content(directory: Path, holding: str | None = None) -> None:
    """Find out whether what a directory holds may be overwritten, while nobody else writes there.

    Raises:
        OutputError: If it holds something that is not ours, or was changed.
    """
    held = read(directory)
    if held is None:
        if _foreign(directory):
            raise OutputError(
                f"{directory} holds files that are not results of cej-sim (no {FILE} of ours); "
                "name another directory, or empty it"
            )
        return
    if held.get("kind") != holding:
        what = "a sweep" if held.get("kind") == "sweep" else "results of another command"
        raise OutputError(f"{directory} holds {what}; name another directory")
    found = _not_ours(directory, held) if holding is None else None
    if found:
        raise OutputError(f"{directory} holds {found}; move it, or name another directory")


def _nearest(directory: Path) -> Path:
    """The innermost folder of a path that is there."""
    for folder in (directory, *directory.parents):
        with suppress(FileNotFoundError, NotADirectoryError):
            folder.stat()
            return folder
    return directory


def _foreign(directory: Path) -> bool:
    """Whether a directory holds anything but what an interrupted write of ours left behind."""
    return any(not _LEFT.fullmatch(entry.name) for entry in directory.iterdir())


def remove_left_behind(directory: Path) -> None:
    """Remove what commands that were killed left in a directory; what belongs to a living one stays."""
    for entry in directory.glob(f"{STAGING}*"):
        name = _LEFT.fullmatch(entry.name)
        with suppress(OSError):
            if name is None or name[1] is None or not is_over(int(name[1]), entry):
                continue
            if name[2]:
                entry.unlink()
            elif not entry.is_symlink() and all(file.name in (*RESULT_FILES, "mark") for file in entry.iterdir()):
                shutil.rmtree(entry)


def is_over(process: int, made: Path) -> bool:
    """Whether a process that made something is gone."""
    if os.name == "nt":  # there, a signal would end the process that is asked about
        return time.time() - made.stat().st_mtime > 3600.0
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Have others that put results into the same directory wait, as this one waits for them.

    The directory itself is locked; where a system cannot, a file with its name among the temporary ones is. Where
    there are no locks (some network drives), nobody waits.
    """
    if sys.platform == "win32":
        name = hashlib.sha256(os.path.normcase(os.path.realpath(directory)).encode("utf-8", "replace")).hexdigest()
        handle = os.open(Path(tempfile.gettempdir(), f"cej_sim-{name[:32]}.lock"), os.O_RDWR | os.O_CREAT)
    else:
        handle = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):
            if sys.platform == "win32":
                msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
            else:
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # which also ends the lock


def write(
    directory: str | os.PathLike[str],
    provenance: Mapping[str, Any],
    writers: Mapping[str, Callable[[Path], None]],
) -> list[Path]:
    """Write a result: every file complete under a temporary name first, then all renamed into place.

    Args:
        directory: Where to; created if missing, overwritten only if it holds a result of ours.
        provenance: What ``describe`` returned; written as ``provenance.json`` with each file's SHA-256.
        writers: File name (one of ``RESULT_FILES``) -> a function that writes the file at a path.

    Returns:
        The paths of the files, ``provenance.json`` last.

    Raises:
        OutputError: As ``check_output``, and if the disk fails while writing.
    """
    directory = check_output(directory)
    staging: Path | None = None
    try:
        directory.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f"{STAGING}{os.getpid()}-", dir=directory))
        hashes = {}
        for name, writer in writers.items():
            writer(staging / name)
            hashes[name] = _hash(staging / name)
        _write_json(staging / FILE, {**provenance, "files": hashes})
        with alone(directory):
            _check_content(directory)
            remove_left_behind(directory)
            before = _listed(read(directory) or {})
            # First a mark that the directory is ours and its files are not whole yet; what replaces it comes last.
            mark = {
                "software": SOFTWARE,
                "format": FORMAT,
                "unfinished": "files were being written; run the command again",
                "files": {
                    name: sorted(before.get(name, set()) | ({hashes[name]} if name in hashes else set()))
                    for name in dict.fromkeys((*before, *hashes))
                },
            }
            _write_json(staging / "mark", mark)
            os.replace(staging / "mark", directory / FILE)
            for name in before:
                if name not in writers:
                    (directory / name).unlink(missing_ok=True)
            for name in (*writers, FILE):
                os.replace(staging / name, directory / name)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"{directory} cannot be written: {reason}") from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
    return [directory / name for name in (*writers, FILE)]


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain data; what UTF-8 cannot hold, such as names in another encoding, is written out."""
    text = json.dumps(content, indent=1, default=str, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
