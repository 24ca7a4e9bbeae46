"""Every exercise: its reference, its solution, its known mistakes, and that no hint gives the solution away."""

import importlib.util
import inspect
import itertools
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch

from bcl_edu.course.exercises import EXERCISES, Exercise, Mistake, Verdict, check
from bcl_edu.course.exercises.answers import Unusable, expected_answer, given_answer, same
from bcl_edu.course.exercises.combination_exercises import margin_loss_with
from bcl_edu.course.exercises.diagnosis import score
from bcl_edu.course.exercises.loss_exercises import complement_with, denominator_with, scl_with
from bcl_edu.course.exercises.optimum_exercises import collapse_with, gap_with, gradient_at
from bcl_edu.course.exercises.run_exercises import (
    absent_with,
    difference_with,
    failures_with,
    shot_accuracy_with,
)
from bcl_edu.course.exercises.theorem_exercises import forces_with, theorem_3_with
from bcl_edu.course.exercises.trial import try_function
from bcl_edu.geometry import certified_optimum, collapsed_loss, cosine_matrix, every_batch
from bcl_edu.losses import anchor_losses
from bcl_edu.losses.margins import ldam_margins
from bcl_edu.methods.ldam import ldam_losses

SOLUTIONS = Path(__file__).resolve().parents[3] / "notebooks" / "solutions"

EACH = [pytest.param(exercise, id=name) for name, exercise in EXERCISES.items()]
EACH_MISTAKE = [
    pytest.param(exercise, mistake, id=f"{name}: {mistake.name}")
    for name, exercise in EXERCISES.items()
    for mistake in exercise.mistakes
]


def solution(name: str) -> Callable[..., object]:
    spec = importlib.util.spec_from_file_location(f"solution_{name}", SOLUTIONS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


@pytest.mark.parametrize("exercise", EACH)
def test_the_reference_passes(exercise: Exercise) -> None:
    assert check(exercise.name, exercise.reference).passed


@pytest.mark.parametrize("exercise", EACH)
def test_the_solution_passes_and_has_the_arguments_of_the_exercise(exercise: Exercise) -> None:
    function = solution(exercise.name)
    assert check(exercise.name, function).passed
    assert tuple(inspect.signature(function).parameters) == exercise.arguments


def test_every_file_of_the_solutions_is_one_and_is_in_their_readme() -> None:
    stems = {path.stem for path in SOLUTIONS.glob("*.py")}
    open_questions = {stem for stem in stems if stem.endswith("_open_questions")}
    assert stems - open_questions == set(EXERCISES)
    readme = (SOLUTIONS / "README.md").read_text("utf-8")
    assert set(re.findall(r"\((\w+)\.py\)", readme)) == stems


@cache
def verdict_on(exercise: str, mistake: str) -> Verdict:
    """What the check says of a known mistake, computed once."""
    (answer,) = (known.answer for known in EXERCISES[exercise].mistakes if known.name == mistake)
    return check(exercise, answer)


@pytest.mark.parametrize(("exercise", "mistake"), EACH_MISTAKE)
def test_each_known_mistake_gets_its_own_hint(exercise: Exercise, mistake: Mistake) -> None:
    verdict = verdict_on(exercise.name, mistake.name)
    assert verdict.state == "wrong"
    assert verdict.lines[0] == mistake.hint


@pytest.mark.parametrize("exercise", EACH)
def test_no_two_mistakes_give_the_same_answers(exercise: Exercise) -> None:
    def answers(mistake: Mistake) -> list[torch.Tensor | None]:
        found: list[torch.Tensor | None] = []
        for case in exercise.cases:
            try:
                found.append(exercise.compared(given_answer(exercise, mistake.answer, case)))
            except Unusable:
                found.append(None)
        return found

    answered = [(mistake.name, answers(mistake)) for mistake in exercise.mistakes]
    for (name, ours), (other, theirs) in itertools.combinations(answered, 2):
        differ = any(
            (a is None) != (b is None) or (a is not None and b is not None and not same(a, b))
            for a, b in zip(ours, theirs, strict=True)
        )
        assert differ, f"{name} and {other} cannot be told apart"


@pytest.mark.parametrize("exercise", EACH)
def test_the_cases_are_the_same_every_time(exercise: Exercise) -> None:
    for first, second in zip(exercise.cases, exercise.cases, strict=True):
        assert first.about == second.about
        assert torch.equal(expected_answer(exercise, first), expected_answer(exercise, second))


# ---- the references are the package's, whatever form they have here


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("supervised_contrastive_loss", scl_with),
        ("attraction_and_repulsion", forces_with),
        ("class_complement", complement_with),
        ("theorem_3_bound", theorem_3_with),
        ("loss_at_collapse", collapse_with),
        ("duality_gap", gap_with),
        ("count_failures", failures_with),
        ("shot_accuracy", shot_accuracy_with),
        ("share_of_absent", absent_with),
        ("paired_difference", difference_with),
        ("margin_loss", margin_loss_with),
    ],
)
def test_without_a_mistake_the_variants_are_the_reference(name: str, function: Callable[..., object]) -> None:
    assert check(name, function).passed


def test_the_duality_gap_is_never_less_than_what_there_is_to_gain() -> None:
    counts = torch.tensor([40, 20, 9, 4, 2])
    best = certified_optimum(counts, "bcl", temperature=0.5)
    for seed in range(50):
        points = torch.randn(5, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        gram = cosine_matrix(best.means + 0.1 * seed * points[:, : best.means.shape[1]])
        to_gain = collapsed_loss(gram, counts, temperature=0.5) - best.value
        assert to_gain - 1e-12 <= float(gap_with(gram, gradient_at(gram, counts, 0.5)))
    assert float(gap_with(best.gram, gradient_at(best.gram, counts, 0.5))) < 1e-8


def test_the_class_averaged_denominator_is_that_of_the_loss() -> None:
    """L_i = log D_i - mean over positives of z_i . z_p / tau."""

    def from_the_loss(embeddings: torch.Tensor, labels: torch.Tensor, temperature: float) -> torch.Tensor:
        logits = embeddings @ embeddings.T / temperature
        positive = (labels[:, None] == labels[None, :]) & ~torch.eye(len(labels), dtype=torch.bool)
        attraction = logits.masked_fill(~positive, 0).sum(dim=1) / positive.sum(dim=1)
        losses = anchor_losses(embeddings, labels, averaging="outside", temperature=temperature)
        return losses.value + attraction

    assert check("class_averaged_denominator", from_the_loss).passed
    assert check("class_averaged_denominator", denominator_with).passed


def test_the_margin_loss_is_that_of_ldam_on_compensated_logits() -> None:
    def of_the_package(
        cosines: torch.Tensor,
        labels: torch.Tensor,
        class_counts: torch.Tensor,
        scale: float,
        largest_margin: float,
    ) -> torch.Tensor:
        compensated = scale * cosines + (class_counts / class_counts.sum()).log()
        margins = ldam_margins(class_counts, largest=largest_margin)
        return ldam_losses(compensated, labels, margins, scale=scale).mean()

    assert check("margin_loss", of_the_package).passed


def test_pair_pushes_are_the_derivative_of_the_loss_at_one_point() -> None:
    """Of the collapsed classes' loss, by differences; a cosine stands twice in the Gram matrix."""

    def by_differences(class_counts: list[int], temperature: float) -> torch.Tensor:
        def loss_near_one_point(i: int, j: int, step: float) -> float:
            gram = torch.ones(len(class_counts), len(class_counts), dtype=torch.float64)
            gram[i, j] = gram[j, i] = 1 - step
            return collapsed_loss(gram, class_counts, "bcl", temperature=temperature)

        pushes = torch.zeros(len(class_counts), len(class_counts), dtype=torch.float64)
        for i, j in itertools.permutations(range(len(class_counts)), 2):
            pushes[i, j] = (loss_near_one_point(i, j, 0.0) - loss_near_one_point(i, j, 1e-6)) / 1e-6
        return pushes

    assert check("pair_pushes", by_differences).passed


def test_the_chance_to_be_missing_is_that_of_every_batch_counted() -> None:
    def counted(class_counts: list[int], batch_size: int) -> torch.Tensor:
        batches = every_batch(class_counts, batch_size)
        return torch.from_numpy(batches.probabilities @ (batches.counts == 0))

    assert check("chance_to_be_missing", counted).passed


def test_counts_computed_in_float32_are_right_too() -> None:
    def in_float32(n_max: int, num_classes: int, imbalance_factor: float) -> torch.Tensor:
        k = torch.arange(num_classes)
        return (n_max * imbalance_factor ** (-k / (num_classes - 1))).floor()

    assert in_float32(10, 3, 2.0).dtype == torch.float32
    assert check("class_counts", in_float32).passed


# ---- hints hint


def code_lines(function: Callable[..., object]) -> list[str]:
    """Lines of a function's body, without its docstring, comments and spaces."""
    source = inspect.getsource(function)
    body = source.split('"""')[-1]
    lines = [re.sub(r"\s+", "", line.split("#")[0]) for line in body.splitlines()]
    return [line for line in lines if len(line) > 8]


@pytest.mark.parametrize("exercise", EACH)
def test_nothing_that_a_check_says_holds_a_line_of_the_solution(exercise: Exercise) -> None:
    function = solution(exercise.name)
    said = [exercise.task, exercise.returns, exercise.signature]
    for mistake in exercise.mistakes:
        said += verdict_on(exercise.name, mistake.name).lines
    said += check(exercise.name, lambda *arguments: torch.rand(3, 2)).lines
    said += check(exercise.name, lambda *arguments: None).lines
    squeezed = re.sub(r"\s+", "", " ".join(said))
    assert code_lines(function)
    for line in code_lines(function):
        assert line not in squeezed


@pytest.mark.parametrize(("exercise", "mistake"), EACH_MISTAKE)
def test_hints_are_sentences_not_code(exercise: Exercise, mistake: Mistake) -> None:
    assert mistake.hint[0].isupper()
    assert mistake.hint.endswith((".", "?"))
    assert "torch" not in mistake.hint
    assert not re.search(r"\w\(|\w\[|\.T\b|@|==", mistake.hint), (
        "a formula or a call in a hint is half a solution"
    )


@pytest.mark.parametrize("exercise", EACH)
def test_an_exercise_says_what_to_write(exercise: Exercise) -> None:
    assert exercise.task.endswith(".")
    assert len(exercise.arguments) == len(exercise.by_hand.arguments)
    assert all(len(case.arguments) == len(exercise.arguments) for case in exercise.cases)
    assert len({case.about for case in exercise.cases}) == len(exercise.cases)
    assert len(exercise.mistakes) >= 5


def test_the_score_counts_the_right_cases() -> None:
    exercise = EXERCISES["logit_compensation"]

    def plain(logits: torch.Tensor, labels: torch.Tensor, class_counts: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(logits, labels)

    trials = [try_function(exercise, plain, case) for case in exercise.cases]
    assert [trial.case.about for trial in trials if trial.right] == ["the training set is balanced"]
    assert score(trials) == f"Right in 1 of {len(trials)} cases."
