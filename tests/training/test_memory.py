from __future__ import annotations

import platform
import resource

import pytest
import torch

from bcl_edu.training.memory import keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told")
def test_memory_that_was_freed_is_used_again_without_a_page_fault() -> None:
    assert keep_freed_memory()
    pages = 40 * 2**20 // resource.getpagesize()

    def faults_of_forty_megabytes() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.zeros(10 * 2**20)  # above the 32 MB from which glibc would map and unmap every block
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults_of_forty_megabytes()
    assert faults_of_forty_megabytes() < pages / 10
