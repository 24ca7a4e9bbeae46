"""Write bcl_edu/data/digits.npz from scikit-learn's copy of the handwritten digits.

    python -m tools.pack_digits

The 1,797 images are 8 x 8 counts 0..16 of black pixels, as published: UCI ML hand-written digits data set (Alpaydin and
Kaynak, 1998), its test part.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

PACKED = Path(__file__).parents[1] / "bcl_edu" / "data" / "digits.npz"


def main() -> None:
    """Pack images and labels as bytes."""
    digits = load_digits()
    np.savez_compressed(PACKED, images=digits.images.astype(np.uint8), labels=digits.target.astype(np.uint8))
    print(f"{PACKED}: {PACKED.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
