"""Numbers of things in messages: `1 epoch`, `2 epochs`, `1,000 classes`."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is 1.

    Args:
        number: how many.
        noun: in the singular, with a regular plural; adjectives may precede it, as in "training image".
    """
    if number != 1:
        noun += "es" if noun.endswith(("s", "x", "sh", "tch", "nch")) else "s"
    return f"{number:,} {noun}"
