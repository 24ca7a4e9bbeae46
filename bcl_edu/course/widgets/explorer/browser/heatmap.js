// All cosines between class means at once: exact in any dimension.

import { cosineColour } from "./palette.js";
import { html, picture, setAttributes, svg } from "./svg.js";
import { decimal, optimumInWords } from "./words.js";

const LEFT = 18;
const TOP = 18;
const SIZE = 222;

/** The matrix of cosines, in hundredths, head first. */
export class Heatmap {
  constructor(parent) {
    const figure = html("figure", {}, parent);
    this.root = picture({ class: "heatmap", role: "img" }, LEFT + SIZE, TOP + SIZE, figure);
    this.grid = svg("g", {}, this.root);
    this.note = html("figcaption", {}, figure);
  }

  /** Show the cosines of an optimum. */
  update(optimum) {
    const { gram, numClasses } = optimum;
    if (this.numClasses !== numClasses) this.build(numClasses);
    for (const { i, j, rectangle, number } of this.cells) {
      const cosine = gram[i * numClasses + j];
      rectangle.setAttribute("fill", cosineColour(cosine, numClasses));
      number.textContent = decimal(100 * cosine, 0);
    }
    this.root.setAttribute("aria-label", `Matrix of cosines between class means. ${optimumInWords(optimum)}`);
  }

  build(numClasses) {
    this.numClasses = numClasses;
    this.grid.replaceChildren();
    this.cells = [];
    const cell = SIZE / numClasses;
    for (let i = 0; i < numClasses; i++) {
      const middle = (i + 0.5) * cell;
      svg("text", { class: "tick", x: LEFT - 6, y: TOP + middle + 4, "text-anchor": "end" }, this.grid).textContent = i;
      svg("text", { class: "tick", x: LEFT + middle, y: TOP - 6, "text-anchor": "middle" }, this.grid).textContent = i;
      for (let j = 0; j < numClasses; j++) {
        if (i === j) continue;
        const rectangle = svg("rect", {}, this.grid);
        const corner = { x: LEFT + j * cell + 0.5, y: TOP + i * cell + 0.5 };
        setAttributes(rectangle, { ...corner, width: cell - 1, height: cell - 1 });
        const number = svg("text", { class: "cell", x: LEFT + (j + 0.5) * cell, y: TOP + middle }, this.grid);
        number.style.setProperty("--fits", `${(0.42 * cell).toFixed(1)}px`);
        this.cells.push({ i, j, rectangle, number });
      }
    }
    this.note.textContent = `cosines × 100 (regular simplex: ${decimal(-100 / (numClasses - 1), 0)})`;
  }
}
