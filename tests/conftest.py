"""What every test shares: an engine compiled once, before the first test that needs it."""

from __future__ import annotations

import signal

import pytest

pytest.register_assert_rewrite("books")

# Shells start what runs in the background deaf to Ctrl-C, and programs inherit that. Programs under test must not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """Compile the engine (in two processes, where there are two processors) unless it is in the cache."""
    from cej_sim.warmup import prepare

    prepare()
