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
# # Theorem 3: does a balanced loss lead to the regular simplex?
#
# **Every class is in every batch, and every class counts once in the denominator. Are all classes now equally far apart
# at the optimum, whatever their sizes?**
#
# The paper says yes. You will follow its argument line by line with a number for every line, find out which lines hold
# and when, move classes about by hand, and end with a theorem and its complete proof.
#
# *Half a minute of computing, an hour and a half of reading (twenty minutes of them for section 7, which you may skip);
# exercises take longer. You need the regular simplex (notebook 03), attraction and repulsion (notebook 04) and Theorem 2
# (notebook 05). Nothing is trained, nothing is downloaded. The theorem is in section 3 of Zhu et al., CVPR 2022.*

# %%
import torch
from torch.nn.functional import normalize

from bcl_edu import geometry, losses
from bcl_edu.course import figures, widgets
from bcl_edu.course.exercises import check

torch.set_num_threads(1)  # many tiny matrices: more threads would only wait for each other

# %% [markdown]
# ## 1. The claim
#
# *Class-complement* adds a prototype $c_j$ of every class, a learned unit vector, to every batch: as a positive for the
# anchors of its class, as contrast for all others, never as an anchor. So no class is ever missing. Together with
# class-averaging (notebook 05) this is **BCL** (Eq. 9). An anchor $i$ of class $y$ has the positives $P_i = (B_y \setminus
# \{i\}) \cup \{c_y\}$, and
#
# $$L_i = -\operatorname*{mean}_{p \in P_i}\, \log \frac{e^{z_i\cdot z_p/\tau}}{D_i}, \qquad
# D_i = \operatorname*{mean}_{k \in P_i}\, e^{z_i\cdot z_k/\tau} + \sum_{j \ne y}\,
# \operatorname*{mean}_{k \in B_j \cup \{c_j\}}\, e^{z_i\cdot z_k/\tau} .$$
#
# With every class present, the paper concludes for the loss of the whole data set $D$, with $K$ classes:
#
# $$\sum_{i \in D} L_i \;\ge\; |D| \, \log\Bigl(1 + (K-1) \exp\bigl(-\tfrac{K}{K-1}\bigr)\Bigr),$$
#
# *attained only by classes that have collapsed to the vertices of a regular simplex.* We divide both sides by $|D|$: the
# left side is then the *mean over all samples*, which is what training minimises. If every class has samples in the batch,
# none needs a prototype to be present, so we leave the prototypes out at first; sections 4 and 7 put them back.
#
# | in the paper | in the code | what it is |
# |---|---|---|
# | $z_i$ | `z[i]` | embedding of sample $i$, a unit vector |
# | $y$, $B_y$ | `y[i]`, `y == y[i]` | class of an anchor, and the samples of that class; $\lvert B_y \rvert$ is `counts[y]` |
# | $\zeta_k$ | `geometry.regular_simplex(K)` | vertices of a regular simplex |
# | $c_j$ | `prototypes[j]` | prototype of class $j$ |
# | $\tau$ | `temperature` | divides every similarity; 1 in the theorem as printed |
# | not named | `.attraction`, `.repulsion` | $a_i$ and $r_i$ of Theorem 2 (notebook 05) |
# | not named | `geometry.class_means` | $\mu_j$, mean embedding of class $j$ |
#
# With three classes a circle is enough to see everything. Take 200, 2 and 2 samples, each class at one point, the points
# 120° apart. **Before you run the cell:** $\log(1 + 2 e^{-3/2})$ is 0.369. On which side of it is the loss?


# %%
def collapsed(angles, counts):
    """Collapsed classes: all samples of a class at one angle of the circle; and their labels."""
    y = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    angle = torch.tensor(angles, dtype=torch.float64).deg2rad()[y]
    return torch.stack([angle.cos(), angle.sin()], dim=1), y


z, y = collapsed([0, 120, 240], [200, 2, 2])
claim = geometry.theorem_3_as_printed(z, y)
print(f"mean loss {claim.loss:.6f}, claimed bound {claim.bound:.6f}")
assert abs(claim.gap) < 1e-12

# %% [markdown]
# The loss equals the claimed value. At the regular simplex every anchor has the same loss, whatever the counts, so this half
# of the theorem is right. The other half says that no other configuration is as good.
#
# ## 2. The argument, line by line
#
# Write $\psi(x) = \log(1 + (K-1)e^x)$ and $x_i = (r_i - a_i)/\tau$. The slope of $\psi$ is
# $\frac{(K-1)e^x}{1 + (K-1)e^x}$: it is positive, so $\psi$ is increasing, and it is itself increasing, so $\psi$ is
# convex. This is the argument from Theorem 2 onwards; the paper sets $\tau = 1$.
#
# 1. **Theorem 2**, for every anchor: $\;L_i \ge \psi(x_i)$.
# 2. **Jensen**, over the anchors: $\;\frac1{|D|}\sum_i \psi(x_i) \ge \psi(\bar x)$ with $\bar x = \frac1{|D|}\sum_i
#    x_i$.
# 3. **Geometry**: $\;\bar x \ge -\frac{K}{(K-1)\tau}$, so $\psi(\bar x) \ge$ the claimed bound.
#
# Each line is a number. `printed_steps` computes them for one batch:


# %%
def printed_steps(z, y, temperature=1.0):
    """Every line of the argument for the mean over all anchors, as Theorem 3 is printed."""
    anchors = geometry.theorem_2(z, y, temperature=temperature)
    claim = geometry.theorem_3_as_printed(z, y, temperature=temperature)
    mean_x = (claim.repulsion - claim.attraction) / temperature
    jensen = (y.max() * mean_x.exp()).log1p()  # labels are 0..K-1, so the largest is K - 1
    return torch.stack([claim.loss, anchors.bound.mean(), jensen, claim.bound])


# %%
def random_batch(seed, equal):
    """Three to six classes on a circle, of four samples each or of 2 to 20; some collapsed, some spread."""
    generator = torch.Generator().manual_seed(seed)
    K = 3 + seed % 4
    sizes = torch.full((K,), 4) if equal else torch.randint(2, 21, (K,), generator=generator)
    y = torch.arange(K).repeat_interleave(sizes)
    centres = torch.randn(K, 2, generator=generator, dtype=torch.float64)
    noise = torch.randn(len(y), 2, generator=generator, dtype=torch.float64)
    return normalize(normalize(centres, dim=1)[y] + (0, 0.1, 0.5)[seed % 3] * noise, dim=1), y


# %% [markdown]
# Every step should lead down. **Before you run the cell:** 200 random batches with equal class counts, 200 with unequal
# ones. Which of the three steps will fail, where, and how often?

# %%
for equal in (True, False):
    lines = torch.stack([printed_steps(*random_batch(seed, equal)) for seed in range(200)])
    down = lines[:, :-1] - lines[:, 1:]
    failed = (down < -1e-12).sum(dim=0).tolist()
    below = int((lines[:, 0] < lines[:, 3] - 1e-12).sum())
    print(f"equal counts {equal!s:5}: steps that lead up {failed} of 200; loss below the claim {below} times")
    assert failed[:2] == [0, 0]
    assert (failed[2] == 0) == equal
assert below == 0

# %% [markdown]
# The first two steps hold for any counts, because they are Jensen's inequality. The third one fails in a few batches, all of
# them with unequal counts. *The loss itself was never below the claim.* If we had tested only the statement, on random
# data, we would have believed it.
#
# ## 3. The line that needs equal counts
#
# What is the mean repulsion? An anchor $i$ of class $y$ has $r_i = \frac{1}{K-1} \sum_{j \ne y} z_i \cdot \mu_j$. Take the
# mean over the anchors of each class, then over the classes, weighted by $p_y = |B_y|/|D|$, the share of class $y$ in the
# samples:
#
# $$\bar r = \frac{1}{K-1} \sum_y p_y\, \mu_y \cdot \sum_{j \ne y} \mu_j
# = \frac{1}{K-1} \sum_y p_y\, \mu_y \cdot (K \bar\mu - \mu_y)
# = \frac{1}{K-1} \Bigl( K\, \bar z \cdot \bar\mu - \sum_y p_y \|\mu_y\|^2 \Bigr) .$$
#
# Here $\bar\mu = \frac1K \sum_y \mu_y$ is the mean of the *class means* and $\bar z = \sum_y p_y \mu_y$ the mean of all
# *samples*. Since $\|\mu_y\| \le 1$ and $a_i \le 1$, and since $\bar x = (\bar r - \bar a)/\tau$,
#
# $$\bar x \;\ge\; -\frac{K}{(K-1)\tau} \;+\; \frac{K}{(K-1)\tau}\; \bar z \cdot \bar\mu .$$
#
# If all classes are equally large, $\bar z = \bar\mu$, the last term is a square, and the third line holds. Otherwise it is
# the product of two different vectors, which may be negative.
#
# Here we check the identity on all unequal batches, and the sign of the product where the third step failed.

# %%
for seed in range(200):
    z, y = random_batch(seed, equal=False)
    mu, p = geometry.class_means(z, y, int(y.max()) + 1), y.bincount().double() / len(y)
    K, product = len(mu), z.mean(dim=0) @ mu.mean(dim=0)
    r = (K * product - p @ mu.square().sum(dim=1)) / (K - 1)
    claim = geometry.theorem_3_as_printed(z, y)
    assert torch.isclose(claim.repulsion, r)
    if claim.repulsion - claim.attraction < -K / (K - 1) - 1e-12:
        print(f"batch {seed}: the third step fails, product {product:.3f}")
        assert product < 0

# %% [markdown]
# The identity holds in all 200 batches, and in each one where the third step failed the product is negative.
#
# ## 4. A counter-example to hold in your hands
#
# Now make it as negative as possible: put the mean of the samples *opposite* to the mean of the class means. Nearly all
# samples at one point, nearly all classes at the opposite one: the head here, all tail classes together there.
#
# **Before you run the cell:** two tail classes at the same point cannot be told apart, and their anchors have a large loss.
# What happens to the mean over all 204 samples?

# %%
z, y = collapsed([0, 180, 180], [200, 2, 2])
claim = geometry.theorem_3_as_printed(z, y)
print(f"mean loss {claim.loss:.4f}, claimed bound {claim.bound:.4f}")
assert claim.gap < -0.1

loss = geometry.theorem_2(z, y).loss  # of every anchor; at the simplex each has the claimed bound
assert loss[0] < 0.7 * claim.bound < 2 * claim.bound < loss[-1]
figures.counter_example([0, 180, 180], [200, 2, 2])

# %% [markdown]
# The loss is 0.25, and Theorem 3 says that it cannot be below 0.369. *Look at the three lines below the bars:* the loss of
# the tail's anchors more than doubles, but they are only 4 of 204. The loss of the head's anchors falls by a third, because
# both tail classes are now as far away as possible, and the head has 98 % of the anchors. Averaging the *denominator* over
# classes has not balanced the *anchors*.
# The two tail classes are equally large; the dot of class 2 is smaller only so that both are seen where they meet.
#
# **Drag the classes around the circle** (or use the sliders; each responds to the arrow keys). Start from the simplex:
# does moving one tail class a little towards the other lower or raise the loss? Then change the size of the head: for
# which sizes is the simplex the best place? *(Where no circle can be dragged, the figure above shows one of its positions
# and the figure below all of them.)*

# %%
widgets.counter_example()

# %% [markdown]
# *Did you find a place below 0.2497?* This is the loss at every position of the two tail classes, with the head at 0°:

# %%
figures.counter_example_map([200, 2, 2])

# %% [markdown]
# In the map of the *mean over all samples* the two regular simplices lie on the *edge* of the orange region, in which the
# loss is below the claimed bound. The map of the *mean over the classes* shows the same loss with the anchors averaged per
# class: there is no orange, and the minima are the two simplices. Section 6 proves that.
#
# Would more dimensions help, or classes that do not collapse? No: `geometry.certified_optimum` returns the best
# configuration together with a lower bound for all others, in any dimension (notebook 07 shows how).

# %%
best = geometry.certified_optimum([200, 2, 2], "scl-averaging", temperature=1.0)
print(f"loss {best.value:.6f}, at least {best.lower_bound:.6f} anywhere")
print("cosines:", {pair: round(best.gram[pair].item(), 6) for pair in ((0, 1), (0, 2), (1, 2))})
assert best.certified
assert abs(best.value - claim.loss) < 1e-9
assert torch.allclose(best.gram, z[[0, 200, 202]] @ z[[0, 200, 202]].T)

# %% [markdown]
# The counter-example is not a curiosity: it *is* the optimum. At the temperature of the theorem, the class-averaged loss of
# these counts is smallest when two classes have the same embedding. (The temperature matters: at the paper's training
# temperature $\tau = 0.1$ the optimum keeps them apart, as the cell after next shows.)
#
# Do the prototypes of class-complement save the theorem? They are free to move to their class means as well:

# %%
prototypes = torch.stack([z[0], z[200], z[202]])
with_prototypes = geometry.theorem_3_as_printed(z, y, prototypes)
bcl = losses.balanced_contrastive_loss(z, y, prototypes, temperature=1.0)
print(f"BCL (Eq. 9) {bcl:.4f}, claimed bound {with_prototypes.bound:.4f}")
assert with_prototypes.gap < -0.1
assert torch.isclose(with_prototypes.loss, bcl)

# %% [markdown]
# They do not: Eq. 9 has the same value there. If they may move anywhere, they can lower the minimum further:

# %%
for counts in ([200, 2, 2], [20, 2, 2]):
    tied, free = (
        geometry.certified_optimum(counts, "bcl", temperature=1.0, prototypes=kind)
        for kind in ("tied", "free")
    )
    print(f"{counts}: prototypes at the class means {tied.value:.6f}, free {free.value:.6f}")
    assert free.certified and free.value < tied.value + 1e-9 < geometry.simplex_value(3)

at_low = geometry.certified_optimum([200, 2, 2], "bcl", temperature=0.1)
angle = at_low.gram[1, 2].acos().rad2deg()
print(f"temperature 0.1: {angle:.0f}° between the two tail classes, {at_low.value:.2e} against the claimed "
      f"{geometry.simplex_value(3, 0.1):.2e}")  # fmt: skip
assert 100 < angle < 110
assert at_low.value < geometry.simplex_value(3, 0.1)

# %% [markdown]
# With 20 samples in the head, free prototypes reach a slightly lower value than prototypes at the class means; with 200 there
# is no difference. At temperature 0.1 the two tail classes stay 104° apart, and the claimed bound is still too high.
#
# ## 5. How unequal is too unequal?
#
# 200 : 2 : 2 is extreme. **Before you look:** for which of the counts (3, 2, 2), (6, 2, 2), (20, 2, 2) is the simplex still
# the optimum?

# %%
for n in (3, 6, 20, 200):
    best = geometry.certified_optimum([n, 2, 2], "scl-averaging", temperature=1.0)
    print(f"{n:3}, 2, 2: claimed bound minus optimum {geometry.simplex_value(3) - best.value:.5f}")
    assert best.value < geometry.simplex_value(3) - 1e-3

figures.tail_angle_curves([2, 3, 6, 20, 200])

# %% [markdown]
# For none of them. All curves start at the simplex, at 120°, and all but the dotted one of equal counts go *down* from
# there. Two dips are shallow: the curve of (3, 2, 2) is lowest at 114°, 0.001 below the claimed bound, and that of (6, 2, 2) at
# 99°, 0.010 below it. Further on both rise far above the bound, but one place below it is enough to refute the claim. The
# slope at the simplex can be computed by hand. At collapse, an anchor of class $y$ has the loss $L_y = \log\bigl(1 +
# \sum_{j \ne y} e^{(\mu_y \cdot \mu_j - 1)/\tau}\bigr)$. Its derivative with respect to each of the cosines $\mu_y \cdot \mu_j$ is,
# at the simplex, $s/\tau$ with $s = e^{x}/(1 + (K-1)e^{x})$ and $x = -K/((K-1)\tau)$, the same for all. The cosine of classes
# $i$ and $j$ occurs in the losses of both, with weights $p_i$ and $p_j$:
#
# $$\frac{\partial}{\partial \mu_i} \sum_y p_y L_y = \frac{s}{\tau}\Bigl( p_i \sum_{j \ne i} \zeta_j
# + \sum_{j \ne i} p_j \zeta_j \Bigr) = \frac{s}{\tau}\bigl(\bar z - 2\, p_i\, \zeta_i\bigr),$$
#
# since the vertices add up to zero. Only the part along the sphere matters: **every class mean is pushed straight away
# from $\bar z$, the mean of all samples.** The push is zero for all classes only if $\bar z$ is parallel to every vertex. For
# $K \ge 3$ that means $\bar z = 0$. Then all $p_y$ are equal, because a weighted sum of the vertices is zero only for equal
# weights.


# %%
def push_at_simplex(p, temperature=1.0):
    """Minus the gradient of sum_y p_y L_y at the regular simplex, along the sphere."""
    mu = geometry.regular_simplex(len(p)).requires_grad_()
    of_class = losses.anchor_losses(
        mu, torch.arange(len(p)), mu, averaging="outside", complement=True, temperature=temperature
    ).value  # one sample a class, and its prototype at the same place
    (gradient,) = torch.autograd.grad(p @ of_class, mu)
    return (gradient * mu).sum(dim=1, keepdim=True).detach() * mu.detach() - gradient


# %%
def push_by_hand(p, temperature=1.0):
    """The same by the formula."""
    zeta, K = geometry.regular_simplex(len(p)), len(p)
    e = torch.tensor(-K / ((K - 1) * temperature)).double().exp()
    s, z_bar = e / (1 + (K - 1) * e), p @ zeta
    return -s / temperature * (z_bar - (zeta @ z_bar)[:, None] * zeta)


for K in (3, 4, 7):
    p = torch.rand(K, generator=torch.Generator().manual_seed(K)).double()
    assert torch.allclose(push_at_simplex(p / p.sum(), 0.5), push_by_hand(p / p.sum(), 0.5))

# %% [markdown]
# Autograd and the formula agree. **Before you look:** in which direction are the three classes of the counter-example pushed?

# %%
counts, fair = torch.tensor([200, 2, 2]), torch.full((3,), 1 / 3).double()
pushes = {
    "over all samples": push_at_simplex(counts / counts.sum().double()),
    "over the classes": push_at_simplex(fair),
}
assert pushes["over the classes"].norm() < 1e-12 < 0.1 < pushes["over all samples"][1:].norm(dim=1).min()

simplex = geometry.regular_simplex(3)
figures.push_circles(simplex, pushes, counts, title="At the simplex: where the mean loss pushes")

# %% [markdown]
# With the mean over all samples both tail classes are pushed away from the head, and so towards each other; with the mean
# over the classes all three are at rest. (For two classes the claim is true: the mean repulsion is $\mu_0 \cdot \mu_1 \ge
# -1$ under any weights, so $\bar x \ge -2/\tau$.) We have proved:
#
# > **As printed, Theorem 3 is true for equal class counts and for $K = 2$, and false for all other counts.** For
# > $K \ge 3$ and unequal counts the simplex is not even a stationary point: a small step away from $\bar z$ brings
# > the loss below the claimed bound.
#
# One extra sample in a hundred is enough:

# %%
best = geometry.certified_optimum([101, 100, 100], "scl-averaging", temperature=1.0)
print(f"101, 100, 100: {geometry.simplex_value(3) - best.value:.2e} below the claimed bound")
assert geometry.simplex_value(3) - best.value > 1e-7 > 1e-12 > best.gap

for counts in ([5, 5, 5], [300, 7]):
    equal_or_two = geometry.certified_optimum(counts, "scl-averaging", temperature=1.0)
    assert abs(equal_or_two.value - geometry.simplex_value(len(counts))) < 1e-9

# %% [markdown]
# ## 6. The theorem that is true
#
# The diagnosis suggests the repair. The third line needs $\bar z = \bar\mu$, so average the anchors of each class first and
# then over the classes. (At collapse this is the loss of equal classes, and the three lines of notebook 03 already prove
# that its minimum is the simplex: it is convex in $G$, treats all classes alike, and grows with every cosine. The proof
# below needs no collapse.)
#
# **Theorem 3, corrected.** Let every class have at least two samples in the batch (with prototypes: one). Then
#
# $$\frac1K \sum_{y} \frac1{|B_y|} \sum_{i \in B_y} L_i \;\ge\; \log\Bigl(1 + (K-1)
# \exp\bigl(-\tfrac{K}{(K-1)\,\tau}\bigr)\Bigr),$$
#
# **with equality if and only if every class has collapsed to one point and these points form a regular simplex.**
#
# **Proof** (here without prototypes, in section 7 with them). Let $i$ be an anchor of class $y$, and $D_i$ the denominator
# of its loss, so that $L_i = \log D_i - a_i/\tau$.
#
# *(1) Jensen within each class* ($\exp$ is convex):
#
# $$D_i = \frac{1}{|B_y|-1} \sum_{k \in B_y \setminus \{i\}} e^{z_i \cdot z_k/\tau} + \sum_{j \ne y} \frac{1}{|B_j|}
# \sum_{k \in B_j} e^{z_i \cdot z_k/\tau} \;\ge\; e^{a_i/\tau} + \sum_{j \ne y} e^{z_i \cdot \mu_j/\tau} .$$
#
# *(2) Jensen over the other classes:*
#
# $$\sum_{j \ne y} e^{z_i \cdot \mu_j/\tau} \;\ge\; (K-1)\, e^{r_i/\tau}, \qquad r_i = \frac{1}{K-1} \sum_{j \ne y} z_i
# \cdot \mu_j .$$
#
# Together: $L_i \ge \log\bigl(e^{a_i/\tau} + (K-1) e^{r_i/\tau}\bigr) - a_i/\tau = \psi(x_i)$. This is Theorem 2.
#
# *(3) Jensen over the anchors.* The weights $1/(K|B_y|)$ add up to 1, and $\psi$ is convex:
#
# $$\sum_i \frac{L_i}{K |B_{y_i}|} \;\ge\; \psi(\bar x), \qquad \bar x = \frac{\bar r - \bar a}{\tau}, \quad
# \bar r = \sum_i \frac{r_i}{K |B_{y_i}|}, \quad \bar a = \sum_i \frac{a_i}{K |B_{y_i}|} .$$
#
# *(4) Geometry.* Within class $y$ the weights are equal, so the mean of its $z_i$ is $\mu_y$:
#
# $$\bar r = \frac{1}{K(K-1)} \sum_y \sum_{j \ne y} \mu_y \cdot \mu_j = \frac{\bigl\|\sum_y \mu_y\bigr\|^2 - \sum_y
# \|\mu_y\|^2}{K(K-1)} \;\ge\; \frac{0 - K}{K(K-1)} = -\frac{1}{K-1}, \qquad \bar a \le 1 .$$
#
# So $\bar x \ge -\frac{1}{\tau}\bigl(\frac{1}{K-1} + 1\bigr) =
# -\frac{K}{(K-1)\tau}$, and $\psi$ is increasing. $\;\blacksquare$
#
# *Equality.* (4) needs $\bar a = 1$, that is, all samples of a class at one point, and $\sum_y \mu_y = 0$. In (3)
# $\psi$ is strictly convex, so all $r_i$ are equal, and their mean is $-\frac1{K-1}$. (2) needs $\mu_y \cdot \mu_j$ to be
# the same for all $j \ne y$, hence $-\frac{1}{K-1}$ for every pair: a regular simplex. In $h$ dimensions it
# exists if $K \le h + 1$ (notebook 03); if not, the bound holds and is not attained.
#
# Here is every line as a number, for four configurations of 40, 8 and 2 samples. **Before you run the cell:** in which
# columns will which lines be equal?


# %%
def corrected_lines(z, y, prototypes=None, temperature=1.0):
    """Every line of the proof, the loss first and the theorem last."""
    within = losses.contrastive_loss(
        z, y, prototypes, averaging="inside", complement=prototypes is not None, class_balanced_anchors=True,
        temperature=temperature,
    )  # fmt: skip
    steps = geometry.theorem_3_steps(z, y, prototypes, temperature=temperature)
    names = ("the loss", "(1) within classes", "(2) over classes", "(3) over anchors", "(4) the theorem")
    values = (steps["loss"], within.item(), steps["theorem 2"], steps["jensen"], steps["simplex"])
    return dict(zip(names, values, strict=True))


# %%
y = torch.arange(3).repeat_interleave(torch.tensor([40, 8, 2]))
noise = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
merged, simplex = collapsed([0, 180, 180], [40, 8, 2])[0], geometry.regular_simplex(3)[y]
configurations = {
    "random": noise,
    "tail merged": merged,
    "near simplex": simplex + 0.2 * noise,
    "simplex": simplex,
}
columns = {name: corrected_lines(normalize(z, dim=1), y) for name, z in configurations.items()}

# %%
print(f"{'':20}", *(f"{name:>13}" for name in columns))
for line in columns["random"]:
    print(f"{line:20}", *(f"{column[line]:13.6f}" for column in columns.values()))
values = torch.tensor([list(column.values()) for column in columns.values()])  # a row for each configuration
assert (values[:, :-1] - values[:, 1:]).min() > -1e-12
assert values[3].max() - values[3].min() < 1e-12

# %% [markdown]
# Read each column downwards: no line is larger than the one above it. In "tail merged" the classes have collapsed, so step
# (1) is an equality; the tail loses most in step (2), because it has one class opposite and one at the same point. Only at
# the simplex are all five lines equal.
#
# Is it really the only place? Leave the simplex by 5° in each of three ways: move one class, spread one class, move one
# prototype.

# %%
z, y = collapsed([0, 120, 240], [40, 8, 2])
corners = collapsed([0, 120, 240], [1, 1, 1])[0]
turned = collapsed([0, 120, 245], [40, 8, 2])[0]
spread = torch.cat([z[:48], collapsed([235, 245], [1, 1])[0]])
moved = collapsed([0, 120, 245], [1, 1, 1])[0]

# %%
gaps = {
    "class moved": geometry.theorem_3_corrected(turned, y, corners).gap,
    "class spread": geometry.theorem_3_corrected(spread, y, corners).gap,
    "prototype moved": geometry.theorem_3_corrected(z, y, moved).gap,
}
print({name: f"{gap:.1e}" for name, gap in gaps.items()})
assert min(gaps.values()) > 1e-5
assert abs(geometry.theorem_3_corrected(z, y, corners).gap) < 1e-12

# %% [markdown]
# All three gaps are positive, and the gap at the simplex is zero.
#
# ## 7. The same with prototypes
#
# In training, a small network computes each prototype from a row of the classifier, and nothing ties it to its class mean.
# Does the theorem hold for prototypes anywhere? It does, but step (4) needs more work. *(This section is for those who want
# the whole proof. Nothing later depends on it.)*
#
# Write $n_j = |B_j|$, $c_j = \mu_j + d_j$, $b_j = \frac{1}{n_j+1}$, $M = \sum_j \mu_j$ and $E = \sum_j b_j d_j$. Steps (1) to (3) do
# not change. The mean over the $n_j + 1$ terms of another class is now $\frac{n_j \mu_j + c_j}{n_j + 1} = \mu_j + b_j d_j$. The
# $n_y$ positives of an anchor add up to $n_y \mu_y - z_i + c_y$, so its attraction is $a_i = z_i \cdot ((n_y + 1) \mu_y + d_y -
# z_i)/n_y$, and the mean of that over the anchors of class $y$ is $\|\mu_y\|^2 + (\|\mu_y\|^2 + \mu_y \cdot d_y - 1)/n_y$. So
#
# $$K(K-1)(\bar r - \bar a) = \|M\|^2 - \sum_j \|\mu_j\|^2 + \sum_j b_j d_j \cdot (M - \mu_j) - (K-1) \sum_j \Bigl(
# \|\mu_j\|^2 + \frac{\|\mu_j\|^2 + \mu_j \cdot d_j - 1}{n_j} \Bigr) \tag{a}$$
#
# Since $\|c_j\| = 1$, we have $\mu_j \cdot d_j = \frac12(1 - \|\mu_j\|^2 - \|d_j\|^2)$. Insert it and sort by $s_j = 1 -
# \|\mu_j\|^2 \ge 0$:
#
# $$= -K^2 + \|M\|^2 + M \cdot E + \sum_j \Bigl(K + \tfrac12 \bigl(\tfrac{K-1}{n_j} - b_j\bigr)\Bigr) s_j + \sum_j
# \tfrac12 \bigl(\tfrac{K-1}{n_j} + b_j\bigr) \|d_j\|^2 \tag{b}$$
#
# The coefficient of $s_j$ is positive ($b_j < 1 < K$), and $\frac{1}{n_j} \ge b_j$ makes that of $\|d_j\|^2$ at least
# $\frac K2 b_j$:
#
# $$\ge -K^2 + \|M\|^2 + M \cdot E + \tfrac K2 \sum_j b_j \|d_j\|^2 \tag{c}$$
#
# By Cauchy and Schwarz $\|E\|^2 \le \bigl(\sum_j b_j\bigr) \sum_j b_j \|d_j\|^2$, and $\sum_j b_j \le \frac K2$ because $n_j
# \ge 1$:
#
# $$\ge -K^2 + \|M\|^2 + M \cdot E + \|E\|^2 = -K^2 + \bigl\|M + \tfrac12 E\bigr\|^2 + \tfrac34 \|E\|^2 \;\ge\; -K^2 \tag{d}$$
#
# Divide by $K(K-1)\tau$: again $\bar x \ge -\frac{K}{(K-1)\tau}$. $\;\blacksquare$ *Equality* needs $s_j = 0$ (collapse),
# $E = 0$, $M = 0$, and then by (c) every $d_j = 0$: prototypes at their class means, and the rest as before.


# %%
def geometry_lines(z, y, c):
    """K (K-1) (mean repulsion - mean attraction), then (a) to (d), then -K^2."""
    K, n = len(c), y.bincount().double()
    mu = geometry.class_means(z, y, K)
    d, b, M = c - mu, 1 / (n + 1), mu.sum(dim=0)
    E, s, dd = b @ d, 1 - mu.square().sum(dim=1), d.square().sum(dim=1)
    whole = geometry.theorem_3_corrected(z, y, c)
    mu2, mu_d, common = 1 - s, (mu * d).sum(dim=1), -(K**2) + M @ M + M @ E
    a = M @ M - mu2.sum() + b @ (d * (M - mu)).sum(dim=1) - (K - 1) * (mu2 + (mu2 + mu_d - 1) / n).sum()
    b_line = common + (K + ((K - 1) / n - b) / 2) @ s + ((K - 1) / n + b) @ dd / 2
    start = K * (K - 1) * (whole.repulsion - whole.attraction)
    lines = [start, a, b_line, common + K / 2 * (b @ dd), common + E @ E]
    return torch.stack([*lines, torch.tensor(-float(K**2))])


# %% [markdown]
# The first three numbers must be equal, and the others must decrease. On 100 random batches with random prototypes:

# %%
batches = [random_batch(seed, equal=False) for seed in range(100)]
generator = torch.Generator().manual_seed(1)
anywhere = [torch.randn(int(y.max()) + 1, 2, generator=generator).double() for _, y in batches]
lines = torch.stack([geometry_lines(*b, normalize(c, dim=1)) for b, c in zip(batches, anywhere, strict=True)])

down = lines[:, :-1] - lines[:, 1:]
names = ("identity (a)", "identity (b)", "(c)", "(d)", "-K^2")
for name, step in zip(names, down.T, strict=True):
    print(f"{name:13} down by {step.min():8.1e} to {step.max():8.1e}")
assert down[:, :2].abs().max() < 1e-9
assert down[:, 2:].min() > -1e-9

# %% [markdown]
# The two identities hold to rounding, and every inequality leads down. So does the theorem as a whole, at three
# temperatures:

# %%
for temperature in (0.1, 0.5, 1.0):
    smallest = min(
        geometry.theorem_3_corrected(z, y, normalize(c, dim=1), temperature=temperature).gap
        for (z, y), c in zip(batches, anywhere, strict=True)
    )
    print(f"temperature {temperature}: the smallest of 100 gaps is {smallest:.3f}")
    assert smallest > 0

# %% [markdown]
# The theorem holds in all of them.
#
# ## 8. What this says about the paper's results, and what it does not
#
# **It says** that Theorem 3 does not explain why BCL works on long-tailed data, because on long-tailed data it is false: at
# the minimum of Eq. 9 over a batch with unequal classes, the class means are not equally far apart. It also says what would
# make the statement true.
#
# **It does not say** that BCL does not work. The paper's accuracies are measurements, and no theorem about a minimum refutes
# a measurement. Real training differs from the theorem's setting in many ways: the network cannot place embeddings freely; a
# cross-entropy branch with logit compensation is trained at the same time; mini-batches miss classes; and training ends long
# before the minimum of this one term. Nor does it say that class-averaged anchors train better networks.
#
# Three questions remain. *Where* is the minimum of each loss for a long tail, and is BCL's closer to the simplex than SCL's?
# That is notebook 07. What do missing classes and the path of optimisation change (notebook 08), and what does a trained
# network show (08b)?
#
# ## In one paragraph
#
# Theorem 3 claims that the class-averaged loss of a data set, with every class present, is smallest at the regular
# simplex, whatever the class counts. Its first two steps are Jensen's inequality and always hold. The third needs the
# product of the mean of all samples and the mean of the class means to be non-negative; equal counts guarantee that,
# unequal counts do not. For three or more classes of unequal counts the simplex is not even a stationary point, because
# the mean loss pushes every class away from the mean of all samples, which leans towards the larger classes. With 200, 2
# and 2 samples and temperature 1, the optimum merges the two tail classes, at a loss of 0.25 where the theorem claims at
# least 0.369. Averaging the anchors per class as well makes the theorem true, at every temperature and with prototypes
# anywhere, with equality only at a collapsed regular simplex.
#
# ## Exercises
#
# **1. The bound.** Derive the right side of the corrected theorem from attraction and repulsion at the simplex. The
# checker tells you what kind of mistake it sees, never the answer.


# %%
def theorem_3_bound(num_classes, temperature):
    """The least value of the class-averaged loss, anchors averaged per class."""
    ...  # return one number


check("theorem_3_bound", theorem_3_bound)

# %% [markdown]
# **2. Class-complement.** Add the prototypes to a batch of the plain supervised contrastive loss: as contrast for every
# anchor, as positives for their own class, never as anchors. There is no averaging here.


# %%
def class_complement(embeddings, labels, prototypes, temperature):
    """Eq. 1 over the batch and all prototypes, averaged over the samples."""
    ...  # return one number


check("class_complement", class_complement)

# %% [markdown]
# **3. When do the tail classes merge?** For counts $(n, 2, 2)$ and $\tau = 1$ the optimum keeps the tail classes apart if $n$
# is small and merges them if it is large. Find the smallest such $n$ with the widget, then with `certified_optimum`, then
# with a pencil: put the tail classes $2\delta$ apart, opposite to the head, and compare the terms in $\delta^2$. *(All three
# should give 34.)*
#
# **4. Half a correction.** Weight class $y$ by $w_y$ with $\sum_y w_y = 1$ instead of $p_y$ or $1/K$. Show that for $K \ge 3$
# the simplex is stationary only if $w_y = 1/K$. So every compromise, such as $w_y \propto \sqrt{n_y}$, misses the simplex.
# By how much? *(At collapse `certified_optimum(w, "bcl")` takes any positive "counts".)*
