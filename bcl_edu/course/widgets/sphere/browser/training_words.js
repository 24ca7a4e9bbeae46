// Sentences for the screen reader, and for whoever wants to read rather than look.

import { TRAINING_LOSSES } from "./training_losses.js";
import { classNames } from "./point_cloud.js";

/** What one side shows. */
export function sideInWords(loss, { rareAngle, deviation, distance }, target, targetAngle) {
  const optimum = target.certified ? "certified optimum" : "best optimum found";
  return (
    `${TRAINING_LOSSES[loss].label}: ${rareAngle.toFixed(0)}° between the two rarest classes (${optimum}: ` +
    `${targetAngle.toFixed(0)}°), simplex deviation ${deviation.toFixed(2)}, ` +
    `distance to the optimum ${distance.toFixed(2)}.`
  );
}

/** What is being trained. */
export function settingsInWords({ imbalanceFactor, temperature, batchSize, learningRate }, counts, step) {
  const names = classNames(counts);
  const classes = counts.map((n, k) => `${names[k]}: ${n}`).join(", ");
  const batch = batchSize ? `batches of ${batchSize}` : "all pictures in every step";
  return (
    `Step ${step}. Imbalance factor ${Number(imbalanceFactor.toPrecision(3))}; pictures of each class: ${classes}. ` +
    `Temperature ${temperature}, ${batch}, learning rate ${learningRate}.`
  );
}

/** What the rings mean at these settings, and what they do not. */
export function ringsInWords(targets, { dimension, numClasses, prototypes, batchSize }, losses) {
  const sentences = ["Large dots are class means, hollow where they are at the back; the orange arc joins the two rarest classes."];
  if (targets.every(({ points }) => points)) {
    sentences.push("Dashed rings: the certified optimum, where the class means would be if nothing could be gained any more.");
  } else {
    const room = dimension === 2 ? "circle" : "sphere";
    sentences.push(
      `The certified optimum of ${numClasses} classes needs more dimensions than this ${room} has, so it has no rings ` +
      "where they are missing, and the distance to it cannot reach zero.");
  }
  if (batchSize) sentences.push("The optimum is that of all pictures in one batch; small batches pull away from it.");
  if (prototypes === "free" && losses.some((name) => TRAINING_LOSSES[name].complement)) {
    sentences.push("It has prototypes at the class means, while here they are free (diamonds).");
  } else if (losses.some((name) => TRAINING_LOSSES[name].averaging === "rows")) {
    sentences.push("Diamonds are the classifier's rows.");
  }
  return sentences.join(" ");
}
