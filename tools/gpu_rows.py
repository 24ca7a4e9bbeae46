"""Rows of CIFAR-100-LT on a GPU that is there for minutes: one command that spends them well.

    python -m tools.gpu_rows --pack --data-dir DIR        # here: gpu_pack/, below 60 MB, to take along
    python -m tools.gpu_rows --minutes 12 --out results   # there: everything, until the time is up

The second command runs the tests that need CUDA, then `benchmarks/gpu.py`, and then trains rows in the order of `ROWS`,
as many at once as is faster (measured). A row that ends is evaluated and exported at once; when the time is up, what
runs is stopped as Ctrl-C would, and its folder kept, from which `--resume` goes on. Everything goes into one archive,
OUT/gpu_rows.tar.gz, written anew after each row.

The other machine needs torch and this repository. `--wheels NAME ...` packs Python packages that it lacks, for
`--python` on Linux; they are put on the path there, not installed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
PACK = REPOSITORY / "gpu_pack"
MOST_BYTES = 60 * 10**6
TO_STOP = 20.0
"""Seconds kept for stopping runs and writing the archive."""


@dataclass(frozen=True)
class Job:
    """One run: what `python -m bcl_edu.train` is given, the name of its folder, and the job whose weights it needs."""

    name: str
    arguments: tuple[str, ...]
    after: str | None = None
    evaluations: tuple[tuple[str, ...], ...] = ()

    @property
    def row(self) -> str:
        """The recipe."""
        return self.arguments[0]


def _row(name: str) -> Job:
    return Job(name, (name,))


_CIFAR = "cifar100-lt-if100"
_POST_HOC = ("--prior-shift", "1", "--tau-norm", "1")
_TWO_BY_TWO = ("bcl-in-log", "bcl-prior", "bcl-in-log-prior")

ROWS: tuple[Job, ...] = (
    _row("table1-l1"),
    Job(f"{_CIFAR}-ce", (f"{_CIFAR}-ce",), evaluations=(_POST_HOC,)),
    Job(f"{_CIFAR}-tau-norm", (f"{_CIFAR}-tau-norm",), evaluations=(_POST_HOC,)),
    *(
        Job(f"{_CIFAR}-{method}-on-ce", (f"{_CIFAR}-ce", "--method", method), after=f"{_CIFAR}-ce")
        for method in ("crt", "lws", "disalign")
    ),
    _row(f"{_CIFAR}-lc"),
    _row(f"{_CIFAR}-ldam-drw"),
    _row(f"{_CIFAR}-scl"),
    *(
        Job(f"{_CIFAR}-{method}-60-epochs", (f"{_CIFAR}-bcl", "--method", method, "--epochs", "60"))
        for method in _TWO_BY_TWO
    ),
    _row(f"{_CIFAR}-proco"),
    *(
        _row(f"{_CIFAR}-{name}")
        for name in (
            "focal-sigmoid",
            "cb-focal-sigmoid",
            "reslt",
            "tde",
            "bbn",
            "dro-lt",
            "ride",
            "ssp",
            "hybrid-sc",
        )
    ),
    *(Job(f"{_CIFAR}-bcl-seed{seed}", (f"{_CIFAR}-bcl", "--seed", str(seed))) for seed in (1, 2, 3, 4)),
)
"""In the order in which they are wanted; those whose start run did not end are left out."""


# ---- packing


def pack(jobs: Sequence[Job], data_dir: Path, to: Path, wheels: Sequence[str], python: str) -> int:
    """Write the pack's folder: `data.npz` and `wheels/`.

    Returns:
        Its size in bytes.

    Raises:
        ValueError: it would be larger than 60 MB.
    """
    from bcl_edu.rows.registry import RECIPES
    from tools.gpu_pack import pack as pack_data

    size = pack_data([RECIPES[job.row][1] for job in jobs], data_dir, to / "data.npz")
    if wheels:
        platforms = [f"manylinux{name}_x86_64" for name in ("_2_28", "_2_27", "_2_17", "2014", "1")]
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            + ["--python-version", python, "--implementation", "cp"]
            + [part for platform in platforms for part in ("--platform", platform)]
            + ["--dest", str(to / "wheels"), *wheels],
            check=True,
        )
    size += sum(path.stat().st_size for path in (to / "wheels").glob("*.whl"))
    if size > MOST_BYTES:
        raise ValueError(
            f"{to} has {size / 1e6:.0f} MB, more than {MOST_BYTES / 1e6:.0f}; pack fewer rows (--rows)"
        )
    return size


# ---- the minutes on the other machine


@dataclass
class Clock:
    """How much of the time is left."""

    seconds: float
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds until everything must be stopped."""
        return self.seconds - TO_STOP - (time.monotonic() - self.began)


@dataclass
class Running:
    """A job's process."""

    job: Job
    process: subprocess.Popen[bytes]
    began: float


class Machine:
    """Trains jobs on this machine until its time is up.

    Attributes:
        out: where everything is written.
        command: what trains, given a row and its options.
        data_dir: folder of the data set.
        environment: of all processes.
        facts: what happened, as `facts.json` has it.
    """

    def __init__(
        self, out: Path, data_dir: Path, environment: dict[str, str], clock: Clock, extra: Sequence[str]
    ) -> None:
        self.out, self.data_dir, self.environment, self.clock = out, data_dir, environment, clock
        self.extra = list(extra)
        self.command = [sys.executable, "-m", "bcl_edu.train"]
        self.facts: dict[str, Any] = {"jobs": {}}
        out.mkdir(parents=True, exist_ok=True)

    def python(self, name: str, *arguments: str, most: float | None = None) -> int | None:
        """Run Python with these arguments, its output in OUT/NAME.log; None if the time ends it."""
        seconds = max(min(self.clock.left, most or self.clock.left), 1.0)
        with open(self.out / f"{name}.log", "ab") as log:
            try:
                return subprocess.run(
                    [sys.executable, *arguments],
                    cwd=REPOSITORY,
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                    timeout=seconds,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                return None

    def train(self, jobs: Sequence[Job], at_once: int) -> None:
        """Train the jobs, so many at once, in their order, until all have ended or the time is up."""
        waiting, running, ended = list(jobs), list[Running](), set[str]()
        while (waiting or running) and self.clock.left > 0:
            while len(running) < at_once and (job := self._next(waiting, ended)):
                waiting.remove(job)
                running.append(self._start(job))
            if not running:  # what is left waits for runs that did not end
                break
            time.sleep(0.2)
            for run in [run for run in running if run.process.poll() is not None]:
                running.remove(run)
                if self._end(run):
                    ended.add(run.job.name)
        for run in running:
            run.process.send_signal(signal.SIGTERM)
        for run in running:
            try:
                run.process.wait(TO_STOP)
            except subprocess.TimeoutExpired:
                run.process.kill()
            self._note(run, "stopped")
        for job in waiting:
            self.facts["jobs"][job.name] = {"state": "not begun"}
        self.archive()

    @staticmethod
    def _next(waiting: Sequence[Job], ended: set[str]) -> Job | None:
        return next((job for job in waiting if job.after is None or job.after in ended), None)

    def _start(self, job: Job) -> Running:
        folder = self.out / "runs" / job.name
        arguments = [*job.arguments, "--data-dir", str(self.data_dir), "--output", str(folder)]
        if (folder / "checkpoint.pt").exists():
            arguments.append("--resume")
        if job.after:
            arguments += ["--init-from", str(self.out / "runs" / job.after)]
        else:
            arguments += self.extra
        command = [*self.command, *arguments]
        with open(self.out / f"{job.name}.log", "ab") as log:
            process = subprocess.Popen(command, cwd=REPOSITORY, env=self.environment, stdout=log, stderr=log)
        return Running(job, process, time.monotonic())

    def _end(self, run: Running) -> bool:
        """Evaluate and export a run that has ended; True if it ended well.

        What these two commands returned is noted with the job: 0, or what their log explains.
        """
        if run.process.returncode != 0:
            self._note(run, "failed")
            return False
        self._note(run, "ended")
        folder, name = self.out / "runs" / run.job.name, run.job.name
        exported = self.out / "exported" / name
        evaluate = ("-m", "bcl_edu.evaluate", str(folder), "--data-dir", str(self.data_dir))
        self.facts["jobs"][name] |= {
            "evaluated": [self.python(name, *evaluate, *more) for more in ((), *run.job.evaluations)],
            "exported": self.python(name, "-m", "bcl_edu.export", str(folder), str(exported)),
        }
        self.archive()
        return True

    def _note(self, run: Running, state: str) -> None:
        self.facts["jobs"][run.job.name] = {"state": state, "seconds": round(time.monotonic() - run.began, 1)}
        print(f"{run.job.name}: {state} after {time.monotonic() - run.began:.0f} s", flush=True)

    def archive(self) -> None:
        """Write OUT/gpu_rows.tar.gz anew: exports, logs, and the folders of runs that did not end."""
        (self.out / "facts.json").write_text(json.dumps(self.facts, indent=1) + "\n")
        temporary = self.out / "gpu_rows.tmp"
        with tarfile.open(temporary, "w:gz", compresslevel=1) as archive:
            for path in self._kept():
                archive.add(path, arcname=str(path.relative_to(self.out)))
        temporary.replace(self.out / "gpu_rows.tar.gz")

    def _kept(self) -> Iterator[Path]:
        yield from sorted([*self.out.glob("*.log"), *self.out.glob("*.json")])
        exported = {path.name for path in (self.out / "exported").glob("*")}
        yield from sorted((self.out / "exported").glob("*"))
        yield from sorted(path for path in (self.out / "runs").glob("*") if path.name not in exported)


def runs_at_once(row: str, data_dir: Path, seconds: float, most: int) -> tuple[int, dict[int, float]]:
    """How many runs at once train fastest, and the steps a second of all of them together, by number of runs.

    One more counts as faster if all together gain a tenth.
    """
    rates: dict[int, float] = {}
    best = 1
    for number in range(1, most + 1):
        with multiprocessing.get_context("spawn").Pool(number) as pool:
            rates[number] = sum(pool.starmap(_steps_a_second, [(row, str(data_dir), seconds)] * number))
        if number > 1 and rates[number] < 1.1 * rates[best]:
            break
        best = number
    return best, rates


def _steps_a_second(row: str, data_dir: str, seconds: float) -> float:
    from bcl_edu.rows.registry import RECIPES
    from bcl_edu.run_options import RunOptions
    from bcl_edu.training.estimate import estimate

    return 1 / estimate(RECIPES[row][1], RunOptions(data_dir=Path(data_dir)), seconds=seconds).step.clock


def _environment(packed: Path, out: Path) -> dict[str, str]:
    """Of the processes: this repository and the wheels on the path, the cache below OUT."""
    path = [str(REPOSITORY)]
    if wheels := sorted((packed / "wheels").glob("*.whl")):
        path.append(str(out / "site"))
        if not (out / "site").exists():
            install = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-index",
                "--no-deps",
                "--target",
            ]
            subprocess.run([*install, str(out / "site"), *map(str, wheels)], check=True)
    path += os.environ.get("PYTHONPATH", "").split(os.pathsep)
    cache = {"BCL_EDU_CACHE": str(out / "cache")}
    return os.environ | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(filter(None, path)))} | cache


def spend(options: argparse.Namespace, jobs: Sequence[Job]) -> None:
    """Tests, benchmark, rows, within the minutes."""
    clock = Clock(60 * options.minutes)
    out: Path = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    environment = _environment(options.packed, out)
    if environment["PYTHONPATH"] != os.environ.get("PYTHONPATH"):  # once more, with the wheels on the path
        os.execve(sys.executable, [sys.executable, "-m", "tools.gpu_rows", *sys.argv[1:]], environment)
    os.environ["BCL_EDU_CACHE"] = environment["BCL_EDU_CACHE"]

    from bcl_edu.rows.registry import RECIPES
    from tools.gpu_pack import Unpacked, one_a_subset

    unpacked = Unpacked(options.packed / "data.npz", out / "data", out / "cache")
    for recipe in one_a_subset(RECIPES[job.row][1] for job in jobs):
        unpacked.require(recipe)
    machine = Machine(out, unpacked.data_dir, environment, clock, shlex.split(options.train_with))
    if options.tests:
        tests = ("-m", "pytest", "-q", "-m", "cuda", "-p", "no:cacheprovider", *options.tests)
        machine.facts["cuda_tests"] = machine.python("cuda_tests", *tests, most=clock.seconds / 5)
        print(f"CUDA tests: exit {machine.facts['cuda_tests']}", flush=True)
    if options.benchmark:
        benchmark = ("benchmarks/gpu.py", "--output", str(out / "gpu.json"), *shlex.split(options.benchmark))
        machine.facts["benchmark"] = machine.python("benchmark", *benchmark, most=clock.seconds / 5)
        print(f"benchmark: exit {machine.facts['benchmark']}", flush=True)
    at_once = options.at_once
    if at_once is None:
        at_once, rates = runs_at_once(jobs[0].row, unpacked.data_dir, 5.0, 4)
        machine.facts["steps_a_second_by_runs_at_once"] = rates
        print(f"{at_once} at once; steps a second: {rates}", flush=True)
    machine.train(jobs, at_once)
    shutil.rmtree(out / "cache", ignore_errors=True)
    print(f"{out / 'gpu_rows.tar.gz'}: {(out / 'gpu_rows.tar.gz').stat().st_size / 1e6:.1f} MB")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", action="store_true", help="write the pack, and train nothing")
    parser.add_argument("--packed", type=Path, default=PACK, help="folder of the pack (default: gpu_pack)")
    parser.add_argument("--data-dir", type=Path, default=REPOSITORY / "data" / "cifar100", help="for --pack")
    parser.add_argument(
        "--wheels", nargs="*", default=[], help="packages that the other machine lacks, for --pack"
    )
    parser.add_argument(
        "--python", default="3.12", help="version of Python there, for --pack (default: 3.12)"
    )
    parser.add_argument(
        "--minutes", type=float, default=12.0, help="until everything has stopped (default: 12)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("gpu_rows"), help="where results go (default: gpu_rows)"
    )
    parser.add_argument("--rows", nargs="*", help="names of jobs (default: all, in their order)")
    parser.add_argument("--at-once", type=int, help="runs at once (default: measured)")
    parser.add_argument(
        "--tests", nargs="*", default=["tests"], help="where the CUDA tests are; none: no tests"
    )
    parser.add_argument("--benchmark", default="--rounds 3", help="options of benchmarks/gpu.py; empty: none")
    parser.add_argument(
        "--train-with", default="", help="more options for runs from fresh weights, in one string"
    )
    options = parser.parse_args()
    by_name = {job.name: job for job in ROWS}
    if unknown := sorted(set(options.rows or ()) - by_name.keys()):
        parser.error(f"no job is called {' or '.join(unknown)}; there are {', '.join(by_name)}")
    jobs = [by_name[name] for name in options.rows] if options.rows else list(ROWS)
    try:
        if options.pack:
            size = pack(jobs, options.data_dir, options.packed, options.wheels, options.python)
            print(f"{options.packed}: {size / 1e6:.1f} MB; take it along and run --minutes there")
        else:
            spend(options, jobs)
    except ValueError as error:
        parser.exit(1, f"tools.gpu_rows: {error}\n")


if __name__ == "__main__":
    main()
