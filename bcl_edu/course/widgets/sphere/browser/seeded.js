// Random numbers that are the same for the same seed, in every browser.

/** A stream of random numbers (mulberry32, a 32-bit generator of Tommy Ettinger's in the public domain). */
export class Stream {
  constructor(seed) {
    this.state = seed >>> 0;
    this.spare = null;
  }

  /** Uniform in [0, 1). */
  uniform() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let word = this.state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Standard normal (Box and Muller). */
  normal() {
    if (this.spare !== null) {
      const value = this.spare;
      this.spare = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** So many normal numbers. */
  normals(count) {
    return Float64Array.from({ length: count }, () => this.normal());
  }

  /** Put a list into random order, in place (Fisher and Yates). */
  shuffle(list) {
    for (let i = list.length - 1; i > 0; i--) {
      const j = Math.floor(this.uniform() * (i + 1));
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  }
}
