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
# Long-Tailed Visual Recognition", CVPR 2022. You will compute every claim yourself, slide every assumption, and see
# where the paper is right, where it is silent, and where it is wrong.
#
# *Less than a minute of computing, five minutes of reading. You need Python and PyTorch's vocabulary: tensor, loss,
# gradient, batch. You need nothing of contrastive learning.*

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
# classes have room to be equally far from each other: a tetrahedron, which is called a *regular simplex*.
#
# Below are four classes at the exact minimum of the **supervised contrastive loss** (SCL), which pulls each class
# together and pushes the others away. The *imbalance factor* is the size of the largest class divided by that of the
# smallest: at 1 all four have a thousand images, at 1000 they have a thousand, a hundred, ten and one. (Each image counts
# twice: a contrastive loss sees two changed copies of it.) Nothing was trained: each position is a minimum that was
# solved for, with a proof that nothing else is lower. It is *certified*.
#
# **Before you press play:** which classes will give way to which?

# %%
figures.bending_simplex()

# %% [markdown]
# The two classes with the fewest images, 2 and 3, end up next to each other, although there is room for all. *Drag the
# sphere to look from behind.* In numbers, for the last position of the slider:

# %%
counts = exponential_profile(1000, num_classes=4, imbalance_factor=1000)
bent = certified_optimum(2 * counts, "scl", temperature=0.5)  # two copies of each image
cosines = bent.gram.triu(diagonal=1)  # between the means of every two classes

print(
    f"{counts.tolist()} images: classes 2 and 3 are {cosines[2, 3].acos().rad2deg():.0f}° apart, 109° in a tetrahedron"
)
assert bent.certified
assert cosines[2, 3] == cosines.max() > 0.7  # no two classes are nearer to each other

# %% [markdown]
# That a class is rare should be no reason to be confused with another rare one. The paper proposes **balanced
# contrastive learning** (BCL) against it. What it changes, what it repairs and what it does not is what the notebooks
# are about.
#
# ## 2. Is everything there?
#
# The check looks at versions, device and data, and takes a few training steps to see how fast this machine is. Where
# something is missing, the line says what to do. The notebooks need no GPU and no download.

# %%
check_installation()

# %% [markdown]
# ## 3. The map
#
# In this order each notebook finds what it needs in earlier ones; the last column says in which.

# %%
Markdown(course_map(read_course()))

# %% [markdown]
# **How to read one.** Each begins with a question. Before a result there is a prediction to make: write it down, since
# to be wrong is what one remembers. Cells are short, and every claim of the text is asserted in code beside it: a cell
# that runs through has proved its claim on your machine. At the end there are one paragraph that says it all, and
# exercises. Where an exercise asks for code, `check` runs what you wrote and names the kind of mistake; solutions are in
# [solutions](solutions/README.md). What you have passed is remembered:

# %%
progress()

# %% [markdown]
# **How to run one.** *Shift+Enter* runs a cell. The square button stops a long one; a training that was stopped goes on
# when its cell is run again. If a slider no longer answers (a broken link appears beside it), the kernel was restarted:
# run the cell again. The play button and the slider of a film, such as the one above, answer the mouse only; on the pages
# that `make site` writes, Tab reaches them, Enter plays, and the arrow keys move them.
#
# **What a symbol means.** The [glossary](glossary.md) has each symbol of the paper, its name in the code, and the
# notebook that introduces it. The *simplex explorer* is the picture above with everything to slide: the loss, the
# temperature, the number of classes, the size of mini-batches. It opens [notebook 07](07_simplex_distortion.ipynb), and
# `python -m bcl_edu.course.widgets.explorer explorer.html` writes it as a page that needs no Python.
#
# ## In one paragraph
#
# Long-tailed data bend what a network learns: rare classes are pushed together, and a balanced test set shows what that
# costs. The course takes this apart step by step, in code that you can run and change. Go on with
# [01_first_look](01_first_look.ipynb).
