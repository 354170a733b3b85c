"""One zip file for handing in: scenario files, their differences, predictions, all results and the picture.

The same files, command and seed give the same bytes: names are sorted, times fixed, and the moment of writing is
left out. An existing file is replaced only if it is a bundle of ours.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cej_sim import provenance
from cej_sim.explaining import render_differences
from cej_sim.nodes import ListNode, MapNode, Node, ScalarNode, parse, text_of
from cej_sim.reading import locate, shipped
from cej_sim.scenario import Scenario

#: Where the results lie in a bundle, and the scenario files as they were used.
RESULTS, FILES, SHIPPED = "results", "scenarios", "shipped"

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold


class BundleError(ValueError):
    """A bundle cannot be made; each line of the message says why and what to do."""


def check_bundle(path: Path) -> None:
    """Find out, without leaving a trace, whether a bundle may and can be written.

    Raises:
        BundleError: If the name does not end in .zip, something that is not ours stands there, or the folder is
            missing or cannot be written.
    """
    if path.suffix.lower() != ".zip":
        raise BundleError(f"{path} does not end in .zip; write a name such as homework.zip")
    if path.is_dir():
        raise BundleError(f"{path} is a directory; write the name of a file, such as homework.zip")
    if path.exists() and not is_bundle(path):
        raise BundleError(f"{path} is there already and is not a bundle of cej-sim; write another name, or move it")
    if not path.parent.is_dir():
        raise BundleError(f"{path} cannot be written: there is no folder {path.parent}; make it, or write another name")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BundleError(f"{path} cannot be written: {reason}; write another name") from error


def is_bundle(path: Path) -> bool:
    """Whether a file is a bundle that this program has written."""
    try:
        with zipfile.ZipFile(path) as archive:
            content = json.loads(archive.read(f"{RESULTS}/{provenance.FILE}"))
    except (OSError, ValueError, KeyError, NotImplementedError, RuntimeError, zipfile.BadZipFile):
        return False
    return isinstance(content, dict) and content.get("software") == provenance.SOFTWARE


def _scalars(node: Node | None, path: str) -> Iterator[str]:
    """The texts at a dotted path below a node; ``*`` stands for every item of a list."""
    first, _, rest = path.partition(".")
    if isinstance(node, ScalarNode) and not path:
        yield node.text.strip()
    elif isinstance(node, ListNode) and first == "*":
        for item in node.items:
            yield from _scalars(item, rest)
    elif isinstance(node, MapNode) and path:
        for key, value in node.items:
            if key.text == first:
                yield from _scalars(value, rest)


def gather(paths: Sequence[Path]) -> tuple[dict[Path, bytes], dict[str, bytes]]:
    """The files that scenarios need: their own, those they extend or predict against, and networks.

    Args:
        paths: The scenario files.

    Returns:
        Absolute path -> content, and name -> content of the shipped scenarios among them.

    Raises:
        BundleError: With a line for each file that is named by an absolute path, which no other computer has.
    """
    known = {os.path.realpath(path): name for name, path in shipped().items()}
    files: dict[Path, bytes] = {}
    from_us: dict[str, bytes] = {}
    problems = []
    waiting = [Path(os.path.abspath(path)) for path in paths]
    while waiting:
        path = waiting.pop()
        name = known.get(os.path.realpath(path))
        if path in files or name in from_us:
            continue
        content = path.read_bytes()
        if name is None:
            files[path] = content
        else:
            from_us[name] = content
        root = parse(text_of(path, path.name), path.name)
        for key in ("extends", "expect.*.against", "network.file", "network.nodes"):
            for text in _scalars(root, key):
                is_network = key.startswith("network.")
                if text in known.values() and not is_network:
                    waiting.append(shipped()[text])
                    continue
                if os.path.isabs(text):
                    problems.append(f"{path.name}: {key.replace('.*', '')}: {text} is an absolute path, which only "
                                    "this computer has; write it relative to the file")  # fmt: skip
                    continue
                found = Path(os.path.abspath(path.parent / text if is_network else locate(text, path.parent)))
                if is_network:
                    files.setdefault(found, found.read_bytes())
                else:
                    waiting.append(found)
    if problems:
        raise BundleError("\n".join(dict.fromkeys(problems)))
    return files, from_us


def places(files: Sequence[Path]) -> dict[Path, str]:
    """Where each file lies in a bundle: as on the disk, seen from the innermost folder that holds them all."""
    if not files:
        return {}
    try:
        top = Path(os.path.commonpath([path.parent for path in files]))
    except ValueError:
        raise BundleError("the scenario files lie on different drives; put them into one folder") from None
    return {path: f"{FILES}/{path.relative_to(top).as_posix()}" for path in files}


def differences(scenarios: Mapping[str, Scenario]) -> str:
    """The rules in which the first scenario differs from each of the others, as text of 100 columns."""
    from rich.console import Console

    stream = io.StringIO()
    console = Console(file=stream, width=100, color_system=None)
    first, *others = scenarios.values()
    for other in others:
        console.print(render_differences(first, other))
        console.print()
    return "".join(f"{line.rstrip()}\n" for line in stream.getvalue().splitlines())


def write(
    path: Path,
    scenarios: Mapping[str, Scenario],
    results: Sequence[Path],
    said: Mapping[str, Any],
    gathered: tuple[Mapping[Path, bytes], Mapping[str, bytes]],
    options: str,
    extra: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a bundle under a temporary name, and rename it.

    Args:
        path: Where to; see ``check_bundle``.
        scenarios: The scenarios in the order of the command, by the names in the tables.
        results: The result's files; all lie in one directory.
        said: The result's provenance.
        gathered: What ``gather`` returned before the runs.
        options: The options of the command line that computes the same again.
        extra: Further files for the top of the bundle: name -> content.

    Raises:
        BundleError: As ``check_bundle``, and if the disk fails while writing.
    """
    check_bundle(path)
    files, from_us = gathered
    inside = places(sorted(files))
    ours = {os.path.realpath(place): name for name, place in shipped().items()}
    names = []
    for scenario in scenarios.values():
        if scenario.path is None:
            raise BundleError(f"{scenario.name} has no file to put into a bundle; load it from one")
        plain = ours.get(os.path.realpath(scenario.path))
        names.append(plain or inside[Path(os.path.abspath(scenario.path))])
    content: dict[str, bytes] = {inside[file]: data for file, data in files.items()}
    content |= {f"{SHIPPED}/{name}.yaml": data for name, data in from_us.items()}
    content |= extra or {}
    content["differences.txt"] = differences(scenarios).encode()
    content["README.txt"] = _readme(names, said, options, bool(files), bool(from_us), results).encode()
    try:
        for file in results:
            content[f"{RESULTS}/{file.name}"] = _timeless(file) if file.name == provenance.FILE else file.read_bytes()
        handle, temporary = tempfile.mkstemp(prefix=".cej_sim-", suffix=".zip", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream, zipfile.ZipFile(stream, "w") as archive:
                for name in sorted(content):
                    info = zipfile.ZipInfo(name, _TIME)
                    info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
                    archive.writestr(info, content[name])
            os.chmod(temporary, 0o666 & ~_mask())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BundleError(f"{path} cannot be written: {reason}") from error
    return path


def _mask() -> int:
    """The bits that new files do without."""
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


def _timeless(file: Path) -> bytes:
    """A provenance without the moment in which it was written."""
    said = json.loads(file.read_text(encoding="utf-8"))
    said.pop("created", None)
    return (json.dumps(said, indent=1, ensure_ascii=False) + "\n").encode()


def _readme(
    names: Sequence[str],
    said: Mapping[str, Any],
    options: str,
    own: bool,
    from_us: bool,
    results: Sequence[Path],
) -> str:
    """What is inside, and how to get the numbers again."""
    versions = ", ".join(f"{name} {number}" for name, number in said["versions"].items())
    predictions = "predictions.csv" in {file.name for file in results}
    inside = [
        (f"{FILES}/", "the scenario files as used, with those they extend and the networks they import", own),
        (f"{SHIPPED}/", "scenarios that come with cej-sim, to be read; commands find them by name", from_us),
        ("labels.yaml", "words that were shown instead of the usual ones", "labels.yaml" in options),
        ("differences.txt", "the rules that differ, by principle, with the reasons given", True),
        (f"{RESULTS}/report.html", "begin here: one page with everything", True),
        (f"{RESULTS}/comparison.png", "the picture", True),
        (f"{RESULTS}/predictions.csv", "what was expected, and what came out", predictions),
        (f"{RESULTS}/", "tables, the dated log, and provenance.json with all details", True),
    ]
    listed = "".join(f"  {name:<26} {what}\n" for name, what, there in inside if there)
    return (
        "A comparison made with cej-sim: illustration, not prediction.\n\n"
        f"What is inside\n{listed}\n"
        f"How it was made\n  {said['command']}\n"
        f"  {said['runs']} runs of {said['months']} months each, seed {said['seed']}\n"
        f"  {versions}\n\n"
        "How to get the same numbers again, in the folder into which this was unpacked\n"
        f"  cej-sim compare {' '.join(names)} {options}\n"
    )
