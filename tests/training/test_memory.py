"""Freed memory stays in the process: measured in a process of its own, whose heap no other test has shaped."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource
import statistics
import torch
from bcl_edu.training.device import keep_freed_memory

def faults_of_forty_megabytes():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.zeros(10 * 2**20)  # above the 32 MB from which glibc would map and unmap every block
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

told = keep_freed_memory()
# the median: until the heap has found its final size, some of them still grow it
faults = statistics.median(faults_of_forty_megabytes() for _ in range(21))
print(told, faults * resource.getpagesize() / (40 * 2**20))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told")
def test_memory_that_was_freed_is_used_again_without_a_page_fault() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=120
    )
    told, share = done.stdout.split()
    assert told == "True"
    assert float(share) < 0.1  # of the pages were touched anew
