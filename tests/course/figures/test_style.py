import itertools
import math
import re
from pathlib import Path

import pytest
import torch

from bcl_edu.course import widgets
from bcl_edu.course.figures import style
from bcl_edu.course.figures.cosine_heatmap import APART, CLOSE, NEUTRAL
from bcl_edu.losses import CONTRASTIVE_LOSSES

EVERY_COLOUR = [
    style.INK,
    style.WIRE,
    *style.GROUP_COLOURS.values(),
    *(look.colour for look in (*style.SERIES, *style.OTHER_METHODS)),
    *style.METHOD_COLOURS.values(),
]


@pytest.mark.parametrize("page", [style.LIGHT_PAGE, style.DARK_PAGE])
def test_text_has_the_contrast_that_one_colour_can_have_on_both_pages(page: str) -> None:
    # white has luminance 1, the dark page 0.006: a grey of equal contrast with both reaches 4.35, and none reaches more
    assert style.contrast(style.INK, page) > 4.3


@pytest.mark.parametrize("page", [style.LIGHT_PAGE, style.DARK_PAGE])
@pytest.mark.parametrize("colour", EVERY_COLOUR)
def test_marks_stand_out_from_both_pages(colour: str, page: str) -> None:
    assert style.contrast(colour, page) >= 3  # WCAG 2.2, 1.4.11


def test_class_colours_stand_out_for_every_number_of_classes() -> None:
    colours = {c for k in (2, 3, 10, 100) for c in style.class_colours(torch.arange(k, 0, -1))}
    assert min(style.contrast(c, page) for c in colours for page in (style.LIGHT_PAGE, style.DARK_PAGE)) >= 3


@pytest.mark.parametrize("colour", EVERY_COLOUR)
def test_on_a_page_that_is_dark_for_certain_a_mark_is_read_as_well_as_text(colour: str) -> None:
    assert style.contrast(style.on_dark(colour), style.DARK_PAGE) >= style.READABLE


def test_a_colour_that_is_read_on_a_dark_page_stays_as_it_is() -> None:
    assert style.on_dark(style.TAIL) == style.TAIL


@pytest.mark.parametrize("colour", EVERY_COLOUR)
def test_numbers_on_a_bar_are_read(colour: str) -> None:
    assert style.contrast(style.ink_on(colour), colour) >= style.READABLE


def test_contrast_of_black_and_white_is_21() -> None:
    assert style.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert style.contrast("#ffffff", "#000000") == pytest.approx(21)


def test_head_and_tail_have_the_ends_of_colour_and_size() -> None:
    counts = torch.tensor([5, 100, 20])
    assert style.head_to_tail(counts) == [1, 2, 0]
    assert style.class_colours(counts) == [style.TAIL, style.HEAD, style.MIDDLE]
    assert style.class_marker_sizes(counts, 18, 8) == [8, 18, 13]


def test_equal_classes_look_alike_and_keep_their_order() -> None:
    counts = torch.tensor([7, 7, 7])
    assert style.head_to_tail(counts) == [0, 1, 2]
    assert set(style.class_colours(counts)) == {style.HEAD}


def test_series_differ_without_colour() -> None:
    for feature in ("dash", "symbol", "pattern"):
        values = [getattr(look, feature) for look in style.SERIES]
        assert len(set(values)) == len(values)


def test_too_many_series_are_refused() -> None:
    with pytest.raises(ValueError, match=r"7 series.*at most 6"):
        style.series_style(6)


def test_a_page_carries_caption_and_alternative_and_shows_the_page_behind_it() -> None:
    page = style.empty_figure("Title", "Look here.", "In words.")
    assert style.caption(page) == "Look here."
    assert style.text_alternative(page) == "In words."
    assert page.layout.title.text == style.heading("Title", "Look here.")
    assert page.layout.paper_bgcolor == page.layout.plot_bgcolor == "rgba(0,0,0,0)"


def test_every_loss_has_a_look_of_its_own() -> None:
    assert set(style.METHOD_LOOKS) == {*CONTRASTIVE_LOSSES, "ce", "lc"}
    for feature in ("colour", "symbol", "pattern"):
        values = [getattr(look, feature) for look in style.METHOD_LOOKS.values() if getattr(look, feature)]
        assert len(set(values)) == len(values)


def test_widgets_have_the_colours_and_symbols_of_figures() -> None:
    text = (Path(widgets.__file__).parent / "browser" / "colours.js").read_text()
    methods = re.findall(r'^  "?([\w-]+)"?: \{ colour: "(#\w{6})"', text, re.MULTILINE)
    assert dict(methods) == style.METHOD_COLOURS
    dark = re.findall(r'^  "?([\w-]+)"?: \{ .*?dark: "(#\w{6})"', text, re.MULTILINE)
    assert dict(dark) == {name: style.on_dark(colour) for name, colour in style.METHOD_COLOURS.items()}
    symbols = re.findall(r'^  "?([\w-]+)"?: \{ .*?symbol: "([\w-]+)"', text, re.MULTILINE)
    assert dict(symbols) == {name: look.symbol for name, look in style.METHOD_LOOKS.items()}
    ends = re.findall(r'^export const (HEAD|MIDDLE|TAIL) = "(#\w{6})"', text, re.MULTILINE)
    assert dict(ends) == {"HEAD": style.HEAD, "MIDDLE": style.MIDDLE, "TAIL": style.TAIL}


@pytest.mark.parametrize(
    ("label", "method"),
    [
        ("SCL", "scl"),
        ("optimum of SCL + averaging", "scl-averaging"),
        ("+ SC + complement", "scl-complement"),
        ("+ both (BCL, L1)", "bcl"),
        ("BCL, class-averaged anchors", "bcl-class-anchors"),
        ("bcl-inside", "bcl-inside"),
        ("L3", "bcl-prototypes"),
        ("LC + SC", "scl"),
        ("LC", "lc"),
        ("cross-entropy", "ce"),
        ("share of the samples", None),
        ("Eq. 3 as printed", None),
    ],
)
def test_a_label_says_which_method_it_is(label: str, method: str | None) -> None:
    assert style.method_in(label) == method


def test_a_method_has_its_colour_wherever_it_stands() -> None:
    first, second = style.looks(["SCL", "BCL"])
    assert (first, second) == tuple(style.looks(["BCL", "SCL"])[::-1])
    assert first.colour == style.METHOD_COLOURS["scl"]


def test_two_runs_of_one_method_share_its_colour_and_nothing_else() -> None:
    one, other = style.looks(["SCL, batches of 64", "SCL, whole batches"])
    assert one.colour == other.colour
    assert (one.symbol, one.dash) != (other.symbol, other.dash)
    assert one.symbol != other.symbol


DEFICIENCIES = {
    "none": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
"""How linear red, green and blue are mixed under a complete deficiency (Machado et al. 2009, severity 1)."""


def seen_with(colour: str, deficiency: str) -> tuple[float, float, float]:
    """A colour as L*, a*, b* (CIE 1976, D65) of what somebody with a deficiency sees."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    seen = [
        min(1.0, max(0.0, sum(m * c for m, c in zip(row, linear, strict=True))))
        for row in DEFICIENCIES[deficiency]
    ]
    of_white = (
        (0.4339, 0.3762, 0.1899),
        (0.2126, 0.7152, 0.0722),
        (0.0177, 0.1095, 0.8727),
    )  # XYZ over white's
    x, y, z = (sum(m * c for m, c in zip(row, seen, strict=True)) for row in of_white)
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def difference(one: str, other: str, deficiency: str) -> float:
    """The distance of two colours in L*a*b*: 2.3 is just noticed."""
    return math.dist(seen_with(one, deficiency), seen_with(other, deficiency))


def test_white_is_seen_as_white() -> None:
    for deficiency in DEFICIENCIES:
        assert seen_with("#ffffff", deficiency) == pytest.approx((100, 0, 0), abs=0.6)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_every_two_methods_and_head_and_tail_stay_apart_for_the_colour_blind(deficiency: str) -> None:
    # any two methods can be beside each other in the explorer
    colours = style.METHOD_COLOURS | {"head": style.HEAD, "tail": style.TAIL}
    apart = {
        (one, other): difference(colours[one], colours[other], deficiency)
        for one, other in itertools.combinations(colours, 2)
    }
    nearest = min(apart, key=lambda pair: apart[pair])
    assert apart[nearest] > 12, nearest


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_other_methods_look_like_no_loss_like_no_shot_group_and_unlike_each_other(deficiency: str) -> None:
    others = [look.colour for look in style.OTHER_METHODS]
    known = [*style.METHOD_COLOURS.values(), *style.GROUP_COLOURS.values()]
    pairs = [*itertools.product(others, known), *itertools.combinations(others, 2)]
    assert min(difference(*pair, deficiency) for pair in pairs) > 10


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_too_close_and_too_far_apart_are_told_apart_by_the_colour_blind(deficiency: str) -> None:
    for one, other in itertools.combinations((APART, NEUTRAL, CLOSE), 2):
        assert difference(one, other, deficiency) > 12, (one, other)


def test_a_long_caption_is_broken_to_fit_and_the_figure_grows_by_its_lines() -> None:
    page = style.empty_figure("Title", "word " * 40, "In words.", height=380)
    fitted = style.fitted_to(page, 640)
    lines = re.sub(r"<(?!br)[^>]+>", "", fitted.layout.title.text).split("<br>")[1:]
    assert len(lines) == 3
    assert max(map(len, lines)) * style.CHARACTER <= 640
    assert fitted.layout.height == 380 + 2 * style.LINE
    assert (
        style.fitted_to(style.empty_figure("Title", "Short.", "In words."), 640).layout.title.text.count(
            "<br>"
        )
        == 1
    )
