"""tau-normalisation: a classifier trained by cross-entropy, whose weight rows are made more alike afterwards.

Cross-entropy gives frequent classes long weight rows, and with them large logits. Dividing every row by a
power tau of its length undoes that: tau 0 leaves the rows as they are, at tau 1 all have length one. The bias
is dropped, nothing is trained, and any finished run with a linear classifier can be evaluated so.

Source: Kang et al., "Decoupling Representation and Classifier for Long-Tailed Recognition" (ICLR 2020), and
their code, https://github.com/facebookresearch/classifier-balancing (tau_norm.py).
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from bcl_edu.methods.protocol import Batch, Clock, Method, Prediction
from bcl_edu.methods.stage import Stage, main_stage
from bcl_edu.models import LinearClassifier
from bcl_edu.recipe import Recipe
from bcl_edu.rows.decoupling_rows import TauNorm


def tau_normalised(weight: Float[Tensor, "k h"], tau: float) -> Float[Tensor, "k h"]:
    """Rows w_k / |w_k|^tau.

    Source: Kang et al. (ICLR 2020), section 4.2, and their tau_norm.py.
    """
    return weight / weight.norm(dim=1, keepdim=True) ** tau


class TauNormalisation(Method):
    """Cross-entropy on v1; predictions from normalised rows."""

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, TauNorm)
        self.tau = recipe.method.tau
        self.classifier = LinearClassifier(self.feature_dim, self.num_classes)

    def stages(self) -> list[Stage]:
        """One stage, on v1 alone."""
        return [main_stage(self.recipe, self.policy(views=1))]

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """Cross-entropy, of the classifier as it is."""
        logits = batch.gather(self.classifier(self.extract(batch.views[0])))
        return {"loss": functional.cross_entropy(logits, batch.gather(batch.labels))}

    def logits(self, features: Float[Tensor, "n h"]) -> Float[Tensor, "n k"]:
        """Products with the normalised rows, without the bias."""
        return functional.linear(features, tau_normalised(self.classifier.weight, self.tau))

    def trained_logits(self, prediction: Prediction) -> Float[Tensor, "n k"]:
        """Logits of the classifier as it was trained: its rows as they are, and its bias."""
        logits: Tensor = self.classifier(prediction.features)
        return logits
