"""The long tail: number of training images of each class, and some of the images."""

from __future__ import annotations

import re
from collections.abc import Sequence

import plotly.graph_objects as go
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from bcl_edu.course.figures import style
from bcl_edu.course.figures.image_sheet import image_sheet, png_uri

GROUP_TITLES = {"many": "many-shot", "medium": "medium-shot", "few": "few-shot"}

WIDE_NAME = 7
"""Letters of a class name that a column of images has room for."""


def class_counts_bars(
    class_counts: Int[Tensor, " k"],
    shot_groups: dict[str, Int[Tensor, " group"]],
    class_names: Sequence[str] | None = None,
    *,
    title: str = "Training images of each class",
) -> go.Figure:
    """One bar a class, from head to tail, in three shot groups.

    Args:
        class_counts: training images of each class, shape (K,).
        shot_groups: class ids under "many", "medium" and "few", as `bcl_edu.data.shot_groups` returns
            them; together they are all classes.
        class_names: shape (K,).
        title: the figure's title.

    Raises:
        ValueError: the groups are not a partition of the classes.
    """
    classes = len(class_counts)
    grouped = sorted(k for members in shot_groups.values() for k in members.tolist())
    if grouped != list(range(classes)):
        raise ValueError(f"the shot groups hold classes {grouped}; expected each of 0..{classes - 1} once")
    names = style.class_labels(class_names, classes)
    counts = class_counts.tolist()
    order = style.head_to_tail(class_counts)
    largest, smallest = counts[order[0]], counts[order[-1]]
    ratio = f"{largest / smallest:.3g} : 1" if smallest else "without bound"
    figure = style.empty_figure(
        title,
        f"{sum(counts):,} images; the largest class has {largest:,}, the smallest {smallest:,} ({ratio}).",
        "Training images from head to tail: " + ", ".join(f"{names[k]} {counts[k]}" for k in order) + ".",
    )
    for group, members in shot_groups.items():
        inside = set(members.tolist())
        chosen = [k for k in order if k in inside]
        figure.add_trace(
            go.Bar(
                x=[names[k] for k in chosen],
                y=[counts[k] for k in chosen],
                name=f"{GROUP_TITLES.get(group, group)} ({len(chosen)})",
                marker={
                    "color": style.GROUP_COLOURS.get(group, style.INK),
                    "pattern": style.hatching(style.GROUP_PATTERNS.get(group, "")),
                },
                text=[f"{counts[k]:,}" for k in chosen] if classes <= 20 else None,
                textposition="outside",
                cliponaxis=False,
                hovertemplate="%{x}: %{y} images<extra></extra>",
            )
        )
    figure.update_layout(
        barmode="overlay",
        showlegend=True,
        xaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [names[k] for k in order],
            "title": {"text": "class, head to tail"},
            "showgrid": False,
            "showticklabels": classes <= 40,
            "dtick": 1 if classes <= 20 else None,  # no class without its name
        },
        yaxis={"title": {"text": "training images"}, "rangemode": "tozero"},
    )
    return figure


def image_columns(
    images: UInt8[Tensor, "n channel height width"],
    labels: Int[Tensor, " n"],
    class_names: Sequence[str],
    *,
    most: int = 8,
    title: str = "What the network sees of each class",
) -> go.Figure:
    """One column a class, with up to `most` of its images: the tail is what runs out first.

    Args:
        images: grey or RGB, shape (n, channel, height, width); the first ones of each class are shown.
        labels: class of each image, shape (n,).
        class_names: shape (K,).
        most: images shown of a class at most.
        title: the figure's title.

    Raises:
        ValueError: images and labels differ in number, or an image is neither grey nor RGB.
    """
    if len(images) != len(labels):
        raise ValueError(f"{len(images)} images but {len(labels)} labels")
    height, width = images.shape[2:]
    counts = torch.bincount(labels, minlength=len(class_names))
    order = style.head_to_tail(counts)

    pitch = width + width // 2 + 1
    columns = [list(images[labels == class_id]) for class_id in order]
    sheet = image_sheet(columns, (height, width), rows=most, pitch=pitch)
    names = style.class_labels(class_names, len(class_names))
    in_lines = [_in_lines(name) for name in names]
    longest = max(len(line) for name in in_lines for line in name.split("<br>"))
    shown = ", ".join(f"{names[k]} {min(int(counts[k]), most)} of {int(counts[k])}" for k in order)
    figure = style.empty_figure(
        title,
        f"Up to {most} images of each class, from head to tail; below each name, how many there are.",
        f"Columns of sample images from head to tail: {shown}.",
        height=420,
    )
    figure.add_trace(go.Image(source=png_uri(sheet), hoverinfo="skip"))
    figure.update_layout(
        xaxis={
            "tickvals": [column * pitch + (width - 1) / 2 for column in range(len(order))],
            "ticktext": [f"{in_lines[k]}<br>{int(counts[k])}" for k in order],
            "tickfont": {"size": max(9, min(14, 100 // longest))},
            "showgrid": False,
            "ticks": "",
            "constrain": "domain",
            "side": "top",
            "tickangle": 0,
        },
        yaxis={"visible": False, "constrain": "domain"},
        margin={"t": 124},
    )
    return figure


def _in_lines(name: str) -> str:
    """A long name of several words on two lines, for a narrow column."""
    return re.sub(r"([ /_])", r"\1<br>", name, count=1) if len(name) > WIDE_NAME else name
