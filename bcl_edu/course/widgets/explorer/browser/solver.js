// The optimal geometry of collapsed classes, with its certificate, by a trust-region Newton method on unit vectors.
//
// The loss is a convex function of the Gram matrix G = V V', and V has more columns than an optimum has rank, so no
// local minimum is bad: where the slack S = g + Diag(lambda) of the certificate has no negative eigenvalue, V is a
// global optimum, and where it has one, its eigenvector leads down. The same method as bcl_edu.geometry.solver; here the
// second derivatives in the K (K - 1) logits are formed once a step, so that the cost of the conjugate gradients does not
// depend on how many batches were sampled.

import { eigenSymmetric, gramMatrix, smallestEigenvalue } from "./linear_algebra.js";
import { evaluate, forceChange, vectorCurvature } from "./objective.js";

/** Certified gap over f - floor at which the solver stops. */
export const TOLERANCE = 1e-8;
const MOST_STEPS = 400;

/**
 * Minimise a loss over vectors of length 1 (at most 1 for features and classifier rows).
 *
 * @param {object} objective - of `makeObjective`
 * @param {?Float64Array} start - vectors to start from, shape (n, dimension); without it, regular simplices
 * @param {number} deadline - `performance.now()` after which no further step is begun; one is taken in any case
 * @returns {{vectors: Float64Array, loss: number, excess: number, gap: number, steps: number}} V, shape (n, dimension); f;
 *   f - floor; upper bound of f - min f; Newton steps taken
 */
export function minimise(objective, start = null, deadline = Infinity) {
  const search = new Search(objective, start ?? regularSimplices(objective), deadline);
  let decrease = TOLERANCE ** 2; // of the squared Newton decrement, relative to f - floor: the gap is about its root
  let escapes = 0;
  let best = null;
  for (;;) {
    search.descend(decrease);
    const vectors = search.vectors();
    const { excess } = search.point;
    const { gap, slack } = certify(objective, vectors, search.point);
    // where rounding rules, further steps may be a little worse
    if (best === null || gap < best.gap) {
      best = { vectors, loss: objective.terms.floor + excess, excess, gap };
    }
    best.steps = search.steps;
    if (best.gap <= TOLERANCE * best.excess || search.steps >= MOST_STEPS || search.late) return best;
    if (!search.stalled && decrease > 1e-23) {
      decrease *= 1e-4;
    } else if (escapes < 5 && search.escape(slack)) {
      decrease = TOLERANCE ** 2;
      escapes += 1;
    } else {
      return best;
    }
  }
}

/**
 * Bound f - min f by weak duality: with G the products of all vectors, g = df/dG (symmetric), lambda = -diag(g G) and
 * S = g + Diag(lambda),
 *
 *     f(G) - min f <= <g, G> + sum(lambda) + n max(0, -smallest eigenvalue of S)
 *
 * (lambda is clipped at 0 where lengths are only bounded).
 * @param {object} objective
 * @param {Float64Array} v - the vectors, shape (n, dimension)
 * @param {object} point - of `evaluate` there
 * @returns {{gap: number, slack: Float64Array}} the bound, and S, shape (n, n)
 */
export function certify(objective, v, point) {
  const { vectors: n, numClasses: k, other } = objective;
  const gram = gramMatrix(v, n, objective.dimension);
  const slack = new Float64Array(n * n);
  for (let y = 0; y < k; y++) {
    for (let j = 0; j < k; j++) {
      slack[y * n + other + j] += point.force[y * k + j] / 2;
      slack[(other + j) * n + y] += point.force[y * k + j] / 2;
    }
  }
  let gap = 0;
  for (let i = 0; i < n; i++) {
    let along = 0;
    for (let j = 0; j < n; j++) along += slack[i * n + j] * gram[i * n + j];
    const multiplier = objective.atMost ? Math.max(-along, 0) : -along;
    gap += along + multiplier;
    slack[i * n + i] += multiplier;
  }
  gap += n * Math.max(0, -smallestEigenvalue(slack, n));
  return { gap: Math.max(gap, 0), slack };
}

/** The regular simplex of the classes, once for each kind of vectors. */
function regularSimplices({ numClasses: k, vectors, dimension }) {
  const v = new Float64Array(vectors * dimension);
  const length = Math.sqrt((k - 1) / k);
  for (let i = 0; i < vectors; i++) {
    for (let c = 0; c < k; c++) v[i * dimension + c] = ((i % k === c ? 1 : 0) - 1 / k) / length;
  }
  return v;
}

/** A configuration on the product of spheres, and the steps it takes. */
class Search {
  constructor(objective, start, deadline) {
    this.objective = objective;
    this.deadline = deadline;
    this.rows = objective.vectors;
    this.columns = objective.dimension;
    // where lengths are bounded, one more column holds what each vector falls short of length 1
    this.stride = this.columns + (objective.atMost ? 1 : 0);
    const v = new Float64Array(this.rows * this.stride);
    for (let i = 0; i < this.rows; i++) {
      let square = 0;
      for (let c = 0; c < this.columns; c++) {
        const value = start[i * this.columns + c];
        v[i * this.stride + c] = value;
        square += value * value;
      }
      // not quite 0, or it could never grow
      if (objective.atMost) v[i * this.stride + this.columns] = Math.sqrt(Math.max(1 - square, 1e-4));
    }
    this.retract(v);
    this.moveTo(v, evaluate(objective, this.products(v, v)));
    this.radius = 0;
    this.steps = 0;
    this.stalled = false;
  }

  moveTo(v, point) {
    this.v = v;
    this.point = point;
  }

  /** Whether the time is up. */
  get late() {
    return this.steps > 0 && performance.now() >= this.deadline;
  }

  /** Newton steps until the squared Newton decrement is below `decrease` (f - floor), or nothing helps, or it is late. */
  descend(decrease) {
    this.stalled = false;
    let best = Infinity;
    let sinceBest = 0;
    while (this.steps < MOST_STEPS) {
      const residual = this.pull(this.point.force, this.v);
      const radial = this.rowDots(residual, this.v);
      this.addRows(residual, -1, radial, this.v);
      const metric = this.metric(radial);
      const scaled = this.precondition(residual, metric);
      const decrement = dot(residual, scaled);
      sinceBest = decrement < 0.5 * best ? 0 : sinceBest + 1;
      best = Math.min(best, decrement);
      if (decrement <= decrease * this.point.excess) return;
      if (sinceBest >= 25 && decrement < 1e-12 * this.point.excess) break;
      if (!this.step(residual, scaled, radial, metric, decrement)) break;
      if (this.late) return;
    }
    this.stalled = true;
  }

  /** One trust-region step; false if none, however short, is better. */
  step(residual, scaled, radial, metric, decrement) {
    this.steps += 1;
    const mean = metric.reduce((sum, value) => sum + value, 0) / this.rows;
    const largest = 4 * Math.sqrt(this.rows * mean);
    this.radius = Math.min(this.radius || largest / 8, largest);
    const path = this.newtonPath(residual, scaled, radial, metric, decrement);
    for (let attempt = 0; attempt < 8; attempt++) {
      const { move, moved, atEdge } = cutPath(path, this.radius);
      const v = Float64Array.from(this.v);
      add(v, 1, move);
      this.retract(v);
      const point = evaluate(this.objective, this.products(v, v));
      const predicted = -(dot(residual, move) + dot(move, moved) / 2);
      const rounding = 1e-13 * this.point.excess; // near the optimum both differences are noise: accept
      const ratio = (this.point.excess - point.excess + rounding) / (predicted + rounding);
      if (!(ratio >= 0.25)) this.radius = Math.min(this.radius, Math.sqrt(path.at(-1).square)) / 4;
      else if (ratio > 0.75 && atEdge) this.radius *= 2;
      if (ratio > 0.1) {
        // after a short step that went as predicted, the second derivatives serve once more
        const alike = decrement <= 1e-4 * this.point.excess && Math.abs(ratio - 1) < 0.02;
        if (alike) point.curvature = this.point.curvature;
        this.moveTo(v, point);
        return true;
      }
    }
    return false;
  }

  /**
   * Conjugate gradients for Newton's step until it is accurate enough or leaves the trust region (Steihaug).
   *
   * @returns {Array<object>} pieces of a path that leads ever further away: `direction`; `curved`, the Hessian times it;
   *   `length`, how far to go in it; `square`, the squared distance from the start after it, in the metric;
   *   `pieceSquare`, its own squared length, and `along`, its product with the path so far
   */
  newtonPath(residual, scaled, radial, metric, decrement) {
    const path = [];
    const remaining = Float64Array.from(residual);
    let direction = scaled.map((value) => -value);
    let squared = decrement;
    // in the metric: squared distance so far, its product with the direction, squared length of the direction
    let square = 0;
    let along = 0;
    let directionSquare = decrement;
    // The closer, the more accurately the model is solved; but no further than rounding allows: G does not change when V
    // is rotated, and in those directions, where the Hessian is 0, errors would grow.
    const enough = decrement * Math.max(1e-6, Math.min(0.01, decrement / this.point.excess));
    const most = Math.max(50, 2 * this.v.length);
    while (path.length < most && square < this.radius ** 2) {
      const curved = this.hessianTimes(direction, radial);
      const curvature = dot(direction, curved);
      // where the model is not convex, far beyond the edge
      const length = curvature > 0 ? squared / curvature : (4 * this.radius) / Math.sqrt(directionSquare);
      const pieceSquare = length * length * directionSquare;
      square += 2 * length * along + pieceSquare;
      path.push({ direction, curved, length, square, pieceSquare, along: length * along });
      if (curvature <= 0) break;
      add(remaining, length, curved);
      const following = this.precondition(remaining, metric);
      const followingSquared = dot(remaining, following);
      if (followingSquared <= enough) break;
      const ratio = followingSquared / squared;
      for (let i = 0; i < following.length; i++) following[i] = ratio * direction[i] - following[i];
      direction = following;
      along = ratio * (along + length * directionSquare);
      directionSquare = followingSquared + ratio * ratio * directionSquare;
      squared = followingSquared;
    }
    return path;
  }

  /** Riemannian Hessian of f times a tangent direction. */
  hessianTimes(direction, radial) {
    const { numClasses: k, other } = this.objective;
    const { stride, columns, v } = this;
    const { force } = this.point;
    const mirrored = other === 0; // P is symmetric: every pair once
    const change = new Float64Array(k * k);
    for (let y = 0; y < k; y++) {
      for (let j = 0; j < (mirrored ? y : k); j++) {
        let a = y * stride;
        let b = (other + j) * stride;
        let sum = 0;
        for (let c = 0; c < columns; c++, a++, b++) sum += direction[a] * v[b] + v[a] * direction[b];
        change[y * k + j] = sum;
        if (mirrored) change[j * k + y] = sum;
      }
    }
    // the change of the force pulls at the vectors, and the force at their change
    const newForce = forceChange(this.objective, this.point, change);
    const turned = new Float64Array(v.length);
    for (let y = 0; y < k; y++) {
      for (let j = 0; j < (mirrored ? y : k); j++) {
        const fresh = newForce[y * k + j] + (mirrored ? newForce[j * k + y] : 0);
        const old = force[y * k + j] + (mirrored ? force[j * k + y] : 0);
        let a = y * stride;
        let b = (other + j) * stride;
        for (let c = 0; c < columns; c++, a++, b++) {
          turned[a] += fresh * v[b] + old * direction[b];
          turned[b] += fresh * v[a] + old * direction[a];
        }
      }
    }
    this.addRows(turned, -1, radial, direction);
    this.addRows(turned, -1, this.rowDots(turned, v), v);
    return turned;
  }

  /** Leave a saddle: grow G along the eigenvector of S with the smallest eigenvalue, in a direction not in use. */
  escape(slack) {
    const d = this.columns;
    const { vectors: down } = eigenSymmetric(slack, this.rows); // ascending
    const transposed = new Float64Array(d * this.rows);
    for (let i = 0; i < this.rows; i++) {
      for (let c = 0; c < d; c++) transposed[c * this.rows + i] = this.v[i * this.stride + c];
    }
    const { vectors } = eigenSymmetric(gramMatrix(transposed, d, this.rows), d);
    for (const size of [1e-1, 1e-2, 1e-3]) {
      const v = Float64Array.from(this.v);
      for (let i = 0; i < this.rows; i++) {
        for (let c = 0; c < d; c++) {
          v[i * this.stride + c] += size * Math.sqrt(this.rows) * down[i * this.rows] * vectors[c * d];
        }
      }
      this.retract(v);
      const point = evaluate(this.objective, this.products(v, v));
      if (point.excess < this.point.excess) {
        this.moveTo(v, point);
        this.radius = 0;
        return true;
      }
    }
    return false;
  }

  /** Scale of each row: tail rows feel 1/IF^2 of the force of head rows, and Newton's model must not care. */
  metric(radial) {
    const metric = vectorCurvature(this.objective, this.point);
    let least = 0;
    for (let i = 0; i < this.rows; i++) {
      metric[i] += Math.abs(radial[i]);
      least = Math.max(least, 1e-8 * metric[i]);
    }
    for (let i = 0; i < this.rows; i++) metric[i] = Math.max(metric[i], least);
    return metric;
  }

  /** Divide by the metric within the tangent space; rows of V have length 1, and one metric each. */
  precondition(residual, metric) {
    const scaled = Float64Array.from(residual);
    this.addRows(scaled, -1, this.rowDots(residual, this.v), this.v);
    for (let i = 0, entry = 0; i < this.rows; i++) {
      for (let c = 0; c < this.stride; c++) scaled[entry++] /= metric[i];
    }
    return scaled;
  }

  /** The products P_yj of the anchors' vectors in `left` with the other vectors in `right`. */
  products(left, right) {
    const { numClasses: k, other } = this.objective;
    const p = new Float64Array(k * k);
    for (let y = 0; y < k; y++) {
      for (let j = 0; j < k; j++) {
        let a = y * this.stride;
        let b = (other + j) * this.stride;
        let sum = 0;
        for (let c = 0; c < this.columns; c++) sum += left[a++] * right[b++];
        p[y * k + j] = sum;
      }
    }
    return p;
  }

  /** What a force on the products does to the vectors: F b on the anchors', F' a on the others. */
  pull(force, v) {
    const { numClasses: k, other } = this.objective;
    const pulled = new Float64Array(v.length);
    for (let y = 0; y < k; y++) {
      for (let j = 0; j < k; j++) {
        const strength = force[y * k + j];
        let a = y * this.stride;
        let b = (other + j) * this.stride;
        for (let c = 0; c < this.columns; c++, a++, b++) {
          pulled[a] += strength * v[b];
          pulled[b] += strength * v[a];
        }
      }
    }
    return pulled;
  }

  /** Scale each row to length 1, in place. */
  retract(v) {
    const squares = this.rowDots(v, v);
    for (let i = 0, entry = 0; i < this.rows; i++) {
      const inverse = 1 / Math.sqrt(squares[i]);
      for (let c = 0; c < this.stride; c++) v[entry++] *= inverse;
    }
  }

  rowDots(a, b) {
    const dots = new Float64Array(this.rows);
    for (let i = 0, entry = 0; i < this.rows; i++) {
      let sum = 0;
      for (let c = 0; c < this.stride; c++, entry++) sum += a[entry] * b[entry];
      dots[i] = sum;
    }
    return dots;
  }

  /** matrix += sign Diag(factors) other, in place. */
  addRows(matrix, sign, factors, other) {
    for (let i = 0, entry = 0; i < this.rows; i++) {
      const factor = sign * factors[i];
      for (let c = 0; c < this.stride; c++, entry++) matrix[entry] += factor * other[entry];
    }
  }

  /** V without the column that only completes norms. */
  vectors() {
    const kept = new Float64Array(this.rows * this.columns);
    for (let i = 0; i < this.rows; i++) {
      for (let c = 0; c < this.columns; c++) kept[i * this.columns + c] = this.v[i * this.stride + c];
    }
    return kept;
  }
}

/**
 * The path as far as the edge of the trust region: the step, the Hessian times it, and whether it got to the edge.
 */
function cutPath(path, radius) {
  const move = new Float64Array(path[0].direction.length);
  const moved = new Float64Array(path[0].direction.length);
  let before = 0;
  for (const { direction, curved, length, square, pieceSquare, along } of path) {
    const room = radius * radius - before;
    const inside = square < radius * radius;
    // |path so far + share piece|^2 = radius^2
    const share = inside ? 1 : (-along + Math.sqrt(along * along + pieceSquare * room)) / pieceSquare;
    add(move, share * length, direction);
    add(moved, share * length, curved);
    if (!inside) return { move, moved, atEdge: true };
    before = square;
  }
  return { move, moved, atEdge: false };
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** a += factor b, in place. */
function add(a, factor, b) {
  for (let i = 0; i < a.length; i++) a[i] += factor * b[i];
}
