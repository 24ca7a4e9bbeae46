// Sliders, selects and buttons: native elements, so that keys, touch and screen readers work as everywhere.

import { PRESETS, presetOf } from "./presets.js";
import { html, put, write } from "./svg.js";

/** Values that the sliders stop at: twenty a decade, to two digits, so that 1, 10 and 100 are among them. */
const perDecade = (first, last) =>
  Array.from({ length: last - first + 1 }, (_, i) => Number((10 ** ((first + i) / 20)).toPrecision(2)));

export const IMBALANCE_FACTORS = perDecade(0, 60);
export const TEMPERATURES = perDecade(-26, 6);
export const CLASS_NUMBERS = [2, 3, 4, 5, 6, 7, 8, 9, 10];
export const BATCH_SIZES = [0, 16, 32, 64, 128, 256, 512];

const SLIDERS = {
  imbalanceFactor: { label: "Imbalance factor", values: IMBALANCE_FACTORS },
  temperature: { label: "Temperature τ", values: TEMPERATURES },
  numClasses: { label: "Classes K", values: CLASS_NUMBERS },
};
/** Milliseconds that a sweep stays at each value. */
const SWEEP_STEP = 80;
/** Milliseconds that a button says what it has done. */
const SAYING = 1600;

/** The rows of controls above the pictures. */
export class Controls {
  /**
   * @param {HTMLElement} parent
   * @param {object} calls - what the controls ask for
   * @param {function(object): void} calls.change - with the settings that the reader changes
   * @param {function(number): void} calls.chooseSide - with the loss that a narrow page shows, 0 or 1
   * @param {function(): Promise} calls.copy - copy where others find these settings
   * @param {function(): Promise} calls.save - save a picture
   * @param {string} copyName - what the button that copies says
   */
  constructor(parent, calls, copyName) {
    this.change = calls.change;
    this.root = html("div", { class: "controls", role: "group", "aria-label": "Settings" }, parent);
    this.sliders = ["imbalanceFactor", "temperature"].map((setting) => this.addSlider(setting, this.root));
    this.addSweep();
    this.more = html("details", { class: "more" }, this.root);
    this.moreSummary = html("summary", {}, this.more);
    const inside = html("div", { class: "inside" }, this.more);
    this.sliders.push(this.addSlider("numClasses", inside));
    this.addBatch(inside);
    this.addPresets(parent, calls, copyName);
    this.look = html("p", { class: "look" }, parent);
    this.addSwitcher(parent, calls.chooseSide);
  }

  addSlider(setting, parent) {
    const { label, values } = SLIDERS[setting];
    const row = html("label", { class: `control ${setting}` }, parent);
    html("span", { class: "name" }, row, label);
    const output = html("output", {}, row);
    const input = html("input", { type: "range", min: 0, max: values.length - 1, step: 1, "aria-label": label }, row);
    input.dataset.lmSuppressShortcuts = "true"; // JupyterLab takes the arrow keys otherwise
    input.addEventListener("input", () => this.byHand({ [setting]: values[Number(input.value)] }));
    return { setting, values, input, output };
  }

  addBatch(parent) {
    const row = html("label", { class: "control batchSize" }, parent);
    html("span", { class: "name" }, row, "Batch");
    this.batch = html("select", {}, row);
    this.batch.dataset.lmSuppressShortcuts = "true";
    BATCH_SIZES.forEach((size) => this.addBatchSize(size));
    this.batch.addEventListener("change", () => this.byHand({ batchSize: Number(this.batch.value) }));
  }

  addBatchSize(size) {
    html("option", { value: size }, this.batch, size ? `${size} images` : "full data");
  }

  /** A button that moves the imbalance factor through all its values, from balanced on. */
  addSweep() {
    this.sweep = html("button", { type: "button", class: "sweep" }, this.root, "▶ Sweep");
    this.sweep.addEventListener("click", () => {
      if (this.timer) return this.stop();
      let next = 0;
      const step = () => {
        this.change({ imbalanceFactor: IMBALANCE_FACTORS[next++] });
        if (next >= IMBALANCE_FACTORS.length) this.stop();
      };
      write(this.sweep, "■ Stop");
      this.timer = setInterval(step, SWEEP_STEP);
      step();
    });
  }

  addPresets(parent, { copy, save }, copyName) {
    const row = html("div", { class: "presets", role: "group", "aria-label": "Start from" }, parent);
    this.presets = PRESETS.map((preset) => {
      const button = html("button", { type: "button", title: preset.look }, row, preset.name);
      button.addEventListener("click", () => this.byHand(preset.settings));
      return { preset, button };
    });
    const share = html("span", { class: "share" }, row);
    addAction(share, copyName, "Copied", copy);
    addAction(share, "PNG", "Saved", save);
  }

  /** On a narrow page, which of the two losses is shown. */
  addSwitcher(parent, chooseSide) {
    const row = html("div", { class: "switcher", role: "group", "aria-label": "Loss shown" }, parent);
    this.sides = [0, 1].map((side) => {
      const button = html("button", { type: "button" }, row);
      button.addEventListener("click", () => chooseSide(side));
      return button;
    });
  }

  /** A change that the reader makes ends a sweep. */
  byHand(change) {
    this.stop();
    this.change(change);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    write(this.sweep, "▶ Sweep");
  }

  /**
   * Show these settings. Sliders stand where the reader moved them already, or the next key would start from behind.
   * @param {object} settings - what is drawn
   * @param {object} wanted - what will be drawn soon; the same, unless keys come faster than frames
   * @param {string[]} labels - names of the two losses
   * @param {number} side - which of them a narrow page shows
   */
  update(settings, wanted, labels, side) {
    for (const { setting, values, input, output } of this.sliders) {
      const value = settings[setting];
      const position = nearest(values, wanted[setting]);
      if (Number(input.value) !== position) input.value = position;
      write(output, value);
      put(input, { "aria-valuetext": String(value) });
    }
    if (![...this.batch.options].some((option) => Number(option.value) === wanted.batchSize)) {
      this.addBatchSize(wanted.batchSize);
    }
    if (Number(this.batch.value) !== wanted.batchSize) this.batch.value = wanted.batchSize;
    write(this.moreSummary, `More: ${settings.numClasses} classes, ${settings.batchSize ? `batches of ${settings.batchSize}` : "full data"}`);
    const chosen = presetOf(settings);
    for (const { preset, button } of this.presets) put(button, { "aria-pressed": String(preset === chosen) });
    write(this.look, chosen?.look ?? "");
    this.sides.forEach((button, i) => {
      write(button, labels[i]);
      put(button, { "aria-pressed": String(i === side) });
    });
  }
}

/** A button that does something and says so for a moment. */
function addAction(parent, name, done, act) {
  const button = html("button", { type: "button" }, parent, name);
  button.addEventListener("click", async () => {
    let said = done;
    try {
      await act();
    } catch {
      said = "Not possible here";
    }
    write(button, said);
    setTimeout(() => write(button, name), SAYING);
  });
}

/** Position of the value that is nearest in proportion. */
function nearest(values, wanted) {
  const distance = (value) => Math.abs(Math.log(value / wanted));
  return values.reduce((best, value, i) => (distance(value) < distance(values[best]) ? i : best), 0);
}
