"""The pure step from a labelled set to a long-tailed one: which images are kept, and their fingerprint."""

import hashlib

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor


def long_tailed_subset(
    labels: Int64[Tensor, " n"], counts: Int64[Tensor, " k"], seed: int = 0
) -> Int64[Tensor, " m"]:
    """Positions of ``counts[k]`` images of each class k, drawn at random without replacement.

    Each class is shuffled whole by its own random stream, made of the seed and the class, and its first
    ``counts[k]`` images are kept. So for one seed a longer tail is contained in a shorter one: the subset
    at IF 100 is part of that at IF 50. The streams are NumPy's RandomState, frozen by NEP 19: the same
    seed gives the same images in every version and on every machine.

    Args:
        labels: class of each image, shape (n,), values 0..K-1.
        counts: images to keep of each class, shape (K,), in label order.
        seed: 0 or more; another seed gives other images.

    Returns:
        Indices into ``labels``, shape (counts.sum(),): classes in label order, each in its shuffled order.

    Raises:
        ValueError: a class has fewer images than asked for, a count is negative, a label has no count, or
            the seed is out of range.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed}; expected 0..{2**32 - 1}")
    counts = counts.cpu()
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(counts):
        raise ValueError(
            f"labels are {int(labels.min())}..{int(labels.max())}, but counts has {len(counts)} entries "
            f"(labels must be 0..{len(counts) - 1})"
        )
    available = torch.bincount(labels.cpu(), minlength=len(counts))
    impossible = ((counts < 0) | (counts > available)).nonzero().flatten().tolist()
    if impossible:
        k = impossible[0]
        others = f" (likewise {len(impossible) - 1} more classes)" if len(impossible) > 1 else ""
        raise ValueError(
            f"class {k} has {int(available[k])} images, but {int(counts[k])} were asked for{others}; "
            "use a smaller n_max (on the command line --head-count), or another profile"
        )
    by_class = np.split(labels.cpu().argsort(stable=True).numpy(), available.cumsum(0)[:-1].numpy())
    kept = []
    for k, (members, count) in enumerate(zip(by_class, counts.tolist(), strict=True)):
        shuffled = np.random.RandomState([seed, k]).permutation(members)
        kept.append(shuffled[:count])
    return torch.from_numpy(np.concatenate(kept).astype(np.int64))


def subset_sha256(indices: Int64[Tensor, " m"]) -> str:
    """SHA-256 of a set of indices, whatever their order, as 64 hexadecimal digits.

    It stands in every run record: runs whose training subsets differ must not be compared. The bytes hashed
    are the sorted indices as little-endian 64-bit integers.
    """
    ordered = indices.cpu().sort().values.numpy().astype("<i8")
    return hashlib.sha256(ordered.tobytes()).hexdigest()
