// All angles between class means at once: exact in any dimension.

import { watchTheme } from "../../browser/theme.js";
import { angleColour } from "./palette.js";
import { html, put, write } from "./svg.js";
import { className, degrees } from "./words.js";

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
/** Heights in pixels of the caption and of a row, few classes and many. */
const CAPTION = 22;
const ROW = { few: 27, many: 24 };
const MANY = 6;
/** Width and height in pixels of a number, and how many of the numbers from 0° to 180° stand in a row of their sheet. */
const NUMBER = { width: 44, height: 20 };
const IN_A_ROW = 14;

/**
 * The lower triangle of the matrix of angles, in degrees, head first; one cell can be pointed at.
 *
 * What is seen is painted on a canvas, since laying out ninety numbers anew takes a browser longer than a frame. In front
 * of it lies the same table, transparent: it is read out, pointed at and reached by keyboard. `say` brings its numbers
 * up to date.
 */
export class AngleTable {
  /**
   * @param {HTMLElement} parent
   * @param {function(?number[]): void} point - called with the pair of classes that the reader points at, or null
   */
  constructor(parent, point) {
    this.point = point;
    this.pair = null;
    this.root = html("div", { class: "angles" }, parent);
    this.canvas = html("canvas", { "aria-hidden": "true" }, this.root);
    this.table = html("table", {}, this.root);
    this.table.addEventListener("keydown", (event) => this.hearKey(event));
    this.table.addEventListener("pointerleave", () => this.point(this.focused ?? null));
    this.size = new ResizeObserver(() => this.resize());
    this.size.observe(this.root);
    this.forgetTheme = watchTheme(() => this.resize());
    this.fontsCame = () => {
      this.looks = null;
      this.resize();
    };
    document.fonts.addEventListener("loadingdone", this.fontsCame);
  }

  /** Show the angles of an optimum. */
  update(optimum) {
    const others = this.optimum?.numClasses !== optimum.numClasses;
    this.optimum = optimum;
    if (others) this.build(optimum.numClasses);
    this.paint();
  }

  /** Mark the cell of these two classes; null: none. */
  light(pair) {
    this.pair = pair;
    if (this.optimum) this.paint();
  }

  /** Bring what is read out up to date, and the colours, if the theme has changed. */
  say() {
    const { gram, numClasses } = this.optimum;
    for (const { pair: [i, j], cell } of this.cells) write(cell, degrees(gram[i * numClasses + j], 0));
    this.resize();
  }

  /** Fit the canvas to the page and to the theme, and paint everything anew if that changes anything. */
  resize() {
    if (!this.optimum || !this.root.clientWidth) return; // on a phone one of two panels is hidden
    const style = getComputedStyle(this.root);
    this.look = {
      ink: style.color,
      quiet: style.getPropertyValue("--quiet"),
      line: style.getPropertyValue("--line"),
      family: style.fontFamily,
    };
    const scale = window.devicePixelRatio || 1;
    this.width = this.root.clientWidth;
    this.height = this.root.clientHeight;
    const looks = JSON.stringify([this.look, scale, this.width, this.height, this.optimum.numClasses]);
    if (looks === this.looks) return;
    this.looks = looks;
    Object.assign(this.canvas, { width: Math.round(this.width * scale), height: Math.round(this.height * scale) });
    const context = this.canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    Object.assign(this, { context, scale });
    this.paintNames();
    this.paint();
  }

  /** Everything but the angles. */
  paintNames() {
    const { context } = this;
    const { numClasses } = this.optimum;
    context.clearRect(0, 0, this.width, this.height);
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.fillStyle = this.look.quiet;
    context.font = `13px ${this.look.family}`;
    context.fillText(caption(numClasses), 0, CAPTION / 2);
    context.textAlign = "center";
    for (let k = 0; k < numClasses; k++) {
      const { x, y, width, height } = this.place(k, -1);
      const name = className(k, numClasses);
      if (k > 0) context.fillText(name, x + width / 2, y + height / 2, width);
      const above = this.place(0, k);
      if (k < numClasses - 1) context.fillText(name, above.x + above.width / 2, above.y + above.height / 2, above.width);
    }
    this.painted = [];
    this.sheet = null;
  }

  /** The angles that are not as they are painted. */
  paint() {
    if (!this.context) return;
    const { context, look } = this;
    const { gram, numClasses } = this.optimum;
    this.sheet ??= this.numbers();
    this.cells.forEach(({ pair: [i, j] }, position) => {
      const cosine = gram[i * numClasses + j];
      const angle = Number.parseInt(degrees(cosine, 0));
      const colour = angleColour(cosine, numClasses);
      const lit = this.pair !== null && this.pair.includes(i) && this.pair.includes(j);
      const state = `${angle} ${colour} ${lit}`;
      if (this.painted[position] === state) return;
      this.painted[position] = state;
      const { x, y, width, height } = this.place(i, j);
      context.clearRect(x, y, width, height);
      context.fillStyle = colour;
      context.fillRect(x + 1, y + 1, width - 2, height - 2);
      context.strokeStyle = lit ? look.ink : look.line;
      context.lineWidth = lit ? 2 : 1;
      context.strokeRect(x + 1.5, y + 1.5, width - 3, height - 3);
      this.paintNumber(angle, x + width / 2, y + height / 2);
    });
  }

  /** Copy a number to the canvas, pixel by pixel. */
  paintNumber(angle, x, y) {
    const { sheet: { picture, cell }, scale } = this;
    const whole = (pixels) => Math.round(pixels * scale) / scale;
    const [width, height] = [cell.width / scale, cell.height / scale];
    const [left, top] = onSheet(angle, cell);
    this.context.drawImage(
      picture, left, top, cell.width, cell.height, whole(x - width / 2), whole(y - height / 2), width, height);
  }

  /**
   * All numbers from 0° to 180°, written once. Text on a canvas of the page makes browsers lay out the page at once, and
   * a new picture for each number that turns up costs more than copying a part of one.
   */
  numbers() {
    const width = Math.min(NUMBER.width, this.place(1, 0).width);
    const cell = { width: Math.ceil(width * this.scale), height: Math.ceil(NUMBER.height * this.scale) };
    const canvas = new OffscreenCanvas(IN_A_ROW * cell.width, Math.ceil(181 / IN_A_ROW) * cell.height);
    const context = canvas.getContext("2d");
    Object.assign(context, { fillStyle: this.look.ink, textAlign: "center", textBaseline: "middle" });
    context.font = `${this.scale * (this.optimum.numClasses > MANY ? 13 : 14)}px ${this.look.family}`;
    for (let angle = 0; angle <= 180; angle++) {
      const [left, top] = onSheet(angle, cell);
      context.fillText(`${angle}°`, left + cell.width / 2, top + cell.height / 2, cell.width);
    }
    return { picture: canvas.transferToImageBitmap(), cell }; // a canvas would be brought up to date for every copy
  }

  /** Leave the page. */
  remove() {
    this.size.disconnect();
    this.forgetTheme();
    document.fonts.removeEventListener("loadingdone", this.fontsCame);
  }

  /** Where the angle between classes i and j is; column -1 has the names of the rows. */
  place(i, j) {
    const { numClasses } = this.optimum;
    const [width, height] = [this.width / numClasses, rowHeight(numClasses)];
    return { x: (j + 1) * width, y: CAPTION + i * height, width, height };
  }

  build(numClasses) {
    this.focused = null;
    this.pair = null;
    this.looks = null;
    put(this.root, { style: `height: ${CAPTION + numClasses * rowHeight(numClasses)}px` });
    this.table.replaceChildren();
    html("caption", { style: `height: ${CAPTION}px` }, this.table, caption(numClasses));
    const height = { style: `height: ${rowHeight(numClasses)}px` };
    const head = html("tr", height, html("thead", {}, this.table));
    html("td", {}, head);
    for (let j = 0; j < numClasses - 1; j++) html("th", { scope: "col" }, head, className(j, numClasses));
    const body = html("tbody", {}, this.table);
    this.cells = [];
    for (let i = 1; i < numClasses; i++) {
      const row = html("tr", height, body);
      html("th", { scope: "row" }, row, className(i, numClasses));
      for (let j = 0; j < i; j++) {
        // one stop of the Tab key for the whole table; arrow keys lead from cell to cell
        const cell = html("td", { class: "angle", tabindex: this.cells.length ? -1 : 0 }, row);
        const pair = [i, j];
        cell.addEventListener("pointerenter", () => this.point(pair));
        cell.addEventListener("focus", () => {
          this.focused = pair;
          this.point(pair);
        });
        cell.addEventListener("blur", () => {
          this.focused = null;
          this.point(null);
        });
        this.cells.push({ pair, cell });
      }
    }
    this.resize();
  }

  hearKey(event) {
    if (event.key === "Escape") return document.activeElement.blur();
    const step = STEPS[event.key];
    if (!step || !this.focused) return;
    event.preventDefault();
    event.stopPropagation();
    const [i, j] = this.focused.map((value, axis) => value + step[axis]);
    const next = this.cells.find(({ pair }) => pair[0] === i && pair[1] === j);
    if (!next) return;
    for (const { cell } of this.cells) put(cell, { tabindex: cell === next.cell ? 0 : -1 });
    next.cell.focus();
  }
}

/** Where a number is on the sheet of all of them. */
function onSheet(angle, { width, height }) {
  return [(angle % IN_A_ROW) * width, Math.floor(angle / IN_A_ROW) * height];
}

function caption(numClasses) {
  return `Angles between class means (simplex: ${degrees(-1 / (numClasses - 1), 1)})`;
}

function rowHeight(numClasses) {
  return numClasses > MANY ? ROW.many : ROW.few;
}
