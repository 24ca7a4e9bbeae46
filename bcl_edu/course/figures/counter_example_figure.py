r"""Three collapsed classes on a circle, and the two losses that Theorem 3 could be about.

With every sample at its class mean mu_y, the class-averaged loss of an anchor of class y is

    L_y = log( 1 + sum_{j != y} exp((mu_y . mu_j - 1) / tau) ),

whatever the class counts n_y. What differs is how the anchors are averaged. Over all samples, as Theorem 3 is printed,
class y weighs n_y / |D|; over the classes, as its proof needs, 1 / K.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import plotly.graph_objects as go
import torch
from jaxtyping import Float
from torch import Tensor

from bcl_edu.course.figures import style
from bcl_edu.geometry import simplex_value

SAMPLES, CLASSES = "mean over all samples (as printed)", "mean over the classes (corrected)"
"""The two ways to average the anchors, in the words of all pictures of the counter-example."""


@dataclass(frozen=True)
class ThreeClasses:
    """Three classes, each collapsed to one point of the circle.

    Attributes:
        angles: of the class means mu_0..mu_2, in degrees.
        class_counts: n_0..n_2, samples of each class.
        temperature: tau > 0.
    """

    angles: Sequence[float]
    class_counts: Sequence[int]
    temperature: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is not three classes."""
        if len(self.angles) != 3 or len(self.class_counts) != 3:
            raise ValueError(
                f"{len(self.angles)} angles and {len(self.class_counts)} class counts; three classes fit on a circle, "
                "so pass three of each"
            )
        if min(self.class_counts) < 1:
            raise ValueError(
                f"class counts are {list(self.class_counts)}; expected whole numbers of at least 1"
            )
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature}; expected a number above 0")

    @property
    def means(self) -> Float[Tensor, "3 2"]:
        """mu_y, unit vectors."""
        return on_circle(self.angles)

    @property
    def shares(self) -> Float[Tensor, "3"]:
        """n_y / |D|: how often class y is an anchor."""
        counts = torch.tensor(self.class_counts, dtype=torch.float64)
        return counts / counts.sum()

    @cached_property
    def class_losses(self) -> Float[Tensor, "3"]:
        """L_y, the loss of every anchor of class y."""
        return collapsed_class_losses(torch.tensor(self.angles, dtype=torch.float64), self.temperature)

    @property
    def over_samples(self) -> float:
        """(1/|D|) sum_i L_i, the left side of Theorem 3 as printed."""
        return float(self.shares @ self.class_losses)

    @property
    def over_classes(self) -> float:
        """(1/K) sum_y L_y, the left side of the corrected theorem."""
        return float(self.class_losses.mean())

    @property
    def claimed(self) -> float:
        """The right side of both: the loss at the regular simplex."""
        return float(simplex_value(3, self.temperature))

    @property
    def product_of_means(self) -> float:
        """(mean of all samples) . (mean of the class means): the printed theorem's proof needs it not negative."""
        return float((self.shares @ self.means) @ self.means.mean(dim=0))


def on_circle(degrees: Sequence[float]) -> Float[Tensor, "n 2"]:
    """Unit vectors on the circle at these angles, float64."""
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def collapsed_class_losses(degrees: Float[Tensor, "*many k"], temperature: float) -> Float[Tensor, "*many k"]:
    """L_y of classes that are collapsed to these angles on the circle; see the top of this module."""
    angle = degrees.deg2rad()
    cosine = (angle[..., :, None] - angle[..., None, :]).cos()
    return ((cosine - 1) / temperature).logsumexp(dim=-1)  # the anchor's own class is the 1 in log(1 + ...)


def counter_example(
    angles: Sequence[float],
    class_counts: Sequence[int],
    *,
    temperature: float = 1.0,
    title: str | None = None,
) -> go.Figure:
    """Three collapsed classes on the circle, beside both losses and the bound that Theorem 3 claims for them.

    Args:
        angles: of the class means, in degrees.
        class_counts: samples of each class.
        temperature: tau > 0.
        title: the figure's title; without it one that names the counts.

    Raises:
        ValueError: not three classes, a count below 1, or tau <= 0.
    """
    shown = ThreeClasses(angles, class_counts, temperature)
    figure = style.empty_figure(
        title or f"Three collapsed classes of {_listed(class_counts)} samples",
        "A bar that ends left of the upright line is below what Theorem 3 claims to be impossible.",
        in_words(shown),
        height=400,
    )
    hidden = {"visible": False, "showgrid": False, "fixedrange": True}
    figure.update_layout(
        xaxis=hidden | {"domain": [0.0, 0.46], "range": [-1.62, 1.62], "constrain": "domain"},
        yaxis=hidden | {"range": [-1.4, 1.4], "scaleanchor": "x", "constrain": "domain"},
        margin={"t": 84, "b": 24},
        showlegend=False,
    )
    figure.add_traces([_circle(), *_spokes(shown), _class_marks(shown), *_two_means(shown)])
    _add_labels(figure, shown)
    _add_bars(figure, shown)
    return figure


def in_words(shown: ThreeClasses) -> str:
    """The configuration, both losses and the verdict, as sentences."""
    places = ", ".join(
        f"class {number} ({count} samples) at {angle:.0f}°"
        for number, (angle, count) in enumerate(zip(shown.angles, shown.class_counts, strict=True))
    )
    return (
        f"On a circle: {places}. The claimed bound is {shown.claimed:.3f}. The {SAMPLES} is {shown.over_samples:.3f}, "
        f"{_verdict(shown.over_samples - shown.claimed)}; the {CLASSES} is {shown.over_classes:.3f}, "
        f"{_verdict(shown.over_classes - shown.claimed)}."
    )


def _verdict(gap: float) -> str:
    if abs(gap) < 5e-7:
        return "equal to the bound"
    return f"{abs(gap):.3g} {'below' if gap < 0 else 'above'} the bound"


def _listed(counts: Sequence[int]) -> str:
    return f"{counts[0]}, {counts[1]} and {counts[2]}"


def _circle() -> go.Scatter:
    turn = on_circle(list(range(0, 361, 6)))
    line = {"color": style.WIRE, "width": 1}
    return go.Scatter(x=turn[:, 0].tolist(), y=turn[:, 1].tolist(), mode="lines", line=line, hoverinfo="skip")


def _looks(shown: ThreeClasses) -> tuple[list[str], list[float]]:
    """Colour and marker size of each class; equally large tail classes differ in size, so that both are seen."""
    counts = torch.tensor(shown.class_counts)
    sizes = style.class_marker_sizes(counts, 26, 19)
    return style.class_colours(counts), [size - 4 * (number == 2) for number, size in enumerate(sizes)]


def _spokes(shown: ThreeClasses) -> list[go.Scatter]:
    colours, _ = _looks(shown)
    fractions = style.tail_fraction(torch.tensor(shown.class_counts))
    return [
        go.Scatter(
            x=[0, float(mean[0])],
            y=[0, float(mean[1])],
            mode="lines",
            line={"color": colour, "width": 7 - 5 * fraction},
            hoverinfo="skip",
        )
        for mean, colour, fraction in zip(shown.means, colours, fractions, strict=True)
    ]


def _two_means(shown: ThreeClasses) -> list[go.Scatter]:
    """Mean of all samples and mean of the class means: equal where the class counts are."""
    samples, classes = shown.shares @ shown.means, shown.means.mean(dim=0)
    return [
        go.Scatter(
            x=[float(point[0])],
            y=[float(point[1])],
            mode="markers+text",
            marker={"symbol": symbol, "size": 11, "color": colour, "line": {"color": line, "width": 2}},
            text=[f"mean of {name}"],
            textposition=place,
            textfont={"size": 13},
            hovertext=f"mean of {name}",
            hoverinfo="text",
        )
        for point, name, symbol, colour, line, place in (
            (classes, "the classes", "diamond", "#ffffff", style.INK, "top center"),
            (samples, "all samples", "x", style.INK, "#ffffff", "bottom left"),
        )
    ]


def _class_marks(shown: ThreeClasses) -> go.Scatter:
    colours, sizes = _looks(shown)
    return go.Scatter(
        x=shown.means[:, 0].tolist(),
        y=shown.means[:, 1].tolist(),
        mode="markers",
        marker={"color": colours, "size": sizes, "opacity": 1, "line": {"color": "#ffffff", "width": 1.5}},
        hovertext=[
            f"class {number}: {count} samples, {angle:.0f}°"
            for number, (count, angle) in enumerate(zip(shown.class_counts, shown.angles, strict=True))
        ],
        hoverinfo="text",
        cliponaxis=False,
    )


def _add_labels(figure: go.Figure, shown: ThreeClasses) -> None:
    """Names and counts outside the circle; classes that meet have their labels apart."""
    for number, point in enumerate(on_circle(_label_angles(shown.angles)) * torch.tensor([1.4, 1.24])):
        figure.add_annotation(
            x=float(point[0]),
            y=float(point[1]),
            text=f"<b>class {number}</b><br>{shown.class_counts[number]}",
            showarrow=False,
            font={"size": 13, "color": style.INK},
        )


def _label_angles(angles: Sequence[float], apart: float = 30.0) -> list[float]:
    """Angles of the labels: those of the classes, unless two labels are too near; then both make room."""
    placed = [float(angle) for angle in angles]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        difference = (placed[second] - placed[first] + 180) % 360 - 180
        if abs(difference) < apart:
            push = (apart - abs(difference)) / 2 * (1 if difference >= 0 else -1)
            placed[first] -= push
            placed[second] += push
    return placed


def _add_bars(figure: go.Figure, shown: ThreeClasses) -> None:
    """Both losses as bars, the claimed bound as an upright line across them, and what each class adds."""
    for height, name, loss in ((1, SAMPLES, shown.over_samples), (0, CLASSES, shown.over_classes)):
        below = loss < shown.claimed - 5e-7
        bar: dict[str, Any] = {
            "color": style.TAIL if below else style.HEAD,
            "pattern": style.hatching("x" if below else ""),
        }
        figure.add_bar(
            x=[loss],
            y=[height],
            orientation="h",
            width=0.34,
            marker=bar,
            name=name,
            hovertemplate=f"{name}: %{{x:.4f}}<extra></extra>",
            xaxis="x2",
            yaxis="y2",
        )
        figure.add_annotation(
            x=0,
            y=height + 0.44,
            text=f"{name}:<br><b>{loss:.4f}</b>, {_verdict(loss - shown.claimed)}",
            align="left",
            showarrow=False,
            xanchor="left",
            xref="x2",
            yref="y2",
        )
        figure.add_shape(
            type="line",
            x0=shown.claimed,
            x1=shown.claimed,
            y0=height - 0.24,
            y1=height + 0.24,
            line={"color": style.INK, "width": 3, "dash": "solid"},
            xref="x2",
            yref="y2",
        )
    figure.add_annotation(
        x=shown.claimed,
        y=-0.24,
        text=f"claimed bound {shown.claimed:.4f}",
        showarrow=False,
        yanchor="top",
        xref="x2",
        yref="y2",
    )
    each = [
        f"class {number}: {share:.1%} of the samples, L = {loss:.3f}"
        for number, (share, loss) in enumerate(
            zip(shown.shares.tolist(), shown.class_losses.tolist(), strict=True)
        )
    ]
    figure.add_annotation(
        x=0, y=-0.62, text="<br>".join(each), align="left", showarrow=False, xanchor="left", yanchor="top",
        xref="x2", yref="y2", font={"size": 13},
    )  # fmt: skip
    largest = float(torch.tensor(3.0).log())  # of a class's loss: all three at one point
    figure.update_layout(
        xaxis2={
            "domain": [0.53, 1.0],
            "range": [0, largest],
            "anchor": "y2",
            "visible": False,
            "fixedrange": True,
        },
        yaxis2={"range": [-1.3, 1.75], "anchor": "x2", "visible": False, "fixedrange": True},
    )
