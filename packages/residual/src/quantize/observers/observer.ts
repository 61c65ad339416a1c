/** What watches a value while representative images pass: it sees all numbers and says which range to give to integers.
 *  Each kind is one file of this folder. */

import type { ActivationOptions, ValueRange } from '../parameters.ts';

/** Watches one value over all images. */
export interface Observer {
  /** All numbers of the value for some images. */
  observe(numbers: Float32Array): void;
  range(): ValueRange;
}

/** Observers that weigh rounding against clipping must know how the integers will lie: see {@link ActivationOptions}. */
export interface ObserverOptions extends ActivationOptions {
  /** Of `percentile`: the share of all numbers that the range holds, in percent. Default 99.99. */
  readonly percentile?: number;
}

/** How many steps the 8 bits of a value have, from its lowest integer to its highest. */
export function stepsOf({ scheme = 'asymmetric' }: ActivationOptions): number {
  return scheme === 'symmetric' ? 254 : 255;
}
