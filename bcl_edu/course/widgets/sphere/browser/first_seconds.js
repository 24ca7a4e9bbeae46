// The first seconds: a balanced cone bursts into a simplex, one class becomes rare, and then it is the reader's turn.

/** Deviation from the simplex below which the burst is over. */
const APART = 0.06;
const LONGEST_BURST = 7000;
const BURST_PACE = 0.4;
const REST = 700;
const SLIDE = 2600;
const CROWD = 2200;
/** The sphere sways a little, in radians and milliseconds: what moves is seen to be round. */
const SWAY = 0.22;
const SWAY_PERIOD = 8000;

export const CAPTIONS = {
  burst: "All classes are alike: the same push from every side drives them as far apart as they can be.",
  slide: "Now the same losses, with fewer and fewer pictures of some classes …",
  yours: "Your turn: slide the imbalance factor, or change a loss.",
};

export class Opening {
  /**
   * @param {object} sphere - what is opened: `deviation()`, `setImbalance(factor)`, `say(caption)`, `pulse(on)`,
   *   `sway(angle)`, `ended()`
   * @param {number} last - imbalance factor at the end
   */
  constructor(sphere, last) {
    Object.assign(this, { sphere, last, phase: "burst", since: null, first: null });
    sphere.setImbalance(1);
    sphere.say(CAPTIONS.burst);
  }

  /** Called before every frame, with its time in milliseconds. */
  frame(now) {
    this.since ??= now;
    this.first ??= now;
    const passed = now - this.since;
    const left = this.phase === "crowd" ? Math.max(0, 1 - passed / CROWD) : 1;
    this.sphere.sway(left * SWAY * Math.sin((2 * Math.PI * (now - this.first)) / SWAY_PERIOD));
    if (this.phase === "burst" && (this.sphere.deviation() < APART || passed > LONGEST_BURST)) this.enter("rest", now);
    else if (this.phase === "rest" && passed > REST) {
      this.enter("slide", now);
      this.sphere.say(CAPTIONS.slide);
    } else if (this.phase === "slide") {
      this.sphere.setImbalance(Math.min(this.last, this.last ** (passed / SLIDE)));
      if (passed >= SLIDE) this.enter("crowd", now);
    } else if (this.phase === "crowd" && passed > CROWD) this.end();
  }

  enter(phase, now) {
    Object.assign(this, { phase, since: now });
  }

  /** The reader has taken over, or all has been shown. */
  end() {
    if (this.phase === "over") return;
    const shownToTheEnd = this.phase === "crowd";
    this.phase = "over";
    this.sphere.say(CAPTIONS.yours);
    if (shownToTheEnd) this.sphere.pulse(true);
    this.sphere.ended();
  }

  /** How fast training goes: the burst is over in a moment otherwise. */
  get pace() {
    return this.phase === "burst" ? BURST_PACE : 1;
  }

  get over() {
    return this.phase === "over";
  }
}
