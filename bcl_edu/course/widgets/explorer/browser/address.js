// The settings as the end of an address, #if=100&tau=0.5&k=4&loss=scl,bcl&batch=0, and back.

import { LOSSES } from "./losses.js";

const NUMBERS = {
  if: { setting: "imbalanceFactor", from: 1, to: 1000 },
  tau: { setting: "temperature", from: 0.05, to: 2 },
  k: { setting: "numClasses", from: 2, to: 10, whole: true },
  batch: { setting: "batchSize", from: 0, to: 2048, whole: true },
};

/** What follows the # in the address of these settings. */
export function toAddress(settings) {
  const numbers = Object.entries(NUMBERS).map(([name, { setting }]) => `${name}=${settings[setting]}`);
  return [...numbers, `loss=${settings.losses.join(",")}`].join("&");
}

/** The settings that an address names; what it does not name, or names wrongly, is left out. */
export function fromAddress(hash) {
  const named = new URLSearchParams(hash.replace(/^#/, ""));
  const settings = {};
  for (const [name, { setting, from, to, whole }] of Object.entries(NUMBERS)) {
    const value = Number(named.get(name) ?? NaN);
    const possible = value >= from && value <= to && !(whole && !Number.isInteger(value));
    if (possible && !(setting === "batchSize" && value === 1)) settings[setting] = value;
  }
  const losses = (named.get("loss") ?? "").split(",");
  if (losses.length === 2 && losses.every((loss) => Object.hasOwn(LOSSES, loss))) settings.losses = losses;
  return settings;
}
