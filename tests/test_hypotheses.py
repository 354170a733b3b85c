"""The declared hypotheses: frozen by hash, and complete."""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "experiments" / "hypotheses"


def test_the_declaration_is_the_one_that_was_frozen() -> None:
    recorded, name = (FOLDER / "hypotheses.sha256").read_text(encoding="ascii").split()
    assert name == "hypotheses.yaml"
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == recorded
