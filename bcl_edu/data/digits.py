"""The handwritten digits, which come with this package (packed by tools/pack_digits.py)."""

from pathlib import Path

import numpy as np
import torch

from bcl_edu.data.labelled import Dataset, LabelledImages

PACKED = Path(__file__).with_name("digits.npz")

# of each class the last 40 of the file are the test set; 134 to 143 of each class are left for training
_TEST_IMAGES_A_CLASS = 40


def read_digits() -> Dataset:
    """1,797 grey images of 8 x 8 pixels, ten classes: 400 to test, 40 of each class, and the rest to train.

    There is no official split. The grey values 0..16 are scaled to 0..255.

    Source: UCI ML hand-written digits data set (Alpaydin and Kaynak, 1998), its test part, in scikit-learn's order.
    """
    with np.load(PACKED, allow_pickle=False) as packed:
        pixels, labels = packed["images"], torch.from_numpy(packed["labels"].astype(np.int64))
    images = torch.from_numpy(np.rint(pixels * (255 / 16)).astype(np.uint8)).unsqueeze(1)
    class_names = tuple(str(digit) for digit in range(10))
    train, test = [], []
    for k in range(len(class_names)):
        members = torch.nonzero(labels == k).flatten()
        train.append(members[:-_TEST_IMAGES_A_CLASS])
        test.append(members[-_TEST_IMAGES_A_CLASS:])
    everything = LabelledImages(images, labels, class_names)
    return Dataset("digits", everything.select(torch.cat(train)), everything.select(torch.cat(test)))
