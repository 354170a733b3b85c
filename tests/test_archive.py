"""The zip file for a model archive: whole, checked, and the same bytes every time."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from pictures import leave_empty

import cej_sim as cej
from cej_sim import archive, provenance
from cej_sim.reading import load
from cej_sim.scenario import Scenario, defaults

ROOT = Path(__file__).resolve().parent.parent
TOP = f"cej_sim-{provenance.version()}"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of results."""
    small = Scenario("small", {**defaults(), "community.residents": 20}, months=6)
    out = tmp_path_factory.mktemp("made") / "few months"
    with pytest.MonkeyPatch.context() as monkeypatch:
        leave_empty(monkeypatch)
        cej.simulate(small, runs=1, months=2).save(out)
    return out


@pytest.fixture(scope="module")
def packed(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive.write(tmp_path_factory.mktemp("packed") / "model.zip", [results])


def content(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name.removeprefix(f"{TOP}/"): file.read(name) for name in file.namelist()}


def test_what_is_packed(packed: Path, results: Path) -> None:
    inside = content(packed)
    assert {
        "README.md", "LICENSE", "CITATION.cff", "pyproject.toml", "constraints.txt", "docs/ODD.md",
        "docs/comparison.png", "scenarios/community_led.yaml", "experiments/README.md", "cej_sim/month.py",
        "tests/oracle.py", ".ci/run", "SHA256SUMS", "environment.txt", "ARCHIVE.txt", "provenance.json",
    } <= set(inside)  # fmt: skip
    assert {f"results/few months/{path.name}" for path in results.iterdir()} <= set(inside)
    assert not [name for name in inside if "__pycache__" in name or name.startswith(".git/")]
    assert inside["cej_sim/month.py"] == (ROOT / "cej_sim" / "month.py").read_bytes()
    with zipfile.ZipFile(packed) as file:
        assert file.getinfo(f"{TOP}/.ci/run").external_attr >> 16 & 0o111 == (
            0o111 if (ROOT / ".ci" / "run").stat().st_mode & 0o100 else 0
        )


def test_every_file_has_its_checksum(packed: Path) -> None:
    inside = content(packed)
    sums = dict(reversed(line.split("  ", 1)) for line in inside.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in inside.items()}


def test_where_it_comes_from(packed: Path) -> None:
    said = json.loads(content(packed)["provenance.json"])
    assert said["note"] == "illustration, not prediction"
    assert said["version"] == provenance.version()
    assert said["scenarios"]["community_led"] == load("community_led").hash()
    versions = content(packed)["environment.txt"].decode().splitlines()
    assert versions[0].startswith("# Python 3.")
    assert {line.split("==")[0] for line in versions[1:]} >= {"mesa", "numpy", "numba", "pandas", "cej-sim"}
    assert str(ROOT) not in content(packed)["provenance.json"].decode()


def test_the_same_bytes_twice(packed: Path, results: Path, tmp_path: Path) -> None:
    again = archive.write(tmp_path / "again.zip", [results])
    assert again.read_bytes() == packed.read_bytes()
    assert archive.write(again, [results]) == again  # one of ours is replaced
    assert archive.is_archive(again)


def test_an_unpacked_archive_can_be_packed_and_used(packed: Path, tmp_path: Path) -> None:
    """Without version control the same files are found, but for those that only serve it and the archive's own."""
    with zipfile.ZipFile(packed) as file:
        file.extractall(tmp_path)
    there = tmp_path / TOP
    shutil.rmtree(there / "results")
    own = {"SHA256SUMS", "environment.txt", "ARCHIVE.txt", "provenance.json"}
    names = {name for name in content(packed) if not name.startswith("results/")} - own
    assert names - set(archive.checkout_files(there)) == {
        name for name in (".gitignore", ".pre-commit-config.yaml") if name in names
    }
    assert set(archive.checkout_files(there)) <= names
    done = subprocess.run(
        [sys.executable, "-c", "import cej_sim; print(cej_sim.load('hybrid').name)"],
        cwd=there, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(there), "PATH": ""},
    )  # fmt: skip
    assert done.stdout.strip() == "hybrid"


def test_wrong_requests_get_one_line(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign = tmp_path / "thesis.zip"
    foreign.write_bytes(b"keep")
    (tmp_path / "few months").mkdir()
    shutil.copy(results / "provenance.json", tmp_path / "few months")
    for arguments, said in (
        (["model.tar"], "does not end in .zip"),
        ([str(foreign)], "no archive of cej-sim"),
        ([str(tmp_path / "missing" / "a.zip")], "there is no folder"),
        ([str(tmp_path / "a.zip"), "--results", str(tmp_path)], "holds no results"),
        ([str(tmp_path / "a.zip"), "--results", str(results), "--results", str(tmp_path / "few months")], "rename one"),
    ):
        assert archive.main(arguments) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert said in lines[0]
    assert foreign.read_bytes() == b"keep"
    assert not (tmp_path / "a.zip").exists()


def test_an_installed_package_is_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(archive.ArchiveError, match="run this in a checkout"):
        archive.checkout_files(tmp_path)
