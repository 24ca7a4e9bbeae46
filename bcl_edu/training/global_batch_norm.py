"""Batch normalisation over the global batch, so that its statistics do not depend on the number of ranks.

On CUDA torch's SyncBatchNorm does it. That class refuses CPU tensors; there `GlobalBatchNorm` takes its
place, so that the same run can be made, and tested, by any number of processes without a GPU.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn.modules.batchnorm import _BatchNorm


class _Sum(torch.autograd.Function):
    """Sum over processes; what each process's loss says about the sum is summed too on the way back."""

    @staticmethod
    def forward(ctx: FunctionCtx, share: Tensor) -> Tensor:
        total = share.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].clone()
        dist.all_reduce(gradient)
        return gradient


class GlobalBatchNorm(_BatchNorm):
    """Batch normalisation whose mean and variance are those of all processes' rows together.

    Same parameters, buffers and state as BatchNorm1d and BatchNorm2d, and the same as those in evaluation mode. A
    process may have no row at all in a step.
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
        total, values = _Sum.apply(torch.cat([wide.sum(axes), count])).split([rows.shape[1], 1])
        mean = total / values
        centred = wide - mean.view(shape)
        variance = _Sum.apply(centred.square().sum(axes)) / values

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


def with_global_batch_norm(model: nn.Module, device: torch.device) -> nn.Module:
    """The model with each batch normalisation replaced by one over all processes; parameters stay the same
    objects.

    A module that says `same_on_every_rank`, as a prototype head does, keeps its own: what it normalises,
    every rank has in full, and counting it once a rank would only change the running variance with the number
    of ranks.
    """
    if getattr(model, "same_on_every_rank", False):
        return model
    if isinstance(model, _BatchNorm):
        if device.type != "cpu":
            return nn.SyncBatchNorm.convert_sync_batchnorm(model)
        replaced = GlobalBatchNorm(model.num_features, model.eps, model.momentum)
        for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            setattr(replaced, name, getattr(model, name))
        return replaced.train(model.training)
    for name, child in model.named_children():
        setattr(model, name, with_global_batch_norm(child, device))
    return model
