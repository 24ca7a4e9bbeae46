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
# # What each method changes
#
# **The paper compares itself with 20 other methods. What does each of them touch, and what comes of it?**
#
# You see 34 methods in one picture, read a card for each, compare some on ten runs each, and combine two in one file.
#
# *Less than a minute of computing, 25 minutes of reading with three or four of the cards; all 34, and the exercise, take
# longer. You need notebook 01b for the method, notebook 02 for logit compensation, and notebook 13 for standard errors.*

# %%
import itertools
import statistics

import torch
from IPython.display import Markdown

from bcl_edu.course import figures, widgets
from bcl_edu.course.exercises import check
from bcl_edu.course.method_cards import method_card
from bcl_edu.course.method_parts import method_parts
from bcl_edu.course.method_runs import class_accuracies, difference, over_seeds, read_method_runs
from bcl_edu.data import exponential_profile

torch.set_num_threads(1)

# %% [markdown]
# ## 1. The field in one picture
#
# Cross-entropy (`ce`) shuffles the images, shows one view of each to a backbone with one linear layer, and trains it in one stage.
# A method for long tails can touch seven things: the *loss*; the *sampler*; the number of *views*; the *stages*; what is
# *memorised* between steps, such as queues and running means; the *network*; and the *prediction*, where logits are more than
# what the classifier says.
#
# **Before you run the cell:** which of the seven is touched most, and which least? How many of the other 33 leave the loss alone?

# %%
runs = read_method_runs("../results/digits-lt-methods")
parts = {name: method_parts(name) for name in runs}
figures.method_map(parts)

# %%
touched = {name: found.touched for name, found in parts.items()}
often = {what: sum(what in found for found in touched.values()) for what in figures.METHOD_COLUMNS}
same_loss = [name for name, found in touched.items() if "loss" not in found and name != "ce"]
print(often)
print("the loss is cross-entropy:", ", ".join(same_loss))

assert max(often, key=often.get) == "loss" and min(often, key=often.get) == "prediction"
assert same_loss == ["crt", "lws", "tau-norm", "tde"]
assert touched["bcl"] == {"loss", "views", "network"} and parts["bcl"].network == "in training"

# %% [markdown]
# The loss most, the prediction least. Four leave the loss alone: they change what comes after the features. The number in
# a mark counts views, stages or parts of the network. BCL's heads are squares: after training they are thrown away. *Look
# for diamonds*: they also cost something in use.
#
# Each method was built and asked: is its loss a multiple of cross-entropy on two random batches, does it have other
# parameters, do its logits depend on them, and which stages does it return?
#
# ## 2. A card for each
#
# A card has the formula, the idea, what the method touches, and what it did: ten runs on the long-tailed digits of
# notebook 01, under BCL's recipe with 15 epochs. Accuracies are in percent, mean ± standard deviation, in brackets the
# difference from cross-entropy; those of single digits are of six of the ten runs. The *simplex deviation* is that of
# the class means of the features. Read the cards that you are curious about; the others are there to look up.
# (`scl-complement`, `scl-averaging`, `bcl-inside`, `bcl-prototypes` and `bcl-class-anchors` have none: they are
# ablations of BCL, the matter of notebook 13.)
#
# $\varphi_k$ are logits, $P_k$ class shares, $n_k$ class counts, $f$ features, $w_k$ rows of the classifier, $z$ embeddings,
# $c_k$ prototypes, $A_i$ an anchor's positives, $\omega_k$ weights of classes, $t$ the epoch of $T$; other letters are constants
# or are learned. In `ce`, `lc`, `focal`, `cb-focal`, `scl` and the four of `bcl` $\lambda$ is the weight of the classifier's loss
# and is 2 in these runs, as in BCL's recipe. Other methods have weight 1, also those that begin with cross-entropy, such as
# `crt`, `tau-norm` and `tde`: the yardstick trains with twice their weight.
#
# **Before you read on:** most of the 33 were proposed for long tails (focal loss and supervised contrast were not). How many of
# them have a *lower* few-shot accuracy here than cross-entropy?


# %%
def cards(*names):
    """The cards of these methods, one below the other."""
    return Markdown("\n\n".join(method_card(name, parts[name], runs[name], runs["ce"]) for name in names))


cards("ce", "lc", "balanced-softmax", "lade")

# %%
cards("focal", "focal-detached", "focal-sigmoid", "cb-focal", "cb-focal-sigmoid")

# %%
cards("ldam", "ldam-drw", "metasaug")

# %% [markdown]
# What comes after the features is changed by:

# %%
cards("tau-norm", "crt", "lws", "disalign", "tde", "dro-lt")

# %% [markdown]
# Several branches or experts:

# %%
cards("bbn", "reslt", "ride")

# %% [markdown]
# Contrast, beside a classifier or before it:

# %%
cards("scl", "bcl", "bcl-in-log", "bcl-prior", "bcl-in-log-prior", "proco", "paco")

# %%
cards("hybrid-sc", "hybrid-psc", "kcl", "tsc", "ssp", "ssp-crt")

# %% [markdown]
# ## 3. Class by class
#
# Accuracies of single digits were kept in six of the ten seeds; the gains below are means of those six.

# %%
classes = {name: class_accuracies(of_method) for name, of_method in runs.items()}
gains = {
    name: [ours - usual for ours, usual in zip(of_method, classes["ce"], strict=True)]
    for name, of_method in classes.items()
    if name != "ce"
}
figures.class_gains(
    gains,
    exponential_profile(134, 10, 50),
    title="Against cross-entropy, class by class",
    look_at="Points gained (green) and lost (purple), means of six runs. Read the last columns.",
)

# %%
few = {name: over_seeds(of_method, "few").mean for name, of_method in runs.items()}
lower = [name for name in runs if few[name] < few["ce"]]
print(f"few-shot accuracy below cross-entropy's: {len(lower)}\n{', '.join(lower)}")
assert len(lower) == 9

higher = [name for name in runs if few[name] > few["ce"]]
gained = [statistics.mean(gains[name][digit] for name in higher) for digit in range(10)]
print(f"mean gain of the other {len(higher)} on each digit:", [round(points) for points in gained])
assert max(gained[:6]) < 0 < min(gained[6:])
assert max(range(10), key=gained.__getitem__) == 7 and min(range(6, 10), key=gained.__getitem__) == 9
assert max(gains, key=lambda name: gains[name][9]) == "bbn" and gains["bbn"][5] < -50

# %% [markdown]
# Nine. **This is no ranking of methods.** There are 371 images of ten easy classes, and 15 epochs are 90 steps. Nothing was tuned.
# What needs long training shows little: queues and key encoders (`kcl`, `paco`, `tsc`), and second stages of ten steps (`crt`,
# `lws`, `disalign`). What the picture does show is *where* methods act: where the tail gains, it does so on digits 6 to 9, most
# on the 7 with its six images, least on the 9 with two. `bbn` reads most nines, and pays with fives.
#
# ## 4. Two or three side by side
#
# The whiskers below are standard deviations: how far one run lies from another of the *same* method, here 1.5 to 7 points. With a deviation of $s = 3.3$ points the difference of two means has a standard error of about
# $s\sqrt{2/10} = 1.5$ points, so two methods should be three points apart before you say that one is better.
#
# **Before you look:** BCL has 78.3 % on all classes. Will ten seeds show a difference from LDAM-DRW? From `bcl-in-log`?

# %%
widgets.method_chooser(runs, "ce", "bcl", "ldam-drw")

# %%
for other in ("ldam-drw", "bcl-in-log"):
    gap, error = difference(runs[other], runs["bcl"])
    print(f"{other:10} minus bcl: {gap:+.1f} ± {error:.1f} points (mean and standard error, seed by seed)")
    assert (abs(gap) > 2 * error) == (other == "bcl-in-log")

better = [name for name, of_method in runs.items() if over_seeds(of_method, "top1").mean > 77]
apart = 0
for one, other in itertools.combinations(better, 2):
    gap, error = difference(runs[one], runs[other])
    apart += abs(gap) > 2 * error
pairs = len(better) * (len(better) - 1) // 2
print(f"{len(better)} methods are above 77 %: {apart} of their {pairs} pairs are two standard errors apart")
assert (len(better), apart) == (14, 19)

# %% [markdown]
# LDAM-DRW is within one standard error of BCL. `bcl-in-log` is almost three above it: with 33 methods to look at, one or
# two would get beyond two by luck. So it is a lead to follow with fresh seeds. Of the 14 methods above 77 % most cannot
# be told apart. In JupyterLab choose your own two or three, and compare their seconds as well.
#
# ## 5. Do class means near the simplex make a better classifier?
#
# **Before you run the cell:** over the 34 methods, will accuracy rise or fall with the simplex deviation of the class means, and how
# closely?

# %%
deviations = {name: over_seeds(of_method, "feature_simplex_deviation") for name, of_method in runs.items()}
accuracies = {name: over_seeds(of_method, "top1") for name, of_method in runs.items()}
figures.means_and_accuracy(
    deviations,
    accuracies,
    named=("ce", "ssp", "bbn", "focal-sigmoid", "hybrid-sc", "cb-focal"),
    title="Class means and accuracy of 34 methods",
    look_at="Left: features nearer to the simplex. Is the cloud higher there?",
)

# %%
correlation = statistics.correlation(
    [deviations[name].mean for name in runs], [accuracies[name].mean for name in runs]
)
print(f"correlation over {len(runs)} methods: {correlation:.2f}")
assert -0.5 < correlation < -0.2
assert deviations["focal-sigmoid"].mean < deviations["ce"].mean < deviations["cb-focal"].mean
assert accuracies["focal-sigmoid"].mean < accuracies["ce"].mean < accuracies["cb-focal"].mean

# %% [markdown]
# It falls, loosely. `focal-sigmoid` is nearer to the simplex than cross-entropy and less accurate, `cb-focal` the other way round.
# Methods differ in everything, so a correlation over them says nothing about causes.
#
# ## In one paragraph
#
# Most methods change the loss, few the prediction, and BCL's additions leave nothing behind in use. On the digits 24 of 33 raise
# the few-shot accuracy of cross-entropy, most at the cost of frequent classes, and the better half can hardly be told apart
# by ten seeds. How near class means come to the simplex tells little about accuracy. What a method *touches* is certain; what it
# *gains* has to be measured where you need it.
#
# ## Exercises
#
# **1. A new combination in one file.** BCL's classifier branch has logit compensation. Give it LDAM's margins as well: with the
# cosines $\cos_k$ of features and weight rows,
#
# $$L = -\log \frac{e^{\psi_y}}{\sum_j e^{\psi_j}}, \qquad \psi_k = s\,(\cos_k - [k = y]\, \Delta_y) + \log P_k ,$$
#
# with the margins of the card of `ldam`.


# %%
def margin_loss(cosines, labels, class_counts, scale, largest_margin):
    """Mean over a batch: cosines (n, K), labels (n,), class_counts (K,); the rarest class has the largest margin."""
    ...  # return one number


check("margin_loss", margin_loss)

# %% [markdown]
# The rest of the file is written. Saved together as `my_margins.py`, the two cells train in every command:
# `python -m bcl_edu.train digits-lt --plugin my_margins.py --method bcl-margins --classifier cosine`.

# %%
from bcl_edu.losses import balanced_contrastive_loss
from bcl_edu.methods.bcl import BalancedContrastive
from bcl_edu.plugins import register_method
from bcl_edu.rows import RECIPES
from bcl_edu.rows.bcl_rows import BCL


@register_method("bcl-margins", "BCL with LDAM's margins on its classifier branch", options=BCL)
class MarginsOnBCL(BalancedContrastive):
    def forward(self, batch, clock):
        number = len(batch.labels)
        features = self.extract(batch.views.flatten(0, 1))  # v1, v2 and v3 in one pass
        labels = batch.gather(batch.labels)
        scale = self.classifier.scale
        cosines = batch.gather(self.classifier(features[:number])) / scale
        z = self.projection(features[number:]).unflatten(0, (2, number))
        z = batch.gather(z.transpose(0, 1)).transpose(0, 1).flatten(0, 1)
        classify = margin_loss(cosines, labels, self.class_counts, scale, 0.5)
        contrast = balanced_contrastive_loss(
            z, labels.repeat(2), self.prototypes(), temperature=self.options.temperature
        )
        return {"loss": self.options.lambda_ * classify + self.options.mu * contrast}


# %% [markdown]
# **Before you train it:** will the margins raise the few-shot accuracy further? With the exercise passed the cell trains BCL with and
# without them, both with a cosine classifier, in about ten seconds. Then give each three seeds.

# %%
if check("margin_loss", margin_loss).passed:
    recipe = RECIPES["digits-lt"][1].change(epochs=15)
    for name in ("bcl", "bcl-margins"):
        last = widgets.train_quietly(recipe.change(method=name, classifier="cosine")).last.metrics
        print(f"{name:12}", {group: round(last[group], 1) for group in ("top1", "many", "medium", "few")})
else:
    print("margin_loss is still to be written; then this cell trains with it")

# %% [markdown]
# **2. The best of many.** Which methods are ahead of BCL, and by how many standard errors? With how many of 33 would you expect
# that if none differed? How would you find out about the first?
