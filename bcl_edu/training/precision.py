"""The number format of the forward pass: which one a run uses, and whether it is slow on a device."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.functional import conv2d

from bcl_edu.recipe import Recipe
from bcl_edu.training.record import RECORD_NAME, read_record
from bcl_edu.training.step import autocast

SLOW = 1.2
"""Factor on the time in float32 from which a precision counts as slow."""


def computes_bfloat16(device: torch.device) -> bool:
    """True if a device has units for bfloat16, and does not emulate it in float32.

    oneDNN supports bfloat16 on either kind of processor; the instruction sets tell them apart.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def with_precision(recipe: Recipe, device: torch.device, resumed: Path | None = None) -> Recipe:
    """The recipe with "auto" replaced: bfloat16 where the device has units for it, else float32.

    Args:
        recipe: of the run.
        device: that will compute.
        resumed: folder of the run that continues, which keeps the precision it began with.
    """
    if recipe.precision != "auto":
        return recipe
    if resumed is not None and (resumed / RECORD_NAME).exists():
        return replace(recipe, precision=read_record(resumed)["recipe"]["precision"])
    return replace(recipe, precision="bfloat16" if computes_bfloat16(device) else "float32")


def slow_precision(precision: str, device: torch.device) -> str | None:
    """A warning, with the factor measured, if a precision is slower here than float32; None if it is not."""
    if (
        precision == "float32"
        or device.type != "cpu"
        or (precision == "bfloat16" and computes_bfloat16(device))
    ):
        return None
    factor = _seconds_of_a_convolution(precision) / _seconds_of_a_convolution("float32")
    if factor < SLOW:
        return None
    return (
        f"{precision} is emulated on this processor: a convolution takes {factor:.1f} times as long as in float32; "
        "--precision auto would choose float32"
    )


def _seconds_of_a_convolution(precision: str) -> float:
    """Seconds of one forward and backward pass, the best of three, of a layer like those of ResNet-32."""
    images, weight = torch.ones(8, 32, 16, 16), torch.ones(32, 32, 3, 3, requires_grad=True)
    taken = []
    for _ in range(4):  # the first warms up
        began = time.perf_counter()
        with autocast(torch.device("cpu"), precision):
            total = conv2d(images, weight, padding=1).sum()
        total.backward()
        taken.append(time.perf_counter() - began)
    return min(taken[1:])
