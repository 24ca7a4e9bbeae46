// One of the two losses: its name, its class means, its cosines, its numbers.

import { drawMarker } from "./curve.js";
import { Heatmap } from "./heatmap.js";
import { LOSSES } from "./losses.js";
import { SERIES } from "./palette.js";
import { SphereView } from "./sphere.js";
import { html, svg } from "./svg.js";
import { decimal, lossValue } from "./words.js";

export class LossPanel {
  /**
   * @param {HTMLElement} parent
   * @param {number} index - 0 or 1
   * @param {object} camera - shared by both panels
   * @param {function(string): void} choose - called with the name of the loss that the reader chooses
   */
  constructor(parent, index, camera, choose) {
    this.root = html("section", { class: "loss", "aria-label": index ? "Second loss" : "First loss" }, parent);
    const heading = html("label", { class: "choice" }, this.root);
    const sample = svg("svg", { viewBox: "0 0 40 12", width: 40, height: 12, "aria-hidden": "true" }, heading);
    const { colour, dash } = SERIES[index];
    svg("line", { x1: 0, x2: 40, y1: 6, y2: 6, class: "series", stroke: colour, "stroke-dasharray": dash }, sample);
    drawMarker(SERIES[index], svg("g", { transform: "translate(20 6)" }, sample));
    this.select = html("select", { "aria-label": index ? "Second loss" : "First loss" }, heading);
    this.select.dataset.lmSuppressShortcuts = "true";
    for (const [name, { label }] of Object.entries(LOSSES)) html("option", { value: name }, this.select, label);
    this.select.addEventListener("change", () => choose(this.select.value));

    this.numbers = html("p", { class: "numbers" }, this.root);
    const deviation = html("span", { class: "deviation" }, this.numbers);
    this.deviation = html("b", {}, deviation);
    deviation.append(" simplex deviation");
    this.range = html("span", {}, this.numbers);
    this.value = html("span", {}, this.numbers);

    const pictures = html("div", { class: "pictures" }, this.root);
    this.sphere = new SphereView(pictures, camera);
    this.heatmap = new Heatmap(pictures);
    this.details = html("details", {}, this.root);
    html("summary", {}, this.details, "Cosines as a table");
    this.table = html("table", {}, this.details);
    this.details.addEventListener("toggle", () => this.fillTable());
  }

  /**
   * Show an optimum.
   * @param {object} optimum
   * @param {string} wanted - the loss that the reader has chosen; another one only until the next frame
   */
  update(optimum, wanted) {
    this.optimum = optimum;
    const { deviation, numClasses, value } = optimum;
    const simplex = -1 / (numClasses - 1);
    this.select.value = wanted;
    this.deviation.textContent = decimal(deviation.rms, 3);
    this.range.textContent =
      `cosines ${decimal(deviation.smallest.value + simplex, 3)} to ${decimal(deviation.largest.value + simplex, 3)}`;
    this.value.textContent = `loss ${lossValue(value)}`;
    this.sphere.update(optimum);
    this.heatmap.update(optimum);
    this.fillTable();
  }

  fillTable() {
    if (!this.details.open || !this.optimum) return;
    const { gram, numClasses } = this.optimum;
    this.table.replaceChildren();
    const head = html("tr", {}, this.table);
    html("th", { scope: "col" }, head, "class");
    for (let j = 0; j < numClasses; j++) html("th", { scope: "col" }, head, j);
    for (let i = 0; i < numClasses; i++) {
      const row = html("tr", {}, this.table);
      html("th", { scope: "row" }, row, i);
      for (let j = 0; j < numClasses; j++) html("td", {}, row, decimal(gram[i * numClasses + j], 3));
    }
  }
}
