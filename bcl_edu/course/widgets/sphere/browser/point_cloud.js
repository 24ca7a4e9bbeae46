// One sphere (or circle) with its points, class means, and the certified optimum as rings.

import { classColour } from "../../browser/colours.js";
import { html } from "../../explorer/browser/svg.js";
import { className } from "../../explorer/browser/words.js";
import { SharpCanvas } from "./sharp_canvas.js";

const TURN_BY_KEY = Math.PI / 24;
/** Share of the picture that the sphere fills; the rest is room for labels. */
const FILLED = 0.84;
/** Up to so many classes a line joins every two of them. */
const MOST_WITH_EDGES = 4;
/** On a smaller picture the angle is not written beside its arc. */
const ROOM_FOR_DEGREES = 240;

export class PointCloud {
  /**
   * @param {HTMLElement} parent
   * @param {ViewAngle} view - shared with the other picture
   * @param {function(): void} redraw
   */
  constructor(parent, view, redraw) {
    this.view = view;
    const frame = html("div", { class: "cloud" }, parent);
    // the sphere itself has a canvas of its own, which is drawn anew only when it is turned
    this.backdrop = new SharpCanvas(frame, { class: "backdrop", "aria-hidden": "true" }, 1, redraw);
    this.sheet = new SharpCanvas(frame, { tabindex: "0", role: "application" }, 1, redraw);
    this.canvas = this.sheet.canvas;
    this.listen();
  }

  /**
   * Draw one moment.
   * @param {object} scene - points, counts, perClass, numClasses, dimension; means, of unit length; ghosts or null; keys or
   *   null (prototypes or classifier rows that are learned); rareAngle in degrees; degrees, the same as text
   * @param {object} colours - of `pageColours`
   */
  draw(scene, colours) {
    const pen = this.sheet.begin();
    if (!pen) return;
    this.flat = scene.dimension === 2;
    this.centre = this.sheet.width / 2;
    this.radius = (FILLED * this.sheet.width) / 2;
    this.unit = Math.max(0.75, this.sheet.width / 420); // what sizes of dots follow
    this.matrix = this.flat ? [1, 0, 0, 0, 1, 0, 0, 0, 1] : this.view.matrix();
    this.sizes = scene.counts.map((n) => (4.5 + 6.5 * Math.sqrt(n / scene.perClass)) * this.unit);
    this.ball(colours);
    const means = this.seen(scene.means, scene.dimension);
    this.edges(pen, means, colours);
    this.points(pen, scene, means, false);
    this.spokes(pen, means);
    if (scene.ghosts) this.ghosts(pen, this.seen(scene.ghosts, scene.dimension), means, colours);
    this.points(pen, scene, means, true);
    if (scene.keys) this.keys(pen, this.seen(scene.keys, scene.dimension), colours);
    this.rareArc(pen, scene, colours);
    this.means(pen, scene, means, colours);
    this.angle(pen, scene, colours);
  }

  /** Where on the canvas points are, and how near: {x, y, depth} each. */
  seen(points, d) {
    const seen = [];
    for (let first = 0; first < points.length; first += d) {
      seen.push(this.see(points[first], points[first + 1], d > 2 ? points[first + 2] : 0));
    }
    return seen;
  }

  see(x, y, z) {
    const m = this.matrix;
    return {
      x: this.centre + this.radius * (m[0] * x + m[1] * y + m[2] * z),
      y: this.centre - this.radius * (m[3] * x + m[4] * y + m[5] * z),
      depth: this.flat ? 1 : m[6] * x + m[7] * y + m[8] * z,
    };
  }

  /** The sphere or circle, if it does not stand there already. */
  ball(colours) {
    const { centre, radius, sheet } = this;
    const key = `${this.matrix} ${sheet.width} ${sheet.sharpness} ${colours.page} ${colours.shade}`;
    if (key === this.drawnBall) return;
    const pen = this.backdrop.begin();
    if (!pen) return;
    this.drawnBall = key;
    pen.beginPath();
    pen.arc(centre, centre, radius, 0, 2 * Math.PI);
    if (!this.flat) {
      const light = pen.createRadialGradient(
        centre - 0.35 * radius, centre - 0.4 * radius, 0.1 * radius, centre, centre, radius);
      light.addColorStop(0, colours.ball);
      light.addColorStop(1, colours.shade);
      pen.fillStyle = light;
      pen.fill();
    }
    pen.strokeStyle = colours.line;
    pen.lineWidth = 1.2;
    pen.stroke();
    if (!this.flat) this.greatCircles(pen, colours);
  }

  greatCircles(pen, colours) {
    pen.strokeStyle = colours.line;
    pen.lineWidth = 0.8;
    for (const front of [false, true]) {
      pen.globalAlpha = front ? 0.9 : 0.35;
      pen.beginPath();
      for (let normal = 0; normal < 3; normal++) {
        let drawing = false;
        for (let step = 0; step <= 64; step++) {
          const angle = (2 * Math.PI * step) / 64;
          const point = [0, 0, 0];
          point[(normal + 1) % 3] = Math.cos(angle);
          point[(normal + 2) % 3] = Math.sin(angle);
          const { x, y, depth } = this.see(...point);
          if (drawing) pen.lineTo(x, y);
          else if (depth >= 0 === front) pen.moveTo(x, y);
          drawing = depth >= 0 === front;
        }
      }
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  /** The simplex that the class means form, in few classes. */
  edges(pen, means, colours) {
    if (means.length > MOST_WITH_EDGES) return;
    pen.strokeStyle = colours.quiet;
    pen.globalAlpha = 0.4;
    pen.lineWidth = 1;
    pen.beginPath();
    means.forEach((from, i) => means.slice(0, i).forEach((to) => {
      pen.moveTo(from.x, from.y);
      pen.lineTo(to.x, to.y);
    }));
    pen.stroke();
    pen.globalAlpha = 1;
  }

  /** All points that the disc of their class mean does not cover; those behind are smaller, and no less seen. */
  points(pen, { points, counts, perClass, numClasses, dimension: d }, means, front) {
    const size = (front ? 2.7 : 1.8) * this.unit;
    const m = this.matrix;
    for (let k = 0; k < numClasses; k++) {
      pen.fillStyle = classColour(k, numClasses);
      pen.beginPath();
      for (let t = 0; t < counts[k]; t++) {
        const first = (k * perClass + t) * d;
        const px = points[first];
        const py = points[first + 1];
        const pz = d > 2 ? points[first + 2] : 0;
        const depth = this.flat ? 1 : m[6] * px + m[7] * py + m[8] * pz;
        if (depth >= 0 !== front) continue;
        const x = this.centre + this.radius * (m[0] * px + m[1] * py + m[2] * pz);
        const y = this.centre - this.radius * (m[3] * px + m[4] * py + m[5] * pz);
        if (Math.hypot(x - means[k].x, y - means[k].y) + size < this.sizes[k]) continue;
        pen.moveTo(x + size, y);
        pen.arc(x, y, size, 0, 2 * Math.PI);
      }
      pen.fill();
    }
  }

  spokes(pen, means) {
    means.forEach(({ x, y, depth }, k) => {
      pen.globalAlpha = depth < 0 ? 0.35 : 0.8;
      pen.strokeStyle = classColour(k, means.length);
      pen.lineWidth = 1.6 * this.unit;
      pen.beginPath();
      pen.moveTo(this.centre, this.centre);
      pen.lineTo(x, y);
      pen.stroke();
    });
    pen.globalAlpha = 1;
  }

  /** Rings where the optimum has the class means, and a thread from each mean to its ring. */
  ghosts(pen, ghosts, means, colours) {
    ghosts.forEach(({ x, y, depth }, k) => {
      const colour = classColour(k, ghosts.length);
      pen.globalAlpha = depth < 0 ? 0.45 : 0.9;
      pen.lineWidth = 1.6;
      pen.strokeStyle = colour;
      pen.setLineDash([3, 3]);
      pen.beginPath();
      pen.arc(x, y, 13 * this.unit, 0, 2 * Math.PI);
      pen.stroke();
      const distance = Math.hypot(x - means[k].x, y - means[k].y);
      if (distance > 14 * this.unit) {
        pen.globalAlpha *= 0.6;
        pen.lineWidth = 1;
        pen.strokeStyle = colours.quiet;
        pen.beginPath();
        pen.moveTo(means[k].x, means[k].y);
        pen.lineTo(x, y);
        pen.stroke();
      }
      pen.setLineDash([]);
    });
    pen.globalAlpha = 1;
  }

  /** Learned prototypes or classifier rows: diamonds. */
  keys(pen, keys, colours) {
    keys.forEach(({ x, y, depth }, k) => {
      const size = 6 * this.unit;
      pen.globalAlpha = depth < 0 ? 0.45 : 1;
      pen.beginPath();
      pen.moveTo(x, y - size);
      pen.lineTo(x + size, y);
      pen.lineTo(x, y + size);
      pen.lineTo(x - size, y);
      pen.closePath();
      pen.fillStyle = colours.page;
      pen.fill();
      pen.strokeStyle = classColour(k, keys.length);
      pen.lineWidth = 2;
      pen.stroke();
    });
    pen.globalAlpha = 1;
  }

  /** The angle between the two rarest classes, along the sphere. */
  rareArc(pen, { means, numClasses: k, dimension: d, rareAngle }, colours) {
    this.middle = null;
    const angle = (rareAngle * Math.PI) / 180;
    if (!(angle > 0.02 && angle < 3.12)) return;
    const steps = 24;
    pen.strokeStyle = colours.rare;
    pen.lineWidth = 2.4 * this.unit;
    pen.lineCap = "round";
    for (let step = 0, last = null; step <= steps; step++) {
      const a = Math.sin(((steps - step) / steps) * angle) / Math.sin(angle);
      const b = Math.sin((step / steps) * angle) / Math.sin(angle);
      const point = [0, 0, 0];
      for (let c = 0; c < d; c++) point[c] = a * means[(k - 2) * d + c] + b * means[(k - 1) * d + c];
      const here = this.see(...point);
      if (2 * step === steps) this.middle = here;
      if (last) {
        pen.globalAlpha = here.depth + last.depth < 0 ? 0.5 : 1;
        pen.beginPath();
        pen.moveTo(last.x, last.y);
        pen.lineTo(here.x, here.y);
        pen.stroke();
      }
      last = here;
    }
    pen.globalAlpha = 1;
  }

  /**
   * A disc for each class mean, as large as the class has points, and its name. What is behind comes first, and is a ring:
   * paler colours would not stand out from the sphere.
   */
  means(pen, { counts, numClasses: k }, means, colours) {
    const names = classNames(counts);
    const order = means.map((_, i) => i).sort((i, j) => means[i].depth - means[j].depth);
    const { sizes } = this;
    for (const i of order) {
      const { x, y, depth } = means[i];
      const size = sizes[i];
      const behind = depth < 0;
      pen.beginPath();
      pen.arc(x, y, size, 0, 2 * Math.PI);
      pen.fillStyle = behind ? colours.page : classColour(i, k);
      pen.fill();
      pen.strokeStyle = behind ? classColour(i, k) : colours.page;
      pen.lineWidth = behind ? 2.5 : 1.6;
      pen.stroke();
    }
    const taken = [];
    for (const i of order.reverse()) {
      // outwards from the centre, or below or above the disc where the edge leaves no room; not where another name is
      const { x, y } = means[i];
      const length = Math.hypot(x - this.centre, y - this.centre) || 1;
      const away = sizes[i] + 11;
      const disc = { left: x - sizes[i], right: x + sizes[i], top: y - sizes[i], bottom: y + sizes[i] };
      const outwards = [(x - this.centre) / length, (y - this.centre) / length];
      const upright = Math.sign(outwards[1]) || 1;
      for (const [across, down] of [outwards, [0, upright], [0, -upright]]) {
        const align = across > 0.4 ? "left" : across < -0.4 ? "right" : "center";
        const look = { colour: colours.ink, halo: colours.page, weight: 600, align };
        const place = [x + away * across, y + away * down];
        const box = this.sheet.place(names[i], ...place, look);
        if ([disc, ...taken].some((other) => overlap(box, other))) continue;
        taken.push(box);
        this.sheet.write(names[i], ...place, look);
        break;
      }
    }
  }

  /** The number of degrees, beside the middle of the arc. */
  angle(pen, { rareAngle, degrees }, colours) {
    if (!this.middle || rareAngle < 12 || this.sheet.width < ROOM_FOR_DEGREES) return;
    const { x, y } = this.middle;
    const length = Math.hypot(x - this.centre, y - this.centre);
    const out = length < 1 ? { x: 0, y: -1 } : { x: (x - this.centre) / length, y: (y - this.centre) / length };
    const size = Math.round(Math.max(13, 15 * this.unit));
    const place = [x + 1.3 * size * out.x, y + size * out.y];
    this.sheet.write(degrees, ...place, { colour: colours.ink, halo: colours.page, size, weight: 700 });
  }

  /** Turn by dragging sideways or in both ways with a mouse, and by arrow keys; a finger still scrolls the page. */
  listen() {
    const { canvas, view } = this;
    let last = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (this.flat) return;
      last = event;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      view.turn((event.clientX - last.clientX) / this.radius, (event.clientY - last.clientY) / this.radius);
      last = event;
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));
    const turns = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    canvas.addEventListener("keydown", (event) => {
      if (this.flat) return;
      if (event.key === "Home") view.home();
      else if (turns[event.key]) view.turn(...turns[event.key].map((sign) => sign * TURN_BY_KEY));
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  remove() {
    this.backdrop.remove();
    this.sheet.remove();
  }
}

/** Whether two boxes of text have a point in common. */
function overlap(one, other) {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}

/** What the picture calls the classes: their numbers, and the two ends by name where there is a difference. */
export function classNames(counts) {
  const balanced = counts[0] === counts.at(-1);
  return counts.map((_, k) => (balanced ? String(k) : className(k, counts.length)));
}
