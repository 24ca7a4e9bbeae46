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
# **The supervised contrastive loss pulls a class together and pushes classes apart. What does it have to cost at least,
# and who decides where a small class is pushed to?**
#
# You will take the loss of one anchor apart, prove a lower bound of it line by line (with every line computed beside
# its statement), find a misprint in the paper that you can refute with a slider, and see why head classes decide where
# tail classes go.
#
# *Half a minute of computing, forty minutes of reading. You need the supervised contrastive loss (notebook 01, section
# 3) and the regular simplex (notebook 03). Nothing is trained, nothing is downloaded. The theorem is that of Zhu et
# al., CVPR 2022, section 3.*

# %%
import torch
from torch.nn.functional import normalize

from bcl_edu import geometry, losses
from bcl_edu.course import figures, widgets
from bcl_edu.course.exercises import check
from bcl_edu.data import exponential_profile

# %% [markdown]
# ## 1. A batch that you can see
#
# Three classes on a circle, with five, three and two samples. On a circle the picture is exact.
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
# Every sample takes its turn as the *anchor* $i$. Its loss (Eq. 2), with $D_i$ for the denominator, is
#
# $$L_i = -\frac{1}{|B_y|-1}\sum_{p \in B_y \setminus \{i\}} \log
# \frac{\exp(z_i\cdot z_p/\tau)}{D_i}, \qquad D_i = \sum_{k \in B \setminus \{i\}} \exp(z_i\cdot z_k/\tau) .$$
#
# The logarithm of the fraction is a difference, and the denominator is the same for every positive $p$. So the loss is
# $\log D_i$, less the mean of the $z_i \cdot z_p/\tau$ over the positives.

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
# Ten losses, one an anchor. The last line says that they are those of `bcl_edu.losses`, which trained the networks of
# notebook 01.
#
# ## 3. Two numbers an anchor
#
# The theorem says that very little of the batch matters for the least that $L_i$ can be: two means.
#
# $$\underbrace{a_i = \frac{1}{|B_y|-1}\sum_{p \in B_y\setminus\{i\}} z_i\cdot z_p}_{\text{attraction}}
# \qquad\qquad
# \underbrace{r_i = \frac{1}{|B_y^C|}\sum_{k \in B_y^C} z_i\cdot z_k}_{\text{repulsion}}$$
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
# The two samples of class 2 stand close together, so they attract each other most; the sample at 40° has left the rest
# of class 0 behind. Its loss is the largest of all. (A small $r_i$ is a good thing for an anchor: the others are far
# away.) The theorem says how large a loss must be at least, given these two numbers:
#
# > **Theorem 1** (for one anchor). $\displaystyle L_i \;\ge\; \log\Bigl(\,|B_y| - 1 + |B_y^C|\,
# \exp\bigl((r_i - a_i)/\tau\bigr)\Bigr).$
#
# The paper sums this over the anchors of a class and has $\tau = 1$. Now the proof.
#
# ## 4. The proof, line by line
#
# **Line 1 is an identity.** Section 2 said $L_i = \log D_i - a_i/\tau = \log\bigl(D_i\, e^{-a_i/\tau}\bigr)$. So take $a_i$ into
# every term of $D_i$, and split it in two halves, own class and others:
#
# $$L_i = \log\Bigl(\underbrace{\sum_{p \in B_y\setminus\{i\}} e^{(z_i\cdot z_p - a_i)/\tau}}_{\text{own half}}
# \;+\; \underbrace{\sum_{k \in B_y^C} e^{(z_i\cdot z_k - a_i)/\tau}}_{\text{others' half}}\Bigr)$$

# %%
terms = ((similarity - attraction[:, None]) / temperature).exp()
own_half = (terms * positive).sum(dim=1)
others_half = (terms * other).sum(dim=1)

assert torch.allclose((own_half + others_half).log(), loss)

# %% [markdown]
# **Line 2: the own half is at least its number of terms.** The exponential is convex, so the mean of exponentials is at
# least the exponential of the mean (*Jensen's inequality*). The mean of $z_i \cdot z_p - a_i$ over the positives is
# $a_i - a_i = 0$:
#
# $$\sum_{p \in B_y\setminus\{i\}} e^{(z_i\cdot z_p - a_i)/\tau} \;\ge\; (|B_y|-1)\, e^{0} = |B_y| - 1$$
#
# **Before you run the cell:** for which class is this an equality, wherever its samples stand?

# %%
own_least = positive.sum(dim=1)  # |B_y| - 1
for i in (0, 5, 8):
    print(f"an anchor of class {y[i]}: {own_half[i]:.3f} >= {own_least[i]}")

assert (own_half >= own_least - 1e-12).all()
assert torch.allclose(own_half[y == 2], torch.ones(2, dtype=torch.float64))

# %% [markdown]
# Class 2 has two samples, so its anchors have one positive: the mean of one number is that number.
#
# **Line 3: the same for the others' half.** The mean of $z_i\cdot z_k - a_i$ over all other classes is $r_i - a_i$:
#
# $$\sum_{k \in B_y^C} e^{(z_i\cdot z_k - a_i)/\tau} \;\ge\; |B_y^C|\, e^{(r_i - a_i)/\tau}$$

# %%
others_least = other.sum(dim=1) * ((repulsion - attraction) / temperature).exp()
for i in (0, 5, 8):
    print(f"an anchor of class {y[i]}: {others_half[i]:.3f} >= {others_least[i]:.3f}")

assert (others_half >= others_least - 1e-12).all()

# %% [markdown]
# **Line 4: the logarithm grows.** Both halves are at least what lines 2 and 3 say, so their sum is, and so is its
# logarithm. That is Theorem 1.
#
# In the figure each anchor has a ladder: its loss, then the own half replaced by its least value (line 2), then
# both (lines 3 and 4). **Before you look:** which of the two steps costs more?

# %%
bound = (own_least + others_least).log()
lines = {"loss": loss, "own half at its least": (own_least + others_half).log(), "Theorem 1": bound}

assert torch.allclose(bound, geometry.theorem_1(z, y, temperature=temperature).bound)
assert (bound <= loss + 1e-12).all()
figures.proof_ladder(lines, y, title="From the loss down to its bound")

# %%
first_step = lines["loss"] - lines["own half at its least"]
second_step = lines["own half at its least"] - lines["Theorem 1"]
print(f"the second step goes further down for {int((second_step > first_step).sum())} of 10 anchors")
assert (second_step > first_step)[y > 0].all()

# %% [markdown]
# All the anchors of the two small classes lose more in the second step: what they see elsewhere (near classes and far
# ones) differs more than their own class does. *Look at class 2: its first step has no length.*
#
# ## 5. Not only in this batch
#
# A proof holds for every batch. A thousand random ones, of two to six classes in 2 to 16 dimensions at three
# temperatures, are a good way to find out whether we have made a mistake in it.


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
    """Loss, loss with the own half at its least, Theorem 1; shape (3, n)."""
    positive = (y[:, None] == y) & ~torch.eye(len(y), dtype=torch.bool)
    other = y[:, None] != y
    a, r = mean_over(positive, z @ z.T), mean_over(other, z @ z.T)
    terms = ((z @ z.T - a[:, None]) / temperature).exp()
    own_least, others_half = positive.sum(dim=1), (terms * other).sum(dim=1)
    others_least = other.sum(dim=1) * ((r - a) / temperature).exp()
    own_half = (terms * positive).sum(dim=1)
    return torch.stack([own_half + others_half, own_least + others_half, own_least + others_least]).log()


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
# Twenty thousand anchors, and no step of the proof ever goes up. Here are the anchors of the first thirty batches: the
# bound to the right, the loss upwards. **Before you look:** how close to the line will they come?

# %%
thirty = torch.cat(by_batch[:30], dim=1)
figures.bound_versus_loss(thirty[0], {"Theorem 1": thirty[2]}, title="Anchors of thirty random batches")

# %% [markdown]
# *Nobody is in the grey.* Some anchors stand close to the line, others far above it. Which?

# %%
gaps = {}
for k, tau in enumerate((0.1, 0.5, 1.0)):
    lines = torch.cat(by_batch[k::3], dim=1)
    gaps[tau] = (lines[0] - lines[2]).median()
    print(f"temperature {tau}: loss minus bound {gaps[tau]:.2f} (median of {lines.shape[1]:,} anchors)")

assert gaps[0.1] > 10 * gaps[0.5] > 30 * gaps[1.0]

# %% [markdown]
# The temperature decides. At 0.1 the exponentials of one class differ by powers of ten, a few near neighbours make up
# most of the denominator, and their mean says little. Keep in mind that the paper trains at 0.1: there, a bound through
# mean similarities is far from the loss until the classes have collapsed.
#
# ## 6. When is the bound attained?
#
# Jensen's inequality is an equality where all the numbers that are averaged are equal. So $L_i$ equals its bound exactly
# if
#
# - all positives are equally near to the anchor, **and**
# - all samples of other classes are equally near to it.
#
# For all anchors at once this holds when every class has *collapsed* to one point, and the points form a *regular
# simplex*. Slide a random batch of six, four and two samples there:

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
# At 100 % the gap between loss and bound is zero to twelve digits, and there are three points left, one a class.
#
# *Attained is not the same as small.* Two collapsed classes at any angle attain the bound as well, since there is only
# one other class to look at. **Before you run the cell:** is the loss smaller at 40° or at 180°?

# %%
for angle in (40, 180):
    pair = at([0, 0, 0, angle, angle])
    theorem = geometry.theorem_1(pair, torch.tensor([0, 0, 0, 1, 1]))
    print(f"{angle:3}°: loss of the first anchor {theorem.loss[0]:.3f}, gap {theorem.gap[0]:.0e}")
    assert theorem.gap.abs().max() < 1e-12

# %% [markdown]
# Both are on their bounds, and the bounds differ. To make the bound itself small, the attraction has to be large (at
# most 1: collapse) and the repulsion small. Where a class is least repelled depends on who repels it. Section 8 is about
# that.
#
# ## 7. A misprint that you can refute
#
# The paper prints Eq. 3 with the logarithm closed one term too early:
#
# $$L_i \;\overset{?}{\ge}\; \log(|B_y| - 1)\; +\; |B_y^C| \exp\bigl((r_i - a_i)/\tau\bigr)$$
#
# Write $m = |B_y| - 1$ and $b$ for the second term. Then $\log(m + b) = \log m + \log(1 + b/m) \le \log m + b/m \le
# \log m + b$: the printed expression is *larger* than the bound. And a larger number need not be a lower bound. Where
# the theorem is an equality, it cannot be.
#
# Try it, with two classes on a circle. (What lies further right than the axis goes is drawn at its right edge.) **Can you
# bring a blue square into the grey? Can you bring an orange diamond out of it, at temperature 1 (the paper's in this
# theorem), or at any other?**

# %%
widgets.bound_sliders()

# %% [markdown]
# One configuration that the sliders reach, to keep: ten samples collapsed at 0° and eighty at 90°.

# %%
z_two = at([0] * 10 + [90] * 80)
y_two = torch.tensor([0] * 10 + [1] * 80)
theorem = geometry.theorem_1(z_two, y_two)
printed = geometry.theorem_1(z_two, y_two, as_printed=True)

print(f"loss {theorem.loss[0]:.3f}, theorem {theorem.bound[0]:.3f}, as printed {printed.bound[0]:.3f}")
assert abs(theorem.gap[0]) < 1e-12
assert printed.gap[0] < -20

# %% [markdown]
# The loss of an anchor of class 0 is $\log(9 + 80\,e^{-1}) \approx 3.65$, exactly what the theorem says, and the print
# says that it cannot be below 31. How rare are such configurations?

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
# They are not rare: nine in ten anchors refute the print, and at the temperature of 1 that the paper has in its theorem
# every one of these does. The proof ends at the theorem as we have it; that is the one which notebooks 05 and 06 build
# on.
#
# ## 8. Who decides?
#
# Now to what the theorem is for. The repulsion $r_i$ is a mean over *samples*. Sort them by class:
#
# $$r_i = \sum_{j \ne y} \frac{|B_j|}{|B_y^C|}\; z_i \cdot \mu_j, \qquad
# \mu_j = \frac{1}{|B_j|}\sum_{k \in B_j} z_k .$$
#
# Each class has a say in proportion to its size. Take ten classes with an imbalance factor of 100, as in
# CIFAR-10-LT, 242 images in two views each. **Before you run the cell:** how much of the say about an anchor of the
# smallest class do the three largest have?

# %%
counts = 2 * exponential_profile(100, 10, imbalance_factor=100)
labels = torch.arange(10).repeat_interleave(counts)
say = counts.double() / counts[:9].sum()  # for an anchor of class 9
say[9] = 0

print(f"classes 0 to 2: {say[:3].sum():.0%}; classes 5 to 8: {say[5:9].sum():.0%}")
assert say[:3].sum() > 0.8
assert say[5:9].sum() < 0.06

# %% [markdown]
# Three classes have four fifths of it, the four smallest of the others six per cent. But this is the bound. Does it tell
# the truth about the loss? What moves an anchor is minus the gradient of its loss, and what pushes it away from others
# is the part of it that comes from the denominator,
#
# $$-\nabla_{z_i} \log D_i = -\frac1\tau \sum_{k \in B \setminus \{i\}} w_{ik}\, z_k, \qquad
# w_{ik} = \frac{\exp(z_i\cdot z_k/\tau)}{D_i} :$$
#
# every sample pushes with the weight that it has in the softmax. `geometry.gradient_shares` adds these weights up for each
# other class, and divides by their sum. Here for embeddings as a network has them before it has learned anything:
# random directions in 128 dimensions.

# %%
generator = torch.Generator().manual_seed(0)
random_z = normalize(torch.randn(len(labels), 128, generator=generator, dtype=torch.float64), dim=1)
force = geometry.gradient_shares(random_z, labels, loss="scl", temperature=0.1)[labels == 9].mean(dim=0)

shares = {"share of the samples": say, "share of the gradient": force}
assert (force - say).abs().max() < 0.03
figures.gradient_shares(shares, counts, anchor_class=9, title="Who pushes class 9")

# %% [markdown]
# It does: to within three percentage points the gradient divides as the samples do. *Look at the dotted line: that is
# what each class would have if every class counted alike.*
#
# ## 9. And where does that push?
#
# Put the classes where they should be, at the vertices $\zeta_j$ of a regular simplex, and ask where each anchor is
# pushed. All samples of other classes are equally near to it there, so all have the same weight $w_{ik}$, and it is pushed
# along $-\sum_{j\ne y} |B_j|\,\zeta_j$.
#
# If all classes are equal, this is $-\sum_{j \ne y} \zeta_j = \zeta_y$, since the vertices add up to zero: every class is
# pushed *outwards, to where it already is*. **Before you run the cell:** and with a long tail? What is the angle between
# the directions in which the two smallest classes are pushed?


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
    print(f"{name:13}: cosine {cosine:.4f}, an angle of {cosine.acos().rad2deg():.1f}°")
assert torch.allclose(equal[8, 9], torch.tensor(-1 / 9, dtype=torch.float64))
assert long_tail[5:, 5:].min() > 0.99

# %% [markdown]
# With equal classes, the directions of any two pushes have cosine $-1/9$: they are the vertices of the simplex. With a
# long tail all five small classes are pushed *the same way*, with cosines above 0.99: away from the same few
# large classes. Notebook 01 found the tail in one corner of the sphere; here is a force that drives it there.
#
# Three classes show it exactly. The arrows are what remains of the push along the circle, with the samples at the
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
# *Look at where the arrows of 1 and 2 point.* At 1 all three classes rest. At 100 the head (0) hardly moves, and both others are pushed around the circle to the point
# opposite of it, towards each other. The regular simplex is where SCL rests *because* classes are equal.
#
# The global optimum agrees. `geometry.certified_optimum` computes the geometry with the lowest loss there is, and proves
# that it is (notebook 07):

# %%
for name, sizes in {"equal": torch.full((10,), 50), "long tail": counts}.items():
    optimum = geometry.certified_optimum(sizes, "scl", temperature=0.1)
    cosines = geometry.cosine_matrix(optimum.means)[~torch.eye(10, dtype=torch.bool)]
    print(f"{name:9}: cosines from {cosines.min():.3f} to {cosines.max():.3f} (simplex {-1 / 9:.3f})")
    assert optimum.certified
    assert (optimum.deviation.rms < 1e-4) == (name == "equal")

# %% [markdown]
# ## In one paragraph
#
# The supervised contrastive loss of an anchor is at least $\log(|B_y|-1+|B_y^C|\exp((r_i-a_i)/\tau))$: two applications of
# Jensen's inequality, one to its own class and one to all others, each of which we computed and watched hold twenty
# thousand times. The paper prints the logarithm closed too early, and that expression is no bound: nine in ten random
# anchors have a smaller loss. The bound depends on an anchor's mean similarity to its own class (attraction) and to all
# samples of other classes (repulsion), and the latter is a mean over samples, so the large classes decide: three of ten
# had four fifths of the say. They push all small classes the same way. Equal classes rest at the regular simplex; with
# a long tail they do not, and the optimum of the loss is somewhere else. The obvious repair is to give each class one
# vote. That is the next notebook.
#
# ## Exercises
#
# **1. The two forces.** Write the two terms of the theorem yourself. The checker tries your function on hidden cases
# and tells you what kind of mistake it sees, never the answer.


# %%
def attraction_and_repulsion(embeddings, labels):
    """Mean similarity of each anchor to the other samples of its class, and to all samples of other classes."""
    ...  # return attraction, repulsion: two tensors of shape (n,)


check("attraction_and_repulsion", attraction_and_repulsion)

# %% [markdown]
# **2. The whole loss.** Now Eq. 1 and 2, averaged over all anchors that have a positive. Will yours survive a temperature
# of 0.01?


# %%
def supervised_contrastive_loss(embeddings, labels, temperature):
    """Eq. 1-2, one number."""
    ...


check("supervised_contrastive_loss", supervised_contrastive_loss)

# %% [markdown]
# **3. When is the print right?** A few of the random anchors do satisfy Eq. 3 as printed. What do they have in common?
# Look at their class size and temperature. *(Start from* `batches`*. For $|B_y| = 2$ the printed expression is
# $b$, the true one $\log(1+b)$: when is a loss larger than both?)*
#
# **4. A theorem of your own.** Jensen's inequality gave a bound from below. Show that $L_i \le \log(|B|-1) + 2/\tau$, by
# bounding every similarity instead, and check it on the thousand batches. How close does any anchor come? What makes a
# lower bound that can be attained a better guide to where training leads than this one?
