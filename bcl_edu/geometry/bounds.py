r"""The paper's lower bounds (Theorems 1 to 3), computed: bound, loss, gap, attraction and repulsion.

**Theorem 1** (SCL). For an anchor i of class y, Jensen's inequality on the two halves of the denominator gives

    L_i >= log( |B_y| - 1 + |B_y^C| exp((repulsion_i - attraction_i) / tau) ),

with attraction_i the mean similarity to the other samples of its class and repulsion_i the mean similarity to all
samples of other classes. The repulsion is a mean over *samples*: head classes dominate it.

*Misprint.* Eq. 3 as printed closes the logarithm too early, log(|B_y| - 1) + |B_y^C| exp(...). Since
log(a + b) <= log a + b for a >= 1, the printed expression is larger, and it is no bound: the loss can be below it
(`as_printed=True` shows by how much).

**Theorem 2** (class-averaged). The same with averages: L_i >= log(1 + (Q - 1) exp((repulsion_i - attraction_i) / tau))
for Q classes in the batch, repulsion_i now being a mean over *classes* of the mean similarity to their samples.

**Theorem 3** (class-complement: every class is in the batch). The paper concludes that the loss of the data set D is at
least |D| log(1 + (K - 1) exp(-K / (K - 1))), attained only by the regular simplex.

*As printed, summed over all anchors, this fails when class counts differ.* K = 3, counts (200, 2, 2), tau = 1, classes
collapsed at u, -u, -u: the loss is about 0.25 a sample, below the claimed 0.369. Averaging the denominator over classes
does not balance the anchors, so the head gains by pushing all tail classes to one point opposite of it.

*Corrected.* Average the anchors of each class first. Then, with x = (repulsion - attraction) / tau,

    (1/K) sum_y (1/|B_y|) sum_{i in B_y} L_i
        >= mean over anchors of log(1 + (K - 1) exp x_i)          (Theorem 2)
        >= log(1 + (K - 1) exp(mean x))                           (Jensen: log(1 + (K - 1) e^x) is convex)
        >= log(1 + (K - 1) exp(-K / ((K - 1) tau)))               (below)

The last step, without prototypes: mean repulsion = (|sum_k mu_k|^2 - sum_k |mu_k|^2) / (K (K - 1)) >= -1 / (K - 1)
because |mu_k| <= 1, and mean attraction <= 1. Equality needs |mu_k| = 1 (collapse) and sum mu_k = 0, and in the Jensen
steps equal products: the regular simplex. Equal class counts make both means the same, which recovers the paper's
statement.

*With prototypes* (BCL with class-averaged anchors) the corrected bound holds for **any** unit prototypes, tied to the
class means or not, as long as every class has a sample in the batch. Write c_j = mu_j + d_j, b_j = 1 / (n_j + 1),
M = sum mu_j, D = sum b_j d_j. Class j's mean in the denominator is mu_j + b_j d_j and

    K (K - 1) mean(repulsion - attraction)
        = |M|^2 - sum |mu_j|^2 + sum b_j d_j.(M - mu_j) - (K - 1) sum ( |mu_j|^2 + (|mu_j|^2 + mu_j.d_j - 1) / n_j )

|c_j| <= 1 says mu_j.d_j <= (1 - |mu_j|^2 - |d_j|^2) / 2. Insert it: all terms in 1 - |mu_j|^2 have coefficients
((K - 1) / n_j - b_j) / 2 >= 0, and |d_j|^2 gets ((K - 1) / n_j + b_j) / 2 >= K b_j / 2, so that

        >= -K^2 + |M|^2 + M.D + (K / 2) sum b_j |d_j|^2  >=  -K^2 + |M|^2 + M.D + |D|^2  >=  -K^2,

using |D|^2 <= (sum b_j) sum b_j |d_j|^2 and sum b_j <= K / 2. Equality forces d = 0: the prototypes at the class means.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bcl_edu.counting import counted
from bcl_edu.losses import anchor_losses
from bcl_edu.losses.checks import check_batch

UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Bound:
    """A lower bound and what it bounds. All tensors are float64, of shape (n,) or scalars.

    Attributes:
        bound: the lower bound.
        loss: the loss that is bounded.
        attraction: mean similarity to positives, not divided by tau.
        repulsion: mean similarity to what repels, not divided by tau; NaN where nothing does.
    """

    bound: Float[Tensor, "..."]
    loss: Float[Tensor, "..."]
    attraction: Float[Tensor, "..."]
    repulsion: Float[Tensor, "..."]

    @property
    def gap(self) -> Float[Tensor, "..."]:
        """Loss minus bound; not negative if the bound is one."""
        return self.loss - self.bound


def theorem_1(
    embeddings: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    *,
    temperature: float = 1.0,
    as_printed: bool = False,
) -> Bound:
    """Lower bound of the supervised contrastive loss of each anchor of a batch (Theorem 1).

        L_i >= log( |B_y| - 1 + |B_y^C| exp((repulsion_i - attraction_i) / tau) )

    Summed over the anchors of a class it is the theorem's class-specific batch-wise bound. Equality holds when, seen
    from i, all similarities within its class are equal, and so are all to other classes. For all anchors at once any
    equidistant collapsed classes will do (three coordinate axes, say); a regular simplex is not needed.

    Args:
        embeddings: unit vectors z_i, shape (n, dim), any float dtype.
        labels: class of each embedding, shape (n,), values 0..K-1.
        temperature: tau > 0, divides every similarity.
        as_printed: evaluate Eq. 3 as it is printed, log(|B_y| - 1) + |B_y^C| exp(...), which is not a bound.

    Returns:
        Bound, loss, attraction and repulsion of each anchor, shape (n,); NaN for anchors that are alone in their
        class, since Eq. 1 gives them no loss.

    Raises:
        ValueError: shapes disagree, an embedding is not finite or not of unit length, a label is negative, or
            tau <= 0.

    Source: Zhu et al. (CVPR 2022), Theorem 1 and Eq. 3; it is Lemma S1 of Graf et al. (ICML 2021). The proof is
    Jensen's inequality.
    """
    z, y = _checked(embeddings, labels, None, temperature)
    loss = anchor_losses(z, y, averaging="none", temperature=temperature)
    similarity = z @ z.T
    positive, others = _masks(y)
    attraction = _mean_over(similarity, positive)
    repulsion = _mean_over(similarity, others)
    # without other classes nothing repels: the second term is 0, whatever its exponent
    repulsive = others.sum(dim=1) * ((repulsion - attraction) / temperature).nan_to_num(nan=0.0).exp()
    own = positive.sum(dim=1).to(z.dtype)
    bound = own.log() + repulsive if as_printed else (own + repulsive).log()
    return _of_anchors(loss.has_positive, bound, loss.value, attraction, repulsion)


def theorem_2(
    embeddings: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"] | None = None,
    *,
    temperature: float = 1.0,
) -> Bound:
    """Lower bound of the class-averaged loss of each anchor of a batch (Theorem 2).

        L_i >= log( 1 + (Q - 1) exp((repulsion_i - attraction_i) / tau) )

    attraction_i is the mean similarity to the other samples of class y, repulsion_i the mean over the other Q - 1
    classes of the mean similarity to their samples. Equality holds when, seen from i, all similarities within each
    averaged group are equal, and so are the groups.

    Args:
        embeddings: unit vectors z_i, shape (n, dim), any float dtype.
        labels: class of each embedding, shape (n,), values 0..K-1.
        prototypes: unit vectors c_j that join the batch (class-complement, Eq. 9), shape (K, dim): then Q = K, and
            each class's prototype is one more of its samples.
        temperature: tau > 0.

    Returns:
        Bound, loss (L1 or BCL), attraction and repulsion of each anchor, shape (n,); NaN for anchors without a
        positive.

    Raises:
        ValueError: as `theorem_1`; or a label has no prototype.

    Source: Zhu et al. (CVPR 2022), Theorem 2 and Eq. 4; the proof is Jensen's inequality, twice.
    """
    z, y = _checked(embeddings, labels, prototypes, temperature)
    keys, key_labels = z, y
    if prototypes is not None:
        keys = torch.cat([z, prototypes.to(z)])
        key_labels = torch.cat([y, torch.arange(len(prototypes), device=y.device)])
    loss = anchor_losses(
        z,
        y,
        None if prototypes is None else prototypes.to(z),
        averaging="outside",
        complement=prototypes is not None,
        temperature=temperature,
    )
    similarity = z @ keys.T
    positive, _ = _masks(y, key_labels)
    attraction = _mean_over(similarity, positive)

    classes = key_labels.unique()
    member = (key_labels[:, None] == classes[None, :]).to(z.dtype)
    class_mean = similarity @ member / member.sum(dim=0)  # of every class; the anchor's own is left out next
    other_class = y[:, None] != classes[None, :]
    repulsion = _mean_over(class_mean, other_class)
    exponent = ((repulsion - attraction) / temperature).nan_to_num(nan=0.0)
    bound = (other_class.sum(dim=1) * exponent.exp()).log1p()
    return _of_anchors(loss.has_positive, bound, loss.value, attraction, repulsion)


def theorem_3_as_printed(
    embeddings: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"] | None = None,
    *,
    temperature: float = 1.0,
) -> Bound:
    """Theorem 3's claim on the class-averaged loss, a mean over all anchors, which is false when class counts differ.

        (1/|D|) sum_i L_i  "is at least"  log(1 + (K - 1) exp(-K / ((K - 1) tau)))

    Both sides of the printed statement are divided by |D|. A negative gap refutes it; the module has the
    counter-example. Arguments, results and errors are those of `theorem_3_corrected`.

    Source: Zhu et al. (CVPR 2022), Theorem 3, with the temperature added.
    """
    return _theorem_3(embeddings, labels, prototypes, temperature, class_balanced_anchors=False)


def theorem_3_corrected(
    embeddings: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"] | None = None,
    *,
    temperature: float = 1.0,
) -> Bound:
    """Lower bound of the class-averaged loss with anchors averaged per class too (Theorem 3, corrected).

        (1/K) sum_y (1/|B_y|) sum_{i in B_y} L_i >= log(1 + (K - 1) exp(-K / ((K - 1) tau)))

    Equality holds only at collapse onto a regular simplex. The proof is at the top of this module.

    Args:
        embeddings: unit vectors z_i, shape (n, dim), any float dtype.
        labels: class of each embedding, shape (n,): every class 0..K-1 must be there, without prototypes at least
            twice.
        prototypes: unit vectors c_j that join the batch (class-complement), any at all, shape (K, dim).
        temperature: tau > 0.

    Returns:
        Bound, loss, and mean attraction and repulsion, scalars.

    Raises:
        ValueError: as `theorem_2`; or a class has no anchor with a loss, which the theorem assumes.

    Source: the correction is this project's; Zhu et al. (CVPR 2022), Theorem 3, is the case of equal counts.
    """
    return _theorem_3(embeddings, labels, prototypes, temperature, class_balanced_anchors=True)


def theorem_3_steps(
    embeddings: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"] | None = None,
    *,
    temperature: float = 1.0,
) -> dict[str, float]:
    """Every line of the proof of the corrected Theorem 3 as a number; none is larger than the one before it.

    Arguments and errors are those of `theorem_3_corrected`.

    Returns:
        "loss", "theorem 2" (mean of its bounds), "jensen" (bound at the mean exponent), "simplex" (the theorem).
    """
    per_anchor = theorem_2(embeddings, labels, prototypes, temperature=temperature)
    whole = theorem_3_corrected(embeddings, labels, prototypes, temperature=temperature)
    weight = _anchor_weight(labels, class_balanced_anchors=True)
    others = len(labels.unique()) - 1
    exponent = (whole.repulsion - whole.attraction) / temperature
    return {
        "loss": whole.loss.item(),
        "theorem 2": (weight * per_anchor.bound).sum().item(),
        "jensen": (others * exponent.exp()).log1p().item(),
        "simplex": whole.bound.item(),
    }


def _theorem_3(
    embeddings: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"] | None,
    temperature: float,
    *,
    class_balanced_anchors: bool,
) -> Bound:
    per_anchor = theorem_2(embeddings, labels, prototypes, temperature=temperature)
    num_classes = int(labels.max()) + 1 if prototypes is None else len(prototypes)
    sizes = torch.bincount(labels.long(), minlength=num_classes)
    needed = 2 if prototypes is None else 1
    if num_classes < 2 or (sizes < needed).any():
        short = int(sizes.argmin())
        raise ValueError(
            f"class {short} of {num_classes} has {counted(int(sizes[short]), 'sample')} in the batch; Theorem 3 "
            "assumes at "
            f"least two classes and at least {needed} of each (1 with prototypes, 2 without)"
        )
    weight = _anchor_weight(labels, class_balanced_anchors=class_balanced_anchors)
    return Bound(
        bound=simplex_value(num_classes, temperature),
        loss=(weight * per_anchor.loss).sum(),
        attraction=(weight * per_anchor.attraction).sum(),
        repulsion=(weight * per_anchor.repulsion).sum(),
    )


def simplex_value(num_classes: int, temperature: float = 1.0) -> Float[Tensor, ""]:
    """log(1 + (K - 1) exp(-K / ((K - 1) tau))): the class-averaged loss of a regular simplex, a float64 scalar."""
    exponent = torch.tensor(-num_classes / ((num_classes - 1) * temperature), dtype=torch.float64)
    return ((num_classes - 1) * exponent.exp()).log1p()


def _anchor_weight(labels: Int[Tensor, " n"], *, class_balanced_anchors: bool) -> Float[Tensor, " n"]:
    sizes = torch.bincount(labels.long()).double()
    weight = (
        1 / sizes[labels.long()] if class_balanced_anchors else torch.ones(len(labels), dtype=torch.float64)
    )
    return weight / weight.sum()


def _masks(
    labels: Int[Tensor, " n"], key_labels: Int[Tensor, " m"] | None = None
) -> tuple[Bool[Tensor, "n m"], Bool[Tensor, "n m"]]:
    """Positives of each anchor, and samples of other classes."""
    key_labels = labels if key_labels is None else key_labels
    same = labels[:, None] == key_labels[None, :]
    itself = torch.eye(len(labels), len(key_labels), dtype=torch.bool, device=labels.device)
    return same & ~itself, ~same


def _mean_over(values: Float[Tensor, "n m"], mask: Bool[Tensor, "n m"]) -> Float[Tensor, " n"]:
    """Mean of each row over a mask; NaN where it is empty."""
    return values.masked_fill(~mask, 0).sum(dim=1) / mask.sum(dim=1)


def _of_anchors(counted: Bool[Tensor, " n"], *parts: Float[Tensor, " n"]) -> Bound:
    return Bound(*(part.masked_fill(~counted, torch.nan) for part in parts))


def _checked(
    embeddings: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"] | None,
    temperature: float,
) -> tuple[Float[Tensor, "n dim"], Int[Tensor, " n"]]:
    """Embeddings in float64 and labels in int64, or one clear error."""
    check_batch(embeddings, labels, temperature)
    for name, vectors in (("embedding", embeddings), ("prototype", prototypes)):
        if vectors is None:
            continue
        norms = vectors.double().norm(dim=1)
        wrong = ~((norms - 1).abs() <= UNIT_TOLERANCE)
        if wrong.any():
            row = int(wrong.nonzero()[0])
            raise ValueError(
                f"{name} {row} has norm {norms[row].item():.6g}; the bounds hold for unit vectors"
            )
    highest = None if prototypes is None else len(prototypes) - 1
    if int(labels.min()) < 0 or (highest is not None and int(labels.max()) > highest):
        wanted = "0 or more" if highest is None else f"0..{highest}, one for each prototype"
        raise ValueError(f"labels range from {int(labels.min())} to {int(labels.max())}; expected {wanted}")
    return embeddings.double(), labels.long()
