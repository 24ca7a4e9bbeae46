// The sphere as an anywidget: traits of the Python object are its settings, and `state` is what it shows.

import { TrainingSphere } from "./training_sphere.js";

/** Milliseconds between messages to Python, which hold all points. */
const BETWEEN_MESSAGES = 1000;

const TRAITS = {
  imbalance_factor: "imbalanceFactor",
  temperature: "temperature",
  num_classes: "numClasses",
  dimension: "dimension",
  losses: "losses",
  batch_size: "batchSize",
  learning_rate: "learningRate",
  prototypes: "prototypes",
  start: "start",
  seed: "seed",
  speed: "speed",
};

export function render({ model, el }) {
  let timer = null;
  let telling = false;
  const tellPython = () => {
    timer = null;
    telling = true; // every `set` is an event, and between two of them the traits are half old, half new
    for (const [trait, setting] of Object.entries(TRAITS)) model.set(trait, sphere.settings[setting]);
    model.set("state", sphere.state());
    telling = false;
    model.save_changes();
  };
  const settingsOfModel = () =>
    Object.fromEntries(Object.entries(TRAITS).map(([trait, setting]) => [setting, model.get(trait)]));

  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab takes the arrow keys otherwise
  const sphere = new TrainingSphere(el, settingsOfModel(), {
    opening: model.get("opening"),
    playing: model.get("playing"),
    changed: () => (timer ??= setTimeout(tellPython, BETWEEN_MESSAGES)),
  });
  const listen = () => {
    if (telling) return;
    const settings = settingsOfModel();
    const changes = Object.fromEntries(Object.entries(settings).filter(([name, value]) =>
      JSON.stringify(value) !== JSON.stringify(sphere.settings[name])));
    if (Object.keys(changes).length) sphere.set(changes);
  };
  const events = Object.keys(TRAITS).map((trait) => `change:${trait}`);
  events.forEach((event) => model.on(event, listen));
  return () => {
    clearTimeout(timer);
    events.forEach((event) => model.off(event, listen));
    sphere.remove();
  };
}
