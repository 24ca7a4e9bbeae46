// From a loss and a distribution of batches to the function of the Gram matrix that collapsed classes minimise.
//
// With every sample at its class mean, and prototypes there too, each loss is
//
//     floor + sum_t w_t log(1 + sum_{j != y_t} r_tj exp(x_{y_t j}))
//
// one term t for a class y_t of a batch. For the contrastive losses x_yj = (mu_y . mu_j - 1) / tau; for cross-entropy,
// features h_y against classifier rows w_j, x_yj = (h_y . w_j - h_y . w_y) / tau. The mathematics is that of
// bcl_edu.geometry.convex_program, whose table this file follows; tests compare the two.

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
 * @param {?Float64Array} memory - the `ratio` of terms that are no longer in use, which is overwritten if it is large enough
 * @returns {{numClasses: number, start: Int32Array, weight: Float64Array, ratio: Float64Array, floor: number}}
 *   terms start[y] to start[y + 1] are those of class y; w_t, shape (T,); r_tj, T (K - 1) numbers and room: class by
 *   class, and for each class column by column, j = 0 to K - 1 without y, so that sums over terms run along memory
 */
export function lossTerms(loss, batches, classCounts, memory = null) {
  return loss.kind === "contrastive"
    ? contrastiveTerms(loss, batches, classCounts.length, memory)
    : crossEntropyTerms(loss, batches, classCounts);
}

function contrastiveTerms(loss, { counts, probabilities }, numClasses, memory) {
  const batches = probabilities.length;
  const anchors = new Float64Array(batches); // samples that are anchors, or classes that have some
  const present = new Int32Array(batches); // classes in the denominators, one bit each
  for (let m = 0; m < batches; m++) {
    for (let y = 0; y < numClasses; y++) {
      const n = counts[m * numClasses + y];
      if (hasAnchors(loss, n)) anchors[m] += loss.classAnchors ? 1 : n;
      if (n > 0 || loss.complement) present[m] |= 1 << y;
    }
  }

  const prototypes = loss.complement ? 1 : 0;
  const start = new Int32Array(numClasses + 1);
  const weight = new Float64Array(batches * numClasses);
  const most = batches * numClasses * (numClasses - 1);
  const ratio = memory?.length >= most ? memory : new Float64Array(most);
  const batchOf = new Int32Array(batches); // of each term of a class
  const own = new Float64Array(batches); // samples of its own class that an anchor is compared with
  let floor = 0;
  for (let y = 0; y < numClasses; y++) {
    const first = start[y];
    const termOf = new Map();
    let terms = 0;
    for (let m = 0; m < batches; m++) {
      const n = counts[m * numClasses + y];
      if (!hasAnchors(loss, n)) continue;
      const w = (probabilities[m] * (loss.classAnchors ? 1 : n)) / anchors[m];
      if (loss.averaging) {
        // averaged denominators see which classes are there, not how many samples they have: such terms add up
        const known = termOf.get(present[m]);
        if (known !== undefined) {
          weight[known] += w;
          continue;
        }
        termOf.set(present[m], first + terms);
      }
      batchOf[terms] = m;
      own[terms] = loss.averaging ? 1 : loss.complement ? n : n - 1; // the anchor itself does not count
      weight[first + terms] = w;
      floor += w * Math.log(own[terms]);
      terms += 1;
    }
    let entry = first * (numClasses - 1);
    for (let j = 0; j < numClasses; j++) {
      if (j === y) continue;
      for (let t = 0; t < terms; t++) {
        const m = batchOf[t];
        // classes that are not there have no samples, and where prototypes join every class is there
        ratio[entry++] = loss.averaging ? (present[m] >> j) & 1 : (counts[m * numClasses + j] + prototypes) / own[t];
      }
    }
    start[y + 1] = first + terms;
  }
  const all = start[numClasses];
  return { numClasses, start, weight: weight.subarray(0, all), ratio, floor };
}

function hasAnchors(loss, n) {
  return loss.complement ? n > 0 : n > 1; // an anchor needs a positive
}

function crossEntropyTerms(loss, { counts, probabilities }, classCounts) {
  const numClasses = classCounts.length;
  const weight = new Float64Array(numClasses); // how much of a batch a class is, on average
  for (let m = 0; m < probabilities.length; m++) {
    const n = counts.subarray(m * numClasses, (m + 1) * numClasses);
    const size = n.reduce((sum, count) => sum + count, 0);
    for (let y = 0; y < numClasses; y++) weight[y] += (probabilities[m] * n[y]) / size;
  }
  const ratio = new Float64Array(numClasses * (numClasses - 1));
  let entry = 0;
  for (let y = 0; y < numClasses; y++) {
    for (let j = 0; j < numClasses; j++) {
      // log P_k is the training set's; its normalisation cancels
      if (j !== y) ratio[entry++] = loss.compensated ? classCounts[j] / classCounts[y] : 1;
    }
  }
  return { numClasses, start: Int32Array.from({ length: numClasses + 1 }, (_, y) => y), weight, ratio, floor: 0 };
}
