"""First batch of the contrastive loss in a row with many classes, without the row's photographs."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from bcl_edu.augment import batched_views, channel_statistics, normalise, view_policy
from bcl_edu.data import LabelledImages
from bcl_edu.data.digits import read_digits
from bcl_edu.models import DigitsNet, ProjectionHead, PrototypeHead, TwoBranchModel, build_classifier
from bcl_edu.recipe import Recipe
from bcl_edu.rows.bcl_rows import BCL


def untrained_branches(
    recipe: Recipe, num_classes: int, *, seed: int = 0
) -> tuple[Float[Tensor, "n2 dim"], Float[Tensor, "k dim"]]:
    """Embeddings and prototypes of a freshly initialised network with the heads of a row, in train mode.

    The images are digits, as many as the row's batch has, and the backbone is the small one for digits; classifier,
    projection head and prototype head are the row's. How similar images are is thus that of digits, not of photographs.

    Args:
        recipe: gives the classifier, the sizes of the heads and the batch size.
        num_classes: K, of the row's data set.
        seed: of the weights, the images and the views. The global random state is left as it was.

    Returns:
        Unit vectors in float64: v2 of all images, then v3, shape (2 batch_size, dim); and prototypes, shape (K, dim).

    Raises:
        ValueError: the recipe's method has no contrastive branch.
    """
    options = recipe.method
    if not isinstance(options, BCL):
        raise ValueError(f"method {options.name!r} has no contrastive branch; choose 'bcl', say")
    digits = read_digits().train
    assert isinstance(digits, LabelledImages)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        backbone = DigitsNet()
        width, hidden, out = backbone.feature_dim, options.head_hidden, options.head_dim
        model = TwoBranchModel(
            backbone,
            build_classifier(options.classifier, width, num_classes),
            ProjectionHead(width, hidden, out),
            PrototypeHead(width, hidden, out),
        )
        images = digits.images[torch.randperm(len(digits))[: recipe.batch_size]]
        seeds = range(seed * len(images), (seed + 1) * len(images))
        views = batched_views(view_policy("digits", image_size=8), images, seeds)
        output = model.train()(normalise(views, *channel_statistics(digits.images)))
    assert output.prototypes is not None
    return output.embeddings.double(), output.prototypes.double()
