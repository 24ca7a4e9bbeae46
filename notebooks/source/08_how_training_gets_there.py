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
# # How training gets there
#
# **At its exact optimum BCL is no nearer to the regular simplex than SCL (notebook 06). Trained networks say the
# opposite. What happens between the first step and the last?**
#
# Three things can make a trained geometry differ from the optimum of the whole training set:
#
# 1. **The optimum** itself, if every class were in every batch.
# 2. **Missing classes**: a mini-batch has no sample of most tail classes, so the loss that is minimised is another one.
# 3. **The path**: training starts somewhere and stops before the end.
#
# You will take them apart: the second with certified optima, the third with embeddings that no network ties together, and
# then look at class means of really trained networks, five seeds of each loss. What is said is what was measured,
# also where it is not what the paper leads one to expect.
#
# *Half a minute of computing, an hour of reading. You need the simplex deviation (notebook 03), gradient shares (notebook 05) and the certified
# optimum (notebook 06). Runs that take longer are read from `benchmarks/results/` and `results/`, with the scripts that
# make them named beside.*

# %%
import json
from pathlib import Path

import torch

from bcl_edu import geometry, report
from bcl_edu.course import figures
from bcl_edu.course.exercises import check
from bcl_edu.course.widgets import train_quietly
from bcl_edu.training import RECIPES

torch.set_num_threads(1)  # small matrices: threads would only wait for each other

# %% [markdown]
# ## 1. A long tail to play with
#
# Ten classes of 50 down to 1 samples, 120 in all; in the tail three classes have a single sample. Each sample is in its
# batch twice, as two views are. *Deviation* is always the root mean square of $\mu_i \cdot \mu_j + \frac{1}{K-1}$ over all
# pairs of class means: 0 at the regular simplex.
#
# **Before you run the cell:** in batches of 8, how often does the smallest class occur?

# %%
counts = [50, 29, 17, 10, 6, 3, 2, 1, 1, 1]
for size in (8, 32, 64):
    drawn = geometry.sampled_batches(counts, size, num_batches=4000)
    present = drawn.probabilities @ (drawn.counts[:, -1] > 0)
    print(f"batches of {size}: the smallest class is in {present:.0%} of them")
    assert abs(present - size / sum(counts)) < 0.03

# %% [markdown]
# In batches of 8, in one of fifteen. Under SCL, in the other fourteen nothing knows that the class exists.
#
# ## 2. Missing classes
#
# At collapse (all embeddings of a class in one point, notebook 05) a mini-batch *is* its class counts, so `geometry.certified_optimum` can minimise the average over the
# distribution of batches instead of one batch. BCL's prototypes stand in for classes that are missing. Two kinds:
# *free*, trained like a classifier's rows, as in the paper, or *tied* to the class means.
#
# **Before you look:** which loss will lose most by small batches? And can small batches *help* anyone?


# %%
def optimum(loss, size, temperature, prototypes="tied"):
    """The certified optimum of the distribution of batches of this size."""
    if size == sum(counts):
        batches = geometry.full_batch([2 * n for n in counts])
    else:
        batches = geometry.sampled_batches(counts, size)
    return geometry.certified_optimum(batches, loss, temperature=temperature, prototypes=prototypes)


# %%
sizes = [4, 8, 16, 32, 64, 120]
variants = {"SCL": ("scl", "tied")}  # it has no prototypes to tie
variants |= {f"BCL, {where} prototypes": ("bcl", where) for where in ("free", "tied")}
best = {
    (tau, name): [optimum(loss, size, tau, where) for size in sizes]
    for tau in (0.3, 0.1)
    for name, (loss, where) in variants.items()
}
far = {key: [found.deviation.rms for found in row] for key, row in best.items()}
assert all(found.certified for row in best.values() for found in row)

# %%
print(f"{'batches of':38}", *(f"{size:5}" for size in sizes))
for key, row in far.items():
    print(f"temperature {key[0]}  {key[1]:22}", *(f"{value:.3f}" for value in row))

# %%
figures.deviation_curves(
    {name: torch.tensor([far[0.3, name]]) for name in variants},
    sizes,
    moment="batch size",
    logarithmic=True,
    title="Certified optima at temperature 0.3, over the batch size",
    look_at="At the right end every class is in the batch: no loss is better than SCL there.",
)

# %%
for tau in (0.3, 0.1):
    scl, free, tied = (far[tau, name] for name in variants)
    assert scl[-1] < min(free[-1], tied[-1])  # full batch: BCL is no nearer
    assert free[1] < 0.7 * scl[1]  # batches of 8: it is
    assert max(tied) - min(tied) < 0.02  # tied prototypes: batches hardly matter
assert 4.5 < far[0.3, "SCL"][1] / far[0.3, "BCL, free prototypes"][1] < 5.5

# %% [markdown]
# So missing classes are a real effect, and it favours BCL: in batches of 8 its optimum is a third nearer to the simplex than
# that of SCL at $\tau = 0.1$, and five times as near at $\tau = 0.3$. It needs *free* prototypes. Tied ones make
# every batch look like a full one: an anchor's loss is then the same in every batch (notebook 07). What is left of a
# difference comes from sampling 1,000 batches.
#
# **Why do free prototypes help?** In a batch without class $j$, the anchors of the head still push $j$ away, but what they
# push is the prototype $c_j$, which no sample has to follow. The class mean moves only in batches that contain it, and there its own
# anchors have their say. Then the distortion must be found in the prototypes:

# %%
found = best[0.3, "BCL, free prototypes"][1]
prototypes = geometry.simplex_deviation(found.keys).rms
print(f"batches of 8: class means {found.deviation.rms:.3f}, prototypes {prototypes:.3f} from the simplex")
assert prototypes > 5 * found.deviation.rms

figures.cosine_heatmap(
    geometry.cosine_matrix(found.keys),
    torch.tensor(counts),
    title="Prototypes of BCL, optimum for batches of 8",
)

# %% [markdown]
# *Look at the orange corner:* the tail's **prototypes** crowd together, as the class means of SCL would, while the class
# means are nearly a simplex. Prototypes are thrown away after training; the means stay.
#
# Does SGD on mini-batches get to these optima? Stored: 2,000 steps from random embeddings at $\tau = 0.3$, batches of 8, five
# seeds (`benchmarks/mini_batch_geometry.py`).

# %%
study = json.loads(Path("../benchmarks/results/mini_batch_geometry.json").read_text())
assert (study["counts"], study["seeds"]) == (counts, [0, 1, 2, 3, 4])


def stored(start, temperature, size, loss, prototypes=None):
    """One case: its optimum, the deviation of each seed at each kept step, shape (5, moments), and these steps."""
    case = {"start": start, "temperature": temperature, "batch_size": size}
    case |= {"loss": loss, "prototypes": prototypes}
    row = next(row for row in study["rows"] if row | case == row)
    return row["optimum"], torch.tensor(row["deviation"]), row["step"]


# %%
cases = {"SCL": ("scl", None), "BCL, free": ("bcl", "free"), "BCL, at the means": ("bcl", "means")}
for name, case in cases.items():
    end, path, _ = stored("anywhere", 0.3, 8, *case)
    ends = path[:, -1].sort().values
    print(f"{name:18} optimum {end:.3f}; five seeds after 2,000 steps", ends.numpy().round(3))
    assert ends[-1] < 0.06 if "BCL" in name else ends[0] > 0.15
    unrest = (path[:, -1] - path[:, -2]).abs().max().item()  # since the moment kept before, step 1,600
    assert unrest < 0.01 if "BCL" in name else unrest > 0.03

# %% [markdown]
# It does: the runs end about their optima (SCL's do not come to rest: since step 1,600 some have moved by more than 0.03, none of BCL's by 0.01), and
# every BCL run is more than twice as near to the simplex as every SCL run. A surprise is the last row: with prototypes *at the class means*, held fixed within a step, BCL ends near the simplex
# too, far from the optimum of tied prototypes (0.20). So the prototypes need not be free; what matters is that a
# class that is absent from the batch *is not moved by it*. The tied optimum would move it.
#
# ## 3. The path: leaving the cone
#
# Optima are where a path ends. Where does it begin? Not anywhere on the sphere: an untrained network maps all images to nearly
# the same embedding. All class means are in a narrow cone, every cosine is nearly 1, and the deviation is $1 + \frac1{K-1}$.
#
# In the cone, what pushes two classes apart is the derivative of the loss with respect to their cosine. **Before you run the
# cell:** class 0 has 50 samples, classes 8 and 9 have one each. By which factor is the push between 8 and 9 weaker than the
# one between 0 and 1, under SCL? And with an averaged denominator?


# %%
def push(i, j, loss, step=1e-6):
    """Change of the full-batch loss with the cosine of classes i and j, where all embeddings are at one point."""
    together = torch.ones(10, 10, dtype=torch.float64)
    apart = together.clone()
    apart[i, j] = apart[j, i] = 1 - step
    at_one_point = geometry.collapsed_loss(together, [2 * n for n in counts], loss)
    return (at_one_point - geometry.collapsed_loss(apart, [2 * n for n in counts], loss)) / step


# %%
pairs = {"two head classes": (0, 1), "head and tail": (0, 9), "two tail classes": (8, 9)}
pushes = {loss: {pair: push(*ij, loss) for pair, ij in pairs.items()} for loss in ("scl", "bcl")}
for pair in pairs:
    print(f"{pair:17} SCL {pushes['scl'][pair]:.4f}   BCL {pushes['bcl'][pair]:.4f}")
weaker = {loss: found["two head classes"] / found["two tail classes"] for loss, found in pushes.items()}
print(f"two tail classes, times weaker: SCL {weaker['scl']:,.0f}, BCL {weaker['bcl']:.0f}")
assert 1440 < weaker["scl"] < 1460
assert 35 < weaker["bcl"] < 45
assert 11.5 < pushes["bcl"]["two tail classes"] / pushes["scl"]["two tail classes"] < 12.5
assert pushes["bcl"]["two head classes"] < pushes["scl"]["two head classes"]

# %% [markdown]
# SCL pushes two tail classes apart 1,450 times more weakly than two head classes: both have few anchors, *and* few samples
# to be pushed by. Averaging removes the second reason, and twelve times as much push is left for the tail; head classes pay
# for it. (The exact formula is exercise 1.) **So averaging should leave the cone sooner.** Live, with full batches and no
# prototype free to interfere, three seeds:


# %%
def leave_the_cone(loss):
    """Deviation of three seeds over 60 small steps with full batches, prototypes at the class means."""
    settings = {"steps": 60, "learning_rate": 0.01, "record_every": 5, "prototypes": "means"}
    starts = [geometry.embeddings_in_a_cone(120, 10, width=study["cone"], seed=seed) for seed in range(3)]
    paths = [geometry.unconstrained_dynamics(counts, loss, start=start, **settings) for start in starts]
    return torch.stack([path.deviation for path in paths])


named = {"SCL": "scl", "BCL": "bcl", "SCL + averaging": "scl-averaging"}
leaving = {name: leave_the_cone(loss) for name, loss in named.items()}

# %%
small_steps = list(range(0, 61, 5))
ten = {name: path[:, small_steps.index(10)] for name, path in leaving.items()}
for name, path in leaving.items():
    print(
        f"{name:16} after 10 small steps {ten[name].numpy().round(3)}, after 60 {path[:, -1].numpy().round(3)}"
    )
assert max(ten["BCL"].max(), ten["SCL + averaging"].max()) < ten["SCL"].min()
assert leaving["SCL"][:, -1].mean() < leaving["BCL"][:, -1].mean()

# %%
figures.deviation_curves(
    leaving,
    small_steps,
    moment="step",
    title="Leaving the cone with full batches",
    look_at="Who leaves first? And who is nearer to the simplex at the end?",
)

# %% [markdown]
# The prediction was right: after ten steps both averaged losses are ahead of SCL in every seed. *Then the curves meet*, and after
# sixty steps SCL is a little nearer than BCL.
#
# What follows takes minutes, so it is stored: 2,000 larger steps from the same cone, five seeds, $\tau = 0.1$ as in the live
# run. Now with the paper's free prototypes, too. **Before you look:** they begin anywhere on the sphere. Will they help to leave the cone?

# %%
kinds = {
    "SCL": ("scl", None),
    "BCL, free prototypes": ("bcl", "free"),
    "BCL, prototypes at the means": ("bcl", "means"),
    "SCL + averaging": ("scl-averaging", None),
    "SCL + complement, free": ("scl-complement", "free"),
}


# %%
def long_way(size, shown):
    """All paths from the cone with these batches, and where they would end."""
    cases = {name: stored("together", 0.1, size, *kinds[name]) for name in shown}
    return {name: case[1] for name, case in cases.items()}, {name: case[0] for name, case in cases.items()}


steps = stored("together", 0.1, 8, "scl")[2]
small, small_ends = long_way(8, kinds)
whole, whole_ends = long_way(120, list(kinds)[:3])

# %%
figures.deviation_curves(
    {name: path[:, 1:] for name, path in whole.items()},
    steps[1:],
    moment="step",
    ends=whole_ends,
    logarithmic=True,
    title="Full batches: no class is ever missing",
    look_at="Marks on the right: the certified optima. Which path hardly moves towards its own?",
)

# %%
at = steps.index
for name, path in whole.items():
    nearer = [int((path[:, at(step)] < whole["SCL"][:, at(step)]).sum()) for step in (2, 24)]
    print(f"{name:28} nearer than SCL in {nearer[0]} of 5 seeds after 2 steps, in {nearer[1]} after 24")
    assert name == "SCL" or (nearer[0] == 5 and nearer[1] <= 1)

# %%
ends = {name: path[:, -1] for name, path in whole.items()}
for name, end in ends.items():
    print(f"{name:28} after 2,000 steps {end.min():.2f} to {end.max():.2f}, optimum {whole_ends[name]:.2f}")
assert (ends["SCL"] < ends["BCL, prototypes at the means"]).all()
assert ends["BCL, free prototypes"].min() > ends["BCL, prototypes at the means"].max()
assert ends["BCL, free prototypes"].mean() > 3 * whole_ends["BCL, free prototypes"]
late = {name: (path[:, at(1000)] - path[:, -1]).mean() for name, path in whole.items()}
assert late["BCL, free prototypes"] < 0.5 * late["SCL"]

# %% [markdown]
# The same story with larger steps: BCL is ahead in every seed after two steps; after 24 it is ahead in one seed of five at most,
# and at the end SCL is *nearest* in every seed. BCL with free prototypes all but stops between 0.22 and 0.25, on average more than three
# times as far away as its optimum. At $\tau = 0.1$ the loss is next to nothing long before the simplex (notebook 06), and what
# next to nothing pulls at moves slowly. So **with every class in every batch the path favours BCL early and SCL late.**
#
# Now with batches of 8. **Before you look:** a sample now moves in one step of fifteen. Will averaging still help to
# leave the cone?

# %%
figures.deviation_curves(
    {name: path[:, 1:] for name, path in small.items()},
    steps[1:],
    moment="step",
    ends=small_ends,
    logarithmic=True,
    title="Batches of 8: most tail classes are missing",
    look_at="The steep part is the way out of the cone. Which two losses are first?",
)

# %%
at_40 = {name: path[:, at(40)] for name, path in small.items()}
for name, values in at_40.items():
    print(f"{name:28} after 40 steps {values.min():.2f} to {values.max():.2f}")
helped = ("BCL, free prototypes", "SCL + complement, free")
slowest_helped = max(at_40[name].max() for name in helped)
assert slowest_helped < min(at_40[name].min() for name in small if name not in helped) - 0.1
for name, path in small.items():
    assert 0.23 < path[:, -1].min() < path[:, -1].max() < 0.28
    assert path[:, -1].min() > 2 * small_ends[name]

# %% [markdown]
# Averaging alone does nothing here: it can give back their say only to classes that are in the batch. The two losses with *free*
# prototypes are far ahead, since these begin apart from each other: when a tail sample has its turn, there is a place to go
# to. (Prototypes at the class means are in the cone, too, and do not help.) After 2,000 steps the head start is used up:
# all five are between 0.23 and 0.28, none near its optimum.
#
# Is it the missing classes that make all of this slower than full batches? Not by itself: 2,000 steps in batches of 8 move a sample
# 133 times, 2,000 full batches 2,000 times. **Before you run the cell:** move for move, which loss do small batches hold back?

# %%
moves = 2000 * 8 // sum(counts)
print(f"2,000 steps in batches of 8: {moves} moves of each sample; mean of five seeds")
for name in ("SCL", "BCL, free prototypes"):
    fewer, more = (whole[name][:, at(number)] for number in (100, 160))
    print(f"{name:21} {small[name][:, -1].mean():.3f}, "
          f"full batches {fewer.mean():.3f} after 100 moves, {more.mean():.3f} after 160")  # fmt: skip
assert 100 < moves < 160
assert (small["SCL"][:, -1] > whole["SCL"][:, at(100)]).sum() >= 4  # further away, though with more moves
free = "BCL, free prototypes"
assert (small[free][:, -1] < whole[free][:, at(160)]).all()  # nearer, though with fewer moves

# %% [markdown]
# SCL: in four seeds of five it is further away than full batches were after *fewer* moves. BCL with free prototypes is not held back
# at all: in every seed it is nearer than full batches after *more* moves. (Its prototypes step in every batch, so they have moved fifteen
# times as often as the samples; how much of this is due to them the record cannot tell.)
#
# ## 4. The three effects, added up
#
# The deviation after a number of steps is a sum: the optimum of full batches, plus what changes at the optimum if batches
# are small, plus what the path still lacks. At the paper's temperature, batches of 8, on the way and at the end:


# %%
def parts(name, after):
    """Optimum of full batches, change by mini-batches, and what the path lacks after so many steps; mean of
    the seeds."""
    measured = small[name][:, steps.index(after)].mean().item()
    return whole_ends[name], small_ends[name] - whole_ends[name], measured - small_ends[name]


# %%
compared = ("SCL", "BCL, free prototypes")
for after in (60, 2000):
    for name in compared:
        full, batches, path = parts(name, after)
        print(
            f"{name:21} after {after:4} steps: optimum {full:.3f}, mini-batches {batches:+.3f}, path {path:+.3f}"
        )

# %%
figures.three_effects(
    {name: parts(name, 60) for name in compared},
    title="Three effects after 60 steps: batches of 8, temperature 0.1",
    look_at="Compare the heights of the first two groups with that of the third.",
)

# %%
differences = {}
for after in (60, 2000):
    both = (parts(name, after) for name in compared)
    differences[after] = [scl - bcl for scl, bcl in zip(*both, strict=True)]
    full, batches, path = differences[after]
    print(
        f"SCL minus BCL after {after} steps: optimum {full:+.3f}, mini-batches {batches:+.3f}, path {path:+.3f}"
    )
assert differences[60][2] > 3 * differences[60][1] > 0
assert differences[2000][2] < 0 < differences[2000][1]
assert all(abs(row[0]) < 0.002 for row in differences.values())
assert abs(sum(differences[2000])) < 0.005

# %% [markdown]
# The optimum of full batches, of which Theorem 3 speaks, makes no difference at all. Missing classes make a small one, in favour of
# BCL. Early on the path is nearly everything, and there BCL is ahead; late it is behind, by as much as missing classes
# bring.
#
# ## 5. A really trained network
#
# Long-tailed digits, as in notebook 01: 371 images of ten classes, 134 down to 2; the two-branch network with logit
# compensation, temperature 0.1, batches of 64, 30 epochs. First one run live, with BCL. *After each epoch* you see the
# cosines between the class means of the test images. **Before you move the slider:** what will the first picture look like?

# %%
_, recipe = RECIPES["digits-lt"]
live = train_quietly(recipe.change(method="bcl", seed=0))
assert (len(live.class_counts), int(live.class_counts.sum()), int(live.class_counts[-1])) == (10, 371, 2)
cosines = {str(epoch): geometry.cosine_matrix(live.means_by_epoch[epoch - 1]) for epoch in (1, 10, 30)}
print(f"smallest cosine after epoch 1: {cosines['1'].min():.2f}, after epoch 30: {cosines['30'].min():.2f}")
assert cosines["1"].min() > 0.8
five_largest, five_smallest = cosines["30"][:5, :5], cosines["30"][5:, 5:]
assert five_smallest.sum() > five_largest.sum() + 20 * 0.2  # 20 pairs, each by 0.2 on average

# %%
figures.film(
    {
        epoch: figures.cosine_heatmap(matrix, live.class_counts, title=f"Test images after epoch {epoch}")
        for epoch, matrix in cosines.items()
    },
    quantity="epoch",
)

# %% [markdown]
# The cone is real: after the first epoch all cosines are nearly 1. *Move the slider and look at the lower right corner*, the
# tail's: after 30 epochs it is still orange.
#
# Now the stored runs, five seeds of each loss, with the class means of the **training** images and of the **test** images after
# every epoch, without augmentation (`benchmarks/digits_path.py`). Of the training images, since that is what the losses
# speak of.

# %%
titles = {
    "scl": "SCL",
    "bcl": "BCL",
    "bcl-class-anchors": "BCL, class-averaged anchors",
    "scl-averaging": "SCL + averaging",
    "scl-complement": "SCL + complement",
    "lc": "logit compensation alone",
}


# %%
lines = Path("../results/digits-lt-path/runs.jsonl").read_text().splitlines()
runs = [json.loads(line) for line in lines]


def measured(setting, loss, what, seeds=5):
    """One number of the first runs after each kept epoch, shape (seeds, epochs)."""
    of_seed = {run["seed"]: run[what] for run in runs if (run["setting"], run["loss"]) == (setting, loss)}
    return torch.tensor([of_seed[seed] for seed in range(seeds)])


# %%
losses = list(titles)[:5]  # logit compensation alone trains no embeddings
train = {loss: measured("recipe", loss, "train_embeddings") for loss in losses}
test = {loss: measured("recipe", loss, "test_embeddings") for loss in losses}
figures.deviation_curves(
    {titles[loss]: train[loss][:, 2::3] for loss in losses},
    list(range(3, 31, 3)),
    moment="epoch",
    title="Class means of the training images",
    look_at="Bands: lowest to highest of five seeds. Do those of SCL and BCL touch?",
)

# %%
for values in (train, test):
    scl, bcl = values["scl"], values["bcl"]
    assert (bcl[:, 2:] < scl[:, 2:]).all()  # seed by seed, after every epoch from the third on
    assert bcl[:, -1].max() < scl[:, -1].min()  # and even the worst BCL run is nearer than the best SCL run
    assert (values["scl-averaging"][:, -1] < scl[:, -1]).all()
assert train["bcl-class-anchors"][:, 2].min() > train["bcl"][:, 2].max()  # later out of the cone
assert train["bcl-class-anchors"][:, -1].max() > train["bcl"][:, -1].min()  # and the bands touch at the end

# %%
print(
    "after 30 epochs, lowest to highest of five seeds: training images, test images, nearer than SCL by (mean)"
)
gained = {loss: (train["scl"] - train[loss])[:, -1].mean().item() for loss in losses}
for loss in losses:
    ends = [f"{values[loss][:, -1].min():.3f} to {values[loss][:, -1].max():.3f}" for values in (train, test)]
    print(f"{titles[loss]:28} {ends[0]}   {ends[1]}   {gained[loss]:.3f}")
assert gained["scl-averaging"] > 2 * gained["scl-complement"] > 0
assert gained["bcl"] > gained["scl-averaging"]

# %% [markdown]
# **Yes: BCL stays closer to the simplex on the way.** In every seed, on training and on test images, after every epoch from
# the third on, and at the end the bands do not touch. As in the cone without a network the advantage begins on the way out
# of it, with the averaged denominator, which gives most of it here; class-complement adds the rest. (In batches of 64 most
# classes are present, so section 3's full batches are the nearer comparison.) Unlike there, *nothing crosses* within 30 epochs.
#
# BCL with class-averaged anchors, whose optimum for full batches *is* the simplex, leaves the cone later than BCL in every seed and
# arrives where BCL does. An optimum is no forecast.
#
# **Are missing classes the reason?** In batches of 64 the smallest class is there in every third. The stored runs have a
# setting in which every batch is the whole training set, with as many steps. **Before you run the cell:** will
# the difference between SCL and BCL vanish?

# %%
drawn = geometry.sampled_batches(live.class_counts, 64, num_batches=4000)
occurs = drawn.probabilities @ (drawn.counts[:, -1] > 0)
print(f"the smallest class is in {occurs:.0%} of the batches of 64")
assert 0.28 < occurs < 0.36

whole_set = {loss: measured("whole batches", loss, "train_embeddings") for loss in ("scl", "bcl")}
both = {"batches of 64": train, "whole batches": whole_set}
difference = {batches: (values["scl"] - values["bcl"])[:, -1] for batches, values in both.items()}
for batches, values in difference.items():
    print(f"{batches}: SCL minus BCL for each seed {values.numpy().round(3)}, mean {values.mean():.3f}")

# %%
figures.deviation_curves(
    {
        f"{titles[loss]}, {batches}": values[loss][:, 2::3]
        for batches, values in both.items()
        for loss in ("scl", "bcl")
    },
    [6 * epoch for epoch in range(3, 31, 3)],  # 6 batches of 64 an epoch
    moment="step",
    title="The same number of steps, with and without missing classes",
    look_at="Both losses gain by whole batches. Which of them gains more?",
)

# %%
share = difference["whole batches"].mean() / difference["batches of 64"].mean()
print(f"with no class missing, {share:.0%} of the difference is left")
assert (difference["whole batches"] > 0).all()
assert 0.7 < share < 0.9

early = {batches: (values["scl"] - values["bcl"])[:, 9] for batches, values in both.items()}
for batches, values in early.items():
    print(f"{batches}, after a third of the steps: SCL minus BCL for each seed {values.numpy().round(2)}")
assert (early["whole batches"] > early["batches of 64"]).all()
assert (early["whole batches"] > difference["whole batches"] + 0.05).all()

# %% [markdown]
# It does not: at the end four fifths of it are left, and after a third of the steps it is even *larger* than with batches of 64, in
# every seed. **Missing classes are not the reason**, or only a small part of it. With no class missing, BCL still
# leaves the cone sooner; then the difference shrinks from 0.2 to 0.1, as SCL catches up. (A larger batch also changes what batch
# normalisation sees and how noisy a step is, so this is no perfectly clean cut.)
#
# **Is it the optimum, then, or the path?** The certified optima of these counts tell:

# %%
digits = live.class_counts


def digits_parts(loss, prototypes):
    """Optimum of full batches, change by batches of 64, and what the trained network lacks; training images."""
    full = geometry.certified_optimum(2 * digits, loss, prototypes=prototypes).deviation.rms
    batches = geometry.sampled_batches(digits, 64, num_batches=500)
    mini = geometry.certified_optimum(batches, loss, prototypes=prototypes).deviation.rms
    return full, mini - full, train[loss][:, -1].mean().item() - mini


# %%
network = {"SCL": digits_parts("scl", "tied"), "BCL": digits_parts("bcl", "free")}
for name, (full, mini, path) in network.items():
    print(f"{name}: optimum {full:.3f}, mini-batches {mini:+.3f}, path {path:+.3f}")
    assert path > 5 * (full + mini)

gap = [scl - bcl for scl, bcl in zip(network["SCL"], network["BCL"], strict=True)]
print(f"SCL minus BCL: optimum {gap[0]:+.3f}, mini-batches {gap[1]:+.3f}, path {gap[2]:+.3f}")
assert gap[2] > 0.85 * sum(gap)

# %% [markdown]
# At the end of training nearly all of the deviation is *path*, and so is nine tenths of what separates the two losses.
#
# **Then a longer path should bring the losses together.** In the third setting of the stored runs the schedule is stretched to four
# times as many epochs, with batches of 64 again. **Before you run the cell:** how much of the difference will be left? Will
# SCL overtake?

# %%
left = {}
for images in ("train", "test"):
    what = f"{images}_embeddings"
    scl, bcl = (measured("four times as long", loss, what)[:, -1] for loss in ("scl", "bcl"))
    left[images] = scl - bcl
    print(f"{images} images after 120 epochs: SCL {scl.mean():.3f}, BCL {bcl.mean():.3f}")
    print(f"  SCL minus BCL for each seed {left[images].numpy().round(3)}")
assert (left["train"] > 0).all()
assert left["train"].mean() < 0.25 * difference["batches of 64"].mean()
assert left["test"].min() < 0 < left["test"].max()

# %% [markdown]
# Both losses come much nearer to the simplex, and a sixth of the difference is left: BCL is still ahead in every seed on training
# images, by a fiftieth, and on test images one cannot tell any more. SCL has all but caught up, and has not overtaken.
#
# **Does it reach the features?** The embeddings are the output of a projection head that nobody uses after training. The
# classifier sees the backbone's features, and these every loss has, also logit compensation alone. **Before you run the
# cell:** whose features are nearest to the simplex?

# %%
features = {loss: measured("recipe", loss, "train_features")[:, -1] for loss in titles}
accuracy = {loss: measured("recipe", loss, "test_top1")[:, -1] for loss in titles}
print(
    "features of training images, lowest to highest of five seeds; test accuracy, mean and standard deviation"
)
for loss, name in titles.items():
    values, top1 = features[loss], accuracy[loss]
    print(f"{name:28}  {values.min():.3f} to {values.max():.3f}   {top1.mean():.1f} ± {top1.std():.1f} %")
assert max(values.min() for values in features.values()) < min(values.max() for values in features.values())

# %% [markdown]
# Nobody's: all six ranges overlap. What BCL changes in the *embeddings* is hardly to be seen in the *features* here, and five
# seeds of 400 test images do not order the accuracies. On this small data set the nearer geometry is a fact, and that it is
# the reason for a better classifier is not shown by it.
#
# ## 6. CIFAR-100-LT
#
# Larger runs take hours, so there are few of them. `report.side_by_side` finds the finished runs in `results/` whose recipes
# differ in the loss only and which saw the same images. The distance is measured on test images, as each run does after
# every epoch.

# %%
found, _ = report.find_runs(["../results"])
groups = report.side_by_side(run for run in found if run.recipe.dataset == "cifar100")
comparable = [{loss: group[loss] for loss in titles if loss in group} for group in groups]
assert comparable

# %%
for group in comparable:
    for loss, run in group.items():
        last, z = run.metrics[-1], "no embeddings"
        if last["simplex_space"] == "embeddings":
            z = f"embeddings {last['simplex_deviation']:.3f}"
        features_of = last["feature_simplex_deviation"]
        print(f"{last['epoch']:3} epochs, {titles[loss]:24} features {features_of:.3f}, {z}")

# %%
curves = {titles[loss]: run.metrics for loss, run in comparable[0].items()}
for rows in curves.values():
    assert rows[-1]["feature_simplex_deviation"] < rows[0]["feature_simplex_deviation"]
figures.training_curves(
    curves,
    "feature_simplex_deviation",
    title="CIFAR-100-LT: features of the test images",
    look_at="One seed a loss: see whether the curves are apart at all.",
)

# %%
embeddings = {
    titles[loss]: run.metrics
    for loss, run in comparable[0].items()
    if run.metrics[-1]["simplex_space"] == "embeddings"
}
print(f"all class means in one point: {1 + 1 / 99:.2f}")
for name, rows in embeddings.items():
    print(f"{name}, after epoch", *(f"{row['epoch']}: {row['simplex_deviation']:.2f}" for row in rows[9::10]))
    assert rows[9]["simplex_deviation"] > 0.9
    assert rows[-1]["simplex_deviation"] > (1 + 1 / 99) / 2

# %% [markdown]
# In the first ten epochs of CIFAR-100-LT the embeddings hardly leave the cone, and after sixty they have not come half of the
# way: 0.62 with BCL, 0.65 with SCL. The optimum is still nowhere in sight; the path is nearly all that there is to see there. BCL
# is the nearer one at each of the six epochs printed, as it was on digits in five seeds, and again the features do not show
# it. But this is one seed a loss, and no difference between two losses in this section is evidence either way.
#
# ## 7. What was found, and what was not
#
# | question | free embeddings, temperature 0.1 | digits network, five seeds |
# |---|---|---|
# | the optimum of full batches | no difference | no difference |
# | missing classes, at the optimum | BCL nearer, if prototypes are free | BCL nearer, by a hundredth |
# | missing classes, on the way | move for move SCL is slower, BCL with free prototypes is not | a fifth of the difference at the end, none early |
# | leaving the cone | BCL first: by averaging in full batches, by free prototypes in small ones | BCL first, mostly by averaging |
# | later | SCL catches up; in full batches it overtakes | the difference shrinks, to a sixth in 120 epochs; nothing crosses |
# | features of the backbone | there are none | no difference seen |
#
# **Not found:** why BCL with free prototypes nearly stops in full batches at low temperature; whether SCL overtakes in a
# network that is trained for more than 120 epochs; whether embeddings nearer to the simplex make a better classifier. **Not looked
# at:** other temperatures and imbalance factors in the network, and class means of CIFAR training images.
#
# ## In one paragraph
#
# BCL does stay closer to the simplex than SCL on the way, in all five seeds of a trained network, on training and test images
# and after every epoch from the third on, and the reason is not where the losses lead. Training begins with all class means in a
# narrow cone. There SCL pushes two tail classes apart over a thousand times more weakly than two head classes, and an averaged
# denominator gives the tail a good part of its push back, so that BCL leaves the cone first. In free embeddings SCL catches up
# later, and with full batches it overtakes; in the network four times as many epochs leave a sixth of the difference. Classes missing
# from mini-batches move SCL's optimum away from the simplex and BCL's towards it, since free prototypes take the push that is meant
# for an absent class; but in the network four fifths of the difference are there without any missing class, and nine tenths of it are path. It is a
# difference of embeddings: the backbone's features do not show it.
#
# ## Exercises
#
# **1. The push in the cone.** Section 3 measured how hard two classes are pushed apart while all embeddings are at one point.
# Derive it for BCL: the derivative of the mean loss of the full batch with respect to the cosine of each two classes.


# %%
def pair_pushes(class_counts, temperature):
    """How hard BCL pushes each two classes apart at one point, shape (K, K)."""
    ...  # return a matrix


check("pair_pushes", pair_pushes)

# %% [markdown]
# **2. Missing.** Section 1 counted sampled batches. Compute it exactly.


# %%
def chance_to_be_missing(class_counts, batch_size):
    """The chance that a batch, drawn without replacement, has no image of a class, shape (K,)."""
    ...  # return K numbers


check("chance_to_be_missing", chance_to_be_missing)

# %% [markdown]
# **3. Where SCL catches up.** At $\tau = 0.3$ the optimum of BCL with free prototypes is nearer to the simplex in batches of
# 64 and further away in full batches. Between which batch sizes does that turn? Why does BCL's optimum move *away* as
# batches grow?
#
# **4. Equal classes in the cone.** Let ten classes of 12 samples each leave the cone under SCL and under BCL, prototypes at the means.
# Which is first? Say it before you try, from your formula of exercise 1.
