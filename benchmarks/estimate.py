"""Does `train --dry-run` foretell what a run takes? Predicted against actual, time and memory.

    python benchmarks/estimate.py                    all cases (some minutes)
    python benchmarks/estimate.py --cases digits-lt-bcl

Each case is estimated in a process of its own, as `--dry-run` does it, and then trained in another, on a
smaller long-tailed subset with the whole test set; what counts is the mean of the epochs after the first, one
of CIFAR-100 and twenty of the digits, which take a fraction of a second. The goals are for processor time and
for the clock; the second says something only where the machine is as busy with other things during the run as
it was during the estimate. Memory is the peak resident memory of the whole process, Python and torch
included. Data sets other than the digits are looked for where `BCL_EDU_DATA` says, and left out where they
are not.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from common import RESULTS, data_is_there, facts, table, verdict, write

from bcl_edu.training import RECIPES, EpochReport, RunOptions, estimate, train
from bcl_edu.training.estimate import peak_memory

TOLERANCE = 0.15

CASES = {
    "digits-lt-bcl": replace(RECIPES["digits-lt"][1], epochs=21),
    "cifar100-lt-bcl": replace(RECIPES["cifar100-lt"][1], head_count=100, epochs=2),
    "cifar100-lt-lc": RECIPES["cifar100-lt"][1].change(head_count=100, epochs=2, method="lc"),
}


def predicted(case: str, options: RunOptions) -> dict:
    found = estimate(CASES[case], options)
    return {
        "epoch_processor_seconds": found.epoch.processor,
        "epoch_seconds": found.epoch.clock,
        "step_seconds": found.step.clock,
        "evaluation_seconds": found.evaluation.clock,
        "start_seconds": found.start.clock,
        "memory": found.memory,
        "checkpoint_bytes": found.checkpoint_bytes,
        "measured_steps": found.measured_steps,
    }


def actual(case: str, options: RunOptions) -> dict:
    ends: list[tuple[float, float]] = []

    def on_epoch(report: EpochReport) -> None:
        ends.append((time.process_time(), time.monotonic()))

    with tempfile.TemporaryDirectory() as folder:
        place = replace(options, output=Path(folder) / "run", tensorboard=False, progress=False)
        result = train(CASES[case], place, on_epoch)
        size = (result.folder / "checkpoint.pt").stat().st_size
    processor, clock = (
        (last - first) / (len(ends) - 1) for first, last in zip(ends[0], ends[-1], strict=True)
    )
    return {
        "epoch_processor_seconds": processor,
        "epoch_seconds": clock,
        "memory": peak_memory(),
        "checkpoint_bytes": size,
    }


SIDES = {"predicted": predicted, "actual": actual}


def in_a_process(side: str, case: str) -> dict:
    """One side of a case, in a process that has done nothing else."""
    command = [sys.executable, __file__, "--side", side, "--cases", case]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def summary(cases: dict[str, dict]) -> dict:
    """What the page shows."""
    kinds = (
        ("an epoch, processor seconds", "epoch_processor_seconds", 1, 2),
        ("an epoch, seconds by the clock", "epoch_seconds", 1, 2),
        ("peak memory, MB", "memory", 1e6, 0),
        ("checkpoint, MB", "checkpoint_bytes", 1e6, 2),
    )
    verdicts, rows = [], []
    for case, sides in cases.items():
        for what, name, unit, digits in kinds:
            said, was = sides["predicted"][name], sides["actual"][name]
            error = said / was - 1
            rows.append([case, what, round(said / unit, digits), round(was / unit, digits), f"{error:+.1%}"])
            goal = f"{case}: relative error, {what}"
            verdicts.append(verdict(goal, round(abs(error), 3), at_most=TOLERANCE))
    columns = ["case", "what", "predicted", "actual", "error"]
    return {"verdicts": verdicts, "tables": [table("Predicted by --dry-run, and then taken", columns, rows)]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--side", choices=SIDES, help="only this side of one case, as JSON: what main starts")
    parser.add_argument("--output", type=Path, default=RESULTS / "estimate.json")
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(SIDES[arguments.side](arguments.cases[0], RunOptions(workers=0, device="cpu"))))
        return
    record = facts()
    cases = {}
    for case in arguments.cases:
        if not data_is_there(CASES[case]):
            print(f"{case} is left out")
            continue
        cases[case] = {side: in_a_process(side, case) for side in SIDES}
        print(case, json.dumps(cases[case]), flush=True)
    write(record | summary(cases) | {"cases": cases}, arguments.output)


if __name__ == "__main__":
    main()
