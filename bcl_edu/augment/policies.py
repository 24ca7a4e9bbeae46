"""Augmentation policies by name: the options of each of the three views of an image."""

from dataclasses import dataclass, replace
from typing import Literal

CropScale = tuple[float, float]


@dataclass(frozen=True)
class Augmentation:
    """The steps of one view, in the order in which they are applied; a step with its zero value is left out.

    Attributes:
        padding: border in pixels before a random window of the image's size is cut out; black unless ``mirrored``.
        mirrored: the border shows the image's mirror image (reflection about its outermost pixels).
        crop_scale: cut out a random rectangle with this (smallest, largest) share of the area and an aspect ratio
            of 3/4 to 4/3, then resize it; takes the place of ``padding``.
        flip: probability of a horizontal mirror image.
        jitter: largest change of (brightness, contrast, saturation) factors and of hue (1 is the whole circle).
        jitter_probability: probability that the jitter is applied at all.
        grey: probability of a grey image.
        augment: ``"autoaugment"`` (one of the 25 CIFAR-10 sub-policies), ``"randaugment"``, ``"rotation"`` or None.
        randaugment: RandAugment's (number of operations, magnitude of 0..30).
        rotation: largest angle in degrees of the augmentation ``"rotation"``.
        fill: grey level 0..255 outside the image in the augmentations' shears, translations and rotations.
        blur: probability of a Gaussian blur with a standard deviation of 0.1 to 2 pixels.
        noise: largest change of a single pixel, in grey levels 0..255.
        cutout: side of the black square, in pixels.
    """

    padding: int = 0
    mirrored: bool = False
    crop_scale: CropScale | None = None
    flip: float = 0.0
    jitter: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    jitter_probability: float = 0.0
    grey: float = 0.0
    augment: Literal["autoaugment", "randaugment", "rotation"] | None = None
    randaugment: tuple[int, int] = (2, 10)
    rotation: float = 15.0
    fill: int = 128
    blur: float = 0.0
    noise: int = 0
    cutout: int = 0


@dataclass(frozen=True)
class ViewPolicy:
    """A policy: the size of the views, and the augmentation of each.

    Attributes:
        name: one of ``POLICY_NAMES``.
        image_size: height and width of every view in pixels.
        views: the recipes of v1 (classifier branch), v2 and v3 (contrastive branch). A method that looks at v1
            alone keeps ``views[:1]``: the random numbers of a view do not depend on which others are made.
    """

    name: str
    image_size: int
    views: tuple[Augmentation, ...]


POLICY_NAMES: tuple[str, ...] = (
    "cifar",
    "grey",
    "digits",
    "plain",
    "plain-grey",
    "rotated",
    "reflected",
    "sim-sim",
    "sim-rand",
    "rand-rand",
    "rand-grey",
    "resized",
    "resized-jitter",
    "none",
)


def view_policy(
    name: str,
    *,
    image_size: int,
    crop_scale: CropScale = (0.2, 1.0),
    blur: bool = True,
    cutout: int | None = None,
) -> ViewPolicy:
    """Build a view policy by name.

    - ``cifar``: v1 is a crop after padding (an eighth of the size: 4 of 32), mirror image, AutoAugment's CIFAR-10
      policy and Cutout (half of the size: 16 of 32); v2 and v3 are SimAugment: resized crop, mirror image, colour
      jitter (0.4, 0.4, 0.4, 0.1) in 80 %, grey in 20 %, blur in 50 % of all cases.
    - ``grey``: for images such as Fashion-MNIST's. v1 is crop, mirror image and a slight jitter of brightness and
      contrast; v2 and v3 are SimAugment without colour.
    - ``digits``: for 8x8 digits. Shifts by one pixel, brightness and noise; a mirrored digit is none.
    - ``plain``: every view is a crop after padding (4 of 32) and a mirror image, as long-tail papers before
      AutoAugment train CIFAR.
    - ``plain-grey``: the same, grey in 20 % of all cases (Hybrid-SC, by the account of a reproduction).
    - ``resized``, ``resized-jitter``: their views of photographs: resized crop (0.08, 1) and mirror image, the
      second also with colour jitter (0.4, 0.4, 0.4, 0).
    - ``sim-sim``, ``sim-rand``, ``rand-rand``: for photographs at 224. v1 is a resized crop (0.08, 1),
      mirror image, colour jitter (0.4, 0.4, 0.4, 0) and RandAugment (2 operations, magnitude 10 of 30). The name says
      what v3 and v2 are: SimAugment, or SimAugment with RandAugment between its colours and its blur.
    - ``rotated``: every view is a crop after padding, a mirror image and a rotation by up to 15 degrees (RIDE).
    - ``reflected``: every view is a crop after padding with the mirrored image, and a mirror image (MetaSAug).
    - ``rand-grey``: for photographs. v2 and v3 are ``resized-jitter``, with grey in 20 % and blur in 50 % of all
      cases, v1 the same with RandAugment (PaCo).
    - ``none``: every view is the image itself, whatever the options say.

    Args:
        name: one of ``POLICY_NAMES``.
        image_size: height and width of the views in pixels.
        crop_scale: smallest and largest share of the area in SimAugment's crop; where the paper is silent,
            public code says (0.2, 1) or (0.08, 1).
        blur: whether SimAugment blurs.
        cutout: side of v1's black square in pixels, 0 for none; None is the policy's own.

    Raises:
        ValueError: unknown name, or an option out of range.

    Source: Zhu et al. (CVPR 2022), section 4.1; the three for photographs also the authors' main.py, whose
    RandAugment ("rand-n2-m10-mstd0.5") is in a file that they did not publish: ours is torchvision's.
    SimAugment: Chen et al., "SimCLR" (ICML 2020), appendix A;
    Cutout: DeVries and Taylor (2017); ``plain``: Cao et al. (LDAM, NeurIPS 2019), their code; ``resized-jitter``
    (ImageNet-LT) and ``resized`` (iNaturalist): Kang et al. (ICLR 2020), their code.
    """
    if name not in POLICY_NAMES:
        raise ValueError(f"unknown view policy {name!r}, expected one of {', '.join(POLICY_NAMES)}")
    if image_size < 1:
        raise ValueError(f"image_size = {image_size}, expected the views' height and width in pixels")
    if not 0 < crop_scale[0] <= crop_scale[1] <= 1:
        raise ValueError(
            f"crop_scale = {crop_scale}, expected 0 < smallest <= largest <= 1, such as (0.2, 1.0)"
        )
    if cutout is not None and not 0 <= cutout <= image_size:
        raise ValueError(f"cutout = {cutout}, expected a side between 0 (none) and image_size = {image_size}")

    padding = max(1, image_size // 8)
    resized = Augmentation(crop_scale=(0.08, 1.0), flip=0.5)
    jittered = replace(resized, jitter=(0.4, 0.4, 0.4, 0.0), jitter_probability=1.0)
    alike = {
        "plain": Augmentation(padding=padding, flip=0.5),
        "plain-grey": Augmentation(padding=padding, flip=0.5, grey=0.2),
        "rotated": Augmentation(padding=padding, flip=0.5, augment="rotation", fill=0),
        "reflected": Augmentation(padding=padding, mirrored=True, flip=0.5),
        "resized": resized,
        "resized-jitter": jittered,
    }
    if name == "none":
        return ViewPolicy(name, image_size, (Augmentation(),) * 3)
    if name in alike:
        return ViewPolicy(name, image_size, (replace(alike[name], cutout=cutout or 0),) * 3)
    blur_probability = 0.5 if blur else 0.0
    sim_augment = Augmentation(
        crop_scale=crop_scale,
        flip=0.5,
        jitter=(0.4, 0.4, 0.4, 0.1),
        jitter_probability=0.8,
        grey=0.2,
        blur=blur_probability,
    )
    if name == "rand-grey":
        key = replace(jittered, grey=0.2, blur=0.5)
        return ViewPolicy(name, image_size, (replace(key, augment="randaugment"), key, key))
    if name in ("sim-sim", "sim-rand", "rand-rand"):
        classifier = replace(jittered, augment="randaugment", cutout=cutout or 0)
        made_by = {"sim": sim_augment, "rand": replace(sim_augment, augment="randaugment")}
        third, second = name.split("-")
        return ViewPolicy(name, image_size, (classifier, made_by[second], made_by[third]))
    if name == "cifar":
        classifier = Augmentation(
            padding=padding,
            flip=0.5,
            augment="autoaugment",
            cutout=image_size // 2 if cutout is None else cutout,
        )
        contrastive = sim_augment
    elif name == "grey":
        classifier = Augmentation(
            padding=padding,
            flip=0.5,
            jitter=(0.2, 0.2, 0.0, 0.0),
            jitter_probability=1.0,
            cutout=cutout or 0,
        )
        contrastive = Augmentation(
            crop_scale=crop_scale,
            flip=0.5,
            jitter=(0.4, 0.4, 0.0, 0.0),
            jitter_probability=0.8,
            blur=blur_probability,
        )
    else:
        classifier = Augmentation(
            padding=1, jitter=(0.2, 0.0, 0.0, 0.0), jitter_probability=1.0, noise=16, cutout=cutout or 0
        )
        contrastive = Augmentation(padding=1, jitter=(0.4, 0.0, 0.0, 0.0), jitter_probability=1.0, noise=32)
    return ViewPolicy(name, image_size, (classifier, contrastive, contrastive))
