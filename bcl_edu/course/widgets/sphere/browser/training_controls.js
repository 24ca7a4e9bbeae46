// Sliders, buttons and menus: native elements, so that keys, touch and screen readers work as everywhere.

import { html } from "../../explorer/browser/svg.js";
import { largestClass } from "./class_counts.js";

/** Twenty values a decade, to two digits, so that 1, 10 and 100 are among them. */
const perDecade = (first, last) =>
  Array.from({ length: last - first + 1 }, (_, i) => Number((10 ** ((first + i) / 20)).toPrecision(2)));

export const IMBALANCE_VALUES = perDecade(0, 40);
export const TEMPERATURE_VALUES = perDecade(-26, 6);
export const RATE_VALUES = perDecade(-46, -6);
export const CLASS_VALUES = [3, 4, 5, 6, 7, 8, 9, 10];
export const SPEEDS = [[0.25, "¼×"], [1, "1×"], [4, "4×"]];

/** Values of the imbalance slider: no class may have less than one picture. */
export function imbalanceValues(numClasses) {
  const most = largestClass(numClasses);
  return [...IMBALANCE_VALUES.filter((value) => value < most), most];
}

const SLIDERS = [
  { setting: "temperature", label: "Temperature τ", values: () => TEMPERATURE_VALUES },
  { setting: "learningRate", label: "Learning rate", values: () => RATE_VALUES },
  { setting: "numClasses", label: "Classes K", values: () => CLASS_VALUES },
];

const MENUS = [
  { setting: "batchSize", label: "Batch", options: [[0, "all pictures"], [32, "32 pictures"], [8, "8 pictures"]] },
  { setting: "prototypes", label: "Prototypes", options: [["means", "at the class means"], ["free", "free"], ["off", "off"]] },
  { setting: "start", label: "Start", options: [["cone", "in a cone"], ["random", "at random"]] },
  { setting: "dimension", label: "Space", options: [[3, "sphere, 3-D"], [2, "circle, 2-D"]] },
];

/** The slider of the imbalance factor, by itself. */
export class ImbalanceSlider {
  constructor(parent, change) {
    this.values = [];
    const row = html("label", { class: "imbalance" }, parent);
    html("span", { class: "name" }, row, "Imbalance factor");
    this.output = html("output", {}, row);
    this.input = slider(row, "Imbalance factor");
    const ends = html("span", { class: "ends", "aria-hidden": "true" }, row);
    html("span", {}, ends, "all classes alike");
    html("span", {}, ends, "some classes rare");
    this.input.addEventListener("input", () => change({ imbalanceFactor: this.values[Number(this.input.value)] }));
  }

  update({ imbalanceFactor, numClasses }) {
    this.values = imbalanceValues(numClasses);
    place(this.input, this.values, imbalanceFactor);
    write(this.output, shown(imbalanceFactor));
  }

  /** Draw the reader's eye to the handle, or no longer. */
  pulse(on) {
    this.input.classList.toggle("pulse", on);
  }
}

/** Play, step, restart, speed. */
export class Transport {
  constructor(parent, { play, step, restart, change }) {
    this.root = html("div", { class: "transport", role: "group", "aria-label": "Training" }, parent);
    this.play = button(this.root, "play", "", play);
    this.step = button(this.root, "step", "Step", step);
    this.restart = button(this.root, "restart", "Restart", restart);
    this.restart.title = "Back to the same start";
    const speeds = html("fieldset", { class: "speeds" }, this.root);
    html("legend", {}, speeds, "Speed");
    this.speeds = SPEEDS.map(([value, label]) => {
      const row = html("label", {}, speeds);
      const input = html("input", { type: "radio", name: `speed-${Transport.groups}`, value }, row);
      input.dataset.lmSuppressShortcuts = "true";
      html("span", {}, row, label);
      input.addEventListener("change", () => change({ speed: value }));
      return input;
    });
    Transport.groups += 1;
    this.clock = html("span", { class: "clock" }, this.root);
  }

  update({ speed }, playing, step, settled) {
    write(this.play, playing ? "❚❚ Pause" : "▶ Play");
    for (const input of this.speeds) input.checked = Number(input.value) === speed;
    write(this.clock, settled ? `step ${step}, at rest` : `step ${step}`);
  }
}
Transport.groups = 0; // radio buttons of one name are one group, also across several spheres on a page

/** Everything else. */
export class MoreSettings {
  constructor(parent, change) {
    this.root = html("details", { class: "more" }, parent);
    html("summary", {}, this.root, "More settings: temperature, batches, prototypes, number of classes …");
    const grid = html("div", { class: "grid" }, this.root);
    this.sliders = SLIDERS.map((kind) => {
      const row = html("label", { class: `control ${kind.setting}` }, grid);
      html("span", { class: "name" }, row, kind.label);
      const output = html("output", {}, row);
      const input = slider(row, kind.label);
      input.addEventListener("input", () => change({ [kind.setting]: kind.values()[Number(input.value)] }));
      return { ...kind, input, output };
    });
    this.menus = MENUS.map(({ setting, label, options }) => {
      const row = html("label", { class: `control ${setting}` }, grid);
      html("span", { class: "name" }, row, label);
      const select = menu(row, label, options);
      const numeric = typeof options[0][0] === "number";
      select.addEventListener("change", () => change({ [setting]: numeric ? Number(select.value) : select.value }));
      return { setting, select };
    });
    const row = html("label", { class: "control seed" }, grid);
    html("span", { class: "name" }, row, "Seed");
    this.seed = html("input", { type: "number", min: 0, max: 9999, step: 1, "aria-label": "Seed" }, row);
    this.seed.dataset.lmSuppressShortcuts = "true";
    this.seed.addEventListener("change", () => {
      const seed = Math.min(9999, Math.max(0, Math.round(Number(this.seed.value) || 0)));
      this.seed.value = seed;
      change({ seed });
    });
  }

  update(settings) {
    for (const { setting, values, input, output } of this.sliders) {
      place(input, values(), settings[setting]);
      write(output, shown(settings[setting]));
    }
    for (const { setting, select } of this.menus) select.value = settings[setting];
    this.seed.value = settings.seed;
  }
}

/** Put a text into an element, unless it is there already. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A menu of options [value, label]. */
export function menu(parent, label, options) {
  const select = html("select", { "aria-label": label }, parent);
  select.dataset.lmSuppressShortcuts = "true";
  for (const [value, text] of options) html("option", { value }, select, text);
  return select;
}

function slider(parent, label) {
  const input = html("input", { type: "range", min: 0, step: 1, "aria-label": label }, parent);
  input.dataset.lmSuppressShortcuts = "true"; // JupyterLab takes the arrow keys otherwise
  return input;
}

function button(parent, name, text, act) {
  const element = html("button", { type: "button", class: name }, parent, text);
  element.addEventListener("click", act);
  return element;
}

/** Move a slider to the value that is nearest in proportion. */
function place(input, values, wanted) {
  const distance = (value) => Math.abs(Math.log(value / wanted));
  const position = values.reduce((best, value, i) => (distance(value) < distance(values[best]) ? i : best), 0);
  if (Number(input.max) !== values.length - 1) input.max = values.length - 1;
  if (Number(input.value) !== position) input.value = position;
  input.setAttribute("aria-valuetext", shown(wanted));
}

/** Three digits, no more. */
function shown(value) {
  return String(Number(value.toPrecision(3)));
}
