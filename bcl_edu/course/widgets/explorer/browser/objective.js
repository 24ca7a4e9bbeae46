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
 * f and its first derivatives where the products are P.
 *
 * @param {object} objective
 * @param {Float64Array} products - P, shape (K, K)
 * @returns {{excess: number, force: Float64Array, exponentials: Float64Array}} f - floor, to full relative precision;
 *   df/dP, shape (K, K); exp(x_yj), shape (K, K)
 */
export function evaluate(objective, products) {
  const { terms, numClasses: k } = objective;
  const { start, weight, ratio } = terms;
  const exponentials = logits(objective, products);
  const offset = objective.atMost ? 0 : -1 / objective.temperature; // an anchor with its own class: 1 / tau
  for (let i = 0; i < k * k; i++) exponentials[i] = Math.exp(exponentials[i] + offset);

  const logitGradient = new Float64Array(k * k);
  const summed = new Float64Array(k);
  let excess = 0;
  for (let y = 0; y < k; y++) {
    const first = y * k;
    summed.fill(0);
    for (let t = start[y]; t < start[y + 1]; t++) {
      const row = t * k;
      let sum = 0;
      for (let j = 0; j < k; j++) sum += ratio[row + j] * exponentials[first + j];
      excess += weight[t] * Math.log1p(sum);
      const scale = weight[t] / (1 + sum);
      for (let j = 0; j < k; j++) summed[j] += scale * ratio[row + j];
    }
    for (let j = 0; j < k; j++) logitGradient[first + j] = summed[j] * exponentials[first + j];
  }
  return { excess, exponentials, force: toForce(objective, logitGradient) };
}

/**
 * Second derivatives in the logits x_yj, one (K, K) matrix for each y. They cost more than all else, and where a step
 * is refused or the search ends nobody asks for them: they are computed when needed, once for each point.
 */
function curvatureOf(objective, point) {
  point.curvature ??= curvature(objective, point.exponentials);
  return point.curvature;
}

function curvature({ terms, numClasses: k }, exponentials) {
  const { start, weight, ratio } = terms;
  const second = new Float64Array(k * k * k);
  // column j holds share j of every term, times the root of the term's weight: sums of products run along columns
  const most = Math.max(...Array.from({ length: k }, (_, y) => start[y + 1] - start[y]));
  const columns = new Float64Array(k * most);
  for (let y = 0; y < k; y++) {
    const first = y * k;
    const number = start[y + 1] - start[y];
    const gradient = new Float64Array(k);
    for (let t = 0; t < number; t++) {
      const row = (start[y] + t) * k;
      let sum = 0;
      for (let j = 0; j < k; j++) sum += ratio[row + j] * exponentials[first + j];
      const scale = 1 / (1 + sum);
      const root = Math.sqrt(weight[start[y] + t]);
      for (let j = 0; j < k; j++) {
        const share = root * scale * ratio[row + j] * exponentials[first + j];
        columns[j * most + t] = share;
        gradient[j] += root * share;
      }
    }
    for (let j = 0; j < k; j++) {
      for (let l = 0; l <= j; l++) {
        const a = j * most;
        const b = l * most;
        let even = 0;
        let odd = 0;
        let t = 0;
        for (; t + 1 < number; t += 2) {
          even += columns[a + t] * columns[b + t];
          odd += columns[a + t + 1] * columns[b + t + 1];
        }
        if (t < number) even += columns[a + t] * columns[b + t];
        second[(first + j) * k + l] = second[(first + l) * k + j] = -(even + odd);
      }
      second[(first + j) * k + j] += gradient[j];
    }
  }
  return second;
}

/** Directional derivative of the force df/dP along a change of P. */
export function forceChange(objective, point, change) {
  const k = objective.numClasses;
  const second = curvatureOf(objective, point);
  const x = logits(objective, change);
  const logitGradient = new Float64Array(k * k);
  for (let y = 0; y < k; y++) {
    for (let j = 0; j < k; j++) {
      const row = (y * k + j) * k;
      let sum = 0;
      for (let l = 0; l < k; l++) sum += second[row + l] * x[y * k + l];
      logitGradient[y * k + j] = sum;
    }
  }
  return toForce(objective, logitGradient);
}

/** Sum of the second derivatives of f in the products of each vector: what preconditions the solver. */
export function vectorCurvature(objective, point) {
  const { numClasses: k, other, temperature } = objective;
  const derivatives = curvatureOf(objective, point);
  const sums = new Float64Array(objective.vectors);
  for (let y = 0; y < k; y++) {
    for (let j = 0; j < k; j++) {
      const second = derivatives[(y * k + j) * k + j] / (temperature * temperature);
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
