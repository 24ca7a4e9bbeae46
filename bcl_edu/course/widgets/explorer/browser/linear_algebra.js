// Small dense linear algebra. Matrices are Float64Arrays, row after row; sizes here are at most 20 or so.

/**
 * Eigenvalues and eigenvectors of a symmetric matrix, by cyclic Jacobi rotations.
 * @param {Float64Array} symmetric - shape (n, n)
 * @param {number} n
 * @returns {{values: Float64Array, vectors: Float64Array}} ascending; eigenvector k is column k of `vectors`
 */
export function eigenSymmetric(symmetric, n) {
  const a = Float64Array.from(symmetric);
  const vectors = identity(n);
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    let all = 0;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const square = a[i * n + j] * a[i * n + j];
        all += square;
        if (i !== j) off += square;
      }
    }
    if (off <= 1e-30 * all) break; // rounding allows no more
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        const apq = a[p * n + q];
        if (apq === 0) continue;
        const { cosine, sine } = jacobiRotation(a[p * n + p], apq, a[q * n + q]);
        for (let k = 0; k < n; k++) {
          const akp = a[k * n + p];
          const akq = a[k * n + q];
          a[k * n + p] = cosine * akp - sine * akq;
          a[k * n + q] = sine * akp + cosine * akq;
        }
        for (let k = 0; k < n; k++) {
          const apk = a[p * n + k];
          const aqk = a[q * n + k];
          a[p * n + k] = cosine * apk - sine * aqk;
          a[q * n + k] = sine * apk + cosine * aqk;
        }
        rotateColumns(vectors, n, n, p, q, cosine, sine);
      }
    }
  }
  const order = Array.from({ length: n }, (_, k) => k).sort((i, j) => a[i * n + i] - a[j * n + j]);
  return {
    values: Float64Array.from(order, (k) => a[k * n + k]),
    vectors: takeColumns(vectors, n, n, order),
  };
}

/**
 * The smallest eigenvalue of a symmetric matrix, to about 1e-16 of its largest entry. The matrix is made tridiagonal by
 * Householder reflections, then the eigenvalue is found by bisection (Golub and Van Loan, Matrix Computations, 4th edition,
 * 8.3.1 and 8.4.1): far cheaper than all eigenvalues with their vectors.
 * @param {Float64Array} symmetric - shape (n, n)
 * @param {number} n
 * @returns {number}
 */
export function smallestEigenvalue(symmetric, n) {
  const { diagonal, besides } = tridiagonal(symmetric, n);
  // Gershgorin's discs hold all eigenvalues
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < n; i++) {
    const reach = (i > 0 ? Math.abs(besides[i - 1]) : 0) + (i < n - 1 ? Math.abs(besides[i]) : 0);
    low = Math.min(low, diagonal[i] - reach);
    high = Math.max(high, diagonal[i] + reach);
  }
  const resolution = 1e-17 * Math.max(Math.abs(low), Math.abs(high));
  while (high - low > resolution) {
    const middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    if (hasEigenvalueBelow(middle, diagonal, besides)) high = middle;
    else low = middle;
  }
  return low;
}

/** Whether a tridiagonal matrix minus this value has a negative pivot, as it has for every eigenvalue that is smaller. */
function hasEigenvalueBelow(value, diagonal, besides) {
  let pivot = diagonal[0] - value;
  for (let i = 1; pivot > 0 && i < diagonal.length; i++) {
    pivot = diagonal[i] - value - (besides[i - 1] * besides[i - 1]) / pivot;
  }
  return !(pivot > 0);
}

/** A symmetric matrix made tridiagonal by Householder reflections, which keep its eigenvalues. */
function tridiagonal(symmetric, n) {
  const a = Float64Array.from(symmetric);
  const besides = new Float64Array(Math.max(n - 1, 0));
  const u = new Float64Array(n);
  const p = new Float64Array(n);
  for (let k = 0; k < n - 1; k++) {
    let square = 0;
    for (let i = k + 1; i < n; i++) square += a[i * n + k] * a[i * n + k];
    const first = a[(k + 1) * n + k];
    const length = Math.sqrt(square);
    const beyond = square - first * first;
    besides[k] = length;
    if (k === n - 2 || !(beyond > 0)) {
      besides[k] = first;
      continue;
    }
    // the reflection I - 2 u u' / (u . u) takes the column to its first axis
    const sign = first >= 0 ? 1 : -1;
    u.fill(0);
    for (let i = k + 1; i < n; i++) u[i] = a[i * n + k];
    u[k + 1] += sign * length;
    const half = length * (length + Math.abs(first)); // u . u / 2
    let along = 0;
    for (let i = k + 1; i < n; i++) {
      let sum = 0;
      for (let j = k + 1; j < n; j++) sum += a[i * n + j] * u[j];
      p[i] = sum / half;
      along += p[i] * u[i];
    }
    along /= 2 * half;
    for (let i = k + 1; i < n; i++) p[i] -= along * u[i];
    for (let i = k + 1; i < n; i++) {
      for (let j = k + 1; j < n; j++) a[i * n + j] -= u[i] * p[j] + p[i] * u[j];
    }
  }
  return { diagonal: Float64Array.from({ length: n }, (_, i) => a[i * n + i]), besides };
}

/**
 * The rotation Q (orthogonal, possibly with a reflection) that brings A Q closest to B: orthogonal Procrustes.
 *
 * Computed by one-sided Jacobi on M = A'B = U diag(s) W', as A Q = A U W'. Directions that A does not have
 * (s = 0) are left out: they move nothing.
 * @param {Float64Array} a - shape (rows, n)
 * @param {Float64Array} b - shape (rows, n)
 * @returns {Float64Array} A Q, shape (rows, n)
 */
export function alignTo(a, b, rows, n) {
  const m = new Float64Array(n * n); // B'A, whose columns are rotated until they are orthogonal
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < rows; k++) sum += b[k * n + i] * a[k * n + j];
      m[i * n + j] = sum;
    }
  }
  const u = identity(n);
  // columns that are nothing but rounding have no direction, and would never be orthogonal
  const nothing = 1e-26 * m.reduce((sum, value) => sum + value * value, 0);
  for (let sweep = 0; sweep < 60; sweep++) {
    let largest = 0;
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        let pp = 0;
        let pq = 0;
        let qq = 0;
        for (let k = 0; k < n; k++) {
          pp += m[k * n + p] * m[k * n + p];
          pq += m[k * n + p] * m[k * n + q];
          qq += m[k * n + q] * m[k * n + q];
        }
        if (pq === 0 || pp <= nothing || qq <= nothing) continue;
        largest = Math.max(largest, Math.abs(pq) / Math.sqrt(pp * qq));
        const { cosine, sine } = jacobiRotation(pp, pq, qq);
        rotateColumns(m, n, n, p, q, cosine, sine);
        rotateColumns(u, n, n, p, q, cosine, sine);
      }
    }
    if (largest < 1e-14) break;
  }
  const lengths = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += m[i * n + j] * m[i * n + j];
    lengths[j] = Math.sqrt(sum);
  }
  const negligible = 1e-12 * Math.max(...lengths);
  const aligned = new Float64Array(rows * n);
  for (let j = 0; j < n; j++) {
    if (lengths[j] <= negligible) continue;
    for (let k = 0; k < rows; k++) {
      let coordinate = 0;
      for (let i = 0; i < n; i++) coordinate += a[k * n + i] * u[i * n + j];
      for (let i = 0; i < n; i++) aligned[k * n + i] += (coordinate * m[i * n + j]) / lengths[j];
    }
  }
  return aligned;
}

/** V V' of the first `columns` columns of V, which has `stride` columns in all. */
export function gramMatrix(v, rows, columns, stride = columns) {
  const gram = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let c = 0; c < columns; c++) sum += v[i * stride + c] * v[j * stride + c];
      gram[i * rows + j] = sum;
      gram[j * rows + i] = sum;
    }
  }
  return gram;
}

function identity(n) {
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) matrix[i * n + i] = 1;
  return matrix;
}

/** Cosine and sine that make [[pp, pq], [pq, qq]] diagonal. */
function jacobiRotation(pp, pq, qq) {
  const theta = (qq - pp) / (2 * pq);
  const tangent = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const cosine = 1 / Math.sqrt(tangent * tangent + 1);
  return { cosine, sine: tangent * cosine };
}

function rotateColumns(matrix, rows, stride, p, q, cosine, sine) {
  for (let k = 0; k < rows; k++) {
    const left = matrix[k * stride + p];
    const right = matrix[k * stride + q];
    matrix[k * stride + p] = cosine * left - sine * right;
    matrix[k * stride + q] = sine * left + cosine * right;
  }
}

function takeColumns(matrix, rows, stride, order) {
  const taken = new Float64Array(rows * order.length);
  for (let k = 0; k < rows; k++) {
    for (let j = 0; j < order.length; j++) taken[k * order.length + j] = matrix[k * stride + order[j]];
  }
  return taken;
}
