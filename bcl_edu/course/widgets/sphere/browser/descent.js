// Free embeddings under a loss: gradient descent on the sphere, as in bcl_edu.geometry.unconstrained_features.
//
// A step moves each vector against its gradient within the tangent plane and back to the sphere. A sample steps on the
// sum of the batch's losses, a prototype or classifier row on their mean.

import { Stream } from "./seeded.js";
import { lossAndGradients } from "./training_losses.js";

/** Every picture is in its batch with two views, so that it has a positive. */
export const VIEWS = 2;

/** Root mean square length of what is added to the cone's axis, as in bcl_edu.geometry.embeddings_in_a_cone. */
const CONE_WIDTH = 0.3;
/** The same for pictures that join a class while it is trained: around its mean. */
const JOINING_WIDTH = 0.25;
/** The cone's axis in two and three dimensions: where the reader sees it. */
const AXES = { 2: [0, 1], 3: [0.3, 0.45, 0.841] };

/**
 * Where training starts: points of all classes, as many as the largest may have, and one key a class.
 * @param {{numClasses: number, dimension: number, start: string, seed: number}} settings
 * @param {number} perClass - points of each class
 */
export function startingPoints({ numClasses, dimension, start, seed }, perClass) {
  const stream = new Stream(seed);
  const scatter = (rows) => {
    const points = stream.normals(rows * dimension);
    if (start === "cone") {
      const axis = AXES[dimension];
      for (let i = 0; i < points.length; i++) {
        points[i] = axis[i % dimension] + (CONE_WIDTH * points[i]) / Math.sqrt(dimension);
      }
    }
    return unitRows(points, dimension);
  };
  const points = scatter(numClasses * perClass);
  const keys = scatter(numClasses);
  return { points, keys, jitter: stream.normals(numClasses * perClass * dimension) };
}

/** One set of embeddings in training. Point t of class k is in row k perClass + t; a class of n has its first n. */
export class Descent {
  /**
   * @param {{points: Float64Array, keys: Float64Array, jitter: Float64Array}} start - of `startingPoints`; copied
   * @param {number[]} counts - points of each class, shape (K,)
   */
  constructor(start, { numClasses, dimension }, perClass, counts) {
    Object.assign(this, { numClasses, dimension, perClass, counts });
    this.points = Float64Array.from(start.points);
    this.keys = Float64Array.from(start.keys);
    this.jitter = start.jitter;
    this.loss = NaN;
    this.push = new Float64Array(numClasses * numClasses).fill(NaN);
  }

  /**
   * One step.
   * @param {object} loss - one of TRAINING_LOSSES
   * @param {Int32Array} rows - the samples of the batch
   * @param {{temperature: number, learningRate: number, prototypes: string}} settings
   */
  step(loss, rows, { temperature, learningRate, prototypes }) {
    const { dimension: d, points } = this;
    const batch = this.batch(rows);
    const { keys, learned } = this.keysOf(loss, prototypes);
    const joins = loss.complement && prototypes !== "off";
    const { value, points: slope, keys: keySlope, push } = lossAndGradients(
      { ...loss, complement: joins }, batch, keys, temperature);
    this.loss = value;
    this.push = push;
    rows.forEach((row, i) => moveRow(points, row, slope, i, learningRate * rows.length, d));
    if (!learned) return;
    for (let k = 0; k < this.numClasses; k++) moveRow(this.keys, k, keySlope, k, learningRate, d);
  }

  /** The samples in these rows, as the losses want them. */
  batch(rows) {
    const { dimension: d, numClasses, perClass, counts } = this;
    const points = new Float64Array(rows.length * d);
    const labels = new Int32Array(rows.length);
    rows.forEach((row, i) => {
      labels[i] = Math.floor(row / perClass);
      for (let c = 0; c < d; c++) points[i * d + c] = this.points[row * d + c];
    });
    return { points, labels, dimension: d, numClasses, views: VIEWS, classCounts: counts };
  }

  /** Prototypes or classifier rows of a loss, and whether they are learned; null where it has none. */
  keysOf(loss, prototypes) {
    if (loss.averaging === "rows") return { keys: this.keys, learned: true };
    const joins = loss.complement && prototypes !== "off";
    if (!joins && loss.averaging !== "prototypes") return { keys: null, learned: false };
    if (prototypes === "free") return { keys: this.keys, learned: true };
    return { keys: unitRows(this.means(), this.dimension), learned: false };
  }

  /** Mean of each class, not of unit length, shape (K, d). */
  means() {
    const { dimension: d, numClasses, perClass, counts, points } = this;
    const means = new Float64Array(numClasses * d);
    for (let k = 0; k < numClasses; k++) {
      for (let t = 0; t < counts[k]; t++) {
        for (let c = 0; c < d; c++) means[k * d + c] += points[(k * perClass + t) * d + c] / counts[k];
      }
    }
    return means;
  }

  /** Change how many points each class has; those that join appear around the mean of their class. */
  resize(counts) {
    const { dimension: d, perClass } = this;
    const means = unitRows(this.means(), d);
    counts.forEach((count, k) => {
      for (let t = this.counts[k]; t < count; t++) {
        const row = k * perClass + t;
        const point = this.points.subarray(row * d, (row + 1) * d);
        for (let c = 0; c < d; c++) {
          point[c] = means[k * d + c] + (JOINING_WIDTH * this.jitter[row * d + c]) / Math.sqrt(d);
        }
        unitRows(point, d);
      }
    });
    this.counts = counts;
  }
}

/** Rows of all samples, class after class. */
export function allRows(counts, perClass) {
  return Int32Array.from(counts.flatMap((count, k) => Array.from({ length: count }, (_, t) => k * perClass + t)));
}

/** Mini-batches: an epoch is a random order, cut into batches; what is left over is not used. */
export class Batches {
  constructor(seed) {
    this.stream = new Stream(seed ^ 0x5eed);
    this.key = "";
  }

  /** The next batch: rows of samples; all of them if the size is 0 or more than there are. */
  next(counts, perClass, size) {
    const key = `${counts} ${size}`;
    if (key !== this.key) {
      Object.assign(this, { key, rows: allRows(counts, perClass), place: 0, order: null });
    }
    if (!size || size >= this.rows.length) return this.rows;
    if (!this.order || this.place + size > this.order.length) {
      this.order = this.stream.shuffle(Int32Array.from(this.rows));
      this.place = 0;
    }
    this.place += size;
    return this.order.subarray(this.place - size, this.place);
  }
}

/** Scale each row to length 1, in place. */
export function unitRows(points, d) {
  for (let first = 0; first < points.length; first += d) {
    let square = 0;
    for (let c = 0; c < d; c++) square += points[first + c] ** 2;
    const inverse = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let c = 0; c < d; c++) points[first + c] *= inverse;
  }
  return points;
}

/** points[row] - rate * (gradient[i] within the tangent plane), back on the sphere. */
function moveRow(points, row, gradient, i, rate, d) {
  let along = 0;
  for (let c = 0; c < d; c++) along += gradient[i * d + c] * points[row * d + c];
  let square = 0;
  for (let c = 0; c < d; c++) {
    const value = points[row * d + c] * (1 + rate * along) - rate * gradient[i * d + c];
    points[row * d + c] = value;
    square += value * value;
  }
  const inverse = 1 / Math.sqrt(square);
  for (let c = 0; c < d; c++) points[row * d + c] *= inverse;
}
