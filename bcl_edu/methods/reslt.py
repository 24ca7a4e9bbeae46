"""ResLT: three branches on one backbone, for all classes, for the rarer and for the rarest, whose logits add up.

The first branch learns every class, the second medium and tail classes, the third the tail alone: each corrects what
those before it leave wrong on rare classes. One linear layer makes the logits of all three, and images are
classified by their sum. The loss mixes the branches' own cross-entropies with that of the sum.

Source: Cui et al., "ResLT: Residual Learning for Long-Tailed Recognition"; https://github.com/jiequancui/ResLT. We
follow the code for CIFAR:

- A branch is batch normalisation of the backbone's maps, without ReLU; a comment there says that the paper has 1 x 1
  convolutions (`convolutions`), which the code has on photographs.
- A branch's cross-entropy is -log(p + 1e-7), at most 16.1; a sample whose probability is far below 1e-7 has next to
  no gradient (`epsilon`). That of the sum is a plain one.
- Medium and tail classes are the last ones by index; here they are the rarest by their counts, which on CIFAR's
  exponential profile are the same.

Its other forms for photographs are not here: weight rows divided by a power of their length and no bias in evaluation,
two branches on iNaturalist, and on ImageNet-LT an evaluation that pools before the branches, not after them.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.methods.stage import Stage, main_stage
from bcl_edu.models import DigitsNet, LinearClassifier, ResNetCifar, ResNetImageNet, build_backbone
from bcl_edu.models.experts import Experts
from bcl_edu.recipe import Recipe
from bcl_edu.rows.reslt_rows import ResLT

BRANCHES = 3
MEDIUM_SHOT, FEW_SHOT = 100, 20
"""Most images of a medium-shot class, and the number that a few-shot class stays below."""


class ResidualBranches(Method):
    """Backbone, three branches on its maps, and one linear layer for the features of each.

    Attributes:
        learned: whether a branch learns a class, shape (3, k), as a buffer that is no part of the state.
    """

    extendable = True
    learned: Tensor

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        self.options = options = _options(recipe)
        self.classifier = LinearClassifier(self.feature_dim // BRANCHES, self.num_classes)
        self.register_buffer("learned", learned_classes(class_counts, options), persistent=False)

    def build_backbone(self) -> nn.Module:
        """The recipe's backbone with the branches between its last maps and the mean over positions."""
        recipe = self.recipe
        return build_branches(
            recipe.backbone, self.image_shape[0], convolutions=_options(recipe).convolutions
        )

    def stages(self) -> list[Stage]:
        """One stage, on v1 alone."""
        return [main_stage(self.recipe, self.policy(views=1))]

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """The branches' losses and that of their sum, mixed."""
        options = self.options
        logits = batch.gather(self._branch_logits(self.extract(batch.views[0])))
        labels = batch.gather(batch.labels)
        branches = branch_loss(logits, labels, self.learned, epsilon=options.epsilon)
        fusion = fusion_loss(logits, labels)
        loss = options.branch_weight * branches + (1 - options.branch_weight) * fusion
        return {"loss": loss, "branches": branches, "fusion": fusion}

    def logits(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n k"]:
        """Sum of the branches' logits, in which the bias counts three times."""
        return self._branch_logits(features).sum(dim=1)

    def _branch_logits(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n 3 k"]:
        logits: Tensor = self.classifier(features.unflatten(1, (BRANCHES, -1)))
        return logits


# ---- the losses


def branch_loss(
    logits: Float[Tensor, "n 3 k"],
    labels: Int[Tensor, " n"],
    learned: Bool[Tensor, "3 k"],
    *,
    epsilon: float = 1e-7,
) -> Float[Tensor, ""]:
    """Mean cross-entropy over all pairs of a sample and a branch that learns its class.

    A sample of a tail class counts three times, one of a head class once; the divisor is the number of pairs, not of
    samples. No class is left out of a softmax.

    Args:
        logits: of each branch.
        labels: classes of the samples.
        learned: whether a branch learns a class.
        epsilon: added to a probability before its logarithm; 0 for plain cross-entropy.

    Source: the code of Cui et al.
    """
    pairs = learned[:, labels].T  # (n, 3)
    log_p = _at_least_float32(logits).log_softmax(dim=2)
    log_p = log_p.gather(2, labels[:, None, None].expand(-1, BRANCHES, 1)).squeeze(2)
    floor = math.log(epsilon) if epsilon > 0 else -math.inf
    losses = -torch.logaddexp(log_p, log_p.new_tensor(floor))  # -log(p + epsilon)
    return (losses * pairs).sum() / pairs.sum()


def fusion_loss(logits: Float[Tensor, "n 3 k"], labels: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean cross-entropy of the branches' summed logits; arguments as in `branch_loss`.

    Source: the code of Cui et al., which adds no epsilon here.
    """
    return functional.cross_entropy(_at_least_float32(logits).sum(dim=1), labels)


def _at_least_float32(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


# ---- the branches


def learned_classes(class_counts: Int[Tensor, " k"], options: ResLT) -> Bool[Tensor, "3 k"]:
    """Mask of the classes that each branch learns: the first all, the second and third the rarer ones by the options.

    Of classes with equally many images the one with the higher index counts as the rarer.
    """
    if options.groups == "shots":
        second, third = class_counts <= MEDIUM_SHOT, class_counts < FEW_SHOT
    else:
        place = class_counts.argsort(descending=True, stable=True).argsort()  # 0 for the largest class
        from_the_end = len(class_counts) - place
        second, third = (
            from_the_end <= round(share * len(class_counts))
            for share in (options.second_share, options.third_share)
        )
    return torch.stack([torch.ones_like(second), second, third])


def build_branches(name: str, in_channels: int, *, convolutions: bool = False) -> Experts:
    """A backbone with three branches on its last maps, whose features stand side by side.

    Args:
        name: of the backbone: "digits_net", "resnet32", "resnet50" or "resnext50".
        in_channels: of the images.
        convolutions: a 1 x 1 convolution, batch normalisation and ReLU for each branch, not the second alone.

    Raises:
        ValueError: the backbone is another one.
    """
    whole = build_backbone(name, in_channels)
    if isinstance(whole, ResNetCifar):
        maps = nn.Sequential(whole.conv, whole.norm, nn.ReLU(inplace=True), *whole.blocks)
    elif isinstance(whole, DigitsNet):
        maps = whole.layers
    elif isinstance(whole, ResNetImageNet):
        layers = dict(whole.network.named_children())
        maps = nn.Sequential(*(layer for part, layer in layers.items() if part not in ("avgpool", "fc")))
    else:
        raise ValueError(
            f"the backbone {name!r} gives no maps to branch from; use digits_net, resnet32, resnet50 or resnext50"
        )
    width = whole.feature_dim

    def branch() -> nn.Module:
        if not convolutions:
            return nn.BatchNorm2d(width)
        convolution = nn.Conv2d(width, width, 1, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True))

    return Experts(maps, [branch() for _ in range(BRANCHES)], width, in_channels)


def _options(recipe: Recipe) -> ResLT:
    assert isinstance(recipe.method, ResLT)
    return recipe.method
