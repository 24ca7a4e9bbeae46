"""Checks of the losses' input; each error names the value, what was expected and what to do.

Shapes, dtypes, devices and temperatures are always checked: that costs nothing. Labels, norms and finiteness
are values on the device, and reading them makes the host wait for it; ``check=False`` skips those, and only those.
"""

import math

import torch
from torch import Tensor

from bcl_edu.counting import counted

# How far a norm may be from 1. Rounding a unit vector to bfloat16 moves its norm by up to 0.004; forgetting to
# normalise moves it by far more.
UNIT_TOLERANCE = 0.01


def check_unit_vectors(name: str, vectors: Tensor, *, values: bool = True) -> None:
    """Refuse anything but a non-empty (rows, dim) floating-point matrix of finite unit vectors.

    Args:
        name: what the message calls the argument.
        vectors: the matrix.
        values: also look at the numbers, which waits for the device.

    Raises:
        ValueError: the message names the first offending row.
    """
    if vectors.ndim != 2:
        raise ValueError(
            f"{name} must have shape (n, dim), got {tuple(vectors.shape)}; "
            "concatenate the views of a batch along its samples: torch.cat([view_2, view_3])"
        )
    if len(vectors) == 0:
        raise ValueError(f"{name} has no rows (shape {tuple(vectors.shape)}); drop empty batches")
    if not vectors.is_floating_point():
        raise ValueError(f"{name} must be floating point, got {vectors.dtype}; call .float()")
    if not values:
        return
    norms = vectors.detach().float().norm(dim=1)
    # `not <=` rather than `>`: a norm that is NaN must be caught as well
    wrong = ~((norms - 1).abs() <= UNIT_TOLERANCE)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        problem = (
            f"has norm {norms[row].item():.4g}, expected 1 (to within {UNIT_TOLERANCE}); "
            "apply torch.nn.functional.normalize"
            if vectors[row].isfinite().all()
            else "is not finite; look for a division by zero or an overflow before the loss"
        )
        raise ValueError(f"{name}[{row}] {problem}")


def check_labels(
    labels: Tensor, num_rows: int, num_classes: int | None, *, rows: str, classes: str, values: bool = True
) -> None:
    """Refuse anything but ``num_rows`` integer labels in 0..num_classes-1 (no upper limit where None).

    Args:
        labels: the labels.
        num_rows: how many there must be.
        num_classes: how many classes there are, if that is known.
        rows: what the message calls the argument that the labels belong to.
        classes: what the message calls the argument that sets the number of classes.
        values: also look at the numbers, which waits for the device.

    Raises:
        ValueError: the message names the first offending label and its position.
    """
    if labels.shape != (num_rows,):
        raise ValueError(
            f"labels must have shape ({num_rows},), one for each row of {rows}, got {tuple(labels.shape)}; "
            "with several views repeat the labels as the views are concatenated: torch.cat([labels, labels])"
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"labels must be integers, got {labels.dtype}; call .long()")
    if not values:
        return
    wide = labels.long()  # in a small type a number of classes that it cannot hold would become another
    wrong = wide < 0
    if num_classes is not None:
        wrong = wrong | (wide >= num_classes)
    if wrong.any():
        position = int(wrong.nonzero()[0])
        limit = (
            "labels must be 0 or more"
            if num_classes is None
            else f"{classes} has {counted(num_classes, 'class')} (labels must be 0..{num_classes - 1})"
        )
        raise ValueError(
            f"label {labels[position].item()} at position {position}, but {limit}; "
            "are the labels those of another task, or is one of them an 'ignore' mark?"
        )


def check_logits(logits: Tensor, *, values: bool = False) -> None:
    """Refuse anything but a non-empty (n, k) floating-point matrix; with `values`, also one that is not finite.

    Raises:
        ValueError: the message names the shape, the type, or the first offending row.
    """
    if logits.ndim != 2 or len(logits) == 0:
        raise ValueError(f"logits must have shape (n, k) with n >= 1, got {tuple(logits.shape)}")
    if not logits.is_floating_point():
        raise ValueError(f"logits must be floating point, got {logits.dtype}; call .float()")
    if not values:
        return
    infinite = ~logits.detach().isfinite().all(dim=1)
    if infinite.any():
        raise ValueError(
            f"logits[{int(infinite.nonzero()[0])}] is not finite; look for an overflow before the loss"
        )


def check_class_counts(class_counts: Tensor, num_classes: int, *, values: bool = True) -> None:
    """Refuse anything but one count for each column of the logits; with `values`, also a count below 1.

    Raises:
        ValueError: the message names the shape, or the first offending class.
    """
    if class_counts.shape != (num_classes,):
        raise ValueError(
            f"class_counts must have shape ({num_classes},), one for each column of logits, "
            f"got {tuple(class_counts.shape)}"
        )
    if not values:
        return
    empty = ~(class_counts >= 1)
    if empty.any():
        name = int(empty.nonzero()[0])
        raise ValueError(
            f"class_counts[{name}] is {class_counts[name].item()}, expected at least 1; "
            "count the labels of the training set, not of a batch, and drop classes without samples"
        )


def check_prototypes(prototypes: Tensor, embeddings: Tensor, *, values: bool = True) -> None:
    """Refuse prototypes that are not unit vectors of the embeddings' dimension on the embeddings' device.

    Raises:
        ValueError: as :func:`check_unit_vectors`, or the dimensions or devices differ.
    """
    check_unit_vectors("prototypes", prototypes, values=values)
    if prototypes.shape[1] != embeddings.shape[1]:
        raise ValueError(
            f"prototypes have dimension {prototypes.shape[1]}, embeddings {embeddings.shape[1]}; "
            "both heads must project to the same dimension"
        )


def check_same_device(**tensors: Tensor) -> None:
    """Refuse tensors on different devices.

    Raises:
        ValueError: the message names each tensor's device.
    """
    if len({tensor.device for tensor in tensors.values()}) > 1:
        where = ", ".join(f"{name} on {tensor.device}" for name, tensor in tensors.items())
        raise ValueError(f"all inputs must be on one device, got {where}; move them with .to(device)")


def check_temperature(temperature: float | Tensor, *, values: bool = True) -> None:
    """Refuse a temperature that is not one finite number above zero; of a tensor the number is read with `values`.

    Raises:
        ValueError: the message names the value.
    """
    if isinstance(temperature, Tensor):
        if temperature.numel() != 1 or not temperature.is_floating_point():
            raise ValueError(
                f"temperature has shape {tuple(temperature.shape)} and type {temperature.dtype}; expected one "
                "floating-point number"
            )
        if not values:
            return
        temperature = temperature.item()
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(
            f"temperature must be a finite number above 0, got {temperature}; the paper uses 0.1"
        )


def as_class_counts(class_counts: object, *, device: torch.device | None = None) -> Tensor:
    """Class counts of the training set as a tensor; lists and arrays move to the device, tensors stay where they are.

    Raises:
        ValueError: they are no numbers.
    """
    if isinstance(class_counts, Tensor):
        return class_counts
    try:
        return torch.as_tensor(class_counts, device=device)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"class_counts is {class_counts!r}; expected one number for each class, in a tensor, list or array"
        ) from None


def check_batch(embeddings: Tensor, labels: Tensor, temperature: float) -> None:
    """Refuse anything but one label for each of n >= 1 rows of embeddings, and a temperature above 0.

    Raises:
        ValueError: with both shapes, or the temperature.
    """
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1] or len(labels) == 0:
        raise ValueError(
            f"embeddings have shape {tuple(embeddings.shape)} and labels {tuple(labels.shape)}; "
            "expected (n, dim) and (n,) with n >= 1"
        )
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; expected a number above 0")
