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
# # iNaturalist 2018: eight thousand species
#
# **8,142 classes, 437,513 photographs, and a batch of 256. Nearly every class is missing from nearly every batch.
# What is left of a contrastive loss, and what do prototypes change?**
#
# Here the two ideas of balanced contrastive learning meet their hardest case. You compute how many classes a batch
# holds, who pushes whom then, and what a loss over 8,142 prototypes costs. Then you walk from the official
# annotations to a trained model, as in notebook 11.
#
# *A minute of computing, 25 minutes of reading. You need notebook 05 and notebook 06 for the losses, and notebook
# 11 for the way. With a GPU and the data on disk, the cells train the whole row. Everywhere else they train a small
# network on a small part, or on digits in iNaturalist's format; every picture says which.*

# %%
from dataclasses import replace

import torch
from IPython.display import Markdown
from scipy.optimize import brentq

from bcl_edu import geometry, report
from bcl_edu.course import figures, widgets
from bcl_edu.course.exercises import check
from bcl_edu.data.check import check_dataset
from bcl_edu.rows import ROWS, provenance
from bcl_edu.training.data import prepare_data
from bcl_edu.training.estimate import estimate
from bcl_edu.training.metrics import shot_confusion
from bcl_edu.training.preview import one_of_each, preview_views
from bcl_edu.training.scale import plan_run

# %% [markdown]
# ## 1. The row
#
# **Before you run the cell:** ImageNet-LT is trained with a learning rate of 0.1 and weight decay 5e-4. In which
# direction would you change them for eight times as many classes?

# %%
row = ROWS["inaturalist2018-resnet50-bcl"]
print(row.title)
Markdown(provenance(row))

# %% [markdown]
# ## 2. Who is in a batch?
#
# The counts of the real data run from 1,000 down to 2. To compute with them before you have the data, take a curve
# with the published ends and the published number of classes; only its shape between is ours (a plain exponential one
# gives three times as many images as there are, so we bend it until the sum is right).
#
# **Before you run the cell:** of 8,142 classes, how many do you expect among the 256 images of a batch?

# %%
K, B, total = 8142, 256, 437_513


def bent(power):
    """Counts from 1,000 to 2 that fall the faster the smaller the power is."""
    position = torch.linspace(0, 1, K, dtype=torch.float64)
    return 1000 * 500 ** -(position**power)


print(f"images on the plain exponential curve: {bent(1).sum():,.0f}")
power = brentq(lambda power: (bent(power).sum() - total).item(), 0.05, 1.0)
counts = bent(power).round()
assert abs(counts.sum() / total - 1) < 0.01
assert counts.median() == 13
figures.class_profiles({"iNaturalist 2018's ends, shape ours": counts.long()}, title="8,142 classes")

# %% [markdown]
# *Look how soon the line is low:* on this curve the largest class has 1,000 images, and half of the classes have 13 or
# fewer.

# %%
expected = (1 - (1 - counts / counts.sum()) ** B).sum()
print(f"{counts.sum():,.0f} images; classes in a batch of {B}: {expected:.0f} of {K:,} ({expected / K:.1%})")
assert 0.9 * B < expected < B

# %% [markdown]
# Three classes in a hundred, nearly all of them with one image. For *supervised contrastive learning* this leaves
# little: an anchor whose class has no other image in the batch is paired with its own second view only, and is pushed
# by the classes that happen to be there. *Class-complement* adds all prototypes. **Before you run the cell:** after
# it, and with class-averaging, what share of the repulsion comes from classes of which no image is in the batch?

# %%
generator = torch.Generator().manual_seed(0)
drawn = torch.multinomial(counts, B, replacement=True, generator=generator)
present, y = drawn.unique(return_inverse=True)
absent = K - len(present)
print(f"{len(present)} classes in this batch; {absent:,} are there as a prototype only")
share = absent / (K - 1)  # every other class has one say, and all similarities are alike at the start
print(f"their share of the repulsion at the start of training: {share:.1%}")
assert share > 0.95

# %% [markdown]
# So for this data set, *class-complement is the loss*: 97 % of what pushes an anchor comes from classes that are there
# as a prototype only, and the images of other classes are a rounding error. Let us not take the formula's word for it.
# The same with 100 classes, small enough to compute every pair: a batch of eight images of eight classes, two views
# alike, and the embeddings of different classes and all prototypes orthogonal to each other.

# %%
small_y = torch.arange(8).repeat(2)
z = torch.eye(8 + 100, dtype=torch.float64)[:8].repeat(2, 1)
c = torch.eye(8 + 100, dtype=torch.float64)[8:]
shares = geometry.gradient_shares(z, small_y, c, loss="bcl", temperature=0.1)
print(f"an anchor of class 0 is pushed by classes without an image with {shares[0, 8:].sum():.1%}")
assert abs(shares[0, 8:].sum() - (100 - 8) / 99) < 1e-6

# %% [markdown]
# That is $92/99$, as the count of classes says.
#
# ## 3. What that costs
#
# The similarities of a batch with all prototypes are a matrix of $2B \times (2B + K)$ numbers. **Before you run the
# cell:** how many megabytes, and how many more than without prototypes?

# %%
with_prototypes, without = 2 * B * (2 * B + K) * 4 / 1e6, 2 * B * 2 * B * 4 / 1e6
print(
    f"{with_prototypes:.1f} MB with, {without:.1f} MB without: {with_prototypes / without:.0f} times as much"
)
assert 15 < with_prototypes / without < 20

# %% [markdown]
# Seventeen times as much, and still small beside the activations of a ResNet-50 (gigabytes). The loss of this project
# keeps one such matrix and no second one (`benchmarks/loss.py`).
#
# ## 4. Is everything there?
#
# iNaturalist publishes annotations in JSON. Labels of the test images were never published, so the validation set is
# what everybody, the paper included, tests on.

# %%
print(check_dataset("inaturalist2018"))

# %%
plan = plan_run(row.recipe, "../runs")
data = prepare_data(plan.recipe, plan.options)
print(plan.note)
print(
    f"{len(data.train):,} training images, {len(data.test):,} test images, {data.train.num_classes} classes"
)
figures.class_profiles({plan.note.split(":")[0].rstrip("."): data.class_counts}, look_at=plan.note)

# %%
preview = preview_views(plan.recipe, data, one_of_each(data, classes=3))
figures.view_columns(preview.images, preview.views, preview.names, look_at=plan.note)

# %% [markdown]
# ## 5. What it costs, and the run
#
# As in notebook 11: an estimate from a few steps, the run, what its images were taken for, and where its class means are.

# %%
expected = estimate(plan.recipe, plan.options, seconds=5)
print(expected.table())

# %%
run = widgets.watch_run(plan.recipe, plan.options, note=plan.note)

# %%
assert run.finished, "the run was stopped: run the cell above once more"
assert run.metrics[-1]["epoch"] == plan.recipe.epochs
assert run.record["data"]["lists"]["train"]["as_published"] == plan.whole
shares = shot_confusion(run.evaluation.predictions, data.test.labels, data.class_counts)
figures.shot_confusion(shares, look_at=plan.note)

# %%
figures.training_curves({plan.recipe.method.name: run.metrics}, "simplex_deviation", look_at=plan.note)

# %% [markdown]
# All class means in one point are 1.11 from the simplex of ten classes: a reduced run hardly moves.
#
# ## 6. Next to the paper
#
# A dash under *ours*: nobody has trained that row with this code yet.

# %%
results = report.build_report(["../results"], all_tables=True)
tables = {title: lines for title, lines in results.tables.items() if "iNaturalist" in title}
Markdown(report.as_markdown(replace(results, tables=tables, apart=[])))

# %% [markdown]
# ## In one paragraph
#
# With thirty times as many classes as images in a batch, the images hardly see each other: nearly all repulsion that
# an anchor feels after class-complement and class-averaging comes from prototypes. The loss is then close to a
# classifier on the unit sphere whose weights are the prototypes, made from the rows of the classifier proper. It costs seventeen
# times the similarities of the images alone, and that is still small change beside the backbone. Reproducing 71.8 % takes the
# photographs, a GPU and some days; from the annotations to the report every step has been walked here.
#
# ## Exercises
#
# **A checked one first.** Most classes have no image in the batch. Which share of an anchor's repulsion comes from
# their prototypes? *Counting classes answers it only if all similarities are alike.*


# %%
def share_of_absent(to_classes, to_prototypes, own, present, temperature):
    """Share of the repulsion that comes from classes without an image in the batch."""
    ...  # return a number


check("share_of_absent", share_of_absent)

# %% [markdown]
# 1. **How large a batch?** For which batch size does half of the repulsion come from classes that have an image in
#    the batch? Use `counts` of section 2. Is there a GPU that could hold it?
# 2. **One say each.** In section 2 every class pushes alike, head or tail. Compute with `loss="scl"` and the labels
#    `y` who pushes without class-averaging and prototypes. How many images of the ten largest classes are in the
#    batch?
# 3. **Where the images matter.** The attraction is an average over the other view, further images of the class, and the
#    prototype (Eq. 9). For an anchor that is alone in its class, which share of the attraction is the prototype's?
