// Simplex deviation over the imbalance factor, with a marker at the present one. Every dot is an optimum of its own.

import { SERIES } from "./palette.js";
import { html, picture, setAttributes, svg } from "./svg.js";
import { decimal } from "./words.js";

const LEFT = 36;
const RIGHT = 386;
const TOP = 8;
const BOTTOM = 120;
const TOPS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 1.2, 1.6, 2];

/** The curves of the two losses. */
export class DeviationCurve {
  constructor(parent) {
    const figure = html("figure", {}, parent);
    html("figcaption", { class: "title" }, figure, "Simplex deviation over the imbalance factor; each dot is an optimum");
    this.root = picture({ class: "curve", role: "img" }, RIGHT + 20, BOTTOM + 20, figure);
    svg("line", { x1: LEFT, x2: RIGHT, y1: BOTTOM, y2: BOTTOM, class: "axis" }, this.root);
    this.grid = [0, 0.5, 1].map((share) => {
      const y = BOTTOM - share * (BOTTOM - TOP);
      svg("line", { x1: LEFT, x2: RIGHT, y1: y, y2: y, class: "grid" }, this.root);
      return { share, label: svg("text", { x: LEFT - 6, y: y + 4, class: "tick", "text-anchor": "end" }, this.root) };
    });
    for (const factor of [1, 10, 100, 1000]) {
      const x = place(factor);
      svg("line", { x1: x, x2: x, y1: BOTTOM, y2: BOTTOM + 4, class: "axis" }, this.root);
      svg("text", { x, y: BOTTOM + 16, class: "tick", "text-anchor": "middle" }, this.root).textContent = factor;
    }
    this.marker = svg("line", { y1: TOP, y2: BOTTOM, class: "marker" }, this.root);
    this.curves = SERIES.map((series) => ({
      series,
      line: svg("path", { class: "series", stroke: series.colour, "stroke-dasharray": series.dash }, this.root),
      dots: svg("path", { class: "dots", stroke: series.colour }, this.root),
      here: drawMarker(series, this.root),
    }));
  }

  /**
   * @param {number} imbalanceFactor - where the marker is
   * @param {Array<{deviation: number, points: Array<{imbalanceFactor: number, deviation: number}>}>} curves - of each loss:
   *   the value at the marker, and the points known so far, in order
   */
  update(imbalanceFactor, curves) {
    const all = curves.flatMap(({ deviation, points }) => [deviation, ...points.map((point) => point.deviation)]);
    const largest = Math.max(...all);
    const top = TOPS.find((value) => value >= largest) ?? TOPS.at(-1);
    const height = (deviation) => BOTTOM - (deviation / top) * (BOTTOM - TOP);
    this.grid.forEach(({ share, label }) => (label.textContent = decimal(share * top, top < 0.1 ? 3 : 2)));
    const x = place(imbalanceFactor);
    setAttributes(this.marker, { x1: x, x2: x });
    this.curves.forEach(({ line, dots, here }, index) => {
      const { deviation, points } = curves[index];
      const places = points.map((point) => `${place(point.imbalanceFactor).toFixed(1)},${height(point.deviation).toFixed(1)}`);
      line.setAttribute("d", places.length ? `M${places.join("L")}` : "");
      dots.setAttribute("d", places.map((at) => `M${at}h0`).join(""));
      here.setAttribute("transform", `translate(${x.toFixed(1)} ${height(deviation).toFixed(1)})`);
    });
    const words = curves.map(({ label, deviation }) => `${label} ${decimal(deviation, 3)}`).join(", ");
    this.root.setAttribute(
      "aria-label",
      `Simplex deviation over the imbalance factor. At ${imbalanceFactor}: ${words}.`,
    );
  }
}

function place(imbalanceFactor) {
  return LEFT + ((RIGHT - LEFT) * Math.log10(imbalanceFactor)) / 3;
}

/** The marker of a series, around the origin; also used beside its name. */
export function drawMarker({ colour, marker }, parent) {
  return marker === "circle"
    ? svg("circle", { r: 5.6, fill: colour, class: "here" }, parent)
    : svg("rect", { x: -3.6, y: -3.6, width: 7.2, height: 7.2, fill: colour, class: "here" }, parent);
}
