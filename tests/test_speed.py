"""Promises that make the engine fast and light, as far as no clock is needed to keep them."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from worlds import key_of, plain

from cej_sim import compiled, draws
from cej_sim.draws import fill, uniform, uniforms
from cej_sim.population import populate
from cej_sim.processor import EIGHT
from cej_sim.reading import load
from cej_sim.runs import simulate
from cej_sim.scenario import Issue
from cej_sim.state import State

PACKAGE = Path(compiled.__file__).parent


def fresh(code: str, *, package: Path = PACKAGE, **variables: object) -> str:
    """What a fresh process prints that runs some code with a package and these environment variables."""
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    environment["PYTHONPATH"] = os.pathsep.join([str(package.parent), *sys.path])
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# Random numbers made several at a time


@pytest.mark.parametrize("number", [0, 1, 3, 4, 17, 64, 1001])
def test_numbers_made_together_are_those_made_one_by_one(number):
    """Also where the count is no multiple of what the processor makes at a time, and at the ends of what is allowed."""
    rng = np.random.default_rng(number)
    who = rng.integers(0, 2**32, number, dtype=np.uint32)
    who[:1], who[-1:] = 0, 2**32 - 1
    for key in (0, 1, 2**64 - 1, int(rng.integers(2**63))):
        for month, stream in ((0, 1), (7, draws.SERVICE), (2**32 - 1, draws.RUNS)):
            out = np.full(number + 2, -1.0)
            fill(np.uint64(key), who, month, stream, out[:number])
            alone = [uniform(np.uint64(key), int(one), month, stream) for one in who]
            assert out[:number].tolist() == alone == uniforms(np.uint64(key), who, month, stream).tolist()
            assert out[number:].tolist() == [-1.0, -1.0]


# Memory


def community(issues: int, residents: int, institutions: int) -> State:
    """The start of a community by the defaults."""
    values = {"community.residents": residents, "community.institutions": institutions}
    named = tuple(Issue(f"issue {number}", 0.5, 1.0, 0.01) for number in range(issues))
    return populate(plain(values, issues=named), int(key_of(1)))


def bytes_of(state: State) -> tuple[int, int, int]:
    """Bytes that grow with the agents, with the stored directions of ties, and the rest; shared memory counts once."""
    agents, ties, seated = state.kind.size, state.indices.size, state.table_agents.size
    lent = {"score", "pool", "luck", "weight", "weight_budget", "rules_flat"}
    assert all(np.shares_memory(getattr(state, name), state.said) for name in lent - {"rules_flat"})
    assert np.shares_memory(state.rules_flat, state.rules)
    found = [0, 0, 0]
    for name, array in state._asdict().items():
        rows = array.shape[0]
        kind = 0 if rows in (agents, agents + 1, seated) else 1 if rows == ties else 2
        found[kind] += 0 if name in lent else array.nbytes
    return found[0], found[1], found[2]


@pytest.mark.parametrize("issues", [1, 3, 6])
def test_memory_of_an_agent_and_of_a_tie(issues):
    """300 + 60 K bytes an agent and 16 a stored direction of a tie, as both are in a generated community."""
    state = community(issues, residents=3000, institutions=300)
    of_agents, of_ties, rest = bytes_of(state)
    agents, ties = state.kind.size, state.indices.size
    assert of_ties == 12 * ties
    assert of_agents + of_ties <= (300 + 60 * issues) * agents + 16 * ties
    assert rest < 300_000, "what does not grow with the agents: tables, neighborhoods, groups, rules and the log"


# Installations


def tree_of(folder: Path) -> dict[str, str]:
    """Every file below a folder, by its content."""
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*")
            if file.is_file()}  # fmt: skip


DRAW = """
import numpy as np
from cej_sim import compiled, draws
number = draws.uniform(np.uint64(1), 2, 3, 4)
print(sum(draws.uniform.stats.cache_hits.values()), compiled.CACHE_DIRECTORY, number)
"""


@pytest.mark.slow
def test_an_installation_that_cannot_be_written_is_compiled_once_and_not_touched(tmp_path):
    """The cache lies elsewhere, and the second process finds it there."""
    copy = Path(shutil.copytree(PACKAGE, tmp_path / "installed" / "cej_sim",
                                ignore=shutil.ignore_patterns("__pycache__")))  # fmt: skip
    for path in (copy, *copy.rglob("*")):
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    before = tree_of(copy)
    variables = {"CEJ_SIM_CACHE_DIR": tmp_path / "cache", "PYTHONDONTWRITEBYTECODE": 1}
    first, second = (fresh(DRAW, package=copy, **variables).split() for _ in range(2))
    assert first[1:] == second[1:]
    assert Path(second[1]).is_relative_to(tmp_path / "cache")
    assert list((tmp_path / "cache").rglob("*uniform*.nbc"))
    assert tree_of(copy) == before
    for path in (copy, *copy.rglob("*")):  # so that whoever cleans up may delete it
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


# The same numbers everywhere

NUMBERS = """
import hashlib
from cej_sim.population import populate
from cej_sim.reading import load
from cej_sim.runs import simulate
digest = hashlib.sha256()
for name in ("community_led", "collective_impact", "able_change"):
    monthly = simulate(load(name), runs=2, seed=3, months=36, threads={threads}).monthly
    digest.update(monthly.drop(columns=["scenario"]).to_numpy(float).tobytes())
print(digest.hexdigest())
"""


@pytest.mark.slow
def test_numbers_do_not_depend_on_the_processor(plainest):
    """Compiled for the plainest processor of its kind, the engine gives the same bytes."""
    assert fresh(NUMBERS.format(threads=1)) == fresh(NUMBERS.format(threads=1), **plainest.environment)


def test_numbers_do_not_depend_on_the_number_of_threads():
    scenario = load("community_led")
    one, *more = (simulate(scenario, runs=5, seed=3, months=18, threads=threads).monthly for threads in (1, 2, 5))
    for other in more:
        assert one.to_numpy(object).tolist() == other.to_numpy(object).tolist()


def test_every_vector_that_is_read_by_eights_has_eight_entries():
    """The shortest decision vector, of one issue, is long enough."""
    state = community(issues=1, residents=8, institutions=1)
    assert all(one.shape[1] >= EIGHT for one in (state.x, state.x0, state.said, state.targets))
