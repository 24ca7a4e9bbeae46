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
# **When some classes have fifty times fewer pictures than others, who pays, and what does a balanced contrastive loss
# give back?**
#
# You will cut a long tail into a small data set, watch ten class means find their places on a sphere, and compare
# four losses on the classes that have many, some and few training images. Everything is trained here, on your
# machine, while you watch.
#
# *Two minutes of computing on two CPU cores, half an hour of reading. You need PyTorch's vocabulary and nothing of
# contrastive learning. The paper is Zhu et al., "Balanced Contrastive Learning for Long-Tailed Visual Recognition",
# CVPR 2022.*

# %%
import json
from dataclasses import replace
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
# not like that. Photographs of robins are easy to come by, those of rare orchids are not, and class sizes fall
# roughly exponentially. The paper keeps of class $k$ (of $K$)
#
# $$n_k = \lfloor n_{\max}\, \mathrm{IF}^{-k/(K-1)} \rfloor$$
#
# images, largest class first. The *imbalance factor* IF is the size of the largest class divided by that of the smallest;
# here $n_{\max}$ is 134, which every digit has. The test set stays balanced: every class counts alike when we judge.
# The field speaks of *many-shot* classes (more than 100 training images), *medium-shot* (20 to 100) and *few-shot*
# (fewer than 20).
#
# **Before you slide:** at IF = 50, how many of its 134 images does digit 9 keep?

# %%
digits = open_dataset("digits")
widgets.imbalance_slider(digits.train, imbalance_factor=10)

# %% [markdown]
# Slide it to 50, or look at the next figure, which is drawn for that value. (Rounding down leaves digit 9 two images, so
# that the true ratio is 67 : 1.)

# %%
head = int(digits.train.class_counts.min())
counts = exponential_profile(head, digits.num_classes, imbalance_factor=50)
assert counts[-1] == 2

figures.class_counts_bars(counts, shot_groups(counts), digits.class_names)

# %% [markdown]
# Two images of the digit 9 have to stand for every way of writing one. Here they are, at the right end:

# %%
subset = digits.train.select(long_tailed_subset(digits.train.labels, counts))
figures.image_columns(subset.images, subset.labels, digits.class_names)

# %% [markdown]
# ## 2. Who pays
#
# We train a small convolutional network with cross-entropy on this long tail, as everybody would. `RECIPES` holds what
# the project can train; a recipe is frozen, and `replace` makes a changed copy.
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
# The tail pays. The overall accuracy hides it as long as the test set looks like the training set; a balanced test set
# shows it. *Look at the right end: digit 9 is hardly ever recognised.* It is not harder to read than the others, as the
# next section will show by the way. It was only seen less often.
#
# ## 3. Class means that move
#
# A contrastive loss looks at the network from another side. Each image of a batch enters as *views*: copies that are
# shifted by a pixel, made lighter or darker and noisy, each by chance. The paper has three: $v_1$ for the classifier, $v_2$
# and $v_3$ for the contrastive loss (so that even a class with one image in the batch has two views there). A view becomes
# a point $z$ on the unit sphere, its *embedding*. The **supervised contrastive loss** (SCL) takes each in turn as an
# *anchor* $z_i$. With $B_y$ for the embeddings of the batch that have the anchor's class $y$, it asks that the similarity
# $z_i \cdot z_p$ to the others of $B_y$ be large compared to that to everything else:
#
# $$L_i = -\frac{1}{|B_y|-1}\sum_{p \in B_y \setminus \{i\}} \log
# \frac{\exp(z_i\cdot z_p/\tau)}{\sum_{k \neq i} \exp(z_i\cdot z_k/\tau)}$$
#
# The fraction is a softmax over all others $k$ of the batch: "which of them belongs with $z_i$?" The right answers
# are the *positives* $p$, the $|B_y|-1$ others of its class, and the loss averages over them. The product
# $z_i \cdot z_k$ of two unit vectors is the cosine of the angle between them. It is divided by the *temperature* $\tau$:
# the lower that is, the more the nearest points decide alone. (In the network, a small *projection head* makes the
# embedding from the features; its width is `head_dim` in the recipe. The classifier stands beside it on the same features
# and is trained at the same time, so that we can still ask for the accuracy.)
#
# So each class pulls its own points together and pushes all others away. With equally many images the pushes are in
# balance, and the *class means*, the means of each class's embeddings, spread out. In a sphere we can watch this happen: below, embeddings have three
# dimensions, so the picture is exact (the temperature is $\tau = 0.3$ here, so that classes keep pushing once they are
# apart; the paper's 0.1 comes back in section 4).
#
# First the balanced case: 37 images of every digit, together as many as the long tail has. Each arrow is the mean of one
# digit's test images, drawn after every epoch. **Turn the sphere with the mouse while it trains.**

# %%
exact = recipe.change(method="scl", head_dim=3, temperature=0.3)
balanced = widgets.train_live(replace(exact, head_count=37, imbalance_factor=1))

# %% [markdown]
# Ten directions start in one bundle, and part. And this network reads nines as well as other digits:

# %%
of_nines = {"balanced": balanced, "long tail": cross_entropy}
of_nines = {name: run.last.evaluation.accuracy.per_class[9] for name, run in of_nines.items()}
print(
    f"test accuracy on nines: {of_nines['balanced']:.0f} % from 37 of them, {of_nines['long tail']:.0f} % from 2"
)
assert of_nines["balanced"] > of_nines["long tail"] + 50

# %% [markdown]
# Now the same number of images with a long tail: 134 zeros, 2 nines. **Before you run it:** where will the five
# smallest classes (thin, orange) go? And the largest?

# %%
assert abs(sum(cross_entropy.class_counts) - sum(balanced.class_counts)) <= 5  # equally much to learn from
long_tailed = widgets.train_live(exact)

# %% [markdown]
# Let us measure what we see: the mean cosine between the five largest classes, and between the five smallest.
# 1 means the same direction, 0 a right angle, below 0 more than that.


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
# With equal counts neither half is much tighter than the other. With a long tail the large classes took the room, and
# the small ones ended up together on one side. That is what the sums in the loss suggest: a class is pushed away by
# every sample of the others, and two nines have few to push back with. Here is the film of that run again. *Press play,
# and look at the orange arrows: do they ever part?*

# %%
long_tailed.film("Class means with a long tail", every=3)

# %% [markdown]
# ## 4. What balancing changes
#
# **Balanced contrastive learning** (BCL) changes two things. *Class-averaging*: in that denominator the terms of each
# class are averaged, so that a class pushes once, however many images it has. *Class-complement*: every class adds a
# learned unit vector to the batch, its *prototype*, so that no class is ever absent from it.
#
# The paper trains the classifier and the contrastive loss together, as a sum $\lambda L_{LC} + \mu L_{BCL}$ with
# $\lambda = 2$ and $\mu = 0.6$ (as does our recipe). The classifier's cross-entropy $L_{LC}$ is *logit-compensated*: it adds the log
# of a class's share of the training set to its logit while training, which by itself already helps the tail. To see
# what the contrastive part adds, we must compare four losses, and not two:
#
# | name | classifier | contrastive loss |
# |---|---|---|
# | cross-entropy | plain | none |
# | compensated | logit-compensated | none |
# | SCL | logit-compensated | supervised contrastive |
# | BCL | logit-compensated | balanced contrastive |
#
# From here on with the recipe's own values: $\tau = 0.1$, and embeddings in 32 dimensions. **Before you run the cell:**
# put the four in order of few-shot accuracy.

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
# Another seed would have drawn other initial weights, and another order. `benchmarks/digits_seeds.py` trained each
# of the four with ten seeds; its results are stored with the project. How large is the difference between two seeds of
# one method, compared with that between two methods?

# %%
stored = Path("../results/digits-lt-seeds/runs.jsonl").read_text().splitlines()
rows = [json.loads(line) for line in stored]
names = {"ce": "cross-entropy", "lc": "compensated", "scl": "SCL", "bcl": "BCL"}
seeds = {name: [row for row in rows if row["loss"] == loss] for loss, name in names.items()}

figures.shot_group_bars(seeds, title="Ten seeds of each")

# %% [markdown]
# *Look at the dots before the bars.* Two seeds of one method lie up to sixteen points apart on the few-shot digits, so
# compare seed by seed: all four started from the same ten.

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
# Every seed gains from logit compensation, twelve points on average. Neither contrastive loss adds to that *on these
# digits*. The paper finds that they do on CIFAR-100-LT (its Table 2: 50.8 % compensated, 52.4 % with SCL, 53.9 % with
# BCL). Ten easy classes with a test set of 400 images are no place to see such differences.
#
# But accuracy is not all there is to see.
#
# ### The geometry tells them apart
#
# Ten directions are as far apart as can be when all their cosines are $-1/9$: the *regular simplex*. Here are the
# cosines between the class means of SCL and BCL, from head (top left) to tail (bottom right): orange where two classes
# are nearer to each other than that, blue where they are further apart. **Before you look:** in which corner will the two
# differ most?

# %%
means = {name: runs[name].means_by_epoch[-1] for name in ("SCL", "BCL")}
cosines = {name: cosine_matrix(of) for name, of in means.items()}
figures.cosine_heatmap(cosines, counts, digits.class_names)

# %% [markdown]
# *Look at the bottom right quarter, digits 5 to 9:* it is paler under BCL. One run is an anecdote here, too, so ask the
# ten seeds, and not only for this quarter: their `simplex_deviation` says how far all the cosines are from $-1/9$
# (notebook 03 defines it).

# %%
for name in means:
    print(f"{name}, digits 5-9: this run {mean_cosine(means[name][5:]):.2f}, ten seeds", end=" ")
    print(sorted(round(row["tail_cosine"], 2) for row in seeds[name]))

assert mean_cosine(means["BCL"][5:]) < mean_cosine(means["SCL"][5:])
assert wins("tail_cosine", "SCL", "BCL")[0] == 10
assert wins("simplex_deviation", "SCL", "BCL")[0] == 10

# %% [markdown]
# In every one of ten seeds BCL holds the tail's class means further apart (mean cosine 0.48 against 0.65), and the ten
# classes as a whole nearer to the regular simplex. *Both are still far from it:* balancing helps, and does not finish the job. Why not,
# and what the theorems do and do not promise, is what the later notebooks are about.
#
# ## In one paragraph
#
# Trained on a long tail, a network serves the classes it has seen often: cross-entropy left the few-shot digits some
# thirty points behind. A supervised contrastive loss spreads balanced classes over the sphere, but with a long
# tail the large classes take the room and the small ones are pushed into one corner. Averaging per class and adding
# prototypes (BCL) opens that corner, measurably and in every seed. On these easy digits that did not change accuracy:
# what helped the tail was compensating the logits for the class sizes. A better geometry and a better accuracy are two
# claims, and each needs its own evidence.
#
# ## Exercises
#
# **A checked one first.** You looked at many cosines between class means. Compute them yourself from embeddings and
# labels: `check` tries your function on hidden cases and names the kind of mistake.


# %%
def class_mean_cosines(embeddings, labels):
    """Cosines between the class means, shape (K, K)."""
    ...  # return a matrix


check("class_mean_cosines", class_mean_cosines)

# %% [markdown]
# 1. **Where is the limit?** Train cross-entropy at an imbalance factor of 1, 10 and 100 (`recipe.change(method="ce",
#    imbalance_factor=...)`). At which factor do the few-shot digits fall below 50 %? *Careful: the number of images
#    falls, too. How would you tell the two effects apart? Section 3 did.*
# 2. **A sphere for BCL.** Repeat the live run with `loss="bcl"`. Do the five smallest classes part? Try three seeds
#    before you answer.
# 3. **One change at a time.** The loss `"scl-averaging"` has only class-averaging, `"scl-complement"` only the
#    prototypes. Which of the two opens the tail's corner of the cosine matrix? Predict, then measure `mean_cosine` of
#    digits 5 to 9.
# 4. **Ten on a circle.** On a circle (`head_dim=2`) ten classes can at best be 36° apart. Watch a balanced run. What do
#    classes do that have no room, and which digits end up as neighbours?
