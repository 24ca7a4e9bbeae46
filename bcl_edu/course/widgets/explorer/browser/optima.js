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
    this.memory = new Map();
    this.took = new Durations();
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
   * What can be shown in time: of `solve`, or, where a slider goes on and not even one step would be done in time, going by
   * how long it took before, where the last two solutions lead. The latter is `unfinished`, its loss is not computed, and
   * nothing bounds how far from the optimum it is; benchmarks/explorer.py measures that (`off`).
   * @param {number} deadline - of `solve`
   * @param {number} latest - `performance.now()` by which the first step must be done
   */
  inTime(settings, loss, deadline, latest) {
    if (latest < Infinity && !this.known(settings, loss)) {
      const { vectors, dimension, carriedOn } = this.trailOf(loss, settings).next(settings);
      if (carriedOn && performance.now() + this.expected(settings, loss) > latest) {
        const nothingProven = { loss: NaN, gap: Infinity, excess: NaN };
        return describe(loss, settings.numClasses, dimension, { vectors, ...nothingProven }, { unfinished: true });
      }
    }
    return this.solve(settings, loss, deadline);
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
    let solution = this.took.measure(stepKey(settings, loss), () =>
      minimise(objective, trail.next(settings).vectors, deadline), ({ steps }) => steps);
    if (!isCertified(solution) && performance.now() < deadline) {
      const again = minimise(objective, null, deadline);
      if (again.gap < solution.gap) solution = again;
    }
    trail.add(settings, solution.vectors, objective.dimension);

    const unfinished = !isCertified(solution) && deadline < Infinity;
    const optimum = describe(loss, k, objective.dimension, solution, { unfinished });
    if (unfinished) return optimum;
    if (this.solved.size >= MOST_REMEMBERED) this.solved.delete(this.solved.keys().next().value);
    this.solved.set(key, optimum);
    return optimum;
  }

  /** Milliseconds until one step is done, if everything takes as long as the last time. */
  expected(settings, loss) {
    const same = this.problem.key === problemKey(settings);
    const draw = same ? 0 : this.took.last(drawKey(settings));
    const prepare = same && this.problem.terms.has(loss) ? 0 : this.took.last(termsKey(settings, loss));
    return draw + prepare + this.took.last(stepKey(settings, loss));
  }

  /** The last solutions of a loss for so many classes. */
  trailOf(loss, { numClasses }) {
    const family = `${loss} ${numClasses}`;
    if (!this.latest.has(family)) this.latest.set(family, new Trail());
    return this.latest.get(family);
  }

  /** Class counts and batches; both losses, and a change of temperature, use the same ones. */
  problemOf(settings) {
    const key = problemKey(settings);
    if (this.problem.key !== key) {
      const { batchSize } = settings;
      const classCounts = this.classCounts(settings);
      const { counts, probabilities } = this.took.measure(drawKey(settings), () => batchSize
        ? sampledBatches(classCounts, batchSize)
        : { counts: Float64Array.from(classCounts), probabilities: Float64Array.of(1) });
      for (let i = 0; i < counts.length; i++) counts[i] *= VIEWS;
      this.problem = { key, classCounts, batches: { counts, probabilities }, terms: new Map() };
    }
    return this.problem;
  }

  /** The terms of a loss; a change of temperature uses the same ones. They take the place of those of the last problem. */
  termsOf(settings, loss) {
    const { batches, classCounts, terms } = this.problemOf(settings);
    if (!terms.has(loss)) {
      const found = this.took.measure(termsKey(settings, loss), () =>
        lossTerms(LOSSES[loss], batches, classCounts, this.memory.get(loss)));
      this.memory.set(loss, found.ratio);
      terms.set(loss, found);
    }
    return terms.get(loss);
  }
}

/** How long each kind of work took the last time, in milliseconds. */
class Durations {
  constructor() {
    this.byName = new Map();
  }

  /** Do some work, and note what one of its equal pieces took. */
  measure(name, work, pieces = () => 1) {
    const start = performance.now();
    const result = work();
    this.byName.set(name, (performance.now() - start) / Math.max(1, pieces(result)));
    return result;
  }

  /** 0 where nothing is known. */
  last(name) {
    return this.byName.get(name) ?? 0;
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
   * @returns {{vectors: ?Float64Array, dimension: number, carriedOn: boolean}}
   */
  next(settings) {
    const [last, before] = this.solutions;
    const standing = { vectors: last?.vectors ?? null, dimension: last?.dimension ?? 0, carriedOn: false };
    if (!before) return standing;
    const here = place(settings);
    const came = last.place.map((value, i) => value - before.place[i]);
    const goes = here.map((value, i) => value - last.place[i]);
    const square = came.reduce((sum, value) => sum + value * value, 0);
    const along = came.reduce((sum, value, i) => sum + value * goes[i], 0);
    const share = along / square;
    const sideways = goes.reduce((sum, value, i) => sum + Math.abs(value - share * came[i]), 0);
    if (!(share > 0 && share < 2) || sideways > 1e-9) return standing;
    const vectors = last.vectors.map((value, i) => value + share * (value - before.vectors[i]));
    return { ...standing, vectors, carriedOn: true };
  }

  /** Remember a solution; one of the same settings takes the place of the one before it, which was not finished. */
  add(settings, vectors, dimension) {
    const here = place(settings);
    const others = this.solutions.filter((solution) => solution.place.some((value, i) => value !== here[i]));
    this.solutions = [{ place: here, vectors, dimension }, ...others.slice(0, 1)];
  }
}

/** Everything that is shown of a solution. */
function describe(loss, k, dimension, { vectors, loss: value, gap, excess }, { unfinished }) {
  const gram = cosines(vectors, k, dimension);
  return {
    loss,
    numClasses: k,
    vectors, // class means, or features and classifier rows, as the solver holds them
    dimension,
    value,
    gap,
    relativeGap: gap / excess,
    certified: isCertified({ gap, excess }),
    unfinished,
    gram,
    deviation: simplexDeviation(gram, k),
    positions: alignedMeans(vectors, k, dimension),
  };
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

function problemKey({ imbalanceFactor, numClasses, batchSize }) {
  return `${imbalanceFactor} ${numClasses} ${batchSize}`;
}

function drawKey({ numClasses, batchSize }) {
  return `draw ${numClasses} ${batchSize}`;
}

function termsKey({ numClasses, batchSize }, loss) {
  return `terms ${loss} ${numClasses} ${batchSize}`;
}

function stepKey({ numClasses, batchSize }, loss) {
  return `step ${loss} ${numClasses} ${batchSize}`;
}
