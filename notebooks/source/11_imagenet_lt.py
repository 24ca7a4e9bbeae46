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
# # ImageNet-LT: a thousand classes from lists of files
#
# **115,846 photographs of 1,000 classes, the largest with 1,280, the smallest with 5. What has to be right before a
# run of several GPU-days may begin, and what comes out?**
#
# At this size mistakes are expensive: a list that does not belong to the images, a few truncated files, an evaluation
# that crops differently. So most of this notebook happens before training. You check the data, look at the views,
# learn what the run would cost here, and walk the whole way once on a small scale, with the real formats.
#
# *A minute of computing, 25 minutes of reading. You need notebook 10, where each step is explained; here we look at
# what is different. With a GPU and ImageNet on disk, the cells train the whole row. Everywhere else they train a
# small network on a small part, or on digits written as JPEG files in ImageNet's format; every picture says which.*

# %%
from dataclasses import replace

from IPython.display import Markdown

from bcl_edu import report
from bcl_edu.course import figures, widgets
from bcl_edu.course.exercises import check
from bcl_edu.data import shot_groups
from bcl_edu.data.check import check_dataset
from bcl_edu.rows import ROWS, provenance
from bcl_edu.training.data import prepare_data
from bcl_edu.training.estimate import estimate
from bcl_edu.training.metrics import shot_confusion
from bcl_edu.training.preview import one_of_each, preview_views
from bcl_edu.training.scale import plan_run

# %% [markdown]
# ## 1. Choose a row
#
# The paper trains ResNet-50 and ResNeXt-50 (32x4d) for 90 epochs, and the latter also for 180. **Before you run the
# cell:** what differs from CIFAR's recipe besides the network? Think of the schedule, of λ and μ, and of the
# classifier.

# %%
for name, row in ROWS.items():
    if row.recipe.dataset == "imagenet-lt" and row.recipe.method.name == "bcl":
        print(f"{name:38} the paper: {row.paper or 'no figure'}")

row = ROWS["imagenet-lt-resnet50-bcl"]
Markdown(provenance(row))

# %% [markdown]
# The long tail is not cut by us here: the lists *are* the data set (Liu et al., CVPR 2019), so the recipe says
# `profile as-found`. The classifier is a cosine classifier, λ is 1 instead of 2, μ is 0.35 instead of 0.6, and the
# learning rate falls along a cosine.
#
# ## 2. Is everything there?
#
# `python -m bcl_edu.data check imagenet-lt --data-dir ...` answers that before the first GPU hour. It compares
# the lists with the published counts, looks for every listed file, names the first ten that are missing, and with
# `--decode` reads every image. What it says on the machine that ran this notebook:

# %%
print(check_dataset("imagenet-lt"))

# %% [markdown]
# The lists can be fetched (`prepare imagenet-lt --download`, 9 MB); the photographs cannot, they need an account at
# image-net.org. A list is accepted only if its counts are the published ones, or if you name it yourself with
# `--train-list` and `--test-list`; then the record says that it is not the published one.
#
# ## 3. What is trained here

# %%
plan = plan_run(row.recipe, "../runs")
data = prepare_data(plan.recipe, plan.options)
print(plan.note)
print(
    f"{len(data.train):,} training images, {len(data.test):,} test images, {data.train.num_classes} classes"
)
groups = shot_groups(data.class_counts)
title = f"{plan.note.split(':')[0].rstrip('.')}: training images of each class"
figures.class_counts_bars(data.class_counts, groups, data.train.class_names, title=title)

# %% [markdown]
# Unlike CIFAR's, these images stay on disk: a list of paths and labels is in memory, worker processes decode and
# augment, and bytes travel to the device, where they are normalised.
#
# ## 4. The views
#
# $v_1$ is a random resized crop with colour jitter and RandAugment; $v_2$ and $v_3$ are SimAugment. The paper also
# tries RandAugment in the contrastive branch (`--views sim-rand`, `rand-rand`). **Before you look:** which of the
# three views would you still recognise?

# %%
preview = preview_views(plan.recipe, data, one_of_each(data, classes=3))
figures.view_columns(preview.images, preview.views, preview.names, look_at=plan.note)

# %% [markdown]
# A crop may keep as little as 8 % of the area: now and then a view shows nothing that would let you tell the class.
# Evaluation is kinder, and must be the same for everybody: resize the short side to 256, cut out the centre of 224
# (here in proportion).
#
# ## 5. What it costs
#
# Measured on a few steps of the plan, decoding and augmenting included. With workers the step waits only for what
# they cannot deliver in time; on a GPU that wait is the first thing to look at.

# %%
expected = estimate(plan.recipe, plan.options, seconds=5)
print(expected.table())

# %% [markdown]
# ## 6. Train, stop, continue
#
# The same cell as in notebook 10: it trains, or continues, or loads. On several GPUs the command is `torchrun
# --nproc-per-node 4 -m bcl_edu.train imagenet-lt-resnet50-bcl --data-dir ...`; the 256 images of a batch are then
# shared out, and the loss is still that of the whole batch, since a contrastive loss of four batches of 64 would be
# another loss (`docs/many_gpus.md`).

# %%
run = widgets.watch_run(plan.recipe, plan.options, note=plan.note)

# %%
assert run.finished, "the run was stopped: run the cell above once more"
assert run.metrics[-1]["epoch"] == plan.recipe.epochs
assert run.record["data"]["lists"]["train"]["as_published"] == plan.whole
shares = shot_confusion(run.evaluation.predictions, data.test.labels, data.class_counts)
figures.shot_confusion(shares, look_at=plan.note)

# %% [markdown]
# (Notebook 10 says how to read these bars. After the few steps of a reduced run they say nothing about the loss.)
#
# The record knows what was trained on: the hash of the list's lines, and whether the list is the published one.

# %%
facts = run.record["data"]
print(
    f"{facts['dataset']}: {facts['training_images']:,} training images, {facts['test_images']:,} test images"
)
for split, found in facts["lists"].items():
    print(f"{split} list {found['file']}, as published: {found['as_published']}")
print("subset", facts["subset_sha256"][:12])
figures.training_curves({plan.recipe.method.name: run.metrics}, "simplex_deviation", look_at=plan.note)

# %% [markdown]
# *Where on this axis are you?* All class means at one point have distance $1 + 1/(K-1)$ from the simplex, which is
# 1.11 for ten classes. A few dozen steps hardly leave it; that the whole run leaves it is for the whole run to show.
#
# ## 7. Next to the paper
#
# The rows of ImageNet-LT, and what has been trained of them:

# %%
results = report.build_report(["../results"], all_tables=True)
tables = {title: lines for title, lines in results.tables.items() if "ImageNet-LT" in title}
Markdown(report.as_markdown(replace(results, tables=tables, apart=[])))

# %% [markdown]
# A dash under *ours* means what it says: nobody has trained that row with this code yet. If you do, your record will
# stand there.
#
# ## In one paragraph
#
# ImageNet-LT is two lists and a tree of photographs. Before a long run, check that the three belong together, that
# every image can be read, and that the subset's hash is the one others have. The recipe differs from CIFAR's in
# schedule, weights, classifier and views, and each difference is named. What this notebook trained on a laptop shows
# that the way from the list to the report works; it shows nothing about accuracy.
#
# ## Exercises
#
# **A checked one first.** The learning rate of the photographs' recipes falls along a cosine. Write it.


# %%
def cosine_schedule(step, steps, peak):
    """Learning rate at a step: `peak` at first, 0 at the end."""
    ...  # return a number


check("cosine_schedule", cosine_schedule)

# %% [markdown]
# 1. **Break it.** Overwrite one training image of a copy of the tree with a few letters, and train. What does the run
#    say, and when? What changes with `--unreadable-images replace`, and which line of the record tells a reader that
#    it happened?
# 2. **Two crops.** Compare `crop_scale` (0.08, 1) with (0.2, 1) in section 4 for ten images. In how many of the views
#    do you lose the object?
# 3. **One batch on four GPUs.** With 64 images a GPU, how many classes of a thousand are in one GPU's share, and how
#    many in the whole batch? Use `data.class_counts` of the real lists if you have them. What would class-averaging
#    average over if each GPU computed its own loss?
