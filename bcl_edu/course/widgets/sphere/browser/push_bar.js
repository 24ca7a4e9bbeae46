// Who pushes the rarest class: the share of each other class in what repels it.

import { html } from "../../explorer/browser/svg.js";
import { classColour } from "../../browser/colours.js";
import { classNames } from "./point_cloud.js";

export class PushBar {
  constructor(parent) {
    this.root = html("figure", { class: "push" }, parent);
    html("figcaption", {}, this.root, "Who pushes the rarest class away, in %");
    this.bar = html("div", { class: "shares", role: "img" }, this.root);
  }

  /** @param {Float64Array} push - shares of each class in what repels an anchor of each class, shape (K, K) */
  update(push, counts) {
    const k = counts.length;
    if (this.parts?.length !== k - 1) this.build(k);
    const shares = Array.from(push.subarray((k - 1) * k));
    const key = `${shares.map((share) => share.toFixed(3))} ${counts}`;
    if (key === this.key) return;
    this.key = key;
    const nobody = Number.isNaN(shares[0]);
    this.bar.classList.toggle("nobody", nobody);
    this.nobody.hidden = !nobody;
    this.nobody.textContent = nobody ? "nobody: it is not in this batch" : "";
    const names = classNames(counts);
    this.parts.forEach((part, j) => {
      part.style.flexGrow = nobody ? 0 : shares[j];
      part.textContent = nobody ? "" : Math.round(100 * shares[j]);
    });
    this.words = nobody
      ? "Nobody: the rarest class is not in the last batch."
      : names.slice(0, -1).map((name, j) => `class ${name} ${Math.round(100 * shares[j])} %`).join(", ");
  }

  /** Put what is drawn in words. */
  say() {
    this.bar.setAttribute("aria-label", `Who pushes the rarest class away. ${this.words}`);
  }

  build(k) {
    this.bar.replaceChildren();
    this.parts = Array.from({ length: k - 1 }, (_, j) => {
      const part = html("span", { class: "share" }, this.bar);
      part.style.background = classColour(j, k);
      return part;
    });
    this.nobody = html("span", { class: "none" }, this.bar);
  }
}
