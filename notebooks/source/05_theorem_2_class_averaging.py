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
# **If every class had the same weight in an anchor's repulsion, whatever its size, would the classes find their places?**
#
# You will change one divisor in the supervised contrastive loss, see the head class lose its weight in the repulsion of an
# anchor, prove the new lower bound line by line, compare the paper's three ways to average, and find out what averaging
# does *not* repair.
#
# *Half a minute of computing, one hour of reading; exercises take longer. You need attraction, repulsion and Theorem 1
# from notebook 04, whose first sections define the symbols used here, and the regular simplex from notebook 03. Nothing is
# trained, nothing is downloaded.*

# %%
import torch
from torch.nn.functional import normalize

from bcl_edu import geometry, losses
from bcl_edu.course import figures
from bcl_edu.course.exercises import check
from bcl_edu.course.untrained import untrained_embeddings
from bcl_edu.data import exponential_profile

# %% [markdown]
# ## 1. One divisor
#
# The denominator of the supervised contrastive loss (Eq. 1) is a sum over the samples of the batch. Sort it by class:
#
# $$D_i = \sum_{k \in B\setminus\{i\}} e^{z_i\cdot z_k/\tau} = \sum_{j \in \mathcal{Y}_B}\; \sum_{k \in B_j\setminus\{i\}}
# e^{z_i\cdot z_k/\tau}$$
#
# where $\mathcal{Y}_B$ is the set of classes in the batch. A class of forty samples contributes forty terms, a class of two
# contributes two. **Class-averaging** (Eq. 6) replaces the sum over each class by its mean:
#
# $$D_i^{\text{avg}} = \sum_{j \in \mathcal{Y}_B}\; \frac{1}{|B_j\setminus\{i\}|} \sum_{k \in B_j\setminus\{i\}}
# e^{z_i\cdot z_k/\tau}$$
#
# | in the paper | in the code | what it is |
# |---|---|---|
# | $\lvert B_j\setminus\{i\}\rvert$ | `terms[i, k]` | number of samples of $k$'s class other than the anchor $i$ |
# | $D_i^{\text{avg}}$ | `log_denominator.exp()` | denominator of the class-averaged loss |
# | $\mathcal{Y}_B$, $Q = \lvert\mathcal{Y}_B\rvert$ | `own.shape[1]` (section 3) | classes in the batch, and their number |
#
# Take a batch of four classes with 40, 12, 4 and 2 samples in eight dimensions, each class around its own axis:

# %%
counts = torch.tensor([40, 12, 4, 2])
y = torch.arange(4).repeat_interleave(counts)
noise = torch.randn(len(y), 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
z = normalize(2 * torch.eye(8, dtype=torch.float64)[y] + noise, dim=1)
temperature = 0.5

# %% [markdown]
# The last sample is an anchor of class 3. **Before you run the cell:** what share of $D_i$ comes from class 0? And what
# share of $D_i^{\text{avg}}$?

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
# Two thirds of the sum come from class 0, and the anchor's own class contributes least. After averaging, all four parts are
# about equally large. The rest of the loss stays as it was: $L_i = \log D_i^{\text{avg}} - a_i/\tau$. In code, averaging
# means subtracting the log of the count from each logit before the log-sum-exp:

# %%
logits = z @ z.T / temperature
log_denominator = (logits - terms.log()).masked_fill(itself, -torch.inf).logsumexp(dim=1)
positive = (y[:, None] == y) & ~itself
averaged = log_denominator - (logits * positive).sum(dim=1) / positive.sum(dim=1)

assert torch.allclose(averaged.mean(), losses.class_averaged_loss(z, y, temperature=temperature))

# %% [markdown]
# ## 2. Who pushes, before and after
#
# Take the long-tailed digits of notebook 04 again, as untrained networks embed them: ten classes, two views of each of 134
# images down to 2. How much of the push on an anchor of class 9 comes from each class? **Before you look:** what will the
# bars of the averaged loss look like, compared with the dotted line of equal shares?

# %%
names = {"SCL": "scl", "class-averaged": "scl-averaging"}


def shares_on_class_9(imbalance_factor, draws):
    """Share of each class in the push on class 9 under both losses, (draws, 10) each; and the class counts."""
    shares = {name: [] for name in names}
    for seed in range(draws):
        points, labels, sizes = untrained_embeddings(imbalance_factor, seed=seed)
        for name, loss in names.items():
            share = geometry.gradient_shares(points, labels, loss=loss, temperature=0.1)
            shares[name].append(share[labels == 9].mean(dim=0))
    return {name: torch.stack(rows) for name, rows in shares.items()}, sizes


# %%
draws, long_tail = shares_on_class_9(50, draws=10)
for name, share in draws.items():
    mean = share.mean(dim=0)[:9]
    print(f"{name:14}: {mean.min():.1%} to {mean.max():.1%} on average, {share[:, :9].min():.1%} to "
          f"{share.max():.1%} over all draws")  # fmt: skip
of_averaged = draws["class-averaged"].mean(dim=0)[:9]
assert of_averaged.min() > 0.09 and of_averaged.max() < 0.14
assert draws["SCL"].mean(dim=0)[0] > 0.3 > 0.02 > draws["SCL"].mean(dim=0)[8]

shares = {name: share.mean(dim=0) for name, share in draws.items()}
figures.gradient_shares(shares, long_tail, anchor_class=9, title="Who pushes class 9")

# %% [markdown]
# Under SCL the bars follow the class sizes. Averaged, they lie around the dotted line of equal shares. *Look at the tail:*
# its bars are what the second loss restores. In a single draw the averaged shares lie between 6 % and 18 %. They are not
# equal, and should not be: a class that is closer pushes more. What no longer counts is how many samples it has.
#
# Slide the imbalance factor. The bars of SCL change with it. Do those of the averaged loss?

# %%
positions = {}
for factor in (1, 2, 5, 10, 20, 50):
    now, sizes = shares_on_class_9(factor, draws=2)
    now = {name: share.mean(dim=0) for name, share in now.items()}
    positions[str(factor)] = figures.gradient_shares(now, sizes, anchor_class=9, title="Who pushes class 9")
    positions[str(factor)].update_yaxes(range=[0, 40])
    assert now["class-averaged"].max() < 0.16
figures.film(positions, quantity="imbalance factor", start="10")

# %% [markdown]
# No: at every factor they stay around the dotted line, and no class has more than 16 % (here a bar is the mean of two draws).
#
# ## 3. The bound after averaging
#
# > **Theorem 2** (for one anchor). With $Q \ge 2$ classes in the batch and $|B_y| \ge 2$,
# > $\displaystyle L_i \;\ge\; \log\Bigl(1 + (Q - 1)\exp\bigl((r_i - a_i)/\tau\bigr)\Bigr)$,
#
# where $a_i$ is the attraction of Theorem 1. The repulsion is no longer a mean over samples: from here on, $r_i$ is the mean
# over *classes* of the mean similarity to their samples,
#
# $$r_i = \frac{1}{Q-1}\sum_{j \ne y} s_{ij} , \qquad s_{ij} = \frac{1}{|B_j|}\sum_{k\in B_j} z_i\cdot z_k .$$
#
# It contains no class size. The proof is Jensen's inequality again, at two levels: within classes, then across them. We
# continue with the batch of section 1.
#
# **Line 1 is the loss**, with $a_i$ moved into the denominator as in notebook 04:
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
# **Line 3: across the other classes.** The same inequality for the $Q-1$ numbers $s_{ij}$, whose mean is $r_i$:
#
# $$\sum_{j\ne y} e^{(s_{ij} - a_i)/\tau} \;\ge\; \,e^{(r_i - a_i)/\tau}$$

# %%
line_3 = (1 + 3 * ((r - a) / temperature).exp()).log()
print(f"last anchor: {line_1[-1]:.3f} >= {line_2[-1]:.3f} >= {line_3[-1]:.3f}")

assert (line_2 >= line_3 - 1e-12).all()
assert torch.allclose(line_3, geometry.theorem_2(z, y, temperature=temperature).bound)

# %% [markdown]
# Here are all three lines for some anchors of each class. **Before you look:** in notebook 04 the step over all other samples
# was the larger one. Which of the two will be larger now?

# %%
few = torch.cat([(y == j).nonzero()[:4, 0] for j in range(4)])  # at most four anchors of each class
lines = {"1: the loss": line_1, "2: averaged in each class": line_2, "3: Theorem 2": line_3}
figures.proof_ladder({name: line[few] for name, line in lines.items()}, y[few], title="Down to Theorem 2")

# %%
within, across = (line_1 - line_2).mean(), (line_2 - line_3).mean()
print(f"mean step within classes {within:.3f}, across classes {across:.3f}")
assert within > across

# %% [markdown]
# The step within classes. The four axes are at right angles, so the other classes are about equally far away, while the
# samples within a class differ.
#
# Line 2 is itself a loss (the next section needs it); `bcl_edu.losses` has it as `averaging="inside"`. So each line is
# one call, and we can try a thousand random batches, as in notebook 04:


# %%
def random_batch(seed):
    """Unit vectors, labels and one more unit vector for each class: two to six classes of two to eight samples."""
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
# Twenty thousand anchors, and no line is above the one before it. What has been gained? Compare the two theorems where both
# are equalities, at the collapsed simplex. **Before you run the cell:** which of the two bounds depends on the class?

# %%
ideal = geometry.regular_simplex(4)[y]
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
# After averaging, every anchor has the same loss at the simplex, in the head and in the tail.
#
# ## 4. Three ways to average
#
# Line 2 of the proof is a loss in its own right. The paper considers three places for the average and compares them in its
# Table 1. All three use a learned unit vector $c_j$ for each class, its *prototype*. In $L_1$ and $L_2$ the prototypes join
# the batch, each as one more sample of its class, but never as an anchor ($B_j$ now includes $c_j$). In $L_3$ they
# replace the samples, also in the numerator:
#
# | | numerator: mean over | denominator | in the code |
# |---|---|---|---|
# | $L_1$ (Eq. 6) | positives and $c_y$ | $\sum_j \operatorname{mean}_{k} \exp(z_i\cdot z_k/\tau)$ | `averaging="outside"` the exponential |
# | $L_2$ (Eq. 7) | positives and $c_y$ | $\sum_j \exp(\operatorname{mean}_{k} z_i\cdot z_k/\tau)$ | `averaging="inside"` |
# | $L_3$ (Eq. 8) | $c_y$ alone | $\sum_j \exp(z_i\cdot c_j/\tau)$ | `averaging="prototypes"` |
#
# So $L_3 = -\log\bigl(e^{z_i \cdot c_y/\tau} / \sum_j e^{z_i \cdot c_j/\tau}\bigr)$ is a softmax over prototypes: the
# cross-entropy of a classifier whose rows are the prototypes. $L_1 \ge L_2$ is the step from line 1 to line 2, with the
# prototypes among the samples. **Before you run the cells:** where does $L_3$ lie?


# %%
def three_ways(z, y, prototypes, temperature):
    """L1, L2, L3 of every anchor, with the prototypes in the batch; shape (3, n)."""
    options = {"complement": True, "temperature": temperature}
    places = ("outside", "inside", "prototypes")
    return torch.stack(
        [losses.anchor_losses(z, y, prototypes, averaging=place, **options).value for place in places]
    )


# %%
z_i, prototypes_i = batches[0][0], batches[0][2]
softmax = (z_i @ prototypes_i.T / 0.1).log_softmax(dim=1)[torch.arange(len(z_i)), batches[0][1]]
assert torch.allclose(three_ways(*batches[0])[2], -softmax)  # Eq. 8, written out

l1, l2, l3 = torch.cat([three_ways(*batch) for batch in batches], dim=1)
above, below = (l3 > l1).double().mean(), (l3 < l2).double().mean()
print(f"smallest L1 - L2 {(l1 - l2).min():.4f}, smallest L3 {l3.min():.0e}")
print(f"L3 is above L1 for {above:.0%} of the anchors, and below L2 for {below:.0%}")
assert (l1 - l2).min() > -1e-12
assert l3.min() > 0
assert min(above, below) > 0.2

# %% [markdown]
# $L_3$ has no fixed place in the order: it depends on where the prototypes are, and here they are random.
#
# ### Which samples are pushed
#
# All three give each class the same weight. They differ in *which samples* of a class are pushed. Take an anchor at 0° with
# its positive at 10° and its prototype at 5°, and another class with samples at 50°, 90° and 130° and its prototype at 90°:

# %%
degrees = torch.tensor([0, 10, 50, 90, 130, 5, 90], dtype=torch.float64).deg2rad()
points = torch.stack([degrees.cos(), degrees.sin()], dim=1)
samples, prototypes = points[:5], points[5:]


def pushes_on_others(place):
    """Push of the anchor (sample 0) on the other class's samples and on its prototype, along the anchor."""
    keys, rows = samples.clone().requires_grad_(), prototypes.clone().requires_grad_()
    options = {"averaging": place, "complement": True, "temperature": 0.5}
    loss = losses.anchor_losses(keys, torch.tensor([0, 0, 1, 1, 1]), rows, **options)
    on_samples, on_prototypes = torch.autograd.grad(loss.value[0], [keys, rows])
    return torch.cat([on_samples[2:], on_prototypes[1:]]) @ samples[0]


# %%
pushed = {place: pushes_on_others(place) for place in ("outside", "inside", "prototypes")}
for place, push in pushed.items():
    print(f"{place:10} at 50°, 90°, 130°: {push[:3].numpy().round(3)}, the prototype at 90°: {push[3]:.3f}")

assert pushed["outside"][0] > 3 * pushed["outside"][1:].max()
assert torch.allclose(pushed["inside"], pushed["inside"][0])
assert not pushed["prototypes"][:3].any() and pushed["prototypes"][3] > 0.2

# %% [markdown]
# With the average outside ($L_1$) the sample that is too close, at 50°, gets most of the push: *hard negatives*, samples of
# other classes that are close to the anchor, are pushed hardest. Inside ($L_2$) all samples of the class and its prototype
# get the same push, near or far. In $L_3$ the samples of other classes get no push from this anchor; it all goes to their
# prototype. The paper reports 51.9, 50.2 and 51.0 % for the three on CIFAR-100-LT and continues with $L_1$. Hard negatives
# are one possible reason; nothing here shows that they are *the* reason.
#
# ## 5. What averaging does not repair
#
# **A class that is not in the batch pushes nobody.** How often is the smallest class of CIFAR-100-LT (five of 10,847 images)
# absent from a batch of 256? And how many of the hundred classes are absent from an average batch? (We assume that each
# image is drawn independently of the others.)

# %%
sizes = exponential_profile(500, 100, imbalance_factor=100)
absent = (1 - sizes.double() / sizes.sum()) ** 256
larger, smaller = absent[:50].sum(), absent[50:].sum()
print(f"the smallest class is absent from {absent[-1]:.0%} of the batches")
print(f"absent on average: {larger:.0f} of the larger fifty classes, {smaller:.0f} of the smaller fifty")
assert int(sizes.sum()) == 10847
assert larger < 5 < 30 < smaller

# %% [markdown]
# More than a third of the classes are missing at any time, and nearly all of them are small ones. Averaging balances only
# the classes that are present. The paper's second change, *class-complement*, puts every class's prototype into the batch.
#
# **A sample has two roles.** It is an anchor once, and *contrast* for all other anchors: a term in their denominators.
# Theorem 2 bounds the loss of one anchor, so it is about the first role. Put three classes of 40, 12 and 4 samples at the
# vertices of a regular simplex, and compute the push of both roles along the circle: minus the gradient of a sample's own
# loss, and minus the gradient of all other losses.


# %%
def pushes(class_counts, averaging):
    """Push along the circle on a sample of each class at the simplex, temperature 1: as anchor, as contrast."""
    y = torch.arange(3).repeat_interleave(class_counts)
    z = geometry.regular_simplex(3)[y]

    def loss(z):
        return losses.anchor_losses(z, y, averaging=averaging, temperature=1.0).value

    slope = torch.autograd.functional.jacobian(loss, z)  # of every anchor's loss, by every sample: (n, n, 2)
    push = (slope * z).sum(dim=2, keepdim=True) * z - slope
    as_anchor = push.diagonal().T
    as_contrast = push.sum(dim=0) - as_anchor
    return [geometry.class_means(role, y, num_classes=3) for role in (as_anchor, as_contrast)]


# %% [markdown]
# **Before you run the cell:** after averaging, which of the two roles is at rest? Is the other push smaller than under SCL?

# %%
three = torch.tensor([40, 12, 4])
roles = {"SCL": pushes(three, "none"), "averaged": pushes(three, "outside")}
for name, (as_anchor, as_contrast) in roles.items():
    for role, push in {"as anchor": as_anchor, "as contrast": as_contrast}.items():
        print(f"{name:8} {role:11}", "  ".join(f"class {j}: {push[j].norm():.2f}" for j in range(3)))

assert roles["averaged"][0].norm(dim=1).max() < 1e-12
assert roles["averaged"][1][2].norm() > 5 * roles["SCL"][1][2].norm()
figures.push_circles(
    geometry.regular_simplex(3),
    {name: as_anchor + as_contrast for name, (as_anchor, as_contrast) in roles.items()},
    three,
    title="Both roles together, at the simplex",
)

# %% [markdown]
# As anchors, all classes are at rest: Theorem 2 at work. But as contrast a tail sample is pushed *harder* than before. Each of
# the four samples of class 2 now carries a quarter of its class's weight in the denominator of all forty head anchors, where
# under SCL it was one of many equal terms.
#
# *Look at the arrows:* both losses push the tail away from the simplex. A push at one point is not yet a minimum somewhere
# else, and this batch has no prototypes. With them, the paper's next theorem says, the minimum *is* at the simplex.
# Notebook 06 looks at that claim.
#
# ## In one paragraph
#
# Class-averaging divides each class's part of the denominator by its number of terms, not counting the anchor. The push on
# an anchor then no longer depends on how many samples a class has, only on how close they are. The lower bound becomes
# $\log(1+(Q-1)\exp((r_i-a_i)/\tau))$, which contains no class size; its proof is Jensen's inequality within classes and then
# across them. The line between is $L_2$, so $L_1\ge L_2$, while $L_3$ is a softmax over the prototypes alone and may be
# larger or smaller. At the regular simplex every anchor's own loss is at rest. But samples are also contrast for the anchors
# of other classes, most of which belong to the head, and there the tail is pushed harder than before; and classes that are
# not in the batch take no part at all.
#
# ## Exercises
#
# **1. Write it.** The logarithm of the denominator of $L_1$ (without prototypes), for every anchor, at any temperature. The
# checker knows the mistakes of the appendix, and some others.


# %%
def class_averaged_denominator(embeddings, labels, temperature):
    """log D_i of Eq. 6 for every anchor, shape (n,)."""
    ...


check("class_averaged_denominator", class_averaged_denominator)

# %% [markdown]
# **2. Near or many?** Put ten classes of the sizes of section 2 on ten coordinate axes, and turn class 0 towards class 9.
# At which cosine does class 0 have half of the push on class 9 under the averaged loss ($\tau = 0.1$)? What share does it
# have under SCL at right angles?
#
# **3. When the second step is everything.** Build a batch for which line 1 and line 2 of the proof agree and line 3 is far
# below. Check it with `proof_lines`. *(Two classes cannot do it. Why?)*
#
# **4. How bad can the mistake get?** Without the reduced mask of the appendix, what is the loss of an anchor of a class of two
# at a collapsed simplex of $K$ classes, as a formula? Does Theorem 2 still bound it? Check it with `mistaken` for
# $K = 3, 10, 100$.
#
# ## Appendix: "Why reduce the mask?"
#
# *Useful if you write the loss yourself.* In the authors' code the divisor is `batch_cls_count - mask`: the number of samples
# of each class, *minus one where the sample is a positive of the anchor*. A reader of the repository asked why (its issue
# 5). Two mistakes are easy to make here:
#
# - **not reduced**: divide the own class by $|B_y|$, though the sum has $|B_y| - 1$ terms;
# - **anchor kept**: leave the anchor in its own denominator, so that there are $|B_y|$ terms.


# %%
def mistaken(z, y, temperature, kind):
    """Class-averaged loss of every anchor, right or with a mistake; and the share of other classes in D_i."""
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
# First at the collapsed regular simplex, in the batch of section 1. There the classes differ only in their number of samples.
# **Before you run the cell:** under which of the three will the loss depend on it?

# %%
at_ideal = {kind: mistaken(ideal, y, 1.0, kind)[0] for kind in ("right", "not reduced", "anchor kept")}
for kind, loss in at_ideal.items():
    print(f"{kind:12}", "  ".join(f"class {j} ({counts[j]:2}): {loss[y == j].mean():.3f}" for j in range(4)))

assert torch.allclose(at_ideal["right"], geometry.simplex_value(4))
assert torch.allclose(at_ideal["anchor kept"], at_ideal["right"])
assert at_ideal["not reduced"][y == 3].max() < 0.5 * geometry.simplex_value(4)

# %% [markdown]
# With the right divisor all anchors have the same loss, $\log(1 + 3e^{-4/3})$. Divided by $|B_y|$, the own class counts only
# $(|B_y|-1)/|B_y|$: nearly one for the class of forty, but one half for the class of two. The class size, which averaging
# was meant to remove, is back.
#
# The other mistake does not show at collapse, where the anchor and its positives coincide. It shows for scattered samples at
# the paper's temperature. There, look at the share of the denominator, and so of the push, that belongs to the *other*
# classes. In the scattered batch of section 1:

# %%
for kind in ("right", "anchor kept"):
    _, by_others = mistaken(z, y, 0.1, kind)
    print(f"{kind:12}", "  ".join(f"class {j}: {by_others[y == j].mean():5.1%}" for j in range(4)))

assert mistaken(z, y, 0.1, "right")[1][y == 3].min() > 0.9
assert mistaken(z, y, 0.1, "anchor kept")[1][y == 3].max() < 0.01

# %% [markdown]
# An anchor has similarity 1 to itself, more than to anything else, and at $\tau = 0.1$ this term dominates. In the class
# of forty it is one of forty terms; in the class of two it is half of the mean. As a result the other classes hardly push
# the tail. That answers the question: the anchor is not its own positive, so it is left out of the sum, and the divisor
# must be one smaller.
