"""The two-branch model: which view goes where, one pass, gradients, precision, compilation."""

import pytest
import torch
from torch import nn

from bcl_edu.models import (
    ProjectionHead,
    PrototypeHead,
    TwoBranchModel,
    TwoBranchOutput,
    build_backbone,
    build_classifier,
)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def digits_model(classifier: str = "linear", channels: int = 1) -> TwoBranchModel:
    backbone = build_backbone("digits_net", channels)
    return TwoBranchModel(
        backbone, build_classifier(classifier, 64, 10), ProjectionHead(64, 32, 16), PrototypeHead(64, 32, 16)
    )


def test_shapes_of_the_output() -> None:
    output = digits_model()(torch.randn(3, 5, 1, 8, 8))
    assert output.logits.shape == (5, 10)
    assert output.embeddings.shape == (10, 16)
    assert output.prototypes is not None
    assert output.prototypes.shape == (10, 16)


@pytest.mark.parametrize("name", ["digits_net", "resnet32"])
def test_one_pass_equals_three_passes_in_evaluation_mode(name: str) -> None:
    model = digits_model()
    model.backbone = build_backbone(name, 1)
    model.eval()
    v1, v2, v3 = views = torch.randn(3, 4, 1, 16, 16)
    with torch.no_grad():
        output = model(views)
        torch.testing.assert_close(output.logits, model.classify(v1))
        torch.testing.assert_close(output.embeddings[:4], model.embed(v2))
        torch.testing.assert_close(output.embeddings[4:], model.embed(v3))
        torch.testing.assert_close(output.prototypes, model.prototypes())


def test_the_backbone_runs_once_on_all_three_views() -> None:
    model = digits_model()
    batches = []
    model.backbone.register_forward_hook(lambda _module, inputs, _output: batches.append(inputs[0].shape[0]))
    model(torch.randn(3, 5, 1, 8, 8))
    assert batches == [15]


def test_logits_come_from_v1_and_embeddings_from_v2_and_v3_only() -> None:
    model = digits_model().eval()
    views = torch.randn(3, 4, 1, 8, 8, requires_grad=True)
    output = model(views)
    (from_logits,) = torch.autograd.grad(output.logits.square().sum(), views, retain_graph=True)
    (from_embeddings,) = torch.autograd.grad(output.embeddings[:, 0].sum(), views)
    assert [view.any().item() for view in from_logits] == [True, False, False]
    assert [view.any().item() for view in from_embeddings] == [False, True, True]


@pytest.mark.parametrize("classifier", ["linear", "cosine"])
def test_prototypes_send_gradients_to_the_classifier_rows_and_to_their_head_only(classifier: str) -> None:
    model = digits_model(classifier)
    prototypes = model.prototypes()
    assert prototypes is not None
    (prototypes * torch.randn(10, 16)).sum().backward()
    reached = {
        name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()
    }
    assert reached == {"classifier", "prototype_head"}
    assert model.classifier.weight.grad is not None
    assert model.classifier.weight.grad.any(dim=1).all()  # every class


def test_prototypes_change_with_the_classifier_rows() -> None:
    model = digits_model()
    before = model.prototypes()
    with torch.no_grad():
        model.classifier.weight[3] += 1
    assert before is not None
    assert not torch.allclose(model.prototypes(), before)  # type: ignore[arg-type]


@pytest.mark.parametrize("classifier", ["linear", "cosine"])
def test_gradients_of_all_three_outputs_reach_every_parameter(classifier: str) -> None:
    model = digits_model(classifier)
    output = model(torch.randn(3, 8, 1, 8, 8))
    sum((part * torch.randn_like(part)).sum() for part in output).backward()
    untouched = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # a bias before batch normalisation is subtracted again with the mean: only rounding noise reaches it
    assert untouched == [name for name in untouched if name.endswith("head.layers.0.bias")]


def test_bfloat16_autocast_follows_float32_and_keeps_unit_length() -> None:
    model = digits_model("cosine")
    views = torch.randn(3, 16, 1, 8, 8)
    exact = model(views)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(views)
    for part, reference in zip(rounded, exact, strict=True):
        assert part.dtype == torch.float32
        assert ((part - reference).norm() / reference.norm()).item() < 0.03
    for part in (rounded.embeddings, rounded.prototypes):
        assert (part.norm(dim=1) - 1).abs().max().item() < 1e-6


def test_channels_last_model_and_transposed_loader_batches_give_the_same_output() -> None:
    model = digits_model(channels=3).eval()
    from_loader = torch.randn(4, 3, 3, 8, 8)  # (n, view, c, h, w)
    with torch.no_grad():
        expected = model(from_loader.transpose(0, 1).contiguous())
        model.to(memory_format=torch.channels_last)
        output = model(from_loader.transpose(0, 1))
    for part, reference in zip(output, expected, strict=True):
        torch.testing.assert_close(part, reference, rtol=1e-4, atol=1e-5)


def test_captured_training_pass_gives_the_same_output_and_gradients_without_a_graph_break() -> None:
    model = digits_model("cosine")
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")  # no minute in a C++ compiler
    views = torch.randn(3, 8, 1, 8, 8)

    def gradients(run: nn.Module) -> tuple[TwoBranchOutput, list[torch.Tensor]]:
        model.zero_grad()
        output: TwoBranchOutput = run(views)
        assert output.prototypes is not None
        total = output.logits[:, 0].sum() + output.embeddings[:, 0].sum() + output.prototypes[:, 0].sum()
        total.backward()
        return output, [p.grad.clone() for p in model.parameters() if p.grad is not None]

    expected_output, expected_gradients = gradients(model)
    output, actual_gradients = gradients(compiled)  # type: ignore[arg-type]
    for part, reference in zip(output, expected_output, strict=True):
        torch.testing.assert_close(part, reference, rtol=1e-3, atol=1e-4)
    for gradient, reference in zip(actual_gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, reference, rtol=1e-3, atol=1e-3)


def test_a_model_without_prototype_head_has_no_prototypes() -> None:
    model = TwoBranchModel(
        build_backbone("digits_net", 1), build_classifier("linear", 64, 10), ProjectionHead(64), None
    )
    assert model(torch.randn(3, 2, 1, 8, 8)).prototypes is None


@pytest.mark.parametrize("shape", [(2, 4, 1, 8, 8), (4, 1, 8, 8), (4, 3, 1, 8, 8)])
def test_anything_but_three_views_first_is_refused_with_its_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \(3, n, channels, height, width\)") as refusal:
        digits_model()(torch.zeros(shape))
    assert str(shape) in str(refusal.value)
