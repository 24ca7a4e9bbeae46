"""Unconstrained features: what a loss does to embeddings that no network ties together.

Every training sample owns a free unit vector, trained by stochastic gradient descent on mini-batches of long-tailed
labels; prototypes (or classifier rows) are free unit vectors too, or follow the class means. Compared with the
certified optimum this shows the path: which geometry a loss passes through, how fast, and what mini-batches do to it.

A step moves each vector against its gradient within the tangent space and back to the sphere. A sample steps on the
*sum* of the batch's losses and a prototype on their *mean*, so that neither moves faster because batches are larger.
This is a choice, and late in training it decides: in batches of B samples prototypes move B times more slowly than they
would on the sum, and then samples wait for them. `prototype_learning_rate` sets their rate by itself; `learning_rate`
times the number of samples in a batch puts them on the sum, as samples are.
With two views a sample's vector is in the batch twice, as an augmentation-invariant network would have it: then every
sample has a positive, as in the paper's training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.geometry.measures import class_means, cosine_matrix, simplex_deviation, within_class_spread
from bcl_edu.losses import contrastive_loss, logit_compensated_cross_entropy
from bcl_edu.losses.named import CrossEntropy, loss_named

BatchLoss = Callable[[Tensor, Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class Dynamics:
    """Geometry along a path of S recorded moments; the first is the start. Float tensors are float64.

    Attributes:
        step: number of SGD steps taken, shape (S,).
        loss: mean batch loss since the moment before (at the start: of the first batch), shape (S,).
        gram: cosines between class means, shape (S, K, K).
        deviation: simplex deviation, shape (S,).
        smallest_cosine: between two class means, shape (S,).
        largest_cosine: between two class means, shape (S,).
        spread: within-class spread 1 - |mean of z| of each class, shape (S, K).
        key_cosine: cosine of each class's prototype or classifier row with its class mean, shape (S, K); None
            without such rows.
        embeddings: the samples at the end, shape (n, d).
        labels: their classes, shape (n,).
        keys: prototypes or classifier rows at the end, shape (K, d); None without.
    """

    step: Int[Tensor, " s"]
    loss: Float[Tensor, " s"]
    gram: Float[Tensor, "s k k"]
    deviation: Float[Tensor, " s"]
    smallest_cosine: Float[Tensor, " s"]
    largest_cosine: Float[Tensor, " s"]
    spread: Float[Tensor, "s k"]
    key_cosine: Float[Tensor, "s k"] | None
    embeddings: Float[Tensor, "n d"]
    labels: Int[Tensor, " n"]
    keys: Float[Tensor, "k d"] | None


def unconstrained_dynamics(
    class_counts: Sequence[int] | np.ndarray | Tensor,
    loss: str = "bcl",
    *,
    temperature: float = 0.1,
    batch_size: int | None = None,
    views: int = 2,
    steps: int = 1000,
    learning_rate: float = 0.05,
    prototype_learning_rate: float | None = None,
    dimension: int | None = None,
    prototypes: Literal["free", "means"] = "free",
    record_every: int = 20,
    start: Float[Tensor, "n d"] | None = None,
    seed: int = 0,
) -> Dynamics:
    """Train free embeddings under a loss and record their geometry.

    Args:
        class_counts: samples of each class, whole numbers >= 1, shape (K,), K >= 2.
        loss: one of `LOSSES`; for "ce" and "lc" the classifier rows are unit vectors and logits are z . w / tau.
        temperature: tau > 0.
        batch_size: samples in a batch; without it, all. An epoch is a random permutation cut into batches; what is left
            over is not used, so that every batch is a uniform draw without replacement (compare with
            `certified_optimum` of `every_batch` or `sampled_batches`).
        views: how often each sample is in its batch, for contrastive losses.
        steps: SGD steps.
        learning_rate: of the samples, which step on the sum of the batch's losses.
        prototype_learning_rate: of free prototypes or classifier rows, which step on the mean of the batch's losses.
            The samples' rate if left out; see the module's docstring.
        dimension: of the sphere's space; K if left out.
        prototypes: "free" to learn them; "means" to put them at the current class means, held fixed within a step. A
            loss without prototypes has none; classifier rows are always free.
        record_every: steps between two records; the last step is always recorded.
        start: embeddings to start from, in label order, shape (n, d); random on the sphere if left out.
        seed: of the random start and the order of samples.

    Returns:
        The path and its end.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """
    counts = torch.as_tensor(np.asarray(class_counts), dtype=torch.float64)
    key_rate = learning_rate if prototype_learning_rate is None else prototype_learning_rate
    _check_arguments(counts, batch_size, views, steps, learning_rate, key_rate, temperature, record_every)
    labels = torch.repeat_interleave(torch.arange(len(counts)), counts.long())
    generator = torch.Generator().manual_seed(seed)
    dimension = dimension or len(counts)
    embeddings = _start(start, len(labels), dimension, generator)
    kind = loss_named(loss)
    keys = None
    if isinstance(kind, CrossEntropy) or (kind.needs_prototypes and prototypes == "free"):
        keys = _start(None, len(counts), embeddings.shape[1], generator)
    follow_means = not isinstance(kind, CrossEntropy) and kind.needs_prototypes and prototypes == "means"
    batch_loss = _batch_loss(loss, temperature, 1 if isinstance(kind, CrossEntropy) else views, counts.long())

    records: list[dict[str, Tensor]] = []
    running: list[float] = []
    for step, rows in enumerate(_batches(len(labels), batch_size or len(labels), steps, generator)):
        z = embeddings[rows].requires_grad_()
        c = keys
        if follow_means:
            c = torch.nn.functional.normalize(class_means(embeddings, labels, len(counts)))
        elif keys is not None:
            c = keys.clone().requires_grad_()
        value = batch_loss(z, labels[rows], c)
        running.append(value.item())
        if step % record_every == 0:
            records.append(_record(step, running, embeddings, labels, keys))
            running.clear()
        free = [z] if c is None or not c.requires_grad else [z, c]
        gradients = torch.autograd.grad(value, free)
        embeddings[rows] = _move(embeddings[rows], gradients[0], learning_rate * len(rows))
        if len(free) == 2:
            assert keys is not None
            keys = _move(keys, gradients[1], key_rate)
    records.append(_record(steps, running, embeddings, labels, keys))

    path = {name: torch.stack([record[name] for record in records]) for name in records[0]}
    return Dynamics(
        **{name: path[name] for name in ("step", "loss", "gram", "spread")},
        deviation=path["deviation"],
        smallest_cosine=path["smallest_cosine"],
        largest_cosine=path["largest_cosine"],
        key_cosine=path.get("key_cosine"),
        embeddings=embeddings,
        labels=labels,
        keys=keys,
    )


def embeddings_in_a_cone(
    samples: int, dimension: int, *, width: float = 0.3, seed: int = 0
) -> Float[Tensor, "n d"]:
    """Embeddings that all point nearly the same way.

    An untrained network maps images into such a cone in evaluation mode only, where batch normalisation uses its
    initial statistics. In training mode class means start apart and move into the cone during the first epochs.

    Args:
        samples: how many, n.
        dimension: of the sphere's space, d.
        width: expected length (root mean square) of the random vector that is added to one common unit vector. At 0.3
            the cosines between class means are about 0.95.
        seed: of the random vectors.

    Returns:
        Unit vectors, float64, shape (n, d).

    Raises:
        ValueError: samples or dimension is below 1, or width is not a finite number >= 0.
    """
    if samples < 1 or dimension < 1:
        raise ValueError(f"{samples} samples in dimension {dimension}; expected at least 1 of each")
    if not 0 <= width < float("inf"):
        raise ValueError(f"width is {width}; expected a finite number, 0 (all at one point) or more")
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(samples, dimension, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(torch.eye(dimension)[0] + width * noise / dimension**0.5)


def _batch_loss(loss: str, temperature: float, views: int, class_counts: Int[Tensor, " k"]) -> BatchLoss:
    """The loss of a batch as a function of its embeddings, labels and prototypes or classifier rows."""
    kind = loss_named(loss)
    if isinstance(kind, CrossEntropy):
        prior = class_counts if kind.compensated else torch.ones_like(class_counts)

        def classification(z: Tensor, y: Tensor, rows: Tensor | None) -> Tensor:
            assert rows is not None
            return logit_compensated_cross_entropy(z @ rows.T / temperature, y, prior, check=False)

        return classification

    def contrastive(z: Tensor, y: Tensor, prototypes: Tensor | None) -> Tensor:
        return contrastive_loss(
            z.repeat(views, 1),
            y.repeat(views),
            prototypes,
            averaging=kind.averaging,
            complement=kind.complement,
            class_balanced_anchors=kind.class_balanced_anchors,
            temperature=temperature,
            check=False,
        )

    return contrastive


def _batches(
    num_samples: int, batch_size: int, steps: int, generator: torch.Generator
) -> Iterator[Int[Tensor, " b"]]:
    in_an_epoch = num_samples // batch_size
    order = torch.empty(0)
    for step in range(steps):
        position = step % in_an_epoch
        if position == 0:
            order = torch.randperm(num_samples, generator=generator)
        yield order[position * batch_size : (position + 1) * batch_size]


def _move(points: Float[Tensor, "n d"], gradient: Float[Tensor, "n d"], rate: float) -> Float[Tensor, "n d"]:
    tangent = gradient - (gradient * points).sum(dim=1, keepdim=True) * points
    return torch.nn.functional.normalize(points - rate * tangent)


def _start(
    start: Float[Tensor, "n d"] | None, rows: int, dimension: int, generator: torch.Generator
) -> Float[Tensor, "n d"]:
    if start is None:
        start = torch.randn(rows, dimension, generator=generator, dtype=torch.float64)
    elif start.ndim != 2 or len(start) != rows:
        raise ValueError(f"start has shape {tuple(start.shape)}; expected ({rows}, d), one row a sample")
    return torch.nn.functional.normalize(start.detach().double())


def _record(
    step: int,
    running: list[float],
    embeddings: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    keys: Float[Tensor, "k d"] | None,
) -> dict[str, Tensor]:
    num_classes = int(labels.max()) + 1
    means = class_means(embeddings, labels, num_classes)
    deviation = simplex_deviation(means)
    record = {
        "step": torch.tensor(step),
        "loss": torch.tensor(running, dtype=torch.float64).mean(),
        "gram": cosine_matrix(means),
        "deviation": torch.tensor(deviation.rms, dtype=torch.float64),
        "smallest_cosine": torch.tensor(deviation.smallest_cosine, dtype=torch.float64),
        "largest_cosine": torch.tensor(deviation.largest_cosine, dtype=torch.float64),
        "spread": within_class_spread(embeddings, labels, num_classes),
    }
    if keys is not None:
        record["key_cosine"] = (keys * torch.nn.functional.normalize(means)).sum(dim=1)
    return record


def _check_arguments(
    counts: Float[Tensor, " k"],
    batch_size: int | None,
    views: int,
    steps: int,
    learning_rate: float,
    key_rate: float,
    temperature: float,
    record_every: int,
) -> None:
    if counts.ndim != 1 or len(counts) < 2 or not ((counts >= 1) & (counts == counts.floor())).all():
        raise ValueError(f"class_counts is {counts.tolist()}; expected at least two whole numbers from 1")
    if batch_size is not None and not 1 <= batch_size <= counts.sum():
        raise ValueError(
            f"batch_size is {batch_size}; expected 1 to the {int(counts.sum())} samples there are"
        )
    for name, value in (("views", views), ("steps", steps), ("record_every", record_every)):
        if value < 1:
            raise ValueError(f"{name} is {value}; expected at least 1")
    positive = {
        "learning_rate": learning_rate,
        "prototype_learning_rate": key_rate,
        "temperature": temperature,
    }
    for name, number in positive.items():
        if not number > 0:
            raise ValueError(f"{name} is {number}; expected a number above 0")
