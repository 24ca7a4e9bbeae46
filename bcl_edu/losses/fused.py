"""The contrastive losses again, fast: value and gradient in one pass, by hand instead of by autograd.

:mod:`bcl_edu.losses.definition` says what is computed, and the tests hold this file to it. What differs:

* The gradient is known as soon as the loss is, so it is computed there and then. Rows are worked through in blocks
  that share one buffer: no matrix of all logits ever exists, and none is kept for the backward pass.
* ``-log m`` is written into the buffer first, and the product of the embeddings accumulated onto it.
* Positives enter through sums over classes, of shape (classes, dim), not through a mask of pairs; what they pull is
  the same for all anchors of a class, up to the anchor itself.
* Samples and prototypes are two ranges of the buffer's columns; they are not concatenated.
* Eq. 7 needs class means only: the mean logit of a class is the logit of its mean.

Nothing waits for the device. A second derivative is taken through the definition.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from bcl_edu.losses.definition import (
    anchor_losses,
    compact_labels,
    mean_over_anchors,
)
from bcl_edu.losses.named import Averaging

# Rows of a block on the CPU: enough for matrix products at full speed, few enough for the block to stay in the cache.
# Other devices take the whole batch as one block, since they need the parallelism.
CPU_BLOCK_ROWS = 512
# Rows of a block begin on a cache line, of 16 floats: the loss is up to a sixth faster than where they do not.
CACHE_LINE = 16


class Form(NamedTuple):
    """The form of the loss: the arguments of `contrastive_loss` without its tensors of vectors.

    The counts of the training set have become the logarithm of its prior and a weight for each class.
    """

    averaging: Averaging
    complement: bool
    class_balanced_anchors: bool
    temperature: float
    positives_inside_log: bool = False
    log_prior: Float[Tensor, " k"] | None = None
    class_weight: Float[Tensor, " k"] | None = None


def fused_contrastive_loss(
    embeddings: Float[Tensor, "n dim"],
    labels: Integer[Tensor, " n"],
    prototypes: Float[Tensor, "k dim"] | None,
    form: Form,
) -> Float[Tensor, ""]:
    """Mean over the anchors of L_i: the value and the derivatives of the definition.

    Args:
        embeddings: z_i, shape (n, dim), float32 or float64.
        labels: class of each embedding, shape (n,), int64, values 0..k-1.
        prototypes: c_j, shape (k, dim), of the same dtype; None where the form uses none.
        form: which loss.

    Returns:
        A scalar.
    """
    has_gradient = torch.is_grad_enabled() and (
        embeddings.requires_grad or (prototypes is not None and prototypes.requires_grad)
    )
    return _ContrastiveLoss.apply(embeddings, prototypes, labels, form, has_gradient)


def loss_by_definition(
    z: Float[Tensor, "n dim"], labels: Integer[Tensor, " n"], c: Float[Tensor, "k dim"] | None, form: Form
) -> Float[Tensor, ""]:
    """The same by :mod:`bcl_edu.losses.definition`, for autograd."""
    losses = anchor_losses(
        z,
        labels,
        c,
        averaging=form.averaging,
        complement=form.complement,
        positives_inside_log=form.positives_inside_log,
        log_prior=form.log_prior,
        temperature=form.temperature,
    )
    return mean_over_anchors(
        losses,
        labels,
        class_balanced_anchors=form.class_balanced_anchors,
        class_weight=form.class_weight,
    )


class _ContrastiveLoss(torch.autograd.Function):
    """Hands autograd the gradient that came with the value."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, c: Tensor | None, labels: Tensor, form: Form, has_gradient: bool
    ) -> Tensor:
        loss, z_gradient, c_gradient = value_and_gradient(z, c, labels, form, has_gradient)
        ctx.save_for_backward(z, c, labels, z_gradient, c_gradient)
        ctx.form = form
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        z, c, labels, z_gradient, c_gradient = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True: the gradient itself will be differentiated
            return *_differentiable_gradient(z, c, labels, ctx.form, upstream), None, None, None
        return upstream * z_gradient, None if c is None else upstream * c_gradient, None, None, None


def _differentiable_gradient(
    z: Tensor, c: Tensor | None, labels: Tensor, form: Form, upstream: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """The gradient with a graph of its own, by autograd on the definition."""
    loss = loss_by_definition(z, labels, c, form)
    wanted = [tensor for tensor in (z, c) if tensor is not None and tensor.requires_grad]
    gradients = iter(torch.autograd.grad(loss, wanted, upstream, create_graph=True))
    z_gradient, c_gradient = (
        next(gradients) if tensor is not None and tensor.requires_grad else None for tensor in (z, c)
    )
    return z_gradient, c_gradient


class Batch(NamedTuple):
    """A batch, and what the denominators need to know of it."""

    z: Float[Tensor, "n dim"]
    c: Float[Tensor, "k dim"] | None
    labels: Integer[Tensor, " n"]
    slot: Integer[Tensor, " n"]  # the row of each sample's class in the tables over classes
    class_count: Float[Tensor, " slots"]  # |B_j|, 0 where no sample is of the class
    class_sum: Float[Tensor, "slots dim"]  # sum of z_k over B_j
    positive_sum: Float[Tensor, "slots dim"]  # the same, and c_j under the complement; c_j alone for Eq. 8
    per_positive: Float[Tensor, " slots"]  # 1 / (number of positives of an anchor of the class, times tau)
    weight: Float[Tensor, " n"]  # w_i: the anchor's share of the mean, 0 if it is not counted


class Denominator(NamedTuple):
    """log D_i, and the derivatives of sum_i w_i log D_i."""

    log: Float[Tensor, " n"]
    dz: Float[Tensor, "n dim"]
    dc: Float[Tensor, "k dim"] | None


def value_and_gradient(
    z: Float[Tensor, "n dim"],
    c: Float[Tensor, "k dim"] | None,
    labels: Integer[Tensor, " n"],
    form: Form,
    has_gradient: bool,
) -> tuple[Float[Tensor, ""], Float[Tensor, "n dim"] | None, Float[Tensor, "k dim"] | None]:
    """The loss sum_i w_i (log D_i - A_i), and its derivatives with respect to z and c if wanted.

    A_i is the mean of l_ip over the positives p of the anchor i.
    """
    # A class's row in a table is its label, unless there are more classes than samples or nobody knows how many.
    by_label = c is not None and len(c) < len(z)
    slot, num_slots = (labels, len(c)) if c is not None and by_label else (compact_labels(labels), len(z))
    class_count = z.new_zeros(num_slots).index_add_(0, slot, z.new_ones(len(z)))
    class_sum = z.new_zeros(num_slots, z.shape[1]).index_add_(0, slot, z)
    of_samples = form.averaging != "prototypes"  # Eq. 8 has no samples among the positives
    of_prototypes = form.complement or not of_samples
    positive_sum = class_sum if of_samples else torch.zeros_like(class_sum)
    if of_prototypes:
        assert c is not None
        positive_sum = positive_sum + (c if by_label else c.index_select(0, labels))

    num_positives = of_samples * (class_count - 1) + of_prototypes
    class_weight = ((num_positives > 0) & (class_count > 0)).to(z.dtype)
    if form.class_balanced_anchors:
        class_weight /= class_count.clamp(min=1)
    total = (class_count * class_weight).sum()
    class_weight /= torch.where(total > 0, total, 1)
    if form.class_weight is not None:  # row j of a table over the samples is the class of sample j
        class_weight *= form.class_weight if by_label else form.class_weight.index_select(0, labels)
    per_positive = 1 / (num_positives.clamp(min=1) * form.temperature)
    weight = class_weight.index_select(0, slot)

    batch = Batch(z, c, labels, slot, class_count, class_sum, positive_sum, per_positive, weight)
    if form.averaging == "prototypes":
        denominator = _over_prototypes(batch, form, has_gradient)
    elif form.averaging == "inside":
        denominator = _over_class_means(batch, form, has_gradient)
    else:
        denominator = _over_samples(batch, form, has_gradient)

    loss = weight.dot(denominator.log)
    if form.log_prior is not None:
        loss = loss - weight.dot(form.log_prior.index_select(0, labels))
    if form.positives_inside_log and of_samples:
        pulled = _over_positives(batch, form, has_gradient)
        loss = loss - weight.dot(pulled.log)
        if not has_gradient:
            return loss, None, None
        dc = denominator.dc
        if dc is not None and pulled.dc is not None:
            dc = dc - pulled.dc
        return loss, denominator.dz - pulled.dz, dc

    # A_i = z_i . (positive_sum - z_i) / (their number tau): summed over the class, sums of vectors only
    pull = class_weight * per_positive
    attraction = (class_sum * positive_sum).sum(dim=1).dot(pull)
    if of_samples:
        attraction = attraction - (z * z).sum(dim=1).dot(pull.index_select(0, slot))
    loss = loss - attraction
    if not has_gradient:
        return loss, None, None

    # each anchor is pulled towards its positives, and each sample towards the anchors it is a positive of
    _, dz, dc = denominator
    pulls = positive_sum + class_sum if of_samples else positive_sum
    dz -= (pull[:, None] * pulls).index_select(0, slot)
    if of_samples:
        dz.addcmul_(pull.index_select(0, slot)[:, None], z, value=2)
    if of_prototypes and dc is not None:
        pulled_samples = pull[:, None] * class_sum
        if by_label:
            dc -= pulled_samples
        else:
            dc.index_add_(0, labels, pulled_samples, alpha=-1)
    return loss, dz, dc


def _over_positives(batch: Batch, form: Form, has_gradient: bool) -> Denominator:
    """log mean_p exp l_ip over the positives (L_in), as a log-sum-exp in which all other keys have no weight."""
    z, c, labels = batch.z, batch.c, batch.labels
    keys, key_labels = [z], labels
    if form.complement:
        assert c is not None
        keys, key_labels = [z, c], torch.cat([labels, torch.arange(len(c), device=labels.device)])
    log_number = -(batch.per_positive * form.temperature).log().index_select(0, batch.slot)

    def write_bias(block: Tensor, rows: slice) -> None:
        own = labels[rows, None] == key_labels
        own[:, rows].diagonal().fill_(False)
        block[:, : len(key_labels)] = torch.where(own, -log_number[rows, None], _neg_inf(z))

    log, dz, (_, *rest), _ = _log_sum_exp(batch, keys, write_bias, form.temperature, has_gradient)
    return Denominator(log, dz, rest[0] if rest else None)


def _over_samples(batch: Batch, form: Form, has_gradient: bool) -> Denominator:
    """D_i = sum over the keys k != i, samples and joined prototypes, of exp(l_ik) / m_ik (Eq. 1, 6, 9)."""
    z, c, labels = batch.z, batch.c, batch.labels
    keys, key_labels, size = [z], labels, batch.class_count[batch.slot]
    if form.complement:
        assert c is not None
        keys, key_labels = [z, c], torch.cat([labels, torch.arange(len(c), device=labels.device)])
        size = _class_sizes_with_prototypes(batch)[key_labels]

    # -log m_ik is one number for keys of the anchor's class, and another for the same keys seen from elsewhere.
    of_own, of_other = -(size - 1).clamp(min=1).log(), -size.log()
    if form.log_prior is not None:
        prior = form.log_prior.index_select(0, key_labels)
        of_own, of_other = of_own + prior, of_other + prior
    averages = form.averaging == "outside"
    num_classes = len(z) if c is None else len(c)
    few_classes = averages and num_classes < len(z)  # then each row is copied from its class's
    if few_classes:
        table = z.new_zeros(num_classes, _row_length(len(size)))
        table[:, : len(size)] = of_other
        table.scatter_(0, key_labels[None], of_own[None])

    def write_bias(block: Tensor, rows: slice) -> None:
        if few_classes:
            torch.index_select(table, 0, labels[rows], out=block)
        elif averages:
            n, own = len(z), labels[rows, None]
            torch.where(own == labels, of_own[:n], of_other[:n], out=block[:, :n])
            block[:, n : len(size)] = of_other[n:]
            if form.complement:  # one prototype of a row is of its own class
                block[:, n:].scatter_(1, own, of_own[n:][own])
        else:
            block.zero_()
        block[:, rows].diagonal().fill_(_neg_inf(z))  # l_ii = -infinity

    log, dz, (_, *rest), _ = _log_sum_exp(batch, keys, write_bias, form.temperature, has_gradient)
    return Denominator(log, dz, rest[0] if rest else None)


def _over_prototypes(batch: Batch, form: Form, has_gradient: bool) -> Denominator:
    """D_i = sum over the classes j of exp(z_i . c_j / tau) (Eq. 8)."""
    assert batch.c is not None
    num_classes = len(batch.c)

    def write_bias(block: Tensor, rows: slice) -> None:
        block[:, :num_classes] = 0 if form.log_prior is None else form.log_prior

    log, dz, (dc,), _ = _log_sum_exp(batch, [batch.c], write_bias, form.temperature, has_gradient)
    return Denominator(log, dz, dc)


def _over_class_means(batch: Batch, form: Form, has_gradient: bool) -> Denominator:
    """D_i = exp A_i + sum over the other classes j of exp(z_i . mean_j / tau) (Eq. 7).

    The mean over a class of logits is the logit of its mean; the anchor's own class leaves the anchor out.
    """
    if form.complement:
        assert batch.c is not None
        column = batch.labels
        size = _class_sizes_with_prototypes(batch)
        total = batch.c.index_add(0, column, batch.z)
    else:
        column, size, total = batch.slot, batch.class_count, batch.class_sum
    absent = torch.zeros_like(size).masked_fill(size == 0, _neg_inf(batch.z))
    divisor = size.clamp(min=1)[:, None]

    z, slot = batch.z, batch.slot
    others = batch.positive_sum.index_select(0, slot) - z
    per_positive = batch.per_positive.index_select(0, slot)
    attraction = (z * others).sum(dim=1) * per_positive
    own_logit = attraction
    if form.log_prior is not None:
        absent = absent + (
            form.log_prior if form.complement else form.log_prior.index_select(0, batch.labels)
        )
        own_logit = attraction + form.log_prior.index_select(0, batch.labels)

    log, dz, (dmeans,), own_share = _log_sum_exp(
        batch,
        [total / divisor],
        lambda block, rows: block[:, : len(absent)].copy_(absent.expand(len(block), -1)),
        form.temperature,
        has_gradient,
        own=(column, own_logit),
    )
    dmeans /= divisor
    dz += dmeans.index_select(0, column)
    dc = dmeans if form.complement else None
    if has_gradient:
        # d log D_i / d A_i, here one anchor's own, pushes it and its positives apart
        push = (batch.weight * per_positive * own_share)[:, None]
        pushed = push * z
        dz.addcmul_(push, others).sub_(pushed)
        dz += torch.zeros_like(batch.class_sum).index_add_(0, slot, pushed).index_select(0, slot)
        if dc is not None:
            dc.index_add_(0, batch.labels, pushed)
    return Denominator(log, dz, dc)


def _class_sizes_with_prototypes(batch: Batch) -> Float[Tensor, " k"]:
    """|B_j| + 1 of all k classes."""
    assert batch.c is not None
    return batch.z.new_ones(len(batch.c)).index_add_(0, batch.labels, torch.ones_like(batch.weight))


def _log_sum_exp(
    batch: Batch,
    keys: list[Tensor],
    write_bias: Callable[[Tensor, slice], object],
    temperature: float,
    has_gradient: bool,
    *,
    own: tuple[Integer[Tensor, " n"], Float[Tensor, " n"]] | None = None,
) -> tuple[Tensor, Tensor, list[Tensor], Tensor]:
    """log sum_k exp(l_ik + bias_ik) over all keys k, and the derivatives of its weighted sum over the anchors.

    Args:
        batch: the anchors z and their weights w.
        keys: vectors that the anchors are compared with, in one or more pieces of shape (., dim).
        write_bias: called with a block of rows, over all keys and what fills its rows up, and which rows they are;
            fills the columns of the keys.
        temperature: tau.
        has_gradient: whether the derivatives are wanted.
        own: the key of each anchor's own class, and A_i, which takes the place of that logit.

    Returns:
        The logarithm, shape (n,); the derivative with respect to the anchors, shape (n, dim), and to each piece of
        the keys, zero if not wanted (one and the same for the anchors where they are keys too); the probability of
        the own key, shape (n,), 0 without one.
    """
    z, n = batch.z, len(batch.z)
    step = batch.weight[:, None] / temperature  # d l_ik / d z_i = z_k / tau, times w_i
    log, own_share = torch.empty_like(batch.weight), torch.zeros_like(batch.weight)
    dz = torch.zeros_like(z)
    dkeys = [dz if piece is z else torch.zeros_like(piece) for piece in keys]

    block_rows = CPU_BLOCK_ROWS if z.device.type == "cpu" else n
    width = sum(map(len, keys))
    buffer = z.new_empty(min(n, block_rows), _row_length(width))
    for start in range(0, n, block_rows):
        rows = slice(start, min(start + block_rows, n))
        block = buffer[: rows.stop - start]
        pieces = block[:, :width].split([len(piece) for piece in keys], dim=1)

        write_bias(block, rows)
        block[:, width:] = _neg_inf(z)  # what fills the row up has probability 0
        for logits, vectors in zip(pieces, keys, strict=True):
            logits.addmm_(z[rows], vectors.T, alpha=1 / temperature)
        if own is not None:
            own_column, own_logit = (part[rows, None] for part in own)
            block.scatter_(1, own_column, own_logit)

        # The largest probability is exp(largest logit) / sum, which gives the sum without another exp.
        largest = block.amax(dim=1)
        torch.softmax(block, dim=1, out=block)
        log[rows] = largest - block.amax(dim=1).log()
        if not has_gradient:
            continue

        if own is not None:
            own_share[rows] = block.gather(1, own_column).squeeze(1)
            block.scatter_(1, own_column, 0)
        block *= step[rows]  # from here on the derivative with respect to z_i . z_k
        for slopes, vectors, dvectors in zip(pieces, keys, dkeys, strict=True):
            if vectors is z and len(block) == n:
                # all pairs are here: i pushes k and k pushes i in one product
                both = slopes.T.clone(memory_format=torch.contiguous_format)
                both += slopes
                dz.addmm_(both, z)
            else:
                dz[rows].addmm_(slopes, vectors)
                dvectors.addmm_(slopes.T, z[rows])
    return log, dz, dkeys, own_share


def _row_length(keys: int) -> int:
    """Columns of a block with that many keys: as many, up to the next cache line."""
    return keys + -keys % CACHE_LINE


def _neg_inf(like: Tensor) -> float:
    """Stands for minus infinity: exp of it is 0, but a row of nothing else still gives no NaN."""
    return torch.finfo(like.dtype).min / 2
