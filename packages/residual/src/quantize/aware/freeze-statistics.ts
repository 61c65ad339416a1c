/** A callback that ends the search for scales: from an epoch on, what learns is the very network that is exported. */

import { ModelError } from '../../models/errors.ts';
import type { Callback } from '../../train/callbacks/callback.ts';
import type { AwareNetwork } from './aware-model.ts';

/**
 * Freezes ranges and batch normalisation of a network after some epochs. Before, each batch is normalised with its own
 * statistics and ranges follow the batches; after, weights learn for the averages that inference uses.
 *
 * @param options.after Epochs, from 0 up.
 * @throws ModelError for another number
 */
export function freezeStatistics(aware: AwareNetwork, { after }: { readonly after: number }): Callback {
  if (!Number.isInteger(after) || after < 0) {
    throw new ModelError(`freezeStatistics: after must be a whole number of epochs from 0 up, received ${after}`);
  }
  let epochs = 0;
  const stand = (done: number) => {
    epochs = done;
    aware.frozen = done >= after;
  };
  stand(0);
  return {
    name: 'freezeStatistics',
    getState: () => epochs,
    setState: (state) => stand(Number(state)),
    onEpoch: ({ epoch }) => stand(epoch),
  };
}
