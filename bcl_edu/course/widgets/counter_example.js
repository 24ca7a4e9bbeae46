// Three collapsed classes on a circle, to drag; loss and claimed bound follow. Everything is computed here, so that
// it keeps up with the pointer and works while the kernel is busy. `bcl_edu/course/figures/counter_example_figure.py` is the same in
// Python, and a test holds the two together.

const SVG = "http://www.w3.org/2000/svg";
const RADIUS = 100;
const EQUAL = 5e-7; // nearer to the bound than the numbers shown can tell

/** L_y = log(sum_j exp((mu_y . mu_j - 1) / tau)): the loss of every anchor of class y. */
export function classLosses(angles, temperature) {
  return angles.map((own) => {
    const terms = angles.map((other) => Math.exp((Math.cos(radians(own - other)) - 1) / temperature));
    return Math.log(terms.reduce(add, 0));
  });
}

/** Where the slider of the head's samples can stand: from the tail's count to 1000, evenly on a logarithmic scale. */
function headCounts([start, smallest]) {
  const stops = Array.from({ length: 101 }, (_, k) => Math.round(smallest * (1000 / smallest) ** (k / 100)));
  return [...new Set([...stops, start])].sort((a, b) => a - b);
}

/** Everything that is shown about one position of the classes. */
export function readings(angles, counts, temperature) {
  const losses = classLosses(angles, temperature);
  const shares = counts.map((count) => count / counts.reduce(add, 0));
  const overSamples = losses.reduce((sum, loss, y) => sum + shares[y] * loss, 0);
  const overClasses = losses.reduce(add, 0) / losses.length;
  const claimed = Math.log1p(2 * Math.exp(-3 / (2 * temperature)));
  const points = angles.map((angle) => [Math.cos(radians(angle)), Math.sin(radians(angle))]);
  const ofSamples = [0, 1].map((axis) => points.reduce((sum, point, y) => sum + shares[y] * point[axis], 0));
  const ofClasses = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis] / points.length, 0));
  const product = ofSamples[0] * ofClasses[0] + ofSamples[1] * ofClasses[1];
  return { losses, shares, overSamples, overClasses, claimed, points, ofSamples, ofClasses, product };
}

const add = (a, b) => a + b;
const radians = (degrees) => (degrees * Math.PI) / 180;
const wrapped = (degrees) => ((Math.round(degrees) % 360) + 360) % 360;
/** Three decimals that never read -0.000. */
const signed = (value) => (Math.abs(value) < 0.0005 ? 0 : value).toFixed(3).replace("-", "−");

function verdict(gap) {
  if (Math.abs(gap) < EQUAL) return "equal to the bound";
  return `${Math.abs(gap).toPrecision(3)} ${gap < 0 ? "below" : "above"} the bound`;
}

function html(tag, parent, attributes = {}, text = "") {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  parent.append(node);
  return node;
}

function svg(tag, parent, attributes = {}) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

function place(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}

/** Label angles: at the class, unless another label is near; then both make room. */
function labelAngles(angles, apart = 30) {
  const placed = [...angles];
  for (const [first, second] of [[0, 1], [0, 2], [1, 2]]) {
    const difference = ((((placed[second] - placed[first] + 180) % 360) + 360) % 360) - 180;
    if (Math.abs(difference) < apart) {
      const push = ((apart - Math.abs(difference)) / 2) * (difference >= 0 ? 1 : -1);
      placed[first] -= push;
      placed[second] += push;
    }
  }
  return placed;
}

function drawCircle(root, classes) {
  const picture = svg("svg", root, { viewBox: "-164 -140 328 280", class: "circle", role: "img" });
  svg("circle", picture, { r: RADIUS, class: "outline" });
  const spokes = classes.map(({ colour, width }) => svg("line", picture, { stroke: colour, "stroke-width": width }));
  const handles = classes.map(({ colour, radius }) =>
    svg("circle", picture, { r: radius, fill: colour, class: "handle" }));
  const ofClasses = svg("path", picture, { d: "M0 -6 L6 0 L0 6 L-6 0 Z", class: "of-classes" });
  const ofSamples = svg("path", picture, { d: "M-5 -5 L5 5 M-5 5 L5 -5", class: "of-samples" });
  const labels = classes.map(() => {
    const text = svg("text", picture, { class: "label" });
    return [svg("tspan", text, { class: "name" }), svg("tspan", text)];
  });
  return { picture, spokes, handles, labels, ofClasses, ofSamples };
}

function drawBar(root, name) {
  const row = html("div", root, { class: "bar" });
  html("div", row, { class: "what" }, name);
  const value = html("div", row, { class: "value" });
  const track = html("div", row, { class: "track" });
  const fill = html("div", track, { class: "fill" });
  const mark = html("div", track, { class: "mark" });
  return { row, value, fill, mark };
}

function drawSlider(root, name, attributes) {
  const row = html("label", root, { class: "slider" });
  html("span", row, {}, name);
  const input = html("input", row, { type: "range", ...attributes });
  input.dataset.lmSuppressShortcuts = "true"; // JupyterLab would keep the arrow keys for itself
  const output = html("span", row, { "aria-hidden": "true" });
  return { input, output };
}

function set(slider, position, text) {
  slider.input.value = position;
  slider.input.setAttribute("aria-valuetext", text); // what a screen reader says: the count, not the position
  slider.output.textContent = text;
}

export default {
  initialize: stayInTouch,
  render({ model, el }) {
    const temperature = model.get("temperature");
    const classes = model.get("looks");
    const bars = model.get("names");
    const root = html("div", el, { class: "bcl-counter-example" });
    root.style.setProperty("--bcl-head", classes[0].colour);
    root.style.setProperty("--bcl-tail", classes[1].colour);

    const top = html("div", root, { class: "top" });
    const circle = drawCircle(top, classes);
    const side = html("div", top, { class: "side" });
    const samples = drawBar(side, bars.samples);
    const means = drawBar(side, bars.classes);
    const bound = html("div", side, { class: "bound" });
    const table = html("table", side);
    html("tr", html("thead", table)).innerHTML =
      "<th>class</th><th>samples</th><th>weight in the first mean</th><th>its loss L</th>";
    const body = html("tbody", table);
    const rows = classes.map(() => {
      const row = html("tr", body);
      return [0, 1, 2, 3].map(() => html("td", row));
    });
    const product = html("div", side, { class: "product" });

    const controls = html("div", root, { class: "controls" });
    const turns = classes.map((_, y) =>
      drawSlider(controls, `angle of class ${y}`, { min: 0, max: 360, step: 1, "data-class": y }));
    const stops = headCounts(model.get("class_counts"));
    const head = drawSlider(controls, "samples of class 0", {
      min: 0, max: stops.length - 1, step: 1, "data-head": "",
    });
    const buttons = html("div", controls, { class: "buttons" });
    const simplex = html("button", buttons, { type: "button" }, "regular simplex");
    const merged = html("button", buttons, { type: "button" }, "tail classes together");
    const summary = html("p", root, { class: "summary", role: "status" });

    function show() {
      const angles = model.get("angles");
      const counts = model.get("class_counts");
      const now = readings(angles, counts, temperature);

      const labelled = labelAngles(angles);
      angles.forEach((angle, y) => {
        const [x, up] = now.points[y];
        place(circle.spokes[y], { x1: 0, y1: 0, x2: RADIUS * x, y2: -RADIUS * up });
        place(circle.handles[y], { cx: RADIUS * x, cy: -RADIUS * up });
        const at = { x: 138 * Math.cos(radians(labelled[y])), y: -122 * Math.sin(radians(labelled[y])) };
        const [name, number] = circle.labels[y];
        name.textContent = `class ${y}`;
        number.textContent = counts[y];
        place(name, at);
        place(number, { x: at.x, dy: 15 });
        set(turns[y], angle, `${angle}°`);
        [y, counts[y], `${(100 * now.shares[y]).toFixed(1)} %`, now.losses[y].toFixed(3)].forEach(
          (text, column) => { rows[y][column].textContent = text; });
      });
      for (const [mark, [x, up]] of [[circle.ofSamples, now.ofSamples], [circle.ofClasses, now.ofClasses]]) {
        place(mark, { transform: `translate(${RADIUS * x} ${-RADIUS * up})` });
      }

      const scale = 100 / Math.log(3); // the largest mean: all three classes at one point
      for (const [bar, loss] of [[samples, now.overSamples], [means, now.overClasses]]) {
        const gap = loss - now.claimed;
        bar.value.innerHTML = `<b>${loss.toFixed(4)}</b>, ${verdict(gap)}`;
        bar.row.classList.toggle("refutes", gap < -EQUAL);
        bar.fill.style.width = `${scale * loss}%`;
        bar.mark.style.left = `${scale * now.claimed}%`;
        bar.row.dataset.loss = loss;
      }
      bound.textContent = `claimed bound ${now.claimed.toFixed(4)}`;
      bound.style.paddingLeft = `calc(${scale * now.claimed}% - 4.2em)`;
      product.textContent =
        `× mean of all samples, ◇ mean of the classes; their product ${signed(now.product)} ` +
        (now.product <= -0.0005 ? "is negative" : "is not negative");
      set(head, stops.indexOf(counts[0]), String(counts[0]));
      const refuted = now.overSamples - now.claimed < -EQUAL;
      summary.textContent = refuted
        ? `Theorem 3 as printed fails here: ${now.overSamples.toFixed(4)} is below the claimed ${now.claimed.toFixed(4)}.`
        : `No contradiction here: ${now.overSamples.toFixed(4)} is not below the claimed ${now.claimed.toFixed(4)}.`;
      circle.picture.setAttribute("aria-label",
        `Circle with class 0 at ${angles[0]}, class 1 at ${angles[1]} and class 2 at ${angles[2]} degrees`);
    }

    function move(y, degrees) {
      const angles = [...model.get("angles")];
      angles[y] = degrees;
      model.set("angles", angles);
    }

    function moveAll(...angles) {
      model.set("angles", angles);
      model.save_changes();
    }

    circle.handles.forEach((handle, y) => {
      handle.addEventListener("pointerdown", (event) => {
        handle.setPointerCapture(event.pointerId);
        event.preventDefault(); // no text selection, no scrolling on touch screens
      });
      handle.addEventListener("pointermove", (event) => {
        if (!handle.hasPointerCapture(event.pointerId)) return;
        const box = circle.picture.getBoundingClientRect();
        const right = event.clientX - (box.left + box.width / 2);
        const up = box.top + box.height / 2 - event.clientY;
        move(y, wrapped((Math.atan2(up, right) * 180) / Math.PI));
      });
      handle.addEventListener("pointerup", () => model.save_changes());
    });
    turns.forEach(({ input }, y) => {
      input.addEventListener("input", () => move(y, Number(input.value)));
      input.addEventListener("change", () => model.save_changes());
    });
    head.input.addEventListener("input", () => {
      model.set("class_counts", [stops[Number(head.input.value)], ...model.get("class_counts").slice(1)]);
    });
    head.input.addEventListener("change", () => model.save_changes());
    simplex.addEventListener("click", () => moveAll(0, 120, 240));
    merged.addEventListener("click", () => moveAll(0, 180, 180));

    model.on("change:angles", show);
    model.on("change:class_counts", show);
    show();
    return () => {
      model.off("change:angles", show);
      model.off("change:class_counts", show);
    };
  },
};
