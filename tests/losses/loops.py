"""The paper's contrastive losses as loops over samples: slow, obvious, and sharing nothing with the package."""

import math
from collections.abc import Iterable

from torch import Tensor


def mean(values: Iterable[float]) -> float:
    values = list(values)
    return math.fsum(values) / len(values)


def loss_by_loops(
    embeddings: Tensor,
    labels: Tensor,
    prototypes: Tensor | None = None,
    *,
    averaging: str,
    complement: bool,
    class_balanced_anchors: bool = False,
    temperature: float,
) -> float:
    z, y, c = embeddings.tolist(), labels.tolist(), [] if prototypes is None else prototypes.tolist()

    losses: dict[int, list[float]] = {}  # class -> the losses of its anchors
    for i in range(len(z)):

        def logit(vector: list[float], anchor: list[float] = z[i]) -> float:
            return math.fsum(a * b for a, b in zip(anchor, vector, strict=True)) / temperature

        if averaging == "prototypes":  # Eq. 8: no sample has a part in the loss of another
            own = logit(c[y[i]])
            denominator = math.fsum(math.exp(logit(c_j) - own) for c_j in c)
            losses.setdefault(y[i], []).append(math.log(denominator))
            continue
        positives = [logit(z[p]) for p in range(len(z)) if p != i and y[p] == y[i]]
        by_class: dict[int, list[float]] = {}
        for k in range(len(z)):
            if k != i:
                by_class.setdefault(y[k], []).append(logit(z[k]))
        if complement:
            positives.append(logit(c[y[i]]))
            for j in range(len(c)):
                by_class.setdefault(j, []).append(logit(c[j]))

        if averaging == "none":  # Eq. 2
            denominator = sum(math.exp(logit_ik) for group in by_class.values() for logit_ik in group)
        elif averaging == "outside":  # Eq. 6, Eq. 9
            denominator = sum(mean(map(math.exp, group)) for group in by_class.values())
        else:  # Eq. 7
            denominator = sum(math.exp(mean(group)) for group in by_class.values())

        if positives:
            losses.setdefault(y[i], []).append(
                mean(math.log(denominator) - logit_ip for logit_ip in positives)
            )

    if not losses:
        return 0.0
    if class_balanced_anchors:
        return mean(mean(of_class) for of_class in losses.values())
    return mean(loss for of_class in losses.values() for loss in of_class)
