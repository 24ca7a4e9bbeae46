"""One training step: a batch in, one change of the weights out.

This file has everything that a step computes on the device: normalisation, forward under autocast, backward, the
optimizer; and what is wrapped around the method for it, for several ranks and for compilation.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bcl_edu.augment import Normalisation
from bcl_edu.counting import counted
from bcl_edu.methods.protocol import Batch, Clock, Gather, Method
from bcl_edu.methods.stage import Stage
from bcl_edu.run_options import CompileMode
from bcl_edu.training.batches import Loaded
from bcl_edu.training.distributed import Rank, average, average_gradients, gather
from bcl_edu.training.global_batch_norm import with_global_batch_norm
from bcl_edu.training.grad_cache import grad_cache


class TrainingStep:
    """Takes the steps of a stage with a method, whose weights it brings to the device.

    Args:
        method: to be trained.
        stage: which parameters learn, and how.
        normalisation: of the training images.
        device: where the step is computed.
        precision: number format of the forward pass.
        rank: this process among those that share a global batch.
        compile: the mode in which the backbone goes through torch.compile; None if it does not.

    Attributes:
        optimizer: SGD over the parameters that learn.
        scaler: of the gradients, at work in float16 only.
        module: the method as it is called, wrapped.

    Raises:
        ValueError: the stage names parameters that the method does not have.
    """

    def __init__(
        self,
        method: Method,
        stage: Stage,
        normalisation: Normalisation,
        device: torch.device,
        *,
        precision: str = "float32",
        rank: Rank | None = None,
        compile: CompileMode | None = None,
    ) -> None:
        self.method, self.stage = method, stage
        self.factor, self.shift = normalisation.coefficients(device)
        self.device, self.precision, self.rank = device, precision, rank or Rank()
        method.to(device).to(memory_format=torch.channels_last)
        choose_parameters(method, stage)
        self.optimizer = build_optimizer(method, stage)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
        if compile is not None:
            method.compile_network(compile)
        self.module: nn.Module = method
        if self.rank.world_size > 1:
            with_global_batch_norm(method, device, twice_differentiable=method.owns_gradients)
            self.module = DistributedDataParallel(method)

    def train_mode(self) -> None:
        """Put the method into training mode, but for what does not learn, as the stage says."""
        self.module.train()
        if self.stage.frozen_batch_norm == "running":
            for module in self.method.modules():
                own = list(module.parameters())
                if own and not any(parameter.requires_grad for parameter in own):
                    module.eval()

    def __call__(self, loaded: Loaded, clock: Clock) -> dict[str, Tensor]:
        """Change the weights once; nothing here waits for the device.

        Returns:
            The loss of the global batch before the change, under "loss", and its parts by name: scalars on
            the device.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = clock.learning_rate * group["rate"]
        self.optimizer.zero_grad(set_to_none=True)
        micro_batches = self._micro_batches(loaded)
        losses = self._gradients(micro_batches, clock)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        with torch.no_grad():
            self.method.after_step(clock)
        return {name: value.detach() for name, value in losses.items()}

    def _gradients(self, micro_batches: list[Batch], clock: Clock) -> Mapping[str, Tensor]:
        if self.method.owns_gradients:
            with autocast(self.device, self.precision):
                own = self.method.own_gradients(micro_batches[0], clock, self._backward)
            average_gradients(self.method)
            return own

        if len(micro_batches) > 1:

            def loss(part: int, gather: Gather | None) -> Mapping[str, Tensor]:
                batch = micro_batches[part]
                return self.loss(batch if gather is None else replace(batch, gather=gather), clock)

            gathers = [batch.gather for batch in micro_batches]
            return grad_cache(loss, gathers, self._backward, self.module)
        losses = self.loss(micro_batches[0], clock)
        self._backward(losses["loss"])
        return losses

    def loss(self, batch: Batch, clock: Clock) -> Mapping[str, Tensor]:
        """The loss and its parts by name, ready for backward."""
        with autocast(self.device, self.precision):
            losses: Mapping[str, Tensor] = self.module(batch, clock)
        return losses

    def _micro_batches(self, loaded: Loaded) -> list[Batch]:
        """The batch, normalised, in as many pieces as it is computed in; further streams come with a whole
        batch only."""
        shares = loaded.shares or [[len(loaded.labels)]]
        sizes = [share[self.rank.rank] for share in shares]
        streams = {name: self._micro_batches(stream)[0] for name, stream in (loaded.streams or {}).items()}
        tensors = (loaded.views.split(sizes, dim=1), loaded.labels.split(sizes), loaded.indices.split(sizes))
        batches = [
            Batch(self._normalised(views), labels, indices, streams=streams)
            for views, labels, indices in zip(*tensors, strict=True)
        ]
        if self.rank.world_size == 1:
            return batches
        return [
            replace(batch, gather=partial(gather, sizes=share), average=average)
            for batch, share in zip(batches, shares, strict=True)
        ]

    def whole_batch(self, loaded: Loaded) -> Batch:
        """A batch, normalised, for a pass that takes no step; every rank has the whole of it, and gathers nothing."""
        return Batch(self._normalised(loaded.views), loaded.labels, loaded.indices)

    def _normalised(self, views: UInt8[Tensor, "views n c h w"]) -> Float[Tensor, "views n c h w"]:
        if views.dtype != torch.uint8 or views.shape[2] != len(self.factor):
            raise ValueError(
                f"views of type {views.dtype} and shape {tuple(views.shape)}; expected bytes (torch.uint8) of "
                f"{counted(len(self.factor), 'channel')}, as the normalisation has them"
            )
        return torch.addcmul(self.shift, views.float(), self.factor)

    def _backward(self, loss: Tensor) -> None:
        self.scaler.scale(loss).backward()

    def state(self) -> dict[str, Any]:
        """State of the step for a checkpoint: parameters and buffers, momentum, gradient scale."""
        return {
            "model": self.method.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state that fits (see `checkpoint.require_fitting`); other entries are left alone."""
        self.method.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Context of autocast to a recipe's precision, which does nothing for float32."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, precision))


def choose_parameters(method: Method, stage: Stage) -> None:
    """Require gradients of the parameters that the stage names, and of no others.

    Raises:
        ValueError: a name fits no parameter.
    """
    if stage.learns is None:
        return
    names = [name for name, _ in method.named_parameters()]
    for start in stage.learns:
        if not any(name.startswith(start) for name in names):
            raise ValueError(f"stage {stage.name!r} trains {start!r}, but no parameter's name begins so")
    for name, parameter in method.named_parameters():
        parameter.requires_grad_(name.startswith(stage.learns))


def build_optimizer(method: Method, stage: Stage) -> torch.optim.SGD:
    """Fused SGD over the parameters that learn, in the stage's groups.

    Momentum buffers are zero from the start: a first step that the gradient scaler skips would leave torch's fused SGD
    with buffers that were never written.
    """
    rest = {name: parameter for name, parameter in method.named_parameters() if parameter.requires_grad}
    groups: list[dict[str, Any]] = []
    for group in stage.groups:
        chosen = [name for name in rest if name.startswith(group.names)]
        decay = stage.weight_decay if group.weight_decay is None else group.weight_decay
        groups.append(
            {"params": [rest.pop(name) for name in chosen], "weight_decay": decay, "rate": group.rate}
        )
    groups.insert(0, {"params": list(rest.values()), "rate": 1.0})
    optimizer = torch.optim.SGD(
        [group for group in groups if group["params"]],
        lr=stage.schedule.learning_rate,
        momentum=stage.momentum,
        nesterov=stage.nesterov,
        weight_decay=stage.weight_decay,
        fused=True,
    )
    if stage.momentum:
        for kept in optimizer.param_groups:
            for parameter in kept["params"]:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer
