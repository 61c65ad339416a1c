/** How much of a value is left after rounding: the signal against the noise, and the angle between the two.
 *  Sums over any number of batches. */

export class Likeness {
  private reference = 0;
  private received = 0;
  private products = 0;
  private noise = 0;

  /** @param expected and `given`: the same numbers of the same value, before and after */
  add(expected: ArrayLike<number>, given: ArrayLike<number>): void {
    if (expected.length !== given.length) {
      throw new Error(`internal: ${given.length} numbers beside ${expected.length}`);
    }
    for (let i = 0; i < expected.length; i++) {
      const [a, b] = [expected[i], given[i]];
      this.reference += a * a;
      this.received += b * b;
      this.products += a * b;
      this.noise += (a - b) * (a - b);
    }
  }

  /** Signal-to-quantization-noise ratio in decibels: 10 · log₁₀(Σ a² / Σ (a − b)²). Infinite where nothing differs. */
  get sqnr(): number {
    if (this.noise === 0) return Number.POSITIVE_INFINITY;
    return 10 * Math.log10(this.reference / this.noise);
  }

  /** Of the angle between the two, as vectors of all their numbers: 1 where one is a multiple of the other. */
  get cosine(): number {
    if (this.reference === 0 && this.received === 0) return 1;
    return this.products / Math.sqrt(this.reference * this.received);
  }
}
