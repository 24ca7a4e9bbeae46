"""The pages of documentation run as they are written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from bcl_edu.models import build_backbone
from tests.documents import blocks, python_of, run_commands


def run_python(page: str) -> dict[str, Any]:
    """All Python of a page, block after block, in one namespace."""
    names: dict[str, Any] = {"__name__": page}
    for number in range(len(blocks(page, "python"))):
        exec(compile(python_of(page, number), page, "exec"), names)
    return names


@pytest.fixture
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lightning_class() -> Any:
    """The class of the page, and data of three classes for it."""
    module = run_python("losses_in_your_loop.md")["Balanced"]()
    labels = torch.repeat_interleave(torch.arange(3), torch.tensor([8, 4, 2]))
    views = torch.randn(len(labels), 3, 3, 8, 8)
    return module, DataLoader([(views[i], labels[i]) for i in range(len(labels))], batch_size=7)  # type: ignore[arg-type]


def copies(module: torch.nn.Module) -> list[torch.Tensor]:
    return [value.detach().clone() for value in module.parameters()]


def test_the_losses_train_in_a_loop_of_ones_own_and_under_lightnings_hooks(lightning_class: Any) -> None:
    module, data = lightning_class
    before = copies(module)
    optimizer = module.configure_optimizers()
    for number, batch in enumerate(data):
        loss = module.training_step(batch, number)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert all(not torch.equal(old, new) for old, new in zip(before, copies(module), strict=True))


@pytest.mark.filterwarnings("ignore")  # Lightning's own, of few workers and no logger
def test_lightnings_trainer_trains_the_class_of_the_page(lightning_class: Any) -> None:
    lightning = pytest.importorskip("pytorch_lightning")
    module, data = lightning_class
    before = copies(module)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    lightning.Trainer(max_epochs=1, accelerator="cpu", **quiet).fit(module, data)
    assert all(not torch.equal(old, new) for old, new in zip(before, copies(module), strict=True))


def test_exported_weights_load_in_plain_pytorch(in_tmp: Path) -> None:
    run_commands("exported_weights.md")
    names = run_python("exported_weights.md")
    backbone = build_backbone("resnet50")
    weights = {f"backbone.{name}": value for name, value in backbone.state_dict().items()}
    classifier = torch.nn.Linear(2048, 3)
    weights |= {f"classifier.{name}": value for name, value in classifier.state_dict().items()}
    network = names["torchvision_network"]("resnet50", weights, 3)
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        expected = classifier(backbone.eval()(image))
        assert torch.allclose(network(image), expected, atol=1e-5)


def test_the_way_from_own_pictures_to_a_table_is_as_it_is_written(
    in_tmp: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BCL_EDU_CACHE", str(in_tmp / "cache"))
    random = np.random.RandomState(0)
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for name, count in {"ant": 6, "bee": 3}.items():
        for split, number in (("train", count), ("test", 2)):
            folder = in_tmp / "pictures" / split / name
            folder.mkdir(parents=True)
            for index in range(number):
                pixels = random.randint(0, 256, (16 + index, 20, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
                lists[split].append(f"{split}/{name}/{index}.png,{name}")
    for split, lines in lists.items():
        (in_tmp / f"{split}.csv").write_text("path,label\n" + "\n".join(lines) + "\n")
    for old, new in (("ant", "1"), ("bee", "0")):
        shutil.copytree(in_tmp / "pictures" / "test" / old, in_tmp / "renamed" / "test" / new)
    (in_tmp / "classes.csv").write_text("1,ant\n0,bee\n")
    assert len(run_commands("own_data.md", "--backbone", "digits_net")) == 12
    printed = capsys.readouterr().out
    assert "estimated, nothing was written" in printed
    assert "folder, method bcl, after" in printed
    assert "in no table" in printed
