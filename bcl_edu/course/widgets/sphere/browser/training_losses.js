// The losses that the sphere trains with: their values and gradients on free embeddings, as in bcl_edu.losses.
//
// Every loss is a weighted mean over anchors of  log D_i - A_i  (bcl_edu.losses.definition has the table). A sample is in
// its batch with several identical views, so that each has a positive; its vector is held once and counts `views` times.
// Logits are z_i . z_k / tau. Vectors are unit vectors, hence no logit is above 1 / tau, and exponentials of
// (z_i . z_k - 1) / tau neither overflow nor, at the temperatures on offer, vanish.

/** Choices that make up each loss; the names are those of bcl_edu. */
export const TRAINING_LOSSES = {
  scl: { label: "SCL", equation: "Eq. 1", averaging: "none" },
  bcl: { label: "BCL", equation: "Eq. 9", averaging: "outside", complement: true },
  "bcl-class-anchors": {
    label: "BCL, class-averaged anchors",
    short: "BCL, class anchors",
    averaging: "outside",
    complement: true,
    averageAnchors: true,
  },
  "bcl-inside": { label: "L2", equation: "Eq. 7", averaging: "inside", complement: true },
  "bcl-prototypes": { label: "L3", equation: "Eq. 8", averaging: "prototypes" },
  "scl-averaging": { label: "SCL + averaging", averaging: "outside" },
  "scl-complement": { label: "SCL + complement", averaging: "none", complement: true },
  ce: { label: "Cross-entropy, linear classifier", short: "Cross-entropy", averaging: "rows" },
  lc: { label: "Cross-entropy, logits compensated", short: "Logit compensation", averaging: "rows", compensated: true },
};

/**
 * @typedef {object} Batch
 * @property {Float64Array} points - z_i, unit vectors, shape (n, dimension)
 * @property {Int32Array} labels - class of each, shape (n,)
 * @property {number} dimension - of the space
 * @property {number} numClasses - K
 * @property {number} views - how often each sample is in the batch
 * @property {ArrayLike<number>} classCounts - samples of each class in the training set, shape (K,)
 */

/**
 * Value and gradients of a loss on a batch.
 *
 * @param {object} loss - one of TRAINING_LOSSES
 * @param {Batch} batch
 * @param {?Float64Array} keys - prototypes or classifier rows, unit vectors, shape (K, dimension); where the loss has them
 * @param {number} temperature - tau > 0
 * @returns {{value: number, points: Float64Array, keys: ?Float64Array, push: Float64Array}} the loss; its derivatives in
 *   the points and in the keys; share of class j in what repels an anchor of class y, the mean over the batch's anchors,
 *   shape (K, K), NaN in the rows of classes without an anchor
 */
export function lossAndGradients(loss, batch, keys, temperature) {
  const sums = new Sums(loss, batch, keys, temperature);
  if (loss.averaging === "rows" || loss.averaging === "prototypes") overKeys(loss, sums);
  else if (loss.averaging === "inside") overClassMeans(sums);
  else overSamples(sums, loss.averaging === "outside");
  return sums.result();
}

/** What every loss needs of a batch, and where its parts are added up. */
class Sums {
  constructor(loss, batch, keys, temperature) {
    const { points, labels, dimension: d, numClasses: k } = batch;
    Object.assign(this, { batch, keys, temperature, n: labels.length });
    this.joined = loss.complement ? 1 : 0; // whether prototypes join the samples
    this.counts = new Float64Array(k); // samples of each class in the batch
    this.classSum = new Float64Array(k * d);
    for (let i = 0; i < this.n; i++) {
      const y = labels[i];
      this.counts[y] += 1;
      for (let c = 0; c < d; c++) this.classSum[y * d + c] += points[i * d + c];
    }
    // an anchor counts if it has a positive; where keys stand for classes, every anchor has one
    const byKeys = loss.averaging === "rows" || loss.averaging === "prototypes";
    this.positives = this.counts.map((n) => batch.views * n - 1 + this.joined);
    this.weight = this.counts.map((n, y) => (n > 0 && (byKeys || this.positives[y] > 0) ? 1 : 0));
    if (loss.averageAnchors) this.weight = this.weight.map((w, y) => (w ? w / this.counts[y] : 0));
    const total = this.weight.reduce((sum, w, y) => sum + w * this.counts[y], 0);
    if (total > 0) this.weight = this.weight.map((w) => w / total); // of one anchor of class y, all its views together

    this.value = 0;
    this.dPoints = new Float64Array(this.n * d);
    this.dKeys = keys ? new Float64Array(k * d) : null;
    this.push = new Float64Array(k * k);
    this.pushed = new Float64Array(k);
  }

  /** exp((z_i . key_j - 1) / tau). */
  keyExponential(i, j) {
    const { points, dimension: d } = this.batch;
    let dot = 0;
    for (let c = 0; c < d; c++) dot += points[i * d + c] * this.keys[j * d + c];
    return Math.exp((dot - 1) / this.temperature);
  }

  /** Note how much each class repels an anchor of class y: `terms`, its own class not counted. */
  addPush(y, terms) {
    const { numClasses: k } = this.batch;
    let others = 0;
    for (let j = 0; j < k; j++) if (j !== y) others += terms[j];
    if (!(others > 0)) return;
    this.pushed[y] += 1;
    for (let j = 0; j < k; j++) if (j !== y) this.push[y * k + j] += terms[j] / others;
  }

  /** A_i = (views z_i . s_y - z_i . z_i + z_i . c_y) / (positives tau), s_y being the sum over i's class. */
  attraction(i) {
    const { points, labels, dimension: d, views } = this.batch;
    const y = labels[i];
    let dot = 0;
    for (let c = 0; c < d; c++) {
      const z = points[i * d + c];
      const key = this.joined ? this.keys[y * d + c] : 0;
      dot += z * (views * this.classSum[y * d + c] - z + key);
    }
    return dot / (this.positives[y] * this.temperature);
  }

  /** Add the gradient of sum_i u_i A_i: the anchor moves to its positives, and they to it. */
  attract(u) {
    const { points, labels, dimension: d, numClasses: k, views } = this.batch;
    const pulled = new Float64Array(k * d); // sum over each class of u_i z_i
    for (let i = 0; i < this.n; i++) {
      for (let c = 0; c < d; c++) pulled[labels[i] * d + c] += u[i] * points[i * d + c];
    }
    for (let i = 0; i < this.n; i++) {
      const y = labels[i];
      if (!this.weight[y]) continue;
      const scale = 1 / (this.positives[y] * this.temperature);
      for (let c = 0; c < d; c++) {
        const key = this.joined ? this.keys[y * d + c] : 0;
        const toPositives = views * this.classSum[y * d + c] - 2 * points[i * d + c] + key;
        this.dPoints[i * d + c] += scale * (u[i] * toPositives + views * pulled[y * d + c]);
      }
    }
    if (!this.joined) return;
    for (let y = 0; y < k; y++) {
      if (!this.weight[y]) continue;
      const scale = 1 / (this.positives[y] * this.temperature);
      for (let c = 0; c < d; c++) this.dKeys[y * d + c] += scale * pulled[y * d + c];
    }
  }

  result() {
    const { numClasses: k } = this.batch;
    for (let y = 0; y < k; y++) {
      for (let j = 0; j < k; j++) this.push[y * k + j] = this.pushed[y] ? this.push[y * k + j] / this.pushed[y] : NaN;
    }
    return { value: this.value, points: this.dPoints, keys: this.dKeys, push: this.push };
  }
}

/** Eq. 1-2, 6 and 9: D_i sums exp(l_ik) over all samples k but i, each divided by the size of k's class if averaged. */
function overSamples(sums, averaged) {
  const { batch, n, keys, joined, temperature, counts, weight } = sums;
  const { points, labels, dimension: d, numClasses: k, views } = batch;
  const { exponentials, sumOfClass } = pairExponentials(batch, temperature);

  // 1 / m_ik: one number for keys of the anchor's class, which lacks the anchor, and one for keys of another
  const ofOther = counts.map((size) => (averaged ? 1 / Math.max(1, views * size + joined) : 1));
  const ofOwn = counts.map((size) => (averaged ? 1 / Math.max(1, views * size - 1 + joined) : 1));

  const scale = new Float64Array(n); // what exp(l_ik) is multiplied by to be i's pull on k: weight / (tau D_i)
  const u = new Float64Array(n);
  const terms = new Float64Array(k);
  const ofKeys = new Float64Array(k);
  for (let i = 0; i < n; i++) {
    const y = labels[i];
    if (!weight[y]) continue;
    let square = 0;
    for (let c = 0; c < d; c++) square += points[i * d + c] ** 2;
    const itself = Math.exp((square - 1) / temperature); // the other views of the same sample
    let total = 0;
    for (let j = 0; j < k; j++) {
      let sum = views * sumOfClass[i * k + j];
      if (j === y) sum += (views - 1) * itself;
      if (joined) {
        ofKeys[j] = sums.keyExponential(i, j);
        sum += ofKeys[j];
      }
      terms[j] = sum * (j === y ? ofOwn[j] : ofOther[j]);
      total += terms[j];
    }
    sums.addPush(y, terms);
    sums.value += weight[y] * (1 / temperature + Math.log(total) - sums.attraction(i));
    u[i] = -weight[y];
    scale[i] = weight[y] / (temperature * total);
    const own = 2 * scale[i] * (views - 1) * itself * ofOwn[y];
    for (let c = 0; c < d; c++) sums.dPoints[i * d + c] += own * points[i * d + c];
    if (!joined) continue;
    for (let j = 0; j < k; j++) {
      const force = scale[i] * ofKeys[j] * (j === y ? ofOwn[j] : ofOther[j]);
      for (let c = 0; c < d; c++) {
        sums.dPoints[i * d + c] += force * keys[j * d + c];
        sums.dKeys[j * d + c] += force * points[i * d + c];
      }
    }
  }

  pairForces(sums, scale, ofOwn, ofOther, exponentials);
  sums.attract(u);
}

// The two loops over pairs take nearly all of the time: on coordinates in arrays of their own (the third is 0 on the
// circle), each pair once.

/** The coordinates of points, three Float64Arrays of shape (n,). */
function coordinates(points, d) {
  const n = points.length / d;
  const columns = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  for (let i = 0; i < n; i++) for (let c = 0; c < d; c++) columns[c][i] = points[i * d + c];
  return columns;
}

let scratch = new Float64Array(0);

/** Memory for one number a pair; the same in every step. */
function memoryForPairs(n) {
  const pairs = (n * (n - 1)) / 2;
  if (scratch.length < pairs) scratch = new Float64Array(pairs);
  return scratch;
}

/** exp((z_i . z_k - 1) / tau) of every pair k < i, row after row, and for each i its sums over classes without i. */
function pairExponentials({ points, labels, dimension, numClasses: k }, temperature) {
  const n = labels.length;
  const [x, y, z] = coordinates(points, dimension);
  const exponentials = memoryForPairs(n);
  const sumOfClass = new Float64Array(n * k);
  const scale = 1 / temperature;
  for (let i = 0, pair = 0; i < n; i++) {
    const xi = scale * x[i];
    const yi = scale * y[i];
    const zi = scale * z[i];
    const label = labels[i];
    const row = i * k;
    for (let j = 0; j < i; j++, pair++) {
      const value = Math.exp(xi * x[j] + yi * y[j] + zi * z[j] - scale);
      exponentials[pair] = value;
      sumOfClass[row + labels[j]] += value;
      sumOfClass[j * k + label] += value;
    }
  }
  return { exponentials, sumOfClass };
}

/** Gradient of the denominators in all pairs: i pushes k, and k pushes i. */
function pairForces({ batch, n, dPoints }, scale, ofOwn, ofOther, exponentials) {
  const { points, labels, dimension: d, views } = batch;
  const [x, y, z] = coordinates(points, d);
  const slopes = [0, 1, 2].map(() => new Float64Array(n));
  const [dx, dy, dz] = slopes;
  const asOwn = Float64Array.from(labels, (label) => views * ofOwn[label]);
  const asOther = Float64Array.from(labels, (label) => views * ofOther[label]);
  for (let i = 0, pair = 0; i < n; i++) {
    const xi = x[i];
    const yi = y[i];
    const zi = z[i];
    const label = labels[i];
    const own = asOwn[i];
    const other = asOther[i];
    const mine = scale[i];
    let sx = 0;
    let sy = 0;
    let sz = 0;
    for (let j = 0; j < i; j++, pair++) {
      const weight = labels[j] === label ? (mine + scale[j]) * own : mine * asOther[j] + scale[j] * other;
      const force = exponentials[pair] * weight;
      sx += force * x[j];
      sy += force * y[j];
      sz += force * z[j];
      dx[j] += force * xi;
      dy[j] += force * yi;
      dz[j] += force * zi;
    }
    dx[i] += sx;
    dy[i] += sy;
    dz[i] += sz;
  }
  for (let i = 0; i < n; i++) for (let c = 0; c < d; c++) dPoints[i * d + c] += slopes[c][i];
}

/** Eq. 7: D_i = exp A_i + sum over the other classes j of exp(z_i . mean_j / tau). */
function overClassMeans(sums) {
  const { batch, n, keys, joined, temperature, counts, weight, classSum } = sums;
  const { points, labels, dimension: d, numClasses: k, views } = batch;
  const size = counts.map((count) => views * count + joined);
  const mean = new Float64Array(k * d);
  for (let j = 0; j < k; j++) {
    if (!size[j]) continue;
    for (let c = 0; c < d; c++) {
      mean[j * d + c] = (views * classSum[j * d + c] + (joined ? keys[j * d + c] : 0)) / size[j];
    }
  }

  const u = new Float64Array(n);
  const terms = new Float64Array(k);
  const pushed = new Float64Array(k * d); // derivative in each class mean
  for (let i = 0; i < n; i++) {
    const y = labels[i];
    if (!weight[y]) continue;
    const attraction = sums.attraction(i);
    let total = 0;
    for (let j = 0; j < k; j++) {
      terms[j] = 0;
      if (!size[j]) continue;
      let logit = attraction;
      if (j !== y) {
        logit = 0;
        for (let c = 0; c < d; c++) logit += (points[i * d + c] * mean[j * d + c]) / temperature;
      }
      terms[j] = Math.exp(logit - 1 / temperature);
      total += terms[j];
    }
    sums.addPush(y, terms);
    sums.value += weight[y] * (1 / temperature + Math.log(total) - attraction);
    u[i] = weight[y] * (terms[y] / total - 1); // A_i also stands in the denominator
    for (let j = 0; j < k; j++) {
      if (j === y || !size[j]) continue;
      const force = (weight[y] * terms[j]) / (total * temperature);
      for (let c = 0; c < d; c++) {
        sums.dPoints[i * d + c] += force * mean[j * d + c];
        pushed[j * d + c] += force * points[i * d + c];
      }
    }
  }
  for (let i = 0; i < n; i++) {
    const y = labels[i];
    for (let c = 0; c < d; c++) sums.dPoints[i * d + c] += (views / size[y]) * pushed[y * d + c];
  }
  for (let entry = 0; joined && entry < k * d; entry++) {
    sums.dKeys[entry] += pushed[entry] / size[Math.floor(entry / d)];
  }
  sums.attract(u);
}

/**
 * A softmax over keys: prototypes (Eq. 8, the sample's own prototype alone in the numerator) or classifier rows.
 * With compensation, logits are shifted by log N_j (Eq. 10).
 */
function overKeys(loss, sums) {
  const { batch, n, keys, temperature, weight } = sums;
  const { points, labels, dimension: d, numClasses: k, classCounts } = batch;
  const terms = new Float64Array(k);
  for (let i = 0; i < n; i++) {
    const y = labels[i];
    let total = 0;
    for (let j = 0; j < k; j++) {
      terms[j] = sums.keyExponential(i, j) * (loss.compensated ? classCounts[j] : 1);
      total += terms[j];
    }
    sums.addPush(y, terms);
    sums.value += weight[y] * Math.log(total / terms[y]);
    for (let j = 0; j < k; j++) {
      const force = (weight[y] * (terms[j] / total - (j === y ? 1 : 0))) / temperature;
      for (let c = 0; c < d; c++) {
        sums.dPoints[i * d + c] += force * keys[j * d + c];
        sums.dKeys[j * d + c] += force * points[i * d + c];
      }
    }
  }
}
