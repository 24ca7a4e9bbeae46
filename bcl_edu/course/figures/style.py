"""The one visual language of all figures.

Every figure is read on a white page and on JupyterLab's dark theme, so the background is transparent, and ink
and colours have nearly the same contrast with both. Nothing is told by colour alone: series also differ by
dash, marker symbol and hatching, classes are named where they are drawn, and the order from head to tail is
the order along the axis and the size of the marker. Blue and orange are told apart in every common form of
colour blindness; they mark head and tail.

A figure carries its caption (what to look at) under its title, and its text alternative (what it shows, in
words and numbers) in `layout.meta`; see `caption` and `text_alternative`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from jaxtyping import Int
from torch import Tensor

from bcl_edu.escape import for_plotly

LIGHT_PAGE = "#ffffff"
DARK_PAGE = "#111111"  # JupyterLab's dark theme

INK = "#797979"
"""Text, 4.3 : 1 on either page: no single colour has more on both."""
FAINT = "rgba(128, 128, 128, 0.35)"
"""Grid lines: seen, but never in the way."""
WIRE = "#8f8f8f"
"""The wire of the sphere; opaque, since WebGL blends transparent lines with white whatever the page is."""

HEAD = "#2f7fc1"
TAIL = "#d55e00"
MIDDLE = "#85798c"

GROUP_COLOURS = {"many": HEAD, "medium": MIDDLE, "few": TAIL}
GROUP_PATTERNS = {"many": "", "medium": "/", "few": "x"}


@dataclass(frozen=True)
class Series:
    """How one of several compared things (methods, runs) is drawn, distinct in grey print too."""

    colour: str
    dash: str
    symbol: str
    pattern: str


# Okabe and Ito's colour-blind-safe set, less the ones too light for a white page.
SERIES = (
    Series(INK, "dot", "circle-open", ""),
    Series("#0072b2", "dash", "square", "/"),
    Series("#d55e00", "solid", "diamond", "x"),
    Series("#009e73", "dashdot", "triangle-up", "\\"),
    Series("#b0628f", "longdash", "cross", "."),
    Series("#8a6fb0", "longdashdot", "star", "+"),
)

METHOD_LOOKS = {
    "ce": Series("#6b6b6b", "dot", "circle-open", ""),
    "lc": Series("#b8860b", "dashdot", "square-open", "."),
    "scl": Series("#7a4fb5", "solid", "circle", ""),
    "scl-complement": Series("#b45fb4", "dot", "triangle-down", "+"),
    "scl-averaging": Series("#9a6fd0", "longdash", "triangle-up", "\\"),
    "bcl": Series("#00876c", "solid", "square", "/"),
    "bcl-inside": Series("#5b7f16", "longdash", "cross", "-"),
    "bcl-prototypes": Series("#a83279", "dashdot", "star", "|"),
    "bcl-class-anchors": Series("#0e7059", "dash", "diamond", "x"),
}
"""The look of each loss, the same in every figure and widget; the browser's colours are in `widgets/browser`."""

METHOD_COLOURS = {name: look.colour for name, look in METHOD_LOOKS.items()}
"""The colour of each loss: it stands out from a white and from a dark page."""


def series(position: int) -> Series:
    """The look of the series at this position; a figure that compares more than there are looks is refused.

    Raises:
        ValueError: the position is past the last look.
    """
    if position >= len(SERIES):
        raise ValueError(f"{position + 1} series in one figure; at most {len(SERIES)} can be told apart")
    return SERIES[position]


def class_labels(class_names: Sequence[str] | None, classes: int) -> list[str]:
    """Class names that plotly shows literally, whatever they contain; class numbers where there are no names."""
    return [for_plotly(name) for name in class_names] if class_names else [str(k) for k in range(classes)]


def head_to_tail(class_counts: Int[Tensor, " k"]) -> list[int]:
    """Class ids from the largest class to the smallest; equal counts keep their order."""
    counts = class_counts.tolist()
    return sorted(range(len(counts)), key=lambda class_id: -counts[class_id])


def tail_fraction(class_counts: Int[Tensor, " k"]) -> list[float]:
    """0 for the largest class, 1 for the smallest, in between by rank; all 0 where the classes are equal."""
    counts = class_counts.tolist()
    sizes = sorted(set(counts), reverse=True)
    return [sizes.index(count) / max(1, len(sizes) - 1) for count in counts]


def class_colours(class_counts: Int[Tensor, " k"]) -> list[str]:
    """From blue (head) through grey to orange (tail), one per class."""
    return [_mix(fraction) for fraction in tail_fraction(class_counts)]


def class_marker_sizes(
    class_counts: Int[Tensor, " k"], largest: float = 18.0, smallest: float = 8.0
) -> list[float]:
    """Marker diameters in pixels that fall from head to tail: the order without colour, one per class."""
    return [largest + (smallest - largest) * fraction for fraction in tail_fraction(class_counts)]


def hatching(shape: str, *, under_text: bool = False) -> dict[str, object]:
    """The pattern of a bar: pale strokes over its own colour, so that the bar stays a bar; fainter under text."""
    return {
        "shape": shape,
        "fillmode": "overlay",
        "fgcolor": "#ffffff",
        "fgopacity": 0.3 if under_text else 0.75,
        "size": 7,
        "solidity": 0.22,
    }


def page(title: str, look_at: str, alternative: str, *, height: int = 380) -> go.Figure:
    """An empty figure in the common style.

    Args:
        title: what is shown.
        look_at: the caption, one line: what to look at.
        alternative: the figure in words, for who does not see it.
        height: in pixels; the width is the page's.
    """
    font = {"family": "system-ui, 'DejaVu Sans', sans-serif", "size": 14, "color": INK}
    axis = {
        "gridcolor": FAINT,
        "linecolor": INK,
        "zeroline": False,
        "title": {"font": {"size": 14}},
        "ticks": "outside",
        "tickcolor": INK,
        "automargin": True,
    }
    figure = go.Figure()
    figure.update_layout(
        template=None,
        title={
            "text": heading(title, look_at),
            "font": {"size": 17},
            "x": 0.0,
            "xref": "paper",
            "xanchor": "left",
            "y": 1.0,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 22},
        },
        font=font,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 10, "r": 10, "t": 112, "b": 10},
        height=height,
        xaxis=axis,
        yaxis=axis,
        legend={"orientation": "h", "x": 0.0, "y": 1.0, "yanchor": "bottom"},
        hoverlabel={"font": {"size": 13}},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": INK, "activecolor": HEAD},
        meta={"caption": look_at, "alternative": alternative},
    )
    return figure


def heading(title: str, look_at: str) -> str:
    """A title with its caption under it, as one text of two lines.

    Plotly's own subtitle is placed by measuring the title, and lands on top of it where a figure is drawn before
    it is on the page, as in a box of widgets.
    """
    return f"<b>{title}</b><br><span style='font-size: 14px'>{look_at}</span>"


def caption(figure: go.Figure) -> str:
    """What to look at in a figure of this package."""
    return str(figure.layout.meta["caption"])


def text_alternative(figure: go.Figure) -> str:
    """What a figure of this package shows, in words and numbers."""
    return str(figure.layout.meta["alternative"])


def contrast(colour: str, background: str) -> float:
    """Contrast ratio of two colours such as "#797979", 1 (none) to 21; WCAG 2.2, section 1.4.3."""
    lighter, darker = sorted((_luminance(colour), _luminance(background)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    def linear(channel: int) -> float:
        value = channel / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(channel) for channel in _rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mix(fraction: float) -> str:
    """The colour at this place between HEAD (0), MIDDLE (0.5) and TAIL (1)."""
    start, end, share = (HEAD, MIDDLE, 2 * fraction) if fraction < 0.5 else (MIDDLE, TAIL, 2 * fraction - 1)
    channels = (round(a + (b - a) * share) for a, b in zip(_rgb(start), _rgb(end), strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in channels)
