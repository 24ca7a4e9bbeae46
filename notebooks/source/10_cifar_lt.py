# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # CIFAR-LT: one row of the table, from the data to the report
#
# **The paper says 51.93 % on CIFAR-100-LT. What exactly was trained to get there, what would it cost you, and how would
# you know that you have reproduced it?**
#
# You choose a row of the tables, see its data and its three views, learn what it costs before you pay, train it, and
# look at what came out: which classes it serves, what it takes the others for, and where its class means are. At the
# end stand all runs that were really made, next to the paper's figures.
#
# *A minute of computing, half an hour of reading. You need notebook 01; the losses are those of notebooks 04 to 06.
# On a GPU with the data, the cells below train the whole row. Everywhere else they train the same loss on a small
# real subset, and every picture says so.*

# %%
from pathlib import Path

import torch
from IPython.display import Markdown

from bcl_edu import geometry, report
from bcl_edu.course import figures, widgets
from bcl_edu.course.exercises import check
from bcl_edu.data import exponential_profile, shot_groups
from bcl_edu.data.check import check_dataset
from bcl_edu.data.cifar import CIFAR
from bcl_edu.evaluate import evaluate_checkpoint
from bcl_edu.rows import ROWS, provenance
from bcl_edu.training import load_pretrained
from bcl_edu.training.data import prepare_data
from bcl_edu.training.estimate import estimate
from bcl_edu.training.metrics import shot_confusion
from bcl_edu.training.preview import one_of_each, preview_views
from bcl_edu.training.record import read_record
from bcl_edu.training.scale import plan_run

# %% [markdown]
# ## 1. Choose a row
#
# Every row of the paper's tables that is its own, and the baselines beside it, has a name; `python -m bcl_edu.train
# --list` shows them all. A row is a *recipe*, every value that decides the result, and the paper's figure. Which of the
# values does the paper state? Fewer than one would wish:

# %%
row = ROWS["cifar100-lt-if100-bcl"]
print(row.title)
Markdown(provenance(row))

# %% [markdown]
# What the paper does not say had to be chosen; each choice is a named option of the command, so that you can make it
# differently and say so. **Choose another row if you like**, `ROWS["cifar10-lt-if100-bcl"]` say, and run all cells
# again.
#
# ## 2. The data
#
# A long tail is cut into CIFAR's training set; the test set stays balanced. **Before you run the cell:** of 50,000
# training images, how many are left at an imbalance factor of 100, and how many classes are few-shot?

# %%
recipe = row.recipe
num_classes = {"cifar10": 10, "cifar100": 100}[recipe.dataset]
counts = exponential_profile(recipe.head_count, num_classes, recipe.imbalance_factor)
groups = shot_groups(counts)
print(f"{int(counts.sum()):,} images; classes: { {name: len(ids) for name, ids in groups.items()} }")
if (recipe.dataset, recipe.imbalance_factor) == ("cifar100", 100):
    assert int(counts.sum()) == 10_847

figures.class_counts_bars(
    counts, groups, title=f"{recipe.dataset} at imbalance factor {recipe.imbalance_factor:g}"
)

# %% [markdown]
# *Which* images of a class stay is decided by a seeded shuffle. Two runs can be compared only if they were trained on
# the same ones, so every record has the SHA-256 of the chosen indices, and the report refuses to mix subsets.
# (Differing subsets are a known source of unfair comparisons in this field.)
#
# Now for this machine. Are the data here? `python -m bcl_edu.data check cifar100 --data-dir ...` answers that before
# the first GPU hour:

# %%
print(check_dataset(recipe.dataset))

# %% [markdown]
# With a GPU and the data the plan is the row itself; else it is a part of it that says what it is.

# %%
plan = plan_run(recipe, "../runs")
data = prepare_data(plan.recipe, plan.options)
print(plan.note)
print(
    f"{len(data.train):,} training images, {len(data.test):,} test images, subset {data.facts['subset_sha256'][:12]}"
)
assert plan.recipe.method.name == recipe.method.name

# %% [markdown]
# If it trains on digits, the check above says where CIFAR was looked for and how to get it. Where you have it
# already, tell the cell, `plan_run(recipe, "../runs", data_dir="/where/it/is")`, or all notebooks at once with
# `BCL_EDU_DATA`; `data/README.md` shows what is understood.
#
# ## 3. Three views of an image
#
# A batch of $B$ images becomes $3B$ network inputs. The classifier learns from $v_1$, the contrastive loss from $v_2$
# and $v_3$. **Before you look:** why would the two branches want different augmentations?

# %%
preview = preview_views(plan.recipe, data, one_of_each(data, classes=4))
figures.view_columns(preview.images, preview.views, preview.names, look_at=plan.note)

# %% [markdown]
# The classifier is helped by strong changes that keep the object whole enough to name it. For the contrastive loss the
# changes *define the task*: two views are pulled together, so whatever differs between them (colour, crop) is what the
# embedding learns to ignore. Every view depends on the run's seed, the epoch and the image alone, so that a run resumed
# in the middle of an epoch sees what it would have seen.
#
# ## 4. What it costs
#
# Nobody should have to start a run to learn how long it takes. A few real steps on this machine, thrown away, and the
# rest is arithmetic; `python -m bcl_edu.train cifar100-lt-if100-bcl --dry-run` says the same of the whole row.

# %%
expected = estimate(plan.recipe, plan.options, seconds=5)
print(expected.table())
assert expected.steps == -(-len(data.train) // plan.recipe.batch_size)

# %% [markdown]
# ## 5. Train it
#
# The cell trains the plan. **The stop button saves and stops; run the cell again and it continues** from the same step
# to the same weights. If the run is already complete, it is loaded. A whole row lies in `runs/`, where the command line
# puts it too: train it in a terminal (`python -m bcl_edu.train` and the row's name), and this cell shows it. A reduced
# run is forgotten with its plan, so that nobody takes it for a result later.

# %%
run = widgets.watch_run(plan.recipe, plan.options, note=plan.note)

# %%
assert run.finished, "the run was stopped: run the cell above once more"
last = run.metrics[-1]
print({name: last[name] and round(last[name], 1) for name in ("top1", "many", "medium", "few")})
assert last["epoch"] == plan.recipe.epochs
if plan.whole or plan.recipe.dataset == "digits":  # three epochs on a part of CIFAR teach next to nothing
    assert last["top1"] > 2 * 100 / data.train.num_classes  # better than guessing, twice over

# %% [markdown]
# ## 6. Whom it serves
#
# **Before you look:** which classes lose most, and what are their images taken for?

# %%
per_class = {f"{plan.recipe.method.name}, last epoch": run.evaluation.accuracy.per_class}
figures.accuracy_by_class_count(per_class, data.class_counts, data.train.class_names, look_at=plan.note)

# %%
shares = shot_confusion(run.evaluation.predictions, data.test.labels, data.class_counts)
figures.shot_confusion(shares, look_at=plan.note)

# %% [markdown]
# *Look for blue, dotted parts ("taken for many-shot") in the lower bars.* A classifier with no habit would send its mistakes
# to the groups in proportion to their number of classes, whatever the true class; an excess of blue is the habit that
# logit compensation is there to remove. Too much orange means that it did more than that.
#
# ## 7. Where its class means are
#
# Balanced contrastive learning is about geometry, so we measure it in every epoch: the root-mean-square distance of the
# class means' cosines from the regular simplex. 0 is the simplex, and $1 + 1/(K-1)$, 1.11 for ten classes, is where a
# network starts: all class means in one point (notebooks 03 and 08).

# %%
figures.training_curves({f"{plan.recipe.method.name}": run.metrics}, "simplex_deviation", look_at=plan.note)

# %%
cosines = geometry.cosine_matrix(run.evaluation.class_means)
title = f"Cosines between class means on {plan.recipe.dataset}"
figures.cosine_heatmap(cosines, data.class_counts, data.train.class_names, title=title)

# %% [markdown]
# ## 8. What was really trained, next to the paper
#
# The run above is yours. These are the runs whose records are kept with the project, sorted into the paper's tables. A
# run counts for a row only if images, epochs, backbone and every value that the paper states are the row's; all others
# stand apart, with the reason. *Best* is the best epoch, chosen on the test set; only *last* is quoted.

# %%
results = report.build_report(["../results"])
Markdown(report.as_markdown(results))

# %% [markdown]
# Nobody must train to look at a trained network: small ones are kept with their records, as weights that hold nothing
# that could be executed. `bcl_edu.training.load_pretrained` gives the network itself; evaluated here, it must come to
# the figures of its record:

# %%
folder = Path("../results/digits-lt/bcl")
kept = evaluate_checkpoint(folder)
print({name: round(kept[name], 1) for name in ("top1", "many", "medium", "few")})
recorded = read_record(folder)["last"]
assert abs(kept["top1"] - recorded["top1"]) < 0.5  # another processor may round one of 400 images otherwise

# %% [markdown]
# The larger ones need CIFAR to be evaluated, but not to be looked at. BCL's prototypes are a function of the classifier's
# weights: a small network takes each class's weight vector to the sphere (notebook 06). So what BCL learned on
# CIFAR-10-LT about its ten classes lies in the weights. **Before you look:** which two classes will it hold least apart?

# %%
trained = load_pretrained("../results/cifar10-lt-60-epochs/bcl")
with torch.no_grad():
    prototypes = trained.method.prototypes()
cosines = geometry.cosine_matrix(prototypes)
figures.cosine_heatmap(
    cosines,
    trained.class_counts,
    CIFAR["cifar10"].class_names,
    title="Prototypes that BCL learned on CIFAR-10-LT",
)

# %%
between = cosines.fill_diagonal_(-1)
closest = divmod(int(between.argmax()), len(between))
print("closest:", *(CIFAR["cifar10"].class_names[k] for k in closest), f"({between.max():.2f})")
print(f"{geometry.simplex_deviation(prototypes).rms:.2f} from the regular simplex")
assert {CIFAR["cifar10"].class_names[k] for k in closest} == {"cat", "dog"}
assert (between > 0).sum() == 90  # all pairs, each counted twice

# %% [markdown]
# Cat and dog: the pairs that are least apart look alike, and the rarest classes are not among them. But all cosines are
# positive: after 60 epochs the ten prototypes still lie on one side of the sphere, about half way from one point to the regular
# simplex. It is one run, and it does not say what 200 epochs make of it.
#
# ## In one paragraph
#
# A row of the table is a recipe: data, views, loss, schedule and seed. Most of what decides a result can be stated in
# one page, and what the paper leaves open can be named and varied. Reproducing means training exactly that, on the
# same subset, to the last epoch, and printing what came out beside what was claimed, with the seeds. A run that
# differs in any of it may teach you something, but it is not that row.
#
# ## Exercises
#
# **A checked one first.** The three numbers after every accuracy (many / medium / few), from the accuracy of each
# class.


# %%
def shot_accuracy(class_accuracy, class_counts):
    """Accuracy of the many-, medium- and few-shot classes, shape (3,)."""
    ...  # return three numbers


check("shot_accuracy", shot_accuracy)

# %% [markdown]
# 1. **The habit of a classifier.** Train without compensation: `plan_run(recipe.change(method="ce"),
#    "../runs")` plans the same with plain cross-entropy, in a folder of its own. How do the blue parts of the
#    confusion change, and how does the first bar pay for the last?
# 2. **One seed is an anecdote.** Repeat section 5 with `dataclasses.replace(recipe, seed=1)` and `seed=2`. How large is
#    the spread of the accuracy, compared with the 1.5 points that separate SCL and BCL in the paper's Table 2?
# 3. **What is not compared.** In the last table, find a run that stands apart. Which single change to its command would
#    have made it count?
