// The first seconds: two losses have been trained on one long tail and differ, the tail goes away and comes back, and then
// it is the reader's turn.

/**
 * Milliseconds of each phase; that of balanced classes ends when they are apart, or at the latest then. The contrast
 * stands until a reader who looks at the page for the first time has found and read both numbers.
 */
const CONTRAST = 8000;
const BACK = 1500;
const LONGEST_ALIKE = 4000;
const SHORTEST_ALIKE = 900;
const SLIDE = 2600;
const CROWD = 2200;
/** Simplex deviation below which balanced classes are apart. */
const APART = 0.06;
/** The sphere sways a little, in radians and milliseconds: what moves is seen to be round. */
const SWAY = 0.22;
const SWAY_PERIOD = 8000;

export const CAPTIONS = {
  contrast: "The same few pictures of the rare classes under two losses: look at the two rarest, joined in orange.",
  back: "The same losses, with more and more pictures of the rare classes …",
  alike: "All classes are alike: the same push from every side drives them as far apart as they can be.",
  slide: "And again with fewer and fewer pictures of some classes …",
  yours: "Your turn: slide the imbalance factor, or change a loss.",
};

export class Opening {
  /**
   * @param {object} sphere - what is opened: `deviation()`, `setImbalance(factor)`, `say(caption)`, `pulse(on)`,
   *   `sway(angle)`, `ended()`; it has been trained at the imbalance factor `last`
   * @param {number} last - imbalance factor at the beginning and at the end
   */
  constructor(sphere, last) {
    Object.assign(this, { sphere, last, since: null, first: null });
    this.enter("contrast", null);
  }

  /** Called before every frame, with its time in milliseconds. */
  frame(now) {
    this.since ??= now;
    this.first ??= now;
    const passed = now - this.since;
    const left = this.phase === "crowd" ? Math.max(0, 1 - passed / CROWD) : 1;
    this.sphere.sway(left * SWAY * Math.sin((2 * Math.PI * (now - this.first)) / SWAY_PERIOD));
    if (this.phase === "contrast" && passed > CONTRAST) this.enter("back", now);
    else if (this.phase === "back") {
      this.sphere.setImbalance(Math.max(1, this.last ** (1 - passed / BACK)));
      if (passed >= BACK) this.enter("alike", now);
    } else if (this.phase === "alike" && passed > SHORTEST_ALIKE) {
      if (this.sphere.deviation() < APART || passed > LONGEST_ALIKE) this.enter("slide", now);
    } else if (this.phase === "slide") {
      this.sphere.setImbalance(Math.min(this.last, this.last ** (passed / SLIDE)));
      if (passed >= SLIDE) this.enter("crowd", now);
    } else if (this.phase === "crowd" && passed > CROWD) this.end();
  }

  enter(phase, now) {
    Object.assign(this, { phase, since: now });
    if (CAPTIONS[phase]) this.sphere.say(CAPTIONS[phase]);
  }

  /** The reader has taken over, or all has been shown. */
  end() {
    if (this.over) return;
    const shownToTheEnd = this.phase === "crowd";
    this.enter("over", null);
    this.sphere.say(CAPTIONS.yours);
    if (shownToTheEnd) this.sphere.pulse(true);
    this.sphere.ended();
  }

  get over() {
    return this.phase === "over";
  }
}
