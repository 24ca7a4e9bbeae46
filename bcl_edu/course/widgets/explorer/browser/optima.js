// Settings of the explorer, and the optimum that belongs to them: solved here, certified here, remembered.

import { sampledBatches } from "./batches.js";
import { alignedMeans, cosines, simplexDeviation } from "./geometry.js";
import { LOSSES, lossTerms } from "./losses.js";
import { makeObjective } from "./objective.js";
import { smoothCounts, wholeCounts } from "./profile.js";
import { minimise, TOLERANCE } from "./solver.js";

/** Every image is in a batch with two views. */
const VIEWS = 2;
const MOST_REMEMBERED = 3000;

/**
 * @typedef {object} Settings
 * @property {number} imbalanceFactor - IF, 1 to 1000
 * @property {number} temperature - tau
 * @property {number} numClasses - K, 2 to 10
 * @property {string[]} losses - names of the two losses that are compared
 * @property {number} batchSize - images in a mini-batch; 0: the full data as one batch
 */

/** Solves settings from the nearest solution at hand, and remembers what it has solved. */
export class Optima {
  constructor() {
    this.solved = new Map();
    this.latest = new Map();
    this.problem = { key: "" };
  }

  /** Images of each class, shape (K,). */
  classCounts(settings) {
    return this.problemOf(settings).classCounts;
  }

  /** Whether `solve` only has to look it up. */
  has(settings, loss) {
    return this.solved.has(optimumKey(settings, loss));
  }

  /**
   * The optimal geometry under a loss.
   * @param {Settings} settings
   * @param {string} loss - name of one of LOSSES
   */
  solve(settings, loss) {
    const key = optimumKey(settings, loss);
    const known = this.solved.get(key);
    if (known) return known;

    const k = settings.numClasses;
    const { batches, classCounts } = this.problemOf(settings);
    const objective = makeObjective(LOSSES[loss], lossTerms(LOSSES[loss], batches, classCounts), settings.temperature);
    const family = `${loss} ${k}`;
    let solution = minimise(objective, this.latest.get(family));
    if (!isCertified(solution)) {
      const again = minimise(objective);
      if (again.gap < solution.gap) solution = again;
    }
    this.latest.set(family, solution.vectors);

    const gram = cosines(solution.vectors, k, objective.dimension);
    const optimum = {
      loss,
      numClasses: k,
      vectors: solution.vectors, // class means, or features and classifier rows, as the solver holds them
      dimension: objective.dimension,
      value: solution.loss,
      gap: solution.gap,
      relativeGap: solution.gap / solution.excess,
      certified: isCertified(solution),
      gram,
      deviation: simplexDeviation(gram, k),
      positions: alignedMeans(solution.vectors, k, objective.dimension),
    };
    if (this.solved.size >= MOST_REMEMBERED) this.solved.delete(this.solved.keys().next().value);
    this.solved.set(key, optimum);
    return optimum;
  }

  /** Class counts and batches; both losses, and a change of temperature, use the same ones. */
  problemOf({ imbalanceFactor, numClasses, batchSize }) {
    const key = `${imbalanceFactor} ${numClasses} ${batchSize}`;
    if (this.problem.key !== key) {
      const classCounts = (batchSize ? wholeCounts : smoothCounts)(imbalanceFactor, numClasses);
      const batches = batchSize
        ? sampledBatches(classCounts, batchSize)
        : { counts: classCounts, probabilities: Float64Array.of(1) };
      const counts = batches.counts.map((n) => VIEWS * n);
      this.problem = { key, classCounts, batches: { counts, probabilities: batches.probabilities } };
    }
    return this.problem;
  }
}

function isCertified({ gap, excess }) {
  return gap <= 10 * TOLERANCE * excess; // rounding may keep the solver from its own tolerance
}

function optimumKey({ imbalanceFactor, temperature, numClasses, batchSize }, loss) {
  return `${loss} ${imbalanceFactor} ${temperature} ${numClasses} ${batchSize}`;
}
