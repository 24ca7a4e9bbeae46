"""The device that a run computes on, and its memory."""

from __future__ import annotations

import ctypes
import platform

import torch

from bcl_edu.run_options import Device

# from glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_INT = 2**31 - 1


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


def keep_freed_memory() -> bool:
    """Tell glibc's allocator, for the rest of this process, to hand no freed memory back to the system.

    A training step allocates and frees activations of tens of megabytes a hundred times. By default glibc returns
    such memory, and the system has to clear each page of it again at the next touch, which can take longer than what
    is computed in it. Kept, it is used again as it is; the process does not grow beyond the peak it needs anyway.

    Returns:
        True if it took effect; False where the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    # the first would be ignored for blocks above the second, which go back to the system on their own
    return bool(libc.mallopt(M_TRIM_THRESHOLD, LARGEST_INT) and libc.mallopt(M_MMAP_THRESHOLD, 2**30))


def out_of_memory(error: Exception) -> bool:
    """True if an error means that memory ran out, on the GPU or on the CPU.

    On the CPU torch raises a plain RuntimeError, which its message tells apart.
    """
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error)
