"""One zip file for a model archive: ``python -m cej_sim.archive cej_sim-model.zip``.

It holds the checkout as it stands (source, tests, documentation with the ODD protocol, scenarios, experiments), the
results named by ``--results``, where all of it comes from, the versions it ran with, and a checksum for every file.
The same files give the same bytes: names are sorted, times fixed, and the moment of writing is left out. Only what
version control knows is packed; where there is none, what the source archive would hold.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from cej_sim import bundle, compiled, provenance
from cej_sim.nodes import plain
from cej_sim.reading import load

#: The checkout that this file belongs to.
ROOT = Path(__file__).resolve().parent.parent

#: Names of the files that stand beside the packed ones.
SUMS, ENVIRONMENT, READ_ME, RESULTS = "SHA256SUMS", "environment.txt", "ARCHIVE.txt", "results"

#: What a checkout holds that is no part of the model, where no version control tells.
_LEFT_OUT = re.compile(r"(^|/)(__pycache__|\.[a-z_]+_cache|\.hypothesis|\.venv|results|build|dist)(/|$)|\.egg-info")

_MOST = 100_000_000


class ArchiveError(ValueError):
    """An archive cannot be made; the message says why and what to do, on one line."""

    def __init__(self, text: str) -> None:
        """Keep it on one line, whatever the names of files hold."""
        super().__init__(plain(text))


def checkout_files(root: Path = ROOT) -> list[str]:
    """The files of a checkout, relative to it, sorted.

    Raises:
        ArchiveError: If there is no checkout.
    """
    if not (root / "pyproject.toml").is_file():
        raise ArchiveError("the installed package alone cannot be archived: run this in a checkout of the source")
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-z", "--cached"]
        try:
            done = subprocess.run(command, capture_output=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise ArchiveError(f"git cannot list the files of {root}: {error}") from error
        names = done.stdout.decode("utf-8", "surrogateescape").split("\0")
        return sorted(name for name in names if name and (root / name).is_file())
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    found = ["README.md", "LICENSE", "pyproject.toml"]
    for name in included:
        place = root / name.strip("/")
        inside = sorted(place.rglob("*")) if place.is_dir() else [place]
        found += [one.relative_to(root).as_posix() for one in inside if one.is_file()]
    return sorted({name for name in found if not _LEFT_OUT.search(name)})


def environment() -> str:
    """The versions of Python and of every installed distribution that the package needs, directly or not."""
    found: dict[str, str] = {}
    waiting = ["cej-sim"]
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # an extra that is not installed
        found[key] = distribution.version
        for line in distribution.requires or []:
            requirement, _, marker = line.partition(";")
            if "extra" not in marker or key == "cej-sim":
                waiting.append(re.split(r"[\s\[<>=!~(]", requirement.strip(), maxsplit=1)[0])
    lines = [f"# Python {platform.python_version()}, {platform.system()} {platform.machine()}"]
    return "".join(f"{line}\n" for line in [*lines, *(f"{name}=={found[name]}" for name in sorted(found))])


def said(root: Path = ROOT) -> dict[str, Any]:
    """Where the model comes from: version, commit, hash of the engine, and the hash of every shipped scenario."""
    return {
        "software": provenance.SOFTWARE,
        "format": provenance.FORMAT,
        "kind": "archive",
        "note": provenance.NOTE,
        "version": provenance.version(),
        "commit": provenance.commit(root),
        "engine": compiled.source_hash(),
        "scenarios": {path.stem: load(path).hash() for path in sorted((root / "scenarios").glob("*.yaml"))},
    }


def results_in(directory: Path) -> dict[str, bytes]:
    """The files of a directory of results, by their names in the archive.

    Raises:
        ArchiveError: If it holds no results of ours.
    """
    if provenance.read(directory) is None:
        raise ArchiveError(f"--results: {directory} holds no results of cej-sim; name a directory that a command wrote")
    name = directory.resolve().name
    files = sorted(path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    return {f"{RESULTS}/{name}/{path.relative_to(directory).as_posix()}": path.read_bytes() for path in files}


def is_archive(path: Path) -> bool:
    """Whether a file is an archive that this program has written."""
    try:
        with zipfile.ZipFile(path) as file:
            (name,) = [one for one in file.namelist() if one.count("/") == 1 and one.endswith(f"/{provenance.FILE}")]
            with file.open(name) as stream:
                return (provenance.ours(stream.read(_MOST)) or {}).get("kind") == "archive"
    except Exception:  # whatever a damaged file brings about, it is no archive
        return False


def write(path: Path, results: Sequence[Path] = (), root: Path = ROOT) -> Path:
    """Write an archive.

    Args:
        path: Where to; its name ends in .zip. A file that is there is replaced only if it is an archive of ours.
        results: Directories of results to put in.
        root: The checkout.

    Raises:
        ArchiveError: If it cannot be written, or something that was named is not what it should be.
    """
    if path.suffix.lower() != ".zip":
        raise ArchiveError(f"{path} does not end in .zip; write a name such as cej_sim-model.zip")
    if os.path.lexists(path) and not (path.is_file() and is_archive(path)):
        raise ArchiveError(f"{path} is there already and is no archive of cej-sim; write another name, or move it")
    if not path.parent.is_dir():
        raise ArchiveError(f"{path} cannot be written: there is no folder {path.parent}; make it first")
    try:
        names = checkout_files(root)
        content = {name: (root / name).read_bytes() for name in names}
        executable = {name for name in names if os.access(root / name, os.X_OK)}
        for directory in results:
            more = results_in(directory)
            if not content.keys().isdisjoint(more):
                raise ArchiveError(f"--results: {directory}: another directory of that name is named too; rename one")
            content |= more
        content[provenance.FILE] = f"{json.dumps(said(root), indent=1, ensure_ascii=False)}\n".encode()
        content[ENVIRONMENT] = environment().encode()
        content[READ_ME] = _read_me(bool(results)).encode()
        sums = "".join(f"{hashlib.sha256(content[name]).hexdigest()}  {name}\n" for name in sorted(content))
        content[SUMS] = sums.encode("utf-8", "surrogateescape")
        top = f"cej_sim-{provenance.version()}"
        placed = {f"{top}/{name}": data for name, data in content.items()}
        bundle.pack(path, placed, {f"{top}/{name}" for name in executable})
    except OSError as error:
        raise ArchiveError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from error
    return path


def _read_me(with_results: bool) -> str:
    """What is inside, by what it is for."""
    inside = [
        ("Documentation", "docs/ (begin with docs/README.md; the ODD protocol is docs/ODD.md), README.md"),
        ("Code", "cej_sim/, tests/, pyproject.toml, constraints.txt, .ci/"),
        ("Input data", "scenarios/ (scenario files and their reference), experiments/ (designs of studies)"),
        ("Results", f"{RESULTS}/, each with its provenance.json" if with_results else "none packed"),
        ("Provenance", f"{provenance.FILE} (version, commit, hashes of the engine and of every scenario)"),
        ("Environment", f"{ENVIRONMENT} (versions this archive was made with), constraints.txt (versions tested)"),
        ("Citing, license", "CITATION.cff, LICENSE"),
    ]
    listed = "".join(f"  {what:<16} {where}\n" for what, where in inside)
    return (
        "cej_sim: how power moves in community coalitions. Illustration, not prediction.\n\n"
        f"What is inside\n{listed}\n"
        "Is everything as it was packed?\n"
        f"  sha256sum --check {SUMS}\n\n"
        "How to run it\n"
        "  python3 -m venv .venv && . .venv/bin/activate && pip install . && cej-sim compare\n"
    )


def main(arguments: Sequence[str]) -> int:
    """Write an archive as a command line asks; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cej_sim.archive", description="Pack the model for an archive.")
    parser.add_argument("file", metavar="FILE.zip", help="the archive to write")
    parser.add_argument("--results", metavar="DIR", action="append", default=[], help="results to put in; repeatable")
    asked = parser.parse_args(arguments)
    try:
        written = write(Path(asked.file), [Path(name) for name in asked.results])
    except ArchiveError as error:
        print(str(error), file=sys.stderr)
        return 2
    print(f"{plain(str(written))}: {written.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
