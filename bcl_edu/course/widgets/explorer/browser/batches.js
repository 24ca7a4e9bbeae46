// Which classes meet in a mini-batch: a seeded sample of batch compositions, the same as batches.py draws.
//
// Rare classes are almost never in the same batch, and their angle depends on the few batches in which they are.
// So batches are drawn by pairs: for every ordered pair of classes (a, b) the same number of batches whose first
// image is of class a and whose second is of class b, the others drawn without replacement. A batch n then weighs
// what undoes the favour (importance sampling from a mixture):
//
//     p(n) / q(n) = 1 / mean over (a, b) of [n_a n_b / (N_a N_b)] [N (N - 1) / (B (B - 1))]    (a = b: n_a (n_a - 1) ...)
//
// and the weights are divided by their sum. Image t of batch m is chosen by a hash of (m, t), so that a slightly
// different profile gives slightly different batches.

/** About so many batches, the same number for every ordered pair of classes. */
export const SAMPLED_BATCHES = 500;

/**
 * @param {Float64Array} classCounts - images of each class, whole numbers, at least 2 each, shape (K,)
 * @param {number} batchSize - images in a batch, from 2 to all there are
 * @returns {{counts: Float64Array, probabilities: Float64Array}} images of each class in each batch, shape (M, K), one
 *   view each, and how likely the batch is, shape (M,)
 */
export function sampledBatches(classCounts, batchSize) {
  const numClasses = classCounts.length;
  const total = classCounts.reduce((sum, n) => sum + n, 0);
  const perPair = Math.ceil(SAMPLED_BATCHES / (numClasses * numClasses));
  const number = perPair * numClasses * numClasses;
  const counts = new Float64Array(number * numClasses);
  const probabilities = new Float64Array(number);
  const ends = new Int32Array(numClasses);
  const positions = new Int32Array(batchSize);
  const random = randomWords(number, batchSize);
  // 32 random bits choose one of the images that are left
  const scale = Float64Array.from({ length: batchSize }, (_, t) => (total - t) / 4294967296);
  let sum = 0;
  for (let m = 0; m < number; m++) {
    const pair = m % (numClasses * numClasses);
    const first = Math.floor(pair / numClasses);
    const second = pair % numClasses;
    let end = 0;
    for (let k = 0; k < numClasses; k++) {
      end += classCounts[k] - (k === first) - (k === second);
      ends[k] = end;
    }
    for (let t = 2; t < batchSize; t++) positions[t] = (random[m * batchSize + t] * scale[t]) | 0;
    takeImages(ends, positions);
    let favour = 0;
    let single = 0;
    let before = 0;
    for (let k = 0; k < numClasses; k++) {
      const n = classCounts[k] - (ends[k] - before);
      before = ends[k];
      counts[m * numClasses + k] = n;
      // pairs (k, j) with j < k, twice, then (k, k)
      favour += (2 * single * n) / classCounts[k] + (n * (n - 1)) / (classCounts[k] * (classCounts[k] - 1));
      single += n / classCounts[k];
    }
    probabilities[m] = 1 / favour;
    sum += probabilities[m];
  }
  for (let m = 0; m < number; m++) probabilities[m] /= sum;
  return { counts, probabilities };
}

/**
 * Take the images at these positions (from the third on), one after the other, out of classes that stand in a row.
 *
 * An image at position p is of the first class whose end is beyond p; that end and all later ones move down by one. Which
 * class it is cannot be predicted, so there are no branches: (p - end) >> 31 is -1 where p < end, and 0 elsewhere. Two
 * classes at a time, since each end waits for its last move.
 * @param {Int32Array} ends - images left in the classes up to each, shape (K,); changed in place
 * @param {Int32Array} positions - among the images that are left, shape (B,); the first two are not read
 */
function takeImages(ends, positions) {
  for (let k = 0; k < ends.length; k += 2) {
    const other = Math.min(k + 1, ends.length - 1);
    let end = ends[k];
    let otherEnd = ends[other];
    for (let t = 2; t < positions.length; t++) {
      const position = positions[t];
      end += (position - end) >> 31;
      otherEnd += (position - otherEnd) >> 31;
    }
    ends[k] = end;
    ends[other] = otherEnd;
  }
}

let words = { number: 0, batchSize: 0 };

/** 32 random bits of every (m, t), shape (number, batchSize); they do not depend on the classes, so the last are kept. */
function randomWords(number, batchSize) {
  if (words.number !== number || words.batchSize !== batchSize) {
    const bits = new Uint32Array(number * batchSize);
    const image = Int32Array.from({ length: batchSize }, (_, t) => mix(t + 1));
    for (let m = 0; m < number; m++) {
      for (let t = 0; t < batchSize; t++) bits[m * batchSize + t] = mix(Math.imul(m, 0x9e3779b1) ^ image[t]);
    }
    words = { number, batchSize, bits };
  }
  return words.bits;
}

/** The finaliser of splitmix32: every bit of the result depends on every bit of the word. */
function mix(word) {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}
