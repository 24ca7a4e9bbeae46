// The loss of a configuration, with its first and second derivatives.
//
// Every loss reads the products P_yj = a_y . b_j of an anchor's vector a_y with the vector b_j of another class. For
// contrastive losses a = b = the class means; for cross-entropy a are features and b classifier rows. A configuration V
// holds the anchors' vectors in its first K rows, and the b_j from row `other` on.

/**
 * A loss as a function of vectors.
 *
 * @param {object} loss - one of LOSSES
 * @param {object} terms - of `lossTerms`
 * @param {number} temperature - tau > 0
 */
export function makeObjective(loss, terms, temperature) {
  const numClasses = terms.numClasses;
  const twoKinds = loss.kind === "cross-entropy";
  return {
    terms,
    temperature,
    numClasses,
    /** Row of b_0. */
    other: twoKinds ? numClasses : 0,
    /** How many vectors there are. */
    vectors: twoKinds ? 2 * numClasses : numClasses,
    // A stationary configuration has rank at most K - 1 (means) or K (features and classifier rows). One dimension more
    // always leaves a direction free, and then no local minimum is bad.
    dimension: twoKinds ? numClasses + 1 : numClasses,
    /** Whether vectors may be shorter than 1. */
    atMost: twoKinds,
  };
}

/**
 * f and its derivatives where the products are P.
 *
 * @param {object} objective
 * @param {Float64Array} products - P, shape (K, K)
 * @returns {{excess: number, force: Float64Array, curvature: Float64Array}} f - floor, to full relative precision;
 *   df/dP, shape (K, K); second derivatives in the logits x_yj, one (K, K) matrix for each y
 */
export function evaluate(objective, products) {
  const { terms, numClasses: k } = objective;
  const exponentials = logits(objective, products);
  const offset = objective.atMost ? 0 : -1 / objective.temperature; // an anchor with its own class: 1 / tau
  for (let i = 0; i < k * k; i++) exponentials[i] = Math.exp(exponentials[i] + offset);

  const logitGradient = new Float64Array(k * k);
  const curvature = new Float64Array(k * k * k);
  const share = new Float64Array(k);
  let excess = 0;
  for (let y = 0; y < k; y++) {
    const first = y * k;
    for (let t = terms.start[y]; t < terms.start[y + 1]; t++) {
      let sum = 0;
      for (let j = 0; j < k; j++) {
        share[j] = terms.ratio[t * k + j] * exponentials[first + j];
        sum += share[j];
      }
      const weight = terms.weight[t];
      excess += weight * Math.log1p(sum);
      const scale = 1 / (1 + sum);
      for (let j = 0; j < k; j++) {
        share[j] *= scale;
        const weighted = weight * share[j];
        logitGradient[first + j] += weighted;
        const row = (first + j) * k;
        for (let l = 0; l <= j; l++) curvature[row + l] -= weighted * share[l];
      }
    }
    for (let j = 0; j < k; j++) {
      curvature[(first + j) * k + j] += logitGradient[first + j];
      for (let l = 0; l < j; l++) curvature[(first + l) * k + j] = curvature[(first + j) * k + l];
    }
  }
  return { excess, curvature, force: toForce(objective, logitGradient) };
}

/** Directional derivative of the force df/dP along a change of P. */
export function forceChange(objective, point, change) {
  const k = objective.numClasses;
  const x = logits(objective, change);
  const logitGradient = new Float64Array(k * k);
  for (let y = 0; y < k; y++) {
    for (let j = 0; j < k; j++) {
      const row = (y * k + j) * k;
      let sum = 0;
      for (let l = 0; l < k; l++) sum += point.curvature[row + l] * x[y * k + l];
      logitGradient[y * k + j] = sum;
    }
  }
  return toForce(objective, logitGradient);
}

/** Sum of the second derivatives of f in the products of each vector: what preconditions the solver. */
export function vectorCurvature(objective, point) {
  const { numClasses: k, other, temperature } = objective;
  const sums = new Float64Array(objective.vectors);
  for (let y = 0; y < k; y++) {
    for (let j = 0; j < k; j++) {
      const second = point.curvature[(y * k + j) * k + j] / (temperature * temperature);
      sums[y] += second;
      sums[other + j] += second;
      if (objective.atMost) sums[other + y] += second;
    }
  }
  return sums;
}

/** The linear part of the logits x_yj, of products or of a change of them; 0 at j = y. */
function logits({ numClasses: k, temperature, atMost }, products) {
  const x = new Float64Array(k * k);
  for (let y = 0; y < k; y++) {
    const own = atMost ? products[y * k + y] : 0;
    for (let j = 0; j < k; j++) {
      if (j !== y) x[y * k + j] = (products[y * k + j] - own) / temperature;
    }
  }
  return x;
}

/** From derivatives in the logits to those in the products, in place. */
function toForce({ numClasses: k, temperature, atMost }, logitGradient) {
  for (let y = 0; y < k; y++) {
    let sum = 0;
    for (let j = 0; j < k; j++) {
      const force = j === y ? 0 : logitGradient[y * k + j] / temperature;
      logitGradient[y * k + j] = force;
      sum += force;
    }
    if (atMost) logitGradient[y * k + y] = -sum;
  }
  return logitGradient;
}
