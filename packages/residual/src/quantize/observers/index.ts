/** The observers by name. */

import { entropy } from './entropy.ts';
import { minMax } from './min-max.ts';
import { mse } from './mse.ts';
import type { ObserverName } from './names.ts';
import type { Observer, ObserverOptions } from './observer.ts';
import { percentile } from './percentile.ts';

export const observers: Readonly<Record<ObserverName, (options?: ObserverOptions) => Observer>> = {
  'min-max': minMax,
  percentile,
  mse,
  entropy,
};

export { type ObserverName, observerNames } from './names.ts';
export type { Observer, ObserverOptions } from './observer.ts';
export { entropy, minMax, mse, percentile };
