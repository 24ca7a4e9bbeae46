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
# # Theorem 1: attraction and repulsion
#
# **The supervised contrastive loss pulls a class together and pushes classes apart. How small can it get, and which classes
# determine where a small class is pushed?**
#
# You will take the loss of one anchor apart, prove a lower bound line by line (with every line computed beside its
# statement), find a misprint in the paper that you can refute with a slider, and see why head classes (those with many
# samples) decide where tail classes (those with few) go.
#
# *Half a minute of computing, one hour of reading; exercises take longer. You need the supervised contrastive loss
# (notebook 01b) and the regular simplex (notebook 03). Nothing is trained, nothing is downloaded.*
#
# *Sources. The loss is that of Khosla et al. (2020). The bound is Theorem 1 of Zhu et al. (CVPR 2022, section 3), who take
# it from Graf et al. (2021): it is Lemma S1 there.*

# %%
import torch
from torch.nn.functional import normalize

from bcl_edu import geometry, losses
from bcl_edu.course import figures, widgets
from bcl_edu.course.exercises import check
from bcl_edu.course.untrained import untrained_embeddings
from bcl_edu.data import exponential_profile

# %% [markdown]
# ## 1. A batch that you can see
#
# Three classes on a circle, with five, three and two samples. In two dimensions the picture is exact.
#
# | in the paper | in the code | what it is |
# |---|---|---|
# | $z_i$ | `z[i]` | embedding of sample $i$, a unit vector |
# | $B_y$ | `y == y[i]` | the samples of the batch $B$ that have the anchor's class $y$ |
# | $B_y \setminus \{i\}$ | `positive[i]` | the same without the anchor: its *positives*, $\lvert B_y\rvert - 1$ of them |
# | $B_y^C$ | `other[i]` | the samples of all other classes |
# | $\tau$ | `temperature` | divides every similarity |


# %%
def at(degrees):
    """Unit vectors on the circle at these angles."""
    angle = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack([angle.cos(), angle.sin()], dim=1)


z = at([-35, -20, 0, 10, 40, 100, 130, 160, 235, 250])
y = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 2, 2])
means = geometry.class_means(z, y, num_classes=3)
figures.class_mean_sphere(means, y.bincount(), embeddings=z, labels=y, title="Ten samples of three classes")

# %% [markdown]
# ## 2. The loss of one anchor
#
# Each sample in turn is the *anchor* $i$. Its loss (Eq. 1 of the paper), with $D_i$ for the denominator, is
#
# $$L_i = -\frac{1}{|B_y|-1}\sum_{p \in B_y \setminus \{i\}} \log
# \frac{\exp(z_i\cdot z_p/\tau)}{D_i}, \qquad D_i = \sum_{k \in B \setminus \{i\}} \exp(z_i\cdot z_k/\tau) .$$
#
# The logarithm of the fraction is a difference, and the denominator is the same for every positive $p$. So the loss is
# $\log D_i$ minus the mean of $z_i \cdot z_p/\tau$ over the positives.

# %%
temperature = 0.5
similarity = z @ z.T  # z_i . z_k
positive = (y[:, None] == y) & ~torch.eye(len(y), dtype=torch.bool)
other = y[:, None] != y


def mean_over(mask, values):
    """Mean of each row over the samples of a mask."""
    return (values * mask).sum(dim=1) / mask.sum(dim=1)


# %%
logits = similarity / temperature
log_denominator = logits.masked_fill(~(positive | other), -torch.inf).logsumexp(dim=1)
loss = log_denominator - mean_over(positive, logits)

print(loss.round(decimals=3).tolist())
assert torch.allclose(loss, losses.anchor_losses(z, y, temperature=temperature).value)

# %% [markdown]
# Ten losses, one for each anchor. The assertion compares them with `bcl_edu.losses`, with which the networks of
# notebook 01 were trained.
#
# ## 3. Two numbers for each anchor
#
# The lower bound on $L_i$ depends on the batch through two means only, the *attraction* $a_i$ and the *repulsion* $r_i$:
#
# $$a_i = \frac{1}{|B_y|-1}\sum_{p \in B_y\setminus\{i\}} z_i\cdot z_p
# \qquad\qquad
# r_i = \frac{1}{|B_y^C|}\sum_{k \in B_y^C} z_i\cdot z_k$$
#
# **Before you run the cell:** which class has the largest attraction in the picture above? Which anchor of class 0
# has the smallest?

# %%
attraction = mean_over(positive, similarity)
repulsion = mean_over(other, similarity)
for i in range(len(y)):
    print(f"class {y[i]}: attraction {attraction[i]:5.2f}, repulsion {repulsion[i]:5.2f}, loss {loss[i]:.2f}")

assert y[attraction.argmax()] == 2
assert attraction[y == 0].argmin() == 4  # the sample at 40 degrees, at the edge of its class
assert loss.argmax() == 4

# %% [markdown]
# The two samples of class 2 are close together, so their attraction is largest. The sample at 40° is far from the rest of
# class 0, and its loss is the largest of all. (A small $r_i$ is good for an anchor: the other classes are far away.) Given
# these two numbers, the loss cannot be smaller than this:
#
# > **Theorem 1** (for one anchor). $\displaystyle L_i \;\ge\; \log\Bigl(\,|B_y| - 1 + |B_y^C|\,
# \exp\bigl((r_i - a_i)/\tau\bigr)\Bigr).$
#
# The paper sums this over the anchors of a class and sets $\tau = 1$. Now the proof.
#
# ## 4. The proof, line by line
#
# **Line 1 is an identity.** Section 2 said $L_i = \log D_i - a_i/\tau = \log\bigl(D_i\, e^{-a_i/\tau}\bigr)$. So take $a_i$ into
# every term of $D_i$, and split the sum into the own part and the others' part:
#
# $$L_i = \log\Bigl(\sum_{p \in B_y\setminus\{i\}} e^{(z_i\cdot z_p - a_i)/\tau}
# \;+\; \sum_{k \in B_y^C} e^{(z_i\cdot z_k - a_i)/\tau}\Bigr)$$

# %%
terms = ((similarity - attraction[:, None]) / temperature).exp()
own_part = (terms * positive).sum(dim=1)
others_part = (terms * other).sum(dim=1)

assert torch.allclose((own_part + others_part).log(), loss)

# %% [markdown]
# **Line 2: the own part is at least its number of terms.** The exponential is convex, so the mean of exponentials is at
# least the exponential of the mean (*Jensen's inequality*). The mean of $z_i \cdot z_p - a_i$ over the positives is
# $a_i - a_i = 0$:
#
# $$\sum_{p \in B_y\setminus\{i\}} e^{(z_i\cdot z_p - a_i)/\tau} \;\ge\; (|B_y|-1)\, e^{0} = |B_y| - 1$$
#
# **Before you run the cell:** for which class is this an equality wherever its samples are?

# %%
own_least = positive.sum(dim=1)  # |B_y| - 1
for i in (0, 5, 8):
    print(f"an anchor of class {y[i]}: {own_part[i]:.3f} >= {own_least[i]}")

assert (own_part >= own_least - 1e-12).all()
assert torch.allclose(own_part[y == 2], torch.ones(2, dtype=torch.float64))

# %% [markdown]
# Class 2 has two samples, so each of its anchors has one positive, and the mean of one number is that number.
#
# **Line 3: the same for the others' part.** The mean of $z_i\cdot z_k - a_i$ over all samples of other classes is $r_i - a_i$:
#
# $$\sum_{k \in B_y^C} e^{(z_i\cdot z_k - a_i)/\tau} \;\ge\; |B_y^C|\, e^{(r_i - a_i)/\tau}$$

# %%
others_least = other.sum(dim=1) * ((repulsion - attraction) / temperature).exp()
for i in (0, 5, 8):
    print(f"an anchor of class {y[i]}: {others_part[i]:.3f} >= {others_least[i]:.3f}")

assert (others_part >= others_least - 1e-12).all()

# %% [markdown]
# **Line 4: the logarithm increases.** Add the two inequalities and take the logarithm: that is Theorem 1.
#
# In the figure each anchor has a ladder: its loss, then the loss with the own part replaced by its lower bound (line 2),
# then with both replaced (lines 3 and 4). **Before you look:** which of the two steps is larger?

# %%
bound = (own_least + others_least).log()
lines = {"loss": loss, "own part at its least": (own_least + others_part).log(), "Theorem 1": bound}

assert torch.allclose(bound, geometry.theorem_1(z, y, temperature=temperature).bound)
assert (bound <= loss + 1e-12).all()
figures.proof_ladder(lines, y, title="From the loss down to its bound")

# %%
first_step = lines["loss"] - lines["own part at its least"]
second_step = lines["own part at its least"] - lines["Theorem 1"]
print(f"the second step goes further down for {int((second_step > first_step).sum())} of 10 anchors")
assert (second_step > first_step)[y > 0].all()

# %% [markdown]
# For every anchor of the two small classes the second step is larger: their similarities to other classes vary more than
# those within their own class. *Look at class 2: its first step has length zero.*
#
# ## 5. Not only in this batch
#
# A proof holds for every batch, and an experiment can reveal a mistake in it. We try a thousand random batches of two to
# six classes in 2 to 16 dimensions, at three temperatures.


# %%
def random_batch(seed):
    """Unit vectors and labels: two to six classes of two to eight samples, anywhere on the sphere."""
    generator = torch.Generator().manual_seed(seed)
    num_classes, dimension = (int(torch.randint(2, top, (), generator=generator)) for top in (7, 17))
    sizes = torch.randint(2, 9, (num_classes,), generator=generator)
    labels = torch.arange(num_classes).repeat_interleave(sizes)
    points = torch.randn(len(labels), dimension, generator=generator, dtype=torch.float64)
    return normalize(points, dim=1), labels


# %%
def proof_lines(z, y, temperature):
    """Loss, loss with the own part at its least, Theorem 1; shape (3, n)."""
    positive = (y[:, None] == y) & ~torch.eye(len(y), dtype=torch.bool)
    other = y[:, None] != y
    a, r = mean_over(positive, z @ z.T), mean_over(other, z @ z.T)
    terms = ((z @ z.T - a[:, None]) / temperature).exp()
    own_least, others_part = positive.sum(dim=1), (terms * other).sum(dim=1)
    others_least = other.sum(dim=1) * ((r - a) / temperature).exp()
    own_part = (terms * positive).sum(dim=1)
    return torch.stack([own_part + others_part, own_least + others_part, own_least + others_least]).log()


# %%
batches = [(*random_batch(seed), (0.1, 0.5, 1.0)[seed % 3]) for seed in range(1000)]
by_batch = [proof_lines(*batch) for batch in batches]
values = torch.cat(by_batch, dim=1)
first_step, second_step = values[0] - values[1], values[1] - values[2]

print(f"{values.shape[1]:,} anchors; smallest steps {first_step.min():.0e} and {second_step.min():.0e}")
print(f"the second step is the larger one for {(second_step > first_step).double().mean():.0%} of them")
assert first_step.min() > -1e-12
assert second_step.min() > -1e-12
assert (second_step > first_step).double().mean() > 0.85

# %% [markdown]
# Twenty thousand anchors, and no step of the proof ever leads upwards. Here are the anchors of the first thirty batches, with
# the bound on the horizontal axis and the loss on the vertical one. **Before you look:** how close to the line are they?

# %%
thirty = torch.cat(by_batch[:30], dim=1)
figures.bound_versus_loss(thirty[0], {"Theorem 1": thirty[2]}, title="Anchors of thirty random batches")

# %% [markdown]
# *No anchor is in the grey region.* Some are close to the line, others far above it. Which?

# %%
gaps = {}
for k, tau in enumerate((0.1, 0.5, 1.0)):
    lines = torch.cat(by_batch[k::3], dim=1)
    gaps[tau] = (lines[0] - lines[2]).median()
    print(f"temperature {tau}: loss minus bound {gaps[tau]:.2f} (median of {lines.shape[1]:,} anchors)")

assert gaps[0.1] > 10 * gaps[0.5] > 30 * gaps[1.0]

# %% [markdown]
# The temperature makes the difference. At 0.1 the exponentials within one class differ by powers of ten, so a few near
# neighbours make up most of the denominator, and a mean similarity says little about it. The paper trains at 0.1. At that
# temperature a bound in terms of mean similarities is far below the loss for scattered samples like these.
#
# ## 6. When is the bound attained?
#
# Jensen's inequality is an equality if and only if all the averaged numbers are equal. So $L_i$ equals its bound if and
# only if
#
# - all positives are equally close to the anchor, **and**
# - all samples of other classes are equally close to it.
#
# For all anchors at once it is enough that every class has *collapsed* to one point and that any two of these points are
# equally far apart. They need not form a regular simplex: coordinate axes will do.

# %%
on_axes = torch.eye(3, dtype=torch.float64)[torch.tensor([0, 0, 0, 1, 1, 2, 2])]
theorem = geometry.theorem_1(on_axes, torch.tensor([0, 0, 0, 1, 1, 2, 2]), temperature=0.5)
print("three classes on three axes, largest gap:", f"{theorem.gap.abs().max():.0e}")
assert theorem.gap.abs().max() < 1e-12

# %% [markdown]
# On the circle, three equally distant points do form a regular simplex. Slide a random batch of six, four and two samples
# there:

# %%
sizes = torch.tensor([6, 4, 2])
labels = torch.arange(3).repeat_interleave(sizes)
start = normalize(torch.randn(12, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64), dim=1)
goal = geometry.regular_simplex(3)[labels]

# %%
positions = {}
for percent in range(0, 101, 10):
    points = normalize(torch.lerp(start, goal, percent / 100), dim=1)
    theorem = geometry.theorem_1(points, labels, temperature=0.5)
    positions[f"{percent} %"] = figures.bound_versus_loss(
        theorem.loss, {"Theorem 1": theorem.bound}, title="On the way to the simplex", reach=(0, 7)
    )
assert theorem.gap.abs().max() < 1e-12  # at 100 %
figures.film(positions, quantity="share of the way to a collapsed simplex", start="50 %")

# %% [markdown]
# At 100 % the gap between loss and bound is zero to twelve digits, and three points are left, one for each class.
#
# *Attaining the bound is not the same as having a small loss.* Two collapsed classes also attain it, at any angle.
# **Before you run the cell:** is the loss smaller at 40° or at 180°?

# %%
for angle in (40, 180):
    pair = at([0, 0, 0, angle, angle])
    theorem = geometry.theorem_1(pair, torch.tensor([0, 0, 0, 1, 1]))
    print(f"{angle:3}°: loss of the first anchor {theorem.loss[0]:.3f}, gap {theorem.gap[0]:.0e}")
    assert theorem.gap.abs().max() < 1e-12

# %% [markdown]
# Both gaps are zero, but the bounds differ. To make the bound itself small, the attraction must be large (at most 1, at
# collapse) and the repulsion small. Where the repulsion of an anchor is smallest depends on the samples that repel it.
# Section 8 is about that.
#
# ## 7. A misprint that you can refute
#
# The paper prints Eq. 3 with the logarithm closed one term too early:
#
# $$L_i \;\overset{?}{\ge}\; \log(|B_y| - 1)\; +\; |B_y^C| \exp\bigl((r_i - a_i)/\tau\bigr)$$
#
# Write $m = |B_y| - 1$ and $b$ for the second term. Then $\log(m + b) = \log m + \log(1 + b/m) \le \log m + b/m \le
# \log m + b$: the printed expression is *larger* than the bound. Where the
# theorem is an equality, the printed expression is then above the loss.
#
# Try it with two classes on a circle. (Points beyond the right end of the axis are drawn at its edge.) **Can you move a
# blue square into the grey region? Can you move an orange diamond out of it, at temperature 1 (the one of the theorem), or
# at any other?**

# %%
widgets.bound_sliders()

# %% [markdown]
# Here is one configuration that the sliders reach in JupyterLab: ten samples collapsed at 0° and eighty at 90°.

# %%
z_two = at([0] * 10 + [90] * 80)
y_two = torch.tensor([0] * 10 + [1] * 80)
theorem = geometry.theorem_1(z_two, y_two)
printed = geometry.theorem_1(z_two, y_two, as_printed=True)

print(f"loss {theorem.loss[0]:.3f}, theorem {theorem.bound[0]:.3f}, as printed {printed.bound[0]:.3f}")
assert abs(theorem.gap[0]) < 1e-12
assert printed.gap[0] < -20

# %% [markdown]
# The loss of an anchor of class 0 is $\log(9 + 80\,e^{-1}) \approx 3.65$, exactly the theorem's bound. The printed formula
# claims that it is at least 31. How rare are such configurations?

# %%
outcome = [geometry.theorem_1(z, y, temperature=tau, as_printed=True).gap < 0 for z, y, tau in batches]
print(f"the loss is below the printed expression for {torch.cat(outcome).double().mean():.0%} of all anchors")
assert torch.cat(outcome).double().mean() > 0.8

# %%
at_one = [(z, y) for z, y, tau in batches[:40] if tau == 1.0]
theorem = [geometry.theorem_1(z, y) for z, y in at_one]
printed = [geometry.theorem_1(z, y, as_printed=True) for z, y in at_one]
claims = {"Theorem 1": theorem, "Eq. 3 as printed": printed}

loss_at_one = torch.cat([batch.loss for batch in theorem])
bounds_at_one = {name: torch.cat([batch.bound for batch in claim]) for name, claim in claims.items()}
assert (loss_at_one < bounds_at_one["Eq. 3 as printed"]).all()
figures.bound_versus_loss(loss_at_one, bounds_at_one, title="Temperature 1: the theorem and its print")

# %% [markdown]
# They are not rare: nine in ten anchors contradict the printed formula, and at temperature 1, the one of the theorem, every
# anchor of these batches does. The proof of section 4 ends at the corrected formula, which notebooks 05 and 06 build on.
#
# ## 8. Who decides?
#
# The repulsion $r_i$ is a mean over *samples*. Sort them by class:
#
# $$r_i = \sum_{j \ne y} \frac{|B_j|}{|B_y^C|}\; z_i \cdot \mu_j, \qquad
# \mu_j = \frac{1}{|B_j|}\sum_{k \in B_j} z_k .$$
#
# Each class has a weight in proportion to its size. Take the long-tailed digits of notebook 01: ten classes from 134
# images down to 2, two views of each. Notebook 01b counted that the three largest classes have three quarters of the
# images. **Before you run the cell:** what share of the repulsion of a 9, the smallest class, comes from the four classes
# nearest to it in size?

# %%
counts = untrained_embeddings().class_counts
sample_share = counts.double() / counts[:9].sum()  # for an anchor of class 9
sample_share[9] = 0

print(f"classes 0 to 2: {sample_share[:3].sum():.0%}; classes 5 to 8: {sample_share[5:9].sum():.0%}")
assert 0.74 < sample_share[:3].sum() < 0.76
assert sample_share[5:9].sum() < 0.1

# %% [markdown]
# Three classes have three quarters of the weight, four others together nine per cent. But this is the bound. What about the
# loss? An anchor moves along minus the gradient of its loss, and the part that pushes it away from other samples comes
# from the denominator:
#
# $$-\nabla_{z_i} \log D_i = -\frac1\tau \sum_{k \in B \setminus \{i\}} w_{ik}\, z_k, \qquad
# w_{ik} = \frac{\exp(z_i\cdot z_k/\tau)}{D_i} .$$
#
# Each sample pushes with its weight in the softmax. `geometry.gradient_shares` adds up these weights for each of the
# other classes and divides by their total. (This is the gradient of the anchor's *own* loss. A sample also appears in the
# denominators of all other anchors, which push it as well; notebook 05, section 5, adds that half.)
#
# The weights depend on the embeddings. We take those that the loss meets at its very first step: `untrained_embeddings`
# passes all digits, with two random views of each, as one batch through the freshly initialised network of notebook 01b,
# in train mode, as training does. They are not random directions: images of different classes have a mean cosine of about
# 0.3. With so few 9s the result varies from draw to draw, so we use ten draws of weights and views.

# %%
draws, between = [], []
for seed in range(10):
    z, labels, _ = untrained_embeddings(seed=seed)
    share = geometry.gradient_shares(z, labels, loss="scl", temperature=0.1)[labels == 9].mean(dim=0)
    draws.append(share)
    between.append((z @ z.T)[labels[:, None] != labels].mean())
gradient_share = torch.stack(draws).mean(dim=0)
off = (torch.stack(draws) - sample_share).abs()

# %%
print(f"mean cosine of two images of different classes: {torch.stack(between).mean():.2f}")
print(f"share of the gradient minus share of the samples: at most {off.max():.0%} in a draw, "
      f"{(gradient_share - sample_share).abs().max():.1%} on average over the draws")  # fmt: skip
assert 0.05 < off.max() < 0.1
assert (gradient_share - sample_share).abs().max() < 0.03

shares = {"share of the samples": sample_share, "share of the gradient": gradient_share}
figures.gradient_shares(shares, counts, anchor_class=9, title="Who pushes class 9")

# %% [markdown]
# On average the gradient divides as the samples do, to within three percentage points. In a single draw the share of a
# class can be off by up to nine, because a class that happens to be closer pushes more. (A batch of 64, as in training,
# has fewer samples of each class, so expect more scatter there.) *The dotted line shows the share if every class counted
# alike.*
#
# ## 9. In which direction?
#
# Put the classes at the vertices $\zeta_j$ of a regular simplex and ask where each anchor's own loss pushes it. There all
# samples of other classes are equally close to it, so they have the same weight $w_{ik}$, and the push points along
# $-\sum_{j\ne y} |B_j|\,\zeta_j$.
#
# If all classes are equally large, this is proportional to $-\sum_{j \ne y} \zeta_j = \zeta_y$, since the vertices add up
# to zero: every class is pushed *outwards, where it already is*. **Before you run the cell:** and with a long tail? What
# is the angle between the directions in which the two smallest classes are pushed?


# %%
def push_directions(class_counts):
    """Unit vectors along which anchors at the vertices of a regular simplex are pushed."""
    simplex = geometry.regular_simplex(len(class_counts))
    away = -(class_counts.double() * (1 - torch.eye(len(class_counts)))) @ simplex
    return normalize(away, dim=1)


# %%
equal = geometry.cosine_matrix(push_directions(torch.full((10,), 50)))
long_tail = geometry.cosine_matrix(push_directions(counts))
for name, cosine in {"equal classes": equal[8, 9], "long tail": long_tail[8, 9]}.items():
    print(f"{name:13}: cosine {cosine:.4f}, angle {cosine.acos().rad2deg():.1f}°")
assert torch.allclose(equal[8, 9], torch.tensor(-1 / 9, dtype=torch.float64))
assert long_tail[5:, 5:].min() > 0.98

# %% [markdown]
# With equal classes, any two push directions have cosine $-1/9$: they are the vertices of the simplex. With a long tail
# the five smallest classes are all pushed *the same way*, with cosines above 0.98: away from the same few large classes.
# Notebook 01 found the tail in one corner of the sphere; these pushes point that way.
#
# With three classes the picture is exact. The arrows show the part of the push along the circle, with the samples at the
# vertices. Slide the imbalance factor from 1 to 100.


# %%
def push_on_anchors(class_counts):
    """Push on an anchor of each class at a regular simplex, temperature 1: the part along the circle."""
    y = torch.arange(3).repeat_interleave(class_counts)
    z = geometry.regular_simplex(3)[y]
    push = -(z @ z.T).fill_diagonal_(-torch.inf).softmax(dim=1) @ z  # minus the gradient of log D_i
    # its own class pulls an anchor straight outwards, so it has no part along the circle
    along = push - (push * z).sum(dim=1, keepdim=True) * z
    return geometry.class_means(along, y, num_classes=3)


# %%
simplex, positions = geometry.regular_simplex(3), {}
for factor in (1, 2, 5, 10, 20, 50, 100):
    sizes = exponential_profile(200, 3, factor)
    push = push_on_anchors(sizes)
    positions[str(factor)] = figures.push_circles(simplex, {"SCL": push}, sizes, longest=0.7)
    if factor == 1:
        assert push.norm(dim=1).max() < 1e-12  # equal classes are at rest

print(f"imbalance factor 100: pushes of length {[round(p.norm().item(), 2) for p in push]}")
assert push[0].norm() < 0.1 < 0.5 < push[1:].norm(dim=1).min()
figures.film(positions, quantity="imbalance factor", start="100")

# %% [markdown]
# *Look at where the arrows of classes 1 and 2 point.* At factor 1 all three classes are at rest. At 100 the push on the head
# (class 0) is small, and both others are pushed around the circle towards the point opposite to it, and so towards each
# other.
#
# These are pushes at one place. Where the loss leads in the end is another question: notebook 03 found the optimum of equal
# classes at the simplex and that of a long tail elsewhere, and notebook 07 follows it over all imbalance factors.
#
# ## In one paragraph
#
# The supervised contrastive loss of an anchor is at least $\log(|B_y|-1+|B_y^C|\exp((r_i-a_i)/\tau))$: two applications
# of Jensen's inequality, one to the anchor's own class and one to all others. The paper prints the logarithm closed too
# early, and that expression is not a bound: nine in ten random anchors have a smaller loss. The bound depends on an
# anchor's mean similarity to its own class (attraction) and to all samples of other classes (repulsion). The repulsion is
# a mean over samples, so large classes dominate it: on long-tailed digits three of ten classes have three quarters of the
# weight in the bound and, for an untrained network, about as much of the push on the smallest class. At a simplex they
# push all small classes the same way. The obvious repair is to give each class the same weight. That is the next
# notebook.
#
# **Read more:** Khosla et al., *Supervised Contrastive Learning*, NeurIPS 2020; Graf et al., *Dissecting Supervised
# Contrastive Learning*, ICML 2021.
#
# ## Exercises
#
# **1. Attraction and repulsion.** Write the two terms of the theorem yourself. The checker tries your function on hidden
# cases and tells you what kind of mistake it sees, never the answer.


# %%
def attraction_and_repulsion(embeddings, labels):
    """Mean similarity of each anchor to the other samples of its class, and to all samples of other classes."""
    ...  # return attraction, repulsion: two tensors of shape (n,)


check("attraction_and_repulsion", attraction_and_repulsion)

# %% [markdown]
# **2. The whole loss.** Now the loss of section 2, averaged over all anchors that have a positive. Does yours survive a
# temperature of 0.01?


# %%
def supervised_contrastive_loss(embeddings, labels, temperature):
    """Eq. 1 for every anchor, and their mean: one number."""
    ...


check("supervised_contrastive_loss", supervised_contrastive_loss)

# %% [markdown]
# **3. When does the printed formula hold?** A few of the random anchors do satisfy Eq. 3 as printed. What do they have in
# common? Look at their class size and temperature. *(Start from* `batches`*. For $|B_y| = 2$ the printed expression is
# $b$, the true one $\log(1+b)$: when is a loss larger than both?)*
#
# **4. A theorem of your own.** Jensen's inequality gave a lower bound. Show that $L_i \le \log(|B|-1) + 2/\tau$ by bounding
# every similarity, and check it on the thousand batches. How close does any anchor come? Why is a lower bound that can be
# attained a better guide to where training leads than this upper bound?
