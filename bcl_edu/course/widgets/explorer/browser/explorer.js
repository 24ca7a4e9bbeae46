// The explorer: settings in, certified optima out, drawn at once.

import { SAMPLED_BATCHES } from "./batches.js";
import { CountBars } from "./bars.js";
import { Controls, IMBALANCE_FACTORS } from "./controls.js";
import { DeviationCurve } from "./curve.js";
import { LOSSES } from "./losses.js";
import { Optima } from "./optima.js";
import { LossPanel } from "./panel.js";
import { Camera } from "./sphere.js";
import { html } from "./svg.js";
import { optimumInWords, settingsInWords } from "./words.js";

/** Milliseconds without input before the curve goes on, and before the summary is read out. */
const PAUSE_BEFORE_CURVE = 100;
const PAUSE_BEFORE_WORDS = 350;
/** Slider positions that may wait for a frame of their own; if the machine cannot keep up, the oldest are passed over. */
const MOST_WAITING = 30;

export const START = {
  imbalanceFactor: 100,
  temperature: 0.1,
  numClasses: 4,
  losses: ["scl", "bcl"],
  batchSize: 0,
};

export class Explorer {
  /**
   * @param {HTMLElement} parent
   * @param {Partial<Settings>} settings
   * @param {function(Explorer): void} changed - called after every drawing
   */
  constructor(parent, settings = {}, changed = () => {}) {
    this.optima = new Optima();
    this.changed = changed;
    this.root = html("div", { class: "bcl-explorer" }, parent);
    this.controls = new Controls(this.root, (change) => this.request(change));
    const losses = html("div", { class: "losses" }, this.root);
    const camera = new Camera();
    this.panels = [0, 1].map((index) => new LossPanel(losses, index, camera, (name) => {
      this.request({ losses: this.wanted().losses.map((old, i) => (i === index ? name : old)) });
    }));
    const shared = html("div", { class: "shared" }, this.root);
    this.bars = new CountBars(shared);
    this.curve = new DeviationCurve(shared);
    this.summary = html("p", { class: "summary", "aria-live": "polite" }, this.root);
    this.legend = html("p", { class: "legend" }, this.root);
    this.settings = { ...START, ...settings };
    this.waiting = [];
    this.painting = false;
    this.draw();
    this.say();
  }

  /** A change from the controls: every one is painted before the next is drawn, so that fast keys skip no state. */
  request(change) {
    this.waiting.push(change);
    if (this.waiting.length > MOST_WAITING) {
      const [oldest, next, ...others] = this.waiting;
      this.waiting = [{ ...oldest, ...next }, ...others];
    }
    if (!this.painting) this.drawNext();
  }

  /** The settings when everything that waits is drawn. */
  wanted() {
    return Object.assign({}, this.settings, ...this.waiting);
  }

  drawNext() {
    const change = this.waiting.shift();
    this.painting = change !== undefined;
    if (!this.painting) return;
    this.settings = { ...this.settings, ...change };
    this.draw();
    requestAnimationFrame(() => setTimeout(() => this.drawNext()));
  }

  /** Change some settings from outside and draw what belongs to them, at once; nothing older comes after it. */
  set(change) {
    this.waiting = [];
    this.settings = { ...this.settings, ...change };
    this.draw();
  }

  draw() {
    const { settings } = this;
    this.shown = settings.losses.map((loss) => this.optima.solve(settings, loss));
    const wanted = this.wanted();
    this.controls.update(settings, wanted);
    this.panels.forEach((panel, i) => panel.update(this.shown[i], wanted.losses[i]));
    this.bars.update(this.optima.classCounts(settings));
    this.legend.textContent = legendInWords(settings);
    this.drawCurve();
    clearTimeout(this.curveTimer);
    clearTimeout(this.wordsTimer);
    this.curveTimer = setTimeout(() => this.continueCurve(), PAUSE_BEFORE_CURVE);
    this.wordsTimer = setTimeout(() => this.say(), PAUSE_BEFORE_WORDS);
    this.changed(this);
  }

  /** Put in words what is shown. */
  say() {
    this.summary.textContent = `${settingsInWords(this.settings)} ${this.shown.map(optimumInWords).join(" ")}`;
  }

  drawCurve() {
    const { settings, optima } = this;
    this.curve.update(settings.imbalanceFactor, settings.losses.map((loss, i) => ({
      label: LOSSES[loss].label,
      deviation: this.shown[i].deviation.rms,
      points: IMBALANCE_FACTORS.flatMap((imbalanceFactor) => {
        const there = { ...settings, imbalanceFactor };
        if (!optima.has(there, loss)) return [];
        return [{ imbalanceFactor, deviation: optima.solve(there, loss).deviation.rms }];
      }),
    })));
  }

  /** Solve what the curve still lacks, nearest to the marker first, in slices that leave room for input. */
  continueCurve() {
    const { settings, optima } = this;
    const distance = (factor) => Math.abs(Math.log(factor / settings.imbalanceFactor));
    const missing = IMBALANCE_FACTORS
      .filter((imbalanceFactor) => settings.losses.some((loss) => !optima.has({ ...settings, imbalanceFactor }, loss)))
      .sort((a, b) => distance(a) - distance(b));
    const end = performance.now() + 8;
    for (const imbalanceFactor of missing) {
      settings.losses.forEach((loss) => optima.solve({ ...settings, imbalanceFactor }, loss));
      if (performance.now() > end) break;
    }
    this.drawCurve();
    if (missing.length) this.curveTimer = setTimeout(() => this.continueCurve(), 4);
  }

  /** Settings and what is shown for them, as plain data. */
  state() {
    return {
      settings: this.settings,
      optima: this.shown.map((optimum) => ({
        loss: optimum.loss,
        value: optimum.value,
        gap: optimum.gap,
        relativeGap: optimum.relativeGap,
        certified: optimum.certified,
        deviation: {
          rms: optimum.deviation.rms,
          smallest: optimum.deviation.smallest.value,
          largest: optimum.deviation.largest.value,
        },
        cosines: rows(optimum.gram, optimum.numClasses),
        positions: rows(optimum.positions, optimum.numClasses - 1),
      })),
    };
  }

  /** Leave the page. */
  remove() {
    clearTimeout(this.curveTimer);
    clearTimeout(this.wordsTimer);
    this.controls.stop();
    this.root.remove();
  }
}

function legendInWords({ losses, numClasses, batchSize }) {
  const lines = numClasses <= 4 ? "lines join every two classes" : "the line leads from class to class, head to tail";
  const batches = batchSize
    ? ` The loss is averaged over a fixed sample of about ${SAMPLED_BATCHES} batches in which every two classes meet.`
    : "";
  const crossEntropy = losses.some((loss) => LOSSES[loss].kind === "cross-entropy")
    ? " Cross-entropy has features and classifier rows of length at most 1, and logits divided by τ; shown are the features."
    : "";
  return (
    "Large blue markers are head classes, small orange ones tail classes, numbered from 0; dashed rings mark the regular " +
    `simplex; ${lines}. Every picture is an optimum solved and certified in this page.${batches}${crossEntropy}`
  );
}

function rows(matrix, columns) {
  return Array.from({ length: matrix.length / columns }, (_, i) =>
    Array.from(matrix.subarray(i * columns, (i + 1) * columns)));
}
