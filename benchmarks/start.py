"""How long until a run has taken its first step, and where that time goes.

    BCL_EDU_DATA=DIR python benchmarks/start.py                       cifar100-lt, data in the cache
    python benchmarks/start.py --recipe digits-lt                     nothing to download
    python -X importtime -c "import bcl_edu.train" 2>&1 | sort -t'|' -k2n | tail -30       which import is slow

Every figure is of a process of its own, from its start as the parent sees it to where it stands: the
interpreter and torch, our own imports, the command line, the data and the network, the first step. The first
round only warms the system's file cache up. Wall-clock time beside processor time: on a busy machine only the
second one means something, and it is judged; on one thread, since the time of two would be counted twice.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from common import RESULTS, data_is_there, facts, spread, table, verdict, write

from bcl_edu.training import RECIPES

# one line of JSON: what was reached, seconds since the parent started the process, processor seconds so far
CHILD = """
import json, sys, time
began = float(sys.argv[1])
marks = {}
def mark(name):
    marks[name] = (time.time() - began, time.process_time())
import torch
mark("torch")
import bcl_edu
mark("bcl_edu")
import bcl_edu.train
mark("bcl_edu.train")
if len(sys.argv) > 2:
    command = bcl_edu.train.parse(sys.argv[2:])
    from bcl_edu.training.loop import train
    from bcl_edu.training.step import TrainingStep
    step = TrainingStep.__call__
    class FirstStep(Exception):
        pass
    def first(self, *arguments):
        mark("data and network")
        values = step(self, *arguments)
        values["loss"].item()
        mark("first step")
        raise FirstStep
    TrainingStep.__call__ = first
    try:
        train(command.recipe, command.run)
    except FirstStep:
        pass
print(json.dumps(marks))
"""
PARTS = ("torch", "bcl_edu", "bcl_edu.train", "data and network", "first step")


def measure(arguments: list[str]) -> dict[str, tuple[float, float]]:
    """Seconds that each part took, wall-clock and processor."""
    began = time.time()
    command = [sys.executable, "-c", CHILD, str(began), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    marks = json.loads(done.stdout.splitlines()[-1])
    parts, before = {}, (0.0, 0.0)
    for name in PARTS:
        parts[name] = (marks[name][0] - before[0], marks[name][1] - before[1])
        before = marks[name]
    return parts | {"all": before}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recipe", help="default: cifar100-lt, or digits-lt where CIFAR-100 is not found")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS / "start.json")
    options = parser.parse_args()
    if options.recipe is None:
        there = data_is_there(RECIPES["cifar100-lt"][1])
        options.recipe = "cifar100-lt" if there else "digits-lt"

    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    torch.set_num_threads(options.threads)
    record = facts()
    runs = []
    for _ in range(options.rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            where = ["--output", f"{folder}/run", "--no-tensorboard", "--no-progress", "--device", "cpu"]
            runs.append(measure([options.recipe, *where]))
    runs = runs[1:]

    parts = {
        name: {
            clock: spread([run[name][index] for run in runs])
            for index, clock in enumerate(("wall_seconds", "processor_seconds"))
        }
        for name in (*PARTS, "all")
    }
    measured = {"recipe": options.recipe, "parts": parts}
    write(record | summary(options.recipe, parts) | measured, options.output)


def summary(recipe: str, parts: dict[str, dict]) -> dict:
    """What the page shows."""
    rows = [
        [name, *(f"{part[clock]['median']:.2f}" for clock in ("wall_seconds", "processor_seconds"))]
        for name, part in parts.items()
    ]
    columns = ["until", "seconds by the clock", "processor seconds"]
    start, own = (parts[name]["processor_seconds"]["median"] for name in ("all", "bcl_edu"))
    return {
        "verdicts": [
            verdict(
                f"start of {recipe} until its first step is taken, processor seconds", start, at_most=5.0
            ),
            verdict("import bcl_edu beyond torch's own import, processor seconds", own, at_most=0.2),
        ],
        "tables": [table(f"Start of {recipe}; all is the sum of its parts", columns, rows)],
    }


if __name__ == "__main__":
    main()
