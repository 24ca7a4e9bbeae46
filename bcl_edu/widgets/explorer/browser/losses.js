// From a loss and a distribution of batches to the function of the Gram matrix that collapsed classes minimise.
//
// With every sample at its class mean, and prototypes there too, each loss is
//
//     floor + sum_t w_t log(1 + sum_{j != y_t} r_tj exp(x_{y_t j}))
//
// one term t for a class y_t of a batch. For the contrastive losses x_yj = (mu_y . mu_j - 1) / tau; for cross-entropy,
// features h_y against classifier rows w_j, x_yj = (h_y . w_j - h_y . w_y) / tau. The mathematics is that of
// bcl_edu.geometry.programme, whose table this file follows; tests compare the two.

/**
 * The losses by the names that bcl_edu uses.
 *
 * kind: "contrastive" or "cross-entropy"; averaging: denominators are averages over classes; complement: every class's
 * prototype joins the batch; classAnchors: anchors are averaged per class; compensated: logits shifted by log P.
 */
export const LOSSES = {
  scl: { label: "SCL", kind: "contrastive" },
  "scl-complement": { label: "SCL + complement", kind: "contrastive", complement: true },
  "scl-averaging": { label: "SCL + averaging", kind: "contrastive", averaging: true },
  bcl: { label: "BCL", kind: "contrastive", averaging: true, complement: true },
  "bcl-class-anchors": {
    label: "BCL, class-averaged anchors",
    kind: "contrastive",
    averaging: true,
    complement: true,
    classAnchors: true,
  },
  ce: { label: "cross-entropy", kind: "cross-entropy" },
  lc: { label: "cross-entropy, logits compensated", kind: "cross-entropy", compensated: true },
};

/**
 * Terms of a loss, sorted by class.
 *
 * @param {object} loss - one of LOSSES
 * @param {{counts: Float64Array, probabilities: Float64Array}} batches - embeddings of each class in each batch (all
 *   views), shape (C, K), and how likely the batch is, shape (C,)
 * @param {Float64Array} classCounts - images of each class in the training set, shape (K,)
 * @returns {{numClasses: number, start: Int32Array, weight: Float64Array, ratio: Float64Array, floor: number}}
 *   terms start[y] to start[y + 1] are those of class y; w_t, shape (T,); r_tj, 0 at j = y_t, shape (T, K)
 */
export function lossTerms(loss, batches, classCounts) {
  return loss.kind === "contrastive"
    ? contrastiveTerms(loss, batches, classCounts.length)
    : crossEntropyTerms(loss, batches, classCounts);
}

function contrastiveTerms(loss, { counts, probabilities }, numClasses) {
  const byClass = Array.from({ length: numClasses }, () => []);
  const merged = new Map();
  let floor = 0;
  for (let m = 0; m < probabilities.length; m++) {
    const n = counts.subarray(m * numClasses, (m + 1) * numClasses);
    let anchors = 0;
    let present = 0;
    for (let y = 0; y < numClasses; y++) {
      if (hasAnchors(loss, n[y])) anchors += loss.classAnchors ? 1 : n[y];
      if (n[y] > 0 || loss.complement) present |= 1 << y;
    }
    for (let y = 0; y < numClasses; y++) {
      if (!hasAnchors(loss, n[y])) continue;
      const weight = (probabilities[m] * (loss.classAnchors ? 1 : n[y])) / anchors;
      // averaged denominators see which classes are there, not how many samples they have: such terms add up
      const key = present * numClasses + y;
      if (loss.averaging && merged.has(key)) {
        merged.get(key).weight += weight;
        continue;
      }
      const own = loss.averaging ? 1 : loss.complement ? n[y] : n[y] - 1; // the anchor itself does not count
      const ratio = new Float64Array(numClasses);
      for (let j = 0; j < numClasses; j++) {
        if (j === y || !(present & (1 << j))) continue;
        ratio[j] = loss.averaging ? 1 : (n[j] + (loss.complement ? 1 : 0)) / own;
      }
      const term = { weight, ratio };
      byClass[y].push(term);
      if (loss.averaging) merged.set(key, term);
      floor += weight * Math.log(own);
    }
  }
  return packed(byClass, floor);
}

function hasAnchors(loss, n) {
  return loss.complement ? n > 0 : n > 1; // an anchor needs a positive
}

function crossEntropyTerms(loss, { counts, probabilities }, classCounts) {
  const numClasses = classCounts.length;
  const weight = new Float64Array(numClasses);
  for (let m = 0; m < probabilities.length; m++) {
    const n = counts.subarray(m * numClasses, (m + 1) * numClasses);
    const size = n.reduce((sum, count) => sum + count, 0);
    for (let y = 0; y < numClasses; y++) weight[y] += (probabilities[m] * n[y]) / size;
  }
  // log P_k is the training set's; ratios of P need no normalisation
  const byClass = Array.from(weight, (w, y) => {
    const ratio = classCounts.map((n, j) => (j === y ? 0 : loss.compensated ? n / classCounts[y] : 1));
    return [{ weight: w, ratio }];
  });
  return packed(byClass, 0);
}

function packed(byClass, floor) {
  const numClasses = byClass.length;
  const terms = byClass.flat();
  const start = new Int32Array(numClasses + 1);
  for (let y = 0; y < numClasses; y++) start[y + 1] = start[y] + byClass[y].length;
  const ratio = new Float64Array(terms.length * numClasses);
  terms.forEach((term, t) => ratio.set(term.ratio, t * numClasses));
  return { numClasses, start, weight: Float64Array.from(terms, (term) => term.weight), ratio, floor };
}
