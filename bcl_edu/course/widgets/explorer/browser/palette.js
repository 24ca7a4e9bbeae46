// The visual language of bcl_edu.course.figures: blue is the head, orange the tail, and size says the same without colour.

export const HEAD = "#2f7fc1";
export const MIDDLE = "#85798c";
export const TAIL = "#d55e00";

/** Pale at the regular simplex, blue where classes are further apart, orange where they are closer. */
export const APART = "#6aa5dc";
export const SIMPLEX = "#f4f2ee";
export const CLOSE = "#f08a3c";

/** The two losses that are compared: colour, dash and marker all tell them apart. */
export const SERIES = [
  { colour: "#009e73", dash: "", marker: "circle" },
  { colour: "#b0628f", dash: "5 3", marker: "square" },
];

/** From blue (head, class 0) through grey to orange (tail, class K - 1). */
export function classColour(classId, numClasses) {
  const fraction = classId / (numClasses - 1);
  return fraction < 0.5 ? mix(HEAD, MIDDLE, 2 * fraction) : mix(MIDDLE, TAIL, 2 * fraction - 1);
}

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

function mix(from, to, share) {
  const channel = (colour, place) => parseInt(colour.slice(place, place + 2), 16);
  const mixed = [1, 3, 5].map((place) => {
    const start = channel(from, place);
    return Math.round(start + (channel(to, place) - start) * share);
  });
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}
