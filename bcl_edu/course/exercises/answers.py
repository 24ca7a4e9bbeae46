"""Reading what a function returned, and comparing it with what was expected."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from bcl_edu.course.exercises.exercise import Case, Exercise, Function

# A reader may compute in float32 what the reference computes in float64; known mistakes differ by far more.
RELATIVE_TOLERANCE = 1e-3
ABSOLUTE_TOLERANCE = 1e-5


class Unusable(Exception):
    """An answer that cannot be compared; the message says why, to the reader."""


class NothingReturned(Unusable):
    """The function returned None or an ellipsis: not begun, or without a return."""


class NotFinite(Unusable):
    """The answer has the right shape, but is infinite or NaN somewhere."""


def expected_answer(exercise: Exercise, case: Case) -> Tensor:
    """The reference's answer, as float64."""
    return _as_numbers(exercise, _call(exercise.reference, case))


def given_answer(exercise: Exercise, function: Function, case: Case) -> Tensor:
    """A function's answer, as float64 and of the expected shape.

    Raises:
        Unusable: it is no answer of the expected kind; or whatever the function raises.
    """
    answer = _as_numbers(exercise, _call(function, case))
    expected = expected_answer(exercise, case)
    if expected.ndim == 0 and answer.numel() == 1:
        answer = answer.reshape(())
    if answer.shape != expected.shape:
        # the first axis of a tuple counts its parts
        ours, theirs = (tuple(a.shape[bool(exercise.parts) :]) for a in (answer, expected))
        raise Unusable(f"Your answer has shape {ours}, here it should be {theirs}: {exercise.returns}.")
    if not bool(answer.isfinite().all()):
        number = "NaN" if bool(answer.isnan().any()) else "infinite"
        raise NotFinite(f"Your answer is {number}{' somewhere' if answer.ndim else ''}.")
    return answer


def same(ours: Tensor, theirs: Tensor) -> bool:
    """True if two answers agree."""
    return ours.shape == theirs.shape and torch.allclose(
        ours, theirs, rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_TOLERANCE
    )


def _call(function: Function, case: Case) -> Any:
    """Return value of the function for its own copy of the arguments, which it may change."""
    return function(*copy.deepcopy(case.arguments))


def _as_numbers(exercise: Exercise, value: Any) -> Tensor:
    """A returned value as float64; the parts of a tuple become the first axis.

    Raises:
        Unusable: it is not of the expected kind.
    """
    if value is None or value is ...:
        raise NothingReturned("Your function returned None. Is its last line a `return`?")
    if not exercise.parts:
        return _tensor(exercise, value)
    if not isinstance(value, tuple | list) or len(value) != len(exercise.parts):
        raise Unusable(
            f"Your function returned {_kind(value)}; expected {exercise.returns}, first the "
            f"{', then the '.join(exercise.parts)}."
        )
    parts = [_tensor(exercise, part) for part in value]
    if len({part.shape for part in parts}) > 1:
        raise Unusable(f"The parts of your answer differ in shape; expected {exercise.returns}.")
    return torch.stack(parts)


def _tensor(exercise: Exercise, value: Any) -> Tensor:
    """A number, sequence, array or tensor as float64."""
    try:
        if isinstance(value, tuple | list) and any(isinstance(part, Tensor) for part in value):
            value = torch.stack([torch.as_tensor(part) for part in value])
        numbers = torch.as_tensor(value).detach().cpu()
        if numbers.is_complex():
            raise TypeError("complex numbers have no order")
        return numbers.to(torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise Unusable(f"Your function returned {_kind(value)}; expected {exercise.returns}.") from None


def _kind(value: Any) -> str:
    """Kind of a value, with its article."""
    name = type(value).__name__
    article = "an" if name[0] in "aeiou" else "a"
    return f"{article} {name} of {len(value)}" if isinstance(value, tuple | list) else f"{article} {name}"
