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
# # The simplex, bent: where the class means go in the end
#
# **One class has a hundred times as many images as another. A loss is minimised completely. Where are the class means?**
#
# For every loss of the paper this question has an answer that can be computed *and proved*, in milliseconds. So you will
# slide the imbalance factor and watch the class means leave the regular simplex, and what you see at every position
# is the optimum, with a certificate. Then you will take the certificate apart, find out how many dimensions an optimum
# needs, and compare the losses. Not everything will come out as the paper says.
#
# *Half a minute of computing, an hour of reading and playing. You need the regular simplex (notebook 03) and, for the
# reasons, Theorem 3 (notebook 06). Nothing is trained, nothing is downloaded.*

# %%
import json
import math
from pathlib import Path

import torch
from IPython.display import display

from bcl_edu import geometry
from bcl_edu.course import figures
from bcl_edu.course.exercises import check
from bcl_edu.course.widgets.explorer import SimplexExplorer
from bcl_edu.data import exponential_profile

torch.set_num_threads(1)  # many small matrices: threads would only wait for each other

# %% [markdown]
# ## 1. Bend it
#
# The explorer shows two losses side by side. The largest class always has 5,000 images, the others fall by the same
# factor from class to class (notebook 02). **Write down your predictions before you touch anything:**
#
# 1. At imbalance factor 1, where are the class means under each loss? Is a factor of 2 enough to move them?
# 2. The temperature is 0.5 and the factor 100. SCL on the left, BCL on the right: which of the two is nearer to the simplex,
#    and by how much?
# 3. The same at temperature 0.1, as in the paper? And at 1?
# 4. Which classes come close to each other, and can two of them end up in *one point*?
# 5. Choose *BCL, class-averaged anchors* on the right. What will the imbalance factor do?
#
# Every slider answers the arrow keys. With up to four classes the picture is exact; with more it is a projection, and the
# angles and the curve are what to trust.

# %%
explorer = SimplexExplorer(imbalance_factor=100, temperature=0.5, losses=["scl", "bcl"])
display(explorer)

# %% [markdown]
# *(No kernel? `python -m bcl_edu.course.widgets.explorer explorer.html` writes the same explorer as a page that needs
# none, and `make site` has it. This is what it looks like:)*
#
# ![The explorer: four class means on a sphere at imbalance factor 100 and temperature 0.5, under SCL, where the two rarest
# are 62 degrees apart, and under BCL with class-averaged anchors, where every two are 109 degrees apart; tables of the angles,
# the class counts, and the distance from the simplex over the imbalance factor](../docs/simplex_explorer.png)
#
# The sliders set one problem, and Python can solve it again. **What the browser shows and what
# `geometry.certified_optimum` finds are two programmes in two languages;** if you run this cell after moving a slider,
# it compares them at *your* settings. The explorer counts each image twice, for its two views.

# %%
for loss in explorer.losses:
    found = geometry.certified_optimum(explorer.settings.compositions, loss, temperature=explorer.temperature)
    shown = [o["deviation"]["rms"] for o in explorer.state.get("optima", []) if o["loss"] == loss]
    print(f"{loss}: deviation {found.deviation.rms:.4f}, in the browser {[round(rms, 4) for rms in shown]}")
    assert found.certified
    assert all(abs(rms - found.deviation.rms) < 2e-3 for rms in shown)

# %% [markdown]
# (An empty list: nothing was drawn yet when the cell ran. With the explorer in sight, run it again.) Here is the plainest case, to keep: three classes under BCL at temperature 1.
# Three class means at an optimum always lie in a plane, so a circle shows all there is. Slide the factor.


# %%
def profile(imbalance_factor, num_classes):
    """Class counts as the explorer has them: without the floor, so nothing jumps."""
    k = torch.arange(num_classes, dtype=torch.float64)
    return 5000 * imbalance_factor ** (-k / (num_classes - 1))


def turned(means):
    """The same three points in the plane with class 0 on the right and class 1 above it."""
    flat = torch.nn.functional.pad(means, (0, 2 - means.shape[1]))
    c, s = flat[0]
    around = flat @ torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
    return around * torch.tensor([1.0, 1.0 if around[1, 1] >= 0 else -1.0])


# %%
positions = {}
for factor in (1, 2, 5, 10, 20, 50, 100, 1000):
    optimum = geometry.certified_optimum(profile(factor, 3), "bcl", temperature=1.0)
    angle = math.degrees(math.acos(optimum.gram[1, 2].clamp(-1, 1)))
    title = f"BCL's optimum: {angle:.0f}° between the smaller classes"
    counts = profile(factor, 3).int()
    positions[str(factor)] = figures.class_mean_sphere(turned(optimum.means), counts, title=title)
    assert optimum.certified
    if factor in (1, 100):
        assert abs(angle - {1: 120, 100: 0}[factor]) < 1e-3
figures.film(positions, quantity="imbalance factor", start="10")

# %% [markdown]
# At 1 the three classes are 120° apart. From then on the two smaller ones close up behind the back of the head, and at
# 100 they are in one point. *No network, no optimiser, no randomness is in this picture:* it is where the loss itself
# wants the classes to be. What stands behind it?
#
# ## 2. A valley without side valleys
#
# **Collapse first.** Put all samples of a class, and its prototype, at one point $\mu_y$ of the sphere. What is left of
# BCL (Eq. 9), averaged over the samples, depends on the class means only through their cosines, the Gram matrix $G_{yj} =
# \mu_y \cdot \mu_j$:
#
# $$f(G) = \sum_y p_y \log\Bigl(1 + \sum_{j \ne y} e^{(G_{yj} - 1)/\tau}\Bigr), \qquad p_y = n_y / |D| .$$
#
# | in the paper | in the code | what it is |
# |---|---|---|
# | $z_i$, $c_j$ | a row of `optimum.means` | at collapse, every sample and its prototype are at the class mean $\mu_y$ |
# | $\tau$ | `temperature` | temperature |
# | not named | `optimum.gram` | $G$, cosines between class means |
# | not named | `optimum.lower_bound` | what no configuration goes below |
#
# Each term is a log-sum-exp of the entries of $G$, and that is a **convex** function: on the straight line between two
# matrices it lies nowhere above the chord. The Gram matrices are a convex set as well: positive semidefinite,
# with ones on the diagonal. A convex function on a convex set has no local minimum that is not global.
#
# **Before you run the cell:** 300 pairs of random geometries, a random place between each. How often will the loss
# there be above the chord?


# %%
def random_gram(generator, num_classes=6, dimension=5):
    """Cosines of random unit vectors."""
    points = torch.randn(num_classes, dimension, generator=generator, dtype=torch.float64)
    return geometry.cosine_matrix(points)


def f(gram, loss="bcl", temperature=1.0):
    """A loss at collapse, for six classes of imbalance factor 100."""
    return geometry.collapsed_loss(gram, profile(100, 6), loss, temperature=temperature)


# %%
generator = torch.Generator().manual_seed(0)
for loss in ("scl", "scl-complement", "scl-averaging", "bcl", "bcl-class-anchors"):
    above = []
    for _ in range(300):
        first, second = random_gram(generator), random_gram(generator)
        t = torch.rand((), generator=generator).item()
        chord = (1 - t) * f(first, loss) + t * f(second, loss)
        above.append(f((1 - t) * first + t * second, loss) - chord)
    print(f"{loss:18} largest height above the chord {max(above):+.1e}")
    assert max(above) < 1e-12

# %% [markdown]
# Never, for any of the losses. The *embeddings* have no such luck. A geometry and its mirror image have the same loss,
# and half way between them, back on the sphere, there need not be anything good:

# %%
optimal = geometry.certified_optimum(profile(100, 6), "bcl", temperature=1.0).means
mirrored = optimal * torch.tensor([-1.0] + [1.0] * (optimal.shape[1] - 1), dtype=torch.float64)
between = f(geometry.cosine_matrix(optimal + mirrored))
ends = [f(means @ means.T) for means in (optimal, mirrored)]

print(f"at both ends {ends[0]:.4f} and {ends[1]:.4f}, half way between them {between:.4f}")
assert abs(ends[0] - ends[1]) < 1e-12 < 0.01 < between - ends[0]

# %% [markdown]
# That is why gradient descent on embeddings proves nothing, and why we look at $G$. (What does *not* follow: that no
# spread-out, uncollapsed configuration is better. For SCL and class-averaging, Jensen's inequality shows that none is;
# with prototypes at the class means none was found.)
#
# ## 3. The certificate
#
# "My solver stopped here" is no proof. This is, and you could check it by hand. A convex function lies above its tangent
# planes: with $g = \nabla f(G)$,
#
# $$f(H) \;\ge\; f(G) + \langle g, H - G\rangle \qquad \text{for every Gram matrix } H.$$
#
# So we need to know how negative $\langle g, H \rangle$ can be. Take *any* numbers $\lambda_1, \dots, \lambda_K$ and
# put them on the diagonal: $S = g + \operatorname{Diag}(\lambda)$. Since $H_{ii} = 1$,
#
# $$\langle g, H\rangle = \langle S, H\rangle - \sum_i \lambda_i \;\ge\; -K \max\bigl(0, -\lambda_{\min}(S)\bigr) - \sum_i
# \lambda_i ,$$
#
# because $H$ has no negative eigenvalue and its eigenvalues add up to $K$. Put together, for the minimum $f^*$:
#
# $$f(G) - f^* \;\le\; \langle g, G \rangle + \sum_i \lambda_i + K \max\bigl(0, -\lambda_{\min}(S)\bigr) .$$
#
# The right side is the **duality gap**. Any $\lambda$ makes it true; $\lambda_i = -(gG)_{ii}$ makes it small. In code, first
# $g$ by automatic differentiation (`terms` lists the logarithms that $f$ is a sum of), then the gap and $S$:


# %%
def gradient(gram, terms):
    """Gradient of f at a Gram matrix, symmetric."""
    G = gram.clone().requires_grad_()
    logits = (G[torch.as_tensor(terms.anchor)] - 1) / terms.temperature
    inside = torch.as_tensor(terms.own) + (torch.as_tensor(terms.others) * logits.exp()).sum(dim=1)
    (slope,) = torch.autograd.grad(torch.as_tensor(terms.weight) @ inside.log(), G)
    return (slope + slope.T) / 2


# %%
def gap_and_slack(gram, terms):
    """The duality gap, and the matrix S."""
    g = gradient(gram, terms)
    multipliers = -(g @ gram).diagonal()
    slack = g + multipliers.diag()
    lowest = torch.linalg.eigvalsh(slack)[0]
    return ((g * gram).sum() + multipliers.sum() + len(gram) * (-lowest).clamp(min=0)).item(), slack


# %% [markdown]
# **Before you run the cell:** the gap at the optimum, at the regular simplex, and at random geometries. A gap is a
# promise about how much could be gained at most. How much of it is really there to gain?

# %%
counts = profile(100, 6)
terms = geometry.collapsed_terms(counts, "bcl", temperature=1.0)
best = geometry.certified_optimum(counts, "bcl", temperature=1.0)

simplex = geometry.cosine_matrix(geometry.regular_simplex(6))
for name, gram in {"optimum": best.gram, "simplex": simplex, "random": random_gram(generator)}.items():
    gap, _ = gap_and_slack(gram, terms)
    print(f"{name:8} loss {terms.value(gram):.6f}, gap {gap:.1e}, truly {terms.value(gram) - best.value:.1e}")
    assert terms.value(gram) - best.value <= gap + 1e-12
assert gap_and_slack(best.gram, terms)[0] < 1e-10

# %% [markdown]
# At the optimum nothing is left to gain, to ten digits or more. At the simplex a good deal is, and the gap, a promise
# that must hold for the worst case, is larger still. **Try to break it:** ten thousand random geometries and small
# changes of the optimum. Does any of them go below the lower bound?

# %%
lowest = math.inf
for trial in range(10_000):
    step = (1.0, 0.3, 0.1, 0.01)[trial % 4]
    noise = torch.randn(best.means.shape, generator=generator, dtype=torch.float64)
    lowest = min(lowest, terms.value(geometry.cosine_matrix(best.means + step * noise)))
print(f"lowest of 10,000: {lowest:.6f}; optimum {best.value:.6f}, at least {best.lower_bound:.6f} anywhere")
assert lowest >= best.lower_bound

# %% [markdown]
# ## 4. How many dimensions an optimum needs
#
# Why is a circle enough for three classes, and a sphere for four? At an optimum the gap is 0, which means $\langle S,
# G\rangle = 0$ with both matrices positive semidefinite, so $SG = 0$: the columns of $G$ lie where $S$ vanishes. But
# $S$ is not zero. Off its diagonal it is $g$, and every entry of $g$ is positive, since two classes that come closer
# always make the loss larger. So $\operatorname{rank} S \ge 1$, and
#
# $$\operatorname{rank} G \;\le\; K - \operatorname{rank} S \;\le\; K - 1 .$$

# %%
_, slack = gap_and_slack(best.gram, terms)
rank_of_slack = int(torch.linalg.matrix_rank(slack, atol=1e-8))
print(f"K = 6: rank of S {rank_of_slack}, dimensions of the optimum {best.means.shape[1]}")
assert (slack @ best.gram).abs().max() < 1e-8
assert slack[~torch.eye(6, dtype=torch.bool)].min() > 0
assert best.means.shape[1] <= 6 - rank_of_slack <= 5

# %% [markdown]
# Here the optimum needs even fewer than five, and we shall come back to that.
#
# **And with less room?** If the embedding has too few dimensions, the Gram matrices of that rank are no convex set, and
# the proof is gone. `certified_optimum` then returns the best of several starts and says that it proves nothing:

# %%
for dimension in (2, 3, 4):
    best_found = geometry.certified_optimum(profile(100, 5), "bcl", temperature=0.1, dimension=dimension)
    print(
        f"5 classes in {dimension} dimensions: loss {best_found.value:.1e}, certified: {best_found.certified}"
    )
    assert best_found.certified == (dimension == 4)

# %% [markdown]
# Every certified result in this notebook has room for $K-1$ dimensions; the paper's heads have 128 and more, so for 100
# classes that is no restriction.
#
# ## 5. Is BCL nearer to the simplex than SCL?
#
# Back to your second prediction, now for ten classes as in CIFAR-10-LT and for all factors. **Before you look:** sketch
# the four curves, SCL, BCL, BCL with anchors averaged per class (notebook 06), and logit compensation (LC, Eq. 10), for which
# features and classifier rows are of length 1 at most and their products are divided by the temperature.

# %%
factors = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
named = {"scl": "SCL", "bcl": "BCL (Eq. 9)", "bcl-class-anchors": "BCL, class-averaged anchors", "lc": "LC"}


def deviations(loss, temperature):
    """Simplex deviation of the certified optimum at every factor, ten classes."""
    optima = [geometry.certified_optimum(profile(x, 10), loss, temperature=temperature) for x in factors]
    assert all(optimum.certified for optimum in optima)
    return [optimum.deviation.rms for optimum in optima]


# %%
def curves(found, positions, varied, title):
    """A line a loss; every mark is a certified optimum."""
    runs = {name: torch.tensor([values]) for name, values in found.items()}
    look_at = "0 is the regular simplex; every mark is a certified optimum."
    return figures.deviation_curves(
        runs, positions, moment=varied, logarithmic=True, title=title, look_at=look_at
    )


# %%
low = {name: deviations(loss, 0.1) for loss, name in named.items()}
difference = max(abs(b - s) for b, s in zip(low["BCL (Eq. 9)"], low["SCL"], strict=True))
print(f"largest difference between BCL and SCL: {difference:.4f}, where SCL reaches {low['SCL'][-1]:.3f}")
assert difference < 0.002
assert max(low["BCL, class-averaged anchors"]) < 1e-6
curves(low, factors, "imbalance factor", "Temperature 0.1, ten classes")

# %% [markdown]
# **At the paper's temperature the two curves are one.** At its exact optimum BCL is no closer to the regular simplex
# than SCL, at any imbalance factor; averaging the *denominator* over classes has changed the geometry by less than two
# thousandths. Averaging the *anchors*, too, keeps it a simplex at every factor: that is the corrected Theorem 3. *(If
# you predicted otherwise, you read the paper well. It is its Theorem 3 that misleads.)* And at temperature 1, that of
# the theorem?

# %%
high = {name: deviations(loss, 1.0) for loss, name in named.items()}
nearer = [x for x, b, s in zip(factors, high["BCL (Eq. 9)"], high["SCL"], strict=True) if b < s - 1e-6]
at_100 = {name: curve[factors.index(100)] for name, curve in high.items()}
print(f"BCL is nearer than SCL at factors {nearer}; at 100:", {n: round(x, 3) for n, x in at_100.items()})
assert nearer == [2]
assert at_100["BCL (Eq. 9)"] > 2 * at_100["SCL"]
curves(high, factors, "imbalance factor", "Temperature 1, ten classes")

# %% [markdown]
# For a mild imbalance BCL bends a little less, for a strong one much more. So neither "BCL is nearer" nor "SCL is
# nearer" is true of the optima in general: it depends on the temperature, the factor and the number of classes. Here is
# a corner where BCL is the nearer one, four classes at temperature 0.3. Set it in the explorer, too:

# %%
for factor in (2, 10, 100, 1000):
    scl, bcl = (
        geometry.certified_optimum(profile(factor, 4), loss, temperature=0.3).deviation.rms
        for loss in ("scl", "bcl")
    )
    print(f"4 classes, temperature 0.3, factor {factor:4}: SCL {scl:.4f}, BCL {bcl:.4f}")
    assert 0.9 * scl < bcl < scl

# %% [markdown]
# A tenth at best. And for ten classes at factor 100, over the temperatures? **Before you look:** is a low temperature
# good or bad for the simplex?

# %%
temperatures = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0)
by_temperature = {"SCL": [], "BCL (Eq. 9)": []}
for loss, name in list(named.items())[:2]:
    for tau in temperatures:
        optimum = geometry.certified_optimum(profile(100, 10), loss, temperature=tau)
        by_temperature[name].append(optimum.deviation.rms)
worse = [b - s for b, s in zip(by_temperature["BCL (Eq. 9)"], by_temperature["SCL"], strict=True)]
assert min(worse) > -0.001  # ten classes, factor 100: never nearer than SCL
assert all(curve == sorted(curve) for curve in by_temperature.values())
curves(by_temperature, temperatures, "temperature", "Ten classes, imbalance factor 100")

# %% [markdown]
# Both bend more the higher the temperature, and BCL more than SCL. **A low temperature protects the simplex**, under
# either loss: the exponential forgets classes that are far away, and each class minds its nearest neighbour, whatever its
# size. What bends is what the loss still notices.
#
# ## 6. Do the tail classes merge?
#
# In the film two classes ended in one point. What happens with ten? Here are the cosines at factor 100, temperature 1:

# %%
optima = {
    named[loss]: geometry.certified_optimum(profile(100, 10), loss, temperature=1.0)
    for loss in ("scl", "bcl")
}
figures.cosine_heatmap(
    {name: optimum.gram for name, optimum in optima.items()},
    profile(100, 10).int(),
    title="Factor 100, temperature 1",
)

# %% [markdown]
# *Look at the lower right corner of BCL:* 1.00 between the three smallest classes. **Before you run the cell:** is that
# one point, or nearly one? A certified optimum is exact enough to tell.


# %%
def angle_between(gram, i, j):
    """Degrees between two class means."""
    return math.degrees(math.acos(gram[i, j].clamp(-1, 1)))


gram = optima["BCL (Eq. 9)"].gram
for pair in ((7, 8), (8, 9), (7, 9)):
    print(f"between classes {pair[0]} and {pair[1]}: {angle_between(gram, *pair):.2f}°")
assert 0.5 < angle_between(gram, 8, 9) < 1 < angle_between(gram, 7, 9) < 3

# %%
dimensions = {}
for factor in (1, 10, 30, 100, 1000):
    optimum = geometry.certified_optimum(profile(factor, 10), "bcl", temperature=1.0)
    dimensions[factor] = optimum.means.shape[1]
print("dimensions of the optimum, by imbalance factor:", dimensions)
assert (dimensions[1], dimensions[100], dimensions[1000]) == (9, 6, 4)

# %% [markdown]
# They *all but* merge: less than three degrees apart, and no more than that. What vanishes exactly is something else,
# the **dimensions**. Ten classes need nine at factor 1, six at 100 and four at 1,000. Three classes have one dimension
# to lose, and losing it puts both smaller ones into one point. Classes of *equal* counts, too, can merge exactly:

# %%
two_tails = geometry.certified_optimum([200, 2, 2], "bcl", temperature=1.0)
equal_tail = geometry.certified_optimum([5000] * 5 + [50] * 5, "bcl", temperature=1.0)
print(f"200, 2, 2: {two_tails.gram[1, 2]:.9f};  5 x 5,000 and 5 x 50: {equal_tail.gram[5, 9]:.9f}")
assert abs(two_tails.gram[1, 2] - 1) < 1e-9
assert abs(equal_tail.gram[5:, 5:].min() - 1) < 1e-6
assert equal_tail.means.shape[1] == 5  # as for six classes: the tail is one

# %% [markdown]
# A step profile with a small tail: all five tail classes are one point, and the optimum is a picture of six classes.
# This is *minority collapse* (Fang et al., PNAS 2021, found it for cross-entropy), and a loss with "balanced" in its
# name has it. The reason is that of notebook 06: the denominator is balanced, the anchors are not. Five tail classes at
# one point pay dearly, but they are one per cent of the anchors.
#
# ## 7. Full data or mini-batches?
#
# All this was the full data as one batch. Training takes mini-batches, and in most of them some classes are missing. In
# the explorer, choose a batch size: SCL's picture moves. And BCL's? **Before you run the cell**, think of what the loss
# of a collapsed batch depends on, with every prototype present and at its class mean.

# %%
small = exponential_profile(500, 5, imbalance_factor=100)
rms = {}
for size in (8, 32, 256):
    batches = geometry.sampled_batches(small, size, num_batches=1000)
    for loss in ("scl", "bcl", "bcl-class-anchors"):
        rms[size, loss] = geometry.certified_optimum(batches, loss, temperature=0.3).deviation.rms
        print(f"batch {size:3}, {named[loss]:26} {rms[size, loss]:.3f}")

full = geometry.certified_optimum(small, "bcl", temperature=0.3).deviation.rms
assert all(abs(rms[size, "bcl"] - full) < 0.01 for size in (8, 32, 256))
assert rms[8, "bcl-class-anchors"] > 0.1 > 0.01 > rms[256, "bcl-class-anchors"]

# %% [markdown]
# BCL does not care: each anchor sees all $K$ prototypes at the class means whoever else is in the batch, so only the
# frequency of anchors counts, and that is the class frequency in any batch size (the differences are those of
# sampling). Averaging the anchors per class repairs the geometry only if the batch is large enough to have all classes.
#
# But we put each prototype *at* its class mean. In training it is a free vector. If we leave it free, the optimum is another
# one, and now BCL has something that SCL has not. Ten classes, 50 images down to 1, as in
# `benchmarks/mini_batch_geometry.py` (notebook 08):

# %%
record = json.loads(Path("../benchmarks/results/mini_batch_geometry.json").read_text())
kinds = {"SCL": ("scl", "tied"), "BCL, tied": ("bcl", "tied"), "BCL, free": ("bcl", "free")}
found = {}
for size in (8, 32):
    batches = geometry.sampled_batches(record["counts"], size, num_batches=4000, views=record["views"])
    for name, (loss, prototypes) in kinds.items():
        found[size, name] = geometry.certified_optimum(batches, loss, temperature=0.3, prototypes=prototypes)
        assert found[size, name].certified

# %%
for size in (8, 32):
    rms = {name: found[size, name].deviation.rms for name in kinds}
    print(f"batch {size:2}:", {name: round(value, 3) for name, value in rms.items()})
    assert rms["BCL, free"] < 0.7 * rms["SCL"] < rms["SCL"] < rms["BCL, tied"]
assert found[8, "BCL, free"].deviation.rms < 0.3 * found[8, "SCL"].deviation.rms

case = {"temperature": 0.3, "batch_size": 8, "loss": "bcl", "prototypes": "free"}
(stored,) = (row["optimum"] for row in record["rows"] if row | case == row)
assert abs(stored - found[8, "BCL, free"].deviation.rms) < 1e-6

# %% [markdown]
# With free prototypes and small batches BCL *is* much nearer to the simplex than SCL. Here class-complement helps the
# geometry, in a way that Theorem 3 does not speak of. **Before you run the cell:** something must have given way. What?

# %%
best_8 = found[8, "BCL, free"]
prototypes = geometry.simplex_deviation(best_8.keys)
print(f"class means {best_8.deviation.rms:.4f} from the simplex, their prototypes {prototypes.rms:.4f}")
assert prototypes.rms > 3 * best_8.deviation.rms

# %% [markdown]
# The class means keep to the simplex, and their prototypes do not. Whether *training* gets to such an optimum, and
# what it does on the way, is the next notebook's question.
#
# ## In one paragraph
#
# At collapse each of the paper's losses is a convex function of the cosines between the class means, so its optimum can
# be computed and certified by a duality gap: a tangent plane, a multiplier for each class and one smallest eigenvalue.
# The optimum has at most $K-1$ dimensions, so three classes on a circle and four on a sphere are exact pictures; in
# fewer dimensions nothing is certified. As soon as the classes are unequal every loss but one leaves the regular
# simplex; the one is BCL with anchors averaged per class. At the paper's temperature of 0.1 BCL and SCL have the same
# geometry to within two thousandths: at its exact optimum BCL is no closer to the simplex than SCL. At temperature 1 it
# is a little closer for a factor of 2 and further away from five on, at 100 more than twice as far; there the optimum loses
# dimensions, and the tail classes all but merge, or merge exactly if they are equal or only one dimension is left. With
# small batches and free prototypes, on the other hand, BCL's class means are several times nearer to the simplex than
# SCL's. What is balanced is thus not the optimum that the paper's theorem is about.
#
# ## Exercises
#
# **1. The loss at collapse.** Write $f(G)$ of section 2. The checker tries your function on hidden cases and tells you
# what kind of mistake it sees, never the answer.


# %%
def loss_at_collapse(gram, class_counts, temperature):
    """BCL (Eq. 9) of collapsed classes, mean over all samples."""
    ...  # return one number


check("loss_at_collapse", loss_at_collapse)

# %% [markdown]
# **2. The certificate.** Write the duality gap without looking at section 3.


# %%
def duality_gap(gram, gradient):
    """How far above its minimum a convex loss of the Gram matrix can be."""
    ...  # return one number


check("duality_gap", duality_gap)

# %% [markdown]
# **3. The first lost dimension.** At factor 10 the optimum of BCL at temperature 1 uses all nine dimensions, at 30 only
# eight. At which whole factor does it lose the first? How far apart are the two smallest classes there?
#
# **4. Half a correction.** Let a class weigh as $n_y^{\,a}$ among the anchors: $a = 1$ is Eq. 9, $a = 0$ are
# class-averaged anchors. *(At collapse* `certified_optimum(counts ** a, "bcl")` *computes it.)* How much of the
# deviation is left for $a = \frac12$, at the paper's temperature? Would you expect a network to notice?
