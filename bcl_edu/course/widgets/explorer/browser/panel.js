// One of the two losses: its name, its class means, its angles, its certificate.

import { AngleTable } from "./angles.js";
import { LOSSES } from "./losses.js";
import { lineOf, putMarker } from "./palette.js";
import { SphereView } from "./sphere.js";
import { html, put, svg, write } from "./svg.js";
import { decimal, degrees, lossValue, scientific } from "./words.js";

const SIDES = ["First loss", "Second loss"];

export class LossPanel {
  /**
   * @param {HTMLElement} parent
   * @param {number} side - 0 or 1
   * @param {object} camera - shared by both panels
   * @param {function(string): void} choose - called with the name of the loss that the reader chooses
   * @param {function(?number[]): void} point - called with the pair of classes that the reader points at
   */
  constructor(parent, side, camera, choose, point) {
    this.root = html("section", { class: "loss", "aria-label": SIDES[side] }, parent);
    const heading = html("label", { class: "choice" }, this.root);
    const sample = svg("svg", { viewBox: "0 0 40 12", width: 40, height: 12, "aria-hidden": "true" }, heading);
    this.line = svg("line", { x1: 0, x2: 40, y1: 6, y2: 6, class: "series" }, sample);
    this.marker = svg("path", { transform: "translate(20 6)" }, sample);
    this.select = html("select", { "aria-label": SIDES[side] }, heading);
    this.select.dataset.lmSuppressShortcuts = "true";
    for (const [name, { label }] of Object.entries(LOSSES)) html("option", { value: name }, this.select, label);
    this.select.addEventListener("change", () => choose(this.select.value));

    const numbers = html("p", { class: "numbers" }, this.root);
    const tail = html("span", {}, numbers);
    this.tail = html("b", { class: "tail" }, tail);
    tail.append(" between the two rarest");
    const deviation = html("span", {}, numbers);
    this.deviation = html("b", { class: "deviation" }, deviation);
    deviation.append(" simplex deviation");
    const certificate = html("span", { class: "certificate" }, numbers);
    const id = `bcl-certificate-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
    this.badge = html("button", { type: "button", "aria-describedby": id }, certificate);
    this.proof = html("span", { role: "tooltip", id }, certificate);

    this.sphere = new SphereView(this.root, camera);
    this.angles = new AngleTable(this.root, point);
  }

  /**
   * Show an optimum.
   * @param {object} optimum
   * @param {string} wanted - the loss that the reader has chosen; another one only until the next frame
   */
  update(optimum, wanted) {
    this.optimum = optimum;
    const { loss, deviation, numClasses, gram, certified, unfinished } = optimum;
    if (this.select.value !== wanted) this.select.value = wanted;
    put(this.line, lineOf(loss));
    putMarker(this.marker, loss);
    write(this.tail, degrees(gram[(numClasses - 1) * numClasses - 1], 0));
    write(this.deviation, decimal(deviation.rms, 3));
    write(this.badge, certified ? "✓ certified" : unfinished ? "solving" : "! not certified");
    put(this.badge, { class: certified ? "" : unfinished ? "solving" : "doubtful" });
    this.sphere.update(optimum);
    this.angles.update(optimum);
  }

  /** Put in words what is shown. */
  say() {
    const { value, gap, relativeGap, certified } = this.optimum;
    write(
      this.proof,
      `${certified ? "Proven optimal" : "Not proven optimal"}: the loss is ${lossValue(value)}, at most ` +
        `${scientific(gap)} above its minimum (relative to the part that geometry changes: ${scientific(relativeGap)}).`,
    );
    this.sphere.say();
    this.angles.say();
  }

  light(pair) {
    this.sphere.light(pair);
    this.angles.light(pair);
  }

  /** Leave the page. */
  remove() {
    this.angles.remove();
  }
}
