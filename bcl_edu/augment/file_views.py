"""Batches of images that stay on disk: their views to train on, their centres to evaluate.

Made by worker processes, one batch at a time, as bytes that lie in memory as a channels-last network reads them. An
image that cannot be read is not an error here but a part of the batch: a traceback out of a worker would help nobody.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from bcl_edu.augment.per_sample import views_of_picture
from bcl_edu.augment.policies import ViewPolicy
from bcl_edu.data import ImageFiles
from bcl_edu.data.decoding import centre_of_resized
from bcl_edu.seeds import derive_seed


class FileBatch(NamedTuple):
    """A batch of images, or of their views.

    Attributes:
        images: shape (views, n, 3, size, size), channels last in memory; without the first dimension when evaluating.
        labels: shape (n,).
        indices: positions in the data set, shape (n,).
        unreadable: what is wrong with each image file that could not be read.
        black: how many images of the batch are black for it, because nothing replaced them.
    """

    images: UInt8[Tensor, "*views n 3 size size"]
    labels: Int64[Tensor, " n"]
    indices: Int64[Tensor, " n"]
    unreadable: list[str]
    black: int


def only_batch(batches: FileBatch) -> FileBatch:
    """What DataLoader is to do with a batch that is complete already: nothing."""
    return batches


class FileViews(Dataset[FileBatch]):
    """Batches of the views of image files; `DataLoader(views, batch_sampler=…, collate_fn=only_batch)`.

    Image i's views in an epoch depend on (seed, epoch, i) alone, as in ``TrainingViews``; the epoch is shared with
    workers that live on.

    Args:
        files: the training set.
        policy: how views are made.
        seed: of the run.
        replace: whether an image that cannot be read is replaced by the next one of its class in the list, in its
            own views' random parameters; otherwise it stays black.
    """

    def __init__(
        self, files: ImageFiles, policy: ViewPolicy, seed: int = 0, *, replace: bool = False
    ) -> None:
        self.files, self.policy, self.seed, self.replace = files, policy, seed, replace
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose views the next batches are."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> FileBatch:
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> FileBatch:
        """A whole batch: what DataLoader asks for."""
        epoch, size = int(self._epoch), self.policy.image_size
        batch = np.zeros((len(self.policy.views), len(indices), size, size, 3), dtype=np.uint8)
        unreadable: list[str] = []
        black = 0
        for row, index in enumerate(indices):
            picture = self._picture(index, unreadable)
            if picture is None:
                black += 1
                continue
            seed = derive_seed("views", self.seed, epoch, index)
            batch[:, row] = views_of_picture(self.policy, picture, seed)
        return _batch(batch, self.files, indices, unreadable, black)

    def _picture(self, index: int, unreadable: list[str]) -> Image.Image | None:
        candidates = [index]
        if self.replace:
            members = np.flatnonzero(self.files.files.labels == self.files.files.labels[index])
            candidates = np.roll(members, -int(np.searchsorted(members, index))).tolist()
        return _first_readable(self.files.picture, candidates, unreadable)


class FileCentres(Dataset[FileBatch]):
    """Batches of what is evaluated of image files: short side resized to 256/224 of the size, centre square."""

    def __init__(self, files: ImageFiles) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> FileBatch:
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> FileBatch:
        """A whole batch: what DataLoader asks for."""
        size = self.files.image_size
        batch = np.zeros((len(indices), size, size, 3), dtype=np.uint8)
        unreadable: list[str] = []
        for row, index in enumerate(indices):
            picture = _first_readable(self.files.picture, [index], unreadable)
            if picture is not None:
                batch[row] = np.asarray(centre_of_resized(picture, size))
        return _batch(batch, self.files, indices, unreadable, len(unreadable))


def _first_readable(
    read: Callable[[int], Image.Image], candidates: list[int], unreadable: list[str]
) -> Image.Image | None:
    """The first picture that can be read; what is wrong with those before it joins the list."""
    for index in candidates:
        try:
            return read(index)
        except ValueError as error:
            unreadable.append(str(error))
    return None


def _batch(
    images: UInt8[np.ndarray, "*views n size size 3"],
    files: ImageFiles,
    indices: list[int],
    unreadable: list[str],
    black: int,
) -> FileBatch:
    positions = torch.tensor(indices, dtype=torch.int64)
    channels_second = torch.from_numpy(images).movedim(-1, -3)
    return FileBatch(channels_second, files.labels[positions], positions, unreadable, black)
