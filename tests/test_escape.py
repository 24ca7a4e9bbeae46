"""Strings of strangers are shown as the characters they consist of, whatever the form."""

import json
from html.parser import HTMLParser

import pytest

from bcl_edu.escape import for_html, for_markdown, for_plotly, for_terminal, json_in_html

HOSTILE = "<img src=x onerror=alert(1)>&amp;\x1b[2J\u202e\udce9\n|"


@pytest.mark.parametrize("escaped", [for_terminal, for_html, for_markdown, for_plotly])
def test_control_characters_are_written_out(escaped) -> None:
    text = escaped(HOSTILE)
    assert text.isprintable()
    for code in ("x1b", "u202e", "xe9", "x0a"):
        assert code in text


def test_a_terminal_may_keep_line_breaks() -> None:
    assert for_terminal("a\nb\tc", keep="\n") == "a\nb\\x09c"
    assert for_terminal("ä λ 漢字 \\") == "ä λ 漢字 \\"


@pytest.mark.parametrize("escaped", [for_html, for_plotly, for_markdown])
def test_no_element_and_no_entity_begins(escaped) -> None:
    seen = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: object) -> None:
            seen.append(tag)

    reader = Reader()
    reader.feed(f"<p>{escaped(HOSTILE)}</p>")
    assert seen == ["p"]
    assert "&amp;amp;" in escaped(HOSTILE)


def test_markdown_has_no_marks_left() -> None:
    assert for_markdown("a|b_c*d`e`[f](g)$h$~i~\\") == r"a\|b\_c\*d\`e\`\[f\](g)\$h\$\~i\~" + "\\\\"
    assert for_markdown("cifar100-lt, IF 100 (r32): 1.5 ± 2") == "cifar100-lt, IF 100 (r32): 1.5 ± 2"


def test_json_in_a_script_element_neither_ends_nor_hides_its_end() -> None:
    value = {"name": "<!--<script></script>"}
    assert "<" not in json_in_html(value)
    assert json.loads(json_in_html(value)) == value
