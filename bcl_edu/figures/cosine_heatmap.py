"""All angles between class means at once: exact in any dimension."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bcl_edu.figures import style

# Pale on purpose: the numbers in the cells are dark, and the cells are opaque, so both read on either page.
SCALE = ((0.0, "#6aa5dc"), (0.5, "#f4f2ee"), (1.0, "#f08a3c"))
CELL_INK = "#1a1a1a"
MOST_NUMBERS = 12
"""With more classes than this, the cells are too small for numbers."""


def cosine_heatmap(
    cosines: Float[Tensor, "k k"],
    class_counts: Int[Tensor, " k"],
    class_names: Sequence[str] | None = None,
    *,
    title: str = "Cosines between class means",
) -> go.Figure:
    """The matrix of cosines between class means, rows and columns from head to tail.

    Pale cells are at the regular simplex, -1/(K-1); orange pairs are closer than that, blue ones further apart.

    Args:
        cosines: the matrix of `bcl_edu.geometry.cosine_matrix`, shape (K, K).
        class_counts: training images of each class, shape (K,); decides the order.
        class_names: shape (K,).
        title: the figure's title.

    Raises:
        ValueError: fewer than two classes, shapes disagree, or an entry is outside [-1, 1].
    """
    classes = len(class_counts)
    if classes < 2 or cosines.shape != (classes, classes):
        raise ValueError(
            f"cosines of shape {tuple(cosines.shape)} for {classes} classes; expected (k, k) with k at least 2"
        )
    cosines = cosines.detach().cpu().to(torch.float64)
    if not bool((cosines.abs() <= 1 + 1e-5).all()):
        raise ValueError(f"cosines must lie in [-1, 1], got up to {float(cosines.abs().max()):.4g}")
    names = list(class_names or (str(k) for k in range(classes)))
    order = style.head_to_tail(class_counts)
    labels = [f"{names[k]} ({int(class_counts[k])})" for k in order]
    sorted_cosines = cosines[order][:, order]

    simplex = -1 / (classes - 1)
    between = sorted_cosines[~torch.eye(classes, dtype=torch.bool)]
    # One unit of colour for both sides, so that equal shades are equal deviations; the diagonal is not drawn.
    reach = max(float((between - simplex).abs().max()), 0.05)
    drawn = sorted_cosines.clone().fill_diagonal_(torch.nan)

    words = (
        f"Between the {classes} class means the cosines range from {float(between.min()):.2f} to "
        f"{float(between.max()):.2f}, mean {float(between.mean()):.2f}; the regular simplex has {simplex:.3f} "
        "everywhere."
    )
    figure = style.page(
        title,
        f"Pale is the regular simplex ({simplex:.3f}). Orange pairs are too close, blue ones too far apart.",
        words,
        height=max(420, 150 + 34 * min(classes, 24)),
    )
    numbers = classes <= MOST_NUMBERS
    figure.add_trace(
        go.Heatmap(
            z=drawn.to(torch.float32).numpy(),
            x=labels,
            y=labels,
            colorscale=[list(stop) for stop in SCALE],
            zmin=simplex - reach,
            zmax=simplex + reach,
            xgap=1,
            ygap=1,
            texttemplate="%{z:.2f}" if numbers else None,
            textfont={"color": CELL_INK, "size": 12},
            hovertemplate="%{y} and %{x}: %{z:.3f}<extra></extra>",
            hoverongaps=False,
            colorbar={
                "title": {"text": "cosine"},
                "outlinewidth": 0,
                "thickness": 14,
                "tickvals": [simplex - reach, simplex, simplex + reach],
                "tickformat": ".2f",
            },
        )
    )
    figure.update_layout(
        width=max(560, 260 + 34 * min(classes, 24)),
        margin={"t": 84},
        xaxis={"showgrid": False, "type": "category", "tickangle": -45, "constrain": "domain"},
        yaxis={
            "showgrid": False,
            "type": "category",
            "autorange": "reversed",
            "scaleanchor": "x",
            "constrain": "domain",
        },
    )
    return figure
