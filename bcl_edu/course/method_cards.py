"""A card for each compared method: formula, idea, what it touches, and what it did on the long-tailed digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bcl_edu.course.method_parts import MethodParts
from bcl_edu.course.method_runs import MethodRun, class_accuracies, over_seeds
from bcl_edu.rows import METHODS

GROUPS = ("many", "medium", "few")


@dataclass(frozen=True)
class MethodCard:
    """The part of a method card that is written by hand.

    Attributes:
        formula: what it trains or predicts with, in TeX; symbols are those of the glossary.
        idea: in two sentences.
    """

    formula: str
    idea: str


CARDS: dict[str, MethodCard] = {
    # ---- the loss on logits alone
    "ce": MethodCard(
        r"L = -\lambda \log p_y, \qquad p_k = \frac{e^{\varphi_k}}{\sum_j e^{\varphi_j}}",
        "The network learns which class is likely in the training set, habits of guessing included. It is the "
        "yardstick: every other card says what a method does otherwise.",
    ),
    "lc": MethodCard(
        r"L = \lambda L_{LC}, \qquad L_{LC} = -\log \frac{e^{\varphi_y + \delta_y}}{\sum_j e^{\varphi_j + \delta_j}}, "
        r"\qquad \delta_k = \log P_k",
        "In training every logit gets the logarithm of its class's share, so the network need not learn how frequent "
        "classes are. In prediction the shares are left out, and all classes count alike.",
    ),
    "balanced-softmax": MethodCard(
        r"L = L_{LC} = -\log \frac{e^{\varphi_y + \delta_y}}{\sum_j e^{\varphi_j + \delta_j}}",
        "This is logit compensation with weight 1, where `lc` has λ = 2. Two papers proposed the same loss under two "
        "names.",
    ),
    "lade": MethodCard(
        r"L = L_{LC} + \alpha \sum_c P_c \left(-\overline{\varphi_c} + S_c + \lambda S_c^2\right), \qquad "
        r"S_c = \log \frac{1}{n} \sum_i \frac{e^{\varphi_{ic}}}{K P_c}",
        "A regulariser makes each logit an estimate of how much more likely the image is under its class than at all "
        "(the bar is the mean over the samples of class c). Any class shares can then be added in prediction.",
    ),
    "focal": MethodCard(
        r"L = -\lambda\, (1 - p_y)^{\gamma} \log p_y",
        "Samples that are classified well weigh little, so the gradient comes from the hard ones. Class sizes do not "
        "occur in it: rare classes gain as far as they are hard.",
    ),
    "focal-detached": MethodCard(
        r"L = -\omega \log p_y, \qquad \omega = (1 - p_y)^{\gamma} \text{ without gradient}",
        "The factor only weights samples, since no gradient passes through it. A published comparison trained this "
        "under the name of focal loss.",
    ),
    "focal-sigmoid": MethodCard(
        r"L = -\sum_k (1 - q_k)^{\gamma} \log q_k, \qquad q_y = \sigma(\varphi_y), \quad "
        r"q_{k \neq y} = \sigma(-\varphi_k)",
        "Every class is a yes-or-no question of its own. The biases start low, so that all answers begin near no and "
        "the many wrong classes do not drown the right one.",
    ),
    "cb-focal": MethodCard(
        r"L = -\lambda\, \omega_y\, (1 - p_y)^{\gamma} \log p_y, \qquad "
        r"\omega_k \propto \frac{1 - \beta}{1 - \beta^{n_k}}",
        "Focal loss gets a weight for each class. The weight falls with the effective number of samples, which grows "
        "more slowly than their number because samples overlap.",
    ),
    "cb-focal-sigmoid": MethodCard(
        r"L = -\omega_y \sum_k (1 - q_k)^{\gamma} \log q_k, \qquad \omega_k \propto \frac{1 - \beta}{1 - \beta^{n_k}}",
        "The same weights stand before the sum of sigmoids. This is the published form, `cb-focal` is ours.",
    ),
    "ldam": MethodCard(
        r"L = -\log \frac{e^{s (\cos_y - \Delta_y)}}{e^{s (\cos_y - \Delta_y)} + \sum_{k \neq y} e^{s \cos_k}}, \qquad "
        r"\Delta_k = \frac{1}{2} \left(\frac{n_{\min}}{n_k}\right)^{1/4}",
        "A sample must win by a margin that is the larger the rarer its class is. The logits are scaled cosines of "
        "features and weight rows, which gives the margin a unit.",
    ),
    "ldam-drw": MethodCard(
        r"L = \text{mean}_i\, L_{LDAM, i}, \text{ from epoch } t_1 \text{ on } "
        r"\frac{\sum_i \omega_{y_i} L_{LDAM, i}}{\sum_i \omega_{y_i}}, \qquad "
        r"\omega_k \propto \frac{1 - \beta}{1 - \beta^{n_k}}",
        "All samples count alike while features are learned. Classes are weighted only from the epoch "
        "$t_1$ of the first fall of the learning rate on.",
    ),
    "metasaug": MethodCard(
        r"L = \frac{\sum_i \omega_{y_i} \text{CE}_i(\tilde\varphi)}{\sum_i \omega_{y_i}}, \qquad "
        r"\tilde\varphi_k = \varphi_k + \frac{\lambda t}{2 T} (w_k - w_y)^{\top} \Sigma_y (w_k - w_y) "
        r"- [k = y]\, \Delta_y",
        "Four fifths of the epochs are plain cross-entropy; then features are augmented along the directions in which "
        "their class varies, by a bound instead of by sampling, and classes are weighted as in `ldam-drw`. "
        "Images set aside say in each step how the covariances should move.",
    ),
    # ---- what is trained after the features
    "tau-norm": MethodCard(
        r"\varphi_k = \frac{w_k \cdot f}{\lVert w_k \rVert^{\tau}}",
        "Cross-entropy gives frequent classes long weight rows. Afterwards each row is divided by a power of its "
        "length, and nothing is trained anew.",
    ),
    "crt": MethodCard(
        r"\min_{w, b}\; \frac{1}{K} \sum_k \text{mean}_{i: y_i = k} \left[-\log p_k(f_i)\right], \qquad "
        r"f \text{ frozen}",
        "The whole network is trained by cross-entropy, then the backbone is frozen. A new classifier learns on "
        "batches with as many images of every class.",
    ),
    "lws": MethodCard(
        r"\varphi_k = s_k\, (w_k \cdot f + b_k), \qquad \text{only } s \text{ learns}",
        "After the first stage backbone and classifier stay as they are. One factor for each class is learned on "
        "batches that have every class alike.",
    ),
    "disalign": MethodCard(
        r"\varphi'_k = (1 + \sigma(f)\, \alpha_k)\, \varphi_k + \sigma(f)\, \beta_k",
        "Scores of the frozen network are calibrated by a magnitude α and a margin β for each class. A confidence σ, "
        "learned from the features, says how much of the two an image gets.",
    ),
    "tde": MethodCard(
        r"\varphi_k = \frac{s}{H} \sum_{h} \frac{w_k^h \cdot (u^h - \alpha (u^h \cdot d^h)\, d^h)}"
        r"{\lVert w_k^h \rVert + \gamma}, \qquad u^h = \frac{f^h}{\lVert f^h \rVert}",
        "Momentum drags all features in one direction, which a running mean remembers: d has length one in each of H "
        "parts, as u has. In prediction the part of a feature along it is taken out (in training α is 0).",
    ),
    "dro-lt": MethodCard(
        r"L = \frac{\sum_i n_{y_i} \text{CE}_i}{\sum_i n_{y_i}} - \text{mean}_c\, \text{mean}_{i: y_i = c} \log "
        r"\frac{e^{-\lVert \mu_c - f_i \rVert - \varepsilon_c}}"
        r"{\sum_j e^{-\lVert \mu_c - f_j \rVert - \varepsilon_c [y_j = c]}}",
        "The centroid of a rare class is uncertain, so own samples count as a learned radius ε farther away than "
        "they are. Features are trained with this after cross-entropy, and the classifier once more after them.",
    ),
    # ---- several branches
    "bbn": MethodCard(
        r"L = \alpha\, \text{CE}(\varphi, y) + (1 - \alpha)\, \text{CE}(\varphi, y'), \qquad "
        r"\varphi = 2 W \left(\alpha f,\, (1 - \alpha) f'\right) + b, \qquad \alpha = 1 - (t / T)^2",
        "One copy of the last block sees images as they come (f), another sees rare classes more often (f', y'). The "
        "weight moves from the first to the second while training goes on.",
    ),
    "reslt": MethodCard(
        r"L = \alpha L_{\text{branches}} + (1 - \alpha)\, \text{CE}(\varphi^1 + \varphi^2 + \varphi^3, y)",
        "Three branches learn all classes, the rarer ones and the rarest, and their logits are added. Each corrects "
        "what those before it leave wrong on rare classes.",
    ),
    "ride": MethodCard(
        r"L = \sum_e \text{CE}(\varphi^e_k - [k = y]\, s \Delta_y, y) - \lambda \bar\tau^2 \sum_e "
        r"\text{KL}(\bar p\, \Vert\, p^e), \qquad p^e_k \propto e^{\varphi^e_k / \tau_k}, \quad "
        r"\bar p_k \propto e^{\bar\varphi_k / \tau_k}",
        "Experts share the early layers, learn with margins, and are pushed apart; in the last fifth of the epochs "
        "classes are weighted as in `ldam-drw`, and rare ones have lower temperatures τ (1 before). A router, trained "
        "afterwards, asks a further expert only where that is worth it.",
    ),
    # ---- contrast
    "scl": MethodCard(
        r"L = \lambda L_{LC} + \mu L_{SCL}, \qquad L_{SCL, i} = -\text{mean}_{p \in A_i} \log "
        r"\frac{e^{z_i \cdot z_p / \tau}}{\sum_{k \neq i} e^{z_i \cdot z_k / \tau}}",
        "A second branch asks that embeddings of one class be near to each other and far from all others. The "
        "classifier beside it has logit compensation.",
    ),
    "bcl": MethodCard(
        r"L_{BCL, i} = -\text{mean}_{p \in A_i} \log \frac{e^{z_i \cdot z_p / \tau}}{D_i}, \qquad "
        r"D_i = \sum_j \frac{1}{m_{ij}} \sum_{k \in B_j \cup \{c_j\},\, k \neq i} e^{z_i \cdot z_k / \tau}",
        "In the place of the loss before, the denominator is averaged class by class, and a prototype of every class "
        "joins every batch. So every class pushes in every step, and large ones no harder than small ones.",
    ),
    "bcl-in-log": MethodCard(
        r"L_i = -\log \frac{\text{mean}_{p \in A_i}\, e^{z_i \cdot z_p / \tau}}{D_i}",
        "The mean over the positives moves inside the logarithm. The nearest positives then count most, where BCL "
        "asks for all alike.",
    ),
    "bcl-prior": MethodCard(
        r"D_i = \sum_j \frac{P_j}{P_{y_i}} \frac{1}{m_{ij}} \sum_{k \in B_j \cup \{c_j\},\, k \neq i} "
        r"e^{z_i \cdot z_k / \tau}",
        "Each class's average is weighted by the class's share of the training set, relative to the anchor's. Large "
        "classes push harder again, by the counts of the training set and not of the batch.",
    ),
    "bcl-in-log-prior": MethodCard(
        r"L_i = -\log \frac{P_{y_i}\, \text{mean}_{p \in A_i}\, e^{z_i \cdot z_p / \tau}}"
        r"{\sum_j P_j\, \text{mean}_{k \in B_j \cup \{c_j\},\, k \neq i}\, e^{z_i \cdot z_k / \tau}}",
        "Both changes at once make the loss a cross-entropy over class averages with logit compensation. It has the "
        "form of the GML loss.",
    ),
    "proco": MethodCard(
        r"L = L_{LC} - \alpha \log \frac{P_y\, e^{r_y(z)}}{\sum_k P_k\, e^{r_k(z)}}, \qquad "
        r"r_k(z) = \log \text{E}_{v \sim \text{vMF}_k} \left[e^{z \cdot v / \tau}\right]",
        "Each class is a density on the sphere, fitted to the running mean of its embeddings. The expected "
        "similarity to infinitely many of its samples has a closed form and takes the place of pairs.",
    ),
    "paco": MethodCard(
        r"L_i = -\frac{\log p_i(y_i) + \alpha \sum_{a \in A_i} \log p_i(a)}{1 + \alpha |A_i|}, \qquad "
        r"p_i \text{ over } \varphi_k + \delta_k \text{ and } z_i \cdot z_a / \tau",
        "One softmax holds the classes, the batch and a queue of keys. A sample of the own class counts little "
        "beside the class itself, so head classes lean on their samples and tail classes on their centre.",
    ),
    "hybrid-sc": MethodCard(
        r"L = \alpha L_{SCL} + (1 - \alpha)\, \text{CE}(\varphi, y'), \qquad \alpha = 1 - (t / T)^2",
        "A contrastive branch learns features first, and a classifier learns later from batches that have all "
        "classes alike (y'). A parabola moves the weight from the one to the other.",
    ),
    "hybrid-psc": MethodCard(
        r"L = -\alpha \log \frac{e^{z \cdot c_y / \tau}}{\sum_{j \neq y} e^{z \cdot c_j / \tau}} + "
        r"(1 - \alpha)\, \text{CE}(\varphi, y')",
        "Embeddings are compared with one learned prototype for each class, which needs no large batches. The own "
        "prototype is not in the denominator.",
    ),
    "kcl": MethodCard(
        r"L_i = -\text{mean}_{p \in A_i} \log \frac{e^{z_i \cdot z_p / \tau}}{\sum_a e^{z_i \cdot z_a / \tau}}, "
        r"\qquad |A_i| \leq k + 1",
        "An anchor is pulled towards its own key and k further ones of its class, be the class large or small. A "
        "linear layer is trained on the frozen features afterwards.",
    ),
    "tsc": MethodCard(
        r"L_i = -\frac{\sum_{a \in A_i} \log p_i(a) + \lambda \log p_i(t_{y_i})}{|A_i| + 1}",
        "KCL gets a target t for each class, all as far apart as possible. In every step each class is given the "
        "target that fits its embeddings best.",
    ),
    "ssp": MethodCard(
        r"L = \text{CE}(\text{quarter turns}), \text{ then } \text{mean}_i\, L_{LDAM, i}, "
        r"\text{ then } \frac{\sum_i \omega_{y_i} L_{LDAM, i}}{\sum_i \omega_{y_i}}",
        "The backbone first learns by how many quarter turns an image was turned, which needs no labels. LDAM-DRW "
        "starts from its weights.",
    ),
    "ssp-crt": MethodCard(
        r"L_i = -\log \frac{e^{z_i \cdot z_i^+ / \tau}}{\sum_a e^{z_i \cdot z_a / \tau}}, \text{ then CE, then cRT}",
        "MoCo v2 teaches the backbone without labels: which key is another view of the same image? Cross-entropy and "
        "a new classifier on balanced classes follow.",
    ),
}
"""Formula and idea by the method's name, methods that resemble each other together."""


def method_card(
    name: str, parts: MethodParts, runs: Sequence[MethodRun], yardstick: Sequence[MethodRun]
) -> str:
    """A card as Markdown.

    Args:
        name: of the method, one of `CARDS`.
        parts: what it touches.
        runs: its runs on the digits.
        yardstick: those of cross-entropy, seed by seed.
    """
    card = CARDS[name]
    lines = [
        f"### `{name}`: {METHODS[name].title}",
        f"$${card.formula}$$",
        f"{card.idea} {_touched(parts)}",
        _on_the_digits(runs, yardstick),
    ]
    return "\n\n".join(lines)


def _touched(parts: MethodParts) -> str:
    """A sentence on what a method touches."""
    said = {
        "loss": "the loss",
        "sampler": f"the sampler ({', '.join(parts.samplers)})",
        "views": f"the views ({parts.views})",
        "network": f"the network {parts.network} ({', '.join(parts.extra).replace('_', ' ')})",
        "memory": "the memory",
        "stages": f"the stages ({', '.join(parts.stages)})",
        "prediction": "the prediction",
    }
    touched = [words for name, words in said.items() if name in parts.touched]
    return f"*Touches {_listed(touched)}.*" if touched else "*Touches nothing.*"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _on_the_digits(runs: Sequence[MethodRun], yardstick: Sequence[MethodRun]) -> str:
    """A table: accuracies by shot group and the class means, each beside cross-entropy's, and accuracies by class."""

    def told(quantity: str, digits: int) -> str:
        (mean, deviation), usual = over_seeds(runs, quantity), over_seeds(yardstick, quantity).mean
        gain = round(mean - usual, digits) + 0.0  # not -0
        beside = "" if runs is yardstick else f" ({gain:+.{digits}f})"
        return f"{mean:.{digits}f} ± {deviation:.{digits}f}{beside}".replace("-", "\N{MINUS SIGN}")

    columns = {group: told(group, 0) for group in GROUPS}
    columns["simplex deviation"] = told("feature_simplex_deviation", 2)
    columns["digits 0 to 9"] = " ".join(f"{value:.0f}" for value in class_accuracies(runs))
    rows = (columns, ["---"] * len(columns), columns.values())
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
