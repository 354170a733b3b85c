"""Writes the folder of an analysis as a whole, and mends what a kill left."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cej_sim import provenance
from cej_sim.sweeps import figures
from cej_sim.sweeps.analysis import (
    Analysis,
    Study,
    analyze,
    choose_metrics,
    choose_months,
    data_dictionary,
    study_of,
    summarize_probes,
)
from cej_sim.sweeps.page.about import About, about_sweep
from cej_sim.sweeps.page.files import Tables
from cej_sim.sweeps.page.html import html_page
from cej_sim.sweeps.store import Sweep, SweepError, SweepFailure

#: The folder within the directory of a sweep, and its page.
FOLDER, PAGE = "analysis", "report.html"

#: What its provenance says it is.
KIND = "analysis"

# What a killed command may leave: a folder half written, and the one that was about to be replaced.
_LEFT = re.compile(r"[.]cej_sim-([0-9]+)-[0-9a-f]{12}(-before)?")


@dataclass(frozen=True)
class Written:
    """What ``write`` made.

    Attributes:
        directory: The folder.
        found: The numbers.
        about: What was said of them.
    """

    directory: Path
    found: Analysis
    about: About


def write(
    directory: str | os.PathLike[str],
    *,
    metrics: Sequence[str] | None = None,
    months: Sequence[int] | None = None,
    command: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Written:
    """Analyze the sweep in a directory, and write ``analysis/`` into it: tables, pictures, page and provenance.

    Args:
        directory: The sweep.
        metrics, months: What to analyze; see ``analysis.choose_metrics`` and ``analysis.choose_months``.
        command: The command line that asked for it.
        progress: Told what is being done.

    Raises:
        SweepError: If there is no sweep, a metric or month was not kept, or ``analysis`` there is not ours.
        SweepFailure: If the sweep is damaged, or the disk fails.
    """
    directory = Path(directory)
    sweep = Sweep(directory)
    if sweep.shard.of > 1:
        raise SweepError(
            f"{directory} holds shard {sweep.shard} only; put all shards together with `cej-sim merge` first"
        )
    study = study_of(sweep.design, sweep.plan.points)
    try:
        chosen, when_ = choose_metrics(study, metrics), choose_months(study, months)
    except ValueError as error:
        raise SweepError(str(error)) from error
    about = about_sweep(sweep, command)
    with replacing(directory) as staging:
        note = f"{provenance.NOTE}; {about.facts(len(sweep.plan))}"
        with Tables(staging, note) as tables:
            progress("checking the rows")
            sweep.check_content()
            progress("reading the rows")
            columns = list(dict.fromkeys([*(metric.name for metric in chosen), *_alive(study)]))
            found = analyze(
                study,
                sweep.cells,
                sweep.batches(columns, when_),
                metrics=[metric.name for metric in chosen],
                months=when_,
                sink=tables.add,
            )
            summarize_probes(found, sweep.probes())
            for name, table in found.tables.items():
                tables.put(name, table)
            tables.put("data_dictionary", data_dictionary(study, found.columns))
        progress("drawing")
        html = _draw(staging / "figures", found, about, note, bool(metrics))
        (staging / PAGE).write_text(html, encoding="utf-8", newline="\n")
        write_provenance(staging, about, [metric.name for metric in found.metrics], found.months, found.remarks)
    return Written(directory / FOLDER, found, about)


@contextmanager
def replacing(directory: Path) -> Iterator[Path]:
    """An empty folder to write an analysis into; when all is written, it takes the place of the one before.

    Raises:
        SweepError: If ``analysis`` there is not ours.
        SweepFailure: If the disk fails; then what stood there has not changed.
    """
    target = directory / FOLDER
    staging = directory / f"{provenance.STAGING}{os.getpid()}-{uuid.uuid4().hex[:12]}"
    try:
        with provenance.alone(directory):
            _heal(directory, target)
        _check(target)
        staging.mkdir()
        yield staging
        with provenance.alone(directory):
            _heal(directory, target)
            _check(target)
            _refuse_conflicts(staging, target)
            _exchange(staging, target)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SweepFailure(f"{target} cannot be written: {reason}; nothing that stood there has changed") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _alive(study: Study) -> list[str]:
    return ["alive"] if "alive" in study.metrics else []


def _check(target: Path) -> None:
    """Refuse to overwrite what is not an analysis of ours."""
    if not target.exists() or (target.is_dir() and (_is_ours(target) or not any(target.iterdir()))):
        return
    raise SweepError(f"{target} is not an analysis of cej-sim; move it out of the way")


def _exchange(staging: Path, target: Path) -> None:
    """Put a finished folder in the place of the one before, which comes back if that fails.

    Between the two renames nothing stands there; ``_heal`` mends what a kill at that moment leaves.
    """
    before = staging.with_name(f"{staging.name}-before")
    had = target.exists()
    if had:
        os.replace(target, before)
    try:
        os.replace(staging, target)
    except OSError:
        if had:
            os.replace(before, target)
        raise
    _carry_over(before, target)
    shutil.rmtree(before, ignore_errors=True)


def _strange(folder: Path) -> list[Path]:
    """What lies in an analysis that is none of its own files, relative to it; of a strange folder only its name."""
    held = provenance.read(folder) or {}
    ours = {Path(name) for name in held.get("files", {})} | {Path(provenance.FILE)}
    folders = {parent for name in ours for parent in name.parents} | {Path("figures")}

    def within(part: Path) -> Iterator[Path]:
        for entry in sorted((folder / part).iterdir()):
            name = part / entry.name
            if entry.is_dir() and not entry.is_symlink() and name in folders:
                yield from within(name)
            elif name not in ours:
                yield name

    return list(within(Path())) if folder.is_dir() else []


def _refuse_conflicts(staging: Path, target: Path) -> None:
    """Refuse where somebody else's file in the analysis has the name of one of the new files."""
    taken = [name for name in _strange(target) if os.path.lexists(staging / name)]
    if taken:
        raise SweepError(
            f"{target / taken[0]} is not of cej-sim and has the name of a new file; move it out of the way"
        )


def _carry_over(before: Path, target: Path) -> None:
    """Move what is not ours from the analysis before into the new one, where it stood."""
    for name in _strange(before):
        place = target / name
        if not os.path.lexists(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(before / name, place)


def _heal(directory: Path, target: Path) -> None:
    """Put back an analysis that was moved away by a command that was then killed, and remove what it left half done.

    Only whoever holds ``provenance.alone`` of the directory may call this: then nobody else is between two renames.
    """
    left = [(entry, name) for entry in directory.iterdir() if (name := _LEFT.fullmatch(entry.name))]
    left = [(entry, name) for entry, name in left if entry.is_dir() and not entry.is_symlink()]
    moved = [entry for entry, name in left if name[2] and _is_ours(entry)]
    if moved and not target.exists():
        os.replace(max(moved, key=lambda entry: (entry / provenance.FILE).stat().st_mtime), target)
    for entry, name in left:
        # What was moved is needed no more; what is being written belongs to a command that may still run.
        needless = (
            (_is_ours(entry) if name[2] else provenance.is_over(int(name[1]), entry)) if entry.exists() else False
        )
        if needless and name[2]:
            _carry_over(entry, target)
            needless = not any(os.path.lexists(target / one) for one in _strange(entry))
        if needless:
            shutil.rmtree(entry, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    held = provenance.read(folder)
    return held is not None and held.get("kind") == KIND


def write_provenance(
    staging: Path, about: About, metrics: Sequence[str], months: Sequence[int], remarks: Sequence[str]
) -> None:
    """Say beside an analysis what it is of, and list its files with their hashes."""
    files = sorted(path for path in staging.rglob("*") if path.is_file())
    content = {
        "software": provenance.SOFTWARE,
        "format": provenance.FORMAT,
        "kind": KIND,
        "note": provenance.NOTE,
        "version": provenance.version(),
        "commit": provenance.commit(),
        "command": about.command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "sweep": {"title": about.title, "content_hash": about.content_hash, "version": about.version},
        "seed": about.seed,
        "runs": about.runs,
        "metrics": list(metrics),
        "months": list(months),
        "remarks": list(remarks),
        "files": {path.relative_to(staging).as_posix(): _hash(path) for path in files},
    }
    text = json.dumps(content, indent=1, default=str, ensure_ascii=False)
    (staging / provenance.FILE).write_text(text + "\n", encoding="utf-8")


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _draw(folder: Path, found: Analysis, about: About, note: str, asked: bool) -> str:
    """Draw all pictures into a folder; returns the page with them."""
    folder.mkdir()
    wording = figures.Wording(about.title, about.titles, f"Illustration, not prediction.  {_footer(found, about)}.")
    shown: list[tuple[figures.Picture, bytes]] = []
    for picture in figures.pictures(found, wording, asked):
        figure = picture.draw()
        for kind in figures.FORMATS:
            data = figures.save(figure, kind, note)
            (folder / f"{picture.name}.{kind}").write_bytes(data)
            if kind == "png":
                shown.append((picture, data))
    return html_page(found, about, shown)


def _footer(found: Analysis, about: About) -> str:
    return about.facts(len(found.cells))
