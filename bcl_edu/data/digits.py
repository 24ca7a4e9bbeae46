"""scikit-learn's handwritten digits: embedded, so nothing is downloaded."""

import numpy as np
import torch

from bcl_edu.data.labelled import Dataset, LabelledImages

# of each class the last 40 of the file are the test set; 134 to 143 of each class are left for training
_TEST_IMAGES_A_CLASS = 40


def read_digits() -> Dataset:
    """1,797 grey images of 8 x 8 pixels, ten classes: 400 to test, 40 of each class, and the rest to train.

    scikit-learn has no official split. The grey values 0..16 are scaled to 0..255.

    Source: UCI ML hand-written digits data set (Alpaydin and Kaynak, 1998), its test part.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    images = torch.from_numpy(np.rint(bunch.images * (255 / 16)).astype(np.uint8)).unsqueeze(1)
    class_names = tuple(str(name) for name in bunch.target_names)
    train, test = [], []
    for k in range(len(class_names)):
        members = torch.nonzero(labels == k).flatten()
        train.append(members[:-_TEST_IMAGES_A_CLASS])
        test.append(members[-_TEST_IMAGES_A_CLASS:])
    everything = LabelledImages(images, labels, class_names)
    return Dataset("digits", everything.select(torch.cat(train)), everything.select(torch.cat(test)))
