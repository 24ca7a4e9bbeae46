"""The device that a run computes on."""

from __future__ import annotations

import torch

from bcl_edu.run_options import Device


def choose_device(name: Device) -> torch.device:
    """The torch device that an option names.

    Raises:
        ValueError: cuda is asked for and there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device 'cuda' was asked for, but torch finds no CUDA device; use --device cpu")
    return torch.device(name)
