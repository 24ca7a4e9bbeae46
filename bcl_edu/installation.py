"""Check of an installation: whether it can run the notebooks and the training, and what to do if it cannot.

python -m bcl_edu.installation
"""

from __future__ import annotations

import html
import importlib.metadata
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from packaging.requirements import Requirement

from bcl_edu import terminal
from bcl_edu.augment import Normalisation
from bcl_edu.data import DATASET_NAMES, PHOTOGRAPH_SETS, default_data_dir, find_dataset
from bcl_edu.methods import Clock, build_method
from bcl_edu.rows import RECIPES
from bcl_edu.training.batches import Loaded
from bcl_edu.training.device import choose_device
from bcl_edu.training.display import duration
from bcl_edu.training.step import TrainingStep

OLDEST_PYTHON = (3, 11)
INSTALL = "pip install -e '.[lab]' in the project's folder (`make lab` does it)"
SHOWN_VERSIONS = ("torch", "torchvision", "plotly", "jupyterlab", "ipywidgets", "anywidget")

IMAGES_CIFAR100_LT, EPOCHS_CIFAR100_LT = 10_847, 200
IMAGES_IMAGENET_LT, EPOCHS_IMAGENET_LT = 115_846, 90
VIEWS = 3
RESNET50_OVER_RESNET32 = 59.0
"""Multiplications for one image: ResNet-50 at 224 x 224 against ResNet-32 at 32 x 32; a test counts them."""


@dataclass(frozen=True)
class Finding:
    """One line of the check.

    Attributes:
        subject: what was looked at.
        found: what there is.
        remedy: what to do, in one line; empty if nothing needs doing.
        optional: whether the notebooks run without it.
    """

    subject: str
    found: str
    remedy: str = ""
    optional: bool = False


@dataclass(frozen=True, repr=False)
class Installation:
    """The findings, as text or, in a notebook, as a table."""

    findings: tuple[Finding, ...]

    @property
    def ready(self) -> bool:
        """True if nothing that the notebooks need is missing."""
        return not any(finding.remedy and not finding.optional for finding in self.findings)

    @property
    def verdict(self) -> str:
        """The findings in one sentence."""
        if self.ready:
            return "Everything that the notebooks need is there."
        return "Something is missing that the notebooks need; what to do stands beside it."

    def __repr__(self) -> str:
        lines = [
            f"{_mark(finding)} {finding.subject}: {finding.found}"
            + (f"\n    -> {finding.remedy}" if finding.remedy else "")
            for finding in self.findings
        ]
        return "\n".join([*lines, self.verdict])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{_mark(finding)}</td><td style='text-align: left'>{html.escape(finding.subject)}</td>"
            f"<td style='text-align: left; white-space: normal'>{html.escape(finding.found)}"
            + (f"<br><b>{html.escape(finding.remedy)}</b>" if finding.remedy else "")
            + "</td></tr>"
            for finding in self.findings
        )
        return f"<table>{rows}</table><p><b>{self.verdict}</b></p>"


def check_installation(*, measure: bool = True) -> Installation:
    """Look at versions, device and data, and say at what scale this machine can train.

    Args:
        measure: take two training steps of ResNet-32 (a few seconds), so that the scale is this machine's own.
    """
    findings = [python(), *packages(), device(), *data()]
    if measure:
        findings += scale(images_a_second())
    return Installation(tuple(findings))


def python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """The interpreter."""
    text = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        return Finding("Python", text, "make lab PYTHON=python3.12 (any Python from 3.11 on)")
    return Finding("Python", text)


def packages(requirements: Sequence[str] | None = None) -> list[Finding]:
    """Every package that the notebooks need; those in order are one line.

    Args:
        requirements: as in pyproject.toml; by default what the installed project says of itself.
    """
    if requirements is None:
        requirements = importlib.metadata.requires("bcl-edu") or ()
    wanted = [Requirement(line) for line in requirements]
    wanted = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": "lab"})]
    wrong = [finding for one in wanted if (finding := _package(one))]
    names = [
        one.name
        for one in wanted
        if one.name in SHOWN_VERSIONS and one.name not in {f.subject for f in wrong}
    ]
    good = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    count = len(wanted) - len(wrong)
    return [Finding("packages", f"{count} of {len(wanted)} in order" + (f": {good}" if good else "")), *wrong]


def _package(wanted: Requirement) -> Finding | None:
    """The problem with a package; None if there is none."""
    try:
        version = importlib.metadata.version(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(wanted.name, "not installed", INSTALL)
    if wanted.specifier.contains(version, prereleases=True):
        return None
    return Finding(wanted.name, f"{version}, but {wanted.specifier} is needed", INSTALL)


def device() -> Finding:
    """The device that computes."""
    if torch.cuda.is_available():
        return Finding("device", f"{torch.cuda.get_device_name()} (CUDA {torch.version.cuda})")
    threads, cores = torch.get_num_threads(), os.cpu_count() or 1
    return Finding("device", f"CPU, {threads} of {cores} cores; no GPU, which the notebooks do not need")


def data() -> list[Finding]:
    """The data sets that can be opened without a download, and what to do for the others."""
    findings = []
    for name in DATASET_NAMES:
        if name in ("folder", "lists"):  # the reader's own
            continue
        if find_dataset(name) is not None:
            findings.append(Finding(f"data: {name}", "found"))
            continue
        if name in PHOTOGRAPH_SETS:
            remedy = f"put the images into {default_data_dir(name)}; data/README.md says from where"
        else:
            remedy = f"open_dataset({name!r}, download=True), or put it into {default_data_dir(name)}"
        findings.append(Finding(f"data: {name}", "not found; only some sections ask for it", remedy, True))
    return findings


def images_a_second(batch_size: int = 32, seconds: float = 3.0) -> float:
    """Views per second through a training step of ResNet-32, measured here: the fastest of some steps.

    On a CPU one core is measured, by its own time, so that whatever else runs now does not count, and taken
    times the cores that torch uses.

    Args:
        batch_size: images of a step; each has three views.
        seconds: no further step is begun after this time; two are taken in any case.
    """
    recipe = RECIPES["cifar100-lt"][1]
    where = choose_device("auto")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method = build_method(recipe, torch.full((100,), 10), (3, 32, 32))
        views = torch.randint(0, 256, (VIEWS, batch_size, 3, 32, 32), dtype=torch.uint8).to(where)
        labels = torch.randint(0, 100, (batch_size,)).to(where)
    stage = method.stages()[0]
    step = TrainingStep(method, stage, Normalisation((0.5,) * 3, (0.25,) * 3), where)
    still = Clock(seed=0, stage=stage.name, epoch=0, epochs=1, step=0, steps=1, learning_rate=0.0)
    cores = torch.get_num_threads() if where.type == "cpu" else 1
    clock = time.process_time if where.type == "cpu" else time.perf_counter
    took: list[float] = []
    if where.type == "cpu":
        torch.set_num_threads(1)
    while len(took) < 2 or sum(took) < seconds:
        began = clock()
        float(step(Loaded(views, labels, labels), still)["loss"])  # reading the number waits for the device
        took.append(clock() - began)
    if where.type == "cpu":
        torch.set_num_threads(cores)
    return cores * VIEWS * batch_size / min(took)


def scale(rate: float) -> list[Finding]:
    """Estimates of what can be trained here, from the images a second that ResNet-32 processes."""
    small = VIEWS * IMAGES_CIFAR100_LT * EPOCHS_CIFAR100_LT / rate
    large = VIEWS * IMAGES_IMAGENET_LT * EPOCHS_IMAGENET_LT * RESNET50_OVER_RESNET32 / rate
    return [
        Finding("scale: digits", "every notebook of the course, in a minute or two each"),
        Finding(
            "scale: CIFAR-100-LT",
            f"ResNet-32, the paper's 200 epochs: about {duration(small)} here if nothing else runs "
            f"(measured just now: {rate:,.0f} images a second)",
        ),
        Finding(
            "scale: ImageNet-LT",
            f"ResNet-50, the paper's 90 epochs: about {_days(large)} here (not measured: reckoned by the number of "
            "multiplications)",
        ),
    ]


def _days(seconds: float) -> str:
    days = seconds / 86_400
    return duration(seconds) if days < 2 else f"{days:,.0f} days"


def _mark(finding: Finding) -> str:
    if not finding.remedy:
        return "✓"
    return "–" if finding.optional else "✗"


@terminal.command
def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was found."""
    print(check_installation())


if __name__ == "__main__":
    main()
