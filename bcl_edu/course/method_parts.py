"""Parts of training and prediction that a method touches, found by building it for the long-tailed digits.

The yardstick is cross-entropy on one view of shuffled images, with one linear layer, in one stage. Nothing here is
written down by method: losses are compared in value, networks parameter by parameter, and stages and samplers are those
that the method returns.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from bcl_edu.course.untrained import LARGEST_CLASS
from bcl_edu.data import exponential_profile
from bcl_edu.methods import Batch, ByClass, ClassAware, Clock, Method, Sampler, Shuffled, Stage, build_method
from bcl_edu.rows import RECIPES

YARDSTICK = "ce"
"""The method that touches nothing."""

IMAGE_SHAPE = (1, 8, 8)
BATCH = 64
LATE = 0.95
"""Share of a stage after which its loss is looked at too: deferred weights and augmented losses begin late."""

Network = Literal["same", "in training", "in prediction"]


@dataclass(frozen=True)
class MethodParts:
    """Differences of a method from cross-entropy.

    Attributes:
        loss: whether any stage's loss is not, up to a factor, the cross-entropy of the classifier on the batch.
        samplers: how images are drawn where they are not only shuffled, in words.
        views: most views of an image in one step.
        network: whether there are other parameters, and whether predictions depend on them or training alone.
        extra: the parts of the network that cross-entropy has not, or has otherwise.
        memory: whether something besides the parameters is carried from step to step: a queue, running means.
        stages: names of the stages.
        prediction: whether logits are computed from the features by more than the classifier.
    """

    loss: bool
    samplers: tuple[str, ...]
    views: int
    network: Network
    extra: tuple[str, ...]
    memory: bool
    stages: tuple[str, ...]
    prediction: bool

    @property
    def touched(self) -> frozenset[str]:
        """Names of what is touched, of `loss`, `sampler`, `views`, `network`, `memory`, `stages`, `prediction`."""
        found = {
            "loss": self.loss,
            "sampler": bool(self.samplers),
            "views": self.views > 1,
            "network": self.network != "same",
            "memory": self.memory,
            "stages": len(self.stages) > 1,
            "prediction": self.prediction,
        }
        return frozenset(name for name, is_touched in found.items() if is_touched)


@cache
def method_parts(name: str) -> MethodParts:
    """Parts that the method of this name touches, with the options it has on the digits under the common protocol.

    Raises:
        ValueError: there is no such method.
    """
    method = _built(name)
    stages = method.stages()
    network, extra = _network(method)
    return MethodParts(
        loss=method.owns_gradients or not all(_is_cross_entropy(method, stage) for stage in stages),
        samplers=tuple(dict.fromkeys(_drawn(stages))),
        views=max(len(stage.views.views) for stage in stages),
        network=network,
        extra=extra,
        memory=_carries_something(method),
        stages=tuple(stage.name for stage in stages),
        prediction=type(method).logits is not Method.logits,
    )


def _built(name: str) -> Method:
    """The method with fresh weights, the same ones every time; torch's global generator is left as it was."""
    recipe = RECIPES["digits-lt"][1].change(method=name, protocol="common")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_method(recipe, exponential_profile(LARGEST_CLASS, 10, 50), IMAGE_SHAPE)


# ---- the loss


def _is_cross_entropy(method: Method, stage: Stage) -> bool:
    """True if the loss of a stage, early and late, is one multiple of the classifier's cross-entropy.

    Two batches of noise decide: a loss that is another function of the logits has another ratio on each.
    """
    method.eval()  # running statistics: each image is classified as it would be alone
    method.begin(stage)
    ratios = []
    for seed, done in itertools.product((0, 1), (0.0, LATE)):
        batch = _noise(stage, seed)
        clock = Clock(0, stage.name, int(done * stage.epochs), stage.epochs, 0, 6, 0.1)
        with torch.no_grad():
            ratios.append(method(batch, clock)["loss"] / _cross_entropy(method, batch))
    return bool(torch.isclose(torch.stack(ratios), ratios[0], rtol=1e-4).all())


def _noise(stage: Stage, seed: int) -> Batch:
    """A batch as the stage has it, of images without meaning."""
    generator = torch.Generator().manual_seed(seed)

    def batch(views: int, size: int) -> Batch:
        images = torch.randn(views, size, *IMAGE_SHAPE, generator=generator)
        return Batch(images, torch.randint(0, 10, (size,), generator=generator), torch.arange(size))

    own = batch(len(stage.views.views), min(stage.batch_size, BATCH))
    streams = {
        name: batch(len(stream.views.views), min(stream.batch_size, BATCH))
        for name, stream in stage.streams.items()
    }
    return Batch(own.views, own.labels, own.indices, streams=streams)


def _cross_entropy(method: Method, batch: Batch) -> Tensor:
    """Of the first view, before whatever the method does to logits in prediction; of branches, of their joint ones."""
    features = method.features(batch.views[0])
    classifier: Any = method.classifier
    has_one = getattr(classifier, "weight", features.T).shape[1] == features.shape[1]
    logits: Tensor = classifier(features) if has_one else method.logits(features)
    return functional.cross_entropy(logits, batch.labels)


# ---- which images


def _drawn(stages: Iterable[Stage]) -> Iterable[str]:
    """Sampling of images in the stages and in the streams beside them, where that is not by shuffling alone."""
    for stage in stages:
        if not isinstance(stage.sampler, Shuffled):
            yield _in_words(stage.sampler)
        for stream in stage.streams.values():
            yield _in_words(stream.sampler) + (
                " among images set aside" if stream.set_aside else " in a second batch"
            )


def _in_words(sampler: Sampler) -> str:
    if isinstance(sampler, ClassAware):
        return "classes in turn"
    if isinstance(sampler, ByClass):
        return "rare classes more often" if sampler.power > 0 else "classes alike"
    return type(sampler).__name__.lower()


# ---- the network


def _network(method: Method) -> tuple[Network, tuple[str, ...]]:
    """Differences of the parameters from cross-entropy's, where they matter, and the parts that they are in."""
    usual = {name: value.shape for name, value in _built(YARDSTICK).named_parameters()}
    ours = {name: value.shape for name, value in method.named_parameters()}
    other = {name for name in usual | ours if usual.get(name) != ours.get(name)}
    if not other:
        return "same", ()
    method.eval()
    method.zero_grad()
    method.predict(
        torch.randn(4, *IMAGE_SHAPE, generator=torch.Generator().manual_seed(0))
    ).logits.sum().backward()
    predicting = {name for name, value in method.named_parameters() if value.grad is not None}
    missing = other - ours.keys()  # a bias that the classifier has not
    extra = tuple(dict.fromkeys(name.split(".")[0] for name in (*ours, *usual) if name in other))
    return ("in prediction" if other & predicting or missing else "in training"), extra


def _carries_something(method: Method) -> bool:
    """True if steps leave something behind for later ones, or an epoch begins with a look at all images."""
    looks = type(method).before_epoch is not Method.before_epoch
    return method.forward_changes_state or method.owns_gradients or looks
