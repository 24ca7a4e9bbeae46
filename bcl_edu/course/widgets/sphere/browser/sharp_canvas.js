// A canvas as wide as its place on the page, sharp on every screen, and the colours of the page to draw with.

import { html } from "../../explorer/browser/svg.js";

const SHARPEST = 3;

export class SharpCanvas {
  /**
   * @param {HTMLElement} parent
   * @param {object} attributes - of the canvas element
   * @param {number} ratio - height over width
   * @param {function(): void} redraw - called when the size has changed
   */
  constructor(parent, attributes, ratio, redraw) {
    this.canvas = html("canvas", attributes, parent);
    this.canvas.style.aspectRatio = `1 / ${ratio}`;
    this.ratio = ratio;
    this.width = 0;
    this.pen = this.canvas.getContext("2d");
    this.observer = new ResizeObserver(() => {
      if (this.fit()) redraw();
    });
    this.observer.observe(this.canvas);
  }

  /** Give the canvas the pixels of the screen; whether anything changed. */
  fit() {
    const sharpness = Math.min(SHARPEST, window.devicePixelRatio || 1);
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    if (!width || (width === this.width && height === this.height && sharpness === this.sharpness)) return false;
    Object.assign(this, { width, height, sharpness });
    this.canvas.width = Math.round(width * sharpness);
    this.canvas.height = Math.round(height * sharpness);
    return true;
  }

  /** An empty canvas in CSS pixels; null while it has no place on the page. */
  begin() {
    if (!this.width && !this.fit()) return null;
    this.pen.setTransform(this.sharpness, 0, 0, this.sharpness, 0, 0);
    this.pen.clearRect(0, 0, this.width, this.height);
    return this.pen;
  }

  /** Where a text will stand, moved so that nothing is cut off at the edges. */
  place(text, x, y, { size = 13, weight = 400, align = "center" }) {
    const { pen } = this;
    this.family ??= getComputedStyle(this.canvas).fontFamily;
    pen.font = `${weight} ${size}px ${this.family}`;
    const wide = pen.measureText(text).width;
    const wanted = x - { left: 0, center: wide / 2, right: wide }[align];
    const left = wanted + Math.max(0, 2 - wanted) - Math.max(0, wanted + wide + 2 - this.width);
    const top = Math.max(2, Math.min(this.height - size - 2, y - size / 2));
    return { left, right: left + wide, top, bottom: top + size };
  }

  /** Write a text with a halo in the colour of the page, so that it is read on whatever is behind it. */
  write(text, x, y, { colour, halo = null, size = 13, weight = 400, align = "center" }) {
    const { pen } = this;
    const { left, top } = this.place(text, x, y, { size, weight, align });
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    if (halo) {
      pen.lineJoin = "round";
      pen.lineWidth = 4;
      pen.strokeStyle = halo;
      pen.strokeText(text, left, top + size / 2);
    }
    pen.fillStyle = colour;
    pen.fillText(text, left, top + size / 2);
  }

  remove() {
    this.observer.disconnect();
  }
}

/** Colours of the page, by the names that the style sheet gives them. */
export function pageColours(root) {
  const style = getComputedStyle(root);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: colour("ink"),
    quiet: colour("quiet"),
    page: colour("page"),
    line: colour("line"),
    ball: colour("ball"),
    shade: colour("shade"),
    rare: colour("rare"),
    dark: colour("dark") === "1",
  };
}
