// What only the explorer draws: sizes from head to tail, angles, and markers of the two losses.

import { methodPaint, METHODS } from "../../browser/colours.js";
import { svg } from "./svg.js";

/** Wider angles than the simplex's are teal, narrower ones magenta; an angle of the simplex is the page itself. */
const APART = "0 146 168";
const CLOSE = "198 40 130";
/** No cell is painted more strongly, so that its number stays readable in both themes. */
const STRONGEST = 0.6;

/** Marker radius, falling from head to tail. */
export function classRadius(classId, numClasses) {
  return 9 - (5 * classId) / (numClasses - 1);
}

/** Colour of an angle by its cosine; the square root brings out small deviations, and the scale is always the same. */
export function angleColour(cosine, numClasses) {
  const simplex = -1 / (numClasses - 1);
  const share = Math.min(1, Math.sqrt(Math.abs(cosine - simplex) / (1 - simplex)));
  // in fifty steps: a slider's small move leaves most cells as they are
  return `rgb(${cosine < simplex ? APART : CLOSE} / ${(STRONGEST * Math.round(50 * share) / 50).toFixed(3)})`;
}

/** How the curve of a loss is drawn; two of the same loss are told apart by their markers, one for each side. */
export function lineOf(loss) {
  return { stroke: methodPaint(loss), "stroke-dasharray": METHODS[loss].dash };
}

/** The marker of the first or the second loss, around the origin. */
export function drawMarker(side, parent) {
  return side === 0
    ? svg("circle", { r: 5.6, class: "here" }, parent)
    : svg("rect", { x: -4.6, y: -4.6, width: 9.2, height: 9.2, class: "here" }, parent);
}
