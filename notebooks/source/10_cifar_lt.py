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
# # CIFAR-LT: one row of the table, from the data to the report
#
# **The paper says 51.93 % on CIFAR-100-LT. What exactly was trained to get there, and how would you know that you have
# reproduced it?**
#
# You choose a row of the tables, see which of its values the paper states, look at its views, learn what it costs, and
# start it. Then you look at runs that were actually made: their accuracy, their curves, and what they learned.
#
# *A minute of computing, 30 minutes of reading; exercises take longer. You need notebook 01, notebook 01b, and notebook 02 for
# the long tail of CIFAR-100.*

# %%
import json
from pathlib import Path

import torch
from IPython.display import Markdown
from sklearn.datasets import load_sample_image
from torch.nn.functional import interpolate

from bcl_edu import geometry, report
from bcl_edu.augment import batched_views, view_policy
from bcl_edu.course import figures, widgets
from bcl_edu.course.exercises import check
from bcl_edu.data import exponential_profile, long_tailed_subset
from bcl_edu.data.cifar import CIFAR
from bcl_edu.rows import ROWS, provenance
from bcl_edu.training import load_pretrained
from bcl_edu.training.estimate import estimate
from bcl_edu.training.scale import plan_run

# %% [markdown]
# ## 1. Choose a row
#
# Every row of the paper's tables has a name; `python -m bcl_edu.train --list` shows them all. A row is a *recipe*, every
# value that decides the result, together with the figure that the paper prints. **Before you run the cell:** which of these
# values would you expect a paper to state?

# %%
row = ROWS["cifar100-lt-if100-bcl"]
print(row.title)
Markdown(provenance(row))

# %% [markdown]
# What the paper does not say had to be chosen. Each choice is a named option of the command, so that you can make it
# differently and say so. You can choose another row, `ROWS["cifar10-lt-if100-bcl"]` say, and run all cells again.
#
# ## 2. The data
#
# The counts are those of notebook 02: 10,847 of the 50,000 training images. But the profile only says *how many* images of a
# class stay. **Before you run the cell:** two people cut the tail with different seeds. What share of their images is the
# same?

# %%
recipe = row.recipe
num_classes = {"cifar10": 10, "cifar100": 100}[recipe.dataset]
of_class = {"cifar10": 5000, "cifar100": 500}[recipe.dataset]
counts = exponential_profile(recipe.head_count, num_classes, recipe.imbalance_factor)
labels = torch.arange(num_classes).repeat_interleave(of_class)  # of the whole training set

first, second = (set(long_tailed_subset(labels, counts, seed=seed).tolist()) for seed in (0, 1))
print(f"{len(first):,} images each, {len(first & second) / len(first):.0%} of them the same")
assert 0.4 < len(first & second) / len(first) < 0.7

# %% [markdown]
# About half. (Of a class with $n_k$ of 500 images, two random subsets share the fraction $n_k/500$: everything in the head,
# next to nothing in the tail.) Two runs can be compared only if they were trained on the same images, so every record has the
# hash of the chosen indices, and the report refuses to mix subsets. `python -m bcl_edu.data check cifar100 --data-dir ...` says
# whether the data are complete before a long run begins.
#
# ## 3. Three views of a photograph
#
# The views of notebook 01b shifted a digit by a pixel. For photographs they are much stronger. $v_1$ is shifted, mirrored,
# changed by AutoAugment and loses a square (Cutout); $v_2$ and $v_3$ are SimAugment: a random part of the image, other
# colours, blur. Here are two photographs that come with scikit-learn, reduced to CIFAR's 32 × 32 pixels. **Before you look:** why would
# the two branches want different views?


# %%
def small_square(name, size):
    """The middle of a photograph, reduced: bytes (3, size, size)."""
    image = torch.tensor(load_sample_image(name)).permute(2, 0, 1)
    side = min(image.shape[1:])
    left = (image.shape[2] - side) // 2
    return interpolate(image[None, :, :side, left : left + side].float(), size=size, mode="area")[0].byte()


photographs = torch.stack([small_square(name, 32) for name in ("china.jpg", "flower.jpg")]).repeat(2, 1, 1, 1)
policy = view_policy(recipe.views, image_size=32, crop_scale=recipe.crop_scale, blur=recipe.blur)
views = batched_views(policy, photographs, seeds=range(4)).transpose(0, 1)
figures.view_columns(photographs, views, ["temple", "flower", "again", "again"])

# %% [markdown]
# For the classifier the image should stay whole enough to be named. For the contrastive loss the changes *define the
# task*: two views are pulled together, so whatever differs between them (colour, position) is what the embedding learns to
# ignore.
#
# ## 4. What it costs, and how to start it
#
# The estimate takes a few real steps on this machine and extrapolates. With a GPU and the data it is an estimate for the
# row itself; otherwise it is for a stand-in, the same loss on the long-tailed digits, and every picture of it says so. To
# estimate the row on your own machine, run `python -m bcl_edu.train cifar100-lt-if100-bcl --dry-run`.

# %%
plan = plan_run(recipe, "../runs")
print(plan.note)
expected = estimate(plan.recipe, plan.options, seconds=5)
print(expected.table())
assert plan.recipe.method.name == recipe.method.name

# %% [markdown]
# The next cell trains the plan. **The stop button saves and stops; run the cell again and it continues** from the same
# step to the same weights. A run of the whole row goes to `runs/`, where the command line also puts it, and this cell
# shows it once it is complete. Reduced runs are not kept, so they cannot be mistaken for results.

# %%
run = widgets.watch_run(plan.recipe, plan.options, note=plan.note)

# %%
assert run.finished, "the run was stopped: run the cell above once more"
assert run.metrics[-1]["epoch"] == plan.recipe.epochs
if plan.recipe.dataset == "digits":
    assert run.metrics[-1]["top1"] > 50

# %% [markdown]
# That was a rehearsal: it shows that everything works on this machine, and says nothing about CIFAR.
#
# ## 5. Three runs that were made
#
# Sixty epochs on CIFAR-100-LT instead of 200, everything else as in the rows: logit compensation alone (LC), with SCL, and
# BCL. One seed each. **Before you run the cell:** 60 epochs are less than a third of the training. How much of the
# paper's 51.9 % do you expect?

# %%
found, _ = report.find_runs(["../results/cifar100-lt-60-epochs"])
[runs] = report.side_by_side(found)
names = {"lc": "LC", "scl": "LC + SC", "bcl": "BCL"}
last = {names[loss]: [runs[loss].record["last"]] for loss in names}
assert all(row[0]["epoch"] == 60 for row in last.values())
assert all(40 < row[0]["top1"] < 46 for row in last.values())
figures.shot_group_bars(last, title="CIFAR-100-LT, 60 epochs")

# %% [markdown]
# All three are within 1.3 points of each other. Two seeds of one method can differ by as much (notebook 13), so *this
# figure does not order them*. What it does show is the price of the tail: in spite of the compensation, the thirty rarest
# classes are recognised less than half as often as the thirty-five most frequent ones.

# %%
curves = {names[loss]: runs[loss].metrics for loss in names}
figures.training_curves(
    curves, "top1", look_at="Look at epochs 49 and 55, where the learning rate falls to a tenth."
)

# %%
curves = {names[loss]: runs[loss].metrics for loss in ("scl", "bcl")}
figures.training_curves(
    curves, "simplex_deviation", look_at="0 is the regular simplex, 1.01 is all classes at one point."
)

# %%
reached = {loss: runs[loss].record["last"]["simplex_deviation"] for loss in ("scl", "bcl")}
print({loss: round(value, 3) for loss, value in reached.items()})
assert 0.5 < reached["bcl"] < reached["scl"] < 0.7

# %% [markdown]
# At first the class means of the test images are nearly one point. Sixty epochs take them more than a third of the way to
# the regular simplex, with a visible step where the learning rate falls. BCL ends a little nearer, as it does in every
# pair of runs on the digits. The last epochs have a learning rate of 0.0015 and change hardly anything.
#
# ## 6. Rows run to their end
#
# Two rows of the tables were trained for all their 200 epochs, on two cores of a CPU, and nothing was adjusted afterwards: BCL
# itself, and tau-normalisation, which is cross-entropy with a trick after the training. Cross-entropy gives frequent classes
# long weight vectors in the classifier; dividing each by its length (to the power $\tau$, here 1) takes that advantage away.
# **Before you run the cell:** how close to the paper's figures would you expect a single seed to come? With 60 epochs BCL had
# reached 44.5 %.

# %%
whole = Path("../results/cifar100-lt-200-epochs")
ended = {name: report.find_runs([whole / name])[0][0] for name in ("bcl", "tau-norm")}
difference = {}
for name, run in ended.items():
    last, paper = run.record["last"], ROWS[f"cifar100-lt-if100-{name}"].paper
    assert last["epoch"] == run.recipe.epochs == 200
    for group in ("top1", "many", "medium", "few"):
        printed, ours = getattr(paper, group), last[group]
        difference[name, group] = ours - printed
        print(
            f"{name:8} {group:7} paper {printed:5.1f}   ours {ours:5.1f}   difference {ours - printed:+.1f}"
        )
assert abs(difference["bcl", "top1"]) < 0.5 < 1 < difference["tau-norm", "top1"]
assert max(abs(difference["bcl", group]) for group in ("many", "medium", "few")) < 2

# %%
figures.training_curves(
    {"BCL": ended["bcl"].metrics, "cross-entropy, tau = 1": ended["tau-norm"].metrics},
    "top1",
    look_at="Evaluated every 20 epochs. Look at 160 and 180: after each, the learning rate falls to a tenth.",
)

# %%
for name, run in ended.items():
    after = {row["epoch"]: row["top1"] for row in run.metrics if row.get("top1") is not None}
    steps = {f"{a} to {b}": round(after[b] - after[a], 1) for a, b in [(80, 160), (160, 180), (180, 200)]}
    print(f"{name:8} gained between epochs {steps}")
    assert steps["160 to 180"] > max(steps["80 to 160"], steps["180 to 200"]) + 5
last, paper = ended["tau-norm"].record["last"], ROWS["cifar100-lt-if100-tau-norm"].paper

# %% [markdown]
# In both runs the eighty epochs before the first fall of the learning rate bring a few points, and the twenty after it eight
# to ten. So a run that is stopped before it says little about where it would have ended.
#
# The paper's figure for BCL is reached, within half a point overall and two points in each group, from the description, with
# the choices of section 1 and one seed. It does not show by how much the two figures differ: other seeds would give others
# (notebook 13). For tau-normalisation we are above the paper, with other groups; what follows looks for the reason.
#
# The features are one thing, the classifier on them another. The same network, without a further step of training, with other
# classifiers: as cross-entropy left it, with rows divided by powers of their length, and with the logarithm of the training
# prior subtracted from the logits (post-hoc logit adjustment). **Before you run the cell:** which group gains, and which one
# pays?

# %%
stored = json.loads((whole / "other_classifiers.json").read_text())["rows"]
accuracy = {(one["classifier"], one["value"]): one for one in stored}
shown = {
    "cross-entropy": accuracy["as trained", 0.0],
    "tau = 0.5": accuracy["tau-norm", 0.5],
    "tau = 1": accuracy["tau-norm", 1.0],
    "tau = 1.5": accuracy["tau-norm", 1.5],
    "minus log prior": accuracy["prior-shift", 1.0],
}
for name, one in shown.items():
    print(
        f"{name:16} all {one['top1']:.1f}   many {one['many']:.1f}   medium {one['medium']:.1f}   few {one['few']:.1f}"
    )


def furthest(one):
    """The largest difference from the paper among the three groups, in points."""
    return max(abs(one[group] - getattr(paper, group)) for group in ("many", "medium", "few"))


nearest = min((one for one in stored if one["classifier"] == "tau-norm"), key=furthest)
print(
    f"nearest to the paper's groups: tau = {nearest['value']}, {furthest(nearest):.1f} points off in one of them"
)
assert shown["tau = 1"]["top1"] == last["top1"]
assert 3 < furthest(nearest) < 4
falling = [shown[name] for name in ("cross-entropy", "tau = 0.5", "tau = 1")]
assert falling[0]["many"] > falling[1]["many"] > falling[2]["many"]
assert falling[0]["few"] < falling[1]["few"] < falling[2]["few"]
figures.shot_group_bars(
    {name: [one] for name, one in shown.items()}, title="One network of CIFAR-100-LT, five classifiers"
)

# %% [markdown]
# Nothing was trained between one bar and the next. The more is taken from frequent classes, the more the rare ones gain and the
# frequent ones pay, and by how much to do it is a matter of choice: the row has $\tau = 1$, which no image of the test set
# has chosen. The best of these bars would be a choice on the test set, and no figure to quote. Overall our run is above the
# paper's figure, but its groups are others: the rare classes are far above, the frequent ones below. The exponent alone does
# not explain that. Even the nearest of the nine values, which was looked for on the test set and afterwards, is almost four
# points off in one of the three groups. What does explain it is not known here.
#
# Three methods go on where the network is finished, and train what stands on its features. cRT draws every class equally often and
# trains a new classifier; LWS keeps the old one and learns one factor a class; DisAlign learns how far to shift and stretch each
# class's logit, and counts errors on rare classes more. Each took between two and six minutes on the same two cores. **Before you
# run the cell:** will more training do more for the rare classes than the division by $\tau = 1$ above?

# %%
trained_on = {name: report.find_runs([whole / name])[0][0].record for name in ("crt", "lws", "disalign")}
assert all(record["start"]["folder"] == "tau-norm-seed0" for record in trained_on.values())
compared = {name: record["last"] for name, record in trained_on.items()}
compared = {
    "cross-entropy": shown["cross-entropy"],
    "crt": compared.pop("crt"),
    "tau = 1": shown["tau = 1"],
} | compared
for name, one in compared.items():
    minutes = f"   {trained_on[name]['seconds'] / 60:.1f} min" if name in trained_on else ""
    print(
        f"{name:13} all {one['top1']:.1f}   many {one['many']:.1f}   medium {one['medium']:.1f}   few {one['few']:.1f}{minutes}"
    )
again = [record["last"] for record in trained_on.values()]
assert all(2 < one["top1"] - compared["cross-entropy"]["top1"] < 4 for one in again)
assert all(one["many"] > 62 and one["few"] < 22 for one in again)
assert max(one["few"] for one in again) < compared["tau = 1"]["few"] < 30
mended = [one["top1"] for name, one in compared.items() if name != "cross-entropy"]
assert max(mended) - min(mended) < 1
figures.shot_group_bars(
    {name: [one] for name, one in compared.items()}, title="One network, its classifier trained further"
)

# %% [markdown]
# All three gain between two and four points over cross-entropy, and they gain them with less change: the frequent classes
# lose about three points, not seven, and the rare ones gain about half as much as with $\tau = 1$. Overall these three and $\tau = 1$
# end within a point of each other. It is one network and one seed, so which of them is best is not known from it.
#
# ## 7. What BCL learned about ten classes
#
# A trained network can be looked at without its data. BCL's prototypes are a function of the classifier's weights:
# the prototype head takes each class's weight vector to the sphere. So what BCL learned about the ten classes of
# CIFAR-10-LT lies in the weights, which are kept with the run. **Before you look:** which two classes will it hold least apart?

# %%
trained = load_pretrained("../results/cifar10-lt-60-epochs/bcl")
with torch.no_grad():
    prototypes = trained.method.prototypes()
cosines = geometry.cosine_matrix(prototypes)
figures.cosine_heatmap(
    cosines,
    trained.class_counts,
    CIFAR["cifar10"].class_names,
    title="Prototypes that BCL learned on CIFAR-10-LT",
)

# %%
between = cosines.fill_diagonal_(-1)
closest = divmod(int(between.argmax()), len(between))
print("closest:", *(CIFAR["cifar10"].class_names[k] for k in closest), f"({between.max():.2f})")
print(f"{geometry.simplex_deviation(prototypes).rms:.2f} from the regular simplex")
assert {CIFAR["cifar10"].class_names[k] for k in closest} == {"cat", "dog"}
assert (between > 0).sum() == 90  # all pairs, each counted twice

# %% [markdown]
# Cat and dog. The closest pairs look alike, and the rarest classes are not among them. But all cosines are
# positive: after 60 epochs the ten prototypes still lie on one side of the sphere, about half way from one point to
# the regular simplex. It is one run.
#
# ## 8. Next to the paper
#
# All runs whose records are kept with the project, sorted into the paper's tables. A run counts for a row only if images,
# epochs, backbone and every value that the paper states are the row's; all others are listed apart, with the reason.
# Where a row is filled, *best* is its best epoch, chosen on the test set; only *last* is quoted.

# %%
results = report.build_report(["../results"])
Markdown(report.as_markdown(results))

# %% [markdown]
# ## In one paragraph
#
# A row of the table is a recipe: data, views, loss, schedule and seed. Most of what decides a result fits on one page,
# and what the paper leaves open can be named and varied. Reproducing means training exactly that, on the
# same subset, to the last epoch, and printing what came out beside what was claimed, with the seeds. A run that
# differs in any of it may teach you something, but it is not that row.
#
# ## Exercises
#
# **1. Many, medium, few.** Write the three numbers that stand after every accuracy, from the accuracy of each class.


# %%
def shot_accuracy(class_accuracy, class_counts):
    """Accuracy of the many-, medium- and few-shot classes, shape (3,)."""
    ...  # return three numbers


check("shot_accuracy", shot_accuracy)

# %% [markdown]
# **2. One seed is an anecdote.** Repeat section 4 with `recipe.change(seed=1)` and `seed=2`. How large is
# the spread of the accuracy, compared with the 1.5 points that separate SCL and BCL in the paper's Table 2?
#
# **3. What is not compared.** In the last table, find a run that stands apart. Which single change to its command would
# have made it count?
