"""One zip file for handing in: scenario files, their differences, predictions, all results and the picture.

Only what was read as a scenario, a network or labels, without a mistake, is packed, and files of results. The same
files, command and seed give the same bytes: names are sorted, times fixed, and the moment of writing is left out. No
folder of the computer is named beyond those that the files need to find each other. An existing file is replaced only
if it is a bundle of ours.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shlex
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cej_sim import provenance
from cej_sim.explaining import render_differences
from cej_sim.nodes import UNSEEN, ListNode, MapNode, Node, ScalarNode, parse, plain
from cej_sim.reading import display, locate, read, shipped
from cej_sim.scenario import Scenario

#: Where the results lie in a bundle, and the scenario files as they were used.
RESULTS, FILES, SHIPPED = "results", "scenarios", "shipped"

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold


#: How many folders up another file may lie: their names, below the topmost, show in the bundle.
UP = 2

#: The largest provenance that is looked for in a bundle, bytes.
_MOST = 100_000_000


class BundleError(ValueError):
    """A bundle cannot be made; each line of the message says why and what to do.

    Attributes:
        lines: The lines.
    """

    def __init__(self, *lines: str) -> None:
        """Keep each on its line, whatever the names of files hold."""
        self.lines = tuple(map(plain, lines))
        super().__init__("\n".join(self.lines))


class Gathered(NamedTuple):
    """The files that scenarios need.

    Attributes:
        files: Absolute path -> content.
        shipped: Name -> content of the shipped scenarios among them.
        together: Sets of files that find each other by relative paths.
    """

    files: dict[Path, bytes]
    shipped: dict[str, bytes]
    together: list[set[Path]]


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
    if os.path.lexists(path) and not (path.is_file() and is_bundle(path)):
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
        with zipfile.ZipFile(path) as archive, archive.open(f"{RESULTS}/{provenance.FILE}") as file:
            return provenance.ours(file.read(_MOST)) is not None
    except Exception:  # whatever a damaged file brings about, it is no bundle
        return False


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


def gather(paths: Sequence[Path]) -> Gathered:
    """The files that scenarios need: their own, those they extend or predict against, and networks.

    Each is read as what it is named as, like the scenarios themselves, before it is packed.

    Args:
        paths: The scenario files.

    Raises:
        BundleError: With a line for each mistake in one of the files, and for each that is named by an absolute path,
            which no other computer has, or lies far up.
    """
    known = {os.path.realpath(path): name for name, path in shipped().items()}
    found = Gathered({}, {}, [])
    problems: list[str] = []
    waiting = [(Path(os.path.abspath(path)), known.get(os.path.realpath(path))) for path in paths]
    while waiting:
        path, name = waiting.pop()  # the file, and the name by which it is found where it is a shipped one
        if path in found.files or name in found.shipped:
            continue
        reading = read(Path(display(path)))
        if reading.problems:
            problems += map(str, reading.problems)
            continue
        content = path.read_bytes()
        if name is None:
            found.files[path] = content
            _join(found.together, path)
        else:
            found.shipped[name] = content
        root = parse(content.decode("utf-8-sig"), path.name)
        for key in ("extends", "expect.*.against", "network.file", "network.nodes"):
            for text in _scalars(root, key):
                is_network = key.startswith("network.")
                if text in known.values() and not is_network:
                    waiting.append((shipped()[text], text))
                    continue
                where = f"{path.name}: {key.replace('.*', '')}: {text}"
                other = Path(os.path.abspath(path.parent / text if is_network else locate(text, path.parent)))
                if os.path.isabs(text):
                    problems.append(f"{where} is an absolute path, which only this computer has; write it relative to "
                                    "the file")  # fmt: skip
                elif Path(os.path.relpath(other, path.parent)).parts[UP : UP + 1] == ("..",):
                    problems.append(f"{where} lies more than {UP} folders up, and folders between would show; copy "
                                    "the file nearer")  # fmt: skip
                elif is_network:
                    _join(found.together, path, other)
                    found.files.setdefault(other, other.read_bytes())
                else:
                    _join(found.together, path, other)
                    waiting.append((other, None))
    if problems:
        raise BundleError(*dict.fromkeys(problems))
    return found


def _join(together: list[set[Path]], *paths: Path) -> None:
    """Note that files find each other."""
    apart = [group for group in together if group.isdisjoint(paths)]
    joined = set(paths).union(*(group for group in together if not group.isdisjoint(paths)))
    together[:] = [*apart, joined]


def places(gathered: Gathered) -> dict[Path, str]:
    """Where each file lies in a bundle: as on the disk, seen from the innermost folder of those that it needs.

    Files that do not need each other lie in one folder all the same, as long as their names differ.

    Raises:
        BundleError: If files lie on different drives, or have names that cannot be shown.
    """
    inside: dict[Path, str] = {}
    taken: set[str] = set()
    groups = [sorted(group & gathered.files.keys()) for group in gathered.together]
    for group in sorted(filter(None, groups)):
        try:
            top = Path(os.path.commonpath([path.parent for path in group]))
        except ValueError:
            raise BundleError("the scenario files lie on different drives; put them into one folder") from None
        names = [path.relative_to(top).as_posix() for path in group]
        odd = [name for name in names if UNSEEN.search(name)]
        if odd:
            raise BundleError(f"{odd[0]}: the name holds signs that do not show; rename the file")
        number, folder = 1, FILES
        while not taken.isdisjoint(f"{folder}/{name}".casefold() for name in names):
            number += 1
            folder = f"{FILES}/{number}"
        taken |= {f"{folder}/{name}".casefold() for name in names}
        inside |= {path: f"{folder}/{name}" for path, name in zip(group, names, strict=True)}
    return inside


def command(scenarios: Iterable[Scenario], gathered: Gathered, options: Sequence[str]) -> str:
    """The command line that computes the same again where a bundle was unpacked.

    Raises:
        BundleError: If a scenario has no file, and as ``places``.
    """
    inside = places(gathered)
    ours = {os.path.realpath(place): name for name, place in shipped().items()}
    names = []
    for scenario in scenarios:
        if scenario.path is None:
            raise BundleError(f"{scenario.name} has no file to put into a bundle; load it from one")
        names.append(ours.get(os.path.realpath(scenario.path)) or inside[Path(os.path.abspath(scenario.path))])
    return shlex.join(["cej-sim", "compare", *names, *options])


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
    gathered: Gathered,
    extra: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a bundle under a temporary name, and rename it.

    Args:
        path: Where to; see ``check_bundle``.
        scenarios: The scenarios in the order of the command, by the names in the tables.
        results: The result's files; all lie in one directory.
        said: The result's provenance, with the command as ``command`` gives it.
        gathered: What ``gather`` returned before the runs.
        extra: Further files: name in the bundle -> content; they take the place of the results of the same name.

    Raises:
        BundleError: As ``check_bundle``, and if the disk fails while writing.
    """
    check_bundle(path)
    inside = places(gathered)
    content: dict[str, bytes] = {inside[file]: data for file, data in gathered.files.items()}
    content |= {f"{SHIPPED}/{name}.yaml": data for name, data in gathered.shipped.items()}
    content["differences.txt"] = differences(scenarios).encode()
    try:
        for file in results:
            if file.name != provenance.FILE:
                content[f"{RESULTS}/{file.name}"] = file.read_bytes()
        content |= extra or {}
        content[f"{RESULTS}/{provenance.FILE}"] = _timeless(said, content)
        content["README.txt"] = _readme(said, set(content)).encode("utf-8", "backslashreplace")
        provenance.remove_left_behind(path.parent)
        mine = f"{provenance.STAGING}{os.getpid()}-"
        handle, temporary = tempfile.mkstemp(prefix=mine, suffix=".zip", dir=path.parent)
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


def _timeless(said: Mapping[str, Any], content: Mapping[str, bytes]) -> bytes:
    """A provenance for the results in a bundle, without the moment in which it was written."""
    results = sorted(name for name in content if name.startswith(f"{RESULTS}/"))
    files = {name.removeprefix(f"{RESULTS}/"): hashlib.sha256(content[name]).hexdigest() for name in results}
    kept = {key: value for key, value in said.items() if key != "created"}
    text = json.dumps({**kept, "files": files}, indent=1, default=str, ensure_ascii=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")


def _readme(said: Mapping[str, Any], names: set[str]) -> str:
    """What is inside, and how to get the numbers again."""
    versions = ", ".join(f"{name} {number}" for name, number in said["versions"].items())
    inside = [
        (f"{FILES}/", "the scenario files as used, with those they extend and the networks they import"),
        (f"{SHIPPED}/", "scenarios that come with cej-sim, to be read; commands find them by name"),
        ("labels.yaml", "words that were shown instead of the usual ones"),
        ("ensemble.csv", "the parameter sets that the runs went through"),
        ("differences.txt", "the rules that differ, by principle, with the reasons given"),
        (f"{RESULTS}/report.html", "begin here: one page with everything"),
        (f"{RESULTS}/comparison.png", "the picture"),
        (f"{RESULTS}/predictions.csv", "what was expected, and what came out"),
        (f"{RESULTS}/", "tables, the dated log, and provenance.json with all details"),
    ]
    listed = "".join(f"  {name:<26} {what}\n" for name, what in inside if any(one.startswith(name) for one in names))
    return (
        "A comparison made with cej-sim: illustration, not prediction.\n\n"
        f"What is inside\n{listed}\n"
        f"How it was made\n  {said['runs']} runs of {said['months']} months each, seed {said['seed']}\n"
        f"  {versions}\n\n"
        "How to get the same numbers again, in the folder into which this was unpacked\n"
        f"  {said['command']}\n"
    )
