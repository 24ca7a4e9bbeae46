// How many training images each class has.

import { classColour } from "../../browser/colours.js";
import { html, picture, setAttributes, svg } from "./svg.js";

const WIDTH = 320;
const BASE = 120;
const HEIGHT = 100;

/** One bar a class, head first. */
export class CountBars {
  constructor(parent) {
    const figure = html("figure", {}, parent);
    html("figcaption", { class: "title" }, figure, "Training images of each class, head to tail");
    this.root = picture({ class: "bars", role: "img" }, WIDTH, BASE + 20, figure);
    svg("line", { x1: 0, x2: WIDTH, y1: BASE, y2: BASE, class: "axis" }, this.root);
    this.bars = svg("g", {}, this.root);
  }

  /** Show these counts. */
  update(classCounts) {
    const numClasses = classCounts.length;
    if (this.parts?.length !== numClasses) this.build(numClasses);
    const largest = classCounts[0];
    this.parts.forEach(({ bar, number }, k) => {
      const height = Math.max(1, (HEIGHT * classCounts[k]) / largest);
      setAttributes(bar, { y: (BASE - height).toFixed(1), height: height.toFixed(1) });
      number.setAttribute("y", (BASE - height - 4).toFixed(1));
      number.textContent = Math.round(classCounts[k]);
    });
    const counts = Array.from(classCounts, (n, k) => `class ${k}: ${Math.round(n)}`).join(", ");
    this.root.setAttribute("aria-label", `Training images of each class. ${counts}.`);
  }

  build(numClasses) {
    this.bars.replaceChildren();
    const slot = WIDTH / numClasses;
    this.parts = Array.from({ length: numClasses }, (_, k) => {
      const width = Math.min(0.7 * slot, 46);
      const middle = (k + 0.5) * slot;
      const bar = svg("rect", { x: middle - width / 2, width, fill: classColour(k, numClasses) }, this.bars);
      const number = svg("text", { x: middle, class: "tick", "text-anchor": "middle" }, this.bars);
      svg("text", { x: middle, y: BASE + 14, class: "tick", "text-anchor": "middle" }, this.bars).textContent = k;
      return { bar, number };
    });
  }
}
