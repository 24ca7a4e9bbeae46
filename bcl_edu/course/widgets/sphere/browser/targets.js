// Where a loss leads: its certified optimum for the present class counts, solved by the explorer's solver.

import { alignTo, eigenSymmetric, gramMatrix } from "../../explorer/browser/linear_algebra.js";
import { cosines } from "../../explorer/browser/geometry.js";
import { lossTerms } from "../../explorer/browser/losses.js";
import { makeObjective } from "../../explorer/browser/objective.js";
import { minimise, TOLERANCE } from "../../explorer/browser/solver.js";
import { VIEWS } from "./descent.js";
import { TRAINING_LOSSES } from "./training_losses.js";

/** Share of the squared length that may be missing before an optimum counts as too large for the sphere. */
const NEGLIGIBLE = 1e-4;

/**
 * The optimum at collapse, of all pictures as one batch and with prototypes at the class means.
 *
 * L2 and L3 are the same function as BCL there. With free prototypes L3 is cross-entropy with classifier rows.
 */
export class Targets {
  constructor() {
    this.known = new Map();
    this.latest = new Map();
  }

  /**
   * @param {string} name - of one of TRAINING_LOSSES
   * @param {number[]} counts - samples of each class
   * @param {{temperature: number, dimension: number, prototypes: string}} settings
   * @returns {{gram: Float64Array, certified: boolean, relativeGap: number, points: ?Float64Array}} cosines, shape (K, K);
   *   class means, shape (K, dimension), null if the sphere has too few dimensions for them
   */
  solve(name, counts, { temperature, dimension, prototypes }) {
    const key = `${name} ${counts} ${temperature} ${dimension} ${prototypes}`;
    if (this.known.has(key)) return this.known.get(key);
    const k = counts.length;
    const loss = atCollapse(name, prototypes);
    const batches = { counts: Float64Array.from(counts, (n) => VIEWS * n), probabilities: Float64Array.of(1) };
    const objective = makeObjective(loss, lossTerms(loss, batches, Float64Array.from(counts)), temperature);
    const family = `${name} ${k} ${prototypes}`;
    let solution = minimise(objective, this.latest.get(family));
    if (!isCertified(solution)) {
      const again = minimise(objective);
      if (again.gap < solution.gap) solution = again;
    }
    this.latest.set(family, solution.vectors);
    const gram = cosines(solution.vectors, k, objective.dimension);
    const target = {
      gram,
      certified: isCertified(solution),
      relativeGap: solution.gap / solution.excess,
      points: inDimensions(gram, k, dimension),
    };
    if (this.known.size > 500) this.known.clear();
    this.known.set(key, target);
    return target;
  }
}

function isCertified({ gap, excess }) {
  return gap <= 10 * TOLERANCE * excess; // rounding may keep the solver from its own tolerance
}

/** What a loss is for the explorer's solver when each class is at one point. */
function atCollapse(name, prototypes) {
  const { averaging, complement, averageAnchors, compensated } = TRAINING_LOSSES[name];
  if (averaging === "rows" || (averaging === "prototypes" && prototypes === "free")) {
    return { kind: "cross-entropy", compensated };
  }
  return {
    kind: "contrastive",
    averaging: averaging !== "none",
    complement: averaging === "prototypes" || (complement && prototypes !== "off"),
    classAnchors: averageAnchors,
  };
}

/** Vectors with these cosines, in so many dimensions; null if they need more. */
function inDimensions(gram, k, dimension) {
  const { values, vectors } = eigenSymmetric(gram, k); // ascending
  const points = new Float64Array(k * dimension);
  let kept = 0;
  for (let c = 0; c < Math.min(dimension, k); c++) {
    const column = k - 1 - c;
    const length = Math.sqrt(Math.max(values[column], 0));
    kept += length ** 2;
    for (let i = 0; i < k; i++) points[i * dimension + c] = length * vectors[i * k + column];
  }
  return kept > (1 - NEGLIGIBLE) * k ? points : null;
}

/** An optimum turned towards the present class means (Procrustes), shape (K, dimension). */
export function turnedTowards(points, means, k, dimension) {
  const turned = alignTo(points, means, k, dimension);
  // where all means are in one line, some directions cannot be told; then the optimum stays as it was
  const squares = gramMatrix(turned, k, dimension);
  for (let i = 0; i < k; i++) if (squares[i * k + i] < 0.5) return points;
  return turned;
}
