"""Write balsup_fixture.json: value and gradient of Eq. 9 on one small batch, by loops over its terms.

    python tests/losses/make_balsup_fixture.py

The setting is that in which the authors define their published loss, BalSCL: two views of a batch, one prototype row
a class, mean over the 2B anchors, temperature 0.1. Nothing of the package is used. Inputs are numbers that float32
holds exactly, so that a float32 and a float64 implementation are given the same batch.
"""

import json
import os
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

FIXTURE = Path(__file__).with_name("balsup_fixture.json")
LABELS = [0, 0, 0, 1, 1, 4]  # of 5 classes: 2 and 3 are absent, 4 has one sample
NUM_CLASSES, DIM, TEMPERATURE = 5, 8, 0.1


def equation_9(z: list[Tensor], y: list[int], c: list[Tensor]) -> Tensor:
    """Mean of L_i over the anchors z_i, one term after the other."""
    losses = []
    for i in range(len(z)):
        positives = [z[p] for p in range(len(z)) if p != i and y[p] == y[i]] + [c[y[i]]]

        denominator = torch.zeros((), dtype=torch.float64)
        for j in range(len(c)):
            members = [z[k] for k in range(len(z)) if y[k] == j and k != i] + [c[j]]  # (B_j \ {i}) and c_j
            for member in members:
                denominator = denominator + (z[i].dot(member) / TEMPERATURE).exp() / len(members)

        loss = torch.zeros((), dtype=torch.float64)
        for positive in positives:
            probability = (z[i].dot(positive) / TEMPERATURE).exp() / denominator
            loss = loss - probability.log() / len(positives)
        losses.append(loss)
    return torch.stack(losses).mean()


def compute() -> dict:
    """The fixture: inputs, loss and the gradient with respect to every coordinate."""
    generator = torch.Generator().manual_seed(9)
    labels = LABELS + LABELS  # the second view repeats them

    def points(n: int) -> list[Tensor]:
        vectors = normalize(torch.randn(n, DIM, generator=generator, dtype=torch.float64), dim=1)
        return [vector.float().double().requires_grad_() for vector in vectors]

    z, c = points(len(labels)), points(NUM_CLASSES)
    loss = equation_9(z, labels, c)
    loss.backward()
    return {
        "equation": "Eq. 9 of Zhu et al. (CVPR 2022), two views, mean over the 2B anchors",
        "temperature": TEMPERATURE,
        "labels": labels,
        "embeddings": [vector.tolist() for vector in z],
        "prototypes": [vector.tolist() for vector in c],
        "loss": loss.item(),
        "embeddings_gradient": [vector.grad.tolist() for vector in z],
        "prototypes_gradient": [vector.grad.tolist() for vector in c],
    }


if __name__ == "__main__":
    temporary = FIXTURE.with_suffix(".tmp")
    temporary.write_text(json.dumps(compute(), indent=1) + "\n")
    os.replace(temporary, FIXTURE)
    print(f"wrote {FIXTURE}")
