// How many training images each class has: dots on a logarithmic axis, where an exponential profile is a straight line.

import { classColour } from "../../browser/colours.js";
import { classRadius } from "./palette.js";
import { html, picture, put, svg, write } from "./svg.js";
import { className } from "./words.js";

const LEFT = 44;
const RIGHT = 330;
const TOP = 26;
const BOTTOM = 142;
const MOST = 5000;
const LEAST = 5;
/** The picture's width. */
const WIDTH = RIGHT + 14;
/** More classes than this leave no room for a number at every dot, and the last name ends at the picture's edge. */
const MOST_NUMBERED = 6;

/** One dot a class, head first. */
export class ClassCounts {
  constructor(parent) {
    const figure = html("figure", {}, parent);
    html("figcaption", { class: "title" }, figure, "Training images of each class");
    this.root = picture({ class: "counts", role: "img" }, WIDTH, BOTTOM + 24, figure);
    for (const count of [10, 100, 1000]) {
      const y = height(count);
      svg("line", { x1: LEFT, x2: RIGHT, y1: y, y2: y, class: "grid" }, this.root);
      write(svg("text", { x: LEFT - 6, y: y + 4, class: "tick", "text-anchor": "end" }, this.root), count);
    }
    svg("line", { x1: LEFT, x2: RIGHT, y1: BOTTOM, y2: BOTTOM, class: "axis" }, this.root);
    this.dots = svg("g", {}, this.root);
  }

  /** Show these counts. */
  update(classCounts) {
    if (this.classes?.length !== classCounts.length) this.build(classCounts.length);
    this.classes.forEach(({ dot, place, number, x }, k) => {
      const y = height(classCounts[k]);
      put(dot, { transform: `translate(${x} ${y.toFixed(1)})` });
      if (!number) return;
      put(place, { transform: `translate(${x} ${(y - 13).toFixed(1)})` });
      write(number, Math.round(classCounts[k]));
    });
  }

  /** Put in words what is drawn. */
  say(classCounts) {
    const counts = Array.from(classCounts, (n, k) => `${className(k, classCounts.length)}: ${Math.round(n)}`).join(", ");
    put(this.root, { "aria-label": `Training images of each class. ${counts}.` });
  }

  /** Point at these classes; none: at no class. */
  light(pair) {
    this.classes?.forEach(({ dot }, k) => dot.classList.toggle("lit", pair?.includes(k) ?? false));
  }

  build(numClasses) {
    this.dots.replaceChildren();
    const slot = (RIGHT - LEFT) / numClasses;
    this.classes = Array.from({ length: numClasses }, (_, k) => {
      const x = LEFT + (k + 0.5) * slot;
      const end = k === 0 || k === numClasses - 1;
      const dot = svg("circle", { class: "count", r: classRadius(k, numClasses), fill: classColour(k, numClasses) }, this.dots);
      const numbered = numClasses <= MOST_NUMBERED || end;
      const place = svg("g", {}, this.dots);
      const number = numbered ? svg("text", { class: "number", "text-anchor": "middle" }, place) : null;
      const atEdge = numClasses > MOST_NUMBERED && k === numClasses - 1;
      const where = atEdge ? { x: WIDTH, "text-anchor": "end" } : { x, "text-anchor": "middle" };
      write(svg("text", { ...where, y: BOTTOM + 18, class: "tick name" }, this.dots), className(k, numClasses));
      return { dot, place, number, x: x.toFixed(1) };
    });
  }
}

function height(count) {
  return BOTTOM - 8 - (Math.log(Math.max(count, LEAST) / LEAST) / Math.log(MOST / LEAST)) * (BOTTOM - 8 - TOP);
}
