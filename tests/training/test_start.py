"""A run starts quickly because it imports only what it needs."""

from __future__ import annotations

import subprocess
import sys

SLOW = ("sklearn", "scipy", "plotly", "tensorboard", "matplotlib", "IPython")

STEP = """
import torch
from bcl_edu.methods import Clock, build_method
from bcl_edu.training import RECIPES
from bcl_edu.augment import Normalisation
from bcl_edu.training.batches import Loaded
from bcl_edu.training.step import TrainingStep
recipe = RECIPES["digits-lt"][1]
method = build_method(recipe, torch.tensor([9, 3]), (1, 8, 8))
stage = method.stages()[0]
step = TrainingStep(method, stage, Normalisation((0.5,), (0.5,)), torch.device("cpu"))
images, labels = torch.randint(256, (3, 4, 1, 8, 8), dtype=torch.uint8), torch.tensor([0, 1, 0, 1])
step(Loaded(images, labels, torch.arange(4)), Clock(0, stage.name, 0, 1, 0, 1, 0.1))
"""


def imported_by(code: str) -> set[str]:
    """Which of the slow packages a process has imported after this code, and had not after importing torch."""
    program = f"import sys, torch\nbefore = set(sys.modules)\n{code}\nprint(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split()) & set(SLOW)


def test_importing_the_package_imports_no_slow_package() -> None:
    assert imported_by("import bcl_edu") == set()


def test_help_and_list_are_answered_without_torch() -> None:
    program = (
        "import sys, bcl_edu.train as t\n"
        "try: t.parse(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    for arguments in (["--list"], ["table2-bcl", "--help"], ["--help"]):
        subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, check=True)


def test_importing_the_training_command_and_its_loop_imports_no_slow_package() -> None:
    assert imported_by("import bcl_edu.train, bcl_edu.training.loop") == set()


def test_taking_a_step_imports_no_slow_package() -> None:
    assert imported_by(STEP) == set()
