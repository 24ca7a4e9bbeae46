"""LADE, and Balanced Softmax, which is its first part.

Balanced Softmax adds the logarithm of the class prior to the logits in training, so that without it they
predict as if all classes were equally frequent. LADE adds a regulariser, LADER, which makes each logit an
estimate of the logarithm of p(x | class) / p(x) under uniform classes, by a bound on a divergence
(Donsker-Varadhan) that the batch estimates. Then any target prior p can be added at inference; for the
balanced test set, none.

Source: Ren et al., "Balanced Meta-Softmax" (NeurIPS 2020); Hong et al., "Disentangling Label Distribution for
Long-tailed Visual Recognition" (CVPR 2021), and their code, https://github.com/hyperconnect/LADE, revision
5db5d13. Paper and code weigh differently in LADER (`importance`): the paper by the class of the sample,
p_u(y_i) / pi(y_i), over the classes of the batch; the code by the class of the logit, p_u / pi_c, over all
classes. The published figures are the code's, which is the default here.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from bcl_edu.losses import logit_compensated_cross_entropy
from bcl_edu.methods.protocol import Batch, Clock, Method
from bcl_edu.methods.stage import Stage, main_stage
from bcl_edu.models import build_classifier
from bcl_edu.recipe import Recipe
from bcl_edu.rows.lade_rows import LADE, BalancedSoftmax


class DisentangledLabels(Method):
    """Backbone and classifier on v1: L = Balanced Softmax + alpha LADER."""

    def __init__(
        self, recipe: Recipe, class_counts: Int[Tensor, " k"], image_shape: tuple[int, int, int]
    ) -> None:
        super().__init__(recipe, class_counts, image_shape)
        assert isinstance(recipe.method, BalancedSoftmax)
        self.options: BalancedSoftmax = recipe.method
        self.classifier = build_classifier(self.options.classifier, self.feature_dim, self.num_classes)

    def stages(self) -> list[Stage]:
        """One stage, on v1 alone."""
        return [main_stage(self.recipe, self.policy(views=1))]

    def forward(self, batch: Batch, clock: Clock) -> dict[str, Tensor]:
        """The loss, and of LADE both its parts unweighted."""
        logits = batch.gather(self.classifier(self.extract(batch.views[0])))
        labels = batch.gather(batch.labels)
        compensated = logit_compensated_cross_entropy(logits, labels, self.class_counts, check=False)
        if not isinstance(self.options, LADE):
            return {"loss": compensated}
        regulariser = lader(
            logits,
            labels,
            self.class_counts,
            strength=self.options.strength,
            by_sample=self.options.importance == "sample",
        )
        total = compensated + self.options.alpha * regulariser
        return {"loss": total, "classification": compensated, "regulariser": regulariser}


def lader(
    logits: Float[Tensor, "n k"],
    labels: Int[Tensor, " n"],
    class_counts: Int[Tensor, " k"],
    *,
    strength: float,
    by_sample: bool,
) -> Float[Tensor, ""]:
    """The regulariser of the whole batch.

        LADER = sum_c pi_c [ -mean_{i: y_i = c} f_i[c] + S_c + lambda S_c^2 ]

    with S_c = log mean_i (w exp f_i[c]), where w is 1 / (K pi) of the sample's class, or of c. A class that
    is not in the batch has no first term; by sample it is left out, by logit it keeps S_c.

    Args:
        logits: f, shape (n, k).
        labels: y, shape (n,).
        class_counts: of the training set, whose shares are pi, shape (k,).
        strength: lambda.
        by_sample: whether the sample's class weighs, as in the paper, or the logit's, as in the code.

    Source: Hong et al. (CVPR 2021), Eq. 9 and 10.
    """
    f = logits.to(torch.promote_types(logits.dtype, torch.float32))
    log_prior = (class_counts.to(f.dtype) / class_counts.sum()).log()
    s = log_normalisers(f, labels, log_prior, by_sample=by_sample)
    terms = log_prior.exp() * (-own_logits(f, labels) + s + strength * s.square())
    in_batch = torch.zeros_like(log_prior).index_fill(0, labels.long(), 1.0)
    return (terms * in_batch).sum() if by_sample else terms.sum()


def log_normalisers(
    logits: Float[Tensor, "n k"],
    labels: Int[Tensor, " n"],
    log_prior: Float[Tensor, " k"],
    *,
    by_sample: bool,
) -> Float[Tensor, " k"]:
    """S_c = log mean_i (w exp f_i[c]) of the batch, where w is 1 / (K pi) of the sample's class, or of c."""
    log_weight = -math.log(len(log_prior)) - log_prior  # log p_u / pi
    weighted = logits + (log_weight[labels][:, None] if by_sample else log_weight)
    return weighted.logsumexp(dim=0) - math.log(len(logits))


def own_logits(logits: Float[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Float[Tensor, " k"]:
    """Mean over the batch's samples of a class of its own logit, mean_{i: y_i = c} f_i[c]; 0 without one."""
    own = functional.one_hot(labels.long(), logits.shape[1]).to(logits.dtype)
    return (own * logits).sum(dim=0) / own.sum(dim=0).clamp(min=1)
