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
# # ImageNet-LT: one batch, four GPUs
#
# **A thousand classes, batches of 256 photographs, and four GPUs that take 64 each. Is the mean of four losses the loss
# of the batch?**
#
# For cross-entropy it is. You will see how many classes a batch and its parts hold, and what becomes of SCL and of BCL if
# each GPU computes its own loss.
#
# *Less than a minute of computing, 20 minutes of reading. You need notebook 10 and the losses of notebook 01b.
# `docs/photographs.md` explains how to check the data, train, stop, continue and use several GPUs; nothing is trained
# here.*

# %%
import math
from dataclasses import replace

import torch
from IPython.display import Markdown
from sklearn.datasets import load_sample_image
from torch.nn.functional import interpolate

from bcl_edu import losses, report
from bcl_edu.augment import batched_views, view_policy
from bcl_edu.course import figures
from bcl_edu.course.exercises import check
from bcl_edu.course.many_classes import untrained_branches
from bcl_edu.data import pareto_profile
from bcl_edu.rows import ROWS, provenance

# %% [markdown]
# ## 1. The row
#
# The paper trains ResNet-50 and ResNeXt-50 (32x4d) for 90 epochs, and the latter also for 180. **Before you run the
# cell:** what will differ from CIFAR's recipe besides the network?

# %%
row = ROWS["imagenet-lt-resnet50-bcl"]
print(row.title)
Markdown(provenance(row))

# %% [markdown]
# The classifier is a cosine classifier (its logits are scaled cosines), λ is 1 instead of 2, μ is 0.35 instead of 0.6, τ
# is 0.07, and the learning rate falls along a cosine. And the long tail is not cut by us: it is given by two published
# lists of files (Liu et al., CVPR 2019), so the recipe says `profile as-found`, and a run records the hash of the list.
#
# $v_1$ is a random part of the photograph with colour jitter and RandAugment; $v_2$ and $v_3$ are SimAugment. Here they are for
# two photographs that come with scikit-learn, at 64 pixels instead of 224. **Before you look:** a crop may keep as little as
# 8 % of the area. Would you recognise the object in every view?


# %%
def square(name, size):
    """The middle of a photograph, reduced: bytes (3, size, size)."""
    image = torch.tensor(load_sample_image(name)).permute(2, 0, 1)
    side = min(image.shape[1:])
    left = (image.shape[2] - side) // 2
    return interpolate(image[None, :, :side, left : left + side].float(), size=size, mode="area")[0].byte()


photographs = torch.stack([square(name, 64) for name in ("china.jpg", "flower.jpg")])
policy = view_policy(row.recipe.views, image_size=64, crop_scale=row.recipe.crop_scale)
views = batched_views(policy, photographs, seeds=[3, 4]).transpose(0, 1)
figures.view_columns(photographs, views, ["temple", "flower"])

# %% [markdown]
# ## 2. Who is in a batch?
#
# ImageNet-LT has 115,846 training images: 1,280 of the largest class, 5 of the smallest. Its counts were drawn from a
# Pareto distribution; the profile of that name comes close. **Before you run the cell:** how many of the thousand classes do
# you expect in a batch of 256, and how many in a quarter of it?

# %%
counts = pareto_profile(1280, num_classes=1000, imbalance_factor=256)
print(f"{int(counts.sum()):,} images, from {int(counts.max()):,} down to {int(counts.min())}")
figures.class_profiles({"Pareto, 1,280 to 5": counts}, title="A thousand classes")

# %%
share = counts / counts.sum()
expected = {size: (1 - (1 - share) ** size).sum() for size in (256, 64)}
for size, number in expected.items():
    print(f"{size} images: {number:.0f} classes expected")

torch.manual_seed(0)
labels = torch.multinomial(share, 256, replacement=True)
again = (torch.bincount(labels, minlength=1000)[labels] > 1).float().mean()
print(f"{again:.0%} of the images of one batch have another image of their class in it")
assert 180 < expected[256] < 220 > 3 * expected[64]

# %% [markdown]
# A batch holds about a fifth of the classes. For more than half of its images the only positive is their own
# second view.
#
# ## 3. Four losses or one
#
# Now the embeddings of such a batch, from an untrained network with the heads of the row, in training mode, as the loss
# sees them. (The images are digits, in place of photographs.) **Before you run the cell:** four GPUs hold 64 images
# each and average their losses. Will the mean be above the loss of the whole batch, below it, or equal? For SCL, and for BCL?

# %%
z, c = untrained_branches(row.recipe, num_classes=1000)
y = labels.repeat(2)  # v2 of all images, then v3
parts = [
    torch.arange(first, first + 64).repeat(2) + torch.tensor([0] * 64 + [256] * 64)
    for first in range(0, 256, 64)
]
tau = row.recipe.method.temperature


def scl(rows):
    """SCL of some rows of the batch."""
    return losses.supervised_contrastive_loss(z[rows], y[rows], temperature=tau).item()


def bcl(rows):
    """BCL of some rows of the batch, with all prototypes."""
    return losses.balanced_contrastive_loss(z[rows], y[rows], c, temperature=tau).item()


found = {}
for name, loss in {"SCL": scl, "BCL": bcl}.items():
    whole, separate = loss(torch.arange(512)), sum(map(loss, parts)) / 4
    found[name] = whole - separate
    print(f"{name}: {whole:.3f} for the batch, {separate:.3f} as the mean of four parts")
print(f"log 4 = {math.log(4):.3f}")
assert abs(found["SCL"] - math.log(4)) < 0.3
assert 0.2 < found["BCL"] < 0.7 * found["SCL"]

# %% [markdown]
# For SCL they are different losses. An anchor in a part is compared with a quarter of the batch, so its denominator has a
# quarter of the terms, and the loss is lower by about $\log 4$. It also has fewer positives, and it is pushed by a
# quarter of the classes. BCL differs by half as much: its prototypes keep every class in every denominator, whatever the
# part holds. But the prototypes do not make up for all of the missing images; notebook 12 asks why.
#
# This project therefore gathers the embeddings of all GPUs before it computes the loss, with gradients, and a run on four GPUs is the
# run on one, up to rounding (`docs/many_gpus.md`). A program that lets each GPU compute its own loss trains something else, and
# what it trains depends on the number of GPUs.
#
# ## 4. Next to the paper
#
# The rows of ImageNet-LT (a dash is a row that the paper does not have), and what has been trained of them. Where
# nobody has trained a row with this code yet, the paper's figure stands alone. If you train it, your record will stand
# beside it.

# %%
results = report.build_report(["../results"], all_tables=True)
tables = {title: lines for title, lines in results.tables.items() if "ImageNet-LT" in title}
Markdown(report.as_markdown(replace(results, tables=tables, own=[], apart=[])))

# %% [markdown]
# ## In one paragraph
#
# With a thousand classes a batch of 256 images holds about two hundred, and each of four GPUs about sixty. A contrastive loss
# compares images with each other, so the mean of four losses on parts of a batch is not the loss of the batch: for SCL it is lower by
# about $\log 4$, for BCL by half of that, because prototypes stand in for absent classes. To train the paper's loss on several
# GPUs, gather the embeddings first.
#
# ## Exercises
#
# **1. The schedule.** The learning rate of the recipes for photographs falls along a cosine. Write it.


# %%
def cosine_schedule(step, steps, peak):
    """Learning rate at a step: `peak` at first, 0 at the end."""
    ...  # return a number


check("cosine_schedule", cosine_schedule)

# %% [markdown]
# **2. More GPUs.** Cut the batch into eight parts of 32. Predict the difference for SCL before you compute it. At which
# number of parts does BCL differ by as much as SCL at four?
#
# **3. Only the denominators.** In section 3 two things change in a part: the denominator and the positives. Keep the
# positives of the whole batch and take only the denominator from the part (write the loss as in notebook 01b). Which of the two
# explains the difference?
