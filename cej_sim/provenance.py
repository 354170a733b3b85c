"""Where a result comes from, and the directory that holds it.

``provenance.json`` is written beside every result. It says what was computed, by which versions and
from which scenarios, and it marks the directory as ours: nothing else is ever overwritten.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    "comparison.png",
    "run.png",
    "report.html",
    FILE,
)

_LIBRARIES = ("numpy", "numba", "mesa", "networkx", "scipy", "pandas", "pyarrow", "matplotlib", "SALib")
_STAGING = ".cej_sim-"


class OutputError(ValueError):
    """Results cannot be written where they should be; the message says why and what to do."""


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
    try:
        content = json.loads((directory / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("software") == SOFTWARE else None


def check_output(directory: str | os.PathLike[str], holding: str | None = None) -> Path:
    """Find out, without leaving a trace, whether results may and can be written into a directory.

    Args:
        directory: Where to.
        holding: The kind of result that may be there already: ``sweep``, or None for the files of one command.

    Returns:
        The directory; it need not exist yet.

    Raises:
        OutputError: If it is a file, holds something that is not ours, or cannot be written.
    """
    directory = Path(directory)
    try:
        if directory.exists() and not directory.is_dir():
            raise OutputError(f"{directory} is a file; name a directory for the results")
        held = read(directory) if directory.is_dir() else None
        if held is not None and held.get("kind") != holding:
            what = "a sweep" if held.get("kind") == "sweep" else "results of another command"
            raise OutputError(f"{directory} holds {what}; name another directory")
        if directory.is_dir() and held is None and _foreign(directory):
            raise OutputError(
                f"{directory} holds files that are not results of cej-sim (no {FILE} of ours); "
                "name another directory, or empty it"
            )
        made = _make(directory)
        try:
            with tempfile.TemporaryFile(dir=directory):
                pass
        finally:
            for created in made:
                created.rmdir()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"{directory} cannot be written: {reason}; name another directory") from error
    return directory


def _foreign(directory: Path) -> bool:
    """Whether a directory holds anything but what an interrupted write of ours left behind."""
    return any(not entry.name.startswith(_STAGING) for entry in directory.iterdir())


def _is_left_behind(staging: Path) -> bool:
    """Whether the process that made a staging directory is gone."""
    number = staging.name.removeprefix(_STAGING).partition("-")[0]
    if not number.isdigit() or os.name == "nt":  # there, a signal would end the process that is asked about
        return time.time() - staging.stat().st_mtime > 3600.0
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _make(directory: Path) -> list[Path]:
    """Create a directory with its parents; returns those that were created, innermost first."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    return missing


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
    before = read(directory) or {}
    staging: Path | None = None
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for left in directory.glob(f"{_STAGING}*"):
            if _is_left_behind(left):
                shutil.rmtree(left, ignore_errors=True)
        staging = Path(tempfile.mkdtemp(prefix=f"{_STAGING}{os.getpid()}-", dir=directory))
        hashes = {}
        for name, writer in writers.items():
            writer(staging / name)
            hashes[name] = hashlib.sha256((staging / name).read_bytes()).hexdigest()
        content = json.dumps({**provenance, "files": hashes}, indent=1, default=str, ensure_ascii=False)
        (staging / FILE).write_text(content + "\n", encoding="utf-8")
        # First a mark that the directory is ours and its files are not whole yet; what replaces it comes last.
        mark = {"software": SOFTWARE, "format": FORMAT, "unfinished": "files were being written; run the command again"}
        (staging / "mark").write_text(json.dumps(mark) + "\n", encoding="utf-8")
        os.replace(staging / "mark", directory / FILE)
        for name in before.get("files", {}):
            if name in RESULT_FILES and name not in writers:
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
