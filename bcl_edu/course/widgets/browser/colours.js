// The colours of all widgets; bcl_edu.course.figures.style has the same ones for figures, and a test compares them.

/** From the most frequent class to the rarest; used for nothing else. */
export const HEAD = "#2f7fc1";
export const MIDDLE = "#85798c";
export const TAIL = "#d55e00";

/**
 * Methods, on every page: a colour that stands out from a white and from a dark page, the one where the page is dark for
 * certain, a dash (as in SVG), and the symbol of its markers.
 */
export const METHODS = {
  ce: { colour: "#919191", dark: "#919191", dash: "2 3", symbol: "circle-open" },
  lc: { colour: "#7b6430", dark: "#8d7a4d", dash: "8 3 2 3", symbol: "square-open" },
  scl: { colour: "#843dc4", dark: "#9b62cf", dash: "", symbol: "circle" },
  "scl-complement": { colour: "#ef4ee1", dark: "#ef4ee1", dash: "3 3", symbol: "triangle-down" },
  "scl-averaging": { colour: "#7d4afe", dark: "#8a5cfe", dash: "10 4", symbol: "triangle-up" },
  bcl: { colour: "#029c64", dark: "#029c64", dash: "", symbol: "square" },
  "bcl-inside": { colour: "#729f46", dark: "#729f46", dash: "10 4", symbol: "cross" },
  "bcl-prototypes": { colour: "#b9118b", dark: "#ca4aa7", dash: "8 3 2 3", symbol: "star" },
  "bcl-class-anchors": { colour: "#1d6e5f", dark: "#46887c", dash: "6 3", symbol: "diamond" },
};

/** A method's colour as CSS, for the theme of where it is drawn. */
export function methodPaint(method) {
  return `light-dark(${METHODS[method].colour}, ${METHODS[method].dark})`;
}

/** From blue (head, class 0) through grey to orange (tail, class K - 1). */
export function classColour(classId, numClasses) {
  const fraction = classId / (numClasses - 1);
  return fraction < 0.5 ? mix(HEAD, MIDDLE, 2 * fraction) : mix(MIDDLE, TAIL, 2 * fraction - 1);
}

/** The colour at this share of the way from one to another. */
export function mix(from, to, share) {
  const channel = (colour, place) => parseInt(colour.slice(place, place + 2), 16);
  const mixed = [1, 3, 5].map((place) => {
    const start = channel(from, place);
    return Math.round(start + (channel(to, place) - start) * share);
  });
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}
