"""Figures and widgets of the notebooks as a page without Python shows them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from bcl_edu.course.figures import bound_versus_loss, class_counts_bars, film, style
from bcl_edu.course.figures.cosine_heatmap import APART, CELL_INK, CLOSE, NEUTRAL
from bcl_edu.course.widgets import bundle, counter_example
from bcl_edu.course.widgets.bound_sliders import reach, two_classes
from bcl_edu.course.widgets.explorer import Settings
from bcl_edu.course.widgets.explorer.page import explorer_fragment
from bcl_edu.course.widgets.sphere import sphere_page
from bcl_edu.data import exponential_profile, open_dataset, shot_groups
from bcl_edu.escape import json_in_html
from bcl_edu.geometry import theorem_1

ASSETS = Path(__file__).parent / "site_assets"
EXPLORER = "simplex_explorer.html"
SPHERE = "training_sphere.html"
FIGURE_COLOURS: dict[str, tuple[str, str]] = {
    style.INK: ("#4a4a4a", "#b8b8b8"),
    CELL_INK: ("#1a1a1a", "#f0f0f0"),
    NEUTRAL: ("#ffffff", "#111111"),
    APART: (APART, "#0d7685"),
    CLOSE: (CLOSE, "#ad3579"),
} | {
    look.colour: (look.colour, style.on_dark(look.colour))
    for look in (*style.METHOD_LOOKS.values(), *style.OTHER_METHODS, *style.SERIES)
    if look.colour != style.INK
}
"""Colours of figures, which have to do on white and on black, and what the site's light and dark page have for them."""
HEADING = 62
"""Pixels of a stored figure's title and caption, which a page has as text."""
FILMS = ASSETS / "films"
"""Films of runs that were recorded by `python -m tools.site_films`."""

CHOOSER = "method_chooser("
"""The call of a widget that shows stored runs; no network trains in it."""


def figure_html(drawing: Mapping[str, Any], picture: str | None = None) -> str:
    """A figure that is drawn when it comes into view.

    Args:
        drawing: data, layout and frames of a figure of this project, in plotly's JSON.
        picture: the figure as PNG in base64, for readers without scripts.
    """
    layout = drawing["layout"]
    words = html.escape(layout["meta"]["alternative"], quote=True)
    inside = json_in_html({name: drawing.get(name, []) for name in ("data", "layout", "frames")})
    still = (
        f'<img alt="{words}" src="data:image/png;base64,{picture.replace(chr(10), "")}">'
        if picture
        else words
    )
    captions = {
        frame["name"]: _caption(frame["layout"]["title"]["text"])
        for frame in drawing.get("frames", [])
        if "title" in frame.get("layout", {})
    }
    by_frame = f" data-captions='{html.escape(json.dumps(captions), quote=True)}'" if captions else ""
    return (
        f'<p class="caption">{_caption(layout["title"]["text"])}</p>'
        f'<figure class="live" style="min-height: {layout.get("height", 400) - HEADING}px" role="img" '
        f'aria-label="{words}"{by_frame}><noscript>{still}</noscript>'
        f'<script type="application/json">{inside}</script></figure>'
    )


def _caption(title: str) -> str:
    """A figure's title and what to look at, as text of the page: plotly breaks no lines."""
    heading, _, look_at = title.partition("<br>")
    heading, look_at = (
        re.sub(r"</?(?!i>|sub>|sup>)[a-z][^>]*>", " ", part).strip() for part in (heading, look_at)
    )
    return f"<b>{heading}</b> {look_at}".strip()


def widget_html(source: str, *, recorded: bool = False) -> str:
    """What stands for a widget, by the code of its cell.

    Args:
        source: the cell.
        recorded: whether the notebook stores a picture of what the widget showed.
    """
    for call, make in WITHOUT_PYTHON.items():
        if call in source:
            return make()
    for call, name in RECORDED.items():
        if call in source:
            shown = json.loads((FILMS / name).read_text("utf-8"))
            return figure_html(shown) + _note("Recorded. In JupyterLab the network trains while you watch.")
    if recorded:
        chosen = "In JupyterLab choosers above this figure compare any other two or three methods."
        moves = "In JupyterLab this picture moves while the network trains."
        note = chosen if CHOOSER in source else moves
        return _note(f"Recorded when the notebook was run. {note}")
    return _note("In JupyterLab this cell draws while the network trains; what came out is below.")


def stands_in(source: str) -> bool:
    """Whether the site has something of its own for the widget of a cell."""
    return any(call in source for call in (*WITHOUT_PYTHON, *RECORDED))


def _note(text: str) -> str:
    return f'<p class="elsewhere">{text}</p>'


def _film_html(shown: go.Figure, sliders: str) -> str:
    note = f'<p class="elsewhere in-place">In JupyterLab {sliders}.</p>'
    return figure_html(json.loads(shown.to_json())) + note


def _imbalance() -> str:
    """The class counts of the digits, over the imbalance factor."""
    digits = open_dataset("digits").train
    head = int(digits.class_counts.min())
    positions = {}
    for factor in (1, 2, 5, 10, 20, 50, 100):
        counts = exponential_profile(head, digits.num_classes, factor)
        bars = class_counts_bars(counts, shot_groups(counts), digits.class_names)
        positions[str(factor)] = bars.update_yaxes(range=[0, head * 1.12])
    shown = film(positions, quantity="imbalance factor", start="10")
    return _film_html(
        shown, "the slider stops everywhere in between, shows the images that are left, and takes other data"
    )


def _bounds() -> str:
    """Two classes of ten samples under Theorem 1 and its misprint, over the angle between them."""
    positions = {}
    for angle in range(0, 181, 20):
        theorem, printed = (
            theorem_1(*two_classes(10, 10, angle, 30), as_printed=as_printed) for as_printed in (False, True)
        )
        positions[f"{angle}°"] = bound_versus_loss(
            theorem.loss,
            {"Theorem 1": theorem.bound, "Eq. 3 as printed": printed.bound},
            title="Every anchor of two classes of ten samples",
            reach=reach(theorem.loss.max().item()),
        )
    shown = film(positions, quantity="angle between the classes", start="60°")
    return _film_html(
        shown, "there are sliders for the sizes and the spread of the classes and the temperature, too"
    )


def _counter_example() -> str:
    """The widget of Theorem 3, which computes in the browser; a page has no Python to tell."""
    widget = counter_example()
    state = {
        name: getattr(widget, name) for name in ("angles", "class_counts", "temperature", "looks", "names")
    }
    script = re.sub(r"^export default ", "const widget = ", str(widget._esm), flags=re.MULTILINE)
    model = (ASSETS / "widget_model.js").read_text("utf-8")
    return (
        f'<style>{widget._css}</style><div class="widget"></div>'
        f'<script type="module">{_in_script(script)}\n'
        f"const state = new Map(Object.entries({json_in_html(state)}));\n{model}</script>"
    )


def _explorer() -> str:
    return (
        f'<div class="wide">{explorer_fragment(Settings(losses=("scl", "bcl")))}</div>'
        f'<p><a href="{EXPLORER}">The explorer on a page of its own</a></p>'
    )


def _sphere() -> str:
    return (
        f'<div class="wide">{sphere_fragment()}</div>'
        f'<p><a href="{SPHERE}">The sphere on a page of its own</a></p>'
    )


WITHOUT_PYTHON: dict[str, Callable[[], str]] = {
    "imbalance_slider(": _imbalance,
    "long_tail_explorer(": _imbalance,
    "bound_sliders(": _bounds,
    "counter_example(": _counter_example,
    "SimplexExplorer(": _explorer,
    "training_sphere(": _sphere,
}
"""What a page shows for a widget, by how a cell makes it."""


RECORDED = {
    "balanced = widgets.train_live(": "balanced.json",
    "long_tailed = widgets.train_live(": "long_tailed.json",
}
"""Which film stands for a network that trains, by how a cell trains it."""


def sphere_fragment(options: str = "{ opening: true }") -> str:
    """The training sphere as a part of a page: an element, its style and its script."""
    folder = Path(sphere_page.__file__).parent / "browser"
    script = bundle.module(folder / "training_sphere.js")
    return (
        f'<style>{sphere_page.stylesheet()}</style><div class="sphere-here"></div>'
        f'<script type="module">\n{script}\n'
        f'new training_sphere_module.TrainingSphere(document.querySelector(".sphere-here"), {{}}, {options});'
        "\n</script>"
    )


def _in_script(text: str) -> str:
    """Text that cannot end the script element in which it stands."""
    return text.replace("</", "<\\/")
