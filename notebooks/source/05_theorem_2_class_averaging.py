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
# # Theorem 2: class-averaging
#
# **If every class had one vote in an anchor's repulsion, whatever its size, would the classes find their places?**
#
# You will change one divisor in the supervised contrastive loss, see the head class lose its power over an anchor,
# prove the new lower bound line by line, compare the paper's three ways to average, and then find out what one vote a
# class does *not* repair.
#
# *Half a minute of computing, forty minutes of reading. You need attraction, repulsion and Theorem 1 from notebook 04,
# whose first sections define the symbols used here, and the regular simplex from notebook 03. Nothing is trained,
# nothing is downloaded.*

# %%
import torch
from torch.nn.functional import normalize

from bcl_edu import geometry, losses
from bcl_edu.course import figures
from bcl_edu.course.exercises import check
from bcl_edu.data import exponential_profile

# %% [markdown]
# ## 1. One divisor
#
# The denominator of the supervised contrastive loss (Eq. 2) is a sum over the samples of the batch. Sort it by class:
#
# $$D_i = \sum_{k \in B\setminus\{i\}} e^{z_i\cdot z_k/\tau} = \sum_{j \in \mathcal{Y}_B}\; \sum_{k \in B_j\setminus\{i\}}
# e^{z_i\cdot z_k/\tau}$$
#
# where $\mathcal{Y}_B$ are the classes in the batch. A class of forty samples adds forty terms, a class of two adds two.
# **Class-averaging** (Eq. 6) takes the mean of each class instead of its sum:
#
# $$D_i^{\text{avg}} = \sum_{j \in \mathcal{Y}_B}\; \frac{1}{|B_j\setminus\{i\}|} \sum_{k \in B_j\setminus\{i\}}
# e^{z_i\cdot z_k/\tau}$$
#
# | in the paper | in the code | what it is |
# |---|---|---|
# | $\lvert B_j\setminus\{i\}\rvert$ | `terms[i, k]` | how many samples of $k$'s class the anchor $i$ meets |
# | $D_i^{\text{avg}}$ | `log_denominator.exp()` | denominator of the class-averaged loss |
# | $\mathcal{Y}_B$, $Q = \lvert\mathcal{Y}_B\rvert$ | `own.shape[1]` (section 4) | classes in the batch, and their number |
#
# A batch of four classes with 40, 12, 4 and 2 samples, each around a direction of its own in eight dimensions:

# %%
counts = torch.tensor([40, 12, 4, 2])
y = torch.arange(4).repeat_interleave(counts)
noise = torch.randn(len(y), 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
z = normalize(2 * torch.eye(8, dtype=torch.float64)[y] + noise, dim=1)
temperature = 0.5

# %% [markdown]
# The last sample is an anchor of class 3. **Before you run the cell:** which share of the first sum comes from class 0? And
# of the second?

# %%
itself = torch.eye(len(y), dtype=torch.bool)
terms = counts[y].expand(len(y), -1) - ((y[:, None] == y) & ~itself).int()  # |B_j without i|
exponentials = (z @ z.T / temperature).exp().masked_fill(itself, 0)

sums = torch.stack([exponentials[-1, y == j].sum() for j in range(4)])
means = torch.stack([(exponentials / terms)[-1, y == j].sum() for j in range(4)])
for name, parts in {"summed": sums, "averaged": means}.items():
    print(f"{name:8}:", "  ".join(f"class {j} {part:.0%}" for j, part in enumerate(parts / parts.sum())))
assert (sums / sums.sum())[0] > 0.6
assert (means / means.sum()).max() < 0.35

# %% [markdown]
# Two thirds of the sum come from class 0, and less of it from the anchor's own class than from anywhere else. After
# averaging all four are about equally large. The rest of the loss stays as it was: $L_i = \log D_i^{\text{avg}} - a_i/\tau$.
# In the code an average is a logarithm of a count, subtracted before the log-sum-exp:

# %%
logits = z @ z.T / temperature
log_denominator = (logits - terms.log()).masked_fill(itself, -torch.inf).logsumexp(dim=1)
positive = (y[:, None] == y) & ~itself
averaged = log_denominator - (logits * positive).sum(dim=1) / positive.sum(dim=1)

assert torch.allclose(averaged.mean(), losses.class_averaged_loss(z, y, temperature=temperature))

# %% [markdown]
# ## 2. Who pushes, before and after
#
# Take the ten classes of notebook 04 again: imbalance factor 100, two views of each image, embeddings that know nothing
# yet. How much of the push on an anchor of class 9 comes from each class? **Before you look:** what will the bars of the
# averaged loss look like?

# %%
long_tail = 2 * exponential_profile(100, 10, imbalance_factor=100)


def shares_on_class_9(class_counts, loss):
    """Mean share of each class in the push on the anchors of class 9, for embeddings in random directions."""
    labels = torch.arange(10).repeat_interleave(class_counts)
    generator = torch.Generator().manual_seed(1)
    points = normalize(torch.randn(len(labels), 128, generator=generator, dtype=torch.float64), dim=1)
    return geometry.gradient_shares(points, labels, loss=loss, temperature=0.1)[labels == 9].mean(dim=0)


# %%
names = {"SCL": "scl", "class-averaged": "scl-averaging"}
shares = {name: shares_on_class_9(long_tail, loss) for name, loss in names.items()}
spread = {name: share[:9].std().item() for name, share in shares.items()}

print("standard deviation of the nine bars:", {name: round(value, 3) for name, value in spread.items()})
assert spread["class-averaged"] < 0.04 < 0.12 < spread["SCL"]
figures.gradient_shares(shares, long_tail, anchor_class=9, title="Who pushes class 9")

# %% [markdown]
# Under SCL the bars fall as the class sizes do. Averaged, they lie around the dotted line of an equal say. *Look at the
# bars of the tail: they are what the second loss gives back.* They are not exactly equal, and should not be: a class that
# happens to be nearer pushes more (and the mean over two samples scatters more than one over two hundred). What no longer
# counts is how many samples it has.
#
# Slide the imbalance factor. Grey grows and shrinks; does blue care?

# %%
positions = {}
for factor in (1, 2, 5, 10, 20, 50, 100):
    sizes = 2 * exponential_profile(100, 10, factor)
    now = {name: shares_on_class_9(sizes, loss) for name, loss in names.items()}
    positions[str(factor)] = figures.gradient_shares(now, sizes, anchor_class=9, title="Who pushes class 9")
    positions[str(factor)].update_yaxes(range=[0, 45])
    assert now["class-averaged"].max() < 0.2  # at every factor
figures.film(positions, quantity="imbalance factor", start="10")

# %% [markdown]
# It does not: at every factor its bars stay around the dotted line, and no class has a fifth of the push.
#
# ## 3. "Why reduce the mask?"
#
# In the authors' code the divisor is written `batch_cls_count - mask`: the number of samples of each class, *less one where
# the sample is a positive of the anchor*. A reader of the repository asked why (its issue 5), and two slips are easy to
# make here. Let us make both:
#
# - **not reduced**: divide the own class by $|B_y|$, though the sum has $|B_y| - 1$ terms;
# - **anchor kept**: leave the anchor in its own denominator, so that there are $|B_y|$ terms.


# %%
def slip(z, y, temperature, kind):
    """Class-averaged loss of every anchor, right or with one of two slips; and the share of others in D_i."""
    itself = torch.eye(len(y), dtype=torch.bool)
    positive = (y[:, None] == y) & ~itself
    reduce = positive if kind == "right" else torch.zeros_like(positive)
    log_terms = (torch.bincount(y)[y] - reduce.int()).log()
    logits = z @ z.T / temperature
    kept = logits - log_terms
    if kind != "anchor kept":
        kept = kept.masked_fill(itself, -torch.inf)
    loss = kept.logsumexp(dim=1) - (logits * positive).sum(dim=1) / positive.sum(dim=1)
    return loss, (kept.softmax(dim=1) * (y[:, None] != y)).sum(dim=1)


# %% [markdown]
# First at the ideal: all classes collapsed at the vertices of a regular simplex. Nothing distinguishes the classes there
# but their number of samples. **Before you run the cell:** under which of the three will the loss depend on it?

# %%
ideal = geometry.regular_simplex(4)[y]
at_ideal = {kind: slip(ideal, y, 1.0, kind)[0] for kind in ("right", "not reduced", "anchor kept")}
for kind, loss in at_ideal.items():
    print(f"{kind:12}", "  ".join(f"class {j} ({counts[j]:2}): {loss[y == j].mean():.3f}" for j in range(4)))

assert torch.allclose(at_ideal["right"], geometry.simplex_value(4))
assert torch.allclose(at_ideal["anchor kept"], at_ideal["right"])
assert at_ideal["not reduced"][y == 3].max() < 0.5 * geometry.simplex_value(4)

# %% [markdown]
# With the right divisor all anchors have the same loss, $\log(1 + 3e^{-4/3})$. Divided by $|B_y|$, the own class counts only
# $(|B_y|-1)/|B_y|$: next to nothing is missing for the class of forty, one half for the class of two. The class size,
# which averaging was to remove, has come back through the tail's own term.
#
# The other slip does not show at collapse, where the anchor and its positives are in one place. It shows in training,
# at the paper's temperature. There the quantity to watch is how much of the denominator, and so of the push, belongs
# to the *other* classes. In the scattered batch of section 1:

# %%
for kind in ("right", "anchor kept"):
    _, by_others = slip(z, y, 0.1, kind)
    print(f"{kind:12}", "  ".join(f"class {j}: {by_others[y == j].mean():5.1%}" for j in range(4)))

assert slip(z, y, 0.1, "right")[1][y == 3].min() > 0.9
assert slip(z, y, 0.1, "anchor kept")[1][y == 3].max() < 0.01

# %% [markdown]
# An anchor has similarity 1 to itself, more than to anything else, and at $\tau = 0.1$ its own term drowns the rest. In the
# class of forty it is one of forty terms; in the class of two it is half of the mean. So it is the tail that others hardly
# push any more. That answers the question: the anchor is no positive of itself, it leaves the sum, and the number of
# terms has to follow.
#
# ## 4. The bound after averaging
#
# > **Theorem 2** (for one anchor). With $Q$ classes in the batch,
# > $\displaystyle L_i \;\ge\; \log\Bigl(1 + (Q - 1)\exp\bigl((r_i - a_i)/\tau\bigr)\Bigr)$,
#
# where $a_i$ is the attraction of Theorem 1, and the repulsion $r_i$ is another one than there: a mean over *classes* of the
# mean similarity to their samples:
#
# $$r_i = \frac{1}{Q-1}\sum_{j \ne y}\; \underbrace{\frac{1}{|B_j|}\sum_{k\in B_j} z_i\cdot z_k}_{s_{ij}}$$
#
# No class size is left in it. The proof is Jensen's inequality again, at two levels: within classes, then across them.
#
# **Line 1 is the loss**, with $a_i$ taken into the denominator as in notebook 04:
#
# $$L_i = \log D_i^{\text{avg}} - \frac{a_i}{\tau} = \log \sum_{j\in\mathcal{Y}_B}\,
# \operatorname*{mean}_{k\in B_j\setminus\{i\}} e^{(z_i\cdot z_k - a_i)/\tau}$$

# %%
own = torch.nn.functional.one_hot(y).double()  # whether class j is the anchor's own, shape (n, Q)
count = counts - own  # |B_j without i|
s = (z @ z.T).masked_fill(itself, 0) @ own / count  # s_ij, and in the own column a_i
a = (s * own).sum(dim=1)
r = (s * (1 - own)).sum(dim=1) / 3  # Q - 1 = 3 other classes

line_1 = (exponentials @ own / count).sum(dim=1).log() - a / temperature
assert torch.allclose(line_1, averaged)

# %% [markdown]
# **Line 2: within each class**, the mean of the exponentials is at least the exponential of the mean. For the own class
# the latter is $e^{(a_i-a_i)/\tau} = 1$:
#
# $$\operatorname*{mean}_{k\in B_j\setminus\{i\}} e^{z_i\cdot z_k/\tau} \;\ge\; e^{s_{ij}/\tau}
# \qquad\text{so}\qquad L_i \;\ge\; \log\Bigl(1 + \sum_{j\ne y} e^{(s_{ij} - a_i)/\tau}\Bigr)$$

# %%
class_part, class_least = exponentials @ own / count, (s / temperature).exp()
for j in range(4):
    print(f"last anchor, class {j}: {class_part[-1, j]:.3f} >= {class_least[-1, j]:.3f}")

line_2 = (1 + (((s - a[:, None]) / temperature).exp() * (1 - own)).sum(dim=1)).log()
assert (class_part >= class_least - 1e-12).all()
assert (line_1 >= line_2 - 1e-12).all()

# %% [markdown]
# **Line 3: across the other classes**, the same once more, for the mean over the $Q-1$ numbers $s_{ij}$, which is $r_i$:
#
# $$\sum_{j\ne y} e^{(s_{ij} - a_i)/\tau} \;\ge\; \,e^{(r_i - a_i)/\tau}$$

# %%
line_3 = (1 + 3 * ((r - a) / temperature).exp()).log()
print(f"last anchor: {line_1[-1]:.3f} >= {line_2[-1]:.3f} >= {line_3[-1]:.3f}")

assert (line_2 >= line_3 - 1e-12).all()
assert torch.allclose(line_3, geometry.theorem_2(z, y, temperature=temperature).bound)

# %% [markdown]
# All three lines for some anchors of each class. **Before you look:** in notebook 04 the larger step was the one over all
# other samples. Which of the two will be larger now?

# %%
few = torch.cat([(y == j).nonzero()[:4, 0] for j in range(4)])  # four anchors of a class, or both
lines = {"1: the loss": line_1, "2: averaged in each class": line_2, "3: Theorem 2": line_3}
figures.proof_ladder({name: line[few] for name, line in lines.items()}, y[few], title="Down to Theorem 2")

# %%
within, across = (line_1 - line_2).mean(), (line_2 - line_3).mean()
print(f"mean step within classes {within:.3f}, across classes {across:.3f}")
assert within > across

# %% [markdown]
# It is the step within classes. The four directions are at right angles here, so other classes are about equally far away, while
# the samples of one class differ.
#
# Line 2 is a loss of its own, as we will see in the next section; `bcl_edu.losses` has it under the name "inside". With that
# the three lines are three calls, and we can look at a thousand random batches, as in notebook 04:


# %%
def random_batch(seed):
    """Unit vectors, labels and one more unit vector a class: two to six classes of two to eight samples."""
    generator = torch.Generator().manual_seed(seed)
    num_classes, dimension = (int(torch.randint(2, top, (), generator=generator)) for top in (7, 17))
    labels = torch.arange(num_classes).repeat_interleave(
        torch.randint(2, 9, (num_classes,), generator=generator)
    )
    points = torch.randn(len(labels) + num_classes, dimension, generator=generator, dtype=torch.float64)
    points = normalize(points, dim=1)
    return points[: len(labels)], labels, points[len(labels) :]


# %%
def proof_lines(z, y, temperature):
    """Lines 1, 2 and 3 for every anchor, shape (3, n)."""
    outside = losses.anchor_losses(z, y, averaging="outside", temperature=temperature).value
    inside = losses.anchor_losses(z, y, averaging="inside", temperature=temperature).value
    return torch.stack([outside, inside, geometry.theorem_2(z, y, temperature=temperature).bound])


assert torch.allclose(proof_lines(z, y, temperature), torch.stack([line_1, line_2, line_3]))

# %%
batches = [(*random_batch(seed), (0.1, 0.5, 1.0)[seed % 3]) for seed in range(1000)]
values = torch.cat([proof_lines(z, y, tau) for z, y, _, tau in batches], dim=1)

first_step, second_step = values[0] - values[1], values[1] - values[2]
up = int((torch.stack([first_step, second_step]) < -1e-12).sum())  # beyond rounding
print(f"{values.shape[1]:,} anchors; {up} of their steps go up")
assert first_step.min() > -1e-12
assert second_step.min() > -1e-12

# %% [markdown]
# Twenty thousand anchors, and no line is above the one before it. What has been gained? Compare the two theorems where they
# are both equalities, at the collapsed simplex. **Before you run the cell:** which of the two bounds depends on the class?

# %%
first, second = geometry.theorem_1(ideal, y), geometry.theorem_2(ideal, y)
for j in range(4):
    anchor = (y == j).nonzero()[0, 0]
    print(
        f"class {j} ({counts[j]:2}): Theorem 1 {first.bound[anchor]:.3f}, Theorem 2 {second.bound[anchor]:.3f}"
    )

assert max(first.gap.abs().max(), second.gap.abs().max()) < 1e-12
assert first.bound.std() > 0.3
assert second.bound.std() < 1e-12

# %% [markdown]
# After averaging, every anchor pays the same at the simplex. And the least that an anchor could pay is the same for the
# head and for the tail.
#
# ## 5. Three ways to average
#
# Line 2 of the proof is a loss in its own right. The paper considers three places for the average and compares them in its
# Table 1:
#
# | | denominator $D_i$ | in the code |
# |---|---|---|
# | $L_1$ (Eq. 6) | $\sum_j \operatorname{mean}_{k} \exp(z_i\cdot z_k/\tau)$ | `averaging="outside"` the exponential |
# | $L_2$ (Eq. 7) | $\sum_j \exp(\operatorname{mean}_{k} z_i\cdot z_k/\tau)$ | `averaging="inside"` |
# | $L_3$ (Eq. 8) | $\sum_j \exp(z_i\cdot c_j/\tau)$ | `averaging="prototypes"` |
#
# with a learned unit vector $c_j$, the *prototype*, for each class in $L_3$. Then $L_1 \ge L_2$ is line 2, and we have
# just proved it. (In Table 1 the prototypes join the batch in all three, each as one more sample of its class that is
# never an anchor. The proof does not change.) **Before you run the cells:** where does $L_3$ stand?


# %%
def three_ways(z, y, prototypes, temperature):
    """L1, L2, L3 of every anchor, with the prototypes in the batch; shape (3, n)."""
    options = {"complement": True, "temperature": temperature}
    places = ("outside", "inside", "prototypes")
    return torch.stack(
        [losses.anchor_losses(z, y, prototypes, averaging=place, **options).value for place in places]
    )


# %%
l1, l2, l3 = torch.cat([three_ways(*batch) for batch in batches], dim=1)
above, below = (l3 > l1).double().mean(), (l3 < l2).double().mean()
print(f"L1 - L2 is never below {(l1 - l2).min():.0e}")
print(f"L3 is above L1 for {above:.0%} of the anchors, and below L2 for {below:.0%}")

assert (l1 - l2).min() > -1e-12
assert min(above, below) > 0.2

# %% [markdown]
# $L_3$ has no place in the order: it depends on where the prototypes are, and random ones are anywhere.
#
# ### What the place of the average decides
#
# All three give each class one vote. They differ in *who casts it*. An anchor at 0°, its positive at 10°, and another
# class with samples at 50°, 90° and 130° (its prototype at 90°):

# %%
degrees = torch.tensor([0, 10, 50, 90, 130, 5, 90], dtype=torch.float64).deg2rad()
points = torch.stack([degrees.cos(), degrees.sin()], dim=1)
samples, prototypes = points[:5], points[5:]


def pushes_on_samples(place):
    """How hard the anchor (sample 0) and each sample of the other class push one another apart: its weight / tau."""
    keys, of_class = samples.clone().requires_grad_(), torch.tensor([0, 0, 1, 1, 1])
    loss = losses.anchor_losses(keys, of_class, prototypes, averaging=place, temperature=0.5)
    (gradient,) = torch.autograd.grad(loss.value[0], keys)
    return gradient[2:] @ samples[0]


# %%
pushed = {place: pushes_on_samples(place) for place in ("outside", "inside", "prototypes")}
for place, push in pushed.items():
    print(f"{place:10} at 50°, 90°, 130°: {[round(value.item(), 3) for value in push]}")

assert pushed["outside"][0] > 3 * pushed["outside"][1:].max()
assert torch.allclose(pushed["inside"], pushed["inside"][0])
assert not pushed["prototypes"].any()

# %% [markdown]
# With the average outside ($L_1$) the sample that is too near, at 50°, gets most of the push: *hard negatives*, samples of
# other classes that are near to the anchor, are treated as such. Inside ($L_2$) all samples of the class get the same, near or far. With prototypes only ($L_3$) the samples get
# nothing from this anchor; it pushes the prototype. The paper reports 51.9, 50.2 and 51.0 % for the three on
# CIFAR-100-LT and goes on with $L_1$; what you have seen here is a reason, not a confirmation.
#
# ## 6. What one vote a class does not repair
#
# **A class that is not in the batch has no vote.** How often is the smallest class of CIFAR-100-LT (five of 10,847 images)
# absent from a batch of 256? And how many of the hundred classes are absent from an average batch? (We reckon as if each
# image were drawn independently of the others.)

# %%
sizes = exponential_profile(500, 100, imbalance_factor=100)
absent = (1 - sizes.double() / sizes.sum()) ** 256
larger, smaller = absent[:50].sum(), absent[50:].sum()
print(f"the smallest class is absent from {absent[-1]:.0%} of the batches")
print(f"absent on average: {larger:.0f} of the larger fifty classes, {smaller:.0f} of the smaller fifty")
assert int(sizes.sum()) == 10847
assert larger < 5 < 30 < smaller

# %% [markdown]
# More than a third of the classes are missing at any moment, and nearly all of them are small ones. Averaging is fair
# among those present. The paper's second change, *class-complement*, puts every class's prototype into the batch.
#
# **And the anchors were never averaged.** A sample has two roles. It is an anchor once, and *contrast* for all other
# anchors: a term in their denominators. Theorem 2 is about the first role. Put three classes of 40, 12 and 4 samples at the vertices of a regular
# simplex, where all of them should rest, and look at the pushes of both roles along the circle, each of them minus a
# gradient: that of a sample's own loss, and that of all other losses.


# %%
def pushes(class_counts, averaging, average_anchors=False):
    """Push along the circle on a sample of each class at the simplex, temperature 1: as anchor, as contrast."""
    y = torch.arange(3).repeat_interleave(class_counts)
    z = geometry.regular_simplex(3)[y]
    weight = len(y) / (3 * class_counts[y].double()) if average_anchors else torch.ones(len(y))

    def loss(z):
        return losses.anchor_losses(z, y, averaging=averaging, temperature=1.0).value

    slope = torch.autograd.functional.jacobian(loss, z)  # of every anchor's loss, by every sample: (n, n, 2)
    push = -weight[:, None, None] * slope
    push = push - (push * z).sum(dim=2, keepdim=True) * z
    as_anchor = push.diagonal().T
    as_contrast = push.sum(dim=0) - as_anchor
    return [geometry.class_means(role, y, num_classes=3) for role in (as_anchor, as_contrast)]


# %% [markdown]
# **Before you run the cell:** after averaging, which of the two roles is at rest? And is the sum of both smaller than
# under SCL?

# %%
three = torch.tensor([40, 12, 4])
roles = {"SCL": pushes(three, "none"), "averaged": pushes(three, "outside")}
for name, (as_anchor, as_contrast) in roles.items():
    for role, push in {"as anchor": as_anchor, "as contrast": as_contrast}.items():
        print(f"{name:8} {role:11}", "  ".join(f"class {j}: {push[j].norm():.2f}" for j in range(3)))

assert roles["averaged"][0].norm(dim=1).max() < 1e-12
assert roles["averaged"][1][2].norm() > 5 * roles["SCL"][1][2].norm()

# %% [markdown]
# As anchors, all classes rest: Theorem 2 at work. But as contrast the tail is pushed *harder* than before. Each of its four
# samples carries a quarter of its class's vote with every one of the forty head anchors, where under SCL it was one of
# many. Nobody has averaged over those anchors: forty of them push, and twelve, and four.
#
# If the *anchors* of each class are averaged as well, each class pushes once in this direction, too. Here are both roles
# together, for SCL, for the averaged loss, and with averaged anchors:

# %%
roles["anchors too"] = pushes(three, "outside", average_anchors=True)
together = {name: as_anchor + as_contrast for name, (as_anchor, as_contrast) in roles.items()}

assert together["anchors too"].norm(dim=1).max() < 1e-12
assert together["averaged"][2].norm() > 2 * together["SCL"][2].norm()
figures.push_circles(geometry.regular_simplex(3), together, three, title="Both roles, at the simplex")

# %% [markdown]
# Only the third loss rests at the simplex: *look at its rings.* The second is pushed away from it, at this temperature
# harder than the loss that it was to repair. A push is one thing, where it leads another; `certified_optimum` answers that
# for the ten classes of section 2. The third loss is called `bcl-class-anchors` there: it has prototypes as well, but in a
# full batch, at their class means, they change nothing. **Before you run the cell:** which of the three has its optimum at
# the simplex, all cosines $-1/9$?

# %%
for tau in (0.1, 1.0):
    for name in ("scl", "scl-averaging", "bcl-class-anchors"):
        optimum = geometry.certified_optimum(long_tail, name, temperature=tau)
        cosines = geometry.cosine_matrix(optimum.means)[~torch.eye(10, dtype=torch.bool)]
        print(f"tau {tau}, {name:17}: cosines from {cosines.min():6.3f} to {cosines.max():6.3f}")
        assert optimum.certified
        assert (optimum.deviation.rms < 1e-6) == (name == "bcl-class-anchors")
        assert (cosines.max() > 0.999) == (name == "scl-averaging" and tau == 1.0)

# %% [markdown]
# Averaging the denominator alone does not bring the optimum to the simplex; at $\tau = 1$ it lets the tail classes all but
# merge, cosine 1. So the paper's next theorem, which says that the class-averaged loss with all classes present is least at the
# regular simplex, cannot be true for unequal classes as it stands. Notebook 06 finds the counter-example and the condition
# that is missing. You have just seen it.
#
# ## In one paragraph
#
# Class-averaging divides each class's part of the denominator by its number of terms, the anchor not counted (hence the
# "reduced mask"): every class in the batch pushes an anchor with one vote, and shares of the push that fell with the class
# sizes become about equal. The lower bound becomes $\log(1+(Q-1)\exp((r_i-a_i)/\tau))$, in which no class size is left;
# its proof is Jensen's inequality within classes and then across them, and the line between is $L_2$, so $L_1\ge L_2$, while
# $L_3$ depends on its prototypes. At the regular simplex every anchor then rests. But samples are also contrast for the
# anchors of other classes, of which the head has most, and classes that are not in the batch have no vote at all. One vote
# a class in the denominator is half of the balance; the other half is one vote a class among the anchors.
#
# ## Exercises
#
# **1. Write it.** The logarithm of the denominator of $L_1$, for every anchor, at any temperature. The checker knows the slips
# of section 3, and some others.


# %%
def class_averaged_denominator(embeddings, labels, temperature):
    """log D_i of Eq. 6 for every anchor, shape (n,)."""
    ...


check("class_averaged_denominator", class_averaged_denominator)

# %% [markdown]
# **2. Near or many?** In section 2 turn the points of class 0 towards the anchors of class 9 (add a multiple of their mean,
# normalise). At which cosine does class 0 have half of the push under the averaged loss? Under SCL it has two fifths of it
# without being near: why?
#
# **3. When the second step is everything.** Build a batch for which line 1 and line 2 of the proof agree and line 3 is far
# below. Check it with `proof_lines`. *(Two classes cannot do it. Why?)*
#
# **4. How bad can the slip get?** Without the reduced mask, what is the loss of an anchor of a class of two at a collapsed
# simplex of $K$ classes, as a formula? Is it still bounded by Theorem 2? Check it with `slip` for $K = 3, 10, 100$.
