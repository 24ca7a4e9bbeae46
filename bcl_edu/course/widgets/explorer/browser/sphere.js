// Where the class means lie: on the circle for up to three classes, in a sphere that can be turned for more.

import { classColour } from "../../browser/colours.js";
import { firstThreeAxes, referenceSimplex } from "./geometry.js";
import { classRadius } from "./palette.js";
import { html, picture, setAttributes, svg } from "./svg.js";
import { classRange, optimumInWords, scientific } from "./words.js";

const RADIUS = 100;
const CENTRE = 120;
const TURN_BY_KEY = Math.PI / 24;
/** Markers closer than this on the screen share a label. */
const LABEL_ROOM = 9;

/** How the sphere is seen; both pictures share one, so that they can be compared. */
export class Camera {
  constructor() {
    this.listeners = [];
    this.home();
  }

  home() {
    this.yaw = -0.35;
    this.pitch = 0.25;
    this.listeners.forEach((listener) => listener());
  }

  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, this.pitch + pitch));
    this.listeners.forEach((listener) => listener());
  }

  /** Screen coordinates (right, up, towards the viewer) of a point. */
  see([x, y, z]) {
    const right = Math.cos(this.yaw) * x + Math.sin(this.yaw) * z;
    const back = -Math.sin(this.yaw) * x + Math.cos(this.yaw) * z;
    return [
      right,
      Math.cos(this.pitch) * y - Math.sin(this.pitch) * back,
      Math.sin(this.pitch) * y + Math.cos(this.pitch) * back,
    ];
  }
}

/** One picture of class means. */
export class SphereView {
  constructor(parent, camera) {
    this.camera = camera;
    const figure = html("figure", {}, parent);
    this.root = picture({ class: "sphere", tabindex: "0" }, 2 * CENTRE, 2 * CENTRE, figure);
    const centred = svg("g", { transform: `translate(${CENTRE} ${CENTRE})` }, this.root);
    svg("circle", { r: RADIUS, class: "outline" }, centred);
    this.wires = svg("g", { class: "wires" }, centred);
    this.shapes = svg("g", {}, centred);
    const caption = html("figcaption", {}, figure);
    this.note = html("span", {}, caption);
    html("br", {}, caption);
    this.gap = html("span", {}, caption);
    camera.listeners.push(() => this.optimum && this.draw());
    this.listen();
  }

  /** Show an optimum. */
  update(optimum) {
    if (this.optimum?.numClasses !== optimum.numClasses) this.build(optimum.numClasses);
    this.optimum = optimum;
    const { points, kept } = firstThreeAxes(optimum.positions, optimum.numClasses);
    this.points = points;
    this.note.textContent = this.flat
      ? "exact, on the circle"
      : kept > 1 - 1e-4
        ? "exact, in three dimensions"
        : `projection: shows ${Math.round(100 * kept)} % of the squared length`;
    this.gap.textContent = optimum.certified
      ? `certified optimum: relative gap ≤ ${scientific(optimum.relativeGap)}`
      : `NOT CERTIFIED: relative gap ≤ ${scientific(optimum.relativeGap)}`;
    this.gap.title = `The loss is at most ${scientific(optimum.gap)} above its minimum; relative: to the part of it that geometry changes.`;
    this.gap.classList.toggle("warning", !optimum.certified);
    const turning = this.flat ? "" : " Arrow keys turn the sphere, Home turns it back.";
    this.root.setAttribute("aria-label", `Class means. ${optimumInWords(optimum)} ${this.note.textContent}.${turning}`);
    this.draw();
  }

  /** Elements for so many classes. */
  build(numClasses) {
    this.flat = numClasses <= 3;
    this.root.setAttribute("role", this.flat ? "img" : "application");
    this.wires.replaceChildren();
    this.shapes.replaceChildren();
    if (!this.flat) {
      this.circles = [0, 1, 2].map((normal) => ({
        normal,
        front: svg("path", {}, this.wires),
        back: svg("path", { class: "behind" }, this.wires),
      }));
    }
    this.reference = firstThreeAxes(referenceSimplex(numClasses), numClasses).points;
    this.ghosts = this.reference.map(() => svg("circle", { r: 4.5, class: "ghost" }, this.shapes));
    // up to four classes every edge of the simplex; beyond that the order from head to tail
    const pairs = [];
    for (let i = 0; i < numClasses; i++) {
      for (let j = i + 1; j < numClasses; j++) if (numClasses <= 4 || j === i + 1) pairs.push([i, j]);
    }
    this.edges = pairs.map((pair) => ({ pair, line: svg("line", { class: "edge" }, this.shapes) }));
    this.classes = this.reference.map((_, k) => {
      const group = svg("g", {}, this.shapes);
      const colour = classColour(k, numClasses);
      return {
        group,
        spoke: svg("line", { class: "spoke", stroke: colour, "stroke-width": 3.2 - (2 * k) / (numClasses - 1) }, group),
        dot: svg("circle", { class: "class-mean", r: classRadius(k, numClasses), fill: colour }, group),
        label: svg("text", { class: "class-label" }, group),
      };
    });
  }

  /** Move everything to where the camera sees it. */
  draw() {
    const see = this.flat ? ([x, y]) => [x, y, 1] : (point) => this.camera.see(point);
    const screen = this.points.map((point) => {
      const [x, y, depth] = see(point);
      return { x: RADIUS * x, y: -RADIUS * y, depth };
    });
    this.ghosts.forEach((ghost, k) => {
      const [x, y] = see(this.reference[k]);
      setAttributes(ghost, { cx: (RADIUS * x).toFixed(1), cy: (-RADIUS * y).toFixed(1) });
    });
    for (const { pair: [i, j], line } of this.edges) placeLine(line, screen[i], screen[j]);
    const labels = sharedLabels(screen);
    this.classes.forEach(({ group, spoke, dot, label }, k) => {
      const { x, y, depth } = screen[k];
      placeLine(spoke, { x: 0, y: 0 }, screen[k]);
      setAttributes(dot, { cx: x.toFixed(1), cy: y.toFixed(1) });
      group.setAttribute("opacity", (depth < 0 ? 1 + 0.45 * depth : 1).toFixed(2));
      label.textContent = labels[k];
      // outwards from the centre, where there is room
      const length = Math.hypot(x, y) || 1;
      const away = classRadius(k, screen.length) + 8;
      setAttributes(label, { x: (x + (away * x) / length).toFixed(1), y: (y + (away * y) / length + 4).toFixed(1) });
      label.style.textAnchor = x / length > 0.5 ? "start" : x / length < -0.5 ? "end" : "middle";
    });
    // what is behind is drawn first
    const order = screen.map((_, k) => k).sort((i, j) => screen[i].depth - screen[j].depth);
    if (order.some((k, place) => this.shapes.children[this.firstGroup() + place] !== this.classes[k].group)) {
      order.forEach((k) => this.shapes.append(this.classes[k].group));
    }
    if (!this.flat) this.drawWires(see);
  }

  firstGroup() {
    return this.ghosts.length + this.edges.length;
  }

  drawWires(see) {
    for (const { normal, front, back } of this.circles) {
      const paths = { front: "", back: "" };
      let side = "";
      for (let step = 0; step <= 72; step++) {
        const angle = (2 * Math.PI * step) / 72;
        const point = [0, 0, 0];
        point[(normal + 1) % 3] = Math.cos(angle);
        point[(normal + 2) % 3] = Math.sin(angle);
        const [x, y, depth] = see(point);
        const here = depth >= 0 ? "front" : "back";
        const place = `${(RADIUS * x).toFixed(1)},${(-RADIUS * y).toFixed(1)}`;
        if (side && here !== side) paths[side] += `L${place}`;
        paths[here] += `${here === side ? "L" : "M"}${place}`;
        side = here;
      }
      front.setAttribute("d", paths.front);
      back.setAttribute("d", paths.back);
    }
  }

  /** Turn by dragging and by the arrow keys. */
  listen() {
    let last = null;
    this.root.addEventListener("pointerdown", (event) => {
      if (this.flat) return;
      last = event;
      this.root.setPointerCapture(event.pointerId);
    });
    this.root.addEventListener("pointermove", (event) => {
      if (!last) return;
      const scale = (2 * CENTRE) / RADIUS / this.root.clientWidth;
      this.camera.turn((event.clientX - last.clientX) * scale, (event.clientY - last.clientY) * scale);
      last = event;
    });
    const release = () => (last = null);
    this.root.addEventListener("pointerup", release);
    this.root.addEventListener("pointercancel", release);
    const turns = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    this.root.addEventListener("keydown", (event) => {
      if (this.flat) return;
      if (event.key === "Home") this.camera.home();
      else if (turns[event.key]) this.camera.turn(...turns[event.key].map((sign) => sign * TURN_BY_KEY));
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }
}

function placeLine(line, from, to) {
  setAttributes(line, { x1: from.x.toFixed(1), y1: from.y.toFixed(1), x2: to.x.toFixed(1), y2: to.y.toFixed(1) });
}

/** A label for each class; classes that are in one place on the screen share that of the first. */
function sharedLabels(screen) {
  const labels = screen.map(() => "");
  const taken = new Set();
  screen.forEach((point, k) => {
    if (taken.has(k)) return;
    const together = screen.flatMap((other, j) =>
      j >= k && !taken.has(j) && Math.hypot(point.x - other.x, point.y - other.y) < LABEL_ROOM ? [j] : []);
    together.forEach((j) => taken.add(j));
    labels[k] = classRange(together);
  });
  return labels;
}
