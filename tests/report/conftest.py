from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bcl_edu.recipe import recipe_as_dict
from bcl_edu.report.matching import expected_subset_sha256, published_images
from bcl_edu.training import RECIPES

StoreRun = Callable[..., Path]


def epoch(number: int, top1: float) -> dict[str, Any]:
    """What a record says of an epoch: `many` and `few` ten points above and below `top1`."""
    return {"epoch": number, "top1": top1, "many": top1 + 10, "medium": top1, "few": top1 - 10}


@pytest.fixture
def store_run(tmp_path: Path) -> StoreRun:
    """Writes the record of a run that was never made, as if the recipe had come to `top1`; only here, in tests."""

    def store(
        folder: str,
        recipe_name: str,
        top1: float,
        *,
        finished: int | None = None,
        data: Any = None,
        **changed: Any,
    ) -> Path:
        recipe = RECIPES[recipe_name][1].change(**changed)
        epochs = recipe.epochs if finished is None else finished
        best = epoch(max(epochs - 1, 1), top1 + 1)
        record = {
            "recipe": recipe_as_dict(recipe),
            "data": {
                "dataset": recipe.dataset,
                "training_images": published_images(recipe, "training") or 1,
                "test_images": published_images(recipe, "test") or 1,
                "subset_sha256": expected_subset_sha256(recipe) or "none",
                **(data or {}),
            },
            "sessions": [{"hardware": {"device": "cpu", "processor": "abacus"}, "processes": 1}],
            "epochs_finished": epochs,
            "last": epoch(epochs, top1) if epochs else None,
            "best": best if epochs else None,
        }
        path = tmp_path / "runs" / folder
        path.mkdir(parents=True)
        (path / "run.json").write_text(json.dumps(record))
        return path

    return store
