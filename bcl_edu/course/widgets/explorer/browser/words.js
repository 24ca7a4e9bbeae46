// Numbers and sentences, for the eye and for the screen reader.

import { LOSSES } from "./losses.js";

/** A number with a real minus sign. */
export function decimal(value, digits) {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** A small positive number, as 3·10⁻⁹; below rounding as such. */
export function scientific(value) {
  if (value < 1e-16) return "10⁻¹⁶";
  const [digits, power] = value.toExponential(0).split("e");
  const raised = [...String(Math.abs(Number(power)))].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("");
  return `${digits}·10${Number(power) < 0 ? "⁻" : ""}${raised}`;
}

/** A loss: plain where that shows it, otherwise as 1.0·10⁻⁹. */
export function lossValue(value) {
  return value >= 1e-3 ? value.toFixed(4) : scientific(value);
}

/** Class numbers as 0, 3, 5–9. */
export function classRange(classIds) {
  const parts = [];
  for (let i = 0; i < classIds.length; ) {
    let end = i;
    while (end + 1 < classIds.length && classIds[end + 1] === classIds[end] + 1) end++;
    parts.push(end > i + 1 ? `${classIds[i]}–${classIds[end]}` : classIds.slice(i, end + 1).join(","));
    i = end + 1;
  }
  return parts.join(",");
}

/** Class numbers as "0, 3 and 5". */
function classList(classIds) {
  return `${classIds.slice(0, -1).join(", ")} and ${classIds.at(-1)}`;
}

/** Degrees between two classes that rounding may add to what is one point. */
const ROUNDING = 0.05;

/** Groups of classes that are in one point or nearly so, each with the largest angle in it, in degrees. */
export function mergedClasses({ gram, numClasses }) {
  const groups = [];
  const seen = new Set();
  for (let i = 0; i < numClasses; i++) {
    if (seen.has(i)) continue;
    const group = [i];
    for (let j = i + 1; j < numClasses; j++) {
      if (!seen.has(j) && gram[i * numClasses + j] > 0.999) group.push(j);
    }
    group.forEach((j) => seen.add(j));
    if (group.length === 1) continue;
    const smallest = Math.min(...group.flatMap((a) => group.map((b) => gram[a * numClasses + b])));
    groups.push({ group, angle: (180 / Math.PI) * Math.acos(Math.max(-1, smallest)) });
  }
  return groups;
}

/** What became of classes that are close together: only some of them are one point. */
function mergedInWords({ group, angle }) {
  return angle < ROUNDING
    ? `Classes ${classList(group)} merge into one point. `
    : `Classes ${classList(group)} all but merge: at most ${angle.toFixed(1)}° lie between them. `;
}

/** What one optimum is, in a sentence or two. */
export function optimumInWords(optimum) {
  const { loss, numClasses, deviation, relativeGap, certified } = optimum;
  const simplex = -1 / (numClasses - 1);
  const pair = ({ value, pair: [i, j] }) => `${decimal(value + simplex, 3)} (classes ${i} and ${j})`;
  const range = deviation.rms < 5e-4
    ? `a regular simplex: every cosine is ${decimal(simplex, 3)}`
    : `cosines from ${pair(deviation.smallest)} to ${pair(deviation.largest)}, ` +
      `simplex deviation ${decimal(deviation.rms, 3)}`;
  const merged = mergedClasses(optimum).map(mergedInWords);
  const proof = certified
    ? `Certified: at most ${scientific(relativeGap)} (relative) above the minimum.`
    : `Not certified: perhaps ${scientific(relativeGap)} (relative) above the minimum.`;
  return `${LOSSES[loss].label}: ${range}. ${merged.join("")}${proof}`;
}

/** What the settings are, in a sentence. */
export function settingsInWords({ imbalanceFactor, temperature, numClasses, batchSize }) {
  const data = batchSize ? `mini-batches of ${batchSize} images` : "the full data as one batch";
  return `${numClasses} classes, imbalance factor ${imbalanceFactor}, temperature ${temperature}, ${data}.`;
}
