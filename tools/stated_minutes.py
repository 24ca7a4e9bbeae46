"""For pytest's nbval: no notebook computes longer than it says.

    pytest -p tools.stated_minutes --nbval-lax notebooks/03_regular_simplex.ipynb

Minutes are stated for two CPU cores, in `notebooks/course.toml`. What a kernel has computed is held to them, not the
clock: it is the same on a machine that does other things, too.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from jupyter_client import BlockingKernelClient
from nbval.plugin import IPyNbCell

from bcl_edu.course.outline import FILE_NAME, read_course

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
MINUTES = {"00_start_here": 1.0} | {lesson.name: lesson.computing for lesson in read_course(NOTEBOOKS)}
"""What each notebook states."""

CORES = 2
"""What the stated minutes are for."""

PROCESSOR_SECONDS = (
    "sum(use.ru_utime + use.ru_stime for use in map(__import__('resource').getrusage, "
    "(__import__('resource').RUSAGE_SELF, __import__('resource').RUSAGE_CHILDREN)))"
)
"""Asked of a kernel: what it and the processes that it started and that ended have computed."""


def excess(notebook: str, seconds: float) -> str | None:
    """What is wrong with a notebook whose cells have computed for so many seconds; None if it is as stated."""
    if seconds <= 60 * MINUTES[notebook] * CORES:
        return None
    return f"{notebook} has computed for {seconds:.0f} s; {FILE_NAME} states {MINUTES[notebook]:g} min on {CORES} cores"


def processor_seconds(client: BlockingKernelClient) -> float:
    """What a kernel has computed until now."""
    told = client.execute(
        "", silent=True, user_expressions={"seconds": PROCESSOR_SECONDS}, reply=True, timeout=60
    )
    return float(told["content"]["user_expressions"]["seconds"]["data"]["text/plain"])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """After the last cell of a notebook, see how long all have computed."""
    result = yield
    if isinstance(item, IPyNbCell):
        cells = sum(cell.cell_type == "code" for cell in item.parent.nb.cells)
        if item.cell_num == cells - 1:
            found = excess(item.parent.path.stem, processor_seconds(item.parent.kernel.kc))
            if found is not None:
                pytest.fail(found, pytrace=False)
    return result
