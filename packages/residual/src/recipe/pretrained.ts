/** Begins with the weights of a trained model: everything but the classifier, where the classes are others.
 *  What fine-tuning needs; the network itself stays the recipe's. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import { ModelError } from '../models/errors.ts';
import { loadModel } from '../models/saved-model.ts';

/**
 * Copies the weights of a saved model into `model`, layer by layer, by their names.
 *
 * @param folder what `saveModel` or a run wrote
 * @returns the names of the layers that keep their own starting weights: the classifier, where its shape differs
 * @throws ModelError where the folder holds no model, or one whose other layers have other shapes
 */
export async function takeWeights(model: LayersModel, folder: string): Promise<readonly string[]> {
  const { model: trained } = await loadModel(folder);
  try {
    const known = new Map(trained.layers.map((layer) => [layer.name, layer]));
    const last = model.layers.at(-1)?.name;
    const fresh: string[] = [];
    for (const layer of model.layers) {
      const own = layer.getWeights();
      if (own.length === 0) continue;
      const theirs = known.get(layer.name)?.getWeights();
      const fits = theirs?.length === own.length && own.every(({ shape }, i) => `${shape}` === `${theirs[i]?.shape}`);
      if (fits && theirs !== undefined) layer.setWeights(theirs);
      else if (layer.name === last) fresh.push(layer.name);
      else
        throw new ModelError(
          `${folder}: its layers do not fit ${model.name}: ${layer.name} ${difference(own, theirs)}`,
        );
    }
    return fresh;
  } finally {
    trained.dispose();
  }
}

interface Shaped {
  readonly shape: readonly number[];
}

function difference(own: readonly Shaped[], theirs: readonly Shaped[] | undefined): string {
  if (theirs === undefined) return 'is not among them';
  const text = (weights: readonly Shaped[]) => weights.map(({ shape }) => `[${shape}]`).join(' ');
  return `has ${text(theirs)} there, needs ${text(own)}`;
}

/** Freezes all but the classifier, the last layer. */
export function freezeBackbone(model: LayersModel): void {
  for (const layer of model.layers.slice(0, -1)) layer.trainable = false;
}
