// Sliders and selects: native elements, so that keys, touch and screen readers work as everywhere.

import { html } from "./svg.js";

/** Values that the sliders stop at: twenty a decade, to two digits, so that 1, 10 and 100 are among them. */
const perDecade = (first, last) =>
  Array.from({ length: last - first + 1 }, (_, i) => Number((10 ** ((first + i) / 20)).toPrecision(2)));

export const IMBALANCE_FACTORS = perDecade(0, 60);
export const TEMPERATURES = perDecade(-26, 6);
export const CLASS_NUMBERS = [2, 3, 4, 5, 6, 7, 8, 9, 10];
export const BATCH_SIZES = [0, 16, 32, 64, 128, 256, 512];

const SLIDERS = [
  { setting: "imbalanceFactor", label: "Imbalance factor", values: IMBALANCE_FACTORS },
  { setting: "temperature", label: "Temperature τ", values: TEMPERATURES },
  { setting: "numClasses", label: "Classes K", values: CLASS_NUMBERS },
];

/** The row of controls above the pictures. */
export class Controls {
  /**
   * @param {HTMLElement} parent
   * @param {function(object): void} change - called with the settings that the reader changes
   */
  constructor(parent, change) {
    this.root = html("div", { class: "controls", role: "group", "aria-label": "Settings" }, parent);
    this.sliders = SLIDERS.map(({ setting, label, values }) => {
      const row = html("label", { class: `control ${setting}` }, this.root);
      html("span", { class: "name" }, row, label);
      const output = html("output", {}, row);
      const input = html("input", { type: "range", min: 0, max: values.length - 1, step: 1 }, row);
      input.dataset.lmSuppressShortcuts = "true"; // JupyterLab takes the arrow keys otherwise
      input.addEventListener("input", () => change({ [setting]: values[Number(input.value)] }));
      return { setting, label, values, input, output };
    });
    const row = html("label", { class: "control batchSize" }, this.root);
    html("span", { class: "name" }, row, "Batch");
    this.batch = html("select", {}, row);
    this.batch.dataset.lmSuppressShortcuts = "true";
    BATCH_SIZES.forEach((size) => this.addBatchSize(size));
    this.batch.addEventListener("change", () => change({ batchSize: Number(this.batch.value) }));
    this.addSweep(change);
  }

  addBatchSize(size) {
    html("option", { value: size }, this.batch, size ? `${size} images` : "full data");
  }

  /** A button that moves the imbalance factor through all its values. */
  addSweep(change) {
    this.button = html("button", { type: "button", class: "sweep" }, this.root, "▶ Sweep the imbalance");
    const { values, input } = this.sliders[0];
    this.button.addEventListener("click", () => {
      if (this.timer) return this.stop();
      let next = Number(input.value) >= values.length - 1 ? 0 : Number(input.value) + 1;
      this.button.textContent = "■ Stop";
      this.timer = setInterval(() => {
        change({ imbalanceFactor: values[next++] });
        if (next >= values.length) this.stop();
      }, 80);
    });
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.button.textContent = "▶ Sweep the imbalance";
  }

  /**
   * Show these settings. Sliders stand where the reader moved them already, or the next key would start from behind.
   * @param {object} settings - what is drawn
   * @param {object} wanted - what will be drawn soon; the same, unless keys come faster than frames
   */
  update(settings, wanted) {
    for (const { setting, label, values, input, output } of this.sliders) {
      const value = settings[setting];
      const position = nearest(values, wanted[setting]);
      if (Number(input.value) !== position) input.value = position;
      output.textContent = value;
      input.setAttribute("aria-label", label);
      input.setAttribute("aria-valuetext", String(value));
    }
    if (![...this.batch.options].some((option) => Number(option.value) === wanted.batchSize)) {
      this.addBatchSize(wanted.batchSize);
    }
    this.batch.value = wanted.batchSize;
  }
}

/** Position of the value that is nearest in proportion. */
function nearest(values, wanted) {
  const distance = (value) => Math.abs(Math.log(value / wanted));
  return values.reduce((best, value, i) => (distance(value) < distance(values[best]) ? i : best), 0);
}
