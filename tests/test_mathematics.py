"""Formulas as MathML: what the notebooks use is converted, and what is not is refused by name."""

import pytest

from tools.mathematics import NotMathML, mathml


@pytest.mark.parametrize(
    ("tex", "part"),
    [
        (r"\frac{1}{K-1}", "<mfrac>"),
        (r"\Bigl\lVert z \Bigr\rVert^2", "&#x02016;"),
        (r"\bigl\|M\bigr\|", "&#x02016;"),
        (r"B_y \setminus \{i\}", "<mo>&#x02216;</mo>"),
        (r"x = 1 \tag{d}", "<mtext>(d)</mtext>"),
    ],
)
def test_what_the_notebooks_use_is_converted(tex: str, part: str) -> None:
    assert part in mathml(tex)


def test_a_block_has_a_line_of_its_own_and_its_sums_have_limits_below() -> None:
    block = mathml(r"\underbrace{\sum_p z_p}_{\text{all}}", block=True)
    assert 'display="block"' in block
    assert "<munder><mo>&#x02211;</mo>" in block
    assert 'display="inline"' in mathml("z_i")


def test_a_formula_that_cannot_be_converted_is_named() -> None:
    with pytest.raises(NotMathML, match=r"\(\\nosuchcommand\): \\nosuchcommand x"):
        mathml(r"\nosuchcommand x")
