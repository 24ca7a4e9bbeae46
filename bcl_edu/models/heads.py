"""Multilayer perceptrons of contrastive branches: for images, for classes, and one without batch normalisation.

The first two are Linear, batch normalisation, ReLU, Linear, and end on the unit sphere (Figure 3 of the paper; the
authors' code has batch normalisation in both). The paper's sizes are 64 -> 512 -> 128 on CIFAR and
2048 -> 2048 -> 1024 on ImageNet-LT and iNaturalist.
"""

from jaxtyping import Float
from torch import Tensor, nn

from bcl_edu.models.precision import unit_rows


class ProjectionHead(nn.Module):
    """Features to embeddings z_i on the unit sphere.

    Args:
        in_dim: length of a feature vector.
        hidden_dim: width of the hidden layer.
        out_dim: D, dimension of the sphere's space.
    """

    def __init__(self, in_dim: int, hidden_dim: int = 512, out_dim: int = 128) -> None:
        super().__init__()
        for name, value in (("in_dim", in_dim), ("hidden_dim", hidden_dim), ("out_dim", out_dim)):
            if value < 1:
                raise ValueError(f"{name} = {value}, expected at least 1")
        self.layers = nn.Sequential(
            nn.Linear(in_dim, hidden_dim),
            nn.BatchNorm1d(hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_dim, out_dim),
        )

    def forward(self, rows: Float[Tensor, "n in_dim"]) -> Float[Tensor, "n out_dim"]:
        """Unit vectors of shape (n, out_dim), in float32 at least, also under autocast."""
        return unit_rows(self.layers(rows))


class PrototypeHead(ProjectionHead):
    """Classifier weight rows to class prototypes c_k on the same sphere: the same layers, other weights.

    Its batch normalisation averages over the K classes, each counted once whatever the imbalance.

    Attributes:
        same_on_every_rank: its input is the same on all ranks of a run, so its batch statistics need no exchange.
    """

    same_on_every_rank = True


class PlainHead(nn.Module):
    """Features to unit vectors through one linear layer, or two with a ReLU between them.

    Args:
        in_dim: length of a feature vector.
        hidden: width of the hidden layer; 0 for none.
        out_dim: D.
    """

    def __init__(self, in_dim: int, hidden: int, out_dim: int) -> None:
        super().__init__()
        layers = (
            [nn.Linear(in_dim, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, out_dim)]
            if hidden
            else [nn.Linear(in_dim, out_dim)]
        )
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Float[Tensor, "n in_dim"]) -> Float[Tensor, "n out_dim"]:
        """Unit vectors, in float32 at least."""
        return unit_rows(self.layers(features))
