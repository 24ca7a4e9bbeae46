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
# # Ablations: which part does the work?
#
# **The paper's Table 2 adds one part after the other: 50.8, 52.4, 52.3, 52.0, 53.9. Is that a pattern, and what would
# it take to know?**
#
# You read Tables 1 and 2 as a sceptic would, see all their rows repeated on a data set that is small enough for ten seeds
# each, measure how far two seeds of *one* method lie apart, and work out how many seeds a difference of the paper's size
# needs.
#
# *Less than a minute of computing, 30 minutes of reading; exercises take longer. You need notebook 01, notebook 05 for the losses,
# and notebook 10 for what a row is.*

# %%
import json
import math
import statistics
from pathlib import Path

from bcl_edu import report
from bcl_edu.course import figures
from bcl_edu.course.exercises import check
from bcl_edu.rows import ROWS

# %% [markdown]
# ## 1. What the paper found
#
# CIFAR-100-LT at imbalance factor 100. Table 1 compares three ways to average over a class (notebook 05); Table 2 adds
# to the logit-compensated classifier (LC) the supervised contrastive loss (SC), then class-complement, class-averaging,
# and both. Table 1 trains for 200 epochs, Table 2 for 400, so BCL has a figure in each.

# %%
paper = {name: row.paper.top1 for name, row in ROWS.items() if name.startswith(("table1", "table2"))}
for name, top1 in paper.items():
    print(f"{name:24} {ROWS[name].method:38} {top1}")

# %% [markdown]
# *Look at Table 2 from top to bottom.* SC adds 1.6 points. Then something odd: either part alone takes a little away,
# and both together add 1.5. The paper explains that the two need each other. That may be so. It may also be that
# these five numbers are one run each, and that runs differ.
#
# **Before you go on,** write down how far apart you expect two runs to be that differ only in the seed.
#
# ## 2. The same rows, ten seeds each
#
# The long-tailed digits of notebook 01 train in seconds, so each row can be repeated. `benchmarks/digits_seeds.py` trained
# all eight losses with seeds 0 to 9; the results are stored with the project, with the versions and the machine that
# made them.

# %%
names = {
    "lc": "LC",
    "scl": "+ SC",
    "scl-complement": "+ SC + complement",
    "scl-averaging": "+ SC + averaging",
    "bcl": "+ both (BCL, L1)",
    "bcl-inside": "L2",
    "bcl-prototypes": "L3",
    "bcl-class-anchors": "BCL, class anchors",
}

# %%
lines = Path("../results/digits-lt-ablation/runs.jsonl").read_text().splitlines()
rows = [json.loads(line) for line in lines]
runs = {loss: sorted((r for r in rows if r["loss"] == loss), key=lambda r: r["seed"]) for loss in names}
assert all([r["seed"] for r in of] == list(range(10)) for of in runs.values())

table_2 = {names[loss]: runs[loss] for loss in list(names)[:5]}
figures.shot_group_bars(table_2, title="Table 2 on long-tailed digits")

# %% [markdown]
# *Look at the dots of one bar before you compare two bars.* Here is the spread in numbers, and each row against the
# one that it adds a part to, seed by seed: all rows used the same ten seeds.


# %%
def compared(first, second, quantity="top1"):
    """Mean difference over the ten seeds, its standard error, and in how many seeds it is positive."""
    gaps = [a[quantity] - b[quantity] for a, b in zip(runs[first], runs[second], strict=True)]
    return statistics.mean(gaps), statistics.stdev(gaps) / math.sqrt(len(gaps)), sum(g > 0 for g in gaps)


spread = {loss: statistics.stdev(r["top1"] for r in runs[loss]) for loss in names}
for loss, name in names.items():
    print(f"{name:20} standard deviation over seeds {spread[loss]:.1f} points")
assert min(spread.values()) > 1.6  # more than any step of Table 2

# %%
parts = {"scl": "lc", "scl-complement": "scl", "scl-averaging": "scl", "bcl": "scl"}
for first, second in (parts | {"bcl-class-anchors": "bcl"}).items():
    gap, error, won = compared(first, second)
    difference = f"{names[first]:18} minus {names[second]:16}"
    print(f"{difference} {gap:+.2f} ± {error:.2f} points, ahead in {won} of 10 seeds")
    if first in parts:
        assert gap < 2 * error  # the claim of this section: none adds what ten seeds can show

# %% [markdown]
# On digits none of the four parts of Table 2 adds accuracy that ten seeds can show, and the runs of *one* row scatter with
# a standard deviation of two to three points: more than any step of the table.
#
# Two of the five differences are about twice their standard error. The contrastive loss takes away 0.8 ± 0.4 points and is
# ahead in one of ten seeds; the paper's adds 1.6. And averaging the *anchors* per class as well, which Theorem 3
# needs (notebook 06) and the paper does not do, adds 2.4 ± 1.0 and is ahead in eight of ten. With five differences to
# look at, one of them easily reaches twice its error by luck. What helps is to look at other runs.
#
# ### The same question, other runs
#
# The project has three sets of runs of these rows on the same data. `digits-lt-seeds` (ten seeds, notebook 01) is of an earlier
# version of the code, which sums in another order: the same seed starts alike and then differs by rounding.
# `digits-lt-path` (five seeds, notebook 08b) is of another version again. **Before you run the cell:** which of the two differences
# will be there in the other sets?


# %%
def final_accuracy(folder):
    """Test accuracy in the last epoch, by loss and seed, of a set of runs of the recipe."""
    found = {}
    for row in map(json.loads, Path(f"../results/{folder}/runs.jsonl").read_text().splitlines()):
        if row.get("setting", "recipe") == "recipe":
            last = row["top1"] if "top1" in row else row["test_top1"][-1]
            found.setdefault(row["loss"], {})[row["seed"]] = last
    return found


gaps = {}
for folder in ("digits-lt-ablation", "digits-lt-seeds", "digits-lt-path"):
    of = final_accuracy(folder)
    for first, second in [("scl", "lc"), ("bcl", "scl"), ("bcl-class-anchors", "bcl")]:
        if first in of:
            values = [of[first][seed] - of[second][seed] for seed in of[first]]
            mean, error = statistics.mean(values), statistics.stdev(values) / math.sqrt(len(values))
            gaps[first, second, folder] = mean / error
            print(f"{folder:19} {first:17} minus {second:4} {mean:+.2f} ± {error:.2f}, {len(values):2} seeds")

assert min(gaps["scl", "lc", f"digits-lt-{name}"] for name in ("ablation", "seeds", "path")) < -2
assert (
    max(gaps["scl", "lc", f"digits-lt-{name}"] for name in ("ablation", "seeds", "path")) > 0
)  # the sign changes
assert all(gap > 2 for (first, *_), gap in gaps.items() if first == "bcl-class-anchors")

# %% [markdown]
# The drop that SCL seemed to cause is not there in the other two sets: -0.3 and +0.4, each within its error. The gain of
# class-averaged anchors is: about two points in both sets that have the row. (The two sets are not independent, because they share
# seeds.) That makes it a lead worth following on CIFAR, and still a statement about ten easy classes.
#
# ## 3. Table 1: three ways to average
#
# L1 averages outside the exponential and L2 inside it. L3 compares an anchor with the prototypes only, so it is a softmax
# classifier on the sphere (Eq. 6 to 8; notebook 05). Notebook 05 proved $L_1 \ge L_2$ for every batch; that says nothing
# about what they teach.

# %%
table_1 = {"L1 (BCL)": runs["bcl"], "L2": runs["bcl-inside"], "L3": runs["bcl-prototypes"]}
figures.shot_group_bars(table_1, title="Table 1 on long-tailed digits")

# %%
for first, second in [("bcl", "bcl-inside"), ("bcl-prototypes", "bcl"), ("bcl-prototypes", "lc")]:
    gap, error, won = compared(first, second)
    difference = f"{names[first]:17} minus {names[second]:16}"
    print(f"{difference} {gap:+.2f} ± {error:.2f} points, ahead in {won} of 10 seeds")
assert abs(compared("bcl", "bcl-inside")[0]) < 2 * compared("bcl", "bcl-inside")[1]
assert statistics.mean(r["top1"] for r in runs["bcl-prototypes"]) > statistics.mean(
    r["top1"] for r in runs["bcl"]
)

# %% [markdown]
# The order of Table 1 (51.9, 50.2, 51.0) does not show here. On the digits L3 has the highest mean of the three, 1.8 ± 0.8
# points above L1: a little more than twice its error, and one of several differences that we looked at. After section 2
# you know how to read that. (The runs of L3 are of a later revision than the others, so equal seeds do not mean equal runs.)
#
# ## 4. And the geometry?
#
# Accuracy is what tables print. The parts were meant to change something else: how far the class means are from the
# regular simplex, and whether the tail's classes stay apart.

# %%
print("mean over ten seeds: simplex deviation, cosine of the five smallest classes")
mean_deviation, tail = {}, {}
for loss in list(names)[1:]:  # LC has no embeddings
    mean_deviation[loss] = statistics.mean(r["simplex_deviation"] for r in runs[loss])
    tail[loss] = statistics.mean(r["tail_cosine"] for r in runs[loss])
    print(f"{names[loss]:20} {mean_deviation[loss]:.3f}  {tail[loss]:+.2f}")
assert (
    mean_deviation["scl"]
    > mean_deviation["scl-complement"]
    > mean_deviation["scl-averaging"]
    > mean_deviation["bcl"]
)
assert max(mean_deviation["bcl-inside"], mean_deviation["bcl-prototypes"]) < mean_deviation["bcl"] - 0.1

# %%
deviation = {loss: [r["simplex_deviation"] for r in runs[loss]] for loss in names}
nearer_in_every_seed = [
    ("scl-averaging", "scl"),
    ("bcl", "scl"),
    ("bcl-inside", "bcl"),
    ("bcl-prototypes", "bcl"),
]
for nearer, further in nearer_in_every_seed:
    assert all(a < b for a, b in zip(deviation[nearer], deviation[further], strict=True))
assert compared("scl-complement", "scl", "simplex_deviation")[0] < 0

# %% [markdown]
# Here the parts do differ: averaging, and both together, differ from SC in every seed. Class-averaging brings the class
# means nearer to the simplex, class-complement a little (on average), and of the rows of Table 2 both together most:
# each part helps by itself, which it does not in the paper's accuracies. And the two rows of Table 1 that the paper
# advises against, L2 and L3, are by far the *nearest* to the simplex: 0.32 and 0.33, where BCL has 0.48.
#
# So in these runs accuracy did not follow the geometry: L2 and BCL have the same accuracy and very different class means.
# Whether it does on harder data, only the full rows could show.
#
# ## 5. How many seeds would it take?
#
# If runs of one row scatter with standard deviation $s$, the difference of two means of $n$ seeds each has standard
# error $s\sqrt{2/n}$. To see a true difference $d$ at two standard errors in five of six tries ($2 + 1$ standard
# errors) takes $n \approx 2\,(3 s / d)^2$. (Pairing by seed helps if the same seed is good for both rows.)
#
# **Before you run the cell:** how many seeds of each does it take for the 0.4 points between SC with and
# without averaging in Table 2, if CIFAR's runs scatter by half a point? (In what it prints, a dash is a minus: the first row's figure
# less the second's.)


# %%
def seeds_needed(difference, deviation):
    """Seeds of each row that show this difference at two standard errors in five of six tries."""
    return math.ceil(2 * (3 * deviation / difference) ** 2)


# %%
needed = {}
for first, second in [("scl", "lc"), ("bcl", "scl"), ("scl", "scl-averaging")]:
    difference = paper[f"table2-{first}"] - paper[f"table2-{second}"]
    needed[first, second] = seeds_needed(difference, deviation=0.5)
    print(f"{first} - {second}: {difference:.1f} points, {needed[first, second]} seeds of each at s = 0.5")
assert max(needed["scl", "lc"], needed["bcl", "scl"]) <= 3
assert needed["scl", "scl-averaging"] > 20

# %% [markdown]
# The large steps of Table 2 can be shown with a handful of seeds. The small ones, on which the story of the two parts
# that need each other rests, cannot be told from luck by single runs. (Half a point is an assumption. After ten epochs on
# CIFAR-100-LT, three seeds of logit compensation had a standard deviation of 0.6 points.)
#
# ## 6. On CIFAR-100-LT
#
# Notebook 10 showed the first, second and last row of Table 2 in small: 60 epochs instead of 400, one seed each. LC + SC was ahead
# of BCL there; the paper has it the other way round. **Before you run the cell:** with how many seeds could you tell whether that order
# is real? (Again a dash is a minus.)

# %%
found, _ = report.find_runs(["../results/cifar100-lt-60-epochs"])
[longest] = report.side_by_side(found)
last = {loss: longest[loss].record["last"]["top1"] for loss in ("lc", "scl", "bcl")}
print({loss: round(top1, 1) for loss, top1 in last.items()})
for first, second in [("scl", "lc"), ("scl", "bcl")]:
    difference = last[first] - last[second]
    seeds = seeds_needed(difference, deviation=0.5)
    print(
        f"{first} - {second}: {difference:.1f} points, {seeds} seeds of each if that is the true difference"
    )
assert last["lc"] < last["bcl"] < last["scl"]
assert seeds > 20

# %% [markdown]
# There is one run of each. If the true difference between the last two is as small as that, telling them apart takes
# dozens of seeds. *Neither* order, ours or the paper's, can be established by single runs.
#
# ## In one paragraph
#
# A table of single runs is a list of anecdotes with decimals. With ten seeds a row, on digits, the parts of balanced
# contrastive learning change the geometry of the class means (averaging does in every seed) and add no accuracy that
# ten seeds can show. A difference of twice its standard error vanished in other runs of the same rows; another one, that of
# class-averaged anchors, came back. The large steps of Table 2 could be confirmed on CIFAR with a few seeds, the small ones would need
# dozens. Until somebody runs them, "which part does the work" has an answer for the geometry, and none for the accuracy.
#
# ## Exercises
#
# **1. Pairs.** Every "±" of section 2 is a standard error of differences, seed by seed. Write it.


# %%
def paired_difference(first, second):
    """Mean difference of two rows with the same seeds, and its standard error."""
    ...  # return two numbers


check("paired_difference", paired_difference)

# %% [markdown]
# **2. The smallest difference.** How many seeds would it take on *digits* to show that L1 and L2 differ by one point?
# Use the standard deviations of section 2, for all classes and for the few-shot ones.
#
# **3. Choosing the best epoch.** The records of `results/cifar100-lt-60-epochs` have a best and a last epoch. By how
# much does quoting the best one flatter? Why does it flatter a noisy method more?
#
# **4. A fair ablation.** LC sees one view of each image in a step, all others three. Design an ablation that
# separates "more views" from "a contrastive loss".
#
# **5. A loss of your own.** A registered function trains under its name, with the same data, views and schedule as every
# other method; `docs/own_method.md` shows whole methods, and `--plugin` takes the same lines as a file. Here
# is cross-entropy plus $1-p_y$ (Leng et al. 2022, "PolyLoss"), for three epochs. Write one that you would expect to help
# the tail, say first which group of classes will lose by it, and give it ten seeds.

# %%
import tempfile

from torch.nn import functional

from bcl_edu.plugins import register_loss
from bcl_edu.rows import RECIPES
from bcl_edu.training import RunOptions, train


@register_loss("poly-1", "cross-entropy plus 1 - p")
def poly_1(logits, labels, class_counts):
    right = functional.softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]
    return functional.cross_entropy(logits, labels) + (1 - right).mean()


with tempfile.TemporaryDirectory() as folder:
    recipe = RECIPES["digits-lt"][1].change(method="poly-1", epochs=3)
    own = train(recipe, RunOptions(output=Path(folder) / "run", workers=0, progress=False))
print(own.record["recipe"]["method"], f"{len(own.metrics)} epochs")
assert own.metrics[-1]["loss"] < own.metrics[0]["loss"]

# %% [markdown]
# **6. A backbone of your own.** A registered function takes the number of channels and returns a module that says its
# `feature_dim`; every method can then be trained on it. The one below has a single convolution, with 320 weights and biases. Say
# first which row of section 2 needs a strong backbone most, then train that row and LC on this one with ten seeds each.

# %%
from torch import nn

from bcl_edu.plugins import register_backbone


@register_backbone("one-convolution")
def one_convolution(in_channels):
    layers = [nn.Conv2d(in_channels, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    network = nn.Sequential(*layers)
    network.feature_dim = 32
    return network


with tempfile.TemporaryDirectory() as folder:
    recipe = RECIPES["digits-lt"][1].change(backbone="one-convolution", epochs=3)
    small = train(recipe, RunOptions(output=Path(folder) / "run", workers=0, progress=False))
weights = sum(p.numel() for p in small.method.backbone.parameters())
print(small.record["recipe"]["backbone"], f"{weights} parameters, {len(small.metrics)} epochs")
assert weights == 320
assert small.metrics[-1]["loss"] < small.metrics[0]["loss"]
