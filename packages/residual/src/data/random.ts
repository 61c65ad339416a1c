/** Counter-based random numbers: Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as
 *  1, 2, 3", 2011). A number depends on its address (seed, epoch, index, …) alone, never on what was drawn elsewhere. */
import { DataError } from './errors.ts';

const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;
const PARITY = 0x1bd11bda;

/** The first path element of each use of a seed, so that no two uses share numbers. */
export const streams = { order: 1, augment: 2, split: 3, statistics: 4, subset: 5, flip: 6, mix: 7 } as const;

/** The 64-bit block that key (k0, k1) gives for counter (c0, c1), as two 32-bit words. */
export function threefry(k0: number, k1: number, c0: number, c1: number): [number, number] {
  const keys = [k0, k1, PARITY ^ k0 ^ k1] as const;
  let x0 = (c0 + k0) | 0;
  let x1 = (c1 + k1) | 0;
  for (let group = 0; group < 5; group++) {
    for (const r of ROTATIONS[(group & 1) as 0 | 1]) {
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << r) | (x1 >>> (32 - r))) ^ x0;
    }
    x0 = (x0 + keys[((group + 1) % 3) as 0 | 1 | 2]) | 0;
    x1 = (x1 + keys[((group + 2) % 3) as 0 | 1 | 2] + group + 1) | 0;
  }
  return [x0 >>> 0, x1 >>> 0];
}

/**
 * A stream of random numbers at an address.
 *
 * ```ts
 * const random = Random.at(seed, streams.augment, epoch, index);
 * if (random.boolean()) …
 * ```
 */
export class Random {
  private readonly k0: number;
  private readonly k1: number;
  private counter = 0;
  /** The second word of the block drawn last, not yet handed out. */
  private spare = -1;

  private constructor(k0: number, k1: number) {
    this.k0 = k0;
    this.k1 = k1;
  }

  /**
   * @param seed an integer from 0 to 2^53 − 1
   * @param path integers from 0 to 2^32 − 1: whose numbers these are, e.g. `streams.order, epoch`
   * @throws DataError for any other seed
   */
  static at(seed: number, ...path: readonly number[]): Random {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new DataError(`seed must be an integer from 0 to 2^53 - 1, received ${seed}`);
    }
    let random = new Random(seed >>> 0, Math.floor(seed / 2 ** 32));
    for (const step of path) random = random.fork(step);
    return random;
  }

  /** An independent stream for part `n` (0 to 2^32 − 1) of this one's work. Draws from either do not move the other. */
  fork(n: number): Random {
    const [k0, k1] = threefry(this.k0, this.k1, n, 1);
    return new Random(k0, k1);
  }

  /** An integer from 0 to 2^32 − 1. */
  uint32(): number {
    if (this.spare >= 0) {
      const word = this.spare;
      this.spare = -1;
      return word;
    }
    const [word, spare] = threefry(this.k0, this.k1, this.counter++, 0);
    this.spare = spare;
    return word;
  }

  /** A number of 53 random bits, `low` ≤ x < `high`. */
  uniform(low = 0, high = 1): number {
    const unit = ((this.uint32() >>> 5) * 2 ** 26 + (this.uint32() >>> 6)) / 2 ** 53;
    return low + unit * (high - low);
  }

  /** An integer from 0 to n − 1, each as likely as the others; n from 1 to 2^32. */
  integer(n: number): number {
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const word = this.uint32();
      if (word < limit) return word % n;
    }
  }

  /** True with the given probability. */
  boolean(probability = 0.5): boolean {
    return this.uniform() < probability;
  }

  /** Shuffles in place (Fisher and Yates) and returns its argument. */
  shuffle<T extends Int32Array | unknown[]>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      [items[i], items[j]] = [items[j], items[i]];
    }
    return items;
  }
}
