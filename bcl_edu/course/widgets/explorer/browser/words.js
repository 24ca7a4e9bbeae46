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

/** The angle of a cosine in degrees, as 109°. */
export function degrees(cosine, digits) {
  const angle = (180 / Math.PI) * Math.acos(Math.max(-1, Math.min(1, cosine)));
  return `${angle.toFixed(digits)}°`;
}

/** What a class is called where it is drawn: the most frequent one, the rarest one, numbers in between. */
export function className(classId, numClasses) {
  if (classId === 0) return "head";
  return classId === numClasses - 1 ? "rarest" : String(classId);
}

/** Classes in one place as 1, 3, 5–rarest. */
export function classRange(classIds, numClasses) {
  const name = (classId) => className(classId, numClasses);
  const parts = [];
  for (let i = 0; i < classIds.length; ) {
    let end = i;
    while (end + 1 < classIds.length && classIds[end + 1] === classIds[end] + 1) end++;
    parts.push(end > i + 1 ? `${name(classIds[i])}–${name(classIds[end])}` : classIds.slice(i, end + 1).map(name).join(", "));
    i = end + 1;
  }
  return parts.join(", ");
}

/** Names of classes as "head, 3 and rarest". */
function classList(classIds, numClasses) {
  const names = classIds.map((classId) => className(classId, numClasses));
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
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
function mergedInWords({ group, angle }, numClasses) {
  return angle < ROUNDING
    ? `Classes ${classList(group, numClasses)} merge into one point. `
    : `Classes ${classList(group, numClasses)} all but merge: at most ${angle.toFixed(1)}° lie between them. `;
}

/** What one optimum is, in a sentence or two. */
export function optimumInWords(optimum) {
  const { loss, numClasses, deviation, relativeGap, certified } = optimum;
  const simplex = -1 / (numClasses - 1);
  const pair = ({ value, pair: classes }) => `${degrees(value + simplex, 1)} (${classList(classes, numClasses)})`;
  const range = deviation.rms < 5e-4
    ? `a regular simplex: every angle is ${degrees(simplex, 1)}`
    : `angles from ${pair(deviation.largest)} to ${pair(deviation.smallest)}, ` +
      `simplex deviation ${decimal(deviation.rms, 3)}`;
  const merged = mergedClasses(optimum).map((group) => mergedInWords(group, numClasses));
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
