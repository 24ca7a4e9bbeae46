// A picture of both spheres as a PNG: what the page draws, with the styles that it has at this moment.

import { LOSSES } from "./losses.js";
import { svg } from "./svg.js";
import { settingsInWords } from "./words.js";

const SIDE = 560;
const HEADING = 96;
const STYLES = [
  "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "stroke-linejoin", "opacity",
  "paint-order", "font-family", "font-size", "font-weight", "text-anchor", "visibility", "display",
];

/**
 * @param {Explorer} explorer
 * @returns {Promise<Blob>} image/png, of twice the resolution
 */
export async function photograph(explorer) {
  const { color, backgroundColor, fontFamily } = getComputedStyle(explorer.root);
  const [width, height] = [2 * SIDE, SIDE + HEADING];
  const sheet = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "font-family": fontFamily });
  svg("rect", { width, height, fill: backgroundColor }, sheet);
  const line = (x, y, size, weight, text) => {
    svg("text", { x, y, fill: color, "font-size": size, "font-weight": weight }, sheet).textContent = text;
  };
  line(24, 34, 17, 400, settingsInWords(explorer.settings));
  explorer.panels.forEach((panel, side) => {
    const left = side * SIDE;
    line(left + 24, 68, 22, 700, LOSSES[panel.optimum.loss].label);
    const numbers = `${panel.tail.textContent} between the two rarest, simplex deviation ${panel.deviation.textContent}`;
    line(left + 24, 92, 16, 400, numbers);
    const copy = styled(panel.sphere.root);
    for (const [name, value] of Object.entries({ x: left + 30, y: HEADING, width: SIDE - 60, height: SIDE - 60 })) {
      copy.setAttribute(name, value);
    }
    sheet.append(copy);
  });
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(sheet))}`;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * height });
  canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

/** A copy of a drawing that needs no style sheet. */
function styled(element) {
  const copy = element.cloneNode(true);
  const originals = [element, ...element.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((part, i) => {
    const style = getComputedStyle(originals[i]);
    part.removeAttribute("class");
    part.setAttribute("style", STYLES.map((name) => `${name}: ${style.getPropertyValue(name)}`).join("; "));
  });
  return copy;
}
