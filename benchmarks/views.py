"""Time of the three views (v1, v2, v3) of a sample: tensors on the device, Pillow, and what people do today.

    python benchmarks/views.py                       print a table, write benchmarks/results/views.json
    python benchmarks/views.py --device cuda         batched views on a GPU beside the same rivals on one core

All sides make the CIFAR policy's triple of the same images and are timed in turn, in one process and on one core, so
that a busy machine slows them alike. The rival is what one writes from torchvision's documentation: its transforms
on Pillow images, sample by sample, ending in float tensors; ours end in bytes, so normalising them is timed too.

Where kornia is installed, its batched augmentations are timed as well, those that both have: no Cutout, and no
normalising. Measured once with version 0.9.0, on one core of a machine busy with other work (n 7, processor time): 0.36
ms a sample, 5.1 times as fast as torchvision, where ours took 0.18 ms with Cutout and normalising, half of kornia's:

    python -m pip install --target /tmp/kornia --no-deps kornia==0.9.0 kornia-rs==0.2.0
    PYTHONPATH=.:/tmp/kornia python benchmarks/views.py --rounds 7 --output /tmp/views.json

It is no dependency, for what it lacks here: its AutoAugment draws one sub-policy, and its ColorJitter one order, for
the whole batch, so that a sample's views depend on its neighbours; its hue differs from Pillow's by up to 15 levels; it
has no padding with the policy's grey; and parameters come from the global generator, not from (seed, epoch, index).
"""

import argparse
import importlib.util
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from common import RESULTS, facts, in_turns, ratios, spread, table, verdict, write
from PIL import Image, ImageFilter
from torch import Tensor
from torchvision import transforms

from bcl_edu.augment import normalise, view_policy
from bcl_edu.augment.batched import batched_views
from bcl_edu.methods import Batch, Clock, build_method
from bcl_edu.rows import RECIPES

SIZE = 32
MEAN, STD = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)


class Cutout:
    """A black square around a random pixel."""

    def __call__(self, image: Tensor) -> Tensor:
        y, x = random.randrange(SIZE), random.randrange(SIZE)
        image[:, max(y - 8, 0) : y + 8, max(x - 8, 0) : x + 8] = 0
        return image


class Blur:
    """A Gaussian blur of 0.1 to 2 pixels."""

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2.0)))


def torchvision_triple() -> Callable[[Image.Image], Tensor]:
    """v1, v2, v3 from torchvision's own transforms."""
    v1 = transforms.Compose(
        [
            transforms.RandomCrop(SIZE, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.AutoAugment(transforms.AutoAugmentPolicy.CIFAR10, fill=(128, 128, 128)),
            transforms.ToTensor(),
            Cutout(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    sim = transforms.Compose(
        [
            transforms.RandomResizedCrop(SIZE, scale=(0.2, 1.0)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            transforms.RandomGrayscale(p=0.2),
            transforms.RandomApply([Blur()], p=0.5),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    return lambda image: torch.stack([v1(image), sim(image), sim(image)])


def kornia_triple() -> Callable[[Tensor], Tensor]:
    """The nearest that kornia offers to v1 (without Cutout), v2 and v3."""
    import kornia.augmentation as augmentation
    from kornia.augmentation.auto import AutoAugment

    crop = augmentation.AugmentationSequential(
        augmentation.RandomCrop((SIZE, SIZE), padding=4), augmentation.RandomHorizontalFlip()
    )
    policy = AutoAugment("cifar10")
    sim = augmentation.AugmentationSequential(
        augmentation.RandomResizedCrop((SIZE, SIZE), scale=(0.2, 1.0)),
        augmentation.RandomHorizontalFlip(),
        augmentation.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
        augmentation.RandomGrayscale(p=0.2),
        augmentation.RandomGaussianBlur((7, 7), (0.1, 2.0), p=0.5),
    )
    return lambda images: torch.stack([policy(crop(images)), sim(images), sim(images)])


def pictures(number: int) -> Tensor:
    """Smooth colour gradients with noise: pictures compress and clip unlike pure noise."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    slopes = generator.uniform(-200, 200, (number, 3, 2, 1, 1))
    levels = generator.uniform(0, 255, (number, 3, 1, 1)) + slopes[:, :, 0] * y + slopes[:, :, 1] * x
    return torch.from_numpy((levels + generator.normal(0, 8, levels.shape)).clip(0, 255).astype(np.uint8))


def training_step(device: torch.device) -> Callable[[Tensor], None]:
    """Forward, loss and backward of ResNet-32 in bfloat16, what the views of a batch are made for."""
    method = build_method(RECIPES["cifar100-lt"][1], torch.full((100,), 10), (3, 32, 32))
    method.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    clock = Clock(0, "main", 0, 1, 0, 1, 0.1)

    def step(views: Tensor) -> None:
        labels = torch.arange(views.shape[1], device=device) % 100
        with torch.autocast(device.type, torch.bfloat16):
            loss = method(Batch(normalise(views, MEAN, STD), labels, labels), clock)["loss"]
        loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, default=RESULTS / "views.json")
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(0)
    random.seed(0)
    number = options.batch_size
    device = torch.device(options.device)
    record = facts(device)
    images = pictures(number)
    on_device = images.to(device)
    policy = view_policy("cifar", image_size=SIZE)
    pillow_images = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in images]
    triple = torchvision_triple()

    def batched() -> None:
        normalise(batched_views(policy, on_device, list(range(number))), MEAN, STD)
        if device.type == "cuda":
            torch.cuda.synchronize()

    def rival() -> None:
        torch.stack([triple(image) for image in pillow_images])

    # training first: among its large tensors the C library learns to keep memory, which it otherwise returns to the
    # system and fetches anew in every call of the batched views
    step = training_step(device)
    triples = batched_views(policy, on_device, list(range(number)))
    step(triples)

    sides = {"torchvision on Pillow": rival, "batched": batched}
    if importlib.util.find_spec("kornia"):
        kornia_views = kornia_triple()
        sides["kornia"] = lambda: kornia_views(on_device.float() / 255)
    # time of this process: what others do on the machine is not counted; a GPU's work is not in it either
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    seconds = in_turns(sides, options.rounds, clock)
    start = clock()
    step(triples)
    step_milliseconds = (clock() - start) * 1e3 / number

    rival_name = "torchvision on Pillow"
    results = {
        name: {
            "milliseconds_per_sample": spread([1e3 * s / number for s in times]),
            "times_as_fast_as_torchvision": ratios(seconds[rival_name], times),
        }
        for name, times in seconds.items()
    }
    batched_milliseconds = results["batched"]["milliseconds_per_sample"]["median"]
    share = batched_milliseconds / (batched_milliseconds + step_milliseconds)
    measured = {"batch_size": number, "sides": results, "step_milliseconds_per_sample": step_milliseconds}
    write(record | summary(results, share) | measured, options.output)


def summary(results: dict[str, dict], share: float) -> dict:
    """What the page shows."""
    rows = []
    for name, result in results.items():
        time, ratio = result["milliseconds_per_sample"], result["times_as_fast_as_torchvision"]
        low, high = time["quartiles"]
        rows.append([name, time["n"], time["median"], f"{low} to {high}", ratio["median"]])
    columns = ["side", "n", "ms a sample", "quartiles", "times as fast as torchvision"]
    faster = results["batched"]["times_as_fast_as_torchvision"]["median"]
    return {
        "verdicts": [
            verdict("views: times as fast as torchvision on Pillow, one core", faster, at_least=8.0),
            verdict("views: their share of views, forward, loss and backward", round(share, 4), at_most=0.1),
        ],
        "tables": [table("v1, v2 and v3 of a sample of 32 x 32 pixels", columns, rows)],
    }


if __name__ == "__main__":
    main()
