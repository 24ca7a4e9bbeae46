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
# # The regular simplex: as far apart as possible, all at once
#
# **$K$ classes share one sphere. How far apart can *all* of them be at the same time, and how many dimensions does that
# take?**
#
# You will break a definition condition by condition, derive its one angle with pencil and paper, try to beat it with
# random search and gradient descent, and prove that equal classes go there under the contrastive loss.
#
# *Half a minute of computing, fifty minutes of reading (fifteen of them for the optional section 6); exercises take
# longer. From [01_first_look](01_first_look.ipynb) you need embeddings on the unit sphere, class means and cosines.
# Nothing is trained.*
#
# | symbol of the paper | in code | what it is |
# |---|---|---|
# | $K$ | `num_classes` | number of classes |
# | $h$ | `dimension` | dimension of the space of embeddings |
# | $\zeta_k$ | `vertices[k]` | vertex $k$ of a regular simplex |
# | $\mu_k$ | `means[k]` | class mean |
# | $G$ | `cosine_matrix(means)` | matrix of the cosines between all class means |
# | $\tau$ | `temperature` | temperature of the loss |

# %%
import textwrap
from itertools import permutations

import torch
from torch.nn.functional import normalize

from bcl_edu.course import figures
from bcl_edu.course.exercises import check
from bcl_edu.data import exponential_profile
from bcl_edu.geometry import (
    certified_optimum,
    check_regular_simplex,
    collapsed_loss,
    cosine_matrix,
    regular_simplex,
    simplex_deviation,
)

# %% [markdown]
# ## 1. Three conditions
#
# The paper defines a **regular simplex** inscribed in a sphere by three conditions. For the unit sphere, points
# $\zeta_1, \dots, \zeta_K$ in $\mathbb{R}^h$ are its vertices if
#
# - (a) $\sum_k \zeta_k = 0$: they are balanced around the centre,
# - (b) $\lVert \zeta_k \rVert = 1$: they lie on the sphere,
# - (c) $\zeta_i \cdot \zeta_j = d$ for all $i \neq j$: any two are equally far apart.
#
# An equilateral triangle is an example. **Before you run the cells:** which of the conditions hold for a square? For the
# coordinate axes of space? For a triangle of half the size? For one with two points at each corner?


# %%
def at(*degrees):
    """Unit vectors on the circle at these angles."""
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], dim=1)


points = {
    "triangle": at(0, 120, 240),
    "square": at(0, 90, 180, 270),
    "axes": torch.eye(3, dtype=torch.float64),
    "half the size": 0.5 * at(0, 120, 240),
    "doubled triangle": at(0, 0, 120, 120, 240, 240),
}

# %%
holds = {}
for name, z in points.items():
    found, on_sphere = check_regular_simplex(z), torch.allclose(z.norm(dim=1), torch.ones(()).double())
    holds[name] = (found.centred, on_sphere, found.equal_products)
    print(f"{name:16}", "  ".join(f"({c}) {yes!s:5}" for c, yes in zip("abc", holds[name], strict=True)))

assert [name for name, conditions in holds.items() if all(conditions)] == ["triangle"]
assert (holds["axes"], holds["half the size"]) == ((False, True, True), (True, False, True))
assert holds["square"] == holds["doubled triangle"] == (True, True, False)

# %% [markdown]
# Only the triangle passes, and each of the others fails exactly one condition, so none of the three can be dropped. In
# the square, neighbours are closer than opposite corners; in the doubled triangle, two points share each corner. The axes
# are at right angles to each other but crowded into one corner of space: spreading them would increase every distance.
#
# ## 2. One angle, by pencil and paper
#
# The distance between the points follows from the conditions. The sum has length zero by (a); multiply out its square
# with (b) and (c):
#
# $$0 = \Bigl\lVert \sum_k \zeta_k \Bigr\rVert^2 = \sum_k \lVert\zeta_k\rVert^2 + \sum_{i \neq j} \zeta_i \cdot \zeta_j
# = K + K(K-1)\,d \qquad\Longrightarrow\qquad d = -\frac{1}{K-1} .$$
#
# **Before you run the cell:** three classes are 120° apart. What is the angle between any two of 4 classes, of 10,
# of 100?

# %%
for num_classes in (2, 3, 4, 10, 100):
    vertices = regular_simplex(num_classes)
    between = (vertices @ vertices.T)[~torch.eye(num_classes, dtype=torch.bool)]
    angle = between[0].acos().rad2deg()
    print(f"K = {num_classes:3}: every cosine is {between[0]:7.4f}, every angle {angle:6.2f}°")
    assert (between + 1 / (num_classes - 1)).abs().max() < 1e-12

# %% [markdown]
# With many classes the angles are barely above 90°. They still matter: a hundred coordinate axes all lie *in one corner*
# of space, while a hundred vertices of a simplex are balanced around the centre.
#
# Three points form a triangle, four a tetrahedron; both pictures are exact. **Turn the second one.** Is any vertex in a
# better position than another?

# %%
equal_counts = torch.full((4,), 50)
figures.class_mean_sphere(regular_simplex(3), equal_counts[:3], title="Three classes on the circle")

# %%
figures.class_mean_sphere(regular_simplex(4), equal_counts, title="Four classes in space")

# %% [markdown]
# ## 3. Building one
#
# How do you construct such points for any $K$? The $K$ coordinate axes already satisfy (b) and (c). Only (a) is missing,
# so subtract their mean and restore the length:
#
# $$\zeta_k = \sqrt{\tfrac{K}{K-1}}\,\Bigl(e_k - \tfrac{1}{K}\textstyle\sum_j e_j\Bigr) .$$
#
# **Before you run the cell:** these points have $K$ coordinates. How many dimensions do they *span*?

# %%
num_classes = 5
axes = torch.eye(num_classes, dtype=torch.float64)
vertices = normalize(axes - axes.mean(dim=0), dim=1)

assert check_regular_simplex(vertices).is_regular
print("singular values:", [round(value, 3) for value in torch.linalg.svdvals(vertices).tolist()])
print("rank:", int(torch.linalg.matrix_rank(vertices)))
assert torch.linalg.matrix_rank(vertices) == num_classes - 1

# %% [markdown]
# One fewer than they have coordinates: subtracting the mean removed one direction. So the $K$ vertices of a regular
# simplex fit into $h = K - 1$ dimensions. `regular_simplex(K, h)` uses one new axis for each new vertex and sets any
# further coordinates to zero:

# %%
print(regular_simplex(4, dimension=3).numpy().round(3))

# %% [markdown]
# ## 4. Why it is ideal
#
# ### Nothing is further apart
#
# Take any $K$ unit vectors. The squared length of their sum cannot be negative, so
#
# $$0 \le \Bigl\lVert \sum_k z_k \Bigr\rVert^2 = K + \sum_{i \neq j} z_i \cdot z_j
# \qquad\Longrightarrow\qquad \operatorname{mean}_{i \neq j}\, z_i \cdot z_j \ge -\frac{1}{K-1} .$$
#
# The *largest* cosine is at least the mean, so the closest pair can never be further apart than in the simplex. It is
# equally far apart only if all cosines are equal to $-\frac{1}{K-1}$ (condition c), and then the sum has length 0
# (condition a). Up to rotation and reflection, the simplex is the only best arrangement.
#
# **Try to beat it.** Among 100,000 random placements of four points in space, how close does the best come to $-1/3$?


# %%
def largest_cosine(z):
    """Cosine of the closest pair, for one set of points or for many: shape (..., K, dimension)."""
    products = z @ z.mT
    itself = torch.eye(z.shape[-2], dtype=torch.bool)
    return products.masked_fill(itself, -torch.inf).flatten(-2).max(dim=-1).values


# %%
generator = torch.Generator().manual_seed(0)
anywhere = normalize(torch.randn(100_000, 4, 3, generator=generator, dtype=torch.float64), dim=-1)
closest = largest_cosine(anywhere)
print(f"closest pair: {closest.mean():.3f} on average, {closest.min():.3f} at best; simplex {-1 / 3:.3f}")
assert closest.min() > -1 / 3

# %% [markdown]
# The best random placement stays clearly short of the simplex. Gradient descent does better: it moves each point away from
# its nearest neighbours. (The largest cosine is not differentiable everywhere, so we minimise a smooth version and
# sharpen it step by step.)


# %%
def pushed_apart(num_points, dimension, starts=8, seed=0):
    """Unit vectors whose closest pair is as far apart as gradient descent makes it, the best of several starts."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(starts, num_points, dimension, generator=generator, dtype=torch.float64).requires_grad_()
    itself = torch.eye(num_points, dtype=torch.bool)
    for sharpness in (4, 16, 64, 256, 1024):
        optimizer = torch.optim.Adam([x], lr=sharpness**-0.75)
        for _ in range(120):
            z = normalize(x, dim=-1)
            cosines = (z @ z.mT).masked_fill(itself, -torch.inf)
            smooth_largest = (sharpness * cosines).flatten(1).logsumexp(dim=1) / sharpness
            optimizer.zero_grad()
            smooth_largest.sum().backward()
            optimizer.step()
    z = normalize(x.detach(), dim=-1)
    return z[largest_cosine(z).argmin()]


# %%
four = pushed_apart(4, 3)
print(cosine_matrix(four).numpy().round(3))
print(f"simplex deviation: {simplex_deviation(four).rms:.4f}")
assert simplex_deviation(four).rms < 0.01

# %% [markdown]
# From random starts, gradient descent ends at the simplex. From here on we measure how far something is from it by its
# *simplex deviation* (`simplex_deviation`): the root mean square (`rms`) of $\mu_i \cdot \mu_j + \frac{1}{K-1}$ over
# all pairs $i \neq j$ of class means, each scaled to length 1. It is 0 at the simplex and nowhere else.
#
# ### Equal classes go there under the contrastive loss
#
# A network does not maximise distances; it minimises a loss. Suppose every class has *collapsed* (all its embeddings
# coincide) and all classes are equally large. At which points is the supervised contrastive loss of Khosla et al. (2020)
# smallest? It depends only on the matrix $G$ of the cosines between the classes, and it is convex in $G$.
# `certified_optimum` minimises it and returns a *certificate*: an upper bound on how far its answer can be from the
# minimum (notebook 07 shows how that works). **Before you run the cell:** will the answer depend on the temperature?

# %%
for temperature in (0.1, 0.3, 1.0):
    optimum = certified_optimum(torch.full((10,), 50), "scl", temperature=temperature)
    print(
        f"temperature {temperature}: simplex deviation {optimum.deviation.rms:.6f}, certified: {optimum.certified}"
    )
    assert optimum.certified and optimum.deviation.rms < 1e-3

# %% [markdown]
# The regular simplex, at all three temperatures. Three temperatures prove nothing about the others, but three lines do.
# Write $f(G)$ for the loss of equal classes at collapse.
#
# 1. *Average over all renamings of the classes.* Renaming equal classes does not change $f$, and $f$ is convex. So the mean
#    $\bar G$ of all renamed copies of $G$ satisfies $f(\bar G) \le f(G)$. All its off-diagonal entries equal one number $d$,
#    the mean cosine of $G$.
# 2. *$f(\bar G)$ increases with $d$:* a larger cosine between two classes raises the denominator of both.
# 3. *$d \ge -\frac1{K-1}$*, as shown above. So $f(G) \ge f(\bar G) \ge f(\text{simplex})$, at every temperature. $\;\blacksquare$
#
# In step 1, $f$ is strictly convex in the off-diagonal cosines (it is a sum of terms $\log(1 + \sum e^{\dots})$), so only the
# simplex attains the minimum. Here are both steps for twenty random arrangements of four classes, with all 24 renamings:

# %%
equal = torch.full((4,), 50)
simplex = cosine_matrix(regular_simplex(4))
generator = torch.Generator().manual_seed(0)
for temperature in (0.1, 1.0):
    for _ in range(20):
        G = cosine_matrix(torch.randn(4, 3, generator=generator, dtype=torch.float64))
        renamed = [G[list(order)][:, list(order)] for order in permutations(range(4))]
        G_bar = torch.stack(renamed).mean(dim=0)
        f = [collapsed_loss(gram, equal, "scl", temperature=temperature) for gram in (G, G_bar, simplex)]
        assert f[0] > f[1] > f[2]
    print(f"temperature {temperature}, last arrangement: {f[0]:.4f} > {f[1]:.4f} > {f[2]:.4f}")

# %% [markdown]
# The loss falls in both steps for every arrangement. Nothing in the argument is special to this loss: it needs a
# convex function of $G$ that treats all classes alike and grows with every cosine. Notebook 06 uses it for BCL.
#
# Two results of the literature say more. Graf et al. (2021) prove that collapse itself is optimal for this loss when classes
# are equal. And Papyan et al. (2020) found the same geometry in networks trained with *cross-entropy* on balanced data far
# beyond zero training error: class means converge to a simplex, and samples to their class means. They called it
# *neural collapse*.
#
# **And with a long tail?** Four classes of 200, 43, 9 and 2 images, the same loss. The film of notebook 00 showed which two come
# together. **Before you run the cell:** is there a pair that is *further* apart than in the simplex? Which one, and why would the
# loss want that?

# %%
counts = exponential_profile(200, num_classes=4, imbalance_factor=100)
bent = certified_optimum(counts, "scl", temperature=0.5)
cosines = cosine_matrix(bent.means)
assert bent.certified and bent.deviation.rms > 0.2
assert cosines[2, 3] == cosines.triu(1).max() and cosines[2, 3] > 0.3
assert cosines[0, 1] == cosines.min() and cosines[0, 1:].max() < -1 / 3

figures.cosine_heatmap(cosines, counts, title="Four classes at the optimum of SCL")

# %% [markdown]
# All three pairs with class 0 are further apart than in the simplex (teal), 0 and 1 most of all: most samples belong to these
# two, so their distance counts most in the sum. The others pay for it, and the two rarest classes have moved together. Four classes
# need only three dimensions, so the next picture is exact. *Turn it, and compare it with the tetrahedron above.*

# %%
look_at = "Compare the angle between 2 and 3 with that between 0 and 1."
figures.class_mean_sphere(bent.means, counts, title="The same four classes in space", look_at=look_at)

# %% [markdown]
# The rest of the course is about this. *It is not a failure of training:* it is the minimum of the loss.
#
# ### It treats all classes alike
#
# Does it matter? Let samples scatter around their class means, and assign each to the nearest mean. **Before you
# run the cells:** which class gains from the bent arrangement, and which one loses most?


# %%
def nearest_mean_accuracy(means, noise=0.5, samples=20_000):
    """Accuracy of each class when its samples scatter around its mean and go to the nearest mean."""
    generator = torch.Generator().manual_seed(0)
    scatter = torch.randn(len(means), samples, means.shape[1], generator=generator, dtype=means.dtype)
    nearest = ((means[:, None] + noise * scatter) @ means.T).argmax(dim=2)
    return (nearest == torch.arange(len(means))[:, None]).double().mean(dim=1)


# %%
straight, of_bent = nearest_mean_accuracy(regular_simplex(4)), nearest_mean_accuracy(bent.means)
print("regular simplex:", [f"{share:.1%}" for share in straight.tolist()], f"mean {straight.mean():.1%}")
print("bent by SCL:    ", [f"{share:.1%}" for share in of_bent.tolist()], f"mean {of_bent.mean():.1%}")
assert straight.max() - straight.min() < 0.015
assert of_bent[0] > straight[0]
assert (of_bent[1:] < straight[1:]).all()
assert of_bent.argmin() == 3
assert of_bent.mean() < straight.mean()

# %% [markdown]
# In the simplex all classes have nearly the same accuracy. In the bent arrangement the largest class gains some five
# points, every other class loses, and the rarest loses most.
#
# ## 5. Room for K
#
# The simplex spans exactly $K - 1$ dimensions (section 3), and vectors of $\mathbb{R}^h$ span at most $h$. So it exists
# only if
#
# $$K \le h + 1 .$$

# %%
try:
    regular_simplex(4, dimension=2)
except ValueError as error:
    print(textwrap.fill(str(error), 100))
else:
    raise AssertionError("four points of a regular simplex do not fit into the plane")

# %% [markdown]
# This limits real networks. **Before you run the cell:** the paper projects to 128 dimensions on CIFAR and to
# 1,024 on ImageNet-LT and iNaturalist 2018. In which of the four spaces below can the class means form a regular
# simplex at all?

# %%
spaces = {
    "CIFAR-100-LT, embeddings": (100, 128),
    "CIFAR-100-LT, features of ResNet-32": (100, 64),
    "ImageNet-LT, embeddings": (1_000, 1_024),
    "iNaturalist 2018, embeddings": (8_142, 1_024),
}
has_room = {name: num_classes <= dimension + 1 for name, (num_classes, dimension) in spaces.items()}
for name, (num_classes, dimension) in spaces.items():
    print(f"{name:36} K = {num_classes:5,}, h = {dimension:5,}: {'room' if has_room[name] else 'no room'}")
assert list(has_room.values()) == [True, False, True, False]

# %% [markdown]
# On iNaturalist 2018 the embedding space has no room for the regular simplex, which the paper's theorems (notebooks 04
# to 06) treat as the ideal. No network can reach it there.
#
# ## 6. One class too many (optional)
#
# *Nothing later depends on this section.* What is best where the simplex does not fit? Begin with four points on a circle.
# **Before you run the cell:** the simplex would have cosine $-1/3$. How close can you get in the plane?

# %%
flat = pushed_apart(4, 2)
print(cosine_matrix(flat).numpy().round(2))
assert abs(largest_cosine(flat)) < 0.01

# %% [markdown]
# The best arrangement found is the square, with neighbours at right angles: cosine 0, far from $-1/3$. The contrastive loss
# also chooses it. (In too few dimensions the problem is not convex, so the answer is the best of several starts, without a
# certificate.)

# %%
square = certified_optimum(torch.full((4,), 50), "scl", temperature=0.5, dimension=2)
assert not square.certified
assert abs(largest_cosine(square.means)) < 1e-3

figures.class_mean_sphere(square.means, equal_counts, title="Four classes that have to live on a circle")

# %% [markdown]
# Now increase the number of classes in three dimensions. **Before you look:** a simplex of four fits. What happens to the
# closest pair when the fifth class arrives, and the sixth?

# %%
best = {num_points: float(largest_cosine(pushed_apart(num_points, 3))) for num_points in range(2, 10)}
figures.closest_pairs(best, dimension=3)

# %% [markdown]
# Up to $K = h + 1 = 4$ the search finds the simplex. The fifth class brings the closest pair back to a right angle. The
# sixth costs nothing more: the six half-axes of an octahedron are all at right angles or opposite. (This is not a
# weakness of our search. Rankin proved in 1955 that for $h + 2 \le K \le 2h$ the largest cosine cannot be below 0.)

# %%
for num_points, cosine in best.items():
    limit = -1 / (num_points - 1) if num_points <= 4 else 0.0  # simplex, or Rankin's bound
    print(f"K = {num_points}: {cosine:6.3f}   (cannot be below {limit:6.3f})")
    assert cosine > limit - 1e-6
assert all(best[k] < -1 / (k - 1) + 0.01 for k in (2, 3, 4))
assert best[5] < 0.01 and best[6] < 0.01 and best[7] > 0.15

# %% [markdown]
# Where the simplex fits, it is optimal at every temperature. And where it does not? **Before you run the cell:** five
# equal classes in three dimensions, at $\tau = 1$ and at $\tau = 0.1$. The same shape?

# %%
five, cosines = torch.full((5,), 50), {}
for temperature in (1.0, 0.1):
    crowded = certified_optimum(five, "scl", temperature=temperature, dimension=3)
    of_pairs = (
        cosine_matrix(crowded.means)[~torch.eye(5, dtype=torch.bool)].sort().values[::2]
    )  # each is there twice
    cosines[temperature] = of_pairs
    print(f"temperature {temperature}: cosines {of_pairs.numpy().round(2) + 0.0}")  # + 0.0: no "-0."
assert (cosines[1.0] - cosines[0.1]).abs().max() > 0.1

# %%
title = "Five classes in space, temperature 0.1"
look_at = (
    "Two pairs of nearly opposite classes, and one at the top of the pyramid. Turn it until you see them."
)
figures.class_mean_sphere(crowded.means, five, title=title, look_at=look_at)

# %% [markdown]
# No: with the fifth class there is no longer *one* best arrangement. At $\tau = 1$ the five form a triangle around an
# axis with two poles (cosines $-1$, $-1/2$ and 0); at $\tau = 0.1$ a pyramid over a flat square just below the equator.
# Each is the best that was found for its temperature. At a low temperature the closest pairs dominate the loss, at a high
# one all pairs count; in the simplex all pairs are equally close.
#
# ## In one paragraph
#
# A regular simplex is $K$ unit vectors that sum to zero and have equal inner products, which are then all $-1/(K-1)$. No
# arrangement has a closest pair that is further apart, only the simplex (up to rotation and reflection) is as good, and it
# treats all classes alike. For equally large classes that have collapsed it minimises the supervised contrastive loss at
# every temperature: averaging over renamings proves it. For a long tail it does not. It takes $K - 1$ dimensions. With
# one class more, the closest pair falls back to a right angle, and what is best depends on the loss and its temperature.
# So "the class means should form a regular simplex" is a clear goal if $K \le h + 1$, and cannot be reached if $K$ is larger.
#
# **Read more:** Khosla et al., *Supervised Contrastive Learning*, NeurIPS 2020; Graf et al., *Dissecting Supervised
# Contrastive Learning*, ICML 2021; Papyan, Han and Donoho, *Prevalence of neural collapse during the terminal phase of deep
# learning training*, PNAS 2020.
#
# ## Exercises
#
# `check` runs your function on hidden cases and tells you what *kind* of mistake it makes. Solutions are in
# [solutions](solutions/README.md); look there last.
#
# **1. Recognise it.** Test the three conditions. `points` has one point per row; allow for rounding errors of up to
# $10^{-4}$.


# %%
def is_regular_simplex(points):
    """Whether points are the vertices of a regular simplex on the unit sphere: True or False."""
    ...  # your code


check("is_regular_simplex", is_regular_simplex)

# %% [markdown]
# **2. Build it in as few dimensions as possible.** Section 3 uses $K$ coordinates where $K - 1$ are enough. Return the $K$
# vertices, shape (K, h), for any $h \ge K - 1$. Any rotation of them is right.


# %%
def regular_simplex_of_your_own(num_classes, dimension):
    """The K vertices of a regular simplex on the unit sphere of dimension h, one a row."""
    ...  # your code


check("regular_simplex", regular_simplex_of_your_own)

# %% [markdown]
# **3. Measure the distance to it.** Write `simplex_deviation` of section 4. Class means need not have unit length.


# %%
def deviation(means):
    """Root mean square of the cosines' differences from the simplex: one number."""
    ...  # your code


check("simplex_deviation", deviation)

# %% [markdown]
# **4. How fast does it bend?** In section 4 the imbalance factor was 100. Compute `certified_optimum(...).deviation.rms`
# for imbalance factors from 1 to 100 (`exponential_profile(200, 4, factor)`). Predict first: does the simplex hold for a
# while and then give way, or does it bend from the start?
