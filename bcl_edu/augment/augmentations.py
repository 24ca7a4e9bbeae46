"""AutoAugment's operations, magnitudes and CIFAR-10 table, and RandAugment's list.

Cubuk et al., "AutoAugment" (CVPR 2019), Table 7 for the policy and Table 6 for the ranges;
Cubuk et al., "RandAugment" (2020). Magnitudes are resolved as torchvision resolves them.
"""

import math

OPERATIONS: tuple[str, ...] = (
    "identity",
    "shear_x",  # tangent of the angle
    "shear_y",
    "translate_x",  # pixels
    "translate_y",
    "rotate",  # degrees, counter-clockwise
    "brightness",  # the factor is 1 + magnitude, likewise for the next three
    "color",
    "contrast",
    "sharpness",
    "posterize",  # bits that stay
    "solarize",  # pixels of at least this value are inverted
    "autocontrast",
    "equalize",
    "invert",
)
CODE: dict[str, int] = {name: code for code, name in enumerate(OPERATIONS)}

# operations whose magnitude is negated in half of the cases
SIGNED: frozenset[str] = frozenset(
    {
        "shear_x",
        "shear_y",
        "translate_x",
        "translate_y",
        "rotate",
        "brightness",
        "color",
        "contrast",
        "sharpness",
    }
)

# (operation, probability, magnitude 0..9); operations without a magnitude say 0
Step = tuple[str, float, int]
CIFAR10_POLICY: tuple[tuple[Step, Step], ...] = (
    (("invert", 0.1, 0), ("contrast", 0.2, 6)),
    (("rotate", 0.7, 2), ("translate_x", 0.3, 9)),
    (("sharpness", 0.8, 1), ("sharpness", 0.9, 3)),
    (("shear_y", 0.5, 8), ("translate_y", 0.7, 9)),
    (("autocontrast", 0.5, 0), ("equalize", 0.9, 0)),
    (("shear_y", 0.2, 7), ("posterize", 0.3, 7)),
    (("color", 0.4, 3), ("brightness", 0.6, 7)),
    (("sharpness", 0.3, 9), ("brightness", 0.7, 9)),
    (("equalize", 0.6, 0), ("equalize", 0.5, 0)),
    (("contrast", 0.6, 7), ("sharpness", 0.6, 5)),
    (("color", 0.7, 7), ("translate_x", 0.5, 8)),
    (("equalize", 0.3, 0), ("autocontrast", 0.4, 0)),
    (("translate_y", 0.4, 3), ("sharpness", 0.2, 6)),
    (("brightness", 0.9, 6), ("color", 0.2, 8)),
    (("solarize", 0.5, 2), ("invert", 0.0, 0)),
    (("equalize", 0.2, 0), ("autocontrast", 0.6, 0)),
    (("equalize", 0.2, 0), ("equalize", 0.6, 0)),
    (("color", 0.9, 9), ("equalize", 0.6, 0)),
    (("autocontrast", 0.8, 0), ("solarize", 0.2, 8)),
    (("brightness", 0.1, 3), ("color", 0.7, 0)),
    (("solarize", 0.4, 5), ("autocontrast", 0.9, 0)),
    (("translate_y", 0.9, 9), ("translate_y", 0.7, 9)),
    (("autocontrast", 0.9, 0), ("solarize", 0.8, 3)),
    (("equalize", 0.8, 0), ("invert", 0.1, 0)),
    (("translate_y", 0.7, 9), ("autocontrast", 0.9, 0)),
)


def magnitude_of(operation: str, strength: float, height: int, width: int) -> float:
    """Magnitude of an operation, before its sign is drawn.

    Args:
        operation: one of ``OPERATIONS``.
        strength: from 0 (weakest) to 1 (strongest); the tables' bin m of 0..9 is m / 9.
        height: of the image in pixels; vertical translations go up to 150/331 of it.
        width: likewise for horizontal translations.

    Returns:
        The magnitude in the unit that ``OPERATIONS`` states; 0 where the operation takes none.
    """
    if operation in ("shear_x", "shear_y"):
        return 0.3 * strength
    if operation == "translate_x":
        return float(math.trunc(150 / 331 * width * strength))
    if operation == "translate_y":
        return float(math.trunc(150 / 331 * height * strength))
    if operation == "rotate":
        return 30.0 * strength
    if operation in ("brightness", "color", "contrast", "sharpness"):
        return 0.9 * strength
    if operation == "posterize":
        return float(8 - round(4 * strength))
    if operation == "solarize":
        return 255.0 - 255.0 * strength
    return 0.0
