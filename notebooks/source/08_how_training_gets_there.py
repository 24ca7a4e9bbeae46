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
# # How training gets there: free embeddings
#
# **With every class in every batch and at the paper's temperature, the optimum of BCL is no closer to the regular simplex
# than that of SCL (notebook 07). What changes if batches miss classes, and what happens on the way to the optimum?**
#
# To find out, we leave out the network: every sample has an embedding of its own that moves freely on the sphere
# (*unconstrained features*). Only the loss, the batches and the start remain. Notebook
# [08b](08b_trained_networks.ipynb) looks at trained networks.
#
# *Half a minute of computing, three quarters of an hour of reading; exercises take longer. You need the simplex deviation
# (notebook 03), the two roles of a sample (notebook 05, section 5) and the certified optimum (notebook 07). Longer runs
# are read from `benchmarks/results/`; the text names the script that made them.*

# %%
import json
from pathlib import Path

import torch
from torch.nn.functional import normalize

from bcl_edu import geometry
from bcl_edu.course import figures
from bcl_edu.course.exercises import check
from bcl_edu.course.widgets import training_sphere

torch.set_num_threads(1)  # small matrices: more threads would only wait for each other

# %% [markdown]
# First watch such embeddings move: four classes at temperature 0.5, where training takes seconds, under SCL and under BCL
# with class-averaged anchors. **Before you slide the imbalance factor:** which classes will move together, and under
# which of the two?

# %%
training_sphere()

# %% [markdown]
# *(No kernel? `python -m bcl_edu.course.widgets.sphere sphere.html` writes the same sphere as a page that needs none. At imbalance
# factor 50 it comes to rest like this:)*
#
# ![The training sphere at imbalance factor 50 and temperature 0.5: under SCL the two rarest of four classes are 69 degrees apart,
# under BCL with class-averaged anchors 109 degrees, as in the regular simplex](../docs/training_sphere.png)
#
# ## 1. A small long tail
#
# Ten classes of 50 down to 1 samples, 120 in all; three classes have a single sample. Each sample is in its batch
# twice, like the two views of an image. *Deviation* always means the simplex deviation, the root mean square of
# $\mu_i \cdot \mu_j + \frac{1}{K-1}$ over all pairs of class means: 0 at the regular simplex.
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
# It is in one in fifteen of the batches of 8. Under SCL the other fourteen know nothing of this class.
#
# ## 2. Missing classes change the optimum
#
# At collapse a mini-batch is described by its class counts alone, so `geometry.certified_optimum` can minimise the
# average loss over the distribution of batches. Prototypes stand in for missing classes. They can be *tied* to the class
# means (as in notebook 07) or *free*: vectors of their own. (In the paper a small network computes them, and nothing ties
# them to the class means.) We compare SCL and both kinds of BCL, and $L_3$ of notebook 05 (Eq. 8), in which samples meet
# only prototypes.
#
# **Before you look:** which loss suffers most from small batches? Can small batches *help* a loss?


# %%
def optimum(loss, size, temperature, prototypes):
    """The certified optimum of the distribution of batches of this size."""
    if size == sum(counts):
        batches = geometry.full_batch([2 * n for n in counts])
    else:
        batches = geometry.sampled_batches(counts, size)
    return geometry.certified_optimum(batches, loss, temperature=temperature, prototypes=prototypes)


# %%
sizes = [4, 8, 16, 32, 64, 120]
variants = {
    "SCL": ("scl", "tied"),  # it has no prototypes to tie
    "BCL, free prototypes": ("bcl", "free"),
    "BCL, tied prototypes": ("bcl", "tied"),
    "L3, free prototypes": ("bcl-prototypes", "free"),
}
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
    look_at="At the right end every class is in every batch.",
)

# %%
for tau in (0.3, 0.1):
    scl, free, tied, l3 = (far[tau, name] for name in variants)
    assert scl[-1] < min(free[-1], tied[-1])  # full batch: BCL is no closer
    assert free[1] < 0.7 * scl[1]  # batches of 8: it is
    assert max(tied) - min(tied) < 0.02  # tied prototypes: batches hardly matter
    assert max(l3) - min(l3) < 0.005  # L3: batches do not matter
assert 4.5 < far[0.3, "SCL"][1] / far[0.3, "BCL, free prototypes"][1] < 5.5
assert max(far[0.1, "L3, free prototypes"]) < 0.005

# %% [markdown]
# Missing classes have a real effect, and it favours BCL: in batches of 8 its optimum is five times closer to the simplex than
# SCL's at $\tau = 0.3$, and a third closer at $\tau = 0.1$. This needs *free* prototypes. Tied ones make every batch look
# like a full one (notebook 07, section 7). The optimum of $L_3$ does not depend on the batches at all, because its samples never
# meet each other; at $\tau = 0.1$ its class means are almost a simplex. *(The certificate of the two losses with free
# prototypes is for collapsed classes; for $L_3$ collapse is proved to be optimal, for BCL it was optimal wherever we tried.)*
#
# **Why do free prototypes help?** In a batch without class $j$, the anchors of the head still push class $j$ away, but they
# push its prototype, and no sample has to follow. The class mean moves only in batches that contain the class, where it also
# has anchors of its own. If this explanation is right, the distortion must now be in the prototypes:

# %%
found = best[0.3, "BCL, free prototypes"][1]
of_prototypes = geometry.simplex_deviation(found.keys).rms
print(
    f"batches of 8: deviation of the class means {found.deviation.rms:.3f}, of the prototypes {of_prototypes:.3f}"
)
assert of_prototypes > 5 * found.deviation.rms

figures.cosine_heatmap(
    geometry.cosine_matrix(found.keys),
    torch.tensor(counts),
    title="Prototypes of BCL, optimum for batches of 8",
)

# %% [markdown]
# *Look at the magenta corner:* the **prototypes** of the tail crowd together, as the class means do under SCL, while the class
# means are close to a simplex. Prototypes are discarded after training; the embedding network stays.
#
# Does stochastic gradient descent reach these optima? Stored: 2,000 steps from random embeddings at $\tau = 0.3$ in batches of
# 8, five seeds (`benchmarks/mini_batch_geometry.py`).

# %%
study = json.loads(Path("../benchmarks/results/mini_batch_geometry.json").read_text())
assert (study["counts"], study["seeds"]) == (counts, [0, 1, 2, 3, 4])


def stored(start, temperature, size, loss, prototypes=None, rate=1):
    """One case: its optimum, the deviation of each seed at each kept step, shape (5, moments), and these steps."""
    case = {"start": start, "temperature": temperature, "batch_size": size, "prototype_rate": rate}
    case |= {"loss": loss, "prototypes": prototypes}
    (row,) = (row for row in study["rows"] if row | case == row)
    return row["optimum"], torch.tensor(row["deviation"]), row["step"]


# %%
for name, case in {"SCL": ("scl", None), "BCL, free prototypes": ("bcl", "free")}.items():
    end, path, _ = stored("anywhere", 0.3, 8, *case)
    ends = path[:, -1].sort().values
    print(f"{name:21} optimum {end:.3f}; five seeds after 2,000 steps", ends.numpy().round(3))
    assert ends[-1] < 0.06 if "BCL" in name else ends[0] > 0.15

# %% [markdown]
# It does: the runs end near their optima, and every BCL run is more than twice as close to the simplex as every SCL run.
# (Each optimum is that of a sample of batches, a thousand in the table above and four thousand here: hence 0.183 and 0.175.)
#
# ## 3. The first steps: who leaves fastest?
#
# Now the path, with every class in every batch. Suppose that all embeddings start close together (notebook 08b measures
# how close those of a network really are). Near one point all similarities are almost 1 and all softmax weights almost
# equal, so the first steps can be computed by hand.
#
# **Before you run the cell:** classes 0 and 1 have 50 and 29 samples, classes 8 and 9 have one each. Which pair's
# distance grows faster, relative to its size, under SCL? And under BCL?


# %%
def opening_rates(loss):
    """Relative growth of the distance between two classes in a tiny step from near one point; mean of five seeds."""
    pairs, rates = ((0, 1), (0, 9), (8, 9)), []
    y = torch.arange(10).repeat_interleave(torch.tensor(counts))
    for seed in range(5):
        noise = torch.randn(10, 10, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        means = normalize(torch.eye(10, dtype=torch.float64)[0] + 0.002 * noise, dim=1)
        options = {"steps": 1, "learning_rate": 1e-6, "record_every": 1, "prototypes": "means"}
        moved = geometry.unconstrained_dynamics(counts, loss, start=means[y], **options).embeddings
        after = geometry.class_means(moved, y, 10)
        grown = [(after[i] - after[j]).norm() / (means[i] - means[j]).norm() for i, j in pairs]
        rates.append((torch.stack(grown) - 1) / 1e-6)
    return torch.stack(rates).mean(dim=0)


# %%
rates = {loss: opening_rates(loss) for loss in ("scl", "bcl")}
for loss, (head, mixed, tail) in rates.items():
    print(f"{loss}: two head classes {head:.1f}, head and tail {mixed:.1f}, two tail classes {tail:.1f}")
assert (rates["scl"] - 2 / 0.1).abs().max() < 0.2
assert rates["bcl"][2] > 6 * rates["bcl"][0]
assert abs(rates["bcl"][2] - (1 + 2 * 120 / (10 * 3)) / 0.1) < 0.5

# %% [markdown]
# Under SCL every pair opens at the same relative rate, head or tail. Under BCL tail classes open almost seven times faster than
# head classes, and more than four times faster than under SCL.
#
# The formula behind it uses the two roles of notebook 05. Let $\bar z$ be the mean of all $N$ embeddings (here $N = 240$, two
# views each), $\bar\mu$ the mean of the class means, and $n_y$ the number of embeddings of class $y$. Along the sphere, an
# embedding of class $y$ moves
#
# | | as anchor | as contrast |
# |---|---|---|
# | SCL | away from $\bar z$ at rate $\frac1\tau$ | away from $\bar z$ at rate $\frac1\tau$ |
# | BCL | away from $\bar\mu$ at rate $\frac1\tau$ | away from $\bar z$ at rate $\frac1\tau \cdot \frac{N}{K(n_y+1)}$ |
#
# (for SCL up to a factor of $\frac{N}{N-1}$). As anchor, every sample is pushed with the same strength. As contrast, each sample of an averaged class carries $\frac{1}{n_y +
# 1}$ of the weight of its class with *every* anchor, and most anchors belong to the head. For a class with one image ($n_y =
# 2$) this is $240/30 = 8$ times its own push, and the sum $(1 + 8)/0.1 = 90$ is the measured rate; for the
# largest class it is only 0.24. *So the tail leaves first, and for the very reason that made notebook 05 doubt the simplex:
# the anchors of the head push it.*
#
# Does it show in longer paths? Live, with full batches and prototypes at the class means, three seeds:


# %%
def leave_the_start(loss):
    """Deviation of three seeds over 60 small steps with full batches, and the cosines at each moment."""
    settings = {"steps": 60, "learning_rate": 0.01, "record_every": 5, "prototypes": "means"}
    starts = [geometry.embeddings_in_a_cone(120, 10, width=study["cone"], seed=seed) for seed in range(3)]
    paths = [geometry.unconstrained_dynamics(counts, loss, start=start, **settings) for start in starts]
    return torch.stack([path.deviation for path in paths]), torch.stack([path.gram for path in paths])


named = {"SCL": "scl", "BCL": "bcl", "SCL + averaging": "scl-averaging"}
leaving = {name: leave_the_start(loss) for name, loss in named.items()}

# %%
small_steps = list(range(0, 61, 5))
ten = small_steps.index(10)
for name, (path, grams) in leaving.items():
    apart = grams[:, ten].clamp(max=1).acos().rad2deg().mean(dim=0)
    print(
        f"{name:16} 10 steps: {apart[0, 1]:3.0f}° between classes 0 and 1, {apart[8, 9]:3.0f}° between 8 and 9, "
        f"deviation {path[:, ten].mean():.2f}; 60 steps: {path[:, -1].mean():.2f}"
    )
first = {name: path[:, ten] for name, (path, _) in leaving.items()}
assert max(first["BCL"].max(), first["SCL + averaging"].max()) < first["SCL"].min()
assert leaving["SCL"][0][:, -1].mean() < leaving["BCL"][0][:, -1].mean()

# %%
figures.deviation_curves(
    {name: path for name, (path, _) in leaving.items()},
    small_steps,
    moment="step",
    title="From a common start, with full batches",
    look_at="Which loss is ahead at first? Which is closer to the simplex at the end?",
)

# %% [markdown]
# After ten steps both averaged losses are ahead of SCL in every seed: their tail pairs are further apart, although their head
# pairs are closer together. Then SCL catches up, and after sixty steps it is slightly closer than BCL.
#
# ## 4. And later?
#
# The rest takes minutes, so it is stored: 2,000 larger steps from the same start, five seeds, $\tau = 0.1$, full batches.
# Now there are also free prototypes, which start at random places on the sphere.
#
# There is one decision to make. In this simulation a sample steps on the *sum* of the losses of its batch, so that it does
# not move more slowly because the batch is large. Should a prototype step on the sum, or on the mean? In a full batch of 120
# samples that is a factor of 120. **Before you look:** does it matter for where the class means are after 2,000 steps?

# %%
cases = {"SCL": ("scl", None), "BCL, prototypes at the means": ("bcl", "means")}
cases |= {f"BCL, free, prototype rate {rate}": ("bcl", "free", rate) for rate in (1, 10, 120)}
whole = {name: stored("together", 0.1, 120, *case) for name, case in cases.items()}
for name, (end, path, _) in whole.items():
    print(
        f"{name:30} after 2,000 steps {path[:, -1].min():.2f} to {path[:, -1].max():.2f}, optimum {end:.2f}"
    )

# %%
steps = whole["SCL"][2]
drawn = ("SCL", "BCL, free, prototype rate 1", "BCL, free, prototype rate 120")
figures.deviation_curves(
    {name: whole[name][1][:, 1:] for name in drawn},
    steps[1:],
    moment="step",
    ends={name: whole[name][0] for name in drawn},
    logarithmic=True,
    title="Full batches: no class is ever missing",
    look_at="Marks on the right: the certified optima.",
)

# %%
ends = {name: path[:, -1] for name, (_, path, _) in whole.items()}
early = {name: path[:, steps.index(2)] for name, (_, path, _) in whole.items()}
slow, fast = ends["BCL, free, prototype rate 1"], ends["BCL, free, prototype rate 120"]
assert all((early[name] < early["SCL"]).all() for name in whole if name != "SCL")
assert (ends["SCL"] < ends["BCL, prototypes at the means"]).all()
assert fast.max() < slow.min()
assert slow.mean() > 3 * whole["BCL, free, prototype rate 1"][0]

# %% [markdown]
# It matters a lot. With slow prototypes (rate 1, the mean) BCL almost stops, more than three times as far away as its optimum.
# If they step on the sum, as samples do (rate 120), every run gets closer than every slow one. In both, as with prototypes at
# the means, BCL is ahead of SCL in every seed after two steps, and SCL catches up later: the comparison at the end depends on
# the learning rate of the prototypes as much as on the loss. In a network prototypes are computed by a small network from the
# classifier's rows, so neither rate is *the* right one.
#
# What all variants share is that progress becomes slow. At $\tau = 0.1$ the loss and its gradient nearly vanish long before the
# simplex (notebook 07, section 5).
#
# ## 5. What was found, and what was not
#
# | question | free embeddings |
# |---|---|
# | optimum of full batches, $\tau = 0.1$ | no difference between SCL and BCL; $L_3$ with free prototypes almost a simplex |
# | optimum with missing classes | BCL closer, if prototypes are free: they take the push on absent classes |
# | first steps, full batches | BCL first: tail samples are contrast for all anchors of the head, each with $\frac1{n_y + 1}$ of its class |
# | later, full batches | SCL catches up; where BCL is then depends on how fast prototypes move |
#
# **Not looked at:** long paths with missing classes (they mix the effects of sections 2 to 4), other learning rates, other
# starts, and $L_3$ on the way.
#
# ## In one paragraph
#
# Take away the network and let embeddings move freely. If batches miss classes, the optimum itself changes: with free
# prototypes BCL's class means are closer to the simplex than SCL's, because the push on an absent class moves its prototype
# instead of its samples. On the way with full batches, BCL is ahead first. Near a common start SCL opens all pairs of classes at
# the same relative rate; an averaged denominator opens tail classes several times faster, since each of their few samples is
# a large part of its class's term for every anchor of the head. Later SCL catches up, and how BCL with free prototypes compares
# then depends on how fast the prototypes move. Which of this happens in a network is the next question.
#
# **Read more:** Fang et al. (PNAS 2021) study free features for cross-entropy under the name *layer-peeled model*; Graf et al.
# (ICML 2021) do so for the supervised contrastive loss.
#
# ## Exercises
#
# **1. The slope at one point.** Let all embeddings coincide. Derive, for BCL, how fast the mean loss of the full batch falls as
# the cosine of classes $i$ and $j$ falls, for each pair. *(This is a slope with respect to a cosine, not a speed: a pair of tail
# classes has a small slope here, and yet it opens fastest in section 3, because it has few samples to move.)*


# %%
def pair_pushes(class_counts, temperature):
    """Slope of BCL's mean loss in the cosine of each two classes, all embeddings at one point; shape (K, K)."""
    ...  # return a matrix


check("pair_pushes", pair_pushes)

# %% [markdown]
# **2. Missing.** Section 1 counted sampled batches. Compute the probability exactly.


# %%
def chance_to_be_missing(class_counts, batch_size):
    """The chance that a batch, drawn without replacement, has no image of a class, shape (K,)."""
    ...  # return K numbers


check("chance_to_be_missing", chance_to_be_missing)

# %% [markdown]
# **3. Where SCL catches up.** At $\tau = 0.3$ the optimum of BCL with free prototypes is closer to the simplex in batches of
# 64 and further away in full batches. Between which batch sizes does the order change? Why does BCL's optimum move *away*
# as batches grow?
#
# **4. Equal classes.** Let ten classes of 12 samples each start together under SCL and under BCL, with prototypes at the
# means. Which is first? Predict it from the table of section 3 before you try.
