"""The Python side of the training sphere: settings, page, widget."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from bcl_edu.course import widgets
from bcl_edu.course.widgets.sphere import (
    LOSSES,
    TrainingSettings,
    TrainingSphere,
    sphere_html,
    write_sphere_page,
)
from bcl_edu.course.widgets.sphere.__main__ import main
from bcl_edu.geometry.optimum import certified_optimum

# ---- settings


def test_four_classes_at_100_have_100_22_5_and_1_pictures_as_one_batch_of_two_views() -> None:
    settings = TrainingSettings()
    assert settings.class_counts.tolist() == [100, 22, 5, 1]
    assert settings.compositions.counts == pytest.approx(np.array([[200, 44, 10, 2]]))


@pytest.mark.parametrize("num_classes", range(3, 11))
@pytest.mark.parametrize("imbalance_factor", [1, 10, 100])
def test_no_class_is_empty_and_there_are_at_most_400_points(
    num_classes: int, imbalance_factor: float
) -> None:
    counts = TrainingSettings(imbalance_factor, num_classes=num_classes).class_counts
    assert counts.min() >= 1
    assert counts.sum() <= 400
    assert (np.diff(counts) <= 0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_of_the_menu_has_an_optimum(loss: str) -> None:
    settings = TrainingSettings(num_classes=3, losses=(loss, loss))
    assert certified_optimum(settings.compositions, loss, temperature=settings.temperature).certified


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("imbalance_factor", 101.0, "imbalance_factor is 101.0; expected 1 to 100"),
        ("imbalance_factor", float("nan"), "imbalance_factor is nan"),
        ("temperature", 0.01, "temperature is 0.01; expected 0.05 to 2"),
        ("learning_rate", 1.0, "learning_rate is 1.0; expected 0.005 to 0.5"),
        ("num_classes", 2, "num_classes is 2; expected one of 3, 4, "),
        ("dimension", 4, "dimension is 4; expected .*2, 3"),
        ("losses", ["scl"], r"\['scl'\]; expected two"),
        ("losses", ["scl", "infonce"], r"losses are \['scl', 'infonce'\]"),
        ("batch_size", 16, "batch_size is 16; expected one of 0, 8, 32"),
        ("prototypes", "tied", "prototypes is 'tied'; .*'means', 'free', 'off'"),
        ("start", "simplex", "start is 'simplex'; .*'cone', 'random'"),
        ("seed", -1, "seed is -1; expected 0 to 9999"),
        ("speed", 2.0, "speed is 2.0; .*0.25, 1, 4"),
    ],
)
def test_a_setting_that_no_control_has_is_refused_and_a_trait_stays_what_it_was(
    setting: str, value: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingSettings(**{setting: value})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        TrainingSphere(**{setting: value})
    sphere = TrainingSphere()
    before = getattr(sphere, setting)
    with pytest.raises(ValueError, match=message):
        setattr(sphere, setting, value)
    assert getattr(sphere, setting) == before


# ---- widget


def test_traits_are_settings() -> None:
    sphere = widgets.training_sphere(imbalance_factor=10, num_classes=5, losses=["bcl", "ce"], batch_size=8)
    assert sphere.settings == TrainingSettings(10.0, num_classes=5, losses=["bcl", "ce"], batch_size=8)
    sphere.temperature = 0.1
    assert sphere.settings.temperature == 0.1
    assert sphere.state == {}
    assert TrainingSphere().settings.in_browser() == TrainingSettings().in_browser()


# ---- page


def test_the_page_needs_nothing_but_itself() -> None:
    page = sphere_html()
    namespace = "http://www.w3.org/2000/svg"  # a name, which nothing fetches
    assert re.findall(r"https?://[^\"'\s]+", page.replace(namespace, "")) == []
    assert not re.search(r"<link|<script[^>]* src|@import|^import ", page, re.MULTILINE)
    assert len(page) < 200_000


def test_browser_and_python_start_from_the_same_settings() -> None:
    browser = Path(widgets.__file__).parent / "sphere" / "browser"
    start = re.search(r"TRAINING_START = \{\n(.*?)\n\};", (browser / "training_sphere.js").read_text(), re.S)
    assert start is not None
    found = {
        name: ast.literal_eval(value)  # numbers, strings and a list of strings: the same in both languages
        for name, value in re.findall(r"^  (\w+): (.*),$", start[1], re.MULTILINE)
    }
    assert found == TrainingSettings().in_browser()
    menu = re.findall(r'^  "?([\w-]+)"?: \{ ?(?:label|$)', (browser / "training_losses.js").read_text(), re.M)
    assert set(menu) == set(LOSSES)


def test_the_page_opens_at_the_settings_asked_for(tmp_path: Path) -> None:
    path = write_sphere_page(
        tmp_path / "new" / "page.html",
        TrainingSettings(imbalance_factor=20, losses=("ce", "lc")),
        opening=False,
    )
    text = path.read_text()
    assert '"imbalanceFactor": 20, ' in text
    assert '"losses": ["ce", "lc"]' in text
    assert '{"opening": false, "playing": true}' in text
    assert list(path.parent.iterdir()) == [path]  # no temporary file stays behind


def test_the_command_writes_the_page_and_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "page.html"
    assert main([str(path), "--num-classes", "10", "--paused"]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert '"numClasses": 10' in path.read_text()
    assert '"playing": false' in path.read_text()


def test_the_command_refuses_a_wrong_setting_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(tmp_path / "page.html"), "--batch-size", "12"])
    assert stop.value.code == 2
    assert "batch_size is 12; expected one of 0, 8, 32" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()
