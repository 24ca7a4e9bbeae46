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
# # The method on the page
#
# **What exactly is trained when somebody trains with a balanced contrastive loss?**
#
# This notebook builds all of it in about a hundred lines of plain PyTorch: three views of an image, one network with a
# classifier and a contrastive branch, the two contrastive losses, logit compensation and the training loop. Each
# piece is then compared with the one in `bcl_edu`, which the other notebooks use. There are no other ingredients.
#
# *Half a minute of computing, 45 minutes of reading. You need PyTorch and [01_first_look](01_first_look.ipynb). No
# contrastive learning is assumed.*
#
# | symbol of the paper | in the code below | what it is |
# |---|---|---|
# | $v_1, v_2, v_3$ | `views` | three views of each image |
# | $z_i$ | `z` | embedding of one view: a point on the unit sphere |
# | $B$, $B_y$ | `z`, `y` | the embeddings of a batch; those of class $y$ |
# | $c_j$ | `c` | prototype of class $j$: one more point on the sphere |
# | $\tau$ | `temperature` | divides every similarity |
# | $\varphi_y$ | `logits` | the classifier's outputs |
# | $P_y$ | `prior` | share of class $y$ in the training set |
# | $\lambda$, $\mu$ | `2.0`, `0.6` | weights of the two losses in their sum |

# %%
import copy

import torch
from torch import nn
from torch.nn.functional import cross_entropy, normalize, pad

from bcl_edu import losses, models
from bcl_edu.augment.draws import derive_seed
from bcl_edu.course import figures, widgets
from bcl_edu.course.exercises import check
from bcl_edu.course.package_batches import digit_views, package_batches
from bcl_edu.data import exponential_profile, long_tailed_subset, open_dataset
from bcl_edu.geometry import cosine_matrix, simplex_deviation
from bcl_edu.training import RECIPES
from bcl_edu.training.metrics import accuracy

# %% [markdown]
# ## 1. The data
#
# The long-tailed digits of notebook 01: 134 zeros, 2 nines, and a test set with 40 images of each digit. All pixels
# are standardised with the mean and the standard deviation of the training images.

# %%
digits = open_dataset("digits")
class_counts = exponential_profile(134, num_classes=10, imbalance_factor=50)
train_set = digits.train.select(long_tailed_subset(digits.train.labels, class_counts))
images, labels = train_set.images, train_set.labels

pixels = images.double() / 255
mean, std = pixels.mean().item(), pixels.std(correction=0).item()


def standardised(images):
    """Bytes as numbers with mean 0 and standard deviation 1."""
    return (images.float() / 255 - mean) / std


print(f"{len(images)} training images of shape {tuple(images.shape[1:])}, classes of {class_counts.tolist()}")

# %% [markdown]
# ## 2. Three views
#
# A *view* is a randomly changed copy of an image. Each image of a batch enters the network three times: the classifier
# learns from $v_1$, the contrastive loss from $v_2$ and $v_3$. Two of them, because a contrastive loss compares images
# of the same class, and a class may have only one image in the batch: its two views are then compared with each other.
#
# For digits a view is shifted by up to one pixel, made lighter or darker, and noisy. (For photographs the changes are
# stronger: crops, colours, blur. [Notebook 10](10_cifar_lt.ipynb) shows them.) What is drawn at random and what is
# done with it are two functions, so that the second can be checked.


# %%
def drawn(n, brightness, noise):
    """Random numbers for a view of n images: shifts 0..2, factors around 1, whole grey levels around 0."""
    shift = torch.randint(0, 3, (n, 2))
    factor = 1 + brightness * (2 * torch.rand(n) - 1)
    return shift, factor, torch.randint(-noise, noise + 1, (n, 1, 8, 8))


def changed(images, shift, factor, noise):
    """Images (n, 1, 8, 8) of bytes: shifted, lighter or darker, noisy."""
    windows = pad(images, (1, 1, 1, 1)).unfold(2, 8, 1).unfold(3, 8, 1)  # all 3 x 3 windows of 8 x 8 pixels
    moved = windows[torch.arange(len(images)), :, shift[:, 0], shift[:, 1]]
    lighter = (moved * factor[:, None, None, None]).clamp(0, 255).floor()
    return (lighter + noise).clamp(0, 255).to(torch.uint8)


def three_views(images):
    """v1 for the classifier, v2 and v3 (changed more) for the contrastive loss: (3, n, 1, 8, 8)."""
    strengths = (0.2, 16), (0.4, 32), (0.4, 32)
    return torch.stack([changed(images, *drawn(len(images), *strength)) for strength in strengths])


# %%
torch.manual_seed(0)
one_of_each = [int((labels == k).nonzero()[0]) for k in (0, 3, 6, 9)]
views = three_views(images[one_of_each])
names = [f"digit {k}" for k in (0, 3, 6, 9)]
figures.view_columns(images[one_of_each], views.transpose(0, 1), names)

# %% [markdown]
# *Compare $v_2$ and $v_3$ of one digit:* whatever differs between them is what an embedding should ignore.
#
# **The same in the package.** `bcl_edu.augment` draws its random numbers from a seed of its own for each image, so that
# a run can be stopped and resumed. With those numbers our function must give the same pixels:

# %%
for random_numbers, packaged in digit_views(images):
    assert torch.equal(changed(images, *random_numbers), packaged)

# %% [markdown]
# ## 3. One network, two branches
#
# The *backbone* turns a view into *features*. Two branches start from them:
#
# - the *classifier*, one linear layer, turns the features of $v_1$ into logits;
# - the *projection head*, two linear layers with batch normalisation and ReLU between them, turns the features of $v_2$
#   and $v_3$ into *embeddings*, which are scaled to length 1. It is used in training only.
#
# Finally there is one *prototype* for each class, a point on the same sphere that stands for the class. Prototypes are not free
# parameters. A second small network, the *prototype head*, computes them from the rows of the classifier's weight matrix:
# row $j$ is what the classifier knows about class $j$.
#
# **Before you read on:** into how many rows of embeddings does a batch of 64 images turn, and which rows belong to the
# same image?


# %%
def block(channels_in, channels_out, stride):
    """A convolution with batch normalisation and ReLU."""
    convolution = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels_out), nn.ReLU())


def head():
    """Features to the space of embeddings: 64 -> 64 -> 32."""
    return nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 32))


class TwoBranches(nn.Module):
    """Views (3, n, 1, 8, 8) to logits (n, 10), embeddings (2n, 32) and prototypes (10, 32)."""

    def __init__(self):
        super().__init__()
        blocks = block(1, 32, stride=1), block(32, 64, stride=2), block(64, 64, stride=2)
        self.backbone = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        for layer in self.backbone.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        self.classifier = nn.Linear(64, 10)
        self.projection = head()
        self.prototype_head = head()

    def forward(self, views):
        n = views.shape[1]
        features = self.backbone(views.flatten(0, 1))  # all 3n views in one pass
        logits = self.classifier(features[:n])  # of v1
        embeddings = normalize(self.projection(features[n:]))  # of v2, then of v3
        prototypes = normalize(self.prototype_head(self.classifier.weight))
        return logits, embeddings, prototypes


# %% [markdown]
# A batch of 64 images gives 128 embeddings; rows $i$ and $64 + i$ belong to the same image, so the labels of the rows are
# `labels.repeat(2)`.
#
# **The same in the package.** Build the package's network, copy its weights into ours, and compare what comes out:

# %%
torch.manual_seed(1)
packaged = models.TwoBranchModel(
    models.digits_net(),
    models.LinearClassifier(64, 10),
    models.ProjectionHead(64, hidden_dim=64, out_dim=32),
    models.PrototypeHead(64, hidden_dim=64, out_dim=32),
)
network = TwoBranches()
names = network.state_dict().keys()
network.load_state_dict(dict(zip(names, packaged.state_dict().values(), strict=True)))

batch = torch.randperm(len(images))[:64]
views = standardised(three_views(images[batch]))
for ours, theirs in zip(network(views), packaged(views), strict=True):
    print(tuple(ours.shape), f"largest difference {(ours - theirs).abs().max():.0e}")
    assert torch.allclose(ours, theirs, atol=1e-6)

# %% [markdown]
# ## 4. The supervised contrastive loss
#
# Take the embeddings of a batch, $v_2$ and $v_3$ together, and look at one of them, $z_i$: the *anchor*. Its *positives* are
# all other embeddings of its class $y$, the set $B_y \setminus \{i\}$. The **supervised contrastive loss** (SCL; Khosla et
# al., 2020; Eq. 1 and 2 of the paper) asks which of the other embeddings belong with the anchor:
#
# $$L_i = -\frac{1}{|B_y|-1}\sum_{p \in B_y \setminus \{i\}} \log
# \frac{\exp(z_i\cdot z_p/\tau)}{\sum_{k \neq i} \exp(z_i\cdot z_k/\tau)}$$
#
# The fraction is a softmax over all embeddings but the anchor itself. It is large if $z_i$ is more similar to $z_p$ than to
# the rest of the batch. The similarity $z_i \cdot z_k$ is the cosine of the angle between the two, and the *temperature*
# $\tau$ scales it: the lower it is, the more the nearest points dominate the sum. The logarithm of a softmax is a
# logit minus a logsumexp, which never overflows.
#
# **Before you read the code:** class 0 has a third of the images here, class 9 two of 371. Which classes fill the denominator
# of a nine?


# %%
def supervised_contrastive(z, y, temperature=0.1):
    """Eq. 1 and 2: embeddings (n, d), labels (n,)."""
    similarity = z @ z.T / temperature  # z_i . z_k / tau
    itself = torch.eye(len(z), dtype=torch.bool)
    positive = (y[:, None] == y) & ~itself  # p in B_y without i
    denominator = similarity.masked_fill(itself, -torch.inf).logsumexp(dim=1)  # over k != i
    log_softmax = similarity - denominator[:, None]
    return -((log_softmax * positive).sum(dim=1) / positive.sum(dim=1)).mean()


# %% [markdown]
# Two views of each image are in the batch, so every anchor has a positive and nothing is divided by zero.
#
# The line of the denominator sums over all embeddings but the anchor, each with the same weight. So the denominator of a
# nine consists mostly of the three largest classes: zeros, ones and twos are three quarters of the images, and a nine is
# pushed away mainly from them.
#
# ## 5. The balanced contrastive loss
#
# **Balanced contrastive learning** (BCL, Eq. 9) makes two changes.
#
# - **Class-complement.** Every class's prototype $c_j$ joins the batch. No class is ever absent, and every anchor has one
#   more positive, the prototype of its class. (Prototypes are compared with, but are never anchors.)
# - **Class-averaging.** In the denominator the terms of each class are averaged, so that each class contributes once,
#   however many images it has:
#
# $$\sum_{k \neq i} \exp(z_i\cdot z_k/\tau) \quad\longrightarrow\quad
# \sum_{j=1}^{K} \frac{1}{m_{ij}} \sum_{k \in B_j \cup \{c_j\},\, k \neq i} \exp(z_i\cdot z_k/\tau)$$
#
# where $m_{ij}$ is the number of terms in the inner sum: one for the prototype, one for each embedding of the class in the
# batch, and one less if the anchor is among them. In code, averaging means subtracting $\log m_{ij}$ from each logit before
# the logsumexp:


# %%
def balanced_contrastive(z, y, c, temperature=0.1):
    """Eq. 9: embeddings (n, d), labels (n,), prototypes (K, d)."""
    others, classes = torch.cat([z, c]), torch.cat([y, torch.arange(len(c))])  # class-complement
    similarity = z @ others.T / temperature
    itself = torch.eye(len(z), len(others), dtype=torch.bool)
    own_class = y[:, None] == classes
    positive = own_class & ~itself  # p in B_y without i, and c_y
    terms = classes.bincount()[classes] - own_class.int()  # m_ij of each column's class
    averaged = similarity - terms.log()  # class-averaging
    denominator = averaged.masked_fill(itself, -torch.inf).logsumexp(dim=1)
    log_softmax = similarity - denominator[:, None]
    return -((log_softmax * positive).sum(dim=1) / positive.sum(dim=1)).mean()


# %% [markdown]
# **The same in the package.** `bcl_edu.losses` computes the same functions faster, with gradients written by hand. Values and
# gradients must agree. We compare on the batch above, in float64:


# %%
def value_and_gradients(loss, *points):
    """A loss at these points, and its derivative with respect to each of them."""
    points = [point.detach().double().requires_grad_() for point in points]
    value = loss(*points)
    return [value, *torch.autograd.grad(value, points)]


_, z, c = network(views)
y = labels[batch].repeat(2)
pairs = {
    "SCL": (supervised_contrastive, losses.supervised_contrastive_loss, [z]),
    "BCL": (balanced_contrastive, losses.balanced_contrastive_loss, [z, c]),
}
for name, (ours, theirs, points) in pairs.items():
    mine = value_and_gradients(lambda z, *c, f=ours: f(z, y, *c), *points)
    packaged = value_and_gradients(lambda z, *c, f=theirs: f(z, y, *c, temperature=0.1), *points)
    difference = max((a - b).abs().max().item() for a, b in zip(mine, packaged, strict=True))
    print(f"{name}: {mine[0].item():.6f}, largest difference in value and gradients {difference:.0e}")
    assert difference < 1e-6

# %% [markdown]
# ## 6. Logit compensation, and the sum
#
# The classifier also trains on the long tail. Its cross-entropy is *logit-compensated* (Eq. 10; the idea is the logit
# adjustment of Menon et al., 2021): while training, the log of the class's share of the training set is added to its
# logit. A rare class must then win by its own logit, and the classifier loses the habit of guessing frequent classes
# ([notebook 02](02_long_tails.ipynb) shows why). The whole loss is Eq. 11, with $\lambda = 2$ and $\mu = 0.6$:
#
# $$L = \lambda L_{LC} + \mu L_{BCL}$$

# %%
prior = class_counts / class_counts.sum()


def total_loss(network, views, y, contrastive):
    """Eq. 11 for a batch of views, with SCL or BCL as the contrastive loss."""
    logits, z, c = network(standardised(views))
    compensated = cross_entropy(logits + prior.log(), y)  # Eq. 10
    points = (z, y.repeat(2)) if contrastive is supervised_contrastive else (z, y.repeat(2), c)
    return 2.0 * compensated + 0.6 * contrastive(*points)


# %%
logits = torch.randn(64, 10)
ours = cross_entropy(logits + prior.log(), labels[batch])
theirs = losses.logit_compensated_cross_entropy(logits, labels[batch], class_counts)
assert abs(ours - theirs) < 1e-6

# %% [markdown]
# ## 7. The loop
#
# Stochastic gradient descent with momentum and weight decay. The learning rate rises linearly over the first three epochs
# (without this *warm-up* training can stall) and falls to a tenth after 24 and again after 27 of 30 epochs.


# %%
def shuffled_batches(epoch):
    """The training set in random order, in batches of 64 images, each as three views."""
    for chosen in torch.randperm(len(images)).split(64):
        yield three_views(images[chosen]), labels[chosen]


def trained(network, contrastive, batches=shuffled_batches, epochs=30):
    """Train a network in place; returns the loss of every step."""
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    steps, history = -(-len(images) // 64), []
    for epoch in range(epochs):
        for step, (views, y) in enumerate(batches(epoch), start=1):
            warm_up = min(1.0, (epoch * steps + step) / (3 * steps))
            optimiser.param_groups[0]["lr"] = 0.1 * warm_up * 0.1 ** ((epoch >= 24) + (epoch >= 27))
            loss = total_loss(network, views, y, contrastive)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            history.append(loss.item())
    return history


# %% [markdown]
# That is the whole method. **The same in the package.** `bcl_edu.training.train` has one more job, to survive
# interruptions, but takes the same steps. Start our network from the weights that the package's run starts from, feed it the
# batches that the package feeds, and compare the loss of the first epoch:

# %%
_, recipe = RECIPES["digits-lt"]
assert recipe.method.name == "bcl"
their_run = widgets.train_quietly(recipe)

torch.manual_seed(derive_seed(recipe.seed, "initial weights"))
ours = trained(TwoBranches(), balanced_contrastive, lambda epoch: package_batches(recipe, epoch), epochs=1)
theirs = their_run.reports[0].metrics["loss"]
print(f"mean loss of the first epoch: ours {sum(ours) / len(ours):.5f}, the package's {theirs:.5f}")
assert abs(sum(ours) / len(ours) - theirs) < 1e-4

# %% [markdown]
# (Later epochs drift apart by rounding: the package stores its tensors in another order, and training amplifies
# differences in the last digits.)
#
# ## 8. Does it work?
#
# Train with both contrastive losses from the same initial weights. **Before you run the cell:** which of the two will
# recognise more of the few-shot digits? How many points ahead would it have to be before you believed it?

# %%
torch.manual_seed(0)
untrained = TwoBranches()
networks, curves = {}, {}
for name, contrastive in {"SCL": supervised_contrastive, "BCL": balanced_contrastive}.items():
    torch.manual_seed(0)  # the same batches and views for both
    networks[name] = copy.deepcopy(untrained)
    curves[name] = trained(networks[name], contrastive)
    print(f"{name}: loss {curves[name][0]:.2f} in the first step, {curves[name][-1]:.2f} in the last")
    assert curves[name][-1] < curves[name][0] / 2


# %%
@torch.no_grad()
def test_accuracy(network):
    """Percent of the test images, over all and by shot group; the classifier's own logits decide."""
    network.eval()
    guesses = network.classifier(network.backbone(standardised(digits.test.images))).argmax(dim=1)
    found = accuracy(guesses, digits.test.labels, class_counts)
    return {group: getattr(found, group) for group in ("top1", "many", "medium", "few")}


by_loss = {name: [test_accuracy(network)] for name, network in networks.items()}
assert all(runs[0]["top1"] > 70 for runs in by_loss.values())
figures.shot_group_bars(by_loss, title="A hundred lines, trained on long-tailed digits")

# %% [markdown]
# Both work. Which bar is higher is an accident of the seed: notebook 01 compares the two over ten seeds of the package's
# training, and finds no difference in accuracy that ten seeds could show. Those twenty runs are between 80 and 89 % right
# on all classes, so seed 0 of our own loop happens to be a lucky one for both. (The test logits are *not* compensated,
# because the test set is balanced.)
#
# ## 9. Where the classes start, and where they end
#
# The *class mean* of a digit is the mean of its embeddings. If the contrastive loss spreads the classes, the cosines between
# class means must fall. **Before you run the cell:** what cosines do you expect in a network with random weights?
#
# One detail decides the answer. Batch normalisation uses the statistics of the batch in training mode, and running averages in
# evaluation mode. In an untrained network the running averages are still 0 and 1, their initial values, so evaluation mode
# shows a network that no training step ever sees. We look at both modes:


# %%
@torch.no_grad()
def class_mean_cosines(network, mode):
    """Cosines between the class means of the test images, with batch statistics or with running averages."""
    network = copy.deepcopy(network).train(
        mode == "training mode"
    )  # a pass in training mode changes the averages
    z = normalize(network.projection(network.backbone(standardised(digits.test.images))))
    means = torch.stack([z[digits.test.labels == k].mean(dim=0) for k in range(10)])
    return cosine_matrix(normalize(means)), simplex_deviation(normalize(means)).rms


measured = {}
for name, network in {"untrained": untrained, **networks}.items():
    for mode in ("training mode", "evaluation mode"):
        cosines, deviation = measured[name, mode] = class_mean_cosines(network, mode)
        between = cosines[~torch.eye(10, dtype=torch.bool)]
        print(f"{name:9} {mode:15} mean cosine {between.mean():5.2f}, simplex deviation {deviation:.2f}")

assert measured["untrained", "evaluation mode"][1] > measured["untrained", "training mode"][1] + 0.1
assert measured["BCL", "evaluation mode"][1] < measured["untrained", "training mode"][1] - 0.2

# %%
panels = {
    "untrained, training mode": measured["untrained", "training mode"][0],
    "trained with BCL": measured["BCL", "evaluation mode"][0],
}
figures.cosine_heatmap(panels, class_counts, digits.class_names)

# %% [markdown]
# *Look at the colour of the whole square, then at its lower right corner.* The untrained network holds all classes in one
# half of the sphere; in evaluation mode it would even look as if they were nearly one point. Training spreads them. The
# strongest magenta that is left is mostly in pairs with a rare digit.
#
# The last number of each line above is the *simplex deviation*, the root mean square of the differences
# between the cosines and $-1/9$, which is how far apart ten directions can be at the same time. Whether the loss itself
# stops short of the simplex, or training does not get there, is the question of notebooks 03 to 08.
#
# ## In one paragraph
#
# Three views, one backbone, a classifier on $v_1$, a projection head on $v_2$ and $v_3$, prototypes computed from the
# classifier's rows. The supervised contrastive loss is a softmax over the other embeddings of the batch. The balanced one
# adds all prototypes and averages the denominator over each class: a few more lines of code. The classifier's logits are
# compensated for the class sizes, the two losses are added, and SGD does the rest. The package does the same, piece by
# piece.
#
# ## Exercises
#
# **1. Who is a positive for whom?** The embeddings of a batch come as $v_2$ of all images, then $v_3$ of all images. Write the
# matrix of positives: row $i$, column $p$ is true where embedding $p$ is a positive for anchor $i$.


# %%
def positives(labels):
    """Labels of n images, shape (n,), to a matrix of truth values, shape (2n, 2n)."""
    ...  # your code


check("positives", positives)

# %% [markdown]
# **2. One change at a time.** Write the loss that has only class-averaging (no prototypes), and the one that has only
# class-complement. In the package they are `losses.class_averaged_loss` and `losses.class_complement_loss`: assert that yours
# agree with them. *Careful with the first: how many terms has the anchor's own class now?*
#
# **3. No contrastive loss.** Train with $\mu = 0$. Which of the six lines of section 9 would you expect for the
# projection head, and what about the accuracy?
#
# **4. Free prototypes.** Replace the prototype head by `nn.Parameter(torch.randn(10, 32))`. Does the loss still fall?
# Are two prototypes of rare digits as far apart as before?
