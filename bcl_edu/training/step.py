"""One training step: the views of a batch in, one change of the weights out.

What the loop leaves to this file is all that a step computes on the device: forward under autocast, the method's loss,
backward, the optimiser; and what is wrapped around the model for it, several processes and compilation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Int, UInt8
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bcl_edu.augment import normalise
from bcl_edu.methods import Method
from bcl_edu.methods.protocol import Gather
from bcl_edu.recipe import Recipe
from bcl_edu.training.accumulation import accumulate_alone, accumulate_together
from bcl_edu.training.batches import Part
from bcl_edu.training.distributed import Processes, gather
from bcl_edu.training.evaluation import Normalisation, autocast
from bcl_edu.training.global_batch_norm import with_global_batch_norm
from bcl_edu.training.memory import keep_freed_memory
from bcl_edu.training.optimizer import fused_sgd
from bcl_edu.training.options import CompileMode


class TrainingStep:
    """Takes steps with a method's model, whose weights it brings to the device.

    Args:
        method: with its freshly built model.
        recipe: optimiser and precision.
        normalisation: of the training images.
        device: where the step is computed.
        processes: this process among those that share a global batch.
        compile: the mode in which the model goes through torch.compile; None if it does not.

    Attributes:
        optimizer: SGD over the model's parameters.
        scaler: of the gradients, at work in float16 only.
        model: the method's model as it is called, wrapped.
    """

    def __init__(
        self,
        method: Method,
        recipe: Recipe,
        normalisation: Normalisation,
        device: torch.device,
        processes: Processes | None = None,
        *,
        compile: CompileMode | None = None,
    ) -> None:
        self.method, self.recipe, self.normalisation, self.device = method, recipe, normalisation, device
        if device.type == "cpu":
            keep_freed_memory()
        method.model.to(device).to(memory_format=torch.channels_last)
        self.optimizer = fused_sgd(
            method.model.parameters(),
            rate=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "float16")
        self.model = wrapped_model(method, device, processes or Processes(), compile=compile)

    def take(
        self,
        images: UInt8[Tensor, "views n c h w"],
        labels: Int[Tensor, " n"],
        rate: float,
        parts: Sequence[Part] | None = None,
    ) -> dict[str, Tensor]:
        """Change the weights once; nothing here waits for the device.

        Args:
            images: the views of this process's share of a batch, on the device.
            labels: their classes, on the device.
            rate: learning rate of this step.
            parts: of the batch, in the order of its samples, to be computed one after another (see `accumulation`).

        Returns:
            The loss of the global batch before the change, under "loss", and its parts by name: scalars on the device.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        parts = parts or [Part(len(labels), 1.0)]
        sizes = [part.size for part in parts]
        images_of, labels_of = images.split(sizes, dim=1), labels.split(sizes)

        def loss(part: int, compared: Gather) -> Mapping[str, Tensor]:
            return self.loss(images_of[part], labels_of[part], compared)

        self.optimizer.zero_grad(set_to_none=True)
        if len(parts) > 1 and self.recipe.contrast == "batch":
            losses = accumulate_together(loss, len(parts), self._backward, self.model, gather)
        else:
            weights = [part.weight for part in parts]
            losses = accumulate_alone(loss, weights, self._backward, self.model, gather)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return losses

    def loss(
        self, images: UInt8[Tensor, "views n c h w"], labels: Int[Tensor, " n"], compared: Gather = gather
    ) -> Mapping[str, Tensor]:
        """The loss and its parts by name, ready for backward; `compared` makes rows those of all samples compared."""
        with autocast(self.device, self.recipe.precision):
            pixels = normalise(images, self.normalisation.mean, self.normalisation.std)
            return self.method.loss(self.model(pixels), labels, compared)

    def _backward(self, loss: Tensor) -> None:
        self.scaler.scale(loss).backward()

    def state(self) -> dict[str, Any]:
        """What a checkpoint must hold of the step: weights, momentum, gradient scale."""
        return {
            "model": self.method.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state; other entries are left alone."""
        self.method.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])


def wrapped_model(
    method: Method, device: torch.device, processes: Processes, *, compile: CompileMode | None = None
) -> nn.Module:
    """The model as the step calls it: global among several processes, compiled on demand."""
    model = method.model
    if processes.world_size > 1:
        model = method.model = with_global_batch_norm(model, device)
        model = DistributedDataParallel(model, device_ids=[device.index] if device.type == "cuda" else None)
    if compile is not None:
        model = torch.compile(model, mode=compile)  # type: ignore[assignment]
    return model
