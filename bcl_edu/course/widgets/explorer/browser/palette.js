// What only the explorer draws: sizes from head to tail, angles, and markers of losses.

import { methodPaint, METHODS } from "../../browser/colours.js";
import { put } from "./svg.js";

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

/** How the curve of a loss is drawn. */
export function lineOf(loss) {
  return { stroke: methodPaint(loss), "stroke-dasharray": METHODS[loss].dash };
}

/** Outlines of the symbols that the losses to choose from have in figures, around the origin. */
const SYMBOLS = {
  circle: "M-5.6,0a5.6,5.6 0 1 0 11.2,0a5.6,5.6 0 1 0 -11.2,0Z",
  square: "M-4.6,-4.6h9.2v9.2h-9.2Z",
  diamond: "M0,-6L6,0L0,6L-6,0Z",
  "triangle-up": "M0,-6.2L6,4.4H-6Z",
  "triangle-down": "M0,6.2L-6,-4.4H6Z",
};

/** Give a path the shape and colour of a loss's marker; an open symbol is a line around the page. */
export function putMarker(path, loss) {
  const { symbol } = METHODS[loss];
  const open = symbol.endsWith("-open");
  const paint = methodPaint(loss);
  put(path, {
    class: open ? "here open" : "here",
    d: SYMBOLS[symbol.replace("-open", "")],
    fill: open ? "var(--page)" : paint,
    stroke: open ? paint : "var(--page)",
  });
}
