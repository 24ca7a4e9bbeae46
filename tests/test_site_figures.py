"""Figures of the site: colours that are read in both themes, and thumbnails without headings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bcl_edu.course.figures import style
from bcl_edu.course.figures.cosine_heatmap import APART, CELL_INK, CLOSE, NEUTRAL
from tools.site_figures import FIGURE_COLOURS
from tools.site_landing import without_heading, without_text

DOCS = Path(__file__).parent.parent / "docs"
PAGES = (style.LIGHT_PAGE, style.DARK_PAGE)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_marks_stand_out_from_the_page_of_their_theme(theme: int) -> None:
    for stored, shown in FIGURE_COLOURS.items():
        if stored != NEUTRAL:
            assert style.contrast(shown[theme], PAGES[theme]) >= 3, stored


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_of_figures_and_numbers_in_cells_have_the_contrast_of_text(theme: int) -> None:
    assert style.contrast(FIGURE_COLOURS[style.INK][theme], PAGES[theme]) >= style.READABLE
    for cell in (APART, NEUTRAL, CLOSE):
        ink, patch = FIGURE_COLOURS[CELL_INK][theme], FIGURE_COLOURS[cell][theme]
        assert style.contrast(ink, patch) >= style.READABLE, cell


def test_no_method_is_faint_on_the_dark_page() -> None:
    for method, colour in style.METHOD_COLOURS.items():
        assert style.contrast(FIGURE_COLOURS[colour][1], style.DARK_PAGE) >= style.READABLE, method


@pytest.mark.parametrize("name", ["simplex_explorer", "training_sphere"])
def test_a_picture_of_a_widget_has_no_background_since_it_is_read_on_dark_pages_too(name: str) -> None:
    picture = Image.open(DOCS / f"{name}.png").convert("RGBA")
    assert (np.asarray(picture.getchannel("A")) == 0).mean() > 0.3


def test_a_thumbnail_begins_below_title_and_caption() -> None:
    picture = Image.new("RGBA", (200, 200))
    draw = ImageDraw.Draw(picture)
    for line in (10, 30):
        draw.rectangle((40, line, 160, line + 12), fill="black")  # two lines of text
    draw.rectangle((20, 80, 180, 150), fill="blue")
    assert without_heading(picture).size == (161, 71)


def test_a_thumbnail_keeps_a_label_that_is_above_the_plot_but_in_no_line_with_the_title() -> None:
    picture = Image.new("RGBA", (200, 200))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((10, 10, 160, 22), fill="black")
    draw.rectangle((95, 60, 105, 70), fill="black")  # the label
    draw.rectangle((20, 80, 180, 150), fill="blue")
    assert without_heading(picture).size == (161, 91)


def test_a_thumbnail_has_no_writing_and_no_legend_and_keeps_ink_in_a_photograph() -> None:
    picture = Image.new("RGBA", (200, 200))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((20, 10, 30, 20), fill="blue")  # the legend's sample, and its name
    draw.rectangle((40, 12, 90, 14), fill=style.INK)
    draw.rectangle((50, 60, 150, 160), fill="red")  # a photograph with a patch of the ink's colour
    draw.rectangle((90, 100, 110, 120), fill=style.INK)
    draw.line((40, 165, 160, 165), fill=style.INK)  # an axis
    bare = without_text(picture)
    assert bare.size == (101, 101)
    assert bare.getpixel((50, 50))[:3] == picture.getpixel((100, 110))[:3]


def test_a_thumbnail_of_a_drawing_in_ink_stays_as_it_is() -> None:
    picture = Image.new("RGBA", (200, 200))
    ImageDraw.Draw(picture).line((10, 10, 190, 150), fill=style.INK, width=2)
    assert without_text(picture) == picture
