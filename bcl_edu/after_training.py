"""Evaluation options on a finished run: adjusted logits, and classifiers on its features, without further training.

Every function takes the outputs of a trained network and returns logits or predictions, so that one pass over the
images serves all of them. A free value can be chosen on held-out images, by the mean accuracy of their classes; nothing
is ever chosen on the test set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.augment import normalise
from bcl_edu.counting import counted
from bcl_edu.data import Images
from bcl_edu.methods import Method, Prediction
from bcl_edu.methods.tau_norm import TauNormalisation, tau_normalised
from bcl_edu.recipe import require
from bcl_edu.training.batches import load_images
from bcl_edu.training.data import TrainingData
from bcl_edu.training.metrics import accuracy
from bcl_edu.training.step import autocast
from bcl_edu.training.weights import TrainedModel

EXPONENTS = tuple(step / 10 for step in range(21))
"""Candidates for tau and the exponent of the prior, from 0 to 2 (for tau as in Kang et al.'s code)."""

DECAYS = tuple(10.0**power for power in range(-6, 1))
"""Candidates for the weight decay of a linear probe."""

NEIGHBOUR_TEMPERATURE = 0.07
"""Temperature of the votes of nearest neighbours, as in Wu et al. (CVPR 2018), section 3.4."""


@dataclass(frozen=True)
class Outputs:
    """Outputs of a trained network, on the CPU in float32.

    Attributes:
        features: of the backbone, shape (n, h).
        logits: what it predicts from, shape (n, k).
        labels: of the images, shape (n,).
    """

    features: Float[Tensor, "n h"]
    logits: Float[Tensor, "n k"]
    labels: Int[Tensor, " n"]


@torch.no_grad()
def outputs_on(trained: TrainedModel, images: Images, device: torch.device, workers: int = 0) -> Outputs:
    """Outputs of a network on images as they are evaluated; the network is on the device already."""
    features, logits = [], []
    mean, std = trained.normalisation.mean, trained.normalisation.std
    for _, pixels in load_images(images, torch.arange(len(images)), device, workers):
        with autocast(device, trained.recipe.precision):
            prediction = trained.method.predict(normalise(pixels, mean, std))
        features.append(prediction.features.float().cpu())
        logits.append(prediction.logits.float().cpu())
    return Outputs(torch.cat(features), torch.cat(logits), images.labels)


# ---- other logits


def tau_norm_logits(features: Float[Tensor, "n h"], method: Method, tau: float) -> Float[Tensor, "n k"]:
    """Logits of the run's linear classifier with rows w_k / |w_k|^tau, without its bias.

    Raises:
        ValueError: the method does not predict from a linear classifier alone.

    Source: Kang et al. (ICLR 2020).
    """
    predicts = type(method).logits
    linear = isinstance(getattr(method, "classifier", None), nn.Linear)
    if not linear or predicts not in (Method.logits, TauNormalisation.logits):
        raise ValueError(
            f"tau-normalisation needs a run that predicts from a linear classifier; the method "
            f"{method.recipe.method.name} of this run does not"
        )
    weight: Tensor = method.classifier.weight.detach().float().cpu()  # type: ignore[union-attr, operator]
    return functional.linear(features, tau_normalised(weight, tau))


@torch.no_grad()
def logits_as_trained(outputs: Outputs, method: Method) -> Float[Tensor, "n k"]:
    """The method's `trained_logits`, in which the training prior lies."""
    device = next(method.parameters()).device
    prediction = Prediction(outputs.features.to(device), outputs.logits.to(device))
    return method.trained_logits(prediction).to(outputs.logits.device)


def shifted_logits(
    logits: Float[Tensor, "n k"],
    class_counts: Int[Tensor, " k"],
    exponent: float,
    target: Float[Tensor, " k"] | None = None,
) -> Float[Tensor, "n k"]:
    """Logits z_k - exponent log pi_k + log p_k, for other class frequencies than those of the training set.

    Of a network trained by cross-entropy, exponent 1 gives the posterior under the target's frequencies (PC
    softmax); other exponents are post-hoc logit adjustment.

    Args:
        logits: z, shape (n, k).
        class_counts: of the training set, shape (k,).
        exponent: 0 for a network whose loss has compensated the prior already.
        target: frequencies p of the classes where the network is used, shape (k,); uniform by default.

    Source: Menon et al. (ICLR 2021), Eq. 9; Hong et al., "LADE" (CVPR 2021), Eq. 4 and 6.
    """
    wide = torch.promote_types(logits.dtype, torch.float32)  # counts have more digits than half precision
    prior = class_counts.cpu().to(wide) / class_counts.sum().cpu()
    shifted = logits - exponent * prior.log()
    return shifted if target is None else shifted + target.log()


# ---- other classifiers, on the features


def nearest_neighbour_logits(
    features: Float[Tensor, "n h"], bank: Outputs, num_classes: int, neighbours: int
) -> Float[Tensor, "n k"]:
    """Votes of the most similar training images for their classes, each exp(cos / 0.07).

    Raises:
        ValueError: more neighbours than training images, or none.

    Source: Wu et al., "Unsupervised Feature Learning via Non-Parametric Instance Discrimination" (CVPR 2018).
    """
    if not 1 <= neighbours <= len(bank.labels):
        raise ValueError(
            f"{counted(neighbours, 'nearest neighbour')}, but must be from 1 to the "
            f"{counted(len(bank.labels), 'training image')}"
        )
    keys = functional.normalize(bank.features, dim=1)
    votes = []
    for rows in functional.normalize(features, dim=1).split(1000):
        cosines, nearest = (rows @ keys.T).topk(neighbours, dim=1)
        of_class = rows.new_zeros(len(rows), num_classes)
        votes.append(of_class.scatter_add_(1, bank.labels[nearest], (cosines / NEIGHBOUR_TEMPERATURE).exp()))
    return torch.cat(votes)


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier on standardised features.

    Attributes:
        mean, std: of the training images' features, shape (h,).
        weight: shape (k, h).
        bias: shape (k,).
    """

    mean: Float[Tensor, " h"]
    std: Float[Tensor, " h"]
    weight: Float[Tensor, "k h"]
    bias: Float[Tensor, " k"]

    def logits(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n k"]:
        """Logits of backbone features."""
        return functional.linear((features - self.mean) / self.std, self.weight, self.bias)


def linear_probe(bank: Outputs, num_classes: int, decay: float, iterations: int = 100) -> LinearProbe:
    """Logistic regression on the features of the training images, every class with the same total weight.

    It minimises mean_k mean_{i of class k} CE_i + decay / 2 |W|^2 by L-BFGS, which needs no learning rate and no
    random numbers.

    Args:
        bank: outputs on the training images.
        num_classes: k.
        decay: of the weights, above 0.
        iterations: of L-BFGS at most.
    """
    mean, std = bank.features.mean(dim=0), bank.features.std(dim=0).clamp(min=1e-6)
    inputs = (bank.features - mean) / std
    counts = torch.bincount(bank.labels, minlength=num_classes)
    share = (1 / counts.clamp(min=1).float() / (counts > 0).sum())[bank.labels]
    weight = torch.zeros(num_classes, inputs.shape[1], requires_grad=True)
    bias = torch.zeros(num_classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=iterations, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        optimizer.zero_grad()
        losses = functional.cross_entropy(
            functional.linear(inputs, weight, bias), bank.labels, reduction="none"
        )
        loss = (share * losses).sum() + 0.5 * decay * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(objective)
    return LinearProbe(mean, std, weight.detach(), bias.detach())


# ---- choosing a value


def mean_class_accuracy(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> float:
    """Mean of the classes' accuracies in percent, over the classes that have an image."""
    right = (logits.argmax(dim=1) == labels).double()
    counts = torch.bincount(labels).double()
    return 100 * float((torch.bincount(labels, weights=right) / counts)[counts > 0].mean())


def choose(
    values: Sequence[float], logits: Callable[[float], Float[Tensor, "n k"]], labels: Int[Tensor, " n"]
) -> tuple[float, float]:
    """The value with the highest mean class accuracy on held-out images, the first of equals, and that accuracy.

    Args:
        values: to choose from.
        logits: of the held-out images, for a value.
        labels: their classes, shape (n,).
    """
    best, accuracy = values[0], -math.inf
    for value in values:
        found = mean_class_accuracy(logits(value), labels)
        if found > accuracy:
            best, accuracy = value, found
    return best, accuracy


# ---- what the command line asks for


@dataclass(frozen=True)
class Asked:
    """Options of an evaluation; None leaves one out.

    Attributes:
        tau_norm: tau, or "choose".
        prior_shift: exponent of the training prior, or "choose".
        target_imbalance: most over least frequent class where the network is used; below 1 it is the rare
            classes of the training set that are frequent.
        knn: number of nearest neighbours.
        linear_probe: weight decay, or "choose".

    Raises:
        ValueError: a value is neither "choose" nor in its range.
    """

    tau_norm: str | None = None
    prior_shift: str | None = None
    target_imbalance: float | None = None
    knn: int | None = None
    linear_probe: str | None = None

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        for name in ("tau_norm", "prior_shift", "linear_probe"):
            text = getattr(self, name)
            if text not in (None, "choose"):
                _number(name, text)
        if self.linear_probe not in (None, "choose"):
            require(_number("", self.linear_probe) > 0, "linear_probe", self.linear_probe, "above 0")
        if self.target_imbalance is not None:
            require(self.target_imbalance > 0, "target_imbalance", self.target_imbalance, "above 0")
            require(
                self.prior_shift is not None,
                "target_imbalance",
                self.target_imbalance,
                "used with prior_shift",
            )
        require(self.knn is None or self.knn >= 1, "knn", self.knn, "at least 1")

    @property
    def anything(self) -> bool:
        """True if at least one option is set."""
        return any(
            getattr(self, one) is not None for one in ("tau_norm", "prior_shift", "knn", "linear_probe")
        )


def _number(name: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    require(value >= 0, name, text, "a number of at least 0, or 'choose'")
    return value


def target_frequencies(class_counts: Int[Tensor, " k"], imbalance: float) -> Float[Tensor, " k"]:
    """Frequencies that fall exponentially from the training set's most frequent class to its rarest.

    Args:
        class_counts: of the training set, shape (k,).
        imbalance: first over last; below 1 they rise.
    """
    order = class_counts.cpu().argsort(descending=True, stable=True)
    falling = imbalance ** (-torch.arange(len(order)) / (len(order) - 1))
    frequencies = torch.empty(len(order))
    frequencies[order] = falling / falling.sum()
    return frequencies


def figures_after_training(
    trained: TrainedModel,
    data: TrainingData,
    asked: Asked,
    held_out: Callable[[], tuple[Images, str]],
    *,
    device: torch.device,
    workers: int = 0,
) -> list[dict[str, Any]]:
    """Accuracies on the test set under each option that is asked for, one row each.

    Args:
        trained: the run, on the device.
        data: what it learned from and is tested on.
        asked: the options.
        held_out: images that values are chosen on, and where they come from; called only if needed.
        device: where to compute.
        workers: processes that decode image files.

    Raises:
        ValueError: an option does not fit the run, or there is nothing to choose on.
    """
    counts, classes = trained.class_counts, len(trained.class_counts)

    @cache
    def on(images: str) -> Outputs:
        chosen = {"test": lambda: data.test, "train": lambda: data.train, "held-out": lambda: held_out()[0]}
        return outputs_on(trained, chosen[images](), device, workers)

    def row(
        name: str, value: str | None, values: Sequence[float], logits: Callable[[Outputs, float], Tensor]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {"option": name}
        if value == "choose":
            best, its_accuracy = choose(values, lambda v: logits(on("held-out"), v), on("held-out").labels)
            found |= {"value": best, "chosen_on": held_out()[1], "held_out_accuracy": its_accuracy}
        else:
            found |= {"value": float(value or 0)}
        predictions = logits(on("test"), found["value"]).argmax(dim=1)
        of_test = accuracy(predictions, data.test.labels, counts)
        shots = {name: getattr(of_test, name) for name in ("top1", "many", "medium", "few", "class_average")}
        if name == "prior-shift" and target is not None:
            per_class = torch.tensor([math.nan if a is None else a for a in of_test.per_class])
            shots |= {"target_imbalance": asked.target_imbalance, "top1": float((target * per_class).sum())}
        return found | shots

    target = None
    if asked.target_imbalance is not None:
        target = target_frequencies(counts, asked.target_imbalance)
    rows = []
    if asked.tau_norm is not None:
        rows.append(
            row(
                "tau-norm",
                asked.tau_norm,
                EXPONENTS,
                lambda outputs, tau: tau_norm_logits(outputs.features, trained.method, tau),
            )
        )
    if asked.prior_shift is not None:
        rows.append(
            row(
                "prior-shift",
                asked.prior_shift,
                EXPONENTS,
                lambda outputs, exponent: shifted_logits(
                    logits_as_trained(outputs, trained.method),
                    counts,
                    exponent,
                    target if outputs is on("test") else None,
                ),
            )
        )
    if asked.knn is not None:
        neighbours = asked.knn
        rows.append(
            row(
                "knn",
                str(neighbours),
                (),
                lambda outputs, _: nearest_neighbour_logits(
                    outputs.features, on("train"), classes, neighbours
                ),
            )
        )
    if asked.linear_probe is not None:
        fitted = cache(lambda decay: linear_probe(on("train"), classes, decay))
        rows.append(
            row(
                "linear-probe",
                asked.linear_probe,
                DECAYS,
                lambda outputs, decay: fitted(decay).logits(outputs.features),
            )
        )
    return rows
