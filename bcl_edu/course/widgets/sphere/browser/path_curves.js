// One number over the steps of training, for both losses, from the start until now.

import { html } from "../../explorer/browser/svg.js";
import { SharpCanvas } from "./sharp_canvas.js";
import { METHODS } from "../../browser/colours.js";

const LEFT = 34;
const BOTTOM = 22;
const TOP = 10;
const RIGHT = 8;
/** Beyond so many moments every second one is dropped, so that a long run costs no more than a short one. */
const MOST_MOMENTS = 800;
/** Steps between two changes that are shown as one: a slider that is moved. */
const ONE_CHANGE = 15;

/** What was measured at which step. */
export class History {
  constructor() {
    this.clear();
  }

  clear() {
    this.steps = [];
    this.rows = [];
    this.every = 1;
    this.changes = [];
  }

  /** @param {object[]} row - for each side: deviation, distance */
  add(step, row) {
    if (step % this.every) return;
    this.steps.push(step);
    this.rows.push(row);
    if (this.steps.length <= MOST_MOMENTS) return;
    this.every *= 2;
    const kept = this.steps.map((at) => at % this.every === 0);
    this.steps = this.steps.filter((_, i) => kept[i]);
    this.rows = this.rows.filter((_, i) => kept[i]);
  }

  /** Note that the reader changed something at this step. */
  mark(step) {
    const last = this.changes.at(-1);
    if (last && step - last.to <= ONE_CHANGE) last.to = step;
    else this.changes.push({ from: step, to: step });
  }
}

export class PathCurve {
  /**
   * @param {HTMLElement} parent
   * @param {string} what - name of the number in the rows of the history
   * @param {string} title
   * @param {string} note - what it means
   */
  constructor(parent, what, title, note, redraw) {
    this.what = what;
    const figure = html("figure", { class: `curve ${what}` }, parent);
    const caption = html("figcaption", {}, figure, `${title} `);
    html("span", {}, caption, note);
    this.sheet = new SharpCanvas(figure, { role: "img" }, 0.42, redraw);
  }

  /**
   * @param {History} history
   * @param {string[]} losses - names of both
   * @param {?number[]} goals - of both, drawn as a thin line
   */
  draw(history, losses, goals, numClasses, colours) {
    const pen = this.sheet.begin();
    if (!pen) return;
    const { width, height } = this.sheet;
    const highest = 1 + 1 / (numClasses - 1); // all class means in one point
    const last = Math.max(60, history.steps.at(-1) ?? 0);
    const x = (step) => LEFT + ((width - LEFT - RIGHT) * step) / last;
    const y = (value) => TOP + (height - TOP - BOTTOM) * (1 - Math.min(value / highest, 1));
    pen.fillStyle = colours.shade;
    for (const { from, to } of history.changes) {
      pen.fillRect(x(from) - 1, TOP, Math.max(2, x(to) - x(from)), height - TOP - BOTTOM);
    }
    this.axes(pen, x, y, last, colours);
    losses.forEach((loss, side) => {
      const { dash } = METHODS[loss];
      pen.strokeStyle = METHODS[loss][colours.dark ? "dark" : "colour"];
      if (goals) {
        pen.globalAlpha = 0.7;
        pen.lineWidth = 1;
        pen.setLineDash([1, 3]);
        pen.beginPath();
        pen.moveTo(LEFT, y(goals[side]));
        pen.lineTo(width - RIGHT, y(goals[side]));
        pen.stroke();
        pen.globalAlpha = 1;
      }
      pen.lineWidth = 2.2;
      // two curves of one loss are both seen: the second lies in the gaps of a dash
      pen.setLineDash(dash ? dash.split(" ").map(Number) : side && losses[0] === loss ? [4, 4] : []);
      pen.beginPath();
      history.steps.forEach((step, i) => pen.lineTo(x(step), y(history.rows[i][side][this.what])));
      pen.stroke();
      pen.setLineDash([]);
    });
  }

  axes(pen, x, y, last, colours) {
    const { width, height } = this.sheet;
    pen.strokeStyle = colours.line;
    pen.lineWidth = 1;
    for (const value of [0, 0.5, 1]) {
      pen.beginPath();
      pen.moveTo(LEFT, y(value));
      pen.lineTo(width - RIGHT, y(value));
      pen.stroke();
      this.sheet.write(String(value), LEFT - 6, y(value), { colour: colours.quiet, size: 12, align: "right" });
    }
    this.sheet.write(`step ${last}`, width - RIGHT, height - 9, { colour: colours.quiet, size: 12, align: "right" });
    this.sheet.write("0", LEFT, height - 9, { colour: colours.quiet, size: 12 });
  }

  /** Put what is drawn in words. */
  say(text) {
    this.sheet.canvas.setAttribute("aria-label", text);
  }

  remove() {
    this.sheet.remove();
  }
}
