"""BBN: two branches, one on samples as they come, one on rare classes, and a weight that moves to the second.

Everything but the last residual block is shared; one copy of it sees the training images as they come, the other
sees images drawn with probabilities inverse to the class counts. Each pair of features is mixed, alpha to 1 -
alpha, into one vector of logits, on which both labels are learned with the same weights. As alpha falls from 1 to 0
over the training, the network goes from learning features to learning the tail.

Source: Zhou et al., "BBN" (CVPR 2020); https://github.com/megvii-research/BBN. Where they disagree we follow the
code:

- It counts epochs from 0, so alpha begins at 1; the paper from 1, so that alpha ends at 0 (`alpha_from_one`).
- For 90 or 180 epochs it divides by 100 or 200 (`alpha_epochs`).
- It has one linear layer on both features, with a bias, and doubles the mixed features; the paper has two layers
  without bias. But for the bias this is the same function, its weights scaled, and at alpha = 1/2 that of
  inference. So the form with two layers is not offered.
- Its two streams go through the network one after the other, each with batch statistics of its own.
"""

from __future__ import annotations

from dataclasses import replace

from jaxtyping import Float, Int
from torch import Tensor, cat, nn
from torch.nn import functional

from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.methods.samplers import ByClass
from bcl_edu.methods.stage import Stage, Stream, main_stage, scaled_epoch
from bcl_edu.models import LinearClassifier
from bcl_edu.models.bilateral import Side, build_bilateral
from bcl_edu.recipe import Recipe
from bcl_edu.rows.bbn_rows import BBN


class BilateralBranch(Method):
    """Bilateral backbone and one linear layer on the features of both its sides."""

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, BBN)
        self.options = recipe.method
        self.classifier = LinearClassifier(self.feature_dim, self.num_classes)

    def build_backbone(self) -> nn.Module:
        """The recipe's backbone with its last block twice."""
        return build_bilateral(self.recipe.backbone, self.image_shape[0])

    def stages(self) -> list[Stage]:
        """One stage, with a stream in which a class is the more frequent the rarer it is; both in whole batches."""
        views = self.policy(views=1)
        stage = main_stage(self.recipe, views)
        reversed_ = Stream(sampler=ByClass(power=1.0), batch_size=stage.batch_size, views=views)
        return [replace(stage, streams={"reversed": reversed_}, drop_last=True)]

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """alpha CE(z, y_c) + (1 - alpha) CE(z, y_r) of the mixed logits z."""
        options, rare = self.options, batch.streams["reversed"]
        conventional = batch.gather(self._side(batch.views[0], "conventional"))  # f_c
        rebalancing = rare.gather(self._side(rare.views[0], "rebalancing"))  # f_r
        epochs = None if options.alpha_epochs is None else scaled_epoch(self.recipe, options.alpha_epochs)
        alpha = parabolic(clock, epochs=epochs, from_one=options.alpha_from_one)
        logits = self.classifier(mixed_features(conventional, rebalancing, alpha))
        loss = bbn_loss(logits, batch.gather(batch.labels), rare.gather(rare.labels), alpha)
        return {"loss": loss}

    def _side(self, images: Float[Tensor, "n c height width"], side: Side) -> Float[Tensor, "n half"]:
        features: Tensor = self.network(images, side)
        return features


def mixed_features(
    conventional: Float[Tensor, "n h"], rebalancing: Float[Tensor, "n h"], alpha: float
) -> Float[Tensor, "n h2"]:
    """2 (alpha f_c, (1 - alpha) f_r), side by side; at alpha = 1/2 the features of inference."""
    return 2 * cat([alpha * conventional, (1 - alpha) * rebalancing], dim=1)


def bbn_loss(
    logits: Float[Tensor, "n k"], conventional: Int[Tensor, " n"], reversed_: Int[Tensor, " n"], alpha: float
) -> Float[Tensor, ""]:
    """Cross-entropy of one vector of logits with both labels of its pair.

    Args:
        logits: of the mixed features.
        conventional: class of each first image.
        reversed_: class of each second image.
        alpha: weight of the first.

    Source: Zhou et al. (CVPR 2020), Eq. 4.
    """
    first = functional.cross_entropy(logits, conventional)
    return alpha * first + (1 - alpha) * functional.cross_entropy(logits, reversed_)


def parabolic(clock: Clock, *, epochs: int | None = None, from_one: bool = False) -> float:
    """alpha = 1 - (T / T_max)^2, constant within an epoch.

    Args:
        clock: tells the epoch.
        epochs: T_max; by default the stage's.
        from_one: count epochs from 1, so that alpha ends at 0; from 0, it begins at 1.

    Source: Zhou et al., "BBN" (CVPR 2020), Eq. 5, which counts from 1; their code from 0.
    """
    return 1 - ((clock.epoch + from_one) / (epochs or clock.epochs)) ** 2
