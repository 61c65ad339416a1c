/** Mixup: each image of a batch is blended with another, and so are their labels.
 *  "mixup: beyond empirical risk minimization" (Zhang et al., 2017); a share for each image, not one for the batch. */
import type { Random } from '../data/random.ts';
import { beta } from './distributions.ts';
import { between } from './limits.ts';
import type { MixPair } from './mix.ts';

export interface Mixup {
  readonly name: 'mixup';
  readonly alpha: number;
  readonly probability: number;
}

/**
 * Works on finished batches, and stands at the end of the list. Beside CutMix each batch gets one of the two.
 *
 * @param options.alpha of the Beta distribution of the shares: small values mix little. Default 0.2
 * @param options.probability that a batch is mixed. Default 1
 * @throws DataError for values out of range
 */
export function mixup(options: { readonly alpha?: number; readonly probability?: number } = {}): Mixup {
  const { alpha = 0.2, probability = 1 } = options;
  return {
    name: 'mixup',
    alpha: between('mixup', 'alpha', alpha, 0.001, 1000),
    probability: between('mixup', 'probability', probability, 0, 1),
  };
}

export function mixupPair({ alpha }: Mixup): MixPair {
  return (first, second, _, random: Random) => {
    // Rounded before it is used, so that labels and pixels get the same share.
    const p = Math.fround(beta(random, alpha, alpha));
    const q = Math.fround(beta(random, alpha, alpha));
    for (let i = 0; i < first.length; i++) {
      const [a, b] = [first[i], second[i]];
      first[i] = p * a + (1 - p) * b;
      second[i] = q * b + (1 - q) * a;
    }
    return [p, q];
  };
}
