"""Headings of the tables and names of their rows."""

from __future__ import annotations

from bcl_edu.rows.paper import Printed

DATA_SETS = {
    "CIFAR-10-LT": "cifar10",
    "CIFAR-100-LT": "cifar100",
    "ImageNet-LT": "imagenet-lt",
    "iNaturalist 2018": "inaturalist2018",
}
"""The name under which `bcl_edu.data` opens a printed data set."""

BACKBONES = {"ResNet-32": "resnet32", "ResNet-50": "resnet50", "ResNeXt-50": "resnext50"}

USUAL_EPOCHS = {"cifar10": 200, "cifar100": 200, "imagenet-lt": 90, "inaturalist2018": 100}


def heading(printed: Printed) -> str:
    """The comparison under which a line of Tables 3 to 6 stands."""
    detail = printed.backbone if printed.imbalance_factor is None else f"IF {printed.imbalance_factor}"
    return f"Tables 3 to 6, comparison: {printed.data_set}, {detail}, {printed.epochs} epochs"


def benchmark_name(printed: Printed) -> str:
    """The part of a row's name that says what it is trained on, such as cifar100-lt-if100-400-epochs."""
    dataset = DATA_SETS[printed.data_set]
    if printed.imbalance_factor is None:
        name = f"{dataset}-{BACKBONES[printed.backbone]}"
    else:
        name = f"{dataset}-lt-if{printed.imbalance_factor}"
    return name if printed.epochs == USUAL_EPOCHS[dataset] else f"{name}-{printed.epochs}-epochs"


def row_name(printed: Printed, method: str) -> str:
    """The name of the recipe that trains a printed line with the method of this name."""
    return f"{benchmark_name(printed)}-{method}"
