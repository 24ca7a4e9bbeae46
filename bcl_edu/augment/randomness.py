"""Random numbers that depend on a sample's seed and on what they are for, and on nothing else.

A generator with state would tie a sample's views to the order in which samples are visited. Here a number is a
hash of (sample's seed, purpose, position): the same in any batch, worker or process, for one sample or a
thousand at once, and switching one operation off leaves the numbers of the others as they were.
"""

import numpy as np
from jaxtyping import Float64, UInt64

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio, the step of SplitMix64
_MULTIPLY_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLY_2 = np.uint64(0x94D049BB133111EB)
_SHIFT_1, _SHIFT_2, _SHIFT_3 = np.uint64(30), np.uint64(27), np.uint64(31)


def _mix(bits: UInt64[np.ndarray, "..."]) -> UInt64[np.ndarray, "..."]:
    """Scramble 64 bits reversibly, so that each input bit flips about half of the output bits."""
    bits = (bits ^ (bits >> _SHIFT_1)) * _MULTIPLY_1
    bits = (bits ^ (bits >> _SHIFT_2)) * _MULTIPLY_2
    return bits ^ (bits >> _SHIFT_3)


def uniforms(seeds: UInt64[np.ndarray, " n"], purpose: int, count: int) -> Float64[np.ndarray, "n count"]:
    """Independent numbers, uniform on [0, 1), for each seed.

    Args:
        seeds: one unsigned 64-bit seed a sample, shape (n,).
        purpose: what the numbers are for; another purpose gives unrelated numbers.
        count: how many numbers each sample gets; the first ones do not depend on it.

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014), Fig. 16.
    """
    # arrays, not scalars: numpy lets arrays of unsigned integers wrap around in silence, as is meant here
    purposes = np.array([purpose + 1], dtype=np.uint64)
    streams = _mix(seeds ^ _mix(purposes * _GOLDEN))
    positions = np.arange(1, count + 1, dtype=np.uint64)
    bits = _mix(streams[:, None] + positions * _GOLDEN)
    return (bits >> np.uint64(11)) * 2.0**-53  # a double holds 53 bits
