"""Class means on a circle or sphere: still, or as they move over the epochs.

A picture is exact where the vectors fit into it: on a circle in two dimensions, in a sphere in three (four
classes at the regular simplex are a tetrahedron). Vectors of more dimensions are projected, and the figure
says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import plotly.graph_objects as go
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import normalize

from bcl_edu.course.figures import style
from bcl_edu.course.figures.film import frame_slider
from bcl_edu.course.figures.projection import Projection, best_projection

FEW_SAMPLES = 50
"""Up to this many samples are drawn large enough to tell them apart; more are drawn as a cloud."""

LOOK_AT = "One arrow a class, thick and large for the head, thin and small for the tail."

BEYOND = 0.14
"""Distance of a name from the tip of its arrow, in a sphere of radius 1."""
ABOVE = 0.13
"""Extra height of the name of a level arrow."""
NAMES_APART = 0.17
"""Distance that names in a sphere keep from one another, if their arrows are nearer than that."""
LETTER = (0.09, 0.14)
"""Width and height of a letter of a name, in radii of the sphere as it is seen."""
DOT = 0.06
"""Radius of the dot at an arrow's end, likewise."""
EYE = (0.89, 0.89, 0.5)
"""Where the camera is at first, if the cube around the sphere has edges of length 1 and its centre is the origin."""
REACH = 1.2
"""Half an edge of that cube, in radii of the sphere: names stand outside it."""

FILM_LASTS = 6000
"""Milliseconds of a film: time enough to follow a class."""
SHORTEST_FRAME = 120


@dataclass(frozen=True)
class Sphere:
    """Content of one picture of class means; `class_mean_sphere` draws it.

    Attributes:
        means: class means mu_k, inside the unit ball, shape (K, D). A mean's length is 1 - within-class spread.
        class_counts: training images of each class, shape (K,).
        class_names: their names; without them, their numbers.
        embeddings: unit vectors to scatter around the means, shape (n, D), or none.
        labels: class of each embedding, shape (n,).
    """

    means: Float[Tensor, "k dim"]
    class_counts: Int[Tensor, " k"]
    class_names: Sequence[str] | None = None
    embeddings: Float[Tensor, "n dim"] | None = None
    labels: Int[Tensor, " n"] | None = None

    def __post_init__(self) -> None:
        """Refuse parts that do not belong together."""
        classes = len(self.class_counts)
        if len(self.means) != classes:
            raise ValueError(f"{len(self.means)} class means, but class_counts has {classes} entries")
        if self.class_names is not None and len(self.class_names) != classes:
            raise ValueError(f"{len(self.class_names)} class names for {classes} classes")
        if (self.embeddings is None) != (self.labels is None):
            raise ValueError("embeddings and labels come together: pass both, or neither")
        longest = float(self.means.norm(dim=1).max())
        if not longest < 1.01:
            raise ValueError(
                f"a class mean of length {longest:.3g} lies outside the unit sphere; "
                "pass means of unit-length embeddings (or normalise the means)"
            )

    @property
    def names(self) -> list[str]:
        """Class names, or class numbers where there are no names."""
        return style.class_labels(self.class_names, len(self.class_counts))


def class_mean_sphere(
    means: Float[Tensor, "k dim"],
    class_counts: Int[Tensor, " k"],
    class_names: Sequence[str] | None = None,
    *,
    embeddings: Float[Tensor, "n dim"] | None = None,
    labels: Int[Tensor, " n"] | None = None,
    title: str = "Class means",
    look_at: str | None = None,
) -> go.Figure:
    """Class means as arrows from the centre: on a circle, in a sphere, or projected and labelled so.

    Args:
        means: class means mu_k of unit embeddings, shape (K, D); inside the unit ball.
        class_counts: training images of each class, shape (K,); decides colour, size and width.
        class_names: shape (K,).
        embeddings: unit vectors drawn as small points around the means, shape (n, D).
        labels: class of each embedding, shape (n,).
        title: the figure's title.
        look_at: its caption; without it, how to read an arrow.

    Raises:
        ValueError: shapes disagree, a mean lies outside the unit ball, or a value is not finite.
    """
    sphere = Sphere(means, class_counts, class_names, embeddings, labels)
    projection = best_projection(means)
    figure = _empty_page(sphere, projection, title, look_at or _how_to_read(sphere), _in_words(sphere))
    figure.add_traces([_outline(projection), *sphere_traces(sphere, projection)])
    return figure


def class_mean_film(
    means_by_epoch: Float[Tensor, "epochs k dim"],
    class_counts: Int[Tensor, " k"],
    class_names: Sequence[str] | None = None,
    *,
    embeddings_by_epoch: Float[Tensor, "epochs n dim"] | None = None,
    labels: Int[Tensor, " n"] | None = None,
    epochs: Sequence[int] | None = None,
    quantity: str = "epoch",
    title: str = "Class means as they move",
    look_at: str = "Press play: " + LOOK_AT[0].lower() + LOOK_AT[1:],
    start: int = -1,
    eye: Sequence[float] = EYE,
) -> go.Figure:
    """The pictures of `class_mean_sphere` over the epochs, with a play button and a slider.

    All frames share one projection (of the means of all epochs), so what moves is the means, not the camera.
    It plays in the browser, without Python.

    Args:
        means_by_epoch: class means after each epoch, shape (epochs, K, D).
        class_counts: training images of each class, shape (K,).
        class_names: shape (K,).
        embeddings_by_epoch: the same n samples after each epoch, shape (epochs, n, D); each frame stores them.
        labels: class of each sample, shape (n,).
        epochs: the number that labels each frame; without it 1, 2, ...
        quantity: what that number is, written before it.
        title: the figure's title.
        look_at: its caption.
        start: place of the frame that it shows until it is played, and in print; the last one if not said.
        eye: where a sphere is seen from at first, x, y, z.

    Raises:
        ValueError: as `class_mean_sphere`; also if there is no frame.
    """
    if len(means_by_epoch) == 0:
        raise ValueError("a film needs at least one epoch")
    epochs = list(epochs) if epochs is not None else list(range(1, len(means_by_epoch) + 1))
    if len(epochs) != len(means_by_epoch):
        raise ValueError(f"{len(epochs)} epoch numbers for {len(means_by_epoch)} sets of class means")
    last = Sphere(
        means_by_epoch[-1],
        class_counts,
        class_names,
        embeddings_by_epoch[-1] if embeddings_by_epoch is not None else None,
        labels,
    )
    projection = best_projection(means_by_epoch.flatten(0, 1))
    spheres = [
        replace(
            last,
            means=means,
            embeddings=embeddings_by_epoch[position] if embeddings_by_epoch is not None else None,
        )
        for position, means in enumerate(means_by_epoch)
    ]

    words = f"A film of {len(spheres)} frames. At the end: {_in_words(last)}"
    figure = _empty_page(last, projection, title, look_at, words, eye)
    figure.add_traces([_outline(projection), *sphere_traces(spheres[start], projection, eye)])
    figure.frames = [
        go.Frame(
            name=str(epoch),
            data=[_movement(trace) for trace in sphere_traces(sphere, projection, eye)],
            traces=list(range(1, len(figure.data))),
        )
        for epoch, sphere in zip(epochs, spheres, strict=True)
    ]
    active = range(len(epochs))[start]
    redraw = projection.axes.shape[1] == 3
    _add_player(figure, [str(epoch) for epoch in epochs], quantity, active=active, redraw=redraw)
    return figure


def sphere_traces(sphere: Sphere, projection: Projection, eye: Sequence[float] = EYE) -> list[Any]:
    """The traces that move: spokes, samples if there are any, in a sphere the names, and means, in this order.

    Args:
        sphere: what is shown.
        projection: onto a plane or into space.
        eye: where a sphere is seen from at first; its names lie on nothing as seen from there.
    """
    colours = style.class_colours(sphere.class_counts)
    means = projection(sphere.means)
    fractions = style.tail_fraction(sphere.class_counts)
    traces = [
        _scatter(
            torch.stack([torch.zeros_like(mean), mean]),
            mode="lines",
            line={"color": colour, "width": 7 - 5 * fraction},
            hoverinfo="skip",
        )
        for mean, colour, fraction in zip(means, colours, fractions, strict=True)
    ]
    if sphere.embeddings is not None and sphere.labels is not None:
        traces.append(
            _scatter(
                projection(sphere.embeddings),
                mode="markers",
                marker={
                    "color": [colours[k] for k in sphere.labels.tolist()],
                    "size": 3 if len(sphere.labels) > FEW_SAMPLES else 8,
                    "opacity": 0.55,
                },
                hoverinfo="skip",
            )
        )
    lengths = sphere.means.detach().norm(dim=1).tolist()
    names = {
        "text": [f"<b>{name}</b>" for name in sphere.names],
        "textfont": {"size": 15, "color": style.INK},
    }
    spatial = means.shape[1] == 3
    if spatial:
        look = names | {"mode": "text", "textposition": "middle center", "hoverinfo": "skip"}
        traces.append(_scatter(_places_of_names(means.detach(), sphere.names, eye), **look))
    else:
        names |= {"textposition": ["bottom center" if y < 0 else "top center" for y in means[:, 1].tolist()]}
    traces.append(
        _scatter(
            means,
            mode="markers" if spatial else "markers+text",
            marker={
                "color": colours,
                "size": style.class_marker_sizes(sphere.class_counts, 16, 7),
                "opacity": 1,
            },
            hovertext=[
                f"{name}: {count} training images, mean of length {length:.2f}"
                for name, count, length in zip(
                    sphere.names, sphere.class_counts.tolist(), lengths, strict=True
                )
            ],
            hoverinfo="text",
            **({} if spatial else names),
        )
    )
    return traces


def _places_of_names(
    means: Float[Tensor, "k 3"], names: Sequence[str], eye: Sequence[float]
) -> Float[Tensor, "k 3"]:
    """Places of names in a sphere: beyond their arrows, and on no other name and no dot as the eye sees them."""
    places = _beyond_arrows(means)
    letters = torch.tensor([len(name) for name in names], dtype=means.dtype)
    halves = torch.stack([letters * LETTER[0], torch.full_like(letters, LETTER[1])], dim=1) / 2
    of_all = torch.cat([halves, torch.full_like(halves, DOT)])  # of names, then of dots
    extents = halves[:, None] + of_all[None]
    first = torch.ones(len(means), len(means)).triu().to(means)  # of two in one place the first goes up
    sides = (2 * first - 1).repeat(1, 2)[:, :, None]
    across = _picture_axes(eye)[:2].to(means)
    dots, _ = _seen(means, eye)
    for _ in range(100):
        seen, scale = _seen(places, eye)
        gaps = seen[:, None] - torch.cat([seen, dots])[None]
        overlaps = extents - gaps.abs()
        overlaps[range(len(means)), range(len(means))] = 0  # a name and itself
        meets = (overlaps > 0).all(dim=2)
        if not meets.any():
            break
        # the shorter way out: half of it from another name, which moves, too; all of it from a dot
        shorter = functional.one_hot(overlaps.argmin(dim=2), 2).to(means)
        directions = torch.where(gaps == 0, sides, gaps.sign())
        pushes = directions * shorter * overlaps * meets[:, :, None]
        moves = pushes[:, : len(means)].sum(dim=1) / 2 + pushes[:, len(means) :].sum(dim=1)
        places = places + (moves / scale).clamp(-DOT, DOT) @ across
    return places


def _picture_axes(eye: Sequence[float]) -> Float[Tensor, "3 3"]:
    """Unit vectors to the right and up in the picture, and from it to the eye, as rows."""
    towards = normalize(torch.tensor(eye, dtype=torch.float64), dim=0)
    right = normalize(torch.linalg.cross(torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64), towards), dim=0)
    return torch.stack([right, torch.linalg.cross(towards, right), towards])


def _seen(
    points: Float[Tensor, "k 3"], eye: Sequence[float]
) -> tuple[Float[Tensor, "k 2"], Float[Tensor, "k 1"]]:
    """Where points are in the picture, and how much larger what is there is seen than at the sphere's centre."""
    away = 2 * REACH * math.hypot(*eye)  # in radii
    turned = points @ _picture_axes(eye).to(points).T
    scale = away / (away - turned[:, 2:])
    return turned[:, :2] * scale, scale


def _beyond_arrows(means: Float[Tensor, "k 3"]) -> Float[Tensor, "k 3"]:
    """Places beyond the ends of arrows, from wherever they are seen, and apart from one another."""
    turns = torch.arange(len(means), dtype=means.dtype)
    tiny = 1e-3 * torch.stack([turns.cos(), turns.sin(), 0 * turns], dim=1)  # parts what is in one place
    directions = normalize(means + tiny, dim=1)
    for _ in range(40):
        gaps = directions[:, None] - directions[None]
        distances = gaps.norm(dim=2).clamp(min=1e-9)
        pushes = ((NAMES_APART - distances).clamp(min=0) / (2 * distances)).fill_diagonal_(0)
        directions = normalize(directions + (pushes[:, :, None] * gaps).sum(dim=1), dim=1)
    places = directions * (means.norm(dim=1, keepdim=True) + BEYOND)
    # where an arrow may point at the reader, its end hides what is beyond it: there the name stands above, too
    places[:, 2] += ABOVE * (1 - directions[:, 2].abs())
    return places


def _scatter(points: Float[Tensor, "n shown"], **look: Any) -> Any:
    """A scatter trace in two or three dimensions, of float32 coordinates (half the bytes, more than a pixel)."""
    columns = [column.to(torch.float32).cpu().numpy() for column in points.T]
    if len(columns) == 2:
        return go.Scatter(x=columns[0], y=columns[1], showlegend=False, cliponaxis=False, **look)
    return go.Scatter3d(x=columns[0], y=columns[1], z=columns[2], showlegend=False, **look)


def _movement(trace: Any) -> Any:
    """Of a trace only what changes from frame to frame: its positions, to a thousandth of the radius."""
    axes = {
        name: [round(float(value), 3) for value in trace[name]] for name in ("x", "y", "z") if name in trace
    }
    return type(trace)(**axes)


def _outline(projection: Projection) -> Any:
    """The unit circle, or a sphere of meridians and parallels, as one faint line."""
    turn = torch.linspace(0, 2 * math.pi, 49, dtype=torch.float64)
    circle = torch.stack([turn.cos(), turn.sin()], dim=1)
    line = {"color": style.WIRE, "width": 1}
    if projection.axes.shape[1] == 2:
        return _scatter(circle, mode="lines", line=line, hoverinfo="skip")
    gap = torch.full((1, 3), math.nan, dtype=torch.float64)  # a NaN lifts the pen between two rings
    rings = []
    for latitude in torch.tensor([-60.0, -30.0, 0.0, 30.0, 60.0], dtype=torch.float64).deg2rad():
        height = latitude.sin().expand(len(turn), 1)
        rings += [torch.cat([circle * latitude.cos(), height], dim=1), gap]
    for longitude in torch.tensor([0.0, 30.0, 60.0, 90.0, 120.0, 150.0], dtype=torch.float64).deg2rad():
        across = circle[:, :1]
        rings += [torch.cat([across * longitude.cos(), across * longitude.sin(), circle[:, 1:]], dim=1), gap]
    return _scatter(torch.cat(rings), mode="lines", line=line, hoverinfo="skip")


def _empty_page(
    sphere: Sphere,
    projection: Projection,
    title: str,
    look_at: str,
    words: str,
    eye: Sequence[float] = EYE,
) -> go.Figure:
    if not projection.exact:
        title = f"{title} ({projection.label})"
        words = f"This is {projection.label}. {words}"
    figure = style.empty_figure(title, look_at, words, height=520)
    hidden = {"visible": False, "range": [-1.1, 1.1]}
    if projection.axes.shape[1] == 2:
        figure.update_layout(xaxis=hidden, yaxis=hidden | {"scaleanchor": "x"})
    else:
        hidden |= {"range": [-REACH, REACH]}
        figure.update_layout(
            scene={
                "xaxis": hidden,
                "yaxis": hidden,
                "zaxis": hidden,
                "aspectmode": "cube",
                "camera": {"eye": dict(zip("xyz", eye, strict=True))},
                "bgcolor": "rgba(0,0,0,0)",
                "dragmode": "orbit",
            },
            margin={"t": 70, "b": 0},
        )
    return figure


def _add_player(figure: go.Figure, names: list[str], quantity: str, *, active: int, redraw: bool) -> None:
    """Play, pause and a slider over the frames, under the figure."""
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": redraw}, "transition": {"duration": 0}}
    moving = still | {"frame": {"duration": max(SHORTEST_FRAME, FILM_LASTS // len(names)), "redraw": redraw}}
    button = {"method": "animate"}
    figure.update_layout(
        margin={"b": 70},
        updatemenus=[
            {
                "type": "buttons",
                "direction": "left",
                "showactive": False,
                "x": 0.0,
                "y": 0.0,
                "xanchor": "left",
                "yanchor": "top",
                "pad": {"t": 24, "r": 10},
                "bgcolor": "rgba(0,0,0,0)",
                "bordercolor": style.INK,
                "font": {"color": style.INK, "size": 14},
                "buttons": [
                    button | {"label": "▶ play", "args": [None, moving]},
                    button | {"label": "❚❚ pause", "args": [[None], still]},
                ],
            }
        ],
        sliders=[
            frame_slider(names, quantity, active=active, redraw=redraw)
            | {"x": 0.3, "len": 0.7, "pad": {"t": 12}}
        ],
    )


def _how_to_read(sphere: Sphere) -> str:
    """The caption that fits every picture of class means: what an arrow is, and a dot if there are any."""
    equal = len(set(sphere.class_counts.tolist())) == 1
    arrows = "One arrow a class; all classes are equally large." if equal else LOOK_AT
    return arrows if sphere.embeddings is None else arrows + " Each dot is a sample."


def _in_words(sphere: Sphere) -> str:
    """Lengths of the means and the two classes nearest to each other, as a sentence each."""
    means = sphere.means.detach().to(torch.float64)
    lengths = means.norm(dim=1)
    order = style.head_to_tail(sphere.class_counts)
    parts = [
        f"{sphere.names[k]} ({_images(int(sphere.class_counts[k]))}) {float(lengths[k]):.2f}" for k in order
    ]
    words = f"Class means from head to tail, with their lengths: {', '.join(parts)}."
    if len(means) > 1 and bool((lengths > 0).all()):
        directions = means / lengths[:, None]
        cosine = directions @ directions.T
        cosine.fill_diagonal_(-math.inf)
        i, j = divmod(int(cosine.argmax()), len(means))
        pair = f"{sphere.names[i]} and {sphere.names[j]}"
        words += f" The two nearest in direction are {pair}, cosine {float(cosine[i, j]):.2f}."
    return words


def _images(count: int) -> str:
    return f"{count} image" if count == 1 else f"{count} images"
