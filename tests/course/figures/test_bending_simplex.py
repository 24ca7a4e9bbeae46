import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from bcl_edu.course.figures import bending_simplex
from bcl_edu.course.figures.bending_simplex import turned_onto


def cosines(frame: go.Frame) -> np.ndarray:
    points = np.stack([np.asarray(frame.data[-1][axis], dtype=float) for axis in "xyz"], axis=1)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points @ points.T


def test_it_starts_at_the_regular_simplex_and_ends_with_the_tail_closer_together() -> None:
    film = bending_simplex((1, 100))
    assert [frame.name for frame in film.frames] == ["1", "100"]
    first, last = (cosines(frame) for frame in film.frames)
    assert first[~np.eye(4, dtype=bool)] == pytest.approx(-1 / 3, abs=0.01)
    assert last[2, 3] > first[2, 3] + 0.3
    assert last[2, 3] == last[~np.eye(4, dtype=bool)].max()
    assert film.layout.sliders[0].currentvalue.prefix == "imbalance factor "


def test_the_title_says_the_angle_of_every_frame_and_nothing_hides_anything() -> None:
    film = bending_simplex((1, 1000))
    first, last = (frame.layout.title.text for frame in film.frames)
    assert "109° between the two rarest" in film.layout.title.text == first
    assert "35° between the two rarest" in last
    eye = np.array([film.layout.scene.camera.eye[axis] for axis in "xyz"])
    eye /= np.linalg.norm(eye)
    for frame in film.frames:
        points = np.stack([np.asarray(frame.data[-1][axis], dtype=float) for axis in "xyz"], axis=1)
        points = np.concatenate([points, np.zeros((1, 3))])
        flat = points - (points @ eye)[:, None] * eye
        apart = np.linalg.norm(flat[:, None] - flat[None], axis=2)[~np.eye(5, dtype=bool)]
        assert apart.min() > 0.3  # of the radius


def test_a_class_of_one_image_is_still_an_anchor_and_does_not_jump() -> None:
    film = bending_simplex((500, 1000))
    before, after = (cosines(frame) for frame in film.frames)
    assert after[2, 3] == after[~np.eye(4, dtype=bool)].max()
    assert abs(after - before).max() < 0.15


def test_a_turned_set_of_points_is_turned_back() -> None:
    points = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mirror = torch.diag(torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64))
    turn = torch.linalg.qr(
        torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ).Q
    torch.testing.assert_close(turned_onto(points @ turn @ mirror, points), points)


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="'hinge'"):
        bending_simplex(loss="hinge")
