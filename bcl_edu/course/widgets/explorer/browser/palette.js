// What only the explorer draws: cosines, sizes from head to tail, and the two losses that are compared.

import { mix } from "../../browser/colours.js";

/** Pale at the regular simplex, blue where classes are further apart, orange where they are closer. */
export const APART = "#6aa5dc";
export const SIMPLEX = "#f4f2ee";
export const CLOSE = "#f08a3c";

/** The two losses that are compared: colour, dash and marker all tell them apart. */
export const SERIES = [
  { colour: "#009e73", dash: "", marker: "circle" },
  { colour: "#b0628f", dash: "5 3", marker: "square" },
];

/** Marker radius, falling from head to tail. */
export function classRadius(classId, numClasses) {
  return 9 - (5 * classId) / (numClasses - 1);
}

/** Colour of a cosine; the square root brings out small deviations, and the scale is the same in every picture. */
export function cosineColour(cosine, numClasses) {
  const simplex = -1 / (numClasses - 1);
  const share = Math.min(1, Math.sqrt(Math.abs(cosine - simplex) / (1 - simplex)));
  return mix(SIMPLEX, cosine < simplex ? APART : CLOSE, share);
}
