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
# # A first look: what a long tail does
#
# **When some classes have fifty times fewer pictures than others, which ones does a network get wrong, and what does a
# balanced contrastive loss change?**
#
# You will cut a long tail into a small data set, watch ten class means find their places on a sphere, and compare
# four losses on classes with many, some and few training images. In JupyterLab everything is trained on your machine
# while you watch; where nothing can run, you see what was recorded.
#
# *Two minutes of computing on two CPU cores, 35 minutes of reading. You need PyTorch's vocabulary. No contrastive
# learning is assumed; how the losses are written and how they are trained is the subject of the next notebook.*

# %%
import json
from pathlib import Path

from bcl_edu.course import figures, widgets
from bcl_edu.course.exercises import check
from bcl_edu.data import exponential_profile, long_tailed_subset, open_dataset, shot_groups
from bcl_edu.geometry import cosine_matrix
from bcl_edu.training import RECIPES

# %% [markdown]
# ## 1. A long tail
#
# scikit-learn's digits are 8 × 8 pixels and balanced: about 140 training images of each digit. Real collections are
# not like that. Photographs of robins are easy to find, those of rare orchids are not, and class sizes fall
# roughly exponentially. Of class $k$ (of $K$) the paper keeps
#
# $$n_k = \lfloor n_{\max}\, \mathrm{IF}^{-k/(K-1)} \rfloor$$
#
# images, largest class first. The few large classes at the front are the *head* of the distribution, the many small ones
# its *tail*. The *imbalance factor* IF is the size of the largest class divided by that of the smallest; here $n_{\max}$
# is 134, because every digit has at least that many. The test set stays balanced, so that every class counts alike when
# we judge.
#
# Results are reported for three *shot groups*: *many-shot* classes have more than 100 training images, *medium-shot* classes
# 20 to 100, and *few-shot* classes fewer than 20.
#
# **Before you move the slider:** at IF = 50, how many of its 134 images does digit 9 keep?

# %%
digits = open_dataset("digits")
widgets.imbalance_slider(digits.train, imbalance_factor=10)

# %% [markdown]
# Move it to 50, or look at the next figure, which is drawn for that value. (Rounding down leaves digit 9 two images, so
# the true ratio is 67 : 1.)

# %%
head = int(digits.train.class_counts.min())
counts = exponential_profile(head, digits.num_classes, imbalance_factor=50)
assert counts[-1] == 2

figures.class_counts_bars(counts, shot_groups(counts), digits.class_names)

# %% [markdown]
# Two images of the digit 9 must represent every way of writing one. Here they are, at the right end:

# %%
subset = digits.train.select(long_tailed_subset(digits.train.labels, counts))
figures.image_columns(subset.images, subset.labels, digits.class_names)

# %% [markdown]
# ## 2. Which classes suffer
#
# We train a small convolutional network with cross-entropy on this long tail. A *recipe* holds every value that decides
# a training run; its method `change` returns a copy with other values.
#
# **Before you run the cell,** write down two numbers: the test accuracy on the many-shot digits, and on the few-shot
# digits. A random guess is right in 10 % of the cases.

# %%
description, recipe = RECIPES["digits-lt"]
print(description)
cross_entropy = widgets.train_quietly(recipe.change(method="ce"))
assert cross_entropy.class_counts.tolist() == counts.tolist()

last = cross_entropy.last.metrics
print({group: round(last[group], 1) for group in ("top1", "many", "medium", "few")})
assert last["few"] < last["medium"] - 15  # the claim of this section

# %%
figures.accuracy_by_class_count(
    {"cross-entropy": cross_entropy.last.evaluation.accuracy.per_class}, counts, digits.class_names
)

# %% [markdown]
# The tail suffers. A test set with the same long tail would hide it, because few of its images would be nines; a balanced
# test set shows it. *Look at the right end: digit 9 is hardly ever recognised.* Nines are not hard to read, as section 3
# will show. The network has seen only two of them.
#
# ## 3. Class means that move
#
# The classifier is the last layer of a network. The layers before it turn an image into numbers, its *features*, and a
# *contrastive loss* trains these directly. A small extra network maps the features of each image to a point on a sphere, its
# *embedding*, and the **supervised contrastive loss** (SCL) asks that embeddings of one class be near to each other and
# far from those of other classes. It has no classifier and no logits; it only compares points. (A classifier is
# trained beside it, so that we can still ask for the accuracy.)
#
# So each class pulls its own points together and pushes all others away. The *class means*, the means of each class's
# embeddings, show where the classes are. On a sphere we can watch them: below, embeddings have three dimensions, so the
# picture is exact.
#
# First the balanced case: 37 images of every digit, as many in all as the long tail has. Each arrow is the mean of one
# digit's test images, drawn after every epoch. **Turn the sphere while the arrows move.**

# %%
exact = recipe.change(
    method="scl", head_dim=3, temperature=0.3
)  # three dimensions; notebook 01b has the temperature
balanced = widgets.train_live(exact.change(head_count=37, imbalance_factor=1))

# %% [markdown]
# Ten directions start in one bundle, and most of them part. Arrows that hide one another however you turn
# the sphere belong to means of almost the same direction (labels keep apart). The nearest two are those of 5 and 9: their cosine rounds to 1.00,
# and one arrow hides the other. The network reads nines well all the same (its classifier sees the features, not the
# embeddings):

# %%
of_nines = {"balanced": balanced, "long tail": cross_entropy}
of_nines = {name: run.last.evaluation.accuracy.per_class[9] for name, run in of_nines.items()}
print(
    f"test accuracy on nines: {of_nines['balanced']:.0f} % from 37 of them, {of_nines['long tail']:.0f} % from 2"
)
assert of_nines["balanced"] > of_nines["long tail"] + 50

# %% [markdown]
# Now the same number of images with a long tail: 134 zeros, 2 nines. The film of notebook 00 showed the minima of a loss
# for four classes, without any training. **Before you run it:** will a network do the same with ten classes, after thirty
# epochs? Which classes (thin and orange: the smallest) will end up together?

# %%
assert abs(sum(cross_entropy.class_counts) - sum(balanced.class_counts)) <= 5  # as many images in all
long_tailed = widgets.train_live(exact)

# %% [markdown]
# Let us measure what we see: the mean cosine between the five largest classes, and between the five smallest. 1 means the
# same direction, 0 a right angle, a negative number a larger angle.


# %%
def mean_cosine(means):
    """Mean cosine between the means of different classes."""
    off_diagonal = cosine_matrix(means).triu(1)
    return float(off_diagonal.sum()) / (len(means) * (len(means) - 1) / 2)


bundle, parted = (mean_cosine(balanced.means_by_epoch[epoch]) for epoch in (0, -1))
print(f"balanced, all ten digits: {bundle:.2f} after the first epoch, {parted:.2f} after the last")
assert bundle > 0.5 > parted

# %%
halves = {}
for name, run in {"balanced": balanced, "long-tailed": long_tailed}.items():
    means = run.means_by_epoch[-1]
    large, small = halves[name] = mean_cosine(means[:5]), mean_cosine(means[5:])
    print(f"{name:12} digits 0-4: {large:5.2f}   digits 5-9: {small:5.2f}")

difference = {name: small - large for name, (large, small) in halves.items()}
assert difference["long-tailed"] > 0.2  # the claim of this section
assert abs(difference["balanced"]) < difference["long-tailed"] / 2

# %% [markdown]
# With equal counts neither half is much tighter than the other. With a long tail the large classes took most of the
# sphere, and the small ones ended up together on one side. Every image of a class pushes the other classes away, and two
# nines push little. The film below replays this run; this time watch the order of events. *Press play: which arrows leave
# the bundle first, the blue or the orange ones?*

# %%
long_tailed.film("Class means with a long tail", every=3)

# %% [markdown]
# The blue ones. The orange ones stay in their bundle long after the others have begun to part, and do not get far.
#
# ## 4. What balancing changes
#
# **Balanced contrastive learning** (BCL), the method of the paper, changes the contrastive loss so that every class pushes
# with the same weight, however many images it has, and so that no class is ever absent from a batch. It also changes the
# cross-entropy of the classifier: *logit compensation* takes the class sizes into account, which already helps the tail by
# itself. To see what the contrastive part adds, we must compare four losses, not two:
#
# | name | classifier's loss | contrastive loss |
# |---|---|---|
# | cross-entropy | cross-entropy | none |
# | compensated | logit-compensated | none |
# | SCL | logit-compensated | supervised contrastive |
# | BCL | logit-compensated | balanced contrastive |
#
# From here on embeddings have 32 dimensions. **Before you run the cell:** put the four in order of few-shot accuracy.

# %%
losses = {"compensated": "lc", "SCL": "scl", "BCL": "bcl"}
runs = {"cross-entropy": cross_entropy}
for name, loss in losses.items():
    runs[name] = widgets.train_quietly(recipe.change(method=loss))
    print(f"{name}: few-shot accuracy {runs[name].last.metrics['few']:.1f} %")

# %%
figures.shot_group_bars({name: [run.last.metrics] for name, run in runs.items()})

# %% [markdown]
# ### One run is an anecdote
#
# Another seed would have drawn other initial weights and another order of images. `benchmarks/digits_seeds.py` trained
# each of the four with ten seeds, and the results are stored with the project. How large is the difference between two seeds
# of one method, compared with that between two methods?

# %%
stored = Path("../results/digits-lt-seeds/runs.jsonl").read_text().splitlines()
rows = [json.loads(line) for line in stored]
names = {"ce": "cross-entropy", "lc": "compensated", "scl": "SCL", "bcl": "BCL"}
seeds = {name: [row for row in rows if row["loss"] == loss] for loss, name in names.items()}

figures.shot_group_bars(seeds, title="Ten seeds of each")

# %% [markdown]
# *Look at the dots before the bars.* Two seeds of one method lie up to sixteen points apart on the few-shot digits. All
# four methods used the same ten seeds, so we compare them seed by seed.

# %%
few = {name: [row["few"] for row in of_method] for name, of_method in seeds.items()}
assert max(max(values) - min(values) for values in few.values()) == 16


def wins(quantity, first, second):
    """In how many of the ten seeds the first method has the larger value, and by how much on average."""
    pairs = zip(seeds[first], seeds[second], strict=True)
    gaps = [one[quantity] - other[quantity] for one, other in pairs]
    return sum(gap > 0 for gap in gaps), sum(gaps) / len(gaps)


# %%
for first, second in [("compensated", "cross-entropy"), ("SCL", "compensated"), ("BCL", "compensated")]:
    won, gap = wins("few", first, second)
    print(f"few-shot: {first} above {second} in {won} of 10 seeds, by {gap:+.1f} points on average")

assert wins("few", "compensated", "cross-entropy")[0] == 10
assert abs(wins("few", "SCL", "compensated")[1]) < 2  # no difference that ten seeds could show
assert abs(wins("few", "BCL", "compensated")[1]) < 2

# %% [markdown]
# Every seed gains from logit compensation, 12.5 points on average. What a contrastive loss adds to that *on these digits*
# is too little for ten seeds to show. The paper finds a gain on CIFAR-100-LT (its Table 2: 50.8 % compensated, 52.4 %
# with SCL, 53.9 % with BCL). Ten easy classes with a test set of 400 images are not the place to look for such
# differences. (Notebook 13 has ten more runs of three of these rows, from a later version of the code. Rounding makes
# them differ from these, and the means differ by up to half a point: one more reason not to read much into small
# differences.)
#
# ### The geometry tells them apart
#
# Ten directions are as far apart as they can all be when every cosine between two of them is $-1/9$; notebook 03 proves it
# and calls this arrangement the *regular simplex*. Here are the cosines between the class means of SCL and BCL, from head (top left) to tail
# (bottom right): magenta where two classes are nearer to each other than that, teal where they are further apart. **Before
# you look:** in which corner will the two differ most?

# %%
means = {name: runs[name].means_by_epoch[-1] for name in ("SCL", "BCL")}
cosines = {name: cosine_matrix(of) for name, of in means.items()}
figures.cosine_heatmap(cosines, counts, digits.class_names)

# %% [markdown]
# *Look at the bottom right quarter, digits 5 to 9:* it has less colour under BCL. One run is an anecdote here as well, so we ask
# the ten seeds, and not only about this quarter: `simplex_deviation` says how far all the cosines are from $-1/9$ (below, an
# assertion compares it).

# %%
for name in means:
    print(
        f"{name}, mean cosine of digits 5-9: this run {mean_cosine(means[name][5:]):.2f}, ten seeds", end=" "
    )
    print(sorted(round(row["tail_cosine"], 2) for row in seeds[name]))

assert mean_cosine(means["BCL"][5:]) < mean_cosine(means["SCL"][5:])
assert wins("tail_cosine", "SCL", "BCL")[0] == 10
assert wins("simplex_deviation", "SCL", "BCL")[0] == 10

# %% [markdown]
# In each of ten seeds BCL holds the tail's class means further apart (mean cosine 0.48 against 0.65), and all ten
# classes nearer to the regular simplex. *Both are still far from it.* The later notebooks ask why, and what the
# theorems of the paper do and do not promise.
#
# ## In one paragraph
#
# A network trained on a long tail does well on the classes that it has seen often: cross-entropy left the few-shot
# digits thirty to forty points behind. A supervised contrastive loss spreads balanced classes over the sphere, but with
# a long tail the large classes take most of it and the small ones are pushed into one corner. BCL opens that corner,
# measurably and in every seed. On these easy digits it made no change in accuracy that ten seeds could show: what
# helped the tail was compensating the logits for the class sizes. A better geometry and a better accuracy are two
# claims, and each needs its own evidence.
#
# ## Exercises
#
# **1. Cosines between class means.** Compute what the last figure shows, from embeddings and labels. `check` runs your function
# on hidden cases and says what *kind* of mistake it makes; solutions are in [solutions](solutions/README.md).


# %%
def class_mean_cosines(embeddings, labels):
    """Cosines between the class means, shape (K, K)."""
    ...  # return a matrix


check("class_mean_cosines", class_mean_cosines)

# %% [markdown]
# **2. Where is the limit?** Train cross-entropy at an imbalance factor of 1, 10 and 100 (`recipe.change(method="ce",
# imbalance_factor=...)`). At which factor do the few-shot digits fall below 50 %? *Careful: the number of images
# falls as well. How would you tell the two effects apart? Section 3 did.*
#
# **3. A sphere for BCL.** Repeat the live run with `exact.change(method="bcl")`. Do the five smallest classes part? Try three seeds
# before you answer.
#
# **4. Ten on a circle.** On a circle (`head_dim=2`) ten classes can at best be 36° apart. Watch a balanced run. Which
# digits end up as neighbours, and do all ten find a place of their own?
