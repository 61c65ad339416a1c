/** Leaves the rarest numbers out of the range, half of them at each end: they are clipped.
 *  A value whose smallest numbers are many, as after a ReLU, loses none of those. */

import { ModelError } from '../../models/errors.ts';
import { Histogram } from './histogram.ts';
import type { Observer, ObserverOptions } from './observer.ts';

/**
 * @throws ModelError where the percentile is not above 50 and at most 100
 * @example calibrate(graph, batches, { observer: () => percentile({ percentile: 99.9 }) })
 */
export function percentile({ percentile: share = 99.99 }: ObserverOptions = {}): Observer {
  if (!(share > 50 && share <= 100)) {
    throw new ModelError(`percentile must be above 50 and at most 100, received ${share}`);
  }
  const seen = new Histogram();
  const outside = (100 - share) / 100;
  return {
    observe: (numbers) => seen.add(numbers),
    range() {
      if (seen.count === 0) return { min: seen.min, max: seen.max };
      return { min: seen.quantile(outside / 2), max: seen.quantile(1 - outside / 2) };
    },
  };
}
