// Simplex deviation over the imbalance factor, with a marker at the present one. Every dot is an optimum of its own.

import { methodPaint } from "../../browser/colours.js";
import { lineOf, putMarker } from "./palette.js";
import { html, picture, put, svg, write } from "./svg.js";
import { decimal } from "./words.js";

const LEFT = 34;
const RIGHT = 326;
const TOP = 10;
const BOTTOM = 150;
/** The axis never changes, so that the effect of every setting is seen. No optimum of any setting is above it. */
const HIGHEST = 1.2;

/** The curves of the two losses. */
export class DeviationCurve {
  constructor(parent) {
    const figure = html("figure", {}, parent);
    html("figcaption", { class: "title" }, figure, "Simplex deviation");
    this.root = picture({ class: "curve", role: "img" }, RIGHT + 18, BOTTOM + 24, figure);
    svg("line", { x1: LEFT, x2: RIGHT, y1: BOTTOM, y2: BOTTOM, class: "axis" }, this.root);
    for (const deviation of [0, 0.4, 0.8, 1.2]) {
      const y = height(deviation);
      svg("line", { x1: LEFT, x2: RIGHT, y1: y, y2: y, class: "grid" }, this.root);
      write(svg("text", { x: LEFT - 6, y: y + 4, class: "tick", "text-anchor": "end" }, this.root), decimal(deviation, 1));
    }
    for (const factor of [1, 10, 100, 1000]) {
      const x = place(factor);
      svg("line", { x1: x, x2: x, y1: BOTTOM, y2: BOTTOM + 4, class: "axis" }, this.root);
      write(svg("text", { x, y: BOTTOM + 19, class: "tick", "text-anchor": "middle" }, this.root), factor);
    }
    this.marker = svg("line", { y1: TOP, y2: BOTTOM, x1: 0, x2: 0, class: "marker" }, this.root);
    this.curves = [0, 1].map(() => ({
      line: svg("path", { class: "series" }, this.root),
      dots: svg("path", { class: "dots" }, this.root),
      here: svg("path", {}, this.root),
    }));
  }

  /**
   * @param {number} imbalanceFactor - where the marker is
   * @param {Array<{loss: string, deviation: number, points: Array<{imbalanceFactor: number, deviation: number}>}>} curves -
   *   of each loss: the value at the marker, and the points known so far, in order
   */
  update(imbalanceFactor, curves) {
    const x = place(imbalanceFactor).toFixed(1);
    put(this.marker, { transform: `translate(${x} 0)` });
    this.curves.forEach(({ line, dots, here }, side) => {
      const { loss, deviation, points } = curves[side];
      const places = points.map((point) => `${place(point.imbalanceFactor).toFixed(1)},${height(point.deviation).toFixed(1)}`);
      put(line, { ...lineOf(loss), d: places.length ? `M${places.join("L")}` : "" });
      put(dots, { stroke: methodPaint(loss), d: places.map((at) => `M${at}h0`).join("") });
      putMarker(here, loss);
      put(here, { transform: `translate(${x} ${height(deviation).toFixed(1)})` });
    });
  }

  /** Put in words what is drawn. */
  say(imbalanceFactor, curves) {
    const words = curves.map(({ label, deviation }) => `${label} ${decimal(deviation, 3)}`).join(", ");
    put(this.root, { "aria-label": `Simplex deviation over the imbalance factor. At ${imbalanceFactor}: ${words}.` });
  }
}

function height(deviation) {
  return BOTTOM - (Math.min(deviation, HIGHEST) / HIGHEST) * (BOTTOM - TOP);
}

function place(imbalanceFactor) {
  return LEFT + ((RIGHT - LEFT) * Math.log10(imbalanceFactor)) / 3;
}
