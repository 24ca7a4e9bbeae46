"""Options of a run that do not change what it computes: folders, device, workers, progress."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from bcl_edu.files import user_path

Device = Literal["auto", "cpu", "cuda"]
CompileChoice = Literal["off", "on", "auto"]
CompileMode = Literal["default", "reduce-overhead", "max-autotune"]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of a run beside its recipe: data folder, device, output, checkpoints, display.

    Raises:
        ValueError: a number is out of range.
    """

    data_dir: Path | None = None
    """Folder of the data set; by default data/<data set>. For `lists` the folder that the listed paths are
    relative to, by default the current one."""
    train_list: Path | None = None
    """For lists, imagenet-lt and inaturalist2018: your own list of training images (`path label` lines, CSV or
    JSON)."""
    test_list: Path | None = None
    """Your own list of test images."""
    val_list: Path | None = None
    """Your own list of validation images; they are taken out of the training list."""
    download: bool = False
    """Fetch the data set if it is not there (of imagenet-lt and inaturalist2018 the lists, not the images)."""
    output: Path | None = None
    """Folder of the run; by default runs/<recipe>-<method>-seed<seed>, and beside a finished run there the next of
    -2, -3 and so on."""
    resume: bool = False
    """Continue the run in the output folder (by default the last one of its name) from its checkpoint."""
    extend_to: int | None = None
    """With --resume: go on to this epoch, at the rate of the last one; for schedules in steps, of one stage."""
    keep_best: bool = False
    """Besides the last weights, keep those of the epoch with the highest mean over classes on the validation split
    (--val-fraction, --val-list or a folder val), as best.pt."""
    init_from: Path | None = None
    """Start from the weights of a finished run (its folder or an exported one), with a fresh optimizer: all of them
    if it trained the same method on the same images, else its backbone. Of crt, say, only the later stage."""
    device: Device = "auto"
    """Device to compute on; auto takes the GPU if there is one."""
    workers: int = 2
    """Processes that decode image files and make views of images above 64 x 64; others get theirs on the
    device."""
    compile: CompileChoice = "off"
    """Compile the network with torch.compile. It takes a minute or more to begin and pays on some machines only:
    auto takes a few steps in both ways at the start of a long run and keeps the decision when resumed."""
    evaluate_every: int = 1
    """Evaluate after each Nth epoch only; after the last ten and before each fall of the learning rate always.
    The best epoch is then the best of those evaluated."""
    compile_mode: CompileMode = "default"
    """Mode of torch.compile; reduce-overhead replays CUDA graphs, for small networks on a fast GPU (docs/gpu.md)."""
    checkpoint_minutes: float = 10.0
    """Besides the end of each epoch, save a checkpoint after this many minutes."""
    tensorboard: bool = True
    """Write TensorBoard events into the output folder."""
    progress: bool = True
    """Show a progress bar with the time left (in a log file a line a minute), and a line an epoch."""

    def __post_init__(self) -> None:
        """Expand ~ in paths, and refuse values outside their range."""
        for one in fields(self):
            if isinstance(value := getattr(self, one.name), Path):
                object.__setattr__(self, one.name, user_path(value))
        require_workers(self.workers)
        if self.evaluate_every < 1:
            raise ValueError(f"evaluate_every is {self.evaluate_every}, but must be at least 1")
        if self.extend_to is not None and not self.resume:
            raise ValueError(
                f"extend_to is {self.extend_to}, but it is for a run that is continued; add --resume"
            )
        if self.compile == "off" and self.compile_mode != "default":
            raise ValueError(
                f"compile_mode is {self.compile_mode!r}, but nothing is compiled; leave it out, or add --compile"
            )
        if not self.checkpoint_minutes > 0:
            raise ValueError(f"checkpoint_minutes is {self.checkpoint_minutes}, but must be above 0")

    @property
    def compiled_as(self) -> CompileMode | None:
        """The mode of torch.compile; None for no compilation, and while "auto" is undecided."""
        return self.compile_mode if self.compile == "on" else None

    @property
    def lists(self) -> dict[str, Path]:
        """User-supplied list files, by split."""
        return own_lists(self.train_list, self.test_list, self.val_list, data_dir=self.data_dir)


def own_lists(
    train: Path | None = None,
    test: Path | None = None,
    validation: Path | None = None,
    *,
    data_dir: Path | None = None,
) -> dict[str, Path]:
    """User-supplied list files, by split; a file that is not where its path says may lie in the data folder."""
    named = {"train": train, "test": test, "validation": validation}
    return {split: _found(path, data_dir) for split, path in named.items() if path is not None}


def _found(path: Path, data_dir: Path | None) -> Path:
    elsewhere = None if data_dir is None or path.is_absolute() else user_path(data_dir) / path
    return elsewhere if elsewhere is not None and elsewhere.exists() and not path.exists() else path


def require_workers(number: int) -> None:
    """Refuse a number of worker processes that cannot be.

    Raises:
        ValueError: it is below 0.
    """
    if number < 0:
        raise ValueError(f"workers is {number}, but must be at least 0")
