"""TeX in notebooks as MathML, which browsers draw themselves: no script, no network.

MathJax and KaTeX set more beautifully, but a page would have to carry their scripts (some megabytes) and wait for
them; the site has a mathematical font. What the notebooks use is within MathML, and a formula that is not fails the
build.
"""

from __future__ import annotations

import re

from latex2mathml.converter import convert

NORM = re.compile(r"(?:\\[bB]igg?[lrm]?\s*)?\\(?:[lr]Vert(?![A-Za-z])|\|)")
TAG = re.compile(r"\\tag\{(.*?)\}")
FUNCTION = re.compile(r"<mi>(log|exp|cos|sin|det|arg|ln|dim)</mi>")
BAR = re.compile(r"<mo[^>]*>(&#x0*7[Cc];|&#x0*2016;|\\||‖)</mo>")
LEFT_OVER = re.compile(r">[^<]*\\[^<]*<")


class NotMathML(ValueError):
    """A formula has a command that cannot be converted."""


def mathml(tex: str, *, block: bool = False) -> str:
    """A formula as a `<math>` element.

    Args:
        tex: what stands between the dollar signs.
        block: whether it stands in a line of its own.

    Raises:
        NotMathML: the formula has a command that is not known; the message names the formula.
    """
    try:
        plain = TAG.sub(r"\\qquad\\text{(\1)}", NORM.sub(r"\\|", tex.strip()))
        if block:
            plain = plain.replace(r"\sum_", r"\sum\limits_")  # below the sign, in an underbrace, too
        converted = convert(plain, display="block" if block else "inline")
    except Exception as error:
        raise NotMathML(f"this formula cannot be converted ({error!r}): {tex}") from error
    if found := LEFT_OVER.search(converted):
        raise NotMathML(f"this formula has a command that is not known ({found.group(0)[1:-1]}): {tex}")
    # a thin space before and after log, as in TeX; next to a bracket none
    converted = FUNCTION.sub(r'<mo form="prefix" lspace="0.12em" rspace="0.17em">\1</mo>', converted)
    # all bars are as high as a letter
    converted = BAR.sub(
        r'<mo stretchy="false" symmetric="false" lspace="0.05em" rspace="0.05em">\1</mo>', converted
    )
    return converted.replace("<mi>&#x029F5;</mi>", "<mo>&#x02216;</mo>")  # the set minus that fonts have
