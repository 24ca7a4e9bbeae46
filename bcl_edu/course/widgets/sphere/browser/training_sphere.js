// The sphere that trains: free embeddings under two losses, side by side from one start, while the reader slides.

import { watchTheme } from "../../browser/theme.js";
import { html, put } from "../../explorer/browser/svg.js";
import { largestClass, trainingCounts } from "./class_counts.js";
import { ClassStrip } from "./class_strip.js";
import { Batches, startingPoints } from "./descent.js";
import { CAPTIONS, Opening } from "./first_seconds.js";
import { History, PathCurve } from "./path_curves.js";
import { pageColours } from "./sharp_canvas.js";
import { simplexDeviation } from "../../explorer/browser/geometry.js";
import { Targets } from "./targets.js";
import { ImbalanceSlider, imbalanceValues, MoreSettings, Transport } from "./training_controls.js";
import { TRAINING_LOSSES } from "./training_losses.js";
import { TrainingSide } from "./training_side.js";
import { ringsInWords, settingsInWords } from "./training_words.js";
import { ViewAngle } from "./view_angle.js";

/** Steps a second at speed 1. */
const STEPS_A_SECOND = 60;
/** Milliseconds of a frame that training may take; then the frame is drawn, and steps are fewer. */
const BUDGET = 14;
/** Milliseconds between two updates of numbers and curves, and before the summary is read out. */
const BETWEEN_NUMBERS = 150;
const PAUSE_BEFORE_WORDS = 900;
/** Training rests when no class mean has moved further than this for so many steps. */
const STILL = 1e-6;
const STEPS_AT_REST = 60;
/** Steps that are taken before anything is shown: both losses are then where they lead. */
const STEPS_BEFORE_OPENING = 400;

export const TRAINING_START = {
  imbalanceFactor: 100,
  temperature: 0.5,
  numClasses: 4,
  dimension: 3,
  losses: ["scl", "bcl-class-anchors"],
  batchSize: 0,
  learningRate: 0.05,
  prototypes: "means",
  start: "cone",
  seed: 8,
  speed: 1,
};

/** Settings that only a new start can change. */
const NEEDS_RESTART = ["numClasses", "dimension", "start", "seed"];

export class TrainingSphere {
  /**
   * @param {HTMLElement} parent
   * @param {object} settings - what differs from TRAINING_START
   * @param {{opening: boolean, playing: boolean, changed: function(TrainingSphere): void}} options - opening: whether the
   *   first seconds are shown; changed: called when settings change, and now and then while training
   */
  constructor(parent, settings = {}, { opening = true, playing = true, changed = () => {} } = {}) {
    this.settings = fitting({ ...TRAINING_START, ...settings });
    this.changed = changed;
    this.playing = playing;
    this.targets = new Targets();
    this.history = new History();
    this.colours = null;
    this.build(parent);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.restart();
    if (playing && (opening || still)) for (let step = 0; step < STEPS_BEFORE_OPENING; step++) this.train();
    if (playing && still) {
      this.playing = false; // who wants no motion sees the end, and nothing moves
      this.caption.textContent = CAPTIONS.yours;
    } else if (playing && opening) {
      this.opening = new Opening(this.stage(), this.settings.imbalanceFactor);
    }
    this.drawAll();
    this.say();
    this.loop();
  }

  build(parent) {
    const redraw = () => this.requestDraw();
    const change = (changes) => this.set(changes);
    this.root = html("div", { class: "bcl-sphere" }, parent);
    const top = html("div", { class: "top" }, this.root);
    const left = html("div", {}, top);
    this.caption = html("p", { class: "caption" }, left);
    this.imbalance = new ImbalanceSlider(left, change);
    this.strip = new ClassStrip(top);
    const view = new ViewAngle();
    view.listeners.push(redraw);
    this.view = view;
    const sides = html("div", { class: "sides" }, this.root);
    this.sides = [0, 1].map((index) => new TrainingSide(sides, index, view, {
      choose: (loss) => this.set({ losses: this.settings.losses.map((old, i) => (i === index ? loss : old)) }),
      redraw,
    }));
    this.transport = new Transport(this.root, {
      play: () => this.play(!this.playing),
      step: () => this.stepOnce(),
      restart: () => this.restartAndDraw(),
      change,
    });
    const curves = html("div", { class: "curves" }, this.root);
    this.curves = [
      new PathCurve(curves, "deviation", "Simplex deviation", "0: all classes equally far apart", redraw),
      new PathCurve(curves, "distance", "Distance to the certified optimum", "0: arrived", redraw),
    ];
    this.more = new MoreSettings(this.root, change);
    this.legend = html("p", { class: "legend" }, this.root);
    this.summary = html("p", { class: "summary", "aria-live": "polite" }, this.root);

    // whoever touches anything takes over from the opening
    for (const event of ["pointerdown", "keydown", "input"]) {
      this.root.addEventListener(event, () => this.takeOver(), { capture: true });
    }
    this.seen = true;
    this.watcher = new IntersectionObserver((entries) => {
      this.seen = entries.at(-1).isIntersecting;
      if (this.seen) this.loop();
    });
    this.watcher.observe(this.root);
    document.fonts.ready.then(redraw); // what is written on a canvas does not change by itself when a font arrives
    this.forgetTheme = watchTheme(() => {
      this.colours = null;
      this.requestDraw();
    });
  }

  /** What the opening may do. */
  stage() {
    return {
      deviation: () => Math.max(...this.sides.map(({ reading, descent }) =>
        simplexDeviation(reading.gram, descent.numClasses).rms)),
      setImbalance: (imbalanceFactor) => this.apply({ imbalanceFactor }),
      say: (caption) => (this.caption.textContent = caption),
      pulse: (on) => this.imbalance.pulse(on),
      sway: (angle) => (this.view.sway = angle),
      ended: () => this.sayLater(),
    };
  }

  takeOver() {
    this.opening?.end();
    this.imbalance.pulse(false);
  }

  /** Change some settings; all but a few apply in mid-run. */
  set(changes) {
    this.takeOver();
    this.apply(changes);
    this.sayLater();
  }

  apply(changes) {
    const before = this.settings;
    this.settings = fitting({ ...before, ...changes });
    this.history.mark(this.stepCount);
    const fresh = this.stepCount === 0 || NEEDS_RESTART.some((name) => before[name] !== this.settings[name]);
    if (fresh) this.restart();
    else this.aim();
    this.requestDraw();
    this.loop();
    this.changed(this);
  }

  /** The same start again. */
  restart() {
    const { settings } = this;
    const counts = trainingCounts(settings.imbalanceFactor, settings.numClasses);
    this.perClass = largestClass(settings.numClasses);
    const start = startingPoints(settings, this.perClass);
    this.sides.forEach((side) => side.restart(start, settings, this.perClass, counts));
    this.batches = new Batches(settings.seed);
    this.batchCounts = null;
    this.stepCount = 0;
    this.history.clear();
    this.aim();
    this.remember();
  }

  restartAndDraw() {
    this.takeOver();
    this.restart();
    this.requestDraw();
    this.loop();
    this.sayLater();
  }

  /** Class counts and optima for the present settings. */
  aim() {
    const { settings } = this;
    this.counts = trainingCounts(settings.imbalanceFactor, settings.numClasses);
    this.sides.forEach((side, i) => {
      if (`${side.descent.counts}` !== `${this.counts}`) side.descent.resize(this.counts);
      side.aim(settings.losses[i], this.targets.solve(settings.losses[i], this.counts, settings), settings.numClasses);
      side.measure(settings);
    });
    this.legend.textContent = ringsInWords(this.sides.map(({ target }) => target), settings, settings.losses);
    this.stepsAtRest = 0;
  }

  /** One step of both losses on the same batch. */
  train() {
    const { settings, counts, perClass } = this;
    const rows = this.batches.next(counts, perClass, settings.batchSize);
    this.batchCounts = counts.map(() => 0);
    for (const row of rows) this.batchCounts[Math.floor(row / perClass)] += 1;
    this.lastRows = rows;
    let moved = 0;
    for (const side of this.sides) {
      const before = side.meanDirections;
      side.descent.step(TRAINING_LOSSES[side.loss], rows, settings);
      side.measure(settings);
      side.meanDirections.forEach((value, i) => (moved = Math.max(moved, Math.abs(value - before[i]))));
    }
    this.stepCount += 1;
    this.stepsAtRest = moved < STILL ? this.stepsAtRest + 1 : 0;
    this.remember();
  }

  remember() {
    this.history.add(this.stepCount, this.sides.map(({ reading: { deviation, distance } }) => ({ deviation, distance })));
  }

  get settled() {
    return this.stepsAtRest >= STEPS_AT_REST;
  }

  play(playing) {
    this.takeOver();
    this.playing = playing;
    this.requestDraw();
    this.loop();
    this.sayLater();
  }

  stepOnce() {
    this.takeOver();
    this.playing = false;
    this.train();
    this.drawAll();
    this.sayLater();
  }

  /** Go on frame by frame, as long as there is anything to do and anybody to see it. */
  loop() {
    if (this.frame || this.removed) return;
    this.lastTime = null;
    this.due = 0;
    const next = (now) => {
      this.frame = null;
      const resting = !this.playing || (this.settled && (this.opening?.over ?? true));
      if (this.removed || !this.seen || resting) {
        if (this.removed) return;
        this.drawAll();
        if (this.playing && this.settled) this.sayLater();
        return;
      }
      this.frame = requestAnimationFrame(next);
      this.onFrame(now);
    };
    this.frame = requestAnimationFrame(next);
  }

  onFrame(now) {
    const passed = this.lastTime === null ? 0 : Math.min(now - this.lastTime, 100);
    this.lastTime = now;
    if (this.opening && !this.opening.over) this.opening.frame(now);
    const pace = STEPS_A_SECOND * this.settings.speed;
    this.due = Math.min(this.due + (passed / 1000) * pace, 4 * this.settings.speed + 1);
    const start = performance.now();
    while (this.due >= 1 && performance.now() - start < BUDGET) {
      this.train();
      this.due -= 1;
    }
    const numbers = now - (this.numbersAt ?? -Infinity) >= BETWEEN_NUMBERS;
    if (numbers) this.write(); // before the spheres, which show one of the numbers too
    this.drawSpheres();
    if (!numbers) return;
    this.numbersAt = now;
    this.drawCurves();
    this.changed(this);
  }

  requestDraw() {
    if (this.frame || this.drawing || this.removed) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = null;
      this.drawAll();
    });
  }

  drawAll() {
    this.write();
    this.drawSpheres();
    this.drawCurves();
  }

  drawSpheres() {
    this.colours ??= pageColours(this.root);
    this.sides.forEach((side) => side.draw(this.settings, this.colours));
  }

  drawCurves() {
    const { settings, colours, history } = this;
    const [deviation, distance] = this.curves;
    const goals = this.sides.map(({ target }) => simplexDeviation(target.gram, settings.numClasses).rms);
    deviation.draw(history, settings.losses, goals, settings.numClasses, colours);
    distance.draw(history, settings.losses, null, settings.numClasses, colours);
  }

  /** Numbers and controls. */
  write() {
    const { settings } = this;
    this.imbalance.update(settings);
    this.more.update(settings);
    this.transport.update(settings, this.playing, this.stepCount, this.settled);
    this.strip.update(this.counts, this.perClass, this.batchCounts);
    this.sides.forEach((side) => side.write());
    put(this.summary, { class: this.saidAt === this.stepCount ? "summary" : "summary stale" });
  }

  /** Put in words what is shown, when nothing has changed for a moment. */
  sayLater() {
    clearTimeout(this.wordsTimer);
    this.wordsTimer = setTimeout(() => this.say(), PAUSE_BEFORE_WORDS);
  }

  say() {
    const { settings } = this;
    const words = this.sides.map((side) => side.words()).join(" ");
    this.saidAt = this.stepCount;
    put(this.summary, { class: "summary" });
    this.summary.textContent = `${settingsInWords(settings, this.counts, this.stepCount)} ${words}`;
    this.sides.forEach((side) => side.say(settings.dimension === 2));
    for (const curve of this.curves) {
      const values = this.sides.map(({ loss, reading }) => `${TRAINING_LOSSES[loss].label} ${reading[curve.what].toFixed(2)}`);
      const name = curve.what === "deviation" ? "Simplex deviation" : "Distance to the certified optimum";
      curve.say(`${name} over ${this.stepCount} steps; now ${values.join(", ")}.`);
    }
  }

  /** Settings and what is shown, as plain data. */
  state() {
    return {
      settings: this.settings,
      playing: this.playing,
      settled: this.settled,
      step: this.stepCount,
      classCounts: this.counts,
      batch: this.batchCounts && { counts: this.batchCounts, rows: Array.from(this.lastRows) },
      sides: this.sides.map((side) => side.state()),
    };
  }

  remove() {
    this.removed = true;
    cancelAnimationFrame(this.frame);
    cancelAnimationFrame(this.drawing);
    clearTimeout(this.wordsTimer);
    this.watcher.disconnect();
    this.forgetTheme();
    this.curves.forEach((curve) => curve.remove());
    this.sides.forEach((side) => side.remove());
    this.root.remove();
  }
}

/** No class may have less than one picture. */
function fitting(settings) {
  const most = imbalanceValues(settings.numClasses).at(-1);
  return { ...settings, imbalanceFactor: Math.min(settings.imbalanceFactor, most) };
}
