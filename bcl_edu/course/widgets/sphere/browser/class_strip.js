// How many pictures each class has, and which classes the last batch had none of.

import { html, put } from "../../explorer/browser/svg.js";
import { classColour } from "../../browser/colours.js";
import { classNames } from "./point_cloud.js";

/** A column for each class: bar, number, and a light that is on while the class is in the batch. */
export class ClassStrip {
  constructor(parent) {
    this.root = html("figure", { class: "class-strip" }, parent);
    this.caption = html("figcaption", {}, this.root, "Pictures of each class");
    this.row = html("div", { class: "columns", role: "img" }, this.root);
    this.note = html("p", { class: "missing" }, this.root);
  }

  /**
   * @param {number[]} counts - pictures of each class
   * @param {number} perClass - pictures of the largest
   * @param {?number[]} inBatch - pictures of each class in the last batch; null before the first
   */
  update(counts, perClass, inBatch) {
    const key = `${counts} ${inBatch}`;
    if (key === this.key) return;
    this.key = key;
    if (this.columns?.length !== counts.length) this.build(counts.length);
    const missing = [];
    this.columns.forEach(({ column, bar, number, light }, k) => {
      bar.style.height = `${Math.max(2, (100 * counts[k]) / perClass)}%`;
      number.textContent = counts[k];
      const out = inBatch !== null && inBatch[k] === 0;
      if (out) missing.push(classNames(counts)[k]);
      light.classList.toggle("off", out);
      column.title = inBatch === null ? "" : `${inBatch[k]} in the last batch`;
    });
    const all = inBatch === null || inBatch.every((n, k) => n === counts[k]);
    this.note.textContent = all
      ? "All in every batch."
      : missing.length
        ? `Not in the last batch: ${missing.join(", ")}.`
        : "All classes are in the last batch.";
    put(this.row, { "aria-label": `Pictures of each class: ${counts.join(", ")}. ${this.note.textContent}` });
  }

  build(numClasses) {
    this.row.replaceChildren();
    this.columns = Array.from({ length: numClasses }, (_, k) => {
      const column = html("div", { class: "column" }, this.row);
      column.style.setProperty("--class-colour", classColour(k, numClasses));
      const number = html("span", { class: "number" }, column);
      const well = html("span", { class: "well" }, column);
      const bar = html("span", { class: "bar" }, well);
      const light = html("span", { class: "light" }, column);
      return { column, number, bar, light };
    });
  }
}
