from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from bcl_edu.training.optimizer import fused_sgd

SETTINGS = {"momentum": 0.9, "weight_decay": 1e-2}


def twins() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    return model, copy.deepcopy(model)


def backward(model: nn.Module, step: int) -> None:
    model(torch.randn(7, 5, generator=torch.Generator().manual_seed(step))).square().sum().backward()


def test_it_takes_the_steps_of_torchs_sgd() -> None:
    ours, theirs = twins()
    lean = fused_sgd(ours.parameters(), rate=0.05, **SETTINGS)
    plain = torch.optim.SGD(theirs.parameters(), lr=0.05, **SETTINGS)
    for step in range(5):
        for model, optimizer in ((ours, lean), (theirs, plain)):
            optimizer.zero_grad()
            backward(model, step)
            optimizer.step()
    for mine, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-5, atol=1e-7)


def test_its_state_is_torchs_and_goes_on_to_the_same_bits() -> None:
    ours, twin = twins()
    first = fused_sgd(ours.parameters(), rate=0.05, **SETTINGS)
    backward(ours, 0)
    first.step()
    twin.load_state_dict(ours.state_dict())
    second = torch.optim.SGD(twin.parameters(), lr=0.1, fused=True)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for model, optimizer in ((ours, first), (twin, second)):
        optimizer.zero_grad()
        backward(model, 1)
        optimizer.step()
    assert all(map(torch.equal, ours.parameters(), twin.parameters()))


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_a_first_step_that_the_scaler_skips_leaves_no_trace(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    model = nn.Linear(5, 3, device=device)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = fused_sgd(model.parameters(), rate=0.05, **SETTINGS)
    scaler = torch.amp.GradScaler(device, init_scale=2.0**127)
    images = 1e3 * torch.ones(7, 5, device=device)
    scaler.scale(model(images).square().sum()).backward()  # overflows
    scaler.step(optimizer)
    scaler.update()
    assert all(map(torch.equal, before, model.parameters()))
    assert all(not state["momentum_buffer"].any() for state in optimizer.state.values())
