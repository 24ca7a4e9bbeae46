"""Backbones: sizes, shapes, shortcuts, gradients, memory formats and what they refuse."""

import pytest
import torch
from torch import Tensor, nn

from bcl_edu.models import BACKBONE_NAMES, build_backbone, digits_net, parameter_count, resnet32
from bcl_edu.models.backbones import BasicBlock, shortcut_option_a

IMAGE_SIZE = {"digits_net": 8, "resnet32": 32, "resnet50": 64, "resnext50": 64}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_resnet32_with_its_cifar10_classifier_has_the_464154_parameters_of_the_residual_learning_paper() -> (
    None
):
    first = 3 * 16 * 9 + 2 * 16  # a convolution and the two vectors of its batch normalisation
    stage_16 = 10 * (16 * 16 * 9 + 2 * 16)
    stage_32 = (16 * 32 * 9 + 2 * 32) + 9 * (32 * 32 * 9 + 2 * 32)
    stage_64 = (32 * 64 * 9 + 2 * 64) + 9 * (64 * 64 * 9 + 2 * 64)
    assert parameter_count(resnet32()) == first + stage_16 + stage_32 + stage_64 == 463_504
    assert 463_504 + 64 * 10 + 10 == 464_154


@pytest.mark.parametrize(
    ("name", "count"),
    [("digits_net", 56_480), ("resnet32", 463_504), ("resnet50", 23_508_032), ("resnext50", 22_979_904)],
)
def test_parameter_counts(name: str, count: int) -> None:
    with torch.device("meta"):
        assert parameter_count(build_backbone(name)) == count


@pytest.mark.parametrize(
    ("name", "channels"), [*((name, 1) for name in BACKBONE_NAMES), ("digits_net", 3), ("resnet32", 3)]
)
def test_features_have_the_stated_length_and_are_not_negative(name: str, channels: int) -> None:
    backbone = build_backbone(name, channels).eval()
    size = IMAGE_SIZE[name]
    with torch.no_grad():
        features = backbone(torch.randn(2, channels, size, size))
    assert features.shape == (2, backbone.feature_dim)
    assert features.min() >= 0
    assert features.max() > 0


@pytest.mark.parametrize("name", BACKBONE_NAMES)
def test_gradients_reach_every_parameter(name: str) -> None:
    backbone = build_backbone(name)
    size = min(IMAGE_SIZE[name], 32)
    features = backbone(torch.randn(4, 3, size, size))
    (features * torch.randn_like(features)).sum().backward()
    untouched = [
        key
        for key, parameter in backbone.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert untouched == []


def shortcut_by_loops(x: Tensor, out_channels: int) -> Tensor:
    """Option A written one number at a time."""
    n, c, h, w = x.shape
    before = (out_channels - c) // 2
    out = torch.zeros(n, out_channels, (h + 1) // 2, (w + 1) // 2)
    for i in range(n):
        for j in range(c):
            for row in range(out.shape[2]):
                for column in range(out.shape[3]):
                    out[i, before + j, row, column] = x[i, j, 2 * row, 2 * column]
    return out


@pytest.mark.parametrize("shape", [(2, 4, 6, 6), (1, 3, 5, 7), (2, 2, 1, 1)])
def test_the_shortcut_keeps_every_second_pixel_and_adds_channels_of_zeros(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    assert torch.equal(shortcut_option_a(x, 2 * shape[1]), shortcut_by_loops(x, 2 * shape[1]))


def test_a_block_whose_convolutions_are_silent_is_its_shortcut() -> None:
    block = BasicBlock(16, 32).eval()
    nn.init.zeros_(block.conv2.weight)
    x = torch.rand(2, 16, 8, 8)
    assert torch.equal(block(x), shortcut_by_loops(x, 32))


def test_shortcuts_have_no_parameters() -> None:
    shapes = [parameter.shape for parameter in resnet32().parameters() if parameter.ndim == 4]
    assert len(shapes) == 31
    assert all(shape[2:] == (3, 3) for shape in shapes)  # no 1x1 projection anywhere


def test_convolutions_start_with_the_spread_of_he_initialisation() -> None:
    for convolution in (m for m in resnet32().modules() if isinstance(m, nn.Conv2d)):
        fan_in = convolution.weight[0].numel()
        # 432 numbers in the smallest layer: the sample deviation is within four standard errors
        assert convolution.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.14)


def test_the_signal_keeps_its_size_through_31_untrained_layers() -> None:
    with torch.no_grad():
        features = resnet32()(torch.randn(16, 3, 32, 32))
    assert 0.1 < features.std().item() < 10


@pytest.mark.parametrize("name", ["digits_net", "resnet32", "resnet50"])
def test_channels_last_gives_the_same_features(name: str) -> None:
    backbone = build_backbone(name).eval()
    images = torch.randn(2, 3, IMAGE_SIZE[name], IMAGE_SIZE[name])
    with torch.no_grad():
        contiguous = backbone(images)
        backbone.to(memory_format=torch.channels_last)
        # another order of summation rounds each feature by a part of the largest, not of itself
        torch.testing.assert_close(
            backbone(images), contiguous, rtol=0, atol=1e-5 * float(contiguous.abs().max())
        )


def test_channels_last_weights_are_enough_to_keep_the_whole_network_channels_last() -> None:
    backbone = resnet32().to(memory_format=torch.channels_last)
    formats = []
    for block in backbone.blocks:
        block.register_forward_hook(
            lambda _module, _inputs, output: formats.append(
                output.is_contiguous(memory_format=torch.channels_last)
            )
        )
    backbone(torch.randn(2, 3, 32, 32))  # the images themselves are not channels-last
    assert formats == [True] * 15


@pytest.mark.parametrize("name", ["digits_net", "resnet32"])
def test_bfloat16_autocast_follows_float32(name: str) -> None:
    backbone = build_backbone(
        name
    )  # in training mode: batch normalisation hides the scale of rounding errors
    images = torch.randn(16, 3, IMAGE_SIZE[name], IMAGE_SIZE[name])
    exact = backbone(images)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = backbone(images)
    assert ((rounded - exact).norm() / exact.norm()).item() < 0.05


@pytest.mark.slow
def test_a_compiled_residual_block_gives_the_same_features() -> None:
    block = BasicBlock(4, 8).eval()  # it halves the image, so it has every kind of layer
    images = torch.randn(2, 4, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(block)(images), block(images), rtol=1e-4, atol=1e-5)


def test_the_digits_network_learns_to_read() -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 8 - 1
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    train, test = order[:1400], order[1400:]
    model = nn.Sequential(digits_net(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(4):
        for batch in train[torch.randperm(len(train))].split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(images[test]).argmax(1) == labels[test]).float().mean().item()
    assert accuracy > 0.93


@pytest.mark.usefixtures("shapes_unchecked")
def test_unknown_names_channels_and_images_are_refused_with_their_value() -> None:
    with pytest.raises(ValueError, match=r"'resnet18', expected .*digits_net, resnet32"):
        build_backbone("resnet18")
    with pytest.raises(ValueError, match="in_channels = 0"):
        build_backbone("resnet32", 0)
    backbone = resnet32()
    with pytest.raises(ValueError, match=r"\(2, 1, 32, 32\) .*1 channel, .* 3"):
        backbone(torch.zeros(2, 1, 32, 32))
    with pytest.raises(ValueError, match=r"\(3, 32, 32\), expected four dimensions"):
        backbone(torch.zeros(3, 32, 32))
    with pytest.raises(ValueError, match=r"torch\.uint8, expected a floating-point type"):
        backbone(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
