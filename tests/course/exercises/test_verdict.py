"""How a verdict looks: plain text, HTML, and nothing else in it."""

import dataclasses
import pickle
import re

from bcl_edu.course.exercises import Verdict, check


def test_plain_text_has_the_state_first_and_every_line() -> None:
    verdict = Verdict("class_counts", "wrong", ("One.", "Two."))
    assert str(verdict) == "✗ class_counts: not yet\n  One.\n  Two."
    assert repr(verdict) == str(verdict)


def test_symbol_and_word_tell_the_states_apart_without_colour() -> None:
    states = [Verdict("a", state, ()) for state in ("passed", "wrong", "open")]
    assert [str(verdict) for verdict in states] == ["✓ a: passed", "✗ a: not yet", "○ a: open"]
    assert [verdict.passed for verdict in states] == [True, False, False]


def test_html_is_escaped_and_shows_code_as_code() -> None:
    html = Verdict("a", "wrong", ("Raised ValueError: <script> & `x < y`",))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt; &amp; <code>x &lt; y</code>" in html


def test_a_lonely_backquote_stays_one() -> None:
    assert "it`s odd" in Verdict("a", "wrong", ("it`s odd",))._repr_html_()


def test_html_takes_text_colour_from_the_page_so_that_it_reads_on_dark_ones() -> None:
    html = check("class_counts", lambda n_max, num_classes, imbalance_factor: None)._repr_html_()
    assert not re.search(r"[^-]color:", html.replace("border-left", ""))
    assert 'role="status"' in html


def test_a_verdict_is_words_only_and_leads_to_no_reference() -> None:
    verdict = check("class_counts", lambda n_max, num_classes, imbalance_factor: 0)
    values = [getattr(verdict, field.name) for field in dataclasses.fields(verdict)]
    assert all(isinstance(value, str | tuple) for value in values)
    assert all(isinstance(line, str) for line in verdict.lines)
    assert b"bcl_edu.course.exercises.long_tail_exercises" not in pickle.dumps(verdict)
