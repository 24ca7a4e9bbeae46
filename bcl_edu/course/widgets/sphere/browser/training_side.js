// One of the two losses: its menu, its sphere, its numbers.

import { html } from "../../explorer/browser/svg.js";
import { methodPaint, METHODS } from "../../browser/colours.js";
import { Descent, unitRows } from "./descent.js";
import { PointCloud } from "./point_cloud.js";
import { PushBar } from "./push_bar.js";
import { rareAngle, readMeans } from "./readouts.js";
import { turnedTowards } from "./targets.js";
import { TRAINING_LOSSES } from "./training_losses.js";
import { write } from "./training_controls.js";
import { sideInWords } from "./training_words.js";

/** The menu, in the order in which the paper builds them up. */
const GROUPS = {
  "The paper's losses": ["scl", "bcl", "bcl-class-anchors"],
  "BCL averaged otherwise": ["bcl-inside", "bcl-prototypes"],
  "Half of BCL": ["scl-averaging", "scl-complement"],
  "With a classifier": ["ce", "lc"],
};

export class TrainingSide {
  /**
   * @param {HTMLElement} parent
   * @param {number} index - 0 or 1
   * @param {ViewAngle} view
   * @param {{choose: function(string): void, redraw: function(): void}} actions
   */
  constructor(parent, index, view, { choose, redraw }) {
    const name = index ? "Right loss" : "Left loss";
    this.root = html("section", { class: "side", "aria-label": name }, parent);
    const heading = html("label", { class: "choice" }, this.root);
    this.swatch = html("span", { class: "swatch", "aria-hidden": "true" }, heading);
    this.select = html("select", { "aria-label": name }, heading);
    this.select.dataset.lmSuppressShortcuts = "true";
    for (const [label, losses] of Object.entries(GROUPS)) {
      const group = html("optgroup", { label }, this.select);
      for (const loss of losses) html("option", { value: loss }, group, TRAINING_LOSSES[loss].label);
    }
    this.select.addEventListener("change", () => choose(this.select.value));
    const stage = html("div", { class: "stage" }, this.root);
    const big = html("p", { class: "angle" }, stage);
    this.angle = html("b", {}, big);
    html("span", {}, big, "between the two rarest");
    this.goal = html("span", { class: "goal" }, big);
    this.cloud = new PointCloud(stage, view, redraw);
    const numbers = html("dl", { class: "numbers" }, this.root);
    this.deviation = measure(numbers, "simplex deviation");
    this.distance = measure(numbers, "from the optimum");
    this.push = new PushBar(this.root);
  }

  /** Begin again. */
  restart(start, settings, perClass, counts) {
    this.descent = new Descent(start, settings, perClass, counts);
  }

  /** Settings that this side is trained under have changed. */
  aim(loss, target, numClasses) {
    Object.assign(this, { loss, target });
    this.targetAngle = rareAngle(target.gram, numClasses);
  }

  /** Read off the present class means. */
  measure({ numClasses, dimension }) {
    const means = this.descent.means();
    this.reading = readMeans(means, this.target.gram, numClasses, dimension);
    this.meanDirections = unitRows(means, dimension);
  }

  /** The picture: every frame. */
  draw(settings, colours) {
    const { descent, target, meanDirections } = this;
    const { keys, learned } = descent.keysOf(TRAINING_LOSSES[this.loss], settings.prototypes);
    const { numClasses, dimension } = settings;
    const ghosts = target.points && turnedTowards(target.points, meanDirections, numClasses, dimension);
    this.cloud.draw({
      points: descent.points,
      counts: descent.counts,
      perClass: descent.perClass,
      numClasses,
      dimension,
      means: meanDirections,
      ghosts,
      keys: learned ? keys : null,
      rareAngle: this.reading.rareAngle,
      degrees: this.angle.textContent,
    }, colours);
  }

  /** The numbers: now and then, so that they can be read. */
  write() {
    const { reading, target } = this;
    this.select.value = this.loss;
    this.root.style.setProperty("--method", methodPaint(this.loss));
    this.swatch.classList.toggle("dashed", Boolean(METHODS[this.loss].dash));
    write(this.angle, `${reading.rareAngle.toFixed(0)}°`);
    write(this.goal, `optimum ${this.targetAngle.toFixed(0)}°`);
    this.goal.title = target.certified
      ? `Certified: the loss is at most ${target.relativeGap.toExponential(0)} (relative) above its minimum.`
      : "Not certified: perhaps there is a better one.";
    write(this.deviation, reading.deviation.toFixed(2));
    write(this.distance, reading.distance.toFixed(2));
    this.push.update(this.descent.push, this.descent.counts);
  }

  /** All of it in words. */
  words() {
    return sideInWords(this.loss, this.reading, this.target, this.targetAngle);
  }

  /** Put the picture in words. */
  say(flat) {
    const turning = flat ? "" : " Arrow keys turn both spheres, Home turns them back.";
    this.cloud.canvas.setAttribute("aria-label", `Points and class means. ${this.words()}${turning}`);
    this.push.say();
  }

  /** What is shown, as plain data. */
  state() {
    const { descent, reading, target } = this;
    const { numClasses: k, dimension: d } = descent;
    const loss = TRAINING_LOSSES[this.loss];
    return {
      loss: this.loss,
      value: descent.loss,
      rareAngle: reading.rareAngle,
      deviation: reading.deviation,
      distance: reading.distance,
      cosines: rows(reading.gram, k),
      push: rows(descent.push, k).map((row) => row.map((share) => (Number.isNaN(share) ? null : share))),
      target: {
        rareAngle: this.targetAngle,
        certified: target.certified,
        cosines: rows(target.gram, k),
        drawn: target.points !== null,
      },
      points: descent.counts.flatMap((count, label) =>
        rows(descent.points, d).slice(label * descent.perClass, label * descent.perClass + count)),
      keys: loss.averaging === "rows" || loss.complement || loss.averaging === "prototypes" ? rows(descent.keys, d) : null,
    };
  }

  remove() {
    this.cloud.remove();
  }
}

function measure(list, name) {
  const group = html("div", {}, list);
  html("dt", {}, group, name);
  return html("dd", {}, group);
}

function rows(matrix, columns) {
  return Array.from({ length: matrix.length / columns }, (_, i) =>
    Array.from(matrix.subarray(i * columns, (i + 1) * columns)));
}
