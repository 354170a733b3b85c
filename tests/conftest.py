"""What every test shares: an engine compiled once, before the first test that needs it."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("books")


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """Compile the engine (in two processes, where there are two processors) unless it is in the cache."""
    from cej_sim.warmup import prepare

    prepare()
