"""How large a network is."""

from torch import nn


def parameter_count(module: nn.Module) -> int:
    """Number of trainable scalars in ``module``, each shared tensor counted once.

    Buffers (the running statistics of batch normalisation) are not parameters and are not counted.
    """
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
