"""Augmentation: an image and its views, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from jaxtyping import UInt8
from torch import Tensor

from bcl_edu.course.figures import style
from bcl_edu.course.figures.image_sheet import image_sheet, png_uri

VIEW_TITLES = ("v1, for the classifier", "v2, contrastive", "v3, contrastive")


def view_columns(
    images: UInt8[Tensor, "n channel height width"],
    views: UInt8[Tensor, "n views channel size size"],
    names: Sequence[str],
    *,
    title: str = "The three views",
    look_at: str = "One row an image. v2 and v3 must be recognised as the same thing.",
) -> go.Figure:
    """One row an image: the image itself, then its views as the network gets them.

    Args:
        images: as stored, grey or RGB, shape (n, channel, height, width).
        views: of the same images, of the same height and width, shape (n, views, channel, height, width).
        names: what stands beside each row, n of them.
        title: the figure's title.
        look_at: the caption.

    Raises:
        ValueError: images, views and names disagree in number or size.
    """
    if views.shape[0] != len(images) or views.shape[2:] != images.shape[1:] or len(names) != len(images):
        raise ValueError(
            f"images of shape {tuple(images.shape)}, views of shape {tuple(views.shape)} and {len(names)} names; "
            "expected (n, channel, height, width), (n, views, channel, height, width) and n names"
        )
    height, width = images.shape[2:]
    pitch = width + max(2, width // 4)
    columns = [list(images), *(list(view) for view in views.unbind(dim=1))]
    titles = ["the image", *VIEW_TITLES[: views.shape[1]]]
    figure = style.empty_figure(
        title,
        look_at,
        f"A row for each of {', '.join(names)}: {', '.join(titles)}.",
        height=130 + 88 * len(images),
    )
    sheet = image_sheet(columns, (height, width), rows=len(images), pitch=pitch)
    figure.add_trace(go.Image(source=png_uri(sheet), hoverinfo="skip"))
    figure.update_layout(
        xaxis={
            "tickvals": [column * pitch + (width - 1) / 2 for column in range(len(columns))],
            "ticktext": [name.replace(", ", ",<br>") for name in titles],
            "tickfont": {"size": 13},
            "showgrid": False,
            "showline": False,
            "ticks": "",
            "constrain": "domain",
            "side": "top",
            "tickangle": 0,
        },
        yaxis={
            "tickvals": [row * (height + 1) + (height - 1) / 2 for row in range(len(images))],
            "ticktext": style.class_labels(names, len(names)),
            "ticklabelstandoff": 8,
            "showgrid": False,
            "showline": False,
            "ticks": "",
            "constrain": "domain",
        },
        margin={"t": 124},
    )
    return figure
