// What is read off the class means: angles, deviation from the regular simplex, distance to the optimum.

import { cosines, simplexDeviation } from "../../explorer/browser/geometry.js";

/**
 * @param {Float64Array} means - class means, shape (K, d)
 * @param {Float64Array} targetGram - cosines of the certified optimum, shape (K, K)
 * @returns {{gram: Float64Array, deviation: number, distance: number, rareAngle: number}} cosines between class means; root
 *   mean square, over pairs of classes, of their difference to -1 / (K - 1) and to the optimum's; angle between the two
 *   rarest classes in degrees
 */
export function readMeans(means, targetGram, numClasses, dimension) {
  const gram = cosines(means, numClasses, dimension);
  return {
    gram,
    deviation: simplexDeviation(gram, numClasses).rms,
    distance: gramDistance(gram, targetGram, numClasses),
    rareAngle: rareAngle(gram, numClasses),
  };
}

/** Root mean square difference of two matrices of cosines, over i != j. */
export function gramDistance(one, other, numClasses) {
  let squares = 0;
  for (let i = 0; i < numClasses; i++) {
    for (let j = 0; j < i; j++) squares += (one[i * numClasses + j] - other[i * numClasses + j]) ** 2;
  }
  return Math.sqrt((2 * squares) / (numClasses * (numClasses - 1)));
}

/** Degrees between the last two classes, the rarest. */
export function rareAngle(gram, numClasses) {
  const cosine = gram[(numClasses - 2) * numClasses + numClasses - 1];
  return (180 / Math.PI) * Math.acos(Math.max(-1, Math.min(1, cosine)));
}
