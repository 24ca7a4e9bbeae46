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
# # The simplex, bent: where a loss leads the class means
#
# **One class has a hundred times as many images as another. A loss is minimised completely. Where are the class means?**
#
# For every loss of the paper this question has an answer that can be computed *and proved*, in milliseconds. You will slide
# the imbalance factor and watch the class means leave the regular simplex; each position is the optimum, with a certificate.
# Then you will take the certificate apart, find out how many dimensions an optimum needs, and compare the losses. Some
# results contradict what the paper suggests.
#
# *Half a minute of computing, an hour and a quarter of reading and playing; exercises take longer. You need the regular
# simplex (notebook 03) and Theorem 3 (notebook 06). Nothing is trained, nothing is downloaded.*

# %%
import math

import torch
from IPython.display import display

from bcl_edu import geometry
from bcl_edu.course import figures
from bcl_edu.course.exercises import check
from bcl_edu.course.widgets.explorer import SimplexExplorer
from bcl_edu.data import exponential_profile

torch.set_num_threads(1)  # many small matrices: more threads would only wait for each other

# %% [markdown]
# ## 1. Bend it
#
# The explorer compares two losses. The largest class always has 5,000 images, and the counts of the others fall by
# a constant factor from class to class (notebook 02). **Write down your predictions before you touch anything:**
#
# 1. At imbalance factor 1 every loss has its optimum at the simplex (notebook 03). At a factor of 2, do the means move
#    further under SCL or under BCL?
# 2. The temperature is 0.5 and the factor 100. Which is closer to the simplex, SCL or BCL, and by how much?
# 3. The same at temperature 0.1, as in the paper? And at 1?
# 4. Which classes come close to each other? With 200, 2 and 2 samples two of them ended up at *one point* (notebook 06). Can
#    that happen if all counts differ?
# 5. With anchors averaged per class the optimum of the full data stays at the simplex (notebook 06). Choose that loss in
#    place of BCL, and then batches of 8: does it stay there?
#
# Every slider responds to the arrow keys. With up to four classes the picture is exact. With more it is a projection;
# rely on the angles and the curve.

# %%
explorer = SimplexExplorer(imbalance_factor=100, temperature=0.5, losses=["scl", "bcl"])
display(explorer)

# %% [markdown]
# *(No kernel? `python -m bcl_edu.course.widgets.explorer explorer.html` writes the same explorer as a page that needs
# none, and `make site` includes it. This is what it looks like:)*
#
# ![The explorer: four class means on a sphere at imbalance factor 100 and temperature 0.5, under SCL, where the two rarest
# are 62 degrees apart, and under BCL with class-averaged anchors, where every two are 109 degrees apart; the class
# counts, and the simplex deviation over the imbalance factor](../docs/simplex_explorer.png)
#
# The browser solves the problem that the sliders set, and Python can solve it again with another program,
# `geometry.certified_optimum`. In JupyterLab move a slider and run this cell: it compares the two at *your* settings. (The
# explorer counts each image twice, for its two views.)

# %%
for loss in explorer.losses:
    found = geometry.certified_optimum(explorer.settings.compositions, loss, temperature=explorer.temperature)
    shown = [o["deviation"]["rms"] for o in explorer.state.get("optima", []) if o["loss"] == loss]
    there = f"in the browser {[round(rms, 4) for rms in shown]}" if shown else "not yet drawn by a browser"
    print(f"{loss}: simplex deviation {found.deviation.rms:.4f}, {there}")
    assert found.certified
    assert all(abs(rms - found.deviation.rms) < 2e-3 for rms in shown)

# %% [markdown]
# (When the output that is stored here was computed, no browser had drawn the explorer. In JupyterLab run the cell again with the
# explorer in sight.) At factor 100 and temperature 0.5, where the
# explorer starts, this decides your second prediction: BCL is *further* from the simplex than SCL, by one per cent. Here
# is the simplest case: three classes under BCL at temperature 1. Three class means at an optimum always lie in a plane
# (section 4), so the circle shows everything. Slide the factor.


# %%
def profile(imbalance_factor, num_classes):
    """Class counts as the explorer has them: not rounded, so that nothing jumps."""
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
# At factor 1 the three classes are 120° apart. As the factor grows, the two smaller ones approach each other opposite to the
# head, and at 100 they coincide, though their counts differ (your fourth prediction; section 6 has ten classes). *There is no network, no optimiser and no randomness in this picture:* it shows the minimum
# of the loss itself. How do we know?
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
# | not named | `optimum.lower_bound` | no configuration has a lower loss |
#
# Each term is a log-sum-exp of the entries of $G$, and that is a **convex** function: on the straight line between two
# matrices it is never above the chord. The Gram matrices form a convex set as well: positive semidefinite, with ones on
# the diagonal. A convex function on a convex set has no local minima other than global ones.
#
# Here are all five losses on 300 pairs of random geometries each, at a random point between the two:


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
# None is ever above the chord. And as a function of the *embeddings*? A geometry and its mirror image have the same loss.
# **Before you run the cell:** what is the loss half way between their embeddings, projected back onto the sphere: the
# same, lower or higher?

# %%
optimal = geometry.certified_optimum(profile(100, 6), "bcl", temperature=1.0).means
mirrored = optimal * torch.tensor([-1.0] + [1.0] * (optimal.shape[1] - 1), dtype=torch.float64)
between = f(geometry.cosine_matrix(optimal + mirrored))
ends = [f(means @ means.T) for means in (optimal, mirrored)]

print(f"at both ends {ends[0]:.4f} and {ends[1]:.4f}, half way between them {between:.4f}")
assert abs(ends[0] - ends[1]) < 1e-12 < 0.01 < between - ends[0]

# %% [markdown]
# Higher: as a function of the embeddings the loss is not convex. Where gradient descent on embeddings stops therefore
# proves nothing, and we work with $G$ instead.
#
# *Is collapse itself optimal?* Without prototypes, yes, for SCL and for class-averaging. Average the cosines of all samples
# over all renamings of samples within each class: the loss is convex and does not notice the names, so it does not increase.
# Now all cosines within class $y$ are one number, and all cosines between two classes are one number. Raising those within
# a class to 1 lowers every term and keeps the matrix positive semidefinite: that is collapse. With prototypes at the class
# means, we only compare collapsed configurations. With free prototypes (notebook 08) the last step is no proof; collapse was
# optimal in all 160 random problems in which we left it open.
#
# ## 3. The certificate
#
# "My solver stopped here" is not a proof. The following is, and you could check it by hand. A convex function lies above its
# tangent planes: with $g = \nabla f(G)$,
#
# $$f(H) \;\ge\; f(G) + \langle g, H - G\rangle \qquad \text{for every Gram matrix } H.$$
#
# So how negative can $\langle g, H \rangle$ be? Take *any* numbers $\lambda_1, \dots, \lambda_K$ and
# put them on the diagonal: $S = g + \operatorname{Diag}(\lambda)$. Since $H_{ii} = 1$,
#
# $$\langle g, H\rangle = \langle S, H\rangle - \sum_i \lambda_i \;\ge\; -K \max\bigl(0, -\lambda_{\min}(S)\bigr) - \sum_i
# \lambda_i ,$$
#
# because $H$ has no negative eigenvalue and its eigenvalues add up to $K$. Together, for the minimum $f^*$:
#
# $$f(G) - f^* \;\le\; \langle g, G \rangle + \sum_i \lambda_i + K \max\bigl(0, -\lambda_{\min}(S)\bigr) .$$
#
# The right side is the **duality gap**. The bound holds for any $\lambda$, and it is small for $\lambda_i = -(gG)_{ii}$:
# this choice cancels the first two terms and leaves $K \max(0, -\lambda_{\min}(S))$, which at an optimum is 0 (its
# optimality condition). In code, first compute $g$ by automatic differentiation (`terms` lists the terms of $f$), then
# the gap and $S$:


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
# **Before you run the cell:** it computes the gap at the optimum, at the regular simplex, and at a random geometry. The
# gap is an upper bound on what could still be gained. How much can really be gained?

# %%
counts = profile(100, 6)
terms = geometry.collapsed_terms(counts, "bcl", temperature=1.0)
best = geometry.certified_optimum(counts, "bcl", temperature=1.0)

simplex = geometry.cosine_matrix(geometry.regular_simplex(6))
for name, gram in {"optimum": best.gram, "simplex": simplex, "random": random_gram(generator)}.items():
    gap, _ = gap_and_slack(gram, terms)
    above = terms.value(gram) - best.value
    print(f"{name:8} loss {terms.value(gram):.6f}, gap {gap:.1e}, really above the optimum by {above:.1e}")
    assert terms.value(gram) - best.value <= gap + 1e-12
assert gap_and_slack(best.gram, terms)[0] < 1e-10

# %% [markdown]
# At the optimum there is nothing left to gain, to ten digits or more. At the simplex there is, and the gap, being an upper
# bound, is larger still. **Try to break it:** take ten thousand random geometries and small changes of the optimum. Is any
# of them below the lower bound?

# %%
lowest = math.inf
for trial in range(10_000):
    step = (1.0, 0.3, 0.1, 0.01)[trial % 4]
    noise = torch.randn(best.means.shape, generator=generator, dtype=torch.float64)
    lowest = min(lowest, terms.value(geometry.cosine_matrix(best.means + step * noise)))
print(f"lowest of 10,000: {lowest:.6f}; optimum {best.value:.6f}, at least {best.lower_bound:.6f} anywhere")
assert lowest >= best.lower_bound

# %% [markdown]
# None is. (A random search proves nothing; the certificate does.)
#
# ## 4. How many dimensions an optimum needs
#
# Why is a circle enough for three classes, and a sphere for four? At an optimum the gap is 0, so $\langle S, G\rangle = 0$
# with both matrices positive semidefinite, and therefore $SG = 0$: the columns of $G$ lie in the null space of $S$. But $S$
# is not zero. Off its diagonal it equals $g$, and every off-diagonal entry of $g$ is positive, because a larger cosine between
# two classes always increases the loss. So $\operatorname{rank} S \ge 1$, and
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
# Here the optimum needs even fewer than five; section 6 returns to this.
#
# **And in fewer dimensions?** Gram matrices of a smaller rank do not form a convex set, so the proof no longer applies.
# `certified_optimum` then returns the best of several starts, and `certified` is False:

# %%
for dimension in (2, 3, 4):
    best_found = geometry.certified_optimum(profile(100, 5), "bcl", temperature=0.1, dimension=dimension)
    print(
        f"5 classes in {dimension} dimensions: loss {best_found.value:.1e}, certified: {best_found.certified}"
    )
    assert best_found.certified == (dimension == 4)

# %% [markdown]
# All certified results in this notebook have room for $K-1$ dimensions. The paper's projection heads have 128 dimensions or
# more, so for 100 classes that is no restriction.
#
# ## 5. Is BCL nearer to the simplex than SCL?
#
# Back to your first and third predictions, now for ten classes as in CIFAR-10-LT and for all factors. **Before you look:** sketch the
# four curves: SCL, BCL, BCL with anchors averaged per class (notebook 06), and logit compensation (LC, Eq. 10), in which
# features and classifier rows have length at most 1 and their products are divided by the temperature.

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
    """One line for each loss; every mark is a certified optimum."""
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
# **At the paper's temperature the two curves coincide.** For these counts averaging the *denominator* over classes does
# not bring the optimum closer to the regular simplex: it changes the simplex deviation by less than two thousandths. Averaging
# the *anchors* as well keeps the optimum at the simplex for every factor: that is the corrected Theorem 3. What about
# temperature 1, the one of the theorem?

# %%
high = {name: deviations(loss, 1.0) for loss, name in named.items()}
nearer = [x for x, b, s in zip(factors, high["BCL (Eq. 9)"], high["SCL"], strict=True) if b < s - 1e-6]
at_100 = {name: curve[factors.index(100)] for name, curve in high.items()}
print(f"BCL is nearer than SCL at factors {nearer}; simplex deviation at 100:")
print(", ".join(f"{name} {value:.3f}" for name, value in at_100.items()))
assert nearer == [2]
assert at_100["BCL (Eq. 9)"] > 2 * at_100["SCL"]
curves(high, factors, "imbalance factor", "Temperature 1, ten classes")

# %% [markdown]
# A factor of 2 is enough to leave the simplex under both. Which loss goes further depends on the factor. At 2, BCL is
# closer to the simplex than SCL, by 30 %; from 5 on it is further away, and at 100 more than twice as far. So neither
# loss is closer in general.
#
# ### Small imbalance: a formula
#
# When the classes are nearly equal, the two optima can be compared by hand. Let the counts be
# $n_y = n(1 + \varepsilon_y)$ with $\sum_y \varepsilon_y = 0$ and large $n$, and let $s = e^x/(1+(K-1)e^x)$ with
# $x = -\frac{K}{(K-1)\tau}$, as in notebook 06. At collapse the two losses are
#
# $$f_{\text{BCL}} = \sum_y p_y \log\Bigl(1 + \sum_{j \ne y} e^{(G_{yj}-1)/\tau}\Bigr), \qquad
# f_{\text{SCL}} = \sum_y p_y \log\Bigl(1 + \sum_{j \ne y} \tfrac{n_j}{n_y}\, e^{(G_{yj}-1)/\tau}\Bigr) + \text{const} .$$
#
# The cosine of classes $i$ and $j$ appears in the terms of both. Its derivative at the simplex is, to first order in
# $\varepsilon$,
#
# $$\frac{s}{K\tau}\bigl(2 + \varepsilon_i + \varepsilon_j\bigr) \quad\text{(BCL)}, \qquad
# \frac{s}{K\tau}\bigl(2 + (1 + Ks)(\varepsilon_i + \varepsilon_j)\bigr) \quad\text{(SCL)} .$$
#
# *(SCL: $p_i \frac{n_j}{n_i} = \frac{1+\varepsilon_j}{K}$, and the sum in the logarithm changes by $-K e^x \varepsilon_i$, because
# $\sum_{j\ne i}(\varepsilon_j - \varepsilon_i) = -K\varepsilon_i$.)* So to first order SCL with imbalance $\varepsilon$ has the
# same slopes as BCL with imbalance $(1+Ks)\,\varepsilon$. The curvature at $\varepsilon = 0$ is the same, hence so is the optimum:
#
# $$\frac{\text{simplex deviation of BCL}}{\text{simplex deviation of SCL}} \;\longrightarrow\; \frac{1}{1 + Ks}
# \qquad\text{as the imbalance factor goes to 1.}$$
#
# **Before you run the cell:** $Ks$ grows from 0 at low temperature to 1 at high temperature. What is the ratio at $\tau = 0.1$,
# and what is the smallest it can be?

# %%
for num_classes, tau in ((10, 0.1), (4, 0.3), (10, 1.0), (10, 5.0)):
    x = -num_classes / ((num_classes - 1) * tau)
    s = math.exp(x) / (1 + (num_classes - 1) * math.exp(x))
    mild = profile(1.01, num_classes)
    scl, bcl = (
        geometry.certified_optimum(mild, loss, temperature=tau, tolerance=1e-10).deviation.rms
        for loss in ("scl", "bcl")
    )
    print(f"K = {num_classes:2}, tau = {tau}: ratio {bcl / scl:.4f}, formula {1 / (1 + num_classes * s):.4f}")
    assert abs(bcl / scl - 1 / (1 + num_classes * s)) < 2e-3

# %% [markdown]
# Formula and certified optima agree to within two thousandths. So for small imbalance BCL is never the further one (at
# $\tau = 0.1$ the ratio cannot be told from 1). Two things bend SCL: the head has more anchors, and it has more samples
# in each denominator. Averaging the denominator removes the second. At high temperature the two are equally strong, so
# BCL bends half as much. At $\tau = 0.1$ the second is negligible, and averaging changes nothing.
#
# For strong imbalance the order can reverse, as the curves showed. It need not: with four classes at $\tau = 0.3$ (try it
# in the explorer) BCL stays closer up to a factor of 1,000:

# %%
for factor in (2, 10, 100, 1000):
    scl, bcl = (
        geometry.certified_optimum(profile(factor, 4), loss, temperature=0.3).deviation.rms
        for loss in ("scl", "bcl")
    )
    print(f"4 classes, temperature 0.3, factor {factor:4}: SCL {scl:.4f}, BCL {bcl:.4f}")
    assert bcl < scl

# %% [markdown]
# And ten classes at factor 100, over the temperature? **Before you look:** is a low temperature good or bad for the simplex?

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
# Both bend more at higher temperatures, and BCL more than SCL. **A low temperature protects the simplex** under either loss:
# the exponential makes the nearest classes dominate the sum, and the sizes of the classes matter less.
#
# In numbers: a weight $w$ on a pair is offset by lowering its cosine by $\tau \log w$, which is small if $\tau$ is. In
# addition, little loss is at stake at a low temperature: it is nearly zero over a whole region around the simplex.

# %%
for tau in (1.0, 0.5, 0.1):
    bound = geometry.simplex_value(10, tau)
    best_bcl = geometry.certified_optimum(profile(100, 10), "bcl", temperature=tau)
    change = best_bcl.value / bound - 1
    print(f"temperature {tau}: simplex {bound:.2e}, optimum of BCL {best_bcl.value:.2e} ({change:+.0%})")
    assert best_bcl.value < bound

# %% [markdown]
# At $\tau = 0.1$ the simplex and the optimum both have a loss below $2 \cdot 10^{-4}$. A network can hardly notice the
# difference, so the exact optimum says little about where training stops. Keep that in mind for notebook 08.
#
# ## 6. Do the tail classes merge?
#
# In the film two classes ended at one point. What happens with ten? Here are the cosines at factor 100, temperature 1:

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
# *Look at the lower right corner of BCL:* 1.00 between the three smallest classes. **Before you run the cell:** do they
# coincide, or only nearly? A certified optimum is exact enough to tell.


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
# They *nearly* merge: they are less than three degrees apart, but not zero. What is lost completely are **dimensions**. Ten
# classes need nine at factor 1, six at 100 and four at 1,000. Three classes have one dimension to lose, and losing it puts
# both smaller ones at one point. Tail classes of *equal* counts can also merge exactly:

# %%
two_tails = geometry.certified_optimum([200, 2, 2], "bcl", temperature=1.0)
equal_tail = geometry.certified_optimum([5000] * 5 + [50] * 5, "bcl", temperature=1.0)
print(f"200, 2, 2: {two_tails.gram[1, 2]:.9f};  5 x 5,000 and 5 x 50: {equal_tail.gram[5, 9]:.9f}")
assert abs(two_tails.gram[1, 2] - 1) < 1e-9
assert abs(equal_tail.gram[5:, 5:].min() - 1) < 1e-6
assert equal_tail.means.shape[1] == 5  # as for six classes: the tail is one

# %% [markdown]
# In the second case, a step profile with a small tail, all five tail classes are at one point, so the optimum has only
# the five dimensions of six points. This is *minority collapse*, which Fang et al. (PNAS 2021) found for cross-entropy; a
# loss with "balanced" in its name shows it as well. The reason is that of notebook 06: the denominator is balanced, the
# anchors are not. The loss of the five tail classes is large, but they have only one per cent of the anchors.
#
# ## 7. Full data or mini-batches?
#
# So far the full data were one batch. Training uses mini-batches, and most of them miss some classes. In the explorer, choose
# a batch size: SCL's picture moves. Does BCL's? **Before you run the cell**, think about what the loss of a collapsed batch
# depends on if every prototype is present and at its class mean.

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
# BCL's does not move: each anchor meets all $K$ prototypes at the class means, whatever else is in the batch. So only the
# frequency of anchors matters, and that is the class frequency for any batch size (the small differences come from
# sampling). Averaging the anchors of each class *in the batch* helps only if the batch is large enough to contain all
# classes (your fifth prediction: in batches of 8 the means leave the simplex), because a class without a sample has no anchor to
# average. How much weight does the smallest class keep, relative to
# the equal weight $1/K$?

# %%
profiles = {
    "CIFAR-10-LT": exponential_profile(5000, 10, 100),
    "CIFAR-100-LT": exponential_profile(500, 100, 100),
}
for name, class_counts in profiles.items():
    sampled = geometry.sampled_batches(class_counts, 256, num_batches=500)
    present = sampled.counts > 0
    weight = present.shape[1] * (sampled.probabilities @ (present / present.sum(axis=1, keepdims=True)))
    in_batch, printed = (
        geometry.certified_optimum(sampled, loss, temperature=0.1).deviation.rms
        for loss in ("bcl-class-anchors", "bcl")
    )
    print(
        f"{name:12}: weight of the smallest class {weight[-1]:.2f}; simplex deviation {in_batch:.4f}, "
        f"of BCL {printed:.4f}"
    )
    assert weight[-1] < 0.7
    assert 1e-3 < in_batch < printed / 3

# %% [markdown]
# Much closer to the simplex than BCL, but not at it: with a hundred classes, the smallest one has less than a fifth of an
# equal weight, because most batches contain none of its five images.
#
# The remedy is to weight each anchor by $1/n_y$, with the class size of the **training set** instead of the batch. A batch of
# $B$ images contains $2 B\, n_y / |D|$ anchors of class $y$ on average (two views), so every class then has the same average
# weight. At collapse the average loss is $\sum_y w_y L_y$ with equal $w_y$, the loss of equal classes, and its minimum is the
# simplex by the three lines of notebook 03.
#
# All this assumes prototypes *at* the class means. In training a prototype is free to go elsewhere; notebook 08 shows
# what that changes in mini-batches.
#
# ## In one paragraph
#
# At collapse each of the paper's losses is a convex function of the cosines between the class means, so its optimum can
# be computed and certified by a duality gap: a tangent plane, a multiplier for each class and one smallest eigenvalue.
# The optimum has at most $K-1$ dimensions, so three classes on a circle and four on a sphere give exact pictures; in
# fewer dimensions nothing is certified. With three or more classes that are not all equally large, every loss but one
# leaves the regular simplex; the exception is BCL with anchors averaged per class. For small imbalance the optimum of
# BCL is $1/(1+Ks)$ times as far from the simplex as that of SCL: half as far at high temperature, equally far at the
# paper's temperature of 0.1. With ten classes at $\tau = 0.1$ the two agree to two thousandths at every factor; at
# $\tau = 1$ BCL is 30 % closer at factor 2 and more than twice as far at 100. There the optimum loses dimensions, and
# the tail classes nearly merge, or merge exactly if their counts are equal. So whatever BCL balances, it is not the
# optimum of Theorem 3.
#
# **Read more:** Fang et al., *Exploring deep neural networks via layer-peeled model: minority collapse in imbalanced training*,
# PNAS 2021.
#
# ## Exercises
#
# **1. The loss at collapse.** Write $f(G)$ of section 2. The checker tries your function on hidden cases and tells you what
# kind of mistake it sees, never the answer.


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
# eight. At which integer factor does it lose the first? How far apart are the two smallest classes there?
#
# **4. Half a correction.** Weight the anchors of a class by $n_y^{\,a}$ in total: $a = 1$ is Eq. 9, $a = 0$ gives
# class-averaged anchors. *(At collapse* `certified_optimum(counts ** a, "bcl")` *computes it.)* How much of the simplex
# deviation is left for $a = \frac12$ at the paper's temperature?
