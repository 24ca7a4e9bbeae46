"""Other logits and classifiers on a finished run; values chosen on held-out images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from bcl_edu.after_training import (
    Asked,
    Outputs,
    choose,
    linear_probe,
    logits_as_trained,
    mean_class_accuracy,
    nearest_neighbour_logits,
    shifted_logits,
    target_frequencies,
)
from bcl_edu.data.fake_trees import write_practice_tree
from bcl_edu.evaluate import evaluate_checkpoint, main
from bcl_edu.rows import RECIPES
from bcl_edu.run_options import RunOptions
from bcl_edu.training.data import prepare_data
from bcl_edu.training.loop import train
from tests.methods.harness import built, digits, options

COUNTS = torch.tensor([100, 10, 1])
LOGITS = torch.tensor([[2, 0.5, -1], [0.3, 1.2, 0.1], [1, 0.9, 0.7], [-0.4, 0.2, 1.5]], dtype=torch.float64)


# ---- the prior


def test_pc_softmax_is_the_posterior_under_uniform_classes() -> None:
    posterior = shifted_logits(LOGITS, COUNTS, 1.0).softmax(dim=1)[2]
    assert posterior.tolist() == pytest.approx([0.0118863386, 0.1075520394, 0.8805616220], abs=1e-10)


def test_an_exponent_of_the_other_sign_makes_the_logits_that_logit_adjustment_trains() -> None:
    labels = torch.tensor([0, 0, 1, 2])
    found = [
        functional.cross_entropy(shifted_logits(LOGITS, COUNTS, -exponent), labels).item()
        for exponent in (0.0, 1.0, 1.5)
    ]
    assert found == pytest.approx([0.7799822005, 1.4181394709, 2.1839076984], abs=1e-10)


def test_the_training_prior_as_target_and_no_shift_change_no_prediction() -> None:
    prior = COUNTS / COUNTS.sum()
    back = shifted_logits(LOGITS, COUNTS, 1.0, prior)
    torch.testing.assert_close(back, LOGITS, atol=1e-6, rtol=1e-6)
    assert torch.equal(shifted_logits(LOGITS, COUNTS, 0.0), LOGITS)


def test_the_prior_of_tau_normalisation_lies_in_the_logits_that_were_trained() -> None:
    """Not in those of the normalised rows, from which the trained lengths and the bias are gone."""
    method = built(digits("tau-norm", tau=1.0))
    with torch.no_grad():
        features = torch.randn(5, method.feature_dim)
        outputs = Outputs(features, method.logits(features), torch.arange(5))
        trained = method.classifier(features)
    torch.testing.assert_close(logits_as_trained(outputs, method), trained)
    assert not torch.allclose(outputs.logits, trained, atol=1e-3)
    other = built(digits("ce"))
    assert logits_as_trained(outputs, other) is outputs.logits


def test_target_frequencies_fall_or_rise_along_the_training_counts() -> None:
    counts = torch.tensor([5, 500, 50])
    falling, rising = target_frequencies(counts, 100.0), target_frequencies(counts, 0.01)
    assert falling.tolist() == pytest.approx([1 / 111, 100 / 111, 10 / 111])
    assert rising.tolist() == pytest.approx([100 / 111, 1 / 111, 10 / 111])


# ---- classifiers on features


def two_clouds(number: int) -> Outputs:
    """Features of two classes at right angles, nine of the first for one of the second."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.arange(number) % 10 == 0).long()
    centres = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    features = centres[labels] + 0.05 * torch.randn(number, 2, generator=generator)
    return Outputs(features, torch.zeros(number, 2), labels)


def test_both_classifiers_tell_separate_classes_apart() -> None:
    bank, test = two_clouds(100), two_clouds(30)
    votes = nearest_neighbour_logits(test.features, bank, 2, 5)
    assert mean_class_accuracy(votes, test.labels) == 100.0
    probe = linear_probe(bank, 2, 1e-3)
    assert mean_class_accuracy(probe.logits(test.features), test.labels) == 100.0


def test_votes_are_those_of_the_loop_over_neighbours() -> None:
    bank, test = two_clouds(20), two_clouds(3)
    found = nearest_neighbour_logits(test.features, bank, 2, 4)
    for row, votes in zip(test.features, found, strict=True):
        cosines = functional.cosine_similarity(row[None], bank.features)
        expected = [0.0, 0.0]
        for at in sorted(range(20), key=lambda i: -float(cosines[i]))[:4]:
            expected[int(bank.labels[at])] += float((cosines[at] / 0.07).exp())
        assert votes.tolist() == pytest.approx(expected, rel=1e-4)


def test_more_neighbours_than_images_are_refused() -> None:
    with pytest.raises(ValueError, match="21 nearest neighbours"):
        nearest_neighbour_logits(two_clouds(3).features, two_clouds(20), 2, 21)


def test_every_class_has_the_same_weight_in_the_probe() -> None:
    """Features without information: the balanced optimum is the uniform prediction, whatever the counts."""
    bank = Outputs(torch.zeros(50, 3), torch.zeros(50, 2), (torch.arange(50) < 5).long())
    probe = linear_probe(bank, 2, 1e-3)
    assert probe.bias.softmax(dim=0).tolist() == pytest.approx([0.5, 0.5], abs=1e-4)


# ---- choosing


def test_the_first_of_the_best_values_is_chosen_by_the_mean_over_classes() -> None:
    labels = torch.tensor([0, 0, 0, 1])
    right = functional.one_hot(labels, 2).double()
    head_only = torch.tensor([[1.0, 0.0]] * 4)
    assert mean_class_accuracy(head_only, labels) == 50.0
    logits = {0.0: head_only, 1.0: right, 2.0: right}
    assert choose((0.0, 1.0, 2.0), lambda value: logits[value], labels) == (1.0, 100.0)


def test_images_that_are_held_out_are_of_the_long_tail_and_not_trained_on() -> None:
    whole = prepare_data(digits("ce"), RunOptions())
    parted = prepare_data(digits("ce", val_fraction=0.2), RunOptions())
    assert parted.validation is not None
    assert len(parted.train) + len(parted.validation) == len(whole.train)
    counts = parted.train.class_counts + parted.validation.class_counts
    assert torch.equal(counts, whole.train.class_counts)
    assert parted.facts["class_counts"] == parted.train.class_counts.tolist()
    assert whole.facts.keys() <= parted.facts.keys()


# ---- the command


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("after") / "run"
    train(digits("tau-norm", tau=0.0, val_fraction=0.2), options(folder))
    return folder


def test_the_command_prints_each_option_beside_the_runs_own_figure(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = ["--device", "cpu", "--json"]
    asked = ["--tau-norm", "choose", "--prior-shift", "1", "--knn", "5", "--linear-probe", "0.001"]
    main([str(run), *quiet, *asked])
    found = json.loads(capsys.readouterr().out)
    tau, prior, knn, probe = found["after_training"]
    assert [row["option"] for row in (tau, prior, knn, probe)] == [
        "tau-norm",
        "prior-shift",
        "knn",
        "linear-probe",
    ]
    assert 0 <= tau["value"] <= 2
    assert "held out" in tau["chosen_on"]
    assert "chosen_on" not in prior
    main([str(run), "--device", "cpu", "--tau-norm", "0", "--prior-shift", "1", "--target-imbalance", "10"])
    text = capsys.readouterr().out
    assert f"tau-norm 0: top-1 {found['top1']:.2f}" in text  # the run's own tau
    assert "target imbalance 10" in text


def test_imagenet_lt_has_a_validation_list_to_choose_on(tmp_path: Path) -> None:
    tree = write_practice_tree("imagenet-lt", tmp_path / "tree", max_per_class=12, imbalance_factor=6)
    lines = tree.test_list.read_text().splitlines()
    (tree.folder / "ImageNet_LT_val.txt").write_text("\n".join(lines[::2]) + "\n")
    recipe = RECIPES["imagenet-lt-resnext50-tau-norm"][1].change(
        backbone="digits_net", image_size=32, epochs=1, batch_size=8, precision="float32"
    )
    lists = {"train": tree.train_list, "test": tree.test_list}
    places = {"data_dir": tree.folder, "train_list": lists["train"], "test_list": lists["test"]}
    train(recipe, options(tmp_path / "run", **places))
    asked = Asked(tau_norm="choose")
    found = evaluate_checkpoint(tmp_path / "run", tree.folder, "cpu", lists=lists, workers=0, asked=asked)[
        "after_training"
    ][0]
    assert found["chosen_on"] == f"the {len(lines[::2])} images of ImageNet_LT_val.txt"


def test_what_does_not_fit_is_refused(run: Path, tmp_path: Path) -> None:
    for bad in ({"tau_norm": "much"}, {"linear_probe": "0"}, {"target_imbalance": 2.0}, {"knn": 0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            Asked(**bad)  # type: ignore[arg-type]
    train(digits("ldam", epochs=1), options(tmp_path / "ldam"))
    with pytest.raises(ValueError, match="ldam"):
        evaluate_checkpoint(tmp_path / "ldam", device="cpu", asked=Asked(tau_norm="0.7"))
    with pytest.raises(ValueError, match="--val-fraction"):
        evaluate_checkpoint(tmp_path / "ldam", device="cpu", asked=Asked(prior_shift="choose"))


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_a_prior_has_the_digits_of_its_counts_in_half_precision(precision: torch.dtype) -> None:
    counts = torch.tensor([99_999, 1])  # more than float16 can count
    shifted = shifted_logits(torch.zeros(1, 2, dtype=precision), counts, 1.0)
    torch.testing.assert_close(shifted, -(counts / counts.sum()).log()[None], check_dtype=False)
