"""What a check says of answers that are no answers, and of mistakes that nobody foresaw."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bcl_edu.course.exercises import EXERCISES, Verdict, check
from bcl_edu.course.exercises.trial import try_function
from bcl_edu.geometry import regular_simplex
from bcl_edu.losses import balanced_contrastive_loss

right_counts = EXERCISES["class_counts"].reference
right_deviation = EXERCISES["simplex_deviation"].reference


def said(verdict: Verdict) -> str:
    assert verdict.state == "wrong"
    return " ".join(verdict.lines)


# ---- any form of a right answer will do


@pytest.mark.parametrize(
    "form",
    [Tensor.tolist, Tensor.numpy, Tensor.float, lambda counts: tuple(counts), lambda counts: list(counts)],
    ids=["list", "numpy", "float", "tuple of tensors", "list of tensors"],
)
def test_numbers_are_taken_in_any_form(form: Callable[[Tensor], Any]) -> None:
    assert check("class_counts", lambda *arguments: form(right_counts(*arguments))).passed


@pytest.mark.parametrize("form", [float, np.float64, torch.tensor, lambda value: torch.tensor([value])])
def test_one_number_may_be_a_tensor_of_one(form: Callable[[float], Any]) -> None:
    assert check("simplex_deviation", lambda means: form(right_deviation(means))).passed


def test_an_answer_with_a_gradient_is_taken() -> None:
    assert check(
        "simplex_deviation", lambda means: torch.tensor(right_deviation(means), requires_grad=True)
    ).passed


def test_any_rotation_of_the_simplex_is_right() -> None:
    def turned(num_classes: int, dimension: int) -> Tensor:
        rotation, _ = torch.linalg.qr(torch.randn(dimension, dimension, dtype=torch.float64))
        return regular_simplex(num_classes, dimension) @ rotation

    assert check("regular_simplex", turned).passed


def test_a_function_that_spoils_its_arguments_spoils_nothing_else() -> None:
    def spoiling(logits: Tensor, labels: Tensor, class_counts: Tensor) -> Tensor:
        answer = EXERCISES["logit_compensation"].reference(logits, labels, class_counts)
        logits.zero_()
        labels.zero_()
        return answer

    assert check("logit_compensation", spoiling).passed


# ---- garbage


def test_an_unwritten_function_is_open_and_not_wrong() -> None:
    def class_counts(n_max: int, num_classes: int, imbalance_factor: float) -> None: ...

    verdict = check("class_counts", class_counts)
    assert verdict.state == "open"
    assert "To write: " in verdict.lines[0]
    assert "returns nothing" in verdict.lines[1]


def test_not_implemented_is_open_too() -> None:
    def later(*arguments: object) -> None:
        raise NotImplementedError

    assert check("class_counts", later).state == "open"


def test_none_in_some_cases_is_wrong() -> None:
    text = said(
        check("class_counts", lambda n, k, factor: right_counts(n, k, factor) if factor > 1 else None)
    )
    assert "returned None" in text
    assert "classes are balanced." in text


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("seven", "returned a str"),
        ({"a": 1}, "returned a dict"),
        (object(), "returned an object"),
        ([1, "two"], "returned a list of 2"),
        (torch.tensor([1j, 2, 3]), "returned a Tensor"),
        (torch.zeros(3, 1), "(3, 1), here it should be (3,)"),
        (5, "(), here it should be (3,)"),
        ([], "(0,), here it should be (3,)"),
        ([math.nan] * 3, "NaN somewhere"),
        ([math.inf, 1, 1], "infinite somewhere"),
    ],
)
def test_no_answer_gets_one_clear_line(answer: object, expected: str) -> None:
    verdict = check("class_counts", lambda *arguments: answer)
    assert expected in verdict.lines[0]
    assert verdict.lines[0].endswith("imbalance factor is 20.")
    assert verdict.lines[-1] == "Right in 0 of 6 cases."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            torch.zeros(4),
            "returned a Tensor",
        ),
        ((1.0, 2.0, 3.0), "returned a tuple of 3"),
        ((torch.zeros(4), torch.zeros(3)), "differ in shape"),
        ((torch.zeros(4), "two"), "returned a str"),
        ((torch.zeros(2), torch.zeros(2)), "(2,), here it should be (4,)"),
    ],
)
def test_an_answer_of_two_parts_needs_both(answer: object, expected: str) -> None:
    assert expected in said(check("attraction_and_repulsion", lambda z, y: answer))


def test_an_exception_becomes_one_line_with_the_readers_own_line() -> None:
    def broken(means: Tensor) -> Tensor:
        wide = means @ means  # the shapes do not fit
        return wide.mean()

    verdict = check("simplex_deviation", broken)
    assert verdict.lines[0].startswith("Your function raised RuntimeError: ")
    assert "(in the line `wide = means @ means  # the shapes do not fit`)" in verdict.lines[0]
    assert all("\n" not in line for line in verdict.lines)
    assert "Traceback" not in str(verdict)


def test_an_exception_deep_in_a_library_still_names_the_readers_line() -> None:
    def broken(means: Tensor) -> Tensor:
        return torch.linalg.solve(means, means)

    assert (
        "(in the line `return torch.linalg.solve(means, means)`)"
        in check("simplex_deviation", broken).lines[0]
    )


def test_a_long_exception_is_cut() -> None:
    def broken(means: Tensor) -> Tensor:
        raise ValueError("word " * 1000)

    assert len(check("simplex_deviation", broken).lines[0]) < 400


def test_an_interruption_is_not_swallowed() -> None:
    def interrupted(means: Tensor) -> Tensor:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check("simplex_deviation", interrupted)


def test_an_exception_in_one_case_only_names_the_case() -> None:
    def not_for_balanced(n_max: int, num_classes: int, imbalance_factor: float) -> Tensor:
        return right_counts(n_max // (imbalance_factor != 1), num_classes, imbalance_factor)

    verdict = check("class_counts", not_for_balanced)
    assert "raised ZeroDivisionError" in verdict.lines[0]
    assert verdict.lines[0].endswith("classes are balanced.")
    assert verdict.lines[-1] == "Right in 5 of 6 cases."


def test_the_result_instead_of_the_function_is_explained() -> None:
    text = said(check("class_counts", right_counts(100, 3, 20.0)))
    assert "Pass the function itself" in text


def test_other_arguments_are_explained() -> None:
    text = said(check("class_counts", lambda n_max, num_classes: right_counts(n_max, num_classes, 10.0)))
    assert "takes `(n_max, num_classes)`" in text
    assert "called as `class_counts(n_max, num_classes, imbalance_factor)`, with 3 arguments" in text


def test_a_type_error_inside_is_not_taken_for_wrong_arguments() -> None:
    assert "raised TypeError" in said(check("class_counts", lambda n_max, num_classes, factor: len(n_max)))


def test_a_built_in_function_without_a_signature_is_called() -> None:
    assert check("class_counts", max).state == "wrong"


def test_an_unknown_exercise_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        ValueError,
        match=r"'class_count'; did you mean 'class_counts'",
    ):
        check("class_count", right_counts)


# ---- overflow


def test_exponentials_that_overflow_are_recognised() -> None:
    def naive(embeddings: Tensor, labels: Tensor, temperature: float) -> Tensor:
        similarity = (embeddings @ embeddings.T / temperature).exp().fill_diagonal_(0)
        positive = (labels[:, None] == labels[None, :]).fill_diagonal_(False)
        losses = -(similarity / similarity.sum(dim=1, keepdim=True)).log()
        has_positive = positive.any(dim=1)
        means = losses.masked_fill(~positive, 0).sum(dim=1)[has_positive] / positive.sum(dim=1)[has_positive]
        return means.mean()

    verdict = check("supervised_contrastive_loss", naive)
    assert "temperature is 0.01, in float32" in verdict.lines[0]
    assert "exponential" in verdict.lines[1]


def test_a_naive_exponential_overflows_in_the_class_averaged_denominator_too() -> None:
    def naive(embeddings: Tensor, labels: Tensor, temperature: float) -> Tensor:
        similarity = (embeddings @ embeddings.T / temperature).exp().fill_diagonal_(0)
        member = torch.nn.functional.one_hot(labels).to(similarity.dtype)
        size = member.sum(dim=0) - member
        return ((similarity @ member) / size.clamp(min=1)).sum(dim=1).log()

    verdict = check("class_averaged_denominator", naive)
    assert "temperature is 0.01, in float32" in verdict.lines[0]
    assert "exponential" in verdict.lines[1]


def test_a_naive_exponential_overflows_in_class_complement_too() -> None:
    def naive(embeddings: Tensor, labels: Tensor, prototypes: Tensor, temperature: float) -> Tensor:
        keys = torch.cat([embeddings, prototypes])
        key_labels = torch.cat([labels, torch.arange(len(prototypes))])
        itself = torch.eye(len(labels), len(keys)).bool()
        similarity = (embeddings @ keys.T / temperature).exp().masked_fill(itself, 0)
        positive = (labels[:, None] == key_labels[None, :]) & ~itself
        losses = -(similarity / similarity.sum(dim=1, keepdim=True)).log()
        return (losses.masked_fill(~positive, 0).sum(dim=1) / positive.sum(dim=1)).mean()

    verdict = check("class_complement", naive)
    assert "temperature is 0.01, in float32" in verdict.lines[0]
    assert "exponential" in verdict.lines[1]


def test_the_classic_slips_written_as_learners_write_them_are_named() -> None:
    def nothing_excluded(embeddings: Tensor, labels: Tensor, temperature: float) -> Tensor:
        log_probability = (embeddings @ embeddings.T / temperature).log_softmax(dim=1)
        positive = (labels[:, None] == labels[None, :]).to(log_probability.dtype)
        return -((log_probability * positive).sum(dim=1) / positive.sum(dim=1)).mean()

    def without_own_prototype(
        embeddings: Tensor, labels: Tensor, prototypes: Tensor, temperature: float
    ) -> Tensor:
        logits = embeddings @ torch.cat([embeddings, prototypes]).T / temperature
        itself = torch.eye(*logits.shape).bool()
        log_probability = logits - logits.masked_fill(itself, -torch.inf).logsumexp(dim=1, keepdim=True)
        n = len(labels)
        positive = (labels[:, None] == labels[None, :]) & ~itself[:, :n]
        attracted = log_probability[:, :n].masked_fill(~positive, 0).sum(dim=1)
        return -(attracted / positive.sum(dim=1).clamp(min=1)).mean()

    def by_habit(embeddings: Tensor, labels: Tensor, prototypes: Tensor, temperature: float) -> Tensor:
        return balanced_contrastive_loss(embeddings, labels, prototypes, temperature=temperature)

    named = {
        ("supervised_contrastive_loss", nothing_excluded): "anchor never excluded",
        ("class_complement", without_own_prototype): "contrast but no positive, all samples counted",
        ("class_complement", by_habit): "averaged over classes",
    }
    for (exercise, function), mistake in named.items():
        hints = {known.name: known.hint for known in EXERCISES[exercise].mistakes}
        assert check(exercise, function).lines[0] == hints[mistake]


def test_a_known_mistake_is_recognised_behind_an_overflow() -> None:
    def naive_with_itself(embeddings: Tensor, labels: Tensor, temperature: float) -> Tensor:
        similarity = (embeddings @ embeddings.T / temperature).exp()
        positive = (labels[:, None] == labels[None, :]).fill_diagonal_(False)
        losses = -(similarity / similarity.sum(dim=1, keepdim=True)).log()
        has_positive = positive.any(dim=1)
        means = losses.masked_fill(~positive, 0).sum(dim=1)[has_positive] / positive.sum(dim=1)[has_positive]
        return means.mean()

    hints = {m.name: m.hint for m in EXERCISES["supervised_contrastive_loss"].mistakes}
    assert (
        check("supervised_contrastive_loss", naive_with_itself).lines[0] == hints["anchor in the denominator"]
    )


# ---- mistakes that nobody foresaw


def test_a_constant_factor_is_noticed() -> None:
    text = said(check("simplex_deviation", lambda means: 3 * right_deviation(means)))
    assert "3 times" in text


def test_a_constant_offset_is_noticed() -> None:
    text = said(check("simplex_deviation", lambda means: right_deviation(means) - 0.25))
    assert "-0.25 off" in text


def test_a_wrong_sign_is_noticed() -> None:
    text = said(check("simplex_deviation", lambda means: -right_deviation(means)))
    assert "sign is not" in text


def test_numbers_at_wrong_places_are_noticed() -> None:
    text = said(check("class_counts", lambda *arguments: right_counts(*arguments).roll(1)))
    assert "at their places" in text


def test_what_is_right_and_what_is_wrong_is_listed() -> None:
    def only_small(n_max: int, num_classes: int, imbalance_factor: float) -> Tensor:
        return right_counts(n_max, num_classes, imbalance_factor) + (num_classes > 8) * torch.arange(
            num_classes
        )

    text = said(check("class_counts", only_small))
    assert re.search("Right where n_max is 100.*; where the classes are balanced", text)
    assert re.search("Wrong where n_max is 500.*; where n_max is 5000", text)


def test_an_unforeseen_mistake_is_shown_on_the_case_for_pencil_and_paper() -> None:
    text = said(check("class_counts", lambda *arguments: right_counts(*arguments).square()))
    assert "n_max is 100, K is 3" in text
    assert "[100, 22, 5]; yours is [10000, 484, 25]" in text


def test_a_wrong_simplex_is_told_which_condition_fails() -> None:
    def shifted(num_classes: int, dimension: int) -> Tensor:
        points = regular_simplex(num_classes, dimension)
        points[:, 0] += 0.1
        return points

    text = said(check("regular_simplex", shifted))
    assert "(a) fails: " in text
    assert "one right answer is [[1], [-1]]" in text


def test_a_simplex_of_another_size_is_told_so() -> None:
    text = said(check("regular_simplex", lambda k, h: 3 * regular_simplex(k, h)))
    assert "unit length" in text


def test_points_in_the_origin_are_told_so() -> None:
    assert "All your points are 0." in said(check("regular_simplex", lambda k, h: torch.zeros(k, h)))


def test_a_nan_never_counts_as_right() -> None:
    exercise = EXERCISES["simplex_deviation"]
    trial = try_function(exercise, lambda means: math.nan, exercise.by_hand)
    assert not trial.right
    assert trial.kind == "not finite"
