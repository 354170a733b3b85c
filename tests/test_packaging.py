"""What is built, installed and cited: the wheel holds the scenarios, versions agree, and nothing needed is left out."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import hatchling.build
import pytest
from ruamel.yaml import YAML
from sharing import once

from cej_sim import reading

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION = PROJECT["project"]["version"]
SCENARIOS = sorted(path.name for path in (ROOT / "scenarios").glob("*.yaml"))
#: Kinds of files of the app beside its modules: scripts, style sheets, words and stories.
APP_FILES = {".js", ".css", ".yaml", ".vue"}
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "cej_sim").rglob("*.py"))

# The argument that early releases of Python 3.11 do not have, and later ones warn without.
SAFELY = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}

LOOK = """
import json, sys
sys.path[:0] = sys.argv[1:]
import cej_sim
from cej_sim.reading import load, shipped
found = {name: [str(path), load(name).hash()] for name, path in shipped().items()}
print(json.dumps([cej_sim.__file__, cej_sim.__version__, found]))
"""


def normal(requirement: str) -> str:
    """The name in a requirement, as package indexes compare names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0]).lower()


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, Path]:
    """Wheel, source archive and editable wheel of the checkout, and a wheel built from the unpacked source archive."""
    folder = once(tmp_path_factory, "built", build)
    return {
        "wheel": one_file(folder, "*.whl"),
        "sdist": one_file(folder, "*.tar.gz"),
        "editable": one_file(folder / "editable", "*.whl"),
        "again": one_file(folder / "again", "*.whl"),
    }


def one_file(folder: Path, pattern: str) -> Path:
    """The only such file in a folder."""
    (found,) = folder.glob(pattern)
    return found


def build(folder: Path) -> None:
    before = Path.cwd()
    try:
        os.chdir(ROOT)
        hatchling.build.build_wheel(str(folder))
        sdist = folder / hatchling.build.build_sdist(str(folder))
        (folder / "editable").mkdir()
        hatchling.build.build_editable(str(folder / "editable"))
        with tarfile.open(sdist) as archive:
            archive.extractall(folder / "unpacked", **SAFELY)
        os.chdir(folder / "unpacked" / f"cej_sim-{VERSION}")
        (folder / "again").mkdir()
        hatchling.build.build_wheel(str(folder / "again"))
    finally:
        os.chdir(before)


def unpacked(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def look_from(places: list[Path], elsewhere: Path) -> tuple[str, str, dict[str, list[str]]]:
    """What the package found in these places says of itself to a fresh process in another directory."""
    command = [sys.executable, "-I", "-c", LOOK, *map(str, places)]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    file, version, found = json.loads(done.stdout)
    return file, version, found


def test_the_wheel_holds_the_package_and_the_scenarios_only(built):
    names = sorted(zipfile.ZipFile(built["wheel"]).namelist())
    plain = [name for name in names if ".dist-info/" not in name]
    files = [*SCENARIOS, "scenario.schema.json"]
    app = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "cej_sim" / "app").rglob("*.*")
        if path.suffix in APP_FILES
    ]
    sets = ["cej_sim/ensemble.csv", "cej_sim/ensemble.json"]
    assert plain == sorted([*MODULES, *sets, *app, *(f"cej_sim/scenarios/{name}" for name in files)])
    assert f"cej_sim-{VERSION}.dist-info/licenses/LICENSE" in names
    with zipfile.ZipFile(built["wheel"]) as archive:
        assert "cej-sim = cej_sim.cli:main" in archive.read(f"cej_sim-{VERSION}.dist-info/entry_points.txt").decode()


def test_the_source_archive_builds_the_same_wheel(built):
    first, again = (zipfile.ZipFile(built[name]) for name in ("wheel", "again"))
    assert sorted(first.namelist()) == sorted(again.namelist())
    for name in first.namelist():
        assert first.read(name) == again.read(name), name


def test_the_source_archive_can_be_tested(built):
    with tarfile.open(built["sdist"]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    wanted = {
        "README.md",
        "LICENSE",
        "CITATION.cff",
        "CHANGELOG.md",
        "constraints.txt",
        "docs/comparison.png",
        ".ci/run",
        "scenarios/scenario.schema.json",
        "scenarios/README.md",
        "scenarios/REFERENCE.md",
        "scenarios/GLOSSARY.md",
    }
    wanted |= {f"scenarios/{name}" for name in SCENARIOS}
    wanted |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")}
    wanted |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.yaml")}
    assert wanted - names == set()
    assert [name for name in names if "__pycache__" in name or name.startswith(("results", ".venv"))] == []


def test_an_installed_wheel_finds_its_own_scenarios(built, tmp_path):
    """By name and from anywhere; the numbers must be those of the checkout's files."""
    place = unpacked(built["wheel"], tmp_path / "site")
    (tmp_path / "elsewhere").mkdir()
    file, version, found = look_from([place], tmp_path / "elsewhere")
    look = f"import sys; sys.path[:0] = [{str(place)!r}]; import cej_sim; print(len(cej_sim.Ensemble.read()))"
    done = subprocess.run([sys.executable, "-I", "-c", look], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 200
    assert Path(file) == place / "cej_sim" / "__init__.py"
    assert version == VERSION
    assert sorted(f"{name}.yaml" for name in found) == SCENARIOS
    for name, (path, hashed) in found.items():
        assert Path(path) == place / "cej_sim" / "scenarios" / f"{name}.yaml"
        assert hashed == reading.load(ROOT / "scenarios" / f"{name}.yaml").hash()


@pytest.mark.slow
def test_a_checkout_finds_the_files_that_people_edit(tmp_path):
    file, _, found = look_from([ROOT], tmp_path)
    assert Path(file) == ROOT / "cej_sim" / "__init__.py"
    assert {path for path, _ in found.values()} == {str(ROOT / "scenarios" / name) for name in SCENARIOS}


def test_an_editable_install_leads_to_the_checkout(built, tmp_path):
    """The folder it installs into stands on the path before the folders that its .pth files name."""
    place = unpacked(built["editable"], tmp_path / "site")
    (pth,) = place.glob("*.pth")
    (named,) = pth.read_text(encoding="utf-8").splitlines()
    assert Path(named) == ROOT
    file, _, found = look_from([place, Path(named)], tmp_path)
    assert Path(file) == ROOT / "cej_sim" / "__init__.py"
    assert {path for path, _ in found.values()} == {str(ROOT / "scenarios" / name) for name in SCENARIOS}


def imported(folder: str) -> set[str]:
    """Names of the distributions outside the standard library that the Python files of a folder import."""
    own = {"cej_sim", *(path.stem for path in (ROOT / folder).rglob("*.py"))}
    modules = set()
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules.add(node.module.split(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.importorskip":
                modules.add(ast.literal_eval(node.args[0]).split(".")[0])
    outside = modules - own - set(sys.stdlib_module_names)
    known = importlib.metadata.packages_distributions()
    return {normal("ruamel.yaml" if name == "ruamel" else known[name][0]) for name in outside}


@pytest.mark.slow
def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    needed = {normal(line) for line in PROJECT["project"]["dependencies"]}
    extras = {
        name: {normal(line) for line in lines} - {"cej-sim"}
        for name, lines in PROJECT["project"]["optional-dependencies"].items()
    }
    optional = extras["sweep"] | extras["cluster"] | extras["app"]
    # Other packages load these for the app: its server, its front-end files, what its page is made of, its websocket.
    unseen = {"solara", "solara-assets", "ipyvuetify", "websockets"}
    assert unseen <= extras["app"]
    assert imported("cej_sim") == needed | optional - unseen
    assert imported("tests") - needed <= extras["test"] | optional
    # The one is an option in this file, the other an example in the README.
    assert extras["test"] - imported("tests") == {"pytest-xdist", "duckdb"}


def test_every_pin_is_plain_and_everything_declared_is_pinned():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []
    extras = PROJECT["project"]["optional-dependencies"]
    declared = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["build-system"]["requires"],
        *(line for lines in extras.values() for line in lines),
    ]
    assert {normal(line) for line in declared} - {"cej-sim"} <= {normal(line) for line in pins}


def test_versions_agree():
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == VERSION
    assert citation["license"] == PROJECT["project"]["license"]
    changes = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert changes[0] == VERSION


def test_supported_pythons_agree():
    named = re.findall(
        r"3\.\d+", (ROOT / "README.md").read_text(encoding="utf-8").split("You need Python")[1].split(".\n")[0]
    )
    classified = [line.rsplit(" ", 1)[1] for line in PROJECT["project"]["classifiers"] if ":: 3." in line]
    assert named[:3] == classified == ["3.11", "3.12", "3.13"]
    assert PROJECT["project"]["requires-python"] == ">=3.11,<3.14"
