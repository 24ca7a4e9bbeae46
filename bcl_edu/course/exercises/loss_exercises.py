"""Exercises on the contrastive losses: Eq. 1-2, class-averaging, class-complement (notebooks 04 to 06)."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from bcl_edu.course.exercises.exercise import Case, Exercise, Mistake
from bcl_edu.course.exercises.points import at, unit_vectors
from bcl_edu.losses import (
    balanced_contrastive_loss,
    class_complement_loss,
    supervised_contrastive_loss,
)

Batch = tuple[Tensor, Tensor]


def batch(name: str, sizes: list[int], dimension: int = 4) -> Batch:
    """Random unit embeddings of classes of these sizes (0: no sample of that class), in mixed order, with labels."""
    in_order = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    generator = torch.Generator().manual_seed(len(in_order))
    labels = in_order[torch.randperm(len(in_order), generator=generator)]
    return unit_vectors(name, len(labels), dimension), labels


# Two classes of two samples each, opposite to each other; nothing about it is hard to compute by hand.
OPPOSITE = (at(0, 0, 180, 180), torch.tensor([0, 0, 1, 1]))
OPPOSITE_IN_WORDS = "two samples of class 0 are at 0° and two of class 1 at 180°, and the temperature is 1"


def _masks(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Two masks: sample k is of anchor i's class, and sample k is i itself."""
    return labels[:, None] == labels[None, :], torch.eye(len(labels), dtype=torch.bool)


# ---- Eq. 1-2: supervised contrastive loss


def scl_with(
    embeddings: Tensor,
    labels: Tensor,
    temperature: float,
    *,
    scale: Literal["divided", "multiplied", "forgotten"] = "divided",
    contrast: Literal["others", "all", "other classes"] = "others",
    positives: Literal["others", "all", "counted with the anchor", "added"] = "others",
    logarithm: Literal["of each positive", "of their mean"] = "of each positive",
    anchors: Literal["with a positive", "all", "added", "by class", "itself a positive"] = "with a positive",
) -> Tensor:
    """Eq. 1-2, or a wrong variant of it for each choice that is not the first."""
    factor = {"divided": 1 / temperature, "multiplied": temperature, "forgotten": 1.0}[scale]
    logits = embeddings @ embeddings.T * factor
    same, itself = _masks(labels)

    excluded = {"others": itself, "all": torch.zeros_like(itself), "other classes": same}[contrast]
    log_probability = logits - logits.masked_fill(excluded, -torch.inf).logsumexp(dim=1, keepdim=True)

    chosen = same if positives == "all" else same & ~itself
    number = chosen.sum(dim=1)
    divisor = {"counted with the anchor": number + 1, "added": torch.ones_like(number)}.get(positives, number)
    if logarithm == "of their mean":
        losses = -log_probability.masked_fill(~chosen, -torch.inf).logsumexp(dim=1) + divisor.log()
    else:
        losses = -log_probability.masked_fill(~chosen, 0).sum(dim=1) / divisor.clamp(min=1)

    counted = same.sum(dim=1) > (0 if anchors == "itself a positive" else 1)
    losses = torch.where(counted, losses, 0)
    if anchors == "by class":
        classes = labels[counted].unique()
        return torch.stack([losses[labels == k].mean() for k in classes]).mean()
    number_of_anchors = {"all": len(labels), "added": 1}.get(anchors, int(counted.sum()))
    return losses.sum() / number_of_anchors


def _with_a_near_pair(embeddings: Tensor, labels: Tensor) -> Batch:
    """Two samples of one class at one point: at temperature 0.01, exp(100) is more than float32 holds."""
    first, second = (labels == labels[0]).nonzero().flatten()[:2]
    embeddings[second] = embeddings[first]
    return embeddings, labels


def _contrastive_cases(exercise: str) -> list[Case]:
    def named(case: str, sizes: list[int]) -> Batch:
        return batch(f"{exercise}, {case}", sizes)

    z, y = _with_a_near_pair(*named("small temperature", [4, 3, 2]))
    return [
        Case("classes are equal in size and the temperature is 1", (*named("equal", [3, 3, 3]), 1.0)),
        Case("one class is larger than the others", (*named("unequal", [7, 3, 2]), 1.0)),
        Case("the temperature is 0.1", (*named("temperature", [5, 3, 2]), 0.1)),
        Case("a class has one sample only", (*named("alone", [6, 4, 1]), 0.5)),
        Case("not every class is in the batch", (*named("absent", [4, 0, 0, 2, 3]), 0.5)),
        Case("the temperature is 0.01, in float32", (z.float(), y, 0.01)),
    ]


def _scl(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(scl_with, **variant))


SUPERVISED_CONTRASTIVE_LOSS = Exercise(
    name="supervised_contrastive_loss",
    task="the supervised contrastive loss of a batch, Eq. 1-2, averaged over the anchors that have a positive.",
    arguments=("embeddings", "labels", "temperature"),
    returns="one number",
    reference=lambda z, y, temperature: supervised_contrastive_loss(z, y, temperature=temperature),
    by_hand=Case(OPPOSITE_IN_WORDS, (*OPPOSITE, 1.0)),
    hidden=lambda: _contrastive_cases("scl"),
    mistakes=(
        _scl(
            "temperature forgotten",
            "Right at temperature 1 only: the temperature has no effect on your answer.",
            scale="forgotten",
        ),
        _scl(
            "temperature multiplies",
            "Right at temperature 1 only. Does a small temperature make differences between similarities larger or "
            "smaller?",
            scale="multiplied",
        ),
        _scl(
            "anchor in the denominator",
            "The denominator has one term too many. Does an anchor have to be told apart from itself?",
            contrast="all",
        ),
        _scl(
            "only other classes in the denominator",
            "The denominator has other classes only. Which samples does Eq. 1 sum over?",
            contrast="other classes",
        ),
        _scl(
            "anchor among its positives",
            "The anchor attracts itself: the similarity of a sample to itself is always 1, and teaches nothing.",
            positives="all",
        ),
        _scl(
            "anchor a positive and in the denominator",
            "The anchor counts itself, above and below the fraction line.",
            contrast="all",
            positives="all",
        ),
        _scl(
            "anchor never excluded",
            "The anchor is nowhere left out: it is its own positive, its own contrast, and in a class by itself it "
            "even has a loss. What would an anchor learn from a comparison with itself?",
            contrast="all",
            positives="all",
            anchors="itself a positive",
        ),
        _scl(
            "divided by |B_y|",
            "The positives are the right ones, but their number is not. Is the anchor one of them?",
            positives="counted with the anchor",
        ),
        _scl(
            "positives added up",
            "Anchors of large classes get too large a loss. How are the positives of one anchor brought together?",
            positives="added",
        ),
        _scl(
            "mean inside the logarithm",
            "The mean over the positives and the logarithm are in the wrong order: that of Eq. 1 comes first, and it "
            "is the larger one (Jensen).",
            logarithm="of their mean",
        ),
        _scl(
            "lonely anchors counted",
            "Each anchor's loss is right. An anchor that is alone in its class has no loss; is it counted in the mean?",
            anchors="all",
        ),
        _scl(
            "anchors added up",
            "Each anchor's loss is right. How are the anchors brought together?",
            anchors="added",
        ),
        _scl(
            "classes averaged",
            "Each anchor's loss is right, but every class has the same weight in your mean. In Eq. 1 every anchor has.",
            anchors="by class",
        ),
    ),
)


# ---- class-averaging: the denominator of L1, Eq. 6


def denominator_with(
    embeddings: Tensor,
    labels: Tensor,
    temperature: float,
    *,
    scaled: bool = True,
    itself_excluded: bool = True,
    divisor: Literal["terms", "all of the class", "all others", "none"] = "terms",
    average: Literal["outside", "inside"] = "outside",
    classes: Literal["all", "others"] = "all",
    over_classes: Literal["added", "averaged", "averaged over all names"] = "added",
    logarithm: bool = True,
) -> Tensor:
    """log D_i of Eq. 6 for every anchor i, or a wrong variant of it for each choice that is not the first."""
    logits = embeddings @ embeddings.T / (temperature if scaled else 1.0)
    per_class = []
    for i, row in enumerate(logits):
        others = torch.ones_like(labels, dtype=torch.bool)
        others[i] = not itself_excluded
        terms = []
        for k in labels.unique():
            members = others & (labels == k)
            if (classes == "others" and k == labels[i]) or not members.any():
                continue
            number = {
                "terms": int(members.sum()),
                "all of the class": int((labels == k).sum()),
                "all others": len(labels) - 1,
                "none": 1,
            }[divisor]
            inside = row[members].sum() / number
            terms.append(
                inside if average == "inside" else row[members].logsumexp(dim=0) - torch.tensor(number).log()
            )
        total = torch.stack(terms).logsumexp(dim=0)
        number_of_classes = {"added": 1, "averaged": len(terms)}.get(over_classes, int(labels.max()) + 1)
        per_class.append(total - torch.tensor(number_of_classes).log())
    answer = torch.stack(per_class)
    return answer if logarithm else answer.exp()


def _averaging(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(denominator_with, **variant))


CLASS_AVERAGED_DENOMINATOR = Exercise(
    name="class_averaged_denominator",
    task="the logarithm of each anchor's denominator in L1 (Eq. 6): every class of the batch counts as one.",
    arguments=("embeddings", "labels", "temperature"),
    returns="log D_i of every anchor, shape (n,)",
    reference=denominator_with,
    by_hand=Case(OPPOSITE_IN_WORDS, (*OPPOSITE, 1.0)),
    hidden=lambda: [case for case in _contrastive_cases("averaging") if "one sample" not in case.about],
    mistakes=(
        _averaging(
            "temperature forgotten",
            "Right at temperature 1 only: the temperature has no effect on your answer.",
            scaled=False,
        ),
        _averaging(
            "not averaged",
            "All samples are added up. Here a class of seven still weighs seven times as much as a class of one.",
            divisor="none",
        ),
        _averaging(
            "averaged over samples",
            "There is one mean over all samples together, so a large class still outweighs a small one. Each class has "
            "a mean of its own.",
            divisor="all others",
        ),
        _averaging(
            "anchor in its own class",
            "Other classes are right. In its own class the anchor meets itself, at similarity 1.",
            itself_excluded=False,
        ),
        _averaging(
            "own class divided by |B_y|",
            "Other classes are right. In the anchor's own class the sum is right, but how many terms does it have?",
            divisor="all of the class",
        ),
        _averaging(
            "averaged inside",
            "The mean is taken inside the exponential: that is L2 (Eq. 7), and smaller (Jensen). L1 takes it outside.",
            average="inside",
        ),
        _averaging(
            "averaged inside, with the anchor",
            "Two things at once: the mean is taken inside the exponential (that is L2, Eq. 7), and the anchor is one "
            "of the samples of its own class.",
            average="inside",
            itself_excluded=False,
        ),
        _averaging(
            "own class left out",
            "Only the other classes are in your denominator. Which classes does Eq. 6 sum over?",
            classes="others",
        ),
        _averaging(
            "classes averaged",
            "The mean within each class is right. How are the classes brought together?",
            over_classes="averaged",
        ),
        _averaging(
            "classes averaged, absent ones too",
            "The mean within each class is right. Then you take a mean over all class names, also those without a "
            "sample. How does Eq. 6 bring the classes together?",
            over_classes="averaged over all names",
        ),
        _averaging(
            "no logarithm",
            "This is the denominator. Asked for is its logarithm, which stays finite where the denominator does not.",
            logarithm=False,
        ),
    ),
)


# ---- class-complement


def complement_with(
    embeddings: Tensor,
    labels: Tensor,
    prototypes: Tensor,
    temperature: float,
    *,
    scaled: bool = True,
    contrast: Literal["all", "absent", "own", "none"] = "all",
    positive: bool = True,
    counted: Literal["with the prototype", "samples only"] = "with the prototype",
    as_anchors: bool = False,
    anchor_excluded: bool = True,
    total: Literal["mean", "sum", "mean over all samples"] = "mean",
    anchor_a_positive: bool = False,
) -> Tensor:
    """Eq. 1 over a batch that the prototypes joined, or a wrong variant for each choice that is not the first."""
    n, num_classes = len(labels), len(prototypes)
    keys = torch.cat([embeddings, prototypes])
    key_labels = torch.cat([labels, torch.arange(num_classes)])
    num_anchors = len(keys) if as_anchors else n
    logits = keys[:num_anchors] @ keys.T / (temperature if scaled else 1.0)

    same = key_labels[:num_anchors, None] == key_labels[None, :]
    itself = torch.eye(num_anchors, len(keys), dtype=torch.bool)
    is_prototype = (torch.arange(len(keys)) >= n).expand_as(same)
    absent = ~torch.isin(key_labels, labels)
    joins = {
        "all": is_prototype,
        "absent": is_prototype & absent,
        "own": is_prototype & same,
        "none": torch.zeros_like(same),
    }[contrast]
    in_denominator = ~is_prototype | joins
    if anchor_excluded:
        in_denominator = in_denominator & ~itself
    log_denominator = logits.masked_fill(~in_denominator, -torch.inf).logsumexp(dim=1)

    not_itself = torch.ones_like(itself) if anchor_a_positive else ~itself
    positives = same & not_itself & (~is_prototype | (joins if contrast == "absent" else positive))
    number = positives.sum(dim=1) - (counted == "samples only") * positive
    has_loss = number > 0
    attraction = logits.masked_fill(~positives, 0).sum(dim=1) / number.clamp(min=1)
    share = positives.sum(dim=1) / number.clamp(min=1)
    losses = torch.where(has_loss, share * log_denominator - attraction, 0)
    return losses.sum() / {"mean": int(has_loss.sum()), "sum": 1}.get(total, n)


def _complement_cases() -> list[Case]:
    def named(case: str, sizes: list[int], temperature: float) -> tuple[Any, ...]:
        z, y = batch(f"complement, {case}", sizes)
        return z, y, unit_vectors(f"prototypes, {case}", len(sizes), z.shape[1]), temperature

    z, y, c, _ = named("small temperature", [4, 0, 2], 0.01)
    z, y = _with_a_near_pair(z, y)
    return [
        Case("every class is in the batch", named("complete", [3, 3, 2], 1.0)),
        Case("not every class is in the batch", named("absent", [4, 0, 3, 0], 1.0)),
        Case("the temperature is 0.1", named("temperature", [5, 3, 0], 0.1)),
        Case("a class has one sample only", named("alone", [5, 3, 1], 0.5)),
        Case("the temperature is 0.01, in float32", (z.float(), y, c.float(), 0.01)),
    ]


def _complement(name: str, hint: str, **variant: Any) -> Mistake:
    return Mistake(name, hint, partial(complement_with, **variant))


CLASS_COMPLEMENT = Exercise(
    name="class_complement",
    task="the supervised contrastive loss of a batch that every class's prototype has joined, averaged over its "
    "samples.",
    arguments=("embeddings", "labels", "prototypes", "temperature"),
    returns="one number",
    reference=lambda z, y, c, temperature: class_complement_loss(z, y, c, temperature=temperature),
    by_hand=Case(
        "one sample of class 0 and its prototype are at 0°, the prototype of class 1 is at 180°, and the temperature "
        "is 1",
        (at(0), torch.tensor([0]), at(0, 180), 1.0),
    ),
    hidden=_complement_cases,
    mistakes=(
        _complement(
            "temperature forgotten",
            "Right at temperature 1 only: the temperature has no effect on your answer.",
            scaled=False,
        ),
        _complement(
            "no prototypes",
            "This is the loss without prototypes: they have no effect on your answer.",
            contrast="none",
            positive=False,
        ),
        _complement(
            "contrast but no positive",
            "The prototypes repel, but none attracts. What is a prototype to the anchors of its own class?",
            positive=False,
        ),
        _complement(
            "contrast but no positive, all samples counted",
            "The prototypes repel, but none attracts, so an anchor that is alone in its class has no loss. What is a "
            "prototype to the anchors of its own class?",
            positive=False,
            total="mean over all samples",
        ),
        _complement(
            "positive but no contrast",
            "The prototypes attract, but are not in the denominator. What are they to the anchors of other classes?",
            contrast="none",
        ),
        _complement(
            "own prototype only",
            "Each anchor meets its own class's prototype only. Whose absence from the batch is to be made up for?",
            contrast="own",
        ),
        _complement(
            "absent classes only",
            "Only the classes that are absent from the batch are complemented. Which classes' prototypes join?",
            contrast="absent",
        ),
        _complement(
            "prototypes as anchors",
            "The prototypes have losses of their own. Who is an anchor in class-complement?",
            as_anchors=True,
        ),
        _complement(
            "anchor in the denominator",
            "The denominator has one term too many. Does an anchor have to be told apart from itself?",
            anchor_excluded=False,
        ),
        _complement(
            "anchor never excluded",
            "The anchor is nowhere left out: it attracts itself, and stands in its own denominator.",
            anchor_excluded=False,
            anchor_a_positive=True,
        ),
        Mistake(
            "averaged over classes",
            "Your denominator is averaged per class: that is BCL (Eq. 9). Class-complement alone adds the prototypes "
            "as they are.",
            lambda z, y, c, temperature: balanced_contrastive_loss(z, y, c, temperature=temperature),
        ),
        _complement(
            "prototype not counted among positives",
            "The positives are the right ones, but their number is not. How many are there with the prototype?",
            counted="samples only",
        ),
        _complement(
            "sum",
            "Each anchor's loss is right. How are the anchors brought together?",
            total="sum",
        ),
    ),
)
