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
  const others = k - 1;
  let excess = 0;
  for (let y = 0; y < k; y++) {
    const number = start[y + 1] - start[y];
    const away = withoutOwn(exponentials, y, k);
    const scales = weightedSum(ratio, start[y] * others, number, away);
    for (let t = 0; t < number; t++) {
      const w = weight[start[y] + t];
      excess += w * Math.log1p(scales[t]);
      scales[t] = w / (1 + scales[t]);
    }
    for (let i = 0; i < others; i++) {
      const column = start[y] * others + i * number;
      let even = 0;
      let odd = 0;
      let t = 0;
      for (; t + 1 < number; t += 2) {
        even += ratio[column + t] * scales[t];
        odd += ratio[column + t + 1] * scales[t + 1];
      }
      if (t < number) even += ratio[column + t] * scales[t];
      logitGradient[y * k + i + (i >= y)] = (even + odd) * away[i];
    }
  }
  return { excess, exponentials, force: toForce(objective, logitGradient) };
}

/** The numbers of row y for all other classes, shape (K - 1,). */
function withoutOwn(matrix, y, k) {
  const row = new Float64Array(k - 1);
  for (let i = 0; i < k - 1; i++) row[i] = matrix[y * k + i + (i >= y)];
  return row;
}

/** One number for each term, kept from call to call. */
let termNumbers = new Float64Array(0);
/** Columns of such numbers. */
let termColumns = new Float64Array(0);

/**
 * Sum of columns times factors, one number for each term; in memory that the next call takes again.
 * @param {Float64Array} columns - column i starts at `first + i number`
 * @param {Float64Array} factors - one for each column
 */
function weightedSum(columns, first, number, factors) {
  if (termNumbers.length < number) termNumbers = new Float64Array(number);
  const sums = termNumbers;
  sums.fill(0, 0, number);
  let i = 0;
  for (; i + 1 < factors.length; i += 2) {
    const a = first + i * number;
    const b = a + number;
    const left = factors[i];
    const right = factors[i + 1];
    for (let t = 0; t < number; t++) sums[t] += columns[a + t] * left + columns[b + t] * right;
  }
  if (i < factors.length) {
    const a = first + i * number;
    for (let t = 0; t < number; t++) sums[t] += columns[a + t] * factors[i];
  }
  return sums;
}

/**
 * Second derivatives in the logits x_yj, one (K, K) matrix for each y. They cost more than all else, and where a step
 * is refused or the search ends nobody asks for them: they are computed when needed, once for each point.
 */
function curvatureOf(objective, point) {
  point.curvature ??= curvature(objective, point);
  return point.curvature;
}

function curvature({ terms, numClasses: k, temperature }, { exponentials, force }) {
  const { start, weight, ratio } = terms;
  const second = new Float64Array(k * k * k);
  const others = k - 1;
  const padded = others + (others % 2); // columns are taken in twos; one that stays empty adds nothing
  const products = new Float64Array(padded * padded);
  for (let y = 0; y < k; y++) {
    const number = start[y + 1] - start[y];
    const away = withoutOwn(exponentials, y, k);
    const scales = weightedSum(ratio, start[y] * others, number, away);
    for (let t = 0; t < number; t++) scales[t] = Math.sqrt(weight[start[y] + t]) / (1 + scales[t]);
    // column i holds the share of class i in every term, times the root of the term's weight
    if (termColumns.length < padded * number) termColumns = new Float64Array(padded * number);
    const columns = termColumns;
    for (let i = 0; i < others; i++) {
      const from = start[y] * others + i * number;
      const to = i * number;
      const factor = away[i];
      for (let t = 0; t < number; t++) columns[to + t] = ratio[from + t] * scales[t] * factor;
    }
    columns.fill(0, others * number, padded * number);
    columnProducts(columns, number, padded, products);
    for (let i = 0; i < others; i++) {
      const j = i + (i >= y);
      for (let l = 0; l < others; l++) second[(y * k + j) * k + l + (l >= y)] = -products[i * padded + l];
      second[(y * k + j) * k + j] += force[y * k + j] * temperature; // df/dx_yj
    }
  }
  return second;
}

/**
 * The products C'C of columns with each other. Two columns with two at a time: each number that is read serves twice.
 * @param {Float64Array} columns - column i starts at `i number`
 * @param {number} width - how many columns there are, an even number
 * @param {Float64Array} products - shape (width, width); overwritten
 */
function columnProducts(columns, number, width, products) {
  for (let i = 0; i < width; i += 2) {
    for (let l = 0; l <= i; l += 2) {
      const a = i * number;
      const b = a + number;
      const c = l * number;
      const d = c + number;
      let ac = 0;
      let ad = 0;
      let bc = 0;
      let bd = 0;
      for (let t = 0; t < number; t++) {
        const p = columns[a + t];
        const q = columns[b + t];
        const r = columns[c + t];
        const s = columns[d + t];
        ac += p * r;
        ad += p * s;
        bc += q * r;
        bd += q * s;
      }
      products[i * width + l] = products[l * width + i] = ac;
      products[i * width + l + 1] = products[(l + 1) * width + i] = ad;
      products[(i + 1) * width + l] = products[l * width + i + 1] = bc;
      products[(i + 1) * width + l + 1] = products[(l + 1) * width + i + 1] = bd;
    }
  }
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
