"""Views of image files: decoded one at a time, transformed by torchvision, seeded per image.

Worker processes make whole batches, as uint8 in channels-last memory. An image that cannot be read is reported in
the batch instead of raised, because a traceback from a worker helps nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL import Image, ImageFilter
from torch import Tensor, nn
from torch.utils.data import Dataset

from bcl_edu.augment.draws import BLUR_SIGMA, derive_seed
from bcl_edu.augment.policies import Augmentation, ViewPolicy
from bcl_edu.data import ImageFiles
from bcl_edu.data.decoding import resize_center_crop

if TYPE_CHECKING:  # importing it takes a third of a second, and images in memory never need it
    from torchvision.transforms import v2

IndexAndSeed = tuple[int, int]
"""Position of an image in its data set, and the seed of its views."""


class FileBatch(NamedTuple):
    """A batch of images, or of their views.

    Attributes:
        images: shape (views, n, 3, size, size), channels last in memory; without the first dimension when evaluating.
        labels: shape (n,).
        indices: positions in the data set, shape (n,).
        unreadable: one message for each image file that could not be read.
        num_failed: number of images in the batch that are black because no file could be read for them.
    """

    images: UInt8[Tensor, "*views n 3 size size"]
    labels: Int64[Tensor, " n"]
    indices: Int64[Tensor, " n"]
    unreadable: list[str]
    num_failed: int


def identity_collate(batch: FileBatch) -> FileBatch:
    """Return the batch: the data sets of this module return whole batches already."""
    return batch


class FileViews(Dataset[FileBatch]):
    """Batches of training views of image files.

    The caller chooses the seed of each image's views (see ``view_seeds``), so workers need to know nothing of epochs:
    ``DataLoader(views, batch_sampler=batches, collate_fn=identity_collate)``, where ``batches`` yields lists of
    (index, seed) pairs. The same pair gives the same views in any process and any batch.

    Args:
        files: the training set.
        policy: how views are made.
        replace: replace an unreadable image by the next readable one of its class in the list; its views keep
            their seed. Otherwise the image stays black and counts as failed.
    """

    def __init__(self, files: ImageFiles, policy: ViewPolicy, *, replace: bool = False) -> None:
        self.files, self.policy, self.replace = files, policy, replace
        self.transforms = [view_transform(recipe, policy.image_size) for recipe in policy.views]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, pair: IndexAndSeed) -> FileBatch:
        return self.__getitems__([pair])

    def __getitems__(self, pairs: Sequence[IndexAndSeed]) -> FileBatch:
        """A whole batch: what DataLoader asks for."""
        return self.views([index for index, _ in pairs], [seed for _, seed in pairs])

    def views(self, indices: Sequence[int], seeds: Sequence[int]) -> FileBatch:
        """The views of the images at these positions, each with its own seed.

        Returns:
            v1 of all images, then v2, then v3.
        """
        size = self.policy.image_size
        images = np.zeros((len(self.transforms), len(indices), size, size, 3), dtype=np.uint8)
        unreadable: list[str] = []
        num_failed = 0
        for row, (index, seed) in enumerate(zip(indices, seeds, strict=True)):
            picture = _first_readable(self.files, self._candidates(index), unreadable)
            if picture is None:
                num_failed += 1
            else:
                images[:, row] = transformed(self.transforms, picture, seed)
        return _batch(images, self.files, indices, unreadable, num_failed)

    def _candidates(self, index: int) -> Iterator[int]:
        yield index
        if self.replace:
            members = np.flatnonzero(self.files.files.labels == self.files.files.labels[index])
            yield from np.roll(members, -int(np.searchsorted(members, index)))[1:].tolist()


class EvalImages(Dataset[FileBatch]):
    """Batches of image files as they are evaluated: see ``bcl_edu.data.decoding.resize_center_crop``."""

    def __init__(self, files: ImageFiles) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> FileBatch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> FileBatch:
        """A whole batch: what DataLoader asks for."""
        size = self.files.image_size
        images = np.zeros((len(indices), size, size, 3), dtype=np.uint8)
        unreadable: list[str] = []
        for row, index in enumerate(indices):
            picture = _first_readable(self.files, [index], unreadable)
            if picture is not None:
                images[row] = np.asarray(resize_center_crop(picture, size))
        return _batch(images, self.files, indices, unreadable, len(unreadable))


def _first_readable(
    files: ImageFiles, candidates: Sequence[int] | Iterator[int], unreadable: list[str]
) -> Image.Image | None:
    """The first picture that can be read; append a message for each one before it."""
    for index in candidates:
        try:
            return files.picture(index)
        except ValueError as error:
            unreadable.append(str(error))
    return None


def _batch(
    images: UInt8[np.ndarray, "*views n size size 3"],
    files: ImageFiles,
    indices: Sequence[int],
    unreadable: list[str],
    num_failed: int,
) -> FileBatch:
    positions = torch.tensor(indices, dtype=torch.int64)
    channels_second = torch.from_numpy(images).movedim(-1, -3)
    return FileBatch(channels_second, files.labels[positions], positions, unreadable, num_failed)


# ---- one view


def view_transform(recipe: Augmentation, image_size: int) -> v2.Transform:
    """The torchvision pipeline of one view: from an RGB picture of any size to uint8 of shape (3, size, size).

    A recipe without a resized crop starts from the centre square of the photograph (``resize_center_crop``).
    """
    from torchvision.transforms import v2

    fill = (recipe.fill,) * 3
    steps: list[nn.Module] = []
    if recipe.crop_scale is not None:
        steps.append(v2.RandomResizedCrop(image_size, scale=recipe.crop_scale))
    else:
        steps.append(v2.Lambda(_ResizeCenterCrop(image_size)))
        if recipe.padding:
            border = "reflect" if recipe.mirrored else "constant"
            steps.append(v2.RandomCrop(image_size, padding=recipe.padding, padding_mode=border))
    if recipe.flip:
        steps.append(v2.RandomHorizontalFlip(recipe.flip))
    if recipe.jitter_probability:
        steps.append(v2.RandomApply([v2.ColorJitter(*recipe.jitter)], p=recipe.jitter_probability))
    if recipe.grey:
        steps.append(v2.RandomGrayscale(recipe.grey))
    if recipe.augment == "autoaugment":
        steps.append(v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10, fill=fill))
    elif recipe.augment == "randaugment":
        num_ops, magnitude = recipe.randaugment
        steps.append(v2.RandAugment(num_ops, magnitude, fill=fill))
    elif recipe.augment == "rotation":
        steps.append(v2.RandomRotation(recipe.rotation, fill=fill))
    if recipe.blur:
        steps.append(v2.RandomApply([_GaussianBlur()], p=recipe.blur))
    steps.append(v2.PILToTensor())
    if recipe.noise:
        steps.append(_Noise(recipe.noise))
    if recipe.cutout:
        steps.append(_Cutout(recipe.cutout))
    return v2.Compose(steps)


def transformed(
    transforms: Sequence[v2.Transform], picture: Image.Image, seed: int
) -> UInt8[np.ndarray, "views size size 3"]:
    """The views of one RGB picture, channels last.

    Each view has a random stream of its own, made of the seed and the view's number: v1 is the same whether or
    not v2 and v3 are made. Torch's global generator is left as it was.
    """
    views = []
    for number, transform in enumerate(transforms):
        with _seeded(derive_seed(seed, "view", number)):
            views.append(transform(picture).permute(1, 2, 0).numpy())
    return np.stack(views)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch's CPU generator, from which torchvision draws, and restore it afterwards.

    Not ``torch.manual_seed``, which would also seed the generators of the GPUs.
    """
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)


class _ResizeCenterCrop:
    def __init__(self, image_size: int) -> None:
        self.image_size = image_size

    def __call__(self, picture: Image.Image) -> Image.Image:
        return resize_center_crop(picture, self.image_size)


class _GaussianBlur(nn.Module):
    """Pillow's Gaussian blur with a random standard deviation.

    torchvision's convolves with a full kernel: five times as slow at 224 with the kernel of 23 that SimCLR uses.
    """

    def forward(self, picture: Image.Image) -> Image.Image:
        low, high = BLUR_SIGMA
        sigma = low + float(torch.rand(())) * (high - low)
        return picture.filter(ImageFilter.GaussianBlur(sigma))


class _Noise(nn.Module):
    """Add to each value its own whole number between -largest and largest."""

    def __init__(self, largest: int) -> None:
        super().__init__()
        self.largest = largest

    def forward(self, image: UInt8[Tensor, "3 size size"]) -> UInt8[Tensor, "3 size size"]:
        noise = torch.randint(-self.largest, self.largest + 1, image.shape)
        return (image + noise).clamp_(0, 255).byte()


class _Cutout(nn.Module):
    """Set a square around a random pixel to black, clipped at the border."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, image: UInt8[Tensor, "3 size size"]) -> UInt8[Tensor, "3 size size"]:
        top, left = (int(torch.randint(length, ())) - self.side // 2 for length in image.shape[1:])
        image = image.clone()
        image[:, max(top, 0) : max(top + self.side, 0), max(left, 0) : max(left + self.side, 0)] = 0
        return image
