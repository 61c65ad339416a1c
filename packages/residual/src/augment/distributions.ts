/** Numbers of other distributions than the even one, from the counter-based stream.
 *  Mixing augmentations draw their shares from them. */
import type { Random } from '../data/random.ts';

/** Mean 0, variance 1 (Box and Muller, 1958). */
export function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()));
  return radius * Math.cos(2 * Math.PI * random.uniform());
}

/** Shape `shape` > 0, scale 1 (Marsaglia and Tsang, 2000). */
export function gamma(random: Random, shape: number): number {
  if (shape < 1) return gamma(random, shape + 1) * (1 - random.uniform()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    const u = 1 - random.uniform();
    if (v > 0 && Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** From 0 to 1, with mean a / (a + b). */
export function beta(random: Random, a: number, b: number): number {
  const [x, y] = [gamma(random, a), gamma(random, b)];
  // Tiny shapes can make both underflow: the limit is a coin.
  return x + y > 0 ? x / (x + y) : random.integer(2);
}

/** `size` shares that sum to 1. */
export function dirichlet(random: Random, alpha: number, size: number): number[] {
  const parts = Array.from({ length: size }, () => gamma(random, alpha));
  const sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => (sum > 0 ? part / sum : 1 / size));
}
