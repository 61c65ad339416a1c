/** The plain observer: nothing that was seen is clipped.
 *  One number far from the others costs all others their digits, for which the other observers are there. */

import type { Observer } from './observer.ts';

/** From the smallest number that was seen to the largest. */
export function minMax(): Observer {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  return {
    observe(numbers) {
      for (let i = 0; i < numbers.length; i++) {
        if (numbers[i] < min) min = numbers[i];
        if (numbers[i] > max) max = numbers[i];
      }
    },
    range: () => ({ min, max }),
  };
}
