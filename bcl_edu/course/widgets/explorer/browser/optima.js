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
  classCounts({ imbalanceFactor, numClasses, batchSize }) {
    return (batchSize ? wholeCounts : smoothCounts)(imbalanceFactor, numClasses);
  }

  /** The optimum if it was solved before, else undefined. */
  known(settings, loss) {
    return this.solved.get(optimumKey(settings, loss));
  }

  /**
   * The optimal geometry under a loss; what is not certified by the deadline is as near as the time allowed, says that
   * it is `unfinished`, and is where the next call goes on.
   * @param {Settings} settings
   * @param {string} loss - name of one of LOSSES
   * @param {number} deadline - `performance.now()` at which it is returned as it is; by default, when it is solved
   */
  solve(settings, loss, deadline = Infinity) {
    const key = optimumKey(settings, loss);
    const known = this.solved.get(key);
    if (known) return known;

    const k = settings.numClasses;
    const objective = makeObjective(LOSSES[loss], this.termsOf(settings, loss), settings.temperature);
    const trail = this.trailOf(loss, settings);
    let solution = minimise(objective, trail.next(settings), deadline);
    if (!isCertified(solution) && performance.now() < deadline) {
      const again = minimise(objective, null, deadline);
      if (again.gap < solution.gap) solution = again;
    }
    trail.add(settings, solution.vectors);

    const certified = isCertified(solution);
    const unfinished = !certified && deadline < Infinity;
    const gram = cosines(solution.vectors, k, objective.dimension);
    const optimum = {
      loss,
      numClasses: k,
      vectors: solution.vectors, // class means, or features and classifier rows, as the solver holds them
      dimension: objective.dimension,
      value: solution.loss,
      gap: solution.gap,
      relativeGap: solution.gap / solution.excess,
      certified,
      unfinished,
      gram,
      deviation: simplexDeviation(gram, k),
      positions: alignedMeans(solution.vectors, k, objective.dimension),
    };
    if (unfinished) return optimum;
    if (this.solved.size >= MOST_REMEMBERED) this.solved.delete(this.solved.keys().next().value);
    this.solved.set(key, optimum);
    return optimum;
  }

  /** The last solutions of a loss for so many classes. */
  trailOf(loss, { numClasses }) {
    const family = `${loss} ${numClasses}`;
    if (!this.latest.has(family)) this.latest.set(family, new Trail());
    return this.latest.get(family);
  }

  /** Class counts and batches; both losses, and a change of temperature, use the same ones. */
  problemOf(settings) {
    const { imbalanceFactor, numClasses, batchSize } = settings;
    const key = `${imbalanceFactor} ${numClasses} ${batchSize}`;
    if (this.problem.key !== key) {
      const classCounts = this.classCounts(settings);
      const batches = batchSize
        ? sampledBatches(classCounts, batchSize)
        : { counts: classCounts, probabilities: Float64Array.of(1) };
      const counts = batches.counts.map((n) => VIEWS * n);
      this.problem = { key, classCounts, batches: { counts, probabilities: batches.probabilities }, terms: new Map() };
    }
    return this.problem;
  }

  /** The terms of a loss; a change of temperature uses the same ones. */
  termsOf(settings, loss) {
    const { batches, classCounts, terms } = this.problemOf(settings);
    if (!terms.has(loss)) terms.set(loss, lossTerms(LOSSES[loss], batches, classCounts));
    return terms.get(loss);
  }
}

/** The last two solutions of a family, and where the next one may be. */
class Trail {
  constructor() {
    this.solutions = [];
  }

  /**
   * Vectors to start from: the last solution, carried on in the direction from the one before it where a slider goes on
   * in the direction in which it came; null if there is none. A slider moves in equal steps of log IF or log tau.
   */
  next(settings) {
    const [last, before] = this.solutions;
    if (!before) return last?.vectors ?? null;
    const here = place(settings);
    const came = last.place.map((value, i) => value - before.place[i]);
    const goes = here.map((value, i) => value - last.place[i]);
    const square = came.reduce((sum, value) => sum + value * value, 0);
    const along = came.reduce((sum, value, i) => sum + value * goes[i], 0);
    const share = along / square;
    const sideways = goes.reduce((sum, value, i) => sum + Math.abs(value - share * came[i]), 0);
    if (!(share > 0 && share < 2) || sideways > 1e-9) return last.vectors;
    return last.vectors.map((value, i) => value + share * (value - before.vectors[i]));
  }

  /** Remember a solution; one of the same settings takes the place of the one before it, which was not finished. */
  add(settings, vectors) {
    const here = place(settings);
    const others = this.solutions.filter((solution) => solution.place.some((value, i) => value !== here[i]));
    this.solutions = [{ place: here, vectors }, ...others.slice(0, 1)];
  }
}

function place({ imbalanceFactor, temperature, batchSize }) {
  return [Math.log(imbalanceFactor), Math.log(temperature), batchSize];
}

function isCertified({ gap, excess }) {
  return gap <= 10 * TOLERANCE * excess; // rounding may keep the solver from its own tolerance
}

function optimumKey({ imbalanceFactor, temperature, numClasses, batchSize }, loss) {
  return `${loss} ${imbalanceFactor} ${temperature} ${numClasses} ${batchSize}`;
}
