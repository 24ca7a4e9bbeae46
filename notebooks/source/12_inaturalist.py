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
# Class-complement adds all prototypes. Who pushes an anchor then?**
#
# You compute how many classes a batch holds, estimate by counting how much of the push comes from classes that are
# present only as a prototype, and measure it. Then you see what 8,142 prototypes cost.
#
# *Less than a minute of computing, 20 minutes of reading. You need notebook 05 and notebook 06 for the losses, and
# notebook 11 for batches of many classes. `docs/photographs.md` explains how to prepare the photographs and train.*

# %%
from dataclasses import replace

import torch
from IPython.display import Markdown
from scipy.optimize import brentq

from bcl_edu import report
from bcl_edu.course import figures
from bcl_edu.course.exercises import check
from bcl_edu.course.many_classes import untrained_branches
from bcl_edu.rows import ROWS, provenance

# %% [markdown]
# ## 1. The row
#
# It differs from that of ImageNet-LT in the learning rate (0.2 instead of 0.1), the weight decay (1e-4 instead of 5e-4) and the number
# of epochs. Labels of the test images were never published, so everybody, the paper included, tests on the validation set.

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
# *Look how quickly the line falls:* on this curve the largest class has 1,000 images, and half of the classes have 13 or
# fewer.

# %%
expected = (1 - (1 - counts / counts.sum()) ** B).sum()
print(f"{counts.sum():,.0f} images; classes in a batch of {B}: {expected:.0f} of {K:,} ({expected / K:.1%})")
assert 0.9 * B < expected < B

# %% [markdown]
# Three classes in a hundred, nearly all of them with one image. For *supervised contrastive learning* this leaves
# little: an anchor whose class has no other image in the batch has its own second view as its only positive, and it is pushed
# by the classes that happen to be there. Class-complement adds all prototypes, so every other class pushes.
#
# ## 3. Who pushes? Counting
#
# With class-averaging every class contributes one term to the denominator. So count: of the classes that push an anchor,
# what share is present only as a prototype?

# %%
generator = torch.Generator().manual_seed(0)
drawn = torch.multinomial(counts, B, replacement=True, generator=generator)
present, y = drawn.unique(return_inverse=True)
absent = K - len(present)
counted = absent / (K - 1)
print(
    f"{len(present)} classes in this batch; {absent:,} are there as a prototype only: {counted:.1%} of the others"
)
assert counted > 0.95

# %% [markdown]
# So for this data set the prototypes *are* the loss, if each class pushes equally hard. How hard a class pushes is its share of
# the denominator, which grows exponentially with its similarity to the anchor.
#
# ## 4. Who pushes? Measuring
#
# Take the first batch of training: an untrained network with the heads of the row, in training mode, because that is where the
# loss is computed. (The images are digits and the backbone is the small one, so the numbers are not those of photographs.)
#
# **Before you run the cells:** are the images of a batch nearer to each other than to the prototypes, or further away?
# And what share of the push will come from absent classes at temperature 10, and at the row's 0.07?

# %%
z, c = untrained_branches(row.recipe, num_classes=K)
labels = y.repeat(2)  # of the rows of z; the present classes are the prototypes 0, 1, ..., absent ones follow
same_class = labels[:, None] == labels
cosines = {
    "images of different classes": (z @ z.T)[~same_class],
    "an image and a prototype": (z @ c.T).flatten(),
}
for name, values in cosines.items():
    print(f"{name:28} mean cosine {values.mean():.2f}")
assert cosines["images of different classes"].mean() > cosines["an image and a prototype"].mean() + 0.2


# %%
def absent_part(temperature):
    """Share of the push on an anchor that comes from classes without an image, averaged over the anchors."""
    of_images, of_prototypes = (z @ z.T / temperature).exp(), (z @ c.T / temperature).exp()
    terms = of_prototypes.index_add(1, labels, of_images)  # of each class: its prototype and its images
    push = terms / (1 + torch.bincount(labels, minlength=K))  # class-averaging
    push[torch.arange(len(z)), labels] = 0  # the anchor's own class does not repel it
    return (push[:, len(present) :].sum(dim=1) / push.sum(dim=1)).mean().item()


shares = {tau: absent_part(tau) for tau in (10.0, 1.0, 0.3, 0.1, row.recipe.method.temperature)}
for tau, share in shares.items():
    print(f"temperature {tau:5}: {share:.0%} of the push comes from absent classes")
assert abs(shares[10.0] - counted) < 0.01
assert shares[row.recipe.method.temperature] < 0.4 < 0.9 < shares[0.3]

# %% [markdown]
# At a high temperature counting is right: 97 %. At the row's $\tau = 0.07$ it is far off: absent classes account for a
# sixth. The images of a batch all come through the same projection head and lie on one side of the sphere, with cosines
# around 0.3, while the prototypes come through another head and are nearly orthogonal to them. A difference of 0.3
# between two cosines, divided by 0.07, is a factor of $e^{4.3} \approx 70$: a present class weighs as much as dozens of
# absent ones, and pairs that are nearer than average weigh even more. Three classes in a hundred hold five sixths of the
# push here.
#
# That is the first step. How the shares change during training depends on how prototypes and images move towards
# each other, and nobody has measured it on this data set with this code. What counting does say: without
# class-complement, the 97 % of classes that are absent would not push at all.
#
# ## 5. What that costs
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
# ## 6. Next to the paper
#
# Nobody has trained these rows with this code yet, so the figures are the paper's alone (a dash: a row that it does not
# have).

# %%
results = report.build_report(["../results"], all_tables=True)
tables = {title: lines for title, lines in results.tables.items() if "iNaturalist" in title}
Markdown(report.as_markdown(replace(results, tables=tables, own=[], apart=[])))

# %% [markdown]
# ## In one paragraph
#
# With thirty times as many classes as images in a batch, nearly every class is absent. Class-complement lets absent classes
# push through their prototypes. By counting, 97 % of the push should come from them. Measured at the first
# step, on digits in place of photographs, it is a sixth: at a low temperature nearness counts for more than number, and images start nearer to
# each other than to the prototypes. The prototypes make the matrix of similarities seventeen times as large, which is still small beside the
# backbone.
#
# ## Exercises
#
# **1. The share of absent classes.** Write the measurement of section 4 for a single anchor, from its similarities to
# the classes and to the prototypes. *Counting classes is right only if all similarities are alike.* `present[k]` is
# true if class $k$ has an image in the batch; `to_classes`, `to_prototypes` and `present` have shape (K,).


# %%
def share_of_absent(to_classes, to_prototypes, own, present, temperature):
    """Share of the repulsion that comes from classes without an image in the batch."""
    ...  # return a number


check("share_of_absent", share_of_absent)

# %% [markdown]
# **2. How large a batch?** For which batch size does half of the *classes* have an image in the batch? Use `counts` of section
# 2. Is there a GPU that could hold it?
#
# **3. Where the images matter.** The attraction is an average over the other view, further images of the class, and the
# prototype (Eq. 9). For an anchor that is alone in its class, which share of the attraction is the prototype's?
#
# **4. Evaluation mode.** Compute the shares with the network in evaluation mode (copy `untrained_branches` and leave out
# `.train()`, or call `.eval()`). Why is the result different, and why is it not the one that counts?
