/** Pruning of whole channels: from a network to a smaller one that computes nearly the same, to be fine-tuned.
 *  Unlike zeros among the weights it makes every runtime faster. */

import type * as tfl from '@tensorflow/tfjs-layers';
import type { Batch } from '../data/batches.ts';
import { type ChoiceOptions, chooseChannels } from './channel-choice.ts';
import { magnitudeImportance, taylorImportance } from './channel-importance.ts';
import { channelSets, multiplyAdds } from './channel-sets.ts';
import { sliceModel } from './slice-model.ts';

export interface PruneChannelsOptions extends ChoiceOptions {
  /**
   * Some hundreds of normalised training pictures with their labels: channels are then weighed by what the loss loses
   * with them (first-order Taylor). Default: by the norms of their filters and the scales of batch normalisation.
   */
  readonly batches?: AsyncIterable<Pick<Batch, 'images' | 'labels' | 'size'>>;
}

export interface PrunedChannels {
  /** The smaller network, of the same layer names, to be disposed of by the caller. */
  readonly model: tfl.LayersModel;
  /** Each set of channels that could be pruned: the layer that makes them first, how many there were and are. */
  readonly sets: readonly { readonly name: string; readonly before: number; readonly after: number }[];
  /** Multiply-adds of one picture. */
  readonly multiplyAdds: { readonly before: number; readonly after: number };
}

/**
 * Removes channels until `sparsity` of the multiply-adds is gone. Channels that are added up or normalised together go
 * together; the given model stays as it is. The result wants to be fine-tuned, with a fresh optimizer.
 *
 * @throws ModelError for impossible options, a layer that is used twice, or where so much cannot go
 * @example const { model } = await pruneChannels(trained, { sparsity: 0.5, batches: batches(photos.train, options) });
 */
export async function pruneChannels(model: tfl.LayersModel, options: PruneChannelsOptions): Promise<PrunedChannels> {
  const analysis = channelSets(model);
  const importance = options.batches
    ? await taylorImportance(model, analysis, options.batches)
    : await magnitudeImportance(model, analysis);
  const kept = chooseChannels(analysis, importance, options);
  const after = (set: (typeof analysis.sets)[number]) => kept.get(set)?.length ?? set.channels;
  return {
    model: await sliceModel(model, analysis, kept),
    sets: [...kept.keys()].map((set) => ({ name: set.name, before: set.channels, after: after(set) })),
    multiplyAdds: { before: multiplyAdds(analysis, ({ channels }) => channels), after: multiplyAdds(analysis, after) },
  };
}
