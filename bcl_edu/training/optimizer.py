"""The optimiser: torch's SGD, as quick to start as it is to run."""

import inspect
from collections.abc import Iterable

import torch
from torch import nn

_TORCH = torch.optim.SGD


class LeanSGD(_TORCH):
    """torch.optim.SGD, without importing the compiler.

    torch wraps these methods to tell torch.compile to keep out of them, and imports all of it to say so, at the first
    optimiser of a process: 1.6 s, a quarter of the time until the first step. Compiled or not, our models call an
    optimiser from outside what is compiled, where the wrappers say nothing. The methods themselves are torch's.
    """

    add_param_group = inspect.unwrap(_TORCH.add_param_group)
    zero_grad = inspect.unwrap(_TORCH.zero_grad)
    state_dict = inspect.unwrap(_TORCH.state_dict)
    load_state_dict = inspect.unwrap(_TORCH.load_state_dict)
    step = torch.no_grad()(inspect.unwrap(_TORCH.step))  # the wrapper had turned gradients off, too


def fused_sgd(
    parameters: Iterable[nn.Parameter], *, rate: float, momentum: float, weight_decay: float
) -> LeanSGD:
    """SGD that updates all weights in one kernel; on a GPU it does not wait for the gradient scale either.

    The momentum is there, and zero, from the start: a first step that the gradient scaler skips would leave torch's
    fused SGD with one that was never written.
    """
    optimizer = LeanSGD(parameters, lr=rate, momentum=momentum, weight_decay=weight_decay, fused=True)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer
