// The explorer: settings in, certified optima out, drawn at once.

import { toAddress } from "./address.js";
import { SAMPLED_BATCHES } from "./batches.js";
import { Controls, IMBALANCE_FACTORS } from "./controls.js";
import { ClassCounts } from "./counts.js";
import { DeviationCurve } from "./curve.js";
import { LOSSES } from "./losses.js";
import { Optima } from "./optima.js";
import { LossPanel } from "./panel.js";
import { photograph } from "./photograph.js";
import { START } from "./presets.js";
import { Camera } from "./sphere.js";
import { html, put, write } from "./svg.js";
import { optimumInWords, settingsInWords } from "./words.js";

/**
 * Milliseconds without input before the curve goes on, nearest settings first, so that the next key finds its picture
 * solved; and before what is shown is put in words and read out.
 */
const PAUSE_BEFORE_CURVE = 40;
const PAUSE_BEFORE_WORDS = 350;
/**
 * Milliseconds of a frame in which both optima are solved. What is not certified by then is painted as it is, says so,
 * and is finished in the next frame, unless another change waits. Where not even one step would fit, the last two optima
 * of the loss, carried on, are painted first, and say so too.
 */
const SOLVING_IN_A_FRAME = 2;
/** Milliseconds of a slice of the curve, which a key may have to wait for; slices after which a setting is solved to its end. */
const SLICE = 4;
const MOST_SLICES = 12;
/** Slider positions that may wait for a frame of their own; if the machine cannot keep up, the oldest are passed over. */
const MOST_WAITING = 30;

/** Where others find these settings: the page's own address. */
const PAGE = {
  name: "Copy link",
  text: (settings) => `${location.href.split("#")[0]}#${toAddress(settings)}`,
};

export class Explorer {
  /**
   * @param {HTMLElement} parent
   * @param {Partial<Settings>} settings
   * @param {function(Explorer): void} changed - called when other settings are shown
   * @param {{name: string, text: function(Settings): string}} link - what is copied for others, and the button's name
   */
  constructor(parent, settings = {}, changed = () => {}, link = PAGE) {
    this.optima = new Optima();
    this.changed = changed;
    this.settings = { ...START, ...settings };
    this.waiting = [];
    this.painting = false;
    this.side = 0;
    this.root = html("div", { class: "bcl-explorer" }, parent);
    this.controls = new Controls(this.root, {
      change: (change) => this.request(change),
      chooseSide: (side) => this.chooseSide(side),
      copy: () => navigator.clipboard.writeText(link.text(this.settings)),
      save: () => this.save(),
    }, link.name);
    const body = html("div", { class: "body" }, this.root);
    const losses = html("div", { class: "losses" }, body);
    const camera = new Camera();
    const choose = (index) => (name) =>
      this.request({ losses: this.wanted().losses.map((old, i) => (i === index ? name : old)) });
    this.panels = [0, 1].map((i) => new LossPanel(losses, i, camera, choose(i), (pair) => this.light(pair)));
    const beside = html("div", { class: "beside" }, body);
    this.curve = new DeviationCurve(beside);
    this.counts = new ClassCounts(beside);
    this.summary = html("p", { class: "summary", "aria-live": "polite" }, this.root);
    this.legend = html("p", { class: "legend" }, this.root);
    this.take({});
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
    this.painting = change !== undefined || this.unfinished;
    if (!this.painting) return;
    if (change) this.take(change, SOLVING_IN_A_FRAME);
    else this.finish();
    requestAnimationFrame(() => setTimeout(() => this.drawNext()));
  }

  /** Change some settings from outside and draw what belongs to them, at once; nothing older comes after it. */
  set(change) {
    this.waiting = [];
    this.take(change);
  }

  take(change, milliseconds) {
    this.settings = { ...this.settings, ...change };
    this.draw(milliseconds);
    this.changed(this);
  }

  /** Whether what is shown is not solved to the end. */
  get unfinished() {
    return this.shown.some(({ unfinished }) => unfinished);
  }

  /** Solve what is shown to the end, and draw it. */
  finish() {
    if (this.unfinished) this.draw();
  }

  /** Solve both optima, in so many milliseconds or to the end, and draw them. */
  draw(milliseconds = Infinity) {
    const { settings } = this;
    const start = performance.now();
    this.shown = settings.losses.map((loss, side, { length }) =>
      this.optima.inTime(settings, loss, start + (milliseconds * (side + 1)) / length, start + milliseconds));
    const wanted = this.wanted();
    this.controls.update(settings, wanted, settings.losses.map((loss) => LOSSES[loss].label), this.side);
    this.panels.forEach((panel, i) => panel.update(this.shown[i], wanted.losses[i]));
    this.counts.update(this.optima.classCounts(settings));
    this.drawCurve();
    put(this.summary, { class: "summary stale" });
    clearTimeout(this.curveTimer);
    clearTimeout(this.wordsTimer);
    this.curveTimer = setTimeout(() => this.continueCurve(), PAUSE_BEFORE_CURVE);
    this.wordsTimer = setTimeout(() => this.say(), PAUSE_BEFORE_WORDS);
  }

  /** Put in words what is shown. */
  say() {
    this.finish();
    const { settings } = this;
    put(this.summary, { class: "summary" });
    write(this.summary, `${settingsInWords(settings)} ${this.shown.map(optimumInWords).join(" ")}`);
    write(this.legend, legendInWords(settings));
    this.panels.forEach((panel) => panel.say());
    this.counts.say(this.optima.classCounts(settings));
    this.curve.say(settings.imbalanceFactor, this.shown.map(({ loss, deviation }) => ({
      label: LOSSES[loss].label,
      deviation: deviation.rms,
    })));
  }

  /** Point at two classes in every picture; null: at none. */
  light(pair) {
    this.panels.forEach((panel) => panel.light(pair));
    this.counts.light(pair);
  }

  /** On a narrow page, show the first or the second loss. */
  chooseSide(side) {
    this.side = side;
    this.root.dataset.side = side;
    this.controls.update(this.settings, this.wanted(), this.settings.losses.map((loss) => LOSSES[loss].label), side);
  }

  /** Save both spheres as a picture. */
  async save() {
    this.finish();
    const address = URL.createObjectURL(await photograph(this));
    const link = Object.assign(document.createElement("a"), { href: address, download: "class-means.png" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }

  drawCurve() {
    const { settings, optima } = this;
    this.curve.update(settings.imbalanceFactor, settings.losses.map((loss, i) => ({
      loss,
      deviation: this.shown[i].deviation.rms,
      points: IMBALANCE_FACTORS.flatMap((imbalanceFactor) => {
        const known = optima.known({ ...settings, imbalanceFactor }, loss);
        return known ? [{ imbalanceFactor, deviation: known.deviation.rms }] : [];
      }),
    })));
  }

  /** Solve what the curve still lacks, nearest to the marker first, in slices that leave room for input. */
  continueCurve() {
    const { settings, optima } = this;
    const distance = (factor) => Math.abs(Math.log(factor / settings.imbalanceFactor));
    const missing = IMBALANCE_FACTORS
      .filter((imbalanceFactor) => settings.losses.some((loss) => !optima.known({ ...settings, imbalanceFactor }, loss)))
      .sort((a, b) => distance(a) - distance(b));
    const end = performance.now() + SLICE;
    for (const imbalanceFactor of missing) {
      this.slices = imbalanceFactor === this.begun ? this.slices + 1 : 0;
      this.begun = imbalanceFactor;
      const deadline = this.slices < MOST_SLICES ? end : Infinity;
      settings.losses.forEach((loss) => optima.solve({ ...settings, imbalanceFactor }, loss, deadline));
      if (performance.now() > end) break;
    }
    this.drawCurve();
    if (missing.length) this.curveTimer = setTimeout(() => this.continueCurve(), 4);
  }

  /** Settings and what is shown for them, as plain data. */
  state() {
    this.finish();
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
    this.panels.forEach((panel) => panel.remove());
    this.root.remove();
  }
}

function legendInWords({ losses, numClasses, batchSize }) {
  const body = numClasses <= 4 ? "the filled body joins the class means" : "the line leads from class to class";
  const batches = batchSize
    ? ` The loss is averaged over a fixed sample of about ${SAMPLED_BATCHES} batches in which every two classes meet.`
    : "";
  const crossEntropy = losses.some((loss) => LOSSES[loss].kind === "cross-entropy")
    ? " Cross-entropy has features and classifier rows of length at most 1, and logits divided by τ; shown are the features."
    : "";
  return (
    "From the head class (large, blue) to the rarest (small, orange); dashed rings mark the regular simplex, dotted arcs " +
    `lead from there to each class, ${body}. Point at an angle of a table to see it in every picture. Every picture is an ` +
    `optimum, solved and certified in this page; until it is, its badge says “solving”.${batches}${crossEntropy}`
  );
}

function rows(matrix, columns) {
  return Array.from({ length: matrix.length / columns }, (_, i) =>
    Array.from(matrix.subarray(i * columns, (i + 1) * columns)));
}
