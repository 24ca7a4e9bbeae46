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

import re
import textwrap
from collections.abc import Iterable, Sequence
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

READABLE = 4.5
"""Contrast of text with what is behind it, at least; WCAG 2.2, section 1.4.3."""

CHARACTER = 7.8
"""Pixels of a character of a caption, on average."""
LINE = 19
"""Pixels of one more line of a caption."""

GROUP_COLOURS = {"many": HEAD, "medium": MIDDLE, "few": TAIL}
GROUP_PATTERNS = {"many": "", "medium": "/", "few": "x"}


@dataclass(frozen=True)
class Series:
    """Look of one of several compared things (methods, runs), distinct in grey print too."""

    colour: str
    dash: str
    symbol: str
    pattern: str


# Okabe and Ito's colour-blind-safe set without what is too light for a white page or near the green of BCL.
SERIES = (
    Series(INK, "dot", "circle-open", ""),
    Series("#0072b2", "dash", "square", "/"),
    Series("#d55e00", "solid", "diamond", "x"),
    Series("#0093a8", "dashdot", "triangle-up", "\\"),
    Series("#b0628f", "longdash", "cross", "."),
    Series("#8a6fb0", "longdashdot", "star", "+"),
)

METHOD_LOOKS = {
    "ce": Series("#919191", "dot", "circle-open", ""),
    "lc": Series("#7b6430", "dashdot", "square-open", "."),
    "scl": Series("#843dc4", "solid", "circle", "+"),
    "scl-complement": Series("#ef4ee1", "dot", "triangle-down", ""),
    "scl-averaging": Series("#7d4afe", "longdash", "triangle-up", "\\"),
    "bcl": Series("#029c64", "solid", "square", "/"),
    "bcl-inside": Series("#729f46", "longdash", "cross", "-"),
    "bcl-prototypes": Series("#b9118b", "dashdot", "star", "|"),
    "bcl-class-anchors": Series("#1d6e5f", "dash", "diamond", "x"),
}
"""The look of each loss, the same in every figure and widget; the browser's colours are in `widgets/browser`."""

OTHER_METHODS = (
    Series("#c81428", "solid", "diamond", "x"),
    Series("#c878b4", "longdash", "cross", "."),
    Series("#50648c", "longdashdot", "star", "+"),
)
"""Looks of methods without one of their own, unlike those of all losses and of head, middle and tail."""

METHOD_COLOURS = {name: look.colour for name, look in METHOD_LOOKS.items()}
"""The colour of each loss: it stands out from a white and from a dark page."""


def series_style(position: int) -> Series:
    """The look of the series at this position; a figure that compares more than there are looks is refused.

    Raises:
        ValueError: the position is past the last look.
    """
    if position >= len(SERIES):
        raise ValueError(f"{position + 1} series in one figure; at most {len(SERIES)} can be told apart")
    return SERIES[position]


_METHODS_IN_WORDS = (
    (r"class-averaged anchors|class-anchors", "bcl-class-anchors"),
    (r"\bl2\b|bcl-inside", "bcl-inside"),
    (r"\bl3\b|bcl-prototypes", "bcl-prototypes"),
    (r"\b(scl?) \+ complement|scl-complement", "scl-complement"),
    (r"\b(scl?) \+ averaging|scl-averaging|^class-averaged$", "scl-averaging"),
    (r"\bbcl\b", "bcl"),
    (r"\bscl?\b", "scl"),
    (r"\blc\b|compensat", "lc"),
    (r"\bcross-entropy\b|\bce\b", "ce"),
)
"""Patterns of labels and the method that each names; the first that fits."""


def method_in(label: str) -> str | None:
    """The method that a label names ("BCL, batches of 64" is "bcl"); None if it names none."""
    words = label.lower()
    return next((method for pattern, method in _METHODS_IN_WORDS if re.search(pattern, words)), None)


def looks(labels: Iterable[str]) -> list[Series]:
    """Looks of the compared things of one figure: a method has its own colour, whatever stands beside it.

    Two labels of one method share its colour and differ by dash, symbol and hatching. What is no method takes the
    looks of `series_style` in turn.

    Raises:
        ValueError: there are more labels than can be told apart.
    """
    drawn: list[Series] = []
    for position, label in enumerate(labels):
        method = method_in(label)
        own = METHOD_LOOKS[method] if method else series_style(position)
        used = {look.symbol for look in drawn}
        if own.symbol in used:
            spare = next((look for look in SERIES if look.symbol not in used), None)
            if spare is None:
                raise ValueError(
                    f"{position + 1} series in one figure; at most {len(drawn)} can be told apart"
                )
            colour = own.colour if method else spare.colour
            own = Series(colour, spare.dash, spare.symbol, spare.pattern)
        drawn.append(own)
    return drawn


def class_labels(class_names: Sequence[str] | None, classes: int) -> list[str]:
    """Class names that plotly shows literally, whatever they contain; class numbers where there are no names."""
    return [for_plotly(name) for name in class_names] if class_names else [str(k) for k in range(classes)]


def names_by_size(classes: int) -> list[str]:
    """Names, as the widgets have them, of classes that have none: head, 1, 2, ..., rarest, from the largest on."""
    return ["head", *map(str, range(1, classes - 1)), "rarest"][:classes]


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


def above_numbers(title: str) -> str:
    """The title of a scale of colours with an empty line under it: plotly lets it touch the highest number."""
    return f"{title}<br>\N{NO-BREAK SPACE}"


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


def empty_figure(title: str, look_at: str, alternative: str, *, height: int = 380) -> go.Figure:
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


def fitted_to(figure: go.Figure, width: int) -> go.Figure:
    """The same figure with its title and caption broken into lines that fit a width in pixels; it grows by them.

    A live figure is as wide as its page, where one line looks best; a stored picture is 640 pixels wide.
    """
    title, _, look_at = (figure.layout.title.text or "").partition("<br>")
    text = re.sub(r"<[^>]+>", "", look_at)
    lines = textwrap.wrap(text, int(width / CHARACTER), break_long_words=False)
    if len(lines) < 2 or not look_at.startswith("<span"):
        return figure
    fitted = go.Figure(figure)
    more = LINE * (len(lines) - 1)
    opening = look_at[: look_at.index(">") + 1]
    fitted.layout.title.text = f"{title}<br>{opening}{'<br>'.join(lines)}</span>"
    fitted.layout.margin.t = (figure.layout.margin.t or 0) + more
    fitted.layout.height = (figure.layout.height or 400) + more
    return fitted


def caption(figure: go.Figure) -> str:
    """Caption of a figure of this package: what to look at."""
    return str(figure.layout.meta["caption"])


def text_alternative(figure: go.Figure) -> str:
    """Text alternative of a figure of this package: its content in words and numbers."""
    return str(figure.layout.meta["alternative"])


def contrast(colour: str, background: str) -> float:
    """Contrast ratio of two colours such as "#797979", 1 (none) to 21; WCAG 2.2, section 1.4.3."""
    lighter, darker = sorted((_luminance(colour), _luminance(background)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def on_dark(colour: str) -> str:
    """The same colour for a page that is dark for certain: mixed with white until it stands out as text does.

    Figures that are read on both pages take one colour for both, which is faint on the dark one where it has to be
    deep on the white one.
    """
    share = 0.0
    while contrast(shown := _blend(colour, LIGHT_PAGE, share), DARK_PAGE) < READABLE:
        share += 0.01
    return shown


def ink_on(colour: str) -> str:
    """Black or white, whichever is read better on a patch of this colour; one of them always has 4.5 : 1."""
    return max(("#ffffff", "#000000"), key=lambda ink: contrast(ink, colour))


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
    return _blend(start, end, share)


def _blend(start: str, end: str, share: float) -> str:
    """The colour at this share of the way from one to another."""
    channels = (round(a + (b - a) * share) for a, b in zip(_rgb(start), _rgb(end), strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in channels)
