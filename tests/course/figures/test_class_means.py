import math

import numpy as np
import pytest
import torch

from bcl_edu.course.figures import caption, class_mean_film, class_mean_sphere, style, text_alternative

COUNTS = torch.tensor([100, 20, 5])
TRIANGLE = torch.tensor([[1.0, 0.0], [-0.5, math.sqrt(3) / 2], [-0.5, -math.sqrt(3) / 2]])
TETRAHEDRON = torch.tensor([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / math.sqrt(3)


def means_of(figure: object) -> object:
    """The trace of the class means."""
    return figure.data[-1]  # type: ignore[attr-defined]


def test_three_means_in_the_plane_are_drawn_on_a_circle_at_their_own_coordinates() -> None:
    figure = class_mean_sphere(TRIANGLE, COUNTS, ["cat", "dog", "yak"])
    assert {trace.type for trace in figure.data} == {"scatter"}
    np.testing.assert_allclose(means_of(figure).x, TRIANGLE[:, 0])
    np.testing.assert_allclose(means_of(figure).y, TRIANGLE[:, 1])
    assert means_of(figure).text == ("<b>cat</b>", "<b>dog</b>", "<b>yak</b>")


def test_the_circle_is_not_stretched() -> None:
    assert class_mean_sphere(TRIANGLE, COUNTS).layout.yaxis.scaleanchor == "x"
    assert class_mean_sphere(TETRAHEDRON, torch.ones(4, dtype=torch.long)).layout.scene.aspectmode == "cube"


def test_a_tetrahedron_in_four_dimensions_is_drawn_exactly() -> None:
    means = torch.eye(4) - 0.25
    means = means / means.norm(dim=1, keepdim=True)
    figure = class_mean_sphere(means, torch.tensor([8, 4, 2, 1]))
    points = np.stack([means_of(figure).x, means_of(figure).y, means_of(figure).z], axis=1)
    np.testing.assert_allclose(points @ points.T, means @ means.T, atol=1e-6)
    assert "projection" not in figure.layout.title.text


def test_more_dimensions_are_called_a_projection_in_title_and_words() -> None:
    figure = class_mean_sphere(torch.eye(10), torch.arange(10, 0, -1))
    assert "projection: shows 30%" in figure.layout.title.text
    assert text_alternative(figure).startswith("This is a projection")


def test_head_to_tail_shows_in_width_and_size_and_not_in_colour_alone() -> None:
    figure = class_mean_sphere(TRIANGLE, COUNTS)
    widths = [trace.line.width for trace in figure.data[1:4]]
    sizes = list(means_of(figure).marker.size)
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


def test_spokes_run_from_the_centre_to_the_mean() -> None:
    spoke = class_mean_sphere(TRIANGLE, COUNTS).data[2]
    np.testing.assert_allclose(spoke.x, [0, -0.5])
    np.testing.assert_allclose(spoke.y, [0, math.sqrt(3) / 2], rtol=1e-6)


def test_the_outline_has_radius_one() -> None:
    for means in (TRIANGLE, TETRAHEDRON):
        outline = class_mean_sphere(means, torch.ones(len(means), dtype=torch.long)).data[0]
        axes = [outline.x, outline.y] + ([outline.z] if outline.type == "scatter3d" else [])
        radius = np.sqrt(sum(np.square(axis) for axis in axes))
        np.testing.assert_allclose(radius[~np.isnan(radius)], 1, atol=1e-6)


def test_samples_take_the_colour_of_their_class() -> None:
    labels = torch.tensor([2, 0, 0])
    figure = class_mean_sphere(TRIANGLE, COUNTS, embeddings=TRIANGLE[labels], labels=labels)
    assert list(figure.data[-2].marker.color) == [style.TAIL, style.HEAD, style.HEAD]


def test_the_alternative_names_lengths_and_the_nearest_pair() -> None:
    means = torch.tensor([[1.0, 0.0], [0.0, 0.5], [0.1, 0.7]])
    words = text_alternative(class_mean_sphere(means, COUNTS, ["cat", "dog", "yak"]))
    assert "cat (100 images) 1.00, dog (20 images) 0.50, yak (5 images) 0.71" in words
    assert "dog and yak, cosine 0.99" in words


def test_a_film_has_one_frame_an_epoch_and_moves_every_trace_but_the_outline() -> None:
    film = class_mean_film(
        torch.stack([TETRAHEDRON * length for length in (0.2, 0.6, 1.0)]), torch.ones(4).long()
    )
    assert [frame.name for frame in film.frames] == ["1", "2", "3"]
    assert [step.label for step in film.layout.sliders[0].steps] == ["1", "2", "3"]
    for frame, length in zip(film.frames, (0.2, 0.6, 1.0), strict=True):
        assert frame.traces == tuple(range(1, len(film.data)))
        np.testing.assert_allclose(frame.data[-1].z, length * TETRAHEDRON[:, 2], atol=5e-4)


def test_a_film_that_is_not_played_shows_and_describes_its_last_epoch() -> None:
    film = class_mean_film(torch.stack([TRIANGLE * 0.3, TRIANGLE]), COUNTS)
    np.testing.assert_allclose(film.data[-1].x, TRIANGLE[:, 0], rtol=1e-6)
    assert film.layout.sliders[0].active == 1
    assert "A film of 2 frames." in text_alternative(film)
    assert "0 (100 images) 1.00" in text_alternative(film)


def test_a_film_can_begin_before_the_end_so_that_it_gives_nothing_away() -> None:
    film = class_mean_film(torch.stack([TRIANGLE * 0.3, TRIANGLE]), COUNTS, start=0)
    np.testing.assert_allclose(film.data[-1].x, 0.3 * TRIANGLE[:, 0], rtol=1e-6)
    assert film.layout.sliders[0].active == 0


def test_names_on_a_circle_stand_beyond_their_arrows() -> None:
    positions = means_of(class_mean_sphere(TRIANGLE, COUNTS)).textposition
    assert positions == ("top center", "top center", "bottom center")


def test_names_in_a_sphere_stand_beyond_their_arrows_and_apart() -> None:
    near = torch.tensor([[0.0, 0.0, -1.0], [0.05, 0.0, -1.0], [0.05, 0.0, -1.0], [0.0, 1.0, 0.0]])
    figure = class_mean_sphere(near / near.norm(dim=1, keepdim=True), torch.ones(4).long())
    names = figure.data[-2]
    assert names.text == ("<b>0</b>", "<b>1</b>", "<b>2</b>", "<b>3</b>")
    places = np.stack([names.x, names.y, names.z], axis=1)
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), 1.14, atol=0.1)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)[np.triu_indices(4, 1)]
    assert distances.min() > 0.17


def test_names_in_a_sphere_lie_on_nothing_as_they_are_first_seen() -> None:
    # the second mean lies behind the first name, and the last two in one line of sight
    eye = np.array([0.89, 0.89, 0.5])
    towards, up = eye / np.linalg.norm(eye), np.array([0.0, 0.0, 1.0])
    right = np.cross(up, towards) / np.linalg.norm(np.cross(up, towards))
    above = np.cross(towards, right)
    rows = [0.8 * right, 0.9 * right - 0.4 * towards, -0.8 * right, -0.7 * right + 0.5 * towards]
    figure = class_mean_sphere(torch.tensor(np.array(rows)), torch.tensor([9, 5, 2, 1]))
    names, dots = (np.stack([trace.x, trace.y, trace.z], axis=1).astype(float) for trace in figure.data[-2:])
    scene = figure.layout.scene
    assert (scene.camera.eye.x, scene.camera.eye.y, scene.camera.eye.z) == tuple(eye)
    away = np.linalg.norm(eye) * (scene.xaxis.range[1] - scene.xaxis.range[0])

    def seen(points: np.ndarray) -> np.ndarray:
        return points @ np.stack([right, above], axis=1) * (away / (away - points @ towards))[:, None]

    others = np.concatenate([seen(names), seen(dots)])
    apart = np.abs(seen(names)[:, None] - others[None])
    apart[range(4), range(4)] = 9
    # a letter is about 9 by 15 pixels, and the sphere's radius 150
    assert ((apart[..., 0] > 0.06) | (apart[..., 1] > 0.09)).all()


def test_the_caption_says_only_what_there_is_to_see() -> None:
    labels = torch.tensor([2, 0, 0])
    assert "for the tail" in caption(class_mean_sphere(TRIANGLE, COUNTS))
    assert "equally large" in caption(class_mean_sphere(TRIANGLE, torch.full((3,), 7)))
    with_samples = class_mean_sphere(TRIANGLE, COUNTS, embeddings=TRIANGLE[labels], labels=labels)
    assert "Each dot" in caption(with_samples)
    assert caption(class_mean_sphere(TRIANGLE, COUNTS, look_at="Look left.")) == "Look left."


def test_frames_of_a_projected_film_share_their_axes() -> None:
    start = torch.eye(6)[:, torch.arange(5, -1, -1)] * 0.5
    film = class_mean_film(torch.stack([start, start]), torch.arange(6, 0, -1))
    np.testing.assert_array_equal(film.frames[0].data[-1].x, film.frames[1].data[-1].x)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((TRIANGLE[:2], COUNTS), "2 class means.*class_counts.* 3"),
        ((TRIANGLE, COUNTS, ["cat"]), "1 class names for 3 classes"),
        ((2 * TRIANGLE, COUNTS), "length 2 "),
        ((TRIANGLE * math.nan, COUNTS), "outside the unit sphere|not finite"),
    ],
)
def test_parts_that_do_not_fit_are_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_mean_sphere(*arguments)  # type: ignore[arg-type]


def test_embeddings_without_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="pass both, or neither"):
        class_mean_sphere(TRIANGLE, COUNTS, embeddings=TRIANGLE)


def test_a_film_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one epoch"):
        class_mean_film(torch.zeros(0, 3, 2), COUNTS)


def test_few_samples_are_drawn_one_by_one_and_many_as_a_cloud() -> None:
    def size(each: int) -> float:
        labels = torch.arange(3).repeat_interleave(each)
        figure = class_mean_sphere(TRIANGLE, COUNTS, embeddings=TRIANGLE[labels], labels=labels)
        return float(figure.data[-2].marker.size)

    assert size(3) > size(100)
