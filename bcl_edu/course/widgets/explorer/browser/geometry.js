// From an optimal Gram matrix to what is shown of it: cosines, distance from the regular simplex, positions.

import { alignTo, gramMatrix } from "./linear_algebra.js";

/**
 * Cosines between class means, shape (K, K).
 * @param {Float64Array} vectors - the first K rows are the class means (features), shape (>= K, dimension)
 */
export function cosines(vectors, numClasses, dimension) {
  return gramMatrix(unitRows(vectors, numClasses, dimension), numClasses, dimension);
}

/**
 * How far from the regular simplex, whose cosines are all -1 / (K - 1): root mean square, smallest and largest entry of
 * <mu_i, mu_j> + 1 / (K - 1) over i != j, and the pairs of classes (i < j) at both ends.
 */
export function simplexDeviation(gram, numClasses) {
  let squares = 0;
  let smallest = { value: Infinity };
  let largest = { value: -Infinity };
  for (let i = 0; i < numClasses; i++) {
    for (let j = i + 1; j < numClasses; j++) {
      const value = gram[i * numClasses + j] + 1 / (numClasses - 1);
      squares += value * value;
      if (value < smallest.value) smallest = { value, pair: [i, j] };
      if (value > largest.value) largest = { value, pair: [i, j] };
    }
  }
  return { rms: Math.sqrt((2 * squares) / (numClasses * (numClasses - 1))), smallest, largest };
}

/**
 * The regular simplex that all pictures are turned towards, shape (K, K - 1).
 *
 * Its axes are cosine waves over the classes in order, slow ones first, so that the first axis runs from head to tail,
 * and the first three axes show most of what distinguishes head, middle and tail.
 */
export function referenceSimplex(numClasses) {
  const k = numClasses;
  const positions = new Float64Array(k * (k - 1));
  for (let axis = 0; axis < k - 1; axis++) {
    for (let i = 0; i < k; i++) {
      // orthonormal waves, and vertices of length 1; the sign puts the head on the left and the middle on top
      positions[i * (k - 1) + axis] = -Math.sqrt(2 / (k - 1)) * Math.cos((Math.PI * (axis + 1) * (i + 0.5)) / k);
    }
  }
  return positions;
}

/**
 * Class means turned as close to the reference simplex as a rotation can bring them (Procrustes), shape (K, K - 1).
 *
 * Distances and angles are those of the optimum: its rank is at most K - 1. All solutions are turned towards the same
 * simplex, so a picture depends on what it shows alone, not on the way there; and as the optimal Gram matrix changes
 * continuously, so do the positions.
 */
export function alignedMeans(vectors, numClasses, dimension) {
  const k = numClasses;
  const reference = referenceSimplex(k);
  const padded = new Float64Array(k * dimension);
  for (let i = 0; i < k; i++) {
    for (let c = 0; c < k - 1; c++) padded[i * dimension + c] = reference[i * (k - 1) + c];
  }
  const aligned = alignTo(unitRows(vectors, k, dimension), padded, k, dimension);
  const positions = new Float64Array(k * (k - 1));
  for (let i = 0; i < k; i++) {
    for (let c = 0; c < k - 1; c++) positions[i * (k - 1) + c] = aligned[i * dimension + c];
  }
  return positions;
}

/**
 * The first three axes of positions, and the share of the squared length that they show (1: the picture is exact).
 * @param {Float64Array} positions - shape (K, K - 1)
 * @returns {{points: number[][], kept: number}}
 */
export function firstThreeAxes(positions, numClasses) {
  const axes = numClasses - 1;
  let kept = 0;
  let all = 0;
  const points = Array.from({ length: numClasses }, (_, i) => {
    const point = [0, 0, 0];
    for (let c = 0; c < axes; c++) {
      const value = positions[i * axes + c];
      all += value * value;
      if (c < 3) {
        kept += value * value;
        point[c] = value;
      }
    }
    return point;
  });
  return { points, kept: kept / all };
}

function unitRows(vectors, rows, columns) {
  const unit = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    let square = 0;
    for (let c = 0; c < columns; c++) square += vectors[i * columns + c] ** 2;
    for (let c = 0; c < columns; c++) unit[i * columns + c] = vectors[i * columns + c] / Math.sqrt(square);
  }
  return unit;
}
