// Where the class means lie: on the circle for up to three classes, in a sphere that can be turned for more.

import { classColour, methodPaint } from "../../browser/colours.js";
import { firstThreeAxes, referenceSimplex } from "./geometry.js";
import { classRadius } from "./palette.js";
import { html, picture, put, svg, write } from "./svg.js";
import { className, classRange, degrees, optimumInWords } from "./words.js";

const RADIUS = 100;
/** The picture reaches this far from the centre: the sphere, and a label beside it. */
const REACH = 124;
const TURN_BY_KEY = Math.PI / 24;
/** Markers closer than this on the screen share a label. */
const LABEL_ROOM = 9;
/** With more classes than this, not every two are joined, and there are no faces to fill. */
const MOST_JOINED = 4;
/** Points of an arc. */
const ARC_STEPS = 12;

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
    this.root = picture({ class: "sphere", tabindex: "0" }, 2 * REACH, 2 * REACH, figure);
    const centred = svg("g", { transform: `translate(${REACH} ${REACH})` }, this.root);
    svg("circle", { r: RADIUS, class: "outline" }, centred);
    this.wires = svg("g", { class: "wires" }, centred);
    this.shapes = svg("g", {}, centred);
    this.lit = svg("g", { class: "lit-pair", visibility: "hidden" }, centred);
    this.litArc = svg("path", {}, this.lit);
    this.litAngle = svg("text", { "text-anchor": "middle" }, this.lit);
    this.note = html("figcaption", {}, figure);
    camera.listeners.push(() => {
      this.turned = true;
      if (this.optimum) this.draw();
    });
    this.listen();
  }

  /** Show an optimum. */
  update(optimum) {
    if (this.optimum?.numClasses !== optimum.numClasses) this.build(optimum.numClasses);
    this.optimum = optimum;
    const { points, kept } = firstThreeAxes(optimum.positions, optimum.numClasses);
    this.points = points;
    const colour = methodPaint(optimum.loss);
    for (const { shape } of this.faces) put(shape, { fill: colour });
    put(this.edges, { stroke: colour });
    write(this.note, this.flat
      ? "exact, on the circle"
      : kept > 1 - 1e-4
        ? "exact, in three dimensions"
        : `projection: shows ${Math.round(100 * kept)} % of the squared length`);
    this.draw();
  }

  /** Put in words what is shown. */
  say() {
    const turning = this.flat ? "" : " Arrow keys turn the sphere, Home turns it back.";
    const words = `Class means. ${optimumInWords(this.optimum)} ${this.note.textContent}.${turning}`;
    put(this.root, { "aria-label": words });
  }

  /** Point at two classes; null: at none. */
  light(pair) {
    this.pair = pair;
    put(this.lit, { visibility: pair ? "visible" : "hidden" });
    this.root.classList.toggle("pointing", pair !== null);
    this.classes?.forEach(({ group }, k) => group.classList.toggle("lit", pair?.includes(k) ?? false));
    if (pair) this.drawPair(this.seeing());
  }

  /** Elements for so many classes. */
  build(numClasses) {
    this.flat = numClasses <= 3;
    this.turned = true;
    this.pair = null;
    put(this.lit, { visibility: "hidden" });
    put(this.root, { role: this.flat ? "img" : "application" });
    this.root.classList.toggle("turns", !this.flat);
    this.wires.replaceChildren();
    this.shapes.replaceChildren();
    this.circles = this.flat ? [] : [0, 1, 2].map((normal) => ({
      normal,
      front: svg("path", {}, this.wires),
      back: svg("path", { class: "behind" }, this.wires),
    }));
    this.reference = firstThreeAxes(referenceSimplex(numClasses), numClasses).points;
    const all = Array.from({ length: numClasses }, (_, k) => k);
    const pairs = all.flatMap((i) => all.slice(i + 1).map((j) => [i, j]));
    const joined = numClasses <= MOST_JOINED;
    const triples = joined ? all.flatMap((i) => all.slice(i + 1).flatMap((j) => all.slice(j + 1).map((k) => [i, j, k]))) : [];
    this.faces = triples.map((triple) => ({ triple, shape: svg("path", { class: "face" }, this.shapes) }));
    // the regular simplex: edges, and a ring for each class that it should be in
    this.frame = joined ? pairs.map((pair) => ({ pair, line: svg("path", { class: "regular" }, this.shapes) })) : [];
    this.homes = all.map((k) => ({
      ring: svg("circle", { r: 5, class: "ghost", stroke: classColour(k, numClasses) }, this.shapes),
      // in a projection of many classes the ways home would be a tangle
      arc: joined ? svg("path", { class: "from-home", stroke: classColour(k, numClasses) }, this.shapes) : null,
    }));
    // up to four classes every edge; beyond that the order from head to tail
    this.joins = pairs.filter(([i, j]) => joined || j === i + 1);
    this.edges = svg("path", { class: "edge" }, this.shapes);
    this.classes = all.map((k) => {
      const group = svg("g", { class: "class" }, this.shapes);
      const colour = classColour(k, numClasses);
      const place = svg("g", {}, group); // moved in the label's stead: browsers lay out a text that is moved itself
      return {
        group,
        place,
        spoke: svg("path", { class: "spoke", stroke: colour, "stroke-width": 3.2 - (2 * k) / (numClasses - 1) }, group),
        dot: svg("circle", { class: "class-mean", r: classRadius(k, numClasses), fill: colour }, group),
        label: svg("text", { class: "class-label", x: 0, y: 4 }, place),
      };
    });
    this.order = all;
  }

  seeing() {
    return this.flat ? ([x, y]) => [x, y, 1] : (point) => this.camera.see(point);
  }

  /** Move everything to where the camera sees it. */
  draw() {
    const see = this.seeing();
    const { numClasses } = this.optimum;
    const screen = this.points.map((point) => onScreen(see(point)));
    if (this.turned) {
      this.turned = false;
      this.homes.forEach(({ ring }, k) => put(ring, { transform: moved(onScreen(see(this.reference[k]))) }));
      for (const { pair, line } of this.frame) {
        put(line, { d: polyline(pair.map((k) => onScreen(see(this.reference[k])))) });
      }
      this.drawWires(see);
    }
    this.homes.forEach(({ arc }, k) => arc && put(arc, { d: this.arc(see, this.reference[k], this.points[k]) }));
    for (const { triple, shape } of this.faces) put(shape, { d: `${polyline(triple.map((k) => screen[k]))}Z` });
    put(this.edges, { d: this.joins.map((pair) => polyline(pair.map((k) => screen[k]))).join("") });
    const labels = sharedLabels(screen, numClasses);
    this.classes.forEach(({ spoke, dot, place, label }, k) => {
      const { x, y, depth } = screen[k];
      put(spoke, { d: `M0,0L${x.toFixed(1)},${y.toFixed(1)}` });
      put(dot, { transform: moved(screen[k]) });
      const opacity = (depth < 0 ? 1 + 0.45 * depth : 1).toFixed(2);
      put(spoke, { "stroke-opacity": opacity });
      put(dot, { "fill-opacity": opacity });
      write(label, labels[k]);
      // outwards from the centre, where there is room
      const length = Math.hypot(x, y) || 1;
      const away = classRadius(k, numClasses) + 7;
      const side = x / length > 0.5 ? "start" : x / length < -0.5 ? "end" : "middle";
      put(place, { transform: moved({ x: x + (away * x) / length, y: y + (away * y) / length }) });
      put(label, { "text-anchor": side });
    });
    // what is behind is drawn first
    const order = screen.map((_, k) => k).sort((i, j) => screen[i].depth - screen[j].depth);
    if (order.some((k, place) => k !== this.order[place])) {
      this.order = order;
      order.forEach((k) => this.shapes.append(this.classes[k].group));
    }
    if (this.pair) this.drawPair(see);
  }

  /** An arc between two classes, with the angle that it spans. */
  drawPair(see) {
    const { gram, numClasses } = this.optimum;
    const [from, to] = this.pair.map((k) => this.points[k]);
    put(this.litArc, { d: this.arc(see, from, to) });
    const { x, y } = onScreen(see(between(from, to, 0.5)));
    put(this.litAngle, { transform: moved({ x: 0.86 * x, y: 0.86 * y + 5 }) });
    write(this.litAngle, degrees(gram[this.pair[0] * numClasses + this.pair[1]], 1));
  }

  /** The way from one point to another along the sphere (in a projection, at the lengths that are left). */
  arc(see, from, to) {
    if (Math.hypot(...from.map((value, i) => value - to[i])) < 0.01) return "";
    return polyline(Array.from({ length: ARC_STEPS + 1 }, (_, step) => onScreen(see(between(from, to, step / ARC_STEPS)))));
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
      put(front, { d: paths.front });
      put(back, { d: paths.back });
    }
  }

  /** Turn by dragging and by the arrow keys. A finger that moves up or down scrolls the page (see the style sheet). */
  listen() {
    let last = null;
    this.root.addEventListener("pointerdown", (event) => {
      if (this.flat || event.button !== 0) return;
      last = event;
      this.root.setPointerCapture(event.pointerId);
    });
    this.root.addEventListener("pointermove", (event) => {
      if (!last) return;
      const scale = (2 * REACH) / RADIUS / this.root.clientWidth;
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

function onScreen([x, y, depth]) {
  return { x: RADIUS * x, y: -RADIUS * y, depth };
}

function moved({ x, y }) {
  return `translate(${x.toFixed(1)} ${y.toFixed(1)})`;
}

function polyline(points) {
  return `M${points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}`;
}

/** The point at this share of the way along the sphere; lengths other than 1 change evenly. */
function between(from, to, share) {
  const mixed = from.map((value, i) => value + share * (to[i] - value));
  const length = Math.hypot(...mixed);
  const wanted = (1 - share) * Math.hypot(...from) + share * Math.hypot(...to);
  return length < 1e-9 ? mixed : mixed.map((value) => (value * wanted) / length);
}

/** A label for each class; classes that are in one place on the screen share that of the first. */
function sharedLabels(screen, numClasses) {
  const labels = screen.map(() => "");
  const taken = new Set();
  screen.forEach((point, k) => {
    if (taken.has(k)) return;
    const together = screen.flatMap((other, j) =>
      j >= k && !taken.has(j) && Math.hypot(point.x - other.x, point.y - other.y) < LABEL_ROOM ? [j] : []);
    together.forEach((j) => taken.add(j));
    labels[k] = together.length > 1 ? classRange(together, numClasses) : className(k, numClasses);
  });
  return labels;
}
