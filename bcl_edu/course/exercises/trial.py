"""One call of a reader's function, and what came of it."""

from __future__ import annotations

import inspect
import linecache
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from bcl_edu.course.exercises.answers import (
    NotFinite,
    NothingReturned,
    Unusable,
    expected_answer,
    given_answer,
    same,
)
from bcl_edu.course.exercises.exercise import Case, Exercise, Function


@dataclass(frozen=True)
class Trial:
    """Outcome of a function in one case.

    Attributes:
        case: the case.
        expected: the reference's answer, float64.
        answer: the function's, float64 and of the same shape; None if there is none to compare.
        problem: why there is none, in words; "" if there is one.
        kind: of the problem.
        right: whether the answers agree.
    """

    case: Case
    expected: Tensor
    answer: Tensor | None = None
    problem: str = ""
    kind: Literal["none", "unwritten", "not finite", "unusable"] = "none"
    right: bool = False


def try_function(exercise: Exercise, function: Function, case: Case) -> Trial:
    """Call a function; nothing that it raises comes out, except an interruption."""
    expected = expected_answer(exercise, case)
    try:
        answer = given_answer(exercise, function, case)
    except (NothingReturned, NotImplementedError) as error:
        return Trial(case, expected, problem=str(error), kind="unwritten")
    except NotFinite as error:
        return Trial(case, expected, problem=str(error), kind="not finite")
    except Unusable as error:
        return Trial(case, expected, problem=str(error), kind="unusable")
    except Exception as error:
        return Trial(case, expected, problem=_in_one_line(error, function), kind="unusable")
    right = same(exercise.compared(answer), exercise.compared(expected))
    return Trial(case, expected, answer, right=right)


def why_not_callable(exercise: Exercise, function: Any) -> str:
    """Reason why an object cannot be called as the function; "" if it can."""
    if not callable(function):
        return (
            f"Pass the function itself, not what it returns: `check({exercise.name!r}, {exercise.name})`, "
            "without parentheses after its name."
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions do not tell
        return ""
    try:
        signature.bind(*exercise.by_hand.arguments)
    except TypeError:
        return (
            f"Your function takes `{signature}`, but is called as `{exercise.signature}`, "
            f"with {len(exercise.arguments)} arguments."
        )
    return ""


def _in_one_line(error: Exception, function: Function) -> str:
    """An exception of the reader's function: what, and in which line of it."""
    message = " ".join(str(error).split())
    message = message if len(message) <= 200 else message[:200] + " …"
    return f"Your function raised {type(error).__name__}: {message.rstrip('.')}{_where(error, function)}."


def _where(error: Exception, function: Function) -> str:
    """The innermost line of the reader's own that the exception came through."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    line, trace = "", error.__traceback__
    while trace is not None:
        if code is not None and trace.tb_frame.f_code.co_filename == code.co_filename:
            line = linecache.getline(code.co_filename, trace.tb_lineno).strip()
        trace = trace.tb_next
    return f" (in the line `{line}`)" if line and "`" not in line else ""
