"""Check a data set, or get it ready.

python -m bcl_edu.data check cifar100                                  # what is there, what is missing
python -m bcl_edu.data check imagenet-lt --data-dir DIR --decode       # also read every image
python -m bcl_edu.data check lists --data-dir DIR --train-list A.csv --test-list B.csv
python -m bcl_edu.data prepare inaturalist2018 --data-dir DIR --download
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from bcl_edu import terminal
from bcl_edu.data.check import check_dataset
from bcl_edu.data.open import prepare_dataset
from bcl_edu.files import explain_error
from bcl_edu.option_values import parse_options
from bcl_edu.run_options import own_lists


@dataclass(frozen=True)
class Check:
    """Report what there is of a data set; exit status 1 unless it is as published."""

    name: tyro.conf.Positional[str]
    """digits, fashion-mnist, cifar10, cifar100, folder, lists, imagenet-lt or inaturalist2018."""
    data_dir: Path | None = None
    """Folder of the data set; by default data/NAME, for lists the current folder."""
    decode: bool = False
    """Read every image file, list those that are damaged, and those of equal content."""
    train_list: Path | None = None
    """For lists, imagenet-lt, inaturalist2018: your own list of training images (`path label` lines, CSV or JSON)."""
    test_list: Path | None = None
    """Your own list of test images."""
    val_list: Path | None = None
    """Your own list of validation images."""
    image_size: int | None = None
    """For folder and lists: the size at which the network sees an image."""


@dataclass(frozen=True)
class Prepare:
    """Fetch and build what can be built: lists of images, decoded images; then check."""

    name: tyro.conf.Positional[str]
    """digits, fashion-mnist, cifar10, cifar100, folder, imagenet-lt or inaturalist2018."""
    data_dir: Path | None = None
    """Folder of the data set; by default data/NAME."""
    download: bool = False
    """Fetch what is missing (of imagenet-lt and inaturalist2018 the lists, not the images)."""


@terminal.command
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a problem the user can mend is one message on stderr and exit status 1."""
    command: Check | Prepare = parse_options(
        Check | Prepare, "python -m bcl_edu.data", "Check a data set, or get it ready.", arguments
    )
    try:
        if isinstance(command, Prepare):
            print("\n".join(prepare_dataset(command.name, command.data_dir, download=command.download)))
            findings = check_dataset(command.name, command.data_dir)
        else:
            findings = check_dataset(
                command.name,
                command.data_dir,
                lists=own_lists(
                    command.train_list, command.test_list, command.val_list, data_dir=command.data_dir
                ),
                image_size=command.image_size,
                decode=command.decode,
            )
    except (ValueError, OSError) as error:
        sys.exit(f"bcl_edu.data: {explain_error(error)}")
    print(findings)
    sys.exit(1 if findings.problems else 0)


if __name__ == "__main__":
    main()
