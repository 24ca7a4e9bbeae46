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
# # Long tails: where does the accuracy go?
#
# **A network that has seen a class fifty times less often does worse on it. How much of that is a habit of guessing the
# frequent classes, which can be undone, and how much is knowledge that it never got?**
#
# You will cut long tails with a slider, work out with pencil and paper what a class's frequency alone does to a *perfect*
# classifier, and then take a real one apart.
#
# *One minute of computing, 45 minutes of reading. From [01_first_look](01_first_look.ipynb) you need the imbalance
# factor and the three shot groups.*
#
# | symbol of the paper | in code | what it is |
# |---|---|---|
# | $K$ | `num_classes` | number of classes |
# | $n_k$ | `class_counts[k]` | training images of class $k$ |
# | IF | `imbalance_factor` | largest over smallest class count |
# | $P_y$ | `prior[y]` | share of class $y$ in the training set, its *prior* |
# | $\delta_y$ | `prior[y].log()` | what logit compensation adds (Eq. 10) |
# | $\varphi_y$ | `logits[:, y]` | the classifier's output for class $y$ |

# %%
import tempfile
from pathlib import Path

import torch
from torch.distributions import Normal

from bcl_edu.augment import normalise
from bcl_edu.course import figures, widgets
from bcl_edu.course.exercises import check
from bcl_edu.data import exponential_profile, open_dataset, shot_groups
from bcl_edu.training import RECIPES, RunOptions, train
from bcl_edu.training.metrics import accuracy

# %% [markdown]
# ## 1. A tail of a hundred classes
#
# CIFAR-100 has 100 classes with 500 training images each. Its long-tailed version keeps
# $n_k = \lfloor 500 \cdot \mathrm{IF}^{-k/99} \rfloor$ images of class $k = 0, \dots, 99$: apart from rounding, every
# class is smaller than the one before by the same factor.
#
# **Before you run the cell:** at IF = 100, how many of the 50,000 images are left? And how many of the 100 classes does
# it take, from the head, to hold half of those?

# %%
counts = exponential_profile(500, num_classes=100, imbalance_factor=100)
total = int(counts.sum())
half = 1 + int((counts.cumsum(0) >= total / 2).nonzero()[0])

print(f"{total:,} images are left, from {int(counts[0])} down to {int(counts[-1])} in a class")
print(f"the first {half} classes hold half of them, the last {half} only {int(counts[-half:].sum()):,}")
assert total == 10_847  # the size that the paper and everybody after it train on
assert half == 15

# %% [markdown]
# Nearly four fifths of the images are gone, and fifteen classes hold half of what is left. (The exponential shape is a
# choice. Data sets with the same imbalance factor can have other shapes; exercise 4 tries one.)
#
# The three shot groups (many, medium, few) depend on the counts, and a group can be empty. It then has no accuracy at
# all, and a table must print n/a, not 0. (The paper prints "2~100" for the medium group, a misprint of 20.)

# %%
for factor in (100, 50, 10):
    groups = shot_groups(exponential_profile(500, 100, factor))
    print(f"IF {factor:3}:", {name: len(members) for name, members in groups.items()})

assert len(shot_groups(exponential_profile(500, 100, 10))["few"]) == 0
figures.class_counts_bars(counts, shot_groups(counts), title="CIFAR-100-LT, imbalance factor 100")

# %% [markdown]
# At IF = 10 CIFAR-100-LT has no few-shot class. *Look at the flat right third of the bars: thirty classes that together
# have fewer images than the first one alone.*

# %%
assert len(shot_groups(counts)["few"]) == 30
assert counts[shot_groups(counts)["few"]].sum() < counts[0]

# %% [markdown]
# ### Cut one yourself
#
# Move the slider. In JupyterLab you can also choose the data set. The digits come with scikit-learn and are always there.
# Fashion-MNIST and CIFAR are used if they are on the machine, in the project's `data/` or in the folder that the environment
# variable `BCL_EDU_DATA` names. Nothing is downloaded.
#
# **Before you move it to 100:** how many images does the last class keep, and would they be enough for you to recognise the class?


# %%
def found(name):
    """The training set of that name, if it is on this machine."""
    try:
        return open_dataset(name).train
    except ValueError:
        return None


on_this_machine = {name: found(name) for name in ("cifar100", "cifar10", "fashion-mnist", "digits")}
on_this_machine = {name: train_set for name, train_set in on_this_machine.items() if train_set is not None}
print("on this machine:", ", ".join(on_this_machine))

# %%
widgets.long_tail_explorer(on_this_machine, imbalance_factor=10)

# %% [markdown]
# ## 2. What the frequency alone does
#
# Suppose a classifier knew everything: for each class the exact distribution $p(x \mid y)$ of its images. It would
# still not treat classes alike, because it is asked to be right as often as possible *on the training distribution*. By
# Bayes' rule
#
# $$p(y \mid x) \;\propto\; P_y \; p(x \mid y) ,$$
#
# and the prior $P_y$ is a factor. Where two classes overlap, the doubtful cases go to the frequent one.
#
# Take the smallest example: two classes on a line, both Gaussian with variance 1, two standard deviations apart, the
# left one IF times as frequent. The best boundary is where $P_y\, p(x \mid y)$ is the same for both:
#
# $$P_0\, e^{-(x+1)^2/2} = P_1\, e^{-(x-1)^2/2} \quad\Longleftrightarrow\quad \log \frac{P_0}{P_1} =
# \frac{(x+1)^2 - (x-1)^2}{2} = 2x \quad\Longleftrightarrow\quad x = \frac{\log \mathrm{IF}}{2} .$$
#
# **Before you run the cell:** with equal frequencies both classes are right in 84 % of the cases. At IF = 100, how
# often is the rare class right? There is no lack of data here, and nothing left to learn.

# %%
distance, factor = 2.0, 100.0
head, tail = Normal(-distance / 2, 1.0), Normal(distance / 2, 1.0)


def accuracies(boundary):
    """Share of the head class and of the tail class on their own side of the boundary."""
    boundary = torch.as_tensor(boundary)
    return head.cdf(boundary), 1 - tail.cdf(boundary)


# %%
best = torch.tensor(factor).log() / distance  # log(IF) / 2, for this distance
for name, boundary in {"equal frequencies": 0.0, f"IF = {factor:g}": best}.items():
    of_head, of_tail = accuracies(boundary)
    print(f"{name:18} boundary {boundary:4.2f}:  head {of_head:.1%}, tail {of_tail:.1%}", end="")
    print(f", mean of both {(of_head + of_tail) / 2:.1%}")

assert accuracies(best)[1] < 0.10 < 0.99 < accuracies(best)[0]

# %% [markdown]
# The classifier gives up nine in ten of the rare class. And that *is* the best that can be done if the test set looks
# like the training set:

# %%
boundaries = torch.linspace(-3, 5, 801)
of_head, of_tail = accuracies(boundaries)
as_trained = (factor * of_head + of_tail) / (factor + 1)  # accuracy where the head is IF times as frequent
balanced = (of_head + of_tail) / 2  # accuracy where both are equally frequent

assert abs(boundaries[as_trained.argmax()] - best) < 0.01
assert abs(boundaries[balanced.argmax()]) < 0.01
print(f"on data like the training set: {as_trained.max():.2%} at x = {boundaries[as_trained.argmax()]:.2f}")
print(f"on balanced data:              {balanced.max():.2%} at x = {abs(boundaries[balanced.argmax()]):.2f}")
figures.prior_shift(distance, factor)

# %% [markdown]
# *Look at the space between the two vertical lines:* that is what the rare class loses to its prior.
#
# The remedy is simple. Cross-entropy makes the softmax of the logits $\varphi_y$ an estimate of $p(y \mid x)$, so by
# Bayes' rule the logits of the perfect classifier are $\varphi_y = \log P_y + \log p(x \mid y)$, up to a constant. Take
# $\log P_y$ away and the boundary goes back to the middle. That can be done after training. Alternatively,
# $\delta_y = \log P_y$ is added to the logits during training, inside the loss only: then $\varphi_y + \delta_y$
# estimates $p(y \mid x)$, and $\log p(x \mid y)$ is all that $\varphi_y$ itself has to be. The second is **logit
# compensation** (Eq. 10), one half of what the paper trains. Menon et al. (2021) proposed both as *logit adjustment*, and
# Ren et al. (2020) the second as *balanced softmax*:
#
# $$L_{LC} = -\log \frac{e^{\varphi_y + \delta_y}}{\sum_j e^{\varphi_j + \delta_j}} .$$
#
# For a classifier that estimates $p(y \mid x)$ exactly, both give the same boundary.
#
# ## 3. A real network, taken apart
#
# Now the digits. All training sets below have nearly the same number of images, close to 370. They differ in how the
# images are distributed over the classes.

# %%
_, recipe = RECIPES["digits-lt"]
digits = open_dataset("digits")
TOTAL = int(exponential_profile(134, 10, 50).sum())


def head_count(factor):
    """The size of the largest class at which this imbalance factor leaves TOTAL images, or just fewer."""
    fitting = [n for n in range(1, 135) if n >= factor and exponential_profile(n, 10, factor).sum() <= TOTAL]
    return fitting[-1]


# %%
recipes = {
    f"IF {factor}": recipe.change(method="ce", imbalance_factor=factor, head_count=head_count(factor))
    for factor in (1, 10, 50)
}
for name, of_factor in recipes.items():
    print(name, exponential_profile(of_factor.head_count, 10, of_factor.imbalance_factor).tolist())

# %% [markdown]
# From each network we want the classifier's logits for the test images:


# %%
def trained_logits(recipe):
    """Train, and return the classifier's outputs for the 400 test images."""
    with tempfile.TemporaryDirectory() as folder:
        options = RunOptions(output=Path(folder) / "run", workers=0, tensorboard=False, progress=False)
        result = train(recipe, options)
    statistics, method = result.record["normalisation"], result.method
    method.eval()
    images = normalise(digits.test.images, tuple(statistics["mean"]), tuple(statistics["std"]))
    with torch.no_grad():
        return method.logits(method.features(images))


# %% [markdown]
# Notebook 01 showed that few-shot digits are read badly at IF 50. **Before you run the next cells:** the digits 5 to 9 are the five
# rarest. How much better is the test accuracy on them at IF 10, and at IF 1, with no more images in all? Does the head pay for
# it? And of 400 test images, 40 of each digit, how many will the network call a 9 at IF 50?

# %%
logits = {name: trained_logits(of_factor) for name, of_factor in recipes.items()}

# %%
tail_counts = exponential_profile(134, 10, imbalance_factor=50)


def per_class(logits):
    """Test accuracy of each digit, in percent."""
    return accuracy(logits.argmax(dim=1), digits.test.labels, tail_counts).per_class


def frequent_and_rare(logits):
    """Mean test accuracy of the five most frequent digits and of the five rarest, in percent."""
    of_digit = per_class(logits)
    return sum(of_digit[:5]) / 5, sum(of_digit[5:]) / 5


# %%
frequent, rare = {}, {}
for name, of_run in logits.items():
    frequent[name], rare[name] = frequent_and_rare(of_run)
    print(f"{name:6} digits 0-4: {frequent[name]:5.1f} %   digits 5-9: {rare[name]:5.1f} %")

assert rare["IF 1"] > rare["IF 10"] > rare["IF 50"]
assert rare["IF 50"] < 0.8 * rare["IF 1"]
assert abs(frequent["IF 50"] - frequent["IF 1"]) < 5

# %%
lines = {name: per_class(of_run) for name, of_run in logits.items()}
title = "Equally many images, shared out in three ways"
look_at = "Below each digit, its images at IF 50. Look at where the lines part."
figures.accuracy_by_class_count(lines, tail_counts, digits.class_names, title=title, look_at=look_at)

# %% [markdown]
# The number of images is the same; only their distribution differs. The head gains next to nothing, because a hundred
# zeros teach hardly more than forty. The tail as a whole loses more with every step of the imbalance factor (a single digit
# need not), and at IF 50 more than a fifth of its accuracy.
#
# Is it the prior? If so, the network gives images of the tail to the head, and there must be too few 9s among its answers:

# %%
called = {name: torch.bincount(of_run.argmax(dim=1), minlength=10) for name, of_run in logits.items()}
for name, number in called.items():
    print(f"{name:6} of 400 test images, called 0, 1, ..., 9: {number.tolist()}")

assert called["IF 50"][:5].sum() > called["IF 1"][:5].sum() + 20
assert called["IF 50"][9] < 15

# %% [markdown]
# There are: at IF 50 hardly any of the 400 images is called a 9, and the digits 0 to 4 get dozens more than their 200. So
# take the prior away, as section 2 says: after training, by subtracting $\log P_y$ from the logits of the IF 50 network,
# and during training, by logit compensation. Another seed draws other initial weights and another order of images, and
# with classes this small that matters; so we train each of them with three seeds (of the network at IF 1, which is the
# goal, we keep the one run that we have). **Before you run it:** will the tail come back to what it had at IF 1? Will the
# head keep what it has?

# %%
prior = tail_counts / tail_counts.sum()
by_seed = []
for seed in (0, 1, 2):
    plain = logits["IF 50"] if seed == 0 else trained_logits(recipes["IF 50"].change(seed=seed))
    compensated = trained_logits(recipes["IF 50"].change(seed=seed, method="lc"))
    by_seed.append({"IF 50": plain, "prior subtracted": plain - prior.log(), "compensated": compensated})


# %%
def table(of_method):
    """Accuracy on frequent and on rare digits of each seed, and both means."""
    for name, runs in of_method.items():
        pairs = [frequent_and_rare(of_run) for of_run in runs]
        frequent_mean, rare_mean = means[name] = [
            sum(column) / len(runs) for column in zip(*pairs, strict=True)
        ]
        on_rare[name] = [of_rare for _, of_rare in pairs]
        seeds = ", ".join(f"{of_rare:.1f}" for of_rare in on_rare[name])
        print(
            f"{name:20} digits 0-4: {frequent_mean:.1f} %   digits 5-9: {rare_mean:.1f} %  (by seed {seeds})"
        )


means, on_rare = {}, {}
names = ("IF 50", "prior subtracted", "compensated")
table({"IF 1": [logits["IF 1"]]} | {name: [runs[name] for runs in by_seed] for name in names})
assert all(helped > before for before, helped in zip(on_rare["IF 50"], on_rare["compensated"], strict=True))
assert means["compensated"][1] > means["prior subtracted"][1] > means["IF 50"][1]  # what the rare digits gain
assert means["compensated"][0] < means["IF 50"][0] - 2  # and what the frequent ones pay

# %% [markdown]
# Both corrections help the tail on average over seeds, and both have a price: logit compensation takes four to five
# points from the frequent digits. And the two do not agree here. Section 2 is about a classifier that estimates
# $p(y \mid x)$ exactly, and nothing guarantees that of a network trained on 371 images. Subtracting $\log P_y$ afterwards
# moves the boundaries of what was learned; compensation changes what is learned.
#
# ### How much could any correction of the prior give back?
#
# Both corrections add one constant to each class's logit, $\log P_y$ or its opposite. To see what the best constants could do, we
# cheat: we choose them *on the test set*, one class after the other, so that as many test images as possible are right. An
# honest method should not expect to do better. **Before you run the cell:** how close to the 94 % of IF 1 will the rare
# digits come?


# %%
def with_best_constants(logits):
    """Logits plus one constant a class, chosen on the test set class by class, six times around."""
    constants, steps = torch.zeros(10), torch.arange(-10, 10.01, 0.25)
    for k in list(range(10)) * 6:
        tries = constants.repeat(len(steps), 1)
        tries[:, k] = steps
        right = (logits + tries[:, None]).argmax(dim=2) == digits.test.labels
        constants = tries[right.sum(dim=1).argmax()]
    return logits + constants


table({"best constants": [with_best_constants(runs["IF 50"]) for runs in by_seed]})
goal, before = means["IF 1"][1], means["IF 50"][1]
missing, undone, undoable = (
    goal - before,
    means["compensated"][1] - before,
    means["best constants"][1] - before,
)
print(
    f"missing: {missing:.1f} points; compensation gives back {undone:.1f}, the best constants {undoable:.1f}"
)
assert means["best constants"][0] > means["compensated"][0] + 2  # without the price
assert undone < undoable < missing / 2 + 2

# %%
of_seed_0 = {"IF 1": logits["IF 1"], **by_seed[0]}
order = (
    "IF 1",
    "prior subtracted",
    "IF 50",
    "compensated",
)  # so that IF 1 and IF 50 look as in the figure before
lines = {name: per_class(of_seed_0[name]) for name in order}
title = "What compensation gives back, and what it costs (seed 0)"
look_at = "Look at the rarest digits, then at the frequent ones: which gain, which pay?"
figures.accuracy_by_class_count(lines, tail_counts, digits.class_names, title=title, look_at=look_at)

# %% [markdown]
# Of the points that the rare digits are missing, nearly half are class biases, which the right constants would undo at no
# cost to the head. Logit compensation recovers somewhat more than half of these, at a price. The rest is missing for
# another reason: two images of a 9 do not make the *features* of a 9, and no constant adds them. In the Gaussian example
# $p(x \mid y)$ was known; here it must be learned, and for rare classes it is learned badly.
#
# That leaves the representation: what the network makes of an image *before* the classifier. Can classes with few
# images be given as good a place in it as those with many? That is the aim of contrastive losses and of the other half
# of the paper. The next notebook asks what a good place is.
#
# ## In one paragraph
#
# On a balanced test set a long tail costs accuracy twice. First through the prior: a classifier that is right on the
# training distribution gives doubtful cases to frequent classes, even if it knows everything about all of them. For a
# perfect classifier, subtracting $\log P_y$ from the logits or adding it inside the loss (logit compensation, Eq. 10) undoes exactly
# that. For a network of a few hundred images the two differ, and the gain of the tail is partly paid for by the head.
# Second through scarcity: the features of rare classes are learned from a handful of images. On the digits more than half of
# the missing accuracy did not come back with the best constants that we could add to the logits, although these were chosen on the test set.
#
# ## Exercises
#
# **1. Class counts.** Write the exponential profile: $n_k = \lfloor n_{\max}\, \mathrm{IF}^{-k/(K-1)} \rfloor$ for
# $k = 0, \dots, K-1$.


# %%
def class_counts(n_max, num_classes, imbalance_factor):
    """The number of training images of each class, the largest class first: K whole numbers."""
    ...  # your code


check("class_counts", class_counts)

# %% [markdown]
# **2. Logit compensation.** Write Eq. 10, averaged over a batch. `logits` has shape (n, K), `labels` (n,), and
# `class_counts` (K,) holds the images of each class in the training set.


# %%
def logit_compensation(logits, labels, class_counts):
    """Cross-entropy with logits compensated for the class prior: one number."""
    ...  # your code


check("logit_compensation", logit_compensation)

# %% [markdown]
# **3. Better features.** In section 2 a better representation would put the two classes further apart. Predict, then
# compute: at which `distance` does the rare class get its 84 % back at IF = 100, with the boundary still where the
# training distribution wants it? Compare that with what subtracting $\log P_y$ does at distance 2.
#
# **4. Another shape.** Train the digits with `recipe.change(method=..., profile="step")`: five digits of 134 images, five
# of 2. The imbalance factor is the same. Predict what compensation gives back this time. Is habit or scarcity the larger part
# now?
