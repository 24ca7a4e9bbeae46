"""Batch normalisation over the global batch, so that its statistics do not depend on the number of ranks.

On CUDA torch's SyncBatchNorm does it. That class refuses CPU tensors; there `GlobalBatchNorm` takes its
place, so that the same run can be made, and tested, by any number of processes without a GPU.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bcl_edu.training.distributed import sum_over_ranks


class GlobalBatchNorm(_BatchNorm):
    """Batch normalisation whose mean and variance are those of all processes' rows together.

    Its parameters, buffers and state are those of BatchNorm1d and BatchNorm2d, and in evaluation mode it computes the
    same. A process may have no row in a step.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        """Any shape (n, channels, ...) will do."""

    def forward(self, rows: Float[Tensor, "n channels *d"]) -> Float[Tensor, "n channels *d"]:
        """Normalised rows; in training mode every process must call this at the same point of the same step."""
        if not self.training:
            return super().forward(rows)
        axes = [axis for axis in range(rows.ndim) if axis != 1]
        shape = (1, -1, *[1] * (rows.ndim - 2))
        wide = rows.to(torch.promote_types(rows.dtype, torch.float32))

        count = wide.new_full((1,), rows.numel() // rows.shape[1])
        total, values = sum_over_ranks(torch.cat([wide.sum(axes), count])).split([rows.shape[1], 1])
        values = values.detach()  # a number: through it the running variance would keep the step's graph
        mean = total / values
        centred = wide - mean.view(shape)
        variance = sum_over_ranks(centred.square().sum(axes)) / values

        if self.track_running_stats:
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            self.num_batches_tracked += 1
            unbiased = variance.detach() * values / (values - 1)
            self.running_mean.lerp_(mean.detach().to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
        scale = (variance + self.eps).rsqrt() * self.weight
        return (centred * scale.view(shape) + self.bias.view(shape)).to(rows.dtype)


def with_global_batch_norm(
    model: nn.Module, device: torch.device, *, twice_differentiable: bool = False
) -> nn.Module:
    """The model with each batch normalisation replaced by one over all processes; parameters stay the same
    objects.

    A module with `same_on_every_rank`, such as a prototype head, keeps its own: every rank has all of its rows, and
    counting them once per rank would only make the running variance depend on the number of ranks.

    Args:
        model: changed in place.
        device: decides between torch's class and ours.
        twice_differentiable: ours on every device; gradients of torch's class have none themselves.
    """
    if getattr(model, "same_on_every_rank", False):
        return model
    if isinstance(model, _BatchNorm):
        if device.type != "cpu" and not twice_differentiable:
            return nn.SyncBatchNorm.convert_sync_batchnorm(model)
        replaced = GlobalBatchNorm(model.num_features, model.eps, model.momentum)
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            setattr(replaced, name, getattr(model, name))
        return replaced.train(model.training)
    for name, child in model.named_children():
        setattr(model, name, with_global_batch_norm(child, device, twice_differentiable=twice_differentiable))
    return model
