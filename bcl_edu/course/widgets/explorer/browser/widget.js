// The explorer as an anywidget: traits of the Python object are its settings, and `state` is what it shows.

import { Explorer } from "./explorer.js";

/** A notebook has no address for its settings: others get the call that makes the same explorer. */
const PYTHON = {
  name: "Copy as Python",
  text: ({ imbalanceFactor, temperature, numClasses, losses, batchSize }) =>
    `SimplexExplorer(imbalance_factor=${imbalanceFactor}, temperature=${temperature}, num_classes=${numClasses}, ` +
    `losses=${JSON.stringify(losses)}, batch_size=${batchSize})`,
};

/** Milliseconds between messages to Python while a slider moves. */
const BETWEEN_MESSAGES = 120;

const TRAITS = {
  imbalance_factor: "imbalanceFactor",
  temperature: "temperature",
  num_classes: "numClasses",
  losses: "losses",
  batch_size: "batchSize",
};

export function render({ model, el }) {
  let timer = null;
  let telling = false;
  const tellPython = () => {
    timer = null;
    telling = true; // every `set` is an event, and between two of them the traits are half old, half new
    for (const [trait, setting] of Object.entries(TRAITS)) model.set(trait, explorer.settings[setting]);
    model.set("state", explorer.state());
    telling = false;
    model.save_changes();
  };
  const settingsOfModel = () =>
    Object.fromEntries(Object.entries(TRAITS).map(([trait, setting]) => [setting, model.get(trait)]));

  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab takes the arrow keys otherwise
  const explorer = new Explorer(el, settingsOfModel(), () => {
    timer ??= setTimeout(tellPython, BETWEEN_MESSAGES);
  }, PYTHON);
  const listen = () => {
    if (telling) return;
    const settings = settingsOfModel();
    if (JSON.stringify(settings) !== JSON.stringify(explorer.settings)) explorer.set(settings);
  };
  const events = Object.keys(TRAITS).map((trait) => `change:${trait}`);
  events.forEach((event) => model.on(event, listen));
  return () => {
    clearTimeout(timer);
    events.forEach((event) => model.off(event, listen));
    explorer.remove();
  };
}
