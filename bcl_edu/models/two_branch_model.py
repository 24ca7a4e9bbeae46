"""The two-branch network of the paper: a classifier branch and a contrastive branch on one backbone."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from bcl_edu.models.heads import Classifier, ProjectionHead, PrototypeHead


class TwoBranchOutput(NamedTuple):
    """Outputs of one pass over three views, as the losses take them.

    Attributes:
        logits: of v1 from the classifier, shape (n, K).
        embeddings: z of v2, then of v3: row i and row n + i belong to one image, shape (2n, D), unit length.
        prototypes: c_k made from the classifier's rows, shape (K, D), unit length; None without prototype head.
    """

    logits: Float[Tensor, "n classes"]
    embeddings: Float[Tensor, "n2 dim"]
    prototypes: Float[Tensor, "classes dim"] | None


class TwoBranchModel(nn.Module):
    """Backbone, classifier, projection head and prototype head.

    ``model.to(memory_format=torch.channels_last)`` is enough for channels-last speed: convolutions follow
    their weights, whatever the images' own format.

    Args:
        backbone: images to features, with ``feature_dim`` and ``in_channels``.
        classifier: features to logits; its ``weight`` rows (K, feature_dim) feed the prototype head.
        projection: features to embeddings on the unit sphere.
        prototype_head: classifier rows to prototypes on the same sphere; None where the loss has no prototypes.
    """

    def __init__(
        self,
        backbone: nn.Module,
        classifier: Classifier,
        projection: ProjectionHead,
        prototype_head: PrototypeHead | None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier
        self.projection = projection
        self.prototype_head = prototype_head

    def forward(self, views: Float[Tensor, "3 n c h w"]) -> TwoBranchOutput:
        """Logits of v1, embeddings of v2 and v3, and the prototypes, in one backbone pass.

        One pass over the 3n images is not only faster than three: batch normalisation then sees all views
        together, as in the authors' code.

        Args:
            views: normalised images, v1, v2 and v3 of each sample, shape (3, n, channels, height, width).

        Raises:
            ValueError: not three views, or images that the backbone refuses.
        """
        if views.ndim != 5 or views.shape[0] != 3:
            raise ValueError(
                f"views of shape {tuple(views.shape)}, expected (3, n, channels, height, width); "
                "a DataLoader's (n, 3, ...) needs views.transpose(0, 1), plain images model.classify(images)"
            )
        number = views.shape[1]
        features: Tensor = self.backbone(views.flatten(0, 1))
        return TwoBranchOutput(
            logits=self.classifier(features[:number]),
            embeddings=self.projection(features[number:]),
            prototypes=self.prototypes(),
        )

    def features(self, images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n feature_dim"]:
        """Backbone features of normalised images."""
        features: Tensor = self.backbone(images)
        return features

    def classify(self, images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n classes"]:
        """Logits of normalised images: what is evaluated."""
        logits: Tensor = self.classifier(self.features(images))
        return logits

    def embed(self, images: Float[Tensor, "n c height width"]) -> Float[Tensor, "n dim"]:
        """Embeddings of normalised images on the unit sphere."""
        embeddings: Tensor = self.projection(self.features(images))
        return embeddings

    def prototypes(self) -> Float[Tensor, "classes dim"] | None:
        """Prototypes c_k, a function of the classifier's weights: gradients reach both."""
        if self.prototype_head is None:
            return None
        prototypes: Tensor = self.prototype_head(self.classifier.weight)
        return prototypes
