/** The range whose integers tell most of how the numbers are distributed: the smallest Kullback–Leibler divergence between
 *  the clipped distribution and the same told in few levels, as TensorRT calibrates (Migacz, GTC 2017). */

import { Histogram } from './histogram.ts';
import { type Observer, type ObserverOptions, stepsOf } from './observer.ts';

/** How many ends are tried. */
const CANDIDATES = 256;

/** Probability that a level without a number is given, so that what is clipped into it costs much, but not everything. */
const ALMOST_NOTHING = 1e-7;

/** @example calibrate(graph, batches, { observer: () => entropy({ scheme: 'symmetric' }) }) */
export function entropy(options: ObserverOptions = {}): Observer {
  const seen = new Histogram();
  const symmetric = options.scheme === 'symmetric';
  return {
    observe: (numbers) => seen.add(numbers),
    range() {
      const { min, max } = seen;
      if (seen.isFlat) return { min, max };
      const { counts, first, width } = symmetric ? sizesOf(seen) : seen;
      const levels = symmetric ? 128 : stepsOf(options) + 1;
      // As many bins on either side of 0, as far as there are any.
      const [negative, positive] = [-first, counts.length + first];
      const most = Math.max(negative, positive);
      let [best, least] = [most, Number.POSITIVE_INFINITY];
      for (let i = CANDIDATES; i > 0; i--) {
        const end = Math.ceil((most * i) / CANDIDATES);
        const [from, to] = [negative - Math.min(end, negative), negative + Math.min(end, positive)];
        if (to - from < levels) break;
        const found = divergence(counts, from, to, levels);
        if (found < least) [best, least] = [end, found];
      }
      const end = best * width;
      return symmetric ? { min: -end, max: end } : { min: Math.max(min, -end), max: Math.min(max, end) };
    },
  };
}

/** Of numbers without their sign. */
function sizesOf({ counts, first, width }: Histogram): Pick<Histogram, 'counts' | 'first' | 'width'> {
  const [negative, positive] = [-first, counts.length + first];
  const sizes = new Float64Array(Math.max(negative, positive));
  for (let i = 0; i < counts.length; i++) {
    const bin = first + i;
    sizes[bin < 0 ? -bin - 1 : bin] += counts[i];
  }
  return { counts: sizes, first: 0, width };
}

/** Σ p · log(p / q) over bins `from` … `to`: p with what lies outside put into its ends, q as `levels` tell it. */
function divergence(counts: Float64Array, from: number, to: number, levels: number): number {
  const bins = to - from;
  let [below, above, inside] = [0, 0, 0];
  for (let i = 0; i < from; i++) below += counts[i];
  for (let i = to; i < counts.length; i++) above += counts[i];
  for (let i = from; i < to; i++) inside += counts[i];
  if (inside === 0) return Number.POSITIVE_INFINITY;
  const total = below + inside + above;
  let sum = 0;
  for (let level = 0; level < levels; level++) {
    const start = from + Math.round((level * bins) / levels);
    const stop = from + Math.round(((level + 1) * bins) / levels);
    let [numbers, filled] = [0, 0];
    for (let i = start; i < stop; i++) {
      numbers += counts[i];
      if (counts[i] > 0) filled++;
    }
    // What a level holds is thought to be spread evenly over those of its bins that hold anything.
    const q = filled === 0 ? 0 : numbers / filled / inside;
    for (let i = start; i < stop; i++) {
      const p = (counts[i] + (i === from ? below : 0) + (i === to - 1 ? above : 0)) / total;
      if (p > 0) sum += p * Math.log(p / (counts[i] > 0 ? q : ALMOST_NOTHING));
    }
  }
  return sum;
}
