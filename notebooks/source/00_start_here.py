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
# # Start here
#
# **A training set has a thousand pictures of one class and one of another. What does that do to what a network learns,
# and what can a loss do about it?**
#
# This course follows one paper from its first picture to its last table: Zhu et al., "Balanced Contrastive Learning for
# Long-Tailed Visual Recognition", CVPR 2022. You will check its claims by computation, vary its assumptions, and see
# where the paper is right, where it is silent, and where it is wrong.
#
# *Less than a minute of computing, ten minutes of reading. You need Python and PyTorch's vocabulary: tensor, loss,
# gradient, batch. No contrastive learning is assumed.*

# %%
from IPython.display import Markdown

from bcl_edu.course import figures
from bcl_edu.course.exercises import progress
from bcl_edu.course.outline import course_map, read_course
from bcl_edu.data import exponential_profile
from bcl_edu.geometry import certified_optimum
from bcl_edu.installation import check_installation

# %% [markdown]
# ## 1. What it is about, in one moving picture
#
# A network turns each image into a point on a sphere, and the mean of a class's points says where the class is. Four
# classes can all be equally far from each other: they form a tetrahedron, the *regular simplex* of four points.
#
# Below are four classes at the exact minimum of the **supervised contrastive loss** (SCL), which pulls each class
# together and pushes the others away. The *imbalance factor* is the size of the largest class divided by that of the
# smallest: at 1 all four have a thousand images, at 1000 they have a thousand, a hundred, ten and one. Nothing was
# trained: each frame is a *certified* minimum, computed together with a proof that no arrangement has a lower loss.
#
# **Before you press play:** which classes will move towards each other?

# %%
figures.bending_simplex()

# %% [markdown]
# The two classes with the fewest images end up next to each other, although there is room for all. In numbers, for the
# last position of the slider:

# %%
counts = exponential_profile(1000, num_classes=4, imbalance_factor=1000)
bent = certified_optimum(2 * counts, "scl", temperature=0.5)  # the loss sees two changed copies of each image
cosines = bent.gram.triu(diagonal=1)  # between the means of every two classes

print(
    f"{counts.tolist()} images: the two rarest are {cosines[2, 3].acos().rad2deg():.0f}° apart, 109° in a tetrahedron"
)
assert bent.certified
assert cosines[2, 3] == cosines.max() > 0.7  # no two classes are nearer to each other

# %% [markdown]
# Two classes should not be confused just because both are rare. The paper proposes **balanced contrastive learning**
# (BCL) against this. The notebooks show what it changes, what it repairs, and what it does not.
#
# ## 2. Is everything there?
#
# The check looks at versions, device and data, and takes a few training steps to see how fast this machine is. If
# something is missing, its line says what to do. The notebooks need no GPU and no download.

# %%
check_installation()

# %% [markdown]
# ## 3. The map
#
# Each notebook relies only on earlier ones; the last column names them. The minutes of reading include the predictions,
# but not the exercises. Allow ten to twenty minutes for each checked exercise, and up to an hour for an open one.

# %%
Markdown(course_map(read_course()))

# %% [markdown]
# **How to read one.** Each notebook begins with a question. Before a result you are asked for a prediction: write it
# down, because we remember what we got wrong. Cells are short, and what the text says about a result is asserted in the
# cell that computes it. (An assert checks this one computation. Where a statement is meant for all cases, there is a
# proof.) Each notebook ends with a one-paragraph summary and exercises. Where an exercise asks for code, `check` runs
# what you wrote and names many common mistakes; solutions are in [solutions](solutions/README.md). The exercises that you
# have passed are remembered:

# %%
progress()

# %% [markdown]
# **How to run one.** *Shift+Enter* runs a cell. [help.md](help.md) explains the rest: stopping, sliders, films, what to
# do if something no longer responds, and how to keep your answers when the project is updated.
#
# **What a symbol means.** The [glossary](glossary.md) has each symbol of the paper, its name in the code, and the
# notebook that introduces it. The *simplex explorer* is the picture above with sliders for everything: the loss, the
# temperature, the number of classes, the size of mini-batches. It opens [notebook 07](07_simplex_distortion.ipynb), and
# `python -m bcl_edu.course.widgets.explorer explorer.html` writes it as a page that needs no Python.
#
# ## In one paragraph
#
# A long tail bends what a contrastive loss asks for: rare classes are pushed together. The course takes this apart step by
# step, in code that you can run and change. Go on with
# [01_first_look](01_first_look.ipynb).
