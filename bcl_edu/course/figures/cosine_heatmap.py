"""All angles between class means at once: exact in any dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.course.figures import style

APART, NEUTRAL, CLOSE = "#2f9dab", "#f4f2ee", "#d964a2"
"""Teal and magenta, which mark cosines only, as in the explorer: blue and orange are head and tail."""
SCALE = ((0.0, APART), (0.5, NEUTRAL), (1.0, CLOSE))
CELL_INK = "#1a1a1a"
"""Numbers are dark and cells opaque, so that both read on either page; the site has other colours for dark."""
MOST_NUMBERS = 12
"""With more classes than this, the cells are too small for numbers."""
CELL = 40
"""Pixels of a cell, as long as there are few classes."""
NUMBERED_CELL = 32
"""In a smaller cell there is no room for a number."""
WIDEST = 1060
"""Pixels that a notebook has in a small window."""
LONG_LABEL = 12
"""Characters of a row's name beyond which a caption above the square would leave the figure on the right."""


def cosine_heatmap(
    cosines: Float[Tensor, "k k"] | Mapping[str, Float[Tensor, "k k"]],
    class_counts: Int[Tensor, " k"],
    class_names: Sequence[str] | None = None,
    *,
    title: str = "Cosines between class means",
) -> go.Figure:
    """The matrix of cosines between class means, rows and columns from head to tail; several side by side.

    Cells without colour are at the regular simplex, -1/(K-1); magenta pairs are closer, teal ones further apart.

    Args:
        cosines: the matrix of `bcl_edu.geometry.cosine_matrix`, shape (K, K), or several by name, which then
            share one colour scale.
        class_counts: training images of each class, shape (K,); decides the order.
        class_names: shape (K,).
        title: the figure's title.

    Raises:
        ValueError: fewer than two classes, shapes disagree, or an entry is outside [-1, 1].
    """
    panels = dict(cosines) if isinstance(cosines, Mapping) else {"": cosines}
    classes = len(class_counts)
    simplex = -1 / (classes - 1) if classes > 1 else 0.0
    names = style.class_labels(class_names, classes)
    order = style.head_to_tail(class_counts)
    labels = [f"{names[k]} ({int(class_counts[k])})" for k in order]
    matrices = {name: _checked(matrix, classes)[order][:, order] for name, matrix in panels.items()}

    off_diagonal = ~torch.eye(classes, dtype=torch.bool)
    between = {name: matrix[off_diagonal] for name, matrix in matrices.items()}
    shown = min(classes, 24)
    cell = min(CELL, int(((WIDEST - 150) / len(panels) - 100) / shown))
    # One unit of colour for both sides, so that equal shades are equal deviations.
    reach = max(0.05, *(float((values - simplex).abs().max()) for values in between.values()))
    figure = style.empty_figure(
        title,
        f"No colour: the regular simplex ({simplex:.3f}). Magenta: too close. Teal: too far apart.",
        " ".join(_in_words(name or title, values, simplex) for name, values in between.items()),
        height=190 + cell * shown,
    )
    figure.set_subplots(rows=1, cols=len(panels), subplot_titles=list(panels), horizontal_spacing=0.12)
    for column, matrix in enumerate(matrices.values(), start=1):
        figure.add_trace(
            go.Heatmap(
                z=matrix.clone().fill_diagonal_(torch.nan).to(torch.float32).numpy(),
                x=labels,
                y=labels,
                coloraxis="coloraxis",
                xgap=1,
                ygap=1,
                text=[
                    ["" if i == j else _short(value) for j, value in enumerate(row)]
                    for i, row in enumerate(matrix.tolist())
                ],
                texttemplate="%{text}" if classes <= MOST_NUMBERS and cell >= NUMBERED_CELL else None,
                textfont={"color": CELL_INK, "size": 13},
                hovertemplate="%{y} and %{x}: %{z:.3f}<extra></extra>",
                hoverongaps=False,
            ),
            row=1,
            col=column,
        )
    # set_subplots names its axes afresh: each square has to be told again how wide it is
    axis = {
        "showgrid": False,
        "zeroline": False,
        "type": "category",
        "constrain": "domain",
        "automargin": True,
    }
    figure.update_xaxes(axis | {"tickangle": -45, "linecolor": style.INK})
    figure.update_yaxes(axis | {"autorange": "reversed", "linecolor": style.INK})
    for trace in figure.data:
        number = trace.yaxis.removeprefix("y")
        figure.layout[f"yaxis{number}"].scaleanchor = f"x{number}"
    figure.update_annotations(font={"size": 15, "color": style.INK})
    figure.update_layout(
        width=max(620, 150 + len(panels) * (100 + cell * shown)),
        margin={"t": 110 if len(panels) > 1 else 84},
        coloraxis={
            "colorscale": [list(stop) for stop in SCALE],
            "cmin": simplex - reach,
            "cmax": simplex + reach,
            "colorbar": {
                "title": {"text": style.above_numbers("cosine"), "font": {"size": 13}},
                "outlinewidth": 0,
                "thickness": 14,
                "tickvals": [max(-1.0, simplex - reach), simplex, simplex + reach],
                "tickformat": ".2f",
            },
        },
    )
    if max(map(len, labels)) > LONG_LABEL:
        figure.update_layout(title={"xref": "container", "pad": {"l": 10}})
    return figure


def _short(cosine: float) -> str:
    """Two digits, without a zero in front of them, which a cell has no room for: -.11."""
    return f"{cosine:.2f}".replace("0.", ".", 1)


def _checked(cosines: Float[Tensor, "k k"], classes: int) -> Float[Tensor, "k k"]:
    if classes < 2 or cosines.shape != (classes, classes):
        raise ValueError(
            f"cosines of shape {tuple(cosines.shape)} for {classes} classes; expected (k, k) with k at least 2"
        )
    cosines = cosines.detach().cpu().to(torch.float64)
    if not bool((cosines.abs() <= 1 + 1e-5).all()):
        raise ValueError(f"cosines must lie in [-1, 1], got up to {float(cosines.abs().max()):.4g}")
    return cosines


def _in_words(name: str, between: Float[Tensor, " pairs"], simplex: float) -> str:
    """Range and mean of the cosines of one panel, as a sentence."""
    return (
        f"{name}: from {float(between.min()):.2f} to {float(between.max()):.2f}, "
        f"mean {float(between.mean()):.2f}; the regular simplex has {simplex:.3f} everywhere."
    )
