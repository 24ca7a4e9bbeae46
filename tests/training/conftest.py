from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bcl_edu.training import RECIPES, Recipe, RunOptions


@pytest.fixture
def tiny() -> Recipe:
    """Digits for four epochs: a whole run in about a second."""
    return replace(RECIPES["digits-lt"][1], epochs=4, head_count=60, imbalance_factor=10.0)


@pytest.fixture
def options(tmp_path: Path) -> RunOptions:
    return RunOptions(output=tmp_path / "run", workers=0, device="cpu", tensorboard=False, progress=False)
